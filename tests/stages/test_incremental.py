"""What a second run does again, and what it takes over: seen in the manifest's counters, never by a clock.

`tests/release/test_monthly_runs.py` holds runs over random changes against full ones.
"""

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import EngineError, InputError
from pipeline.ingest.area_lookup import load_index
from pipeline.stages.runner import Outcome, run
from tests.kit.city import COUNTS, HEADER, X0, Y0, city_rows, write_city
from tests.kit.faults import whole
from tests.kit.growing import outputs_of

pytestmark = pytest.mark.slow


def quiet(_label: str, _done: int, _total: int) -> None:
    """Report nothing."""


def month_of(row: str) -> str:
    return row.split(",")[1][:7]


def write_months(folder: Path, months: list[str]) -> None:
    for month in months:
        rows = [row for row in city_rows() if month_of(row) == month]
        (folder / f"extract-{month}.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")


def counters(manifest: dict[str, Any]) -> dict[str, Any]:
    """Counters of the stages that read and count."""
    keys = ("files_read", "files_taken_over", "parts_counted", "parts_taken_over", "boundaries_taken_over")
    found = manifest["stages"]["ingest"]["counters"] | manifest["stages"]["aggregate"]["counters"]
    return {key: found[key] for key in keys}


MONTHS = [f"2024-{m:02d}" for m in range(1, 9)]


def read_and_count(config: Path) -> Outcome:
    """Bring the first two stages up to date: the others are not looked at in most of these tests."""
    return run(config, progress=quiet, only=("ingest", "aggregate"))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("months")
    changes = {"incidents.0.paths": ["extract-*.csv"], "periods.last_complete_date": "2024-08-31"}
    made = write_city(folder, **COUNTS | changes)
    write_months(folder, MONTHS[:-1])
    run(made, progress=quiet)
    return made


