"""Time windows: months, quarters, years, rolling and fixed windows, windows of days, and breaks in a series.

A month is an integer such as 202507. A window is a `Period`; its id is "2025-07" for one month and
"2024-08..2025-07" for anything longer. Windows of days (`pipeline.domain.short_windows` makes them) are "2025-07-01",
"2025-W27" (an ISO week) and "2025-06-02..2025-06-29" (28 days). Windows that the data covers only in part are
*partial*: they are marked and never compared with whole ones. Months that are missing from a source are listed
(`MissingMonths`); they do not move the windows of a profile (`pipeline.domain.profile_windows`).
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, Self

from pipeline.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Break",
    "MissingMonths",
    "Period",
    "Span",
    "WindowKind",
    "add_months",
    "breaks_within",
    "complete_span",
    "earlier_window",
    "gaps",
    "headline",
    "is_partial",
    "latest_fixed",
    "month_names",
    "month_of",
    "month_range",
    "months_between",
    "one_system",
    "windows",
    "without_months",
    "without_overlap",
]


class WindowKind(StrEnum):
    """The kind of windows: calendar units, or windows of a given length."""

    MONTH = "month"
    QUARTER = "quarter"
    FINANCIAL_YEAR = "financial_year"
    YEAR = "year"
    ROLLING = "rolling"
    FIXED = "fixed"


_ID = re.compile(r"(\d{4})-(\d{2})(?:\.\.(\d{4})-(\d{2}))?")
_WEEK_ID = re.compile(r"(\d{4})-W(\d{2})")
_DAYS_ID = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.\.(\d{4}-\d{2}-\d{2}))?")
YEAR_OF_WEEKS = 364
"""Days in 52 weeks: a window of days is compared with that of the same weekdays a year before."""
_NAMES = "January February March April May June July August September October November December"


def _index(month: int) -> int:
    """Count months from January of year 0; refuse a number that is not a month."""
    year, part = divmod(month, 100)
    if not (1 <= year <= 9999 and 1 <= part <= 12):
        raise InputError(f"{month} is not a month: write year and month as yyyymm, for example 202507")
    return year * 12 + part - 1


def _from_index(index: int) -> int:
    year, part = divmod(index, 12)
    return year * 100 + part + 1


def add_months(month: int, count: int) -> int:
    """Return the month `count` months later (earlier if negative).

    >>> add_months(202411, 3), add_months(202501, -1)
    (202502, 202412)
    """
    return _from_index(_index(month) + count)


def months_between(first: int, last: int) -> int:
    """Count months from `first` to `last`, both included; 0 or less when `last` is earlier."""
    return _index(last) - _index(first) + 1


def month_range(first: int, last: int) -> tuple[int, ...]:
    """List the months from `first` to `last`, both included; empty when `last` is earlier.

    >>> month_range(202411, 202502)
    (202411, 202412, 202501, 202502)
    """
    return tuple(_from_index(i) for i in range(_index(first), _index(last) + 1))


def month_of(day: date) -> int:
    """Return the month of a day, as yyyymm."""
    return day.year * 100 + day.month


def _name(month: int) -> str:
    return f"{_NAMES.split()[month % 100 - 1]} {month // 100}"


def _written(day: date) -> str:
    return f"{day.day} {_name(month_of(day))}"


def _iso(month: int) -> str:
    return f"{month // 100:04d}-{month % 100:02d}"


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A window of whole months or of days, both ends included, ordered by first and then last month.

    A window of days keeps the months in which it begins and ends, so that what is known by month (which months a source
    lacks, breaks) can be looked up for both kinds; counts by month are sums of whole months only (`whole_months`).

    Attributes
    ----------
    first_month, last_month
        Months of the first and the last day, as yyyymm.
    first_day, last_day
        Days of these months on which a window of days begins and ends; (1, 0) for whole months.

    Examples
    --------
    >>> year = Period.parse("2024-08..2025-07")
    >>> year.label, year.months, year.days, year.shifted(-12).id
    ('12 months to July 2025', 12, 365, '2023-08..2024-07')
    >>> Period.parse("2025-04..2025-06").label
    'Q2 2025'
    >>> week = Period.parse("2025-W27")
    >>> week.start.isoformat(), week.end.isoformat(), week.label
    ('2025-06-30', '2025-07-06', 'week 27 of 2025 (from 30 June 2025)')
    """

    first_month: int
    last_month: int
    first_day: int = 1
    last_day: int = 0

    def __post_init__(self) -> None:
        if months_between(self.first_month, self.last_month) < 1:
            raise InputError(f"a period cannot end ({self.last_month}) before it begins ({self.first_month})")
        if not self.whole_months and self.start > self.end:
            raise InputError(f"a period cannot end ({self.end}) before it begins ({self.start})")

    @classmethod
    def of_days(cls, first: date, last: date) -> Self:
        """Return the window of days from `first` to `last`, both included."""
        return cls(month_of(first), month_of(last), first.day, last.day)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a period id: "2025-07", "2024-08..2025-07", "2025-07-01", "2025-W27" or "2025-06-30..2025-07-27"."""
        period = cls._of_days_named(text)
        if period is None:
            match = _ID.fullmatch(text)
            if match is None:
                raise InputError(
                    f"{text!r} is not a period: write 2025-07 for a month, 2024-08..2025-07 for a window, 2025-07-01 "
                    "for a day, 2025-W27 for an ISO week"
                )
            year, month, last_year, last_month = match.groups()
            first = int(year + month)
            period = cls(first, int(last_year + last_month) if last_year else first)
        if period.id != text:
            # One window, one id: tables are joined by it.
            raise InputError(f"{text!r} is written twice over: the id of this window is {period.id}")
        return period

    @classmethod
    def _of_days_named(cls, text: str) -> Self | None:
        """Read the id of a window of days; None if it is not written as one."""
        try:
            if week := _WEEK_ID.fullmatch(text):
                monday = date.fromisocalendar(int(week[1]), int(week[2]), 1)
                return cls.of_days(monday, monday + timedelta(days=6))
            if days := _DAYS_ID.fullmatch(text):
                return cls.of_days(date.fromisoformat(days[1]), date.fromisoformat(days[2] or days[1]))
        except (ValueError, OverflowError):
            raise InputError(f"{text!r} is not a period: the calendar has no such day or week") from None
        return None

    @property
    def whole_months(self) -> bool:
        """Whether the window consists of whole months by definition (28 days of February are a window of days)."""
        return self.last_day == 0

    @property
    def is_week(self) -> bool:
        """Whether this is an ISO week: a window of days from Monday to Sunday."""
        return not self.whole_months and self.start.isoweekday() == 1 and self.days == 7

    @property
    def id(self) -> str:
        """Name of the period in tables and file names."""
        if self.is_week:
            year, week, _ = self.start.isocalendar()
            return f"{year:04d}-W{week:02d}"
        if self.whole_months:
            first, last = _iso(self.first_month), _iso(self.last_month)
        else:
            first, last = self.start.isoformat(), self.end.isoformat()
        return first if first == last else f"{first}..{last}"

    @property
    def start(self) -> date:
        """First day."""
        return date(self.first_month // 100, self.first_month % 100, self.first_day)

    @property
    def end(self) -> date:
        """Last day of the period, inclusive."""
        if not self.whole_months:
            return date(self.last_month // 100, self.last_month % 100, self.last_day)
        following = add_months(self.last_month, 1)
        return date(following // 100, following % 100, 1) - timedelta(days=1)

    @property
    def days(self) -> int:
        """Length in days: the exposure of the counts."""
        return (self.end - self.start).days + 1

    @property
    def over_a_year(self) -> bool:
        """Whether the window is longer than a year: it then overlaps the same window a year earlier."""
        return self.days > 366

    @property
    def months(self) -> int:
        """Length in months; a window of days has none."""
        if not self.whole_months:
            raise InputError(f"{self.id} is a window of days: it has no length in months")
        return months_between(self.first_month, self.last_month)

    @property
    def label(self) -> str:
        """Label for readers: "July 2025", "Q2 2025", "financial year 2024/25", "2024", "12 months to July 2025".

        Windows of days: "1 July 2025", "week 27 of 2025 (from 30 June 2025)", "28 days to 27 July 2025".
        """
        if not self.whole_months:
            return self._label_of_days()
        year, part = divmod(self.first_month, 100)
        if self.months == 1:
            return _name(self.first_month)
        if self.months == 3 and part % 3 == 1:
            return f"Q{part // 3 + 1} {year}"
        if self.months == 12 and part == 4:
            return f"financial year {year}/{(year + 1) % 100:02d}"
        if self.months == 12 and part == 1:
            return str(year)
        return f"{self.months} months to {_name(self.last_month)}"

    def _label_of_days(self) -> str:
        if self.is_week:
            year, week, _ = self.start.isocalendar()
            return f"week {week} of {year} (from {_written(self.start)})"
        return _written(self.start) if self.days == 1 else f"{self.days} days to {_written(self.end)}"

    def overlaps(self, other: "Period") -> bool:
        """Return whether the two windows share a day."""
        return self.start <= other.end and other.start <= self.end

    def made_of(self, others: Iterable["Period"]) -> tuple["Period", ...]:
        """Return the given windows that together make up this one without overlap; none if they do not.

        >>> quarters = [Period(202401, 202403), Period(202404, 202406)]
        >>> [p.id for p in Period(202401, 202406).made_of(quarters)], Period(202402, 202406).made_of(quarters)
        (['2024-01..2024-03', '2024-04..2024-06'], ())
        """
        inside = tuple(p for p in others if self.start <= p.start and p.end <= self.end)
        return inside if sum(p.days for p in inside) == self.days else ()

    def shifted(self, count: int) -> "Period":
        """Return the window of the same number of months, `count` months later (earlier if negative)."""
        if not self.whole_months:
            raise InputError(f"{self.id} is a window of days: shift it by days")
        return Period(add_months(self.first_month, count), add_months(self.last_month, count))

    def shifted_days(self, count: int) -> "Period":
        """Return the window of the same number of days, `count` days later (earlier if negative)."""
        if self.whole_months:
            raise InputError(f"{self.id} is a window of whole months: shift it by months")
        by = timedelta(days=count)
        return Period.of_days(self.start + by, self.end + by)


@dataclass(frozen=True, slots=True, order=True)
class Break:
    """A change of recording: counts before `month` and from `month` on are not comparable; `text` explains why."""

    month: int
    text: str

    def __post_init__(self) -> None:
        _index(self.month)


def _calendar(first: int, last: int, length: int, phase: int) -> tuple[Period, ...]:
    """Tile months with windows of one length whose first month index is `phase` modulo the length."""
    # Step back to the window that contains the first month: it may begin before the data.
    start, stop = _index(first), _index(last)
    start -= (start - phase) % length
    return tuple(Period(_from_index(i), _from_index(i + length - 1)) for i in range(start, stop + 1, length))


_CALENDAR: dict[str, tuple[int, int]] = {
    WindowKind.MONTH: (1, 0),
    WindowKind.QUARTER: (3, 0),
    WindowKind.FINANCIAL_YEAR: (12, 3),  # or as `financial_year_from` says
    WindowKind.YEAR: (12, 0),
}
"""Length in months, and the month of the year that windows begin in (January is 0; modulo the length)."""


def windows(
    kind: str,
    *,
    first: int,
    last: int,
    months: int = 12,
    anchor: int | None = None,
    step: int = 1,
    financial_year_from: int = 4,
) -> tuple[Period, ...]:
    """Cover the months of the data with windows of one kind, in time order.

    Parameters
    ----------
    kind
        One of `WindowKind`: ``month``; ``quarter`` (calendar); ``financial_year`` (from April, or
        `financial_year_from`); ``year`` (calendar); ``rolling`` (`months` months, inside the data); ``fixed`` (windows
        of `months` months that never overlap, counted in both directions from one that ends in `anchor`).
    first, last
        First and last month with data, as yyyymm.
    months, step
        Length of rolling and fixed windows, and months between the ends of rolling ones, counted back from `last`.
    anchor
        Month in which one fixed window ends; `last` if not given. Set it for repeated releases, so that the windows of
        successive releases coincide.
    financial_year_from
        Month of the year in which financial years begin, 1 to 12.

    Returns
    -------
    windows
        Every window that contains a month of data. The first and the last may extend beyond the data: see `is_partial`.

    Examples
    --------
    >>> [w.id for w in windows("quarter", first=202501, last=202507)]
    ['2025-01..2025-03', '2025-04..2025-06', '2025-07..2025-09']
    >>> [w.id for w in windows("fixed", first=202401, last=202507, months=12, anchor=202507)]
    ['2023-08..2024-07', '2024-08..2025-07']
    >>> [w.id for w in windows("rolling", first=202401, last=202503, months=12, step=2)]
    ['2024-02..2025-01', '2024-04..2025-03']
    """
    if kind not in tuple(WindowKind):
        raise InputError(f"unknown kind of period {kind!r}: choose one of {', '.join(WindowKind)}")
    if months < 1 or step < 1:
        raise InputError(f"windows of {months} months every {step} months cannot be made: give 1 or more")
    if months_between(first, last) < 1:
        raise InputError(f"the data end ({last}) before they begin ({first})")
    if kind == WindowKind.ROLLING:
        ends = month_range(add_months(first, months - 1), last)[::-step]
        return tuple(Period(add_months(end, 1 - months), end) for end in reversed(ends))
    if not 1 <= financial_year_from <= 12:
        raise InputError(f"a financial year cannot begin in month {financial_year_from}: give 1 to 12")
    length, phase = _CALENDAR.get(kind, (months, _index(last if anchor is None else anchor) + 1))
    if kind == WindowKind.FINANCIAL_YEAR:
        phase = financial_year_from - 1
    return _calendar(first, last, length, phase)


def gaps(months: Iterable[int]) -> tuple[int, ...]:
    """List months without any data between the first and the last month with data."""
    present = set(months)
    return tuple(m for m in month_range(min(present), max(present)) if m not in present) if present else ()


def is_partial(
    period: Period,
    *,
    first_date: date,
    last_date: date,
    missing: Collection[int] = (),
    missing_days: Collection[date] = (),
) -> bool:
    """Return whether the data cover a window only in part.

    They run from `first_date` to `last_date`, both days included, without the months `missing` (see `gaps`): one that
    is incomplete makes every window that touches it so. Days that are missing from a month that is there
    (`missing_days`) count for windows of days alone: months are judged as a whole.
    """
    outside = period.start < first_date or period.end > last_date
    if outside or any(period.first_month <= month <= period.last_month for month in missing):
        return True
    return not period.whole_months and any(period.start <= day <= period.end for day in missing_days)


def complete_span(*, first_date: date, last_date: date, missing: Collection[int] = ()) -> Period | None:
    """Return the latest run of complete months without a gap, or None if no month is complete."""
    run: list[int] = []
    for month in reversed(month_range(month_of(first_date), month_of(last_date))):
        if not is_partial(Period(month, month), first_date=first_date, last_date=last_date, missing=missing):
            run.append(month)
        elif run:
            break
    return Period(run[-1], run[0]) if run else None


def headline(*, first_date: date, last_date: date, months: int = 12, missing: Collection[int] = ()) -> Period:
    """Return the latest complete months, at most `months` of them; an error if not one month is complete.

    If the data are shorter, the headline period is shorter; its label states its length.

    >>> headline(first_date=date(2023, 1, 1), last_date=date(2025, 7, 30)).id
    '2024-07..2025-06'
    """
    span = complete_span(first_date=first_date, last_date=last_date, missing=missing)
    if span is None:
        raise InputError(
            f"no month is complete between {first_date} and {last_date}: a map needs at least one whole month; "
            "add data, or correct the dates that the source is said to cover"
        )
    return Period(max(span.first_month, add_months(span.last_month, 1 - months)), span.last_month)


def latest_fixed(*, first_date: date, last_date: date, months: int = 12, anchor: int | None = None) -> Period | None:
    """Return the latest complete window of a fixed series, or None if none is complete yet.

    Without an `anchor` the series is counted back from the last complete month.
    """
    span = complete_span(first_date=first_date, last_date=last_date)
    if span is None:
        return None
    series = windows(WindowKind.FIXED, first=span.first_month, last=span.last_month, months=months, anchor=anchor)
    whole = [w for w in series if w.first_month >= span.first_month and w.last_month <= span.last_month]
    return whole[-1] if whole else None


def earlier_window(period: Period, *, basis: Literal["previous", "year_before"] = "previous") -> Period:
    """Return the window to compare with: the one just before, or the same months a year earlier (without overlap).

    A year earlier means 364 days for a window of days: the same weekdays, and for weeks and 28 days a window of the
    same series.

    >>> earlier_window(Period.parse("2025-W27"), basis="year_before").id
    '2024-W27'
    """
    if not period.whole_months:
        back = period.days if basis == "previous" else YEAR_OF_WEEKS
        if back < period.days:
            raise InputError(f"{period.label} is longer than a year: compare with the previous window instead")
        return period.shifted_days(-back)
    earlier = period.shifted(-period.months if basis == "previous" else -12)
    if earlier.overlaps(period):
        raise InputError(
            f"{period.label} and the same months a year earlier overlap: compare with the previous window instead"
        )
    return earlier


def breaks_within(first_month: int, last_month: int, breaks: Iterable[Break]) -> tuple[Break, ...]:
    """List the breaks that divide the months from `first_month` to `last_month`, in time order.

    A break in the first month itself divides nothing: all of these months use the new recording system.

    >>> met = Break(202403, "New recording system.")
    >>> breaks_within(202308, 202507, [met]) == (met,), breaks_within(202403, 202507, [met])
    (True, ())
    """
    return tuple(sorted(b for b in breaks if first_month < b.month <= last_month))


def one_system(span: Period, breaks: Iterable[Break]) -> Period:
    """Return the latest part of `span` without a break."""
    inside = breaks_within(span.first_month, span.last_month, breaks)
    return Period(inside[-1].month, span.last_month) if inside else span


def without_overlap(periods: Sequence[Period]) -> tuple[Period, ...]:
    """Choose windows that share no day, counted back from the latest, in time order."""
    chosen: list[Period] = []
    for period in sorted(set(periods), key=lambda p: (p.end, p.start), reverse=True):
        if not chosen or period.end < chosen[-1].start:
            chosen.append(period)
    return tuple(reversed(chosen))


# Missing months, by source, and the sentences that list them.
#
# A sum that includes a missing month is incomplete. If nothing is known, there is no number, not a zero.

_NAMED = 6  # runs of months listed in one sentence; quality.json lists every month


@dataclass(frozen=True, slots=True)
class MissingMonths:
    """Months by source without data, or with data for only part of the month.

    Attributes
    ----------
    missing
        Source to the months (yyyymm) that it did not send.
    incomplete
        Source to the months that its rows cover in part: those in which its data begin and end.
    uneven
        Months missing from one source while another has rows: a map of them would show only the other source's area.
    days
        Days without a row in months that are there, where so long a silence is no chance: windows of days that contain
        one are incomplete.

    Examples
    --------
    >>> lacking = MissingMonths({"police": (202506,)}, {"police": (202601,)})
    >>> sorted(lacking.months)
    [202506, 202601]
    >>> lacking.sentences(Period.parse("2025-02..2025-12"))
    ('June 2025 is missing from "police": counts over it are incomplete.',)
    """

    missing: Mapping[str, Sequence[int]] = field(default_factory=dict)
    incomplete: Mapping[str, Sequence[int]] = field(default_factory=dict)
    uneven: frozenset[int] = frozenset()
    days: frozenset[date] = frozenset()

    @property
    def months(self) -> frozenset[int]:
        """Every month that is missing from any source, and therefore from the sum of all sources."""
        return frozenset(m for table in (self.missing, self.incomplete) for months in table.values() for m in months)

    @property
    def absent(self) -> frozenset[int]:
        """Months completely missing from any source."""
        return frozenset(m for months in self.missing.values() for m in months)

    def within(self, periods: Iterable[Period]) -> Self:
        """Keep the months that lie in one of the periods."""
        inside = list(periods)

        def kept(table: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
            some = {
                name: tuple(m for m in months if any(p.first_month <= m <= p.last_month for p in inside))
                for name, months in table.items()
            }
            return {name: months for name, months in some.items() if months}

        return type(self)(kept(self.missing), kept(self.incomplete), self.uneven, self.days)

    def sentences(self, *periods: Period) -> tuple[str, ...]:
        """List the months, one sentence for each source; only those in the given periods, if any are given."""
        chosen = self.within(periods) if periods else self
        said = []
        for table, state in ((chosen.missing, "missing from"), (chosen.incomplete, "incomplete in")):
            for name, months in sorted(table.items()):
                if months:
                    be, them = ("is", "it") if len(months) == 1 else ("are", "them")
                    said.append(f'{month_names(months)} {be} {state} "{name}": counts over {them} are incomplete.')
        return tuple(said)

    def plain(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        tables = {"missing": self.missing, "incomplete": self.incomplete}
        return {
            kind: {name: [Period(m, m).id for m in months] for name, months in sorted(table.items()) if months}
            for kind, table in tables.items()
        } | {
            "uneven": [Period(m, m).id for m in sorted(self.uneven)],
            "days": [day.isoformat() for day in sorted(self.days)],
        }

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> Self:
        """Read what `plain` gave."""

        def read(kind: str) -> dict[str, tuple[int, ...]]:
            return {name: tuple(Period.parse(m).first_month for m in months) for name, months in values[kind].items()}

        uneven = frozenset(Period.parse(m).first_month for m in values["uneven"])
        days = frozenset(date.fromisoformat(day) for day in values["days"])
        return cls(read("missing"), read("incomplete"), uneven, days)


@dataclass(frozen=True, slots=True)
class Span:
    """First and last day with counts, and the months in between that are missing from a source."""

    first: date
    last: date
    lacking: MissingMonths = field(default_factory=MissingMonths)

    def plain(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"first": self.first.isoformat(), "last": self.last.isoformat(), **self.lacking.plain()}

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> "Span":
        """Read what `plain` gave."""
        first, last = (date.fromisoformat(values[name]) for name in ("first", "last"))
        return cls(first, last, MissingMonths.restored(values))


def without_months(rows: "pd.DataFrame", months: Collection[int]) -> "pd.DataFrame":
    """Return the rows of a table with a column `month`, without the given months."""
    return rows[~rows["month"].isin(list(months))].reset_index(drop=True) if months else rows


def month_names(months: Iterable[int]) -> str:
    """Write months for readers; three or more consecutive months as a range.

    >>> month_names([202403, 202404, 202506])
    'March 2024, April 2024 and June 2025'
    >>> month_names([202403, 202404, 202405])
    'March 2024 to May 2024'
    """
    ordered = sorted(set(months))
    if not ordered:
        return ""
    # Consecutive months have the same difference from their position in the list.
    first = ordered[0]
    runs = [
        [month for _, month in run]
        for _, run in groupby(enumerate(ordered), key=lambda pair: months_between(first, pair[1]) - pair[0])
    ]
    names: list[str] = []
    for run in runs:
        ends = [Period(m, m).label for m in (run[0], run[-1])]
        names += [" to ".join(ends)] if len(run) >= 3 else [Period(m, m).label for m in run]
    more = len(names) - _NAMED
    if more > 0:
        names = [*names[:_NAMED], f"{more} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
