"""Settings of the run, of the files of incidents and of published counts, and of their columns and categories."""

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.section import (
    HEADER_ROW,
    NO,
    SHEET,
    YES,
    CategoryId,
    DatabaseTable,
    HeaderRow,
    Months,
    Section,
    as_numbered,
    did_you_mean,
    require_one_origin,
)
from pipeline.storage.formats import FormatName

__all__ = [
    "Categories",
    "Category",
    "Columns",
    "CountColumns",
    "IncidentSource",
    "PublishedSource",
    "Relation",
    "Run",
]


class Run(Section):
    """Name and labels of the run."""

    name: str = Field(
        "hotspots", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$", description="Folder name under output_dir."
    )
    title: str = Field(
        "Recorded crime", max_length=300, description="Title on every map and page, for example `Hate crime`."
    )
    noun: str = Field(
        "offences", description="Plural noun for incidents in sentences: `offences`, `incidents`, `hate crimes`."
    )
    place: str = Field("", description="Area shown beside the title: `Metropolitan Police area, London`.")
    publisher: str = Field("", description="Who recorded the data, and when it was taken: printed as the source line.")
    recorded_by: str | None = Field(
        None,
        max_length=80,
        description="Who recorded the incidents, at the start of a briefing (`Police` gives: Police recorded 719 hate "
        "crimes); empty for no name. By default `Police` for a single source without an `organisation` column, "
        "otherwise empty.",
    )
    time_zone: str | None = Field(
        None,
        description="IANA name of the local time of the data: `Europe/London`. Times with an offset from UTC (`Z`, "
        "`+02:00`) are converted to it; times without one are taken as local. The default follows from the working "
        "system (EPSG:27700 Europe/London, EPSG:2157 and EPSG:29902 Europe/Dublin).",
    )
    output_dir: str = Field("outputs", description="Folder of all runs, relative to this file.")
    seed: int = Field(20250731, ge=0, description="Seed of every random draw (permutations, resamples).")
    synthetic: bool = Field(default=False, description="The data is synthetic: every page and file says so.")
    engine: Literal["local", "dask"] = Field("local", description="Where files are processed.")
    scheduler: str = Field("", description="Dask scheduler (`tcp://host:8786`); empty starts a local cluster.")
    workers: int = Field(2, ge=1, le=512, description="Worker processes of a local Dask cluster.")
    memory_limit_mb: int = Field(
        2000, ge=128, description="Memory that DuckDB may use before it spills to disk, in MB."
    )
    max_file_mb: int = Field(20000, ge=1, description="Largest input file accepted, in MB, after decompression.")
    max_table_mb: int = Field(
        2000,
        ge=1,
        description="Largest accepted file among those read into memory (boundaries, residents, lookups, published "
        "counts), in MB, after decompression.",
    )
    max_unpacked_ratio: int = Field(
        200,
        ge=2,
        description="How many times its own size a compressed file (`.gz`, Parquet, a map layer) may expand to; up to "
        "50 MB is always accepted. Real extracts expand to 4 to 20 times their size.",
    )
    max_row_kb: int = Field(256, ge=1, le=16000, description="Longest line of a text file, in kB.")
    max_columns: int = Field(2000, ge=1, le=100_000, description="Most columns of an input file.")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        if name is not None:
            import zoneinfo

            try:
                zoneinfo.ZoneInfo(name)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
                hint = did_you_mean(name, sorted(zoneinfo.available_timezones()))
                raise ValueError(
                    f"{name!r} is not an IANA time zone{hint}. Examples: Europe/London, Europe/Dublin, America/Chicago"
                ) from None
        return name


