"""Published counts: what is absent or suppressed is unknown, and so is every sum over it; nothing turns into a zero."""

import itertools

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.aggregate.counts import published_months, sum_periods
from pipeline.domain.periods import Period
from pipeline.errors import InputError
from pipeline.tables import PUBLISHED_COUNTS

AREAS = pd.DataFrame(
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


def months(rows: pd.DataFrame, **absent: str) -> Cells:
    """Counts by area and month; None where unknown. A cell without a row is a zero and is left out."""
    found = published_months(rows, areas=AREAS, region_code="R", whole=None, absent=absent or {"mps": "unknown"}).months
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
    found = months(table(cells))
    assert (found["A1", 202402], found["A", 202402], found["R", 202402]) == (None, None, None)
    assert found["B", 202402] == cells["B1", 202402] + cells["B2", 202402]
    assert found["R", 202401] == sum(n for (_, month), n in cells.items() if month == 202401)


def test_absent_zero_leaves_a_zero_but_a_suppressed_count_is_unknown_all_the_same() -> None:
    cells = every(BOROUGHS)
    del cells["A", 202402]
    cells["B", 202403] = None
    found = months(table(cells), mps="zero")
    assert ("A", 202402) not in found
    assert found["R", 202402] == cells["B", 202402]
    assert (found["B", 202403], found["R", 202403]) == (None, None)


def test_absent_error_names_cells() -> None:
    cells = every(BOROUGHS)
    del cells["A", 202402]
    with pytest.raises(InputError, match=r"mps has no row for 1 cells.*A in 2024-02, all, incidents") as error:
        months(table(cells), mps="error")
    assert error.value.exit_code == 3
    assert months(table(every(BOROUGHS)), mps="error")["R", 202401] == 5 + 8


def test_a_level_without_rows_of_its_own_is_a_sum_and_says_of_what() -> None:
    made = published_months(table(every(WARDS)), areas=AREAS, region_code="R", whole=None, absent={})
    assert made.summed == {"borough": "ward", "region": "ward"}
    assert published_months(table(every(BOROUGHS)), areas=AREAS, region_code="R", whole=None).summed == {
        "region": "borough"
    }


def test_a_category_that_only_wards_have_is_summed_and_the_others_are_their_own() -> None:
    own = table(every(BOROUGHS, 100))
    rows = pd.concat([own, table(every(WARDS)), table(every(WARDS), category="race")], ignore_index=True)
    made = published_months(rows, areas=AREAS, region_code="R", whole=None, absent={"mps": "unknown"}).months
    [borough] = made.query("area_code == 'A' and month == 202401 and category == 'all'").to_dict("records")
    [race] = made.query("area_code == 'A' and month == 202401 and category == 'race'").to_dict("records")
    assert (borough["incidents"], race["incidents"]) == (100, 5 + 8)
    assert borough["incidents_unplaced"] == 100 - (5 + 8)


def test_levels_that_are_neither_published_nor_a_sum_have_no_row() -> None:
    assert {code for code, _ in months(table(every(BOROUGHS)))} == {"A", "B", "R"}
    assert {code for code, _ in months(table(every(("R",))))} == {"R"}


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(WARDS), st.sampled_from(MONTHS)), st.one_of(st.none(), st.integers(0, 9)), min_size=1
    )
)
def test_what_is_unknown_never_makes_a_number(cells: Cells) -> None:
    found = months(table(cells))
    span = range(min(m for _, m in cells), max(m for _, m in cells) + 1)
    for month in span:
        for ward in WARDS:
            assert found[ward, month] == cells.get((ward, month))
        for borough in BOROUGHS:
            parts = [cells.get((w, month)) for w in WARDS if w[0] == borough]
            assert found[borough, month] == (None if None in parts else sum(n for n in parts if n is not None))
        parts = [found[b, month] for b in BOROUGHS]
        assert found["R", month] == (None if None in parts else sum(n for n in parts if n is not None))


@settings(max_examples=40, deadline=None)
@given(st.sets(st.tuples(st.sampled_from(BOROUGHS), st.sampled_from(MONTHS)), max_size=4))
def test_a_window_is_complete_and_has_a_count_only_where_every_month_of_it_is_known(gone: set[tuple[str, int]]) -> None:
    cells: Cells = {cell: None if cell in gone else n for cell, n in every(BOROUGHS).items()}
    made = published_months(table(cells), areas=AREAS, region_code="R", whole=None, absent={"mps": "unknown"}).months
    window = Period(MONTHS[0], MONTHS[-1])
    shown = AREAS[AREAS["level"] != "ward"]
    found = sum_periods(made, [window], areas=shown, categories=["all"]).set_index("area_code")
    for borough in BOROUGHS:
        known = not any(code == borough for code, _ in gone)
        assert bool(found.loc[borough, "complete"]) is known
        assert pd.isna(found.loc[borough, "incidents"]) is not known
    assert bool(found.loc["R", "complete"]) is not bool(gone)
