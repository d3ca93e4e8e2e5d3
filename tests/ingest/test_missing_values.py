"""Texts that stand for a missing value: the same in every column and every format, never where a setting names them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as fuzz
from hypothesis import strategies as st

from tests.kit.readers import read, settings

Frame = pd.DataFrame


def csv(folder: Path, frame: Frame) -> Path:
    frame.to_csv(folder / "rows.csv", index=False)
    return folder / "rows.csv"


def tabs(folder: Path, frame: Frame) -> Path:
    frame.to_csv(folder / "rows.csv", index=False, sep="\t")
    return folder / "rows.csv"


def parquet(folder: Path, frame: Frame) -> Path:
    frame.to_parquet(folder / "rows.parquet")
    return folder / "rows.parquet"


def layer(ending: str, driver: str) -> Callable[[Path, Frame], Path]:
    def write(folder: Path, frame: Frame) -> Path:
        east, north = (pd.to_numeric(frame[c], errors="coerce") for c in ("easting", "northing"))
        shapes = gpd.points_from_xy(east.fillna(530_500.0), north.fillna(180_500.0))
        points = gpd.GeoDataFrame(frame.drop(columns=["easting", "northing"]), geometry=shapes, crs="EPSG:27700")
        points.to_file(folder / f"rows.{ending}", driver=driver)
        return folder / f"rows.{ending}"

    return write


FORMATS = {
    "csv": csv,
    "tabs": tabs,
    "parquet": parquet,
    "geojson": layer("geojson", "GeoJSON"),
    "gpkg": layer("gpkg", "GPKG"),
}


def config(**source: Any) -> Any:
    columns = {"id": "id", "date": "date", "category": "what", "outcome": "result", "borough": "where_named"}
    return settings({"crs": None if source.pop("layer", False) else "EPSG:27700", "columns": columns, **source})


def rows(missing: str) -> Frame:
    first = ["a1", "2025-03-04", "530500", "180500", "Burglary", "charged", "B0"]
    return pd.DataFrame(
        [first, [missing] * 7, ["a3", "2025-03-05", missing, missing, missing, missing, "B1"]],
        columns=["id", "date", "easting", "northing", "what", "result", "where_named"],
    )


@pytest.mark.parametrize("write", [pytest.param(w, id=n) for n, w in FORMATS.items()])
@pytest.mark.parametrize("missing", ["NULL", "n/a", " None ", "-", "NaN", "."])
@pytest.mark.slow
def test_missing_is_missing_in_every_column_and_format(
    tmp_path: Path, write: Callable[[Path, Frame], Path], missing: str
) -> None:
    is_layer = write not in {csv, tabs, parquet}
    found = read(write(tmp_path, rows(missing)), config(layer=is_layer))
    assert found.rules == {2: "date_missing"}
    kept = found.incidents.set_index("source_row")
    assert kept["incident_id"].tolist() == ["a1", "a3"]
    assert kept.loc[3, "categories"] == ""
    assert pd.isna(kept.loc[3, "outcome"])
    if not is_layer:
        assert kept.loc[3, "place"] == "borough"
        assert kept.loc[3, "borough_code"] == "B1"
    assert found.report.unreadable == {}


def test_the_quarantine_keeps_the_row_as_it_came(tmp_path: Path) -> None:
    found = read(csv(tmp_path, rows("N/A")), config())
    assert '"date": "N/A"' in found.quarantine["raw"].item()


def test_rows_with_a_missing_id_have_none_and_never_repeat(tmp_path: Path) -> None:
    frame = rows("NULL").iloc[[0, 0, 0]].assign(id=["NULL", "null", "x"])
    found = read(csv(tmp_path, frame), config())
    assert found.report.without_id == 2
    assert found.incidents["incident_id"].nunique() == 3


def test_a_text_that_a_category_names_is_never_missing(tmp_path: Path) -> None:
    tree = [{"id": "none_stated", "match": ["None"]}, {"id": "dash", "label": "-"}, {"id": "race", "match": ["race"]}]
    frame = pd.concat([rows("x").iloc[[0]]] * 4, ignore_index=True).assign(
        what=["None", "-", "NULL", "race; N/A"], id=list("abcd")
    )
    found = read(csv(tmp_path, frame), config_with(tree))
    assert found.incidents["categories"].tolist() == ["none_stated", "dash", "", "race"]
    assert found.report.unknown_categories == {}


def config_with(tree: list[dict[str, Any]]) -> Any:
    columns = {"id": "id", "date": "date", "category": "what"}
    return settings({"columns": columns}, categories={"tree": tree})


def test_a_rule_finds_nothing_in_a_missing_value_but_what_it_names(tmp_path: Path) -> None:
    tree = [{"id": "letter", "rule": {"result": ["l"]}}, {"id": "nothing", "rule": {"result": ["none"]}}]
    frame = pd.concat([rows("x").iloc[[0]]] * 3, ignore_index=True).assign(
        result=["NULL", "None", "glad"], id=list("abc")
    )
    found = read(csv(tmp_path, frame), config_with(tree))
    assert found.incidents["categories"].tolist() == ["", "nothing", "letter"]


def test_an_outcome_that_the_settings_name_is_never_missing(tmp_path: Path) -> None:
    frame = pd.concat([rows("x").iloc[[0]]] * 2, ignore_index=True).assign(result=["None", "-"], id=list("ab"))
    found = read(csv(tmp_path, frame), config(positive_outcomes=["charged"], pending_outcomes=["none"]))
    assert found.incidents["outcome_class"].fillna("").tolist() == ["pending", ""]


def test_an_empty_list_leaves_blanks_alone_missing(tmp_path: Path) -> None:
    found = read(csv(tmp_path, rows("NULL")), config(missing_values=[]))
    assert found.rules == {2: "date_unreadable", 3: "coordinates_unreadable"}


# Texts without letters or digits of a number or date, so that they mean nothing but what the list says.
_words = st.text(st.sampled_from("#?!xyzqQ "), min_size=1, max_size=6).filter(lambda t: t.strip())


@pytest.mark.slow
@fuzz(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(word=_words)
def test_any_listed_text_reads_as_a_blank_cell_does(tmp_path: Path, word: str) -> None:
    one = read(csv(tmp_path, rows(word)), config(missing_values=[word]))
    blank = read(csv(tmp_path, rows("")), config())
    columns = [c for c in blank.incidents.columns if c != "source"]
    pd.testing.assert_frame_equal(one.incidents[columns], blank.incidents[columns])
    assert one.rules == blank.rules
