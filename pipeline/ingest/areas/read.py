"""Wards, boroughs and the region as one table, with residents, parents and coverage; and the lookup that finds one."""

import contextlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from pipeline.config import Areas, PopulationFile, Run
from pipeline.config.inputs import did_you_mean
from pipeline.errors import ConfigError, InputError
from pipeline.geography.areas import (
    AreaIndex,
    Coverage,
    LocateResult,
    coverage,
    dissolve,
    level_agreement,
    overlap_km2,
    overlaps,
)
from pipeline.ingest.areas.boundaries import Boundaries, Shapes, assign_parents, read_boundaries
from pipeline.ingest.formats import header_explained, table_reader
from pipeline.ingest.formats.files import DEFAULT_LIMITS, existing
from pipeline.ingest.formats.opened import Opening, find_columns
from pipeline.tables import AREAS, Level

__all__ = [
    "AreaLookup",
    "AreaSet",
    "BoroughNames",
    "Bounds",
    "Residents",
    "WardNames",
    "population_columns",
    "read_areas",
    "read_residents",
    "require_areas",
    "save_index",
]


# Residents by area, from one or several tables that may mix levels.


_MISSING = frozenset({"", ".", "..", "-", ":", "n/a", "na", "nan", "none", "null"})
_LISTED = 10


@dataclass(frozen=True, slots=True, eq=False)
class Residents:
    """People by area.

    Attributes
    ----------
    figures
        Number and year per area code, for the denominator of all categories.
    others
        Denominators of single categories: area_code, category, population, population_year, measure.
    report
        Per file: rows, areas matched, rows without a figure, codes that are in no boundary file.
    """

    figures: dict[str, tuple[int, int]]
    others: pd.DataFrame
    report: list[dict[str, Any]] = field(default_factory=list)


def read_residents(
    files: Sequence[PopulationFile],
    *,
    base: Path,
    codes: Collection[str],
    limits: Run = DEFAULT_LIMITS,
    scratch: Path | None = None,
) -> Residents:
    """Read every population file.

    Parameters
    ----------
    files
        The files; the first that has a figure for an area gives it.
    base
        Folder that paths start from.
    codes
        Codes of all areas, of every level.
    limits
        How long a file and its rows may be.
    scratch
        Folder for what is needed while they are read; the system's if left out.

    Raises
    ------
    InputError
        If a file or column is missing, a figure is not a number, an area has two figures in one file, or a code is
        unknown and not expected to be.
    """
    figures: dict[str, tuple[int, int]] = {}
    others = []
    report = []
    for settings in files:
        found, account = _read(settings, base=base, codes=frozenset(codes), limits=limits, scratch=scratch)
        report.append(account)
        if settings.category is None:
            account["already_given"] = sum(code in figures for code in found)
            figures = {code: (people, settings.year) for code, people in found.items()} | figures
        else:
            others += [(c, settings.category, n, settings.year, settings.measure) for c, n in sorted(found.items())]
    columns = ["area_code", "category", "population", "population_year", "measure"]
    return Residents(figures, pd.DataFrame(others, columns=columns), report)


def population_columns(settings: PopulationFile) -> list[tuple[str, str]]:
    """Return configuration key and name of every column a population file needs."""
    return [("areas.population.code", settings.code), ("areas.population.value", settings.value)]


def _read(
    settings: PopulationFile, *, base: Path, codes: frozenset[str], limits: Run, scratch: Path | None
) -> tuple[dict[str, int], dict[str, Any]]:
    path = existing(settings.path, base=base, what="areas.population")
    wanted = population_columns(settings)
    reader, how = table_reader(path), Opening(path.parent, limits, encoding=settings.encoding, whole=True)
    with header_explained(path, wanted, how, reader=reader):
        table = reader.read_table(path, encoding=settings.encoding, limits=limits, scratch=scratch)
        code_at, value_at = find_columns(wanted, list(table.columns), file=path.name)
    found: dict[str, int] = {}
    unknown: list[str] = []
    blank = rounded = 0
    faults = []
    for row, (code, text) in enumerate(zip(table.iloc[:, code_at], table.iloc[:, value_at], strict=True), start=1):
        key = code.strip()
        if not key or text.strip().casefold() in _MISSING:
            blank += 1
            continue
        people = _number(text)
        if people is None:
            faults.append(f"row {row}: {text!r} is not a number of people")
            continue
        if key not in codes:
            unknown.append(key)
            continue
        rounded += people != int(people)
        if found.setdefault(key, round(people)) != round(people):
            faults.append(f"row {row}: {key} has {round(people)}, but an earlier row says {found[key]}")
    if unknown and not settings.ignore_unknown:
        more = f" and {len(unknown) - _LISTED} more" if len(unknown) > _LISTED else ""
        faults.append(
            f"{len(unknown)} codes are in no boundary file ({', '.join(unknown[:_LISTED])}{more}): use residents of "
            "the same edition as the boundaries, or set ignore_unknown if such rows are expected"
        )
    if faults:
        raise InputError(f"{path.name} cannot be used as population: " + "; ".join(faults[:_LISTED]))
    return found, {
        "file": path.name,
        "year": settings.year,
        "measure": settings.measure,
        "category": settings.category,
        "rows": len(table),
        "matched": len(found),
        "without_figure": blank,
        "rounded": rounded,
        "unknown": len(unknown),
        "unknown_codes": sorted(set(unknown))[:100],
    }


