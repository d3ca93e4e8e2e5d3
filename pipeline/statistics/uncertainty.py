"""The uncertainty of counts: intervals, overdispersion, counts known as a range, and the false discovery rate.

Recorded crime varies more than a Poisson count with the same mean: offences occur in series, and records arrive in
batches. `Dispersion.value` is the factor by which the variance exceeds the mean. Where an interval is widened by it,
`x` events count as ``x / value`` independent ones, each of which stands for `value` events: the interval is exact when
the factor is 1, never goes below zero, and widens by about the root of the factor otherwise. The usual alternative, a
normal interval with a standard error multiplied by that root, goes below zero for the small counts of wards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from pipeline.errors import InputError

__all__ = [
    "FEWEST_AREAS",
    "Dispersion",
    "Family",
    "Ranges",
    "benjamini_hochberg",
    "dispersion",
    "garwood",
    "middle_of",
    "rate_ratio",
    "robust_dispersion",
    "wilson",
]

Floats = npt.NDArray[np.float64]
FEWEST_AREAS = 5
"""With fewer areas in a level (the region), noise cannot be separated from the variation that all areas share: the
dispersion is taken from months or another level, and rates are not smoothed."""


@dataclass(frozen=True, slots=True)
class Dispersion:
    """An estimated dispersion.

    Attributes
    ----------
    value
        Variance over mean, at least 1: counts that vary less than chance are treated like Poisson counts.
    raw
        The estimate before it was limited to 1; None if nothing could be estimated.
    df
        Degrees of freedom of the estimate; 0 if nothing could be estimated and 1 is assumed.
    """

    value: float = 1.0
    raw: float | None = None
    df: int = 0


def _check(name: str, values: Floats, *, confidence: float = 0.5) -> None:
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise InputError(f"{name} must be finite and not negative: drop missing values first")
    if not 0 < confidence < 1:
        raise InputError(f"a confidence of {confidence} is not a probability: give one between 0 and 1, such as 0.95")


def garwood(
    events: npt.ArrayLike, *, confidence: float = 0.95, dispersion: npt.ArrayLike = 1.0
) -> tuple[Floats, Floats]:
    """Return the confidence interval of the expected number of events behind a count; exact if the dispersion is 1.

    Parameters
    ----------
    events
        Counts, any shape.
    confidence
        Coverage, between 0 and 1.
    dispersion
        Variance over mean, at least 1, broadcast against `events`.

    Returns
    -------
    low, high
        Limits in events; `low` is 0 if no event was counted.

    References
    ----------
    Garwood (1936), Biometrika 28, 437-442; Ulm (1990), American Journal of Epidemiology 131, 373-375, for the same
    limits from the chi-squared distribution. Widened as described at the head of this module.

    Examples
    --------
    The limits of 0, 10 and 100 events, as in tables of exact Poisson limits:

    >>> low, high = garwood([0, 10, 100])
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.0, 4.8, 81.36], [3.69, 18.39, 121.63])

    With a variance of four times the mean, 100 events are as uncertain as 25 independent ones, four times over:

    >>> [round(float(limit), 2) for limit in garwood(100, dispersion=4)]
    [64.71, 147.62]
    """
    x, phi = np.broadcast_arrays(np.asarray(events, dtype=np.float64), np.asarray(dispersion, dtype=np.float64))
    _check("events", x, confidence=confidence)
    _check("dispersion - 1", phi - 1)
    # The limits are the means under which as many events or more, and as few or fewer, have probability `tail` each.
    # The Poisson sum over counts is an incomplete gamma function of the mean, so they are its inverse; this also serves
    # the fractions of an event that division by the dispersion leaves.
    # Tables of counts hold few different pairs of count and dispersion: the limits of each are computed once.
    pairs, at = np.unique(x + 1j * phi, return_inverse=True)
    x, phi, at = pairs.real, pairs.imag, at.reshape(x.shape)
    tail = (1 - confidence) / 2
    effective = x / phi
    # The lower limit of no events is 0; the function is not defined there, so it is called with 1 and the result is
    # discarded.
    low = np.where(x > 0, special.gammaincinv(np.where(x > 0, effective, 1.0), tail), 0.0)
    high = special.gammaincinv(effective + 1, 1 - tail)
    return (phi * low)[at], (phi * high)[at]


def wilson(successes: npt.ArrayLike, trials: npt.ArrayLike, *, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Return Wilson's score interval of a share, without continuity correction.

    Parameters
    ----------
    successes, trials
        Counts of one shape; no more successes than trials.
    confidence
        Coverage, between 0 and 1.

    Returns
    -------
    low, high
        Shares between 0 and 1; 0 and 1 if there were no trials.

    Raises
    ------
    InputError
        If there are more successes than trials: these are no shares of one cohort.

    References
    ----------
    Wilson (1927), Journal of the American Statistical Association 22, 209-212; recommended for small counts by
    Newcombe (1998), Statistics in Medicine 17, 857-872, whose first example is 81 of 263.

    Examples
    --------
    >>> low, high = wilson([81, 0, 20], [263, 20, 20])
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.2553, 0.0, 0.8389], [0.3662, 0.1611, 1.0])
    """
    k, n = np.broadcast_arrays(np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64))
    _check("successes", k, confidence=confidence)
    _check("trials", n)
    if (k > n).any():
        raise InputError("there are more successes than trials: both must be counted in the same cohort")
    # The limits are the end points of the shares that a score test at this confidence would not reject. They are the
    # two roots of a quadratic: a centre, shifted from the share towards one half, and half a width.
    z = float(special.ndtri((1 + confidence) / 2))
    size = np.where(n > 0, n, 1.0)  # without trials any size will do: the result is replaced below
    share = k / size
    centre = (share + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * np.sqrt(share * (1 - share) / size + z * z / (4 * size * size))
    # At the ends the limit is exactly 0 or 1, which rounding must not change.
    low = np.where((n > 0) & (k > 0), np.maximum(centre - half, 0.0), 0.0)
    high = np.where((n > 0) & (k < n), np.minimum(centre + half, 1.0), 1.0)
    return low, high


def dispersion(counts: npt.ArrayLike, *, days: npt.ArrayLike | None = None) -> Dispersion:
    """Estimate the dispersion of a table of counts: Pearson's chi-squared over its degrees of freedom.

    With two dimensions (areas, windows), each area has its own level and each window its own factor common to all
    areas; what is left is the variation of single areas from window to window. With one dimension (a series), all
    windows share one rate.

    Parameters
    ----------
    counts
        Events, shape (areas, windows) or (windows,). Areas and windows without any event carry no information and are
        dropped.
    days
        Exposure of each window of a series, in days; equal if not given. (In a table the windows' own factors
        account for it.)

    Returns
    -------
    dispersion
        With ``df = (areas - 1) (windows - 1)``, or ``windows - 1`` for a series. For Poisson counts the raw value is 1
        on average, however small they are; for small overdispersed counts it is a little too low.

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models, section 6.2.4.

    Examples
    --------
    Three wards in two years. The later year is 1.5 times the earlier one over all wards; the wards' departures from
    that are compared with chance.

    >>> dispersion([[20, 30], [40, 60], [10, 15]])
    Dispersion(value=1.0, raw=0.0, df=2)
    >>> found = dispersion([[20, 60], [40, 40], [10, 5]])
    >>> round(found.value, 2), found.df
    (7.64, 2)

    A series of four months of different length:

    >>> round(dispersion([31, 90, 31, 30], days=[31, 28, 31, 30]).value, 2)
    23.13
    """
    table = np.asarray(counts, dtype=np.float64)
    _check("counts", table)
    if table.ndim == 1:
        exposure = np.ones(table.size) if days is None else np.asarray(days, dtype=np.float64)
        if exposure.shape != table.shape or not (exposure > 0).all():
            raise InputError("days must be positive, one for each count of the series")
        # One rate for all windows: each is expected to hold its share of the days.
        df = table.size - 1
        expected = table.sum() * exposure / exposure.sum() if table.size else table
    elif table.ndim == 2:
        if days is not None:
            raise InputError("days are for a series: in a table the windows' own factors account for their length")
        # Independence of areas and windows: what is expected is row total times column total over the whole. A row or
        # column of zeros has nothing to depart from; kept, it would add degrees of freedom and no variation.
        table = table[table.sum(axis=1) > 0]
        table = table[:, table.sum(axis=0) > 0]
        df = max(table.shape[0] - 1, 0) * max(table.shape[1] - 1, 0)
        expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / max(table.sum(), 1.0)
    else:
        raise InputError(f"counts have {table.ndim} dimensions: give a series or a table")
    if df < 1 or not table.sum() > 0:
        return Dispersion()
    raw = float(((table - expected) ** 2 / expected).sum() / df)
    return Dispersion(max(raw, 1.0), raw, df)


# Limits of the robust estimate, in variances. Huber's scale counts every departure beyond 1.5 standard deviations as
# one of 1.5; with so low a limit a tenth of changed areas can raise it by two fifths at most. Departures beyond the
# 99 % point of chi-squared at that scale are then left out: of areas without a change these are 1 in 100.
CLIPPED_AT = 1.5**2
LEFT_OUT_OVER = float(special.chdtri(1, 0.01))
ROUNDS = 20  # areas left out change the share of the others, which may bring one back: it settles in two or three


def robust_dispersion(pairs: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]]) -> Dispersion:
    """Estimate the dispersion of pairs of counts of which some may really have changed.

    In each pair every area has its own level and the second count a factor common to all areas. Areas that depart far
    from it are left out, and what is left is scaled so that the estimate is right if none changed.

    Parameters
    ----------
    pairs
        First and second counts of the same areas, each of shape (areas,). Areas without any event are dropped; with
        under ten events in a pair, the chi-squared approximation is rough.

    Returns
    -------
    dispersion
        With one degree of freedom for each area that is not left out, less one for each pair.

    References
    ----------
    Huber (1964), Annals of Mathematical Statistics 35, 73-101, for the scale (Proposal 2); Rousseeuw and Leroy (1987),
    Robust Regression and Outlier Detection, section 1.2, for leaving out what is far away on a robust scale.

    Examples
    --------
    Twelve areas that vary less than by chance, but for one that doubles and alone makes a dispersion of 3.7.

    >>> first = [100, 90, 110, 95, 105, 98, 102, 107, 93, 99, 101, 100]
    >>> second = [210, 99, 101, 109, 91, 104, 96, 94, 106, 88, 111, 102]
    >>> round(dispersion(np.column_stack([first, second])).value, 1)
    3.7
    >>> found = robust_dispersion([(first, second)])
    >>> round(found.raw, 2), found.df
    (0.64, 10)
    """
    counted = []
    for first, second in pairs:
        one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
        _check("counts", np.concatenate([one, two]))
        if one.shape != two.shape or one.ndim != 1:
            raise InputError("a pair of counts needs two values for each area")
        some = one + two > 0
        counted.append((one[some] + two[some], two[some]))
    # The share of the second count that all areas have in common: first the median area's, which no changed area moves
    # much, then that of the areas kept.
    shares = [_median_share(both, second) for both, second in counted]
    kept: list[npt.NDArray[np.bool_]] = []
    squares: list[Floats] = []
    for _ in range(ROUNDS):
        # Pearson's chi-squared of each area: the second count given both.
        squares = [_squared(both, second, share) for (both, second), share in zip(counted, shares, strict=True)]
        limit = LEFT_OUT_OVER * max(_clipped_scale(np.concatenate([np.zeros(0), *squares])), 1.0)
        before, kept = kept, [one <= limit for one in squares]
        if before and all(np.array_equal(a, b) for a, b in zip(before, kept, strict=True)):
            break
        shares = [
            second[keep].sum() / max(both[keep].sum(), 1.0) for (both, second), keep in zip(counted, kept, strict=True)
        ]
    df = sum(int(keep.sum()) - 1 for keep in kept if keep.any())
    if df < 1:
        return Dispersion()
    inside = sum(float(one[keep].sum()) for one, keep in zip(squares, kept, strict=True))
    raw = inside / df / _mean_below(LEFT_OUT_OVER)
    return Dispersion(max(raw, 1.0), raw, df)


