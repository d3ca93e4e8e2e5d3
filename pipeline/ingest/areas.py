"""Boundaries and residents: reading them, and one table of wards, boroughs and the region."""

import contextlib
import glob
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from pipeline.config import AreaFile, Areas, GivenLevel, PopulationFile, Run
from pipeline.config.section import did_you_mean, listed
from pipeline.domain.levels import level_ids, level_words
from pipeline.errors import ConfigError, InputError
from pipeline.geography import projection as crs
from pipeline.geography.areas import (
    AreaIndex,
    check_codes,
    dissolve,
    level_agreement,
    overlap_km2,
    overlaps,
    repair,
)
from pipeline.geography.levels_above import LevelsAbove
from pipeline.geography.study_area import Coverage, coverage, without
from pipeline.ingest.area_lookup import AreaLookup, BoroughNames
from pipeline.ingest.formats.files import (
    DEFAULT_LIMITS,
    HALF_CIRCLE,
    QUARTER_CIRCLE,
    AreaLayer,
    AreaRequest,
    Opening,
    existing,
    find_columns,
    header_explained,
    read_layer,
    read_table,
    unpacked,
)
from pipeline.ingest.formats.header import Layout, LeftOut, left_out_caution
from pipeline.ingest.mask import read_mask
from pipeline.tables import AREAS, Level

__all__ = [
    "LOOKUP_COLUMNS",
    "AreaSet",
    "Boundaries",
    "Residents",
    "assign_parents",
    "boundary_texts",
    "population_columns",
    "population_layout",
    "read_areas",
    "read_boundaries",
    "read_lookup",
    "read_residents",
    "require_areas",
]


# Boundary files: read, repaired, transformed to the working system, and each ward assigned to its borough.

Shapes = NDArray[np.object_]
_PARTS = ("code", "name", "parent_code", "parent_name")
_POLYGONS = (3, 6)
_COLLECTION = 7
_REACH_M = 1e8  # no projected system has larger coordinates


@dataclass(frozen=True, slots=True, eq=False)
class Boundaries:
    """One level of areas.

    Attributes
    ----------
    codes, names
        Code and name of each area, sorted by code.
    parent_codes, parent_names
        Borough of each area as given in the file; None if the file has no such column.
    shapes
        Valid polygons in the working system.
    repaired
        Codes of the areas whose outline had to be repaired, sorted.
    operation
        Transformation into the working system.
    vintage
        Edition.
    """

    codes: tuple[str, ...]
    names: tuple[str, ...]
    parent_codes: tuple[str, ...] | None
    parent_names: tuple[str, ...] | None
    shapes: Shapes
    repaired: tuple[str, ...]
    operation: str
    vintage: str


