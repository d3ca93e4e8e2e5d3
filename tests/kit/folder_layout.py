"""What the attacker of a folder knows of its layout: wards make up boroughs, months years, and categories nest.

He shares no code with the package. Lines that follow from counting alone carry no rule; of those that a source may
break (its tables of areas and categories need not agree) he notes which rule they come from, and may give them up.
"""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cache
from math import inf

from tests.kit.folder_search import Line

MEASURES = ("incidents", "incidents_unplaced", "positive_outcomes", "known_outcomes")
Place = tuple[str, str, str]  # area, period, category


@cache
def months_of(period: str) -> tuple[str, ...]:
    first, _, last = period.partition("..")
    year, month = map(int, first.split("-"))
    out = [first]
    while last and out[-1] != last:
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        out.append(f"{year:04d}-{month:02d}")
    return tuple(out)


def layout(
    levels: Mapping[Place, str],
    *,
    parents: Mapping[str, str],
    above: Mapping[str, str],
    cohort: bool,
    scope: Sequence[str],
    seen: Container[tuple[str, ...]],
) -> Iterator[Line]:
    """Write down how counts nest; `levels` names every row of the table, `above` the category each is part of."""
    children: dict[str, list[str]] = defaultdict(list)
    for child, parent in parents.items():
        if parent:
            children[parent].append(child)
    windows: dict[tuple[str, str], list[str]] = defaultdict(list)
    for area, period, category in levels:
        windows[area, category].append(period)
    for (area, period, category), level in levels.items():
        kids = [(k, period, category) for k in children.get(area, [])]
        if kids and all(k in levels for k in kids):
            rest = (area, period, category, "incidents_unplaced")
            whole = rest in seen and not (scope and level == "region")
            yield from _areas((area, period, category), kids, level, whole=whole)
        yield from _periods((area, period, category), windows[area, category])
        other = (area, period, above.get(category, ""))
        if category != "all" and other in levels:
            for measure in MEASURES:
                rule = ("category", category, other[2], level, measure)
                yield Line({(area, period, category, measure): 1.0, (*other, measure): -1.0}, -inf, 0.0, rule)
        chain = [("incidents_unplaced", "incidents")]
        if cohort:
            chain += [("positive_outcomes", "known_outcomes"), ("known_outcomes", "incidents")]
        for small, large in chain:
            yield Line({(area, period, category, small): 1.0, (area, period, category, large): -1.0}, -inf, 0.0)


def _areas(place: Place, kids: list[Place], level: str, *, whole: bool) -> Iterator[Line]:
    """Write down that an area is its parts and what has no place; where that is not told, no less than its parts."""
    for measure in ("incidents", "positive_outcomes", "known_outcomes"):
        weights = {(*place, measure): 1.0, **{(*k, measure): -1.0 for k in kids}}
        closed = whole and measure == "incidents"
        if closed:
            weights[(*place, "incidents_unplaced")] = -1.0
        yield Line(weights, 0.0, 0.0 if closed else inf, ("areas", level, measure))


def _periods(place: Place, others: list[str]) -> Iterator[Line]:
    """Write down that a window is the windows that tile it, months or quarters, and no less than some of them."""
    area, period, category = place
    months = set(months_of(period))
    inside: dict[int, list[str]] = defaultdict(list)
    for other in others:
        part = months_of(other)
        if len(part) < len(months) and months.issuperset(part):
            inside[len(part)].append(other)
    for length, found in inside.items():
        apart = len({m for p in found for m in months_of(p)}) == length * len(found)
        for parts in [found] if apart else [[p] for p in found]:
            most = 0.0 if length * len(parts) == len(months) else inf
            for measure in MEASURES:
                yield Line({(*place, measure): 1.0, **{(area, p, category, measure): -1.0 for p in parts}}, 0.0, most)
