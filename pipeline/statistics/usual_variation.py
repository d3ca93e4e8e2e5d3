"""How much counts vary where nothing has changed: the dispersion that changes of areas are compared with.

Two windows of which a change is suspected are the worst place to look: a tenth of wards that really changed make a
dispersion of 1.7 look like 2.7, behind which most of these changes disappear. So it is estimated, in this order, from

1. the quarters of each window, as a change from one window to the next leaves the quarters of a window alike;
2. the comparison one step earlier, where the profile shows its windows;
3. the two windows themselves, leaving out the areas that depart far from the rest;
4. the months inside the windows, for levels with too few areas (the region): each month of the later window against
   the same month of the earlier one, so that seasons do not count, or all about the mean of their window if the two
   windows have other months;
5. another level of the same category, the one with the largest estimate: too wide an interval is the safer error.

All but the last two leave out areas (in 4, months) that depart far from the rest (`robust_dispersion`), because areas
also change in the middle of a window, and changed a year ago.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.domain.periods import Period
from pipeline.statistics.uncertainty import FEWEST_AREAS, Dispersion, dispersion, robust_dispersion
from pipeline.statistics.window_counts import Series, WindowCounts

__all__ = ["parts_of", "usual_variation"]

Floats = npt.NDArray[np.float64]
Estimate = tuple[Dispersion, str]

# Counts vary the more, relative to chance, the larger they are. So the dispersion comes from areas with as many events
# as those that are tested, if there are enough of them; otherwise from all that have at least ten in a pair of counts,
# under which chi-squared is no good approximation.
ENOUGH_AREAS = 20
FEWEST_EVENTS = 10
# From fewer months an estimate would be worth little, and is not needed: months are compared for long windows.
FEWEST_MONTHS = 6
SPREAD = ["level", "category", "dispersion", "dispersion_df", "dispersion_from"]


@lru_cache(maxsize=1000)  # a release compares dozens of windows, which share most of their parts
def parts_of(window: Period) -> tuple[Period, ...]:
    """Divide a window into quarters counted from its start, or into months if it is short; empty if it has no parts.

    >>> [part.id for part in parts_of(Period.parse("2024-08..2025-07"))][:2]
    ['2024-08..2024-10', '2024-11..2025-01']
    >>> [part.id for part in parts_of(Period.parse("2025-04..2025-06"))]
    ['2025-04', '2025-05', '2025-06']
    """
    if not window.whole_months or window.months < 2:
        return ()
    length = 3 if window.months % 3 == 0 and window.months > 3 else 1
    months = _months(window)
    return tuple(Period(m.first_month, m.shifted(length - 1).first_month) for m in months[::length])


@lru_cache(maxsize=1000)
def _months(period: Period) -> tuple[Period, ...]:
    first = Period(period.first_month, period.first_month)
    return tuple(first.shifted(month) for month in range(period.months))


def usual_variation(
    counts: WindowCounts,
    windows: tuple[Period, Period],
    *,
    before: tuple[Period, Period] | None = None,
    min_events: int = 20,
) -> tuple[pd.DataFrame, dict[tuple[str, str], Dispersion]]:
    """Estimate the dispersion of each level and category.

    Parameters
    ----------
    counts
        The two windows and, if there are any, their quarters or months and the windows of `before`.
    windows
        The earlier and the later window.
    before
        The windows of the comparison one step earlier; None if there is none, or if it crosses a break.
    min_events
        Fewest events in the earlier window of an area that is tested.

    Returns
    -------
    spread, estimates
        level, category, dispersion, dispersion_df and dispersion_from; and the same by level and category.
    """
    near = {p: n for p, n in counts.columns.items() if _is_near(p, windows, before)}
    both = [near[w] for w in windows if w in near]
    found: dict[tuple[str, str], Estimate] = {}
    few = []
    for level in dict.fromkeys(one.level for one in counts.series if counts.given(one.rows, both)):
        given = [one for one in counts.series if one.level == level and counts.given(one.rows, near.values())]
        whole = slice(given[0].rows.start, given[-1].rows.stop)
        tables = _Tables(counts, whole, {p: n for p, n in near.items() if counts.given(whole, [n])})
        for one in given:
            own = _of_pairs(tables, one, windows, before, min_events=min_events)
            own = own or _of_months(tables, one, windows)
            if own is None:
                few.append((level, one.category))
            else:
                found[level, one.category] = own
    pooled = _monthly(counts, few, windows)
    found |= {key: (pooled[key], "months") for key in few if key in pooled}
    rows: list[tuple[str, str, float, int, str]] = []
    estimates: dict[tuple[str, str], Dispersion] = {}
    for key in sorted([*few, *(key for key in found if key not in few)]):
        others = [(d.value, level, d) for (level, category), (d, _) in sorted(found.items()) if category == key[1]]
        if key in found:
            estimate, source = found[key]
        elif others:
            _, level, estimate = max(others, key=lambda other: other[:2])
            source = f"level {level}"
        else:
            estimate, source = Dispersion(), "not estimated"
        estimates[key] = estimate
        rows.append((*key, estimate.value, estimate.df, source))
    return pd.DataFrame(rows, columns=SPREAD), estimates


@dataclass(frozen=True, slots=True)
class _Parts:
    """Counts of some areas in windows that follow each other, shape (areas, windows)."""

    counts: Floats
    least: Floats
    width: Floats

    def pairs(self, tested: int) -> list[tuple[Floats, Floats]]:
        """Compare each window with all before it, in the areas that have enough events.

        These comparisons are independent of each other and of the sum of all windows, by which areas are chosen.
        """
        least, width = self.least.sum(axis=1), self.width.sum(axis=1)
        # Counts in steps: only where the steps are small beside the counts do differences show how counts vary.
        some = (least >= max(tested, FEWEST_EVENTS)) & (least >= 2 * width)
        before = np.cumsum(self.counts[some], axis=1)
        found = []
        for at in range(1, self.counts.shape[1]):
            first, second = before[:, at - 1], self.counts[some, at]
            enough = first + second >= FEWEST_EVENTS
            found.append((first[enough], second[enough]))
        return found


@dataclass(frozen=True, slots=True)
class _Tables:
    """The counts of a level: its rows, and the columns of the windows that it has."""

    counts: WindowCounts
    rows: slice
    columns: dict[Period, int]

    def parts(self, series: Series, windows: Sequence[Period]) -> _Parts | None:
        """Return the areas for which all counts are known; None if a window is not among the counts."""
        columns = [self._columns(window) for window in windows]
        if not columns or not all(columns):
            return None
        own = slice(series.rows.start - self.rows.start, series.rows.stop - self.rows.start)
        sums = [self.counts.summed(self.rows, some) for some in columns]
        value, lower, upper = (
            np.column_stack([each[own] for each in by_window]) for by_window in zip(*sums, strict=True)
        )
        known = ~np.isnan(value).any(axis=1)
        return _Parts(value[known], lower[known], (upper - lower)[known])

    def _columns(self, period: Period) -> tuple[int, ...]:
        """Find the counts that add up to a window: its own, or those of its months."""
        if period in self.columns:
            return (self.columns[period],)
        months = _months(period) if period.whole_months else ()
        return tuple(self.columns[m] for m in months) if all(m in self.columns for m in months) else ()


def _is_near(period: Period, windows: tuple[Period, Period], before: tuple[Period, Period] | None) -> bool:
    """Whether a window is one of those compared, is inside one of them, or is one of the comparison before."""
    if period in windows or (before is not None and period in before):
        return True
    return period.whole_months and any(
        w.whole_months and period.months < w.months and period.overlaps(w) for w in windows
    )


def _of_pairs(
    tables: _Tables,
    series: Series,
    windows: tuple[Period, Period],
    before: tuple[Period, Period] | None,
    *,
    min_events: int,
) -> Estimate | None:
    """Estimate one level and category from the first source that has enough areas."""
    sources: tuple[tuple[str, list[Sequence[Period]], int], ...] = (
        ("quarters of the windows", [parts_of(window) for window in windows], min_events),
        ("earlier windows", [before or ()], 2 * min_events),
        ("these windows", [windows], 2 * min_events),
    )
    for source, wanted, tested in sources:
        given = [parts for some in wanted if (parts := tables.parts(series, some)) is not None]
        if len(given) < len(wanted):
            continue
        for floor, fewest in ((tested, ENOUGH_AREAS), (FEWEST_EVENTS, FEWEST_AREAS)):
            pairs = [pair for parts in given for pair in parts.pairs(floor)]
            if min(len(first) for first, _ in pairs) >= fewest and (estimate := robust_dispersion(pairs)).df:
                return estimate, source
    return None


def _of_months(tables: _Tables, series: Series, windows: tuple[Period, Period]) -> Estimate | None:
    """Compare each month of the later window with the same month of the earlier one, over the areas of a level."""
    one, two = (_months(window) if window.whole_months else () for window in windows)
    alike = [a.first_month % 100 for a in one] == [b.first_month % 100 for b in two]
    if not alike or not all(m in tables.columns for m in (*one, *two)) or len(one) < FEWEST_MONTHS:
        return None
    counts, pairs = tables.counts, []
    columns = [[tables.columns[month] for month in months] for months in (one, two)]
    for row in range(series.rows.start, series.rows.stop):
        value, lower, upper = (
            [each[row, some] for some in columns] for each in (counts.value, counts.lower, counts.upper)
        )
        # NaN, where a month is not known, is not above any limit.
        least = lower[0] + lower[1]
        keep = (least >= FEWEST_EVENTS) & (least >= 2 * (upper[0] + upper[1] - least))
        if keep.sum() >= FEWEST_MONTHS:
            pairs.append((value[0][keep], value[1][keep]))
    estimate = robust_dispersion(pairs)
    return (estimate, "months of both windows") if estimate.df else None


def _monthly(
    counts: WindowCounts, wanted: Collection[tuple[str, str]], windows: tuple[Period, Period]
) -> dict[tuple[str, str], Dispersion]:
    """Pool the variation of months about the mean of their own window, over the areas of a level and category."""
    sums: dict[tuple[str, str], tuple[float, int]] = {}
    for window in windows:
        inside = {p: n for p, n in counts.columns.items() if _is_month_of(p, window)}
        columns, days = list(inside.values()), np.array([float(p.days) for p in inside])
        for one in counts.series:
            key = one.level, one.category
            if key not in wanted or not inside:
                continue
            for values in counts.value[one.rows][:, columns]:
                known = ~np.isnan(values)
                if known.any():
                    own = dispersion(values[known], days=days[known])
                    chi2, df = sums.get(key, (0.0, 0))
                    sums[key] = chi2 + (own.raw or 0.0) * own.df, df + own.df
    return {key: Dispersion(max(chi2 / df, 1.0), chi2 / df, df) for key, (chi2, df) in sums.items() if df}


def _is_month_of(month: Period, window: Period) -> bool:
    if not window.whole_months:
        return False  # a month is longer than a window of days, and says nothing of how days vary
    return month.whole_months and month.months == 1 and month != window and month.overlaps(window)
