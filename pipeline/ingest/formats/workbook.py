"""Workbooks (xlsx, xlsm, xlsb, xls, ods): one sheet, or all sheets with one header, as rows of text.

A spreadsheet program keeps a sheet in memory as a rectangle from its first to its last filled cell, and so does the
library that reads it. A stray cell in the last row and column makes this rectangle larger than any computer's memory,
so the file is examined as a stream before it is loaded: how large each sheet is, and what a reader of the values alone
would miss (hidden rows, formulas whose result was never stored).
"""

import datetime as dt
import re
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree as ET

from pipeline.config import Run
from pipeline.errors import InputError
from pipeline.ingest.formats.files import (
    Header,
    Opened,
    Opening,
    StageWriter,
    clean_names,
    first_line,
    require_columns,
    require_size,
    unfolds,
)
from pipeline.ingest.formats.header import (
    LOOKED_AT,
    Layout,
    LeftOut,
    Row,
    Start,
    find_end,
    find_start,
    left_out,
)
from pipeline.storage.formats import FORMATS

__all__ = ["list_tables", "open_rows", "read_header"]

STAGE_ROWS = 50_000
_CELL_BYTES = 32  # of each cell of the rectangle, filled or not, as measured with python-calamine 0.9
_MB = 1_000_000
_CHUNK = 4 << 20
_ENDINGS = next(f for f in FORMATS if f.name == "workbook").endings
_LISTED = 5


def open_rows(path: Path, how: Opening) -> Opened:
    """Open a sheet, or all visible sheets if they have the same columns (see `Reader`).

    Raises
    ------
    InputError
        If it cannot be read, needs too much memory, a sheet must be named, or results of formulas are not stored.
    """
    with _opened(path, how) as book:
        chosen, columns = _chosen(book, how)
        writer = StageWriter(how, len(columns))
        spans: list[str] = []
        outside: list[LeftOut] = []
        cautions = list(book.cautions(chosen))
        header: int | None = None
        for name in chosen:
            sheet = book.load(name)
            extent = _extent(sheet, columns, how.layout)
            rows = _write(sheet, extent, columns, writer)
            several = len(chosen) > 1
            spans.append(f"{name} ({rows:,} rows)" if several else name)
            outside += [r._replace(text=f"{name}: {r.text}") if several else r for r in extent.outside]
            cautions += _merged(sheet, extent, file=path.name)
            header = extent.header
        scan = writer.close()
    facts = {"sheet": ", ".join(spans), **({} if header else {"header": "none"})}
    if hidden := book.hidden(chosen):
        facts["sheets_not_read"] = f"hidden: {', '.join(hidden)}"
    return Opened(
        path.name,
        columns,
        scan,
        staged=True,
        facts=facts,
        cautions=tuple(cautions),
        outside=tuple(outside),
        header=header,
    )


def read_header(path: Path, how: Opening) -> Header:
    """Return the columns that `open_rows` would find.

    Raises
    ------
    InputError
        As `open_rows`.
    """
    with _opened(path, how) as book:
        return Header(_chosen(book, how)[1])


def list_tables(path: Path, how: Opening) -> tuple[tuple[str, str | None], ...]:
    """Return the name of every visible sheet with cells; a sheet has no geometry (None).

    Raises
    ------
    InputError
        If the workbook cannot be read, or a sheet needs too much memory.
    """
    with _opened(path, how) as book:
        return tuple((name, None) for name in book.visible if book.load(name).names)


# Which sheet.


