"""Kernels: what one incident spreads over its surroundings.

Each integrates to one over the plane, so a sum of kernels is incidents per area.
"""

from math import ceil, exp, pi
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError
from pipeline.geography.grid import Grid, grown

__all__ = [
    "EDGES",
    "KERNELS",
    "LEAST_INSIDE",
    "SCALE",
    "bin_discs",
    "bin_linear",
    "check_bandwidth",
    "check_edge",
    "checked_bins",
    "clean",
    "convolve",
    "corners",
    "kernel_per_m2",
    "mass_inside",
    "peak_per_km2",
    "reach_m",
    "sample_linear",
    "smooth",
    "stencil",
    "trim",
]


KERNELS = ("quartic", "gaussian", "epanechnikov", "triangular", "uniform")
GAUSSIAN_REACH = 4.0  # bandwidths; what lies beyond (0.03 %) is shared out over what lies within
LINEAR_BINNING = -1 / 12  # cell units: binning linearly spreads a point with a variance of 1/6 per axis
AREA_SHARES = -1 / 24  # cell units: cells as point masses want +1/24 inside, -1/12 more for shares that an edge cuts

Values = NDArray[np.float64]


def check_bandwidth(kernel: str, bandwidth_m: float) -> None:
    """Refuse an unknown kernel or a bandwidth that is not a positive number.

    Raises
    ------
    InputError
        Naming what may be used.
    """
    if kernel not in KERNELS:
        raise InputError(f"kernel {kernel!r} is not known: use one of {', '.join(KERNELS)}")
    if not (np.isfinite(bandwidth_m) and bandwidth_m > 0):
        raise InputError(f"a bandwidth of {bandwidth_m} m cannot be used: give a number of metres above 0")


def reach_m(kernel: str, bandwidth_m: float) -> float:
    """Return how far a kernel reaches, metres: the bandwidth, or four of them for the Gaussian."""
    check_bandwidth(kernel, bandwidth_m)
    return bandwidth_m * (GAUSSIAN_REACH if kernel == "gaussian" else 1.0)


def kernel_per_m2(distance_m: ArrayLike, *, kernel: str, bandwidth_m: float) -> Values:
    """Evaluate a kernel.

    Parameters
    ----------
    distance_m
        Distances from the incident, metres.
    kernel
        One of `KERNELS`.
    bandwidth_m
        Radius of the kernel; standard deviation per axis for the Gaussian, which is cut at four and rescaled.

    Returns
    -------
    density
        Per square metre, the shape of `distance_m`.

    References
    ----------
    Silverman (1986), section 4.2, table 3.1 and equation 4.4 to 4.5, scaled to radius h.
    """
    check_bandwidth(kernel, bandwidth_m)
    u = np.asarray(distance_m, dtype=np.float64) / bandwidth_m
    near = u <= (GAUSSIAN_REACH if kernel == "gaussian" else 1.0)
    if kernel == "quartic":
        value = 3 / pi * (1 - u**2) ** 2
    elif kernel == "gaussian":
        value = np.exp(-(u**2) / 2) / (2 * pi * (1 - exp(-(GAUSSIAN_REACH**2) / 2)))
    elif kernel == "epanechnikov":
        value = 2 / pi * (1 - u**2)
    elif kernel == "triangular":
        value = 3 / pi * (1 - u)
    else:
        value = np.full_like(u, 1 / pi)
    return np.where(near, value, 0.0) / bandwidth_m**2


def peak_per_km2(kernel: str, bandwidth_m: float) -> float:
    """Return the density at the place of one lone incident, per square kilometre; 3 / (pi h^2) for the quartic."""
    return float(kernel_per_m2(0.0, kernel=kernel, bandwidth_m=bandwidth_m)) * 1e6


