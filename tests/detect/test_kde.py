"""Density: the arithmetic, the promises about mass, and what unusable input gives."""

import hypothesis.strategies as st
import numpy as np
import pytest
import shapely
from hypothesis import given, settings

from pipeline.detect.kde import (
    KERNELS,
    SCALE,
    bin_discs,
    bin_linear,
    density,
    density_from_bins,
    kde_grid,
    kernel_per_m2,
    peak_per_km2,
    reach_m,
)
from pipeline.errors import InputError
from pipeline.geography.grid import Grid

BOUNDS = (0.0, 0.0, 6_000.0, 5_000.0)
RNG = np.random.default_rng


def clustered(n, seed=0):
    rng = RNG(seed)
    centres = rng.uniform((1_000, 1_000), (5_000, 4_000), (6, 2))
    xy = centres[rng.integers(0, 6, n)] + rng.normal(0, 350, (n, 2))
    return np.clip(xy, (1, 1), (5_999, 4_999))


# --- kernels


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_integrate_to_one_and_stop_at_their_reach(kernel) -> None:
    from scipy.integrate import quad

    h = 130.0
    mass, _ = quad(lambda r: 2 * np.pi * r * kernel_per_m2(r, kernel=kernel, bandwidth_m=h), 0, reach_m(kernel, h))
    assert mass == pytest.approx(1.0, abs=1e-9)
    assert kernel_per_m2(reach_m(kernel, h) * 1.0001, kernel=kernel, bandwidth_m=h) == 0.0


def test_kernel_values_worked_by_hand() -> None:
    # At half the radius of 1 km, per km2: quartic 3/pi (1 - 1/4)^2, Epanechnikov 2/pi (1 - 1/4), triangular 3/pi / 2.
    half = {k: float(kernel_per_m2(500.0, kernel=k, bandwidth_m=1000.0)) * 1e6 for k in KERNELS}
    assert half["quartic"] == pytest.approx(0.537148, abs=1e-6)
    assert half["epanechnikov"] == pytest.approx(0.477465, abs=1e-6)
    assert half["triangular"] == pytest.approx(0.477465, abs=1e-6)
    assert half["uniform"] == pytest.approx(0.318310, abs=1e-6)
    # exp(-1/8) / (2 pi), over the 1 - exp(-8) that lies within four deviations.
    assert half["gaussian"] == pytest.approx(0.140453 / (1 - 0.000335463), abs=1e-6)
    assert peak_per_km2("quartic", 500.0) == pytest.approx(3 / (np.pi * 0.25))


# --- binning


def test_one_point_is_shared_between_four_centres() -> None:
    grid = Grid(0.0, 0.0, 10.0, 3, 3)
    # A quarter east and half north of the first centre (5, 5): shares 3/8, 1/8 below, 3/8, 1/8 above.
    bins = bin_linear(np.array([[7.5, 10.0]]), grid=grid)
    assert (bins / SCALE).tolist() == [[0.375, 0.125, 0], [0.375, 0.125, 0], [0, 0, 0]]
    assert bins.dtype == np.int64


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 300))
def test_bins_keep_every_incident_and_add_up_in_any_order(seed, n) -> None:
    rng = RNG(seed)
    xy = rng.uniform((0, 0), (6_000, 5_000), (n, 2))
    weight = rng.integers(0, 9, n)
    grid = Grid.covering(BOUNDS, cell_m=70, margin_m=140)
    whole = bin_linear(xy, grid=grid, weights=weight)
    assert whole.sum() == weight.sum() * SCALE
    order, cut = rng.permutation(n), int(rng.integers(0, n + 1))
    parts = [bin_linear(xy[part], grid=grid, weights=weight[part]) for part in (order[:cut], order[cut:])]
    np.testing.assert_array_equal(parts[0] + parts[1], whole)
    np.testing.assert_array_equal(bin_linear(np.repeat(xy, weight, axis=0), grid=grid), whole)


def test_discs_are_counted_exactly() -> None:
    rng = RNG(3)
    grid = Grid.covering(BOUNDS, cell_m=100, margin_m=400)
    xy = np.concatenate((rng.uniform((0, 0), (6_000, 5_000), (200, 2)), [[50.0, 50.0]]))  # the last sits on a centre
    weight = rng.integers(0, 5, len(xy))
    got = bin_discs(xy, grid=grid, radius_m=300.0, weights=weight) / SCALE
    away = np.hypot(*(grid.centres()[:, None] - xy[None]).transpose(2, 0, 1))
    np.testing.assert_array_equal(got.ravel(), (away <= 300.0) @ weight)