def test_an_appended_month_is_the_only_one_read_and_counted(config: Path, tmp_path: Path) -> None:
    write_months(config.parent, MONTHS[-1:])
    outcome = run(config, progress=quiet)
    assert counters(outcome.manifest) == {
        "files_read": 1,
        "files_taken_over": 7,
        "parts_counted": 1,
        "parts_taken_over": 7,
        "boundaries_taken_over": True,
    }
    # What was taken over and what is made in one go are the same, byte for byte.
    for file in config.parent.glob("*.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / ".salt").write_bytes((config.parent / "outputs" / ".salt").read_bytes())
    fresh = run(tmp_path / "config.yaml", progress=quiet)
    assert counters(fresh.manifest)["files_read"] == 8
    assert outputs_of(outcome.folder) == outputs_of(fresh.folder)


def test_a_row_moved_to_an_earlier_file_has_both_parts_counted_again(config: Path) -> None:
    read_and_count(config)
    first, second = (config.parent / f"extract-2024-0{m}.csv" for m in (2, 3))
    repeated = second.read_text("utf-8").splitlines()[1]
    first.write_text(first.read_text("utf-8") + repeated + "\n", encoding="utf-8")
    outcome = read_and_count(config)
    # One file was read; the other was not, but lost a row to it and is counted again.
    assert counters(outcome.manifest)["files_read"] == 1
    assert counters(outcome.manifest)["parts_counted"] == 2
    assert outcome.manifest["stages"]["ingest"]["counters"]["duplicates"] == 2


def test_other_people_move_no_incident_but_the_boundaries_are_read_again(config: Path) -> None:
    read_and_count(config)
    (config.parent / "people.csv").write_text("code,people\nA1,1001\nA2,2000\nB1,500\n", encoding="utf-8")
    assert counters(read_and_count(config).manifest)["boundaries_taken_over"] is False


def test_a_file_that_was_only_touched_is_known_by_its_content(config: Path) -> None:
    run(config, progress=quiet)
    os.utime(config.parent / "extract-2024-05.csv", (1, 1))
    assert run(config, progress=quiet).ran == []


def test_pages_of_the_same_release_are_reused_and_one_that_is_damaged_is_made_again(config: Path) -> None:
    folder = run(config, progress=quiet).folder
    before = outputs_of(folder)
    (folder / "internal" / "index.html").write_text("cut off", "utf-8")
    outcome = run(config, progress=quiet)
    assert outcome.ran == ["publish"]
    found = outcome.manifest["stages"]["publish"]["counters"]
    assert (found["folders"], found["parts_written"]) == (1, 1)
    assert found["parts_reused"] >= 10
    assert outputs_of(folder) == before


def test_a_damaged_count_of_the_last_run_is_named_and_force_mends_it(config: Path) -> None:
    read_and_count(config)
    (kept,) = (config.parent / "outputs" / "city" / "work" / "counts").glob("*2024-05*")
    (kept / "facets.parquet").write_bytes(b"PAR1 nothing of the kind")
    (config.parent / "extract-2025-01.csv").write_text(
        f"{HEADER}\nN1,2025-01-05,{X0 + 100},{Y0 + 500},Ashby,race,no,\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match=r"cannot be read back.*--force"):
        run(config, progress=quiet)
    assert run(config, progress=quiet, force=True).ran[0] == "ingest"


@pytest.mark.parametrize("damage", ["boundaries.parquet", "areas.index.npz", "another version"])
def test_damaged_or_other_boundaries_of_the_last_run_are_made_again(config: Path, damage: str) -> None:
    read_and_count(config)
    city = config.parent / "outputs" / "city"
    index = (city / "work" / "areas.index.npz").read_bytes()
    record = city / "work" / "areas.json"
    if damage == "another version":
        record.write_text(re.sub('"key": "[^"]*"', '"key": "0"', record.read_text("utf-8")), encoding="utf-8")
    else:
        (city / "work" / damage).write_bytes((city / "work" / damage).read_bytes()[:-100])
    load_index.cache_clear()  # as in another process, which has not loaded it before it was damaged
    extract = config.parent / "extract-2024-06.csv"
    extract.write_text("\n".join(extract.read_text("utf-8").splitlines()[:-1]) + "\n", encoding="utf-8")
    outcome = read_and_count(config)
    assert counters(outcome.manifest)["boundaries_taken_over"] is False
    assert counters(outcome.manifest)["files_read"] == 1
    assert (city / "work" / "areas.index.npz").read_bytes() == index


def test_a_disk_that_fills_in_a_spill_leaves_the_last_outputs_whole(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(config, progress=quiet)
    outputs = config.parent / "outputs"
    before = whole(outputs / "city")
    extract = config.parent / "extract-2024-07.csv"
    extract.write_text("\n".join(extract.read_text("utf-8").splitlines()[:-1]) + "\n", encoding="utf-8")

    def full(*_parts: object, **_settings: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pipeline.stages.aggregate.merge_locations", full)
    with pytest.raises(EngineError, match="the counts while they were merged") as said:
        run(config, progress=quiet)
    monkeypatch.undo()
    assert "free disk space beside the outputs" in str(said.value)
    assert whole(outputs / "city") == before
    assert {path.name for path in outputs.iterdir()} <= {".city.failed", ".ledger", ".salt", "city"}
    assert read_and_count(config).ran[0] == "ingest"


def test_a_run_with_nothing_to_do_loads_no_heavy_library(config: Path) -> None:
    heavy = "{'pandas', 'numpy', 'geopandas', 'duckdb', 'pyarrow', 'shapely', 'scipy', 'matplotlib', 'folium', 'dask'}"
    code = (
        "import sys; from pathlib import Path; from pipeline.stages.runner import run;"
        "import pipeline.commands.terminal;"
        "done = run(Path(sys.argv[1]), progress=lambda *_: None);"
        f"print(done.ran, sorted({heavy} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(config)]
    subprocess.run(command, capture_output=True, check=True)  # whatever is stale is brought up to date
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[] []"


def test_a_later_issue_replaces_rows_of_parts_that_are_taken_over(tmp_path: Path) -> None:
    config = write_city(tmp_path, **COUNTS | {"incidents.0.paths": ["issue-*/*.csv"]})
    (tmp_path / "incidents.csv").unlink(missing_ok=True)
    rows = city_rows()
    unique = list({row.split(",")[0]: row for row in rows}.values())
    halves = {"first.csv": unique[::2], "second.csv": unique[1::2]}
    for name, half in halves.items():
        (tmp_path / "issue-2025-01").mkdir(exist_ok=True)
        (tmp_path / "issue-2025-01" / name).write_text("\n".join([HEADER, *half]) + "\n", encoding="utf-8")
    before = read_and_count(config).manifest["stages"]["ingest"]["counters"]
    assert "replaced" not in before

    # The next issue has a few rows of the first file again, one of them with another day.
    (tmp_path / "issue-2025-02").mkdir()
    again = halves["first.csv"][:3]
    moved = again[0].replace(again[0].split(",")[1], "2024-02-28", 1)
    later = tmp_path / "issue-2025-02" / "third.csv"
    later.write_text("\n".join([HEADER, moved, *again[1:]]) + "\n", encoding="utf-8")
    outcome = read_and_count(config)
    after = outcome.manifest["stages"]["ingest"]["counters"]
    # One file is read; the file that loses rows to it is counted again, the other is not.
    assert counters(outcome.manifest) == {
        "files_read": 1,
        "files_taken_over": 2,
        "parts_counted": 2,
        "parts_taken_over": 1,
        "boundaries_taken_over": True,
    }
    assert (after["incidents"], after["replaced"], after["duplicates"]) == (before["incidents"], 1, 2)

    made = config.parent / "outputs" / "city"
    kept = {p.relative_to(made): p.read_bytes() for p in sorted((made / "work").rglob("*.parquet"))}
    shutil.rmtree(made)
    read_and_count(config)
    again_made = {p.relative_to(made): p.read_bytes() for p in sorted((made / "work").rglob("*.parquet"))}
    assert again_made == kept

    later.unlink()
    later.parent.rmdir()
    back = read_and_count(config).manifest["stages"]["ingest"]["counters"]
    assert {k: back.get(k) for k in ("rows", "incidents", "duplicates", "replaced")} == {
        k: before.get(k) for k in ("rows", "incidents", "duplicates", "replaced")
    }
