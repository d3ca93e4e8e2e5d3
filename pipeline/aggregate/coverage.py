"""What the data covers: days and months, levels of areas, and the share of incidents inside the areas.

A month without rows does not necessarily mean that nothing happened. It is missing from a source if the names of the
source's files state their months and none states it, or if an empty month would be very unlikely given the source's
median month; otherwise it counts as zero. The first or last month is incomplete if there are more days without rows at
its edge than in the source's usual gaps between rows.

Everything here follows from whole numbers of rows by source, day and month, so that any split of the input into parts
gives the same span.
"""

import math
import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config import IncidentSource, Periods, PublishedSource
from pipeline.domain.periods import (
    MissingMonths,
    Period,
    Span,
    WindowKind,
    add_months,
    headline,
    is_partial,
    month_names,
    month_of,
    month_range,
    windows,
)
from pipeline.domain.short_windows import silent_days
from pipeline.errors import InputError
from pipeline.tables import Level, Measure, Place

__all__ = [
    "LEAST_PLACED_PCT",
    "NOTED_PCT",
    "Extent",
    "LevelReport",
    "SourceMonths",
    "SpanReport",
    "incident_sources",
    "levels_of_counts",
    "levels_of_places",
    "named_by_files",
    "published_sources",
    "settle_span",
    "source_of",
    "unplaced_inside",
    "with_levels",
]

