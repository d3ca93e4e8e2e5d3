"""An attacker who has nothing but a released folder. He shares no code with the package.

He reads every file, writes down each number he finds for a count (printed, or worked back from a rate, a share, a
percentage or a density), adds what he knows of the layout (wards make up boroughs, months years, categories nest),
and solves for what was withheld: linear programmes first, whole-number programmes where these come out narrow.
"""

import csv
import json
import re
from dataclasses import dataclass, field
from math import ceil, floor, inf
from pathlib import Path

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

Key = tuple[str, str, str, str]  # area, period, category, measure
MEASURES = ("incidents", "incidents_unplaced", "positive_outcomes", "known_outcomes")
TINY = 1e-6


@dataclass
class Book:
    """What he wrote down: what each count may be, and lines ``low <= sum of coefficient x count <= high``."""

    seen: dict[Key, tuple[float, float]] = field(default_factory=dict)
    hidden: set[Key] = field(default_factory=set)
    lines: list[tuple[dict[Key, float], float, float]] = field(default_factory=list)
    promise: int = 0

    def narrow(self, key: Key, low: float, high: float) -> None:
        least, most = self.seen.get(key, (0.0, inf))
        self.seen[key] = max(least, low), min(most, high)


def read_folder(folder: Path) -> Book:
    """Read all files of a released folder."""
    book = Book()
    record = json.loads((folder / "release.json").read_text("utf-8"))
    rules = record["rules"]
    book.promise = rules["threshold"]
    layers = {
        n: json.loads((folder / f"{n}.geojson").read_text("utf-8"))["features"]
        for n in ("boroughs", "wards", "hotspots")
    }
    page = json.loads(
        re.search(
            r'<script type="application/json" id="data">(.*?)</script>',
            (folder / "index.html").read_text("utf-8"),
            re.DOTALL,
        )[1]
    )
    people = {
        f["properties"]["area_code"]: f["properties"]["population"] for n in ("boroughs", "wards") for f in layers[n]
    }
    people |= {c: p for level in page["levels"].values() for c, p in zip(level["code"], level["people"], strict=True)}
    parents = {
        f["properties"]["area_code"]: f["properties"]["parent_code"] for n in ("boroughs", "wards") for f in layers[n]
    }
    rows = list(csv.DictReader((folder / "area_counts.csv").read_text("utf-8-sig").splitlines()))
    for row in rows:
        _row(book, row, rules, people)
    _layers(book, layers, rules, page)
    _page(book, page, rules)
    _layout(book, rows, parents, page, scope=rules["scope"])
    _hotspots(book, layers["hotspots"], page["info"]["headline"])
    return book


