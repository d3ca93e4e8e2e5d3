"""Input files: which are meant, how much one may hold, its named columns in batches, and the module that reads it."""

import codecs
import gzip
import importlib
import re
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TextIO, cast

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.config import Run
from pipeline.config.section import did_you_mean
from pipeline.domain.periods import month_range
from pipeline.errors import ConfigError, HotspotsError, InputError
from pipeline.ingest.formats.header import FIRST_ROW, Layout, LeftOut
from pipeline.storage.archives import archive_of, is_archive, matching, open_archive, unpack
from pipeline.storage.duckdb import connect, exact, identifier, literal
from pipeline.storage.formats import FORMATS, Format, by_ending, endings, format_of, is_geodatabase, refusal, without_gz

__all__ = [
    "BATCH_ROWS",
    "DEFAULT_LIMITS",
    "FAULT",
    "FORMATS",
    "GEOMETRY_X",
    "GEOMETRY_Y",
    "HALF_CIRCLE",
    "NOT_A_POINT",
    "QUARTER_CIRCLE",
    "AreaLayer",
    "AreaRequest",
    "Header",
    "Opened",
    "Opening",
    "Reader",
    "StageWriter",
    "Unfolding",
    "Unreadable",
    "area_reader",
    "bounded_lines",
    "clean_names",
    "existing",
    "file_format",
    "file_name",
    "find_columns",
    "first_line",
    "frame_of",
    "header_explained",
    "is_month_title",
    "months_named",
    "plain_text",
    "read_layer",
    "read_table",
    "require_columns",
    "require_kind",
    "require_long",
    "require_ratio",
    "require_settings_fit",
    "require_size",
    "require_text_columns",
    "row_reader",
    "source_labels",
    "table_reader",
    "tables_of",
    "unfolds",
    "unpacked",
]


_CHUNK = 1 << 20
_UTF8 = "utf-8"


def existing(path: str, *, base: Path, what: str) -> Path:
    """Return the file of a setting; of an archive with a single file of data, that file.

    Raises
    ------
    InputError
        If it does not exist, or an archive has several.
    """
    full = base / path
    if is_archive(full):
        members = matching(open_archive(full), "")
        if len(members) > 1:
            listed = ", ".join(file_name(m) for m in members[:_NAMED]) + (", ..." if len(members) > _NAMED else "")
            raise InputError(f"{what}: {full.name} has several files ({listed}): name one of them in place of {path!r}")
        return members[0]
    if archive_of(full) or is_geodatabase(full):
        return full
    if full.is_dir() and (reason := refusal(full, meant=None)):
        raise InputError(f"{what}: {reason}")
    if not full.is_file():
        raise InputError(f"{what}: there is no file {path!r} in {base}. Check the path (relative to the configuration)")
    return full


_NAMED = 5


def file_name(path: Path) -> str:
    """Return the name of a file for messages; that of a member with its archive."""
    found = archive_of(path)
    return f"{found[0].name}/{found[1]}" if found else path.name


@contextmanager
def unpacked(
    path: Path, *, limits: Run, scratch: Path | None = None, whole: bool = False, head: bool = False
) -> Iterator[Path]:
    """Yield the file on disk with the content of a file: itself, or a copy of what an archive or a `.gz` holds.

    A text that is compressed with gzip is left to its reader, which decompresses it as a stream.

    Parameters
    ----------
    path
        A file, or a member of an archive (see `pipeline.storage.archives`).
    limits
        Limits on the size after decompression.
    scratch
        Folder for the copy; by default the system's.
    whole
        Whether it is read into memory: `run.max_table_mb` applies.
    head
        Whether only the header is read: of a text, the start is enough.

    Raises
    ------
    InputError
        If it cannot be unpacked within the limits.
    """
    member, kind = archive_of(path), by_ending(Path(without_gz(path.name)))
    packed = path.suffix.casefold() == ".gz" and kind is not None and kind.reader != _TEXT
    if member is None and not packed:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=scratch) as name:
        folder = Path(name)
        if member is not None:
            only = head and kind is not None and kind.reader == _TEXT and path.suffix.casefold() != ".gz"

            def check(size: int, packed_size: int) -> None:
                require_ratio(file_name(path), size=size, packed=packed_size, limits=limits, whole=whole)

            (folder / "member").mkdir()
            path = unpack(path, folder / "member", check=check, head=only)
        if packed and path.is_file():
            path = _gunzipped(path, folder / without_gz(path.name), limits=limits, whole=whole)
        yield path


