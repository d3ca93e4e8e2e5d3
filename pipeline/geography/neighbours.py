"""Neighbouring areas or cells (binary weights), the variation of neighbour sums by chance, and groups of wards."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from pipeline.errors import InputError
from pipeline.tables import Level

__all__ = [
    "GROUP_PREFIX",
    "Exceedance",
    "Weights",
    "add_groups",
    "conditional",
    "contiguity",
    "from_pairs",
    "group_borough",
    "group_wards",
    "lattice",
    "with_ward_groups",
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


# Groups of neighbouring wards: the level between ward and borough, for categories too rare to be shown by ward.
# --------------------------------------------------------------------------------------------------------------
# A group is chosen by residents and borders alone, never by counts, so the groups reveal nothing about incidents. It
# depends on its own borough only, so that a folder for one borough has the same groups as one for the region, and it
# stays the same as long as the edition of the wards does.

GROUP_PREFIX = "G-"
TARGET_WARDS = 3  # times the borough's median ward: merging stops there, mostly at 4 or 5 wards (4.6 on average)
FEWEST_WARDS = 8  # a smaller borough is not divided: it would only be split into halves
SNAP_M = 1.0  # wards closer than this are neighbours: generalised outlines may have gaps
_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def group_borough(codes: ArrayLike, *, population: ArrayLike, shapes: NDArray[np.object_]) -> list[tuple[str, ...]]:
    """Group the wards of one borough with their neighbours.

    The smallest group joins its smallest neighbour until every group has `TARGET_WARDS` times the residents of the
    median ward. A group that touches no other (an island) joins the nearest. Ties are decided by the lowest ward code.

    Parameters
    ----------
    codes
        Ward codes, no two alike, shape (n,).
    population
        Residents of each, shape (n,). If any is unknown (NaN), each ward counts as one.
    shapes
        Outlines in a projection in metres, shape (n,).

    Returns
    -------
    groups
        Codes of each group, sorted, groups by their lowest code. A single group if there are fewer than `FEWEST_WARDS`
        wards.

    Examples
    --------
    Eight wards in a row, the last two with three times the residents of the others. The median ward has 100, so a group
    needs 300. The smallest with the lowest code comes first: A joins B, C joins D, E joins F, then AB joins CD. EF has
    200: its neighbours are ABCD with 400 and G with 300.

    >>> row = np.array([shapely.box(x, 0, x + 100, 100) for x in range(0, 800, 100)], dtype=object)
    >>> group_borough(list("ABCDEFGH"), population=[100] * 6 + [300] * 2, shapes=row)
    [('A', 'B', 'C', 'D'), ('E', 'F', 'G'), ('H',)]
    """
    names = [str(code) for code in np.asarray(codes, dtype=object)]
    if len(names) < FEWEST_WARDS:
        return [tuple(sorted(names))] if names else []
    people = np.asarray(population, dtype=np.float64)
    if not np.isfinite(people).all():
        people = np.ones(len(names))
    target = TARGET_WARDS * float(np.median(people))

    # Groups are stored as one number per ward, the position of the group's lowest code, so the input order does not
    # matter.
    order = np.argsort(names, kind="stable")
    names, people, outlines = [names[i] for i in order], people[order], shapes[order]
    touching = _borders(outlines).matrix.toarray() > 0
    group = np.arange(len(names))
    while True:
        size = np.bincount(group, weights=people, minlength=len(names))
        numbers = np.unique(group)
        least = min(numbers, key=lambda g: (size[g], g))
        if size[least] >= target or len(numbers) == 1:
            break
        own = group == least
        near = np.unique(group[touching[own].any(axis=0) & ~own])
        if near.size:
            other = min(near, key=lambda g: (size[g], g))
        else:
            others = np.flatnonzero(~own)
            apart = shapely.distance(shapely.union_all(outlines[own]), outlines[others])
            other = group[others[int(np.argmin(apart))]]
        group[own | (group == other)] = min(least, other)
    return [tuple(names[i] for i in np.flatnonzero(group == g)) for g in np.unique(group)]


def _borders(shapes: NDArray[np.object_]) -> Weights:
    """Pair wards that share a length of border; a common corner alone would make a group connected by a point."""
    queen = contiguity(shapes, snap_m=SNAP_M)
    pairs = queen.matrix.tocoo()
    once = pairs.row < pairs.col
    left, right = pairs.row[once], pairs.col[once]
    shared = shapely.intersection(shapes[left], shapes[right])
    # Outlines that were digitised separately may not meet at all: they count as neighbours within a metre.
    kept = shapely.is_empty(shared) | (shapely.length(shared) > 0)
    return from_pairs(left[kept], right[kept], n=queen.n, rule="shared border")


# Cached, because every profile of a run needs the same groups, and on detailed outlines they take seconds.
@lru_cache(maxsize=256)
def _grouped(
    codes: tuple[str, ...], population: tuple[float, ...], outlines: tuple[bytes, ...]
) -> tuple[tuple[str, ...], ...]:
    people = population or np.full(len(codes), np.nan)  # unknown: a tuple of NaN would not be found again
    return tuple(group_borough(codes, population=people, shapes=shapely.from_wkb(list(outlines))))


@lru_cache(maxsize=2048)
def _united(outlines: tuple[bytes, ...]) -> Any:
    return shapely.union_all(shapely.from_wkb(list(outlines)))


def group_wards(areas: gpd.GeoDataFrame) -> dict[str, str]:
    """Find the group of every ward.

    Parameters
    ----------
    areas
        Table `areas`, in a projection in metres; other levels are ignored.

    Returns
    -------
    group_of
        Ward code to group code: `GROUP_PREFIX` and the lowest ward code of the group, sorted by ward.

    Raises
    ------
    InputError
        If an area has the code that a group needs.
    """
    wards = areas[areas["level"] == Level.WARD]
    found: dict[str, str] = {}
    for _, some in wards.groupby("parent_code", dropna=False, sort=True):
        people = some["population"].tolist() if some["population"].notna().all() else []
        outlines = shapely.to_wkb(some.geometry.to_numpy()).tolist()
        for codes in _grouped(tuple(some["area_code"]), tuple(map(float, people)), tuple(outlines)):
            found |= dict.fromkeys(codes, f"{GROUP_PREFIX}{codes[0]}")
    taken = sorted(set(found.values()) & set(areas["area_code"]))
    if taken:
        raise InputError(f"an area has the code of a group of wards, {taken[0]}: give it another code")
    return dict(sorted(found.items()))


def with_ward_groups(areas: gpd.GeoDataFrame, group_of: Mapping[str, str]) -> gpd.GeoDataFrame:
    """Add the groups to table `areas`: united outlines, summed residents, a name after the largest ward.

    Parameters
    ----------
    areas
        Table `areas`.
    group_of
        Ward code to group code, for every ward of `areas`.

    Returns
    -------
    areas
        The given areas, with the groups before the wards, by code. A group is covered if all its wards are; its
        residents are unknown if those of one of its wards are.
    """
    wards = areas[areas["level"] == Level.WARD].sort_values("area_code")
    rows = []
    for code, some in wards.groupby(wards["area_code"].map(group_of), sort=True):
        people = some["population"]
        rows.append(
            {
                "area_code": code,
                "level": Level.WARD_GROUP.value,
                "name": _name(some),
                "parent_code": some["parent_code"].iloc[0],
                "population": people.sum() if people.notna().all() else pd.NA,
                "population_year": some["population_year"].max(),
                "vintage": some["vintage"].iloc[0],
                "area_km2": some["area_km2"].sum(),
                "covered": bool(some["covered"].all()),
                "geometry": _united(tuple(shapely.to_wkb(some.geometry.to_numpy()).tolist())),
            }
        )
    if not rows:
        return areas
    made = gpd.GeoDataFrame(rows, geometry="geometry", crs=areas.crs)
    made = made.astype({name: areas[name].dtype for name in made if name != "geometry"})
    larger = areas[areas["level"] != Level.WARD]
    return pd.concat([larger, made, areas[areas["level"] == Level.WARD]], ignore_index=True)


def _name(wards: gpd.GeoDataFrame) -> str:
    """Name a group after its ward with the most residents: "Brixton North and two neighbours"."""
    largest = wards["population"].astype("Float64").fillna(-1).to_numpy(dtype=np.float64).argmax()
    name, others = str(wards["name"].iloc[int(largest)]), len(wards) - 1
    if others == 0:
        return name
    return f"{name} and {_WORDS[others - 1] if others <= len(_WORDS) else others} neighbour{'s' if others > 1 else ''}"


def add_groups(
    rows: pd.DataFrame,
    group_of: Mapping[str, str],
    *,
    keys: tuple[str, ...],
    sums: tuple[str, ...],
    whole: bool = False,
    level: str = Level.WARD_GROUP,
) -> pd.DataFrame:
    """Add rows for groups to a table by area, as sums of their wards; a sum with an unknown part is unknown.

    Parameters
    ----------
    rows
        area_code, `keys` and `sums` (numbers, nullable), one row per ward and key; rows of other areas are kept.
    group_of
        Ward code to group code.
    keys
        Key columns in addition to the area, such as month and category.
    sums
        Columns to add up. Columns that are neither become null in the groups' rows.
    whole
        Whether a ward without a row is unknown (residents) or 0 (counts).
    level
        Level of the groups.

    Returns
    -------
    rows
        The given rows, followed by those of the groups; `level` is set if the column exists.

    Examples
    --------
    >>> counts = pd.DataFrame({"area_code": ["W1", "W2", "B"], "month": 202401, "incidents": [3, 4, 9]})
    >>> add_groups(counts, {"W1": "G-W1", "W2": "G-W1"}, keys=("month",), sums=("incidents",)).tail(1)
      area_code   month  incidents
    3      G-W1  202401          7
    """
    wards = rows[rows["area_code"].isin(group_of)]
    by = [wards["area_code"].map(group_of).rename("area_code"), *(wards[key] for key in keys)]
    grouped = wards.groupby(by, sort=True, dropna=False)
    made = pd.DataFrame({name: grouped[name].sum().where(grouped[name].count() == grouped.size()) for name in sums})
    if whole:
        wards_in = pd.Series(dict(group_of)).value_counts()
        made = made[(grouped.size() == wards_in.reindex(made.index.get_level_values(0)).to_numpy()).to_numpy()]
    made = made.reset_index()
    if "level" in rows:
        made["level"] = str(level)
    return pd.concat([rows, made.astype({name: rows[name].dtype for name in sums})], ignore_index=True)
