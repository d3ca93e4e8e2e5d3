"""How much one input file may hold: its size, what it may unfold to, how wide its rows may be."""

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from pipeline.config import Run
from pipeline.errors import InputError

__all__ = ["DEFAULT_LIMITS", "Unfolding", "bounded_lines", "require_columns", "require_size", "unfolds"]

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
