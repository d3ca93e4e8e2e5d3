"""Every sentence of every page of runs over odd data, held against the tables of the same folder.

The runs are small: four wards, two boroughs, a few hundred incidents. What is odd about them is in `ODD`: half a year,
a break, a missing month, no column that says what happened online, one borough, one ward, no population, a ward of
visitors, a category without rows, most rows outside the areas; where two things are odd, they have nothing to do with
each other. The pages' words come from the program; what they must say is worked out here from `area_counts.csv` and
from the configuration.
"""

import calendar
import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.kit import cases, map_pages

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
INTERNAL = {
    "name": "internal", "audience": "internal", "threshold": 0, "secondary": False, "ward_period": "rolling",
    "min_bandwidth_m": 0, "min_density_incidents": 0, "min_locations": 5, "min_addresses": 0,
    "max_location_share_pct": 100, "lattice_m": 0,
}  # fmt: skip
PROFILES = [INTERNAL, {"name": "partner", "audience": "partner", "threshold": 5}]
BREAK = {"month": "2024-04", "text": "New recording system"}
TREE = [{"id": i, "label": i.capitalize()} for i in ("race", "faith", "age")]
MONTHS = list(calendar.month_name)[1:]


def two_years(number: int = 400) -> list[cases.Row]:
    return cases.incidents(number, first="2023-01", span=24)


def mostly_outside() -> list[cases.Row]:
    """Of each hundred rows 73 lie twelve kilometres to the east of the areas."""
    moved = [dict(row) for row in two_years()]
    for number, row in enumerate(moved):
        if number % 100 < 73:
            row["easting"] = str(float(row["easting"]) + 12_000)
    return moved


ODD: dict[str, Callable[[Path], Path]] = {
    "half a year; one borough": lambda f: odd(
        f, cases.incidents(400, first="2018-01", span=6), boundaries=cases.wards(("Alder", "Birch"))
    ),
    "a year and a half; no population": lambda f: odd(
        f, cases.incidents(400, first="2017-01", span=18), areas__population=[]
    ),
    "a break; mostly outside; half-yearly": lambda f: odd(
        f, mostly_outside(), periods__breaks=[BREAK], periods__months=6
    ),
    "a missing month; an empty category; visitors; an online column": lambda f: odd(
        f,
        [
            r | {"category": "race" if n % 9 else "faith", "online": "yes" if n % 4 == 0 else "no"}
            for n, r in enumerate(two_years())
            if not r["occurred_on"].startswith("2023-05")
        ],
        columns={"online": "online"},
        categories={"all_label": "All", "tree": TREE},
        areas__visitor_areas=[cases.CODES["Alder"]],
    ),
    "one ward; quarterly": lambda f: odd(f, two_years(300), boundaries=cases.wards(("Alder",)), periods__months=3),
}


def odd(folder: Path, rows: list[cases.Row], **changes: Any) -> Path:
    return cases.write_case(folder, rows, profiles=PROFILES, page={"briefings": True}, **changes)


@dataclass(frozen=True)
class Folder:
    """One profile's folder of one run: its table, its pages as text, and what its map says."""

    case: str
    profile: str
    counts: pd.DataFrame
    rows: dict[tuple[str, str, str], dict[str, Any]]
    pages: dict[str, str]
    said: list[dict[str, Any]]

    def has(self, *odd: str) -> bool:
        """Whether any of this is odd about the data."""
        return any(one in self.case.split("; ") for one in odd)

    def row(self, area: str, period: str, category: str) -> Any:
        return self.rows.get((area, period, category))

    @property
    def headline(self) -> tuple[str, str]:
        """First and last day of the latest window that changes are given for; the longest of those that end with it."""
        compared = self.counts[self.counts["change_word"].notna()]
        last = compared.sort_values(["period_end", "period_start"], ascending=[True, False]).iloc[-1]
        return last["period_start"], last["period_end"]


