"""Street segments: nearest by brute force, ties by id, runs worked out by hand, bridges, and Cleveland's figures."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from pipeline.detect.streets.entry import hot_runs, segment_table
from pipeline.detect.streets.segments import Network, nearest_segments, runs_of
from pipeline.tables import STREET_SEGMENTS


def lines(*ends) -> np.ndarray:
    return np.array([shapely.LineString(e) for e in ends], dtype=object)


@pytest.mark.slow
def test_the_nearest_segment_is_that_of_every_distance() -> None:
    rng = np.random.default_rng(2)
    streets = lines(*(rng.uniform(0, 500, (3, 2)) for _ in range(60)))
    points = rng.uniform(-50, 550, (400, 2))
    away = np.array([[shapely.distance(s, shapely.Point(p)) for s in streets] for p in points])
    found = nearest_segments(streets, points)
    assert found.segment.tolist() == away.argmin(axis=1).tolist()
    assert found.distance_m == pytest.approx(away.min(axis=1))


def test_a_place_at_a_junction_goes_to_the_first_segment() -> None:
    # Four streets meet at (0, 0); the place lies there, as map points do, or equally far from two of them.
    streets = lines([(9, 0), (0, 0)], [(0, 0), (0, 9)], [(0, 0), (-9, 0)], [(0, 0), (0, -9)])
    found = nearest_segments(streets, np.array([[0.0, 0.0], [-2.0, -2.0], [-2.0, -3.0]]))
    assert found.segment.tolist() == [0, 2, 3]
    assert found.distance_m.tolist() == [0, 2, 2]


def test_segments_join_at_common_ends_and_not_on_bridges() -> None:
    streets = lines([(0, 0), (10, 0)], [(10.03, 0.02), (20, 0)], [(5, -5), (5, 5)], [(20, 0), (30, 0)])
    network = Network.of(streets)
    assert network.ends[0, 1] == network.ends[1, 0]  # 4 cm apart
    assert network.dead_ends_pct == 50
    assert runs_of(network, np.array([True, True, True, False])).tolist() == [0, 0, 1, -1]
    assert runs_of(network, np.array([True, False, False, True])).tolist() == [0, -1, -1, 1]
    assert runs_of(network, np.zeros(4, dtype=bool)).tolist() == [-1] * 4


def segments(counts: list[int]) -> gpd.GeoDataFrame:
    streets = gpd.GeoDataFrame(
        {"segment_id": ["a", "b", "c", "d"], "name": ["High Street", "High Street", "", "Mill Lane"]},
        geometry=lines([(0, 0), (50, 0)], [(50, 0), (150, 0)], [(500, 0), (500, 200)], [(800, 0), (800, 100)]),
        crs="EPSG:27700",
    )
    return segment_table(streets, Network.of(streets.geometry.to_numpy()), np.array(counts))


def test_ranks_rates_and_runs_by_hand() -> None:
    found = segments([20, 20, 30, 0])
    assert found["segment_id"].tolist() == ["c", "a", "b"]
    assert found["rank"].tolist() == [1, 2, 2]
    assert found["per_100m"].tolist() == [15, 40, 20]
    # A quarter of 70 is 17.5: the first segment alone holds it.
    assert found["hot"].tolist() == [True, False, False]
    STREET_SEGMENTS.conform(found)
    # With equal counts all three are hot; the run of two has more incidents.
    runs = hot_runs(segments([20, 20, 20, 0]))
    assert runs["names"].tolist() == ["High Street", ""]
    assert runs[["run", "segments", "length_m", "incidents", "per_100m"]].to_numpy().tolist() == [
        [1, 2, 150, 40, 26.67],
        [2, 1, 200, 20, 10],
    ]


def test_one_incident_and_none_make_no_hot_segment() -> None:
    for counts in ([0, 0, 1, 0], [0, 0, 0, 0]):
        found = segments(counts)
        assert len(found) == sum(counts)
        assert not found["hot"].any()
        assert len(hot_runs(found)) == 0
    alone = segments([0, 0, 90, 0])  # all at one place
    assert alone["hot"].tolist() == [True]
    assert hot_runs(alone)["incidents"].tolist() == [90]