def read_boundaries(
    settings: AreaFile, *, base: Path, working: str, level: str, limits: Run = DEFAULT_LIMITS
) -> Boundaries:
    """Read the areas of one level.

    Parameters
    ----------
    settings
        The file and its columns.
    base
        Folder that the path starts from.
    working
        The working system.
    level
        The key under `areas`, for messages: `wards`, `boroughs` or `levels[0]`.
    limits
        How long the file may be.

    Raises
    ------
    InputError
        If the file or a column is missing, its coordinate system is unknown, codes are blank or repeated, or a shape is
        not a polygon.
    """
    read = [
        _read_file(path, settings=settings, working=working, level=level, limits=limits)
        for path in boundary_files(settings, base=base, level=level)
    ]
    codes = tuple(code for file in read for code in file.codes)
    repeats = sorted({code for code, times in Counter(codes).items() if times > 1})
    if repeats:
        raise InputError(
            f"areas.{level}: {len(repeats)} codes are in more than one of the {len(read)} files "
            f"({', '.join(repeats[:10])}): name each file once, and files of one edition"
        )
    order = np.argsort(np.array(codes, dtype=object), kind="stable")

    def sorted_texts(part: str) -> tuple[str, ...] | None:
        values = [v for file in read for v in file.texts[part] or ()]
        return None if read[0].texts[part] is None else tuple(values[i] for i in order)

    names = sorted_texts("name") or ()
    return Boundaries(
        tuple(codes[i] for i in order),
        tuple(name or codes[i] for name, i in zip(names, order, strict=True)),
        sorted_texts("parent_code"),
        sorted_texts("parent_name"),
        np.concatenate([file.shapes for file in read])[order],
        tuple(sorted(code for file in read for code in file.repaired)),
        "; ".join(dict.fromkeys(file.operation for file in read)),
        settings.vintage,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _BoundaryFile:
    """The areas of one file, in its order."""

    codes: tuple[str, ...]
    texts: Mapping[str, tuple[str, ...] | None]
    shapes: Shapes
    repaired: tuple[str, ...]
    operation: str


def boundary_files(settings: AreaFile, *, base: Path, level: str) -> list[Path]:
    """Return the files of a level, those of a glob sorted.

    Raises
    ------
    InputError
        If one of them does not exist, or a glob matches none.
    """
    found: dict[Path, None] = {}
    for pattern in listed(settings.path):
        if not glob.has_magic(pattern) or (base / pattern).exists():
            found[existing(pattern, base=base, what=f"areas.{level}")] = None
            continue
        met = sorted(glob.glob(str(base / pattern), recursive=True))  # noqa: PTH207 it may be absolute or go up
        if not met:
            raise InputError(f"areas.{level}.path: no file matches {pattern!r} in {base}: correct the path")
        found |= {existing(name, base=base, what=f"areas.{level}"): None for name in met}
    return list(found)


def _read_file(path: Path, *, settings: AreaFile, working: str, level: str, limits: Run) -> _BoundaryFile:
    request = _request(settings, level=level, limits=limits, shapes=True)
    layer = read_layer(path, request)
    system = _system(layer, settings=settings, level=level, file=path.name)
    if not len(layer.frame):
        raise InputError(f"{path.name} has no areas (areas.{level}): check the file and its layer")
    texts = _named(layer.frame, request, file=path.name)
    try:
        codes = tuple(texts["code"] or ())
        check_codes(sorted(set(codes)) if settings.dissolve else codes)
    except InputError as error:
        raise InputError(f"{path.name} (areas.{level}.code is {settings.code!r}): {error}") from None
    given = _polygons(layer.shapes)
    shapes, _ = repair(given)
    unsound = ~shapely.is_missing(given) & ~shapely.is_valid(given)
    _require_polygons(shapes, layer.shapes, codes, file=path.name)
    _require_degrees(shapes, system, settings=settings, level=level, file=path.name)
    _require_axes(shapes, system, working=working, level=level, file=path.name)
    projected = crs.project_geometries(shapes, source=system, working=working)
    _require_places(projected, codes, file=path.name, level=level)
    unsound |= ~shapely.is_missing(projected) & ~shapely.is_valid(projected)
    projected, _ = repair(projected)
    repaired = tuple(dict.fromkeys(code for code, bad in zip(codes, unsound, strict=True) if bad))
    read = _BoundaryFile(codes, texts, projected, repaired, crs.operation_name(system, working))
    return _put_together(read, file=path.name, level=level) if settings.dissolve else read


def _put_together(read: _BoundaryFile, *, file: str, level: str) -> _BoundaryFile:
    """Put the rows of each code together to one area.

    Raises
    ------
    InputError
        If a code is in several areas of the next level.
    """
    codes, shapes = dissolve(read.shapes, read.codes)
    texts: dict[str, tuple[str, ...] | None] = {}
    for part, given in read.texts.items():
        found: dict[str, dict[str, None]] = {}
        for code, text in zip(read.codes, given or (), strict=False):
            found.setdefault(code, {}).setdefault(text)
        several = [code for code in codes if len(found.get(code, ())) > 1]
        if several and part.startswith("parent"):
            raise InputError(
                f"{file} (areas.{level}.{part}): {len(several)} codes are in several areas of the next level "
                f"({', '.join(several[:10])}): each area lies in one"
            )
        texts[part] = None if given is None else tuple(next(iter(found[code])) for code in codes)
    return replace(read, codes=codes, texts=texts, shapes=shapes)


def boundary_texts(
    settings: AreaFile, *, base: Path, level: str, limits: Run = DEFAULT_LIMITS
) -> dict[str, tuple[str, ...] | None]:
    """Read the names and codes of a boundary file without its outlines.

    Returns
    -------
    texts
        `code`, `name`, `parent_code` and `parent_name` of each area as in the file; None if not configured.

    Raises
    ------
    InputError
        If the file or a column is missing.
    """
    request = _request(settings, level=level, limits=limits, shapes=False)
    read = [
        _named(read_layer(path, request).frame, request, file=path.name)
        for path in boundary_files(settings, base=base, level=level)
    ]
    return {
        part: None if read[0][part] is None else tuple(v for texts in read for v in texts[part] or ())
        for part in _PARTS
    }


def _request(settings: AreaFile, *, level: str, limits: Run, shapes: bool) -> AreaRequest:
    named = {part: getattr(settings, part) for part in _PARTS}
    columns = tuple((f"areas.{level}.{part}", name) for part, name in named.items() if name is not None)
    return AreaRequest(
        f"areas.{level}", columns, settings.layer, shapes=shapes, limits=limits, encoding=settings.encoding
    )


def _system(layer: AreaLayer, *, settings: AreaFile, level: str, file: str) -> Any:
    """Return the coordinate system of the shapes: the configured one, otherwise that of the file."""
    system = layer.system if settings.crs is None else crs.source_crs(settings.crs, what=f"areas.{level}.crs")
    if system is None:
        raise InputError(
            f"{file} does not state its coordinate system: set areas.{level}.crs (for example "
            "EPSG:27700), or supply its .prj file"
        )
    return crs.source_crs(system.to_wkt(), what=file)


def _named(frame: Any, request: AreaRequest, *, file: str) -> dict[str, tuple[str, ...] | None]:
    wanted = request.columns
    at = find_columns(wanted, [str(c) for c in frame.columns], file=file)
    found = {key.rpartition(".")[2]: _texts(frame.iloc[:, i]) for (key, _), i in zip(wanted, at, strict=True)}
    return {part: found.get(part) for part in _PARTS}


def _texts(column: Any) -> tuple[str, ...]:
    """Trimmed texts; whole numbers without a decimal point; empty if missing."""
    blank = column.isna()
    return tuple(
        "" if gone else str(int(v)) if isinstance(v, float) and v.is_integer() else " ".join(str(v).split())
        for v, gone in zip(column.tolist(), blank, strict=True)
    )


def _polygons(shapes: Shapes) -> Shapes:
    """Extract polygons from geometry collections and drop heights; other shapes are unchanged.

    Tools that cut or merge areas produce collections: the area, plus lines or points where areas only touched.
    """
    out: Shapes = shapely.force_2d(np.asarray(shapes, dtype=object))
    for at in np.flatnonzero(shapely.get_type_id(out) == _COLLECTION):
        parts = [out[at]]
        while any(p.geom_type == "GeometryCollection" for p in parts):  # a collection may hold collections
            parts = [inner for p in parts for inner in getattr(p, "geoms", [p])]
        areas = [p for p in parts if shapely.get_type_id(p) in _POLYGONS]
        out[at] = shapely.union_all(repair(np.array(areas, dtype=object))[0]) if areas else out[at]
    return out


def _require_polygons(shapes: Shapes, given: Shapes, codes: Sequence[str], *, file: str) -> None:
    wrong = shapely.is_missing(shapes) | shapely.is_empty(shapes) | ~np.isin(shapely.get_type_id(shapes), _POLYGONS)
    if wrong.any():
        kinds = [
            "empty" if g is None or g.is_empty else g.geom_type for g, bad in zip(given, wrong, strict=True) if bad
        ]
        listed = ", ".join(f"{c}: {k}" for c, k in zip(np.array(codes, dtype=object)[wrong][:10], kinds, strict=False))
        raise InputError(
            f"{file}: {int(wrong.sum())} areas have no polygon ({listed}): give the outlines of these areas, or remove "
            "them from the file"
        )


def _require_degrees(shapes: Shapes, system: Any, *, settings: AreaFile, level: str, file: str) -> None:
    """Refuse metres that are read as degrees: GeoJSON without a known system is in degrees (RFC 7946)."""
    if not system.is_geographic:
        return
    west, south, east, north = shapely.bounds(shapes).T
    beyond = (west < -HALF_CIRCLE) | (east > HALF_CIRCLE) | (south < -QUARTER_CIRCLE) | (north > QUARTER_CIRCLE)
    # Outlines that cross the date line may extend a little beyond 180 degrees, but not most areas of a file.
    if 2 * int(beyond.sum()) > len(shapes):
        why = (
            f"areas.{level}.crs is in degrees ({crs.crs_label(system)})"
            if settings.crs is not None
            else f"{file} states no known coordinate system, which means degrees ({crs.crs_label(system)})"
        )
        raise InputError(
            f"{file}: {why}, but its coordinates reach {east.max():,.0f} and {north.max():,.0f}: they are metres or "
            f"feet. Set areas.{level}.crs to the system they are in, for example EPSG:27700"
        )


def _require_axes(shapes: Shapes, system: Any, *, working: str, level: str, file: str) -> None:
    """Refuse boundaries with swapped axes: outside the working system's area of use, but inside it when swapped."""
    used = crs.working_crs(working).area_of_use
    if used is None:
        return
    west, south, east, north = (float(v) for v in shapely.total_bounds(shapes))
    corners = np.array([[x, y] for x in (west, east) for y in (south, north)])
    if _used_there(corners, system, used) or not _used_there(corners[:, ::-1], system, used):
        return
    asked = "longitude first, then latitude" if system.is_geographic else "easting first, then northing"
    raise InputError(
        f"{file} (areas.{level}) has its axes swapped: read as {asked}, it extends from {west:,.6g}, {south:,.6g} to "
        f"{east:,.6g}, {north:,.6g}, which is outside the area of {crs.crs_label(working)} ({used.name}); with "
        "latitude and longitude swapped it would be inside. Export it with x before y, or swap the axes (in QGIS: "
        "Swap X and Y coordinates)"
    )


def _used_there(corners: Any, system: Any, used: Any) -> bool:
    """Whether corners of a box lie in the area of use of a system."""
    lonlat = crs.project(corners, source=system, working=crs.LONLAT)
    if not np.isfinite(lonlat).all():
        return False
    lon, lat = lonlat.mean(axis=0)
    return bool(used.west <= lon <= used.east and used.south <= lat <= used.north)


def _require_places(shapes: Shapes, codes: Sequence[str], *, file: str, level: str) -> None:
    """Refuse areas with impossible coordinates: in the wrong system, or damaged."""
    reach = np.abs(shapely.bounds(shapes)).max(axis=1)
    wrong = ~(reach < _REACH_M)
    if wrong.any():
        listed = ", ".join([c for c, bad in zip(codes, wrong, strict=True) if bad][:10])
        raise InputError(
            f"{file}: {int(wrong.sum())} areas have impossible coordinates ({listed}): check areas.{level}.crs, or "
            "export the "
            "file again"
        )


@dataclass(frozen=True, slots=True)
class _Step:
    """From one level to the next: keys and words of both, for messages."""

    key: str
    above: str
    areas: str
    parent: str
    parents: str

    @classmethod
    def of(cls, given: Mapping[Level, GivenLevel], level: Level, *, words: Mapping[str, tuple[str, str]]) -> "_Step":
        above = _ABOVE[level]
        key = given[above].key if above in given else "boroughs"
        return cls(given[level].key, key, words[level][1], *words[above])


_ABOVE = {Level.WARD: Level.BOROUGH, Level.BOROUGH: Level.THIRD, Level.THIRD: Level.FOURTH}


def assign_parents(areas: Boundaries, parents: Boundaries, step: _Step) -> tuple[str, ...]:
    """Assign every area to the one of the next level that covers most of it.

    Raises
    ------
    InputError
        If an area is in none.
    """
    own, parent = shapely.STRtree(parents.shapes).query(areas.shapes, predicate="intersects")
    shared = shapely.area(shapely.intersection(areas.shapes[own], parents.shapes[parent]))
    order = np.lexsort((parent, -shared, own))
    own, parent, shared = own[order], parent[order], shared[order]
    first = np.concatenate(([True], np.diff(own) > 0)) if len(own) else np.zeros(0, dtype=bool)
    best = {
        int(w): parents.codes[int(b)] for w, b, a in zip(own[first], parent[first], shared[first], strict=True) if a > 0
    }
    lost = [code for i, code in enumerate(areas.codes) if i not in best]
    if lost:
        raise InputError(
            f"{len(lost)} {step.areas} are in no {step.parent} of areas.{step.above} ({', '.join(lost[:10])}): check "
            f"that both files are for the same place and edition, or set areas.{step.key}.parent_code"
        )
    return tuple(best[i] for i in range(len(areas.codes)))


# Residents by area, from one or more tables, which may mix levels.

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
        For each file: rows, matched areas, rows without a figure, codes that are in no boundary file.
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
        The files; for each area the first file with a figure is used.
    base
        Folder that paths start from.
    codes
        Codes of all areas, of every level.
    limits
        How long a file and its rows may be.
    scratch
        Folder for temporary files while reading; by default the system's.

    Raises
    ------
    InputError
        If a file or column is missing, a figure is not a number, an area has two figures in one file, or a code is
        unexpectedly unknown.
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


def population_layout(settings: PopulationFile) -> Layout:
    """Return what is known of a population file before it is opened."""
    return Layout(settings.header_row, wanted=(settings.code, settings.value), keys=(settings.code,))


def _read(
    settings: PopulationFile, *, base: Path, codes: frozenset[str], limits: Run, scratch: Path | None
) -> tuple[dict[str, int], dict[str, Any]]:
    path = existing(settings.path, base=base, what="areas.population")
    wanted = population_columns(settings)
    with (
        unpacked(path, limits=limits, scratch=scratch, whole=True) as file,
        header_explained(
            file,
            wanted,
            Opening(file.parent, limits, encoding=settings.encoding, sheet=settings.sheet, whole=True),
        ),
    ):
        table = read_table(
            file,
            encoding=settings.encoding,
            sheet=settings.sheet,
            layout=population_layout(settings),
            limits=limits,
            scratch=scratch,
        )
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
            faults.append(f"row {row}: {key} has {round(people)}, but an earlier row has {found[key]}")
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
        **({"header": table.attrs["header"], "outside": _rows(table)} if table.attrs["outside"] else {}),
        **({"cautions": table.attrs["cautions"]} if table.attrs["cautions"] else {}),
    }


