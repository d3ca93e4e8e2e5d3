"""The interface of detection methods: input, findings, and the entry of one method in the registry."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import geopandas as gpd
import pandas as pd

from pipeline.config import Config
from pipeline.detect.kde import BandwidthChoice
from pipeline.domain.categories import ROOT, having, in_total, outside_total
from pipeline.domain.levels import level_words
from pipeline.domain.periods import Period, Span
from pipeline.domain.profile_windows import Windows
from pipeline.domain.progress import Progress, unwatched
from pipeline.geography.study_area import StudyArea
from pipeline.tables import Level, Table

__all__ = ["DetectInput", "Findings", "Incidents", "Method", "Need", "Scope"]


class Need(StrEnum):
    """What a method cannot do without. The stage loads it, and skips methods whose need the data does not meet."""

    POINTS = "points"
    """Incidents at places (`locations`): published counts by area have none."""
    POPULATION = "population"
    """Residents of at least one ward."""
    MONTHS = "months"
    """Counts per ward and month (`ward_counts`)."""
    STREETS = "streets"
    """The street layer of `detect.streets` (`streets`)."""
    DAYS = "days"
    """Incidents one by one, with their day (`incidents`)."""


class Scope(StrEnum):
    """How often a method runs."""

    WINDOW = "window"
    """Once for each distinct headline window: `DetectInput.window` is that window."""
    INTERNAL = "internal"
    """Once for each distinct headline window of an internal profile; not at all where there is none."""
    RUN = "run"
    """Once: `DetectInput.window` is the window of the first profile."""


class Incidents(Protocol):
    """Incidents of a period: there may be tens of millions, so methods ask for counts where these will do."""

    def counted(self, by: Sequence[str], *, members: pd.DataFrame | None = None) -> pd.DataFrame:
        """Count them by what describes them: as `pipeline.aggregate.reduce.IncidentsOfPeriod.counted`."""

    def rows(self, columns: Sequence[str]) -> pd.DataFrame:
        """Read columns of the table `incidents`, one row each, in the order of the data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectInput:
    """All that detection methods may read, loaded once by the stage.

    Attributes
    ----------
    config
        All settings; a method reads its own section.
    areas
        Table `areas`, every level, outlines in the working system.
    study
        The ground that can hold incidents of the data: what every mean, background and test refers to.
    locations
        Table `locations`: incidents per place, month and set of categories; no row where the source has no points.
        Rows that count in no total are not among them, nor are months that no method reads (`Method.also_reads`).
    places
        Every place of the table in any month, in a total or not: easting_m, northing_m, incidents. Empty where the
        source has no points.
    every_month
        Reads the rows of the table that count in the total, of all months, in batches: easting_m, northing_m, month,
        incidents.
    apart
        The rows of the table that count in no total: in categories alone that settings name as outside.
    victims
        Columns easting_m, northing_m, month, categories, victim_hash, of the same months; None where the source does
        not identify victims.
    incidents
        Columns easting_m, northing_m, occurred_on, date_precision, month, place, online, categories: one row per
        incident that counts in the total, of the same months. None unless an enabled method needs days.
    incidents_apart
        The same of those that count in no total.
    ward_counts
        Sums the counts of covered wards over periods: takes periods and categories, returns area_code, period,
        category, incidents.
    described
        The incidents of a period that have a place and are in `locations`, to be counted or read; None where no profile
        shows them.
    denominators
        Populations used for one category only: area_code, category, population, measure; None where there are none.
    timed
        The incidents of a period that count in the region, to be counted or read; None where no profile shows them.
    month_counts
        Sums the counts of the region and its areas above the smallest over periods, as `ward_counts` does: takes
        periods, categories and levels; None where no profile shows it.
    weights, labels
        Weight by offence, and label by category id; None and empty where no weights are given.
    made
        Tables that the methods before have found in this window, by file name.
    streets
        Segments of the street layer inside the covered areas: segment_id, name, geometry, sorted by id. None unless an
        enabled method needs them.
    span
        First and last day that the data covers, and the months that it lacks.
    window
        Headline window, and the earlier one that it is compared with.
    bandwidth
        Kernel bandwidth of the first profile's headline; None where the source has no points.
    progress
        Called as a method that may take long advances.
    """

    config: Config
    areas: gpd.GeoDataFrame
    study: StudyArea
    locations: pd.DataFrame
    places: pd.DataFrame
    every_month: Callable[[], Iterator[pd.DataFrame]]
    victims: pd.DataFrame | None
    incidents: pd.DataFrame | None
    ward_counts: Callable[[Sequence[Period], Sequence[str]], pd.DataFrame]
    span: Span
    window: Windows
    bandwidth: BandwidthChoice | None
    apart: pd.DataFrame | None = None
    incidents_apart: pd.DataFrame | None = None
    described: Callable[[Period], Incidents] | None = None
    timed: Callable[[Period], Incidents] | None = None
    month_counts: Callable[[Sequence[Period], Sequence[str], Sequence[str]], pd.DataFrame] | None = None
    weights: Mapping[str, float] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    made: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    streets: gpd.GeoDataFrame | None = None
    denominators: pd.DataFrame | None = None
    progress: Progress = unwatched

    def rows_of(self, category: str) -> pd.DataFrame:
        """Return the locations that hold incidents of a category: for one, those outside the total too."""
        if category == ROOT:
            return self.locations
        every = self.locations if self.apart is None else pd.concat([self.locations, self.apart], ignore_index=True)
        return every[having(every["categories"], category)].reset_index(drop=True)

    def incidents_of(self, category: str) -> pd.DataFrame:
        """Return the incidents of a category, one row each: for one, those outside the total too."""
        if self.incidents is None:
            return pd.DataFrame()
        if category == ROOT:
            return self.incidents
        apart = self.incidents_apart
        every = self.incidents if apart is None else pd.concat([self.incidents, apart], ignore_index=True)
        return every[having(every["categories"], category)].reset_index(drop=True)

    def victims_of(self, category: str) -> pd.DataFrame | None:
        """Return the victims of a category; a victim may stand in several rows."""
        if self.victims is None:
            return None
        texts = self.victims["categories"]
        if category == ROOT:
            return self.victims[in_total(texts, outside_total(self.config.categories))]
        return self.victims[having(texts, category)]

    def categories_in(self, period: Period) -> list[str]:
        """Return the ids of the categories that have incidents with a place in a period, sorted."""
        frames = [self.locations] if self.apart is None else [self.locations, self.apart]
        texts: set[str] = set()
        for frame in frames:
            inside = frame["month"].between(period.first_month, period.last_month)
            texts |= set(frame.loc[inside, "categories"].dropna().unique())
        return sorted({category for text in texts for category in str(text).split(";")} - {"", ROOT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a method found, for the stage to save.

    Attributes
    ----------
    tables
        Tables by file name in `work/`, ending in `.parquet`; one with geometry is written as GeoParquet.
    contract
        Contract that each of `tables` is held to, if it has one.
    records
        Plain values by file name in `work/`, ending in `.json`.
    state
        What later stages read from `work/detect.json`: under the window's id for a method that runs once per window,
        at the top for one that runs once.
    choices, counters
        What was chosen automatically and what was counted, for the manifest.
    cautions
        What a person should look at before the outputs are used, a sentence each.
    """

    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    contract: Table | None = None
    records: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, Any] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One entry of the registry.

    Attributes
    ----------
    name
        Name in the manifest, where a method that cannot run says why.
    section
        Its settings in `config.yaml`, as a dotted key.
    needs
        What it cannot do without.
    scope
        How often it runs.
    switch
        The setting that asks for it, as a dotted key: false, `none`, null and an empty list leave it out. None for one
        that always runs.
    run
        The method itself: opens no file, draws no unseeded random number.
    obstacle
        What else the method needs, such as a number of months: the sentence that says why it cannot run on the data,
        empty where it can.
    days_if
        Whether the settings make it need incidents with their day as well; None where `needs` says all.
    also_reads
        Periods whose locations, incidents and victims it reads beside the headline and the window compared with it:
        what no method asks for is not loaded. Called before they are; None where there are no others.
    """

    name: str
    section: str
    needs: frozenset[Need]
    scope: Scope
    switch: str | None
    run: Callable[[DetectInput], Findings]
    obstacle: Callable[[DetectInput], str] | None = None
    days_if: Callable[[Config], bool] | None = None
    also_reads: Callable[[DetectInput], Sequence[Period]] | None = None

    def needs_of(self, config: Config) -> frozenset[Need]:
        """Return what the method needs under these settings."""
        return self.needs | ({Need.DAYS} if self.days_if is not None and self.days_if(config) else set())

    def periods(self, data: DetectInput) -> list[Period]:
        """Return the periods whose locations the method reads in the window of `data`."""
        compared = [] if data.window.earlier is None else [data.window.earlier]
        return [data.window.headline, *compared, *(self.also_reads(data) if self.also_reads else ())]

    def cannot_run(self, data: DetectInput) -> str:
        """Return why the method cannot run on the data, for the manifest; empty if it can."""
        unmet = next((why for need, why in _unmet(data).items() if need in self.needs), "")
        return unmet or (self.obstacle(data) if self.obstacle else "")

    def enabled(self, config: Config) -> bool:
        """Whether the settings ask for it."""
        if self.switch is None:
            return True
        asked: Any = config
        for key in self.switch.split("."):
            asked = getattr(asked, key)
        return asked not in (None, False, "none", ())


def _unmet(data: DetectInput) -> dict[Need, str]:
    """Return the missing requirements, with the reported reason."""
    found, ward = {}, level_words(data.config.areas)[Level.WARD][0]
    if not len(data.places):
        found[Need.POINTS] = "the data has no points inside the areas"
    if not len(data.study.wards):
        found[Need.MONTHS] = f"no {ward} has a count"
    if not data.study.wards["population"].notna().any():
        found[Need.POPULATION] = f"no {ward} has a population"
    return found
