"""Who neighbours whom, and sums over neighbours."""

import itertools
import math
from collections import defaultdict

import geopandas as gpd
import numpy as np
import pytest
import shapely

from pipeline.errors import InputError
from pipeline.geography.grid import HexGrid
from pipeline.geography.neighbours import (
    conditional,
    contiguity,
    from_pairs,
    lattice,
)


def sets(weights) -> list[set[int]]:
    m = weights.matrix
    return [set(m.indices[m.indptr[i] : m.indptr[i + 1]].tolist()) for i in range(weights.n)]


@pytest.mark.parametrize("rule", ["queen", "rook"])
def test_full_lattice_equals_libpysal(rule: str) -> None:
    import libpysal

    oracle = libpysal.weights.lat2W(5, 7, rook=rule == "rook")
    ours = sets(lattice(np.ones((5, 7), dtype=bool), rule=rule))
    assert ours == [set(oracle.neighbors[i]) for i in range(35)]


def test_masked_lattice_numbers_only_the_cells_inside() -> None:
    # . 0 1      0-1 share an edge, 0-2 a corner, 1-2 an edge; the cell at the bottom left is alone.
    # . . 2
    # 3 . .
    inside = np.array([[False, True, True], [False, False, True], [True, False, False]])
    assert sets(lattice(inside)) == [{1, 2}, {0, 2}, {0, 1}, set()]
    assert sets(lattice(inside, rule="rook")) == [{1}, {0, 2}, {1}, set()]
    assert lattice(inside).isolated.tolist() == [False, False, False, True]


def test_a_row_does_not_wrap_into_the_next() -> None:
    assert sets(lattice(np.array([[False, True], [True, False]]), rule="rook")) == [set(), set()]
    assert sets(lattice(np.array([[True, False, True]] * 2), rule="queen")) == [{2}, {3}, {0}, {1}]


def test_hexagons_join_where_centres_are_one_width_apart() -> None:
    # Some cells are left out, as those outside a study area are.
    grid = HexGrid.covering((-500, -500, 500, 500), size_m=250.0)
    cells = np.array([i for i in range(len(grid)) if i % 11 != 4])
    centre = grid.centre(cells).tolist()
    expected = [{j for j, b in enumerate(centre) if 0 < math.dist(a, b) < 252.5} for a in centre]
    ours = contiguity(grid.polygons(cells), snap_m=0.01)
    assert sets(ours) == expected
    assert ours.neighbours.max() == 6


def test_contiguity_joins_corners_and_leaves_islands() -> None:
    boxes = [shapely.box(0, 0, 1, 1), shapely.box(1, 1, 2, 2), shapely.box(2, 1, 3, 2), shapely.box(9, 9, 10, 10)]
    assert sets(contiguity(boxes)) == [{1}, {0, 2}, {1}, set()]


def test_contiguity_bridges_gaps_up_to_the_snap_distance() -> None:
    boxes = [shapely.box(0, 0, 1, 1), shapely.box(1.5, 0, 2.5, 1)]
    assert sets(contiguity(boxes)) == [set(), set()]
    assert sets(contiguity(boxes, snap_m=0.4)) == [set(), set()]
    assert sets(contiguity(boxes, snap_m=0.5)) == [{1}, {0}]


def test_contiguity_equals_libpysal_on_st_louis_counties() -> None:
    import libpysal

    counties = gpd.read_file(libpysal.examples.get_path("stl_hom.shp"))
    oracle = libpysal.weights.fuzzy_contiguity(counties, silence_warnings=True)
    assert sets(contiguity(counties.geometry.to_numpy())) == [set(oracle.neighbors[i]) for i in range(len(counties))]


@pytest.mark.real
def test_contiguity_equals_libpysal_on_london_wards(real_data) -> None:
    import libpysal

    wards = gpd.read_file(real_data / "boundaries" / "london_wards_2018_27700.gpkg")
    oracle = libpysal.weights.Queen.from_dataframe(wards, use_index=False, silence_warnings=True)
    ours = sets(contiguity(wards.geometry.to_numpy()))
    assert ours == [set(oracle.neighbors[i]) for i in range(len(wards))]
    assert min(map(len, ours)) >= 1


