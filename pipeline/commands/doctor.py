"""Is this computer fit for a run: versions, projection grids, memory, disk, the locked database, the output folder.

Every check stands alone: one that cannot even be made is reported as broken, and the others go on.
"""

import base64
import hashlib
import importlib
import importlib.metadata
import json
import locale
import os
import pkgutil
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from pipeline.commands.shadowing import HERE, installed_folder, other_distributions, other_packages
from pipeline.errors import ConfigError, HotspotsError

__all__ = [
    "Finding",
    "Situation",
    "State",
    "computer",
    "database",
    "doctor",
    "examine",
    "folder",
    "geography",
    "installation",
    "packages",
    "programs",
    "python",
    "shadowing",
    "text",
]


class State(StrEnum):
    """How one thing stands."""

    OK = "ok"
    NOTE = "note"  # a run works, but a person should know
    BROKEN = "broken"  # a run fails or cannot be trusted


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes
    ----------
    about
        What it belongs to: Python, packages, geography, computer, folder, database, text, programs.
    name
        What was looked at.
    state
        Sound, to be noted, or broken.
    found
        What is the case.
    advice
        What to do; empty where there is nothing to do.
    """

    about: str
    name: str
    state: State
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the run would be asked to do: where it writes, in which system, with how much memory in MB."""

    folder: Path = Path("outputs")
    working: str = "EPSG:27700"
    memory_limit_mb: int = 2000


# Is there room, may it be written to, and do names survive: the computer, the output folder, its programs.


_LINUX = sys.platform.startswith("linux")
_LEAST_DISK, _SCANT_DISK = 200_000_000, 2_000_000_000
_PROGRAMS = {
    "Chromium": (("chromium", "chromium-browser", "google-chrome"), "browser tests and PDF need it"),
    "QGIS": (("qgis", "qgis_process"), "opens hotspots.gpkg with its styles"),
    "GDAL programs": (("ogrinfo",), "tests look at the layers with it"),
}


def computer(situation: Situation) -> Iterator[Finding]:
    """Look at processors, memory and disk."""
    yield Finding(
        "computer", "processors", State.OK, str(len(os.sched_getaffinity(0)) if _LINUX else os.cpu_count() or 1)
    )
    total, free = _memory_mb()
    if total is None or free is None:
        yield Finding(
            "computer", "memory", State.NOTE, "not known on this system", "a run of a million rows needs about 1 GB"
        )
    else:
        tight = free < situation.memory_limit_mb
        advice = f"run.memory_limit_mb is {situation.memory_limit_mb}: lower it to {max(128, int(free * 0.7))}"
        found = f"{total:,.0f} MB, {free:,.0f} free"
        yield Finding("computer", "memory", State.NOTE if tight else State.OK, found, advice if tight else "")
    free_bytes = shutil.disk_usage(_nearest(situation.folder)).free
    state = State.BROKEN if free_bytes < _LEAST_DISK else State.NOTE if free_bytes < _SCANT_DISK else State.OK
    advice = "" if state == State.OK else "make room: a run keeps the last outputs until the new ones are whole"
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
        yield Finding("folder", str(place), State.BROKEN, f"cannot be written to ({error.strerror or error})", advice)
        return
    yield Finding("folder", str(situation.folder), State.OK, "can be written, and folders in it renamed")
    if os.name == "posix":
        mask = os.umask(0o077)
        os.umask(mask)
        open_to = "everybody on this computer" if not mask & 0o004 else "your group" if not mask & 0o040 else ""
        found = f"umask {mask:03o}: new files can be read by {open_to or 'you alone'}"
        advice = "work/ and internal/ hold personal data: run with umask 077, or keep outputs in a closed folder"
        yield Finding("folder", "privacy", State.NOTE if open_to else State.OK, found, advice if open_to else "")
    given = bool(os.environ.get("HOTSPOTS_SALT"))
    found = "from HOTSPOTS_SALT (not shown)" if given else "made by the first run, kept in .salt beside the outputs"
    yield Finding("folder", "salt of victim references", State.OK, found)


