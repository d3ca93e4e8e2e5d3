"""Where the per-file work runs: an engine applies one function to many parts and returns the answers in order.

Methods are written once, elsewhere; an engine only decides which process calls them.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

__all__ = ["Engine"]

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """Anything that can map a picklable function over parts."""

    name: str

    def map(self, function: Callable[[T], R], parts: Sequence[T], *, done: Callable[[int], None]) -> list[R]:
        """Return `[function(p) for p in parts]`; call `done(count)` as parts finish."""

    def close(self) -> None:
        """Let go of workers."""
