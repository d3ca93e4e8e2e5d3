"""Who neighbours whom: binary weights between areas or cells, and how their sums vary by chance."""

from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from pipeline.errors import InputError

__all__ = ["Weights", "contiguity", "distance_band", "from_pairs", "hexagon", "lattice"]

HEXAGON_STEPS = ((1, 0), (0, 1), (1, -1))  # axial coordinates; the other three are these, reversed
LATTICE_STEPS = {"rook": ((0, 1), (1, 0)), "queen": ((0, 1), (1, 0), (1, 1), (1, -1))}


@dataclass(frozen=True, slots=True)
class Weights:
    """Binary, symmetric neighbour weights without self.

    Attributes
    ----------
    matrix
        Compressed sparse rows of ones, shape (n, n), column numbers sorted, nothing on the diagonal.
    rule
        How neighbours were found, in words.
    """

    matrix: sparse.csr_array
    rule: str
    neighbours: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "neighbours", np.diff(self.matrix.indptr).astype(np.int64))

    @property
    def n(self) -> int:
        """Number of units."""
        return int(self.matrix.shape[0])

    @property
    def isolated(self) -> NDArray[np.bool_]:
        """True for units without any neighbour, shape (n,)."""
        return np.asarray(self.neighbours == 0)

    def lag(self, values: ArrayLike) -> NDArray[np.float64]:
        """Sum the values of each unit's neighbours, self not included.

        Parameters
        ----------
        values
            One number per unit, shape (n,), or one column per period, shape (n, periods).

        Returns
        -------
        sums
            In the shape of `values`.

        Raises
        ------
        InputError
            If the first length is not n.
        """
        given = np.asarray(values, dtype=np.float64)
        if given.ndim == 0 or given.shape[0] != self.n:
            raise InputError(f"values have shape {given.shape} and the weights join {self.n} units: give one per unit")
        return np.asarray(self.matrix @ given, dtype=np.float64)

    def subset(self, keep: ArrayLike) -> "Weights":
        """Drop units, and with them their part in the others' neighbourhoods.

        Parameters
        ----------
        keep
            True for the units that stay, shape (n,).

        Returns
        -------
        weights
            Between the units that stay, in their old order.

        Raises
        ------
        InputError
            If there is not one flag per unit.
        """
        flags = np.asarray(keep, dtype=bool)
        if flags.shape != (self.n,):
            raise InputError(f"keep has shape {flags.shape}: give one flag for each of the {self.n} units")
        rows = np.flatnonzero(flags)
        return Weights(matrix=self.matrix[rows][:, rows], rule=self.rule)


def from_pairs(left: ArrayLike, right: ArrayLike, *, n: int, rule: str) -> Weights:
    """Build weights from pairs of unit numbers; direction and repeats do not matter, self pairs are dropped.

    Parameters
    ----------
    left, right
        Unit numbers from 0 to n - 1, shape (pairs,).
    n
        Number of units.
    rule
        How the pairs were found, in words.

    Returns
    -------
    weights
        The symmetric weights.

    Raises
    ------
    InputError
        If a unit number is outside 0 to n - 1.
    """
    a, b = np.asarray(left, dtype=np.int64), np.asarray(right, dtype=np.int64)
    if a.size and (min(a.min(), b.min()) < 0 or max(a.max(), b.max()) >= n):
        raise InputError(f"a neighbour pair names a unit outside 0 to {n - 1}: number units by their row")
    apart = a != b
    rows, columns = np.concatenate([a[apart], b[apart]]), np.concatenate([b[apart], a[apart]])
    matrix = sparse.coo_array((np.ones(rows.size), (rows, columns)), shape=(n, n)).tocsr()
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return Weights(matrix=matrix, rule=rule)


