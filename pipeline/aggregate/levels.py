"""At which levels the data can be counted: where no row can be placed at a level, its areas have no data and no 0.

A row with a point or the code of a ward counts at every level, one that names its borough alone in boroughs and the
region. A row that names nothing counts in the region only if something says that it happened inside: a setting, or that
the points of its source lie inside.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config import IncidentSource
from pipeline.domain.extent import NOTED_PCT
from pipeline.tables import Level, Place

__all__ = [
    "LEAST_PLACED_PCT",
    "LevelReport",
    "levels_of_counts",
    "levels_of_places",
    "source_of",
    "unplaced_inside",
    "with_levels",
]

LEAST_PLACED_PCT = 1.0
"""Under this share of rows with a ward, the zeros of nearly all wards are rows that could not be placed."""
_FEWEST_ROWS = 10  # a borough with fewer rows is no evidence that its rows as a kind name no ward
_RARE = 0.001  # the same chance that makes a month without rows a missing one

_AT_WARD = (Place.POINT, Place.OUTSIDE, Place.AREA)
_AT_BOROUGH = (*_AT_WARD, Place.BOROUGH)
_PLURAL = {Level.WARD: "wards", Level.BOROUGH: "boroughs"}
_LACKS = {
    Level.WARD: "no row of {} has a point or names a ward",
    Level.BOROUGH: "no row of {} has a point or names a ward or borough",
}


def source_of(label: str) -> str:
    """Return the source that a file's label begins with."""
    return label.partition("/")[0]


def unplaced_inside(
    places: Iterable[tuple[str, Mapping[str, int]]], sources: Sequence[IncidentSource]
) -> dict[str, bool]:
    """Say for each source whether its rows without any place count in the region.

    Parameters
    ----------
    places
        Label of every file, and its rows by place.
    sources
        Settings: `all_inside` decides where it is given. Where it is not, they count unless more than 2 % of the rows
        that can be placed lie outside the areas, or in areas that are not covered.

    Returns
    -------
    inside
        By name of the source.
    """
    rows: dict[str, Counter[str]] = {source.name: Counter() for source in sources}
    for label, found in places:
        rows.setdefault(source_of(label), Counter()).update(found)
    given = {source.name: source.all_inside for source in sources if source.all_inside is not None}
    inside = {}
    for name, found in rows.items():
        not_inside = found[Place.OUTSIDE] + found[Place.NOT_COVERED]
        placed = not_inside + found[Place.POINT] + found[Place.AREA] + found[Place.BOROUGH]
        inside[name] = given.get(name, 100 * not_inside <= NOTED_PCT * placed)
    return inside


