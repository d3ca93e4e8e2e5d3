"""JSON records: the API of police.uk, lists of objects, and one object a line."""

import json
from pathlib import Path

import pytest

from pipeline.config import Run
from pipeline.errors import InputError
from pipeline.ingest.formats.files import read_table
from tests.kit.readers import City, read, settings

LONDON = City(west=525_000, south=175_000, side=5000)

# The answer of police.uk's API (https://data.police.uk/docs/method/crime-street/), shortened.
ANSWER = [
    {
        "category": "anti-social-behaviour",
        "location_type": "Force",
        "location": {
            "latitude": "51.5086",
            "street": {"id": 884343, "name": "On or near Wharf Street North"},
            "longitude": "-0.1214",
        },
        "context": "",
        "outcome_status": None,
        "persistent_id": "",
        "id": 54164419,
        "location_subtype": "",
        "month": "2025-01",
    },
    {
        "category": "burglary",
        "location_type": "Force",
        "location": {"latitude": "51.5170", "street": {"id": 1, "name": "On or near X"}, "longitude": "-0.1061"},
        "context": "",
        "outcome_status": {"category": "Under investigation", "date": "2025-01"},
        "persistent_id": "590d68b69228a9ff95b675bb4af591b38de561aa03129dc09a03ef34f537588c",
        "id": 54164420,
        "location_subtype": "",
        "month": "2025-01",
    },
]


def test_the_api_of_police_uk_is_read_without_a_setting(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(ANSWER))
    found = read(tmp_path / "a.json", settings({"paths": ["a.json"], "crs": None}), city=LONDON)
    assert found.report.decisions["columns"] == {
        "id": "id (recognised)",
        "date": "month (recognised)",
        "lon": "location.longitude (recognised)",
        "lat": "location.latitude (recognised)",
        "category": "category (recognised)",
        "outcome": "outcome_status.category (recognised)",
        "location": "location.street.name (recognised)",
    }
    assert found.incidents["incident_id"].tolist() == ["54164419", "54164420"]
    assert found.incidents["occurred_on"].tolist() == ["2025-01-01", "2025-01-01"]
    # Every row has the number of the API; the persistent id is blank for anti-social behaviour.
    assert found.report.without_id == 0
    assert found.report.places["point"] == 2


@pytest.mark.parametrize(
    "text", [json.dumps(ANSWER), json.dumps(ANSWER, indent=2), "\ufeff\n" + json.dumps(ANSWER) + "\n"]
)
def test_a_list_is_read_however_it_is_laid_out(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    assert read_table(tmp_path / "a.json", encoding="utf-8")["location.street.id"].tolist() == ["884343", "1"]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("more", [{}, {"next": None, "links": []}])
def test_a_list_under_one_key_is_read_and_the_key_is_reported(
    tmp_path: Path, indent: int | None, more: dict[str, object]
) -> None:
    answer = {"meta": {"count": 2, "page": 1.5}, "data": ANSWER, **more}
    (tmp_path / "a.json").write_text(json.dumps(answer, indent=indent))
    found = read(tmp_path / "a.json", settings({"paths": ["a.json"], "crs": None}), city=LONDON)
    assert found.incidents["incident_id"].tolist() == ["54164419", "54164420"]
    assert found.report.decisions["list"] == "data"


def test_a_line_of_its_own_with_a_list_is_a_row_where_others_follow(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text('{"id": 1, "seen": [{"by": "A"}]}\n{"id": 2, "seen": []}\n')
    found = read_table(tmp_path / "a.ndjson", encoding="utf-8")
    assert found.to_dict("records") == [{"id": "1", "seen": '[{"by": "A"}]'}, {"id": "2", "seen": "[]"}]


def test_numbers_keep_their_digits_and_missing_keys_are_blank(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text(
        '{"id": 12345678901234567890, "x": 530500.10}\n\n{"id": 1, "flag": true, "list": [1, "b"]}\n'
    )
    found = read_table(tmp_path / "a.ndjson", encoding="utf-8")
    assert found.to_dict("records") == [
        {"id": "12345678901234567890", "x": "530500.10", "flag": "", "list": ""},
        {"id": "1", "x": "", "flag": "true", "list": '["1", "b"]'},
    ]


def test_a_line_that_is_no_object_is_refused_and_the_others_are_kept(tmp_path: Path) -> None:
    line = '{"id": "%s", "date": "2025-03-04", "easting": 530500, "northing": 180500}'
    (tmp_path / "a.ndjson").write_text("\n".join((line % "A", "{broken", "[1]", line % "B")))
    found = read(tmp_path / "a.ndjson", settings({"paths": ["a.ndjson"]}))
    assert (found.report.rows_read, found.report.incidents) == (4, 2)
    assert found.rules == {2: "malformed", 3: "malformed"}
    assert '"line": 2' in found.quarantine["raw"].tolist()[0]


def test_objects_longer_than_a_block_are_read_whole(tmp_path: Path) -> None:
    rows = [{"id": str(i), "text": "x" * 150_000} for i in range(20)]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    found = read_table(tmp_path / "a.json", encoding="utf-8")
    assert found["id"].tolist() == [str(i) for i in range(20)]
    assert set(found["text"].str.len()) == {150_000}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps(ANSWER)[:-1], "cut off after 2 objects"),
        (json.dumps(ANSWER)[:-30], "object 2 of its list is damaged, cut off"),
        ('[{"id": 1}, 2]', "item 2 of its list is not an object"),
        ("[]", "its list of objects is empty"),
        ('{"a": [{"id": 1}], "b": [{"id": 2}]}', "several lists of objects, under 'a' and 'b'"),
        (json.dumps({"data": ANSWER}, indent=1)[:-2], "cut off after its key 'data'"),
        (json.dumps({"data": ANSWER}, indent=1)[:-60], "object 2 of its list is damaged, cut off"),
        (json.dumps({"data": ANSWER}, indent=1) + "[]", "has something after its object"),
        ('[{"a": ' * 5000, "nested too deeply|damaged"),
    ],
)
def test_damaged_lists_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=words):
        read_table(tmp_path / "a.json", encoding="utf-8")


def test_limits_apply(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{f"k{i}": i for i in range(50)}]))
    with pytest.raises(InputError, match=r"has 50 columns, more than run\.max_columns"):
        read_table(tmp_path / "a.json", encoding="utf-8", limits=Run(max_columns=40))
    (tmp_path / "b.json").write_text(json.dumps([{"a": "x" * 3_000_000}]))
    with pytest.raises(InputError, match=r"longer than run\.max_row_kb"):
        read_table(tmp_path / "b.json", encoding="utf-8")
