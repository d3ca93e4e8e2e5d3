"""What deserves attention: the panel opens with it, the map shows its evidence, and a copy has source and cautions."""

from typing import Any

import pytest


def test_a_statement_shows_its_evidence_and_says_so(opened: Any) -> None:
    page = opened("city").page
    first = page.locator("#attention-list li").first
    assert page.locator("#attention").bounding_box()["y"] < page.locator("#category").bounding_box()["y"]
    assert page.locator("#attention-list li").count() in {3, 4, 5}
    assert first.locator("p b").first.inner_text()
    first.get_by_role("button", name="Show on the map").click()
    assert page.locator("input[name=measure][value=change]").is_checked()
    heading = page.inner_text("#heading")
    assert "change" in heading
    assert heading in page.inner_text("#live")
    assert heading in first.inner_text()


def test_a_copy_takes_source_and_cautions_along(opened: Any) -> None:
    page = opened("public", permissions=["clipboard-read", "clipboard-write"]).page
    item = page.locator("#attention-list li").first
    item.get_by_role("button", name="Copy with source and caution").click()
    page.locator("#live", has_text="Copied").wait_for(state="attached")
    text = page.evaluate("navigator.clipboard.readText()")
    assert text.startswith(item.locator("p").first.inner_text())
    assert "recorded, not experienced" in text


def test_where_the_page_may_not_copy_the_text_is_there(opened: Any) -> None:
    page = opened("city").page
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    item = page.locator("#attention-list li").first
    item.get_by_role("button", name="Copy with source and caution").click()
    assert "copy it from here" in page.inner_text("#live")
    assert "recorded, not experienced" in item.locator("textarea").input_value()


@pytest.mark.parametrize("width", [320, 390])
def test_on_a_phone_the_map_comes_first(opened: Any, width: int) -> None:
    page = opened("city", width=width, height=800).page
    tops = [page.locator(f"#{name}").bounding_box()["y"] for name in ("map_hotspots", "attention")]
    assert tops[0] < tops[1]
    button = page.get_by_role("button", name="Show on the map").first
    assert button.bounding_box()["height"] >= 44
    button.click()
    box = page.locator("#map_hotspots").bounding_box()
    assert -1 <= box["y"] < 400


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080)])
def test_what_is_chosen_on_the_map_comes_into_view(opened: Any, width: int, height: int) -> None:
    page = opened("city", width=width, height=height, reduced_motion="reduce").page
    spot = page.locator(".spot .badge").first
    rank = spot.inner_text()
    spot.dispatch_event("click")
    row = page.locator(".spotrow[aria-pressed=true]")
    assert row.locator(".badge").inner_text() == rank
    below_tabs = page.locator("#tabs").bounding_box()
    assert below_tabs["y"] + below_tabs["height"] - 1 <= row.bounding_box()["y"] <= height / 2
    # The frame and the cross of the keyboard are not shown to whoever clicks.
    page.locator("#map_hotspots").click(position={"x": 300, "y": 300})
    cross = "getComputedStyle(document.getElementById('map_hotspots'), '::after').content"
    assert page.evaluate(cross) == "none"
    page.keyboard.press("Enter")
    assert page.evaluate(cross) != "none"
    assert page.locator("#tabs").bounding_box()["y"] >= 0
    assert 0 < page.locator("#pane-area h2").first.bounding_box()["y"] <= height / 2
    assert page.evaluate("document.activeElement.id") == "map_hotspots"
    # What is in view already stays where it is.
    scrolled = page.evaluate("document.querySelector('.panel').scrollTop")
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('.panel').scrollTop") == scrolled
