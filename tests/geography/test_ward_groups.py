"""Groups of wards: a partition by residents and borders alone, on made-up cities and on the wards of London."""

from collections import Counter
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial import KDTree

from pipeline.errors import InputError
from pipeline.geography.ward_groups import add_groups, group_borough, group_wards, with_ward_groups

LONDON = "boundaries/london_wards_WD25_bestfit_from_LSOA21.gpkg"
PEOPLE = "population/london_WD25_population_census2021_bestfit.csv"


def cells(seed: int, n: int) -> np.ndarray:
    """Voronoi cells of random points in a 10 km square: an exact coverage."""
    points = shapely.multipoints(np.random.default_rng(seed).uniform(0, 10_000, (n, 2)))
    parts = shapely.get_parts(shapely.voronoi_polygons(points))
    return np.array([c.intersection(shapely.box(0, 0, 10_000, 10_000)) for c in parts], dtype=object)


def table(shapes: np.ndarray, people: list[int | None], *, parents: list[str] | None = None) -> gpd.GeoDataFrame:
    """Make table `areas` of wards W00, W01, ..."""
    n = len(shapes)
    return gpd.GeoDataFrame(
        {
            "area_code": [f"W{i:02d}" for i in range(n)],
            "level": "ward",
            "name": [f"Ward {i:02d}" for i in range(n)],
            "parent_code": parents or ["B"] * n,
            "population": pd.array(people, dtype="Int64"),
            "population_year": pd.array([2021] * n, dtype="Int64"),
            "vintage": "2025",
            "area_km2": shapely.area(shapes) / 1e6,
            "covered": True,
        },
        geometry=shapes,
        crs="EPSG:27700",
    )


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(8, 40), known=st.booleans())
def test_a_borough_is_divided_into_connected_groups_of_three_median_wards_at_least(
    seed: int, n: int, *, known: bool
) -> None:
    shapes = cells(seed, n)
    # Boundaries less than a metre apart count as one: borders that short are no borders.
    corners = np.unique(shapely.get_coordinates(shapes).round(6), axis=0)
    assume(not KDTree(corners).query_pairs(2.0))
    draw = np.random.default_rng(seed + 1)
    people = draw.integers(4_000, 20_000, n).astype(float) if known else np.full(n, np.nan)
    codes = [f"W{i:02d}" for i in range(n)]
    groups = group_borough(codes, population=people, shapes=shapes)
    # Every ward is in exactly one group.
    assert sorted(code for group in groups for code in group) == codes
    assert groups == sorted(groups)
    assert all(group == tuple(sorted(group)) for group in groups)
    # No group is left under the target.
    weight = dict(zip(codes, people if known else np.ones(n), strict=True))
    target = 3 * np.median(list(weight.values()))
    assert all(sum(weight[c] for c in group) >= target for group in groups)
    # A group is one piece of land: no part hangs by a point.
    assert all(shapely.union_all(shapes[[codes.index(c) for c in group]]).geom_type == "Polygon" for group in groups)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(8, 30))
def test_the_order_of_the_wards_does_not_matter(seed: int, n: int) -> None:
    draw = np.random.default_rng(seed)
    shapes, codes = cells(seed, n), np.array([f"W{i:02d}" for i in range(n)])
    people = draw.integers(1, 4, n) * 5_000.0  # many ties
    turn = draw.permutation(n)
    assert group_borough(codes, population=people, shapes=shapes) == group_borough(
        codes[turn], population=people[turn], shapes=shapes[turn]
    )


def test_islands_join_the_nearest_and_corners_do_not_connect() -> None:
    # Two rows of four squares that meet at one corner only, and an island off the first.
    first = [shapely.box(x, 0, x + 100, 100) for x in (0, 100, 200, 300)]
    second = [shapely.box(x, 100, x + 100, 200) for x in (400, 500, 600, 700)]
    island = shapely.box(-400, 0, -300, 100)
    groups = group_borough(
        list("ABCDEFGHI"), population=[100] * 9, shapes=np.array([*first, *second, island], dtype=object)
    )
    # A joins B, C joins D, E joins F, G joins H. I touches nobody and joins AB, the nearest. CD has too few: its only
    # neighbour is ABI, since D meets E in a point alone. EF joins GH.
    assert groups == [("A", "B", "C", "D", "I"), ("E", "F", "G", "H")]


def test_a_small_borough_is_one_group() -> None:
    shapes = np.array([shapely.box(x, 0, x + 100, 100) for x in range(0, 700, 100)], dtype=object)
    assert group_borough(list("ABCDEFG"), population=[100] * 7, shapes=shapes) == [tuple("ABCDEFG")]
    assert group_borough(["A"], population=[100], shapes=shapes[:1]) == [("A",)]
    assert group_borough([], population=[], shapes=shapes[:0]) == []


def test_groups_stay_in_their_borough_and_do_not_depend_on_the_others() -> None:
    shapes = cells(3, 40)
    parents = ["A" if shapely.centroid(s).x < 5_000 else "B" for s in shapes]
    areas = table(shapes, list(range(5_000, 9_000, 100)), parents=parents)
    every = group_wards(areas)
    home = dict(zip(areas["area_code"], areas["parent_code"], strict=True))
    assert list(every) == sorted(home)
    assert all(len({home[w] for w, g in every.items() if g == group}) == 1 for group in set(every.values()))
    alone = group_wards(areas[areas["parent_code"] == "A"])
    assert alone == {w: g for w, g in every.items() if home[w] == "A"}


