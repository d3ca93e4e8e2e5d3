"""Time windows in whole months: months, quarters, years, rolling and fixed windows, and breaks in a series.

A month is an integer such as 202507. A window is a `Period`; its id is "2025-07" for one month and
"2024-08..2025-07" for anything longer. Windows that the data covers only in part are *partial*: they are marked
and never compared with whole ones.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Literal, Self

from pipeline.errors import InputError

__all__ = [
    "Break",
    "Period",
    "WindowKind",
    "add_months",
    "breaks_within",
    "complete_span",
    "earlier_window",
    "gaps",
    "headline",
    "is_partial",
    "latest_fixed",
    "month_of",
    "month_range",
    "months_between",
    "one_system",
    "windows",
    "without_overlap",
]


class WindowKind(StrEnum):
    """How windows follow each other: calendar units, or windows of a stated length."""

    MONTH = "month"
    QUARTER = "quarter"
    FINANCIAL_YEAR = "financial_year"
    YEAR = "year"
    ROLLING = "rolling"
    FIXED = "fixed"


_ID = re.compile(r"(\d{4})-(\d{2})(?:\.\.(\d{4})-(\d{2}))?")
_NAMES = "January February March April May June July August September October November December"


def _index(month: int) -> int:
    """Count months from January of year 0; refuse what is no month."""
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
    """Return the month a day lies in, as yyyymm."""
    return day.year * 100 + day.month


def _name(month: int) -> str:
    return f"{_NAMES.split()[month % 100 - 1]} {month // 100}"


def _iso(month: int) -> str:
    return f"{month // 100:04d}-{month % 100:02d}"


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A window of whole months, both ends included, ordered by first and then last month.

    Examples
    --------
    >>> year = Period.parse("2024-08..2025-07")
    >>> year.label, year.months, year.days, year.shifted(-12).id
    ('12 months to July 2025', 12, 365, '2023-08..2024-07')
    >>> Period.parse("2025-04..2025-06").label
    'Q2 2025'
    """

    first_month: int
    last_month: int

    def __post_init__(self) -> None:
        if months_between(self.first_month, self.last_month) < 1:
            raise InputError(f"a period cannot end ({self.last_month}) before it begins ({self.first_month})")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a period id: "2025-07" or "2024-08..2025-07"."""
        match = _ID.fullmatch(text)
        if match is None:
            raise InputError(f"{text!r} is not a period: write 2025-07 for a month, 2024-08..2025-07 for a window")
        year, month, last_year, last_month = match.groups()
        first = int(year + month)
        period = cls(first, int(last_year + last_month) if last_year else first)
        if period.id != text:
            raise InputError(f"{text!r} is written twice over: a window of one month is {period.id}")
        return period

    @property
    def id(self) -> str:
        """Name of the period in tables and file names."""
        first, last = _iso(self.first_month), _iso(self.last_month)
        return first if first == last else f"{first}..{last}"

    @property
    def start(self) -> date:
        """First day."""
        return date(self.first_month // 100, self.first_month % 100, 1)

    @property
    def end(self) -> date:
        """Last day, which belongs to the period."""
        following = add_months(self.last_month, 1)
        return date(following // 100, following % 100, 1) - timedelta(days=1)

    @property
    def days(self) -> int:
        """Length in days: the exposure of the counts."""
        return (self.end - self.start).days + 1

    @property
    def months(self) -> int:
        """Length in months."""
        return months_between(self.first_month, self.last_month)

    @property
    def label(self) -> str:
        """Words for readers: "July 2025", "Q2 2025", "financial year 2024/25", "2024", "12 months to July 2025"."""
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

    def overlaps(self, other: "Period") -> bool:
        """Return whether the two windows share a month."""
        return self.first_month <= other.last_month and other.first_month <= self.last_month

    def made_of(self, others: Iterable["Period"]) -> tuple["Period", ...]:
        """Return those of some windows that share no month and together are this one; none if they are not.

        >>> quarters = [Period(202401, 202403), Period(202404, 202406)]
        >>> [p.id for p in Period(202401, 202406).made_of(quarters)], Period(202402, 202406).made_of(quarters)
        (['2024-01..2024-03', '2024-04..2024-06'], ())
        """
        inside = tuple(p for p in others if self.first_month <= p.first_month and p.last_month <= self.last_month)
        return inside if sum(p.months for p in inside) == self.months else ()

    def shifted(self, count: int) -> "Period":
        """Return the window of the same number of months, `count` months later (earlier if negative)."""
        return Period(add_months(self.first_month, count), add_months(self.last_month, count))


@dataclass(frozen=True, slots=True, order=True)
class Break:
    """A change of recording: counts before `month` and from `month` on are not comparable; `text` tells readers why."""

    month: int
    text: str

    def __post_init__(self) -> None:
        _index(self.month)


def _calendar(first: int, last: int, length: int, phase: int) -> tuple[Period, ...]:
    """Tile months with windows of one length whose first month index is `phase` modulo the length."""
    # Step back to the window that holds the first month: it may begin before the data.
    start, stop = _index(first), _index(last)
    start -= (start - phase) % length
    return tuple(Period(_from_index(i), _from_index(i + length - 1)) for i in range(start, stop + 1, length))


_CALENDAR: dict[str, tuple[int, int]] = {
    WindowKind.MONTH: (1, 0),
    WindowKind.QUARTER: (3, 0),
    WindowKind.FINANCIAL_YEAR: (12, 3),
    WindowKind.YEAR: (12, 0),
}
"""Length in months, and the month of the year that windows begin in (January is 0; modulo the length)."""


def windows(
    kind: str, *, first: int, last: int, months: int = 12, anchor: int | None = None, step: int = 1
) -> tuple[Period, ...]:
    """Cover the months of the data with windows of one kind, in time order.

    Parameters
    ----------
    kind
        One of `WindowKind`: ``month``; ``quarter`` (calendar); ``financial_year`` (from April); ``year`` (calendar);
        ``rolling`` (`months` months, inside the data); ``fixed`` (windows of `months` months that never overlap,
        counted in both directions from one that ends in `anchor`).
    first, last
        First and last month with data, as yyyymm.
    months, step
        Length of rolling and fixed windows, and months between the ends of rolling ones, counted back from `last`.
    anchor
        Month in which one fixed window ends; `last` when not given. Releases that are repeated should set it, so
        that the windows of successive releases coincide.

    Returns
    -------
    windows
        Every window that holds a month of data. The outermost may reach beyond the data: ask `is_partial`.

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
    length, phase = _CALENDAR.get(kind, (months, _index(last if anchor is None else anchor) + 1))
    return _calendar(first, last, length, phase)


