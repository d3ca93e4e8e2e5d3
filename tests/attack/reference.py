"""A second author of the rules: displays true counts in steps as METHODS says, in the files of the contract.

Written from METHODS alone, to test the attacker before and beside the product, and to plant mistakes.
"""

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.attack.attacker import room_limit
from tests.attack.folder import MEASURES, UNPLACED, Area, Folder, Key, Span
from tests.attack.relations import Published, Relation, Universe, below, candidates, granted, never_offered

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


def not_offered(city: City, steps: tuple[int, ...], *, leave_out: str = "") -> set[Key]:
    """Choose what is not offered by rule: METHODS, "No equations" and "Row rule"; the audit is left to the product.

    `leave_out` names a rule that a careless author forgets: "last part", "few parts" or "room".
    """
    # Relations are those that are granted, as if everything were printed.
    shown = {k: Span(n, n) for k, n in city.counts.items()}
    areas = {a: Area(level, parent, city.members.get(a, ())) for a, (level, parent) in city.areas.items()}
    published = Published(city.parents)
    every = list(candidates(Universe.of(Folder(step=1, shown=shown, areas=areas)), published))
    mine = granted(every, city.counts)
    both = {(r.total, r.parts) for r in mine if not r.at_most}
    rows = [r for r in mine if r.rule[0] == "union"]
    rows += [r for r in mine if r.at_most and r.rule[0] == "areas" and (r.total, r.parts) in both]
    never = never_offered(every, mine, published, areas)
    hidden = below(set().union(*(k for rule, k in never.items() if rule != leave_out)), city.counts, published, areas)
    while leave_out != "room":
        tight = [r for r in rows if hidden.isdisjoint((r.total, *r.parts)) and _without_room(city, r, steps)]
        if not tight:
            break
        hidden = below(hidden | {k for r in tight for k in (r.total, *r.parts)}, city.counts, published, areas)
    return hidden


def _without_room(city: City, row: Relation, steps: tuple[int, ...]) -> bool:
    """Say whether a row has no room in one of the steps: the published rule, on floors."""
    total, parts = city.counts[row.total], [city.counts[p] for p in row.parts]
    return any(total // t * t - sum(p // t * t for p in parts) > room_limit(len(parts), t) for t in steps)


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
