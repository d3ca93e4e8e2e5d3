"""Exact DBSCAN (Ester et al. 1996) on weighted distinct locations, at any size.

Three steps, each exact: collapse repeated coordinates to locations with weights; count incidents within eps, by sums
over square cells, to find the core locations; join core locations by cells of side eps / sqrt(2).
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.detect.kde import collapse
from pipeline.errors import InputError

__all__ = [
    "Clustering",
    "CoreCells",
    "Lattice",
    "Layer",
    "Occupied",
    "as_points",
    "as_weights",
    "check_settings",
    "core_mask",
    "dbscan",
    "distinct",
    "expand",
    "settle",
    "strips",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def as_points(points_m: ArrayLike) -> Floats:
    """Return eastings and northings as a float64 array of shape (n, 2), refusing invalid points."""
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
    """Return incidents per point as int64, one each by default."""
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

    occupied: "Occupied"
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
    """Find the cells whose places are certainly core, and those for which sums of whole cells do not decide.

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
    """Return for every location whether the incidents within `eps_m` (including itself) reach `min_samples`.

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
        raise InputError(f"eps_m is {eps_m}: it must be a positive number of metres")
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


def _number(cells: "CoreCells", first: NDArray[np.int64]) -> NDArray[np.int64]:
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


# Points sorted into square cells, so that a run of cells is a slice of the points
# --------------------------------------------------------------------------------


# Rounding moves a point by about 1e-16 of its cell number; the tolerances of the callers (1e-6 of a cell) hold to here.
MAX_CELLS_ACROSS = 1e9
CELLS_PER_POINT = 32  # of a table, one byte each: no more memory than the coordinates and a few indices
BLOCK = 8  # bits of a key: so many occupied cells of a block lie before a cell that a byte holds their number


@dataclass(frozen=True, slots=True)
class Occupied:
    """Non-empty cells, by key.

    Attributes
    ----------
    key
        Keys of the occupied cells, ascending, shape (c,).
    blocks, within
        Occupied cells before each block of 256 keys, and before each key inside its block. None where the keys range
        too wide for a table: they are then searched for.
    """

    key: Ints
    blocks: Ints | None
    within: NDArray[np.uint8] | None

    @classmethod
    def at(cls, key: Ints, *, size: int, things: int) -> tuple[Self, Ints]:
        """Collect the occupied cells of `key` (below `size`, in any order); return them, and the cell of each key.

        A table is kept where `size` is no more than `things` points allow.
        """
        if size > roomy(things):
            cells, number = np.unique(key, return_inverse=True)
            return cls(cells, None, None), number
        blocks, within = _table(key, size)
        cells = np.empty(int(blocks[-1]), dtype=np.int64)
        number = blocks[key >> BLOCK] + within[key]
        cells[number] = key
        return cls(cells, blocks, within), number

    @classmethod
    def of(cls, key: Ints, *, size: int, things: int) -> Self:
        """Take over ascending keys of occupied cells, with a table as in `at`."""
        blocks, within = _table(key, size) if size <= roomy(things) else (None, None)
        return cls(key, blocks, within)

    def before(self, keys: Ints) -> Ints:
        """Count the occupied cells before each key."""
        if self.blocks is None or self.within is None:
            return np.searchsorted(self.key, keys)
        before: Ints = self.blocks[keys >> BLOCK] + self.within[keys]
        return before


@dataclass(frozen=True, slots=True)
class Lattice:
    """Square cells over points, numbered strip by strip from west to east.

    Attributes
    ----------
    order
        Points sorted by cell, shape (n,).
    cell_key
        Ascending keys of the occupied cells, shape (c,). Adding `stride` moves one strip east, adding 1 one cell
        north; a pad of the reach round the edge keeps strips apart.
    cell_start
        Where each cell begins in `order`, shape (c + 1,).
    stride
        Cells in one strip, pads included.
    occupied
        The same keys, to be looked up.
    """

    order: Ints
    cell_key: Ints
    cell_start: Ints
    stride: int
    occupied: Occupied

    @classmethod
    def over(cls, x: Floats, y: Floats, *, side: float, reach: int) -> Self:
        """Sort points into cells of the given side (metres) that look at most `reach` cells around them."""
        # Numbered strip by strip, the cells that eps reaches in one strip are consecutive: a run of keys, and because
        # points are sorted by key, a slice of the points.
        column, columns = _number_cells(x, side, reach)
        row, rows = _number_cells(y, side, reach)
        if columns * rows > roomy(len(x)):
            column, columns = _squeeze(column, reach)
            row, rows = _squeeze(row, reach)
        stride = rows
        key = column * stride + row
        order = np.argsort(key)  # whatever the order inside a cell, counts and labels are the same
        key = key[order]
        new = np.ones(len(key), dtype=bool)
        np.not_equal(key[1:], key[:-1], out=new[1:])
        starts = np.flatnonzero(new)
        cell_key = key[starts]
        cell_start = np.append(starts, len(key))
        occupied = Occupied.of(cell_key, size=columns * stride, things=len(x))
        return cls(order, cell_key, cell_start, stride, occupied)

    @property
    def sizes(self) -> Ints:
        """Points per cell, shape (c,)."""
        return np.diff(self.cell_start)

    def position(self, keys: Ints) -> Ints:
        """Return the position in `order` of the first point at or after each key."""
        return self.cell_start[self.occupied.before(keys)]

    def neighbour(self, shift: int) -> tuple[Ints, Ints]:
        """Return pairs of occupied cells whose keys differ by `shift`, as two arrays of cell numbers."""
        # Keys are sorted, so the neighbour at a fixed shift is found for all cells in one look-up.
        wanted = self.cell_key + shift
        there = np.minimum(self.occupied.before(wanted), len(wanted) - 1)
        here = np.flatnonzero(self.cell_key[there] == wanted)
        return here, there[here]


def roomy(things: int) -> int:
    """Return the most cells that a table over so many points may have."""
    return CELLS_PER_POINT * things + 4096


def _table(key: Ints, size: int) -> tuple[Ints, NDArray[np.uint8]]:
    """Count the occupied cells before each block of keys (one block more than there are), and inside it before each."""
    # A rank over a table of bytes in two levels: blocks of 256 keys hold how many occupied cells lie before them, bytes
    # how many lie before within the block. Constant time, one byte per cell.
    blocks = (size >> BLOCK) + 1
    filled = np.zeros((blocks, 1 << BLOCK), dtype=np.uint8)
    filled.reshape(-1)[key] = 1
    counts = np.zeros(blocks + 1, dtype=np.int64)
    np.cumsum(filled.sum(axis=1, dtype=np.int64), out=counts[1:])
    within = np.cumsum(filled, axis=1, dtype=np.uint8)
    within -= filled
    return counts, within.reshape(-1)


def _number_cells(values: Floats, side: float, reach: int) -> tuple[Ints, int]:
    low = float(values.min())
    across = (float(values.max()) - low) / side
    if not across < MAX_CELLS_ACROSS:
        raise InputError(
            f"the points stretch over {float(values.max()) - low:.6g} m, more than {MAX_CELLS_ACROSS:.0e} cells of "
            f"{side:.3g} m: eps_m is too small for these coordinates, or a coordinate is not in metres"
        )
    number = ((values - low) / side).astype(np.int64)
    number += reach
    return number, int(number.max()) + reach + 1


def _squeeze(number: Ints, reach: int) -> tuple[Ints, int]:
    """Close gaps wider than the reach, so that one far point does not stretch the lattice."""
    # Gaps of more than the reach can shrink to just over it: nothing in them is a neighbour either way.
    used, inverse = np.unique(number, return_inverse=True)
    steps = np.minimum(np.diff(used, prepend=used[0] - reach), reach + 1)
    steps[0] = reach
    squeezed = np.cumsum(steps)
    return squeezed[inverse], int(squeezed[-1]) + reach + 1


def expand(starts: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    """Expand ranges: the members of all ranges in order, and the end of each range in that list."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    members = np.arange(total, dtype=np.int64)
    members += np.repeat(starts - (ends - lengths), lengths)
    return members, ends


