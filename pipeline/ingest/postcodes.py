"""Postcodes: a lookup of their coordinates, read once for a run, and how the texts of a column match it.

The lookup is a file that the user names: the ONS Postcode Directory (ONSPD), the National Statistics Postcode Lookup
(NSPL), Code-Point Open, or any table of postcodes with coordinates. A postcode is held as a number, so that the 2.7
million of ONSPD take about 80 MB and are searched without a loop over rows.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import PostcodeFile, Run
from pipeline.errors import InputError
from pipeline.geography import projection as crs
from pipeline.ingest.formats.files import (
    DEFAULT_LIMITS,
    GEOMETRY_X,
    GEOMETRY_Y,
    Opened,
    Opening,
    Unreadable,
    find_columns,
    first_line,
    require_settings_fit,
    row_reader,
    unpacked,
)
from pipeline.storage.duckdb import connect

__all__ = [
    "FOUND",
    "STATES",
    "UNKNOWN",
    "PostcodeProfile",
    "Postcodes",
    "load_postcodes",
    "postcode_texts",
    "read_postcodes",
    "require_postcode_columns",
    "require_postcodes_found",
]

Numbers = NDArray[np.float64]
Bounds = tuple[float, float, float, float]

STATES = ("blank", "malformed", "partial", "unknown", "without_coordinates", "found")
"""What a text of a postcode column is: not of the form of a postcode, only the first part of one, not in the lookup, in
it without coordinates, or found."""
_BLANK, _MALFORMED, _PARTIAL, UNKNOWN, _WITHOUT, FOUND = range(len(STATES))

_WHOLE_FORM = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]?[0-9][A-Z]{2}|GIR0AA")
_FIRST_PART = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]?[0-9]?")
_LENGTH = 7
_SYMBOLS = 37  # digits and letters, and one for nothing
_FAR_M = 50_000.0
_YEAR_MONTH = r"^(?P<y>(?:19|20)\d\d)[-/]?(?P<m>0[1-9]|1[0-2])(?:\D.*|\d\d)?(?:\.0)?$"
_NOT_ENDED = pa.array(["", "0", "no", "n", "false", "f", "live", "current"])
_NOT_IN_USE = pa.array(["0", "no", "n", "false", "f"])
ENDED_ONCE = 1
"""In place of a month, for a postcode that was terminated at an unknown time."""

# Names of columns in lower case without punctuation, in order of preference.
_USUAL = {
    "postcode": ("pcds", "pcd8", "pcd7", "pcd2", "pcd", "postcode", "post_code"),
    "easting": ("oseast1m", "east1m", "eastings", "easting"),
    "northing": ("osnrth1m", "north1m", "northings", "northing"),
    "lon": ("long", "longitude", "lon", "lng"),
    "lat": ("lat", "latitude"),
    "terminated": ("doterm", "terminated", "date_of_termination", "termination_date"),
    "in_use": ("in_use", "is_in_use"),
}
_CODE_POINT = {"postcode": 0, "easting": 2, "northing": 3}
"""Positions in Code-Point Open, whose files have no header."""
_NO_LATITUDE = 99.0
"""ONSPD and NSPL write latitude 99.999999 where they have no coordinates."""
_BRITISH, _IRISH = "EPSG:27700", "EPSG:29902"


def _symbols() -> NDArray[np.int64]:
    table = np.zeros(256, dtype=np.int64)
    for at, symbol in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", start=1):
        table[ord(symbol)] = at
    return table


_VALUES = _symbols()
_POWERS = np.array([_SYMBOLS**p for p in range(_LENGTH - 1, -1, -1)], dtype=np.int64)


def _plain(texts: Any) -> Any:
    """Return texts in upper case without anything but letters and digits: `n1 1ab` is `N11AB`."""
    return pc.utf8_upper(pc.replace_substring_regex(pc.fill_null(texts, ""), "[^0-9A-Za-z]+", ""))


def _keys(plain: Any) -> NDArray[np.int64]:
    """Return the number that stands for each postcode; 0 for a text that is empty or too long."""
    lengths = np.asarray(pc.utf8_length(plain))
    fits = (lengths > 0) & (lengths <= _LENGTH)
    letters = np.array(plain.to_pylist(), dtype=f"S{_LENGTH}").view(np.uint8).reshape(-1, _LENGTH)
    return np.where(fits, _VALUES[letters] @ _POWERS, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Postcodes:
    """Postcodes with their coordinates, sorted by key.

    Attributes
    ----------
    keys
        The number of each postcode.
    xy
        Eastings and northings in the working system, metres, shape (n, 2); NaN if the lookup has none.
    ended
        Month (yyyymm) of termination; 0 for a live postcode, `ENDED_ONCE` if the month is unknown.
    """

    keys: NDArray[np.int64]
    xy: Numbers
    ended: NDArray[np.int32]

    @classmethod
    def none(cls) -> "Postcodes":
        """Return a lookup without any postcode."""
        return cls(np.empty(0, dtype=np.int64), np.empty((0, 2)), np.empty(0, dtype=np.int32))

    def find(self, texts: Sequence[str]) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        """Look texts up.

        Returns
        -------
        states, positions
            Position in `STATES`; position in the lookup, -1 for a text that is not in it.
        """
        plain = _plain(pa.array(texts, pa.string()))
        keys = _keys(plain)
        at = np.minimum(np.searchsorted(self.keys, keys), max(len(self.keys) - 1, 0))
        here = (self.keys[at] == keys) & (keys > 0) if len(self.keys) else np.zeros(len(keys), dtype=bool)
        at = np.where(here, at, -1)
        states = np.fromiter((_form(text) for text in plain.to_pylist()), dtype=np.int8, count=len(keys))
        states[here] = FOUND
        if here.any():
            states[here & np.isnan(self.xy[at]).any(axis=1)] = _WITHOUT
        return states, at

    def save(self, path: Path) -> None:
        """Store it for workers and later runs."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, keys=self.keys, xy=self.xy, ended=self.ended)


