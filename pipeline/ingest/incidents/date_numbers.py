"""Dates as numbers: the day counts of spreadsheets, and seconds since 1970 or their fractions, as databases give them.

A column is read so only where nearly all of it is such a number of a plausible day; otherwise its rows are refused,
and the refusal says what the numbers look like.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from pipeline.ingest.formats.opened import Opened

__all__ = ["DateNumber", "as_date", "find_date_number"]

_CHARACTERS = frozenset("0123456789.,eE+")
_LEAST_SHARE = 0.99  # of the values: what goes against this many is a slip
_FIRST_EPOCH = date(1990, 1, 1)
"""Earlier seconds are as likely to be digits of something else: 202406301530 would be of 1976."""
_NUMBER = r"[0-9]+([.,][0-9]*)?([eE]\+?[0-9]+)?"


@dataclass(frozen=True, slots=True)
class DateNumber:
    """One way of counting time.

    Attributes
    ----------
    label
        In words, for the manifest.
    per_second
        How many make a second; 0 for days since 1899-12-30, the count of spreadsheets.
    """

    label: str
    per_second: int


_SERIAL = DateNumber("spreadsheet serial numbers, read as days since 1899-12-30", 0)
_KINDS = (
    _SERIAL,
    DateNumber("seconds since 1970 (UTC)", 1),
    DateNumber("milliseconds since 1970 (UTC)", 1_000),
    DateNumber("microseconds since 1970 (UTC)", 1_000_000),
    DateNumber("nanoseconds since 1970 (UTC)", 1_000_000_000),
)
_LEAST_SERIAL, _MOST_SERIAL = 20_000, 60_000  # 1954 to 2064
_DAY_ZERO = date(1899, 12, 30)


def _bounds(kind: DateNumber, last_date: str) -> tuple[int, int]:
    """Return the least and the greatest plausible number: up to the day after which dates lie in the future."""
    last = date.fromisoformat(last_date)
    if kind is _SERIAL:
        return _LEAST_SERIAL, min(_MOST_SERIAL, (last - _DAY_ZERO).days + 1)
    first, end = (int(datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp()) for d in (_FIRST_EPOCH, last))
    return first * kind.per_second, (end + 86_400) * kind.per_second


def _fits(text: str, kind: DateNumber, last_date: str) -> str:
    """Return the SQL of whether a text is a number of a kind."""
    low, high = _bounds(kind, last_date)
    number = f"TRY_CAST(replace({text}, ',', '.') AS DOUBLE)"
    return f"(regexp_full_match({text}, '{_NUMBER}') AND {number} >= {int(low)} AND {number} < {int(high)})"


def as_date(text: str, kind: DateNumber, last_date: str) -> str:
    """Return the SQL of a text as people write a date with its time; what is no number of the kind stays as it is.

    Seconds since 1970 become a time in UTC with its Z, so that they are moved to local time as any other such time.
    """
    number = f"CAST(replace({text}, ',', '.') AS DOUBLE)"
    if kind is _SERIAL:
        micros = f"(CAST(round({number} * 86400) AS BIGINT) - 2209161600) * 1000000"
        form = "%Y-%m-%d %H:%M:%S"
    else:
        micros = f"CAST(floor({number} / {int(kind.per_second)}) AS BIGINT) * 1000000"
        form = "%Y-%m-%dT%H:%M:%SZ"
    made = f"strftime(make_timestamp({micros}), '{form}')"
    return f"CASE WHEN {_fits(text, kind, last_date)} THEN {made} ELSE {text} END"


def find_date_number(opened: Opened, text: str, *, last_date: str, connection: Any) -> DateNumber | None:
    """Find the way of counting in which nearly all dates of a column are plausible days.

    Parameters
    ----------
    opened
        The file.
    text
        SQL of the cell.
    last_date
        ISO date after which dates lie in the future.
    connection
        Database that may read the file.

    Returns
    -------
    number
        None where the column holds dates of another form, as its first rows mostly show.
    """
    first = [t for t in opened.first(connection, text) if t]
    numbers = sum(t[:1].isdigit() and set(t) <= _CHARACTERS for t in first)
    if not first or numbers < _LEAST_SHARE * len(first):
        return None
    counts = ", ".join(f"count(*) FILTER (WHERE {_fits(text, kind, last_date)})" for kind in _KINDS)
    sql = f"SELECT count(*) FILTER (WHERE {text} <> ''), {counts} FROM {opened.scan}"
    given, *fit = connection.sql(sql).fetchall()[0]
    return next((kind for kind, rows in zip(_KINDS, fit, strict=True) if given and rows >= _LEAST_SHARE * given), None)
