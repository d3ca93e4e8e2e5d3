"""Intervals for counts, shares and ratios of rates, and how much more counts vary than chance alone allows.

Recorded crime varies more than a Poisson count with the same mean: offences come in series, and recording comes in
batches. `Dispersion.value` is the factor by which the variance exceeds the mean. Where an interval is widened by it,
`x` events count as ``x / value`` independent ones, each of which stands for `value` events: the interval is exact when
the factor is 1, never goes below zero, and widens by about the root of the factor otherwise.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from pipeline.errors import InputError

__all__ = ["Dispersion", "dispersion", "garwood", "rate_ratio", "wilson"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dispersion:
    """An estimated dispersion.

    Attributes
    ----------
    value
        Variance over mean, at least 1: counts that vary less than chance are not held to be better than chance.
    raw
        The estimate before it was held at 1; None where nothing could be estimated.
    df
        Degrees of freedom of the estimate; 0 where nothing could be estimated and 1 stands for want of better.
    """

    value: float = 1.0
    raw: float | None = None
    df: int = 0


def _check(name: str, values: Floats, *, confidence: float = 0.5) -> None:
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise InputError(f"{name} must be finite and not negative: leave missing values out before asking")
    if not 0 < confidence < 1:
        raise InputError(f"a confidence of {confidence} is no probability: give one between 0 and 1, such as 0.95")


def garwood(
    events: npt.ArrayLike, *, confidence: float = 0.95, dispersion: npt.ArrayLike = 1.0
) -> tuple[Floats, Floats]:
    """Bound the expected number of events behind a count, exactly where the dispersion is 1.

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
        Limits in events; `low` is 0 where no event was counted.

    References
    ----------
    Garwood (1936), Biometrika 28, 437-442; widened as described at the head of this module.
    """
    x, phi = np.broadcast_arrays(np.asarray(events, dtype=np.float64), np.asarray(dispersion, dtype=np.float64))
    _check("events", x, confidence=confidence)
    _check("dispersion - 1", phi - 1)
    tail = (1 - confidence) / 2
    effective = x / phi
    # The lower limit of no events is 0; the function is not defined there, so ask it about 1 and discard the answer.
    low = np.where(x > 0, special.gammaincinv(np.where(x > 0, effective, 1.0), tail), 0.0)
    high = special.gammaincinv(effective + 1, 1 - tail)
    return phi * low, phi * high


def wilson(successes: npt.ArrayLike, trials: npt.ArrayLike, *, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Bound a share by Wilson's score interval, without continuity correction.

    Parameters
    ----------
    successes, trials
        Counts of one shape; no more successes than trials.
    confidence
        Coverage, between 0 and 1.

    Returns
    -------
    low, high
        Shares between 0 and 1; 0 and 1 where nothing was tried.

    Raises
    ------
    InputError
        If there are more successes than trials: these are no shares of one cohort.

    References
    ----------
    Wilson (1927), Journal of the American Statistical Association 22, 209-212.
    """
    k, n = np.broadcast_arrays(np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64))
    _check("successes", k, confidence=confidence)
    _check("trials", n)
    if (k > n).any():
        raise InputError("there are more successes than trials: a share needs both counted in one cohort")
    z = float(special.ndtri((1 + confidence) / 2))
    size = np.where(n > 0, n, 1.0)
    share = k / size
    centre = (share + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * np.sqrt(share * (1 - share) / size + z * z / (4 * size * size))
    # At the ends the limit is 0 or 1 exactly; rounding must not put it beside them.
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
        Events, shape (areas, windows) or (windows,). Areas and windows without any event say nothing and drop out.
    days
        Exposure of each window of a series, in days; equal if not given. (In a table the windows' own factors
        account for it.)

    Returns
    -------
    dispersion
        With ``df = (areas - 1) (windows - 1)``, or ``windows - 1`` for a series. For Poisson counts the raw value is 1
        on average, however small they are; of overdispersed counts it says a little too little where they are small.

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models, section 6.2.4.
    """
    table = np.asarray(counts, dtype=np.float64)
    _check("counts", table)
    if table.ndim == 1:
        exposure = np.ones(table.size) if days is None else np.asarray(days, dtype=np.float64)
        if exposure.shape != table.shape or not (exposure > 0).all():
            raise InputError("days must be positive, one for each count of the series")
        df = table.size - 1
        expected = table.sum() * exposure / exposure.sum() if table.size else table
    elif table.ndim == 2:
        if days is not None:
            raise InputError("days are for a series: in a table the windows' own factors account for their length")
        table = table[table.sum(axis=1) > 0]
        table = table[:, table.sum(axis=0) > 0]
        df = max(table.shape[0] - 1, 0) * max(table.shape[1] - 1, 0)
        expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / max(table.sum(), 1.0)
    else:
        raise InputError(f"counts of {table.ndim} dimensions have no dispersion here: give a series or a table")
    if df < 1 or not table.sum() > 0:
        return Dispersion()
    raw = float(((table - expected) ** 2 / expected).sum() / df)
    return Dispersion(max(raw, 1.0), raw, df)


def rate_ratio(
    later: float,
    earlier: float,
    *,
    days_later: float,
    days_earlier: float,
    confidence: float = 0.95,
    dispersion: float = 1,
) -> tuple[float | None, float | None, float | None]:
    """Compare two rates: their ratio and its interval, exact (conditional on the sum) where the dispersion is 1.

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
        None where the events do not bound it: no ratio and no upper limit without an earlier event.

    References
    ----------
    Clopper and Pearson (1934), Biometrika 26, 404-413, for the share of events that fall into the later window.
    """
    values = np.array([later, earlier, days_later, days_earlier, dispersion - 1], dtype=np.float64)
    _check("events, days and dispersion - 1", values, confidence=confidence)
    if not min(days_later, days_earlier) > 0:
        raise InputError("both windows need a length in days to be compared")
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
