"""Density surfaces: incidents per square kilometre at cell centres, by binning and one convolution."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.detect.kde.smoothing import (
    LEAST_INSIDE,
    LINEAR_BINNING,
    SCALE,
    Bins,
    Points,
    bin_discs,
    bin_linear,
    check_bandwidth,
    check_edge,
    checked_bins,
    checked_points,
    clean,
    convolve,
    mass_inside,
    reach_m,
    sample_linear,
    smooth,
    stencil,
    trim,
)
from pipeline.errors import InputError
from pipeline.geography.grid import Grid

__all__ = [
    "ADAPTIVE_WIDEST",
    "CELLS_PER_BANDWIDTH",
    "Surface",
    "adaptive_density",
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


# Adaptive density: narrow kernels where incidents crowd, wide ones where they are sparse.


ADAPTIVE_NARROWEST, ADAPTIVE_WIDEST = 0.4, 2.5  # times the pilot bandwidth
CLASSES = 12


def adaptive_density(
    bins: Bins,
    *,
    grid: Grid,
    bandwidth_m: float,
    kernel: str = "quartic",
    edge: str = "none",
    inside: Values | None = None,
) -> Surface:
    """Estimate density with a bandwidth that follows the density itself, after Abramson.

    A pilot surface f of fixed bandwidth h gives each place the local bandwidth h (f / g)^(-1/2), where g is the
    geometric mean of f over the incidents, held between 0.4 h and 2.5 h and put into a dozen classes on a
    logarithmic scale: one convolution each. Each class has its own edge correction.

    Parameters
    ----------
    bins
        From `bin_linear`.
    grid
        Cells; `kde_grid` with ``widest=ADAPTIVE_WIDEST`` leaves room for the widest kernel.
    bandwidth_m
        Pilot bandwidth, metres.
    kernel, edge, inside
        As for `density`.

    Returns
    -------
    surface
        Incidents per square kilometre; `bandwidths_m` gives the narrowest and the widest that were used.

    Raises
    ------
    InputError
        As for `density_from_bins`.

    References
    ----------
    Abramson (1982), Annals of Statistics 10, 1217-1223; Silverman (1986), section 5.3.
    """
    check_edge(edge, inside, grid)
    check_bandwidth(kernel, bandwidth_m)
    mass = checked_bins(bins, grid)
    pilot = density_from_bins(bins, grid=grid, bandwidth_m=bandwidth_m, kernel=kernel, edge=edge, inside=inside)
    held = mass > 0
    if not held.any():
        return pilot
    local = _local_bandwidths(pilot.density_per_km2[held], mass[held], bandwidth_m)
    low, high = float(local.min()), float(local.max())
    ladder = np.geomspace(low, high, CLASSES) if high > low * (1 + 1e-9) else np.array([low])
    nearest = np.abs(np.log(local)[:, None] - np.log(ladder)[None]).argmin(axis=1)
    values = np.zeros(grid.shape)
    for number, width in enumerate(ladder):
        if not (nearest == number).any():
            continue
        part = np.zeros(grid.shape)
        part[held] = np.where(nearest == number, mass[held], 0.0)
        values += smooth(part, grid=grid, kernel=kernel, bandwidth_m=float(width), edge=edge, inside=inside)
    values = trim(values, inside) if edge != "none" else values
    note = f"Adaptive: local bandwidths {low:.0f} to {high:.0f} m in {len(ladder)} classes, pilot {bandwidth_m:g} m."
    return Surface(
        grid, values, kernel, float(bandwidth_m), edge, (low, high), pilot.incidents, inside, (*pilot.notes, note)
    )


def _local_bandwidths(pilot: Values, mass: Values, bandwidth_m: float) -> Values:
    """Abramson's square-root law, held within bounds; `pilot` and `mass` are those of the cells that hold incidents."""
    positive = np.maximum(pilot, pilot.max() * 1e-9)  # a cell's own incident makes it positive but for clipping
    typical = np.exp((mass * np.log(positive)).sum() / mass.sum())
    local: Values = bandwidth_m * np.clip(np.sqrt(typical / positive), ADAPTIVE_NARROWEST, ADAPTIVE_WIDEST)
    return local
