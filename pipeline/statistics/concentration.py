"""How concentrated incidents are: shares of units that hold a share of incidents, Lorenz curve, Gini, lasting places.

A unit is any member of a complete list of places: cells, wards or street segments, those without an incident among
them. All figures rest on counts per unit, most of them only on how many units have each count. Two effects of small
numbers have their own remedies. Fewer incidents than units cannot be spread evenly, so the Gini coefficient is taken
against the most even spread that is possible (Bernasco and Steenbeek 2017). And whole incidents concentrate by chance
alone, so `by_chance` draws the figures of the same number of incidents scattered at random, which readers need beside
them. Random draws cost as much as there are incidents or units, whichever are fewer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError

__all__ = [
    "FEWEST_INCIDENTS",
    "SHARES_PCT",
    "Estimate",
    "Frequencies",
    "Lasting",
    "adjusted_gini",
    "by_chance",
    "gini",
    "jaccard",
    "lasting",
    "lorenz",
    "top_units",
    "units_holding_pct",
    "with_intervals",
]

Counts = NDArray[np.int64]
SHARES_PCT = (25, 50, 80)
"""Shares of incidents in per cent; a quarter and a half are those of the law of crime concentration (Weisburd 2015)."""
FEWEST_INCIDENTS = 50
"""With fewer, a quarter of the incidents is a dozen: one series of offences decides every figure."""
FEWEST_AT_TOP = 2
"""A unit with one incident is at the top by chance: whether it is there again says nothing."""
ONE_BY_ONE = 15
"""Incidents per unit up to which they are drawn one by one: 10 ns an incident against 150 to 200 a unit, measured."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval, and its value if incidents were scattered at random; None where it does not exist."""

    value: float
    low: float | None = None
    high: float | None = None
    chance: float | None = None


def _whole(counts: ArrayLike) -> Counts:
    """Check counts of units, shape (n,)."""
    given = np.asarray(counts)
    if given.ndim != 1 or not given.size:
        raise InputError(f"counts have shape {given.shape}: give one count for each unit, and at least one unit")
    if not (np.isfinite(given.astype(np.float64)).all() and (given >= 0).all() and (given == np.floor(given)).all()):
        raise InputError("counts must be whole numbers of 0 or more: drop unknown ones first")
    return given.astype(np.int64)


@dataclass(frozen=True, slots=True)
class Frequencies:
    """How many units have each count: all that shares of units, the Lorenz curve and Gini coefficients depend on.

    Attributes
    ----------
    values
        Distinct counts, greatest first, shape (k,).
    units
        Units that have each of them, shape (k,).
    """

    values: Counts
    units: Counts

    @classmethod
    def of(cls, counts: Counts, *, empty: int = 0) -> "Frequencies":
        """Sort units by their counts.

        Parameters
        ----------
        counts
            Whole numbers of 0 or more, shape (n,).
        empty
            Further units without any incident.

        Examples
        --------
        >>> Frequencies.of(np.array([3, 1, 1]), empty=5)
        Frequencies(values=array([3, 1, 0]), units=array([1, 2, 5]))
        """
        if counts.max(initial=0) < 4 * counts.size:  # counting beats sorting, unless it would need a long table
            units = np.bincount(counts)
            values = np.flatnonzero(units)
            units = units[values]
        else:
            values, units = np.unique(counts, return_counts=True)
        if empty and values.size and not values[0]:
            units[0] += empty
        elif empty:
            values, units = np.concatenate(([0], values)), np.concatenate(([empty], units))
        return cls(values[::-1].astype(np.int64), units[::-1].astype(np.int64))


def _frequencies(counts: ArrayLike | Frequencies) -> Frequencies:
    return counts if isinstance(counts, Frequencies) else Frequencies.of(_whole(counts))


