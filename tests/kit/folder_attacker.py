"""An attacker who has nothing but a released folder. He shares no code with the package.

He reads every file, writes down each number he finds for a count (printed, or worked back from a rate, a share, a
percentage or a density), adds what he knows of the layout (wards make up boroughs, months years, categories nest),
and solves for what was withheld (`folder_search`).
"""

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path

from tests.kit.folder_facets import facet_lines, facets, questions_of
from tests.kit.folder_layout import MEASURES, layout
from tests.kit.folder_pages import Guide, packages, pages
from tests.kit.folder_search import Found, Line, bound

Key = tuple[str, str, str, str]  # area, period, category, measure
TINY = 1e-6


@dataclass
class Book:
    """What he wrote down: what each count may be, and what ties them together."""

    seen: dict[Key, tuple[float, float]] = field(default_factory=dict)
    hidden: set[Key] = field(default_factory=set)
    lines: list[Line] = field(default_factory=list)
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
    packed = list(packages(folder))
    _layers(book, {n: [{"properties": r} for layer, r in packed if layer == n] for n in layers}, rules, page)
    _page(book, page, rules)
    lines = layout(
        {(r["area_code"], r["period"], r["category"]): r["level"] for r in rows},
        parents=parents,
        above={c["id"]: c["parent"] or "all" for c in page["categories"]},
        cohort=page["info"]["outcomes"] == "cohort",
        scope=rules["scope"],
        seen=book.seen,
    )
    told = folder / "circumstances.csv"
    described = list(csv.DictReader(told.read_text("utf-8-sig").splitlines())) if told.exists() else []
    for key, span in facets(described, lambda n: _span(n, rules)):
        if span is None:
            book.hidden.add(key)
        book.narrow(key, *(span or (0, inf)))
    lines = [*lines, *facet_lines(described, next(r["area_code"] for r in rows if r["level"] == "region"))]
    book.lines += [line for line in lines if all(k in book.seen for k in line.weights)]
    guide = Guide(
        names={r["area_code"]: r["area_name"] for r in rows},
        parents=parents,
        labels={c["id"]: c["label"] for c in page["categories"]},
        people={area: float(n) for area, n in people.items() if n},
        region=next(r["area_code"] for r in rows if r["level"] == "region"),
        period=page["info"]["headline"],
        noun=page["info"]["noun"],
        span=lambda n: _span(n, rules),
        seen=dict(book.seen),
        answers=questions_of(described),
    )
    for key, span in pages(folder, guide):
        if key in book.hidden:
            book.narrow(key, *span)
    _hotspots(book, layers["hotspots"], page["info"]["headline"])
    _hotspots(book, [{"properties": row} for layer, row in packed if layer == "hotspots"], page["info"]["headline"])
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
        wards = [(w, period, "all", "incidents") for w in told["ward_codes"].split(";") if w]
        if all(w in book.seen for w in wards):
            book.lines.append(Line({key: 1.0, **dict.fromkeys(wards, -1.0)}, -inf, 0.0))


def band(words: str) -> tuple[float, float]:
    """Read a band as people write it."""
    numbers = [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", words)]
    if words.startswith("fewer"):
        return 0, numbers[0] - 1
    return (numbers[0], inf) if "more" in words else (numbers[0], numbers[-1])


def attack(book: Book, *, again: bool = False) -> Found:
    """Solve for what is withheld; a rule that the folder contradicts somewhere is believed elsewhere if `again`."""
    return bound(book.seen, book.hidden, book.lines, enough=book.promise, again=again)


def ranges(book: Book, *, enough: float) -> dict[Key, tuple[float, float]]:
    """Return the smallest and largest whole number each hidden count can be, if they are not `enough` apart."""
    return bound(book.seen, book.hidden, book.lines, enough=enough, again=False).ends


def enlightened(book: Book, truth: Mapping[Key, int]) -> Book:
    """Tell him which of his lines the truth breaks, and on which side: nothing he goes by is false any more."""
    lines = []
    for line in book.lines:
        total = sum(a * truth.get(k, 0) for k, a in line.weights.items())
        low, high = (-inf if total < line.low else line.low), (inf if total > line.high else line.high)
        lines.append(Line(line.weights, low, high))
    return replace(book, lines=lines)


def too_narrow(folder: Path) -> dict[Key, tuple[float, float]]:
    """Return every withheld count that the folder gives away more narrowly than it promises."""
    book = read_folder(folder)
    return narrow(attack(book), book.promise)


def narrow(found: Found, promise: float) -> dict[Key, tuple[float, float]]:
    """Return what he recovers more narrowly than promised."""
    return {k: ends for k, ends in found.ends.items() if ends[1] - ends[0] < promise}
