"""Months that the data lacks: which, of which source, and the sentences that name them.

Nothing that is summed over such a month is whole. Where nothing is known at all there is no number, never a zero.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any, Self

import pandas as pd

from pipeline.domain.periods import Period, months_between

__all__ = ["MissingMonths", "Span", "month_names", "without_months"]

_NAMED = 6  # stretches of months named in one sentence; quality.json lists every month


@dataclass(frozen=True, slots=True)
class MissingMonths:
    """Months by source that hold no data, or data of a part of the month.

    Attributes
    ----------
    missing
        Source to the months (yyyymm) that it did not send.
    incomplete
        Source to the months that its rows cover in part: those that its data begins and ends in.
    uneven
        Months that one source lacks while another has rows: what is drawn of them would be the other's area alone.

    Examples
    --------
    >>> lacking = MissingMonths({"police": (202506,)}, {"police": (202601,)})
    >>> sorted(lacking.months)
    [202506, 202601]
    >>> lacking.sentences(Period.parse("2025-02..2025-12"))
    ('June 2025 is missing from "police": counts over it are incomplete.',)
    """

    missing: Mapping[str, Sequence[int]] = field(default_factory=dict)
    incomplete: Mapping[str, Sequence[int]] = field(default_factory=dict)
    uneven: frozenset[int] = frozenset()

    @property
    def months(self) -> frozenset[int]:
        """Every month that some source lacks: what one source lacks, the sum of all lacks."""
        return frozenset(m for table in (self.missing, self.incomplete) for months in table.values() for m in months)

    @property
    def absent(self) -> frozenset[int]:
        """Months that some source did not send at all."""
        return frozenset(m for months in self.missing.values() for m in months)

    def within(self, periods: Iterable[Period]) -> Self:
        """Keep the months that lie in one of the periods."""
        inside = list(periods)

        def kept(table: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
            some = {
                name: tuple(m for m in months if any(p.first_month <= m <= p.last_month for p in inside))
                for name, months in table.items()
            }
            return {name: months for name, months in some.items() if months}

        return type(self)(kept(self.missing), kept(self.incomplete), self.uneven)

    def sentences(self, *periods: Period) -> tuple[str, ...]:
        """Name the months, one sentence for each source; of the periods alone where some are given."""
        chosen = self.within(periods) if periods else self
        said = []
        for table, state in ((chosen.missing, "missing from"), (chosen.incomplete, "incomplete in")):
            for name, months in sorted(table.items()):
                if months:
                    be, them = ("is", "it") if len(months) == 1 else ("are", "them")
                    said.append(f'{month_names(months)} {be} {state} "{name}": counts over {them} are incomplete.')
        return tuple(said)

    def plain(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        tables = {"missing": self.missing, "incomplete": self.incomplete}
        return {
            kind: {name: [Period(m, m).id for m in months] for name, months in sorted(table.items()) if months}
            for kind, table in tables.items()
        } | {"uneven": [Period(m, m).id for m in sorted(self.uneven)]}

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> Self:
        """Read what `plain` gave."""

        def read(kind: str) -> dict[str, tuple[int, ...]]:
            return {name: tuple(Period.parse(m).first_month for m in months) for name, months in values[kind].items()}

        uneven = frozenset(Period.parse(m).first_month for m in values["uneven"])
        return cls(read("missing"), read("incomplete"), uneven)


@dataclass(frozen=True, slots=True)
class Span:
    """First and last day that counts are given for, and the months in between that some source lacks."""

    first: date
    last: date
    lacking: MissingMonths = field(default_factory=MissingMonths)

    def plain(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"first": self.first.isoformat(), "last": self.last.isoformat(), **self.lacking.plain()}

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> "Span":
        """Read what `plain` gave."""
        first, last = (date.fromisoformat(values[name]) for name in ("first", "last"))
        return cls(first, last, MissingMonths.restored(values))


def without_months(rows: pd.DataFrame, months: Collection[int]) -> pd.DataFrame:
    """Return the rows of a table with a column `month` that lie in none of some months."""
    return rows[~rows["month"].isin(list(months))].reset_index(drop=True) if months else rows


def month_names(months: Iterable[int]) -> str:
    """Write months for readers; three or more in a row as a stretch.

    >>> month_names([202403, 202404, 202506])
    'March 2024, April 2024 and June 2025'
    >>> month_names([202403, 202404, 202405])
    'March 2024 to May 2024'
    """
    ordered = sorted(set(months))
    if not ordered:
        return ""
    # Months that follow each other keep the same distance from their place in the list.
    first = ordered[0]
    runs = [
        [month for _, month in run]
        for _, run in groupby(enumerate(ordered), key=lambda pair: months_between(first, pair[1]) - pair[0])
    ]
    names: list[str] = []
    for run in runs:
        ends = [Period(m, m).label for m in (run[0], run[-1])]
        names += [" to ".join(ends)] if len(run) >= 3 else [Period(m, m).label for m in run]
    more = len(names) - _NAMED
    if more > 0:
        names = [*names[:_NAMED], f"{more} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
