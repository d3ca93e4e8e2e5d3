"""Layers of context: cut to the region, joined, thinned and bounded; what cannot be used is refused or reported."""

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from pipeline.config import ContextLayer
from pipeline.errors import InputError
from pipeline.ingest import context as context_module
from pipeline.ingest.context import MapContext, read_context, require_context

REGION = shapely.box(530_000, 180_000, 540_000, 190_000)
HOSTILE = "</script>{{ 7*7 }}${8*8}\u0007 `x`"


def write(path: Path, shapes: list[Any], crs: str = "EPSG:27700", **columns: list[Any]) -> Path:
    gpd.GeoDataFrame(columns or {"n": range(len(shapes))}, geometry=shapes, crs=crs).to_file(path)
    return path


def read(folder: Path, *layers: dict[str, Any], region: Any = REGION) -> MapContext:
    settings = [ContextLayer.model_validate(layer) for layer in layers]
    return read_context(settings, base=folder, working="EPSG:27700", region=region)


def test_a_road_is_cut_to_the_region_and_its_pieces_are_joined(tmp_path: Path) -> None:
    pieces = [[(525_000, 185_000), (532_000, 185_000)], [(532_000, 185_000), (545_000, 185_000)]]
    write(tmp_path / "roads.gpkg", [shapely.LineString(p) for p in pieces], ref=["A1", "A1"], grade=[1, 1])
    frame = read(tmp_path, {"path": "roads.gpkg", "kind": "road", "name": "ref", "rank": "grade"}).frame
    assert frame[["kind", "name", "rank"]].to_numpy().tolist() == [["road", "A1", 1]]
    assert frame.geometry[0].equals(shapely.LineString([(530_000, 185_000), (540_000, 185_000)]))


def test_points_outside_go_and_two_of_one_name_nearby_are_one(tmp_path: Path) -> None:
    places = [(535_000, 185_000), (535_100, 185_000), (536_000, 185_000), (550_000, 185_000)]
    names = ["Bank", "Bank", "Bank", "Away"]
    write(tmp_path / "s.gpkg", [shapely.Point(p) for p in places], name=names, rank=["2", "1", "x", "1"])
    frame = read(tmp_path, {"path": "s.gpkg", "kind": "station", "name": "name", "rank": "rank"}).frame
    assert frame["rank"].tolist() == [1, 9]  # "x" is no rank: least important
    assert [p.x for p in frame.geometry] == [535_100, 536_000]


def test_water_between_areas_is_kept_and_specks_are_not(tmp_path: Path) -> None:
    banks = shapely.union_all([shapely.box(0, 0, 1000, 5000), shapely.box(1400, 0, 2400, 5000)])
    river, pond = shapely.box(1000, 0, 1400, 5000), shapely.box(100, 100, 150, 150)
    write(tmp_path / "w.gpkg", [river, pond], name=["River", "Pond"])
    frame = read(tmp_path, {"path": "w.gpkg", "kind": "water", "name": "name"}, region=banks).frame
    assert frame["name"].tolist() == ["River"]
    assert frame.geometry[0].area == pytest.approx(400 * 5000, rel=0.02)


def test_tiles_of_a_river_are_joined_and_lakes_stay_apart(tmp_path: Path) -> None:
    # The second tile begins 6 m after the first: a slit where two tiles were thinned apart. The third lies 40 m away.
    tiles = [
        shapely.box(w, 185_000, e, 185_300) for w, e in ((531_000, 532_000), (532_006, 533_000), (533_040, 534_000))
    ]
    write(tmp_path / "w.gpkg", tiles)
    frame = read(tmp_path, {"path": "w.gpkg", "kind": "water"}).frame
    expected = [shapely.box(531_000, 185_000, 533_000, 185_300), tiles[2]]
    found = sorted(frame.geometry, key=lambda shape: shape.bounds)
    assert [a.symmetric_difference(b).area < 1 for a, b in zip(found, expected, strict=True)] == [True, True]


