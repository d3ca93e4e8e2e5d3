"""A stopwatch for stages, and a child process held to limits: what it did before it died still counts."""

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Limits", "Measured", "Stopwatch", "cpu_now", "measure", "peak_mb_now"]

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_PEAK_AGAIN = "5"  # resets the peak that the kernel remembers


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child process may use: wall-clock seconds, and memory in GB (address space)."""

    seconds: float = 900.0
    memory_gb: float = 12.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One step: its time on the clock, on all cores together, and the most memory held while it ran.

    `share` is under 1 where only that share of the step was run and the seconds are extrapolated from it; `fate` says
    how a step ended that did not survive.
    """

    step: str
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float
    share: float = 1.0
    fate: str = ""


class Stopwatch:
    """Writes a line of JSON for every step as it ends, so that a process that dies leaves what it had measured."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_text("", encoding="utf-8")

    def begin(self, step: str) -> None:
        """Say which step is under way, in case it is the last thing that is heard."""
        self._line({"begin": step, "at": time.time()})

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a block."""
        self.begin(name)
        with contextlib.suppress(OSError):
            _CLEAR.write_text(_PEAK_AGAIN)
        wall, cpu = time.monotonic(), cpu_now()
        yield
        self.add(Measured(name, time.monotonic() - wall, cpu_now() - cpu, peak_mb_now()))

    def add(self, measured: Measured) -> None:
        """Keep a measurement."""
        self._line(asdict(measured))

    def _line(self, content: object) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(content) + "\n")


def cpu_now() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    mine, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


def peak_mb_now() -> float:
    """Return the most memory held since the last reset, in MB."""
    with contextlib.suppress(OSError):
        for line in _STATUS.read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1000
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def measure(module: str, arguments: Sequence[str], *, log: Path, limits: Limits) -> list[Measured]:
    """Run a module in a process of its own, and return what it measured.

    Parameters
    ----------
    module
        Module to run; its first argument is the log, the others follow.
    arguments
        Further arguments.
    log
        Where its stopwatch writes.
    limits
        What it may use. A process that goes over is ended; the step it was in is given with its fate.
    """
    command = [sys.executable, "-m", module, str(log), *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed tool starts from compiled modules
    began = time.time()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    fate = ""
    try:
        _, said = process.communicate(timeout=limits.seconds)
        if process.returncode:
            last = said.strip().splitlines()[-1] if said.strip() else f"signal {-process.returncode}"
            fate = f"died: {last[:160]}"
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        fate = f"not finished in {limits.seconds:,.0f} s"
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.is_file() else []
    done = [Measured(**line) for line in lines if "step" in line]
    if fate:
        begun = [line for line in lines if "begin" in line]
        under_way, at = (begun[-1]["begin"], begun[-1]["at"]) if begun else ("start", began)
        done.append(Measured(under_way, time.time() - at, 0.0, 0.0, fate=fate))
    return done
