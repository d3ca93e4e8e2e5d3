"""Bad layers and columnar files: GeoJSON, GeoPackage, Shapefile, Parquet; structure, cuts, flipped bits; boundaries."""

import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.config import AreaFile
from pipeline.ingest.areas import read_boundaries
from tests.fuzz.kit import Case, adds_up, as_text, gives, good_rows, reading
from tests.kit.readers import CITY

__all__ = ["FAMILIES"]

SUFFIXES = ("geojson", "gpkg", "parquet", "geo.parquet", "fgb.gpkg")
ROWS = 60


@cache
def _sound(kind: str) -> bytes:
    """Return the bytes of a sound file of this kind, of `ROWS` rows."""
    import tempfile

    rows = good_rows(random.Random(1), ROWS)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / f"rows.{kind}"
        if kind == "parquet":
            pd.DataFrame(rows).to_parquet(path)
        else:
            points = [shapely.Point(float(r["easting"]), float(r["northing"])) for r in rows]
            frame = gpd.GeoDataFrame(
                {"id": [r["id"] for r in rows], "date": [r["date"] for r in rows]}, geometry=points, crs=27700
            )
            if kind == "geo.parquet":
                frame.to_parquet(path)
            elif kind == "geojson":
                frame.to_crs(4326).to_file(path)
            else:
                frame.to_file(path)
        return path.read_bytes()


def cut(rng: random.Random, folder: Path) -> Case:
    """A file cut off is refused; a layer may be read only if every row of it is still there."""
    kind = rng.choice(["geojson", "gpkg", "parquet", "geo.parquet"])
    content = _sound(kind)
    part = content[: rng.randint(0, len(content) - 2)]
    system = None if kind != "parquet" else "EPSG:27700"
    act = reading(folder / f"rows.{kind}", part, crs=system)
    return Case(act, gives(ROWS), 3 if kind != "gpkg" else None)


def flipped(rng: random.Random, folder: Path) -> Case:
    """A few bits flipped: refused, or every row of what is read is accounted for."""
    kind = rng.choice(["geojson", "gpkg", "parquet", "geo.parquet"])
    content = bytearray(_sound(kind))
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    act = reading(folder / f"rows.{kind}", bytes(content), crs=None if kind != "parquet" else "EPSG:27700")
    return Case(act, lambda found: adds_up(found.report.rows_read)(found), None)


def in_disguise(rng: random.Random, folder: Path) -> Case:
    """A file of one kind under the ending of another."""
    kinds = ["geojson", "gpkg", "parquet"]
    kind, ending = rng.sample(kinds, 2)
    content = rng.choice([_sound(kind), b"<html></html>", rng.randbytes(500), b"PK\3\4" + rng.randbytes(200)])
    return Case(reading(folder / f"rows.{ending}", content, crs=None), code=3, says=(f"rows.{ending}",))


def _feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": {"id": "a", "date": "2025-01-02"} | properties, "geometry": geometry}


def _point(*at: Any) -> dict[str, Any]:
    return {"type": "Point", "coordinates": list(at)}


INSIDE = (-0.1188, 51.5045)  # in the south-west ward
REFUSED = {"geometry", "not_finite", "far", "swapped", "zero", "coordinates_unreadable", "coordinates_half"}
SHAPES: tuple[tuple[Any, set[str]], ...] = (
    (_point(*INSIDE), set()),
    (_point(*INSIDE, 12.5), set()),
    ({"type": "MultiPoint", "coordinates": [list(INSIDE)]}, set()),
    (None, set()),
    ({"type": "Point", "coordinates": []}, set()),
    (_point(*INSIDE[::-1]), {"swapped", "far"}),
    (_point(0, 0), {"zero", "far"}),
    (_point(1e300, 1e300), {"far", "not_finite"}),
    (_point(500, 500), {"far"}),
    ({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, {"geometry"}),
    ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}, {"geometry"}),
    ({"type": "MultiPoint", "coordinates": [[0, 0], [1, 1]]}, {"geometry"}),
    ({"type": "GeometryCollection", "geometries": [_point(*INSIDE)]}, {"geometry"}),
)


def geometries(rng: random.Random, folder: Path) -> Case:
    chosen = [SHAPES[0], *(rng.choice(SHAPES) for _ in range(rng.randint(1, 15)))]
    content = {
        "type": "FeatureCollection",
        "features": [_feature(shape, id=str(n)) for n, (shape, _) in enumerate(chosen)],
    }
    bad = {n: rules for n, (_, rules) in enumerate(chosen, start=1) if rules}
    return Case(reading(folder / "rows.geojson", json.dumps(content).encode(), crs=None), gives(len(chosen), bad))


STRUCTURES: tuple[str, ...] = (
    "", "{", "[]", "{}", "null", "true", '"text"', "{]", '{"type": "FeatureCollection"}',
    '{"type": "FeatureCollection", "features": {}}', '{"type": "FeatureCollection", "features": [1, 2]}',
    '{"type": "FeatureCollection", "features": [null]}', '{"type": "FeatureCollection", "features": []}',
    '{"type": "Feature"}', '{"type": "Topology", "objects": {}, "arcs": []}', '{"features": []}',
    '{"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": {"type": "Point"}}]}',
    '{"type": "FeatureCollection", "crs": {"type": "name", "properties": {"name": "nowhere"}}, "features": []}',
    "[" * 100_000, '{"a":' * 100_000, '{"type": "FeatureCollection", "features": [' + "[" * 5000,
)  # fmt: skip


def structures(rng: random.Random, folder: Path) -> Case:
    text = STRUCTURES[rng.randrange(len(STRUCTURES))]
    return Case(reading(folder / "rows.geojson", text.encode(), crs=None), adds_up(0), 3, ("rows.geojson",))


