"""The audit: solve the attacker's problem for the feasibility interval of every withheld count.

Hundepool et al. (2012), chapter 4, call it the *attacker's problem*: the least and the greatest value that a withheld
count can have in any table that agrees with everything the reader knows. The reader of a release knows

* every published number, and the known tables;
* the relations between counts: sums, subsets, unions, parts that exclude each other, whether declared or found to hold
  (`linked_tables.relations_that_hold`, `linked_tables.unions_found`);
* **which values are usually withheld.** Somebody with the code can run it on other data and see, for example, that no
  withheld count is 0, or that none exceeds 30. The audit therefore assumes that the attacker knows, for each class of
  counts (`observed_bounds`), the least and the greatest withheld value, if the class has `FEWEST_OF_A_CLASS` withheld
  counts or more;
* for a count that is not offered by rule (for example because its area's total is not offered), the rule but nothing
  about its value.

**What is promised.** Every withheld count keeps at least t possible values, ``floor(greatest) - ceil(least) + 1 >= t``.
That 0 is one of them is not enough: under a borough of 7 with wards 5, 1, 1 the small wards lie in [0, 2].

**What is not promised.** The range covers all counts that agree with the published figures. It does not consider what
somebody might infer from the choice of secondary cells by rerunning the optimiser on every candidate table.

Bounds from a linear relaxation can only show that a count is *unsafe*. Two whole-number tables show that it is safe if
they agree with everything published and differ by t - 1 in that count (witnesses).

**A table of nine counts, by hand.** Three wards, three strands, all totals published, t = 5. The two small counts, 2
and 3, are withheld (primary), and two more (secondary), so that each row and each column has two withheld counts or
none:

============  ====  ========  ==========  =====
ward          race  religion  disability  total
============  ====  ========  ==========  =====
North         *2*   *16*      11          29
Middle        *12*  *3*       20          35
South         14    17        13          44
total         28    36        44          108
============  ====  ========  ==========  =====

One number determines all four: if North's race is 2 + d, North's religion is 16 - d, Middle's race 12 - d and Middle's
religion 3 + d. None is negative, so d runs from -2 to 12, and each count keeps 15 values:

>>> import numpy as np, pandas as pd
>>> from pipeline.release.linked_tables import generic_rows
>>> inside = np.array([[2, 16, 11], [12, 3, 20], [14, 17, 13]])
>>> counts = np.vstack([np.column_stack([inside, inside.sum(1)]), [*inside.sum(0), inside.sum()]])
>>> cells = pd.DataFrame([(a, c) for a in "NMS+" for c in ("race", "religion", "disability", "all")])
>>> cells = cells.set_axis(["area_code", "category"], axis=1).assign(period="2024", measure="incidents", level="ward")
>>> cells = cells.assign(value=counts.ravel(), state="published")
>>> at = np.arange(16).reshape(4, 4)  # last row and last column are the totals
>>> sums = [({line[3]: -1, **dict.fromkeys(line[:3].tolist(), 1)}, 0.0, 0.0) for line in (*at, *at.T)]
>>> relations = generic_rows(cells, sums, kind="area_sum")
>>> cells.loc[[0, 1, 4, 5], "state"] = "withheld"
>>> found = audit(cells, relations=relations, threshold=5, exact=True)
>>> found.safe, found.cells[["lo", "hi"]].to_numpy().tolist()
(True, [[0, 14], [4, 18], [0, 14], [1, 15]])

If Middle's race is published, the other three can be recovered from its row and its column:

>>> cells.loc[4, "state"] = "published"
>>> found = audit(cells, relations=relations, threshold=5)
>>> found.safe, found.cells[["lo", "hi"]].to_numpy().tolist()
(False, [[2, 2], [16, 16], [3, 3]])
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array, csr_array
from scipy.sparse.csgraph import connected_components

from pipeline.errors import InputError
from pipeline.release.linked_tables import KEY, Relations
from pipeline.release.programmes import Found, Programme, Status

__all__ = [
    "FEWEST_OF_A_CLASS",
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
    "classes_of",
    "feasibility_intervals",
    "observed_bounds",
    "optimise",
    "propagate",
    "reduce_system",
    "witness",
    "witnessed_intervals",
]


# The attacker's problem: the relations over the cells that are not known, and bounds on each.


FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MAX_SWEEPS = 60  # bound on the sweeps; fewer leave the intervals wider, never wrong


@dataclass(frozen=True, slots=True)
class System:
    """Rows ``row_lower <= matrix @ x <= row_upper`` over k unknown whole numbers ``low <= x <= high``.

    Attributes
    ----------
    matrix
        Coefficients of the unknown cells, shape (rows, k).
    row_lower, row_upper
        Bounds of each row after known values were subtracted, shape (rows,).
    low, high
        Bounds of each unknown cell by itself, shape (k,).
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
        """Select rows and columns; the omitted columns must not occur in the selected rows."""
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
    """Substitute the known values (``low == high``) into the relations and keep the remaining unknowns.

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
    """Tighten every cell's bounds row by row until nothing changes.

    Each row bounds each of its cells by the range of the other cells. The result is an outer bound: a feasible value is
    never outside it, whatever the number of sweeps.

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


