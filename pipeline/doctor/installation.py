"""Is the project itself all there: an installation that was cut short may start, and fail only half-way."""

import base64
import hashlib
import importlib
import importlib.metadata
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from pipeline.doctor.finding import BROKEN, OK, Finding, Situation

__all__ = ["installation"]

_AGAIN = "install the project again: pip install --force-reinstall --no-deps, or -e . from its folder"
_LISTED = 5


def installation(_: Situation) -> Iterator[Finding]:
    """Load every module of the project, and hold its files against the list that came with them."""
    root = Path(__file__).parents[1]
    modules, failed = 0, []
    for found in pkgutil.walk_packages([str(root)], "pipeline."):
        if found.name == "pipeline.__main__":
            continue
        modules += 1
        try:
            importlib.import_module(found.name)
        except Exception as error:  # noqa: BLE001 - whatever keeps a module from loading is the finding
            failed.append(f"{found.name} ({type(error).__name__}: {error})".splitlines()[0])
    yield Finding(
        "installation",
        "modules",
        BROKEN if failed else OK,
        _few(failed) if failed else f"all {modules} load",
        _AGAIN if failed else "",
    )
    listed, wrong = _held_against_list(root)
    text = f"{listed} as they came" if listed else "used from its own folder: there is no list of its files"
    yield Finding("installation", "files", BROKEN if wrong else OK, _few(wrong) if wrong else text,
                  _AGAIN if wrong else "")  # fmt: skip


def _held_against_list(root: Path) -> tuple[int, list[str]]:
    """Return how many files the installation lists, and those that are missing or not as they came."""
    listed, wrong = 0, []
    for file in importlib.metadata.files("hotspots") or ():
        if file.parts[0] != root.name or file.hash is None or file.hash.mode != "sha256":
            continue
        listed += 1
        path = root.parent / file
        if not path.is_file():
            wrong.append(f"{file} is missing")
        elif _digest(path) != file.hash.value:
            wrong.append(f"{file} is not as it came")
    return listed, wrong


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file as an installer writes it."""
    return base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode("ascii")


def _few(words: list[str]) -> str:
    more = f" and {len(words) - _LISTED} more" if len(words) > _LISTED else ""
    return "; ".join(words[:_LISTED]) + more
