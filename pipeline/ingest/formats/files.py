"""Which files a source means, and a text file brought to plain UTF-8."""

import codecs
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO

from pipeline.config import Run
from pipeline.domain.periods import month_range
from pipeline.errors import ConfigError, InputError
from pipeline.storage.formats import FORMATS, Format, by_ending, endings, refusal

__all__ = [
    "DEFAULT_LIMITS",
    "Unfolding",
    "bounded_lines",
    "existing",
    "file_format",
    "months_named",
    "plain_text",
    "require_columns",
    "require_kind",
    "require_size",
    "source_labels",
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
