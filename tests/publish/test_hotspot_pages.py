"""A hotspot's own page: each number against the tables it comes from, and none in folders that may not have it."""

import html
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from pipeline.publish.briefings.release_index import ReleaseIndex
from pipeline.publish.pages.hotspot import hotspot_html, persistence, write_hotspots
from pipeline.release.released import CategoryInfo, Released
from pipeline.tables import HOTSPOT_FACTS
from tests.kit.released import city, hostile_city

pytestmark = pytest.mark.slow

MONTHS = [f"{year}-{month:02d}" for year in (2023, 2024, 2025) for month in range(1, 13)]


def described(released: Released, **words: str) -> Released:
    """Give every hotspot of a release the same facts, with the numbers that the tests look for."""
    ids = released.hotspots["hotspot_id"]
    counts = dict(zip(ids, released.hotspots["incidents_lower"], strict=True))
    rows = []
    for ident in ids:
        answers: list[tuple[str, str, int | None, int | None, float | None, str]] = [
            ("recorded", "all", int(counts[ident]), 4000, None, ""),
            ("year_before", "2023-08..2024-07", 40, 3900, None, words.get("year_before", "no clear change")),
            ("earlier_outline", "2023-08..2024-07", None, None, 72.0, ""),
            ("earlier_outline", "2022-08..2023-07", None, None, 12.0, ""),
            ("distinct_places", "all", 23, None, None, ""),
            ("top_place", "all", 7, None, 12.0, ""),
            ("organisation", "police", 61, 3950, None, ""),
            ("place_type", "street", 30, 2000, None, "higher"),
            ("place_type", "home", 20, 1500, None, ""),
            ("place_type", "not stated", 5, 500, None, ""),
            ("category", "racist", 41, 2500, None, ""),
            *[("month", month, 3, 330, None, "") for month in MONTHS],
            *[
                ("weekday_hour", f"{day} {band}", 2 if (day, band) == (5, 7) else 1, 70, None, words.get("cell", ""))
                for day in range(1, 8)
                for band in range(8)
            ],
        ]
        rows += [(ident, *answer) for answer in answers]
    table = HOTSPOT_FACTS.conform(pd.DataFrame(rows, columns=HOTSPOT_FACTS.names))
    object.__setattr__(released, "facts", table)
    return released


def pages(released: Released, folder: Path) -> list[str]:
    return [path.read_text("utf-8") for path in write_hotspots(released, folder)]


def plain(markup: str) -> str:
    body = re.sub(r"<style.*?</style>", "", markup, flags=re.DOTALL)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


def test_internal_page_says_what_the_tables_say(tmp_path: Path) -> None:
    released = described(city(columns=2, rows=1))
    first = released.hotspots.sort_values("rank").iloc[0]
    text = plain(pages(released, tmp_path)[0])
    assert f"{int(first['incidents_lower']):,} hate crimes were recorded" in text
    assert "72% (12 months to July 2024) and 12% (12 months to July 2023)" in text
    assert "Persistent also found a year earlier" in text
    assert "23 different places; the busiest has 7 (12%)" in text
    assert "Police 61." in text
    assert "30 60%" in text  # of 50 that state a kind of place
    assert "The kind of place recorded most often is street (60%)" in text
    assert "Clearly more than in the rest of" in text
    assert "57 with a known day and hour" in text
    assert "No day or hour stands out" in text
    assert "No clear change" in text
    assert "▲" not in text


def test_only_a_tested_change_has_a_triangle(tmp_path: Path) -> None:
    assert "▲" in pages(described(city(columns=2, rows=1), year_before="higher"), tmp_path)[0]
    assert "▼" in pages(described(city(columns=2, rows=1), year_before="lower"), tmp_path)[0]
    few = plain(pages(described(city(columns=2, rows=1), year_before="too few"), tmp_path)[0])
    assert "Too few to compare" in few


def test_cells_that_stand_out_are_named(tmp_path: Path) -> None:
    text = plain(pages(described(city(columns=2, rows=1), cell="higher"), tmp_path)[0])
    assert "Framed: clearly more than the week of" in text
    assert "Fri 21–24" in text