def _span(number: float, rules: dict) -> tuple[float, float]:
    """What a printed count may stand for."""
    base = rules["rounding"]
    if rules["protection"] == "noise" or number == 0 or base < 2:
        return (
            (number, number)
            if rules["protection"] != "noise"
            else (max(number - 3, 0), number + max(3, rules["threshold"]))
        )
    return max(number - base // 2, rules["threshold"]), number + (base + 1) // 2 - 1


def _row(book: Book, row: dict, rules: dict, people: dict) -> None:
    """Write down one row of area_counts.csv, and what its figures give back."""
    at = row["area_code"], row["period"], row["category"]
    gone = set(row["withheld"].split(";"))
    for measure in MEASURES:
        key = (*at, measure)
        if row[measure] != "":
            book.narrow(key, *_span(float(row[measure]), rules))
        elif measure in gone:
            book.hidden.add(key)
            book.narrow(key, 0, inf)
    residents = people.get(row["area_code"])
    if row["rate_per_10000"] and residents:
        worked = float(row["rate_per_10000"]) * residents / 10_000
        near = 0.00006 * residents / 10_000 + TINY
        if (*at, "incidents") in book.hidden:
            book.narrow((*at, "incidents"), worked - near, worked + near)
    known = book.seen.get((*at, "known_outcomes"), (0, inf))
    if row["outcome_share"] and (*at, "positive_outcomes") in book.hidden and known[1] < inf:
        share = float(row["outcome_share"])
        book.narrow((*at, "positive_outcomes"), share * known[0] - 0.6, share * known[1] + 0.6)


def _layers(book: Book, layers: dict, rules: dict, page: dict) -> None:
    """Compare the layers with the table: a number there that the table withholds is found."""
    period = page["info"]["headline"]
    for feature in (*layers["boroughs"], *layers["wards"]):
        told = feature["properties"]
        for name, value in told.items():
            if value is None or not (name in MEASURES or name.startswith("incidents_")):
                continue
            measure, category = (name, "all") if name in MEASURES else ("incidents", name.removeprefix("incidents_"))
            key = (told["area_code"], period, category, measure)
            if key in book.hidden:
                book.narrow(key, *_span(float(value), rules))


def _expanded(cells: str) -> list[str]:
    """Undo runs: `w*3` is three cells."""
    out: list[str] = []
    for cell in cells.split(","):
        value, star, times = cell.partition("*")
        out += [value] * (int(times) if star else 1)
    return out


def _page(book: Book, page: dict, rules: dict) -> None:
    """Read the numbers on the map page."""
    for level in page["levels"].values():
        for period, categories in level["values"].items():
            for category, columns in categories.items():
                for letter, measure in (("n", "incidents"), ("u", "incidents_unplaced"), ("o", "positive_outcomes")):
                    for code, cell in zip(level["code"], _expanded(columns.get(letter, "")), strict=False):
                        key = (code, period, category, measure)
                        if cell not in {"", "w"} and key in book.hidden:
                            book.narrow(key, *_span(float(cell), rules))
                for code, cell, n in zip(level["code"], _expanded(columns.get("r", "")), level["people"], strict=False):
                    key = (code, period, category, "incidents")
                    if cell not in {"", "w"} and key in book.hidden and n:
                        book.narrow(key, float(cell) * n / 10_000 - 0.01, float(cell) * n / 10_000 + 0.01)


def _months(period: str) -> list[str]:
    first, _, last = period.partition("..")
    year, month = map(int, first.split("-"))
    out = [first]
    while last and out[-1] != last:
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        out.append(f"{year:04d}-{month:02d}")
    return out


def _layout(book: Book, rows: list[dict], parents: dict, page: dict, *, scope: list[str]) -> None:
    """Write down how counts nest."""
    every = {(r["area_code"], r["period"], r["category"]): r["level"] for r in rows}
    children: dict[str, list[str]] = {}
    for child, parent in parents.items():
        if parent:
            children.setdefault(parent, []).append(child)
    for (area, period, category), level in every.items():
        kids = [(k, period, category) for k in children.get(area, [])]
        if kids and all(k in every for k in kids):
            for measure in ("incidents", "positive_outcomes", "known_outcomes"):
                line = {(area, period, category, measure): 1.0, **{(*k, measure): -1.0 for k in kids}}
                rest = (area, period, category, "incidents_unplaced")
                whole = measure == "incidents" and rest in book.seen and not (scope and level == "region")
                if whole:
                    line[rest] = -1.0
                book.lines.append((line, 0.0, 0.0 if whole else inf))
        months = _months(period)
        parts = [(area, m, category) for m in months] if len(months) > 1 else []
        if parts and all(p in every for p in parts):
            for measure in MEASURES:
                line = {(area, period, category, measure): 1.0, **{(*p, measure): -1.0 for p in parts}}
                book.lines.append((line, 0.0, 0.0))
        for other in {p for a, p, c in every if a == area and c == category and p != period}:
            inside = _months(other)
            if len(inside) < len(months) and set(inside) < set(months):
                for measure in MEASURES:
                    book.lines.append(
                        ({(area, other, category, measure): 1.0, (area, period, category, measure): -1.0}, -inf, 0.0)
                    )
        above = {c["id"]: c["parent"] or "all" for c in page["categories"]}
        if category != "all" and (area, period, above[category]) in every:
            for measure in MEASURES:
                book.lines.append(
                    (
                        {(area, period, category, measure): 1.0, (area, period, above[category], measure): -1.0},
                        -inf,
                        0.0,
                    )
                )
        if page["info"]["outcomes"] == "cohort":
            for small, large in (
                ("positive_outcomes", "known_outcomes"),
                ("known_outcomes", "incidents"),
                ("incidents_unplaced", "incidents"),
            ):
                book.lines.append(
                    ({(area, period, category, small): 1.0, (area, period, category, large): -1.0}, -inf, 0.0)
                )
    book.lines = [(line, a, b) for line, a, b in book.lines if all(k in book.seen for k in line)]


def _hotspots(book: Book, features: list[dict], period: str) -> None:
    """Read hotspots as parts of their wards."""
    for feature in features:
        told = feature["properties"]
        low, high = band(told["incidents_band"])
        key = (told["hotspot_id"], period, "all", "incidents")
        book.narrow(key, low, high)
        if told["density_per_km2"] is not None:
            worked = told["density_per_km2"] * told["area_km2"]
            book.hidden.add(key)
            book.narrow(key, worked - 0.51, worked + 0.51)
        if told["incidents"] is not None:
            book.hidden.add(key)
            book.narrow(key, told["incidents"], told["incidents"])
        wards = [(w, period, "all", "incidents") for w in told["ward_codes"].split(";") if w]
        if all(w in book.seen for w in wards):
            book.lines.append(({key: 1.0, **dict.fromkeys(wards, -1.0)}, -inf, 0.0))
            for ward in wards:
                book.narrow(ward, 1, inf)


def band(words: str) -> tuple[float, float]:
    """Read a band as people write it."""
    numbers = [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", words)]
    if words.startswith("fewer"):
        return 0, numbers[0] - 1
    return (numbers[0], inf) if "more" in words else (numbers[0], numbers[-1])


def ranges(book: Book, *, enough: float = inf) -> dict[Key, tuple[float, float]]:
    """Return the smallest and largest whole number each hidden count can be.

    A count that two tables he found already set `enough` apart is left at that.
    """
    keys = sorted(book.seen)
    at = {k: i for i, k in enumerate(keys)}
    entries = [(r, at[k], a) for r, (line, _, _) in enumerate(book.lines) for k, a in line.items()]
    shape = (len(book.lines), len(keys))
    r, c, a = (list(v) for v in zip(*entries, strict=True)) if entries else ([], [], [])
    matrix = csr_array((a, (r, c)), shape=shape)
    rows = LinearConstraint(matrix, [low for _, low, _ in book.lines], [high for *_, high in book.lines])
    low = np.array([ceil(book.seen[k][0] - TINY) for k in keys], dtype=float)
    high = np.array([floor(book.seen[k][1] + TINY) if book.seen[k][1] < inf else inf for k in keys])
    tables: list[np.ndarray] = []
    if enough < inf:  # whole-number tables far apart settle most counts at once
        for lot in np.random.default_rng(0).choice([-1.0, 1.0], size=(4, len(keys))):
            tables += [_solve(sign * lot, rows, low, high, whole=True, wall=2_000.0) for sign in (1.0, -1.0)]
    found = {}
    for key in sorted(book.hidden):
        values = [t[at[key]] for t in tables]
        if values and max(values) - min(values) >= enough:
            found[key] = (min(values), max(values))
            continue
        ends = _ends(at[key], rows, low, high, tables, whole=False)
        if ends[1] - ends[0] < enough + 3:
            ends = _ends(at[key], rows, low, high, tables, whole=True)
        found[key] = ends
    return found


def _ends(position: int, rows: LinearConstraint, low, high, tables: list, *, whole: bool) -> tuple[float, float]:
    ends = []
    for sign in (1.0, -1.0):
        cost = np.zeros(low.size)
        cost[position] = sign
        answer = _solve(cost, rows, low, high, whole=whole, wall=5_000.0)
        if whole:
            tables.append(answer)
        ends.append(answer[position])
    return ceil(ends[0] - 1e-5), floor(ends[1] + 1e-5)


def _solve(cost, rows: LinearConstraint, low, high, *, whole: bool, wall: float) -> np.ndarray:
    """Minimise; a far wall in place of infinity keeps every programme bounded, and no promise is that wide."""
    answer = milp(
        cost,
        constraints=rows if rows.A.shape[0] else None,
        bounds=Bounds(low, np.where(np.isinf(high), np.maximum(low, 0) + wall, high)),
        integrality=np.ones(low.size) if whole else None,
        options={"presolve": False, "mip_rel_gap": 0.1 if wall < 5_000 else 0.0},
    )
    assert answer.x is not None, answer.message
    return np.round(answer.x) if whole else answer.x


def pinned(folder: Path) -> dict[Key, tuple[float, float]]:
    """Return every withheld count that the folder gives away more narrowly than it promises."""
    book = read_folder(folder)
    return {k: ends for k, ends in ranges(book, enough=book.promise).items() if ends[1] - ends[0] < book.promise}