# --- surfaces


@pytest.mark.parametrize("kernel", KERNELS)
def test_no_mass_is_lost_over_the_grown_grid(kernel) -> None:
    xy = clustered(500)
    grid = kde_grid(BOUNDS, kernel=kernel, bandwidth_m=400.0)
    surface = density(xy, grid=grid, kernel=kernel, bandwidth_m=400.0)
    # The uniform disc holds a whole number of centres, up to 1 % from its area; the others are within 0.1 %.
    assert surface.mass == pytest.approx(500, rel=0.02 if kernel == "uniform" else 1e-3)
    assert (surface.density_per_km2 >= 0).all()
    assert surface.incidents == 500
    assert surface.notes == ()


def test_density_scales_with_weights_and_does_not_depend_on_row_order() -> None:
    xy = clustered(300)
    grid = kde_grid(BOUNDS, bandwidth_m=500.0)
    one = density(xy, grid=grid, bandwidth_m=500.0).density_per_km2
    np.testing.assert_array_equal(density(xy[::-1], grid=grid, bandwidth_m=500.0).density_per_km2, one)
    three = density(xy, grid=grid, bandwidth_m=500.0, weights=np.full(300, 3)).density_per_km2
    np.testing.assert_allclose(three, 3 * one, rtol=1e-9, atol=1e-9)


def test_points_and_bins_give_the_same_surface() -> None:
    xy = clustered(300)
    grid = kde_grid(BOUNDS, bandwidth_m=500.0)
    bins = bin_linear(xy[:100], grid=grid) + bin_linear(xy[100:], grid=grid)
    from_bins = density_from_bins(bins, grid=grid, bandwidth_m=500.0)
    np.testing.assert_array_equal(from_bins.density_per_km2, density(xy, grid=grid, bandwidth_m=500.0).density_per_km2)
    assert "4 %" in density_from_bins(bins, grid=grid, bandwidth_m=500.0, kernel="uniform").notes[0]


@pytest.mark.parametrize("kernel", ["quartic", "gaussian", "triangular"])
@pytest.mark.parametrize("source", ["points", "bins"])
def test_diggle_keeps_the_mass_inside_an_irregular_area(kernel, source) -> None:
    area = shapely.difference(shapely.box(100, 100, 5_900, 4_900), shapely.Point(3_000, 2_500).buffer(700))
    grid = kde_grid(BOUNDS, kernel=kernel, bandwidth_m=400.0)
    inside = grid.fraction(area)
    xy = RNG(5).uniform((100, 100), (5_900, 4_900), (3_000, 2))
    xy = xy[shapely.intersects_xy(area, *xy.T)]
    options = {"grid": grid, "kernel": kernel, "bandwidth_m": 400.0, "edge": "diggle", "inside": inside}
    surface = density(xy, **options) if source == "points" else density_from_bins(bin_linear(xy, grid=grid), **options)
    assert surface.mass == pytest.approx(len(xy), rel=2e-3)
    uncorrected = density(xy, grid=grid, kernel=kernel, bandwidth_m=400.0, inside=inside)
    lost = (uncorrected.density_per_km2 * inside).sum() * grid.cell_km2
    assert lost < 0.97 * len(xy)  # without the correction over 3 % leak out


def test_uniform_correction_makes_even_incidents_even_up_to_the_edge() -> None:
    # Incidents on every 50 m of a square: 400 per km2 everywhere, the edge and corners included.
    grid = kde_grid((0, 0, 3_000, 3_000), bandwidth_m=500.0)
    inside = grid.fraction(shapely.box(0, 0, 3_000, 3_000))
    step = np.arange(25.0, 3_000, 50.0)
    xy = np.column_stack([a.ravel() for a in np.meshgrid(step, step)])
    options = {"grid": grid, "bandwidth_m": 500.0, "inside": inside}
    even = density(xy, edge="uniform", **options).density_per_km2[inside == 1]
    assert even == pytest.approx(np.full(even.shape, 400.0), rel=5e-3)
    plain = density(xy, **options).density_per_km2[inside == 1]
    assert plain.min() < 150  # about a quarter in the corners
    assert density(xy, edge="uniform", **options).mean_inside_per_km2 == pytest.approx(400.0, rel=5e-3)


