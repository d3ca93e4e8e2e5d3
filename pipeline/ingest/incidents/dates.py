"""When: the date and time columns of a file examined as a whole, then read a batch at a time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.config import IncidentSource
from pipeline.ingest.formats.source import Opened
from pipeline.ingest.incidents import date_formats as dates
from pipeline.ingest.incidents.coded import coded
from pipeline.ingest.incidents.columns import Roles
from pipeline.ingest.incidents.quarantine import rule_code
from pipeline.storage.duckdb import literal

__all__ = ["DateColumn", "Moments", "Times", "Unsettled", "plan_moments"]

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
    """

    column: int
    separator: str
    day_first: bool | None
    date_format: str | None
    whole: bool
    note: str

    def more(self, name: str) -> dict[str, str]:
        """Expressions of the date and of the time behind it."""
        return {f"{name}_head": self.head, f"{name}_tail": self.tail}

    @property
    def head(self) -> str:
        """SQL of the date's text."""
        return _head(self.column, self.separator)

    @property
    def tail(self) -> str:
        """SQL of the text after the separator."""
        text = f"trim(c{self.column})"
        if not self.separator:
            return "''"
        at = f"strpos({text}, {literal(self.separator)})"
        return f"CASE WHEN {at} > 0 THEN substr({text}, {at} + 1) ELSE '' END"

    def read(self, text: str) -> dates.DateParts | None:
        """Read one text.

        Raises
        ------
        Unsettled
            If it is an a/b/year, and only the first rows were examined, which have none.
        """
        found = _read(text, self.day_first, self.date_format)
        if found is None and not self.whole and _read(text, True, None) != _read(text, False, None):
            raise Unsettled
        return found


@lru_cache(maxsize=_MEMO)
def _read(text: str, day_first: bool | None, date_format: str | None) -> dates.DateParts | None:  # noqa: FBT001 cached
    if date_format is not None:
        return dates.parse_stated(text, date_format)
    return dates.parse_date(text, day_first=day_first)


def _head(column: int, separator: str) -> str:
    return f"split_part(trim(c{column}), {literal(separator)}, 1)" if separator else f"trim(c{column})"


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

    def _rule(self, text: str, parts: dates.DateParts | None) -> int:
        if not text:
            return rule_code("date_missing")
        if parts is None:
            return rule_code("date_unreadable")
        if self.first_date and parts.iso < (self.first_date if parts.precision == "day" else self.first_date[:7]):
            return rule_code("date_early")
        return rule_code("date_future") if parts.iso > self.last_date else 0

    def _hours(self, column: Any) -> Any:
        times = coded(column)
        hours = [dates.parse_clock(v, style=self.time_style) for v in times.values]
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
        hhmm = self.time_column is not None and self.time_style == "hour" and dates.time_style(texts) == "hhmm"
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
    occurred = _plan_column(opened, roles.at["date"], source=source, connection=connection, whole=whole)
    recorded = None
    if "recorded" in roles.at:
        recorded = _plan_column(opened, roles.at["recorded"], source=source, connection=connection, whole=whole)

    def texts(expression: str) -> list[str]:
        return list(opened.distinct(connection, expression) if whole else opened.first(connection, expression))

    time_column, style, tail_is_time = roles.at.get("time"), "hour", False
    if time_column is not None:
        style = dates.time_style(texts(f"trim(c{time_column})"))
    elif occurred.separator:
        tails = [t for t in texts(occurred.tail) if t]
        # Midnight in every row is what a date turns into when it is saved as a date with time.
        tail_is_time = {dates.parse_clock(t, style="hhmm") for t in tails} - {0, None} != set()
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
    )


def _plan_column(opened: Opened, column: int, *, source: IncidentSource, connection: Any, whole: bool) -> DateColumn:
    what = f"{opened.name}, column {opened.columns[column]!r}"
    if source.date_format is not None:
        dates.check_format(source.date_format)
        return DateColumn(column, "", None, source.date_format, True, f"{source.date_format} (stated)")
    first = opened.first(connection, f"trim(c{column})")
    separator = dates.separator(first)
    exam = dates.examine(Counter(text.split(separator)[0] if separator else text for text in first))
    if whole or exam.day_first or exam.month_first or exam.either:
        whole = True
        exam = dates.examine(opened.distinct(connection, _head(column, separator)))
    order = dates.day_order(exam, stated=source.day_first, what=what)
    words = {
        None: "one reading only",
        True: f"day first ({exam.day_first} rows read no other way)",
        False: f"month first ({exam.month_first} rows read no other way)",
    }
    note = f"{words[order]}, stated" if source.day_first is not None else words[order]
    return DateColumn(column, separator, order, None, whole, note)
