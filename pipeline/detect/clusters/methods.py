"""Clustering methods to choose from.

The methods are the entries of `CLUSTER_METHODS`: our exact DBSCAN, and HDBSCAN and OPTICS of scikit-learn.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.detect.clusters.dbscan import Clustering, check_settings, dbscan, distinct
from pipeline.errors import InputError

__all__ = [
    "CLUSTER_METHODS",
    "HDBSCAN_LIMIT",
    "OPTICS_LIMIT",
    "ClusterMethod",
    "ClusterSettings",
    "hdbscan",
    "optics",
]


class ClusterMethod(StrEnum):
    """Names of the clustering methods, as `detect.clusters.method` writes them."""

    DBSCAN = "dbscan"
    HDBSCAN = "hdbscan"
    OPTICS = "optics"


# Most distinct locations: the time of both grows with the square of their number, that of OPTICS the faster.
HDBSCAN_LIMIT = 200_000
OPTICS_LIMIT = 20_000


def hdbscan(points_m: ArrayLike, *, min_samples: int, min_locations: int = 5) -> Clustering:
    """Find clusters of varying density with scikit-learn's HDBSCAN, on distinct locations.

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (n, 2).
    min_samples
        Locations (not incidents: the method takes no weights) that make a neighbourhood.
    min_locations
        Fewest locations in a cluster, at least 2.

    Returns
    -------
    clustering
        Clusters numbered by their first point in input order; every member counts as core.

    Raises
    ------
    InputError
        If there are more than 200,000 distinct locations, or the input is unusable.

    References
    ----------
    Campello, Moulavi and Sander (2013).
    """
    from sklearn.cluster import HDBSCAN

    model = HDBSCAN(min_cluster_size=max(min_locations, 2), min_samples=min_samples, copy=True)
    return _on_locations(
        points_m, model, ClusterMethod.HDBSCAN, limit=HDBSCAN_LIMIT, needs=max(min_samples, min_locations, 2)
    )


def optics(
    points_m: ArrayLike, *, min_samples: int, min_locations: int = 5, max_eps_m: float | None = None
) -> Clustering:
    """Find clusters in the reachability order of scikit-learn's OPTICS (xi 0.05), on distinct locations.

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (n, 2).
    min_samples
        Locations (not incidents: the method takes no weights) that make a neighbourhood, at least 2.
    min_locations
        Fewest locations in a cluster, at least 2.
    max_eps_m
        Furthest that a neighbour is looked for, in metres; no limit by default.

    Returns
    -------
    clustering
        Clusters numbered by their first point in input order; every member counts as core.

    Raises
    ------
    InputError
        If there are more than 20,000 distinct locations, or the input is unusable.

    References
    ----------
    Ankerst, Breunig, Kriegel and Sander (1999).
    """
    from sklearn.cluster import OPTICS

    if max_eps_m is not None:
        check_settings(eps_m=max_eps_m, min_samples=min_samples)
    needs = max(min_samples, min_locations, 2)
    model = OPTICS(
        min_samples=max(min_samples, 2),
        min_cluster_size=max(min_locations, 2),
        max_eps=np.inf if max_eps_m is None else max_eps_m,
    )
    return _on_locations(points_m, model, ClusterMethod.OPTICS, limit=OPTICS_LIMIT, needs=needs)


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """How points are clustered: fixed once, so that resamples and simulations repeat exactly the same.

    Attributes
    ----------
    eps_m
        Reach of DBSCAN, furthest neighbour of OPTICS, in metres; HDBSCAN needs none.
    min_samples
        Incidents (DBSCAN) or locations (the others) that make a neighbourhood.
    min_locations
        Fewest distinct locations in a cluster that counts; HDBSCAN and OPTICS form no smaller one.
    method
        A `ClusterMethod`, by its name.
    """

    eps_m: float
    min_samples: int
    min_locations: int = 5
    method: str = ClusterMethod.DBSCAN

    def cluster(self, points_m: ArrayLike, weights: ArrayLike | None = None) -> Clustering:
        """Cluster points; HDBSCAN and OPTICS leave the weights aside and say so.

        Parameters
        ----------
        points_m
            Eastings and northings in metres, shape (n, 2).
        weights
            Incidents per point, shape (n,); one each by default.

        Raises
        ------
        InputError
            If the method is not known, or as it does itself.
        """
        if self.method not in CLUSTER_METHODS:
            *names, last = CLUSTER_METHODS
            raise InputError(f"{self.method!r} is not a clustering method: choose {', '.join(names)} or {last}")
        return CLUSTER_METHODS[ClusterMethod(self.method)](points_m, weights, self)


CLUSTER_METHODS: Mapping[ClusterMethod, Callable[[ArrayLike, ArrayLike | None, ClusterSettings], Clustering]] = {
    ClusterMethod.DBSCAN: lambda points, weights, s: dbscan(
        points, eps_m=s.eps_m, min_samples=s.min_samples, weights=weights
    ),
    ClusterMethod.HDBSCAN: lambda points, _, s: hdbscan(
        points, min_samples=s.min_samples, min_locations=s.min_locations
    ),
    ClusterMethod.OPTICS: lambda points, _, s: optics(
        points, min_samples=s.min_samples, min_locations=s.min_locations, max_eps_m=s.eps_m
    ),
}
"""Every clustering method: takes points, weights and settings. A new one is a name above and an entry here."""


def _on_locations(points_m: ArrayLike, model: Any, method: ClusterMethod, *, limit: int, needs: int) -> Clustering:
    check_settings(min_samples=model.min_samples)
    locations, counts, inverse = distinct(points_m)
    if len(locations) > limit:
        raise InputError(
            f"{method} was asked for {len(locations):,} distinct locations and is limited to {limit:,}: "
            "use dbscan, which has no limit, or cluster a smaller area or period"
        )
    notes = [f"{method} takes no weights: it ran on distinct locations, so min_samples counts locations, not incidents"]
    if len(counts) < len(inverse):
        notes.append(f"{len(inverse):,} points stand at {len(counts):,} distinct locations")
    if len(locations) < needs:
        notes.append(f"{len(locations)} distinct locations are too few for a cluster of {needs}")
        label = np.full(len(locations), -1, dtype=np.int64)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "all reachability values are inf": no cluster, as the labels show
            # Near the origin, so that squared coordinates keep their metres.
            label = np.asarray(model.fit(locations - locations.mean(axis=0)).labels_, dtype=np.int64)
    labels = _renumber(label[inverse])
    return Clustering(labels, labels >= 0, method=method, notes=tuple(notes))


def _renumber(labels: NDArray[np.int64]) -> NDArray[np.int32]:
    """Give clusters numbers by their first point in input order; anything negative is noise."""
    names, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    kept = names >= 0
    number = np.full(len(names), -1, dtype=np.int32)
    number[np.flatnonzero(kept)[np.argsort(first[kept])]] = np.arange(int(kept.sum()))
    return number[inverse]
