"""Kernel density: incidents per square kilometre, exact enough to be checked against a direct sum.

Incidents are shared linearly between the four nearest cell centres and convolved with a kernel from which the spread of
that sharing has been taken out. The cost does not depend on the number of incidents once they are binned.
"""

from pipeline.kde.adaptive import ADAPTIVE_WIDEST, adaptive_density
from pipeline.kde.bandwidth import LADDER_M, BandwidthChoice, choose_bandwidth
from pipeline.kde.binning import SCALE, bin_discs, bin_linear
from pipeline.kde.kernels import KERNELS, kernel_per_m2, peak_per_km2, reach_m
from pipeline.kde.smoothing import EDGES, mass_inside
from pipeline.kde.surface import CELLS_PER_BANDWIDTH, Surface, density, density_from_bins, kde_grid, per_year

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
    "per_year",
    "reach_m",
]
