"""Where rows are: which table lies in the areas, in which coordinate system, by which lookup, in which time zone."""

import math
import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import IncidentSource, PostcodeFile, Run
from pipeline.errors import HotspotsError, InputError
from pipeline.ingest.formats.files import file_name, read_table
from pipeline.ingest.incidents.coordinate_notation import forms_of, ways
from pipeline.ingest.postcodes import require_postcode_columns
from pipeline.ingest.recognition.areas import SeenAreas
from pipeline.ingest.recognition.rows import SeenRows, free_texts, try_rows_of
from pipeline.ingest.recognition.tables import encoding_of, several_tables
from pipeline.ingest.recognition.texts import MOST, Guess, plain

__all__ = [
    "SeenLookup",
    "choose_rows",
    "guess_areas_of_rows",
    "inside",
    "require_inside",
    "selecting",
    "system_of_points",
    "try_lookup",
    "zone_of",
]

Points = NDArray[np.float64]
_TRIED = 1000
_SELECTED = 5000


# Points, and whether they lie in the areas.


def _readings(seen: SeenRows, roles: tuple[str, str]) -> list[Points]:
    """Return the coordinates of rows in each notation that fits them, shape (rows, 2), NaN where there are none."""
    columns = [seen.texts[str(seen.column(role))] for role in roles]
    source = IncidentSource(paths=("-",))
    found: list[Points] = []
    forms = [forms_of(texts) for texts in columns]
    for way in ways(source, geographic=roles == ("lon", "lat")):
        filled = [[f for f in of if f] for of in forms]
        fits = [sum(way.fits(f, axis) for f in of) for axis, of in enumerate(filled)]
        if any(n < MOST * len(of) for n, of in zip(fits, filled, strict=True)) or not all(filled):
            continue
        arrays = [pc.fill_null(way.read(pa.array(texts, pa.string())), np.nan) for texts in columns]
        points = np.column_stack([np.asarray(a, dtype=float) for a in arrays])
        points[(points == 0).any(axis=1)] = np.nan
        if not any(np.array_equal(points, other, equal_nan=True) for other in found):
            found.append(points)
    return found


def _box(areas: SeenAreas) -> Any:
    import shapely

    return shapely.box(*shapely.total_bounds(areas.shapes))


def inside(seen: SeenRows, areas: SeenAreas) -> NDArray[np.bool_] | None:
    """Return for each row with a point whether it lies in the bounds of the areas; None if their system is not known.

    Returns
    -------
    flags
        Of rows with a point only, in their order; empty if there are no points.
    """
    points, system = _located(seen, areas)
    if points is None:
        return None
    flags = _within(points, system, areas)
    there: NDArray[np.bool_] = flags[np.isfinite(points).all(axis=1)]
    return there


def _located(seen: SeenRows, areas: SeenAreas) -> tuple[Points | None, Any]:
    """Return the points of all rows and their system."""
    if seen.coordinates == "geometry":
        return seen.head.points, seen.head.opened.crs or areas.system
    if seen.coordinates == "lonlat":
        readings = _readings(seen, ("lon", "lat"))
        best = max(readings, key=lambda p: int(_within(p, 4326, areas).sum()), default=None)
        return best, 4326
    if seen.coordinates == "xy":
        system = system_of_points(seen, areas)
        readings = _readings(seen, ("x", "y"))
        if system is None or not readings:
            return None, None
        return max(readings, key=lambda p: int(_within(p, system.value, areas).sum())), system.value
    return None, None


def _within(points: Points, system: Any, areas: SeenAreas) -> NDArray[np.bool_]:
    import pyproj
    import shapely

    to = pyproj.Transformer.from_crs(system, areas.system, always_xy=True)
    x, y = to.transform(points[:, 0], points[:, 1])
    flags: NDArray[np.bool_] = shapely.contains_xy(_box(areas), x, y)
    return flags


def _in_areas(points: Points, system: Any, areas: SeenAreas) -> NDArray[np.bool_]:
    """Return whether points lie in one of the areas themselves: bounds of a city hold parts of its neighbours."""
    import pyproj
    import shapely

    flags = _within(points, system, areas)
    there = np.flatnonzero(flags)
    to = pyproj.Transformer.from_crs(system, areas.system, always_xy=True)
    found, _ = shapely.STRtree(areas.shapes).query(
        shapely.points(*to.transform(points[there, 0], points[there, 1])), predicate="intersects"
    )
    flags[:] = False
    flags[there[found]] = True
    return flags


