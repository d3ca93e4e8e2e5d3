"""Clusters: hand-worked cases, scikit-learn as the oracle, and what is refused."""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.detect.clusters import Clustering, dbscan, distinct
from pipeline.errors import InputError

module = importlib.import_module("pipeline.detect.clusters.dbscan")  # the function of that name hides it

# A city of nine points, eps 1, min_samples 3. Distances worked by hand:
#
#   y=0:  a(0,0) b(1,0) c(2,0) . d(4,0) . . e(6,0) f(7,0) g(8,0)      lone: h(20,20), i(20,22)
#
# b has a, b, c within 1 (ties count: exactly 1): core. a has a, b: not core, border of b's cluster. c likewise.
# d is 2 from c and 2 from e: noise. f is core of e, f, g. h and i are alone.
CITY = np.array([[0, 0], [1, 0], [2, 0], [4, 0], [6, 0], [7, 0], [8, 0], [20, 20], [20, 22]], dtype=float)


def sklearn_dbscan(points: np.ndarray, eps_m: float, min_samples: int, weights: np.ndarray | None) -> Clustering:
    """Run the oracle; its tree compares distances as stated, its brute force (under 12 points) expands the square."""
    from sklearn.cluster import DBSCAN

    model = DBSCAN(eps=eps_m, min_samples=min_samples, algorithm="kd_tree").fit(points, sample_weight=weights)
    core = np.zeros(len(points), dtype=bool)
    core[model.core_sample_indices_] = True
    return Clustering(model.labels_.astype(np.int32), core)


def test_hand_worked_city() -> None:
    found = dbscan(CITY, eps_m=1.0, min_samples=3)
    assert found.labels.tolist() == [0, 0, 0, -1, 1, 1, 1, -1, -1]
    assert found.core.tolist() == [False, True, False, False, False, True, False, False, False]
    assert found.labels.dtype == np.int32
    assert found.count == 2


def test_clusters_are_numbered_by_their_first_core_point() -> None:
    # Turned round, g-f-e come first; f is the first core point met.
    assert dbscan(CITY[::-1], eps_m=1.0, min_samples=3).labels.tolist() == [-1, -1, 0, 0, 0, -1, 1, 1, 1]


def test_a_border_point_takes_the_lowest_numbered_cluster_in_reach() -> None:
    # (2,0) is 1 from both (1,0) and (3,0); with weights 3 the outer two are core on their own, the middle is not.
    points = np.array([[2.0, 0], [3.0, 0], [1.0, 0]])
    found = dbscan(points, eps_m=1.0, min_samples=8, weights=[1, 7, 7])
    assert found.labels.tolist() == [0, 0, 0]  # 15 within reach of the middle: core, it joins them
    found = dbscan(points, eps_m=1.0, min_samples=3, weights=[0, 3, 3])
    assert found.labels.tolist() == [0, 0, 0]
    points = np.array([[2.0, 0], [3.0, 0], [3.5, 0], [1.0, 0], [0.5, 0]])
    found = dbscan(points, eps_m=1.0, min_samples=4, weights=[1, 1, 2, 1, 2])
    assert found.labels.tolist() == [0, 0, 0, 1, 1]
    assert found.core.tolist() == [False, True, False, True, False]


def test_weights_are_repeated_points() -> None:
    weights = np.array([3, 1, 0, 2, 1, 1, 1, 4, 2])
    found = dbscan(CITY, eps_m=1.0, min_samples=3, weights=weights)
    repeated = dbscan(np.repeat(CITY, weights, axis=0), eps_m=1.0, min_samples=3)
    kept = np.repeat(np.arange(len(CITY)), weights)
    assert found.labels[kept].tolist() == repeated.labels.tolist()
    assert found.core[kept].tolist() == repeated.core.tolist()


lattice = hnp.arrays(np.int64, st.tuples(st.integers(1, 120), st.just(2)), elements=st.integers(0, 12))


