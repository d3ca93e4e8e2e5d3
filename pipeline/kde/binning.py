"""Incidents laid on cells as whole numbers, so that partial sums add up to the same bits in any order."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError
from pipeline.geography.grid import Grid

__all__ = ["SCALE", "bin_discs", "bin_linear", "corners", "sample_linear"]

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
