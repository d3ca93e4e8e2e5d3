"""The ladder from wards over groups of wards to boroughs: hand-worked shares and what earlier releases show."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from pipeline.release.detail import (
    ENOUGH,
    choose_detail,
    kept_detail,
    not_offered_by_detail,
    shares_with_number,
    utility,
)
from pipeline.tables import Level

WARD, GROUP, BOROUGH = Level.WARD, Level.WARD_GROUP, Level.BOROUGH


def shares(ward: float, group: float) -> dict[str, dict[str, float]]:
    return {"ward": {"c": ward}, "ward_group": {"c": group}}


def chosen(partner: Any, public: Any, kept: Any = None) -> tuple[Level, Level]:
    found = choose_detail({5: partner, 10: public}, parents={"c": None}, kept=kept or {})
    return found[5]["c"], found[10]["c"]


@pytest.mark.parametrize(
    ("partner", "public", "expected"),
    [
        (shares(0.9, 1.0), shares(0.5, 0.9), (WARD, WARD)),
        (shares(0.9, 1.0), shares(0.2, 0.9), (WARD, BOROUGH)),  # never groups beside wards
        (shares(0.2, 0.6), shares(0.1, 0.5), (GROUP, GROUP)),
        (shares(0.2, 0.6), shares(0.1, 0.2), (GROUP, BOROUGH)),
        (shares(0.1, 0.2), shares(0.0, 0.1), (BOROUGH, BOROUGH)),
        (shares(0.33, 0.6), shares(0.33, 0.6), (WARD, WARD)),  # a third is enough
        (shares(0.3299, 0.33), shares(0.1, 0.3299), (GROUP, BOROUGH)),
        ({}, {}, (WARD, WARD)),  # no data at all: nothing is gained by another level
    ],
)
def test_the_ladder(partner: Any, public: Any, expected: tuple[Level, Level]) -> None:
    assert ENOUGH == 0.33
    assert chosen(partner, public) == expected


@pytest.mark.parametrize("level", [WARD, GROUP, BOROUGH])
def test_what_was_chosen_stays(level: Level) -> None:
    # The public had this level; by today's shares both would have another.
    kept = {10: {"c": level}}
    assert chosen(shares(0.9, 1.0), shares(0.9, 1.0), kept)[1] == level
    assert chosen(shares(0.0, 0.0), shares(0.0, 0.0), kept)[1] == level


def test_a_closer_audience_that_comes_later_has_what_the_wider_one_has() -> None:
    assert chosen(shares(0.9, 1.0), shares(0.9, 1.0), {10: {"c": GROUP}}) == (GROUP, GROUP)
    assert chosen(shares(0.0, 0.0), shares(0.0, 0.0), {10: {"c": WARD}}) == (WARD, WARD)
    assert chosen(shares(0.0, 0.9), shares(0.9, 0.9), {10: {"c": BOROUGH}}) == (GROUP, BOROUGH)


def test_a_wider_audience_never_has_more() -> None:
    assert chosen(shares(0.9, 1.0), shares(0.9, 1.0), {5: {"c": BOROUGH}}) == (BOROUGH, BOROUGH)
    assert chosen(shares(0.9, 1.0), shares(0.9, 1.0), {5: {"c": GROUP}}) == (GROUP, GROUP)


def test_a_part_has_no_more_detail_than_the_whole() -> None:
    found = choose_detail(
        {5: {"ward": {"faith": 0.2, "islamophobic": 0.5}, "ward_group": {"faith": 0.5, "islamophobic": 0.2}}},
        parents={"faith": None, "islamophobic": "faith"},
        kept={},
    )
    assert found == {5: {"faith": GROUP, "islamophobic": GROUP}}


def test_a_share_is_of_the_areas_with_data() -> None:
    counts = pd.DataFrame(
        {
            "area_code": list("ABCD"),
            "level": ["ward", "ward", "ward", "ward_group"],
            "category": "all",
            "incidents": pd.array([4, 5, None, 9], dtype="Int64"),
        }
    )
    assert shares_with_number(counts, step=5) == {"ward": {"all": 0.5}, "ward_group": {"all": 1.0}}
    assert shares_with_number(counts, step=10) == {"ward": {"all": 0.0}, "ward_group": {"all": 0.0}}


def earlier(threshold: int, rows: list[tuple[str, str, str, Any]]) -> Any:
    cells = pd.DataFrame(rows, columns=["area_code", "level", "category", "high"]).assign(measure="incidents", low=0)
    return SimpleNamespace(threshold=threshold, cells=cells.astype({"high": "Int64"}))


def test_detail_is_read_from_what_earlier_releases_show() -> None:
    release = earlier(
        10,
        [
            ("B", "borough", "race", 29),
            ("W1", "ward", "race", 9),
            ("B", "borough", "faith", 29),
            ("W1", "ward", "faith", None),
            ("G-W1", "ward_group", "faith", 19),
            ("B", "borough", "rare", 9),
            ("W1", "ward", "rare", None),
            ("G-W1", "ward_group", "rare", None),
        ],
    )
    assert kept_detail([release], wards=["W1", "W2"]) == {10: {"race": WARD, "faith": GROUP, "rare": BOROUGH}}
    assert kept_detail([release], wards=["W2"]) == {}  # another edition of wards starts afresh


def test_wards_and_groups_exclude_each_other() -> None:
    rows = pd.DataFrame(
        [(level, c) for level in Level for c in ("ward", "ward_group", "borough")], columns=["level", "category"]
    )
    refused = not_offered_by_detail(rows, {level.value: level for level in (WARD, GROUP, BOROUGH)})
    given = rows[~refused].groupby("category")["level"].agg(set).to_dict()
    assert given == {
        "ward": {"region", "borough", "ward"},
        "ward_group": {"region", "borough", "ward_group"},
        "borough": {"region", "borough"},
    }


def test_utility_counts_areas_with_a_number() -> None:
    counts = pd.DataFrame(
        [
            ("ward", "all", "p", 0, 9, ""),  # fewer than 10
            ("ward", "all", "p", 20, 29, ""),
            ("ward", "all", "p", None, None, "incidents;rate_per_10000"),  # not offered for want of room
            ("ward", "all", "p", None, None, ""),  # no data
            ("ward", "rare", "p", None, None, "incidents"),
            ("ward", "exact", "p", 0, 0, ""),  # an exact zero, where counts are suppressed
        ],
        columns=["level", "category", "period", "incidents_lower", "incidents_upper", "not_offered"],
    )
    assert utility(counts) == {
        "ward": {
            "all": {"p": {"areas": 3, "with_number": 1, "pct": 33.3}},
            "exact": {"p": {"areas": 1, "with_number": 1, "pct": 100.0}},
        }
    }
