"""The gate: it takes unprotected results and returns one profile's `Released`, which nothing else can create.

`examine` is the whole of disclosure control for one profile, in order: protection of counts (steps, or suppression with
its audit, or noise), outlines that may be drawn, then all other figures, computed from protected counts alone.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import geopandas as gpd
import pandas as pd

from pipeline.aggregate.counts import sum_periods
from pipeline.aggregate.coverage import Extent
from pipeline.aggregate.precision import Basis
from pipeline.aggregate.short_counts import sum_days
from pipeline.config import Config, Profile
from pipeline.domain.categories import declared_relations
from pipeline.domain.levels import level_words
from pipeline.domain.periods import MissingMonths, Period, month_of
from pipeline.domain.profile_windows import Windows, choose_windows
from pipeline.domain.progress import Progress, unwatched
from pipeline.errors import ConfigError
from pipeline.geography.levels_above import LevelsAbove
from pipeline.geography.ward_groups import add_groups, group_wards, with_ward_groups
from pipeline.release.calendar import (
    Before,
    calendar_of,
    joined_windows,
    keep,
    last_complete_month,
    sentences,
    windows_of_release,
)
from pipeline.release.circumstances import Circumstances, Setting, release_circumstances
from pipeline.release.detail import (
    choose_detail,
    given_otherwise,
    kept_detail,
    shares_with_number,
    utility,
)
from pipeline.release.earlier_releases import EarlierRelease, as_first_released, edition_of
from pipeline.release.figures import derive
from pipeline.release.hotspot_names import with_names
from pipeline.release.hotspots import (
    Outlines,
    Premises,
    Room,
    no_hotspots,
    release_density,
    release_hotspots,
    release_hotspots_by_category,
)
from pipeline.release.linked_tables import COUNTS, Layout, category_pairs, declared_unions
from pipeline.release.offer import Offer, choose_offer
from pipeline.release.patterns import Patterns
from pipeline.release.protect import cautions_of, protect, release_record, states_of
from pipeline.release.released import (
    _SEAL,
    CategoryInfo,
    Released,
    ReleasePlan,
    Rung,
    digest_of,
    no_outlines,
    release_info,
)
from pipeline.release.steps import with_larger_areas
from pipeline.statistics.rates import leave_out_immature
from pipeline.tables import (
    AREA_DAYS,
    CIRCUMSTANCES,
    CONCENTRATION,
    HOTSPOT_CORE_LAYER,
    HOTSPOT_FACTS,
    STREET_RUNS,
    STREET_SEGMENTS,
    Level,
)

__all__ = ["Detected", "Passed", "Shared", "examine", "release"]

_SUMMED = ("incidents", "positive_outcomes", "known_outcomes")
"""Measures of a group of wards that are sums of its wards'; incidents without a location are in no group."""

_STEPS = 5
"""Parts of making a release that take time: offer, protection, figures, outlines, density with circumstances."""

_MOST_COUNTS = 1_048_575
"""Most counts where windows of days are shown: the rows below the header that Excel and LibreOffice open."""


