"""One crime type: rows selected by `where`, and categories that are counted in no total."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.aggregate.reduce import count_area_months, count_facets, count_places
from pipeline.config import parse_config
from pipeline.detect.density import places_of
from pipeline.domain.categories import in_total, outside_total
from pipeline.errors import ConfigError, InputError
from pipeline.ingest import PartReport, require_outside, require_selected
from pipeline.ingest.formats.files import Opened
from pipeline.ingest.incidents.columns import Roles
from pipeline.ingest.incidents.read import incidents_schema, plan_selection
from pipeline.release.linked_tables import category_pairs
from pipeline.release.released import CategoryInfo

CONFIG = """
areas:
  wards: {path: wards.geojson}
incidents:
  - {name: police, paths: [in.csv]}
"""


def config(where: Any = None, **categories: Any) -> Any:
    changed = yaml.safe_load(CONFIG)
    changed["categories"] = categories
    if where is not None:
        changed["incidents"][0]["where"] = where
    return parse_config(changed)


def kept(where: Any, rows: dict[str, list[str | None]], missing: frozenset[str] = frozenset()) -> list[bool]:
    source = config(where).incidents[0]
    opened = Opened("in.csv", tuple(rows), scan="")
    chosen = plan_selection(opened, roles=Roles({}, {}, "", missing=missing), source=source, key="incidents[0]")
    table = pa.table({f"c{i}": pa.array(v, pa.string()) for i, v in enumerate(rows.values())})
    return chosen.keep(table).tolist()


TYPES: dict[str, list[str | None]] = {
    "Crime type": ["Burglary", " burglary ", "Anti-social  behaviour", "", None, "Burglary dwelling", "NA"],
}


@pytest.mark.parametrize(
    ("where", "right"),
    [
        ({"Crime type": "Burglary"}, "1100000"),
        ({"crime TYPE": ["BURGLARY"]}, "1100000"),
        ({"Crime type": {"not": "anti-social behaviour"}}, "1101111"),
        ({"Crime type": {"not": ["Burglary", "Anti-social behaviour"]}}, "0001111"),
        ({"Crime type": [""]}, "0001101"),
        ({"Crime type": {"not": [None]}}, "1110010"),
        ({"Crime type": ["NA", "burglary dwelling"]}, "0000011"),
    ],
)
def test_a_cell_matches_as_a_whole_in_any_case(where: Any, right: str) -> None:
    assert kept(where, TYPES, frozenset({"na"})) == [c == "1" for c in right]


@pytest.mark.parametrize(
    ("text", "right"),
    [("flag: yes", "11100"), ("flag: no", "00011"), ("{flag: {not: yes}}", "00011"), ("flag: 1", "00100")],
)
def test_what_yaml_reads_as_a_truth_value_or_a_number_matches_as_it_is_written(text: str, right: str) -> None:
    rows: dict[str, list[str | None]] = {"flag": ["Yes", "true", "1", "N", "0"]}
    assert kept(yaml.safe_load(text), rows) == [c == "1" for c in right]


@pytest.mark.parametrize(
    "where",
    [{"a": []}, {"a": {}}, {"a": {"not": []}}, {"a": {"nott": ["x"]}}, ["Burglary"], {"a": {"not": "x", "b": 1}}],
)
def test_a_selection_that_says_nothing_is_refused(where: Any) -> None:
    with pytest.raises(ConfigError, match="where"):
        config(where)


def test_a_missing_column_is_named_with_its_key() -> None:
    with pytest.raises(InputError, match=r"'Crime typ' \(incidents\[0\]\.where\) \(did you mean .Crime type"):
        kept({"Crime typ": "Burglary"}, TYPES)


def test_a_selection_without_a_row_says_what_the_column_holds() -> None:
    source = config({"Crime type": ["Burglery"]}).incidents[0]
    part = PartReport("police/a", rows_read=5, left_out=5, where={"Crime type": {"burglary": 3, "": 2, "burglery": 0}})
    with pytest.raises(InputError, match=r"incidents\[2\]\.where leaves out all 5 rows.*'burglary' \(3 rows\)"):
        require_selected(source, [part], key="incidents[2]")
    some = PartReport("police/a", rows_read=5, left_out=2, where={"Crime type": {"burglary": 3, "theft": 2}})
    two = config({"Crime type": ["Burglary", "Robery"]}).incidents[0]
    (caution,) = require_selected(two, [some], key="incidents[0]")
    assert "'Robery'" in caution
    assert "'Burglary'" not in caution


# Categories outside the total.

TREE = [
    {"id": "crime", "match": ["crime"]},
    {"id": "theft", "parent": "crime", "match": ["theft"]},
    {"id": "asb", "match": ["asb"]},
    {"id": "noise", "parent": "asb", "match": ["noise"]},
]


def test_what_lies_below_is_outside_too() -> None:
    assert outside_total(config(tree=TREE, outside=["asb"]).categories) == {"asb", "noise"}
    assert outside_total(config(tree=TREE).categories) == set()


@pytest.mark.parametrize(
    ("outside", "says"),
    [(["all"], "the total"), (["asbo"], "did you mean .asb"), (["theft"], 'part of "crime"')],
)
def test_what_cannot_be_outside_is_refused(outside: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        config(tree=TREE, outside=outside)


def test_without_a_tree_the_category_is_looked_for_once_the_rows_are_read() -> None:
    chosen = config(outside=["anti_social"]).categories
    found: list[dict[str, str | None]] = [
        {"id": i, "label": i, "parent": None} for i in ("all", "anti_social_behaviour")
    ]
    with pytest.raises(ConfigError, match=r"did you mean .anti_social_behaviour"):
        require_outside(chosen, found)


CLOSED = ["", "asb", "asb;noise", "crime", "crime;theft", "asb;crime", "asb;crime;noise;theft"]


def part(folder: Path, texts: list[str]) -> Path:
    """Write incidents of one ward with these categories."""
    n = len(texts)
    values: dict[str, Any] = {
        "incident_id": [f"{i}" for i in range(n)], "occurred_on": ["2024-01-02"] * n, "date_precision": ["day"] * n,
        "month": [202401] * n, "categories": [t or None for t in texts], "online": [False] * n,
        "organisation": ["police"] * n, "source": ["police/a"] * n, "source_row": list(range(1, n + 1)),
        "easting_m": [1.0] * n, "northing_m": [2.0] * n, "place": ["point"] * n, "snapped": [False] * n,
        "ward_code": ["W"] * n, "borough_code": ["B"] * n,
    }  # fmt: skip
    schema = incidents_schema()
    table = pa.table({f.name: pa.array(values.get(f.name, [None] * n), f.type) for f in schema}, schema=schema)
    pq.write_table(table, folder / "part.parquet")
    return folder / "part.parquet"


@pytest.mark.slow
@given(texts=st.lists(st.sampled_from(CLOSED), min_size=1, max_size=30))
@settings(max_examples=25, deadline=None)
def test_a_row_counts_in_each_of_its_categories_and_in_the_total_unless_all_are_outside(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    made = part(tmp_path_factory.mktemp("p"), texts)
    outside = ("asb", "noise")
    whole = sum(not t or bool(set(t.split(";")) - set(outside)) for t in texts)
    months = count_area_months(made, region_code="R", outside=outside)
    for area in ("R", "B", "W"):
        of_area = months[months["area_code"] == area].set_index("category")["incidents"]
        assert of_area.get("all", 0) == whole
        for category in ("asb", "noise", "crime", "theft"):
            assert of_area.get(category, 0) == sum(category in t.split(";") for t in texts)
    facets = count_facets(made, outside=outside)
    recorded = facets[facets["facet"] == "organisation"]
    assert recorded.loc[recorded["category"] == "all", "incidents"].sum() == whole
    assert count_places(made, outside=outside)["in_no_total"].sum() == len(texts) - whole
    assert in_total(pd.Series(texts), outside).sum() == whole


def test_places_of_the_total_leave_out_what_counts_in_none() -> None:
    rows = pd.DataFrame(
        {
            "easting_m": [0.0, 1, 2],
            "northing_m": [0.0, 0, 0],
            "categories": ["asb", "asb;theft", None],
            "incidents": [5, 3, 2],
        }
    )
    counts = [int(np.sum(places_of(rows, category=c, outside=["asb"])[1])) for c in ("all", "asb", "theft")]
    assert counts == [5, 8, 3]


def test_no_relation_is_kept_between_the_total_and_what_is_outside() -> None:
    every = [
        CategoryInfo("all", "All", None),
        CategoryInfo("theft", "Theft", None),
        CategoryInfo("asb", "Antisocial behaviour", None, outside=True),
        CategoryInfo("noise", "Noise", "asb", outside=True),
    ]
    assert category_pairs(every, ["all", "theft", "asb", "noise"]) == (("theft", "all"), ("noise", "asb"))
    assert category_pairs(every, ["all", "noise"]) == ()
