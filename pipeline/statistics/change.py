"""Change from an earlier window to a later one, for each area by itself and relative to the rest of the region.

The tests are quasi-Poisson score tests (at the end of this module), with the dispersion estimated for each level and
category (`usual_variation`). One family of tests is adjusted together: all areas of a level and all categories in the
one declared comparison. The comparison is declared before the counts are known, so that nobody can choose the window
with the largest change. Where other windows are compared too, all of them with all their categories are a second family
(`change_together`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from pipeline.domain.periods import Break, Period, breaks_within, earlier_window, is_partial, month_names
from pipeline.errors import InputError
from pipeline.statistics.uncertainty import Dispersion, Family, Ranges, benjamini_hochberg, middle_of
from pipeline.statistics.usual_variation import SPREAD, usual_variation
from pipeline.statistics.window_counts import WindowCounts
from pipeline.tables import Level, nullable

__all__ = [
    "CLEAR",
    "COMPARED",
    "ChangeRules",
    "ChangeWord",
    "Changes",
    "Comparison",
    "against_rest",
    "against_self",
    "change",
    "change_together",
    "compare_windows",
]


Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class ChangeWord(StrEnum):
    """Label of a change: a direction only if the test finds one."""

    HIGHER = "higher"
    LOWER = "lower"
    NO_CLEAR_CHANGE = "no clear change"
    TOO_FEW = "too few"
    NOT_COMPARABLE = "not comparable"


CLEAR = frozenset({ChangeWord.HIGHER, ChangeWord.LOWER})
COMPARED = CLEAR | {ChangeWord.NO_CLEAR_CHANGE}
"""Labels of the areas that were tested."""


@dataclass(frozen=True, slots=True)
class ChangeRules:
    """When a change is reported.

    Attributes
    ----------
    fdr_q
        Largest expected share of false changes among those reported.
    min_earlier
        Fewest events in the earlier window. From fewer than 20 a percentage is mostly noise (the standard error of a
        count of 20 is 22 %), and the tests below, which hold for large counts, are no longer good approximations.
    """

    fdr_q: float = 0.05
    min_earlier: int = 20


@dataclass(frozen=True, slots=True)
class Comparison:
    """The declared comparison of a run, and why it is not possible (empty if it is)."""

    earlier: Period
    later: Period
    obstacle: str = ""

    @property
    def label(self) -> str:
        """Words for readers: "12 months to July 2025 against 12 months to July 2024"."""
        return f"{self.later.label} against {self.earlier.label}"

    @property
    def same_months(self) -> bool:
        """Whether both windows have the same calendar months: percentages are then those of the counts themselves.

        Windows of days are compared with as many days.
        """
        one, other = self.earlier, self.later
        if not (one.whole_months and other.whole_months):
            return one.days == other.days
        return one.months == other.months and (one.first_month - other.first_month) % 100 == 0


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of all areas and categories.

    Attributes
    ----------
    table
        One row for each area and category of the later window: area_code, level, period, category, incidents_earlier,
        change_pct (per cent), change_word, change_p, change_q (adjusted), change_vs_region (the same words),
        change_vs_region_p and change_vs_region_q.
    comparison
        What was compared.
    spread
        Dispersion by level and category: dispersion, dispersion_df, dispersion_from.
    families
        The tests that were adjusted together, of these and other windows.
    """

    table: pd.DataFrame
    comparison: Comparison
    spread: pd.DataFrame
    families: tuple[Family, ...]


