"""A variable of the circumstances is one entry of the registry: nothing else has to know of it."""

from html import unescape
from pathlib import Path

import pandas as pd
import pytest

from pipeline.aggregate import reduce
from pipeline.aggregate.circumstances import TOTAL, VARIABLES, Variable
from pipeline.publish.briefings import write_briefings
from pipeline.publish.exports import write_exports
from tests.kit.described import released_with
from tests.kit.readers import read, write
from tests.kit.released import city

TOY = Variable(
    id="month_half",
    sql="CASE WHEN date_precision = 'day' THEN CASE WHEN day(occurred_on::DATE) <= 15 THEN 'early' ELSE 'late' END END",
    source="date_precision",
    known_values=("early", "late"),
)


@pytest.mark.slow
def test_a_toy_variable_is_counted_released_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VARIABLES, TOY.id, TOY)
    released = city(columns=2, rows=1)
    year = released.info.headline.start[:4]
    days = [*["03"] * 6, *["20"] * 2]
    rows = [f"{year}-12-{day},,,{530500 + 1000 * (n % 2)},180500,,street,,met,\n" for n, day in enumerate(days)]
    head = "date,time,recorded,easting,northing,strand,place_type,aggravated,organisation,outcome\n"
    facets = reduce.reduce_facets([reduce.count_facets(read(write(tmp_path, head + "".join(rows))).part)])
    mine = facets[(facets["facet"] == TOY.id) & (facets["category"] == "all")]
    assert mine.groupby("value")["incidents"].sum().to_dict() == {"early": 6, "late": 2}

    boroughs = {"B0": "B00", "B1": "B01"}
    described = released_with(released, facets.assign(area_code=facets["area_code"].replace(boroughs)))
    write_exports(described, tmp_path, geopackage=False)
    table = pd.read_csv(tmp_path / "circumstances.csv")
    shown = table[(table["question"] == TOY.id) & (table["level"] == "region") & (table["category"] == "all")]
    assert dict(zip(shown["answer"], shown["incidents"], strict=True)) == {"early": 6, "late": 2, "not stated": 0}

    write_briefings(described, tmp_path)
    text = unescape((tmp_path / "circumstances.html").read_text("utf-8"))
    assert "<h3>Month half</h3>" in text
    assert "Most often: early (75%)" in text or "early, the most frequent, is 75%" in text


def test_ids_are_columns_of_their_own_and_never_the_total() -> None:
    assert all(name == variable.id for name, variable in VARIABLES.items())
    assert TOTAL not in VARIABLES
