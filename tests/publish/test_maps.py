"""The map page as a file: what is in it, what must never be in it, and that it is the same every time."""

import base64
import dataclasses
import hashlib
import re
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.errors import InputError
from pipeline.geography import topology as simplify
from pipeline.publish import page, palette
from pipeline.publish.map import map_html, write_map
from pipeline.release.released import Released
from tests.kit import released as fixture
from tests.kit.map_pages import data_of

pytestmark = pytest.mark.slow


@cache
def release(name: str) -> Released:
    return {
        "city": fixture.city,
        "public": lambda: fixture.city(audience="public"),
        "months": lambda: fixture.city(
            audience="partner", periods=fixture.make_info().periods, headline=fixture.make_info().headline
        ),
        "noise": lambda: fixture.city(audience="partner", mechanism="noise"),
        "suppress": lambda: fixture.city(audience="public", mechanism="suppress"),
        "hostile": fixture.hostile_city,
        "london": fixture.london,
    }[name]()


@cache
def html(name: str) -> str:
    return map_html(release(name))


def cells(payload: dict[str, Any], level: str, period: str, category: str, key: str) -> list[Any]:
    own = payload["levels"][level]
    nothing = [None] * len(own["code"])
    found = own["values"][category].get(key, {}).get(period, nothing)
    assert len(found) == len(nothing)
    return found


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def without_scripts(text: str) -> str:
    return re.sub(r"<script([^>]*)>.*?</script>", r"<script\1></script>", text, flags=re.DOTALL)


def test_two_builds_are_byte_identical(tmp_path: Path) -> None:
    write_map(fixture.city(), tmp_path / "a.html")
    write_map(fixture.city(), tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert (tmp_path / "a.html").read_bytes().endswith(b"</html>\n")


def test_the_page_refers_to_nothing_outside_itself() -> None:
    text = html("city")
    for tag, attributes in Tags(without_scripts(text)).tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, name, value)
        assert "style" not in attributes
        assert not [a for a in attributes if a.startswith("on")]
    styles = "".join(re.findall(r"<style>(.*?)</style>", text, re.DOTALL))
    assert not [u for u in re.findall(r"url\(([^)]*)\)", styles) if not u.startswith("#")]
    assert "@import" not in styles


