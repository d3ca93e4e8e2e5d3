"""The E-test: do two Poisson counts come from different rates."""

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError

__all__ = ["etest"]

TAIL = 1e-14  # probability left out at either end of the sums
EVEN = 1e-12  # statistics closer than this are ties


def etest(first: int, second: int, *, first_exposure: float = 1.0, second_exposure: float = 1.0) -> float:
    """Return the two-sided p-value that two Poisson counts differ in rate.

    The statistic ``|k1/n1 - k2/n2| / sqrt(k1/n1^2 + k2/n2^2)`` is compared with its distribution under the
    common rate ``(k1 + k2) / (n1 + n2)``, by summing over all pairs of counts.

    Parameters
    ----------
    first, second
        Counts k1, k2.
    first_exposure, second_exposure
        What they were counted over, n1, n2, both in the same unit: days, say.

    Returns
    -------
    p
        Between 0 and 1. 1 if both counts are 0.

    Raises
    ------
    InputError
        If a count is negative or an exposure not positive.

    References
    ----------
    Krishnamoorthy and Thomson (2004), Journal of Statistical Planning and Inference 119, 23-35.

    Examples
    --------
    >>> round(etest(6, 2), 7)
    0.1748748
    """
    from scipy.stats import poisson

    if min(first, second) < 0 or not min(first_exposure, second_exposure) > 0:
        raise InputError(
            f"counts {first} and {second} must be 0 or more, "
            f"exposures {first_exposure:g} and {second_exposure:g} above 0"
        )
    rate = (first + second) / (first_exposure + second_exposure)
    if rate == 0:
        return 1.0
    means = np.array([first_exposure * rate, second_exposure * rate])
    low, high = poisson.ppf(TAIL, means), poisson.isf(TAIL, means) + 1
    a, b = np.arange(low[0], high[0]), np.arange(low[1], high[1])
    weight = np.outer(poisson.pmf(a, means[0]), poisson.pmf(b, means[1]))
    seen = _statistic(np.array([[first]]), np.array([[second]]), first_exposure, second_exposure)
    all_pairs = _statistic(a[:, None], b[None, :], first_exposure, second_exposure)
    return float(min(1.0, weight[all_pairs >= seen - EVEN].sum()))


def _statistic(k1: NDArray[np.float64], k2: NDArray[np.float64], n1: float, n2: float) -> NDArray[np.float64]:
    gap, spread = np.abs(k1 / n1 - k2 / n2), np.sqrt(k1 / n1**2 + k2 / n2**2)
    # Two empty counts show no difference: the statistic is 0 there.
    return np.divide(gap, spread, out=np.zeros(gap.shape), where=spread > 0)
