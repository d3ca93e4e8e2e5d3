"""The space-time permutation scan: clusters in space and time beyond what place and time alone explain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from pipeline.detect.scan.circles import Block, Circles, circles_round
from pipeline.errors import InputError

__all__ = [
    "EVEN",
    "MAX_CYLINDERS",
    "MAX_SHARE",
    "Best",
    "Cylinders",
    "ScanResult",
    "SpaceTimeCluster",
    "cylinders_over",
    "largest_expected",
    "log_ratio",
    "shuffled_dates",
    "smallest_count",
    "space_time_scan",
]


MAX_CYLINDERS = 60_000_000  # the first shuffled data set, and the real one, compute the log ratio of each
MAX_SHARE = 0.5
"""Largest share of all cases in a circle."""
EVEN = 1e-9  # log ratios closer than this are ties: equal cylinders differ by rounding


@dataclass(frozen=True, slots=True)
class SpaceTimeCluster:
    """A circle of places and a run of periods with more cases than chance.

    Attributes
    ----------
    centre
        Location number of the centre.
    radius_m
        Radius in metres; 0 for a single location.
    locations
        Location numbers inside, nearest first.
    first_period, last_period
        Period numbers, both included.
    observed, expected
        Cases counted, and cases that place and time alone would give.
    log_ratio
        Log of the generalised likelihood ratio.
    p
        Monte-Carlo p against the largest ratio of each shuffled data set.
    """

    centre: int
    radius_m: float
    locations: tuple[int, ...]
    first_period: int
    last_period: int
    observed: int
    expected: float
    log_ratio: float
    p: float


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Clusters that share no location, most likely first, and how they were searched.

    Attributes
    ----------
    clusters
        The most likely cluster, whatever its p, then others with p at most `max_p`.
    periods
        Number of periods searched.
    cases, cylinders, permutations, seed
        What was searched and how often it was shuffled.
    prospective
        True if only cylinders that reach the last period were searched.
    max_p
        Largest p of a cluster that counts.
    notes
        Limits of this result, one sentence each.
    """

    clusters: tuple[SpaceTimeCluster, ...]
    periods: int
    cases: int
    cylinders: int
    permutations: int
    seed: int
    prospective: bool
    max_p: float
    notes: tuple[str, ...]

    @property
    def alerts(self) -> tuple[SpaceTimeCluster, ...]:
        """Clusters that are alive in the last period and whose p is at most `max_p`."""
        return tuple(c for c in self.clusters if c.last_period == self.periods - 1 and c.p <= self.max_p)


