"""Exact DBSCAN (Ester et al. 1996) on weighted distinct locations, at any size.

Three steps, each exact: collapse repeated coordinates to locations with weights; count incidents within eps, by sums
over square cells, to find the core locations; join core locations by cells of side eps / sqrt(2) (module `cells`).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.detect.clusters.cells import CoreCells, Lattice, Occupied, expand
from pipeline.errors import InputError

__all__ = [
    "Clustering",
    "Layer",
    "as_points",
    "as_weights",
    "check_settings",
    "collapse",
    "core_mask",
    "dbscan",
    "distinct",
    "reach",
    "settle",
    "strips",
]


Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def as_points(points_m: ArrayLike) -> Floats:
    """Return eastings and northings as a float64 array of shape (n, 2), refusing what is not a place."""
    points = np.asarray(points_m, dtype=np.float64)
    if points.size == 0:
        return np.empty((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"points have shape {points.shape}: give eastings and northings in metres, shape (n, 2)")
    bad = ~np.isfinite(points).all(axis=1)
    if bad.any():
        raise InputError(
            f"{int(bad.sum())} of {len(points)} points have no finite easting or northing, the first at row "
            f"{int(np.argmax(bad))}: leave incidents without a place out before clustering"
        )
    return points


def as_weights(weights: ArrayLike | None, n: int) -> Ints:
    """Return incidents per point as int64, one each where none are given."""
    if weights is None:
        return np.ones(n, dtype=np.int64)
    given = np.asarray(weights)
    if given.shape != (n,):
        raise InputError(f"weights have shape {given.shape} for {n} points: give one weight per point")
    if given.dtype.kind not in "iub" and not np.array_equal(given, np.rint(given)):
        raise InputError("weights are not whole numbers: a weight is the number of incidents at a point")
    counts = given.astype(np.int64)
    if n and counts.min() < 0:
        raise InputError(f"the weight at row {int(np.argmin(counts))} is negative: a weight is a number of incidents")
    return counts


def collapse(points: Floats) -> tuple[Ints, Ints]:
    """Return each location's first input row, and each row's location; locations sort by easting, then northing."""
    x, y = np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1])
    east = x[1:] > x[:-1]
    level = x[1:] == x[:-1]
    if (east | (level & (y[1:] >= y[:-1]))).all():  # tables of locations come sorted
        first = np.ones(len(x), dtype=bool)
        first[1:] = east | (y[1:] != y[:-1])
        return np.flatnonzero(first), np.cumsum(first) - 1
    order = np.argsort(x, kind="stable")
    new = np.ones(len(x), dtype=bool)
    np.not_equal(x[order[1:]], x[order[:-1]], out=new[1:])
    # Only points that share an easting are sorted again: few where coordinates are measured.
    shared = ~new
    shared[:-1] |= shared[1:]
    tied = order[shared]
    order[shared] = tied[np.lexsort((y[tied], x[tied]))]
    new[1:] |= y[order[1:]] != y[order[:-1]]
    inverse = np.empty(len(x), dtype=np.int64)
    inverse[order] = np.cumsum(new) - 1
    # Both sorts are stable, so the head of every run is the first of its rows.
    return order[new].astype(np.int64, copy=False), inverse


def distinct(points_m: ArrayLike, *, weights: ArrayLike | None = None) -> tuple[Floats, Ints, Ints]:
    """Collapse repeated coordinates to one weighted location each.

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (n, 2).
    weights
        Incidents per point, shape (n,); one each by default.

    Returns
    -------
    locations, weights, inverse
        Distinct locations in metres, shape (m, 2), sorted by easting, then northing; incidents at each, shape
        (m,); and the location of every input point, shape (n,).

    Raises
    ------
    InputError
        If a coordinate is not finite, or a weight is negative or not whole.

    Examples
    --------
    >>> locations, incidents, place = distinct([[2.0, 0.0], [1.0, 5.0], [2.0, 0.0]])
    >>> locations.tolist(), incidents.tolist(), place.tolist()
    ([[1.0, 5.0], [2.0, 0.0]], [1, 2], [1, 0, 1])
    """
    points = as_points(points_m)
    counts = as_weights(weights, len(points))
    first, inverse = collapse(points)
    if len(first) == len(points) and (np.diff(first) == 1).all():  # sorted already, and none repeats
        return points, counts, inverse
    sums = np.zeros(len(first), dtype=np.int64)
    np.add.at(sums, inverse, counts)
    return points[first], sums, inverse


# Counting, for whole cells: coarse cells first, and only cells that their sums do not settle are halved
# ------------------------------------------------------------------------------------------------------


Bools = NDArray[np.bool_]

SLACK = 1e-6  # of a cell: far above the rounding of cell numbers, far below anything that costs time
CELLS_AT_ONCE = 1 << 15  # what a strip of them needs stays in the processor's cache


@dataclass(frozen=True, slots=True)
class Layer:
    """Square cells of side eps / m with the incidents in them.

    Attributes
    ----------
    occupied
        The cells.
    total
        Incidents in all cells before each, shape (c + 1,).
    stride
        Cells in one strip, pads of m + 1 included.
    m
        Cells that eps reaches.
    """

    occupied: Occupied
    total: Ints
    stride: int
    m: int

    def halved(self, *, things: int) -> tuple[Self, Ints]:
        """Return the layer of cells twice as wide, and which of them each cell lies in."""
        m = self.m // 2
        column, row = np.divmod(self.occupied.key, self.stride)
        column, row = (column >> 1) + 1, (row >> 1) + 1  # a pad of 2 m + 1 halves to m: one short
        stride = int(row.max()) + m + 2
        key = column * stride + row
        occupied, number = Occupied.at(key, size=(int(column.max()) + m + 2) * stride, things=things)
        total = np.zeros(len(occupied.key) + 1, dtype=np.int64)
        np.cumsum(np.bincount(number, weights=np.diff(self.total)).astype(np.int64), out=total[1:])
        return type(self)(occupied, total, stride, m), number

    def bounds(self, cells: Ints) -> tuple[Ints, Ints]:
        """Return the incidents in cells surely, and in cells possibly, within eps of a place in each of `cells`."""
        lower, upper = np.zeros(len(cells), dtype=np.int64), np.zeros(len(cells), dtype=np.int64)
        reached = list(strips(self.m))
        for first in range(0, len(cells), CELLS_AT_ONCE):
            batch = slice(first, first + CELLS_AT_ONCE)
            middle, sure, most = self.occupied.key[cells[batch]], lower[batch], upper[batch]
            for shift, inner, outer in reached:
                # Two look-ups per strip give the sum of a run of cells, however long it is.
                key = middle + shift * self.stride
                if inner >= 0:
                    sure += self.between(key - inner, key + (inner + 1))
                most += self.between(key - outer, key + (outer + 1))
        return lower, upper

    def between(self, low: Ints, high: Ints) -> Ints:
        """Return the incidents in the cells from each key `low` up to `high`, which is left out."""
        incidents: Ints = self.total[self.occupied.before(high)] - self.total[self.occupied.before(low)]
        return incidents


def settle(finest: Layer, *, coarser: int, min_samples: int, things: int) -> tuple[Bools, Ints, Ints, Ints]:
    """Find the cells whose places are surely core, and those where sums of whole cells do not say.

    Parameters
    ----------
    finest
        The cells to settle.
    coarser
        Layers to try before, each of cells twice as wide; 2 ** coarser divides the finest's m.
    min_samples
        Incidents within eps that make a core location.
    things
        Locations, which bound the memory of a layer.

    Returns
    -------
    core, cells, lower, upper
        Whether each cell is core, shape (c,); cells not settled, and bounds of the incidents within eps of a
        place in each of them.
    """
    layers, links = [finest], []
    for _ in range(coarser):
        layer, link = layers[-1].halved(things=things)
        layers.append(layer)
        links.append(link)
    core = np.zeros(len(layers[-1].occupied.key), dtype=bool)
    cells = np.arange(len(core))
    while True:
        layer = layers.pop()
        # `lower` counts cells that lie wholly within eps of anywhere in the cell, `upper` those that touch it: at or
        # above min_samples the whole cell is core, below it none of it is.
        lower, upper = layer.bounds(cells)
        core[cells[lower >= min_samples]] = True
        open_ = (lower < min_samples) & (upper >= min_samples)
        cells, lower, upper = cells[open_], lower[open_], upper[open_]
        if not links:
            return core, cells, lower, upper
        link = links.pop()
        unsettled = np.zeros(len(core), dtype=bool)
        unsettled[cells] = True
        cells, core = np.flatnonzero(unsettled[link]), core[link]


def strips(m: int) -> Iterator[tuple[int, int, int]]:
    """Yield (strip, inner, outer), nearest strip first: cells up to `inner` lie wholly within eps, past `outer` beyond.

    Cells have side eps / m. `inner` is -1 where no cell of the strip is surely within.
    """
    for shift in sorted(range(-m - 1, m + 2), key=abs):
        # Two cells `shift` strips and k cells apart hold no two points further than sqrt((shift+1)^2 + (k+1)^2) sides
        # from each other, and none nearer than sqrt((shift-1)^2 + (k-1)^2).
        left = m * m * (1 - SLACK) - (abs(shift) + 1) ** 2
        inner = math.floor(math.sqrt(left)) - 1 if left >= 0 else -1
        gap = m * m * (1 + SLACK) - max(abs(shift) - 1, 0) ** 2
        yield shift, inner, math.floor(math.sqrt(gap)) + 1


# Counting, for single locations: which are core, with at least `min_samples` incidents within eps
# ------------------------------------------------------------------------------------------------


PAIRS_AT_ONCE = 1 << 16  # one batch of distances stays in the processor's cache
COARSEST = 6  # cells that eps reaches on the coarsest layer: wider ones settle too little, finer ones cost more sums


def core_mask(x: Floats, y: Floats, weights: Ints, *, eps_m: float, min_samples: int) -> Bools:
    """Say of every location whether the incidents within `eps_m` (itself included) reach `min_samples`.

    Sums over cells surely within and possibly within eps settle most locations without a distance: large cells first,
    then halves of those that are not settled. The locations that are left add the cells in between, the strip with
    most of them first, and drop out as soon as they are settled.
    """
    n = len(x)
    if n == 0 or int(weights.sum()) < min_samples:
        return np.zeros(n, dtype=bool)
    # The fewer locations it takes to be core, the coarser the cells may be.
    m, halvings = _fineness(min_samples / max(float(weights.mean()), 1.0))
    lattice = Lattice.over(x, y, side=eps_m / m, reach=m + 1)
    total = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(weights[lattice.order], out=total[1:])
    finest = Layer(lattice.occupied, total[lattice.cell_start], lattice.stride, m)
    core_cells, cells, lower, upper = settle(finest, coarser=halvings, min_samples=min_samples, things=n)
    core_sorted = np.repeat(core_cells, lattice.sizes)
    if len(cells):
        places = x[lattice.order], y[lattice.order], weights[lattice.order]
        repeats = lattice.sizes[cells]
        at, _ = expand(lattice.cell_start[cells], repeats)
        keys, sure, most = (np.repeat(a, repeats) for a in (lattice.cell_key[cells], lower, upper))
        rest = most - sure
        # Only cells between surely within and surely beyond need distances. The strip that holds most of them comes
        # first, because it settles most locations; those that are settled drop out.
        for shift, inner, outer in sorted(strips(m), key=_between):
            strip = keys + shift * lattice.stride
            for low, high in [(-outer, outer)] if inner < 0 else [(-outer, -inner - 1), (inner + 1, outer)]:
                starts = lattice.position(strip + low)
                lengths = lattice.position(strip + (high + 1)) - starts
                rest -= total[starts + lengths] - total[starts]
                sure += _within(places, at, starts=starts, lengths=lengths, eps2=eps_m * eps_m)
            open_ = (sure < min_samples) & (sure + rest >= min_samples)
            core_sorted[at[sure >= min_samples]] = True
            at, keys, sure, rest = at[open_], keys[open_], sure[open_], rest[open_]
            if not len(at):
                break
    core = np.empty(n, dtype=bool)
    core[lattice.order] = core_sorted
    return core


def _fineness(least_locations: float) -> tuple[int, int]:
    """Return how many cells eps reaches, and how often that halves on the way to the coarsest.

    About one location per cell in places where the count is close to `min_samples`.
    """
    # A circle of radius m cells covers pi m^2 of them: about as many as the locations needed. 64 bounds the strips.
    fine = min(math.sqrt(least_locations / math.pi), 64)
    halvings = max(math.floor(math.log2(fine / COARSEST)) + 1, 0)
    return max(round(fine / 2**halvings), 3) * 2**halvings, halvings


def _between(strip: tuple[int, int, int]) -> int:
    """Return how many cells of a strip are neither surely within eps nor beyond it, negative for sorting."""
    _, inner, outer = strip
    return -2 * (outer - inner) if inner >= 0 else -2 * outer - 1


def _within(places: tuple[Floats, Floats, Ints], at: Ints, *, starts: Ints, lengths: Ints, eps2: float) -> Ints:
    """Sum the weight of each range's places whose squared distance to the place `at` is at most `eps2`."""
    x, y, weights = places
    sums = np.zeros(len(at), dtype=np.int64)
    some = np.flatnonzero(lengths)
    ends = np.cumsum(lengths[some])
    first = 0
    while first < len(some):
        done = ends[first - 1] if first else 0
        last = max(int(np.searchsorted(ends, done + PAIRS_AT_ONCE, side="right")), first + 1)
        pick = some[first:last]
        members, stops = expand(starts[pick], lengths[pick])
        dx = x[members] - np.repeat(x[at[pick]], lengths[pick])
        dy = y[members] - np.repeat(y[at[pick]], lengths[pick])
        # Squared like scikit-learn's tree does, so that exact ties fall the same way.
        near = dx * dx + dy * dy <= eps2
        sums[pick] = np.add.reduceat(np.where(near, weights[members], 0), stops - lengths[pick])
        first = last
    return sums


