"""Layouts from a phone to a wall screen: nothing lies on anything else and no text runs into another.

In short each kind of layout is tried at one width; HOTSPOTS_LONG=1 tries every release and measure at all widths.
"""

import os
import re
from pathlib import Path
from typing import Any

import pytest

WIDTHS = {320: 640, 390: 844, 768: 1024, 800: 900, 820: 1180, 1024: 768, 1440: 900, 2560: 1440, 3840: 2160}
LONG = bool(os.environ.get("HOTSPOTS_LONG"))
KINDS = (320, 390, 800, 1024, 1440, 2560, 3840)
"""A width of each kind: one between every two limits of the style sheets."""
MEASURES = ("count", "change", "significance")
FONTS = ("DejaVu Sans", "Liberation Serif", "monospace")

# Boxes over the map and texts that stand beside each other; what lies inside one of them belongs to it.
BOXES = ".find, .tools, .legend, .zoom, .scale, .credit, .inset, .play, .now, .scrub"
TEXTS = ".legend .ticks span, .legend .ends span, .legend .pointer, .scrub .tick, .keys li"

TOUCHING = """([boxes, texts]) => {
  const seen = (node) => node.offsetWidth > 1 && getComputedStyle(node).visibility !== "hidden";
  const touch = (a, b) => {
    const r = a.getBoundingClientRect(), s = b.getBoundingClientRect();
    return r.left < s.right - 1 && s.left < r.right - 1 && r.top < s.bottom - 1 && s.top < r.bottom - 1;
  };
  const found = [];
  for (const selector of [boxes, texts]) {
    const nodes = [...document.querySelectorAll(selector)].filter(seen);
    nodes.forEach((a, k) => nodes.slice(k + 1).forEach((b) => {
      if (!a.contains(b) && touch(a, b)) found.push([a, b].map((n) => n.className + " " + n.textContent).join(" | "));
    }));
    for (const node of nodes) {
      const r = node.getBoundingClientRect();
      if (r.left < -1 || r.right > innerWidth + 1) found.push("outside: " + node.className + node.textContent);
    }
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push("sideways scroll");
  return found;
}"""


def touching(page: Any) -> list[str]:
    return page.evaluate(TOUCHING, [BOXES, TEXTS])  # type: ignore[no-any-return]


def sticking_out(page: Any) -> list[str]:
    """The sides on which the region's edge leaves the map."""
    box = page.locator("#map_hotspots").bounding_box()
    left, top, right, bottom = page.evaluate(
        """() => {
          const path = document.querySelector(".leaflet-edge-pane path").getBoundingClientRect();
          return [path.left, path.top, path.right, path.bottom];
        }"""
    )
    beyond = {
        "left": box["x"] - left,
        "top": box["y"] - top,
        "right": right - box["x"] - box["width"],
        "bottom": bottom - box["y"] - box["height"],
    }
    return [side for side, by in beyond.items() if by > 1]


@pytest.mark.parametrize("width", WIDTHS if LONG else KINDS)
def test_nothing_lies_on_anything_else_and_the_first_view_holds_the_whole_region(opened: Any, width: int) -> None:
    page = opened("london", width=width, height=WIDTHS[width]).page
    assert sticking_out(page) == []
    assert touching(page) == []
    # The smallest and the most usual layout have every measure, each other one of them in turn.
    for measure in MEASURES if LONG or width in {320, 1440} else MEASURES[KINDS.index(width) % 3 :][:1]:
        page.locator(f"input[name=measure][value={measure}]").evaluate("node => node.click()")
        assert f"m={measure}" in page.evaluate("location.hash")
        assert touching(page) == [], measure


SWITCHED = """async ids => {
  const s = document.getElementById('category');
  for (const id of ids) {
    s.value = id;
    s.dispatchEvent(new Event('change', {bubbles: true}));
    await new Promise(r => requestAnimationFrame(() => setTimeout(r, 0)));
  }
}"""


def test_another_category_lays_the_page_out_once(opened: Any) -> None:
    # Measuring a text between two changes of the page lays it out in between: on the Met's map that took a third of the
    # time of a switch. Once after all is drawn, and once more for the texts that give way.
    seen = opened("london")
    choices = seen.page.locator("#category option").evaluate_all("all => all.map(o => o.value)")
    ids = [*choices[1:4], choices[0]] * 2

    def layouts() -> float:
        values = seen.metrics.send("Performance.getMetrics")["metrics"]
        return float(next(v["value"] for v in values if v["name"] == "LayoutCount"))

    before = layouts()
    seen.page.evaluate(SWITCHED, ids)
    assert layouts() - before <= 2 * len(ids)


