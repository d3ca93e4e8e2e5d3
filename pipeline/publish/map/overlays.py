"""Overlays of the map: what tests of place and time found, as shapes over the areas, for the internal page alone.

An overlay has a name, a key of colours, and features of a category, each with a row of texts: the tooltip, the table
and the download show the same row.
"""

from collections.abc import Callable, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from pipeline.detect.concentration import TOP_PCT
from pipeline.detect.emerging import Pattern
from pipeline.detect.gistar import MoranClass
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Period
from pipeline.geography import topology
from pipeline.publish import words
from pipeline.publish.cluster_circles import clusters_as_circles
from pipeline.publish.map.fields import OverlayFeatureFields, OverlayFields
from pipeline.publish.words import say
from pipeline.release.released import Released
from pipeline.tables import (
    ANALYSIS_CELLS,
    HARM_DENSITY,
    HARM_HOTSPOTS,
    NEAR_REPEAT_ZONES,
    RISK_BANDS,
)

__all__ = ["MOST_FEATURES", "overlay_fields"]

MOST_FEATURES = 400
"""Features of one category on the map: a thousand cells of six categories would make the page a fifth larger."""


def overlay_fields(released: Released) -> list[OverlayFields]:
    """Return the overlays that a release has, in the order in which a reader may choose them."""
    if released.info.audience != "internal":
        return []
    made = (
        _emerging(released),
        _near_repeats(released),
        *_scans(released),
        _cells(released),
        _streets(released),
        _risk(released),
        _moran(released),
        _harm_density(released),
        _harm_hotspots(released),
    )
    return [overlay for overlay in made if overlay["features"]]


def _features(
    layer: gpd.GeoDataFrame, row: Callable[[dict[str, Any]], list[str]], shade: Callable[[dict[str, Any]], int]
) -> list[OverlayFeatureFields]:
    """Write the first features of each category, in their order."""
    if not len(layer):
        return []
    kept = layer[layer.groupby("category").cumcount() < MOST_FEATURES]
    shapes = np.asarray(kept.geometry.to_crs("EPSG:4326"), dtype=object)
    return [
        {
            "category": str(values["category"]),
            "shade": shade(values),
            "rings": [topology.delta_code(ring) for ring in rings],
            "row": row(values),
        }
        for values, rings in zip(kept.drop(columns="geometry").to_dict("records"), _rings(shapes), strict=True)
    ]


def _rings(shapes: NDArray[Any]) -> list[tuple[topology.Ring, ...]]:
    """Return the rings of polygons, and lines as they are."""
    are_lines = (shapely.get_dimensions(shapes) == 1).tolist()
    both = zip(shapes, topology.quantised_rings(shapes), are_lines, strict=True)
    return [topology.quantised_lines(shape) if is_line else rings for shape, rings, is_line in both]


CONFIDENCE_PCT = {1: 90, 2: 95, 3: 99}
_CELL_SHADES = (3, 2, 1, -1, -2, -3)
_CELL_COLOURS = {3: "g7", 2: "g6", 1: "g5", -1: "g3", -2: "g2", -3: "g1"}


def _cells(released: Released) -> OverlayFields:
    layer = released.patterns.layer(ANALYSIS_CELLS)
    if len(layer):
        layer = layer[layer["hotspot_class"].fillna(0) != 0]
        order = layer.assign(strength=layer["gistar_z"].abs()).sort_values(
            ["category", "strength", "cell_id"], ascending=[True, False, True]
        )
        layer = layer.loc[order.index]

    def found(hotspot_class: int) -> str:
        key = "higher" if hotspot_class > 0 else "lower"
        return say(f"map_overlay.cells.{key}", confidence=CONFIDENCE_PCT[abs(hotspot_class)])

    def row(cell: dict[str, Any]) -> list[str]:
        return [
            str(cell["area_name"]),
            found(int(cell["hotspot_class"])),
            words.whole(cell["incidents"]),
            words.rate_text(cell["density_per_km2"]),
            f"{cell['gistar_p']:.4f}",
        ]

    return {
        "id": "cells",
        "name": say("map_overlay.cells.name"),
        "note": say("map_overlay.cells.note", most=MOST_FEATURES),
        "columns": [say(f"map_overlay.cells.{key}") for key in ("area", "found", "incidents", "density", "p")],
        "keys": [(_CELL_COLOURS[k], 0.8, words.capital(found(k))) for k in _CELL_SHADES],
        "features": _features(layer, row, lambda cell: _CELL_SHADES.index(int(cell["hotspot_class"]))),
    }


WEEK = 7
"""Up to here a zone is in its last week: the two shades."""


