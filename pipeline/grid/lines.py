"""Segments cut where they cross the lines of a grid."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["cut_segments"]

Points = NDArray[np.float64]
Ints = NDArray[np.int64]


def cut_segments(a: Points, b: Points) -> tuple[Points, Ints]:
    """Cut segments at every whole-number line they cross.

    Parameters
    ----------
    a, b
        Ends of the segments in cell units, shape (n, 2).

    Returns
    -------
    places
        Where each segment starts, crosses a line and ends, in order along it.
    segment
        The segment of each place; two neighbouring places of one segment bound a piece that lies in one cell.
    """
    parts = [np.zeros(len(a)), np.ones(len(a))]
    owners = [np.arange(len(a)), np.arange(len(a))]
    for axis in (0, 1):
        low, high = np.floor(a[:, axis]), np.floor(b[:, axis])
        crossed = np.abs(high - low).astype(np.int64)
        owner = np.repeat(np.arange(len(a)), crossed)
        nth = np.arange(len(owner)) - np.repeat(np.cumsum(crossed) - crossed, crossed)
        line = (np.minimum(low, high) + 1)[owner] + nth
        parts.append(np.clip((line - a[owner, axis]) / (b[owner, axis] - a[owner, axis]), 0.0, 1.0))
        owners.append(owner)
    t, segment = np.concatenate(parts), np.concatenate(owners)
    order = np.lexsort((t, segment))
    t, segment = t[order, None], segment[order]
    return a[segment] * (1 - t) + b[segment] * t, segment
