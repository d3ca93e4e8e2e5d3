"""protection.html: what a data-protection officer reads, and that it tells no more than the folder does."""

import dataclasses
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.publish.pages.protection import protection_html, write_protection
from pipeline.release.gate import release
from pipeline.release.noise import NOISE_REACH
from pipeline.release.released import Released
from tests.kit.gated import config_of, planted

pytestmark = pytest.mark.slow

PARTNER = {
    "name": "partner", "audience": "partner", "threshold": 5, "borough_period": "fixed",
    "marking": "OFFICIAL: named partners only",
}  # fmt: skip
PUBLIC = {"name": "public", "audience": "public", "threshold": 10, "borough_period": "fixed"}
SUPPRESS = {"protection": "suppress", "protection_reason": "The council publishes exact numbers"}
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


def made(profile: dict[str, Any], wards: dict[str, int] | None = None, **changes: Any) -> Released:
    """Release a small planted city by a profile: once for the same profile, counts and settings."""
    return _made(json.dumps([profile, wards or {"B1W0": 40, "B1W1": 3, "B1W2": 30}, changes]))


@cache
def _made(asked: str) -> Released:
    profile, wards, changes = json.loads(asked)
    config = config_of([profile], **{"detect": {"gistar": {"enabled": False}}, **changes})
    return release(planted(wards), profile=config.profiles[0], config=config)


