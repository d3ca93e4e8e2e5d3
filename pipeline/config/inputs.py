"""Settings of the inputs, and the base of every section of the configuration."""

import difflib
import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipeline.storage.formats import FormatName
from pipeline.tables import Level

__all__ = [
    "AreaFile",
    "AreaLevel",
    "AreaTable",
    "Areas",
    "Categories",
    "Category",
    "Columns",
    "ContextLayer",
    "CountColumns",
    "Crs",
    "DatabaseTable",
    "Geocode",
    "GivenLevel",
    "HeaderRow",
    "IncidentSource",
    "PopulationFile",
    "PostcodeFile",
    "PublishedSource",
    "Quality",
    "Region",
    "Relation",
    "Run",
    "Section",
    "did_you_mean",
    "listed",
]

Code = Annotated[str, Field(min_length=1, max_length=120)]
CategoryId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
Day = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
Months = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])(\.\.\d{4}-(0[1-9]|1[0-2]))?$")]
"""One month, or a range of months such as `2020-01..2022-12`."""
Paths = str | Annotated[tuple[str, ...], Field(min_length=1)]
"""One file, or several files and globs."""


def listed(path: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the files and globs of a setting that may be one or several."""
    return (path,) if isinstance(path, str) else path


HeaderRow = Annotated[int, Field(ge=1)] | Literal["auto", "none"]
"""Where the names of the columns stand in a table."""


TRUTHS = _YES, _NO = ("true", "yes", "y", "t", "1"), ("false", "no", "n", "f", "0")


class Section(BaseModel):
    """One frozen section; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)

    def settings(self) -> dict[str, Any]:
        """Return the section as plain JSON values, for manifests and freshness keys."""
        return self.model_dump(mode="json", by_alias=True)


