"""Density bands as polygons: contours of a surface, with a rule that keeps lone incidents off the map."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.geography.grid import Grid

__all__ = ["DOUBLING_PER_KM2", "MEAN_MULTIPLES", "Band", "bands", "lowered", "mean_thresholds"]

DOUBLING_PER_KM2 = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
MEAN_MULTIPLES = (1.0, 2.0, 3.0, 5.0, 8.0)  # three times the mean and over is the usual cut for a hotspot
PRECISION_M = 0.001
LEAST_PART_M2 = 1.0  # what clipping leaves behind below this is dropped

Values = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """The ground where density lies between two levels.

    Attributes
    ----------
    density_low, density_high
        Incidents per square kilometre, low included; None above the highest level.
    geometry
        A valid multipolygon in the grid's projection.
    """

    density_low: float
    density_high: float | None
    geometry: Any


def mean_thresholds(mean_per_km2: float, *, multiples: Sequence[float] = MEAN_MULTIPLES) -> tuple[float, ...]:
    """Return levels at multiples of the mean density inside the study area, per square kilometre.

    An area without incidents has no levels.

    Raises
    ------
    InputError
        If the mean is negative or not finite, or a multiple is not above 0.
    """
    if not (np.isfinite(mean_per_km2) and mean_per_km2 >= 0):
        raise InputError(f"a mean density of {mean_per_km2} per km2 cannot be multiplied: give 0 or more")
    if not all(np.isfinite(m) and m > 0 for m in multiples):
        raise InputError(f"multiples of the mean {tuple(multiples)} must all be above 0")
    return tuple(sorted({float(m * mean_per_km2) for m in multiples})) if mean_per_km2 > 0 else ()


def bands(
    density_per_km2: Values,
    *,
    grid: Grid,
    thresholds_per_km2: Sequence[float],
    locations_per_km2: Values,
    location_peak_per_km2: float,
    min_locations: int = 5,
    within: Any = None,
) -> tuple[Band, ...]:
    """Draw the bands of a surface.

    A band reaches only where the density of *distinct locations*, surfaced with the same kernel, is at least
    `min_locations` times what one location has at its own place (for the quartic: density x pi h^2 / 3 >= the minimum
    number of locations). A lone incident, or ten at one address, is one location and makes no band.

    Parameters
    ----------
    density_per_km2
        Incidents per square kilometre at the cell centres, shape (rows, cols).
    grid
        The cells.
    thresholds_per_km2
        Levels, above 0; a band runs from each to the next, the last upwards.
    locations_per_km2
        Distinct locations per square kilometre, same kernel, same cells.
    location_peak_per_km2
        Density of one location at its own place, per square kilometre.
    min_locations
        Distinct locations a band must rest on, 1 or more.
    within
        Polygon to cut the bands to; None leaves them whole.

    Returns
    -------
    bands
        Lowest first; a band without ground is left out. Same input, same bytes.

    Raises
    ------
    InputError
        If shapes disagree, or a number cannot be used.
    """
    levels = _checked_levels(thresholds_per_km2)
    for name, values in (("density", density_per_km2), ("location density", locations_per_km2)):
        if values.shape != grid.shape or not np.isfinite(values).all():
            raise InputError(f"the {name} must be finite numbers of shape {grid.shape}: got shape {values.shape}")
    if min_locations < 1 or not location_peak_per_km2 > 0:
        raise InputError(f"min_locations {min_locations} must be 1 or more, and one location's peak above 0")
    if not levels or density_per_km2.max(initial=0.0) < levels[0]:
        return ()
    # A hair under the minimum, so that rounding in the transform does not undo locations that meet it exactly.
    enough = _filled(locations_per_km2, grid, min_locations * location_peak_per_km2 * (1 - 1e-6), None)
    if within is not None:
        enough = _polygons(shapely.intersection(enough, within))
    found = []
    for low, high in zip(levels, [*levels[1:], None], strict=True):
        ground = _polygons(shapely.intersection(_filled(density_per_km2, grid, low, high), enough))
        if not ground.is_empty:
            found.append(Band(low, high, ground))
    return tuple(found)


def lowered(shapes: NDArray[Any], enough: Callable[[NDArray[Any], Places, Places], Any]) -> list[Any]:
    """Draw ground whose patch does not rest on enough in the band below, or leave it out where none does.

    A patch is a connected piece of a band with everything above it. Leaving a small one out would cut a hole into the
    band round it: readers would see where the few are, and take the densest ground for the emptiest.

    Parameters
    ----------
    shapes
        Multipolygons of the bands, lowest first, shape (m,); they do not overlap.
    enough
        Takes patches, shape (n,), and pairs of a position in it and one among the pieces of all bands (in the order of
        `shapely.get_parts(shapes)`); says of each patch whether it rests on enough, shape (n,).

    Returns
    -------
    shapes
        As many, empty where nothing is left of a band.
    """
    pieces, band = shapely.get_parts(shapes, return_index=True)
    inside = shapely.point_on_surface(pieces)
    drawn = np.full(len(pieces), -1)
    for number in range(len(shapes)):
        above = np.flatnonzero(band >= number)
        patches = shapely.get_parts(shapely.union_all(pieces[above], grid_size=PRECISION_M))
        patch, at = shapely.STRtree(inside[above]).query(patches, predicate="intersects")
        drawn[above[at[enough(patches, patch, above[at])[patch]]]] = number
    out = []
    for number in range(len(shapes)):
        mine = pieces[drawn == number]
        moved = (band[drawn == number] != number).any()
        out.append(_polygons(shapely.union_all(mine, grid_size=PRECISION_M)) if moved else shapely.multipolygons(mine))
    return out


def _checked_levels(thresholds_per_km2: Sequence[float]) -> list[float]:
    levels = [float(t) for t in thresholds_per_km2]
    if not all(np.isfinite(t) and t > 0 for t in levels) or any(b <= a for a, b in pairwise(levels)):
        raise InputError(f"band levels {levels} must be above 0 per km2 and ascending")
    return levels


def _filled(values: Values, grid: Grid, low: float, high: float | None) -> Any:
    """Ground where low <= value < high, linear between centres, as a valid multipolygon."""
    from contourpy import FillType, contour_generator

    top = float(values.max(initial=0.0))
    if top < low:
        return shapely.MultiPolygon()
    # A ring of zeros closes every contour before the grid ends.
    padded = np.pad(values, 1)
    x = grid.x0 + (np.arange(-1, grid.cols + 1) + 0.5) * grid.cell_m
    y = grid.y0 + (np.arange(-1, grid.rows + 1) + 0.5) * grid.cell_m
    maker = contour_generator(x, y, padded, name="serial", fill_type=FillType.OuterOffset)
    shapes = []
    for points, offsets in zip(*maker.filled(low, top + 1.0 if high is None else high), strict=True):
        rings = [points[a:b] for a, b in pairwise(offsets)]
        shapes.append(shapely.Polygon(rings[0], rings[1:]))
    # Contours may meet at a corner, which makes a ring touch itself.
    return _polygons(shapely.union_all(shapely.make_valid(np.array(shapes, dtype=object), method="structure")))


def _polygons(shape: Any) -> Any:
    """Keep the polygons of whatever an overlay gave, as one multipolygon in one order."""
    parts = shapely.get_parts(np.atleast_1d(np.asarray(shape, dtype=object)))
    parts = shapely.get_parts(parts)  # a collection may hold multipolygons
    keep = parts[(shapely.get_dimensions(parts) == 2) & (shapely.area(parts) >= LEAST_PART_M2)]
    return shapely.normalize(shapely.multipolygons(keep)) if len(keep) else shapely.MultiPolygon()
