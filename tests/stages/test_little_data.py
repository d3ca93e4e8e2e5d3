"""Data on which a method cannot work: the run goes on without the method and says why."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from pipeline.detect.registry import METHODS
from tests.kit.cases import NO_METHODS, Attempt, Row, attempt, detected, incidents, says, wards, write_case

pytestmark = pytest.mark.slow  # each tries whole runs

EVERYTHING: dict[str, Any] = {
    "density": {"enabled": True, "bandwidth_m": "auto", "risk": {"against": "population"}},
    "clusters": {"enabled": True, "eps_m": "auto", "min_samples": 5, "simulations": 19, "resamples": 5},
    "gistar": {"enabled": True, "permutations": 99, "grid": "square"},
    "scan": {"enabled": True, "simulations": 19, "spatial": ["poisson", "bernoulli"], "categories": ["all", "race"]},
    "knox": {"enabled": True, "simulations": 19},
    "streets": {"path": "streets.geojson"},
}


def tried(folder: Path, rows: list[Row], detect: dict[str, Any] | None = None, **changes: Any) -> Attempt:
    """Run with every method as far as the pages; with some, as far as these methods and the run's front page."""
    streets = [[(528_000, 182_200), (531_000, 182_200)], [(528_000, 180_700), (531_000, 180_700)]]
    gpd.GeoDataFrame(geometry=shapely.linestrings(streets), crs="EPSG:27700").to_file(folder / "streets.geojson")
    (folder / "weights.csv").write_text("offence,weight\nrace,5\nreligion,3\ndisability,700\n", "utf-8")
    if not detect:
        changes = {"harm": {"weights": "weights.csv"}, **changes}
    config = write_case(folder, rows, detect=detect or EVERYTHING, emerging={"enabled": True}, **changes)
    return (detected if detect else attempt)(config)


def at_one_place(row: Row) -> Row:
    return {**row, "easting": "528700.0", "northing": "182200.0"}


def on_one_day(row: Row) -> Row:
    return {**row, "occurred_on": "2025-03-03"}


@pytest.mark.parametrize(
    ("rows", "change_row"),
    [
        pytest.param(1, dict, id="one incident"),
        pytest.param(2, dict, id="two", marks=pytest.mark.long),
        pytest.param(5, dict, id="five"),
        pytest.param(200, at_one_place, id="all at one place"),
        pytest.param(60, on_one_day, id="all on one day"),
        pytest.param(
            3, lambda row: on_one_day(at_one_place(row)), id="three at one place on one day", marks=pytest.mark.long
        ),
    ],
)
def test_every_method_on_little_data(tmp_path: Path, rows: int, change_row: Callable[[Row], Row]) -> None:
    done = tried(tmp_path, [change_row(row) for row in incidents(rows, span=25)])
    assert done.code == 0, done.crash + done.text[-500:]
    case = {(1, dict): 0, (200, at_one_place): 1}.get((rows, change_row))
    if case is not None:
        found = _Found(done)
        assert NOTHING_FOUND.keys() == {method.name for method in METHODS}
        assert [name for name, holds in NOTHING_FOUND.items() if not holds[case](found)] == []


def test_all_in_one_hour_is_a_caution_and_no_pattern(tmp_path: Path) -> None:
    rows = [{**row, "hour": "00:00"} for row in incidents(250, span=25)]
    columns = {"id": "incident_id", "date": "occurred_on", "time": "hour", "x": "easting", "y": "northing"}
    hours = NO_METHODS | {"hours": {"min_incidents": 100}, "knox": {"enabled": True, "simulations": 19}}
    done = tried(tmp_path, rows, detect=hours, source={"columns": {**columns, "category": "category"}})
    assert done.code == 0, done.crash + done.text[-500:]
    assert says(
        done.text, "with a known time are in one hour of the day, from 00:00: it probably stands for an unknown"
    )
    assert says(done.front_door, "figures by hour say nothing")


class _Found:
    """What a run has found: tables of its headline window, choices and cautions."""

    def __init__(self, done: Attempt) -> None:
        self.work = done.folder / "work"
        self.choices: Mapping[str, Any] = done.manifest["stages"]["detect"]["choices"]
        self.cautions = " ".join(done.manifest["stages"]["detect"]["cautions"])
        self.layers = done.folder / "internal"

    def table(self, name: str) -> pd.DataFrame:
        [path] = self.work.glob(f"patterns/*/{name}")
        return pd.read_parquet(path)

    def bands(self) -> pd.DataFrame:
        return gpd.read_file(self.layers / "density.geojson")

    def concentration(self, figure: str) -> bool:
        tables = [pd.read_parquet(path) for path in self.work.glob("concentration/*.parquet")]
        return any((table["figure"] == figure).any() for table in tables)

    def hot(self) -> pd.DataFrame:
        paths = [p for p in self.work.glob("streets/*.parquet") if not p.stem.endswith((".runs", ".concentration"))]
        segments = pd.concat([pd.read_parquet(path) for path in paths])
        return segments[segments["hot"].astype(bool)]

    def said(self, name: str, text: str) -> bool:
        return any(text in str(value) for key, value in self.choices.items() if key.split(" ")[0] == name)