def _gunzipped(path: Path, target: Path, *, limits: Run, whole: bool) -> Path:
    require_size(path, limits=limits, whole=whole)
    try:
        with gzip.open(path) as source, target.open("wb") as file:
            for chunk in _chunks(source, path=path, limits=limits, whole=whole):
                file.write(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path.name} cannot be decompressed ({error}): fetch or export it again") from None
    return target


def source_labels(paths: Sequence[Path], *, name: str) -> tuple[str, ...]:
    """Label every file of a source: source name and file name, with enough folders to distinguish files of one name."""
    depth = dict.fromkeys(paths, 1)
    while True:
        labels = {p: f"{name}/{'/'.join(p.parts[-depth[p] :])}" for p in paths}
        repeated = {text for text, times in Counter(labels.values()).items() if times > 1}
        again = [p for p in paths if labels[p] in repeated and depth[p] < len(p.parts)]
        if not again:
            return tuple(labels[p] for p in paths)
        for p in again:
            depth[p] += 1


_MONTH = re.compile(r"(?<!\d)((?:19|20)\d\d)(-?)(0[1-9]|1[0-2])(?!-?\d)")


def months_named(path: Path) -> tuple[int, ...]:
    """Return the months (yyyymm) in the name of a file, otherwise those in its folder's name.

    A date such as 2025-06-30 is not a month. Two months are the ends of a range.

    >>> months_named(Path("street/2025-06-northshire-street.csv")), months_named(Path("2025-06/street.csv"))
    ((202506,), (202506,))
    >>> months_named(Path("2024-11_2025-01.csv")), months_named(Path("extract_2025-06-30.csv"))
    ((202411, 202412, 202501), ())
    """
    for name in (path.name, path.parent.name):
        found = [int(year + month) for year, _, month in _MONTH.findall(name)]
        if len(found) == 2 and found[0] <= found[1]:
            return month_range(*found)
        if found:
            return tuple(sorted(set(found)))
    return ()


def file_format(path: Path, *, stated: str) -> Format:
    """Recognise the format of a file by its extension, unless it is stated.

    Raises
    ------
    InputError
        If the extension belongs to no format.
    """
    if stated != "auto":
        return next(f for f in FORMATS if f.name == stated)
    inner = path.with_suffix("") if path.suffix.casefold() == ".gz" else path
    found = format_of(path) if inner == path else by_ending(inner)
    if found is None:
        if reason := refusal(path, meant=None, key="format"):
            raise InputError(reason)
        raise InputError(
            f"{path.name}: the extension {inner.suffix!r} is not known ({', '.join(endings())}, also .csv.gz). "
            "Set `format` for this source"
        )
    return found


def require_kind(path: Path, *, meant: Format | None, key: str = "") -> None:
    """Refuse a file whose content does not match its format, or cannot be read.

    Raises
    ------
    InputError
        With the actual type of the file, by its content, and what to do.
    """
    if reason := refusal(path, meant=meant, key=key):
        raise InputError(reason)


def plain_text(
    path: Path, *, encoding: str, folder: Path, limits: Run, whole: bool = False, head: bool = False
) -> Path:
    """Return a plain UTF-8 file with the text of `path`: the file itself, or a copy (of its `head` only) in `folder`.

    Raises
    ------
    InputError
        If the file is empty, exceeds the limits (with `whole`, those for files read into memory), is a damaged archive,
        or not in `encoding`.
    ConfigError
        If the encoding is not one that Python knows.
    """
    try:
        codec = codecs.lookup(encoding).name
        "".encode(codec)  # refuses codecs that do not encode text, such as rot13 or base64
    except (LookupError, ValueError):
        raise ConfigError(f"encoding {encoding!r} is not known: use for example utf-8, latin-1 or cp1252") from None
    packed = path.suffix.casefold() == ".gz"
    require_size(path, limits=limits, whole=whole)
    with path.open("rb") as start:
        begins = start.read(4)
    if codec.startswith("utf-8") and begins[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise InputError(f"{path.name} is UTF-16, not {encoding}: set `encoding: utf-16` for this source")
    utf8 = codec in {_UTF8, "utf-8-sig", "ascii"}
    if utf8 and not packed:
        return path
    copy = folder / "plain.txt"
    try:
        with gzip.open(path) if packed else path.open("rb") as source, copy.open("wb") as target:
            for chunk in _recode(
                _chunks(source, path=path, limits=limits, whole=whole), codec=_UTF8 if utf8 else codec
            ):
                target.write(chunk)
                if head and chunk:
                    break
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path.name} cannot be decompressed ({error}): fetch or export it again") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path.name} is not {encoding} text ({error.reason}): set `encoding` for this source, for example latin-1"
        ) from None
    if copy.stat().st_size == 0:
        raise InputError(f"{path.name} is empty after decompression: check the export, or remove the file from `paths`")
    return copy


