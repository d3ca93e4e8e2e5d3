"""What goes into the gate: everything the earlier stages found, unprotected."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import geopandas as gpd
import pandas as pd

from pipeline.aggregate.counts import sum_periods
from pipeline.config import Config, Profile
from pipeline.domain.periods import Windows, add_months, choose_windows, month_of
from pipeline.errors import ConfigError
from pipeline.release.circumstances import Circumstances, Setting, Told, release_circumstances
from pipeline.release.figures import derive
from pipeline.release.hotspots import Ground, Shapes, bands_of, no_hotspots, release_density, release_hotspots, spots_of
from pipeline.release.known_tables import known_cells
from pipeline.release.linked_tables import Layout, Spot, long_cells, shown_pairs, spot_cells
from pipeline.release.previous_releases import Past, as_first_released, past_of, readable
from pipeline.release.protect import Protected, RefusedError, cautions_of, protect, release_record
from pipeline.release.released import _SEAL, CategoryInfo, Released, release_info
from pipeline.statistics.outcomes import leave_out_immature

__all__ = ["Detected", "Making", "Passed", "examine", "release"]


@dataclass(frozen=True, slots=True)
class Detected:
    """Everything the earlier stages found, unprotected.

    Attributes
    ----------
    areas
        Table `areas`.
    area_months
        Table `area_months`.
    categories
        Categories in the order they are shown, `all` first.
    first_date, last_date
        First and last day the data covers completely.
    locations
        Table `locations`; empty where the source has no points.
    hotspots
        Headline window id to its hotspots (all attributes, geometry in the working system).
    members
        Headline window id to the locations of each hotspot: hotspot_id, easting_m, northing_m, ward_code, incidents.
    bandwidth_m
        Bandwidth the surface is made with, in metres; None where there are no points.
    emerging
        area_code, category, emerging_class; None where the series is too short.
    has_points
        Whether the source has points at all.
    ground
        Addresses and institutions, where layers of them are given.
    known
        Counts that anybody can look up elsewhere: area_code, period, category, measure, value; None where no table
        is named.
    facets
        Counts by what describes incidents (see `pipeline.aggregate.circumstances`); None where there are no incident
        records.
    denominators
        Populations used for one category only: area_code, category, population, measure; None where there are none.
    told
        Circumstances released before from the same data, oldest first.
    """

    areas: gpd.GeoDataFrame
    area_months: pd.DataFrame
    categories: tuple[CategoryInfo, ...]
    first_date: date
    last_date: date
    locations: pd.DataFrame
    hotspots: dict[str, gpd.GeoDataFrame]
    members: dict[str, pd.DataFrame]
    bandwidth_m: float | None
    emerging: pd.DataFrame | None
    has_points: bool
    ground: Ground = field(default_factory=Ground)
    known: pd.DataFrame | None = None
    facets: pd.DataFrame | None = None
    denominators: pd.DataFrame | None = None
    told: tuple[Told, ...] = ()


# One release in the making: windows, counts, outlines, protection, figures, words.


@dataclass(frozen=True, slots=True)
class Passed:
    """A release, and what only the house may know of how it was made.

    Attributes
    ----------
    released
        The only thing that exports, maps and briefings accept.
    log
        Primary and secondary cells by level, relations that do not hold in the data.
    states
        One row per withheld cell: level, key, state, reason.
    told
        What the ledger keeps of the circumstances; None where none are shown.
    """

    released: Released
    log: dict[str, Any]
    states: pd.DataFrame
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class Making:
    """One release in the making."""

    detected: Detected
    profile: Profile
    config: Config
    past: tuple[Past, ...]
    categories: tuple[CategoryInfo, ...]
    windows: Windows
    areas: gpd.GeoDataFrame
    months: pd.DataFrame
    counts: pd.DataFrame

    @classmethod
    def start(cls, detected: Detected, profile: Profile, config: Config, past: tuple[Past, ...]) -> "Making":
        """Choose windows, areas and categories, and count."""
        categories = _categories(detected, profile)
        windows = choose_windows(
            profile,
            config.periods,
            first_date=detected.first_date,
            last_date=detected.last_date,
            compare=config.change.compare,
        )
        areas = _scope(detected.areas, profile)
        months = _mature(detected, config)
        counts = _counts(months, areas=areas, windows=windows, categories=[c.id for c in categories])
        return cls(detected, profile, config, past, categories, windows, areas, months, counts)

    def hotspots(self) -> Shapes:
        """Return the hotspots that may be shown."""
        made = release_hotspots(
            self.detected.hotspots,
            self.detected.members,
            profile=self.profile,
            windows=self.windows,
            areas=self.areas,
            ground=self.detected.ground,
        )
        return self._settled(made, "hotspots")

    def _settled(self, made: Shapes, kind: str) -> Shapes:
        if self.profile.audience == "internal":
            return made
        return as_first_released(
            made,
            kind=kind,
            past=readable(self.past, audience=self.profile.audience),
            who=(self.config.run.name, self.profile.name),
            headline=self.windows.headline,
        )

    def protect(self, shapes: Shapes, secret: bytes) -> Protected:
        """Withhold, round and attack."""
        spots = self._spots(shapes)
        layout = Layout(
            parents=_parents(self.detected.areas),
            pairs=shown_pairs(self.detected.categories, [c.id for c in self.categories]),
            cohort=self.config.outcomes.basis == "cohort",
            spots=(spots,),
        )
        truth = long_cells(self.counts, self.profile.measures)
        latent = spot_cells(spots, held=shapes.held, counts=truth) if len(shapes.held) == len(spots) else None
        return protect(
            self.counts,
            months=self.months,
            layout=layout,
            profile=self.profile,
            spots=latent,
            known=known_cells(self.detected.known, self.counts),
            past=self.past if self.profile.audience != "internal" else (),
            secret=secret,
        )

    def _spots(self, shapes: Shapes) -> tuple[Spot, ...]:
        if self.profile.audience == "internal" or not shapes.held:
            return ()
        return spots_of(
            shapes.layer,
            areas=self.areas,
            period=self.windows.headline.id,
            lattice_m=self.profile.lattice_m,
            bands=bands_of(self.profile.threshold),
        )

    def finish(self, guarded: Protected, hotspots: Shapes) -> Passed:
        """Derive figures from what may be seen, and put the release together."""
        profile, config, detected = self.profile, self.config, self.detected
        figures = derive(
            guarded.counts,
            areas=self.areas,
            windows=self.windows,
            config=config,
            profile=profile,
            emerging=detected.emerging,
            people=detected.denominators,
        )
        density = release_density(
            detected.locations,
            areas=self.areas,
            settings=config.detect.density,
            profile=profile,
            windows=self.windows,
            bandwidth_m=detected.bandwidth_m,
            ground=detected.ground,
        )
        density = self._settled(density, "density")
        info = release_info(
            config,
            profile,
            self.windows,
            categories=self.categories,
            verdict=guarded.verdict,
            has_points=detected.has_points,
            hotspot_note=hotspots.note,
            density_note=density.note,
            cautions=cautions_of(guarded, profile),
        )
        described = self._circumstances(guarded)
        released = Released(
            info=info,
            areas=self.areas,
            counts=figures.counts,
            hotspots=hotspots.layer,
            density=density.layer,
            record=release_record(info, config, profile, guarded, figures.notes) | {"circumstances": described.record},
            circumstances=described.table,
            seal=_SEAL,
        )
        return Passed(released, guarded.log, guarded.states, described.told)

    def _circumstances(self, guarded: Protected) -> Circumstances:
        """Describe the incidents of the headline window, in the light of the totals that are shown."""
        outcomes, headline = self.config.outcomes, self.windows.headline
        last = add_months(month_of(self.detected.last_date), -outcomes.maturity_months)
        region = guarded.counts[(guarded.counts["level"] == "region") & (guarded.counts["category"] == "all")]
        setting = Setting(
            run=self.config.run.name,
            profile=self.profile,
            headline=headline,
            areas=self.areas,
            counts=guarded.counts[guarded.counts["period"] == headline.id],
            mature_until=last if outcomes.basis == "cohort" else 0,
            fewest=max(p.threshold for p in self.config.profiles),
            region_whole=set(";".join(region["withheld"]).split(";")) <= {"", "incidents_unplaced"},
            told=self.detected.told,
        )
        return release_circumstances(self.detected.facets, setting)


def _parents(areas: gpd.GeoDataFrame) -> dict[str, str]:
    """Return the parent of every covered area, in the profile's scope or not."""
    covered = areas[areas["covered"].astype(bool) & areas["parent_code"].notna()]
    return dict(zip(covered["area_code"], covered["parent_code"], strict=True))


