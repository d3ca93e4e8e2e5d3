"""The registry of detection methods: the stage runs whatever it lists, and a new method is one entry more."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config import load_config
from pipeline.detect.method import DetectInput, Findings, Method, Need, Scope
from pipeline.detect.registry import METHODS
from pipeline.stages.runner import run
from tests.kit.city import X0, write_city

STAGES = ["ingest", "aggregate", "detect"]


def centre_of_gravity(data: DetectInput) -> Findings:
    """Find the mean easting of the incidents in the window."""
    rows = data.locations[data.locations["month"].between(data.window.headline.first_month, 999912)]
    mean = np.average(rows["easting_m"], weights=rows["incidents"].astype(float))
    name = data.window.headline.id
    return Findings(
        tables={f"centre/{name}.parquet": pd.DataFrame({"easting_m": [mean]})},
        state={"centre": round(float(mean))},
        choices={f"centre {name}": "weighted mean"},
        counters={f"centre {name}": 1},
    )


def toy(*needs: Need) -> Method:
    return Method(
        name="centre",
        section="detect.centre",
        needs=frozenset(needs),
        scope=Scope.WINDOW,
        switch=None,
        run=centre_of_gravity,
    )


@pytest.mark.slow
def test_a_new_method_is_one_entry_and_its_table_lands_in_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.stages.detect.METHODS", (*METHODS, toy(Need.POINTS)))
    outcome = run(write_city(tmp_path), progress=lambda *_: None, only=STAGES)
    table = pd.read_parquet(outcome.folder / "work" / "centre" / "2024-01..2024-12.parquet")
    # A1: 24 incidents, A2: 12, B1: 5; means of their eastings by hand from tests/kit/city.py.
    a1 = 100 + 65 + 12.5  # months 1 to 12 times 10, days 5 and 20
    a2, b1 = 1500 + 130, 2500 + 150
    assert table["easting_m"].tolist() == pytest.approx([X0 + (24 * a1 + 12 * a2 + 5 * b1) / 41])
    detect = outcome.manifest["stages"]["detect"]
    assert detect["choices"]["centre 2024-01..2024-12"] == "weighted mean"
    assert detect["counters"]["centre 2024-01..2024-12"] == 1


@pytest.mark.slow
def test_a_method_that_needs_residents_is_left_out_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.stages.detect.METHODS", (*METHODS, toy(Need.POINTS, Need.POPULATION)))
    outcome = run(write_city(tmp_path, **{"areas.population": []}), progress=lambda *_: None, only=STAGES)
    assert outcome.manifest["stages"]["detect"]["choices"]["centre"] == "skipped: no ward has a population"
    assert not (outcome.folder / "work" / "centre").exists()


def test_names_differ_and_sections_are_settings(tmp_path: Path) -> None:
    assert len({method.name for method in METHODS}) == len(METHODS)
    config = load_config(write_city(tmp_path))
    for method in METHODS:
        section = config
        for key in method.section.split("."):
            section = getattr(section, key)
        assert method.enabled(config) in {True, False}
