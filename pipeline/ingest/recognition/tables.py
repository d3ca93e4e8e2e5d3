"""Where a table is in a file: its encoding, its sheet or layer, and the row with the names of its columns."""

import gzip
import re
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from pipeline.config import IncidentSource, Run
from pipeline.config.section import HeaderRow
from pipeline.errors import HotspotsError, InputError
from pipeline.ingest.formats.files import (
    GEOMETRY_X,
    GEOMETRY_Y,
    Opened,
    Opening,
    Unreadable,
    is_month_title,
    row_reader,
    tables_of,
    unpacked,
)
from pipeline.ingest.formats.header import Layout
from pipeline.ingest.incidents.columns import layout_of
from pipeline.ingest.recognition.texts import Guess, number, plain
from pipeline.storage.duckdb import connect
from pipeline.storage.formats import format_of

__all__ = ["Head", "encoding_of", "has_plain_header", "header_of", "read_head", "several_tables"]

_ROWS = 50_000
_HEAD_BYTES = 200_000_000
_DATE = re.compile(r"\d{4}-\d\d?(-\d\d?)?([T ].*)?|\d{1,2}[/.-]\d{1,2}[/.-](\d{4}|\d\d)( .*)?")
_FEWEST_MONTHS = 3
_LAST_HEADER = 15
"""Reports have fewer lines above their table."""


def encoding_of(path: Path) -> Guess | None:
    """Return the encoding of a text file that is not UTF-8; None if nothing needs to be set."""
    kind = format_of(path)
    if kind is None or kind.name != "csv" or not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as file:
                head = file.read(_HEAD_BYTES)
        except (OSError, EOFError, zlib.error):
            return None
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Guess("utf-16", "the file begins with the mark of UTF-16")
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.end >= len(head) - 3:  # a character was cut in two where reading stopped
            return None
        return Guess("cp1252", f"not UTF-8: byte 0x{head[error.start]:02x} at position {error.start:,}")
    return None


def several_tables(path: Path, *, limits: Run) -> tuple[str, tuple[tuple[str, str | None], ...]]:
    """Return the setting that chooses between the tables of a file, and these with their kinds of geometry.

    Returns
    -------
    key, tables
        `sheet` or `layer`; no tables if there is nothing to choose.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    with unpacked(path, limits=limits) as file:
        found = tables_of(file, limits=limits)
        kind = format_of(file)
    return ("sheet" if kind is not None and kind.name == "workbook" else "layer"), found if len(found) > 1 else ()


@dataclass(frozen=True, slots=True)
class Head:
    """The first rows of a table.

    Attributes
    ----------
    opened
        The table as its reader opened it; its file may be gone.
    texts
        Trimmed texts by column.
    points
        Coordinates of a geometry, shape (rows, 2), NaN where there is none; None without a geometry.
    encoding
        Of a text file that is not UTF-8.
    chosen
        The sheet or layer, and its key; None if the file is read as it is.
    header
        The row with the names of the columns, if it is not found by itself.
    """

    opened: Opened
    texts: dict[str, list[str]]
    points: Any = None
    encoding: Guess | None = None
    chosen: tuple[str, str] | None = None
    header: Guess | None = field(default=None)


def read_head(
    path: Path, *, limits: Run, chosen: tuple[str, str] | None = None, header: Guess | None = None, rows: int = _ROWS
) -> Head:
    """Read the first rows of a table.

    Parameters
    ----------
    path
        The file.
    limits
        Limits on its size.
    chosen
        `sheet` or `layer`, and its name.
    header
        Its `header_row`; by default the first row, or a later one with usual names.
    rows
        How many rows.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    with unpacked(path, limits=limits) as file, tempfile.TemporaryDirectory(prefix="hotspots-init-") as name:
        folder = Path(name)
        encoding = encoding_of(file)
        how = _opening(folder, encoding, limits=limits, chosen=chosen, header_row=header.value if header else "auto")
        for careful in (False, True):
            opened = row_reader(file, stated="auto").open_rows(file, replace(how, careful=careful))
            connection = connect(memory_limit_mb=1000, folders=(file.parent, folder), spill=folder / "spill")
            try:
                table = connection.sql(f"SELECT * FROM {opened.first_rows(rows).scan}").to_arrow_table()
                break
            except (duckdb.Error, Unreadable):
                if careful:
                    raise InputError(f"{path.name} cannot be read row by row: repair or export it again") from None
            finally:
                connection.close()
    texts = {n: [plain(v) for v in table[f"c{i}"].to_pylist()] for i, n in enumerate(opened.columns)}
    points = None
    if opened.has_geometry:
        points = np.column_stack([table[c].to_numpy().astype(float) for c in (GEOMETRY_X, GEOMETRY_Y)])
    return Head(opened, texts, points, encoding, chosen, header)


def _opening(
    folder: Path, encoding: Guess | None, *, limits: Run, chosen: tuple[str, str] | None, header_row: HeaderRow
) -> Opening:
    source = IncidentSource(paths=("-",), encoding=encoding.value if encoding else "utf-8", header_row=header_row)
    how = Opening(folder, limits, encoding=source.encoding, layout=layout_of(source))
    if chosen is None:
        return how
    return replace(how, sheet=chosen[1]) if chosen[0] == "sheet" else replace(how, layer=chosen[1])


def has_plain_header(columns: Sequence[str]) -> bool:
    """Whether names of columns are names: several, none of them blank, a number or a date; months may be columns."""
    # Reports often leave the name of the first column blank: it holds the number of the row.
    return len(columns) > 1 and not _values(columns) and not any(map(_is_made, columns[1:]))


def _values(names: Sequence[str]) -> list[str]:
    """Return the names that are values: a few of them are months only in a table of months."""
    months = [name for name in names if is_month_title(name)]
    found = [n for n in names if number(n.split(" (", maxsplit=1)[0]) is not None or _DATE.fullmatch(n)]
    return [name for name in found if len(months) < _FEWEST_MONTHS or name not in months]


def _is_made(name: str) -> bool:
    """Whether a name was made for a blank cell (see `clean_names`)."""
    return name.startswith("column ") and name[7:].isdigit()


def header_of(path: Path, *, limits: Run, chosen: tuple[str, str] | None = None) -> Guess | None:
    """Return the row with the names of the columns by its form alone: the fullest of the first rows without values.

    Returns
    -------
    header_row
        Its number, or `none` if the first row already holds values; None if it is the first row or cannot be seen.
    """
    kind = format_of(path)
    if kind is None or kind.name not in {"csv", "workbook"}:
        return None
    widths: dict[int, int] = {}
    first: tuple[str, ...] = ()
    with unpacked(path, limits=limits) as file, tempfile.TemporaryDirectory(prefix="hotspots-init-") as name:
        reader, encoding = row_reader(file, stated="auto"), encoding_of(file)
        for row in range(1, _LAST_HEADER + 1):
            how = _opening(Path(name), encoding, limits=limits, chosen=chosen, header_row=row)
            try:
                columns = reader.read_header(file, replace(how, layout=Layout(row))).columns
            except HotspotsError:
                continue  # a blank row
            first = first or columns
            if has_plain_header(columns):
                widths[row] = len(columns)
    best = max(widths, key=lambda row: (widths[row], -row), default=0)
    if best > 1 and widths[best] > widths.get(1, 0):
        return Guess(best, f"the first row with {widths[best]} names of columns; lines above it are left out")
    if not widths and (values := _values(first)):
        return Guess("none", f"the first row holds values such as {values[0]!r}")
    return None
