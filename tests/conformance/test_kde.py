"""Density against sums written out in full and against closed forms."""

from math import asin, erf, exp, pi, sqrt

import numpy as np
import pytest
import shapely

from pipeline.detect.kde import KERNELS, choose_bandwidth, density, kde_grid, kernel_per_m2, sample_linear
from pipeline.geography.projection import LONLAT, project

H = 500.0
WITHIN_PCT_OF_PEAK = {"quartic": 0.1, "gaussian": 0.1, "epanechnikov": 0.25, "triangular": 0.25, "uniform": 1e-9}

# Written out here on purpose, not taken from the package: (u = distance / h) -> per unit area at h = 1.
PROFILE = {
    "quartic": lambda u: np.where(u <= 1, 3 / pi * (1 - u**2) ** 2, 0),
    "gaussian": lambda u: np.exp(-(u**2) / 2) / (2 * pi),
    "epanechnikov": lambda u: np.where(u <= 1, 2 / pi * (1 - u**2), 0),
    "triangular": lambda u: np.where(u <= 1, 3 / pi * (1 - u), 0),
    "uniform": lambda u: np.where(u <= 1, 1 / pi, 0),
}


def direct_sum(cells_m, xy, weight, kernel):
    """Incidents per km2 at each cell, one term per location."""
    return np.array([(weight * PROFILE[kernel](np.hypot(*(xy - cell).T) / H)).sum() / H**2 * 1e6 for cell in cells_m])


def largest_error_pct(surface, xy, weight, kernel, *, seed):
    """Largest difference from the direct sum at 300 random cells that some incident reaches, in % of the peak."""
    flat = surface.density_per_km2.ravel()
    cells = np.random.default_rng(seed).choice(np.flatnonzero(flat > 0), 300, replace=False)
    expected = direct_sum(surface.grid.centre(cells), xy, weight, kernel)
    return 100 * np.abs(flat[cells] - expected).max() / flat.max()


