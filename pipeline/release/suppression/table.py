"""The suppression problem as arrays: what each cell holds, costs and must keep once hidden."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array
from scipy.sparse.csgraph import connected_components

from pipeline.release.audit import feasible_ranges
from pipeline.release.relations import Relations

__all__ = ["Table"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells and what ties them, all arrays of shape (cells,).

    Attributes
    ----------
    relations
        Rows over the cells; `x` satisfies them.
    x
        True counts.
    low, high
        What an attacker knows of a cell once it is hidden; equal where it cannot be hidden.
    top
        As `high` if the cell loses its band and is withheld outright: its loss is due again.
    required
        Width ``high - low`` that a hidden cell must keep.
    outright
        The same for a cell that lost its band.
    loss
        Cost of hiding each cell.
    hidden
        Cells hidden whatever it costs.
    """

    relations: Relations
    x: FloatArray
    low: FloatArray
    high: FloatArray
    top: FloatArray
    required: FloatArray
    outright: FloatArray
    loss: FloatArray
    hidden: BoolArray

    @property
    def movable(self) -> BoolArray:
        """Which cells may be hidden and then leave the attacker in doubt."""
        return np.asarray(self.low < self.high, dtype=np.bool_)

    def view(self, pattern: BoolArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Say what is known and required of each cell when `pattern` is hidden: low, high, required."""
        low, high = np.where(pattern, self.low, self.x), np.where(pattern, self.high, self.x)
        return low, high, np.where(pattern, self.required, 0.0)

    def failing(self, pattern: BoolArray, *, only: int | None = None) -> IntArray:
        """Audit a pattern: positions of hidden cells (or the one asked for) pinned too narrowly."""
        low, high, required = self.view(pattern)
        if only is not None:
            required = np.where(np.arange(required.size) == only, required, 0.0)
        found = feasible_ranges(self.relations, low=low, high=high, required=required, truth=self.x)
        return np.asarray(found.cells[found.high - found.low < required[found.cells]], dtype=np.int64)

    def promising_less(self, cells: BoolArray) -> "Table":
        """Give up the promise for some cells."""
        return replace(self, required=np.where(cells, 0.0, self.required), outright=np.where(cells, 0.0, self.outright))

    def without_bands(self, cells: BoolArray) -> "Table":
        """Take the band from some cells: withheld outright, they may hold anything."""
        high, required = np.where(cells, self.top, self.high), np.where(cells, self.outright, self.required)
        return replace(self, high=high, required=required)

    def labels(self) -> IntArray:
        """Label each cell with its connected part of the table; cells that cannot be hidden join nothing."""
        rows, n = self.relations.matrix.shape
        row, column = self.relations.matrix.tocoo().coords
        keep = self.movable[column]
        graph = csr_array((np.ones(int(keep.sum())), (column[keep], row[keep] + n)), shape=(n + rows, n + rows))
        label = connected_components(graph, directed=False)[1]
        return np.asarray(label[:n], dtype=np.int64)

    def part(self, columns: IntArray) -> "Table":
        """Cut out some cells with every row they stand in; what lies outside is held at its true count."""
        rows = np.unique(csc_array(self.relations.matrix)[:, columns].indices)
        matrix = csr_array(self.relations.matrix[rows])
        outside = self.x.copy()
        outside[columns] = 0.0
        shift = matrix @ outside
        relations = Relations(
            csr_array(matrix[:, columns]),
            self.relations.lower[rows] - shift,
            self.relations.upper[rows] - shift,
            self.relations.kind[rows],
            np.searchsorted(columns, self.relations.anchor[rows]).clip(max=columns.size - 1),
        )
        return Table(
            relations=relations,
            x=self.x[columns],
            low=self.low[columns],
            high=self.high[columns],
            top=self.top[columns],
            required=self.required[columns],
            outright=self.outright[columns],
            loss=self.loss[columns],
            hidden=self.hidden[columns],
        )
