"""The Mann-Kendall test: does a series rise or fall."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from pipeline.errors import InputError

__all__ = ["Trend", "mann_kendall"]


@dataclass(frozen=True, slots=True)
class Trend:
    """Mann-Kendall trend of each series.

    Attributes
    ----------
    s
        Later values above earlier ones minus later values below, over all pairs, shape (m,).
    tau
        Kendall's tau-b, s over the pairs that could differ, shape (m,). 0 for a flat series.
    z, p
        Standard score with continuity and tie correction, and two-sided p, shape (m,).
    """

    s: NDArray[np.int64]
    tau: NDArray[np.float64]
    z: NDArray[np.float64]
    p: NDArray[np.float64]


def mann_kendall(series: ArrayLike) -> Trend:
    """Test each series for a monotonic trend.

    ``S = sum over i < j of sign(x_j - x_i)``, ``var S = (n(n-1)(2n+5) - sum t(t-1)(2t+5)) / 18`` over groups of
    t tied values, ``z = (S - sign S) / sqrt(var S)``. It takes periods as independent.

    Parameters
    ----------
    series
        One row per series, one column per period, shape (m, periods).

    Returns
    -------
    trend
        S, tau-b, z and p per series. A flat series has z 0 and p 1.

    Raises
    ------
    InputError
        If there are fewer than three periods, or a value is missing.

    References
    ----------
    Mann (1945), Econometrica 13, 245-259; Kendall (1975), Rank Correlation Methods.

    Examples
    --------
    >>> mann_kendall([[1, 2, 3, 4, 5]]).s.tolist()
    [10]
    """
    x = np.asarray(series, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] < 3 or not np.isfinite(x).all():
        raise InputError(f"series have shape {x.shape}: give one row each, three or more periods, no value missing")
    n = x.shape[1]
    s, tied_pairs = np.zeros(x.shape[0], dtype=np.int64), np.zeros(x.shape[0])
    for step in range(1, n):
        change = np.sign(x[:, step:] - x[:, :-step])
        s += change.sum(axis=1).astype(np.int64)
        tied_pairs += (change == 0).sum(axis=1)
    # Each value of a group of t ties sees t equal ones: summing (t-1)(2t+5) over values is the tie term.
    t = np.stack([(x == x[:, [j]]).sum(axis=1) for j in range(n)], axis=1)
    variance = (n * (n - 1) * (2 * n + 5) - ((t - 1) * (2 * t + 5)).sum(axis=1)) / 18.0
    spread = np.sqrt(variance)
    z = np.divide(s - np.sign(s), spread, out=np.zeros(s.size), where=spread > 0)
    pairs = n * (n - 1) / 2
    able = np.sqrt((pairs - tied_pairs) * pairs)
    tau = np.divide(s, able, out=np.zeros(s.size), where=able > 0)
    return Trend(s=s, tau=tau, z=z, p=2.0 * ndtr(-np.abs(z)))