def values(rng: random.Random, folder: Path) -> Case:
    """Cells of odd types in Parquet: numbers, dates, lists and nothing where texts are expected."""
    rows = good_rows(rng, rng.randint(2, 30))
    frame = pd.DataFrame(rows)
    odd = rng.choice(["float ids", "dates", "lists", "nothing", "huge", "bytes", "numbers"])
    bad: dict[int, set[str]] = {}
    if odd == "float ids":
        frame["id"] = np.arange(len(frame)) + 0.5
    elif odd == "dates":
        frame["date"] = pd.to_datetime(frame["date"])
    elif odd == "lists":
        frame["note"] = [["a", "b"]] * len(frame)
    elif odd == "nothing":
        frame["date"] = None
        bad = {n: {"date_missing"} for n in range(1, len(frame) + 1)}
    elif odd == "huge":
        frame["easting"] = np.full(len(frame), 1e300)
        bad = {n: {"far"} for n in range(1, len(frame) + 1)}
    elif odd == "bytes":
        frame["note"] = [b"\xff\0"] * len(frame)
    else:
        frame["easting"] = frame["easting"].astype("float32")
        frame["northing"] = frame["northing"].astype("int64")
    frame.to_parquet(folder / "rows.parquet")
    return Case(reading(folder / "rows.parquet"), gives(len(frame), bad))


def boundaries(rng: random.Random, folder: Path) -> Case:
    shapes, codes = list(CITY.shapes), list(CITY.codes)
    n = rng.randrange(4)
    x, y = CITY.west + 5000, CITY.south
    bow_tie = shapely.Polygon([(x, y), (x + 900, y + 900), (x + 900, y), (x, y + 900)])
    ways: dict[str, tuple[Any, str, int, tuple[str, ...]]] = {
        "bow tie": (bow_tie, codes[n], 0, ()),
        "spike": (
            shapely.Polygon(
                [(x, y), (x + 500, y), (x + 500, y + 500), (x + 500, y + 900), (x + 500, y + 500), (x, y + 500)]
            ),
            codes[n],
            0,
            (),
        ),
        "line": (shapely.LineString([(x, y), (x + 1, y)]), codes[n], 3, (codes[n], "polygon")),
        "point": (shapely.Point(x, y), codes[n], 3, (codes[n], "polygon")),
        "nothing": (None, codes[n], 3, (codes[n], "polygon")),
        "empty": (shapely.Polygon(), codes[n], 3, (codes[n], "polygon")),
        "flat": (shapely.Polygon([(x, y), (x + 9, y), (x + 18, y), (x, y)]), codes[n], 3, (codes[n], "polygon")),
        "far": (shapely.box(1e300, 1e300, 1.1e300, 1.1e300), codes[n], 3, ()),
        "blank code": (shapes[n], "  ", 3, ("code",)),
        "repeated code": (shapes[n], codes[n - 1], 3, (codes[n - 1],)),
    }
    way = rng.choice(sorted(ways))
    shapes[n], codes[n], code, says = ways[way]
    frame = gpd.GeoDataFrame({"code": codes, "name": codes}, geometry=shapes, crs=27700)
    kind = rng.choice(["geojson", "parquet"]) if way != "far" else "parquet"
    path = folder / f"wards.{kind}"
    frame.to_parquet(path) if kind == "parquet" else frame.to_file(path, driver="GeoJSON")
    area_file = AreaFile(path=path.name, code="code", name="name", crs="EPSG:27700")

    def check(found: Any) -> None:
        assert len(found.codes) == 4
        assert shapely.is_valid(found.shapes).all()
        assert (shapely.area(found.shapes) > 0).all()

    return Case(lambda: read_boundaries(area_file, base=folder, working="EPSG:27700", level="wards"), check, code, says)


def boundary_files(rng: random.Random, folder: Path) -> Case:
    """Boundary files that are none: cut off, of another kind, without a system or a column."""
    kind = rng.choice(["geojson", "gpkg", "parquet"])
    frame = gpd.GeoDataFrame({"code": CITY.codes, "name": CITY.codes}, geometry=list(CITY.shapes), crs=27700)
    way = rng.choice(["cut", "other", "no column", "no areas", "table"])
    path = folder / f"wards.{kind}"
    if way == "no areas":
        frame = frame.iloc[:0]
    frame.to_parquet(path) if kind == "parquet" else frame.to_file(path)
    if way == "cut":
        path.write_bytes(path.read_bytes()[: rng.randint(0, path.stat().st_size // 2)])
    elif way == "other":
        path.write_bytes(rng.choice([b"<html>", rng.randbytes(300), as_text(good_rows(rng, 5)).encode()]))
    elif way == "table":
        path = folder / "wards.parquet"
        pd.DataFrame({"code": CITY.codes, "name": CITY.codes}).to_parquet(path)
    code = "ward_cd" if way == "no column" else "code"
    area_file = AreaFile(path=path.name, code=code, name="name", crs="EPSG:27700")
    act: Callable[[], Any] = lambda: read_boundaries(area_file, base=folder, working="EPSG:27700", level="wards")  # noqa: E731
    return Case(act, code=3, says=("areas.wards", "wards."))


FAMILIES: dict[str, tuple[int, Callable[[random.Random, Path], Case]]] = {
    "layers cut off": (25, cut),
    "layers with flipped bits": (25, flipped),
    "files in disguise": (15, in_disguise),
    "geometries": (15, geometries),
    "GeoJSON structures": (15, structures),
    "cells of odd types": (15, values),
    "outlines": (15, boundaries),
    "boundary files": (15, boundary_files),
}