@dataclass(slots=True)
class _Sheet:
    """A loaded sheet, and where its table starts."""

    name: str
    source: Any
    start: Start

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the header, without blank cells at its end; of a sheet without a header one for each column."""
        names = list(self.start.names)
        while self.start.header and names and not names[-1].strip():
            names.pop()
        return tuple(names)

    def rows(self) -> Iterator[tuple[int, list[Any]]]:
        """Yield every row below the header with its number in the sheet."""
        above = self.start.header or 0
        for number, row in enumerate(self.source.iter_rows(), start=1):
            if number > above:
                yield number, row


def _is_blank(row: Sequence[Any]) -> bool:
    return not any(_filled(cell) for cell in row)


@dataclass(slots=True)
class _Book:
    path: Path
    workbook: Any
    how: Opening
    found: dict[str, "_Found"]
    loaded: dict[str, _Sheet] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Sheets with cells; charts and macros have none."""
        from python_calamine import SheetTypeEnum

        return [m.name for m in self.workbook.sheets_metadata if m.typ == SheetTypeEnum.WorkSheet]

    @property
    def visible(self) -> list[str]:
        from python_calamine import SheetVisibleEnum

        shown = {m.name for m in self.workbook.sheets_metadata if m.visible == SheetVisibleEnum.Visible}
        return [name for name in self.names if name in shown]

    def hidden(self, chosen: Sequence[str]) -> list[str]:
        """Return the hidden sheets that are not read."""
        return [name for name in self.names if name not in self.visible and name not in chosen]

    def load(self, name: str) -> _Sheet:
        """Load one sheet; the one before is dropped, so that memory holds one at a time."""
        if name not in self.loaded:
            self.loaded.clear()
            about = self.found.get(name, _Found())
            about.require_memory(name, file=self.path.name, limits=self.how.limits)
            with _readable(self.path):
                source = self.workbook.get_sheet_by_name(name)
            head = islice(enumerate(source.iter_rows(), start=1), self.how.layout.looked_at)
            rows = [Row(number, tuple(map(_text, row))) for number, row in head]
            start = find_start(rows, self.how.layout, name=f"{self.path.name}, sheet {name!r}", unit="row")
            self.loaded[name] = _Sheet(name, source, start)
        return self.loaded[name]

    def cautions(self, chosen: Sequence[str]) -> Iterator[str]:
        """Say what readers of the sheet on screen may not expect, and refuse cells without a value."""
        for name in chosen:
            about = self.found.get(name, _Found())
            if about.uncached:
                raise InputError(
                    f"{self.path.name}, sheet {name!r}: {about.uncached:,} formulas have no stored result (the program "
                    "that wrote the file did not compute them), so their cells would be blank. Open it in a "
                    "spreadsheet program, save it, and run again"
                )
            if about.hidden_rows:
                yield (
                    f"{self.path.name}, sheet {name!r}: {about.hidden_rows:,} hidden rows, as a filter leaves them, "
                    "are read like the others. Delete them from the file if they are not meant."
                )
        if hidden := self.hidden(chosen):
            several = len(hidden) > 1
            yield (
                f"{self.path.name}: the hidden sheet{'s' if several else ''} {_listed(hidden)} "
                f"{'are' if several else 'is'} not read; `sheet` can name one."
            )


def _chosen(book: _Book, how: Opening) -> tuple[list[str], tuple[str, ...]]:
    """Return the sheets to read, and their columns."""
    name = book.path.name
    if how.sheet is not None:
        wanted = how.sheet.strip().casefold()
        met = [n for n in book.names if n == how.sheet] or [n for n in book.names if n.strip().casefold() == wanted]
        if not met:
            raise InputError(f"{name} has no sheet {how.sheet!r}; it has {_listed(book.names, most=60)}")
        return met[:1], _columns(book.load(met[0]).names, met[0], book)
    headers = {n: book.load(n).names for n in book.visible}
    filled = [n for n in book.visible if headers[n]]
    if not filled:
        more = f"; hidden sheets are read only if `sheet` names one ({_listed(book.hidden(()))})" if book.names else ""
        raise InputError(f"{name} has no visible sheet with cells{more if book.hidden(()) else ''}: check the export")
    alike = {tuple(" ".join(c.split()).casefold() for c in headers[n]) for n in filled}
    if len(alike) > 1:
        rows = {n: sum(not _is_blank(row) for _, row in book.load(n).rows()) for n in filled}
        listed = "; ".join(f"{n!r}: {rows[n]:,} rows, columns {_listed(headers[n])}" for n in filled[:20])
        raise InputError(
            f"{name} has {len(filled)} sheets with different columns: set `sheet` for this source to the one to read. "
            f"{listed}"
        )
    return filled, _columns(headers[filled[0]], filled[0], book)


