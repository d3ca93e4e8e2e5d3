"""What partnerships ask first in a real browser: no accessibility fault, no question cut in two in print."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from pipeline.publish.briefings import write_briefings
from tests.kit.axe import violations_in_widths
from tests.kit.described import described
from tests.kit.released import HOSTILE, city

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {
        "inside": described(city(columns=2, rows=1)),
        "partner": described(city(columns=2, rows=1, audience="partner", threshold=5)),
        "hostile": described(city(columns=2, rows=1), names=HOSTILE),
    }
    out = {}
    for name, released in made.items():
        out[name] = tmp_path_factory.mktemp(name)
        write_briefings(released, out[name])
    return out


@pytest.mark.parametrize(
    ("kind", "name"),
    [("inside", "circumstances"), ("partner", "boroughs/B00-circumstances"), ("hostile", "circumstances")],
)
def test_axe_finds_no_violation(
    context_of: Callable[..., BrowserContext], folders: dict[str, Path], kind: str, name: str
) -> None:
    page = context_of(offline=True).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((folders[kind] / f"{name}.html").as_uri())
    assert violations_in_widths(page) == []
    assert said == []
    assert page.evaluate("window.pwned") is None
    page.close()


def test_printed_sheets_cut_no_question_in_two(
    context_of: Callable[..., BrowserContext], folders: dict[str, Path], tmp_path: Path
) -> None:
    page = context_of(offline=True).new_page()
    page.set_viewport_size({"width": 1000, "height": 900})
    page.goto((folders["inside"] / "circumstances.html").as_uri())
    page.emulate_media(media="print")
    assert page.evaluate("[...document.querySelectorAll('.q')].every(q => getComputedStyle(q).breakInside === 'avoid')")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    pdf = tmp_path / "page.pdf"
    page.pdf(path=pdf, prefer_css_page_size=True, print_background=True)
    [count] = re.findall(rb"/Type /Pages[^>]*?/Count (\d+)", pdf.read_bytes(), re.DOTALL)
    assert 1 < int(count) <= 3
    page.close()