@pytest.mark.parametrize("width", [320, 800, 1440])
def test_no_font_makes_texts_of_the_legend_collide(opened: Any, width: int) -> None:
    page = opened("london", "m=rate&c=all", width=width, height=WIDTHS[width], bypass_csp=True).page
    for font in FONTS if LONG or width == 320 else FONTS[2:]:  # the widest, where there is more room
        page.add_style_tag(  # the last of several wins
            content=f":root {{ --font: '{font}', {font} !important; }} body {{ font-family: '{font}', {font}; }}"
        )
        assert font in page.evaluate("getComputedStyle(document.body).fontFamily")
        page.locator("#theme").evaluate("node => node.click()")  # everything is drawn again
        assert touching(page) == [], font


@pytest.mark.parametrize(
    ("name", "width"),
    [(name, width) for name in ("one-ward", "grouped") for width in WIDTHS]
    if LONG
    else [
        ("one-ward", 320),
        ("one-ward", 1024),
        ("one-ward", 2560),
        ("grouped", 390),
        ("grouped", 800),
        ("grouped", 3840),
    ],
)
def test_the_first_view_holds_the_whole_region(opened: Any, name: str, width: int) -> None:
    assert sticking_out(opened(name, width=width, height=WIDTHS[width]).page) == []


def test_at_four_times_the_size_the_map_is_usable(opened: Any) -> None:
    page = opened("city", width=320, height=256).page
    assert touching(page) == []
    box = page.locator("#map_hotspots").bounding_box()
    assert box["height"] >= 190
    page.locator("#map_hotspots").scroll_into_view_if_needed()
    # The middle of the map, and of what can be chosen, lies under nothing.
    free = page.evaluate(
        """() => {
          const box = document.getElementById("map_hotspots");
          box.scrollIntoView({ block: "start" });
          const r = box.getBoundingClientRect();
          const shown = Math.min(r.bottom, innerHeight) - Math.max(r.top, 0);
          return [shown, box.contains(document.elementFromPoint(r.left + r.width / 2, r.top + 130))];
        }"""
    )
    assert free[0] >= 180
    assert free[1]


def test_the_slider_of_periods_is_large_enough_to_hit(opened: Any) -> None:
    page = opened("city").page
    for width in (1280, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.locator("#period").bounding_box()["height"] >= 44


def test_the_table_shows_all_columns_sorted_by_the_measure_on_the_map(opened: Any) -> None:
    page = opened("city", width=1440, height=900).page
    page.click("#open-table")
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Per 10,000")
    scroll = page.evaluate(
        "(() => { const s = document.querySelector('.scroll'); return [s.scrollWidth, s.clientWidth]; })()"
    )
    assert scroll[0] <= scroll[1]
    page.locator("input[name=measure][value=count]").evaluate("node => node.click()")
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Recorded")


def test_each_sheet_has_its_size_and_lists_every_hotspot(opened: Any, tmp_path: Path) -> None:
    # The table has the boroughs either way; 33 areas on the map print in a third of the time of 650.
    page = opened("london", "l=borough", width=1440, height=900).page
    page.click("#open-save")
    for sheet, points in {
        "a4": (595, 842),
        "a4-landscape": (842, 595),
        "a3": (842, 1191),
        "a3-landscape": (1191, 842),
    }.items():
        page.select_option("#sheet-size", sheet)
        page.pdf(path=tmp_path / "sheet.pdf", prefer_css_page_size=True)
        raw = (tmp_path / "sheet.pdf").read_bytes()
        boxes = {
            tuple(round(float(n)) for n in found.split()[2:4]) for found in re.findall(rb"/MediaBox \[([^\]]*)\]", raw)
        }
        assert boxes == {points}
        # One sheet, and the table: of 33 rows on two sheets where they lie across.
        assert len(re.findall(rb"/Type\s*/Page\b", raw)) == (3 if sheet == "a4-landscape" else 2)
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        # Nothing is wider than the sheet: the browser would shrink it all, and fills with patterns would grow tenfold.
        wider = page.evaluate(
            "[...document.querySelectorAll('#app *')].filter((e) => !e.closest('.leaflet-container, .maps')"
            " && e.getBoundingClientRect().right > document.querySelector('#app').getBoundingClientRect().right + 1)"
            ".map((e) => e.outerHTML.slice(0, 80))"
        )
        assert wider == []
        badges = page.locator("#paper-hotspots .badge").all_inner_texts()
        assert badges == [str(k) for k in range(1, len(badges) + 1)]
        assert len(badges) == page.locator("#pane-hotspots .spotrow").count()
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")


def test_type_grows_on_a_wall_screen(opened: Any) -> None:
    page = opened("city", width=1440, height=WIDTHS[1440]).page
    read = ("#heading", ".spot .badge", ".name.borough span")
    tall = [page.locator(selector).first.bounding_box()["height"] for selector in read]
    for width, times in ((2560, 1.4), (3840, 1.9)):
        page.set_viewport_size({"width": width, "height": WIDTHS[width]})
        page.wait_for_function(  # the map follows when the window has come to rest
            """([read, least]) => read.every((selector, k) =>
            document.querySelector(selector).getBoundingClientRect().height >= least[k])""",
            arg=[read, [times * height for height in tall]],
        )