def _chunks(source: BinaryIO | gzip.GzipFile, *, path: Path, limits: Run, whole: bool) -> Iterator[bytes]:
    length = 0
    while chunk := source.read(_CHUNK):
        length += len(chunk)
        unfolds(path, size=length, limits=limits, whole=whole)
        yield chunk


def _recode(chunks: Iterable[bytes], *, codec: str) -> Iterator[bytes]:
    """Convert bytes to UTF-8; UTF-8 itself is passed on unchanged (its reader checks it)."""
    if codec == _UTF8:
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(codec)()
    for chunk in chunks:
        yield decoder.decode(chunk).encode(_UTF8)
    yield decoder.decode(b"", final=True).encode(_UTF8)


# Limits on an input file: its size, its size after decompression, the width of its rows.

DEFAULT_LIMITS = Run.model_validate({})
_MB = 1_000_000
_HARMLESS_BYTES = 50 * _MB  # any computer can hold this much, so it is not a decompression bomb


def unfolds(path: Path, *, size: int, limits: Run, whole: bool = False) -> None:
    """Refuse a file that is too large after decompression.

    Parameters
    ----------
    path
        The file on disk.
    size
        Bytes after decompression, so far.
    limits
        The settings.
    whole
        Whether it is read into memory, not streamed: `max_table_mb` applies, not `max_file_mb`.

    Raises
    ------
    InputError
        With the setting that limits it.
    """
    require_ratio(path.name, size=size, packed=_size(path), limits=limits, whole=whole)


def require_ratio(name: str, *, size: int, packed: int, limits: Run, whole: bool = False) -> None:
    """Refuse content of `size` bytes that takes `packed` bytes while compressed, as `unfolds`.

    Raises
    ------
    InputError
        With the setting that limits it.
    """
    key, most_mb = ("max_table_mb", limits.max_table_mb) if whole else ("max_file_mb", limits.max_file_mb)
    if size > most_mb * _MB:
        raise InputError(
            f"{name} is larger than run.{key} ({most_mb} MB) after decompression: raise the limit, or split the file"
        )
    if size > max(_HARMLESS_BYTES, packed * limits.max_unpacked_ratio):
        raise InputError(
            f"{name} expands to more than {limits.max_unpacked_ratio} times its {packed:,} bytes, like files "
            "that are made to fill a computer: check where it comes from, export it again, or "
            "raise run.max_unpacked_ratio"
        )


def require_size(path: Path, *, limits: Run, whole: bool = False) -> None:
    """Refuse a file that is too large on disk, before it is opened.

    Raises
    ------
    InputError
        If it is empty or larger than the settings allow.
    """
    size = _size(path)
    if size == 0:
        raise InputError(f"{path.name} is empty (0 bytes): check the export, or remove the file from the configuration")
    key, most_mb = ("max_table_mb", limits.max_table_mb) if whole else ("max_file_mb", limits.max_file_mb)
    if size > most_mb * _MB:
        raise InputError(f"{path.name} is larger than run.{key} ({most_mb} MB): raise the limit, or split the file")


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files of a geodatabase."""
    if path.is_dir():
        return sum(p.stat().st_size for p in path.iterdir() if p.is_file())
    return path.stat().st_size


def require_columns(count: int, *, name: str, limits: Run) -> None:
    """Refuse a table with too many columns.

    Raises
    ------
    InputError
        With the number of columns and the setting.
    """
    if count > limits.max_columns:
        raise InputError(
            f"{name} has {count:,} columns, more than run.max_columns ({limits.max_columns:,}): check the separator, "
            "or export only the columns that are needed"
        )


def bounded_lines(file: TextIO, *, name: str, limits: Run) -> Iterator[str]:
    """Yield the lines of a text, none longer than the settings allow.

    Raises
    ------
    InputError
        At the first longer line, with its number.
    """
    most = limits.max_row_kb * 1000
    number = 0
    while line := file.readline(most + 1):
        number += 1
        if len(line) > most:
            raise InputError(
                f"{name}, line {number}, is longer than run.max_row_kb ({limits.max_row_kb} kB): check that the file "
                "is a table with line ends, or raise the limit"
            )
        yield line


class Unfolding:
    """Size of a streamed layer so far, checked against the limits batch by batch."""

    def __init__(self, path: Path, *, limits: Run) -> None:
        self._path, self._limits, self._size = path, limits, 0

    def add(self, size: int) -> None:
        """Count a batch of `size` bytes.

        Raises
        ------
        InputError
            If the layer has expanded beyond the limits.
        """
        self._size += size
        unfolds(self._path, size=self._size, limits=self._limits)


# An input file as the readers give it: named columns of text, in order, a bounded batch at a time.

BATCH_ROWS = 1 << 17
BATCH_BYTES = 1 << 26  # rows wider than 512 bytes are read in smaller batches
_READ_ROWS = 1 << 12
FAULT, GEOMETRY_X, GEOMETRY_Y = "fault", "geometry_x", "geometry_y"
_LISTED = 60
HALF_CIRCLE, QUARTER_CIRCLE = 180.0, 90.0  # degrees: the largest longitude and latitude
NOT_A_POINT = "not a point"  # a fault; any other fault describes the line, as JSON


class Unreadable(Exception):  # noqa: N818 not yet an error: the file may be read another way
    """A row does not match the form with which the file was opened."""


def first_line(error: Exception) -> str:
    """Return the first line of a library's error message."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def clean_names(names: Sequence[str]) -> tuple[str, ...]:
    """Trim column names, name blank ones by position and make repeated ones unique."""
    plain = [" ".join(n.split()) or f"column {i}" for i, n in enumerate(names, start=1)]
    seen: Counter[str] = Counter()
    out = []
    for name in plain:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(out)


