"""What files hold, recognised from their names and values, each with its evidence: for `hotspots init --from`.

Nothing here decides anything for a run: what is recognised is written into a configuration, where a person reads it.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from pipeline.config import IncidentSource, Run
from pipeline.errors import HotspotsError, InputError
from pipeline.ingest.formats.files import (
    AreaRequest,
    Opening,
    Unreadable,
    read_layer,
    read_table,
    row_reader,
    unpacked,
)
from pipeline.ingest.incidents.columns import USUAL_NAMES, find_roles, layout_of
from pipeline.storage.duckdb import connect
from pipeline.storage.formats import format_of

__all__ = [
    "Guess",
    "SeenAreas",
    "SeenCounts",
    "SeenPeople",
    "SeenRows",
    "encoding_of",
    "system_of_points",
    "try_areas",
    "try_counts",
    "try_people",
    "try_rows_of",
]

_ROWS = 50_000
_FEW = 60  # texts of a category column
_MOST = 0.9
_ONS = re.compile(r"[EWSNKJ]\d{8}")
_HEAD_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Guess:
    """A setting, and why it is probably right."""

    value: Any
    why: str


# Text encodings.


def encoding_of(path: Path) -> Guess | None:
    """Return the encoding of a text file that is not UTF-8; None where nothing needs to be set."""
    kind = format_of(path)
    if kind is None or kind.name != "csv" or not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[:2] == b"\x1f\x8b":
        import gzip
        import zlib

        try:
            with gzip.open(path) as file:
                head = file.read(_HEAD_BYTES)
        except (OSError, EOFError, zlib.error):
            return None
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Guess("utf-16", "the file begins with the mark of UTF-16")
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.end >= len(head) - 3:  # a character was cut in two where reading stopped
            return None
        return Guess("cp1252", f"not UTF-8: byte 0x{head[error.start]:02x} at position {error.start:,}")
    return None


# Areas.


@dataclass(frozen=True, slots=True)
class SeenAreas:
    """A boundary file."""

    path: Path
    count: int
    code: Guess
    name: Guess | None
    parent_code: Guess | None
    parent_name: Guess | None
    vintage: Guess | None
    label: Guess | None
    parent_label: Guess | None
    crs: Guess | None
    system: Any
    shapes: Any
    codes: frozenset[str]
    names: frozenset[str]
    parents: frozenset[str]


def try_areas(path: Path, *, limits: Run) -> SeenAreas:
    """Recognise the columns of a boundary file.

    Raises
    ------
    InputError
        If it cannot be read, or no column identifies its areas.
    """
    layer = read_layer(path, AreaRequest("--areas", (), limits=limits))
    frame = layer.frame
    texts = {str(c): [_plain(v) for v in frame[c]] for c in frame.columns}
    unique = [c for c, v in texts.items() if all(v) and len(set(v)) == len(v)]
    if not unique:
        raise InputError(f"{path.name}: no column has a different value for every area, so none is a code of areas")
    rows = len(frame)
    coded = [c for c in unique if _share(texts[c], _ONS.fullmatch) > _MOST]
    # Codes of the Office for National Statistics are known by their form; others by the name of the column.
    code = (coded or sorted(unique, key=lambda c: (_is_number(texts[c]), not _named(c, _CODE), _named(c, _NAME))))[0]
    why = "codes of the form E05000001" if coded else "the name of the column"
    names = [c for c in texts if c != code and _named(c, _NAME) and not _is_number(texts[c])]
    # Of several columns of names, the own one has (nearly) as many texts as there are areas.
    names.sort(key=lambda c: (-len(set(texts[c])), not c.casefold().startswith(_stem(code)), _welsh(c)))
    name = next((c for c in names if len(set(texts[c])) > rows * 0.7), None)
    parent_code, parent_name = _parent(texts, code=code, name=name)
    crs, system = _system(layer, path)
    stem = f"{path.stem} {code}".casefold()
    year = re.search(r"(?<!\d)(20[012]\d)(?!\d)", path.stem) or re.search(
        r"(?<=[a-z])([012]\d)(?=cd|nm)", code.casefold()
    )
    vintage = year[1] if year and len(year[1]) == 4 else f"20{year[1]}" if year else None
    return SeenAreas(
        path=path,
        count=rows,
        code=Guess(code, f"{rows:,} different values; {why}"),
        name=None if name is None else Guess(name, f"names such as {texts[name][0]!r}"),
        parent_code=parent_code,
        parent_name=parent_name,
        vintage=None if vintage is None else Guess(vintage, "the name of the file or of the column"),
        label=_label(stem, texts[code]),
        parent_label=_label(parent_code.value.casefold(), texts[parent_code.value]) if parent_code else None,
        crs=crs,
        system=system,
        shapes=layer.shapes,
        codes=frozenset(texts[code]),
        names=frozenset(texts[name]) if name else frozenset(),
        parents=frozenset(texts[parent_code.value]) if parent_code else frozenset(),
    )


_CODE = re.compile(r"code|(^|[_\d])cd$|\d\dcd|gss|geoid|_id$|^id$|ref")
_NAME = re.compile(r"name|nm[a-z]?$|label|title|^ward$|^borough$|^district$")
_PARENT = re.compile(r"lad|lagss|lb_|borough|district|county|authority|parent|division|force|region")


def _parent(texts: Mapping[str, list[str]], *, code: str, name: str | None) -> tuple[Guess | None, Guess | None]:
    """Find the column of the larger area: fewer values than areas, each with one name."""
    rows = len(texts[code])
    few = [c for c, v in texts.items() if c not in {code, name} and all(v) and 1 < len(set(v)) <= 0.7 * rows]
    codes = [c for c in few if _share(texts[c], _ONS.fullmatch) > _MOST] or [
        c for c in few if _named(c, _PARENT) and (_named(c, _CODE) or not _named(c, _NAME))
    ]
    named = [c for c in few if c not in codes and not _is_number(texts[c]) and (_named(c, _NAME) or _named(c, _PARENT))]
    for at in codes:
        fits = [c for c in named if len(set(zip(texts[at], texts[c], strict=True))) == len(set(texts[at]))]
        of = f"{len(set(texts[at])):,} values for {rows:,} areas"
        return Guess(at, of), Guess(fits[0], f"one for each value of {at}") if fits else None
    at_name = next((c for c in named if _named(c, _PARENT)), None)
    if at_name is not None:
        return None, Guess(at_name, f"{len(set(texts[at_name])):,} values for {rows:,} areas; no column of codes")
    return None, None


def _system(layer: Any, path: Path) -> tuple[Guess | None, Any]:
    """Return the coordinate system, with a guess where the file does not state one."""
    import pyproj
    import shapely

    west, south, east, north = shapely.total_bounds(layer.shapes)
    degrees = west >= -180 and east <= 180 and south >= -90 and north <= 90
    stated = None if layer.system is None else pyproj.CRS.from_user_input(layer.system)
    if stated is not None and (stated.is_geographic or not degrees):
        return None, stated
    if degrees:
        return Guess("EPSG:4326", "coordinates are within 180 and 90 degrees"), pyproj.CRS.from_epsg(4326)
    if west >= 0 and east <= 700_000 and south >= 0 and north <= 1_300_000:
        return Guess("EPSG:27700", f"{path.name} states no system; the coordinates fit the British National Grid"), (
            pyproj.CRS.from_epsg(27700)
        )
    raise InputError(f"{path.name} states no coordinate system, and its coordinates fit none that is common: give .prj")


_LABELS = (("ward", "ward"), ("lsoa", "LSOA"), ("msoa", "MSOA"), ("borough", "borough"), ("district", "district"))


def _label(stem: str, codes: Sequence[str]) -> Guess | None:
    kinds = {"E05": "ward", "W05": "ward", "S13": "ward", "E09": "borough", "E07": "district", "E06": "district",
             "E08": "district", "E01": "LSOA", "E02": "MSOA"}  # fmt: skip
    begins = {c[:3] for c in codes}
    found = {kinds[b] for b in begins if b in kinds}
    if len(found) == 1 and begins <= set(kinds):
        return Guess(found.pop(), f"codes begin with {min(begins)}")
    return next((Guess(label, "the name of the file or column") for text, label in _LABELS if text in stem), None)


# Residents.


@dataclass(frozen=True, slots=True)
class SeenPeople:
    """A table of residents."""

    code: Guess
    value: Guess
    year: Guess | None
    encoding: Guess | None
    others: int


_PEOPLE = re.compile(r"pop|resid|people|person|all ages|age: total|usual|inhabit", re.IGNORECASE)
_NOT_PEOPLE = re.compile(r"densit|%|per |aged|share|house|change|female|male\b", re.IGNORECASE)


def try_people(path: Path, *, codes: frozenset[str], limits: Run) -> SeenPeople:
    """Recognise the columns of a table of residents.

    Raises
    ------
    InputError
        If no column has the codes of the areas, or none looks like a number of people.
    """
    encoding = encoding_of(path)
    frame = read_table(path, encoding=encoding.value if encoding else "utf-8", limits=limits)
    texts = {str(c): [_plain(v) for v in frame[c]] for c in frame.columns}
    matched = {c: len(codes.intersection(v)) for c, v in texts.items()}
    code = max(matched, key=lambda c: matched[c])
    if matched[code] < len(codes) / 2:
        raise InputError(
            f"{path.name}: no column has the codes of the areas ({code!r} has {matched[code]:,} of {len(codes):,}): "
            "give residents of the same edition of the areas"
        )
    rows = [i for i, v in enumerate(texts[code]) if v in codes]
    numbers = [
        c for c, v in texts.items() if c != code and sum(_number(v[i]) is not None for i in rows) > _MOST * len(rows)
    ]
    people = [c for c in numbers if _PEOPLE.search(c) and not _NOT_PEOPLE.search(c)]
    whole = [c for c in people or numbers if all((n := _number(texts[c][i])) is None or n == int(n) for i in rows)]
    if not whole or (not people and len(whole) > 1):
        raise InputError(f"{path.name}: no column is recognisable as a number of people: name it in the configuration")
    # The latest year, where there is one for each.
    value = max(whole, key=lambda c: int(y[0]) if (y := re.findall(r"(?:19|20)\d\d", c)) else 0)
    year = re.search(r"(?:19|20)\d\d", value) or re.search(r"(?:19|20)\d\d", path.stem)
    return SeenPeople(
        Guess(code, f"{matched[code]:,} of {len(codes):,} codes of the areas"),
        Guess(value, "the name of the column" if people else "the only column of whole numbers"),
        None if year is None else Guess(int(year[0]), "the name of the column or file"),
        encoding,
        sum(bool(v) and v not in codes for v in texts[code]),
    )


# Rows: incidents, or counts published by area.


@dataclass(slots=True)
class SeenRows:
    """The first rows of a file of incidents or counts."""

    path: Path
    columns: tuple[str, ...]
    texts: dict[str, list[str]]
    encoding: Guess | None
    coordinates: str = ""
    geometry_crs: Any = None
    roles: dict[str, str] = field(default_factory=dict)
    guesses: dict[str, Guess] = field(default_factory=dict)

    def column(self, role: str) -> str | None:
        """Return the column of a role, recognised by its usual name or guessed."""
        return str(self.guesses[role].value) if role in self.guesses else self.roles.get(role)


def try_rows_of(path: Path, *, limits: Run) -> SeenRows:
    """Read the first rows of a file, and recognise the roles of its columns.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    encoding = encoding_of(path)
    source = IncidentSource(paths=(path.name,), encoding=encoding.value if encoding else "utf-8")
    with unpacked(path, limits=limits) as file, tempfile.TemporaryDirectory(prefix="hotspots-init-") as name:
        folder = Path(name)
        how = Opening(folder, limits, encoding=source.encoding, layout=layout_of(source))
        for careful in (False, True):
            opened = row_reader(file, stated="auto").open_rows(file, replace(how, careful=careful))
            connection = connect(memory_limit_mb=1000, folders=(file.parent, folder), spill=folder / "spill")
            try:
                table = connection.sql(f"SELECT * FROM {opened.first_rows(_ROWS).scan}").to_arrow_table()
                break
            except (duckdb.Error, Unreadable):
                if careful:
                    raise InputError(f"{path.name} cannot be read row by row: repair or export it again") from None
            finally:
                connection.close()
    texts = {n: [_plain(v) for v in table[f"c{i}"].to_pylist()] for i, n in enumerate(opened.columns)}
    seen = SeenRows(path, opened.columns, texts, encoding, geometry_crs=opened.crs)
    try:
        roles = find_roles(opened, source=source)
    except HotspotsError:
        _guess_date(seen)
        _guess_coordinates(seen)
        columns = {role: guess.value for role, guess in seen.guesses.items()}
        try:
            roles = find_roles(
                opened, source=source.model_copy(update={"columns": source.columns.model_copy(update=columns)})
            )
        except HotspotsError:
            return seen
    seen.roles = {role: opened.columns[at] for role, at in roles.at.items()}
    seen.coordinates = roles.coordinates
    if "category" not in seen.roles:
        _guess_category(seen)
    _guess_id(seen)
    return seen


