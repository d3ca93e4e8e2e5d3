"""Probable duplicates across organisations, repeat victims and places."""

import datetime as dt
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.aggregate.repeats import duplicate_summary, flagged, probable_duplicates, repeats, repeats_report
from pipeline.domain.periods import Period
from pipeline.errors import InputError
from pipeline.storage.files import read_columns
from tests.kit.readers import read, write

pytestmark = pytest.mark.slow

YEAR = Period.parse("2025-01..2025-12")
COLUMNS = ["organisation", "incident_id", "day", "categories", "easting_m", "northing_m", "ward_code", "borough_code"]


def frame(*rows: tuple[object, ...]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"easting_m": "float64", "northing_m": "float64"})
    return table.assign(occurred_on=[dt.date(2025, 1, 1) + dt.timedelta(days=int(d)) for d in table.pop("day")])


POINT = (530_010.0, 180_010.0, "W1", "B1")


def pairs(*rows: tuple[object, ...], **more: float) -> list[tuple[str, str, str, int]]:
    found = probable_duplicates(frame(*rows), **more)  # type: ignore[arg-type]
    return list(
        zip(found["incident_id_a"], found["incident_id_b"], found["precision"], found["days_apart"], strict=True)
    )


def test_within_seven_days_in_the_same_strand_and_place() -> None:
    met = ("met", "m", 10, "faith;racist", *POINT)
    near = (530_055.0, 180_010.0, "W1", "B1")
    assert pairs(met, ("cst", "c", 17, "faith", *near)) == [("c", "m", "point", 7)]
    assert pairs(met, ("cst", "c", 3, "faith", *POINT)) == [("c", "m", "point", 7)]
    assert pairs(met, ("cst", "c", 18, "faith", *POINT)) == []
    assert pairs(met, ("cst", "c", 10, "homophobic", *POINT)) == []
    assert pairs(met, ("cst", "c", 10, "", *POINT)) == []
    assert pairs(met, ("met", "c", 10, "faith", *POINT)) == []
    assert pairs(met, ("cst", "c", 10, "faith", 530_070.0, 180_010.0, "W1", "B1")) == []


def test_the_coarser_precision_decides() -> None:
    met = ("met", "m", 10, "faith", *POINT)
    assert pairs(met, ("cst", "c", 10, "faith", None, None, "W1", "B1")) == [("c", "m", "ward", 0)]
    assert pairs(met, ("cst", "c", 10, "faith", None, None, "W2", "B1")) == []
    assert pairs(met, ("cst", "c", 10, "faith", None, None, None, "B1")) == [("c", "m", "borough", 0)]
    assert pairs(met, ("cst", "c", 10, "faith", None, None, None, None)) == []


def test_records_without_a_strand_match_one_another_only() -> None:
    met = ("met", "x", 10, "", *POINT)
    assert pairs(met, ("cst", "x", 10, None, *POINT)) == [("x", "x", "point", 0)]
    assert pairs(met, ("cst", "x", 10, "faith", *POINT)) == []


def test_nothing_is_merged_only_flagged_and_counted() -> None:
    rows = frame(
        ("met", "1", 10, "faith", *POINT),
        ("met", "2", 12, "faith", *POINT),
        ("met", "3", 80, "faith", *POINT),
        ("cst", "1", 11, "faith", *POINT),
        ("btp", "9", 11, "faith", None, None, None, "B1"),
    )
    found = probable_duplicates(rows)
    assert flagged(rows, found).tolist() == [True, True, False, True, True]
    summary = duplicate_summary(found).set_index(["organisation_a", "organisation_b", "precision"])
    assert summary.loc[("cst", "met", "point")].tolist() == [2, 1, 2]
    assert summary.loc[("btp", "met", "borough")].tolist() == [2, 1, 2]
    assert len(rows) == 5
    assert duplicate_summary(probable_duplicates(rows.iloc[:3])).empty


@given(st.integers(0, 2**32 - 1), st.integers(0, 9), st.sampled_from([20.0, 50.0, 120.0]))
@settings(max_examples=25, deadline=None)
def test_the_join_misses_no_pair_and_makes_none_up(seed: int, days: int, metres: float) -> None:
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(40):
        point = rng.uniform(-200, 200, 2)
        place = [(*point, "W1", "B1"), (None, None, "W1", "B1"), (None, None, None, "B1")][rng.integers(3)]
        organisation, strand = str(rng.choice(["a", "b", "c"])), str(rng.choice(["x", "y", ""]))
        rows.append((organisation, str(i), int(rng.integers(0, 40)), strand, *place))
    expected = set()
    for one in rows:
        for other in rows:
            if one[0] >= other[0] or one[3] != other[3] or abs(one[2] - other[2]) > days:
                continue
            points = one[4] is not None and other[4] is not None
            wards = one[6] is not None and other[6] is not None
            if points and np.hypot(one[4] - other[4], one[5] - other[5]) > metres:
                continue
            expected.add(
                (one[1], other[1], "point" if points else "ward" if wards else "borough", abs(one[2] - other[2]))
            )
    assert set(pairs(*rows, days=days, same_place_m=metres)) == expected