def _columns(header: Sequence[str], sheet: str, book: _Book) -> tuple[str, ...]:
    if not header:
        raise InputError(f"{book.path.name}, sheet {sheet!r}, has no header row: it is blank. Check the export")
    require_columns(len(header), name=f"{book.path.name}, sheet {sheet!r},", limits=book.how.limits)
    return clean_names(header)


def _listed(names: Sequence[str], *, most: int = _LISTED) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more


def _merged(sheet: _Sheet, extent: "_Extent", *, file: str) -> list[str]:
    """Say how many cells are merged: a value that spans several rows stands in the first of them only."""
    ranges = sheet.source.merged_cell_ranges or []
    # Rows are counted from 0 here. Titles above the header may be merged as they like.
    down = [r for r in ranges if r[1][0] > r[0][0] and r[1][0] >= (extent.header or 0) and r[0][0] + 1 < extent.end]
    if not down:
        return []
    first = down[0][0]
    caution = (
        f"{file}, sheet {sheet.name!r}: {len(down):,} merged cells span several rows (the first is "
        f"{_letters(first[1])}{first[0] + 1}); their value counts for the first of these rows only, and is missing in "
        "the others. Unmerge them and fill in the value if it holds for all."
    )
    return [caution]


def _letters(column: int) -> str:
    text, column = "", column + 1
    while column:
        column, letter = divmod(column - 1, 26)
        text = chr(65 + letter) + text
    return text


# Cells as text.


@dataclass(frozen=True, slots=True)
class _Extent:
    """Where the data of a sheet is.

    Attributes
    ----------
    header
        Number of the row with the names; None if there is none.
    end
        Number of the first row below the data.
    timed
        Columns in which a date has a time of day: there a date alone is midnight, as a spreadsheet stores it.
    outside
        Rows with text above the header and below the data.
    """

    header: int | None
    end: int
    timed: frozenset[int]
    outside: tuple[LeftOut, ...]


def _extent(sheet: _Sheet, columns: Sequence[str], layout: Layout) -> _Extent:
    timed: set[int] = set()
    tail: deque[tuple[int, list[Any]]] = deque(maxlen=LOOKED_AT)
    last = sheet.start.header or 0
    for number, row in sheet.rows():
        timed.update(at for at, cell in enumerate(row) if isinstance(cell, dt.datetime))
        tail.append((number, row))
        last = number
    while tail and _is_blank(tail[-1][1]):
        tail.pop()
    rows = [Row(number, tuple(map(_text, row))) for number, row in tail]
    count = find_end(rows, layout, names=columns)
    below = rows[len(rows) - count :] if count else []
    outside = (*sheet.start.above, *(left_out(row, "below") for row in below if row.filled))
    return _Extent(sheet.start.header, below[0].number if below else last + 1, frozenset(timed), outside)


def _write(sheet: _Sheet, extent: _Extent, columns: Sequence[str], writer: StageWriter) -> int:
    """Write the rows of data; return their number."""
    width = len(columns)
    held: list[list[Any]] = []
    total = 0

    def flush() -> None:
        if not held:
            return
        cells = zip(*held, strict=True)
        texts = [[_text(cell, timed=at in extent.timed) for cell in column] for at, column in enumerate(cells)]
        writer.write(texts[:width], fault=[None if _is_blank(row[width:]) else _WIDER for row in held])
        held.clear()

    for number, row in sheet.rows():
        if number >= extent.end or _is_blank(row):
            continue
        held.append(row + [""] * (width - len(row)))
        total += 1
        if len(held) == STAGE_ROWS:
            flush()
    flush()
    return total


_WIDER = '{"fault": "filled cells beyond the last named column"}'


def _filled(cell: Any) -> bool:
    return bool(cell.strip()) if isinstance(cell, str) else True