def stencil(*, kernel: str, bandwidth_m: float, cell_m: float, curvature: float = LINEAR_BINNING) -> Values:
    """Sample a kernel at cell centres and take out the bias of the cells.

    Parameters
    ----------
    kernel, bandwidth_m
        As for `kernel_per_m2`.
    cell_m
        Side of a cell, metres.
    curvature
        Multiple of the sampled Laplacian that is added, cell units: `LINEAR_BINNING` undoes the spread of linear
        binning, `AREA_SHARES` suits the shares of cells that an area covers, 0 leaves the samples alone.

    Returns
    -------
    weights
        Share of an incident's mass per cell, odd side, summing to one; slightly negative just outside the reach.

    Raises
    ------
    InputError
        If the kernel or the bandwidth cannot be used.
    """
    cells = ceil(reach_m(kernel, bandwidth_m) / cell_m) + 1
    offset = np.arange(-cells, cells + 1) * cell_m
    sampled = kernel_per_m2(np.hypot(offset[:, None], offset[None]), kernel=kernel, bandwidth_m=bandwidth_m)
    sampled /= sampled.sum()
    padded = np.pad(sampled, 1)
    laplace = padded[2:, 1:-1] + padded[:-2, 1:-1] + padded[1:-1, 2:] + padded[1:-1, :-2] - 4 * sampled
    return sampled + curvature * laplace


# Incidents laid on cells as whole numbers, so that partial sums add up to the same bits in any order.


STEPS = 1 << 10  # positions per cell side that are told apart: 5 cm in a 50 m cell
SCALE = STEPS * STEPS  # fixed point: this many units are one incident
CHUNK_POINTS = 1 << 18
MAX_WEIGHT = float(1 << 22)  # of one row: its product with SCALE twice must fit in 63 bits

Points = NDArray[np.float64]
Bins = NDArray[np.int64]


def bin_linear(points_m: Points, *, grid: Grid, weights: ArrayLike | None = None) -> Bins:
    """Share every incident between the four nearest cell centres.

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (n, 2), inside the cells' outermost centres.
    grid
        The cells; see `kde_grid` for one with room for a kernel.
    weights
        Weight of each point, 0 or more; whole numbers are kept exactly, others to about a millionth. Default 1 each.

    Returns
    -------
    bins
        Fixed-point weights, `SCALE` to an incident, shape (rows, cols). Arrays of parts of the data add up to exactly
        the array of the whole.

    Raises
    ------
    InputError
        If a coordinate or weight is not finite, a weight is negative, or a point lies outside the centres.
    """
    points, units = checked_points(points_m, weights)
    bins = np.zeros(len(grid), dtype=np.int64)
    for start in range(0, len(points), CHUNK_POINTS):
        part = slice(start, start + CHUNK_POINTS)
        cell, east, north = corners(points[part], grid)
        x, y, unit = np.rint(east * STEPS).astype(np.int64), np.rint(north * STEPS).astype(np.int64), units[part]
        south_west = unit * ((STEPS - x) * (STEPS - y)) >> 20
        south_east = unit * (x * (STEPS - y)) >> 20
        north_west = unit * ((STEPS - x) * y) >> 20
        np.add.at(bins, cell, south_west)
        np.add.at(bins, cell + 1, south_east)
        np.add.at(bins, cell + grid.cols, north_west)
        np.add.at(bins, cell + grid.cols + 1, unit - south_west - south_east - north_west)
    return bins.reshape(grid.shape)


