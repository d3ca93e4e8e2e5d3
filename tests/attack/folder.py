"""What an attacker reads in a released folder: for every count, the numbers that it may be.

Nothing here is shared with the package: the file formats are those of the data dictionary, read with the standard
library; outlines with shapely.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import shapely
import shapely.geometry

from tests.attack import workbook

MEASURES = ("incidents", "positive_outcomes", "known_outcomes")
UNPLACED = "incidents_unplaced"
AREA_LAYERS = ("county", "boroughs", "ward_groups", "wards")
"""Layers of areas, the larger first; `county` is what the cities with three levels call the third."""
OUTLINES = ("hotspots", "density", "hotspots_by_category", "density_by_category")
STATED = "stated"
"""In the place of a value: how many incidents state any value of a variable."""


class Key(NamedTuple):
    """One count: where, when, of what, and which count. Circumstances write organisation/variable/value as measure."""

    area: str
    period: str
    category: str
    measure: str


class Span(NamedTuple):
    """The least and greatest number that is printed for a count."""

    lower: float
    upper: float


@dataclass(frozen=True)
class Area:
    """An area as the layers give it."""

    level: str
    parent: str
    members: tuple[str, ...] = ()


@dataclass
class Folder:
    """All that is printed in one released folder, or in several that are joined."""

    step: int
    shown: dict[Key, Span] = field(default_factory=dict)
    not_offered: set[Key] = field(default_factory=set)
    promise: dict[Key, int] = field(default_factory=dict)
    steps: dict[Key, tuple[int, int]] = field(default_factory=dict)
    """Of a count that is one step: its lower end and the width of the step that its folder uses."""
    areas: dict[str, Area] = field(default_factory=dict)
    editions: tuple[Mapping[str, Area], ...] = ()
    """Areas by edition of wards, where folders of several are joined."""
    rows: list[dict[str, str]] = field(default_factory=list)
    circumstances: list[dict[str, str]] = field(default_factory=list)
    layers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)

    @property
    def layouts(self) -> tuple[Mapping[str, Area], ...]:
        """Areas that are inside each other, edition by edition."""
        return self.editions or (self.areas,)

    def wards(self) -> frozenset[str]:
        """Return the codes of wards."""
        return frozenset(code for code, area in self.areas.items() if area.level == "ward")

    def may_show(self, key: Key) -> bool:
        """Return whether a folder gives counts of this category by areas of this level at all, as its record says."""
        detail = self.record.get("rules", {}).get("detail", {}).get(key.category)
        level = self.areas[key.area].level
        if level == "ward_group" and detail == level:
            long = self.long_windows
            return (key.period in long.get(key.category, ())) == (key.category in long)
        return detail is None or level in {"region", "county", "borough", detail}

    @property
    def long_windows(self) -> Mapping[str, list[str]]:
        """Return the windows of the categories that groups of wards are given in longer windows alone."""
        found: Mapping[str, list[str]] = self.record.get("rules", {}).get("long_windows", {})
        return found

    def note(self, key: Key, lower: float, upper: float) -> None:
        """Write down one printed range; two files that differ leave what both allow."""
        least, most = self.shown.get(key, (0.0, inf))
        self.shown[key] = Span(max(least, lower), min(most, upper))
        self.promise[key] = min(self.promise.get(key, self.step), self.step)
        if upper - lower == self.step - 1:
            self.steps[key] = (int(lower), self.step)


def read_layers(path: Path) -> Folder:
    """Read the record, the areas and the outlines of a folder, without its counts of areas."""
    record = json.loads((path / "release.json").read_text("utf-8"))
    folder = Folder(step=int(record["rules"]["step"]), record=record)
    for name in (*AREA_LAYERS, *OUTLINES):
        file = path / f"{name}.geojson"
        if file.exists():
            folder.layers[name] = json.loads(file.read_text("utf-8"))["features"]
    _areas(folder)
    return folder


def read_folder(path: Path) -> Folder:
    """Read a released folder."""
    folder = read_layers(path)
    folder.rows = table(path / "area_counts.csv")
    for row in folder.rows:
        folder.areas.setdefault(row["area_code"], Area(row["level"], ""))
        _counts(folder, row, row["category"], MEASURES, at=(row["area_code"], row["period"]))
        _unplaced(folder, row)
    _layers(folder)
    if (path / "tables.xlsx").exists():
        _workbook(folder, path / "tables.xlsx")
    file = path / "circumstances.csv"
    folder.circumstances = table(file) if file.exists() else []
    for row in folder.circumstances:
        name = "/".join((row["organisation"], row["question"], row["answer"]))
        at = Key(row["area_code"], row["period"], row["category"], name)
        _ends(folder, row, at, "incidents")
        if row["question"] != "organisation":
            _ends(folder, row, at._replace(measure=name.rpartition("/")[0] + f"/{STATED}"), "stated")
    return folder


def table(path: Path) -> list[dict[str, str]]:
    """Read a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _areas(folder: Folder) -> None:
    inside = _wards_of_groups(folder.layers.get("ward_groups", []), folder.layers.get("wards", []))
    for name in AREA_LAYERS:
        for feature in folder.layers.get(name, ()):
            own = feature["properties"]
            members = tuple(inside.get(own["area_code"], ()))
            folder.areas[own["area_code"]] = Area(own["level"], own["parent_code"] or "", members)
            if own["level"] in {"county", "borough"} and own["parent_code"]:
                folder.areas.setdefault(own["parent_code"], Area("region", ""))


