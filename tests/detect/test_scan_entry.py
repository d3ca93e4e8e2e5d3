"""Scans in space alone as the registry runs them: populations, strata, areas left out, input that allows no search."""

from types import SimpleNamespace
from typing import Any, cast

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from pipeline.detect.method import DetectInput, Findings
from pipeline.detect.scan import METHODS
from pipeline.domain.periods import MissingMonths, Period, Span
from pipeline.errors import InputError
from pipeline.tables import SPATIAL_CLUSTERS
from tests.kit.gated import config_of

SPATIAL = METHODS[1]
YEAR = Period.parse("2024-01..2024-12")
CODES = ["W1", "W2", "W3", "W4"]


def counts_of(**by_category: list[int | None]) -> Any:
    """Give published counts of four wards for any period."""

    def ward_counts(periods: list[Period], categories: list[str]) -> pd.DataFrame:
        rows = [
            {"area_code": code, "period": p.id, "category": c, "incidents": value}
            for p in periods
            for c in categories
            for code, value in zip(CODES, by_category[c], strict=True)
        ]
        return pd.DataFrame(rows).astype({"incidents": "Int64"})

    return ward_counts


def given(
    counts: Any, population: list[int | None], *, own: dict[str, list[int]] | None = None, **settings: Any
) -> DetectInput:
    """Four wards in a row, 1 km apart, in one borough; no points."""
    boxes = [shapely.box(1000 * i, 0, 1000 * (i + 1), 1000) for i in range(4)]
    wards = gpd.GeoDataFrame(
        {"area_code": CODES, "parent_code": ["A", "A", "B", "B"], "population": pd.array(population, dtype="Int64")},
        geometry=boxes,
    )
    scan = {"simulations": 99, "categories": ["all"], **settings.pop("scan", {})}
    people = [
        {"area_code": code, "category": category, "population": n, "measure": "residents"}
        for category, numbers in (own or {}).items()
        for code, n in zip(CODES, numbers, strict=True)
    ]
    columns = ["area_code", "category", "population", "measure"]
    made = SimpleNamespace(
        config=config_of(detect={"scan": scan}, **settings),
        study=SimpleNamespace(wards=wards, outline=shapely.box(0, 0, 4000, 1000), ground=wards.geometry.to_numpy()),
        locations=pd.DataFrame({"month": [], "categories": [], "incidents": []}),
        places=[],
        ward_counts=counts,
        window=SimpleNamespace(headline=YEAR),
        denominators=pd.DataFrame(people, columns=columns) if people else None,
        span=Span(YEAR.start, YEAR.end, MissingMonths()),
    )
    return cast("DetectInput", made)


def rows(found: Findings) -> pd.DataFrame:
    return found.tables[f"patterns/{YEAR.id}/{SPATIAL_CLUSTERS.name}.parquet"]


@pytest.mark.parametrize(
    ("limit", "simulations", "notes"),
    # Of circles in a row of four wards, four of one ward and one of the last two hold at most half of the cases; with
    # 57 windows of up to six of twelve months these are 285 cylinders for each category.
    [
        (57_000, [99, 99], ["", ""]),
        (56_999, [79, 79], ["bound:99", "bound:99"]),
        (11_400, [19, 19], ["bound:99", "bound:99"]),
        (11_399, [19, 0], ["bound:99", "unsearched"]),
        (5_699, [0, 0], ["unsearched", "unsearched"]),
    ],
)
def test_the_scan_in_space_and_time_keeps_to_its_limit(limit: int, simulations: list[int], notes: list[str]) -> None:
    counts = counts_of(all=[9, 4, 4, 4], theft=[5, 2, 2, 3])
    scan = {"enabled": True, "categories": ["all", "theft"], "max_comparisons": limit}
    [table] = METHODS[0].run(given(counts, [100] * 4, scan=scan)).tables.values()
    searches = table[table["rank"] == 0]
    assert searches["simulations"].tolist() == simulations
    stated = [[key for key in text.split(";") if key.startswith(("bound", "unsearched"))] for text in searches["notes"]]
    assert [";".join(keys) for keys in stated] == notes


def test_areas_without_a_population_or_with_visitors_are_left_out_and_said_so() -> None:
    data = given(
        counts_of(all=[40, 10, 300, 5]), [1000, 1000, 500, 0],
        scan={"spatial": ["poisson"]}, areas={"visitor_areas": ["W3"]},
    )  # fmt: skip
    found = SPATIAL.run(data)
    every, best = rows(found).iloc[0], rows(found).iloc[1]
    assert every["notes"] == "no_population:1;visitors:1"
    assert (every["places"], every["observed"]) == (2, 50)
    assert (best["area_codes"], best["observed"], best["expected"], best["relative_risk"]) == ("W1", 40, 25.0, 4.0)
    assert found.cautions == (
        "Poisson scan of all: 5 incidents are left out, in areas without a population (areas.population).",
    )


