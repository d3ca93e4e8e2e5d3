"""What outlines and their pages tell: counts inside outlines tied to counts of areas, and numbers on printed pages."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import shapely
import shapely.geometry

from tests.attack.folder import Folder, Key, Span
from tests.attack.relations import Relation

LAYERS = ("hotspots", "hotspots_by_category")


def _features(folder: Folder) -> Iterator[tuple[Key, Span, dict[str, Any], Any]]:
    """Yield each hotspot: its count as a key, its step, its properties and its outline.

    A hotspot that two folders draw alike is one: its key is made of the outline.
    """
    region = next(code for code, area in folder.areas.items() if area.level == "region")
    for name in LAYERS:
        for feature in folder.layers.get(name, ()):
            own, shape = feature["properties"], shapely.geometry.shape(feature["geometry"])
            mark = sha256(shapely.to_wkt(shapely.normalize(shape), rounding_precision=5).encode()).hexdigest()[:12]
            period = f"{own['first_period']}..{own['last_period']}"
            key = Key(region, period, own.get("category") or "all", f"outline/{mark}")
            yield key, Span(own["incidents_lower"], own["incidents_upper"]), own, shape


def note_outlines(folder: Folder) -> None:
    """Add the counts of hotspots to what a folder shows."""
    for key, span, _, _ in _features(folder):
        folder.note(key, *span)


def outline_relations(folder: Folder, parents: Mapping[str, str]) -> list[Relation]:
    """Tie counts inside outlines to those of areas.

    The areas that an outline touches hold at least its count; an area holds at least those of all outlines in it alone;
    a hotspot of a category inside one of a wider category has at most its count.

    Parameters
    ----------
    folder
        One folder, read.
    parents
        Category to the one that contains it; empty for parts of "all".
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for code, area in folder.areas.items():
        for ward in area.members:
            groups[ward].append(code)
    found: list[Relation] = []
    alone: dict[Key, list[Key]] = defaultdict(list)
    drawn = list(_features(folder))
    for key, _, own, _ in drawn:
        wards = own["ward_codes"].split(";")
        boroughs = sorted({folder.areas[w].parent for w in wards})
        around = sorted({group for ward in wards for group in groups[ward]})
        for level, codes in (("ward", wards), ("ward_group", around), ("borough", boroughs)):
            if not codes:
                continue
            areas = tuple(key._replace(area=code, measure="incidents") for code in codes)
            found.append(Relation(("outline over", level, key.category), key, areas, at_most=True))
            if len(areas) == 1:
                alone[areas[0]].append(key)
    for area, inside in alone.items():
        found.append(Relation(("outlines inside", area.category), area, tuple(inside), at_most=False))
    for part, _, _, shape in drawn:
        wider = set(above(part.category, parents))
        for whole, _, _, around in drawn:
            if whole.category in wider and around.buffer(1e-6).covers(shape):
                found.append(Relation(("outline of a part", part.category), whole, (part,), at_most=False))
    return found


def above(category: str, parents: Mapping[str, str]) -> Iterator[str]:
    """Yield the categories that one is part of, "all" last."""
    while category != "all":
        category = parents[category] or "all"
        yield category


def true_outlines(folder: Folder, internal: Folder) -> dict[Key, int]:
    """Find the true count of each hotspot: of the analyst's hotspot that lies in its outline."""
    exact = [(key.category, own["incidents"], shape) for key, _, own, shape in _features(internal)]
    found = {}
    for key, span, _, shape in _features(folder):
        inside = [
            (shapely.area(shapely.intersection(own, shape)), count)
            for category, count, own in exact
            if category == key.category and span.lower <= count <= span.upper and own.intersects(shape)
        ]
        found[key] = int(max(inside)[1])
    return found


# Printed pages: an attacker reads every number on them.


class _Text(HTMLParser):
    """The text of a page, drawings' labels too; neither styles nor scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._skip = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._skip += tag in {"style", "script"}
        self.pieces += [value for name, value in attrs if name in {"aria-label", "title", "alt"} and value]

    def handle_endtag(self, tag: str) -> None:
        self._skip -= tag in {"style", "script"}

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self.pieces.append(data)


def text_of(page: str) -> str:
    """Return all text of a page.

    >>> text_of('<style>p { top: 9px }</style><p title="3">20 to 24</p>')
    '3 20 to 24'
    """
    reader = _Text()
    reader.feed(page)
    return " ".join(" ".join(reader.pieces).split())


NUMBER = re.compile(r"(?<![\w.,])\d+(?:[,.]\d+)*")


def unexplained_numbers(pages: Iterable[Path], features: Iterable[dict[str, Any]], known: Iterable[str]) -> list[str]:
    """Find numbers on pages of hotspots that neither the layer nor anything public explains.

    Parameters
    ----------
    pages
        The pages, named after the hotspots' ids.
    features
        The layer of hotspots.
    known
        Texts that anybody may know: names of areas and of places. Numbers that every page has are fixed wording.
    """
    texts = {path.stem: text_of(path.read_text("utf-8")) for path in pages}
    of = {f["properties"]["hotspot_id"]: f["properties"] for f in features}
    fixed = set.intersection(*(set(NUMBER.findall(t)) for t in texts.values())) if len(texts) > 2 else set()
    ranks = {str(own["rank"]) for own in of.values()}
    found = []
    for ident, text in texts.items():
        own = of[ident]
        left = text
        for name in sorted({*known, *(o["name"] for o in of.values())}, key=len, reverse=True):
            left = left.replace(name, " ")
        # Distances between outlines, of which the layer has both.
        left = re.sub(r"\d+(?:\.\d+)? k?m (?=north|south|east|west)", " ", left)
        left = re.sub(r"(?<!\w)[125]0* k?m(?![\w²])", " ", left)  # the scale bar
        explained = {f"{own['incidents_lower']:,}", f"{own['incidents_upper']:,}", str(len(of)), *ranks, ident[1:]}
        explained |= {f"{own['area_km2']:.{d}f}" for d in (1, 2)} | {str(len(own["ward_codes"].split(";")))}
        explained |= {str(len(own["ward_codes"].split(";")) - k) for k in range(1, 6)}
        found += [f"{ident}: {n}" for n in NUMBER.findall(left) if n not in explained | fixed]
    return found
