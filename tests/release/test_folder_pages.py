"""The folder attacker reads pages and packages as people do: rightly, and to the last figure left in them."""

import re
import shutil
import sqlite3
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import pytest

from pipeline.stages.runner import run
from tests.kit import folder_attacker
from tests.kit.city import write_city
from tests.kit.folder_attacker import narrow, read_folder, too_narrow
from tests.kit.folder_pages import Guide, pages
from tests.kit.gated import PROFILES, planted
from tests.release.test_folder_attack import HEADLINE, PARTNER, released_of, written

pytestmark = pytest.mark.slow

KEPT = ("B1W1", HEADLINE, "all", "incidents")


@pytest.fixture(scope="module")
def careful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two boroughs; wards of three and of four are withheld, and others beside them."""
    folder = tmp_path_factory.mktemp("partner")
    wards = {"B1W0": 40, "B1W1": 3, "B1W2": 30, "B1W3": 90, "B2W0": 4, "B2W1": 25, "B2W2": 36}
    return written(released_of(planted(wards), PARTNER), folder, whole=True)


def in_page(pattern: str, into: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        page = folder / "boroughs" / "B1.html"
        text, times = re.subn(pattern, into, page.read_text("utf-8"), count=1, flags=re.DOTALL)
        assert times == 1
        page.write_text(text, "utf-8")

    return spoil


def in_package(folder: Path) -> None:
    [path] = folder.glob("*.gpkg")
    with sqlite3.connect(path) as database:
        triggers = [n for (n,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in triggers:
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute("UPDATE wards SET incidents = 3 WHERE area_code = 'B1W1'")


ROW = r"(<th scope=\"row\">Ward B1W1</th>)<td[^>]*>withheld</td>(<td[^>]*>[^<]*</td>)<td class=\"br\"></td>"
LEFT: dict[str, Callable[[Path], None]] = {
    "a count in a table": in_page(ROW, r'\1<td class="n">3</td>\2<td class="br"></td>'),
    "a dot on a scale": in_page(
        ROW, r'\1<td class="n">withheld</td>\2<td class="br"><svg class="rg"><circle cx="9.0" cy="6"/></svg></td>'
    ),
    "a label in a chart": in_page(r"(<text class=\"en b\"[^>]*>Borough B1 \S+</text>)", r"\1<text>Ward B1W1 9</text>"),
    "a chart told aloud": in_page(r"aria-label=\"Rate per 10,000", 'aria-label="Ward B1W1 5.0, rate per 10,000'),
    "a column of the package": in_package,
}


def test_nothing_is_left_in_careful_pages(careful: Path) -> None:
    book = read_folder(careful)
    assert KEPT in book.hidden
    assert too_narrow(careful) == {}


@pytest.mark.parametrize("what", LEFT)
def test_what_is_left_in_a_page_is_found(what: str, careful: Path, tmp_path: Path) -> None:
    folder = tmp_path / "partner"
    shutil.copytree(careful, folder)
    LEFT[what](folder)
    low, high = read_folder(folder).seen[KEPT]
    assert high < inf
    assert high - low < 5


def read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[tuple[Any, tuple[float, float], Any]]]:
    """Read a folder, and keep what its pages said of counts beside what its tables say."""
    said = []

    def spy(at: Path, guide: Guide) -> Any:
        for key, span in pages(at, guide):
            said.append((key, span, guide.seen.get(key)))
            yield key, span

    monkeypatch.setattr(folder_attacker, "pages", spy)
    return read_folder(folder), said


@pytest.mark.parametrize("name", ["partner", "public"])
def test_he_reads_pages_right_and_finds_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [{**p, "ward_period": "fixed"} for p in PROFILES]
    outcome = run(write_city(tmp_path, profiles=rules), progress=lambda *_: None)
    book, said = read_again(outcome.folder / name, monkeypatch)
    shown = [(key, span, seen) for key, span, seen in said if seen and seen[1] < inf]
    assert len(shown) > 10
    assert [s for s in shown if s[1][0] > s[2][1] + 1e-6 or s[1][1] < s[2][0] - 1e-6] == []
    assert {key for key, _, _ in said} & book.hidden == set()
    assert narrow(folder_attacker.attack(book), book.promise) == {}
