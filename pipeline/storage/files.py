"""Records on disk: texts and JSON, written whole or not at all, the same bytes each time."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from pipeline.errors import InputError

__all__ = ["digest", "read_json", "write_bytes", "write_json", "write_private", "write_text"]


def write_bytes(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file so that it is either the old one or the whole new one, with permissions no wider than `mode`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def write_private(path: Path, text: str) -> None:
    """Write UTF-8 text that only the owner of the file may read."""
    write_bytes(path, text.encode("utf-8"), mode=0o600)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write JSON for people and programs: sorted keys, two spaces, no NaN."""
    text = json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False, default=_plain)
    write_text(path, text + "\n")


def _plain(value: object) -> object:
    """Turn NumPy scalars, paths and frozen sets into what JSON knows."""
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, set | frozenset):
        return sorted(value)
    item = getattr(value, "item", None)
    if callable(item):
        return item()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises
    ------
    InputError
        If the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `hotspots run` first") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} is damaged ({error}): run `hotspots run --force`") from None


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