def _near_repeats(released: Released) -> OverlayFields:
    layer = released.patterns.layer(NEAR_REPEAT_ZONES)
    if len(layer):
        layer = layer.sort_values(["category", "rank"], kind="stable")

    def row(zone: dict[str, Any]) -> list[str]:
        return [
            str(zone["area_name"]),
            say("near_repeats.until", day=words.month_name(zone["last_day"]), n=int(zone["days_left"])),
            f"{zone['extra_incidents']:.2f}",
            f"{zone['times_as_likely']:.1f}",
        ]

    return {
        "id": "near_repeats",
        "name": say("near_repeats.title"),
        "note": say("map_overlay.near_repeats.note", most=MOST_FEATURES),
        "columns": [say(f"near_repeats.column.{key}") for key in ("area", "until", "extra", "times")],
        "keys": [
            ("hot", 0.35, say("map_overlay.near_repeats.last_week")),
            ("hot", 0.75, say("map_overlay.near_repeats.longer")),
        ],
        "features": _features(layer, row, lambda zone: int(zone["days_left"] > WEEK)),
    }


STREET_FINE_M = 1.0
"""Bends of a street under this are left out: the page writes places to about a metre."""


def _streets(released: Released) -> OverlayFields:
    """Return the hot street segments of all incidents together, those of the first runs first."""
    streets = released.streets
    segments = dict(zip(released.street_runs["run"], released.street_runs["segments"], strict=True))
    hot = streets[streets["hot"].astype(bool)].sort_values(["run", "rank", "segment_id"], kind="stable")
    hot = hot.assign(category=ROOT, geometry=shapely.simplify(hot.geometry.to_numpy(), STREET_FINE_M))

    def row(street: dict[str, Any]) -> list[str]:
        return [
            str(street["name"]) or say("concentration.no_name"),
            words.whole(street["incidents"]),
            words.rate_text(street["per_100m"]),
            words.whole(round(street["length_m"])),
            words.whole(street["run"]),
            words.whole(segments[street["run"]]),
        ]

    columns = ("street", "incidents", "per_100m", "length", "run", "segments")
    return {
        "id": "streets",
        "name": say("map_overlay.streets.name"),
        "lines": True,
        "note": say("map_overlay.streets.note", share=TOP_PCT, most=MOST_FEATURES),
        "columns": [say(f"map_overlay.streets.{key}") for key in columns],
        "keys": [
            ("hot", 1.0, say("map_overlay.streets.joined")),
            ("hot", 0.75, say("map_overlay.streets.alone")),
        ],
        "features": _features(hot, row, lambda street: int(segments[street["run"]] == 1)),
    }


BEYOND_CHANCE = 0.05
"""Largest p of a cluster that is drawn in the colour of hotspots."""


def _risk(released: Released) -> OverlayFields:
    """Return the bands of the risk surface, each over the others' ground alone."""
    layer = released.patterns.layer(RISK_BANDS)
    opacities = (0.15, 0.3, 0.45, 0.6, 0.75)
    fine = layer.assign(geometry=layer.geometry.simplify(released.info.simplify_m)) if len(layer) else layer
    order = layer["band_id"].tolist()

    def name(band: dict[str, Any]) -> str:
        if band["times_low"] is None or pd.isna(band["times_low"]):
            return say("map_overlay.risk.above", low=words.rate_text(band["value_low"]))
        return say("map_overlay.risk.times", low=f"{band['times_low']:g}")

    def row(band: dict[str, Any]) -> list[str]:
        return [name(band), say(f"map_overlay.risk.{band['measure']}", low=f"{band['value_low']:.2f}")]

    return {
        "id": "risk",
        "name": say("map_overlay.risk.name"),
        "note": say("map_overlay.risk.note"),
        "columns": [say(f"map_overlay.risk.{key}") for key in ("band", "value")],
        "keys": [
            ("hot", opacity, words.capital(name(band)))
            for opacity, band in zip(opacities, layer.to_dict("records"), strict=False)
        ],
        "features": _features(fine, row, lambda band: order.index(band["band_id"])),
    }


def _classed(released: Released, column: str, order: Sequence[str]) -> gpd.GeoDataFrame:
    """Return the areas that have one of some classes in the headline period, in the order of the classes."""
    counts = released.counts
    rows = counts[(counts["period"] == released.info.headline.id) & counts[column].isin(order)]
    rows = rows.assign(order=rows[column].map({name: k for k, name in enumerate(order)}))
    rows = rows.sort_values(["category", "order", "area_name"], kind="stable")[
        ["area_code", "area_name", "category", column]
    ]
    shapes = released.areas.drop_duplicates("area_code").set_index("area_code").geometry
    outlines = shapely.simplify(shapes.reindex(rows["area_code"]).to_numpy(), released.info.simplify_m)
    return gpd.GeoDataFrame(rows.reset_index(drop=True), geometry=outlines, crs=released.info.working_crs)


GROWING = (Pattern.NEW, Pattern.CONSECUTIVE, Pattern.INTENSIFYING)
"""What leads: places that were no hot spot before, or are one more and more."""
_HOT, _COLD = " hot spot", " cold spot"


