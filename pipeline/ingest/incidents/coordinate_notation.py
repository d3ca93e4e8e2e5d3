"""Notations of coordinates: numbers, degrees and grid references as written by people and programs.

The notation is determined once for a whole file. Most files contain plain numbers, which the database reads; the first
rows show whether a file does. If they or a later row show another notation, the whole columns are examined: `528,240`
is 528240 or 528.24, and a single unambiguous value, or the resulting locations, decides for all. If it remains
ambiguous, the run asks for a setting and never guesses.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import IncidentSource
from pipeline.errors import InputError
from pipeline.ingest.formats.files import Opened
from pipeline.ingest.incidents.columns import Roles, cell_text
from pipeline.ingest.incidents.dates import DECISIVE_SHARE, Unsettled
from pipeline.storage.duckdb import literal

__all__ = ["GRID_CRS", "WAYS", "Coordinates", "Way", "plan_coordinates", "ways"]

GRID_CRS = "EPSG:27700"
Numbers = NDArray[np.float64]
Near = Callable[[Numbers], NDArray[np.bool_]]
"""Returns whether points, as given in the file, are near the areas."""

_SAMPLE = 1000
_NEAR_SHARE, _STRAY_SHARE = (
    0.5,
    0.01,
)  # shares near the areas: a reading with the first is accepted if all others have at most the second
_AXES = ("x", "y")


# Ways of writing a number, each a pattern of its form (a digit is a 9) and a function of an array of texts.


@dataclass(frozen=True, slots=True)
class Way:
    """One notation of a coordinate.

    Attributes
    ----------
    label
        Description, for the manifest.
    forms
        Pattern of the forms (see `forms_of`) of the first and of the second coordinate.
    thousands, decimal
        Thousands and decimal separators; both empty if it is not a plain number.
    """

    label: str
    forms: tuple[re.Pattern[str], re.Pattern[str]]
    thousands: str = ""
    decimal: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether it is the usual notation of programs."""
        return (self.thousands, self.decimal) == ("", ".")

    def fits(self, form: str, axis: int) -> bool:
        """Whether a form has this notation."""
        return self.forms[axis].fullmatch(form) is not None

    def read(self, texts: Any) -> Any:
        """Parse an array of texts; null for texts in another notation."""
        if not self.decimal:
            return _degrees(_tidy(texts))
        tidy = _tidy(texts)
        plain = pc.replace_substring_regex(tidy, r" ?m?\.? ?[ENen]?$", "") if not self.is_plain else tidy
        if self.thousands:
            plain = pc.replace_substring(plain, self.thousands, "")
        if self.decimal != ".":
            plain = pc.replace_substring(plain, self.decimal, ".")
        sound = pc.match_substring_regex(plain, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
        return pc.cast(pc.replace_substring_regex(pc.if_else(sound, plain, None), r"^\+", ""), pa.float64())


def _number_way(thousands: str, decimal: str, label: str) -> Way:
    mark, point = re.escape(thousands), re.escape(decimal)
    whole = rf"(?:9{{1,3}}(?:{mark}999)+|9+)" if thousands else "9+"
    number = rf"[+-]?(?:{whole}(?:{point}9*)?|{point}9+)(?:E[+-]?9+)?"
    # `528240 m` and `528240mE` are metres with a unit; plain numbers have no unit.
    units = ("", "") if (thousands, decimal) == ("", ".") else (r"(?: ?M\.?)?(?: ?E)?", r"(?: ?M\.?)?(?: ?N)?")
    first, second = (re.compile(number + unit) for unit in units)
    return Way(label, (first, second), thousands, decimal)


_D, _M = r"9{1,3}", r"9{1,2}"
_PART = r"(?:[.,]9*)?"
_SEP_D, _SEP_M = r"(?: ?[°D:-] ?| )", r"(?: ?['M:-] ?| )"
_ANGLE = rf"{_D}{_PART}(?: ?°)?|{_D}{_SEP_D}{_M}{_PART}(?: ?['M])?|{_D}{_SEP_D}{_M}{_SEP_M}{_M}{_PART}(?: ?[\"S])?"


def _degree_way(letters: tuple[str, str], label: str) -> Way:
    def form(letter: str) -> re.Pattern[str]:
        if not letter:
            return re.compile(rf"[+-]?(?:{_ANGLE})")
        return re.compile(rf"[{letter}] ?(?:{_ANGLE})|(?:{_ANGLE}) ?[{letter}]")

    return Way(label, (form(letters[0]), form(letters[1])))


# In order of preference, if several give the same numbers.
WAYS = (
    _number_way("", ".", "plain numbers"),
    _number_way(",", ".", "a comma between thousands"),
    _number_way(" ", ".", "a space between thousands"),
    _number_way("'", ".", "an apostrophe between thousands"),
    _number_way("", ",", "a comma before decimals"),
    _number_way(".", ",", "a point between thousands and a comma before decimals"),
    _number_way(" ", ",", "a space between thousands and a comma before decimals"),
    _number_way("'", ",", "an apostrophe between thousands and a comma before decimals"),
    _degree_way(("EW", "NS"), "degrees with compass letters"),
    _degree_way(("", ""), "degrees with signs"),
)
PLAIN = WAYS[0]
_EXCHANGED = _degree_way(("NS", "EW"), "latitude and longitude exchanged")


def ways(source: IncidentSource, *, geographic: bool) -> tuple[Way, ...]:
    """Return the possible notations: those that the settings allow; degrees only in a geographic system."""
    found = [w for w in WAYS if w.decimal or geographic]
    if source.thousands is not None:
        found = [w for w in found if not w.decimal or w.thousands == _plain_mark(source.thousands)]
    if source.decimal is not None:
        found = [w for w in found if not w.decimal or w.decimal == source.decimal]
    return tuple(found)


def _plain_mark(text: str) -> str:
    return str(_tidy(pa.array([f"9{text}9"]))[0])[1:-1] or " " if text else ""


# Normalisation of characters with several forms: spaces, apostrophes, minus signs, degree signs.
_SPELLINGS = (
    ("[\\s\u00a0\u2007\u2008\u2009\u202f\ufeff]+", " "),
    ("\u2212|\u2013", "-"),
    ("[\u2018\u2019\u00b4`\u02bc\u2032]", "'"),
    ("[\u201c\u201d\u2033]|''", '"'),
    ("[\u00ba\u02da\u1d52]", "°"),
    ("(?i)(?:deg|degs|degrees?)\\b", "°"),
    ("(?i)(n|s|e|w)(?:orth|outh|ast|est)\\b", "\\1"),
)


def _tidy(texts: Any) -> Any:
    whole = pc.fill_null(texts, "")
    for pattern, to in _SPELLINGS:
        whole = pc.replace_substring_regex(whole, pattern, to)
    return pc.utf8_trim(whole, characters=" ")


def forms_of(texts: Sequence[str]) -> list[str]:
    """Return the forms of texts: normalised signs, every digit replaced by 9, letters in upper case."""
    made: list[str] = pc.replace_substring_regex(_tidy(pa.array(texts, pa.string())), "[0-9]", "9").to_pylist()
    return [form.upper() for form in made]


_ANGLE_PARTS = (
    r"^(?P<a>[NSEWnsew]?) ?(?P<sign>[+-]?)(?P<d>\d{1,3}(?:[.,]\d*)?)"
    r"(?:(?: ?[°dD:-] ?| )(?P<m>\d{1,2}(?:[.,]\d*)?)"
    r"(?:(?: ?['mM:-] ?| )(?P<s>\d{1,2}(?:[.,]\d*)?) ?[\"sS]?| ?['mM])?| ?°)?"
    r" ?(?P<b>[NSEWnsew]?)$"
)


def _degrees(tidy: Any) -> Any:
    """Parse degrees, minutes and seconds: west and south are negative, by letter or sign, not both."""
    parts = pc.extract_regex(tidy, _ANGLE_PARTS)
    sound = np.asarray(pc.is_valid(parts))

    def texts(name: str) -> Any:
        return pc.fill_null(pc.struct_field(parts, name), "")

    def numbers(name: str) -> Numbers:
        plain = pc.replace_substring(texts(name), ",", ".")
        return np.asarray(pc.cast(pc.if_else(pc.equal(plain, ""), "0", plain), pa.float64()), dtype=np.float64)

    degrees, minutes, seconds = numbers("d"), numbers("m"), numbers("s")
    before, after, sign = (np.asarray(pc.utf8_upper(texts(n)).to_pylist(), dtype=object) for n in ("a", "b", "sign"))
    letter = np.where(before == "", after, before)
    # All parts but the last are whole numbers; there is one letter, and then no sign.
    sound &= (minutes < 60) & (seconds < 60) & ((before == "") | (after == "")) & ((letter == "") | (sign == ""))
    given = np.asarray(pc.not_equal(texts("m"), "")), np.asarray(pc.not_equal(texts("s"), ""))
    sound &= ~given[0] | (degrees == np.floor(degrees))
    sound &= ~given[1] | (minutes == np.floor(minutes))
    value = degrees + minutes / 60 + seconds / 3600
    value = np.where((letter == "S") | (letter == "W") | (sign == "-"), -value, value)
    return pa.array(np.where(sound, value, 0.0), mask=~sound)


# References to the National Grid of Great Britain: two letters for the square of 100 km, then figures within it.

_GRID_LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"
_GRID_PARTS = (
    r"^(?P<square>[A-Z]{2}) ?(?:(?P<e1>\d) ?(?P<n1>\d)|(?P<e2>\d{2})[ ,]*(?P<n2>\d{2})|(?P<e3>\d{3})[ ,]*(?P<n3>\d{3})"
    r"|(?P<e4>\d{4})[ ,]*(?P<n4>\d{4})|(?P<e5>\d{5})[ ,]*(?P<n5>\d{5}))$"
)
_GRID_FIGURES = (1, 2, 3, 4, 5)


@lru_cache(maxsize=1024)
def _square(letters: str) -> tuple[float, float]:
    """Return easting and northing of a square's south-west corner in metres; NaN if there is no such square."""
    first, second = (_GRID_LETTERS.find(c) for c in letters)
    if min(first, second) < 0:
        return np.nan, np.nan
    east = (first - 2) % 5 * 5 + second % 5
    north = 19 - first // 5 * 5 - second // 5
    # The system covers 700 by 1,300 km; other letters are outside it.
    return (east * 1e5, north * 1e5) if east < 7 and 0 <= north < 13 else (np.nan, np.nan)


def grid_points(texts: Any) -> tuple[Any, Any, NDArray[np.int8]]:
    """Parse references to the National Grid.

    Returns
    -------
    easting_m, northing_m, figures
        Null if a text is not a reference of 2 to 10 figures; the number of figures of each, 0 for other texts. A
        reference to a metre is that point; a coarser one is a square, whose centre is used.
    """
    parts = pc.extract_regex(pc.utf8_upper(_tidy(texts)), _GRID_PARTS)
    squares = pc.fill_null(pc.struct_field(parts, "square"), "").dictionary_encode()
    corners = np.array([_square(s) if s else (np.nan, np.nan) for s in squares.dictionary.to_pylist()]).reshape(-1, 2)
    points = corners[np.asarray(squares.indices)] if len(corners) else np.full((len(parts), 2), np.nan)
    figures = np.zeros(len(parts), dtype=np.int8)
    inside = np.full((len(parts), 2), np.nan)
    for count in _GRID_FIGURES:
        side = 10.0 ** (5 - count)
        east, north = (pc.fill_null(pc.struct_field(parts, f"{axis}{count}"), "") for axis in "en")
        has = np.asarray(pc.not_equal(east, ""))
        if not has.any():
            continue
        figures[has] = 2 * count
        middle = side / 2 if side > 1 else 0.0
        for axis, digits in enumerate((east, north)):
            values = pc.cast(pc.if_else(pc.equal(digits, ""), "0", digits), pa.float64())
            inside[has, axis] = np.asarray(values)[has] * side + middle
    points = points + inside
    lost = np.isnan(points).any(axis=1)
    figures[lost] = 0
    east, north = (pa.array(np.where(lost, 0.0, points[:, axis]), mask=lost) for axis in (0, 1))
    return east, north, figures


# Scientific notation: 5.28E+05 is how a spreadsheet displays a number, and has lost its last digits.

_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,](?P<decimals>\d*))?[eE][+]?(?P<power>\d{1,2})")
_LOSSY_M, _LOSSY_DEGREES = 10.0, 1e-4


