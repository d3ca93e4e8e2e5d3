"""Where rows are: which table lies in the areas, which areas it names, by which lookup, in which time zone."""

import math
import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path

import numpy as np

from pipeline.config import PostcodeFile, Run
from pipeline.errors import HotspotsError, InputError
from pipeline.ingest.formats.files import file_name, read_table
from pipeline.ingest.postcodes import require_postcode_columns
from pipeline.ingest.recognition.areas import SeenAreas
from pipeline.ingest.recognition.coordinate_systems import in_areas, inside, located
from pipeline.ingest.recognition.rows import SeenRows, free_texts, try_rows_of
from pipeline.ingest.recognition.tables import encoding_of, several_tables
from pipeline.ingest.recognition.texts import MOST, Guess, plain

__all__ = [
    "SeenLookup",
    "choose_rows",
    "guess_areas_of_rows",
    "selecting",
    "try_lookup",
    "zone_of",
]

_SELECTED = 5000


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
    points, system = located(seen, areas)
    if points is None:
        return None
    points = points[:_SELECTED]
    sound = np.isfinite(points).all(axis=1)
    flags = in_areas(points, system, areas)
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
