"""Linear programmes over all counts at once: the least and greatest value that each can take.

Tables settle most counts: one programme that pushes all counts down, then for each count this table and the true one
with the count at its end, repaired, then programmes that push those still open at once, whose tables are repaired in
the same way. Only counts that no such table settles get programmes of their own, first near them with all else held,
then over everything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import inf

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import block_array, csc_array, csr_array
from scipy.sparse.csgraph import connected_components

NEAR = 1e-6
AT_ONCE = 800  # counts pushed up by one programme: thousands stand in each other's way and take minutes
FEW = 2  # counts settled by one programme, under which programmes of single counts cost no more
MOVES = 100  # counts moved to repair one table
TRIED = 12  # counts of a broken row of which the best is moved
REACH = 3  # relations away from a count that are opened before everything is


@dataclass
class System:
    """Counts between bounds, and rows `least <= sum of coefficient x count <= most`."""

    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    entries: list[tuple[int, int, float]] = field(default_factory=list)
    least: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)

    def column(self, low: float, high: float) -> int:
        """Add a count."""
        self.low.append(low)
        self.high.append(high)
        return len(self.low) - 1

    def row(self, weights: Mapping[int, float], least: float, most: float) -> None:
        """Add a row."""
        self.entries += [(len(self.least), column, weight) for column, weight in weights.items()]
        self.least.append(least)
        self.most.append(most)

    def matrix(self) -> csr_array:
        """All rows, shape (rows, counts)."""
        r, c, w = zip(*self.entries, strict=True) if self.entries else ((), (), ())
        return csr_array((np.array(w, dtype=float), (r, c)), shape=(len(self.least), len(self.low)))


@dataclass
class Part:
    """Counts that only know each other."""

    columns: np.ndarray
    matrix: csr_array
    least: np.ndarray
    most: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def solve(self, cost: np.ndarray) -> np.ndarray:
        """Return the cheapest table; presolving has called feasible tables infeasible, so it is tried, not believed."""
        for presolve in (True, False):
            answer = milp(
                cost,
                constraints=LinearConstraint(self.matrix, self.least, self.most) if self.least.size else None,
                bounds=Bounds(self.low, self.high),
                options={"presolve": presolve},
            )
            if answer.x is not None:
                return np.asarray(answer.x)
        raise AssertionError(f"no table fits: {answer.message}")

    @cached_property
    def columns_first(self) -> csc_array:
        """The matrix by its columns."""
        return csc_array(self.matrix)

    def near(self, position: int, table: np.ndarray) -> "tuple[Part, int]":
        """Open only what is a few rows away from a count; the rest stays as a table has it."""
        columns = self.columns_first
        open_ = np.array([position])
        for _ in range(REACH):
            open_ = np.unique(self.matrix[np.unique(columns[:, open_].indices)].indices)
        rows = np.unique(columns[:, open_].indices)
        held = table.copy()
        held[open_] = 0.0
        rest = self.matrix[rows] @ held
        part = Part(
            self.columns[open_],
            csr_array(self.matrix[rows][:, open_]),
            self.least[rows] - rest,
            self.most[rows] - rest,
            self.low[open_],
            self.high[open_],
        )
        return part, int(np.searchsorted(open_, position))


class Repairs:
    """Tables of a part that have one count at its end, and whatever has to move with it.

    A table that is found fits in every row; that none is found says nothing.
    """

    def __init__(self, part: Part) -> None:
        self.part = part
        # Lists of plain numbers: single items of arrays take many times longer.
        self.low, self.high = part.low.tolist(), part.high.tolist()
        self.least, self.most = part.least.tolist(), part.most.tolist()
        self.counts_of, self.rows_of = (
            [list(zip(m.indices[a:b].tolist(), m.data[a:b].tolist(), strict=True)) for a, b in pairwise(m.indptr)]
            for m in (part.matrix, part.columns_first)
        )

    def settle(self, base: np.ndarray, wanted: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> None:
        """Move each open count of a table to its end, and write down what the tables found hold."""
        table, sums = base.tolist(), (self.part.matrix @ base).tolist()
        for counts, seen, end in zip(_open(self.part, wanted, lo, hi), (lo, hi), (self.low, self.high), strict=True):
            for count in np.flatnonzero(counts).tolist():
                if abs(seen[count] - end[count]) > NEAR:
                    for other, value in self._moved(count, end[count], table, sums).items():
                        lo[other], hi[other] = min(lo[other], value), max(hi[other], value)

    def _moved(self, count: int, end: float, table: list[float], sums: list[float]) -> dict[int, float]:
        """Return the counts that differ from a table once one is at its end; `sums` are those of the table's rows.

        In a row that is broken, the count that breaks other rows least is moved, and the rows that it breaks are next.
        A count moves one way only, so that this ends; where no table fits in so many moves, nothing is returned.
        """
        least, most = self.least, self.most
        new: dict[int, float] = {}
        new_sums: dict[int, float] = {}
        upwards: dict[int, bool] = {}
        broken: list[int] = []
        at, step = count, end - table[count]
        for _ in range(MOVES):
            new[at], upwards[at] = new.get(at, table[at]) + step, step > 0
            for row, weight in self.rows_of[at]:
                new_sums[row] = new_sums.get(row, sums[row]) + weight * step
                broken.append(row)
            while broken:  # what the sum of the last row lacks, or has too much
                lacking = max(least[broken[-1]] - new_sums[broken[-1]], 0.0)
                lacking += min(most[broken[-1]] - new_sums[broken[-1]], 0.0)
                if abs(lacking) > NEAR:
                    break
                broken.pop()
            else:
                return new
            best, tried = inf, 0
            for other, weight in self.counts_of[broken[-1]]:
                up = weight * lacking > 0
                value = new.get(other, table[other])
                room = self.high[other] - value if up else value - self.low[other]
                if room <= NEAR or upwards.get(other, up) != up:
                    continue
                length = min(room, abs(lacking / weight)) * (1 if up else -1)
                harm = 0.0  # how much further out of their bounds its rows would be
                for row, own in self.rows_of[other]:
                    before = new_sums.get(row, sums[row])
                    after = before + own * length
                    over = max(after - most[row], least[row] - after)
                    if over > NEAR:
                        harm += max(over - max(before - most[row], least[row] - before, 0.0), 0.0)
                if harm < best * abs(length):
                    best, at, step = harm / abs(length), other, length
                tried += 1
                if not harm or tried > TRIED:
                    break
            if best == inf:
                break
        return {}


def parts_of(system: System) -> list[Part]:
    """Cut into parts that share no row."""
    matrix = system.matrix()
    low, high = np.array(system.low), np.array(system.high)
    least, most = np.array(system.least), np.array(system.most)
    ties = csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
    # Counts and rows as one graph: which counts share a row would be far more pairs.
    _, label = connected_components(block_array([[None, ties.T], [ties, None]], format="csr"), directed=False)
    label = np.unique(label[: matrix.shape[1]], return_inverse=True)[1]
    filled = np.flatnonzero(np.diff(matrix.indptr))
    row_label = label[matrix.indices[matrix.indptr[filled]]]
    order, rows_order = np.argsort(label, kind="stable"), np.argsort(row_label, kind="stable")
    starts = np.searchsorted(label[order], np.arange(label.max(initial=-1) + 2))
    row_starts = np.searchsorted(row_label[rows_order], np.arange(label.max(initial=-1) + 2))
    found = []
    for i in range(len(starts) - 1):
        columns = order[starts[i] : starts[i + 1]]
        rows = filled[rows_order[row_starts[i] : row_starts[i + 1]]]
        some = csr_array(matrix[rows][:, columns])
        found.append(Part(columns, some, least[rows], most[rows], low[columns], high[columns]))
    return found


def ends(
    system: System,
    wanted: Sequence[int],
    *,
    known: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and greatest value of the wanted counts, shape (counts,) each; others stay at `known`.

    `known` is a table that fits everything (the truth): it is checked, and what is held is held at it.
    """
    lowest, highest = known.copy(), known.copy()
    mask = np.zeros(known.size, dtype=bool)
    mask[list(wanted)] = True
    for part in parts_of(system):
        own, table = mask[part.columns], known[part.columns]
        _fits(part, table)
        lo, hi = table.copy(), table.copy()
        if not part.least.size:
            lo, hi = part.low.copy(), part.high.copy()
        elif own.any():
            low, repairs = _lowest(part, own, lo, hi), Repairs(part)
            for base in (low, table):
                repairs.settle(base, own, lo, hi)
            _by_tables(part, repairs, own, lo, hi)
            _one_by_one(part, own, lo, hi, table)
        lowest[part.columns], highest[part.columns] = lo, hi
    return lowest, highest


