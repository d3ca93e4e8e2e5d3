"""Data on which a method cannot work: the run goes on without the method and says why."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit.cases import Attempt, Row, attempt, incidents, says, wards, write_case

pytestmark = pytest.mark.slow  # each tries whole runs

EVERYTHING: dict[str, Any] = {
    "density": {"enabled": True, "bandwidth_m": "auto", "risk": {"against": "population"}},
    "clusters": {"enabled": True, "eps_m": "auto", "min_samples": 5, "simulations": 19, "resamples": 5},
    "gistar": {"enabled": True, "permutations": 99, "grid": "square"},
    "scan": {"enabled": True, "simulations": 19},
    "knox": {"enabled": True, "simulations": 19},
}


def tried(folder: Path, rows: list[Row], detect: dict[str, Any] | None = None, **changes: Any) -> Attempt:
    config = write_case(folder, rows, detect=detect or EVERYTHING, emerging={"enabled": True}, **changes)
    return attempt(config)


def at_one_place(row: Row) -> Row:
    return {**row, "easting": "528700.0", "northing": "182200.0"}


def on_one_day(row: Row) -> Row:
    return {**row, "occurred_on": "2025-03-03"}


@pytest.mark.parametrize(
    ("rows", "change_row"),
    [
        pytest.param(1, dict, id="one incident"),
        pytest.param(2, dict, id="two"),
        pytest.param(5, dict, id="five"),
        pytest.param(200, at_one_place, id="all at one place"),
        pytest.param(60, on_one_day, id="all on one day"),
        pytest.param(3, lambda row: on_one_day(at_one_place(row)), id="three at one place on one day"),
    ],
)
def test_every_method_on_little_data(tmp_path: Path, rows: int, change_row: Callable[[Row], Row]) -> None:
    done = tried(tmp_path, [change_row(row) for row in incidents(rows, span=25)])
    assert done.code == 0, done.crash + done.text[-500:]


@pytest.mark.parametrize("method", ["dbscan", "hdbscan", "optics"])
@pytest.mark.parametrize("rows", [1, 4])
def test_every_clustering_on_few_points(tmp_path: Path, method: str, rows: int) -> None:
    clusters = {"enabled": True, "method": method, "eps_m": 150, "min_samples": 5}
    config = write_case(tmp_path, incidents(rows), detect={"clusters": clusters}, emerging={"enabled": True})
    done = attempt(config, "run", *(f"--only={stage}" for stage in ("ingest", "aggregate", "detect")))
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
    done = tried(tmp_path, many, detect={"knox": {"enabled": True, "simulations": 19}})
    assert done.code == 0, done.crash + done.text[-500:]
    assert says(done.text, "near repeats of all categories together, because 21,935,376 pairs lie within")
    assert says(done.front_door, "near repeats of all categories together, because")
