"""Outlines that follow a cluster, discs round its locations and never a convex hull, and the places inside them."""

import math
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["cluster_outlines", "members_of", "outline", "within"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SNAP_ABOVE = 2000  # locations from which they are snapped to a grid before discs are drawn
SNAP_STEP = 1 / 8  # of eps: moves a disc by at most eps / 11
CLOSING = 1 / 4  # of eps: fills gaps narrower than eps / 2, so discs that only touch become one piece
TOLERANCE = 1 / 100  # of eps: how far simplifying may move a line
QUARTER_SEGMENTS = 8  # of a quarter circle: 32 corners, within 0.5 % of the radius of a true disc


def outline(places_m: ArrayLike, *, eps_m: float) -> "BaseGeometry":
    """Draw round the locations of one cluster.

    The union of discs of radius eps / 2, closed (grown and shrunk by eps / 4, which joins discs that only touch) and
    simplified by at most eps / 100. Over 2,000 locations are snapped to a grid of eps / 8 first, which moves the
    line by at most eps / 11, so that memory follows the outline's length and not the number of incidents.

    Parameters
    ----------
    places_m
        Locations in metres, shape (m, 2), at least one.
    eps_m
        Reach of the clustering in metres.

    Returns
    -------
    outline
        A valid polygon in metres; in several pieces only if the locations are not linked within eps.

    Raises
    ------
    InputError
        If there is no location, a coordinate is not finite, or `eps_m` is not positive.
    """
    places = np.asarray(places_m, dtype=np.float64).reshape(-1, 2)
    if not (math.isfinite(eps_m) and eps_m > 0):
        raise InputError(f"eps_m is {eps_m}: an outline needs a positive number of metres")
    if not len(places) or not np.isfinite(places).all():
        raise InputError("an outline needs at least one location, all with finite coordinates in metres")
    # Sorted, so that the same places in another order draw the same outline, byte for byte.
    places = _sorted(places)
    parts = _discs(places, eps_m) if len(places) <= SNAP_ABOVE else _snapped(places, eps_m)
    drawn: Any = shapely.union_all(parts)
    # A union of discs is scalloped and may touch itself in points; closing fills what is narrower than eps / 2.
    closing = eps_m * CLOSING
    drawn = shapely.buffer(shapely.buffer(drawn, closing, quad_segs=QUARTER_SEGMENTS), -closing, quad_segs=4)
    drawn = shapely.simplify(drawn, eps_m * TOLERANCE, preserve_topology=True)
    return shapely.normalize(drawn if shapely.is_valid(drawn) else shapely.make_valid(drawn))


def cluster_outlines(
    points_m: ArrayLike, *, labels: ArrayLike, eps_m: float, count: int | None = None
) -> NDArray[np.object_]:
    """Draw every cluster: an array of polygons, one for each label from 0.

    Parameters
    ----------
    points_m
        Locations in metres, shape (n, 2).
    labels
        Cluster of each location, -1 for none, shape (n,).
    eps_m
        Reach of the clustering in metres.
    count
        Number of clusters, by default the highest label plus one.

    Raises
    ------
    InputError
        If a cluster has no location, or as `outline` does.
    """
    points, label = np.asarray(points_m, dtype=np.float64).reshape(-1, 2), np.asarray(labels, dtype=np.int64)
    use = np.flatnonzero(label >= 0)
    use = use[np.argsort(label[use], kind="stable")]
    total = int(label.max(initial=-1)) + 1 if count is None else count
    cuts = np.searchsorted(label[use], np.arange(total + 1))
    drawn = np.empty(total, dtype=object)
    for i in range(total):
        drawn[i] = outline(points[use[cuts[i] : cuts[i + 1]]], eps_m=eps_m)
    return drawn


def _discs(centres: Floats, eps_m: float) -> NDArray[np.object_]:
    discs: NDArray[np.object_] = shapely.buffer(shapely.points(centres), eps_m / 2, quad_segs=QUARTER_SEGMENTS)
    return discs


def _snapped(core: Floats, eps_m: float) -> NDArray[np.object_]:
    """Draw the discs of occupied grid cells: squares where they certainly cover, discs only where squares do not.

    Every square within two cells of an occupied cell lies inside its disc of four cells' radius, so the union is that
    of all discs, at the cost of those along the edge.
    """
    side, radius = eps_m * SNAP_STEP, round(0.5 / SNAP_STEP)
    low = np.floor(core.min(axis=0) / side)
    column, row = (np.floor(core / side) - low).astype(np.int64).T
    stride = int(row.max()) + 2 * radius + 2
    key = np.unique((column + radius) * stride + row + radius)
    # Cells inside some disc wholly are drawn as boxes, joined along rows; discs are drawn only for cells whose
    # surroundings are not all filled, which are those along the edge.
    filled = np.unique(np.concatenate([key + shift for shift in _around(radius - 1.2, stride, farthest=True)]))
    bare = np.zeros(len(key), dtype=bool)
    for shift in _around(radius, stride, farthest=False):
        at = np.minimum(np.searchsorted(filled, key + shift), len(filled) - 1)
        bare |= filled[at] != key + shift
    begins = np.flatnonzero(np.diff(filled, prepend=-2) != 1)
    ends = np.append(begins[1:], len(filled)) - 1
    west, south = _corner(filled[begins], stride, radius, low, side)
    east, north = _corner(filled[ends], stride, radius, low + 1, side)
    centres = np.column_stack(_corner(key[bare], stride, radius, low + 0.5, side))
    return np.concatenate((_discs(centres, eps_m), shapely.box(west, south, east, north)))


def _sorted(places: Floats) -> Floats:
    """Return distinct places sorted by easting, then northing; tables of locations are so already."""
    x, y = places[:, 0], places[:, 1]
    if ((x[1:] > x[:-1]) | ((x[1:] == x[:-1]) & (y[1:] > y[:-1]))).all():
        return places
    return np.unique(places, axis=0)


def _around(reach: float, stride: int, *, farthest: bool) -> list[int]:
    """List shifts to cells whose farthest (else nearest) point is within so many sides of a cell's centre."""
    half = 0.5 if farthest else -0.5
    steps = range(-math.ceil(reach), math.ceil(reach) + 1)
    return [
        i * stride + j for i in steps for j in steps if math.hypot(max(abs(i) + half, 0), max(abs(j) + half, 0)) < reach
    ]


def _corner(key: NDArray[np.int64], stride: int, pad: int, low: Floats, side: float) -> tuple[Floats, Floats]:
    column, row = np.divmod(key, stride)
    return (column - pad + low[0]) * side, (row - pad + low[1]) * side


def members_of(rows: pd.DataFrame, outlines: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return the places inside each hotspot's outline, from which the release stage counts what it may show.

    Parameters
    ----------
    rows
        Columns easting_m, northing_m, ward_code and incidents; a place may have several rows.
    outlines
        Column hotspot_id, and outlines in the same system. They may overlap: a place counts in each that holds it.

    Returns
    -------
    members
        hotspot_id, easting_m, northing_m, ward_code, incidents: a row per hotspot and place, sorted by the first three.
    """
    rows = rows[["easting_m", "northing_m", "ward_code", "incidents"]]
    outlines = outlines.sort_values("hotspot_id")
    x, y = (rows[name].to_numpy(dtype=np.float64) for name in ("easting_m", "northing_m"))
    # The table of locations is written in this order already.
    if not ((x[1:] > x[:-1]) | ((x[1:] == x[:-1]) & (y[1:] >= y[:-1]))).all():
        rows = rows.sort_values(["easting_m", "northing_m"], kind="stable")
        x, y = (rows[name].to_numpy(dtype=np.float64) for name in ("easting_m", "northing_m"))
    hotspot, at = within(outlines.geometry.to_numpy(), rows)
    # Rows of one place follow one another within a hotspot: sum each run.
    new = np.ones(len(at), dtype=bool)
    for values in (hotspot, x[at], y[at]):
        new[1:] &= values[1:] == values[:-1]
    new[1:] = ~new[1:]
    begins = np.flatnonzero(new)
    inside = rows.iloc[at[begins]].reset_index(drop=True)
    counts = rows["incidents"].to_numpy(dtype=np.int64)[at]
    sums = np.add.reduceat(counts, begins) if len(at) else counts
    inside["incidents"] = pd.array(sums, dtype=rows["incidents"].dtype)
    inside.insert(0, "hotspot_id", outlines["hotspot_id"].to_numpy()[hotspot[begins]])
    return inside


def within(shapes: NDArray[Any], rows: pd.DataFrame) -> tuple[Ints, Ints]:
    """Return which rows lie inside which outlines, on their line included.

    Parameters
    ----------
    shapes
        Outlines in metres, shape (m,). They may overlap: a row is inside each that holds it.
    rows
        Columns easting_m and northing_m, n rows.

    Returns
    -------
    shape, row
        A position in each for every pair, sorted by shape; within a shape by easting, rows that are sorted by easting
        in their order.
    """
    x, y = (rows[name].to_numpy(dtype=np.float64) for name in ("easting_m", "northing_m"))
    order = None
    if not (x[1:] >= x[:-1]).all():
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
    shapely.prepare(shapes)
    # Sorted by easting, the candidates of an outline are one slice: only they are tested against its polygon.
    held = [np.empty(0, dtype=np.int64)]
    for shape, (west, _, east, _) in zip(shapes, shapely.bounds(shapes), strict=True):
        first, last = np.searchsorted(x, west, side="left"), np.searchsorted(x, east, side="right")
        held.append(first + np.flatnonzero(shapely.intersects_xy(shape, x[first:last], y[first:last])))
    at = np.concatenate(held)
    return np.repeat(np.arange(-1, len(shapes)), [len(h) for h in held]), at if order is None else order[at]