@dataclass(frozen=True, slots=True)
class LevelReport:
    """Which levels have data.

    Attributes
    ----------
    no_data
        Reason in words by level, for levels at which nothing can be placed.
    wards_without
        Reason by borough code, for boroughs whose rows name no ward.
    summed
        What levels without rows of their own are the sum of (published counts).
    cautions
        Sentences for the data owner.
    quality
        What quality.json says of it, under `levels`.
    """

    no_data: dict[str, str] = field(default_factory=dict)
    wards_without: dict[str, str] = field(default_factory=dict)
    summed: dict[str, str] = field(default_factory=dict)
    cautions: tuple[str, ...] = ()
    quality: dict[str, Any] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What every page may say: sentences about the source that give no number."""
        said = [f"There is no figure for {_PLURAL[Level(level)]}: {reason}." for level, reason in self.no_data.items()]
        if self.wards_without:
            said.append("Some boroughs have no figures for their wards: the source does not say in which ward it was.")
        return tuple(said)

    def plain(self) -> dict[str, Any]:
        """Return what later stages read, as JSON keeps it."""
        return {"no_data": self.no_data, "wards_without": sorted(self.wards_without), "notes": list(self.notes)}


def levels_of_places(places: pd.DataFrame, *, names: Mapping[str, str]) -> LevelReport:
    """Find the levels at which incidents can be placed.

    Parameters
    ----------
    places
        Incidents by source, borough_code (empty where none), place and online.
    names
        Name of every borough by its code.
    """
    # An online incident has no ward by nature: it says nothing about whether the source gives one.
    rows = places[(places["place"] != Place.NOT_COVERED)].assign(source=places["source"].map(source_of))
    due = {Level.WARD: rows[~rows["online"].astype(bool)], Level.BOROUGH: rows}
    known = {Level.WARD: _AT_WARD, Level.BOROUGH: _AT_BOROUGH}
    sources = sorted(rows["source"].unique())
    every = _listed(sources)
    no_data: dict[str, str] = {}
    cautions: list[str] = []
    quality: dict[str, Any] = {}
    for level, at in known.items():
        of = due[level] if len(due[level]) else rows
        total = of.groupby("source")["incidents"].sum().reindex(sources, fill_value=0)
        placed = of[of["place"].isin(at)].groupby("source")["incidents"].sum().reindex(sources, fill_value=0)
        share = 100 * int(placed.sum()) / max(int(total.sum()), 1)
        if placed.sum() == 0:
            no_data[level.value] = _LACKS[level].format(every)
        elif level is Level.WARD and share < LEAST_PLACED_PCT:
            no_data[level.value] = f"hardly any row of {every} has a point or names a ward"
        if level.value in no_data:
            cautions.append(
                f"No data for {_PLURAL[level]}: {no_data[level.value]} ({placed.sum():,} of {total.sum():,} incidents "
                f"do). They are shown as not covered, with no count and no rate. {_REMEDY[level]}"
            )
        else:
            cautions += [
                f"Figures of {_PLURAL[level]} hold nothing of {source} ({total[source]:,} of {total.sum():,} "
                f"incidents): {_LACKS[level].format(source)}. It counts in the larger areas alone."
                for source in sources
                if total[source] and not placed[source]
            ]
        quality[_PLURAL[level]] = {
            "incidents": int(total.sum()),
            "placed": int(placed.sum()),
            "no_data": no_data.get(level.value),
            "by_source": {s: {"incidents": int(total[s]), "placed": int(placed[s])} for s in sources},
        }
    without = {} if Level.WARD in no_data else _wards_without(due[Level.WARD], names=names)
    if without:
        listed = _listed([names.get(code, code) for code in sorted(without)], most=10)
        cautions.append(
            f"No data for the wards of {listed}: their rows name the borough alone, while rows of other boroughs have "
            "a ward. These wards are shown as not covered."
        )
    quality["wards"]["boroughs_without"] = sorted(without)
    return LevelReport(no_data, without, {}, tuple(cautions), quality)


_REMEDY = {
    Level.WARD: "Points, or a ward, LSOA or MSOA code (incidents[].columns), would give them figures.",
    Level.BOROUGH: "Points, or the name or code of the borough (incidents[].columns.borough), would give them figures.",
}


def _wards_without(rows: pd.DataFrame, *, names: Mapping[str, str]) -> dict[str, str]:
    """Find the boroughs of which no row has a ward, where that is no chance given how many rows have one."""
    inside = rows[(rows["borough_code"] != "") & rows["borough_code"].isin(list(names))]
    total = inside.groupby("borough_code")["incidents"].sum()
    placed = inside[inside["place"].isin(_AT_WARD)].groupby("borough_code")["incidents"].sum()
    lacking = np.array([1 - int(placed.sum()) / max(int(total.sum()), 1)])
    return {
        str(code): "its rows name the borough alone"
        for code, number in total.items()
        if not placed.get(code, 0) and number >= _FEWEST_ROWS and lacking.item() ** int(number) < _RARE
    }


def levels_of_counts(months: pd.DataFrame, *, summed: Mapping[str, str], source: str) -> LevelReport:
    """Find the levels that published counts have.

    Parameters
    ----------
    months
        AREA_MONTHS.
    summed
        What levels without rows of their own are the sum of.
    source
        Names of the sources, in words.
    """
    there = set(months["level"])
    no_data = {
        level.value: f"{source} publishes no counts of {_PLURAL[level]}"
        for level in (Level.BOROUGH, Level.WARD)
        if level.value not in there
    }
    cautions = tuple(
        f"No data for {_PLURAL[Level(level)]}: {reason}. They are shown as not covered, with no count and no rate."
        for level, reason in no_data.items()
    )
    quality = {
        "no_data": no_data,
        "summed": {level: f"sum of {_PLURAL[Level(part)]}" for level, part in summed.items() if part in _PLURAL},
    }
    return LevelReport(no_data, {}, dict(summed), cautions, quality)


def with_levels(areas: pd.DataFrame, report: LevelReport) -> pd.DataFrame:
    """Return the table of areas with `covered` taken from those that a level without data leaves without a figure."""
    gone = areas["level"].isin(list(report.no_data))
    gone |= (areas["level"] == Level.WARD) & areas["parent_code"].isin(list(report.wards_without))
    return areas.assign(covered=areas["covered"].astype(bool) & ~gone)


def _listed(texts: Sequence[str], *, most: int = 5) -> str:
    shown = list(texts[:most])
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(shown) + more