AT_ONE_PLACE = "lie at one place: if it stands for an unknown place, name it in detect.placeholder_locations"
NOTHING_FOUND: dict[str, tuple[Callable[[_Found], bool], Callable[[_Found], bool]]] = {
    # With one incident, and with 96 of the main period at one place: nothing is found, or a caution or note says why.
    "density": (lambda f: not len(f.bands()), lambda f: not len(f.bands())),
    "hotspots": (lambda f: "No hotspot was found" in f.cautions, lambda f: "No hotspot was found" in f.cautions),
    "cells": (lambda f: f.table("analysis_cells.parquet")["hotspot_class"].fillna(0).eq(0).all(),) * 2,
    "scan": (
        lambda f: f.said("scan", "skipped: 2 whole months are needed"),
        lambda f: f.table("space_time_clusters.parquet")["notes"].str.contains("one_place").all(),
    ),
    "spatial_scan": (
        lambda f: f.table("spatial_clusters.parquet")["notes"].eq("too_few").all(),
        lambda f: f.table("spatial_clusters.parquet").query("rank == 0")["notes"].str.contains("one_place").all(),
    ),
    "near_repeats": (
        lambda f: f.said("near_repeats", "skipped: two incidents with a point and a day are needed"),
        lambda f: not f.table("near_repeats.parquet")["acting"].any() and not len(f.table("near_repeat_zones.parquet")),
    ),
    "risk_surface": (lambda f: f.said("risk_surface", "0 bands; 1 places are too few for a band"),) * 2,
    "emerging": (lambda f: f.said("emerging", "skipped: 10 whole quarters are needed"),) * 2,
    "concentration": (
        lambda f: not f.concentration("holding"),
        lambda f: AT_ONE_PLACE in f.cautions,
    ),
    "streets": (lambda f: not len(f.hot()), lambda f: AT_ONE_PLACE in f.cautions),
    "hours": (lambda f: f.table("hour_peaks.parquet")["peak"].isna().all(),) * 2,
    "seasons": (lambda f: set(f.table("seasons.parquet")["state"]) <= {"too few months", "too few incidents"},) * 2,
    "harm": (
        lambda f: (
            not len(f.table("harm_hotspots.parquet")) and f.table("harm_areas.parquet")["change_pct"].isna().all()
        ),
        lambda f: not len(f.table("harm_hotspots.parquet")) and not len(f.table("harm_density.parquet")),
    ),
}


@pytest.mark.parametrize("method", ["dbscan", "hdbscan", "optics"])
@pytest.mark.parametrize("rows", [1, 4])
def test_every_clustering_on_few_points(tmp_path: Path, method: str, rows: int) -> None:
    clusters = {"enabled": True, "method": method, "eps_m": 150, "min_samples": 5}
    config = write_case(tmp_path, incidents(rows), detect=NO_METHODS | {"clusters": clusters})
    done = detected(config)
    assert done.code == 0, done.crash + done.text[-500:]
    assert says(done.text, "No hotspot was found")


def test_one_ward_alone(tmp_path: Path) -> None:
    done = tried(tmp_path, [r for r in incidents(400) if r["ward_name"] == "Alder"], boundaries=wards(["Alder"]))
    assert done.code == 0, done.crash + done.text[-500:]
    assert done.total("Alder") == 178


def test_no_residents(tmp_path: Path) -> None:
    done = tried(tmp_path, incidents(200), areas__population=[])
    assert done.code == 0, done.crash + done.text[-500:]
    assert says(str(done.manifest["stages"]["detect"]["choices"]), "no ward has a population")


def test_no_incident_in_the_headline_window(tmp_path: Path) -> None:
    rows = [r for r in incidents(300, span=25) if r["occurred_on"] < "2024-06"]
    done = tried(tmp_path, rows, periods={"last_complete_date": "2026-01-31"})
    assert done.code == 0, done.crash + done.text[-500:]
    assert says(done.text, "no incident of that period has a point")


def test_a_method_that_refuses_the_data_is_left_out_with_its_reason(tmp_path: Path) -> None:
    # 6,600 incidents of the headline window at one place are 22 million pairs, more than the Knox table takes on.
    here = [at_one_place(row) for row in incidents(100)]
    many = [{**row, "incident_id": f"{row['incident_id']}-{i}"} for i in range(72) for row in here]
    done = tried(tmp_path, many, detect=NO_METHODS | {"knox": {"enabled": True, "simulations": 19}})
    assert done.code == 0, done.crash + done.text[-500:]
    assert says(done.text, "near repeats of all categories together, because 21,935,376 pairs lie within")
    assert says(done.front_door, "near repeats of all categories together, because")