class Columns(Section):
    """Names of the columns of an extract; omitted columns are recognised under their usual names, or absent."""

    id: str | None = Field(None, description="Unique incident number.")
    date: str | None = Field(None, description="Date (or month) of the incident.")
    time: str | None = Field(None, description="Time or hour, if the date has none.")
    start: str | None = Field(
        None,
        alias="from",
        description="Earliest date and time, if an incident happened at some time between two; with `to`, in place of "
        "`date` and `time`.",
    )
    end: str | None = Field(
        None,
        alias="to",
        description="Latest date and time. The incident is shared over the hours between the two in grids of weekday "
        "and hour (aoristic weights); everywhere else it counts as one, in the month in the middle.",
    )
    from_time: str | None = Field(None, description="Time of `from`, if that column has dates alone; with `to_time`.")
    to_time: str | None = Field(None, description="Time of `to`, if that column has dates alone.")
    recorded: str | None = Field(None, description="Date it was recorded.")
    x: str | None = Field(None, description="First coordinate in `crs`.")
    y: str | None = Field(None, description="Second coordinate in `crs`.")
    lon: str | None = Field(None, description="Longitude, EPSG:4326.")
    lat: str | None = Field(None, description="Latitude, EPSG:4326.")
    grid_reference: str | None = Field(
        None, description="Reference to the National Grid of Great Britain, such as TQ 29810 80460 or TQ298804."
    )
    postcode: str | None = Field(
        None,
        description="Postcode: a row without coordinates is located by geocode.postcodes. Take care that it is that of "
        "the incident, not of a person.",
    )
    category: str | None = Field(None, description="Category or strand column.")
    borough: str | None = Field(None, description="Borough code or name, used if there is no point.")
    ward: str | None = Field(
        None,
        description="Ward code or name: a row without a point counts in that ward. If a row has both and they "
        "disagree, the point is used and the disagreement is counted.",
    )
    lsoa: str | None = Field(
        None, description="LSOA code: a row without a point counts in the ward that geocode.areas gives for it."
    )
    msoa: str | None = Field(
        None, description="MSOA code, used like lsoa: an MSOA in several wards counts in their borough."
    )
    beat: str | None = Field(None, description="Code or name of a beat or another area of the force, used like lsoa.")
    kind: str | None = Field(None, description="Offence or non-crime incident.")
    offence_group: str | None = Field(None, description="Offence group.")
    aggravated: str | None = Field(None, description="Aggravated offence, yes or no.")
    flag_status: str | None = Field(None, description="Flag confirmed or presumed.")
    place_type: str | None = Field(None, description="Kind of place.")
    reporting_route: str | None = Field(None, description="How it was reported.")
    online: str | None = Field(None, description="Happened online, yes or no.")
    outcome: str | None = Field(None, description="Latest outcome.")
    victim: str | None = Field(None, description="Victim reference: hashed on reading, never stored plain.")
    organisation: str | None = Field(None, description="Recording organisation, if one file contains several.")

    @model_validator(mode="after")
    def _one_kind_of_time(self) -> "Columns":
        if (self.start is None) != (self.end is None):
            raise ValueError("give both `from` and `to`, or `date` alone for one date")
        if (self.from_time is None) != (self.to_time is None):
            raise ValueError("give both `from_time` and `to_time`, or neither where `from` and `to` hold their times")
        if self.from_time is not None and self.start is None:
            raise ValueError("`from_time` and `to_time` belong to `from` and `to`: for one date give `date` and `time`")
        beside = [name for name in ("date", "time") if getattr(self, name) is not None]
        if self.start is not None and beside:
            raise ValueError(f"`from` and `to` are the time of an incident: leave out {' and '.join(beside)}")
        return self