def compare_windows(
    later: Period,
    *,
    first_date: date,
    last_date: date,
    basis: Literal["previous", "year_before"] = "year_before",
    breaks: Collection[Break] = (),
    missing: Collection[int] = (),
    missing_days: Collection[date] = (),
) -> Comparison:
    """Declare a comparison, with the obstacle if the data do not allow it.

    Parameters
    ----------
    later
        The window that is compared.
    first_date, last_date
        First and last day that the data cover completely.
    basis
        With the window just before, or with the same months a year earlier.
    breaks
        Declared changes of recording; none of them may lie between or inside the windows.
    missing
        Months without data.
    missing_days
        Days without data, which matter for windows of days.

    Examples
    --------
    >>> covered = {"first_date": date(2023, 1, 1), "last_date": date(2024, 12, 31)}
    >>> compare_windows(Period.parse("2024-01..2024-12"), **covered).label
    '2024 against 2023'
    >>> compare_windows(Period.parse("2023-01..2023-12"), **covered).obstacle
    'The data begin on 2023-01-01: 2022 is not in them.'
    """
    earlier = earlier_window(later, basis=basis)
    if earlier.start < first_date:
        return Comparison(
            earlier, later, f"The data begin on {first_date.isoformat()}: {earlier.label} is not in them."
        )
    for window in (earlier, later):
        if is_partial(window, first_date=first_date, last_date=last_date, missing=missing, missing_days=missing_days):
            gone = [month for month in missing if window.first_month <= month <= window.last_month]
            why = f": {month_names(gone)} {'is' if len(gone) == 1 else 'are'} missing or incomplete" if gone else ""
            return Comparison(earlier, later, f"The data cover {window.label} only in part{why}.")
    between = breaks_within(earlier.first_month, later.last_month, breaks)
    return Comparison(earlier, later, between[0].text if between else "")


def change(
    counts: pd.DataFrame,
    comparison: Comparison,
    *,
    before: Comparison | None = None,
    rules: ChangeRules | None = None,
    not_comparable: Collection[str] = (),
) -> Changes:
    """Determine for each area and category whether the later window is higher or lower than the earlier one.

    Parameters
    ----------
    counts
        area_code, level, period, category, incidents (nullable), optionally the range that each lies in
        (incidents_lower, incidents_upper: see `Ranges`). A change is then reported only if it holds for all counts
        inside both ranges. The halves of the two windows or their months, and the windows of `before`, if given, are
        used to estimate the dispersion.
    comparison
        What to compare.
    before
        The same comparison one step earlier; without effect if it has an obstacle.
    rules
        When a change is reported.
    not_comparable
        Areas that are not the same in both windows, such as wards of one vintage only.

    Returns
    -------
    changes
        Null if a count is null. "too few" if the earlier window has too few events for a percentage; "not comparable"
        everywhere if the comparison has an obstacle.

    Raises
    ------
    InputError
        If the later window is not among the counts, or a key comes twice.

    Examples
    --------
    Six wards, of which one doubles and one has too few earlier events:

    >>> year = {"2023-01..2023-12": [100, 90, 110, 95, 105, 3], "2024-01..2024-12": [210, 92, 108, 99, 101, 9]}
    >>> counts = pd.concat(
    ...     pd.DataFrame({"area_code": list("ABCDEF"), "level": "ward", "period": period, "category": "all",
    ...                   "incidents": pd.array(values, dtype="Int64")})
    ...     for period, values in year.items()
    ... )
    >>> windows = Comparison(Period.parse("2023-01..2023-12"), Period.parse("2024-01..2024-12"))
    >>> found = change(counts, windows).table
    >>> found["change_word"].tolist()
    ['higher', 'no clear change', 'no clear change', 'no clear change', 'no clear change', 'too few']
    >>> found["change_pct"].round(1).tolist()
    [110.0, 2.2, -1.8, 4.2, -3.8, <NA>]
    """
    every = WindowCounts.of(counts)
    return change_together(every, [(comparison, before)], rules=rules, not_comparable=not_comparable)[0]


