"""The suppression problem as arrays: what each cell holds, costs and must keep once hidden."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csc_array, csr_array
from scipy.sparse.csgraph import connected_components

from pipeline.release.audit import Witness, feasibility_intervals
from pipeline.release.audit.intervals import witnessed_intervals
from pipeline.release.linked_tables import Relations

__all__ = [
    "Adjustment",
    "IndexedTable",
    "Pattern",
    "Table",
    "cheapest_adjustment",
    "cheapest_pattern",
    "greedy_pattern",
    "pruned",
]


FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells and their relations, all arrays of shape (cells,).

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
        """Return what is known and required of each cell when `pattern` is hidden: low, high, required."""
        low, high = np.where(pattern, self.low, self.x), np.where(pattern, self.high, self.x)
        return low, high, np.where(pattern, self.required, 0.0)

    def failing(self, pattern: BoolArray, *, only: int | None = None) -> IntArray:
        """Audit a pattern: positions of hidden cells (or of `only` one) whose feasibility interval is too narrow."""
        low, high, required = self.view(pattern)
        if only is not None:
            required = np.where(np.arange(required.size) == only, required, 0.0)
        found = feasibility_intervals(self.relations, low=low, high=high, required=required, truth=self.x)
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


# The cheapest set of cells to withhold, proven, for tables small enough.
#
# Withholding more never narrows a range, so every set that fails can be grown to a largest set that still fails, and
# any set that works holds a cell outside it. Those statements are the constraints of a small hitting-set programme,
# added one by one until its cheapest answer passes the audit.


MAX_CUTS = 400  # constraints of the hitting-set programme, after which the table is left to the greedy method


def cheapest_pattern(table: Table) -> BoolArray | None:
    """Find the cells to hide with the least loss so that every hidden cell keeps its required width.

    Returns
    -------
    pattern
        All hidden cells, or None where no pattern works or the search grew too long.
    """
    allowed = table.hidden | table.movable
    bounds = Bounds(table.hidden.astype(np.float64), allowed.astype(np.float64))
    cuts: list[FloatArray] = []
    while len(cuts) < MAX_CUTS:
        constraint = LinearConstraint(np.asarray(cuts), 0.0, np.inf) if cuts else ()
        answer = milp(table.loss, constraints=constraint, bounds=bounds, integrality=np.ones(table.x.size))
        if answer.x is None:
            return None
        pattern = np.asarray(answer.x > 0.5, dtype=np.bool_)
        failing = table.failing(pattern)
        if failing.size == 0:
            return pattern
        for target in failing:
            outside = allowed & ~_grown(table, pattern, int(target), allowed)
            if not outside.any():
                return None
            cut = outside.astype(np.float64)
            cut[target] = -1.0  # a cell that is not hidden after all needs no partner
            cuts.append(cut)
    return None


def _grown(table: Table, pattern: BoolArray, target: int, allowed: BoolArray) -> BoolArray:
    """Hide more cells, dearest last, as long as the target still fails; halving finds the few that end it."""
    grown = pattern.copy()
    order = np.argsort(table.loss, kind="stable")
    waiting = [order[allowed[order] & ~grown[order]]]
    while waiting:
        cells = waiting.pop()
        grown[cells] = True
        if cells.size and table.failing(grown, only=target).size == 0:
            grown[cells] = False
            if cells.size > 1:
                half = cells.size // 2
                waiting += [cells[half:], cells[:half]]
    return grown


# Secondary suppression of large tables: search for witnesses, repair what stays narrow, repeat.


ROUNDS = 40  # bound on rounds of search and repair; hidden cells only ever grow, so the rounds end by themselves


@dataclass(frozen=True, slots=True)
class Pattern:
    """What to hide: all hidden cells, those among them that lost their band, and those that nothing protects.

    `witnesses` are possible tables that show how far the hidden cells can move.
    """

    hidden: BoolArray
    outright: BoolArray
    given_up: BoolArray
    witnesses: tuple[Witness, ...] = ()


def greedy_pattern(table: Table, witnesses: Sequence[Witness] = ()) -> Pattern:
    """Hide more cells until every hidden cell is shown to keep its required width.

    `witnesses` are possible tables that are known already.

    Each round searches for witnesses of what is hidden, then repairs the cells that stay narrow, cheapest first, by
    the slide of least loss. Hidden cells only ever gain, so the rounds end; what no slide can widen is given up.
    """
    hidden, outright = table.hidden.copy(), np.zeros(table.x.size, dtype=bool)
    given_up = outright.copy()
    seen_low, seen_high = table.x.copy(), table.x.copy()
    indexed = IndexedTable.build(table)
    witnesses = list(witnesses)
    for cells, values in witnesses:
        seen_low[cells] = np.minimum(seen_low[cells], values)
        seen_high[cells] = np.maximum(seen_high[cells], values)
    for _ in range(ROUNDS):
        now = table.promising_less(given_up).without_bands(outright)
        indexed = replace(indexed, table=now)
        low, high, required = now.view(hidden)
        seen_low, seen_high, witnessed = witnessed_intervals(
            now.relations, low=low, high=high, required=required, truth=now.x, seen=(seen_low, seen_high)
        )
        witnesses += witnessed
        narrow = np.flatnonzero(seen_high - seen_low < required)
        if narrow.size == 0:
            break
        for target in np.repeat(narrow[np.argsort(now.loss[narrow], kind="stable")], 2):  # once up, once down
            seen = (float(seen_low[target]), float(seen_high[target]))
            if seen[1] - seen[0] >= required[target] or given_up[target]:
                continue
            found = cheapest_adjustment(
                indexed, target=int(target), seen=seen, need=float(required[target]), hidden=hidden
            )
            if found is None:
                given_up[target] = True
                continue
            hidden[found.cells] = True
            outright[found.cells[found.values > now.high[found.cells]]] = True
            if found.witness:
                witnesses.append((found.cells, found.values))
                seen_low[found.cells] = np.minimum(seen_low[found.cells], found.values)
                seen_high[found.cells] = np.maximum(seen_high[found.cells], found.values)
    return Pattern(hidden, outright, given_up, tuple(witnesses))


def pruned(table: Table, pattern: Pattern) -> Pattern:
    """Publish again, dearest first, every secondary cell that the others turn out not to need; then restore bands."""
    table = table.promising_less(pattern.given_up)
    hidden, outright = pattern.hidden.copy(), pattern.outright.copy()
    for mask, cells in ((hidden, np.flatnonzero(hidden & ~table.hidden)), (outright, np.flatnonzero(outright))):
        for cell in cells[np.argsort(-table.loss[cells], kind="stable")]:
            mask[cell] = False
            if table.without_bands(outright).failing(hidden).size:
                mask[cell] = True
    return replace(pattern, hidden=hidden, outright=outright & hidden)


# Secondary suppression of one cell: the cheapest change of other cells that moves it far enough.


# Neighbourhoods of a cell in which its protection is sought, smallest first, in the steps of `_near`: the programme
# over a small one is solved fast, and what is chosen in it lies near the cell. Its own sums (s) come first, then the
# sums that cross them (ss). Chains of subsets (c) and inequalities (i) follow, for cells that a category or a hotspot
# limits. The last one alternates both four times; a cell that finds no protection there is given up.
WIDENING = ("s", "ss", "css", "iscss", "isisisis")
LEAN = ("css", "iscss")  # neighbourhoods that leave out published zeros, of which there are many
# Further solutions, at prices divided by what each cell moved in the one before: favours few cells that move far.
REWEIGHTS = 1
NEAR = 1e-6  # tolerance of the solver
LARGE = 600  # cells of a neighbourhood above which the first direction that works is taken
KEPT = 1e-3  # cost per unit of moving a cell that is withheld already: keeps adjustments short


@dataclass(frozen=True, slots=True)
class IndexedTable:
    """A table with its matrix in both orders."""

    table: Table
    rows: csr_array
    columns: csc_array
    equal: BoolArray

    @classmethod
    def build(cls, table: Table) -> "IndexedTable":
        """Prepare both orders once."""
        matrix = csr_array(table.relations.matrix).astype(np.float64)
        return cls(table, matrix, csc_array(matrix), table.relations.equal)

    def rows_of(self, cells: IntArray) -> IntArray:
        """Rows that any of the cells stands in, ascending."""
        return np.unique(self.columns.indices[_slices(self.columns.indptr, cells)]).astype(np.int64)

    def cells_of(self, rows: IntArray) -> IntArray:
        """Cells of any of the rows, ascending."""
        return np.unique(self.rows.indices[_slices(self.rows.indptr, rows)]).astype(np.int64)

    def neighbourhood(self, cells: IntArray) -> LinearConstraint:
        """Rows of a set of cells, everything else held, over what each rises, falls, and rises beyond its band."""
        rows = self.rows_of(cells)
        at = _slices(self.rows.indptr, rows)
        row = np.repeat(np.arange(rows.size), np.diff(self.rows.indptr)[rows])
        column, data = self.rows.indices[at], self.rows.data[at]
        total = np.bincount(row, weights=data * self.table.x[column], minlength=rows.size)
        place = np.searchsorted(cells, column).clip(max=cells.size - 1)
        inside = cells[place] == column
        row, place, data = row[inside], place[inside], data[inside]
        columns = np.concatenate([place, place + cells.size, place + 2 * cells.size])
        matrix = csc_array(
            (np.concatenate([data, -data, data]), (np.tile(row, 3), columns)), (rows.size, 3 * cells.size)
        )
        relations = self.table.relations
        return LinearConstraint(matrix, relations.lower[rows] - total, relations.upper[rows] - total)


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Cells that move, the counts they move to, and whether that is a whole-number table (a witness)."""

    cells: IntArray
    values: FloatArray
    witness: bool