def _form(text: str) -> int:
    if not text:
        return _BLANK
    if _WHOLE_FORM.fullmatch(text):
        return UNKNOWN
    return _PARTIAL if _FIRST_PART.fullmatch(text) else _MALFORMED


@lru_cache(maxsize=1)
def load_postcodes(path: Path, key: str) -> Postcodes:  # noqa: ARG001 the key tells lookups of one path apart
    """Load a stored lookup, once in each process."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return Postcodes(arrays["keys"], arrays["xy"], arrays["ended"])


# Reading the files of a lookup.


@dataclass(frozen=True, slots=True)
class _Layout:
    """Columns of a lookup by role, and the coordinate system of its coordinates; `first` is a row read as a header."""

    at: Mapping[str, int]
    coordinates: str
    system: str
    irish: bool
    first: tuple[str, ...] = ()


def _layout(opened: Opened, settings: PostcodeFile) -> _Layout:
    """Find the columns, by the settings or their usual names.

    Raises
    ------
    InputError
        If there is no column of postcodes, or there are no coordinates.
    """
    named = {role: getattr(settings, role) for role in _USUAL if getattr(settings, role) is not None}
    wanted = [(f"geocode.postcodes.{role}", name) for role, name in named.items()]
    places = find_columns(wanted, opened.columns, file=opened.name)
    at = dict(zip(named, places, strict=True))
    keys = [re.sub(r"[^a-z0-9]+", "_", c.casefold()).strip("_") for c in opened.columns]
    for role, names in _USUAL.items():
        if role not in at:
            found = next((keys.index(name) for name in names if name in keys), None)
            at |= {} if found is None else {role: found}
    first: tuple[str, ...] = ()
    if "postcode" not in at and _looks_headerless(opened.columns):
        at, first = dict(_CODE_POINT), opened.columns
    listed = ", ".join(map(repr, opened.columns[:20])) + (" ..." if len(opened.columns) > 20 else "")
    if "postcode" not in at:
        raise InputError(
            f"{opened.name} has no column of postcodes under a usual name: set geocode.postcodes.postcode to one of "
            f"{listed}"
        )
    asked = next((kind for kind, role in (("lonlat", "lon"), ("xy", "easting")) if role in named), "")
    pairs = {"xy": ("easting", "northing"), "lonlat": ("lon", "lat")}
    have = [kind for kind, roles in pairs.items() if all(r in at for r in roles)]
    kind = asked if asked in have else "geometry" if opened.has_geometry else have[0] if have else ""
    if not kind:
        raise InputError(
            f"{opened.name} has no coordinates of its postcodes under usual names: set geocode.postcodes.easting and "
            f"northing, or lon and lat, to columns it has ({listed})"
        )
    if kind == "lonlat":
        return _Layout(at, kind, crs.LONLAT, irish=False, first=first)
    if kind == "geometry":
        system = settings.crs or opened.crs
        if system is None:
            raise InputError(
                f"{opened.name} does not state its coordinate system: set geocode.postcodes.crs, for example {_BRITISH}"
            )
        return _Layout(at, kind, str(system), irish=False)
    return _Layout(at, kind, settings.crs or _BRITISH, irish=settings.crs is None, first=first)


def _looks_headerless(columns: Sequence[str]) -> bool:
    """Whether what was read as column names is a row of Code-Point Open: a postcode, its quality, and coordinates."""
    if len(columns) <= max(_CODE_POINT.values()):
        return False
    postcode = re.sub(r"[^0-9A-Za-z]", "", columns[0]).upper()
    numbers = [columns[_CODE_POINT[axis]].split(" (")[0] for axis in ("easting", "northing")]
    return _WHOLE_FORM.fullmatch(postcode) is not None and all(n.isdigit() for n in numbers)


def require_postcode_columns(path: Path, *, settings: PostcodeFile, limits: Run = DEFAULT_LIMITS) -> None:
    """Refuse a lookup without the columns that are needed, before any row is read.

    Raises
    ------
    InputError
        If a column is missing, or the header cannot be read.
    """
    with (
        unpacked(path, limits=limits, head=True) as file,
        tempfile.TemporaryDirectory(prefix="hotspots-") as folder,
    ):
        how = Opening(Path(folder), limits, encoding=settings.encoding, layer=settings.layer, sheet=settings.sheet)
        reader = row_reader(file, stated="auto")
        require_settings_fit(path, reader, sheet=settings.sheet)
        header = reader.read_header(file, how)
    crs_unknown = settings.crs or _BRITISH
    _layout(
        Opened(path.name, header.columns, scan="", has_geometry=header.has_geometry, crs=crs_unknown),
        settings,
    )


def read_postcodes(
    settings: PostcodeFile,
    *,
    paths: Sequence[Path],
    working: str,
    bounds: Bounds,
    limits: Run = DEFAULT_LIMITS,
    scratch: Path,
) -> tuple[Postcodes, dict[str, Any]]:
    """Read a lookup of postcodes.

    Parameters
    ----------
    settings
        Its columns.
    paths
        Its files; of a postcode in several, the first live one is used.
    working
        The working system.
    bounds
        West, south, east, north of the areas, metres: a lookup without any postcode near them is refused.
    limits
        Limits on the size of files, and on memory.
    scratch
        Folder for temporary files while reading.

    Returns
    -------
    postcodes, report
        The lookup, and its account: rows, postcodes, repeated, without coordinates, terminated, not read as postcodes.

    Raises
    ------
    InputError
        If a file cannot be read, has no postcodes, or none of them is near the areas.
    """
    read = [_read_file(path, settings=settings, working=working, limits=limits, scratch=scratch) for path in paths]
    keys = np.concatenate([r[0] for r in read])
    xy = np.concatenate([r[1] for r in read])
    ended = np.concatenate([r[2] for r in read])
    rows, good = len(keys), keys > 0
    keys, xy, ended = keys[good], xy[good], ended[good]
    names = ", ".join(p.name for p in paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
    if not len(keys):
        raise InputError(f"{names} (geocode.postcodes) has no postcodes: check the file and geocode.postcodes.postcode")
    # Of several rows with one postcode a live one with coordinates comes first, then the order of the files decides.
    blank = np.isnan(xy).any(axis=1)
    order = np.lexsort((np.arange(len(keys)), blank, ended > 0, keys))
    keys, xy, ended = keys[order], xy[order], ended[order]
    first = np.concatenate(([True], keys[1:] != keys[:-1]))
    found = Postcodes(keys[first], xy[first], ended[first])
    west, south, east, north = bounds
    x, y = found.xy.T
    near = (x >= west - _FAR_M) & (x <= east + _FAR_M) & (y >= south - _FAR_M) & (y <= north + _FAR_M)
    if not near.any():
        raise InputError(
            f"none of the {len(found.keys):,} postcodes of {names} lies within 50 km of the areas: check its columns "
            "of coordinates (geocode.postcodes.easting and northing, or lon and lat) and geocode.postcodes.crs, or "
            "use a lookup of this part of the country"
        )
    report = {
        "files": [p.name for p in paths],
        "rows": rows,
        "postcodes": len(found.keys),
        "repeated": int((~first).sum()),
        "not_postcodes": int((~good).sum()),
        "without_coordinates": int(np.isnan(found.xy).any(axis=1).sum()),
        "terminated": int((found.ended > 0).sum()),
        "near_the_areas": int(near.sum()),
    }
    return found, report


_Columns = tuple[NDArray[np.int64], Numbers, NDArray[np.int32]]


def _read_file(path: Path, *, settings: PostcodeFile, working: str, limits: Run, scratch: Path) -> _Columns:
    with unpacked(path, limits=limits, scratch=scratch) as file:
        return _read_unpacked(file, settings=settings, working=working, limits=limits, scratch=scratch)


def _read_unpacked(path: Path, *, settings: PostcodeFile, working: str, limits: Run, scratch: Path) -> _Columns:
    reader = row_reader(path, stated="auto")
    require_settings_fit(path, reader, sheet=settings.sheet)
    careful = False
    while True:
        with tempfile.TemporaryDirectory(dir=scratch, prefix=".postcodes-") as name:
            folder = Path(name)
            how = Opening(
                folder,
                limits,
                encoding=settings.encoding,
                layer=settings.layer,
                sheet=settings.sheet,
                careful=careful,
            )
            opened = reader.open_rows(path, how)
            layout = _layout(opened, settings)
            with closing(
                connect(memory_limit_mb=limits.memory_limit_mb, folders=(path.parent, folder), spill=folder / "spill")
            ) as connection:
                try:
                    return _columns(opened, layout, connection, working=working)
                except (duckdb.Error, Unreadable) as error:
                    if careful or not opened.again:
                        raise InputError(f"{path.name} cannot be read: {first_line(error)}") from error
        careful = True


def _columns(opened: Opened, layout: _Layout, connection: Any, *, working: str) -> _Columns:
    """Read keys, coordinates in the working system, and months of termination."""
    if layout.coordinates == "geometry":
        x, y = GEOMETRY_X, GEOMETRY_Y
    else:
        pair = ("easting", "northing") if layout.coordinates == "xy" else ("lon", "lat")
        x, y = (f"TRY_CAST(trim(c{layout.at[role]}) AS DOUBLE)" for role in pair)
    ended = f"c{layout.at['terminated']}" if "terminated" in layout.at else "''"
    in_use = f"c{layout.at['in_use']}" if "in_use" in layout.at else "''"
    sql = (
        f"SELECT c{layout.at['postcode']} AS postcode, {x} AS x, {y} AS y, {ended} AS ended, {in_use} AS in_use "
        f"FROM {opened.scan}"
    )
    # DuckDB may hand over whole columns as several chunks: one table of five narrow columns is small beside the file.
    table = connection.sql(sql).to_arrow_table().combine_chunks()
    if layout.first:
        given = [layout.first[layout.at[role]].split(" (")[0] for role in _CODE_POINT]
        row = {"postcode": [given[0]], "x": [float(given[1])], "y": [float(given[2])], "ended": [""], "in_use": [""]}
        table = pa.concat_tables([pa.table(row, schema=table.schema), table]).combine_chunks()
    plain = _one(_plain(table["postcode"]))
    keys = _keys(plain)
    xy = np.column_stack([np.asarray(pc.fill_null(_one(table[axis]), np.nan), dtype=np.float64) for axis in "xy"])
    # ONSPD and NSPL have no coordinates for some postcodes, and write them as blanks, zeros, or a latitude of 99.
    nowhere = ~np.isfinite(xy).all(axis=1) | (xy == 0).all(axis=1)
    if layout.coordinates == "lonlat":
        nowhere |= np.abs(xy[:, 1]) >= _NO_LATITUDE
    # In ONSPD and NSPL postcodes of Northern Ireland have coordinates of the Irish Grid.
    irish = np.asarray(pc.starts_with(plain, "BT"), dtype=bool) & layout.irish
    out = np.full_like(xy, np.nan)
    for system, rows in ((layout.system, ~nowhere & ~irish), (_IRISH, ~nowhere & irish)):
        if rows.any():
            out[rows] = crs.project(xy[rows], source=system, working=working)
    out[~np.isfinite(out).all(axis=1)] = np.nan
    # A postcode that is not in use is terminated, at an unknown time where no month is given.
    unused = np.asarray(pc.is_in(pc.utf8_lower(_tidy(table["in_use"])), value_set=_NOT_IN_USE))
    months = _months(_one(table["ended"]))
    months = np.where(unused & (months == 0), np.int32(ENDED_ONCE), months)
    # To millimetres, as all other coordinates.
    return keys, np.round(out, 3), months


def _one(column: Any) -> Any:
    return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) and column.num_chunks else column


def _tidy(texts: Any) -> Any:
    return pc.utf8_trim_whitespace(pc.fill_null(pc.cast(_one(texts), pa.string()), ""))


def _months(texts: Any) -> NDArray[np.int32]:
    """Return the month of termination (yyyymm) of each text, 0 for none."""
    tidy = _tidy(texts)
    parts = pc.extract_regex(tidy, _YEAR_MONTH)
    year, month = (pc.fill_null(pc.struct_field(parts, name), "0") for name in "ym")
    dated = np.asarray(pc.cast(year, pa.int32())) * 100 + np.asarray(pc.cast(month, pa.int32()))
    live = np.asarray(pc.is_in(pc.utf8_lower(tidy), value_set=_NOT_ENDED))
    return np.where(live, 0, np.where(dated > 0, dated, ENDED_ONCE)).astype(np.int32)


# The profile of a column of postcodes.

_EXAMPLES = 10
_HELD = 1000
_FEWEST_UNKNOWN = 10
"""Fewer unknown postcodes are slips of the pen, not a lookup that lacks a part of the country."""


@dataclass(slots=True)
class PostcodeProfile:
    """What one file's column of postcodes holds, counted over all its rows.

    Attributes
    ----------
    rows
        Rows by `STATES`; `terminated`: found, but terminated; `needed`, `needed_found`: rows that have no other
        coordinates and a whole postcode, and those of them that were found; `used`: rows located by it;
        `terminated_before`: of these, terminated before the month of the incident.
    examples
        Texts with their rows, for `malformed`, `partial` and `unknown`.
    """

    rows: Counter[str] = field(default_factory=Counter)
    examples: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, texts: Sequence[str], states: NDArray[np.int8], rows: NDArray[np.int64]) -> None:
        """Count distinct texts with their states and numbers of rows."""
        for state, name in enumerate(STATES):
            self.rows[name] += int(rows[states == state].sum())
        for state in (_MALFORMED, _PARTIAL, UNKNOWN):
            held = self.examples.setdefault(STATES[state], Counter())
            for at in np.flatnonzero(states == state).tolist():
                if texts[at] in held or len(held) < _HELD:
                    held[texts[at]] += int(rows[at])


def postcode_texts(examples: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Return the most frequent texts of each state, the first ones in the alphabet where they are equally frequent."""
    return {
        state: dict(sorted(texts.items(), key=lambda t: (-t[1], t[0]))[:_EXAMPLES])
        for state, texts in sorted(examples.items())
        if texts
    }


