"""Months that the data lacks: how they are named, and what they do to windows."""

from datetime import date

import pandas as pd
import pytest

from pipeline.config import Periods, Profile
from pipeline.domain.periods import MissingMonths, Period, Span, choose_windows, month_names, without_months

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
