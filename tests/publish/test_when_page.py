"""when.html: its sentences are those of the tables, and only the internal folder has it."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.detect.hours import hour_tables
from pipeline.detect.seasons import season_rows
from pipeline.publish.map.document import map_html
from pipeline.publish.pages.when import PAGE, when_html, write_when
from pipeline.release.patterns import Patterns
from pipeline.release.released import Released
from pipeline.statistics.aoristic import UNITS
from pipeline.tables import HOUR_PEAKS, HOURS, SEASON_MONTHS, SEASONS
from tests.detect.test_seasons import RULES, table
from tests.kit import released as fixture
from tests.kit.dark import not_darkened

pytestmark = pytest.mark.slow


def with_tables(released: Released, *, timed: int, months: int) -> Released:
    """Put 30 of the incidents on Friday from 22:00 on, the others evenly over the week."""
    boroughs = released.areas.loc[released.areas["level"] == "borough", "area_code"].tolist()
    week = np.full(168, timed // 168, dtype=np.int64) * UNITS
    week[118:122] += 30 * UNITS if timed > 100 else 0
    args = {"min_incidents": 100, "seed": 1}
    region = hour_tables(
        "region", [released.info.region_code], week[None, :], incidents=np.array([9000]), region=None, **args
    )
    units = np.vstack([week, np.zeros((len(boroughs) - 1, 168), dtype=np.int64)])
    other = hour_tables("borough", boroughs, units, incidents=np.full(len(boroughs), 9), region=week, **args)
    counts = (500 + 90 * np.sin(np.arange(months) * np.pi / 6)).round().astype(int)
    counts[-1] = 900
    code = released.info.region_code
    every = pd.concat([table(code, counts.tolist(), level="region"), table(boroughs[0], counts.tolist())])
    fitted = season_rows(every, **RULES)
    # One category has half of everything, a second 99 incidents, a third is not shown.
    ids, few = ["racist", "faith", "not shown"], np.zeros(168, dtype=np.int64)
    few[7] = 99 * UNITS
    mine = [week // UNITS // 2 * UNITS, few, week]
    each = hour_tables("region", ids, np.array(mine), incidents=np.array([900, 99, 9]), region=week + few, **args)
    halves = season_rows(pd.concat([table(c, (counts // 2).tolist(), level="region") for c in ids]), **RULES)
    each, halves = (
        [t.assign(category=t[name], **{name: code}) for t in found]
        for found, name in ((each, "code"), (halves, "area_code"))
    )
    tables = {
        HOURS.name: pd.concat([region[0], other[0], each[0]], ignore_index=True),
        HOUR_PEAKS.name: pd.concat([region[1], other[1], each[1]], ignore_index=True),
        SEASON_MONTHS.name: pd.concat([fitted[0], halves[0]], ignore_index=True),
        SEASONS.name: pd.concat([fitted[1], halves[1]], ignore_index=True),
    }
    return dataclasses.replace(released, patterns=Patterns(tables))


def text_of(html: str) -> str:
    body = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


@pytest.fixture(scope="module")
def released() -> Released:
    return with_tables(fixture.hostile_city(audience="internal"), timed=1680, months=40)


def test_the_page_says_what_the_tables_hold(released: Released) -> None:
    html = when_html(released)
    text = text_of(html)
    row = released.patterns.of(HOUR_PEAKS).iloc[0]
    # By hand: four hours of 10 each and 120 more, of 1,680 and 120.
    assert "The busiest four hours of the week are Friday 22:00 to Saturday 02:00 , with 160 of the 1,800" in text
    assert f"would hold about {row['chance']:.0f}, and at most {row['chance_high']:.0f}" in text
    assert "8.9%" in text
    assert not_darkened(html) == []
    assert html.count("<svg") == 5  # the region, the key, one category, one borough, the trend
    # Half of each hour: 5 for 10, and 20 for 40, of 840 and 60.
    assert "Busiest four hours by category in" in text
    assert " 900 900 Friday 22:00 to Saturday 02:00 80 (8.9%)" in text
    assert "Season and trend by category" in text
    assert "not shown" not in text
    assert "450, expected" in text.split("The latest months by category")[1]
    assert "have too few incidents with a day and a time" in text
    assert "The season is clear: April is highest" in text
    assert "lead to expect: 2 of 6 counts; clearly lower: 0." in text
    assert "900, expected" in text
    assert "None" not in text
    assert "nan" not in text
    for hostile in fixture.HOSTILE:
        assert f"<{hostile[1:8]}" not in html or "<" not in hostile


def test_too_little_is_said_to_be_too_little() -> None:
    text = text_of(when_html(with_tables(fixture.city(audience="internal"), timed=0, months=20)))
    assert "No incident of" in text
    assert "has both a day and a time" in text
    assert "is 20 months, and 24 are needed" in text
    assert "too few months" in text
    assert "There are too few months for an expectation" in text


def test_only_the_internal_folder_has_the_page_and_its_tables(released: Released, tmp_path: Path) -> None:
    write_when(released, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {PAGE, "hours.csv", "hour_peaks.csv", "season_months.csv", "seasons.csv"}
    hours = pd.read_csv(tmp_path / "hours.csv")
    assert hours.loc[(hours["level"] == "region") & (hours["category"] == "all"), "incidents"].sum() == 1800
    assert f'href="{PAGE}"' in map_html(released, pages=names)
    public = with_tables(fixture.city(audience="public"), timed=1680, months=40)
    write_when(public, tmp_path / "public")
    assert not (tmp_path / "public").exists()
