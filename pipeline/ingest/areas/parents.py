"""Wards, boroughs and the region as one table, with residents and coverage, and an account of how they agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely

from pipeline.config import Areas, Run
from pipeline.config.base import did_you_mean
from pipeline.errors import ConfigError, InputError
from pipeline.geography.areas import dissolve, level_agreement, overlap_km2
from pipeline.ingest.areas.boundaries import Boundaries, Shapes, assign_parents, read_boundaries
from pipeline.ingest.areas.residents import Residents, read_residents
from pipeline.ingest.formats.files import DEFAULT_LIMITS
from pipeline.ingest.incidents.places import BoroughNames
from pipeline.tables import AREAS

__all__ = ["AreaSet", "read_areas", "require_areas"]

_M2_PER_KM2 = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class AreaSet:
    """All areas of a run.

    Attributes
    ----------
    table
        AREAS as a GeoDataFrame in the working system: the region, boroughs, wards, each level by code.
    denominators
        Populations used for one category only: area_code, category, population, population_year, measure.
    report
        Polygons repaired, editions, transformations, disagreement between levels (km2), residents matched.
    """

    table: Any
    denominators: pd.DataFrame
    report: dict[str, Any] = field(default_factory=dict)

    def level(self, name: str) -> Any:
        """Rows of one level."""
        return self.table[self.table["level"] == name].reset_index(drop=True)

    @property
    def ward_codes(self) -> list[str]:
        """Ward codes, sorted."""
        return [str(c) for c in self.level("ward")["area_code"]]

    @property
    def parents(self) -> list[str]:
        """Borough of each ward, in the order of `ward_codes`."""
        return [str(c) for c in self.level("ward")["parent_code"]]

    @property
    def borough_names(self) -> dict[str, str]:
        """Name per borough code."""
        rows = self.level("borough")
        return dict(zip(rows["area_code"].astype(str), rows["name"].astype(str), strict=True))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of everything, in metres."""
        west, south, east, north = (float(v) for v in shapely.total_bounds(np.asarray(self.table.geometry)))
        return west, south, east, north


@dataclass(frozen=True, slots=True, eq=False)
class _Boroughs:
    codes: tuple[str, ...]
    names: tuple[str, ...]
    shapes: Shapes
    vintage: str


def read_areas(
    areas: Areas, *, base: Path, working: str, limits: Run = DEFAULT_LIMITS, scratch: Path | None = None
) -> AreaSet:
    """Read boundaries and residents.

    Parameters
    ----------
    areas
        Settings.
    base
        Folder that paths start from.
    working
        The working system, projected in metres.
    limits
        How long a file may be.
    scratch
        Folder for what is needed while they are read; the system's if left out.

    Raises
    ------
    InputError
        If a file cannot be used, a ward has no borough, or a code repeats anywhere.
    ConfigError
        If a code of not_covered or visitor_areas is no area.
    """
    wards = read_boundaries(areas.wards, base=base, working=working, level="wards", limits=limits)
    given = None
    if areas.boroughs is not None:
        given = read_boundaries(areas.boroughs, base=base, working=working, level="boroughs", limits=limits)
    parents, how = _parents(wards, given)
    boroughs, disagreement = _boroughs(wards, parents, given)
    codes = (areas.region.code, *boroughs.codes, *wards.codes)
    repeats = sorted({c for c in codes if codes.count(c) > 1}) if len(set(codes)) < len(codes) else []
    if repeats:
        raise InputError(
            f"codes must be unique over all levels, but these are used twice: {', '.join(repeats[:10])}. "
            "Check areas.region.code and the code columns of both files"
        )
    residents = read_residents(areas.population, base=base, codes=codes, limits=limits, scratch=scratch)
    shapes = np.concatenate(([shapely.normalize(shapely.union_all(boroughs.shapes))], boroughs.shapes, wards.shapes))
    levels = ["region", *["borough"] * len(boroughs.codes), *["ward"] * len(wards.codes)]
    parent_codes = [None, *[areas.region.code] * len(boroughs.codes), *parents]
    require_areas(areas, dict(zip(codes, (areas.region.name, *boroughs.names, *wards.names), strict=True)))
    people = _people(codes, levels, parent_codes, residents)
    table = AREAS.conform(
        pd.DataFrame(
            {
                "area_code": codes,
                "level": levels,
                "name": (areas.region.name, *boroughs.names, *wards.names),
                "parent_code": parent_codes,
                "population": [people[c][0] for c in codes],
                "population_year": [people[c][1] for c in codes],
                "vintage": [
                    None,
                    *[boroughs.vintage or None] * len(boroughs.codes),
                    *[wards.vintage or None] * len(wards.codes),
                ],
                "area_km2": shapely.area(shapes) / _M2_PER_KM2,
                "covered": _covered(codes, levels, parent_codes, areas=areas),
                "geometry": shapes,
            }
        )
    )
    report = {
        "wards": {"areas": len(wards.codes), "repaired": wards.repaired, "vintage": wards.vintage,
                  "operation": wards.operation, "overlap_km2": overlap_km2(wards.shapes)},
        "boroughs": {"areas": len(boroughs.codes), "repaired": given.repaired if given else 0,
                     "vintage": boroughs.vintage,
                     "operation": given.operation if given else "dissolved from the wards"},
        "parents": how,
        **disagreement,
        "population": residents.report,
        "without_population": sorted(c for c in codes if people[c][0] is None)[:100],
    }  # fmt: skip
    import geopandas as gpd

    frame = gpd.GeoDataFrame(table.drop(columns="geometry"), geometry=gpd.GeoSeries(list(shapes), crs=working))
    return AreaSet(frame, residents.others, report)


