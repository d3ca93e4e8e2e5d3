"""The run's folder: locked while in use, built beside the last one, which it then replaces; its provenance and salt.

`outputs/<name>` is always one complete run. A new one is built in `outputs/.<name>.new`; when it is finished, the old
one is renamed to `outputs/.<name>.old`, the new one takes its place, and the old one is deleted. Whenever the power
fails, `recover` finds one complete run among the three and restores it.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipeline import __version__
from pipeline.errors import EngineError, InputError
from pipeline.storage.files import digest, read_json

__all__ = ["Fingerprints", "Workspace", "cautions_in", "code_version", "key_of", "link_tree", "salt_of", "versions"]


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder of a run, and the folder in which a new one is built."""

    folder: Path

    @property
    def growing(self) -> Path:
        """The folder a run is built in."""
        return self.folder.with_name(f".{self.folder.name}.new")

    @property
    def leaving(self) -> Path:
        """Where the last run is kept while the new one replaces it."""
        return self.folder.with_name(f".{self.folder.name}.old")

    @property
    def failed(self) -> Path:
        """Files kept from the latest attempt, if it failed."""
        return self.folder.with_name(f".{self.folder.name}.failed")

    @property
    def sources(self) -> Path:
        """Copies of databases and remote files."""
        return self.folder.with_name(f".{self.folder.name}.sources")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the run for this process; the lock is released when the process ends, however it ends.

        Raises
        ------
        EngineError
            If another process holds it, or the folder cannot be written to.
        """
        path = self.folder.with_name(f".{self.folder.name}.lock")
        # The operating system's own lock, which is released when the process dies: after a power cut nobody has to
        # delete a stale file. A file system without such locks is refused, because a marker file would remain after a
        # crash.
        lock = FileLock(path, timeout=0, fallback_to_soft=False)
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise EngineError(
                f"another run is writing {self.folder}: wait for it to end, or give this one another run.name. "
                "Nothing was changed."
            ) from None
        except OSError as error:
            raise EngineError(
                f"{self.folder.parent} cannot be written to ({error.strerror}): "
                "choose another run.output_dir or free the folder. Nothing was changed."
            ) from None
        try:
            yield
        finally:
            # Removed while it is still held: a process that opened it before and locks it after finds a file without
            # a name, which filelock does not count as the lock, and is refused. Windows keeps open files; so be it.
            with contextlib.suppress(OSError):
                path.unlink()
            lock.release()

    def recover(self) -> str | None:
        """Restore the last complete run if replacing it was interrupted; return a description of what was done."""
        done = None
        # What is in place says how far the swap had come: both there, the new run was in and only the deletion was
        # missing; the old one alone, the power failed between the two renames and nothing else is complete.
        if self.leaving.exists():
            if self.folder.exists():
                shutil.rmtree(self.leaving)
                done = "cleared the remains of an earlier swap"
            else:
                self.leaving.replace(self.folder)
                done = "put the last complete run back after an interrupted swap"
        # A run that was still being built may be incomplete: it is never continued, but always built again.
        if self.growing.exists():
            shutil.rmtree(self.growing)
            done = done or "cleared the remains of an interrupted run"
        return done

    def begin(self) -> Path:
        """Return the empty folder to build in."""
        self.growing.mkdir(parents=True)
        return self.growing

    def swap(self) -> None:
        """Replace the last run by the finished one."""
        # Two atomic renames, because no operating system exchanges two folders in one step. Deleting comes last: until
        # the new run is in place, the old one can be restored (`recover`).
        if self.folder.exists():
            self.folder.replace(self.leaving)
        self.growing.replace(self.folder)
        if self.leaving.exists():
            shutil.rmtree(self.leaving)

    def abandon(self) -> None:
        """Delete the unfinished run; the last run stays."""
        shutil.rmtree(self.growing, ignore_errors=True)


def link_tree(source: Path, target: Path) -> None:
    """Copy the files of `source` to `target`, by hard links if the disk supports them."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for child in sorted(source.iterdir()):
            link_tree(child, target / child.name)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # A link costs no space and no time. It is safe because nothing here writes into a file that exists: every writer
    # makes a new file and renames it (`storage.files.write_bytes`), which leaves the other name with the old content.
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