def space_time_scan(
    points_m: ArrayLike,
    *,
    counts: ArrayLike | sparse.sparray,
    max_radius_m: float,
    max_share: float = MAX_SHARE,
    max_periods: int | None = None,
    prospective: bool = False,
    dispersion: float = 1.0,
    permutations: int = 999,
    seed: int = 0,
    max_p: float = 0.05,
) -> ScanResult:
    """Find cylinders (a circle of places, a run of periods) with more cases than place and time explain.

    Expected cases are (cases at the places) x (cases in the periods) / (all cases), so a place that is
    always busy or a month that is busy everywhere is no cluster. Cost grows with the number of circles
    (locations within reach of each location) x windows x permutations: 2,000 locations with 50 in reach
    over 36 months take tens of seconds for 99 permutations. Join points to cells of 250 m or more first.

    Parameters
    ----------
    points_m
        Eastings and northings of locations or cell centres in metres, shape (m, 2).
    counts
        Whole numbers of cases per location and period, shape (m, periods), dense or sparse.
    max_radius_m
        Largest radius of a circle in metres.
    max_share
        Largest share of all cases that a circle may hold, 0 to 0.5.
    max_periods
        Longest window in periods; by default half of them.
    prospective
        Search only cylinders that reach the last period, as daily surveillance does.
    dispersion
        Variance over mean of the cases of a place and period. Above 1 they come in series (offences that follow from
        one another), and dates are shuffled among whole series instead of single cases; 1 as in SaTScan.
    permutations, seed
        How often the dates are shuffled, from which seed.
    max_p
        Largest p of a secondary cluster or an alert.

    Returns
    -------
    result
        Clusters without common locations, and notes.

    Raises
    ------
    InputError
        If shapes or limits do not fit, a count is not a whole number, or there are too many cylinders.

    References
    ----------
    Kulldorff, Heffernan, Hartman, Assunção and Mostashari (2005), PLoS Medicine 2(3), e59.
    """
    if not dispersion >= 1:
        raise InputError(f"a dispersion of {dispersion} is less than chance alone gives: use 1 or more")
    points, table = _checked(points_m, counts)
    longest = max(1, table.shape[1] // 2) if max_periods is None else max_periods
    if not 0 < max_share <= 0.5 or max_radius_m < 0 or not 1 <= longest <= table.shape[1] or permutations < 1:
        raise InputError(
            f"max_share is {max_share} (over 0, at most 0.5), max_radius_m {max_radius_m} (0 or more), max_periods "
            f"{longest} (1 to {table.shape[1]}), permutations {permutations} (1 or more): change the one out of range"
        )
    notes: list[str] = []
    clusters: tuple[SpaceTimeCluster, ...] = ()
    size = 0
    total = int(table.sum())
    if total < 2:
        notes.append(f"There are {total} cases: a scan needs at least two.")
    else:
        cylinders = cylinders_over(
            points,
            table=table,
            max_radius_m=max_radius_m,
            max_share=max_share,
            longest=longest,
            prospective=prospective,
        )
        size = cylinders.size
        notes += _limits(table, max_share, permutations, max_p)
        if size > MAX_CYLINDERS:
            raise InputError(
                f"{size:,} cylinders are more than the {MAX_CYLINDERS:,} this scan takes on: join locations to larger "
                f"cells, or lower max_radius_m ({max_radius_m:g}) or max_periods ({longest})"
            )
        if size:
            by_chance = _shuffled_maxima(cylinders, table, dispersion, permutations, np.random.default_rng(seed))
            best = cylinders.best_per_circle(table.astype(np.int32))
            clusters = _clusters(cylinders, best, by_chance, max_p)
            if not clusters:
                notes.append("No cylinder holds more cases than place and time alone explain.")
    return ScanResult(
        clusters=clusters,
        periods=table.shape[1],
        cases=total,
        cylinders=size,
        permutations=permutations,
        seed=seed,
        prospective=prospective,
        max_p=max_p,
        notes=tuple(notes),
    )


def _checked(points_m: ArrayLike, counts: ArrayLike | sparse.sparray) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    points = np.asarray(points_m, dtype=np.float64)
    given = counts.toarray() if isinstance(counts, sparse.sparray | sparse.spmatrix) else np.asarray(counts)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise InputError(f"points have shape {points.shape}: give finite eastings and northings, one row per location")
    if given.ndim != 2 or given.shape[0] != points.shape[0] or given.shape[1] < 2:
        raise InputError(
            f"counts have shape {given.shape} and there are {points.shape[0]} locations: "
            "give one row per location and at least two periods"
        )
    table = given.astype(np.int64)
    if (table != given).any() or (table < 0).any():
        raise InputError("counts must be whole numbers of zero or more: the scan shuffles single cases")
    return points, table


def _limits(table: NDArray[np.int64], max_share: float, permutations: int, max_p: float) -> list[str]:
    total, notes = table.sum(), []
    over = int((table.sum(axis=1) > max_share * total).sum())
    if over:
        notes.append(f"{over} locations alone hold more than {max_share:.0%} of all cases and cannot form a cluster.")
    if np.count_nonzero(table.sum(axis=0)) == 1:
        notes.append("All cases fall in one period, so no time stands out.")
    if 1 / (permutations + 1) > max_p:
        notes.append(f"With {permutations} permutations p cannot fall under {1 / (permutations + 1):.2g}.")
    return notes


def _shuffled_maxima(
    cylinders: "Cylinders", table: NDArray[np.int64], dispersion: float, permutations: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the largest log ratio of each data set with shuffled dates, shape (permutations,).

    The first is searched in full; from then on only cylinders with a count that reaches four fifths of that
    maximum are computed, and the bound is lowered where a data set has none. The maxima are exact all the same.
    """
    largest = np.zeros(permutations)
    bound, needed = 0.0, None
    for i in range(permutations):
        shuffled = shuffled_dates(table, dispersion=dispersion, rng=rng)
        if needed is None:
            largest[i] = cylinders.best_per_circle(shuffled).log_ratio.max(initial=0.0)
            bound = 0.8 * largest[i]
            needed = cylinders.needed(bound) if bound > EVEN else None
            continue
        largest[i] = cylinders.maximum(shuffled, needed)
        # No cylinder reached the bound, so the maximum is below it: lower the bound and search again, until one does.
        while largest[i] < bound:
            bound *= 0.7
            if bound <= EVEN:
                needed = None
                break
            needed = cylinders.needed(bound)
            largest[i] = cylinders.maximum(shuffled, needed)
    return largest


def shuffled_dates(table: NDArray[np.int64], *, dispersion: float, rng: np.random.Generator) -> NDArray[np.int32]:
    """Return counts with dates shuffled: each place keeps its total and so does each period.

    With a dispersion of 1 dates trade places among single cases (Kulldorff et al. 2005). Above 1 the cases of a place
    and period are first put into series. Counts whose variance is `dispersion` times the mean m (negative binomial) are
    sums of series that begin independently, of sizes from a logarithmic distribution; given a count, its division into
    series is that of Ewens with parameter r = m / (dispersion - 1): the case after k others begins a series with
    probability r / (r + k), and otherwise joins that of one of them. Series of one size begin at a rate that is a
    product of place and period if nothing clusters, so dates trade places among series of the same size.

    Parameters
    ----------
    table
        Cases, shape (locations, periods).
    dispersion
        Variance over mean, 1 or more.
    rng
        Source of the draws.

    References
    ----------
    Quenouille (1949), Biometrics 5, 162-164, for the series; Ewens (1972), Theoretical Population Biology 3, 87-112.
    """
    locations, periods = table.shape
    held = table.ravel()
    cell = np.repeat(np.arange(table.size), held)
    if dispersion == 1:
        place, period = np.divmod(cell, periods)
        moved = place * periods + rng.permutation(period)
        return np.bincount(moved, minlength=table.size).reshape(locations, periods).astype(np.int32)
    mean = np.outer(table.sum(axis=1), table.sum(axis=0)).ravel() / max(int(held.sum()), 1)
    first = np.cumsum(held) - held
    before = np.arange(cell.size) - first[cell]  # how many cases of the same place and period come before each
    begins = rng.random(cell.size) * (mean[cell] / (dispersion - 1) + before) < mean[cell] / (dispersion - 1)
    begins[before == 0] = True
    # Each joins the series of a case before it, drawn evenly; following those links ends at the case that began it.
    head = np.where(begins, np.arange(cell.size), first[cell] + (rng.random(cell.size) * before).astype(np.int64))
    while (further := head[head] != head).any():
        head = np.where(further, head[head], head)
    size = np.bincount(head, minlength=cell.size)
    start = np.flatnonzero(size)
    size, (place, period) = size[start], np.divmod(cell[start], periods)
    # Among series of one size: in any order on one side, at random on the other.
    as_they_are = np.argsort(size, kind="stable")
    at_random = np.lexsort((rng.random(size.size), size))
    moved = np.empty_like(period)
    moved[as_they_are] = period[at_random]
    shuffled = np.bincount(place * periods + moved, weights=size, minlength=table.size)
    return shuffled.reshape(locations, periods).astype(np.int32)


def _clusters(
    cylinders: "Cylinders", best: "Best", by_chance: NDArray[np.float64], max_p: float
) -> tuple[SpaceTimeCluster, ...]:
    """Take the best cylinder, then the best without any of its locations, and so on while p allows."""
    circles = cylinders.circles
    clusters: list[SpaceTimeCluster] = []
    taken = np.zeros(int(circles.member.max()) + 1, dtype=bool)
    radius_m, centre, start = circles.radius_m[best.row], circles.centre[best.row], circles.first_row[best.row]
    # Of equal ratios the smaller circle, then the shorter and earlier window, then the lower centre number.
    order = np.lexsort((centre, best.start, best.length, radius_m, -np.round(best.log_ratio, 9)))
    for k in order[best.log_ratio[order] > EVEN]:
        p = (1 + int((by_chance >= best.log_ratio[k] - EVEN).sum())) / (by_chance.size + 1)
        if clusters and p > max_p:
            break
        inside = circles.member[start[k] : best.row[k] + 1]
        # Overlapping circles tell the same story: only clusters that share no place are reported.
        if taken[inside].any():
            continue
        taken[inside] = True
        clusters.append(
            SpaceTimeCluster(
                centre=int(centre[k]),
                radius_m=float(radius_m[k]),
                locations=tuple(int(i) for i in inside),
                first_period=int(best.start[k]),
                last_period=int(best.start[k] + best.length[k] - 1),
                observed=int(best.observed[k]),
                expected=float(best.expected[k]),
                log_ratio=float(best.log_ratio[k]),
                p=p,
            )
        )
    return tuple(clusters)


# The generalised likelihood ratio of a cylinder, and the smallest count that makes it large
# ------------------------------------------------------------------------------------------


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
        """Return the largest log ratio of all cylinders with the required counts; 0 if there is none."""
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