def did_you_mean(word: str, known: list[str]) -> str:
    """Return ` (did you mean "x"?)` for the most similar known word, or nothing."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f' (did you mean "{close[0]}"?)' if close else ""


_SHEET = (
    "Sheet of a workbook. By default its only visible sheet with cells, or all of them, one after the other, if they "
    "have the same columns."
)
_HEADER_ROW = (
    "Row with the names of the columns, in a text file or a sheet: `auto`, its number as a text editor or spreadsheet "
    "shows it, or `none`. `auto` is the first row, or a later one if only that has the columns named here. With `none` "
    "the columns are named by their numbers, `{example}`. Lines above the header, and totals and notes below the data, "
    "are left out and reported."
)


def _as_numbered(given: object, *parts: str) -> object:
    """Return settings with numbers as names of columns: of a file without header `3` stands for `column 3`."""
    if not isinstance(given, dict):
        return given
    headless = given.get("header_row") == "none"

    def named(name: object) -> object:
        if isinstance(name, bool) or not isinstance(name, int | str):
            return name
        text = str(name)
        return f"column {text}" if headless and re.fullmatch(r"[1-9][0-9]*", text) else text

    out = dict(given)
    for part in parts:
        value = out.get(part)
        if isinstance(value, dict):
            out[part] = {
                role: [named(n) for n in name] if isinstance(name, list | tuple) else named(name)
                for role, name in value.items()
            }
        elif value is not None:
            out[part] = named(value)
    return out


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


class Crs(Section):
    """Coordinate reference systems."""

    working: str = Field("EPSG:27700", description="Projected coordinate system in metres for all calculations.")


class AreaFile(Section):
    """The boundary files of one level."""

    path: Paths = Field(
        description="Boundary file, or a list of files and globs such as one file for each district, all with the same "
        "columns: GeoPackage, GeoJSON, Shapefile, geodatabase or another format with outlines, also in a zip archive."
    )
    layer: str | None = Field(None, description="Layer name, if the file has several.")
    crs: str | None = Field(
        None, description="Coordinate system of the file, if the file does not state it or states it wrongly."
    )
    encoding: str | None = Field(
        None,
        description="Encoding of the texts of a Shapefile or MapInfo TAB, for example `latin-1`, if the file does not "
        "state it or states it wrongly (names such as `BrÃ¼cke`); by default what the file states.",
    )
    code: str = Field("area_code", description="Column with the area's unique code.")
    name: str = Field("area_name", description="Column with the area's name.")
    parent_code: str | None = Field(
        None, description="Column with the code of the area one level up that contains it: the borough of a ward."
    )
    parent_name: str | None = Field(None, description="Column with the name of that area.")
    vintage: str = Field("", description="Edition of the boundaries: `2018`, `May 2025`.")
    label: str = Field("", description="Noun for one area in sentences: `ward`, `borough`, `district`.")
    label_plural: str = Field("", description="Its plural, where the rules of English do not give it.")
    parent_label: str = Field(
        "", description="Noun for one of the areas in `parent_code`, if `areas.boroughs` has no file for them."
    )
    parent_label_plural: str = Field("", description="Its plural, where the rules of English do not give it.")


MOST_LEVELS = 4
_TAKEN_IDS = frozenset(
    {
        "region",
        "ward_group",
        "level_3",
        "level_4",
        "wards",
        "boroughs",
        "ward_groups",
        "hotspots",
        "hotspots_by_category",
        "hotspot_cores",
        "density",
        "density_by_category",
    }
)
"""Ids that would be taken for another level or layer: files and the column `level` are named by the id."""


class AreaLevel(AreaFile):
    """One level of areas with a name of its own."""

    id: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        max_length=40,
        description="Name of the level in files, such as `lsoa` or `district`: small letters, digits and `_`. Its "
        "layer is `<id>.geojson`, and `<id>` stands in the column `level`; `ward` and `borough` write "
        "`wards.geojson` and `boroughs.geojson`.",
    )

    @model_validator(mode="after")
    def _names_itself(self) -> "AreaLevel":
        if self.id in _TAKEN_IDS:
            raise ValueError(f"id {self.id!r} is the name of another level or layer: choose another, such as area")
        if self.parent_label or self.parent_label_plural:
            raise ValueError("parent_label has no use here: the next level says in its own label what it is called")
        return self


class GivenLevel(NamedTuple):
    """A level of areas as the configuration gives it: its key under `areas`, and its files."""

    key: str
    file: AreaFile | AreaLevel


class Region(Section):
    """The area that all boroughs add up to."""

    code: Code = Field("region", description="Code of the region, used in every file: `E12000007`.")
    name: str = Field("Region", description="Its name in sentences: `London`.")


class ContextLayer(Section):
    """A layer of public information that is drawn under the hotspots, so that a reader sees where they are."""

    path: str = Field(
        description="Map file: GeoPackage, GeoJSON, Shapefile, geodatabase or another format of map layers, "
        "also in a zip archive."
    )
    layer: str | None = Field(None, description="Layer name, if the file has several.")
    crs: str | None = Field(
        None, description="Coordinate system of the file, if the file does not state it or states it wrongly."
    )
    encoding: str | None = Field(
        None, description="Encoding of the texts of a Shapefile or MapInfo TAB, if the file states it wrongly."
    )
    kind: Literal["water", "green", "road", "rail", "station", "place", "building"] = Field(
        description="What it shows. Outlines for water, green and buildings, lines for roads and rail, points for "
        "stations and places. Buildings are drawn only for the analyst."
    )
    name: str | None = Field(None, description="Column with the name; by default features have no name.")
    rank: str | int = Field(
        2,
        description="How important each is, 1 the most: a column of whole numbers, or one number for the whole layer. "
        "If a page would become too large, the least important are left out first.",
    )
    licence: str = Field("", description="Licence of the layer: `OGL v3`, `ODbL`.")
    attribution: str = Field("", description="Attribution on the pages; required by most licences.")


class DatabaseTable(Section):
    """A table or query of a database, read in place of files; nothing is ever written to it."""

    url_env: str | None = Field(
        None,
        description="Name of the environment variable that holds the address with user and password, "
        "`postgresql://user:password@host/database`. Needs the extra `database`.",
    )
    file: str | None = Field(None, description="Or a DuckDB or SQLite file, relative to this file.")
    table: str | None = Field(None, min_length=1, description="Table or view, also `schema.table`.")
    query: str | None = Field(None, min_length=1, description="Or one SELECT statement.")
    order_by: tuple[str, ...] = Field(
        min_length=1,
        description="Columns that sort the rows, together unique: a database returns rows in any order, and results "
        "depend on it where rows repeat.",
    )
    watermark: str | None = Field(
        None,
        description="Column that only grows and that every change of a row renews, for example `updated_at`. With it "
        "the copy of the rows is kept beside the outputs, and only what is new is read if `order_by` begins with it; "
        "otherwise every run reads all rows and deletes the copy.",
    )

    @field_validator("url_env")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        # The text itself is not repeated: it may be an address with a password.
        if name is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(
                "this is not the name of an environment variable: put the address of the database in a variable, for "
                "example HOTSPOTS_DATABASE, and name it here. A password does not belong in a configuration"
            )
        return name

    @field_validator("order_by", mode="before")
    @classmethod
    def _as_list(cls, given: object) -> object:
        return (given,) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _one_of_each(self) -> "DatabaseTable":
        if (self.url_env is None) == (self.file is None):
            raise ValueError("give either url_env (a database server) or file (a DuckDB or SQLite file)")
        if (self.table is None) == (self.query is None):
            raise ValueError("give either table or query")
        return self


def _paths_or_source(paths: object, source: DatabaseTable | None, *, key: str) -> None:
    if bool(paths) == (source is not None):
        raise ValueError(f"give either {key} (files) or source (a table of a database)")


class PopulationFile(Section):
    """Residents (or another denominator) by area."""

    path: str = Field("", description="CSV or workbook with one row per area.")
    source: DatabaseTable | None = Field(None, description="Or a table of a database with one row per area.")
    sheet: str | None = Field(None, description=_SHEET)
    header_row: HeaderRow = Field("auto", description=_HEADER_ROW.format(example="code: 1"))
    code: str = Field("area_code", description="Column with the area code.")
    value: str = Field(
        "population",
        description="Column with the number of people; of a table with a column for each year or group, the one that "
        "is meant (`2021`).",
    )
    year: int = Field(2021, ge=1801, le=2200, description="Year the figures describe.")
    encoding: str = Field("utf-8", description="Text encoding of the file, for example `latin-1`.")
    measure: str = Field("residents", description="The population that is counted: `residents`, `workday population`.")
    category: CategoryId | None = Field(None, description="Use as the denominator of this category only.")
    ignore_unknown: bool = Field(default=False, description="Rows for areas outside the boundaries are expected.")

    @model_validator(mode="before")
    @classmethod
    def _numbered(cls, given: object) -> object:
        return _as_numbered(given, "code", "value")

    @model_validator(mode="after")
    def _one_origin(self) -> "PopulationFile":
        _paths_or_source(self.path, self.source, key="path")
        return self


class Areas(Section):
    """Boundaries, populations and coverage."""

    wards: AreaFile | None = Field(
        None, description="The small areas. Leave it out if there is one level of areas, and give that as boroughs."
    )
    boroughs: AreaFile | None = Field(
        None,
        description="The large areas; without it wards are dissolved by parent. The only level if there are no wards: "
        "then its `label` says what its areas are called.",
    )
    levels: tuple[AreaLevel, ...] = Field(
        (),
        description="In place of wards and boroughs: one to four levels named freely, the smallest areas first, each "
        "inside an area of the next. Incidents are counted in the smallest; the others are sums of them. The map, "
        "briefings and released folders have the two smallest, the internal folder has all.",
    )
    region: Region = Field(
        default_factory=lambda: Region.model_validate({}), description="The area all boroughs make up."
    )
    population: tuple[PopulationFile, ...] = Field((), description="Denominators, by area code.")
    not_covered: tuple[Code, ...] = Field(
        (),
        description="Codes of boroughs or wards (of `levels`, the two smallest) that the data does not cover: shown as "
        "not covered, never as zero, and not part of any mean, rate, background or test; incidents in them are counted "
        "only in quality.json. A run reports boroughs with under 5 % of the typical count, which may belong here.",
    )
    visitor_areas: tuple[Code, ...] = Field(
        (),
        description="Areas with far more visitors than residents: neither they nor their wards have a rate per "
        "resident.",
    )
    lookup: str | None = Field(
        None,
        description="CSV of from_code,to_code: from codes of other editions to those of this one, and for "
        "columns.lsoa and columns.msoa from LSOA and MSOA codes to wards (see also geocode.areas).",
    )
    min_matched_pct: float = Field(
        99.0, ge=0, le=100, description="Least share of codes that must match the boundaries, in per cent."
    )
    allow_low_match: bool = Field(default=False, description="Continue even below min_matched_pct.")
    cell_m: float = Field(50.0, gt=0, description="Cell side of the point-to-area index, in metres.")
    snap_m: float = Field(
        25.0,
        ge=0,
        description="A point outside all areas but within this distance of one is assigned to it, in metres.",
    )

    @model_validator(mode="after")
    def _some_level(self) -> "Areas":
        if self.levels:
            self._check_levels()
        elif self.wards is None and self.boroughs is None:
            raise ValueError("there are no boundaries: set wards (and boroughs if they have a file), or boroughs")
        return self

    def _check_levels(self) -> None:
        if self.wards is not None or self.boroughs is not None:
            raise ValueError("give either levels, or wards and boroughs: levels may have the ids ward and borough")
        if len(self.levels) > MOST_LEVELS:
            raise ValueError(f"levels has {len(self.levels)} entries: at most {MOST_LEVELS} can be used in one run")
        ids = [level.id for level in self.levels]
        if repeats := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"levels: the id {', '.join(map(repr, repeats))} is used twice: each level needs its own")
        top = self.levels[-1]
        if top.parent_code or top.parent_name:
            raise ValueError(
                f"levels[{len(ids) - 1}] ({top.id}) is the last, so that nothing contains its areas but the region: "
                "remove its parent_code and parent_name, or add the level that they name"
            )

    def by_level(self) -> dict[Level, GivenLevel]:
        """Return the levels that have files by their role, the smallest areas first.

        The smallest areas have the role `WARD` and those that contain them the role `BOROUGH`, whatever they are
        called; if there is one level, it has the role `BOROUGH`.

        Examples
        --------
        >>> named = [{"id": "lsoa", "path": "lsoa.gpkg"}, {"id": "msoa", "path": "msoa.gpkg"}]
        >>> {level.value: given.key for level, given in Areas(levels=named).by_level().items()}
        {'ward': 'levels[0]', 'borough': 'levels[1]'}
        >>> [level.value for level in Areas(levels=named[:1]).by_level()]
        ['borough']
        """
        if self.levels:
            roles = [Level.WARD, Level.BOROUGH, Level.THIRD, Level.FOURTH][len(self.levels) == 1 :]
            given = [GivenLevel(f"levels[{n}]", level) for n, level in enumerate(self.levels)]
            return dict(zip(roles, given, strict=False))
        files = {Level.WARD: ("wards", self.wards), Level.BOROUGH: ("boroughs", self.boroughs)}
        return {level: GivenLevel(key, file) for level, (key, file) in files.items() if file is not None}

    def roles(self) -> dict[str, Level]:
        """Return the role of each level by its id, the smallest areas first and the region last."""
        if not self.levels:
            return {level.value: level for level in (Level.WARD, Level.BOROUGH, Level.REGION)}
        found = {named.id: level for level, named in zip(self.by_level(), self.levels, strict=True)}
        return found | {Level.REGION.value: Level.REGION}


class PostcodeFile(Section):
    """A lookup of the coordinates of postcodes."""

    path: Paths = Field(
        description="Files or globs of the lookup, relative to this file: the ONS Postcode Directory (ONSPD), the "
        "National Statistics Postcode Lookup (NSPL), Code-Point Open, or any table of postcodes with coordinates. "
        "Their columns are recognised, Code-Point Open without a header.",
    )
    layer: str | None = Field(None, description="Layer name, if the file has several.")
    sheet: str | None = Field(None, description=_SHEET)
    encoding: str = Field("utf-8", description="Text encoding, for example `latin-1`.")
    postcode: str | None = Field(None, description="Column with the postcode; recognised by default.")
    easting: str | None = Field(None, description="Column with the first coordinate in `crs`; recognised by default.")
    northing: str | None = Field(None, description="Column with the second coordinate in `crs`.")
    lon: str | None = Field(None, description="Column with the longitude, EPSG:4326, in place of easting and northing.")
    lat: str | None = Field(None, description="Column with the latitude.")
    crs: str | None = Field(
        None,
        description="Coordinate system of easting and northing; by default EPSG:27700, and for postcodes of Northern "
        "Ireland (BT) EPSG:29902, as ONSPD has them.",
    )
    terminated: str | None = Field(
        None,
        description="Column that is filled for terminated postcodes, with the month (yyyymm) if it is known; "
        "recognised by default. They are used, and quality.json counts them.",
    )
    in_use: str | None = Field(
        None,
        description="Column that says whether a postcode is in use (`Yes`, `No`): one that is not counts as "
        "terminated; recognised by default (`In Use?`).",
    )
    min_matched_pct: float = Field(
        85.0,
        ge=0,
        le=100,
        description="Of the rows that depend on their postcode, the least share whose postcode must be in the lookup, "
        "in per cent; below it the run stops.",
    )

    @model_validator(mode="after")
    def _pairs(self) -> "PostcodeFile":
        for one, other in (("easting", "northing"), ("lon", "lat")):
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                raise ValueError(f"{one} and {other} are needed together")
        return self


class AreaTable(Section):
    """A table of smaller areas (LSOA, MSOA, beat) and the ward or borough that each lies in."""

    path: str = Field(description="The table, for example an ONS lookup of LSOAs to wards.")
    sheet: str | None = Field(None, description=_SHEET)
    code: str = Field(description="Column with the codes that rows have in columns.lsoa, msoa or beat: `LSOA21CD`.")
    area: str | None = Field(
        None,
        description="Column with the code of the ward, or of the borough; by default the column that fits the "
        "boundaries, wards before boroughs.",
    )
    encoding: str = Field("utf-8", description="Text encoding, for example `latin-1`.")


class Geocode(Section):
    """How rows without coordinates are located."""

    areas: tuple[AreaTable, ...] = Field(
        (),
        description="Tables for columns.lsoa, columns.msoa and columns.beat. A code in several wards of one borough "
        "counts in that borough alone; one in several boroughs in neither.",
    )

    postcodes: PostcodeFile | None = Field(
        None, description="Lookup for `columns.postcode`: a row without coordinates lies in the middle of its postcode."
    )


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
    sheet: str | None = Field(None, description=_SHEET)
    header_row: HeaderRow = Field("auto", description=_HEADER_ROW.format(example="date: 2"))
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
        return _as_numbered(given, "columns")

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
        _paths_or_source(self.paths, self.source, key="paths")
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
        return _YES if value else _NO
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
    sheet: str | None = Field(None, description=_SHEET)
    header_row: HeaderRow = Field("auto", description=_HEADER_ROW.format(example="area_code: 1"))
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
        return _as_numbered(given, "columns")

    @model_validator(mode="after")
    def _one_origin(self) -> "PublishedSource":
        _paths_or_source(self.paths, self.source, key="paths")
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


class Quality(Section):
    """How many rows may be refused."""

    max_quarantined_pct: float = Field(
        20.0, ge=0, le=100, description="Stop (exit 5) if more rows than this are refused, in per cent."
    )
    geocode_target_pct: float = Field(
        85.0, ge=0, le=100, description="Rule of thumb for the share of rows with a usable location, in per cent."
    )
