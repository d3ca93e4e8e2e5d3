"""The benchmark itself, on few rows: that it measures all three sides and says so, never how long they take."""

import csv
import json
from pathlib import Path

import pytest

from pipeline.errors import ConfigError, InputError
from tests.benchmarks.command import bench
from tests.benchmarks.making import write_incidents
from tests.benchmarks.measuring import Limits, Measured, measure
from tests.benchmarks.national import Country, write_country, write_months
from tests.benchmarks.report import as_summary, as_table, ratios, strong_price
from tests.benchmarks.trial import Trial

pytestmark = pytest.mark.slow

AREAS = Path(__file__).parents[2] / "data" / "sample"


@pytest.mark.parametrize(("variant", "most", "least"), [("distinct", 5_000, 4_990), ("snapped", 4_990, 1_000)])
def test_incidents_are_synthetic_rows_of_twelve_months(tmp_path: Path, variant: str, most: int, least: int) -> None:
    (whole,) = write_incidents(tmp_path / "a.csv", rows=5_000, variant=variant, areas=AREAS)
    rows = list(csv.DictReader(whole.read_text("utf-8").splitlines()))
    assert len(rows) == 5_000
    assert len({r["id"] for r in rows}) == 5_000
    assert {r["date"][:7] for r in rows} == {f"2024-{m:02d}" for m in range(8, 13)} | {
        f"2025-{m:02d}" for m in range(1, 8)
    }
    assert least <= len({(r["easting"], r["northing"]) for r in rows}) <= most
    again = write_incidents(tmp_path / "b.csv", rows=5_000, variant=variant, areas=AREAS, files=3)
    split = [line for p in again for line in p.read_text("utf-8").splitlines()[1:]]
    assert split == whole.read_text("utf-8").splitlines()[1:]


def test_all_three_sides_are_measured_step_by_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.json"
    bench(rows=[3_000], variants=["snapped"], areas=AREAS, folder=tmp_path / "work", out=out, density_seconds=0.05)
    (trial,) = json.loads(out.read_text("utf-8"))
    ours = {m["step"]: m for m in trial["product"]}
    theirs = {m["step"]: m for m in trial["baseline"]}
    methods = [f"method {name}" for name in ("cells", "concentration", "density", "hotspots", "hours", "seasons")]
    assert list(ours) == ["start", "ingest", "aggregate", "detect", "release", "publish", "audit", *methods, "rerun"]
    density = ["density, compact kernel", "density"]
    assert list(theirs) == ["start", "read", "wards and boroughs", "map", *density, "clusters"]
    anchor = {m["step"]: m for m in trial["strong"]}
    assert list(anchor) == ["start", "read", "wards and boroughs", "density", "clusters", "map"]
    assert not any(m["fate"] for m in anchor.values())
    assert all(m["cpu_seconds"] > 0 for m in (*theirs.values(), *anchor.values()))
    assert trial["strong_price"]["times the strong script"] > 0
    assert 0 < theirs["density"]["share"] < 1
    assert theirs["density"]["fate"].startswith("extrapolated from")
    assert trial["ratios"]["end to end"] > 0
    shown = capsys.readouterr().out
    assert "times as fast as the plain script (CPU)" in shown
    assert "beside the strong script" in shown
    assert not (tmp_path / "work" / "snapped-3000").exists()


def test_a_process_over_its_limit_is_a_result_and_not_a_crash(tmp_path: Path) -> None:
    found = measure(
        "tests.benchmarks.baseline", ["nothing.csv", "x", "y", "9", "1"], log=tmp_path / "l", limits=Limits()
    )
    assert found[-1].step == "read"
    assert found[-1].fate.startswith("died: FileNotFoundError")
    limits = Limits(seconds=0.01)
    slow = measure("tests.benchmarks.baseline", ["n", "x", "y", "9", "1"], log=tmp_path / "m", limits=limits)
    assert slow[-1].fate == "not finished in 0 s"


