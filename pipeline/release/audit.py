"""The audit: the attacker's problem, solved for the feasibility interval of every withheld count.

**What the attacker knows.** Every published number, the relations between cells (sums, subsets, unions, parts), the
known tables, previous releases, and the rules. The rules disclose this much about a withheld cell:

* *Primary* cells hold 1 to threshold - 1, but *secondary* ones hold anything, look the same, and may be zeros: from
  its marker alone a withheld cell is any whole number from 0 up.
* A published number other than 0 is at least the threshold. That says nothing about cells that are not published.
* Under ``zero_rule: band`` what is below the threshold, zeros too, is shown as "fewer than t": such a cell is known to
  lie in [0, t - 1]. Where bands alone would give a cell away some are withheld outright, so a cell that is withheld
  without a band may again hold anything (two bands under t never hide a sum of t or more for long).

**What is promised.** Each withheld cell's feasible whole-number range has ``high - low >= threshold``. Containing 0
is not enough: under a borough of 7 with wards 5, 1, 1 the small wards lie in [0, 2]. Width is ``high - low`` and not
the number of values, so a cell known to be at most the smallest number that may be printed, [0, t], just passes. A
cell shown as a band must keep the whole band: ``high - low = t - 1``.

**What is not promised.** The range is over counts that agree with the figures, not over what the choice of secondary
cells might betray: somebody who reruns the optimiser on every candidate table may find some of them unlikely. That no
value inside the range is ruled out is not promised either, only how wide it is.

Bounds that a relaxation gives can only show that a cell is *unsafe*; that it is safe is shown by two whole-number
tables that agree with everything published and differ by the threshold in that cell (witnesses).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csc_array, csr_array
from scipy.sparse.csgraph import connected_components

from pipeline.errors import InputError
from pipeline.release.linked_tables import KEY, Relations

__all__ = [
    "TOLERANCE",
    "AuditResult",
    "CellState",
    "Intervals",
    "Optimum",
    "System",
    "Witness",
    "attacker_view",
    "audit",
    "blocks_of",
    "exchange_moves",
    "feasibility_intervals",
    "neighbourhood",
    "optimise",
    "propagate",
    "reduce_system",
    "whole_point",
    "with_others_fixed",
    "witness",
    "witnessed_intervals",
]


# The feasible whole-number range of each withheld cell, as far as it matters or exactly.


# What an attacker is left with: the relations over the cells that are not known, and bounds on each.


FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_SWEEPS = 60  # bound on the sweeps; fewer leave the intervals wider, never wrong


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


Witness = tuple[IntArray, FloatArray]
"""A possible table: positions of the cells that differ from the true one, and what they hold instead."""

SEED = 20_250_802  # directions of the search; any value serves, a fixed one repeats
ROUNDS = 12  # random directions per block before cells are taken one by one
BATCH_COLUMNS = 1_500  # small blocks share a programme up to this size
LOCAL_HOPS = (2, 4)  # relations from a cell within which a witness is sought before its whole block is solved
LOCAL_CELLS = 3_000  # relatives beyond this many are not near


@dataclass(slots=True)
class Intervals:
    """Feasible range of each cell of the table that is not known, by position in `cells`.

    Attributes
    ----------
    cells
        Positions in the cell table, ascending, shape (k,).
    low, high
        Ends of the range, shape (k,), ``high`` infinite where nothing bounds the cell. Where `method` is ``witness``
        both ends are values that occur, so the true range may be wider; otherwise they are the range itself, or for
        ``bounds`` and ``linear`` an interval that contains it.
    method
        ``bounds``, ``witness``, ``linear`` or ``integer``, shape (k,).
    block
        Connected component of the constraint graph, shape (k,).
    """

    cells: IntArray
    low: FloatArray
    high: FloatArray
    method: NDArray[np.object_]
    block: IntArray


@dataclass(slots=True)
class _Search:
    """A system, the widest pair of witnesses seen per cell, and what is still to be shown."""

    system: System
    x: FloatArray
    need: FloatArray
    seen_low: FloatArray
    seen_high: FloatArray
    reach: float
    points: list[FloatArray]

    @classmethod
    def start(cls, system: System, x: FloatArray, required: FloatArray) -> "_Search":
        """Begin from one point and its cheap exchanges."""
        least, most = exchange_moves(system, x)
        reach = 2.0 * max(float(required.max(initial=1.0)), 1.0)
        return cls(system, x, required.astype(np.float64), least, most, reach, [])

    def accept(self, witnesses: Iterable[Witness]) -> None:
        """Take tables that somebody else found, each only if it satisfies everything here."""
        unknown = self.system.cells
        for cells, values in witnesses:
            at = np.searchsorted(unknown, cells)
            mine = unknown[at.clip(max=unknown.size - 1)] == cells
            columns, point = at[mine], self.x.copy()
            point[columns] = values[mine]
            if self.system.holds(point):
                self.record(columns, point[columns])

    def found_tables(self) -> list[Witness]:
        """Return the points found, as what differs from the known one."""
        moved = [np.flatnonzero(p != self.x) for p in self.points]
        return [(self.system.cells[m], p[m]) for m, p in zip(moved, self.points, strict=True) if m.size]

    def drop_hopeless(self) -> NDArray[np.bool_]:
        """Drop the cells whose outer bounds are too narrow already, and return which."""
        doomed = self.system.high - self.system.low < self.need
        self.need = np.where(doomed, 0.0, self.need)
        return doomed

    @property
    def pending(self) -> NDArray[np.bool_]:
        return self.seen_high - self.seen_low < self.need

    def record(self, columns: IntArray, point: FloatArray) -> None:
        self.seen_low[columns] = np.minimum(self.seen_low[columns], point)
        self.seen_high[columns] = np.maximum(self.seen_high[columns], point)

    def boxed(self, columns: IntArray, cut: System) -> System:
        """Keep a search near the known point: any two witnesses `need` apart will do."""
        x = self.x[columns]
        return replace(cut, low=np.maximum(cut.low, x - self.reach), high=np.minimum(cut.high, x + self.reach))


def feasibility_intervals(
    relations: Relations,
    *,
    low: FloatArray,
    high: FloatArray,
    required: FloatArray,
    truth: FloatArray | None = None,
    exact: bool = False,
    witnesses: Iterable[Witness] = (),
) -> Intervals:
    """Find the feasibility interval of each unknown cell.

    Parameters
    ----------
    relations
        Rows over all cells of the table.
    low, high
        What is known of each cell alone, shape (cells,); equal where the value is known.
    required
        Width ``high - low`` each cell must keep, shape (cells,); 0 where nothing is promised.
    truth
        One whole-number point that satisfies everything. The data owner has it and saves a search; an attacker does
        not.
    exact
        Give every range exactly, instead of stopping where a cell is shown to be wide enough or too narrow.
    witnesses
        Whole-number tables that may save searching, each as the cells that differ from `truth` and what they hold
        instead. None is taken on trust: what breaks a row or a bound is passed over.

    Raises
    ------
    InputError
        If the known values contradict each other, or `truth` contradicts them.
    """
    loose = reduce_system(relations, low=low, high=high)
    tight = propagate(loose)
    block = blocks_of(tight)
    intervals = Intervals(
        tight.cells, tight.low.copy(), tight.high.copy(), np.full(block.size, "bounds", dtype=object), block
    )
    if block.size == 0:
        return intervals
    if truth is None:
        x = _some_point(tight, block)
    else:
        x = truth[tight.cells].astype(np.float64)
        if not tight.holds(x):
            raise InputError("the true counts break a published sum or bound: test the relations on the data first.")
    search = _Search.start(tight, x, required[tight.cells])
    if exact:
        settled = (tight.low == search.seen_low) & (tight.high == search.seen_high)
        search.need = np.where(settled, 0.0, np.inf)
    else:
        search.accept(witnesses)
        doomed = search.drop_hopeless()
        _random_directions(search, block)
        shown = ~search.pending & ~doomed
        intervals.low[shown], intervals.high[shown] = search.seen_low[shown], search.seen_high[shown]
        intervals.method[shown] = "witness"
    _one_by_one(search, intervals, block, exact=exact)
    return intervals


def witnessed_intervals(
    relations: Relations,
    *,
    low: FloatArray,
    high: FloatArray,
    required: FloatArray,
    truth: FloatArray,
    seen: tuple[FloatArray, FloatArray],
) -> tuple[FloatArray, FloatArray, list[Witness]]:
    """Widen the ranges that witnesses show, without settling the cells that stay narrow.

    Parameters as for `feasibility_intervals`; `seen` holds the lowest and highest value each cell of the table took in
    tables found feasible before, shape (cells,) each. What was feasible stays so when more is withheld.

    Returns
    -------
    seen_low, seen_high
        As `seen`, widened, shape (cells,) each.
    witnesses
        The tables found on the way: the cells that differ from `truth`, and what they hold instead.
    """
    tight = propagate(reduce_system(relations, low=low, high=high))
    seen_low, seen_high = seen[0].copy(), seen[1].copy()
    witnessed: list[Witness] = []
    if tight.cells.size:
        search = _Search.start(tight, truth[tight.cells].astype(np.float64), required[tight.cells])
        search.record(np.arange(tight.cells.size), seen_low[tight.cells])
        search.record(np.arange(tight.cells.size), seen_high[tight.cells])
        search.drop_hopeless()
        _random_directions(search, blocks_of(tight))
        seen_low[tight.cells], seen_high[tight.cells] = search.seen_low, search.seen_high
        witnessed = search.found_tables()
    return seen_low, seen_high, witnessed


def _some_point(system: System, block: IntArray) -> FloatArray:
    x = np.zeros(block.size)
    for rows, columns in _batches(system, block, np.ones(block.size, dtype=bool)):
        x[columns] = whole_point(system.block(rows, columns))
    return x


def _batches(system: System, block: IntArray, wanted: NDArray[np.bool_]) -> list[tuple[IntArray, IntArray]]:
    """Rows and columns of the blocks that hold wanted cells, small blocks joined into one programme."""
    chosen = np.unique(block[wanted])
    size = np.bincount(block)[chosen]
    group = np.cumsum(size) // BATCH_COLUMNS
    of_block = np.full(int(block.max()) + 1, -1, dtype=np.int64)
    of_block[chosen] = group
    of_column = of_block[block]
    by_column = csc_array(system.matrix)
    found = []
    for g in np.unique(group):
        columns = np.flatnonzero(of_column == g)
        found.append((np.unique(by_column[:, columns].indices).astype(np.int64), columns.astype(np.int64)))
    return found


def _random_directions(search: _Search, block: IntArray) -> None:
    """Push all pending cells of a batch at once, up or down by lot, and back."""
    rng = np.random.default_rng(SEED)
    for _ in range(ROUNDS):
        before = int(search.pending.sum())
        pair = (search.x.copy(), search.x.copy())
        for rows, columns in _batches(search.system, block, search.pending):
            cut = search.boxed(columns, search.system.block(rows, columns))
            lot = rng.choice([-1.0, 1.0], size=columns.size) * np.where(search.pending[columns], 1.0, 0.01)
            for whole, direction in zip(pair, (lot, -lot), strict=True):
                point = witness(cut, direction)
                if point is not None:
                    search.record(columns, point)
                    whole[columns] = point
        search.points += pair
        gained = before - int(search.pending.sum())
        if gained <= before // 50:
            break


def _one_by_one(search: _Search, intervals: Intervals, block: IntArray, *, exact: bool) -> None:
    """Settle what is pending cell by cell: near relatives, then the linear programme, then the integer one."""
    by_column = csc_array(search.system.matrix)
    for column in np.flatnonzero(search.pending):
        if not exact and (not search.pending[column] or _local(search, int(column))):
            intervals.low[column], intervals.high[column] = search.seen_low[column], search.seen_high[column]
            intervals.method[column] = "witness"
            continue
        columns = np.flatnonzero(block == block[column])
        cut = search.system.block(np.unique(by_column[:, columns].indices), columns)
        at = int(np.searchsorted(columns, column))
        least, most, whole = _ends(search, cut, columns, at, integer=False)
        intervals.method[column] = "linear"
        if not whole and (exact or most - least >= search.need[column]):
            least, most, _ = _ends(search, cut, columns, at, integer=True)
            intervals.method[column] = "integer"
        intervals.low[column], intervals.high[column] = least, most


def _ends(search: _Search, cut: System, columns: IntArray, at: int, *, integer: bool) -> tuple[float, float, bool]:
    """Lowest and highest value of one cell of a block, and whether both are values that occur."""
    cost = np.zeros(columns.size)
    ends, whole = [], True
    for sign in (1.0, -1.0):
        cost[at] = sign
        best = optimise(cut, cost, integer=integer)
        ends.append(sign * best.value)
        if best.point is not None:
            search.record(columns, best.point)
        elif not np.isinf(best.value):
            whole = False
    return float(np.ceil(ends[0] - TOLERANCE)), float(np.floor(ends[1] + TOLERANCE)), whole


def _local(search: _Search, column: int) -> bool:
    """Look for witnesses among a cell's near relatives only, everything else held at the known point."""
    for hops in LOCAL_HOPS:
        rows, columns = neighbourhood(search.system, column, hops=hops)
        if columns.size > LOCAL_CELLS:
            return False
        cut = search.boxed(columns, with_others_fixed(search.system, search.x, rows, columns))
        cost = np.zeros(columns.size)
        at = int(np.searchsorted(columns, column))
        for sign in (1.0, -1.0):
            cost[at] = sign
            point = optimise(cut, cost).point
            if point is not None:
                search.record(columns, point)
        if not search.pending[column]:
            return True
    return False


