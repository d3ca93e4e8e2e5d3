"""Sums of months over periods."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.aggregate.counts import sum_periods
from pipeline.domain.periods import Period, windows
from pipeline.errors import InputError

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
