"""Context on the page: water, green, roads, rail, stations and places in whole numbers, once for all zooms."""

from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.geography.topology import inscribed_circles
from pipeline.publish.map.fields import ContextFields, LineFields, PointFields, SurfaceFields
from pipeline.publish.surroundings import Surroundings

__all__ = ["context_fields"]

UNITS_PER_DEGREE = 20_000
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
        Places as differences from the one before, in units of 1/`UNITS_PER_DEGREE` degree, x and y in turn. The same
        layers give the same fields.
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
    radii, centres = inscribed_circles(shapes)
    degrees = np.asarray(frame.geometry.to_crs("EPSG:4326"), dtype=object)
    middles = shapely.get_coordinates(gpd.GeoSeries(list(centres), crs=frame.crs).to_crs("EPSG:4326").to_numpy())
    found: list[SurfaceFields] = []
    rows = zip(frame["kind"], frame["name"].fillna(""), degrees, middles, radii, strict=True)
    for kind, name, shape, middle, radius in rows:
        rings = [ring for part in shapely.get_parts(shape) for ring in (part.exterior, *part.interiors)]
        codes = [_code(shapely.get_coordinates(ring)[:-1]) for ring in rings]
        parts = [code for code in codes if len(code) > 4]
        if parts:
            x, y = (int(v) for v in np.rint(middle * UNITS_PER_DEGREE))
            found.append({"kind": kind, "name": name, "parts": parts, "at": (x, y, round(float(radius)))})
    return found


def _points(rows: list[tuple[str, str, int, Any]]) -> list[PointFields]:
    out: list[PointFields] = []
    for kind, name, rank, shape in rows:
        x, y = (int(v) for v in np.rint(shapely.get_coordinates(shape)[0] * UNITS_PER_DEGREE))
        out.append({"kind": kind, "name": name, "rank": int(rank), "at": (x, y)})
    return out


def _code(places: NDArray[np.float64]) -> list[int]:
    """Write a line as whole differences; places that fall on the one before are left out."""
    units = np.rint(places * UNITS_PER_DEGREE).astype(np.int64)
    moved = np.concatenate(([True], (np.diff(units, axis=0) != 0).any(axis=1)))
    steps = np.diff(units[moved], axis=0, prepend=np.zeros((1, 2), dtype=np.int64))
    return [int(step) for step in steps.ravel()]
