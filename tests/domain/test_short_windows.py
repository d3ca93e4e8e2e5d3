"""Windows of days: names, weeks as Python's calendar has them, partition of the days, days that a source lacks."""

from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.periods import Period, earlier_window, is_partial, windows
from pipeline.domain.short_windows import (
    DAYS_OF,
    ShortKind,
    short_windows,
    silent_days,
    whole_short_windows,
)
from pipeline.errors import InputError

days = st.dates(date(1990, 1, 1), date(2060, 12, 31))
kinds = st.sampled_from(sorted(DAYS_OF))
spans = st.tuples(days, st.integers(0, 500)).map(lambda s: (s[0], s[0] + timedelta(days=s[1])))


@given(kinds, spans, st.none() | days)
@pytest.mark.slow
def test_windows_partition_the_days(kind: str, span: tuple[date, date], anchor: date | None) -> None:
    found = short_windows(kind, first=span[0], last=span[1], anchor=anchor)
    held = [w.start + timedelta(days=n) for w in found for n in range(w.days)]
    assert held == [held[0] + timedelta(days=n) for n in range(len(held))]  # each day once, without a gap, in order
    assert {w.days for w in found} == {DAYS_OF[kind]}
    assert found[0].start <= span[0] <= found[0].end
    assert found[-1].start <= span[1] <= found[-1].end
    assert list(found) == sorted(found)


@given(days)
def test_weeks_are_those_of_the_iso_calendar(day: date) -> None:
    [week] = short_windows(ShortKind.WEEK, first=day, last=day)
    assert week.is_week
    assert week.id == f"{day.isocalendar().year:04d}-W{day.isocalendar().week:02d}"
    assert (week.start.isoweekday(), week.end.isoweekday()) == (1, 7)


@given(kinds, days, days)
def test_an_id_is_read_as_the_window_that_it_names(kind: str, day: date, anchor: date) -> None:
    [window] = short_windows(kind, first=day, last=day, anchor=anchor)
    assert Period.parse(window.id) == window
    assert not window.whole_months


@pytest.mark.parametrize(
    ("period_id", "first", "last", "label"),
    [
        ("2025-07-01", "2025-07-01", "2025-07-01", "1 July 2025"),
        ("2025-W27", "2025-06-30", "2025-07-06", "week 27 of 2025 (from 30 June 2025)"),
        # The last days of a year may lie in week 1 of the next, and the first ones in week 53 of the one before.
        ("2026-W01", "2025-12-29", "2026-01-04", "week 1 of 2026 (from 29 December 2025)"),
        ("2020-W53", "2020-12-28", "2021-01-03", "week 53 of 2020 (from 28 December 2020)"),
        ("2025-06-02..2025-06-29", "2025-06-02", "2025-06-29", "28 days to 29 June 2025"),
        # 28 days of February are not the month: rows whose day is not known are in the month and not in these.
        ("2026-02-01..2026-02-28", "2026-02-01", "2026-02-28", "28 days to 28 February 2026"),
    ],
)
def test_names_of_windows_of_days(period_id: str, first: str, last: str, label: str) -> None:
    period = Period.parse(period_id)
    assert (period.start.isoformat(), period.end.isoformat(), period.label) == (first, last, label)
    assert period.id == period_id


@pytest.mark.parametrize(
    "text",
    [
        "2025-W54",
        "2025-W00",
        "2021-W53",  # 2021 has 52 weeks
        "2025-02-29",
        "2025-13-01",
        "2025-06-30..2025-07-06",  # this is 2025-W27
        "2025-07-01..2025-07-01",
        "2025-7-1",
        "2025-w27",
        "0000-W01",
    ],
)
def test_what_names_no_window_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=text.replace(".", r"\.")):
        Period.parse(text)


def test_a_window_cannot_end_before_it_begins() -> None:
    with pytest.raises(InputError, match="cannot end"):
        Period.parse("2025-07-02..2025-07-01")


def test_a_window_of_days_is_no_sum_of_months() -> None:
    february = Period.parse("2026-02-01..2026-02-28")
    assert february != Period.parse("2026-02")
    assert february.overlaps(Period.parse("2026-02"))
    with pytest.raises(InputError, match="no length in months"):
        _ = february.months
    with pytest.raises(InputError, match="shift it by days"):
        february.shifted(-12)
    with pytest.raises(InputError, match="shift it by months"):
        Period.parse("2026-02").shifted_days(7)


@given(kinds, spans)
@pytest.mark.slow
def test_a_year_before_is_a_window_of_the_same_series(kind: str, span: tuple[date, date]) -> None:
    window = short_windows(kind, first=span[0], last=span[1])[-1]
    before = earlier_window(window, basis="year_before")
    assert before.start.isoweekday() == window.start.isoweekday()
    assert (window.start - before.start).days == 364
    assert before in short_windows(kind, first=before.start, last=span[1])
    assert earlier_window(window).end == window.start - timedelta(days=1)


