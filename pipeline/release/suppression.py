"""Primary and secondary suppression: small counts, and as few others as keep arithmetic from disclosing them.

Primary cells hold 1 to threshold - 1. Secondary cells are chosen so that every withheld cell keeps the range that the
audit demands, with the least loss found: proven least where a table is small, greedy with repair otherwise. Zeros are
withheld where needed; a total is withheld where no partner suffices. Primary and secondary look the same in the
release; `reason` and `status` are for the data owner.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csc_array, csr_array
from scipy.sparse.csgraph import connected_components

from pipeline.errors import InputError
from pipeline.release.audit import (
    CellState,
    Witness,
    feasibility_intervals,
    propagate,
    reduce_system,
    witnessed_intervals,
)
from pipeline.release.linked_tables import Relations

__all__ = [
    "Adjustment",
    "IndexedTable",
    "Loss",
    "Pattern",
    "Reason",
    "Status",
    "Suppression",
    "Table",
    "ZeroRule",
    "cheapest_adjustment",
    "cheapest_pattern",
    "greedy_pattern",
    "pruned",
    "suppress",
]


# The suppression problem as arrays: what each cell holds, costs and must keep once hidden.


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
            outright[found.cells[found.counts > now.high[found.cells]]] = True
            if found.witness:
                witnesses.append((found.cells, found.counts))
                seen_low[found.cells] = np.minimum(seen_low[found.cells], found.counts)
                seen_high[found.cells] = np.maximum(seen_high[found.cells], found.counts)
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
    counts: FloatArray
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


class Reason(StrEnum):
    """Why a cell is withheld; for the data owner only."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    DECLARED = "declared"
    """Whatever its value: a small revision, or a cell that other readers would need to be withheld."""


class Status(StrEnum):
    """What is promised for a withheld cell."""

    PROTECTED = "protected"
    AT_SOURCE = "already public at source"
    ALREADY_RELEASED = "already released by us"
    ADDED = "added by us"
    """Secondary: protected as well, and reported to readers as `PROTECTED`."""


ZeroRule = Literal["show", "band"]
Loss = Literal["cells", "incidents", "balanced"]
TOTAL_WEIGHT = 2.0  # a total costs this many times what one of its parts would
MAX_HEIGHT = 8  # bound on the levels of sums that are counted, so that relations in a circle end


@dataclass(frozen=True, slots=True)
class Suppression:
    """What a release shows of each cell.

    Attributes
    ----------
    cells
        The cells given, with `state` (a `CellState`), `known`, `reason` (a `Reason`, or empty) and `status` (a
        `Status`, or empty).
    counts
        One row per level and measure: `cells`, `published`, `withheld`, `band`, `primary`, `secondary`, `declared` and
        `incidents_lost` (sum of the secondary cells' true counts).
    unprotected
        Positions of withheld cells that no withholding protects (earlier releases give them away): do not publish.
    witnesses
        Tables that agree with everything published, for the audit to check: what the search for protection found.
    """

    cells: pd.DataFrame
    counts: pd.DataFrame
    unprotected: NDArray[np.int64]
    witnesses: tuple[Witness, ...] = ()

    @property
    def ratio(self) -> float | None:
        """Withheld cells per primary one, or None where nothing is primary."""
        primary = int(self.counts[Reason.PRIMARY].sum())
        return float(self.counts[[Reason.PRIMARY, Reason.SECONDARY]].to_numpy().sum()) / primary if primary else None


