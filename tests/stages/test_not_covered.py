"""Ground that the data does not cover or that can hold no incident: results are those of boundaries without it."""

import json
import os
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

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
    released,
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
    # Two tilings and two bandwidths: every method and every step of the backtest is run, in a tenth of the time.
    "backtest": {"origins": 3, "squares_m": [250], "hexagons_m": [250], "bandwidths_m": [200, 800]},
    "areas__snap_m": 0,
    "page__briefings": True,
}
CELLS = "analysis_cells.parquet"
NEAR_REPEATS = "near_repeats.parquet"
CLUSTERS = "space_time_clusters.parquet"
"""In the folder of its window."""
UNCOVERED = {
    "every ward of a borough": (("Elder", "Fern"), ("Elder", "Fern")),
    "a borough and a ward": ((EASTBY, "Birch"), ("Elder", "Fern", "Birch")),
}
if os.environ.get("HOTSPOTS_LONG"):  # what the two above hold, apart
    UNCOVERED |= {"a borough": ((EASTBY,), ("Elder", "Fern")), "a ward of a borough": (("Damson",), ("Damson",))}


RIVER = shapely.box(527_000, 181_430, 534_000, 181_570)
"""Along the border of wards north and south: no incident lies within 80 m of it."""


def city(
    folder: Path, *, names: tuple[str, ...] = EVERY_WARD, not_covered: tuple[str, ...] = (), river: str = ""
) -> Path:
    """Write the city of six wards with incidents in each; only some wards in its boundaries, or some not covered.

    With a river its boundaries end at the banks (`cut`), or a mask shows it (`mask`).
    """
    rows = incidents(400, span=25)
    for i, ward in enumerate(("Elder", "Fern") * 12):
        x, y = point(i, ward)
        rows.append({**rows[i], "incident_id": f"S{i}", "easting": f"{x}", "northing": f"{y}"})
    shapes = wards(names)
    if river == "cut":
        shapes.geometry = shapes.difference(RIVER)
    config = write_case(folder, rows, boundaries=shapes, **METHODS)
    if river == "mask":
        gpd.GeoDataFrame(geometry=[RIVER], crs=27700).to_crs(4326).to_file(folder / "river.geojson")
        change(config, areas__mask={"path": "river.geojson"})
    return change(config, areas__not_covered=[CODES[a] for a in not_covered]) if not_covered else config