def _guess_id(seen: SeenRows) -> None:
    """Prefer a column of ids that is filled in every row to one of a usual name that is not."""
    usual = seen.roles.get("id")
    if usual is None or _filled(seen.texts[usual]) == 1:
        return
    for name in USUAL_NAMES["id"]:
        column = next((c for c in seen.columns if c.casefold() == name), None)
        if column is not None and _filled(seen.texts[column]) == 1:
            why = f"filled in every row, which {usual!r} is not ({_filled(seen.texts[usual]):.0%})"
            seen.guesses["id"] = Guess(column, why)
            return


_DATE = re.compile(
    r"\d{4}-\d\d?(-\d\d?)?([T ].*)?|\d{1,2}[/.-]\d{1,2}[/.-](\d{4}|\d\d)( .*)?|(19|20)\d\d(0[1-9]|1[0-2])([0-3]\d)?"
    r"|.*\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b.*\d{2,4}.*",
    re.IGNORECASE,
)
_LATER = re.compile(r"upload|update|outcome|report|record|load|insert|clear|clos|enter|refresh", re.IGNORECASE)


def _guess_date(seen: SeenRows) -> None:
    """Find the column of dates by its values."""
    shares = {c: _share([v for v in texts if v], _DATE.fullmatch) for c, texts in seen.texts.items() if any(texts)}
    dates = [c for c, share in shares.items() if share > _MOST and _filled(seen.texts[c]) > 0.5]
    if dates:
        best = min(
            dates, key=lambda c: (bool(_LATER.search(c)), not re.search("date|month|day|epoch", c, re.IGNORECASE))
        )
        example = next(v for v in seen.texts[best] if v)
        seen.guesses["date"] = Guess(best, f"{shares[best]:.0%} of its values are dates such as {example!r}")


