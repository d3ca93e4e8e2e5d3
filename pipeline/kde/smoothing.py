"""Binned incidents spread by convolution, and the correction for what a study area's edge cuts off."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.geography.grid import Grid, grown
from pipeline.kde.binning import SCALE, Bins
from pipeline.kde.kernels import AREA_SHARES, LINEAR_BINNING, stencil

__all__ = ["EDGES", "LEAST_INSIDE", "check_edge", "checked_bins", "clean", "convolve", "mass_inside", "smooth", "trim"]

EDGES = ("uniform", "diggle", "none")
LEAST_INSIDE = 0.05  # a correction never multiplies by more than 20
DUST = 1e-12  # of the peak: below it is the noise of the transform

Values = NDArray[np.float64]


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
