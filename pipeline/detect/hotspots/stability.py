"""Stability of hotspots under resampling of locations, and p-values from simulation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.detect.clusters import ClusterSettings
from pipeline.errors import InputError

__all__ = ["Background", "largest_cluster", "monte_carlo_p", "stability"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Background:
    """Where incidents would fall by chance: square cells with weights, such as residents, or one each.

    Attributes
    ----------
    centres_m
        Cell centres in metres, shape (c, 2), covering the study area and nothing else.
    weights
        Relative chance of each cell, not negative, shape (c,).
    cell_m
        Side of a cell in metres; a place is drawn evenly inside its cell.
    words
        What the weights are, for the note that goes with a p-value.
    """

    centres_m: Floats
    weights: Floats
    cell_m: float
    words: str = "evenly over the covered area"

    def __post_init__(self) -> None:
        centres, weights = np.asarray(self.centres_m, dtype=float), np.asarray(self.weights, dtype=float)
        if centres.ndim != 2 or centres.shape[1] != 2 or weights.shape != (len(centres),):
            raise InputError(f"background: {centres.shape} centres and {weights.shape} weights do not belong together")
        if not (np.isfinite(centres).all() and np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
            raise InputError("background: centres must be finite, weights finite, not negative and not all zero")
        if not (np.isfinite(self.cell_m) and self.cell_m > 0):
            raise InputError(f"background: cell_m is {self.cell_m}: the side of a cell must be positive, in metres")

    def draw(self, n: int, *, rng: np.random.Generator) -> Floats:
        """Draw `n` places, shape (n, 2), in metres."""
        weights = np.asarray(self.weights, dtype=np.float64)
        cells = rng.choice(len(weights), size=n, p=weights / weights.sum())
        places: Floats = np.asarray(self.centres_m, dtype=np.float64)[cells]
        return places + rng.uniform(-self.cell_m / 2, self.cell_m / 2, (n, 2))


def stability(
    places_m: ArrayLike,
    *,
    weights: ArrayLike,
    members: ArrayLike,
    settings: ClusterSettings,
    resamples: int,
    rng: np.random.Generator,
) -> Floats:
    """Return for each hotspot the share of resamples of locations in which at least half of it recurs.

    A resample draws as many locations as there are, with replacement; a location drawn twice carries its incidents
    twice. A hotspot has come back when one cluster of the resample holds, at the hotspot's own locations, at least
    half as many incidents as the hotspot had.

    Parameters
    ----------
    places_m
        Distinct locations in metres, shape (m, 2).
    weights
        Incidents at each, shape (m,).
    members
        Hotspot of each location, from 0, -1 for none, shape (m,).
    settings
        Settings of the clustering.
    resamples
        Number of resamples, at least 1.
    rng
        Source of the draws.

    Returns
    -------
    shares
        0 to 1, one for each hotspot.

    References
    ----------
    Hennig (2007), "Cluster-wise assessment of cluster stability", with incidents in place of the Jaccard measure.
    """
    places = np.asarray(places_m, dtype=np.float64)
    incidents, member = np.asarray(weights, dtype=np.int64), np.asarray(members, dtype=np.int64)
    count = int(member.max(initial=-1)) + 1
    size = np.bincount(member[member >= 0], weights=incidents[member >= 0], minlength=count)
    back = np.zeros(count)
    for _ in range(resamples if count else 0):
        # Locations are drawn, not incidents: repeated incidents at one address are not independent evidence of a
        # hotspot.
        drawn = np.bincount(rng.integers(0, len(places), len(places)), minlength=len(places))
        kept = np.flatnonzero(drawn)
        carried = incidents[kept] * drawn[kept]
        label = settings.cluster(places[kept], carried).labels
        both = (label >= 0) & (member[kept] >= 0)
        found = np.zeros((count, int(label.max(initial=-1)) + 2))
        np.add.at(found, (member[kept][both], label[both]), carried[both])
        # Half or more of it in one cluster: split in two or merged into a large neighbour, it still counts if it stays
        # together.
        back += 2 * found.max(axis=1) >= size
    return back / resamples


def largest_cluster(labels: ArrayLike, weights: ArrayLike, *, min_locations: int) -> int:
    """Return the incidents of the largest cluster with enough locations, 0 if there is none."""
    label, incidents = np.asarray(labels), np.asarray(weights, dtype=np.int64)
    inside = label >= 0
    if not inside.any():
        return 0
    sums = np.bincount(label[inside], weights=incidents[inside])
    return int(sums[np.bincount(label[inside]) >= min_locations].max(initial=0))


def monte_carlo_p(
    incidents: ArrayLike,
    *,
    weights: ArrayLike,
    background: Background,
    settings: ClusterSettings,
    simulations: int,
    rng: np.random.Generator,
) -> Floats:
    """Return how often chance alone produces a cluster as large, for each hotspot.

    Each simulation places all locations, with the incidents they carry, at random over the background, clusters them
    with the same settings, and keeps the incidents of its largest cluster. p = (1 + simulations whose largest cluster
    is at least as large) / (1 + simulations). Comparing with the largest anywhere allows for the search over places.

    Parameters
    ----------
    incidents
        Incidents of each hotspot.
    weights
        Incidents at each location of the whole study area, shape (m,).
    background
        Where they would fall by chance.
    settings
        Settings of the clustering.
    simulations
        Number of simulations, at least 1.
    rng
        Source of the draws.

    References
    ----------
    Dwass (1957) for the test; the largest cluster as its statistic as in Kulldorff (1997).
    """
    carried = np.asarray(weights, dtype=np.int64)
    observed = np.asarray(incidents, dtype=np.int64)
    as_large = np.zeros(len(observed))
    for _ in range(simulations if len(observed) else 0):
        # The largest anywhere, not the one at the same place: hotspots were picked for being the largest (Kulldorff
        # 1997).
        labels = settings.cluster(background.draw(len(carried), rng=rng), carried).labels
        as_large += largest_cluster(labels, carried, min_locations=settings.min_locations) >= observed
    return (1 + as_large) / (1 + simulations)
