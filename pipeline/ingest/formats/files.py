"""Input files: which are meant, how much one may hold, its named columns in batches, and the module that reads it."""

import codecs
import gzip
import importlib
import re
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from pipeline.config.inputs import did_you_mean
from pipeline.domain.periods import month_range
from pipeline.errors import ConfigError, HotspotsError, InputError
from pipeline.storage.duckdb import exact, identifier, literal
from pipeline.storage.formats import FORMATS, Format, by_ending, endings, refusal

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
    "find_columns",
    "first_line",
    "header_explained",
    "months_named",
    "plain_text",
    "require_columns",
    "require_kind",
    "require_long",
    "require_size",
    "require_text_columns",
    "row_reader",
    "source_labels",
    "table_reader",
    "unfolds",
]


_CHUNK = 1 << 20
_UTF8 = "utf-8"


def existing(path: str, *, base: Path, what: str) -> Path:
    """Return the file a setting names.

    Raises
    ------
    InputError
        If there is none.
    """
    full = base / path
    if full.is_dir() and (reason := refusal(full, meant=None)):
        raise InputError(f"{what}: {reason}")
    if not full.is_file():
        raise InputError(f"{what}: there is no file {path!r} in {base}. Check the path (relative to the configuration)")
    return full


def source_labels(paths: Sequence[Path], *, name: str) -> tuple[str, ...]:
    """Name every file of a source: its name and the file's, with as many folders as tell files of one name apart."""
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
    """Return the months (yyyymm) that the name of a file says it holds, else those of its folder's name.

    A date such as 2025-06-30 is no month. Two months are the ends of a stretch.

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
    """Recognise the format of a file by its ending, unless it is stated.

    Raises
    ------
    InputError
        If the ending is that of no format.
    """
    if stated != "auto":
        return next(f for f in FORMATS if f.name == stated)
    inner = path.with_suffix("") if path.suffix.casefold() == ".gz" else path
    found = by_ending(inner)
    if found is None:
        if reason := refusal(path, meant=None, key="format"):
            raise InputError(reason)
        raise InputError(
            f"{path.name}: the ending {inner.suffix!r} is none that is known ({', '.join(endings())}, also .csv.gz). "
            "Set `format` for this source"
        )
    return found


def require_kind(path: Path, *, meant: Format | None, key: str = "") -> None:
    """Refuse a file that is of another kind than it is meant to be, or of one that is not read.

    Raises
    ------
    InputError
        Naming what the file is, by its content, and what to do.
    """
    if reason := refusal(path, meant=meant, key=key):
        raise InputError(reason)


def plain_text(
    path: Path, *, encoding: str, folder: Path, limits: Run, whole: bool = False, head: bool = False
) -> Path:
    """Return a plain UTF-8 file with the text of `path`: itself, or a copy in `folder` (of its `head` alone, if asked).

    Raises
    ------
    InputError
        If the file is empty, holds more than the limits allow (those for files read whole, if `whole`), is a broken
        archive, or not in `encoding`.
    ConfigError
        If the encoding is not one that Python knows.
    """
    try:
        codec = codecs.lookup(encoding).name
        "".encode(codec)  # refuses what turns no text into bytes, such as rot13 or base64
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
        raise InputError(f"{path.name} cannot be unpacked ({error}): fetch or export it again") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path.name} is not {encoding} text ({error.reason}): set `encoding` for this source, for example latin-1"
        ) from None
    if copy.stat().st_size == 0:
        raise InputError(f"{path.name} is empty once unpacked: check the export, or take the file out of `paths`")
    return copy


def _chunks(source: BinaryIO | gzip.GzipFile, *, path: Path, limits: Run, whole: bool) -> Iterator[bytes]:
    length = 0
    while chunk := source.read(_CHUNK):
        length += len(chunk)
        unfolds(path, size=length, limits=limits, whole=whole)
        yield chunk


def _recode(chunks: Iterable[bytes], *, codec: str) -> Iterator[bytes]:
    """Bring bytes to UTF-8; UTF-8 itself passes untouched (its reader checks it)."""
    if codec == _UTF8:
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(codec)()
    for chunk in chunks:
        yield decoder.decode(chunk).encode(_UTF8)
    yield decoder.decode(b"", final=True).encode(_UTF8)


# How much one input file may hold: its size, what it may unfold to, how wide its rows may be.

DEFAULT_LIMITS = Run.model_validate({})
_MB = 1_000_000
_HARMLESS_BYTES = 50 * _MB  # what any computer can hold is no bomb, however small it came


def unfolds(path: Path, *, size: int, limits: Run, whole: bool = False) -> None:
    """Refuse a file that holds more than it may once it is unpacked.

    Parameters
    ----------
    path
        The file as it lies on the disk.
    size
        Bytes it is known to unfold to, so far.
    limits
        The settings.
    whole
        It is read whole, not streamed: `max_table_mb` counts, not `max_file_mb`.

    Raises
    ------
    InputError
        Naming the setting that stands in the way.
    """
    key, most_mb = ("max_table_mb", limits.max_table_mb) if whole else ("max_file_mb", limits.max_file_mb)
    if size > most_mb * _MB:
        raise InputError(f"{path.name} is longer than run.{key} ({most_mb} MB) unpacked: raise it, or split the file")
    packed = path.stat().st_size
    if size > max(_HARMLESS_BYTES, packed * limits.max_unpacked_ratio):
        raise InputError(
            f"{path.name} unfolds to more than {limits.max_unpacked_ratio} times its {packed:,} bytes, as files "
            "do that are made to fill a computer: see where it comes from, export it again, or "
            "raise run.max_unpacked_ratio"
        )


def require_size(path: Path, *, limits: Run, whole: bool = False) -> None:
    """Refuse a file that is too long as it lies on the disk, before it is opened.

    Raises
    ------
    InputError
        If it is empty or longer than the settings allow.
    """
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{path.name} is empty (0 bytes): check the export, or take the file out of the configuration")
    key, most_mb = ("max_table_mb", limits.max_table_mb) if whole else ("max_file_mb", limits.max_file_mb)
    if size > most_mb * _MB:
        raise InputError(f"{path.name} is longer than run.{key} ({most_mb} MB): raise it, or split the file")


def require_columns(count: int, *, name: str, limits: Run) -> None:
    """Refuse a table that is too wide.

    Raises
    ------
    InputError
        Naming the number of columns and the setting.
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
    """What a streamed layer has come to so far, held against the limits batch by batch."""

    def __init__(self, path: Path, *, limits: Run) -> None:
        self._path, self._limits, self._size = path, limits, 0

    def add(self, size: int) -> None:
        """Count a batch of `size` bytes.

        Raises
        ------
        InputError
            If the layer has unfolded to more than it may.
        """
        self._size += size
        unfolds(self._path, size=self._size, limits=self._limits)


