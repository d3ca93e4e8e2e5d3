"""Provenance: what went in, with which settings and versions, what came out, and how long it took."""

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.storage.files import digest, read_json

__all__ = ["Fingerprints", "cautions_in", "code_version", "key_of", "versions"]

_PACKAGES = (
    "contourpy",
    "duckdb",
    "folium",
    "geopandas",
    "matplotlib",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "pyogrio",
    "pyproj",
    "scikit-learn",
    "scipy",
    "shapely",
    "XStatic-Leaflet",
)


@cache
def code_version() -> str:
    """Return a digest of this package's own files: other code makes every stage stale."""
    root = Path(__file__).parents[1]  # the package, not this room
    total = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file() and p.suffix not in {".pyc", ".pyo"}):
        total.update(path.relative_to(root).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Return the versions that can change a result."""
    found = {"python": platform.python_version(), "hotspots": importlib.metadata.version("hotspots")}
    for name in _PACKAGES:
        found[name] = importlib.metadata.version(name)
    return found


def cautions_in(stages: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what should be looked at before the outputs are used: what bears on every number comes first."""
    keys = ("first_cautions", "cautions")
    return [str(text) for key in keys for record in stages.values() for text in record.get(key, [])]


def key_of(content: Mapping[str, Any]) -> str:
    """Return a digest of plain values; equal content gives equal keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Fingerprints:
    """SHA-256 of input files, computed again only when size or time of change differ from the last run's."""

    def __init__(self, last_manifest: Path) -> None:
        self.files: dict[str, dict[str, Any]] = {}
        self.checksums: dict[Path, str] = {}
        self._last: dict[str, dict[str, Any]] = {}
        if last_manifest.is_file():
            self._last = {entry["path"]: entry for entry in read_json(last_manifest).get("inputs", [])}

    def of(self, paths: Iterable[Path], *, base: Path) -> dict[str, str]:
        """Return path (relative to `base` where it lies below) to SHA-256, and remember it for the manifest."""
        found = {}
        for path in paths:
            name = path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()
            stat = path.stat()
            # The time of change of the entry too: a tool or a clock set back may give other content its old time.
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
