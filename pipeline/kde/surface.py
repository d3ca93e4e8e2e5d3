"""Density surfaces: incidents per square kilometre at cell centres, by binning and one convolution."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError
from pipeline.geography.grid import Grid
from pipeline.kde.binning import SCALE, Bins, Points, bin_discs, bin_linear, checked_points, sample_linear
from pipeline.kde.kernels import LINEAR_BINNING, check_bandwidth, reach_m, stencil
from pipeline.kde.smoothing import LEAST_INSIDE, check_edge, checked_bins, clean, convolve, mass_inside, smooth, trim

__all__ = [
    "CELLS_PER_BANDWIDTH",
    "Surface",
    "density",
    "density_from_bins",
    "kde_grid",
    "per_year",
]

CELLS_PER_BANDWIDTH = 10  # quartic and Gaussian then err by 0.05 % of the peak, see the conformance suite
DAYS_PER_YEAR = 365.25

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A density surface and how it was made.

    Attributes
    ----------
    grid
        Cells at whose centres the density holds.
    density_per_km2
        Incidents per square kilometre over the whole period, shape (rows, cols).
    kernel, bandwidth_m, edge
        As used; for an adaptive surface the bandwidth is the pilot's.
    bandwidths_m
        Smallest and largest local bandwidth, metres; both `bandwidth_m` where it is fixed.
    incidents
        Weight that went in.
    inside
        Share of each cell that lies in the study area, or None where no study area was given.
    notes
        What a reader of the surface should know, one sentence each.
    """

    grid: Grid
    density_per_km2: Values
    kernel: str
    bandwidth_m: float
    edge: str
    bandwidths_m: tuple[float, float]
    incidents: float
    inside: Values | None
    notes: tuple[str, ...] = ()

    @property
    def mass(self) -> float:
        """Incidents under the surface: over the study area where the edge is corrected, over all cells otherwise."""
        share = self.inside if self.edge != "none" and self.inside is not None else 1.0
        return float((self.density_per_km2 * share).sum()) * self.grid.cell_km2

    @property
    def mean_inside_per_km2(self) -> float:
        """Mean density over the study area (over all cells where none was given); 0 for an empty one."""
        share = np.ones(self.grid.shape) if self.inside is None else self.inside
        return float((self.density_per_km2 * share).sum() / max(share.sum(), np.finfo(float).tiny))


def per_year(density_per_km2: Values, *, days: float) -> Values:
    """Turn density over a period into density per year of 365.25 days.

    Parameters
    ----------
    density_per_km2
        Incidents per square kilometre over the period.
    days
        Length of the period, both ends included.

    Raises
    ------
    InputError
        If the period has no length.
    """
    if not (np.isfinite(days) and days > 0):
        raise InputError(f"a period of {days} days has no yearly density: give its length, both ends included")
    return density_per_km2 * (DAYS_PER_YEAR / days)


def kde_grid(
    bounds: tuple[float, float, float, float],
    *,
    bandwidth_m: float,
    kernel: str = "quartic",
    cell_m: float | None = None,
    widest: float = 1.0,
) -> Grid:
    """Lay cells over a study area grown by the kernel's reach, so that no mass is lost.

    Parameters
    ----------
    bounds
        West, south, east, north of the study area, metres.
    bandwidth_m, kernel
        As for `density`.
    cell_m
        Side of a cell; default a tenth of the bandwidth.
    widest
        How many times the bandwidth may become locally: 1, or `ADAPTIVE_WIDEST` for an adaptive surface.

    Raises
    ------
    InputError
        If a number cannot be used, or the cells would not fit in memory.
    """
    cell = bandwidth_m / CELLS_PER_BANDWIDTH if cell_m is None else cell_m
    return Grid.covering(bounds, cell_m=cell, margin_m=reach_m(kernel, bandwidth_m * widest) + 2 * cell)