def change_together(
    counts: WindowCounts,
    wanted: Sequence[tuple[Comparison, Comparison | None]],
    *,
    rules: ChangeRules | None = None,
    not_comparable: Collection[str] = (),
) -> tuple[Changes, ...]:
    """Compare several windows, with all of their tests as one family for each level.

    Parameters
    ----------
    counts
        The counts of all windows.
    wanted
        Comparisons, and the comparison one step earlier of each, as for `change`.
    rules, not_comparable
        As for `change`.

    Returns
    -------
    changes
        In the order given. Of all changes reported in all windows, the expected share of false ones is at most
        `fdr_q`, as tests of overlapping windows depend on each other positively (Benjamini and Yekutieli 2001).
    """
    rules = rules or ChangeRules()
    tests = [_Tests.of(counts, *one, rules=rules, not_comparable=not_comparable) for one in wanted]
    if not tests:
        return ()
    levels = np.concatenate([t.pair.level for t in tests])
    enough, rest_enough = (np.concatenate([getattr(t, name) for t in tests]) for name in ("enough", "rest_enough"))
    p_self, p_region = (np.concatenate([getattr(t, name) for t in tests]) for name in ("p_self", "p_region"))
    # One family for each level: a reader of the list of wards sees all categories of all wards at once.
    q_self, q_region = np.ones(len(levels)), np.ones(len(levels))
    families = []
    label = wanted[0][0].label if len(wanted) == 1 else f"{len(wanted)} comparisons of other windows"
    for level in sorted(set(levels)):
        rows = np.flatnonzero(levels == level)
        q_self[rows] = benjamini_hochberg(p_self[rows], included=enough[rows])
        q_region[rows] = benjamini_hochberg(p_region[rows], included=rest_enough[rows])
        families.append(Family(f"{level}, all categories, {label}", int(enough[rows].sum())))
    ends = np.cumsum([len(t.pair.rows) for t in tests])[:-1]
    each = zip(tests, np.split(q_self, ends), np.split(q_region, ends), strict=True)
    return tuple(
        Changes(t.table(own, rest, rules=rules), t.comparison, t.spread, tuple(families)) for t, own, rest in each
    )


