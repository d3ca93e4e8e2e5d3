"""Boundary files: read, repaired, brought into the working system, each ward with its borough."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.config import AreaFile, Run
from pipeline.errors import InputError
from pipeline.geography import projection as crs
from pipeline.geography.areas import check_codes, repair
from pipeline.ingest.formats import area_reader
from pipeline.ingest.formats.files import DEFAULT_LIMITS, existing, require_size
from pipeline.ingest.formats.opened import (
    HALF_CIRCLE,
    QUARTER_CIRCLE,
    AreaLayer,
    AreaRequest,
    find_columns,
)

__all__ = ["Boundaries", "assign_parents", "boundary_texts", "read_boundaries"]

Shapes = NDArray[np.object_]
_PARTS = ("code", "name", "parent_code", "parent_name")
_POLYGONS = (3, 6)
_COLLECTION = 7
_REACH_M = 1e8  # no projected system has coordinates beyond


@dataclass(frozen=True, slots=True, eq=False)
class Boundaries:
    """One level of areas.

    Attributes
    ----------
    codes, names
        Of each area, in the order of the codes.
    parent_codes, parent_names
        Borough of each area as the file names it; None where the file has no such column.
    shapes
        Sound polygons in the working system.
    repaired
        Codes of the areas whose outline had to be repaired, sorted.
    operation
        Transformation into the working system.
    vintage
        Edition.
    """

    codes: tuple[str, ...]
    names: tuple[str, ...]
    parent_codes: tuple[str, ...] | None
    parent_names: tuple[str, ...] | None
    shapes: Shapes
    repaired: tuple[str, ...]
    operation: str
    vintage: str


def read_boundaries(
    settings: AreaFile, *, base: Path, working: str, level: str, limits: Run = DEFAULT_LIMITS
) -> Boundaries:
    """Read the areas of one level.

    Parameters
    ----------
    settings
        The file and its columns.
    base
        Folder that the path starts from.
    working
        The working system.
    level
        `wards` or `boroughs`: the key under `areas`, for messages.
    limits
        How long the file may be.

    Raises
    ------
    InputError
        If the file or a column is missing, nothing says which system it is in, codes are blank or repeated, or a
        shape is not a polygon.
    """
    path = existing(settings.path, base=base, what=f"areas.{level}")
    require_size(path, limits=limits, whole=True)
    request = _request(settings, level=level, limits=limits, shapes=True)
    layer = area_reader(path).read_areas(path, request)
    system = _system(layer, settings=settings, level=level, file=path.name)
    if not len(layer.frame):
        raise InputError(f"{path.name} has no areas (areas.{level}): check the file and its layer")
    texts = _named(layer.frame, request, file=path.name)
    try:
        codes = check_codes(texts["code"] or ())
    except InputError as error:
        raise InputError(f"{path.name} (areas.{level}.code is {settings.code!r}): {error}") from None
    given = _polygons(layer.shapes)
    shapes, _ = repair(given)
    unsound = ~shapely.is_missing(given) & ~shapely.is_valid(given)
    _require_polygons(shapes, layer.shapes, codes, file=path.name)
    _require_degrees(shapes, system, settings=settings, level=level, file=path.name)
    _require_axes(shapes, system, working=working, level=level, file=path.name)
    projected = crs.project_geometries(shapes, source=system, working=working)
    _require_places(projected, codes, file=path.name, level=level)
    unsound |= ~shapely.is_missing(projected) & ~shapely.is_valid(projected)
    projected, _ = repair(projected)
    order = np.argsort(np.array(codes, dtype=object), kind="stable")

    def sorted_texts(part: str) -> tuple[str, ...] | None:
        values = texts[part]
        return None if values is None else tuple(values[i] for i in order)

    names = sorted_texts("name") or ()
    return Boundaries(
        tuple(codes[i] for i in order),
        tuple(name or codes[i] for name, i in zip(names, order, strict=True)),
        sorted_texts("parent_code"),
        sorted_texts("parent_name"),
        projected[order],
        tuple(sorted(code for code, bad in zip(codes, unsound, strict=True) if bad)),
        crs.operation_name(system, working),
        settings.vintage,
    )


def boundary_texts(
    settings: AreaFile, *, base: Path, level: str, limits: Run = DEFAULT_LIMITS
) -> dict[str, tuple[str, ...] | None]:
    """Read the names and codes of a boundary file and none of its outlines.

    Returns
    -------
    texts
        `code`, `name`, `parent_code` and `parent_name` of each area as the file has them; None where not configured.

    Raises
    ------
    InputError
        If the file or a column is missing.
    """
    path = existing(settings.path, base=base, what=f"areas.{level}")
    require_size(path, limits=limits, whole=True)
    request = _request(settings, level=level, limits=limits, shapes=False)
    frame = area_reader(path).read_areas(path, request).frame
    return _named(frame, request, file=path.name)


def _request(settings: AreaFile, *, level: str, limits: Run, shapes: bool) -> AreaRequest:
    named = {part: getattr(settings, part) for part in _PARTS}
    columns = tuple((f"areas.{level}.{part}", name) for part, name in named.items() if name is not None)
    return AreaRequest(
        f"areas.{level}", columns, settings.layer, shapes=shapes, limits=limits, encoding=settings.encoding
    )


def _system(layer: AreaLayer, *, settings: AreaFile, level: str, file: str) -> Any:
    """Return the system of the shapes: the one configured, else what the file says."""
    system = layer.system if settings.crs is None else crs.source_crs(settings.crs, what=f"areas.{level}.crs")
    if system is None:
        raise InputError(
            f"{file} does not say which coordinate system it is in: set areas.{level}.crs (for example "
            "EPSG:27700), or supply its .prj file"
        )
    return crs.source_crs(system.to_wkt(), what=file)


def _named(frame: Any, request: AreaRequest, *, file: str) -> dict[str, tuple[str, ...] | None]:
    wanted = request.columns
    at = find_columns(wanted, [str(c) for c in frame.columns], file=file)
    found = {key.rpartition(".")[2]: _texts(frame.iloc[:, i]) for (key, _), i in zip(wanted, at, strict=True)}
    return {part: found.get(part) for part in _PARTS}


def _texts(column: Any) -> tuple[str, ...]:
    """Trimmed texts; whole numbers without a decimal point; empty where missing."""
    blank = column.isna()
    return tuple(
        "" if gone else str(int(v)) if isinstance(v, float) and v.is_integer() else " ".join(str(v).split())
        for v, gone in zip(column.tolist(), blank, strict=True)
    )


def _polygons(shapes: Shapes) -> Shapes:
    """Take the polygons out of geometry collections and drop heights; all else stays as it is.

    Tools that cut or merge areas leave collections: the area, and lines or points where areas only touched.
    """
    out: Shapes = shapely.force_2d(np.asarray(shapes, dtype=object))
    for at in np.flatnonzero(shapely.get_type_id(out) == _COLLECTION):
        parts = [out[at]]
        while any(p.geom_type == "GeometryCollection" for p in parts):  # a collection may hold collections
            parts = [inner for p in parts for inner in getattr(p, "geoms", [p])]
        areas = [p for p in parts if shapely.get_type_id(p) in _POLYGONS]
        out[at] = shapely.union_all(repair(np.array(areas, dtype=object))[0]) if areas else out[at]
    return out


def _require_polygons(shapes: Shapes, given: Shapes, codes: Sequence[str], *, file: str) -> None:
    wrong = shapely.is_missing(shapes) | shapely.is_empty(shapes) | ~np.isin(shapely.get_type_id(shapes), _POLYGONS)
    if wrong.any():
        kinds = [
            "empty" if g is None or g.is_empty else g.geom_type for g, bad in zip(given, wrong, strict=True) if bad
        ]
        listed = ", ".join(f"{c}: {k}" for c, k in zip(np.array(codes, dtype=object)[wrong][:10], kinds, strict=False))
        raise InputError(
            f"{file}: {int(wrong.sum())} areas have no polygon ({listed}): give the outlines of these areas, or remove "
            "them from the file"
        )


def _require_degrees(shapes: Shapes, system: Any, *, settings: AreaFile, level: str, file: str) -> None:
    """Refuse metres that pass for degrees: GeoJSON without a known system is in degrees (RFC 7946)."""
    if not system.is_geographic:
        return
    west, south, east, north = shapely.bounds(shapes).T
    beyond = (west < -HALF_CIRCLE) | (east > HALF_CIRCLE) | (south < -QUARTER_CIRCLE) | (north > QUARTER_CIRCLE)
    # Outlines that cross the date line may reach a little beyond 180 degrees; most areas of a file cannot.
    if 2 * int(beyond.sum()) > len(shapes):
        why = (
            f"areas.{level}.crs says degrees ({crs.crs_label(system)})"
            if settings.crs is not None
            else f"{file} names no coordinate system that is known, which means degrees ({crs.crs_label(system)})"
        )
        raise InputError(
            f"{file}: {why}, but its coordinates reach {east.max():,.0f} and {north.max():,.0f}: they are metres or "
            f"feet. Set areas.{level}.crs to the system they are in, for example EPSG:27700"
        )


def _require_axes(shapes: Shapes, system: Any, *, working: str, level: str, file: str) -> None:
    """Refuse boundaries whose axes are exchanged: outside where the working system is used, and inside when turned."""
    used = crs.working_crs(working).area_of_use
    if used is None:
        return
    west, south, east, north = (float(v) for v in shapely.total_bounds(shapes))
    corners = np.array([[x, y] for x in (west, east) for y in (south, north)])
    if _used_there(corners, system, used) or not _used_there(corners[:, ::-1], system, used):
        return
    asked = "longitude first, then latitude" if system.is_geographic else "easting first, then northing"
    raise InputError(
        f"{file} (areas.{level}) has its axes exchanged: read as {asked}, it reaches from {west:,.6g}, {south:,.6g} to "
        f"{east:,.6g}, {north:,.6g}, which is outside the area of {crs.crs_label(working)} ({used.name}); with "
        "latitude and longitude swapped it would lie inside. Export it with x before y, or swap the axes (in QGIS: "
        "Swap X and Y coordinates)"
    )


def _used_there(corners: Any, system: Any, used: Any) -> bool:
    """Whether corners of a box lie in the area of use of a system."""
    lonlat = crs.project(corners, source=system, working=crs.LONLAT)
    if not np.isfinite(lonlat).all():
        return False
    lon, lat = lonlat.mean(axis=0)
    return bool(used.west <= lon <= used.east and used.south <= lat <= used.north)


def _require_places(shapes: Shapes, codes: Sequence[str], *, file: str, level: str) -> None:
    """Refuse areas that are nowhere on Earth: in the wrong system, or damaged."""
    reach = np.abs(shapely.bounds(shapes)).max(axis=1)
    wrong = ~(reach < _REACH_M)
    if wrong.any():
        listed = ", ".join([c for c, bad in zip(codes, wrong, strict=True) if bad][:10])
        raise InputError(
            f"{file}: {int(wrong.sum())} areas lie nowhere on Earth ({listed}): check areas.{level}.crs, or export the "
            "file again"
        )


def assign_parents(wards: Boundaries, boroughs: Boundaries) -> tuple[str, ...]:
    """Give every ward the borough that covers most of it.

    Raises
    ------
    InputError
        If a ward lies in no borough.
    """
    ward, borough = shapely.STRtree(boroughs.shapes).query(wards.shapes, predicate="intersects")
    shared = shapely.area(shapely.intersection(wards.shapes[ward], boroughs.shapes[borough]))
    order = np.lexsort((borough, -shared, ward))
    ward, borough, shared = ward[order], borough[order], shared[order]
    first = np.concatenate(([True], np.diff(ward) > 0)) if len(ward) else np.zeros(0, dtype=bool)
    best = {
        int(w): boroughs.codes[int(b)]
        for w, b, a in zip(ward[first], borough[first], shared[first], strict=True)
        if a > 0
    }
    lost = [code for i, code in enumerate(wards.codes) if i not in best]
    if lost:
        raise InputError(
            f"{len(lost)} wards lie in no borough of areas.boroughs ({', '.join(lost[:10])}): check that both files "
            "are of one place and edition, or set areas.wards.parent_code"
        )
    return tuple(best[i] for i in range(len(wards.codes)))
