"""Row accounting of a file: the rules that refuse rows, the numbers of rows read and kept, and other findings.

A rule is one entry of `RULES`: its name, its position in the order, and the reason given in the quarantine. The module
that checks it (`dates`, `places`, `read`) sets its code on the rows that break it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import IncidentSource
from pipeline.ingest.formats.files import FAULT, GEOMETRY_X, GEOMETRY_Y, Opened
from pipeline.ingest.incidents.columns import Roles

__all__ = [
    "PLACE_RULES",
    "RULES",
    "FaultLog",
    "PartReport",
    "decisions",
    "fault_sentences",
    "is_street_file",
    "merged_faults",
    "rule_code",
]


# The rules that refuse a row, in the order in which they are applied, and their reasons.

RULES: dict[str, str] = {
    "malformed": "The row cannot be read: it has more or fewer cells than columns, or its quotes do not close.",
    "geometry": "The geometry is not a point.",
    "date_missing": "There is no date.",
    "date_unreadable": "The date does not have the format of this column.",
    "date_early": "The date is before the first one accepted (first_date).",
    "date_future": "The date is after the day of the extract (last_date).",
    "date_outlier": "The date is far after those of all other rows of the source.",
    "category_unknown": "The category is not in the configuration.",
    "coordinates_half": "One coordinate is given without the other.",
    "coordinates_unreadable": "A coordinate is not a number.",
    "not_finite": "A coordinate is not a finite number.",
    "zero": "Both coordinates are 0, which means an unknown location.",
    "swapped": "The coordinates are inside the areas only if they are swapped.",
    "far": "The location is more than 50 km from every area, or outside the extent of the source.",
}
PLACE_RULES = ("geometry", "coordinates_half", "coordinates_unreadable", "not_finite", "zero", "swapped", "far")

_CODES = {name: code for code, name in enumerate(RULES, start=1)}


def rule_code(name: str) -> int:
    """Return the number of a rule; 0 means that no rule refuses the row."""
    return _CODES[name]


@dataclass(frozen=True, slots=True)
class PartReport:
    """The account of one file, before ids repeated across files are resolved.

    Attributes
    ----------
    source
        Label of the file, as in the `source` column.
    rows_read, incidents
        Rows of the file, and rows kept. ``rows_read == incidents + sum(quarantined.values()) + left_out``.
    left_out, where
        Rows that `incidents[].where` leaves out, and the number of rows by text of each of its columns.
    quarantined
        Refused rows by rule.
    places
        Kept rows by place: point, outside, area, borough, none.
    online, snapped, month_only, without_id
        Kept rows that happened online, were assigned to the nearest area, have no day, have no id.
    lost_places
        Rows refused because of their location, by month (yyyymm; 0 if the date is unknown too): they lower the geocode
        hit rate.
    unknown_categories, unknown_boroughs, unknown_areas
        Texts that matched nothing, with their number of rows; `unknown_areas` are codes of wards, LSOAs and MSOAs in
        rows without a point.
    labels
        Ids and labels of categories created from the texts themselves (if no categories are configured).
    unreadable
        Values of optional columns that could not be read, by column; their rows are kept.
    intervals
        Rows by how the times between which they happened were used, if two columns give them.
    ward_checks
        `compared` and `same`: rows with both a ward and a point, and those in which they agree. `outside`: rows with a
        ward whose point is outside all areas. `unused`: rows without a point that have a ward in a column that no
        setting names.
    postcodes, postcode_examples
        What the column of postcodes holds, by state, over all rows, and texts that do not locate a row with their
        number of rows (see `postcodes.PostcodeProfile`); empty if there is no such column.
    first_date, last_date
        ISO dates of the kept rows; empty if there are none.
    has_outcomes
        Whether outcomes can be classed (an outcome column and `positive_outcomes`).
    decisions
        What was recognised or decided, for the manifest.
    faults
        Why rows were refused: rule, column, rows, three examples and the likely cause of each fault.
    misplaced
        The probable mistake in the points if nearly all are outside the areas; empty otherwise.
    outside
        Lines above the header and below the data, which are no rows: number, text, and `above` or `below`.
    cautions
        Cautions to read before the outputs are used, as sentences.
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
    intervals: dict[str, int] = field(default_factory=dict)
    ward_checks: dict[str, int] = field(default_factory=dict)
    postcodes: dict[str, int] = field(default_factory=dict)
    postcode_examples: dict[str, dict[str, int]] = field(default_factory=dict)
    first_date: str = ""
    last_date: str = ""
    has_outcomes: bool = False
    decisions: dict[str, Any] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    misplaced: str = ""
    outside: list[dict[str, Any]] = field(default_factory=list)
    cautions: list[str] = field(default_factory=list)

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> "PartReport":
        """Create a report from its JSON values: keys that are months become integers again."""
        return cls(**{**values, "lost_places": {int(m): n for m, n in values["lost_places"].items()}})