# An input file as the readers give it: named columns of text, in order, a bounded batch at a time.

BATCH_ROWS = 1 << 17
BATCH_BYTES = 1 << 28  # rows wider than 2 kB come in smaller batches
_READ_ROWS = 1 << 12
FAULT, GEOMETRY_X, GEOMETRY_Y = "fault", "geometry_x", "geometry_y"
_LISTED = 60
HALF_CIRCLE, QUARTER_CIRCLE = 180.0, 90.0  # degrees: no longitude or latitude lies beyond
NOT_A_POINT = "not a point"  # a fault; any other is an account of the line, as JSON


class Unreadable(Exception):  # noqa: N818 not yet an error: the file may be read another way
    """The file does not keep the form it was opened with."""


def first_line(error: Exception) -> str:
    """Return what a library says of a fault, in one line."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def clean_names(names: Sequence[str]) -> tuple[str, ...]:
    """Trim column names, name blank ones by position and tell repeated ones apart."""
    plain = [" ".join(n.split()) or f"column {i}" for i, n in enumerate(names, start=1)]
    seen: Counter[str] = Counter()
    out = []
    for name in plain:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(out)


def find_columns(wanted: Sequence[tuple[str, str]], columns: Sequence[str], *, file: str) -> tuple[int, ...]:
    """Find named columns, blanks round them and letter case aside.

    Parameters
    ----------
    wanted
        Configuration key and name of each.
    columns
        The columns there are.
    file
        Name of their file, for messages.

    Returns
    -------
    positions
        In the order of `wanted`.

    Raises
    ------
    InputError
        Naming every column that is missing with its key and what was probably meant, and the columns there are, once.
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
_FEWEST_MONTHS = 3  # two columns may be two dates; three are a series


def require_long(columns: Sequence[str], *, file: str) -> None:
    """Refuse a table whose months are columns, once it lacks a column that was asked for.

    Raises
    ------
    InputError
        Naming the first and the last of these columns, and how to bring the table into long form.

    Examples
    --------
    >>> require_long(["Code", "Jan-24", "Feb-24", "Mar-24"], file="counts.csv")
    Traceback (most recent call last):
    ...
    pipeline.errors.InputError: counts.csv is a wide table: 3 of its columns are months ('Jan-24' to 'Mar-24'). ...
    """
    titled = [c for c in columns if _MONTH_TITLE.fullmatch(c.strip())]
    if len(titled) >= _FEWEST_MONTHS:
        raise InputError(
            f"{file} is a wide table: {len(titled)} of its columns are months ({titled[0]!r} to {titled[-1]!r}). Bring "
            "it into long form, one row for each area and month with the month in one column and the figure in "
            "another (Unpivot Columns in a spreadsheet's Power Query, or `pandas.melt`), and name these columns in the "
            "configuration"
        )


def _places(name: str, columns: Sequence[str]) -> list[int]:
    plain = " ".join(name.split())
    exactly = [i for i, c in enumerate(columns) if c == plain]
    return exactly or [i for i, c in enumerate(columns) if c.casefold() == plain.casefold()]


