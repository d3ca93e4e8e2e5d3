"""near-repeats.html: its sentences are those of the table, and only the internal folder has it."""

import dataclasses
import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.detect.knox import Knox
from pipeline.detect.near_repeats import acting_bands, table_rows
from pipeline.publish.exports.layers import layers_of
from pipeline.publish.map.document import map_html
from pipeline.publish.map.overlays import overlay_fields
from pipeline.publish.pages.near_repeats import PAGE, near_repeats_html, write_near_repeats
from pipeline.release.patterns import Patterns
from pipeline.release.released import Released
from pipeline.tables import ANALYSIS_CELLS, NEAR_REPEAT_ZONES, NEAR_REPEATS, RISK_BANDS, SPACE_TIME_CLUSTERS
from tests.kit import released as fixture

pytestmark = pytest.mark.slow

NONE = [[10, 10], [10, 10]]


def rows(category: str, observed, expected=NONE, p: float = 0.01) -> list[dict]:
    seen, chance = np.array(observed), np.array(expected, dtype=float)
    table = Knox(
        (0.0, 1.0, 150.0), (0.0, 8.0, 15.0), seen, chance, np.ma.MaskedArray(seen / chance, mask=chance == 0),
        np.full(seen.shape, p), "median", "manhattan", 300, 99, 0, (),
    )  # fmt: skip
    return table_rows(category, table, acting_bands(table))


def with_tables(released: Released, *tables: list[dict], zones: int = 0) -> Released:
    area = released.areas[released.areas["level"] == "ward"].iloc[0]
    layer = pd.DataFrame(
        {
            "zone_id": [f"all:{k}" for k in range(zones)],
            "category": "all",
            "rank": range(1, zones + 1),
            "area_code": area["area_code"],
            "area_name": area["name"],
            "incidents": 2,
            "first_day": "2025-08-01",
            "last_day": "2025-08-07",
            "days_left": 7,
            "extra_incidents": 0.25,
            "times_as_likely": 2.0,
        }
    )
    squares = [shapely.box(530_000 + 100 * k, 180_000, 530_100 + 100 * k, 180_100) for k in range(zones)]
    shapes = gpd.GeoDataFrame(NEAR_REPEAT_ZONES.conform(layer), geometry=squares, crs=released.areas.crs)
    frame = NEAR_REPEATS.conform(pd.DataFrame([row for table in tables for row in table]))
    return dataclasses.replace(released, patterns=Patterns({"near_repeats": frame, "near_repeat_zones": shapes}))