class Cities:
    """Runs of the city with every method, and their backtests: one of each set of areas.

    Those whose pages and layers are looked at, because some of their ground is not covered, are whole.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs: dict[tuple[Any, ...], Attempt] = {}
        self.backtests: dict[Path, Any] = {}

    def run(
        self, *, names: tuple[str, ...] = EVERY_WARD, not_covered: tuple[str, ...] = (), river: str = ""
    ) -> Attempt:
        key = names, not_covered, river
        if key not in self.runs:
            folder = self.folder / str(len(self.runs))
            whole = not_covered or river == "mask"
            tried = (attempt if whole else released)(city(folder, names=names, not_covered=not_covered, river=river))
            assert tried.code == 0, tried.crash + tried.text[-600:]
            self.runs[key] = tried
        return self.runs[key]

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
    got, right = (
        pd.read_parquet(t.folder / "work" / "release" / "internal" / "counts.parquet").set_index(key).sort_index()
        for t in (whole, part)
    )
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


def layer_of(tried: Attempt, name: str) -> gpd.GeoDataFrame:
    """Return a layer as it was released, before it is written as GeoJSON."""
    return gpd.read_parquet(next((tried.folder / "work" / "release" / "internal").rglob(f"{name}.parquet")))


@pytest.mark.parametrize("name", ["hotspots", "density", "risk_bands"])
def test_hotspots_and_density(both: tuple[Attempt, Attempt, tuple[str, ...]], name: str) -> None:
    whole, part = (layer_of(t, name) for t in both[:2])
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


def tables_of(tried: Attempt, name: str) -> pd.DataFrame:
    return pd.read_parquet(next((tried.folder / "work").rglob(name)))


def test_a_masked_river_is_no_ground_for_any_method(cities: Cities) -> None:
    # Boundaries that end at the banks leave the same ground as a mask: so must every method.
    mask, cut = (cities.run(river=how) for how in ("mask", "cut"))
    for name in ("hotspots", "density", "risk_bands"):
        got, right = (layer_of(t, name) for t in (mask, cut))
        assert len(right) > 0
        pd.testing.assert_frame_equal(
            got.drop(columns="geometry"), right.drop(columns="geometry"), check_dtype=False, rtol=1e-6
        )
        apart = got.geometry.to_crs(27700).symmetric_difference(right.geometry.to_crs(27700)).area
        assert apart.max() < 5.0  # m2: banks in degrees are those in metres but for rounding
    for name in ("analysis_cells.parquet", CLUSTERS):
        # A p-value of permutations turns on ties, which rounding of the covered area breaks.
        left_out = ["geometry", "gistar_p", "hotspot_class"]
        got, right = (tables_of(t, name).drop(columns=left_out, errors="ignore") for t in (mask, cut))
        pd.testing.assert_frame_equal(got, right, rtol=1e-4)
    scores = [
        {(s["method"], s["target"]): s["hits"] for s in cities.backtest(t)["studies"][0]["scores"]} for t in (mask, cut)
    ]
    assert scores[0] == pytest.approx(scores[1], rel=1e-3)
    # By hand: of each of the four wards at the river, 1,500 x 70 m are water.
    areas = tables_of(mask, "areas.parquet").set_index("area_code")
    assert areas.loc[CODES["Alder"], "area_km2"] == pytest.approx(2.25 - 0.105, abs=1e-4)
    assert areas.loc[CODES[REGION], "area_km2"] == pytest.approx(
        sum(areas.loc[CODES[ward], "area_km2"] for ward in EVERY_WARD), abs=1e-4
    )
    # Wards on both banks are still neighbours, and the map still shows their whole outlines.
    whole = gpd.read_file(mask.folder / "internal" / "wards.geojson").to_crs(27700).set_index("area_code")
    assert whole.loc[CODES["Alder"]].geometry.area / 1e6 == pytest.approx(2.25, abs=0.01)


SQUARE = {"type": "Polygon", "coordinates": [[[-1, 51], [1, 51], [1, 52], [-1, 52], [-1, 51]]]}
AWAY = {"type": "Polygon", "coordinates": [[[10, 51], [11, 51], [11, 52], [10, 51]]]}


@pytest.mark.parametrize(
    ("content", "settings", "words"),
    [
        ([SQUARE], {}, "leaves no ground for incidents in any of the 4 areas: check areas.mask.crs (read as EPSG:4326"),
        ([AWAY], {}, "takes no ground from any area: check areas.mask.crs"),
        ([{"type": "Point", "coordinates": [0, 51.5]}], {}, "has no outlines (areas.mask): its 1 features are points"),
        ("not a map", {}, "water.geojson is delimited text, not GeoJSON"),
    ],
)
def test_masks_that_cannot_be_used_are_refused_in_a_paragraph(
    tmp_path: Path, content: Any, settings: dict[str, str], words: str
) -> None:
    config = write_case(tmp_path, incidents(20))
    features = [{"type": "Feature", "properties": {}, "geometry": g} for g in content if isinstance(g, dict)]
    text = content if isinstance(content, str) else json.dumps({"type": "FeatureCollection", "features": features})
    (tmp_path / "water.geojson").write_text(text, encoding="utf-8")
    tried = attempt(change(config, areas__mask={"path": "water.geojson", **settings}))
    assert tried.code == 3
    assert says(tried.text, words)
    assert "Traceback" not in tried.text


def test_what_lies_there_is_counted_and_named(both: tuple[Attempt, Attempt, tuple[str, ...]]) -> None:
    whole, part, _ = both
    account = whole.accounting()
    assert account["incidents_not_covered"] == part.accounting()["incidents_outside_areas"] > 0
    assert account["incidents_inside_areas"] == part.accounting()["incidents_inside_areas"]
    assert sum(row["incidents"] for row in whole.quality["not_covered"]) == account["incidents_not_covered"]
    assert says(whole.text, "areas of areas.not_covered")
    assert says(whole.front_door, "areas of areas.not_covered")


def test_a_borough_covered_in_part_has_the_residents_of_its_covered_wards(cities: Cities) -> None:
    tried = cities.run(not_covered=(EASTBY, "Birch"))
    assert tried.layer("boroughs")[NORTHBY]["population"] == RESIDENTS["Alder"]
    assert tried.layer("boroughs")[SOUTHBY]["population"] == RESIDENTS["Cedar"] + RESIDENTS["Damson"]
    areas = pd.read_parquet(tried.folder / "work" / "areas.parquet").set_index("area_code")
    # Three wards of 1.5 km.
    assert areas.loc[CODES[REGION], "area_km2"] == pytest.approx(3 * 2.25)
    assert areas.loc[CODES[REGION], "population"] == sum(RESIDENTS[w] for w in ("Alder", "Cedar", "Damson"))


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
    whole = counted(config).total(REGION)
    tried = released(change(config, areas__not_covered=[CODES[SOUTHBY]]))
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
