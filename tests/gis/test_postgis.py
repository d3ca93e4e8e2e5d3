"""PostGIS loads the GeoPackage and answers spatial questions as we do."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.publish.exports import layers_of


@pytest.fixture(scope="module")
def database(postgres: Path, ogr2ogr: str, folder: Path) -> Iterator[str]:
    """Start a cluster of our own on a socket nobody else uses, load the layers, and take it away afterwards."""
    home = Path(tempfile.mkdtemp(prefix="hs-pg-"))
    owner = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(home, "postgres", "postgres")
        owner = {"user": "postgres", "group": "postgres", "extra_groups": []}
    environment = {"PATH": f"{postgres}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}

    def server(*command: object) -> None:
        with (home / "log").open("a") as log:
            done = subprocess.run(
                [str(c) for c in command], cwd=home, env=environment, stdout=log, stderr=log, check=False, **owner
            )
        assert done.returncode == 0, (home / "log").read_text("utf-8")

    address = f"host={home} user=hotspots dbname=postgres"
    try:
        server("initdb", "-D", home / "data", "-U", "hotspots", "-A", "trust", "-E", "UTF8", "--no-sync")
        server("pg_ctl", "-D", home / "data", "-w", "-o", f"-c listen_addresses='' -k {home} -F", "start")
        ask(address, "CREATE EXTENSION postgis")
        command = [
            ogr2ogr,
            "-f",
            "PostgreSQL",
            f"PG:{address}",
            folder / "hotspots.gpkg",
            "wards",
            "boroughs",
            "density",
            "hotspots",
        ]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=environment, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        yield address
    finally:
        if (home / "data" / "postmaster.pid").exists():
            server("pg_ctl", "-D", home / "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(home)


def ask(address: str, query: str) -> list[list[str]]:
    command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", address, "-c", query]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, check=False)
    assert done.returncode == 0, done.stderr
    return [line.split("|") for line in done.stdout.splitlines()]


def test_area_of_each_ward_inside_hotspots_is_ours(database: str, release) -> None:
    found = ask(
        database,
        "SELECT w.area_code, h.hotspot_id, ST_Area(ST_Intersection(w.geom, h.geom)) FROM wards w "
        "JOIN hotspots h ON ST_Intersects(w.geom, h.geom) WHERE ST_Area(ST_Intersection(w.geom, h.geom)) > 1",
    )
    frames = {layer.name: layer.frame for layer in layers_of(release)}
    pairs = frames["wards"].overlay(frames["hotspots"], how="intersection")
    want = {(w, h): a for w, h, a in zip(pairs["area_code"], pairs["hotspot_id"], pairs.area, strict=True) if a > 1}
    assert {(w, h): float(a) for w, h, a in found} == pytest.approx(want, rel=1e-9)
    assert len(want) >= 6


def test_tables_keep_types_system_and_index(database: str) -> None:
    types = dict(
        ask(database, "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'wards'")
    )
    assert types["period_end"] == "date"
    assert types["covered"] == "boolean"
    assert types["incidents"] == "integer"
    assert types["rate_per_10000"] == "double precision"
    assert ask(database, "SELECT DISTINCT ST_SRID(geom), GeometryType(geom), ST_IsValid(geom) FROM wards") == [
        ["27700", "MULTIPOLYGON", "t"]
    ]
    assert ask(database, "SELECT count(*) FROM pg_indexes WHERE tablename = 'wards' AND indexdef LIKE '%gist%'") == [
        ["1"]
    ]


def test_withheld_is_told_from_no_data_in_sql(database: str, release) -> None:
    wards = next(layer.frame for layer in layers_of(release) if layer.name == "wards")
    found = ask(
        database,
        "SELECT CASE WHEN incidents IS NOT NULL THEN 'known' WHEN 'incidents' = ANY (string_to_array(withheld, ';')) "
        "THEN 'withheld' ELSE 'no data' END AS state, count(*) FROM wards GROUP BY 1 ORDER BY 1",
    )
    hidden = wards["withheld"].str.split(";").map(lambda names: "incidents" in names)
    want = {
        "known": int(wards["incidents"].notna().sum()),
        "withheld": int((wards["incidents"].isna() & hidden).sum()),
        "no data": int((wards["incidents"].isna() & ~hidden).sum()),
    }
    assert {state: int(count) for state, count in found} == {k: v for k, v in want.items() if v}


def test_density_bands_do_not_overlap(database: str) -> None:
    overlap = "coalesce(max(ST_Area(ST_Intersection(a.geom, b.geom))), 0)"
    query = f"SELECT {overlap} FROM density a JOIN density b ON a.fid < b.fid"
    assert float(ask(database, query)[0][0]) < 1.0