def _emerging(released: Released) -> OverlayFields:
    patterns = [*GROWING, *(p for p in Pattern if p not in (*GROWING, Pattern.NONE))]
    layer = _classed(released, "emerging_class", [f"{p}{end}" for end in (_HOT, _COLD) for p in patterns])

    def row(area: dict[str, Any]) -> list[str]:
        pattern, end, _ = str(area["emerging_class"]).partition(" ")
        kind = "hot" if end and str(area["emerging_class"]).endswith(_HOT) else "cold"
        return [
            str(area["area_name"]),
            words.capital(say(f"map_overlay.emerging.{kind}", pattern=say(f"map_overlay.emerging.pattern.{pattern}"))),
            say(f"map_overlay.emerging.means.{pattern}"),
        ]

    def shade(area: dict[str, Any]) -> int:
        found = str(area["emerging_class"])
        return 2 if found.endswith(_COLD) else int(found.removesuffix(_HOT) not in GROWING)

    keys = (("hot", 0.75, "growing"), ("hot", 0.35, "other"), ("g2", 0.8, "cold_spots"))
    return {
        "id": "emerging",
        "name": say("map_overlay.emerging.name"),
        "note": say("map_overlay.emerging.note"),
        "columns": [say(f"map_overlay.emerging.{key}") for key in ("area", "history", "meaning")],
        "keys": [(colour, opacity, say(f"map_overlay.emerging.{key}")) for colour, opacity, key in keys],
        "features": _features(layer, row, shade),
    }


_QUADRANTS = (MoranClass.HIGH_HIGH, MoranClass.HIGH_LOW, MoranClass.LOW_HIGH, MoranClass.LOW_LOW)
_QUADRANT_COLOURS = (("g7", 0.8), ("g5", 0.9), ("g3", 0.9), ("g1", 0.8))


def _moran(released: Released) -> OverlayFields:
    layer = _classed(released, "moran_class", [q.value for q in _QUADRANTS])

    def found(quadrant: str) -> str:
        return say(f"map_overlay.moran.class.{quadrant.lower()}")

    return {
        "id": "moran",
        "name": say("map_overlay.moran.name"),
        "note": say("map_overlay.moran.note"),
        "columns": [say(f"map_overlay.moran.{key}") for key in ("area", "found")],
        "keys": [(*style, found(q)) for q, style in zip(_QUADRANTS, _QUADRANT_COLOURS, strict=True)],
        "features": _features(
            layer,
            lambda area: [str(area["area_name"]), found(area["moran_class"])],
            lambda area: _QUADRANTS.index(MoranClass(area["moran_class"])),
        ),
    }


def _scans(released: Released) -> list[OverlayFields]:
    """Return the clusters of each kind of scan, as circles."""
    circles = clusters_as_circles(released)
    return [_scan(released, kind, circles[circles["kind"] == kind]) for kind in ("space_time", "poisson", "bernoulli")]


def _scan(released: Released, kind: str, layer: gpd.GeoDataFrame) -> OverlayFields:
    names = dict(zip(released.areas["area_code"], released.areas["name"], strict=True))

    def row(cluster: dict[str, Any]) -> list[str]:
        inside = str(cluster["area_codes"]).split(";")[0]
        return [
            names.get(inside, inside) or say("clusters.outside"),
            words.capital(Period.parse(cluster["period"]).label),
            words.whole(cluster["observed"]),
            words.rate_text(cluster["expected"]),
            f"{cluster['p']:.3f}",
        ]

    return {
        "id": kind,
        "name": say(f"map_overlay.scan.{kind}"),
        "note": say("map_overlay.scan.note"),
        "columns": [say(f"map_overlay.scan.column.{key}") for key in ("around", "when", "observed", "expected", "p")],
        "keys": [
            ("hot", 0.35, say("map_overlay.scan.beyond")),
            ("hot", 0.08, say("map_overlay.scan.within")),
        ],
        "features": _features(layer, row, lambda cluster: int(cluster["p"] > BEYOND_CHANCE)),
    }


def _harm_density(released: Released) -> OverlayFields:
    layer = released.patterns.layer(HARM_DENSITY)
    lows = sorted(set(layer["density_low"].tolist())) if len(layer) else []
    texts = [say("map_overlay.harm.band", low=f"{low:,.4g}") for low in lows]
    return {
        "id": "harm_density",
        "name": say("map_overlay.harm.density"),
        "note": say("map_overlay.harm.density_note"),
        "columns": [say("map_overlay.harm.density")],
        "keys": [("hot", round(0.15 + 0.6 * k / max(len(lows) - 1, 1), 2), text) for k, text in enumerate(texts)],
        "features": _features(
            layer,
            lambda band: [texts[lows.index(band["density_low"])]],
            lambda band: lows.index(band["density_low"]),
        ),
    }


def _harm_hotspots(released: Released) -> OverlayFields:
    layer = released.patterns.layer(HARM_HOTSPOTS)
    columns = ("hotspot", "incidents", "harm", "top")

    def row(spot: dict[str, Any]) -> list[str]:
        return [
            say("harm.spot", rank=int(spot["rank"]), name=spot["area_name"]),
            words.whole(spot["incidents"]),
            f"{spot['harm']:,.4g}",
            words.fine_pct_text(spot["top_share_pct"]),
        ]

    return {
        "id": "harm_hotspots",
        "name": say("map_overlay.harm.hotspots"),
        "note": say("map_overlay.harm.hotspots_note"),
        "columns": [say(f"harm.column.{key}") for key in columns],
        "keys": [("hot", 0.45, say("map_overlay.harm.outline"))],
        "features": _features(layer, row, lambda _: 0),
    }