def test_corrected_surfaces_stay_in_the_study_area() -> None:
    grid = kde_grid((0, 0, 2_000, 2_000), bandwidth_m=400.0)
    inside = grid.fraction(shapely.box(0, 0, 2_000, 2_000))
    surface = density(np.array([[10.0, 1_000.0]]), grid=grid, bandwidth_m=400.0, edge="uniform", inside=inside)
    centre_x = grid.centres()[:, 0].reshape(grid.shape)
    assert surface.density_per_km2[centre_x < -grid.cell_m].max() == 0.0
    assert surface.density_per_km2.max() > 0


# --- what cannot be used


def test_no_incidents_and_zero_weights_give_zeros_and_a_note() -> None:
    grid = kde_grid(BOUNDS, bandwidth_m=400.0)
    for xy, weight in ((np.empty((0, 2)), None), (clustered(3), np.zeros(3))):
        surface = density(xy, grid=grid, bandwidth_m=400.0, weights=weight)
        assert surface.density_per_km2.max() == 0.0
        assert surface.notes == ("No incidents: the density is zero everywhere.",)
        assert surface.mean_inside_per_km2 == 0.0


def test_one_place_is_a_kernel_and_says_so() -> None:
    grid = kde_grid(BOUNDS, bandwidth_m=500.0)
    at = grid.centre(grid.cell_of(np.array([[3_000.0, 2_500.0]])))
    surface = density(np.repeat(at, 10, axis=0), grid=grid, bandwidth_m=500.0)
    assert surface.notes == ("All incidents share one place: the surface shows the kernel, not a pattern.",)
    assert surface.density_per_km2.max() == pytest.approx(10 * peak_per_km2("quartic", 500.0), rel=0.01)


def test_a_bandwidth_under_two_cells_is_called_a_dot_map() -> None:
    grid = kde_grid(BOUNDS, bandwidth_m=90.0, cell_m=50.0)
    assert "dot map" in density(clustered(5), grid=grid, bandwidth_m=90.0).notes[0]
    assert density(clustered(5), grid=grid, bandwidth_m=100.0).notes == ()


def test_three_incidents_are_three_kernels() -> None:
    grid = kde_grid(BOUNDS, bandwidth_m=500.0)
    xy = np.array([[1_000.0, 1_000.0], [3_000.0, 3_000.0], [5_000.0, 1_500.0]])
    assert density(xy, grid=grid, bandwidth_m=500.0).mass == pytest.approx(3.0, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"points_m": np.array([[np.nan, 1.0]])}, "1 of 1 incidents have no finite place"),
        ({"points_m": np.array([[np.inf, 1.0]])}, "no finite place"),
        ({"points_m": np.array([1.0, 2.0])}, "shape"),
        ({"points_m": np.array([[90_000.0, 1.0]])}, "outside the density grid"),
        ({"weights": np.array([1.0])}, "weights have shape"),
        ({"weights": np.array([1.0, -1.0, 1.0])}, "weights must be finite"),
        ({"weights": np.array([1.0, np.nan, 1.0])}, "weights must be finite"),
        ({"bandwidth_m": 0.0}, "bandwidth of 0.0 m"),
        ({"bandwidth_m": float("nan")}, "bandwidth of nan m"),
        ({"kernel": "cosine"}, "quartic, gaussian"),
        ({"edge": "torus"}, "uniform, diggle, none"),
        ({"edge": "diggle"}, "needs the study area"),
        ({"edge": "uniform", "inside": np.ones((2, 2))}, r"shape \(2, 2\)"),
        ({"edge": "uniform", "inside": np.zeros((126, 146))}, "covers none"),
    ],
)
def test_unusable_arguments_are_named(change, words) -> None:
    grid = Grid(-600.0, -600.0, 50.0, 126, 146)
    options = {"points_m": clustered(3), "grid": grid, "bandwidth_m": 400.0, **change}
    with pytest.raises(InputError, match=words):
        density(options.pop("points_m"), **options)


def test_bins_of_another_grid_or_below_zero_are_refused() -> None:
    grid = kde_grid(BOUNDS, bandwidth_m=400.0)
    with pytest.raises(InputError, match="same grid"):
        density_from_bins(np.zeros((3, 3), np.int64), grid=grid, bandwidth_m=400.0)
    with pytest.raises(InputError, match="negative"):
        density_from_bins(np.full(grid.shape, -1, np.int64), grid=grid, bandwidth_m=400.0)
