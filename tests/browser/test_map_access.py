"""WCAG 2.2 AA: axe in several dresses and after every interaction, keyboard for everything, small windows."""

import pytest

from tests.kit import axe

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]


def violations(page) -> list[str]:
    return axe.violations(page, runOnly=TAGS)


DRESSES = {
    "wide": {},
    "narrow": {"width": 320, "height": 700},
    "dark": {"color_scheme": "dark"},
    "forced": {"forced_colors": "active"},
}


@pytest.mark.parametrize("dress", DRESSES)
def test_axe_finds_nothing(opened, dress: str) -> None:
    page = opened("city", bypass_csp=True, **DRESSES[dress]).page
    assert violations(page) == []


STEPS = {
    "area": "#search=>ward a1 11",
    "table": "#open-table",
    "guide": "#open-how",
    "downloads": "#open-save",
    "comparison": "#open-compare",
    "hotspots": "#tab-hotspots",
    "density": "input[name=map][value=density]",
    "boroughs": "input[name=map][value=borough]",
    "counts": "input[name=measure][value=count]",
    "clusters": "input[name=measure][value=significance]",
    "theme": "#theme",
}


def test_axe_finds_nothing_after_each_interaction(opened) -> None:
    page = opened("city", bypass_csp=True).page
    for name, step in STEPS.items():
        selector, _, typed = step.partition("=>")
        if typed:
            page.locator(selector).fill(typed)
            assert violations(page) == [], "search"
            page.locator(selector).press("Enter")
        else:
            page.locator(selector).first.evaluate("node => node.click()")
        assert violations(page) == [], name
        page.keyboard.press("Escape")


@pytest.mark.parametrize("width", [320, 1280])
def test_axe_finds_nothing_with_groups_of_wards(opened, width: int) -> None:
    page = opened("grouped", "c=religion&m=count", bypass_csp=True, width=width).page
    page.fill("#search", "Ward B1W3")
    page.keyboard.press("Enter")
    page.click("#open-table")
    assert violations(page) == []


@pytest.mark.parametrize("name", ["public", "unaudited", "long-name", "all-withheld", "keyed-tiles"])
def test_axe_finds_nothing_on_a_phone_with_the_sheet_open(opened, name: str) -> None:
    page = opened(name, bypass_csp=True, width=320, height=640).page
    page.locator("#peek").click()
    assert violations(page) == []


