"""What an attacker is left with: the relations over the cells that are not known, and bounds on each."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from pipeline.errors import InputError
from pipeline.release.relations import Relations

__all__ = ["System", "blocks_of", "propagate", "reduce_system"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_SWEEPS = 60


@dataclass(frozen=True, slots=True)
class System:
    """Rows ``row_lower <= matrix @ x <= row_upper`` over k unknown whole numbers ``low <= x <= high``.

    Attributes
    ----------
    matrix
        Coefficients of the unknown cells, shape (rows, k).
    row_lower, row_upper
        Bounds of each row after the known values were moved over, shape (rows,).
    low, high
        What is known of each unknown cell on its own, shape (k,).
    cells
        Position of each unknown cell in the cell table, shape (k,).
    anchor
        Position of the cell that names each row, shape (rows,).
    """

    matrix: csr_array
    row_lower: FloatArray
    row_upper: FloatArray
    low: FloatArray
    high: FloatArray
    cells: IntArray
    anchor: IntArray

    def holds(self, x: FloatArray) -> bool:
        """Whether a whole-number point satisfies every row and every bound."""
        total = self.matrix @ x
        inside = np.all(x >= self.low) and np.all(x <= self.high)
        return bool(inside and np.all(total >= self.row_lower) and np.all(total <= self.row_upper))

    def block(self, rows: NDArray[Any], columns: NDArray[Any]) -> "System":
        """Cut out rows and columns; the columns left out must not matter to the rows."""
        return System(
            self.matrix[rows][:, columns],
            self.row_lower[rows],
            self.row_upper[rows],
            self.low[columns],
            self.high[columns],
            self.cells[columns],
            self.anchor[rows],
        )


def reduce_system(relations: Relations, *, low: FloatArray, high: FloatArray) -> System:
    """Put the known values (``low == high``) into the relations and keep what remains.

    Raises
    ------
    InputError
        If known values contradict a relation.
    """
    if np.any(low > high):
        raise InputError(f"cell {int(np.argmax(low > high))} of the table has a lower bound above its upper bound.")
    known = low == high
    shift = relations.matrix @ np.where(known, low, 0.0)
    row_lower, row_upper = relations.lower - shift, relations.upper - shift
    unknown = np.flatnonzero(~known)
    matrix = csr_array(relations.matrix[:, unknown]).astype(np.float64)
    matrix.eliminate_zeros()
    alive = np.diff(matrix.indptr) > 0
    broken = ~alive & ((row_lower > 0) | (row_upper < 0))
    if broken.any():
        row = int(np.flatnonzero(broken)[0])
        raise InputError(
            f"{int(broken.sum())} published sums or subsets do not hold, first a {relations.kind[row]} of cell "
            f"{int(relations.anchor[row])} of the table: correct the figures or drop the relation (drop_violated)."
        )
    return System(
        csr_array(matrix[alive]),
        row_lower[alive],
        row_upper[alive],
        low[unknown],
        high[unknown],
        unknown.astype(np.int64),
        relations.anchor[alive],
    )


def propagate(system: System, *, max_sweeps: int = MAX_SWEEPS) -> System:
    """Tighten every cell's bounds row by row until nothing moves.

    Each row bounds each of its cells by what the others can at most take up. The result is an outer bound: a
    feasible value never falls outside it, whatever the number of sweeps.

    Raises
    ------
    InputError
        If no whole numbers satisfy the rows.
    """
    coo = system.matrix.tocoo()
    row, column = (c.astype(np.int64) for c in coo.coords)
    a = np.asarray(coo.data, dtype=np.float64)
    if a.size == 0:
        return system
    order = np.argsort(column, kind="stable")
    row, column, a = row[order], column[order], a[order]
    starts = np.flatnonzero(np.concatenate([[True], column[1:] != column[:-1]]))
    touched = column[starts]
    low, high = system.low.copy(), system.high.copy()
    for _ in range(max_sweeps):
        least = np.where(a > 0, a * low[column], a * high[column])
        most = np.where(a > 0, a * high[column], a * low[column])
        room_up = (system.row_upper[row] - _others(least, row, system.row_lower.size)) / a
        room_down = (system.row_lower[row] - _others(most, row, system.row_lower.size)) / a
        top = np.minimum.reduceat(np.floor(np.where(a > 0, room_up, room_down)), starts)
        floor = np.maximum.reduceat(np.ceil(np.where(a > 0, room_down, room_up)), starts)
        new_high, new_low = np.minimum(high[touched], top), np.maximum(low[touched], floor)
        if np.any(new_low > new_high):
            cell = int(system.cells[touched[np.argmax(new_low > new_high)]])
            raise InputError(f"the figures contradict each other: no whole number is possible for cell {cell}.")
        if np.array_equal(new_high, high[touched]) and np.array_equal(new_low, low[touched]):
            break
        high[touched], low[touched] = new_high, new_low
    return replace(system, low=low, high=high)


def blocks_of(system: System) -> IntArray:
    """Label each unknown cell with its block, the connected component of the constraint graph, shape (k,).

    Blocks are numbered by their first cell; a row whose only unknown is one cell joins nothing.
    """
    rows, k = system.matrix.shape
    coo = system.matrix.tocoo()
    row, column = coo.coords
    graph = csr_array((np.ones(row.size), (column, row + k)), shape=(k + rows, k + rows))
    _, label = connected_components(graph, directed=False)
    _, first, number = np.unique(label[:k], return_index=True, return_inverse=True)
    rank = np.empty(first.size, dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(first.size)
    return rank[number].astype(np.int64)


def _others(part: FloatArray, row: IntArray, rows: int) -> FloatArray:
    """Sum of each entry's row without the entry itself, where infinite entries stay infinite."""
    endless = np.isinf(part)
    finite = np.where(endless, 0.0, part)
    total = np.bincount(row, weights=finite, minlength=rows)
    count = np.bincount(row, weights=endless, minlength=rows)
    sign = np.bincount(row, weights=np.where(endless, np.sign(part), 0.0), minlength=rows)
    own = np.where(endless, np.sign(part), 0.0)
    remaining = count[row] - endless
    return np.where(remaining > 0, np.copysign(np.inf, sign[row] - own), total[row] - finite)
