"""Kernel density: incidents per square kilometre, exact enough to be checked against a direct sum.

Incidents are shared linearly between the four nearest cell centres and convolved with a kernel from which the spread of
that sharing has been taken out. The cost does not depend on the number of incidents once they are binned.
"""

from pipeline.detect.kde.bandwidth import LADDER_M, BandwidthChoice, choose_bandwidth
from pipeline.detect.kde.surface import (
    ADAPTIVE_WIDEST,
    CELLS_PER_BANDWIDTH,
    EDGES,
    KERNELS,
    SCALE,
    Surface,
    adaptive_density,
    bin_discs,
    bin_linear,
    density,
    density_from_bins,
    kde_grid,
    kernel_per_m2,
    mass_inside,
    peak_per_km2,
    reach_m,
)

__all__ = [
    "ADAPTIVE_WIDEST",
    "CELLS_PER_BANDWIDTH",
    "EDGES",
    "KERNELS",
    "LADDER_M",
    "SCALE",
    "BandwidthChoice",
    "Surface",
    "adaptive_density",
    "bin_discs",
    "bin_linear",
    "choose_bandwidth",
    "density",
    "density_from_bins",
    "kde_grid",
    "kernel_per_m2",
    "mass_inside",
    "peak_per_km2",
    "reach_m",
]
