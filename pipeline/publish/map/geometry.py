"""Geometry on the page in whole numbers, stored once for all zooms: the shapes of a release, and what lies under them.

Areas, bands and outlines of hotspots share their arcs. Context is water, green, roads, rail, stations and places.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.geography import topology as simplify
from pipeline.publish.map.fields import ContextFields, LineFields, PointFields, SurfaceFields
from pipeline.publish.surroundings import Surroundings
from pipeline.release.released import Released
from pipeline.tables import Level

__all__ = ["LEVELS", "Outlines", "containing_areas", "context_fields", "make_outlines"]

LEVELS = (Level.REGION, Level.FOURTH, Level.THIRD, Level.BOROUGH, Level.WARD_GROUP, Level.WARD)
"""Levels of the map, largest first."""

_NESTED = (Level.WARD, Level.BOROUGH, Level.THIRD, Level.FOURTH)
"""Levels with outlines of their own, smallest first: each may be drawn from the one before it."""

AGREE_PCT = 2.0
"""Boroughs are drawn from their wards where the two disagree by less than this share of the area, in per cent."""

GRID_M = 1.0
"""Grid to which outlines are snapped that do not fit together as they come, in metres."""

Shape = tuple[simplify.Ring, ...]
Shapes = list[Shape]


@dataclass(frozen=True, slots=True)
class Outlines:
    """Everything drawn, as rings of arcs (see `simplify.Topology`).

    Attributes
    ----------
    arcs
        Delta-coded, in units of 1e-5 degree.
    areas
        Level to rings of each area, in the order of `released.areas`.
    labels
        Level to longitude, latitude (in units of 1e-5 degree) and radius in metres of the largest circle inside each
        area: where its label goes, and how much fits.
    region
        Outer edge.
    water
        Long gaps between the boundaries, where the configuration calls them water (`map.gaps`).
    hotspots, density
        Rings of each row: those of all categories together, then those of single categories, then cores of hotspots.
    anchors
        Longitude and latitude of each hotspot's badge: on its north-east rim, so that the middle stays in sight.
    """

    arcs: list[list[int]]
    areas: dict[str, list[list[list[int]]]]
    labels: dict[str, list[list[int]]]
    region: list[list[int]]
    water: list[list[int]]
    hotspots: list[list[list[int]]]
    density: list[list[list[int]]]
    anchors: list[list[int]]


def _lonlat(shapes: NDArray[Any], crs: str) -> NDArray[Any]:
    return np.asarray(gpd.GeoSeries(list(shapes), crs=crs).to_crs("EPSG:4326").to_numpy())


def _rings(shapes: NDArray[Any], crs: str) -> Shapes:
    return simplify.quantised_rings(_lonlat(shapes, crs)) if len(shapes) else []


def _polygonal(shape: Any) -> Any:
    """Keep the surfaces of a shape; an empty multipolygon if it has none."""
    parts = [p for p in shapely.get_parts(shapely.make_valid(shape)) if not p.is_empty]
    flat = [q for p in parts for q in shapely.get_parts(p) if q.geom_type == "Polygon"]
    return shapely.MultiPolygon(flat)


def _dissolvable(large: Any, small: Any, shapes: NDArray[Any]) -> bool:
    """Say whether every large area is covered by small ones that name it, closely enough to be drawn from them."""
    parents = small["parent_code"].to_numpy()
    for code, geometry in zip(large["area_code"], large.geometry, strict=True):
        mine = shapes[parents == code]
        if len(mine) == 0:
            return False
        apart = abs(shapely.area(mine).sum() - geometry.area)
        apart = max(apart, geometry.difference(shapely.union_all(mine)).area)
        if apart * 100 > AGREE_PCT * geometry.area:
            return False
    return True


def _bands(frame: Any, tolerance_m: float) -> NDArray[Any]:
    """Simplify the bands of each category together, so that a band's inner edge is the next one's outer edge."""
    shapes = np.array([_polygonal(g) for g in frame.geometry], dtype=object)
    for category in frame["category"].unique() if len(frame) else ():
        mine = (frame["category"] == category).to_numpy()
        if shapely.coverage_is_valid(shapes[mine]):
            shapes[mine] = simplify.simplify_coverage(shapes[mine], tolerance_m=tolerance_m)
        else:
            shapes[mine] = shapely.simplify(shapes[mine], tolerance_m)
    return shapes


def _anchor(ring_sets: tuple[simplify.Ring, ...]) -> list[int]:
    points = [p for ring in ring_sets for p in ring]
    x, y = max(points, key=lambda p: (p[1] + 0.25 * p[0], p))
    return [x, y]


def _label_points(shapes: NDArray[Any], crs: str) -> list[list[int]]:
    """Return longitude, latitude and radius of the largest circle inside each shape."""
    radii, centres = simplify.inscribed_circles(shapes)
    points = np.rint(shapely.get_coordinates(_lonlat(centres, crs)) * simplify.UNITS_PER_DEGREE)
    return [[int(x), int(y), int(r)] for (x, y), r in zip(points, radii, strict=True)]


class _Areas(NamedTuple):
    """Areas as they are drawn: simplified shapes in metres, rings and label points by level, outer edge, water."""

    simplified: dict[str, NDArray[Any]]
    rings: dict[str, Shapes]
    labels: dict[str, list[list[int]]]
    edge: Shape
    water: Shapes


@lru_cache(maxsize=1)  # the profiles of a run draw the same areas
def _drawn(
    areas: tuple[tuple[str, str, str, bytes], ...], tolerance_m: float, crs: str, *, gaps_are_water: bool
) -> _Areas:
    """Simplify areas: level, code, code of the area one level up, WKB."""
    every = gpd.GeoDataFrame(
        {"level": [a[0] for a in areas], "area_code": [a[1] for a in areas], "parent_code": [a[2] for a in areas]},
        geometry=shapely.from_wkb([a[3] for a in areas]),
        crs=crs,
    )
    rings: dict[str, Shapes] = {}
    labels: dict[str, list[list[int]]] = {}
    metric: dict[str, NDArray[Any]] = {}
    present = [level.value for level in _NESTED if (every["level"] == level).any()]
    # Simplified one by one, neighbours would part or overlap along their border; as one coverage, a shared border is
    # simplified once. Larger areas are dissolved from the simplified smaller ones, so that levels share their arcs.
    for below, level in zip([None, *present], present, strict=False):
        frame = every[every["level"] == level]
        shapes = np.array([_polygonal(g) for g in frame.geometry], dtype=object)
        if not shapely.coverage_is_valid(shapes):  # neighbours digitised apart: bring them to one grid first
            shapes = np.array([_polygonal(g) for g in shapely.set_precision(shapes, GRID_M)], dtype=object)
        metric[level] = simplify.simplify_coverage(shapes, tolerance_m=tolerance_m)
        inside = every[every["level"] == below]
        if below is not None and _dissolvable(frame, inside, metric[below]):
            parents = inside["parent_code"].tolist()
            rings[level] = [
                simplify.dissolve_rings([r for r, p in zip(rings[below], parents, strict=True) if p == code])
                for code in frame["area_code"]
            ]
        else:
            rings[level] = _rings(metric[level], crs)
        labels[level] = _label_points(metric[level], crs)
    # The outer edge is that of the areas in which incidents are placed: those above may reach beyond the data.
    top = Level.BOROUGH.value if Level.BOROUGH in present else present[-1]
    water = simplify.water_gaps(shapely.union_all(metric[top])) if gaps_are_water else shapely.MultiPolygon()
    water_rings: Shapes = _rings(np.array([water], dtype=object), crs) if not water.is_empty else [()]
    return _Areas(metric, rings, labels, simplify.dissolve_rings(rings[top]), water_rings)


def _with_groups(drawn: _Areas, groups: Mapping[str, Sequence[str]], wards: Sequence[str], crs: str) -> _Areas:
    """Add groups of wards, drawn from their wards: codes of the wards of each, and of all wards in their order."""
    place = {code: number for number, code in enumerate(wards)}
    members = [[place[ward] for ward in groups[code]] for code in sorted(groups)]  # in the order in `released.areas`
    rings = [simplify.dissolve_rings([drawn.rings[Level.WARD][i] for i in inside]) for inside in members]
    united = [shapely.union_all(drawn.simplified[Level.WARD][inside]) for inside in members]
    labels = _label_points(np.array(united, dtype=object), crs)
    # The areas that profiles share stay as they are.
    return drawn._replace(
        rings={**drawn.rings, Level.WARD_GROUP: rings}, labels={**drawn.labels, Level.WARD_GROUP: labels}
    )


def containing_areas(released: Released) -> dict[str, str]:
    """Return the area one level up of each area: a borough's is of the third level where there is one."""
    areas = released.areas[released.areas["parent_code"].notna()]
    return dict(zip(areas["area_code"], areas["parent_code"].astype("str"), strict=True)) | released.info.parents_above