def require_postcodes_found(
    rows: Mapping[str, int], examples: Mapping[str, Mapping[str, int]], *, settings: PostcodeFile, source: str
) -> str:
    """Refuse a lookup that lacks many of the postcodes that rows depend on; return a caution if it lacks some.

    Parameters
    ----------
    rows, examples
        The profile of a source (`PostcodeProfile`), added up over its files.
    settings
        With the least share that must be found.
    source
        Its name.

    Raises
    ------
    InputError
        With the numbers and the first postcodes that are not in the lookup.
    """
    needed, found = rows.get("needed", 0), rows.get("needed_found", 0)
    unknown = needed - found
    if not unknown:
        return ""
    shown = ", ".join(map(repr, list(postcode_texts(examples).get("unknown", {}))[:3]))
    share = 100.0 * found / needed
    said = (
        f"{unknown:,} of the {needed:,} rows of {source} that depend on their postcode have one that is not in the "
        f"lookup of geocode.postcodes, or has no coordinates there{f' (such as {shown})' if shown else ''}"
    )
    if unknown >= _FEWEST_UNKNOWN and share < settings.min_matched_pct:
        raise InputError(
            f"{said}: only {share:.1f} per cent are found, and geocode.postcodes.min_matched_pct asks for "
            f"{settings.min_matched_pct:g}. Use a lookup of a later edition, or one of the whole country, such as "
            "ONSPD. If you lower the limit, these rows count in the ward or borough that they name, or else in the "
            "region alone, and the counts of wards are too low"
        )
    return f"{said}: they count in the ward or borough that they name, or else in the region alone."