@dataclass(frozen=True, slots=True)
class Detected:
    """All results of the earlier stages, unprotected.

    Attributes
    ----------
    areas
        Table `areas`.
    area_months
        Table `area_months`.
    categories
        Categories in the order they are shown, `all` first.
    first_date, last_date
        First and last day the data covers.
    area_days
        Table `area_days`; empty where no window of days is shown.
    locations
        Reads the rows of table `locations` of a period: easting_m, northing_m, month, categories, incidents. A release
        needs one window, and which one the ledger may decide.
    hotspots
        Headline window id to its hotspots (all attributes, geometry in the working system).
    members
        Headline window id to the locations of each hotspot: hotspot_id, easting_m, northing_m, ward_code, incidents.
    hotspots_by_category, members_by_category
        The same for single categories: column category, and ids that begin with it.
    min_samples
        Headline window id to the incidents that make a core of a hotspot, where detection chose that number.
    bandwidth_m
        Bandwidth the surface is made with, in metres; None where there are no points.
    emerging
        area_code, category, emerging_class; None where the series is too short.
    has_points
        Whether the source has points at all.
    premises
        Addresses and institutions, where layers of them are given.
    known_tables
        Counts that the public can look up: area_code, period, category, measure, value; None where no table is named.
    facets
        Counts by what describes incidents (see `pipeline.aggregate.circumstances`); None where there are no incident
        records.
    denominators
        Populations used for one category only: area_code, category, population, measure; None where there are none.
    extent
        How much of the data lies inside the areas.
    basis
        How many incidents density and hotspots rest on.
    lacking
        Months missing from a source: windows that contain them are incomplete.
    levels
        Levels at which no row can be assigned (`no_data`: reason by level), and notes for pages (`notes`).
    facts
        Headline window id to the table HOTSPOT_FACTS of its hotspots.
    cores
        Headline window id to the cores of its large hotspots, table HOTSPOT_CORE_LAYER.
    concentration
        Headline window id to the table CONCENTRATION.
    above
        Third and fourth level of areas; None where there are two or fewer.
    streets, street_runs
        Headline window id to the tables STREET_SEGMENTS and STREET_RUNS.
    patterns
        Headline window id to what tests of place and time found.
    mask
        Ground that cannot hold incidents, one shape; None where nothing is masked.
    """

    areas: gpd.GeoDataFrame
    area_months: pd.DataFrame
    categories: tuple[CategoryInfo, ...]
    first_date: date
    last_date: date
    locations: Callable[[Period], pd.DataFrame]
    hotspots: dict[str, gpd.GeoDataFrame]
    members: dict[str, pd.DataFrame]
    bandwidth_m: float | None
    emerging: pd.DataFrame | None
    has_points: bool
    min_samples: Mapping[str, int] = field(default_factory=dict)
    hotspots_by_category: dict[str, gpd.GeoDataFrame] = field(default_factory=dict)
    members_by_category: dict[str, pd.DataFrame] = field(default_factory=dict)
    premises: Premises = field(default_factory=Premises)
    known_tables: pd.DataFrame | None = None
    facets: pd.DataFrame | None = None
    denominators: pd.DataFrame | None = None
    extent: Extent = field(default_factory=Extent)
    basis: Basis = field(default_factory=lambda: Basis(accepted=()))
    lacking: MissingMonths = field(default_factory=MissingMonths)
    levels: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    cores: Mapping[str, gpd.GeoDataFrame] = field(default_factory=dict)
    area_days: pd.DataFrame = field(default_factory=AREA_DAYS.empty)
    concentration: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    above: LevelsAbove | None = None
    streets: Mapping[str, gpd.GeoDataFrame] = field(default_factory=dict)
    street_runs: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    patterns: Mapping[str, Patterns] = field(default_factory=dict)
    mask: Any = None


@dataclass(frozen=True, slots=True)
class Passed:
    """A release, and details of how it was made that only the data owner may know.

    Attributes
    ----------
    released
        The only thing that exports, maps and briefings accept.
    log
        Primary and secondary cells by level, relations that do not hold in the data.
    states
        One row per withheld cell: level, key, state, reason.
    """

    released: Released
    log: dict[str, Any]
    states: pd.DataFrame


def release(
    detected: Detected,
    *,
    profile: Profile,
    config: Config,
    before: Before | None = None,
    secret: bytes = b"",
) -> Released:
    """Make one profile's release; see `examine`."""
    return examine(detected, profile=profile, config=config, before=before, secret=secret).released


@dataclass(frozen=True, slots=True)
class Shared:
    """What several profiles of a run have in common, made for the first of them.

    Attributes
    ----------
    offers
        Choices of counts, by what they depend on: their audit is the longest part of a release.
    circumstances
        Counts of what describes incidents, by what they depend on.
    """

    offers: dict[str, Offer] = field(default_factory=dict)
    circumstances: dict[tuple[Any, ...], pd.DataFrame] = field(default_factory=dict)


def examine(
    detected: Detected,
    *,
    profile: Profile,
    config: Config,
    before: Before | None = None,
    secret: bytes = b"",
    shared: Shared | None = None,
    progress: Progress = unwatched,
) -> Passed:
    """Make one profile's release and report how it was made.

    Released numbers do not change, and new ones are released on the dates of the profile's calendar (see `calendar`).

    Parameters
    ----------
    detected
        Unprotected results.
    profile
        The rules of the audience.
    config
        The whole configuration: texts, rates, windows.
    before
        Previous releases of the same data.
    secret
        Key of repeatable noise, at least 16 bytes; needed for ``protection: noise`` alone.
    shared
        What was made for other profiles of the same run, to which that of this one is added.
    progress
        Called as long steps advance.

    Raises
    ------
    DisclosureError
        If a count could be recovered and no further suppression helps, or the release contradicts a previous one.
    ConfigError
        If the profile names categories or boroughs that do not exist.
    """
    plan, detail = _plan(detected, profile, config, before or Before(), secret)
    return _pass(detected, replace(plan, progress=progress), detail, shared or Shared())


