"""The entry of the registry: rows worked out by hand on small lists of units, and what is too little to say."""

import numpy as np
import pytest

from pipeline.detect.concentration import CURVE_PCT, Figure, Unit, Units, concentration_rows, repeat_rows
from pipeline.domain.periods import Period
from pipeline.tables import CONCENTRATION

YEARS = [Period(202201, 202212), Period(202301, 202312), Period(202401, 202412)]


def rows_of(counts: dict[Period, list[int]], *, categories=("all",)) -> dict[tuple, dict]:
    sizes = np.ones(len(next(iter(counts.values()))))
    units = Units(Unit.CELL, sizes, lambda _, period: np.array(counts[period]))
    earlier = sorted(counts)[:-1]
    rows = concentration_rows(units, categories=categories, headline=max(counts), earlier=earlier, seed=1, samples=19)
    assert len({tuple(r[k] for k in CONCENTRATION.key) for r in rows}) == len(rows)
    return {(r["category"], r["period"][:4], r["figure"], r["at"]): r for r in rows}


def test_three_years_by_hand() -> None:
    # 100 incidents on ten units. 25 of them are on the first unit, which is another one in the last year.
    first = [30, 20, 15, 10, 10, 5, 5, 3, 2, 0]
    last = [10, 30, 20, 15, 10, 5, 5, 3, 2, 0]
    found = rows_of(dict(zip(YEARS, (first, first, last), strict=True)))
    assert found["all", "2024", Figure.INCIDENTS, 0]["value"] == 100
    assert found["all", "2024", Figure.UNITS, 0]["value"] == 10
    assert found["all", "2024", Figure.OCCUPIED, 0]["value"] == 9
    assert [found["all", "2024", Figure.HOLDING, s]["value"] for s in (25, 50, 80)] == [10, 20, 50]
    # 2023 has the same top unit as 2022; 2024 has the second instead, which held 20 the year before.
    assert found["all", "2023", Figure.OVERLAP, 25]["value"] == 1
    assert found["all", "2024", Figure.OVERLAP, 25]["value"] == 0
    assert found["all", "2024", Figure.TOP_THEN, 25]["value"] == pytest.approx(30)
    assert found["all", "2024", Figure.TOP_NOW, 25]["value"] == pytest.approx(10)
    assert found["all", "2024", Figure.PAI_THEN, 25]["value"] == pytest.approx(3)  # 30 % in a tenth
    assert found["all", "2024", Figure.RECAPTURE, 25]["value"] == pytest.approx(1 / 3)
    assert ("all", "2022", Figure.OVERLAP, 25) not in found
    # The curve of the main period alone; equal sizes of ten units, so 10 % of them are the first.
    curve = {at: r["value"] for (_, year, figure, at), r in found.items() if figure == Figure.LORENZ and year == "2024"}
    assert list(curve) == list(CURVE_PCT)
    assert (curve[0], curve[9.0], curve[100]) == pytest.approx((0, 27, 100))
    assert not [key for key in found if key[1] == "2023" and key[2] == Figure.LORENZ]


@pytest.mark.parametrize("counts", [[1, 0, 0, 0], [49, 0, 0, 0], [0, 0, 0, 0]])
def test_too_few_incidents_have_their_number_alone(counts: list[int]) -> None:
    found = rows_of({YEARS[0]: counts, YEARS[1]: counts})
    assert {figure for _, _, figure, _ in found} == {Figure.INCIDENTS, Figure.UNITS, Figure.OCCUPIED}


def test_all_at_one_place() -> None:
    found = rows_of({YEARS[0]: [0, 90, 0, 0], YEARS[1]: [0, 60, 0, 0]})
    row = found["all", "2023", Figure.HOLDING, 80]
    assert (row["value"], row["low"], row["high"]) == (25, 25, 25)
    assert found["all", "2023", Figure.OVERLAP, 25]["value"] == 1
    assert found["all", "2023", Figure.GINI, 0]["value"] == pytest.approx(0.75)


def test_single_incidents_make_no_top_units() -> None:
    found = rows_of({YEARS[0]: [1] * 60 + [0] * 40, YEARS[1]: [0] * 40 + [1] * 60})
    assert ("all", "2023", Figure.OVERLAP, 25) not in found
    assert found["all", "2023", Figure.ADJUSTED_GINI, 0]["value"] == pytest.approx(0, abs=1e-12)


def test_units_with_unknown_counts_have_no_figures() -> None:
    units = Units(Unit.AREA, np.ones(3), lambda *_: None)
    assert concentration_rows(units, categories=("all",), headline=YEARS[0], earlier=[], seed=0, samples=9) == []


def test_repeat_places_by_hand() -> None:
    rows = repeat_rows(np.array([12, 5, 2, 1, 1]), "all", YEARS[0])
    found = {(r["figure"], r["at"]): r for r in rows}
    assert [found[Figure.REPEAT_PLACES, k]["value"] for k in (2, 5, 10)] == [3, 2, 1]
    assert found[Figure.REPEAT_INCIDENTS, 5]["value"] == pytest.approx(100 * 17 / 21)
    # Wilson's interval of 17 of 21, worked out from its formula.
    z, p, n = 1.959963985, 17 / 21, 21
    middle, half = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    low, high = (100 * (middle - half) / (1 + z * z / n), 100 * (middle + half) / (1 + z * z / n))
    assert (found[Figure.REPEAT_INCIDENTS, 5]["low"], found[Figure.REPEAT_INCIDENTS, 5]["high"]) == pytest.approx(
        (low, high), abs=1e-6
    )
    assert repeat_rows(np.array([], dtype=np.int64), "all", YEARS[0])[0]["value"] == 0