def _median_share(both: Floats, second: Floats) -> float:
    """Return the share of the second count in the area in the middle, where areas count by their events."""
    if not len(both):
        return 0.5
    order = np.argsort(second / both, kind="stable")
    middle = int(np.searchsorted(np.cumsum(both[order]), both.sum() / 2))
    return float((second / both)[order][middle])


def _squared(both: Floats, second: Floats, share: float) -> Floats:
    variance = both * share * (1 - share)
    return np.divide((second - both * share) ** 2, variance, out=np.zeros(len(both)), where=variance > 0)


def _clipped_scale(squares: Floats) -> float:
    """Solve mean(min(squares / scale, k)) = its expectation for chi-squared with one degree of freedom."""
    expected = float(special.chdtr(3, CLIPPED_AT) + CLIPPED_AT * special.chdtrc(1, CLIPPED_AT))
    ordered = np.sort(squares)
    n, below = len(ordered), np.concatenate([[0.0], np.cumsum(ordered)])
    # With the m largest clipped, the equation is linear in the scale; the right m is the one whose solution clips
    # exactly these. If more than a third are 0 or nearly so there may be none: the scale is then 0.
    for m in range(n):
        free = n * expected - m * CLIPPED_AT
        if free <= 0:
            return 0.0
        scale = below[n - m] / free
        if ordered[n - m - 1] <= CLIPPED_AT * scale:
            return float(scale)
    return 0.0


