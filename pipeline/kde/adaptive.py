"""Adaptive density: narrow kernels where incidents crowd, wide ones where they are sparse."""

import numpy as np
from numpy.typing import NDArray

from pipeline.geography.grid import Grid
from pipeline.kde.binning import Bins
from pipeline.kde.kernels import check_bandwidth
from pipeline.kde.smoothing import check_edge, checked_bins, smooth, trim
from pipeline.kde.surface import Surface, density_from_bins

__all__ = ["ADAPTIVE_WIDEST", "adaptive_density"]

ADAPTIVE_NARROWEST, ADAPTIVE_WIDEST = 0.4, 2.5  # times the pilot bandwidth
CLASSES = 12

Values = NDArray[np.float64]


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
