"""Counts of areas by window, side by side: what comparisons of windows, and the variation of counts, are computed from.

A release compares dozens of windows, and each comparison looks at the same counts again. They are put in order once.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.domain.periods import Period
from pipeline.errors import InputError
from pipeline.statistics.uncertainty import Ranges

__all__ = ["Series", "WindowCounts"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Series:
    """The counts of all areas of one level and category: which rows of `WindowCounts` they are."""

    level: str
    category: str
    rows: slice


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """Counts, shape (areas x categories, windows), one row for each area and category that has any.

    Attributes
    ----------
    area
        Codes of the areas, shape (rows,): in order of level, category and code.
    series
        The rows of each level and category, in order.
    columns
        Column of each window.
    place
        Row of each count in the table that was read; -1 where it has none.
    value, lower, upper
        What formulas use for each count, and the range that it lies in (see `Ranges`); NaN where it is missing.
    """

    area: npt.NDArray[np.object_]
    series: tuple[Series, ...]
    columns: dict[Period, int]
    place: Integers
    value: Floats
    lower: Floats
    upper: Floats
    _sums: dict[tuple[tuple[int, int], tuple[int, ...]], tuple[Floats, Floats, Floats]] = field(default_factory=dict)

    @classmethod
    def of(cls, counts: pd.DataFrame) -> "WindowCounts":
        """Read a table.

        Parameters
        ----------
        counts
            area_code, level, period, category, incidents (nullable), optionally the range that each lies in
            (incidents_lower, incidents_upper).

        Raises
        ------
        InputError
            If an area has two counts for one category and window.
        """
        texts = [counts[name].astype(str) for name in ("level", "category", "area_code")]
        (level, levels), (category, categories), (area, areas) = (pd.factorize(text, sort=True) for text in texts)
        # Codes are joined as numbers: rows of three texts take many times as long to sort.
        joined = (level * len(categories) + category) * len(areas) + area
        keys, row = np.unique(joined, return_inverse=True)
        column, periods = pd.factorize(counts["period"].astype(str), sort=True)
        shape = len(keys), len(periods)
        if len(np.unique(row * shape[1] + column)) < len(counts):
            raise InputError("an area has two counts for one category and window: sum them before comparing")
        place = np.full(shape, -1)
        place[row, column] = np.arange(len(counts))
        ranges = Ranges.of(counts)
        value, lower, upper = np.full((3, *shape), np.nan)
        value[row, column], lower[row, column], upper[row, column] = ranges.value, ranges.lower, ranges.upper
        group, code = np.divmod(keys, max(len(areas), 1))
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        series = []
        for start, end in zip(starts, [*starts[1:], len(keys)], strict=True):
            which, of = divmod(int(group[start]), len(categories))
            series.append(Series(str(levels[which]), str(categories[of]), slice(int(start), int(end))))
        columns = {Period.parse(str(period)): n for n, period in enumerate(periods)}
        return cls(np.asarray(areas, dtype=object)[code], tuple(series), columns, place, value, lower, upper)

    def given(self, rows: slice, columns: Collection[int]) -> bool:
        """Whether the table has any count, even a missing one, of some rows and columns."""
        return bool((self.place[rows, list(columns)] >= 0).any())

    def summed(self, rows: slice, columns: tuple[int, ...]) -> tuple[Floats, Floats, Floats]:
        """Add up columns: value, lower and upper, shape (rows,) each.

        Sums are kept, as comparisons share many of their windows.
        """
        key = (rows.start, rows.stop), columns
        if key not in self._sums:
            every = self.value, self.lower, self.upper
            value, lower, upper = (each[rows][:, list(columns)].sum(axis=1) for each in every)
            self._sums[key] = value, lower, upper
        return self._sums[key]
