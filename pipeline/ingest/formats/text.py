"""Delimited text: the header and separator recognised, the rows read by DuckDB.

DuckDB reads strictly and fast, and refuses a file with a single bad line. Such a file is read again line by line, so
that each bad row is named and every other is kept.
"""

import csv
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from pipeline.config import Run
from pipeline.errors import InputError
from pipeline.ingest.formats.files import (
    DEFAULT_LIMITS,
    Header,
    Opened,
    Opening,
    StageWriter,
    bounded_lines,
    clean_names,
    frame_of,
    plain_text,
    require_columns,
)
from pipeline.ingest.formats.header import (
    FIRST_ROW,
    LOOKED_AT,
    Layout,
    LeftOut,
    Row,
    Start,
    find_end,
    find_start,
    left_out,
)
from pipeline.storage.duckdb import connect, exact, literal

__all__ = ["line_of_header", "open_rows", "open_text", "read_header", "read_table"]


SEPARATORS = (",", ";", "\t", "|")
_SEPARATOR_WORDS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
STAGE_ROWS = 50_000
STAGE_CHARACTERS = 1 << 24


def open_rows(path: Path, how: Opening) -> Opened:
    """Open delimited text, also .gz, in any encoding that Python knows (see `Reader`)."""
    plain = plain_text(path, encoding=how.encoding, folder=how.folder, limits=how.limits)
    return open_text(plain, name=path.name, how=how)


def read_header(path: Path, how: Opening) -> Header:
    """Return the columns of delimited text; only its first block is decompressed (see `Reader`)."""
    head = plain_text(path, encoding=how.encoding, folder=how.folder, limits=how.limits, whole=how.whole, head=True)
    return Header(text_header(head, name=path.name, how=how))


def open_text(path: Path, *, name: str, how: Opening) -> Opened:
    """Open a plain UTF-8 text file (see `plain_text`).

    Parameters
    ----------
    path
        The text.
    name
        Name of the original file, for messages.
    how
        Its settings. With `careful` it is read line by line: slower, used after DuckDB has refused the file.

    Raises
    ------
    InputError
        If it has no header, is not text in the encoding, a quote is never closed, or a row is too wide.
    """
    limits = how.limits
    try:
        begun = _begin(path, name=name, how=how)
        lines = _require_lines(path, name=name, limits=limits)
        columns = clean_names(begun.start.names)
        path, below = _without_end(path, begun, columns, how=how)
        facts = {
            "encoding": how.encoding,
            "delimiter": _SEPARATOR_WORDS.get(begun.separator, begun.separator),
            **({} if begun.start.header else {"header": "none"}),
        }
        outside = (*begun.start.above, *below)
        if how.careful:
            rows = _careful(path, name=name, begun=begun, columns=len(columns), limits=limits)
            staged = _stage(rows, columns=len(columns), how=how)
            facts |= {"reading": "row by row (malformed rows)"}
            return Opened(name, columns, staged, staged=True, facts=facts, outside=outside, header=begun.start.header)
        skip = begun.lines
        if begun.lines != begun.records:
            # Line breaks in quotation marks: whether DuckDB skips lines or records depends on what comes before them.
            path, skip = _below(path, skip, folder=how.folder), 0
        types = ", ".join(f"{literal(f'c{i}')}: 'VARCHAR'" for i in range(len(columns)))
        scan = (
            f"read_csv({literal(exact(path))}, auto_detect=false, header=false, skip={int(skip)}, "
            f"delim={literal(begun.separator)}, quote='\"', escape='\"', strict_mode=true, "
            f"nullstr={literal(chr(1))}, max_line_size={int(limits.max_row_kb) * 1000}, columns={{{types}}})"
        )
    except UnicodeDecodeError as error:
        raise _not_text(name, how.encoding, error) from None
    return Opened(name, columns, scan, again=True, facts=facts, outside=outside, header=begun.start.header, lines=lines)


def text_header(path: Path, *, name: str, how: Opening) -> tuple[str, ...]:
    """Return the columns of a plain UTF-8 text file, as `open_text` finds them, without reading its rows.

    Raises
    ------
    InputError
        If it has no header that can be read.
    """
    try:
        return clean_names(_begin(path, name=name, how=how).start.names)
    except UnicodeDecodeError as error:
        raise _not_text(name, how.encoding, error) from None


_NAMED = 6


