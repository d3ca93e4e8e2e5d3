"""Periods are named alike on the map, in briefings and in records; the words of the legend never touch."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.domain.periods import Period
from pipeline.publish.briefings.release_index import ReleaseIndex
from pipeline.publish.exports.description import describe
from pipeline.publish.findings import lead
from pipeline.publish.map import write_map
from pipeline.publish.words import catalogue, in_period
from pipeline.release.released import PeriodInfo
from tests.kit import released as fixture

# first and last month, what it is compared with, and how both read inside a sentence
KINDS = (
    ((202507, 202507), (202407, 202407), "July 2025", "July 2024"),
    ((202504, 202506), (202404, 202406), "Q2 2025", "Q2 2024"),
    ((202404, 202503), (202304, 202403), "the financial year 2024/25", "the financial year 2023/24"),
    ((202401, 202412), (202301, 202312), "2024", "2023"),
    ((202408, 202507), (202308, 202407), "the 12 months to July 2025", "the 12 months to July 2024"),
)
IDS = ("month", "quarter", "financial year", "year", "12 months")
TOUCHING = """() => {
    const words = [...document.querySelectorAll('#legend .ticks span, #legend .ends span')]
        .filter((node) => node.textContent.trim())
        .map((node) => { const r = document.createRange(); r.selectNodeContents(node);
            return [node.textContent, r.getBoundingClientRect()]; });
    const found = [];
    words.forEach(([a, p], i) => words.slice(i + 1).forEach(([b, q]) => {
        if (p.left < q.right && q.left < p.right && p.top < q.bottom && q.top < p.bottom) found.push(a + ' / ' + b);
    }));
    return found;
}"""


def _window(months: tuple[int, int]) -> PeriodInfo:
    p = Period(*months)
    return PeriodInfo(p.id, p.label, p.start.isoformat(), p.end.isoformat(), p.days, complete=True)


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_the_map_names_a_period_as_the_briefing_does(opened, tmp_path: Path, kind) -> None:
    months, before, named, named_before = kind
    headline = _window(months)
    released = fixture.city(headline=headline, earlier=_window(before))
    write_map(released, tmp_path / "map.html")
    page = opened(tmp_path / "map.html", "l=ward&m=change").page
    card = page.locator("#pane-area .say").first.text_content()
    assert f" were recorded in {named}, " in card
    assert page.locator("#legend h2").text_content() == f"Change on {named_before}"
    if "change" in card.split(named, 1)[1]:  # the fixture gives the region's change for whole years from August 2022
        assert re.search(rf", with no clear change on {re.escape(named_before)} \([+\u2212]\d+%\)\.$", card)
    page.locator("#tab-hotspots").click()
    assert f"hate crimes in {named} (" in page.locator("#pane-hotspots").text_content()
    page.locator("input[name=map][value=density]").check(force=True)
    assert page.locator("#legend h2").text_content().endswith(f" in {named}")
    page.locator("#open-how").click()
    assert f"It covers {named}. " in page.locator("#guide").text_content()
    book = ReleaseIndex(released)
    assert f" in {named}" in "".join(text for text, _ in lead(book.case("E12000007")))
    assert in_period(headline.label) == f"in {named}"
    assert f"Layers hold {named} (" in describe(released).abstract


def test_the_change_of_a_calendar_year_reads_as_a_sentence(opened, tmp_path: Path) -> None:
    released = fixture.city(headline=_window((202401, 202412)), earlier=_window((202301, 202312)))
    write_map(released, tmp_path / "map.html")
    card = opened(tmp_path / "map.html").page.locator("#pane-area .say").first.text_content()
    region = released.counts[(released.counts["level"] == "region") & (released.counts["category"] == "all")]
    year = region[region["period"] == "2024-01..2024-12"].iloc[0]
    assert year["change_word"] == "no clear change"
    assert card.startswith(f"{year['incidents']:,} hate crimes were recorded in 2024, ")
    size = f"{abs(year['change_pct']):.0f}%"
    sign = "+" if year["change_pct"] > 0 else "\u2212"
    assert card.endswith(f", with no clear change on 2023 ({sign}{size}).")  # words first, the number in brackets


@pytest.mark.parametrize("width", [1280, 320])
def test_large_limits_stand_clear_of_the_words_at_the_ends(opened, tmp_path: Path, width: int) -> None:
    base = fixture.city()
    areas, counts = base.areas.copy(), base.counts.copy()
    areas["population"] = (areas["population"] // 90).astype("Int64")  # few residents among many visitors
    rates = ["rate_per_10000", "rate_low", "rate_high", "rate_smoothed"]
    counts[rates] *= 90
    write_map(fixture.sealed(base.info, areas, counts, base.hotspots, base.density), tmp_path / "map.html")
    page = opened(tmp_path / "map.html", "l=ward&m=rate", width=width, height=900).page
    shown = page.locator("#legend .ticks, #legend .ends").all_inner_texts()
    assert any("," in text for text in shown)  # the limits do reach a thousand
    assert any("higher" in text for text in shown)
    assert page.evaluate(TOUCHING) == []


@pytest.mark.parametrize("name", ["city", "public"])
def test_every_label_of_the_circles_lies_inside_its_picture(opened, name: str) -> None:
    """Counts in steps make small circles, whose labels need more height than they do."""
    page = opened(name, "l=ward&m=count", height=900).page
    outside = page.evaluate(
        """() => { const picture = document.querySelector('#legend > svg'), box = picture.getBoundingClientRect();
        return [...picture.querySelectorAll('text')].filter((t) => { const r = t.getBoundingClientRect();
            return r.top < box.top - 3 || r.bottom > box.bottom || r.right > box.right; })
            .map((t) => t.textContent); }"""
    )
    assert page.locator("#legend > svg text").count() >= 2
    assert outside == []


WELSH = """
[language]
name = "Cymraeg"
plural_forms = ["zero", "one", "two", "few", "many", "other"]
plural_rule = "n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n==3 ? 3 : n==6 ? 4 : 5"

