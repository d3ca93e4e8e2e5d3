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

from pipeline import DISTRIBUTION
from pipeline.commands.shadowing import HERE, installed_folder, other_distributions, other_packages
from pipeline.errors import ConfigError, HotspotsError
from pipeline.publish.words import catalogue_of, say, speaking, whole

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
        What it belongs to: Python, packages, installation, geography, computer, folder, database, text, programs;
        the same in every language.
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
    "Chromium": (("chromium", "chromium-browser", "google-chrome"), "terminal.doctor.programs.chromium"),
    "QGIS": (("qgis", "qgis_process"), "terminal.doctor.programs.qgis"),
    "GDAL programs": (("ogrinfo",), "terminal.doctor.programs.gdal"),
}
"""Programs that are good to have: the commands that start them, and the words for what they are used for."""


def computer(situation: Situation) -> Iterator[Finding]:
    """Look at processors, memory and disk."""
    processors = len(os.sched_getaffinity(0)) if _LINUX else os.cpu_count() or 1
    yield Finding("computer", say("terminal.doctor.name.processors"), State.OK, whole(processors))
    total, free = _memory_mb()
    memory = say("terminal.doctor.name.memory")
    if total is None or free is None:
        needed = say("terminal.doctor.computer.memory_needed")
        yield Finding("computer", memory, State.NOTE, say("terminal.doctor.computer.memory_unknown"), needed)
    else:
        limit = situation.memory_limit_mb
        found = say("terminal.doctor.computer.memory", total=whole(total), free=whole(free))
        if free < limit:
            less = max(128, int(free * 0.7))
            yield Finding(
                "computer",
                memory,
                State.NOTE,
                found,
                say("terminal.doctor.computer.lower_limit", limit=limit, less=less),
            )
        else:
            yield Finding("computer", memory, State.OK, found)
    place = _nearest(situation.folder)
    free_bytes = shutil.disk_usage(place).free
    state = State.BROKEN if free_bytes < _LEAST_DISK else State.NOTE if free_bytes < _SCANT_DISK else State.OK
    found = say("terminal.doctor.computer.disk", free=whole(free_bytes / 1e6), place=place)
    advice = "" if state == State.OK else say("terminal.doctor.computer.make_room")
    yield Finding("computer", say("terminal.doctor.name.disk"), state, found, advice)


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
        found = say("terminal.doctor.folder.not_writable", why=error.strerror or error)
        yield Finding("folder", str(place), State.BROKEN, found, say("terminal.doctor.folder.choose_another"))
        return
    yield Finding("folder", str(situation.folder), State.OK, say("terminal.doctor.folder.writable"))
    if os.name == "posix":
        mask = os.umask(0o077)
        os.umask(mask)
        umask = f"{mask:03o}"
        if not mask & 0o004:
            found = say("terminal.doctor.folder.open_to_all", umask=umask)
        elif not mask & 0o040:
            found = say("terminal.doctor.folder.open_to_group", umask=umask)
        else:
            found = say("terminal.doctor.folder.private", umask=umask)
        state, advice = State.OK, ""
        if mask & 0o044 != 0o044:
            state, advice = State.NOTE, say("terminal.doctor.folder.keep_private")
        yield Finding("folder", say("terminal.doctor.name.privacy"), state, found, advice)
    given = bool(os.environ.get("HOTSPOTS_SALT"))
    found = say("terminal.doctor.folder.salt_given") if given else say("terminal.doctor.folder.salt_made")
    yield Finding("folder", say("terminal.doctor.name.salt"), State.OK, found)


