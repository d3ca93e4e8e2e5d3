"""The entry in the registry: the hotspots of one window, of all categories together and of each frequent one.

Every category is clustered with the same settings, so that a hotspot of one is as dense as a hotspot of another. The
hotspots of earlier windows, of all categories together, say which of today's were there before. Stability and p-values
are computed for all categories together alone, because they cost as much again for each category.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.detect.density import month_rows
from pipeline.detect.hotspots.cores import find_cores
from pipeline.detect.hotspots.description import ANSWERED, hotspot_facts
from pipeline.detect.hotspots.finding import Hotspots, find_hotspots, lower_min_samples, nullable
from pipeline.detect.hotspots.outlines import members_of
from pipeline.detect.hotspots.ranking import FIRST_SAMPLES, detect
from pipeline.detect.hotspots.stability import Background, smoothed_background
from pipeline.detect.method import DetectInput, Findings, Method, Need, Scope
from pipeline.detect.risk import population_bins
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Break, Period, breaks_within, is_partial
from pipeline.geography.grid import Grid
from pipeline.statistics.change import ChangeRules, compare_windows
from pipeline.tables import HOTSPOT_FACTS

__all__ = ["METHOD"]

NULL_CELL_M = 250.0  # in a simulated null, places are drawn evenly inside cells of this side
# Bandwidth of the smoothed background over the reach. In simulations (docs/methods.md) five times flattened the centre
# of a town, so that 28 % of towns without a cluster had a significant one.
BROADER = 3.0
USUAL_REACH_M = 200.0  # where the reach is chosen from the data, the background does not follow it
EVENLY = 1000  # residents per km2 that stand for land: any one number spreads incidents evenly


def _find(data: DetectInput) -> Findings:
    """Find the hotspots of one window."""
    window, settings = data.window, data.config.detect.clusters
    headline, earlier, name = window.headline, window.earlier, window.headline.id
    # Counts are set beside earlier ones only where both windows are whole.
    compared = earlier if earlier and not window.partial(headline) and not window.partial(earlier) else None
    found = _hotspots(data, ROOT, headline, compared, uncertainty=True)
    layer = _layer(data, found)
    choices: dict[str, Any] = {f"eps_m {name}": found.eps_m, f"min_samples {name}": found.min_samples}
    if found.eps_choice is not None:
        choices[f"eps_reason {name}"] = found.eps_choice.note
        choices[f"eps_curve {name}"] = [list(pair) for pair in found.eps_choice.curve]
    # The rest is clustered with what all incidents of this window were: as dense, and as far.
    used = _Used(found.eps_m or "auto", found.min_samples or settings.min_samples)
    each, members, reasons = _of_categories(data, headline, compared, used, whole=found)
    for category, why in reasons.items():
        choices[f"hotspots {name} {category}"] = f"none: {why}"
    inside = members_of(month_rows(data.locations, headline), layer)
    cores = find_cores(
        layer,
        inside,
        eps_m=found.eps_m or 0.0,  # without a reach there is no hotspot to search
        min_samples=found.min_samples or 1,
        min_locations=settings.min_locations,
        over_km2=settings.core_over_km2,
    )
    return Findings(
        tables={
            f"hotspots/{name}.parquet": layer,
            f"hotspots/{name}.members.parquet": inside,
            f"hotspots/{name}.cores.parquet": cores,
            f"hotspots/{name}.periods.parquet": found.by_period,
            f"hotspots/{name}.by_category.parquet": each,
            f"hotspots/{name}.by_category.members.parquet": members,
            **({f"hotspots/{name}.facts.parquet": _facts(data, layer, inside, found)} if data.described else {}),
        },
        state={"hotspots": list(found.notes), "hotspots_by_category": reasons, "min_samples": found.min_samples},
        choices=choices,
        counters={f"hotspots {name}": len(found.table), f"category_hotspots {name}": len(each)},
        cautions=() if len(found.table) else (_none_found(data, found),),
    )


@dataclass(frozen=True, slots=True)
class _Used:
    """Settings that were chosen for all incidents of the headline window."""

    eps_m: float | Literal["auto"]
    min_samples: int | Literal["auto"]


def _hotspots(
    data: DetectInput,
    category: str,
    window: Period,
    earlier: Period | None,
    *,
    used: _Used | None = None,
    uncertainty: bool = False,
) -> Hotspots:
    """Cluster one category in one window; `uncertainty` also computes stability and p-values, if set."""
    settings = data.config.detect.clusters
    return find_hotspots(
        data.rows_of(category),
        window=(window.first_month, window.last_month),
        previous=(earlier.first_month, earlier.last_month) if earlier else None,
        lacking=data.window.lacking.months,
        eps_m=used.eps_m if used else settings.eps_m,
        min_samples=used.min_samples if used else settings.min_samples,
        method=settings.method,
        min_locations=settings.min_locations,
        max_hotspots=settings.max_hotspots,
        largest_pct=None if used else settings.largest_pct,
        victims=data.victims_of(category),
        resamples=settings.resamples if uncertainty else 0,
        simulations=settings.simulations if uncertainty else 0,
        background=_background(data, window) if uncertainty and settings.simulations else None,
        rng=np.random.default_rng(data.config.run.seed),
    )


def _layer(data: DetectInput, found: Hotspots) -> gpd.GeoDataFrame:
    crs = data.areas.crs
    return gpd.GeoDataFrame(found.table, geometry=gpd.GeoSeries(list(found.geometry), crs=crs), crs=crs)


EARLIER_WINDOWS = 2
"""How many years before are searched for the same hotspots: two tell a lasting hotspot from one that came back."""


def _earlier(data: DetectInput) -> list[Period]:
    """Return the windows before the headline that are searched for its hotspots, which the internal folder shows."""
    if all(profile.audience != "internal" for profile in data.config.profiles):
        return []
    headline = data.window.headline
    months_back = 12 * -(-headline.months // 12)  # whole years, so that a window never reaches into the next
    return [headline.shifted(-months_back * years) for years in range(1, EARLIER_WINDOWS + 1)]


def _facts(data: DetectInput, layer: gpd.GeoDataFrame, members: pd.DataFrame, found: Hotspots) -> pd.DataFrame:
    """Count what describes each hotspot, and find the hotspots of earlier windows alone."""
    if data.described is None or not len(layer):
        return HOTSPOT_FACTS.empty()
    settings, change, span = data.config.detect.clusters, data.config.change, data.span
    headline, declared = data.window.headline, data.config.periods
    breaks = () if declared.ignore_breaks else declared.breaks
    known = [Break(int(b.month.replace("-", "")), b.text) for b in breaks]
    lacking = sorted(data.window.lacking.months)
    covered: dict[str, Any] = {"first_date": span.first, "last_date": span.last, "missing": lacking}
    outlines = {}
    for window in _earlier(data):
        whole = not is_partial(window, **covered) and not breaks_within(window.first_month, headline.last_month, known)
        if whole:
            # With the reach of this window: another reach would find other hotspots on the same ground.
            earlier = detect(
                month_rows(data.locations, window),
                eps_m=found.eps_m or "auto",
                min_samples=found.min_samples or settings.min_samples,
                method=settings.method,
                min_locations=settings.min_locations,
                max_hotspots=None,
            )
            outlines[window.id] = earlier.outlines()
    incidents = data.described(headline)
    return hotspot_facts(
        layer,
        inside=incidents.counted(ANSWERED, members=members),
        whole=incidents.counted(ANSWERED),
        months=data.every_month(),
        earlier_outlines=outlines,
        comparison=compare_windows(
            headline, basis="previous" if headline.over_a_year else change.compare, breaks=known, **covered
        ),
        rules=ChangeRules(fdr_q=change.fdr_q, min_earlier=change.min_earlier),
    )


def _of_categories(
    data: DetectInput, window: Period, earlier: Period | None, used: _Used, *, whole: Hotspots
) -> tuple[gpd.GeoDataFrame, pd.DataFrame, Mapping[str, str]]:
    """Find the hotspots of each category: the layer, the places inside each outline, and why a category has none.

    `whole` are those of all incidents: a category that holds all of them has the same, and they are not found again.
    """
    # A whole number of every audience's steps: that a category was looked at says no more of its total than its step.
    steps = math.lcm(*(max(p.step, 1) for p in data.config.profiles))
    least, reasons = -(-data.config.detect.min_category_incidents // steps) * steps, {}
    layers, members = [], []
    for category in data.categories_in(window):
        mine = data.rows_of(category)
        rows = month_rows(mine, window)
        total = int(rows["incidents"].sum())
        # A rare category has no ground of its own: what its few incidents mark are places, not a concentration.
        if total < least:
            reasons[category] = f"{total:,} incidents, fewer than detect.min_category_incidents ({least:,})"
            continue
        every = data.apart is None and len(mine) == len(data.locations)
        found = _without_certainty(whole) if every else _hotspots(data, category, window, earlier, used=used)
        if not len(found.table):
            reasons[category] = "no cluster of it is dense enough"
            continue
        layer = _layer(data, found).assign(category=category)
        layer["hotspot_id"] = pd.array([f"{category}-{i}" for i in layer["hotspot_id"]], dtype="str")
        layers.append(layer)
        members.append(members_of(rows, layer))
    if not layers:
        nothing = _layer(data, _none(data)).assign(category=pd.array([], dtype="str"))
        return nothing, members_of(month_rows(data.locations, window), nothing), reasons
    return pd.concat(layers, ignore_index=True), pd.concat(members, ignore_index=True), reasons


def _without_certainty(found: Hotspots) -> Hotspots:
    """Return hotspots as those of a category are: without stability and p-values."""
    none = nullable([None] * len(found.table))
    return replace(found, table=found.table.assign(stability=none, p_value=none))


def _none(data: DetectInput) -> Hotspots:
    """Return a result without hotspots, with all its columns."""
    nothing = data.locations.iloc[:0]
    month = data.window.headline.first_month
    return find_hotspots(nothing, window=(month, month), eps_m="auto", min_samples="auto")


def _none_found(data: DetectInput, found: Hotspots) -> str:
    """Return a caution that there is no hotspot, and which smaller `min_samples` would find some."""
    settings, headline = data.config.detect.clusters, data.window.headline
    rows = month_rows(data.locations, headline)
    total = int(rows["incidents"].sum())
    none = f"No hotspot was found ({headline.label})"
    if not total:
        return f"{none}: no incident of that period has a point."
    asked = found.min_samples or FIRST_SAMPLES
    fewer = lower_min_samples(
        rows,
        eps_m=settings.eps_m,
        min_samples=asked,
        method=settings.method,
        min_locations=settings.min_locations,
    )
    if fewer is None:
        return (
            f"{none}, and no lower detect.clusters.min_samples would find one: nowhere do incidents ({total:,} in all) "
            f"lie at {settings.min_locations} places (min_locations) near one another."
        )
    least, count = fewer
    there = "there is 1 hotspot" if count == 1 else f"there are {count} hotspots"
    how = "chosen as" if settings.min_samples == "auto" else "set to"
    return (
        f"{none}: {total:,} incidents are few for the settings. With detect.clusters.min_samples {least} {there}; it "
        f"is {how} {asked}, and nowhere do so many incidents lie close together at several places."
    )


def _background(data: DetectInput, window: Period) -> Background:
    """Return where incidents would occur by chance, over the ground that can hold them."""
    wards, settings = data.study.wards, data.config.detect.clusters
    shapes = list(data.study.ground)
    grid = Grid.covering(tuple(wards.total_bounds), cell_m=NULL_CELL_M)
    reach = settings.eps_m if settings.eps_m != "auto" else USUAL_REACH_M
    sizes = shapely.area(data.study.ground) / 1e6
    land = population_bins(shapes, sizes * EVENLY, grid=grid)
    if settings.background == "smoothed":
        rows = month_rows(data.locations, window)
        broad = smoothed_background(
            rows[["easting_m", "northing_m"]],
            weights=rows["incidents"],
            grid=grid,
            area_km2=land.ravel() / EVENLY,
            bandwidth_m=settings.background_bandwidth_m or BROADER * reach,
        )
        return broad.inside(data.study.outline, grid=grid)
    populated = settings.background == "residents" and bool(wards["population"].notna().all())
    weights, words = land.ravel().astype(np.float64), "evenly over the covered area"
    if populated:
        people = population_bins(shapes, wards["population"].to_numpy(dtype=np.float64), grid=grid)
        weights, words = (
            people.ravel().astype(np.float64),
            f"over the covered area in proportion to {data.config.areas.base}",
        )
    index = np.flatnonzero(weights)
    even = Background(centres_m=grid.centre(index), weights=weights[index], cell_m=grid.cell_m, words=words)
    return even.inside(data.study.outline, grid=grid)


METHOD = Method(
    name="hotspots",
    section="detect.clusters",
    needs=frozenset({Need.POINTS}),
    scope=Scope.WINDOW,
    switch="detect.clusters.enabled",
    run=_find,
)
