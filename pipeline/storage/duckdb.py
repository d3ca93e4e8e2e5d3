"""The one door to DuckDB: names and texts quoted, memory bounded, files confined, the door then locked."""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb

__all__ = ["connect", "exact", "identifier", "literal", "scan_parts"]


def identifier(name: str) -> str:
    """Quote a name for SQL, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for SQL, whatever it holds."""
    return "'" + text.replace("'", "''") + "'"


def exact(path: Path) -> str:
    """Write a path so that DuckDB takes it for that one file: `[1]` or `*` in a name would match others."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))


def scan_parts(parts: Sequence[Path]) -> str:
    """Write the table expression that reads Parquet files in the order given."""
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
        Folder for what does not fit in memory.
    threads
        Threads; those of the machine if left out. Results do not depend on it.
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
    with contextlib.suppress(duckdb.InvalidInputException):  # a notebook without widgets draws none, and says so
        connection.execute("SET enable_progress_bar = false")  # it would be drawn into what --json prints
    connection.execute("SET lock_configuration = true")
    return connection
