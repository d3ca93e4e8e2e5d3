"""Gi* and local Moran: scores by hand, permutations, and what unusable input gives."""

import numpy as np
import pandas as pd
import pytest
import scipy
import shapely

from pipeline.detect.gistar import (
    QUADRANTS,
    HotspotClass,
    MoranClass,
    analysis_cells,
    gistar,
    local_moran,
    standardised_rates,
)
from pipeline.errors import InputError
from pipeline.geography.grid import Grid, HexGrid
from pipeline.geography.neighbours import contiguity, from_pairs, lattice

GRID = lattice(np.ones((12, 12), dtype=bool))


def block(high: float = 9.0) -> np.ndarray:
    """A 12 x 12 field of small noise with a 3 x 3 block of high values at rows 4-6, columns 4-6."""
    values = np.random.default_rng(0).poisson(1.0, (12, 12)).astype(float)
    values[4:7, 4:7] = high
    return values.ravel()


def test_one_peak_has_the_z_worked_by_hand() -> None:
    # 60 cells in a row, one incident in cell 30. mean 1/60, variance 1/60 - 1/3600 = 59/3600.
    # Cells 29, 30, 31 each sum 1 over W = 3 cells: numerator 1 - 3/60 = 0.95;
    # denominator sqrt(59)/60 x sqrt((60 x 3 - 9) / 59) = sqrt(171)/60 = 0.217945; z = 4.358899.
    # All other inner cells sum 0: z = -0.05 / 0.217945 = -0.229416. The two ends have W = 2:
    # -(2/60) / (sqrt(120 - 4)/60) = -2 / sqrt(116) = -0.185695.
    values = np.zeros(60)
    values[30] = 1
    result = gistar(values, weights=lattice(np.ones((1, 60))), family="a row", inference="analytic")
    expected = np.full(60, -0.229416)
    expected[29:32] = 4.358899
    expected[[0, 59]] = -0.185695
    np.testing.assert_allclose(result.z, expected, atol=1e-6)
    np.testing.assert_allclose(result.p, 2 * scipy.stats.norm.sf(np.abs(expected)), rtol=1e-5)


def test_a_block_is_hot_and_the_family_is_stated() -> None:
    result = gistar(block(), weights=GRID, family="cells, all, 2024")
    hot = result.hotspot_class.reshape(12, 12)
    assert (hot[4:7, 4:7] > 0).sum() >= 7
    assert hot[5, 5] == 3
    assert (hot[[0, 1, 2, 8, 9, 10, 11]] == 0).all()
    assert str(result.family) == "cells, all, 2024 (144 tests)"
    assert result.inference == "99,999 conditional permutations, seed 0"
    assert result.measure == "counts"
    assert (result.q >= result.p).all()


def test_classes_follow_the_adjusted_p_and_the_sign() -> None:
    result = gistar(block(), weights=GRID, family="x", inference="analytic")
    steps = (result.q <= 0.1).astype(int) + (result.q <= 0.05) + (result.q <= 0.01)
    np.testing.assert_array_equal(result.hotspot_class, np.sign(result.z) * steps)


def test_a_cold_block_is_cold() -> None:
    values = np.random.default_rng(0).poisson(20, (12, 12)).astype(float)
    values[3:8, 3:8] = 0
    result = gistar(values.ravel(), weights=GRID, family="x")
    assert result.hotspot_class.reshape(12, 12)[5, 5] == -3
    assert HotspotClass(result.hotspot_class[5 * 12 + 5]) is HotspotClass.COLD_99


@pytest.mark.parametrize("at_one_place", [1, 10])
@pytest.mark.parametrize("inference", ["permutation"])
def test_one_address_alone_is_no_hotspot(at_one_place: int, inference: str) -> None:
    values = np.zeros(900)
    values[465] = at_one_place
    result = gistar(values, weights=lattice(np.ones((30, 30))), family="x", inference=inference)
    assert (result.hotspot_class == 0).all()


def test_a_peak_among_empty_neighbours_is_not_called_hot() -> None:
    # The peak raises its own z, while its neighbours hold less than chance would give them.
    values = np.random.default_rng(3).poisson(8, (12, 12)).astype(float)
    values[3:8, 3:8] = 0
    values[5, 5] = 300
    result = gistar(values.ravel(), weights=GRID, family="x")
    centre = 5 * 12 + 5
    assert result.z[centre] > 2
    assert result.hotspot_class[centre] == 0