def crowd(n, n_places, seed):
    """Incidents on repeated map points round a few centres."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(3_000, 12_000, (12, 2))
    places = centres[rng.integers(0, 12, n_places)] + rng.normal(0, 900, (n_places, 2))
    return np.clip(places, 10, 14_990), rng.multinomial(n, np.full(n_places, 1 / n_places))


@pytest.mark.parametrize("kernel", KERNELS)
def test_direct_sum_at_random_cells(kernel, conformance) -> None:
    xy, weight = crowd(60_000, 8_000, seed=1)
    grid = kde_grid((0, 0, 15_000, 15_000), kernel=kernel, bandwidth_m=H)
    assert grid.cell_m == H / 10
    surface = density(xy, grid=grid, kernel=kernel, bandwidth_m=H, weights=weight)
    got = largest_error_pct(surface, xy, weight, kernel, seed=2)
    allowed = WITHIN_PCT_OF_PEAK[kernel]
    conformance(f"KDE {kernel}: largest error, % of peak", "direct sum, 300 cells, c = h/10", f"<= {allowed}", got)
    assert got <= allowed


def test_mass_before_edge_correction(conformance) -> None:
    xy, weight = crowd(60_000, 8_000, seed=3)
    for kernel in ("quartic", "gaussian", "epanechnikov", "triangular"):
        grid = kde_grid((0, 0, 15_000, 15_000), kernel=kernel, bandwidth_m=H)
        mass = density(xy, grid=grid, kernel=kernel, bandwidth_m=H, weights=weight).mass
        conformance(f"KDE {kernel}: mass", "incidents used", 60_000, mass)
        assert mass == pytest.approx(60_000, rel=1e-3)


def quartic_share(u):
    """Mass of the quartic on the inner side of a straight edge at distance u = d / h.

    The kernel's marginal is 16 / (5 pi) (1 - x^2)^(5/2); integrated from 0 to u and added to one half.
    """
    u = min(u, 1.0)
    return 0.5 + (u * sqrt(1 - u * u) * (8 * u**4 - 26 * u**2 + 33) + 15 * asin(u)) / (15 * pi)


def gaussian_share(u):
    return 0.5 * (1 + erf(u / sqrt(2)))


SHARE = {"quartic": quartic_share, "gaussian": gaussian_share}


@pytest.mark.parametrize("kernel", ["quartic", "gaussian"])
@pytest.mark.parametrize("edge_x", [0.0, 17.0, 25.0])  # on a cell side, at an odd place, through the centres
def test_one_point_near_a_straight_edge(kernel, edge_x, conformance) -> None:
    reach = 5 * H if kernel == "gaussian" else 2 * H
    grid = kde_grid((-reach, -reach, 2 * reach, 2 * reach), kernel=kernel, bandwidth_m=H)
    inside = grid.fraction(shapely.box(edge_x, -9e4, 9e4, 9e4))  # a half-plane, as far as the kernel sees
    at = np.array([[edge_x + 130.0, 10.0]])
    options = {"grid": grid, "kernel": kernel, "bandwidth_m": H, "inside": inside}
    peak = float(PROFILE[kernel](np.array(0.0))) / H**2 * 1e6
    # Cells well inside the edge and within both the kernel and the half-plane's far end.
    centres = grid.centres()
    near = np.flatnonzero((centres[:, 0] > edge_x) & (np.hypot(*(centres - at).T) < 1.5 * H))
    plain = direct_sum(centres[near], at, np.ones(1), kernel)

    diggle = density(at, edge="diggle", **options).density_per_km2.ravel()[near]
    expected = plain / SHARE[kernel](130.0 / H)
    error = 100 * np.abs(diggle - expected).max() / expected.max()
    conformance(f"KDE {kernel}, edge at {edge_x:g} m: diggle, % of peak", "closed form, half-plane", "<= 1", error)
    assert error < 1.0  # one lone point: what is left is linear binning's, not averaged over incidents

    uniform = density(at, edge="uniform", **options).density_per_km2.ravel()[near]
    shares = np.array([SHARE[kernel]((x - edge_x) / H) for x in centres[near, 0]])
    error = 100 * np.abs(uniform - plain / shares).max() / peak
    conformance(f"KDE {kernel}, edge at {edge_x:g} m: uniform, % of peak", "closed form, half-plane", "<= 1", error)
    assert error < 1.0


@pytest.mark.parametrize("kernel", ["quartic", "gaussian"])
@pytest.mark.parametrize("edge_x", [0.0, 17.0, 25.0])
def test_kernel_mass_inside_a_half_plane(kernel, edge_x, conformance) -> None:
    from pipeline.detect.kde import mass_inside

    grid = kde_grid((-5 * H, -5 * H, 5 * H, 5 * H), kernel=kernel, bandwidth_m=H)
    got = mass_inside(grid.fraction(shapely.box(edge_x, -9e4, 9e4, 9e4)), grid=grid, kernel=kernel, bandwidth_m=H)
    row = got[grid.rows // 2]
    x = grid.centres()[: grid.cols, 0]
    here = np.abs(x - edge_x) < 2 * H
    expected = np.array([SHARE[kernel](d) if d >= 0 else 1 - SHARE[kernel](-d) for d in (x[here] - edge_x) / H])
    worst = float(np.abs(row[here] - expected).max())
    conformance(f"KDE {kernel}, edge at {edge_x:g} m: share inside, error", "closed form", "<= 0.0015", worst)
    assert worst < 0.0015


def test_corrected_mass_in_an_irregular_area(conformance) -> None:
    xy, weight = crowd(60_000, 8_000, seed=4)
    area = shapely.union_all([shapely.box(0, 0, 15_000, 6_000.5), shapely.Point(7_000, 8_000).buffer(5_123)])
    keep = shapely.intersects_xy(area, *xy.T)
    xy, weight = xy[keep], weight[keep]
    grid = kde_grid((0, 0, 15_000, 15_000), bandwidth_m=H)
    surface = density(xy, grid=grid, bandwidth_m=H, weights=weight, edge="diggle", inside=grid.fraction(area))
    conformance("KDE quartic: diggle mass in an irregular area", "incidents used", int(weight.sum()), surface.mass)
    assert surface.mass == pytest.approx(weight.sum(), rel=5e-3)


def test_automatic_bandwidth_against_leaving_out_by_hand(conformance) -> None:
    rng = np.random.default_rng(5)
    xy, weight = rng.normal(0, 1_000, (600, 2)), rng.integers(1, 4, 600)
    ladder = (400.0, 600.0, 800.0, 1_000.0, 1_400.0)
    away = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    by_hand = []
    for h in ladder:
        k = PROFILE["gaussian"](away / h) / (h * h) * (away < 4 * h) / (1 - exp(-8))
        np.fill_diagonal(k, 0)
        by_hand.append(float((weight * np.log(k @ weight / (weight.sum() - weight))).sum() / weight.sum()))
    got = choose_bandwidth(xy, weights=weight, kernel="gaussian", ladder_m=ladder)
    conformance("KDE gaussian: leave-one-out log likelihoods", "double sum over places", by_hand, got.log_likelihoods)
    assert got.log_likelihoods == pytest.approx(by_hand, abs=2e-3)
    assert got.bandwidth_m == ladder[int(np.argmax(by_hand))]


@pytest.fixture(scope="module")
def london(real_data):
    """London's outline, and the places of the Met's offences of January to June 2018 with how many each has."""
    import geopandas as gpd
    import pandas as pd

    files = sorted((real_data / "police_uk" / "met_2018").glob("2018-0[1-6]-*.csv.gz"))
    columns = ["id", "Longitude", "Latitude"]
    rows = pd.concat([pd.read_csv(file, usecols=columns) for file in files]).drop_duplicates("id")
    assert len(rows) == 377_286  # distinct ids that the data's own README counts
    xy = project(rows[["Longitude", "Latitude"]].to_numpy(), source=LONLAT, working="EPSG:27700")
    wards = gpd.read_file(real_data / "boundaries" / "london_wards_2018_27700.gpkg")
    outline = shapely.union_all(np.array(wards.geometry, dtype=object))
    shapely.prepare(outline)
    places, weight = np.unique(xy[shapely.intersects_xy(outline, *xy.T)], axis=0, return_counts=True)
    return outline, places, weight


@pytest.mark.real
@pytest.mark.parametrize(("h", "at_centres", "between"), [(200.0, 0.25, 0.9), (400.0, 0.2, 0.7), (800.0, 0.1, 0.6)])
def test_error_at_centres_and_between_them(h, at_centres, between, london, conformance) -> None:
    """What docs/methods.md states, in the 10 km about the densest part of London, cells of h / 10."""
    _, places, weight = london
    near = (np.abs(places - (530_500, 180_500)) < 5_000).all(axis=1)
    xy, weight = places[near], weight[near]
    surface = density(
        xy, grid=(grid := kde_grid((*xy.min(0), *xy.max(0)), bandwidth_m=h)), bandwidth_m=h, weights=weight
    )
    flat = surface.density_per_km2.ravel()
    rng = np.random.default_rng(1)
    # Anywhere, and at the highest cells, where errors are largest.
    cells = np.union1d(rng.choice(np.flatnonzero(flat > 0), 600, replace=False), np.argsort(-flat)[:200])
    centres = grid.centre(cells)
    inner = (np.abs(centres - (530_500, 180_500)) < 5_000).all(axis=1)
    cells, centres = cells[inner], centres[inner]
    moved = centres + rng.uniform(-0.5, 0.5, centres.shape) * grid.cell_m

    def exact(at):
        far = [np.hypot(*(xy - one).T) / h for one in at]
        return np.array([(weight * PROFILE["quartic"](u)).sum() for u in far]) / h**2 * 1e6

    for where, got, at, allowed in (
        ("at centres", flat[cells], centres, at_centres),
        ("between centres", sample_linear(surface.density_per_km2, moved, grid=grid), moved, between),
    ):
        worst = 100 * np.abs(got - exact(at)).max() / flat.max()
        conformance(f"KDE quartic, h = {h:g} m, {where}: error, % of peak", "direct sum", f"<= {allowed}", worst)
        assert worst <= allowed


@pytest.mark.real
def test_six_months_of_real_incidents(london, conformance) -> None:
    outline, places, weight = london
    used = int(weight.sum())
    for kernel in KERNELS:
        grid = kde_grid(outline.bounds, kernel=kernel, bandwidth_m=H)
        surface = density(places, grid=grid, kernel=kernel, bandwidth_m=H, weights=weight)
        flat = surface.density_per_km2.ravel()
        within = np.flatnonzero(grid.fraction(outline).ravel() > 0)
        cells = np.random.default_rng(6).choice(within, 300, replace=False)
        expected = direct_sum(grid.centre(cells), places, weight, kernel)
        worst = 100 * np.abs(flat[cells] - expected).max() / flat.max()
        allowed = WITHIN_PCT_OF_PEAK[kernel]
        conformance(f"KDE {kernel}, Jan-Jun 2018: error, % of peak", "direct sum, 300 cells", f"<= {allowed}", worst)
        assert worst <= allowed
        if kernel != "uniform":
            conformance(f"KDE {kernel}, Jan-Jun 2018: mass", "incidents used", used, surface.mass)
            assert surface.mass == pytest.approx(used, rel=1e-3)
    grid = kde_grid(outline.bounds, bandwidth_m=H)
    options = {"grid": grid, "bandwidth_m": H, "weights": weight, "edge": "diggle", "inside": grid.fraction(outline)}
    corrected = density(places, **options).mass
    conformance("KDE quartic, Jan-Jun 2018: diggle mass", "incidents used", used, corrected)
    assert corrected == pytest.approx(used, rel=5e-3)


@pytest.mark.parametrize(("kernel", "theirs"), [("gaussian", "gaussian"), ("epanechnikov", "epanechnikov"),
                                                ("uniform", "tophat"), ("triangular", "linear")])  # fmt: skip
def test_kernels_of_scikit_learn(kernel: str, theirs: str, conformance) -> None:
    from sklearn.neighbors import KernelDensity

    rng = np.random.default_rng(2)
    points, at = rng.normal(0, 700, (80, 2)), rng.normal(0, 700, (40, 2))
    expected = 80 * np.exp(KernelDensity(kernel=theirs, bandwidth=500.0).fit(points).score_samples(at))
    away = np.hypot(*(at[:, None] - points[None]).transpose(2, 0, 1))
    got = kernel_per_m2(away, kernel=kernel, bandwidth_m=500.0).sum(axis=1)
    conformance(f"{kernel} kernel, 80 points at 40 places, sum", "sklearn KernelDensity", expected.sum(), got.sum())
    # Ours ends at four bandwidths, and what lies beyond (0.03 %) is given to the rest.
    assert got == pytest.approx(expected, rel=1e-3 if kernel == "gaussian" else 1e-9)
