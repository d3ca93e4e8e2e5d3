"""Facts of hotspots, against counts by hand on a made-up square."""

from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.detect.hotspots.description import Question, hotspot_facts, tails_above
from pipeline.domain.periods import Period
from pipeline.statistics.change import ChangeRules, compare_windows

NOW = Period.parse("2024-01..2024-12")
COMPARED = compare_windows(NOW, first_date=date(2023, 1, 1), last_date=date(2024, 12, 31))


def hotspots() -> gpd.GeoDataFrame:
    """One outline, 100 m wide, with what `find_hotspots` says of it."""
    columns = {"hotspot_id": ["H001"], "incidents": [4], "distinct_locations": [2], "top_location_share_pct": [75.0]}
    unknown = pd.array([None], dtype="Float64")
    return gpd.GeoDataFrame(
        {**columns, "stability": unknown, "distinct_victims": pd.array([3], dtype="Int64")},
        geometry=[shapely.box(0, 0, 100, 100)],
    )


def incidents() -> pd.DataFrame:
    """Four incidents inside, two outside; one without an hour, one of two categories."""
    return pd.DataFrame(
        {
            "hotspot_id": ["H001"] * 4 + [None] * 2,
            "weekday": pd.array([5, 5, 1, None, 7, 7], dtype="Float64"),
            "hour_band": pd.array([23, 21, None, 4, 0, 2], dtype="Int64"),
            "interval_start": pd.array([None] * 6, dtype="Int64"),
            "interval_minutes": pd.array([None] * 6, dtype="Int64"),
            "categories": ["race", "race;faith", "faith", None, "race", "race"],
            "place_type": ["street", "street", None, "park", "park", "park"],
            "organisation": ["police"] * 6,
            "reporting_route": pd.array([None] * 6, dtype="str"),
            "kind": ["offence"] * 6,
            "incidents": 1,
        }
    )


def counted(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Give incidents as `hotspot_facts` takes them: those inside, and all, each of the latter a row or added up."""
    whole = rows.drop(columns="hotspot_id")
    alike = [name for name in whole.columns if name != "incidents"]
    return {
        "inside": rows[rows["hotspot_id"].notna()],
        "whole": whole.groupby(alike, dropna=False, as_index=False)["incidents"].sum(),
    }


def months(now: int, before: int) -> list[pd.DataFrame]:
    """The same number in every month of both years, inside the outline; in two batches that share a month."""
    rows = pd.DataFrame(
        [(10.0, 10.0, year * 100 + m, n) for year, n in ((2023, before), (2024, now)) for m in range(1, 13)],
        columns=["easting_m", "northing_m", "month", "incidents"],
    )
    part = rows.assign(incidents=rows["incidents"] - (rows["month"] == 202306))
    return [part.iloc[12:], part.iloc[:12], rows[rows["month"] == 202306].assign(incidents=1)]


def facts(**changes: object) -> pd.DataFrame:
    given: dict[str, object] = {**counted(incidents()), "months": months(10, 5), "earlier_outlines": {}}
    return hotspot_facts(hotspots(), **(given | {"comparison": COMPARED} | changes))


def answers(table: pd.DataFrame, question: Question) -> dict[str, tuple[int, int]]:
    rows = table[table["question"] == question]
    return {a: (n, w) for a, n, w in zip(rows["answer"], rows["incidents"], rows["whole"], strict=True)}


def test_each_question_counts_inside_beside_all() -> None:
    table = facts()
    assert answers(table, Question.RECORDED) == {"all": (4, 6)}
    assert answers(table, Question.CATEGORY) == {"faith": (2, 2), "race": (2, 4)}
    assert answers(table, Question.PLACE_TYPE) == {"not stated": (1, 1), "park": (1, 3), "street": (2, 2)}
    assert not (table["question"] == Question.REPORTING_ROUTE).any()  # no row states one


def test_cells_of_the_week_hold_what_has_a_day_and_an_hour() -> None:
    cells = {a: n for a, n in answers(facts(), Question.WEEKDAY_HOUR).items() if any(n)}
    assert cells == {"5 7": (2, 2), "7 0": (0, 2)}  # Friday from 21:00; Sunday from midnight
    assert len(answers(facts(), Question.WEEKDAY_HOUR)) == 56


def test_incidents_between_two_times_are_shared_over_the_cells_of_the_week() -> None:
    # Friday 2 January 1970, 21:00 for six hours (half before midnight), twice inside; outside once, all on Friday.
    start = 1440 + 21 * 60
    between = incidents().assign(
        interval_start=pd.array([start, start, None, None, start, None], dtype="Int64"),
        interval_minutes=pd.array([360, 360, None, None, 180, None], dtype="Int64"),
    )
    cells = {a: n for a, n in answers(facts(**counted(between)), Question.WEEKDAY_HOUR).items() if any(n)}
    # Of 1 + 1 inside; of 2 + 1 with the one outside; Sunday's incident at 2 has an hour of its own.
    assert cells == {"5 7": (1, 2), "6 0": (1, 1), "7 0": (0, 1)}


@pytest.mark.slow
def test_a_doubling_is_higher_and_a_few_are_too_few() -> None:
    def word(now: int, before: int) -> str:
        table = facts(months=months(now, before))
        return table.loc[table["question"] == Question.YEAR_BEFORE, "word"].item()

    assert word(10, 5) == "higher"
    assert word(5, 10) == "lower"
    assert word(10, 10) == "no clear change"
    assert word(10, 1) == "too few"  # 12 before: fewer than 20
    assert ChangeRules().min_earlier == 20


def test_a_comparison_with_an_obstacle_is_none() -> None:
    none = compare_windows(NOW, first_date=date(2024, 1, 1), last_date=date(2024, 12, 31))
    table = facts(comparison=none)
    assert not (table["question"] == Question.YEAR_BEFORE).any()
    assert (table["question"] == Question.MONTH).sum() == 24


def test_overlap_is_the_share_of_the_outline() -> None:
    quarter = np.array([shapely.box(0, 0, 25, 100)], dtype=object)
    table = facts(earlier_outlines={"2023": quarter, "2022": np.empty(0, dtype=object)})
    found = table[table["question"] == Question.EARLIER_OUTLINE].set_index("answer")["share_pct"]
    assert found.to_dict() == pytest.approx({"2023": 25.0, "2022": 0.0})


def test_certainty_says_only_what_is_known() -> None:
    table = facts().set_index("question")
    assert table.loc[Question.TOP_PLACE, "incidents"] == 3
    assert table.loc[Question.DISTINCT_VICTIMS, "incidents"] == 3
    assert Question.STABILITY not in table.index


def test_upper_tail_is_that_of_the_binomial() -> None:
    # By enumeration: 10 throws with chance 0.3, at least 6 (published tables: 0.0473).
    assert tails_above(6, total=10, share=0.3) == pytest.approx(0.0473, abs=5e-5)
    assert tails_above(10, total=10, share=0.5) == pytest.approx(1 / 1024)


def test_no_hotspot_has_no_fact() -> None:
    assert hotspot_facts(
        hotspots().iloc[:0], **counted(incidents()), months=months(1, 1), earlier_outlines={}, comparison=None
    ).empty