# Points an attacker cannot rule out: cheap exchanges, linear programmes, integer programmes.
#
# A *witness* is a whole-number point that satisfies every row. Two witnesses that differ by w in a cell prove that the
# attacker's range of that cell is at least w wide; no bound from a relaxation can prove that.


TOLERANCE = 1e-6  # of the solver's objective, before it is rounded outwards
INFEASIBLE = 2  # status of scipy.optimize.milp
WHOLE = 1e-4  # how far from a whole number the solver may leave one
REPAIR_CELLS = (
    3_000  # a fractional vertex that needs more cells than this solved anew is given up, for the time it takes
)
REPAIR_GAP = 0.2  # any witness far enough will do, not the farthest


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
    while columns.size <= REPAIR_CELLS:
        rows = np.unique(by_column[:, columns].indices).astype(np.int64)
        found = _try(with_others_fixed(system, np.round(x), rows, columns), cost[columns], gap=REPAIR_GAP)
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


def with_others_fixed(system: System, x: FloatArray, rows: IntArray, columns: IntArray) -> System:
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


class CellState(StrEnum):
    """How a release shows a cell."""

    PUBLISHED = "published"
    WITHHELD = "withheld"
    BAND = "band"
    """Shown as "fewer than the threshold"."""
    LATENT = "latent"
    """Never published, but implied: a piece of a window, a hotspot, a count of an earlier release."""