RARE = 0.001
"""A month without rows, or a borough without wards, counts as missing if its probability by chance is below this."""
USUAL = 0.99
"""Share of a source's gaps between rows that its last days without a row are compared with."""
LATE_MONTHS = 3
"""A source up to this far behind the others is late; one further behind may have ended, and is reported instead."""
IN_MONTH = 0.9
"""Share of a file's rows that lie in the month that its name says: under it, the name says something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMonths:
    """The rows of one source, by day and by month.

    Attributes
    ----------
    name
        Its name in the configuration.
    key
        Its place in the configuration, such as `incidents[0]`, for advice.
    days
        ISO day to rows whose day is known.
    months
        Month (yyyymm) to rows, whether their day is known or not.
    named
        Months that its files name; None where files do not name the months that they hold.
    empty, missing
        Months that the configuration says were empty, or are missing.
    """

    name: str
    key: str
    days: Mapping[str, int] = field(default_factory=dict)
    months: Mapping[int, int] = field(default_factory=dict)
    named: frozenset[int] | None = None
    empty: frozenset[int] = frozenset()
    missing: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class SpanReport:
    """The period of the data, and how it was determined.

    Attributes
    ----------
    span
        The span.
    choices
        What was chosen, for the manifest.
    cautions
        Cautions, one paragraph each.
    quality
        By source: first and last row, median month, usual gap, months that are missing, incomplete or quiet.
    """

    span: Span
    choices: dict[str, str]
    cautions: tuple[str, ...]
    quality: list[dict[str, Any]]


def named_by_files(files: Iterable[tuple[Sequence[int], Mapping[int, int]]]) -> frozenset[int] | None:
    """Return the months stated in the names of a source's files, if the names state them reliably.

    Parameters
    ----------
    files
        For each file the months that its name says, and its rows by month.

    Returns
    -------
    months
        None unless every file names a month, and at least nine in ten of its rows lie there: the month in the name of
        an extract is often that of its making.

    Examples
    --------
    >>> sorted(named_by_files([([202405], {202405: 31}), ([202407], {})]))
    [202405, 202407]
    >>> named_by_files([([202506], {202401: 30, 202402: 28, 202506: 2})]) is None
    True
    """
    found: set[int] = set()
    some = False
    for named, rows in files:
        total = sum(rows.values())
        if not named or sum(n for m, n in rows.items() if m in set(named)) < IN_MONTH * total:
            return None
        found |= set(named)
        some = True
    return frozenset(found) if some else None


def incident_sources(
    settings: Sequence[IncidentSource], *, parts: Sequence[Mapping[str, Any]], days: pd.DataFrame, places: pd.DataFrame
) -> list[SourceMonths]:
    """Collect the rows of each source of incidents; entries with the same name are one source.

    Parameters
    ----------
    settings
        The sources as configured.
    parts
        For each file its `label`, the `name` of its source, and `named_months`.
    days
        source (the label), day, incidents.
    places
        source (the label), month, incidents, summed here over the other columns.
    """
    of = {str(part["label"]): str(part["name"]) for part in parts}
    by_file = places.groupby(["source", "month"], sort=True)["incidents"].sum()
    rows: dict[str, dict[int, int]] = {label: {} for label in of}
    for (label, month), count in by_file.items():
        rows[label][int(month)] = int(count)
    by_day = days.assign(name=days["source"].map(of)).groupby(["name", "day"], sort=True)["incidents"].sum()
    found = []
    for name in dict.fromkeys(s.name for s in settings):
        entries = [(n, s) for n, s in enumerate(settings) if s.name == name]
        mine = [part for part in parts if part["name"] == name]
        months: Counter[int] = Counter()
        for part in mine:
            months.update(rows[part["label"]])
        found.append(
            SourceMonths(
                name=name,
                key=" or ".join(f"incidents[{n}]" for n, _ in entries),
                days={str(day): int(n) for (of_name, day), n in by_day.items() if of_name == name},
                months=dict(months),
                named=named_by_files((part["named_months"], rows[part["label"]]) for part in mine),
                empty=_stated(m for _, s in entries for m in s.empty_months),
                missing=_stated(m for _, s in entries for m in s.missing_months),
            )
        )
    return found


def published_sources(settings: Sequence[PublishedSource], table: pd.DataFrame) -> list[SourceMonths]:
    """Gather which months each publisher has rows for.

    A table with rows of zeros says what was zero, so a month without any row is missing however few the counts are;
    where a missing row means zero, a month without rows is judged by the counts of the others.
    """
    found = []
    for name in dict.fromkeys(s.name for s in settings):
        entries = [(n, s) for n, s in enumerate(settings) if s.name == name]
        rows = table[(table["source"] == name) & (table["measure"] == Measure.INCIDENTS)]
        # Levels and categories repeat the same incidents: the largest sum of a month is nearest to their number.
        sums = rows.groupby(["month", "level", "category"])["value"].sum().groupby("month").max()
        zero = all(s.absent == "zero" for _, s in entries)
        found.append(
            SourceMonths(
                name=name,
                key=" or ".join(f"published_counts[{n}]" for n, _ in entries),
                months={int(month): max(int(value), 1) for month, value in sums.items()},
                named=None if zero else frozenset(int(month) for month in sums.index),
                empty=_stated(m for _, s in entries for m in s.empty_months),
                missing=_stated(m for _, s in entries for m in s.missing_months),
            )
        )
    return found


def _stated(months: Iterable[str]) -> frozenset[int]:
    """Read months and stretches of months of the configuration."""
    periods = [Period.parse(text) for text in months]
    return frozenset(m for p in periods for m in month_range(p.first_month, p.last_month))


@dataclass(frozen=True, slots=True)
class _Judged:
    """One source by itself: the months between its first and its last, and what is wrong with some of them."""

    source: SourceMonths
    first: int
    last: int
    median: float
    gap_days: int | None
    missing: frozenset[int]
    quiet: frozenset[int]
    incomplete: Mapping[int, str]

    @property
    def whole(self) -> tuple[int, ...]:
        """Months that are there from first to last day."""
        return tuple(
            m for m in month_range(self.first, self.last) if m not in self.missing and m not in self.incomplete
        )


def _judge(source: SourceMonths, *, first_day: str, last_day: str, periods: Periods) -> _Judged | None:
    """Judge every month of one source; None if it has no row between the two days."""
    low, high = (month_of(date.fromisoformat(day)) for day in (first_day, last_day))
    rows = {m: n for m, n in source.months.items() if n and low <= m <= high}
    days = {d: n for d, n in source.days.items() if n and first_day <= d <= last_day}
    if not rows:
        return None
    median = float(statistics.median(rows.values()))
    improbable = math.exp(-median) < RARE
    # A month before the first or after the last row belongs to the source where a file names it and it may be quiet.
    beside = {m for m in source.named or () if not improbable} | source.empty
    first, last = min({*rows, *beside}), max({*rows, *beside})

    between = month_range(first, last)
    silent = frozenset(m for m in between if m not in rows)
    unnamed = frozenset(m for m in between if source.named is not None and m not in source.named)
    lost = (silent if improbable else frozenset()) | unnamed | source.missing.intersection(between)
    lost -= source.empty
    gap = _usual_gap(days, without=lost)
    # What the configuration says of the edges wins: a first month that it names, and the last complete day.
    stated = {Period.parse(periods.first_month).first_month} if periods.first_month else set()
    incomplete = _edges(
        days,
        months=(first, last),
        rows=rows,
        gap=gap,
        settled=source.empty | stated,
        last_settled=periods.last_complete_date is not None,
    )
    return _Judged(source, first, last, median, gap, lost, silent - lost, incomplete)


def _usual_gap(days: Iterable[str], *, without: Collection[int]) -> int | None:
    """Return the days that 99 in 100 gaps between one day with rows and the next do not exceed; None without a gap.

    A gap over a month that is missing says nothing about how often rows come.
    """
    ordered = [date.fromisoformat(day) for day in sorted(days)]
    gaps = sorted(
        (later - earlier).days
        for earlier, later in pairwise(ordered)
        if not any(m in without for m in month_range(month_of(earlier), month_of(later)))
    )
    return gaps[math.ceil(USUAL * len(gaps)) - 1] if gaps else None


def _edges(
    days: Mapping[str, int],
    *,
    months: tuple[int, int],
    rows: Mapping[int, int],
    gap: int | None,
    settled: Collection[int],
    last_settled: bool,
) -> dict[int, str]:
    """Return the first or last month if its rows do not reach its edge, with the reason.

    Where the rows of the month have no day, the month is what the file says.
    """
    reasons: dict[int, list[str]] = {}
    for month, late in ((months[0], False), (months[1], True)):
        within = [d for d in days if month_of(date.fromisoformat(d)) == month]
        undated = 2 * sum(days[d] for d in within) < rows.get(month, 0)
        if gap is None or not within or undated or month in settled or (late and last_settled):
            continue
        whole, edge = Period(month, month), date.fromisoformat(max(within) if late else min(within))
        apart = (whole.end - edge).days if late else (edge - whole.start).days
        if apart > gap:
            row, end = ("last", "before it ends") if late else ("first", "after it begins")
            reasons.setdefault(month, []).append(f"the {row} row is of {_day(edge)}, {_days(apart)} {end}")
    usual = f"99 % of the gaps between days with rows are {_days(gap or 0)} or less"
    return {m: f"{Period(m, m).label} is incomplete: {', '.join(said)}; {usual}" for m, said in reasons.items()}


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _days(number: int) -> str:
    return f"{number} day{'' if number == 1 else 's'}"


def settle_span(sources: Sequence[SourceMonths], *, periods: Periods, first_date: str, last_date: str) -> SpanReport:
    """Determine which days and months the data covers.

    Parameters
    ----------
    sources
        What each source sent.
    periods
        Settings that narrow the span, or say up to which day the data is complete.
    first_date, last_date
        ISO dates of the first and last row that count; empty where no row has a date.

    Raises
    ------
    InputError
        If no row has a date, or the settings leave less than a month.
    """
    if not first_date:
        raise InputError(
            "no row is left to count: settings leave all rows of the source out, or none of them has a date. "
            "`hotspots quarantine` shows what was refused and why"
        )
    judged = [
        j for s in sources if (j := _judge(s, first_day=first_date, last_day=last_date, periods=periods)) is not None
    ]
    first, last = _bounds(judged, periods=periods, first_date=first_date, last_date=last_date)
    if last < first + timedelta(days=27):
        raise InputError(
            f"the data covers {first} to {last}, less than a month: check periods and the dates of the source"
        )
    lacking = _lacking(judged, month_range(month_of(first), month_of(last)))
    gone = {day for one in judged for day in _missing_days(one, first, last)}
    span = Span(first, last, replace(lacking, days=frozenset(gone)))
    return SpanReport(span, _choices(judged, span), _cautions(judged, span, periods), _quality(judged, span))


def _bounds(judged: Sequence[_Judged], *, periods: Periods, first_date: str, last_date: str) -> tuple[date, date]:
    """Return the first and last day of the months to count: from the first whole month of any source to the last."""
    low, high = (month_of(date.fromisoformat(day)) for day in (first_date, last_date))
    whole = [j.whole for j in judged if j.whole]
    # Where not one month is whole, all that there is is counted, and every window over it is incomplete.
    first = min(months[0] for months in whole) if whole else min((j.first for j in judged), default=low)
    last = max(months[-1] for months in whole) if whole else max((j.last for j in judged), default=high)
    if whole and not periods.last_complete_date:
        last = _last_for_all(judged, first, last)
    start, end = Period(first, first).start, Period(last, last).end
    if periods.last_complete_date:
        end = date.fromisoformat(periods.last_complete_date)
    if periods.first_month:
        start = max(start, Period.parse(periods.first_month).start)
    if periods.last_month:
        end = min(end, Period.parse(periods.last_month).end)
    return start, end


def _last_for_all(judged: Sequence[_Judged], first: int, last: int) -> int:
    """Step back to the last month that no source lacks, if it is near: sources arrive at different times."""
    months = month_range(max(first, add_months(last, -LATE_MONTHS)), last)
    lacking = _lacking(judged, months).months
    return next((month for month in reversed(months) if month not in lacking), last)


def _lacking(judged: Sequence[_Judged], months: Sequence[int]) -> MissingMonths:
    """Return the months that each source lacks.

    Before a source's first and after its last month it is expected if another source, one that it overlaps with, has
    data there. Two sources that follow each other, such as an old system and a new one, do not wait for each other.
    """
    missing: dict[str, set[int]] = {}
    incomplete: dict[str, set[int]] = {}
    for one in judged:
        beside = [o for o in judged if o is not one and o.first <= one.last and one.first <= o.last]
        for month in months:
            inside = one.first <= month <= one.last
            expected = inside or any(o.first <= month <= o.last for o in beside)
            if month in one.incomplete:
                incomplete.setdefault(one.source.name, set()).add(month)
            elif month in one.missing or (expected and not inside and month not in one.source.empty):
                missing.setdefault(one.source.name, set()).add(month)
    lacked = {m for table in (missing, incomplete) for found in table.values() for m in found}
    tables = (missing, incomplete)
    has = {
        m
        for one in judged
        for m in lacked
        if one.source.months.get(m) and not any(m in table.get(one.source.name, ()) for table in tables)
    }
    whole, part = ({name: tuple(sorted(found)) for name, found in table.items()} for table in tables)
    return MissingMonths(whole, part, frozenset(has))


def _missing_days(one: _Judged, first: date, last: date) -> tuple[date, ...]:
    """Return days of the months that a source has on which it lacks rows: too long a silence for chance.

    Months that it lacks, or has in part, are in no window of days either way; where most rows of a month have no day,
    its days say nothing.
    """
    start, end = max(first, Period(one.first, one.first).start), min(last, Period(one.last, one.last).end)
    by_day = {date.fromisoformat(day): rows for day, rows in one.source.days.items()}
    dated: Counter[int] = Counter()
    for day, rows in by_day.items():
        dated[month_of(day)] += rows
    undated = {m for m, rows in one.source.months.items() if 2 * dated[m] < rows}
    settled = {*one.source.empty, *one.missing, *one.incomplete, *one.quiet, *undated}
    return silent_days(by_day, first=start, last=end, settled=settled) if start <= end else ()


def _quiet(judged: Sequence[_Judged], span: Span) -> dict[str, tuple[int, ...]]:
    """Return months of the span without a row that count as zero."""
    months = month_range(month_of(span.first), month_of(span.last))
    found = {
        j.source.name: tuple(m for m in months if m in j.quiet or (m in j.source.empty and not j.source.months.get(m)))
        for j in judged
    }
    return {name: quiet for name, quiet in found.items() if quiet}


def _choices(judged: Sequence[_Judged], span: Span) -> dict[str, str]:
    choices = {"data_from": span.first.isoformat(), "data_complete_to": span.last.isoformat()}
    for name, months in _quiet(judged, span).items():
        choices[f"quiet_months {name}"] = f"{month_names(months)}"
    for kind, table in (("missing_months", span.lacking.missing), ("incomplete_months", span.lacking.incomplete)):
        choices |= {f"{kind} {name}": month_names(months) for name, months in table.items()}
    return choices


def _cautions(judged: Sequence[_Judged], span: Span, periods: Periods) -> tuple[str, ...]:
    """Return cautions on months that are left out or missing, and what to do."""
    said = []
    kept = month_range(month_of(span.first), month_of(span.last))
    for one in judged:
        for month, why in one.incomplete.items():
            rows = one.source.months.get(month, 0)
            if month in kept:
                what = "Its counts are incomplete, and have no rate or change."
            else:
                what = f"Its {rows:,} row{'' if rows == 1 else 's'} are in no window."
            if month == one.last:
                remedy = f"set periods.last_complete_date to {Period(month, month).end.isoformat()}"
            else:
                remedy = f"set periods.first_month to {Period(month, month).id}"
            of = f' Source: "{one.source.name}".' if len(judged) > 1 else ""
            said.append(f"{why}.{of} {what} If the month is complete, {remedy}.")
    sentences = span.lacking.sentences() if span.lacking.absent else ()
    if sentences:
        keys = " or ".join(j.source.key for j in judged if span.lacking.missing.get(j.source.name))
        whole = _whole_window(span, periods)
        said.append(
            " ".join(sentences)
            + " Windows over a missing month have no rate, change or rank. Add its file, or, if nothing was recorded, "
            f"list the month in {keys}.empty_months."
            + (f" For a window without a gap, set periods.headline to {whole}." if whole else "")
        )
    return tuple(said)


def _whole_window(span: Span, periods: Periods) -> str:
    """Return the latest window without a gap, and the latest as long as wanted if that is another; empty if none is."""
    covered: dict[str, Any] = {"first_date": span.first, "last_date": span.last, "missing": span.lacking.months}
    try:
        found = [headline(**covered, months=periods.months)]
    except InputError:
        return ""
    every = windows(WindowKind.ROLLING, first=month_of(span.first), last=month_of(span.last), months=periods.months)
    found += [window for window in every[::-1] if not is_partial(window, **covered)][:1]
    return " or ".join(dict.fromkeys(window.id for window in found))


def _quality(judged: Sequence[_Judged], span: Span) -> list[dict[str, Any]]:
    quiet = _quiet(judged, span)
    ids = span.lacking.plain()
    return [
        {
            "source": j.source.name,
            "first_month": Period(j.first, j.first).id,
            "last_month": Period(j.last, j.last).id,
            "first_day": min(j.source.days, default=None),
            "last_day": max(j.source.days, default=None),
            "median_rows_a_month": j.median,
            "usual_gap_days": j.gap_days,
            "files_name_months": j.source.named is not None,
            "missing_months": ids["missing"].get(j.source.name, []),
            "incomplete_months": sorted({Period(m, m).id for m in j.incomplete}),
            "incomplete_because": list(j.incomplete.values()),
            "missing_days": [day.isoformat() for day in _missing_days(j, span.first, span.last)],
            "quiet_months": [Period(m, m).id for m in quiet.get(j.source.name, ())],
            "notes": list(span.lacking.sentences()) if len(judged) == 1 else [],
        }
        for j in judged
    ]


# At which levels the data can be counted: where no row can be placed at a level, its areas have no data and no 0.
#
# A row with a point or the code of a ward counts at every level, one that names its borough alone in boroughs and the
# region. A row that names nothing counts in the region only if something says that it happened inside: a setting, or
# that the points of its source lie inside.

LEAST_PLACED_PCT = 1.0
"""Under this share of rows with a ward, the zeros of nearly all wards are rows that could not be placed."""
_FEWEST_ROWS = 10  # a borough with fewer rows is no evidence that its rows as a kind name no ward

_AT_WARD = (Place.POINT, Place.OUTSIDE, Place.AREA)
_AT_BOROUGH = (*_AT_WARD, Place.BOROUGH)
_PLURAL = {Level.WARD: "wards", Level.BOROUGH: "boroughs"}
_LACKS = {
    Level.WARD: "no row of {source} has a point or names its {ward}",
    Level.BOROUGH: "no row of {source} has a point or names its {ward} or {borough}",
}
_BARELY = "hardly any row of {source} has a point or names its {ward}"
_REMEDY = {
    Level.WARD: "Points, or a code of the {ward} (incidents[].columns), would give them figures.",
    Level.BOROUGH: "Points, or the {borough} by name or code (incidents[].columns.borough), would give them figures.",
}


def source_of(label: str) -> str:
    """Return the source that a file's label begins with."""
    return label.partition("/")[0]


