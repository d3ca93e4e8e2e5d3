"""Scans in space alone: circles with more cases than the people at risk (Poisson) or controls (Bernoulli) explain."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy

from pipeline.detect.scan.circles import Circles, circles_round
from pipeline.detect.scan.space_time import EVEN, log_ratio
from pipeline.errors import InputError

__all__ = [
    "FEWEST_FOR_GUMBEL",
    "MAX_CIRCLES",
    "SpatialCluster",
    "SpatialScan",
    "bernoulli_log_ratio",
    "bernoulli_scan",
    "gumbel_p",
    "poisson_scan",
    "relative_risk",
    "share_dispersion",
    "standardised",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_CIRCLES = 3_000_000  # rows of 8 bytes in four arrays, and one pass over them per simulation
MOST_ALIKE = 0.95  # correlation of individuals: at 1 a location would be all cases or none, whatever its size
MOST_EXCESS = 1e6  # of variance over chance: enough for the greatest correlation at any count
FEWEST_FOR_GUMBEL = 99  # with fewer simulations the mean and the spread of the maxima are too uncertain for a tail


@dataclass(frozen=True, slots=True)
class SpatialCluster:
    """A circle with more cases than expected.

    Attributes
    ----------
    centre
        Location number of the centre.
    radius_m
        Radius in metres; 0 for a single location.
    locations
        Location numbers inside, nearest first.
    observed, expected
        Cases counted, and cases if the risk were the same everywhere.
    relative_risk
        Risk inside over risk outside; None where no case lies outside.
    log_ratio
        Log of the likelihood ratio.
    p
        Monte Carlo p against the largest ratio of each simulated data set.
    p_gumbel
        The same from a Gumbel distribution with the mean and spread of those ratios, which can be smaller than one over
        the simulations; None with fewer than 99 simulations.
    """

    centre: int
    radius_m: float
    locations: tuple[int, ...]
    observed: int
    expected: float
    relative_risk: float | None
    log_ratio: float
    p: float
    p_gumbel: float | None


@dataclass(frozen=True, slots=True)
class SpatialScan:
    """Clusters that share no location, most likely first, and how they were searched.

    Attributes
    ----------
    clusters
        The most likely cluster, whatever its p, then others with p at most `max_p`.
    cases, circles, simulations, seed
        What was searched and how often it was simulated.
    max_p
        Largest p of a secondary cluster.
    notes
        Limits of this result, one sentence each.
    """

    clusters: tuple[SpatialCluster, ...]
    cases: int
    circles: int
    simulations: int
    seed: int
    max_p: float
    notes: tuple[str, ...]


def poisson_scan(
    points_m: ArrayLike,
    *,
    cases: ArrayLike,
    expected: ArrayLike,
    dispersion: float = 1.0,
    max_radius_m: float = np.inf,
    max_share: float = 0.5,
    simulations: int = 999,
    seed: int = 0,
    max_p: float = 0.05,
) -> SpatialScan:
    """Find circles in which the cases exceed what the population at risk explains.

    Under the null hypothesis each case falls on a location with a probability in proportion to its expected cases.

    Parameters
    ----------
    points_m
        Eastings and northings of locations or centres of areas in metres, shape (m, 2).
    cases
        Whole numbers of cases, shape (m,).
    expected
        Expected cases, or population, shape (m,): only proportions count. With covariates, from `standardised`.
    dispersion
        Variance over mean of the cases of a location beyond its risk, 1 or more. Cases that come in series vary more
        than chance; above 1 the simulated data sets do so too (gamma-Poisson, given the total), and p is larger.
    max_radius_m
        Largest radius of a circle in metres.
    max_share
        Largest share of the expected cases in a circle, over 0 and at most 0.5.
    simulations, seed
        Number of simulated data sets, and the seed.
    max_p
        Largest p of a secondary cluster.

    Returns
    -------
    result
        Clusters without common locations, and notes.

    Raises
    ------
    InputError
        If shapes or limits do not fit, a location has cases and nothing expected, or there are too many circles.

    References
    ----------
    Kulldorff (1997), Communications in Statistics: Theory and Methods 26, 1481-1496.

    Examples
    --------
    Four areas in a row with the same population, nearly all cases in the first two:

    >>> found = poisson_scan([[0, 0], [1, 0], [5, 0], [9, 0]], cases=[9, 8, 2, 1], expected=[1, 1, 1, 1])
    >>> [(c.locations, c.observed, c.expected, round(c.relative_risk, 2)) for c in found.clusters[:1]]
    [((0, 1), 17, 10.0, 5.67)]
    """
    points, count = _checked(points_m, cases, "cases")
    at_risk = np.asarray(expected, dtype=np.float64)
    if at_risk.shape != count.shape or not np.isfinite(at_risk).all() or (at_risk < 0).any():
        raise InputError(
            f"expected cases have shape {at_risk.shape} and cases {count.shape}: give one number of 0 or more for each"
        )
    without = np.flatnonzero((at_risk == 0) & (count > 0))
    if without.size:
        raise InputError(
            f"{without.size} locations have cases and no population (the first is number {without[0] + 1}): leave them "
            "out or give their population"
        )
    if not dispersion >= 1:
        raise InputError(f"a dispersion of {dispersion} is less than chance alone gives: use 1 or more")
    total, everybody = int(count.sum()), float(at_risk.sum())
    share = at_risk / everybody if everybody > 0 else at_risk

    def draw(rng: np.random.Generator) -> Ints:
        if dispersion == 1:
            return rng.multinomial(total, share)
        # A Poisson count whose mean is a gamma variable of this shape has the wanted variance; given the total, the
        # counts of all locations are multinomial with the gamma variables as weights.
        weight = rng.gamma(share * total / (dispersion - 1))
        return rng.multinomial(total, weight / weight.sum()) if weight.sum() > 0 else rng.multinomial(total, share)

    return _scan(
        points,
        count,
        size=share * total,
        ratio=lambda inside, size: log_ratio(inside, size, total=total),
        draw=draw,
        limits=_Limits(max_radius_m, max_share, simulations, seed, max_p),
    )


def bernoulli_scan(
    points_m: ArrayLike,
    *,
    cases: ArrayLike,
    controls: ArrayLike,
    dispersion: ArrayLike = 1.0,
    max_radius_m: float = np.inf,
    max_share: float = 0.5,
    simulations: int = 999,
    seed: int = 0,
    max_p: float = 0.05,
) -> SpatialScan:
    """Find circles in which cases are a larger share of all individuals than outside.

    Under the null hypothesis which individuals are cases is random: places and their individuals stay as they are.

    Parameters
    ----------
    points_m
        Eastings and northings of locations in metres, shape (m, 2).
    cases, controls
        Whole numbers, shape (m,) each.
    dispersion
        Variance of the cases of a location over that of single draws (binomial), 1 or more: one for all, or one each,
        shape (m,). Where individuals of a series are alike it is above 1; the simulated data sets then vary as much.
    max_radius_m, simulations, seed, max_p
        As for `poisson_scan`.
    max_share
        Largest share of all individuals in a circle, over 0 and at most 0.5.

    Returns
    -------
    result
        Clusters without common locations, and notes.

    Raises
    ------
    InputError
        If shapes or limits do not fit, or there are too many circles.

    References
    ----------
    Kulldorff (1997), Communications in Statistics: Theory and Methods 26, 1481-1496.

    Examples
    --------
    >>> found = bernoulli_scan([[0, 0], [1, 0], [5, 0], [9, 0]], cases=[6, 7, 1, 0], controls=[4, 3, 9, 10])
    >>> [(c.locations, c.observed, c.expected) for c in found.clusters[:1]]
    [((0, 1), 13, 7.0)]
    """
    points, count = _checked(points_m, cases, "cases")
    _, other = _checked(points_m, controls, "controls")
    individuals = count + other
    total, everybody = int(count.sum()), int(individuals.sum())
    varies = np.broadcast_to(np.asarray(dispersion, dtype=np.float64), count.shape)
    if not (varies >= 1).all():
        raise InputError("a dispersion of less than 1 is less than chance alone gives: use 1 or more")
    # So much alike are two individuals of a location that its cases vary so much (beta-binomial); one alone cannot be.
    alike = np.clip((varies - 1) / np.maximum(individuals - 1, 1), 0.0, MOST_ALIKE) * (individuals > 1)
    if total and total == everybody:
        return SpatialScan(
            (), total, 0, simulations, seed, max_p, ("There are no controls to compare the cases with.",)
        )

    def ratio(inside: Ints, size: Floats) -> Floats:
        # The expected cases and the individuals in a circle are in proportion: one stands for the other. More cases
        # than individuals count as all of them, so that the ratio never falls with the count, as `_least` needs.
        within = np.rint(size * (everybody / total))
        return bernoulli_log_ratio(np.minimum(inside, within), within, cases=total, individuals=everybody)

    return _scan(
        points,
        count,
        size=individuals.astype(np.float64) * (total / everybody if everybody else 0.0),
        ratio=ratio,
        draw=lambda rng: _drawn_cases(individuals, total, alike, rng),
        limits=_Limits(max_radius_m, max_share, simulations, seed, max_p),
    )


def _drawn_cases(individuals: Ints, total: int, alike: Floats, rng: np.random.Generator) -> Ints:
    """Draw which individuals are cases, as many as there are: those of one location alike with this correlation."""
    if not alike.any():
        return rng.multivariate_hypergeometric(individuals, total, method="marginals")
    share, some = total / individuals.sum(), alike > 0
    chance = np.full(individuals.shape, share)
    size = 1 / alike[some] - 1
    chance[some] = rng.beta(share * size, (1 - share) * size)
    cases = rng.binomial(individuals, chance)
    # Their number is given: those too many become controls, those that lack are drawn among the controls.
    excess = int(cases.sum()) - total
    if excess > 0:
        return np.asarray(cases - rng.multivariate_hypergeometric(cases, excess, method="marginals"))
    return np.asarray(cases + rng.multivariate_hypergeometric(individuals - cases, -excess, method="marginals"))


def share_dispersion(cases: ArrayLike, individuals: ArrayLike) -> Floats:
    """Return how much more the cases of each location vary than single draws, because individuals come in series.

    Two individuals of the same location and period are compared with two of the same location and different periods:
    by how much more often are both cases? That is their correlation, whatever share each location has. If cases and
    others both vary by the same excess e over chance (negative binomial, variance 1 + e times the mean), it is
    e / (m + e) where a period has m individuals on average (beta-binomial); the one e that fits all locations is taken.

    Parameters
    ----------
    cases, individuals
        Whole numbers by location and period, shape (m, periods).

    Returns
    -------
    dispersion
        Variance of the cases of all periods over that of single draws, 1 or more, shape (m,).

    Examples
    --------
    One place, in each of two periods four individuals, who are all cases or none: pairs of one period are always alike.

    >>> share_dispersion([[4, 0]], [[4, 4]]).round(2).tolist()
    [3.85]
    """
    c, n = np.asarray(cases, dtype=np.float64), np.asarray(individuals, dtype=np.float64)
    everybody = n.sum(axis=1)
    # Pairs within a period and across periods: in all, both cases, one a case and the other not.
    pairs, both = (n * (n - 1)).sum(axis=1), (c * (c - 1)).sum(axis=1)
    across = everybody**2 - (n**2).sum(axis=1)
    both_across = c.sum(axis=1) ** 2 - (c**2).sum(axis=1)
    unlike_across = c.sum(axis=1) * (n - c).sum(axis=1) - (c * (n - c)).sum(axis=1)
    known = (across > 0) & (pairs > 0)
    weight = pairs[known] / across[known]
    more, most = float((both[known] - weight * both_across[known]).sum()), weight * unlike_across[known]
    mean = np.maximum(everybody / max(n.shape[1], 1), 1e-9)

    def correlation(excess: float) -> Floats:
        return np.asarray(np.minimum(excess / (mean + excess), MOST_ALIKE))

    # The correlation of all locations rises with the excess, and so does what it leads to expect: halve.
    low, high = 0.0, MOST_EXCESS if more > 0 else 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if float((correlation(middle)[known] * most).sum()) < more else (low, middle)
    return np.asarray(1 + correlation(low) * np.divide(pairs, everybody, out=np.zeros(len(n)), where=everybody > 0))


def standardised(cases_by_stratum: ArrayLike, population: ArrayLike) -> Floats:
    """Return expected cases by indirect standardisation: each stratum at its own rate over all locations.

    Parameters
    ----------
    cases_by_stratum
        Cases of each stratum (a category, an age group) over all locations, shape (strata,).
    population
        People of each stratum at each location, shape (m, strata).

    Returns
    -------
    expected
        Cases at each location if every location had the strata's overall rates, shape (m,). Sums to the cases of the
        strata.

    Raises
    ------
    InputError
        If shapes do not fit, or a stratum with cases has no population.

    Examples
    --------
    >>> standardised([10, 30], [[100, 50], [300, 50]]).tolist()
    [17.5, 22.5]
    """
    counts, people = np.asarray(cases_by_stratum, dtype=np.float64), np.asarray(population, dtype=np.float64)
    if people.ndim != 2 or counts.shape != (people.shape[1],) or not (people >= 0).all():
        raise InputError(
            f"the population has shape {people.shape} and there are {counts.size} strata: give one column of numbers "
            "of 0 or more for each stratum"
        )
    everybody = people.sum(axis=0)
    if (counts[everybody == 0] > 0).any():
        raise InputError("a stratum has cases and no population anywhere: leave it out or give its population")
    rates = np.divide(counts, everybody, out=np.zeros(counts.size), where=everybody > 0)
    return np.asarray(people @ rates, dtype=np.float64)


def bernoulli_log_ratio(count: ArrayLike, size: ArrayLike, *, cases: int, individuals: int) -> Floats:
    """Return the log likelihood ratio of two shares of cases against one, 0 where the share inside is not larger.

    Parameters
    ----------
    count, size
        Cases and individuals inside each circle.
    cases, individuals
        All cases and all individuals.

    References
    ----------
    Kulldorff (1997), Communications in Statistics: Theory and Methods 26, 1481-1496.
    """
    c, n = np.broadcast_arrays(np.asarray(count, dtype=np.float64), np.asarray(size, dtype=np.float64))
    outside, rest = cases - c, individuals - n
    high = (n > 0) & (rest > 0) & (c <= n) & (c * individuals > n * cases)
    out = np.zeros(c.shape)
    c, n, outside, rest = c[high], n[high], outside[high], rest[high]
    two = xlogy(c, c / n) + xlogy(n - c, (n - c) / n)
    two += xlogy(outside, outside / rest) + xlogy(rest - outside, (rest - outside) / rest)
    share = cases / individuals
    out[high] = two - xlogy(cases, share) - xlogy(individuals - cases, 1 - share)
    return out


def relative_risk(observed: int, expected: float, *, total: int) -> float | None:
    """Return the risk inside over the risk outside; None where no case lies outside."""
    outside = total - observed
    return None if outside == 0 else (observed / expected) / (outside / (total - expected))


def gumbel_p(statistic: float, *, mean: float, spread: float) -> float:
    """Return the probability that a Gumbel variable with this mean and standard deviation reaches a value.

    The largest ratios of simulated data sets follow a Gumbel distribution closely, so that small p need fewer of them.

    References
    ----------
    Abrams, Kulldorff and Kleinman (2010), International Journal of Health Geographics 9, 61.
    """
    scale = max(spread, 1e-12) * np.sqrt(6) / np.pi
    location = mean - np.euler_gamma * scale
    # Far below the location the exponent overflows: p is 1 there all the same.
    return float(-np.expm1(-np.exp(min((location - statistic) / scale, 700.0))))


# The search: one running sum over all circles, for the data and for each simulated data set
# -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Limits:
    max_radius_m: float
    max_share: float
    simulations: int
    seed: int
    max_p: float


@dataclass(frozen=True, slots=True)
class _Circles:
    """The circles that count.

    Attributes
    ----------
    every
        All rows.
    row, before
        Row that ends each circle, and the first row of its centre.
    size
        Expected cases in each.
    """

    every: Circles
    row: Ints
    before: Ints
    size: Floats

    @classmethod
    def over(cls, points: Floats, size: Floats, limits: _Limits) -> "_Circles":
        every = circles_round(points, cases=size, max_radius_m=limits.max_radius_m, max_share=limits.max_share)
        row = np.flatnonzero(every.used)
        return cls(every, row, every.first_row[row], every.cases[row].astype(np.float64))

    def inside(self, count: Ints) -> Ints:
        """Return the cases in each circle."""
        running = np.zeros(self.every.member.size + 1, dtype=np.int64)
        np.cumsum(count[self.every.member], out=running[1:])
        return np.asarray(running[self.row + 1] - running[self.before])


Ratio = Callable[[Ints, Floats], Floats]


def _checked(points_m: ArrayLike, counts: ArrayLike, what: str) -> tuple[Floats, Ints]:
    points, given = np.asarray(points_m, dtype=np.float64), np.asarray(counts)
    if points.size == 0:
        points = points.reshape(0, 2)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all() or given.shape != points.shape[:1]:
        raise InputError(
            f"points have shape {points.shape} and {what} {given.shape}: give finite eastings and northings and one "
            "count for each location"
        )
    whole = given.astype(np.int64)
    if (whole != given).any() or (whole < 0).any():
        raise InputError(f"{what} must be whole numbers of zero or more: the scan simulates single cases")
    return points, whole


def _scan(
    points: Floats,
    count: Ints,
    *,
    size: Floats,
    ratio: Ratio,
    draw: Callable[[np.random.Generator], Ints],
    limits: _Limits,
) -> SpatialScan:
    if not 0 < limits.max_share <= 0.5 or not limits.max_radius_m >= 0 or limits.simulations < 1:
        raise InputError(
            f"max_share is {limits.max_share} (over 0, at most 0.5), max_radius_m {limits.max_radius_m} (0 or more), "
            f"simulations {limits.simulations} (1 or more): change the one out of range"
        )
    total, notes = int(count.sum()), list[str]()
    clusters: tuple[SpatialCluster, ...] = ()
    searched = 0
    if total < 2:
        notes.append(f"Number of cases: {total}. A scan needs at least two.")
    elif len(points) < 2:
        notes.append("All cases are at one location: there is nothing to compare it with.")
    else:
        _check_size(points, limits.max_radius_m)
        circles = _Circles.over(points, size, limits)
        searched = circles.row.size
        over = int((size > limits.max_share * size.sum()).sum())
        if over:
            notes.append(
                f"{over} locations alone hold more than {limits.max_share:.0%} of what is expected and cannot form a "
                "cluster."
            )
        if 1 / (limits.simulations + 1) > limits.max_p:
            notes.append(
                f"With {limits.simulations} simulations p cannot fall under {1 / (limits.simulations + 1):.2g}."
            )
        if searched:
            by_chance = _largest_by_chance(circles, ratio, draw, total, limits)
            clusters = _clusters(circles, ratio, count, by_chance, limits)
        if not clusters:
            notes.append("No circle holds more cases than expected.")
    return SpatialScan(clusters, total, searched, limits.simulations, limits.seed, limits.max_p, tuple(notes))


def _check_size(points: Floats, max_radius_m: float) -> None:
    """Refuse more circles than memory and time allow, before any is formed."""
    from scipy.spatial import cKDTree

    tree = cKDTree(points)
    number = len(points) ** 2 if np.isinf(max_radius_m) else int(tree.count_neighbors(tree, max_radius_m))
    if number > MAX_CIRCLES:
        raise InputError(
            f"{number:,} circles are more than the {MAX_CIRCLES:,} this scan takes on: join locations to larger cells, "
            "or lower the largest radius"
        )


def _least(circles: _Circles, ratio: Ratio, total: int, bound: float) -> Ints:
    """Return for each circle the smallest count whose ratio reaches the bound; total + 1 where none does.

    The ratio rises with the count above what is expected, so halving finds it: simulated data sets are then compared
    by whole numbers, and ratios are computed for the few circles that reach the bound.
    """
    low = np.floor(circles.size).astype(np.int64)  # at or below what is expected the ratio is 0
    high = np.full(low.shape, total + 1, dtype=np.int64)
    most = np.minimum(high - 1, total)
    high = np.where(ratio(most, circles.size) >= bound, most, high)
    while True:
        open_ = high - low > 1
        if not open_.any():
            return high
        middle = (low + high) // 2
        enough = ratio(middle, circles.size) >= bound
        high = np.where(open_ & enough, middle, high)
        low = np.where(open_ & ~enough, middle, low)


def _largest_by_chance(
    circles: _Circles, ratio: Ratio, draw: Callable[[np.random.Generator], Ints], total: int, limits: _Limits
) -> Floats:
    """Return the largest ratio of each simulated data set, shape (simulations,)."""
    rng, largest = np.random.default_rng(limits.seed), np.zeros(limits.simulations)
    bound, least = 0.0, None
    for i in range(limits.simulations):
        inside = circles.inside(draw(rng))
        if least is not None:
            reached = np.flatnonzero(inside >= least)
            if reached.size:
                largest[i] = ratio(inside[reached], circles.size[reached]).max()
                continue
        # The first data set, and one that stays below the bound, are computed in full.
        largest[i] = ratio(inside, circles.size).max(initial=0.0)
        lower = 0.8 * largest[i]
        if (least is None or lower < bound) and lower > EVEN:
            bound, least = lower, _least(circles, ratio, total, lower)
    return largest


def _clusters(
    circles: _Circles, ratio: Ratio, count: Ints, by_chance: Floats, limits: _Limits
) -> tuple[SpatialCluster, ...]:
    """Take the best circle, then the best without any of its locations, and so on while p allows."""
    every, total = circles.every, int(count.sum())
    inside = circles.inside(count)
    value = ratio(inside, circles.size)
    radius_m, centre = every.radius_m[circles.row], every.centre[circles.row]
    mean, spread = float(by_chance.mean()), float(by_chance.std())
    found: list[SpatialCluster] = []
    taken = np.zeros(count.size, dtype=bool)
    # Of equal ratios the smaller circle, then the lower centre number.
    order = np.lexsort((centre, radius_m, -np.round(value, 9)))
    for k in order[value[order] > EVEN]:
        p = (1 + int((by_chance >= value[k] - EVEN).sum())) / (by_chance.size + 1)
        if found and p > limits.max_p:
            break
        members = every.member[circles.before[k] : circles.row[k] + 1]
        # Overlapping circles describe the same excess: only clusters without a common location are reported.
        if taken[members].any():
            continue
        taken[members] = True
        observed, expected = int(inside[k]), float(circles.size[k])
        found.append(
            SpatialCluster(
                centre=int(centre[k]),
                radius_m=float(radius_m[k]),
                locations=tuple(int(i) for i in members),
                observed=observed,
                expected=expected,
                relative_risk=relative_risk(observed, expected, total=total),
                log_ratio=float(value[k]),
                p=p,
                p_gumbel=gumbel_p(float(value[k]), mean=mean, spread=spread)
                if by_chance.size >= FEWEST_FOR_GUMBEL
                else None,
            )
        )
    return tuple(found)
