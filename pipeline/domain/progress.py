"""How far a long step has come: a report that a stage hands down to the method that knows."""

from typing import Protocol

__all__ = ["Progress", "unwatched"]


class Progress(Protocol):
    """Called as a long step advances."""

    def __call__(self, label: str, done: int, total: int) -> None:
        """`done` of `total` parts of the step called `label`; 0 for a total that is not known."""


def unwatched(label: str, done: int, total: int) -> None:
    """Report to nobody."""