def cheapest_adjustment(
    indexed: IndexedTable, *, target: int, seen: tuple[float, float], need: float, hidden: BoolArray
) -> Adjustment | None:
    """Find the cheapest set of cells whose counts can slide so that the target's range reaches `need`.

    The target is moved up (or down) until the widest pair of witnesses is `need` apart, or as far as its own bounds let
    it (the other way comes with the next slide); cells that are published now
    pay their loss for taking part, withheld ones next to nothing. The programme prices each unit moved, so it is
    solved again with prices divided by what each cell moved, which favours few cells. The search starts with the
    target's nearest relatives and widens only while nothing suffices.

    Parameters
    ----------
    board
        The table.
    target
        Position of the cell to protect.
    seen
        Lowest and highest value the target is known to be able to take.
    need
        Width its range must have.
    hidden
        Cells withheld so far, shape (cells,).

    Returns
    -------
    slide
        None if the table allows none.
    """
    table = indexed.table
    rise, fall = min(seen[0] + need, table.top[target]), max(seen[1] - need, table.low[target])
    goals = [g for g in (rise, fall) if not seen[0] <= g <= seen[1]]
    for steps in WIDENING:
        cells = _near(indexed, target, steps, hidden)
        best: tuple[float, Adjustment] | None = None
        constraint = indexed.neighbourhood(cells)
        for goal in goals:
            moved = _cheapest(
                table, cells, constraint, target=target, goal=goal, hidden=hidden, last=steps == WIDENING[-1]
            )
            if moved is None:
                continue
            step = np.abs(moved - table.x[cells])
            changed = step > NEAR
            fresh = changed & (~hidden[cells] | (moved > table.high[cells] + NEAR))
            cost = float(table.loss[cells[fresh]].sum()) + KEPT * float(step.sum())
            if best is None or cost < best[0]:
                values = np.round(moved[changed])
                whole = bool(np.all(np.abs(values - moved[changed]) < NEAR)) and _holds(indexed, cells[changed], values)
                best = (cost, Adjustment(cells[changed], values, whole))
            if not fresh.any() or cells.size > LARGE:
                break
        if best is not None:
            return best[1]
    return None


