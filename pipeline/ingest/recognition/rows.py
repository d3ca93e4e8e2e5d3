"""The columns of a table of rows: date or interval, coordinates, category, id, postcode, codes of areas."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.config import IncidentSource, Run
from pipeline.errors import HotspotsError
from pipeline.ingest.formats.files import Opened, is_month_title
from pipeline.ingest.incidents.columns import USUAL_NAMES, find_roles
from pipeline.ingest.recognition.tables import Head, has_plain_header, header_of, read_head
from pipeline.ingest.recognition.texts import DATE, FEW, MOST, Guess, filled, is_number, number, share, words

__all__ = ["CATEGORY", "LATER", "SeenRows", "free_texts", "month_titles", "months_in", "try_rows_of"]

LATER = re.compile(r"upload|update|outcome|report|record|load|insert|clear|clos|enter|refresh", re.IGNORECASE)
CATEGORY = re.compile(r"strand|bias|motivat|hate|crime|offen[cs]e|category|type|incident", re.IGNORECASE)
_PLACED = ("grid_reference", "postcode", "ward", "borough", "lsoa", "msoa", "beat")


@dataclass(slots=True)
class SeenRows:
    """The first rows of a table, and what its columns are.

    Attributes
    ----------
    path
        The file.
    head
        The rows.
    coordinates
        `lonlat`, `xy`, `grid`, `geometry`, or empty.
    roles
        Columns by role that are recognised by their usual names.
    guesses
        Columns by role that are recognised by their values.
    chosen
        Key and name of the sheet or layer, with its evidence.
    notes
        What else should be known of the choice, as comments.
    """

    path: Path
    head: Head
    coordinates: str = ""
    roles: dict[str, str] = field(default_factory=dict)
    guesses: dict[str, Guess] = field(default_factory=dict)
    chosen: tuple[str, Guess] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns."""
        return self.head.opened.columns

    @property
    def texts(self) -> dict[str, list[str]]:
        """Texts by column."""
        return self.head.texts

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return len(next(iter(self.texts.values()), []))

    def column(self, role: str) -> str | None:
        """Return the column of a role, recognised by its usual name or guessed."""
        return str(self.guesses[role].value) if role in self.guesses else self.roles.get(role)

    @property
    def has_date(self) -> bool:
        """Whether there is a date, or an interval."""
        return self.column("date") is not None or self.column("from") is not None

    @property
    def has_place(self) -> bool:
        """Whether anything says where the rows are."""
        return bool(self.coordinates) or any(self.column(role) for role in _PLACED)


