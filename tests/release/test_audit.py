"""The audit on tables whose answer is known by hand or by enumeration."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.release.audit import FEWEST_OF_A_CLASS, audit, feasibility_intervals
from pipeline.release.linked_tables import area_sums, generic_rows


def plain(**values: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "level": "ward",
            "area_code": list(values),
            "period": "y",
            "category": "all",
            "measure": "n",
            "value": list(values.values()),
            "state": "published",
        }
    )


rows = st.lists(
    st.tuples(st.lists(st.integers(-1, 1), min_size=4, max_size=4).filter(any), st.booleans()), min_size=1, max_size=4
)


@pytest.mark.slow
@given(rows, st.lists(st.integers(0, 4), min_size=4, max_size=4))
@settings(max_examples=60, deadline=None)
def test_exact_ranges_are_those_of_enumeration(lines, truth: list[int]) -> None:
    """Four unknown counts from 0 to 4 under random sums and inequalities that the truth satisfies."""
    x = np.array(truth)
    given_rows = []
    for weights, equal in lines:
        total = float(np.dot(weights, x))
        given_rows.append((dict(enumerate(weights)), total if equal else -np.inf, total))
    relations = generic_rows(pd.DataFrame(index=range(4)), given_rows)
    found = feasibility_intervals(
        relations,
        low=np.zeros(4),
        high=np.full(4, 4.0),
        required=np.ones(4),
        truth=x.astype(float),
        exact=True,
    )
    fits = [
        p
        for p in product(range(5), repeat=4)
        if all(low <= sum(w.get(i, 0) * v for i, v in enumerate(p)) <= high for w, low, high in given_rows)
    ]
    expected = [(min(p[i] for p in fits), max(p[i] for p in fits)) for i in range(4)]
    assert list(zip(found.low, found.high, strict=True)) == expected


@pytest.mark.slow
@given(rows, st.lists(st.integers(0, 4), min_size=4, max_size=4), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_verdict_without_exactness_is_the_same(lines, truth: list[int], width: int) -> None:
    x = np.array(truth)
    given_rows = [
        (dict(enumerate(w)), float(np.dot(w, x)) if equal else -np.inf, float(np.dot(w, x))) for w, equal in lines
    ]
    relations = generic_rows(pd.DataFrame(index=range(4)), given_rows)
    known = {"low": np.zeros(4), "high": np.full(4, 4.0), "required": np.full(4, float(width))}
    quick = feasibility_intervals(relations, truth=x.astype(float), **known)
    exact = feasibility_intervals(relations, exact=True, truth=x.astype(float), **known)
    assert np.array_equal(quick.high - quick.low >= width, exact.high - exact.low >= width)
    shown = quick.method == "witness"
    assert np.all((exact.low <= quick.low)[shown] & (exact.high >= quick.high)[shown])


def test_half_numbers_do_not_count() -> None:
    """2a + 2b = 5 + c with c known odd: the relaxation allows halves, whole numbers do not."""
    cells = plain(A=1, B=2, C=1)
    relations = generic_rows(cells, [({0: 2, 1: 2, 2: -1}, 5.0, 5.0)])
    cells.loc[:, "state"] = "withheld"
    found = audit(cells.assign(known_high=[np.inf, np.inf, 2.0]), relations=relations, threshold=2, exact=True).cells
    assert found[["lo", "hi"]].to_numpy().tolist() == [[0, 3], [0, 3], [1, 1]]


def test_contradictions_are_errors() -> None:
    cells = plain(B=7, W1=5, W2=1)
    relations = area_sums(cells, parents={"W1": "B", "W2": "B"}, unplaced={"n": None})
    with pytest.raises(InputError, match="do not hold"):
        audit(cells, relations=relations, threshold=5)
    hidden = cells.assign(state=["published", "withheld", "withheld"])
    with pytest.raises(InputError, match="true counts break"):
        audit(hidden, relations=relations, threshold=5)
    with pytest.raises(InputError, match="contradict"):
        audit(hidden.assign(known_low=[None, 8, None]), relations=relations, threshold=5)
    with pytest.raises(InputError, match="states are"):
        audit(cells.assign(state="secret"), relations=relations, threshold=5)


def test_unbounded_cells_have_no_upper_end() -> None:
    cells = plain(B=7, W1=5, W2=2).assign(state=["withheld", "published", "withheld"])
    relations = area_sums(cells, parents={"W1": "B", "W2": "B"}, unplaced={"n": None})
    found = audit(cells, relations=relations, threshold=5, exact=True)
    assert found.safe
    assert found.cells["lo"].tolist() == [5, 0]
    assert found.cells["hi"].isna().all()


def test_known_tables_pin_and_are_not_promised() -> None:
    """A withheld cell that is public elsewhere is not at stake, but gives its partner away."""
    cells = plain(B=30, W1=3, W2=7, W3=20).assign(state=["published", "withheld", "withheld", "published"])
    relations = area_sums(cells, parents=dict.fromkeys(("W1", "W2", "W3"), "B"), unplaced={"n": None})
    assert audit(cells, relations=relations, threshold=5).safe
    told = audit(cells.assign(known=[False, False, True, False]), relations=relations, threshold=5)
    assert told.too_narrow.tolist() == [1]
    assert audit(cells.assign(known=[False, True, True, False]), relations=relations, threshold=5).safe


def test_four_values_are_too_few_and_five_are_enough() -> None:
    """Two wards share 3: each holds 0 to 3, four values. Two wards that share 4 hold 0 to 4."""
    for total, safe in ((3, False), (4, True)):
        cells = plain(B=total, W1=1, W2=total - 1).assign(state=["published", "withheld", "withheld"])
        relations = area_sums(cells, parents={"W1": "B", "W2": "B"}, unplaced={"n": None})
        found = audit(cells, relations=relations, threshold=5, exact=True)
        assert found.cells[["lo", "hi"]].to_numpy().tolist() == [[0, total]] * 2
        assert found.safe == safe


def many(values: list[int]) -> tuple[pd.DataFrame, object]:
    """Return pairs of withheld wards, each pair under a published borough."""
    pairs = [(f"B{i}", f"W{i}", f"V{i}", v) for i, v in enumerate(values)]
    codes = {b: v + 4 for b, _, _, v in pairs} | {w: v for _, w, _, v in pairs} | {v_: 4 for _, _, v_, _ in pairs}
    cells = plain(**codes)
    cells["state"] = ["published" if c.startswith("B") else "withheld" for c in cells["area_code"]]
    parents = {c: b for b, w, v, _ in pairs for c in (w, v)}
    cells["level"] = ["borough" if c.startswith("B") else "ward" for c in cells["area_code"]]
    return cells, area_sums(cells, parents=parents, unplaced={"n": None})


@pytest.mark.slow
def test_the_attacker_is_granted_that_no_withheld_count_is_zero() -> None:
    """Pairs of 1 and 4 under 5: from 0 to 5 each, but if none is 0 and none over 4, from 1 to 4."""
    few, more = FEWEST_OF_A_CLASS // 2 - 1, FEWEST_OF_A_CLASS // 2
    for pairs, expected in ((few, [0, 5]), (more, [1, 4])):
        cells, relations = many([1] * pairs)
        found = audit(cells, relations=relations, threshold=5, exact=True)
        assert found.cells[["lo", "hi"]].drop_duplicates().to_numpy().tolist() == [expected]
        assert found.safe == (pairs == few)


@pytest.mark.slow
def test_what_is_ruled_out_is_in_no_class() -> None:
    cells, relations = many([1] * FEWEST_OF_A_CLASS)
    ruled = cells.assign(state=cells["state"].replace({"withheld": "not offered by rule"}))
    found = audit(ruled, relations=relations, threshold=5, exact=True)
    assert found.safe
    assert found.cells[["lo", "hi"]].drop_duplicates().to_numpy().tolist() == [[0, 5]]


@pytest.mark.slow
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_claimed_to_be_possible_is_checked(data: st.DataObject) -> None:
    """Whatever tables somebody claims to be possible, the verdict on the cells is that of enumeration."""
    wards = data.draw(st.lists(st.integers(0, 9), min_size=3, max_size=5))
    cells = plain(B=sum(wards), **{f"W{i}": v for i, v in enumerate(wards)})
    hidden = data.draw(st.lists(st.booleans(), min_size=len(wards), max_size=len(wards)))
    cells["state"] = ["published", *("withheld" if h else "published" for h in hidden)]
    sums = area_sums(cells, parents={f"W{i}": "B" for i in range(len(wards))}, unplaced={"n": None})
    claim = st.tuples(
        st.lists(st.integers(0, len(wards)), min_size=1, max_size=3, unique=True).map(lambda at: np.array(sorted(at))),
        st.lists(st.integers(0, 40), min_size=3, max_size=3),
    ).map(lambda c: (c[0].astype(np.int64), np.array(c[1][: c[0].size], dtype=np.float64)))
    found = audit(cells, relations=sums, threshold=5, witnesses=data.draw(st.lists(claim, max_size=6)))
    total = sum(v for v, h in zip(wards, hidden, strict=True) if h)
    # Withheld wards of one borough share what the published ones leave: two or more of them may each hold 0 to all.
    safe = sum(hidden) != 1 and total >= 4  # five values, 0 to 4
    assert found.safe == (safe or not any(hidden))


def test_a_true_claim_saves_the_search() -> None:
    cells = plain(B=12, W1=6, W2=6).assign(state=["published", "withheld", "withheld"])
    sums = area_sums(cells, parents={"W1": "B", "W2": "B"}, unplaced={"n": None})
    swap = (np.array([1, 2]), np.array([11.0, 1.0]))
    found = audit(cells, relations=sums, threshold=5, witnesses=[swap]).cells.set_index("area_code")
    assert found["safe"].all()
    assert found.loc["W1", "hi"] - found.loc["W1", "lo"] >= 4