def _mean_below(limit: float) -> float:
    """Return the mean of chi-squared with one degree of freedom among values up to `limit`."""
    return float(special.chdtr(3, limit) / special.chdtr(1, limit))


def rate_ratio(
    later: float,
    earlier: float,
    *,
    days_later: float,
    days_earlier: float,
    confidence: float = 0.95,
    dispersion: float = 1,
) -> tuple[float | None, float | None, float | None]:
    """Compare two rates: their ratio and its interval, exact (conditional on the sum) if the dispersion is 1.

    Parameters
    ----------
    later, earlier
        Events in the two windows.
    days_later, days_earlier
        Their exposures, in days.
    confidence, dispersion
        As for `garwood`.

    Returns
    -------
    ratio, low, high
        None if the events do not bound it: no ratio and no upper limit without an earlier event.

    References
    ----------
    Clopper and Pearson (1934), Biometrika 26, 404-413, for the share of events that fall into the later window;
    Przyborowski and Wilenski (1940), Biometrika 31, 313-323, for conditioning on the sum.

    Examples
    --------
    >>> [round(limit, 3) for limit in rate_ratio(30, 20, days_later=365, days_earlier=365)]
    [1.5, 0.824, 2.787]
    >>> rate_ratio(3, 0, days_later=365, days_earlier=365)[::2]
    (None, None)
    """
    values = np.array([later, earlier, days_later, days_earlier, dispersion - 1], dtype=np.float64)
    _check("events, days and dispersion - 1", values, confidence=confidence)
    if not min(days_later, days_earlier) > 0:
        raise InputError("both windows need a length in days to be compared")
    # Given the sum of two Poisson counts, the later one is binomial. Exact limits for its share (inverse incomplete
    # beta functions) become limits for the ratio of the rates: share / (1 - share), times the ratio of the exposures.
    tail = (1 - confidence) / 2
    x, y = later / dispersion, earlier / dispersion
    scale = days_earlier / days_later
    low = float(special.betaincinv(x, y + 1, tail)) if x else 0.0
    high = float(special.betaincinv(x + 1, y, 1 - tail)) if y else 1.0
    return (
        later / earlier * scale if earlier else None,
        scale * low / (1 - low) if later or earlier else None,
        scale * high / (1 - high) if earlier else None,
    )