def require_inside(seen: SeenRows, areas: SeenAreas) -> None:
    """Refuse boundaries in which none of the points lies.

    Raises
    ------
    InputError
        With the places of both.
    """
    flags = inside(seen, areas)
    if flags is None or not len(flags) or flags.any():
        return
    import pyproj
    import shapely

    points, system = _located(seen, areas)
    if points is None:
        return
    degrees = pyproj.Transformer.from_crs(system, 4326, always_xy=True)
    lon, lat = degrees.transform(*np.nanmedian(points, axis=0))
    if not (math.isfinite(lon) and math.isfinite(lat)):
        return
    if _within(points[:, ::-1], system, areas).any():
        return  # exchanged coordinates: the trial says so
    to = pyproj.Transformer.from_crs(areas.system, 4326, always_xy=True)
    west, south, east, north = to.transform_bounds(*shapely.total_bounds(areas.shapes))
    raise InputError(
        f"None of the {len(flags):,} points read from {file_name(seen.path)} lies in the areas of "
        f"{file_name(areas.path)}: the points lie around longitude {lon:.3f}, latitude {lat:.3f}, and the areas "
        f"between longitudes {west:.3f} and {east:.3f}, latitudes {south:.3f} and {north:.3f}. Give the boundaries of "
        "the place of the incidents with --areas, or check the columns of coordinates"
    )


def system_of_points(seen: SeenRows, areas: SeenAreas) -> Guess | None:
    """Return the coordinate system in which most easting/northing points lie in the areas; None if there is none.

    The systems that are used at the place are tried: that of the boundary file, the usual ones, then all others.
    """
    import pyproj
    import shapely

    if seen.column("x") is None or seen.column("y") is None:
        return None
    readings = [p[np.isfinite(p).all(axis=1)][:_TRIED] for p in _readings(seen, ("x", "y"))]
    readings = [p for p in readings if len(p)]
    if not readings:
        return None
    union = _box(areas)
    degrees = pyproj.Transformer.from_crs(areas.system, 4326, always_xy=True)
    west, south, east, north = degrees.transform_bounds(*union.bounds)
    place = pyproj.aoi.AreaOfInterest(west, south, east, north)
    kinds = [pyproj.enums.PJType.PROJECTED_CRS]
    listed = pyproj.database.query_crs_info(auth_name="EPSG", pj_types=kinds, area_of_interest=place, contains=True)
    own = areas.system.to_epsg()
    first = [*([own] if own and areas.system.is_projected else []), 27700, 29902, 2157, 3857, 4326]
    best: tuple[int, int, int] | None = None
    for epsg in dict.fromkeys([*first, *(int(info.code) for info in listed if not info.deprecated)]):
        try:
            to = pyproj.Transformer.from_crs(epsg, areas.system, always_xy=True)
            found = [(int(shapely.contains_xy(union, *to.transform(p[:, 0], p[:, 1])).sum()), len(p)) for p in readings]
        except pyproj.exceptions.ProjError:
            continue
        there, tried = max(found)
        if best is None or there > best[0]:
            best = (there, epsg, tried)
        if there > MOST * tried:
            break
    if best is None or best[0] < best[2] / 10:
        return None
    return Guess(f"EPSG:{best[1]}", f"{best[0]:,} of {best[2]:,} points tried lie within the bounds of the areas")


# Which sheet or layer.


@dataclass(slots=True)
class _Candidate:
    seen: SeenRows
    name: str
    there: int
    tried: int

    @property
    def rank(self) -> tuple[bool, bool, bool, int]:
        return self.seen.has_date, self.seen.has_place, self.lies, self.seen.rows

    @property
    def lies(self) -> bool:
        """Whether its rows may be incidents in the areas: points that do not lie there are of another place."""
        return self.tried == 0 or self.there >= self.tried / 2

    @property
    def usable(self) -> bool:
        return self.seen.has_date and self.seen.has_place and self.lies


