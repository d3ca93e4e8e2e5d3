"""Every page of a folder that has no tests of its own with axe, and the statement that says what these tests found."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from pipeline.publish.exports import write_exports
from pipeline.publish.pages.accessibility import PAGE, accessibility_html, examined, write_accessibility
from pipeline.publish.pages.folder import write_readme
from pipeline.publish.pages.protection import write_protection
from pipeline.release.gate import release
from tests.browser.test_map_access import TAGS
from tests.kit import gated
from tests.kit.axe import axe_script, violations_in_widths
from tests.kit.released import city, hostile_city

# A release made without the gate has no record, which the page on protection is about.
PAGES = [
    ("partner", "protection.html"),
    *((kind, name) for kind in ("partner", "hostile") for name in ("README.html", PAGE)),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    config = gated.config_of([{"name": "partner", "audience": "partner", "threshold": 5}])
    releases = {
        "partner": release(gated.sparse_city(3, 10), profile=config.profiles[0], config=config),
        "hostile": hostile_city(),
    }
    made = {}
    for kind, released in releases.items():
        made[kind] = tmp_path_factory.mktemp(kind)
        write_exports(released, made[kind], geopackage=False, workbook="xlsx")
        if released.record:
            write_protection(released, made[kind] / "protection.html")
        write_accessibility(released, made[kind])
        write_readme(released, made[kind])
    return made


@pytest.mark.parametrize(("kind", "name"), PAGES)
def test_axe_finds_no_violation(
    context_of: Callable[..., BrowserContext], folders: dict[str, Path], kind: str, name: str
) -> None:
    page = context_of(offline=True, bypass_csp=True).new_page()
    page.goto((folders[kind] / name).as_uri())
    assert violations_in_widths(page, runOnly=TAGS) == []
    assert page.evaluate("window.pwned") is None
    page.close()


def test_the_statement_is_about_these_tests() -> None:
    assert re.search(r"axe v([\d.]+)", axe_script())[1] == examined().axe
    assert examined().violations == 0  # the tests fail on any
    assert {"wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"} == set(TAGS)


def test_the_statement_names_what_is_in_the_folder(folders: dict[str, Path]) -> None:
    text = (folders["partner"] / PAGE).read_text("utf-8")
    assert "tables.xlsx" in text
    assert "area_counts.csv" in text
    assert f"axe {examined().axe}" in text
    bare = accessibility_html(city(audience="public"), present=set())
    assert "tables.xlsx" not in bare
    assert "whoever gave you this folder" in bare
