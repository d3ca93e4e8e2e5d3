"""Bandwidths that follow the data: local ones, and the automatic choice."""

import numpy as np
import pytest
import shapely

from pipeline.detect.kde import (
    ADAPTIVE_WIDEST,
    adaptive_density,
    bin_linear,
    choose_bandwidth,
    density_from_bins,
    kde_grid,
    kernel_per_m2,
)

BOUNDS = (0.0, 0.0, 6_000.0, 5_000.0)
RNG = np.random.default_rng


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