def contiguity(polygons: ArrayLike, *, snap_m: float = 0.0) -> Weights:
    """Join areas that share at least one point of their boundaries (queen contiguity).

    Parameters
    ----------
    polygons
        Shapely polygons in a projection in metres, shape (n,).
    snap_m
        Gap in metres across which areas still count as touching, for boundaries that were
        generalised one by one. 0 asks for a shared point.

    Returns
    -------
    weights
        Units in the order of `polygons`. Overlapping polygons count as neighbours.

    Raises
    ------
    InputError
        If a polygon is missing or empty, or `snap_m` is negative.
    """
    shapes = np.asarray(polygons, dtype=object)
    bad = np.flatnonzero(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    if bad.size:
        raise InputError(f"{bad.size} of {shapes.size} areas have no geometry, the first in row {bad[0]}: drop them")
    if snap_m < 0:
        raise InputError(f"snap_m is {snap_m}: a gap cannot be negative")
    tree = shapely.STRtree(shapes)
    left, right = (
        tree.query(shapes, predicate="dwithin", distance=snap_m)
        if snap_m > 0
        else tree.query(shapes, predicate="intersects")
    )
    gap = f", gaps up to {snap_m:g} m bridged" if snap_m > 0 else ""
    return from_pairs(left, right, n=shapes.size, rule=f"queen contiguity{gap}")


def lattice(inside: ArrayLike, *, rule: str = "queen") -> Weights:
    """Join the square cells of a grid with those that share an edge (rook) or a corner as well (queen).

    Parameters
    ----------
    inside
        True for the cells that take part, shape (rows, columns).
    rule
        ``"queen"`` (8 neighbours) or ``"rook"`` (4).

    Returns
    -------
    weights
        Units are the cells inside, numbered row by row.

    Raises
    ------
    InputError
        If the mask is not two-dimensional or the rule is unknown.
    """
    mask = np.asarray(inside, dtype=bool)
    if mask.ndim != 2:
        raise InputError(f"the mask has {mask.ndim} dimensions: give one flag per row and column")
    if rule not in LATTICE_STEPS:
        raise InputError(f"rule {rule!r} is unknown: choose queen or rook")
    row, column = np.nonzero(mask)
    left, right = _steps(row, column, LATTICE_STEPS[rule])
    return from_pairs(left, right, n=row.size, rule=f"{rule} contiguity of square cells")


def hexagon(q: ArrayLike, r: ArrayLike) -> Weights:
    """Join hexagonal cells with the six that share an edge.

    Parameters
    ----------
    q, r
        Axial coordinates of the cells, whole numbers, shape (n,). A cell (q, r) touches
        (q+1, r), (q, r+1), (q+1, r-1) and their opposites.

    Returns
    -------
    weights
        Units in the order given.

    Raises
    ------
    InputError
        If a cell appears twice.
    """
    across, down = np.asarray(q, dtype=np.int64), np.asarray(r, dtype=np.int64)
    if np.unique(np.stack([across, down]), axis=1).shape[1] != across.size:
        raise InputError("a hexagon appears twice: give each cell once")
    left, right = _steps(across, down, HEXAGON_STEPS)
    return from_pairs(left, right, n=across.size, rule="shared edges of hexagonal cells")


def distance_band(points_m: ArrayLike, *, distance_m: float) -> Weights:
    """Join units whose points lie at most a distance apart.

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (n, 2).
    distance_m
        Largest distance in metres, included.

    Returns
    -------
    weights
        Units in the order of `points_m`.

    Raises
    ------
    InputError
        If the distance is not positive or a coordinate is missing.
    """
    from scipy.spatial import cKDTree

    points = np.asarray(points_m, dtype=np.float64)
    if distance_m <= 0 or not np.isfinite(points).all():
        raise InputError(f"distance_m is {distance_m} and coordinates must be finite: give a positive reach in metres")
    pairs = cKDTree(points).query_pairs(distance_m, output_type="ndarray")
    return from_pairs(pairs[:, 0], pairs[:, 1], n=points.shape[0], rule=f"within {distance_m:g} m")


def _steps(
    first: NDArray[np.int64], second: NDArray[np.int64], steps: tuple[tuple[int, int], ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair each cell with the cell one step further, where there is one."""
    if not first.size:
        return first, first
    low_a, low_b = int(first.min()) - 1, int(second.min()) - 1
    width = int(second.max()) - low_b + 2
    key = (first - low_a) * width + (second - low_b)
    order = np.argsort(key, kind="stable")
    ranked = key[order]
    left, right = [], []
    for a, b in steps:
        wanted = key + a * width + b
        at = np.minimum(np.searchsorted(ranked, wanted), ranked.size - 1)
        found = np.flatnonzero(ranked[at] == wanted)
        left.append(found)
        right.append(order[at[found]])
    return np.concatenate(left), np.concatenate(right)
