"""Briefings say what area_counts says, in every kind of release, offline and the same every time."""

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest

from pipeline.publish import page, words
from pipeline.publish.briefings import write_briefings
from pipeline.publish.words import catalogue as catalogue_module
from pipeline.release.released import Event, Released
from pipeline.tables import Level
from tests.kit.released import HOSTILE, city, hostile_city, make_info, sealed, windows

pytestmark = pytest.mark.slow


class Reader(HTMLParser):
    """Texts of a page, table rows, and every element with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._cell = self._quiet = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self._cell = True
            self.rows[-1].append("")
        self._quiet = tag in {"style", "script"}

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._cell = False
        self._quiet = False

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self.words.append(data)
        if self._cell:
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


def written(released: Released, folder: Path) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    return {p.stem: p.read_text("utf-8") for p in write_briefings(released, folder)}


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return written(city(), tmp_path_factory.mktemp("inside"))


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return written(city(audience="public"), tmp_path_factory.mktemp("outside"))


def small(**changes: Any) -> Released:
    """Two boroughs of four wards."""
    return city(columns=2, rows=1, per_side=2, **changes)


def worded(row: pd.Series | dict[str, Any], measure: str = "incidents") -> str:
    """Write a count as readers must find it: the number, the step, fewer than, not offered, or no data."""
    if measure in str(row["not_offered"]).split(";"):
        return "not offered"
    lower, upper = row[f"{measure}_lower"], row[f"{measure}_upper"]
    if pd.isna(lower):
        return "no data"
    if lower == upper:
        return f"{int(lower):,}"
    return f"fewer than {int(upper) + 1}" if lower == 0 else f"{int(lower):,} to {int(upper):,}"


def pct(share: float) -> str:
    return f"{int(share * 100 + 0.5)}%"


def shared(row: pd.Series) -> set[str]:
    """Write the share of positive outcomes, from part lower by total upper to part upper by total lower."""
    if "incidents" in str(row["not_offered"]).split(";"):
        return {"not offered"}
    if pd.isna(row["outcome_share"]):
        return {"too few", "no data"}
    whole = "known_outcomes" if not pd.isna(row["known_outcomes_lower"]) else "incidents"
    low = row["positive_outcomes_lower"] / row[f"{whole}_upper"]
    high = min(1.0, row["positive_outcomes_upper"] / row[f"{whole}_lower"])
    return {pct(low)} if pct(low) == pct(high) else {f"{pct(low)} to {pct(high)}", f"at most {pct(high)}"}


def test_one_page_for_every_covered_borough_and_the_panel(inside: dict[str, str]) -> None:
    assert sorted(inside) == ["B00", "B01", "B10", "B11", "B21", "panel"]  # B20 is not covered
    rows = {row[0]: row for row in Reader(inside["panel"]).rows if row}
    assert rows["Borough C1"][1] == "not covered"


@pytest.mark.parametrize("audience", ["internal", "partner", "public"])
def test_every_number_equals_the_one_in_area_counts(audience: str, tmp_path: Path) -> None:
    """Both are read: the table as exported, and the page as people see it."""
    released = city(audience=audience)
    released.counts.to_csv(tmp_path / "area_counts.csv", index=False)
    table = pd.read_csv(tmp_path / "area_counts.csv", dtype={"not_offered": str}, keep_default_na=True)
    assert table["incidents_lower"].equals(table["incidents_upper"]) == (audience == "internal")
    now = table[(table["period"] == released.info.headline.id)]
    labels = {c.id: c.label for c in released.info.categories}
    checked = 0
    for stem, html in written(released, tmp_path / "p").items():
        code = released.info.region_code if stem == "panel" else stem
        rows = {row[0]: row for row in Reader(html).rows if row}
        mine = now[now["area_code"] == code].set_index("category")
        for id_, label in labels.items():
            row = rows["All" if id_ == "all" else label]
            assert row[2] == worded(mine.loc[id_])
            assert row[-1] in shared(mine.loc[id_])
            change, word = mine.loc[id_, "change_pct"], mine.loc[id_, "change_word"]
            if audience != "internal" and word == "no clear change":
                assert row[3] == "not clear"
            elif word in {"higher", "lower", "no clear change"}:
                size = row[3].strip("()").removeprefix("about ").replace("\u2212", "-")
                assert size in {f"{change:+.0f}%", "0%", f"{change:+.1f}%"}
                assert row[3].startswith("(") == (word == "no clear change")
                assert row[3].startswith("about ") == (audience != "internal")
            checked += 1
        level = "borough" if stem == "panel" else "ward"
        inner = now[(now["level"] == level) & (now["category"] == "all")]
        for part in inner.to_dict("records"):
            if stem != "panel" and not part["area_code"].startswith(stem):
                continue
            row = rows[part["area_name"]]
            assert row[1] == worded(part)
            if not pd.isna(part["rate_per_10000"]):
                rate = part["rate_per_10000"]
                assert row[2].split()[0] == (f"{rate:.1f}" if rate < 9.95 else f"{int(rate + 0.5):,}")
            checked += 1
    assert checked == 6 * 5 + 5 * 9 + 5


def test_headline_figures_stand_in_the_lead(inside: dict[str, str]) -> None:
    released = city()
    row = released.counts[
        (released.counts["area_code"] == "B01")
        & (released.counts["period"] == released.info.headline.id)
        & (released.counts["category"] == "all")
    ].iloc[0]
    said = Reader(inside["B01"]).text
    assert f"Police recorded {row['incidents']:,} hate crimes in Borough A2 in the 12 months to July 2025" in said


@pytest.mark.parametrize("kind", ["inside", "outside"])
def test_fixed_wording_and_support_stand_on_every_page(kind: str, request: pytest.FixtureRequest) -> None:
    for html in request.getfixturevalue(kind).values():
        said = Reader(html).text
        for line in page.fixed_wording("hate crime"):
            assert line in said
        assert "report-it.org.uk" in said
        assert "101, or 999 in an emergency" in said
        assert said.count(words.say("common.synthetic")) == 2  # once a sheet
        assert "Break in the series. March 2024: New recording system." in said


def test_marking_and_missing_audit_stand_on_both_sheets(tmp_path: Path) -> None:
    made = small(marking="OFFICIAL: partners only", audit="not audited: do not publish")
    for html in written(made, tmp_path / "p").values():
        said = Reader(html).text
        assert said.count("OFFICIAL: partners only") == 2
        assert said.count(words.say("common.not_audited")) == 2


def test_nothing_is_fetched_run_or_styled_inline(inside: dict[str, str]) -> None:
    for html in inside.values():
        reader = Reader(html)
        policy = next(a["content"] for t, a in reader.elements if a.get("http-equiv") == "Content-Security-Policy")
        assert policy is not None
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        for tag, attributes in reader.elements:
            assert tag != "script"
            assert "style" not in attributes
            assert not any(name.startswith("on") for name in attributes)
            for name in ("src", "href"):
                target = attributes.get(name) or ""
                assert not re.match(r"(?:[a-z]+:)?//", target)
        assert "xlink" not in html
        ids = [a["id"] for _, a in reader.elements if "id" in a]
        assert len(ids) == len(set(ids))


def test_the_same_release_gives_the_same_bytes(tmp_path: Path, inside: dict[str, str]) -> None:
    assert written(city(), tmp_path / "again") == inside
    shuffled = city()
    counts = shuffled.counts.sample(frac=1, random_state=3).reset_index(drop=True)
    areas = shuffled.areas.sample(frac=1, random_state=4).reset_index(drop=True)
    again = sealed(shuffled.info, areas, counts, shuffled.hotspots.iloc[::-1], shuffled.density)
    assert written(again, tmp_path / "shuffled") == inside


def test_public_pages_rank_no_ward_and_give_bands(inside: dict[str, str], outside: dict[str, str]) -> None:
    for stem, html in outside.items():
        said = Reader(html).text
        assert "Rank by rate" not in said
        assert "highest first" not in said
        assert "Lowest" not in said
        assert not re.search(r"\b\d+(?:st|nd|rd|th) of\b", said)
        names = [row[0] for row in Reader(html).rows if row and row[0].startswith(("Ward", "Borough "))]
        assert names == sorted(names) or stem == "panel"
    assert "Rank by rate" in inside["B01"]
    spots = [Reader(html).text for html in outside.values()]
    assert any(re.search(r"\d0 to \d+9 hate crimes in", said) for said in spots)
    assert not any("London density" in said or "Anytown density" in said for said in spots)


def test_hostile_strings_stay_text(tmp_path: Path) -> None:
    released = hostile_city(columns=2, rows=1)
    for html in written(released, tmp_path / "p").values():
        reader = Reader(html)
        assert not [a for t, a in reader.elements if t in {"script", "img"}]
        said = "".join(reader.words)
        for bad in HOSTILE[:5]:
            assert bad in said
            assert not re.search(r"\{[{%#]", re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL))


def test_nothing_offered_is_said_in_words(tmp_path: Path) -> None:
    released = city(audience="public")
    counts = released.counts.copy()
    for column in counts.select_dtypes("number").columns:
        counts[column] = counts[column].mask(counts[column].notna())
    counts[["change_word", "change_vs_region", "emerging_class", "moran_class"]] = None
    counts["reliability"] = ""
    counts["not_offered"] = "incidents;rate_per_10000;positive_outcomes;outcome_share;change_pct;change_word"
    empty = sealed(released.info, released.areas, counts, released.hotspots.iloc[:0], released.density.iloc[:0])
    pages = written(empty, tmp_path / "p")
    assert len(pages) == 6
    for html in pages.values():
        said = Reader(html).text
        assert "is not offered, to protect the people involved" in said
        assert "Too little is shown to draw a trend." in said
        assert "nan" not in said.lower()
        assert "None" not in said


def one_period() -> Released:
    released = small()
    only = released.info.headline
    info = dataclasses.replace(
        released.info, earlier=None, periods=dict.fromkeys(released.info.periods, (only,)), breaks=(), events=()
    )
    counts = released.counts[released.counts["period"] == only.id].copy()
    counts["change_pct"], counts["change_word"], counts["change_vs_region"] = float("nan"), None, None
    return sealed(info, released.areas, counts, released.hotspots, released.density)


def no_people() -> Released:
    released = small()
    areas = released.areas.copy()
    areas["population"] = pd.array([None] * len(areas), dtype="Int64")
    areas["population_year"] = pd.array([None] * len(areas), dtype="Int64")
    counts = released.counts.copy()
    for column in ("rate_per_10000", "rate_low", "rate_high", "rate_smoothed"):
        counts[column] = float("nan")
    counts["reliability"] = ""
    return sealed(released.info, areas, counts, released.hotspots, released.density)


def test_one_period_has_no_trend_and_no_change(tmp_path: Path) -> None:
    for html in written(one_period(), tmp_path / "p").values():
        said = Reader(html).text
        assert "One period only: there is no trend to show." in said
        assert "No earlier period" in said
        assert "year before" not in said


def test_without_residents_there_are_counts_and_no_rates(tmp_path: Path) -> None:
    pages = written(no_people(), tmp_path / "p")
    said = Reader(pages["B00"]).text
    assert "circle: hate crimes recorded" in said
    assert "no rate" in said
    assert 'class="ramp"' not in pages["B00"]
    assert "number recorded" in said


def test_where_visitors_dominate_numbers_are_drawn_and_no_rates(tmp_path: Path) -> None:
    """No rate is given there, so none may be read off the history either; single months are too few in any case."""
    base = small()
    counts = base.counts.copy()
    visited = counts["area_code"] == "B00"
    for column in ("rate_per_10000", "rate_low", "rate_high", "rate_smoothed"):
        counts.loc[visited, column] = float("nan")
    pages = written(sealed(base.info, base.areas, counts, base.hotspots, base.density), tmp_path / "p")
    unit = {code: re.search(r"Over time.{0,40}", Reader(pages[code]).text) for code in ("B00", "B10")}
    assert "number recorded" in str(unit["B00"])
    assert "per 10,000 residents" in str(unit["B10"])


def test_no_hotspots_and_no_points_are_said(tmp_path: Path) -> None:
    base = small()
    none = sealed(base.info, base.areas, base.counts, base.hotspots.iloc[:0], base.density)
    assert "No hotspot is shown in Borough A1." in Reader(written(none, tmp_path / "a")["B00"]).text
    info = dataclasses.replace(base.info, has_points=False)
    bare = sealed(info, base.areas, base.counts, base.hotspots.iloc[:0], base.density.iloc[:0])
    assert "no points, so no hotspots" in Reader(written(bare, tmp_path / "b")["B00"]).text


def test_flow_is_never_called_a_share(tmp_path: Path) -> None:
    base = small()
    counts = base.counts.copy()
    counts["outcome_share"] = (counts["outcome_share"] * 100).round(2)
    counts[["outcome_low", "outcome_high"]] = float("nan")
    info = dataclasses.replace(base.info, outcome_basis="flow")
    flow = sealed(info, base.areas, counts, base.hotspots, base.density)
    said = Reader(written(flow, tmp_path / "p")["panel"]).text
    assert "recorded per 100 hate crimes recorded" in said
    assert "had a positive" not in said
    none = dataclasses.replace(base.info, outcome_basis="none")
    quiet = sealed(none, base.areas, base.counts, base.hotspots, base.density)
    assert "The data has no outcomes." in Reader(written(quiet, tmp_path / "q")["B00"]).text


def test_a_break_between_the_windows_is_said_everywhere(tmp_path: Path) -> None:
    base = small()
    info = dataclasses.replace(base.info, breaks=(dataclasses.replace(base.info.breaks[0], month="2024-09"),))
    counts = base.counts.copy()
    counts["change_word"] = counts["change_word"].where(counts["change_word"].isna(), "not comparable")
    counts["change_pct"] = float("nan")
    broken = sealed(info, base.areas, counts, base.hotspots, base.density)
    for html in written(broken, tmp_path / "p").values():
        said = Reader(html).text
        assert "Not comparable with the year before: the series breaks in September 2024." in said
        assert not re.search(r"\d% (?:fewer|more)", said)
        assert "do not add them. Not comparable with the year before: the series breaks in September 2024." in said
        assert not any("before" in cell for row in Reader(html).rows for cell in row)


def test_events_outside_the_data_are_stated(tmp_path: Path) -> None:
    made = small(events=(Event("2031-01-01", "Election", ()), Event("2024-07-30", "Elsewhere", ("B10",))))
    pages = written(made, tmp_path / "p")
    assert "Election (1 January 2031): outside the data." in Reader(pages["B00"]).text
    assert "Elsewhere" not in Reader(pages["B00"]).text
    assert "Elsewhere (30 July 2024)" in Reader(pages["B10"]).text


def test_a_release_without_its_region_has_no_panel(tmp_path: Path) -> None:
    base = small()
    kept = base.areas[(base.areas["area_code"] == "B00") | (base.areas["parent_code"] == "B00")]
    counts = base.counts[base.counts["area_code"].isin(kept["area_code"])]
    alone = sealed(make_info(region_code="E99"), kept, counts, base.hotspots.iloc[:0], base.density.iloc[:0])
    pages = written(alone, tmp_path / "p")
    assert sorted(pages) == ["B00"]
    assert "panel.html" not in pages["B00"]


def test_codes_that_are_no_file_names_are_encoded(tmp_path: Path) -> None:
    base = small()
    areas, counts = base.areas.copy(), base.counts.copy()
    for frame, column in ((areas, "area_code"), (areas, "parent_code"), (counts, "area_code")):
        frame[column] = frame[column].replace("B00", "../B 00")
    odd = sealed(base.info, areas, counts, base.hotspots, base.density)
    folder = tmp_path / "p"
    folder.mkdir()
    paths = write_briefings(odd, folder)
    assert all(p.resolve().is_relative_to(folder.resolve()) for p in paths)
    link = next(
        a["href"]
        for _, a in Reader((folder / "panel.html").read_text("utf-8")).elements
        if "%252F" in (a.get("href") or "")
    )
    assert link == "boroughs/..%252FB%252000.html"
    assert (folder / "boroughs" / "..%2FB%2000.html").exists()


def test_long_tables_end_in_a_count_of_what_is_left_out(tmp_path: Path) -> None:
    many = city(columns=1, rows=1, per_side=7)
    reader = Reader(written(many, tmp_path / "p")["B00"])
    shown = sum(1 for row in reader.rows if row and row[0].startswith("Ward A1"))
    assert shown == 24
    assert "All 49 wards are in area_counts.csv." in reader.text


def test_quarterly_series_and_partial_windows(tmp_path: Path) -> None:
    quarters = windows(202108, 16, 3)
    partial = (*quarters[:-1], dataclasses.replace(quarters[-1], complete=False))
    made = small(periods={"ward": windows(202108, 4, 12), "borough": partial, "region": partial})
    said = Reader(written(made, tmp_path / "p")["B00"]).text
    assert "Each point is one period; none spans a break." in said


@pytest.mark.parametrize(
    ("mechanism", "said"),
    [
        ("steps", "Counts, totals too, are given in steps of 10, each by itself, so that subtraction gives nothing."),
        ("suppress", "Counts under 10, and others from which these could be worked out, are not offered; "),
        ("noise", "Counts, totals too, carry random noise of at most 4 either way and are given as the range that "),
    ],
)
def test_every_sheet_says_in_one_sentence_how_counts_are_protected(mechanism: str, said: str, tmp_path: Path) -> None:
    for html in written(small(audience="public", mechanism=mechanism), tmp_path / "p").values():
        assert Reader(html).text.count(said) == 2
        assert "withheld" not in Reader(html).text


def test_the_first_step_is_drawn_from_nothing_to_its_top(tmp_path: Path) -> None:
    """A borough whose three years are fewer than 10, then 10 to 19: a band that stands on the axis, and no dots."""
    base = small(audience="public")
    counts = base.counts.copy()
    mine = (counts["area_code"] == "B00") & (counts["category"] == "all")
    first = mine & (counts["period_end"] < "2025")
    for rows, lower, upper in ((first, 0, 9), (mine & ~first, 10, 19)):
        counts.loc[rows, "incidents_lower"], counts.loc[rows, "incidents_upper"] = lower, upper
        counts.loc[rows, "incidents"] = pd.NA if lower == 0 else 15
    html = written(sealed(base.info, base.areas, counts, base.hotspots, base.density), tmp_path / "p")["B00"]
    chart = html[html.index("Over time") : html.index("Among ")]
    assert 'class="band"' in chart
    assert "The band reaches from the least to the most that the number may be." in Reader(html).text
    people = base.areas.set_index("area_code")["population"]["B00"]
    low, high = (words.rate_text(n / people * 1e4) for n in (10, 19))
    assert f"Borough A1 0 to {words.rate_text(9 / people * 1e4)} at first and {low} to {high} at the end" in chart


def test_where_the_total_is_given_by_groups_of_wards_these_are_the_parts(tmp_path: Path) -> None:
    """Two groups of two wards stand in the table and on the map; wards, which are not offered, do not."""
    base = small(audience="public")
    areas, counts = base.areas.copy(), base.counts.copy()
    wards = areas[(areas["level"] == "ward") & (areas["parent_code"] == "B00")].sort_values("area_code")
    made = []
    for first, second in (wards.index[:2], wards.index[2:]):
        group = areas.loc[first].copy()
        group["area_code"], group["level"] = f"G-{group['area_code']}", "ward_group"
        group["name"] = f"{group['name']} and one neighbour"
        group["geometry"] = group["geometry"].union(areas.loc[second, "geometry"])
        made.append(group)
    rows = counts[counts["area_code"].isin(wards["area_code"].iloc[[0, 2]])].copy()
    rows["area_code"], rows["level"] = "G-" + rows["area_code"], "ward_group"
    rows["area_name"] = rows["area_name"] + " and one neighbour"
    areas = pd.concat([areas, gpd.GeoDataFrame(made, crs=areas.crs)], ignore_index=True)
    counts = pd.concat([counts, rows], ignore_index=True)
    first = dataclasses.replace(base.info.categories[0], detail=Level.WARD_GROUP)
    labels = base.info.level_labels | {"ward_group": ("group of wards", "groups of wards")}
    info = dataclasses.replace(base.info, categories=(first, *base.info.categories[1:]), level_labels=labels)
    reader = Reader(written(sealed(info, areas, counts, base.hotspots, base.density), tmp_path / "p")["B00"])
    names = [row[0] for row in reader.rows if row and row[0].startswith("Ward")]
    assert names == ["Ward A1 11 and one neighbour", "Ward A1 21 and one neighbour"]
    assert "By group of wards" in reader.text
    alone = dataclasses.replace(info, categories=(dataclasses.replace(first, detail=Level.BOROUGH),))
    bare = Reader(written(sealed(alone, areas, counts, base.hotspots, base.density), tmp_path / "q")["B00"])
    assert "This release has no figures by ward." in bare.text


def test_without_all_categories_together_the_pages_are_about_the_first_one(tmp_path: Path) -> None:
    base = small(audience="public")
    info = dataclasses.replace(base.info, categories=base.info.categories[1:3])
    counts = base.counts[base.counts["category"].isin(["racist", "faith"])]
    reader = Reader(written(sealed(info, base.areas, counts, base.hotspots, base.density), tmp_path / "p")["B00"])
    now = counts[(counts["area_code"] == "B00") & (counts["period"] == base.info.headline.id)].set_index("category")
    assert f"Police recorded {worded(now.loc['racist'])} hate crimes (Racist) in Borough A1" in reader.text
    rows = {row[0]: row for row in reader.rows if row}
    assert "All" not in rows
    assert rows["Faith"][2] == worded(now.loc["faith"])
    assert "The total" not in reader.text


def test_another_language_reaches_lead_figures_findings_charts_and_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = {
        "finding.by_one": {"plain": "{place}: **{count}**, {recorder}, {when}."},
        "finding.steady": {"head": "Dim newid clir."},
        "briefing.tile": {"per_10000": "Am bob 10,000 o drigolion"},
        "chart.strip": {"lowest": "Isaf: {name} {value}"},
        "briefing.table": {"category": "Categori"},
        "briefing.map": {"label_rates": "Map o {area} ({parts})."},
    }
    lines = ['[language]\nname = "Cymraeg"\nplural_forms = ["one", "other"]\nplural_rule = "n != 1"']
    for table, texts in chosen.items():
        lines += [f"[{table}]", *(f'{key} = "{text}"' for key, text in texts.items())]
    own = Path(catalogue_module.__file__).parent
    (tmp_path / "en.toml").write_bytes((own / "en.toml").read_bytes())
    (tmp_path / "cy.toml").write_text("\n".join(lines), "utf-8")
    monkeypatch.setattr(catalogue_module, "folder", lambda: tmp_path)
    words.catalogue_of.cache_clear()
    try:
        with words.speaking("cy"):
            html = written(one_period(), tmp_path / "p")["B00"] + written(city(), tmp_path / "q")["B00"]
    finally:
        words.catalogue_of.cache_clear()
    said = Reader(html).text
    assert re.search(r"Borough A1: \d+ hate crimes, Police, in the 12 months to July 2025\.", said)
    for text in ("Am bob 10,000 o drigolion", "Isaf: Borough ", "Categori", "Per 10,000 residents"):
        assert (text in said) == (text != "Per 10,000 residents")
    assert 'aria-label="Map o Borough A1 (wards)."' in html