def _number(text: str) -> float | None:
    plain = text.strip().replace(",", "").replace(" ", "").replace("\u00a0", "")
    try:
        value = float(plain)
    except ValueError:
        return None
    return value if 0 <= value < 1e10 else None


# All areas of a run, and an account of how the levels agree.


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

    def lookup(
        self, index: "AreaIndex | Path", *, key: str = "", other_codes: Mapping[str, str] | None = None
    ) -> "AreaLookup":
        """Return what placing incidents needs of these areas; `index` is of the wards, in the order of their codes."""
        wards, boroughs = self.level(Level.WARD), self.level(Level.BOROUGH)
        west, south, east, north = (float(v) for v in self.table.total_bounds)
        return AreaLookup(
            tuple(str(c) for c in wards["area_code"]),
            tuple(str(c) for c in wards["parent_code"]),
            dict(zip(boroughs["area_code"].astype(str), boroughs["name"].astype(str), strict=True)),
            (west, south, east, north),
            index,
            key,
            frozenset(self.table.loc[~self.table["covered"].astype(bool), "area_code"].astype(str)),
            tuple(str(n) for n in wards["name"]),
            dict(other_codes or {}),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Boroughs:
    codes: tuple[str, ...]
    names: tuple[str, ...]
    shapes: Shapes
    vintage: str


def read_areas(
    areas: Areas,
    *,
    base: Path,
    working: str,
    limits: Run = DEFAULT_LIMITS,
    scratch: Path | None = None,
    own_boroughs: bool = False,
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
    own_boroughs
        Whether the data counts boroughs by themselves (published counts do): a borough with a ward that is not covered
        then has all its residents. Where boroughs are the sum of points, only those of its covered wards count.

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
    covers = coverage(codes, levels=levels, parents=parent_codes, not_covered=areas.not_covered)
    if own_boroughs:
        covers = replace(covers, partial=covers.partial & {areas.region.code})
    people = _people(codes, levels, parent_codes, residents, covers=covers)
    areas_km2 = _ground(codes, levels, parent_codes, shapes, covers=covers)
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
                "area_km2": areas_km2,
                "covered": covers.covered,
                "geometry": shapes,
            }
        )
    )
    report = {
        "wards": {"areas": len(wards.codes), "repaired": len(wards.repaired), "vintage": wards.vintage,
                  "operation": wards.operation, "overlap_km2": overlap_km2(wards.shapes)},
        "boroughs": {"areas": len(boroughs.codes), "repaired": len(given.repaired) if given else 0,
                     "vintage": boroughs.vintage,
                     "operation": given.operation if given else "dissolved from the wards"},
        "parents": how,
        **disagreement,
        "population": residents.report,
        "repaired": [*(given.repaired if given else ()), *wards.repaired],
        "overlaps": [*(_overlaps(given) if given else ()), *_overlaps(wards)],
        "without_population": sorted(c for c in codes if people[c][0] is None)[:100],
    }  # fmt: skip
    import geopandas as gpd

    frame = gpd.GeoDataFrame(table.drop(columns="geometry"), geometry=gpd.GeoSeries(list(shapes), crs=working))
    # One category's own denominator of an area that is covered in part would count people of whom nothing is known;
    # left out, it is summed from the covered areas inside.
    others = residents.others[~residents.others["area_code"].isin(covers.partial)]
    return AreaSet(frame, others.reset_index(drop=True), report)


LEAST_OVERLAP_KM2 = 1e-4  # a hundred square metres in all: below it no pair is looked for
LISTED = 5


def _overlaps(level: Boundaries) -> list[tuple[str, str, float]]:
    """List the areas of one level that overlap; a sound file, the usual case, costs one union."""
    return overlaps(level.shapes, level.codes) if overlap_km2(level.shapes) > LEAST_OVERLAP_KM2 else []


