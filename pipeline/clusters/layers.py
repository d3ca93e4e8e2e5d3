"""Cells of one side after another, coarse first: sums settle whole cells, and only the rest is looked at finer."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.clusters.lattice import Occupied

__all__ = ["Layer", "settle", "strips"]

Ints = NDArray[np.int64]
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
        laid = list(strips(self.m))
        for first in range(0, len(cells), CELLS_AT_ONCE):
            batch = slice(first, first + CELLS_AT_ONCE)
            middle, sure, most = self.occupied.key[cells[batch]], lower[batch], upper[batch]
            for shift, inner, outer in laid:
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
        left = m * m * (1 - SLACK) - (abs(shift) + 1) ** 2
        inner = math.floor(math.sqrt(left)) - 1 if left >= 0 else -1
        gap = m * m * (1 + SLACK) - max(abs(shift) - 1, 0) ** 2
        yield shift, inner, math.floor(math.sqrt(gap)) + 1
