"""The study area: the part of the areas that the data covers, the same for every method.

`areas.not_covered` names boroughs or wards that the data says nothing about. Every mean, background, population,
share of the area and test of significance refers to what is left, so that a run with such areas gives what a run on
the covered part alone would give.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import shapely

from pipeline.errors import ConfigError
from pipeline.tables import Level

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["Coverage", "StudyArea", "coverage"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which areas the data covers.

    Attributes
    ----------
    covered
        For each area, whether the data covers it, wholly or in part.
    partial
        Codes of the areas that are covered in part: some of the areas in them are not.
    """

    covered: tuple[bool, ...]
    partial: frozenset[str]


def coverage(
    codes: Sequence[str], *, levels: Sequence[str], parents: Sequence[str | None], not_covered: Collection[str]
) -> Coverage:
    """Settle which areas are covered, given the codes of those that are not.

    A ward is not covered if it or its borough is named, a borough if it or every one of its wards is.

    Parameters
    ----------
    codes, levels, parents
        Code, level and code of the larger area of every area.
    not_covered
        Codes of boroughs and wards.

    Raises
    ------
    ConfigError
        If nothing is left.

    Examples
    --------
    >>> levels = ["region", "borough", "borough", "ward", "ward", "ward"]
    >>> parents = [None, "R", "R", "A", "A", "B"]
    >>> found = coverage(["R", "A", "B", "A1", "A2", "B1"], levels=levels, parents=parents, not_covered=["A2", "B1"])
    >>> found.covered, sorted(found.partial)
    ((True, True, False, True, False, False), ['A', 'R'])
    """
    level_of, parent_of = dict(zip(codes, levels, strict=True)), dict(zip(codes, parents, strict=True))
    named = set(not_covered)
    out = {c for c in codes if level_of[c] != Level.REGION and (c in named or parent_of[c] in named)}
    for level in (Level.WARD, Level.BOROUGH):
        members: dict[str, list[bool]] = {}
        for code in (c for c in codes if level_of[c] == level):
            members.setdefault(str(parent_of[code]), []).append(code in out)
        out |= {whole for whole, parts in members.items() if whole in level_of and all(parts)}
    if all(c in out for c in codes if level_of[c] == Level.BOROUGH):
        raise ConfigError(
            f"areas.not_covered names every area ({', '.join(sorted(named)[:5])}...), so nothing is left to map: "
            "name only the areas that the data does not cover"
        )
    partial = {str(parent_of[c]) for c in out if parent_of[c] is not None and parent_of[c] not in out}
    partial |= {str(parent_of[c]) for c in partial if parent_of[c] is not None}
    return Coverage(tuple(c not in out for c in codes), frozenset(partial))


@dataclass(frozen=True, slots=True, eq=False)
class StudyArea:
    """The ground that the data covers.

    Attributes
    ----------
    outline
        One polygon or multipolygon in the working system: the union of all covered areas.
    wards
        The covered wards, as rows of the table `areas`.
    """

    outline: Any
    wards: "gpd.GeoDataFrame"

    @classmethod
    def of(cls, areas: "gpd.GeoDataFrame") -> Self:
        """Take the study area from the table `areas`, or from the part of it that a profile shows.

        A borough covered wholly lends its own outline, which may differ from its wards' (a river); one covered in part
        is the union of its covered wards.
        """
        covered = areas["covered"].astype(bool)
        wards = areas[areas["level"] == Level.WARD]
        inside = covered[wards.index]
        partial = set(wards.loc[~inside, "parent_code"])
        boroughs = areas[(areas["level"] == Level.BOROUGH) & covered]
        whole = boroughs[~boroughs["area_code"].isin(partial)]
        pieces = wards[inside & wards["parent_code"].isin(partial)]
        shapes = np.concatenate((whole.geometry.to_numpy(), pieces.geometry.to_numpy()))
        # Normalised, so that the outline starts at the same point whatever the order of the areas.
        return cls(shapely.normalize(shapely.union_all(shapes)), wards[inside])