def lost_to(text: str) -> float:
    """Return the step to which a text in scientific notation is rounded; 0 for any other text."""
    match = _SCIENTIFIC.fullmatch(text.strip())
    return 10.0 ** (int(match["power"]) - len(match["decimals"] or "")) if match else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class ReadCoordinates:
    """The coordinates of a batch.

    Attributes
    ----------
    numbers
        For each coordinate: Arrow numbers, null if a cell is blank or unreadable.
    blank
        For each coordinate: which cells are blank.
    figures
        Number of figures of each grid reference, 0 for none; None if the coordinates are not grid references.
    """

    numbers: tuple[Any, Any]
    blank: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    figures: NDArray[np.int8] | None = None


@dataclass(slots=True)
class Coordinates:
    """Parser of the two coordinate columns of a file.

    Attributes
    ----------
    columns
        Positions of the two columns; twice the same for a column of grid references.
    names
        Their names.
    way
        Notation of the numbers; None for grid references.
    open_ways
        Notations that later rows may still have, if only the first rows were examined.
    missing
        Texts for a missing value.
    rounded
        A text in scientific notation and the step to which it is rounded, if most values are; None otherwise.
    """

    columns: tuple[int, int]
    names: tuple[str, str]
    way: Way | None
    open_ways: tuple[Way, ...]
    missing: frozenset[str]
    note: str = ""
    rounded: tuple[str, float] | None = None
    figures: Counter[int] = field(default_factory=Counter)

    def extra(self) -> dict[str, str]:
        """Additional columns that the scan must provide."""
        out = {}
        for axis, column in zip(_AXES, self.columns, strict=True):
            text = cell_text(column, self.missing)
            out[f"at_{axis}_blank"] = f"coalesce({text}, '') = ''"
            if self.way is not None and self.way.is_plain:
                # The database reads 530_500 as a number; in an extract it is a mistake.
                out[f"at_{axis}"] = f"CASE WHEN contains({text}, '_') THEN NULL ELSE TRY_CAST({text} AS DOUBLE) END"
            else:
                out[f"at_{axis}_text"] = text
        return out

    def read(self, table: Any) -> "ReadCoordinates":
        """Parse a batch.

        Raises
        ------
        Unsettled
            If a cell has a notation that the first rows did not have.
        """
        blank = np.asarray(table["at_x_blank"]), np.asarray(table["at_y_blank"])
        if self.way is None:
            east, north, figures = grid_points(_one(table["at_x_text"]))
            counts = np.bincount(figures)
            self.figures.update({at: int(n) for at, n in enumerate(counts) if at and n})
            return ReadCoordinates((east, north), blank, figures)
        if not self.way.is_plain:
            numbers = self.way.read(_one(table["at_x_text"])), self.way.read(_one(table["at_y_text"]))
            return ReadCoordinates(numbers, blank)
        numbers = _one(table["at_x"]), _one(table["at_y"])
        if self.open_ways:
            self._require_announced(table, numbers, blank)
        return ReadCoordinates(numbers, blank)

    def _require_announced(self, table: Any, numbers: Sequence[Any], blank: Sequence[NDArray[np.bool_]]) -> None:
        for axis, column in enumerate(self.columns):
            lost = np.flatnonzero(np.asarray(pc.is_null(numbers[axis])) & ~blank[axis])
            if len(lost):
                texts = table[f"c{column}"].take(pa.array(lost[:_SAMPLE])).to_pylist()
                forms = set(forms_of([t for t in texts if t]))
                if any(way.fits(form, axis) for way in self.open_ways for form in forms):
                    raise Unsettled


