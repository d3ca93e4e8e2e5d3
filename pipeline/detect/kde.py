"""Kernel density: incidents per square kilometre, exact enough to be checked against a direct sum.

Incidents are shared linearly between the four nearest cell centres and convolved with a kernel from which the spread of
that sharing has been taken out. The cost does not depend on the number of incidents once they are binned.
"""

from dataclasses import dataclass
from math import ceil, exp, pi
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError
from pipeline.geography.grid import Grid, grown

__all__ = [
    "ADAPTIVE_WIDEST",
    "CELLS_PER_BANDWIDTH",
    "EDGES",
    "KERNELS",
    "LADDER_M",
    "LEAST_INSIDE",
    "SCALE",
    "BandwidthChoice",
    "Surface",
    "adaptive_density",
    "bin_discs",
    "bin_linear",
    "check_bandwidth",
    "check_edge",
    "checked_bins",
    "choose_bandwidth",
    "clean",
    "collapse",
    "convolve",
    "corners",
    "density",
    "density_from_bins",
    "kde_grid",
    "kernel_per_m2",
    "mass_inside",
    "peak_per_km2",
    "reach_m",
    "sample_linear",
    "smooth",
    "stencil",
    "trim",
]

# Kernels: what one incident spreads over its surroundings
# --------------------------------------------------------
# Each integrates to one over the plane, so a sum of kernels is incidents per area.


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
    # One cell more than the reach: the correction spreads one cell further.
    cells = ceil(reach_m(kernel, bandwidth_m) / cell_m) + 1
    offset = np.arange(-cells, cells + 1) * cell_m
    sampled = kernel_per_m2(np.hypot(offset[:, None], offset[None]), kernel=kernel, bandwidth_m=bandwidth_m)
    # Sampling at centres loses or gains a little mass; rescaled, an incident stays one incident.
    sampled /= sampled.sum()
    # Linear binning spreads a point with a variance of 1/6 cell per axis. Convolving with K + c Laplace(K) takes a
    # variance of -2 c off again, so c = -1/12 undoes it to second order, at no cost per incident.
    padded = np.pad(sampled, 1)
    laplace = padded[2:, 1:-1] + padded[:-2, 1:-1] + padded[1:-1, 2:] + padded[1:-1, :-2] - 4 * sampled
    return sampled + curvature * laplace


# Binning: incidents shared between cells as whole numbers, so that partial sums agree to the bit in any order
# -----------------------------------------------------------------------------------------------------------


STEPS = 1 << 10  # positions per cell side that are told apart: 5 cm in a 50 m cell
SCALE = STEPS * STEPS  # fixed point: this many units are one incident
CHUNK_POINTS = 1 << 18  # points binned together: bounds the memory of a dozen temporary arrays
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
        # Shares of a cell are rounded to 1/1024, so that every product is a whole number and sums do not depend on
        # order: the same bytes whatever the partitioning. The last corner takes the rest, so no mass is lost to
        # rounding.
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
        # In each row within reach the disc covers the centres from `first` up to `past`: add the weight where the run
        # begins, subtract it where it ends, and one running sum along the rows fills in all runs at once.
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


