"""What a set of areas must be before anything is measured on it: one code each, sound polygons."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.errors import InputError

__all__ = ["Geometries", "check_codes", "checked_shapes", "repair"]

POLYGON, MULTIPOLYGON, COLLECTION = 3, 6, 7
LISTED = 10

Geometries = NDArray[np.object_]


def check_codes(codes: Sequence[str]) -> tuple[str, ...]:
    """Return the codes as text, refusing blanks and repeats.

    Raises
    ------
    InputError
        If there is no code, one is blank, or one repeats; every offender is named (the first ten).
    """
    names = tuple("" if code is None or code != code else str(code).strip() for code in codes)  # noqa: PLR0124 NaN
    if not names:
        raise InputError("no areas were given: check the boundary file and its filter")
    if blanks := sum(not name for name in names):
        raise InputError(f"{blanks} of {len(names)} areas have no code: name the column that holds the codes")
    repeats = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeats:
        raise InputError(
            f"area codes must be unique, but {len(repeats)} repeat: {_listed(repeats)}. "
            "Dissolve the areas by code, or name the column that holds the codes of this level"
        )
    return names


def checked_shapes(geometries: Geometries, codes: Sequence[str]) -> Geometries:
    """Return the geometries in two dimensions as a new array, refusing what is not a sound polygon.

    Raises
    ------
    InputError
        If the numbers of geometries and codes differ, or a geometry is missing, empty, invalid, without finite
        coordinates, or not a polygon; the areas are named.
    """
    shapes = _as_array(geometries)
    if len(shapes) != len(codes):
        raise InputError(f"{len(shapes)} geometries came with {len(codes)} codes: give one code per area")
    kind = shapely.get_type_id(shapes)
    faults = {
        "no geometry": shapely.is_missing(shapes) | shapely.is_empty(shapes),
        "a geometry that is not a polygon": ~np.isin(kind, (-1, POLYGON, MULTIPOLYGON)),
        "coordinates that are not finite": ~np.isfinite(shapely.bounds(shapes)).all(axis=1)
        & ~shapely.is_missing(shapes)
        & ~shapely.is_empty(shapes),
    }
    faults["an invalid outline (repair it first)"] = ~np.logical_or.reduce(list(faults.values())) & ~shapely.is_valid(
        shapes
    )
    wrong = [
        f"{_listed(sorted(code for code, bad in zip(codes, mask, strict=True) if bad))}: {fault}"
        for fault, mask in faults.items()
        if mask.any()
    ]
    if wrong:
        raise InputError("areas cannot be used: " + "; ".join(wrong))
    return _as_array(shapely.force_2d(shapes))


def repair(geometries: Geometries) -> tuple[Geometries, int]:
    """Make invalid polygons valid, leaving valid ones as they are.

    Parameters
    ----------
    geometries
        Polygons and multipolygons; missing ones stay missing.

    Returns
    -------
    fixed
        A new array. A repaired shape keeps every place its rings enclosed an odd number of times or in union, in the
        sense of `shapely.make_valid` with ``method="structure"``; lines and points left over are dropped.
    n_repaired
        How many were changed.
    """
    shapes = _as_array(geometries)
    bad = np.flatnonzero(~shapely.is_missing(shapes) & ~shapely.is_valid(shapes))
    for at in bad:
        shapes[at] = _polygonal(shapely.make_valid(shapes[at], method="structure", keep_collapsed=False))
    return shapes, len(bad)


def _polygonal(shape: Any) -> Any:
    if shape.geom_type != "GeometryCollection":
        return shape
    parts = shapely.get_parts(shape)
    return shapely.union_all(parts[shapely.get_dimensions(parts) == 2])


def _as_array(geometries: Any) -> Geometries:
    """Copy into a plain object array, whatever kind of sequence it was."""
    shapes = np.empty(len(geometries), dtype=object)
    shapes[:] = list(geometries)
    return shapes


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