_PAIRS = (
    ("lon", re.compile(r"(^|[^a-z])(lon|lng|long|longitude)", re.IGNORECASE), 180.0),
    ("lat", re.compile(r"(^|[^a-z])(lat|latitude)", re.IGNORECASE), 90.0),
    ("x", re.compile(r"east|(^|_)x($|_)|point_?x|^x", re.IGNORECASE), np.inf),
    ("y", re.compile(r"north|(^|_)y($|_)|point_?y|^y", re.IGNORECASE), np.inf),
)


def _guess_coordinates(seen: SeenRows) -> None:
    """Find pairs of coordinates by their names and values."""
    found = {}
    for role, name, most in _PAIRS:
        for column, texts in seen.texts.items():
            numbers = [n for v in texts if (n := _number(v)) is not None]
            if name.search(column) and len(numbers) > 0.5 * len(texts) and all(abs(n) <= most for n in numbers):
                found[role] = Guess(column, "its name, and its values are numbers")
                break
    for pair in (("lon", "lat"), ("x", "y")):
        if all(role in found for role in pair):
            seen.guesses |= {role: found[role] for role in pair}
            return


_CATEGORY = re.compile(r"strand|bias|motivat|hate|crime|offen[cs]e|category|type|incident", re.IGNORECASE)