def _rows(table: Any) -> list[dict[str, Any]]:
    return [row._asdict() for row in table.attrs["outside"]]


def _number(text: str) -> float | None:
    plain = text.strip().replace(",", "").replace(" ", "").replace("\u00a0", "")
    try:
        value = float(plain)
    except ValueError:
        return None
    return value if 0 <= value < 1e10 else None


# Codes of other editions, for counts and rows that use them.

LOOKUP_COLUMNS = (("areas.lookup", "from_code"), ("areas.lookup", "to_code"))


def read_lookup(
    areas: Areas, *, base: Path, limits: Run = DEFAULT_LIMITS, scratch: Path | None = None
) -> dict[str, str]:
    """Read the current codes for codes of other editions; empty if there is no table.

    Raises
    ------
    InputError
        If a column is missing, or a code has two current codes: such counts cannot be split.
    """
    if areas.lookup is None:
        return {}
    path, how = existing(areas.lookup.path, base=base, what="areas.lookup"), areas.lookup
    with (
        unpacked(path, limits=limits, scratch=scratch, whole=True) as file,
        header_explained(
            file, LOOKUP_COLUMNS, Opening(file.parent, limits, encoding=how.encoding, sheet=how.sheet, whole=True)
        ),
    ):
        names = tuple(name for _, name in LOOKUP_COLUMNS)
        layout = Layout(wanted=names, keys=names)
        table = read_table(file, encoding=how.encoding, sheet=how.sheet, layout=layout, limits=limits, scratch=scratch)
        places = find_columns(LOOKUP_COLUMNS, list(table.columns), file=path.name)
    old, new = (table.iloc[:, at].str.strip() for at in places)
    pairs = sorted(set(zip(old, new, strict=True)))
    found = dict(pairs)
    if len(found) < len(pairs):
        split = sorted({a for a, b in pairs if found[a] != b})
        raise InputError(
            f"{path.name} maps one code to several ({', '.join(split[:10])}): counts of an area that was split cannot "
            "be divided. Remove these codes from the table; they are then listed as unmapped"
        )
    return found