def _text(cell: Any, *, timed: bool = False) -> str:
    """Return a cell as text: numbers in the shortest form that is exact, dates and times as in ISO 8601."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        # 15 digits are what a spreadsheet keeps of a number.
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    return str(cell) if isinstance(cell, str | int) else _moment_text(cell, timed=timed)


def _moment_text(cell: dt.date | dt.time | dt.timedelta, *, timed: bool) -> str:
    if isinstance(cell, dt.datetime):
        return _seconds(cell).isoformat(sep=" ")
    if isinstance(cell, dt.date):
        return f"{cell.isoformat()} 00:00:00" if timed else cell.isoformat()
    if isinstance(cell, dt.time):
        return _seconds(dt.datetime.combine(_ANY_DAY, cell)).time().isoformat()
    minutes, seconds = divmod(round(cell.total_seconds()), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


_ANY_DAY = dt.date(2000, 1, 1)


def _seconds(moment: dt.datetime) -> dt.datetime:
    """Round to seconds: a time is stored as a fraction of a day, which can be a little less than it shows."""
    return (moment + dt.timedelta(milliseconds=500)).replace(microsecond=0)


# What a workbook holds, examined as a stream before it is loaded.


@dataclass(slots=True)
class _Found:
    """What the stream of a sheet shows.

    Attributes
    ----------
    size
        Bytes of the sheet, and of the texts that all sheets share, after decompression.
    rows, columns
        Sides of the rectangle that its filled cells span.
    hidden_rows, uncached
        Rows that are not shown, and formulas without a stored result.
    at_once
        Whether the library loads it as soon as the file is opened, as every sheet of an OpenDocument.
    """

    size: int = 0
    rows: int = 0
    columns: int = 0
    hidden_rows: int = 0
    uncached: int = 0
    at_once: bool = False

    def require_memory(self, sheet: str, *, file: str, limits: Run) -> None:
        """Refuse a sheet that does not fit in the memory allowed.

        Raises
        ------
        InputError
            With its size and what to do.
        """
        need = max(self.size, self.rows * self.columns * _CELL_BYTES)
        if need > limits.memory_limit_mb * _MB:
            raise InputError(
                f"{file}, sheet {sheet!r}, needs about {need / _MB:,.0f} MB of memory ({self.rows:,} rows x "
                f"{self.columns:,} columns, {self.size / _MB:,.0f} MB of text), more than run.memory_limit_mb "
                f"({limits.memory_limit_mb}): a sheet is read into memory whole. Delete stray cells far from the "
                "table, save the sheet as CSV (which is streamed), or raise the limit"
            )


@contextmanager
def _opened(path: Path, how: Opening) -> Iterator[_Book]:
    import python_calamine as calamine

    require_size(path, limits=how.limits, whole=how.whole)
    with path.open("rb") as file:
        packed = file.read(2) == b"PK"
    with _readable(path):
        found = _examined(path, how.limits) if packed else {}
    for name, about in found.items():
        if about.at_once:
            about.require_memory(name, file=path.name, limits=how.limits)
    # The library goes by the extension of a path, and by the content of an open file.
    named = packed != (path.suffix.casefold() == ".xls") and path.suffix.casefold() in _ENDINGS
    with _readable(path), path.open("rb") as file:
        workbook = calamine.load_workbook(path if named else file)
    try:
        yield _Book(path, workbook, how, found)
    finally:
        workbook.close()


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Convert what libraries say of a file that cannot be read."""
    import python_calamine as calamine

    try:
        yield
    except calamine.PasswordError:
        raise _encrypted(path) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ET.ParseError, calamine.CalamineError) as e:
        with path.open("rb") as file:
            start = file.read(1 << 22)
        if start[:4] == b"\xd0\xcf\x11\xe0" and "EncryptedPackage".encode("utf-16-le") in start:
            raise _encrypted(path) from None
        raise InputError(
            f"{path.name} cannot be read as a workbook ({first_line(e)}): open it in a spreadsheet program and save it "
            "again as .xlsx, or save the sheet as CSV"
        ) from None
    except RuntimeError as e:  # zipfile: an encrypted entry
        if "encrypted" in str(e):
            raise _encrypted(path) from None
        raise


def _encrypted(path: Path) -> InputError:
    return InputError(
        f"{path.name} is encrypted with a password: open it in a spreadsheet program, save a copy without one "
        "(File, Info, Protect Workbook), and name that file"
    )