def _guess_category(seen: SeenRows) -> None:
    """Find the column of categories: few texts, and a name that says so."""
    for column, texts in seen.texts.items():
        distinct = {v for v in texts if v}
        if column in seen.roles.values() or not _CATEGORY.search(column) or not 2 <= len(distinct) <= _FEW:
            continue
        if len(texts) > 3 * len(distinct) and not _is_number(sorted(distinct)):
            seen.guesses["category"] = Guess(column, f"{len(distinct)} texts such as {min(distinct)!r}")
            return


def system_of_points(seen: SeenRows, areas: SeenAreas) -> Guess | None:
    """Return the coordinate system in which most easting/northing points lie in the areas; None if there is none.

    The systems that are used at the place are tried: that of the boundary file, the usual ones, then all others.
    """
    import pyproj
    import shapely

    columns = [seen.column("x"), seen.column("y")]
    if None in columns:
        return None
    pairs = [(_number(a), _number(b)) for a, b in zip(*(seen.texts[str(c)] for c in columns), strict=True)]
    points = np.array([(a, b) for a, b in pairs if a and b][:1000], dtype=float).reshape(-1, 2)
    if not len(points):
        return None
    union = shapely.box(*shapely.total_bounds(areas.shapes))
    degrees = pyproj.Transformer.from_crs(areas.system, 4326, always_xy=True)
    west, south, east, north = degrees.transform_bounds(*union.bounds)
    place = pyproj.aoi.AreaOfInterest(west, south, east, north)
    kinds = [pyproj.enums.PJType.PROJECTED_CRS]
    listed = pyproj.database.query_crs_info(auth_name="EPSG", pj_types=kinds, area_of_interest=place, contains=True)
    own = areas.system.to_epsg()
    first = [*([own] if own and areas.system.is_projected else []), 27700, 29902, 2157, 3857, 4326]
    best: tuple[int, int] | None = None
    for number in dict.fromkeys([*first, *(int(info.code) for info in listed if not info.deprecated)]):
        try:
            to = pyproj.Transformer.from_crs(number, areas.system, always_xy=True)
            x, y = to.transform(points[:, 0], points[:, 1])
        except pyproj.exceptions.ProjError:
            continue
        inside = int(shapely.contains_xy(union, x, y).sum())
        if best is None or inside > best[0]:
            best = (inside, number)
        if inside > _MOST * len(points):
            break
    if best is None or best[0] < len(points) / 2:
        return None
    return Guess(f"EPSG:{best[1]}", f"{best[0]:,} of {len(points):,} points tried lie within the bounds of the areas")


