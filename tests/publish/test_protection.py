"""protection.html: what a data-protection officer reads, and that it tells no more than the folder does."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.publish.protection_page import protection_html, write_protection
from pipeline.release import protect as gate_protect
from pipeline.release.gate import release
from pipeline.release.released import Released
from tests.kit.gated import config_of, planted

PARTNER = {
    "name": "partner", "audience": "partner", "threshold": 5, "borough_period": "fixed",
    "marking": "OFFICIAL: named partners only",
}  # fmt: skip
PUBLIC = {"name": "public", "audience": "public", "threshold": 10, "rounding": 5, "borough_period": "fixed"}
BLOCKS = {
    "controller": "The Commissioner of Anytown",
    "purpose": "To prevent hate crime",
    "legal_condition": "DPA 2018, part 3, section 35",
    "sharing_gateway": "Crime and Disorder Act 1998, section 115",
    "intruder_test": "Two analysts, one day, June 2025",
    "retention": "Two years",
    "review_date": "2026-06-30",
    "contact": "dpo@anytown.example",
}


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_protect, "PRUNE_CELLS", 0)


def made(profile: dict[str, Any], wards: dict[str, int] | None = None, **changes: Any) -> Released:
    config = config_of([profile], **{"detect": {"gistar": {"enabled": False}}, **changes})
    return release(planted(wards or {"B1W0": 40, "B1W1": 3, "B1W2": 30}), profile=config.profiles[0], config=config)


def words(released: Released) -> str:
    page = protection_html(released)
    body = re.sub(r"<(style|script)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_it_says_the_rules_in_plain_words() -> None:
    told = words(made(PARTNER))
    assert "Counts from 1 to 4 are withheld" in told
    assert "The two must lie at least 5 apart" in told
    assert "Passed" in told
    assert "OFFICIAL: named partners only" in told
    assert "No count covers less than 12 months." in told
    quarters = words(made({**PARTNER, "borough_period": "quarter"}))
    assert "No count of a ward covers less than 12 months, none of a borough less than 3 months." in quarters
    public = words(made(PUBLIC))
    assert "Counts from 1 to 9 are withheld" in public
    assert "rounded to 5" in public


def test_blocks_of_the_impact_assessment_come_from_the_configuration() -> None:
    told = words(made(PARTNER, protection=BLOCKS))
    for text in BLOCKS.values():
        assert text in told
    assert "To be filled in" not in told
    empty = words(made(PARTNER))
    assert empty.count("To be filled in") == len(BLOCKS)


def test_numbers_of_withheld_counts_are_those_of_the_table() -> None:
    released = made(PARTNER)
    wards = released.counts[released.counts["level"] == "ward"]
    hidden = int(wards["withheld"].str.split(";").map(lambda names: "incidents" in names).sum())
    shown = int(wards["incidents"].notna().sum())
    row = re.search(r"Wards, incidents</th>(.*?)</tr>", protection_html(released), re.DOTALL)
    assert row is not None
    assert [int(n) for n in re.findall(r">(\d+)<", row[1])] == [shown, hidden, 0, 0]


def test_verdicts() -> None:
    assert "Not audited: do not publish" in words(made({**PARTNER, "secondary": False}))
    internal = {"name": "internal", "audience": "internal", "threshold": 0, "secondary": False}
    assert "It shows single incidents" in words(made(internal))
    nothing = words(made({**PUBLIC, "zero_rule": "band"}, {"B1W0": 2, "B1W1": 1}))
    assert "Every count is withheld" in nothing


@pytest.mark.parametrize("kind", ["round", "noise"])
def test_other_ways_of_protection_are_described(kind: str) -> None:
    rule = {**PUBLIC, "protection": kind, "rounding": 5 if kind == "round" else 0}
    config = config_of([rule], detect={"gistar": {"enabled": False}})
    released = release(
        planted({"B1W0": 40}), profile=config.profiles[0], config=config, secret=b"sixteen bytes or more"
    )
    assert ("Rounding" if kind == "round" else "Noise") in words(released)


def test_known_tables_are_named() -> None:
    known = pd.DataFrame(
        [("B1W1", "2024-01..2024-12", "all", "incidents", 3)],
        columns=["area_code", "period", "category", "measure", "value"],
    )
    import dataclasses

    config = config_of(
        [PARTNER],
        detect={"gistar": {"enabled": False}},
        disclosure={"known_tables": [{"name": "The dashboard", "path": "d.csv"}]},
    )
    detected = dataclasses.replace(planted({"B1W0": 40, "B1W1": 3, "B1W2": 30}), known_tables=known)
    told = words(release(detected, profile=config.profiles[0], config=config))
    assert "public elsewhere: The dashboard" in told
    assert "public at source" in told


def test_same_release_same_bytes_and_nothing_from_elsewhere(tmp_path: Path) -> None:
    released = made(PARTNER)
    for name in ("a.html", "b.html"):
        write_protection(released, tmp_path / name)
    page = (tmp_path / "a.html").read_text("utf-8")
    assert page == (tmp_path / "b.html").read_text("utf-8")
    assert "http:" not in page
    assert "https:" not in page


def test_text_from_outside_stays_text() -> None:
    page = protection_html(made(PARTNER, protection={**BLOCKS, "purpose": "<script>{{ 7*7 }}</script>"}))
    assert "<script>" not in page
    assert "{{" not in page


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing(browser: Any, tmp_path: Path, width: int) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright")
    write_protection(made(PARTNER, protection=BLOCKS), tmp_path / "protection.html")
    page = browser.new_page(viewport={"width": width, "height": 900})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto((tmp_path / "protection.html").as_uri())
    found = axe.Axe().run(page)["violations"]
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []
    page.close()
