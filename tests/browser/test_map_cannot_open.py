"""A page that cannot start says why: an old browser, a damaged file, no script. It is never blank."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.publish import words
from tests.kit.map_pages import data_of, with_data

OLD = "delete window.DecompressionStream"


@pytest.fixture
def broken(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a file whose page is not expected to start."""
    contexts = []

    def get(path: Path, script: str = "", **context: Any) -> Any:
        here = browser.new_context(offline=True, **context)
        contexts.append(here)
        if script:
            here.add_init_script(script)
        page = here.new_page()
        page.goto(path.as_uri())
        return page

    yield get
    for here in contexts:
        here.close()


def seen_text(page: Any) -> str:
    page.wait_for_selector("#app[hidden]", state="attached")  # a function would be refused by the page's policy
    return page.inner_text("body").strip()


def test_a_browser_without_decompression_gets_a_notice(broken, map_file) -> None:
    page = broken(map_file("city"), OLD)
    notice = words.say("map_frame.cannot_open.old_browser")
    assert seen_text(page).endswith(notice)
    assert page.get_by_role("alert").inner_text() == notice
    assert page.locator("html[data-ready]").count() == 0
    page.set_viewport_size({"width": 320, "height": 600})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("fault", ["cut", "flipped", "other data", "empty", "a level is missing"])
def test_a_damaged_file_gets_a_notice(fault: str, broken, map_file, tmp_path: Path) -> None:
    text = map_file("city").read_text("utf-8")
    start = text.index('"gzip": "') + len('"gzip": "')
    end = text.index('"', start)
    middle = (start + end) // 8 * 4
    damaged = {
        "cut": text[:middle] + text[end:],
        "flipped": text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :],
        "other data": with_data(text, {}),
        "empty": re.sub(r'(id="data">).*?(</script>)', r"\1\2", text),
        "a level is missing": with_data(text, data_of(text) | {"levels": {}}),
    }[fault]
    (tmp_path / "damaged.html").write_text(damaged, "utf-8")
    page = broken(tmp_path / "damaged.html")
    assert seen_text(page).endswith(words.say("map_frame.cannot_open.damaged"))


def test_a_browser_without_script_gets_a_notice(broken, map_file) -> None:
    page = broken(map_file("city"), java_script_enabled=False)
    assert words.say("map_frame.cannot_open.no_script") in page.locator("body").inner_text()


def test_no_notice_is_seen_where_the_map_opens(opened) -> None:
    page = opened("city").page
    assert page.locator(".cannot-open:visible").count() == 0
    assert page.get_by_role("alert").count() == 0