# Counts published by area.


@dataclass(frozen=True, slots=True)
class SeenCounts:
    """The columns of a table of counts."""

    columns: dict[str, Guess]
    levels: dict[str, str]
    measures: dict[str, str]
    period_format: Guess


_COUNT = re.compile(r"count|value|number|offences|incidents|total|crimes|^n$", re.IGNORECASE)
_FORMATS = ("%Y-%m-%d", "%Y-%m", "%Y%m", "%d/%m/%Y", "%b-%y", "%b %Y", "%B %Y", "%m/%Y", "%Y/%m", "%Y-%m-%d %H:%M:%S")


def try_counts(seen: SeenRows, areas: SeenAreas) -> SeenCounts | None:
    """Recognise a table of counts by area; None if the rows are incidents."""
    if seen.coordinates or seen.column("lon") or seen.column("x"):
        return None
    known = areas.codes | areas.parents
    columns: dict[str, Guess] = {}
    matched = {c: _share([v for v in texts if v], lambda v: v in known) for c, texts in seen.texts.items()}
    area = max(matched, key=lambda c: matched[c])
    period = next(iter(_periods(seen)), None)
    value = next(
        (
            c
            for c, texts in seen.texts.items()
            if _COUNT.search(c) and c != area and _is_number([v for v in texts if v])
        ),
        None,
    )
    if matched[area] < 0.5 or period is None or value is None:
        return None
    columns["area_code"] = Guess(area, f"{matched[area]:.0%} of its values are codes of the areas")
    columns["period"] = Guess(period[0], f"months such as {seen.texts[period[0]][0]!r}")
    columns["value"] = Guess(value, "its name, and its values are numbers")
    taken = {area, period[0], value}
    levels: dict[str, str] = {}
    measures: dict[str, str] = {}
    for column, texts in seen.texts.items():
        distinct = {v for v in texts if v}
        if column in taken or not 1 <= len(distinct) <= _FEW:
            continue
        of_level = _levels(texts, seen.texts[area], areas)
        if of_level and "level" not in columns and len(distinct) <= 4:
            columns["level"], levels = Guess(column, "codes of each text are of one level"), of_level
        elif re.search("measure|metric|statistic", column, re.IGNORECASE) and len(distinct) <= 6:
            columns["measure"] = Guess(column, f"{len(distinct)} texts such as {min(distinct)!r}")
            positive = re.compile("outcome|detect|solved|sanction|charge", re.IGNORECASE)
            measures = {v: "positive_outcomes" if positive.search(v) else "incidents" for v in sorted(distinct)}
        elif "category" not in columns and _CATEGORY.search(column) and len(distinct) > 1 and not _is_number(distinct):
            columns["category"] = Guess(column, f"{len(distinct)} texts such as {min(distinct)!r}")
    return SeenCounts(columns, levels, measures, Guess(period[1], f"all values of {period[0]} have this form"))