# Core locations joined into clusters, and the cluster that each other location reaches
# --------------------------------------------------------------------------------------
# After Gunawan (2013): in cells of side eps / sqrt(2) any two points are within eps of each other (the diagonal is
# eps), so all core locations of a cell belong to one cluster. What is left is which *cells* are within eps of each
# other, and eps reaches no further than two cells: 12 pairs of neighbours per cell in place of all pairs of points.

REACH = 2  # eps is 1.41 cells, so it ends in the second cell away
SIDE = (1 - 1e-6) / np.sqrt(2)  # slightly less, so that rounding cannot place two points of one cell beyond eps
TREE_FROM = 1 << 18  # pairs between two cells from which a k-d tree is cheaper than all distances


class CoreCells:
    """Cells of side eps / sqrt(2) that hold core locations: all in one cell are neighbours, so a cell is one cluster.

    Comparisons of boxes are exact, not approximate: subtraction, squaring and adding round monotonically, so a bound
    on the corners bounds the squared distance of every pair exactly as it is computed.
    """

    def __init__(self, x: Floats, y: Floats, core: Bools, *, eps_m: float) -> None:
        self.eps2 = eps_m * eps_m
        self.lattice = Lattice.over(x, y, side=eps_m * SIDE, reach=REACH)
        order = self.lattice.order
        flags = core[order]
        self.rows = order[flags]
        """Input rows of the core locations, cell by cell."""
        before = np.concatenate(([0], np.cumsum(flags)))[self.lattice.cell_start]
        self.first, self.size = before[:-1], np.diff(before)
        """Where each cell's core locations begin in `rows`, and how many there are (0 in cells without)."""
        self.x, self.y = x[self.rows], y[self.rows]
        held = np.flatnonzero(self.size)
        cells = len(self.size)
        self.box = np.full((4, cells), np.nan)
        if len(held):
            for i, (reduce, values) in enumerate(
                ((np.minimum, self.x), (np.minimum, self.y), (np.maximum, self.x), (np.maximum, self.y))
            ):
                self.box[i, held] = reduce.reduceat(values, self.first[held])

    def join(self) -> Ints:
        """Return the component of every cell, shape (c,); cells without core locations stay on their own."""
        # Cheapest evidence first. Cells whose boxes are wholly within eps join without any distance; then one witness
        # per pair; only pairs that still lie in different clusters compare all their points. Most never get there.
        a, b, sure = self._neighbours()
        component = self._components(a[sure], b[sure], np.arange(len(self.size)))
        a, b = a[~sure], b[~sure]
        cost = self.size[a] * self.size[b]
        # Small pairs first: each join may make a costly comparison unnecessary.
        by_cost = np.argsort(cost, kind="stable")
        a, b = a[by_cost], b[by_cost]
        for test in (self._witness, self._any_pair):
            apart = component[a] != component[b]
            a, b = a[apart], b[apart]
            for begin, end in _batches(self.size[a] + self.size[b], at_once=max(PAIRS_AT_ONCE, len(self.rows) // 2)):
                left, right = a[begin:end], b[begin:end]
                apart = component[left] != component[right]
                left, right = left[apart], right[apart]
                met = test(left, right)
                if met.any():
                    component = self._components(left[met], right[met], component)
        return component

    def _neighbours(self) -> tuple[Ints, Ints, Bools]:
        """Return pairs of core cells possibly within eps, each once, and which are surely within."""
        found: list[tuple[Ints, Ints, Bools]] = []
        # Half of the neighbours, so that each pair of cells comes once.
        for east in range(REACH + 1):
            for north in range(-REACH if east else 1, REACH + 1):
                a, b = self.lattice.neighbour(east * self.lattice.stride + north)
                held = (self.size[a] > 0) & (self.size[b] > 0)
                a, b = a[held], b[held]
                near, far = _box_distances(self.box[:, a], self.box[:, b])
                within = near <= self.eps2
                found.append((a[within], b[within], far[within] <= self.eps2))
        a, b, sure = (np.concatenate(part) for part in zip(*found, strict=True))
        return a, b, sure

    def _components(self, a: Ints, b: Ints, component: Ints) -> Ints:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        n = len(component)
        # Union-find, as connected components of a sparse graph: one call in compiled code.
        links = coo_array((np.ones(len(a), dtype=np.int8), (component[a], component[b])), shape=(n, n))
        joined: Ints = connected_components(links, directed=False)[1].astype(np.int64)
        return joined[component]

    def _witness(self, a: Ints, b: Ints) -> Bools:
        """Compare each cell's location nearest to the other's box with all of the other: joins most that do join."""
        met = np.zeros(len(a), dtype=bool)
        for mine, other in ((a, b), (b, a)):
            members, ends = expand(self.first[mine], self.size[mine])
            starts = ends - self.size[mine]
            pair = np.repeat(np.arange(len(mine)), self.size[mine])
            gap = _point_gap(self.x[members], self.y[members], self.box[:, other[pair]])
            best = np.minimum.reduceat(gap, starts) if len(starts) else gap
            chosen = np.full(len(mine), len(self.x), dtype=np.int64)
            at_best = gap == best[pair]
            np.minimum.at(chosen, pair[at_best], members[at_best])
            others, stops = expand(self.first[other], self.size[other])
            pair = np.repeat(np.arange(len(mine)), self.size[other])
            dx = self.x[others] - self.x[chosen[pair]]
            dy = self.y[others] - self.y[chosen[pair]]
            if len(mine):
                met |= np.logical_or.reduceat(dx * dx + dy * dy <= self.eps2, stops - self.size[other])
        return met

    def _any_pair(self, a: Ints, b: Ints) -> Bools:
        """Return for each pair of cells whether any two of their core locations are within eps, comparing all."""
        met = np.zeros(len(a), dtype=bool)
        # Only points within eps of the other cell's box can be part of a pair.
        rows_a, of_a = self._facing(a, b)
        rows_b, of_b = self._facing(b, a)
        count_a, count_b = (np.bincount(of, minlength=len(a)) for of in (of_a, of_b))
        product = count_a * count_b
        start_b = np.cumsum(count_b) - count_b
        for i in np.flatnonzero(product > TREE_FROM):
            mine, others = rows_a[of_a == i], rows_b[of_b == i]
            met[i] = _near((self.x[mine], self.y[mine]), (self.x[others], self.y[others]), self.eps2).any()
        lengths = np.where(product > TREE_FROM, 0, count_b)[of_a]
        for begin, end in _batches(lengths):
            others, _ = expand(start_b[of_a[begin:end]], lengths[begin:end])
            mine = np.repeat(rows_a[begin:end], lengths[begin:end])
            dx = self.x[rows_b[others]] - self.x[mine]
            dy = self.y[rows_b[others]] - self.y[mine]
            near = dx * dx + dy * dy <= self.eps2
            met[np.repeat(of_a[begin:end], lengths[begin:end])[near]] = True
        return met

    def _facing(self, mine: Ints, other: Ints) -> tuple[Ints, Ints]:
        """Return the core locations of `mine` within eps of the box of `other`, and the pair each belongs to."""
        members, _ = expand(self.first[mine], self.size[mine])
        pair = np.repeat(np.arange(len(mine)), self.size[mine])
        near = _point_gap(self.x[members], self.y[members], self.box[:, other[pair]]) <= self.eps2
        return members[near], pair[near]

    def reach(self, x: Floats, y: Floats, rows: Ints, label: Ints) -> Ints:
        """Return the lowest label among the core locations within eps of each row, -1 for none.

        Parameters
        ----------
        x, y
            Coordinates of all rows of the lattice, metres.
        rows
            Rows to look up.
        label
            Cluster of every core location, in the order of `rows`.
        """
        none = np.iinfo(np.int64).max
        lowest = np.full(len(self.size), none)
        cells = np.flatnonzero(self.size)
        lowest[cells] = np.minimum.reduceat(label, self.first[cells])
        wanted = np.zeros(len(x), dtype=bool)
        wanted[rows] = True
        queue = wanted[self.lattice.order]
        before = np.concatenate(([0], np.cumsum(queue)))[self.lattice.cell_start]
        first, count = before[:-1], np.diff(before)
        waiting = self.lattice.order[queue]
        # Bounds of whole cells settle most rows at once; the others go on to the pairs of cells that could give a lower
        # label.
        cell, near_cell, of_cell = self._rivals(x[waiting], y[waiting], first, count, lowest)
        best = np.full(len(x), none, dtype=np.int64)
        best[waiting] = np.repeat(of_cell, count)
        doubtful: list[tuple[Ints, Ints, Floats]] = [(waiting[:0], waiting[:0], x[:0])]
        for begin, end in _batches(count[cell]):
            here, there = cell[begin:end], near_cell[begin:end]
            members, _ = expand(first[here], count[here])
            row, to = waiting[members], np.repeat(there, count[here])
            near, far = _box_distances(np.stack((x[row], y[row], x[row], y[row])), self.box[:, to])
            sure = far <= self.eps2
            np.minimum.at(best, row[sure], lowest[to[sure]])
            unsure = (near <= self.eps2) & ~sure
            doubtful.append((row[unsure], to[unsure], near[unsure]))
        row, to, gap = (np.concatenate(part) for part in zip(*doubtful, strict=True))
        better = lowest[to] < best[row]
        row, to, gap = row[better], to[better], gap[better]
        by_cell = np.argsort(to, kind="stable")
        row, to, gap = row[by_cell], to[by_cell], gap[by_cell]
        # Many rows against a crowded cell: a k-d tree per label is cheaper than all distances.
        crowd = np.bincount(to, minlength=len(self.size)) * self.size > TREE_FROM
        for at in np.flatnonzero(crowd).tolist():
            mine = row[slice(*np.searchsorted(to, [at, at + 1]))]
            others = self.first[at] + np.arange(self.size[at])
            for value in np.unique(label[others]):
                same = others[label[others] == value]
                met = _near((x[mine], y[mine]), (self.x[same], self.y[same]), self.eps2)
                np.minimum.at(best, mine[met], value)
        row, to, gap = row[~crowd[to]], to[~crowd[to]], gap[~crowd[to]]
        # The nearest cell of each row first: most rows that reach a cluster reach it there.
        by_gap = np.lexsort((gap, row))
        row, to = row[by_gap], to[by_gap]
        new = np.diff(row, prepend=-1) != 0
        turn = np.arange(len(row)) - np.flatnonzero(new)[np.cumsum(new) - 1] if len(row) else row
        for now in range(int(turn.max(initial=-1)) + 1):
            ask = np.flatnonzero(turn == now)
            ask = ask[lowest[to[ask]] < best[row[ask]]]
            for begin, end in _batches(self.size[to[ask]]):
                pair = ask[begin:end]
                size = self.size[to[pair]]
                others, stops = expand(self.first[to[pair]], size)
                dx = self.x[others] - np.repeat(x[row[pair]], size)
                dy = self.y[others] - np.repeat(y[row[pair]], size)
                reached = np.where(dx * dx + dy * dy <= self.eps2, label[others], none)
                best[row[pair]] = np.minimum(best[row[pair]], np.minimum.reduceat(reached, stops - size))
        best[best == none] = -1
        return best[rows]

    def _rivals(self, x: Floats, y: Floats, first: Ints, count: Ints, lowest: Ints) -> tuple[Ints, Ints, Ints]:
        """Return the pairs of cells that single rows must ask for a lower label than their whole cell surely reaches.

        Parameters
        ----------
        x, y
            Coordinates of the rows that wait, cell by cell, metres.
        first, count
            Where each cell's rows begin, and how many there are, shape (c,).
        lowest
            Lowest label of each cell, shape (c,).

        Returns
        -------
        cell, near_cell, of_cell
            Cells with rows, and cells of core locations beside them; and the lowest label surely within eps of every
            row of a cell, shape (c,).
        """
        held = np.flatnonzero(count)
        box = np.full((4, len(count)), np.nan)
        for i, (reduce, values) in enumerate(((np.minimum, x), (np.minimum, y), (np.maximum, x), (np.maximum, y))):
            box[i, held] = reduce.reduceat(values, first[held]) if len(held) else 0
        of_cell = np.full(len(count), np.iinfo(np.int64).max)
        rivals: list[tuple[Ints, Ints]] = []
        for shift in [e * self.lattice.stride + n for e in range(-REACH, REACH + 1) for n in range(-REACH, REACH + 1)]:
            cell, near_cell = self.lattice.neighbour(shift)
            both = (count[cell] > 0) & (self.size[near_cell] > 0)
            cell, near_cell = cell[both], near_cell[both]
            near, far = _box_distances(box[:, cell], self.box[:, near_cell])
            sure = far <= self.eps2
            of_cell[cell[sure]] = np.minimum(of_cell[cell[sure]], lowest[near_cell[sure]])  # a cell once per shift
            unsure = (near <= self.eps2) & ~sure
            rivals.append((cell[unsure], near_cell[unsure]))
        cell, near_cell = (np.concatenate(part) for part in zip(*rivals, strict=True))
        lower = lowest[near_cell] < of_cell[cell]
        return cell[lower], near_cell[lower], of_cell


def _batches(lengths: Ints, *, at_once: int | None = None) -> list[tuple[int, int]]:
    """Cut a list of ranges into runs of at most `at_once` members (one range at least)."""
    budget = at_once or PAIRS_AT_ONCE
    ends = np.cumsum(lengths)
    cuts = [0]
    while cuts[-1] < len(lengths):
        done = ends[cuts[-1] - 1] if cuts[-1] else 0
        cuts.append(max(int(np.searchsorted(ends, done + budget, side="right")), cuts[-1] + 1))
    return list(itertools.pairwise(cuts))


def _near(here: tuple[Floats, Floats], there: tuple[Floats, Floats], eps2: float) -> Bools:
    """Return for each point here whether any point there is within eps: by the nearest, near ties by all."""
    from scipy.spatial import KDTree

    mine, others = np.column_stack(here), np.column_stack(there)
    _, nearest = KDTree(others).query(mine)
    # Compared again in the caller's arithmetic: the tree computes distances in another order.
    d2 = ((mine - others[nearest]) ** 2).sum(axis=1)
    met: Bools = d2 <= eps2
    # The tree rounds as it descends, so a nearest that is just too far may hide an exact tie.
    for i in np.flatnonzero(~met & (d2 <= eps2 * (1 + 1e-9))):
        met[i] = (((others - mine[i]) ** 2).sum(axis=1) <= eps2).any()
    return met


def _point_gap(x: Floats, y: Floats, box: Floats) -> Floats:
    """Return squared distances from points to boxes (west, south, east, north), zero inside."""
    dx = np.maximum(np.maximum(box[0] - x, x - box[2]), 0.0)
    dy = np.maximum(np.maximum(box[1] - y, y - box[3]), 0.0)
    gap: Floats = dx * dx + dy * dy
    return gap


def _box_distances(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return the least and the greatest squared distance between boxes, as rows west, south, east, north."""
    least, greatest = np.zeros(a.shape[1]), np.zeros(a.shape[1])
    for low, high in ((0, 2), (1, 3)):
        gap = np.maximum(np.maximum(b[low] - a[high], a[low] - b[high]), 0.0)
        span = np.maximum(b[high] - a[low], a[high] - b[low])
        least += gap * gap
        greatest += span * span
    return least, greatest
