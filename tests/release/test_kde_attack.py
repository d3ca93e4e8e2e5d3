"""The released surface as a weapon: deconvolve it, or subtract two releases, and try to find single incidents."""

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from scipy.optimize import nnls
from scipy.spatial import cKDTree

from pipeline.release.calendar import Before
from pipeline.release.earlier_releases import EarlierRelease, as_earlier_release
from pipeline.release.gate import Detected, release
from pipeline.release.released import Released
from tests.kit.gated import X0, Y0, config_of, detected_of

pytestmark = pytest.mark.slow

SIDE = 12  # kilometres
HEADLINE = "2024-01..2024-12"
BANDWIDTH_M = 800.0
PUBLIC = {"name": "public", "audience": "public", "threshold": 10, "borough_period": "fixed",
          "hotspots": False}  # fmt: skip
LATE = np.array([X0 + 2_713.0, Y0 + 6_391.0])


def places() -> tuple[np.ndarray, np.ndarray]:
    """3,000 incidents about centres in the west, and 20 in the east with nothing within a kilometre of each."""
    rng = np.random.default_rng(8)
    centres = rng.uniform([500, 500], [5_500, 11_500], size=(14, 2))
    west = centres[rng.integers(0, 14, size=3_000)] + rng.normal(scale=450, size=(3_000, 2))
    west = west[(west > 1).all(axis=1) & (west[:, 0] < 6_400) & (west[:, 1] < 11_999)]
    lone = np.array(
        [(x, y) for x in (7_550.0, 9_050.0, 10_550.0, 11_600.0) for y in (900.0, 3_300.0, 5_700.0, 8_100.0, 10_500.0)]
    )
    corner = np.array([X0, Y0])
    return west + corner, lone + rng.uniform(-200, 200, lone.shape) + corner


