"""What every test may ask for, and the versions a failure was seen with."""

import importlib.metadata
import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


collect_ignore = ["fuzz/atheris_inputs.py", "gis/qgis_client.py"]  # programs that tests start, not tests
OTHER = {"slow", "browser", "real", "long"}
STATES = itertools.count()
PROGRAMS = {"browser", "gis"}  # folders whose tests start a program of the system


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads how many processes there are
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run the whole suite on every core, a file at a time in each, in the order of the files.

    Files that are named, `-n`, a debugger, one core, or no pytest-xdist: pytest does what it does without this.
    """
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    debugged = config.option.usepdb or config.option.trace or sys.gettrace() or {"pydevd", "debugpy"} & set(sys.modules)
    if not whole or debugged or hasattr(config, "workerinput") or not config.pluginmanager.hasplugin("xdist"):
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if config.option.numprocesses is None and not config.option.collectonly and cores > 1:
        config.option.numprocesses, config.option.dist, config.option.loadscopereorder = cores, "loadfile", False


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by mark
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start programs or read real data, skip long forms unless asked for; the rest is fast."""
    for item in items:
        if item.path.relative_to(ROOT).parts[1] in PROGRAMS:
            item.add_marker(pytest.mark.browser)
        if "real_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.real)
        if item.get_closest_marker("long") and not os.environ.get("HOTSPOTS_LONG"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: HOTSPOTS_LONG=1 runs it"))
        if not OTHER & {mark.name for mark in item.iter_markers()}:
            item.add_marker(pytest.mark.fast)


def pytest_report_header() -> str:
    names = ("numpy", "pandas", "geopandas", "shapely", "pyproj", "pyogrio", "duckdb", "scikit-learn", "folium")
    return "versions: " + ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def _own_state(factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep ledgers out of the user's state folder, and those of one test out of the next."""
    with pytest.MonkeyPatch.context() as patch:
        # The folder is only named: few of the thousands of tests write anything there.
        patch.setenv("HOTSPOTS_STATE_DIR", str(factory.getbasetemp() / f"state-{next(STATES)}"))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Write files without waiting for the disk, a hundred times in each run: only a power failure would show it.

    Runs in processes of their own, such as those that are killed, do wait.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _file: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _state_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield from _own_state(tmp_path_factory)


@pytest.fixture(scope="module", autouse=True)
def _state_of_the_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield from _own_state(tmp_path_factory)


@pytest.fixture(autouse=True)
def _state_of_the_test(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield from _own_state(tmp_path_factory)


def _made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that the first process to ask for it makes, for all tests and processes of the session."""
    from filelock import FileLock  # here: most tests do not need it

    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # each process of pytest-xdist has a folder of its own inside that of the session
    folder = shared / name
    with FileLock(shared / f"{name}.lock"), pytest.MonkeyPatch.context() as patch:
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a process that failed half-way
            folder.mkdir()
            patch.setenv("HOTSPOTS_STATE_DIR", str(folder / "state"))
            make(folder)
            (folder / "complete").touch()
    return folder


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the sample's configuration, data and outputs, run once for all tests and processes: only read it."""
    from pipeline.stages.runner import run

    def make(folder: Path) -> None:
        shutil.copy(ROOT / "config.yaml", folder)
        (folder / "data").symlink_to(ROOT / "data")
        run(folder / "config.yaml", progress=lambda *_: None)

    return _made_once(tmp_path_factory, "sample_run", make)


@pytest.fixture(scope="session")
def city_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the city of `tests.kit.city` and its outputs, whole, with what `hotspots run` printed in `said.txt`.

    It is run once for all tests and processes: only read it, or copy it.
    """
    from tests.kit.city import write_city
    from tests.kit.command_line import hotspots

    def make(folder: Path) -> None:
        write_city(folder)
        done = hotspots("run", cwd=folder)
        assert done.returncode == 0, done.stderr
        (folder / "said.txt").write_text(done.stdout, encoding="utf-8")

    return _made_once(tmp_path_factory, "city_run", make)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real public data; absent means skip on a desk and fail in CI."""
    folder = Path(os.environ.get("HOTSPOTS_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        message = f"real data not found at {folder}: set HOTSPOTS_REAL_DATA to run this test"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


def _program(names: tuple[str, ...], what: str) -> str:
    """Return the path of a program; absent means skip on a desk and fail in CI."""
    found = next((p for n in names if (p := shutil.which(n))), None)
    if found is None:
        message = f"no {what} found: install the system's {names[0]} package to run this test"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium."""
    return _program(("chromium", "chromium-browser", "google-chrome"), "Chromium")


@pytest.fixture(scope="session")
def firefox() -> str:
    """Path of a Firefox."""
    return _program(("firefox-esr", "firefox"), "Firefox")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Any]:
    """Return one Chromium for the whole session: Playwright cannot be started a second time while it runs."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install .[test]")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield running
        running.close()
