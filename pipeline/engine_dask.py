"""The engine of many machines: parts go to the workers of a Dask cluster, and a lost worker costs a retry."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pipeline.errors import EngineError, HotspotsError

__all__ = ["DaskEngine"]

T = TypeVar("T")
R = TypeVar("R")

_RETRIES = 3
_CONNECT_SECONDS = 10


class DaskEngine:
    """Runs parts on a Dask scheduler, or on a local cluster of worker processes made for this run.

    Raises
    ------
    EngineError
        If Dask is not installed or the scheduler does not answer.
    """

    name = "dask"

    def __init__(self, *, scheduler: str, workers: int) -> None:
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            raise EngineError(
                "run.engine is dask, which is not installed: "
                "install it with `pip install -c constraints.txt -e '.[dask]'`"
            ) from None
        self._cluster: Any = None
        try:
            if not scheduler:
                self._cluster = LocalCluster(
                    n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
                )
            self._client = Client(self._cluster or scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise EngineError(
                f"no Dask scheduler answers at {scheduler or 'this machine'} ({error}): start one with "
                "`dask scheduler`, correct run.scheduler, or leave it empty for a local cluster. Nothing was changed."
            ) from None

    def map(self, function: Callable[[T], R], parts: Sequence[T], *, done: Callable[[int], None]) -> list[R]:
        """Return the answers in the order of the parts; a part whose worker dies is tried again elsewhere."""
        from distributed import KilledWorker, as_completed

        futures = self._client.map(function, list(parts), retries=_RETRIES, pure=False)
        try:
            for number, future in enumerate(as_completed(futures), start=1):
                future.result()
                done(number)
            return [future.result() for future in futures]
        except HotspotsError:
            raise
        except KilledWorker as error:
            raise EngineError(
                f"a part of the work was given up after its workers died {_RETRIES} times ({error}): "
                "give the workers more memory, or look at their logs. The last complete outputs are as they were."
            ) from None
        finally:
            self._client.cancel(futures)

    def close(self) -> None:
        """Let go of the scheduler, and end the local cluster."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
