"""The false discovery rate: p-values of one stated family, adjusted together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError

__all__ = ["Family", "benjamini_hochberg"]


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


def benjamini_hochberg(p: ArrayLike, *, included: ArrayLike | None = None) -> NDArray[np.float64]:
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
    _check(values)
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


def _check(values: NDArray[np.float64]) -> None:
    if not bool(np.all((values >= 0.0) & (values <= 1.0))):
        raise InputError("a p-value is missing or outside 0 to 1: leave tests that were not made out with `included`")
