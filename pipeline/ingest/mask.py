"""The mask of `areas.mask`: ground inside the areas that cannot hold incidents, such as water."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from pipeline.config import Mask, Run
from pipeline.errors import InputError
from pipeline.geography import projection as crs
from pipeline.geography.areas import repair
from pipeline.geography.study_area import without
from pipeline.ingest.formats.files import DEFAULT_LIMITS, AreaRequest, existing, read_layer
from pipeline.storage import files
from pipeline.tables import MASK

__all__ = ["Masked", "masked_ground", "read_mask", "require_mask", "save_mask", "stored_mask"]

Shapes = NDArray[np.object_]

KEY = "areas.mask"
LEAST_GROUND = 0.001
"""Share of an area. With less than this left, of an area that may be a dock or a reservoir as a whole, any incident
would be an endless density: such an area keeps all its ground, and a caution names it."""
LISTED = 5


@dataclass(frozen=True, slots=True, eq=False)
class Masked:
    """Ground that cannot hold incidents.

    Attributes
    ----------
    shape
        One polygon or multipolygon in the working system, inside the areas; None where nothing is masked.
    km2
        Its size, square kilometres.
    cautions
        What was repaired or left out, and areas that keep all their ground.
    """

    shape: Any = None
    km2: float = 0.0
    cautions: tuple[str, ...] = field(default=())


def read_mask(
    settings: Mask | None,
    *,
    base: Path,
    working: str,
    areas: Shapes,
    names: tuple[str, ...],
    limits: Run = DEFAULT_LIMITS,
) -> Masked:
    """Read the layer and return what of the areas cannot hold incidents.

    Parameters
    ----------
    settings
        As configured; None masks nothing.
    base
        Folder that the path starts from.
    working
        The working system, in metres.
    areas, names
        Outlines of the smallest areas, shape (n,), and their names.
    limits
        How long the file may be.

    Raises
    ------
    InputError
        If the file is missing or no map layer, states no coordinate system, has no outlines, or leaves no ground or
        masks none.
    """
    if settings is None:
        return Masked()
    path = existing(settings.path, base=base, what=f"{KEY}.path")
    layer = read_layer(path, AreaRequest(KEY, (), settings.layer, limits=limits))
    system = crs.source_crs(settings.crs, what=f"{KEY}.crs") if settings.crs else layer.system
    if system is None:
        raise InputError(f"{path.name} does not state its coordinate system ({KEY}): set {KEY}.crs, such as EPSG:27700")
    shapes = shapely.force_2d(np.asarray(layer.shapes, dtype=object))
    shapes = crs.project_geometries(shapes, source=system, working=working)
    label = crs.crs_label(system)
    return masked_ground(shapes, shows=settings.shows, areas=areas, names=names, file=path.name, read_as=label)


def require_mask(path: Path, *, settings: Mask, limits: Run = DEFAULT_LIMITS) -> None:
    """Refuse a file that is no map layer, before any shape is read."""
    read_layer(path, AreaRequest(KEY, (), settings.layer, shapes=False, limits=limits))


def masked_ground(
    shapes: Shapes, *, shows: str, areas: Shapes, names: tuple[str, ...], file: str, read_as: str = ""
) -> Masked:
    """Return what polygons of water, or of land, leave as ground of the areas that cannot hold incidents.

    Parameters
    ----------
    shapes
        Features of the layer in the working system, shape (m,).
    shows
        `water` if incidents cannot be inside, `land` if they cannot be outside.
    areas, names
        Outlines of the smallest areas, shape (n,), and their names.
    file, read_as
        Name of the file and the coordinate system that it was read in, for messages.

    Raises
    ------
    InputError
        If there is no outline, no ground is left, or none is masked.

    Examples
    --------
    >>> city = np.array([shapely.box(0, 0, 100, 100), shapely.box(100, 0, 200, 100)])
    >>> river = np.array([shapely.box(-50, 40, 150, 60)])
    >>> found = masked_ground(river, shows="water", areas=city, names=("West", "East"), file="river.gpkg")
    >>> found.shape.area
    3000.0
    """
    there = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    outlines = there[np.isin(shapely.get_type_id(there), (3, 6))]
    if not len(outlines):
        what = f"its {len(there):,} features are points or lines" if len(there) else "it is empty"
        raise InputError(
            f"{file} has no outlines ({KEY}): {what}. Give a layer of polygons of {shows}, or remove {KEY}"
        )
    cautions = []
    if left := len(there) - len(outlines):
        cautions.append(f"{KEY}: {left:,} of {len(there):,} features of {file} are no outlines and are left out.")
    outlines, repaired = repair(outlines)
    if repaired:
        cautions.append(f"{KEY}: {repaired:,} of {len(outlines):,} outlines of {file} were invalid and were repaired.")

    # Only what is near the areas, as one shape: water of a whole country need not be joined.
    region = shapely.union_all(areas)
    drawn = shapely.union_all(outlines[shapely.STRtree(outlines).query(region, predicate="intersects")])
    mask = shapely.intersection(region, drawn) if shows == "water" else shapely.difference(region, drawn)
    hint = f"check {KEY}.crs" + (f" (read as {read_as})" if read_as else "") + f" and {KEY}.shows ({shows})"
    sizes = shapely.area(areas)
    left_of = shapely.area(without(areas, mask)) / sizes
    if (left_of < LEAST_GROUND).all():
        raise InputError(
            f"{KEY}: {file} leaves no ground for incidents in any of the {len(areas):,} areas: {hint}, or use a layer "
            "that shows only what cannot hold them"
        )
    whole = np.flatnonzero(left_of < LEAST_GROUND)
    if whole.size:
        mask = shapely.difference(mask, shapely.union_all(areas[whole]))
        listed = ", ".join(names[at] for at in whole[:LISTED].tolist())
        listed += f" and {whole.size - LISTED:,} more" if whole.size > LISTED else ""
        one = whole.size == 1
        keep = "which keeps all of its own" if one else "which keep all of their own"
        cautions.append(
            f"{KEY}: {file} leaves no ground in {whole.size:,} {'area' if one else 'areas'} ({listed}), {keep}: if "
            f"nothing can happen there, list {'it' if one else 'them'} in areas.not_covered."
        )
    parts = shapely.get_parts(mask)
    mask = shapely.normalize(shapely.union_all(parts[shapely.get_dimensions(parts) == 2]))
    if mask.is_empty:
        raise InputError(f"{KEY}: {file} takes no ground from any area: {hint}, or remove {KEY}")
    return Masked(mask, round(float(mask.area) / 1e6, 6), tuple(cautions))


def save_mask(path: Path, mask: Any) -> None:
    """Write the mask as the table MASK; without one the table is empty."""
    files.write_table(path, MASK, pd.DataFrame({"geometry": [] if mask is None else [mask]}, dtype=object))


def stored_mask(path: Path) -> Any:
    """Read what `save_mask` wrote: the shape, or None."""
    rows = files.read_table(path, MASK)
    return rows.geometry.iloc[0] if len(rows) else None