def find_columns(wanted: Sequence[tuple[str, str]], columns: Sequence[str], *, file: str) -> tuple[int, ...]:
    """Find columns by name, ignoring surrounding blanks and case.

    Parameters
    ----------
    wanted
        Configuration key and name of each.
    columns
        The existing columns.
    file
        Name of their file, for messages.

    Returns
    -------
    positions
        In the order of `wanted`.

    Raises
    ------
    InputError
        With every missing column, its key and a suggestion, followed by the existing columns.
    """
    places = [_places(name, columns) for _, name in wanted]
    lost = [
        f"{name!r} ({setting}){did_you_mean(name, list(columns))}"
        for (setting, name), found in zip(wanted, places, strict=True)
        if len(found) != 1
    ]
    if lost:
        require_long(columns, file=file)
        more = f" and {len(columns) - _LISTED} more" if len(columns) > _LISTED else ""
        raise InputError(
            f"{file} has no column{'s' if len(lost) > 1 else ''} {', '.join(lost)}. It has: "
            f"{', '.join(map(repr, columns[:_LISTED]))}{more}. Set these keys of the configuration to columns it "
            "has"
        )
    return tuple(found[0] for found in places)


_MONTH_NAMES = "|".join(
    f"{name[:3]}({name[3:]})?" if len(name) > 3 else name
    for name in ("january", "february", "march", "april", "may", "june", "july", "august", "sept", "september",
                 "october", "november", "december")
)  # fmt: skip
_MONTH_TITLE = re.compile(
    rf"(19|20)\d\d[-_/. ]?(0[1-9]|1[0-2])([-_/. ]?[0-3]\d)?|(0?[1-9]|1[0-2])[-_/. ](19|20)\d\d"
    rf"|({_MONTH_NAMES})[-_/. ']*((19|20)?\d\d)?|(19|20)\d\d[-_/. ]*({_MONTH_NAMES})",
    re.IGNORECASE,
)
_FEWEST_MONTHS = 3  # two columns may be two dates; three are a time series


def is_month_title(name: str) -> bool:
    """Whether the name of a column is a month in one of the usual forms."""
    return _MONTH_TITLE.fullmatch(name.strip()) is not None


def require_long(columns: Sequence[str], *, file: str) -> None:
    """Refuse a table with months as columns, if a required column is missing.

    Raises
    ------
    InputError
        With the first and the last of these columns, and how to convert the table to long form.

    Examples
    --------
    >>> require_long(["Code", "Jan-24", "Feb-24", "Mar-24"], file="counts.csv")
    Traceback (most recent call last):
    ...
    pipeline.errors.InputError: counts.csv is a wide table: 3 of its columns are months ('Jan-24' to 'Mar-24'). ...
    """
    titled = [c for c in columns if is_month_title(c)]
    if len(titled) >= _FEWEST_MONTHS:
        raise InputError(
            f"{file} is a wide table: {len(titled)} of its columns are months ({titled[0]!r} to {titled[-1]!r}). "
            "For published counts set `columns: {wide: period}` in place of columns.period and columns.value, and "
            "period_format as these titles are written. Incidents need one row each: a table of counts is no list of "
            "incidents, and goes under published_counts"
        )


