"""The gate: what was detected goes in, one profile's `Released` comes out, and nothing else can make one."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import geopandas as gpd
import pandas as pd

from pipeline.config import Config, Profile
from pipeline.counts import sum_periods
from pipeline.disclosure.derive import derive
from pipeline.disclosure.protect import Protected, protect
from pipeline.disclosure.released import _SEAL, Break, CategoryInfo, Event, PeriodInfo, Released, ReleaseInfo
from pipeline.disclosure.shapes import release_density, release_hotspots
from pipeline.disclosure.windows import Windows, choose_windows
from pipeline.errors import ConfigError
from pipeline.outcomes import leave_out_immature
from pipeline.periods import Period, month_of

__all__ = ["Detected", "release"]


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


def release(detected: Detected, *, profile: Profile, config: Config) -> Released:
    """Make one profile's release.

    Parameters
    ----------
    detected
        Unprotected results.
    profile
        The rules of the audience.
    config
        The whole configuration: texts, rates, windows.

    Returns
    -------
    released
        The only thing that exports, maps and briefings accept.

    Raises
    ------
    DisclosureError
        If a count could be worked out and no withholding helps.
    ConfigError
        If the profile names categories or boroughs that do not exist.
    """
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
    guarded = protect(
        counts,
        months=months,
        areas=areas,
        categories=categories,
        profile=profile,
        cohort=config.outcomes.basis == "cohort",
    )
    figures = derive(
        guarded.counts, areas=areas, windows=windows, config=config, profile=profile, emerging=detected.emerging
    )
    hotspots = release_hotspots(detected.hotspots, detected.members, profile=profile, windows=windows, areas=areas)
    density = release_density(
        detected.locations,
        areas=areas,
        settings=config.detect.density,
        profile=profile,
        windows=windows,
        bandwidth_m=detected.bandwidth_m,
    )
    info = _info(
        detected,
        config,
        profile,
        windows,
        categories=categories,
        verdict=guarded.verdict,
        hotspot_note=hotspots.note,
        density_note=density.note,
    )
    record = _record(info, profile, guarded, figures.notes)
    return Released(
        info=info,
        areas=areas,
        counts=figures.counts,
        hotspots=hotspots.layer,
        density=density.layer,
        record=record,
        seal=_SEAL,
    )


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


def _period_info(period: Period, windows: Windows) -> PeriodInfo:
    return PeriodInfo(
        id=period.id,
        label=period.label,
        start=period.start.isoformat(),
        end=period.end.isoformat(),
        days=period.days,
        complete=not windows.partial(period),
    )


def _info(
    detected: Detected,
    config: Config,
    profile: Profile,
    windows: Windows,
    *,
    categories: tuple[CategoryInfo, ...],
    verdict: str,
    hotspot_note: str,
    density_note: str,
) -> ReleaseInfo:
    wards, boroughs = config.areas.wards, config.areas.boroughs
    borough_word = (boroughs.label if boroughs else "") or "borough"
    borough_plural = (boroughs.label_plural if boroughs else "") or f"{borough_word}s"
    ward_word = wards.label or "ward"
    return ReleaseInfo(
        run_name=config.run.name,
        title=config.run.title,
        noun=config.run.noun,
        place=config.run.place,
        publisher=config.run.publisher,
        licence=config.page.licence,
        synthetic=config.run.synthetic,
        language=config.page.language,
        profile=profile.name,
        audience=profile.audience,
        marking=profile.marking,
        threshold=profile.threshold,
        rounding=profile.rounding,
        zero_rule=profile.zero_rule,
        audit=verdict,
        region_code=config.areas.region.code,
        region_name=config.areas.region.name,
        level_labels={
            "region": ("region", "regions"),
            "borough": (borough_word, borough_plural),
            "ward": (ward_word, wards.label_plural or f"{ward_word}s"),
        },
        categories=categories,
        headline=_period_info(windows.headline, windows),
        earlier=_period_info(windows.earlier, windows) if windows.earlier else None,
        periods={level: tuple(_period_info(p, windows) for p in laid) for level, laid in windows.series.items()},
        breaks=() if config.periods.ignore_breaks else tuple(Break(b.month, b.text) for b in config.periods.breaks),
        events=tuple(Event(e.date, e.label, e.areas) for e in config.periods.events),
        outcome_basis=config.outcomes.basis if "positive_outcomes" in profile.measures else "none",
        measures=profile.measures,
        has_points=detected.has_points,
        working_crs=config.crs.working,
        support=tuple((link.text, link.contact) for link in config.page.support),
        caveats=config.page.caveats,
        density_note=density_note,
        hotspot_note=hotspot_note,
        simplify_m=config.page.simplify_m,
        tiles_url=config.page.tiles.url,
        tiles_attribution=config.page.tiles.attribution,
        contact=config.exports.contact,
        abstract=config.exports.abstract,
        protection=config.protection.settings(),
    )


def _record(info: ReleaseInfo, profile: Profile, guarded: Protected, notes: tuple[str, ...]) -> dict[str, Any]:
    """Return what release.json says."""
    return {
        "profile": info.profile,
        "audience": info.audience,
        "marking": info.marking,
        "title": info.title,
        "synthetic": info.synthetic,
        "headline": {"start": info.headline.start, "end": info.headline.end},
        "audit": info.audit,
        "rules": {
            "threshold": profile.threshold,
            "threshold_reason": profile.threshold_reason,
            "zero_rule": profile.zero_rule,
            "secondary": profile.secondary,
            "protection": profile.protection,
            "rounding": profile.rounding,
            "ward_period": profile.ward_period,
            "borough_period": profile.borough_period,
            "min_bandwidth_m": profile.min_bandwidth_m,
            "min_density_incidents": profile.min_density_incidents,
            "min_locations": profile.min_locations,
            "max_location_share_pct": profile.max_location_share_pct,
            "lattice_m": profile.lattice_m,
            "scope": list(profile.scope),
        },
        "withheld": guarded.record,
        "hotspots": info.hotspot_note,
        "density": info.density_note,
        "method_notes": list(notes) if info.audience == "internal" else [],
        "licence": info.licence,
        "publisher": info.publisher,
    }