def text(_: Situation) -> Iterator[Finding]:
    """Look at encodings."""
    files = sys.getfilesystemencoding()
    good = files.casefold() == "utf-8"
    yield Finding("text", "file names", State.OK if good else State.BROKEN, files, "" if good else "set PYTHONUTF8=1")
    shown = getattr(sys.stdout, "encoding", None) or "unknown"
    good = shown.casefold().replace("-", "") == "utf8"
    yield Finding(
        "text",
        "output",
        State.OK if good else State.NOTE,
        shown,
        "" if good else "set PYTHONUTF8=1: names may look odd",
    )
    here = ".".join(part for part in locale.getlocale() if part) or "C"
    yield Finding("text", "locale", State.OK, f"{here} (files do not depend on it)")


def programs(_: Situation) -> Iterator[Finding]:
    """Look for programs that are good to have."""
    for name, (commands, use) in _PROGRAMS.items():
        found = next((path for command in commands if (path := shutil.which(command))), None)
        yield Finding("programs", name, State.OK, found or f"not here (optional: {use})")


# Is the project itself all there: an installation that was cut short may start, and fail only half-way.


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
        State.BROKEN if failed else State.OK,
        _few(failed) if failed else f"all {modules} load",
        _AGAIN if failed else "",
    )
    listed, wrong = _held_against_list(root)
    text = f"{listed} as they came" if listed else "used from its own folder: there is no list of its files"
    yield Finding("installation", "files", State.BROKEN if wrong else State.OK, _few(wrong) if wrong else text,
                  _AGAIN if wrong else "")  # fmt: skip


def shadowing(_: Situation) -> Iterator[Finding]:
    """Look for other packages of the same name: Python takes the first it finds."""
    owners = other_distributions()
    if owners:
        found = f"{', '.join(owners)} also installs a package `pipeline` and may have replaced files"
        advice = "keep hotspots in a virtual environment of its own, and install it again there"
        yield Finding("installation", "name", State.BROKEN, found, advice)
    others = other_packages()
    if others:
        found = f"another `pipeline` is at {_few([str(path) for path in others])}"
        advice = "start with `hotspots`: `python -m pipeline` takes the one in the current folder"
        yield Finding("installation", "name", State.NOTE, found, advice)
    if not owners and not others:
        yield Finding("installation", "name", State.OK, "no other package `pipeline` is in sight")
    installed = installed_folder()
    if installed is not None and installed != HERE:
        advice = "well, if this is a checkout you are working on: else take its folder out of PYTHONPATH"
        yield Finding("installation", "place", State.NOTE, f"runs from {HERE}; installed is {installed}", advice)


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


# Are the libraries here, do they load, and do they do what the project relies on.


_MODULES = {"PyYAML": "yaml", "scikit-learn": "sklearn", "XStatic-Leaflet": "xstatic.pkg.leaflet"}
_DRIVERS = ("GPKG", "GeoJSON", "ESRI Shapefile", "MapInfo File")
# Ordnance Survey, "A guide to coordinate systems in Great Britain": Caister water tower, ETRS89 and OSGB36 by OSTN15.
_TOWER_LONLAT, _TOWER_M = (1.7160739722, 52.6580078333), (651409.804, 313177.450)
_OSTN15 = "OSTN15"


def python(_: Situation) -> Iterator[Finding]:
    """Look at the interpreter."""
    new = sys.version_info >= (3, 11)
    yield Finding(
        "Python",
        "version",
        State.OK if new else State.BROKEN,
        platform.python_version(),
        "" if new else "use 3.11 or later",
    )
    wide = sys.maxsize > 2**32
    yield Finding(
        "Python", "word", State.OK if wide else State.BROKEN, f"{64 if wide else 32} bit", "" if wide else "use 64 bit"
    )
    yield Finding("Python", "system", State.OK, f"{platform.system()} {platform.release()} {platform.machine()}")


