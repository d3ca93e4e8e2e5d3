"""Tables of counts with a column for each month, category or measure give the counts of the same table in long form."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.config import Config, parse_config
from pipeline.errors import ConfigError, InputError
from pipeline.ingest import counts as readers
from pipeline.ingest.counts import CountsPart
from pipeline.tables import PUBLISHED_COUNTS, QUARANTINE

AREAS = pd.DataFrame({"area_code": ["R", "B1", "B2"], "level": ["region", "borough", "borough"]})
TREE = [{"id": "burglary", "match": ["Burglary"]}, {"id": "robbery", "match": ["Robbery"]}]


def config(columns: dict[str, Any], **source: Any) -> Config:
    return parse_config(
        {
            "areas": {"wards": {"path": "w.gpkg"}},
            "published_counts": [{"paths": ["x.csv"], "period_format": "%Y%m", "columns": columns, **source}],
            "categories": {"tree": TREE},
        }
    )


def read(folder: Path, text: str, columns: dict[str, Any], **source: Any) -> CountsPart:
    path = folder / "x.csv"
    path.write_text(text, encoding="utf-8")
    settings = config(columns, **source)
    found = readers.read_counts(
        path, source=settings.published_counts[0], config=settings, areas_table=AREAS, scratch=folder
    )
    PUBLISHED_COUNTS.check(found.table)
    QUARANTINE.check(found.quarantine)
    return found


def cells(found: CountsPart) -> set[tuple[Any, ...]]:
    columns = ["area_code", "month", "category", "measure", "value"]
    return {
        tuple(None if v is pd.NA else v for v in row)
        for row in found.table[columns].astype(object).itertuples(index=False)
    }


MONTHS = "MajorText,BoroughName,Code,{},Total\nBurglary,Northby,B1,5,,0,14\nBurglary,Southby,B2,6,*,x1,6\n"
COLUMNS = {"area_code": "Code", "category": "MajorText", "wide": "period"}


@pytest.mark.parametrize(
    ("titles", "form"),
    [
        ("202401,202402,202403", "%Y%m"),
        ("Jan-24,Feb-24,Mar-24", "%b-%y"),
        ("January 2024,February 2024,March 2024", "%B %Y"),
        ("2024-01-01,2024-02-01,2024-03-01", "%Y-%m-%d"),
    ],
)
def test_months_as_columns(tmp_path: Path, titles: str, form: str) -> None:
    found = read(tmp_path, MONTHS.format(titles), COLUMNS, period_format=form)
    # By hand: a blank cell is no row, `*` is suppressed, `x1` is no number and the cell is unknown.
    assert cells(found) == {
        ("B1", 202401, "burglary", "incidents", 5),
        ("B1", 202403, "burglary", "incidents", 0),
        ("B2", 202401, "burglary", "incidents", 6),
        ("B2", 202402, "burglary", "incidents", None),
        ("B2", 202403, "burglary", "incidents", None),
    }
    report = found.report
    assert (report.rows_read, report.suppressed, report.quarantined) == (5, 1, {"value": 1})
    assert report.wide == {"rows": 2, "blank_cells": 1}
    assert json.loads(found.quarantine["raw"].iloc[0]) == {
        "MajorText": "Burglary",
        "Code": "B2",
        "(period)": titles.split(",")[2],
        "(value)": "x1",
        "(row)": "2",
    }


@pytest.mark.slow
def test_categories_and_measures_as_columns(tmp_path: Path) -> None:
    text = "Code,Month,Burglary,Robbery,Notes\nB1,202401,5,2,checked\nB2,202401,0,,\n"
    found = read(tmp_path, text, {"area_code": "Code", "period": "Month", "wide": "category"})
    assert {(a, c, n) for a, _, c, _, n in cells(found)} == {
        ("B1", "burglary", 5),
        ("B1", "robbery", 2),
        ("B2", "burglary", 0),
    }
    text = "Code,Month,Kind,Offences,Solved\nB1,202401,Burglary,5,2\n"
    columns = {"area_code": "Code", "period": "Month", "category": "Kind", "wide": "measure"}
    found = read(tmp_path, text, columns, measures={"Offences": "incidents", "Solved": "positive_outcomes"})
    assert {(m, n) for *_, m, n in cells(found)} == {("incidents", 5), ("positive_outcomes", 2)}


@pytest.mark.slow
def test_columns_are_listed_by_name_or_by_number(tmp_path: Path) -> None:
    found = read(tmp_path, MONTHS.format("202401,202402,202403"), {**COLUMNS, "wide_columns": ["202401"]})
    assert {(a, m, n) for a, m, _, _, n in cells(found)} == {("B1", 202401, 5), ("B2", 202401, 6)}
    text = "B1,202401,5,2\nB2,202401,6,3\n"
    columns = {"area_code": 1, "period": 2, "wide": "category", "wide_columns": [3, 4]}
    tree = [{"id": "burglary", "match": ["column 3"]}, {"id": "robbery", "match": ["column 4"]}]
    settings = parse_config(
        {
            "areas": {"wards": {"path": "w.gpkg"}},
            "published_counts": [
                {"paths": ["x.csv"], "period_format": "%Y%m", "header_row": "none", "columns": columns}
            ],
            "categories": {"tree": tree},
        }
    )
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    found = readers.read_counts(
        tmp_path / "x.csv", source=settings.published_counts[0], config=settings, areas_table=AREAS
    )
    assert {(a, c, n) for a, _, c, _, n in cells(found)} == {
        ("B1", "burglary", 5),
        ("B1", "robbery", 2),
        ("B2", "burglary", 6),
        ("B2", "robbery", 3),
    }


def test_lines_outside_a_wide_table_are_never_summed(tmp_path: Path) -> None:
    text = f"Recorded crime,,,,,,\n{MONTHS.format('202401,202402,202403')}Total,,,11,0,0,20\nSource: police.uk,,,,,,\n"
    found = read(tmp_path, text, COLUMNS)
    assert int(found.report.accounting["published"].sum()) == 11
    assert [line["number"] for line in found.report.outside] == [1, 5, 6]


@pytest.mark.parametrize(
    ("titles", "words"),
    [
        (
            "Jan-24,Feb-24,Mar-24",
            r"columns.*months.*period_format \('%Y%m'\) says.*'Jan-24'",
        ),
        ("202401,202402,Mar-24", r"columns that look like months.*'Mar-24'"),
        ("202401,202402,202402", r"columns.*or stand twice: '202402 \(2\)'"),
        ("a,b,c", r"no column whose name is a month in period_format '%Y%m'.*Set period_format"),
    ],
)
def test_columns_that_are_not_clear_are_refused(tmp_path: Path, titles: str, words: str) -> None:
    with pytest.raises(InputError, match=rf"x\.csv has {words}"):
        read(tmp_path, MONTHS.format(titles), COLUMNS)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({**COLUMNS, "value": "n"}, "leave out value"),
        ({**COLUMNS, "period": "m", "value": "n"}, "leave out period and value"),
        ({"wide_columns": ["a"]}, "wide_columns needs wide"),
    ],
)
def test_contradictions_are_refused(columns: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config(columns)


def test_settings_can_be_read_back() -> None:
    settings = config({**COLUMNS, "wide_columns": ["202401"]})
    assert parse_config(settings.settings()) == settings


def test_malformed_rows_count_once(tmp_path: Path) -> None:
    found = read(tmp_path, MONTHS.format("202401,202402,202403") + "Burglary,Northby\n", COLUMNS)
    assert found.report.quarantined == {"malformed": 1, "value": 1}


@pytest.mark.parametrize("wide", ["period", "category", "measure"])
def test_the_mets_counts_are_the_same_in_every_form(tmp_path: Path, real_data: Path, wide: str) -> None:
    """Unfolded by the pipeline, the tables that pandas pivots give the counts of the published long table."""
    path = next((real_data / "mps_hate").glob("*monthly*.csv.gz"))
    raw = pd.read_csv(path, dtype="str", keep_default_na=False)
    raw = raw[raw["area_code"].str.startswith("E09")].groupby(
        ["area_code", "month_year", "crime_subtype", "measure"], as_index=False
    ).agg(count=("count", lambda n: str(n.astype(int).sum())))  # fmt: skip
    names = {"area_code": "area_code", "period": "month_year", "category": "crime_subtype", "measure": "measure"}
    spread = raw.pivot(  # noqa: PD010 a key that stands twice is an error here
        index=[n for part, n in names.items() if part != wide], columns=names[wide], values="count"
    ).reset_index()
    spread.to_csv(tmp_path / "wide.csv", index=False)
    raw.to_csv(tmp_path / "long.csv", index=False)
    areas = pd.DataFrame({"area_code": sorted(raw["area_code"].unique()), "level": "borough"})
    labels = sorted(raw["crime_subtype"].unique())
    tables = []
    for name, columns in (
        ("long", names | {"value": "count"}),
        ("wide", {part: n for part, n in names.items() if part != wide} | {"wide": wide}),
    ):
        settings = parse_config(
            {
                "areas": {"wards": {"path": "w.gpkg"}},
                "published_counts": [
                    {
                        "paths": ["x.csv"],
                        "columns": columns,
                        "measures": {"Offences": "incidents", "Positive Outcomes": "positive_outcomes"},
                    }
                ],
                "categories": {"tree": [{"id": f"c{i}", "match": [label]} for i, label in enumerate(labels)]},
            }
        )
        found = readers.read_counts(
            tmp_path / f"{name}.csv", source=settings.published_counts[0], config=settings, areas_table=areas
        )
        assert found.report.rows_read == len(raw)
        tables.append(found.table)
    pd.testing.assert_frame_equal(*tables)