@dataclass(frozen=True, slots=True)
class AuditResult:
    """Verdict on a release.

    Attributes
    ----------
    safe
        Whether every cell keeps the range it was promised.
    cells
        One row per cell that the attacker does not know: position in the cell table, its key, `lo`, `hi` (null: nothing
        bounds it), `width`, `required`, `method`, `block` (-1:
        settled by what is known of it alone), `safe`. Where `method` is ``witness`` the range was widened
        only until it sufficed and may be wider.
    blocks
        Connected components: `blocks`, `largest` (cells), and the number of cells settled by each method.
    """

    safe: bool
    cells: pd.DataFrame
    blocks: dict[str, int]

    @property
    def too_narrow(self) -> NDArray[np.int64]:
        """Positions of the cells whose feasibility interval is narrower than promised; for the internal log only."""
        return np.asarray(self.cells.loc[~self.cells["safe"], "position"], dtype=np.int64)


def attacker_view(cells: pd.DataFrame, *, threshold: int) -> pd.DataFrame:
    """Return what is known of each cell alone, and its protection level.

    Parameters
    ----------
    cells
        Columns `state` (a `CellState`), `value`, and, where wanted, `known` (the attacker has the value from a known
        table), `shown_low` and `shown_high` (a published cell was rounded or perturbed: the values it may stand for),
        `known_low` and `known_high` (bounds from previous releases).
        Nulls in the last four mean that nothing is added.
    threshold
        Smallest count other than 0 that may be published.

    Returns
    -------
    view
        Columns `low`, `high` (infinite: unbounded) and `required`, one row per cell.

    Raises
    ------
    InputError
        If a state is unknown, or two sources of bounds contradict each other.
    """
    state = cells["state"].astype(str).to_numpy()
    wrong = sorted(set(state) - set(CellState))
    if wrong:
        raise InputError(f"cell states are {', '.join(CellState)}; found {', '.join(wrong)}.")
    value = cells["value"].to_numpy(dtype=np.float64)
    known = cells["known"].to_numpy(dtype=bool) if "known" in cells else np.zeros(len(cells), dtype=bool)
    shown, band, hidden = (state == s for s in (CellState.PUBLISHED, CellState.BAND, CellState.WITHHELD))
    low, high = np.zeros(len(cells)), np.where(band, threshold - 1.0, np.inf)
    at_least, at_most = _column(cells, "shown_low", value), _column(cells, "shown_high", value)
    low, high = np.where(shown, at_least, low), np.where(shown, at_most, high)
    low = np.where(known, value, np.maximum(low, _column(cells, "known_low", np.zeros(len(cells)))))
    high = np.where(known, value, np.minimum(high, _column(cells, "known_high", np.full(len(cells), np.inf))))
    if np.any(low > high):
        at = cells.iloc[int(np.argmax(low > high))][list(KEY)].to_dict()
        raise InputError(f"what is published and what was published earlier contradict each other at {at}.")
    small = (state == CellState.LATENT) & (value > 0) & (value < threshold)
    if "protect" in cells:
        small |= (state == CellState.LATENT) & cells["protect"].to_numpy(dtype=bool)
    required = np.select([known, hidden | small, band], [0.0, float(threshold), threshold - 1.0], 0.0)
    return pd.DataFrame({"low": low, "high": high, "required": required})


