"""The map as an element of folium: what is added to it, what is refused, and that no text is run as code."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import folium
import folium.plugins
import geopandas as gpd
import pytest
from branca.element import MacroElement
from jinja2 import Template

from pipeline.errors import InputError
from pipeline.publish.map import AreaLayer, DensityLayer, HotspotLayer, HotspotMap, Label, map_html
from pipeline.release.released import Released, pack
from pipeline.release.stored import read_release
from pipeline.storage.files import write_json, write_layer, write_table
from pipeline.tables import AREA_COUNTS, CIRCUMSTANCES, CONCENTRATION, CONTEXT, HOTSPOT_FACTS, STREET_RUNS
from tests.kit import released as fixture
from tests.kit.map_pages import data_of

BAD = (*fixture.HOSTILE, "{% endraw %}{{ 7*7 }}", "{{{%#{#", "{{ this._parent.released }}")
STATIONS = {
    "type": "FeatureCollection",
    "features": [
        {"type": "Feature", "properties": {"name": name}, "geometry": {"type": "Point", "coordinates": [-1.5, 53.8]}}
        for name in BAD
    ],
}


@pytest.fixture(scope="module")
def city() -> Released:
    return fixture.city()


def scripts_of(text: str) -> list[str]:
    return re.findall(r"<script>(.*?)</script>", text, re.DOTALL)


@pytest.mark.slow
def test_what_a_run_writes_is_this_map_saved(city: Released, tmp_path: Path) -> None:
    HotspotMap(city).save(str(tmp_path / "map.html"))
    assert (tmp_path / "map.html").read_bytes() == map_html(city).encode()
    drawn = HotspotMap(city)
    assert isinstance(drawn, folium.Map)
    assert drawn.get_name() == "map_hotspots"
    assert drawn.get_root().render() == drawn.get_root().render() == map_html(city)


@pytest.mark.slow
def test_no_word_of_a_release_is_in_a_script_or_style(city: Released) -> None:
    pages = [map_html(release) for release in (city, fixture.hostile_city())]
    assert scripts_of(pages[0]) == scripts_of(pages[1])
    styles = [re.findall(r"<style>(.*?)</style>", text, re.DOTALL) for text in pages]
    assert styles[0] == styles[1]


@pytest.mark.slow
def test_shapes_of_layers_that_are_left_out_are_not_in_the_page(city: Released) -> None:
    whole, without = (data_of(HotspotMap(city, layers=of).get_root().render()) for of in (None, [AreaLayer()]))
    assert len(whole["hotspots"]) == len(city.hotspots) + len(city.hotspots_by_category)
    assert len(whole["density"]) == len(city.density) + len(city.density_by_category)
    assert without["hotspots"] == without["density"] == []
    used = {r if r >= 0 else -r - 1 for level in without["levels"].values() for shape in level.get("rings", ())
            for ring in shape for r in ring}  # fmt: skip
    used |= {r if r >= 0 else -r - 1 for ring in [*without["edge"], *without["water"]] for r in ring}
    assert used == set(range(len(without["arcs"])))  # no outline is left over
    assert len(without["arcs"]) < len(whole["arcs"])
    with pytest.raises(InputError, match="needs an AreaLayer"):
        HotspotMap(city, layers=[HotspotLayer(), DensityLayer()])


@pytest.mark.slow
def test_a_layer_of_ones_own_is_data_word_for_word(city: Released) -> None:
    drawn = HotspotMap(city)
    folium.GeoJson(STATIONS, name=BAD[0]).add_child(Label(column="name")).add_to(drawn)
    folium.Marker((53.8, -1.5)).add_child(Label(BAD[0])).add_to(drawn)
    text = drawn.get_root().render()
    scripts = scripts_of(text)
    assert len(scripts) == 4
    (given,) = re.findall(r"_add\((\{.*?\})\);\n", scripts[2], re.DOTALL)
    assert json.loads(given) == STATIONS
    (block,) = re.findall(r'<script type="application/json" id="labels">(.*?)</script>', text)
    labels = json.loads(base64.b64decode(json.loads(block)["base64"]))
    assert sorted(label["text"] + label["column"] for label in labels.values()) == sorted([BAD[0], "name"])
    assert len(re.findall(r"<script", text)) == 6
    policy = html.unescape(re.findall(r'Content-Security-Policy" content="([^"]*)"', text)[0])
    hashes = ["'sha256-" + base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() + "'" for s in scripts]
    assert re.findall(r"script-src ([^;]*);", policy) == [" ".join(hashes)]
    assert text == drawn.get_root().render()
    assert scripts[:2] + scripts[3:] == scripts_of(map_html(city))  # what was added changes nothing of ours


class Stripes(MacroElement):
    """An element as a notebook writes it."""

    _template = Template(
        "{% macro header(this, kwargs) %}<style>.stripes { color: red }</style>{% endmacro %}"
        '{% macro html(this, kwargs) %}<p class="stripes" id="{{ this.get_name() }}"></p>{% endmacro %}'
        "{% macro script(this, kwargs) %}{{ this._parent.get_name() }}.on('click', () => {});{% endmacro %}"
    )

    def __init__(self) -> None:
        super().__init__()
        self._name = "Stripes"


@pytest.mark.slow
def test_an_element_of_ones_own_may_bring_styles_and_markup(city: Released) -> None:
    element = Stripes()
    text = element.add_to(HotspotMap(city)).get_root().render()
    assert ".stripes { color: red }" in re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert f'<p class="stripes" id="{element.get_name()}"></p>' in text
    assert "map_hotspots.on('click'" in scripts_of(text)[2]


def _named(template: str) -> MacroElement:
    element = MacroElement()
    element._template = Template(template)
    return element


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: folium.Marker((53.8, -1.5), popup="x"), "Popup.*Label"),
        (lambda: folium.Marker((53.8, -1.5), tooltip="x"), "Tooltip.*Label"),
        (lambda: folium.GeoJson(STATIONS, tooltip=folium.GeoJsonTooltip(["name"])), "GeoJsonTooltip.*Label"),
        (lambda: folium.GeoJson(STATIONS, popup=folium.GeoJsonPopup(["name"])), "GeoJsonPopup.*Label"),
        (lambda: folium.Marker((53.8, -1.5), icon=folium.Icon()), "Icon.*network"),
        (folium.LayerControl, "names of layers"),
        (lambda: folium.TileLayer("OpenStreetMap"), "page.tiles"),
        (lambda: folium.plugins.HeatMap([(53.8, -1.5)]), "HeatMap.*http.*without a network"),
        (folium.plugins.MarkerCluster, "MarkerCluster.*http.*without a network"),
        (lambda: folium.Element("<b>{{ 7*7 }}</b>"), "run as a template"),
        (lambda: folium.FeatureGroup().add_child(folium.Marker((0, 0), tooltip="x")), "Tooltip"),
    ],
)  # fmt: skip
def test_what_loads_from_the_network_or_runs_its_text_is_refused(
    city: Released, make: Callable[[], Any], message: str
) -> None:
    drawn = HotspotMap(city)
    with pytest.raises(InputError, match=f"(?s){message}"):
        make().add_to(drawn)
    group = folium.FeatureGroup().add_to(drawn)
    group.add_child(make())  # later, where the map is not asked
    with pytest.raises(InputError, match=f"(?s){message}"):
        drawn.get_root().render()


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% macro script(this, kwargs) %}var x = '</SCRIPT><script>1';{% endmacro %}", "ends a script"),
        ("{% macro html(this, kwargs) %}<script>1</script>{% endmacro %}", "ends a script"),
        ("{% macro header(this, kwargs) %}<link rel='stylesheet' href='x'>{% endmacro %}", "loads"),
        ("{% macro header(this, kwargs) %}<style>p {}</style>words{% endmacro %}", "more than style sheets"),
    ],
)
def test_markup_that_loads_or_ends_a_script_is_refused(city: Released, template: str, message: str) -> None:
    drawn = HotspotMap(city)
    drawn.add_child(_named(template))
    with pytest.raises(InputError, match=message):
        drawn.get_root().render()


def test_a_style_from_the_data_cannot_end_the_script(city: Released) -> None:
    drawn = HotspotMap(city)
    folium.GeoJson(STATIONS, style_function=lambda f: {"color": f["properties"]["name"]}).add_to(drawn)
    with pytest.raises(InputError, match="ends a script"):
        drawn.get_root().render()


def test_text_put_into_the_page_round_the_map_is_refused(city: Released) -> None:
    with pytest.raises(InputError, match="cannot be put into the html"):
        HotspotMap(city).get_root().html.add_child(folium.Html("<b>{{ 7*7 }}</b>"))
    with pytest.raises(InputError, match="pane"):
        HotspotMap(city).keep_in_front(folium.FeatureGroup())


@pytest.mark.slow
def test_in_a_notebook_it_is_a_frame_with_the_whole_page(city: Released) -> None:
    shown = HotspotMap(fixture.hostile_city())._repr_html_()
    (inside,) = re.findall(r'srcdoc="([^"]*)"', shown)
    assert html.unescape(inside) == map_html(fixture.hostile_city())
    assert shown.count("<") == 2  # the frame and its end
    assert "<" not in re.findall(r'title="([^"]*)"', shown)[0]


def test_a_label_has_either_words_or_a_column() -> None:
    for wrong in ({}, {"text": "a", "column": "b"}):
        with pytest.raises(ValueError, match="either"):
            Label(**wrong)


@pytest.mark.slow
def test_a_folder_of_a_run_is_drawn_again(city: Released, tmp_path: Path) -> None:
    folder, packed = tmp_path / "work" / "release" / "public", pack(fixture.city(audience="public"))
    folder.mkdir(parents=True)
    (tmp_path / "public").mkdir()
    for name in ("areas", "hotspots", "density", "hotspots_by_category", "density_by_category"):
        write_layer(folder / f"{name}.parquet", getattr(packed, name))
    write_table(folder / "counts.parquet", AREA_COUNTS, packed.counts)
    write_table(folder / "circumstances.parquet", CIRCUMSTANCES, packed.circumstances)
    write_table(folder / "facts.parquet", HOTSPOT_FACTS, packed.facts)
    write_layer(folder / "hotspot_cores.parquet", packed.cores)
    write_table(folder / "concentration.parquet", CONCENTRATION, packed.concentration)
    write_layer(folder / "streets.parquet", packed.streets)
    write_table(folder / "street_runs.parquet", STREET_RUNS, packed.street_runs)
    write_json(folder / "release.json", {"info": packed.info, "record": packed.record, "digest": packed.digest})
    write_table(tmp_path / "work" / "context.parquet", CONTEXT, gpd.GeoDataFrame(CONTEXT.empty()))
    write_json(tmp_path / "work" / "context.json", {"credits": [], "crs": "EPSG:27700"})
    again = HotspotMap.from_folder(tmp_path / "public").get_root().render()
    assert data_of(again)["levels"] == data_of(map_html(fixture.city(audience="public")))["levels"]
    with pytest.raises(InputError, match="holds no release"):
        HotspotMap.from_folder(tmp_path / "elsewhere")
    assert read_release(folder).info.audience == "public"