def is_street_file(report: PartReport) -> bool:
    """Whether a file has the columns of police.uk's street files, which list one crime at several places."""
    names = {str(text).rpartition(" (")[0] for text in report.decisions.get("columns", {}).values()}
    return {"Crime ID", "Month", "Crime type", "Last outcome category"} <= names


_DECISIONS = ("encoding", "delimiter", "list", "coordinates", "operation", "dates", "times")


def decisions(parts: Sequence[PartReport]) -> dict[str, str]:
    """Return what was recognised or decided while reading, once for each distinct decision, for the manifest."""
    found = {key: sorted({str(p.decisions[key]) for p in parts if p.decisions.get(key)}) for key in _DECISIONS}
    return {f"reading_{key}": "; ".join(seen) for key, seen in found.items() if seen}


# Why rows fail: the column, the rule, the number of rows, three values as read, and the probable cause.

EXAMPLES = 3
_LOOKED_AT = 1000
_NEARLY_ALL = 0.9

# Common patterns of failing texts, as regular expressions that work the same in the database and in Python.
_MARKS = {
    "comma": r",",
    "grid": r"^ *[A-Za-z]{2} ?\d[\d ,]+$",
    "postcode": r"(?i)^ *[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2} *$",
    "degrees": r"[°º˚′″]|^[NSEWnsew] ?\d|\d ?[NSEWnsew]$",
    "words": r"^[A-Za-z][A-Za-z /_-]*$",
    "serial": r"^[2-5]\d{4}(\.\d+)?$",
    "milliseconds": r"^\d{13}(\.0)?$",
    "seconds": r"^\d{10}(\.0)?$",
}
_PLACED = frozenset({"not_finite", "zero", "swapped", "far"})
_NAMES = tuple(RULES)


@dataclass(slots=True)
class _Fault:
    rows: int = 0
    examples: list[str] = field(default_factory=list)
    marks: Counter[str] = field(default_factory=Counter)
    looked_at: int = 0

    def add(self, texts: Any) -> None:
        self.rows += len(texts)
        # Counted over every failing value; examples and patterns are taken from the first values of each batch.
        some = pc.fill_null(texts.slice(0, _LOOKED_AT), "")
        self.looked_at += len(some)
        for mark, pattern in _MARKS.items():
            self.marks[mark] += int(pc.sum(pc.match_substring_regex(some, pattern)).as_py() or 0)
        if len(self.examples) <= EXAMPLES:
            for text in pc.unique(some).to_pylist():
                if text not in self.examples and len(self.examples) <= EXAMPLES:
                    self.examples.append(text)

    def mostly(self, mark: str) -> bool:
        """Whether nearly all failing values match a pattern."""
        return self.looked_at > 0 and self.marks[mark] >= _NEARLY_ALL * self.looked_at


