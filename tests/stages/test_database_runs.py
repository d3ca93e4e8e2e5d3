"""A run on a table of a database releases the bytes of a run on the same rows as CSV."""

import hashlib
import json
import os
import sqlite3
from pathlib import Path

import duckdb
import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config.templates import template_text
from pipeline.errors import ConfigError, InputError
from pipeline.stages.freshness import stage_states
from pipeline.stages.runner import Outcome, run
from tests.kit.city import COUNTS, LIGHT, write_city
from tests.kit.postgres import running

pytestmark = pytest.mark.slow

ENV = "HOTSPOTS_TEST_DATABASE"
LONG = bool(os.environ.get("HOTSPOTS_LONG"))


def quiet(_label: str, _done: int, _total: int) -> None:
    return


def released(outcome: Outcome) -> dict[str, str]:
    """Return the SHA-256 of every file of the profiles' folders."""
    folders = [outcome.folder / profile.name for profile in outcome.config.profiles]
    files = [p for folder in folders for p in sorted(folder.rglob("*")) if p.is_file()]
    return {p.relative_to(outcome.folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def city_tables(folder: Path) -> None:
    """Write the city's incidents into a SQLite and a DuckDB file, and its residents into the first."""
    incidents = pd.read_csv(folder / "incidents.csv", dtype={"id": str})
    incidents.insert(0, "n", range(len(incidents)))
    backwards = incidents.iloc[::-1]
    connection = sqlite3.connect(folder / "city.db")
    backwards.to_sql("incidents", connection, index=False)
    pd.read_csv(folder / "people.csv").to_sql("people", connection, index=False)
    connection.commit()
    connection.close()
    with duckdb.connect(str(folder / "city.duckdb")) as made:
        made.register("rows", pa.Table.from_pandas(backwards, preserve_index=False))
        made.execute("CREATE TABLE incidents AS SELECT * FROM rows")


def source(folder: Path, name: str, **changes: object) -> Path:
    """Write the city's configuration with a table in place of the file, and outputs of its own."""
    config = folder / "config.yaml"
    settings = yaml.safe_load(config.read_text("utf-8"))
    settings["incidents"][0].pop("paths")
    settings["incidents"][0]["source"] = {"order_by": "n", "table": "incidents", "file": "city.db"} | changes
    return alone(folder, name, settings)


def alone(folder: Path, name: str, settings: dict) -> Path:
    """Write a configuration under the same name of the run, with outputs of its own."""
    settings["run"]["output_dir"] = f"outputs-{name}"
    made = folder / f"{name}.yaml"
    made.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return made


@pytest.fixture(autouse=True)
def _first_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no run know of the releases of another: they are of the same data, and would show it."""
    monkeypatch.setenv("HOTSPOTS_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("city")
    write_city(folder, **LIGHT | {f"detect.{name}.enabled": False for name in ("concentration", "hours", "seasons")})
    city_tables(folder)
    return folder


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a city whose runs make the internal folder of counts alone: for what is read, and when."""
    folder = tmp_path_factory.mktemp("counts")
    write_city(folder, **COUNTS)
    city_tables(folder)
    return folder


@pytest.fixture(scope="module")
def from_file(city: Path) -> Outcome:
    return run(city / "config.yaml", progress=quiet)


@pytest.mark.parametrize(("file", "residents"), [("city.db", "from a file"), ("city.duckdb", "from a table")])
def test_a_table_gives_the_bytes_of_the_file(city: Path, from_file: Outcome, file: str, residents: str) -> None:
    """Of two kinds of databases; beside the second, residents come from a table too, of the first kind."""
    config = source(city, file.replace(".", "-"), file=file)
    origins = [{"key": "incidents[0].source", "database": file, "table": "incidents", "rows": 58, "rows_read": 58}]
    if residents == "from a table":
        settings = yaml.safe_load(config.read_text("utf-8"))
        settings["areas"]["population"][0].pop("path")
        settings["areas"]["population"][0]["source"] = {"file": "city.db", "table": "people", "order_by": "code"}
        config = alone(city, "people", settings)
        about = {"database": "city.db", "table": "people", "rows": 3, "rows_read": 3}
        origins.append({"key": "areas.population[0].source"} | about)
    before = (city / file).read_bytes()
    outcome = run(config, progress=quiet)
    assert released(outcome) == released(from_file)
    assert (city / file).read_bytes() == before
    found = [{k: origin[k] for k in origins[0]} for origin in outcome.manifest["origins"]]
    assert sorted(found, key=lambda origin: origin["table"]) == origins
    # The copy is gone, and nothing is done again where no row has changed.
    assert not list(outcome.folder.parent.glob(".*.sources"))
    assert all(state.fresh for state in stage_states(config))
    assert run(config, progress=quiet).ran == []


def test_with_a_watermark_only_new_rows_are_read(counts: Path) -> None:
    connection = sqlite3.connect(counts / "city.db")
    connection.execute("CREATE TABLE growing AS SELECT * FROM incidents WHERE n < 50")
    connection.commit()
    config = source(counts, "growing", table="growing", watermark="n")
    first = run(config, progress=quiet)
    kept = next(first.folder.parent.glob(".*.sources/*/growing.parquet"))
    assert kept.stat().st_mode & 0o777 == 0o600
    second = run(config, progress=quiet)
    assert second.ran == []
    connection.execute("INSERT INTO growing SELECT * FROM incidents WHERE n >= 50")
    connection.commit()
    connection.close()
    third = run(config, progress=quiet)
    assert [(o["rows"], o["rows_read"]) for o in third.manifest["origins"]] == [(58, 8)]
    assert run(config, progress=quiet, force=True).manifest["origins"][0]["rows_read"] == 58


def test_check_reads_the_first_rows_and_says_what_they_hold(counts: Path) -> None:
    config = source(counts, "checked")
    done = CliRunner().invoke(app, ["check", "--config", str(config), "--rows", "20", "--json"])
    assert done.exit_code == 0, done.output
    [found] = json.loads(done.stdout)["sources"]
    assert (found["rows_read"], found["all_rows"]) == (20, False)
    done = CliRunner().invoke(app, ["check", "--config", str(config), "--json"])
    [found] = json.loads(done.stdout)["sources"]
    assert (found["rows_read"], found["all_rows"]) == (58, True)
    assert not any((counts / "outputs-checked").iterdir())


def test_a_failure_leaves_the_last_run_and_no_copy(counts: Path) -> None:
    config = source(counts, "failing")
    outcome = run(config, progress=quiet)
    before = released(outcome)
    with pytest.raises(InputError, match="table 'gone' cannot be read"):
        run(source(counts, "failing", table="gone"), progress=quiet)
    with pytest.raises(ConfigError, match="a source is only read"):
        run(source(counts, "failing", table=None, query="DROP TABLE incidents"), progress=quiet)
    assert released(outcome) == before
    assert not list(outcome.folder.parent.glob(".*.sources"))


# The real thing: six months of the Metropolitan Police, 396 thousand rows. In short the rows of three boroughs in the
# last month, more than are read at once; without clusters, Gi*, what only internal folders show and the formats made of
# the same tables: how rows are read changes none of these alone.

BOROUGHS = ("Camden", "City of Westminster", "Islington")


@pytest.mark.real
def test_months_of_the_met_by_postgis_and_duckdb(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    months = sorted((real_data / "police_uk" / "met_2018").glob("*.csv.gz"))[None if LONG else -1 :]
    rows = pd.concat([pd.read_csv(m, dtype=str, keep_default_na=False) for m in months], ignore_index=True)
    wards = real_data / "boundaries" / "london_wards_2018_27700.gpkg"
    if not LONG:
        areas = gpd.read_file(wards)
        areas = areas[areas["DISTRICT"].isin(BOROUGHS)]
        rows = rows[rows["queried_ward"].isin(areas["GSS_CODE"])]
        assert len(rows) > 10_000
        wards = tmp_path / "wards.gpkg"
        areas.to_file(wards, driver="GPKG")
    rows.insert(0, "n", range(len(rows)))
    rows.to_csv(tmp_path / "crimes.csv", index=False)

    settings = yaml.safe_load(template_text("police-uk"))
    settings["areas"]["wards"]["path"] = str(wards)
    settings["profiles"] = [p for p in settings["profiles"] if p["audience"] == "public"]
    settings["page"]["briefings"] = False
    settings["categories"]["tree"] = [{"id": "burglary", "match": ["burglary"]}, {"id": "drugs", "match": ["drugs"]}]
    settings["detect"] = {"scan": {"enabled": False}, "knox": {"enabled": False}, **settings["detect"]}
    if not LONG:
        left_out = ("clusters", "gistar", "concentration", "hours", "seasons")
        settings["detect"] |= {method: {"enabled": False} for method in left_out}
        settings["exports"] = {"geopackage": False, "workbook": "none"}

    def ran(name: str, **about: object) -> dict[str, str]:
        own = {k: v for k, v in settings["incidents"][0].items() if k != "paths"} | about
        monkeypatch.setenv("HOTSPOTS_STATE_DIR", str(tmp_path / f"state-{name}"))
        outcome = run(alone(tmp_path, name, settings | {"incidents": [own]}), progress=quiet)
        counters = outcome.manifest["stages"]["ingest"]["counters"]
        assert counters["rows"] == (396_369 if LONG else len(rows))
        assert not LONG or counters["incidents"] == 377_286
        return released(outcome)

    from_csv = ran("csv", paths=["crimes.csv"])
    assert len(from_csv) > 5

    # DuckDB: its own types, rows in another order.
    with duckdb.connect(str(tmp_path / "met.duckdb")) as made:
        made.execute(
            'CREATE TABLE crimes AS SELECT * REPLACE (n::BIGINT AS n, "Longitude"::DOUBLE AS "Longitude", '
            '"Latitude"::DOUBLE AS "Latitude") FROM read_csv($1, all_varchar=true, quote=\'"\', escape=\'"\') '
            "ORDER BY hash(n)",
            [str(tmp_path / "crimes.csv")],
        )
    assert ran("duckdb", source={"file": "met.duckdb", "table": "crimes", "order_by": "n"}) == from_csv

    # PostGIS: a geometry in place of the two columns.
    with running() as server:
        names = ", ".join(f'"{name}" {"int" if name == "n" else "text"}' for name in rows.columns)
        server.run(f"CREATE TABLE loaded ({names})")
        server.run("COPY loaded FROM STDIN (FORMAT csv, HEADER)", stdin=(tmp_path / "crimes.csv").read_bytes())
        server.run(
            'CREATE TABLE crimes AS SELECT *, ST_SetSRID(ST_Point("Longitude"::float8, "Latitude"::float8), 4326) AS '
            'place FROM loaded ORDER BY md5(n::text); ALTER TABLE crimes DROP COLUMN "Longitude", '
            'DROP COLUMN "Latitude"; GRANT SELECT ON crimes TO analyst'
        )
        monkeypatch.setenv(ENV, server.address)
        table = {"url_env": ENV, "table": "public.crimes", "order_by": "n"}
        assert ran("postgis", source=table) == from_csv
