"""Clustering methods to choose from, and how far a cluster of DBSCAN reaches.

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
    "EpsChoice",
    "auto_eps",
    "hdbscan",
    "joining_note",
    "k_distances",
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


# How far a cluster reaches: the knee of the weighted k-distance curve, and a warning when eps joins everything
# --------------------------------------------------------------------------------------------------------------

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SAMPLE = 20_000  # locations the curve is measured at; more change the knee by less than its rounding
TAIL_PCT = 95  # the last incidents are the lone ones: they say how large the map is, not how tight a cluster
NEIGHBOURS_AT_ONCE = 1 << 20  # distances held at once, 8 MB


@dataclass(frozen=True, slots=True)
class EpsChoice:
    """An automatic `eps_m`, and how it was determined.

    Attributes
    ----------
    eps_m
        The choice in metres, rounded up to a whole metre.
    min_samples
        The k of the curve.
    knee_pct
        Share of incidents at or below the knee, per cent.
    curve
        Pairs of share of incidents (per cent, 0 to 100 in steps of 1) and k-distance in metres.
    sampled_locations
        Locations the curve was measured at.
    note
        The choice in words.
    """

    eps_m: float
    min_samples: int
    knee_pct: float
    curve: tuple[tuple[float, float], ...]
    sampled_locations: int
    note: str


def k_distances(
    locations_m: Floats, *, weights: Ints, min_samples: int, at: NDArray[np.integer] | None = None
) -> Floats:
    """Return the distance from locations within which they have `min_samples` incidents, their own included.

    Parameters
    ----------
    locations_m
        Distinct locations in metres, shape (m, 2).
    weights
        Incidents at each, at least 1, shape (m,).
    min_samples
        Incidents to reach.
    at
        Rows to measure, all by default.

    Returns
    -------
    distances
        Metres, shape of `at`; infinite where all incidents together are fewer.
    """
    from scipy.spatial import KDTree

    rows = np.arange(len(locations_m)) if at is None else np.asarray(at)
    reached = np.full(len(rows), np.inf)
    if not len(locations_m) or int(weights.sum()) < min_samples:
        return reached
    tree = KDTree(locations_m)
    # Few neighbours first, four times as many for those that have not enough incidents yet: where weights are large, a
    # handful of places holds min_samples.
    waiting = np.arange(len(rows))
    k = min(8, min_samples, len(locations_m))
    while len(waiting):
        left: list[NDArray[np.integer]] = []
        for part in np.array_split(waiting, 1 + len(waiting) * k // NEIGHBOURS_AT_ONCE):
            gap, near = tree.query(locations_m[rows[part]], k=np.arange(1, k + 1))
            enough = np.cumsum(weights[near], axis=1) >= min_samples
            found = enough[:, -1]
            reached[part[found]] = gap[found, np.argmax(enough[found], axis=1)]
            left.append(part[~found])
        waiting = np.concatenate(left)
        k = min(4 * k, min_samples, len(locations_m))
    return reached


def auto_eps(points_m: ArrayLike, *, min_samples: int, weights: ArrayLike | None = None) -> EpsChoice:
    """Choose the reach of DBSCAN at the knee of the weighted k-distance curve.

    The curve sorts incidents by the distance within which they have `min_samples` incidents. It rises slowly inside
    clusters and fast between them; the knee is the point furthest below the chord from its start to its 95th
    per cent, both axes scaled to one. Incidents at a place that holds `min_samples` on its own have distance zero
    whatever the reach, so they are left out.

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (n, 2).
    min_samples
        Incidents within reach that will make a core point.
    weights
        Incidents per point, shape (n,); one each by default.

    Returns
    -------
    choice
        The reach and the curve it was read from.

    Raises
    ------
    InputError
        If there are fewer than `min_samples` incidents, or every one of them is at a place that holds as many.

    References
    ----------
    Ester et al. (1996), section 4.2, for the curve; Satopää et al. (2011), "Finding a kneedle in a haystack".
    """
    check_settings(min_samples=min_samples)
    locations, counts, _ = distinct(points_m, weights=weights)
    locations, counts = locations[counts > 0], counts[counts > 0]
    if int(counts.sum()) < min_samples:
        raise InputError(
            f"{int(counts.sum())} incidents are fewer than min_samples ({min_samples}), so eps_m cannot be chosen: "
            "set eps_m in metres, or lower min_samples"
        )
    # A place that holds min_samples alone has distance zero whatever eps is: it says nothing about eps, and hundreds of
    # them would bend the curve.
    open_places = np.flatnonzero(counts < min_samples)
    if not len(open_places):
        raise InputError(
            f"every place holds at least min_samples ({min_samples}) incidents on its own, so the k-distances are all "
            "zero and eps_m cannot be chosen: set eps_m in metres, or raise min_samples"
        )
    at = _spread(open_places)
    gaps = k_distances(locations, weights=counts, min_samples=min_samples, at=at)
    shares = np.arange(101.0)
    curve = _quantiles(gaps, counts[at], shares)
    knee = _knee(curve[: TAIL_PCT + 1])
    eps_m = float(np.ceil(curve[knee]))
    left_out = len(locations) - len(open_places)
    note = (
        f"eps_m {eps_m:g} m, chosen at the knee of the k-distance curve (k = {min_samples} incidents): {knee} % of the "
        f"incidents lie below it, half within {curve[50]:.0f} m; {len(at):,} locations measured"
        + (f", {left_out:,} that hold k on their own left out" if left_out else "")
    )
    return EpsChoice(
        eps_m=eps_m,
        min_samples=int(min_samples),
        knee_pct=float(knee),
        curve=tuple(zip(shares.tolist(), np.round(curve, 3).tolist(), strict=True)),
        sampled_locations=len(at),
        note=note,
    )


def joining_note(
    points_m: ArrayLike,
    clustering: Clustering,
    *,
    eps_m: float,
    min_samples: int,
    weights: ArrayLike | None = None,
) -> str | None:
    """Warn if one cluster has more than half of all incidents, and quote the k-distance; None otherwise.

    Parameters
    ----------
    points_m
        The points that were clustered, metres, shape (n, 2).
    clustering
        Their clusters.
    eps_m, min_samples
        The settings they were clustered with.
    weights
        Incidents per point, shape (n,); one each by default.
    """
    locations, counts, inverse = distinct(points_m, weights=weights)
    per_point = np.ones(len(inverse), dtype=np.int64) if weights is None else np.asarray(weights, dtype=np.int64)
    total = int(counts.sum())
    sizes = np.bincount(clustering.labels[clustering.labels >= 0], weights=per_point[clustering.labels >= 0])
    if not sizes.size or 2 * sizes.max() <= total:
        return None
    locations, counts = locations[counts > 0], counts[counts > 0]
    at = _spread(np.arange(len(counts)))
    gaps = k_distances(locations, weights=counts, min_samples=min_samples, at=at)
    middle = _quantiles(gaps, counts[at], np.array([50.0]))[0]
    held = f"{100 * sizes.max() / total:.0f} % of all {total:,} incidents"
    if clustering.method != ClusterMethod.DBSCAN:
        return (
            f"one cluster of {clustering.method} holds {held}: it says little; dbscan with its own eps_m may say more"
        )
    return (
        f"eps_m {eps_m:g} m joins {held} into one cluster: half of them have {min_samples} incidents within "
        f"{middle:.0f} m (their k-distance), so a smaller eps_m would separate them"
    )


def _spread(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pick rows evenly, at most SAMPLE of them: locations are sorted, so every part of the map is represented."""
    picked: NDArray[np.int64] = rows[np.arange(0, len(rows), max(len(rows) / SAMPLE, 1.0)).astype(np.int64)]
    return picked


def _quantiles(values: Floats, weights: Ints, shares_pct: Floats) -> Floats:
    """Return the smallest values that at least these shares of the weight do not exceed."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    wanted = np.ceil(shares_pct / 100 * below[-1])
    picked: Floats = values[order][np.minimum(np.searchsorted(below, wanted), len(order) - 1)]
    return picked


def _knee(curve: Floats) -> int:
    """Return the index of the point furthest below the chord; the first where the curve is flat."""
    # Both axes scaled to one: the knee must not depend on whether the map is in metres or kilometres.
    rise = float(curve[-1] - curve[0])
    if rise <= 0:
        return 0
    return int(np.argmax(np.linspace(0, 1, len(curve)) - (curve - curve[0]) / rise))