def gaps(months: Iterable[int]) -> tuple[int, ...]:
    """List months without any data between the first and the last month that have some."""
    present = set(months)
    return tuple(m for m in month_range(min(present), max(present)) if m not in present) if present else ()


def is_partial(period: Period, *, first_date: date, last_date: date, missing: Collection[int] = ()) -> bool:
    """Return whether the data cover a window only in part.

    They run from `first_date` to `last_date`, both days included, without the months `missing` (see `gaps`).
    """
    outside = period.start < first_date or period.end > last_date
    return outside or any(period.first_month <= month <= period.last_month for month in missing)


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

    Shorter data give a shorter headline period: its label says how long it is.

    >>> headline(first_date=date(2023, 1, 1), last_date=date(2025, 7, 30)).id
    '2024-07..2025-06'
    """
    span = complete_span(first_date=first_date, last_date=last_date, missing=missing)
    if span is None:
        raise InputError(
            f"no month is complete between {first_date} and {last_date}: a map needs at least one whole month; "
            "add data, or correct the dates the source is said to cover"
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
    """Return the window to compare with: the one just before, or the same months a year earlier (without overlap)."""
    earlier = period.shifted(-period.months if basis == "previous" else -12)
    if earlier.overlaps(period):
        raise InputError(
            f"{period.label} and the same months a year earlier overlap: compare with the previous window instead"
        )
    return earlier


def breaks_within(first_month: int, last_month: int, breaks: Iterable[Break]) -> tuple[Break, ...]:
    """List the breaks that divide the months from `first_month` to `last_month`, in time order.

    A break in the first month itself divides nothing: all of these months are recorded the new way.

    >>> met = Break(202403, "New recording system.")
    >>> breaks_within(202308, 202507, [met]) == (met,), breaks_within(202403, 202507, [met])
    (True, ())
    """
    return tuple(sorted(b for b in breaks if first_month < b.month <= last_month))


def one_system(span: Period, breaks: Iterable[Break]) -> Period:
    """Return the latest part of `span` that was recorded in one way."""
    inside = breaks_within(span.first_month, span.last_month, breaks)
    return Period(inside[-1].month, span.last_month) if inside else span


def without_overlap(periods: Sequence[Period]) -> tuple[Period, ...]:
    """Choose windows that share no month, counted back from the latest, in time order."""
    chosen: list[Period] = []
    for period in sorted(set(periods), key=lambda p: (p.last_month, p.first_month), reverse=True):
        if not chosen or period.last_month < chosen[-1].first_month:
            chosen.append(period)
    return tuple(reversed(chosen))
