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

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.domain.periods import Period
from pipeline.statistics.uncertainty import FEWEST_AREAS, Dispersion, dispersion, robust_dispersion

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
MEASURES = ("incidents", "lower", "upper")


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


def _months(period: Period) -> list[Period]:
    first = Period(period.first_month, period.first_month)
    return [first.shifted(month) for month in range(period.months)]


def usual_variation(
    counts: pd.DataFrame,
    windows: tuple[Period, Period],
    *,
    before: tuple[Period, Period] | None = None,
    min_events: int = 20,
) -> tuple[pd.DataFrame, dict[tuple[str, str], Dispersion]]:
    """Estimate the dispersion of each level and category.

    Parameters
    ----------
    counts
        area_code, level, period, category, incidents, lower and upper (the range of each; floats, NaN if not known):
        the two windows and, if there are any, their quarters or months and the windows of `before`.
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
    found: dict[tuple[str, str], Estimate] = {}
    few = []
    both = counts["period"].isin([w.id for w in windows])
    for level in sorted(counts.loc[both, "level"].astype(str).unique()):
        tables = _Tables.of(counts[(counts["level"] == level).to_numpy()])
        for category in sorted(tables.rows):
            own = _of_pairs(tables, category, windows, before, min_events=min_events)
            own = own or _of_months(tables, category, windows)
            if own is None:
                few.append((level, category))
            else:
                found[level, category] = own
    pooled = _monthly(counts, {level for level, _ in few}, windows)
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
    columns = ["level", "category", "dispersion", "dispersion_df", "dispersion_from"]
    return pd.DataFrame(rows, columns=columns), estimates


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
    """The counts of a level: by measure, shape (rows, periods); the rows of a category, the column of a period."""

    counts: dict[str, Floats]
    rows: dict[str, npt.NDArray[np.intp]]
    columns: dict[str, int]

    @classmethod
    def of(cls, counts: pd.DataFrame) -> "_Tables":
        category, categories = pd.factorize(counts["category"], sort=True)
        area, areas = pd.factorize(counts["area_code"], sort=True)
        # Sorted by category, then area. Codes are joined as numbers: pairs of texts take eight times as long.
        keys, code = np.unique(category * len(areas) + area, return_inverse=True)
        column, periods = pd.factorize(counts["period"].astype(str), sort=True)
        by_measure = {}
        for measure in MEASURES:
            by_measure[measure] = np.full((len(keys), len(periods)), np.nan)
            by_measure[measure][code, column] = counts[measure].to_numpy(np.float64)
        ends = np.searchsorted(keys, np.arange(len(categories) + 1) * len(areas))
        rows = {str(c): np.arange(*ends[n : n + 2]) for n, c in enumerate(categories)}
        return cls(by_measure, rows, {str(p): n for n, p in enumerate(periods)})

    def parts(self, category: str, windows: Sequence[Period]) -> _Parts | None:
        """Return the areas for which all counts are known; None if a window is not among the counts."""
        columns = [self._columns(window) for window in windows]
        if not columns or not all(columns):
            return None
        rows = self.rows[category]
        value, lower, upper = (
            np.column_stack([self.counts[m][rows][:, some].sum(axis=1) for some in columns]) for m in MEASURES
        )
        known = ~np.isnan(value).any(axis=1)
        return _Parts(value[known], lower[known], (upper - lower)[known])

    def _columns(self, period: Period) -> list[int]:
        """Find the counts that add up to a window: its own, or those of its months."""
        if period.id in self.columns:
            return [self.columns[period.id]]
        months = _months(period) if period.whole_months else []
        return [self.columns[m.id] for m in months] if all(m.id in self.columns for m in months) else []


def _of_pairs(
    tables: _Tables,
    category: str,
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
        given = [parts for series in wanted if (parts := tables.parts(category, series)) is not None]
        if len(given) < len(wanted):
            continue
        for floor, fewest in ((tested, ENOUGH_AREAS), (FEWEST_EVENTS, FEWEST_AREAS)):
            pairs = [pair for parts in given for pair in parts.pairs(floor)]
            if min(len(first) for first, _ in pairs) >= fewest and (estimate := robust_dispersion(pairs)).df:
                return estimate, source
    return None


def _of_months(tables: _Tables, category: str, windows: tuple[Period, Period]) -> Estimate | None:
    """Compare each month of the later window with the same month of the earlier one, over the areas of a level."""
    one, two = (_months(window) if window.whole_months else [] for window in windows)
    alike = [a.first_month % 100 for a in one] == [b.first_month % 100 for b in two]
    if not alike or not all(m.id in tables.columns for m in (*one, *two)) or len(one) < FEWEST_MONTHS:
        return None
    pairs = []
    for row in tables.rows[category]:
        value, lower, upper = (
            [tables.counts[m][row, [tables.columns[p.id] for p in months]] for months in (one, two)] for m in MEASURES
        )
        # NaN, where a month is not known, is not above any limit.
        least = lower[0] + lower[1]
        keep = (least >= FEWEST_EVENTS) & (least >= 2 * (upper[0] + upper[1] - least))
        if keep.sum() >= FEWEST_MONTHS:
            pairs.append((value[0][keep], value[1][keep]))
    estimate = robust_dispersion(pairs)
    return (estimate, "months of both windows") if estimate.df else None


def _monthly(
    counts: pd.DataFrame, levels: Collection[str], windows: tuple[Period, Period]
) -> dict[tuple[str, str], Dispersion]:
    """Pool the variation of months about the mean of their own window, over the areas of a level; by category."""
    sums: dict[tuple[str, str], tuple[float, int]] = {}
    rows = counts[counts["level"].isin(list(levels)) & counts["incidents"].notna()]
    days = {p: Period.parse(p).days for p in rows["period"].unique()}
    for window in windows:
        inside = rows[rows["period"].isin([p for p in days if _is_month_of(p, window)])]
        inside = inside.sort_values(["level", "category", "area_code", "period"])
        # The rows of one series follow one another: it ends where a level, category or area does.
        level, category, area = (inside[name].to_numpy(dtype=object) for name in ("level", "category", "area_code"))
        values, lengths = inside["incidents"].to_numpy(np.float64), inside["period"].map(days).to_numpy()
        differs = (level[1:] != level[:-1]) | (category[1:] != category[:-1]) | (area[1:] != area[:-1])
        bounds = [0, *(np.flatnonzero(differs) + 1), len(inside)] if len(inside) else []
        for start, end in itertools.pairwise(bounds):
            one = dispersion(values[start:end], days=lengths[start:end])
            key = level[start], category[start]
            chi2, df = sums.get(key, (0.0, 0))
            sums[key] = chi2 + (one.raw or 0.0) * one.df, df + one.df
    return {key: Dispersion(max(chi2 / df, 1.0), chi2 / df, df) for key, (chi2, df) in sums.items() if df}


def _is_month_of(period: str, window: Period) -> bool:
    month = Period.parse(period)
    if not window.whole_months:
        return False  # a month is longer than a window of days, and says nothing of how days vary
    return month.whole_months and month.months == 1 and month != window and month.overlaps(window)