@pytest.mark.slow
def test_rates_are_tested_where_there_is_a_population() -> None:
    rng = np.random.default_rng(5)
    people = rng.integers(1_000, 20_000, 144).astype(float)
    by_people = rng.poisson(people / 1_000)  # counts follow residents: nothing to find
    result = gistar(by_people, weights=GRID, family="x", population=people)
    assert result.measure == "empirical-Bayes standardised rates"
    assert (np.abs(result.hotspot_class) == 3).sum() == 0
    assert not any("no population was given" in n for n in result.notes)
    assert any("no population was given" in n for n in gistar(by_people, weights=GRID, family="x").notes)


@pytest.mark.slow
def test_areas_without_residents_or_cover_take_no_part() -> None:
    people = np.full(144, 5_000.0)
    people[[0, 1]] = [0, np.nan]
    counts = block()
    covered = np.ones(144, dtype=bool)
    covered[2] = False
    counts_with_gap = counts.copy()
    counts_with_gap[2] = np.nan
    result = gistar(counts_with_gap, weights=GRID, family="x", population=people, covered=covered)
    assert result.defined.tolist() == [False] * 3 + [True] * 141
    assert result.family.tests == 141
    assert any("1 units are not covered" in n for n in result.notes)
    assert any("2 units without residents" in n and f"{counts[0] + counts[1]:.0f} incidents" in n for n in result.notes)
    without = np.flatnonzero(result.defined)
    alone = gistar(counts[without], weights=GRID.subset(result.defined), family="x", population=people[without])
    np.testing.assert_array_equal(alone.z, result.z[without])


@pytest.mark.parametrize("population", [None, np.full(144, 100.0)])
@pytest.mark.parametrize("value", [0.0, 4.0])
def test_equal_values_give_a_stated_nothing(value: float, population: np.ndarray | None) -> None:
    result = gistar(np.full(144, value), weights=GRID, family="x", population=population)
    assert not result.defined.any()
    assert (result.z == 0).all()
    assert (result.p == 1).all()
    assert any("same value" in n for n in result.notes)
    assert result.frame().isna().all(axis=None)


def test_islands_are_named_and_left_null() -> None:
    pairs = np.arange(59)
    weights = from_pairs(pairs, pairs + 1, n=61, rule="a row and an island")
    result = gistar(np.arange(61.0), weights=weights, family="x")
    assert result.defined.tolist() == [True] * 60 + [False]
    assert "1 units have no neighbours and were not tested." in result.notes
    frame = result.frame()
    assert frame.iloc[60].isna().all()
    assert frame.iloc[:60].notna().all(axis=None)
    assert frame.dtypes.astype(str).tolist() == ["Float64", "Float64", "Float64", "Int8"]


def test_all_areas_without_neighbours_is_stated() -> None:
    weights = from_pairs([], [], n=60, rule="none")
    result = gistar(np.arange(60.0), weights=weights, family="x")
    assert not result.defined.any()
    assert result.family.tests == 0


def test_a_unit_that_neighbours_all_others_has_no_score() -> None:
    weights = from_pairs(np.zeros(59, dtype=int), np.arange(1, 60), n=60, rule="star")
    result = gistar(np.arange(60.0), weights=weights, family="x", inference="analytic")
    assert result.defined.tolist() == [False] + [True] * 59
    assert np.isfinite(result.z).all()


def test_thirty_three_boroughs_are_too_few() -> None:
    result = gistar(np.arange(33.0), weights=lattice(np.ones((3, 11))), family="boroughs")
    assert not result.defined.any()
    assert result.notes[-1].endswith("there are 33.")
    assert (result.hotspot_class == 0).all()


def test_few_permutations_say_what_they_cannot_reach() -> None:
    few = gistar(block(), weights=GRID, family="x", permutations=999)
    assert any("holds 20% of all units" in n for n in few.notes)
    assert (np.abs(few.hotspot_class) < 3).all()
    assert not any("of all units" in n for n in gistar(block(), weights=GRID, family="x").notes)