def suppress(
    cells: pd.DataFrame,
    *,
    relations: Relations,
    threshold: int,
    zero_rule: ZeroRule = "show",
    secondary: bool = True,
    loss: Loss | FloatArray = "balanced",
    exact_cells: int = 18,
    prune_cells: int = 150,
    after: "Suppression | None" = None,
) -> Suppression:
    """Choose what to withhold.

    Parameters
    ----------
    cells
        Cell table: `KEY` columns, `level`, `value` (true counts), and optionally `latent` (never published; protected
        where small, or where `protect`), `known` (in a known table: withheld where small, never claimed as protected),
        `declared` (withheld whatever its value), `known_low`, `known_high` (bounds an attacker has from earlier
        releases; null: none) and `fixed` (released before with this value: no protection is claimed).
    relations
        Rows over the positions of `cells`; the true counts must satisfy them (`drop_violated` first).
    threshold
        Smallest count other than 0 to publish; 0 or 1 withholds nothing.
    zero_rule
        ``show`` zeros where safe, or ``band``: everything under the threshold is shown as "fewer than t", but
        withheld outright where bands alone would give a cell away.
    secondary
        Whether to withhold more where arithmetic would give a cell back.
    loss
        What a secondary cell costs: ``cells`` 1 each; ``incidents`` its count; ``balanced`` 1 + log10(1 + count),
        doubled for every level of sums below it, since more readers rest on a total; or one positive number per cell.
    exact_cells
        Connected tables of up to this many cells are solved to the proven least loss.
    prune_cells
        Where at most this many secondary cells were chosen greedily, each is tried for publication again.
    after
        A choice for the same cells with fewer of them `declared`: it is built on, not made again. A choice
        with bands is made anew all the same.

    Raises
    ------
    InputError
        If the cells, threshold or loss are unusable, or the relations do not hold.
    """
    n = len(cells)
    if threshold < 0 or relations.matrix.shape[1] != n:
        raise InputError(
            f"threshold {threshold} must not be negative, and relations must speak of the {n} cells given."
        )
    x = cells["value"].to_numpy(dtype=np.float64)
    if np.any(x < 0) or np.any(relations.violated(x.astype(np.int64))):
        raise InputError("counts are negative or break a relation: test the relations on the data (drop_violated).")
    flag = {c: _flag(cells, c) for c in ("latent", "protect", "known", "declared", "fixed")}
    # Primary suppression: counts of 1 to threshold - 1, and zeros too where they are shown as a band.
    small = (x < threshold) & ((x > 0) | (zero_rule == "band")) & ~flag["latent"]
    band = small & (zero_rule == "band") & ~flag["declared"]
    start = small | flag["latent"] | flag["declared"]
    after = None if band.any() else after
    if after is not None:
        start |= (after.cells["state"] == CellState.WITHHELD).to_numpy(dtype=bool)
    # What the attacker knows of each cell once it is withheld.
    low, top = _bound(cells, "known_low", 0.0), _bound(cells, "known_high", np.inf)
    high = np.where(band, np.minimum(threshold - 1.0, top), top)
    given = flag["known"] | flag["fixed"]
    at_source = flag["known"] | _narrow_by_known_tables(relations, x, flag["known"], threshold)
    low, high, top = (np.where(given, x, bound) for bound in (low, high, top))
    if np.any(low > x) or np.any(high < x):
        raise InputError("earlier releases' bounds exclude the true counts: they speak of other data.")
    # The protection level of each cell, once withheld: the threshold, or the whole band. None is promised for what is
    # public already, nor for latent cells that are not small.
    free = at_source | flag["fixed"] | (flag["latent"] & ~flag["protect"] & ~((x > 0) & (x < threshold)))
    outright = np.where(free, 0.0, float(threshold))
    need = np.where(band & ~free, threshold - 1.0, outright)
    table = Table(relations, x, low, high, top, need, outright, _loss(loss, x, relations), start)
    nothing = np.zeros(n, dtype=bool)
    pattern = Pattern(start, nothing, nothing)
    if secondary and start.any():
        known = after.witnesses if after is not None else ()
        pattern = _choose(table, exact_cells=0 if band.any() else exact_cells, prune_cells=prune_cells, witnesses=known)
    hidden = pattern.hidden
    band &= ~pattern.outright
    frame = cells.assign(
        state=np.select(
            [flag["latent"], band, hidden], [CellState.LATENT, CellState.BAND, CellState.WITHHELD], CellState.PUBLISHED
        ),
        known=given,
    )
    seen = hidden & ~flag["latent"]
    frame["reason"] = np.select(
        [seen & small, seen & flag["declared"], seen], [Reason.PRIMARY, Reason.DECLARED, Reason.SECONDARY], ""
    )
    added = (frame["reason"] == Reason.SECONDARY).to_numpy()
    frame["status"] = np.select(
        [seen & at_source, seen & flag["fixed"], added, seen],
        [Status.AT_SOURCE, Status.ALREADY_RELEASED, Status.ADDED, Status.PROTECTED],
        "",
    )
    lost = pattern.given_up | (start & (low == high) & (need > 0))
    return Suppression(frame, _tally(frame), np.flatnonzero(lost).astype(np.int64), pattern.witnesses)