def choose_rows(path: Path, areas: SeenAreas, *, limits: Run) -> tuple[SeenRows, list[str]]:
    """Read the first rows of a file, of the sheet or layer that holds incidents in the areas.

    Returns
    -------
    rows, rivals
        The table, and the names of others that may be meant as well.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    key, tables = several_tables(path, limits=limits)
    if not tables:
        seen = try_rows_of(path, limits=limits)
        guess_areas_of_rows(seen, areas)
        return seen, []
    candidates: list[_Candidate] = []
    faults: list[HotspotsError] = []
    for name, _ in tables:
        try:
            seen = try_rows_of(path, limits=limits, chosen=(key, name))
        except HotspotsError as error:
            faults.append(error)
            continue
        guess_areas_of_rows(seen, areas)
        flags = inside(seen, areas)
        tried, there = (0, 0) if flags is None else (len(flags), int(flags.sum()))
        candidates.append(_Candidate(seen, name, there, tried))
    if not candidates:
        raise faults[0]
    candidates.sort(key=lambda c: c.rank, reverse=True)  # of equal ones the first in the file stays first
    best = candidates[0]
    usable = [c for c in candidates if c.usable]
    alike = len({tuple(n.casefold() for n in c.seen.columns) for c in candidates}) == 1
    if key == "sheet" and alike and not faults and len(usable) == len(candidates):
        best.seen.notes.append(f"All {len(candidates)} sheets have the same columns and are read, one after the other.")
        return best.seen, []
    best.seen.chosen = (key, Guess(best.name, _why(best, candidates, key=key)))
    return best.seen, [c.name for c in usable if c is not best]


def _why(best: _Candidate, candidates: Sequence[_Candidate], *, key: str) -> str:
    others = [c for c in candidates if c is not best]
    dated = [c for c in candidates if c.seen.has_date and c.seen.has_place]
    if len(dated) == 1 and others:
        return f"the only {key} of {len(candidates)} with a date and a place"
    far = ", ".join(f"{c.there:,} of {c.tried:,} in {c.name!r}" for c in others if c.tried and not c.lies)
    if best.tried and far:
        return f"{best.there:,} of {best.tried:,} points lie within the bounds of the areas, but {far}"
    return f"{best.seen.rows:,} rows, the most of {len(candidates)} {key}s"


# Rows that say in which area they are.


def guess_areas_of_rows(seen: SeenRows, areas: SeenAreas) -> None:
    """Find columns with codes or names of the areas, where no coordinates are."""
    if seen.coordinates:
        return
    wards = (("ward", areas.codes), ("ward", areas.names), ("borough", areas.parents), ("borough", areas.parent_names))
    only = (("borough", areas.codes), ("borough", areas.names))
    grouped = bool(areas.parents or areas.parent_names)
    taken = {*seen.roles.values(), *(str(g.value) for g in seen.guesses.values())}
    for role, known in wards if grouped else only:
        if seen.column(role):
            continue
        for column, texts in seen.texts.items():
            values = [v for v in texts if v]
            there = sum(v in known for v in values)
            if column not in taken and values and there > MOST * len(values):
                seen.guesses[role] = Guess(
                    column, f"{there / len(values):.0%} of its values are areas of the boundaries"
                )
                taken.add(column)
                break


def selecting(seen: SeenRows, areas: SeenAreas) -> tuple[str, list[str], str] | None:
    """Return the column and texts that select the rows in the areas from those of a larger region.

    Returns
    -------
    column, texts, why
        None if nearly all points lie in the areas, or no column tells those that do from the others.
    """
    points, system = _located(seen, areas)
    if points is None:
        return None
    points = points[:_SELECTED]
    sound = np.isfinite(points).all(axis=1)
    flags = _in_areas(points, system, areas)
    if sound.sum() < 20 or not 0 < flags[sound].sum() < 0.8 * sound.sum():
        return None
    for column, distinct in free_texts(seen):
        texts = np.array(seen.texts[column][: len(points)], dtype=object)
        shares = {t: float(flags[sound & (texts == t)].mean()) for t in distinct if (sound & (texts == t)).any()}
        kept = sorted(t for t, of in shares.items() if of > MOST)
        if kept and all(of > MOST or of < 1 - MOST for of in shares.values()):
            rows = int(flags[sound & np.isin(texts, kept)].sum())
            why = (
                f"{rows:,} of the {int(flags[sound].sum()):,} points in the areas have these texts, and none has others"
            )
            lost = int(flags[sound].sum()) - rows
            return column, kept, why if not lost else why.replace("none has others", f"{lost:,} have others")
    return None


# Lookups.


@dataclass(frozen=True, slots=True)
class SeenLookup:
    """A lookup: of postcodes (`role` is `postcode`), or of smaller areas by the role of the column that has them."""

    path: Path
    role: str
    encoding: Guess | None
    code: Guess | None = None
    column: Guess | None = None


_SMALL = (("lsoa", re.compile(r"[EWSN]01\d{6}")), ("msoa", re.compile(r"[EWSN]02\d{6}")))


def try_lookup(path: Path, seen: SeenRows, areas: SeenAreas, *, limits: Run) -> SeenLookup:
    """Recognise a lookup of postcodes, or a table of smaller areas such as LSOAs or beats.

    Raises
    ------
    InputError
        If it is neither.
    """
    encoding = encoding_of(path)
    text = str(encoding.value) if encoding else "utf-8"
    try:
        require_postcode_columns(path, settings=PostcodeFile(path=path.name, encoding=text), limits=limits)
    except InputError:
        pass
    else:
        return SeenLookup(path, "postcode", encoding)
    frame = read_table(path, encoding=text, limits=limits)
    columns = {str(c): {plain(v) for v in frame[c]} for c in frame.columns}
    known = areas.codes | areas.parents
    if not any(len(values & known) > len(known) / 10 for values in columns.values()):
        raise InputError(
            f"{file_name(path)} is no lookup: it has neither postcodes with coordinates under usual names (as ONSPD, "
            "NSPL and Code-Point Open have) nor a column with codes of the areas"
        )
    best: tuple[int, str, str] = (0, "", "")
    for own, values in columns.items():
        if values & known:
            continue
        for column, texts in seen.texts.items():
            best = max(best, (sum(v in values for v in texts if v), own, column))
    rows, own, column = best
    if not rows:
        raise InputError(
            f"{file_name(path)}: none of its codes of smaller areas is in any column of {file_name(seen.path)}"
        )
    example = next(v for v in seen.texts[column] if v in columns[own])
    role = next((r for r, form in _SMALL if form.fullmatch(example)), "beat")
    why = f"{rows:,} of {seen.rows:,} rows have a code of it"
    return SeenLookup(path, role, encoding, Guess(own, f"codes such as {example!r}"), Guess(column, why))


# Time zones.

_OFFSET = re.compile(r"\d{1,2}:\d\d.*?(Z|([+-])(\d\d):?(\d\d))$")
_PLACE = re.compile(r"([+-]\d+)([+-]\d+)")


def zone_of(texts: Sequence[str], areas: SeenAreas) -> Guess | None:
    """Return the time zone of dates that state an offset from UTC: the nearest place whose clocks have these offsets.

    Returns
    -------
    zone
        None if no date states an offset, or the database of time zones has no list of places.
    """
    import pyproj
    import shapely

    stated = [(m, t) for t in texts if (m := _OFFSET.search(t))]
    if not stated:
        return None
    to = pyproj.Transformer.from_crs(areas.system, 4326, always_xy=True)
    west, south, east, north = to.transform_bounds(*shapely.total_bounds(areas.shapes))
    middle = (west + east) / 2, (south + north) / 2
    moments = list({t: m for m, t in stated if m[1] != "Z"}.items())[:200]
    near = []
    for name, lat, lon in _zones():
        across = math.cos(math.radians(middle[1])) * ((lon - middle[0] + 180) % 360 - 180)
        near.append((math.hypot(across, lat - middle[1]), name))
    for _, name in sorted(near):
        if all(_fits(text, m, name) for text, m in moments):
            have = "whose clocks have the offsets of the dates" if moments else "as the dates are in UTC"
            return Guess(name, f"the nearest place in the database of time zones, {have}")
    return None


def _zones() -> list[tuple[str, float, float]]:
    """Return time zones with the place that each is named for, in degrees."""
    try:
        text = (resources.files("tzdata") / "zoneinfo" / "zone1970.tab").read_text("utf-8")
    except (ModuleNotFoundError, OSError):
        return []
    out = []
    for line in text.splitlines():
        parts = line.split("\t")
        if not line.startswith("#") and (place := _PLACE.fullmatch(parts[1])):
            lat, lon = (_degrees(place[1], 2), _degrees(place[2], 3))
            out.append((parts[2], lat, lon))
    return out


def _degrees(text: str, digits: int) -> float:
    """Convert `+340308` (degrees, minutes, seconds) to degrees."""
    sign, figures = (-1 if text[0] == "-" else 1), text[1:]
    minutes, seconds = figures[digits : digits + 2], figures[digits + 2 :] or "0"
    return sign * (int(figures[:digits]) + int(minutes) / 60 + int(seconds) / 3600)


def _fits(text: str, stated: re.Match[str], zone: str) -> bool:
    """Whether the clocks of a zone have the offset that a time states."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return True
    there = moment.astimezone(zoneinfo.ZoneInfo(zone)).utcoffset()
    return there is not None and there == moment.utcoffset() and stated is not None
