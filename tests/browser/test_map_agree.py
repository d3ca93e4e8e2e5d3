"""Map, legend, card, table, picture and downloads say what the release says, and nothing else."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
from PIL import Image

from pipeline.publish import palette
from pipeline.publish.words import count_text, rate_range_text, times_range_words
from pipeline.release.released import Released
from tests.kit.map_pages import data_of, with_data

HEADLINE = "2024-08..2025-07"
COLUMN = {
    "rate": "rate_per_10000",
    "count": "incidents",
    "change": "change_word",
    "significance": "hotspot_class",
    "outcomes": "outcome_share",
}
STATES = [
    ("public", "ward", "rate", "all", "2022-08..2023-07"),
    ("public", "ward", "count", "racist", HEADLINE),
    ("public", "ward", "change", "all", HEADLINE),
    ("public", "ward", "significance", "all", HEADLINE),
    ("public", "ward", "outcomes", "all", HEADLINE),
    ("public", "ward", "count", "transphobic", HEADLINE),
    ("partner", "borough", "rate", "faith", "2022-08..2023-07"),
    ("suppress", "ward", "count", "faith", HEADLINE),
    ("noise", "ward", "rate", "racist", HEADLINE),
    ("city", "borough", "rate", "racist", "2023-05"),
    ("city", "borough", "outcomes", "all", HEADLINE),
    ("city", "borough", "change", "all", HEADLINE),
]
RAMP = {"rate": "sequential", "outcomes": "sequential", "change": "change", "significance": "significance"}


NUMBERS = (
    *(f"{m}{end}" for m in ("incidents", "positive_outcomes") for end in ("", "_lower", "_upper")),
    *("rate_per_10000", "rate_low", "rate_high", "outcome_share", "outcome_low", "change_pct", "hotspot_class"),
)
WORDS = {"lower": "clearly lower", "no clear change": "no clear change", "higher": "clearly higher"}
"""What the page says for the words of the table, in the order of its colours."""
TRIANGLES = ("M6 1.5L11 10H1Z", "M6 10.5L11 2H1Z")
"""Up and down."""


def offered_not(row: Any) -> set[str]:
    return set(str(row["not_offered"]).split(";"))


def rows_of(released: Released, level: str, category: str, period: str) -> pd.DataFrame:
    codes = released.areas.loc[released.areas["level"] == level, "area_code"]
    rows = released.counts
    rows = rows[(rows["level"] == level) & (rows["category"] == category) & (rows["period"] == period)]
    return rows.set_index("area_code").reindex(codes)


def limits_of(released: Released, level: str, measure: str, category: str, period: str) -> tuple[float, ...]:
    """The limits the page should use, worked out from the table again."""
    if measure == "significance":
        return (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5)
    rows = released.counts
    same = (rows["period"].str.len() == 7) == (len(period) == 7)
    rows = rows[(rows["level"] == level) & (rows["category"] == category) & same]
    if measure == "rate":
        rows = rows[~rows["reliability"].isin(["unreliable", "too few to say"])]
    shares = {"ward": (22, 47, 76, 93), "borough": (20, 45, 72, 90)}[level]
    return palette.class_limits(rows[COLUMN[measure]].dropna().astype(float), percentiles=shares)


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def saved(page: Any, selector: str, path: Path) -> Path:
    with page.expect_download() as waiting:
        page.locator(selector).click()
    waiting.value.save_as(path)
    return path


@pytest.mark.parametrize(("name", "level", "measure", "category", "period"), STATES)
def test_fills_legend_table_card_and_csv_agree_with_the_release(  # noqa: PLR0917 - fixtures and cases
    opened,
    releases: Callable[[str], Released],
    tmp_path: Path,
    name: str,
    level: str,
    measure: str,
    category: str,
    period: str,
) -> None:
    released = releases(name)
    page = opened(name, f"l={level}&m={measure}&c={category}&p={period}", accept_downloads=True).page
    rows = rows_of(released, level, category, period)
    covered = released.areas.set_index("area_code").loc[rows.index, "covered"]
    limits = () if measure == "change" else limits_of(released, level, measure, category, period)
    if measure != "count":
        _check_fills(page, released, rows, covered, limits, measure)
    _check_table(page, released, rows, covered, measure)
    found = list(
        csv.DictReader(io.StringIO(saved(page, "#table-csv", tmp_path / "a.csv").read_bytes().decode("utf-8-sig")))
    )
    assert [r["area_code"] for r in found] == list(rows.index)
    checked = 0
    for record, (_, row) in zip(found, rows.iterrows(), strict=True):
        for column in NUMBERS:
            if pd.isna(row[column]):
                assert record[column] == ""
            else:
                assert float(record[column]) == pytest.approx(float(row[column]), abs=1e-9)
                checked += 1
        assert record["not_offered"] == record["withheld"]
        assert set(filter(None, record["not_offered"].split(";"))) <= offered_not(row)
        assert ("incidents" in record["not_offered"].split(";")) == ("incidents" in offered_not(row))
        if not pd.isna(row["change_word"]):
            assert record["change_word"] == row["change_word"]
    assert checked > len(rows)


def _check_fills(  # noqa: PLR0917 - one page and what it should show
    page: Any, released: Released, rows: pd.DataFrame, covered: pd.Series, limits: tuple[float, ...], measure: str
) -> None:
    colours = palette.ramp(RAMP[measure])
    fills = page.evaluate(
        """[...document.querySelectorAll('.leaflet-areas-pane path')]
        .map((p) => [p.getAttribute('fill'), p.getAttribute('fill-opacity')])"""
    )
    assert len(fills) == len(rows)
    valued = 0
    for (fill, opacity), (code, row) in zip(fills, rows.iterrows(), strict=True):
        value = row[COLUMN[measure]]
        assert opacity == "1"
        if not covered[code]:
            assert fill == "url(#pt-nocover)"
        elif COLUMN[measure] in offered_not(row):
            assert fill == "url(#pt-notoffered)"
        elif measure == "change" and value in WORDS:
            assert fill == colours[list(WORDS).index(value)]
            valued += 1
        elif measure == "change" or pd.isna(value):
            assert fill.startswith("url(#pt-")
            assert fill not in {"url(#pt-nocover)", "url(#pt-notoffered)"}
        else:
            assert fill == colours[palette.class_of(float(value), limits)]
            valued += 1
    assert valued >= 5
    if measure == "change":
        keys = page.locator("#legend .keys.first li").all_text_contents()
        held = rows["change_word"].value_counts()
        order = ("higher", "lower", "no clear change")
        assert keys == [f"{WORDS[word].capitalize()}: {held.get(word, 0)}" for word in order]
        # A triangle on each area that changed clearly, and on no other.
        up, down = (page.locator(f'.leaflet-names-pane .mark path[d="{d}"]').count() for d in TRIANGLES)
        assert (up, down) == (held.get("higher", 0), held.get("lower", 0))
        assert page.locator(".spot .badge").count() == 0
        return
    swatches = page.evaluate(
        """[...document.querySelectorAll('#legend .ramp i')].map((n) => getComputedStyle(n))
        .map((s) => [s.backgroundColor, s.opacity])"""
    )
    shown = colours[3:] if measure == "significance" and len(swatches) == 4 else colours
    assert swatches == [["rgb({}, {}, {})".format(*rgb(c)), "1"] for c in shown]
    if measure != "significance":
        ticks = page.locator("#legend .ticks span").all_text_contents()[:4]
        numbers = [float(re.sub(r"[%+,]", "", t.replace("\u2212", "-"))) for t in ticks]
        scale = 100 if measure == "outcomes" else 1
        assert numbers == pytest.approx([limit * scale for limit in limits], rel=1e-3)


def expected_text(released: Released, row: Any, measure: str) -> str | tuple[float, float]:
    """What a cell of the table should say: words, or the two ends of a range of numbers."""
    value = row[COLUMN[measure]]
    lower, upper = row["incidents_lower"], row["incidents_upper"]
    if measure == "count":
        return "no data" if pd.isna(lower) else count_text(int(lower), int(upper))
    if pd.isna(value) or value in {"too few", "not comparable"}:
        return ""
    if measure == "change":
        return WORDS[value]
    if measure == "rate":  # made from the middle of the range: its ends are as many times as large
        each = float(value) / float(row["incidents"]) if row["incidents"] else 0.0
        return each * lower, each * upper
    part, most = row["positive_outcomes_lower"], row["positive_outcomes_upper"]
    return 100 * part / upper, 100 * min(1.0, most / lower)


def _check_table(page: Any, released: Released, rows: pd.DataFrame, covered: pd.Series, measure: str) -> None:
    page.locator("#open-table").click()
    heads = [h.strip(" \u25b2\u25bc") for h in page.locator("#table-head th").all_text_contents()]
    title = {
        "rate": "Per 10,000",
        "count": "Recorded",
        "change": "Change",
        "significance": "Stands out",
        "outcomes": "Positive outcome",
    }[measure]
    at = heads.index(title)
    shown = {
        tr[0]: tr[at]
        for tr in page.evaluate(
            "[...document.querySelectorAll('#table-rows tr')].map((tr) => [...tr.children].map((c) => c.textContent))"
        )
    }
    names = released.areas.set_index("area_code")["name"]
    assert len(shown) == len(rows)
    for code, row in rows.iterrows():
        text = shown[names[code]]
        if not covered[code]:
            assert text == "not covered"
        elif COLUMN[measure] in offered_not(row):
            assert text == "not offered"
        elif measure != "significance":
            expected = expected_text(released, row, measure)
            if expected == "":
                assert text in {"too few", "not comparable", "no data"}
            elif isinstance(expected, str):
                assert text == expected
            else:
                numbers = [float(n.replace(",", "")) for n in re.findall(r"[\d.,]+", text)]
                assert len(numbers) <= 2
                for number, end in ((numbers[0], expected[0]), (numbers[-1], expected[1])):
                    assert number == pytest.approx(end, abs=0.51 if end >= 9.95 or measure != "rate" else 0.051)


def test_the_card_quotes_the_release(opened, releases: Callable[[str], Released]) -> None:
    rows = rows_of(releases("city"), "ward", "all", HEADLINE)
    code = rows["incidents"].astype(float).idxmax()
    row = rows.loc[code]
    page = opened("city", f"l=ward&m=rate&c=all&p={HEADLINE}&a={code}").page
    said = page.locator("#pane-area .say").text_content()
    assert f"{row['incidents']:,} hate crimes" in said
    assert f"{row['rate_per_10000']:,.0f} for every 10,000 residents" in said
    facts = page.locator("#pane-area .facts dd").all_text_contents()
    assert facts[0].startswith("1st")
    assert facts[1] == f"{row['incidents']:,}"
    word = WORDS[row["change_word"]]
    size = "" if word == "no clear change" else f" {row['change_pct']:+.0f}%".replace("-", "\u2212")
    assert facts[2] == word.capitalize() + size
    bars = page.locator("#pane-area .compare-bars .v").all_text_contents()
    region = rows_of(releases("city"), "region", "all", HEADLINE).iloc[0]
    assert bars[0] == f"{row['rate_per_10000']:,.0f}"
    assert bars[-1] == f"{region['rate_per_10000']:,.0f}"
    assert "steps" not in page.locator("#pane-area").text_content()


@pytest.mark.parametrize(("name", "step"), [("partner", 5), ("public", 10)])
def test_the_card_of_a_release_says_steps(opened, releases: Callable[[str], Released], name: str, step: int) -> None:
    rows = rows_of(releases(name), "ward", "all", HEADLINE).dropna(subset=["incidents_lower"])
    largest, least = rows.sort_values("incidents_lower").index[[-1, 0]]
    page = opened(name, f"l=ward&m=rate&c=all&p={HEADLINE}&a={largest}").page
    row = rows.loc[largest]
    steps = f"{row['incidents_lower']} to {row['incidents_lower'] + step - 1}"
    card = page.locator("#pane-area").text_content()
    low, high = (row[f"incidents_{end}"] / row["incidents"] * row["rate_per_10000"] for end in ("lower", "upper"))
    assert f"{steps} hate crimes were recorded in" in card
    assert f": {low:.0f} to {high:.0f} for every 10,000 residents, " in card
    assert f"Recorded{steps}" in card
    assert f"given in steps of {step}, each by itself" in card
    # The middle, which a reader would take for the count, is nowhere.
    assert not re.search(rf"\b{row['incidents']}\b", card)
    page.evaluate(f"location.hash = 'l=ward&m=rate&c=all&p={HEADLINE}&a={least}'")
    page.wait_for_function("document.querySelector('#pane-area .say').textContent.startsWith('Fewer')")
    card = page.locator("#pane-area").text_content()
    assert f"Fewer than {step} hate crimes were recorded in" in card
    assert "too few to give a reliable rate" in card


def test_geojson_of_the_headline_agrees_with_the_release(
    opened, releases: Callable[[str], Released], tmp_path: Path
) -> None:
    released = releases("public")
    page = opened("public", f"l=ward&m=rate&c=all&p={HEADLINE}", accept_downloads=True).page
    page.locator("#open-save").click()
    found = json.loads(saved(page, "#save-geojson", tmp_path / "a.geojson").read_text("utf-8"))
    rows = rows_of(released, "ward", "all", HEADLINE)
    outlines = released.areas.to_crs("EPSG:4326").set_index("area_code").geometry
    assert [f["id"] for f in found["features"]] == list(rows.index)
    for feature in found["features"]:
        row = rows.loc[feature["id"]]
        for column in ("incidents", "rate_per_10000", "change_pct"):
            value = feature["properties"][column]
            assert (value is None) == bool(pd.isna(row[column]))
            if value is not None:
                assert value == pytest.approx(float(row[column]), abs=1e-9)
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.is_valid
        assert shape.exterior.is_ccw
        assert shape.intersection(outlines[feature["id"]]).area / shape.union(outlines[feature["id"]]).area > 0.97
    assert found["notes"]


def test_density_and_hotspot_layers_can_be_taken_away(
    opened, releases: Callable[[str], Released], tmp_path: Path
) -> None:
    page = opened("city", "l=density", accept_downloads=True).page
    page.locator("#open-save").click()
    found = json.loads(saved(page, "#save-geojson", tmp_path / "d.geojson").read_text("utf-8"))
    lows = [f["properties"]["density_low"] for f in found["features"] if "density_low" in f["properties"]]
    assert lows == sorted(releases("city").density["density_low"])
    assert sum("hotspot_id" in f["properties"] for f in found["features"]) == len(releases("city").hotspots)
    for feature in found["features"]:
        assert shapely.make_valid(shapely.geometry.shape(feature["geometry"])).area > 0


def altered(path: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The same page with other data: the block is data, so the policy still holds."""
    text = path.read_text("utf-8")
    payload = data_of(text)
    change(payload)
    out = tmp_path / "altered.html"
    out.write_text(with_data(text, payload), "utf-8")
    return out


