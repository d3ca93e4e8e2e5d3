"""HDBSCAN and OPTICS as choices, and the reach read from the data."""

import numpy as np
import pytest

from pipeline.detect.clusters import (
    ClusterSettings,
    auto_eps,
    auto_min_samples,
    capped,
    dbscan,
    hdbscan,
    joining_note,
    k_distances,
    optics,
)
from pipeline.errors import InputError


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(one, other))


@pytest.fixture(scope="module")
def town() -> tuple[np.ndarray, np.ndarray]:
    """Give three clumps of 80 (sd 30 m, 2 km apart) in 60 scattered points, and the clump of each."""
    rng = np.random.default_rng(11)
    centres = np.array([[0.0, 0.0], [2000.0, 0.0], [0.0, 2000.0]]) + 530_000
    clumps = np.concatenate([c + rng.normal(size=(80, 2)) * 30 for c in centres])
    scatter = rng.uniform(-3000, 5000, (60, 2)) + 530_000
    return np.concatenate((clumps, scatter)), np.repeat([0, 1, 2, -1], [80, 80, 80, 60])


@pytest.mark.parametrize("method", ["dbscan", "hdbscan", "optics"])
def test_each_method_finds_the_clumps(method: str, town: tuple[np.ndarray, np.ndarray]) -> None:
    points, truth = town
    found = ClusterSettings(method=method, eps_m=60.0, min_samples=8, min_locations=20).cluster(points)
    assert found.method == method
    assert found.labels.dtype == np.int32
    assert found.count == 3
    for clump in range(3):  # numbered by their first points, which come in the clumps' order
        labels = found.labels[truth == clump]
        assert (labels >= 0).sum() >= 20
        assert set(labels) <= {clump, -1}
    assert not found.core[found.labels < 0].any()


