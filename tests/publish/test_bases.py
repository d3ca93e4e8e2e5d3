"""A run whose rates are not per resident: no page, table or layer says that they are."""

import re
from pathlib import Path

import pytest

from tests.kit.cases import attempt, incidents, write_case

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    people = {"path": "pop.csv", "code": "WD25CD", "value": "pop", "measure": "workday population"}
    config = write_case(
        tmp_path_factory.mktemp("bases"),
        incidents(400),
        areas__population=[people],
        page__briefings=True,
        detect={"density": {"enabled": True, "bandwidth_m": 300, "cell_m": 50, "risk": {"against": "population"}}},
    )
    tried = attempt(config)
    assert tried.code == 0, tried.crash + tried.text[-600:]
    return tried.folder


def test_no_page_says_residents_where_the_base_is_another(folder: Path) -> None:
    said = []
    for path in sorted(folder.rglob("*")):
        if path.suffix not in {".html", ".csv", ".json", ".geojson", ".md"} or "work" in path.parts:
            continue
        # Readers of the public folder, and the words of the map's script for other releases, are no base of a rate.
        text = path.read_text("utf-8").replace("For anybody: residents, councillors, journalists.", "")
        text = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
        said += [f"{path.name}: {text[m.start() - 60 : m.end() + 20]}" for m in re.finditer("residents?\\b", text)]
    assert not said


def test_pages_name_the_base(folder: Path) -> None:
    pages = [p.read_text("utf-8") for p in (folder / "internal" / "boroughs").glob("*.html")]
    assert pages
    assert all("per 10,000 workday population" in page for page in pages)
    assert "Where there are many incidents for the workday population" not in pages[0]
