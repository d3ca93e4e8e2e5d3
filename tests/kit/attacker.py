"""An attacker who shares no code with the package: he reads a released table and solves for what was withheld.

Input is plain Python: published numbers, markers, and relations as he would write them down himself. Two ways: linear
programmes (scipy's linprog) for bounds, and an exhaustive integer search for what is really possible.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from math import ceil, floor, inf

import numpy as np
from scipy.optimize import linprog

Key = tuple[str, str, str, str]  # area, period, category, measure


@dataclass
class Notes:
    """What the attacker wrote down."""

    seen: dict[Key, tuple[float, float]] = field(default_factory=dict)
    sums: list[tuple[Key, list[Key]]] = field(default_factory=list)
    subsets: list[tuple[Key, Key]] = field(default_factory=list)
    unions: list[tuple[Key, list[Key]]] = field(default_factory=list)
    """Totals, each at most the sum of its parts."""

    @property
    def unknown(self) -> list[Key]:
        return sorted(k for k, (a, b) in self.seen.items() if a != b)


def read_release(rows) -> dict[Key, tuple[float, float]]:
    """From (area, period, category, measure, shown) with shown a number, "withheld" or "<t"."""
    notes = {}
    for area, period, category, measure, shown in rows:
        if shown == "withheld":
            span = (0, inf)
        elif isinstance(shown, str):
            span = (0, int(shown.lstrip("<")) - 1)
        else:
            span = (shown, shown)
        notes[area, period, category, measure] = span
    return notes


def study(notes, *, parents, windows, subsets, unplaced=None, unions=()) -> Notes:
    """Write down every sum, subset and union that the published layout implies."""
    unplaced = unplaced or {}
    found = Notes(seen=dict(notes))
    for area, period, category, measure in sorted(notes):
        kids = [(c, period, category, measure) for c, p in parents.items() if p == area]
        if kids and measure not in unplaced.values() and all(k in notes for k in kids):
            if measure in unplaced:
                kids.append((area, period, category, unplaced[measure]))
            if all(k in notes for k in kids):
                found.sums.append(((area, period, category, measure), kids))
        parts = [(area, p, category, measure) for p in windows.get(period, ())]
        if parts and all(k in notes for k in parts):
            found.sums.append(((area, period, category, measure), parts))
        for small, large in subsets:
            if category == small and (area, period, large, measure) in notes:
                found.subsets.append(((area, period, small, measure), (area, period, large, measure)))
        for whole, covering in unions:
            covers = [(area, period, c, measure) for c in covering]
            if category == whole and all(k in notes for k in covers):
                found.unions.append(((area, period, category, measure), covers))
    return found


def linear_ranges(notes: Notes, *, enough: float = inf) -> dict[Key, tuple[float, float]]:
    """Smallest and largest value of each cell by linear programming over everything at once.

    Every solution is a table that fits, so a cell that already differs by `enough` between two of them is left at that.
    """
    keys = sorted(notes.seen)
    at = {k: i for i, k in enumerate(keys)}
    equal, less = [], []
    for total, parts in notes.sums:
        line = np.zeros(len(keys))
        line[at[total]] += 1
        for part in parts:
            line[at[part]] -= 1
        equal.append(line)
    for small, large in notes.subsets:
        line = np.zeros(len(keys))
        line[at[small]], line[at[large]] = 1, -1
        less.append(line)
    for total, parts in notes.unions:
        line = np.zeros(len(keys))
        line[at[total]] = 1
        line[[at[p] for p in parts]] = -1
        less.append(line)
    bounds = [(a, None if b == inf else b) for a, b in (notes.seen[k] for k in keys)]
    frame = {
        "A_ub": np.array(less) if less else None,
        "b_ub": np.zeros(len(less)) if less else None,
        "A_eq": np.array(equal) if equal else None,
        "b_eq": np.zeros(len(equal)) if equal else None,
        "options": {"presolve": False},  # with it HiGHS calls some feasible tables infeasible
    }
    found, tables = {}, []
    if enough < inf:  # a few tables far apart settle most cells at once
        near = [(a, min(b or a + 1000, a + 1000)) for a, b in bounds]
        for lot in np.random.default_rng(0).choice([-1.0, 1.0], size=(3, len(keys))):
            tables += [linprog(sign * lot, bounds=near, **frame).x for sign in (1, -1)]
        tables = [t for t in tables if t is not None]
    for key in notes.unknown:
        values = [t[at[key]] for t in tables] or [0.0]
        if floor(max(values) + 1e-5) - ceil(min(values) - 1e-5) >= enough:
            found[key] = (ceil(min(values) - 1e-5), floor(max(values) + 1e-5))
            continue
        ends = []
        for sign in (1, -1):
            cost = np.zeros(len(keys))
            cost[at[key]] = sign
            answer = linprog(cost, bounds=bounds, **frame)
            assert answer.status in {0, 3}, answer.message
            if answer.status == 0:
                tables.append(answer.x)
            ends.append(sign * answer.fun if answer.status == 0 else -sign * inf)
        found[key] = (ceil(ends[0] - 1e-5), inf if ends[1] == inf else floor(ends[1] + 1e-5))
    return found


def every_table(notes: Notes, *, cap: int):
    """Yield every whole-number table that agrees with the notes, cells at most `cap` (plain backtracking)."""
    keys = notes.unknown
    values = {k: a for k, (a, b) in notes.seen.items() if a == b}
    touching = defaultdict(list)
    checks = [("sum", t, p) for t, p in notes.sums] + [("subset", large, [small]) for small, large in notes.subsets]
    for check in checks:
        for key in {check[1], *check[2]}:
            touching[key].append(check)

    def possible(check) -> bool:
        kind, total, parts = check
        known = sum(values[p] for p in parts if p in values)
        whole = all(p in values for p in parts)
        if total not in values:
            return True
        if kind == "subset":
            return known <= values[total]
        return known == values[total] if whole else known <= values[total]

    def fill(position: int):
        if position == len(keys):
            if all(possible(c) for c in checks):
                yield tuple(values[k] for k in keys)
            return
        key = keys[position]
        least, most = notes.seen[key]
        for value in range(int(least), int(min(most, cap)) + 1):
            values[key] = value
            if all(possible(c) for c in touching[key]):
                yield from fill(position + 1)
            del values[key]

    yield from fill(0)


def integer_ranges(notes: Notes, *, cap: int) -> dict[Key, tuple[int, int]]:
    """Smallest and largest value of each unknown cell over every table up to `cap`."""
    keys = notes.unknown
    least, most = [inf] * len(keys), [-inf] * len(keys)
    for table in every_table(notes, cap=cap):
        for i, value in enumerate(table):
            least[i], most[i] = min(least[i], value), max(most[i], value)
    return {k: (least[i], most[i]) for i, k in enumerate(keys)}
