"""concentration.html: its figures are those of the table, and only the internal folder has it."""

import dataclasses
import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Transformer

from pipeline.detect.concentration import Figure, Unit, Units, concentration_rows, repeat_rows
from pipeline.detect.streets.entry import hot_runs, segment_table
from pipeline.detect.streets.segments import Network
from pipeline.domain.periods import Period
from pipeline.publish.map.document import map_html
from pipeline.publish.map.overlays import overlay_fields
from pipeline.publish.pages.concentration import PAGE, concentration_html, write_concentration
from pipeline.release.released import Released
from pipeline.tables import CONCENTRATION
from tests.kit import released as fixture
from tests.kit.dark import not_darkened

pytestmark = pytest.mark.slow


def with_table(released: Released, incidents: int) -> Released:
    headline = Period.parse(released.info.headline.id)
    before = headline.shifted(-12)
    rng = np.random.default_rng(3)
    risk = rng.gamma(0.3, 1, 400)
    risk /= risk.sum()
    counts = {p: rng.multinomial(incidents, risk).astype(np.int64) for p in (before, headline)}
    units = Units(Unit.CELL, np.ones(400), lambda _, period: counts[period])
    rows = concentration_rows(
        units, categories=("all", "racist"), headline=headline, earlier=[before], seed=1, samples=9
    )
    size = {"unit": "cell", "category": "all", "period": headline.id, "figure": Figure.CELL_M.value, "at": 0.0}
    rows = [size | {"value": 250.0}, *rows, *repeat_rows(np.array([7, 2, 1]), "all", headline)]
    table = CONCENTRATION.conform(pd.DataFrame(rows, columns=CONCENTRATION.names))
    return dataclasses.replace(released, concentration=table)


def text_of(html: str) -> str:
    body = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


@pytest.fixture(scope="module")
def released() -> Released:
    return with_table(fixture.hostile_city(audience="internal"), 900)


def test_the_page_says_what_the_table_holds(released: Released) -> None:
    html = concentration_html(released)
    text = text_of(html)
    rows = {
        (r["figure"], r["at"]): r
        for r in released.concentration.to_dict("records")
        if r["period"] == released.info.headline.id and r["category"] == "all" and r["unit"] == "cell"
    }
    half = rows["holding", 50.0]
    assert f"Half of the incidents are in {half['value']:.1f}% of the squares of 250 m." in text
    assert f"the same number would be in {half['chance']:.0f}%." in text
    overlap = rows["overlap", 25.0]
    assert f"{100 * overlap['value']:.0f}%" in text
    assert f"{rows['adjusted_gini', 0.0]['value']:.2f}" in text
    assert "Scattered" in text
    # Repeat places by hand: 9 of 10 incidents at two places.
    assert "2 90%" in text.split("Share of incidents")[-1]
    for hostile in fixture.HOSTILE:
        assert f"<{hostile[1:8]}" not in html or "<" not in hostile
    assert html.count("<svg") == 1
    assert "NaN" not in html
    assert "nan" not in text


def test_streets_are_drawn_and_listed_by_run() -> None:
    hostile, plain = fixture.HOSTILE[0], fixture.city(audience="internal")
    corners = [(530_000, 180_000), (530_090, 180_020), (530_180, 180_040), (530_400, 180_000), (530_490, 180_020)]
    lines = [shapely.LineString(corners[k : k + 2]) for k in (0, 1, 3)]
    streets = gpd.GeoDataFrame(
        {"segment_id": ["a", "b", "c"], "name": [hostile, hostile, ""]}, geometry=lines, crs=plain.areas.crs
    )
    network = Network.of(np.array(lines))
    for density in (np.array([90.0, 80.0, 1.0]), None):
        table = segment_table(streets, network, np.array([40, 40, 3]), density_per_km=density)
        released = dataclasses.replace(with_table(plain, 900), streets=table, street_runs=hot_runs(table))
        html = concentration_html(released)
        assert html.count("<svg") == 2
        assert not_darkened(html) == []
        assert 'class="hot"' in html
        assert "2 hot segments" in html
        assert hostile not in html
        assert "2 184 m 80 43 " in text_of(html)  # two segments of 92.2 m with 80 incidents
    assert "work/streets" not in concentration_html(with_table(plain, 900))


def test_hot_streets_are_lines_on_the_internal_map_alone() -> None:
    hostile = fixture.HOSTILE[0]
    corners = [(530_000, 180_000), (530_090, 180_020), (530_180, 180_040), (530_400, 180_000), (530_490, 180_020)]
    lines = [shapely.LineString(corners[k : k + 2]) for k in (0, 1, 3)] + [shapely.LineString([(0, 0), (0, 60)])]
    drawn = {}
    for audience in ("internal", "partner", "public"):
        city = fixture.city(audience=audience)
        streets = gpd.GeoDataFrame(
            {"segment_id": list("abcd"), "name": [hostile, "Mill Lane", "", "Far"]}, geometry=lines, crs=city.areas.crs
        )
        # A quarter of 93 is on one segment; two others have as many.
        table = segment_table(streets, Network.of(np.array(lines)), np.array([30, 30, 30, 3]))
        made = dataclasses.replace(city, streets=table, street_runs=hot_runs(table))
        drawn[audience] = {overlay["id"]: overlay for overlay in overlay_fields(made)}
    assert drawn["partner"] == drawn["public"] == {}
    found = drawn["internal"]["streets"]
    assert found["lines"]
    # Segments of 92.2 m with 30 incidents: a and b join and are the first run, c is alone.
    assert [(f["row"], f["shade"], f["category"]) for f in found["features"]] == [
        ([hostile, "30", "33", "92", "1", "2"], 0, "all"),
        (["Mill Lane", "30", "33", "92", "1", "2"], 0, "all"),
        (["no name", "30", "33", "92", "2", "1"], 1, "all"),
    ]
    to_map = Transformer.from_crs(city.areas.crs, "EPSG:4326", always_xy=True)
    for feature, line in zip(found["features"], lines, strict=False):
        (code,) = feature["rings"]
        there = np.cumsum(np.reshape(code, (-1, 2)), axis=0) / 1e5
        assert there == pytest.approx(np.column_stack(to_map.transform(*line.xy)), abs=0.6e-5)


def test_too_few_incidents_are_said_to_be_too_few() -> None:
    text = text_of(concentration_html(with_table(fixture.city(audience="internal"), 20)))
    assert "There are too few incidents to say how concentrated they are:" in text
    assert "and 50 are needed" in text
    assert "too few" in text
    assert "None" not in text


def test_only_the_internal_folder_has_the_page_and_its_map_leads_there(released: Released, tmp_path: Path) -> None:
    link = f'href="{PAGE}"'
    write_concentration(released, tmp_path)
    assert (tmp_path / PAGE).is_file()
    assert link in map_html(released, pages={path.name for path in tmp_path.iterdir()})
    for other in (fixture.city(audience="public"), with_table(fixture.city(audience="partner"), 900)):
        (tmp_path / PAGE).unlink(missing_ok=True)
        write_concentration(other, tmp_path)
        assert not (tmp_path / PAGE).is_file()
        assert link not in map_html(other, pages={path.name for path in tmp_path.iterdir()})