def unplaced_inside(
    places: Iterable[tuple[str, Mapping[str, int]]], sources: Sequence[IncidentSource]
) -> dict[str, bool]:
    """Return for each source whether its rows without a location count in the region.

    Parameters
    ----------
    places
        Label of every file, and its rows by place.
    sources
        Settings: `all_inside` decides where it is given. Where it is not, they count unless more than 2 % of the rows
        that can be placed lie outside the areas, or in areas that are not covered.

    Returns
    -------
    inside
        By name of the source.
    """
    rows: dict[str, Counter[str]] = {source.name: Counter() for source in sources}
    for label, found in places:
        rows.setdefault(source_of(label), Counter()).update(found)
    given = {source.name: source.all_inside for source in sources if source.all_inside is not None}
    inside = {}
    for name, found in rows.items():
        not_inside = found[Place.OUTSIDE] + found[Place.NOT_COVERED]
        placed = not_inside + found[Place.POINT] + found[Place.AREA] + found[Place.BOROUGH]
        inside[name] = given.get(name, 100 * not_inside <= NOTED_PCT * placed)
    return inside


@dataclass(frozen=True, slots=True)
class LevelReport:
    """Which levels have data.

    Attributes
    ----------
    no_data
        Reason in words by level, for levels at which nothing can be placed.
    wards_without
        Reason by borough code, for boroughs whose rows name no ward.
    summed
        What levels without rows of their own are the sum of (published counts).
    cautions
        Sentences for the data owner.
    quality
        What quality.json says of it, under `levels`.
    """

    no_data: dict[str, str] = field(default_factory=dict)
    wards_without: dict[str, str] = field(default_factory=dict)
    summed: dict[str, str] = field(default_factory=dict)
    cautions: tuple[str, ...] = ()
    quality: dict[str, Any] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about the source for every page, without numbers."""
        said = [f"There is no figure for {self.labels[level][1]}: {reason}." for level, reason in self.no_data.items()]
        if self.wards_without:
            (ward, wards), boroughs = self.labels[Level.WARD], self.labels[Level.BOROUGH][1]
            why = f"the source does not say in which {ward} it was"
            said.append(f"Some {boroughs} have no figures for their {wards}: {why}.")
        return tuple(said)

    def plain(self) -> dict[str, Any]:
        """Return what later stages read, as JSON keeps it."""
        return {"no_data": self.no_data, "wards_without": sorted(self.wards_without), "notes": list(self.notes)}


def levels_of_places(
    places: pd.DataFrame, *, names: Mapping[str, str], labels: Mapping[str, tuple[str, str]], one_level: bool = False
) -> LevelReport:
    """Find the levels at which incidents can be placed.

    Parameters
    ----------
    places
        Incidents by source, borough_code (empty where none), place and online.
    names
        Name of every borough by its code.
    labels
        What areas of each level are called, one and many.
    one_level
        Whether there are no wards.
    """
    (ward, wards), (borough, boroughs) = labels[Level.WARD], labels[Level.BOROUGH]
    # An online incident has no ward by nature: it says nothing about whether the source gives one.
    rows = places[(places["place"] != Place.NOT_COVERED)].assign(source=places["source"].map(source_of))
    due = {Level.WARD: rows[~rows["online"].astype(bool)], Level.BOROUGH: rows}
    known: dict[Level, tuple[Place, ...]] = {Level.WARD: _AT_WARD, Level.BOROUGH: _AT_BOROUGH}
    if one_level:
        del known[Level.WARD]
    sources = sorted(rows["source"].unique())
    every = _listed(sources)
    no_data: dict[str, str] = {}
    cautions: list[str] = []
    quality: dict[str, Any] = {}
    for level, at in known.items():
        of = due[level] if len(due[level]) else rows
        total = of.groupby("source")["incidents"].sum().reindex(sources, fill_value=0)
        placed = of[of["place"].isin(at)].groupby("source")["incidents"].sum().reindex(sources, fill_value=0)
        share = 100 * int(placed.sum()) / max(int(total.sum()), 1)
        if placed.sum() == 0:
            no_data[level.value] = _LACKS[level].format(source=every, ward=ward, borough=borough)
        elif level is Level.WARD and share < LEAST_PLACED_PCT:
            no_data[level.value] = _BARELY.format(source=every, ward=ward)
        if level.value in no_data:
            cautions.append(
                f"No data for {labels[level][1]}: {no_data[level.value]} ({placed.sum():,} of {total.sum():,} "
                "incidents do). They are shown as not covered, with no count and no rate. "
                f"{_REMEDY[level].format(ward=ward, borough=borough)}"
            )
        else:
            cautions += [
                f"Figures of {labels[level][1]} include nothing of {source} ({total[source]:,} of {total.sum():,} "
                f"incidents): {_LACKS[level].format(source=source, ward=ward, borough=borough)}. "
                "It counts in the larger areas alone."
                for source in sources
                if total[source] and not placed[source]
            ]
        quality[_PLURAL[level]] = {
            "incidents": int(total.sum()),
            "placed": int(placed.sum()),
            "no_data": no_data.get(level.value),
            "by_source": {s: {"incidents": int(total[s]), "placed": int(placed[s])} for s in sources},
        }
    skip = Level.WARD in no_data or one_level
    without = {} if skip else _wards_without(due[Level.WARD], names=names, borough=borough)
    if without:
        listed = _listed([names.get(code, code) for code in sorted(without)], most=10)
        cautions.append(
            f"No data for the {wards} of {listed}: their rows name the {borough} alone, while rows of other {boroughs} "
            f"name the {ward} too. These {wards} are shown as not covered."
        )
    if not one_level:
        quality["wards"]["boroughs_without"] = sorted(without)
    return LevelReport(no_data, without, {}, tuple(cautions), quality, labels)


def _wards_without(rows: pd.DataFrame, *, names: Mapping[str, str], borough: str) -> dict[str, str]:
    """Find the boroughs of which no row has a ward, where that is no chance given how many rows have one."""
    inside = rows[(rows["borough_code"] != "") & rows["borough_code"].isin(list(names))]
    total = inside.groupby("borough_code")["incidents"].sum()
    placed = inside[inside["place"].isin(_AT_WARD)].groupby("borough_code")["incidents"].sum()
    lacking = np.array([1 - int(placed.sum()) / max(int(total.sum()), 1)])
    return {
        str(code): f"its rows name only the {borough}"
        for code, number in total.items()
        if not placed.get(code, 0) and number >= _FEWEST_ROWS and lacking.item() ** int(number) < RARE
    }


def levels_of_counts(
    months: pd.DataFrame,
    *,
    summed: Mapping[str, str],
    source: str,
    labels: Mapping[str, tuple[str, str]],
    one_level: bool = False,
) -> LevelReport:
    """Find the levels that published counts have.

    Parameters
    ----------
    months
        AREA_MONTHS.
    summed
        What levels without rows of their own are the sum of.
    source
        Names of the sources, in words.
    labels
        What areas of each level are called, one and many.
    one_level
        Whether there are no wards.
    """
    there = set(months["level"])
    no_data = {
        level.value: f"{source} publishes no counts of {labels[level][1]}"
        for level in ((Level.BOROUGH,) if one_level else (Level.BOROUGH, Level.WARD))
        if level.value not in there
    }
    cautions = tuple(
        f"No data for {labels[level][1]}: {reason}. They are shown as not covered, with no count and no rate."
        for level, reason in no_data.items()
    )
    quality = {
        "no_data": no_data,
        "summed": {level: f"sum of {_PLURAL[Level(part)]}" for level, part in summed.items() if part in _PLURAL},
    }
    return LevelReport(no_data, {}, dict(summed), cautions, quality, labels)


def with_levels(areas: pd.DataFrame, report: LevelReport) -> pd.DataFrame:
    """Return the table of areas with `covered` taken from those that a level without data leaves without a figure."""
    gone = areas["level"].isin(list(report.no_data))
    gone |= (areas["level"] == Level.WARD) & areas["parent_code"].isin(list(report.wards_without))
    return areas.assign(covered=areas["covered"].astype(bool) & ~gone)


def _listed(texts: Sequence[str], *, most: int = 5) -> str:
    shown = list(texts[:most])
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(shown) + more


# Share of the data inside the areas: if much is outside, every page states which part its figures describe.

NOTED_PCT = 2.0  # below, it is points on the border and slips; above, the files cover more ground than the areas


@dataclass(frozen=True, slots=True)
class Extent:
    """Incidents of the data, and how many of them lie outside all areas.

    Attributes
    ----------
    incidents
        All incidents of the data.
    outside
        Those with a point outside all areas.
    uncounted
        Others in no total: in areas that are not covered, or with nothing that says they are inside.

    Examples
    --------
    >>> Extent(incidents=200, outside=60).outside_pct
    30.0
    >>> Extent(incidents=200, outside=4).noted
    False
    """

    incidents: int = 0
    outside: int = 0
    uncounted: int = 0

    @classmethod
    def of_quality(cls, quality: Mapping[str, Any]) -> "Extent":
        """Read it from the content of quality.json; published counts have no points, so none of them lies outside."""
        account, without = quality["accounting"], quality.get("without_a_place", {})
        return cls(
            incidents=account.get("incidents", 0),
            outside=account.get("incidents_outside_areas", 0),
            uncounted=account.get("incidents_not_covered", 0) + without.get("in_no_total", 0),
        )

    @property
    def outside_pct(self) -> float:
        """Share outside, in per cent; 0 of no incidents."""
        return 100.0 * self.outside / self.incidents if self.incidents else 0.0

    @property
    def noted(self) -> bool:
        """Whether so many lie outside that every count must say that it speaks of the others."""
        return self.outside_pct > NOTED_PCT

    @property
    def inside_words(self) -> str:
        """How many lie inside, in a clause, for the data owner alone."""
        inside = self.incidents - self.outside - self.uncounted
        return f"{inside:,} of {self.incidents:,} incidents in the data ({self._pct(inside)}) lie inside the areas"

    def caution(self) -> str:
        """Write the warning of a run; empty where few lie outside."""
        if not self.noted:
            return ""
        return (
            f"{self._pct(self.outside)} of the incidents ({self.outside:,} of {self.incidents:,}) lie outside all "
            f"areas: {self.inside_words}, and every figure, map and method speaks of these alone. If the files are of "
            "a larger area, this is as it should be; otherwise give boundaries of all of it, or check incidents.crs."
        )

    def note(self, *, exact: bool) -> str:
        """Write what pages say of it; empty where few lie outside.

        Parameters
        ----------
        exact
            With numbers. They come from counts that were not released, so only the data owner's pages have them.
        """
        if not self.noted:
            return ""
        if exact:
            return f"{self.inside_words}; the figures count these alone."
        return "The data holds incidents outside the areas shown; the figures count only those inside."

    def _pct(self, part: int) -> str:
        share = 100.0 * part / self.incidents
        return f"{share:.0f} %" if 1 <= share <= 99 else f"{share:.1f} %"
