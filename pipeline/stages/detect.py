"""Detect: the bandwidth, hotspots and analysis cells of every headline window."""

from datetime import date
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.aggregate.counts import sum_periods
from pipeline.detect.density import bandwidth_of, month_rows, places_of
from pipeline.detect.emerging import emerging, scores_by_period
from pipeline.detect.gistar import gistar
from pipeline.detect.hotspots import find_hotspots
from pipeline.domain.periods import Break, Period, Windows, choose_windows, is_partial, month_of, month_range, windows
from pipeline.geography.grid import Grid, HexGrid
from pipeline.geography.neighbours import contiguity
from pipeline.stages import Context
from pipeline.stages.patterns import background, near_repeats, risk, scan
from pipeline.storage.files import read_json, write_json
from pipeline.storage.parquet import read_table, write_layer, write_table
from pipeline.tables import AREA_MONTHS, AREAS, CELLS, LOCATIONS

__all__ = ["headline_windows", "run"]


def run(context: Context) -> None:
    """Find what stands out in the headline window of every profile."""
    areas = read_table(context.work("areas.parquet"), AREAS, crs=context.config.crs.working)
    locations = read_table(context.work("locations.parquet"), LOCATIONS)
    found: dict[str, Any] = {"bandwidth_m": None, "windows": {}}
    if len(locations):
        laid = headline_windows(context)
        choice = bandwidth_of(month_rows(locations, laid[0].headline), settings=context.config.detect.density)
        found["bandwidth_m"] = choice.bandwidth_m
        context.choices["bandwidth_m"] = choice.bandwidth_m
        context.choices["bandwidth_reason"] = choice.reason
        context.choices["bandwidth_ladder"] = {
            f"{h:g} m": s for h, s in zip(choice.ladder_m, choice.log_likelihoods, strict=True)
        }
        for number, chosen in enumerate(laid, start=1):
            found["windows"][chosen.headline.id] = _window(context, locations, areas, chosen)
            context.progress("finding hotspots", number, len(laid))
        _patterns(context, locations, areas, laid[0].headline, choice.bandwidth_m)
    else:
        context.choices["density_and_clusters"] = "none: the source has no points, and both need them"
    history = _history(context, areas)
    if history is not None:
        history.to_parquet(context.work("emerging.parquet"), index=False, compression="zstd")
    write_json(context.work("detect.json"), found)


def _history(context: Context, areas: gpd.GeoDataFrame) -> pd.DataFrame | None:
    """Class every covered ward by its run of Gi*, or say why not."""
    settings, periods = context.config.emerging, context.config.periods
    if not settings.enabled:
        return None
    span = {k: date.fromisoformat(v) for k, v in read_json(context.work("span.json")).items()}
    laid = windows(settings.kind, first=month_of(span["first"]), last=month_of(span["last"]))
    laid = tuple(p for p in laid if not is_partial(p, first_date=span["first"], last_date=span["last"]))
    wards = areas[(areas["level"] == "ward") & areas["covered"].astype(bool)].sort_values("area_code")
    months = read_table(context.work("area_months.parquet"), AREA_MONTHS)
    months = months[months["level"] == "ward"]
    weights = contiguity(wards.geometry.to_numpy(), snap_m=1.0)
    people = wards["population"].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    breaks = () if periods.ignore_breaks else periods.breaks
    frames = []
    for category in context.config.detect.gistar.categories:
        counts = sum_periods(months, laid, areas=wards[["area_code", "level"]], categories=[category])
        table = counts.pivot_table(index="area_code", columns="period", values="incidents", aggfunc="sum")
        table = table.reindex(index=wards["area_code"], columns=[p.id for p in laid])
        panel = scores_by_period(
            table.to_numpy(dtype=np.float64),
            weights=weights,
            periods=laid,
            layer=f"wards, {category}",
            population=people if (people > 0).all() else None,
            permutations=context.config.detect.gistar.permutations,
            seed=context.config.run.seed,
        )
        found = emerging(
            panel.z,
            hotspot_class=panel.hotspot_class,
            periods=laid,
            breaks=[Break(int(b.month.replace("-", "")), b.text) for b in breaks],
            min_periods=settings.min_periods,
        )
        context.choices[f"emerging {category}"] = found.reason or f"{len(found.periods)} {settings.kind}s"
        if found.pattern:
            frame = pd.DataFrame({"area_code": wards["area_code"].to_numpy(), "category": category})
            frames.append(frame.assign(emerging_class=list(found.pattern)))
    return pd.concat(frames, ignore_index=True) if frames else None


