"""A second author of the rules: displays true counts in steps as METHODS says, in the files of the contract.

Written from METHODS alone, to test the attacker before and beside the product, and to plant mistakes.
"""

import csv
import json
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from tests.attack.attacker import room_limit
from tests.attack.folder import MEASURES, UNPLACED, Area, Folder, Key, Span
from tests.attack.relations import Published, Relation, Universe, candidates, granted

LAYER = {"borough": "boroughs", "ward": "wards", "ward_group": "ward_groups"}


@dataclass
class City:
    """True counts and how they nest, as a test makes them up."""

    areas: dict[str, tuple[str, str]]
    """Area to its level and parent."""
    parents: dict[str, str]
    """Category to the one that contains it ("" under "all")."""
    counts: dict[Key, int]
    periods: tuple[str, ...] = ("2024-01..2024-12",)
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def level(self, key: Key) -> str:
        """Return the level of a count's area."""
        return self.areas[key.area][0]

    def children(self, area: str, level: str) -> list[str]:
        """Return the areas of a level in an area."""
        return [a for a, (own, parent) in self.areas.items() if parent == area and own == level]


def random_city(seed: int, *, unplaced: bool, chains: bool, disjoint: bool = False) -> City:
    """Draw a city of one borough, with wards and categories that nest.

    Parameters
    ----------
    unplaced
        Whether some incidents are in no ward, so that wards do not add up.
    chains
        Whether some incidents have an outcome that is known, and some a positive one.
    disjoint
        Whether each incident is of one category only.
    """
    rng = np.random.default_rng(seed)
    wards = [f"W{n}" for n in range(int(rng.integers(2, 8)))]
    areas = {"R": ("region", ""), "B": ("borough", "R"), **dict.fromkeys(wards, ("ward", "B"))}
    parents = {"race": "", "religion": "", "islamophobic": "religion", "antisemitic": "religion"}
    counts: dict[Key, int] = defaultdict(int)
    periods = ("2023-01..2023-12", "2024-01..2024-12")
    for period in periods:
        for ward in [*wards, *(["B"] if unplaced else [])]:
            for _ in range(int(rng.poisson(rng.gamma(1.0, 6.0)))):
                told = _incident(rng, disjoint=disjoint)
                known = not chains or bool(rng.random() < 0.8)
                positive = known and bool(rng.random() < 0.3)
                for area in dict.fromkeys((ward, "B", "R")):
                    for category in told:
                        counts[Key(area, period, category, "incidents")] += 1
                        counts[Key(area, period, category, "known_outcomes")] += known
                        counts[Key(area, period, category, "positive_outcomes")] += positive
    for area, period, category, measure in product(areas, periods, ("all", *parents), MEASURES):
        counts[Key(area, period, category, measure)] += 0
    return City(areas, parents, dict(counts), periods)


def _incident(rng: np.random.Generator, *, disjoint: bool) -> list[str]:
    race, religion, islamophobic = rng.random(3) < (0.6, 0.5, 0.5)
    if disjoint:
        religion = not race
    told = ["all", *["race"] * bool(race or not religion), *["religion"] * bool(religion)]
    return told + (["islamophobic" if islamophobic else "antisemitic"] if religion else [])


def relations_of(city: City) -> list[Relation]:
    """Find the relations that are granted, as if everything were printed."""
    shown = {k: Span(n, n) for k, n in city.counts.items()}
    areas = {a: Area(level, parent, city.members.get(a, ())) for a, (level, parent) in city.areas.items()}
    folder = Folder(step=1, shown=shown, areas=areas)
    return granted(candidates(Universe.of(folder), Published(city.parents)), city.counts)