def test_lag_and_subset_leave_self_and_the_dropped_out() -> None:
    weights = from_pairs([0, 1, 1, 2, 2], [1, 0, 2, 3, 2], n=4, rule="a path")
    assert weights.lag([1, 10, 100, 1000]).tolist() == [10, 101, 1010, 100]
    assert weights.lag(np.arange(8).reshape(4, 2)).tolist() == [[2, 3], [4, 6], [8, 10], [4, 5]]
    assert sets(weights.subset([True, False, True, True])) == [set(), {2}, {1}]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: from_pairs([0], [4], n=4, rule=""), "outside 0 to 3"),
        (lambda: contiguity([shapely.box(0, 0, 1, 1), None]), "no geometry, the first in row 1"),
        (lambda: contiguity([shapely.box(0, 0, 1, 1)], snap_m=-1), "cannot be negative"),
        (lambda: lattice(np.ones(3)), "1 dimensions"),
        (lambda: lattice(np.ones((2, 2)), rule="bishop"), "queen or rook"),
        (lambda: lattice(np.ones((2, 2))).lag([1, 2]), "one value per unit"),
        (lambda: lattice(np.ones((2, 2))).subset([True]), "one flag"),
        (lambda: conditional([1, 2], weights=lattice(np.ones((2, 2))), permutations=9, seed=0), "finite number"),
        (lambda: conditional([1, 2, 3, np.nan], weights=lattice(np.ones((2, 2))), permutations=9, seed=0), "finite"),
        (lambda: conditional([1, 2, 3, 4], weights=lattice(np.ones((2, 2))), permutations=0, seed=0), "at least one"),
    ],
)
def test_bad_input_is_one_clear_error(call, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()


@pytest.mark.parametrize("values", [[0, 0, 1, 5, 2, 2, 7], [0.5, -1.25, 3.0, 0.1, 0.1, 2.7, -0.3]])
def test_permutation_shares_tend_to_full_enumeration(values: list[float]) -> None:
    """Every set of k others, counted out in full, is the distribution the draws must sample."""
    weights = from_pairs([0, 0, 0, 1, 3, 4, 0, 0, 0], [1, 2, 3, 2, 4, 5, 4, 5, 6], n=7, rule="hub and spokes")
    neighbours = sets(weights)
    assert len(neighbours[0]) == 6  # the hub neighbours everyone: one set only
    exact = defaultdict(list)
    for i in range(7):
        observed = sum(values[j] for j in neighbours[i])
        others = [values[j] for j in range(7) if j != i]
        sums = np.array([sum(c) for c in itertools.combinations(others, len(neighbours[i]))])
        exact["above"].append((sums >= observed - 1e-9).mean())
        exact["below"].append((sums <= observed + 1e-9).mean())
    got = conditional(values, weights=weights, permutations=40_000, seed=3)
    # 40,000 draws: five standard errors of a share are at most 0.0125.
    np.testing.assert_allclose(got.above / 40_000, exact["above"], atol=0.0125)
    np.testing.assert_allclose(got.below / 40_000, exact["below"], atol=0.0125)
    assert got.above[0] == got.below[0] == 40_000


def test_p_is_twice_the_smaller_tail_and_seeded() -> None:
    weights = lattice(np.ones((10, 10), dtype=bool))
    values = np.random.default_rng(1).poisson(3, 100)
    one = conditional(values, weights=weights, permutations=999, seed=7)
    again = conditional(values, weights=weights, permutations=999, seed=7)
    assert (one.above == again.above).all()
    expected = np.minimum(1, 2 * (np.minimum(one.above, one.below) + 1) / 1000)
    np.testing.assert_array_equal(one.p, expected)
    assert (one.above != conditional(values, weights=weights, permutations=999, seed=8).above).any()


def test_draws_in_several_chunks_count_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    import pipeline.geography.neighbours as module

    weights = lattice(np.ones((6, 6), dtype=bool))
    values = np.random.default_rng(2).poisson(2, 36)
    whole = conditional(values, weights=weights, permutations=20_000, seed=1)
    monkeypatch.setattr(module, "CELLS_AT_ONCE", 9 * 1_700)
    parts = conditional(values, weights=weights, permutations=20_000, seed=1)
    np.testing.assert_allclose(parts.above / 20_000, whole.above / 20_000, atol=0.025)
    ties = (whole.above + whole.below) >= 20_000
    assert ties.all()
    assert ((parts.above + parts.below) >= 20_000).all()