def _wards_of_groups(groups: list[dict[str, Any]], wards: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Find which wards make up each group: those that lie in its outline, or that a layer without outlines names."""
    found: dict[str, list[str]] = {}
    shapes = [g for g in groups if g["geometry"] and not g["properties"].get("ward_codes")]
    for group in groups:
        if group["properties"].get("ward_codes"):
            found[group["properties"]["area_code"]] = group["properties"]["ward_codes"].split(";")
    tree = shapely.STRtree([shapely.geometry.shape(g["geometry"]) for g in shapes])
    for ward in wards if shapes else []:
        point = shapely.geometry.shape(ward["geometry"]).representative_point()
        for at in tree.query(point, predicate="within"):
            found.setdefault(shapes[at]["properties"]["area_code"], []).append(ward["properties"]["area_code"])
    return found


def _counts(folder: Folder, row: Mapping[str, Any], category: str, names: tuple[str, ...], at: tuple[str, str]) -> None:
    for name in names:
        if f"{name}_lower" in row:
            _ends(folder, row, Key(*at, category, name), name)


def _ends(folder: Folder, row: Mapping[str, Any], key: Key, name: str) -> None:
    """Read one count of a row: its step, or that it is not offered; what is printed beside it must say no more."""
    low, high = _number(row.get(f"{name}_lower")), _number(row.get(f"{name}_upper"))
    middle = _number(row.get(name))
    if low is not None and high is not None:
        folder.note(key, low, high)
        lies = low > 0 and middle not in {None, low + (high - low + 1) // 2}
        if (low == 0 and middle is not None and high > 0) or lies:
            folder.contradictions.append(f"{key}: {middle:g} is not the middle of {low:g} to {high:g}")
            folder.shown[key] = Span(middle, middle)
    elif middle is not None:
        folder.note(key, middle, middle)
    elif name in (row.get("not_offered") or "").split(";"):
        folder.not_offered.add(key)


def _unplaced(folder: Folder, row: Mapping[str, str]) -> None:
    """Incidents without a place are never offered; what a folder prints of them all the same is read."""
    key = Key(row["area_code"], row["period"], row["category"], UNPLACED)
    number = _number(row.get(UNPLACED))
    ends = _number(row.get(f"{UNPLACED}_lower")), _number(row.get(f"{UNPLACED}_upper"))
    if ends[0] is not None and ends[1] is not None:
        folder.note(key, *ends)
    elif number is not None:
        folder.note(key, number, number)


def _number(text: Any) -> float | None:
    return None if text is None or text == "" else float(text)


def _layers(folder: Folder) -> None:
    """Read the counts of the area layers beside those of the table: one that is only in a layer is found here."""
    for name in AREA_LAYERS:
        for feature in folder.layers.get(name, ()):
            own = feature["properties"]
            period = window(own["period_start"], own["period_end"])
            at = own["area_code"], period
            _counts(folder, own, "all", ("incidents", "positive_outcomes"), at)
            for column in own:
                if column.startswith("incidents_") and column.endswith("_lower"):
                    category = column.removeprefix("incidents_").removesuffix("_lower")
                    if category not in {"lower", "unplaced"}:
                        long = folder.long_windows.get(category) if own["level"] == "ward_group" else None
                        key = Key(own["area_code"], long[-1] if long else period, category, "incidents")
                        _ends(folder, own, key, f"incidents_{category}")


def _workbook(folder: Folder, path: Path) -> None:
    """Read the workbook beside the table: where the two differ, what both allow is left."""
    shown = {
        (row["area_code"], row["period"], row["category"]): (
            float(row["incidents_lower"]),
            float(row["incidents_upper"]),
        )
        for row in folder.rows
        if row["incidents_lower"]
    }
    found = workbook.rows(path, window)
    categories = workbook.categories_of(found, shown)
    for row in found:
        key = Key(row.area, row.period, categories.get(row.label, row.label), "incidents")
        folder.note(key, row.lower, row.upper)


def window(start: str, end: str) -> str:
    """Name a window as the table does: its first and last month."""
    first, last = start[:7], end[:7]
    return first if first == last else f"{first}..{last}"


def joined(*folders: Folder) -> Folder:
    """Lay folders side by side: of a count in several, what all of them allow; the least step is what was promised."""
    layouts: dict[frozenset[str], dict[str, Area]] = {}
    for folder in folders:
        own = layouts.setdefault(folder.wards(), {})
        own |= {k: a for k, a in folder.areas.items() if a.parent or k not in own}
    whole = replace(
        folders[0],
        step=min(f.step for f in folders),
        shown=dict(folders[0].shown),
        not_offered=set(),
        promise=dict(folders[0].promise),
        steps=dict(folders[0].steps),
        areas={},
        editions=tuple(layouts.values()) if len(layouts) > 1 else (),
        contradictions=[c for f in folders for c in f.contradictions],
    )
    for other in folders:
        whole.areas = {**whole.areas, **{k: a for k, a in other.areas.items() if a.parent or k not in whole.areas}}
    for other in folders[1:]:
        for key, (lower, upper) in other.shown.items():
            least, most = whole.shown.get(key, (0.0, inf))
            whole.shown[key] = Span(max(least, lower), min(most, upper))
            whole.promise[key] = min(whole.promise.get(key, other.promise[key]), other.promise[key])
        for key, (lower, step) in other.steps.items():
            if step < whole.steps.get(key, (0, step + 1))[1]:
                whole.steps[key] = (lower, step)
        whole.circumstances = whole.circumstances or other.circumstances
    whole.not_offered = set().union(*(f.not_offered for f in folders)) - set(whole.shown)
    return whole


@cache
def months_of(period: str) -> tuple[str, ...]:
    """Return the months of a window.

    >>> months_of("2024-11..2025-01")
    ('2024-11', '2024-12', '2025-01')
    """
    first, _, last = period.partition("..")
    year, month = map(int, first.split("-"))
    found = [first]
    while found[-1] != (last or first):
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        found.append(f"{year:04d}-{month:02d}")
    return tuple(found)