def _one(column: Any) -> Any:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], column.type)
    return whole


# Determining the notation of a file.


def plan_coordinates(
    opened: Opened,
    *,
    roles: Roles,
    source: IncidentSource,
    key: str,
    geographic: bool,
    near: Near,
    connection: Any,
    whole: bool,
) -> Coordinates:
    """Determine the notation of a file's coordinates.

    Parameters
    ----------
    opened, roles, source
        The file, its columns and its settings.
    key
        Position of the source in the configuration, for messages: `incidents[0]`.
    geographic
        Whether the coordinate system is in degrees.
    near
        Returns whether points are near the areas, which decides between `528,240` as 528240 and as 528.24.
    connection
        Database with access to the file.
    whole
        Examine every row, not only the first ones.

    Raises
    ------
    InputError
        If the values are ambiguous, or latitude and longitude are swapped.
    """
    pair = {"lonlat": ("lon", "lat"), "xy": ("x", "y"), "grid": ("grid_reference", "grid_reference")}[roles.coordinates]
    if roles.coordinates == "grid" and "grid_reference" not in roles.at:
        pair = ("x", "y")
    columns = roles.at[pair[0]], roles.at[pair[1]]
    names = opened.columns[columns[0]], opened.columns[columns[1]]
    cells = [cell_text(c, roles.missing) for c in columns]
    if roles.coordinates == "grid":
        return Coordinates(columns, names, None, (), roles.missing, "OS grid references")
    found = Coordinates(columns, names, PLAIN, (), roles.missing)
    may = ways(source, geographic=geographic)
    first = _rows(opened, connection, cells)
    found.rounded = _rounded(first, geographic=geographic)
    forms = [Counter(forms_of([row[axis] for row in first if row[axis]])) for axis in (0, 1)]
    others = (*(w for w in may if w is not PLAIN), *((_EXCHANGED,) if geographic else ()))
    if not whole and PLAIN in may and _only_plain(forms, others):
        # Only plain numbers so far: reading stops if a later row has another notation, and starts again.
        found.open_ways = others
        return found
    forms = [_forms(opened, connection, cell) for cell in cells]
    _require_order(forms, names, geographic=geographic, key=key)
    sample = _rows(opened, connection, cells, telling=True)
    prefers_comma = opened.facts.get("delimiter") == "semicolon"
    way, why = _choose(may, forms, sample, near=near, prefers_comma=prefers_comma, what=(opened.name, names, key))
    found.way = way
    found.note = way.label + why if not way.is_plain or why else ""
    return found


