"""The same bytes from every engine and every split of the files, and one clear error when the machinery fails."""

import csv
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.aggregate.reduce import CountJob, count_part
from pipeline.errors import EngineError, InputError
from pipeline.stages import engines
from pipeline.stages.engines import DaskEngine, LocalEngine, fitting
from pipeline.stages.runner import run
from pipeline.storage.duckdb import guarded
from tests.kit.city import HEADER, X0, Y0, city_rows, write_city

pytestmark = pytest.mark.slow

Progress = Callable[[str, int, int], None]


def quiet(_label: str, _done: int, _total: int) -> None:
    """Report nothing."""


def rows() -> list[str]:
    """The city, a point outside every ward, one without a category, and one of a category nobody knows."""
    return [
        *city_rows(),
        f"X1,2024-03-05,{X0 + 1500},{Y0 + 4000},,race,no,charged",
        f"X2,2024-03-06,{X0 + 500},{Y0 + 500},Ashby,,no,charged",
        f"X3,2024-03-07,{X0 + 510},{Y0 + 500},Ashby,unheard of,no,",
    ]


def city(folder: Path, split: list[list[str]], **changes: object) -> Path:
    """Write the city with its rows in several files."""
    names = [f"part{i}.csv" for i in range(len(split))]
    config = write_city(folder, **{"incidents.0.paths": names, "categories.unknown": "ignore", **changes})
    for name, part in zip(names, split, strict=True):
        (folder / name).write_text("\n".join([HEADER, *part]) + "\n", encoding="utf-8")
    return config


