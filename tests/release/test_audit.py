"""The audit on tables whose answer is known by hand or by enumeration."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.release.audit import audit, feasibility_intervals
from pipeline.release.linked_tables import area_sums, generic_rows, period_sums, window_atoms


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


@given(rows, st.lists(st.integers(0, 4), min_size=4, max_size=4), st.booleans())
@settings(max_examples=60, deadline=None)
def test_exact_ranges_are_those_of_enumeration(lines, truth: list[int], with_truth: bool) -> None:  # noqa: FBT001
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
        truth=x.astype(float) if with_truth else None,
        exact=True,
    )
    fits = [
        p
        for p in product(range(5), repeat=4)
        if all(low <= sum(w.get(i, 0) * v for i, v in enumerate(p)) <= high for w, low, high in given_rows)
    ]
    expected = [(min(p[i] for p in fits), max(p[i] for p in fits)) for i in range(4)]
    assert list(zip(found.low, found.high, strict=True)) == expected


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
    exact = feasibility_intervals(relations, exact=True, **known)
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


def test_bands_must_stay_whole() -> None:
    """Under a total of 3 two cells shown as "fewer than 5" are not in [0, 4] but in [0, 3]."""
    cells = plain(B=3, W1=1, W2=2).assign(state=["published", "band", "band"])
    relations = area_sums(cells, parents={"W1": "B", "W2": "B"}, unplaced={"n": None})
    assert audit(cells, relations=relations, threshold=5).too_narrow.tolist() == [1, 2]
    cells.loc[0, ["value", "state"]] = [3, "band"]
    assert audit(cells, relations=relations, threshold=5).safe


def test_known_tables_pin_and_are_not_promised() -> None:
    """A withheld cell that is public elsewhere is not at stake, but gives its partner away."""
    cells = plain(B=30, W1=3, W2=7, W3=20).assign(state=["published", "withheld", "withheld", "published"])
    relations = area_sums(cells, parents=dict.fromkeys(("W1", "W2", "W3"), "B"), unplaced={"n": None})
    assert audit(cells, relations=relations, threshold=5).safe
    told = audit(cells.assign(known=[False, False, True, False]), relations=relations, threshold=5)
    assert told.too_narrow.tolist() == [1]
    assert audit(cells.assign(known=[False, True, True, False]), relations=relations, threshold=5).safe


def test_rounding_is_audited_on_what_it_may_stand_for() -> None:
    """20 and 15 rounded to base 5 leave a partner between (18 - 17) and (22 - 13)."""
    cells = plain(B=20, W1=16, W2=4).assign(
        state=["published", "published", "withheld"], shown_low=[18, 13, None], shown_high=[22, 17, None]
    )
    relations = area_sums(cells, parents={"W1": "B", "W2": "B"}, unplaced={"n": None})
    found = audit(cells, relations=relations, threshold=5, exact=True).cells.set_index("area_code")
    assert found.loc["W2", ["lo", "hi"]].tolist() == [1, 9]


def test_rolling_windows_a_month_apart_are_caught() -> None:
    """Quarter 30, its first two months 28: March is 2, though no month was ever published."""
    windows = {"q1": ["jan", "feb", "mar"], "jan-feb": ["jan", "feb"]}
    atoms = window_atoms(windows)
    names = {atom for parts in atoms.values() for atom in parts}
    months = {("jan", "feb"): 28, ("mar",): 2}
    assert names == set(months)
    cells = pd.DataFrame(
        [("q1", 30, "published"), ("jan-feb", 28, "published"), *((m, v, "latent") for m, v in months.items())],
        columns=["period", "value", "state"],
    ).assign(area_code="W", level="ward", category="all", measure="n")
    found = audit(cells, relations=period_sums(cells, parts=atoms), threshold=5)
    assert not found.safe
    assert found.cells.loc[~found.cells["safe"], ["period", "lo", "hi"]].to_numpy().tolist() == [[("mar",), 2, 2]]


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
    safe = sum(hidden) != 1 and total >= 5
    assert found.safe == (safe or not any(hidden))


def test_a_true_claim_saves_the_search() -> None:
    cells = plain(B=12, W1=6, W2=6).assign(state=["published", "withheld", "withheld"])
    sums = area_sums(cells, parents={"W1": "B", "W2": "B"}, unplaced={"n": None})
    swap = (np.array([1, 2]), np.array([11.0, 1.0]))
    found = audit(cells, relations=sums, threshold=5, witnesses=[swap]).cells.set_index("area_code")
    assert found["safe"].all()
    assert found.loc["W1", "hi"] - found.loc["W1", "lo"] >= 5