def _places(name: str, columns: Sequence[str]) -> list[int]:
    plain = " ".join(name.split())
    exactly = [i for i, c in enumerate(columns) if c == plain]
    return exactly or [i for i, c in enumerate(columns) if c.casefold() == plain.casefold()]


@dataclass(frozen=True, slots=True)
class Opening:
    """How to open an input: its settings, and the folder for temporary files.

    Attributes
    ----------
    folder
        Folder in which rows are staged until they are read.
    limits
        Limits on the size and width of a file.
    encoding, delimiter
        For text files; with None the separator is recognised.
    layer
        Layer name, if the file has several.
    sheet
        Sheet name, if a workbook has several.
    layout
        Where the table may start in a file of rows, and what its header must have.
    careful
        Read row by row, so that each bad row is reported: slower, used after the fast way has failed.
    whole
        Read into memory, not streamed: `run.max_table_mb` applies, not `run.max_file_mb`.
    on_rows
        Called with the number of rows so far while rows are staged.
    """

    folder: Path
    limits: Run = DEFAULT_LIMITS
    encoding: str = "utf-8"
    delimiter: str | None = None
    layer: str | None = None
    sheet: str | None = None
    layout: Layout = FIRST_ROW
    careful: bool = False
    whole: bool = False
    on_rows: Callable[[int], None] = lambda _rows: None


@dataclass(frozen=True, slots=True)
class Header:
    """A file's cleaned column names and whether it has a geometry, known before any row is read."""

    columns: tuple[str, ...]
    has_geometry: bool = False


