"""When: the date and time columns of a file examined as a whole, then read a batch at a time.

A date such as 03/04/2025 means two days. The whole column is examined: one value that reads only one way settles
all of them, and a column that stays open is refused, never guessed.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.config import IncidentSource
from pipeline.errors import ConfigError, InputError
from pipeline.ingest.formats.opened import Opened
from pipeline.ingest.incidents.account import rule_code
from pipeline.ingest.incidents.columns import Roles, cell_text, coded
from pipeline.storage.duckdb import literal

__all__ = [
    "DateColumn",
    "DateExam",
    "DateParts",
    "Moments",
    "Times",
    "Unsettled",
    "check_format",
    "day_order",
    "examine",
    "parse_clock",
    "parse_date",
    "parse_stated",
    "plan_moments",
    "separator_of",
    "time_style",
]

# How single texts read: dates and times of day in the forms that extracts use.

FIRST_YEAR, LAST_YEAR = 1900, 2199
DECISIVE_SHARE = 0.99  # of the values that read one way only: what goes against this many is a slip
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

# Digits are those of ASCII: others are read by no tool that wrote an extract.
_CLOCK = re.compile(r"\b(\d{1,2})[:.](\d{2})(?:[:.]\d{2}(?:\.\d+)?)?\s*([ap])?\.?(?:m\b\.?)?", re.IGNORECASE)
_CLOCK_IN_TEXT = re.compile(
    r"\b\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:[ap]\.?m\b\.?)?|\b\d{1,2}\s*[ap]\.?m\b\.?", re.IGNORECASE
)
_HOUR_WORD = re.compile(r"(\d{1,2})\s*([ap])\.?m\.?", re.IGNORECASE)
_YMD = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:[T ].*)?", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_YM = re.compile(r"(\d{4})[-/.]?(\d{2})", re.ASCII)
_MY = re.compile(r"(\d{1,2})[-/.](\d{4})", re.ASCII)
_TWO_WAYS = re.compile(r"(\d{1,2})([-/. ])(\d{1,2})\2(\d{4}|\d{2})(?:[T ].*)?", re.ASCII)
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_NAME_FIRST = re.compile(rf"([a-z]+)\.?[\s/-]+(?:{_DAY}(?:,\s*|[\s/-]+))?(\d{{4}})", re.ASCII)
_DAY_FIRST = re.compile(rf"{_DAY}[\s/-]+(?:of\s+)?([a-z]+)\.?,?[\s/-]+(\d{{4}})", re.ASCII)
_WEEKDAY = re.compile(r"^(?:mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?:day)?\.?,?\s+")
_MONTH_NAME = re.compile(
    "jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|dec(ember)?"
)
_DIRECTIVE_DAY = re.compile(r"%-?[djDxcFuwa]")
_DIRECTIVE_HOUR = re.compile(r"%-?[HIcXTR]")


@dataclass(frozen=True, slots=True)
class DateParts:
    """What a text says: ISO date (first of the month where no day is given), `day` or `month`, and any hour."""

    iso: str
    precision: str
    hour: int | None = None


@dataclass(frozen=True, slots=True)
class DateExam:
    """How the values of a column read, in rows.

    Attributes
    ----------
    day_first, month_first
        Values of the shape a/b/year that read only with the day first, or only with the month first.
    either
        Values of that shape that read both ways, as different days.
    plain
        Values that mean one day whatever the order.
    unreadable
        Values that are no date.
    example
        A value that reads both ways, the first in sorted order; empty if there is none.
    """

    day_first: int = 0
    month_first: int = 0
    either: int = 0
    plain: int = 0
    unreadable: int = 0
    example: str = ""


def separator_of(sample: Iterable[str]) -> str:
    """Say what stands between date and time in most values: ``T``, a blank, or nothing to split at."""
    votes = {"": 0, "T": 0, " ": 0}
    for text in sample:
        if re.match(r"[\d-]{8,10}T\d", text):
            votes["T"] += 1
        elif re.match(r"\d[\d/.-]{5,9} +\d{1,2}[:.]\d", text):
            votes[" "] += 1
        elif text:
            votes[""] += 1
    return max(votes, key=lambda key: votes[key])


def examine(counts: Mapping[str, int]) -> DateExam:
    """Look at every distinct value of a column, given the rows of each; blanks count nowhere."""
    tally = dict.fromkeys(("day_first", "month_first", "either", "plain", "unreadable"), 0)
    example = ""
    for text in sorted(counts):
        if not text.strip():
            continue
        # Read both ways: the same day twice (or never) says nothing of the order, one reading alone settles it.
        as_day, as_month = parse_date(text, day_first=True), parse_date(text, day_first=False)
        if as_day == as_month:
            kind = "unreadable" if as_day is None else "plain"
        elif as_day is None or as_month is None:
            kind = "day_first" if as_month is None else "month_first"
        else:
            kind, example = "either", example or text
        tally[kind] += counts[text]
    return DateExam(**tally, example=example)


def day_order(exam: DateExam, *, stated: bool | None, what: str) -> bool | None:
    """Settle whether the day comes first.

    Parameters
    ----------
    exam
        The whole column, examined.
    stated
        What the configuration says, which wins.
    what
        Name of the file and column, for messages.

    Returns
    -------
    day_first
        None where no value depends on it.

    Raises
    ------
    InputError
        If every value reads both ways, or values contradict each other.
    """
    if stated is not None:
        return stated
    # Values such as 25/12/2024 read one way only, and vote; 03/04/2025 reads both ways, and has no vote. A few votes
    # against a clear majority are slips, whose rows are quarantined; a real mixture is refused.
    settled = exam.day_first + exam.month_first
    if not settled and not exam.either:
        return None
    if not settled:
        raise InputError(
            f"{what}: every date reads both day first and month first (for example {exam.example!r}), so the order "
            "cannot be told. Set day_first to true or false, or date_format, for this source"
        )
    if max(exam.day_first, exam.month_first) < DECISIVE_SHARE * settled:
        raise InputError(
            f"{what}: {exam.day_first} dates read only with the day first and {exam.month_first} only with the month "
            "first, so the column mixes both orders. Set day_first to say which one counts; the others are quarantined"
        )
    return exam.day_first > exam.month_first


def parse_date(text: str, *, day_first: bool | None) -> DateParts | None:  # noqa: PLR0911 one form, one way out
    """Read one date, with its time where it has one.

    Parameters
    ----------
    text
        ISO (with or without time and offset), yyyymmdd, yyyy-mm, yyyymm, mm/yyyy, a/b/yyyy, or with the month's name,
        also as prose. The date is taken as written: an offset does not move it.
    day_first
        How a/b/yyyy reads; None where the column holds none of these.

    Returns
    -------
    parts
        None where the text is no date between 1900 and 2199.
    """
    plain = text.strip()
    if match := _YMD.fullmatch(plain):
        return _day(match[1], match[3], match[4])
    if match := _COMPACT.fullmatch(plain):
        return _day(match[1], match[2], match[3])
    if match := _YM.fullmatch(plain):
        return _month(match[1], match[2])
    if match := _MY.fullmatch(plain):
        return _month(match[2], match[1])
    if match := _TWO_WAYS.fullmatch(plain):
        if day_first is None:
            return None
        dd, mm = (match[1], match[3]) if day_first else (match[3], match[1])
        return _day(_full_year(match[4]), mm, dd)
    return _named(plain)


def _named(plain: str) -> DateParts | None:
    """Read a date with the name of its month, wherever a time stands."""
    clock = _CLOCK_IN_TEXT.search(plain)
    rest = f"{plain[: clock.start()]} {plain[clock.end() :]}" if clock else plain
    rest = _WEEKDAY.sub("", " ".join(rest.split()).casefold()).strip(" ,")
    if match := _NAME_FIRST.fullmatch(rest):
        name, dd, year = match.groups()
    elif match := _DAY_FIRST.fullmatch(rest):
        dd, name, year = match.groups()
    else:
        return None
    if name[:3] not in MONTHS or not _MONTH_NAME.fullmatch(name):
        return None
    month = str(MONTHS.index(name[:3]) + 1)
    found = _month(year, month) if dd is None else _day(year, month, dd)
    if found is None or clock is None:
        return found
    return DateParts(found.iso, found.precision, parse_clock(clock.group(), style="clock"))


def _full_year(text: str) -> str:
    """Read a two-digit year as POSIX does: 69 to 99 are 1969 to 1999."""
    return text if len(text) == 4 else ("19" if int(text) >= 69 else "20") + text


def _day(year: str, month: str, day: str) -> DateParts | None:
    if not FIRST_YEAR <= int(year) <= LAST_YEAR:
        return None
    try:
        return DateParts(date(int(year), int(month), int(day)).isoformat(), "day")
    except ValueError:
        return None


def _month(year: str, month: str) -> DateParts | None:
    found = _day(year, month, "1")
    return found and DateParts(found.iso, "month")


def check_format(text: str) -> None:
    """Refuse a strptime format that no date can fit.

    Raises
    ------
    ConfigError
        If it has no year or month, or strptime does not know a directive.
    """
    try:
        back = datetime.strptime(datetime(2001, 2, 3, 4, 5, 6).strftime(text), text)  # noqa: DTZ001, DTZ007 no zone
    except ValueError as error:
        raise ConfigError(f"date_format {text!r} is not a strptime format: {error}. Example: %d/%m/%Y") from None
    if (back.year, back.month) != (2001, 2):
        raise ConfigError(f"date_format {text!r} does not give year and month. Example: %d/%m/%Y, or %Y-%m for months")


def parse_stated(text: str, date_format: str) -> DateParts | None:
    """Read one date in a stated strptime format; None where it does not fit."""
    try:
        found = datetime.strptime(text.strip(), date_format)  # noqa: DTZ007 taken as written
    except ValueError:
        return None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        return None
    precise = _DIRECTIVE_DAY.search(date_format) is not None
    hour = found.hour if _DIRECTIVE_HOUR.search(date_format) else None
    iso = found.date().isoformat()
    return DateParts(iso, "day", hour) if precise else DateParts(iso[:8] + "01", "month")


def time_style(texts: Sequence[str]) -> str:
    """Say how bare numbers of a time column read: ``hour`` (0 to 24) or ``hhmm`` (30 is half past midnight)."""
    numbers = [int(t.strip()) for t in texts if t.strip().isascii() and t.strip().isdigit()]
    long = any(len(t.strip()) > 2 for t in texts if t.strip().isascii() and t.strip().isdigit())
    return "hhmm" if long or any(n > 24 for n in numbers) else "hour"


def parse_clock(text: str, *, style: str) -> int | None:
    """Read the hour of a time: 14:30, 2.30 pm, 2 p.m., 1430 or 14.

    Parameters
    ----------
    text
        A time, also with seconds or an offset.
    style
        What `time_style` says of bare numbers.

    Returns
    -------
    hour
        0 to 23 (24:00 is midnight, 0); None where the text is no time.
    """
    plain = text.strip().lstrip("T").strip()
    if plain.isascii() and plain.isdigit():
        number = int(plain)
        hour, minute = divmod(number, 100) if style == "hhmm" else (number, 0)
        return _hour(hour, minute, "")
    if match := _CLOCK.match(plain):
        return _hour(int(match[1]), int(match[2]), (match[3] or "").casefold())
    if match := _HOUR_WORD.fullmatch(plain):
        return _hour(int(match[1]), 0, match[2].casefold())
    return None


def _hour(hour: int, minute: int, half: str) -> int | None:
    if minute > 59 or hour > 24 or (hour == 24 and minute) or (half and not 1 <= hour <= 12):
        return None
    return hour % 12 + (12 if half == "p" else 0) if half else hour % 24


# How a column reads: its form is settled once for the whole file, before any row is kept.

_MEMO = 1 << 17


class Unsettled(Exception):  # noqa: N818 not an error: the file is read again
    """A value that the first rows did not announce: the whole column has to be examined before it can be read."""


@dataclass(frozen=True, slots=True)
class DateColumn:
    """How one column of dates is read.

    Attributes
    ----------
    column
        Its position.
    separator
        What stands between date and time.
    day_first
        How a/b/year reads; None where no value examined has this form.
    date_format
        Stated format, if any.
    whole
        Whether the whole column was examined, not only its first rows.
    note
        What was settled, for the manifest.
    missing
        Texts that stand for a missing date.
    """

    column: int
    separator: str
    day_first: bool | None
    date_format: str | None
    whole: bool
    note: str
    missing: frozenset[str] = frozenset()

    def more(self, name: str) -> dict[str, str]:
        """Expressions of the date and of the time behind it."""
        return {f"{name}_head": self.head, f"{name}_tail": self.tail}

    @property
    def head(self) -> str:
        """SQL of the date's text."""
        return _head(cell_text(self.column, self.missing), self.separator)

    @property
    def tail(self) -> str:
        """SQL of the text after the separator."""
        text = cell_text(self.column, self.missing)
        if not self.separator:
            return "''"
        at = f"strpos({text}, {literal(self.separator)})"
        return f"CASE WHEN {at} > 0 THEN substr({text}, {at} + 1) ELSE '' END"

    def read(self, text: str) -> DateParts | None:
        """Read one text.

        Raises
        ------
        Unsettled
            If it is an a/b/year, and only the first rows were examined, which have none.
        """
        found = _read(text, self.day_first, self.date_format)
        # Reads both as day and as month first, yet differently: the order matters after all, and was not examined.
        if found is None and not self.whole and _read(text, True, None) != _read(text, False, None):
            raise Unsettled
        return found


