"""The command line: exit codes, one-paragraph errors, help with an example, JSON for programs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.config.templates import TEMPLATES, template_text
from tests.kit.city import write_city
from tests.kit.command_line import hotspots, refused

pytestmark = pytest.mark.slow

COMMANDS = ("run", "check", "stages", "quarantine", "init", "sample", "backtest", "doctor")


def test_the_module_is_the_program(tmp_path: Path) -> None:
    """`python -m pipeline` prints and ends as the other tests here see it in their own process."""
    for words in (("sample", "--help"), ("run",)):
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *words], cwd=tmp_path, capture_output=True, text=True, check=False,
            timeout=120, env=os.environ | {"COLUMNS": "200", "TERM": "dumb"},
        )  # fmt: skip
        here = hotspots(*words, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (here.returncode, here.stderr)
        # The one is named `python -m pipeline`, the other `hotspots`.
        assert done.stdout.replace("python -m pipeline", "hotspots") == here.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_in_an_example(command: str, tmp_path: Path) -> None:
    done = hotspots(command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert f"Example: hotspots {command}" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"hotspots {command}" in (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def test_bench_says_where_the_benchmark_is(tmp_path: Path) -> None:
    assert "python -m tests.benchmarks" in refused("bench", "--rows", "10", cwd=tmp_path, code=2)
    assert "bench" not in hotspots("--help", cwd=tmp_path).stdout


def test_commands_are_listed_in_the_order_of_use(tmp_path: Path) -> None:
    listed = hotspots("--help", cwd=tmp_path).stdout.split("Commands:")[1].splitlines()
    names = [line.split()[0] for line in listed if line.startswith("  ") and not line.startswith("   ")]
    assert names == [
        "init", "fetch", "check", "run", "stages", "quarantine", "backtest", "ledger", "sample", "doctor",
    ]  # fmt: skip


def test_help_is_light() -> None:
    heavy = "{'pandas', 'numpy', 'geopandas', 'duckdb', 'pydantic', 'httpx', 'filelock'}"
    code = f"import sys, pipeline.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", TEMPLATES)
def test_init_writes_a_template_and_never_over_a_file(name: str, tmp_path: Path) -> None:
    assert hotspots("init", name, cwd=tmp_path).returncode == 0
    assert (tmp_path / "config.yaml").read_text("utf-8") == template_text(name)
    assert "--force" in refused("init", name, cwd=tmp_path, code=2)
    assert hotspots("init", name, "--force", cwd=tmp_path).returncode == 0


def test_an_unknown_template_names_the_nearest(tmp_path: Path) -> None:
    assert 'did you mean "extract"' in refused("init", "extrct", cwd=tmp_path, code=2)


def test_missing_configuration(tmp_path: Path) -> None:
    assert "hotspots init" in refused("run", cwd=tmp_path, code=2)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("run.nmae", "x", 'run.nmae: unknown key (did you mean "name"?)'),
        ("crs.working", "EPSG:4326", "metres"),
        ("areas.wards.path", "nowhere.gpkg", "nowhere.gpkg"),
        ("profiles.1.threshold", 3, "threshold_reason"),
        ("areas.wards.code", "cod", "cod"),
    ],
)
def test_wrong_settings(key: str, value: object, words: str, tmp_path: Path) -> None:
    config = write_city(tmp_path)
    settings = yaml.safe_load(config.read_text("utf-8"))
    *path, last = key.split(".")
    at = settings
    for part in path:
        at = at[int(part)] if part.isdigit() else at[part]
    at[last] = value
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    done = hotspots("run", cwd=tmp_path)
    assert done.returncode in {2, 3}
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def ran(city_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder of one run of the city that commands may write to, and what the run printed."""
    folder = tmp_path_factory.mktemp("ran")
    shutil.copytree(city_run, folder, dirs_exist_ok=True)
    return folder, (folder / "said.txt").read_text("utf-8")


def test_errors_keep_the_last_outputs(ran: tuple[Path, str], tmp_path: Path) -> None:
    here = tmp_path / "here"
    shutil.copytree(ran[0], here)
    before = {p: p.read_bytes() for p in (here / "outputs").rglob("*") if p.is_file()}
    (here / "incidents.csv").write_text("id,date\n1,2024-01-01\n", encoding="utf-8")
    assert hotspots("run", cwd=here).returncode != 0
    after = {p: p.read_bytes() for p in (here / "outputs").rglob("*") if p.is_file()}
    # Beside them stands what is kept of the attempt that failed (`stages.runner.latest_attempt`).
    assert {
        p: content for p, content in after.items() if not p.is_relative_to(here / "outputs" / ".city.failed")
    } == before


def test_run_says_what_it_wrote_and_where(ran: tuple[Path, str]) -> None:
    folder, said = ran
    for words in ("outputs/city/internal", "outputs/city/public", "outputs/city/index.html", "58"):
        assert words in said
    again = hotspots("run", cwd=folder).stdout
    assert "Everything is fresh" in again
    answer = json.loads(hotspots("run", "--json", cwd=folder).stdout)
    assert answer["fresh"] == ["ingest", "aggregate", "detect", "release", "publish"]


def test_check_stages_and_quarantine_before_any_run(tmp_path: Path) -> None:
    write_city(tmp_path)
    assert "incidents.csv" in hotspots("check", cwd=tmp_path).stdout
    assert all(not s["fresh"] for s in json.loads(hotspots("stages", "--json", cwd=tmp_path).stdout))
    assert "hotspots run" in refused("quarantine", cwd=tmp_path, code=3)


def test_stages_and_quarantine_after_a_run(ran: tuple[Path, str]) -> None:
    folder, _ = ran
    assert all(s["fresh"] for s in json.loads(hotspots("stages", "--json", cwd=folder).stdout))
    found = json.loads(hotspots("quarantine", "--json", cwd=folder).stdout)
    assert found["attempt"]["outcome"] == "complete"
    rows = found["rows"]
    assert found["refused"] == {r["rule"]: 1 for r in rows}
    assert {r["rule"] for r in rows} == {"date_future"}
    assert all(r["reason"] and r["source_row"] > 0 for r in rows)


def test_only_needs_what_comes_before(tmp_path: Path) -> None:
    write_city(tmp_path)
    assert "stale" in refused("run", "--only", "publish", cwd=tmp_path, code=2)
    assert "there is no stage" in refused("run", "--from", "publsh", cwd=tmp_path, code=2)


def test_sample_is_seeded(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        assert hotspots("sample", "--out", name, "--rows", "200", "--seed", "5", cwd=tmp_path).returncode == 0
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert hotspots("sample", "--out", "x.csv", "--rows", "0", cwd=tmp_path).returncode == 2
