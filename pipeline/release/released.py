"""One release: its frozen plan, the sealed type that exports, maps and briefings accept, and its storage.

Only the gate can create a `Released`, so an unprotected number cannot reach a file by mistake. Everything in it is
already protected: counts, and figures derived from those counts.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

import geopandas as gpd
import pandas as pd
from pydantic import TypeAdapter

from pipeline.config import Config, Profile
from pipeline.domain.categories import ROOT
from pipeline.domain.levels import level_ids, level_words
from pipeline.domain.periods import Period
from pipeline.domain.profile_windows import Windows
from pipeline.domain.progress import Progress, unwatched
from pipeline.errors import DisclosureError
from pipeline.release.patterns import Patterns
from pipeline.tables import (
    CIRCUMSTANCES,
    CONCENTRATION,
    DENSITY_CATEGORY_LAYER,
    HOTSPOT_CATEGORY_LAYER,
    HOTSPOT_CORE_LAYER,
    HOTSPOT_FACTS,
    RESIDENTS,
    STREET_RUNS,
    STREET_SEGMENTS,
    Level,
    Table,
)

if TYPE_CHECKING:  # these modules import this one
    from pipeline.release.earlier_releases import Kept
    from pipeline.release.hotspots import Premises

__all__ = [
    "Break",
    "CategoryInfo",
    "Event",
    "Packed",
    "PeriodInfo",
    "ReleaseInfo",
    "ReleasePlan",
    "Released",
    "Rung",
    "bases_of",
    "digest_of",
    "join_not_offered",
    "pack",
    "release_info",
    "split_not_offered",
    "unpack",
]


_SEAL = object()  # used only by the gate and `unpack`; a test checks this


class Rung(StrEnum):
    """What a category may be given by, finest first: the ladder that it goes down until enough areas show a number."""

    WARD = "ward"
    WARD_GROUP = "ward_group"
    LONG = "ward_group_long"
    """By groups of wards, in longer windows alone."""
    BOROUGH = "borough"

    @property
    def level(self) -> Level:
        """The level of its areas."""
        return Level.WARD_GROUP if self is Rung.LONG else Level(self.value)


@dataclass(frozen=True, slots=True)
class CategoryInfo:
    """A category as readers see it; `all` comes first, and includes the others except those `outside` it."""

    id: str
    label: str
    parent: str | None
    outside: bool = False
    detail: Level = Level.WARD
    """Finest level at which the release gives it; groups and wards exclude each other (see `release.detail`)."""
    long_windows: bool = False
    """Whether it is given there in longer windows alone, because the usual ones hold too little."""

    @property
    def detail_in_headline(self) -> Level:
        """Finest level at which the headline period has it."""
        return Level.BOROUGH if self.long_windows else self.detail

    @property
    def rung(self) -> Rung:
        """Where it stands on the ladder."""
        return Rung.LONG if self.long_windows else Rung(self.detail.value)


@dataclass(frozen=True, slots=True)
class PeriodInfo:
    """A window of the series of one level; both ends are inclusive ISO dates."""

    id: str
    label: str
    start: str
    end: str
    days: int
    complete: bool
    lacking: tuple[str, ...] = ()
    """Months in it that are missing or incomplete in a source: "2025-06"."""


@dataclass(frozen=True, slots=True)
class Break:
    """A change of recording system; figures are not compared across it."""

    month: str
    text: str


@dataclass(frozen=True, slots=True)
class Event:
    """A dated event for charts."""

    date: str
    label: str
    areas: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ReleasePlan:
    """The plan of one release, determined before any of its numbers are computed.

    Attributes
    ----------
    config, profile
        All settings, and the rules of the audience.
    windows
        Headline, earlier window and series of each level.
    areas
        Table `areas` of the profile's scope.
    categories
        Categories shown, `all` first.
    parents
        Area code to the code of the area it lies in, for every covered area, in the profile's scope or not.
    category_pairs
        Category and the category it is part of, for every two that are both shown.
    group_of
        Ward code to the code of its group; empty where no category is given by groups.
    closest_detail
        Every category, shown or not, to its rung for the audience with the smallest step.
    kept
        What must be kept from previous releases; nothing for internal, whose readers have the data.
    known_tables
        Counts that the public can look up: area_code, period, category, measure, value; None where no table is named.
    premises
        Addresses and institutions, where layers of them are given.
    mask
        Ground that cannot hold incidents, one shape; None where nothing is masked.
    secret
        Key of repeatable noise.
    progress
        Called as long steps of the release advance.
    min_samples
        Incidents that make a core of a hotspot. A reader is assumed to know it, also where detection chose it.
    """

    config: Config
    profile: Profile
    windows: Windows
    areas: gpd.GeoDataFrame
    categories: tuple[CategoryInfo, ...]
    parents: Mapping[str, str]
    category_pairs: tuple[tuple[str, str], ...]
    kept: "Kept"
    known_tables: pd.DataFrame | None
    premises: "Premises"
    secret: bytes
    min_samples: int
    group_of: Mapping[str, str] = field(default_factory=dict)
    closest_detail: Mapping[str, Rung] = field(default_factory=dict)
    mask: Any = None
    progress: Progress = unwatched

    @property
    def shows_all(self) -> bool:
        """Whether the release shows all categories together; a profile that lists categories may leave that out."""
        return any(c.id == ROOT for c in self.categories)

    @property
    def long_categories(self) -> frozenset[str]:
        """The categories that are given by groups of wards in longer windows alone."""
        return frozenset(c.id for c in self.categories if c.long_windows)

    @property
    def internal(self) -> bool:
        """Whether the release is only for the data owner, who has the data."""
        return self.profile.audience == "internal"


@dataclass(frozen=True, slots=True)
class ReleaseInfo:
    """Texts and choices that accompany the numbers."""

    run_name: str
    title: str
    noun: str
    recorder: str
    """Who recorded the incidents, if it was one organisation; empty if several."""
    place: str
    publisher: str
    licence: str
    synthetic: bool
    language: str
    profile: str
    audience: Literal["internal", "partner", "public"]
    marking: str
    threshold: int
    mechanism: Literal["exact", "steps", "suppress", "noise"]
    """How counts are protected; `exact` if they are not."""
    step: int
    """Width of the steps that counts are given in; 1 where they are numbers."""
    audit: str
    """`passed`, `not needed` (internal), or `not audited: do not publish`."""
    region_code: str
    region_name: str
    level_labels: dict[str, tuple[str, str]]
    """Level to singular and plural: {"ward": ("ward", "wards"), ...}."""
    categories: tuple[CategoryInfo, ...]
    headline: PeriodInfo
    earlier: PeriodInfo | None
    """The comparison window of changes."""
    periods: dict[str, tuple[PeriodInfo, ...]]
    """Level to its windows, oldest first; the headline is among each level's windows or beside them."""
    breaks: tuple[Break, ...]
    events: tuple[Event, ...]
    outcome_basis: Literal["cohort", "flow", "none"]
    measures: tuple[str, ...]
    has_points: bool
    working_crs: str
    support: tuple[tuple[str, str], ...]
    """Where to report and find support: text and contact."""
    caveats: tuple[str, ...]
    density_note: str
    """Bandwidth and kernel in words, or why there is no density."""
    hotspot_note: str
    """Method in words, or why there are none."""
    simplify_m: float
    change_fdr_q: float = 0.05
    change_basis: Literal["previous", "year_before"] = "year_before"
    """False discovery rate of `higher` and `lower`."""
    gaps_are_water: bool = False
    """Whether long gaps between the areas are drawn as water."""
    tiles_url: str = ""
    tiles_attribution: str = ""
    contact: str = ""
    abstract: str = ""
    protection: dict[str, str] = field(default_factory=dict)
    inside_note: str = ""
    """Note that figures describe only the data inside the areas, if much is outside. Also the first caveat."""
    ward_groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Code of each group of wards to the codes of its wards, sorted; empty where no category is given by groups."""
    level_ids: dict[str, str] = field(default_factory=dict)
    """Levels that `areas.levels` gives another name than their role, and that name: {"ward": "lsoa"}."""
    parents_above: dict[str, str] = field(default_factory=dict)
    """Borough code to the code of the area of the third level that contains it; empty where that is not shown."""
    stand_in: tuple[PeriodInfo, PeriodInfo] | None = None
    """Where a break divides the headline from the earlier window: the latest shorter window that can be compared, and
    what it is compared with; none where none is shown."""
    long_windows: tuple[PeriodInfo, ...] = ()
    """Windows, oldest first, of the categories with `long_windows`; empty where there are none."""
    bases: dict[str, str] = field(default_factory=dict)
    """Category to what its rates are divided by, where that is not residents."""
    shared_folders: tuple[str, ...] = ()
    """In `internal`, the folders of the run that are for others: the names of their profiles."""
    lacking: tuple[str, ...] = ()
    """Which months of the windows shown are missing from which source, one sentence each; among the caveats too."""

    @property
    def main_category(self) -> str:
        """Return the category of the main figures: all together, or the first shown where a profile leaves that out."""
        shown = [c.id for c in self.categories]
        return shown[0] if shown and ROOT not in shown else ROOT

    def base_of(self, category: str) -> str:
        """Return what the rates of a category are divided by: "residents", "workday population"."""
        return self.bases.get(category, RESIDENTS)

    @property
    def base(self) -> str:
        """Return what the main figures are divided by."""
        return self.base_of(self.main_category)

    @property
    def every_base(self) -> str:
        """Return what rates are divided by, where a text is about all categories: others than the main one by name."""
        others = [f"{c.label}: {self.base_of(c.id)}" for c in self.categories if self.base_of(c.id) != self.base]
        return f"{self.base} ({'; '.join(others)})" if others else self.base


@dataclass(frozen=True, slots=True)
class Released:
    """One profile's tables after the gate.

    Attributes
    ----------
    areas
        Table `areas`: region, boroughs, wards in the working system (a scope leaves out others).
    counts
        Table `area_counts`: the windows of `info.periods` and the headline, every category shown.
    hotspots, density
        Tables `hotspots` and `density` with geometry in the working system; empty where the profile shows none.
    hotspots_by_category, density_by_category
        The same of single categories.
    record
        What release.json says.
    circumstances
        Table CIRCUMSTANCES of the headline window; empty where nothing describes incidents or nothing may be shown.
    facts
        Table HOTSPOT_FACTS of the hotspots; empty for everyone but the data owner.
    cores
        Table HOTSPOT_CORE_LAYER of the large hotspots; empty for everyone but the data owner.
    concentration
        Table CONCENTRATION of the headline window; empty for everyone but the data owner.
    streets, street_runs
        Tables STREET_SEGMENTS and STREET_RUNS of the headline window; empty for everyone but the data owner.
    patterns
        What tests of place and time found in the headline window; empty for everyone but the data owner.
    """

    info: ReleaseInfo
    areas: gpd.GeoDataFrame
    counts: pd.DataFrame
    hotspots: gpd.GeoDataFrame
    density: gpd.GeoDataFrame
    record: dict[str, Any]
    seal: object = None
    circumstances: pd.DataFrame = field(default_factory=CIRCUMSTANCES.empty)
    facts: pd.DataFrame = field(default_factory=HOTSPOT_FACTS.empty)
    cores: gpd.GeoDataFrame = field(default_factory=lambda: no_outlines(HOTSPOT_CORE_LAYER))
    concentration: pd.DataFrame = field(default_factory=CONCENTRATION.empty)
    streets: gpd.GeoDataFrame = field(default_factory=lambda: no_outlines(STREET_SEGMENTS))
    street_runs: pd.DataFrame = field(default_factory=STREET_RUNS.empty)
    patterns: Patterns = field(default_factory=Patterns)
    hotspots_by_category: gpd.GeoDataFrame = field(default_factory=lambda: no_outlines(HOTSPOT_CATEGORY_LAYER))
    density_by_category: gpd.GeoDataFrame = field(default_factory=lambda: no_outlines(DENSITY_CATEGORY_LAYER))

    def __post_init__(self) -> None:
        """Raise unless the gate made this object."""
        if self.seal is not _SEAL:
            raise DisclosureError(
                "a Released table can only be made by disclosure.release(): pass the tables through it"
            )


def no_outlines(table: Table, crs: Any = None) -> gpd.GeoDataFrame:
    """Return a layer without rows."""
    return gpd.GeoDataFrame(table.empty(), geometry=gpd.GeoSeries([], crs=crs), crs=crs)


# A released table names what a row does not offer in one text column. Inside the gate they are sets.

_SEPARATOR = ";"


def join_not_offered(names: Iterable[AbstractSet[str]], *, order: Sequence[str]) -> list[str]:
    """Return what each row does not offer as the released table writes it."""
    return [_SEPARATOR.join(c for c in order if c in row) for row in names]


def split_not_offered(column: "pd.Series[str]") -> list[frozenset[str]]:
    """Read what `join_not_offered` wrote."""
    text, texts = pd.factorize(column.fillna(""))
    sets = [frozenset(names.split(_SEPARATOR)) - {""} for names in texts]
    return [sets[number] for number in text]


# Texts and choices that accompany the numbers of a release.


def _period_info(period: Period, windows: Windows) -> PeriodInfo:
    return PeriodInfo(
        id=period.id,
        label=period.label,
        start=period.start.isoformat(),
        end=period.end.isoformat(),
        days=period.days,
        complete=not windows.partial(period),
        lacking=tuple(
            Period(m, m).id for m in sorted(windows.lacking.months) if period.first_month <= m <= period.last_month
        ),
    )


def _stand_in(windows: Windows) -> tuple[PeriodInfo, PeriodInfo] | None:
    if windows.stand_in is None:
        return None
    later, earlier = windows.stand_in
    return _period_info(later, windows), _period_info(earlier, windows)


def _recorder(config: Config) -> str:
    if config.run.recorded_by is not None:
        return config.run.recorded_by.strip()
    several = len(config.incidents) + len(config.published_counts) > 1
    return "" if several or any(s.columns.organisation for s in config.incidents) else "Police"


def _ward_groups(plan: ReleasePlan) -> dict[str, tuple[str, ...]]:
    groups = plan.areas.loc[plan.areas["level"] == Level.WARD_GROUP, "area_code"]
    return {str(g): tuple(ward for ward, of in plan.group_of.items() if of == g) for g in groups}


def release_info(
    plan: ReleasePlan,
    *,
    verdict: str,
    has_points: bool,
    hotspot_note: str,
    density_note: str,
    inside_note: str = "",
    cautions: tuple[str, ...] = (),
    parents_above: Mapping[str, str] | None = None,
) -> ReleaseInfo:
    """Collect what pages state about a profile's release; `cautions` come before the configured ones."""
    config, profile, windows = plan.config, plan.profile, plan.windows
    labels = level_words(config.areas)
    wards = labels["ward"][1]
    lacking = windows.lacking.sentences(*windows.shown)
    return ReleaseInfo(
        run_name=config.run.name,
        title=config.run.title,
        noun=config.run.noun,
        recorder=_recorder(config),
        place=config.run.place,
        publisher=config.run.publisher,
        licence=config.page.licence,
        synthetic=config.run.synthetic,
        language=config.page.language,
        profile=profile.name,
        audience=profile.audience,
        marking=profile.marking,
        threshold=profile.threshold,
        mechanism=profile.protection if profile.threshold > 1 else "exact",
        step=profile.step,
        audit=verdict,
        region_code=config.areas.region.code,
        region_name=config.areas.region.name,
        level_labels=labels | {"ward_group": (f"group of {wards}", f"groups of {wards}")},
        categories=plan.categories,
        headline=_period_info(windows.headline, windows),
        earlier=_period_info(windows.earlier, windows) if windows.earlier else None,
        periods={
            level: tuple(_period_info(p, windows) for p in sorted({*own, *(windows.stand_in or ())}))
            for level, own in windows.series.items()
            if level != Level.WARD_GROUP or plan.group_of
        },
        long_windows=tuple(_period_info(p, windows) for p in windows.long) if plan.long_categories else (),
        breaks=() if config.periods.ignore_breaks else tuple(Break(b.month, b.text) for b in config.periods.breaks),
        events=tuple(Event(e.date, e.label, e.areas) for e in config.periods.events),
        outcome_basis=config.outcomes.basis if "positive_outcomes" in profile.measures else "none",
        measures=profile.measures,
        has_points=has_points,
        working_crs=config.crs.working,
        support=tuple((link.text, link.contact) for link in config.page.support),
        caveats=(
            *([inside_note] if inside_note else []),
            *lacking,
            *cautions,
            *config.page.caveats,
        ),
        ward_groups=_ward_groups(plan),
        level_ids=level_ids(config.areas),
        parents_above=dict(parents_above or {}),
        stand_in=_stand_in(windows),
        bases=bases_of(config, plan.categories),
        shared_folders=tuple(p.name for p in config.profiles if p.audience != "internal") if plan.internal else (),
        lacking=lacking,
        density_note=density_note,
        hotspot_note=hotspot_note,
        simplify_m=config.page.simplify_m,
        change_fdr_q=config.change.fdr_q,
        change_basis=config.change.compare,
        gaps_are_water=config.map.gaps == "water",
        tiles_url=config.page.tiles.url,
        tiles_attribution=config.page.tiles.attribution,
        contact=config.exports.contact,
        abstract=config.exports.abstract,
        protection=config.protection.model_dump(mode="json"),
        inside_note=inside_note,
    )


