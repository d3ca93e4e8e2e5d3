"""What ties the values of circumstances together: sums, values that select the same incidents, and the area tables.

The true counts come from the internal folder. They decide which values an attacker takes for the same, or for a part of
each other: a rule that is broken in under 5 % of the areas is his wherever it holds.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, permutations
from pathlib import Path

import numpy as np

from tests.attack.folder import STATED, Folder, Key, table
from tests.attack.relations import BROKEN_AT_MOST, Relation
from tests.attack.truth import Truth

TOTAL = "organisation"
UNSTATED = ("not stated", "too recent to say")
PENDING, POSITIVE = "Under investigation or awaiting a decision", "Positive outcome"
SEEN = 10
"""Values of which the region holds fewer are the same, or parts of each other, by chance."""

Value = tuple[str, str, str]
"""Organisation, variable and value."""

Columns = dict[tuple[str, ...], tuple[np.ndarray, list[list[Key]]]]
"""By name: counts over areas, and the counts of a folder that make up each."""


def key(value: Value, area: str, period: str) -> Key:
    """Name the count of a value as a folder does."""
    return Key(area, period, "all", "/".join(value))


class Described:
    """True counts of circumstances, of all categories together, and what they say of each other."""

    def __init__(self, internal: Path, folder: Folder, truth: Truth) -> None:
        rows = [r for r in table(internal / "circumstances.csv") if r["category"] == "all"]
        self.period = rows[0]["period"]
        self.areas = sorted({r["area_code"] for r in rows}, key=lambda a: (folder.areas[a].level != "region", a))
        self.values = list(dict.fromkeys((r["organisation"], r["question"], r["answer"]) for r in rows))
        self.folder, self.truth = folder, truth
        counts: dict[Value, dict[str, int]] = {v: dict.fromkeys(self.areas, 0) for v in self.values}
        for r in rows:
            counts[r["organisation"], r["question"], r["answer"]][r["area_code"]] = int(r["incidents"] or 0)
        self.counts = {v: np.array(list(c.values())) for v, c in counts.items()}
        self.variables: dict[tuple[str, str], list[Value]] = defaultdict(list)
        for value in self.values:
            self.variables[value[:2]].append(value)
        for (organisation, question), own in list(self.variables.items()):
            if question != TOTAL:
                stated = [self.counts[v] for v in own if v[2] not in UNSTATED]
                self.counts[organisation, question, STATED] = np.sum(stated, axis=0)
        for value, column in self.counts.items():
            truth.extra |= {key(value, a, self.period): int(n) for a, n in zip(self.areas, column, strict=True)}

    def relations(self) -> Iterator[Relation]:
        """Write down what an attacker takes as true; where it does not hold it is no use to him."""
        yield from self._sums()
        yield from self._boroughs()
        yield from self._area_tables()
        yield from self._links()

    def _row(self, rule: str, total: Key, parts: list[Key], sides: tuple[bool, ...] = (False, True)) -> list[Relation]:
        return [Relation((rule,), total, tuple(parts), at_most=side) for side in sides]

    def _sums(self) -> Iterator[Relation]:
        """Values add up to what the organisation recorded, and those that state something to another total."""
        for (organisation, question), values in self.variables.items():
            if question == TOTAL:
                continue
            for area in self.areas:
                own = {v[2]: key(v, area, self.period) for v in values}
                whole = key((organisation, TOTAL, organisation), area, self.period)
                stated = key((organisation, question, STATED), area, self.period)
                yield from self._row("values", whole, list(own.values()))
                yield from self._row("stated", stated, [k for name, k in own.items() if name not in UNSTATED])

    def _boroughs(self) -> Iterator[Relation]:
        """Boroughs hold at most what the region holds, and all of it where hardly any value has more."""
        for value in self.counts:
            parts = [key(value, a, self.period) for a in self.areas[1:]]
            yield from self._row("boroughs", key(value, self.areas[0], self.period), parts)

    def _area_tables(self) -> Iterator[Relation]:
        """Organisations add up to the area's count, and their outcomes to the area's outcomes."""
        names = list(dict.fromkeys(v[0] for v in self.values))
        outcomes = [v for v in self.values if v[1] == "outcome" and v[2] not in UNSTATED]
        for area in self.areas:
            totals = [key((o, TOTAL, o), area, self.period) for o in names]
            yield from self._row("organisations", Key(area, self.period, "all", "incidents"), totals)
            known = [key(v, area, self.period) for v in outcomes if v[2] != PENDING]
            positive = [key(v, area, self.period) for v in outcomes if v[2] == POSITIVE]
            for measure, parts in (("known_outcomes", known), ("positive_outcomes", positive)):
                yield from self._row(measure, Key(area, self.period, "all", measure), parts)

    def _columns(self) -> Columns:
        """List what may be the same as something else, by area: values, what a variable hides, and categories."""
        found: Columns = {}
        for value in self.values:
            if value[1] != TOTAL and value[2] not in UNSTATED:
                found[value] = (self.counts[value], [[key(value, a, self.period)] for a in self.areas])
        for (organisation, question), values in self.variables.items():
            shown = {k.measure for k in self.folder.shown}
            hidden = [v for v in values if "/".join(v) not in shown]
            for name, some in (("hidden", hidden), ("hidden of stated", [v for v in hidden if v[2] not in UNSTATED])):
                if question != TOTAL and len(some) > 1:
                    parts = [[key(v, a, self.period) for v in some] for a in self.areas]
                    found[organisation, question, f"({name})"] = sum(self.counts[v] for v in some), parts
        for category in dict.fromkeys(k.category for k in self.folder.shown if k.category != "all"):
            keys = [Key(a, self.period, category, "incidents") for a in self.areas]
            found["", "category", category] = np.array([self.truth.get(k, 0) for k in keys]), [[k] for k in keys]
        return {name: column for name, column in found.items() if column[0][0] >= SEEN}

    def _links(self) -> Iterator[Relation]:
        """Columns that are the same in nearly all areas, or one at most the other."""
        columns = self._columns()
        for one, other in combinations(columns, 2):
            if one[1] != other[1] and np.mean(columns[one][0] != columns[other][0]) < BROKEN_AT_MOST:
                yield from self._pairs(columns[one][1], columns[other][1])
                yield from self._pairs(columns[other][1], columns[one][1])
        for one, question in permutations({c[:2] for c in columns}, 2):
            if one[1] != question[1] and "category" not in (one[1], question[1]) and one[0] == question[0]:
                yield from self._parts(columns, one, question)
        for value, column in self.counts.items():  # what hardly any area has is nothing to who knows the data
            if np.mean(column > 0) < BROKEN_AT_MOST:
                for area in self.areas:
                    yield Relation(("nothing",), key(value, area, self.period), (), at_most=True)

    def _parts(self, columns: Columns, one: tuple[str, ...], question: tuple[str, ...]) -> Iterator[Relation]:
        """Take values of one variable for parts of a value of another.

        The values of a variable exclude each other. So a column can be a part of one of them alone: where it is no more
        than several, it is so by its size, and not by what it selects. And parts of one value come to no more than it
        does: the largest are taken first, while that is so.

        To take every value that is no larger for a part would grant the attacker counts, not a structure: in a sample
        of a quarter of the rows nearly all values of nearly all areas are below five, so that hundreds of values of
        different variables are "parts" of each other, and 44 numbers of 6,692 narrow. Nobody who has only the folder
        can tell which: where two values read "fewer than 5", either may be the larger one.
        """
        others = [c for c in columns if c[:2] == question and not c[2].startswith("(")]
        below: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
        for name in (c for c in columns if c[:2] == one):
            above = [c for c in others if np.mean(columns[name][0] > columns[c][0]) < BROKEN_AT_MOST]
            if len(above) == 1:
                below[above[0]].append(name)
        for whole, names in below.items():
            for name in (n for n in names if n[2].startswith("(")):  # what is hidden is a sum of others
                yield from self._pairs(columns[whole][1], columns[name][1])
            held, parts = np.zeros_like(columns[whole][0]), [[] for _ in self.areas]
            for name in sorted((n for n in names if not n[2].startswith("(")), key=lambda n: -columns[n][0][0]):
                if np.mean(held + columns[name][0] > columns[whole][0]) < BROKEN_AT_MOST:
                    held, parts = held + columns[name][0], [p + k for p, k in zip(parts, columns[name][1], strict=True)]
            yield from self._pairs(columns[whole][1], parts)

    def _pairs(self, large: list[list[Key]], small: list[list[Key]]) -> Iterator[Relation]:
        """Say area by area that one column is at least another."""
        for whole, parts in zip(large, small, strict=True):
            if len(whole) == 1:
                yield Relation(("at least",), whole[0], tuple(parts), at_most=False)
            elif len(parts) == 1:
                yield Relation(("at most",), parts[0], tuple(whole), at_most=True)
