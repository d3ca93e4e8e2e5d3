"""The analyst's front door: what is in which folder and how it is protected, and an account of rows that adds up."""

import html
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.publish.pages.front_door import front_door
from tests.kit.gated import config_of

RULES = {"protection": "steps", "step": 10, "threshold": 10, "noise_reach": 0}
STATES = {"number": 3, "first_step": 4, "other_level": 0, "not_offered": 2, "no_data": 0, "not_covered": 1, "rows": 10}
UTILITY = {"2023": {"areas": 9, "with_number": 2, "pct": 22.2}, "2024": {"areas": 9, "with_number": 3, "pct": 33.3}}


def made(folder: Path, record: dict[str, Any]) -> str:
    (folder / "public").mkdir(exist_ok=True)
    (folder / "public" / "release.json").write_text(json.dumps(record), "utf-8")
    config = config_of([{"name": "public", "audience": "public", "threshold": 10}])
    return front_door(folder, config=config, manifest={"stages": {}, "inputs": []}, quality={})


def test_a_folder_in_steps_says_so_with_its_counts_by_state(tmp_path: Path) -> None:
    record = {
        "protected": True,
        "rules": RULES,
        "states": {"ward": {"incidents": STATES}},
        "utility": {"ward": {"all": UTILITY}},
    }
    page = made(tmp_path, record)
    assert (
        "<p>Counts, totals too, are given in steps of 10, each by itself, so that subtraction gives nothing.</p>"
        in page
    )
    assert "<p>In the latest period 3 of 9 wards have 10 or more, all categories together.</p>" in page
    said = "3 with 10 or more, 4 fewer than 10, 2 not offered, 1 not covered; 10 in all."
    assert f"<p>Counts of wards: {said}</p>" in page
    assert "public: not ready to send. Fill in protection.controller, protection.purpose" in page


def test_a_folder_that_shows_everything_says_nothing_of_protection(tmp_path: Path) -> None:
    page = made(tmp_path, {"protected": False, "rules": RULES | {"protection": "suppress", "step": 1}})
    assert "steps of" not in page
    assert "not offered" not in page


QUALITY = {
    "accounting": {
        "incidents": 39_580,
        "rows_read": 40_000,
        "quarantined": 180,
        "duplicates": 240,
        "incidents_inside_areas": 35_285,
        "incidents_without_a_place": 4_293,
        "incidents_outside_areas": 2,
        "left_out_by_where": 0,
        "merged": 0,
        "replaced": 0,
        "incidents_not_covered": 0,
    },
    "quarantined_by_rule": {"date_future": 180},
    "faults": [
        {
            "rule": "date_future",
            "rows": 180,
            "column": "occurred_on",
            "examples": ["2035-10-12"],
            "cause": "<b>late</b>",
        }
    ],
}


def lines_of(page: str) -> list[list[str]]:
    """Return the account's lines: sign, words, number, note."""
    body = page[page.index('<table class="sum">') :].partition("</table>")[0]
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in body.split("<tr")[1:]]
    return [[html.unescape(cell) for cell in row] for row in cells]


def page_of(tmp_path: Path, quality: dict[str, Any], **profile: Any) -> str:
    config = config_of([{"name": "public", "audience": "public", "threshold": 10} | profile])
    return front_door(tmp_path, config=config, manifest={"stages": {}, "inputs": []}, quality=quality)


def test_the_account_is_a_sum_that_adds_up(tmp_path: Path) -> None:
    lines = lines_of(page_of(tmp_path, QUALITY))
    assert [(sign, number) for sign, _, number, _ in lines] == [
        ("", "40,000"), ("\u2212", "240"), ("\u2212", "180"), ("=", "39,580"),
        ("", "35,285"), ("+", "4,293"), ("+", "2"), ("=", "39,580"),
    ]  # fmt: skip
    # 40,000 - 240 - 180 and 35,285 + 4,293 + 2 are both 39,580.
    assert [note for sign, *_, note in lines if sign == "="] == ["checked", "checked"]


def test_a_sum_that_does_not_add_up_says_so(tmp_path: Path) -> None:
    wrong = QUALITY | {"accounting": QUALITY["accounting"] | {"incidents_outside_areas": 3}}
    assert "difference 1" in lines_of(page_of(tmp_path, wrong))[-1][3]


def test_a_refusal_has_words_a_sample_and_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    raw = '{"name": "Somebody"}'
    rows = {"rule": ["date_future"], "source_row": [2475], "raw": [raw]}
    pd.DataFrame(rows).to_parquet(tmp_path / "work" / "quarantine.parquet")
    page = page_of(tmp_path, QUALITY)
    assert "The date is after the extract" in page
    assert "row 2,475: occurred_on 2035-10-12" in page
    assert "180 of 40,000 rows were refused (0.5%)" in page
    assert "Somebody" not in page
    assert "<b>late</b>" not in page
    assert "&lt;b&gt;late&lt;/b&gt;" in page


def test_every_file_and_every_briefing_is_listed(tmp_path: Path) -> None:
    folder = tmp_path / "public"
    (folder / "boroughs").mkdir(parents=True)
    for name in ("index.html", "area_counts.csv", "README.html", "surprise.bin"):
        (folder / name).write_text("x", "utf-8")
    for code, name in (("E1", "Ash &amp; Elm"), ("E2", "Birch")):
        (folder / "boroughs" / f"{code}.html").write_text(f"<title>Briefing: {name}</title>", "utf-8")
    page = page_of(tmp_path, QUALITY)
    assert '<a href="public/boroughs/E1.html">Briefing: Ash &amp; Elm</a>' in page
    assert '<a href="public/boroughs/E2.html">Briefing: Birch</a>' in page
    assert "2 briefings" in page
    for name in ("area_counts.csv", "README.html", "surprise.bin", "index.html"):
        assert f'href="public/{name}"' in page
    assert "residents, councillors, journalists" in page


def test_releases_say_when_new_numbers_come(tmp_path: Path) -> None:
    calendar = {"anchor": "2023-07", "data_to": "2025-07", "numbers": "as released before", "release": "quarter"}
    page = made(tmp_path, {"protected": False, "calendar": calendar, "earlier_releases": 2})
    assert "public: data to July 2025. These are the numbers released before." in page
    assert "New numbers are released every quarter." in page
    assert "2 releases before this one are known." in page


@pytest.mark.browser
def test_axe_finds_nothing(browser: Any, tmp_path: Path) -> None:
    from tests.kit.axe import violations_in_widths  # after the browser, without which there is none of this

    config = config_of([{"name": "public", "audience": "public", "threshold": 10}])
    stages = {"ingest": {"seconds": 2.0, "outputs": {}, "choices": {"snap_m": 25}, "cautions": ["Look here."]}}
    for name in ("index.html", "boroughs/a.html", "boroughs/b.html", "wards.geojson"):
        path = tmp_path / "public" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<title>{name}</title>", "utf-8")
    text = front_door(tmp_path, config=config, manifest={"stages": stages, "inputs": []}, quality=QUALITY)
    (tmp_path / "index.html").write_text(text, "utf-8")
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto((tmp_path / "index.html").as_uri())
    assert violations_in_widths(page) == []
    assert said == []
    page.close()
