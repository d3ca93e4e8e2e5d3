"""How files are read: one module a reader, each within the limits of `files`, all bringing rows into one shape.

The formats themselves are listed in `pipeline.storage.formats.FORMATS`, each with the module that reads it. That module
has the functions of `Reader` that make sense for it; nothing else needs to know of a new format.
"""

import importlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, cast

from pipeline.config import Run
from pipeline.errors import HotspotsError, InputError
from pipeline.ingest.formats.files import (
    DEFAULT_LIMITS,
    AreaLayer,
    AreaRequest,
    Header,
    Opened,
    Opening,
    file_format,
    find_columns,
    plain_text,
    require_kind,
)
from pipeline.ingest.formats.text import line_of_header
from pipeline.storage.formats import FORMATS, by_ending

__all__ = ["FORMATS", "Reader", "area_reader", "header_explained", "require_text_columns", "row_reader", "table_reader"]

_GDAL, _TEXT = "pipeline.ingest.formats.vector", "pipeline.ingest.formats.text"


class Reader(Protocol):
    """What the module of a format offers.

    Points need `open_rows` and `read_header`; boundaries `read_areas`; small tables (counts, residents, codes)
    `read_table` and `read_header`. A module leaves out what its format cannot hold.
    """

    def open_rows(self, path: Path, how: Opening) -> Opened:
        """Open a file of incidents, ready to be streamed."""

    def read_header(self, path: Path, how: Opening) -> Header:
        """Return the columns that `open_rows` or `read_table` would find; no row is read."""

    def read_areas(self, path: Path, request: AreaRequest) -> AreaLayer:
        """Read boundaries, or their columns alone."""

    def read_table(self, path: Path, **how: Any) -> Any:
        """Read a small table whole, as texts (see `text.read_table`)."""


def row_reader(path: Path, *, stated: str) -> Reader:
    """Return what reads a file of incidents.

    Parameters
    ----------
    path
        The file.
    stated
        Name of its format, or `auto` to go by its ending.

    Raises
    ------
    InputError
        If its ending is that of no format, or the file is of another kind than that.
    """
    meant = file_format(path, stated=stated)
    require_kind(path, meant=meant, key="format")
    return _module(meant.reader)


def area_reader(path: Path) -> Reader:
    """Return what reads a boundary file: the reader of its ending, or GDAL, which refuses what is no map file.

    Raises
    ------
    InputError
        If the file is of another kind than its ending says, or of one that is not read.
    """
    require_kind(path, meant=by_ending(path))
    return _offering("read_areas", path, otherwise=_GDAL)


def table_reader(path: Path) -> Reader:
    """Return what reads a small table: the reader of its ending, or that of text, whatever the ending.

    Raises
    ------
    InputError
        If the file is of a kind that no table is read from.
    """
    inner = path.with_suffix("") if path.suffix.casefold() == ".gz" else path
    reader = _offering("read_table", inner, otherwise=_TEXT)
    require_kind(path, meant=next((f for f in FORMATS if _module(f.reader) is reader), None))
    return reader


def require_text_columns(
    path: Path, wanted: Sequence[tuple[str, str]], *, encoding: str, limits: Run = DEFAULT_LIMITS
) -> None:
    """Refuse a small table whose header lacks a column, before any row is read.

    Parameters
    ----------
    path
        The table.
    wanted
        Configuration key and name of each column.
    encoding
        As configured.
    limits
        How long the file may be.

    Raises
    ------
    InputError
        Naming every column that is missing; or if there is no header.
    """
    with tempfile.TemporaryDirectory(prefix="hotspots-") as folder:
        how = Opening(Path(folder), limits, encoding=encoding, whole=True)
        reader = table_reader(path)
        with header_explained(path, wanted, how, reader=reader):
            find_columns(wanted, reader.read_header(path, how).columns, file=path.name)


@contextmanager
def header_explained(path: Path, wanted: Sequence[tuple[str, str]], how: Opening, *, reader: Reader) -> Iterator[None]:
    """Answer a refusal of a text table with the line of its header, where a report has lines above it.

    Parameters
    ----------
    path
        The table.
    wanted
        Configuration key and name of each column that is asked for.
    how
        How it is opened: encoding, separator and limits.
    reader
        What reads it; only text has lines above its header.

    Raises
    ------
    InputError
        The refusal itself, or the line that the names of the columns are probably in.
    """
    try:
        yield
    except InputError as error:
        if reader is not _module(_TEXT):
            raise
        with tempfile.TemporaryDirectory(prefix="hotspots-") as folder:
            try:
                plain = plain_text(
                    path, encoding=how.encoding, folder=Path(folder), limits=how.limits, whole=how.whole, head=True
                )
                found = line_of_header(
                    plain,
                    name=path.name,
                    delimiter=how.delimiter,
                    wanted=[name for _, name in wanted],
                    limits=how.limits,
                )
            except HotspotsError:
                found = ""  # the file cannot even be looked at: the first refusal says why
        if found:
            raise InputError(found) from error
        raise


def _offering(what: str, path: Path, *, otherwise: str) -> Reader:
    found = by_ending(path)
    reader = _module(found.reader) if found else None
    return reader if reader is not None and hasattr(reader, what) else _module(otherwise)


def _module(name: str) -> Reader:
    return cast("Reader", importlib.import_module(name))
