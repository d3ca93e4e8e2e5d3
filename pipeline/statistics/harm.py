"""Harm: weights of offences added up, how few incidents decide a sum, and whether it changed."""

from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from pipeline.errors import InputError

__all__ = ["FEWEST_EFFECTIVE", "Transform", "change_of_sums", "effective_incidents", "transformed"]

Floats = NDArray[np.float64]
FEWEST_EFFECTIVE = 10.0
"""A sum that rests on fewer equal incidents than this says nothing about change: a few grave ones decide it."""


class Transform(StrEnum):
    """What is added up."""

    RAW = "raw"
    SQUARE_ROOT = "square_root"
    LOG = "log"


def transformed(weights: ArrayLike, transform: str) -> Floats:
    """Return what each incident adds to harm.

    Parameters
    ----------
    weights
        0 or more, shape (n,).
    transform
        The weight, its square root, or log(1 + weight).

    Raises
    ------
    InputError
        If a weight is negative or not finite.

    Examples
    --------
    >>> transformed([0, 4, 100], "square_root").tolist(), transformed([0.0], "log").tolist()
    ([0.0, 2.0, 10.0], [0.0])
    """
    values = np.asarray(weights, dtype=np.float64)
    if not (np.isfinite(values) & (values >= 0)).all():
        raise InputError("weights of offences must be finite numbers, 0 or more")
    match Transform(transform):
        case Transform.RAW:
            return values
        case Transform.SQUARE_ROOT:
            return np.sqrt(values)
        case Transform.LOG:
            return np.log1p(values)


def effective_incidents(sums: ArrayLike, squares: ArrayLike) -> Floats:
    """Return how many incidents of equal weight would be as uncertain as a sum of weights (Kish 1965).

    Parameters
    ----------
    sums, squares
        Sums of weights and of their squares, shape (n,).

    Examples
    --------
    Ten incidents of weight 1 and one of weight 90 are hardly more than one incident.

    >>> effective_incidents([100.0, 11.0, 0.0], [8110.0, 11.0, 0.0]).round(2).tolist()
    [1.23, 11.0, 0.0]
    """
    s, q = np.asarray(sums, dtype=np.float64), np.asarray(squares, dtype=np.float64)
    return np.asarray(np.divide(s**2, q, out=np.zeros_like(q), where=q > 0), dtype=np.float64)


def change_of_sums(
    later: ArrayLike,
    earlier: ArrayLike,
    *,
    later_squares: ArrayLike,
    earlier_squares: ArrayLike,
    days_later: int,
    days_earlier: int,
    dispersion: float,
) -> Floats:
    """Return two-sided p that the harm a day is the same in two windows, by the normal approximation.

    If incidents come as a Poisson process and each carries its weight, the variance of a sum of weights is the sum of
    their squares; `dispersion` widens it as it does counts.

    Parameters
    ----------
    later, earlier
        Harm in the two windows, shape (n,).
    later_squares, earlier_squares
        Sums of the squares of the weights, shape (n,).
    days_later, days_earlier
        Length of the windows.
    dispersion
        Variance over mean of counts, at least 1.

    Examples
    --------
    100 incidents of weight 1, and 60: z is 40 over the root of 160.

    >>> change_of_sums([100], [60], later_squares=[100], earlier_squares=[60], days_later=365, days_earlier=365,
    ...                dispersion=1.0).round(6).tolist()
    [0.001565]
    """
    one, other, one_sq, other_sq = (
        np.asarray(v, dtype=np.float64) for v in (later, earlier, later_squares, earlier_squares)
    )
    difference = one / days_later - other / days_earlier
    variance = dispersion * (one_sq / days_later**2 + other_sq / days_earlier**2)
    z = np.divide(np.abs(difference), np.sqrt(variance), out=np.zeros_like(variance), where=variance > 0)
    return np.asarray(special.erfc(z / np.sqrt(2)), dtype=np.float64)
