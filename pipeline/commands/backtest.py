"""`hotspots backtest`: how well each method would have predicted the months that followed, on a finished run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.backtest import (
    FEWEST_TO_RANK,
    BacktestResult,
    Study,
    Target,
    Tiling,
    backtest,
    history_and_origins,
    rolling_origins,
    standard_methods,
    turned_grids,
)
from pipeline.config import Config, load_config
from pipeline.domain.categories import ROOT, having, in_total, outside_total
from pipeline.domain.levels import level_words
from pipeline.domain.periods import Span, without_months
from pipeline.errors import InputError
from pipeline.geography.study_area import StudyArea
from pipeline.ingest import stored_mask
from pipeline.publish import words
from pipeline.publish.pages.backtest import backtest_html, backtest_picture, summary
from pipeline.publish.pages.front_door import front_door
from pipeline.storage.files import read_json, read_table, write_bytes, write_json, write_text
from pipeline.tables import AREAS, LOCATIONS, Level

__all__ = ["BacktestReport", "run_backtest"]


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """What `hotspots backtest` found.

    Attributes
    ----------
    results
        One per study: all incidents in the main tiling first, then in each other tiling, then each category.
    labels
        Category of each study.
    record
        The content of backtest.json.
    summary
        The result in a few sentences.
    """

    results: tuple[BacktestResult, ...]
    labels: tuple[str, ...]
    record: dict[str, Any]
    summary: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """Return one row per study, method and target: the content of backtest.csv."""
        frames = [
            result.frame().assign(category=label, cells=result.cells)
            for label, result in zip(self.labels, self.results, strict=True)
        ]
        table = pd.concat(frames, ignore_index=True)
        return table[["category", "cells", *frames[0].columns.drop(["category", "cells"])]]


def run_backtest(config_path: Path) -> tuple[BacktestReport, Path]:
    """Backtest the last run of a configuration; write backtest.html, .json, .csv and .svg into its folder.

    Raises
    ------
    InputError
        If there is no run, it has no points, or its data is too short for a single origin.
    """
    # Load.
    config = load_config(config_path)
    folder = config_path.resolve().parent / config.run.output_dir / config.run.name
    locations = read_table(folder / "work" / "locations.parquet", LOCATIONS)
    areas = read_table(folder / "work" / "areas.parquet", AREAS, crs=config.crs.working)
    ground = StudyArea.of(areas, stored_mask(folder / "work" / "mask.parquet"))
    lacking = Span.restored(read_json(folder / "work" / "span.json")).lacking.months
    labels = {c["id"]: c["label"] for c in read_json(folder / "work" / "ingest.json")["categories"]}
    if not in_total(locations["categories"], outside_total(config.categories)).any():
        raise InputError("the run has no points: a backtest ranks places, and published counts have none")

    # Compute.
    studies = _Studies(config, without_months(locations, lacking), ground, frozenset(lacking))
    main = studies.tilings[0]
    tested = [(ROOT, tiling, studies.result(ROOT, tiling)) for tiling in studies.tilings]
    tested += [(c, main, studies.result(c, main)) for c in studies.categories(labels)]
    record = _record(config, [(labels.get(c, c), c, result) for c, _, result in tested])
    with words.speaking(config.page.language), words.per(config.areas.base):
        sentences = tuple(summary(record))
        report = BacktestReport(
            tuple(result for _, _, result in tested), tuple(labels.get(c, c) for c, _, _ in tested), record, sentences
        )
        page, picture = backtest_html(record), backtest_picture(record)

    # Save.
    write_json(folder / "backtest.json", record | {"summary": list(sentences)})
    write_text(folder / "backtest.csv", report.frame().to_csv(index=False, lineterminator="\n"))
    write_text(folder / "backtest.html", page)
    write_bytes(folder / "backtest.svg", picture.encode())
    if (folder / "index.html").is_file():  # the overview of the run links to the page from now on
        manifest, quality = read_json(folder / "manifest.json"), read_json(folder / "quality.json")
        write_text(folder / "index.html", front_door(folder, config=config, manifest=manifest, quality=quality))
    return report, folder


def _record(config: Config, tested: Sequence[tuple[str, str, BacktestResult]]) -> dict[str, Any]:
    """Put the results into plain values, with what the page needs to name them."""
    run = config.run
    return {
        "title": run.title,
        "place": run.place,
        "run": run.name,
        "noun": run.noun,
        "synthetic": run.synthetic,
        "language": config.page.language,
        "areas": words.area_words(level_words(config.areas), Level.WARD)[1],
        "studies": [
            {"category": category, "label": label}
            | result.as_dict()
            | {"origins": [f"{(o - 1) // 12:04}-{(o - 1) % 12 + 1:02}" for o in result.origins]}
            for label, category, result in tested
        ],
    }


class _Studies:
    """The incidents of a run, and the cells and months in which they are tested."""

    config: Config

    def __init__(self, config: Config, locations: pd.DataFrame, ground: StudyArea, lacking: frozenset[int]) -> None:
        settings = config.backtest
        self.config, self.wards = config, ground.wards.reset_index(drop=True)
        self.rows = locations.loc[locations.index.repeat(locations["incidents"].astype(int))]
        self.total = in_total(self.rows["categories"], outside_total(config.categories))
        months = self.rows["month"].to_numpy(dtype=np.int64)
        self.when: NDArray[np.int64] = months // 100 * 12 + months % 100
        self.lacking = frozenset(month // 100 * 12 + month % 100 for month in lacking)
        self.targets = tuple(Target.read(text) for text in settings.targets)
        self.tilings = (
            *(Tiling.squares(ground.outline, size_m=size) for size in settings.squares_m),
            *(Tiling.hexagons(ground.outline, size_m=size) for size in settings.hexagons_m),
        )
        turn = settings.turned_grids and settings.squares_m
        self.turned = turned_grids(ground.outline, size_m=settings.squares_m[0]) if turn else ()
        self.people = self.wards["population"].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
        self.history, self.origins = self._periods()

    def _periods(self) -> tuple[int, tuple[int, ...]]:
        """Return months of history and origins: as configured, or what the length of the data allows."""
        settings, when = self.config.backtest, self.when[self.total.to_numpy()]
        length = int(when.max() - when.min()) + 1
        history, count = settings.history_months, settings.origins
        if history is None:
            history, count = history_and_origins(length, count=count, horizon=settings.horizon_months)
        origins = rolling_origins(
            when, count=count, horizon=settings.horizon_months, history=history, lacking=self.lacking
        )
        if not origins:
            raise InputError(
                f"the data is too short to backtest: it needs {history} months of history and "
                f"{settings.horizon_months} to predict, and has {length}. Lower backtest.history_months or add data"
            )
        return history, origins

    def chosen(self, category: str) -> NDArray[np.bool_]:
        """Choose the rows of a category."""
        chosen = self.total if category == ROOT else having(self.rows["categories"], category)
        return np.asarray(chosen, dtype=np.bool_)

    def categories(self, labels: dict[str, str]) -> list[str]:
        """Return the categories to test: as configured, or each with enough incidents after the origins."""
        asked = self.config.backtest.categories
        if asked is not None:
            if unknown := sorted(set(asked) - set(labels)):
                raise InputError(f"backtest.categories names {unknown}, which the run does not have: {sorted(labels)}")
            return [c for c in asked if c != ROOT]
        later = self.when >= self.origins[0]
        return [c for c in labels if c != ROOT and (self.chosen(c) & later).sum() >= FEWEST_TO_RANK]

    def result(self, category: str, tiling: Tiling) -> BacktestResult:
        """Test a category in one tiling; turned grids and wards take part in the main one only."""
        settings, detect = self.config.backtest, self.config.detect
        rows, main = self.rows[self.chosen(category)], tiling is self.tilings[0]
        turned = self.turned if main else ()
        study = Study.of(
            rows[["easting_m", "northing_m"]].to_numpy(dtype=np.float64),
            when=self.when[self.chosen(category)],
            tiling=tiling,
            area_of=pd.Index(self.wards["area_code"]).get_indexer(rows["ward_code"]),
            area_km2=self.wards["area_km2"].to_numpy(dtype=np.float64),
            population=self.people,
            turned=turned,
            lacking=self.lacking,
        )
        eps = detect.clusters.eps_m
        methods = standard_methods(
            eps_m=200.0 if eps == "auto" else float(eps),
            min_samples=detect.clusters.min_samples,
            bandwidths_m=settings.bandwidths_m,
            kernel=detect.density.kernel,
            turned=turned,
            areas=main,
            population=main and bool((self.people > 0).any()),
        )
        return backtest(
            study,
            methods=methods,
            origins=self.origins,
            targets=self.targets,
            rank_by=Target.read(settings.rank_by),
            history=self.history,
            horizon=settings.horizon_months,
            resamples=settings.resamples,
            seed=self.config.run.seed,
        )
