"""The analyst's front door says how each folder's counts are protected, and how many are given in which way."""

import json
from pathlib import Path
from typing import Any

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
