"""One input file, one part: the functions that an engine maps over files. All of them can be sent to a worker."""

import contextlib
import errno
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.aggregate.reduce import keep_counts
from pipeline.config import Config, IncidentSource
from pipeline.errors import EngineError, InputError
from pipeline.geography.areas import AreaIndex
from pipeline.ingest import PartReport, read_incidents

__all__ = ["CountJob", "ReadJob", "count_part", "guarded", "part_name", "read_part", "save_index"]


def part_name(label: str) -> str:
    """Return a file name for a part: readable, and different for different labels."""
    plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in label)[-80:]
    return f"{plain}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"


def save_index(path: Path, index: AreaIndex) -> None:
    """Keep the index of areas for workers and later runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **index.to_arrays())


@lru_cache(maxsize=1)
def _load_index(path: Path, key: str) -> AreaIndex:  # noqa: ARG001 the key tells indexes of one path apart
    """Load the index once in each process."""
    with np.load(path, allow_pickle=False) as arrays:
        return AreaIndex.from_arrays(arrays)


@dataclass(frozen=True, slots=True)
class ReadJob:
    """One file to read, with all that reading needs."""

    path: Path
    label: str
    source: IncidentSource
    config: Config
    index: Path
    index_key: str
    ward_codes: tuple[str, ...]
    parents: tuple[str, ...]
    borough_names: dict[str, str]
    bounds: tuple[float, float, float, float]
    out: Path
    quarantine_out: Path
    salt: bytes
    today: str

    def locate(self, xy: Any) -> tuple[Any, Any]:
        """Return the ward of every point and whether it was snapped."""
        found = _load_index(self.index, self.index_key).locate(xy)
        return found.code_index, found.snapped


def read_part(job: ReadJob) -> PartReport:
    """Read one file into its part."""
    with guarded(f"{job.path.name} while it was read", damaged=f"{job.path.name} cannot be read"):
        return read_incidents(
            job.path,
            source=job.source,
            config=job.config,
            locate=job.locate,
            ward_codes=job.ward_codes,
            parents=job.parents,
            borough_names=job.borough_names,
            bounds=job.bounds,
            out=job.out,
            quarantine_out=job.quarantine_out,
            salt=job.salt,
            label=job.label,
            today=job.today,
        )


@dataclass(frozen=True, slots=True)
class CountJob:
    """One part to reduce, and the folder its counts are kept in."""

    label: str
    part: Path
    into: Path
    region_code: str
    placeholders: tuple[tuple[float, float], ...]
    memory_limit_mb: int


def count_part(job: CountJob) -> None:
    """Reduce one part to its sufficient statistics: whole numbers only, so that any order of merging gives the same."""
    with guarded(
        f"{job.label} while it was counted",
        damaged=f"the part of {job.label} that an earlier step wrote ({job.part.name}) cannot be read back",
    ):
        keep_counts(
            job.part,
            into=job.into,
            region_code=job.region_code,
            placeholders=job.placeholders,
            memory_limit_mb=job.memory_limit_mb,
        )


@contextlib.contextmanager
def guarded(what: str, *, damaged: str) -> Iterator[None]:
    """Turn what a database or a disk says into the error an operator can act on.

    Raises
    ------
    EngineError
        If the disk is full, or the memory allowed was not enough and could not be spilled.
    InputError
        If a file is damaged.
    """
    import duckdb
    import pyarrow as pa

    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException, OSError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        if _is_full(error, text):
            raise EngineError(
                f"the disk or the memory allowed was full at {what} ({text}): free disk space beside the outputs, or "
                "raise run.memory_limit_mb. The last complete outputs are as they were."
            ) from None
        if isinstance(error, OSError) and not isinstance(error, pa.ArrowInvalid):
            raise
        raise InputError(f"{damaged} ({text}): fetch or export the file again, and run with --force") from None
    except (duckdb.Error, pa.ArrowInvalid) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{damaged} ({text}): fetch or export the file again, and run with --force") from None


def _is_full(error: Exception, text: str) -> bool:
    import duckdb

    words = ("no space left", "disk full", "failed to offload", "max_temp_directory_size", "could not write")
    return (
        isinstance(error, duckdb.OutOfMemoryException)
        or (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT})
        or any(word in text.casefold() for word in words)
    )
