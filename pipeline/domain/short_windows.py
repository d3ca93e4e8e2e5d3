"""Windows shorter than a month: days, ISO weeks and 28 days, and the days that a source does not cover.

A window of days is a `Period` made by `Period.of_days`. Weeks begin on Monday and are numbered by ISO 8601. Windows of
28 days are four whole weeks, counted in both directions from a day on which one of them ends; 13 of them are 364 days,
so that the same window a year before belongs to the same series. Rows whose month alone is known are in no window of
days: they are counted beside it, and never guessed into one.
"""

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum

from pipeline.domain.periods import Period
from pipeline.errors import InputError

__all__ = ["DAYS_OF", "ShortKind", "short_windows", "silent_days", "whole_short_windows"]


class ShortKind(StrEnum):
    """The kind of windows of days."""

    DAY = "day"
    WEEK = "week"
    DAYS_28 = "28_days"


DAYS_OF: dict[str, int] = {ShortKind.DAY: 1, ShortKind.WEEK: 7, ShortKind.DAYS_28: 28}
"""Length of each kind, in days."""

_RARE = 0.001
"""Days without a row are missing where so long a silence anywhere in the data has a smaller chance than this."""


def short_windows(kind: str, *, first: date, last: date, anchor: date | None = None) -> tuple[Period, ...]:
    """Cover the days of the data with windows of one kind, in time order.

    Parameters
    ----------
    kind
        One of `ShortKind`: ``day``; ``week`` (ISO, Monday to Sunday); ``28_days``.
    first, last
        First and last day of the data, both included.
    anchor
        Day on which one window of 28 days ends; the last Sunday not after `last` if not given, so that it is made of
        ISO weeks. Set it where later data must not move the windows.

    Returns
    -------
    windows
        Every window that contains a day of the data. The first and the last may extend beyond the data: see
        `is_partial`.

    Raises
    ------
    InputError
        If the kind is unknown, or the data end before they begin.

    Examples
    --------
    >>> [w.id for w in short_windows("week", first=date(2024, 12, 29), last=date(2025, 1, 6))]
    ['2024-W52', '2025-W01', '2025-W02']
    >>> [w.id for w in short_windows("28_days", first=date(2025, 6, 30), last=date(2025, 7, 27))]
    ['2025-06-30..2025-07-27']
    """
    if kind not in DAYS_OF:
        raise InputError(f"unknown kind of short period {kind!r}: choose one of {', '.join(ShortKind)}")
    if last < first:
        raise InputError(f"the data end ({last}) before they begin ({first})")
    length = DAYS_OF[kind]
    # The ordinal of a Monday is 1 modulo 7; a window begins on days with this remainder.
    phase = 1 if kind == ShortKind.WEEK else 0
    if kind == ShortKind.DAYS_28:
        end = anchor or last - timedelta(days=last.isoweekday() % 7)
        phase = end.toordinal() + 1
    begin = first.toordinal() - (first.toordinal() - phase) % length
    return tuple(
        Period.of_days(date.fromordinal(day), date.fromordinal(day + length - 1))
        for day in range(begin, last.toordinal() + 1, length)
    )


def whole_short_windows(
    kind: str, *, first_date: date, last_date: date, most: int, anchor: date | None = None
) -> tuple[Period, ...]:
    """Return the latest windows of one kind that lie inside the data, at most `most` of them, in time order.

    What a source lacks does not move them: such windows are incomplete (`is_partial`).

    >>> found = whole_short_windows("week", first_date=date(2025, 6, 1), last_date=date(2025, 7, 31), most=2)
    >>> [w.id for w in found]
    ['2025-W29', '2025-W30']
    """
    every = short_windows(kind, first=first_date, last=last_date, anchor=anchor)
    inside = [w for w in every if first_date <= w.start and w.end <= last_date]
    return tuple(inside[-most:]) if most > 0 else ()


def silent_days(rows: Mapping[date, int], *, first: date, last: date, settled: Iterable[int] = ()) -> tuple[date, ...]:
    """List days without a row that a source must be missing: a silence too long to be chance.

    A run of days without a row is missing where rows come so densely that so long a run anywhere between the two days
    has a chance under one in a thousand (Poisson, from the median of all days, days without a row included, times the
    number of days: a run may begin on any of them). A quiet day of a small source is a zero; so is every day of the
    months in `settled`, which the configuration says were empty.

    Parameters
    ----------
    rows
        Rows by day, of one source; only rows whose day is known.
    first, last
        First and last day that the source is said to cover.
    settled
        Months (yyyymm) in which nothing was recorded, as the configuration says.

    Examples
    --------
    >>> busy = {date(2025, 7, d): 20 for d in range(1, 32) if d not in (10, 11)}
    >>> [d.day for d in silent_days(busy, first=date(2025, 7, 1), last=date(2025, 7, 31))]
    [10, 11]
    >>> quiet = {date(2025, 7, d): 1 for d in range(1, 32) if d not in (10, 11)}
    >>> silent_days(quiet, first=date(2025, 7, 1), last=date(2025, 7, 31))
    ()
    """
    every = [date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1)]
    if not any(rows.get(day) for day in every):
        return ()
    usual = float(statistics.median(rows.get(day, 0) for day in every))
    empty = set(settled)
    found: list[date] = []
    for run in _runs(day for day in every if not rows.get(day) and day.year * 100 + day.month not in empty):
        if len(every) * math.exp(-usual * len(run)) < _RARE:
            found += run
    return tuple(found)


def _runs(days: Iterable[date]) -> Iterator[list[date]]:
    """Group days in time order into runs of days that follow each other."""
    run: list[date] = []
    for day in days:
        if run and (day - run[-1]).days > 1:
            yield run
            run = []
        run.append(day)
    if run:
        yield run