@pytest.mark.parametrize(
    ("second", "child", "said"),
    [
        # Of 100 records. A city's two top categories and one that is part of the first, counted by hand.
        (40, 20, "Together they hold less than the total"),  # 41 + 40 = 81, whatever is inside the first
        (59, 20, ""),  # 41 + 59 = 100
        (70, 20, "together they hold more than the total"),  # 41 + 70 = 111
    ],
)
def test_categories_are_said_to_add_up_to_what_they_do(second: int, child: int, said: str) -> None:
    released = described(city(columns=2, rows=1))
    first = released.facts["hotspot_id"].iloc[0]
    table = released.facts[released.facts["hotspot_id"] == first].copy()
    table.loc[table["question"] == "recorded", "incidents"] = 100
    more = table[table["question"] == "category"]
    rows = [more.assign(answer=name, incidents=n) for name, n in (("faith", second), ("sub", child))]
    object.__setattr__(released, "facts", pd.concat([table, *rows], ignore_index=True))
    tops = (CategoryInfo("all", "All", None), *(CategoryInfo(i, i, "all") for i in ("racist", "faith")))
    info = replace(released.info, categories=(*tops, CategoryInfo("sub", "Sub", "racist")))
    object.__setattr__(released, "info", info)
    index = ReleaseIndex(released)
    row = next(h for h in index.hotspots if h["hotspot_id"] == first)
    text = plain(hotspot_html(index, row))
    assert "Indented categories are part of the one above them." in text
    assert [say for say in ("hold less than the total", "hold more than the total") if say in text] == [
        say for say in ("hold less than the total", "hold more than the total") if say in said
    ]


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        ((), ""),
        (("partner",), "What may leave it is in folder partner."),
        (("agencies", "public"), "What may leave it is in the folders agencies and public."),
    ],
)
def test_only_folders_that_there_are_are_named(tmp_path: Path, folders: tuple[str, ...], said: str) -> None:
    released = described(city(columns=2, rows=1))
    object.__setattr__(released, "info", replace(released.info, shared_folders=folders))
    text = plain(pages(released, tmp_path)[0])
    assert said in text
    assert ("What may leave" in text) == bool(folders)
    assert "partner folder" not in text


def test_public_folder_has_no_page(tmp_path: Path) -> None:
    assert write_hotspots(city(columns=2, rows=1, audience="public"), tmp_path) == []
    assert not (tmp_path / "hotspots").exists()


def test_partner_page_holds_the_layer_and_public_layers_alone(tmp_path: Path) -> None:
    released = city(columns=2, rows=1, audience="partner")
    for row, markup in zip(
        released.hotspots.sort_values("rank").to_dict("records"), pages(released, tmp_path), strict=True
    ):
        text = plain(markup)
        assert f"{int(row['incidents_lower'])} to {int(row['incidents_upper'])}" in text or "ewer than" in text
        for heading in ("When", "Which categories", "Over time", "Kind of place", "Who recorded it", "People"):
            assert f" {heading} " not in text


def test_partner_page_is_the_same_whatever_the_true_counts_within_their_steps(tmp_path: Path) -> None:
    # The middle of the step is a function of the step; the page does not even read it.
    released = city(columns=2, rows=1, audience="partner")
    before = pages(released, tmp_path)
    released.hotspots["incidents"] = released.hotspots["incidents_upper"]
    assert pages(released, tmp_path) == before


def test_without_hotspots_there_is_no_page(tmp_path: Path) -> None:
    released = city(columns=2, rows=1)
    object.__setattr__(released, "hotspots", released.hotspots.iloc[:0])
    assert write_hotspots(released, tmp_path) == []


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    for markup in pages(hostile_city(columns=2, rows=1), tmp_path):
        assert "<script>window" not in markup
        assert "<img" not in markup
        assert "{{" not in markup


@pytest.mark.parametrize(
    ("shares", "word"),
    [
        ([50.0, 0.0], ("persistent", 1)),
        ([90.0, 51.0], ("persistent", 2)),
        ([49.9, 50.0], ("returning", 0)),
        ([9.9, 0.0], ("new", 0)),
        ([10.0, 0.0], ("partly", 0)),
        ([], ("unknown", 0)),
    ],
)
def test_persistence_follows_the_overlap(shares: list[float], word: tuple[str, int]) -> None:
    assert persistence(shares) == word


def test_page_is_the_same_each_time() -> None:
    index = ReleaseIndex(described(city(columns=2, rows=1)))
    assert hotspot_html(index, index.hotspots[0]) == hotspot_html(index, index.hotspots[0])
