"""`hotspots run --profile`: where the time of a run went, by stage and step.

A thread looks fifty times a second at what the run is doing, and adds the time since it last looked to that step. So no
method has to time itself, and a new one is in the table without a line of its own. Reading and counting that Dask
workers do are no part of it: only this process is watched.
"""

import io
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape

from pipeline.commands.terminal import open_console, open_table, shown_path
from pipeline.publish.words import say
from pipeline.stages import STAGES
from pipeline.storage.files import write_text

__all__ = ["TIMINGS", "Cost", "Step", "Timings", "print_timings", "step_of", "timed"]

TIMINGS = "timings.txt"

_PACKAGE = str(Path(__file__).parents[1])
_PAUSE_S = 0.02  # fifty looks a second cost less than 1 % of a core, and a step of a second is known to 2 %
_CALLERS = (
    "stages/",
    "commands/",
    "__main__.py",
    "cli.py",
    "api.py",
    "release/gate.py",
    "storage/results.py",
)  # they call the steps, one after another
_STAGES = {f"stages/{stage.name}.py": stage.name for stage in STAGES}
_WIDTH = 110
_SMALL_PCT = 1.0  # steps below this share of the run are added up, a line for each stage

RUN, LIBRARIES, OTHER = "run", "loading libraries", "other steps"


class Step(NamedTuple):
    """What took time: a function of the package, within a stage.

    `stage` is `run` for what is done around the stages: checksums of inputs, taking over what is fresh, the swap.
    """

    stage: str
    name: str


@dataclass(slots=True)
class Cost:
    """What a step has cost: seconds of all cores, seconds of clock, and the most memory in use, in MB."""

    cpu_s: float = 0.0
    clock_s: float = 0.0
    peak_mb: float = 0.0

    def add(self, other: "Cost") -> None:
        """Add what another step, or a later moment of the same one, has cost."""
        self.cpu_s += other.cpu_s
        self.clock_s += other.clock_s
        self.peak_mb = max(self.peak_mb, other.peak_mb)


@dataclass(slots=True)
class Timings:
    """The costs of every step so far."""

    costs: dict[Step, Cost] = field(default_factory=dict)

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Return the table as text: stage, step, CPU in s, clock in s and peak memory in MB; the whole run comes last.

        Stages are in the order of the run, steps from the longest to the shortest; small ones are one line a stage.
        """
        total = Cost()
        for cost in self.costs.values():
            total.add(cost)
        least_s = total.clock_s * _SMALL_PCT / 100
        shown: dict[Step, Cost] = {}
        for step, cost in self.costs.items():
            name = step.name if cost.clock_s >= least_s else OTHER
            shown.setdefault(Step(step.stage, name), Cost()).add(cost)
        order = [RUN, *(stage.name for stage in STAGES)]
        steps = sorted(shown, key=lambda s: (order.index(s.stage), s.name == OTHER, -shown[s].clock_s, s.name))
        every = [*((*step, shown[step]) for step in steps), ("", "", total)]
        return [
            (stage, name, f"{cost.cpu_s:.1f}", f"{cost.clock_s:.1f}", f"{cost.peak_mb:.0f}")
            for stage, name, cost in every
        ]


def print_timings(timings: Timings, folder: Path, *, quiet: bool) -> None:
    """Write the table to `work/timings.txt` of a run, and print it unless a program reads what is printed."""
    path, text = folder / "work" / TIMINGS, io.StringIO()
    table = open_table("stage", "step", "cpu_s", "clock_s", "peak_mb", right=("cpu_s", "clock_s", "peak_mb"))
    for row in timings.rows():
        table.add_row(*row)
    Console(file=text, width=_WIDTH).print(table)
    write_text(path, text.getvalue())
    if not quiet:
        console = open_console()
        console.print()
        console.print(table)
        console.print(escape(say("terminal.run.timings", path=shown_path(path))))


@contextmanager
def timed() -> Iterator[Timings]:
    """Time what the calling thread does in a `with` block."""
    timings, stop, watched = Timings(), threading.Event(), threading.get_ident()

    def watch() -> None:
        clock, cpu, ends = time.perf_counter(), time.process_time(), False
        while not ends:
            ends = stop.wait(_PAUSE_S)
            now, now_cpu = time.perf_counter(), time.process_time()
            cost = Cost(now_cpu - cpu, now - clock, _memory_mb())
            frame = sys._current_frames().get(watched)  # noqa: SLF001 the documented way to see another thread
            timings.costs.setdefault(step_of(frame), Cost()).add(cost)
            clock, cpu = now, now_cpu

    thread = threading.Thread(target=watch, name="timings", daemon=True)
    thread.start()
    try:
        yield timings
    finally:
        stop.set()
        thread.join()


def step_of(frame: FrameType | None) -> Step:
    """Return the step that a stack of calls is in, from its innermost frame.

    It is the outermost function that a stage calls, or that the release gate calls for a stage: `write_map`, `protect`.
    """
    stage, name, inner = RUN, "", ""
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith("<frozen importlib"):
            name = LIBRARIES  # whoever happened to import a library first is not to blame
        elif code.co_filename.startswith(_PACKAGE):
            module = Path(code.co_filename).relative_to(_PACKAGE).as_posix()
            stage = _STAGES.get(module, stage)
            inner = inner or code.co_qualname
            if name != LIBRARIES and not module.startswith(_CALLERS):
                name = code.co_qualname
        frame = frame.f_back
    return Step(stage, name or inner or OTHER)


def _memory_mb() -> float:
    """Return the memory in use, in MB; 0 on systems without `/proc`."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
