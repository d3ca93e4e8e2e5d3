"""Counts that are known only as a range: the values that formulas use for them, and their limits.

A released count is given as the step it lies in ("20 to 29"), an internal one exactly: its range is then one number.
Every figure computed from counts takes a `Ranges`, so that one formula serves both and never states more than the range
allows.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["Ranges", "middle_of"]

Floats = npt.NDArray[np.float64]


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
