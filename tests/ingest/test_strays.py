"""Which months are the body of a source's data, and which dates lie far from all others."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.periods import add_months
from pipeline.ingest.incidents.repeated_ids import main_body


def months(first: int, *rows: int) -> dict[int, int]:
    return {add_months(first, i): n for i, n in enumerate(rows)}


YEAR = months(202401, *[50] * 12)


def split(counts: dict[int, int], **stated: int) -> tuple[tuple[int, int], tuple[int, ...], tuple[int, ...]]:
    body = main_body(counts, **stated)
    return (body.first, body.last), body.early, body.late


def test_wrong_years_on_both_sides() -> None:
    assert split({190001: 5, **YEAR, 202612: 1}) == ((202401, 202412), (190001,), (202612,))


def test_many_dates_of_one_early_day_are_outside_however_many() -> None:
    assert split({190001: 400, **YEAR})[1] == (190001,)


def test_old_offences_scattered_over_decades() -> None:
    old = dict.fromkeys((196806, 197506, 198106, 199406, 200306, 201507), 1)
    assert split({**old, **YEAR}) == ((202401, 202412), tuple(old), ())


def test_a_thin_tail_before_the_data_is_outside() -> None:
    tail = months(202301, *[1, 0, 2, 1, 1, 2, 1, 1, 2, 2, 1, 2])
    assert split({**tail, **YEAR})[0] == (202401, 202412)


def test_a_partial_first_or_last_month_is_no_stray() -> None:
    assert split({**months(202312, 20), **YEAR, **months(202501, 12)})[0] == (202312, 202501)


def test_a_missing_month_before_a_partial_last_one() -> None:
    assert split({**YEAR, 202502: 12})[0] == (202401, 202502)


def test_data_that_stopped_and_went_on_are_all_data() -> None:
    assert split({**YEAR, **months(202510, 50, 50)}) == ((202401, 202511), (), ())
    assert split({**YEAR, **months(202510, 40)}) == ((202401, 202510), (), ())


def test_few_rows_a_month_leave_gaps() -> None:
    quiet = months(202001, 1, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0, 2)
    assert split(quiet)[1:] == ((), ())


def test_a_single_row_is_data() -> None:
    assert split({202405: 1}) == ((202405, 202405), (), ())


def test_months_that_the_configuration_states_are_no_strays() -> None:
    counts = {190001: 5, **YEAR, 202612: 1}
    assert split(counts, last_month=202612) == ((202401, 202612), (190001,), ())
    assert split(counts, first_month=190001) == ((190001, 202412), (), (202612,))


@given(st.lists(st.integers(20, 80), min_size=6, max_size=40), st.integers(4, 60), st.integers(1, 3))
def test_few_rows_far_after_any_steady_data_are_strays(rows: list[int], after: int, strays: int) -> None:
    steady = months(201501, *rows)
    late = add_months(201501, len(rows) - 1 + after)
    share = strays <= max(0.02 * sum(rows), 3)
    assert share
    assert main_body({**steady, late: strays}).late == (late,)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=60).filter(any))
def test_every_month_with_rows_is_in_the_body_or_on_one_side(rows: list[int]) -> None:
    counts = months(201001, *rows)
    body = main_body(counts)
    inside = [m for m, n in counts.items() if n and body.first <= m <= body.last]
    assert sorted([*body.early, *inside, *body.late]) == sorted(m for m, n in counts.items() if n)
    assert sum(counts[m] for m in body.late) <= max(0.05 * sum(rows), 0)
    assert inside
