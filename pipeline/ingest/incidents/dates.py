"""Dates and times: the columns of a file are examined as a whole, then read in batches.

A date such as 03/04/2025 is ambiguous. The whole column is examined: one unambiguous value decides for all of them, and
a column that stays ambiguous is refused, never guessed.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.config import IncidentSource
from pipeline.errors import ConfigError, InputError
from pipeline.ingest.formats.files import Opened
from pipeline.ingest.incidents.account import rule_code
from pipeline.ingest.incidents.clock import DAY, UTC_OFFSET, Clock, LocalTime, read_clock, time_style
from pipeline.ingest.incidents.columns import Coded, Roles, cell_text, coded, strings
from pipeline.statistics.aoristic import BAND_MINUTES
from pipeline.storage.duckdb import literal

__all__ = [
    "DateColumn",
    "DateExam",
    "DateNumber",
    "DateParts",
    "Moments",
    "Times",
    "Unsettled",
    "as_date",
    "check_format",
    "day_order",
    "examine",
    "find_date_number",
    "parse_date",
    "parse_stated",
    "plan_moments",
    "separator_of",
]


# Parsing single texts: dates in the formats that extracts use.

FIRST_YEAR, LAST_YEAR = 1900, 2199
DECISIVE_SHARE = 0.99  # of the unambiguous values: a value that contradicts this many is a mistake
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

# Digits are those of ASCII: others are read by no tool that wrote an extract.
_CLOCK_IN_TEXT = re.compile(
    r"\b\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:[ap]\.?m\b\.?)?|\b\d{1,2}\s*[ap]\.?m\b\.?", re.IGNORECASE
)
_YMD = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:[Tt ](.*)|Z|[+-]\d{2}:\d{2})?", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_YM = re.compile(r"(\d{4})[-/.]?(\d{2})", re.ASCII)
_MY = re.compile(r"(\d{1,2})[-/.](\d{4})", re.ASCII)
_TWO_WAYS = re.compile(r"(\d{1,2})([-/. ])(\d{1,2})\2(\d{4}|\d{2})(?:[Tt ](.*))?", re.ASCII)
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_NAME_FIRST = re.compile(rf"([a-z]+)\.?[\s/-]+(?:{_DAY}(?:,\s*|[\s/-]+))?(\d{{4}})", re.ASCII)
_DAY_FIRST = re.compile(rf"{_DAY}[\s/-]+(?:of\s+)?([a-z]+)\.?,?[\s/-]+(\d{{4}})", re.ASCII)
_WEEKDAY = re.compile(r"^(?:mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?:day)?\.?,?\s+")
_MONTH_NAME = re.compile(
    "jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|dec(ember)?"
)
_DIRECTIVE_DAY = re.compile(r"%-?[djDxcFuwa]")
_DIRECTIVE_HOUR = re.compile(r"%-?[HIcXTR]")
_LETTER_Z = re.compile(r"%-?[MSfXTRp] ?'?Z'?$")


@dataclass(frozen=True, slots=True)
class DateParts:
    """The content of a text: ISO date (first of the month if there is no day), `day` or `month`, and any hour.

    `clock` is the time after the date if it changes the date: one with an offset from UTC, or 24:00. `seconds` is the
    time of day where the hour is given.
    """

    iso: str
    precision: str
    hour: int | None = None
    clock: Clock | None = None
    seconds: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DateExam:
    """Numbers of rows by how the values of a column can be read.

    Attributes
    ----------
    day_first, month_first
        Values of the form a/b/year that are valid only with the day first, or only with the month first.
    either
        Values of that form that are valid both ways, as different days.
    plain
        Values that mean the same day in either order.
    unreadable
        Values that are not dates.
    example
        An ambiguous value, the first in sorted order; empty if there is none.
    """

    day_first: int = 0
    month_first: int = 0
    either: int = 0
    plain: int = 0
    unreadable: int = 0
    example: str = ""


def separator_of(sample: Iterable[str]) -> str:
    """Return the separator between date and time in most values: ``T``, a blank, or empty for none."""
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
    """Examine every distinct value of a column, given its number of rows; blanks are ignored."""
    tally = dict.fromkeys(("day_first", "month_first", "either", "plain", "unreadable"), 0)
    example = ""
    for text in sorted(counts):
        if not text.strip():
            continue
        # Read both ways: the same day twice (or never) does not show the order; a single valid reading does.
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
    """Determine whether the day comes first.

    Parameters
    ----------
    exam
        The whole column, examined.
    stated
        The setting in the configuration, which takes precedence.
    what
        Name of the file and column, for messages.

    Returns
    -------
    day_first
        None if no value depends on it.

    Raises
    ------
    InputError
        If every value is ambiguous, or values contradict each other.
    """
    if stated is not None:
        return stated
    # Values such as 25/12/2024 are unambiguous and decide; 03/04/2025 is ambiguous and does not. A few values against a
    # clear majority are mistakes, whose rows are quarantined; a real mixture is refused.
    settled = exam.day_first + exam.month_first
    if not settled and not exam.either:
        return None
    if not settled:
        raise InputError(
            f"{what}: every date is valid with day first and with month first (for example {exam.example!r}), so the "
            "order "
            "is ambiguous. Set day_first to true or false, or date_format, for this source"
        )
    if max(exam.day_first, exam.month_first) < DECISIVE_SHARE * settled:
        raise InputError(
            f"{what}: {exam.day_first} dates are valid only with the day first and {exam.month_first} only with the "
            "month "
            "first, so the column mixes both orders. Set day_first to say which one counts; the others are quarantined"
        )
    return exam.day_first > exam.month_first


def parse_date(text: str, *, day_first: bool | None) -> DateParts | None:  # noqa: PLR0911 one form, one way out
    """Parse one date, with its time if it has one.

    Parameters
    ----------
    text
        ISO (with or without time and offset), yyyymmdd, yyyy-mm, yyyymm, mm/yyyy, a/b/yyyy, or with the month's name,
        also within other text. The date is as written; `Moments` applies times with an offset.
    day_first
        Order in a/b/yyyy; None if the column has no such values.

    Returns
    -------
    parts
        None if the text is not a date between 1900 and 2199.
    """
    plain = text.strip()
    if match := _YMD.fullmatch(plain):
        return _timed(_day(match[1], match[3], match[4]), match[5])
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
        return _timed(_day(_full_year(match[4]), mm, dd), match[5])
    return _named(plain)


def _timed(found: DateParts | None, tail: str | None, *, keep_hour: bool = False) -> DateParts | None:
    """Add the time after a date, if it changes the date or its hour is needed."""
    clock = read_clock(tail, "hhmm") if found and tail else None
    if found is None or clock is None:
        return found
    moves = clock.offset is not None or clock.seconds == DAY
    held = keep_hour or moves
    return replace(
        found,
        hour=clock.hour if held else None,
        clock=clock if moves else None,
        seconds=clock.seconds % DAY if held else None,
    )


def _named(plain: str) -> DateParts | None:
    """Parse a date with a month name, wherever a time is."""
    clock, end = _CLOCK_IN_TEXT.search(plain), 0
    if clock:
        offset = UTC_OFFSET.match(plain, clock.end())
        end = offset.end() if offset else clock.end()
    rest = f"{plain[: clock.start()]} {plain[end:]}" if clock else plain
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
    return _timed(found, plain[clock.start() : end], keep_hour=True)


def _full_year(text: str) -> str:
    """Convert a two-digit year as in POSIX: 69 to 99 are 1969 to 1999."""
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
    """Refuse a strptime format that cannot describe a date.

    Raises
    ------
    ConfigError
        If it has no year or month, or strptime does not know a directive.
    """
    try:
        back = datetime.strptime(datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC).strftime(text), text)  # noqa: DTZ007
    except ValueError as error:
        raise ConfigError(f"date_format {text!r} is not a strptime format: {error}. Example: %d/%m/%Y") from None
    if (back.year, back.month) != (2001, 2):
        raise ConfigError(f"date_format {text!r} does not give year and month. Example: %d/%m/%Y, or %Y-%m for months")


def parse_stated(text: str, date_format: str) -> DateParts | None:
    """Parse one date with a stated strptime format; None if it does not fit."""
    try:
        found = datetime.strptime(text.strip(), date_format)  # noqa: DTZ007 taken as written
    except ValueError:
        return None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        return None
    precise = _DIRECTIVE_DAY.search(date_format) is not None
    iso = found.date().isoformat()
    if not precise:
        return DateParts(iso[:8] + "01", "month")
    if not _DIRECTIVE_HOUR.search(date_format):
        return DateParts(iso, "day")
    # An offset that the format parses, or a literal Z after the time.
    east = found.utcoffset()
    offset = round(east.total_seconds()) if east is not None else 0 if _LETTER_Z.search(date_format) else None
    clock = Clock(found.hour * 3600 + found.minute * 60 + found.second, offset)
    return DateParts(iso, "day", found.hour, None if offset is None else clock, clock.seconds)


# Reading a column: its format is determined once for the whole file, before any row is kept.

_MEMO = 1 << 17


class Unsettled(Exception):  # noqa: N818 not an error: the file is read again
    """A value with a form that the first rows did not have: the whole column must be examined."""


@dataclass(frozen=True, slots=True)
class DateColumn:
    """Parser of one column of dates.

    Attributes
    ----------
    column
        Its position.
    separator
        Separator between date and time.
    day_first
        Order in a/b/year; None if no examined value has this form.
    date_format
        Stated format, if any.
    whole
        Whether the whole column was examined, not only its first rows.
    note
        The decision, for the manifest.
    missing
        Texts for a missing date.
    moves, hours
        Whether the times after the dates change them, and whether their hours are meaningful: they are not if every row
        has midnight, which results from saving a date as a date with time.
    offsets
        Offsets from UTC among the examined times.
    forms
        Formats of the first dates, the most frequent first, for people: `yyyy-mm-dd`.
    number, last_date
        The kind of numeric dates, and the latest plausible date; None for other dates.
    times, style
        Position of a column with the times of these dates, and how bare numbers in it are read (see `read_clock`).
    """

    column: int
    separator: str
    day_first: bool | None
    date_format: str | None
    whole: bool
    note: str
    missing: frozenset[str] = frozenset()
    moves: bool = True
    hours: bool = True
    offsets: frozenset[int] = frozenset()
    forms: tuple[str, ...] = ()
    number: "DateNumber | None" = None
    last_date: str = ""
    times: int | None = None
    style: str = "hhmm"

    @property
    def timed(self) -> bool:
        """Whether the times with these dates are real times of day."""
        return self.times is not None or self.hours

    def more(self, name: str) -> dict[str, str]:
        """Return SQL expressions of the date and of the time after it."""
        return {f"{name}_head": self.head, f"{name}_tail": self.tail}

    @property
    def cell(self) -> str:
        """SQL of the whole text, with numeric dates converted to text."""
        text = cell_text(self.column, self.missing)
        return text if self.number is None else as_date(text, self.number, self.last_date)

    @property
    def head(self) -> str:
        """SQL of the date's text."""
        return _head(self.cell, self.separator)

    @property
    def tail(self) -> str:
        """SQL of the text after the separator."""
        text = self.cell
        if not self.separator:
            return "''"
        at = f"strpos({text}, {literal(self.separator)})"
        return f"CASE WHEN {at} > 0 THEN substr({text}, {at} + 1) ELSE '' END"

    def read(self, text: str) -> DateParts | None:
        """Parse one text.

        Raises
        ------
        Unsettled
            If it has the form a/b/year, and only the first rows were examined, which have no such values.
        """
        found = _read(text, self.day_first, self.date_format)
        # Ambiguous: the order matters after all, and was not examined.
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
    """Dates of a batch: columns of the incidents table and a rule code for each row (0 for none)."""

    occurred_on: Any
    precision: Any
    month: NDArray[np.int32]
    hour: Any
    recorded_on: Any
    rule: NDArray[np.int8]
    interval_start: Any
    interval_minutes: Any


