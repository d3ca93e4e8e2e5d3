"""Part C of issue 14, item by item: a refusal names what is wrong, where, and what to do; nothing crashes."""

import gzip
import json
import re
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from tests.kit.cases import (
    NO_METHODS,
    NORTHBY,
    POLICE_COLUMNS,
    POLICE_SOURCE,
    REGION,
    RIGHT,
    Attempt,
    attempt,
    change,
    counted,
    detected,
    incidents,
    names_month,
    point,
    points,
    police,
    read,
    refused,
    says,
    wards,
    write_boundaries,
    write_case,
    write_police,
    write_rows,
)

pytestmark = pytest.mark.slow  # each test is a whole run

FILES = Path(__file__).parents[1] / "cases"

# C17. When rows fail.


@pytest.mark.parametrize(
    ("column", "write", "words"),
    [
        pytest.param(
            "easting",
            lambda v: f"{float(v):,.0f};",
            ("easting", "coordinates_unreadable"),
            id="coordinates",
        ),
        pytest.param(
            "northing",
            lambda _: "0.0.0",
            ("northing", "coordinates_unreadable", "0.0.0"),
            id="northing",
        ),
        pytest.param(
            "occurred_on",
            lambda v: f"week {v[:4]}",
            ("occurred_on", "date_unreadable", "week 2024"),
            id="date",
        ),
        pytest.param("occurred_on", lambda _: "", ("occurred_on", "date_missing"), id="no date"),
    ],
)
def test_c17_where_all_rows_fail_the_column_the_rule_the_number_and_three_values_are_named(
    tmp_path: Path, column: str, write: Callable[[str], str], words: tuple[str, ...]
) -> None:
    rows = [{**r, column: write(r[column])} for r in incidents(300)]
    tried = attempt(write_case(tmp_path, rows))
    refused(tried, *words, "300", codes=(3, 5))
    values = {r[column] for r in rows} - {""}
    named = [v for v in values if v in tried.text]
    assert len(named) >= min(3, len(values))


def test_c17_coordinates_at_fault_are_never_called_dates(tmp_path: Path) -> None:
    rows = [{**r, "easting": f"{float(r['easting']):,.0f}"} for r in incidents(300)]
    tried = read(write_case(tmp_path, rows))
    assert not says(tried.text, "no row has a usable date")
    if tried.code:
        refused(tried, "all 300 values of", "easting", "comma", "incidents[0].thousands", codes=(3, 5))


def test_c17_a_third_refused_names_column_and_values(tmp_path: Path) -> None:
    rows = incidents(300)
    for i, row in enumerate(rows[:100]):
        row["occurred_on"] = f"unknown {i}"
    refused(
        attempt(write_case(tmp_path, rows)), "occurred_on", "date_unreadable", "100", "unknown 0|unknown 1", codes=(5,)
    )


# C18. The quarantine of a failed attempt.


def failing(folder: Path, number: int = 100, *, value: str = "unknown") -> Path:
    rows = incidents(300)
    for row in rows[:number]:
        row["occurred_on"] = value
    return write_case(folder, rows)


def test_c18_it_is_kept_for_the_owner_alone_and_replaced_by_the_next(tmp_path: Path) -> None:
    kept = tmp_path / "outputs" / ".t.failed"
    assert attempt(failing(tmp_path)).code == 5
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert all(not stat.S_IMODE(p.stat().st_mode) & 0o077 for p in kept.rglob("*"))
    assert attempt(failing(tmp_path, 150, value="soon")).code == 5
    shown = attempt(tmp_path / "my.yaml", "quarantine", "--limit", "1000", "--json").text
    assert says(shown, "soon")
    assert not says(shown, '"unknown')


def test_c18_quarantine_reads_the_latest_attempt_and_says_which(tmp_path: Path) -> None:
    config = failing(tmp_path, 0)
    assert attempt(config).code == 0
    first = sorted((p.name, p.read_bytes()) for p in (tmp_path / "outputs" / "t" / "internal").iterdir())
    assert attempt(failing(tmp_path)).code == 5
    shown = attempt(config, "quarantine")
    assert says(shown.text, "date_unreadable")
    assert says(shown.text, "failed")
    assert not re.search(r"\b0 rows were refused", shown.text)
    # The last good outputs stay whole.
    assert sorted((p.name, p.read_bytes()) for p in (tmp_path / "outputs" / "t" / "internal").iterdir()) == first


