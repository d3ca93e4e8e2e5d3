"""Trend and season of monthly counts by STL, and what the months before the latest lead to expect of them.

STL without weights for outliers is linear in the counts: for a number of months one matrix gives the trend and one the
season. Intervals and the degrees of freedom follow from these matrices exactly. The season is the same in every year,
because few years cannot show how it changes.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

__all__ = [
    "FEWEST_MONTHS",
    "MONTH_DAYS",
    "PERIOD",
    "Decomposition",
    "Expectation",
    "Smoother",
    "decompose",
    "expect",
    "smoother",
]

Floats = NDArray[np.float64]
FEWEST_MONTHS = 24
"""Two whole years: with one, season and trend cannot be told apart."""
MONTH_DAYS = 365.25 / 12
"""Days of a month of average length. Counts are fitted for such months, so that February is no trough."""
PERIOD = 12
SHUFFLES = 199


@dataclass(frozen=True, slots=True)
class Smoother:
    """The matrices of STL for so many months: trend and season are `trend @ y` and `season @ y`, shape (n, n) each."""

    trend: Floats
    season: Floats

    @property
    def rest(self) -> Floats:
        """The matrix of what remains."""
        return np.asarray(np.eye(len(self.trend)) - self.trend - self.season, dtype=np.float64)


@lru_cache(maxsize=16)
def smoother(months: int) -> Smoother:
    """Return the matrices of STL with the same season in all years.

    Parameters
    ----------
    months
        At least FEWEST_MONTHS.

    References
    ----------
    Cleveland, Cleveland, McRae and Terpenning (1990), STL: a seasonal-trend decomposition procedure based on loess.
    Journal of Official Statistics 6(1), 3-73. Fitted by statsmodels, whose import takes longer than the fit.
    """
    from statsmodels.tsa.seasonal import STL

    trend, season = np.empty((months, months)), np.empty((months, months))
    for k, month in enumerate(np.eye(months)):
        # A seasonal span of many times the series, of degree 0, is the mean of each month of the year, as `periodic` in
        # R's stl is.
        found = STL(month, period=PERIOD, seasonal=10 * months + 1, seasonal_deg=0, robust=False).fit()
        trend[:, k], season[:, k] = found.trend, found.seasonal
    return Smoother(trend, season)


@dataclass(frozen=True, slots=True)
class Decomposition:
    """Trend and season, per month of average length.

    Attributes
    ----------
    per_month, trend, season
        Shape (n,).
    dispersion
        Variance over mean of what remains, at least 1.
    strength, strength_chance
        Strength of the season, 0 to 1, and what months in random order reach at most in 95 of 100 cases.
    trend_pct, trend_low, trend_high
        Change of the trend over the latest twelve months in per cent, with its 95 % interval; None without a level.
    """

    per_month: Floats
    trend: Floats
    season: Floats
    dispersion: float
    strength: float
    strength_chance: float
    trend_pct: float | None
    trend_low: float | None
    trend_high: float | None


def decompose(incidents: ArrayLike, days: ArrayLike, *, seed: int) -> Decomposition:
    """Separate trend and season of a run of months without a gap.

    Parameters
    ----------
    incidents
        By month, shape (n,), n at least FEWEST_MONTHS.
    days
        Of each month, shape (n,).
    seed
        Of the random orders.

    References
    ----------
    Wang, Smith and Hyndman (2006), Characteristic-based clustering for time series data. Data Mining and Knowledge
    Discovery 13(3), 335-364 (strength of the season).
    """
    length = np.asarray(days, dtype=np.float64)
    y = np.asarray(incidents, dtype=np.float64) * MONTH_DAYS / length
    matrices = smoother(len(y))
    trend, season = matrices.trend @ y, matrices.season @ y
    scale = _dispersion(y, trend + season, length, matrices)
    # Months in random order about the same trend have no season: what they show is what chance gives.
    rng = np.random.default_rng(np.random.SeedSequence([seed, len(y)]))
    orders = np.array([rng.permutation(len(y)) for _ in range(SHUFFLES)])
    shuffled = trend[:, None] + (y - trend)[orders].T
    by_chance = _strength(matrices.season @ shuffled, matrices.rest @ shuffled)
    before = float(trend[-1 - PERIOD])
    pct = low = high = None
    if before > 0:
        weights = matrices.trend[-1] - matrices.trend[-1 - PERIOD]
        error = np.sqrt(scale * float(weights**2 @ _variances(trend + season, length)))
        reach = _t_quantile(matrices) * error
        change = float(trend[-1]) - before
        pct, low, high = (100 * (change + side) / before for side in (0.0, -reach, reach))
    return Decomposition(
        y,
        trend,
        season,
        scale,
        float(_strength(season[:, None], (y - trend - season)[:, None])[0]),
        float(np.quantile(by_chance, 0.95, method="higher")),
        pct,
        low,
        high,
    )


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the months before lead to expect: incidents, a 95 % prediction interval, and two-sided p, shape (k,)."""

    incidents: Floats
    low: Floats
    high: Floats
    p: Floats


