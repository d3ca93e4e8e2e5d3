"""Bands: right ground, right levels, and none for a lone incident."""

import numpy as np
import pandas as pd
import pytest
import shapely
from pydantic import ValidationError

from pipeline.config import Density, DensityBands
from pipeline.detect.density import Band, bands, density_bands, lowered, mean_thresholds, patch_shapes, share_thresholds
from pipeline.detect.kde import density, kde_grid, peak_per_km2
from pipeline.errors import InputError
from pipeline.geography.grid import Grid

GRID = Grid(0.0, 0.0, 10.0, 61, 61)


def cone(peak=100.0, slope=0.5):
    """A cone whose level v is a circle of radius (peak - v) / slope round (305, 305)."""
    x, y = (GRID.centres() - 305.0).T
    return np.maximum(peak - slope * np.hypot(x, y), 0.0).reshape(GRID.shape)


def draw(values, levels, **options):
    settings = {"locations_per_km2": values, "location_peak_per_km2": 1e-3, "min_locations": 1, **options}
    return bands(values, grid=GRID, thresholds_per_km2=levels, **settings)


def test_bands_of_a_cone_are_rings_of_the_right_area() -> None:
    low, high = draw(cone(), [20.0, 60.0])
    assert (low.density_low, low.density_high) == (20.0, 60.0)
    assert (high.density_low, high.density_high) == (60.0, None)
    # Circles of radius 160 m and 80 m.
    assert low.geometry.area == pytest.approx(np.pi * (160**2 - 80**2), rel=0.01)
    assert high.geometry.area == pytest.approx(np.pi * 80**2, rel=0.01)
    assert shapely.area(shapely.intersection(low.geometry, high.geometry)) == pytest.approx(0.0, abs=1e-6)
    assert shapely.union(low.geometry, high.geometry).area == pytest.approx(np.pi * 160**2, rel=0.01)
    for band in (low, high):
        assert band.geometry.geom_type == "MultiPolygon"
        assert band.geometry.is_valid


def test_bands_are_cut_to_the_study_area_and_close_at_the_grids_end() -> None:
    half = shapely.box(305, 0, 610, 610)
    (band,) = draw(cone(), [20.0], within=half)
    assert band.geometry.area == pytest.approx(np.pi * 160**2 / 2, rel=0.01)
    assert shapely.covers(half.buffer(1e-6), band.geometry)
    (flat,) = draw(np.full(GRID.shape, 50.0), [20.0])
    assert flat.geometry.is_valid
    assert flat.geometry.area == pytest.approx(610 * 610, rel=0.05)


def test_the_minimum_of_locations_cuts_the_band() -> None:
    values = cone()
    # One location's peak is 10: eight of them reach where the cone of locations is 80 or more, radius 40 m.
    (band,) = draw(values, [20.0], location_peak_per_km2=10.0, min_locations=8)
    assert band.geometry.area == pytest.approx(np.pi * 40**2, rel=0.02)
    assert draw(values, [20.0], location_peak_per_km2=10.0, min_locations=11) == ()


@pytest.mark.parametrize("kernel", ["quartic", "gaussian", "triangular"])
@pytest.mark.parametrize("n", [1, 10, 500])
def test_one_address_makes_no_band_however_often(kernel, n) -> None:
    # The address sits on a cell centre, where the binned surface is highest.
    grid = kde_grid((0, 0, 3_000, 3_000), kernel=kernel, bandwidth_m=300.0)
    at = grid.centre(grid.cell_of(np.array([[1_500.0, 1_500.0]])))
    surface = density(at, weights=np.array([n]), grid=grid, kernel=kernel, bandwidth_m=300.0)
    places = density(at, grid=grid, kernel=kernel, bandwidth_m=300.0)
    levels = mean_thresholds(surface.mean_inside_per_km2)
    assert surface.density_per_km2.max() > 3 * levels[0]
    options = {
        "grid": grid,
        "thresholds_per_km2": levels,
        "locations_per_km2": places.density_per_km2,
        "location_peak_per_km2": peak_per_km2(kernel, 300.0),
    }
    assert bands(surface.density_per_km2, **options) == ()
    assert bands(surface.density_per_km2, **options, min_locations=2) == ()
    assert len(bands(surface.density_per_km2, **options, min_locations=1)) > 0


