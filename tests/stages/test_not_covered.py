"""Areas that the data does not cover: every method gives what a run on boundaries without them gives."""

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from tests.kit.cases import (
    CODES,
    EASTBY,
    NORTHBY,
    REGION,
    RESIDENTS,
    SOUTHBY,
    Attempt,
    attempt,
    change,
    counted,
    incidents,
    point,
    published_cells,
    says,
    wards,
    write_case,
    write_published,
)

pytestmark = pytest.mark.slow  # each tries whole runs

EVERY_WARD = ("Alder", "Birch", "Cedar", "Damson", "Elder", "Fern")
METHODS: dict[str, Any] = {
    "detect": {
        "density": {
            "enabled": True,
            "bandwidth_m": 300,
            "cell_m": 50,
            "bands": {"by": "mean", "limits": [0.5, 1.5, 3]},
            "risk": {"against": "population"},
        },
        "clusters": {"enabled": True, "eps_m": "auto", "min_samples": 5, "simulations": 19, "resamples": 5},
        "gistar": {"enabled": True, "permutations": 99, "grid": "square", "cell_m": 300},
        "scan": {"enabled": True, "simulations": 19, "cell_m": 250},
        "knox": {"enabled": True, "simulations": 19},
    },
    "emerging": {"enabled": True, "min_periods": 4},
    "areas__snap_m": 0,
    "page__briefings": True,
}
CELLS = "analysis_cells.parquet"
NEAR_REPEATS = "near_repeats.parquet"
CLUSTERS = "space_time_clusters.parquet"
"""In the folder of its window."""
UNCOVERED = {
    "a borough": ((EASTBY,), ("Elder", "Fern")),
    "every ward of a borough": (("Elder", "Fern"), ("Elder", "Fern")),
    "a ward of a borough": (("Damson",), ("Damson",)),
    "a borough and a ward": ((EASTBY, "Birch"), ("Elder", "Fern", "Birch")),
}


def city(folder: Path, *, names: tuple[str, ...] = EVERY_WARD, not_covered: tuple[str, ...] = ()) -> Path:
    """Write the city of six wards with incidents in each; only some wards in its boundaries, or some not covered."""
    rows = incidents(400, span=25)
    for i, ward in enumerate(("Elder", "Fern") * 12):
        x, y = point(i, ward)
        rows.append({**rows[i], "incident_id": f"S{i}", "easting": f"{x}", "northing": f"{y}"})
    config = write_case(folder, rows, boundaries=wards(names), **METHODS)
    return change(config, areas__not_covered=[CODES[a] for a in not_covered]) if not_covered else config