def boundary_cautions(report: Mapping[str, Any], *, names: Mapping[str, str]) -> list[str]:
    """Say what was wrong with the boundaries and what was done about it.

    Parameters
    ----------
    report
        `AreaSet.report`.
    names
        Name of each area by its code.
    """
    cautions = []
    if pairs := report["overlaps"]:
        listed = ", ".join(f"{names[a]} and {names[b]} {km2:g} km2" for a, b, km2 in pairs[:LISTED])
        more = f" and {len(pairs) - LISTED} more" if len(pairs) > LISTED else ""
        many = "1 pair of areas overlaps" if len(pairs) == 1 else f"{len(pairs)} pairs of areas overlap"
        cautions.append(
            f"In the boundaries {many} ({listed}{more}): a point in both counts once, in the area whose code "
            "sorts first. Use boundaries that do not overlap if this is not meant."
        )
    if codes := report["repaired"]:
        listed = ", ".join(names[code] for code in codes[:LISTED])
        more = f" and {len(codes) - LISTED} more" if len(codes) > LISTED else ""
        several = len(codes) > 1
        cautions.append(
            f"{len(codes)} {'outlines' if several else 'outline'} in the boundaries {'were' if several else 'was'} "
            f"invalid and {'were' if several else 'was'} repaired ({listed}{more}): look at "
            f"{'them' if several else 'it'} on the map."
        )
    if garbled := sorted({name for name in names.values() if is_garbled(name)}):
        listed = ", ".join(garbled[:LISTED]) + (f" and {len(garbled) - LISTED} more" if len(garbled) > LISTED else "")
        cautions.append(
            f"The names of {len(garbled)} areas look as if they were read in the wrong encoding ({listed}): for a "
            "Shapefile or MapInfo TAB set areas.wards.encoding or areas.boroughs.encoding (for example latin-1, cp1252 "
            "or utf-8); any other file has to be exported again as UTF-8."
        )
    return cautions


def is_garbled(name: str) -> bool:
    """Whether a name holds what is left of letters that were read in another encoding than they were written in.

    Examples
    --------
    >>> [is_garbled(name) for name in ("Brücke", "BrÃ¼cke", "Br\ufffdcke", "Tŷ Gwyn")]
    [False, True, True, False]
    """
    if "\ufffd" in name:
        return True
    # UTF-8 that was read as latin-1 or cp1252 turns back into shorter text; real letters hardly ever do.
    for encoding in ("latin-1", "cp1252"):
        with contextlib.suppress(UnicodeError):
            if name.encode(encoding).decode("utf-8") != name:
                return True
    return False


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
        names = dict(zip(parents, wards.parent_names or parents, strict=True))
        return _Boroughs(codes, tuple(names[c] or c for c in codes), shapes, wards.vintage), {}
    agreement = level_agreement(wards.shapes, parents, given=given.shapes, given_codes=given.codes)
    worst = agreement.only_in_members_km2 + agreement.only_in_given_km2
    return _Boroughs(given.codes, given.names, given.shapes, given.vintage), {
        "disagreement_km2": round(agreement.disagreement_km2, 6),
        "disagreement_by_borough_km2": {
            c: round(float(w), 6) for c, w in zip(agreement.codes, worst, strict=True) if w > 1e-6
        },
    }


def _people(
    codes: Sequence[str],
    levels: Sequence[str],
    parents: Sequence[str | None],
    residents: Residents,
    *,
    covers: Coverage,
) -> dict[str, tuple[int | None, int | None]]:
    """Residents of every area: the files' figure, else the sum of the level below where all of it is known.

    Of an area that is covered in part only those of the covered areas in it count: a rate of its incidents over
    everybody who lives there would be too low.
    """
    # Boroughs before the region, so that the region can be the sum of summed boroughs; a single unknown ward leaves
    # its borough unknown, because a sum without it would be too small.
    people: dict[str, tuple[int | None, int | None]] = {
        c: (None, None) if c in covers.partial else residents.figures.get(c, (None, None)) for c in codes
    }
    covered = dict(zip(codes, covers.covered, strict=True))
    for level in ("borough", "region"):
        for code, at in zip(codes, levels, strict=True):
            if at == level and people[code][0] is None:
                inside = [c for c, p in zip(codes, parents, strict=True) if p == code]
                # An area without any cover is shown with all its residents; nothing is divided by them.
                members = [people[c] for c in inside if covered[c] or not covered[code]]
                known = [(n, y) for n, y in members if n is not None]
                if known and len(known) == len(members):
                    years = {y for _, y in known}
                    people[code] = sum(n for n, _ in known), years.pop() if len(years) == 1 else None
    return people


def _ground(
    codes: Sequence[str], levels: Sequence[str], parents: Sequence[str | None], shapes: Shapes, *, covers: Coverage
) -> list[float]:
    """Square kilometres of every area, of one that is covered in part those of the covered areas in it."""
    km2 = dict(zip(codes, (shapely.area(shapes) / _M2_PER_KM2).tolist(), strict=True))
    covered = dict(zip(codes, covers.covered, strict=True))
    for level in ("borough", "region"):
        for code in (c for c, at in zip(codes, levels, strict=True) if at == level and c in covers.partial):
            km2[code] = sum(km2[c] for c, p in zip(codes, parents, strict=True) if p == code and covered[c])
    return list(km2.values())


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


