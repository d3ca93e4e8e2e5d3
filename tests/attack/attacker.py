"""The attacker: reads folders, grants himself all that METHODS grants, and says how many values each count has left."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil, floor, inf
from typing import NamedTuple

import numpy as np

from tests.attack.folder import Folder, Key
from tests.attack.programmes import System, ends
from tests.attack.relations import (
    Published,
    Relation,
    Universe,
    below,
    binding,
    candidates,
    granted,
    hold_down_what_was_passed_over,
    never_offered,
)

NEAR = 1e-5


@dataclass
class Verdict:
    """Values that each number shown has left, by count."""

    values_left: dict[Key, int]
    promise: Mapping[Key, int]
    ranges: Mapping[Key, tuple[float, float]]
    contradictions: list[str] = field(default_factory=list)
    granted: Counter[tuple[str, ...]] = field(default_factory=Counter)
    markers: int = 0

    @property
    def exact(self) -> list[Key]:
        """Counts with one value left."""
        return sorted(k for k, n in self.values_left.items() if n <= 1 < self.promise[k])

    @property
    def narrow(self) -> list[Key]:
        """Counts with fewer values left than the step has, exact ones among them."""
        return sorted(k for k, n in self.values_left.items() if n < self.promise[k])

    def __str__(self) -> str:
        by = Counter((k.measure, len(k.area.split("-"))) for k in self.narrow)
        return (
            f"{len(self.values_left)} numbers, {len(self.exact)} exact, {len(self.narrow)} narrow {dict(by)}, "
            f"{self.markers} markers, {len(self.contradictions)} contradictions"
        )


def attack(
    folder: Folder,
    published: Published,
    truth: Mapping[Key, int],
    *,
    more: Iterable[Relation] = (),
    steps: Iterable[int] = (5, 10),
    only: Container[Key] | None = None,
) -> Verdict:
    """Attack one folder, or several joined.

    Parameters
    ----------
    folder
        What was read.
    published
        What is known beside it.
    truth
        True counts, absent ones being 0; they decide which relations and which markers he is granted, and nothing else.
    more
        Further relations, of variables of circumstances or of two editions of areas.
    steps
        Steps of all audiences: a row without room in one of them is offered to nobody.
    only
        Counts shown whose values left are asked for; all of them by default.
    """
    universe = Universe.of(folder)
    every, more = list(candidates(universe, published)), list(more)
    for key in (k for r in more for k in (r.total, *r.parts)):
        universe.add(key)
    truth = {key: truth.get(key, 0) for key in universe.spans}  # looked up a dozen times each
    hold_down_what_was_passed_over(universe, min(steps))
    mine = [*universe.windows, *granted([*every, *more], truth)]
    # What a rule takes that looks at no count tells nothing, and takes the row out of the reckoning of room.
    ruled = set().union(*never_offered(every, mine, published, folder.areas).values()) - set(folder.shown)
    ruled = below(ruled, universe.spans, published, folder.areas)
    markers = _markers(folder, published, [r for r in mine if ruled.isdisjoint((r.total, *r.parts))], truth, steps)
    system = System()
    column = {key: system.column(span.lower, span.upper) for key, span in universe.spans.items()}
    marked = {k for m in markers for k in (m.relation.total, *m.relation.parts)}
    for relation in binding(mine, universe.spans, kept=marked):
        weights = {column[relation.total]: 1.0}
        for part in relation.parts:
            weights[column[part]] = weights.get(column[part], 0.0) - 1.0
        system.row(weights, *((-inf, 0.0) if relation.at_most else (0.0, inf)))
    rests: dict[tuple[int, int], int] = {}
    for marker in markers:
        _grant(marker, system, column, rests)
    known = np.zeros(len(system.low))
    for key, at in column.items():
        known[at] = truth.get(key, 0)
    for (at, step), rest in rests.items():
        known[rest] = known[at] % step
    asked = [key for key in folder.shown if only is None or key in only]
    wanted = [column[key] for key in asked if folder.shown[key].upper - folder.shown[key].lower < inf]
    lowest, highest = ends(system, wanted, known=known)
    ranges = {k: (float(lowest[column[k]]), float(highest[column[k]])) for k in asked}
    left = {k: floor(b + NEAR) - ceil(a - NEAR) + 1 for k, (a, b) in ranges.items()}
    return Verdict(
        left,
        folder.promise,
        ranges,
        list(folder.contradictions),
        Counter((r.rule[0], "at most" if r.at_most else "at least") for r in mine),
        len(markers),
    )


def room_limit(parts: int, step: int) -> int:
    """Return how far the floor of a total may be above the floors of its parts (METHODS, "Row rule")."""
    return (parts - 1) * (step - 1)


class Marker(NamedTuple):
    """A row of which nothing is offered: the floor of its total is at least `missing` above those of its parts."""

    relation: Relation
    missing: int
    step: int


def _markers(
    folder: Folder, published: Published, mine: list[Relation], truth: Mapping[Key, int], steps: Iterable[int]
) -> list[Marker]:
    """Find the rows of which nothing is offered because they had no room; granted only where that is so."""
    both = {(r.total, r.parts) for r in mine if not r.at_most}
    gone = {k for k in folder.not_offered if folder.may_show(k)}
    found = []
    for relation in mine:
        if not relation.at_most or relation.rule[0] not in {"areas", "union"}:
            continue
        if relation.rule[0] == "areas" and (relation.total, relation.parts) not in both:
            continue
        # What is below a count that is not offered goes with it, and tells nothing by itself.
        above = published.above(relation.total, folder.areas[relation.total.area])
        if not gone.issuperset((relation.total, *relation.parts)) or not gone.isdisjoint(above):
            continue
        for step in steps:
            short = truth.get(relation.total, 0) // step * step
            short -= sum(truth.get(p, 0) // step * step for p in relation.parts)
            limit = room_limit(len(relation.parts), step)
            if short > limit:
                found.append(Marker(relation, limit // step * step + step, step))
    return found


def _grant(marker: Marker, system: System, column: Mapping[Key, int], rests: dict[tuple[int, int], int]) -> None:
    """Write down what the marker says: each count is the floor of its step and a rest, and floors are not far apart."""
    weights: dict[int, float] = {}
    for key, sign in ((marker.relation.total, 1.0), *((p, -1.0) for p in marker.relation.parts)):
        at = column[key]
        rest = rests.get((at, marker.step))
        if rest is None:
            rest = rests[at, marker.step] = system.column(0.0, marker.step - 1.0)
            system.row({at: 1.0, rest: -1.0}, 0.0, inf)
        weights[at], weights[rest] = sign, -sign
    system.row(weights, marker.missing, inf)
