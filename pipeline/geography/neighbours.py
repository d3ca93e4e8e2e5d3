"""Neighbouring areas or cells (binary weights), and the variation of neighbour sums by chance."""

from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from pipeline.errors import InputError

__all__ = [
    "Exceedance",
    "Weights",
    "conditional",
    "contiguity",
    "from_pairs",
    "lattice",
]

LATTICE_STEPS = {"rook": ((0, 1), (1, 0)), "queen": ((0, 1), (1, 0), (1, 1), (1, -1))}


@dataclass(frozen=True, slots=True)
class Weights:
    """Binary, symmetric neighbour weights without self.

    Attributes
    ----------
    matrix
        Compressed sparse rows of ones, shape (n, n), column numbers sorted, nothing on the diagonal.
    rule
        Description of the neighbour rule.
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
            raise InputError(
                f"values have shape {given.shape} and the weights have {self.n} units: give one value per unit"
            )
        return np.asarray(self.matrix @ given, dtype=np.float64)

    def subset(self, keep: ArrayLike) -> "Weights":
        """Drop units, also from the neighbourhoods of the others.

        Parameters
        ----------
        keep
            True for the units to keep, shape (n,).

        Returns
        -------
        weights
            Weights between the remaining units, in their old order.

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
        Description of the neighbour rule.

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
    # Each pair in both directions, so the matrix is symmetric; repeats collapse to one.
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
        Gap in metres across which areas still count as touching, for boundaries that were generalised separately. 0
        requires a shared point.

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
    # Published boundaries are often generalised ward by ward, so there may be gaps of centimetres between neighbours:
    # `snap_m` bridges them.
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


