"""The third and the fourth level of areas: what boroughs add up to.

Incidents are placed in the smallest areas or in boroughs; these levels have no counts of their own. The internal folder
has the sums of exact counts, a released folder the sums of released ranges.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import pandas as pd

from pipeline.geography.ward_groups import add_groups
from pipeline.tables import Level

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["LevelsAbove"]

_COUNTS = ("incidents", "positive_outcomes", "known_outcomes", "incidents_unplaced")


@dataclass(frozen=True, slots=True, eq=False)
class LevelsAbove:
    """Areas above the boroughs.

    Attributes
    ----------
    areas
        Table `areas` of both levels in the working system, the larger first; the population is the figure of the files,
        null without one.
    inside
        Level to borough code to the code of the area that contains the borough.
    """

    areas: "gpd.GeoDataFrame"
    inside: Mapping[str, Mapping[str, str]]

    def settled(self, areas: "gpd.GeoDataFrame") -> Self:
        """Return the levels with what follows from the coverage of the smaller areas.

        Parameters
        ----------
        areas
            Table `areas` of the smaller areas.

        Returns
        -------
        levels
            An area is covered if a borough in it is. If all in it is covered it has its own population, or without one
            the sum of its boroughs'; otherwise the sum of the covered boroughs, and their square kilometres. A sum
            with an unknown part is unknown.
        """
        boroughs = areas[areas["level"] == Level.BOROUGH].set_index("area_code")
        covered = boroughs["covered"].astype(bool)
        wards = areas[areas["level"] == Level.WARD]
        uncovered = set(wards.loc[~wards["covered"].astype(bool), "parent_code"]) | set(covered.index[~covered])
        rows = []
        for row in self.areas.to_dict("records"):
            members = [b for b, a in self.inside[row["level"]].items() if a == row["area_code"]]
            used = boroughs.loc[[b for b in members if covered[b]] or members]
            whole = not uncovered.intersection(members)
            people, years = used["population"].astype("Int64"), used["population_year"].astype("Int64")
            if not whole or pd.isna(row["population"]):
                known = len(used) > 0 and bool(people.notna().all())
                row["population"] = int(people.sum()) if known else None
                row["population_year"] = int(years.iloc[0]) if known and len(set(years.tolist())) == 1 else None
            if not whole:
                row["area_km2"] = float(used["area_km2"].sum())
            row["covered"] = any(covered[b] for b in members)
            rows.append(row)
        frame = pd.DataFrame(rows, columns=self.areas.columns)
        settled = self.areas.assign(**{c: frame[c].to_numpy() for c in ("area_km2", "covered")})
        for name in ("population", "population_year"):
            settled[name] = pd.array(frame[name].tolist(), dtype="Int64")
        return replace(self, areas=settled)

    def with_areas(self, areas: "gpd.GeoDataFrame") -> "gpd.GeoDataFrame":
        """Return the table `areas` with these levels between the region and the boroughs."""
        region = areas["level"] == Level.REGION
        return pd.concat([areas[region], self.areas, areas[~region]], ignore_index=True)

    def with_sums(self, rows: pd.DataFrame, *, keys: tuple[str, ...]) -> pd.DataFrame:
        """Add the sums of boroughs to counts by area; a sum with an unknown part is unknown.

        Parameters
        ----------
        rows
            area_code, level, `keys` and counts.
        keys
            Key columns in addition to the area: month and category.
        """
        out = rows
        for level, inside in self.inside.items():
            sums = tuple(name for name in _COUNTS if name in rows)
            out = add_groups(out, dict(inside), keys=keys, sums=sums, level=level)
        return out

    def covered_parts(self, areas: "gpd.GeoDataFrame") -> dict[str, dict[str, str]]:
        """Return `inside` of the boroughs that the data covers, by the table `areas` of the smaller areas."""
        covered = set(areas.loc[areas["covered"].astype(bool), "area_code"])
        return {level: {b: a for b, a in of.items() if b in covered} for level, of in self.inside.items()}

    def with_people(self, people: pd.DataFrame, *, areas: pd.DataFrame) -> pd.DataFrame:
        """Add denominators of single categories to areas that have none, as sums of the covered areas in them.

        Parameters
        ----------
        people
            area_code, category, measure, population.
        areas
            Table `areas` of the smaller areas.
        """
        covered = areas[areas["covered"].astype(bool)]
        wards = covered[covered["level"] == Level.WARD]
        boroughs = set(covered.loc[covered["level"] == Level.BOROUGH, "area_code"])
        full = _with_missing(people, dict(zip(wards["area_code"], wards["parent_code"], strict=True)))
        made = [
            _with_missing(full, {b: a for b, a in inside.items() if b in boroughs}).iloc[len(full) :]
            for inside in self.inside.values()
        ]
        return pd.concat([people, *made], ignore_index=True)


def _with_missing(people: pd.DataFrame, group_of: Mapping[str, str]) -> pd.DataFrame:
    """Add the sum of a larger area's parts where it has no figure of its own and all parts have one."""
    every = add_groups(people, group_of, keys=("category", "measure"), sums=("population",), whole=True)
    return every[~every.duplicated(["area_code", "category"])].reset_index(drop=True)