def test_the_same_seed_gives_the_same_result() -> None:
    one, two = (gistar(block(), weights=GRID, family="x", permutations=499, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one.p, two.p)


def test_the_callers_arrays_stay_as_they_were() -> None:
    counts, people, covered = block(), np.full(144, 10.0), np.ones(144, dtype=bool)
    people[0] = 0
    gistar(counts, weights=GRID, family="x", population=people, covered=covered, permutations=9)
    assert covered.all()
    assert people[0] == 0
    np.testing.assert_array_equal(counts, block())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"counts": [1.0]}, "one count"),
        ({"population": [1.0]}, "one count, population"),
        ({"counts": np.full(144, np.nan)}, "has no count"),
        ({"inference": "bayes"}, "permutation or analytic"),
        ({"counts": -np.ones(144), "population": np.ones(144)}, "zero or more"),
    ],
)
def test_bad_input_is_one_clear_error(arguments: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        gistar(**({"counts": block(), "weights": GRID, "family": "x"} | arguments))


def test_standardised_rates_refuse_areas_without_people() -> None:
    with pytest.raises(InputError, match="population above zero"):
        standardised_rates([1, 2], population=[0, 5])
    assert standardised_rates([0, 0], population=[3, 5]).tolist() == [0, 0]


def test_classes_cover_every_code_and_refuse_others() -> None:
    assert [HotspotClass(code).name for code in (3, 2, 1, 0, -1, -2, -3)] == [
        "HOT_99", "HOT_95", "HOT_90", "NOT_SIGNIFICANT", "COLD_90", "COLD_95", "COLD_99",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="4"):
        HotspotClass(4)


@pytest.mark.real
def test_london_wards_have_hot_and_plain_wards(real_data) -> None:
    import geopandas as gpd

    wards = gpd.read_file(real_data / "boundaries" / "london_wards_WD25_bestfit_from_LSOA21.gpkg")
    people = pd.read_csv(real_data / "population" / "london_WD25_population_census2021_bestfit.csv")
    counts = pd.read_csv(real_data / "mps_hate" / "mps_hate_crime_monthly_2021-08_2025-07.csv.gz", low_memory=False)
    racist = counts[(counts["crime_subtype"] == "Racist Crime") & (counts["measure"] == "Offences")]
    total = wards["WD25CD"].map(racist.groupby("area_code")["count"].sum()).fillna(0)
    assert total.sum() > 50_000
    result = gistar(
        total,
        weights=contiguity(wards.geometry.to_numpy()),
        family="wards, racist, 48 months",
        population=wards["WD25CD"].map(people.set_index("WD25CD")["pop_2021"]),
        covered=wards["LAD25NM"] != "City of London",
    )
    assert np.isfinite(result.z).all()
    central = wards["LAD25NM"].isin(["Westminster", "Camden"]).to_numpy()
    assert (result.hotspot_class[central] == 3).sum() >= 5
    assert (result.hotspot_class == 0).mean() > 0.5
    assert not result.defined[(wards["LAD25NM"] == "City of London").to_numpy()].any()


ROW = lattice(np.ones((1, 4)))


def field() -> np.ndarray:
    """High block at rows 2-5, a low hole in it at (3, 3), a lone high cell at (10, 10), flat noise elsewhere."""
    values = np.random.default_rng(1).poisson(3, (12, 12)).astype(float)
    values[1:6, 1:6] = 30
    values[3, 3] = 0
    values[7:12, 7:12] = 0
    values[9, 9] = 30
    return values.ravel()


def test_four_cells_in_a_row_by_hand() -> None:
    # Values 1 2 3 6, mean 3, z = -2 -1 0 3, sum z^2 = 14. Neighbour means of z: -1, -1, 1, 0.
    # I_i = 3 z_i mean_i / 14 = 6/14, 3/14, 0, 0. Global: sum z_i mean_i / 14 = (2 + 1) / 14.
    result = local_moran([1, 2, 3, 6], weights=ROW, family="x", min_units=1)
    np.testing.assert_allclose(result.i, [6 / 14, 3 / 14, 0, 0], atol=1e-15)
    assert result.quadrant.tolist() == [3, 3, 2, 4]
    assert result.i.sum() / 3 == pytest.approx(3 / 14)  # the local statistics add up to n - 1 times the global


def test_the_four_kinds_are_found() -> None:
    result = local_moran(field(), weights=GRID, family="x", alpha=0.05)
    kind = result.cluster.reshape(12, 12)
    assert kind[2, 2] == 1
    assert kind[3, 3] == 2
    assert kind[9, 9] == 4
    assert 3 in kind[7:, 7:]
    assert (result.cluster[result.q > 0.05] == 0).all()
    assert QUADRANTS[int(kind[9, 9])] is MoranClass.HIGH_LOW
    assert QUADRANTS[int(kind[3, 3])] == "LH"


@pytest.mark.parametrize("value", [0.0, 2.5])
def test_equal_values_have_no_local_moran(value: float) -> None:
    result = local_moran(np.full(144, value), weights=GRID, family="x")
    assert not result.defined.any()
    assert (result.i == 0).all()
    assert any("same value" in n for n in result.notes)
    assert (result.cluster == 0).all()


def test_islands_and_too_few_units_are_stated() -> None:
    weights = from_pairs(np.arange(58), np.arange(58) + 1, n=60, rule="a row and an island")
    result = local_moran(np.arange(60.0), weights=weights, family="x")
    assert result.defined.tolist() == [True] * 59 + [False]
    assert result.i[59] == 0
    assert result.quadrant[59] == 0
    assert any("1 units have no neighbours" in n for n in result.notes)
    few = local_moran(np.arange(4.0), weights=ROW, family="x")
    assert few.notes == ("Local Moran's I needs at least 50 units; there are 4.",)
    alone = local_moran(np.arange(60.0), weights=from_pairs([], [], n=60, rule="none"), family="x")
    assert not alone.defined.any()


def test_bad_values_are_refused() -> None:
    for call in (
        lambda: local_moran([1, np.nan, 2, 3], weights=ROW, family="x"),
        lambda: local_moran([1], weights=ROW, family="x"),
    ):
        with pytest.raises(InputError, match="one finite number"):
            call()


def test_the_same_seed_gives_the_same_p() -> None:
    one, two = (local_moran(field(), weights=GRID, family="x", permutations=999, seed=3).p for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_cells_count_what_is_covered_and_slivers_go_to_a_neighbour() -> None:
    # 500 m cells over 1,040 x 750 m: two whole cells in a row and a sliver of 40 m (8 %), the upper row half covered.
    # Both slivers go to the neighbour with most inside, the second cell of the lower row. A point 5 m outside the area
    # lies in the lower sliver, so it counts there too.
    area = shapely.box(0, 0, 1_040, 750)
    grid = Grid.covering(area.bounds, cell_m=500, margin_m=500)
    points = np.array(
        [(100.0, 100.0), (600.0, 100.0), (1_030.0, 100.0), (1_045.0, 300.0), (1_035.0, 700.0), (600.0, 600.0)]
    )
    cells = analysis_cells(grid, study_area=area, points_m=points)
    assert grid.centre(cells.index).tolist() == [[250, 250], [750, 250], [250, 750], [750, 750]]
    np.testing.assert_allclose(cells.covered_km2, [0.25, 0.25 * (1 + 0.08 + 0.04), 0.125, 0.125], atol=1e-12)
    assert cells.count(points, np.array([1, 2, 4, 8, 16, 32])).tolist() == [1, 2 + 4 + 8 + 16, 0, 32]
    assert cells.weights.neighbours.tolist() == [3, 3, 3, 3]


def test_hexagons_cover_an_area_once() -> None:
    area = shapely.Point(3_000, 2_000).buffer(1_700).difference(shapely.box(2_500, 1_000, 3_100, 2_200))
    cells = analysis_cells(HexGrid.covering(area.bounds, size_m=400), study_area=area, points_m=np.zeros((0, 2)))
    assert cells.covered_km2.sum() == pytest.approx(area.area / 1e6, rel=1e-9)


@pytest.mark.parametrize("mean", [3.0, 30.0])
def test_cut_cells_are_called_as_often_as_whole_ones(mean: float) -> None:
    """Incidents at random: 5 % of tests at p = .05 in either kind of cell, half of them cold."""
    # 20 rows of 20 whole cells, and 84 cells cut to 60, 30, 20 and 70 % round them, of which a corner of 6 % is joined.
    grid = Grid(0, 0, 100, 22, 22)
    area = shapely.box(40, 70, 2_120, 2_170)
    cells = analysis_cells(grid, study_area=area, points_m=np.zeros((0, 2)))
    cut = cells.covered_km2 < 0.0099
    assert cut.sum() == 83
    rng, called = np.random.default_rng(11), np.zeros((2, 2, 2))
    for _ in range(120):
        counts = rng.poisson(mean * cells.covered_km2 / 0.01)
        for kind, size in enumerate((None, cells.covered_km2)):
            found = gistar(counts, weights=cells.weights, family="", population=size, inference="analytic")
            for part, those in enumerate((cut, ~cut)):
                share = (found.p[those] <= 0.05)[:, None] & np.stack([found.z[those] < 0, found.z[those] > 0], axis=1)
                called[kind, part] += share.mean(axis=0) / 120
    by_count, by_area = called
    assert by_count[0, 0] > 3 * 0.025  # counts alone call them cold
    assert np.abs(by_area - 0.025).max() < 0.012
