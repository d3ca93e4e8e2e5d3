"""When, where, what and how reported."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.circumstances import DELAYS, DIMENSIONS, circumstance_counts, circumstance_table
from pipeline.errors import InputError
from pipeline.periods import Period

YEAR = Period.parse("2025-01..2025-12")


def incidents() -> pd.DataFrame:
    """Five records of the police and one of a charity; 1 January 2025 was a Wednesday."""
    day = dt.date(2025, 1, 1)
    frame = pd.DataFrame(
        [
            ("met", "B1", "racist", day, "day", day, 0, "street", True),
            ("met", "B1", "racist", day, "day", dt.date(2025, 1, 2), 2, "street", False),
            ("met", "B2", "", dt.date(2025, 1, 4), "day", dt.date(2026, 3, 1), 23, "home", False),
            ("met", None, "", dt.date(2025, 2, 1), "month", dt.date(2025, 2, 20), None, None, None),
            ("met", "B2", "faith", dt.date(2025, 2, 3), "day", dt.date(2025, 2, 1), 3, "street", None),
            ("charity", "B1", "faith", day, "day", None, 12, None, None),
        ],
        columns=[
            "organisation", "borough_code", "categories", "occurred_on", "date_precision", "recorded_on", "hour_band",
            "place_type", "aggravated",
        ],
    )  # fmt: skip
    return frame.assign(month=[202501, 202501, 202501, 202502, 202502, 202501])


def shares(dimension: str, *, organisation: str = "met", category: str = "all", **more: object) -> pd.DataFrame:
    table = circumstance_table(circumstance_counts(incidents()), YEAR, **more)  # type: ignore[arg-type]
    chosen = (table["organisation"] == organisation) & (table["category"] == category)
    return table[chosen & (table["dimension"] == dimension)].set_index("value")


def test_hours_fall_into_bands_of_three_with_zeros_written() -> None:
    found = shares("hour_band")
    assert list(found.index) == list(DIMENSIONS[0].answers)
    assert found["incidents"].tolist() == [2, 1, 0, 0, 0, 0, 0, 1]
    assert set(found["stated"]) == {4}
    assert set(found["not_stated"]) == {1}
    assert found.loc["00:00 to 02:59", "share"] == 0.5
    expected = stats.binomtest(2, 4).proportion_ci(method="wilson")
    assert found.loc["00:00 to 02:59", ["share_low", "share_high"]].tolist() == pytest.approx(list(expected))


def test_a_month_has_no_weekday_and_no_delay() -> None:
    found = shares("weekday")
    assert found["incidents"].to_dict() == {
        "Monday": 1, "Tuesday": 0, "Wednesday": 2, "Thursday": 0, "Friday": 0, "Saturday": 1, "Sunday": 0
    }  # fmt: skip
    assert set(found["not_stated"]) == {1}


def test_delays_from_occurrence_to_recording() -> None:
    found = shares("delay")["incidents"]
    assert found[found > 0].to_dict() == {
        "recorded before it happened": 1, "same day": 1, "next day": 1, "over a year": 1
    }  # fmt: skip


@pytest.mark.parametrize(
    ("days", "band"),
    [(-3, 0), (-1, 0), (0, 1), (1, 2), (2, 3), (7, 3), (8, 4), (30, 4), (31, 5), (90, 5), (91, 6), (365, 6), (366, 7)],
)
def test_limits_of_the_delay_bands(days: int, band: int) -> None:
    one = incidents().iloc[[0]].assign(recorded_on=dt.date(2025, 1, 1) + dt.timedelta(days=days))
    counts = circumstance_counts(one)
    assert set(counts.loc[counts["dimension"] == "delay", "value"]) == {DELAYS[band][0]}


def test_answers_without_an_order_come_by_frequency() -> None:
    assert shares("place_type")["incidents"].to_dict() == {"street": 3, "home": 1}
    assert list(shares("place_type").index) == ["street", "home"]
    assert shares("aggravated")["incidents"].to_dict() == {"yes": 1, "no": 2}


def test_organisations_and_categories_are_never_one_total() -> None:
    assert shares("hour_band", organisation="charity")["incidents"].sum() == 1
    assert shares("hour_band", category="racist")["incidents"].sum() == 2
    assert shares("place_type", organisation="charity").empty  # it states none
    table = circumstance_table(circumstance_counts(incidents()), YEAR)
    assert not table.duplicated(["organisation", "category", "dimension", "value"]).any()


def test_boroughs_and_periods_select() -> None:
    assert shares("hour_band", boroughs=["B2"])["incidents"].sum() == 2
    table = circumstance_table(circumstance_counts(incidents()), Period(202502, 202502))
    assert set(table["organisation"]) == {"met"}
    assert circumstance_table(circumstance_counts(incidents()), Period(202402, 202402)).empty


def test_parts_add_up_to_the_whole_in_any_order() -> None:
    rows = incidents()
    parts = pd.concat([circumstance_counts(rows.iloc[i]) for i in ([5, 0], [3], [2, 4, 1])])
    pd.testing.assert_frame_equal(circumstance_table(parts, YEAR), circumstance_table(circumstance_counts(rows), YEAR))
    assert circumstance_counts(rows)["incidents"].dtype == np.int64


def test_an_extract_without_these_columns_has_no_tables() -> None:
    bare = incidents()[["organisation", "borough_code", "month", "categories"]]
    assert set(circumstance_counts(bare)["value"]) == {"not stated"}
    assert circumstance_table(circumstance_counts(bare), YEAR).empty


def test_hours_that_do_not_exist_are_refused() -> None:
    with pytest.raises(InputError, match="0 to 23"):
        circumstance_counts(incidents().assign(hour_band=24))