def _holds(indexed: IndexedTable, cells: IntArray, values: FloatArray) -> bool:
    """Whether the rows still hold after some cells moved."""
    rows = indexed.rows_of(cells)
    moved = indexed.table.x.copy()
    moved[cells] = values
    total = indexed.rows[rows] @ moved
    relations = indexed.table.relations
    return bool(np.all(total >= relations.lower[rows]) and np.all(total <= relations.upper[rows]))


def _near(indexed: IndexedTable, target: int, steps: str, hidden: BoolArray) -> IntArray:
    """Grow a neighbourhood from the target.

    Steps: ``s`` adds all cells of its sums; ``i`` all cells of its inequalities; ``c`` the chains above and below
    the target itself (what must rise with it and what must fall with it). The neighbourhoods in `LEAN` leave out
    published zeros.
    """
    cells = np.asarray([target], dtype=np.int64)
    useful = indexed.table.movable
    if steps in LEAN:
        useful = useful & (hidden | (indexed.table.x > 0))
    for step in steps:
        if step == "c":
            cells = np.union1d(_chain(indexed, cells, 1), _chain(indexed, cells, -1))
        else:
            rows = indexed.rows_of(cells)
            cells = np.union1d(cells, indexed.cells_of(rows[indexed.equal[rows] == (step == "s")]))
        cells = cells[useful[cells] | (cells == target)]
    return cells.astype(np.int64)


