"""Context: public layers of water, roads, stations and places that are drawn under the hotspots and give them names.

A layer is read, transformed to the working system, cut to the region and thinned to what a map of the region can
show. Nothing in it is data about incidents, so it passes no gate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.config import ContextLayer, Run
from pipeline.errors import InputError
from pipeline.geography import projection as crs
from pipeline.geography.areas import repair
from pipeline.ingest.formats.files import DEFAULT_LIMITS, AreaRequest, existing, find_columns, read_layer

__all__ = ["MapContext", "read_context", "require_context"]

Shapes = NDArray[np.object_]

KINDS = ("water", "green", "building", "road", "rail", "place", "station")
"""In the order in which they are drawn."""
_OUTLINES, _LINES, _POINTS = frozenset({3, 6}), frozenset({1, 2, 5}), frozenset({0, 4})
_DRAWN_AS = {"water": _OUTLINES, "green": _OUTLINES, "building": _OUTLINES, "road": _LINES, "rail": _LINES}

DETAIL_M = 8.0
"""Lines and outlines lose what is finer than this: at the closest zoom of the map a pixel is 1.5 m, and a line drawn
5 m wide hides the difference."""
SMALLEST_M2 = {"water": 4_000.0, "green": 20_000.0, "building": 0.0}
"""A pond or a lawn under this is a speck at every zoom of the map."""
SAME_NAME_M = 400.0
"""Two stations (or places) of one name nearer than this are one: entrances, platforms, lines of one station."""
GAP_M = 2_000.0
"""A gap between areas up to this width is a river or an estuary that runs through the region, not a coast."""
MOST_POINTS = 120_000
"""Corners of all layers together. Quantised and compressed, a corner takes about two bytes and a half in a page, so
this is the 0.3 MB that context may add to it."""
MOST_FEATURES = 20_000
LONGEST_NAME = 60
LEAST_IMPORTANT = 9


@dataclass(frozen=True, slots=True)
class MapContext:
    """What is drawn under the hotspots.

    Attributes
    ----------
    frame
        Rows of the table CONTEXT, as a GeoDataFrame in the working system, in the order in which they are drawn.
    credits
        Attributions required on pages, each once, in the order of the configuration.
    cautions
        Cautions for the analyst: layers outside the region, features that were left out.
    """

    frame: Any
    credits: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()


@dataclass(slots=True)
class _Features:
    """Features of one layer, as columns."""

    kind: str
    shapes: Shapes
    names: NDArray[np.object_]
    ranks: NDArray[np.int64]
    cautions: list[str] = field(default_factory=list)

    def keep(self, which: NDArray[Any]) -> None:
        self.shapes, self.names, self.ranks = self.shapes[which], self.names[which], self.ranks[which]


def read_context(
    layers: Sequence[ContextLayer], *, base: Path, working: str, region: Any, limits: Run = DEFAULT_LIMITS
) -> MapContext:
    """Read the layers of `context`.

    Parameters
    ----------
    layers
        As configured.
    base
        Folder that the paths start from.
    working
        The working system.
    region
        Outline of the whole region in the working system: layers are clipped to it.
    limits
        How long a file may be.

    Returns
    -------
    context
        The same files give the same rows in the same order.

    Raises
    ------
    InputError
        If a file or a column is missing, or a file is not a map layer.
    """
    import geopandas as gpd
    import pandas as pd

    region = _with_gaps(region)
    shapely.prepare(region)
    found = [
        _layer(settings, base=base, working=working, region=region, limits=limits, key=f"context[{number}]")
        for number, settings in enumerate(layers)
    ]
    cautions = [caution for features in found for caution in features.cautions]
    rows = pd.DataFrame(
        {
            "kind": [f.kind for f in found for _ in f.shapes],
            "name": [name for f in found for name in f.names],
            "rank": np.array([rank for f in found for rank in f.ranks], dtype=np.int64),
            "geometry": np.array([shape for f in found for shape in f.shapes], dtype=object),
        }
    )
    rows["layer"] = [KINDS.index(kind) for kind in rows["kind"]]
    rows["bytes"] = shapely.to_wkb(rows["geometry"].to_numpy(dtype=object), byte_order=1)
    rows = rows.sort_values(["layer", "rank", "name", "bytes"], kind="stable", ignore_index=True)
    rows, left_out = _within_budget(rows)
    if left_out:
        cautions.append(
            f"context: {left_out:,} features are left out, the least important first, so that pages stay small: give "
            "`rank` a column of importance, or use layers with fewer features"
        )
    frame = gpd.GeoDataFrame(
        rows[["kind", "name", "rank"]], geometry=rows["geometry"].to_numpy(dtype=object), crs=working
    )
    shown = set(frame["kind"])
    named = dict.fromkeys(_credit(layer) for layer in layers if _credit(layer) and layer.kind in shown)
    return MapContext(frame, tuple(named), tuple(cautions))


def require_context(path: Path, settings: ContextLayer, *, key: str, limits: Run = DEFAULT_LIMITS) -> None:
    """Refuse a layer that lacks a column, before any shape is read.

    Parameters
    ----------
    path
        The layer.
    settings
        As configured.
    key
        Its key in the configuration, for messages: `context[0]`.
    limits
        How long the file may be.

    Raises
    ------
    InputError
        Naming the column that is missing; or if the file is no map layer.
    """
    request = _request(settings, key=key, limits=limits, shapes=False)
    frame = read_layer(path, request).frame
    find_columns(request.columns, [str(c) for c in frame.columns], file=path.name)


def _request(settings: ContextLayer, *, key: str, limits: Run, shapes: bool) -> AreaRequest:
    wanted = [(f"{key}.name", settings.name)] if settings.name else []
    wanted += [(f"{key}.rank", settings.rank)] if isinstance(settings.rank, str) else []
    return AreaRequest(key, tuple(wanted), settings.layer, shapes=shapes, limits=limits, encoding=settings.encoding)


def _with_gaps(region: Any) -> Any:
    """Return the region including gaps between its areas.

    Boundaries end at a river's banks, but its water, bridges and piers help readers to recognise a place.
    """
    coarse = shapely.simplify(region, GAP_M / 20)
    return shapely.union_all([region, coarse.buffer(GAP_M / 2).buffer(-GAP_M / 2)])


def _credit(layer: ContextLayer) -> str:
    """Return the attribution and licence line of a layer."""
    return f"{layer.attribution} ({layer.licence})" if layer.attribution and layer.licence else layer.attribution


def _layer(settings: ContextLayer, *, base: Path, working: str, region: Any, limits: Run, key: str) -> _Features:
    """Read one layer and keep what a map of the region can show."""
    path = existing(settings.path, base=base, what=key)
    request = _request(settings, key=key, limits=limits, shapes=True)
    layer = read_layer(path, request)
    at = find_columns(request.columns, [str(c) for c in layer.frame.columns], file=path.name)
    columns = [layer.frame.iloc[:, place] for place in at]
    count = len(layer.frame)
    names = _names(columns[0]) if settings.name else np.full(count, "", dtype=object)
    ranks = _ranks(columns[-1]) if isinstance(settings.rank, str) else np.full(count, settings.rank, dtype=np.int64)
    features = _Features(settings.kind, shapely.force_2d(np.asarray(layer.shapes, dtype=object)), names, ranks)
    _require_shapes(features, file=path.name, key=key)

    system = crs.source_crs(settings.crs, what=f"{key}.crs") if settings.crs else layer.system
    if system is None:
        raise InputError(
            f"{path.name} does not state its coordinate system ({key}): set {key}.crs, for example EPSG:4326"
        )
    features.shapes = crs.project_geometries(features.shapes, source=system, working=working)
    _cut(features, region)
    if count and not len(features.shapes):
        features.cautions.append(
            f"{key}: nothing in {path.name} is inside the region, so nothing of it is drawn: check {key}.crs "
            f"(read as {crs.crs_label(system)}), or use a layer for this place"
        )
    elif not count:
        features.cautions.append(f"{key}: {path.name} is empty, so nothing of it is drawn")
    _thin(features)
    return features


def _names(column: Any) -> NDArray[np.object_]:
    """Return names as plain text: single spaces, no control characters, at most the length of a label."""
    blank = column.isna().to_numpy()
    texts = (" ".join("".join(c if c.isprintable() else " " for c in str(v)).split()) for v in column.tolist())
    return np.array(
        ["" if gone else text[:LONGEST_NAME].rstrip() for gone, text in zip(blank, texts, strict=True)], dtype=object
    )


def _ranks(column: Any) -> NDArray[np.int64]:
    """Return ranks from 1; anything but a whole number from 1 up is least important."""
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    sound = (numbers >= 1) & (numbers <= LEAST_IMPORTANT) & (numbers == np.floor(numbers))
    return np.where(sound, numbers, LEAST_IMPORTANT).astype(np.int64)


def _require_shapes(features: _Features, *, file: str, key: str) -> None:
    """Keep the shapes that belong to this kind of layer; refuse a layer without any of them.

    An outline of a station or a place is replaced by its centre.
    """
    kinds = shapely.get_type_id(features.shapes)
    sound = ~shapely.is_missing(features.shapes) & ~shapely.is_empty(features.shapes)
    wanted = _DRAWN_AS.get(features.kind, _POINTS)
    if wanted is _POINTS:
        surfaces = sound & np.isin(kinds, list(_OUTLINES))
        features.shapes[surfaces] = shapely.point_on_surface(features.shapes[surfaces])
        several = sound & (kinds == 4)
        features.shapes[several] = shapely.centroid(features.shapes[several])
        kinds = shapely.get_type_id(features.shapes)
    fits = sound & np.isin(kinds, list(wanted))
    if sound.any() and not fits.any():
        drawn = {_OUTLINES: "outlines", _LINES: "lines", _POINTS: "points"}[wanted]
        given = features.shapes[np.flatnonzero(sound)[0]].geom_type
        raise InputError(
            f"{file} has no {drawn} ({key}): a layer of kind {features.kind} is drawn from {drawn}, and its first "
            f"shape is a {given}. Give another layer, or another kind"
        )
    features.keep(fits)


def _cut(features: _Features, region: Any) -> None:
    """Clip to the region; shapes without valid coordinates count as outside."""
    shapes = features.shapes
    west, south, east, north = shapely.bounds(region)
    bounds = shapely.bounds(shapes) if len(shapes) else np.zeros((0, 4))
    near = (bounds[:, 0] <= east) & (bounds[:, 2] >= west) & (bounds[:, 1] <= north) & (bounds[:, 3] >= south)
    features.keep(near & np.isfinite(bounds).all(axis=1))
    if features.kind in {"station", "place"}:
        features.keep(shapely.contains(region, features.shapes))
        return
    if features.kind in SMALLEST_M2:
        features.shapes, _ = repair(features.shapes)
        features.keep(~shapely.is_missing(features.shapes))
    features.keep(shapely.intersects(region, features.shapes))
    # Most features are completely inside: only those that cross the edge are cut.
    crossing = ~shapely.contains(region, features.shapes)
    features.shapes[crossing] = shapely.intersection(features.shapes[crossing], region)
    features.shapes = np.array([_parts(shape, features.kind) for shape in features.shapes], dtype=object)
    features.keep(~shapely.is_empty(features.shapes))


def _parts(shape: Any, kind: str) -> Any:
    """Keep only polygons or only lines: where a cut only touches a shape, points and lines are left over."""
    if shape.geom_type != "GeometryCollection":
        return shape
    wanted = "Polygon" if kind in SMALLEST_M2 else "LineString"
    flat = [p for part in shapely.get_parts(shape) for p in shapely.get_parts(part)]
    parts = [p for p in flat if p.geom_type == wanted]
    return shapely.MultiPolygon(parts) if wanted == "Polygon" else shapely.MultiLineString(parts)


def _thin(features: _Features) -> None:
    """Join the pieces of a feature, and remove detail that is invisible at every zoom level."""
    if features.kind in {"station", "place"}:
        _one_of_a_name(features)
        return
    if features.kind in {"road", "rail"}:
        _join_lines(features)
    if features.kind == "water":
        _join_water(features)
    features.shapes = shapely.simplify(features.shapes, DETAIL_M)
    if features.kind in SMALLEST_M2:
        features.shapes, _ = repair(features.shapes)
        sound = ~shapely.is_missing(features.shapes)
        features.keep(sound & (shapely.area(features.shapes) >= SMALLEST_M2[features.kind]))


def _one_of_a_name(features: _Features) -> None:
    """Of nearby points with the same name, keep the most important."""
    order = np.lexsort((shapely.get_y(features.shapes), shapely.get_x(features.shapes), features.names, features.ranks))
    features.keep(order)
    kept: dict[str, list[tuple[float, float]]] = {}
    first = np.ones(len(features.names), dtype=bool)
    places = zip(features.names, shapely.get_x(features.shapes), shapely.get_y(features.shapes), strict=True)
    for place, (name, x, y) in enumerate(places):
        beside = kept.setdefault(name, [])
        if name and any(np.hypot(x - east, y - north) < SAME_NAME_M for east, north in beside):
            first[place] = False
        else:
            beside.append((x, y))
    features.keep(first)


def _join_lines(features: _Features) -> None:
    """Join the pieces of a road: files cut roads at every junction."""
    _join(features, lambda shapes: shapely.line_merge(shapely.union_all(shapes)))


def _join_water(features: _Features) -> None:
    """Join the pieces of a river: files cut it into tiles, whose borders would be drawn as banks across the water."""
    half = DETAIL_M / 2  # tiles that were thinned one by one leave slits between them

    def joined(shapes: Shapes) -> Any:
        return shapely.buffer(
            shapely.union_all(shapely.buffer(shapes, half, join_style="mitre")), -half, join_style="mitre"
        )

    _join(features, joined)


def _join(features: _Features, merge: Callable[[Shapes], Any]) -> None:
    """Merge the features of each rank and name."""
    groups: dict[tuple[int, str], list[int]] = {}
    for place, key in enumerate(zip(features.ranks.tolist(), features.names.tolist(), strict=True)):
        groups.setdefault(key, []).append(place)
    shapes, names, ranks = [], [], []
    for (rank, name), members in sorted(groups.items()):
        merged = merge(features.shapes[members])
        # Roads or lakes without a name are not one: each joined piece is a separate feature.
        pieces = [merged] if name else list(shapely.get_parts(merged))
        shapes += pieces
        names += [name] * len(pieces)
        ranks += [rank] * len(pieces)
    features.shapes = np.array(shapes, dtype=object)
    features.names, features.ranks = np.array(names, dtype=object), np.array(ranks, dtype=np.int64)


def _within_budget(rows: Any) -> tuple[Any, int]:
    """Limit the features to what a page can hold: the most important first, among equals the longest or largest."""
    shapes = rows["geometry"].to_numpy(dtype=object)
    corners = shapely.get_num_coordinates(shapes)
    order = np.lexsort((-shapely.length(shapes), rows["rank"].to_numpy(dtype=np.int64)))
    fits = (np.cumsum(corners[order]) <= MOST_POINTS) & (np.arange(len(order)) < MOST_FEATURES)
    kept = np.sort(order[fits])
    return rows.iloc[kept].reset_index(drop=True), int((~fits).sum())