def _rows(opened: Opened, connection: Any, cells: Sequence[str], *, telling: bool = False) -> list[tuple[str, str]]:
    """Return both texts of the first rows, on request only of rows with characters that show the notation."""
    both = f"SELECT coalesce({cells[0]}, ''), coalesce({cells[1]}, '') FROM {opened.scan}"
    for beyond in ("[^0-9.eE+-]", "[^0-9+-]") if telling else ():
        met = " OR ".join(f"regexp_matches({cell}, {literal(beyond)})" for cell in cells)
        if rows := connection.sql(f"{both} WHERE {met} LIMIT {_SAMPLE}").fetchall():
            return [(str(x), str(y)) for x, y in rows]
    return [(str(x), str(y)) for x, y in connection.sql(f"{both} LIMIT {_SAMPLE}").fetchall()]


def _forms(opened: Opened, connection: Any, cell: str) -> Counter[str]:
    """Count rows by form over a whole column; digits are replaced first, so that there are few distinct texts."""
    found: Counter[str] = Counter()
    distinct = opened.distinct(connection, f"regexp_replace({cell}, '[0-9]', '9', 'g')")
    for form, rows in zip(forms_of(list(distinct)), distinct.values(), strict=True):
        if form:
            found[form] += rows
    return found


def _tells(form: str) -> bool:
    """Whether a form shows the notation: digits alone do not."""
    return re.fullmatch(r"[+-]?9+(?:E[+-]?9+)?", form) is None