def make_outlines(released: Released) -> Outlines:
    """Simplify, dissolve and cut a release's shapes into arcs.

    Returns
    -------
    outlines
        The same release gives the same bytes.
    """
    info, crs = released.info, released.info.working_crs
    tolerance_m = info.simplify_m
    named = released.areas[released.areas["level"].isin(_NESTED)]
    level, code = (named[c].astype("str").tolist() for c in ("level", "area_code"))
    above = containing_areas(released)
    parents = [above.get(one, "") for one in code]
    keys = tuple(zip(level, code, parents, shapely.to_wkb(named.geometry.to_numpy()).tolist(), strict=True))
    drawn = _drawn(keys, tolerance_m, crs, gaps_are_water=info.gaps_are_water)
    if info.ward_groups:
        wards = [c for one, c in zip(level, code, strict=True) if one == Level.WARD]
        drawn = _with_groups(drawn, info.ward_groups, wards, crs)
    present = list(drawn.rings)
    spots = [*released.hotspots.geometry, *released.hotspots_by_category.geometry, *released.cores.geometry]
    hot_rings = _rings(np.array([_polygonal(g) for g in spots], dtype=object), crs)
    # Bands are simplified less: a band is as narrow as the surface is steep.
    finest = min(tolerance_m, 25.0)
    bands = [*_bands(released.density, finest), *_bands(released.density_by_category, finest)]
    band_rings = _rings(np.array(bands, dtype=object), crs)
    made = simplify.topology([*drawn.rings.values(), [drawn.edge], drawn.water, hot_rings, band_rings])
    layers = [[[list(ring) for ring in shape] for shape in layer] for layer in made.shapes]
    return Outlines(
        arcs=[simplify.delta_code(arc) for arc in made.arcs],
        areas=dict(zip(present, layers, strict=False)),
        labels={level: list(label_points) for level, label_points in drawn.labels.items()},
        region=layers[len(present)][0],
        water=layers[len(present) + 1][0],
        hotspots=layers[len(present) + 2],
        density=layers[len(present) + 3],
        anchors=[_anchor(r) for r in hot_rings],
    )