def test_impossible_reaches_are_refused() -> None:
    with pytest.raises(InputError):
        probable_duplicates(frame(), days=-1)
    with pytest.raises(InputError):
        probable_duplicates(frame(), same_place_m=0)


def victims(*hashes: str | None) -> pd.DataFrame:
    return pd.DataFrame({"month": 202505, "victim_hash": hashes})


def test_repeat_victims_are_counted_where_a_reference_is_given() -> None:
    found = repeats(victims("a", "a", "a", "b", "b", "c", None), YEAR, by="victim")
    assert (found.incidents, found.identified, found.distinct, found.repeated) == (7, 6, 3, 2)
    assert (found.repeat_incidents, found.share) == (5, 5 / 6)
    expected = scipy.stats.binomtest(5, 6).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_no_identifier_says_so_and_none_leaves() -> None:
    bare = repeats(victims("a").drop(columns="victim_hash"), YEAR, by="victim")
    assert (bare.share, bare.note) == (None, "The extract identifies no victim.")
    assert repeats(victims(None, None), YEAR, by="victim").share is None
    assert "secret" not in repr(repeats(victims("secret", "secret"), YEAR, by="victim"))


def test_repeat_places_leave_out_what_has_no_place() -> None:
    rows = pd.DataFrame(
        [
            (202501, 1.2, 2.0, False, "point"),
            (202502, 0.9, 2.1, False, "point"),
            (202502, 1.0, 2.0, True, "point"),
            (202502, 1.0, 2.0, False, "outside"),
            (202502, 9.0, 9.0, False, "point"),
            (202401, 9.0, 9.0, False, "point"),
            (202502, None, None, False, "none"),
        ],
        columns=["month", "easting_m", "northing_m", "online", "place"],
    )
    found = repeats(rows, YEAR, by="place")
    assert (found.incidents, found.identified, found.distinct, found.repeated, found.repeat_incidents) == (
        6,
        3,
        2,
        1,
        2,
    )


def found_in(
    folder: Path,
    organisations: tuple[str, ...],
    *,
    rows: int = 5,
    placeholders: tuple[tuple[float, float, float], ...] = (),
) -> dict[str, Any]:
    text = "id,date,easting,northing,strand,organisation,victim\n" + ROWS
    columns = partial(read_columns, [read(write(folder, text)).part])
    return repeats_report(columns, organisations=organisations, rows=rows, last_month=202506, placeholders=placeholders)


ROWS = (
    "1,2025-06-02,530500,180500,race,police,V1\n"
    "2,2025-06-05,530520,180500,race,charity,V2\n"  # 20 m away and three days later: may be the first
    "3,2025-06-20,530500,180500,race,police,V1\n"  # the same victim and place again
    "4,2025-06,530500,180500,race,charity,\n"  # no day to compare
    "5,2024-06-30,530500,180500,race,police,V1\n"  # before the twelve months
)


def test_what_may_be_the_same_is_counted_for_the_quality_report(tmp_path: Path) -> None:
    found = found_in(tmp_path, ("charity", "police"))
    assert found["probable_duplicates"]["incidents_flagged"] == 2
    assert found["probable_duplicates"]["pairs"] == [
        {"organisation_a": "charity", "organisation_b": "police", "precision": "point", "pairs": 1, "records_a": 1,
         "records_b": 1}
    ]  # fmt: skip
    victim, place = found["repeats"]["victim"], found["repeats"]["place"]
    assert found["repeats"]["period"] == "2024-07..2025-06"
    assert (victim["identified"], victim["distinct"], victim["repeat_incidents"]) == (3, 2, 2)
    assert (place["identified"], place["distinct"], place["repeat_incidents"]) == (4, 2, 3)
    assert "V1" not in repr(found)


def test_one_organisation_and_no_place_are_said(tmp_path: Path) -> None:
    found = found_in(tmp_path, ("police",), placeholders=((530500.0, 180500.0, 1.0),))
    assert found["probable_duplicates"] == {"note": "one organisation recorded everything"}
    assert found["repeats"]["place"]["identified"] == 1
    assert "more than" in found_in(tmp_path, ("police",), rows=2_000_001)["repeats"]["note"]