def _units_holding(of: Frequencies, share_pct: float) -> tuple[int, int]:
    """Return the fewest units that hold a share of the incidents, and the count of the last of them."""
    values, units = of.values, of.units
    reached = np.cumsum(values * units)
    # Compared in hundredths of incidents: no rounding decides whether a share is reached.
    block = int(np.searchsorted(reached * 100, share_pct * int(reached[-1]), side="left"))
    value, before = int(values[block]), int(reached[block] - values[block] * units[block])
    missing = share_pct * int(reached[-1]) - before * 100
    within = max(1, -int(-missing // (100 * value)))
    return int(units[:block].sum()) + within, value


def units_holding_pct(counts: ArrayLike | Frequencies, share_pct: float) -> float:
    """Return the smallest share of units that holds at least a share of the incidents, both in per cent.

    Parameters
    ----------
    counts
        Incidents of every unit, those without any among them, shape (n,), or their frequencies.
    share_pct
        Share of incidents, above 0 and up to 100.

    Returns
    -------
    units_pct
        Whole units over all units; NaN without incidents.

    Raises
    ------
    InputError
        If counts are negative or not whole, or the share is outside its range.

    Examples
    --------
    Ten incidents on five units: the two largest hold eight.

    >>> units_holding_pct([5, 3, 1, 1, 0], 50), units_holding_pct([5, 3, 1, 1, 0], 80)
    (20.0, 40.0)
    """
    if not 0 < share_pct <= 100:
        raise InputError(f"a share of {share_pct} % is none: give more than 0 and at most 100")
    of = _frequencies(counts)
    return 100 * _units_holding(of, share_pct)[0] / int(of.units.sum()) if of.values[0] else float("nan")


def lorenz(counts: ArrayLike | Frequencies) -> NDArray[np.float64]:
    """Return the Lorenz curve with the units that have most incidents first, in per cent of units and of incidents.

    Returns
    -------
    curve
        Corners only, from (0, 0) to (100, 100), shape (k, 2): equal counts lie on one straight line.

    Examples
    --------
    >>> lorenz([4, 2, 2, 0]).tolist()
    [[0.0, 0.0], [25.0, 50.0], [75.0, 100.0], [100.0, 100.0]]
    """
    of = _frequencies(counts)
    values, units = of.values, of.units
    reached = np.cumsum(values * units)
    places = np.column_stack([100 * np.cumsum(units) / units.sum(), 100 * reached / max(int(reached[-1]), 1)])
    return np.vstack([[0.0, 0.0], places])


def gini(counts: ArrayLike | Frequencies) -> float:
    """Return the Gini coefficient of counts over units: 0 if all have the same, towards 1 if one has everything.

    It is twice the sum of ranks times shares, over n, less (n + 1) / n.

    Examples
    --------
    >>> round(gini([10, 8, 2, 0, 0, 0, 0, 0, 0, 0]), 4)
    0.78
    """
    of = _frequencies(counts)
    values, units = of.values, of.units
    total, n = int((values * units).sum()), int(units.sum())
    if not total:
        return float("nan")
    # Ranks from the least count: those of equal units add up to units x the middle of their first and last rank. In
    # whole numbers, doubled, so that the result is the same on every machine.
    last = n - np.concatenate(([0], np.cumsum(units)[:-1]))
    doubled = int((values * units * (2 * last - units + 1)).sum())
    return doubled / (n * total) - (n + 1) / n


def adjusted_gini(counts: ArrayLike | Frequencies) -> float:
    """Return the Gini coefficient against the most even spread that is possible (Bernasco and Steenbeek 2017).

    With c incidents on n units, c under n, the most even spread has one incident on each of c units, and an ordinary
    Gini coefficient of 1 - c / n: this is the zero of the adjusted one. From c = n on both are the same.

    References
    ----------
    Bernasco and Steenbeek (2017), More places than crimes, Journal of Quantitative Criminology 33, 451-467.

    Examples
    --------
    >>> round(adjusted_gini([5, 2, 1, 0, 0, 0, 0, 0, 0, 0]), 4), adjusted_gini([1, 1, 0, 0])
    (0.75, 0.0)
    """
    of = _frequencies(counts)
    total, n = int((of.values * of.units).sum()), int(of.units.sum())
    return max(n / total, 1.0) * (gini(of) - 1) + 1 if total else float("nan")


# Intervals, and what chance alone does
# -------------------------------------


LEFT_OUT = 0.1
"""Share of incidents that each sample leaves out. In simulations with 300 to 10,000 incidents the intervals then hold
the expected figure in 93 to 100 % of cases; with a half left out, or by the bootstrap, in as few as 59 %, because such
samples differ from the data in kind: the one is sparser, the other repeats incidents."""


def with_intervals(
    counts: ArrayLike,
    figures: Callable[[Frequencies], Sequence[float]],
    *,
    samples: int,
    seed: int,
    confidence: float = 0.95,
) -> list[Estimate]:
    """Return figures of counts with intervals: what another period with the same risks and incidents could show.

    Standard errors are those of the delete-d jackknife: a tenth of the incidents is left out at random, again and
    again.

    Parameters
    ----------
    counts
        Incidents of every unit, shape (n,).
    figures
        What is computed of the frequencies of counts.
    samples
        Samples drawn.
    seed
        Seed of the draws.
    confidence
        Coverage.

    Returns
    -------
    estimates
        One for each figure.

    References
    ----------
    Shao and Wu (1989), A general theory for jackknife variance estimation, Annals of Statistics 17, 1176-1197.
    """
    given = _whole(counts)
    values, occupied = figures(Frequencies.of(given)), given[given > 0]
    thinned, widening = _thinning(occupied)
    if not widening:
        return [Estimate(float(value)) for value in values]
    rng, empty = np.random.default_rng(seed), given.size - occupied.size
    drawn = np.array([figures(Frequencies.of(thinned(rng), empty=empty)) for _ in range(samples)], dtype=np.float64)
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * widening * drawn.std(axis=0, ddof=1)
    # Every figure here is a share: an interval ends at 0.
    return [
        Estimate(float(value), max(0.0, float(value - r)), float(value + r))
        for value, r in zip(values, reach, strict=True)
    ]


def _thinning(counts: Counts) -> tuple[Callable[[np.random.Generator], Counts], float]:
    """Return what leaves a tenth of the incidents out, and the factor from such samples to the standard error."""
    total = int(counts.sum())
    kept = total - round(total * LEFT_OUT)
    return partial(_drawn_from, counts, kept), (kept / (total - kept)) ** 0.5 if total > kept else 0.0


def _drawn_from(counts: Counts, kept: int, rng: np.random.Generator) -> Counts:
    """Return how many of each unit's incidents are among some that are drawn without replacement."""
    # Incident by incident, or unit by unit where units hold many: the cost follows the smaller of the two.
    by_incident = counts.sum() < ONE_BY_ONE * counts.size
    return rng.multivariate_hypergeometric(counts, kept, method="count" if by_incident else "marginals")


def by_chance(
    sizes: ArrayLike, incidents: int, figures: Callable[[Frequencies], Sequence[float]], *, draws: int, seed: int
) -> list[float]:
    """Return the mean of figures if the incidents were scattered at random, each unit by its size.

    Parameters
    ----------
    sizes
        Area or length of every unit, positive, shape (n,).
    incidents
        How many are scattered.
    figures
        What is computed of the frequencies of counts.
    draws
        Scatterings.
    seed
        Seed of the draws.
    """
    rng = np.random.default_rng(seed)
    # Units side by side on a line, each as long as its size: an incident falls on the unit that holds its position.
    ends = np.cumsum(np.asarray(sizes, dtype=np.float64))
    shares = np.diff(ends, prepend=0.0) / ends[-1]

    def scattered() -> Frequencies:
        if incidents > ends.size:  # a number is drawn for each unit, as there are fewer units than incidents
            return Frequencies.of(rng.multinomial(incidents, shares))
        # Sums of exponential steps are random positions in rising order, so the incidents of a unit follow each other.
        steps = np.cumsum(rng.standard_exponential(incidents + 1))
        unit = np.searchsorted(ends[:-1], steps[:-1] * (ends[-1] / steps[-1]), side="right")
        first = np.flatnonzero(np.diff(unit, prepend=-1))
        return Frequencies.of(np.diff(first, append=incidents), empty=ends.size - first.size)

    drawn = [figures(scattered()) for _ in range(draws)]
    return [float(v) for v in np.mean(np.array(drawn, dtype=np.float64), axis=0)]


# The same places again
# ---------------------


def top_units(counts: ArrayLike, share_pct: float) -> NDArray[np.bool_] | None:
    """Return the fewest units that hold a share of the incidents, with all that equal the last of them.

    Returns
    -------
    top
        Shape (n,); None if the last of them has a single incident, so that which units are at the top is chance.
    """
    given = _whole(counts)
    of = Frequencies.of(given)
    last = _units_holding(of, share_pct)[1] if of.values[0] else 0
    return given >= last if last >= FEWEST_AT_TOP else None


def jaccard(one: ArrayLike, other: ArrayLike) -> float:
    """Return how much two sets have in common: what is in both over what is in either; NaN if both are empty.

    Parameters
    ----------
    one, other
        Whether each unit is in the set, shape (n,).
    """
    a, b = np.asarray(one, dtype=bool), np.asarray(other, dtype=bool)
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else float("nan")


@dataclass(frozen=True, slots=True)
class Lasting:
    """How far the top units of one period are those of the next.

    Attributes
    ----------
    units_then, units_now
        Units at the top of each period.
    overlap
        Jaccard's index of the two sets.
    share_then_pct, share_now_pct
        Share of each period's incidents in the top units of the earlier one.
    pai_then, pai_now
        The same shares over the units' share of the size of all.
    rri
        Recapture rate index, the ratio of the two: below 1 even if risks stay the same, because units are at the top
        by chance too. `chance` says where it would lie.
    """

    units_then: int
    units_now: int
    overlap: Estimate
    share_then_pct: float
    share_now_pct: float
    pai_then: float
    pai_now: float
    rri: Estimate


def lasting(
    earlier: ArrayLike,
    later: ArrayLike,
    *,
    sizes: ArrayLike,
    top: Callable[[Counts, NDArray[np.float64]], NDArray[np.bool_] | None],
    draws: int,
    seed: int,
    confidence: float = 0.95,
) -> Lasting | None:
    """Compare the top units of two periods.

    `chance` of overlap and RRI is their mean if no unit's risk changed: the incidents of both periods together are
    drawn again, each unit's divided between the periods at random. An overlap under that shows that places changed;
    one of 0.5 alone shows nothing.

    Parameters
    ----------
    earlier, later
        Incidents of every unit in each period, shape (n,).
    sizes
        Area or length of every unit, shape (n,).
    top
        Which units are at the top, from the counts and sizes of those that have incidents in either period: one without
        any is never at the top.
    draws
        Random draws for the intervals, and for what chance alone does.
    seed
        Seed of the draws.
    confidence
        Coverage of the intervals.

    Returns
    -------
    lasting
        None if either period has no units at the top.
    """
    then, now, size = _whole(earlier), _whole(later), np.asarray(sizes, dtype=np.float64)
    if not then.shape == now.shape == size.shape:
        raise InputError(f"there are {then.size}, {now.size} and {size.size} counts and sizes of the same units")
    whole_size, some = float(size.sum()), then + now > 0
    then, now, size = then[some], now[some], size[some]
    first, second = top(then, size), top(now, size)
    if first is None or second is None or not first.any() or not second.any():
        return None

    def both(a: Counts, b: Counts) -> tuple[float, float]:
        one, other = top(a, size), top(b, size)
        if one is None or other is None or not one.any() or not a[one].sum():
            return float("nan"), float("nan")
        return jaccard(one, other), (b[one].sum() / b.sum()) / (a[one].sum() / a.sum())

    rng = np.random.default_rng(seed)
    total_then, total_now = int(then.sum()), int(now.sum())
    fewer_then, widening = _thinning(then)
    fewer_now, _ = _thinning(now)
    again = np.empty((draws, 2))
    same = np.empty((draws, 2))
    every = then + now
    for k in range(draws):
        again[k] = both(fewer_then(rng), fewer_now(rng))
        # Without replacement: the totals of both periods and of every unit stay what they are.
        divided = _drawn_from(every, total_then, rng)
        same[k] = both(divided, every - divided)
    share = float(size[first].sum() / whole_size)
    held_then, held_now = float(then[first].sum() / total_then), float(now[first].sum() / total_now)
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * widening
    spread = (np.nanstd(again, axis=0, ddof=1) * reach).tolist()
    expected = np.nanmean(same, axis=0).tolist()
    overlap, rri = jaccard(first, second), held_now / held_then
    return Lasting(
        units_then=int(first.sum()),
        units_now=int(second.sum()),
        overlap=Estimate(overlap, max(0.0, overlap - spread[0]), min(1.0, overlap + spread[0]), expected[0]),
        share_then_pct=100 * held_then,
        share_now_pct=100 * held_now,
        pai_then=held_then / share,
        pai_now=held_now / share,
        rri=Estimate(rri, max(0.0, rri - spread[1]), rri + spread[1], expected[1]),
    )