# Provenance: inputs and versions, for the manifest and for deciding which stages are up to date.

_PACKAGES = (
    "contourpy",
    "duckdb",
    "folium",
    "geopandas",
    "highspy",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "pyogrio",
    "pyproj",
    "scikit-learn",
    "scipy",
    "shapely",
    "statsmodels",
    "XStatic-Leaflet",
)


@cache
def code_version() -> str:
    """Return a digest of this package's own files: if the code changes, every stage is out of date."""
    root = Path(__file__).parents[1]  # the whole package, not only this subpackage
    total = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file() and p.suffix not in {".pyc", ".pyo"}):
        total.update(path.relative_to(root).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Return the versions of all libraries that can change a result."""
    found = {"python": platform.python_version(), "hotspots": __version__}
    for name in _PACKAGES:
        found[name] = importlib.metadata.version(name)
    return found


def cautions_in(stages: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the cautions to read before the outputs are used; those that affect every number come first."""
    keys = ("first_cautions", "cautions")
    return [str(text) for key in keys for record in stages.values() for text in record.get(key, [])]


def key_of(content: Mapping[str, Any]) -> str:
    """Return a digest of plain values; equal content gives equal keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Fingerprints:
    """SHA-256 of input files, computed again only if size or modification time differ from the last run's."""

    def __init__(self, last_manifest: Path) -> None:
        self.files: dict[str, dict[str, Any]] = {}
        self.checksums: dict[Path, str] = {}
        self._last: dict[str, dict[str, Any]] = {}
        if last_manifest.is_file():
            self._last = {entry["path"]: entry for entry in read_json(last_manifest).get("inputs", [])}

    def of(self, paths: Iterable[Path], *, base: Path) -> dict[str, str]:
        """Return path (relative to `base` if inside it) to SHA-256, and remember it for the manifest."""
        found = {}
        for path in paths:
            name = path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()
            stat = path.stat()
            # Also the inode's change time: a tool or a clock that is set back may give new content an old modification
            # time.
            about = {"bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns, "ctime_ns": stat.st_ctime_ns}
            known = self._last.get(name)
            if known and all(known.get(k) == v for k, v in about.items()):
                checksum = str(known["sha256"])
            else:
                checksum = digest(path)
            entry = {"path": name, **about, "sha256": checksum}
            self.files[name] = entry
            self.checksums[path] = checksum
            found[name] = checksum
        return found


# The key of victim hashes: from the environment, otherwise created once and stored beside the outputs.

SALT_BYTES = 32
_TRIES, _PAUSE_S = 50, 0.1


def salt_of(outputs: Path) -> bytes:
    """Return the salt of victim hashes of an outputs folder: HOTSPOTS_SALT, otherwise the one stored there.

    Raises
    ------
    InputError
        If the stored one is damaged.
    EngineError
        If another run has locked the folder and the salt is not created in time.
    """
    given = os.environ.get("HOTSPOTS_SALT")
    if given:
        return given.encode()
    kept = outputs / ".salt"
    if not kept.is_file():
        _make(kept)
    salt = kept.read_bytes()
    if len(salt) != SALT_BYTES:
        raise InputError(
            f"{kept} is damaged: it should hold {SALT_BYTES} bytes. Restore it, or delete it: victims' hashes then "
            "no longer match those of earlier runs"
        )
    return salt


def _make(kept: Path) -> None:
    """Write a new salt atomically, unless another run in the folder has just done so."""
    beside = kept.with_name(f"{kept.name}.part")
    for _ in range(_TRIES):
        try:
            with Workspace(kept).locked():
                if not kept.is_file():
                    beside.unlink(missing_ok=True)
                    with open(beside, "xb", opener=_private) as file:
                        file.write(secrets.token_bytes(SALT_BYTES))
                        file.flush()
                        os.fsync(file.fileno())
                    beside.replace(kept)
                return
        except EngineError:
            time.sleep(_PAUSE_S)
    raise EngineError(
        f"{kept} cannot be created: another run has locked {kept.parent}. Wait for it to end and run again"
    )


def _private(path: str, flags: int) -> int:
    """Open a new file that only its owner can read from the start."""
    return os.open(path, flags, mode=0o600)
