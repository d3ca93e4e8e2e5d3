"""The generalised likelihood ratio of a cylinder, and the smallest count that makes it large."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["largest_expected", "log_ratio", "smallest_count"]


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
