"""Settings of areas: boundaries, levels, residents, layers of context, and what locates rows without coordinates."""

from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field, model_validator

from pipeline.config.section import (
    HEADER_ROW,
    SHEET,
    CategoryId,
    Code,
    DatabaseTable,
    HeaderRow,
    Paths,
    Section,
    as_numbered,
    require_one_origin,
)
from pipeline.tables import RESIDENTS, Level

__all__ = [
    "AreaFile",
    "AreaLevel",
    "AreaTable",
    "Areas",
    "CodeLookup",
    "ContextLayer",
    "Crs",
    "Geocode",
    "GivenLevel",
    "Mask",
    "PopulationFile",
    "PostcodeFile",
    "Region",
]


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
    dissolve: bool = Field(
        default=False,
        description="Whether the file is one of smaller areas, which `code` assigns to those of this level: rows with "
        "the same code are put together. So a column is enough for a level.",
    )
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
        "near_repeat_zones",
        "analysis_cells",
        "scan_clusters",
        "risk_bands",
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


class PopulationFile(Section):
    """Residents (or another denominator) by area."""

    path: str = Field("", description="CSV or workbook with one row per area.")
    source: DatabaseTable | None = Field(None, description="Or a table of a database with one row per area.")
    sheet: str | None = Field(None, description=SHEET)
    header_row: HeaderRow = Field("auto", description=HEADER_ROW.format(example="code: 1"))
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
        return as_numbered(given, "code", "value")

    @model_validator(mode="after")
    def _one_origin(self) -> "PopulationFile":
        require_one_origin(self.path, self.source, key="path")
        return self


class CodeLookup(Section):
    """A table of the codes of other editions and of smaller areas: columns `from_code` and `to_code`."""

    path: str = Field(description="CSV or workbook with one row per code.")
    sheet: str | None = Field(None, description=SHEET)
    encoding: str = Field("utf-8", description="Text encoding of the file, for example `latin-1`.")


class Mask(Section):
    """Ground inside the areas that cannot hold incidents, such as water."""

    path: str = Field(
        description="Map file with outlines: GeoPackage, GeoJSON, Shapefile, geodatabase or another format of map "
        "layers, also in a zip archive."
    )
    layer: str | None = Field(None, description="Layer name, if the file has several.")
    crs: str | None = Field(
        None, description="Coordinate system of the file, if the file does not state it or states it wrongly."
    )
    shows: Literal["water", "land"] = Field(
        "water",
        description="What the outlines show: `water`, or anything else that cannot hold incidents, is taken from the "
        "areas; of `land` what lies outside is taken.",
    )


def _as_lookup(given: object) -> object:
    """Return the path of a lookup as its settings."""
    return {"path": given} if isinstance(given, str) else given


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
        "inside an area of the next. Incidents are counted in the smallest; the others are sums of them. Briefings "
        "have the two smallest; maps and folders all, released ones as sums of the ranges of the second.",
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
    mask: Mask | None = Field(
        None,
        description="Layer of ground inside the areas that cannot hold incidents. It is part of no density, mean, test "
        "or marked area: incidents per km2 refer to the rest, simulated places lie there, and density is corrected at "
        "its banks. Which area a point is in, and the map, stay as they are.",
    )
    visitor_areas: tuple[Code, ...] = Field(
        (),
        description="Areas with far more visitors than residents: neither they nor their wards have a rate per "
        "resident.",
    )
    lookup: Annotated[
        CodeLookup | None, BeforeValidator(_as_lookup, json_schema_input_type=str | CodeLookup | None)
    ] = Field(
        None,
        description="Table of from_code and to_code: from codes of other editions to those of this one, and for "
        "columns.lsoa and columns.msoa from LSOA and MSOA codes to wards (see also geocode.areas). Its path alone is "
        "enough; of a workbook `{path: codes.xlsx, sheet: Codes}`.",
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

    @property
    def base(self) -> str:
        """Return what rates are divided by, but for categories with a population of their own: `residents`."""
        return (
            " or ".join(sorted({people.measure for people in self.population if people.category is None})) or RESIDENTS
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
    sheet: str | None = Field(None, description=SHEET)
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
    sheet: str | None = Field(None, description=SHEET)
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