def _categories(detected: Detected, profile: Profile) -> tuple[CategoryInfo, ...]:
    known = {c.id for c in detected.categories}
    unknown = [c for c in profile.categories if c not in known]
    if unknown:
        raise ConfigError(
            f'profile "{profile.name}" names categories that do not exist: {", ".join(unknown)}. '
            f"There are {', '.join(sorted(known))}"
        )
    wanted = set(profile.categories) or known
    return tuple(c for c in detected.categories if c.id == "all" or c.id in wanted)


def _scope(areas: gpd.GeoDataFrame, profile: Profile) -> gpd.GeoDataFrame:
    """Keep the boroughs of the profile's scope, their wards, and the region."""
    if not profile.scope:
        return areas.reset_index(drop=True)
    boroughs = set(areas.loc[areas["level"] == "borough", "area_code"])
    unknown = [code for code in profile.scope if code not in boroughs]
    if unknown:
        raise ConfigError(f'profile "{profile.name}": scope names no borough with code {", ".join(unknown)}')
    inside = set(profile.scope)
    keep = areas["area_code"].isin(inside) | areas["parent_code"].isin(inside) | (areas["level"] == "region")
    return areas[keep].reset_index(drop=True)


def _mature(detected: Detected, config: Config) -> pd.DataFrame:
    """Take outcomes that had no time to come out of a cohort; a flow has none to take out."""
    if config.outcomes.basis != "cohort":
        return detected.area_months.drop(columns="known_outcomes")
    last, left_out = month_of(detected.last_date), config.outcomes.maturity_months
    return leave_out_immature(detected.area_months, last_month=last, maturity_months=left_out)[0]