def test_the_policy_allows_these_scripts_and_styles_and_nothing_unsafe() -> None:
    text = html("city")
    policies = [
        a["content"] for t, a in Tags(without_scripts(text)).tags if a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    rules = dict(part.strip().split(" ", 1) for part in str(policies[0]).split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert rules["base-uri"] == rules["form-action"] == "'none'"
    assert "unsafe" not in str(policies[0])
    for kind, pattern in (("script-src", r"<script>(.*?)</script>"), ("style-src", r"<style>(.*?)</style>")):
        bodies = re.findall(pattern, text, re.DOTALL)
        hashes = {"'sha256-" + base64.b64encode(hashlib.sha256(b.encode()).digest()).decode() + "'" for b in bodies}
        assert set(rules[kind].split()) == hashes
        assert len(bodies) >= 2


def test_leaflet_comes_with_its_notice_and_folium_makes_the_map() -> None:
    text = html("city")
    assert "Vladimir Agafonkin" in text
    assert "BSD 2-Clause" in text
    assert "var map_hotspots = L.map(" in text


@pytest.mark.parametrize(
    "name", ["city", "public", pytest.param("months", marks=pytest.mark.slow), "noise", "suppress"]
)
def test_the_numbers_are_those_of_the_release(name: str) -> None:
    released, payload = release(name), data_of(html(name))
    checked = Counter()
    for row in released.counts.to_dict("records"):
        at = payload["levels"][row["level"]]["code"].index(row["area_code"])
        for key, column in (
            ("n", "incidents_lower"),
            ("nx", "incidents_upper"),
            ("nm", "incidents"),
            ("ox", "positive_outcomes_upper"),
            ("r", "rate_per_10000"),
            ("lo", "rate_low"),
            ("c", "change_pct"),
            ("s", "outcome_share"),
            ("g", "hotspot_class"),
        ):
            shown = cells(payload, row["level"], row["period"], row["category"], key)[at]
            value = row[column]
            if value is None or value != value or str(value) == "<NA>":  # noqa: PLR0124
                assert shown in {None, "w"}
            else:
                assert shown == pytest.approx(float(value), abs=1e-9)
                checked[key] += 1
    assert min(checked[k] for k in ("n", "nx", "nm", "ox", "r", "lo", "c", "s", "g")) >= 40


def test_a_number_that_is_not_offered_is_nowhere_in_the_file() -> None:
    protected, payload = release("public"), data_of(html("public"))
    hidden = 0
    for row in protected.counts.to_dict("records"):
        at = payload["levels"][row["level"]]["code"].index(row["area_code"])
        found = {
            key: cells(payload, row["level"], row["period"], row["category"], key)[at]
            for key in ("n", "nx", "nm", "r", "lo", "hi", "o", "s")
        }
        if "incidents" in row["not_offered"].split(";"):
            hidden += 1
            assert set(found.values()) <= {"w", None}
            assert found["n"] == "w"
        else:
            assert found["n"] % 10 == 0
            assert found["nx"] == found["n"] + 9
    assert hidden == 9 * 4  # nine wards of one borough, the last category, four years


def test_every_count_of_a_release_in_steps_is_a_multiple_of_the_step() -> None:
    assert (release("city").counts["incidents"] % 10 != 0).mean() > 0.7
    payload = data_of(html("public"))
    for columns in payload["levels"]["ward"]["values"].values():
        for line in columns["n"].values():
            assert {n % 10 for n in set(line) - {None, "w"}} == {0}


def test_public_pages_hold_no_cold_spots_no_hotspot_counts_and_no_density_figures_of_hotspots() -> None:
    base = release("city")
    weak = (base.counts["hotspot_class"] == 1).fillna(value=False)
    counts = base.counts.assign(hotspot_class=base.counts["hotspot_class"].mask(weak, -2))
    info = dataclasses.replace(release("public").info, audience="public")
    payload = data_of(map_html(fixture.sealed(info, base.areas, counts, release("public").hotspots, base.density)))
    values = cells(payload, "ward", base.info.headline.id, "all", "g")
    assert set(values) <= {0, 1, 2, 3, None}
    untested = cells(payload, "ward", "2021-08..2022-07", "all", "g")
    assert set(untested) == {None}  # not tested is not the same as nothing found
    assert 0 in values
    assert all(h["n"] is None and h["density"] is None and h["band"] for h in payload["hotspots"])


def test_class_limits_come_from_released_values_and_hold_for_every_period() -> None:
    released, payload = release("public"), data_of(html("public"))
    rows = released.counts
    pool = rows[
        (rows["level"] == "ward")
        & (rows["category"] == "all")
        & ~rows["reliability"].isin(["unreliable", "too few to say"])
    ]
    expected = palette.class_limits(pool["rate_per_10000"].dropna().round(4), percentiles=(22, 47, 76, 93))
    assert payload["levels"]["ward"]["limits"]["y"]["all"]["rate"] == list(expected)
    for level in ("ward", "borough"):  # counts: between steps
        limits = payload["levels"][level]["limits"]["y"]["racist"]["count"]
        assert all(limit % 10 == 0 for limit in limits)
        assert limits == sorted(set(limits))
    released, payload = release("city"), data_of(html("city"))
    rows = released.counts
    months = rows[(rows["level"] == "borough") & (rows["category"] == "racist") & (rows["period"].str.len() == 7)]
    expected = palette.class_limits(months["incidents"].dropna(), percentiles=(20, 45, 72, 90))
    assert payload["levels"]["borough"]["limits"]["m"]["racist"]["count"] == list(expected)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("city", ""),
        ("public", "Counts, totals too, are given in steps of 10, each by itself, so that subtraction gives nothing."),
        ("suppress", "Counts under 10, and others from which these could be worked out, are not offered"),
        ("noise", "random noise"),
    ],
)
def test_how_counts_are_given_is_on_the_page(name: str, words: str) -> None:
    said = data_of(html(name))["info"]["counts"]
    assert words in said
    assert bool(said) == bool(words)