def without_redundant_rows(system: System) -> System:
    """Drop the rows that no point within the cells' own bounds can break: their cells do not limit each other.

    A strand is at most its total, but if the total is 40 and the strand is at most 9 anyway, this adds no information.
    """
    a = csr_array(system.matrix)
    up, down = csr_array(a.multiply(a > 0)), csr_array(a.multiply(a < 0))
    endless = np.isinf(system.high).astype(np.float64)
    high = np.where(np.isinf(system.high), 0.0, system.high)
    most = np.where(up @ endless > 0, np.inf, up @ high + down @ system.low)
    least = np.where(down @ endless < 0, -np.inf, up @ system.low + down @ high)
    kept = np.flatnonzero((least < system.row_lower) | (most > system.row_upper))
    return system.block(kept, np.arange(system.cells.size))


def blocks_of(system: System) -> IntArray:
    """Label each unknown cell with its block, the connected component of the constraint graph, shape (k,).

    Blocks are numbered by their first cell; a row with only one unknown cell connects nothing.
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


# The feasible whole-number range of each withheld cell, exactly or only as far as needed.


Witness = tuple[IntArray, FloatArray]
"""A possible table: positions of the cells that differ from the true table, and their values in it."""

SEED = 20_250_802  # for the search directions; any value will do, and a fixed one makes runs reproducible
ROUNDS = 12  # random directions per block; further rounds rarely find anything new
FEW_PENDING = 40  # up to this many cells are solved faster one by one than by programmes over their whole blocks
BATCH_COLUMNS = 1_500  # small blocks share a programme up to this size
LOCAL_HOPS = (2, 4)  # relations from a cell within which a witness is sought before its whole block is solved
LOCAL_CELLS = 1_000  # a local search stops growing beyond this many related cells
SETTLED_CELLS = 600  # a larger block is not solved for one cell: the cell counts as too narrow, which is the safe side
NODES = 400  # branches of an integer programme, after which the cell also counts as too narrow; limits the time


@dataclass(slots=True)
class Intervals:
    """Feasible range of each cell of the table that is not known, by position in `cells`.

    Attributes
    ----------
    cells
        Positions in the cell table, ascending, shape (k,).
    low, high
        Ends of the range, shape (k,), ``high`` infinite if nothing bounds the cell. If `method` is ``witness``, both
        ends are values of possible tables, so the true range may be wider; otherwise they are the range itself, or for
        ``bounds`` and ``linear`` an interval that contains it.
    method
        ``bounds``, ``witness``, ``linear`` or ``integer``, shape (k,).
    block
        Connected component of the constraint graph, shape (k,).
    witnesses
        Possible tables found during the search.
    """

    cells: IntArray
    low: FloatArray
    high: FloatArray
    method: NDArray[np.object_]
    block: IntArray
    witnesses: tuple[Witness, ...] = ()


@dataclass(slots=True)
class _Search:
    """A system, the widest pair of witnesses found for each cell, and the cells still to be shown safe."""

    system: System
    x: FloatArray
    need: FloatArray
    seen_low: FloatArray
    seen_high: FloatArray
    reach: float
    tables: list[Witness]

    @classmethod
    def start(cls, system: System, x: FloatArray, required: FloatArray) -> "_Search":
        """Begin from the true table."""
        reach = 2.0 * max(float(required.max(initial=1.0)), 1.0)
        return cls(system, x, required.astype(np.float64), x.copy(), x.copy(), reach, [])

    def accept(self, witnesses: Sequence[Witness]) -> None:
        """Add tables found by the caller, each only if it satisfies every row and bound of this system."""
        if not witnesses:
            return
        unknown, k = self.system.cells, self.system.cells.size
        number = np.repeat(np.arange(len(witnesses)), [cells.size for cells, _ in witnesses])
        at = np.concatenate([cells for cells, _ in witnesses])
        value = np.concatenate([values for _, values in witnesses])
        column = np.searchsorted(unknown, at).clip(max=k - 1)
        # A table that changes a cell whose value is now known is not a witness.
        good = np.ones(len(witnesses), dtype=bool)
        good[number[unknown[column] != at]] = False
        good[number[(value < self.system.low[column]) | (value > self.system.high[column])]] = False
        # All rows of all tables in one product: only rows that a table touches can be broken by it.
        change = coo_array((value - self.x[column], (column, number)), shape=(k, len(witnesses)))
        moved = coo_array(self.system.matrix @ csc_array(change))
        row, table = moved.coords
        total = (self.system.matrix @ self.x)[row] + moved.data
        good[table[(total < self.system.row_lower[row]) | (total > self.system.row_upper[row])]] = False
        taken = good[number]
        np.minimum.at(self.seen_low, column[taken], value[taken])
        np.maximum.at(self.seen_high, column[taken], value[taken])

    def drop_hopeless(self) -> BoolArray:
        """Drop the cells whose outer bounds are already too narrow, and return them."""
        doomed = self.system.high - self.system.low < self.need
        self.need = np.where(doomed, 0.0, self.need)
        return doomed

    @property
    def pending(self) -> BoolArray:
        return self.seen_high - self.seen_low < self.need

    def record(self, columns: IntArray, point: FloatArray) -> None:
        moved = np.flatnonzero(point != self.x[columns])
        if moved.size:
            self.tables.append((self.system.cells[columns[moved]], point[moved]))
        self.seen_low[columns] = np.minimum(self.seen_low[columns], point)
        self.seen_high[columns] = np.maximum(self.seen_high[columns], point)

    def boxed(self, columns: IntArray, cut: System) -> System:
        """Limit a search to the neighbourhood of the known point: any two witnesses `need` apart are enough."""
        x = self.x[columns]
        low, high = np.maximum(cut.low, x - self.reach), np.minimum(cut.high, x + self.reach)
        return without_redundant_rows(replace(cut, low=low, high=high))


def feasibility_intervals(
    relations: Relations,
    *,
    low: FloatArray,
    high: FloatArray,
    required: FloatArray,
    truth: FloatArray,
    exact: bool = False,
    witnesses: Sequence[Witness] = (),
) -> Intervals:
    """Find the feasibility interval of each unknown cell, as far as `required` asks.

    The work is bounded: a cell of a large block counts as too narrow if neither the witnesses nor the search among its
    related cells show that it is wide enough, although a longer search might have shown it.

    Parameters
    ----------
    relations
        Rows over all cells of the table.
    low, high
        Bounds of each cell by itself, shape (cells,); equal if the value is known.
    required
        Width ``high - low`` that each cell must keep, shape (cells,); 0 if nothing is promised.
    truth
        The true table, which satisfies everything. The data owner has it, which saves a search; an attacker does not.
    exact
        Compute every range exactly, however long it takes, instead of stopping when a cell is shown to be wide enough.
    witnesses
        Whole-number tables that may save searching, each as the cells that differ from `truth` and their values. Each
        is checked: a table that breaks a row or a bound is ignored.

    Raises
    ------
    InputError
        If the known values contradict each other, or `truth` contradicts them.
    """
    tight = without_redundant_rows(propagate(reduce_system(relations, low=low, high=high)))
    block = blocks_of(tight)
    intervals = Intervals(
        tight.cells, tight.low.copy(), tight.high.copy(), np.full(block.size, "bounds", dtype=object), block
    )
    if block.size == 0:
        return intervals
    x = truth[tight.cells].astype(np.float64)
    if not tight.holds(x):
        raise InputError("the true counts break a published sum or bound: test the relations on the data first.")
    search = _Search.start(tight, x, required[tight.cells])
    if exact:
        search.need = np.where(tight.low == tight.high, 0.0, np.inf)
    else:
        search.accept(witnesses)
        doomed = search.drop_hopeless()
        if int(search.pending.sum()) > FEW_PENDING:
            _random_directions(search, block)
        shown = ~search.pending & ~doomed
        intervals.low[shown], intervals.high[shown] = search.seen_low[shown], search.seen_high[shown]
        intervals.method[shown] = "witness"
    _one_by_one(search, intervals, block, exact=exact)
    intervals.witnesses = tuple(search.tables)
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
    """Widen the ranges shown by witnesses, without solving the cells that stay narrow.

    Parameters as for `feasibility_intervals`; `seen` holds the lowest and highest value of each cell in tables already
    found feasible, shape (cells,) each. A feasible table stays feasible if more cells are withheld.

    Returns
    -------
    seen_low, seen_high
        As `seen`, widened, shape (cells,) each.
    witnesses
        The tables found: the cells that differ from `truth`, and their values.
    """
    tight = without_redundant_rows(propagate(reduce_system(relations, low=low, high=high)))
    seen_low, seen_high = seen[0].copy(), seen[1].copy()
    witnessed: list[Witness] = []
    if tight.cells.size:
        search = _Search.start(tight, truth[tight.cells].astype(np.float64), required[tight.cells])
        search.seen_low, search.seen_high = seen_low[tight.cells], seen_high[tight.cells]
        search.drop_hopeless()
        _random_directions(search, blocks_of(tight))
        seen_low[tight.cells], seen_high[tight.cells] = search.seen_low, search.seen_high
        witnessed = search.tables
    return seen_low, seen_high, witnessed


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
    """Push all pending cells of a batch at once, each up or down at random, and then the other way."""
    rng = np.random.default_rng(SEED)
    for _ in range(ROUNDS):
        before = int(search.pending.sum())
        for rows, columns in _batches(search.system, block, search.pending):
            cut = search.boxed(columns, search.system.block(rows, columns))
            lot = rng.choice([-1.0, 1.0], size=columns.size) * np.where(search.pending[columns], 1.0, 0.01)
            for direction in (lot, -lot):
                point = witness(cut, direction)
                if point is not None:
                    search.record(columns, point)
        gained = before - int(search.pending.sum())
        if gained <= before // 50:
            break


def _one_by_one(search: _Search, intervals: Intervals, block: IntArray, *, exact: bool) -> None:
    """Solve the pending cells one by one: a local search, then the linear programme, then the integer programme."""
    by_column = csc_array(search.system.matrix)
    size = np.bincount(block)
    for column in np.flatnonzero(search.pending):
        if not exact:
            wide = not search.pending[column] or _local(search, int(column))
            if wide or size[block[column]] > SETTLED_CELLS:
                intervals.low[column], intervals.high[column] = search.seen_low[column], search.seen_high[column]
                intervals.method[column] = "witness"
                continue
        columns = np.flatnonzero(block == block[column])
        cut = search.system.block(np.unique(by_column[:, columns].indices), columns)
        at = int(np.searchsorted(columns, column))
        least, most, whole = _ends(search, cut, columns, at, integer=False, nodes=None)
        intervals.method[column] = "linear"
        if not whole and (exact or most - least >= search.need[column]):
            least, most, whole = _ends(search, cut, columns, at, integer=True, nodes=None if exact else NODES)
            intervals.method[column] = "integer"
            if not whole and not exact:  # the branches ran out: only the values found are certain
                least, most = search.seen_low[column], search.seen_high[column]
        intervals.low[column], intervals.high[column] = least, most


def _ends(
    search: _Search, cut: System, columns: IntArray, at: int, *, integer: bool, nodes: int | None
) -> tuple[float, float, bool]:
    """Lowest and highest value of one cell of a block, and whether both are values of possible tables."""
    cost = np.zeros(columns.size)
    ends, whole = [], True
    for sign in (1.0, -1.0):
        cost[at] = sign
        best = optimise(cut, cost, integer=integer, nodes=nodes)
        ends.append(sign * best.value)
        if best.point is not None:
            search.record(columns, best.point)
        whole &= not np.isnan(best.value) and (best.point is not None or bool(np.isinf(best.value)))
    return float(np.ceil(ends[0] - TOLERANCE)), float(np.floor(ends[1] + TOLERANCE)), whole


def _local(search: _Search, column: int) -> bool:
    """Look for witnesses among a cell's nearest related cells only, everything else held at the known point."""
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


