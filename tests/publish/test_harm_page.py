"""harm.html: its sentences are those of the tables, and only the internal folder has anything by harm."""

import dataclasses
import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from pipeline.detect.harm import area_table, offence_table
from pipeline.publish.exports import released_frames, tables_of
from pipeline.publish.exports.description import describe
from pipeline.publish.exports.layers import layers_of
from pipeline.publish.exports.workbook import workbook_of
from pipeline.publish.map.overlays import overlay_fields
from pipeline.publish.pages.harm import PAGE, harm_html, write_harm
from pipeline.release.patterns import Patterns
from pipeline.release.released import Released
from pipeline.tables import HARM_AREAS, HARM_DENSITY, HARM_HOTSPOTS, HARM_OFFENCES, HARM_RULES
from tests.kit import released as fixture
from tests.kit.dark import not_darkened

pytestmark = pytest.mark.slow

HOSTILE = fixture.HOSTILE[0]


def with_harm(released: Released, *, spots: bool = True) -> Released:
    """Give 100 incidents of weight 1 to the region, 10 of weight 90 beside them, and 5 without a weight."""
    harm = np.repeat([1.0, 90.0, np.nan], [100, 10, 5])
    names = np.repeat(np.array(["theft", HOSTILE, "other"], dtype=object), [100, 10, 5])
    boroughs = released.areas.loc[released.areas["level"] == "borough"]
    args = {"days": (365, 365), "min_earlier": 20, "fdr_q": 0.05}
    before = (np.zeros(40, dtype=np.int64), np.ones(40))
    codes = boroughs["area_code"].tolist()
    place = np.zeros(115, dtype=np.int64)
    areas = [
        area_table(level, of, place=place, harm=harm, earlier=before, **args)
        for level, of in (("region", [released.info.region_code]), ("borough", codes))
    ]
    rules = {"by": "offence_group", "transform": "square_root", "min_incidents": 10, "max_share_pct": 25.0,
             "incidents": 115, "weighed": 110, "left_out": 1, "earlier": "2023-08..2024-07"}  # fmt: skip
    shape, crs = boroughs.geometry.iloc[[0]].to_numpy(), released.areas.crs
    spot = {"hotspot_id": "harm-01", "category": "all", "rank": 1, "area_name": HOSTILE, "incidents": 30, "harm": 930.0,
            "per_incident": 31.0, "top_share_pct": 9.7, "by_count": 1}  # fmt: skip
    band = {"density_id": "harm-01", "category": "all", "density_low": 12.5, "density_high": None}
    tables = {
        HARM_OFFENCES.name: offence_table(harm, names, harm),
        HARM_AREAS.name: pd.concat(areas, ignore_index=True),
        HARM_RULES.name: pd.DataFrame(
            {"category": "all", "rule": list(rules), "value": [str(v) for v in rules.values()]}
        ),
    }
    if spots:
        for table, row in ((HARM_HOTSPOTS, spot), (HARM_DENSITY, band)):
            frame = table.conform(pd.DataFrame([row], columns=table.names))
            tables[table.name] = gpd.GeoDataFrame(frame, geometry=shape, crs=crs)
    return dataclasses.replace(released, patterns=Patterns(tables))


def text_of(html: str) -> str:
    body = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


@pytest.fixture(scope="module")
def released() -> Released:
    return with_harm(fixture.hostile_city(audience="internal"))


def test_counts_and_layers_have_harm_beside_incidents_in_internal_alone(released: Released) -> None:
    info = released.info
    tables = {table.contract.name: table for table in tables_of(released)}
    counts = tables["area_counts"].frame
    whole = counts[(counts["category"] == "all") & (counts["area_code"] == info.region_code)].set_index("period")
    assert list(counts.columns) == tables["area_counts"].contract.names
    # 100 of weight 1 and 10 of weight 90 after 40 of weight 1.
    latest = whole.loc[info.headline.id]
    assert latest[["harm", "harm_change_pct", "harm_change_word"]].tolist() == [1000, 2400, "higher"]
    assert (whole.loc[info.earlier.id, "harm"], whole["harm"].notna().sum()) == (40, 2)
    assert counts.loc[counts["category"] != "all", "harm"].isna().all()
    boroughs = {layer.name: layer.frame for layer in layers_of(released)}["boroughs"].set_index("area_code")
    assert sorted(boroughs["harm"].dropna()) == [0] * (len(boroughs) - 1) + [1000]
    assert set(boroughs["harm_change_word"]) == {"higher", "too few"}
    sheets = workbook_of(released, describe(released)).sheets
    heads = [column.title for sheet in sheets for column in sheet.columns]
    assert any(head.startswith("Harm (weights") for head in heads)
    partner = dataclasses.replace(fixture.city(audience="partner"), patterns=released.patterns)
    frames = released_frames(partner)
    assert not [name for table in ("area_counts", "boroughs", "wards") for name in frames[table] if "harm" in name]


def test_the_page_says_what_the_tables_hold(released: Released) -> None:
    html = harm_html(released)
    text = text_of(html)
    assert not_darkened(html) == []
    assert "accounts for 90% of the harm" in text  # 900 of 1,000
    assert "with 9.1% of the incidents that have a weight" in text  # 10 of 110
    assert "110 of 115 incidents have an offence with a weight. Harm is the sum of their square roots." in text
    assert "5 incidents without a weight count nothing here." in text
    assert "1 further cluster is no hotspot by harm" in text
    assert "at least 10 incidents and none of them has more than 25% of its harm" in text
    assert "Change on 12 months to July 2024" in text
    # 100 of weight 1 and 10 of weight 90 after 40 of weight 1: z is 960 over the root of 81,140.
    assert "higher (+2,400%)" in text
    assert html.count("<svg") == 1
    assert HOSTILE not in html
    assert "None" not in text
    assert "nan" not in text


def test_without_hotspots_there_is_no_map(released: Released) -> None:
    html = harm_html(with_harm(fixture.city(audience="internal"), spots=False))
    assert "No cluster is a hotspot by harm." in html
    assert "<svg" not in html


def test_map_and_layers_have_both(released: Released) -> None:
    overlays = {o["id"]: o for o in overlay_fields(released)}
    assert {"harm_density", "harm_hotspots"} <= set(overlays)
    assert overlays["harm_density"]["features"][0]["row"] == ["At least 12.5 per km²"]
    assert overlays["harm_hotspots"]["features"][0]["row"][1:] == ["30", "930", "9.7%"]
    assert {"harm_density", "harm_hotspots"} <= {layer.name for layer in layers_of(released)}


def test_only_the_internal_folder_has_anything_by_harm(released: Released, tmp_path: Path) -> None:
    write_harm(released, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {PAGE, "harm_areas.csv", "harm_offences.csv"}
    public = with_harm(fixture.city(audience="public"))
    write_harm(public, tmp_path / "public")
    assert not (tmp_path / "public").exists()
    assert overlay_fields(public) == []
