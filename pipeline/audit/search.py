"""Points an attacker cannot rule out: cheap exchanges, linear programmes, integer programmes.

A *witness* is a whole-number point that satisfies every row. Two witnesses that differ by w in a cell prove that the
attacker's range of that cell is at least w wide; no bound from a relaxation can prove that.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csc_array

from pipeline.audit.system import System
from pipeline.errors import InputError

__all__ = ["TOLERANCE", "Optimum", "exchange_moves", "neighbourhood", "optimise", "pinned_to", "whole_point", "witness"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

TOLERANCE = 1e-6
INFEASIBLE = 2  # status of scipy.optimize.milp
WHOLE = 1e-4  # how far from a whole number the solver may leave one
MENDED_CELLS = 3_000
MENDED_GAP = 0.2


@dataclass(frozen=True, slots=True)
class Optimum:
    """Result of one programme: the optimal value (infinite if unbounded) and, where it is whole, the point."""

    value: float
    point: FloatArray | None


def optimise(system: System, cost: FloatArray, *, integer: bool = False) -> Optimum:
    """Minimise ``cost @ x`` over the system, relaxed or in whole numbers.

    Raises
    ------
    InputError
        If no point satisfies the system.
    """
    result = _solve(system, cost, integer=integer)
    if result.x is None:  # unbounded, or a limit of the solver: either way nothing is excluded
        return Optimum(-np.inf, None)
    return Optimum(float(result.fun), _whole(system, result.x))


def witness(system: System, cost: FloatArray) -> FloatArray | None:
    """Find a whole-number point far against a direction, not necessarily the farthest, or None.

    The relaxed programme's vertex is mostly whole. Where it is not, its whole cells stay and the others are solved
    anew with ever more of their relatives: programmes over a few cells take milliseconds where one over a large
    block takes minutes.
    """
    x = _solve(system, cost, integer=False).x
    point = None if x is None else _whole(system, x)
    if x is None or point is not None:
        return point
    by_column = csc_array(system.matrix)
    columns = np.flatnonzero(np.abs(np.round(x) - x) >= WHOLE).astype(np.int64)
    while columns.size <= MENDED_CELLS:
        rows = np.unique(by_column[:, columns].indices).astype(np.int64)
        found = _try(pinned_to(system, np.round(x), rows, columns), cost[columns], gap=MENDED_GAP)
        if found is not None:
            point = np.round(x)
            point[columns] = np.round(found)
            return point if system.holds(point) else None
        grown = np.union1d(columns, system.matrix[rows].indices).astype(np.int64)
        if grown.size == columns.size:
            return None
        columns = grown
    return None


def _solve(system: System, cost: FloatArray, *, integer: bool, gap: float = 0.0, again: bool = True) -> Any:
    constraints: Any = ()
    if system.matrix.shape[0]:
        constraints = LinearConstraint(csc_array(system.matrix), system.row_lower, system.row_upper)
    for presolve in (True, False) if again else (True,):  # presolving has called feasible systems infeasible
        result = milp(
            cost,
            integrality=np.ones(cost.size) if integer else None,
            bounds=Bounds(system.low, system.high),
            constraints=constraints,
            options={"mip_rel_gap": gap, "presolve": presolve},
        )
        if result.status != INFEASIBLE:
            return result
    if not again:
        return result
    raise InputError("the figures contradict each other: no whole numbers satisfy all published sums and bounds.")


def _try(system: System, cost: FloatArray, *, gap: float) -> FloatArray | None:
    """Solve in whole numbers what may well have no solution."""
    found: FloatArray | None = _solve(system, cost, integer=True, gap=gap, again=False).x
    return found


def _whole(system: System, x: FloatArray) -> FloatArray | None:
    """Round a point that is whole but for the solver's tolerance, if it then satisfies the system."""
    point: FloatArray = np.asarray(np.round(x), dtype=np.float64)
    return point if bool(np.all(np.abs(point - x) < WHOLE)) and system.holds(point) else None


def whole_point(system: System) -> FloatArray:
    """Find some whole-number point, by the linear programme where its vertex is whole, else by the integer one."""
    lean = np.where(np.isinf(system.high), 1.0, 0.0)
    found = optimise(system, lean).point
    if found is None:
        found = optimise(system, lean, integer=True).point
    if found is None:
        raise InputError("the solver found no whole-number point for a block of withheld cells.")
    return found