class Cities:
    """Whole runs of the city with every method, and their backtests: one of each set of areas."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs: dict[tuple[Any, ...], Attempt] = {}
        self.backtests: dict[Path, Any] = {}

    def run(self, *, names: tuple[str, ...] = EVERY_WARD, not_covered: tuple[str, ...] = ()) -> Attempt:
        if (names, not_covered) not in self.runs:
            tried = attempt(city(self.folder / str(len(self.runs)), names=names, not_covered=not_covered))
            assert tried.code == 0, tried.crash + tried.text[-600:]
            self.runs[names, not_covered] = tried
        return self.runs[names, not_covered]

    def backtest(self, tried: Attempt) -> Any:
        if tried.config not in self.backtests:
            assert attempt(tried.config, "backtest").code == 0
            self.backtests[tried.config] = json.loads((tried.folder / "backtest.json").read_text("utf-8"))
        return self.backtests[tried.config]


@pytest.fixture(scope="module")
def cities(tmp_path_factory: pytest.TempPathFactory) -> Cities:
    return Cities(tmp_path_factory.mktemp("coverage"))


@pytest.fixture(scope="module", params=UNCOVERED.values(), ids=UNCOVERED)
def both(request: pytest.FixtureRequest, cities: Cities) -> tuple[Attempt, Attempt, tuple[str, ...]]:
    named, gone = request.param
    return cities.run(not_covered=named), cities.run(names=tuple(w for w in EVERY_WARD if w not in gone)), gone


def test_counts_rates_and_tests_of_the_covered_areas(both: tuple[Attempt, Attempt, tuple[str, ...]]) -> None:
    whole, part, _ = both
    key = ["area_code", "period", "category"]
    right = part.counts.set_index(key).sort_index()
    got = whole.counts.set_index(key).sort_index()
    pd.testing.assert_frame_equal(got.loc[right.index], right, rtol=1e-9, check_dtype=False)
    rest = got.drop(right.index)
    assert rest[["incidents", "rate_per_10000", "change_pct", "gistar_z", "hotspot_class"]].isna().all(axis=None)


def test_no_layer_shows_a_figure_of_what_is_not_covered(both: tuple[Attempt, Attempt, tuple[str, ...]]) -> None:
    whole, _, gone = both
    for name, shown in whole.layer("wards").items():
        assert shown["covered"] is (name not in gone)
        if name in gone:
            figures = {k: v for k, v in shown.items() if k.startswith(("incidents", "rate", "gistar", "change", "out"))}
            assert set(figures.values()) == {None}
    pages = {p.stem for p in (whole.folder / "internal" / "boroughs").glob("*.html")}
    assert (CODES[EASTBY] in pages) is not {"Elder", "Fern"}.issubset(gone)


@pytest.mark.parametrize("name", ["hotspots", "density", "risk_bands"])
def test_hotspots_and_density(both: tuple[Attempt, Attempt, tuple[str, ...]], name: str) -> None:
    whole, part, _ = (gpd.read_file(t.folder / "internal" / f"{name}.geojson") for t in (*both[:2], both[1]))
    assert len(part) > 0
    pd.testing.assert_frame_equal(
        whole.drop(columns="geometry"), part.drop(columns="geometry"), check_dtype=False, rtol=1e-9
    )
    apart = whole.geometry.to_crs(27700).symmetric_difference(part.geometry.to_crs(27700)).area
    assert apart.max() < 1.0


@pytest.mark.parametrize(
    "name",
    [
        "emerging.parquet",
        "analysis_cells.parquet",
        NEAR_REPEATS,
        CLUSTERS,
        "locations.parquet",
        "facets.parquet",
    ],
)
def test_tables_of_the_methods(both: tuple[Attempt, Attempt, tuple[str, ...]], name: str) -> None:
    tables = []
    for tried in both[:2]:
        path = tried.folder / "work" / name
        files = sorted(path.glob("*.parquet")) if path.is_dir() else sorted(path.parent.rglob(name))[:1]
        tables.append(pd.concat([pd.read_parquet(p) for p in files], ignore_index=True))
    assert len(tables[1]) > 0
    pd.testing.assert_frame_equal(*tables, rtol=1e-9)


def test_the_bandwidth_the_reach_and_the_span(both: tuple[Attempt, Attempt, tuple[str, ...]]) -> None:
    chosen = []
    for tried in both[:2]:
        stages = tried.manifest["stages"]
        chosen.append({k: v for s in ("aggregate", "detect") for k, v in stages[s]["choices"].items()})
    assert chosen[0] == chosen[1]


def test_the_backtest(both: tuple[Attempt, Attempt, tuple[str, ...]], cities: Cities) -> None:
    whole, part, _ = both
    assert cities.backtest(whole) == cities.backtest(part)


def test_what_lies_there_is_counted_and_named(both: tuple[Attempt, Attempt, tuple[str, ...]]) -> None:
    whole, part, _ = both
    account = whole.accounting()
    assert account["incidents_not_covered"] == part.accounting()["incidents_outside_areas"] > 0
    assert account["incidents_inside_areas"] == part.accounting()["incidents_inside_areas"]
    assert sum(row["incidents"] for row in whole.quality["not_covered"]) == account["incidents_not_covered"]
    assert says(whole.text, "areas of areas.not_covered")
    assert says(whole.front_door, "areas of areas.not_covered")


def test_a_borough_covered_in_part_has_the_residents_of_its_covered_wards(cities: Cities) -> None:
    tried = cities.run(not_covered=("Damson",))
    assert tried.layer("boroughs")[SOUTHBY]["population"] == RESIDENTS["Cedar"]
    assert tried.layer("boroughs")[NORTHBY]["population"] == RESIDENTS["Alder"] + RESIDENTS["Birch"]
    areas = pd.read_parquet(tried.folder / "work" / "areas.parquet").set_index("area_code")
    # Five wards of 1.5 km.
    assert areas.loc[CODES[REGION], "area_km2"] == pytest.approx(5 * 2.25)
    assert areas.loc[CODES[REGION], "population"] == sum(RESIDENTS.values()) - RESIDENTS["Damson"]


@pytest.mark.parametrize("how", ["borough", "ward"])
def test_rows_that_name_an_uncovered_area_without_a_point_are_in_no_total(tmp_path: Path, how: str) -> None:
    rows = incidents(200)
    for i, row in enumerate(rows[:30]):
        row.update(easting="", northing="", borough=EASTBY, ward=CODES["Elder" if i % 2 else "Fern"])
    given = [{**{k: v for k, v in r.items() if k != "ward"}, "place": r[how]} for r in rows]
    uncovered = {"boundaries": wards(EVERY_WARD), "areas__not_covered": [CODES[EASTBY]]}
    tried = counted(write_case(tmp_path, given, columns={how: "place"}, **uncovered))
    assert tried.total(REGION) == 170
    assert tried.accounting()["incidents_not_covered"] == 30
    assert tried.total(EASTBY) is None


def test_published_counts_of_an_uncovered_borough_are_in_no_total(tmp_path: Path) -> None:
    config = write_published(tmp_path, published_cells([NORTHBY, SOUTHBY]), absent="zero")
    whole = attempt(config).total(REGION)
    tried = attempt(change(config, areas__not_covered=[CODES[SOUTHBY]]))
    assert tried.total(SOUTHBY) is None
    assert tried.total(NORTHBY) is not None
    assert tried.total(REGION) == tried.total(NORTHBY) != whole
    assert [row["area_code"] for row in tried.quality["not_covered"]] == [CODES[SOUTHBY]]


@pytest.mark.parametrize("codes", [(NORTHBY, SOUTHBY, EASTBY), (REGION,), EVERY_WARD])
def test_nothing_left_is_a_fault_of_the_configuration(tmp_path: Path, codes: tuple[str, ...]) -> None:
    tried = attempt(city(tmp_path, not_covered=codes))
    assert tried.code == 2
    assert says(tried.text, "areas.not_covered names every area")


def test_data_of_which_nothing_lies_inside_is_refused(tmp_path: Path) -> None:
    rows = incidents(50)
    for row in rows:
        row["easting"] = "533000"
    tried = attempt(write_case(tmp_path, rows))
    assert tried.code == 3
    assert says(tried.text, "50 outside all areas")
    assert np.all([word in tried.text for word in ("areas.wards", "incidents.crs")])
