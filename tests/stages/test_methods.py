"""The registry of detection methods: the stage runs whatever it lists, and a new method is one entry more."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config import load_config
from pipeline.detect.method import DetectInput, Findings, Method, Need, Scope
from pipeline.detect.registry import METHODS
from pipeline.domain.periods import Period
from pipeline.stages.runner import run
from tests.kit.city import HEADER, X0, Y0, write_city

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


@pytest.mark.slow
def test_methods_find_the_same_in_the_months_that_they_ask_for_as_in_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, rows = np.random.default_rng(8), []
    for year in range(2014, 2025):
        for number in range(400):
            month, day, away = rng.integers(1, 13), rng.integers(1, 29), rng.normal(0, 60, 2).round()
            middle = X0 + 500 + 1000 * rng.integers(3), Y0 + 500 + 100 * rng.integers(-2, 3)
            at = f"{middle[0] + away[0]},{middle[1] + away[1]}"
            strand = rng.choice(["race", "religion", "race;religion"])
            rows.append(f"R{year}{number:03d},{year}-{month:02d}-{day:02d},{at},,{strand},no,charged")
    held: list[set[int]] = []

    def looking(method: Method, data: DetectInput) -> Findings:
        held.append(set(data.locations["month"]))
        return method.run(data)

    def work(name: str) -> dict[str, bytes]:
        asks = {"detect.knox.enabled": True, "detect.scan.enabled": False, "detect.min_category_incidents": 50}
        config = write_city(tmp_path / name, **asks, **{"detect.gistar.grid": "square"})
        (config.parent / "incidents.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
        folder = run(config, progress=lambda *_: None, only=STAGES).folder / "work"
        found = [p for part in ("hotspots", "patterns", "concentration") for p in (folder / part).rglob("*.parquet")]
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}

    monkeypatch.setattr("pipeline.stages.detect._find", looking)
    some = work("some")
    monkeypatch.setattr(Method, "periods", lambda *_: [Period(201401, 202412)])
    every = work("every")
    assert some == every
    assert {"hotspots/2024-01..2024-12.facts.parquet", "concentration/2024-01..2024-12.parquet"} <= set(some)
    facts = pd.read_parquet(io.BytesIO(some["hotspots/2024-01..2024-12.facts.parquet"]))
    assert {"month", "year_before", "earlier_outline"} <= set(facts["question"])
    # Concentration asks for five years of eleven, and no method for more.
    assert {min(months) for months in held} == {202001, 201401}
