"""Times of day: parsed from text with their UTC offset, and converted to the local time of the data.

Month, day and hour are in the local time of the place of the incident. A time with an offset from UTC (`Z`, `+02:00`)
is an instant, which has one local hour even when clocks change; a time without an offset is local.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Config

__all__ = ["DAY", "UTC_OFFSET", "Clock", "LocalTime", "local_time", "read_clock", "time_style"]

DAY, HOUR = 86_400, 3600
MOST_OFFSET = 15 * HOUR  # no time zone is farther from UTC; a larger number is not an offset

# Only ASCII digits: no tool that writes extracts uses others.
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:[.,]\d+)?)?\s*(?:(?P<half>[ap])\.?(?:m\b\.?)?(?![a-z]))?",
    re.IGNORECASE | re.ASCII,
)
_COMPACT = re.compile(r"(?P<hour>\d{2})(?P<minute>\d{2})(?:(?P<second>\d{2})(?:[.,]\d+)?)?(?=$|[Zz+-])", re.ASCII)
_HOUR_WORD = re.compile(r"(\d{1,2})\s*([ap])\.?m\.?", re.IGNORECASE | re.ASCII)
UTC_OFFSET = re.compile(
    r"\s*(?:(?P<utc>Z|UTC|GMT)?(?:(?P<sign>[+\u2212-])(?P<hours>\d{2})(?::?(?P<minutes>\d{2})(?::?\d{2})?)?)?)"
    r"(?:\[[^\]]*\])?(?!\w)",
    re.IGNORECASE | re.ASCII,
)
_MEMO = 1 << 17


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day in seconds (24:00 is 86,400: the next day), and its offset east of UTC; None if it has none."""

    seconds: int
    offset: int | None = None

    @property
    def hour(self) -> int:
        """The hour, 0 to 23."""
        return self.seconds % DAY // HOUR


def time_style(texts: Sequence[str]) -> str:
    """Return the meaning of bare numbers in a time column: ``hour`` (0 to 24) or ``hhmm`` (30 is 00:30)."""
    numbers = [t.strip() for t in texts if t.strip().isascii() and t.strip().isdigit()]
    return "hhmm" if any(len(n) > 2 or int(n) > 24 for n in numbers) else "hour"


@lru_cache(maxsize=_MEMO)
def read_clock(text: str, style: str) -> Clock | None:
    """Parse a time: 14:30, 2.30 pm, 2 p.m., 1430 or 14, also with seconds and an offset from UTC.

    Parameters
    ----------
    text
        The time.
    style
        The result of `time_style` for bare numbers.

    Returns
    -------
    clock
        None if the text is not a time.

    >>> read_clock("23:30:00+02:00", "hour")
    Clock(seconds=84600, offset=7200)
    """
    plain = text.strip().lstrip("Tt").strip()
    if plain.isascii() and plain.isdigit() and len(plain) != len("hhmmss"):
        number = int(plain)
        return _clock(*(divmod(number, 100) if style == "hhmm" else (number, 0)))
    if match := _CLOCK.match(plain) or _COMPACT.match(plain):
        found = match.groupdict()
        second, half = int(found["second"] or 0), (found.get("half") or "").casefold()
        return _clock(int(found["hour"]), int(found["minute"]), second, half, offset=read_offset(plain[match.end() :]))
    if match := _HOUR_WORD.fullmatch(plain):
        return _clock(int(match[1]), 0, half=match[2].casefold())
    return None


def read_offset(text: str) -> int | None:
    """Parse the offset from UTC at the start of a text, in seconds east; None if there is none.

    Only numeric offsets count: BST or EST are ambiguous, and such times stay local.

    >>> read_offset("Z"), read_offset(" +0530"), read_offset("-04"), read_offset(" BST")
    (0, 19800, -14400, None)
    """
    match = UTC_OFFSET.match(text)
    if match is None or not (match["utc"] or match["sign"]):
        return None
    east = int(match["hours"] or 0) * HOUR + int(match["minutes"] or 0) * 60
    return None if east > MOST_OFFSET else east if match["sign"] in {"+", None} else -east


def _clock(hour: int, minute: int, second: int = 0, half: str = "", *, offset: int | None = None) -> Clock | None:
    over = hour > 24 or (hour == 24 and (minute or second))
    if minute > 59 or second > 60 or over or (half and not 1 <= hour <= 12):
        return None
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    # A leap second counts in the minute at whose end it occurs.
    return Clock(hour * HOUR + minute * 60 + min(second, 59), offset)


# Local time of instants, as arrays of integers.

# Working systems of countries with one time zone; others may cover several.
_ZONES = {27700: "Europe/London", 2157: "Europe/Dublin", 29902: "Europe/Dublin"}


@dataclass(frozen=True)
class LocalTime:
    """The local time of the data.

    Attributes
    ----------
    name
        IANA name of the zone; empty if unknown.
    why
        Source of the name, for the manifest.
    """

    name: str
    why: str = ""

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone; UTC if unknown."""
        return ZoneInfo(self.name or "UTC")

    def seconds(self, instants: NDArray[np.int64]) -> NDArray[np.int64]:
        """Convert instants to local time: seconds since 1970-01-01 00:00, from UTC to local.

        >>> LocalTime("Europe/London").seconds(np.array([1_719_790_200])) - 1_719_790_200
        array([3600])
        """
        if not len(instants):
            return instants
        first, last = (datetime.fromtimestamp(int(t), UTC).year for t in (instants.min(), instants.max()))
        changes = [(_start(first), _offset(self.zone, _start(first)))]
        for year in range(first, last + 1):
            changes += _changes(self.zone, year)
        at, offsets = np.array(changes, dtype=np.int64).T
        shown: NDArray[np.int64] = instants + offsets[np.searchsorted(at, instants, side="right") - 1]
        return shown


@lru_cache(maxsize=8)
def _of_system(working: str) -> str:
    import pyproj

    return _ZONES.get(pyproj.CRS.from_user_input(working).to_epsg() or 0, "")


def local_time(config: Config) -> LocalTime:
    """Return the local time of a run: `run.time_zone`, otherwise that of the working system if known."""
    if config.run.time_zone:
        return LocalTime(config.run.time_zone, "run.time_zone")
    return LocalTime(_of_system(config.crs.working), f"the usual zone of {config.crs.working}")


def _start(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def _offset(zone: ZoneInfo, instant: int) -> int:
    east = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=instant)).astimezone(zone).utcoffset()
    return 0 if east is None else round(east.total_seconds())


@lru_cache(maxsize=1024)
def _changes(zone: ZoneInfo, year: int) -> list[tuple[int, int]]:
    """Return the instants of a year at which clocks change, and the offset from then on."""
    found = []
    days = range(_start(year), _start(year + 1) + 1, DAY)
    before = _offset(zone, days[0])
    for day in days[1:]:
        after = _offset(zone, day)
        if after != before:
            early, late = day - DAY, day  # the change is on this day: bisect down to the second
            while late - early > 1:
                middle = (early + late) // 2
                early, late = (middle, late) if _offset(zone, middle) == before else (early, middle)
            found.append((late, after))
        before = after
    return found