def test_weeks_made_of_days_and_28_days_of_weeks() -> None:
    four = short_windows(ShortKind.DAYS_28, first=date(2025, 6, 2), last=date(2025, 6, 29))
    assert [w.id for w in four] == ["2025-06-02..2025-06-29"]
    weeks = short_windows(ShortKind.WEEK, first=date(2025, 5, 20), last=date(2025, 7, 20))
    assert [w.id for w in four[0].made_of(weeks)] == ["2025-W23", "2025-W24", "2025-W25", "2025-W26"]
    assert Period.parse("2025-06").made_of(weeks) == ()
    each = short_windows(ShortKind.DAY, first=date(2025, 6, 1), last=date(2025, 6, 30))
    assert len(Period.parse("2025-W24").made_of(each)) == 7


def test_windows_of_28_days_end_on_the_anchor() -> None:
    found = short_windows(ShortKind.DAYS_28, first=date(2025, 1, 1), last=date(2025, 3, 1), anchor=date(2025, 1, 31))
    assert [w.id for w in found] == [
        "2024-12-07..2025-01-03",
        "2025-01-04..2025-01-31",
        "2025-02-01..2025-02-28",
        "2025-03-01..2025-03-28",
    ]


def test_windows_beyond_the_data_are_left_out_or_partial() -> None:
    span: dict[str, Any] = {"first_date": date(2025, 6, 4), "last_date": date(2025, 6, 30)}
    weeks = short_windows(ShortKind.WEEK, first=span["first_date"], last=span["last_date"])
    assert [w.id for w in weeks if is_partial(w, **span)] == ["2025-W23", "2025-W27"]
    assert [w.id for w in whole_short_windows(ShortKind.WEEK, **span, most=9)] == ["2025-W24", "2025-W25", "2025-W26"]
    assert [w.id for w in whole_short_windows(ShortKind.WEEK, **span, most=1)] == ["2025-W26"]
    assert whole_short_windows(ShortKind.WEEK, **span, most=0) == ()
    # A month that a source lacks, and a day, make each window that contains a part of them incomplete.
    assert is_partial(Period.parse("2025-W27"), first_date=date(2025, 1, 1), last_date=date(2025, 9, 1)) is False
    covered: dict[str, Any] = {"first_date": date(2025, 1, 1), "last_date": date(2025, 9, 1)}
    assert is_partial(Period.parse("2025-W27"), **covered, missing=[202506])
    assert is_partial(Period.parse("2025-W27"), **covered, missing_days=[date(2025, 7, 6)])
    assert not is_partial(Period.parse("2025-W27"), **covered, missing_days=[date(2025, 7, 7)])


@given(days, st.integers(1, 12))
def test_financial_years_begin_in_the_month_set(day: date, begin: int) -> None:
    month = day.year * 100 + day.month
    [year] = windows("financial_year", first=month, last=month, financial_year_from=begin)
    ends_in = f"{date(2025, begin, 1) - timedelta(days=1):%b}".upper()
    expected = pd.Period(day, freq=f"Y-{ends_in}")
    assert (year.start, year.end) == (expected.start_time.date(), expected.end_time.date())


def test_financial_years_begin_in_april_unless_set() -> None:
    assert [w.id for w in windows("financial_year", first=202503, last=202504)] == [
        "2024-04..2025-03",
        "2025-04..2026-03",
    ]
    with pytest.raises(InputError, match="1 to 12"):
        windows("financial_year", first=202503, last=202504, financial_year_from=13)


def test_bad_spans_and_kinds_are_refused() -> None:
    with pytest.raises(InputError, match="fortnight"):
        short_windows("fortnight", first=date(2025, 1, 1), last=date(2025, 1, 2))
    with pytest.raises(InputError, match="before they begin"):
        short_windows("day", first=date(2025, 1, 2), last=date(2025, 1, 1))


# By hand: with 20 rows a day a day without one has the chance exp(-20), any of 31 days 31 times that. With 1 a day,
# eleven days without one have 31 exp(-11) = 0.0005, and ten 31 exp(-10) = 0.0014.
JULY: dict[str, Any] = {"first": date(2025, 7, 1), "last": date(2025, 7, 31)}


def _rows(a_day: int, *, without: range) -> dict[date, int]:
    return {date(2025, 7, d): a_day for d in range(1, 32) if d not in without}


def test_a_silence_too_long_to_be_chance_is_missing_days() -> None:
    assert silent_days(_rows(20, without=range(5, 6)), **JULY) == (date(2025, 7, 5),)
    assert len(silent_days(_rows(1, without=range(5, 16)), **JULY)) == 11
    assert silent_days(_rows(1, without=range(5, 15)), **JULY) == ()
    assert silent_days(_rows(20, without=range(5, 6)), **JULY, settled=[202507]) == ()
    assert silent_days({}, **JULY) == ()  # a source that knows no day says nothing about days
    assert silent_days(_rows(20, without=range(28, 32)), **JULY)[-1] == date(2025, 7, 31)
