"""In which coordinate system the points of a table are, and whether they lie in the areas."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import IncidentSource
from pipeline.errors import InputError
from pipeline.ingest.formats.files import file_name
from pipeline.ingest.incidents.coordinate_notation import forms_of, ways
from pipeline.ingest.recognition.areas import SeenAreas
from pipeline.ingest.recognition.rows import SeenRows
from pipeline.ingest.recognition.texts import MOST, Guess

__all__ = ["in_areas", "inside", "located", "require_inside", "system_of_points"]

Points = NDArray[np.float64]
TRIED = 1000
"""Points that are tried in each coordinate system."""


def _readings(seen: SeenRows, roles: tuple[str, str]) -> list[Points]:
    """Return the coordinates of rows in each notation that fits them, shape (rows, 2), NaN where there are none."""
    columns = [seen.texts[str(seen.column(role))] for role in roles]
    source = IncidentSource(paths=("-",))
    found: list[Points] = []
    forms = [forms_of(texts) for texts in columns]
    for way in ways(source, geographic=roles == ("lon", "lat")):
        filled = [[f for f in of if f] for of in forms]
        fits = [sum(way.fits(f, axis) for f in of) for axis, of in enumerate(filled)]
        if any(n < MOST * len(of) for n, of in zip(fits, filled, strict=True)) or not all(filled):
            continue
        arrays = [pc.fill_null(way.read(pa.array(texts, pa.string())), np.nan) for texts in columns]
        points = np.column_stack([np.asarray(a, dtype=float) for a in arrays])
        points[(points == 0).any(axis=1)] = np.nan
        if not any(np.array_equal(points, other, equal_nan=True) for other in found):
            found.append(points)
    return found


def _box(areas: SeenAreas) -> Any:
    import shapely

    return shapely.box(*shapely.total_bounds(areas.shapes))


def inside(seen: SeenRows, areas: SeenAreas) -> NDArray[np.bool_] | None:
    """Return for each row with a point whether it lies in the bounds of the areas; None if their system is not known.

    Returns
    -------
    flags
        Of rows with a point only, in their order; empty if there are no points.
    """
    points, system = located(seen, areas)
    if points is None:
        return None
    flags = _within(points, system, areas)
    there: NDArray[np.bool_] = flags[np.isfinite(points).all(axis=1)]
    return there


def located(seen: SeenRows, areas: SeenAreas) -> tuple[Points | None, Any]:
    """Return the points of all rows and their system."""
    if seen.coordinates == "geometry":
        return seen.head.points, seen.head.opened.crs or areas.system
    if seen.coordinates == "lonlat":
        readings = _readings(seen, ("lon", "lat"))
        best = max(readings, key=lambda p: int(_within(p, 4326, areas).sum()), default=None)
        return best, 4326
    if seen.coordinates == "xy":
        system = system_of_points(seen, areas)
        readings = _readings(seen, ("x", "y"))
        if system is None or not readings:
            return None, None
        return max(readings, key=lambda p: int(_within(p, system.value, areas).sum())), system.value
    return None, None


def _within(points: Points, system: Any, areas: SeenAreas) -> NDArray[np.bool_]:
    import pyproj
    import shapely

    to = pyproj.Transformer.from_crs(system, areas.system, always_xy=True)
    x, y = to.transform(points[:, 0], points[:, 1])
    flags: NDArray[np.bool_] = shapely.contains_xy(_box(areas), x, y)
    return flags


def in_areas(points: Points, system: Any, areas: SeenAreas) -> NDArray[np.bool_]:
    """Return whether points lie in one of the areas themselves: bounds of a city hold parts of its neighbours."""
    import pyproj
    import shapely

    flags = _within(points, system, areas)
    there = np.flatnonzero(flags)
    to = pyproj.Transformer.from_crs(system, areas.system, always_xy=True)
    found, _ = shapely.STRtree(areas.shapes).query(
        shapely.points(*to.transform(points[there, 0], points[there, 1])), predicate="intersects"
    )
    flags[:] = False
    flags[there[found]] = True
    return flags


def require_inside(seen: SeenRows, areas: SeenAreas) -> None:
    """Refuse boundaries in which none of the points lies.

    Raises
    ------
    InputError
        With the places of both.
    """
    flags = inside(seen, areas)
    if flags is None or not len(flags) or flags.any():
        return
    import pyproj
    import shapely

    points, system = located(seen, areas)
    if points is None:
        return
    degrees = pyproj.Transformer.from_crs(system, 4326, always_xy=True)
    lon, lat = degrees.transform(*np.nanmedian(points, axis=0))
    if not (math.isfinite(lon) and math.isfinite(lat)):
        return
    if _within(points[:, ::-1], system, areas).any():
        return  # exchanged coordinates: the trial says so
    to = pyproj.Transformer.from_crs(areas.system, 4326, always_xy=True)
    west, south, east, north = to.transform_bounds(*shapely.total_bounds(areas.shapes))
    raise InputError(
        f"None of the {len(flags):,} points read from {file_name(seen.path)} lies in the areas of "
        f"{file_name(areas.path)}: the points lie around longitude {lon:.3f}, latitude {lat:.3f}, and the areas "
        f"between longitudes {west:.3f} and {east:.3f}, latitudes {south:.3f} and {north:.3f}. Give the boundaries of "
        "the place of the incidents with --areas, or check the columns of coordinates"
    )


def _systems_of(areas: SeenAreas) -> Iterator[int]:
    """Yield the EPSG codes to try; all systems used at the place are looked up if the usual ones are not enough."""
    import pyproj

    own = areas.system.to_epsg()
    first = dict.fromkeys([*([own] if own and areas.system.is_projected else []), 27700, 29902, 2157, 3857, 4326])
    yield from first
    degrees = pyproj.Transformer.from_crs(areas.system, 4326, always_xy=True)
    place = pyproj.aoi.AreaOfInterest(*degrees.transform_bounds(*_box(areas).bounds))
    kinds = [pyproj.enums.PJType.PROJECTED_CRS]
    listed = pyproj.database.query_crs_info(auth_name="EPSG", pj_types=kinds, area_of_interest=place, contains=True)
    yield from (int(info.code) for info in listed if not info.deprecated and int(info.code) not in first)


def system_of_points(seen: SeenRows, areas: SeenAreas) -> Guess | None:
    """Return the coordinate system in which most easting/northing points lie in the areas; None if there is none.

    The systems that are used at the place are tried: that of the boundary file, the usual ones, then all others.
    """
    import pyproj
    import shapely

    if seen.column("x") is None or seen.column("y") is None:
        return None
    readings = [p[np.isfinite(p).all(axis=1)][:TRIED] for p in _readings(seen, ("x", "y"))]
    readings = [p for p in readings if len(p)]
    if not readings:
        return None
    union = _box(areas)
    best: tuple[int, int, int] | None = None
    for epsg in _systems_of(areas):
        try:
            to = pyproj.Transformer.from_crs(epsg, areas.system, always_xy=True)
            found = [(int(shapely.contains_xy(union, *to.transform(p[:, 0], p[:, 1])).sum()), len(p)) for p in readings]
        except pyproj.exceptions.ProjError:
            continue
        there, tried = max(found)
        if best is None or there > best[0]:
            best = (there, epsg, tried)
        if there > MOST * tried:
            break
    if best is None or best[0] < best[2] / 10:
        return None
    return Guess(f"EPSG:{best[1]}", f"{best[0]:,} of {best[2]:,} points tried lie within the bounds of the areas")
