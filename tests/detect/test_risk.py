"""Risk: what people or other incidents explain is taken out, and what is unknown is said to be."""

import numpy as np
import pytest
import shapely

from pipeline.detect.kde import SCALE, density, density_from_bins, kde_grid
from pipeline.detect.risk import population_bins, risk_surface
from pipeline.errors import InputError

BOUNDS = (0.0, 0.0, 4_000.0, 4_000.0)
AREA = shapely.box(*BOUNDS)
GRID = kde_grid(BOUNDS, bandwidth_m=500.0)
INSIDE = GRID.fraction(AREA)
OPTIONS = {"grid": GRID, "bandwidth_m": 500.0, "edge": "uniform", "inside": INSIDE}


def lattice(step):
    at = np.arange(step / 2, 4_000, step)
    return np.column_stack([a.ravel() for a in np.meshgrid(at, at)])


def test_even_risk_is_one_number_everywhere_whatever_the_base() -> None:
    # The base is twice as dense in the east; each of it has 0.2 incidents.
    xy = lattice(100.0)
    weight = np.where(xy[:, 0] > 2_000, 10.0, 5.0)
    base = density(xy, weights=weight, **OPTIONS)
    incidents = density(xy, weights=weight / 5, **OPTIONS)
    ratio = risk_surface(incidents, base=base, per=10.0)
    assert ratio.overall_ratio == pytest.approx(0.2)
    assert ratio.value[ratio.known] == pytest.approx(np.full(ratio.known.sum(), 2.0), rel=1e-4)
    assert ratio.per == 10.0
    for measure in ("difference", "log_ratio"):
        even = risk_surface(incidents, base=base, measure=measure)
        assert np.abs(even.value).max() < 0.01
        assert even.per == 1.0


def test_doubled_risk_shows_by_its_factor_and_its_logarithm() -> None:
    # One incident per base in the west, two in the east: overall 1.5, so ratios 1 and 2, logs ln(2/3) and ln(4/3).
    xy = lattice(50.0)
    base = density(xy, **OPTIONS)
    incidents = density(xy, weights=np.where(xy[:, 0] > 2_000, 2.0, 1.0), **OPTIONS)
    cells = GRID.cell_of(np.array([[700.0, 2_000.0], [3_300.0, 2_000.0]]))
    got = {
        m: risk_surface(incidents, base=base, measure=m).value.ravel()[cells]
        for m in ("ratio", "difference", "log_ratio")
    }
    assert got["ratio"] == pytest.approx([1.0, 2.0], rel=1e-3)
    assert got["log_ratio"] == pytest.approx([np.log(2 / 3), np.log(4 / 3)], abs=1e-3)
    # 400 of the base per km2: 400 and 800 incidents against 600 expected.
    assert got["difference"] == pytest.approx([-200.0, 200.0], rel=5e-3)


def test_where_the_base_is_thin_nothing_is_said_and_nothing_is_nan() -> None:
    west = lattice(100.0)
    west = west[west[:, 0] < 1_500]
    incidents = density(lattice(200.0), **OPTIONS)
    base = density(west, **OPTIONS)
    for measure in ("ratio", "difference", "log_ratio"):
        risk = risk_surface(incidents, base=base, measure=measure)
        assert np.isfinite(risk.value).all()
        assert (risk.value[~risk.known] == 0).all()
        assert risk.floor_per_km2 == pytest.approx(0.05 * base.mean_inside_per_km2)
        east = GRID.cell_of(np.array([[3_500.0, 2_000.0]]))[0]
        assert not risk.known.ravel()[east]
        assert not risk.known[INSIDE == 0].any()
        assert risk.known.any()


def test_no_incidents_is_a_stated_low_and_never_minus_infinity() -> None:
    base = density(lattice(100.0), **OPTIONS)
    none = density(np.empty((0, 2)), **OPTIONS)
    for measure in ("ratio", "difference", "log_ratio"):
        assert np.abs(risk_surface(none, base=base, measure=measure).value).max() == 0.0
    # Incidents in one corner only: the far corner is floored at ln(floor / base).
    corner = density(np.array([[200.0, 200.0]]), **OPTIONS)
    risk = risk_surface(corner, base=base, measure="log_ratio", floor_per_km2=10.0)
    far = GRID.cell_of(np.array([[3_500.0, 3_500.0]]))[0]
    assert risk.value.ravel()[far] == pytest.approx(np.log(10 / 100), abs=0.01)  # the lattice is 100 per km2


def test_population_is_spread_over_its_area_and_kept() -> None:
    wards = [
        shapely.box(0, 0, 2_000, 4_000),
        shapely.box(2_000, 0, 4_000, 4_000).difference(shapely.Point(3_000, 2_000).buffer(500)),
    ]
    bins = population_bins(wards, [8_000, 30_000], grid=GRID)
    assert bins.sum() / SCALE == pytest.approx(38_000, rel=1e-6)
    cells = GRID.cell_of(np.array([[1_010.0, 1_010.0], [3_010.0, 2_010.0]]))
    # 8,000 over 8 km2 is 1,000 per km2, 2.5 in a 50 m cell; the hole holds nobody.
    assert (bins.ravel()[cells] / SCALE).tolist() == pytest.approx([2.5, 0.0])
    surface = density_from_bins(bins, grid=GRID, bandwidth_m=500.0, edge="uniform", inside=INSIDE)
    assert surface.density_per_km2.ravel()[cells[0]] == pytest.approx(1_000.0, rel=5e-3)
    outside = population_bins([shapely.box(90_000, 0, 91_000, 10)], [500], grid=GRID)
    assert outside.sum() == 0


def test_surfaces_that_cannot_be_compared_are_refused() -> None:
    xy = lattice(400.0)
    incidents = density(xy, **OPTIONS)
    other_grid = kde_grid(BOUNDS, bandwidth_m=400.0)
    with pytest.raises(InputError, match="same cells"):
        risk_surface(incidents, base=density(xy, grid=other_grid, bandwidth_m=400.0))
    with pytest.raises(InputError, match="smooth both alike"):
        risk_surface(incidents, base=density(xy, grid=GRID, bandwidth_m=500.0))
    with pytest.raises(InputError, match="base is empty"):
        risk_surface(incidents, base=density(np.empty((0, 2)), **OPTIONS))
    for change, words in (
        ({"measure": "odds"}, "ratio, difference, log_ratio"),
        ({"per": 0.0}, "above 0"),
        ({"floor_per_km2": 0.0}, "above 0"),
        ({"floor_per_km2": float("nan")}, "above 0"),
    ):
        with pytest.raises(InputError, match=words):
            risk_surface(incidents, base=incidents, **change)
    for people in ([1.0, 2.0], [-1.0], [float("nan")]):
        with pytest.raises(InputError, match="population must be"):
            population_bins([AREA], people, grid=GRID)
