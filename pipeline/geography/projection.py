"""Projection rules: one working system in metres, one transformation into it, and its inverse.

Points and boundaries must be transformed by the same PROJ operation: mixing operations shifts one
against the other by up to two metres in London, enough to move points to another ward.
"""

import warnings
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.aoi import AreaOfInterest
from pyproj.exceptions import CRSError, ProjError
from pyproj.transformer import TransformerGroup

from pipeline.errors import ConfigError, InputError

__all__ = [
    "LONLAT",
    "crs_label",
    "operation_name",
    "project",
    "project_geometries",
    "same_crs",
    "source_crs",
    "to_lonlat",
    "transformer",
    "utm_for",
    "working_crs",
]

LONLAT = "EPSG:4326"

Points = NDArray[np.float64]
Geometries = NDArray[np.object_]


def crs_label(crs: CRS | str) -> str:
    """Return a short name of a system: ``EPSG:27700`` if it has a code, its own name otherwise."""
    known = crs if isinstance(crs, CRS) else CRS.from_user_input(crs)
    authority = known.to_authority(min_confidence=70)
    return ":".join(authority) if authority else known.name


def utm_for(lon: float, lat: float) -> str:
    """Return the UTM zone (WGS 84) of a place.

    Parameters
    ----------
    lon, lat
        Degrees, east and north positive.

    Raises
    ------
    InputError
        If the place is not on the globe.
    """
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise InputError(f"longitude {lon}, latitude {lat} is not a place on the globe: give degrees, longitude first")
    zone = min(int((lon + 180) // 6) + 1, 60)
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"


@cache
def working_crs(text: str, *, near_lonlat: tuple[float, float] | None = None) -> CRS:
    """Check that a system is suitable for distances and areas: projected, in metres, true to scale.

    Parameters
    ----------
    text
        Anything PROJ reads: ``EPSG:27700``, WKT, a PROJ string.
    near_lonlat
        A place in the data, degrees; only used to suggest a system that would do.

    Raises
    ------
    ConfigError
        If the system is unknown, in degrees or feet, or a web-map projection.
    """
    try:
        crs = CRS.from_user_input(text)
    except CRSError as error:
        raise ConfigError(f"crs.working: {text!r} is not a coordinate system that PROJ knows: {error}") from error
    if crs.is_compound:
        crs = crs.sub_crs_list[0]
    if not crs.is_projected:
        raise ConfigError(
            f"crs.working: {crs_label(crs)} ({crs.name}) is not projected, so its distances are not metres. "
            + _suggestion(crs, near_lonlat)
        )
    units = sorted({axis.unit_name for axis in crs.axis_info})
    if units != ["metre"]:
        raise ConfigError(
            f"crs.working: {crs_label(crs)} ({crs.name}) counts in {', '.join(units)}, not metres. "
            + _suggestion(crs, near_lonlat)
        )
    method = crs.coordinate_operation.method_name if crs.coordinate_operation else ""
    if method.startswith(("Mercator", "Popular Visualisation")):
        raise ConfigError(
            f"crs.working: {crs_label(crs)} ({crs.name}) stretches distances away from the equator (1.6 times "
            "in London), so bandwidths and areas would be wrong. " + _suggestion(crs, near_lonlat)
        )
    return crs


def _suggestion(crs: CRS, near_lonlat: tuple[float, float] | None) -> str:
    """Suggest a system for a place in the data, or in the area of use of the given system if that is small."""
    area = crs.area_of_use
    if near_lonlat is None and area is not None and 0 < area.east - area.west <= 12:
        near_lonlat = ((area.west + area.east) / 2, (area.south + area.north) / 2)
    if near_lonlat is None:
        return "Use a projected system in metres: EPSG:27700 in Great Britain, or the UTM zone of the place."
    lon, lat = near_lonlat
    return f"Use a projected system in metres, such as the UTM zone of longitude {lon:.2f}: {utm_for(lon, lat)}."


@cache
def source_crs(text: str, *, what: str) -> CRS:
    """Read the coordinate system of a source, which messages call `what`.

    Raises
    ------
    InputError
        If PROJ does not know it.
    """
    try:
        crs = CRS.from_user_input(text)
    except CRSError as error:
        raise InputError(f"{what}: {text!r} is not a coordinate system that PROJ knows: {error}") from error
    return crs.sub_crs_list[0] if crs.is_compound else crs


def same_crs(one: CRS | str, other: CRS | str) -> bool:
    """Whether two systems assign the same coordinates to the same place (x first, regardless of axis order)."""
    left, right = (c if isinstance(c, CRS) else CRS.from_user_input(c) for c in (one, other))
    if left.equals(right, ignore_axis_order=True):
        return True
    left_code, right_code = left.to_authority(min_confidence=70), right.to_authority(min_confidence=70)
    return left_code is not None and left_code == right_code


def transformer(source: CRS | str, working: CRS | str) -> Transformer:
    """Return the one operation used between two systems, x (or longitude) first.

    PROJ may otherwise choose an operation for each point. Here the best operation for the area of the working system is
    chosen once, so that every input uses the same transformation.

    Raises
    ------
    InputError
        If PROJ knows no operation between them; the message names both sides.
    """
    return _transformer(_text(source), _text(working))


def _text(crs: CRS | str) -> str:
    return crs if isinstance(crs, str) else crs.to_wkt()


@cache
def _transformer(source: str, working: str) -> Transformer:
    group = _operations(source, working)
    if not group.transformers:
        raise InputError(
            f"PROJ has no operation from {crs_label(source)} to {crs_label(working)} better than a guess that may be "
            f"100 m off{_missing_grid(group)}. Save the source in {LONLAT} or in {crs_label(working)}"
        )
    return group.transformers[0]


@cache
def _operations(source: str, working: str) -> TransformerGroup:
    target = CRS.from_user_input(working)
    area = target.area_of_use
    interest = AreaOfInterest(area.west, area.south, area.east, area.north) if area else None
    try:
        with warnings.catch_warnings():  # a missing grid is named by `operation_name`, once, where people read it
            warnings.simplefilter("ignore", UserWarning)
            return TransformerGroup(source, target, always_xy=True, area_of_interest=interest, allow_ballpark=False)
    except (CRSError, ProjError) as error:
        raise InputError(
            f"no transformation is known from {crs_label(source)} to {crs_label(working)}: {error}. "
            "Name the system the coordinates are really in"
        ) from error


def _missing_grid(group: TransformerGroup) -> str:
    if group.best_available or not group.unavailable_operations:
        return ""
    grids = sorted({grid.short_name for grid in group.unavailable_operations[0].grids if not grid.available})
    return f" (a better one needs {', '.join(grids)}, which is not installed)" if grids else ""


def operation_name(source: CRS | str, working: CRS | str) -> str:
    """Name the PROJ operation, its stated accuracy and any better one that is missing, for the manifest."""
    if same_crs(source, working):
        return "none (already in the working system)"
    chosen = transformer(source, working)
    accuracy = f", accuracy {chosen.accuracy:g} m" if chosen.accuracy is not None and chosen.accuracy >= 0 else ""
    return f"{chosen.description}{accuracy}{_missing_grid(_operations(_text(source), _text(working)))}"


def project(xy: Points, *, source: CRS | str, working: CRS | str) -> Points:
    """Transform coordinates into the working system.

    Parameters
    ----------
    xy
        x (or longitude) and y (or latitude) in the source's units, shape (n, 2).

    Returns
    -------
    projected
        Eastings and northings in metres, shape (n, 2), a new array. A place outside the projection's area, or with a
        coordinate that is not finite, is a row of two NaN, which the caller counts.

    Raises
    ------
    InputError
        If the shape is wrong or PROJ knows no way between the systems.
    """
    points = _as_points(xy)
    if same_crs(source, working):
        out = points.copy()
    else:
        out = np.column_stack(transformer(source, working).transform(points[:, 0], points[:, 1]))
    return _blank_unplaced(out)


def project_geometries(geometries: Geometries, *, source: CRS | str, working: CRS | str) -> Geometries:
    """Transform geometries like `project` transforms coordinates; new objects, two dimensions."""
    import shapely

    flat = shapely.force_2d(np.asarray(geometries, dtype=object))
    if same_crs(source, working):
        return np.asarray(flat, dtype=object)
    chosen = transformer(source, working)
    moved = shapely.transform(flat, lambda xy: np.column_stack(chosen.transform(xy[:, 0], xy[:, 1])))
    return np.asarray(moved, dtype=object)


def to_lonlat(places: Any, *, working: CRS | str) -> Any:
    """Transform coordinates or geometries to WGS 84 degrees, longitude first: the inverse of `project`.

    Parameters
    ----------
    places
        Eastings and northings in metres, shape (n, 2), or an array of geometries.
    working
        The system they are in.

    Returns
    -------
    lonlat
        Coordinates or geometries, like the input; new objects.
    """
    from pyproj.enums import TransformDirection

    back = transformer(LONLAT, working)

    def degrees(xy: Points) -> Points:
        return np.column_stack(back.transform(xy[:, 0], xy[:, 1], direction=TransformDirection.INVERSE))

    array = np.asarray(places)
    if array.dtype != object:
        return _blank_unplaced(degrees(_as_points(array)))
    import shapely

    return np.asarray(shapely.transform(shapely.force_2d(array), degrees), dtype=object)


def _as_points(xy: Any) -> Points:
    points = np.asarray(xy, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"coordinates have shape {points.shape}: expected (n, 2), x and y")
    return points


def _blank_unplaced(xy: Points) -> Points:
    """Set every row with a coordinate that is not finite to two NaN."""
    xy[~np.isfinite(xy).all(axis=1)] = np.nan
    return xy