@dataclass(frozen=True, slots=True)
class AreaRequest:
    """A request for the content of a boundary file.

    Attributes
    ----------
    key
        Its key in the configuration, for messages: `areas.wards`.
    columns
        Configuration key and name of every column.
    layer
        Layer name, if it has several.
    shapes
        Whether to read the outlines too.
    limits
        Limits on the size of the file.
    encoding
        Encoding of the texts of a Shapefile or MapInfo TAB, if the file does not state it or states it wrongly.
    """

    key: str
    columns: tuple[tuple[str, str], ...]
    layer: str | None = None
    shapes: bool = True
    limits: Run = DEFAULT_LIMITS
    encoding: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class AreaLayer:
    """A layer of areas: its columns and, if requested, its shapes and their coordinate system (None if not stated)."""

    frame: Any
    shapes: Any = None
    system: Any = None


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened input, ready for streaming.

    Attributes
    ----------
    name
        File name, for messages.
    columns
        Cleaned column names; in the scan they are c0, c1, ...
    scan
        Table expression for DuckDB: all columns as text, in the order of the file.
    staged
        Whether the scan also has `fault` (why a row is malformed) and the coordinates of a geometry.
    again
        Whether it can be opened again, row by row, if a row does not match the form with which it was opened.
    crs
        Coordinate system of the geometry, as text; None if there is none.
    beyond_degrees
        Whether most coordinates of the geometry are too large for degrees.
    facts
        Properties recognised on opening, for the manifest.
    cautions
        What was found on opening that may make the rows wrong or incomplete, as sentences.
    outside
        Rows above the header and below the data, which the scan does not have.
    header
        Number of the line or row of the header; None if there is none.
    lines
        Number of its lines if it is text that is not staged; 0 for other inputs.
    """

    name: str
    columns: tuple[str, ...]
    scan: str
    staged: bool = False
    again: bool = False
    has_geometry: bool = False
    crs: Any = None
    beyond_degrees: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    cautions: tuple[str, ...] = ()
    outside: tuple[LeftOut, ...] = ()
    header: int | None = 1
    lines: int = 0

    def row_count(self, connection: Any) -> int:
        """Return the number of rows; of text the number of lines, which may be more, as a cell may have line ends."""
        return self.lines or int(connection.sql(f"SELECT count(*) FROM {self.scan}").fetchall()[0][0])

    def first_rows(self, rows: int | None) -> "Opened":
        """Return the same input limited to its first rows; all rows if `rows` is None."""
        return self if rows is None else replace(self, scan=f"(SELECT * FROM {self.scan} LIMIT {int(rows)})")

    def distinct(self, connection: Any, expression: str) -> dict[str, int]:
        """Count the rows of each distinct value of an expression; blanks count as an empty text."""
        sql = f"SELECT coalesce({expression}, '') AS value, count(*) AS rows FROM {self.scan} GROUP BY 1 ORDER BY 1"
        return {str(value): int(rows) for value, rows in connection.sql(sql).fetchall()}

    def first(self, connection: Any, expression: str, *, rows: int = 1000) -> list[str]:
        """Return the values of an expression in the first rows, empty if null."""
        sql = f"SELECT coalesce({expression}, '') FROM {self.scan} LIMIT {rows}"
        return [str(value) for (value,) in connection.sql(sql).fetchall()]

    def batches(self, connection: Any, *, extra: Mapping[str, str] | None = None) -> Iterator[tuple[int, pa.Table]]:
        """Stream the rows in order.

        Parameters
        ----------
        connection
            A database with access to the scan's files.
        extra
            Further columns: name and expression.

        Yields
        ------
        first_row, table
            Number of the first row (1 for the first of the file) and `BATCH_ROWS` rows, fewer in the last batch or if
            they reach `BATCH_BYTES`.
        """
        more = "".join(f", {expression} AS {identifier(name)}" for name, expression in (extra or {}).items())
        reader = connection.sql(f"SELECT *{more} FROM {self.scan}").to_arrow_reader(_READ_ROWS)
        # Small reads are combined into full batches: a batch ends after BATCH_ROWS rows, or earlier if rows are wide.
        first, held, size, waiting = 1, 0, 0, []
        for batch in _read_on(reader):
            waiting.append(batch)
            held += batch.num_rows
            size += batch.nbytes
            while held >= BATCH_ROWS or size >= BATCH_BYTES:
                table = pa.Table.from_batches(waiting)
                rows = min(held, BATCH_ROWS)
                yield first, table.slice(0, rows).combine_chunks()
                first += rows
                rest = table.slice(rows)
                held, size, waiting = rest.num_rows, rest.nbytes, rest.to_batches()
        if held:
            yield first, pa.Table.from_batches(waiting).combine_chunks()


def _read_on(reader: Any) -> Iterator[Any]:
    """Read batches; a fault found while reading raises the same exception, whichever library found it."""
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (OSError, pa.ArrowException, duckdb.Error) as error:
            raise Unreadable(first_line(error)) from error
        yield batch


class StageWriter:
    """Rows in the common form, kept in a Parquet file beside the output until they are read."""

    def __init__(self, how: Opening, columns: int) -> None:
        self.path = path = how.folder / "rows.parquet"
        texts = [(f"c{i}", pa.string()) for i in range(columns)]
        self.schema = pa.schema([*texts, (FAULT, pa.string()), (GEOMETRY_X, pa.float64()), (GEOMETRY_Y, pa.float64())])
        self._writer = pq.ParquetWriter(path, self.schema, compression="zstd")
        self._points = self._beyond = self._rows = 0
        self._on_rows = how.on_rows

    @property
    def beyond_degrees(self) -> bool:
        """Whether most points so far are beyond 180 degrees of longitude or 90 degrees of latitude."""
        return self._points > 0 and 2 * self._beyond > self._points

    def write(self, texts: Iterable[Any], *, fault: Any, x: Any = None, y: Any = None) -> None:
        """Append rows given as columns; `x` and `y` are arrays of the geometry's coordinates."""
        arrays = [pa.array(t, pa.string()) for t in texts]
        fault = pa.array(fault, pa.string())
        blank = pa.nulls(len(fault), pa.float64())
        places = [blank if v is None else pa.array(v, pa.float64()) for v in (x, y)]
        if x is not None and y is not None:
            across, up = (np.abs(np.asarray(pc.fill_null(v, np.nan))) for v in places)
            self._points += int((~np.isnan(across)).sum())
            self._beyond += int(((across > HALF_CIRCLE) | (up > QUARTER_CIRCLE)).sum())
        self._writer.write_table(pa.Table.from_arrays([*arrays, fault, *places], schema=self.schema))
        self._rows += len(fault)
        self._on_rows(self._rows)

    def close(self) -> str:
        """Finish the file and return the table expression that reads it."""
        self._writer.close()
        return f"read_parquet({literal(exact(self.path))})"


# Which module reads a file. `pipeline.storage.formats.FORMATS` lists the formats, each with its module, which has those
# functions of `Reader` that make sense for it. Nothing else needs to know of a new format.

_GDAL, _TEXT = "pipeline.ingest.formats.vector", "pipeline.ingest.formats.text"


