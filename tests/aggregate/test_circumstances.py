"""When, where, what, how reported and what came of it."""

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
import scipy

from pipeline.aggregate import reduce
from pipeline.aggregate.circumstances import (
    DELAYS,
    NOT_STATED,
    TOO_RECENT,
    TOTAL,
    VARIABLES,
    add_shares,
    kind_of_outcome,
    median_value,
    window_counts,
)
from pipeline.domain.periods import Period
from tests.kit.readers import read, write

YEAR = Period.parse("2025-01..2025-12")
ORDER = {v.id: v.known_values for v in VARIABLES.values()}
HEAD = "date,time,recorded,easting,northing,strand,place_type,aggravated,organisation,outcome\n"


def row(
    day: str, recorded: str = "", *, hour: str = "", x: int = 530500, strand: str = "", more: str = ",,met,"
) -> str:
    return f"{day},{hour},{recorded},{x},180500,{strand},{more}\n"


TEXT = HEAD + "".join(
    [
        row("2025-01-01", "2025-01-01", hour="0", strand="race", more="street,yes,met,Suspect charged"),  # a Wednesday
        row("2025-01-01", "2025-01-02", hour="2", strand="race", more="street,no,met,Under investigation"),
        row("2025-01-04", "2026-03-01", hour="23", x=531500, more="home,no,met,"),
        row("2025-02-03", "2025-02-01", hour="3", x=531500, strand="faith", more="street,,met,Suspect charged"),
        row("2025-01-01", hour="12", strand="faith", more=",,charity,"),
        row("2025-06-02", hour="12", more="street,,met,Suspect charged"),
    ]
)


def facets_of(folder: Path, text: str) -> pd.DataFrame:
    return reduce.reduce_facets([reduce.count_facets(read(write(folder, text)).part)])


