"""Levels at which nothing can be placed have no data; rows without any place count only where something says inside."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aggregate.coverage import levels_of_counts, levels_of_places, unplaced_inside, with_levels
from pipeline.config import parse_config
from pipeline.tables import Level, Place

NAMES = {"B0": "Northby", "B1": "Southby"}


def places(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Rows of source, borough, place, incidents, and whether they happened online."""
    full = [(*row, False)[:5] for row in rows]
    return pd.DataFrame(full, columns=["source", "borough_code", "place", "incidents", "online"])


def sources(**inside: bool | None) -> Sequence[Any]:
    config = parse_config(
        {
            "areas": {"wards": {"path": "wards.gpkg"}},
            "incidents": [
                {"name": name, "paths": ["*.csv"], **({} if value is None else {"all_inside": value})}
                for name, value in inside.items()
            ],
        }
    )
    return config.incidents


@pytest.mark.parametrize(
    ("rows", "gone"),
    [
        pytest.param([("police/a.csv", "", "none", 260)], {"ward", "borough"}, id="nothing named"),
        pytest.param([("police/a.csv", "B0", "borough", 260)], {"ward"}, id="boroughs named"),
        pytest.param([("police/a.csv", "B0", "area", 260)], set(), id="wards named"),
        pytest.param([("police/a.csv", "B0", "point", 1), ("police/a.csv", "B0", "borough", 60)], set(), id="2 %"),
        pytest.param(
            [("police/a.csv", "B0", "point", 3), ("police/a.csv", "B0", "borough", 5000)], {"ward"}, id="3 of"
        ),
        pytest.param(
            [("police/a.csv", "B0", "borough", 90, True), ("police/a.csv", "B0", "point", 1)], set(), id="online"
        ),
        pytest.param([("police/a.csv", "B0", "borough", 90, True)], {"ward"}, id="online alone"),
        pytest.param([("police/a.csv", "", "outside", 90), ("police/a.csv", "B0", "point", 1)], set(), id="outside"),
    ],
)
def test_a_level_without_a_placed_row_has_no_data(rows: list[tuple[Any, ...]], gone: set[str]) -> None:
    found = levels_of_places(places(*rows), names=NAMES)
    assert set(found.no_data) == gone
    assert len(found.notes) == len(gone)
    assert all("police" in reason for reason in found.no_data.values())


def test_a_source_that_names_no_ward_beside_one_that_does_is_named() -> None:
    found = levels_of_places(
        places(("police/a.csv", "B0", "point", 5000), ("helpline/b.csv", "B0", "borough", 50)), names=NAMES
    )
    assert found.no_data == {}
    [caution] = found.cautions
    assert "hold nothing of helpline (50 of 5,050 incidents)" in caution
    assert found.quality["wards"]["by_source"]["helpline"] == {"incidents": 50, "placed": 0}


@pytest.mark.parametrize(("number", "without"), [(72, ["B1"]), (10, ["B1"]), (9, [])])
def test_wards_of_a_borough_whose_rows_name_it_alone_have_no_data(number: int, without: list[str]) -> None:
    found = levels_of_places(
        places(("police/a.csv", "B0", "point", 188), ("police/a.csv", "B1", "borough", number)), names=NAMES
    )
    assert found.no_data == {}
    assert sorted(found.wards_without) == without


def test_a_borough_without_a_ward_by_chance_keeps_its_zeros() -> None:
    # Four of ten rows have a ward: none of ten has one by chance in 6 of 1,000 boroughs.
    found = levels_of_places(
        places(
            ("police/a.csv", "B0", "point", 400),
            ("police/a.csv", "B0", "borough", 600),
            ("police/a.csv", "B1", "borough", 10),
        ),
        names=NAMES,
    )
    assert found.wards_without == {}


def test_areas_of_a_level_without_data_are_not_covered() -> None:
    areas = pd.DataFrame(
        {
            "area_code": ["R", "B0", "B1", "W0", "W1"],
            "level": ["region", "borough", "borough", "ward", "ward"],
            "parent_code": [None, "R", "R", "B0", "B1"],
            "covered": [True, True, False, True, False],
        }
    )
    only = levels_of_places(places(("police/a.csv", "B0", "borough", 260)), names=NAMES)
    assert with_levels(areas, only)["covered"].tolist() == [True, True, False, False, False]
    counts = levels_of_counts(pd.DataFrame({"level": ["ward"]}), summed={}, source="mps")
    assert with_levels(areas, counts)["covered"].tolist() == [True, False, False, True, False]


@pytest.mark.parametrize(
    ("found", "setting", "right"),
    [
        pytest.param({"none": 260}, None, True, id="no place at all"),
        pytest.param({"none": 10, "point": 100}, None, True, id="all others inside"),
        pytest.param({"none": 10, "point": 98, "outside": 2}, None, True, id="2 % outside"),
        pytest.param({"none": 10, "point": 97, "outside": 3}, None, False, id="3 % outside"),
        pytest.param({"none": 10, "point": 97, "not_covered": 3}, None, False, id="in areas not covered"),
        pytest.param({"none": 10, "borough": 97, "outside": 1}, None, True, id="boroughs named"),
        pytest.param({"none": 10, "point": 27, "outside": 73}, True, True, id="the setting says inside"),
        pytest.param({"none": 10, "point": 100}, False, False, id="the setting says nothing is known"),
    ],
)
def test_rows_without_a_place_count_only_where_something_says_inside(
    found: dict[str, int],
    setting: bool | None,  # noqa: FBT001
    right: bool,  # noqa: FBT001
) -> None:
    assert unplaced_inside([("police/a.csv", found)], sources(police=setting)) == {"police": right}


@given(st.lists(st.dictionaries(st.sampled_from(list(Place)), st.integers(0, 50)), min_size=1, max_size=6))
def test_how_a_source_is_split_into_files_changes_nothing(parts: list[dict[str, int]]) -> None:
    whole: dict[str, int] = {}
    for part in parts:
        for place, number in part.items():
            whole[place] = whole.get(place, 0) + number
    split = unplaced_inside([(f"police/{n}.csv", part) for n, part in enumerate(parts)], sources(police=None))
    assert split == unplaced_inside([("police/all.csv", whole)], sources(police=None))


def test_levels_are_the_words_of_the_tables() -> None:
    found = levels_of_places(places(("police/a.csv", "", "none", 1)), names=NAMES)
    assert set(found.no_data) == {Level.WARD, Level.BOROUGH}