@lru_cache(maxsize=_MEMO)
def _read(text: str, day_first: bool | None, date_format: str | None) -> DateParts | None:  # noqa: FBT001 cached
    if date_format is not None:
        return parse_stated(text, date_format)
    return parse_date(text, day_first=day_first)


def _head(text: str, separator: str) -> str:
    return f"split_part({text}, {literal(separator)}, 1)" if separator else text


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """What a batch says of when: columns of the incidents table and a rule code per row (0 for none)."""

    occurred_on: Any
    precision: Any
    month: NDArray[np.int32]
    hour: Any
    recorded_on: Any
    rule: NDArray[np.int8]


@dataclass(slots=True)
class Moments:
    """How the dates and times of a file are read, with what was met on the way."""

    occurred: DateColumn
    recorded: DateColumn | None
    time_column: int | None
    time_style: str
    tail_is_time: bool
    first_date: str
    last_date: str
    whole: bool
    missing: frozenset[str] = frozenset()
    unreadable: Counter[str] = field(default_factory=Counter)

    def extra(self) -> dict[str, str]:
        """Columns that the scan must give besides the file's own."""
        more = self.occurred.more("occurred")
        return more | self.recorded.more("recorded") if self.recorded else more

    def read(self, table: Any) -> Times:
        """Read a batch."""
        heads = coded(table["occurred_head"])
        found = [self.occurred.read(v) for v in heads.values]
        rules = [self._rule(v, p) for v, p in zip(heads.values, found, strict=True)]
        months = [int(p.iso[:4]) * 100 + int(p.iso[5:7]) if p else 0 for p in found]
        codes = heads.codes
        taken = pa.array(codes)
        hours = pa.array([p.hour if p else None for p in found], pa.int8()).take(taken)
        if self.time_column is not None:
            hours = self._hours(table[f"c{self.time_column}"])
        elif self.occurred.separator:
            hours = self._hours(table["occurred_tail"])
        return Times(
            pa.array([p.iso if p else None for p in found], pa.string()).take(taken),
            pa.array([p.precision if p else None for p in found], pa.string()).take(taken),
            np.array(months, dtype=np.int32)[codes],
            hours,
            self._recorded(table),
            np.array(rules, dtype=np.int8)[codes],
        )

    def _rule(self, text: str, parts: DateParts | None) -> int:
        if not text:
            return rule_code("date_missing")
        if parts is None:
            return rule_code("date_unreadable")
        # A date of month precision is the first of its month: it is early only if its whole month is.
        if self.first_date and parts.iso < (self.first_date if parts.precision == "day" else self.first_date[:7]):
            return rule_code("date_early")
        return rule_code("date_future") if parts.iso > self.last_date else 0

    def _hours(self, column: Any) -> Any:
        times = coded(column, self.missing)
        hours = [parse_clock(v, style=self.time_style) for v in times.values]
        if not self.whole:
            self._require_announced(times.values, hours)
        if self.time_column is None and not self.tail_is_time:
            return pa.nulls(len(times.codes), pa.int8())
        lost = {v for v, h in zip(times.values, hours, strict=True) if v and h is None}
        if lost:
            self.unreadable["time"] += sum(rows for text, rows in times.counts().items() if text in lost)
        return pa.array(hours, pa.int8()).take(pa.array(times.codes))

    def _require_announced(self, texts: Sequence[str], hours: Sequence[int | None]) -> None:
        """Stop where later rows have a form of time that the first rows left open."""
        hhmm = self.time_column is not None and self.time_style == "hour" and time_style(texts) == "hhmm"
        late = self.time_column is None and not self.tail_is_time and any(hours)
        if hhmm or late:
            raise Unsettled

    def _recorded(self, table: Any) -> Any:
        if self.recorded is None:
            return pa.nulls(table.num_rows, pa.string())
        heads = coded(table["recorded_head"])
        found = {v: self.recorded.read(v) for v in heads.values}
        if any(v and p is None for v, p in found.items()):
            self.unreadable["recorded"] += sum(n for v, n in heads.counts().items() if v and found[v] is None)
        return heads.texts(lambda v: p.iso if (p := found[v]) else None)