def test_ratios_leave_out_what_the_script_did_not_survive() -> None:
    spent = {"start": 1, "ingest": 2, "aggregate": 2, "detect": 3, "release": 5, "publish": 1, "audit": 4}
    ours = [Measured(step, 1, cpu, 10) for step, cpu in spent.items()]
    theirs = [
        Measured("start", 2, 2, 10),
        Measured("read", 8, 8, 10),
        Measured("wards and boroughs", 12, 12, 10),
        Measured("density", 400, 400, 10, share=0.01, fate="extrapolated from 1 % of the cells"),
        Measured("density, compact kernel", 20, 20, 10),
        Measured("clusters", 90, 0, 10, fate="died: MemoryError"),
        Measured("map", 3, 3, 10),
    ]
    trial = Trial(10_000, "snapped", "local", 1, 10**6, tuple(ours), tuple(theirs), {"cores": 2})
    assert ratios(trial) == {
        "start-up": 2.0,
        "read, place, count": 5.0,
        "density and clusters": 100.0,
        "maps and files": 3.0,
        "end to end": 42.5,
        "end to end, density, compact kernel": 4.5,
    }
    assert strong_price(trial) == {}
    assert "died: MemoryError" in as_table([trial])
    (line,) = as_summary([trial]).splitlines()[1:]
    assert line.split()[:9] == ["10,000", "snapped", "14.0", "1400.0", "6.0", "0.01", "425.0", "42.5", "4.5"]
    assert line.endswith("clusters (died: MemoryError)")


def test_what_the_strong_script_leaves_out_is_priced() -> None:
    spent = {"start": 1, "ingest": 2, "aggregate": 2, "detect": 5, "release": 6, "publish": 4, "audit": 1, "rerun": 9}
    spent |= {"method hotspots": 2, "method hours": 3}
    ours = tuple(Measured(step, 1, cpu, 10) for step, cpu in spent.items())
    anchor = (Measured("start", 1, 1, 10), Measured("clusters", 3, 3, 10))
    trial = Trial(10_000, "snapped", "local", 1, 10**6, ours, (), {"cores": 2}, anchor)
    assert strong_price(trial) == {
        "strong script, CPU s": 4,
        "times the strong script": 5.0,  # 20 of 4: methods and the audit are inside their stages
        "protection, rates and change for two audiences, CPU s": 6,
        "other methods of detection, CPU s": 3,
        "times without these": 2.75,
    }
    assert as_summary([trial]).splitlines()[1].split() == ["10,000", "snapped", "20.0", "2000.0", "6.0", "0.01", "4.0"]


def test_a_made_up_country_is_the_same_each_time(tmp_path: Path) -> None:
    small = Country(columns=10, rows=5, points=300)
    write_country(tmp_path / "areas", small)
    wards = json.loads((tmp_path / "areas" / "wards.geojson").read_text("utf-8"))["features"]
    assert len(wards) == 50
    assert len({ward["properties"]["parent_code"] for ward in wards}) == 2
    files = write_months(tmp_path / "a", small, rows=1_000, months=4)
    assert [file.stem for file in files] == ["2010-08", "2010-09", "2010-10", "2010-11"]
    again = write_months(tmp_path / "b", small, rows=1_000, months=4)
    assert [file.read_bytes() for file in files] == [file.read_bytes() for file in again]
    rows = [row for file in files for row in csv.DictReader(file.read_text("utf-8").splitlines())]
    assert len({row["id"] for row in rows}) == 1_000
    assert {row["date"][:7] for row in rows} == {file.stem for file in files}
    assert 200 < len({(row["easting"], row["northing"]) for row in rows}) <= 300


def test_a_script_that_dies_at_once_is_compared_by_what_it_did() -> None:
    ours = tuple(Measured(step, 1, cpu, 10) for step, cpu in {"start": 1, "ingest": 2, "detect": 3}.items())
    theirs = (Measured("start", 2, 2, 10), Measured("read", 9, 0, 0, fate="died: MemoryError"))
    trial = Trial(10, "snapped", "local", 1, 10**6, ours, theirs, {"cores": 2})
    assert ratios(trial)["start-up"] == 2.0
    assert ratios(trial)["read, place, count"] is ratios(trial)["end to end"] is None


def test_a_wrong_variant_or_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no variant spread: choose from distinct, snapped"):
        bench(rows=[1], variants=["spread"], areas=AREAS, folder=tmp_path)
    with pytest.raises(InputError, match=r"wards\.geojson is missing"):
        bench(rows=[1], variants=["snapped"], areas=tmp_path, folder=tmp_path)