def test_hdbscan_is_scikit_learns_on_distinct_locations(town: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn.cluster import HDBSCAN

    points, _ = town
    repeated = np.concatenate((points, points[:100], points[:100]))
    found = hdbscan(repeated, min_samples=8, min_locations=20)
    theirs = HDBSCAN(min_cluster_size=20, min_samples=8, copy=True).fit(np.unique(points, axis=0)).labels_
    place = np.unique(repeated, axis=0, return_inverse=True)[1]
    assert agreement(theirs[place], found.labels) == 1.0
    assert ((theirs[place] < 0) == (found.labels < 0)).all()
    assert "takes no weights" in found.notes[0]
    assert found.notes[1] == "500 points stand at 300 distinct locations"


@pytest.mark.slow
def test_optics_is_scikit_learns_on_distinct_locations(town: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn.cluster import OPTICS

    points, _ = town
    found = optics(points, min_samples=8, min_locations=20, max_eps_m=300.0)
    ordered = np.unique(points, axis=0)
    theirs = OPTICS(min_samples=8, min_cluster_size=20, max_eps=300.0).fit(ordered - ordered.mean(axis=0)).labels_
    place = np.unique(points, axis=0, return_inverse=True)[1]
    assert agreement(theirs[place], found.labels) == 1.0


def test_too_many_locations_are_refused_with_what_to_do() -> None:
    many = np.column_stack((np.arange(200_001.0), np.zeros(200_001)))
    with pytest.raises(InputError, match=r"hdbscan was asked for 200,001 distinct locations.*200,000: use dbscan"):
        hdbscan(many, min_samples=5)
    with pytest.raises(InputError, match=r"optics was asked for 20,001 distinct locations.*20,000: use dbscan"):
        optics(many[:20_001], min_samples=5)
    heap = np.zeros((20_001, 2))  # one location, however many points
    assert optics(heap, min_samples=5).labels.max() == -1


@pytest.mark.parametrize("method", ["hdbscan", "optics"])
def test_few_points_are_no_cluster(method: str) -> None:
    assert ClusterSettings(method=method, eps_m=50.0, min_samples=5).cluster(np.empty((0, 2))).labels.tolist() == []
    three = ClusterSettings(method=method, eps_m=50.0, min_samples=5).cluster([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    assert three.labels.tolist() == [-1, -1, -1]
    assert "too few" in three.notes[-1]
    with pytest.raises(InputError, match="no finite easting"):
        ClusterSettings(method=method, eps_m=50.0, min_samples=5).cluster([[0.0, float("nan")]])
    with pytest.raises(InputError, match="min_samples is 0"):
        ClusterSettings(method=method, eps_m=50.0, min_samples=0).cluster([[0.0, 1.0]])


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(InputError, match="choose dbscan, hdbscan or optics"):
        ClusterSettings(method="kmeans", eps_m=1.0, min_samples=1).cluster([[0.0, 0.0]])


def test_k_distances_by_hand() -> None:
    # On a line at 0, 1, 3, 7 with 2, 1, 1, 3 incidents, k = 3: from 0 two are here and the third is 1 away; from 1
    # one is here, two more 1 away; from 3: 1 + 1 (at 1, 2 away) + 2 (at 0, 3 away) so 3; from 7 three are here.
    places = np.array([[0.0, 0], [1.0, 0], [3.0, 0], [7.0, 0]])
    weights = np.array([2, 1, 1, 3])
    assert k_distances(places, weights=weights, min_samples=3).tolist() == [1.0, 1.0, 3.0, 0.0]
    assert k_distances(places, weights=weights, min_samples=7).tolist() == [7.0, 6.0, 4.0, 7.0]
    assert np.isinf(k_distances(places, weights=weights, min_samples=8)).all()


def test_k_distances_equal_a_full_sort() -> None:
    rng = np.random.default_rng(4)
    places, weights = rng.uniform(0, 100, (300, 2)), rng.integers(1, 6, 300)
    gaps = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2))
    order = np.argsort(gaps, axis=1)
    reached = (np.cumsum(weights[order], axis=1) >= 90).argmax(axis=1)
    expected = np.take_along_axis(gaps, order, axis=1)[np.arange(300), reached]
    np.testing.assert_allclose(k_distances(places, weights=weights, min_samples=90), expected, atol=1e-9)


def test_the_knee_parts_clumps_from_scatter(town: tuple[np.ndarray, np.ndarray]) -> None:
    points, truth = town
    choice = auto_eps(points, min_samples=8)
    # 80 % of the points are in clumps; there the eighth neighbour is within tens of metres, outside it is hundreds.
    assert 15 <= choice.eps_m <= 120
    assert 60 <= choice.knee_pct <= 82
    assert len(choice.curve) == 101
    assert choice.curve[0][0] == 0
    assert choice.curve[-1][0] == 100
    found = dbscan(points, eps_m=choice.eps_m, min_samples=8)
    assert found.count == 3
    assert agreement(truth, found.labels) > 0.9
    assert f"eps_m {choice.eps_m:g} m" in choice.note
    assert joining_note(points, found, eps_m=choice.eps_m, min_samples=8) is None


def test_the_choice_ignores_row_order_and_counts_weights(town: tuple[np.ndarray, np.ndarray]) -> None:
    points, _ = town
    weights = np.random.default_rng(1).integers(0, 4, len(points))
    choice = auto_eps(points, min_samples=12, weights=weights)
    assert auto_eps(np.repeat(points, weights, axis=0)[::-1], min_samples=12) == choice


def test_heavy_places_do_not_pull_the_knee_to_zero(town: tuple[np.ndarray, np.ndarray]) -> None:
    points, _ = town
    weights = np.ones(len(points), dtype=int)
    weights[::50] = 500  # six places hold nearly all incidents
    choice = auto_eps(points, min_samples=8, weights=weights)
    assert choice.curve[0][1] > 0
    assert "294 locations measured, 6 that hold k on their own left out" in choice.note


def test_eps_that_joins_everything_is_warned_with_the_k_distance(town: tuple[np.ndarray, np.ndarray]) -> None:
    points, _ = town
    found = dbscan(points, eps_m=2500.0, min_samples=8)
    note = joining_note(points, found, eps_m=2500.0, min_samples=8)
    middle = np.sort(k_distances(np.unique(points, axis=0), weights=np.ones(300, dtype=np.int64), min_samples=8))[149]
    assert note is not None
    assert "eps_m 2500 m joins 100 % of all 300 incidents" in note
    assert f"within {middle:.0f} m (their k-distance)" in note


def test_no_knee_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(InputError, match=r"3 incidents are fewer than min_samples \(10\).*set eps_m in metres"):
        auto_eps([[0.0, 0.0], [5.0, 0.0], [9.0, 0.0]], min_samples=10)
    with pytest.raises(InputError, match="k-distances are all zero"):
        auto_eps(np.zeros((50, 2)), min_samples=10)
    with pytest.raises(InputError, match="0 incidents are fewer"):
        auto_eps(np.empty((0, 2)), min_samples=10)


def town_of(months: int, seed: int = 5) -> np.ndarray:
    """Ten clumps and scatter; every month adds as many incidents."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform(0, 10_000, (10, 2))
    clumps = np.concatenate([c + rng.normal(0, 120, (12 * months, 2)) for c in centre])
    return np.concatenate([clumps, rng.uniform(0, 10_000, (120 * months, 2))])


def test_min_samples_follow_the_length_of_the_window() -> None:
    clusters = []
    for months in (3, 6, 12):
        points = town_of(months)
        chosen = auto_min_samples(points, eps_m=200).min_samples
        # The fourth fifth of the number of incidents within 200 m, counted one by one.
        near = np.sort([(np.hypot(*(points - p).T) <= 200).sum() for p in points])
        assert chosen == near[int(np.ceil(0.8 * len(near))) - 1]
        clusters.append((chosen, dbscan(points, eps_m=200, min_samples=chosen).count))
    few, some, many = (chosen for chosen, _ in clusters)
    assert some == pytest.approx(2 * few, rel=0.25)
    assert many == pytest.approx(4 * few, rel=0.25)
    assert [count for _, count in clusters] == pytest.approx([10, 10, 10], abs=3)


def test_incidents_spread_evenly_have_no_dense_fifth() -> None:
    rng = np.random.default_rng(8)
    for count in (500, 20_000):
        points = rng.uniform(0, 8_000, (count, 2))
        chosen = auto_min_samples(points, eps_m=200).min_samples
        assert dbscan(points, eps_m=200, min_samples=chosen).count == 0
    assert auto_min_samples(np.empty((0, 2)), eps_m=200).min_samples == 10


def test_the_choice_of_min_samples_counts_weights() -> None:
    points = town_of(3)
    weights = np.random.default_rng(2).integers(1, 4, len(points))
    repeated = np.repeat(points, weights, axis=0)
    one, other = (auto_min_samples(p, eps_m=200, weights=w) for p, w in ((points, weights), (repeated, None)))
    assert one.min_samples == other.min_samples


def test_automatic_settings_are_tightened_until_no_cluster_is_too_large() -> None:
    points = town_of(12)
    weights = np.ones(len(points), dtype=np.int64)
    wide = ClusterSettings(eps_m=1500.0, min_samples=20)
    for free, name in (((True, False), "eps_m was lowered"), ((False, True), "min_samples was raised")):
        used, found, note = capped(
            points, wide, weights=weights, largest_pct=10, eps_is_free=free[0], min_samples_is_free=free[1]
        )
        assert name in note
        assert (used.eps_m < 1500, used.min_samples > 20) == free
        largest = np.bincount(found.labels[found.labels >= 0]).max()
        if free[0]:
            assert largest <= 0.1 * len(points)
            assert found.count == 10
        else:
            # With so wide a reach the town is one cluster or none: the share that is left is stated.
            assert f"the largest still holds {100 * largest / len(points):.0f} %" in note
    used, found, note = capped(
        points, wide, weights=weights, largest_pct=10, eps_is_free=False, min_samples_is_free=False
    )
    assert (used, note) == (wide, None)
    # A single place with more than the share is in no smaller cluster: nothing is tightened for its sake.
    heavy = np.array([900, *weights[1:100]])
    used, _, note = capped(
        points[:100], ClusterSettings(50.0, 950), weights=heavy, largest_pct=10, eps_is_free=True,
        min_samples_is_free=False,
    )  # fmt: skip
    assert (used.eps_m, note) == (50.0, None)
