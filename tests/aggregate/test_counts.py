"""Counts by area and month: sums over periods, and what was published."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.aggregate.counts import published_months, sum_periods
from pipeline.domain.periods import Period, windows
from pipeline.errors import InputError
from pipeline.tables import PUBLISHED_COUNTS

AREAS = pd.DataFrame({"area_code": ["R", "B1", "W1", "W2"], "level": ["region", "borough", "ward", "ward"]})
YEAR = Period.parse("2024-08..2025-07")


def months(*rows: tuple[str, int, str, int, int | None]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["area_code", "month", "category", "incidents", "positive_outcomes"])
    return frame.astype({"incidents": "int64", "positive_outcomes": "Int64"}).assign(incidents_unplaced=0)


def test_zeros_are_written_and_what_is_not_covered_is_null() -> None:
    counts = sum_periods(
        months(("W1", 202408, "all", 3, 1), ("W1", 202507, "all", 4, 0), ("W1", 202407, "all", 50, 50)),
        [YEAR],
        areas=AREAS,
        categories=["all", "racist"],
        covered=["R", "B1", "W1"],
    )
    assert counts["area_code"].tolist() == ["R", "R", "B1", "B1", "W1", "W1", "W2", "W2"]
    assert counts["category"].tolist() == ["all", "racist"] * 4
    assert counts["incidents"].tolist() == [0, 0, 0, 0, 7, 0, pd.NA, pd.NA]
    assert counts["positive_outcomes"].tolist() == [0, 0, 0, 0, 1, 0, pd.NA, pd.NA]
    assert counts["incidents_unplaced"].tolist() == [0, 0, 0, 0, *[pd.NA] * 4]
    assert str(counts["incidents"].dtype) == "Int64"


def test_a_month_without_known_outcomes_makes_the_sum_unknown() -> None:
    data = months(("W1", 202408, "all", 3, None), ("W1", 202507, "all", 4, 2))
    counts = sum_periods(data, [YEAR, Period(202507, 202507)], areas=AREAS, categories=["all"])
    row = counts[counts["area_code"] == "W1"]
    assert row["incidents"].tolist() == [7, 4]
    assert row["positive_outcomes"].tolist() == [pd.NA, 2]


def test_a_source_without_outcomes_has_no_zero_outcomes() -> None:
    counts = sum_periods(months(("W1", 202408, "all", 3, None)), [YEAR], areas=AREAS, categories=["all"])
    assert counts["positive_outcomes"].isna().all()


def test_categories_are_never_summed_to_a_total() -> None:
    """Strands overlap: whatever they hold, the whole is what was recorded as the whole, even where nothing was."""
    strands = [("W1", 202408, "racist", 7, 1), ("W1", 202408, "faith", 7, 1), ("W2", 202408, "faith", 2, 0)]
    with_all = months(*strands, ("W1", 202408, "all", 9, 1))
    counts = sum_periods(with_all, [YEAR], areas=AREAS, categories=["all", "racist", "faith"])
    whole = counts[counts["category"] == "all"].set_index("area_code")["incidents"]
    assert whole.to_dict() == {"R": 0, "B1": 0, "W1": 9, "W2": 0}
    fewer = sum_periods(with_all, [YEAR], areas=AREAS, categories=["all"]).set_index("area_code")["incidents"]
    assert fewer.to_dict() == whole.to_dict()


def test_partial_windows_say_so() -> None:
    half = Period.parse("2025-05..2025-07")
    counts = sum_periods(
        months(("W1", 202507, "all", 1, 0)), [YEAR, half], areas=AREAS, categories=["all"], partial={half}
    )
    assert counts.groupby("period")["complete"].unique().map(list).to_dict() == {YEAR.id: [True], half.id: [False]}


@given(st.integers(0, 2**32 - 1), st.sampled_from(["month", "quarter", "rolling", "fixed", "financial_year"]))
@settings(max_examples=25, deadline=None)
@pytest.mark.slow
def test_any_windows_sum_as_a_plain_loop_does(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    spans = windows(kind, first=202301, last=202412)  # type: ignore[arg-type]
    frame = pd.DataFrame(
        {
            "area_code": rng.choice(AREAS["area_code"], 60),
            "month": rng.choice(range(202301, 202313), 60),
            "category": rng.choice(["all", "a", "other"], 60),
            "incidents": rng.integers(0, 2**40, 60),
        }
    )
    counts = sum_periods(frame, spans, areas=AREAS, categories=["all", "a"])
    assert len(counts) == len(AREAS) * len(spans) * 2
    expected = [
        sum(
            int(n)
            for code, month, category, n in frame.itertuples(index=False)
            if (code, category) == (row.area_code, row.category)
            and Period.parse(row.period).first_month <= month <= Period.parse(row.period).last_month
        )
        for row in counts.itertuples()
    ]
    assert counts["incidents"].tolist() == expected


def test_the_order_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    frame = months(*[("W1", 202408, "all", int(n), 0) for n in rng.integers(0, 9, 20)])
    arguments = {"areas": AREAS, "categories": ["all"]}
    pd.testing.assert_frame_equal(
        sum_periods(frame, [YEAR], **arguments), sum_periods(frame.sample(frac=1, random_state=1), [YEAR], **arguments)
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"area_months": months(("E05", 202408, "all", 1, 0))}, "in no area table"),
        ({"area_months": months(("W1", 202408, "all", -1, 0))}, "negative"),
        ({"area_months": months().drop(columns="incidents")}, "lack the columns incidents"),
        ({"periods": [YEAR, YEAR]}, "period given twice: 2024-08"),
        ({"categories": ["all", "all"]}, "category given twice"),
        ({"areas": pd.concat([AREAS, AREAS])}, "area given twice"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], words: str) -> None:
    arguments = {"area_months": months(), "periods": [YEAR], "areas": AREAS, "categories": ["all"]} | change
    with pytest.raises(InputError, match=words):
        sum_periods(arguments.pop("area_months"), arguments.pop("periods"), **arguments)  # type: ignore[arg-type]


# Published counts: what is absent or suppressed is unknown, and so is every sum over it; nothing turns into a zero.


PUBLISHED_IN = pd.DataFrame(
    [("R", "region", None), ("A", "borough", "R"), ("B", "borough", "R")]
    + [(code, "ward", code[0]) for code in ("A1", "A2", "B1", "B2")],
    columns=["area_code", "level", "parent_code"],
)
WARDS, BOROUGHS = ("A1", "A2", "B1", "B2"), ("A", "B")
MONTHS = (202401, 202402, 202403)
Cells = dict[tuple[str, int], int | None]


def level(code: str) -> str:
    return {1: "region" if code == "R" else "borough", 2: "ward"}[len(code)]


def table(cells: Cells, *, source: str = "mps", category: str = "all") -> pd.DataFrame:
    rows = [
        (source, code, level(code), month, category, "incidents", value, True) for (code, month), value in cells.items()
    ]
    return PUBLISHED_COUNTS.conform(pd.DataFrame(rows, columns=list(PUBLISHED_COUNTS.names)))


def every(codes: tuple[str, ...], value: int = 5) -> Cells:
    return {cell: value + n for n, cell in enumerate(itertools.product(codes, MONTHS))}


def months_of(rows: pd.DataFrame, **absent: str) -> Cells:
    """Counts by area and month; None where unknown. A cell without a row is a zero and is left out."""
    found = published_months(
        rows, areas=PUBLISHED_IN, region_code="R", whole=None, absent=absent or {"mps": "unknown"}
    ).months
    return {
        (r["area_code"], r["month"]): None if pd.isna(r["incidents"]) else int(r["incidents"])
        for r in found.to_dict("records")
    }


@pytest.mark.parametrize("how", ["absent", "suppressed"])
def test_a_cell_that_is_not_there_is_unknown_and_so_are_sums_over_it(how: str) -> None:
    cells = every(WARDS)
    if how == "absent":
        del cells["A1", 202402]
    else:
        cells["A1", 202402] = None
    found = months_of(table(cells))
    assert (found["A1", 202402], found["A", 202402], found["R", 202402]) == (None, None, None)
    assert found["B", 202402] == cells["B1", 202402] + cells["B2", 202402]
    assert found["R", 202401] == sum(n for (_, month), n in cells.items() if month == 202401)


def test_absent_zero_leaves_a_zero_but_a_suppressed_count_is_unknown_all_the_same() -> None:
    cells = every(BOROUGHS)
    del cells["A", 202402]
    cells["B", 202403] = None
    found = months_of(table(cells), mps="zero")
    assert ("A", 202402) not in found
    assert found["R", 202402] == cells["B", 202402]
    assert (found["B", 202403], found["R", 202403]) == (None, None)


def test_absent_error_names_cells() -> None:
    cells = every(BOROUGHS)
    del cells["A", 202402]
    with pytest.raises(InputError, match=r"mps has no row for 1 cells.*A in 2024-02, all, incidents") as error:
        months_of(table(cells), mps="error")
    assert error.value.exit_code == 3
    assert months_of(table(every(BOROUGHS)), mps="error")["R", 202401] == 5 + 8


@pytest.mark.slow
def test_a_level_without_rows_of_its_own_is_a_sum_and_says_of_what() -> None:
    made = published_months(table(every(WARDS)), areas=PUBLISHED_IN, region_code="R", whole=None, absent={})
    assert made.summed == {"borough": "ward", "region": "ward"}
    assert published_months(table(every(BOROUGHS)), areas=PUBLISHED_IN, region_code="R", whole=None).summed == {
        "region": "borough"
    }


def test_a_category_that_only_wards_have_is_summed_and_the_others_are_their_own() -> None:
    own = table(every(BOROUGHS, 100))
    rows = pd.concat([own, table(every(WARDS)), table(every(WARDS), category="race")], ignore_index=True)
    made = published_months(rows, areas=PUBLISHED_IN, region_code="R", whole=None, absent={"mps": "unknown"}).months
    [borough] = made.query("area_code == 'A' and month == 202401 and category == 'all'").to_dict("records")
    [race] = made.query("area_code == 'A' and month == 202401 and category == 'race'").to_dict("records")
    assert (borough["incidents"], race["incidents"]) == (100, 5 + 8)
    assert borough["incidents_unplaced"] == 100 - (5 + 8)


@pytest.mark.slow
def test_levels_that_are_neither_published_nor_a_sum_have_no_row() -> None:
    assert {code for code, _ in months_of(table(every(BOROUGHS)))} == {"A", "B", "R"}
    assert {code for code, _ in months_of(table(every(("R",))))} == {"R"}


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(WARDS), st.sampled_from(MONTHS)), st.one_of(st.none(), st.integers(0, 9)), min_size=1
    )
)
def test_what_is_unknown_never_makes_a_number(cells: Cells) -> None:
    found = months_of(table(cells))
    span = range(min(m for _, m in cells), max(m for _, m in cells) + 1)
    for month in span:
        for ward in WARDS:
            assert found[ward, month] == cells.get((ward, month))
        for borough in BOROUGHS:
            parts = [cells.get((w, month)) for w in WARDS if w[0] == borough]
            assert found[borough, month] == (None if None in parts else sum(n for n in parts if n is not None))
        parts = [found[b, month] for b in BOROUGHS]
        assert found["R", month] == (None if None in parts else sum(n for n in parts if n is not None))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.sets(st.tuples(st.sampled_from(BOROUGHS), st.sampled_from(MONTHS)), max_size=4))
def test_a_window_is_complete_and_has_a_count_only_where_every_month_of_it_is_known(gone: set[tuple[str, int]]) -> None:
    cells: Cells = {cell: None if cell in gone else n for cell, n in every(BOROUGHS).items()}
    made = published_months(
        table(cells), areas=PUBLISHED_IN, region_code="R", whole=None, absent={"mps": "unknown"}
    ).months
    window = Period(MONTHS[0], MONTHS[-1])
    shown = PUBLISHED_IN[PUBLISHED_IN["level"] != "ward"]
    found = sum_periods(made, [window], areas=shown, categories=["all"]).set_index("area_code")
    for borough in BOROUGHS:
        known = not any(code == borough for code, _ in gone)
        assert bool(found.loc[borough, "complete"]) is known
        assert pd.isna(found.loc[borough, "incidents"]) is not known
    assert bool(found.loc["R", "complete"]) is not bool(gone)