# Tables that an attacker cannot exclude: linear programmes, integer programmes.
#
# A *witness* is a whole-number point that satisfies every row. Two witnesses that differ by w in a cell prove that the
# attacker's range of that cell is at least w wide; no bound from a relaxation can prove that.


TOLERANCE = 1e-6  # of the solver's objective, before it is rounded outwards
WHOLE = 1e-4  # greatest distance from a whole number that the solver may leave
REPAIR_CELLS = 300  # a fractional vertex is abandoned if more cells than this need solving again, to save time
REPAIR_GAP = 0.2  # a witness need only be far enough, not the farthest


@dataclass(frozen=True, slots=True)
class Optimum:
    """Result of one programme: the optimal value and, where it is whole, the point.

    The value is infinite if the programme is unbounded, and NaN if its branches ran out.
    """

    value: float
    point: FloatArray | None


def optimise(system: System, cost: FloatArray, *, integer: bool = False, nodes: int | None = NODES) -> Optimum:
    """Minimise ``cost @ x`` over the system, relaxed or in whole numbers (in at most `nodes` branches).

    Raises
    ------
    InputError
        If no point satisfies the system.
    """
    result = _solve(system, cost, integer=integer, nodes=nodes)
    point = None if result.x is None else _whole(system, result.x)
    if result.status is Status.LIMIT:
        return Optimum(np.nan, point)
    return Optimum(-np.inf if result.x is None else result.value, point)


