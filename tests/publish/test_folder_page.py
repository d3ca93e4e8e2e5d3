"""README.html of a folder: every file in it, for whom it is, and every column of its tables."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.publish.pages.folder import README, files_of, write_readme
from tests.kit import released as fixture

NAMES = (
    "index.html",
    "area_counts.csv",
    "area_counts.csv-metadata.json",
    "boroughs/E1.html",
    "boroughs/E1-circumstances.html",
    "wards.geojson",
    "hotspots.geojson",
    "hotspots_by_category.geojson",
    "strange.bin",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x", "utf-8")
    return tmp_path


def test_every_file_is_listed_once(folder: Path) -> None:
    listed = [path for found in files_of(folder) for path in found.paths]
    assert sorted(listed) == sorted(NAMES)
    kinds = {found.key: found.paths for found in files_of(folder)}
    assert kinds["briefings"] == ("boroughs/E1.html",)
    assert kinds["hotspots"] == ("hotspots.geojson", "hotspots_by_category.geojson")


@pytest.mark.parametrize("audience", ["internal", "partner", "public"])
def test_the_page_names_readers_files_and_columns(folder: Path, audience: str) -> None:
    released = fixture.city(audience=audience)
    write_readme(released, folder)
    page = (folder / README).read_text("utf-8")
    readers = {
        "internal": "analysts and supervisors",
        "partner": "sharing agreement",
        "public": "residents, councillors",
    }
    assert readers[audience] in page
    for name in ("area_counts.csv", "wards.geojson", "strange.bin", "incidents_lower", "Lowest possible value"):
        assert name in page
    # Every file is a link, the page itself too.
    assert all(f'href="{name}"' in page for name in (*NAMES, README))
    # Which coordinates the layers are in, and which edition the codes are of.
    assert f"EPSG:4326) in GeoJSON, {released.info.working_crs} in all other layers" in page
    vintages = set(released.areas["vintage"].dropna())
    assert vintages
    assert all(f"({vintage})" in page for vintage in vintages)
    # No table of a file that is not there.
    assert "density_low" not in page


def test_two_writings_are_equal(folder: Path) -> None:
    released = fixture.city()
    write_readme(released, folder)
    first = (folder / README).read_bytes()
    write_readme(released, folder)
    assert (folder / README).read_bytes() == first


@pytest.mark.browser
def test_axe_finds_nothing(browser: Any, folder: Path) -> None:
    from tests.kit.axe import violations_in_widths  # after the browser, without which there is none of this

    write_readme(fixture.city(), folder)
    page = browser.new_page()
    page.goto((folder / README).as_uri())
    assert violations_in_widths(page) == []
    page.close()
