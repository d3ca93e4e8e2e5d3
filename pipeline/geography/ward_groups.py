"""Groups of neighbouring wards, for numbers that are too small for one ward: which wards, their outlines and sums."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError
from pipeline.geography.neighbours import Weights, contiguity, from_pairs
from pipeline.tables import Level

__all__ = ["GROUP_PREFIX", "add_groups", "group_borough", "group_wards", "with_ward_groups"]

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
    groups = wards.groupby(wards["area_code"].map(group_of), sort=True)
    if not len(groups):
        return areas
    people, size = groups["population"].sum(), groups.size()
    rows = pd.DataFrame(
        {
            "level": Level.WARD_GROUP.value,
            "population": people.mask(groups["population"].count() < size),
            "population_year": groups["population_year"].max(),
            "covered": groups["covered"].all(),
        }
    )
    # What depends on single wards is taken from arrays: slicing the table for each group takes five times as long.
    at = [groups.indices[code] for code in rows.index]
    names, residents = wards["name"].to_numpy(), wards["population"].astype("Float64").fillna(-1).to_numpy(np.float64)
    parents, vintages, km2 = (wards[c].to_numpy() for c in ("parent_code", "vintage", "area_km2"))
    outlines = wards.geometry.to_numpy()
    rows["name"] = [_name(names[some], residents[some]) for some in at]
    rows["parent_code"], rows["vintage"] = ([of[some[0]] for some in at] for of in (parents, vintages))
    rows["area_km2"] = [km2[some].sum() for some in at]
    rows["geometry"] = [_united(tuple(shapely.to_wkb(outlines[some]).tolist())) for some in at]
    rows = rows.rename_axis("area_code").reset_index()
    made = gpd.GeoDataFrame(rows, geometry="geometry", crs=areas.crs)
    made = made.astype({name: areas[name].dtype for name in made if name != "geometry"})
    larger = areas[areas["level"] != Level.WARD]
    return pd.concat([larger, made, areas[areas["level"] == Level.WARD]], ignore_index=True)


def _name(names: NDArray[np.object_], residents: NDArray[np.float64]) -> str:
    """Name a group after its ward with the most residents: "Brixton North and two neighbours"."""
    name, others = str(names[residents.argmax()]), len(names) - 1
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
