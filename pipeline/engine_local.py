"""The engine of one machine: parts one after another, DuckDB and NumPy using the cores inside each."""

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["LocalEngine"]

T = TypeVar("T")
R = TypeVar("R")


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
