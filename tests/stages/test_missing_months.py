"""A month that no file holds, from the folder of files to every page: named, never 0, and in no figure."""

import json
import shutil
from pathlib import Path

import pytest

from tests.kit.cases import (
    POLICE_SOURCE,
    REGION,
    Attempt,
    attempt,
    change,
    incidents,
    names_month,
    police,
    write_case,
    write_police,
)
from tests.kit.map_pages import readable

pytestmark = pytest.mark.slow

PROFILES = [
    {"name": "internal", "audience": "internal", "threshold": 0, "ward_period": "month"},
    {"name": "partner", "audience": "partner", "threshold": 5, "borough_period": "fixed"},
]


@pytest.fixture(scope="module")
def without_june(tmp_path_factory: pytest.TempPathFactory) -> Attempt:
    folder = tmp_path_factory.mktemp("june")
    write_police(folder / "street", [r for r in police(incidents(775, span=25)) if r["Month"] != "2025-06"])
    source = {**POLICE_SOURCE, "paths": ["street/*-street.csv"]}
    every_page = {f"detect__{method}": {"enabled": True} for method in ("concentration", "hours", "seasons")}
    return attempt(write_case(folder, None, source=source, profiles=PROFILES, page={"briefings": True}, **every_page))


def test_every_page_that_shows_a_window_over_the_month_names_it(without_june: Attempt) -> None:
    assert without_june.code == 0, without_june.text[-800:]
    pages = [p for name in ("internal", "partner") for p in sorted((without_june.folder / name).rglob("*.html"))]
    assert {"index.html", "panel.html", "protection.html"} <= {p.name for p in pages}
    pages = [p for p in pages if p.name != "accessibility.html"]  # about the pages, and without any figure
    unnamed = [str(p) for p in pages if not names_month(readable(p.read_text("utf-8")), "2025-06", "missing")]
    assert unnamed == []


def test_layers_and_records_say_so(without_june: Attempt) -> None:
    for name in ("internal", "partner"):
        layer = json.loads((without_june.folder / name / "boroughs.geojson").read_text("utf-8"))["features"]
        assert {f["properties"]["complete"] for f in layer} == {False}
        assert {f["properties"]["rate_per_10000"] for f in layer} == {None}
        record = json.loads((without_june.folder / name / "release.json").read_text("utf-8"))
        assert names_month(" ".join(record["missing_months"]), "2025-06", "missing")


def test_the_window_that_the_run_advises_is_whole(without_june: Attempt, tmp_path: Path) -> None:
    assert "2025-07..2026-01 or 2024-06..2025-05" in without_june.text
    folder = tmp_path / "again"
    shutil.copytree(without_june.config.parent, folder)
    again = change(
        folder / without_june.config.name,
        periods={"headline": "2024-06..2025-05"},
        profiles=PROFILES[:1],  # a partner who has the first release would learn from the difference
        page={"briefings": False},
    )
    tried = attempt(again)
    assert tried.code == 0, tried.text[-800:]
    layer = json.loads((tried.folder / "internal" / "boroughs.geojson").read_text("utf-8"))
    assert {f["properties"]["complete"] for f in layer["features"]} == {True}
    assert all(f["properties"]["rate_per_10000"] > 0 for f in layer["features"])
    assert without_june.cell(REGION, "2025-06") is None
