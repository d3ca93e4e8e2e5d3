"""The second process of a run: the same bytes, whatever becomes of it, and nothing of it stays behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline import run as run_from_python
from pipeline.errors import HotspotsError, InputError
from pipeline.stages import Context, publish, release, runner, second_process
from pipeline.stages.second_process import SecondProcess
from tests.kit.city import NO_METHODS, write_city

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SECONDS = 60  # what must happen at once has a minute on a machine with much to do


@pytest.fixture(autouse=True)
def _large_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every run be worth a second process, on any machine."""
    monkeypatch.setattr(second_process, "_pays", lambda _context: True)
    monkeypatch.setattr(second_process, "usable_cores", lambda: 2)


def quiet(_label: str, _done: int, _total: int) -> None:
    """Report nothing."""


def written(config: Path) -> dict[str, bytes]:
    """Every file that is handed over, and everything released."""
    folder = config.parent / "outputs" / "city"
    files = [path for name in ("internal", "public", "work/release") for path in (folder / name).rglob("*.*")]
    ours = {"ledger.json"}  # it names the ledger
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if p.is_file() and p.name not in ours}


def choices(outcome: runner.Outcome) -> dict[str, Any]:
    return {
        key: value
        for stage in outcome.manifest["stages"].values()
        for key, value in {**stage["choices"], **stage["counters"]}.items()
        if key != "ledger"
    }


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, Any]]:
    config = write_city(tmp_path_factory.mktemp("alone"))
    outcome = runner.run(config, progress=quiet)
    return written(config), choices(outcome)


def children() -> list[psutil.Process]:
    """The second processes of this one."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "spawn_main" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_it_writes_the_same_bytes(
    alone: tuple[dict[str, bytes], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here: list[str] = []
    release_internal, write_folder = release._release_internal, publish._write_folder
    monkeypatch.setattr(release, "_release_internal", lambda *a: (here.append("release"), release_internal(*a))[1])

    def write(context: Context, of: Any) -> Any:
        here.append(of[0].name)
        return write_folder(context, of)

    write.__module__, write.__qualname__ = write_folder.__module__, write_folder.__qualname__
    monkeypatch.setattr(publish, "_write_folder", write)
    config = write_city(tmp_path)
    outcome = runner.run(config, progress=quiet, second_process=True)
    assert here == ["public"]
    assert (written(config), choices(outcome)) == alone
    assert children() == []


@pytest.mark.parametrize("stage", ["release", "publish"])
def test_a_second_process_that_is_killed_costs_its_work_alone(
    alone: tuple[dict[str, bytes], dict[str, Any]], tmp_path: Path, stage: str
) -> None:
    config, killed = write_city(tmp_path), list[int]()

    def kill_once(label: str, _done: int, _total: int) -> None:
        # What the first process does itself is reported while the second is at work.
        if not killed and label == {"release": "making a release", "publish": "publishing"}[stage]:
            (second,) = children()
            second.kill()
            killed.append(second.pid)

    outcome = runner.run(config, progress=kill_once, second_process=True)
    assert killed
    assert (written(config), choices(outcome)) == alone


def test_what_fails_there_is_explained_here(tmp_path: Path) -> None:
    config = write_city(tmp_path, **NO_METHODS | {"profiles.0.categories": ["all", "unheard_of"]})
    with pytest.raises(HotspotsError, match="unheard_of") as alone:
        runner.run(config, progress=quiet)
    with pytest.raises(type(alone.value)) as raised:
        runner.run(config, progress=quiet, second_process=True)
    assert str(raised.value) == str(alone.value)
    assert children() == []
    assert not (tmp_path / "outputs" / ".city.new").exists()


def test_what_fails_here_ends_the_second_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        assert children()
        raise InputError("the first process fails")

    monkeypatch.setattr(release, "_load", fail)
    config = write_city(tmp_path, **NO_METHODS)
    with pytest.raises(InputError, match="the first process fails"):
        runner.run(config, progress=quiet, second_process=True)
    assert children() == []
    assert not (tmp_path / "outputs" / ".city.new").exists()


def test_a_program_of_a_users_own_has_none(tmp_path: Path) -> None:
    seen: list[int] = []
    run_from_python(write_city(tmp_path, **NO_METHODS), progress=lambda *_: seen.append(len(children())))
    assert set(seen) == {0}


def wait_long(_context: Context, marker: Path) -> int:
    marker.write_text(str(os.getpid()), encoding="utf-8")
    time.sleep(10 * SECONDS)
    return 1


PROGRAM = """
import signal, sys
from pathlib import Path
from pipeline.stages import Context, second_process
from tests.stages.test_second_process import wait_long
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what is started in the background
    second_process._pays = lambda _context: True
    second_process.usable_cores = lambda: 2
    folder = Path(sys.argv[1])
    context = Context(None, folder, folder, None, None, None, b"", {})
    task = second_process.SecondProcess(allowed=True).start(wait_long, context, folder / "began")
    task.result(lambda *_: None)
"""


@pytest.fixture
def first(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """A first process that waits for its second, and the second at work."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        until = time.monotonic() + SECONDS
        while not (tmp_path / "began").exists() or not (tmp_path / "began").read_text("utf-8"):
            assert time.monotonic() < until
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.05)
        yield process, psutil.Process(int((tmp_path / "began").read_text("utf-8")))
        process.kill()


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_the_first_process(
    first: tuple[subprocess.Popen[str], psutil.Process], sent: signal.Signals
) -> None:
    process, second = first
    process.send_signal(sent)
    second.wait(SECONDS)
    assert not second.is_running()


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_ctrl_c_is_the_first_process_business(first: tuple[subprocess.Popen[str], psutil.Process]) -> None:
    process, second = first
    second.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert second.is_running()
    process.send_signal(signal.SIGINT)
    second.wait(SECONDS)
    assert process.stderr is not None
    assert process.stderr.read().count("Traceback") == 1  # of the first, which this small program does not catch


def test_where_none_is_allowed_the_work_is_left_to_the_first_process(tmp_path: Path) -> None:
    context: Any = Context(None, tmp_path, tmp_path, None, None, None, b"", {})  # type: ignore[arg-type]
    alone = SecondProcess()
    assert alone.start(wait_long, context, tmp_path / "began").result(quiet) is None
    assert not (tmp_path / "began").exists()