def _periods(seen: SeenRows) -> Iterator[tuple[str, str]]:
    """Yield columns of months and their form."""
    for column, texts in seen.texts.items():
        distinct = list(dict.fromkeys(v for v in texts if v))[:200]
        if not distinct or _LATER.search(column):
            continue
        for form in _FORMATS:
            try:
                for value in distinct:
                    datetime.strptime(value, form)  # noqa: DTZ007 - months have no zone
            except ValueError:
                continue
            yield column, form
            break


def _levels(texts: Sequence[str], codes: Sequence[str], areas: SeenAreas) -> dict[str, str]:
    """Return the level of each text of a column, if all known codes with it are of one level."""
    found: dict[str, set[str]] = {}
    for text, code in zip(texts, codes, strict=True):
        level = "ward" if code in areas.codes else "borough" if code in areas.parents else None
        if level and text:
            found.setdefault(text, set()).add(level)
    one = {text: next(iter(levels)) for text, levels in found.items() if len(levels) == 1}
    return one if one and len(one) == len(found) and len(set(one.values())) == len(one) else {}


# Small things.


def _plain(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    text = str(value).strip()
    return text[:-2] if re.fullmatch(r"\d+\.0", text) else text


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def _is_number(texts: Sequence[str] | set[str]) -> bool:
    return all(_number(t) is not None for t in texts if t)


def _share(texts: Sequence[str], test: Callable[[str], object]) -> float:
    return sum(bool(test(t)) for t in texts) / len(texts) if texts else 0.0


def _filled(texts: Sequence[str]) -> float:
    return _share(texts, bool)


def _named(column: str, pattern: re.Pattern[str]) -> bool:
    return pattern.search(column.casefold()) is not None


def _stem(code: str) -> str:
    """Return what a column of codes and its column of names share: `wd25` of WD25CD."""
    return re.sub(r"(code|cd|_)*$", "", code.casefold())


def _welsh(column: str) -> bool:
    return column.casefold().endswith("nmw")