def exchange_moves(system: System, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bound each cell's reach from below by moves inside one sum, everything else held at `x`.

    A cell that stands in one sum only may rise while others of that sum, also in one sum only, fall by the same
    (or rise, where the coefficient has the other sign). Inequalities limit each cell by what `x` leaves over; a cell
    that shares an inequality with another cell of its own sum stays put, since both would move at once.

    Returns
    -------
    least, most
        The lowest and highest value of each cell seen in some witness, shape (k,).
    """
    coo = system.matrix.tocoo()
    row, column = (c.astype(np.int64) for c in coo.coords)
    a = np.asarray(coo.data, dtype=np.float64)
    rows, k = system.matrix.shape
    total = system.matrix @ x
    equal = system.row_lower == system.row_upper
    loose = ~equal[row]
    up, down = system.high - x, x - system.low
    spare_up = (system.row_upper - total)[row]
    spare_down = (total - system.row_lower)[row]
    size = np.abs(a)
    rise = np.where(a > 0, spare_up, spare_down) / size
    fall = np.where(a > 0, spare_down, spare_up) / size
    np.minimum.at(up, column[loose], np.floor(rise[loose]))
    np.minimum.at(down, column[loose], np.floor(fall[loose]))
    sums = np.bincount(column[~loose], minlength=k)
    home = np.full(k, -1, dtype=np.int64)
    home[column[~loose]] = row[~loose]
    sign = np.zeros(k)
    sign[column[~loose]] = a[~loose]
    home[(sums != 1) | (np.abs(sign) != 1) | _entangled(row[loose], column[loose], home)] = -1
    movable = home >= 0
    grow, shrink = np.where(sign > 0, up, down), np.where(sign > 0, down, up)
    at = np.where(movable, home, 0)
    all_grow = np.bincount(at, weights=np.where(movable, np.minimum(grow, 1e12), 0.0), minlength=max(rows, 1))
    all_shrink = np.bincount(at, weights=np.where(movable, np.minimum(shrink, 1e12), 0.0), minlength=max(rows, 1))
    more = np.minimum(grow, all_shrink[at] - np.minimum(shrink, 1e12))
    less = np.minimum(shrink, all_grow[at] - np.minimum(grow, 1e12))
    rises, falls = np.where(sign > 0, more, less), np.where(sign > 0, less, more)
    free = sums == 0
    rises, falls = (
        np.where(free, up, np.where(movable, rises, 0.0)),
        np.where(free, down, np.where(movable, falls, 0.0)),
    )
    return x - falls, x + rises


def neighbourhood(system: System, column: int, *, hops: int) -> tuple[IntArray, IntArray]:
    """Find the cells within some hops (cell to its rows to their cells is one hop) and every row they stand in."""
    by_column = csc_array(system.matrix)
    columns = np.asarray([column], dtype=np.int64)
    for _ in range(hops):
        rows = np.unique(by_column[:, columns].indices)
        columns = np.union1d(columns, system.matrix[rows].indices)
    return np.unique(by_column[:, columns].indices).astype(np.int64), columns.astype(np.int64)


def pinned_to(system: System, x: FloatArray, rows: IntArray, columns: IntArray) -> System:
    """Cut out a neighbourhood with everything outside it held at `x`."""
    outside = x.copy()
    outside[columns] = 0.0
    shift = system.matrix[rows] @ outside
    cut = system.block(rows, columns)
    return replace(cut, row_lower=cut.row_lower - shift, row_upper=cut.row_upper - shift)


def _entangled(row: IntArray, column: IntArray, home: IntArray) -> NDArray[np.bool_]:
    """Cells that share an inequality with another cell of their own sum."""
    mark = np.zeros(home.size, dtype=bool)
    if row.size == 0:
        return mark
    pair = row * (int(home.max(initial=0)) + 2) + home[column] + 1
    _, number, count = np.unique(pair, return_inverse=True, return_counts=True)
    mark[column[(count[number] > 1) & (home[column] >= 0)]] = True
    return mark