@settings(max_examples=60, deadline=None)
@given(
    cells=lattice,
    eps_steps=st.sampled_from([1, 2, 5, 10, 13]),  # 5, 10 and 13 are hypotenuses: exact ties off the axes
    step_m=st.sampled_from([1.0, 5.0, 0.25]),
    min_samples=st.integers(1, 12),
    data=st.data(),
)
@pytest.mark.slow
def test_labels_equal_scikit_learn_on_lattices(
    cells: np.ndarray, eps_steps: int, step_m: float, min_samples: int, data: st.DataObject
) -> None:
    points = cells * step_m + np.array([530_000.0, 180_000.0])
    weights = data.draw(st.none() | hnp.arrays(np.int64, len(points), elements=st.integers(0, 4)))
    if weights is not None:
        weights[0] += 1  # the oracle refuses weights that are all zero
    expected = sklearn_dbscan(points, eps_steps * step_m, min_samples, weights)
    found = dbscan(points, eps_m=eps_steps * step_m, min_samples=min_samples, weights=weights)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.core, expected.core)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 600),
    spread_m=st.sampled_from([1.0, 40.0, 400.0]),
    eps_m=st.floats(0.5, 120.0),
    min_samples=st.sampled_from([1, 2, 4, 9, 30, 150, 400]),
)
@pytest.mark.slow
def test_labels_equal_scikit_learn_on_clumps(
    seed: int, n: int, spread_m: float, eps_m: float, min_samples: int
) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 1000, (4, 2)) + 5e5
    points = centres[rng.integers(0, 4, n)] + rng.normal(size=(n, 2)) * spread_m
    points = np.concatenate((points, points[rng.integers(0, n, n // 3)], [[5e5, 9e6]]))  # repeats, and one far away
    weights = rng.integers(0, 5, len(points)) + (rng.random() < 0.5)
    weights[0] += 1
    expected = sklearn_dbscan(points, eps_m, min_samples, weights)
    found = dbscan(points, eps_m=eps_m, min_samples=min_samples, weights=weights)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.core, expected.core)


@pytest.mark.parametrize("halvings", [1, 2, 4])
@pytest.mark.parametrize("cells_per_point", [32, -100])  # with a table of cells, and without
def test_layers_of_cells_change_nothing(halvings: int, cells_per_point: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Large min_samples settle large cells first; here from one layer to four, on a city with a town far off.
    rng = np.random.default_rng(halvings)
    city = np.concatenate((rng.normal(size=(4000, 2)) * 60, rng.uniform(-150, 150, (2000, 2))))
    points = np.round(np.concatenate((city, rng.normal(size=(900, 2)) * 9 + [9000, 0], [[5e6, 0]])), 1)
    weights = rng.integers(0, 3, len(points))
    expected = sklearn_dbscan(points, 25.0, 300, weights)
    monkeypatch.setattr(module, "_fineness", lambda _: (3 * 2**halvings, halvings))
    monkeypatch.setattr(module, "CELLS_PER_POINT", cells_per_point)
    found = dbscan(points, eps_m=25.0, min_samples=300, weights=weights)
    assert 1000 < found.core.sum() < 4000
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.core, expected.core)


def test_cells_halve_until_eps_reaches_six() -> None:
    from pipeline.detect.clusters.dbscan import _fineness

    # The square root of locations over pi: 3 at 30, 8 at 200, 25 at 2,000, never more than 64.
    assert [_fineness(k) for k in (1, 30, 200, 2000, 1e6)] == [(3, 0), (3, 0), (8, 1), (24, 3), (64, 4)]


@pytest.mark.parametrize("seed", range(8))
def test_batches_trees_and_searches_change_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # What only large inputs meet, met by small ones: batches of a few pairs, trees for crowded cells, no bit table.
    rng = np.random.default_rng(seed)
    points = np.concatenate((rng.integers(0, 25, (250, 2)) * 2.0, rng.normal(size=(250, 2)) * 6 + 20))
    weights = rng.integers(0, 4, 500)
    expected = sklearn_dbscan(points, 5.0, 25, weights)
    monkeypatch.setattr(module, "TREE_FROM", 3)
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", 5)
    monkeypatch.setattr(module, "CELLS_PER_POINT", -100)
    found = dbscan(points, eps_m=5.0, min_samples=25, weights=weights)
    assert (~found.core & (found.labels >= 0)).sum() > 20
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.core, expected.core)


def test_large_cells_that_do_not_quite_meet() -> None:
    # Two dense strips: their nearest edges 100 m apart, then a whisker more. Cells hold thousands of locations each.
    rng = np.random.default_rng(5)
    west = np.column_stack((rng.uniform(-40, 0, 3000), rng.uniform(0, 60, 3000)))
    east = np.column_stack((rng.uniform(100, 140, 3000), rng.uniform(0, 60, 3000)))
    west[0], east[0] = (0.0, 30.0), (100.0, 30.0)
    points = np.concatenate((west, east))
    assert dbscan(points, eps_m=100.0, min_samples=50).count == 1
    east[:, 0] += 1e-9
    assert dbscan(np.concatenate((west, east)), eps_m=100.0, min_samples=50).count == 2


def test_distinct_counts_what_it_collapses() -> None:
    points = np.array([[5.0, 1.0], [2.0, 9.0], [5.0, 1.0], [5.0, 0.5], [-0.0, 3.0], [0.0, 3.0]])
    locations, weights, inverse = distinct(points)
    assert locations.tolist() == [[0.0, 3.0], [2.0, 9.0], [5.0, 0.5], [5.0, 1.0]]
    assert weights.tolist() == [2, 1, 1, 2]
    np.testing.assert_array_equal(locations[inverse], points)
    assert distinct(points, weights=[1, 2, 3, 4, 5, 6])[1].tolist() == [11, 2, 4, 4]


def test_nothing_and_little_have_stated_results() -> None:
    nothing = dbscan(np.empty((0, 2)), eps_m=10.0, min_samples=3)
    assert nothing.labels.shape == (0,)
    assert nothing.count == 0
    assert dbscan(CITY[:3], eps_m=0.5, min_samples=2).labels.tolist() == [-1, -1, -1]
    heap = dbscan(np.tile([[530_000.0, 180_000.0]], (50, 1)), eps_m=10.0, min_samples=20)
    assert heap.labels.tolist() == [0] * 50
    idle = dbscan(CITY, eps_m=1.0, min_samples=1, weights=np.zeros(9, dtype=int))
    assert idle.labels.tolist() == [-1] * 9
    assert idle.notes == ("all weights are zero: no point is in a cluster",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"eps_m": 0.0}, "eps_m is 0.0"),
        ({"eps_m": -5.0}, "eps_m is -5.0"),
        ({"eps_m": float("nan")}, "eps_m is nan"),
        ({"min_samples": 0}, "min_samples is 0"),
        ({"min_samples": 2.5}, "min_samples is 2.5"),
        ({"weights": [1] * 8}, r"weights have shape \(8,\) for 9 points"),
        ({"weights": [1] * 8 + [-1]}, "row 8 is negative"),
        ({"weights": [0.5] * 9}, "not whole numbers"),
        ({"weights": [float("nan")] * 9}, "not whole numbers"),
        ({"points_m": [[1.0, 2.0], [float("nan"), 3.0]]}, "1 of 2 points have no finite easting or northing"),
        ({"points_m": [[1.0, float("inf")]]}, "first at row 0"),
        ({"points_m": [1.0, 2.0, 3.0]}, r"shape \(3,\)"),
        ({"points_m": [[0.0, 0.0], [1e12, 0.0]], "min_samples": 1}, "eps_m is too small for these coordinates"),
    ],
)
def test_unusable_input_is_refused(change: dict[str, object], words: str) -> None:
    given_ = {"points_m": CITY, "eps_m": 1.0, "min_samples": 3} | change
    with pytest.raises(InputError, match=words):
        dbscan(**given_)  # type: ignore[arg-type]
