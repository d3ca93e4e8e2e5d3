"""The address remembers; odd addresses do no harm; tiles may fail; awkward releases still work; paper is complete."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import shapely
from playwright.sync_api import expect

from pipeline.publish.map import write_map
from tests.kit import released as fixture

STATES = [
    "l=ward&m=change&c=racist&p=2024-08..2025-07&a=B00-11",
    "l=borough&m=count&c=faith&p=2023-05&names=0",
    "l=density&m=rate&c=all&p=2024-08..2025-07&on=ward&tab=hotspots",
    "l=ward&m=rate&c=all&p=2024-08..2025-07&h=H02&x=c%3Afaith&t=dark",
    "l=ward&m=significance&c=all&p=2024-08..2025-07&spots=0&v=51.48%2C-0.1%2C12.5",
]


def shown(page) -> tuple:
    return (
        page.locator("#heading").text_content(),
        page.locator("#subtitle").text_content(),
        page.locator("#pane-area h2").text_content(),
        page.locator("#legend").text_content(),
        page.locator("#category").input_value(),
        page.evaluate("document.documentElement.dataset.theme"),
        page.evaluate(
            """[...document.querySelectorAll('#map_hotspots .leaflet-areas-pane path')]
            .map((p) => p.getAttribute('fill')).join()"""
        ),
        page.locator(".spotrow[aria-pressed=true]").count(),
        page.locator("#mapbox2").is_visible(),
    )


def follow(page, state: str) -> None:
    """Write another address into the window, and wait until the page has taken it."""
    page.evaluate(
        """state => new Promise((done) => {
        addEventListener("hashchange", () => setTimeout(done), { once: true });
        location.hash = state;
        })""",
        state,
    )


def test_the_address_brings_everything_back(opened) -> None:
    page = opened("city").page
    for state in STATES:
        page.locator("#reset").evaluate("node => node.click()")
        follow(page, state)
        page.locator("#show-names").evaluate("node => { node.click(); node.click(); }")
        kept = page.evaluate("location.hash.slice(1)")
        assert set(state.split("&")) <= set(kept.split("&"))
        assert shown(opened("city", kept).page) == shown(page), state


def unharmed(seen, state: str) -> None:
    assert seen.console == [], state
    assert seen.page.locator("#heading").text_content() == "Hate crime per 10,000 residents"
    assert seen.page.locator("#pane-area h2").text_content() == "Anytown"


def test_a_bad_address_does_no_harm(opened) -> None:
    """Where the page opens with it, and where it follows another."""
    seen = opened("city", "%")
    unharmed(seen, "%")
    for state in (
        "a=%E0%A4%A&m=rate",
        "l=__proto__&m=constructor&c=toString&p=hasOwnProperty",
        "a=B99&h=H99&x=p%3Anever&v=1e9,NaN,3",
        "=&=&&",
        "v=<script>,2,3&t=pink",
        "x" * 5000,
    ):
        follow(seen.page, state)
        unharmed(seen, state)
    mixed = "l=__proto__&m=constructor&a=B99&h=H99&x=p%3Anever&v=1e9,NaN,3&t=pink"
    unharmed(opened("city", mixed), mixed)


def test_reset_brings_the_first_state_back(opened) -> None:
    page = opened("city").page
    first = shown(page)
    page.locator("input[name=measure][value=count]").check(force=True)
    page.locator("#category").select_option("racist")
    page.locator("input[name=map][value=borough]").check(force=True)
    page.locator("#open-compare").click()
    page.locator("#zoom-in").click()
    page.locator("#reset").click()
    assert shown(page) == first


def test_the_period_follows_the_level_and_play_goes_through_it(opened) -> None:
    page = opened("city").page
    assert page.locator("#period").get_attribute("max") == "3"
    page.locator("input[name=map][value=borough]").check(force=True)
    page.locator("input[name=kind][value=m]").check(force=True)
    assert page.locator("#period").get_attribute("max") == "47"
    assert page.locator("#subtitle").text_content() == "July 2025, by borough"
    page.locator("#period").fill("45")
    assert page.locator("#subtitle").text_content() == "May 2025, by borough"
    page.locator("#play").click()
    assert page.locator("#subtitle").text_content() == "June 2025, by borough"
    expect(page.locator("#subtitle")).to_have_text("July 2025, by borough")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play through the periods")


def test_two_maps_move_together_and_share_their_classes(opened) -> None:
    page = opened("city").page
    page.locator("#open-compare").click()
    page.locator("#compare-with").select_option("c:racist")
    assert page.locator("#label-left").text_content() == "All hate crime"
    ends = """id => {
        const p = document.querySelector('#' + id + ' .leaflet-areas-pane path').getBoundingClientRect();
        const f = document.getElementById(id).getBoundingClientRect();
        return [p.left - f.left, p.top - f.top, p.width];
    }"""
    page.locator("#zoom-in").click()
    assert page.evaluate(ends, "map_hotspots") == pytest.approx(page.evaluate(ends, "map2"), abs=2)
    page.locator("#compare-close").click()
    assert page.locator("#mapbox2").is_hidden()


def test_density_says_what_it_covers(opened) -> None:
    page = opened("city", "l=ward&c=faith&p=2022-08..2023-07").page
    page.locator("input[name=map][value=density]").check(force=True)
    assert "no density surface for Faith" in page.locator("#notice-text").text_content()
    assert page.locator("#subtitle").text_content() == "12 months to July 2025"
    assert page.locator(".leaflet-bands-pane path").count() == 0
    page.locator("#notice-action").click()
    assert page.locator(".leaflet-bands-pane path").count() >= 3
    assert page.locator("#period").is_disabled()


def test_hotspots_of_all_are_never_drawn_under_another_period(opened) -> None:
    page = opened("city", "l=ward&m=rate&c=all&p=2023-08..2024-07").page
    assert page.locator("#map_hotspots .leaflet-spots-pane path").count() == 0


def test_a_known_spike_lies_under_its_outline(opened, tmp_path: Path) -> None:
    """Half a cell is 125 m: measured on the screen against two corners of the city whose places are known."""
    base = fixture.city()
    spike = shapely.Point(528_400.0, 178_300.0)
    hotspots = base.hotspots.iloc[:1].copy()
    hotspots["geometry"] = [spike.buffer(144.3, quad_segs=2)]
    write_map(fixture.sealed(base.info, base.areas, base.counts, hotspots, base.density), tmp_path / "spike.html")
    page = opened(tmp_path / "spike.html", "names=0").page
    box = "selector => { const r = document.querySelector(selector).getBBox(); return [r.x, r.y, r.width, r.height]; }"
    x, y, wide, high = page.evaluate(box, ".leaflet-spots-pane path")
    left, top, width, height = page.evaluate(box, ".leaflet-edge-pane path")
    west, south, east, north = base.areas.geometry.iloc[0].bounds
    easting = west + (x + wide / 2 - left) / width * (east - west)
    northing = north - (y + high / 2 - top) / height * (north - south)
    # the city is tilted by its distance from the central meridian: 9 km across, a little over 1 degree
    assert shapely.Point(easting, northing).distance(spike) < 125 + 0.02 * 9000
    inside = page.evaluate(
        """() => { const spot = document.querySelector('.leaflet-spots-pane path').getBoundingClientRect();
        const x = spot.x + spot.width / 2, y = spot.y + spot.height / 2;
        const wards = [...document.querySelectorAll('.leaflet-areas-pane path')];
        const point = new DOMPoint(x, y);
        return wards.findIndex((w) => w.isPointInFill(point.matrixTransform(w.getScreenCTM().inverse()))); }"""
    )
    wards = base.areas[base.areas["level"] == "ward"].reset_index(drop=True)
    assert wards.geometry[inside].contains(spike)


def says_no_hotspots(page) -> None:
    assert page.locator("#pane-hotspots").text_content() == "No points."
    assert page.locator("input[name=map][value=density]").count() == 0
    assert page.locator("#check-hot").is_hidden()
    assert "Hotspot" not in page.locator("#legend").text_content()


def says_all_withheld(page) -> None:
    assert "is not given by ward for this period, to protect people" in page.locator("#notice-text").text_content()


def says_gap(page) -> None:
    assert "missing for this period" in page.locator("#notice-text").text_content()
    page.locator("#notice-action").click()
    assert page.locator("#subtitle").text_content() == "12 months to July 2025, by ward"


def says_flow(page) -> None:
    assert "per 100" in page.locator("#heading").text_content()


def says_many(page) -> None:
    assert page.locator(".leaflet-areas-pane path").count() == (5070 if os.environ.get("HOTSPOTS_LONG") else 1620)


def says_unaudited(page) -> None:
    assert page.locator("#banner").text_content() == "Not audited: do not publish"
    assert page.locator("#marking").text_content() == "OFFICIAL-SENSITIVE"


def says_synthetic(page) -> None:
    assert page.locator("#synthetic").is_visible()


@pytest.mark.parametrize(
    ("name", "state", "says"),
    [
        ("no-hotspots", "tab=hotspots", says_no_hotspots),
        ("one-ward", "", says_synthetic),
        ("long-name", "", None),
        ("gap", "l=ward&m=rate&p=2021-08..2022-07", says_gap),
        ("all-withheld", "", says_all_withheld),
        ("flow", "m=outcomes", says_flow),
        ("many", "", says_many),
        ("unaudited", "", says_unaudited),
    ],
)
def test_awkward_releases_say_so_and_still_make_a_working_page(opened, name: str, state: str, says) -> None:
    seen = opened(name, state)
    page = seen.page
    if says:
        says(page)
    for group in ("measure", "map"):
        page.evaluate(
            """group => [...document.querySelectorAll(`input[name=${group}]`)].forEach((input) => {
            if (!input.disabled) input.click();
            })""",
            group,
        )
    page.locator("#reset").click()
    page.locator("#open-table").click()
    assert page.locator("#table-rows tr").count() >= 1
    page.keyboard.press("Escape")
    assert page.locator("#heading").text_content()
    assert seen.console == []
    assert len(seen.requests) == 1


def test_wording_and_support_are_in_the_panel(opened) -> None:
    page = opened("public").page
    care = page.locator("#care").text_content()
    for words in (
        "recorded, not experienced",
        "low trust",
        "not the people who live there",
        "Not for stop-and-search",
        "snapped",
        "New recording system",
    ):
        assert words in care
    assert "101, or 999" in page.locator("#support").text_content()
    page.locator("#open-how").click()
    assert "What it cannot tell you" in page.locator("#guide").text_content()


def test_paper_holds_title_legend_table_sources_and_no_control(opened, tmp_path: Path) -> None:
    page = opened("london", "l=ward&m=rate&a=SYN-E09000007-02&t=dark").page
    page.pdf(path=tmp_path / "sheet.pdf", prefer_css_page_size=True)
    raw = (tmp_path / "sheet.pdf").read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", raw)) == 2
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    visible = page.evaluate("document.body.innerText")
    for words in (
        "Hate crime per 10,000 residents",
        "12 months to July 2025",
        "Too few for a rate",
        "Camden 02 (synthetic)",
        "Open Government Licence",
        "Not for stop-and-search",
        "101, or 999",
        "Barking and Dagenham",
        "Synthetic data",
    ):
        assert words.lower() in visible.lower(), words
    controls = page.evaluate(
        """[...document.querySelectorAll('button, input, select')]
        .filter((n) => n.checkVisibility() && !n.closest('.top')).map((n) => n.id || n.className)"""
    )
    assert controls == []
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.locator("#open-table").is_visible()
    if shutil.which("pdftotext"):
        text = subprocess.run(
            ["pdftotext", "-layout", tmp_path / "sheet.pdf", "-"], check=True, capture_output=True
        ).stdout.decode()
        for words in ("Hate crime per 10,000 residents", "higher", "Open Government Licence", "Boroughs"):
            assert words in text
        assert "Download" not in text
        first, second = text.split("\f")[:2]
        for words in ("per 10,000", "Camden 02", "Open Government Licence", "Report or get support", "101, or 999"):
            assert words in first  # the first sheet is complete; the second holds the table
        assert "Boroughs" in second


def test_the_phone_keeps_badges_out_of_the_centre(opened) -> None:
    page = opened("london", width=390, height=844).page
    assert page.locator("#inset").is_visible()
    page.locator("#peek").click()
    page.locator("#tab-hotspots").click()
    page.locator(".spotrow").first.click()
    assert page.locator("#sheet").is_hidden()
    assert page.locator("#inset").is_hidden()  # zoomed in, the centre needs no second map


def test_the_legend_touches_neither_the_outline_nor_the_controls(opened) -> None:
    page = opened("london").page
    boxes = page.evaluate(
        """['legend', 'open-table', 'zoom-in'].map((id) => document.getElementById(id).getBoundingClientRect())
        .map((r) => [r.left, r.top, r.right, r.bottom])"""
    )
    inside = page.evaluate(
        """boxes => { const path = document.querySelector('.leaflet-edge-pane path'); const m = path.getScreenCTM();
        let hits = 0; const long = path.getTotalLength();
        for (let k = 0; k < 800; k++) { const p = path.getPointAtLength((k / 800) * long).matrixTransform(m);
            if (boxes.some(([l, t, r, b]) => p.x > l && p.x < r && p.y > t && p.y < b)) hits += 1; }
        return hits; }""",
        boxes,
    )
    assert inside == 0
