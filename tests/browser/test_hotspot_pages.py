"""Pages of hotspots in a real browser: one A4 sheet with nothing cut off, no axe violation, no sideways scroll."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import BrowserContext

from pipeline.publish.pages.hotspot import write_hotspots
from tests.kit.axe import violations
from tests.kit.released import city, hostile_city
from tests.publish.test_hotspot_pages import described

if TYPE_CHECKING:
    from pipeline.release.released import Released

pytestmark = pytest.mark.browser

LONG = "A caveat about how places were recorded and what that means for those who read the numbers. " * 3
SUPPORT = tuple((f"A service that helps, number {n}", "0800 123 4567, day and night") for n in range(7))
OVER = """() => {
  const sheet = document.querySelector(".pg");
  const lines = [...sheet.querySelectorAll("section, .drawn, .kf, .lead")];
  return [sheet.scrollHeight - sheet.clientHeight, lines.filter((e) => e.scrollHeight > e.clientHeight + 1).length];
}"""


@pytest.fixture(scope="module")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The first page of an internal, a partner's, a hostile and a full release."""
    full = described(city(columns=2, rows=1, audit="not audited: do not publish"), year_before="higher")
    info = replace(full.info, caveats=(LONG, LONG), support=SUPPORT, marking="OFFICIAL-SENSITIVE: internal")
    object.__setattr__(full, "info", info)
    made: dict[str, Released] = {
        "internal": described(city(columns=2, rows=1)),
        "partner": city(columns=2, rows=1, audience="partner"),
        "hostile": described(hostile_city(columns=2, rows=1)),
        "full": full,
    }
    return {name: write_hotspots(r, tmp_path_factory.mktemp(name))[0] for name, r in made.items()}


@pytest.mark.parametrize("name", ["internal", "partner", "hostile", "full"])
def test_one_sheet_readable_on_a_phone(
    context_of: Callable[..., BrowserContext], sheets: dict[str, Path], name: str
) -> None:
    page = context_of(offline=True).new_page()
    page.set_viewport_size({"width": 1280, "height": 900})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda r: said.append(r.url) if not r.url.startswith(("file:", "data:")) else None)
    page.goto(sheets[name].as_uri())
    assert violations(page) == []
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", page.pdf(prefer_css_page_size=True))) == 1
    page.emulate_media(media="print")
    assert page.evaluate(OVER) == [0, 0]
    page.emulate_media(media="screen")
    for width in (820, 390, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert violations(page) == []
    assert said == []
    page.close()