def witness(system: System, cost: FloatArray) -> FloatArray | None:
    """Find a whole-number point far against a direction, not necessarily the farthest, or None.

    The relaxed programme's vertex is mostly whole. If it is not, its whole cells are kept and the others are solved
    again together with more and more related cells: a programme over a few cells takes milliseconds, one over a large
    block minutes.
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


def _solve(
    system: System,
    cost: FloatArray,
    *,
    integer: bool,
    gap: float = 0.0,
    again: bool = True,
    nodes: int | None = NODES,
) -> Found:
    programme = Programme(
        system.matrix,
        low=system.row_lower,
        high=system.row_upper,
        least=system.low,
        most=system.high,
        integer=integer,
    )
    for presolve in (True, False) if again else (True,):  # presolving has called feasible systems infeasible
        result = programme.minimise(cost, presolve=presolve, gap=gap, nodes=nodes)
        if result.status is not Status.INFEASIBLE:
            return result
    if not again:
        return result
    raise InputError("the figures contradict each other: no whole numbers satisfy all published sums and bounds.")


def _try(system: System, cost: FloatArray, *, gap: float) -> FloatArray | None:
    """Solve an integer programme that may have no solution."""
    return _solve(system, cost, integer=True, gap=gap, again=False).x


def _whole(system: System, x: FloatArray) -> FloatArray | None:
    """Round a point that is whole up to the solver's tolerance, if it then satisfies the system."""
    point: FloatArray = np.asarray(np.round(x), dtype=np.float64)
    return point if bool(np.all(np.abs(point - x) < WHOLE)) and system.holds(point) else None


