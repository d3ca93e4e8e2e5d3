"""Runs of the command line that go wrong on purpose: in processes of their own, killed, stopped or starved at will.

A nursery is one process that has loaded every library and then forks: each run is a process of its own, as if typed by
somebody, without the seconds that loading takes. Run as a script, this file is the nursery.
"""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
TIMES = {"manifest.json", "index.html"}  # these hold how long the run took


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code, or minus the signal that killed it, and what it said. A stopped one waits."""

    code: int
    out: str
    err: str
    seconds: float
    pid: int
    stopped: bool


class Nursery:
    """Where runs are forked; use it as a context.

    They run a copy of the package, made in the folder given: a file saved meanwhile would make every stage stale.
    """

    def __init__(self, folder: Path) -> None:
        self._code = folder
        shutil.copytree(ROOT / "pipeline", folder / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))

    def __enter__(self) -> Self:
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(self._code)}
        environment.pop("HOTSPOTS_SALT", None)
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), "nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)

    def run(self, folder: Path, *words: str, **trouble: Any) -> Ended:
        """Run `hotspots` with these words in the folder.

        `trouble` is any of: `at` (an instant, see `_watch`), `after_s` (seconds until SIGKILL from outside), `stop`
        (SIGSTOP instead of SIGKILL at the instant; the answer comes when it is stopped), `file_bytes` (the longest
        file that may be written), `temporary` (its folder of temporary files).
        """
        return self._ask({"folder": str(folder), "words": list(words), **trouble})

    def resume(self, ended: Ended) -> Ended:
        """Let a stopped run go on, to its end."""
        return self._ask({"resume": ended.pid})

    def _ask(self, order: dict[str, Any]) -> Ended:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the nursery has died"
        return Ended(**json.loads(answer))


def whole(folder: Path) -> dict[str, bytes]:
    """Return every file under a folder and its bytes."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def result(folder: Path) -> dict[str, bytes]:
    """Return every file of a run that should be the same each time, and which files there are."""
    return {name: b"" if name in TIMES else content for name, content in whole(folder).items()}


def _watch(at: str, sign: int) -> None:
    """Send a signal to this process at an instant.

    `before STAGE`, `after STAGE`, or `EVENT TEXT N`: the Nth time Python is about to do EVENT (a name of its audit
    events) with a first argument that ends in TEXT.
    """
    from pipeline.stages import Stage

    event, text, *number = at.split(" ")
    if event in {"before", "after"}:
        plain = Stage.run

        def run(self: Stage, context: Any) -> None:
            if self.name == text and event == "before":
                os.kill(os.getpid(), sign)
            plain(self, context)
            if self.name == text and event == "after":
                os.kill(os.getpid(), sign)

        Stage.run = run  # type: ignore[method-assign]
        return
    left = [int(number[0])]

    def hook(name: str, given: tuple[Any, ...]) -> None:
        if name == event and given and str(given[0]).endswith(text):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), sign)

    sys.addaudithook(hook)


def _child(order: dict[str, Any], said: tuple[Path, Path]) -> None:
    os.chdir(order["folder"])
    os.setpgid(0, 0)
    for number, path in enumerate(said, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    if "temporary" in order:
        import tempfile

        tempfile.tempdir = order["temporary"]
    if "file_bytes" in order:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes"], order["file_bytes"]))
    if "at" in order:
        _watch(order["at"], signal.SIGSTOP if order.get("stop") else signal.SIGKILL)
    from pipeline.cli import main

    sys.argv = ["hotspots", *order["words"]]
    code = 0
    try:
        main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _one(order: dict[str, Any], scratch: Path) -> dict[str, Any]:
    said = (scratch / "out", scratch / "err")
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _child(order, said)
    killer = None
    if "after_s" in order:
        killer = threading.Timer(order["after_s"], _kill, (pid,))
        killer.start()
    _, status = os.waitpid(pid, os.WUNTRACED)
    if killer:
        killer.cancel()
        killer.join()
    return _ended(pid, status, said, time.monotonic() - began)


def _ended(pid: int, status: int, said: tuple[Path, Path], seconds: float) -> dict[str, Any]:
    stopped = os.WIFSTOPPED(status)
    out, err = (path.read_text("utf-8") for path in said)
    code = -os.WSTOPSIG(status) if stopped else os.waitstatus_to_exitcode(status)
    return {"code": code, "out": out, "err": err, "seconds": seconds, "pid": pid, "stopped": stopped}


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _resume(pid: int, scratch: Path) -> dict[str, Any]:
    os.kill(pid, signal.SIGCONT)
    _, status = os.waitpid(pid, 0)
    return _ended(pid, status, (scratch / "out", scratch / "err"), 0.0)


def _nursery() -> None:
    """Answer orders, one a line, until there are no more."""
    import importlib
    import tempfile

    for name in (
        "geopandas", "pandas", "pipeline.cli", "pipeline.publish.pages.front_door",
        "pipeline.stages.runner", "pipeline.stages.aggregate",
        "pipeline.stages.detect", "pipeline.stages.ingest", "pipeline.stages.publish",
        "pipeline.stages.release", "pipeline.commands.terminal", "pyarrow.dataset", "pyogrio",
    ):  # fmt: skip
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            order = json.loads(line)
            answer = _resume(order["resume"], Path(folder)) if "resume" in order else _one(order, Path(folder))
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    _nursery()