def town(xy: np.ndarray) -> Detected:
    wards = {f"B{r:02d}W{c:02d}": f"B{r:02d}" for r in range(SIDE) for c in range(SIDE)}
    cell = ((xy - [X0, Y0]) // 1_000).astype(int)
    codes = [f"B{r:02d}W{c:02d}" for c, r in cell]
    counts = {(code, 202406, "all"): (int(n), 0, 0) for code, n in pd.Series(codes).value_counts().items()}
    frame = pd.DataFrame(
        {"easting_m": xy[:, 0], "northing_m": xy[:, 1], "ward_code": codes, "incidents": 1, "month": 202406}
    )
    frame["borough_code"] = frame["ward_code"].str[:3]
    frame["categories"] = ""
    return detected_of(
        wards,
        counts,
        np.random.default_rng(0),
        locations=lambda _: frame,
        bandwidth_m=BANDWIDTH_M,
        has_points=True,
    )


def let_out(detected: Detected, previous: tuple[EarlierRelease, ...] = (), **rule: object) -> Released:
    config = config_of(
        [{**PUBLIC, **rule}], detect={"gistar": {"enabled": False}, "density": {"bandwidth_m": BANDWIDTH_M}}
    )
    return release(detected, profile=config.profiles[0], config=config, before=Before(previous))


@pytest.fixture(scope="module")
def first() -> Released:
    return let_out(town(np.vstack(places())))


def quartic(points: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Incidents per square kilometre at points from one incident at each source: 3/(pi h2) (1 - d2/h2)2."""
    d2 = ((points[:, None, :] - sources[None, :, :]) ** 2).sum(axis=2) / BANDWIDTH_M**2
    return np.where(d2 < 1, 3 / (np.pi * (BANDWIDTH_M / 1_000) ** 2) * (1 - d2) ** 2, 0.0)


def samples(density: gpd.GeoDataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Points where the surface is known: along the contours its value is printed."""
    points, values = [], []
    for low, shape in zip(density["density_low"], density.geometry, strict=True):
        line = shapely.boundary(shape)
        for part in shapely.get_parts(line):
            for metres in np.arange(0, part.length, 150.0):
                points.append(shapely.get_coordinates(part.interpolate(metres))[0])
                values.append(low)
    return np.array(points), np.array(values)


def test_deconvolution_finds_no_single_incident(first: Released) -> None:
    density = first.density
    assert len(density) >= 3
    points, values = samples(density)
    x, y = np.meshgrid(np.arange(0, 12_001, 250.0), np.arange(0, 12_001, 250.0))
    sources = np.column_stack([x.ravel() + X0, y.ravel() + Y0])
    near = cKDTree(points).query(sources)[0] < BANDWIDTH_M
    sources = sources[near]
    chosen = np.random.default_rng(0).permutation(len(points))[:900]
    weight, _ = nnls(quartic(points[chosen], sources), values[chosen])
    guesses = sources[np.argsort(-weight)[:60]]
    west, lone = places()
    everything = np.vstack([west, lone])
    reach = 50.0
    hits = (cKDTree(everything).query(guesses)[0] < reach).mean()
    # Somebody who only looks at the bands and points anywhere inside the densest does as well.
    dense = density.sort_values("density_low").geometry.iloc[-3:].union_all()
    rng = np.random.default_rng(1)
    low, high = np.array(dense.bounds[:2]), np.array(dense.bounds[2:])
    blind = rng.uniform(low, high, size=(4_000, 2))
    blind = blind[shapely.intersects_xy(dense, blind[:, 0], blind[:, 1])]
    by_chance = (cKDTree(everything).query(blind)[0] < reach).mean()
    assert hits <= by_chance + 0.15, (hits, by_chance)
    # Nothing is drawn about an incident that stands alone, and none of them is among the guesses.
    assert not shapely.intersects(density.geometry.union_all(), shapely.points(lone)).any()
    assert cKDTree(guesses).query(lone)[0].min() > BANDWIDTH_M / 2


def found_by_subtraction(one: Released, other: Released) -> np.ndarray | None:
    """Where the innermost contours of two releases differ most; thresholds move with the mean, places do not."""
    pairs = list(zip(one.density.geometry, other.density.geometry, strict=True))
    apart = [a.symmetric_difference(b) for a, b in pairs]
    moved = [(shapely.area(d), d) for shape in apart for d in shapely.get_parts(shape) if shapely.area(d) > 1.0]
    return None if not moved else shapely.get_coordinates(shapely.centroid(max(moved, key=lambda m: m[0])[1]))[0]


def test_subtracting_two_releases_finds_nothing(first: Released) -> None:
    west, lone = places()
    more = town(np.vstack([west, lone, LATE]))
    alone = let_out(more)
    careless = found_by_subtraction(first, alone)
    assert careless is not None  # two versions side by side do differ where a record came late
    together = let_out(more, (as_earlier_release(first),))
    assert found_by_subtraction(first, together) is None
    assert "as first released" in together.info.density_note


def test_no_surface_from_few_incidents() -> None:
    west, _ = places()
    few = let_out(town(west[:1_900]))
    assert len(few.density) == 0
    assert "2,000" in few.info.density_note


def test_another_folder_of_other_records_shows_no_surface(first: Released) -> None:
    west, lone = places()
    more = town(np.vstack([west, lone, LATE]))
    other = let_out(more, (as_earlier_release(first),), name="public-b")
    assert len(other.density) == 0
    same = let_out(dataclasses.replace(town(np.vstack([west, lone]))), (as_earlier_release(first),), name="public-c")
    assert len(same.density) == len(first.density)


def test_patches_need_addresses(first: Released) -> None:
    from pipeline.release.hotspots import Premises

    west, lone = places()
    crowded = np.random.default_rng(3).uniform([X0, Y0], [X0 + 12_000, Y0 + 5_000], size=(4_000, 2))
    detected = dataclasses.replace(town(np.vstack([west, lone])), premises=Premises(crowded))
    north = shapely.box(X0, Y0 + 5_900, X0 + 12_000, Y0 + 12_000)
    shown = let_out(detected).density.geometry.union_all()
    before = first.density.geometry.union_all()
    assert before.intersection(north).area > 0
    patches = shapely.get_parts(shown)
    assert all(shapely.intersects_xy(p, crowded[:, 0], crowded[:, 1]).sum() >= 8 for p in patches)
    assert shown.area < before.area