def bases_of(config: Config, categories: Sequence[CategoryInfo]) -> dict[str, str]:
    """Return what the rate of each category is divided by, as `areas.population[].measure` names it.

    Parameters
    ----------
    config
        All settings.
    categories
        Categories shown.

    Returns
    -------
    bases
        Category to its base, of those whose base is not residents.
    """
    own = {file.category: file.measure for file in config.areas.population if file.category is not None}
    found = {id_: own.get(id_, config.areas.base) for id_ in (ROOT, *(c.id for c in categories))}
    return {category: base for category, base in found.items() if base != RESIDENTS}


# Serialisation of a `Released` for storage between stages.


_INFO: TypeAdapter[ReleaseInfo] = TypeAdapter(ReleaseInfo)


@dataclass(frozen=True, slots=True)
class Packed:
    """The parts of a release: tables, plain words, and a digest of the numbers that left the gate."""

    info: dict[str, Any]
    areas: gpd.GeoDataFrame
    counts: pd.DataFrame
    hotspots: gpd.GeoDataFrame
    density: gpd.GeoDataFrame
    hotspots_by_category: gpd.GeoDataFrame
    density_by_category: gpd.GeoDataFrame
    circumstances: pd.DataFrame
    facts: pd.DataFrame
    cores: gpd.GeoDataFrame
    concentration: pd.DataFrame
    streets: gpd.GeoDataFrame
    street_runs: pd.DataFrame
    patterns: Patterns
    record: dict[str, Any]
    digest: str


