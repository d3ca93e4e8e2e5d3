"""The generalised likelihood ratio of a cylinder, and the smallest count that makes it large."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Best",
    "Block",
    "Circles",
    "Cylinders",
    "circles_round",
    "cylinders_over",
    "largest_expected",
    "log_ratio",
    "smallest_count",
]


def log_ratio(count: NDArray[np.integer], expected: NDArray[np.float64], *, total: int) -> NDArray[np.float64]:
    """Return ``c ln(c / mu) + (C - c) ln((C - c) / (C - mu))`` where c > mu, and 0 elsewhere.

    Parameters
    ----------
    count, expected
        Cases c in each cylinder, and mu, what place and time alone would put there.
    total
        All cases, C.

    Returns
    -------
    log_ratio
        In the common shape of `count` and `expected`.

    References
    ----------
    Kulldorff et al. (2005), PLoS Medicine 2(3), e59.
    """
    c, mu = np.broadcast_arrays(np.asarray(count, dtype=np.float64), np.asarray(expected, dtype=np.float64))
    high = (c > mu) & (mu > 0)
    out = np.zeros(c.shape)
    inside, by_chance = c[high], mu[high]
    outside = total - inside
    rest = np.log(np.maximum(outside, 1.0) / np.maximum(total - by_chance, 1e-300))
    out[high] = inside * np.log(inside / by_chance) + np.where(outside > 0, outside * rest, 0.0)
    return out


def largest_expected(*, total: int, at_least: float) -> NDArray[np.float64]:
    """Return for each count 1, 2, ... total the largest expected value at which its log ratio reaches a bound.

    The ratio falls as mu rises and rises with c, so halving finds each limit, and the limits rise with c.

    Parameters
    ----------
    total
        All cases.
    at_least
        The bound on the log ratio, above 0.
    """
    counts = np.arange(1, total + 1)
    # Halving 50 times gives the limit to 15 figures: it is computed once per bound, not per cylinder.
    low, high = np.zeros(total), counts.astype(np.float64)
    for _ in range(50):
        middle = (low + high) / 2
        enough = log_ratio(counts, middle, total=total) >= at_least
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    return low


def smallest_count(expected: NDArray[np.float64], *, limits: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return for each expected value the smallest count that reaches the bound behind the limits.

    It turns the search of millions of cylinders into one comparison of integers.

    Parameters
    ----------
    expected
        Expected cases of each cylinder.
    limits
        From `largest_expected`.

    Returns
    -------
    counts
        In the shape of `expected`; total + 1 where no count reaches the bound.
    """
    # A little slack: a count on the very limit is looked at rather than lost to the last digit.
    return (np.searchsorted(limits * (1 + 1e-12), expected, side="left") + 1).astype(np.int32)


# Circles of growing radius round every location, in an order in which one running sum counts them all
# ----------------------------------------------------------------------------------------------------


ROWS_TIMES_PERIODS = 3_000_000  # table cells held at once: bounds the memory of a pass
SAME_DISTANCE_M = 1e-6  # micrometres: cells of a grid at one distance must enter a circle together