def test_everything_shown_comes_from_the_data_block(opened, map_file, tmp_path: Path) -> None:
    """Change every ward's figures in the block, and card, table, comparison and picture follow."""

    def change(payload: dict[str, Any]) -> None:
        level = payload["levels"]["ward"]
        for columns in level["values"].values():
            for key, value in (("n", 4321), ("nx", 4321), ("nm", 4321), ("r", 9876)):
                # One ward is lower: where all lie in one class, circles stand in for colours.
                columns[key] = {p: [value] * (len(level["code"]) - 1) + [value // 1000] for p in columns["n"]}
        level["covered"] = [True] * len(level["code"])

    path = altered(map_file("city"), tmp_path, change)
    seen = opened(path, f"l=ward&m=rate&c=all&p={HEADLINE}&a=B00-11&x=c%3Aracist&spots=0", accept_downloads=True)
    page = seen.page
    strongest = palette.ramp("sequential")[-1]
    for map_id in ("map_hotspots", "map2"):
        fills = page.evaluate(
            f"[...document.querySelectorAll('#{map_id} .leaflet-areas-pane path')].map((p) => p.getAttribute('fill'))"
        )
        assert len(fills) == 54
        assert fills.count(strongest) == 53
    assert "4,321 hate crimes" in page.locator("#pane-area .say").text_content()
    page.locator("#open-save").click()
    picture = np.asarray(Image.open(saved(page, "#save-png", tmp_path / "p.png")).convert("RGB")).reshape(-1, 3)
    share = (picture == rgb(strongest)).all(axis=1).mean()
    page.keyboard.press("Escape")
    page.locator("#open-table").click()
    cells = page.evaluate(
        """[...document.querySelectorAll('#table-rows tr')]
        .map((tr) => [tr.children[2].textContent, tr.children[3].textContent, tr.lastChild.textContent])"""
    )
    assert {tuple(c) for c in cells} == {("4,321", "9,876", "9,876"), ("4", "9.0", "9.0")}
    before = opened("city", f"l=ward&m=rate&c=all&p={HEADLINE}&x=c%3Aracist&spots=0", accept_downloads=True).page
    before.locator("#open-save").click()
    other = np.asarray(Image.open(saved(before, "#save-png", tmp_path / "q.png")).convert("RGB")).reshape(-1, 3)
    assert share > 0.15
    assert (other == rgb(strongest)).all(axis=1).mean() < share / 3
    assert seen.console == []


def test_the_picture_shows_the_colours_of_the_map(opened, tmp_path: Path) -> None:
    page = opened("public", f"l=ward&m=rate&c=all&p={HEADLINE}&spots=0", accept_downloads=True).page
    fills = set(
        page.evaluate("[...document.querySelectorAll('.leaflet-areas-pane path')].map((p) => p.getAttribute('fill'))")
    )
    page.locator("#open-save").click()
    picture = Image.open(saved(page, "#save-png", tmp_path / "p.png")).convert("RGB")
    assert picture.size == (1600, 1560)
    colours = {c for n, c in picture.getcolors(1 << 24) if n > 3000}
    assert {rgb(f) for f in fills if f.startswith("#")} <= colours


def test_public_wards_are_never_ranked(opened) -> None:
    page = opened("public", f"l=ward&m=rate&p={HEADLINE}&a=B00-11").page
    assert not re.search(r"\b\d+(st|nd|rd|th)\b", page.locator("#pane-area").text_content())
    page.locator("#pane-area header button").click()
    assert page.locator("#pane-area .top").count() == 0
    page.locator("#open-table").click()
    heads = page.locator("#table-head th")
    assert heads.first.get_attribute("aria-sort") == "ascending"
    names = page.locator("#table-rows th").all_text_contents()
    assert names == sorted(names)
    assert page.locator("#table-head button").all_text_contents() == ["Area \u25b2", "Borough "]
    page.keyboard.press("Escape")
    inside = opened("city", f"l=ward&m=rate&p={HEADLINE}").page
    assert inside.locator("#pane-area .top li").count() == 5
    page.locator("input[name=measure][value=significance]").check(force=True)
    assert "lower" not in page.locator("#legend").text_content()


def test_first_step_not_offered_few_uncovered_and_missing_are_told_apart(opened) -> None:
    def keys(page: Any) -> list[str]:
        return page.locator("#legend .keys li").all_text_contents()

    page = opened("public", "l=ward&m=rate&c=transphobic").page
    assert {"Fewer than 10: no rate", "Not offered", "Not covered"} <= set(keys(page))
    assert "No data" not in keys(page)
    page.locator("input[name=measure][value=count]").check(force=True)
    assert {"Not offered", "Not covered"} <= set(keys(page))
    classes = page.locator("#legend > svg text").all_text_contents()
    assert classes[-1] == "Fewer than 10"
    assert classes[-2].startswith("10 to ")
    assert classes[0].endswith(" or more")
    # a ring for the first step, hatching and no ring for what is not offered
    drawn = page.evaluate(
        """() => { const areas = [...document.querySelectorAll('.leaflet-areas-pane path')];
        const fills = areas.map((p) => p.getAttribute('fill'));
        const rings = [...document.querySelectorAll('.leaflet-circles-pane path')]
            .filter((p) => p.getAttribute('stroke-opacity') === '1' && p.getAttribute('fill-opacity') === '0');
        return [fills.filter((f) => f === 'url(#pt-notoffered)').length, rings.length]; }"""
    )
    assert drawn[0] == 9
    assert drawn[1] > 20
    inside = opened("city", "l=ward&m=rate&c=racist").page
    assert "Too few for a rate" in keys(inside)
    assert "Not offered" not in keys(inside)
    gap = opened("gap", "l=ward&m=rate&p=2021-08..2022-07").page
    assert "No data" in keys(gap)


def test_equal_numbers_share_a_rank(opened, releases: Callable[[str], Released]) -> None:
    rows = rows_of(releases("partner"), "ward", "all", HEADLINE)
    twice = rows["rate_per_10000"].value_counts()
    rate = float(twice[twice > 1].index.max())
    code = rows.index[rows["rate_per_10000"] == rate][0]
    rank = int((rows["rate_per_10000"] > rate).sum()) + 1
    page = opened("partner", f"l=ward&m=rate&p={HEADLINE}&a={code}").page
    text = page.locator("#pane-area .facts dd").first.text_content()
    assert re.match(rf"joint {rank}(st|nd|rd|th) of ", text)


def test_every_range_reads_as_python_writes_it(opened, releases: Callable[[str], Released]) -> None:
    """The sentence of each borough's card, against the words that briefings use."""
    for name in ("partner", "public", "noise"):
        rows = rows_of(releases(name), "borough", "racist", HEADLINE)
        region = rows_of(releases(name), "region", "racist", HEADLINE).iloc[0]
        page = opened(name, f"l=borough&m=rate&c=racist&p={HEADLINE}").page
        for code, row in rows.dropna(subset=["rate_per_10000"]).iterrows():
            page.evaluate(f"location.hash = 'l=borough&m=rate&c=racist&p={HEADLINE}&a={code}'")
            page.wait_for_function(f"document.querySelector('#pane-area h2').textContent === '{row['area_name']}'")
            said = page.locator("#pane-area .say").text_content()
            low, high = (
                row[f"incidents_{end}"] / row["incidents"] * row["rate_per_10000"] for end in ("lower", "upper")
            )
            least, most = (
                region[f"incidents_{end}"] / region["incidents"] * region["rate_per_10000"]
                for end in ("lower", "upper")
            )
            count = count_text(int(row["incidents_lower"]), int(row["incidents_upper"]))
            assert said.lower().startswith(f"{count} hate crimes")
            assert rate_range_text(low, high) + " for every 10,000 residents" in said
            assert times_range_words(low / most, high / least, "Anytown") in said