def _pass(detected: Detected, plan: ReleasePlan, detail: "_Detail", shared: Shared) -> Passed:
    """Make one release."""
    config, profile = plan.config, plan.profile
    months = _mature(detected, config)
    whole = months
    if plan.group_of:  # a group's count is the sum of its wards' true counts: protected as one number, like any other
        summed = tuple(m for m in _SUMMED if m in months)
        months = add_groups(months, plan.group_of, keys=("month", "category"), sums=summed)
    above = _levels_above(detected, profile)
    months, counts = _true_counts(months, detected, plan, above)
    stepped = not plan.internal and profile.step > 1
    offer = _offer(detected, whole, plan, detail, counts, offers=shared.offers) if stepped else None

    plan.progress("making a release", 1, _STEPS)
    protected = protect(counts, months=months, plan=plan, offer=offer)
    plan.progress("making a release", 2, _STEPS)

    # From here on only protected counts are used. Outlines have rules of their own.
    people = detected.denominators
    if people is not None and plan.group_of:
        people = add_groups(people, plan.group_of, keys=("category", "measure"), sums=("population",), whole=True)
    if people is not None and above is not None:
        people = above.with_people(people, areas=detected.areas)
    sums = above.covered_parts(detected.areas) if above is not None and not plan.internal else {}
    figures = derive(
        with_larger_areas(protected.counts, sums),
        plan=plan,
        emerging=detected.emerging,
        people=people,
        months=months if plan.internal else None,
    )
    plan.progress("making a release", 3, _STEPS)
    # Outlines are chosen after the released counts, and must reveal nothing more about them.
    if plan.shows_all:
        room = Room(protected.counts, true=counts, plan=plan)
        hotspots = release_hotspots(detected.hotspots, detected.members, plan=plan, room=room)
        each = release_hotspots_by_category(
            detected.hotspots_by_category, detected.members_by_category, plan=plan, room=room
        )
    else:
        hotspots = no_hotspots(plan.areas, f"Hotspots are not shown: {OF_ALL}")
        each = no_hotspots(plan.areas, "", by_category=True)
    hotspots = _named(_unchanged_outlines(hotspots, "hotspots", plan), plan)
    each = _named(_unchanged_outlines(each, "hotspots_by_category", plan), plan)
    plan.progress("making a release", 4, _STEPS)
    density, density_of_each = release_density(
        detected.locations, bandwidth_m=detected.bandwidth_m, counts=protected.counts, plan=plan
    )
    density = _unchanged_outlines(density, "density", plan)
    density_of_each = _unchanged_outlines(density_of_each, "density_by_category", plan)
    described = _described(detected, plan, protected.counts, shared)
    plan.progress("making a release", _STEPS, _STEPS)

    info = release_info(
        plan,
        verdict=protected.verdict,
        has_points=detected.has_points,
        hotspot_note=hotspots.note,
        density_note=density.note,
        inside_note=detected.extent.note(exact=plan.internal),
        cautions=(
            *([basis] if (basis := detected.basis.note(exact=plan.internal)) else []),
            *detected.levels.get("notes", ()),
            *_kept_sentences(plan),
            *cautions_of(protected, profile),
        ),
        parents_above=above.inside[Level.THIRD] if above is not None else {},
    )
    record = release_record(info, config, profile, protected, figures.notes)
    # The reason concerns the source, not single records: every audience may know why a level is empty.
    record["rules"]["detail"] = {c.id: c.detail.value for c in plan.categories}
    record["rules"]["long_windows"] = {c: [p.id for p in plan.windows.long] for c in sorted(plan.long_categories)}
    if not plan.internal:
        record["utility"] = utility(figures.counts, given_otherwise(figures.counts, plan))
        record |= _calendar_record(plan)
    record["states"] = states_of(figures.counts, plan.areas, given_otherwise(figures.counts, plan))
    if info.level_ids:
        record["levels"] = {level: info.level_ids.get(level, level) for level in plan.areas["level"].unique()}
    record["levels_without_data"] = dict(detected.levels.get("no_data", {}))
    released = Released(
        info=info,
        areas=plan.areas,
        counts=figures.counts,
        hotspots=hotspots.layer,
        density=density.layer,
        hotspots_by_category=each.layer,
        density_by_category=density_of_each.layer,
        record=record | {"circumstances": described.record},
        circumstances=described.table,
        facts=_facts(detected, plan, hotspots.layer),
        cores=_cores(detected, plan, hotspots.layer),
        concentration=_concentration(detected, plan),
        streets=_streets(detected, plan),
        patterns=_patterns(detected, plan),
        street_runs=_street_runs(detected, plan),
        seal=_SEAL,
    )
    return Passed(released, protected.log, protected.states)


