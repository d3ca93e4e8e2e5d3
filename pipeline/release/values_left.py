"""How many values of its step each count keeps: the audit of a release in steps.

For every count the audit looks for two tables that agree with all that is known: one with the count at the floor of its
step, one with it at the top. If both exist, every value of the step remains possible. Three ways, the cheapest first:

1. **One programme for many counts.** The least sum of all rests (a rest is how far a count is above its floor) is a
   table in which nearly every count is at its floor.
2. **A table for each count, made of that one by hand** (`_raised`): raise one count to the top of its step, with what
   has to follow, its totals and, where a total is an equation or a union, one of its parts. A table that satisfies all
   rows proves its count. This settles nearly all tops: where a borough has hardly any incidents, each table can have
   but one count at the top, and programmes would be needed for every count of every ward.
3. **A programme for each count** that is left. Only its answer may say that a count keeps fewer values.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, csr_array
from scipy.sparse.csgraph import connected_components

from pipeline.release.programmes import Programme

__all__ = ["values_left"]

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def values_left(
    matrix: csr_array,
    low: FloatArray,
    high: FloatArray,
    *,
    step: int,
    upper: FloatArray | None = None,
    wanted: BoolArray | None = None,
    telling: BoolArray | None = None,
    done: Callable[[int, int], None] = lambda _done, _total: None,
) -> IntArray:
    """Count the values that each rest can have.

    Parameters
    ----------
    matrix, low, high
        Relations ``low <= matrix @ rest <= high`` over rests from 0, shape (rows, n).
    step
        Width of the steps.
    upper
        Greatest value of each rest, shape (n,); step - 1 if not given. Counts that are not offered have no end.
    wanted
        Which rests to count, shape (n,); all if not given.
    telling
        Rows that may narrow something, shape (rows,); all if not given. What is tied to none of them keeps its step.
    done
        Called after each block of linked counts with how many of how many are done.

    Returns
    -------
    left
        floor(greatest) - ceil(least) + 1 of each rest, shape (n,). Whole-number tables may leave fewer values than the
        linear relaxation does; for single rows the two are the same.
    """
    n = matrix.shape[1]
    top = np.full(n, step - 1.0) if upper is None else upper
    mine = np.ones(n, dtype=bool) if wanted is None else wanted
    some = np.ones(low.size, dtype=bool) if telling is None else telling
    left = np.full(n, step, dtype=np.int64)
    pattern = csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
    _, label = connected_components(csr_array(pattern.T @ pattern), directed=False)
    filled = np.flatnonzero(np.diff(matrix.indptr))
    label_of_row = np.full(low.size, -1)
    label_of_row[filled] = label[matrix.indices[matrix.indptr[filled]]]
    by_row = np.argsort(label_of_row, kind="stable")
    blocks = np.intersect1d(label_of_row[some & (label_of_row >= 0)], label[mine])
    for number, block in enumerate(blocks, start=1):
        columns = np.flatnonzero(label == block)
        ends = np.searchsorted(label_of_row[by_row], [block, block + 1])
        rows = by_row[ends[0] : ends[1]]
        part = _Block(csr_array(matrix[rows][:, columns]), low[rows], high[rows], top[columns], step)
        left[columns] = _block_values(part, wanted=mine[columns])
        done(number, len(blocks))
    return left


@dataclass(frozen=True)
class _Block:
    """Counts that are linked to one another: ``low <= matrix @ rest <= high``, and 0 <= rest <= upper."""

    matrix: csr_array
    low: FloatArray
    high: FloatArray
    upper: FloatArray
    step: int

    @cached_property
    def programme(self) -> Programme:
        """The rows and bounds, in the solver."""
        zeros = np.zeros(self.upper.size)
        return Programme(self.matrix, low=self.low, high=self.high, least=zeros, most=self.upper)

    def optimum(self, cost: FloatArray) -> FloatArray | None:
        """Return where the cost is least, or None if the rows contradict one another."""
        # Without presolving these programmes take half the time; what fails is tried again.
        for presolve in (False, True):
            found = self.programme.minimise(cost, presolve=presolve)
            if found.x is not None:
                return found.x
        return None

    def whole(self, found: FloatArray) -> FloatArray | None:
        """Return a solver's table rounded to whole numbers; None where that does not satisfy the rows."""
        whole = np.round(found)
        sums = self.matrix @ whole
        inside = np.all(whole >= 0) and np.all(whole <= self.upper)
        return whole if inside and np.all(sums >= self.low) and np.all(sums <= self.high) else None


