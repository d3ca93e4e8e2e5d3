"""Street segments as a network: the nearest segment of each place, the ends that segments share, and runs of them."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = ["NODE_M", "Nearest", "Network", "nearest_segments", "runs_of"]

NODE_M = 0.1
"""Ends of segments within this are one node: layers are written to the centimetre or decimetre."""
SAME_DISTANCE_M = 1e-6

Lines = NDArray[np.object_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest segment of each place.

    Attributes
    ----------
    segment
        Its number, shape (n,); of several equally near, the first.
    distance_m
        Distance to it, shape (n,).
    """

    segment: Ints
    distance_m: NDArray[np.float64]


def nearest_segments(lines: Lines, points_m: NDArray[np.float64]) -> Nearest:
    """Find the segment nearest to each place.

    Places at a junction are equally near to several segments. They go to the first in the order of `lines`, which are
    sorted by id, so that the same data gives the same counts.

    Parameters
    ----------
    lines
        Segments sorted by id, at least one.
    points_m
        Places, shape (n, 2).
    """
    tree = shapely.STRtree(lines)
    points = shapely.points(points_m)
    place, segment = tree.query_nearest(points, all_matches=True)
    away = shapely.distance(points[place], lines[segment])
    # By place, then by segment: of those as near as the nearest, the first.
    order = np.lexsort((segment, place))
    place, segment, away = place[order], segment[order], away[order]
    least = np.full(len(points), np.inf)
    np.minimum.at(least, place, away)
    close = away <= least[place] + SAME_DISTANCE_M
    place, segment, away = place[close], segment[close], away[close]
    _, first = np.unique(place, return_index=True)
    return Nearest(segment[first].astype(np.int64), away[first])


@dataclass(frozen=True, slots=True)
class Network:
    """Segments and the nodes that they share.

    Attributes
    ----------
    ends
        Node at the start and end of each segment, shape (n, 2).
    length_m
        Length of each segment, shape (n,).
    nodes
        How many nodes there are.
    """

    ends: Ints
    length_m: NDArray[np.float64]
    nodes: int

    @classmethod
    def of(cls, lines: Lines) -> "Network":
        """Join segments at their ends. Segments that cross without a common end, as on bridges, are not joined."""
        length = shapely.length(lines)
        corners = np.concatenate([shapely.get_coordinates(shapely.get_point(lines, at)) for at in (0, -1)])
        lattice = np.rint(corners / NODE_M).astype(np.int64)
        _, node = np.unique(lattice, axis=0, return_inverse=True)
        node = node.reshape(2, -1).T.astype(np.int64)
        return cls(node, length, int(node.max()) + 1 if node.size else 0)

    @property
    def dead_ends_pct(self) -> float:
        """Share of segment ends that no other segment has."""
        if not self.ends.size:
            return 0.0
        degree = np.bincount(self.ends.ravel(), minlength=self.nodes)
        return 100 * float((degree[self.ends] == 1).mean())


def runs_of(network: Network, chosen: NDArray[np.bool_]) -> Ints:
    """Return the run of each chosen segment: chosen segments that share an end are in one run; -1 for the others.

    Examples
    --------
    >>> lines = shapely.linestrings([[[0, 0], [1, 0]], [[1, 0], [2, 0]], [[2, 0], [3, 0]], [[9, 9], [9, 8]]])
    >>> runs_of(Network.of(lines), np.array([True, True, False, True])).tolist()
    [0, 0, -1, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    out = np.full(len(chosen), -1, dtype=np.int64)
    some = np.flatnonzero(chosen)
    if not some.size:
        return out
    ends = network.ends[some]
    _, node = np.unique(ends, return_inverse=True)
    node = node.reshape(ends.shape)
    joins = coo_array((np.ones(some.size), (node[:, 0], node[:, 1])), shape=(node.max() + 1, node.max() + 1))
    _, component = connected_components(joins, directed=False)
    _, run = np.unique(component[node[:, 0]], return_inverse=True)
    # Numbered by their first segment.
    first = np.full(run.max() + 1, some.size)
    np.minimum.at(first, run, np.arange(some.size))
    out[some] = np.argsort(np.argsort(first, kind="stable"), kind="stable")[run]
    return out
