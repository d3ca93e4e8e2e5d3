"""A second process of a run, which does some of a stage's work beside the first.

It takes one task at a time. What finds it busy is left to the first process, and so is a task that failed there or
whose process was lost: if it fails again, it does so where an error can be explained.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pipeline.domain.progress import unwatched
from pipeline.stages.engines import LocalEngine, usable_cores

if TYPE_CHECKING:  # a run with nothing to do must stay light
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from pipeline.stages import Context, Progress

__all__ = ["SecondProcess", "Task"]

# A second process loads the libraries again, which takes longer than the work that a small run could give it.
_LEAST_COUNTS = 20_000
# Both processes hold the tables of the run, the locations among them: a large run would need twice the memory.
_MOST_LOCATIONS = 2_000_000
_PAUSE_S = 0.2

T = TypeVar("T")
R = TypeVar("R")


class Task(Generic[R]):
    """A piece of work that the second process has in hand, or that it did not take."""

    def __init__(self) -> None:
        self._answer: R | None = None
        self._latest: tuple[str, int, int] | None = None  # how far the second process says it is: label, done, total
        self._over = threading.Event()
        self._over.set()

    def begin(self, pipe: "Connection", job: Any, over: Callable[[], None]) -> None:
        """Hand the job to the second process; `over` is called when it has answered."""
        self._over.clear()
        # A thread sends and receives: neither process ever waits for the other to read what it says.
        threading.Thread(target=self._listen, args=(pipe, job, over), daemon=True).start()

    def _listen(self, pipe: "Connection", job: Any, over: Callable[[], None]) -> None:
        try:
            with contextlib.suppress(EOFError, OSError):  # the second process was lost
                pipe.send(job)
                while self._answer is None:
                    self._answer, self._latest = pipe.recv()
                over()
        finally:
            self._over.set()

    def result(self, progress: "Progress") -> R | None:
        """Wait for the result and return it; None if the second process did not do the work."""
        while not self._over.wait(_PAUSE_S):
            if self._latest is not None:
                progress(*self._latest)
        return self._answer


class SecondProcess:
    """The second process of a run; it is started with the first task that pays for it, and ends with the run.

    Parameters
    ----------
    allowed
        Whether there may be one. It is right only where the program that runs is one of ours: a second process loads
        the module that was started as the program again, and a user's script would do all its work twice.
    """

    def __init__(self, *, allowed: bool = False) -> None:
        self._allowed = allowed and usable_cores() > 1
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._busy = False

    def start(self, work: "Callable[[Context, T], R]", context: "Context", of: T) -> Task[R]:
        """Begin `work(context, of)` in the second process if it is free and the run is large enough to pay for it.

        The work is a function of a module; it leaves its results in files and returns something, which is not None. It
        can be done again after it was broken off. What it adds to the context is not seen in the first process.
        """
        task = Task[R]()
        if self._allowed and not self._busy and _pays(context):
            self._busy = True  # for good if the process is lost
            task.begin(self._pipe or self._open(), (work, _portable(context), of), self._free)
        return task

    def _open(self) -> "Connection":
        from multiprocessing import get_context

        spawn = get_context("spawn")  # a fork would copy the locks of libraries' threads, and could wait for ever
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
        with _ignoring_interrupts():
            self._process.start()
        theirs.close()  # else nobody would hear that the second process was lost
        return self._pipe

    def _free(self) -> None:
        self._busy = False

    def close(self) -> None:
        """End the second process, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None


def _portable(context: "Context") -> "Context":
    """Return a context without what belongs to this process: its engine, its reports, its second process."""
    fresh: dict[str, Any] = {"choices": {}, "counters": {}, "first_cautions": [], "cautions": []}
    return replace(context, engine=LocalEngine(), progress=unwatched, second=SecondProcess(), **fresh)


def _pays(context: "Context") -> bool:
    """Return whether there is enough to do for a second process, and little enough to hold twice."""
    from pyarrow.parquet import read_metadata

    rows = {
        name: read_metadata(path).num_rows if (path := context.work(f"{name}.parquet")).is_file() else 0
        for name in ("area_months", "locations")
    }
    return rows["area_months"] >= _LEAST_COUNTS and rows["locations"] <= _MOST_LOCATIONS


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Let a process that is started here ignore Ctrl-C, which reaches all of a terminal: the first one ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(pipe: "Connection") -> None:
    """Do the tasks that come through the pipe until it is closed; end at once with the first process.

    A first process that is killed frees the run's folder for the next run, into which nothing may be written then.
    """
    from multiprocessing import parent_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    first = parent_process()
    if first is not None:
        threading.Thread(target=_end_with, args=(first.sentinel,), daemon=True).start()
    try:
        while True:
            work, context, of = pipe.recv()
            pipe.send((work(replace(context, progress=lambda *said: pipe.send((None, said))), of), None))
    except EOFError:
        return
    except BaseException:  # noqa: BLE001 - whatever it is, the first process does the task again and explains it
        os._exit(1)


def _end_with(sentinel: int) -> None:
    from multiprocessing.connection import wait

    wait([sentinel])
    os._exit(1)