def plan_moments(
    opened: Opened, *, roles: Roles, source: IncidentSource, today: str, connection: Any, whole: bool
) -> Moments:
    """Examine the date and time columns of a file.

    The first rows mostly settle how all are read, because a value can only ever add a form. Where they leave a form
    open and a later row has it, reading raises `Unsettled`, and the columns are examined as a whole.

    Parameters
    ----------
    opened, roles, source
        The file, its columns and its settings.
    today
        ISO date after which dates lie in the future, where the source gives no last_date.
    connection
        Database that may read the file.
    whole
        Examine every row, not only the first ones.

    Raises
    ------
    InputError
        If the order of day and month cannot be told.
    """
    occurred = _plan_column(opened, "date", roles=roles, source=source, connection=connection, whole=whole)
    recorded = None
    if "recorded" in roles.at:
        recorded = _plan_column(opened, "recorded", roles=roles, source=source, connection=connection, whole=whole)

    def texts(expression: str) -> list[str]:
        return list(opened.distinct(connection, expression) if whole else opened.first(connection, expression))

    time_column, style, tail_is_time = roles.at.get("time"), "hour", False
    if time_column is not None:
        style = time_style(texts(cell_text(time_column, roles.missing)))
    elif occurred.separator:
        tails = [t for t in texts(occurred.tail) if t]
        # Midnight in every row is what a date turns into when it is saved as a date with time.
        tail_is_time = {parse_clock(t, style="hhmm") for t in tails} - {0, None} != set()
        style = "hhmm"
    return Moments(
        occurred,
        recorded,
        time_column,
        style,
        tail_is_time,
        source.first_date or "",
        source.last_date or today,
        whole,
        roles.missing,
    )


def _plan_column(
    opened: Opened, role: str, *, roles: Roles, source: IncidentSource, connection: Any, whole: bool
) -> DateColumn:
    column, missing = roles.at[role], roles.missing
    cell = cell_text(column, missing)
    what = f"{opened.name}, column {opened.columns[column]!r}"
    if source.date_format is not None:
        check_format(source.date_format)
        return DateColumn(column, "", None, source.date_format, True, f"{source.date_format} (stated)", missing)
    # The first thousand rows decide whether the form can be ambiguous at all; only then is the whole column examined,
    # because that reads the file once more.
    first = opened.first(connection, cell)
    separator = separator_of(first)
    exam = examine(Counter(text.split(separator)[0] if separator else text for text in first))
    if whole or exam.day_first or exam.month_first or exam.either:
        whole = True
        exam = examine(opened.distinct(connection, _head(cell, separator)))
    order = day_order(exam, stated=source.day_first, what=what)
    words = {
        None: "one reading only",
        True: f"day first ({exam.day_first} rows read no other way)",
        False: f"month first ({exam.month_first} rows read no other way)",
    }
    note = f"{words[order]}, stated" if source.day_first is not None else words[order]
    return DateColumn(column, separator, order, None, whole, note, missing)
