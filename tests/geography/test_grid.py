"""Cells: every place is in one, and the same one whatever the extent."""

import hypothesis.strategies as st
import numpy as np
import pytest
import shapely
from hypothesis import given, settings

from pipeline.errors import InputError
from pipeline.geography.grid import Grid, HexGrid, grown

BOUNDS = (503_568.2, 155_850.8, 505_957.5, 157_933.9)


def test_covering_is_aligned_and_covers_with_its_margin() -> None:
    grid = Grid.covering((503.0, 101.0, 898.0, 299.0), cell_m=100, margin_m=50)
    assert grid == Grid(400.0, 0.0, 100.0, 4, 6)


def test_cells_of_points_on_sides_corners_outside_and_nowhere() -> None:
    grid = Grid(0.0, 0.0, 10.0, 2, 3)
    xy = np.array([(0, 0), (9.99, 9.99), (10, 0), (29.9, 19.9), (30, 5), (5, 20), (-0.01, 5), (np.nan, 1), (1, np.inf)])
    assert grid.cell_of(xy).tolist() == [0, 0, 1, 5, -1, -1, -1, -1, -1]
    assert grid.cell_of(xy).dtype == np.int64


def test_square_centres_polygons_and_ids() -> None:
    grid = Grid(500.0, 1000.0, 250.0, 2, 2)
    assert grid.centres().tolist() == [[625, 1125], [875, 1125], [625, 1375], [875, 1375]]
    assert shapely.equals(grid.polygons(3)[0], shapely.box(750, 1250, 1000, 1500))
    assert grid.ids([0, 3]).tolist() == ["250mE500N1000", "250mE750N1250"]
    assert grid.bounds == (500.0, 1000.0, 1000.0, 1500.0)
    assert grid.shape == (2, 2)
    assert len(grid) == 4
    assert grid.cell_km2 == 0.0625
    assert Grid.covering((0, 0, 1, 1), cell_m=12.5).ids(0).tolist() == ["12.5mE0N0"]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cell_m=st.floats(1.0, 900.0), kind=st.sampled_from(["square", "hex"]))
def test_ids_do_not_depend_on_the_extent(seed, cell_m, kind) -> None:
    rng = np.random.default_rng(seed)
    xy = rng.uniform(BOUNDS[:2], BOUNDS[2:], (50, 2))
    small, large = (
        Grid.covering(b, cell_m=cell_m) if kind == "square" else HexGrid.covering(b, size_m=cell_m)
        for b in (BOUNDS, (BOUNDS[0] - 7_777, BOUNDS[1] - 3_210, BOUNDS[2] + 500, BOUNDS[3] + 9))
    )
    a, b = small.cell_of(xy), large.cell_of(xy)
    assert (a >= 0).all()
    assert (b >= 0).all()
    assert small.ids(a).tolist() == large.ids(b).tolist()
    np.testing.assert_allclose(small.centre(a), large.centre(b), atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size_m=st.floats(20.0, 900.0))
@pytest.mark.slow
def test_hexagon_of_a_point_is_the_one_with_the_nearest_centre(seed, size_m) -> None:
    rng = np.random.default_rng(seed)
    grid = HexGrid.covering((-700.0, -900.0, 800.0, 1_000.0), size_m=size_m)
    xy = rng.uniform((-700, -900), (800, 1_000), (60, 2))
    got = grid.cell_of(xy)
    away = np.hypot(*(xy[:, None] - grid.centres()[None]).transpose(2, 0, 1))
    np.testing.assert_allclose(away[np.arange(60), got], away.min(axis=1), atol=1e-9)
    assert shapely.dwithin(grid.polygons(got), shapely.points(xy), 1e-6).all()


def test_hexagons_are_regular_and_tile_without_slits() -> None:
    grid = HexGrid.covering(BOUNDS, size_m=250.0)
    hexagons = grid.polygons(np.arange(len(grid)))
    assert shapely.area(hexagons) == pytest.approx(250**2 * np.sqrt(3) / 2)  # area from the flat-to-flat width
    assert shapely.area(hexagons) / 1e6 == pytest.approx(grid.cell_km2)
    west, _, east, _ = hexagons[0].bounds
    assert east - west == pytest.approx(250.0)
    joined = shapely.union_all(hexagons)
    assert joined.geom_type == "Polygon"
    assert len(joined.interiors) == 0
    assert joined.area == pytest.approx(shapely.area(hexagons).sum())
    assert shapely.covers(joined, shapely.box(*BOUNDS))
    assert shapely.is_ccw(shapely.get_exterior_ring(hexagons)).all()