@dataclass(slots=True)
class FaultLog:
    """Collects the faults of one file while it is read.

    Attributes
    ----------
    opened, roles, source
        The file, its columns and its settings.
    key
        Position of the source in the configuration: `incidents[0]`.
    last_date
        Date after which dates count as future dates.
    coordinates
        Positions of the two columns of coordinates; None if the location is a geometry, or there is none.
    """

    opened: Opened
    roles: Roles
    source: IncidentSource
    key: str
    last_date: str
    coordinates: tuple[int, int] | None
    found: dict[tuple[str, str], _Fault] = field(default_factory=dict)

    def add(self, table: Any, rule: NDArray[np.int8], axes: NDArray[np.int8]) -> None:
        """Add the refused rows of a batch, with their rule and the coordinates at fault (1, 2, or 3 for both)."""
        for code in np.unique(rule[rule != 0]).tolist():
            name = _NAMES[code - 1]
            for column, texts in self._cells(name, table, np.flatnonzero(rule == code), axes):
                if len(texts):
                    self.found.setdefault((name, column), _Fault()).add(texts)

    def _cells(
        self, rule: str, table: Any, rows: NDArray[np.int64], axes: NDArray[np.int8]
    ) -> Iterator[tuple[str, Any]]:
        """Yield the columns at fault with their texts in the refused rows."""
        chosen = table.take(pa.array(rows))
        if rule == "malformed":
            yield "", _texts(chosen[FAULT])
        elif rule == "geometry":
            yield "the geometry", pa.array([""] * len(rows), pa.string())
        elif rule.startswith("date"):
            yield self._name("date"), _texts(chosen[f"c{self.roles.at['date']}"])
        elif rule == "category_unknown":
            at = self.roles.at.get("category")
            yield self._name("category"), _texts(chosen[f"c{at}"]) if at is not None else pa.nulls(0, pa.string())
        elif self.coordinates is None:
            yield "the geometry", _pairs(chosen[GEOMETRY_X], chosen[GEOMETRY_Y])
        elif rule in _PLACED or len(set(self.coordinates)) == 1:
            names = dict.fromkeys(self.opened.columns[c] for c in self.coordinates)
            texts = [chosen[f"c{c}"] for c in dict.fromkeys(self.coordinates)]
            yield " and ".join(names), _pairs(*texts) if len(texts) > 1 else _texts(texts[0])
        else:
            for axis, column in enumerate(self.coordinates):
                here = pa.array((axes[rows] & (axis + 1)) != 0)
                yield self.opened.columns[column], _texts(chosen[f"c{column}"]).filter(here)

    def _name(self, role: str) -> str:
        at = self.roles.at.get(role)
        return "" if at is None else self.opened.columns[at]

    def report(self, *, place_cause: str) -> list[dict[str, Any]]:
        """Return rule, column, rows, examples and likely cause of every fault; `place_cause` is that of far points."""
        out = []
        for (rule, column), fault in sorted(self.found.items(), key=lambda f: (_NAMES.index(f[0][0]), f[0][1])):
            cause = place_cause if rule in {"far", "swapped"} and place_cause else self._cause(rule, column, fault)
            values = [e for e in fault.examples[:EXAMPLES] if e]
            out.append({"rule": rule, "column": column, "rows": fault.rows, "examples": values, "cause": cause})
        return out

    def _cause(self, rule: str, column: str, fault: _Fault) -> str:
        every = f"all {fault.rows:,} values of `{column}`" if fault.rows > 1 else f"the value of `{column}`"
        if rule == "date_unreadable":
            return self._of_dates(column, fault)
        if rule == "coordinates_unreadable":
            return self._of_coordinates(every, column, fault)
        return {
            "date_missing": f"`{column}` is blank there; if another column holds the date, name it in "
            f"{self.key}.columns.date",
            "date_early": f"they are before {self.key}.first_date ({self.source.first_date}): change it if they belong "
            "to the data",
            "date_future": f"they are after {self.last_date}: correct them, or set {self.key}.last_date and check "
            f"{self.key}.day_first",
            "category_unknown": "no category matches them: add them to categories.tree, or set categories.unknown to "
            "ignore",
            "coordinates_half": "one coordinate is given, the other is blank: export both or neither",
            "zero": "0,0 or all nines mean an unknown location: leave the cells empty, or give the borough or ward "
            f"in {self.key}.columns",
            "swapped": f"they lie in the areas if the two are exchanged: exchange the columns in {self.key}.columns",
            "far": "they are neither in the areas nor within 50 km of them: check the columns of coordinates and "
            f"{self.key}.crs",
            "geometry": "lines, polygons and collections are not locations of incidents: export points",
        }.get(rule, "")

    def _of_dates(self, column: str, fault: _Fault) -> str:
        if self.source.date_format is not None:
            return f"they do not fit {self.key}.date_format ({self.source.date_format!r}): correct it or leave it out"
        shown = fault.examples[0]
        if fault.mostly("serial"):
            when = date(1899, 12, 30) + timedelta(days=int(float(shown)))
            return (
                f"spreadsheet serial numbers ({shown} is {when.isoformat()}): format `{column}` as yyyy-mm-dd in the "
                "spreadsheet and export it again"
            )
        if fault.mostly("milliseconds") or fault.mostly("seconds"):
            unit = "milliseconds" if fault.mostly("milliseconds") else "seconds"
            return f"{unit} since 1970 (epoch times): export `{column}` as dates (yyyy-mm-dd)"
        if words := self._of_words(column, fault):
            return words
        return f"they have no known date format: set {self.key}.date_format, for example %d/%m/%Y"

    def _of_coordinates(self, every: str, column: str, fault: _Fault) -> str:
        if len(set(self.coordinates or ())) == 1 or fault.mostly("grid"):
            if len(set(self.coordinates or ())) == 1:
                return "they are not OS grid references of two letters and 2 to 10 figures, such as TQ 29810 80460"
            return f"{every} look like OS grid references: name the column in {self.key}.columns.grid_reference"
        if fault.mostly("postcode"):
            return (
                f"{every} look like postcodes, which are not coordinates: name the column in "
                f"{self.key}.columns.postcode and a lookup in geocode.postcodes, or set columns of points or wards"
            )
        if fault.mostly("comma"):
            return (
                f"{every} contain a comma: set {self.key}.thousands to ',' or {self.key}.decimal to ',', or correct "
                "what else they hold"
            )
        if fault.mostly("degrees"):
            return f"{every} look like degrees: name the columns in {self.key}.columns.lon and lat, without `crs`"
        return self._of_words(column, fault) or f"`{column}` has values that are not numbers: correct the export"

    def _of_words(self, column: str, fault: _Fault) -> str:
        few = len(fault.examples) <= EXAMPLES and fault.mostly("words")
        return f"if they mean that `{column}` is not known, add them to {self.key}.missing_values" if few else ""


