"""Canaries in every field of the input: none of them sings in a released folder, however deep one looks."""

import base64
import gzip
import io
import json
import re
import sqlite3
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.publish import page
from pipeline.stages.runner import run
from tests.kit.city import X0, Y0, write_city

pytestmark = pytest.mark.slow

FIELDS = (
    "id", "note", "strand_raw", "place_name", "victim", "officer", "url", "kind", "offence", "status", "outcome",
    "route", "place_type", "organisation",
)  # fmt: skip
BIRDS = {name: f"Zq{name.replace('_', '')}7Canary" for name in FIELDS}
NAMED = ("offence", "route", "place_type", "organisation")
RARE = 4  # one under the lower threshold
EXACT = (X0 + 123.4567, Y0 + 543.2109)  # one place whose digits occur nowhere else
MOMENT = "2024-07-13"  # a day that is no end of any period
HOUR = "03:47"


def _rows() -> list[str]:
    """60 incidents about one place, each field a canary; what circumstances may name is one where it is rare."""
    head = ["id", "date", "time", "easting", "northing", "borough", "strand", "online", "victim", "kind", "offence"]
    head += ["status", "outcome", "route", "place_type", "organisation", "note", "officer", "url", "place_name"]
    lines = [",".join(head)]
    for n in range(60):
        rare = BIRDS if n < RARE else dict.fromkeys(NAMED, "common")
        x, y = (EXACT[0] + 9.37 * (n % 24), EXACT[1] + 0.011 * n) if n else EXACT
        row = {
            "id": f"{BIRDS['id']}{n}", "date": MOMENT, "time": HOUR, "easting": f"{x:.4f}", "northing": f"{y:.4f}",
            "borough": "Ashby", "strand": "race", "online": "no", "victim": f"{BIRDS['victim']}{n}",
            "kind": "offence", "offence": rare["offence"], "status": "confirmed", "outcome": BIRDS["outcome"],
            "route": rare["route"], "place_type": rare["place_type"], "organisation": rare["organisation"],
            "note": BIRDS["note"], "officer": BIRDS["officer"], "url": BIRDS["url"], "place_name": BIRDS["place_name"],
        }  # fmt: skip
        lines.append(",".join(str(row[h]) for h in head))
    return lines


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("canaries")
    columns = {
        "id": "id", "date": "date", "time": "time", "x": "easting", "y": "northing", "borough": "borough",
        "category": "strand", "online": "online", "victim": "victim", "kind": "kind", "offence_group": "offence",
        "flag_status": "status", "outcome": "outcome", "reporting_route": "route", "place_type": "place_type",
        "organisation": "organisation",
    }  # fmt: skip
    profiles: list[dict[str, Any]] = [
        {"name": "partner", "audience": "partner", "threshold": 5, "borough_period": "fixed",
         "min_density_incidents": 20},
        {"name": "public", "audience": "public", "threshold": 10, "borough_period": "fixed",
         "min_density_incidents": 20, "min_locations": 5},
    ]  # fmt: skip
    config = write_city(
        folder,
        **{
            "incidents.0.columns": columns,
            "incidents.0.paths": ["ZqfilenameCanary.csv"],
            "incidents.0.name": "zqsourcecanary",
            "profiles": profiles,
            "exports": {"geoparquet": True, "flatgeobuf": True},
            "detect.density.bandwidth_m": 300,
        },
    )
    (folder / "ZqfilenameCanary.csv").write_text("\n".join(_rows()) + "\n", "utf-8")
    return run(config, progress=lambda *_: None).folder


def views(path: Path) -> Iterator[bytes]:
    """The file as it lies there, and everything packed inside it: zip members, gzip, database pages and cells."""
    raw = path.read_bytes()
    yield raw
    yield from unpacked(raw)
    if path.suffix in {".gpkg", ".sqlite"}:
        base = sqlite3.connect(path)
        names = [r[0] for r in base.execute("select name from sqlite_master where type='table'")]
        for name in names:
            rows = base.execute(f'select * from "{name}"')
            yield b"\n".join(v if isinstance(v, bytes) else str(v).encode() for row in rows for v in row)
        base.close()
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        yield str(table.schema).encode() + b"\n".join(v for pair in (table.schema.metadata or {}).items() for v in pair)
        for column in table.columns:
            yield "\n".join(map(str, column.to_pylist())).encode()


def unpacked(raw: bytes) -> Iterator[bytes]:
    if raw[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(raw)) as held:
            for name in held.namelist():
                yield name.encode() + held.read(name)
    if raw[:2] == b"\x1f\x8b":
        yield gzip.decompress(raw)
    for match in re.finditer(rb"""(?:base64,|"gzip": ")([A-Za-z0-9+/=]{40,})""", raw):
        inner = base64.b64decode(match[1])
        yield inner
        try:
            yield zlib.decompress(inner, wbits=47)  # zlib's own format or gzip
        except zlib.error:
            continue


