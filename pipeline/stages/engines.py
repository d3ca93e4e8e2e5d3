"""Engines for the work on files: an engine applies one function to many parts and returns the results in order.

Methods are written once, in their packages; an engine only decides which process calls them.
"""

import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Protocol, TypeVar

from pipeline.config import Run
from pipeline.errors import EngineError, HotspotsError

__all__ = ["DaskEngine", "Engine", "LocalEngine", "engine_of", "usable_cores"]

_ATTEMPTS = 3  # a part that killed three workers would kill a fourth
_CONNECT_SECONDS = 10
_LOST_SECONDS = 30  # workers started together with the scheduler need some seconds to register
_WORKER_OVERHEAD_MB = 700  # libraries, and a batch in flight beside the database
_UNCHANGED = "The last complete outputs are as they were."

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """Anything that can map a picklable function over parts."""

    def map(self, function: Callable[[T], R], parts: Sequence[T], *, done: Callable[[int], None]) -> list[R]:
        """Return `[function(p) for p in parts]`; call `done(count)` as parts finish."""

    def close(self) -> None:
        """End what the engine started."""


class LocalEngine:
    """Runs parts in this process, one after another; DuckDB and NumPy use the cores inside each part."""

    def map(self, function: Callable[[T], R], parts: Sequence[T], *, done: Callable[[int], None]) -> list[R]:
        """Return the results in the order of the parts."""
        results = []
        for number, part in enumerate(parts, start=1):
            results.append(function(part))
            done(number)
        return results

    def close(self) -> None:
        """Do nothing: nothing was started."""


class DaskEngine:
    """Runs parts on a Dask scheduler, or on a local cluster of worker processes made for this run.

    Parts are files, and what comes back is small: workers and this process share the folder of the inputs and that of
    the outputs (one machine's disk, or a network file system), under the same paths. A lost worker costs a retry.

    Parameters
    ----------
    scheduler
        Address of a scheduler, `tcp://host:8786`; empty for a local cluster.
    workers
        Worker processes of a local cluster; no more are started than have room for `memory_limit_mb` each.
    memory_limit_mb
        Memory that the database of one part may use.

    Raises
    ------
    EngineError
        If Dask is not installed or the scheduler does not answer.
    """

    def __init__(self, *, scheduler: str, workers: int, memory_limit_mb: int = 2000) -> None:
        try:
            import dask
            from distributed import Client, LocalCluster
        except ImportError:
            raise EngineError(
                "run.engine is dask, which is not installed: "
                "install it with `pip install -c constraints.txt -e '.[dask]'`"
            ) from None
        self._where = scheduler or "this machine"
        self._open = ExitStack()
        # What Dask logs when a worker is lost is for its developers; the errors below say it once, for people.
        for noisy in ("distributed", "tornado"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        try:
            # A part that kills its workers is given up after so many of them, instead of going round for ever.
            self._open.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": _ATTEMPTS - 1}))
            cluster: Any = None
            if not scheduler:
                scratch = self._open.enter_context(tempfile.TemporaryDirectory(prefix="hotspots-dask-"))
                cluster = LocalCluster(
                    n_workers=fitting(workers, memory_limit_mb=memory_limit_mb, available_mb=_memory_mb()),
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=None,
                    host="127.0.0.1",
                    memory_limit=0,  # the database keeps to its own limit and spills; nothing is paused or killed
                    local_directory=scratch,
                    silence_logs=logging.CRITICAL,
                )
                self._open.callback(cluster.close)
            self._client = Client(cluster or scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
            self._open.callback(self._client.close)
        except (OSError, TimeoutError, ValueError) as error:
            self._open.close()
            raise EngineError(
                f"no Dask scheduler answers at {self._where} ({error}): start one with "
                "`dask scheduler`, correct run.scheduler, or leave it empty for a local cluster. Nothing was changed."
            ) from None

    def map(self, function: Callable[[T], R], parts: Sequence[T], *, done: Callable[[int], None]) -> list[R]:
        """Return the results in the order of the parts; a part whose worker dies is tried again on another.

        Raises
        ------
        EngineError
            If a part's workers died again and again, or no worker is left.
        HotspotsError
            What the function raised, as the local engine would.
        """
        from distributed import KilledWorker, as_completed

        if not parts:
            return []
        if not self._client.scheduler_info(n_workers=1)["workers"]:
            self._await_workers()
        # Not pure: a part writes files, so an earlier result under the same key must not stand in for the work.
        futures = self._client.map(function, list(parts), pure=False, batch_size=64)
        try:
            # Waited for as they finish, so that the first error ends the run at once; collected in order, so that the
            # result does not depend on which worker was faster.
            for number, future in enumerate(as_completed(futures, loop=self._client.loop), start=1):
                future.result()
                done(number)
            return [future.result() for future in futures]
        except HotspotsError:
            raise
        except KilledWorker as error:
            raise EngineError(
                f"a part of the work was given up after {_ATTEMPTS} workers died on it ({error.task}): "
                f"give the workers more memory, lower run.memory_limit_mb, or look at their logs. {_UNCHANGED}"
            ) from None
        except (OSError, TimeoutError, RuntimeError) as error:
            # With a number it comes from the disk, inside a part, and the runner explains it. Dask's own have none.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise EngineError(
                f"the Dask scheduler at {self._where} was lost ({type(error).__name__}: {error}): look at its log, "
                f"start it again and run again. {_UNCHANGED}"
            ) from None
        finally:
            self._client.cancel(futures, force=True)

    def _await_workers(self) -> None:
        """Give workers that are on their way a moment."""
        try:
            self._client.wait_for_workers(1, timeout=_LOST_SECONDS)
        except TimeoutError:
            raise EngineError(
                f"the Dask scheduler at {self._where} has no worker: start some with `dask worker {self._where}`. "
                f"{_UNCHANGED}"
            ) from None

    def close(self) -> None:
        """Leave the scheduler, and end the local cluster and its scratch folder."""
        self._open.close()


def engine_of(run: Run) -> Engine:
    """Start the engine that the configuration names.

    Raises
    ------
    EngineError
        If it cannot be started.
    """
    if run.engine == "dask":  # `Run.engine` is a Literal: mypy refuses a name that no setting can have
        return DaskEngine(scheduler=run.scheduler, workers=run.workers, memory_limit_mb=run.memory_limit_mb)
    return LocalEngine()


def fitting(workers: int, *, memory_limit_mb: int, available_mb: int) -> int:
    """Return how many workers have room, at least one and at most as many as asked for.

    Examples
    --------
    >>> fitting(8, memory_limit_mb=2000, available_mb=12_000)
    4
    """
    return max(1, min(workers, available_mb // (memory_limit_mb + _WORKER_OVERHEAD_MB)))


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_mb() -> int:
    """Return the memory of this machine, in MB."""
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1_000_000)