def test_a_layer_in_degrees_is_brought_into_the_working_system(tmp_path: Path) -> None:
    # Caister Water Tower, the worked example of Ordnance Survey's "A guide to coordinate systems in Great Britain".
    lon, lat = 1 + 42 / 60 + 57.7870 / 3600, 52 + 39 / 60 + 28.7230 / 3600
    write(tmp_path / "p.geojson", [shapely.Point(lon, lat)], crs="EPSG:4326", name=["Caister"])
    region = shapely.box(650_000, 310_000, 655_000, 315_000)
    frame = read(tmp_path, {"path": "p.geojson", "kind": "place", "name": "name", "rank": 1}, region=region).frame
    assert np.hypot(frame.geometry[0].x - 651_409.8, frame.geometry[0].y - 313_177.4) < 5  # without a grid, 5 m


@pytest.mark.slow
def test_names_are_plain_short_text_and_need_not_be_there(tmp_path: Path) -> None:
    points = [shapely.Point(535_000 + 1000 * i, 185_000) for i in range(3)]
    write(tmp_path / "n.gpkg", points, name=[HOSTILE, None, "x" * 500])
    names = read(tmp_path, {"path": "n.gpkg", "kind": "place", "name": "name"}).frame["name"].tolist()
    assert sorted(names) == ["", "</script>{{ 7*7 }}${8*8} `x`", "x" * 60]
    assert read(tmp_path, {"path": "n.gpkg", "kind": "place"}).frame["name"].tolist() == ["", "", ""]


def test_a_layer_elsewhere_or_empty_is_a_caution(tmp_path: Path) -> None:
    write(tmp_path / "far.gpkg", [shapely.Point(100_000, 900_000)])
    (tmp_path / "none.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": []}), "utf-8")
    found = read(tmp_path, {"path": "far.gpkg", "kind": "place"}, {"path": "none.geojson", "kind": "road"})
    assert len(found.frame) == 0
    assert "context[0]: nothing in far.gpkg is inside the region" in found.cautions[0]
    assert "none.geojson is empty" in found.cautions[1]


def test_too_much_is_left_out_from_the_least_important(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [shapely.Point(530_100 + i * 9, 185_000) for i in range(1000)]
    write(tmp_path / "many.gpkg", points, rank=[1 if i < 10 else 3 for i in range(1000)])
    monkeypatch.setattr(context_module, "MOST_POINTS", 100)
    found = read(tmp_path, {"path": "many.gpkg", "kind": "place", "rank": "rank"})
    assert len(found.frame) == 100
    assert (found.frame["rank"] == 1).sum() == 10
    (caution,) = found.cautions
    assert caution.startswith("context: 900 features are left out, the least important first")


def test_the_layers_that_are_drawn_are_credited_once(tmp_path: Path) -> None:
    write(tmp_path / "a.gpkg", [shapely.Point(535_000, 185_000)])
    layer = {"path": "a.gpkg", "kind": "place", "attribution": "Names: GeoNames", "licence": "CC BY 4.0"}
    assert read(tmp_path, layer, layer).credits == ("Names: GeoNames (CC BY 4.0)",)


@pytest.mark.parametrize(
    ("content", "layer", "message"),
    [
        (None, {"path": "gone.gpkg", "kind": "road"}, "gone.gpkg"),
        ("no map", {"path": "bad.geojson", "kind": "road"}, r"bad\.geojson is delimited text, not GeoJSON"),
        ("points", {"path": "p.gpkg", "kind": "road"}, r"p\.gpkg has no lines \(context\[0\]\).*Point"),
        ("points", {"path": "p.gpkg", "kind": "place", "name": "nome"}, r"context\[0\]\.name"),
    ],
)
def test_what_is_no_layer_of_its_kind_is_refused(
    tmp_path: Path, content: str | None, layer: dict[str, Any], message: str
) -> None:
    if content == "points":
        write(tmp_path / "p.gpkg", [shapely.Point(535_000, 185_000)], name=["x"])
    elif content:
        (tmp_path / "bad.geojson").write_text(content, "utf-8")
    with pytest.raises(InputError, match=message):
        read(tmp_path, layer)


def test_a_column_is_looked_for_before_a_run(tmp_path: Path) -> None:
    path = write(tmp_path / "p.gpkg", [shapely.Point(535_000, 185_000)], name=["x"])
    sound = ContextLayer.model_validate({"path": "p.gpkg", "kind": "place", "name": "name"})
    require_context(path, sound, key="context[0]")
    with pytest.raises(InputError, match=r"context\[3\]\.rank"):
        require_context(path, sound.model_copy(update={"rank": "grade"}), key="context[3]")
