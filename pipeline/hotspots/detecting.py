"""Clusters of one window that count as hotspots, ranked by incidents."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pipeline.clusters import Clustering, EpsChoice, Method, auto_eps, distinct, joining_note, reach
from pipeline.hotspots.resampling import Recipe
from pipeline.outline import cluster_outlines

__all__ = ["Detection", "detect"]

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
    recipe
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
    recipe: Recipe | None
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

    def inside(self, points_m: ArrayLike) -> Ints:
        """Return the hotspot of any points by the rule that takes in border points: a core location within reach."""
        if self.recipe is None:
            return np.full(len(np.asarray(points_m)), -1, dtype=np.int64)
        core = self.clustering.core
        labels = reach(
            points_m, core_m=self.places_m[core], core_labels=self.clustering.labels[core], eps_m=self.recipe.eps_m
        )
        return self.hotspot_of[labels]

    def outlines(self) -> NDArray[np.object_]:
        """Draw every hotspot, in metres."""
        if self.recipe is None:
            return np.empty(0, dtype=object)
        return cluster_outlines(
            self.places_m, labels=self.member, core=self.clustering.core, eps_m=self.recipe.eps_m, count=self.count
        )


def detect(
    rows: pd.DataFrame,
    *,
    eps_m: float | Literal["auto"],
    min_samples: int,
    method: Method,
    min_locations: int,
    max_hotspots: int | None,
) -> Detection:
    """Cluster the rows of a window (columns easting_m, northing_m, incidents) and keep what counts as a hotspot.

    Parameters and errors are those of `find_hotspots`.
    """
    places, weights, place = distinct(rows[["easting_m", "northing_m"]], weights=rows["incidents"])
    notes: list[str] = []
    choice: EpsChoice | None = None
    if eps_m == "auto":
        if int(weights.sum()) < min_samples or not (weights < min_samples).any():
            notes.append(
                f"no hotspot: eps_m cannot be chosen from {int(weights.sum())} incidents at {len(places)} places "
                f"with min_samples {min_samples}"
            )
            nothing = Clustering(np.full(len(places), -1, dtype=np.int32), np.zeros(len(places), dtype=bool), method)
            return Detection(places, weights, place, nothing, np.array([-1]), None, None, tuple(notes))
        choice = auto_eps(places, min_samples=min_samples, weights=weights)
        notes.append(choice.note)
    recipe = Recipe(choice.eps_m if choice else float(eps_m), min_samples, min_locations, method)
    found = recipe.cluster(places, weights)
    notes.extend(found.notes)
    warning = joining_note(places, found, eps_m=recipe.eps_m, min_samples=min_samples, weights=weights)
    notes.extend([warning] if warning else [])
    order = _rank(found, weights, min_locations, max_hotspots, notes)
    hotspot_of = np.full(found.count + 1, -1, dtype=np.int64)
    hotspot_of[order] = np.arange(len(order))
    return Detection(places, weights, place, found, hotspot_of, recipe, choice, tuple(notes))


def _rank(
    found: Clustering, weights: Ints, min_locations: int, max_hotspots: int | None, notes: list[str]
) -> NDArray[np.intp]:
    """List the labels that are hotspots: most incidents first, ties by the lower label."""
    inside = found.labels >= 0
    incidents = np.bincount(found.labels[inside], weights=weights[inside], minlength=found.count)
    enough = np.bincount(found.labels[inside], minlength=found.count) >= min_locations
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
