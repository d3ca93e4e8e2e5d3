"""Every circle through every window of time: the cylinders, and the best of them for a table of counts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.scan.circles import Block, Circles, lay_circles
from pipeline.scan.ratio import largest_expected, log_ratio, smallest_count

__all__ = ["Best", "Cylinders", "lay_cylinders"]


@dataclass(frozen=True, slots=True)
class Best:
    """The best window of each circle.

    Attributes
    ----------
    row
        Row of the circle among all circles, shape (circles,).
    log_ratio
        Log ratio of its best window, shape (circles,).
    start, length
        First period and number of periods of that window, shape (circles,).
    observed, expected
        Cases in that cylinder, counted and by chance, shape (circles,).
    """

    row: NDArray[np.int64]
    log_ratio: NDArray[np.float64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    observed: NDArray[np.int64]
    expected: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cylinders:
    """Circles in blocks, and windows of `length` periods that begin at each of `starts`.

    Attributes
    ----------
    circles, blocks
        All circles, and the same in parts that fit in memory.
    windows
        Length in periods, first start, one past the last start.
    by_period
        Cases in each period, shape (periods,).
    """

    circles: Circles
    blocks: tuple[Block, ...]
    windows: tuple[tuple[int, int, int], ...]
    by_period: NDArray[np.int64]

    @property
    def first_period(self) -> int:
        """First period that any window holds: earlier ones need no counting."""
        return min(start for _, start, _ in self.windows)

    @property
    def total(self) -> int:
        """All cases."""
        return int(self.by_period.sum())

    @property
    def size(self) -> int:
        """Number of cylinders."""
        return int(self.circles.used.sum()) * sum(stop - start for _, start, stop in self.windows)

    def best_per_circle(self, counts: NDArray[np.int32]) -> Best:
        """Find each circle's best window; of equal ones the shortest, then the earliest.

        Parameters
        ----------
        counts
            Cases per location and period, shape (locations, periods).
        """
        parts = [self._best_of(block, counts) for block in self.blocks]
        joined = [np.concatenate(p) for p in zip(*parts, strict=True)]
        ratio, start, length, observed, expected = joined
        return Best(
            row=np.concatenate([b.row for b in self.blocks]),
            log_ratio=ratio,
            start=start.astype(np.int64),
            length=length.astype(np.int64),
            observed=observed.astype(np.int64),
            expected=expected,
        )

    def needed(self, bound: float) -> list[list[NDArray[np.int32]]]:
        """Return for each block and window length the counts whose log ratio reaches a bound."""
        limits = largest_expected(total=self.total, at_least=bound)
        return [[smallest_count(self._expected(b, w), limits=limits) for w in self.windows] for b in self.blocks]

    def maximum(self, counts: NDArray[np.int32], needed: list[list[NDArray[np.int32]]]) -> float:
        """Return the largest log ratio of all cylinders that hold the needed counts; 0 if none does."""
        largest = 0.0
        for block, by_window in zip(self.blocks, needed, strict=True):
            running = block.running(counts[:, self.first_period :])
            for window, least in zip(self.windows, by_window, strict=True):
                inside = self._inside(running, window)
                circle, at = np.nonzero(inside >= least)
                if circle.size:
                    by_chance = block.cases[circle] * self._in_window(window)[at] / self.total
                    largest = max(largest, float(log_ratio(inside[circle, at], by_chance, total=self.total).max()))
        return largest

    def _best_of(self, block: Block, counts: NDArray[np.int32]) -> tuple[NDArray[np.float64], ...]:
        running, size = block.running(counts[:, self.first_period :]), block.ends.size
        top, start, length, observed, expected = (np.zeros(size) for _ in range(5))
        each = np.arange(size)
        for window in self.windows:
            inside, by_chance = self._inside(running, window), self._expected(block, window)
            ratio = log_ratio(inside, by_chance, total=self.total)
            at = ratio.argmax(axis=1)
            better = ratio[each, at] > top + 1e-12
            for kept, found in (
                (top, ratio[each, at]),
                (start, at + window[1]),
                (length, np.full(size, window[0])),
                (observed, inside[each, at]),
                (expected, by_chance[each, at]),
            ):
                kept[better] = found[better]
        return top, start, length, observed, expected

    def _inside(self, running: NDArray[np.int32], window: tuple[int, int, int]) -> NDArray[np.int32]:
        length, start, stop = (window[0], window[1] - self.first_period, window[2] - self.first_period)
        return np.asarray(running[:, start + length : stop + length] - running[:, start:stop])

    def _in_window(self, window: tuple[int, int, int]) -> NDArray[np.int64]:
        length, start, stop = window
        running = np.concatenate([[0], np.cumsum(self.by_period)])
        return np.asarray((running[length:] - running[:-length])[start:stop])

    def _expected(self, block: Block, window: tuple[int, int, int]) -> NDArray[np.float64]:
        return np.asarray(block.cases[:, None] * self._in_window(window)[None, :] / self.total)


def lay_cylinders(
    points_m: NDArray[np.float64],
    *,
    table: NDArray[np.int64],
    max_radius_m: float,
    max_share: float,
    longest: int,
    prospective: bool,
) -> Cylinders:
    """Lay all circles within reach through all windows up to the longest.

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (m, 2).
    table
        Cases per location and period, shape (m, periods).
    max_radius_m, max_share
        Largest radius in metres and largest share of all cases of a circle.
    longest
        Longest window in periods.
    prospective
        Only windows that reach the last period.
    """
    periods = table.shape[1]
    circles = lay_circles(points_m, cases=table.sum(axis=1), max_radius_m=max_radius_m, max_share=max_share)
    return Cylinders(
        circles=circles,
        blocks=tuple(circles.blocks(periods)),
        windows=tuple((n, periods - n if prospective else 0, periods - n + 1) for n in range(1, longest + 1)),
        by_period=table.sum(axis=0),
    )