def text(_: Situation) -> Iterator[Finding]:
    """Look at encodings."""
    files = sys.getfilesystemencoding()
    good = files.casefold() == "utf-8"
    advice = "" if good else say("terminal.doctor.text.set_utf8")
    yield Finding("text", say("terminal.doctor.name.file_names"), State.OK if good else State.BROKEN, files, advice)
    shown = getattr(sys.stdout, "encoding", None) or say("terminal.doctor.text.unknown")
    good = shown.casefold().replace("-", "") == "utf8"
    advice = "" if good else say("terminal.doctor.text.names_look_odd")
    yield Finding("text", say("terminal.doctor.name.output"), State.OK if good else State.NOTE, shown, advice)
    here = ".".join(part for part in locale.getlocale() if part) or "C"
    found = say("terminal.doctor.text.locale", locale=here)
    yield Finding("text", say("terminal.doctor.name.locale"), State.OK, found)


def programs(_: Situation) -> Iterator[Finding]:
    """Look for programs that are good to have."""
    for name, (commands, use) in _PROGRAMS.items():
        found = next((path for command in commands if (path := shutil.which(command))), None)
        yield Finding("programs", name, State.OK, found or say("terminal.doctor.programs.absent", use=say(use)))


# Is the project itself all there: an installation that was cut short may start, and fail only half-way.


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
    again = say("terminal.doctor.installation.again")
    name = say("terminal.doctor.name.modules")
    if failed:
        yield Finding("installation", name, State.BROKEN, _few(failed), again)
    else:
        yield Finding("installation", name, State.OK, say("terminal.doctor.installation.all_load", n=modules))
    listed, wrong = _held_against_list(root)
    name = say("terminal.doctor.name.files")
    if wrong:
        yield Finding("installation", name, State.BROKEN, _few(wrong), again)
    elif listed:
        yield Finding("installation", name, State.OK, say("terminal.doctor.installation.unchanged", n=listed))
    else:
        yield Finding("installation", name, State.OK, say("terminal.doctor.installation.not_listed"))


def shadowing(_: Situation) -> Iterator[Finding]:
    """Look for other packages of the same name: Python takes the first it finds."""
    owners, others, name = other_distributions(), other_packages(), say("terminal.doctor.name.name")
    if owners:
        found = say("terminal.doctor.installation.other_owner", others=", ".join(owners))
        yield Finding("installation", name, State.BROKEN, found, say("terminal.doctor.installation.environment"))
    if others:
        found = say("terminal.doctor.installation.other_package", places=_few([str(path) for path in others]))
        yield Finding("installation", name, State.NOTE, found, say("terminal.doctor.installation.start_with"))
    if not owners and not others:
        yield Finding("installation", name, State.OK, say("terminal.doctor.installation.no_other"))
    installed = installed_folder()
    if installed is not None and installed != HERE:
        found = say("terminal.doctor.installation.elsewhere", here=HERE, installed=installed)
        name, advice = say("terminal.doctor.name.place"), say("terminal.doctor.installation.checkout")
        yield Finding("installation", name, State.NOTE, found, advice)


