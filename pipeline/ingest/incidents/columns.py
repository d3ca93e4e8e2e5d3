"""Which column plays which part: named in the configuration, or recognised under its usual names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.config import IncidentSource
from pipeline.errors import InputError
from pipeline.ingest.formats.source import Opened, find_columns

__all__ = ["USUAL_NAMES", "Roles", "find_roles", "role_columns"]

# In order of preference; compared in lower case with everything but letters and digits made an underscore.
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
    "lon": ("longitude", "lon", "lng", "long"),
    "lat": ("latitude", "lat"),
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
    "outcome": ("last_outcome_category", "outcome", "outcome_category", "latest_outcome", "status_desc"),
    "victim": ("victim", "victim_ref", "victim_reference", "victim_id"),
    "organisation": ("organisation", "organization", "reported_by", "recorded_by"),
    "location": ("location", "location_name", "street_name"),
}
_COORDINATES = (("lon", "lat"), ("x", "y"))
_SHORT = 4  # "x" or "long" alone may mean anything; "northing" alone does not


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns of one file.

    Attributes
    ----------
    at
        Position of the column per role; roles the file does not fill are absent.
    found
        Name of the column per role and whether it was configured or recognised, for the manifest.
    coordinates
        `lonlat`, `xy`, `geometry`, or empty where the file has no coordinates.
    note
        Which of several pairs of coordinates was taken and why; empty where there was no choice.
    """

    at: dict[str, int]
    found: dict[str, str]
    coordinates: str
    note: str = ""


def _key(name: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", words.casefold()).strip("_")


def role_columns(source: IncidentSource) -> list[tuple[str, str]]:
    """Return configuration key and name of every column that a source names."""
    named = {role: getattr(source.columns, role) for role in type(source.columns).model_fields}
    return [(f"incidents.columns.{role}", name) for role, name in named.items() if name is not None]


def find_roles(opened: Opened, *, source: IncidentSource) -> Roles:
    """Find the columns a source needs.

    Raises
    ------
    InputError
        If a named column is missing (all are listed together), half a pair of coordinates is named, or no column
        holds the date.
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
            faults.append(f"incidents.columns names {named[0]} but not {other}: give both")
    if faults:
        raise InputError("; ".join(faults))
    stated = frozenset(at)
    _recognise(opened.columns, at=at, found=found)
    if "date" not in at:
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
    return Roles(at, found, coordinates, note)


def _drop_halves(opened: Opened, *, at: dict[str, int], found: dict[str, str]) -> list[str]:
    """Take back recognised halves of pairs: an X without a Y is something else. Return those whose name tells more."""
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
        for name in names:
            free = [i for i, key in enumerate(keys) if key == name and i not in at.values()]
            if free:
                at[role] = free[0]
                found[role] = f"{columns[free[0]]} (recognised)"
                break


def _pair(opened: Opened, *, at: dict[str, int], stated: frozenset[str]) -> tuple[str, str]:
    """Choose between lon/lat, easting/northing and the geometry."""
    have = {"lonlat": {"lon", "lat"} <= set(at), "xy": {"x", "y"} <= set(at), "geometry": opened.has_geometry}
    chosen_by_name = [kind for kind, roles in (("lonlat", {"lon", "lat"}), ("xy", {"x", "y"})) if roles <= stated]
    if chosen_by_name:
        chosen = chosen_by_name[0]
        why = "named in the configuration"
    else:
        chosen = next((kind for kind in ("geometry", "lonlat", "xy") if have[kind]), "")
        why = "the geometry of the layer" if chosen == "geometry" else "longitude and latitude need no setting"
    others = [kind for kind, there in have.items() if there and kind != chosen]
    return chosen, f"{chosen} taken ({why}); {', '.join(others)} not used" if others else ""
