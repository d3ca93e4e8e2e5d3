"""Projection rules: what is refused, by what words, and that every input takes one road."""

import warnings

import numpy as np
import pytest
import shapely

from pipeline.errors import ConfigError, InputError
from pipeline.geography.projection import (
    LONLAT,
    crs_label,
    operation_name,
    project,
    project_geometries,
    same_crs,
    source_crs,
    to_lonlat,
    transformer,
    utm_for,
    working_crs,
)


@pytest.mark.parametrize("text", ["EPSG:27700", "EPSG:32630", "EPSG:3035", "EPSG:26913", "EPSG:7405"])
def test_projected_systems_in_metres_will_do(text) -> None:
    assert working_crs(text).is_projected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("EPSG:4326", "not projected"),
        ("EPSG:2232", "US survey foot"),
        ("EPSG:3857", "stretches distances"),
        ("EPSG:9999999", "not a coordinate system"),
        ("bng", "not a coordinate system"),
    ],
)
def test_other_systems_are_refused_with_the_reason(text, words) -> None:
    with pytest.raises(ConfigError, match=words):
        working_crs(text)


def test_the_utm_zone_of_the_data_is_suggested() -> None:
    with pytest.raises(ConfigError, match="EPSG:32630"):
        working_crs("EPSG:4326", near_lonlat=(-0.13, 51.5))
    with pytest.raises(ConfigError, match="EPSG:32613"):  # from where Colorado's system is used
        working_crs("EPSG:2232")


@pytest.mark.parametrize(
    ("lon", "lat", "zone"),
    # Zones by the UTM definition: Sydney 56 S, Los Angeles 11 N, the antimeridian 60 and 1.
    [(151.2, -33.9, 32756), (-118.2, 34.1, 32611), (180.0, 10.0, 32660), (-180.0, 10.0, 32601), (0.0, 0.0, 32631)],
)
def test_utm_zones(lon, lat, zone) -> None:
    assert utm_for(lon, lat) == f"EPSG:{zone}"


def test_a_place_off_the_globe_has_no_zone() -> None:
    with pytest.raises(InputError, match="globe"):
        utm_for(530_000, 180_000)


def test_projection_agrees_with_a_surveyed_place_within_the_stated_accuracy() -> None:
    # Ordnance Survey's worked example (Guide to coordinate systems, OSTN02): Caister water tower,
    # ETRS89 52 39 28.8282 N 1 42 57.8663 E = OSGB36 651409.792 E 313177.448 N.
    lonlat = np.array([[1 + 42 / 60 + 57.8663 / 3600, 52 + 39 / 60 + 28.8282 / 3600]])
    got = project(lonlat, source=LONLAT, working="EPSG:27700")
    assert np.hypot(*(got - (651409.792, 313177.448)).T)[0] < 5.0


def test_projection_agrees_with_the_published_example_to_the_millimetre() -> None:
    # The same guide, annex C: on the OSGB36 datum itself, 52 39 27.2531 N 1 43 4.5177 E = 651409.903 E 313177.270 N.
    lonlat = np.array([[1 + 43 / 60 + 4.5177 / 3600, 52 + 39 / 60 + 27.2531 / 3600]])
    got = project(lonlat, source="EPSG:4277", working="EPSG:27700")
    np.testing.assert_allclose(got, [[651409.903, 313177.270]], atol=0.002)


def test_there_and_back_is_the_same_place() -> None:
    rng = np.random.default_rng(0)
    lonlat = rng.uniform((-0.5, 51.3), (0.3, 51.7), (200, 2))
    metres = project(lonlat, source=LONLAT, working="EPSG:27700")
    np.testing.assert_allclose(to_lonlat(metres, working="EPSG:27700"), lonlat, atol=3e-8)


def test_points_and_boundaries_take_the_same_road() -> None:
    rng = np.random.default_rng(1)
    lonlat = rng.uniform((-0.5, 51.3), (0.3, 51.7), (20, 2))
    metres = project(lonlat, source=LONLAT, working="EPSG:27700")
    line = np.array([shapely.linestrings(np.column_stack((lonlat, np.arange(20))))], dtype=object)
    moved = project_geometries(line, source=LONLAT, working="EPSG:27700")
    np.testing.assert_array_equal(shapely.get_coordinates(moved), metres)
    assert not shapely.has_z(moved).any()
    np.testing.assert_allclose(shapely.get_coordinates(to_lonlat(moved, working="EPSG:27700")), lonlat, atol=3e-8)
    assert shapely.get_coordinates(line).tolist() == lonlat.tolist()


def test_places_beyond_reach_become_no_place_and_the_rest_stay() -> None:
    xy = np.array([[-0.1, 51.5], [np.nan, 51.5], [0.0, np.inf], [400.0, 95.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = project(xy, source=LONLAT, working="EPSG:27700")
    assert np.isfinite(got).all(axis=1).tolist() == [True, False, False, False]
    assert np.isnan(got[1:]).all()


def test_feet_become_metres() -> None:
    # The survey foot is 1200/3937 m; along the central meridian both scales are the projection's own, so a mile apart
    # in feet is 1609.347 m apart within the scale difference of the two projections (under 0.1 %).
    feet = np.array([[3_140_000.0, 1_690_000.0], [3_140_000.0, 1_695_280.0]])
    metres = project(feet, source="EPSG:2232", working="EPSG:26913")
    assert np.hypot(*(metres[1] - metres[0])) == pytest.approx(5280 * 1200 / 3937, rel=1e-3)


def test_the_same_system_changes_nothing_but_copies() -> None:
    xy = np.array([[530_000.0, 180_000.0]])
    got = project(xy, source="EPSG:27700", working="EPSG:27700")
    assert got.tolist() == xy.tolist()
    assert got is not xy
    assert operation_name("EPSG:27700", "EPSG:27700").startswith("none")


def test_the_operation_is_one_and_named_with_its_accuracy() -> None:
    assert transformer(LONLAT, "EPSG:27700") is transformer(LONLAT, "EPSG:27700")
    name = operation_name(LONLAT, "EPSG:27700")
    assert "British National Grid" in name
    assert "accuracy" in name


def test_two_systems_are_compared_by_meaning() -> None:
    wkt = source_crs("EPSG:27700", what="wards").to_wkt("WKT1_ESRI")
    assert same_crs(wkt, "EPSG:27700")
    assert same_crs("OGC:CRS84", LONLAT)
    assert not same_crs("EPSG:32630", "EPSG:27700")
    assert crs_label(wkt) == "EPSG:27700"


def test_unknown_sources_and_shapes_are_refused() -> None:
    with pytest.raises(InputError, match=r"wards.shp.*EPSG:1"):
        source_crs("EPSG:1", what="wards.shp")
    with pytest.raises(InputError, match="shape"):
        project(np.array([1.0, 2.0]), source=LONLAT, working="EPSG:27700")


def test_a_guess_of_a_hundred_metres_is_refused() -> None:
    # From a bare sphere PROJ knows only a "ballpark" offset to the British datum.
    with pytest.raises(InputError, match=r"may be 100 m off"):
        transformer("+proj=longlat +R=6371000 +no_defs +type=crs", "EPSG:27700")