def test_hostile_strings_stay_inside_the_data_block() -> None:
    text = html("hostile")
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert block
    assert re.fullmatch(r'\{"gzip": "[A-Za-z0-9+/]+=*"\}', block[1])
    outside = text.replace(block[0], "")
    assert "pwned" not in re.sub(r"<title>.*?</title>", "", outside)
    assert "49" not in re.findall(r"<title>(.*?)</title>", text)[0]
    payload = data_of(text)
    assert payload["info"]["title"] == fixture.HOSTILE[0]
    assert set(fixture.HOSTILE) <= set(payload["info"]["caveats"])
    assert len(re.findall(r"<script", text)) == 4


def test_a_number_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InputError, match="write it as null"):
        page.data_block({"rate": float("nan")})


@cache
def london_geometry() -> tuple[dict[str, Any], list[tuple[tuple[int, int], ...]]]:
    payload = data_of(html("london"))
    return payload, [simplify.decode_arc(code) for code in payload["arcs"]]


def rings_of(arcs: list[tuple[tuple[int, int], ...]], shape: list[list[int]]) -> list[list[tuple[int, int]]]:
    out = []
    for refs in shape:
        points: list[tuple[int, int]] = []
        for r in refs:
            points.extend((arcs[r] if r >= 0 else arcs[-r - 1][::-1])[:-1])
        out.append(points)
    return out


def test_a_london_of_33_boroughs_and_650_wards_stays_under_two_megabytes() -> None:
    text, released = html("london"), release("london")
    assert len(text.encode()) <= 2_000_000
    level = data_of(text)["levels"]
    assert len(level["borough"]["code"]) == 33
    assert len(level["ward"]["code"]) >= 630
    choices = [
        (period, category, key)
        for category, columns in level["ward"]["values"].items()
        for key, periods in columns.items()
        for period in periods
        if key in "nrcgs"
    ]
    assert len(choices) >= 60
    assert len(released.density) >= 4
    assert len(released.hotspots) == 12


def test_every_border_is_stored_once() -> None:
    payload, arcs = london_geometry()
    areas = {
        abs(r) if r >= 0 else -r - 1
        for level in ("ward", "borough")
        for s in payload["levels"][level]["rings"]
        for ring in s
        for r in ring
    }
    pieces = Counter(frozenset(pair) for k in sorted(areas) for pair in zip(arcs[k], arcs[k][1:], strict=False))
    assert max(pieces.values()) == 1
    wards = {r if r >= 0 else -r - 1 for s in payload["levels"]["ward"]["rings"] for ring in s for r in ring}
    boroughs = {r if r >= 0 else -r - 1 for s in payload["levels"]["borough"]["rings"] for ring in s for r in ring}
    edge = {r if r >= 0 else -r - 1 for ring in payload["edge"] for r in ring}
    assert boroughs <= wards  # drawn from the same wards
    assert edge <= boroughs


def test_wards_neither_gape_nor_overlap_after_simplification() -> None:
    payload, arcs = london_geometry()
    walks: Counter[tuple[Any, Any]] = Counter()
    total = 0.0
    for shape in payload["levels"]["ward"]["rings"]:
        for points in rings_of(arcs, shape):
            walks.update(zip(points, [*points[1:], points[0]], strict=True))
            total += sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, [*points[1:], points[0]], strict=True)) / 2
    assert max(walks.values()) == 1  # no two wards on the same side of a border
    outer = [pair for pair in walks if pair[::-1] not in walks]
    edge = [pair for ring in rings_of(arcs, payload["edge"]) for pair in zip(ring, [*ring[1:], ring[0]], strict=True)]
    assert set(outer) == set(edge)  # every other border has a ward on both sides
    unit = simplify.UNITS_PER_DEGREE
    whole = release("london").areas.query("level == 'region'").to_crs("EPSG:4326").geometry.iloc[0]
    assert total / unit**2 == pytest.approx(whole.area, rel=2e-3)


def test_simplified_outlines_stay_near_the_originals() -> None:
    payload, arcs = london_geometry()
    released = release("london")
    frame = released.areas[released.areas["level"] == "ward"].to_crs("EPSG:4326")
    unit = simplify.UNITS_PER_DEGREE
    overlap = []
    for shape, original in zip(payload["levels"]["ward"]["rings"], frame.geometry, strict=True):
        parts = [shapely.make_valid(shapely.Polygon(np.array(ring) / unit)) for ring in rings_of(arcs, shape)]
        drawn = max(parts, key=lambda p: p.area)
        largest = max(shapely.get_parts(original), key=lambda p: p.area)
        overlap.append(drawn.intersection(largest).area / drawn.union(largest).area)
    assert np.median(overlap) > 0.98
    assert min(overlap) > 0.75


