"""Patterns in space and time that the analyst asked for: scan clusters and alerts, near repeats, a risk surface.

They go into `work/` and the manifest: they name places and days, so they never leave the building.
"""

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from pipeline.detect.density import month_rows, places_of
from pipeline.detect.hotspots import Background
from pipeline.detect.kde import bin_linear, density_from_bins, kde_grid
from pipeline.detect.knox import knox
from pipeline.detect.risk import population_bins, risk_surface
from pipeline.detect.scan import SpaceTimeCluster, space_time_scan
from pipeline.domain.periods import Period
from pipeline.geography.grid import Grid
from pipeline.stages.context import Context
from pipeline.storage.files import read_json, write_json

__all__ = ["background", "near_repeats", "risk", "scan"]

NULL_CELL_M = 250.0  # places of a simulated null are drawn evenly inside cells of this side


def scan(context: Context, locations: pd.DataFrame, region: Any, months: tuple[int, ...]) -> None:
    """Search all months for clusters in space and time; those alive in the last month are alerts."""
    settings = context.config.detect.scan
    grid = Grid.covering(region.bounds, cell_m=settings.cell_m)
    cell = grid.cell_of(locations[["easting_m", "northing_m"]].to_numpy(dtype=np.float64))
    used, row = np.unique(cell, return_inverse=True)
    counts = np.zeros((len(used), len(months)), dtype=np.int64)
    np.add.at(counts, (row, np.searchsorted(months, locations["month"])), locations["incidents"].astype("int64"))
    found = space_time_scan(
        grid.centre(used),
        counts=counts,
        max_radius_m=settings.max_radius_m,
        max_periods=settings.max_months,
        permutations=settings.simulations,
        seed=context.config.run.seed,
    )
    centres = grid.centre(used)
    clusters = [_cluster(c, months, centres) for c in found.clusters]
    alerts = [_cluster(c, months, centres) for c in found.alerts]
    write_json(context.work("scan.json"), {"clusters": clusters, "alerts": alerts, "notes": list(found.notes)})
    context.counters |= {"scan_clusters": len(clusters), "scan_alerts": len(alerts)}
    context.choices["scan"] = f"{found.cylinders:,} cylinders, {found.permutations} permutations, seed {found.seed}"


def _cluster(cluster: SpaceTimeCluster, months: tuple[int, ...], centres: Any) -> dict[str, Any]:
    """Return a cluster as plain values: centre and radius in metres, window in months."""
    easting, northing = centres[cluster.centre]
    return {
        "easting_m": float(easting),
        "northing_m": float(northing),
        "radius_m": round(cluster.radius_m, 1),
        "cells": len(cluster.locations),
        "window": Period(months[cluster.first_period], months[cluster.last_period]).id,
        "observed": cluster.observed,
        "expected": round(cluster.expected, 2),
        "log_ratio": round(cluster.log_ratio, 4),
        "p": cluster.p,
    }


def near_repeats(context: Context, period: Period) -> None:
    """Lay the Knox table over incidents of one period whose day is known."""
    settings = context.config.detect.knox
    columns = ["easting_m", "northing_m", "occurred_on", "date_precision", "month", "place", "online"]
    parts = [context.folder / part["part"] for part in read_json(context.work("ingest.json"))["parts"]]
    rows = month_rows(pd.concat([pd.read_parquet(part, columns=columns) for part in parts]), period)
    rows = rows[(rows["place"] == "point") & (rows["date_precision"] == "day") & ~rows["online"].astype(bool)]
    if len(rows) < 2:
        context.choices["near_repeats"] = "none: fewer than two incidents with a point and a day"
        return
    found = knox(
        rows[["easting_m", "northing_m"]].to_numpy(dtype=np.float64),
        days=pd.to_datetime(rows["occurred_on"]).to_numpy().astype("datetime64[D]").astype(np.int64),
        distance_edges_m=settings.distance_bands_m,
        time_edges_days=settings.time_bands_days,
        permutations=settings.simulations,
        seed=context.config.run.seed,
    )
    frame = found.frame().astype(object)
    table = frame.where(frame.notna(), None).to_dict("records")
    write_json(context.work("near_repeats.json"), {"period": period.id, "table": table, "notes": list(found.notes)})
    context.choices["near_repeats"] = f"{len(rows):,} incidents, {found.permutations} permutations"


def background(areas: gpd.GeoDataFrame) -> Background:
    """Return where incidents would fall by chance: over the covered area, by residents where they are known."""
    wards = areas[(areas["level"] == "ward") & areas["covered"].astype(bool)]
    grid = Grid.covering(tuple(wards.total_bounds), cell_m=NULL_CELL_M)
    peopled = bool(wards["population"].notna().all())
    people = (
        wards["population"].to_numpy(dtype=np.float64) if peopled else wards["area_km2"].to_numpy(np.float64) * 1000
    )
    weights = population_bins(list(wards.geometry), people, grid=grid).ravel().astype(np.float64)
    index = np.flatnonzero(weights)
    words = "over the covered area in proportion to residents" if peopled else "evenly over the covered area"
    return Background(centres_m=grid.centre(index), weights=weights[index], cell_m=grid.cell_m, words=words)


def risk(context: Context, rows: pd.DataFrame, areas: gpd.GeoDataFrame, bandwidth_m: float) -> None:
    """Divide the incidents' surface by the residents' and keep it, cell by cell, in `work/risk.parquet`."""
    settings = context.config.detect.density
    wards = areas[(areas["level"] == "ward") & areas["population"].notna()]
    if len(wards) == 0:
        context.choices["risk_surface"] = "none: no ward has a population"
        return
    region = areas.loc[areas["level"] == "region"].geometry.iloc[0]
    grid = kde_grid(region.bounds, bandwidth_m=bandwidth_m, kernel=settings.kernel, cell_m=settings.cell_m)
    options: dict[str, Any] = {"grid": grid, "bandwidth_m": bandwidth_m, "kernel": settings.kernel}
    xy, weights = places_of(rows, category="all")
    found = risk_surface(
        density_from_bins(bin_linear(xy, grid=grid, weights=weights), **options),
        base=density_from_bins(
            population_bins(list(wards.geometry), wards["population"].to_numpy(dtype=np.float64), grid=grid), **options
        ),
        measure=settings.risk.form,
        per=10_000.0,
    )
    index = np.flatnonzero(found.known.ravel())
    centres = grid.centre(index)
    table = pd.DataFrame({"easting_m": centres[:, 0], "northing_m": centres[:, 1], "value": found.value.ravel()[index]})
    table.to_parquet(context.work("risk.parquet"), index=False, compression="zstd")
    context.choices["risk_surface"] = f"{settings.risk.form} to residents, {len(table):,} cells known"
