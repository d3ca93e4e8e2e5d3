"""The map offers each category by the level it is given by: wards, groups of wards, or boroughs alone."""

import re

from playwright.sync_api import expect

YEAR = "p=2024-01..2024-12"


def levels(page) -> list[str]:
    return page.locator("#map-seg label").all_text_contents()


def drawn(page) -> int:
    return page.locator("#map_hotspots .leaflet-areas-pane path").count()


def test_the_choice_of_level_follows_the_category(opened) -> None:
    page = opened("grouped", f"c=all&m=count&{YEAR}").page
    assert levels(page) == ["Wards", "Boroughs"]
    assert drawn(page) == 60
    expect(page.locator("#detail-note")).to_be_hidden()
    page.select_option("#category", "religion")
    assert levels(page) == ["Groups of wards", "Boroughs"]
    assert 9 <= drawn(page) <= 24
    expect(page.locator("#detail-note")).to_have_text(
        "Given by groups of neighbouring wards, because too few single wards would have a number."
    )
    expect(page.locator("#subtitle")).to_have_text(re.compile("by group of wards$"))
    page.select_option("#category", "antisemitic")
    expect(page.locator("#maps")).to_be_hidden()  # nothing to choose
    assert drawn(page) == 3
    expect(page.locator("#detail-note")).to_have_text(
        "Given by borough only, because too few smaller areas would have a number."
    )
    page.select_option("#category", "all")  # whoever had wards has them back
    assert drawn(page) == 60


def test_boroughs_stay_where_they_were_chosen(opened) -> None:
    page = opened("grouped", f"c=religion&m=count&{YEAR}").page
    page.locator("#map-seg label", has_text="Boroughs").click()
    page.select_option("#category", "race")
    assert drawn(page) == 3


def test_a_ward_is_found_in_its_group(opened) -> None:
    page = opened("grouped", f"c=religion&m=count&{YEAR}").page
    page.fill("#search", "Ward B1W3")
    page.keyboard.press("Enter")
    card = page.locator("#pane-area")
    expect(card.locator("h2")).to_have_text(re.compile(r"^Ward B1W\d+ and (one|two|three|\w+) neighbours?$"))
    expect(card).to_contain_text("Wards in this group:")
    expect(card).to_contain_text("Ward B1W3")
    assert re.search(r"[&#]a=G-B1W\d", page.evaluate("location.hash"))


def test_the_table_has_groups_and_is_filtered_by_their_wards(opened) -> None:
    page = opened("grouped", f"c=religion&m=count&{YEAR}").page
    page.click("#open-table")
    rows = page.locator("#table-rows tr")
    every = rows.count()
    assert every == drawn(page)
    page.fill("#table-filter", "Ward B2W9")
    expect(rows).to_have_count(1)


def test_an_address_with_another_level_is_put_right(opened) -> None:
    out = opened("grouped", f"l=ward&c=religion&m=count&{YEAR}")
    assert 9 <= drawn(out.page) <= 24
    expect(out.page.locator("#subtitle")).to_have_text(re.compile("by group of wards$"))
    assert out.console == []


def test_only_categories_of_the_level_are_compared(opened) -> None:
    page = opened("grouped", f"c=religion&m=count&{YEAR}").page
    page.click("#open-compare")
    offered = page.locator("#compare-with option").evaluate_all("all => all.map((o) => o.value)")
    assert [v for v in offered if v.startswith("c:")] == []  # no other category is given by groups
    page.locator("#map-seg label", has_text="Boroughs").click()
    offered = page.locator("#compare-with option").evaluate_all("all => all.map((o) => o.value)")
    assert {v for v in offered if v.startswith("c:")} == {"c:all", "c:race", "c:antisemitic"}