def _true_counts(
    months: pd.DataFrame, detected: Detected, plan: ReleasePlan, above: LevelsAbove | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the true counts of every month and window; of levels above boroughs for the data owner alone.

    For others these are sums of what is released (`with_larger_areas`).
    """
    days, areas = detected.area_days, plan.areas
    if above is not None and plan.internal:
        months = above.with_sums(months, keys=("month", "category"))
        days = above.with_sums(days, keys=("month", "day", "category"))
    elif above is not None:
        areas = areas[~areas["level"].isin(list(above.inside))]
    counts = _window_counts(
        months, plan.windows, areas=areas, categories=plan.categories, long=plan.long_categories, days=days
    )
    return months, _within_the_data(counts, detected, plan)


def _plan(
    detected: Detected, profile: Profile, config: Config, before: Before, secret: bytes
) -> tuple[ReleasePlan, "_Detail"]:
    """Determine what the release covers, before any of its numbers are computed."""
    data_to = last_complete_month(detected.first_date, detected.last_date)
    kept = keep(before, profile=profile, config=config, data_to=data_to)
    windows = windows_of_release(
        profile,
        config,
        kept=kept,
        areas=detected.areas,
        span=(detected.first_date, detected.last_date),
        lacking=detected.lacking,
    )
    found = _detail(detected, profile, config, before.releases)
    rungs, group_of = found.of_step.get(profile.step, {}), found.group_of
    # With one level of areas the finest that there is are boroughs.
    finest = Rung.WARD if (detected.areas["level"] == Level.WARD).any() else Rung.BOROUGH
    categories = tuple(
        replace(c, detail=rung.level, long_windows=rung == Rung.LONG)
        for c, rung in ((c, rungs.get(c.id, finest)) for c in _categories(detected, profile))
    )
    if not kept.due:  # a new category is released with the next numbers
        out = set(kept.counts["category"])
        categories = tuple(c for c in categories if c.id in out)
    areas = _scope(detected.areas, profile)
    if (above := _levels_above(detected, profile)) is not None:
        areas = above.with_areas(areas)
        windows = _same_as_boroughs(windows, list(above.inside))
    # Groups are only made for profiles with a category given by group.
    if any(c.detail == Level.WARD_GROUP for c in categories):
        areas = with_ward_groups(areas, group_of)
    # Areas outside the profile's scope keep their parents, because an attacker knows that they exist.
    covered = detected.areas[detected.areas["covered"].astype(bool) & detected.areas["parent_code"].notna()]
    chosen = config.detect.clusters.min_samples
    plan = ReleasePlan(
        config=config,
        min_samples=detected.min_samples.get(windows.headline.id, 0) if chosen == "auto" else chosen,
        profile=profile,
        windows=windows,
        areas=areas,
        categories=categories,
        group_of=group_of if (areas["level"] == Level.WARD_GROUP).any() else {},
        closest_detail=found.closest,
        parents=dict(zip(covered["area_code"], covered["parent_code"], strict=True)),
        category_pairs=category_pairs(detected.categories, [c.id for c in categories], declared_relations(config)),
        kept=kept,
        known_tables=detected.known_tables,
        premises=detected.premises,
        mask=detected.mask,
        secret=secret,
    )
    return plan, found


def _levels_above(detected: Detected, profile: Profile) -> LevelsAbove | None:
    """Return the third and the fourth level: for the data owner, and as sums of released steps.

    Exact numbers that were suppressed, and noise, have no such sums: a reader would take them for exact totals. A scope
    leaves out boroughs, so that the sums of all would not be those of the boroughs shown.
    """
    return detected.above if _has_levels_above(profile) else None


def _has_levels_above(profile: Profile) -> bool:
    return not profile.scope and (profile.audience == "internal" or profile.step > 1)


def _same_as_boroughs(windows: Windows, levels: Sequence[str]) -> Windows:
    """Give levels the windows of the boroughs, whose sums they are."""
    series = windows.series | dict.fromkeys(levels, windows.series[Level.BOROUGH])
    by_level = windows.by_level | dict.fromkeys(levels, windows.by_level[Level.BOROUGH])
    return replace(windows, series=series, by_level=by_level)


@dataclass(frozen=True, slots=True)
class _Detail:
    """Finest level of each category by the step of its audience, and the groups of wards of the whole source."""

    of_step: Mapping[int, Mapping[str, Rung]]
    group_of: Mapping[str, str]

    @property
    def closest(self) -> Mapping[str, Rung]:
        """The detail for the closest audience: the others have the same, or boroughs."""
        return self.of_step[min(self.of_step)] if self.of_step else {}

    @property
    def long_categories(self) -> frozenset[str]:
        """The categories that the closest audience is given in longer windows alone."""
        return frozenset(c for c, rung in self.closest.items() if rung == Rung.LONG)


def _windows(detected: Detected, profile: Profile, config: Config, *, anchor: int | None) -> Windows:
    return choose_windows(
        profile,
        config.periods,
        first_date=detected.first_date,
        last_date=detected.last_date,
        compare=config.change.compare,
        lacking=detected.lacking,
        anchor=anchor,
    )


def _detail(
    detected: Detected,
    profile: Profile,
    config: Config,
    releases: Sequence[EarlierRelease],
) -> _Detail:
    """Choose the finest level of each category that each audience is shown, and the groups of wards this may need.

    Audiences depend on each other, so the choice is made for all of them, whatever the profile: see `choose_detail`.
    """
    every = [p for p in config.profiles if p.audience != "internal"]
    stepped = [p for p in every if p.step > 1]
    wards = detected.areas[(detected.areas["level"] == Level.WARD) & detected.areas["covered"].astype(bool)]
    if profile not in stepped or wards.empty:
        return _Detail({}, {})
    group_of = group_wards(detected.areas)
    areas = with_ward_groups(detected.areas, group_of)
    areas = areas[areas["level"].isin([Level.WARD, Level.WARD_GROUP])]

    # The first whole window of the wards, as the audience with the smallest step has it.
    edition = edition_of(detected.areas)
    anchor = releases[0].anchor if releases else None
    closest = _windows(detected, min(stepped, key=lambda p: p.step), config, anchor=anchor)
    series = closest.series[Level.WARD]
    first = next((w for w in series if not closest.partial(w)), series[0])
    long = joined_windows(closest, config, releases, edition=edition)[:1]
    months = detected.area_months[detected.area_months["level"] == Level.WARD]
    counts = sum_periods(
        add_groups(months, group_of, keys=("month", "category"), sums=("incidents",)),
        [first, *long],
        areas=areas[["area_code", "level"]],
        categories=[c.id for c in detected.categories],
        covered=list(areas.loc[areas["covered"].astype(bool), "area_code"]),
    )
    # The rung of longer windows is looked at on groups alone.
    over_years = counts["period"] != first.id
    counts = counts[~over_years | (counts["level"] == Level.WARD_GROUP)]
    counts["level"] = counts["level"].astype("str").mask(over_years, Rung.LONG.value)

    # Readers of exact numbers see wards, the finest detail.
    kept = {p.threshold: {c.id: Rung.WARD for c in detected.categories} for p in every if p.step <= 1}
    kept |= kept_detail(releases, edition=edition)
    boroughs = int(detected.areas.loc[wards.index, "parent_code"].nunique())
    larger = dict.fromkeys((Level.WARD_GROUP.value, Rung.LONG.value), boroughs)
    larger[Level.WARD.value] = len(set(group_of.values()))
    chosen = choose_detail(
        {p.step: shares_with_number(counts, step=p.step, larger=larger) for p in stepped},
        categories=[c.id for c in detected.categories],
        part_of=_pairs(detected, config),
        kept=kept,
    )
    return _Detail(chosen, group_of)


def _facts(detected: Detected, plan: ReleasePlan, hotspots: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return what describes the hotspots shown: for the data owner alone, because it would narrow their counts."""
    known = detected.facts.get(plan.windows.headline.id)
    if not plan.internal or known is None:
        return HOTSPOT_FACTS.empty()
    return known[known["hotspot_id"].isin(hotspots["hotspot_id"])].reset_index(drop=True)


def _concentration(detected: Detected, plan: ReleasePlan) -> pd.DataFrame:
    """Return how concentrated incidents are, for the data owner alone.

    Every figure is a function of exact counts of cells, which no rule of steps covers. A folder of some boroughs has
    none, because the figures are those of all data.
    """
    known = detected.concentration.get(plan.windows.headline.id)
    if not plan.internal or plan.profile.scope or known is None:
        return CONCENTRATION.empty()
    return known[known["category"].isin([c.id for c in plan.categories])].reset_index(drop=True)


def _patterns(detected: Detected, plan: ReleasePlan) -> Patterns:
    """Return what tests of place and time found, for the data owner alone (see `Patterns`)."""
    known = detected.patterns.get(plan.windows.headline.id)
    if not plan.internal or plan.profile.scope or known is None:
        return Patterns()
    return known.shown([c.id for c in plan.categories])


def _streets(detected: Detected, plan: ReleasePlan) -> gpd.GeoDataFrame:
    """Return the street segments with their counts, for the data owner alone."""
    known = detected.streets.get(plan.windows.headline.id)
    if not plan.internal or plan.profile.scope or not plan.shows_all or known is None:
        return no_outlines(STREET_SEGMENTS, plan.areas.crs)
    return known


def _street_runs(detected: Detected, plan: ReleasePlan) -> pd.DataFrame:
    """Return the runs of hot street segments, for the data owner alone."""
    known = detected.street_runs.get(plan.windows.headline.id)
    if not plan.internal or plan.profile.scope or not plan.shows_all or known is None:
        return STREET_RUNS.empty()
    return known


def _cores(detected: Detected, plan: ReleasePlan, hotspots: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the cores of the hotspots shown, for the data owner alone.

    A hotspot, its core and the rest of it would be an equation, and that a hotspot has cores depends on true counts
    within a step: no rule of steps covers either.
    """
    known = detected.cores.get(plan.windows.headline.id)
    if not plan.internal or known is None or not len(known):
        return no_outlines(HOTSPOT_CORE_LAYER, plan.areas.crs)
    shown = known[known["hotspot_id"].isin(hotspots["hotspot_id"])].reset_index(drop=True)
    return with_names(shown, plan)


def _named(made: Outlines, plan: ReleasePlan) -> Outlines:
    return replace(made, layer=with_names(made.layer, plan))


def _unchanged_outlines(made: Outlines, kind: str, plan: ReleasePlan) -> Outlines:
    """Return a window's outlines as they were first released, for every audience but the data owner."""
    if plan.internal or not getattr(plan.profile, kind.removesuffix("_by_category")):
        return made
    return as_first_released(made, kind=kind, kept=plan.kept, headline=plan.windows.headline)


OF_ALL = "they are of all categories together, which this folder does not have."


NOT_YET = "Not shown: they come with the next numbers."


def _described(detected: Detected, plan: ReleasePlan, counts: pd.DataFrame, shared: Shared) -> Circumstances:
    """Return the circumstances as they were first released for this window."""
    last = plan.kept.last
    if last is not None and last.headline == plan.windows.headline.id and last.circumstances is not None:
        note = last.notes.get("circumstances", "")
        here = last.circumstances["area_code"].isin(plan.areas["area_code"])
        kept = CIRCUMSTANCES.conform(last.circumstances[here].reset_index(drop=True))
        return Circumstances(kept, note, {"rule": "kept", "note": note})
    if not plan.kept.due:
        note = (last.notes.get("circumstances", "") if last is not None else "") or NOT_YET
        return Circumstances(CIRCUMSTANCES.empty(), note, {"rule": "nothing shown", "note": note})
    if not plan.shows_all:
        note = f"Not shown: {OF_ALL}"
        return Circumstances(CIRCUMSTANCES.empty(), note, {"rule": "nothing shown", "note": note})
    return release_circumstances(detected.facets, Setting.of(plan, counts), counted=shared.circumstances)


def _kept_sentences(plan: ReleasePlan) -> tuple[str, ...]:
    """Return notes on what was kept and when new numbers are due; the internal folder keeps nothing."""
    if plan.internal:
        return ()
    calendar = calendar_of(plan.profile, synthetic=plan.config.run.synthetic)
    labels = level_words(plan.config.areas)
    return sentences(plan.kept, calendar=calendar, windows=plan.windows, labels=labels)


def _calendar_record(plan: ReleasePlan) -> dict[str, Any]:
    """Return what release.json reports of earlier releases and of the calendar."""
    kept, forgotten = plan.kept, {"earlier_releases": "unknown", "earlier_releases_reason": "recorded by the publisher"}
    return {
        "calendar": {
            "release": calendar_of(plan.profile, synthetic=plan.config.run.synthetic),
            "anchor": _iso(plan.windows.anchor),
            "data_to": _iso(kept.data_to),
            "numbers": "new" if kept.due else "as released before",
            **({"reissue": kept.reissue} if kept.reissue else {}),
        },
        **(forgotten if kept.unknown else {"earlier_releases": kept.releases}),
    }


def _iso(month: int) -> str:
    return Period(month, month).id


def _categories(detected: Detected, profile: Profile) -> tuple[CategoryInfo, ...]:
    known = {c.id for c in detected.categories}
    unknown = [c for c in profile.categories if c not in known]
    if unknown:
        raise ConfigError(
            f'profile "{profile.name}" names categories that do not exist: {", ".join(unknown)}. '
            f"There are {', '.join(sorted(known))}"
        )
    wanted = set(profile.categories) or known
    return tuple(c for c in detected.categories if c.id in wanted)


def _pairs(detected: Detected, config: Config) -> tuple[tuple[str, str], ...]:
    """Pair every category of the source with what it is part of, by the tree and as the source declares."""
    return category_pairs(detected.categories, [c.id for c in detected.categories], declared_relations(config))


def _scope(areas: gpd.GeoDataFrame, profile: Profile) -> gpd.GeoDataFrame:
    """Keep the boroughs of the profile's scope, their wards, and the region."""
    if not profile.scope:
        return areas.reset_index(drop=True)
    boroughs = set(areas.loc[areas["level"] == Level.BOROUGH, "area_code"])
    unknown = [code for code in profile.scope if code not in boroughs]
    if unknown:
        raise ConfigError(f'profile "{profile.name}": scope names no borough with code {", ".join(unknown)}')
    inside = set(profile.scope)
    keep = areas["area_code"].isin(inside) | areas["parent_code"].isin(inside) | (areas["level"] == Level.REGION)
    return areas[keep].reset_index(drop=True)


def _mature(detected: Detected, config: Config) -> pd.DataFrame:
    """Leave out pending outcomes of a cohort; a flow has none."""
    if config.outcomes.basis != "cohort":
        return detected.area_months.drop(columns="known_outcomes")
    last, left_out = month_of(detected.last_date), config.outcomes.maturity_months
    return leave_out_immature(detected.area_months, last_month=last, maturity_months=left_out)[0]


def _within_the_data(counts: pd.DataFrame, detected: Detected, plan: ReleasePlan) -> pd.DataFrame:
    """Blank counts before the data: such windows are shown because they were released, and keep their numbers."""
    if plan.internal or plan.windows.first_date >= detected.first_date:
        return counts
    before = [p.id for p in plan.windows.shown if p.start < detected.first_date]
    gone = counts["period"].isin(before)
    return counts.assign(**{m: counts[m].mask(gone) for m in COUNTS if m in counts})


def _offer(
    detected: Detected,
    months: pd.DataFrame,
    plan: ReleasePlan,
    detail: _Detail,
    counts: pd.DataFrame,
    *,
    offers: dict[str, Offer],
) -> Offer:
    """Choose the counts to offer, over all areas and categories, so that the choice is the same for every profile.

    Windows that are out have had their choice. On a date only windows with a count that is not out are looked at; in
    between there are none, and what is not out is not offered.
    """
    fresh = counts[~plan.kept.fixed(counts)]
    if not plan.kept.due:  # except for a correction, which concerns boroughs and larger areas
        fresh = fresh[fresh["level"].isin([Level.BOROUGH, Level.REGION]) & bool(plan.kept.reissue)]
    periods = [Period.parse(p) for p in fresh["period"].unique()]
    config, windows = plan.config, plan.windows
    areas = with_ward_groups(detected.areas, detail.group_of)
    covered = areas[areas["covered"].astype(bool) & areas["parent_code"].notna()]
    months = add_groups(
        months, detail.group_of, keys=("month", "category"), sums=tuple(m for m in _SUMMED if m in months)
    )
    layout = Layout(
        parents=dict(zip(covered["area_code"], covered["parent_code"], strict=True)),
        levels=dict(zip(areas["area_code"], areas["level"], strict=True)),
        part_of=_pairs(detected, config),
        unions=declared_unions(declared_relations(config)),
        series=windows.series,
        cohort=config.outcomes.basis == "cohort",
        group_of=detail.group_of,
        detail={c: rung.level for c, rung in detail.closest.items()},
        long_categories=detail.long_categories,
        long_windows=frozenset(p.id for p in windows.long),
    )
    every = _window_counts(months, windows, areas=areas, categories=detected.categories, long=detail.long_categories)
    every = plan.kept.within(_within_the_data(every, detected, plan))
    # All levels of these months are considered together: released ward counts bound the borough that contains them.
    wanted = [p for p in every["period"].unique() if any(Period.parse(p).overlaps(q) for q in periods)]
    every = every[every["period"].isin(wanted)].reset_index(drop=True)
    steps = sorted({p.step for p in config.profiles if p.audience != "internal" and p.step > 1})
    # The layout is that of the source; profiles may differ in their windows and in which of these were released.
    question = f"{digest_of(every)} {steps} {sorted(layout.series.items())} {sorted(layout.detail.items())}"
    question += f" {sorted(layout.long_categories)} {sorted(layout.long_windows)}"
    if question not in offers:
        offers[question] = choose_offer(every, layout=layout, steps=steps, progress=plan.progress)
    return offers[question]


def _window_counts(
    months: pd.DataFrame,
    windows: Windows,
    *,
    areas: gpd.GeoDataFrame,
    categories: Sequence[CategoryInfo],
    long: Collection[str],
    days: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Sum months to each level's own windows, and days to its windows of days.

    Groups of wards have longer windows besides, for the categories `long` alone.
    """
    if days is not None:
        _refuse_too_many(windows, areas=areas, categories=categories)
    frames = []
    present = set(areas["level"])
    wanted = [(level, windows.all_of(level), [c.id for c in categories]) for level in Level if level in present]
    if long:
        wanted.append((Level.WARD_GROUP, windows.long, [c.id for c in categories if c.id in long]))
    for level, periods, names in wanted:
        if not (periods and names):
            continue
        some = areas[areas["level"] == level]
        shared: dict[str, Any] = {
            "areas": some[["area_code", "level"]],
            "categories": names,
            "covered": list(some.loc[some["covered"].astype(bool), "area_code"]),
            "partial": [p for p in periods if windows.partial(p)],
        }
        whole = [p for p in periods if p.whole_months]
        frames.append(sum_periods(months[months["area_code"].isin(some["area_code"])], whole, **shared))
        short = [p for p in periods if not p.whole_months]
        if short and days is not None:
            frames.append(sum_days(days[days["area_code"].isin(some["area_code"])], short, **shared))
    return pd.concat([f for f in frames if len(f)], ignore_index=True)


def _refuse_too_many(windows: Windows, *, areas: gpd.GeoDataFrame, categories: Sequence[CategoryInfo]) -> None:
    """Refuse windows of days that make more counts than a reader can open."""
    short = {level: [p for p in windows.by_level.get(level, ()) if not p.whole_months] for level in Level}
    cells = sum(len(short[Level(level)]) * int(n) for level, n in areas["level"].value_counts().items())
    counts = cells * len(categories)
    if counts <= _MOST_COUNTS:
        return
    most = max(map(len, short.values()))
    fewer = max(most * _MOST_COUNTS // counts, 1)
    raise ConfigError(
        f"{most} windows of days, {len(areas):,} areas and {len(categories)} categories make {counts:,} counts: "
        f"more rows than a spreadsheet opens ({_MOST_COUNTS:,}). Set periods.short_windows to {fewer} or fewer, choose "
        "longer windows in ward_period (`week`, `28_days` or `fixed`), or list fewer categories in the profile"
    )