def test_a_real_crowd_of_addresses_makes_a_band_where_the_crowd_is() -> None:
    grid = kde_grid((0, 0, 6_000, 6_000), bandwidth_m=400.0)
    rng = np.random.default_rng(0)
    xy = np.concatenate((rng.normal((2_000, 2_000), 80, (40, 2)), rng.uniform(0, 6_000, (10, 2))))
    surface = density(xy, grid=grid, bandwidth_m=400.0)
    drawn = bands(
        surface.density_per_km2,
        grid=grid,
        thresholds_per_km2=mean_thresholds(50 / 36, multiples=(3,)),
        locations_per_km2=surface.density_per_km2,
        location_peak_per_km2=peak_per_km2("quartic", 400.0),
    )
    assert len(drawn) == 1
    assert shapely.get_num_geometries(drawn[0].geometry) == 1
    assert drawn[0].geometry.centroid.distance(shapely.Point(2_000, 2_000)) < 50


def box(*corners):
    return shapely.MultiPolygon([shapely.box(*corners)])


def holding(fewest, places, bands_):
    """Say which patches hold at least so many of the places."""
    points, pieces = shapely.points(places), shapely.get_parts(bands_)

    def enough(patch, piece):
        patches = patch_shapes(pieces[piece], patch)
        return np.array([shapely.contains(p, points).sum() >= fewest for p in patches], dtype=bool)

    return enough


def test_ground_on_too_few_is_drawn_in_the_band_below() -> None:
    """A square of three rings: 6 places inside the outer edge, 4 inside the middle one, 1 inside the inner one."""
    rings = [(0, 0, 90, 90), (30, 30, 60, 60), (40, 40, 50, 50)]
    bands_ = [box(*rings[0]) - box(*rings[1]), box(*rings[1]) - box(*rings[2]), box(*rings[2])]
    places = [(5, 5), (80, 80), (35, 35), (55, 35), (35, 55), (45, 45)]
    sizes = {
        fewest: [shape.area for shape in lowered(np.array(bands_), holding(fewest, places, bands_))]
        for fewest in (1, 2, 4, 5, 7)
    }
    assert sizes == {
        1: [8100 - 900, 900 - 100, 100],
        2: [8100 - 900, 900, 0],
        4: [8100 - 900, 900, 0],
        5: [8100, 0, 0],
        7: [0, 0, 0],
    }
    (whole,) = [shape for shape in lowered(np.array(bands_), holding(5, places, bands_)) if not shape.is_empty]
    assert [len(part.interiors) for part in whole.geoms] == [0]  # no hole says where the few are
    assert all(shape.is_valid for shape in lowered(np.array(bands_), holding(2, places, bands_)))


def test_a_patch_apart_is_judged_by_itself() -> None:
    ring, far = shapely.box(0, 0, 30, 30) - shapely.box(10, 10, 20, 20), shapely.box(100, 0, 130, 30)
    bands_ = [shapely.MultiPolygon([ring, far]), box(10, 10, 20, 20)]
    low, high = lowered(np.array(bands_), holding(2, [(5, 5), (15, 15), (110, 10)], bands_))
    assert low.area == 900
    assert high.is_empty
    assert not low.intersects(far)