def not_offered(city: City, steps: tuple[int, ...], *, leave_out: str = "") -> set[Key]:
    """Choose what is not offered by rule: METHODS, "No equations" and "Row rule"; the audit is left to the product.

    `leave_out` names a rule that a careless author forgets: "last part", "few parts" or "room".
    """
    mine = relations_of(city)
    both = {(r.total, r.parts) for r in mine if not r.at_most}
    unions = [r for r in mine if r.rule[0] == "union"]
    rows = unions + [r for r in mine if r.at_most and r.rule[0] == "areas" and (r.total, r.parts) in both]
    hidden: set[Key] = set()
    children = Published(city.parents).children
    for row in rows:
        kids = children.get(row.total.category, [])
        if row.rule[0] == "union" and len(row.parts) == len(kids) < 7 and leave_out != "last part":
            level, measure = city.level(row.total), row.total.measure
            if level not in {"region", "borough"}:
                last = (kids[-1], level, measure)
                hidden |= {k for k in city.counts if (k.category, city.level(k), k.measure) == last}
        if row.rule[0] == "areas" and 1 < len(row.parts) <= 3 and leave_out != "few parts":
            hidden |= {row.total} if city.level(row.parts[0]) == "borough" else set(row.parts)
    hidden = below(city, hidden)
    while leave_out != "room":
        tight = [r for r in rows if hidden.isdisjoint((r.total, *r.parts)) and _without_room(city, r, steps)]
        if not tight:
            break
        hidden = below(city, hidden | {k for r in tight for k in (r.total, *r.parts)})
    return hidden


def _without_room(city: City, row: Relation, steps: tuple[int, ...]) -> bool:
    """Say whether a row has no room in one of the steps: the published rule, on floors."""
    total, parts = city.counts[row.total], [city.counts[p] for p in row.parts]
    return any(total // t * t - sum(p // t * t for p in parts) > room_limit(len(parts), t) for t in steps)


def below(city: City, hidden: set[Key]) -> set[Key]:
    """Add what is below: smaller areas, parts of the category, outcomes of the incidents."""
    chain = {"incidents": "", "known_outcomes": "incidents", "positive_outcomes": "known_outcomes"}
    gone = set(hidden)
    while True:
        more = {
            k
            for k in city.counts
            if k not in gone
            and (
                k._replace(area=city.areas[k.area][1]) in gone
                or (k.category != "all" and k._replace(category=city.parents[k.category] or "all") in gone)
                or k._replace(measure=chain[k.measure]) in gone
            )
        }
        # The region of one or few boroughs is the one total that goes without its parts.
        more = {k for k in more if city.level(k) != "borough"}
        if not more:
            return gone
        gone |= more


def write_folder(path: Path, city: City, *, step: int, hidden: set[Key]) -> Path:
    """Write the table, the layers and the record of a release."""
    path.mkdir(parents=True, exist_ok=True)
    rows = [row_of(city, a, p, c, step=step, hidden=hidden) for a, p, c in sorted({k[:3] for k in city.counts})]
    write_table(path / "area_counts.csv", rows)
    last = max(city.periods)
    for level, name in LAYER.items():
        features = []
        for code, (own, parent) in city.areas.items():
            if own != level:
                continue
            told: dict[str, Any] = {"area_code": code, "level": level, "parent_code": parent}
            told |= {"period_start": f"{last[:7]}-01", "period_end": f"{last[-7:]}-28"}
            if code in city.members:
                told["ward_codes"] = ";".join(city.members[code])
            features.append({"type": "Feature", "id": code, "properties": told, "geometry": None})
        (path / f"{name}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    record = {"rules": {"protection": "steps", "step": step}}
    (path / "release.json").write_text(json.dumps(record), "utf-8")
    return path


def row_of(city: City, area: str, period: str, category: str, *, step: int, hidden: set[Key]) -> dict[str, Any]:
    """Make one row of the table."""
    row: dict[str, Any] = {"area_code": area, "level": city.areas[area][0], "period": period, "category": category}
    missing = [UNPLACED]
    row[UNPLACED] = ""
    for measure in MEASURES:
        key = Key(area, period, category, measure)
        row |= {measure: "", f"{measure}_lower": "", f"{measure}_upper": ""}
        if key in hidden:
            missing.append(measure)
        elif key in city.counts:
            row |= shown_as(city.counts[key], measure, step)
    return row | {"not_offered": ";".join(missing)}


def shown_as(count: int, measure: str, step: int) -> dict[str, Any]:
    """Return the columns of a count."""
    low = count // step * step
    middle = low + step // 2 if low else ""
    return {measure: middle, f"{measure}_lower": low, f"{measure}_upper": low + step - 1}


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