# Finding an area: by a point, through an index that is built once and kept; or by a code or name as sources write it.


Bounds = tuple[float, float, float, float]
Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AreaLookup:
    """What placing incidents needs of the areas, in one object that can be sent to a worker.

    Attributes
    ----------
    ward_codes, parents
        Wards in the order of the index, and the borough of each.
    borough_names
        Name per borough code.
    bounds
        West, south, east, north of all areas, metres.
    index
        The index of the wards: itself, or the file `save_index` kept it in, which each process loads once.
    key
        What the boundaries depend on; tells two indexes kept at one path apart.
    not_covered
        Codes of the wards and boroughs that the data does not cover.
    ward_names
        Names in the order of `ward_codes`.
    other_codes
        Codes of other editions and of smaller areas, and what they are here (`areas.lookup`).
    """

    ward_codes: tuple[str, ...]
    parents: tuple[str, ...]
    borough_names: Mapping[str, str]
    bounds: Bounds
    index: AreaIndex | Path
    key: str = ""
    not_covered: frozenset[str] = frozenset()
    ward_names: tuple[str, ...] = ()
    other_codes: Mapping[str, str] = field(default_factory=dict)

    def locate(self, xy: Points) -> LocateResult:
        """Find the ward of every point.

        Parameters
        ----------
        xy
            Eastings and northings in metres, shape (n, 2).

        Returns
        -------
        result
            Positions in `ward_codes` (-1 in none), and which points were given to the nearest ward.
        """
        index = self.index if isinstance(self.index, AreaIndex) else _load_index(self.index, self.key)
        return index.locate(xy)


def save_index(path: Path, index: AreaIndex) -> None:
    """Keep the index of the wards for workers and later runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **index.to_arrays())


@lru_cache(maxsize=1)
def _load_index(path: Path, key: str) -> AreaIndex:  # noqa: ARG001 the key tells indexes of one path apart
    """Load the index once in each process: a worker reads many files, and the index is larger than most of them."""
    with np.load(path, allow_pickle=False) as arrays:
        return AreaIndex.from_arrays(arrays)


def _plain(name: str) -> str:
    words = re.sub(r"[^a-z0-9]+", " ", name.casefold().replace("&", " and ").replace("'", "").replace("’", "")).split()
    text = " ".join(words)
    for around in ("london borough of ", "royal borough of ", "city of ", "borough of "):
        text = text.removeprefix(around)
    return text


class BoroughNames:
    """Boroughs by code or name, small differences of spelling aside."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._by_code = {code.casefold(): code for code in names}
        plain: dict[str, list[str]] = {}
        for code, name in names.items():
            plain.setdefault(_plain(name), []).append(code)
        exact = {" ".join(name.split()).casefold(): code for code, name in names.items()}
        self._by_name = {name: codes[0] for name, codes in plain.items() if len(codes) == 1} | exact

    def code(self, text: str) -> str | None:
        """Code of the borough a text names, or None."""
        key = text.casefold()
        return self._by_code.get(key) or self._by_name.get(key) or self._by_name.get(_plain(text))


class WardNames:
    """Wards by code, by a code that `areas.lookup` gives, or by name.

    A name counts where one ward alone has it, or one ward of the borough named beside it. A code that is not known is
    never taken for a name.
    """

    def __init__(self, areas: AreaLookup) -> None:
        self._parents = areas.parents
        self._by_code = {code.casefold(): at for at, code in enumerate(areas.ward_codes)}
        self._other = {
            old.casefold(): self._by_code[new.casefold()]
            for old, new in areas.other_codes.items()
            if new.casefold() in self._by_code
        }
        self._by_name: dict[str, list[int]] = {}
        for at, name in enumerate(areas.ward_names):
            self._by_name.setdefault(_plain(name), []).append(at)

    def of_code(self, text: str) -> int:
        """Position of the ward that a code means, directly or through the lookup; -1 for none."""
        key = text.casefold()
        return self._by_code.get(key, self._other.get(key, -1))

    def of(self, text: str, *, borough: str | None = None) -> int:
        """Position of the ward that a code or name means; -1 for none.

        Parameters
        ----------
        text
            Code or name.
        borough
            Code of the borough that the same row names: a ward's name counts in it alone.
        """
        at = self.of_code(text)
        if at >= 0:
            return at
        named = self._by_name.get(_plain(text), [])
        if borough is not None:
            named = [n for n in named if self._parents[n] == borough]
        return named[0] if len(named) == 1 else -1