def _chain(indexed: IndexedTable, cells: IntArray, sign: int) -> IntArray:
    """Follow the inequalities in which a cell has coefficients of one sign, until no cell is new."""
    while True:
        at = _slices(indexed.columns.indptr, cells)
        rows = np.unique(indexed.columns.indices[at][np.sign(indexed.columns.data[at]) == sign])
        grown = np.union1d(cells, indexed.cells_of(rows[~indexed.equal[rows]]))
        if grown.size == cells.size:
            return cells
        cells = grown.astype(np.int64)


def _cheapest(
    table: Table,
    cells: IntArray,
    constraint: LinearConstraint,
    *,
    target: int,
    goal: float,
    hidden: BoolArray,
    last: bool,
) -> FloatArray | None:
    """Solve for the moved counts of the cells near the target, everything else held, or None.

    The `last` attempt goes without presolving, which has called feasible systems infeasible.
    """
    x, at = table.x[cells], int(np.searchsorted(cells, target))
    step = goal - x[at]
    up, down = np.where(hidden[cells], table.high[cells], table.top[cells]) - x, x - table.low[cells]
    over = np.zeros(x.size)
    np.subtract(table.top[cells], table.high[cells], out=over, where=hidden[cells] & np.isfinite(table.high[cells]))
    limits = np.concatenate([up, down, over])
    least = np.zeros((3, x.size))
    ahead, behind = max(step, 0.0), max(-step, 0.0)
    least[:, at] = min(ahead, up[at]), behind, max(ahead - up[at], 0.0)
    limits[[at, x.size + at, 2 * x.size + at]] = least[:, at]
    bounds = Bounds(least.ravel(), limits)
    kept, dear = np.where(hidden[cells], KEPT, table.loss[cells]), table.loss[cells].copy()
    for _ in range(REWEIGHTS + 1):
        kept[at] = 0.0
        price = np.concatenate([kept, kept, dear])
        result = milp(price, constraints=constraint, bounds=bounds, options={"presolve": not last})
        if result.x is None:
            return None
        rise, fall, beyond = result.x.reshape(3, -1)
        amount = np.abs(rise - fall)
        fresh = ((amount > NEAR) & ~hidden[cells]) | (beyond > NEAR)
        fresh[at] = False
        if not fresh.any():
            break
        kept = np.where(hidden[cells], KEPT, table.loss[cells] * abs(step) / (amount + 0.1 * abs(step)))
        dear = table.loss[cells] * abs(step) / (beyond + 0.1 * abs(step))
    moved = rise - fall + beyond
    if not fresh.any() and np.any(np.abs(moved - np.round(moved)) > NEAR):
        # nothing new to withhold and yet no whole-number table: only the integer programme makes progress
        result = milp(price, constraints=constraint, bounds=bounds, integrality=np.ones(price.size))
        if result.x is None:
            return None
        rise, fall, beyond = np.round(result.x).reshape(3, -1)
        moved = rise - fall + beyond
    return np.asarray(x + moved, dtype=np.float64)


def _slices(indptr: NDArray[Any], picks: IntArray) -> IntArray:
    """Positions of the entries of some rows (or columns) of a compressed matrix, in their order."""
    size = np.diff(indptr)[picks]
    ends = np.cumsum(size)
    return np.asarray(np.arange(ends[-1] if size.size else 0) + np.repeat(indptr[picks] - ends + size, size), np.int64)