def line_of_header(
    path: Path, *, name: str, delimiter: str | None, wanted: Sequence[str] = (), limits: Run = DEFAULT_LIMITS
) -> str:
    """Return an error with the line in which the column names probably are, if a report has lines above them.

    Parameters
    ----------
    path
        A plain UTF-8 text file, or its start.
    name
        Name of the original file.
    delimiter
        Separator, as configured.
    wanted
        Names of the columns in the configuration.
    limits
        Limits on the length of a line.

    Returns
    -------
    refusal
        What to do; empty if the first line may be the header.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        lines = list(islice(bounded_lines(file, name=name, limits=limits), LOOKED_AT))
    separator = delimiter or max(SEPARATORS, key=lambda s: (sum(_cells_in(line, s) for line in lines), s == ","))
    rows: list[tuple[int, list[str]]] = []
    reader, start = csv.reader(lines, delimiter=separator), 1
    try:
        for row in reader:
            filled = [cell.strip() for cell in row if cell.strip()]
            if filled:
                rows.append((start, filled))
            start = reader.line_num + 1
    except csv.Error:
        return ""
    if not rows:
        return ""
    asked = {" ".join(w.split()).casefold() for w in wanted}

    def met(row: list[str]) -> int:
        return len(asked & {" ".join(cell.split()).casefold() for cell in row})

    first = rows[0][1]
    widest = max(len(row) for _, row in rows)
    if met(first):
        return ""
    # The names in the configuration decide; without them, the first row that is as wide as the widest row and contains
    # no number is taken as the header.
    named = max(rows, key=lambda r: met(r[1]))
    wide = next(((at, row) for at, row in rows if len(row) == widest and not any(map(_is_number, row))), None)
    found = named if met(named[1]) else wide if len(first) < widest and widest > 1 else None
    if found is None or found[1] is first:
        return ""
    at, row = found
    listed = ", ".join(row[:_NAMED]) + (", ..." if len(row) > _NAMED else "")
    return (
        f"{name} has lines above its header: line {rows[0][0]} is {first[0][:60]!r}, and the names of the columns are "
        f"probably in line {at} ({listed}). Set header_row: {at} for this input, or name its columns as they stand "
        "there"
    )


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").lstrip("-").isdigit()


def _not_text(name: str, encoding: str, error: UnicodeDecodeError) -> InputError:
    return InputError(
        f"{name} is not {encoding} text (byte 0x{error.object[error.start]:02x}): set `encoding` for this source, "
        "for example latin-1 or cp1252"
    )


@dataclass(frozen=True, slots=True)
class _Begun:
    """Where the table starts, its separator, and how many lines and records stand before its first row of data."""

    start: Start
    separator: str
    lines: int
    records: int


def _begin(path: Path, *, name: str, how: Opening) -> _Begun:
    """Find the header: the first row, unless the settings name columns that only a later row has."""
    layout, limits = how.layout, how.limits
    cells, separator, lines, records = _first_row(path, name=name, delimiter=how.delimiter, limits=limits)
    if layout.header_row == "none":
        # The first row is data: only the blank lines above it are skipped.
        start = find_start([Row(records, tuple(cells))], layout, name=name)
        return _Begun(start, separator, records - 1, records - 1)
    first = _Begun(Start(tuple(cells), lines), separator, lines, records)
    if layout.header_row == "auto" and layout.accepts(cells):
        return first
    head = _first_lines(path, name=name, separator=separator, how=how)
    if layout.header_row == "auto" and how.delimiter is None:
        # A title says nothing of the separator: the one that splits the first lines into the most cells does.
        others = {s: _first_lines(path, name=name, separator=s, how=how) for s in SEPARATORS if s != separator}
        counts = {s: sum(len(row.cells) for row, _ in rows) for s, rows in {separator: head, **others}.items()}
        separator = max(counts, key=lambda s: (counts[s], s == separator))
        head = others.get(separator, head)
    elif how.delimiter is None:
        line = next((row for row, _ in head if row.number == layout.header_row), None)
        text = separator.join(line.cells) if line else ""
        separator = max(SEPARATORS, key=lambda s: (_cells_in(text, s), s == ","))
        head = _first_lines(path, name=name, separator=separator, how=how)
    start = find_start([row for row, _ in head], layout, name=name)
    if start.header == next((row.number for row, _ in head if row.filled), None):
        # As the first row is read where nothing else could be the header.
        return first
    require_columns(len(start.names), name=name, limits=limits)
    records = next(n for n, (row, _) in enumerate(head, start=1) if row.number == start.header)
    return _Begun(start, separator, head[records - 1][1], records)


def _first_lines(path: Path, *, name: str, separator: str, how: Opening) -> list[tuple[Row, int]]:
    """Split the first lines into rows, each with the number of its last line; up to one that cannot be split."""
    rows = []
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        lines = islice(bounded_lines(file, name=name, limits=how.limits), how.layout.looked_at)
        reader, first = csv.reader(lines, delimiter=separator), 1
        try:
            for cells in reader:
                rows.append((Row(first, tuple(cells)), reader.line_num))
                first = reader.line_num + 1
        except csv.Error:
            pass
    return rows


# The end of the file.

_TAIL_BYTES = 1 << 16


def _without_end(path: Path, begun: _Begun, columns: Sequence[str], *, how: Opening) -> tuple[Path, list[LeftOut]]:
    """Return the file without the totals and notes below its data: itself, or a copy where it has any."""
    found = _last_lines(path, begun)
    rows = [row for _, row in found]
    count = find_end(rows, how.layout, names=columns)
    if not count:
        return path, []
    at = found[-count][0]
    first = _line_at(path, at)
    below = [left_out(Row(first + n, row.cells), "below") for n, row in enumerate(rows[-count:]) if row.filled]
    copy = how.folder / "table.txt"
    with path.open("rb") as source, copy.open("wb") as target:
        while at > 0 and (chunk := source.read(min(at, _TAIL_BYTES))):
            target.write(chunk)
            at -= len(chunk)
    return copy, below


def _below(path: Path, lines: int, *, folder: Path) -> Path:
    """Return a copy of the file without its first lines."""
    copy = folder / "rows.txt"
    with path.open("rb") as source, copy.open("wb") as target:
        for _ in range(lines):
            source.readline()
        shutil.copyfileobj(source, target)
    return copy


def _last_lines(path: Path, begun: _Begun) -> list[tuple[int, Row]]:
    """Return the last lines of data with their positions: those that are whole rows, counted from the end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        # The header and what is above it are no rows of data.
        begins = sum(len(line) for line in islice(file, begun.lines))
        start = max(begins, size - _TAIL_BYTES)
        file.seek(start)
        tail = file.read()
    lines = tail.splitlines(keepends=True)
    if start > begins:
        start += len(lines.pop(0)) if lines else 0
    at = start + sum(map(len, lines))
    rows: list[tuple[int, Row]] = []
    for line in reversed(lines):
        # A quotation mark without its partner: the row has several lines.
        if line.count(b'"') % 2 or len(rows) == LOOKED_AT:
            break
        at -= len(line)
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        try:
            cells = next(csv.reader([text], delimiter=begun.separator), [])
        except csv.Error:
            break
        rows.append((at, Row(0, tuple(cells))))
    return rows[::-1]