def expect(incidents: ArrayLike, days: ArrayLike, *, latest: int) -> Expectation:
    """Return what was to be expected of the latest months if the level and the season before them had continued.

    Parameters
    ----------
    incidents, days
        By month, shape (n,), n at least FEWEST_MONTHS + `latest`. Only those before the latest are used.
    latest
        How many months are set against what was expected, at most 12.

    Returns
    -------
    expectation
        The last value of the trend with the season of the same month. Its variance is that of the count itself and that
        of the weights with which the months before enter, widened by the dispersion about the fit.
    """
    count, length = np.asarray(incidents, dtype=np.float64), np.asarray(days, dtype=np.float64)
    known, past = len(count) - latest, length[: len(count) - latest]
    y = count[:known] * MONTH_DAYS / past
    matrices = smoother(known)
    fit = (matrices.trend + matrices.season) @ y
    weights = matrices.trend[-1][None, :] + matrices.season[known - PERIOD :][:latest]
    expected = np.maximum(weights @ y, 0.0)
    ahead = length[known:]
    own = np.maximum(expected, 1.0) * MONTH_DAYS / ahead
    variance = _dispersion(y, fit, past, matrices) * (own + weights**2 @ _variances(fit, past))
    to_count = ahead / MONTH_DAYS
    error, dof = np.sqrt(variance) * to_count, _residual_dof(matrices)
    middle = expected * to_count
    reach = _t_quantile(matrices) * error
    p = 2 * special.stdtr(dof, -np.abs(count[known:] - middle) / error)
    return Expectation(middle, np.maximum(middle - reach, 0.0), middle + reach, np.asarray(p, dtype=np.float64))


def _variances(fit: Floats, days: Floats) -> Floats:
    """Return Poisson variances of counts per month of average length; a fit under 1 is taken as 1."""
    return np.asarray(np.maximum(fit, 1.0) * MONTH_DAYS / days, dtype=np.float64)


def _residual_dof(matrices: Smoother) -> float:
    """Return the degrees of freedom left by a linear smoother (Hastie and Tibshirani 1990, 3.5)."""
    rest = matrices.rest
    return float((rest * rest).sum())


def _dispersion(y: Floats, fit: Floats, days: Floats, matrices: Smoother) -> float:
    """Return Pearson's estimate of variance over mean, at least 1: counts do not vary less than chance."""
    return max(1.0, float(((y - fit) ** 2 / _variances(fit, days)).sum()) / _residual_dof(matrices))


def _t_quantile(matrices: Smoother) -> float:
    return float(special.stdtrit(_residual_dof(matrices), 0.975))


def _strength(season: Floats, rest: Floats) -> Floats:
    """Return the strength of the season of series in columns."""
    both = (season + rest).var(axis=0)
    share = np.divide(rest.var(axis=0), both, out=np.ones_like(both), where=both > 0)
    return np.asarray(np.clip(1 - share, 0.0, 1.0), dtype=np.float64)