FEW_SETTLED = 4  # a programme over many counts takes about as long as so many over one count each
TOLERANCE = 1e-6  # of the solver: its answers are whole numbers or simple fractions, far apart from this


def _block_values(block: _Block, *, wanted: BoolArray) -> IntArray:
    """Count the values of one block."""
    n, step = wanted.size, block.step
    ends = np.zeros((2, n))
    ends[1] = step - 1
    least = block.optimum(wanted.astype(np.float64))
    if least is None:  # rows that contradict one another tell a reader nothing right
        return np.full(n, step, dtype=np.int64)
    settled = _in_tables(block, least, wanted=wanted)
    settled[0] |= np.abs(least) < TOLERANCE
    for side, (sign, goal) in enumerate(((1.0, 0.0), (-1.0, float(step - 1)))):
        open_ = wanted & ~settled[side]
        many = True
        while open_.any():
            # Once a programme over all that are left settles few of them, one for each of these is faster.
            mine = open_.copy() if many else np.arange(n) == np.argmax(open_)
            found = block.optimum(sign * mine.astype(np.float64))
            reached = open_ & (np.abs(found - goal) < TOLERANCE) if found is not None else np.zeros(n, dtype=bool)
            open_ &= ~reached
            if many:
                many = reached.sum() >= FEW_SETTLED
            else:
                # What the solver cannot settle counts as narrow, which is the safe side.
                ends[side, mine] = step - 1 - goal if found is None else found[mine]
                open_ &= ~mine
    return np.asarray(np.floor(ends[1] + TOLERANCE) - np.ceil(ends[0] - TOLERANCE) + 1, dtype=np.int64)


# Tables made by hand.

LOW_TABLES = 4
"""Tables from which counts are raised. In each other counts are above their floors, because a total is above those of
its parts: what cannot be raised from one table often can from the next. A fifth hardly settles anything."""
SWEEPS = 24
"""Sweeps over the rows. What a count brings with it is settled in about ten; what is not is left to a programme."""
AVOIDED = 20.0
"""Cost of what was in the way in an earlier table, against 1 for everything else: it is then at its floor if it can."""


def _in_tables(block: _Block, least: FloatArray, *, wanted: BoolArray) -> BoolArray:
    """Return which counts are at the floor and which at the top of their step in some table, shape (2, n).

    The first table has the least sum of rests, `least`; from it and the next ones counts are raised by hand.
    """
    found, cost = np.zeros((2, wanted.size), dtype=bool), wanted.astype(np.float64)
    base = block.whole(least)
    for number in range(LOW_TABLES):
        if number:
            other = block.optimum(cost)
            base = None if other is None else block.whole(other)
        if base is None:
            break
        found |= wanted & np.array([base == 0, base == block.step - 1])
        targets = np.flatnonzero(wanted & ~found[1])
        raised, in_the_way = _raised(block, base, targets)
        found[1, targets[raised]] = True
        if raised.all() or not in_the_way.any():
            break
        cost = cost + AVOIDED * in_the_way
    return found


