"""Density: the arithmetic, the promises about mass, and what unusable input gives."""

import hypothesis.strategies as st
import numpy as np
import pytest
import shapely
from hypothesis import given, settings

from pipeline.detect.kde import (
    ADAPTIVE_WIDEST,
    KERNELS,
    SCALE,
    adaptive_density,
    bin_discs,
    bin_linear,
    choose_bandwidth,
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


# Bandwidths that follow the data: local ones, and the automatic choice.


def xy_of(n, seed=0):
    """Incidents round six centres, inside BOUNDS."""
    rng = RNG(seed)
    centres = rng.uniform((1_000, 1_000), (5_000, 4_000), (6, 2))
    xy = centres[rng.integers(0, 6, n)] + rng.normal(0, 350, (n, 2))
    return np.clip(xy, (1, 1), (5_999, 4_999))


# --- adaptive


def test_adaptive_keeps_the_mass_sharpens_crowds_and_widens_the_sparse() -> None:
    xy = np.concatenate((RNG(1).normal((2_000, 2_000), 150, (600, 2)), RNG(2).uniform(500, 4_500, (150, 2))))
    grid = kde_grid(BOUNDS, bandwidth_m=400.0, widest=ADAPTIVE_WIDEST)
    bins = bin_linear(xy, grid=grid)
    fixed = density_from_bins(bins, grid=grid, bandwidth_m=400.0)
    local = adaptive_density(bins, grid=grid, bandwidth_m=400.0)
    assert local.mass == pytest.approx(750, rel=2e-3)
    assert local.density_per_km2.max() > 1.3 * fixed.density_per_km2.max()
    assert (local.density_per_km2 > 0).sum() > (fixed.density_per_km2 > 0).sum()
    low, high = local.bandwidths_m
    assert low < 400 < high
    assert f"{low:.0f} to {high:.0f} m" in local.notes[-1]


def test_adaptive_equals_a_direct_sum_with_abramsons_bandwidths() -> None:
    xy = xy_of(400, seed=9)
    grid = kde_grid(BOUNDS, kernel="gaussian", bandwidth_m=300.0, cell_m=25.0, widest=ADAPTIVE_WIDEST)
    got = adaptive_density(bin_linear(xy, grid=grid), grid=grid, kernel="gaussian", bandwidth_m=300.0)
    away = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    pilot = kernel_per_m2(away, kernel="gaussian", bandwidth_m=300.0).sum(axis=1)
    local = 300 * np.clip(np.sqrt(np.exp(np.log(pilot).mean()) / pilot), 0.4, 2.5)
    cells = RNG(0).choice(np.flatnonzero(got.density_per_km2.ravel() > 1.0), 100, replace=False)
    away = np.hypot(*(grid.centre(cells)[:, None] - xy[None]).transpose(2, 0, 1))
    expected = (np.exp(-(away**2) / (2 * local**2)) / (2 * np.pi * local**2)).sum(axis=1) * 1e6
    # A dozen classes stand for every bandwidth: within 2 % of the peak.
    assert np.abs(got.density_per_km2.ravel()[cells] - expected).max() < 0.02 * expected.max()


def test_adaptive_diggle_keeps_the_mass_in_the_study_area() -> None:
    xy = xy_of(500)
    grid = kde_grid(BOUNDS, bandwidth_m=400.0, widest=ADAPTIVE_WIDEST)
    inside = grid.fraction(shapely.box(*BOUNDS))
    surface = adaptive_density(bin_linear(xy, grid=grid), grid=grid, bandwidth_m=400.0, edge="diggle", inside=inside)
    assert surface.mass == pytest.approx(500, rel=5e-3)


def test_adaptive_without_incidents_is_zero_and_says_so() -> None:
    grid = kde_grid(BOUNDS, bandwidth_m=400.0)
    surface = adaptive_density(np.zeros(grid.shape, np.int64), grid=grid, bandwidth_m=400.0)
    assert surface.density_per_km2.max() == 0.0
    assert surface.notes == ("No incidents: the density is zero everywhere.",)


# --- automatic bandwidth


def brute_likelihood(places, weight, bandwidth_m, kernel):
    away = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    k = kernel_per_m2(away, kernel=kernel, bandwidth_m=bandwidth_m)
    np.fill_diagonal(k, 0.0)
    f = k @ weight / (weight.sum() - weight)
    floor = 1 / (weight.sum() * np.prod(np.ptp(places, axis=0)))
    return (weight * np.log(np.maximum(f, floor))).sum() / weight.sum()


@pytest.mark.parametrize("kernel", ["quartic", "gaussian"])
def test_likelihoods_equal_leaving_each_place_out_by_hand(kernel) -> None:
    rng = RNG(2)
    places = rng.normal(0, 900, (400, 2))
    weight = rng.integers(1, 6, 400)
    ladder = (300.0, 500.0, 800.0, 1_200.0)
    choice = choose_bandwidth(places, weights=weight, kernel=kernel, ladder_m=ladder)
    expected = [brute_likelihood(places, weight, h, kernel) for h in ladder]
    # The logarithm is steep where a place lies just within another's reach; those few make the difference.
    assert choice.log_likelihoods == pytest.approx(expected, abs=0.02)
    assert choice.bandwidth_m == ladder[int(np.argmax(expected))]
    assert choice.ladder_m == ladder
    assert (choice.n_incidents, choice.n_locations) == (weight.sum(), 400)


def test_repeated_places_do_not_pull_the_bandwidth_down() -> None:
    places = RNG(4).normal(0, 1_000, (500, 2))
    once = choose_bandwidth(places)
    many = choose_bandwidth(np.repeat(places, 8, axis=0))
    assert many.bandwidth_m == once.bandwidth_m > 200
    assert (once.repeated_share, many.repeated_share) == (0.0, 1.0)
    weighted = choose_bandwidth(places, weights=np.full(500, 8))
    assert weighted == many


def test_the_floor_holds_and_an_end_of_the_ladder_is_pointed_out() -> None:
    tight = RNG(6).normal(0, 60, (400, 2))
    choice = choose_bandwidth(tight, floor_m=400.0)
    assert choice.bandwidth_m == 400.0
    assert min(choice.ladder_m) == 400.0
    assert "lowest candidate, which is the floor" in choice.reason
    assert choose_bandwidth(tight, floor_m=9_000.0).ladder_m == (9_000.0,)


@pytest.mark.parametrize(
    "places", [np.empty((0, 2)), np.full((50, 2), 7.0), np.array([[0.0, 0.0], [1.0, 1.0], [900.0, 5.0]])]
)
def test_too_few_places_fall_back_and_say_so(places) -> None:
    choice = choose_bandwidth(places, fallback_m=600.0, floor_m=100.0)
    assert choice.bandwidth_m == 600.0
    assert "too few" in choice.reason
    assert set(choice.log_likelihoods) == {None}
    assert choose_bandwidth(places, fallback_m=600.0, floor_m=700.0).bandwidth_m == 700.0


def test_places_in_a_line_and_far_apart_still_get_a_bandwidth() -> None:
    line = np.column_stack((np.linspace(0, 5_000, 60), np.zeros(60)))
    assert choose_bandwidth(line).bandwidth_m in choose_bandwidth(line).ladder_m
    # A country-wide scatter would need too many cells for small candidates: they are left untried.
    wide = RNG(8).uniform(0, 2_000_000, (200, 2))
    choice = choose_bandwidth(wide, ladder_m=(100.0, 90_000.0, 200_000.0))
    assert choice.log_likelihoods[0] is None
    assert choice.bandwidth_m >= 90_000.0