def test_c18_after_a_good_run_its_own_refused_rows_are_shown(tmp_path: Path) -> None:
    assert attempt(failing(tmp_path)).code == 5
    assert (tmp_path / "outputs" / ".t.failed").is_dir()
    config = failing(tmp_path, 3)
    assert counted(config).code == 0
    shown = attempt(config, "quarantine", "--json")
    assert says(shown.text, "date_unreadable")
    assert not says(shown.text, "failed")
    assert "A00002" in shown.text
    assert "A00003" not in shown.text


def test_c18_a_run_that_fails_for_want_of_any_usable_row_keeps_its_quarantine_too(tmp_path: Path) -> None:
    config = failing(tmp_path, 300)
    assert attempt(config).code in {3, 5}
    assert says(attempt(config, "quarantine").text, "date_unreadable")


# C19. hotspots check.


def checked(config: Path, *more: str) -> Attempt:
    tried = attempt(config, "check", *more)
    assert tried.code == 0, tried.crash + tried.text[-600:]
    return tried


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Attempt:
    """The check of a sound extract, as JSON."""
    return checked(write_case(tmp_path_factory.mktemp("sound"), incidents(400)), "--json")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("yyyy-mm-dd|%Y-%m-%d|ISO", id="date formats"),
        pytest.param("2024-01", id="months"),
        pytest.param("100 %|100.0|100 per cent", id="shares"),
        pytest.param("528", id="extent"),
    ],
)
def test_c19_check_shows_what_the_rows_hold(sound: Attempt, words: str) -> None:
    assert says(sound.text, words)


def test_c19_check_counts_months_and_names_gaps(tmp_path: Path) -> None:
    write_police(tmp_path / "street", [r for r in police(incidents(400)) if r["Month"] in {"2024-05", "2024-07"}])
    shown = checked(write_case(tmp_path, None, source={**POLICE_SOURCE, "paths": ["street/*-street.csv"]}))
    assert names_month(shown.text, "2024-06")


def test_c19_check_names_areas_without_incidents(tmp_path: Path) -> None:
    rows = [r for r in incidents(400) if r["ward_name"] != "Damson"]
    assert says(checked(write_case(tmp_path, rows)).text, "Damson")


def test_c19_check_reads_as_many_rows_as_told(tmp_path: Path) -> None:
    config = write_case(tmp_path, incidents(400))
    assert says(checked(config, "--rows", "50").text, "first 50|50 rows")
    assert says(checked(config).text, "400 rows|400 of 400|all 400")


def test_c19_check_applies_every_rule(tmp_path: Path) -> None:
    rows = incidents(400)
    for row in rows[:40]:
        row["occurred_on"] = "soon"
    shown = checked(write_case(tmp_path, rows))
    assert says(shown.text, "date_unreadable")
    assert says(shown.text, "10 %|10.0|10 per cent")


def test_c19_check_writes_nothing(tmp_path: Path) -> None:
    config = write_case(tmp_path, incidents(400))
    before = sorted(tmp_path.rglob("*"))
    checked(config)
    assert sorted(tmp_path.rglob("*")) == before


def no_parents(folder: Path) -> Path:
    frame = wards()
    frame.loc[1, "LAD25CD"] = None
    return write_case(folder, incidents(300), boundaries=frame)


def no_prj(folder: Path) -> Path:
    config = write_case(folder, incidents(300), areas__wards__path="wards.shp")
    wards().to_file(folder / "wards.shp")
    (folder / "wards.prj").unlink()
    return config


def in_feet(folder: Path) -> Path:
    return write_case(folder, incidents(300), crs__working="EPSG:2263")


def too_little(folder: Path) -> Path:
    rows = [{**r, "occurred_on": f"2024-01-{1 + i % 28:02d}"} for i, r in enumerate(incidents(20))]
    detect = {"clusters": {"enabled": True, "min_samples": 50}, "scan": {"enabled": True}}
    return write_case(folder, rows, detect=detect, emerging={"enabled": True})


def all_alike(folder: Path) -> Path:
    return write_case(folder, [{**r, "incident_id": "2.4E+11"} for r in incidents(300)])


def cut_eastings(folder: Path) -> Path:
    return write_case(folder, [{**r, "easting": f"{float(r['easting']) - 500_000:.1f}"} for r in incidents(300)])