def packages(_: Situation) -> Iterator[Finding]:
    """Compare every package with what the project needs, and with what it is tested with."""
    from packaging.requirements import Requirement

    tested = _constraints()
    for line in importlib.metadata.requires("hotspots") or ():
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(wanted.name)
            importlib.import_module(_MODULES.get(wanted.name, wanted.name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(
                "packages", wanted.name, State.BROKEN, "not installed", f"pip install '{wanted.name}{wanted.specifier}'"
            )
            continue
        except ImportError as error:
            yield Finding("packages", wanted.name, State.BROKEN, f"cannot be loaded: {error}", "install it again")
            continue
        with_version = tested.get(wanted.name.casefold())
        if not wanted.specifier.contains(version, prereleases=True):
            yield Finding("packages", wanted.name, State.BROKEN, version, f"needs {wanted.specifier}")
        elif with_version is not None and with_version != version:
            yield Finding("packages", wanted.name, State.NOTE, version, f"tested with {with_version} (constraints.txt)")
        else:
            yield Finding("packages", wanted.name, State.OK, version)


def _constraints() -> dict[str, str]:
    """Return the versions in constraints.txt, where the project was installed from its folder."""
    path = Path(__file__).parents[2] / "constraints.txt"
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    pairs = (line.split("==", 1) for line in lines if "==" in line and not line.startswith("#"))
    return {name.strip().casefold(): version.strip() for name, version in pairs}


def geography(situation: Situation) -> Iterator[Finding]:
    """Look at GDAL, GEOS and PROJ: formats, grids, and how far off a known point comes out."""
    import pyogrio
    import pyproj
    import shapely

    from pipeline.geography import projection as crs

    version = ".".join(str(n) for n in pyogrio.__gdal_version__)
    lacking = [d for d in _DRIVERS if d not in pyogrio.list_drivers()]
    advice = f"lacks {', '.join(lacking)}: install pyogrio from its wheel" if lacking else ""
    yield Finding("geography", "GDAL", State.BROKEN if lacking else State.OK, version, advice)
    yield Finding("geography", "GEOS", State.OK, shapely.geos_version_string)
    yield Finding("geography", "PROJ", State.OK, f"{pyproj.proj_version_str}, data in {pyproj.datadir.get_data_dir()}")
    online = pyproj.network.is_network_enabled()
    advice = "results depend on what it fetches: unset PROJ_NETWORK" if online else ""
    yield Finding("geography", "PROJ network", State.NOTE if online else State.OK, "on" if online else "off", advice)
    try:
        working = crs.working_crs(situation.working)
        name = crs.operation_name(crs.LONLAT, working)
    except HotspotsError as error:
        yield Finding("geography", situation.working, State.BROKEN, str(error))
        return
    lesser = "is not installed" in name
    advice = (
        "harmless while points and boundaries use the same transformation, which they do; "
        "`projsync --file uk_os_OSTN15` fetches it"
        if lesser and _OSTN15 in name
        else ""
    )
    yield Finding("geography", f"lon/lat to {situation.working}", State.NOTE if lesser else State.OK, name, advice)
    if crs.same_crs(working, "EPSG:27700"):
        east, north = crs.transformer(crs.LONLAT, working).transform(*_TOWER_LONLAT)
        off = ((east - _TOWER_M[0]) ** 2 + (north - _TOWER_M[1]) ** 2) ** 0.5
        state = State.OK if off < 0.01 else State.NOTE if off < 5 else State.BROKEN
        advice = "PROJ's data is damaged: install pyproj again" if state == State.BROKEN else ""
        yield Finding("geography", "Ordnance Survey's test point", state, f"{off:.2f} m off", advice)


def database(situation: Situation) -> Iterator[Finding]:
    """Open the database as a run does, and try what it must refuse."""
    import duckdb

    from pipeline.storage.duckdb import connect, literal

    with tempfile.TemporaryDirectory(prefix="hotspots-doctor-") as made:
        connection = connect(memory_limit_mb=situation.memory_limit_mb, folders=[Path(made)], spill=Path(made))
        names = ("memory_limit", "threads", "enable_external_access", "lock_configuration")
        asked = ", ".join(f"current_setting('{name}')" for name in names)
        (values,) = connection.sql(f"SELECT {asked}").fetchall()
        found = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in zip(names, values, strict=True))
        yield Finding("database", "DuckDB", State.OK, f"{duckdb.__version__}: {found}")
        forbidden = {
            "reading other folders": f"SELECT * FROM read_text({literal(str(Path(__file__)))})",
            "loading extensions": "LOAD httpfs",
            "changing its settings": "SET memory_limit = '64GB'",
        }
        for name, sql in forbidden.items():
            try:
                connection.execute(sql)
            except duckdb.Error:
                yield Finding("database", name, State.OK, "refused, as it should be")
            else:
                yield Finding("database", name, State.BROKEN, "possible", "report this: the database is not confined")


_CHECKS: tuple[tuple[str, Callable[[Situation], Iterator[Finding]]], ...] = (
    ("Python", python),
    ("packages", packages),
    ("installation", installation),
    ("installation", shadowing),
    ("geography", geography),
    ("computer", computer),
    ("folder", folder),
    ("database", database),
    ("text", text),
    ("programs", programs),
)


def doctor(config: Path, *, as_json: bool) -> int:
    """Examine the computer, print what was found, and return the exit code: 1 if anything is broken, else 0."""
    situation, first = _situation(config)
    findings = (first, *examine(situation))
    broken = [f for f in findings if f.state == State.BROKEN]
    if as_json:
        answer = {"sound": not broken, "findings": [asdict(f) for f in findings]}
        sys.stdout.write(json.dumps(answer, ensure_ascii=False, indent=2) + "\n")
    else:
        _print(findings)
    return 1 if broken else 0


def examine(situation: Situation) -> tuple[Finding, ...]:
    """Look at everything a run needs."""
    return tuple(finding for about, check in _CHECKS for finding in _guarded(about, check, situation))


def _guarded(about: str, check: Callable[[Situation], Iterator[Finding]], situation: Situation) -> Iterator[Finding]:
    try:
        yield from check(situation)
    except Exception as error:  # noqa: BLE001 - the point of a doctor: whatever is wrong is a finding
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        yield Finding(
            about, "examination", State.BROKEN, what, "install the project again: pip install -c constraints.txt -e ."
        )


def _situation(config: Path) -> tuple[Situation, Finding]:
    """Read what the configuration asks for; without one, or with a broken one, the defaults are examined."""
    try:
        from pipeline.config import load_config

        settings = load_config(config)
    except ConfigError as error:
        if config.is_file():
            return Situation(), Finding("configuration", str(config), State.BROKEN, str(error))
        return Situation(), Finding("configuration", str(config), State.NOTE, "not there: defaults are examined")
    except Exception as error:  # noqa: BLE001 - a missing package must not stop the doctor from naming it
        return Situation(), Finding("configuration", str(config), State.BROKEN, f"{type(error).__name__}: {error}")
    folder = config.resolve().parent / settings.run.output_dir
    found = Situation(folder, settings.crs.working, settings.run.memory_limit_mb)
    return found, Finding("configuration", str(config), State.OK, f"run {settings.run.name}, {settings.crs.working}")


def _print(findings: tuple[Finding, ...]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("about", "what", "state", "found"):
        table.add_column(column, overflow="fold")
    last = ""
    for f in findings:
        mark = f.state if f.state == State.OK else f"[bold]{f.state}[/bold]"
        found = escape(f.found) + (f"\n[italic]{escape(f.advice)}[/italic]" if f.advice else "")
        table.add_row("" if f.about == last else f.about, escape(f.name), mark, found)
        last = f.about
    console.print(table)
    broken, notes = (sum(f.state == s for f in findings) for s in (State.BROKEN, State.NOTE))
    verdict = f"{broken} broken: see above." if broken else "Nothing is broken."
    console.print(f"\n{verdict}" + (f" {notes} notes to read." if notes else ""))