def audit(
    cells: pd.DataFrame,
    *,
    relations: Relations,
    threshold: int,
    exact: bool = False,
    witnesses: Iterable[Witness] = (),
) -> AuditResult:
    """Attack a release: test whether every withheld cell keeps its protection level.

    Published sums count as exact here even if the release rounds them: an attacker who sees rounded figures knows
    less, so a release that passes unrounded passes rounded. Give `shown_low` and `shown_high` to audit rounding itself.

    Parameters
    ----------
    cells
        Cell table: the columns of `KEY` and those of `attacker_view`; `value` is the true count.
    relations
        Rows over the positions of `cells`; they must hold in the true counts.
    threshold
        Smallest count other than 0 that may be published.
    exact
        Find every range exactly. Default: stop where a cell is shown to be wide enough, or too narrow.
    witnesses
        Tables that whoever chose what to withhold claims to be possible: the positions of the cells that differ from
        the true one, and what they hold instead. Each is checked against every row and bound before it counts: they
        save the search, not the proof.

    Raises
    ------
    InputError
        If figures contradict each other or the relations.

    Examples
    --------
    >>> import pandas as pd
    >>> from pipeline.release.linked_tables import area_sums
    >>> cells = pd.DataFrame({
    ...     "area_code": ["B", "W1", "W2", "W3"], "period": "2024", "category": "all", "measure": "incidents",
    ...     "value": [7, 5, 1, 1], "state": ["published", "published", "withheld", "withheld"]})
    >>> sums = area_sums(cells, parents={"W1": "B", "W2": "B", "W3": "B"}, unplaced={"incidents": None})
    >>> audit(cells, relations=sums, threshold=5).cells[["area_code", "lo", "hi", "safe"]].values.tolist()
    [['W2', 0, 2, False], ['W3', 0, 2, False]]
    """
    if relations.matrix.shape[1] != len(cells):
        raise InputError(f"relations speak of {relations.matrix.shape[1]} cells, the table has {len(cells)}.")
    view = attacker_view(cells, threshold=threshold)
    required = view["required"].to_numpy()
    found = feasibility_intervals(
        relations,
        low=view["low"].to_numpy(),
        high=view["high"].to_numpy(),
        required=required,
        truth=cells["value"].to_numpy(dtype=np.float64),
        exact=exact,
        witnesses=witnesses,
    )
    low, high = view["low"].to_numpy(), view["high"].to_numpy()
    given = np.flatnonzero((low == high) & (required > 0))  # known before any arithmetic
    position = np.concatenate([given, found.cells])
    lo, hi = np.concatenate([low[given], found.low]), np.concatenate([high[given], found.high])
    frame = cells.iloc[position][[c for c in ("level", *KEY) if c in cells]].reset_index(drop=True)
    frame.insert(0, "position", position)
    frame["lo"] = lo.astype(np.int64)
    frame["hi"] = _audit_whole(hi)
    frame["width"] = _audit_whole(hi - lo)
    frame["required"] = required[position].astype(np.int64)
    frame["method"] = np.concatenate([np.full(given.size, "bounds", dtype=object), found.method])
    frame["block"] = np.concatenate([np.full(given.size, -1), found.block])
    frame["safe"] = hi - lo >= required[position]
    frame = frame.sort_values("position", ignore_index=True)
    size = np.bincount(found.block, minlength=1)
    methods = {f"by_{m}": int((found.method == m).sum()) for m in ("bounds", "witness", "linear", "integer")}
    blocks = {"blocks": int((size > 0).sum()), "largest": int(size.max()), **methods}
    return AuditResult(bool(frame["safe"].all()), frame, blocks)


def _column(cells: pd.DataFrame, name: str, default: NDArray[np.float64]) -> NDArray[np.float64]:
    if name not in cells:
        return default
    given = pd.to_numeric(cells[name]).to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isnan(given), default, given)


def _audit_whole(values: NDArray[np.float64]) -> "pd.Series[int]":
    endless = np.isinf(values)
    return pd.Series(np.where(endless, 0, values).astype(np.int64), dtype="Int64").mask(endless)