@pytest.fixture(scope="module")
def facets(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return facets_of(tmp_path_factory.mktemp("facets"), TEXT)


@pytest.fixture(scope="module")
def counts(facets: pd.DataFrame) -> pd.DataFrame:
    return in_2025(facets)


def in_2025(facets: pd.DataFrame) -> pd.DataFrame:
    return window_counts(facets, YEAR, region_code="R", mature_until=202503)


def counted(counts: pd.DataFrame, question: str, *, organisation: str = "met", **chosen: str) -> dict[str, int]:
    where = {"area_code": "R", "category": "all", "question": question, "organisation": organisation, **chosen}
    for name, value in where.items():
        counts = counts[counts[name] == value]
    return dict(zip(counts["answer"], counts["incidents"], strict=True))


@pytest.mark.slow
def test_hours_fall_into_bands_of_three_with_zeros_written(counts: pd.DataFrame) -> None:
    found = counted(counts, "hour_band")
    assert list(found) == [*ORDER["hour_band"], NOT_STATED]
    assert list(found.values()) == [2, 1, 0, 0, 1, 0, 0, 1, 0]


@pytest.mark.slow
def test_weekdays_and_delays(counts: pd.DataFrame) -> None:
    assert {a: n for a, n in counted(counts, "weekday").items() if n} == {"Monday": 2, "Wednesday": 2, "Saturday": 1}
    # One is dated after it was recorded, one has no date of recording: neither states how long it took.
    found = counted(counts, "delay")
    assert {a: n for a, n in found.items() if n} == {"same day": 1, "next day": 1, "over a year": 1, NOT_STATED: 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("days", "band"),
    [(0, 0), (1, 1), (2, 2), (7, 2), (8, 3), (30, 3), (31, 4), (90, 4), (91, 5), (365, 5), (366, 6)],
)
def test_limits_of_the_delay_bands(tmp_path: Path, days: int, band: int) -> None:
    recorded = dt.date(2025, 1, 1) + dt.timedelta(days=days)
    found = counted(in_2025(facets_of(tmp_path, HEAD + row("2025-01-01", recorded.isoformat()))), "delay")
    assert [a for a, n in found.items() if n] == [DELAYS[band][0]]


@pytest.mark.slow
def test_answers_without_an_order_come_by_frequency(counts: pd.DataFrame) -> None:
    assert counted(counts, "place_type") == {"street": 4, "home": 1, NOT_STATED: 0}
    assert counted(counts, "aggravated") == {"yes": 1, "no": 2, NOT_STATED: 2}


@pytest.mark.slow
def test_outcomes_by_kind_leave_out_what_is_too_recent(facets: pd.DataFrame, counts: pd.DataFrame) -> None:
    found = counted(counts, "outcome")
    assert {a: n for a, n in found.items() if n} == {
        "Positive outcome": 2, "Under investigation or awaiting a decision": 1, TOO_RECENT: 1, NOT_STATED: 1
    }  # fmt: skip
    none = window_counts(facets, YEAR, region_code="R", mature_until=0)
    assert "outcome" not in set(none["question"])  # a flow links no outcome to its offence


def test_day_and_time_together_are_counted_for_the_region(counts: pd.DataFrame) -> None:
    assert counted(counts, "weekday_hour")["Wednesday, 00:00 to 02:59"] == 2
    assert counted(counts, "weekday_hour", area_code="B0") == {}


def test_organisations_and_categories_are_never_one_total(counts: pd.DataFrame) -> None:
    assert counted(counts, TOTAL) == {"met": 5}
    assert counted(counts, TOTAL, organisation="charity") == {"charity": 1}
    assert sum(counted(counts, "hour_band", category="race").values()) == 2
    assert counted(counts, "place_type", organisation="charity") == {}  # it states none


def test_every_question_adds_up_to_what_was_recorded(counts: pd.DataFrame) -> None:
    key = ["area_code", "category", "organisation"]
    totals = counts[counts["question"] == TOTAL].set_index(key)["incidents"]
    sums = counts.groupby([*key, "question"])["incidents"].sum().reset_index("question")
    assert (sums["incidents"] == totals.reindex(sums.index)).all()
    assert totals.loc[["R"]].xs("all", level="category").sum() == 6
    assert totals.loc[["B0", "B1"]].xs("all", level="category").sum() == 6


@pytest.mark.slow
def test_an_extract_without_these_columns_has_none(tmp_path: Path) -> None:
    found = in_2025(facets_of(tmp_path, "date,easting,northing,strand\n2025-01,530500,180500,race\n"))
    assert set(found["question"]) == {TOTAL, "online"}


def shown(*counts: int | None) -> pd.DataFrame:
    """Three answers, what is not stated, and the total, which comes last."""
    names = ["same day", "next day", "over a year", NOT_STATED, "met"]
    frame = pd.DataFrame({"answer": names, "incidents": pd.array(counts, dtype="Int64")})
    frame["question"] = [*["delay"] * 4, TOTAL]
    return frame.assign(area_code="R", category="all", organisation="met")


@pytest.mark.slow
def test_shares_are_of_what_states_an_answer_with_wilson_intervals() -> None:
    found = add_shares(shown(6, 3, 1, 5, 15))
    assert found["stated"].tolist()[:4] == [10, 10, 10, 10]
    assert found["share"].tolist()[:3] == [0.6, 0.3, 0.1]
    expected = scipy.stats.binomtest(6, 10).proportion_ci(method="wilson")
    assert found.loc[0, ["share_low", "share_high"]].tolist() == pytest.approx(list(expected))
    assert found.loc[[3, 4], "share"].isna().all()


def test_the_middle_incident() -> None:
    assert median_value(["a", "b", "c"], [1, 1, 8]) == "c"
    assert median_value(["a", "b", "c"], [5, 3, 2]) == "a"
    assert median_value(["a"], [0]) == ""


# Kinds of outcome, read from the texts of police data.


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Suspect charged", "positive"),
        ("Charge/Summons", "positive"),
        ("Offender given a caution", "positive"),
        ("Local resolution", "positive"),
        ("Investigation complete; no suspect identified", "no_suspect"),
        ("Unable to prosecute suspect", "evidential_difficulties"),
        ("Evidential difficulties: named suspect; victim does not support action", "victim_does_not_support"),
        ("Evidential difficulties: suspect identified; victim supports action", "evidential_difficulties"),
        ("Formal action is not in the public interest", "not_in_public_interest"),
        ("Under investigation", "pending"),
        ("Awaiting court outcome", "pending"),
        ("Action to be taken by another organisation", "other"),
        ("Suspect not charged", "other"),
        ("Offender died before proceedings", "other"),
        ("", "not_stated"),
    ],
)  # fmt: skip
def test_outcome_texts_of_the_home_office_and_police_uk(text: str, reason: str) -> None:
    assert kind_of_outcome(text) == reason
    assert kind_of_outcome(text, "positive") == "positive"
    assert kind_of_outcome(text, "pending") == "pending"


def test_what_the_configuration_calls_no_positive_outcome_is_none() -> None:
    assert kind_of_outcome("Suspect charged", "other") == "other"
    assert kind_of_outcome("Victim does not support", "other") == "victim_does_not_support"
