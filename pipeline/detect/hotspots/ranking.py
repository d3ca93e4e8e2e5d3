"""Which clusters count as hotspots, and their rank: most incidents first."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.detect.clusters import (
    Clustering,
    ClusterMethod,
    ClusterSettings,
    EpsChoice,
    auto_eps,
    auto_min_samples,
    capped,
    distinct,
)
from pipeline.detect.hotspots.outlines import cluster_outlines, within

__all__ = ["FIRST_SAMPLES", "Detection", "detect", "ranked_by_content"]

FIRST_SAMPLES = 30
"""Incidents at whose distance an automatic reach is read where `min_samples` is automatic too. Methods that count
places, to which the automatic number does not apply, use it as it is."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Detection:
    """Distinct locations of a window, their clusters, and which clusters are hotspots.

    Attributes
    ----------
    places_m, weights
        Distinct locations in metres, shape (m, 2), and incidents at each, shape (m,).
    place
        Location of every input row, shape (n,).
    clustering
        Cluster of every location.
    hotspot_of
        Hotspot of each label from 0 in order of rank, -1 for none; the last entry answers for label -1.
    settings
        Settings used; None where no reach could be chosen.
    choice
        How an automatic reach was read, otherwise None.
    notes
        What a reader must know.
    """

    places_m: Floats
    weights: Ints
    place: Ints
    clustering: Clustering
    hotspot_of: Ints
    settings: ClusterSettings | None
    choice: EpsChoice | None
    notes: tuple[str, ...]

    @property
    def count(self) -> int:
        """Number of hotspots."""
        return int(self.hotspot_of.max(initial=-1)) + 1

    @property
    def member(self) -> Ints:
        """Hotspot of every location, -1 for none."""
        return self.hotspot_of[self.clustering.labels]

    def outlines(self) -> NDArray[np.object_]:
        """Draw every hotspot round all its locations, in metres."""
        if self.settings is None:
            return np.empty(0, dtype=object)
        return cluster_outlines(self.places_m, labels=self.member, eps_m=self.settings.eps_m, count=self.count)


def detect(
    rows: pd.DataFrame,
    *,
    eps_m: float | Literal["auto"],
    min_samples: int | Literal["auto"],
    method: str,
    min_locations: int,
    max_hotspots: int | None,
    largest_pct: float | None = None,
) -> Detection:
    """Cluster the rows of a window (columns easting_m, northing_m, incidents) and keep the clusters that are hotspots.

    Parameters and errors are those of `find_hotspots`.
    """
    places, weights, place = distinct(rows[["easting_m", "northing_m"]], weights=rows["incidents"])
    notes: list[str] = []
    choice: EpsChoice | None = None
    samples = FIRST_SAMPLES if min_samples == "auto" else min_samples
    if eps_m == "auto":
        if int(weights.sum()) < samples or not (weights < samples).any():
            notes.append(
                f"no hotspot: eps_m cannot be chosen from {int(weights.sum())} incidents at {len(places)} places "
                f"with min_samples {samples}"
            )
            nothing = Clustering(np.full(len(places), -1, dtype=np.int32), np.zeros(len(places), dtype=bool), method)
            return Detection(places, weights, place, nothing, np.array([-1]), None, None, tuple(notes))
        choice = auto_eps(places, min_samples=samples, weights=weights)
        notes.append(choice.note)
    reach = choice.eps_m if choice else float(eps_m)
    free = min_samples == "auto" and method == ClusterMethod.DBSCAN
    if free:
        read = auto_min_samples(places, eps_m=reach, weights=weights)
        samples = read.min_samples
        notes.append(read.note)
    used = ClusterSettings(reach, samples, min_locations, method)
    if method == ClusterMethod.DBSCAN and largest_pct is not None:
        used, found, tightened = capped(
            places,
            used,
            weights=weights,
            largest_pct=largest_pct,
            eps_is_free=choice is not None,
            min_samples_is_free=free,
        )
        notes.extend([tightened] if tightened else [])
    else:
        found = used.cluster(places, weights)
    notes.extend(found.notes)
    order = _rank(found, weights, min_locations, max_hotspots, notes)
    hotspot_of = np.full(found.count + 1, -1, dtype=np.int64)
    hotspot_of[order] = np.arange(len(order))
    return Detection(places, weights, place, found, hotspot_of, used, choice, tuple(notes))


def _rank(
    found: Clustering, weights: Ints, min_locations: int, max_hotspots: int | None, notes: list[str]
) -> NDArray[np.intp]:
    """List the labels that are hotspots: most incidents first, ties by the lower label."""
    inside = found.labels >= 0
    incidents = np.bincount(found.labels[inside], weights=weights[inside], minlength=found.count)
    enough = np.bincount(found.labels[inside], minlength=found.count) >= min_locations
    # A cluster at fewer than `min_locations` distinct places is an address, not a hotspot: to show it would point at
    # one.
    order = np.argsort(-incidents, kind="stable")
    order = order[enough[order]]
    if not enough.all():
        notes.append(
            f"{int((~enough).sum())} of {found.count} clusters have fewer than {min_locations} distinct locations "
            "and are no hotspots"
        )
    if not len(order):
        notes.append(f"no hotspot among {int(weights.sum())} incidents at {len(weights)} places")
    if max_hotspots is not None and len(order) > max_hotspots:
        notes.append(f"the {max_hotspots} largest of {len(order)} hotspots are kept")
        order = order[:max_hotspots]
    return order


def ranked_by_content(found: Detection) -> tuple[Detection, NDArray[np.object_], NDArray[np.intp]]:
    """Draw the hotspots and rank them by the incidents inside their outlines.

    Returns
    -------
    found
        The detection, with hotspots in their new order.
    geometry
        Outlines in that order.
    order
        The former number of each hotspot.
    """
    drawn = found.outlines()
    places = pd.DataFrame({"easting_m": found.places_m[:, 0], "northing_m": found.places_m[:, 1]})
    hotspot, at = within(drawn, places)
    incidents = np.bincount(hotspot, weights=found.weights[at], minlength=found.count).astype(np.int64)
    order = np.argsort(-incidents, kind="stable")
    renumbered = np.full(found.count + 1, -1, dtype=np.int64)
    renumbered[order] = np.arange(len(order))
    return replace(found, hotspot_of=renumbered[found.hotspot_of]), drawn[order], order