def neighbourhood(system: System, column: int, *, hops: int) -> tuple[IntArray, IntArray]:
    """Find the cells within some hops (cell to its rows to their cells is one hop) and every row that contains them."""
    by_column = csc_array(system.matrix)
    columns = np.asarray([column], dtype=np.int64)
    for _ in range(hops):
        rows = np.unique(by_column[:, columns].indices)
        columns = np.union1d(columns, system.matrix[rows].indices)
    return np.unique(by_column[:, columns].indices).astype(np.int64), columns.astype(np.int64)


def with_others_fixed(system: System, x: FloatArray, rows: IntArray, columns: IntArray) -> System:
    """Select a neighbourhood, with everything outside it held at `x`."""
    outside = x.copy()
    outside[columns] = 0.0
    shift = system.matrix[rows] @ outside
    cut = system.block(rows, columns)
    return replace(cut, row_lower=cut.row_lower - shift, row_upper=cut.row_upper - shift)


class CellState(StrEnum):
    """How a cell appears in a release."""

    PUBLISHED = "published"
    WITHHELD = "withheld"
    RULED_OUT = "not offered by rule"
    """Withheld by a rule that readers know and that reveals nothing about its value."""
    LATENT = "latent"
    """Never published by itself, but implied by other counts: a longer window."""


