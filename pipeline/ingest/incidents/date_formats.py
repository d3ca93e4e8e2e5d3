"""Recognise dates and times in the texts of a column.

A date such as 03/04/2025 means two days. The whole column is examined: one value that reads only one way settles
all of them, and a column that stays open is refused, never guessed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pipeline.errors import ConfigError, InputError

__all__ = [
    "DateExam",
    "DateParts",
    "check_format",
    "day_order",
    "examine",
    "parse_clock",
    "parse_date",
    "parse_stated",
    "separator",
    "time_style",
]

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


def separator(sample: Iterable[str]) -> str:
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
