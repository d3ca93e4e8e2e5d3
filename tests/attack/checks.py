"""What no linear programme sees: order, middles and outlines that follow true counts."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from math import cos, hypot, isclose, radians
from typing import Any

import shapely
import shapely.geometry

from tests.attack.folder import AREA_LAYERS, Folder

METRES_PER_DEGREE = 111_320.0


def ranks_finer_than_steps(features: Iterable[dict[str, Any]]) -> list[str]:
    """Find hotspots of one range whose ranks or numbers tell them apart: equal lowers share a rank."""
    by_range: dict[Any, set[int]] = defaultdict(set)
    for feature in features:
        own = feature["properties"]
        by_range[own.get("incidents_lower"), own["incidents_band"]].add(own["rank"])
    return [f"{band}: ranks {sorted(ranks)}" for (_, band), ranks in by_range.items() if len(ranks) > 1]


def counts_inside_ranges(features: Iterable[dict[str, Any]]) -> list[str]:
    """Find hotspots that print a number beside their range."""
    found = []
    for feature in features:
        own = feature["properties"]
        low, high, number = own.get("incidents_lower"), own.get("incidents_upper"), own["incidents"]
        middle = None if not low or high is None else low + (high - low + 1) // 2
        if number is not None and number != middle:
            found.append(f"{own['hotspot_id']}: {number}")
    return found


def inside_more_than_they_hold(parts: list[dict[str, Any]], wholes: list[dict[str, Any]]) -> list[str]:
    """Find hotspots of all categories whose step begins below what the parts inside them add up to at their least."""
    found = []
    for whole in wholes:
        around = shapely.geometry.shape(whole["geometry"]).buffer(1e-6)
        inside = [p["properties"] for p in parts if around.covers(shapely.geometry.shape(p["geometry"]))]
        least = sum(p["incidents_lower"] for p in inside)
        if least > whole["properties"]["incidents_lower"]:
            found.append(f"{whole['properties']['hotspot_id']}: parts begin at {least}")
    return found


def outlines_off_the_lattice(features: Iterable[dict[str, Any]], size_m: float) -> list[str]:
    """Find outlines that are no unions of hexagons: each edge is as long as a side, decimals aside."""
    side = size_m / 3**0.5
    found = []
    for feature in features:
        for ring in (r for polygon in _polygons(feature["geometry"]) for r in polygon):
            lengths = [_metres(a, b) for a, b in pairwise(ring)]
            if not all(isclose(n, side, rel_tol=0.02) for n in lengths):
                found.append(str(feature["properties"]["hotspot_id"]))
                break
    return found


def _polygons(geometry: dict[str, Any]) -> list[Any]:
    return list(geometry["coordinates"]) if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]


def _metres(a: list[float], b: list[float]) -> float:
    return METRES_PER_DEGREE * hypot((a[0] - b[0]) * cos(radians(a[1])), a[1] - b[1])


FROM_STEPS = ("rate_per_10000", "outcome_share", "outcome_low", "outcome_high", "reliability")


def figures_beyond_steps(folder: Folder) -> list[str]:
    """Find figures that differ between rows that look the same: same level, category, residents and ranges."""
    people = {
        f["properties"]["area_code"]: f["properties"].get("population")
        for name in AREA_LAYERS
        for f in folder.layers.get(name, ())
    }
    ends = [f"{m}_{e}" for m in ("incidents", "positive_outcomes", "known_outcomes") for e in ("lower", "upper")]
    told: dict[tuple[Any, ...], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in folder.rows:
        alike = (row["level"], row["category"], row["period"], people.get(row["area_code"]), *(row[e] for e in ends))
        for figure in FROM_STEPS:
            told[alike][figure].add(row[figure])
    return [f"{alike}: {name} {sorted(v)}" for alike, f in told.items() for name, v in f.items() if len(v) > 1]
