"""The account of one input file: what was read, kept, refused, and what was met on the way."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.ingest.incidents.dates import Times
from pipeline.ingest.incidents.places import PLACES, Placed
from pipeline.ingest.incidents.quarantine import PLACE_RULES, RULES, rule_code

__all__ = ["PartReport", "Tally"]

_PLACE_CODES = np.array([rule_code(name) for name in PLACE_RULES], dtype=np.int8)


@dataclass(frozen=True, slots=True)
class PartReport:
    """The account of one file, before ids repeated across files are settled.

    Attributes
    ----------
    source
        Label of the file, as in the `source` column.
    rows_read, incidents
        Rows of the file, and rows kept. ``rows_read == incidents + sum(quarantined.values())``.
    quarantined
        Refused rows by rule.
    places
        Kept rows by place: point, outside, borough, none.
    online, snapped, month_only, without_id
        Kept rows that happened online, were given to the nearest area, have no day, have no id.
    lost_places
        Rows refused for their place, by month (yyyymm; 0 where the date is lost too): they count against the
        geocode hit rate.
    unknown_categories, unknown_boroughs
        Texts that matched nothing, with rows.
    labels
        Ids and labels of categories made from the texts themselves (no categories configured).
    unreadable
        Values of optional columns that could not be read, by column; their rows are kept.
    ward_checks
        `compared` and `same`: how often the ward the source names is the one the point is in.
    first_date, last_date
        ISO dates of the kept rows; empty if there are none.
    has_outcomes
        Whether outcomes can be classed (an outcome column and `positive_outcomes`).
    decisions
        What was recognised or settled, for the manifest.
    """

    source: str
    rows_read: int = 0
    incidents: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    online: int = 0
    snapped: int = 0
    month_only: int = 0
    without_id: int = 0
    lost_places: dict[int, int] = field(default_factory=dict)
    unknown_categories: dict[str, int] = field(default_factory=dict)
    unknown_boroughs: dict[str, int] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, int] = field(default_factory=dict)
    ward_checks: dict[str, int] = field(default_factory=dict)
    first_date: str = ""
    last_date: str = ""
    has_outcomes: bool = False
    decisions: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> "PartReport":
        """Make a report from its values as JSON keeps them: keys that are months come back as whole numbers."""
        return cls(**{**values, "lost_places": {int(m): n for m, n in values["lost_places"].items()}})


@dataclass(slots=True)
class Tally:
    """The account while it grows."""

    rows: int = 0
    kept: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    lost: Counter[int] = field(default_factory=Counter)
    online: int = 0
    snapped: int = 0
    month_only: int = 0
    without_id: int = 0
    first: str = ""
    last: str = ""

    def add(
        self,
        times: Times,
        placed: Placed,
        *,
        online: NDArray[np.bool_],
        rule: NDArray[np.int8],
        own_id: NDArray[np.bool_],
    ) -> None:
        """Count a batch."""
        good = rule == 0
        self.rows += len(rule)
        self.kept += int(good.sum())
        self.online += int((online & good).sum())
        self.snapped += int((placed.snapped & good).sum())
        self.without_id += int((~own_id & good).sum())
        for name, count in zip(RULES, np.bincount(rule, minlength=len(RULES) + 1)[1:], strict=True):
            self.rules[name] += int(count)
        for name, count in zip(PLACES, np.bincount(placed.place_code[good], minlength=len(PLACES)), strict=True):
            self.places[name] += int(count)
        months, counts = np.unique(times.month[np.isin(rule, _PLACE_CODES)], return_counts=True)
        self.lost.update({int(m): int(n) for m, n in zip(months, counts, strict=True)})
        kept_dates = times.occurred_on.filter(good)
        if len(kept_dates):
            self.month_only += int(pc.sum(pc.equal(times.precision.filter(good), "month")).as_py())
            span = pc.min_max(kept_dates).as_py()
            self.first = min(self.first or span["min"], span["min"])
            self.last = max(self.last, span["max"])