def _counts(months: pd.DataFrame, *, areas: gpd.GeoDataFrame, windows: Windows, categories: list[str]) -> pd.DataFrame:
    """Sum months to each level's own windows."""
    frames = []
    for level in ("region", "borough", "ward"):
        some = areas[areas["level"] == level]
        laid = windows.all_of(level)
        frames.append(
            sum_periods(
                months[months["area_code"].isin(some["area_code"])],
                laid,
                areas=some[["area_code", "level"]],
                categories=categories,
                covered=list(some.loc[some["covered"].astype(bool), "area_code"]),
                partial=[p for p in laid if windows.partial(p)],
            )
        )
    return pd.concat([f for f in frames if len(f)], ignore_index=True)


# The gate: what was detected goes in, one profile's `Released` comes out, and nothing else can make one.


def release(
    detected: Detected, *, profile: Profile, config: Config, past: Sequence[Past] = (), secret: bytes = b""
) -> Released:
    """Make one profile's release; see `examine`."""
    return examine(detected, profile=profile, config=config, past=past, secret=secret).released


def examine(
    detected: Detected, *, profile: Profile, config: Config, past: Sequence[Past] = (), secret: bytes = b""
) -> Passed:
    """Make one profile's release and keep the books on it.

    If the last release of the same run and profile would come out again as it was, from what had been released until
    then, it does: nothing new is told, whatever was released since.

    Parameters
    ----------
    detected
        Unprotected results.
    profile
        The rules of the audience.
    config
        The whole configuration: texts, rates, windows.
    past
        Releases of the same data source that are out already, oldest first.
    secret
        Key of repeatable noise, at least 16 bytes; needed for ``protection: noise`` alone.

    Raises
    ------
    DisclosureError
        If a count could be worked out and no withholding helps.
    ConfigError
        If the profile names categories or boroughs that do not exist.
    """
    own = [i for i, p in enumerate(past) if (p.run, p.profile) == (config.run.name, profile.name)]
    if own and profile.audience != "internal":
        try:
            again = _once(detected, profile, config, tuple(past[: own[-1]]), secret)
        except RefusedError:
            again = None
        if again is not None and past_of(again.released).digest == past[own[-1]].digest:
            return again
    return _once(detected, profile, config, tuple(past), secret)


def _once(detected: Detected, profile: Profile, config: Config, past: tuple[Past, ...], secret: bytes) -> Passed:
    """Make a release in the light of some earlier ones; without its hotspots if these would tell too much."""
    making = Making.start(detected, profile, config, past)
    shapes = making.hotspots()
    try:
        guarded = making.protect(shapes, secret)
    except RefusedError:
        if not len(shapes.layer):
            raise
        shapes = no_hotspots(making.areas, "Hotspots are not shown: beside the counts they would tell too much.")
        guarded = making.protect(shapes, secret)
    return making.finish(guarded, shapes)
