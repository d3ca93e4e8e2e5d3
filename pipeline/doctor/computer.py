"""Is there room, may it be written to, and do names survive: the computer, the output folder, its programs."""

import locale
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.doctor.finding import BROKEN, NOTE, OK, Finding, Situation

__all__ = ["computer", "folder", "programs", "text"]

_LINUX = sys.platform.startswith("linux")
_LEAST_DISK, _SCANT_DISK = 200_000_000, 2_000_000_000
_PROGRAMS = {
    "Chromium": (("chromium", "chromium-browser", "google-chrome"), "browser tests and PDF need it"),
    "QGIS": (("qgis", "qgis_process"), "opens hotspots.gpkg with its styles"),
    "GDAL programs": (("ogrinfo",), "tests look at the layers with it"),
}


def computer(situation: Situation) -> Iterator[Finding]:
    """Look at processors, memory and disk."""
    yield Finding("computer", "processors", OK, str(len(os.sched_getaffinity(0)) if _LINUX else os.cpu_count() or 1))
    total, free = _memory_mb()
    if total is None or free is None:
        yield Finding(
            "computer", "memory", NOTE, "not known on this system", "a run of a million rows needs about 1 GB"
        )
    else:
        tight = free < situation.memory_limit_mb
        advice = f"run.memory_limit_mb is {situation.memory_limit_mb}: lower it to {max(128, int(free * 0.7))}"
        found = f"{total:,.0f} MB, {free:,.0f} free"
        yield Finding("computer", "memory", NOTE if tight else OK, found, advice if tight else "")
    free_bytes = shutil.disk_usage(_nearest(situation.folder)).free
    state = BROKEN if free_bytes < _LEAST_DISK else NOTE if free_bytes < _SCANT_DISK else OK
    advice = "" if state == OK else "make room: a run keeps the last outputs until the new ones are whole"
    yield Finding("computer", "disk", state, f"{free_bytes / 1e6:,.0f} MB free at {_nearest(situation.folder)}", advice)


def _memory_mb() -> tuple[float | None, float | None]:
    """Memory there is and memory free, in MB; a container's limit counts."""
    if not _LINUX:
        return None, None
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text("ascii").splitlines())
    total, free = (int(lines[name].split()[0]) / 1024 for name in ("MemTotal", "MemAvailable"))
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text("ascii").strip()).isdecimal():
        used = int(Path("/sys/fs/cgroup/memory.current").read_text("ascii")) / 2**20
        total = min(total, int(text) / 2**20)
        free = min(free, total - used)
    return total, free


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    full = folder.resolve()
    return next(p for p in (full, *full.parents) if p.is_dir())


def folder(situation: Situation) -> Iterator[Finding]:
    """Try in the output folder what a run does there, and say who can read it."""
    place = _nearest(situation.folder)
    try:
        with tempfile.TemporaryDirectory(prefix=".hotspots-doctor-", dir=place) as made:
            one, two = Path(made) / "one", Path(made) / "Königs Wusterhausen – ‘x’"
            one.write_text("x", encoding="utf-8")
            one.replace(two)
            Path(made).replace(place / f"{Path(made).name}.moved")
            (place / f"{Path(made).name}.moved").replace(made)
    except OSError as error:
        advice = "choose another run.output_dir, on a disk that allows folders to be renamed"
        yield Finding("folder", str(place), BROKEN, f"cannot be written to ({error.strerror or error})", advice)
        return
    yield Finding("folder", str(situation.folder), OK, "can be written, and folders in it renamed")
    if os.name == "posix":
        mask = os.umask(0o077)
        os.umask(mask)
        open_to = "everybody on this computer" if not mask & 0o004 else "your group" if not mask & 0o040 else ""
        found = f"umask {mask:03o}: new files can be read by {open_to or 'you alone'}"
        advice = "work/ and internal/ hold personal data: run with umask 077, or keep outputs in a closed folder"
        yield Finding("folder", "privacy", NOTE if open_to else OK, found, advice if open_to else "")
    given = bool(os.environ.get("HOTSPOTS_SALT"))
    found = "from HOTSPOTS_SALT (not shown)" if given else "made by the first run, kept in .salt beside the outputs"
    yield Finding("folder", "salt of victim references", OK, found)


def text(_: Situation) -> Iterator[Finding]:
    """Look at encodings."""
    files = sys.getfilesystemencoding()
    good = files.casefold() == "utf-8"
    yield Finding("text", "file names", OK if good else BROKEN, files, "" if good else "set PYTHONUTF8=1")
    shown = getattr(sys.stdout, "encoding", None) or "unknown"
    good = shown.casefold().replace("-", "") == "utf8"
    yield Finding("text", "output", OK if good else NOTE, shown, "" if good else "set PYTHONUTF8=1: names may look odd")
    here = ".".join(part for part in locale.getlocale() if part) or "C"
    yield Finding("text", "locale", OK, f"{here} (files do not depend on it)")


def programs(_: Situation) -> Iterator[Finding]:
    """Look for programs that are good to have."""
    for name, (commands, use) in _PROGRAMS.items():
        found = next((path for command in commands if (path := shutil.which(command))), None)
        yield Finding("programs", name, OK, found or f"not here (optional: {use})")
