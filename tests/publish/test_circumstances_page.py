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

CELL = r'<td class="n[^"]*">([^<]*)</td>'
ROW = re.compile(rf'<tr><th scope="row">([^<]*)</th><td class="br">.*?</td>{CELL}{CELL}</tr>')


@pytest.fixture(scope="module", params=["internal", "partner", "public"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Released, Path]:
    rules = {"internal": {}, "partner": {"threshold": 5}, "public": {"threshold": 10, "rounding": 5}}[request.param]
    made = city(columns=2, rows=1, audience=request.param, **rules)
    folder = tmp_path_factory.mktemp(request.param)
    released = described(made)
    write_briefings(released, folder)
    write_exports(released, folder, geopackage=False)
    return released, folder


@pytest.mark.slow
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
                words.share_text(float(r["share"])) if r["share"] else "",
                words.whole(int(r["incidents"])) if r["incidents"] else "withheld",
            )
            for r in mine
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


def test_sentences() -> None:
    street, shop = Value("street", 60, 0.6, 0.5, 0.7), Value("shop", 40, 0.4, 0.3, 0.5)
    assert asked("place_type", street, shop) == "Most often street (60%), then shop (40%)."
    near = Value("shop", 55, 0.55, 0.45, 0.65)
    assert asked("place_type", street, near) == "No single answer stands out: street, the most frequent, is 60%."
    assert asked("place_type", street, shop, place="London", region={"street": 0.45}).endswith(" London: 45%.")
    assert asked("place_type", Value("street", 9, 1.0)) == "Every record says street."
    assert asked("place_type", street, Value("shop", None), Value("park", None)) == ""
    assert asked("aggravated", Value("yes", 0, 0.0), Value("no", 9, 1.0)) == "None were aggravated offences."
    assert asked("aggravated", Value("yes", None), Value("no", 9)) == ""


def test_the_sentence_on_days_to_recording() -> None:
    days = [Value("same day", 30, 0.3), Value("next day", 30, 0.3), Value("2 to 7 days", 20, 0.2)]
    late = Value("8 to 30 days", 20, 0.2)
    assert asked("delay", *days, late) == "80% were recorded within 7 days; half of them by the next day."
    region = {"same day": 0.5, "next day": 0.3, "2 to 7 days": 0.1}
    said = asked("delay", *days, Value("8 to 30 days", None), place="London", region=region)
    assert said == "80% were recorded within 7 days (London: 90%)."
    assert asked("delay", Value("same day", None), *days[1:]) == ""


def test_the_table_keeps_its_contract(written: tuple[Released, Path]) -> None:
    _, folder = written
    table = pd.read_csv(folder / "circumstances.csv", dtype={"withheld": "str"})
    held = table["withheld"].fillna("").str.split(";").map(lambda names: "incidents" in names)
    assert (table["incidents"].isna() == held).all()
    assert not table.duplicated(["area_code", "period", "category", "organisation", "question", "answer"]).any()