def _line_at(path: Path, position: int) -> int:
    """Return the number of the line that begins at a position."""
    number = 1
    with path.open("rb") as file:
        while position > 0 and (chunk := file.read(min(position, _TAIL_BYTES))):
            number += chunk.count(b"\n")
            position -= len(chunk)
    return number


def _first_row(path: Path, *, name: str, delimiter: str | None, limits: Run) -> tuple[list[str], str, int, int]:
    """Read the first row: its cells, the separator, and the number of lines and of records up to it."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = next((line for line in bounded_lines(file, name=name, limits=limits) if line.strip()), "")
    if not first:
        raise InputError(f"{name} has no header row: the file is blank. Check the export")
    if "\0" in first:
        raise InputError(
            f"{name} is not a text table: its first row contains NUL bytes. Set `encoding` if it is UTF-16 or UTF-32, "
            "or "
            "export it again"
        )
    separator = delimiter or max(SEPARATORS, key=lambda s: (_cells_in(first, s), s == ","))
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            reader = csv.reader(bounded_lines(file, name=name, limits=limits), delimiter=separator)
            rows = enumerate(reader, start=1)
            records, cells = next(((n, row) for n, row in rows if any(cell.strip() for cell in row)), (0, []))
        except csv.Error as error:
            raise InputError(f"{name}: the header row cannot be read ({error}): repair the first lines") from None
        if not cells:
            raise InputError(f"{name} has no header row: its first row has no column names. Check the export")
        require_columns(len(cells), name=name, limits=limits)
        return cells, separator, reader.line_num, records


def _require_lines(path: Path, *, name: str, limits: Run) -> int:
    """Refuse a line that is far too long: DuckDB, which reads in parallel, may skip it. Return the number of lines."""
    most, lines = limits.max_row_kb * 1000, 0
    with path.open("rb") as file:
        for at, chunk in enumerate(iter(lambda: file.read(most), b"")):
            if len(chunk) == most and b"\n" not in chunk and b"\r" not in chunk:
                raise InputError(
                    f"{name} has a line, {at * most:,} bytes from its start, that is longer than run.max_row_kb "
                    f"({limits.max_row_kb} kB): check that the file is a table with line ends, or raise the limit"
                )
            lines += chunk.count(b"\n") or chunk.count(b"\r")
    return lines


def _cells_in(line: str, separator: str) -> int:
    """Count the cells of a line; 0 if it cannot be split with this separator."""
    try:
        return len(next(csv.reader([line], delimiter=separator)))
    except csv.Error:
        return 0


def _stage(rows_and_faults: Iterable[tuple[list[str], str | None]], *, columns: int, how: Opening) -> str:
    """Read the rows one by one into a staged table, with a fault for malformed rows."""
    writer = StageWriter(how, columns)
    rows: list[list[str]] = []
    faults: list[str | None] = []
    held = 0

    def flush() -> None:
        if rows:
            writer.write([[row[i] for row in rows] for i in range(columns)], fault=faults)
            rows.clear()
            faults.clear()

    for cells, fault in rows_and_faults:
        rows.append(cells)
        faults.append(fault)
        held += sum(map(len, cells))
        if len(rows) == STAGE_ROWS or held > STAGE_CHARACTERS:
            flush()
            held = 0
    flush()
    return writer.close()


def _careful(
    path: Path, *, name: str, begun: _Begun, columns: int, limits: Run
) -> Iterator[tuple[list[str], str | None]]:
    blank, lines, separator = [""] * columns, begun.lines, begun.separator
    with path.open(encoding="utf-8-sig", newline="") as file:
        text = bounded_lines(file, name=name, limits=limits)
        for _ in range(lines):
            next(text)
        reader = csv.reader(text, delimiter=separator, strict=True, skipinitialspace=True)
        while True:
            start = lines + reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "unexpected end of data" in str(error):
                    raise InputError(
                        f"{name}: a quotation mark opened in line {start} is never closed, so nothing after it can be "
                        "read. Repair that line"
                    ) from None
                if "field limit" in str(error):
                    raise InputError(
                        f"{name}: a cell that begins in line {start} is longer than {csv.field_size_limit():,} "
                        "characters: a quotation mark is probably never closed. Repair that line"
                    ) from None
                yield blank, json.dumps(_span(start, lines + reader.line_num) | {"fault": str(error)})
                continue
            if not row:
                continue
            # Blank cells beyond the last column come from spreadsheets and can be dropped.
            if len(row) > columns and not any(cell.strip() for cell in row[columns:]):
                row = row[:columns]
            if len(row) == columns:
                yield row, None
            else:
                span = _span(start, lines + reader.line_num)
                yield blank, json.dumps(span | {"cells": len(row), "columns": columns})


def _span(first: int, last: int) -> dict[str, int]:
    """Describe the lines of a row: a stray quotation mark may have joined several lines."""
    return {"line": first} if first == last else {"line": first, "last_line": last}


# A small text table, read into memory.


def read_table(
    path: Path,
    *,
    encoding: str,
    delimiter: str | None = None,
    layout: Layout = FIRST_ROW,
    limits: Run = DEFAULT_LIMITS,
    faults: bool = False,
    scratch: Path | None = None,
) -> Any:
    """Read delimited text (also .gz) into a frame of texts.

    Parameters
    ----------
    path
        The file.
    encoding, delimiter
        From the configuration; with None the separator is recognised.
    layout
        Where its table may start.
    limits
        Limits on the size of the file and its rows.
    faults
        Keep malformed rows, blank, with the fault in a last column `fault` (empty for valid rows); otherwise they are
        an error.
    scratch
        Folder for temporary files while reading; by default the system's. Files in a run's own folder are removed even
        after a power failure.

    Raises
    ------
    InputError
        If the file cannot be read, or has malformed rows and `faults` is not set.
    """
    with tempfile.TemporaryDirectory(prefix="hotspots-", dir=scratch) as name:
        folder = Path(name)
        plain = plain_text(path, encoding=encoding, folder=folder, limits=limits, whole=True)
        connection = connect(memory_limit_mb=1000, folders=(path.parent, folder), spill=folder / "spill")
        try:
            for careful in (False, True):
                how = Opening(
                    folder, limits, encoding=encoding, delimiter=delimiter, layout=layout, careful=careful, whole=True
                )
                opened = open_text(plain, name=path.name, how=how)
                try:
                    table = connection.sql(f"SELECT * FROM {opened.scan}").to_arrow_table()
                except duckdb.Error:
                    if careful:
                        raise
                    continue
                break
        finally:
            connection.close()
    return frame_of(table, opened, faults=faults)
