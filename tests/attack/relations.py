"""What ties the counts of a folder together, and which of it the attacker may take as true.

Every relation says that a total is at least, or at most, the sum of some parts. He is granted the truth to decide which
hold: a rule (wards and their borough, say, of one category) that is broken in under 5 % of its rows is his in every
row where it holds. So he is stronger than anybody who has to find out from the folder alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from math import ceil, inf
from typing import NamedTuple

from tests.attack.folder import MEASURES, UNPLACED, Area, Folder, Key, Span, months_of, window

BROKEN_AT_MOST = 0.05
"""A rule that is broken in a smaller share of its rows is granted where it holds (METHODS, "Audit")."""

FOUND = "found"
ROWS_TO_FIND = 20
"""A rule that no layout suggests (two parts cover a third, every outcome is known) is found only in so many rows."""


class Relation(NamedTuple):
    """`total` is at least, or at most, the sum of `parts`, by a rule that many rows share."""

    rule: tuple[str, ...]
    total: Key
    parts: tuple[Key, ...]
    at_most: bool

    def holds(self, count: Mapping[Key, int]) -> bool:
        """Return whether it is so."""
        total, parts = count.get(self.total, 0), sum(count.get(p, 0) for p in self.parts)
        return total <= parts if self.at_most else total >= parts


@dataclass(frozen=True)
class Published:
    """What anybody may know beside the folder: how categories nest, in which order, and which are never offered."""

    parents: Mapping[str, str]
    """Category to the category that contains it; those at the top are parts of "all"."""
    chain: tuple[tuple[str, str], ...] = (("positive_outcomes", "known_outcomes"), ("known_outcomes", "incidents"))
    found: bool = True
    """Whether rules that no layout suggests are granted where the data bears them out; see `ROWS_TO_FIND`."""
    pairs: bool = True
    """Whether parts that exclude each other in pairs are granted too: most of the work, and little of the finds."""

    @cached_property
    def children(self) -> dict[str, list[str]]:
        """Categories by the one that contains them, in the order of the configuration."""
        found: dict[str, list[str]] = defaultdict(list)
        for category, parent in self.parents.items():
            if category != "all":
                found[parent or "all"].append(category)
        return found

    def above(self, key: Key, area: Area) -> list[Key]:
        """Return the counts that go before a count does: of the larger area, the wider category, the whole measure."""
        found = [key._replace(measure=large) for small, large in self.chain if small == key.measure]
        if key.category != "all":
            found.append(key._replace(category=self.parents[key.category] or "all"))
        if area.level in {"ward", "ward_group"}:
            found.append(key._replace(area=area.parent))
        return found


@dataclass
class Universe:
    """All counts that the attacker reckons with: those printed, those not offered, and pieces of windows."""

    folder: Folder
    spans: dict[Key, Span] = field(default_factory=dict)
    at: dict[tuple[str, str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    windows: list[Relation] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Folder) -> "Universe":
        """Take all counts of a folder, and cut overlapping windows into pieces that do not overlap."""
        own = cls(folder)
        for key, span in folder.shown.items():
            own.add(key, span)
        for key in folder.not_offered:
            own.add(key)
        series: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for key in own.spans:
            if key.measure in (*MEASURES, UNPLACED):
                series[key.area, key.category, key.measure].add(key.period)
        # Longer windows of some categories: of the others, and of larger areas, they are sums of what is printed.
        long = {p for periods in folder.long_windows.values() for p in periods}
        for (area, category, measure), periods in series.items() if long else ():
            if folder.areas[area].level != "ward":
                periods |= {p for p in long if any(set(months_of(q)) <= set(months_of(p)) for q in periods)}
                for period in periods:
                    own.add(Key(area, period, category, measure))
        cut: dict[frozenset[str], dict[str, tuple[str, ...]]] = {}
        for (area, category, measure), periods in series.items():
            given = frozenset(periods)
            if given not in cut:
                cut[given] = pieces(given)
            for period, parts in cut[given].items():
                keys = tuple(Key(area, p, category, measure) for p in parts)
                for key in keys:
                    own.add(key)
                whole = Key(area, period, category, measure)
                own.windows += [Relation(("windows",), whole, keys, at_most=side) for side in (False, True)]
        return own

    def add(self, key: Key, span: Span | None = None) -> None:
        """Reckon with a count."""
        if span is not None or key not in self.spans:
            self.spans[key] = span or Span(0, inf)
        self.at[key.period, key.category, key.measure].add(key.area)


ENOUGH = 0.33
"""A level is passed over where a smaller share of its areas would have a number in the first window (METHODS)."""


def hold_down_what_was_passed_over(universe: Universe, step: int) -> None:
    """Read in the level that a category is given by what the levels below it hold: less than a step nearly everywhere.

    He takes it where it leaves no area with a number; where it leaves some, he does not know which. In the folder of a
    wider audience he cannot tell which levels were looked at: it has the closest audience's, or boroughs.

    Parameters
    ----------
    universe
        All counts: those of the levels that were passed over are bounded here.
    step
        The closest audience's: the choice was made in it.
    """
    folder = universe.folder
    detail = folder.record.get("rules", {}).get("detail", {}) if folder.step == step else {}
    levels = ("ward", "ward_group")
    keys: dict[tuple[str, str], set[Key]] = defaultdict(set)
    for key in universe.spans:
        if key.measure == "incidents" and folder.areas[key.area].level in levels and key.category in detail:
            keys[folder.areas[key.area].level, key.category].add(key)
    for (level, category), mine in keys.items():
        in_years = category in folder.long_windows
        given = levels.index(detail[category]) if detail[category] in levels else len(levels)
        if levels.index(level) >= given + in_years or ceil(ENOUGH * len({k.area for k in mine})) > 1:
            continue
        first = min((k.period for k in mine if k in folder.not_offered), default="")
        for key in (k for k in mine if k.period == first):
            universe.spans[key] = Span(universe.spans[key].lower, min(universe.spans[key].upper, step - 1))


def pieces(periods: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Cut windows at each other's ends: those that overlap another are sums of the pieces.

    >>> pieces(frozenset({"2024-01..2024-03", "2024-03", "2024-05"}))
    {'2024-01..2024-03': ('2024-01..2024-02', '2024-03')}
    """
    months = {p: tuple(months_of(p)) for p in periods}
    signature: dict[str, frozenset[str]] = {}
    for month in sorted({m for found in months.values() for m in found}):
        signature[month] = frozenset(p for p, found in months.items() if month in found)
    out = {}
    for period, found in sorted(months.items()):
        if all(signature[m] == {period} for m in found):
            continue
        parts: list[list[str]] = []
        for month in found:
            if parts and signature[parts[-1][-1]] == signature[month]:
                parts[-1].append(month)
            else:
                parts.append([month])
        if len(parts) > 1:
            out[period] = tuple(window(p[0], p[-1]) for p in parts)
    return out


