"""Offline, fast, and closed to whatever is injected."""

import csv
import io
from pathlib import Path

from tests.kit.released import HOSTILE

MEASURE = "input[name=measure][value={}]"


def text_of(page, selector: str) -> str:
    return page.locator(selector).text_content()


def test_network_off_one_request_no_failure_no_message(opened) -> None:
    seen = opened("london")
    assert len(seen.requests) == 1
    assert seen.requests[0].startswith("file://")
    assert seen.failed == []
    assert seen.console == []


def test_ready_within_five_seconds_on_a_machine_four_times_slower(opened) -> None:
    """Time of its own thread, so that a busy machine is not held against the page."""
    seen = opened("london", slow=4)
    assert seen.thread_seconds() < 5


def test_a_change_of_measure_takes_less_than_a_tenth_of_a_second(opened) -> None:
    seen = opened("london")
    seen.page.wait_for_timeout(600)
    spent: dict[str, float] = {}
    for _ in range(3):
        for measure in ("change", "count", "outcomes", "significance", "rate"):
            before = seen.thread_seconds()
            seen.page.evaluate(
                "s => { document.querySelector(s).click(); document.body.offsetHeight; }",
                MEASURE.format(measure),
            )
            spent[measure] = min(spent.get(measure, 9.0), seen.thread_seconds() - before)
    assert max(spent.values()) < 0.1, spent


def test_injected_script_style_handler_and_fetch_are_blocked(opened) -> None:
    page = opened("city", offline=False).page
    blocked = page.evaluate(
        """async () => {
        const seen = [];
        document.addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
        const script = document.createElement("script");
        script.textContent = "window.pwned = 1";
        document.body.append(script);
        document.body.setAttribute("onclick", "window.pwned = 2");
        document.body.click();
        const picture = document.createElement("img");
        picture.src = "https://example.org/x.png";
        document.body.append(picture);
        let reached = true;
        try { await fetch("https://example.org/"); } catch (error) { reached = false; }
        await new Promise((done) => setTimeout(done, 200));
        return { seen, reached, pwned: window.pwned === undefined };
    }"""
    )
    assert blocked["pwned"]
    assert not blocked["reached"]
    assert {"script-src-elem", "script-src-attr", "img-src", "connect-src"} <= set(blocked["seen"])


def test_hostile_strings_run_nowhere_and_are_shown_as_they_are(opened) -> None:
    seen = opened("hostile", accept_downloads=True)
    page = seen.page
    assert text_of(page, "#heading").startswith(HOSTILE[0])
    assert text_of(page, "#place") == HOSTILE[2]
    assert HOSTILE[3] in text_of(page, "#source")
    assert text_of(page, "#marking") == HOSTILE[1]
    assert [o.text_content() for o in page.locator("#category option").all()] == [HOSTILE[3], HOSTILE[0]]
    care = [li.text_content() for li in page.locator("#care-list li").all()]
    assert set(HOSTILE) <= set(care)
    assert [d.text_content() for d in page.locator("#support-list dd").all()] == [HOSTILE[1], HOSTILE[3]]
    page.locator("#open-table").click()
    names = [b.text_content() for b in page.locator("#table-rows th button").all()]
    for bad in HOSTILE:
        assert any(name.startswith(bad) for name in names), bad
    page.locator("#table-rows th button", has_text="onerror").first.click()
    assert text_of(page, "#pane-area h2").startswith(HOSTILE[1])
    page.keyboard.press("Escape")
    for measure in ("count", "change", "significance", "outcomes"):
        page.locator(MEASURE.format(measure)).check(force=True)
    page.locator("#open-how").click()
    page.locator("#close-how").click()
    page.locator("#tab-hotspots").click()
    assert page.locator("#pane-hotspots .nm").first.text_content() == HOSTILE[0]
    page.locator("#open-compare").click()
    page.locator("#compare-close").click()
    box = page.locator("#map_hotspots").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator("#search").fill("sons")
    page.locator("#search").press("Enter")
    page.wait_for_timeout(200)
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    assert page.evaluate("document.querySelectorAll('script').length") == 4
    assert seen.console == []


def test_cells_that_a_spreadsheet_would_run_are_neutralised(opened, tmp_path: Path) -> None:
    page = opened("hostile", accept_downloads=True).page
    page.locator("#open-save").click()
    with page.expect_download() as waiting:
        page.locator("#save-csv").click()
    waiting.value.save_as(tmp_path / "a.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_bytes().decode("utf-8-sig"))))
    names = [row["area_name"] for row in rows]
    assert any(name.startswith("'=cmd|") for name in names)
    assert not any(name.lstrip().startswith(("=", "+", "-", "@")) for name in names)
    assert any(name.startswith(HOSTILE[0]) for name in names)
    assert all(float(row["incidents"]) >= 0 for row in rows if row["incidents"])
    falls = [row["change_pct"] for row in rows if row["change_pct"].startswith("-")]
    assert falls  # a plain negative number stays a number