def bin_discs(points_m: Points, *, grid: Grid, radius_m: float, weights: ArrayLike | None = None) -> Bins:
    """Count, for every cell centre, the incidents within a radius: exact, and additive like `bin_linear`.

    A disc covers one run of centres in each row it reaches; the run's ends are marked and summed along the row.

    Parameters
    ----------
    points_m, grid, weights
        As for `bin_linear`.
    radius_m
        Metres; a centre exactly as far away counts.

    Returns
    -------
    counts
        Fixed-point weights within the radius of each centre, `SCALE` to an incident, shape (rows, cols).

    Raises
    ------
    InputError
        As for `bin_linear`.
    """
    points, units = checked_points(points_m, weights)
    marks = np.zeros((grid.rows, grid.cols + 1), dtype=np.int64)
    reach = int(np.ceil(radius_m / grid.cell_m))
    for start in range(0, len(points), CHUNK_POINTS):
        part = slice(start, start + CHUNK_POINTS)
        corners(points[part], grid)
        x, y = points[part].T
        nearest = np.rint((y - grid.y0) / grid.cell_m - 0.5).astype(np.int64)
        for step in range(-reach, reach + 1):
            row = nearest + step
            half = radius_m**2 - (grid.y0 + (row + 0.5) * grid.cell_m - y) ** 2
            at = np.flatnonzero((half >= 0) & (row >= 0) & (row < grid.rows))
            half = np.sqrt(half[at])
            first = np.ceil((x[at] - half - grid.x0) / grid.cell_m - 0.5).astype(np.int64)
            past = np.floor((x[at] + half - grid.x0) / grid.cell_m - 0.5).astype(np.int64) + 1
            np.add.at(marks, (row[at], np.clip(first, 0, grid.cols)), units[part][at])
            np.add.at(marks, (row[at], np.clip(past, 0, grid.cols)), -units[part][at])
    counts: Bins = np.cumsum(marks, axis=1)[:, :-1]
    return counts


def sample_linear(values: NDArray[np.float64], points_m: Points, *, grid: Grid) -> NDArray[np.float64]:
    """Read cell values at points, linear between the four nearest centres.

    Raises
    ------
    InputError
        If a point lies outside the centres.
    """
    cell, east, north = corners(np.asarray(points_m, dtype=np.float64), grid)
    flat = values.ravel()
    south = flat[cell] * (1 - east) + flat[cell + 1] * east
    above = cell + grid.cols
    return south * (1 - north) + (flat[above] * (1 - east) + flat[above + 1] * east) * north


def corners(points: Points, grid: Grid) -> tuple[Bins, NDArray[np.float64], NDArray[np.float64]]:
    """Return the cell south-west of each point, and how far east and north of its centre the point is, in cells.

    Raises
    ------
    InputError
        If a point lies outside the centres.
    """
    east, north = ((points - (grid.x0, grid.y0)) / grid.cell_m - 0.5).T
    col, row = np.floor(east), np.floor(north)
    outside = ~((col >= 0) & (col < grid.cols - 1) & (row >= 0) & (row < grid.rows - 1))
    if outside.any():
        raise InputError(
            f"{int(outside.sum()):,} of {len(points):,} incidents lie outside the density grid: keep those inside the "
            "study area, or lay the grid with the kernel's reach as its margin"
        )
    return (row * grid.cols + col).astype(np.int64), east - col, north - row


def checked_points(points_m: Points, weights: ArrayLike | None) -> tuple[Points, Bins]:
    """Return points and their weights in fixed point.

    Raises
    ------
    InputError
        If shapes disagree, or a number is not finite, negative or too large.
    """
    points = np.asarray(points_m, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"incidents have shape {points.shape}: expected (n, 2), eastings and northings in metres")
    if not np.isfinite(points).all():
        bad = int((~np.isfinite(points).all(axis=1)).sum())
        raise InputError(f"{bad:,} of {len(points):,} incidents have no finite place: leave them out before density")
    if weights is None:
        return points, np.full(len(points), SCALE, dtype=np.int64)
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (len(points),):
        raise InputError(f"weights have shape {values.shape} for {len(points):,} incidents: give one each")
    if not (np.isfinite(values).all() and (values >= 0).all() and (values <= MAX_WEIGHT).all()):
        raise InputError(f"weights must be finite numbers from 0 to {MAX_WEIGHT:,.0f}")
    return points, np.rint(values * SCALE).astype(np.int64)


# Binned incidents spread by convolution, and the correction for what a study area's edge cuts off.


EDGES = ("uniform", "diggle", "none")
LEAST_INSIDE = 0.05  # a correction never multiplies by more than 20
DUST = 1e-12  # of the peak: below it is the noise of the transform