FEWEST_OF_A_CLASS = 20
"""With fewer withheld counts than this, their least and greatest value reveal nothing general."""


def classes_of(cells: pd.DataFrame) -> IntArray:
    """Return a number for the class of each cell: level, category, measure and kind of window, shape (cells,)."""
    # "2024-01..2024-12" and "2023-01..2023-12" are of one kind; "2024-01" is of another.
    kind = cells["period"].astype(str).str.replace(r"\d", "9", regex=True)
    columns = [*(cells[c].astype(str) for c in ("level", "category", "measure")), kind]
    return np.asarray(cells.groupby(columns, sort=True).ngroup(), dtype=np.int64)


def observed_bounds(cells: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Return the bounds that an attacker may know: the least and the greatest withheld value of each class.

    A class is a level, category, measure and kind of window. If it has `FEWEST_OF_A_CLASS` withheld cells or more, the
    attacker is assumed to know both ends: "no withheld count is 0" is such a bound. Cells that are withheld by rule or
    latent were not chosen for their values and belong to no class.

    Parameters
    ----------
    cells
        The columns of `KEY`, `level`, `value` and `state`.

    Returns
    -------
    low, high
        Bounds of each withheld cell, shape (cells,); 0 and infinity if the attacker knows none.

    Examples
    --------
    >>> table = pd.DataFrame({"value": [1, 4, *[2] * 18, 9], "state": ["withheld"] * 20 + ["published"]})
    >>> table = table.assign(area_code=range(21), period="2024", category="all", measure="incidents", level="ward")
    >>> low, high = observed_bounds(table)
    >>> low.tolist()[:2], high.tolist()[:2], high.tolist()[-1]
    ([1.0, 1.0], [4.0, 4.0], inf)
    """
    low, high = np.zeros(len(cells)), np.full(len(cells), np.inf)
    chosen = np.flatnonzero((cells["state"] == CellState.WITHHELD).to_numpy(dtype=bool))
    if not chosen.size:
        return low, high
    values = cells["value"].iloc[chosen].astype(np.float64).groupby(classes_of(cells)[chosen])
    enough = (values.transform("size") >= FEWEST_OF_A_CLASS).to_numpy()
    low[chosen[enough]] = values.transform("min").to_numpy()[enough]
    high[chosen[enough]] = values.transform("max").to_numpy()[enough]
    return low, high


@dataclass(frozen=True, slots=True)
class AuditResult:
    """Verdict on a release.

    Attributes
    ----------
    safe
        Whether every cell keeps its protection level.
    cells
        One row per cell that the attacker does not know: position in the cell table, its key, `lo`, `hi` (null:
        unbounded), `width`, `required`, `method`, `block` (-1: determined by its own bounds), `safe`. If `method` is
        ``witness``, the range was widened only until it was wide enough and may be wider.
    blocks
        Connected components: `blocks`, `largest` (cells), and the number of cells solved by each method.
    witnesses
        Possible tables found, which make the next audit faster.
    """

    safe: bool
    cells: pd.DataFrame
    blocks: dict[str, int]
    witnesses: tuple[Witness, ...] = ()

    @property
    def too_narrow(self) -> NDArray[np.int64]:
        """Positions of the cells whose feasibility interval is narrower than promised; for the internal log only."""
        return np.asarray(self.cells.loc[~self.cells["safe"], "position"], dtype=np.int64)


def attacker_view(cells: pd.DataFrame, *, threshold: int) -> pd.DataFrame:
    """Return the bounds of each cell by itself, and its protection level.

    Parameters
    ----------
    cells
        Columns of `KEY`, `level`, `state` (a `CellState`), `value`, and optionally `known` (the attacker has the value
        from a known table), `known_low` and `known_high` (bounds that the attacker has from external tables; null:
        none), `protect` (a latent cell that is protected like a withheld one), and `rests` (a cell whose range is that
        of the withheld number above it, which is audited in its place).
    threshold
        Smallest count other than 0 that may be published: the number of values that a withheld count keeps.

    Returns
    -------
    view
        Columns `low`, `high` (infinite: unbounded) and `required` (width ``high - low``), one row per cell.

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
    shown = (state == CellState.PUBLISHED) | known
    least, most = observed_bounds(cells)
    least = np.maximum(least, _column(cells, "known_low", np.zeros(len(cells))))
    most = np.minimum(most, _column(cells, "known_high", np.full(len(cells), np.inf)))
    low, high = np.where(shown, value, least), np.where(shown, value, most)
    if np.any(low > high):
        at = cells.iloc[int(np.argmax(low > high))][list(KEY)].to_dict()
        raise InputError(f"published counts and external tables contradict each other at {at}.")
    promised = np.isin(state, [CellState.WITHHELD, CellState.RULED_OUT])
    if "protect" in cells:
        promised |= (state == CellState.LATENT) & cells["protect"].to_numpy(dtype=bool)
    if "rests" in cells:
        promised &= ~cells["rests"].to_numpy(dtype=bool)
    required = np.where(promised & ~known, max(threshold - 1.0, 0.0), 0.0)
    return pd.DataFrame({"low": low, "high": high, "required": required})


def audit(
    cells: pd.DataFrame,
    *,
    relations: Relations,
    threshold: int,
    exact: bool = False,
    witnesses: Sequence[Witness] = (),
) -> AuditResult:
    """Audit a release: solve the attacker's problem and test whether every withheld cell keeps its protection level.

    Parameters
    ----------
    cells
        Cell table: the columns of `KEY` and those of `attacker_view`; `value` is the true count.
    relations
        Rows over the positions of `cells`; they must hold in the true counts.
    threshold
        Smallest count other than 0 that may be published.
    exact
        Compute every range exactly. Default: stop as soon as a cell is shown to be wide enough, or too narrow.
    witnesses
        Tables that the suppression step found possible: the positions of the cells that differ from the true table, and
        their values. Each is checked against every row and bound before it is used: they save the search, not the
        proof.

    Raises
    ------
    InputError
        If figures contradict each other or the relations.

    Examples
    --------
    Wards 5, 1, 1 under a published 7, the small ones withheld: each lies between 0 and 2.

    >>> from pipeline.release.linked_tables import area_sums
    >>> cells = pd.DataFrame({
    ...     "area_code": ["B", "W1", "W2", "W3"], "period": "2024", "category": "all", "measure": "incidents",
    ...     "level": ["borough", *["ward"] * 3], "value": [7, 5, 1, 1],
    ...     "state": ["published", "published", "withheld", "withheld"]})
    >>> sums = area_sums(cells, parents={"W1": "B", "W2": "B", "W3": "B"}, unplaced={"incidents": None})
    >>> audit(cells, relations=sums, threshold=5).cells[["area_code", "lo", "hi", "safe"]].values.tolist()
    [['W2', 0, 2, False], ['W3', 0, 2, False]]
    """
    if relations.matrix.shape[1] != len(cells):
        raise InputError(f"the relations have {relations.matrix.shape[1]} cells, the table has {len(cells)}.")
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
    given = np.flatnonzero((low == high) & (required > 0))  # recovered without any arithmetic
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
    return AuditResult(bool(frame["safe"].all()), frame, blocks, found.witnesses)


def _column(cells: pd.DataFrame, name: str, default: NDArray[np.float64]) -> NDArray[np.float64]:
    if name not in cells:
        return default
    given = pd.to_numeric(cells[name]).to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isnan(given), default, given)


def _audit_whole(values: NDArray[np.float64]) -> "pd.Series[int]":
    endless = np.isinf(values)
    return pd.Series(np.where(endless, 0, values).astype(np.int64), dtype="Int64").mask(endless)