@dataclass(frozen=True, slots=True)
class _Tests:
    """The tests of one comparison, before they are adjusted. Arrays have the shape (n,) of `pair`'s rows."""

    pair: "_Pair"
    comparison: Comparison
    spread: pd.DataFrame
    apart: Bools
    enough: Bools
    against: Bools
    rest_enough: Bools
    rising: Bools
    ahead: Bools
    p_self: Floats
    p_region: Floats

    @classmethod
    def of(
        cls,
        counts: WindowCounts,
        comparison: Comparison,
        step_before: Comparison | None,
        *,
        rules: ChangeRules,
        not_comparable: Collection[str],
    ) -> "_Tests":
        pair = _Pair.of(counts, comparison)
        before, after, number = pair.before, pair.after, len(pair.rows)

        # Which areas can be tested. `apart`: not comparable at all. `known`: both counts are given. `enough`: against
        # itself. `rest_enough`: against the rest of the region, which needs the region's count too.
        apart = np.full(number, bool(comparison.obstacle)) | np.isin(pair.area, list(not_comparable))
        known = after.known & (before.known | apart)
        enough = known & ~apart & (before.lower >= rules.min_earlier) & ~after.first_step
        rest_before, rest_after = pair.rest(before), pair.rest(after)
        against = rest_before.known & rest_after.known & (pair.level != Level.REGION)
        rest_enough = enough & against & (rest_before.lower >= rules.min_earlier) & (rest_after.lower > 0)

        # Directions are computed from products of counts, not from rounded ratios, so that ties stay ties. Of two
        # ranges the nearest pair of counts is compared, so that the result holds for every other pair too; overlapping
        # ranges have no direction.
        days1, days2 = comparison.earlier.days, comparison.later.days
        rising = after.lower * days1 > before.upper * days2
        falling = after.upper * days1 < before.lower * days2
        if comparison.same_months:
            # Nor is a count that did not rise called higher because the year before had a 29 February: in millions of
            # events the day alone would pass the test, beside a percentage that ignores it (`table`).
            rising &= after.lower > before.upper
            falling &= after.upper < before.lower
        x1, x2 = np.where(rising, before.upper, before.lower), np.where(rising, after.lower, after.upper)
        ahead = after.lower * rest_before.lower > before.upper * rest_after.upper
        behind = after.upper * rest_before.upper < before.lower * rest_after.lower
        own1, own2 = np.where(ahead, before.upper, before.lower), np.where(ahead, after.lower, after.upper)
        rest1 = np.where(ahead, rest_before.lower, rest_before.upper)
        rest2 = np.where(ahead, rest_after.upper, rest_after.lower)

        # The tests of each level and category, with the dispersion of such counts. An area without a test keeps p = 1.
        spread, estimates = pd.DataFrame(columns=SPREAD), dict[tuple[str, str], Dispersion]()
        if not comparison.obstacle:
            usable = step_before is not None and not step_before.obstacle
            spread, estimates = usual_variation(
                counts,
                (comparison.earlier, comparison.later),
                before=(step_before.earlier, step_before.later) if usable and step_before is not None else None,
                min_events=rules.min_earlier,
            )
        p_self, p_region = np.ones(number), np.ones(number)
        for key, some in pair.by_series:
            rows = np.arange(number)[some]
            tested = rows[(enough & (rising | falling))[rows]]
            p_self[tested] = against_self(
                x2[tested], x1[tested], days_later=days2, days_earlier=days1, spread=estimates.get(key, Dispersion())
            )
            tested = rows[(rest_enough & (ahead | behind))[rows]]
            p_region[tested] = against_rest(
                own2[tested],
                own1[tested],
                rest_later=rest2[tested],
                rest_earlier=rest1[tested],
                spread=estimates.get(key, Dispersion()),
            )
        return cls(
            pair=pair,
            comparison=comparison,
            spread=spread,
            apart=apart,
            enough=enough,
            against=against,
            rest_enough=rest_enough,
            rising=rising,
            ahead=ahead,
            p_self=p_self,
            p_region=p_region,
        )

    def table(self, q_self: Floats, q_region: Floats, *, rules: ChangeRules) -> pd.DataFrame:
        """Write the labels and figures, given the adjusted p-values."""
        pair, before, after = self.pair, self.pair.before, self.pair.after
        apart, enough = self.apart, self.enough
        known = after.known & (before.known | apart)
        # If both windows have the same calendar months, the percentage is that of the counts (29 February is ignored,
        # as readers expect); otherwise that of counts per day. It is computed from the middles of ranges; the first
        # step has no middle.
        middle1, middle2 = middle_of(before.lower, before.upper), middle_of(after.lower, after.upper)
        stated = enough & (middle1 > 0) & ~np.isnan(middle2)
        ratio = np.divide(middle2, middle1, out=np.zeros(len(middle1)), where=stated)
        days1, days2 = self.comparison.earlier.days, self.comparison.later.days
        pct = (ratio * (1 if self.comparison.same_months else days1 / days2) - 1) * 100

        none = np.isnan(middle1)
        earlier = pd.array(np.where(none, 0, middle1).astype(np.int64), dtype="Int64")
        earlier[none] = pd.NA
        rest_known = known & (self.against | apart)
        against = _words(apart, self.rest_enough, up=self.ahead, clear=q_region <= rules.fdr_q, known=rest_known)
        against[pair.level == Level.REGION] = None
        columns = {
            "area_code": pair.area,
            "level": pair.level,
            "period": self.comparison.later.id,
            "category": pair.category,
            "incidents_earlier": earlier,
            "change_pct": nullable(pct, given=stated),
            "change_word": _words(apart, enough, up=self.rising, clear=q_self <= rules.fdr_q, known=known),
            "change_p": nullable(self.p_self, given=enough),
            "change_q": nullable(q_self, given=enough),
            "change_vs_region": against,
            "change_vs_region_p": nullable(self.p_region, given=self.rest_enough),
            "change_vs_region_q": nullable(q_region, given=self.rest_enough),
        }
        # In the order of the later window's counts as they were given.
        order = np.argsort(pair.place)
        return pd.DataFrame(
            {name: column if isinstance(column, str) else column[order] for name, column in columns.items()}
        ).astype(dict.fromkeys(("area_code", "level", "period", "category", "change_word", "change_vs_region"), "str"))