def _only_plain(forms: Sequence[Mapping[str, int]], others: Sequence[Way]) -> bool:
    """Whether all forms are plain numbers, and no other notation reads them differently."""
    odd = [(f, axis) for axis in (0, 1) for f in forms[axis] if not PLAIN.fits(f, axis)]
    if odd:
        return not any(w.fits(f, axis) for w in others for f, axis in odd)
    # `528.240` may also be 528240: only the point as thousands separator reads plain numbers differently.
    telling = [(f, axis) for axis in (0, 1) for f in forms[axis] if _tells(f)]
    pointed = [w for w in others if w.thousands == PLAIN.decimal]
    return not telling or not any(all(w.fits(f, axis) for f, axis in telling) for w in pointed)


def _choose(
    may: Sequence[Way],
    forms: Sequence[Mapping[str, int]],
    sample: Sequence[tuple[str, str]],
    *,
    near: Near,
    prefers_comma: bool,
    what: tuple[str, tuple[str, str], str],
) -> tuple[Way, str]:
    """Choose the notation that fits the columns, and give the reason if it was not the only one."""
    fits = {
        w: sum(rows for axis in (0, 1) for form, rows in forms[axis].items() if _tells(form) and w.fits(form, axis))
        for w in may
    }
    most = max(fits.values(), default=0)
    if not most:
        return (PLAIN if PLAIN in may else may[0]), ""
    # A value that contradicts almost all others is a mistake: its row is refused.
    left = [w for w in may if fits[w] >= DECISIVE_SHARE * most]
    texts = [pa.array([row[axis] for row in sample], pa.string()) for axis in (0, 1)]
    read = {w: np.column_stack([np.asarray(pc.fill_null(w.read(t), np.nan)) for t in texts]) for w in left}
    readings: list[Way] = []  # of notations with the same result, the one that fits most values
    for way in sorted(left, key=lambda w: -fits[w]):
        if not any(np.array_equal(read[way], read[other], equal_nan=True) for other in readings):
            readings.append(way)
    if len(readings) == 1:
        return readings[0], ""
    shares = {w: float(near(read[w]).mean()) if len(sample) else 0.0 for w in readings}
    ordered = sorted(readings, key=lambda w: -shares[w])
    if shares[ordered[0]] >= _NEAR_SHARE and shares[ordered[1]] <= _STRAY_SHARE:
        best = ordered[0]
        return best, "" if best.is_plain else " (read otherwise, the points would lie far from the areas)"
    best_fit = [w for w in readings if fits[w] == most]
    if len(best_fit) == 1:
        return best_fit[0], ""
    if PLAIN in best_fit:
        return PLAIN, ""
    commas = [w for w in best_fit if w.decimal == ","]
    if prefers_comma and len(commas) == 1:
        return commas[0], " (as files with semicolons write them)"
    raise _two_ways(best_fit, sample, what)


