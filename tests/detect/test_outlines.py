"""Outlines: areas known from geometry, shapes a hull would swallow, and size."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.detect.clusters import dbscan
from pipeline.detect.hotspots.outlines import cluster_outlines, outline
from pipeline.errors import InputError


def test_one_location_is_a_disc_of_half_the_reach() -> None:
    drawn = outline([[1000.0, 2000.0]], eps_m=100.0)
    assert drawn.geom_type == "Polygon"
    assert drawn.area == pytest.approx(math.pi * 50**2, rel=0.04)  # a polygon of chords, at most 1 m inside
    assert drawn.centroid.distance(shapely.Point(1000, 2000)) < 1.0


def test_discs_that_only_touch_become_one_piece() -> None:
    drawn = outline([[0.0, 0.0], [100.0, 0.0]], eps_m=100.0)
    assert drawn.geom_type == "Polygon"
    # Two discs and the fillets of a closing by 25 m. The quarter circles of radius 25 that roll in the notch have
    # centres at (50, +-h), h = sqrt(75^2 - 50^2) = 55.90, so the neck is 2 (55.90 - 25) = 61.8 m wide.
    neck = drawn.intersection(shapely.LineString([(50, -100), (50, 100)])).length
    assert neck == pytest.approx(61.8, abs=2)


def test_a_bent_street_keeps_its_bend() -> None:
    # 41 locations 50 m apart along an L with legs of 1,000 m; the hull is 500,000 m2 plus margins.
    leg = np.arange(0, 1001, 50.0)
    street = np.concatenate((np.column_stack((leg, 0 * leg)), np.column_stack((0 * leg, leg))))
    drawn = outline(street, eps_m=100.0)
    hull = shapely.buffer(shapely.convex_hull(shapely.MultiPoint(street)), 50)
    assert drawn.area == pytest.approx(2 * 1000 * 100, rel=0.06)
    assert drawn.area < hull.area / 2
    assert not drawn.contains(shapely.Point(300, 300))


def test_a_ring_keeps_its_hole_and_the_cluster_inside_it_apart() -> None:
    turn = np.linspace(0, 2 * math.pi, 120, endpoint=False)
    ring = 600 * np.column_stack((np.cos(turn), np.sin(turn)))
    heap = np.random.default_rng(1).normal(size=(60, 2)) * 30
    points = np.concatenate((ring, heap))
    found = dbscan(points, eps_m=100.0, min_samples=3)
    assert found.count == 2
    around, middle = cluster_outlines(points, labels=found.labels, eps_m=100.0)
    assert len(around.interiors) == 1
    assert not around.intersects(middle)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 150), eps_m=st.floats(5, 200))
@pytest.mark.slow
def test_every_outline_is_valid_whole_and_holds_its_locations(seed: int, n: int, eps_m: float) -> None:
    points = np.random.default_rng(seed).uniform(0, 1000, (n, 2)) + 5e5
    found = dbscan(points, eps_m=eps_m, min_samples=2)
    drawn = cluster_outlines(points, labels=found.labels, eps_m=eps_m)
    assert len(drawn) == found.count
    for label, shape in enumerate(drawn):
        mine = points[found.labels == label]
        assert shape.geom_type == "Polygon"
        assert shape.is_valid
        assert shapely.contains_xy(shape, mine[:, 0], mine[:, 1]).all()
        # Nowhere further from a location than the disc, the closing and the simplifying allow.
        reach = shapely.distance(shapely.points(shapely.get_coordinates(shape)), shapely.MultiPoint(mine))
        assert reach.max() <= eps_m * (0.5 + 0.25 + 0.01)


@pytest.mark.slow
def test_a_hundred_thousand_locations_are_drawn_from_a_grid() -> None:
    rng = np.random.default_rng(7)
    points = rng.uniform(0, 1, (100_000, 2)) * [8000.0, 4000.0]
    drawn = outline(points, eps_m=150.0)
    assert drawn.is_valid
    # A rectangle of 8 x 4 km grown by 75 m: 8.15 x 4.15 km less the rounded corners.
    assert drawn.area == pytest.approx(8150 * 4150 - (4 - math.pi) * 75**2, rel=0.01)
    assert shapely.get_num_coordinates(drawn) < 3000


def test_the_grid_moves_the_line_by_little() -> None:
    points = np.random.default_rng(3).uniform(0, 900, (2000, 2))
    exact = outline(points, eps_m=120.0)
    snapped = outline(np.concatenate((points, points[:500] + 1e-7)), eps_m=120.0)
    # Within eps / 11 and the two simplifications, 13.3 m, each way.
    assert snapped.within(exact.buffer(13.3))
    assert exact.within(snapped.buffer(13.3))


@pytest.mark.parametrize(
    ("core", "eps_m", "words"),
    [
        ([], 10.0, "at least one location"),
        ([[0.0, float("nan")]], 10.0, "finite coordinates"),
        ([[0.0, 0.0]], 0.0, "eps_m is 0.0"),
        ([[0.0, 0.0]], float("inf"), "eps_m is inf"),
    ],
)
def test_unusable_input_is_refused(core: list[list[float]], eps_m: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        outline(core, eps_m=eps_m)