def collapse(points: Points) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each location's first input row, and each row's location; locations sort by easting, then northing."""
    x, y = np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1])
    east = x[1:] > x[:-1]
    level = x[1:] == x[:-1]
    if (east | (level & (y[1:] >= y[:-1]))).all():  # tables of locations come sorted
        first = np.ones(len(x), dtype=bool)
        first[1:] = east | (y[1:] != y[:-1])
        return np.flatnonzero(first), np.cumsum(first) - 1
    order = np.argsort(x, kind="stable")
    new = np.ones(len(x), dtype=bool)
    np.not_equal(x[order[1:]], x[order[:-1]], out=new[1:])
    # Only points that share an easting are sorted again: few where coordinates are measured.
    shared = ~new
    shared[:-1] |= shared[1:]
    tied = order[shared]
    order[shared] = tied[np.lexsort((y[tied], x[tied]))]
    new[1:] |= y[order[1:]] != y[order[:-1]]
    inverse = np.empty(len(x), dtype=np.int64)
    inverse[order] = np.cumsum(new) - 1
    # Both sorts are stable, so the head of every run is the first of its rows.
    return order[new].astype(np.int64, copy=False), inverse


# Convolution, and the correction for what the edge of a study area cuts off
# --------------------------------------------------------------------------


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
    # What reaches across the whole grid cannot matter further out: a huge bandwidth costs no more than the grid.
    side = 2 * max(values.shape) + 1
    spare = (weights.shape[0] - side) // 2
    if spare > 0:
        weights = weights[spare:-spare, spare:-spare]
    # Padded to the full length, so that the transform's wrap-around falls on zeros; to a length of small prime factors,
    # which is much faster than a prime one.
    shape = [fft.next_fast_len(n + k - 1, real=True) for n, k in zip(values.shape, weights.shape, strict=True)]
    spread = fft.irfft2(fft.rfft2(values, shape) * fft.rfft2(weights, shape), shape)
    row, col = ((k - 1) // 2 for k in weights.shape)
    return np.ascontiguousarray(spread[row : row + values.shape[0], col : col + values.shape[1]], dtype=np.float64)


def clean(values: Values) -> Values:
    """Clip negative values and the numerical noise of the transform."""
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


CELLS_PER_BANDWIDTH = 10  # quartic and Gaussian then err by 0.05 % of the peak, see the conformance suite


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
    # Refuse first: nothing below looks at its input again.
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


# Adaptive density: narrow kernels where incidents crowd, wide ones where they are sparse
# ---------------------------------------------------------------------------------------


# Times the pilot bandwidth. Unbounded, the square-root law would give a lone incident a kernel as wide as the map, and
# a crowded place one narrower than its cells.
ADAPTIVE_NARROWEST, ADAPTIVE_WIDEST = 0.4, 2.5
CLASSES = 12  # one convolution each; neighbouring classes then differ by under 20 % in bandwidth


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
    # A convolution has one bandwidth, so local bandwidths are put into classes, on a logarithmic scale because their
    # ratio is what matters.
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
    # Geometric mean over incidents, as Abramson and Silverman scale it: the typical incident keeps the pilot bandwidth.
    typical = np.exp((mass * np.log(positive)).sum() / mass.sum())
    local: Values = bandwidth_m * np.clip(np.sqrt(typical / positive), ADAPTIVE_NARROWEST, ADAPTIVE_WIDEST)
    return local


# Automatic bandwidth: the one under which the other incidents best predict each incident
# ---------------------------------------------------------------------------------------


# Candidates a fifth to a half apart: the likelihood is flat near its top, and finer steps would only read noise.
LADDER_M = (100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 600.0, 800.0, 1000.0, 1250.0, 1500.0, 2000.0, 3000.0)
FEWEST_LOCATIONS = 10  # below it the likelihood says more about the sample than about the place
CELLS_PER_CANDIDATE = 5  # enough to compare bandwidths: the bias is taken out and the own share is exact
MAX_CELLS = 50_000_000  # 0.4 GB of floats; a narrow candidate over a large area is not tried
BIN_AND_READ = -1 / 6  # cell units: binning and reading linearly each spread by a variance of 1/6 per axis


@dataclass(frozen=True, slots=True)
class BandwidthChoice:
    """A bandwidth and how it was chosen, for the manifest.

    Attributes
    ----------
    bandwidth_m
        The choice, metres.
    ladder_m
        Candidates that were allowed, ascending.
    log_likelihoods
        Mean leave-one-out log likelihood per incident (density per square metre) of each candidate; None where the
        candidate was not tried.
    n_incidents, n_locations
        Weight and distinct places it rests on.
    repeated_share
        Share of incidents whose place holds another; where places repeat the whole place was left out.
    reason
        Why this one, one sentence.
    """

    bandwidth_m: float
    ladder_m: tuple[float, ...]
    log_likelihoods: tuple[float | None, ...]
    n_incidents: float
    n_locations: int
    repeated_share: float
    reason: str


def choose_bandwidth(
    points_m: Points,
    *,
    kernel: str = "quartic",
    weights: ArrayLike | None = None,
    ladder_m: tuple[float, ...] = LADDER_M,
    floor_m: float = 0.0,
    fallback_m: float = 500.0,
) -> BandwidthChoice:
    """Choose one isotropic bandwidth by leave-one-out likelihood.

    For each candidate h every place is given the density that all *other* places give it, and the logarithms are
    averaged over the incidents; the h with the highest mean wins. Whole places are left out: where coordinates
    repeat, leaving out one incident would let its twins predict it and the bandwidth would collapse. A place out of
    every other's reach counts as if the incidents were spread evenly and only one of them mattered: 1 / (n A) with A
    the area of the bounding rectangle.

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (n, 2).
    kernel
        One of `KERNELS`.
    weights
        Weight of each point, for instance incidents at a location. Default 1 each.
    ladder_m
        Candidates, metres.
    floor_m
        No bandwidth below this is tried: the release profile's floor.
    fallback_m
        Used (raised to the floor) where there is too little to choose by.

    Returns
    -------
    choice
        With every candidate's likelihood and the reason, in words.

    Raises
    ------
    InputError
        If a number cannot be used.

    References
    ----------
    Silverman (1986), section 3.4.4; Loader (1999), Local Regression and Likelihood, chapter 5.
    """
    for number in (*ladder_m, fallback_m):
        check_bandwidth(kernel, number)
    if not np.isfinite(floor_m) or floor_m < 0:
        raise InputError(f"a bandwidth floor of {floor_m} m cannot be kept: give 0 m or more")
    places, weight, repeated = _distinct(*checked_points(points_m, weights))
    ladder = tuple(sorted({float(h) for h in ladder_m if h >= floor_m})) or (float(floor_m),)
    total = float(weight.sum())
    if len(places) < FEWEST_LOCATIONS:
        reason = (
            f"{len(places)} distinct locations are too few to choose by (under {FEWEST_LOCATIONS}): "
            "the fallback is used."
        )
        untried = (None,) * len(ladder)
        return BandwidthChoice(max(fallback_m, floor_m), ladder, untried, total, len(places), repeated, reason)

    scores = tuple(_log_likelihood(places, weight, kernel=kernel, bandwidth_m=h) for h in ladder)
    tried = [(score, h) for score, h in zip(scores, ladder, strict=True) if score is not None]
    if not tried:
        reason = "The area is too large for every candidate: the fallback is used. Give a ladder of larger bandwidths."
        return BandwidthChoice(max(fallback_m, floor_m), ladder, scores, total, len(places), repeated, reason)
    # Of equal likelihoods the narrower: it keeps more of the pattern.
    best = max(tried, key=lambda pair: (pair[0], -pair[1]))[1]
    reason = f"Highest leave-one-out likelihood of {len(tried)} candidates."
    if len(tried) > 1 and best in (tried[0][1], tried[-1][1]):
        # A maximum at either end of the ladder is no maximum: say so, because the analyst can extend it.
        end = "lowest" if best == tried[0][1] else "highest"
        held = ", which is the floor" if end == "lowest" and 0 < floor_m == best else ""
        reason += f" It is the {end} candidate{held}: the likelihood may rise further beyond it."
    return BandwidthChoice(best, ladder, scores, total, len(places), repeated, reason)


def _distinct(points: Points, units: NDArray[np.int64]) -> tuple[Points, Values, float]:
    """Collapse points to distinct places with weights; also the share of incidents whose place repeats."""
    used = units > 0
    points, units = points[used], units[used]
    if not len(points):
        return points, np.zeros(0), 0.0
    # Snapped coordinates repeat, so incidents are grouped by place, and a whole place is left out at a time.
    first, place = collapse(points)
    weight = np.bincount(place, units) / SCALE
    shared = (np.bincount(place) > 1) | (weight > 1)
    return points[first], weight, float(weight[shared].sum() / weight.sum())


def _log_likelihood(places: Points, weight: Values, *, kernel: str, bandwidth_m: float) -> float | None:
    """Mean log density that the other places give each incident; None where the cells would be too many."""
    west, south = places.min(axis=0)
    east, north = places.max(axis=0)
    area = max(float((east - west) * (north - south)), bandwidth_m**2)
    cell = max(bandwidth_m / CELLS_PER_CANDIDATE, float(np.sqrt(area / MAX_CELLS)))
    if cell > bandwidth_m / 2:
        return None
    grid = Grid.covering((west, south, east, north), cell_m=cell, margin_m=2 * cell)
    # Places are put on the positions that binning tells apart, so that a place's own share cancels exactly.
    lattice = np.rint((places - (grid.x0, grid.y0)) / cell * STEPS) / STEPS
    snapped = lattice * cell + (grid.x0, grid.y0)
    weights = stencil(kernel=kernel, bandwidth_m=bandwidth_m, cell_m=cell, curvature=BIN_AND_READ)
    spread = convolve(bin_linear(snapped, grid=grid, weights=weight) / SCALE, weights)
    # What all incidents give a place, less what its own give it, is what the others give it: one convolution in place
    # of n. A place's own share is known exactly, because binning, convolving and reading are all linear.
    others = sample_linear(spread, snapped, grid=grid) - weight * _own_share(snapped, grid, weights)
    total = weight.sum()
    density_m2 = others / (total - weight) / cell**2
    return float((weight * np.log(np.maximum(density_m2, 1 / (total * area)))).sum() / total)


def _own_share(places: Points, grid: Grid, weights: Values) -> Values:
    """Return the density that an incident of weight 1 adds at its own place after binning and linear interpolation."""
    _, east, north = corners(places, grid)
    middle = weights.shape[0] // 2
    centre, side, corner = weights[middle, middle], weights[middle, middle + 1], weights[middle + 1, middle + 1]
    same_x, same_y = (1 - east) ** 2 + east**2, (1 - north) ** 2 + north**2
    other_x, other_y = 1 - same_x, 1 - same_y
    share: Values = same_x * same_y * centre + (other_x * same_y + same_x * other_y) * side + other_x * other_y * corner
    return share
