"""What becomes of a row, and the account of a file: the rules that refuse rows, and what was read, kept and met.

A rule is one entry of `RULES`: its name, its place in the order, and the reason that the quarantine gives. The module
that checks it (`dates`, `places`, `read`) sets its code on the rows that break it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["PLACE_RULES", "RULES", "PartReport", "decisions", "is_street_file", "rule_code"]


# The rules that refuse a row, in the order in which they are applied, and their reasons in words.


RULES: dict[str, str] = {
    "malformed": "The row cannot be read: it has more or fewer cells than columns, or its quotes do not close.",
    "geometry": "The geometry is not a point.",
    "date_missing": "No date is given.",
    "date_unreadable": "The date is none in the form of this column.",
    "date_early": "The date is before the first one accepted (first_date).",
    "date_future": "The date is after the day of the extract (last_date).",
    "date_outlier": "The date lies far after those of all other rows of the source.",
    "category_unknown": "A category is given that is not in the configuration.",
    "coordinates_half": "One coordinate is given without the other.",
    "coordinates_unreadable": "A coordinate is not a number.",
    "not_finite": "A coordinate is not a finite number.",
    "zero": "Both coordinates are 0, which stands for no place.",
    "swapped": "The coordinates lie in the areas only if they are exchanged.",
    "far": "The place is more than 50 km from every area, or outside the extent given for the source.",
}
PLACE_RULES = ("geometry", "coordinates_half", "coordinates_unreadable", "not_finite", "zero", "swapped", "far")

_CODES = {name: code for code, name in enumerate(RULES, start=1)}


def rule_code(name: str) -> int:
    """Return the number of a rule; 0 stands for a row that none refuses."""
    return _CODES[name]


@dataclass(frozen=True, slots=True)
class PartReport:
    """The account of one file, before ids repeated across files are settled.

    Attributes
    ----------
    source
        Label of the file, as in the `source` column.
    rows_read, incidents
        Rows of the file, and rows kept. ``rows_read == incidents + sum(quarantined.values()) + left_out``.
    left_out, where
        Rows that `incidents[].where` leaves out, and rows by text of each column that it names.
    quarantined
        Refused rows by rule.
    places
        Kept rows by place: point, outside, area, borough, none.
    online, snapped, month_only, without_id
        Kept rows that happened online, were given to the nearest area, have no day, have no id.
    lost_places
        Rows refused for their place, by month (yyyymm; 0 where the date is lost too): they count against the
        geocode hit rate.
    unknown_categories, unknown_boroughs, unknown_areas
        Texts that matched nothing, with rows; `unknown_areas` are codes of wards, LSOAs and MSOAs in rows without a
        point.
    labels
        Ids and labels of categories made from the texts themselves (no categories configured).
    unreadable
        Values of optional columns that could not be read, by column; their rows are kept.
    ward_checks
        `compared` and `same`: how often the ward the source names is the one the point is in. `outside`: rows that
        name a ward although their point lies outside all areas. `unused`: rows without a point that name one in a
        column that no setting names.
    first_date, last_date
        ISO dates of the kept rows; empty if there are none.
    has_outcomes
        Whether outcomes can be classed (an outcome column and `positive_outcomes`).
    decisions
        What was recognised or settled, for the manifest.
    faults
        Why rows were refused: rule, column, rows, three examples and the likely cause of each fault.
    misplaced
        What is probably wrong with the points, where nearly all lie beyond the areas; empty otherwise.
    cautions
        What should be looked at before the outputs are used, in sentences.
    """

    source: str
    rows_read: int = 0
    incidents: int = 0
    left_out: int = 0
    where: dict[str, dict[str, int]] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    online: int = 0
    snapped: int = 0
    month_only: int = 0
    without_id: int = 0
    lost_places: dict[int, int] = field(default_factory=dict)
    unknown_categories: dict[str, int] = field(default_factory=dict)
    unknown_boroughs: dict[str, int] = field(default_factory=dict)
    unknown_areas: dict[str, int] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, int] = field(default_factory=dict)
    ward_checks: dict[str, int] = field(default_factory=dict)
    first_date: str = ""
    last_date: str = ""
    has_outcomes: bool = False
    decisions: dict[str, Any] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    misplaced: str = ""
    cautions: list[str] = field(default_factory=list)

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> "PartReport":
        """Make a report from its values as JSON keeps them: keys that are months come back as whole numbers."""
        return cls(**{**values, "lost_places": {int(m): n for m, n in values["lost_places"].items()}})


def is_street_file(report: PartReport) -> bool:
    """Whether a file has the columns of police.uk's street files, which list one crime at several places."""
    names = {str(text).rpartition(" (")[0] for text in report.decisions.get("columns", {}).values()}
    return {"Crime ID", "Month", "Crime type", "Last outcome category"} <= names


_DECISIONS = ("encoding", "delimiter", "coordinates", "operation", "dates", "times")


def decisions(parts: Sequence[PartReport]) -> dict[str, str]:
    """Return what was recognised or settled on reading, once for each distinct decision, for the manifest."""
    found = {key: sorted({str(p.decisions[key]) for p in parts if p.decisions.get(key)}) for key in _DECISIONS}
    return {f"reading_{key}": "; ".join(seen) for key, seen in found.items() if seen}