# All areas of a run, and a report on how the levels agree.


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
    above
        The third and the fourth level, where there are any.
    mask
        Ground that cannot hold incidents, one shape; None where nothing is masked.
    """

    table: Any
    denominators: pd.DataFrame
    report: dict[str, Any] = field(default_factory=dict)
    above: LevelsAbove | None = None
    mask: Any = None

    def level(self, name: str) -> Any:
        """Rows of one level."""
        return self.table[self.table["level"] == name].reset_index(drop=True)

    @property
    def smallest(self) -> Any:
        """The wards; the boroughs if there is one level of areas."""
        wards = self.level(Level.WARD)
        return wards if len(wards) else self.level(Level.BOROUGH)

    def lookup(
        self,
        index: "AreaIndex | Path",
        *,
        key: str = "",
        other_codes: Mapping[str, str] | None = None,
        postcodes: Path | None = None,
    ) -> AreaLookup:
        """Return the look-up for assigning incidents; `index` is that of the wards, in the order of their codes."""
        boroughs = self.level(Level.BOROUGH)
        smallest = self.smallest
        one_level = not (self.table["level"] == Level.WARD).any()
        west, south, east, north = (float(v) for v in self.table.total_bounds)
        return AreaLookup(
            tuple(str(c) for c in smallest["area_code"]),
            tuple(str(c) for c in smallest["area_code" if one_level else "parent_code"]),
            dict(zip(boroughs["area_code"].astype(str), boroughs["name"].astype(str), strict=True)),
            (west, south, east, north),
            index,
            key,
            frozenset(self.table.loc[~self.table["covered"].astype(bool), "area_code"].astype(str)),
            tuple(str(n) for n in smallest["name"]),
            dict(other_codes or {}),
            postcodes,
            one_level,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Boroughs:
    codes: tuple[str, ...]
    names: tuple[str, ...]
    shapes: Shapes
    vintage: str


_NO_WARDS = Boundaries((), (), None, None, np.empty(0, dtype=object), (), "", "")


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
        Folder for temporary files while reading; by default the system's.
    own_boroughs
        Whether the data has separate counts for boroughs (as published counts do): a borough with a ward that is not
        covered then has all its residents. If borough counts are sums of points, only residents of its covered wards
        count.

    Raises
    ------
    InputError
        If a file cannot be used, a ward has no borough, or a code repeats anywhere.
    ConfigError
        If a code in not_covered or visitor_areas is not the code of an area.
    """
    levels_given = areas.by_level()
    read = {
        level: read_boundaries(file, base=base, working=working, level=key, limits=limits)
        for level, (key, file) in reversed(levels_given.items())
    }
    given, wards = read.get(Level.BOROUGH), read.get(Level.WARD, _NO_WARDS)
    words = level_words(areas)
    steps = {level: _Step.of(levels_given, level, words=words) for level in read if _ABOVE.get(level) in words}
    if Level.WARD in read:
        parents, how = _parents(wards, given, steps[Level.WARD])
        boroughs, disagreement = _boroughs(wards, parents, given)
        if areas.levels and given is not None:
            disagreement["astray"] = _require_nested(wards, parents, given, how, steps[Level.WARD])
    else:
        assert given is not None  # noqa: S101 the settings have at least one level
        parents, how = (), "one level of areas"
        boroughs, disagreement = _Boroughs(given.codes, given.names, given.shapes, given.vintage), {}
    above = {level: read[level] for level in (Level.FOURTH, Level.THIRD) if level in read}
    codes = (areas.region.code, *boroughs.codes, *wards.codes)
    every = (*codes, *(code for level in above.values() for code in level.codes))
    repeats = sorted(code for code, times in Counter(every).items() if times > 1)
    if repeats:
        raise InputError(
            f"codes must be unique over all levels, but these are used twice: {', '.join(repeats[:10])}. "
            f"Check areas.region.code and the code columns of {'all' if above else 'both'} files"
        )
    residents = read_residents(areas.population, base=base, codes=every, limits=limits, scratch=scratch)
    shapes = np.concatenate(([shapely.normalize(shapely.union_all(boroughs.shapes))], boroughs.shapes, wards.shapes))
    levels = ["region", *["borough"] * len(boroughs.codes), *["ward"] * len(wards.codes)]
    parent_codes = [None, *[areas.region.code] * len(boroughs.codes), *parents]
    called = (areas.region.name, *boroughs.names, *wards.names)
    require_areas(areas, dict(zip(codes, called, strict=True)))
    covers = coverage(codes, levels=levels, parents=parent_codes, not_covered=areas.not_covered)
    if own_boroughs:
        covers = replace(covers, partial=covers.partial & {areas.region.code})
    people = _people(codes, levels, parent_codes, residents, covers=covers)
    at = slice(1 + len(boroughs.codes), None) if wards.codes else slice(1, None)
    masked = read_mask(areas.mask, base=base, working=working, areas=shapes[at], names=called[at], limits=limits)
    areas_km2 = _ground(codes, levels, parent_codes, without(shapes, masked.shape), covers=covers)
    table = AREAS.conform(
        pd.DataFrame(
            {
                "area_code": codes,
                "level": levels,
                "name": called,
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
        "masked": {"km2": masked.km2, "cautions": list(masked.cautions)},
    }  # fmt: skip
    import geopandas as gpd

    frame = gpd.GeoDataFrame(table.drop(columns="geometry"), geometry=gpd.GeoSeries(list(shapes), crs=working))
    # For an area that is covered in part, the denominator of a single category would include people outside the data;
    # it is dropped here and later summed from the covered areas inside.
    others = residents.others[~residents.others["area_code"].isin(covers.partial)]
    found = AreaSet(frame, others.reset_index(drop=True), report, mask=masked.shape)
    if not above:
        return found
    made, accounts = _levels_above(read, steps, residents, working=working, region=areas.region.code, mask=masked.shape)
    report |= {key: [*report[key], *accounts.pop(key)] for key in ("repaired", "overlaps")}
    report["astray"] = [*report["astray"], *accounts.pop("astray")]
    names = level_ids(areas)
    report["levels_above"] = {names.get(level, level.value): accounts[level] for level in above}
    report["levels_inside"] = made.inside
    return replace(found, above=made)


def _levels_above(
    read: Mapping[Level, Boundaries],
    steps: Mapping[Level, _Step],
    residents: Residents,
    *,
    working: str,
    region: str,
    mask: Any,
) -> tuple[LevelsAbove, dict[str, Any]]:
    """Return the third and the fourth level, and an account of them as in the report of the areas."""
    import geopandas as gpd

    account: dict[str, Any] = {"repaired": [], "overlaps": [], "astray": []}
    inside: dict[str, dict[str, str]] = {}
    frames: list[pd.DataFrame] = []
    members = {code: code for code in read[Level.BOROUGH].codes}
    for below, level in ((Level.BOROUGH, Level.THIRD), (Level.THIRD, Level.FOURTH)):
        if level not in read:
            continue
        areas = read[level]
        parents, how = _parents(read[below], areas, steps[below])
        account["astray"] += _require_nested(read[below], parents, areas, how, steps[below])
        of = dict(zip(read[below].codes, parents, strict=True))
        members = {borough: of[code] for borough, code in members.items()}
        inside[level.value] = members
        if frames:
            frames[-1]["parent_code"] = list(parents)
        people = [residents.figures.get(code, (None, None)) for code in areas.codes]
        frames.append(
            pd.DataFrame(
                {
                    "area_code": areas.codes,
                    "level": level.value,
                    "name": areas.names,
                    "parent_code": region,
                    "population": [n for n, _ in people],
                    "population_year": [year for _, year in people],
                    "vintage": areas.vintage or None,
                    "area_km2": shapely.area(without(areas.shapes, mask)) / _M2_PER_KM2,
                    "covered": True,
                    "geometry": areas.shapes,
                }
            )
        )
        account["repaired"] += areas.repaired
        account["overlaps"] += _overlaps(areas)
        account[level] = {"areas": len(areas.codes), "vintage": areas.vintage, "operation": areas.operation}
        account[level]["parents"] = how
    table = AREAS.conform(pd.concat(frames[::-1], ignore_index=True))
    shapes = gpd.GeoSeries(list(table["geometry"]), crs=working)
    return LevelsAbove(gpd.GeoDataFrame(table.drop(columns="geometry"), geometry=shapes), inside), account


LEAST_OVERLAP_KM2 = 1e-4  # a hundred square metres in total: below it overlapping pairs are not searched
LISTED = 5


def _overlaps(level: Boundaries) -> list[tuple[str, str, float]]:
    """List the areas of one level that overlap; a file without overlaps, the usual case, costs one union."""
    return overlaps(level.shapes, level.codes) if overlap_km2(level.shapes) > LEAST_OVERLAP_KM2 else []


def boundary_cautions(report: Mapping[str, Any], *, names: Mapping[str, str]) -> list[str]:
    """Return cautions about faults in the boundaries and how they were handled.

    Parameters
    ----------
    report
        `AreaSet.report`.
    names
        Name of each area by its code.
    """
    cautions = [
        left_out_caution(people["file"], [LeftOut(**row) for row in people["outside"]], header=people["header"])
        for people in report["population"]
        if "outside" in people
    ]
    cautions += [caution for people in report["population"] for caution in people.get("cautions", ())]
    cautions += report["masked"]["cautions"]
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
    if astray := report.get("astray"):
        listed = ", ".join(names[code] for code in astray[:LISTED])
        more = f" and {len(astray) - LISTED} more" if len(astray) > LISTED else ""
        cautions.append(
            f"{len(astray)} areas lie partly outside the area that their parent_code or parent_name gives "
            f"({listed}{more}): all their incidents count there, so that counts of the larger areas are not those "
            "inside the outlines on the map."
        )
    if garbled := sorted({name for name in names.values() if is_garbled(name)}):
        listed = ", ".join(garbled[:LISTED]) + (f" and {len(garbled) - LISTED} more" if len(garbled) > LISTED else "")
        cautions.append(
            f"The names of {len(garbled)} areas look as if they were read in the wrong encoding ({listed}): for a "
            "Shapefile or MapInfo TAB set encoding for that file under areas, as in areas.wards.encoding (for example "
            "latin-1, cp1252 or utf-8); any other file has to be exported again as UTF-8."
        )
    return cautions


def is_garbled(name: str) -> bool:
    """Whether a name contains characters that result from reading text in the wrong encoding.

    Examples
    --------
    >>> [is_garbled(name) for name in ("Brücke", "BrÃ¼cke", "Br\ufffdcke", "Tŷ Gwyn")]
    [False, True, True, False]
    """
    if "\ufffd" in name:
        return True
    # UTF-8 text that was read as latin-1 or cp1252 can be converted back to a shorter text; correct text hardly ever
    # can.
    for encoding in ("latin-1", "cp1252"):
        with contextlib.suppress(UnicodeError):
            if name.encode(encoding).decode("utf-8") != name:
                return True
    return False


def _parents(areas: Boundaries, given: Boundaries | None, step: _Step) -> tuple[tuple[str, ...], str]:
    """Code of the area one level up that contains each area, and how it was determined."""
    if areas.parent_codes is not None:
        blank = [c for c, p in zip(areas.codes, areas.parent_codes, strict=True) if not p]
        if blank:
            raise InputError(
                f"{len(blank)} {step.areas} have no {step.parent} in areas.{step.key}.parent_code "
                f"({', '.join(blank[:10])})"
            )
        if given is not None and (strange := sorted(set(areas.parent_codes) - set(given.codes))):
            raise InputError(
                f"areas.{step.key}.parent_code names {step.parents} that areas.{step.above} does not have: "
                f"{', '.join(strange[:10])}. Check that both files are of the same edition"
            )
        return areas.parent_codes, "column of codes"
    if areas.parent_names is not None:
        if given is None:
            return areas.parent_names, "column of names, used as codes"
        names = BoroughNames(dict(zip(given.codes, given.names, strict=True)))
        found = [names.code(n) for n in areas.parent_names]
        lost = sorted({n for n, c in zip(areas.parent_names, found, strict=True) if c is None})
        if lost:
            raise InputError(
                f"areas.{step.key}.parent_name names {step.parents} that areas.{step.above} does not have: "
                f"{', '.join(lost[:10])}"
            )
        return tuple(c for c in found if c is not None), "column of names"
    if given is None:
        raise InputError(
            "the borough of each ward is unknown: set areas.wards.parent_code to a column of the ward file, or "
            "give areas.boroughs. If these are the only areas, put the file under areas.boroughs in place of "
            "areas.wards, with `label: ward` for what they are called"
        )
    return assign_parents(areas, given, step), "largest overlap"


NESTED = 0.9
"""Least share of an area inside the one that contains it. Outlines of one place that were generalised differently
differ by less; an area that is split between two has less in each."""


def _require_nested(areas: Boundaries, parents: Sequence[str], above: Boundaries, how: str, step: _Step) -> list[str]:
    """Return the codes of areas that lie partly outside the area that a column names.

    Raises
    ------
    InputError
        If there are some and no column names their area: their incidents would count where they did not happen.
    """
    at = {code: i for i, code in enumerate(above.codes)}
    around = above.shapes[[at[code] for code in parents]]
    inside = shapely.area(shapely.intersection(areas.shapes, around)) / shapely.area(areas.shapes)
    astray = [code for code, share in zip(areas.codes, inside, strict=True) if share < NESTED]
    if astray and how == "largest overlap":
        worst = int(np.argmin(inside))
        raise InputError(
            f"areas.{step.key} does not nest in areas.{step.above}: {len(astray)} of {len(areas.codes)} {step.areas} "
            f"lie in several {step.parents} ({', '.join(astray[:10])}; {areas.codes[worst]} has "
            f"{100 * inside[worst]:.0f} % of its area in {parents[worst]}), so that their incidents cannot be added "
            f"up. Use levels that nest, or set areas.{step.key}.parent_code to a column that says where each of them "
            "counts"
        )
    return astray


def _boroughs(wards: Boundaries, parents: Sequence[str], given: Boundaries | None) -> tuple[_Boroughs, dict[str, Any]]:
    """Return the boroughs, given or dissolved from wards, and the differences between the two levels."""
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
    """Residents of every area: the figure in the files, otherwise the sum of the level below if all of it is known.

    For an area that is covered in part only residents of its covered areas count: a rate based on all its residents
    would be too low.
    """
    # Boroughs before the region, so that the region can be the sum of the boroughs; a single unknown ward makes its
    # borough unknown, because a sum without it would be too small.
    people: dict[str, tuple[int | None, int | None]] = {
        c: (None, None) if c in covers.partial else residents.figures.get(c, (None, None)) for c in codes
    }
    covered = dict(zip(codes, covers.covered, strict=True))
    for level in ("borough", "region"):
        for code, at in zip(codes, levels, strict=True):
            if at == level and people[code][0] is None:
                inside = [c for c, p in zip(codes, parents, strict=True) if p == code]
                # An area that is not covered is shown with all its residents, but they are not used as a denominator.
                members = [people[c] for c in inside if covered[c] or not covered[code]]
                known = [(n, y) for n, y in members if n is not None]
                if known and len(known) == len(members):
                    years = {y for _, y in known}
                    people[code] = sum(n for n, _ in known), years.pop() if len(years) == 1 else None
    return people


def _ground(
    codes: Sequence[str], levels: Sequence[str], parents: Sequence[str | None], shapes: Shapes, *, covers: Coverage
) -> list[float]:
    """Square kilometres of the ground of every area; for one that is covered in part, those of its covered areas."""
    km2 = dict(zip(codes, (shapely.area(shapes) / _M2_PER_KM2).tolist(), strict=True))
    covered = dict(zip(codes, covers.covered, strict=True))
    for level in ("borough", "region"):
        for code in (c for c, at in zip(codes, levels, strict=True) if at == level and c in covers.partial):
            km2[code] = sum(km2[c] for c, p in zip(codes, parents, strict=True) if p == code and covered[c])
    return list(km2.values())


def require_areas(areas: Areas, names: Mapping[str, str]) -> None:
    """Refuse codes in not_covered and visitor_areas that belong to no area.

    Parameters
    ----------
    areas
        Settings.
    names
        Name of every area by its code, the larger areas first.

    Raises
    ------
    ConfigError
        With each wrong code, and the correct code if it is the name of an area.
    """
    by_name = {name.casefold(): code for code, name in reversed(list(names.items()))}
    example = next((code for code in names if code != areas.region.code), areas.region.code)
    words = level_words(areas)
    called = " or ".join(dict.fromkeys(words[level][1] for level in (Level.BOROUGH, Level.WARD)))
    faults = [
        f"areas.{key}: {given!r} is not an area code{did_you_mean(given, list(names))}: use codes such as "
        f"{by_name.get(given.casefold(), example)} (the codes of the {called})"
        for key, listed in (("not_covered", areas.not_covered), ("visitor_areas", areas.visitor_areas))
        for given in sorted(set(listed) - set(names))
    ]
    if faults:
        raise ConfigError("; ".join(faults))
