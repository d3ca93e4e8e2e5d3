"""Who neighbours whom, and how the sums over neighbours vary by chance."""

from pipeline.weights.neighbours import Weights, contiguity, distance_band, from_pairs, hexagon, lattice
from pipeline.weights.permute import Exceedance, conditional

__all__ = [
    "Exceedance",
    "Weights",
    "conditional",
    "contiguity",
    "distance_band",
    "from_pairs",
    "hexagon",
    "lattice",
]