# DBSCAN itself: memory in proportion to the points, because no neighbour list is ever kept
# -----------------------------------------------------------------------------------------


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
        Name of the clustering method that made them, see `ClusterMethod`.
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
    # Core, then joined, then border: the three kinds of point of Ester et al.
    core = core_mask(x, y, places, eps_m=eps_m, min_samples=int(min_samples))
    labels = np.full(len(first), -1, dtype=np.int64)
    idle = len(points) > 0 and not places.any()
    notes = ("all weights are zero: no point is in a cluster",) if idle else ()
    if core.any():
        cells = CoreCells(x, y, core, eps_m=eps_m)
        label = _number(cells, first)
        labels[cells.rows] = label
        # A border point may be within eps of several clusters. scikit-learn gives it to the one it meets first, which
        # is the lowest number.
        border = np.flatnonzero(~core)
        labels[border] = cells.reach(x, y, border, label)
    return Clustering(labels[inverse].astype(np.int32), core[inverse], notes=notes)


def _number(cells: CoreCells, first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each core location its cluster, numbered by their first core point in input order."""
    component = cells.join()
    held = np.flatnonzero(cells.size)
    earliest = np.full(int(component.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(earliest, component[held], np.minimum.reduceat(first[cells.rows], cells.first[held]))
    # Components come in no useful order; clusters are numbered as a reader of the input would meet them.
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
