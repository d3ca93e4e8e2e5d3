"""The data dictionary and the GIS page say what the files hold."""

import json
import re
from pathlib import Path

import pandas as pd
import pyogrio
import pytest

from pipeline.publish.dictionary import data_dictionary
from pipeline.publish.exports import write_exports
from pipeline.statistics.change import ChangeWord
from pipeline.statistics.rates import Reliability
from pipeline.tables import AREA_COUNTS, AREAS, PUBLISHED_COUNTS, Level, Measure, Table
from tests.kit.released import city

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
README = (ROOT / "outputs" / "README.md").read_text("utf-8")
PAGE = (ROOT / "docs" / "gis.md").read_text("utf-8")
TABLE_OF = {"boroughs": "areas", "wards": "areas", "hotspots": "hotspots", "density": "density",
            "hotspots_by_category": "hotspots_by_category", "density_by_category": "density_by_category"}  # fmt: skip
EXPECTED_TYPES = {"string": {"String"}, "int": {"Integer"}, "float": {"Real"}, "bool": {"Integer"}, "date": {"Date"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("public")
    write_exports(city(audience="public"), path, geoparquet=True, flatgeobuf=True)
    return path


def documented(table: str, categories: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """Read one table of the page, with the rows of open columns repeated for each category."""
    section = README.split(f"\n`{table}`: ", 1)[1].split("\n\n")[1]
    head, _, *rows = [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in section.splitlines()]
    entries = [dict(zip((h.strip() for h in head), row, strict=False)) for row in rows]
    each = [entry for entry in entries if "<category>" in entry["column"]]
    found = [entry for entry in entries if entry not in each]
    for category in categories:  # the columns of one category stand together
        found += [entry | {"column": entry["column"].replace("<category>", category)} for entry in each]
    return found


def test_the_page_is_the_one_the_contracts_make() -> None:
    assert data_dictionary() == README, "run: python -m pipeline.publish.dictionary > outputs/README.md"


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        (AREA_COUNTS, "change_word", ChangeWord),
        (AREA_COUNTS, "reliability", [word for word in Reliability if word]),
        (AREA_COUNTS, "level", [level for level in Level if level not in {Level.THIRD, Level.FOURTH}]),
        (AREAS, "level", [level for level in Level if level != Level.WARD_GROUP]),
        (PUBLISHED_COUNTS, "measure", [Measure.INCIDENTS, Measure.POSITIVE_OUTCOMES]),
    ],
)
def test_the_meaning_of_a_column_names_every_word_it_holds(table: Table, column: str, words: list[str]) -> None:
    (text,) = (c.text for c in table.columns if c.name == column)
    assert set(re.findall(r"`([^`]+)`", text)) == set(words)


@pytest.mark.parametrize("name", TABLE_OF)
def test_layers_hold_the_documented_columns(folder: Path, name: str) -> None:
    categories = ("racist", "faith", "homophobic", "transphobic")
    rows = documented(TABLE_OF[name], categories)
    columns = [row["column"] for row in rows]
    info = pyogrio.read_info(folder / "hotspots.gpkg", layer=name)
    assert list(info["fields"]) == columns
    for row, kind in zip(rows, info["ogr_types"], strict=True):
        assert kind.removeprefix("OFT") in EXPECTED_TYPES[row["kind"]], row["column"]
    collection = json.loads((folder / f"{name}.geojson").read_text("utf-8"))
    assert all(list(feature["properties"]) == columns for feature in collection["features"])
    optional = {row["column"] for row in rows if row["may be empty"] == "yes"}
    empty = {c for feature in collection["features"] for c, v in feature["properties"].items() if v is None}
    assert empty <= optional
    assert list(pyogrio.read_info(folder / f"{name}.fgb")["fields"]) == columns
    assert list(pd.read_parquet(folder / f"{name}.parquet").columns) == [*columns, "geometry"]


def test_the_table_holds_the_documented_columns(folder: Path) -> None:
    rows = documented("area_counts")
    found = pd.read_csv(folder / "area_counts.csv", keep_default_na=False, dtype=str)
    assert list(found.columns) == [row["column"] for row in rows]
    for row in rows:
        if row["may be empty"] != "yes" and row["column"] not in {"not_offered", "withheld"}:
            assert (found[row["column"]] != "").all(), row["column"]


def test_every_file_is_documented(folder: Path) -> None:
    listed = set(re.findall(r"`([^`]+)`", README.split("In each profile's folder:")[1].split("\n\n")[1]))
    listed |= {f"{layer}{suffix}" for layer in TABLE_OF for suffix in (".parquet", ".fgb")}
    assert {path.name for path in folder.iterdir()} <= listed


def test_the_examples_for_gis_teams_run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(folder)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, "docs/gis.md", "exec"), {})  # noqa: S102 - our own page
    printed = capsys.readouterr().out
    assert "in the first step," in printed
    assert "2024-08..2025-07" in printed or "2025-07" in printed
    made = pyogrio.read_info(folder / "wards.shp")
    assert "rate10k" in made["fields"]
    assert max(map(len, made["fields"])) <= 10


def test_the_gis_page_names_every_layer_and_style(folder: Path) -> None:
    for layer, style in pyogrio.read_dataframe(folder / "hotspots.gpkg", layer="layer_styles")[
        ["f_table_name", "styleName"]
    ].itertuples(index=False):
        (row,) = [line for line in PAGE.splitlines() if line.startswith("|") and f"`{layer}`" in line]
        assert style in row
    assert (ROOT / "docs" / "qgis.png").stat().st_size < 300_000
