"""Sums of boroughs, their residents and denominators where the data covers only a part."""

import geopandas as gpd
import pandas as pd
import shapely

from pipeline.geography.levels_above import LevelsAbove

COLUMNS = ["area_code", "level", "name", "parent_code", "population", "population_year", "area_km2", "covered"]


def table(*rows: tuple) -> gpd.GeoDataFrame:
    frame = pd.DataFrame(rows, columns=COLUMNS).assign(vintage=None)
    frame[["population", "population_year"]] = frame[["population", "population_year"]].astype("Int64")
    return gpd.GeoDataFrame(frame, geometry=[shapely.box(0, 0, 1000, 1000)] * len(frame), crs="EPSG:27700")


AREAS = table(
    ("R", "region", "R", None, None, None, 9.0, True),
    ("B1", "borough", "B1", "R", 100, 2021, 2.0, True),
    ("B2", "borough", "B2", "R", 50, 2021, 3.0, True),
    ("B3", "borough", "B3", "R", 70, 2021, 4.0, False),
    ("W1", "ward", "W1", "B1", 60, 2021, 1.0, True),
    ("W2", "ward", "W2", "B1", 40, 2021, 1.0, True),
    ("W3", "ward", "W3", "B2", 50, 2021, 3.0, True),
    ("W4", "ward", "W4", "B3", 70, 2021, 4.0, False),
)
ABOVE = LevelsAbove(
    table(
        ("X", "level_4", "X", "R", 1000, 2011, 9.0, True),
        ("A", "level_3", "A", "X", 151, 2011, 5.0, True),
        ("Z", "level_3", "Z", "X", None, None, 4.0, True),
    ),
    {"level_3": {"B1": "A", "B2": "A", "B3": "Z"}, "level_4": {"B1": "X", "B2": "X", "B3": "X"}},
)


def test_residents_and_ground_are_those_of_the_covered_part() -> None:
    found = ABOVE.settled(AREAS).areas.set_index("area_code")
    assert found["covered"].to_dict() == {"X": True, "A": True, "Z": False}
    # A is covered whole and keeps the figure of the file; X leaves out B3, and so do its residents and its area.
    assert found["population"].to_dict() == {"X": 150, "A": 151, "Z": 70}
    assert found["population_year"].to_dict() == {"X": 2021, "A": 2011, "Z": 2021}
    assert found["area_km2"].to_dict() == {"X": 5.0, "A": 5.0, "Z": 4.0}
    unknown = AREAS.assign(population=AREAS["population"].mask(AREAS["area_code"] == "B2"))
    assert pd.isna(ABOVE.settled(unknown).areas.set_index("area_code").loc["X", "population"])


def test_levels_lie_between_the_region_and_the_boroughs() -> None:
    levels = ABOVE.with_areas(AREAS)["level"].tolist()
    assert list(dict.fromkeys(levels)) == ["region", "level_4", "level_3", "borough", "ward"]


def test_counts_are_sums_and_unknown_where_a_part_is() -> None:
    rows = pd.DataFrame(
        {
            "area_code": ["B1", "B2", "B1", "B2", "W1"],
            "level": ["borough"] * 4 + ["ward"],
            "month": [202401, 202401, 202402, 202402, 202401],
            "category": "all",
            "incidents": pd.array([3, 4, 5, None, 2], dtype="Int64"),
            "incidents_unplaced": pd.array([1, 0, 0, 0, 0], dtype="Int64"),
        }
    )
    found = ABOVE.with_sums(rows, keys=("month", "category"))
    assert found.iloc[: len(rows)].equals(rows)
    made = found.iloc[len(rows) :].set_index(["level", "area_code", "month"])
    assert made.loc[("level_3", "A", 202401), ["incidents", "incidents_unplaced"]].tolist() == [7, 1]
    assert pd.isna(made.loc[("level_4", "X", 202402), "incidents"])


def test_denominators_of_a_category_are_summed_from_the_smallest_areas() -> None:
    people = pd.DataFrame(
        {
            "area_code": ["W1", "W2", "W3", "B2"],
            "category": "burglary",
            "measure": "dwellings",
            "population": pd.array([10, 20, 30, 31], dtype="Int64"),
            "population_year": 2021,
        }
    )
    found = ABOVE.with_people(people, areas=AREAS).set_index("area_code")["population"]
    # B2 has a figure of its own, which counts in place of the sum of its wards.
    assert found.to_dict() == {"W1": 10, "W2": 20, "W3": 30, "B2": 31, "A": 61, "X": 61}