def _texts(column: Any) -> Any:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], pa.string())
    return pc.fill_null(pc.cast(whole, pa.string()), "")


def _pairs(first: Any, second: Any) -> Any:
    return pc.binary_join_element_wise(_texts(first), _texts(second), ", ")


def merged_faults(parts: Iterable[Any]) -> list[dict[str, Any]]:
    """Combine the faults of files: those with the same rule, column and cause are one, with examples of the first file.

    Causes that contain a number of rows are taken from the file with the most.
    """
    held: dict[tuple[str, str, str], dict[str, Any]] = {}
    for part in parts:
        for fault in part.faults:
            key = fault["rule"], fault["column"], re.sub(r"all [\d,]+", "all", fault["cause"])
            if key not in held:
                held[key] = {**fault, "files": 1}
                continue
            one = held[key]
            one["rows"] += fault["rows"]
            one["files"] += 1
            one["examples"] = list(dict.fromkeys([*one["examples"], *fault["examples"]]))[:EXAMPLES]
            one["cause"] = re.sub(r"all [\d,]+ values", f"all {one['rows']:,} values", one["cause"])
    return sorted(held.values(), key=lambda f: (-f["rows"], f["rule"], f["column"]))


def fault_sentences(faults: Sequence[Mapping[str, Any]], *, most: int = 5) -> str:
    """Return the faults and their causes, for a message: `rule 300 (column `x`, such as 'a', 'b', 'c'; cause)`."""
    said = []
    for fault in faults[:most]:
        column = fault["column"]
        named = "" if not column else column if column.startswith("the ") else f"column '{column}'"
        shown = ", ".join(map(repr, fault["examples"]))
        where = " ".join(w for w in (named, f"such as {shown}" if shown else "") if w)
        about = "; ".join(w for w in (where, fault["cause"]) if w)
        said.append(f"{fault['rule']} {fault['rows']}" + (f" ({about})" if about else ""))
    more = len(faults) - most
    return ", ".join(said) + (f" and {more} more" if more > 0 else "")
