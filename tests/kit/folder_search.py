"""How the attacker of a folder solves for what was withheld: whole tables first, then cell by cell.

He shares no code with the package. What he knows is a list of counts with the numbers each may be, and lines
``low <= sum of coefficient x count <= high``. Two whole tables that fit everything he knows and differ in a count by
the promise or more settle that count for good. Only counts that no tables settle are bounded, by linear and then by
whole-number programmes.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, floor, inf
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csc_array, csr_array, hstack
from scipy.sparse.csgraph import connected_components

TINY, NEAR = 1e-6, 1e-4
LOTS = 24  # of tables in directions drawn at random, each there and back, while they settle anything
REACH, LARGE = 3, 1_000  # steps from a count that are searched before the whole of a block of so many counts is


class Line(NamedTuple):
    """What ties counts together; one with a `rule` is believed only while the numbers shown do not contradict it."""

    weights: Mapping[Hashable, float]
    low: float
    high: float
    rule: tuple[str, ...] = ()


@dataclass
class Block:
    """Open counts, the lines over them, and what these still leave once all other counts are held."""

    counts: np.ndarray
    rows: np.ndarray
    matrix: csr_array
    ends: tuple[np.ndarray, np.ndarray]
    bounds: tuple[np.ndarray, np.ndarray]

    def solve(self, cost: np.ndarray, *, whole: bool, gap: float = 0.0) -> np.ndarray | None:
        """Return the cheapest table."""
        return programme(cost, self.matrix, self.ends, self.bounds, whole=whole, gap=gap)

    def around(self, position: int, table: np.ndarray) -> "tuple[Block, int]":
        """Open only what is a few lines away from a count, the rest held as a table has it."""
        near = np.array([position])
        for _ in range(REACH):
            near = np.unique(self.matrix[np.unique(self.columns[:, near].indices)].indices)
        rows = np.unique(self.columns[:, near].indices)
        held = table[self.counts]
        held[near] = 0.0
        told = self.matrix[rows] @ held
        ends = (self.ends[0][rows] - told, self.ends[1][rows] - told)
        bounds = (self.bounds[0][near], self.bounds[1][near])
        part = csr_array(self.matrix[rows][:, near])
        return Block(self.counts[near], self.rows[rows], part, ends, bounds), int(np.searchsorted(near, position))

    @cached_property
    def columns(self) -> csc_array:
        """The matrix by its columns."""
        return csc_array(self.matrix)


@dataclass
class System:
    """Counts and lines as arrays, shapes (counts,), (lines,) and (lines, counts)."""

    low: np.ndarray
    high: np.ndarray
    matrix: csr_array
    least: np.ndarray
    most: np.ndarray
    rules: list[tuple[str, ...]]
    given_up: Counter[tuple[str, ...]] = field(default_factory=Counter)

    @classmethod
    def of(cls, seen: Mapping[Any, tuple[float, float]], keys: Sequence[Any], lines: Sequence[Line]) -> "System":
        """Put what he wrote down into arrays; a far wall in place of infinity keeps every programme bounded."""
        at = {k: i for i, k in enumerate(keys)}
        low = np.array([ceil(seen[k][0] - TINY) for k in keys], dtype=float)
        high = np.array([floor(seen[k][1] + TINY) if seen[k][1] < inf else inf for k in keys], dtype=float)
        wall = 5_000.0 + 2 * max(high[np.isfinite(high)].max(initial=0), low.max(initial=0))
        entries = [(r, at[k], a) for r, line in enumerate(lines) for k, a in line.weights.items()]
        r, c, a = (list(v) for v in zip(*entries, strict=True)) if entries else ([], [], [])
        matrix = csr_array((np.array(a, dtype=float), (r, c)), shape=(len(lines), len(keys)))
        least, most = np.array([(line.low, line.high) for line in lines], dtype=float).reshape(-1, 2).T
        return cls(low, np.where(np.isfinite(high), high, wall), matrix, least, most, [line.rule for line in lines])

    def blocks(self, *, held: np.ndarray | None = None, among: np.ndarray | None = None) -> Iterator[Block]:
        """Cut into sets of counts that know nothing of each other.

        Counts that one number alone fits are out of it. With a table `held`, only the counts `among` are open.
        """
        open_ = self.low < self.high
        table = np.where(open_, 0.0, self.low)
        if held is not None:
            open_ &= among
            table = np.where(open_, 0.0, held)
        free = np.flatnonzero(open_)
        if not free.size:
            return
        part = csr_array(csc_array(self.matrix)[:, free])
        rows = np.flatnonzero(np.diff(part.indptr))
        part, told = part[rows], (self.matrix @ table)[rows]
        ties = csr_array((np.ones(part.nnz), part.indices, part.indptr), shape=part.shape)
        _, label = connected_components(csr_array(ties.T @ ties), directed=False)
        label_of_row = label[part.indices[part.indptr[:-1]]]
        members, lines = np.argsort(label, kind="stable"), np.argsort(label_of_row, kind="stable")
        for own, some in zip(_cut(label[members], members), _cut(label_of_row[lines], lines, label.max()), strict=True):
            counts, at = free[own], rows[some]
            ends = (self.least[at] - told[some], self.most[at] - told[some])
            yield Block(counts, at, csr_array(part[some][:, own]), ends, (self.low[counts], self.high[counts]))


def _cut(labels: np.ndarray, values: np.ndarray, last: int | None = None) -> list[np.ndarray]:
    """Cut values into one piece for each label from 0, which come in order."""
    number = int(labels.max(initial=0) if last is None else last)
    return np.split(values, np.searchsorted(labels, np.arange(1, number + 1)))


def programme(cost, matrix, rows, bounds, *, whole: bool, gap: float = 0.0) -> np.ndarray | None:
    """Minimise; None if nothing fits. Presolving has called feasible tables infeasible: it is tried, not believed."""
    for presolve in (True, False):
        answer = milp(
            cost,
            constraints=LinearConstraint(matrix, *rows) if matrix.shape[0] else None,
            bounds=Bounds(*bounds),
            integrality=np.ones(cost.size) if whole else None,
            options={"presolve": presolve, "mip_rel_gap": gap},
        )
        if answer.x is None:
            continue
        x = np.round(answer.x) if whole else answer.x
        sums = matrix @ x
        inside = np.all((x >= bounds[0] - NEAR) & (x <= bounds[1] + NEAR))
        if inside and np.all((sums >= rows[0] - NEAR) & (sums <= rows[1] + NEAR)):
            return x
    return None


def believe(system: System, *, again: bool) -> None:
    """Give up the lines with a rule that the rest contradicts, in place.

    First those that the numbers shown contradict by themselves, then those that the least slack in all leaves broken.
    A rule that broke once is believed elsewhere if `again`; otherwise it is given up wherever it reaches.
    """
    size = abs(system.matrix)
    plus, minus = (size + system.matrix) / 2, (size - system.matrix) / 2
    _give_up(
        system,
        plus @ system.high - minus @ system.low < system.least - TINY,
        plus @ system.low - minus @ system.high > system.most + TINY,
        again=again,
    )
    for whole in (False, True):
        while True:
            under, over = np.zeros((2, len(system.rules)), dtype=bool)
            for block in system.blocks():
                if block.solve(np.zeros(block.counts.size), whole=whole) is None:
                    _slack(system, block, under, over, whole=whole)
            if not under.any() and not over.any():
                break
            _give_up(system, under, over, again=again)


def _slack(system: System, block: Block, under: np.ndarray, over: np.ndarray, *, whole: bool) -> None:
    """Mark the sides of lines that must give, as few units in all as will do."""
    soft = np.flatnonzero([bool(system.rules[r]) for r in block.rows])
    lift = csr_array((np.ones(soft.size), (soft, np.arange(soft.size))), shape=(block.rows.size, soft.size))
    matrix = csr_array(hstack([block.matrix, lift, -lift]))
    cost = np.r_[np.zeros(block.counts.size), np.ones(2 * soft.size)]
    far = np.full(2 * soft.size, 1e6)
    bounds = (np.r_[block.bounds[0], far * 0], np.r_[block.bounds[1], far])
    answer = programme(cost, matrix, block.ends, bounds, whole=whole)
    assert answer is not None, "lines that follow from counting alone contradict each other"
    low, high = np.split(answer[block.counts.size :], 2)
    assert max(low.max(initial=0), high.max(initial=0)) > NEAR
    under[block.rows[soft[low > NEAR]]] = True
    over[block.rows[soft[high > NEAR]]] = True


def _give_up(system: System, under: np.ndarray, over: np.ndarray, *, again: bool) -> None:
    for side, ends, end in ((under, system.least, -inf), (over, system.most, inf)):
        broken = {system.rules[i] for i in np.flatnonzero(side)}
        assert () not in broken, "lines that follow from counting alone contradict each other"
        gone = side if again else np.array([rule in broken for rule in system.rules], dtype=bool)
        gone = gone & np.isfinite(ends)
        system.given_up.update((*system.rules[i], "low" if end < 0 else "high") for i in np.flatnonzero(gone))
        ends[gone] = end


@dataclass
class Search:
    """What whole tables and programmes have found so far of each count."""

    system: System
    enough: float
    table: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray

    @classmethod
    def start(cls, system: System, *, enough: float) -> "Search":
        """Find one whole table that fits."""
        table = system.low.copy()
        for block in system.blocks():
            found = block.solve(np.zeros(block.counts.size), whole=True)
            assert found is not None, "nothing fits"
            table[block.counts] = found
        return cls(system, enough, table, table.copy(), table.copy())

    def open(self, counts: np.ndarray) -> np.ndarray:
        """Which of some counts no tables settle yet."""
        return np.asarray(self.highest[counts] - self.lowest[counts] < self.enough)

    def saw(self, block: Block, found: np.ndarray | None) -> None:
        """Remember a whole table."""
        assert found is not None, "nothing fits any more"
        self.lowest[block.counts] = np.minimum(self.lowest[block.counts], found)
        self.highest[block.counts] = np.maximum(self.highest[block.counts], found)

    def by_tables(self, blocks: Iterable[Block], hidden: np.ndarray) -> None:
        """Look for whole tables far apart, in directions drawn at random over what is not settled."""
        draw = np.random.default_rng(0)
        for block in blocks:
            if not block.rows.size:
                self.saw(block, block.bounds[0])
                self.saw(block, block.bounds[1])
                continue
            left = block.counts.size + 1
            for lot in range(LOTS):
                wanted = hidden[block.counts] & self.open(block.counts)
                if not wanted.any() or (lot > 2 and wanted.sum() == left):
                    break
                left = wanted.sum()
                cost = np.where(wanted, draw.choice([-1.0, 1.0], size=wanted.size), 0.0)
                for sign in (1.0, -1.0):
                    self.saw(block, block.solve(sign * cost, whole=True, gap=0.1))

    def one(self, block: Block, position: int) -> str:
        """Find both ends of one count: by linear programmes if their tables are whole, else by whole-number ones."""
        count = block.counts[[position]]
        large = block.counts.size > LARGE
        for part, at in ([block.around(position, self.table)] if large else []) + [(block, position)]:
            cost = np.zeros(part.counts.size)
            for whole in (False, True):
                for sign in (1.0, -1.0):
                    cost[at] = sign
                    found = part.solve(cost, whole=whole)
                    if whole or (found is not None and np.abs(found - np.round(found)).max() < TINY):
                        self.saw(part, found if found is None else np.round(found))
                if not self.open(count):
                    return "integer" if whole else "linear"
        return "narrow"


def bound(
    seen: Mapping[Any, tuple[float, float]],
    hidden: Iterable[Any],
    lines: Sequence[Line],
    *,
    enough: float,
    again: bool,
) -> "Found":
    """Return the smallest and largest whole number each hidden count can be.

    A count that two whole tables set `enough` apart is left at that. See `believe` for `again`.
    """
    keys = sorted(seen)
    system = System.of(seen, keys, lines)
    believe(system, again=again)
    search = Search.start(system, enough=enough)
    secret = set(hidden)
    wanted = np.array([key in secret for key in keys], dtype=bool)
    search.by_tables(system.blocks(held=search.table, among=wanted), wanted)
    left = wanted & search.open(np.arange(len(keys)))
    search.by_tables((b for b in system.blocks() if left[b.counts].any()), wanted)
    left = wanted & search.open(np.arange(len(keys)))
    by = Counter(tables=int(wanted.sum() - left.sum()), narrow=int((left & (system.low >= system.high)).sum()))
    for block in system.blocks():
        for position in np.flatnonzero(left[block.counts]):
            met = not search.open(block.counts[[position]])  # by a table made for another count
            by["tables" if met else search.one(block, int(position))] += 1
    ends = {keys[i]: (float(search.lowest[i]), float(search.highest[i])) for i in np.flatnonzero(wanted)}
    return Found(ends, dict(by), dict(system.given_up))


@dataclass(frozen=True)
class Found:
    """Ends of each hidden count, how many counts each means settled, and how many lines of each rule were given up."""

    ends: dict[Any, tuple[float, float]]
    by: dict[str, int]
    given_up: dict[tuple[str, ...], int]
