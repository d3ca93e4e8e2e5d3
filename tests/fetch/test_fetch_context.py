"""Layers of context from OpenStreetMap and Ordnance Survey, by servers on this computer that answer as theirs do."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import yaml

from pipeline.commands.fetch import context, print_fetched, print_snippet
from pipeline.config import ContextLayer
from pipeline.errors import InputError
from pipeline.fetch import Client, Fetched, Limits
from pipeline.ingest.context import read_context
from tests.kit.fetch_site import Site, say, serving

BOUNDS = "-0.15,51.49,-0.10,51.53"  # a part of central London
SHAPES = "application/zip"


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


def fetched(site: Site, out: Path, path: str = "", **how: Any) -> list[Fetched]:
    asks = Client(Limits(delay_s=0, timeout_s=3, attempts=2), sleep=lambda _: None, jitter=lambda: 0.5)
    settings: dict[str, Any] = {"config": None, "bounds": BOUNDS, "source": "osm", "extract": None} | how
    return context(out, address=f"{site.address}{path}", client=asks, **settings)


def features(path: Path) -> list[tuple[str, int, str]]:
    found = json.loads(path.read_text("utf-8"))["features"]
    return [(f["properties"]["name"], f["properties"]["rank"], f["geometry"]["type"]) for f in found]


def way(number: int, points: list[tuple[float, float]], **tags: str) -> dict[str, Any]:
    return {"type": "way", "id": number, "tags": tags, "geometry": [{"lon": x, "lat": y} for x, y in points]}


def node(number: int, x: float, y: float, **tags: str) -> dict[str, Any]:
    return {"type": "node", "id": number, "lon": x, "lat": y, "tags": tags}


RING = [(-0.14, 51.50), (-0.13, 51.50), (-0.13, 51.51), (-0.14, 51.51), (-0.14, 51.50)]
HOLE = [(-0.137, 51.503), (-0.133, 51.503), (-0.133, 51.507), (-0.137, 51.507), (-0.137, 51.503)]
ELEMENTS = [
    way(1, [(-0.30, 51.51), (-0.12, 51.51)], highway="primary", ref="A4", name="Strand"),
    way(2, [(-0.14, 51.50), (-0.12, 51.52)], highway="footway", name="Never asked for"),
    way(3, RING, leisure="park", name="Green Park"),
    node(4, -0.1246, 51.5208, railway="station", name="King\u2019s Cross"),
    node(5, -0.13, 51.514, place="suburb", name="</script>{{ 7*7 }}\u0007"),
    node(6, -0.5, 51.514, place="suburb", name="Outside"),
    {
        "type": "relation", "id": 7, "tags": {"natural": "water", "name": "The Lake"},
        "members": [
            {"role": "outer", "geometry": [{"lon": x, "lat": y} for x, y in RING[:3]]},
            {"role": "outer", "geometry": [{"lon": x, "lat": y} for x, y in RING[2:]]},
            {"role": "inner", "geometry": [{"lon": x, "lat": y} for x, y in HOLE]},
        ],
    },
    {"type": "way", "id": 8, "tags": {"highway": "primary"}},  # broken: without a geometry
]  # fmt: skip


def test_overpass_is_asked_once_and_its_elements_become_layers(site: Site, tmp_path: Path) -> None:
    site.pages["/api"] = say(json.dumps({"elements": ELEMENTS}))
    done = fetched(site, tmp_path, "/api")
    question = site.query()["data"]
    assert "[bbox:51.49000,-0.15000,51.53000,-0.10000]" in question
    assert 'nwr["highway"~"^(motorway|trunk|primary|secondary|tertiary)$"];' in question
    assert {f.path.name for f in done} == {
        "roads.geojson", "green.geojson", "stations.geojson", "places.geojson", "water.geojson"
    }  # fmt: skip
    assert features(tmp_path / "roads.geojson") == [("Strand", 1, "LineString")]
    assert features(tmp_path / "stations.geojson") == [("King\u2019s Cross", 1, "Point")]
    assert features(tmp_path / "places.geojson") == [("</script>{{ 7*7 }}", 2, "Point")]
    lake = gpd.read_file(tmp_path / "water.geojson").geometry[0]
    assert lake.normalize().equals_exact(shapely.Polygon(RING, [HOLE]).normalize(), 1e-9)
    cut = gpd.read_file(tmp_path / "roads.geojson").geometry[0]
    assert cut.bounds == (-0.15, 51.51, -0.12, 51.51)
    assert done[0].record["licence"]["name"] == "Open Database License v1.0"
    assert "© OpenStreetMap contributors" in done[0].record["attribution"]


def test_a_second_fetch_changes_nothing(site: Site, tmp_path: Path) -> None:
    site.pages["/api"] = say(json.dumps({"elements": ELEMENTS}))
    fetched(site, tmp_path, "/api")
    assert not any(f.changed for f in fetched(site, tmp_path, "/api"))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"elements": [], "remark": "runtime error: Query timed out"}, "answered only in part .*timed out.*smaller"),
        ({"elements": []}, "nothing within --bounds"),
        ({"other": 1}, "sent no list of elements"),
        ([1], "sent no list of elements"),
    ],
)
def test_an_answer_that_is_not_whole_is_refused(site: Site, tmp_path: Path, answer: object, message: str) -> None:
    site.pages["/api"] = say(json.dumps(answer))
    with pytest.raises(InputError, match=message):
        fetched(site, tmp_path, "/api")
    assert not list(tmp_path.glob("*.geojson"))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"bounds": "1,2,3"}, "is no box"),
        ({"bounds": "5,50,1,52"}, "is no box"),
        ({"bounds": "-5,50,1,52"}, "more than 3: give the box of your area"),
        ({"bounds": None}, "say for which place"),
        ({"source": "bing"}, "choose os .* or osm"),
        ({"source": "os", "bounds": "2,48,2.5,49"}, "beyond the National Grid .*--source osm"),
        ({"extract": "../etc"}, "is no region"),
    ],
)
def test_what_makes_no_sense_is_asked_of_nobody(site: Site, tmp_path: Path, how: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fetched(site, tmp_path, **how)
    assert site.asked == []


def zipped(folder: Path, *, texts: dict[str, str] | None = None, **layers: gpd.GeoDataFrame) -> bytes:
    """Pack layers as shapefiles, in a folder as publishers do."""
    folder.mkdir(parents=True)
    for name, frame in layers.items():
        frame.to_file(folder / f"{name}.shp", encoding="utf-8")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"data/{file.name}")
        for name, text in (texts or {}).items():
            archive.writestr(name, text)
    return packed.getvalue()


def layer(crs: str, shapes: list[Any], **columns: list[Any]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=crs)


def test_an_extract_in_shapefiles_gives_the_same_layers(site: Site, tmp_path: Path) -> None:
    inside, outside = shapely.Point(-0.13, 51.51), shapely.Point(0.3, 51.51)
    site.pages["/europe/little-land-latest-free.shp.zip"] = say(
        zipped(
            tmp_path / "made",
            gis_osm_places_free_1=layer(
                "EPSG:4326",
                [inside, outside, inside],
                name=["Soho", "Far", "Inn"],
                fclass=["suburb", "town", "locality"],
            ),
            gis_osm_roads_free_1=layer(
                "EPSG:4326", [shapely.LineString([(-0.14, 51.50), (-0.12, 51.52)])], name=["Strand"], fclass=["primary"]
            ),
        ),
        SHAPES,
    )
    fetched(site, tmp_path / "out", extract="europe/little-land")
    assert features(tmp_path / "out" / "places.geojson") == [("Soho", 2, "Point")]
    assert features(tmp_path / "out" / "roads.geojson") == [("Strand", 1, "LineString")]
    assert [p.name for p in (tmp_path / "out" / ".pages").iterdir() if p.is_dir()] == []


def ordnance_survey(site: Site, folder: Path) -> None:
    """Serve the four products as the OS Downloads API lists them; places are given in metres of the National Grid."""
    road = layer("EPSG:27700", [shapely.LineString([(530_000, 180_000), (531_000, 181_000)])], **{
        "class": ["A Road"], "name1": [""], "roadNumber": ["A4"]
    })  # fmt: skip
    minor = layer("EPSG:27700", [shapely.LineString([(530_000, 180_500), (531_000, 181_500)])], **{
        "class": ["Unclassified"], "name1": ["Lane"], "roadNumber": [""]
    })  # fmt: skip
    park = layer(
        "EPSG:27700", [shapely.box(530_000, 180_000, 530_500, 180_500)], function=["Public Park Or Garden"],
        distName1=["Green Park"],
    )  # fmt: skip
    water = layer("EPSG:27700", [shapely.box(530_600, 180_000, 530_900, 180_400)], id=["w"])
    header = "ID,NAMES_URI,NAME1,NAME1_LANG,NAME2,NAME2_LANG,TYPE,LOCAL_TYPE,GEOMETRY_X,GEOMETRY_Y"
    names = (
        "a,u,Soho,,,,populatedPlace,Suburban Area,530500,180900\n"
        "b,u,Charing Cross,,,,transportNetwork,Railway Station,530300,180500\n"
        "c,u,SW1A 1AA,,,,other,Postcode,530400,180400\n"
    )
    archives = {
        ("OpenRoads", "TQ"): zipped(folder / "r", TQ_RoadLink=pd.concat([road, minor])),
        ("OpenGreenspace", "TQ"): zipped(folder / "g", TQ_GreenspaceSite=park),
        ("OpenMapLocal", "TQ"): zipped(folder / "m", TQ_TidalWater=water),
        ("OpenNames", "GB"): zipped(
            folder / "n", texts={"Doc/OS_Open_Names_Header.csv": "\ufeff" + header + "\n", "Data/TQ38.csv": names}
        ),
    }
    for (product, area), body in archives.items():
        listed = [{"area": area, "url": f"{site.address}/files/{product}", "format": "x", "fileName": "x.zip"}]
        site.pages[f"/products/{product}/downloads"] = say(json.dumps(listed))
        site.pages[f"/files/{product}"] = say(body, SHAPES)


@pytest.mark.slow
def test_ordnance_survey_gives_layers_that_a_run_reads(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ordnance_survey(site, tmp_path)
    done = fetched(site, tmp_path / "out", source="os")
    assert site.query(0) == {"area": "TQ", "format": "ESRI\u00ae Shapefile"}
    assert features(tmp_path / "out" / "roads.geojson") == [("A4", 1, "LineString")]
    assert features(tmp_path / "out" / "green.geojson") == [("Green Park", 1, "Polygon")]
    assert features(tmp_path / "out" / "stations.geojson") == [("Charing Cross", 1, "Point")]
    assert features(tmp_path / "out" / "places.geojson") == [("Soho", 2, "Point")]
    assert features(tmp_path / "out" / "water.geojson") == [("", 1, "Polygon")]

    print_fetched(done, as_json=False)
    capsys.readouterr()
    print_snippet(done)
    settings = [ContextLayer.model_validate(s) for s in yaml.safe_load(capsys.readouterr().out)["context"]]
    region = shapely.box(529_000, 179_000, 533_000, 183_000)
    found = read_context(settings, base=tmp_path, working="EPSG:27700", region=region)
    assert found.frame["name"].tolist() == ["", "Green Park", "A4", "Soho", "Charing Cross"]
    assert found.credits == ("Contains OS data © Crown copyright (OGL v3)",)


@pytest.mark.slow
def test_a_product_that_has_changed_is_named(site: Site, tmp_path: Path) -> None:
    ordnance_survey(site, tmp_path)
    site.pages["/products/OpenGreenspace/downloads"] = say("[]")
    with pytest.raises(InputError, match="offers no OpenGreenspace for TQ"):
        fetched(site, tmp_path / "out", source="os")
    odd = layer("EPSG:27700", [shapely.LineString([(530_000, 180_000), (531_000, 181_000)])], other=["x"])
    site.pages["/files/OpenRoads"] = say(zipped(tmp_path / "odd", TQ_RoadLink=odd), SHAPES)
    with pytest.raises(InputError, match=r"TQ_RoadLink\.shp has no column class"):
        fetched(site, tmp_path / "out2", source="os")


def test_the_bounds_of_a_configuration_are_those_of_its_wards(site: Site, tmp_path: Path) -> None:
    site.pages["/api"] = say(json.dumps({"elements": ELEMENTS}))
    layer("EPSG:4326", [shapely.box(-0.14, 51.50, -0.11, 51.52)], area_code=["W"], area_name=["W"]).to_file(
        tmp_path / "wards.geojson"
    )
    text = "areas: {wards: {path: wards.geojson}}\nincidents: [{paths: [x.csv], columns: {date: d, lon: x, lat: y}}]\n"
    (tmp_path / "my.yaml").write_text(text, "utf-8")
    fetched(site, tmp_path / "out", "/api", bounds=None, config=tmp_path / "my.yaml")
    south, west, north, east = (float(v) for v in site.query()["data"].split("bbox:")[1].split("]")[0].split(","))
    assert (west, south, east, north) == pytest.approx((-0.15, 51.49, -0.10, 51.53), abs=2e-3)