# Context: what is drawn under the hotspots.


CONTEXT_UNITS_PER_DEGREE = 20_000
"""5.6 metres north, 3.5 east at London: a pixel or two at the closest zoom, and half the size of a metre's grid."""


def context_fields(surroundings: Surroundings, *, analyst: bool) -> ContextFields:
    """Encode what is drawn under the hotspots.

    Parameters
    ----------
    surroundings
        In any system.
    analyst
        Whether buildings are drawn too: on the internal page alone.

    Returns
    -------
    fields
        Places as differences from the one before, in units of 1/`CONTEXT_UNITS_PER_DEGREE` degree, x and y in turn.
        The same layers give the same fields.
    """
    frame = surroundings.frame if analyst else surroundings.frame[surroundings.frame["kind"] != "building"]
    shapes = np.asarray(frame.geometry.to_crs("EPSG:4326"), dtype=object) if len(frame) else np.zeros(0, dtype=object)
    rows = list(zip(frame["kind"], frame["name"].fillna(""), frame["rank"], shapes, strict=True))
    return {
        "credits": list(surroundings.credits),
        "lines": _lines([row for row in rows if row[0] in {"road", "rail"}]),
        "surfaces": _surfaces(frame[frame["kind"].isin(["water", "green", "building"])]),
        "points": _points([row for row in rows if row[0] in {"station", "place"}]),
    }


def _lines(rows: list[tuple[str, str, int, Any]]) -> list[LineFields]:
    """Put all lines of one kind, rank and name together: most roads have no name, and one entry holds them all."""
    groups: dict[tuple[str, int, str], list[list[int]]] = {}
    for kind, name, rank, shape in rows:
        codes = [_code(shapely.get_coordinates(part)) for part in shapely.get_parts(shape)]
        groups.setdefault((kind, int(rank), name), []).extend(code for code in codes if len(code) > 2)
    return [
        {"kind": kind, "rank": rank, "name": name, "parts": parts}
        for (kind, rank, name), parts in groups.items()
        if parts
    ]


def _surfaces(frame: gpd.GeoDataFrame) -> list[SurfaceFields]:
    """Give each surface its rings, and where its name goes: the largest circle inside."""
    if not len(frame):
        return []
    shapes = np.asarray(frame.geometry, dtype=object)
    radii, centres = simplify.inscribed_circles(shapes)
    degrees = np.asarray(frame.geometry.to_crs("EPSG:4326"), dtype=object)
    middles = shapely.get_coordinates(gpd.GeoSeries(list(centres), crs=frame.crs).to_crs("EPSG:4326").to_numpy())
    found: list[SurfaceFields] = []
    rows = zip(frame["kind"], frame["name"].fillna(""), degrees, middles, radii, strict=True)
    for kind, name, shape, middle, radius in rows:
        rings = [ring for part in shapely.get_parts(shape) for ring in (part.exterior, *part.interiors)]
        codes = [_code(shapely.get_coordinates(ring)[:-1]) for ring in rings]
        parts = [code for code in codes if len(code) > 4]
        if parts:
            x, y = (int(v) for v in np.rint(middle * CONTEXT_UNITS_PER_DEGREE))
            found.append({"kind": kind, "name": name, "parts": parts, "at": (x, y, round(float(radius)))})
    return found


def _points(rows: list[tuple[str, str, int, Any]]) -> list[PointFields]:
    out: list[PointFields] = []
    for kind, name, rank, shape in rows:
        x, y = (int(v) for v in np.rint(shapely.get_coordinates(shape)[0] * CONTEXT_UNITS_PER_DEGREE))
        out.append({"kind": kind, "name": name, "rank": int(rank), "at": (x, y)})
    return out


def _code(places: NDArray[np.float64]) -> list[int]:
    """Write a line as whole differences; places that fall on the one before are left out."""
    units = np.rint(places * CONTEXT_UNITS_PER_DEGREE).astype(np.int64)
    moved = np.concatenate(([True], (np.diff(units, axis=0) != 0).any(axis=1)))
    steps = np.diff(units[moved], axis=0, prepend=np.zeros((1, 2), dtype=np.int64))
    return [int(step) for step in steps.ravel()]