def _held_against_list(root: Path) -> tuple[int, list[str]]:
    """Return how many files the installation lists, and those that are missing or not as they came."""
    listed, wrong = 0, []
    for file in importlib.metadata.files(DISTRIBUTION) or ():
        if file.parts[0] != root.name or file.hash is None or file.hash.mode != "sha256":
            continue
        listed += 1
        path = root.parent / file
        if not path.is_file():
            wrong.append(say("terminal.doctor.installation.missing_file", file=file))
        elif _digest(path) != file.hash.value:
            wrong.append(say("terminal.doctor.installation.changed_file", file=file))
    return listed, wrong


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file as an installer writes it."""
    return base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode("ascii")


def _few(words: list[str]) -> str:
    """List the first few, and say how many more there are."""
    shown = "; ".join(words[:_LISTED])
    more = len(words) - _LISTED
    return say("terminal.doctor.and_more", n=more, shown=shown) if more > 0 else shown


# Are the libraries here, do they load, and do they do what the project relies on.


_MODULES = {
    "Jinja2": "jinja2",
    "MarkupSafe": "markupsafe",
    "PyYAML": "yaml",
    "python-calamine": "python_calamine",
    "scikit-learn": "sklearn",
    "XStatic-Leaflet": "xstatic.pkg.leaflet",
}
_DRIVERS = ("GPKG", "GeoJSON", "ESRI Shapefile", "MapInfo File")
# Ordnance Survey, "A guide to coordinate systems in Great Britain": Caister water tower, ETRS89 and OSGB36 by OSTN15.
_TOWER_LONLAT, _TOWER_M = (1.7160739722, 52.6580078333), (651409.804, 313177.450)
_OSTN15 = "OSTN15"


def python(_: Situation) -> Iterator[Finding]:
    """Look at the interpreter."""
    new = sys.version_info >= (3, 11)
    advice = "" if new else say("terminal.doctor.python.use_newer")
    version, state = platform.python_version(), State.OK if new else State.BROKEN
    yield Finding("Python", say("terminal.doctor.name.version"), state, version, advice)
    wide = sys.maxsize > 2**32
    advice, state = "" if wide else say("terminal.doctor.python.use_64_bit"), State.OK if wide else State.BROKEN
    bits = say("terminal.doctor.python.bits", bits=64 if wide else 32)
    yield Finding("Python", say("terminal.doctor.name.word"), state, bits, advice)
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    yield Finding("Python", say("terminal.doctor.name.system"), State.OK, system)


def packages(_: Situation) -> Iterator[Finding]:
    """Compare every package with what the project needs, and with what it is tested with."""
    from packaging.requirements import Requirement

    tested = _constraints()
    for line in importlib.metadata.requires(DISTRIBUTION) or ():
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(wanted.name)
            importlib.import_module(_MODULES.get(wanted.name, wanted.name))
        except importlib.metadata.PackageNotFoundError:
            advice = f"pip install '{wanted.name}{wanted.specifier}'"
            found = say("terminal.doctor.packages.not_installed")
            yield Finding("packages", wanted.name, State.BROKEN, found, advice)
            continue
        except ImportError as error:
            found = say("terminal.doctor.packages.cannot_load", error=error)
            yield Finding("packages", wanted.name, State.BROKEN, found, say("terminal.doctor.packages.again"))
            continue
        with_version = tested.get(wanted.name.casefold())
        if not wanted.specifier.contains(version, prereleases=True):
            advice = say("terminal.doctor.packages.needs", versions=wanted.specifier)
            yield Finding("packages", wanted.name, State.BROKEN, version, advice)
        elif with_version is not None and with_version != version:
            advice = say("terminal.doctor.packages.tested_with", version=with_version)
            yield Finding("packages", wanted.name, State.NOTE, version, advice)
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
    advice = say("terminal.doctor.geography.lacks", formats=", ".join(lacking)) if lacking else ""
    yield Finding("geography", "GDAL", State.BROKEN if lacking else State.OK, version, advice)
    yield Finding("geography", "GEOS", State.OK, shapely.geos_version_string)
    proj = say("terminal.doctor.geography.proj", version=pyproj.proj_version_str, folder=pyproj.datadir.get_data_dir())
    yield Finding("geography", "PROJ", State.OK, proj)
    network = say("terminal.doctor.name.proj_network")
    if pyproj.network.is_network_enabled():
        advice = say("terminal.doctor.geography.unset_network")
        yield Finding("geography", network, State.NOTE, say("terminal.doctor.geography.network_on"), advice)
    else:
        yield Finding("geography", network, State.OK, say("terminal.doctor.geography.network_off"))
    try:
        working = crs.working_crs(situation.working)
        name = crs.operation_name(crs.LONLAT, working)
    except HotspotsError as error:
        yield Finding("geography", situation.working, State.BROKEN, str(error))
        return
    lesser = "is not installed" in name
    advice = say("terminal.doctor.geography.grid") if lesser and _OSTN15 in name else ""
    way = say("terminal.doctor.name.transformation", system=situation.working)
    yield Finding("geography", way, State.NOTE if lesser else State.OK, name, advice)
    if crs.same_crs(working, "EPSG:27700"):
        east, north = crs.transformer(crs.LONLAT, working).transform(*_TOWER_LONLAT)
        off = ((east - _TOWER_M[0]) ** 2 + (north - _TOWER_M[1]) ** 2) ** 0.5
        state = State.OK if off < 0.01 else State.NOTE if off < 5 else State.BROKEN
        advice = say("terminal.doctor.geography.proj_damaged") if state == State.BROKEN else ""
        found = say("terminal.doctor.geography.metres_off", metres=f"{off:.2f}")
        yield Finding("geography", say("terminal.doctor.name.test_point"), state, found, advice)


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
            say("terminal.doctor.database.other_folders"): f"SELECT * FROM read_text({literal(str(Path(__file__)))})",
            say("terminal.doctor.database.extensions"): "LOAD httpfs",
            say("terminal.doctor.database.settings"): "SET memory_limit = '64GB'",
        }
        for name, sql in forbidden.items():
            try:
                connection.execute(sql)
            except duckdb.Error:
                yield Finding("database", name, State.OK, say("terminal.doctor.database.refused"))
            else:
                found, advice = say("terminal.doctor.database.possible"), say("terminal.doctor.database.report")
                yield Finding("database", name, State.BROKEN, found, advice)


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
    try:
        catalogue_of("en")
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the words: there are none to say it with
        sys.stdout.write(f"The catalogue of words is damaged ({error}): install the project again.\n")
        return 1
    situation, first, language = _situation(config)
    with speaking(language):
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
        name, advice = say("terminal.doctor.name.examination"), say("terminal.doctor.installation.with_constraints")
        yield Finding(about, name, State.BROKEN, what, advice)


def _situation(config: Path) -> tuple[Situation, Finding, str]:
    """Read what the configuration asks for; without one, or with a broken one, the defaults are examined."""
    about, name = "configuration", str(config)
    try:
        from pipeline.config import load_config

        settings = load_config(config)
    except ConfigError as error:
        if config.is_file():
            return Situation(), Finding(about, name, State.BROKEN, str(error)), "en"
        return Situation(), Finding(about, name, State.NOTE, say("terminal.doctor.no_configuration")), "en"
    except Exception as error:  # noqa: BLE001 - a missing package must not stop the doctor from naming it
        return Situation(), Finding(about, name, State.BROKEN, f"{type(error).__name__}: {error}"), "en"
    folder = config.resolve().parent / settings.run.output_dir
    wanted = Situation(folder, settings.crs.working, settings.run.memory_limit_mb)
    language = settings.page.language
    with speaking(language):
        found = say("terminal.doctor.configuration", run=settings.run.name, system=settings.crs.working)
    return wanted, Finding(about, name, State.OK, found), language


def _print(findings: tuple[Finding, ...]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("about", "what", "state", "found"):
        table.add_column(say(f"terminal.column.{column}"), overflow="fold")
    last = ""
    for f in findings:
        state = escape(say(f"terminal.doctor.state.{f.state}"))
        mark = state if f.state == State.OK else f"[bold]{state}[/bold]"
        found = escape(f.found) + (f"\n[italic]{escape(f.advice)}[/italic]" if f.advice else "")
        about = "" if f.about == last else say(f"terminal.doctor.about.{f.about}")
        table.add_row(about, escape(f.name), mark, found)
        last = f.about
    console.print(table)
    broken, notes = (sum(f.state == s for f in findings) for s in (State.BROKEN, State.NOTE))
    verdict = [say("terminal.doctor.broken", n=broken) if broken else say("terminal.doctor.sound")]
    if notes:
        verdict.append(say("terminal.doctor.notes", n=notes))
    console.print(f"\n{' '.join(verdict)}")