def digest_of(*tables: pd.DataFrame) -> str:
    """Return a digest of the columns and values of tables, whatever their index."""
    digest = hashlib.sha256()
    for table in tables:
        digest.update(",".join(table.columns).encode())
        digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def pack(released: Released) -> Packed:
    """Convert a release to its parts."""
    return Packed(
        info=_INFO.dump_python(released.info, mode="json"),
        areas=released.areas,
        counts=released.counts,
        hotspots=released.hotspots,
        density=released.density,
        hotspots_by_category=released.hotspots_by_category,
        density_by_category=released.density_by_category,
        circumstances=released.circumstances,
        facts=released.facts,
        cores=released.cores,
        concentration=released.concentration,
        streets=released.streets,
        street_runs=released.street_runs,
        patterns=released.patterns,
        record=released.record,
        digest=digest_of(released.counts, released.circumstances, released.facts, released.concentration),
    )


def unpack(packed: Packed) -> Released:
    """Rebuild a release from its parts.

    Raises
    ------
    DisclosureError
        If the counts are not those that left the gate.
    """
    if digest_of(packed.counts, packed.circumstances, packed.facts, packed.concentration) != packed.digest:
        raise DisclosureError(
            "the stored release is not the one that passed the gate: run `hotspots run --from release` to make it again"
        )
    return Released(
        info=_INFO.validate_python(packed.info),
        areas=packed.areas,
        counts=packed.counts,
        hotspots=packed.hotspots,
        density=packed.density,
        hotspots_by_category=packed.hotspots_by_category,
        density_by_category=packed.density_by_category,
        circumstances=packed.circumstances,
        facts=packed.facts,
        cores=packed.cores,
        concentration=packed.concentration,
        streets=packed.streets,
        street_runs=packed.street_runs,
        patterns=packed.patterns,
        record=packed.record,
        seal=_SEAL,
    )