def _two_ways(
    found: Sequence[Way], sample: Sequence[tuple[str, str]], what: tuple[str, tuple[str, str], str]
) -> InputError:
    file, names, key = what
    text = next(
        (t for row in sample for t in row if sum(w.fits(form, 0) for form in forms_of([t]) for w in found) > 1),
        sample[0][0],
    )
    readings = " or ".join(f"{w.read(pa.array([text]))[0].as_py():.12g} ({w.label})" for w in found[:2])
    settings = " or ".join(
        f"{key}.thousands to {w.thousands!r}" if w.thousands else f"{key}.decimal to {w.decimal!r}" for w in found[:2]
    )
    return InputError(
        f"{file}: the coordinates in {names[0]!r} and {names[1]!r} are ambiguous: {text!r} is {readings}, "
        f"and the resulting locations do not decide between them. Set {settings}"
    )


def _require_order(forms: Sequence[Mapping[str, int]], names: tuple[str, str], *, geographic: bool, key: str) -> None:
    """Refuse a longitude column with the letters N and S and a latitude column with the letters E and W."""
    if not geographic:
        return
    rows = [sum(f.values()) for f in forms]
    turned = [sum(n for form, n in forms[axis].items() if _EXCHANGED.fits(form, axis)) for axis in (0, 1)]
    if all(rows) and all(turned[a] >= DECISIVE_SHARE * rows[a] for a in (0, 1)):
        raise InputError(
            f"longitude and latitude are exchanged: {names[0]!r} is read as the longitude, but its values carry N or "
            f"S, and {names[1]!r} as the latitude, but its values carry E or W. Exchange the two in {key}.columns"
        )


def _rounded(rows: Sequence[tuple[str, str]], *, geographic: bool) -> tuple[str, float] | None:
    """Return an example and its step if most coordinates are in scientific notation and have lost digits."""
    least = _LOSSY_DEGREES if geographic else _LOSSY_M
    for axis in (0, 1):
        texts = [row[axis] for row in rows if row[axis]]
        steps = {text: step for text in texts if (step := lost_to(text)) >= least}
        if texts and sum(text in steps for text in texts) > len(texts) / 2:
            text = next(t for t in texts if t in steps)
            return text, steps[text]
    return None