_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_MOST_PARTS_MB = 20  # the parts that list sheets and files are a few kilobytes


def _examined(path: Path, limits: Run) -> dict[str, _Found]:
    """Examine every sheet of a zipped workbook."""
    with zipfile.ZipFile(path) as archive:
        parts = {info.filename.lstrip("/"): info for info in archive.infolist()}
        if sum(info.compress_size for info in parts.values()) > path.stat().st_size:
            raise zipfile.BadZipFile("its entries overlap")
        for info in parts.values():
            # What the directory states of a part is checked when the part is read: more bytes are an error there.
            unfolds(path, size=info.file_size, limits=limits)
            if info.flag_bits & 1:
                raise RuntimeError("encrypted")
        if "content.xml" in parts:
            manifest = _small(archive, parts, "META-INF/manifest.xml")
            if b"encryption-data" in manifest:
                raise RuntimeError("encrypted")
            return _examine_ods(archive, parts["content.xml"])
        shared = parts.get("xl/sharedStrings.xml") or parts.get("xl/sharedStrings.bin")
        texts = _length(archive, shared) if shared else 0
        found = {}
        for name, part in _sheet_parts(archive, parts).items():
            about = _examine_xlsb(archive, part) if part.filename.endswith(".bin") else _examine_xlsx(archive, part)
            about.size += texts
            found[name] = about
        return found


def _small(archive: zipfile.ZipFile, parts: dict[str, zipfile.ZipInfo], name: str) -> bytes:
    """Return a part that lists others; one with a DTD, which no spreadsheet program writes, is refused."""
    info = parts.get(name)
    if info is None:
        return b""
    if info.file_size > _MOST_PARTS_MB * _MB:
        raise zipfile.BadZipFile(f"{name} is too large")
    data = archive.read(info)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise zipfile.BadZipFile(f"{name} declares a document type")
    return data


