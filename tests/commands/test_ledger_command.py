"""`hotspots ledger`: listed for people and programs, and closed with a reason."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.kit.city import LIGHT, write_city
from tests.kit.command_line import hotspots, refused

pytestmark = pytest.mark.slow


def listed(folder: Path) -> list[dict[str, Any]]:
    return list(json.loads(hotspots("ledger", "list", "--json", cwd=folder).stdout))


@pytest.fixture(scope="module")
def city(city_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the city's run: with its outputs, and the ledger beside them."""
    folder = tmp_path_factory.mktemp("city")
    shutil.copytree(city_run, folder, dirs_exist_ok=True)
    return folder


def test_before_a_run_there_is_none(tmp_path: Path) -> None:
    write_city(tmp_path)
    assert "no ledger" in hotspots("ledger", "list", cwd=tmp_path).stdout


def test_releases_are_listed(city: Path) -> None:
    (ledger,) = listed(city)
    assert (ledger["name"], ledger["used"]) == ("city", True)
    assert [Path(f).parent for f in ledger["folders"]] == [city / "outputs" / ".ledger"]  # synthetic: no second place
    assert ledger["releases"][0] == {
        "version": 2, "run": "city", "profile": "public", "audience": "public", "headline": "2024-01..2024-12",
        "data_to": 202412,
    }  # fmt: skip
    said = hotspots("ledger", "list", cwd=city).stdout
    assert "city" in said
    assert "2024-01..2024-12" in said


@pytest.mark.parametrize("command", ["list", "forget"])
def test_help_ends_in_an_example(city: Path, command: str) -> None:
    assert f"Example: hotspots ledger {command}" in hotspots("ledger", command, "--help", cwd=city).stdout


def test_forgetting_needs_a_reason_and_a_ledger(city: Path) -> None:
    assert "--reason" in refused("ledger", "forget", cwd=city, code=2)
    assert "there is no such ledger" in refused("ledger", "forget", "other", "--reason", "x", cwd=city, code=3)
    assert len(listed(city)[0]["releases"]) == 1


def test_the_next_release_says_that_earlier_ones_are_unknown(city: Path, tmp_path: Path) -> None:
    shutil.copytree(city, tmp_path, dirs_exist_ok=True)
    public = {"name": "public", "audience": "public", "threshold": 10, "borough_period": "fixed"}
    write_city(tmp_path, **LIGHT, profiles=[public])  # of the same data, what is looked at below
    said = hotspots("ledger", "forget", "--reason", "nothing was handed over", cwd=tmp_path)
    assert said.returncode == 0
    assert "--from release" in said.stdout
    assert listed(tmp_path)[0]["releases"][-1] == {"closed": "nothing was handed over"}
    assert hotspots("run", "--from", "release", cwd=tmp_path).returncode == 0
    record = json.loads((tmp_path / "outputs/city/public/release.json").read_text("utf-8"))
    assert record["earlier_releases"] == "unknown"
    assert "handed over" not in json.dumps(record)  # that there is a reason, not what it is
    assert "Earlier releases are unknown" in (tmp_path / "outputs/city/public/protection.html").read_text("utf-8")
    assert [sorted(r)[:1] for r in listed(tmp_path)[0]["releases"]] == [["audience"], ["closed"], ["audience"]]


def test_reissue_and_reason_go_together(city: Path) -> None:
    assert "go together" in refused("run", "--reissue", "public", cwd=city, code=2)
    assert "go together" in refused("run", "--reason", "late records", cwd=city, code=2)