def test_p_allows_for_months_that_vary_more_than_chance() -> None:
    """Every other month has three times the incidents, in half of the wards at a time: far from chance."""

    def ward_counts(periods: list[Period], categories: list[str]) -> pd.DataFrame:
        rows = [
            {"area_code": code, "period": p.id, "category": c, "incidents": int(n)}
            for p in periods
            for c in categories
            for k, code in enumerate(CODES)
            for n in [sum(12 if (m + k) % 2 else 4 for m in range(p.first_month, p.last_month + 1)) + 8 * (k == 0)]
        ]
        return pd.DataFrame(rows).astype({"incidents": "Int64"})

    scan = {"spatial": ["poisson"]}
    taken = rows(SPATIAL.run(given(ward_counts, [900, 1000, 1000, 1000], scan=scan)))
    found = rows(SPATIAL.run(given(ward_counts, [900, 1000, 1000, 1000], scan={**scan, "overdispersion": False})))
    assert taken.iloc[0]["notes"].startswith("dispersion:")
    assert int(taken.iloc[0]["notes"].split(":")[1]) > 150
    assert found.iloc[0]["notes"] == ""
    assert taken.iloc[1]["observed"] == found.iloc[1]["observed"]
    assert taken.iloc[1]["p"] > found.iloc[1]["p"]


def test_a_category_is_compared_with_its_own_population() -> None:
    data = given(
        counts_of(all=[40, 40, 40, 40], faith=[30, 10, 10, 10]), [1000] * 4, own={"faith": [600, 200, 200, 200]},
        scan={"spatial": ["poisson"], "categories": ["faith"]},
    )  # fmt: skip
    [row] = rows(SPATIAL.run(data)).to_dict("records")
    assert row["notes"] == "none"  # one in twenty everywhere


def test_strata_explain_what_the_population_alone_does_not() -> None:
    old, young = [300, 20, 20, 20], [700, 980, 980, 980]
    counts = counts_of(all=[31, 3, 3, 3], old=[30, 2, 2, 2], young=[1, 1, 1, 1])
    people = {"own": {"old": old, "young": young}}
    crude = rows(SPATIAL.run(given(counts, [1000] * 4, scan={"spatial": ["poisson"]}, **people)))
    assert (crude.iloc[1]["area_codes"], crude.iloc[1]["p"]) == ("W1", 0.01)
    scan = {"spatial": ["poisson"], "standardise_by": ["old", "young"]}
    fair = rows(SPATIAL.run(given(counts, [1000] * 4, scan=scan, **people)))
    assert (fair["p"].dropna() > 0.5).all()  # one in ten of the old and one in nearly a thousand of the young
    with pytest.raises(InputError, match="names young, which has no population of its own"):
        SPATIAL.run(given(counts, [1000] * 4, scan=scan, own={"old": old}))


def test_strata_that_do_not_add_up_are_said_to_differ() -> None:
    counts = counts_of(all=[31, 3, 3, 3], old=[30, 2, 2, 2])
    scan = {"spatial": ["poisson"], "standardise_by": ["old"]}
    found = rows(SPATIAL.run(given(counts, [1000] * 4, scan=scan, own={"old": [300, 20, 20, 20]})))
    assert found.iloc[0]["notes"] == "strata:4"


@pytest.mark.parametrize(
    ("all_of_them", "category", "notes"),
    [
        ([5, 5, 5, 5], [0, 0, 0, 0], "too_few"),
        ([5, 5, 5, 5], [1, 0, 0, 0], "too_few"),
        ([50, 0, 0, 0], [9, 0, 0, 0], "few:9;one_place;none"),
        ([20, 20, 20, 20], [20, 20, 20, 20], "no_controls"),
        ([20, 20, None, 20], [9, 9, 9, 18], "unknown:1"),
        ([20, 20, 20, 19], [20, 20, 20, 20], "no_controls"),  # a part above the whole, as published counts can be
    ],
)
def test_shares_that_cannot_be_searched(all_of_them: list[int | None], category: list[int | None], notes: str) -> None:
    data = given(
        counts_of(all=all_of_them, faith=category), [1000] * 4,
        scan={"spatial": ["bernoulli"], "categories": ["all", "faith"]},
    )  # fmt: skip
    found = rows(SPATIAL.run(data))
    assert found[found["rank"] == 0]["category"].tolist() == ["faith"]
    assert found.iloc[0]["notes"] == notes


def test_what_no_scan_can_work_on_is_said() -> None:
    assert SPATIAL.obstacle is not None
    without = given(counts_of(all=[1, 2, 3, 4]), [None] * 4, scan={"spatial": ["poisson"]})
    assert SPATIAL.obstacle(without) == "no area has a population (areas.population)"
    single = given(counts_of(all=[1, 2, 3, 4]), [5] * 4, scan={"spatial": ["poisson"]})
    single = SimpleNamespace(**vars(single) | {"study": SimpleNamespace(wards=single.study.wards.iloc[:1])})
    assert (
        SPATIAL.obstacle(cast("DetectInput", single)) == "the data has no points, and fewer than two areas have a count"
    )
