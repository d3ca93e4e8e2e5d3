"""Kernels: what one incident spreads over its surroundings.

Each integrates to one over the plane, so a sum of kernels is incidents per area.
"""

from math import ceil, exp, pi

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError

__all__ = ["KERNELS", "check_bandwidth", "kernel_per_m2", "peak_per_km2", "reach_m", "stencil"]

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
