"""The analyst's front door says how each folder's counts are protected, and how many are given in which way."""

import json
from pathlib import Path
from typing import Any

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


def test_a_folder_that_shows_everything_says_nothing_of_protection(tmp_path: Path) -> None:
    page = made(tmp_path, {"protected": False, "rules": RULES | {"protection": "suppress", "step": 1}})
    assert "steps of" not in page
    assert "not offered" not in page


QUALITY = {
    "accounting": {"incidents": 39_580, "rows_read": 40_000, "quarantined": 180, "duplicates": 240},
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


def test_rows_are_accounted_for_in_the_order_of_reading(tmp_path: Path) -> None:
    config = config_of([{"name": "public", "audience": "public", "threshold": 10}])
    page = front_door(tmp_path, config=config, manifest={"stages": {}, "inputs": []}, quality=QUALITY)
    rows = [page.index(f"<td>{words}</td>") for words in ("rows read", "rows refused", "incidents kept")]
    assert rows == sorted(rows)
    assert '<td class="n">40,000</td>' in page
    assert "<b>late</b>" not in page
    assert "&lt;b&gt;late&lt;/b&gt;" in page


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing(browser: Any, tmp_path: Path, width: int) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright")
    config = config_of([{"name": "public", "audience": "public", "threshold": 10}])
    stages = {"ingest": {"seconds": 2.0, "outputs": {}, "choices": {"snap_m": 25}, "cautions": ["Look here."]}}
    html = front_door(tmp_path, config=config, manifest={"stages": stages, "inputs": []}, quality=QUALITY)
    (tmp_path / "index.html").write_text(html, "utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto((tmp_path / "index.html").as_uri())
    found = axe.Axe().run(page)["violations"]
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []
    page.close()
