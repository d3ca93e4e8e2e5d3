"""Context on the map: drawn under the hotspots by zoom, switched off, found by name; a name never becomes markup."""

import pytest
import shapely
from playwright.sync_api import Page, expect

from pipeline.geography.projection import project_geometries
from tests.kit import released as fixture


@pytest.fixture(scope="module")
def middle() -> str:
    """Where the river, the park and the station are, as the address says it."""
    base = fixture.city()
    centre = base.areas.loc[base.areas["level"] == "region"].geometry.iloc[0].centroid
    (place,) = project_geometries([centre], source=base.info.working_crs, working="EPSG:4326")
    return f"v={shapely.get_y(place):.4f},{shapely.get_x(place):.4f}"


def drawn(page: Page, pane: str) -> int:
    """Count the paths of a pane that show anything."""
    return page.evaluate(
        "pane => [...document.querySelectorAll(`#map_hotspots .leaflet-${pane}-pane path`)]"
        ".filter((p) => (p.getAttribute('d') || '').length > 8).length",
        pane,
    )


def names(page: Page) -> list[str]:
    return page.locator("#map_hotspots .name span").all_text_contents()


@pytest.mark.parametrize(("zoom", "stations", "road_names"), [(10.5, 0, 0), (12, 1, 0), (13.6, 2, 1), (15, 2, 1)])
def test_more_is_drawn_step_by_step(opened, middle: str, zoom: float, stations: int, road_names: int) -> None:
    done = opened("placed", f"{middle},{zoom}")
    page = done.page
    assert drawn(page, "water") == 1
    assert drawn(page, "casing") == 1
    assert drawn(page, "stations") == stations
    assert ("Grand Central" in names(page)) == (stations > 0)
    assert names(page).count("High Road") == road_names
    assert done.requests == [page.url.partition("#")[0]]
    assert done.console == []


def test_the_switch_takes_all_but_the_water_and_the_address_remembers(opened, middle: str) -> None:
    page = opened("placed", f"{middle},13.6").page
    page.get_by_label("Roads, rail, places").uncheck()
    assert (drawn(page, "water"), drawn(page, "casing"), drawn(page, "stations")) == (1, 0, 0)
    assert "Grand Central" not in names(page)
    assert "context=0" in page.evaluate("location.hash")
    again = opened("placed", page.evaluate("location.hash.slice(1)")).page
    assert drawn(again, "casing") == 0


def test_close_to_a_fill_withdraws_to_a_rim(opened, middle: str) -> None:
    page = opened("placed", f"{middle},15").page
    rims = page.locator("#map_hotspots .leaflet-areas-pane path[clip-path]")
    assert rims.count() > 0
    assert rims.first.get_attribute("fill-opacity") == "0.12"
    assert rims.first.get_attribute("stroke-width") == "10"
    expect(page.locator("#rim-note")).to_have_text("Close up, each area’s colour is the band inside its border.")
    page.locator("#zoom-home").click()
    expect(rims).to_have_count(0)
    expect(page.locator("#rim-note")).to_be_hidden()


def test_places_are_found_and_the_search_says_what_can_be_found(opened) -> None:
    page = opened("placed").page
    page.locator("#search").fill("grand c")
    expect(page.locator("#found li")).to_have_text("Grand CentralStation")
    page.locator("#search").press("Enter")
    expect(page.locator("#live")).to_have_text("The map shows Grand Central")
    assert "Grand Central" in names(page)
    page.locator("#search").fill("nowhere at all")
    expect(page.locator("#none-found")).to_contain_text("places, stations, roads, lakes and rivers and parks")


def test_a_hostile_name_is_text_and_whoever_made_the_layers_is_named(opened, middle: str) -> None:
    page = opened("placed", f"{middle},13.6").page
    assert "</script>{{7*7 }}" in names(page)  # broken into lines
    assert not any("49" in name for name in names(page))
    expect(page.locator("#credit-text")).to_have_text("Water: a mapping agency (OGL v3)")


def test_on_a_phone_the_credits_are_one_line_that_unfolds(opened) -> None:
    page = opened("placed", width=390, height=844).page
    fold, text = page.locator("#credit-fold"), page.locator("#credit-text")
    expect(text).to_be_hidden()
    assert page.locator("#credit").bounding_box()["height"] <= 20
    fold.click()
    expect(text).to_be_visible()
    fold.click()
    expect(text).to_be_hidden()
    wide = opened("placed").page
    expect(wide.locator("#credit-fold")).to_be_hidden()
    expect(wide.locator("#credit-text")).to_be_visible()


def test_a_page_without_context_has_no_switch(opened) -> None:
    page = opened("city").page
    expect(page.locator("#check-context")).to_be_hidden()
    expect(page.locator("#credit")).to_be_hidden()