def try_rows_of(path: Path, *, limits: Run, chosen: tuple[str, str] | None = None) -> SeenRows:
    """Read the first rows of a table, and recognise the roles of its columns.

    Parameters
    ----------
    path
        The file.
    limits
        Limits on its size.
    chosen
        `sheet` or `layer`, and its name.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    head = read_head(path, limits=limits, chosen=chosen)
    if not has_plain_header(head.opened.columns) and (header := header_of(path, limits=limits, chosen=chosen)):
        head = read_head(path, limits=limits, chosen=chosen, header=header)
    seen = SeenRows(path, head)
    if _guess_interval(seen):
        roles = _roles(seen)
    else:
        roles = _roles(seen)
        if roles is None:
            _guess_date(seen)
            roles = _roles(seen)
    if roles is None or not roles.coordinates:
        _guess_coordinates(seen)
        roles = _roles(seen) or roles
    if roles is not None:
        seen.roles = {role: head.opened.columns[at] for role, at in roles.at.items()}
        seen.coordinates = roles.coordinates
    elif head.opened.has_geometry:
        seen.coordinates = "geometry"
    if "from" in seen.guesses:
        seen.roles = {role: c for role, c in seen.roles.items() if role not in {"from", "to", "date", "time"}}
    if "category" not in seen.roles:
        _guess_category(seen)
    _guess_id(seen)
    _guess_postcode(seen)
    return seen


def _roles(seen: SeenRows) -> Any:
    """Find the roles with what was guessed so far; None if there is no date."""
    columns = {role: guess.value for role, guess in seen.guesses.items()}
    source = IncidentSource.model_validate({"paths": (seen.path.name,), "columns": columns})
    opened: Opened = seen.head.opened
    try:
        return find_roles(opened, source=source)
    except HotspotsError:
        return None


# When.


def _guess_date(seen: SeenRows) -> None:
    """Find the column of dates by its values."""
    shares = {c: share([v for v in texts if v], DATE.fullmatch) for c, texts in seen.texts.items() if any(texts)}
    dates = [c for c, of in shares.items() if of > MOST and filled(seen.texts[c]) > 0.5]
    if dates:
        best = min(
            dates, key=lambda c: (bool(LATER.search(c)), not re.search("date|month|day|epoch", c, re.IGNORECASE))
        )
        example = next(v for v in seen.texts[best] if v)
        seen.guesses["date"] = Guess(best, f"{shares[best]:.0%} of its values are dates such as {example!r}")


_ENDS = (
    ("from", "to"), ("start", "end"), ("started", "ended"), ("starting", "ending"), ("earliest", "latest"),
    ("first", "last"), ("begin", "end"), ("begins", "ends"), ("between", "and"), ("after", "before"),
    ("min", "max"), ("lower", "upper"),
)  # fmt: skip
_OF_INCIDENTS = frozenset({
    "date", "time", "datetime", "dt", "d", "t", "occurred", "occ", "occurrence", "offence", "offense", "committed",
    "comm", "crime", "incident", "event", "on", "at", "of", "the", "is", "and", "possible", "known", "seen",
})  # fmt: skip


def _guess_interval(seen: SeenRows) -> bool:
    """Find the columns of the earliest and latest time of an incident, by their names and the order of their values."""
    by_words = {frozenset(words(c)): c for c in reversed(seen.columns)}
    for one, two in _ENDS:
        for column in seen.columns:
            own = set(words(column))
            rest = own - {one}
            if one not in own or not rest <= _OF_INCIDENTS - {two}:
                continue
            other = by_words.get(frozenset(rest | {two}))
            if other is None or not all(_are_dates(seen.texts[c]) for c in (column, other)):
                continue
            ordered, different = _ordered(seen.texts[column], seen.texts[other])
            if ordered > MOST and different:
                seen.guesses["from"] = Guess(column, f"dates such as {next(v for v in seen.texts[column] if v)!r}")
                why = f"{ordered:.0%} of its values are not before {column!r}, and {different:.0%} are later"
                seen.guesses["to"] = Guess(other, why)
                return True
    return False


def _are_dates(texts: Sequence[str]) -> bool:
    values = [v for v in texts if v]
    return len(values) > 0.5 * len(texts) and share(values, DATE.fullmatch) > MOST


def _ordered(first: Sequence[str], last: Sequence[str]) -> tuple[float, float]:
    """Return the share of pairs that are in order, and that of pairs that differ, with the order of day that fits."""
    import warnings

    import pandas as pd

    best = (0.0, 0.0)
    for day_first in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ends = [
                pd.to_datetime(pd.Series(t), format="mixed", dayfirst=day_first, errors="coerce", utc=True)
                for t in (first, last)
            ]
        both = ends[0].notna() & ends[1].notna()
        if both.sum() > len(first) / 2:
            gap = (ends[1] - ends[0])[both]
            zero = pd.Timedelta(0)
            best = max(best, (float((gap >= zero).mean()), float((gap > zero).mean())))
    return best


_FORMATS = (
    "%Y-%m-%d", "%Y-%m", "%Y%m", "%d/%m/%Y", "%b-%y", "%b %y", "%b %Y", "%b-%Y", "%B %Y", "%B-%Y", "%m/%Y", "%m-%Y",
    "%Y/%m", "%Y_%m", "%Y %m", "%Y %b", "%Y-%b", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
)  # fmt: skip


def months_in(texts: Sequence[str]) -> str | None:
    """Return the form of months, if all texts have one.

    Examples
    --------
    >>> months_in(["Jan-24", "Feb-24"]), months_in(["202401"]), months_in(["Alder"])
    ('%b-%y', '%Y%m', None)
    """
    distinct = list(dict.fromkeys(t for t in texts if t))[:200]
    for form in _FORMATS if distinct else ():
        try:
            months = [datetime.strptime(t, form) for t in distinct]  # noqa: DTZ007 months have no zone
        except ValueError:
            continue
        if all(1900 <= m.year < 2100 for m in months):
            return form
    return None


# Where.

_PAIRS = (
    ("lon", re.compile(r"(^|[^a-z])(lon|lng|long|longitude)", re.IGNORECASE), 180.0),
    ("lat", re.compile(r"(^|[^a-z])(lat|latitude)", re.IGNORECASE), 90.0),
    ("x", re.compile(r"east|(^|_)x($|_)|point_?x|^x", re.IGNORECASE), float("inf")),
    ("y", re.compile(r"north|(^|_)y($|_)|point_?y|^y", re.IGNORECASE), float("inf")),
)


def _guess_coordinates(seen: SeenRows) -> None:
    """Find pairs of coordinates by their names and values."""
    found = {}
    for role, name, most in _PAIRS:
        for column, texts in seen.texts.items():
            numbers = [n for v in texts if (n := number(v)) is not None]
            if name.search(column) and len(numbers) > 0.5 * len(texts) and all(abs(n) <= most for n in numbers):
                found[role] = Guess(column, "its name, and its values are numbers")
                break
    for pair in (("lon", "lat"), ("x", "y")):
        if all(role in found for role in pair):
            seen.guesses |= {role: found[role] for role in pair}
            return
    _guess_unnamed_pair(seen)


def _guess_unnamed_pair(seen: SeenRows) -> None:
    """Find coordinates in a table without names: two columns side by side, eastings and northings or degrees."""
    if not seen.head.header or seen.head.header.value != "none":
        return
    for one, two in zip(seen.columns, seen.columns[1:], strict=False):
        pair = [[n for v in seen.texts[c] if (n := number(v)) is not None] for c in (one, two)]
        if any(len(numbers) < MOST * seen.rows for numbers in pair):
            continue
        metres = all(1000 < abs(n) < 1e7 for numbers in pair for n in numbers)
        decimals = all(share(seen.texts[c], lambda v: re.search(r"\.\d{3}", v)) > MOST for c in (one, two))
        degrees = decimals and all(abs(n) <= 180 for n in pair[0]) and all(abs(n) <= 90 for n in pair[1])
        for fits, roles, what in ((degrees, ("lon", "lat"), "degrees"), (metres, ("x", "y"), "metres")):
            if fits:
                why = f"{what} side by side with the other coordinate"
                seen.guesses |= {roles[0]: Guess(one, why), roles[1]: Guess(two, why)}
                return


_POSTCODE = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}", re.IGNORECASE)


def _guess_postcode(seen: SeenRows) -> None:
    """Find the column of postcodes by its values; those of a person are not those of the incident."""
    if seen.column("postcode"):
        return
    for column, texts in seen.texts.items():
        values = [v for v in texts if v]
        of_person = re.search(r"victim|suspect|offender|home|person|reporter|witness", column, re.IGNORECASE)
        if values and not of_person and len(values) > 0.2 * len(texts):
            of = share(values, _POSTCODE.fullmatch)
            if of > MOST:
                seen.guesses["postcode"] = Guess(column, f"{of:.0%} of its values are postcodes")
                return


# What.


def _guess_id(seen: SeenRows) -> None:
    """Prefer a column of ids that is filled in every row to one of a usual name that is not."""
    usual = seen.roles.get("id")
    if usual is None or filled(seen.texts[usual]) == 1:
        return
    for name in USUAL_NAMES["id"]:
        column = next((c for c in seen.columns if c.casefold() == name), None)
        if column is not None and filled(seen.texts[column]) == 1:
            why = f"filled in every row, which {usual!r} is not ({filled(seen.texts[usual]):.0%})"
            seen.guesses["id"] = Guess(column, why)
            return


def _guess_category(seen: SeenRows) -> None:
    """Find the column of categories: few texts, and a name that says so."""
    unnamed = seen.head.header is not None and seen.head.header.value == "none"
    for column, distinct in free_texts(seen):
        if (CATEGORY.search(column) or unnamed) and seen.rows > 3 * len(distinct):
            seen.guesses["category"] = Guess(column, f"{len(distinct)} texts such as {min(distinct)!r}")
            return


def free_texts(seen: SeenRows) -> Iterator[tuple[str, set[str]]]:
    """Yield columns without a role that hold a few texts, not numbers, with these texts."""
    taken = {*seen.roles.values(), *(str(g.value) for g in seen.guesses.values())}
    for column, texts in seen.texts.items():
        distinct = {v for v in texts if v}
        if column not in taken and 2 <= len(distinct) <= FEW and not is_number(distinct):
            yield column, distinct


def month_titles(columns: Mapping[str, object] | Sequence[str]) -> list[str]:
    """Return the columns whose names are months."""
    return [c for c in columns if is_month_title(c)]