def _choose(table: Table, *, exact_cells: int, prune_cells: int, witnesses: Sequence[Witness]) -> Pattern:
    """Solve small connected tables exactly and the rest greedily; `witnesses` are possible tables known already."""
    hidden, outright = table.hidden.copy(), np.zeros(table.x.size, dtype=bool)
    given_up = outright.copy()
    label = table.labels()
    size = np.bincount(label)
    rest, witnessed = [], list[Witness]()
    for number in np.unique(label[table.hidden & table.movable]):
        columns = np.flatnonzero(label == number) if size[number] <= exact_cells else None
        found = cheapest_pattern(table.part(columns)) if columns is not None else None
        if columns is None or found is None:
            rest.append(number)
        else:
            hidden[columns] = found
    columns = np.flatnonzero(np.isin(label, rest))
    if columns.size:
        part = table.part(columns)
        within = [(cells, values) for cells, values in witnesses if np.isin(cells, columns).all()]
        pattern = greedy_pattern(part, [(np.searchsorted(columns, cells), values) for cells, values in within])
        if 0 < int((pattern.hidden & ~part.hidden).sum() + pattern.outright.sum()) <= prune_cells:
            pattern = pruned(part, pattern)
        hidden[columns], outright[columns], given_up[columns] = pattern.hidden, pattern.outright, pattern.given_up
        witnessed += [(columns[cells], values) for cells, values in pattern.witnesses]
    return Pattern(hidden, outright, given_up, tuple(witnessed))


def _narrow_by_known_tables(relations: Relations, x: FloatArray, known: BoolArray, threshold: int) -> BoolArray:
    """Cells that the known tables alone give away by arithmetic, whatever this release does."""
    too_narrow = np.zeros(x.size, dtype=bool)
    if known.any():
        system = propagate(reduce_system(relations, low=np.where(known, x, 0.0), high=np.where(known, x, np.inf)))
        too_narrow[system.cells] = system.high - system.low < threshold
    return too_narrow


def _loss(loss: Loss | FloatArray, x: FloatArray, relations: Relations) -> FloatArray:
    if isinstance(loss, str):
        balanced = (1.0 + np.log10(1.0 + x)) * TOTAL_WEIGHT ** _height(relations)
        choices = {"cells": np.ones(x.size), "incidents": np.maximum(x, 0.5), "balanced": balanced}
        if loss not in choices:
            raise InputError(f"loss {loss!r} is not one of {', '.join(choices)}.")
        return choices[loss]
    if loss.shape != x.shape or np.any(loss <= 0):
        raise InputError(f"loss must be one positive number for each of the {x.size} cells.")
    return loss.astype(np.float64)


def _height(relations: Relations) -> FloatArray:
    """Count the sums stacked below each cell: 0 for a ward's month, 1 for a borough's month, 2 for its year."""
    sums = np.char.endswith(relations.kind.astype(str), "_sum")
    matrix, total = csr_array(relations.matrix[sums]), relations.anchor[sums]
    row, column = matrix.tocoo().coords
    height = np.zeros(matrix.shape[1])
    for _ in range(MAX_HEIGHT):
        below = np.zeros(total.size)
        part = column != total[row]
        np.maximum.at(below, row[part], height[column[part]] + 1.0)
        raised = height.copy()
        np.maximum.at(raised, total, below)
        if np.array_equal(raised, height):
            break
        height = raised
    return height


def _flag(cells: pd.DataFrame, name: str) -> BoolArray:
    return cells[name].to_numpy(dtype=bool) if name in cells else np.zeros(len(cells), dtype=bool)


def _bound(cells: pd.DataFrame, name: str, default: float) -> FloatArray:
    if name not in cells:
        return np.full(len(cells), default)
    return np.asarray(pd.to_numeric(cells[name]).fillna(default), dtype=np.float64)


def _tally(frame: pd.DataFrame) -> pd.DataFrame:
    """Count cells by level and measure."""
    tally: dict[str, Any] = {"cells": 1}
    shown = (CellState.PUBLISHED, CellState.WITHHELD, CellState.BAND)
    tally |= {s.value: (frame["state"] == s).astype(np.int64) for s in shown}
    tally |= {r.value: (frame["reason"] == r).astype(np.int64) for r in Reason}
    tally["incidents_lost"] = frame["value"].where(frame["reason"] == Reason.SECONDARY, 0).astype(np.int64)
    counted = frame[["level", "measure"]].assign(**tally)[frame["state"] != CellState.LATENT]
    return counted.groupby(["level", "measure"], sort=True).sum().reset_index()