def stops(page) -> list[dict]:
    """Every tab stop from the top of the page until focus comes round again."""
    out = []
    for _ in range(400):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => {
            const node = document.activeElement;
            if (!node || node === document.body) return null;
            const label = node.getAttribute("aria-labelledby");
            const words = (ids) => ids.split(" ").map((id) => document.getElementById(id).textContent).join(" ");
            const name = node.getAttribute("aria-label") || (label && words(label)) ||
                (node.labels && [...node.labels].map((l) => l.textContent).join(" ")) || node.textContent;
            const r = node.getBoundingClientRect();
            return { id: node.id, type: node.type || "", name: (name || "").trim(), width: r.width, height: r.height };
        }"""
        )
        if stop is None:
            break
        out.append(stop)
    return out


def test_every_control_is_a_named_tab_stop_and_focus_goes_all_the_way_round(opened) -> None:
    page = opened("city").page
    found = stops(page)
    assert len(found) < 200
    assert all(stop["name"] for stop in found), [s for s in found if not s["name"]]
    reached = {stop["id"] for stop in found}
    controls = {
        "category", "show-hotspots", "show-names", "reset", "tab-area", "map_hotspots", "search", "open-table",
        "open-compare", "open-save", "open-how", "print", "theme", "zoom-in", "zoom-out", "zoom-home", "play", "period",
    }  # fmt: skip
    assert controls <= reached
    assert {"radio"} <= {stop["type"] for stop in found}


def test_targets_are_at_least_24_pixels(opened) -> None:
    page = opened("city").page
    small = page.evaluate(
        """() => [...document.querySelectorAll(
            "button, select, input:not([type=checkbox]):not([type=radio]), .check, .seg label")]
        .filter((n) => n.offsetParent !== null)
        .map((n) => [n.id || n.className || n.textContent, n.getBoundingClientRect()])
        .filter(([, r]) => r.width < 24 || r.height < 24).map(([id]) => id)"""
    )
    assert small == []


def test_the_keyboard_reaches_every_function(opened) -> None:
    page = opened("city").page
    page.locator("#category").focus()
    page.keyboard.press("ArrowDown")
    assert "Racist" in page.locator("#heading").text_content()
    page.locator("input[name=measure]:checked").focus()
    page.keyboard.press("ArrowRight")
    assert "number recorded" in page.locator("#heading").text_content()
    page.locator("input[name=map]:checked").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#subtitle").text_content().endswith("by borough")
    page.keyboard.press("ArrowLeft")
    page.locator("#period").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#subtitle").text_content().startswith("12 months to July 2024")
    assert "12 months to July 2024" in page.locator("#period").get_attribute("aria-valuetext")
    page.locator("#search").focus()
    page.keyboard.type("ward b1")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    active = page.locator("#search").get_attribute("aria-activedescendant")
    wanted = page.locator(f"#{active} .nm").text_content()
    page.keyboard.press("Enter")
    assert page.locator("#pane-area h2").text_content() == wanted
    assert wanted in page.locator("#live").text_content()
    page.locator("#reset").press("Enter")  # hotspots are of the headline period: others have none
    page.locator("#tab-area").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-hotspots"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator(".spotrow[aria-pressed=true]").count() == 1
    assert page.evaluate("document.activeElement.className") == "spotrow"


def test_enter_on_the_map_chooses_the_area_in_its_middle(opened) -> None:
    page = opened("city").page
    page.locator("#map_hotspots").focus()
    before = page.evaluate("location.hash")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.wait_for_timeout(400)
    assert "&a=B" in page.evaluate("location.hash")
    assert "&a=" not in before
    assert page.locator("#pane-area h2").text_content().startswith("Ward ")


def test_escape_closes_a_drawer_and_gives_focus_back(opened) -> None:
    page = opened("city").page
    for name in ("table", "save", "how"):
        page.locator(f"#open-{name}").focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == f"{name}-title"
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.id") == f"open-{name}"
        assert page.locator(f"#drawer-{name}").is_hidden()


def test_the_table_sorts_by_keyboard_and_says_so(opened) -> None:
    page = opened("city").page
    page.locator("#open-table").click()
    page.locator("#table-head button").nth(2).focus()
    page.keyboard.press("Enter")
    assert page.locator("#table-head th").nth(2).get_attribute("aria-sort") == "descending"
    values = [int(t) for t in page.locator("#table-rows tr td:nth-child(3)").all_text_contents() if t.isdigit()]
    assert values == sorted(values, reverse=True)
    assert len(values) > 20
    assert "Sorted by" in page.locator("#live").text_content()


@pytest.mark.parametrize(("width", "height"), [(320, 640), (640, 400), (1280, 500)])
@pytest.mark.parametrize("name", ["city", "long-name"])
def test_nothing_sticks_out_sideways(opened, name: str, width: int, height: int) -> None:
    """640 by 400 is 1280 by 800 at 200 per cent."""
    page = opened(name, "a=B00-00", width=width, height=height).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width <= 760:
        page.locator("#peek").click()
        assert page.locator("#sheet").is_visible()
        assert page.evaluate("document.getElementById('sheet').scrollWidth") <= width
        page.keyboard.press("Escape")
    page.locator("#open-how").click()
    assert page.evaluate("document.getElementById('guide').scrollWidth") <= min(width, 640)


def test_nothing_moves_by_itself_when_motion_is_unwelcome(opened) -> None:
    page = opened("city", reduced_motion="reduce").page
    assert page.evaluate("document.getAnimations().length") == 0
    page.locator("#open-table").click()
    assert page.evaluate("document.getAnimations().length") == 0


def test_changes_are_announced(opened) -> None:
    page = opened("city").page
    page.locator("input[name=measure][value=change]").check(force=True)
    assert "change on the 12 months to July 2024" in page.locator("#live").text_content()
    assert page.locator("#live").get_attribute("role") == "status"
    page.locator("#open-compare").click()
    assert "Comparing" in page.locator("#live").text_content()
