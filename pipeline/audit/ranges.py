"""The feasible whole-number range of each withheld cell, as far as it matters or exactly."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from pipeline.audit.search import TOLERANCE, exchange_moves, neighbourhood, optimise, pinned_to, whole_point, witness
from pipeline.audit.system import System, blocks_of, propagate, reduce_system
from pipeline.errors import InputError
from pipeline.relations import Relations

__all__ = ["Ranges", "Witness", "feasible_ranges", "witness_ranges"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Witness = tuple[IntArray, FloatArray]
"""A possible table: positions of the cells that differ from the true one, and what they hold instead."""

SEED = 20_250_802  # directions of the search; any value serves, a fixed one repeats
ROUNDS = 12  # random directions per block before cells are taken one by one
BATCH_COLUMNS = 1_500  # small blocks share a programme up to this size
LOCAL_HOPS = (2, 4)
LOCAL_CELLS = 3_000  # relatives beyond this many are not near


@dataclass(slots=True)
class Ranges:
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

    def hear(self, witnesses: Iterable[Witness]) -> None:
        """Take tables that somebody else found, each only if it satisfies everything here."""
        unknown = self.system.cells
        for cells, values in witnesses:
            at = np.searchsorted(unknown, cells)
            mine = unknown[at.clip(max=unknown.size - 1)] == cells
            columns, point = at[mine], self.x.copy()
            point[columns] = values[mine]
            if self.system.holds(point):
                self.see(columns, point[columns])

    def tell(self) -> list[Witness]:
        """Return the points found, as what differs from the known one."""
        moved = [np.flatnonzero(p != self.x) for p in self.points]
        return [(self.system.cells[m], p[m]) for m, p in zip(moved, self.points, strict=True) if m.size]

    def give_up(self) -> NDArray[np.bool_]:
        """Drop the cells whose outer bounds are too narrow already, and say which."""
        doomed = self.system.high - self.system.low < self.need
        self.need = np.where(doomed, 0.0, self.need)
        return doomed

    @property
    def pending(self) -> NDArray[np.bool_]:
        return self.seen_high - self.seen_low < self.need

    def see(self, columns: IntArray, point: FloatArray) -> None:
        self.seen_low[columns] = np.minimum(self.seen_low[columns], point)
        self.seen_high[columns] = np.maximum(self.seen_high[columns], point)

    def boxed(self, columns: IntArray, cut: System) -> System:
        """Keep a search near the known point: any two witnesses `need` apart will do."""
        x = self.x[columns]
        return replace(cut, low=np.maximum(cut.low, x - self.reach), high=np.minimum(cut.high, x + self.reach))


def feasible_ranges(
    relations: Relations,
    *,
    low: FloatArray,
    high: FloatArray,
    required: FloatArray,
    truth: FloatArray | None = None,
    exact: bool = False,
    witnesses: Iterable[Witness] = (),
) -> Ranges:
    """Find how narrowly the relations pin each unknown cell.

    Parameters
    ----------
    relations
        Rows over all cells of the table.
    low, high
        What is known of each cell alone, shape (cells,); equal where the value is known.
    required
        Width ``high - low`` each cell must keep, shape (cells,); 0 where nothing is promised.
    truth
        One whole-number point that satisfies everything. The house has it and saves a search; an outsider does not.
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
    ranges = Ranges(
        tight.cells, tight.low.copy(), tight.high.copy(), np.full(block.size, "bounds", dtype=object), block
    )
    if block.size == 0:
        return ranges
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
        search.hear(witnesses)
        doomed = search.give_up()
        _random_directions(search, block)
        shown = ~search.pending & ~doomed
        ranges.low[shown], ranges.high[shown] = search.seen_low[shown], search.seen_high[shown]
        ranges.method[shown] = "witness"
    _one_by_one(search, ranges, block, exact=exact)
    return ranges


def witness_ranges(
    relations: Relations,
    *,
    low: FloatArray,
    high: FloatArray,
    required: FloatArray,
    truth: FloatArray,
    seen: tuple[FloatArray, FloatArray],
) -> tuple[FloatArray, FloatArray, list[Witness]]:
    """Widen the ranges that witnesses show, without settling the cells that stay narrow.

    Parameters as for `feasible_ranges`; `seen` holds the lowest and highest value each cell of the table took in
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
    told: list[Witness] = []
    if tight.cells.size:
        search = _Search.start(tight, truth[tight.cells].astype(np.float64), required[tight.cells])
        search.see(np.arange(tight.cells.size), seen_low[tight.cells])
        search.see(np.arange(tight.cells.size), seen_high[tight.cells])
        search.give_up()
        _random_directions(search, blocks_of(tight))
        seen_low[tight.cells], seen_high[tight.cells] = search.seen_low, search.seen_high
        told = search.tell()
    return seen_low, seen_high, told


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
                    search.see(columns, point)
                    whole[columns] = point
        search.points += pair
        gained = before - int(search.pending.sum())
        if gained <= before // 50:
            break


def _one_by_one(search: _Search, ranges: Ranges, block: IntArray, *, exact: bool) -> None:
    """Settle what is pending cell by cell: near relatives, then the linear programme, then the integer one."""
    by_column = csc_array(search.system.matrix)
    for column in np.flatnonzero(search.pending):
        if not exact and (not search.pending[column] or _local(search, int(column))):
            ranges.low[column], ranges.high[column] = search.seen_low[column], search.seen_high[column]
            ranges.method[column] = "witness"
            continue
        columns = np.flatnonzero(block == block[column])
        cut = search.system.block(np.unique(by_column[:, columns].indices), columns)
        at = int(np.searchsorted(columns, column))
        least, most, whole = _ends(search, cut, columns, at, integer=False)
        ranges.method[column] = "linear"
        if not whole and (exact or most - least >= search.need[column]):
            least, most, _ = _ends(search, cut, columns, at, integer=True)
            ranges.method[column] = "integer"
        ranges.low[column], ranges.high[column] = least, most


def _ends(search: _Search, cut: System, columns: IntArray, at: int, *, integer: bool) -> tuple[float, float, bool]:
    """Lowest and highest value of one cell of a block, and whether both are values that occur."""
    cost = np.zeros(columns.size)
    ends, whole = [], True
    for sign in (1.0, -1.0):
        cost[at] = sign
        best = optimise(cut, cost, integer=integer)
        ends.append(sign * best.value)
        if best.point is not None:
            search.see(columns, best.point)
        elif not np.isinf(best.value):
            whole = False
    return float(np.ceil(ends[0] - TOLERANCE)), float(np.floor(ends[1] + TOLERANCE)), whole


def _local(search: _Search, column: int) -> bool:
    """Look for witnesses among a cell's near relatives only, everything else held at the known point."""
    for hops in LOCAL_HOPS:
        rows, columns = neighbourhood(search.system, column, hops=hops)
        if columns.size > LOCAL_CELLS:
            return False
        cut = search.boxed(columns, pinned_to(search.system, search.x, rows, columns))
        cost = np.zeros(columns.size)
        at = int(np.searchsorted(columns, column))
        for sign in (1.0, -1.0):
            cost[at] = sign
            point = optimise(cut, cost).point
            if point is not None:
                search.see(columns, point)
        if not search.pending[column]:
            return True
    return False