def _patterns(
    context: Context, locations: pd.DataFrame, areas: gpd.GeoDataFrame, headline: Period, bandwidth_m: float
) -> None:
    """Look for what else was asked for: clusters in space and time, near repeats, risk."""
    settings = context.config.detect
    if settings.scan.enabled:
        span = {k: month_of(date.fromisoformat(v)) for k, v in read_json(context.work("span.json")).items()}
        region = areas.loc[areas["level"] == "region"].geometry.iloc[0]
        scan(context, locations, region, month_range(span["first"], span["last"]))
    if settings.knox.enabled:
        near_repeats(context, headline)
    if settings.density.risk.against == "population":
        risk(context, month_rows(locations, headline), areas, bandwidth_m)


def headline_windows(context: Context) -> list[Windows]:
    """Return the windows of every profile, one for each distinct headline."""
    span = read_json(context.work("span.json"))
    laid: dict[str, Windows] = {}
    for profile in context.config.profiles:
        windows = choose_windows(
            profile,
            context.config.periods,
            first_date=date.fromisoformat(span["first"]),
            last_date=date.fromisoformat(span["last"]),
            compare=context.config.change.compare,
        )
        laid.setdefault(windows.headline.id, windows)
    return list(laid.values())


def _window(context: Context, locations: pd.DataFrame, areas: gpd.GeoDataFrame, windows: Windows) -> dict[str, Any]:
    """Find the hotspots of one window and test its cells."""
    settings, seed = context.config.detect.clusters, context.config.run.seed
    name = windows.headline.id
    notes: dict[str, Any] = {}
    if settings.enabled:
        wards = areas[areas["level"] == "ward"].set_index("area_code")["name"]
        earlier = windows.earlier
        found = find_hotspots(
            locations,
            window=(windows.headline.first_month, windows.headline.last_month),
            previous=(earlier.first_month, earlier.last_month) if earlier else None,
            eps_m=settings.eps_m,
            min_samples=settings.min_samples,
            method=settings.method,
            min_locations=settings.min_locations,
            max_hotspots=settings.max_hotspots,
            ward_names=wards.to_dict(),
            victims=_victims(context),
            resamples=settings.resamples,
            simulations=settings.simulations,
            background=background(areas) if settings.simulations else None,
            rng=np.random.default_rng(seed),
        )
        layer = gpd.GeoDataFrame(
            found.table, geometry=gpd.GeoSeries(list(found.geometry), crs=areas.crs), crs=areas.crs
        )
        write_layer(context.work(f"hotspots/{name}.parquet"), layer)
        members = _members(month_rows(locations, windows.headline), layer)
        members.to_parquet(context.work(f"hotspots/{name}.members.parquet"), index=False, compression="zstd")
        for kind, frame in (("categories", found.by_category), ("periods", found.by_period)):
            frame.to_parquet(context.work(f"hotspots/{name}.{kind}.parquet"), index=False, compression="zstd")
        context.choices |= {f"eps_m {name}": found.eps_m, f"min_samples {name}": found.min_samples}
        if found.eps_choice is not None:
            context.choices[f"eps_reason {name}"] = found.eps_choice.note
            context.choices[f"eps_curve {name}"] = [list(pair) for pair in found.eps_choice.curve]
        context.counters[f"hotspots {name}"] = len(found.table)
        notes["hotspots"] = list(found.notes)
    if context.config.detect.gistar.grid != "none":
        cells = _cells(context, month_rows(locations, windows.headline), areas)
        write_table(context.work(f"cells/{name}.parquet"), CELLS, cells)
        context.counters[f"cells {name}"] = len(cells)
    return notes