# Counts that are known only as a range: the values that formulas use for them, and their limits.
#
# A released count is given as the step it lies in ("20 to 29"), an internal one exactly: its range is then one number.
# Every figure computed from counts takes a `Ranges`, so that one formula serves both and never states more than the
# range allows.


def middle_of(lower: npt.ArrayLike, upper: npt.ArrayLike) -> Floats:
    """Return the middle of each range as it is printed: a whole number; NaN in the first step and for missing counts.

    >>> middle_of([20, 20, 0, 7, 0], [29, 24, 9, 7, 0]).tolist()
    [25.0, 22.0, nan, 7.0, 0.0]
    """
    low, high = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    # The first step may mean 0 or more: a middle would suggest that there was something.
    return np.where((low == 0) & (high > 0), np.nan, low + np.floor((high - low + 1) / 2))


@dataclass(frozen=True, slots=True)
class Ranges:
    """Counts of shape (n,): the least and the greatest value of each; NaN if missing."""

    lower: Floats
    upper: Floats

    @classmethod
    def of(cls, counts: pd.DataFrame, measure: str = "incidents") -> "Ranges":
        """Read the ranges of a measure from a table; exact counts if it has no range columns.

        >>> Ranges.of(pd.DataFrame({"incidents": [3, None]})).upper.tolist()
        [3.0, nan]
        """
        names = (f"{measure}_lower", f"{measure}_upper")
        given = [counts[n if n in counts.columns else measure].astype("Float64") for n in names]
        lower, upper = (c.to_numpy(np.float64, na_value=np.nan) for c in given)
        return cls(lower, upper)

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which counts are not missing."""
        return np.asarray(~np.isnan(self.lower), dtype=np.bool_)

    @property
    def first_step(self) -> npt.NDArray[np.bool_]:
        """Which counts may be 0 or more than 0."""
        return np.asarray((self.lower == 0) & (self.upper > 0), dtype=np.bool_)

    @property
    def value(self) -> Floats:
        """The value used for each count in formulas: the middle; in the first step, half of its greatest value."""
        return np.where(self.first_step, self.upper / 2, middle_of(self.lower, self.upper))


# The false discovery rate: p-values of one stated family, adjusted together.


@dataclass(frozen=True, slots=True)
class Family:
    """Description of the tests that were adjusted together.

    Attributes
    ----------
    name
        What the family contains, for example ``"wards, hate crime, 2024-08 to 2025-07"``.
    tests
        Number of p-values.
    """

    name: str
    tests: int

    def __str__(self) -> str:
        """Return the family as part of a sentence."""
        return f"{self.name} ({self.tests:,} tests)"


def benjamini_hochberg(p: npt.ArrayLike, *, included: npt.ArrayLike | None = None) -> Floats:
    """Adjust p-values for the number of tests by Benjamini and Hochberg's step-up rule.

    The k-th smallest of m p-values becomes ``min over j >= k of p_(j) m / j``. Calling everything
    with an adjusted value of at most a a discovery keeps the expected share of false ones under a,
    for independent or positively dependent tests (neighbouring areas are of the second kind).

    Parameters
    ----------
    p
        P-values of one family, any shape.
    included
        False if no test was made: such entries are ignored and returned as 1.

    Returns
    -------
    q
        Adjusted p-values in the shape of `p`, at most 1. They do not depend on the order of `p`.

    Raises
    ------
    InputError
        If an included p-value is not between 0 and 1.

    References
    ----------
    Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57, 289-300.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5]).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]
    """
    given = np.asarray(p, dtype=np.float64)
    tested = np.ones(given.shape, dtype=bool) if included is None else np.asarray(included, dtype=bool)
    if tested.shape != given.shape:
        raise InputError(f"included has shape {tested.shape} and p has shape {given.shape}: give one flag per p-value")
    values = given[tested]
    _check_p(values)
    q = np.ones(given.shape)
    if values.size:
        # The k-th smallest of m p-values times m / k; then, from the largest down, no value above one that came before
        # it, so that a smaller p never has a larger adjusted value.
        order = np.argsort(values, kind="stable")
        ranked = values[order] * values.size / np.arange(1, values.size + 1)
        adjusted = np.empty(values.size)
        adjusted[order] = np.minimum.accumulate(ranked[::-1])[::-1]
        q[tested] = np.minimum(adjusted, 1.0)
    return q


def _check_p(values: Floats) -> None:
    if not bool(np.all((values >= 0.0) & (values <= 1.0))):
        raise InputError("a p-value is missing or outside 0 to 1: leave tests that were not made out with `included`")