def test_density_bands_and_hotspots_are_where_they_were() -> None:
    released, payload = release("city"), data_of(html("city"))
    arcs = [simplify.decode_arc(code) for code in payload["arcs"]]
    unit = simplify.UNITS_PER_DEGREE
    every = pd.concat([released.hotspots, released.hotspots_by_category])
    frame = every.to_crs("EPSG:4326").set_index("hotspot_id")
    assert sorted(spot["id"] for spot in payload["hotspots"]) == sorted(frame.index)
    for spot in payload["hotspots"]:
        drawn = shapely.Polygon(np.array(rings_of(arcs, spot["rings"])[0]) / unit)
        original = frame.geometry[spot["id"]]
        assert drawn.intersection(original).area / drawn.union(original).area > 0.97
        assert original.distance(shapely.Point(np.array(spot["at"]) / unit)) < 2e-5
    for category in ("all", "racist"):
        ranks = [h["rank"] for h in payload["hotspots"] if h["category"] == category]
        assert ranks
        assert ranks == sorted(ranks)
    lows = {c: [b["low"] for b in payload["density"] if b["category"] == c] for c in ("all", "racist")}
    assert lows["all"] == sorted(released.density["density_low"])
    assert lows["racist"] == sorted(released.density_by_category["density_low"])


def test_tiles_open_the_policy_for_their_host_alone() -> None:
    url = "https://{s}.tiles.example.org/{z}/{x}/{y}.png?key=abc"
    text = map_html(fixture.city(tiles_url=url, tiles_attribution="Example Maps"))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert "img-src data: https://*.tiles.example.org;" in policy[1]
    assert policy[1].count("https:") == 1


@pytest.mark.parametrize(
    ("url", "credit", "message"),
    [
        ("https://tiles.example.org/{z}/{x}/{y}.png", "", "tiles.attribution"),
        ("ftp://tiles.example.org/{z}", "Maps", "https://"),
        ("https://{key}.example.org/{z}", "Maps", "placeholder"),
        ("https://user@example.org/{z}", "Maps", "password"),
        ("https://a.example.org;script-src *//{z}", "Maps", ""),
    ],
)
def test_tiles_without_credit_or_with_an_odd_address(url: str, credit: str, message: str) -> None:
    if message:
        with pytest.raises(InputError, match=message):
            map_html(fixture.city(tiles_url=url, tiles_attribution=credit))
    else:  # what follows the host never reaches the policy
        assert page.tile_origin(url) == "https://a.example.org"


def test_the_fixed_wording_is_on_the_page() -> None:
    wording = " ".join(data_of(html("city"))["info"]["wording"])
    for words in (
        "recorded, not experienced, hate crime",
        "many incidents are never reported",
        "low figure may mean low trust",
        "where offences were recorded, not the people who live there",
        "Not for stop-and-search, enforcement targeting or decisions about individuals",
    ):
        assert words in wording


def test_markings_and_the_audit_travel_with_the_page() -> None:
    info = data_of(map_html(fixture.city(marking="OFFICIAL", audit="not audited: do not publish")))["info"]
    assert (info["marking"], info["audit"]) == ("OFFICIAL", "Not audited: do not publish")
    assert data_of(html("public"))["info"]["audit"] == ""


def test_the_map_leads_to_the_pages_beside_it_and_to_no_other() -> None:
    text = map_html(release("city"), pages={"panel.html", "README.html", "boroughs/B01.html"})
    assert re.findall(r'href="([^"#]+\.html)"', text) == ["panel.html", "README.html"]
    levels = data_of(text)["levels"]
    assert levels["region"]["briefing"] == ["panel.html"]
    assert levels["borough"]["briefing"] == [
        "boroughs/B01.html" if code == "B01" else "" for code in levels["borough"]["code"]
    ]
    assert all("briefing" not in level for level in data_of(html("city"))["levels"].values())
