"""Square cells under a set of areas: which a boundary crosses, which lie wholly inside one."""

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.areas.shapes import Geometries
from pipeline.grid import cut_segments, grown

__all__ = ["border_cells", "by_cell", "fill", "touches"]

CHUNK_PIECES = 1 << 20
GROW_M = 1e-6  # wider than any rounding of a crossing point, far narrower than any map

Points = NDArray[np.float64]
Ints = NDArray[np.int64]


def touches(areas: Geometries, area: NDArray[np.int32], x: Points, y: Points) -> NDArray[np.bool_]:
    """Whether each point lies in or on its area; points of one area are tested together, which keeps it in cache."""
    hit = np.empty(len(area), dtype=bool)
    order = np.argsort(area, kind="stable")
    ends = np.flatnonzero(np.diff(area[order])) + 1
    for at in np.split(order, ends) if len(order) else ():
        hit[at] = shapely.intersects_xy(areas[area[at[0]]], x[at], y[at])
    return hit


def border_cells(areas: Geometries, *, x0: float, y0: float, cell: float, shape: tuple[int, int]) -> Ints:
    """Cells that each boundary passes through, as sorted distinct keys ``(rank * rows + row) * cols + col``.

    Every segment is cut at each grid line it crosses; each piece's ends and midpoint nominate their cells, grown by
    a micrometre so that a boundary along a grid line counts on both sides.
    """
    rows, cols = shape
    parts, part_area = shapely.get_parts(areas, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    same = np.flatnonzero(ring[1:] == ring[:-1])
    rank = part_area[ring_part[ring[same]]].astype(np.int64)
    a, b = (xy[same] - (x0, y0)) / cell, (xy[same + 1] - (x0, y0)) / cell  # in cells
    lengths = np.abs(np.floor(b) - np.floor(a)).sum(axis=1) + 2
    found: list[Ints] = []
    chunk = np.cumsum(lengths) // CHUNK_PIECES
    for part in np.split(np.arange(len(same)), np.flatnonzero(np.diff(chunk)) + 1) if len(same) else ():
        at, segment = cut_segments(a[part], b[part])
        owner = rank[part][segment]
        ends = np.flatnonzero(segment[1:] == segment[:-1])
        middle = (at[ends] + at[ends + 1]) / 2
        places, owner = np.concatenate((at, middle)), np.concatenate((owner, owner[ends]))
        keys = [
            (owner * rows + np.floor(places[:, 1] + dy).astype(np.int64)) * cols
            + np.floor(places[:, 0] + dx).astype(np.int64)
            for dx in (-GROW_M / cell, GROW_M / cell)
            for dy in (-GROW_M / cell, GROW_M / cell)
        ]
        found.append(np.unique(np.concatenate(keys)))
    return np.unique(np.concatenate(found))


def fill(
    border: Ints, areas: Geometries, *, x0: float, y0: float, cell: float, shape: tuple[int, int]
) -> NDArray[np.int32]:
    """Per cell the lowest rank that covers it wholly, or -1.

    Between two border cells of an area in one row no boundary of it passes, so one point settles the run.
    """
    rows, cols = shape
    full = np.full(rows * cols, -1, dtype=np.int32)
    line, col = np.divmod(border, cols)
    run = np.flatnonzero((line[1:] == line[:-1]) & (np.diff(col) > 1))
    rank, row = np.divmod(line[run], rows)
    inside = touches(areas, rank.astype(np.int32), x0 + (col[run] + 1.5) * cell, y0 + (row + 0.5) * cell)
    run, rank, row = run[inside], rank[inside], row[inside]
    first, length = row * cols + col[run] + 1, np.diff(col)[run] - 1
    # Highest rank first: where areas overlap, the code that sorts first is written last and stays.
    for at in range(len(run) - 1, -1, -1):
        full[first[at] : first[at] + length[at]] = rank[at]
    return full


def by_cell(border: Ints, *, shape: tuple[int, int], reach: int) -> tuple[Ints, Ints, NDArray[np.int32]]:
    """Turn (rank, cell) keys round: the cells to look at closely, where each one's ranks start, and the ranks.

    Cells within `reach` of a boundary are among them, without ranks, because a point there may have to be snapped.
    """
    rank, cell = np.divmod(border, shape[0] * shape[1])
    order = np.lexsort((rank, cell))
    counts = np.bincount(cell, minlength=shape[0] * shape[1])
    cells = np.flatnonzero(grown((counts > 0).reshape(shape), reach=reach))
    return cells, np.concatenate(([0], np.cumsum(counts[cells]))), rank[order].astype(np.int32)