@dataclass(frozen=True, slots=True)
class _Pair:
    """The two windows side by side: the rows of the counts that the later one has, and both of their ranges."""

    rows: npt.NDArray[np.intp]
    place: npt.NDArray[np.intp]
    area: npt.NDArray[np.object_]
    level: npt.NDArray[np.object_]
    category: npt.NDArray[np.object_]
    by_series: list[tuple[tuple[str, str], slice]]
    before: Ranges
    after: Ranges

    @classmethod
    def of(cls, counts: WindowCounts, comparison: Comparison) -> "_Pair":
        column = counts.columns.get(comparison.later)
        if column is None:
            raise InputError(f"the counts hold no window {comparison.later.id}: sum it before comparing")
        rows = np.flatnonzero(counts.place[:, column] >= 0)
        by_series = []
        level, category = np.empty(len(rows), dtype=object), np.empty(len(rows), dtype=object)
        for one in counts.series:
            start, end = np.searchsorted(rows, [one.rows.start, one.rows.stop])
            if start < end:
                by_series.append(((one.level, one.category), slice(int(start), int(end))))
                level[start:end], category[start:end] = one.level, one.category
        if any(some.stop - some.start > 1 for (level_of, _), some in by_series if level_of == Level.REGION):
            raise InputError("counts hold two regions: areas are compared with one")
        first = counts.columns.get(comparison.earlier)
        missing = np.full(len(rows), np.nan)
        before = (
            Ranges(missing, missing) if first is None else Ranges(counts.lower[rows, first], counts.upper[rows, first])
        )
        after = Ranges(counts.lower[rows, column], counts.upper[rows, column])
        return cls(rows, counts.place[rows, column], counts.area[rows], level, category, by_series, before, after)

    def rest(self, own: Ranges) -> Ranges:
        """Count the region without the area; NaN where the region is not known."""
        lower, upper = np.full(len(self.rows), np.nan), np.full(len(self.rows), np.nan)
        region = {category: some.start for (level, category), some in self.by_series if level == Level.REGION}
        for (_, category), some in self.by_series:
            if category in region:
                lower[some], upper[some] = own.lower[region[category]], own.upper[region[category]]
        # The rest is smallest if the region is at its lower and the area at its upper end.
        return Ranges(lower - own.upper, upper - own.lower)


def _words(apart: Bools, enough: Bools, *, up: Bools, clear: Bools, known: Bools) -> npt.NDArray[np.object_]:
    words = np.select(
        [apart, ~enough, ~clear, up],
        [ChangeWord.NOT_COMPARABLE, ChangeWord.TOO_FEW, ChangeWord.NO_CLEAR_CHANGE, ChangeWord.HIGHER],
        default=ChangeWord.LOWER,
    ).astype(object)
    words[~known] = None
    return words


# Quasi-Poisson score tests of two windows: an area against itself, and against the rest of its region.
#
# Given the sum of both windows, the later count of Poisson events is binomial (Przyborowski and Wilenski 1940). Its
# variance is multiplied by the dispersion that was estimated for counts of this kind, and the statistic is referred to
# Student's t with the degrees of freedom of that estimate (to the normal distribution where there are none). An exact
# conditional test would not do: it assumes that the variance is the mean, which recorded crime exceeds severalfold.


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

    Examples
    --------
    130 events after 100 in windows of one length: z is 30 over the root of 230; a dispersion of 4 halves it.

    >>> against_self([130], [100], days_later=365, days_earlier=365, spread=Dispersion()).round(4).tolist()
    [0.0479]
    >>> against_self([130], [100], days_later=365, days_earlier=365, spread=Dispersion(4.0)).round(4).tolist()
    [0.3226]
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

    Examples
    --------
    An area that rose from 10 to 20 while the rest of the region stayed at 100:

    >>> against_rest([20], [10], rest_later=[100], rest_earlier=[100], spread=Dispersion()).round(4).tolist()
    [0.0884]
    """
    x2, x1, r2, r1 = (np.asarray(v, dtype=np.float64) for v in (later, earlier, rest_later, rest_earlier))
    area, total = x1 + x2, x1 + x2 + r1 + r2
    some = np.maximum(total, 1)
    share = (x2 + r2) / some
    # The share is estimated from the same table: only the rest's part of the variance is left.
    variance = area * share * (1 - share) * (total - area) / some
    return _two_sided(x2 - area * share, variance=variance, spread=spread)


def _two_sided(excess: Floats, *, variance: Floats, spread: Dispersion) -> Floats:
    free = variance > 0  # no variance: no events, or none that could have fallen otherwise; z is 0 and p is 1
    z = np.divide(excess, np.sqrt(spread.value * variance), out=np.zeros(np.shape(excess)), where=free)
    tail = special.stdtr(spread.df, -np.abs(z)) if spread.df else special.ndtr(-np.abs(z))
    return np.asarray(2 * tail, dtype=np.float64)