def test_a_group_is_named_after_its_largest_ward_and_holds_what_its_wards_hold() -> None:
    shapes = np.array([shapely.box(x, 0, x + 1000, 1000) for x in range(0, 4000, 1000)], dtype=object)
    areas = table(shapes, [100, 300, 200, None])
    group_of = dict.fromkeys(areas["area_code"][:3], "G-W00") | {"W03": "G-W03"}
    made = groups_of(areas, group_of).set_index("area_code")
    assert made["name"].tolist() == ["Ward 01 and two neighbours", "Ward 03"]
    assert made.loc["G-W00", "population"] == 600
    assert pd.isna(made.loc["G-W03", "population"])
    assert made.loc["G-W00", "area_km2"] == 3.0
    assert made.loc["G-W00", "parent_code"] == "B"
    assert (made["level"] == "ward_group").all()
    assert made.geometry["G-W00"].equals(shapely.box(0, 0, 3000, 1000))
    assert list(made.reset_index().dtypes.drop("geometry")) == list(areas.dtypes.drop("geometry"))
    pair = groups_of(areas.iloc[:2], dict.fromkeys(areas["area_code"][:2], "G-W00"))
    assert pair["name"].tolist() == ["Ward 01 and one neighbour"]


def test_a_group_is_covered_where_all_of_its_wards_are() -> None:
    areas = table(cells(1, 8), [100] * 8)
    areas.loc[0, "covered"] = False
    group_of = group_wards(areas)
    made = groups_of(areas, group_of).set_index("area_code")["covered"]
    assert not made[group_of["W00"]]
    assert made.drop(group_of["W00"]).all()


def test_a_code_that_is_taken_is_refused() -> None:
    areas = table(cells(1, 8), [100] * 8)
    areas.loc[8] = areas.loc[0]
    areas.loc[8, ["area_code", "level"]] = ["G-W00", "borough"]
    with pytest.raises(InputError, match="G-W00"):
        group_wards(areas)


def test_sums_of_wards_are_unknown_where_a_ward_is() -> None:
    months = pd.DataFrame(
        {
            "area_code": ["W1", "W2", "W1", "W2", "B"],
            "level": ["ward"] * 4 + ["borough"],
            "month": [202401, 202401, 202402, 202402, 202401],
            "category": "all",
            "incidents": pd.array([3, 4, 1, None, 9], dtype="Int64"),
            "incidents_unplaced": pd.array([None, None, None, None, 2], dtype="Int64"),
        }
    )
    made = add_groups(months, {"W1": "G-W1", "W2": "G-W1"}, keys=("month", "category"), sums=("incidents",))
    assert made.iloc[:5].equals(months)
    groups = made.iloc[5:]
    assert groups["level"].tolist() == ["ward_group"] * 2
    assert groups["incidents"].tolist() == [7, pd.NA]
    assert groups["incidents_unplaced"].isna().all()
    assert made["incidents"].dtype == "Int64"


def groups_of(areas: gpd.GeoDataFrame, group_of: dict[str, str]) -> gpd.GeoDataFrame:
    """Return the groups alone."""
    made = with_ward_groups(areas, group_of)
    return made[made["level"] == "ward_group"]


def london(real_data: Path) -> gpd.GeoDataFrame:
    """Return London's wards of 2025 with their residents as table `areas`."""
    read = gpd.read_file(real_data / LONDON).to_crs("EPSG:27700")
    people = pd.read_csv(real_data / PEOPLE).set_index("WD25CD")["pop_2021"]
    shapes = read.geometry.to_numpy()
    made = table(shapes, [int(people[c]) for c in read["WD25CD"]], parents=list(read["LAD25CD"]))
    return made.assign(area_code=read["WD25CD"], name=read["WD25NM"])


def test_london_has_groups_of_four_or_five(real_data: Path) -> None:
    areas = london(real_data)
    group_of = group_wards(areas)
    made = groups_of(areas, group_of)
    assert sorted(group_of) == sorted(areas["area_code"])
    sizes = Counter(group_of.values())
    assert 4.0 <= len(group_of) / len(sizes) <= 5.0
    assert sum(3 <= n <= 7 for n in sizes.values()) >= 0.9 * len(sizes)
    assert max(sizes.values()) <= 10
    # The groups cover what the wards cover, without overlap.
    assert made["area_km2"].sum() == pytest.approx(areas["area_km2"].sum())
    assert shapely.area(shapely.union_all(made.geometry)) == pytest.approx(shapely.area(areas.geometry).sum(), rel=1e-6)
    assert made["population"].sum() == areas["population"].sum()
    # Nobody is left under three times the median ward of the borough, but where the borough itself is one group.
    median = areas.groupby("parent_code")["population"].median()
    whole = made.groupby("parent_code")["area_code"].transform("size") == 1
    assert (whole | (made["population"] >= 3 * made["parent_code"].map(median))).all()
