"""The role of each column: named in the configuration, or recognised under its usual names."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import IncidentSource
from pipeline.errors import InputError
from pipeline.ingest.formats.files import Opened, find_columns, require_long
from pipeline.ingest.formats.header import Layout
from pipeline.storage.duckdb import literal

__all__ = [
    "USUAL_NAMES",
    "Coded",
    "Detailed",
    "Details",
    "Roles",
    "cell_text",
    "coded",
    "find_roles",
    "layout_of",
    "missing_texts",
    "plan_details",
    "role_columns",
    "strings",
]


# A column of a batch as distinct texts and codes, so that work is done once for each text and not for each row.


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Texts, trimmed; a missing value is empty."""

    codes: NDArray[np.int32]
    values: tuple[str, ...]

    def flags(self, test: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Apply a test to every row."""
        return np.fromiter((test(v) for v in self.values), dtype=bool, count=len(self.values))[self.codes]

    def numbers(self, number: Callable[[str], int]) -> NDArray[np.int32]:
        """Apply a function to every row."""
        return np.fromiter((number(v) for v in self.values), dtype=np.int32, count=len(self.values))[self.codes]

    def texts(self, text: Callable[[str], str | None]) -> Any:
        """Apply a function to every row; an Arrow array of texts, null for None."""
        return strings([text(v) for v in self.values], self.codes)

    def counts(self) -> dict[str, int]:
        """Rows per text."""
        rows = np.bincount(self.codes, minlength=len(self.values))
        out: dict[str, int] = {}
        for value, count in zip(self.values, rows, strict=True):
            if count:
                out[value] = out.get(value, 0) + int(count)
        return out


def coded(column: Any, missing: frozenset[str] = frozenset()) -> Coded:
    """Encode an Arrow column of texts; texts for a missing value (see `missing_texts`) become empty."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], pa.string())
    # A batch of 131,072 rows has a few hundred distinct texts per column: Python processes only these.
    made = whole.dictionary_encode()
    values = [" ".join(v.split()) for v in made.dictionary.to_pylist()]
    if missing:
        values = ["" if v.casefold() in missing else v for v in values]
    codes = np.asarray(made.indices.fill_null(len(values)), dtype=np.int32)
    return Coded(codes, (*values, ""))


def strings(values: Sequence[str | None], codes: NDArray[Any]) -> Any:
    """Expand distinct texts to rows as an Arrow array."""
    return pa.array(values, pa.string()).take(pa.array(codes))


_LIST_MARK = chr(31)
_SPACES_AROUND = 8  # a missing value with more spaces than this around it is read as text


def missing_texts(source: IncidentSource) -> frozenset[str]:
    """Return the texts for a missing value, in lower case: as given, and with single spaces as in encoded columns."""
    given = [v.strip().casefold() for v in source.missing_values]
    return frozenset((*given, *(" ".join(v.split()) for v in given))) - {""}


def cell_text(column: int, missing: frozenset[str]) -> str:
    """Return the SQL of a cell's text, trimmed; empty if it means a missing value."""
    text = f"trim(c{column})"
    if not missing:
        return text
    # Long cells are skipped. The texts are looked up in one string: `IN` and `list_contains` become a join if there are
    # many, which loses the order of the rows.
    listed = literal(_LIST_MARK + _LIST_MARK.join(sorted(missing)) + _LIST_MARK)
    held = f"contains({listed}, {literal(_LIST_MARK)} || lower({text}) || {literal(_LIST_MARK)})"
    longest = int(max(map(len, missing)) + _SPACES_AROUND)
    return f"CASE WHEN length(c{column}) > {longest} THEN {text} WHEN {held} THEN '' ELSE {text} END"


# In order of preference; compared in lower case, with everything but letters and digits replaced by an underscore.
USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "id": (
        "crime_id",
        "incident_id",
        "id",
        "crime_number",
        "crime_no",
        "crime_reference",
        "crime_ref",
        "crime_report_no",
        "incident_number",
        "incident_no",
        "incident_ref",
        "reference",
        "urn",
        "case_number",
        "case_no",
        "case",
        "dr_no",
        "accident_index",
        "persistent_id",
    ),
    "date": (
        "occurred_on",
        "date_occurred",
        "date_occ",
        "occ_date",
        "offence_date",
        "incident_date",
        "occurrence_date",
        "committed_on",
        "committed_date",
        "date_of_offence",
        "date_of_incident",
        "date",
        "datetime",
        "date_time",
        "month",
        "month_year",
    ),
    "time": (
        "time",
        "time_occurred",
        "time_occ",
        "occ_time",
        "incident_time",
        "offence_time",
        "hour",
        "hour_of_day",
    ),
    "recorded": (
        "recorded_on",
        "recorded",
        "date_recorded",
        "recorded_date",
        "date_reported",
        "reported_on",
        "reported_date",
        "date_rptd",
        "date_rp_td",
    ),
    "lon": ("longitude", "lon", "lng", "long", "location_longitude"),
    "lat": ("latitude", "lat", "location_latitude"),
    "x": (
        "easting",
        "eastings",
        "easting_m",
        "x_coordinate",
        "x_coord",
        "location_easting_osgr",
        "bng_easting",
        "x",
    ),
    "y": (
        "northing",
        "northings",
        "northing_m",
        "y_coordinate",
        "y_coord",
        "location_northing_osgr",
        "bng_northing",
        "y",
    ),
    "grid_reference": (
        "grid_reference",
        "grid_ref",
        "gridref",
        "os_grid_reference",
        "os_grid_ref",
        "national_grid_reference",
        "osgr",
        "ngr",
    ),
    "postcode": (
        "postcode",
        "post_code",
        "incident_postcode",
        "offence_postcode",
        "location_postcode",
        "pcds",
    ),
    "category": (
        "crime_type",
        "strands",
        "strand",
        "hate_strand",
        "hate_crime_strand",
        "hate_crime_type",
        "categories",
        "category",
        "bias_type",
        "bias_motivation",
        "crime_category",
        "primary_type",
        "crime",
        "crm_cd_desc",
        "offense_desc",
    ),
    "borough": ("borough", "borough_code", "borough_name", "district", "local_authority", "lad_code", "lad_name"),
    "ward": ("ward", "ward_code", "ward_name"),
    "kind": ("kind", "record_kind", "crime_or_incident"),
    "offence_group": ("offence_group", "offence_type", "major_category"),
    "aggravated": ("aggravated", "is_aggravated"),
    "flag_status": ("flag_status",),
    "place_type": ("place_type", "premises_type", "location_description", "prem_is_desc"),
    "reporting_route": ("reporting_route", "how_reported", "reporting_method"),
    "online": ("online", "is_online", "online_flag"),
    "outcome": (
        "last_outcome_category",
        "outcome",
        "outcome_category",
        "latest_outcome",
        "status_desc",
        "outcome_status_category",
    ),
    "victim": ("victim", "victim_ref", "victim_reference", "victim_id"),
    "organisation": ("organisation", "organization", "reported_by", "recorded_by"),
    "location": ("location", "location_name", "street_name", "location_street_name"),
}
_COORDINATES = (("lon", "lat"), ("x", "y"))
_SHORT = 4  # "x" or "long" alone may mean anything; "northing" alone does not


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns of one file.

    Attributes
    ----------
    at
        Position of the column for each role; roles without a column are absent.
    found
        Name of the column for each role, and whether it was configured or recognised, for the manifest.
    coordinates
        `lonlat`, `xy`, `grid` (references to the National Grid), `geometry`, or empty if the file has none.
    note
        Which of several pairs of coordinates was used and why; empty if there was no choice.
    missing
        Texts for a missing value (see `missing_texts`).
    """

    at: dict[str, int]
    found: dict[str, str]
    coordinates: str
    note: str = ""
    missing: frozenset[str] = frozenset()


def _key(name: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", words.casefold()).strip("_")


def role_columns(source: IncidentSource) -> list[tuple[str, str]]:
    """Return configuration key and name of every column that a source names."""
    fields = type(source.columns).model_fields
    named = {field.alias or role: getattr(source.columns, role) for role, field in fields.items()}
    return [(f"incidents.columns.{role}", name) for role, name in named.items() if name is not None]


def layout_of(source: IncidentSource) -> Layout:
    """Return what is known of the table of a source before it is opened."""
    date = source.columns.date or source.columns.start
    return Layout(
        source.header_row,
        wanted=tuple(name for _, name in role_columns(source)),
        keys=() if date is None else (date,),
        roles=_roles_named,
    )


def _roles_named(cells: Sequence[str]) -> int:
    """Return how many roles the names in a row have; 0 if none is a date."""
    at: dict[str, int] = {}
    _recognise(cells, at=at, found={})
    return len(at) if "date" in at else 0


def find_roles(opened: Opened, *, source: IncidentSource) -> Roles:
    """Find the columns a source needs.

    Raises
    ------
    InputError
        If configured columns are missing (all are listed together), one coordinate of a pair is configured without the
        other, or there is no date column.
    """
    at: dict[str, int] = {}
    found: dict[str, str] = {}
    faults = []
    wanted = role_columns(source)
    try:
        places = find_columns(wanted, opened.columns, file=opened.name)
        at = {key.rpartition(".")[2]: place for (key, _), place in zip(wanted, places, strict=True)}
        found = {role: f"{opened.columns[i]} (configured)" for role, i in at.items()}
    except InputError as error:
        faults.append(str(error))
    for pair in _COORDINATES:
        named = [role for role in pair if getattr(source.columns, role) is not None]
        if len(named) == 1:
            other = pair[0] if named[0] == pair[1] else pair[1]
            faults.append(
                f"incidents.columns names {named[0]} but not {other}: give both (one column of OS grid references is "
                "incidents.columns.grid_reference)"
            )
    if faults:
        raise InputError("; ".join(faults))
    stated = frozenset(at)
    if "from" in at:
        at["date"], found["date"] = at["from"], found.pop("from")
    _recognise(opened.columns, at=at, found=found)
    if "from" in at:
        # Both ends of the interval hold their own times, or have a column of times each.
        at.pop("time", None)
        found.pop("time", None)
        if "from_time" in at:
            at["time"], found["time"] = at["from_time"], found.pop("from_time")
    if "date" not in at:
        require_long(opened.columns, file=opened.name)
        raise InputError(
            f"{opened.name} has no date under a usual name: set incidents.columns.date to one of "
            f"{', '.join(map(repr, opened.columns))}"
        )
    lone = _drop_halves(opened, at=at, found=found)
    coordinates, note = _pair(opened, at=at, stated=stated)
    if lone and not coordinates:
        raise InputError(
            f"{opened.name} has {lone[0]!r} but not the other coordinate under a usual name: set both in "
            f"incidents.columns. Its columns are: {', '.join(map(repr, opened.columns))}"
        )
    return Roles(at, found, coordinates, note, missing_texts(source))


def _drop_halves(opened: Opened, *, at: dict[str, int], found: dict[str, str]) -> list[str]:
    """Drop single recognised coordinates: an X without a Y is something else. Return those with an unambiguous name."""
    lone = []
    for pair in _COORDINATES:
        if len(half := [role for role in pair if role in at]) == 1:
            lone.append(opened.columns[at.pop(half[0])])
            del found[half[0]]
    return [name for name in lone if len(_key(name)) > _SHORT]


def _recognise(columns: Sequence[str], *, at: dict[str, int], found: dict[str, str]) -> None:
    keys = [_key(c) for c in columns]
    for role, names in USUAL_NAMES.items():
        if role in at:
            continue
        # The order of the names decides, not that of the columns; a column has only one role.
        for name in names:
            free = [i for i, key in enumerate(keys) if key == name and i not in at.values()]
            if free:
                at[role] = free[0]
                found[role] = f"{columns[free[0]]} (recognised)"
                break


def _pair(opened: Opened, *, at: dict[str, int], stated: frozenset[str]) -> tuple[str, str]:
    """Choose between lon/lat, easting/northing and the geometry."""
    pairs = (("lonlat", {"lon", "lat"}), ("xy", {"x", "y"}), ("grid", {"grid_reference"}))
    have = {kind: roles <= set(at) for kind, roles in pairs} | {"geometry": opened.has_geometry}
    if have["xy"] and at["x"] == at["y"]:
        # If one column is set for both, it contains grid references: `TQ 29810 80460`.
        return "grid", ""
    chosen_by_name = [kind for kind, roles in pairs if roles <= stated]
    if chosen_by_name:
        chosen = chosen_by_name[0]
        why = "named in the configuration"
    else:
        chosen = next((kind for kind in ("geometry", "lonlat", "xy", "grid") if have[kind]), "")
        why = "the geometry of the layer" if chosen == "geometry" else "longitude and latitude need no setting"
    others = [kind for kind, there in have.items() if there and kind != chosen]
    return chosen, f"{chosen} taken ({why}); {', '.join(others)} not used" if others else ""


# The descriptive columns of an incident: kind, flags, outcome, victim, organisation.

_FALSE = frozenset({"no", "n", "false", "f", "0"})
_TEXTS = ("offence_group", "place_type", "reporting_route", "outcome")


@dataclass(frozen=True, slots=True, eq=False)
class Detailed:
    """Columns of a batch by name, and which rows happened online."""

    columns: dict[str, Any]
    online: NDArray[np.bool_]


@dataclass(slots=True)
class Details:
    """Reader of the descriptive columns of a file."""

    at: dict[str, int]
    organisation: str
    true_values: frozenset[str]
    positive: frozenset[str]
    pending: frozenset[str]
    missing: frozenset[str] = frozenset()
    unreadable: Counter[str] = field(default_factory=Counter)

    @property
    def has_outcomes(self) -> bool:
        """Whether outcomes can be classified."""
        return "outcome" in self.at and bool(self.positive)

    def read(self, table: Any, *, salt: bytes) -> Detailed:
        """Read a batch."""
        rows = table.num_rows
        nothing = pa.nulls(rows, pa.string())

        def column(role: str) -> Coded | None:
            # A text that the settings list for this column is a value, not a missing value.
            named = {
                "outcome": self.positive | self.pending,
                "aggravated": self.true_values,
                "online": self.true_values,
            }
            missing = self.missing - named.get(role, frozenset())
            return coded(table[f"c{self.at[role]}"], missing) if role in self.at else None

        def texts(role: str, read: Callable[[str], str | None]) -> Any:
            found = column(role)
            return nothing if found is None else found.texts(read)

        columns = {role: texts(role, lambda v: v or None) for role in _TEXTS}
        columns["kind"] = texts("kind", self._checked("kind", _kind, column("kind")))
        columns["flag_status"] = texts("flag_status", self._checked("flag_status", _flag, column("flag_status")))
        columns["outcome_class"] = texts("outcome", self._outcome)
        columns["victim_hash"] = texts("victim", lambda v: hashed(v, salt) if v else None)
        columns["organisation"] = pc.fill_null(texts("organisation", lambda v: v or None), self.organisation)
        found = column("aggravated")
        columns["aggravated"] = (
            pa.nulls(rows, pa.bool_())
            if found is None
            else pc.equal(found.texts(self._checked("aggravated", self._yes_no, found)), "yes")
        )
        online = column("online")
        shown = (
            np.zeros(rows, dtype=bool) if online is None else online.flags(lambda v: v.casefold() in self.true_values)
        )
        return Detailed(columns, shown)

    def _yes_no(self, text: str) -> str | None:
        if text.casefold() in self.true_values:
            return "yes"
        return "no" if text.casefold() in _FALSE else None

    def _outcome(self, text: str) -> str | None:
        if not text or not self.has_outcomes:
            return None
        key = text.casefold()
        return "positive" if key in self.positive else "pending" if key in self.pending else "other"

    def _checked(
        self, role: str, read: Callable[[str], str | None], found: Coded | None
    ) -> Callable[[str], str | None]:
        """Count the texts that the column should not contain."""
        if found is not None:
            lost = sum(rows for text, rows in found.counts().items() if text and read(text) is None)
            if lost:
                self.unreadable[role] += lost
        return read


def _kind(text: str) -> str | None:
    key = text.casefold()
    if "incident" in key or key.startswith("non"):
        return "incident"
    return "offence" if "offence" in key or "offense" in key or "crime" in key else None


def _flag(text: str) -> str | None:
    key = text.casefold()
    return key if key in {"confirmed", "presumed"} else None


@lru_cache(maxsize=1 << 17)
def hashed(text: str, salt: bytes) -> str:
    """Hash a victim reference with a key, so that nobody without the key can test guessed references."""
    return blake2b(text.encode(), key=salt[:64], digest_size=16).hexdigest()


def plan_details(roles: Roles, *, source: IncidentSource) -> Details:
    """Prepare to read the descriptive columns of a file."""
    return Details(
        roles.at,
        source.name,
        frozenset(v.casefold() for v in source.true_values),
        frozenset(" ".join(v.split()).casefold() for v in source.positive_outcomes),
        frozenset(" ".join(v.split()).casefold() for v in source.pending_outcomes),
        roles.missing,
    )