[map.measure]
rate = "Cyfradd"

[map.search]
matches = { zero = "dim", one = "{n} ardal", two = "dwy ardal", few = "tair ardal", many = "{n} ardal (chwech)", other = "{n} o ardaloedd" }

[map_frame.controls]
reset = "Ailosod"

[month.short]
7 = "Gorff"
"""  # noqa: E501


def test_another_language_reaches_the_frame_of_the_page_and_its_script(opened, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "en.toml").write_bytes(catalogue.folder().joinpath("en.toml").read_bytes())
    (tmp_path / "cy.toml").write_text(WELSH, "utf-8")
    base = fixture.city()
    monkeypatch.setattr(catalogue, "folder", lambda: tmp_path)
    catalogue.catalogue_of.cache_clear()
    with catalogue.speaking("cy"):
        info = replace(base.info, language="cy")
        released = fixture.sealed(info, base.areas, base.counts, base.hotspots, base.density)
        write_map(released, tmp_path / "map.html")
    catalogue.catalogue_of.cache_clear()
    page = opened(tmp_path / "map.html").page
    assert page.locator("#reset").text_content() == "Ailosod"
    assert page.locator("#measure-seg label").all_text_contents()[:2] == ["Cyfradd", "Number"]  # English fills gaps
    assert "Gorff 2025" in page.locator("#bars").text_content()
    names = [name.lower() for name in base.areas.loc[base.areas["level"].isin(["ward", "borough"]), "name"]]
    words_of = {1: "1 ardal", 2: "dwy ardal", 3: "tair ardal", 6: "6 ardal (chwech)"}
    seen = set()
    for text in sorted({name[:k] for name in names for k in range(2, len(name) + 1)}):
        n = min(7, sum(text in name for name in names))
        if n not in seen:
            seen.add(n)
            page.locator("#search").fill(text)
            assert page.locator("#live").text_content() == words_of.get(n, f"{n} o ardaloedd")
    assert len(seen) >= 2
