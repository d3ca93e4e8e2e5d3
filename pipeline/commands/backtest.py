"""`hotspots backtest`: how well each method would have predicted the months that followed, on a finished run."""

import io
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


def _plot(frame: pd.DataFrame, title: str) -> bytes:
    """Draw PAI against the share of area, each method with its interval, as SVG with the same bytes each time."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style = {"svg.hashsalt": "hotspots", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
    with mpl.rc_context(style):
        figure = Figure(figsize=(7.2, 4.2), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        palette = ("#10181F", "#9B1148", "#0B4F8F", "#2F9FB5", "#9A4A06", "#5C6873", "#B5854F", "#98A5B0")
        for name, colour in zip(_SHOWN, palette, strict=True):
            rows = frame[frame["method"] == name].sort_values("area_pct")
            if len(rows) == 0:
                continue
            x, y = rows["area_pct"].astype(float), rows["pai"].astype(float)
            axes.plot(x, y, marker="o", markersize=3.5, linewidth=1.5, color=colour, label=name)
            low, high = rows["pai_low"].astype(float), rows["pai_high"].astype(float)
            axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
        axes.axhline(1.0, color="#78848E", linewidth=0.8, linestyle=(0, (3, 3)))
        axes.set_yscale("log")
        axes.set_xlabel("Share of the area marked, per cent")
        axes.set_ylabel("PAI: times better than chance (log scale)")
        axes.set_title(f"{title}: how much of the next period would have been caught", loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8, ncols=2)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
