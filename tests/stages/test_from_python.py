"""Runs from Python: the same as the command line's, with errors as exceptions and nothing printed."""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import yaml

import pipeline
from pipeline import Config, RunResult, check, run
from pipeline.errors import ConfigError, HotspotsError, InputError
from pipeline.publish.map import HotspotMap
from tests.kit.city import LIGHT, write_city

ROOT = Path(__file__).parents[2]
Ran = tuple[RunResult, list[tuple[str, int, int]], Path]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    config = write_city(tmp_path_factory.mktemp("city"), **LIGHT)
    steps: list[tuple[str, int, int]] = []
    result = run(str(config), progress=lambda label, done, total: steps.append((label, done, total)))
    return result, steps, config


pytestmark = pytest.mark.slow


def test_the_result_is_what_the_manifest_says(ran: Ran) -> None:
    result, steps, _ = ran
    manifest = json.loads((result.folder / "manifest.json").read_text("utf-8"))
    assert result.ran == ("ingest", "aggregate", "detect", "release", "publish")
    assert result.fresh == ()
    assert result.figures == {name: stage["counters"] for name, stage in manifest["stages"].items()}
    assert set(result.cautions) == {c for s in manifest["stages"].values() for c in s["cautions"] + s["first_cautions"]}
    assert all(result.path(profile).is_dir() for profile in result.profiles)
    assert {label for label, _, _ in steps} >= {"reading incidents", "releasing", "publishing"}
    assert all(0 <= done <= total for _, done, total in steps)


def test_tables_are_those_of_the_files(ran: Ran) -> None:
    result, *_ = ran
    for profile in result.profiles:
        frames = result.tables(profile)
        written = pd.read_csv(result.path(profile) / "area_counts.csv")
        held = frames["area_counts"]
        assert held.columns.tolist() == written.columns.tolist()
        for name in ("incidents_lower", "incidents_upper", "rate_per_10000"):
            left, right = held[name].astype("float64").to_numpy(), written[name].astype("float64").to_numpy()
            np.testing.assert_allclose(left, right, rtol=1e-9)
        assert held["area_code"].tolist() == written["area_code"].astype(str).tolist()
        wards = gpd.read_file(result.path(profile) / "wards.geojson")
        assert frames["wards"].crs.to_epsg() == 27700
        assert sorted(frames["wards"]["area_code"]) == sorted(wards["area_code"])


def test_the_map_is_that_of_the_profile(ran: Ran) -> None:
    result, *_ = ran
    drawn = result.map(result.profiles[-1])
    assert isinstance(drawn, HotspotMap)
    with pytest.raises(InputError, match='no profile "press"'):
        result.map("press")
    with pytest.raises(InputError, match='no profile "press"'):
        result.tables("press")


def test_again_with_settings_from_a_mapping_and_nothing_printed(ran: Ran, capfd: pytest.CaptureFixture[str]) -> None:
    _, _, path = ran
    settings = yaml.safe_load(path.read_text("utf-8"))
    config = Config.from_settings(settings, folder=path.parent)
    assert config == Config.from_file(path)
    checked = check(config)
    assert checked.stages == ()
    assert {file.name for file in checked.files} == {"wards.gpkg", "people.csv", "incidents.csv"}
    assert checked.sources[0]["rows_read"] > 0
    again = run(config)
    assert (again.ran, len(again.fresh)) == ((), 5)
    assert capfd.readouterr() == ("", "")


def test_the_lines_of_the_readme(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    result, _, path = ran
    monkeypatch.chdir(path.parent)
    text = (ROOT / "README.md").read_text("utf-8")
    (block,) = [b for b in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "import Config" in b]
    found: dict[str, Any] = {}
    exec(block.replace('"public"', repr(result.profiles[-1])), found)  # noqa: S102 - the README's own lines
    assert found["result"].folder == result.folder
    assert len(found["counts"])
    assert len(found["wards"])


def test_errors_are_those_of_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml does not exist"):
        run(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"areas\.wrads: unknown key"):
        Config.from_settings({"areas": {"wrads": {}}})
    path = write_city(tmp_path, **{"incidents.0.paths": ["away.csv"]})
    with pytest.raises(InputError, match=r"away\.csv"):
        check(path)
    with pytest.raises(InputError, match=r"away\.csv"):
        run(path)
    assert not (tmp_path / "outputs").exists() or not list((tmp_path / "outputs").glob("*/index.html"))


def test_rows_that_stop_a_run_stop_its_check(tmp_path: Path) -> None:
    path = write_city(tmp_path)
    rows = (tmp_path / "incidents.csv").read_text("utf-8").splitlines()
    (tmp_path / "incidents.csv").write_text("\n".join([rows[0], *[",".join("x" for _ in rows[0].split(","))] * 9]))
    with pytest.raises(HotspotsError) as caught:
        check(path)
    with pytest.raises(type(caught.value)):
        run(path)


def test_importing_it_is_light_and_logs_nowhere() -> None:
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("pipeline").handlers)
    code = "import sys, pipeline; print(sorted({'pandas', 'geopandas', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = pipeline.nothing_like_it
