"""The only access to DuckDB: names and texts quoted, memory and folders limited, the configuration locked."""

import contextlib
import errno
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from pipeline.errors import EngineError, InputError

__all__ = ["connect", "exact", "guarded", "identifier", "literal", "scan_parts"]


def identifier(name: str) -> str:
    """Quote a name for SQL, whatever it contains."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for SQL, whatever it contains."""
    return "'" + text.replace("'", "''") + "'"


def exact(path: Path) -> str:
    """Escape a path so that DuckDB reads exactly that file: `[1]` or `*` in a name would match others."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))


def scan_parts(parts: Sequence[Path]) -> str:
    """Return the table expression that reads Parquet files in the given order."""
    return f"read_parquet([{', '.join(literal(exact(p)) for p in parts)}])"


def connect(*, memory_limit_mb: int, folders: Iterable[Path], spill: Path, threads: int | None = None) -> Any:
    """Open a database in memory that can read and write under the given folders only.

    Parameters
    ----------
    memory_limit_mb
        Memory before it spills to disk, in MB.
    folders
        Folders whose files may be read.
    spill
        Folder for data that does not fit in memory.
    threads
        Number of threads; by default those of the machine. Results do not depend on it.
    """
    settings: dict[str, Any] = {
        "memory_limit": f"{memory_limit_mb}MB",
        "temp_directory": str(spill),
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "preserve_insertion_order": "true",
    }
    if threads is not None:
        settings["threads"] = threads
    connection = duckdb.connect(":memory:", config=settings)
    allowed = sorted({str(f.resolve()) for f in folders} | {str(f.absolute()) for f in folders})
    connection.execute(f"SET allowed_directories = [{', '.join(literal(f) for f in allowed)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET TimeZone = 'UTC'")
    with contextlib.suppress(duckdb.InvalidInputException):  # in a notebook without widgets the setting does not exist
        connection.execute("SET enable_progress_bar = false")  # it would appear in the output of --json
    connection.execute("SET lock_configuration = true")
    return connection


@contextlib.contextmanager
def guarded(what: str, *, damaged: str) -> Iterator[None]:
    """Convert errors of the database or the disk into errors that say what to do.

    Parameters
    ----------
    what
        The current operation, for messages: `crimes.csv while it was read`.
    damaged
        The message if a file is damaged.

    Raises
    ------
    EngineError
        If the disk is full, or memory ran out and could not be spilled to disk.
    InputError
        If a file is damaged.
    """
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
    words = ("no space left", "disk full", "failed to offload", "max_temp_directory_size", "could not write")
    return (
        isinstance(error, duckdb.OutOfMemoryException)
        or (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT})
        or any(word in text.casefold() for word in words)
    )