def needles() -> dict[str, bytes]:
    found = {name: bird.encode() for name, bird in BIRDS.items()}
    found |= {f"{name} in UTF-16": bird.encode("utf-16-le") for name, bird in BIRDS.items()}
    found |= {
        "file name": b"ZqfilenameCanary",
        "source": b"zqsourcecanary",
        "day": MOMENT.encode(),
        "hour": HOUR.encode(),
    }
    found |= {"day in words": b"13 July 2024", "easting": b"530123.45", "northing": b"180543.21"}
    return found


def coordinates() -> list[bytes]:
    """The exact place as numbers on disk: doubles and floats of both byte orders, working system and degrees."""
    import pyproj

    lon, lat = pyproj.Transformer.from_crs(27700, 4326, always_xy=True).transform(*EXACT)
    values = [*EXACT, lon, lat]
    out = [struct.pack(f, v) for v in values for f in ("<d", ">d")]
    return [*out, f"{lon:.6f}".encode(), f"{lat:.6f}".encode()]


@pytest.mark.parametrize("profile", ["partner", "public"])
def test_no_canary_sings(outputs: Path, profile: str) -> None:
    files = sorted(p for p in (outputs / profile).rglob("*") if p.is_file())
    assert {p.suffix for p in files} >= {".html", ".geojson", ".csv", ".gpkg", ".json", ".parquet", ".fgb", ".xml"}
    heard, exact = [], coordinates()
    birds = {name: needle.lower() for name, needle in needles().items()}
    for path in files:
        assert "canary" not in path.name.lower()
        for view in views(path):
            quiet = view.lower()
            heard += [(path.name, name) for name, needle in birds.items() if needle in quiet]
            heard += [(path.name, "exact place") for needle in exact if needle in view]
    assert heard == []


@pytest.mark.parametrize("profile", ["partner", "public"])
def test_no_path_of_the_machine_and_no_comment(outputs: Path, profile: str) -> None:
    here = str(outputs.parent.parent).encode()
    for path in sorted(p for p in (outputs / profile).rglob("*") if p.is_file()):
        for view in views(path):
            assert here not in view, path.name
        if path.suffix == ".html":
            body = re.sub(r"<(style|script)\b.*?</\1>", "", path.read_text("utf-8"), flags=re.DOTALL)
            assert "<!--" not in body, path.name


def test_hotspots_are_shown_and_no_vertex_is_an_incident(outputs: Path) -> None:
    """The canaries stand close enough for a hotspot: its outline has corners of the lattice only."""
    features = json.loads((outputs / "partner" / "hotspots.geojson").read_text("utf-8"))["features"]
    assert len(features) == 1
    import geopandas as gpd

    outline = gpd.read_file(outputs / "partner" / "hotspots.gpkg", layer="hotspots").geometry.iloc[0]
    corners = np.vstack([np.asarray(ring.exterior.coords) for ring in outline.geoms])
    half, side = 125.0, 250.0 / np.sqrt(12.0)
    assert np.abs(corners[:, 0] / half - np.round(corners[:, 0] / half)).max() < 1e-4
    assert np.abs(corners[:, 1] / side - np.round(corners[:, 1] / side)).max() < 1e-4


def test_the_scanner_finds_what_is_planted(outputs: Path, tmp_path: Path) -> None:
    """Every hiding place the scanner claims to look into."""
    secret = BIRDS["note"].encode()
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as held:
        held.writestr("inner.txt", secret)
    (tmp_path / "b.gz").write_bytes(gzip.compress(secret))
    (tmp_path / "c.html").write_bytes(b"<!-- " + secret + b" -->")
    (tmp_path / "f.html").write_text(f'<script id="data">{page.data_block(secret.decode())}</script>', "utf-8")
    base = sqlite3.connect(tmp_path / "d.gpkg")
    base.execute("create table t (x)")
    base.execute("insert into t values (?)", (secret,))
    base.commit()
    base.close()
    (tmp_path / "e.bin").write_bytes(struct.pack("<d", EXACT[0]))
    for name in ("a.zip", "b.gz", "c.html", "d.gpkg", "f.html"):
        assert any(secret in view for view in views(tmp_path / name)), name
    assert any(needle in view for needle in coordinates() for view in views(tmp_path / "e.bin"))
    internal = (outputs / "work").rglob("*.parquet")
    assert any(b"ZqfilenameCanary" in view for path in internal for view in views(path))