def _fits(part: Part, table: np.ndarray) -> None:
    sums = part.matrix @ table
    ok = (table >= part.low - NEAR).all() and (table <= part.high + NEAR).all()
    ok &= (sums >= part.least - NEAR).all() and (sums <= part.most + NEAR).all()
    assert ok, "the attacker believes what is not so: the true counts do not fit what he wrote down"


def _open(part: Part, wanted: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which counts are not yet seen at their lower and at their upper end."""
    return wanted & (lo > part.low + NEAR), wanted & (hi < part.high - NEAR)


def _lowest(part: Part, wanted: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    """Push all counts down at once and return that table."""
    found = part.solve(np.where(_open(part, wanted, lo, hi)[0], 1.0, 0.0))
    np.minimum(lo, found, out=lo)
    np.maximum(hi, found, out=hi)
    return found


def _by_tables(part: Part, repairs: Repairs, wanted: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> None:
    """Push the open counts to their ends, each with a weight drawn at random, as long as that settles some."""
    draw = np.random.default_rng(15)
    down, up = _open(part, wanted, lo, hi)
    while left := down.sum() + up.sum():
        chosen = draw.random(wanted.size) < min(1.0, AT_ONCE / max(up.sum(), 1))
        downwards = draw.random(wanted.size) < 0.5
        cost = np.where(down & (downwards | ~up), 1.0, np.where(up, -1.0, 0.0)) * chosen
        found = part.solve(cost * draw.uniform(0.5, 1.5, wanted.size))
        np.minimum(lo, found, out=lo)
        np.maximum(hi, found, out=hi)
        repairs.settle(found, wanted, lo, hi)
        down, up = _open(part, wanted, lo, hi)
        if left - down.sum() - up.sum() < FEW:
            break


def _one_by_one(
    part: Part,
    wanted: np.ndarray,
    lo: np.ndarray,
    hi: np.ndarray,
    table: np.ndarray,
) -> None:
    for position in np.flatnonzero(wanted):
        for sign, seen, end in ((1.0, lo, part.low), (-1.0, hi, part.high)):
            if abs(seen[position] - end[position]) <= NEAR:
                continue
            if part.columns.size > 200:
                some, at = part.near(position, table)
                found = _pushed(some, at, sign)
                own = np.searchsorted(part.columns, some.columns)
                np.minimum.at(lo, own, found)
                np.maximum.at(hi, own, found)
                if abs(seen[position] - end[position]) <= NEAR:
                    continue
            found = _pushed(part, position, sign)
            np.minimum(lo, found, out=lo)
            np.maximum(hi, found, out=hi)


def _pushed(part: Part, position: int, sign: float) -> np.ndarray:
    cost = np.zeros(part.columns.size)
    cost[position] = sign
    return part.solve(cost)