@dataclass(frozen=True, slots=True)
class Opening:
    """How an input is to be opened: what its settings say, and where rows may be kept meanwhile.

    Attributes
    ----------
    folder
        Where rows are staged until they are read.
    limits
        How long and how wide a file may be.
    encoding, delimiter
        Of text; a separator of None is recognised.
    layer
        Which layer, where a file has several.
    careful
        Read row by row, so that each bad row is named: slower, once the fast way has failed.
    whole
        It is read whole, not streamed: `run.max_table_mb` counts, not `run.max_file_mb`.
    """

    folder: Path
    limits: Run = DEFAULT_LIMITS
    encoding: str = "utf-8"
    delimiter: str | None = None
    layer: str | None = None
    careful: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a file before a row is read: names of its columns, cleaned, and whether it has a geometry."""

    columns: tuple[str, ...]
    has_geometry: bool = False


@dataclass(frozen=True, slots=True)
class AreaRequest:
    """What is wanted of a boundary file.

    Attributes
    ----------
    key
        Its key in the configuration, for messages: `areas.wards`.
    columns
        Configuration key and name of every column.
    layer
        Which layer, where it has several.
    shapes
        Whether the outlines are wanted too.
    limits
        How long the file may be.
    encoding
        Encoding of the texts of a Shapefile or MapInfo TAB, where the file does not say or says it wrongly.
    """

    key: str
    columns: tuple[tuple[str, str], ...]
    layer: str | None = None
    shapes: bool = True
    limits: Run = DEFAULT_LIMITS
    encoding: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class AreaLayer:
    """A layer of areas: its columns, and where asked for its shapes and the system they are in (None if not given)."""

    frame: Any
    shapes: Any = None
    system: Any = None


@dataclass(frozen=True, slots=True)
class Opened:
    """One input, ready to be streamed.

    Attributes
    ----------
    name
        File name, for messages.
    columns
        Names of the columns, cleaned; the scan calls them c0, c1, ...
    scan
        Table expression for DuckDB: all columns as text, in file order.
    staged
        Whether the scan also has `fault` (why a row is malformed) and the coordinates of a geometry.
    again
        Whether it may be opened once more, carefully, if its rows do not keep the form it was opened with.
    crs
        System of the geometry, as text; None where there is none.
    beyond_degrees
        Whether most of the coordinates of the geometry can be no degrees.
    facts
        What was recognised on opening, for the manifest.
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

    def first_rows(self, rows: int | None) -> "Opened":
        """Return the same input with its first rows alone; with all where `rows` is None."""
        return self if rows is None else replace(self, scan=f"(SELECT * FROM {self.scan} LIMIT {int(rows)})")

    def distinct(self, connection: Any, expression: str) -> dict[str, int]:
        """Rows per distinct value of an expression over the columns, blanks included as an empty text."""
        sql = f"SELECT coalesce({expression}, '') AS value, count(*) AS rows FROM {self.scan} GROUP BY 1 ORDER BY 1"
        return {str(value): int(rows) for value, rows in connection.sql(sql).fetchall()}

    def first(self, connection: Any, expression: str, *, rows: int = 1000) -> list[str]:
        """Return an expression of the first rows, empty where it has no value."""
        sql = f"SELECT coalesce({expression}, '') FROM {self.scan} LIMIT {rows}"
        return [str(value) for (value,) in connection.sql(sql).fetchall()]

    def batches(self, connection: Any, *, extra: Mapping[str, str] | None = None) -> Iterator[tuple[int, pa.Table]]:
        """Stream the rows in order.

        Parameters
        ----------
        connection
            A database that may read the scan's files.
        extra
            Further columns: name and expression.

        Yields
        ------
        first_row, table
            Number of the first row (1 for the first of the file) and `BATCH_ROWS` rows, fewer in the last and where
            they are so wide that they come to `BATCH_BYTES`.
        """
        more = "".join(f", {expression} AS {identifier(name)}" for name, expression in (extra or {}).items())
        reader = connection.sql(f"SELECT *{more} FROM {self.scan}").to_arrow_reader(_READ_ROWS)
        # Small reads are joined to whole batches: a batch ends after BATCH_ROWS rows, or earlier where they are wide.
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
    """Read batches; a fault of the file that shows only on the way has one name, whichever library met it."""
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (OSError, pa.ArrowException, duckdb.Error) as error:
            raise Unreadable(first_line(error)) from error
        yield batch


class StageWriter:
    """Rows brought into the common shape, kept in a Parquet file beside the output until the file is read."""

    def __init__(self, path: Path, columns: int) -> None:
        self.path = path
        texts = [(f"c{i}", pa.string()) for i in range(columns)]
        self.schema = pa.schema([*texts, (FAULT, pa.string()), (GEOMETRY_X, pa.float64()), (GEOMETRY_Y, pa.float64())])
        self._writer = pq.ParquetWriter(path, self.schema, compression="zstd")
        self._points = self._beyond = 0

    @property
    def beyond_degrees(self) -> bool:
        """Whether most of the points so far lie beyond 180 degrees of longitude or 90 of latitude."""
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

    def close(self) -> str:
        """Finish the file and return the table expression that reads it."""
        self._writer.close()
        return f"read_parquet({literal(exact(self.path))})"


# Which module reads a file. `pipeline.storage.formats.FORMATS` lists the formats, each with its module, which has those
# functions of `Reader` that make sense for it. Nothing else needs to know of a new format.

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
