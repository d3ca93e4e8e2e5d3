"""The documentation site: it builds without a warning, no link is broken, and it can be searched from a disk."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(out / "trees"), "-b", "html",
         str(ROOT / "docs"), str(out / "html")],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return out / "html"


def test_every_link_inside_leads_somewhere_and_nothing_comes_from_elsewhere(site: Path) -> None:
    pages = {path: path.read_text("utf-8") for path in site.rglob("*.html")}
    ids = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in pages.items()}
    broken = []
    for path, text in pages.items():
        for kind, address in re.findall(r'<(?:a|img|link|script)\b[^>]*?\b(href|src)="([^"]+)"', text):
            if address.startswith(("http", "mailto:", "data:")):
                broken += [(path.name, address)] if kind == "src" or "stylesheet" in address else []
                continue
            name, _, anchor = address.partition("#")
            target = (path.parent / unquote(name.partition("?")[0])).resolve() if name else path
            if not target.is_file() or (anchor and target in ids and unquote(anchor) not in ids[target]):
                broken.append((path.name, address))
    assert broken == []
    assert len(pages) > 20


def test_it_is_searched_without_a_network(site: Path, browser: Any) -> None:
    context = browser.new_context(offline=True)
    page, asked, errors = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((site / "tutorial.html").as_uri())
    page.fill("input.sidebar-search", "suppression")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a:has-text('Methods')")  # results come one by one
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    assert errors == []
    context.close()


def test_its_reference_is_that_of_the_code(site: Path) -> None:
    commands = (site / "commands.html").read_text("utf-8")
    for words in ("hotspots run", "hotspots fetch police-uk", "hotspots ledger forget"):
        assert f">{words}<" in commands
    assert "--log-json" in commands
    python = (site / "python.html").read_text("utf-8")
    assert 'id="pipeline.api.RunResult.tables"' in python
    assert "HotspotMap" in python