class Reader(Protocol):
    """The functions of a format's module.

    Points need `open_rows` and `read_header`; boundaries `read_areas`. Small tables (counts, residents, codes) are read
    by `open_rows` too, or by `read_table` where a module has a better way. A module omits the functions that its format
    cannot support.
    """

    def open_rows(self, path: Path, how: Opening) -> Opened:
        """Open a file of incidents, ready to be streamed."""

    def read_header(self, path: Path, how: Opening) -> Header:
        """Return the columns that `open_rows` or `read_table` would find, without reading rows."""

    def read_areas(self, path: Path, request: AreaRequest) -> AreaLayer:
        """Read boundaries, or only their columns."""

    def read_table(self, path: Path, **how: Any) -> Any:
        """Read a complete small table as texts (see `text.read_table`)."""

    def list_tables(self, path: Path, how: Opening) -> tuple[tuple[str, str | None], ...]:
        """Return the sheets or layers that hold rows, each with its kind of geometry (None for a table)."""


def row_reader(path: Path, *, stated: str) -> Reader:
    """Return the reader for a file of incidents.

    Parameters
    ----------
    path
        The file.
    stated
        Name of its format, or `auto` to use its extension.

    Raises
    ------
    InputError
        If its extension belongs to no format, or its content has another format.
    """
    meant = file_format(path, stated=stated)
    require_kind(path, meant=meant, key="format")
    return _module(meant.reader)


_WORKBOOK = "pipeline.ingest.formats.workbook"
_WITHOUT_NAMES = frozenset({_TEXT, _WORKBOOK})


def require_settings_fit(path: Path, reader: Reader, *, layout: Layout = FIRST_ROW, sheet: str | None = None) -> None:
    """Refuse a setting that the format of a file cannot follow.

    Parameters
    ----------
    path
        The file.
    reader
        Its reader.
    layout
        Where its table may start: a setting of the header is for formats whose columns have no names of their own.
    sheet
        Name of a sheet, for workbooks.

    Raises
    ------
    ConfigError
        With the setting to leave out.
    """
    module = getattr(reader, "__name__", "")
    if layout.header_row != "auto" and module not in _WITHOUT_NAMES:
        raise ConfigError(
            f"{path.name} is neither delimited text nor a workbook, so its columns have names of their own: leave out "
            f"header_row ({layout.header_row})"
        )
    if sheet is not None and module != _WORKBOOK:
        raise ConfigError(f"{path.name} is not a workbook and has no sheets: leave out `sheet` ({sheet!r})")


def area_reader(path: Path) -> Reader:
    """Return the reader for a boundary file: that of its extension, or GDAL, which refuses anything but map files.

    Raises
    ------
    InputError
        If the content does not match the extension, or the format cannot be read.
    """
    meant = format_of(path)
    require_kind(path, meant=meant)
    reader = _module(meant.reader) if meant else None
    return reader if reader is not None and hasattr(reader, "read_areas") else _module(_GDAL)


def read_layer(path: Path, request: AreaRequest) -> AreaLayer:
    """Read a boundary file in whatever format it is, also from an archive.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    with unpacked(path, limits=request.limits, whole=True) as file:
        require_size(file, limits=request.limits, whole=True)
        return area_reader(file).read_areas(file, request)


def table_reader(path: Path) -> Reader:
    """Return the reader for a small table: that of its extension, otherwise the text reader.

    Raises
    ------
    InputError
        If tables cannot be read from such a file.
    """
    inner = path.with_suffix("") if path.suffix.casefold() == ".gz" else path
    found = (format_of(path) if inner == path else by_ending(inner)) or next(f for f in FORMATS if f.reader == _TEXT)
    require_kind(path, meant=found)
    return _module(found.reader)


def tables_of(path: Path, *, limits: Run = DEFAULT_LIMITS) -> tuple[tuple[str, str | None], ...]:
    """Return the sheets or layers of an unpacked file that hold rows, each with its kind of geometry.

    Returns
    -------
    tables
        Empty for a format whose files are a single table.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    reader = table_reader(path)
    if not hasattr(reader, "list_tables"):
        return ()
    with tempfile.TemporaryDirectory(prefix="hotspots-") as folder:
        return reader.list_tables(path, Opening(Path(folder), limits))