def words_of(page: str) -> str:
    """The text of a page, one line for each element that starts a line."""
    text = re.sub(r"(?s)<(script|style|svg).*?</\1>", " ", page)
    text = re.sub(r"</(p|h\d|li|td|th|dt|dd|tr|div|section|figcaption|caption)>", "\n", text)
    lines = (" ".join(line.split()) for line in html.unescape(re.sub(r"<[^>]+>", "", text)).split("\n"))
    return "\n".join(line for line in lines if line)


def said_by(page: str) -> list[dict[str, Any]]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is missing: install nodejs")
    given = json.dumps(map_pages.data_of(page))
    done = subprocess.run(
        [node, ROOT / "tests/js/sentences_of.js"], input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["said"]


@pytest.fixture(scope="module", params=sorted(ODD))
def folders(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Folder]:
    """Run one odd case and read what it released."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("odd")
        patch.setenv("HOTSPOTS_STATE_DIR", str(folder / "state"))
        tried = cases.attempt(ODD[request.param](folder))
        assert tried.code == 0, tried.crash + tried.text[-800:]
    made = []
    for profile in ("internal", "partner"):
        out = folder / "outputs" / "t" / profile
        counts = pd.read_csv(out / "area_counts.csv", dtype={"area_code": str})
        rows = {(row["area_code"], row["period"], row["category"]): row for row in counts.to_dict("records")}
        pages = {p.relative_to(out).as_posix(): p.read_text("utf-8") for p in sorted(out.rglob("*.html"))}
        texts = {name: words_of(page) for name, page in pages.items() if name != "index.html"}
        made.append(Folder(request.param, profile, counts, rows, texts, said_by(pages["index.html"])))
    return made


def written(row: Any, measure: str = "incidents") -> str:
    """How a count is written: a number, a step, or "no"."""
    lower, upper = int(row[f"{measure}_lower"]), int(row[f"{measure}_upper"])
    if lower == upper:
        return f"{lower:,}" if lower else "no"
    return f"fewer than {upper + 1}" if lower == 0 else f"{lower:,} to {upper:,}"


def named(start: str, end: str) -> str:
    """How a window reads inside a sentence."""
    (y1, m1), (y2, m2) = ([int(part) for part in day.split("-")[:2]] for day in (start, end))
    months = 12 * (y2 - y1) + m2 - m1 + 1
    if months == 1:
        return f"{MONTHS[m2 - 1]} {y2}"
    if months == 12 and m1 == 1:
        return str(y2)
    if months == 12 and m1 == 4:
        return f"the financial year {y1}/{y2 % 100:02d}"
    if months == 3 and m1 % 3 == 1:
        return f"Q{(m2 + 2) // 3} {y2}"
    return f"the {months} months to {MONTHS[m2 - 1]} {y2}"


def test_counts_and_periods_in_the_sentences_of_the_map_are_those_of_the_table(folders: list[Folder]) -> None:
    checked = 0
    for folder in folders:
        for one in folder.said:
            if one["kind"] not in {"area", "region"} or "recorded" not in one["text"]:
                continue
            row = folder.row(one["area"], one["period"], one["category"])
            assert row is not None, one
            count = re.match(r"(No|Fewer than [\d,]+|[\d,]+ to [\d,]+|[\d,]+) offences?\b", one["text"])
            assert count, (folder.case, one)
            assert count[1].lower() == written(row), (folder.case, one)
            assert f" in {named(row['period_start'], row['period_end'])}" in one["text"], (folder.case, one)
            # Half a year is never called the year: a window that the data cover in part says so.
            assert bool(row["complete"]) != ("only the part that the data cover" in one["text"]), (folder.case, one)
            checked += 1
    assert checked > 20


CHANGES = {
    "higher": "Clearly higher",
    "lower": "Clearly lower",
    "no clear change": "No clear change",
    "too few": "Too few",
}


def test_a_change_is_said_as_the_table_calls_it_and_a_break_only_where_one_is_configured(folders: list[Folder]) -> None:
    for folder in folders:
        for one in (s for s in folder.said if s["kind"] == "change"):
            word = folder.row(one["area"], one["period"], one["category"])["change_word"]
            begins = CHANGES.get(
                word, "There is no earlier period" if "earlier period" in one["text"] else "Not comparable"
            )
            assert one["text"].startswith(begins), (folder.case, one)
            apart = word == "not comparable"
            reason = one["text"].partition(": ")[2]
            assert ("the series breaks in April 2024" in reason) == (folder.has("a break") and apart), one
            assert ("May 2023" in reason) == (folder.has("a missing month") and apart), one
        everything = "\n".join([*folder.pages.values(), *(s["text"] for s in folder.said)])
        assert ("the series breaks" in everything) == folder.has("a break")
        assert "recording system changed" not in everything
        assert "Hotspots need points" not in everything  # there are points; hotspots are switched off here


def months_between(start: str, end: str) -> int:
    (y1, m1), (y2, m2) = ([int(part) for part in day.split("-")[:2]] for day in (start, end))
    return 12 * (y2 - y1) + m2 - m1 + 1


def test_a_series_says_what_its_points_are(folders: list[Folder]) -> None:
    for folder in folders:
        counts = folder.counts
        windows = {months_between(a, b) for a, b in zip(counts["period_start"], counts["period_end"], strict=True)}
        for one in (s for s in folder.said if s["kind"] == "series"):
            stated = re.fullmatch(r"each point is (?:(\d+) months?|a (quarter|month)|one period)", one["text"])
            assert stated, one
            if stated[1] or stated[2]:
                assert int(stated[1] or {"quarter": 3, "month": 1}[stated[2]]) in windows, (folder.case, one)
        # A briefing's chart has the unit of the figures above it: never years under a quarter.
        long = months_between(*folder.headline)
        for text in (t for name, t in folder.pages.items() if "circumstances" not in name):
            for months in re.findall(r"Each point is the (\d+) months", text):
                assert int(months) == long, (folder.case, text[:80])


def test_nothing_is_said_of_a_column_that_is_not_there(folders: list[Folder]) -> None:
    for folder in folders:
        everything = "\n".join([*folder.pages.values(), *(s["text"] for s in folder.said)])
        if folder.profile == "internal":
            assert ("happened online" in everything) == folder.has("an online column"), folder.case
        if folder.has("no population"):
            assert not re.search(r"every 10,000|reliable rate|per 10,000", "\n".join(s["text"] for s in folder.said))
        assert not re.search(r"(?<![\d,.])0 (?:offences|cases|incidents)\b", everything), folder.case


def test_a_briefing_opens_with_the_count_of_its_area(folders: list[Folder]) -> None:
    checked = 0
    for folder in folders:
        start, end = folder.headline
        period = folder.counts.loc[folder.counts["period_end"] == end]
        period = period[period["period_start"] == start]["period"].iloc[0]
        for name, text in folder.pages.items():
            code = cases.CODES[cases.REGION] if name == "panel.html" else Path(name).stem
            row = folder.row(code, period, "all")
            if "circumstances" in name or row is None or pd.isna(row["incidents_lower"]):
                continue
            place = row["area_name"]
            if name == "panel.html" and folder.has("mostly outside", "one borough", "one ward"):
                place = f"the areas of {place}"  # much of the data lies outside them
            assert f"recorded {written(row)} offences in {place} in {named(start, end)}" in text, (folder.case, name)
            checked += 1
    assert checked


def test_a_table_that_is_ordered_highest_first_has_the_most_recorded_in_it(folders: list[Folder]) -> None:
    for folder in folders:
        for name, text in folder.pages.items():
            if "highest first" in text and "boroughs/" in name:
                assert not folder.has("visitors", "no population") or "Southby" in text, (folder.case, name)
            if folder.has("visitors") and name == "boroughs/E09000001.html" and folder.profile == "internal":
                assert "By ward offences recorded, most first" in text.replace("\n", " ")
