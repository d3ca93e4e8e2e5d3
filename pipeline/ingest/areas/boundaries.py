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
from pipeline.ingest.formats.opened import AreaLayer, AreaRequest, find_columns

__all__ = ["Boundaries", "assign_parents", "boundary_texts", "read_boundaries"]

Shapes = NDArray[np.object_]
_PARTS = ("code", "name", "parent_code", "parent_name")
_POLYGONS = (3, 6)
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
    shapes, _ = repair(layer.shapes)
    unsound = ~shapely.is_missing(layer.shapes) & ~shapely.is_valid(layer.shapes)
    _require_polygons(shapes, codes, file=path.name)
    projected = crs.project_geometries(shapes, source=system, working=working)
    unsound |= ~shapely.is_missing(projected) & ~shapely.is_valid(projected)
    projected, _ = repair(projected)
    _require_places(projected, codes, file=path.name, level=level)
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
    return AreaRequest(f"areas.{level}", columns, settings.layer, shapes=shapes, limits=limits)


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


def _require_polygons(shapes: Shapes, codes: Sequence[str], *, file: str) -> None:
    wrong = shapely.is_missing(shapes) | shapely.is_empty(shapes) | ~np.isin(shapely.get_type_id(shapes), _POLYGONS)
    if wrong.any():
        listed = ", ".join([c for c, bad in zip(codes, wrong, strict=True) if bad][:10])
        raise InputError(f"{file}: {int(wrong.sum())} areas have no polygon ({listed}): repair or remove them")


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
