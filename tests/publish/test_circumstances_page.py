"""The page of what partnerships ask first says what the table says."""

import csv
import re
from html import unescape
from pathlib import Path

import pandas as pd
import pytest

from pipeline.aggregate.circumstances import VARIABLES
from pipeline.publish import words
from pipeline.publish.briefings import write_briefings
from pipeline.publish.exports import write_exports
from pipeline.publish.findings import ValueFigures as Value
from pipeline.publish.findings import VariableFigures, summary_sentence
from pipeline.publish.page import fixed_wording
from pipeline.release.released import Released
from tests.kit.described import described
from tests.kit.released import HOSTILE, city

pytestmark = pytest.mark.slow

CELL = r'<td class="n[^"]*">([^<]*)</td>'
ROW = re.compile(rf'<tr><th scope="row">([^<]*)</th><td class="br">.*?</td>{CELL}{CELL}</tr>')


@pytest.fixture(scope="module", params=["internal", "partner", "public"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Released, Path]:
    rules = {"internal": {}, "partner": {"threshold": 5}, "public": {"threshold": 10}}[request.param]
    made = city(columns=2, rows=1, audience=request.param, **rules)
    folder = tmp_path_factory.mktemp(request.param)
    released = described(made)
    write_briefings(released, folder)
    write_exports(released, folder, geopackage=False)
    return released, folder


def share_of(row: dict[str, str]) -> str:
    """Word a share by the counts of its row."""
    if not row["share"]:
        return ""
    low = int(row["incidents_lower"]) / int(row["stated_upper"])
    return words.share_range_text(low, min(1, int(row["incidents_upper"]) / int(row["stated_lower"])))


def test_every_number_equals_the_one_in_the_table(written: tuple[Released, Path]) -> None:
    released, folder = written
    with (folder / "circumstances.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert table
    pages = {released.info.region_code: folder / "circumstances.html"}
    pages |= {p.stem.removesuffix("-circumstances"): p for p in (folder / "boroughs").glob("*-circumstances.html")}
    if released.info.audience == "public":
        assert set(pages) == {released.info.region_code}
    for code, path in pages.items():
        found = [tuple(map(unescape, row)) for row in ROW.findall(path.read_text("utf-8"))]
        silent = {"not stated", "too recent to say"}
        mine = [r for r in table if r["area_code"] == code and r["answer"] not in silent and r["category"] == "all"]
        mine = [r for r in mine if r["question"] not in {"organisation", "weekday_hour"}]
        expected = [
            (
                words.capital(r["answer"]),
                share_of(r),
                words.count_text(int(r["incidents_lower"]), int(r["incidents_upper"])),
            )
            for r in mine
            if r["incidents_lower"]
        ]
        assert sorted(found) == sorted(expected)


def test_the_pages_are_linked_and_carry_the_fixed_wording(written: tuple[Released, Path]) -> None:
    released, folder = written
    assert 'href="circumstances.html"' in (folder / "panel.html").read_text("utf-8")
    for path in folder.rglob("*circumstances.html"):
        text = unescape(path.read_text("utf-8"))
        for line in fixed_wording("hate crime"):
            assert line in text
        assert "never added up" in text
        for link in re.findall(r'<a href="([^"#]+)"', text):
            assert (path.parent / link).is_file() or link.endswith("index.html")
    briefing = (folder / "boroughs" / "B00.html").read_text("utf-8")
    own = released.info.audience != "public"
    assert ('href="B00-circumstances.html"' if own else 'href="../circumstances.html"') in briefing


def test_day_and_time_together_stay_in_the_house(written: tuple[Released, Path]) -> None:
    released, folder = written
    text = (folder / "circumstances.html").read_text("utf-8")
    assert ("Day and time of day" in text) == (released.info.audience == "internal")


def test_hostile_answers_stay_text(tmp_path: Path) -> None:
    write_briefings(described(city(columns=2, rows=1), names=HOSTILE), tmp_path)
    text = (tmp_path / "circumstances.html").read_text("utf-8")
    assert "<script>" not in text
    assert "<img" not in text
    assert "{{" not in text
    assert words.capital(HOSTILE[0]) in unescape(text)


def test_a_release_that_describes_nothing_has_no_such_page(tmp_path: Path) -> None:
    released = city(columns=2, rows=1)
    write_briefings(released, tmp_path)
    write_exports(released, tmp_path, geopackage=False)
    assert not list(tmp_path.rglob("*circumstances*"))
    assert "circumstances" not in (tmp_path / "panel.html").read_text("utf-8")


def asked(question: str, *answers: Value, **more: object) -> str:
    return summary_sentence(VariableFigures(VARIABLES[question], answers, "offences", **more))  # type: ignore[arg-type]


def exactly(name: str, count: int, stated: int = 100) -> Value:
    return Value(name, (count, count), (stated, stated), count / stated)


def between(name: str, lower: int, stated: int, step: int = 10) -> Value:
    share = None if lower == 0 else (lower + step // 2) / (stated + step // 2)
    return Value(name, (lower, lower + step - 1), (stated, stated + step - 1), share)


def test_sentences() -> None:
    street, shop = exactly("street", 60), exactly("shop", 40)
    assert asked("place_type", street, shop) == "Most often: street (60%), then shop (40%)."
    near = exactly("shop", 55)
    assert asked("place_type", street, near) == "No single value stands out: street, the most frequent, is 60%."
    region = {"street": exactly("street", 4500, 10_000)}
    assert asked("place_type", street, shop, place="London", region=region).endswith(" London: 45%.")
    assert asked("place_type", exactly("street", 9, 9)) == "Every record says “street”."
    assert asked("aggravated", exactly("yes", 0, 9), exactly("no", 9, 9)) == "None were aggravated offences."
    assert asked("aggravated", Value("yes"), exactly("no", 9, 9)) == ""


def test_sentences_of_steps_say_only_what_holds_for_all_values_inside_them() -> None:
    # 300 to 309 of 500 to 509: between 300/509 = 58.9 % and 309/500 = 61.8 %.
    street, shop = between("street", 300, 500), between("shop", 150, 500)
    assert asked("place_type", street, shop) == "Most often: street (59% to 62%), then shop (29% to 32%)."
    # What is not offered is at most 509 - 300 - 100 = 109: less than street, but perhaps more than shop.
    shop = between("shop", 100, 500)
    assert asked("place_type", street, shop, Value("park", None, (500, 509))) == "Most often: street (59% to 62%)."
    # At most 309: perhaps the most frequent.
    few = between("street", 200, 500)
    assert asked("place_type", few, Value("park", None, (500, 509))) == ""
    # 100 to 109 and 100 to 109 of 200 to 209: nobody knows which is more.
    assert asked("place_type", between("a", 100, 200), between("b", 100, 200)) == "No single value stands out."
    assert asked("online", between("yes", 50, 500)) == "10% to 12% happened online."
    assert asked("online", between("yes", 0, 500)) == ""


def test_the_sentence_on_days_to_recording() -> None:
    days = [exactly("same day", 30), exactly("next day", 30), exactly("2 to 7 days", 20)]
    late = exactly("8 to 30 days", 20)
    assert asked("delay", *days, late) == "80% were recorded within 7 days. Half or more were recorded by the next day."
    region = {"same day": exactly("same day", 50), "next day": exactly("next day", 30)}
    region |= {"2 to 7 days": exactly("2 to 7 days", 10)}
    stated = asked("delay", *days, Value("8 to 30 days", None, (100, 100)), place="London", region=region)
    assert stated == "80% were recorded within 7 days (London: 90%). Half or more were recorded by the next day."
    assert asked("delay", Value("same day", None, (100, 100)), *days[1:]) == ""
    # 40 to 49, 30 to 39 and 20 to 29 of 100 to 109: half may be reached on the same day or by the next.
    steps = [between("same day", 40, 100), between("next day", 30, 100), between("2 to 7 days", 20, 100)]
    assert (
        asked("delay", *steps)
        == "At least 83% were recorded within 7 days. Half or more were recorded by the next day."
    )


def test_the_table_keeps_its_contract(written: tuple[Released, Path]) -> None:
    _, folder = written
    table = pd.read_csv(folder / "circumstances.csv", dtype={"not_offered": "str", "withheld": "str"})
    names = table["not_offered"].fillna("").str.split(";")
    assert (table["incidents_lower"].isna() == names.map(lambda found: "incidents" in found)).all()
    assert (table["withheld"].fillna("") == table["not_offered"].fillna("")).all()
    assert (table["incidents_upper"] - table["incidents_lower"]).dropna().isin([0, 4, 9]).all()
    assert not table.duplicated(["area_code", "period", "category", "organisation", "question", "answer"]).any()