def _sheet_parts(archive: zipfile.ZipFile, parts: dict[str, zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Return the part of each sheet; empty if the list is in a form that only the library reads."""
    listed = _small(archive, parts, "xl/workbook.xml")
    relations = _small(archive, parts, f"xl/_rels/workbook.{'xml' if listed else 'bin'}.rels")
    if not relations:
        return {}
    at = {
        r.get("Id"): str(r.get("Target", ""))
        for r in ET.fromstring(relations)  # noqa: S314 no document type, see `_small`
    }
    if listed:
        sheets = [(s.get("name"), s.get(_REL)) for s in ET.fromstring(listed).iter() if s.tag.endswith("}sheet")]  # noqa: S314
    else:
        sheets = list(_xlsb_sheets(_small(archive, parts, "xl/workbook.bin")))
    found = {}
    for name, relation in sheets:
        target = at.get(relation, "")
        part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        if name and part in parts:
            found[name] = parts[part]
    return found


_CELL = re.compile(rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{1,3})(\d{1,7})"[^>]*?(/?)>')
_HIDDEN = re.compile(rb'<(?:\w+:)?row\b[^>]*\bhidden="(?:1|true)"')
# A formula with neither a value nor, as an empty text has, the type "str".
_UNCACHED = re.compile(
    rb'<(?:\w+:)?c\b(?![^>]*\bt="str")[^>]*>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*'
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)


def _examine_xlsx(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> _Found:
    found = _Found(size=part.file_size)
    letters: set[bytes] = set()
    low, high = 1 << 30, 0
    for text in _stretches(archive, part, until=(b"<row", b"<x:row")):
        cells = [(a, int(n)) for a, n, empty in _CELL.findall(text) if not empty]
        if cells:
            letters.update({a for a, _ in cells})
            numbers = {n for _, n in cells}
            low, high = min({low, *numbers}), max({high, *numbers})
        found.hidden_rows += len(_HIDDEN.findall(text))
        if b":f" in text or b"<f" in text:
            found.uncached += len(_UNCACHED.findall(text))
    if letters:
        across = [_number(a) for a in letters]
        found.rows, found.columns = high - low + 1, max(across) - min(across) + 1
    return found


def _number(letters: bytes) -> int:
    at = 0
    for letter in letters:
        at = 26 * at + letter - 64
    return at


_ODS = re.compile(rb"<table:(table-row|table-cell|covered-table-cell|table(?=[\s>]))\b([^>]*)>")
_ODS_REPEATED = re.compile(rb'table:number-(?:rows|columns)-repeated="(\d{1,9})"')
_ODS_NAME = re.compile(rb'table:name="([^"]*)"')


def _examine_ods(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> dict[str, _Found]:
    """Examine an OpenDocument spreadsheet: cells and rows may be repeated a million times in a few bytes."""
    from html import unescape

    found: dict[str, _Found] = {}
    about, repeated, across, filled = _Found(), 1, 0, 0

    def end_of_row() -> None:
        if filled:
            about.rows += repeated
            about.columns = max(about.columns, filled)

    for text in _stretches(archive, part, until=(b"<table:table-row", b"<table:table ")):
        for kind, attributes in _ODS.findall(text):
            times = _ODS_REPEATED.search(attributes)
            many = int(times[1]) if times else 1
            if kind == b"table":
                end_of_row()
                name = _ODS_NAME.search(attributes)
                about = found.setdefault(
                    unescape(name[1].decode("utf-8", "replace")) if name else "", _Found(at_once=True)
                )
                about.size, repeated, across, filled = part.file_size, 1, 0, 0
            elif kind == b"table-row":
                end_of_row()
                repeated, across, filled = many, 0, 0
                about.hidden_rows += many * (b'visibility="filter"' in attributes or b'"collapse"' in attributes)
            else:
                across += many
                if b"office:" in attributes or b"calcext:" in attributes:
                    filled = across
    end_of_row()
    return found


def _examine_xlsb(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> _Found:
    """Return what a binary sheet states of its extent, in one of its first records (BrtWsDim)."""
    found = _Found(size=_length(archive, part))
    with archive.open(part) as file:
        head = file.read(1 << 16)
    for kind, content in _records(head):
        if kind == _DIMENSION and len(content) >= 16:
            first, last, left, right = (int.from_bytes(content[i : i + 4], "little") for i in (0, 4, 8, 12))
            found.rows, found.columns = max(0, last - first + 1), max(0, right - left + 1)
            break
    return found


_DIMENSION, _BUNDLE = 148, 156  # BrtWsDim and BrtBundleSh ([MS-XLSB] 2.3.2)


def _xlsb_sheets(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield name and relation of each sheet that a binary workbook lists."""
    for kind, content in _records(data):
        if kind == _BUNDLE:
            texts, at = [], 8
            for _ in range(2):
                length = int.from_bytes(content[at : at + 4], "little")
                at += 4
                texts.append(content[at : at + 2 * length].decode("utf-16-le", "replace"))
                at += 2 * length
            yield texts[1], texts[0]


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the complete records of a binary part: type and length are written seven bits a byte."""
    at = 0

    def number(most: int) -> int:
        nonlocal at
        value = 0
        for i in range(most):
            if at >= len(data):
                return -1
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << (7 * i)
            if not byte & 0x80:
                break
        return value

    while at < len(data):
        kind, length = number(2), number(4)
        if kind < 0 or length < 0 or at + length > len(data):
            return
        yield kind, data[at : at + length]
        at += length


def _length(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> int:
    """Return the true size of a part: one that is longer than the directory states is damaged or hostile."""
    return sum(len(text) for text in _stretches(archive, part, until=()))


def _stretches(archive: zipfile.ZipFile, part: zipfile.ZipInfo, *, until: tuple[bytes, ...]) -> Iterator[bytes]:
    """Yield a part in stretches that end before a row, so that no cell is cut."""
    rest = b""
    with archive.open(part) as file:
        while chunk := file.read(_CHUNK):
            rest += chunk
            cut = max((rest.rfind(mark) for mark in until), default=len(rest))
            if cut > 0:
                yield rest[:cut]
                rest = rest[cut:]
            elif len(rest) > 16 * _CHUNK:
                raise zipfile.BadZipFile(f"{PurePosixPath(part.filename).name} has a row of more than 64 MB")
    if rest:
        yield rest
