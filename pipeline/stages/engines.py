"""Where the per-file work runs: an engine applies one function to many parts and returns the answers in order.

Methods are written once, elsewhere; an engine only decides which process calls them.
"""

import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Protocol, TypeVar

from pipeline.errors import EngineError, HotspotsError

__all__ = ["DaskEngine", "Engine", "LocalEngine"]


T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """Anything that can map a picklable function over parts."""

    name: str

    def map(self, function: Callable[[T], R], parts: Sequence[T], *, done: Callable[[int], None]) -> list[R]:
        """Return `[function(p) for p in parts]`; call `done(count)` as parts finish."""

    def close(self) -> None:
        """Let go of workers."""


# The engine of one machine: parts one after another, DuckDB and NumPy using the cores inside each.


class LocalEngine:
    """Runs parts in this process."""

    name = "local"

    def map(self, function: Callable[[T], R], parts: Sequence[T], *, done: Callable[[int], None]) -> list[R]:
        """Return the answers in the order of the parts."""
        answers = []
        for number, part in enumerate(parts, start=1):
            answers.append(function(part))
            done(number)
        return answers

    def close(self) -> None:
        """Nothing to let go of."""


# The engine of many machines: parts go to the workers of a Dask cluster, and a lost worker costs a retry.
#
# Parts are files, and what comes back is small: workers and this process share the folder of the inputs and that of the
# outputs (one machine's disk, or a network file system), under the same paths.


_ATTEMPTS = 3
_CONNECT_SECONDS = 10
_LOST_SECONDS = 30
_WORKER_OVERHEAD_MB = 700  # libraries, and a batch in flight beside the database
_STAYS = "The last complete outputs are as they were."


class DaskEngine:
    """Runs parts on a Dask scheduler, or on a local cluster of worker processes made for this run.

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

    name = "dask"

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
        """Return the answers in the order of the parts; a part whose worker dies is tried again elsewhere.

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
        futures = self._client.map(function, list(parts), pure=False, batch_size=64)
        try:
            for number, future in enumerate(as_completed(futures, loop=self._client.loop), start=1):
                future.result()
                done(number)
            return [future.result() for future in futures]
        except HotspotsError:
            raise
        except KilledWorker as error:
            raise EngineError(
                f"a part of the work was given up after {_ATTEMPTS} workers died on it ({error.task}): "
                f"give the workers more memory, lower run.memory_limit_mb, or look at their logs. {_STAYS}"
            ) from None
        except (OSError, TimeoutError, RuntimeError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise EngineError(
                f"the Dask scheduler at {self._where} was lost ({type(error).__name__}: {error}): look at its log, "
                f"start it again and run again. {_STAYS}"
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
                f"{_STAYS}"
            ) from None

    def close(self) -> None:
        """Let go of the scheduler, and end the local cluster and its scratch folder."""
        self._open.close()


def fitting(workers: int, *, memory_limit_mb: int, available_mb: int) -> int:
    """Return how many workers have room, at least one and at most as many as asked for.

    Examples
    --------
    >>> fitting(8, memory_limit_mb=2000, available_mb=12_000)
    4
    """
    return max(1, min(workers, available_mb // (memory_limit_mb + _WORKER_OVERHEAD_MB)))


def _memory_mb() -> int:
    """Return the memory of this machine, in MB."""
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1_000_000)
