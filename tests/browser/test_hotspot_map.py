"""The map with a notebook's own layer, and inside a notebook's frame, in a real browser."""

from pathlib import Path

import folium
import pytest

from pipeline.publish.map import AreaLayer, HotspotMap, Label
from tests.kit.released import HOSTILE


def with_own_layer(released) -> HotspotMap:
    """A map with a square of hostile names at each corner of the middle, and a marker."""
    drawn = HotspotMap(released)
    west, south, east, north = released.areas.to_crs(4326).total_bounds
    x, y, w, h = (west + east) / 2, (south + north) / 2, (east - west) / 40, (north - south) / 40
    corners = [[x - w, y - h], [x + w, y - h], [x + w, y + h], [x - w, y + h], [x - w, y - h]]
    geometry = {"type": "Polygon", "coordinates": [corners]}
    features = [{"type": "Feature", "properties": {"name": name}, "geometry": geometry} for name in HOSTILE[:4]]
    for feature in features:
        layer = folium.GeoJson({"type": "FeatureCollection", "features": [feature]}, name=feature["properties"]["name"])
        layer.add_child(Label(column="name")).add_to(drawn)
    folium.Marker((y + 6 * h, x)).add_child(Label(HOSTILE[0])).add_to(drawn)
    return drawn


@pytest.fixture
def own(releases, tmp_path: Path) -> Path:
    path = tmp_path / "own.html"
    with_own_layer(releases("public")).save(str(path))
    return path


def test_a_layer_of_ones_own_lies_over_the_areas_and_asks_for_nothing(opened, own: Path) -> None:
    seen = opened(own)
    page = seen.page
    assert [url for url in seen.requests if not url.startswith("data:")] == [own.as_uri()]
    assert seen.failed == seen.console == []
    layer = page.locator("#map_hotspots .leaflet-overlay-pane path.leaflet-interactive")
    assert layer.count() == 4
    box = layer.last.bounding_box()
    top = "([x, y]) => document.elementFromPoint(x, y).closest('.leaflet-pane').className"
    assert "overlay-pane" in page.evaluate(top, [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    assert page.evaluate("document.querySelector('img.leaflet-marker-icon').naturalWidth") in {25, 50}
    assert page.locator("#map_hotspots .leaflet-areas-pane path").count() == 54  # and ours is whole


def test_names_in_a_layer_of_ones_own_are_plain_text(opened, own: Path) -> None:
    page = opened(own).page
    layer = page.locator("#map_hotspots .leaflet-overlay-pane path.leaflet-interactive")
    for k, name in enumerate(HOSTILE[:4]):
        layer.nth(k).dispatch_event("mouseover")
        assert name in page.locator(".leaflet-tooltip").all_text_contents()
        layer.nth(k).dispatch_event("mouseout")
    page.locator("img.leaflet-marker-icon").dispatch_event("mouseover")
    assert HOSTILE[0] in page.locator(".leaflet-tooltip").all_text_contents()
    assert page.locator(".leaflet-tooltip script, .leaflet-tooltip img").count() == 0
    assert page.evaluate("window.pwned") is None


def test_an_error_in_a_layer_of_ones_own_leaves_the_map_whole(opened, releases, tmp_path: Path) -> None:
    drawn = HotspotMap(releases("public"))
    broken = folium.GeoJson(
        {"type": "FeatureCollection", "features": []}, on_each_feature=folium.JsCode("nothing.at.all")
    )
    broken.add_to(drawn)
    folium.CircleMarker((0, 0), pane="no such pane").add_to(drawn)
    drawn.save(str(tmp_path / "broken.html"))
    page = opened(tmp_path / "broken.html").page
    assert page.locator("#map_hotspots .leaflet-areas-pane path").count() == 54


def test_without_hotspots_and_density_the_map_opens(opened, releases, tmp_path: Path) -> None:
    HotspotMap(releases("city"), layers=[AreaLayer()]).save(str(tmp_path / "areas.html"))
    seen = opened(tmp_path / "areas.html")
    assert seen.console == []
    assert seen.page.locator("#map_hotspots .leaflet-spots-pane path").count() == 0


def test_a_notebooks_frame_shows_the_map(browser, releases, tmp_path: Path) -> None:
    shown = with_own_layer(releases("public"))._repr_html_()
    (tmp_path / "notebook.html").write_text(f"<!DOCTYPE html><title>Notebook</title>{shown}", "utf-8")
    context = browser.new_context(viewport={"width": 1000, "height": 900}, offline=True)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((tmp_path / "notebook.html").as_uri())
    frame = page.frame_locator("iframe")
    frame.locator("html[data-ready]").wait_for(state="attached")
    assert frame.locator("#map_hotspots .leaflet-areas-pane path").count() == 54
    assert frame.locator("#map_hotspots .leaflet-overlay-pane path.leaflet-interactive").count() == 4
    frame.locator("#open-table").click()
    assert frame.locator("#table-rows tr").count() > 0
    frame.locator("#close-table").click()
    frame.locator("input[name=measure][value=count]").check(force=True)
    assert complaints == []
    context.close()
