"""Windows of time: names, lengths, completeness, breaks."""

import calendar
from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Periods, Profile
from pipeline.domain.periods import (
    Break,
    MissingMonths,
    Period,
    Span,
    add_months,
    breaks_within,
    complete_span,
    earlier_window,
    gaps,
    headline,
    is_partial,
    latest_fixed,
    month_names,
    month_of,
    month_range,
    months_between,
    one_system,
    windows,
    without_months,
    without_overlap,
)
from pipeline.domain.profile_windows import Windows, choose_windows
from pipeline.errors import InputError
from pipeline.tables import Level

MET_BREAK = Break(202403, "The recording system changed.")
months = st.builds(lambda y, m: y * 100 + m, st.integers(1990, 2060), st.integers(1, 12))


@given(months, st.integers(-300, 300))
def test_months_count_as_pandas_counts_them(month: int, step: int) -> None:
    expected = pd.Period(f"{month // 100}-{month % 100:02d}", freq="M") + step
    assert add_months(month, step) == expected.year * 100 + expected.month
    assert months_between(month, add_months(month, step)) == step + 1


@given(months, st.integers(1, 40))
def test_a_period_is_its_days(month: int, length: int) -> None:
    period = Period(month, add_months(month, length - 1))
    assert period.days == sum(calendar.monthrange(m // 100, m % 100)[1] for m in month_range(month, period.last_month))
    assert period.end - period.start == timedelta(days=period.days - 1)
    assert period.months == length
    assert Period.parse(period.id) == period
    assert month_of(period.end) == period.last_month


@pytest.mark.parametrize(
    ("period_id", "label"),
    [
        ("2025-07", "July 2025"),
        ("2024-08..2025-07", "12 months to July 2025"),
        ("2025-04..2025-06", "Q2 2025"),
        ("2025-10..2025-12", "Q4 2025"),
        ("2025-05..2025-07", "3 months to July 2025"),
        ("2024-04..2025-03", "financial year 2024/25"),
        ("1999-04..2000-03", "financial year 1999/00"),
        ("2024-01..2024-12", "2024"),
        ("2018-01..2018-06", "6 months to June 2018"),
    ],
)
def test_labels(period_id: str, label: str) -> None:
    period = Period.parse(period_id)
    assert period.label == label
    assert period.id == period_id


@pytest.mark.parametrize("text", ["2025", "2025-13", "2025-7", "2025-07..2025-07", "2025-07..2025-01", "2025-07 ", ""])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Period.parse(text)


def test_periods_order_in_time() -> None:
    ids = ["2024-01", "2024-01..2024-03", "2024-02", "2023-12..2024-01"]
    assert [p.id for p in sorted(map(Period.parse, ids))] == [
        "2023-12..2024-01",
        "2024-01",
        "2024-01..2024-03",
        "2024-02",
    ]


@pytest.mark.parametrize(
    ("kind", "count", "first", "last"),
    [
        ("month", 48, "2021-08", "2025-07"),
        ("quarter", 17, "2021-07..2021-09", "2025-07..2025-09"),
        ("financial_year", 5, "2021-04..2022-03", "2025-04..2026-03"),
        ("year", 5, "2021-01..2021-12", "2025-01..2025-12"),
        ("rolling", 37, "2021-08..2022-07", "2024-08..2025-07"),
        ("fixed", 4, "2021-08..2022-07", "2024-08..2025-07"),
    ],
)
def test_windows_over_the_met_months(kind: str, count: int, first: str, last: str) -> None:
    laid = windows(kind, first=202108, last=202507)
    assert (len(laid), laid[0].id, laid[-1].id) == (count, first, last)


@given(months, st.integers(0, 90), st.integers(1, 24), st.integers(-50, 50))
def test_fixed_windows_tile_the_data(first: int, more: int, length: int, offset: int) -> None:
    last, anchor = add_months(first, more), add_months(first, offset)
    laid = windows("fixed", first=first, last=last, months=length, anchor=anchor)
    held = [m for w in laid for m in month_range(w.first_month, w.last_month)]
    assert len(held) == len(set(held))
    assert set(month_range(first, last)) <= set(held)
    assert all(w.months == length and w.last_month >= first and w.first_month <= last for w in laid)
    assert all((months_between(anchor, w.last_month) - 1) % length == 0 for w in laid)


def test_a_moving_end_keeps_anchored_windows_in_place() -> None:
    july = windows("fixed", first=202108, last=202507, anchor=202403)
    august = windows("fixed", first=202108, last=202508, anchor=202403)
    assert july == august


def test_rolling_windows_step_back_from_the_latest() -> None:
    laid = windows("rolling", first=202108, last=202507, step=3)
    assert len(laid) == 13
    assert [w.last_month for w in laid[-2:]] == [202504, 202507]


def test_rolling_windows_need_enough_months() -> None:
    assert windows("rolling", first=202501, last=202506) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "week"},
        {"kind": "fixed", "months": 0},
        {"kind": "month", "last": 202001},
        {"kind": "month", "first": 0},
    ],
)
def test_windows_refuse_nonsense(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        windows(**({"first": 202108, "last": 202507} | wrong))  # type: ignore[arg-type]


def test_partial_windows_are_marked() -> None:
    covered = {"first_date": date(2021, 8, 1), "last_date": date(2025, 7, 31)}
    years = windows("financial_year", first=202108, last=202507)
    assert [is_partial(y, **covered) for y in years] == [True, False, False, False, True]
    july = Period(202507, 202507)
    assert not is_partial(july, **covered)
    assert is_partial(july, first_date=date(2021, 8, 1), last_date=date(2025, 7, 30))
    assert is_partial(july, first_date=date(2025, 7, 2), last_date=date(2025, 7, 31))


def test_a_gap_makes_its_window_partial() -> None:
    missing = gaps([202401, 202402, 202405])
    assert missing == (202403, 202404)
    assert gaps([]) == ()
    quarters = windows("quarter", first=202401, last=202406)
    covered = {"first_date": date(2024, 1, 1), "last_date": date(2024, 6, 30)}
    assert [is_partial(q, **covered, missing=missing) for q in quarters] == [True, True]
    assert complete_span(**covered, missing=missing) == Period(202405, 202406)


def test_headline_is_the_latest_twelve_complete_months() -> None:
    assert headline(first_date=date(2021, 8, 1), last_date=date(2025, 7, 31)).id == "2024-08..2025-07"
    assert headline(first_date=date(2021, 8, 1), last_date=date(2025, 7, 30)).id == "2024-07..2025-06"
    assert headline(first_date=date(2018, 1, 1), last_date=date(2018, 6, 30)).label == "6 months to June 2018"
    with pytest.raises(InputError, match="no month is complete"):
        headline(first_date=date(2025, 7, 2), last_date=date(2025, 7, 31))


def test_latest_fixed_waits_for_a_complete_window() -> None:
    covered = {"first_date": date(2021, 8, 1), "last_date": date(2025, 7, 31)}
    assert latest_fixed(**covered) == Period(202408, 202507)
    assert latest_fixed(**covered, anchor=202403) == Period(202404, 202503)
    assert latest_fixed(**covered, months=60) is None
    assert latest_fixed(first_date=date(2025, 7, 2), last_date=date(2025, 7, 9)) is None


def test_earlier_windows() -> None:
    year, july = Period.parse("2024-08..2025-07"), Period.parse("2025-07")
    assert earlier_window(year) == Period.parse("2023-08..2024-07")
    assert earlier_window(july) == Period.parse("2025-06")
    assert earlier_window(july, basis="year_before") == Period.parse("2024-07")
    with pytest.raises(InputError, match="overlap"):
        earlier_window(Period(202301, 202406), basis="year_before")


def test_breaks_part_windows() -> None:
    assert breaks_within(202308, 202507, [MET_BREAK]) == (MET_BREAK,)
    assert breaks_within(202403, 202507, [MET_BREAK]) == ()
    assert breaks_within(202308, 202402, [MET_BREAK]) == ()
    assert breaks_within(202402, 202403, [MET_BREAK]) == (MET_BREAK,)
    assert one_system(Period(202108, 202507), [MET_BREAK]) == Period(202403, 202507)
    assert one_system(Period(202108, 202402), [MET_BREAK]) == Period(202108, 202402)


def test_without_overlap_counts_back_from_the_latest() -> None:
    rolling = windows("rolling", first=202108, last=202507)
    assert without_overlap(rolling) == windows("fixed", first=202108, last=202507)
    assert without_overlap([]) == ()


# Months that the data lacks: how they are named, and what they do to windows.


JUNE = MissingMonths({"police": (202506,)})


@pytest.mark.parametrize(
    ("months", "words"),
    [
        ([202506], "June 2025"),
        ([202503, 202504], "March 2025 and April 2025"),
        ([202405, 202506], "May 2024 and June 2025"),
        ([202411, 202412, 202501], "November 2024 to January 2025"),
        ([202411, 202412, 202501, 202506], "November 2024 to January 2025 and June 2025"),
        ([202401, 202403, 202405, 202407, 202409, 202411, 202501],
         "January 2024, March 2024, May 2024, July 2024, September 2024, November 2024 and 1 more"),
        ([], ""),
    ],
)  # fmt: skip
def test_months_are_named_in_words(months: list[int], words: str) -> None:
    assert month_names(months) == words


def test_each_source_has_its_sentence() -> None:
    lacking = MissingMonths({"police": (202506,), "transport": (202501, 202502)}, {"police": (202601,)})
    assert lacking.sentences() == (
        'June 2025 is missing from "police": counts over it are incomplete.',
        'January 2025 and February 2025 are missing from "transport": counts over them are incomplete.',
        'January 2026 is incomplete in "police": counts over it are incomplete.',
    )
    assert lacking.sentences(Period(202601, 202612)) == (
        'January 2026 is incomplete in "police": counts over it are incomplete.',
    )
    assert lacking.sentences(Period(202401, 202412)) == ()


def test_a_span_is_kept_as_plain_values() -> None:
    span = Span(
        date(2024, 1, 1), date(2026, 1, 31), MissingMonths({"a": (202506,)}, {"b": (202601,)}, frozenset({202506}))
    )
    assert Span.restored(span.plain()) == span


def test_rows_of_some_months_are_left_out() -> None:
    rows = pd.DataFrame({"month": [202505, 202506, 202507], "incidents": [1, 2, 3]})
    assert without_months(rows, {202506})["incidents"].tolist() == [1, 3]
    assert without_months(rows, ()) is rows


def profile(**values: object) -> Profile:
    given = {"name": "p", "audience": "internal", "threshold": 0, **values}
    return Profile.model_validate(given)


@pytest.mark.parametrize(
    ("audience", "borough", "ward"),
    [("internal", "month", "rolling"), ("partner", "quarter", "fixed"), ("public", "quarter", "fixed")],
)
def test_a_missing_month_moves_no_window_and_leaves_none_over_it_whole(audience: str, borough: str, ward: str) -> None:
    one = profile(
        audience=audience, borough_period=borough, ward_period=ward, threshold=0 if audience == "internal" else 5
    )
    covered = {"first_date": date(2023, 8, 1), "last_date": date(2025, 7, 31), "compare": "year_before"}
    whole = choose_windows(one, Periods.model_validate({}), **covered)
    part = choose_windows(one, Periods.model_validate({}), **covered, lacking=JUNE)
    assert (part.headline, part.earlier, part.series) == (whole.headline, whole.earlier, whole.series)
    for window in part.shown:
        assert not whole.partial(window)
        assert part.partial(window) == (window.first_month <= 202506 <= window.last_month)


def met_windows(audience: str, *, compare: str = "year_before", **settings: str) -> Windows:
    """Windows of the Met's dashboard: August 2021 to July 2025, another recording system from March 2024."""
    periods = Periods.model_validate({"breaks": [{"month": "2024-03", "text": "New system."}]})
    given = {"name": audience, "audience": audience, "ward_period": "rolling" if audience == "internal" else "fixed"}
    given |= {} if audience == "internal" else {"threshold": 10}
    profile = Profile.model_validate(given | settings)
    return choose_windows(profile, periods, first_date=date(2021, 8, 1), last_date=date(2025, 7, 31), compare=compare)


def test_a_break_in_the_headline_leaves_the_latest_quarter_that_can_be_compared() -> None:
    # By hand: of the quarters inside August 2024 to July 2025, only April to June 2025 and the same a year earlier lie
    # after March 2024.
    found = met_windows("internal")
    assert found.stand_in is not None
    assert [p.id for p in found.stand_in] == ["2025-04..2025-06", "2024-04..2024-06"]
    assert set(found.stand_in) <= set(found.series[Level.WARD])
    assert set(found.stand_in) <= set(found.by_level[Level.BOROUGH])
    assert met_windows("internal", compare="previous").stand_in is None


def test_other_readers_get_no_window_more_than_they_are_shown() -> None:
    found = met_windows("public")
    assert found.stand_in is None
    assert all(p.months == 12 for p in found.series[Level.WARD])
    quarterly = met_windows("public", ward_period="quarter", borough_period="quarter")
    assert quarterly.stand_in is None or set(quarterly.stand_in) <= set(quarterly.series[Level.WARD])


def test_without_a_break_nothing_stands_in_for_the_headline() -> None:
    span = {"first_date": date(2021, 8, 1), "last_date": date(2025, 7, 31), "compare": "year_before"}
    profile = Profile.model_validate({"name": "internal", "audience": "internal", "ward_period": "rolling"})
    assert choose_windows(profile, Periods(), **span).stand_in is None  # type: ignore[arg-type]
    ignored = Periods.model_validate({"breaks": [{"month": "2024-03", "text": "x"}], "ignore_breaks": True})
    assert choose_windows(profile, ignored, **span).stand_in is None  # type: ignore[arg-type]
    # A break in June of both years lies between any quarter of the headline and the same months a year earlier.
    breaks = [{"month": month, "text": "x"} for month in ("2024-06", "2025-06")]
    assert choose_windows(profile, Periods.model_validate({"breaks": breaks}), **span).stand_in is None  # type: ignore[arg-type]