def metres_without_crs(folder: Path) -> Path:
    config = write_case(folder, incidents(300))
    write_boundaries(folder / "wards.geojson", crs="EPSG:27700")
    return config


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(no_parents, id="missing parents"),
        pytest.param(no_prj, id="a missing .prj"),
        pytest.param(in_feet, id="a working system in feet"),
        pytest.param(too_little, id="too little data"),
        pytest.param(all_alike, id="ids all alike"),
        pytest.param(cut_eastings, id="eastings cut"),
        pytest.param(metres_without_crs, id="metres without a system"),
    ],
)
def test_c19_what_check_calls_sound_then_runs(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    config = write(tmp_path)
    found, ran = attempt(config, "check"), attempt(config)
    assert not found.crash
    assert not ran.crash
    if found.code == 0:
        assert ran.code == 0, f"check found nothing, but: {ran.text[-400:]}"
    else:
        assert found.code in {2, 3, 5}


def test_c19_too_little_data_for_a_method_is_found(tmp_path: Path) -> None:
    shown = checked(too_little(tmp_path))
    assert says(shown.text, "min_samples|too few")
    assert says(shown.text, "emerging")


# C20. Messages that mislead.


def a_gdb(folder: Path) -> Path:
    (folder / "wards.gdb").mkdir(parents=True)
    (folder / "wards.gdb" / "a00000001.gdbtable").write_bytes(b"\0" * 40)
    return write_case(folder, incidents(200), areas__wards__path="wards.gdb")


def incidents_gdb(folder: Path) -> Path:
    (folder / "incidents.gdb").mkdir(parents=True)
    (folder / "incidents.gdb" / "a00000001.gdbtable").write_bytes(b"\0" * 40)
    return write_case(folder, None, source={"paths": ["incidents.gdb"]})


def zipped_shapefile(folder: Path) -> Path:
    config = write_case(folder, incidents(200), areas__wards__path="wards.zip")
    wards().to_file(folder / "wards.shp")
    with zipfile.ZipFile(folder / "wards.zip", "w") as archive:
        for ending in ("shp", "shx", "dbf", "prj"):
            archive.write(folder / f"wards.{ending}", f"wards.{ending}")
    return config


def zipped_geojson(folder: Path) -> Path:
    config = write_case(folder, incidents(200), areas__wards__path="wards.geojson.gz")
    (folder / "wards.geojson.gz").write_bytes(gzip.compress((folder / "wards.geojson").read_bytes()))
    return config


def xlsx_as_csv(folder: Path) -> Path:
    config = write_case(folder, None)
    shutil.copy(FILES / "incidents.xlsx", folder / "incidents.csv")
    return config


def text_as_tab(folder: Path) -> Path:
    config = write_case(folder, None, source={"paths": ["incidents.tab"]})
    write_rows(folder / "incidents.tab", incidents(200), delimiter="\t")
    return config


def exchanged_axes(folder: Path) -> Path:
    config = write_case(folder, incidents(200))
    frame = wards().to_crs("EPSG:4326")
    frame = frame.set_geometry([shapely.transform(g, lambda xy: xy[:, ::-1]) for g in frame.geometry])
    write_boundaries(folder / "wards.geojson", gpd.GeoDataFrame(frame, crs="EPSG:4326"))
    return config


@pytest.mark.parametrize(
    ("write", "words", "never"),
    [
        pytest.param(
            a_gdb,
            ("wards.gdb", "FileGeodatabase|geodatabase", "GeoPackage|GeoJSON"),
            "no file matches",
            id="boundaries .gdb",
        ),
        pytest.param(
            incidents_gdb,
            ("incidents.gdb", "geodatabase", "GeoPackage"),
            "no file matches",
            id=".gdb",
        ),
        pytest.param(
            zipped_shapefile,
            ("wards.zip", "zip", "unpack|unzip"),
            "export it again",
            id="zipped shapefile",
        ),
        pytest.param(
            zipped_geojson,
            ("wards.geojson.gz", "gz|compressed"),
            "export it again",
            id=".geojson.gz",
        ),
        pytest.param(
            xlsx_as_csv,
            ("incidents.csv", "Excel|workbook|xlsx", "rename"),
            "set encoding",
            id="xlsx as .csv",
        ),
        pytest.param(
            text_as_tab,
            ("incidents.tab", "text", "format"),
            "export it again",
            id="text as .tab",
        ),
        pytest.param(
            exchanged_axes,
            ("wards.geojson", "axes|exchanged|swapped|latitude"),
            "usable date",
            id="axes",
        ),
    ],
)
def test_c20_a_message_names_what_the_file_is_and_what_to_do(
    tmp_path: Path, write: Callable[[Path], Path], words: tuple[str, ...], never: str
) -> None:
    tried = read(write(tmp_path))
    if tried.code == 0:
        assert tried.totals() == RIGHT[200]
    else:
        refused(tried, *words, codes=(2, 3))
        assert not says(tried.text, never)


def test_c20_boundaries_have_an_encoding(tmp_path: Path) -> None:
    frame = wards()
    frame.loc[0, "WD25NM"] = "Ålder"
    config = write_case(tmp_path, incidents(200), areas__wards__path="wards.shp", areas__wards__encoding="latin-1")
    frame.to_file(tmp_path / "wards.shp", encoding="ISO-8859-1")
    (tmp_path / "wards.cpg").unlink(missing_ok=True)
    assert "Ålder" in set(pd.read_parquet(counted(config).folder / "work" / "areas.parquet")["name"])


# C21. Crashes.


def span_of(folder: Path, number: int, days: int, **changes: Any) -> Path:
    """Write incidents over consecutive days from 3 January 2024."""
    rows = incidents(number)
    start = np.datetime64("2024-01-03")
    for i, row in enumerate(rows):
        row["occurred_on"] = str(start + np.timedelta64(i * days // number, "D"))
    return write_case(folder, rows, **changes)


EVERYTHING = {
    "detect": {
        "density": {"enabled": True, "bandwidth_m": 300},
        "clusters": {"enabled": True, "eps_m": 150, "min_samples": 5},
        "gistar": {"enabled": True, "permutations": 0},
    },
    "emerging": {"enabled": True},
}


@pytest.mark.parametrize(
    "days",
    [
        pytest.param(5),
        pytest.param(28),
        pytest.param(32),
        60,
        100,
    ],
)
def test_c21_less_than_a_quarter_of_data_runs(tmp_path: Path, days: int) -> None:
    # With 5 days no window is whole, with 32 one month is: their pages are written too.
    tried = (attempt if days in {5, 32} else detected)(span_of(tmp_path, 300, days, **EVERYTHING))
    assert tried.code == 0, tried.crash + tried.text[-500:]
    assert tried.accounting()["incidents"] == 300
    if days == 28:  # a method that cannot run is skipped with a sentence
        assert says(tried.text, "emerging")
        assert says(tried.text, "skipped|too few|needs|cannot")


@pytest.mark.parametrize("method", [pytest.param("scan", id="scan"), pytest.param("knox", id="Knox")])
def test_c21_a_space_time_method_with_one_month_is_skipped_with_a_sentence(tmp_path: Path, method: str) -> None:
    tried = detected(span_of(tmp_path, 300, 28, detect=NO_METHODS | {method: {"enabled": True, "simulations": 19}}))
    assert tried.code == 0, tried.crash + tried.text[-500:]
    assert method == "knox" or says(tried.text, "scan")


def test_c21_one_month_of_months_alone_with_the_scan(tmp_path: Path) -> None:
    rows = police([{**r, "occurred_on": "2024-05-01"} for r in incidents(300)])
    write_rows(tmp_path / "2024-05-northshire-street.csv", rows, POLICE_COLUMNS)
    config = write_case(
        tmp_path, None, source=POLICE_SOURCE, detect=NO_METHODS | {"scan": {"enabled": True, "simulations": 19}}
    )
    tried = detected(config)
    assert tried.code == 0, tried.crash + tried.text[-500:]
    assert tried.total(REGION) == 300


@pytest.mark.parametrize(
    ("crs", "named"),
    [
        pytest.param("EPSG:27700", None, id="none"),
        pytest.param("EPSG:27700", "urn:ogc:def:crs:EPSG::999999", id="an unknown one"),
        pytest.param("EPSG:27700", "local grid", id="no code"),
    ],
)
def test_c21_geojson_in_metres_without_or_with_an_unknown_crs_is_refused(
    tmp_path: Path, crs: str, named: str | None
) -> None:
    config = write_case(tmp_path, incidents(200))
    path = write_boundaries(tmp_path / "wards.geojson", crs=crs)
    if named:
        shapes = json.loads(path.read_text("utf-8"))
        shapes["crs"] = {"type": "name", "properties": {"name": named}}
        path.write_text(json.dumps(shapes), encoding="utf-8")
    refused(attempt(config), "areas.wards.crs", codes=(2, 3))


def test_c21_incidents_as_geojson_in_metres_without_a_crs_are_refused(tmp_path: Path) -> None:
    config = write_case(
        tmp_path, None, source={"paths": ["incidents.geojson"], "crs": None}, columns={"x": None, "y": None}
    )
    shapes = json.loads(points(incidents(200)).to_json())
    shapes.pop("crs", None)
    (tmp_path / "incidents.geojson").write_text(json.dumps(shapes), encoding="utf-8")
    refused(attempt(config), "incidents[0].crs|incidents.crs|incidents.0.crs", codes=(2, 3))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("2.4E+11", id="mangled"),
        pytest.param("1", id="1"),
        pytest.param("unknown", id="a word"),
    ],
)
def test_c21_ids_all_alike_are_refused(tmp_path: Path, value: str) -> None:
    rows = [{**r, "incident_id": value} for r in incidents(300)]
    refused(attempt(write_case(tmp_path, rows)), "incident_id", value, codes=(3, 5))


# C22. Cautions.


def test_c22_no_hotspot_found_says_which_min_samples_would_find_some(tmp_path: Path) -> None:
    detect = NO_METHODS | {"clusters": {"enabled": True, "eps_m": 150, "min_samples": 400}}
    tried = detected(write_case(tmp_path, incidents(400), detect=detect))
    assert tried.code == 0
    # The sentence may name today's 400 as well: the number that helps is the largest one under it.
    after = " ".join(re.findall(r"min_samples(.{0,120})", tried.text))
    named = [int(n) for n in re.findall(r"\b\d+\b", after) if 2 <= int(n) < 400]
    assert named
    again = detected(change(tried.config, detect__clusters__min_samples=max(named)))
    (found,) = (again.folder / "work" / "hotspots").glob("*[0-9].parquet")
    assert len(gpd.read_parquet(found)) > 0


def test_c22_overlapping_areas_are_named(tmp_path: Path) -> None:
    frame = wards()
    shapes = list(frame.geometry)
    shapes[0] = shapes[0].buffer(150, join_style="mitre")
    tried = counted(write_case(tmp_path, incidents(300), boundaries=frame.set_geometry(shapes)))
    assert tried.code == 0
    assert says(tried.text, "overlap")
    assert says(tried.text, "Alder|E05009001")


def test_c22_repaired_polygons_are_named(tmp_path: Path) -> None:
    frame = wards()
    shapes = list(frame.geometry)
    west, south, east, north = shapes[3].bounds
    # A bow tie at one corner: valid in the eyes of nobody, repaired without a change of the counts.
    shapes[3] = shapely.Polygon(
        [
            (west, south),
            (east, south),
            (east, north),
            (west, north),
            (west, south),
            (west - 5, south - 5),
            (west + 5, south - 5),
        ]
    )
    tried = counted(write_case(tmp_path, incidents(300), boundaries=frame.set_geometry(shapes)))
    assert tried.totals() == RIGHT[300]
    assert says(tried.text, "repaired|invalid")
    assert says(tried.text, "Damson|E05009004")


def test_c22_points_that_the_publisher_snapped_are_cautioned_of(tmp_path: Path) -> None:
    write_police(tmp_path / "street", police(incidents(400, span=2)))
    tried = counted(write_case(tmp_path, None, source={**POLICE_SOURCE, "paths": ["street/*-street.csv"]}))
    assert says(tried.text, "snapped|anonymised|map points")
    assert says(tried.text, "border|boundar")


def test_c22_a_few_places_that_hold_everything_are_cautioned_of_too(tmp_path: Path) -> None:
    rows = incidents(400)
    for i, row in enumerate(rows):
        x, y = point(i % 8, row["ward_name"])
        row.update(easting=f"{x:.1f}", northing=f"{y:.1f}")
    tried = counted(write_case(tmp_path, rows))
    assert tried.total(NORTHBY) == 280
    assert says(tried.text, "snapped|repeat|same place|few places")