def test_nothing_in_an_outline_says_that_a_patch_was_drawn_in_the_band_below() -> None:
    """Neither the order of patches nor where their rings begin: the bytes are those of a band that never had a core."""
    west, east = shapely.box(0.00004, 0, 30, 30), shapely.box(200, 0, 230, 30)  # a corner off the grid
    core, ring = shapely.box(110, 10, 120, 20), shapely.box(100, 0, 130, 30) - shapely.box(110, 10, 120, 20)
    places = [(x, 5 + i) for x in (5, 105, 205) for i in range(3)]
    cored = [shapely.MultiPolygon([ring, east, west]), shapely.MultiPolygon([core])]
    plain = [shapely.MultiPolygon([east, shapely.box(100, 0, 130, 30), west]), shapely.MultiPolygon()]
    drawn = [lowered(np.array(bands_), holding(2, places, bands_)) for bands_ in (cored, plain)]
    assert drawn[0][1].is_empty
    assert drawn[0][0].wkb == drawn[1][0].wkb


@pytest.mark.slow
def test_levels_that_meet_at_a_corner_give_valid_shapes() -> None:
    saddle = np.zeros(GRID.shape)
    saddle[10:20, 10:20] = saddle[20:30, 20:30] = 40.0
    checks = np.indices(GRID.shape).sum(axis=0) % 2 * 30.0
    for values in (saddle, checks, saddle + checks):
        for band in draw(values, [15.0, 20.0]):
            assert band.geometry.is_valid
            assert not band.geometry.is_empty


def test_same_surface_same_bytes() -> None:
    one, two = (draw(cone() + np.random.default_rng(1).normal(0, 3, GRID.shape), [20.0, 40.0]) for _ in range(2))
    assert [b.geometry.wkb for b in one] == [b.geometry.wkb for b in two]
    assert all(isinstance(b, Band) for b in one)


def test_thresholds() -> None:
    assert mean_thresholds(2.0, multiples=(3, 1, 5)) == (2.0, 6.0, 10.0)
    assert mean_thresholds(0.0) == ()
    for bad in (-1.0, float("nan")):
        with pytest.raises(InputError, match="mean density"):
            mean_thresholds(bad)
    with pytest.raises(InputError, match="above 0"):
        mean_thresholds(1.0, multiples=(0.0,))


def test_no_levels_no_incidents_and_levels_above_the_peak_give_no_bands() -> None:
    assert draw(cone(), []) == ()
    assert draw(np.zeros(GRID.shape), [1.0]) == ()
    assert draw(cone(), [101.0]) == ()


@pytest.mark.parametrize(
    ("values", "levels", "options", "words"),
    [
        (np.zeros((2, 2)), [1.0], {}, "shape"),
        (np.full(GRID.shape, np.nan), [1.0], {}, "finite"),
        (cone(), [2.0, 1.0], {}, "ascending"),
        (cone(), [0.0, 1.0], {}, "above 0"),
        (cone(), [1.0], {"min_locations": 0}, "min_locations"),
        (cone(), [1.0], {"location_peak_per_km2": 0.0}, "peak"),
        (cone(), [1.0], {"locations_per_km2": np.zeros((3, 3))}, "location density"),
    ],
)
def test_unusable_arguments_are_named(values, levels, options, words) -> None:
    with pytest.raises(InputError, match=words):
        draw(values, levels, **options)


def test_levels_of_shares_of_a_cone() -> None:
    # A cone of height P over radius R holds pi R^2 P / 3. Above the level at radius r = u R lie pi r^2 P - 2/3 pi P r^3
    # / R: the share 3 u^2 - 2 u^3. Half is at u = 1/2, a quarter at u = 0.32635 and three quarters at 1 - 0.32635.
    surface = cone()
    levels = share_thresholds(surface, inside=np.ones(GRID.shape), shares_pct=(25, 50, 75))
    assert levels == pytest.approx((100 * (1 - 0.32635), 50, 32.635), abs=1)
    # Half of a cone has the same levels, and so has a cone in a wider country.
    columns = np.where(np.arange(GRID.cols) < 30, 1.0, np.where(np.arange(GRID.cols) == 30, 0.5, 0.0))
    half = np.repeat(columns[None], GRID.rows, axis=0)
    assert share_thresholds(surface, inside=half, shares_pct=(25, 50, 75)) == pytest.approx(levels, abs=0.5)
    wide = np.pad(surface, 200)
    assert share_thresholds(wide, inside=np.ones(wide.shape), shares_pct=(25, 50, 75)) == levels
    assert share_thresholds(np.zeros(GRID.shape), inside=np.ones(GRID.shape), shares_pct=(50,)) == ()
    for bad in (0, 100, -1, float("nan")):
        with pytest.raises(InputError, match="under 100"):
            share_thresholds(surface, inside=half, shares_pct=(bad,))


