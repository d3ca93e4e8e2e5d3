"""`hotspots backtest`: how well each method would have predicted the months that followed, on a finished run."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.backtest import BacktestResult, Study, backtest, rolling_origins, standard_methods
from pipeline.config import Config, load_config
from pipeline.domain.categories import in_total, outside_total
from pipeline.domain.periods import Span, without_months
from pipeline.errors import InputError
from pipeline.geography.areas import StudyArea
from pipeline.geography.grid import Grid
from pipeline.publish.charts import Canvas
from pipeline.publish.words import say
from pipeline.storage.files import read_json, read_table, write_bytes, write_json
from pipeline.tables import AREAS, LOCATIONS

__all__ = ["run_backtest"]

_SHOWN = ("oracle", "KDE", "clusters", "Gi*", "grid count", "ward count", "ward rate", "random")


def run_backtest(config_path: Path) -> tuple[BacktestResult, Path]:
    """Backtest the last run of a configuration; write backtest.json and backtest.svg into its folder.

    Raises
    ------
    InputError
        If there is no run, it has no points, or its data is too short for a single origin.
    """
    config = load_config(config_path)
    folder = config_path.resolve().parent / config.run.output_dir / config.run.name
    locations = read_table(folder / "work" / "locations.parquet", LOCATIONS)
    locations = locations[in_total(locations["categories"], outside_total(config.categories))]
    if len(locations) == 0:
        raise InputError("the run has no points: a backtest ranks places, and published counts have none")
    areas = read_table(folder / "work" / "areas.parquet", AREAS, crs=config.crs.working)
    lacking = Span.restored(read_json(folder / "work" / "span.json")).lacking.months
    result = _result(config, without_months(locations, lacking), areas, lacking=lacking)
    write_json(folder / "backtest.json", result.as_dict())
    write_bytes(folder / "backtest.svg", _plot(result.frame(), config.run.title))
    return result, folder


def _result(config: Config, locations: pd.DataFrame, areas: Any, *, lacking: Collection[int]) -> BacktestResult:
    settings = config.backtest
    ground = StudyArea.of(areas)
    wards = ground.wards.reset_index(drop=True)
    grid = Grid.covering(ground.outline.bounds, cell_m=settings.cell_m)
    rows = locations.loc[locations.index.repeat(locations["incidents"].astype(int))]
    months = rows["month"].to_numpy(dtype=np.int64)
    when = months // 100 * 12 + months % 100
    people = wards["population"].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    study = Study.lay(
        rows[["easting_m", "northing_m"]].to_numpy(dtype=np.float64),
        when=when,
        grid=grid,
        inside=grid.fraction(ground.outline),
        area_of=pd.Index(wards["area_code"]).get_indexer(rows["ward_code"]),
        area_km2=wards["area_km2"].to_numpy(dtype=np.float64),
        population=people,
    )
    origins = rolling_origins(
        when,
        count=settings.origins,
        horizon=settings.horizon_months,
        history=settings.history_months,
        lacking=[month // 100 * 12 + month % 100 for month in lacking],
    )
    if not origins:
        raise InputError(
            f"the data is too short to backtest: it needs {settings.history_months} months of history and "
            f"{settings.horizon_months} to predict. Lower backtest.history_months or add data"
        )
    eps = config.detect.clusters.eps_m
    methods = standard_methods(
        eps_m=200.0 if eps == "auto" else float(eps),
        min_samples=config.detect.clusters.min_samples,
        areas=True,
        population=bool((people > 0).any()),
    )
    return backtest(
        study,
        methods=methods,
        origins=origins,
        bandwidths_m=settings.bandwidths_m,
        kernel=config.detect.density.kernel,
        history=settings.history_months,
        horizon=settings.horizon_months,
        resamples=settings.resamples,
        seed=config.run.seed,
    )


_ENDS = ("pai", "pai_low", "pai_high")
_COLOURS = ("#10181f", "#9b1148", "#0b4f8f", "#2f9fb5", "#9a4a06", "#5c6873", "#b5854f", "#98a5b0")
"""One for each of `_SHOWN`; they differ in lightness too."""


def _plot(frame: pd.DataFrame, title: str) -> bytes:
    """Draw PAI against the share of area, each method with its interval, as SVG with the same bytes each time."""
    shown = frame[frame["method"].isin(_SHOWN)].astype(dict.fromkeys(("area_pct", *_ENDS), float))
    shown = shown[shown["pai"] > 0].fillna({"pai_low": 0.0, "pai_high": 0.0})
    # Nothing is infinitely far down a logarithmic axis: an interval that reaches zero ends below the least value.
    floor = shown["pai"].min() / 2 if len(shown) else 1.0
    shown[list(_ENDS)] = np.log10(shown[list(_ENDS)].clip(lower=floor))
    low = min([0.0, *shown["pai_low"]]) - 0.03
    high = max([0.0, *shown["pai"], *shown["pai_high"]]) + 0.05
    right = max([1.0, *shown["area_pct"]])
    canvas = Canvas(width_pt=518, height_pt=302)
    canvas.add("style", "", "text{font:8px sans-serif;fill:#10181f}.title{font-size:10px}")
    plot = canvas.plot(46, 34, 370, 238, units=(0.0, low, right, high))
    # Axes: powers of ten with 2 and 5 between them, and five steps of the share of area.
    plot.line([0, 0, right], [high, low, low], colour="#44505a", width=0.8)
    for value in (m * 10.0**p for p in range(-3, 5) for m in (1, 2, 5)):
        if low <= np.log10(value) <= high:
            dash = "2.4 2.4" if f"{value:g}" == "1" else ""  # chance
            plot.line([0, right], [np.log10(value)] * 2, colour="#78848e" if dash else "#d5dbdf", width=0.8, dash=dash)
            canvas.text(plot, 0, float(np.log10(value)), f"{value:g}", role="", anchor="end", dx=-4, dy=-2.6)
    for k in range(6):
        canvas.text(plot, right * k / 5, low, f"{right * k / 5:.3g}", role="", dy=-12)
    # One line a method, over the band of its interval; the key beside the plot is in the order of the list.
    for number, (name, colour) in enumerate(zip(_SHOWN, _COLOURS, strict=True)):
        rows = shown[shown["method"] == name].sort_values("area_pct")
        if len(rows) == 0:
            continue
        x, y, least, most = (rows[c].tolist() for c in ("area_pct", *_ENDS))
        rim = [*zip(x, least, strict=True), *zip(x[::-1], most[::-1], strict=True)]
        plot.surface([[*rim, rim[0]]], "band", fill=colour, opacity=0.12)
        plot.line(x, y, colour=colour, width=1.5)
        plot.dots(x, y, size=3.5, fill=colour)
        at = high - (high - low) * (6 + 13 * number) / 238
        step = right / 370
        plot.line([right + 12 * step, right + 26 * step], [at, at], colour=colour, width=1.5)
        canvas.text(plot, right, at, name, role="", anchor="start", dx=31, dy=-2.8)
    canvas.text(plot, 0, high, say("chart.backtest.title", title=title), role="title", anchor="start", dy=18)
    canvas.text(plot, 0, high, say("chart.backtest.pai"), role="", anchor="start", dx=-40, dy=6)
    canvas.text(plot, right / 2, low, say("chart.backtest.share"), role="", dy=-26)
    size = ' xmlns="http://www.w3.org/2000/svg" width="518pt" height="302pt"'
    return canvas.svg(say("chart.backtest.title", title=title), attributes=size).encode()