def words(released: Released) -> str:
    page = protection_html(released)
    body = re.sub(r"<(style|script)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_it_says_the_rules_in_plain_words() -> None:
    shown = words(made(PARTNER))
    assert "Counts, totals too, are given in steps of 5, each by itself, so that subtraction gives nothing." in shown
    assert "All 5 numbers of a step remain possible, for every count shown." in shown
    assert "“Fewer than 5” always includes none: an area with nothing recorded and one with 4 look the same." in shown
    assert "is off by at most 2, half a step. For “10 to 14” that is up to 20%" in shown  # 12 for 10
    assert (
        "where one borough of 15 to 19 is made up of four wards of fewer than 5, each of the four can only be 3 or 4"
        in shown
    )
    assert "Counts that are not offered at a level: they have no step, so nothing is promised about them." in shown
    assert "Passed" in shown
    assert "OFFICIAL: named partners only" in shown
    assert "No count covers less than 12 months." in shown
    quarters = words(made({**PARTNER, "borough_period": "quarter"}))
    assert "No count by ward covers less than 12 months, and none by borough less than 3 months." in quarters
    public = words(made(PUBLIC))
    assert "in steps of 10" in public
    assert "For “20 to 29” that is up to 25%" in public  # 25 for 20


def test_exact_numbers_need_a_reason_and_say_what_is_missing() -> None:
    shown = words(made({**PARTNER, **SUPPRESS}))
    assert "Counts under 5, and others from which these could be worked out, are not offered; " in shown
    assert "Why counts are not given in steps The council publishes exact numbers" in shown
    assert "For every count that is not offered, at least 5 numbers remain possible" in shown
    assert "steps of" not in shown
    low = words(made({**PARTNER, "threshold": 3, "threshold_reason": "Agreed with the panel on 3 May"}))
    assert "Why the threshold is lower than the rule Agreed with the panel on 3 May" in low


@pytest.mark.parametrize(
    ("calendar", "shown"),
    [
        (
            {"release": "quarter", "numbers": "new"},
            "New numbers are released every quarter. Between those dates pages may ",
        ),
        ({"release": "year", "numbers": "as released before"}, "These are the numbers released before."),
        ({"release": "month", "reissue": "A wrong code."}, "boroughs and larger areas were corrected: A wrong code."),
        ({"release": "each_run"}, "New numbers are released whenever this folder is made again."),
    ],
)
def test_the_calendar_and_corrections_are_stated(calendar: dict[str, str], shown: str) -> None:
    base = made(PARTNER)
    assert shown in words(dataclasses.replace(base, record=base.record | {"calendar": calendar}))


def test_earlier_releases_are_counted_or_unknown() -> None:
    base = made(PARTNER)
    for given, shown in ((1, "a reader who has one earlier release"), ("unknown", "Earlier releases are unknown")):
        assert shown in words(dataclasses.replace(base, record=base.record | {"earlier_releases": given}))


def test_blocks_of_the_impact_assessment_come_from_the_configuration() -> None:
    shown = words(made(PARTNER, protection=BLOCKS))
    for text in BLOCKS.values():
        assert text in shown
    assert "To be filled in" not in shown
    empty = words(made(PARTNER))
    assert empty.count("To be filled in") == 1
    assert all(f"protection.{key}" in empty for key in BLOCKS)


@pytest.mark.parametrize("rule", [PARTNER, {**PARTNER, **SUPPRESS}])
def test_states_of_counts_are_those_of_the_table_and_add_up(rule: dict[str, Any]) -> None:
    released = made(rule)
    wards = released.counts[released.counts["level"] == "ward"]
    lower, upper = wards["incidents_lower"], wards["incidents_upper"]
    hidden = int((lower.isna() & wards["not_offered"].str.split(";").map(lambda names: "incidents" in names)).sum())
    first = int(((lower == 0) & (upper > 0)).sum())
    tally = released.record["states"]["ward"]["incidents"]
    assert (tally["first_step"], tally["other_level"] + tally["not_offered"]) == (first, hidden)
    assert tally["rows"] == len(wards)
    for measures in released.record["states"].values():
        for states in measures.values():
            assert sum(n for state, n in states.items() if state != "rows") == states["rows"]
    row = re.search(r"Wards: incidents</th>(.*?)</tr>", protection_html(released), re.DOTALL)
    assert row is not None
    said = [int(n) for n in re.findall(r">(\d+)(?: \(\d+%\))?<", row[1])]
    assert sum(said[:-1]) == said[-1] == len(wards)
    assert set(said) <= {0, len(wards) - first - hidden, first, hidden, len(wards)}


def test_the_share_of_areas_with_a_number_is_shown_by_category() -> None:
    """The window of the headline counts; a level that does not offer the category says so."""
    base = made(PARTNER)
    windows = {base.info.headline.id: {"areas": 5, "with_number": 3, "pct": 60.0}}
    utility = {"borough": {"all": windows}, "ward_group": {"all": {}}, "ward": {"all": windows}}
    rules = base.record["rules"] | {"detail": {"all": "ward"}}
    html = protection_html(dataclasses.replace(base, record=base.record | {"utility": utility, "rules": rules}))
    assert "Areas with 5 or more, in 2024" in html
    row = re.search(r'<th scope="row">All[^<]*</th>(.*?)</tr>', html, re.DOTALL)
    assert row is not None
    assert re.findall(r">([^<>]+)<", row[1]) == ["3 of 5 (60%)", "by ward", "3 of 5 (60%)"]


def test_verdicts() -> None:
    assert "Not audited: do not publish" in words(made({**PARTNER, **SUPPRESS, "secondary": False}))
    internal = {"name": "internal", "audience": "internal", "threshold": 0, "secondary": False}
    assert "It shows single incidents" in words(made(internal))
    nothing = words(made(PUBLIC, {"B1W0": 2, "B1W1": 1}))
    assert "No number is shown." in nothing


def test_noise_states_its_errors() -> None:
    rule = {**PARTNER, "protection": "noise", "protection_reason": "A trial with two partners"}
    config = config_of([rule], detect={"gistar": {"enabled": False}})
    released = release(
        planted({"B1W0": 40}), profile=config.profiles[0], config=config, secret=b"sixteen bytes or more"
    )
    shown = words(released)
    assert f"random noise of at most {NOISE_REACH} either way" in shown
    assert f"A number may be off by {NOISE_REACH}" in shown
    assert "Noise is experimental" in shown
    assert "Not audited: do not publish" in shown
    assert re.search(r"the errors of this folder come to \d+% of its numbers\.", shown)


def test_known_tables_are_named() -> None:
    known = pd.DataFrame(
        [("B1W1", "2024-01..2024-12", "all", "incidents", 3)],
        columns=["area_code", "period", "category", "measure", "value"],
    )
    config = config_of(
        [{**PARTNER, **SUPPRESS}],
        detect={"gistar": {"enabled": False}},
        disclosure={"known_tables": [{"name": "The dashboard", "path": "d.csv"}]},
    )
    detected = dataclasses.replace(planted({"B1W0": 40, "B1W1": 3, "B1W2": 30}), known_tables=known)
    shown = words(release(detected, profile=config.profiles[0], config=config))
    assert "these published tables as well: The dashboard" in shown
    assert "public at source" in shown


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
def test_axe_finds_nothing(browser: Any, tmp_path: Path) -> None:
    from tests.kit.axe import violations_in_widths  # after the browser, without which there is none of this

    write_protection(made(PARTNER, protection=BLOCKS), tmp_path / "protection.html")
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto((tmp_path / "protection.html").as_uri())
    assert violations_in_widths(page) == []
    assert said == []
    page.close()