def town(width_m, min_locations=5, **bands_):
    """The bands of one town of 600 incidents, 3 km from every border, with open country to the east of it."""
    rng = np.random.default_rng(4)
    xy = rng.normal((4_000, 4_000), 400, (600, 2))
    places = pd.DataFrame(xy, columns=["easting_m", "northing_m"]).assign(incidents=1, categories="", month=202405)
    return density_bands(
        places, study_area=shapely.box(0, 0, width_m, 8_000), crs="EPSG:27700", bandwidth_m=500.0, categories=["all"],
        settings=Density.model_validate({"bands": bands_}), min_locations=min_locations,
    )  # fmt: skip


def test_empty_country_moves_no_band_of_shares_and_every_band_of_means() -> None:
    near, far = town(8_000), town(24_000)
    assert near.bands["share_pct"].tolist() == [75, 50, 25, 10]
    pd.testing.assert_frame_equal(near.bands.drop(columns="geometry"), far.bands.drop(columns="geometry"))
    assert near.bands.geometry.symmetric_difference(far.bands.geometry).area.max() < 1.0
    for by, same in (("per_km2", True), ("mean", False)):
        limits = {"by": by, "limits": [50, 100]} if by == "per_km2" else {"by": by}
        one, other = (town(width, **limits).bands for width in (8_000, 24_000))
        assert one["share_pct"].isna().all()
        assert (one["density_low"].tolist() == other["density_low"].tolist()) is same


def test_bands_of_shares_hold_their_share_of_incidents_and_more() -> None:
    """Counted inside the outlines: smoothing moves incidents outwards, so more lie inside than the volume says."""
    rng = np.random.default_rng(4)
    points = shapely.points(rng.normal((4_000, 4_000), 400, (600, 2)))
    drawn = town(8_000).bands
    for share, low in zip(drawn["share_pct"], drawn["density_low"], strict=True):
        above = shapely.union_all(drawn.geometry[drawn["density_low"] >= low].to_numpy(), grid_size=0.1)
        assert share - 2 < 100 * shapely.intersects(above, points).mean() < share + 25


def test_a_band_that_is_drawn_in_part_is_not_named_after_its_share() -> None:
    # 60 places at one spot are 60 x 3 / (pi 0.5^2) = 229 per km2: of the band of 75 %, from 120 on, much is not drawn.
    drawn = town(8_000, min_locations=60).bands
    assert drawn["share_pct"].isna().tolist()[0]
    assert drawn["share_pct"].tolist()[-1] == 10


def test_what_a_band_rests_on_is_said_as_it_is() -> None:
    # The quartic's least density of places is 5 x 3 / (pi h^2): 5 at one spot, or 15 spread evenly over pi h^2.
    assert "A band needs 5 places close together, or about 15 spread over its reach." in town(8_000).note
    assert "hold 10, 25, 50 and 75% of all" in town(8_000).note


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"by": "per_km2"}, "limits are needed"),
        ({"limits": [50, 100]}, "under 100"),
        ({"limits": [0]}, "greater than 0"),
    ],
)
def test_limits_that_cannot_be_used_are_refused(given, words) -> None:
    with pytest.raises(ValidationError, match=words):
        DensityBands.model_validate(given)