def _parents(wards: Boundaries, given: Boundaries | None) -> tuple[tuple[str, ...], str]:
    """Borough code of every ward, and how it was found."""
    if wards.parent_codes is not None:
        blank = [c for c, p in zip(wards.codes, wards.parent_codes, strict=True) if not p]
        if blank:
            raise InputError(f"{len(blank)} wards have no borough in areas.wards.parent_code ({', '.join(blank[:10])})")
        if given is not None and (strange := sorted(set(wards.parent_codes) - set(given.codes))):
            raise InputError(
                f"areas.wards.parent_code names boroughs that areas.boroughs does not have: {', '.join(strange[:10])}. "
                "Check that both files are of one edition"
            )
        return wards.parent_codes, "column of codes"
    if wards.parent_names is not None:
        if given is None:
            return wards.parent_names, "column of names, used as codes"
        names = BoroughNames(dict(zip(given.codes, given.names, strict=True)))
        found = [names.code(n) for n in wards.parent_names]
        lost = sorted({n for n, c in zip(wards.parent_names, found, strict=True) if c is None})
        if lost:
            raise InputError(
                f"areas.wards.parent_name names boroughs that areas.boroughs does not have: {', '.join(lost[:10])}"
            )
        return tuple(c for c in found if c is not None), "column of names"
    if given is None:
        raise InputError(
            "nothing says which borough each ward is in: set areas.wards.parent_code to a column of the ward file, or "
            "give areas.boroughs"
        )
    return assign_parents(wards, given), "largest overlap"


def _boroughs(wards: Boundaries, parents: Sequence[str], given: Boundaries | None) -> tuple[_Boroughs, dict[str, Any]]:
    """Return the boroughs, given or dissolved, and where the two levels disagree."""
    if given is None:
        codes, shapes = dissolve(wards.shapes, parents)
        told = dict(zip(parents, wards.parent_names or parents, strict=True))
        return _Boroughs(codes, tuple(told[c] or c for c in codes), shapes, wards.vintage), {}
    agreement = level_agreement(wards.shapes, parents, given=given.shapes, given_codes=given.codes)
    worst = agreement.only_in_members_km2 + agreement.only_in_given_km2
    return _Boroughs(given.codes, given.names, given.shapes, given.vintage), {
        "disagreement_km2": round(agreement.disagreement_km2, 6),
        "disagreement_by_borough_km2": {
            c: round(float(w), 6) for c, w in zip(agreement.codes, worst, strict=True) if w > 1e-6
        },
    }


def _people(
    codes: Sequence[str], levels: Sequence[str], parents: Sequence[str | None], residents: Residents
) -> dict[str, tuple[int | None, int | None]]:
    """Residents of every area: the files' figure, else the sum of the level below where all of it is known."""
    people: dict[str, tuple[int | None, int | None]] = {c: residents.figures.get(c, (None, None)) for c in codes}
    for level in ("borough", "region"):
        for code, at in zip(codes, levels, strict=True):
            if at == level and people[code][0] is None:
                members = [people[c] for c, p in zip(codes, parents, strict=True) if p == code]
                known = [(n, y) for n, y in members if n is not None]
                if known and len(known) == len(members):
                    years = {y for _, y in known}
                    people[code] = sum(n for n, _ in known), years.pop() if len(years) == 1 else None
    return people


def require_areas(areas: Areas, names: Mapping[str, str]) -> None:
    """Refuse codes of not_covered and visitor_areas that are no area's.

    Parameters
    ----------
    areas
        Settings.
    names
        Name of every area by its code, the larger areas first.

    Raises
    ------
    ConfigError
        Naming each, and the code of the area of that name if there is one.
    """
    by_name = {name.casefold(): code for code, name in reversed(list(names.items()))}
    example = next((code for code in names if code != areas.region.code), areas.region.code)
    faults = [
        f"areas.{key}: {given!r} is no area code{did_you_mean(given, list(names))}: use codes such as "
        f"{by_name.get(given.casefold(), example)} (the codes of the boroughs or wards)"
        for key, listed in (("not_covered", areas.not_covered), ("visitor_areas", areas.visitor_areas))
        for given in sorted(set(listed) - set(names))
    ]
    if faults:
        raise ConfigError("; ".join(faults))


def _covered(codes: Sequence[str], levels: Sequence[str], parents: Sequence[str | None], *, areas: Areas) -> list[bool]:
    out = set(areas.not_covered)
    return [
        level == "region" or not ({code, parent} & out)
        for code, level, parent in zip(codes, levels, parents, strict=True)
    ]
