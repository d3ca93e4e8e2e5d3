"""Settings of releases: the rules of each audience, and the appearance of pages."""

from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.section import CategoryId, Code, Section

__all__ = [
    "AUDIENCE_THRESHOLD",
    "LICENCE_TO_WRITE",
    "Disclosure",
    "Exports",
    "KnownTable",
    "Links",
    "MapSettings",
    "Page",
    "Profile",
    "Protection",
    "Tiles",
]

# Smallest count that an audience may see without a written reason: common policy, not law.
AUDIENCE_THRESHOLD = {"internal": 0, "partner": 5, "public": 10}
LICENCE_TO_WRITE = "Say here whose boundaries and data these are and under which licence."  # in every template


class Profile(Section):
    """The rules of one audience."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$", description="Folder name.")
    audience: Literal["internal", "partner", "public"] = Field(
        "public", description="Audience, which decides defaults and wording."
    )
    threshold: int = Field(
        10,
        ge=0,
        le=1000,
        description="Width of the steps (`steps`), or the smallest count shown (`suppress`, `noise`); 0 shows exact "
        "counts.",
    )
    threshold_reason: str = Field(
        "", description="Why the threshold is lower than the default of its audience; recorded in release.json."
    )
    protection: Literal["steps", "suppress", "noise"] = Field(
        "steps",
        description="`steps`: every count, including totals, as the step it lies in. `suppress`: exact numbers; small "
        "counts, and others from which they could be recovered, are withheld. `noise`: experimental, for partners "
        "only.",
    )
    protection_reason: str = Field(
        "",
        description="Why counts are not given in steps; required for `suppress` and `noise`, and recorded in "
        "release.json.",
    )
    secondary: bool = Field(
        default=True,
        description="With `suppress` only: secondary suppression, so that withheld counts cannot be "
        "recovered from sums.",
    )
    release: Literal["month", "quarter", "year", "each_run"] | None = Field(
        None,
        description="How often new numbers are released: by default each `quarter` for partners, each `year` for the "
        "public, and `each_run` for synthetic data. Between release dates the numbers do not change; pages are "
        "rendered again.",
    )
    ward_period: Literal["day", "week", "28_days", "month", "quarter", "fixed", "year", "financial_year", "rolling"] = (
        Field(
            "fixed",
            description="Shortest window of ward counts. For internal use only: `rolling`, which overlaps, and `day`, "
            "`week` (ISO, from Monday) and `28_days`, which are shorter than a month.",
        )
    )
    borough_period: Literal["day", "week", "28_days", "month", "quarter", "fixed", "year", "financial_year"] = Field(
        "fixed",
        description="Windows of borough and region counts; by default `month` for internal, which alone may have "
        "`day`, `week` and `28_days`. A longer window is the sum of these, and its range is as wide as all their steps "
        "together.",
    )
    measures: tuple[Literal["incidents", "positive_outcomes"], ...] = Field(
        ("incidents", "positive_outcomes"), description="Measures shown."
    )
    categories: tuple[CategoryId, ...] = Field(
        (),
        description="Categories to show; `all` (each incident once) only if listed. Empty shows every category.",
    )
    scope: tuple[Code, ...] = Field((), description="Show only these boroughs; empty shows all.")
    hotspots: bool = Field(default=True, description="Show hotspot outlines.")
    density: bool = Field(default=True, description="Show density bands.")
    min_bandwidth_m: float = Field(650.0, ge=0, description="Smallest bandwidth of a released surface, in metres.")
    min_density_incidents: int = Field(2000, ge=0, description="No surface from fewer incidents than this.")
    min_locations: int = Field(10, ge=1, description="Fewest distinct locations in a hotspot or density patch.")
    min_addresses: int = Field(8, ge=0, description="Fewest addresses in an outline, if there is an address layer.")
    max_location_share_pct: float = Field(
        50.0, gt=0, le=100, description="Largest share of a hotspot's incidents at one location, in per cent."
    )
    lattice_m: float = Field(
        250.0, ge=0, description="Outlines are unions of hexagons of this width, in metres; 0 keeps the exact outline."
    )
    marking: str = Field("", max_length=120, description="Handling marking printed on every page.")

    @model_validator(mode="before")
    @classmethod
    def _months_for_the_owner(cls, given: Any) -> Any:
        """Show the data owner boroughs by month by default: counts are exact, so sums of months have no wide ranges."""
        if isinstance(given, dict) and given.get("audience") == "internal":
            return {"borough_period": "month"} | given
        return given

    @property
    def step(self) -> int:
        """Width of the steps; 1 for exact counts."""
        return self.threshold if self.protection == "steps" and self.threshold > 1 else 1


class KnownTable(Section):
    """An external table that is known to readers."""

    name: str = Field(description="What it is.")
    path: str = Field(
        description="area_counts.csv of a release, or published counts in the layout of a published source."
    )
    source: str = Field("", description="Name of the source in published_counts with the same columns.")


class Disclosure(Section):
    """Disclosure control across profiles."""

    data_source: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,79}$",
        description="Name of the ledger. By default it is matched by the data itself, and a new one gets the run's "
        "name. Set a name to join runs, or to choose between several matching ledgers.",
    )
    known_tables: tuple[KnownTable, ...] = Field((), description="External tables that are known to readers.")
    addresses: str | None = Field(None, description="Point layer of addresses, for `min_addresses`.")
    institutions: str | None = Field(
        None, description="Layer of single institutions, which the public profile never outlines."
    )


class Protection(Section):
    """Statements for a data-protection impact assessment; shown on protection.html."""

    controller: str = Field("", description="Data controller.")
    purpose: str = Field("", description="Purpose of the processing.")
    legal_condition: str = Field("", description="Legal basis and condition for special-category data.")
    sharing_gateway: str = Field("", description="Legal gateway for sharing.")
    intruder_test: str = Field("", description="When and how a motivated-intruder test was carried out.")
    retention: str = Field("", description="How long outputs are kept.")
    review_date: str = Field("", description="Date of the next review.")
    contact: str = Field("", description="Whom to ask.")


class Tiles(Section):
    """Optional background tiles. Without them a page makes no network requests."""

    url: str = Field(
        "",
        description="XYZ or WMTS template. If it contains `{key}`, the page asks its reader for the key and keeps it "
        "in memory alone.",
    )
    attribution: str = Field("", description="Required with a url.")
    key_env: str = Field("", description="Environment variable with the key, for write_key.")
    write_key: bool = Field(
        default=False,
        description="Write the key into the pages of internal profiles, so that readers are not asked; everybody with "
        "such a page has the key. Other profiles always ask.",
    )


class Links(Section):
    """Where to report and to find support."""

    text: str = Field(description="What is offered.")
    contact: str = Field("", description="Telephone number or address, shown as text.")


class Page(Section):
    """Maps and briefings."""

    language: str = Field("en-GB", description="Language tag of pages; there must be a catalogue of words for it.")
    support: tuple[Links, ...] = Field((), description="Where to report and to find support.")
    caveats: tuple[Annotated[str, Field(max_length=500)], ...] = Field((), description="Additional cautions.")
    licence: str = Field("", description="Licence and attribution line of the data and boundaries.")
    simplify_m: float = Field(28.0, ge=0, description="Simplification of outlines on pages, in metres.")
    tiles: Tiles = Field(default_factory=lambda: Tiles.model_validate({}), description="Background tiles.")
    briefings: bool = Field(default=True, description="Write a briefing per borough and the panel page.")

    @field_validator("language")
    @classmethod
    def _has_words(cls, language: str) -> str:
        # Only the names of the files are read here: their content belongs to the publish package.
        folder = files("pipeline").joinpath("publish", "words")
        known = sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))
        if not {language, language.partition("-")[0]} & set(known):
            raise ValueError(f"there are only catalogues for {', '.join(known)} (and regional tags such as en-GB)")
        return language


class MapSettings(Section):
    """How the map is drawn."""

    gaps: Literal["land", "water"] = Field(
        "land",
        description="Gaps between the areas: `water` draws long gaps between boundaries as a river. Not needed with a "
        "layer of water in `context`.",
    )


class Exports(Section):
    """Layers for GIS."""

    geopackage: bool = Field(default=True, description="Write hotspots.gpkg.")
    geoparquet: bool = Field(default=False, description="Also write GeoParquet layers.")
    flatgeobuf: bool = Field(default=False, description="Also write FlatGeobuf layers.")
    workbook: Literal["xlsx", "ods", "none"] = Field(
        "xlsx", description="Write the tables as a workbook, tables.xlsx or tables.ods."
    )
    contact: str = Field("", description="Contact in the layers' metadata.")
    abstract: str = Field("", description="Abstract in the layers' metadata.")