def smooth(mass: Values, *, grid: Grid, kernel: str, bandwidth_m: float, edge: str, inside: Values | None) -> Values:
    """Spread binned incidents and correct the edge; per square kilometre."""
    if edge == "diggle" and inside is not None:
        held = mass_inside(inside, grid=grid, kernel=kernel, bandwidth_m=bandwidth_m, curvature=LINEAR_BINNING)
        mass = mass / np.maximum(held, LEAST_INSIDE)
    values = clean(convolve(mass, stencil(kernel=kernel, bandwidth_m=bandwidth_m, cell_m=grid.cell_m)))
    if edge == "uniform" and inside is not None:
        values = values / np.maximum(
            mass_inside(inside, grid=grid, kernel=kernel, bandwidth_m=bandwidth_m), LEAST_INSIDE
        )
    return values / grid.cell_km2


def mass_inside(
    inside: Values, *, grid: Grid, kernel: str, bandwidth_m: float, curvature: float = AREA_SHARES
) -> Values:
    """Return the share of a kernel's mass that falls inside the study area, for a kernel at each cell centre.

    Parameters
    ----------
    inside
        Share of each cell in the study area.
    grid, kernel, bandwidth_m
        As for `density`.
    curvature
        `AREA_SHARES` where the value at the centre is wanted. With `LINEAR_BINNING`, read linearly between centres,
        it is exactly what binning and convolving leave inside of an incident, so that ``diggle`` keeps the mass.
    """
    weights = stencil(kernel=kernel, bandwidth_m=bandwidth_m, cell_m=grid.cell_m, curvature=curvature)
    return np.clip(convolve(inside, weights), 0.0, 1.0)


def convolve(values: Values, weights: Values) -> Values:
    """Convolve cells with a stencil, zero beyond the grid, same shape."""
    from scipy import fft  # not scipy.signal: it loads all of scipy.stats, which takes longer than the transform

    if not values.any():
        return np.zeros(values.shape)
    side = 2 * max(values.shape) + 1  # what reaches across the whole grid cannot matter further out
    spare = (weights.shape[0] - side) // 2
    if spare > 0:
        weights = weights[spare:-spare, spare:-spare]
    shape = [fft.next_fast_len(n + k - 1, real=True) for n, k in zip(values.shape, weights.shape, strict=True)]
    spread = fft.irfft2(fft.rfft2(values, shape) * fft.rfft2(weights, shape), shape)
    row, col = ((k - 1) // 2 for k in weights.shape)
    return np.ascontiguousarray(spread[row : row + values.shape[0], col : col + values.shape[1]], dtype=np.float64)


def clean(values: Values) -> Values:
    """Clip what lies below zero, and the transform's noise."""
    return np.where(values > DUST * values.max(initial=0.0), values, 0.0)


def trim(values: Values, inside: Values | None) -> Values:
    """Keep the study area and one ring of cells round it, so that contours reach the border before they are cut."""
    return values if inside is None else np.where(grown(inside > 0), values, 0.0)


def check_edge(edge: str, inside: Any, grid: Grid) -> None:
    """Refuse an unknown correction, one without a study area, or a study area on other cells.

    Raises
    ------
    InputError
        Naming what is missing.
    """
    if edge not in EDGES:
        raise InputError(f"edge correction {edge!r} is not known: use one of {', '.join(EDGES)}")
    if edge != "none" and inside is None:
        raise InputError(f"edge correction {edge!r} needs the study area: give inside=grid.fraction(area)")
    if inside is not None:
        if inside.shape != grid.shape:
            raise InputError(f"the study area has shape {inside.shape}, the grid {grid.shape}: use grid.fraction(area)")
        if not inside.any():
            raise InputError("the study area covers none of the grid: check that both are in the same projection")


def checked_bins(bins: Bins, grid: Grid) -> Values:
    """Return binned incidents as numbers.

    Raises
    ------
    InputError
        If the shape is another grid's, or a bin is negative.
    """
    if bins.shape != grid.shape:
        raise InputError(f"the bins have shape {bins.shape}, the grid {grid.shape}: bin on the same grid")
    if (bins < 0).any():
        raise InputError("a bin is negative: weights must be 0 or more")
    return np.asarray(bins / SCALE, dtype=np.float64)
