"""Exact DBSCAN on weighted locations, in memory proportional to the points."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.clusters.counting import core_mask
from pipeline.clusters.joining import CoreCells
from pipeline.clusters.locations import as_points, as_weights, collapse
from pipeline.errors import InputError

__all__ = ["Clustering", "check_settings", "dbscan", "reach"]


@dataclass(frozen=True, slots=True)
class Clustering:
    """A cluster for every point.

    Attributes
    ----------
    labels
        Cluster of each input point, from 0; -1 is none. Shape (n,).
    core
        Whether each point is a core point of its cluster, shape (n,).
    method
        `dbscan`, `hdbscan` or `optics`.
    notes
        What a reader must know about how the labels were made; empty if nothing.
    """

    labels: NDArray[np.int32]
    core: NDArray[np.bool_]
    method: str = "dbscan"
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Number of clusters."""
        return int(self.labels.max(initial=-1)) + 1


def check_settings(*, eps_m: float | None = None, min_samples: int) -> None:
    """Refuse a reach that is not a positive length, or a minimum that is not a positive whole number."""
    if eps_m is not None and not (math.isfinite(eps_m) and eps_m > 0):
        raise InputError(f"eps_m is {eps_m}: the reach of a cluster must be a positive number of metres")
    if min_samples != int(min_samples) or min_samples < 1:
        raise InputError(f"min_samples is {min_samples}: give a whole number of incidents, at least 1")


def dbscan(points_m: ArrayLike, *, eps_m: float, min_samples: int, weights: ArrayLike | None = None) -> Clustering:
    """Find clusters of points that have at least `min_samples` incidents within `eps_m`.

    A core point has at least `min_samples` incidents (itself included) at distance <= eps; core points within eps of
    each other share a cluster; a border point within eps of core points joins the lowest-numbered of their clusters.
    Clusters are numbered by their first core point in input order. Labels equal those of scikit-learn's `DBSCAN`
    with `sample_weight`; coordinates that repeat cost nothing extra.

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (n, 2).
    eps_m
        Reach in metres. Distances are compared as `dx*dx + dy*dy <= eps*eps` in double precision.
    min_samples
        Incidents within reach that make a core point.
    weights
        Incidents per point, whole and not negative, shape (n,); one each by default.

    Returns
    -------
    clustering
        Labels and core flags per input point.

    Raises
    ------
    InputError
        If a coordinate is not finite, a weight is negative or not whole, `eps_m` or `min_samples` is not positive,
        or the points stretch over more than about 1e8 times `eps_m`.

    References
    ----------
    Ester, Kriegel, Sander and Xu (1996); the grid of side eps / sqrt(2): Gunawan (2013).

    Examples
    --------
    >>> line = [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [9.0, 0.0]]
    >>> dbscan(line, eps_m=1.0, min_samples=3).labels.tolist()
    [0, 0, 0, -1]
    """
    check_settings(eps_m=eps_m, min_samples=min_samples)
    points = as_points(points_m)
    counts = as_weights(weights, len(points))
    first, inverse = collapse(points)
    places = np.zeros(len(first), dtype=np.int64)
    np.add.at(places, inverse, counts)
    x, y = np.ascontiguousarray(points[first, 0]), np.ascontiguousarray(points[first, 1])
    core = core_mask(x, y, places, eps_m=eps_m, min_samples=int(min_samples))
    labels = np.full(len(first), -1, dtype=np.int64)
    idle = len(points) > 0 and not places.any()
    notes = ("all weights are zero: no point is in a cluster",) if idle else ()
    if core.any():
        cells = CoreCells(x, y, core, eps_m=eps_m)
        label = _number(cells, first)
        labels[cells.rows] = label
        border = np.flatnonzero(~core)
        labels[border] = cells.reach(x, y, border, label)
    return Clustering(labels[inverse].astype(np.int32), core[inverse], notes=notes)


def _number(cells: CoreCells, first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each core location its cluster, numbered by their first core point in input order."""
    component = cells.join()
    held = np.flatnonzero(cells.size)
    earliest = np.full(int(component.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(earliest, component[held], np.minimum.reduceat(first[cells.rows], cells.first[held]))
    used = np.unique(component[held])
    number = np.full(len(earliest), -1, dtype=np.int64)
    number[used[np.argsort(earliest[used], kind="stable")]] = np.arange(len(used))
    return np.repeat(number[component], cells.size)


def reach(points_m: ArrayLike, *, core_m: ArrayLike, core_labels: ArrayLike, eps_m: float) -> NDArray[np.int32]:
    """Return the lowest cluster that has a core location within `eps_m` of each point, -1 where there is none.

    The rule by which DBSCAN takes in its border points, for points that were not part of the clustering, such as
    another period's incidents.

    Parameters
    ----------
    points_m
        Points to look up, metres, shape (n, 2).
    core_m
        Core locations, metres, shape (m, 2).
    core_labels
        The cluster of each core location, shape (m,).
    eps_m
        Reach in metres.

    Raises
    ------
    InputError
        If a coordinate is not finite or `eps_m` is not positive.
    """
    check_settings(eps_m=eps_m, min_samples=1)
    points, cores = as_points(points_m), as_points(core_m)
    if not len(points) or not len(cores):
        return np.full(len(points), -1, dtype=np.int32)
    both = np.concatenate((points, cores))
    is_core = np.arange(len(both)) >= len(points)
    cells = CoreCells(np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1]), is_core, eps_m=eps_m)
    labels = np.asarray(core_labels, dtype=np.int64)
    rows = np.arange(len(points))
    return cells.reach(both[:, 0], both[:, 1], rows, labels[cells.rows - len(points)]).astype(np.int32)