def read_table(
    path: Path,
    *,
    encoding: str,
    sheet: str | None = None,
    layout: Layout = FIRST_ROW,
    limits: Run = DEFAULT_LIMITS,
    faults: bool = False,
    scratch: Path | None = None,
) -> Any:
    """Read a complete small table into a frame of texts, in whatever format it is.

    Parameters
    ----------
    path
        The file.
    encoding, sheet
        From the configuration.
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
    with (
        unpacked(path, limits=limits, scratch=scratch, whole=True) as file,
        tempfile.TemporaryDirectory(prefix="hotspots-", dir=scratch) as name,
    ):
        reader, folder = table_reader(file), Path(name)
        require_settings_fit(path, reader, layout=layout, sheet=sheet)
        if hasattr(reader, "read_table"):
            return reader.read_table(
                file, encoding=encoding, layout=layout, limits=limits, faults=faults, scratch=scratch
            )
        how = Opening(folder, limits, encoding=encoding, sheet=sheet, layout=layout, whole=True)
        opened = reader.open_rows(file, how)
        connection = connect(memory_limit_mb=1000, folders=(file.parent, folder), spill=folder / "spill")
        try:
            table = connection.sql(f"SELECT * FROM {opened.scan}").to_arrow_table()
        finally:
            connection.close()
        return frame_of(table, opened, faults=faults)


def frame_of(table: Any, opened: Opened, *, faults: bool) -> Any:
    """Return a table as a frame of texts with its column names (see `read_table`).

    Its attribute `outside` lists the rows above the header and below the data, and `header` is the row of the header.

    Raises
    ------
    InputError
        If it has malformed rows and `faults` is not set.
    """
    import pandas as pd

    frame = pd.DataFrame(
        {n: pc.fill_null(table[f"c{i}"], "").to_pandas() for i, n in enumerate(opened.columns)}, dtype="str"
    )
    # Only a row that cannot be read is malformed: a small table has no use for a geometry.
    marks = pc.fill_null(table[FAULT], "").to_pandas() if opened.staged else pd.Series("", index=frame.index)
    marks = marks.mask(marks == NOT_A_POINT, "")
    bad = marks[marks != ""]
    if len(bad) and not faults:
        raise InputError(
            f"{opened.name} has {len(bad)} malformed rows (the first: {bad.iloc[0]}): each row needs as many cells as "
            "the header. Repair them"
        )
    frame = frame.assign(**{FAULT: marks.astype("str")}) if faults else frame
    frame.attrs |= {"outside": opened.outside, "header": opened.header, "cautions": list(opened.cautions)}
    return frame


def require_text_columns(
    path: Path,
    wanted: Sequence[tuple[str, str]],
    *,
    encoding: str,
    sheet: str | None = None,
    layout: Layout | None = None,
    limits: Run = DEFAULT_LIMITS,
) -> None:
    """Refuse a small table with a missing column, before any row is read.

    Parameters
    ----------
    path
        The table.
    wanted
        Configuration key and name of each column.
    encoding, sheet
        As configured.
    layout
        Where its table may start; by default in any row that has the columns.
    limits
        Limits on the size of the file.

    Raises
    ------
    InputError
        With every missing column; or if there is no header.
    """
    with (
        unpacked(path, limits=limits, whole=True, head=True) as file,
        tempfile.TemporaryDirectory(prefix="hotspots-") as folder,
    ):
        layout = layout or Layout(wanted=tuple(name for _, name in wanted))
        how = Opening(Path(folder), limits, encoding=encoding, sheet=sheet, layout=layout, whole=True)
        reader = table_reader(file)
        require_settings_fit(path, reader, layout=how.layout, sheet=sheet)
        with header_explained(file, wanted, how, reader=reader):
            find_columns(wanted, reader.read_header(file, how).columns, file=path.name)


@contextmanager
def header_explained(
    path: Path, wanted: Sequence[tuple[str, str]], how: Opening, *, reader: Reader | None = None
) -> Iterator[None]:
    """Replace the error for a text table by one with the line of its header, if a report has lines above it.

    Parameters
    ----------
    path
        The table.
    wanted
        Configuration key and name of each required column.
    how
        Settings for opening it: encoding, separator and limits.
    reader
        Its reader, by default that of small tables; only text files have lines above the header.

    Raises
    ------
    InputError
        The original error, or one with the line in which the column names probably are.
    """
    try:
        yield
    except InputError as error:
        if (reader or table_reader(path)) is not _module(_TEXT):
            raise
        from pipeline.ingest.formats import text  # late: it reads by what stands here

        with tempfile.TemporaryDirectory(prefix="hotspots-") as folder:
            try:
                plain = plain_text(
                    path, encoding=how.encoding, folder=Path(folder), limits=how.limits, whole=how.whole, head=True
                )
                found = text.line_of_header(
                    plain,
                    name=path.name,
                    delimiter=how.delimiter,
                    wanted=[name for _, name in wanted],
                    limits=how.limits,
                )
            except HotspotsError:
                found = ""  # the file cannot be opened again: the first error says why
        if found:
            raise InputError(found) from error
        raise


def _module(name: str) -> Reader:
    return cast("Reader", importlib.import_module(name))