def _steps(
    first: NDArray[np.int64], second: NDArray[np.int64], steps: tuple[tuple[int, int], ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair each cell with the cell one step further, where there is one."""
    if not first.size:
        return first, first
    # One number per cell, with an empty column at either side so that a step off a row's end meets no cell of the next.
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


# Conditional permutations: how neighbour sums vary if the values of all other units are rearranged at random
# --------------------------------------------------------------------------------------------------

FIXED_POINT = 2.0**40  # real values become whole numbers of their range: sums and ties are then exact
CELLS_AT_ONCE = 4_000_000  # unit numbers drawn at once, 32 MB: bounds the memory whatever the permutations


@dataclass(frozen=True, slots=True)
class Exceedance:
    """Number of permuted neighbour sums at least, and at most, as large as the observed one.

    Attributes
    ----------
    above, below
        Permutations with a sum at least, at most the observed one, shape (n,).
    permutations
        How many were drawn.
    """

    above: NDArray[np.int64]
    below: NDArray[np.int64]
    permutations: int

    @property
    def p(self) -> NDArray[np.float64]:
        """Two-sided p: twice the smaller tail, the observed arrangement counted, at most 1, shape (n,)."""
        tail = np.minimum(self.above, self.below) + 1
        return np.minimum(1.0, 2.0 * tail / (self.permutations + 1))


def conditional(values: ArrayLike, *, weights: Weights, permutations: int, seed: int) -> Exceedance:
    """Compare each unit's neighbour sum with sums of as many values drawn from all other units.

    A draw is k+1 different units out of all n. Dropping the unit itself (or, where it is not among
    them, the last) leaves k of the n-1 others, each set equally likely. So units with equally many
    neighbours share one sorted list of sums, and only draws that hold the unit itself are corrected:
    the cost is that of drawing, not of units times permutations.

    Parameters
    ----------
    values
        One number per unit, shape (n,).
    weights
        Binary neighbours, self not included.
    permutations
        How many sets to draw, shared by all units.
    seed
        Seed of the draws. The same seed gives the same counts.

    Returns
    -------
    exceedance
        Counts per unit. Units without neighbours have every draw on both sides: p is 1.

    Raises
    ------
    InputError
        If lengths differ, a value is missing, or a unit neighbours all others but one draw needs more units.

    References
    ----------
    Anselin (1995), Geographical Analysis 27, 93-115, section 3.
    """
    if permutations < 1:
        raise InputError(f"permutations is {permutations}: draw at least one")
    # Sums of whole numbers are exact in any order, so ties with the observed sum are ties and not rounding.
    whole = _whole(values, weights.n)
    observed = _lag(whole, weights)
    above = np.where(weights.isolated, permutations, 0)
    below = above.copy()
    sizes = [int(k) for k in np.unique(weights.neighbours) if k]
    if sizes:
        # One matrix of draws serves units of every size: those with k neighbours read its first k columns (and column k
        # + 1 as the stand-in), instead of drawing anew for each unit.
        rng = np.random.default_rng(seed)
        wide = sizes[-1] + 1
        at_once = max(1, CELLS_AT_ONCE // wide)
        for start in range(0, permutations, at_once):
            drawn = _draw(weights.n, wide, rows=min(at_once, permutations - start), rng=rng)
            sums = np.cumsum(whole[drawn], axis=1)
            for k in sizes:
                units = np.flatnonzero(weights.neighbours == k)
                up, down = _count(whole, observed, units, drawn[:, : k + 1], sums[:, k - 1])
                above[units] += up
                below[units] += down
    return Exceedance(above=above, below=below, permutations=permutations)


def _whole(values: ArrayLike, n: int) -> NDArray[np.int64]:
    """Turn values into whole numbers that keep their order and, to one part in 2**40, their distances."""
    given = np.asarray(values, dtype=np.float64)
    if given.shape != (n,) or not np.isfinite(given).all():
        raise InputError(f"values have shape {given.shape}: give one finite number for each of the {n} units")
    if not given.size or (np.abs(given).max() < FIXED_POINT and bool((given == np.rint(given)).all())):
        return given.astype(np.int64)
    low, high = float(given.min()), float(given.max())
    if low == high:
        return np.zeros(n, dtype=np.int64)
    return np.rint((given - low) / (high - low) * FIXED_POINT).astype(np.int64)


def _lag(whole: NDArray[np.int64], weights: Weights) -> NDArray[np.int64]:
    running = np.concatenate([[0], np.cumsum(whole[weights.matrix.indices])])
    return np.asarray(np.diff(running[weights.matrix.indptr]), dtype=np.int64)


def _draw(n: int, wide: int, *, rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw rows of different unit numbers, every ordered choice equally likely: repeats are drawn again."""
    drawn = np.empty((rows, wide), dtype=np.int64)
    for column in range(wide):
        wanted = np.arange(rows)
        # Draw again if a number repeats: as uniform as shuffling all n, at the cost of a few columns.
        while wanted.size:
            drawn[wanted, column] = rng.integers(0, n, size=wanted.size)
            before = drawn[wanted, :column]
            wanted = wanted[(before == drawn[wanted, column][:, None]).any(axis=1)]
    return drawn


def _count(
    whole: NDArray[np.int64],
    observed: NDArray[np.int64],
    units: NDArray[np.int64],
    drawn: NDArray[np.int64],
    sums: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count sums at least and at most the observed ones, for units with the same number of neighbours."""
    # First assume that no draw contains the unit itself: one sorted list serves all units with this number of
    # neighbours.
    ranked = np.sort(sums)
    target = observed[units]
    up = ranked.size - np.searchsorted(ranked, target, side="left")
    down = np.searchsorted(ranked, target, side="right")
    # Then correct the draws that contain the unit: its own value is replaced by the last column's, and the count
    # changes by at most one for each.
    place = np.full(whole.size, -1, dtype=np.int64)
    place[units] = np.arange(units.size)
    row, column = np.nonzero(place[drawn[:, :-1]] >= 0)
    unit = drawn[row, column]
    at, was = place[unit], sums[row]
    now = was - whole[unit] + whole[drawn[row, -1]]
    up += _tally(at, (now >= observed[unit]).astype(np.int64) - (was >= observed[unit]), units.size)
    down += _tally(at, (now <= observed[unit]).astype(np.int64) - (was <= observed[unit]), units.size)
    return up, down


def _tally(at: NDArray[np.int64], step: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    rise = np.bincount(at[step > 0], minlength=size)
    fall = np.bincount(at[step < 0], minlength=size)
    return np.asarray(rise - fall, dtype=np.int64)
