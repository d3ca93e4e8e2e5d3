"""clusters.html: its figures are those of the table, and only the internal folder has it."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.publish.map.document import map_html
from pipeline.publish.map.overlays import overlay_fields
from pipeline.publish.pages.clusters import MOST_LISTED, PAGE, clusters_html, write_clusters
from pipeline.release.patterns import Patterns
from pipeline.release.released import Released
from pipeline.tables import SPACE_TIME_CLUSTERS, SPATIAL_CLUSTERS
from tests.kit import released as fixture
from tests.kit.dark import not_darkened

pytestmark = pytest.mark.slow

Row = dict[str, Any]


def search(kind: str, category: str, notes: str = "", observed: int = 90) -> Row:
    row = dict.fromkeys(SPATIAL_CLUSTERS.names) | {"kind": kind, "category": category, "rank": 0, "notes": notes}
    period = "2024-08..2025-07"
    return row | {
        "period": period, "alive": False, "places": 40, "area_codes": "", "observed": observed, "simulations": 999,
    }  # fmt: skip


def cluster(kind: str, category: str, rank: int, codes: str, **given: Any) -> Row:
    row = search(kind, category) | {"rank": rank, "area_codes": codes, "places": 3, "radius_m": 1234.4}
    row |= {"easting_m": 530_500.0, "northing_m": 180_500.0, "observed": 24, "expected": 11.71, "log_ratio": 9.1}
    return row | {"p": 0.002} | given


def with_rows(released: Released, *rows: Row) -> Released:
    table = SPATIAL_CLUSTERS.conform(pd.DataFrame(list(rows), columns=SPATIAL_CLUSTERS.names))
    in_time = table["kind"] == "space_time"
    parts = {SPACE_TIME_CLUSTERS.name: table[in_time], SPATIAL_CLUSTERS.name: table[~in_time]}
    return dataclasses.replace(released, patterns=Patterns({name: part for name, part in parts.items() if len(part)}))


def text_of(html: str) -> str:
    body = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


@pytest.fixture(scope="module")
def city() -> Released:
    return fixture.hostile_city(audience="internal")


def test_the_page_says_what_the_table_holds(city: Released) -> None:
    wards = city.areas[city.areas["level"] == "ward"]["area_code"].tolist()
    released = with_rows(
        city,
        search("space_time", "all"),
        cluster("space_time", "all", 1, ";".join(wards[:6]), period="2025-06..2025-07", alive=True),
        search("poisson", "all", "visitors:2;no_population:1"),
        cluster("poisson", "all", 1, wards[0], relative_risk=3.5321, p_gumbel=0.00012, places=1),
        search("bernoulli", "racist", "few:17", observed=17),
        cluster("bernoulli", "racist", 1, wards[1], relative_risk=None, p=0.3, p_gumbel=0.28),
    )
    html = clusters_html(released)
    assert not_darkened(html) == []
    text = text_of(html)
    assert "2 clusters are beyond chance; 1 of them still going on in the last period." in text
    assert "and 2 more radius 1,234 m, 3 places 2 months to July 2025 still going on 24 12 2.05 0.002" in text
    assert "a single place 24 12 2.05 3.53 0.002 Gumbel 0.0001" in text
    assert "2.05 all inside 0.300 within chance Gumbel 0.280" in text
    assert "2 areas are left out, which have far more visitors than residents." in text
    assert "1 area is left out, which has no population." in text
    assert "17 incidents at 40 places, 999 simulations. With so few incidents only a very strong cluster" in text
    assert html.count("<svg") == 3
    for hostile in fixture.HOSTILE:
        assert f"<{hostile[1:8]}" not in html or "<" not in hostile
    assert "None" not in text
    assert "nan" not in text.lower()


def test_where_nothing_was_found_the_page_says_why(city: Released) -> None:
    one = search("space_time", "all", "too_few", observed=1)
    text = text_of(clusters_html(with_rows(city, one, search("bernoulli", "racist", "no_controls"))))
    assert "No cluster is beyond chance." in text
    assert "1 incident at 40 places, 999 simulations. Too few to search: a scan needs at least two." in text
    assert "there are no others to compare them with" in text


def test_of_many_clusters_the_strongest_are_listed_and_the_others_counted(city: Released) -> None:
    ward = city.areas[city.areas["level"] == "ward"]["area_code"].iloc[0]
    rows = [cluster("poisson", "all", k, ward, p_gumbel=0.001, relative_risk=2.0) for k in range(1, MOST_LISTED + 4)]
    text = text_of(clusters_html(with_rows(city, search("poisson", "all"), *rows)))
    assert f"{MOST_LISTED + 3} clusters are beyond chance" in text
    assert "3 more clusters are in work/patterns." in text
    assert text.count("Gumbel 0.001") == MOST_LISTED


def test_only_the_internal_folder_has_the_page_and_its_map_leads_there(city: Released, tmp_path: Path) -> None:
    link = f'href="{PAGE}"'
    shown = with_rows(city, search("space_time", "all"))
    write_clusters(shown, tmp_path)
    assert (tmp_path / PAGE).is_file()
    assert link in map_html(shown, pages={path.name for path in tmp_path.iterdir()})
    for other in (city, with_rows(fixture.city(audience="partner"), search("space_time", "all"))):
        (tmp_path / PAGE).unlink(missing_ok=True)
        write_clusters(other, tmp_path)
        assert not (tmp_path / PAGE).is_file()


def test_the_internal_map_draws_the_clusters_as_circles_of_a_test(city: Released) -> None:
    ward = city.areas[city.areas["level"] == "ward"].iloc[0]
    rows = (
        search("poisson", "all"),
        cluster("poisson", "all", 1, ward["area_code"], relative_risk=2.0, radius_m=0.0),
        search("space_time", "racist"),
        cluster("space_time", "racist", 1, ward["area_code"], period="2025-06", p=0.4),
    )
    overlays = {overlay["id"]: overlay["features"] for overlay in overlay_fields(with_rows(city, *rows))}
    drawn = {name: overlays[name] for name in ("space_time", "poisson", "bernoulli") if name in overlays}
    assert {name: [(f["category"], f["shade"]) for f in found] for name, found in drawn.items()} == {
        "space_time": [("racist", 1)],
        "poisson": [("all", 0)],
    }
    assert drawn["space_time"][0]["row"] == [ward["name"], "June 2025", "24", "12", "0.400"]
    assert all(len(ring) > 40 for found in drawn.values() for ring in found[0]["rings"])  # round, also of one place
    assert overlay_fields(with_rows(fixture.city(audience="partner"), *rows)) == []