@dataclass(frozen=True, slots=True)
class Circles:
    """Every centre's locations from near to far, one after another.

    Attributes
    ----------
    member
        Location numbers, centre after centre, nearest first, shape (rows,).
    centre
        Location number of the centre of each row, shape (rows,).
    radius_m
        Distance of the row's location from the centre in metres: the circle's radius, shape (rows,).
    used
        True where the circle ends: the last of several locations at one distance, and no more than the
        allowed share of cases inside, shape (rows,).
    cases
        Cases in the circle over all periods, shape (rows,).
    """

    member: NDArray[np.int64]
    centre: NDArray[np.int64]
    radius_m: NDArray[np.float64]
    used: NDArray[np.bool_]
    cases: NDArray[np.int64]

    @property
    def first_row(self) -> NDArray[np.int64]:
        """Row at which the centre of each row begins, shape (rows,)."""
        return np.searchsorted(self.centre, self.centre).astype(np.int64)

    def blocks(self, periods: int) -> Iterator["Block"]:
        """Cut the rows between centres into parts that fit the memory bound."""
        begins = np.flatnonzero(np.diff(self.centre, prepend=-1))
        ends = np.append(begins[1:], self.centre.size)
        room = max(1, ROWS_TIMES_PERIODS // periods)
        start = 0
        while start < begins.size:
            stop = max(start + 1, int(np.searchsorted(ends, begins[start] + room, side="right")))
            rows = slice(int(begins[start]), int(ends[stop - 1]))
            used = np.flatnonzero(self.used[rows])
            if used.size:
                before = self.first_row[rows][used] - rows.start
                yield Block(
                    member=self.member[rows],
                    ends=used,
                    before=before,
                    row=used + rows.start,
                    cases=self.cases[rows][used],
                )
            start = stop


@dataclass(frozen=True, slots=True)
class Block:
    """Some centres' rows, and the circles among them.

    Attributes
    ----------
    member
        Location of each row of the block.
    ends, before
        Last row of each circle, and the first row of its centre, both counted in the block.
    row
        Row of each circle among all circles.
    cases
        Cases in each circle over all periods.
    """

    member: NDArray[np.int64]
    ends: NDArray[np.int64]
    before: NDArray[np.int64]
    row: NDArray[np.int64]
    cases: NDArray[np.int64]

    def running(self, counts: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return cases in each circle before each period, shape (circles, periods + 1).

        Parameters
        ----------
        counts
            Cases per location and period, shape (locations, periods).
        """
        sums = np.zeros((self.member.size + 1, counts.shape[1]), dtype=np.int32)
        # The sum over all rows may pass 2**31; differences within a circle do not, and wrapping keeps them right.
        np.cumsum(counts[self.member], axis=0, dtype=np.int32, out=sums[1:])
        inside = sums[self.ends + 1] - sums[self.before]
        table = np.zeros((self.ends.size, counts.shape[1] + 1), dtype=np.int32)
        np.cumsum(inside, axis=1, dtype=np.int32, out=table[:, 1:])
        return table


def circles_round(
    points_m: NDArray[np.float64], *, cases: NDArray[np.int64], max_radius_m: float, max_share: float
) -> Circles:
    """Draw circles round every location, through every other up to the largest radius and share of cases.

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (m, 2).
    cases
        Cases per location over all periods, shape (m,).
    max_radius_m
        Largest radius in metres, included.
    max_share
        Largest share of all cases inside a circle.

    Returns
    -------
    circles
        Rows by centre, then distance, then location number.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(points_m)
    found = tree.query_ball_point(points_m, max_radius_m * (1 + 1e-9))
    sizes = np.array([len(f) for f in found], dtype=np.int64)
    centre = np.repeat(np.arange(sizes.size, dtype=np.int64), sizes)
    member = np.concatenate([np.asarray(f, dtype=np.int64) for f in found])
    apart = points_m[member] - points_m[centre]
    # Whole micrometres, so that distances which are equal on paper are equal here.
    steps = np.rint(np.hypot(apart[:, 0], apart[:, 1]) / SAME_DISTANCE_M)
    within = steps <= np.rint(max_radius_m / SAME_DISTANCE_M)
    centre, member, steps = centre[within], member[within], steps[within]
    order = np.lexsort((member, steps, centre))
    centre, member, steps = centre[order], member[order], steps[order]
    # Nearest first, the cases in every circle of a centre are one running sum; a circle ends at the last of several
    # locations at one distance.
    running = np.concatenate([[0], np.cumsum(cases[member])])
    inside = running[1:] - running[np.searchsorted(centre, centre)]
    last = np.append((np.diff(centre) != 0) | (np.diff(steps) != 0), True)
    return Circles(
        member=member,
        centre=centre,
        radius_m=steps * SAME_DISTANCE_M,
        used=last & (inside <= max_share * cases.sum()) & (inside > 0),
        cases=inside,
    )


# Every circle through every window of time: the cylinders, and the best of them for a table of counts
# ----------------------------------------------------------------------------------------------------


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
            # Windows grow longer: of equal ratios the shortest was met first and stays.
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


def cylinders_over(
    points_m: NDArray[np.float64],
    *,
    table: NDArray[np.int64],
    max_radius_m: float,
    max_share: float,
    longest: int,
    prospective: bool,
) -> Cylinders:
    """Combine all circles within reach with all windows up to the longest.

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
    circles = circles_round(points_m, cases=table.sum(axis=1), max_radius_m=max_radius_m, max_share=max_share)
    return Cylinders(
        circles=circles,
        blocks=tuple(circles.blocks(periods)),
        windows=tuple((n, periods - n if prospective else 0, periods - n + 1) for n in range(1, longest + 1)),
        by_period=table.sum(axis=0),
    )