def _victims(context: Context) -> pd.DataFrame | None:
    """Return who was a victim where and when, by hash; None where the source does not say."""
    victims = pd.read_parquet(context.work("victims.parquet"))
    return victims if len(victims) else None


def _members(rows: pd.DataFrame, layer: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return the places inside each hotspot's outline with their incidents."""
    rows = rows[["easting_m", "northing_m", "ward_code", "incidents"]]
    x, y = (rows[name].to_numpy(dtype=np.float64) for name in ("easting_m", "northing_m"))
    if not ((x[1:] > x[:-1]) | ((x[1:] == x[:-1]) & (y[1:] >= y[:-1]))).all():  # they are written in this order
        rows = rows.sort_values(["easting_m", "northing_m"], kind="stable")
        x, y = (rows[name].to_numpy(dtype=np.float64) for name in ("easting_m", "northing_m"))
    layer = layer.sort_values("hotspot_id")
    shapes = layer.geometry.to_numpy()
    shapely.prepare(shapes)
    held = [np.empty(0, dtype=np.int64)]
    for shape, (west, _, east, _) in zip(shapes, shapely.bounds(shapes), strict=True):
        first, last = np.searchsorted(x, west, side="left"), np.searchsorted(x, east, side="right")
        held.append(first + np.flatnonzero(shapely.intersects_xy(shape, x[first:last], y[first:last])))
    at = np.concatenate(held)
    hotspot = np.repeat(np.arange(-1, len(shapes)), [len(h) for h in held])
    new = np.ones(len(at), dtype=bool)
    for values in (hotspot, x[at], y[at]):
        new[1:] &= values[1:] == values[:-1]
    new[1:] = ~new[1:]
    begins = np.flatnonzero(new)
    inside = rows.iloc[at[begins]].reset_index(drop=True)
    counts = rows["incidents"].to_numpy(dtype=np.int64)[at]
    sums = np.add.reduceat(counts, begins) if len(at) else counts
    inside["incidents"] = pd.array(sums, dtype=rows["incidents"].dtype)
    inside.insert(0, "hotspot_id", layer["hotspot_id"].to_numpy()[hotspot[begins]])
    return inside


def _cells(context: Context, rows: pd.DataFrame, areas: gpd.GeoDataFrame) -> pd.DataFrame:
    """Test equal cells by Gi*."""
    settings = context.config.detect.gistar
    region = areas.loc[areas["level"] == "region"].geometry.iloc[0]
    grid: Grid | HexGrid
    if settings.grid == "square":
        grid = Grid.covering(region.bounds, cell_m=settings.cell_m)
    else:
        grid = HexGrid.covering(region.bounds, size_m=settings.cell_m)
    index = np.arange(len(grid))
    shapes = grid.polygons(index)
    shapely.prepare(region)
    index = index[shapely.intersects(region, shapes)]
    weights = contiguity(shapes[index], snap_m=0.01)
    centres = grid.centre(index)
    frames = []
    for category in settings.categories:
        xy, counts = places_of(rows, category=category)
        summed = np.bincount(np.maximum(grid.cell_of(xy), 0), weights=counts, minlength=len(grid))[index]
        found = gistar(
            summed,
            weights=weights,
            family=f"all cells, {category}, one period",
            inference="permutation" if settings.permutations else "analytic",
            permutations=settings.permutations or 1,
            seed=context.config.run.seed,
        )
        frame = found.frame()
        frames.append(
            pd.DataFrame(
                {
                    "cell_id": grid.ids(index),
                    "category": category,
                    "easting_m": centres[:, 0],
                    "northing_m": centres[:, 1],
                    "incidents": summed.astype(np.int64),
                    "density_per_km2": summed / grid.cell_km2,
                    "gistar_z": frame["gistar_z"].to_numpy(dtype=np.float64, na_value=np.nan),
                    "gistar_p": frame["gistar_p"].to_numpy(dtype=np.float64, na_value=np.nan),
                    "hotspot_class": frame["hotspot_class"].to_numpy(),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