def test_neighbouring_hexagons_share_a_side_and_lie_one_size_away() -> None:
    grid = HexGrid.covering((-600, -600, 600, 600), size_m=250.0)
    middle = grid.cell_of(np.array([(0.0, 0.0), (125.0, 210.0), (-130.0, -200.0)]))
    for cell in middle:
        away = grid.centres() - grid.centre(cell)
        six = np.flatnonzero((np.hypot(*away.T) > 1.0) & (np.hypot(*away.T) < 251.0))
        six = six[np.argsort(np.round(np.arctan2(away[six, 1], away[six, 0]), 6) % (2 * np.pi))]
        assert len(six) == 6
        offsets = away[six]
        assert np.hypot(*offsets.T) == pytest.approx(np.full(6, 250.0))
        assert np.degrees(np.arctan2(offsets[:, 1], offsets[:, 0])) % 360 == pytest.approx([0, 60, 120, 180, 240, 300])
        shared = shapely.intersection(grid.polygons(cell)[0], grid.polygons(six))
        assert shapely.length(shared) == pytest.approx(np.full(6, 250 / np.sqrt(3)))


def test_hexagon_ids_name_row_and_column_and_nowhere_is_no_cell() -> None:
    grid = HexGrid.covering((0, 0, 500, 500), size_m=250.0)
    assert grid.ids(grid.cell_of(np.array([(0.0, 0.0), (125.0, grid.pitch_m), (250.0, 0.0)]))).tolist() == [
        "h250mC0R0",
        "h250mC0R1",
        "h250mC1R0",
    ]
    assert grid.cell_of(np.array([(np.nan, 0.0), (0.0, -np.inf), (1e9, 0.0)])).tolist() == [-1, -1, -1]


@pytest.mark.parametrize("size", [0.0, -5.0, float("nan"), float("inf")])
def test_sizes_that_cannot_be_laid_out_are_refused(size) -> None:
    with pytest.raises(InputError, match="above 0"):
        Grid.covering(BOUNDS, cell_m=size)
    with pytest.raises(InputError, match="above 0"):
        HexGrid.covering(BOUNDS, size_m=size)


def test_bounds_and_margins_are_checked_and_size_is_limited() -> None:
    with pytest.raises(InputError, match="west, south, east, north"):
        Grid.covering((1, 0, 0, 1), cell_m=1)
    with pytest.raises(InputError, match="west, south, east, north"):
        Grid.covering((0, 0, float("nan"), 1), cell_m=1)
    with pytest.raises(InputError, match="margin"):
        Grid.covering(BOUNDS, cell_m=1, margin_m=-1)
    with pytest.raises(InputError, match="too many"):
        Grid.covering((0, 0, 1e7, 1e7), cell_m=10)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
@pytest.mark.slow
def test_covered_share_of_each_cell_equals_clipping_each_cell(seed) -> None:
    rng = np.random.default_rng(seed)
    grid = Grid.covering((0, 0, 200, 150), cell_m=10)
    discs = shapely.buffer(shapely.points(rng.uniform(-30, 230, (5, 2))), rng.uniform(2, 90, 5), quad_segs=3)
    area = shapely.difference(shapely.union_all(discs[:4]), shapely.box(40, 20, 60, 65.5))
    area = shapely.union_all([area, shapely.box(0, 100, 120, 130), shapely.box(150, 0, 150.5, 200)])
    expected = shapely.area(shapely.intersection(grid.polygons(np.arange(len(grid))), area)) / 100
    np.testing.assert_allclose(grid.fraction(area).ravel(), expected, atol=1e-9)


def test_covered_share_of_a_shape_that_misses_the_grid_is_nothing() -> None:
    assert Grid(0, 0, 10, 3, 4).fraction(shapely.box(500, 500, 600, 600)).tolist() == [[0.0] * 4] * 3


@pytest.mark.parametrize("reach", [1, 2, 9])
def test_growing_a_set_of_cells_is_a_square_maximum_filter(reach: int) -> None:
    from scipy.ndimage import maximum_filter

    cells = np.random.default_rng(reach).random((7, 5)) < 0.1
    expected = maximum_filter(cells, size=2 * reach + 1, mode="constant")
    assert np.array_equal(grown(cells, reach=reach), expected)
    assert not grown(np.zeros((1, 1), dtype=bool)).any()
