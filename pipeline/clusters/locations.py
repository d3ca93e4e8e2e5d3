"""Distinct places and how many incidents each holds: what every clustering method runs on."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError

__all__ = ["as_points", "as_weights", "collapse", "distinct"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def as_points(points_m: ArrayLike) -> Floats:
    """Return eastings and northings as a float64 array of shape (n, 2), refusing what is not a place."""
    points = np.asarray(points_m, dtype=np.float64)
    if points.size == 0:
        return np.empty((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"points have shape {points.shape}: give eastings and northings in metres, shape (n, 2)")
    bad = ~np.isfinite(points).all(axis=1)
    if bad.any():
        raise InputError(
            f"{int(bad.sum())} of {len(points)} points have no finite easting or northing, the first at row "
            f"{int(np.argmax(bad))}: leave incidents without a place out before clustering"
        )
    return points


def as_weights(weights: ArrayLike | None, n: int) -> Ints:
    """Return incidents per point as int64, one each where none are given."""
    if weights is None:
        return np.ones(n, dtype=np.int64)
    given = np.asarray(weights)
    if given.shape != (n,):
        raise InputError(f"weights have shape {given.shape} for {n} points: give one weight per point")
    if given.dtype.kind not in "iub" and not np.array_equal(given, np.rint(given)):
        raise InputError("weights are not whole numbers: a weight is the number of incidents at a point")
    counts = given.astype(np.int64)
    if n and counts.min() < 0:
        raise InputError(f"the weight at row {int(np.argmin(counts))} is negative: a weight is a number of incidents")
    return counts


def collapse(points: Floats) -> tuple[Ints, Ints]:
    """Return each location's first input row, and each row's location; locations sort by easting, then northing."""
    x, y = np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1])
    east = x[1:] > x[:-1]
    level = x[1:] == x[:-1]
    if (east | (level & (y[1:] >= y[:-1]))).all():  # tables of locations come sorted
        first = np.ones(len(x), dtype=bool)
        first[1:] = east | (y[1:] != y[:-1])
        return np.flatnonzero(first), np.cumsum(first) - 1
    order = np.argsort(x, kind="stable")
    new = np.ones(len(x), dtype=bool)
    np.not_equal(x[order[1:]], x[order[:-1]], out=new[1:])
    # Only points that share an easting are sorted again: few where coordinates are measured.
    shared = ~new
    shared[:-1] |= shared[1:]
    tied = order[shared]
    order[shared] = tied[np.lexsort((y[tied], x[tied]))]
    new[1:] |= y[order[1:]] != y[order[:-1]]
    inverse = np.empty(len(x), dtype=np.int64)
    inverse[order] = np.cumsum(new) - 1
    # Both sorts are stable, so the head of every run is the first of its rows.
    return order[new].astype(np.int64, copy=False), inverse


def distinct(points_m: ArrayLike, *, weights: ArrayLike | None = None) -> tuple[Floats, Ints, Ints]:
    """Collapse repeated coordinates to one weighted location each.

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (n, 2).
    weights
        Incidents per point, shape (n,); one each by default.

    Returns
    -------
    locations, weights, inverse
        Distinct locations in metres, shape (m, 2), sorted by easting, then northing; incidents at each, shape
        (m,); and the location of every input point, shape (n,).

    Raises
    ------
    InputError
        If a coordinate is not finite, or a weight is negative or not whole.

    Examples
    --------
    >>> locations, incidents, place = distinct([[2.0, 0.0], [1.0, 5.0], [2.0, 0.0]])
    >>> locations.tolist(), incidents.tolist(), place.tolist()
    ([[1.0, 5.0], [2.0, 0.0]], [1, 2], [1, 0, 1])
    """
    points = as_points(points_m)
    counts = as_weights(weights, len(points))
    first, inverse = collapse(points)
    if len(first) == len(points) and (np.diff(first) == 1).all():  # sorted already, and none repeats
        return points, counts, inverse
    sums = np.zeros(len(first), dtype=np.int64)
    np.add.at(sums, inverse, counts)
    return points[first], sums, inverse