def _raised(block: _Block, base: FloatArray, targets: npt.NDArray[np.intp]) -> tuple[BoolArray, BoolArray]:
    """Raise each of some counts to the top of its step, with what has to follow.

    Where parts exceed their total, the total follows by as much. Where a total exceeds its parts (of an equation or a
    union), one part follows: the last one, so that the choice is the same in every area. All targets are tried at once,
    each in a table of its own; only changes are stored, so that a table has a few dozen entries.

    Parameters
    ----------
    block
        The rows.
    base
        A table of whole numbers that satisfies them, shape (n,).
    targets
        Positions of the counts, shape (m,).

    Returns
    -------
    raised, in_the_way
        Whose table satisfies all rows, shape (m,); which counts would have had to go beyond the top of their step,
        shape (n,).
    """
    matrix, n, m = block.matrix, base.size, targets.size
    total, part = (
        np.maximum.reduceat(np.where(sign * matrix.data > 0, matrix.indices, -1), matrix.indptr[:-1])
        for sign in (1, -1)
    )
    size, rows_of = np.diff(matrix.indptr), np.bincount(matrix.indices[matrix.data < 0], minlength=n)
    sums, by_cell = matrix @ base, csc_array(matrix)
    start, length = by_cell.indptr.astype(np.int64), np.diff(by_cell.indptr)
    cell, table, amount = targets.astype(np.int64), np.arange(m), block.step - 1 - base[targets]
    raised, lost, in_the_way = np.zeros(m, dtype=bool), np.zeros(m, dtype=bool), np.zeros(n, dtype=bool)
    for _ in range(SWEEPS):
        # The product of the matrix and the tables' changes: in thousands of small ones, sparse arrays take three times
        # as long to be made as to be multiplied.
        times = length[cell]
        at = np.arange(times.sum()) + np.repeat(start[cell] - np.cumsum(times) + times, times)
        changed = by_cell.data[at] * np.repeat(amount, times)
        (row, of), change = _summed(by_cell.indices[at].astype(np.int64), np.repeat(table, times), changed, tables=m)
        short, over = block.low[row] - sums[row] - change, sums[row] + change - block.high[row]
        beyond = base[cell] + amount > block.upper[cell]
        in_the_way[cell[beyond]], lost[table[beyond]] = True, True
        too_short, too_much = (np.bincount(of[side > 0], minlength=m) > 0 for side in (short, over))
        raised |= ~(too_short | too_much | lost)
        open_ = ~(raised | lost)
        first = np.flatnonzero((short > 0) & open_[of])
        # A part follows once all totals have, and one at a time, because it brings others with it: the part that is
        # part of most, then that of the shortest row, is the one that others are most likely to need.
        then = np.flatnonzero((over > 0) & (open_ & ~too_short)[of])
        then = then[np.lexsort((size[row[then]], -rows_of[part[row[then]]], of[then]))]
        then = then[np.unique(of[then], return_index=True)[1]]
        more = np.concatenate([total[row[first]], part[row[then]]]), np.concatenate([of[first], of[then]])
        by = np.concatenate([short[first], over[then]])
        lost[more[1][more[0] < 0]] = True  # nothing can follow
        if not by.size:
            break
        # Of several rows that raise the same count, the one that needs most; added to what it was raised before.
        key = more[0] * m + more[1]
        order = np.lexsort((by, key))
        last = order[np.flatnonzero(np.append(key[order][1:] != key[order][:-1], True))]
        cell = np.concatenate([cell, more[0][last]])
        table, amount = np.concatenate([table, more[1][last]]), np.concatenate([amount, by[last]])
        kept = ~(raised | lost)[table] & (cell >= 0)
        cell, table, amount = cell[kept], table[kept], amount[kept]
        (cell, table), amount = _summed(cell, table, amount, tables=m)
    return raised, in_the_way


def _summed(
    place: IntArray, table: IntArray, amount: FloatArray, *, tables: int
) -> tuple[tuple[IntArray, IntArray], FloatArray]:
    """Add up amounts at the same place of the same table, and return places, tables and sums in that order."""
    key, where = np.unique(place * tables + table, return_inverse=True)
    sums = np.bincount(where, weights=amount, minlength=key.size)
    return (key // tables, key % tables), np.asarray(sums, dtype=np.float64)
