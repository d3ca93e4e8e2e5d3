"""Outcomes as a cohort and as a flow, and the reasons given."""

from pathlib import Path

import pandas as pd
import pytest
import scipy

from pipeline.aggregate.counts import sum_periods
from pipeline.domain.periods import Period
from pipeline.errors import InputError
from pipeline.statistics.rates import add_outcomes, leave_out_immature
from tests.kit.met_counts import CATEGORY_IDS, met_area_months, met_areas

YEAR = Period.parse("2024-08..2025-07")
NUMBERS = ["outcome_share", "outcome_low", "outcome_high"]


def table(*rows: tuple[str, str, int | None, int | None], **more: object) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["level", "period", "incidents", "positive_outcomes"])
    frame = frame.assign(area_code=[f"A{i}" for i in range(len(rows))], category="all", **more)
    return frame.astype({"incidents": "Int64", "positive_outcomes": "Int64"})


def test_a_cohort_has_shares_with_wilson_intervals() -> None:
    found = add_outcomes(table(("ward", YEAR.id, 148, 15), ("borough", "2025-01", 20, 0)), basis="cohort")
    assert found["outcome_share"].tolist() == pytest.approx([15 / 148, 0])
    for i, (k, n) in enumerate([(15, 148), (0, 20)]):
        expected = scipy.stats.binomtest(k, n).proportion_ci(method="wilson")
        assert found[["outcome_low", "outcome_high"]].iloc[i].tolist() == pytest.approx(list(expected))


def test_a_flow_is_per_hundred_without_intervals_for_large_areas_and_years() -> None:
    found = add_outcomes(
        table(
            ("region", YEAR.id, 1000, 110),
            ("borough", YEAR.id, 40, 50),
            ("ward", YEAR.id, 40, 5),
            ("borough", "2025-01", 40, 5),
            ("borough", YEAR.id, 0, 5),
        ),
        basis="flow",
    )
    assert found["outcome_share"].tolist() == [11, 125, pd.NA, pd.NA, pd.NA]
    assert found[["outcome_low", "outcome_high"]].isna().all(axis=None)
    assert found["outcome_note"].tolist() == ["", "", "not for small areas", "not for under a year", "no offences"]


def test_outcomes_above_offences_are_refused_in_a_cohort() -> None:
    counts = table(("ward", YEAR.id, 4, 4), ("ward", YEAR.id, 4, 5))
    with pytest.raises(InputError, match=r"(?s)1 rows.*A1, 2024-08..2025-07, all.*outcomes.basis to flow"):
        add_outcomes(counts, basis="cohort")
    assert add_outcomes(counts, basis="flow")["outcome_share"].isna().all()


def test_missing_outcomes_stay_missing() -> None:
    counts = table(("ward", YEAR.id, 4, None), ("ward", YEAR.id, None, 1), ("ward", YEAR.id, 0, 0))
    found = add_outcomes(counts, basis="cohort")
    assert found[NUMBERS].isna().all(axis=None)
    assert found["outcome_note"].tolist() == ["no outcomes", "no outcomes", "no offences"]
    assert add_outcomes(counts.drop(columns="positive_outcomes"), basis="cohort")[NUMBERS].isna().all(axis=None)
    assert set(add_outcomes(counts, basis="none")["outcome_note"]) == {"no outcomes"}
    with pytest.raises(InputError, match="unknown basis"):
        add_outcomes(counts, basis="linked")  # type: ignore[arg-type]


def test_months_without_time_for_an_outcome_are_left_out_and_told() -> None:
    months = pd.DataFrame(
        {
            "area_code": "A",
            "month": [202504, 202505, 202506, 202507],
            "category": "all",
            "incidents": [100, 50, 50, 50],
            "positive_outcomes": pd.array([12, 1, 0, 0], dtype="Int64"),
        }
    )
    mature, left_out = leave_out_immature(months, last_month=202507, maturity_months=3)
    assert left_out == (202505, 202506, 202507)
    areas = pd.DataFrame({"area_code": ["A"], "level": ["borough"]})
    counts = sum_periods(mature, [YEAR], areas=areas, categories=["all"])
    found = add_outcomes(counts, basis="cohort").iloc[0]
    assert (found["incidents"], found["positive_outcomes"], found["known_outcomes"]) == (250, 12, 100)
    assert found["outcome_share"] == pytest.approx(0.12)
    assert months["positive_outcomes"].tolist() == [12, 1, 0, 0]
    assert leave_out_immature(months, last_month=202507, maturity_months=0)[1] == ()


@pytest.mark.real
def test_met_outcomes_are_a_flow(real_data: Path) -> None:
    """10,572 positive outcomes to 95,668 offences over the file; as a cohort the wards refuse."""
    areas = met_areas(real_data)
    counts = sum_periods(met_area_months(real_data), [Period(202108, 202507)], areas=areas, categories=CATEGORY_IDS)
    found = add_outcomes(counts, basis="flow").set_index(["area_code", "category"])
    assert found.loc[("E12000007", "all"), "outcome_share"] == pytest.approx(10_572 / 95_668 * 100)
    assert found.loc[found["level"] == "ward", "outcome_share"].isna().all()
    months = met_area_months(real_data).assign(period="2025-07")
    with pytest.raises(InputError, match="cohort cannot"):
        add_outcomes(months, basis="cohort")