def density(
    points_m: Points,
    *,
    grid: Grid,
    bandwidth_m: float,
    kernel: str = "quartic",
    weights: ArrayLike | None = None,
    edge: str = "none",
    inside: Values | None = None,
) -> Surface:
    """Estimate incident density at cell centres.

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (n, 2), finite.
    grid
        Cells to evaluate, in the same projection; see `kde_grid`.
    bandwidth_m
        Kernel radius (Gaussian: standard deviation) in metres. Under two cells the surface is a dot map, and says so.
    kernel
        One of `KERNELS`. All but the uniform go through linear binning and a corrected convolution; discs are
        counted exactly.
    weights
        Weight of each point, for instance incidents at a location. Default 1 each.
    edge
        ``uniform`` divides the surface by the kernel mass inside the study area; ``diggle`` divides each incident's
        weight by it, which keeps the mass; ``none`` leaves both alone.
    inside
        Share of each cell in the study area (`Grid.fraction`), needed by the corrections.

    Returns
    -------
    surface
        Incidents per square kilometre. No incidents, or weights that are all zero, give zeros and a note.

    Raises
    ------
    InputError
        If a number cannot be used, a point lies outside the grid, or a correction lacks its study area.

    References
    ----------
    Diggle (1985), Applied Statistics 34, 138-147; Jones (1993), Statistics and Computing 3, 135-146;
    `density.ppp` of spatstat for both corrections.
    """
    check_edge(edge, inside, grid)
    check_bandwidth(kernel, bandwidth_m)
    points, units = checked_points(points_m, weights)
    notes = [*_cell_notes(bandwidth_m, grid.cell_m), *_place_notes(points, units)]
    weight = units / SCALE
    if edge == "diggle" and inside is not None:
        held = mass_inside(inside, grid=grid, kernel=kernel, bandwidth_m=bandwidth_m, curvature=LINEAR_BINNING)
        at = sample_linear(held, points, grid=grid)
        if thin := int((at < LEAST_INSIDE).sum()):
            notes.append(f"{thin} incidents stand where under {LEAST_INSIDE:.0%} of the kernel is inside the area.")
        weight = weight / np.maximum(at, LEAST_INSIDE)
    if kernel == "uniform":
        counts = bin_discs(points, grid=grid, radius_m=bandwidth_m, weights=weight)
        values = counts / (SCALE * np.pi * bandwidth_m**2 / 1e6)
    else:
        bins = bin_linear(points, grid=grid, weights=weight)
        values = convolve(bins / SCALE, stencil(kernel=kernel, bandwidth_m=bandwidth_m, cell_m=grid.cell_m))
        values = clean(values) / grid.cell_km2
    if edge == "uniform" and inside is not None:
        held = mass_inside(inside, grid=grid, kernel=kernel, bandwidth_m=bandwidth_m)
        values = values / np.maximum(held, LEAST_INSIDE)
    values = trim(values, inside) if edge != "none" else values
    return Surface(
        grid,
        values,
        kernel,
        float(bandwidth_m),
        edge,
        (float(bandwidth_m),) * 2,
        units.sum() / SCALE,
        inside,
        tuple(notes),
    )


def density_from_bins(
    bins: Bins,
    *,
    grid: Grid,
    bandwidth_m: float,
    kernel: str = "quartic",
    edge: str = "none",
    inside: Values | None = None,
) -> Surface:
    """Estimate density from incidents that are binned already, as parts of a large table are.

    Parameters
    ----------
    bins
        From `bin_linear` on the same grid, or a sum of several.
    grid, bandwidth_m, kernel, edge, inside
        As for `density`. The uniform kernel is up to 4 % of the peak off here, and says so; ``diggle`` takes the
        kernel mass at cell centres, which keeps the total but is up to 2 % off within a cell of the edge.

    Raises
    ------
    InputError
        As for `density`, or if the bins do not match the grid.
    """
    check_edge(edge, inside, grid)
    check_bandwidth(kernel, bandwidth_m)
    mass = checked_bins(bins, grid)
    notes = list(_cell_notes(bandwidth_m, grid.cell_m))
    if not mass.any():
        notes.append("No incidents: the density is zero everywhere.")
    if kernel == "uniform":
        notes.append("Uniform kernel from binned incidents: up to 4 % of the peak off, because the kernel has a jump.")
    values = smooth(mass, grid=grid, kernel=kernel, bandwidth_m=bandwidth_m, edge=edge, inside=inside)
    values = trim(values, inside) if edge != "none" else values
    return Surface(
        grid,
        values,
        kernel,
        float(bandwidth_m),
        edge,
        (float(bandwidth_m),) * 2,
        float(mass.sum()),
        inside,
        tuple(notes),
    )


def _cell_notes(bandwidth_m: float, cell_m: float) -> tuple[str, ...]:
    if bandwidth_m >= 2 * cell_m:
        return ()
    note = (
        f"The bandwidth of {bandwidth_m:g} m is under two cells of {cell_m:g} m, so the surface is a dot map: "
        f"use cells of {bandwidth_m / CELLS_PER_BANDWIDTH:g} m."
    )
    return (note,)


def _place_notes(points: Points, units: Bins) -> tuple[str, ...]:
    used = points[units > 0]
    if not len(used):
        return ("No incidents: the density is zero everywhere.",)
    if (used == used[0]).all():
        return ("All incidents share one place: the surface shows the kernel, not a pattern.",)
    return ()