def text_of(released: Released) -> str:
    body = re.sub(r"<style>.*?</style>", "", near_repeats_html(released), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


@pytest.fixture(scope="module")
def hostile() -> Released:
    return fixture.hostile_city(audience="internal")


def test_the_sentences_say_what_the_table_holds(hostile: Released) -> None:
    found = with_tables(hostile, rows("all", [[20, 10], [30, 15]]), rows("racist", [[20, 10], [10, 10]]), zones=3)
    text = text_of(found)
    assert "At the place of an incident, another one within 7 days is 2.0 times as likely" in text
    assert "(20 pairs, 10 by chance)" in text
    assert "less than 150 m away, an incident within 7 days is 3.0 times as likely as by chance" in text
    assert "It lasts 14 days or more" in text  # 1.5 times from the 8th to the 14th day, at other places nearby
    assert "After 7 days nothing is left of it" in text  # racist
    assert "3 cells are in zones; 0.75 incidents are to be expected" in text
    assert "begin on 1 August 2025" in text
    assert "the last ends on 7 August 2025" in text
    assert "7 August 2025 (7 days) 0.25 2.0" in text
    assert "(Manhattan)" in text
    assert "nan" not in text
    for name in fixture.HOSTILE:
        assert f"<{name[1:8]}" not in near_repeats_html(found) or "<" not in name


def test_a_pooled_table_that_no_category_confirms_is_not_acted_on(hostile: Released) -> None:
    text = text_of(with_tables(hostile, rows("all", [[20, 10], [30, 10]]), rows("racist", NONE)))
    assert "Only all categories pooled show near repeats; no single category does." in text
    assert "Zones in which" not in text


@pytest.mark.parametrize(
    ("observed", "expected", "words"),
    [
        pytest.param(NONE, NONE, "No near repeats were found:", id="none"),
        pytest.param([[1, 0], [0, 0]], [[1, 1], [1, 1]], "There are too few pairs of incidents", id="too few"),
        pytest.param([[20, 10], [30, 10]], NONE, "No recent incident makes a zone", id="no recent incident"),
    ],
)
def test_what_cannot_be_acted_on_is_said(hostile: Released, observed, expected, words: str) -> None:
    assert words in text_of(with_tables(hostile, rows("all", observed, expected)))


def test_only_the_internal_folder_has_the_page_and_the_zones(hostile: Released, tmp_path: Path) -> None:
    link = f'href="{PAGE}"'
    for audience in ("internal", "partner", "public"):
        city = hostile if audience == "internal" else fixture.city(audience=audience)
        found = with_tables(city, rows("all", [[20, 10], [30, 10]]), zones=1)
        (tmp_path / PAGE).unlink(missing_ok=True)
        write_near_repeats(found, tmp_path)
        shown = audience == "internal"
        assert (tmp_path / PAGE).is_file() is shown
        assert (link in map_html(found, pages={path.name for path in tmp_path.iterdir()})) is shown
    for audience, shown in (("internal", ["all", "all"]), ("partner", []), ("public", [])):
        drawn = overlay_fields(with_tables(fixture.city(audience=audience), rows("all", NONE), zones=2))
        assert [f["category"] for o in drawn if o["id"] == "near_repeats" for f in o["features"]] == shown
    layers = {layer.name: layer for layer in layers_of(with_tables(hostile, rows("all", NONE), zones=2))}
    assert len(layers["near_repeat_zones"].frame) == 2


def test_cells_and_circles_are_on_the_internal_map_by_what_was_found(hostile: Released) -> None:
    cells = pd.DataFrame(
        {
            "feature_id": list("abc"), "category": "all", "cell_id": list("abc"), "area_code": "X", "area_name": "Ash",
            "incidents": [9, 0, 3], "covered_km2": 0.25, "density_per_km2": [36.0, 0.0, 12.0],
            "gistar_z": [3.5, -2.2, 0.1], "gistar_p": [0.0004, 0.03, 0.9], "hotspot_class": [3, -2, 0],
        }
    )  # fmt: skip
    shapes = [shapely.box(530_000 + 500 * k, 180_000, 530_500 + 500 * k, 180_500) for k in range(3)]
    cluster = dict.fromkeys(SPACE_TIME_CLUSTERS.names) | {
        "kind": "space_time", "category": "all", "rank": 1, "period": "2024-03..2024-04", "alive": True,
        "easting_m": 530_000.0, "northing_m": 180_000.0, "radius_m": 0.0, "places": 1, "area_codes": "", "notes": "",
        "observed": 30, "expected": 12.0, "p": 0.01, "simulations": 99,
    }  # fmt: skip
    tables = {
        "analysis_cells": gpd.GeoDataFrame(ANALYSIS_CELLS.conform(cells), geometry=shapes, crs=hostile.areas.crs),
        "space_time_clusters": SPACE_TIME_CLUSTERS.conform(pd.DataFrame([cluster, cluster | {"rank": 0}])),
    }
    found = dataclasses.replace(hostile, patterns=Patterns(tables))
    drawn = {overlay["id"]: overlay for overlay in overlay_fields(found)}
    assert [f["row"] for f in drawn["cells"]["features"]] == [
        ["Ash", "higher, 99% confidence", "9", "36", "0.0004"],
        ["Ash", "lower, 95% confidence", "0", "0", "0.0300"],
    ]
    assert [drawn["cells"]["keys"][f["shade"]][0] for f in drawn["cells"]["features"]] == ["g7", "g2"]
    layers = {layer.name: layer.frame for layer in layers_of(found)}
    assert len(layers["analysis_cells"]) == 3
    # A single cell has no radius: a circle of 250 m, drawn with 48 corners.
    assert layers["scan_clusters"].geometry.iloc[0].area == pytest.approx(np.pi * 250**2, rel=0.01)
    assert layers["scan_clusters"]["period_end"].tolist() == ["2024-04-30"]
    public = dataclasses.replace(fixture.city(audience="public"), patterns=found.patterns)
    assert overlay_fields(public) == []


def test_areas_are_drawn_by_their_history_and_their_quadrant(hostile: Released) -> None:
    here = (hostile.counts["period"] == hostile.info.headline.id) & (hostile.counts["level"] == "ward")
    here &= hostile.counts["category"] == "all"
    rows = hostile.counts.index[here][:3]
    counts = hostile.counts.copy()
    for column, values in {
        "emerging_class": ("persistent cold spot", "no pattern", "new hot spot"), "moran_class": ("LH", "ns", "HH")
    }.items():  # fmt: skip
        counts[column] = counts[column].astype(object)
        counts.loc[counts.index, column] = None
        counts.loc[rows, column] = values
    drawn = {o["id"]: o for o in overlay_fields(dataclasses.replace(hostile, counts=counts))}
    names = counts.loc[rows, "area_name"].tolist()
    assert [(f["row"][0], f["row"][1], f["shade"]) for f in drawn["emerging"]["features"]] == [
        (names[2], "New hot spot", 0),
        (names[0], "Persistent cold spot", 2),
    ]
    assert drawn["emerging"]["features"][0]["row"][2] == "stood out in the last period, and never before"
    assert [f["row"] for f in drawn["moran"]["features"]] == [
        [names[2], "High among high"],
        [names[0], "Low among high: an outlier"],
    ]


def test_bands_of_risk_are_drawn_the_higher_the_stronger(hostile: Released) -> None:
    rows = [
        dict.fromkeys(RISK_BANDS.names)
        | {"band_id": f"R{k}", "category": "all", "measure": "ratio", "value_low": 15.0 * k, "times_low": k}
        for k in (1.5, 3.0)
    ]
    shapes = [shapely.box(530_000 + 500 * k, 180_000, 530_500 + 500 * k, 180_500) for k in range(2)]
    layer = gpd.GeoDataFrame(RISK_BANDS.conform(pd.DataFrame(rows)), geometry=shapes, crs=hostile.areas.crs)
    found = dataclasses.replace(hostile, patterns=Patterns({"risk_bands": layer}))
    risk = next(o for o in overlay_fields(found) if o["id"] == "risk")
    assert [f["row"] for f in risk["features"]] == [
        ["1.5 times the usual risk and more", "22.50 per 10,000 residents and more"],
        ["3 times the usual risk and more", "45.00 per 10,000 residents and more"],
    ]
    assert [f["shade"] for f in risk["features"]] == [0, 1]
    assert risk["keys"][0][1] < risk["keys"][1][1]
    assert len({layer.name: layer for layer in layers_of(found)}["risk_bands"].frame) == 2
