"""Quasi-Poisson score tests of two windows: an area against itself, and against the rest of its region.

Given the sum of both windows, the later count of Poisson events is binomial. Its variance is multiplied by the
dispersion that was estimated for counts of this kind, and the statistic is referred to Student's t with the degrees
of freedom of that estimate (to the normal distribution where there are none).
"""

import numpy as np
import numpy.typing as npt
from scipy import special

from pipeline.errors import InputError
from pipeline.intervals import Dispersion

__all__ = ["against_rest", "against_self"]

Floats = npt.NDArray[np.float64]


def against_self(
    later: npt.ArrayLike, earlier: npt.ArrayLike, *, days_later: float, days_earlier: float, spread: Dispersion
) -> Floats:
    """Test whether events per day were the same in both windows.

    Parameters
    ----------
    later, earlier
        Events, shape (n,).
    days_later, days_earlier
        Exposures, in days.
    spread
        Dispersion of such counts.

    Returns
    -------
    p
        Two-sided p-values, shape (n,); 1 where there are no events.

    References
    ----------
    Gu et al. (2008), Biometrical Journal 50, 283-298, for the Poisson case; McCullagh and Nelder (1989), section 4.5.
    """
    if not min(days_later, days_earlier) > 0:
        raise InputError("both windows need a length in days to be compared")
    x2, x1 = np.asarray(later, dtype=np.float64), np.asarray(earlier, dtype=np.float64)
    both, share = x1 + x2, days_later / (days_later + days_earlier)
    return _two_sided(x2 - both * share, variance=both * share * (1 - share), spread=spread)


def against_rest(
    later: npt.ArrayLike,
    earlier: npt.ArrayLike,
    *,
    rest_later: npt.ArrayLike,
    rest_earlier: npt.ArrayLike,
    spread: Dispersion,
) -> Floats:
    """Test whether an area changed by the same factor as the rest of its region.

    Both are seen in the same windows, so their length does not matter. With a dispersion of 1 this is Pearson's
    chi-squared test of the two-by-two table without continuity correction.

    Parameters
    ----------
    later, earlier
        Events of the areas, shape (n,).
    rest_later, rest_earlier
        Events of the region without the area, shape (n,).
    spread
        Dispersion of such counts.

    Returns
    -------
    p
        Two-sided p-values, shape (n,); 1 where a margin of the table is empty.
    """
    x2, x1, r2, r1 = (np.asarray(v, dtype=np.float64) for v in (later, earlier, rest_later, rest_earlier))
    area, total = x1 + x2, x1 + x2 + r1 + r2
    some = np.maximum(total, 1)
    share = (x2 + r2) / some
    # The share is estimated from the same table: only the rest's part of the variance is left.
    variance = area * share * (1 - share) * (total - area) / some
    return _two_sided(x2 - area * share, variance=variance, spread=spread)


def _two_sided(excess: Floats, *, variance: Floats, spread: Dispersion) -> Floats:
    free = variance > 0
    z = np.divide(excess, np.sqrt(spread.value * variance), out=np.zeros(np.shape(excess)), where=free)
    tail = special.stdtr(spread.df, -np.abs(z)) if spread.df else special.ndtr(-np.abs(z))
    return np.asarray(2 * tail, dtype=np.float64)
