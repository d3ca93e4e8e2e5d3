"""The doctor: sound where all is well, and right about each thing that is not."""

import importlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

from pipeline.commands import doctor as computer
from pipeline.commands import doctor as libraries
from pipeline.commands import doctor as package
from pipeline.commands.doctor import Finding, Situation, State, examine
from tests.kit.city import write_city

ROOT = Path(__file__).parents[2]


def found(findings: object, name: str) -> Finding:
    (one,) = [f for f in findings if f.name == name]  # type: ignore[attr-defined]
    return one


@pytest.fixture(scope="module")
def all_is_well(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finding, ...]:
    return examine(Situation(tmp_path_factory.mktemp("desk") / "outputs"))


@pytest.mark.slow
def test_nothing_is_broken_here(all_is_well: tuple[Finding, ...]) -> None:
    assert [f for f in all_is_well if f.state == State.BROKEN] == []
    assert all(f.advice for f in all_is_well if f.state != State.OK and f.name != "Ordnance Survey's test point")


@pytest.mark.slow
def test_every_requirement_is_looked_at(all_is_well: tuple[Finding, ...]) -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {line.split(">")[0] for line in project["dependencies"]}
    assert {f.name for f in all_is_well if f.about == "packages"} == names


@pytest.mark.slow
def test_it_leaves_nothing_behind(tmp_path: Path) -> None:
    examine(Situation(tmp_path / "a" / "outputs"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_test_point_of_the_ordnance_survey(all_is_well: tuple[Finding, ...]) -> None:
    # With OSTN15 the guide's own answer, to the millimetre. Without it a seven-parameter transformation, which another
    # library (PHPCoord) puts at 651411.218, 313180.597: 3.450 m from the guide's 651409.804, 313177.450.
    by_seven = ((651411.218 - 651409.804) ** 2 + (313180.597 - 313177.450) ** 2) ** 0.5
    point, road = found(all_is_well, "Ordnance Survey's test point"), found(all_is_well, "lon/lat to EPSG:27700")
    metres = float(point.found.split()[0])
    assert metres == pytest.approx(0 if road.state == State.OK else by_seven, abs=0.01)
    assert road.state == State.OK or (
        "OSTN15" in road.found and "accuracy 2 m" in road.found and "projsync" in road.advice
    )


def test_the_database_is_confined(all_is_well: tuple[Finding, ...]) -> None:
    rows = {f.name: f.found for f in all_is_well if f.about == "database"}
    assert "lock configuration True" in rows.pop("DuckDB")
    assert set(rows.values()) == {"refused, as it should be"}


def test_a_door_left_open_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    from pipeline.storage import duckdb as sql

    monkeypatch.setattr(sql, "connect", lambda **_how: duckdb.connect(":memory:"))
    rows = {f.name: f.state for f in libraries.database(Situation())}
    assert rows["reading other folders"] == State.BROKEN
    assert rows["changing its settings"] == State.BROKEN


def test_versions_beside_those_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version
    other = {"shapely": "2.1.99", "numpy": "1.26.0"}
    monkeypatch.setattr(importlib.metadata, "version", lambda name: other.get(name) or real(name))
    rows = list(libraries.packages(Situation()))
    assert (found(rows, "shapely").state, found(rows, "numpy").state) == (State.NOTE, State.BROKEN)
    assert "tested with" in found(rows, "shapely").advice
    assert found(rows, "numpy").advice == "needs >=2.1"


def test_a_package_that_is_missing_or_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    real_version, real_import = importlib.metadata.version, importlib.import_module

    def version(name: str) -> str:
        if name == "folium":
            raise importlib.metadata.PackageNotFoundError(name)
        return real_version(name)

    def load(name: str) -> types.ModuleType:
        if name == "sklearn":
            raise ImportError("libgomp.so.1: cannot open shared object file")
        return real_import(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib, "import_module", load)
    rows = list(libraries.packages(Situation()))
    assert found(rows, "folium") == Finding(
        "packages", "folium", State.BROKEN, "not installed", "pip install 'folium<0.21,>=0.20'"
    )
    assert "libgomp" in found(rows, "scikit-learn").found
    assert sum(f.state == State.BROKEN for f in rows) == 2


@pytest.mark.parametrize("working", ["EPSG:4326", "EPSG:3857", "nonsense"])
def test_a_system_that_cannot_carry_distances(working: str) -> None:
    row = found(libraries.geography(Situation(working=working)), working)
    assert row.state == State.BROKEN
    assert "crs.working" in row.found


def test_drivers_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyogrio

    monkeypatch.setattr(pyogrio, "list_drivers", lambda: {"GPKG": "rw", "GeoJSON": "rw"})
    row = found(libraries.geography(Situation()), "GDAL")
    assert row.state == State.BROKEN
    assert "ESRI Shapefile, MapInfo File" in row.advice


@pytest.mark.parametrize(("free", "state"), [(10**7, State.BROKEN), (10**9, State.NOTE), (10**11, State.OK)])
def test_room_on_the_disk(free: int, state: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _p: usage._replace(free=free))
    assert found(computer.computer(Situation(tmp_path)), "disk").state == state


def test_memory_beside_what_is_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(computer, "_memory_mb", lambda: (2000.0, 1000.0))
    row = found(computer.computer(Situation(tmp_path, memory_limit_mb=4000)), "memory")
    assert (row.state, row.found) == (State.NOTE, "2,000 MB, 1,000 free")
    assert row.advice == "run.memory_limit_mb is 4000: lower it to 700"
    assert found(computer.computer(Situation(tmp_path, memory_limit_mb=900)), "memory").state == State.OK
    monkeypatch.setattr(computer, "_memory_mb", lambda: (None, None))
    assert found(computer.computer(Situation(tmp_path)), "memory").state == State.NOTE


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's own figures are on Linux")
def test_memory_is_the_kernels_or_the_containers() -> None:
    total, free = computer._memory_mb()
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20
    assert total is not None
    assert free is not None
    assert 0 < free <= total <= pages * 1.001


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    (row,) = computer.folder(Situation(tmp_path / "outputs"))
    assert row.state == State.BROKEN
    assert "Permission denied" in row.found
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="umask is POSIX")
@pytest.mark.parametrize(
    ("mask", "state", "who"),
    [(0o022, State.NOTE, "everybody"), (0o027, State.NOTE, "your group"), (0o077, State.OK, "only you")],
)
def test_who_can_read_the_outputs(mask: int, state: str, who: str, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        row = found(computer.folder(Situation(tmp_path)), "privacy")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert row.state == state
    assert who in row.found


@pytest.mark.slow
def test_the_salt_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOTSPOTS_SALT", "very-secret-indeed")
    rows = examine(Situation(tmp_path))
    assert "not shown" in found(rows, "salt of victim references").found
    assert "very-secret-indeed" not in repr(rows)


def test_a_check_that_falls_over_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def falls(_situation: Situation) -> object:
        raise RuntimeError("no /proc here\nsecond line")

    monkeypatch.setattr(package, "_CHECKS", (("computer", falls), ("text", computer.text)))
    rows = examine(Situation(tmp_path))
    assert (rows[0].state, rows[0].found) == (State.BROKEN, "RuntimeError: no /proc here")
    assert rows[-1].about == "text"


def test_the_exit_code_and_the_answer_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "_CHECKS", (("text", computer.text),))
    config = write_city(tmp_path)
    assert package.doctor(config, as_json=True) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["sound"] is True
    assert answer["findings"][0] == {
        "about": "configuration", "name": str(config), "state": "ok", "found": "run city, EPSG:27700", "advice": "",
    }  # fmt: skip
    config.write_text("run: {nmae: x}", encoding="utf-8")
    assert package.doctor(config, as_json=True) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["sound"], answer["findings"][0]["state"]) == (False, "broken")
    assert 'did you mean "name"' in answer["findings"][0]["found"]
    assert package.doctor(tmp_path / "none.yaml", as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["findings"][0]["state"] == "note"


def test_the_table_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(_situation: Situation) -> object:
        yield Finding("geography", "GDAL", State.BROKEN, "3.0 [old]", "install it again")

    monkeypatch.setattr(package, "_CHECKS", (("geography", rows),))
    assert package.doctor(write_city(tmp_path), as_json=False) == 1
    said = capsys.readouterr().out
    for words in ("3.0 [old]", "install it again", "1 broken: see above."):
        assert words in said


def test_importing_the_doctor_loads_nothing_heavy() -> None:
    heavy = "{'pandas', 'numpy', 'geopandas', 'duckdb', 'pyproj', 'pydantic'}"
    code = f"import sys, pipeline.commands.doctor; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