class IncidentSource(Section):
    """One organisation's incidents, in one or many files."""

    name: str = Field("police", pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}$", description="Recording organisation.")
    paths: tuple[str, ...] = Field(
        (),
        description="Files, zip archives or globs, relative to this file. A path may continue inside an archive: "
        "`2025-*.zip/*/*-street.csv`.",
    )
    source: DatabaseTable | None = Field(None, description="Or a table of a database.")
    format: FormatName = Field("auto", description="File format.")
    layer: str | None = Field(None, description="Layer name, if a file has several.")
    sheet: str | None = Field(None, description=SHEET)
    header_row: HeaderRow = Field("auto", description=HEADER_ROW.format(example="date: 2"))
    encoding: str = Field("utf-8", description="Text encoding, for example `latin-1`.")
    delimiter: str | None = Field(None, max_length=1, description="Column separator; recognised by default.")
    where: dict[str, tuple[str, ...] | dict[Literal["not"], tuple[str, ...]]] = Field(
        default_factory=dict,
        description="Rows to count, by column: a text or a list of texts, `Crime type: [Burglary]`, or those to leave "
        "out, `Crime type: {not: [Anti-social behaviour]}`; a cell matches as a whole, in upper or lower case, and a "
        "missing one matches an empty text. Every column must match. The other rows are counted as left out, and are "
        "neither refused nor  "
        "duplicates.",
    )
    missing_values: tuple[str, ...] = Field(
        ("NULL", "null", "N/A", "NA", "NaN", "None", "-", "."),
        description="Texts that mean a missing value, in every column and format, in upper or lower case; a blank "
        "cell is always missing. A text that is listed for a category, an outcome or `true_values` is not missing "
        "there.",
    )
    crs: str | None = Field(None, description="System of easting/northing columns or of a geometry without one.")
    thousands: Literal["", ",", ".", " ", "'"] | None = Field(
        None,
        description="Thousands separator in coordinates such as `528,240`; empty for none. Recognised by default, and "
        "required if a file is ambiguous. A space stands for spaces of every width.",
    )
    decimal: Literal[".", ","] | None = Field(
        None, description="Decimal separator in coordinates; recognised by default."
    )
    columns: Columns = Field(default_factory=lambda: Columns.model_validate({}), description="Column names.")
    date_format: str | None = Field(None, description="strptime format, for example `%d/%m/%Y`; recognised by default.")
    day_first: bool | None = Field(
        None, description="Order of day and month in dates such as 03/04/2025, if a whole file is ambiguous."
    )
    max_interval_days: int = Field(
        7,
        ge=1,
        le=31,
        description="Longest time between `columns.from` and `columns.to` that is shared over weekdays and hours, in "
        "days. A longer one says nothing of them: such incidents count without weekday and hour.",
    )
    first_date: str | None = Field(None, description="Dates before this (ISO) are quarantined.")
    last_date: str | None = Field(
        None,
        description="Dates after this (ISO) are quarantined as future dates; dates up to it are never refused as "
        "`date_outlier`.",
    )
    repeated_id: Literal["auto", "categories", "newest", "first", "error"] = Field(
        "auto",
        description="How to treat rows with the same id. `auto`: equal rows count once; rows that differ only in "
        "their categories are one incident with all of them; otherwise the row of the file issued last counts. If "
        "this file cannot be determined, the first row counts, and the run stops (exit 5) if this affects more than 1 "
        "% of the ids. `categories`: one incident with all categories, whatever else differs. `newest`: the file "
        "issued last, also for categories. `first`: the first row by file and row. `error`: stop.",
    )
    issued: str | None = Field(
        None,
        description="Regular expression for the path of a file; its first group is the issue date, for example "
        "`(\\d{4}-\\d{2})` for extract-2025-01.csv. By default the last month (yyyy-mm) in the name of an archive or "
        "folder, otherwise the latest month in the names of the folder's files; never the file's modification time.",
    )
    overlap: Literal["count", "replace"] = Field(
        "count",
        description="How to treat rows of the same month in several files. `replace`: for each month only the rows of "
        "the file issued last count. `count`: all count; equal rows without an id are reported. police.uk files with "
        "the same name (`2025-01-force-street`) always replace each other.",
    )
    no_location: tuple[str, ...] = Field(
        ("No Location", "No location"), description="Location texts that mean an unknown location."
    )
    positive_outcomes: tuple[str, ...] = Field(
        (), description="Outcome texts counted as positive, in upper or lower case."
    )
    pending_outcomes: tuple[str, ...] = Field(
        (), description="Outcome texts that mean pending, in upper or lower case."
    )
    all_inside: bool | None = Field(
        None,
        description="Whether rows without any location happened inside the region and count in it. By default they "
        "do, unless more than 2 % of the source's other rows lie outside the areas.",
    )
    true_values: tuple[str, ...] = Field(
        ("yes", "y", "true", "t", "1"), description="Texts that mean yes, in upper or lower case."
    )
    empty_months: tuple[Months, ...] = Field(
        (),
        description="Months (`2025-06`, or a range `2020-01..2022-12`) in which nothing was recorded: they count as "
        "0. Otherwise a month without rows is missing if the file names state months and none states it, or if 0 rows "
        "would be very unlikely (under 1 in 1,000) given the median month.",
    )
    missing_months: tuple[Months, ...] = Field(
        (),
        description="Months that are missing from the files or incomplete: windows that contain them are incomplete.",
    )
    extent: tuple[float, float, float, float] | None = Field(
        None,
        description="Bounds (west, south, east, north, in the file's system) outside which a point is quarantined.",
    )

    @model_validator(mode="before")
    @classmethod
    def _numbered(cls, given: object) -> object:
        return as_numbered(given, "columns")

    @field_validator("issued")
    @classmethod
    def _is_a_pattern(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                re.compile(text)
            except re.error as error:
                raise ValueError(f"{text!r} is not a regular expression: {error}") from None
        return text

    @model_validator(mode="after")
    def _one_origin(self) -> "IncidentSource":
        require_one_origin(self.paths, self.source, key="paths")
        return self

    @model_validator(mode="after")
    def _two_marks(self) -> "IncidentSource":
        if self.thousands and self.thousands == self.decimal:
            raise ValueError(f"thousands and decimal are both {self.decimal!r}: they must differ")
        return self

    @field_validator("where", mode="before")
    @classmethod
    def _as_texts(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        return {
            str(column): {k: _texts(v) for k, v in value.items()} if isinstance(value, dict) else _texts(value)
            for column, value in given.items()
        }

    @field_validator("where")
    @classmethod
    def _says_something(cls, where: dict[str, Any]) -> dict[str, Any]:
        for column, value in where.items():
            texts = value.get("not") if isinstance(value, dict) else value
            if not texts:
                raise ValueError(f"{column}: give a text, a list of texts, or `not:` with a list of texts")
        return where


def _texts(value: object) -> object:
    """Return the texts that a YAML value may stand for: an unquoted `yes` is a truth value in YAML."""
    if isinstance(value, bool):
        return YES if value else NO
    if isinstance(value, list | tuple):
        return tuple(t for v in value for t in (_texts(v) if isinstance(v, bool) else (_plain(v),)))  # type: ignore[attr-defined]
    return (_plain(value),)


def _plain(value: object) -> object:
    return "" if value is None else value if isinstance(value, str | dict) else str(value)


class CountColumns(Section):
    """Columns of a table of published counts."""

    area_code: str = Field("area_code", description="Area code.")
    area_name: str | None = Field(None, description="Area name, used only to list areas that did not match.")
    level: str | None = Field(None, description="Column with the level of a row.")
    period: str = Field("period", description="Month.")
    category: str | None = Field(None, description="Category label.")
    measure: str | None = Field(None, description="What is counted.")
    value: str = Field("value", description="The count.")
    wide: Literal["period", "category", "measure"] | None = Field(
        None,
        description="For a table with one column for each month, category or measure: what the names of these columns "
        "are. Their cells are the counts, so that neither `value` nor the column of that name is set. A blank cell is "
        "a missing row (see `absent`).",
    )
    wide_columns: tuple[str, ...] = Field(
        (),
        description="These columns; by default those whose name is a month in `period_format`, or a text that "
        "`categories.tree` or `measures` lists.",
    )

    @model_validator(mode="after")
    def _wide_or_long(self) -> "CountColumns":
        if self.wide is None:
            if self.wide_columns:
                raise ValueError("wide_columns needs wide: period, category or measure, what their names are")
            return self
        defaults = {name: field.default for name, field in type(self).model_fields.items()}
        both = sorted(name for name in (self.wide, "value") if getattr(self, name) != defaults[name])
        if both:
            raise ValueError(
                f"wide: {self.wide} takes the counts from the cells of several columns, and the {self.wide} from their "
                f"names: leave out {' and '.join(both)}"
            )
        return self


class Relation(Section):
    """A relation between categories that the source declares; it is tested, and ignored if violated."""

    subset: tuple[CategoryId, CategoryId] | None = Field(
        None, description="[child, parent]: every incident of the child counts in the parent."
    )
    union: tuple[CategoryId, ...] | None = Field(
        None, min_length=3, description="[whole, part, part, ...]: the parts cover the whole and may overlap."
    )

    @model_validator(mode="after")
    def _one(self) -> "Relation":
        if (self.subset is None) == (self.union is None):
            raise ValueError("set either subset or union")
        return self


class PublishedSource(Section):
    """Counts that are already published by area, without points."""

    name: str = Field("published", pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}$", description="Publisher.")
    paths: tuple[str, ...] = Field((), description="CSV files (also .gz), workbooks or globs, relative to this file.")
    source: DatabaseTable | None = Field(None, description="Or a table of a database.")
    sheet: str | None = Field(None, description=SHEET)
    header_row: HeaderRow = Field("auto", description=HEADER_ROW.format(example="area_code: 1"))
    encoding: str = Field("utf-8", description="Text encoding.")
    columns: CountColumns = Field(default_factory=lambda: CountColumns.model_validate({}), description="Column names.")
    levels: dict[str, str] = Field(
        default_factory=dict,
        description="Level texts in the file, and the level of each: `ward`, `borough`, `region`, or an id of "
        "`areas.levels`. Rows of a third or fourth level are ignored and counted: these levels are sums.",
    )
    measures: dict[str, Literal["incidents", "positive_outcomes"]] = Field(
        default_factory=dict, description="Measure texts in the file, and the measure of each."
    )
    period_format: str = Field("%Y-%m-%d", description="strptime format of the month.")
    absent: Literal["zero", "unknown", "error"] = Field(
        "unknown",
        description="Meaning of a missing row in a covered area, between the first and last month of the source: "
        "`zero` if the publisher leaves out zeros; `unknown` leaves the cell and every window that contains it "
        "without a count; `error` stops the run.",
    )
    suppressed_marks: tuple[str, ...] = Field(
        ("*", "<5", "c", "[c]", "..", "x"),
        description="Texts in place of a count that mean it is suppressed: the cell is unknown, never 0.",
    )
    zero_marks: tuple[str, ...] = Field(
        (),
        description="Texts in place of a count that mean 0, for example `-`. The run stops at a text that is in "
        "neither list.",
    )
    empty_months: tuple[Months, ...] = Field(
        (),
        description="Months (`2025-06`, or a stretch `2020-01..2022-12`) in which nothing was recorded: they count as "
        "0. Otherwise a month without rows is missing if file names name months and none names it, or if 0 rows would "
        "be a rare chance (under 1 in 1,000) given the median month.",
    )
    missing_months: tuple[Months, ...] = Field(
        (),
        description="Months that are missing from the files or incomplete: windows that contain them are incomplete.",
    )
    relations: tuple[Relation, ...] = Field(
        (),
        description="Relations between categories, tested on reading. Readers rely on them, so that every release is "
        "protected against somebody who knows them; they add to what `categories` says is part of what.",
    )

    @model_validator(mode="before")
    @classmethod
    def _numbered(cls, given: object) -> object:
        return as_numbered(given, "columns")

    @model_validator(mode="after")
    def _one_origin(self) -> "PublishedSource":
        require_one_origin(self.paths, self.source, key="paths")
        return self


class Category(Section):
    """A category (for hate crime: a strand), and which rows belong to it."""

    id: CategoryId = Field(description="Column-safe id, for example `religion`.")
    label: str = Field("", max_length=300, description="Label on maps; the id if empty.")
    parent: CategoryId | None = Field(None, description="Parent category, in which this one also counts.")
    match: tuple[str, ...] = Field(
        (), description="Texts of the category column for this category, in upper or lower case."
    )
    flag: str | None = Field(None, description="Column that is true for rows of this category.")
    rule: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="Columns and their texts, in upper or lower case; all columns must match."
    )


class Categories(Section):
    """How incidents are assigned to categories. `all` is reserved: every incident, once."""

    all_label: str = Field("All offences", description="Label of the whole, for example `All hate crime`.")
    tree: tuple[Category, ...] = Field(
        (), description="The categories; empty means one per text of the category column."
    )
    separator: str = Field(";", description="Separator between several categories in one cell.")
    unknown: Literal["quarantine", "ignore", "error"] = Field(
        "ignore", description="What to do with a text no category matches."
    )
    outside: tuple[CategoryId, ...] = Field(
        (),
        description="Categories that are counted separately and in no total: rows only in these are part of their "
        "category, but not of the total, hotspots, density, cells and sentences about all incidents. Their "
        "subcategories are outside too. A row that is also in another category counts in the total.",
    )
    all_from: CategoryId | None = Field(
        None, description="Published counts only: the category whose counts are the total."
    )