def released(config: Path) -> dict[str, bytes]:
    """Every file that is handed over, and the statistics everything is made from."""
    folder = config.parent / "outputs" / "city"
    found = {f"{d}/{p.relative_to(folder / d)}": p for d in ("internal", "public") for p in (folder / d).rglob("*.*")}
    found |= {n: folder / "work" / n for n in ("area_months.parquet", "locations.parquet", "facets.parquet")}
    return {name: path.read_bytes() for name, path in found.items() if path.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    config = city(tmp_path_factory.mktemp("whole"), [rows()])
    run(config, progress=quiet)
    return released(config)


def test_the_whole_city_has_what_must_survive_a_split(whole: dict[str, bytes]) -> None:
    assert {"internal/index.html", "public/area_counts.csv", "locations.parquet"} <= set(whole)
    counts = list(csv.DictReader(whole["internal/area_counts.csv"].decode().splitlines()))
    latest = [r for r in counts if (r["area_code"], r["category"], r["period_end"]) == ("A1", "all", "2024-12-31")]
    # 24 rows of A1 and two more, one without a category and one of an unknown one: each counts once in the total.
    assert {r["incidents"] for r in latest if r["period_start"] == "2024-01-01"} == {"26"}


def test_five_files_in_another_order_give_the_same_bytes(whole: dict[str, bytes], tmp_path: Path) -> None:
    scattered = rows()[::-1]
    config = city(tmp_path, [scattered[i::5] for i in range(5)])
    run(config, progress=quiet)
    assert released(config) == whole


def test_dask_gives_the_same_bytes_though_a_worker_is_killed(whole: dict[str, bytes], tmp_path: Path) -> None:
    split = [rows()[:20], [], rows()[20:50], rows()[50:]]  # one partition is empty
    config = city(tmp_path, split, **{"run.engine": "dask", "run.workers": 2})
    heard: list[tuple[str, int, int]] = []

    def kill_once(label: str, done: int, total: int) -> None:
        if not heard:
            workers = [p for p in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]
            assert len(workers) == 2
            os.kill(workers[0].pid, signal.SIGKILL)
        heard.append((label, done, total))

    outcome = run(config, progress=kill_once)
    assert released(config) == whole
    assert [h for h in heard if h[0] == "reading incidents"] == [("reading incidents", n, 4) for n in range(1, 5)]
    assert outcome.manifest["stages"]["ingest"]["counters"]["files_read"] == 4
    assert sorted(p.name for p in (tmp_path / "outputs").iterdir()) == [".ledger", ".salt", "city"]


def die_once(job: tuple[Path, int]) -> int:
    marker, value = job
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return value * 2


def die(_job: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def refuse(job: int) -> int:
    raise InputError(f"part {job} is not usable: repair it")


@pytest.fixture(scope="module")
def engine() -> Iterator[DaskEngine]:
    made = DaskEngine(scheduler="", workers=2)
    yield made
    made.close()


def test_a_killed_worker_costs_a_retry(engine: DaskEngine, tmp_path: Path) -> None:
    jobs = [(tmp_path / str(i), i) for i in range(2)]
    assert engine.map(die_once, jobs, done=lambda _n: None) == LocalEngine().map(
        lambda job: job[1] * 2, jobs, done=lambda _n: None
    )


def test_an_error_of_the_work_is_the_same_error(engine: DaskEngine) -> None:
    with pytest.raises(InputError, match=r"^part 3 is not usable: repair it$"):
        engine.map(refuse, [3], done=lambda _n: None)
    assert engine.map(abs, [-2, 1], done=lambda _n: None) == [2, 1]


def test_workers_that_die_again_and_again_end_the_run_with_one_error(engine: DaskEngine) -> None:
    with pytest.raises(EngineError, match=r"given up after 3 workers died on it .*last complete outputs") as caught:
        engine.map(die, [1], done=lambda _n: None)
    assert caught.value.exit_code == 7


def test_a_scheduler_that_is_not_there_leaves_the_last_outputs_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_CONNECT_SECONDS", 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    config = city(tmp_path, [rows()], **{"run.engine": "dask", "run.scheduler": address})
    kept = tmp_path / "outputs" / "city" / "internal" / "index.html"
    kept.parent.mkdir(parents=True)
    kept.write_text("the last good one", encoding="utf-8")
    began = time.monotonic()
    with pytest.raises(EngineError, match=f"no Dask scheduler answers at {address}") as caught:
        run(config, progress=quiet)
    assert caught.value.exit_code == 7
    assert time.monotonic() - began < 60
    assert kept.read_text("utf-8") == "the last good one"
    assert sorted(p.name for p in (tmp_path / "outputs").iterdir()) == [".city.failed", "city"]


def test_workers_are_as_many_as_have_room() -> None:
    assert fitting(8, memory_limit_mb=2000, available_mb=24_000) == 8
    assert fitting(16, memory_limit_mb=3300, available_mb=24_000) == 6
    assert fitting(2, memory_limit_mb=8000, available_mb=4_000) == 1


def test_a_corrupt_part_is_an_input_error_that_names_it(tmp_path: Path) -> None:
    part = tmp_path / "police-part0.parquet"
    part.write_bytes(b"PAR1 and then nothing of the kind")
    job = CountJob(
        label="police/part0.csv", part=part, into=tmp_path / "c", region_code="R", placeholders=(), memory_limit_mb=500
    )
    with pytest.raises(InputError, match=r"the part of police/part0.csv .*police-part0.parquet.* cannot be read back"):
        count_part(job)


def test_a_full_disk_is_an_engine_error_that_says_what_to_free(tmp_path: Path) -> None:
    import duckdb

    full = OSError(28, "No space left on device")
    said = r"the disk or the memory allowed was full at counting \("
    with pytest.raises(EngineError, match=said) as caught, guarded("counting", damaged=""):
        raise full
    assert caught.value.exit_code == 7
    sql = "SELECT len(list(hash(i)::VARCHAR)) FROM range(3_000_000) t(i)"  # a list cannot be spilled
    options = {"memory_limit": "40MB", "temp_directory": str(tmp_path / "s"), "threads": 1}
    with (
        pytest.raises(EngineError, match=r"raise run\.memory_limit_mb"),
        guarded("counting", damaged=""),
        duckdb.connect(":memory:", config=options) as connection,
    ):
        connection.sql(sql).fetchall()


def test_a_pattern_at_an_address_is_refused(tmp_path: Path) -> None:
    from pipeline.errors import ConfigError

    config = city(tmp_path, [rows()], **{"incidents.0.paths": ["s3://bucket/2024-*.csv"]})
    with pytest.raises(ConfigError, match="patterns are for files on disk"):
        run(config, progress=quiet)