@dataclass(slots=True)
class Moments:
    """Reader of a file's dates and times, which also collects findings."""

    opened: Opened
    occurred: DateColumn
    recorded: DateColumn | None
    first_date: str
    last_date: str
    whole: bool
    local: LocalTime
    missing: frozenset[str] = frozenset()
    end: DateColumn | None = None
    most_minutes: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    intervals: Counter[str] = field(default_factory=Counter)
    converted: int = 0

    @property
    def note(self) -> str:
        """How times with an offset from UTC were treated, for the manifest; empty if there are none."""
        return f"converted to {self.local.name} ({self.local.why})" if self.converted else ""

    def extra(self) -> dict[str, str]:
        """Columns that the scan must give besides the file's own."""
        more = self.occurred.more("occurred")
        more |= self.recorded.more("recorded") if self.recorded else {}
        return more | self.end.more("end") if self.end else more

    def read(self, table: Any) -> Times:
        """Read a batch."""
        heads = coded(table["occurred_head"])
        found = [self.occurred.read(v) for v in heads.values]
        tails, style = self._tails(self.occurred, table, "occurred")
        # A time with an offset, or 24:00, may belong to another day than its date: such rows get a new date, appended
        # to those of the file.
        day = self._moved(self.occurred, heads, found, tails, style=style)
        start, minutes = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        if self.end is not None:
            day, start, minutes = self._between(day, self.end, table)
        texts = [*heads.values, *(p.iso if p else "" for p in day.parts[len(found) :])]
        rules = [self._rule(v, p) for v, p in zip(texts, day.parts, strict=True)]
        months = [int(p.iso[:4]) * 100 + int(p.iso[5:7]) if p else 0 for p in day.parts]
        taken = pa.array(day.codes)
        return Times(
            pa.array([p.iso if p else None for p in day.parts], pa.string()).take(taken),
            pa.array([p.precision if p else None for p in day.parts], pa.string()).take(taken),
            np.array(months, dtype=np.int32)[day.codes],
            pa.array(day.hours, mask=day.hours < 0),
            self._recorded(table),
            np.array(rules, dtype=np.int8)[day.codes],
            pa.array(start, mask=minutes == 0) if len(start) else pa.nulls(table.num_rows, pa.int64()),
            pa.array(minutes, mask=minutes == 0) if len(start) else pa.nulls(table.num_rows, pa.int64()),
        )

    def _between(
        self, first: "_Days", end: DateColumn, table: Any
    ) -> "tuple[_Days, NDArray[np.int64], NDArray[np.int64]]":
        """Date incidents that happened between two times; see docs/methods.md.

        Returns
        -------
        days, start, minutes
            Dates by the middle of the intervals; start and length of those that are shared over hours, in minutes since
            1970 and in minutes (0 for no such interval).
        """
        heads = coded(table["end_head"])
        found = [end.read(v) for v in heads.values]
        lost = {v for v, p in zip(heads.values, found, strict=True) if v and p is None}
        if lost:
            self.unreadable["to"] += sum(n for v, n in heads.counts().items() if v in lost)
        tails, style = self._tails(end, table, "end")
        last = self._moved(end, heads, found, tails, style=style)
        (day_a, known_a, dated_a), (day_b, known_b, dated_b) = first.numbers(), last.numbers()
        timed = known_a & known_b & (first.seconds >= 0) & (last.seconds >= 0)
        # A date alone is the whole day: its end is the next midnight.
        a = day_a * 1440 + np.maximum(first.seconds, 0) // 60
        b = day_b * 1440 + np.where(last.seconds >= 0, last.seconds // 60, 1440)
        both = known_a & known_b
        length = np.where(both, b - a, 0)
        reversed_ = both & (length < 0)
        long = both & (length > self.most_minutes)
        between = both & ~reversed_ & ~long & (length > 0)
        shared = between & timed
        no_end = dated_a & ~dated_b
        no_start = ~dated_a & dated_b & (np.array([p is None and not v for p, v in first.texts()])[first.codes])
        middle = a + length // 2
        for name, rows in (
            ("shared_over_hours", shared),
            ("zero_length", both & (length == 0)),
            ("reversed", reversed_),
            ("longer_than_limit", long),
            ("without_times", between & ~timed),
            ("no_from", no_start),
            ("no_to", no_end),
        ):
            self.intervals[name] += int(np.count_nonzero(rows))
        # The day is known to within half a day, or not at all; a reversed interval is known to the month of `from`.
        by_middle = between | long
        day = np.where(by_middle, middle // 1440, np.where(no_start, day_b, day_a))
        unsure = (by_middle & (length > 1440)) | reversed_ | no_start
        changed = by_middle | reversed_ | no_start
        keys, which = np.unique(day[changed] * 2 + unsure[changed], return_inverse=True)
        parts = [DateParts(_iso(k // 2), "day") if k % 2 == 0 else _of_month(_iso(k // 2)) for k in keys.tolist()]
        codes = first.codes.copy()
        codes[changed] = len(first.parts) + which
        # An hour is stated where the whole interval lies in one band of three hours, as circumstances are counted.
        in_band = shared & (a // BAND_MINUTES == (b - 1) // BAND_MINUTES)
        hours = np.where(in_band, middle % 1440 // 60, np.where(changed, -1, first.hours)).astype(np.int8)
        minutes = np.where(shared, length, 0)
        return _Days(codes, [*first.parts, *parts], hours, first.seconds), np.where(shared, a, 0), minutes

    def _tails(self, column: DateColumn, table: Any, name: str) -> tuple[Any, str]:
        """Return the times of a column of dates, from its own texts or a column beside it, and how they are written."""
        tails = table[f"{name}_tail"] if column.separator else None
        if column.times is None:
            return tails, "hhmm"
        self._require_dates(tails)
        return table[f"c{column.times}"], column.style

    def _moved(
        self, column: DateColumn, heads: Coded, found: list[DateParts | None], tails: Any, *, style: str
    ) -> "_Days":
        """Combine dates with the times after them, or in another column, as days and hours of local time."""
        clocks = [p.clock if p else None for p in found]
        hours = np.array([p.hour if p and p.hour is not None else -1 for p in found], dtype=np.int8)[heads.codes]
        in_date = np.array([-1 if p is None or p.seconds is None else p.seconds for p in found], dtype=np.int64)
        in_date = in_date[heads.codes]
        seconds, offset = (values[heads.codes] for values in _numbers(clocks))
        times = None if tails is None else coded(tails, self.missing)
        if times is not None:
            clocks = [read_clock(v, style) if v else None for v in times.values]
            self._require_announced(column, times.values, clocks)
            if column.timed:
                hours = np.array([c.hour if c else -1 for c in clocks], dtype=np.int8)[times.codes]
                lost = {v for v, c in zip(times.values, clocks, strict=True) if v and c is None}
                if lost and (column is self.occurred or column.times is not None):
                    from_time = column.times is not None and self.end is not None
                    role = "to_time" if column is self.end else "from_time" if from_time else "time"
                    self.unreadable[role] += sum(n for v, n in times.counts().items() if v in lost)
            if column.timed or column.moves:
                more, known = (values[times.codes] for values in _numbers(clocks))
                seconds, offset = np.where(more >= 0, more, seconds), np.where(more >= 0, known, offset)
        # A month has no time, whatever follows it.
        days = np.array([p is not None and p.precision == "day" for p in found], dtype=bool)[heads.codes]
        aware = days & (seconds >= 0) & (offset != _NAIVE)
        moved = aware | (days & (seconds == DAY))
        if not moved.any():
            at_second = np.where(hours >= 0, np.where(seconds >= 0, seconds, in_date), -1)
            return _Days(heads.codes, found, hours, at_second, heads.values)
        if aware.any() and not self.local.name:
            at = int(np.flatnonzero(aware)[0])
            raise self._zone_wanted(column, heads, times, at)
        day = np.array([_day_number(p.iso) if p else 0 for p in found], dtype=np.int64)[heads.codes]
        shown = day * DAY + np.maximum(seconds, 0)
        shown[aware] = self.local.seconds(shown[aware] - offset[aware])
        self.converted += int(np.count_nonzero(aware))
        distinct, at_which = np.unique(shown[moved] // DAY, return_inverse=True)
        codes = heads.codes.copy()
        codes[moved] = len(found) + at_which
        late = (shown[moved] % DAY // 3600).astype(np.int8)
        if column.separator and not column.hours:
            if not self.whole and late.any():
                raise Unsettled
        else:
            hours[moved] = late
        parts = [*found, *(DateParts(_iso(d), "day") for d in distinct.tolist())]
        at_second = np.where((seconds >= 0) | moved, shown % DAY, in_date)
        return _Days(codes, parts, hours, np.where(hours >= 0, at_second, -1), heads.values)

    def _zone_wanted(self, column: DateColumn, heads: Coded, times: Coded | None, at: int) -> ConfigError:
        behind = times.values[times.codes[at]] if times is not None else ""
        apart = column.separator if column.times is None else " "
        value = heads.values[heads.codes[at]] + (f"{apart}{behind}" if behind else "")
        return ConfigError(
            f"{self.opened.name}, column {self.opened.columns[column.column]!r}: {value} carries an offset from UTC, "
            "and the local time of the data is not known. Set run.time_zone to its zone, for example Europe/London: "
            "months, days and hours are those of local clocks"
        )

    def _rule(self, text: str, parts: DateParts | None) -> int:
        if not text:
            return rule_code("date_missing")
        if parts is None:
            return rule_code("date_unreadable")
        # A date with month precision is the first of its month: it is too early only if its whole month is.
        if self.first_date and parts.iso < (self.first_date if parts.precision == "day" else self.first_date[:7]):
            return rule_code("date_early")
        return rule_code("date_future") if parts.iso > self.last_date else 0

    def _require_dates(self, tails: Any) -> None:
        """Raise if dates with a separate column of times turn out to contain times with an offset."""
        if tails is not None and not self.whole:
            clocks = [read_clock(v, "hhmm") for v in coded(tails, self.missing).values if v]
            if any(c and c.offset is not None and not _idle(c) for c in clocks):
                raise Unsettled

    def _require_announced(self, column: DateColumn, texts: Sequence[str], clocks: Sequence[Clock | None]) -> None:
        """Raise if later rows have a form of time that the first rows did not have."""
        if self.whole:
            return
        if column.times is not None:
            late = column.style == "hour" and time_style(texts) == "hhmm"
        else:
            known = {None, *column.offsets}
            late = not column.moves and any(c and (not _idle(c) or c.offset not in known) for c in clocks)
        if late:
            raise Unsettled

    def _recorded(self, table: Any) -> Any:
        if self.recorded is None:
            return pa.nulls(table.num_rows, pa.string())
        heads = coded(table["recorded_head"])
        found = [self.recorded.read(v) for v in heads.values]
        lost = {v for v, p in zip(heads.values, found, strict=True) if v and p is None}
        if lost:
            self.unreadable["recorded"] += sum(n for v, n in heads.counts().items() if v in lost)
        tails = table["recorded_tail"] if self.recorded.separator else None
        day = self._moved(self.recorded, heads, found, tails, style="hhmm")
        return strings([p.iso if p else None for p in day.parts], day.codes)


@dataclass(frozen=True, slots=True, eq=False)
class _Days:
    """Dates of a batch: a code for each row, the date of each code, and the hour for each row (-1 for none)."""

    codes: NDArray[np.int32]
    parts: list[DateParts | None]
    hours: NDArray[np.int8]
    seconds: NDArray[np.int64]
    given: tuple[str, ...] = ()

    def numbers(self) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Return the day of each row since 1970, whether the day is known, and whether the month is."""
        day = np.array([_day_number(p.iso) if p else 0 for p in self.parts], dtype=np.int64)
        known = np.array([p is not None and p.precision == "day" for p in self.parts], dtype=bool)
        dated = np.array([p is not None for p in self.parts], dtype=bool)
        return day[self.codes], known[self.codes], dated[self.codes]

    def texts(self) -> list[tuple[DateParts | None, str]]:
        """Return each date with its text; those made from times have none."""
        return list(zip(self.parts, (*self.given, *[""] * (len(self.parts) - len(self.given))), strict=True))


_NAIVE = 1 << 30  # means no offset; offsets are under a day
_FEW_TIMES = 8  # dates saved with a time have at most a few times: midnight before and after clock changes


def _numbers(clocks: Sequence[Clock | None]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return seconds of the day (-1 for no time) and offsets (`_NAIVE` for none)."""
    seconds = [c.seconds if c else -1 for c in clocks]
    offsets = [_NAIVE if c is None or c.offset is None else c.offset for c in clocks]
    return np.array(seconds, dtype=np.int64), np.array(offsets, dtype=np.int64)


def _idle(clock: Clock) -> bool:
    """Whether a time may come from a date without a time: midnight, or without an offset the first hour."""
    return clock.seconds < 3600 if clock.offset is None else clock.seconds == 0


def _day_number(iso: str) -> int:
    return (date.fromisoformat(iso) - date(1970, 1, 1)).days


def _iso(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def _of_month(iso: str) -> DateParts:
    return DateParts(f"{iso[:8]}01", "month")


def plan_moments(
    opened: Opened, *, roles: Roles, source: IncidentSource, local: LocalTime, today: str, connection: Any, whole: bool
) -> Moments:
    """Examine the date and time columns of a file.

    The first rows usually determine how all are read, because further values can only add a form. If a later row has a
    form that they left undecided, reading raises `Unsettled`, and the columns are examined as a whole.

    Parameters
    ----------
    opened, roles, source
        The file, its columns and its settings.
    local
        The local time of the data.
    today
        ISO date after which dates count as future dates, if the source has no last_date.
    connection
        Database that may read the file.
    whole
        Examine every row, not only the first ones.

    Raises
    ------
    InputError
        If the order of day and month is ambiguous.
    """
    columns: dict[str, DateColumn] = {
        role: _plan_column(
            opened,
            role,
            roles=roles,
            source=source,
            local=local,
            last_date=source.last_date or today,
            connection=connection,
            whole=whole,
        )
        for role in ("date", "recorded", "to")
        if role in roles.at
    }
    for role, beside in (("date", "time"), ("to", "to_time")):
        times, dates = roles.at.get(beside), columns.get(role)
        # Where the date is an instant, a column of times beside it adds nothing.
        if times is None or dates is None or (dates.hours and dates.offsets):
            continue
        cell = cell_text(times, roles.missing)
        style = time_style(list(opened.distinct(connection, cell) if whole else opened.first(connection, cell)))
        columns[role] = replace(dates, times=times, style=style)
    return Moments(
        opened,
        columns["date"],
        columns.get("recorded"),
        source.first_date or "",
        source.last_date or today,
        whole,
        local,
        roles.missing,
        columns.get("to"),
        source.max_interval_days * 1440,
    )


def forms_of(texts: Sequence[str], *, day_first: bool | None) -> tuple[str, ...]:
    """Return the formats of dates in readable form, the most frequent first.

    Examples
    --------
    >>> forms_of(["2024-01-03", "2024-02-04", "03/01/2024", "3 Jan 2024", ""], day_first=True)
    ('yyyy-mm-dd', 'dd/mm/yyyy', 'd mmm yyyy')
    """
    met = Counter(_form(text.strip(), day_first=day_first) for text in texts if text.strip())
    return tuple(form for form, _ in met.most_common())


def _form(text: str, *, day_first: bool | None) -> str:
    parts = re.split(r"([^0-9A-Za-z]+)", text)
    if re.fullmatch(r"(19|20)\d{4}(\d\d)?", text):
        return "yyyymmdd"[: len(text)]
    if not text[:1].isdigit() or sum(part.isdigit() for part in parts) < len(parts[::2]) - 1:
        return re.sub(r"[A-Za-z]+", "text", re.sub(r"[0-9]", "9", text))
    # The first part is a year of four digits, otherwise the day or the month, as determined for the column.
    letters = ["yyyy", "mm", "dd"] if len(parts[0]) == len("yyyy") else ["mm", "dd", "yyyy"]
    if letters[0] == "mm" and (day_first or any(part.isalpha() for part in parts)):
        letters = ["dd", "mm", "yyyy"]
    out = []
    for at, part in enumerate(parts):
        letter = letters[at // 2] if at // 2 < len(letters) else "9"
        out.append(part if at % 2 else ("m" * min(len(part), 4) if part.isalpha() else letter[0] * len(part)))
    return "".join(out)


def _plan_column(
    opened: Opened,
    role: str,
    *,
    roles: Roles,
    source: IncidentSource,
    local: LocalTime,
    last_date: str,
    connection: Any,
    whole: bool,
) -> DateColumn:
    column, missing = roles.at[role], roles.missing
    cell = cell_text(column, missing)
    what = f"{opened.name}, column {opened.columns[column]!r}"
    if source.date_format is not None:
        check_format(source.date_format)
        return DateColumn(column, "", None, source.date_format, True, f"{source.date_format} (stated)", missing)
    number = find_date_number(opened, cell, last_date=last_date, connection=connection)
    if number is not None:
        cell = as_date(cell, number, last_date)
    # The first thousand rows show whether the format can be ambiguous at all; only then is the whole column examined,
    # because this means reading the file once more.
    first = opened.first(connection, cell)
    separator = separator_of(first)
    exam = examine(Counter(text.split(separator)[0] if separator else text for text in first))
    if whole or exam.day_first or exam.month_first or exam.either:
        whole = True
        exam = examine(opened.distinct(connection, _head(cell, separator)))
    order = day_order(exam, stated=source.day_first, what=what)
    words = {
        None: "unambiguous",
        True: f"day first ({exam.day_first} rows are unambiguous)",
        False: f"month first ({exam.month_first} rows are unambiguous)",
    }
    note = f"{words[order]}, stated" if source.day_first is not None else words[order]
    note = note if number is None else number.label
    forms = forms_of([text.split(separator)[0] if separator else text for text in first], day_first=order)
    planned = DateColumn(
        column, separator, order, None, whole, note, missing, forms=forms, number=number, last_date=last_date
    )
    return _with_times(planned, opened, local=local, connection=connection) if separator else planned


def _with_times(column: DateColumn, opened: Opened, *, local: LocalTime, connection: Any) -> DateColumn:
    """Determine whether the times after dates are times of day, or only the result of saving dates with a time."""
    look = opened.distinct if column.whole else opened.first
    clocks = {read_clock(t, "hhmm") for t in look(connection, column.tail) if t} - {None}
    offsets = frozenset(c.offset for c in clocks if c and c.offset is not None)
    if len(offsets) < 2 and all(_idle(c) for c in clocks if c):
        return replace(column, moves=False, hours=False, offsets=offsets)
    hours = True
    if offsets and local.name and len(clocks) <= _FEW_TIMES:
        # Local midnight saved in UTC is 23:00 in summer and 00:00 in winter: such dates are converted, but have no
        # hour.
        mark = chr(31)
        pairs = [t.split(mark) for t in look(connection, f"concat({column.head}, chr(31), {column.tail})")]
        known = [(column.read(head), read_clock(tail, "hhmm")) for head, tail in pairs if tail]
        instants = [
            _day_number(p.iso) * DAY + c.seconds - c.offset for p, c in known if p and c and c.offset is not None
        ]
        beside = any(c and c.offset is None and not _idle(c) for _, c in known)
        hours = beside or bool((local.seconds(np.array(instants, dtype=np.int64)) % DAY).any())
    return replace(column, hours=hours, offsets=offsets)


# Numeric dates: the serial numbers of spreadsheets, and seconds since 1970 or fractions of them, from databases.
# A column is read this way only if nearly all values are plausible; otherwise its rows are refused, and the message
# says what the numbers look like.

_CHARACTERS = frozenset("0123456789.,eE+")
_LEAST_SHARE = 0.99  # of the values: a value that contradicts this many is a mistake
_FIRST_EPOCH = date(1990, 1, 1)
"""Smaller numbers are as likely to be something else: 202406301530 would be in 1976."""
_NUMBER = r"[0-9]+([.,][0-9]*)?([eE]\+?[0-9]+)?"


@dataclass(frozen=True, slots=True)
class DateNumber:
    """One kind of numeric date.

    Attributes
    ----------
    label
        In words, for the manifest.
    per_second
        Units per second; 0 for days since 1899-12-30, the serial numbers of spreadsheets.
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
    """Return the least and the greatest plausible number: up to the last date that is not in the future."""
    last = date.fromisoformat(last_date)
    if kind is _SERIAL:
        return _LEAST_SERIAL, min(_MOST_SERIAL, (last - _DAY_ZERO).days + 1)
    first, end = (int(datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp()) for d in (_FIRST_EPOCH, last))
    return first * kind.per_second, (end + 86_400) * kind.per_second


def _fits(text: str, kind: DateNumber, last_date: str) -> str:
    """Return the SQL of whether a text is a plausible number of a kind."""
    low, high = _bounds(kind, last_date)
    number = f"TRY_CAST(replace({text}, ',', '.') AS DOUBLE)"
    return f"(regexp_full_match({text}, '{_NUMBER}') AND {number} >= {int(low)} AND {number} < {int(high)})"


def as_date(text: str, kind: DateNumber, last_date: str) -> str:
    """Return the SQL that converts a number to text with date and time; other texts are unchanged.

    Seconds since 1970 become a time in UTC with Z, so that they are converted to local time like other such times.
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
    """Find the kind of numeric date with which nearly all values of a column are plausible.

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
        None if the column contains other dates, which its first rows usually show.
    """
    first = [t for t in opened.first(connection, text) if t]
    numbers = sum(t[:1].isdigit() and set(t) <= _CHARACTERS for t in first)
    if not first or numbers < _LEAST_SHARE * len(first):
        return None
    counts = ", ".join(f"count(*) FILTER (WHERE {_fits(text, kind, last_date)})" for kind in _KINDS)
    sql = f"SELECT count(*) FILTER (WHERE {text} <> ''), {counts} FROM {opened.scan}"
    given, *fit = connection.sql(sql).fetchall()[0]
    return next((kind for kind, rows in zip(_KINDS, fit, strict=True) if given and rows >= _LEAST_SHARE * given), None)