def candidates(universe: Universe, published: Published) -> Iterator[Relation]:
    """Write down every relation that the layout suggests."""
    areas = universe.folder.areas
    inside: dict[tuple[str, str, tuple[str, ...]], None] = {}
    for layout in universe.folder.layouts:
        inside |= dict.fromkeys(_inside(layout, {key.area for key in universe.spans}))
    for (period, category, measure), codes in list(universe.at.items()):
        if measure not in MEASURES:
            continue
        for parent, level, children in inside:
            total = Key(parent, period, category, measure)
            parts = tuple(Key(c, period, category, measure) for c in children if c in codes)
            if parent not in codes or not parts:
                continue
            rule = ("areas", areas[parent].level, level, category, measure)
            rest = Key(parent, period, category, UNPLACED)
            whole = len(parts) == len(children)
            yield Relation(rule, total, parts, at_most=False)
            if whole:
                yield Relation(rule, total, parts, at_most=True)
            if whole and measure == "incidents" and rest in universe.folder.shown:
                for side in (False, True):
                    yield Relation((*rule, "unplaced"), total, (*parts, rest), at_most=side)
        for code in codes:
            yield from _within(universe, published, Key(code, period, category, measure))


def _inside(areas: Mapping[str, Area], covered: set[str]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """List areas with those of one level inside them."""
    inside: dict[tuple[str, str], list[str]] = defaultdict(list)
    for code, area in areas.items():
        if area.parent and code in covered:
            inside[area.parent, area.level].append(code)
        for ward in area.members:
            inside[code, "ward"].append(ward)
    for parent in [code for code, area in areas.items() if area.level == "region"]:
        for county in list(inside[parent, "county"]):
            inside[parent, "borough"] += inside[county, "borough"]
        for borough in list(inside[parent, "borough"]):
            inside[parent, "ward"] += inside[borough, "ward"]
    for (parent, level), children in inside.items():
        yield parent, level, tuple(children)


def _within(universe: Universe, published: Published, total: Key) -> Iterator[Relation]:
    """Relations inside one area: categories, kinds of outcome."""
    level = universe.folder.areas[total.area].level
    children = [total._replace(category=c) for c in published.children.get(total.category, ())]
    children = [c for c in children if c in universe.spans]
    for child in children:
        yield Relation(("subset", level, child.category, total.measure), total, (child,), at_most=False)
    if len(children) > 1:
        names = ",".join(p.category for p in children)
        yield Relation(("disjoint", level, names, total.measure), total, tuple(children), at_most=False)
    # Parts may cover the whole though one or two of them are left out: those that are rare.
    for size in {len(children), *((len(children) - 1, len(children) - 2) if published.found else ())}:
        for parts in combinations(children, size) if size > 0 else ():
            names = ",".join(p.category for p in parts)
            name = "union" if size == len(children) else FOUND
            yield Relation((name, level, names, total.measure), total, parts, at_most=True)
    if published.pairs and len(children) > 2:  # pairs may exclude each other where not all do
        for pair in combinations(children, 2):
            names = ",".join(p.category for p in pair)
            yield Relation(("disjoint", level, names, total.measure), total, pair, at_most=False)
    for small, large in published.chain:
        part = total._replace(measure=small)
        if total.measure == large and part in universe.spans:
            rule = ("chain", level, total.category, small, large)
            yield Relation(rule, total, (part,), at_most=False)
            if published.found:
                yield Relation((FOUND, *rule), total, (part,), at_most=True)


def granted(relations: Iterable[Relation], truth: Mapping[Key, int]) -> list[Relation]:
    """Keep the relations of rules that are broken in under 5 % of their rows, where they hold."""
    rows: dict[tuple[object, ...], list[Relation]] = defaultdict(list)
    for relation in relations:
        rows[relation.rule, relation.at_most].append(relation)
    found = []
    for some in rows.values():
        holding = [r for r in some if r.holds(truth)]
        seen = len(some)
        if some[0].rule[0] == FOUND:
            # Empty rows say nothing: there, to grant the rule would be to grant the counts. Rows in which the parts
            # left out are empty count all the same, although they do not say that these may be left out.
            seen = sum(truth.get(r.total, 0) > 0 for r in some)
        if len(some) - len(holding) < BROKEN_AT_MOST * seen and (some[0].rule[0] != FOUND or seen >= ROWS_TO_FIND):
            found += holding
    # What follows from another is left out: parts of disjoint parts, and more parts than cover the whole.
    many = [r for r in found if r.rule[0] == "disjoint" and len(r.parts) > 2]
    whole = {(r.total, pair) for r in many for pair in combinations(r.parts, 2)}
    unions: dict[Key, list[frozenset[Key]]] = defaultdict(list)
    for r in found:
        if r.rule[0] in {"union", FOUND} and r.at_most:
            unions[r.total].append(frozenset(r.parts))
    return [
        r
        for r in found
        if not (r.rule[0] == "disjoint" and (r.total, r.parts) in whole)
        and not (r.rule[0] in {"union", FOUND} and any(u < frozenset(r.parts) for u in unions[r.total]))
    ]


LARGE = frozenset({"county", "borough"})
FEW, SMALL = 3, 7
"""Rows of two or three parts, and unions of fewer than seven, lose a part whatever the counts are (METHODS)."""


def never_offered(
    candidates: Iterable[Relation], granted: Iterable[Relation], published: Published, areas: Mapping[str, Area]
) -> dict[str, set[Key]]:
    """List what METHODS never offers, whatever the counts are ("No equations", "Row rule"); see `below` for the rest.

    By the name of the rule: the "last part" of a small union, and the "few parts" of an equation.

    Rules that are granted take a count in all their rows, also in those that the data breaks.
    """
    found: dict[str, set[Key]] = {"last part": set(), "few parts": set()}
    granted = list(granted)
    lower = {r.rule for r in granted if not r.at_most}
    rules = {r.rule for r in granted if r.at_most and (r.rule[0] == "union" or r.rule in lower)}
    for row in candidates:
        if row.rule not in rules or not row.at_most:
            continue
        kids, level = published.children.get(row.total.category, []), areas[row.total.area].level
        if row.rule[0] == "union" and 1 < len(kids) == len(row.parts):
            few = {"region": 0, "borough": FEW}.get(level, SMALL - 1)
            found["last part"] |= {row.total._replace(category=kids[-1])} if len(kids) <= few else set()
        if row.rule[0] == "areas" and 1 < len(row.parts) <= FEW:
            found["few parts"] |= {row.total} if areas[row.parts[0].area].level in LARGE else set(row.parts)
    return found


def below(gone: set[Key], every: Iterable[Key], published: Published, areas: Mapping[str, Area]) -> set[Key]:
    """Add what goes with a count: smaller areas, parts of the category, outcomes of the incidents."""
    every, gone = list(every), set(gone)
    while True:
        more = {k for k in every if k not in gone and not gone.isdisjoint(published.above(k, areas[k.area]))}
        if not more:
            return gone
        gone |= more


def binding(relations: Iterable[Relation], spans: Mapping[Key, Span], *, kept: set[Key]) -> list[Relation]:
    """Leave out what can say nothing about a printed count, so that programmes stay small.

    Rows that no values inside the printed ranges break; and counts that are not offered, of which nothing is known but
    that they are at most some other: they may be 0.
    """
    own = [r for r in relations if _can_bind(r, spans)]
    while True:
        needed = {r.total for r in own} | {p for r in own if r.at_most for p in r.parts} | kept
        free = {p for r in own for p in r.parts if spans[p] == (0, inf)} - needed
        if not free:
            return own
        left = [r._replace(parts=tuple(p for p in r.parts if p not in free)) for r in own]
        own = [r for r in left if (r.parts or r.at_most) and _can_bind(r, spans)]


def _can_bind(relation: Relation, spans: Mapping[Key, Span]) -> bool:
    total = spans[relation.total]
    if relation.at_most:
        return total.upper > sum(spans[p].lower for p in relation.parts)
    return total.lower < sum(spans[p].upper for p in relation.parts)
