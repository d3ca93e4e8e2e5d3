"""Counts in bands: the interval that is released in place of a number.

A band is written the way people write it: "10-19", "500 or more", "fewer than 10".
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.errors import InputError

__all__ = ["Bands", "count_bands", "fewer_than"]

STEPS = (1, 2, 5)  # of each power of ten: limits that people read easily, each about twice the one before


@dataclass(frozen=True, slots=True)
class Bands:
    """Bands of whole numbers.

    Attributes
    ----------
    edges
        Smallest count of each band, ascending; the last band has no end. Counts under the first edge have the band
        "fewer than ..." with it.

    Raises
    ------
    InputError
        If the edges are not ascending whole numbers from 1.

    Examples
    --------
    >>> bands = Bands((10, 20, 50))
    >>> bands.label(19), bands.label(50), bands.label(3), bands.label(0)
    ('10-19', '50 or more', 'fewer than 10', 'fewer than 10')
    >>> bands.interval("10-19"), bands.interval("50 or more"), bands.interval("fewer than 10")
    ((10, 19), (50, None), (0, 9))
    """

    edges: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse edges that are no bands."""
        if not self.edges or self.edges[0] < 1 or any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise InputError(f"band edges must be whole numbers from 1, ascending and at least one: got {self.edges}.")

    @property
    def labels(self) -> tuple[str, ...]:
        """Every band in words, from the smallest, the one under the first edge included."""
        return (fewer_than(self.edges[0]), *(self.label(edge) for edge in self.edges))

    def label(self, count: int) -> str:
        """Name the band a count lies in."""
        if count < 0:
            raise InputError(f"a count cannot be negative: {count}.")
        place = bisect_right(self.edges, count)
        if place == 0:
            return fewer_than(self.edges[0])
        if place == len(self.edges):
            return f"{self.edges[-1]:,} or more"
        low, high = self.edges[place - 1], self.edges[place] - 1
        return f"{low:,}" if low == high else f"{low:,}-{high:,}"

    def interval(self, label: str) -> tuple[int, int | None]:
        """Read a band's smallest and largest count, None where it has no end."""
        limits = (0, *self.edges)
        for place, name in enumerate(self.labels):
            if name == label:
                return limits[place], None if place == len(self.edges) else limits[place + 1] - 1
        raise InputError(f"{label!r} is none of the bands {', '.join(self.labels)}.")


def count_bands(threshold: int, *, last: int = 500) -> Bands:
    """Make the default bands: from the threshold on in steps of 1, 2, 5, 10, ... up to `last`.

    >>> count_bands(10).labels
    ('fewer than 10', '10-19', '20-49', '50-99', '100-199', '200-499', '500 or more')
    >>> count_bands(5).labels[:3]
    ('fewer than 5', '5-9', '10-19')
    """
    if threshold < 1 or last < threshold:
        raise InputError(f"bands begin at a threshold of at least 1 and at most {last}: got {threshold}.")
    return Bands(tuple(sorted({threshold, *_ladder(threshold, last)})))


def fewer_than(threshold: int) -> str:
    """Word the band under a threshold, zeros included."""
    return f"fewer than {threshold:,}"


def _ladder(threshold: int, last: int) -> Iterable[int]:
    decade = 1
    while decade <= last:
        yield from (step * decade for step in STEPS if threshold < step * decade <= last)
        decade *= 10
