"""Suppression: the rules it must never break, how far it is from the fewest cells, and what each cell is called."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.release import suppression
from pipeline.release.audit import audit
from pipeline.release.linked_tables import Relations, area_sums, category_subsets, relations_that_hold
from pipeline.release.suppression import Status, suppress
from tests.kit.small_cities import in_blocks, small_city


def one_borough(*wards: int, **columns: object) -> tuple[pd.DataFrame, Relations]:
    codes = [f"W{i}" for i in range(len(wards))]
    cells = pd.DataFrame(
        {
            "level": ["borough", *["ward"] * len(wards)],
            "area_code": ["B", *codes],
            "period": "y",
            "category": "all",
            "measure": "n",
            "value": [sum(wards), *wards],
        }
    ).assign(**columns)
    return cells, area_sums(cells, parents=dict.fromkeys(codes, "B"), unplaced={"n": None})


cities = st.builds(
    lambda seed, halves, mean: small_city(np.random.default_rng(seed), halves=halves, mean=mean),
    st.integers(0, 10**6),
    st.booleans(),
    st.sampled_from([1.5, 4.0, 15.0]),
)


@pytest.mark.slow
@given(cities, st.integers(2, 10), st.booleans())
@settings(max_examples=16, deadline=None)
def test_release_keeps_its_rules(city, threshold: int, blocks: bool) -> None:  # noqa: FBT001
    given_cells = in_blocks(city) if blocks else city.cells
    result = suppress(given_cells, relations=city.relations, threshold=threshold, part_of=[("racist", "all")])
    cells = result.cells
    visible = cells[cells["state"] == "published"]
    assert not visible["value"].between(1, threshold - 1).any()
    assert (cells["state"] == "published").eq(cells["reason"] == "").all()
    assert result.unprotected.size == 0
    assert audit(cells, relations=city.relations, threshold=threshold).safe
    pd.testing.assert_frame_equal(cells[given_cells.columns], given_cells)


@pytest.mark.slow
@given(cities)
@settings(max_examples=8, deadline=None)
def test_detail_of_a_number_that_is_withheld_is_not_offered(city) -> None:
    """But for zeros that the numbers above settle: then 0 is all that a ward can have."""
    cells = suppress(in_blocks(city), relations=city.relations, threshold=5, part_of=[("racist", "all")]).cells
    gone = (cells["state"] != "published") & (cells["level"] == "borough") & (cells["measure"] == "incidents")
    for row in cells[gone].itertuples():
        here = (cells["block"] == row.area_code) & (cells["category"] == row.category)
        shown = cells[here & (cells["period"] == row.period) & (cells["state"] == "published")]
        assert (shown["value"] == 0).all()


@given(cities)
@settings(max_examples=3, deadline=None)
@pytest.mark.slow
def test_same_input_same_release(city) -> None:
    once, again = (suppress(city.cells, relations=city.relations, threshold=5) for _ in range(2))
    pd.testing.assert_frame_equal(once.cells, again.cells)
    pd.testing.assert_frame_equal(once.counts, again.counts)


def least_cells(cells: pd.DataFrame, relations: Relations, threshold: int) -> float:
    """Try every pattern: the fewest cells that must be withheld beside the primary ones."""
    primary = cells["value"].between(1, threshold - 1).to_numpy()
    best = np.inf
    for extra in product([False, True], repeat=int((~primary).sum())):
        hidden = primary.copy()
        hidden[~primary] = extra
        if sum(extra) < best:
            state = np.where(hidden, "withheld", "published")
            if audit(cells.assign(state=state), relations=relations, threshold=threshold).safe:
                best = sum(extra)
    return best


TABLES = [(5, 1, 1), (3, 0, 0, 20), (2, 9, 7, 30), (4, 4, 0), (1, 2, 6, 8, 11), (0, 0, 3), (9, 2, 14, 3, 0, 25)]


@pytest.mark.parametrize("wards", TABLES)
@pytest.mark.slow
def test_not_far_from_the_fewest_cells(wards: tuple[int, ...]) -> None:
    """Against every possible choice: at most one cell more than the fewest that protect."""
    cells, relations = one_borough(*wards)
    result = suppress(cells, relations=relations, threshold=5)
    assert audit(result.cells, relations=relations, threshold=5).safe
    extra = int((result.cells["reason"] == "secondary").sum())
    assert least_cells(cells, relations, 5) <= extra <= least_cells(cells, relations, 5) + 1


@pytest.mark.slow
@given(st.lists(st.integers(0, 7), min_size=2, max_size=4), st.sampled_from([3, 5]))
@settings(max_examples=60, deadline=None)
def test_every_withheld_count_keeps_its_values_by_enumeration(wards: list[int], threshold: int) -> None:
    """List every table with the same numbers shown: each withheld count takes t values or more in them."""
    cells, relations = one_borough(*wards)
    result = suppress(cells, relations=relations, threshold=threshold)
    assert result.unprotected.size == 0
    hidden = (result.cells["state"] != "published").to_numpy()
    values, most = cells["value"].to_numpy(), sum(wards) + threshold
    tables = [
        (sum(parts), *parts)
        for parts in product(
            *([w] if not h else range(most + 1) for w, h in zip(wards, hidden[1:].tolist(), strict=True))
        )
        if hidden[0] or sum(parts) == sum(wards)
    ]
    for at in np.flatnonzero(hidden):
        assert len({t[at] for t in tables}) >= threshold, (values.tolist(), hidden.tolist())


@pytest.mark.slow
def test_the_total_is_withheld_where_no_partner_suffices() -> None:
    cells, relations = one_borough(3, 0, 0)
    result = suppress(cells, relations=relations, threshold=5)
    assert result.cells["state"].tolist()[:2] == ["withheld", "withheld"]
    assert audit(result.cells, relations=relations, threshold=5).safe


def test_words_for_every_withheld_cell() -> None:
    cells, relations = one_borough(3, 2, 7, 20, known=[False, True, False, False, False])
    result = suppress(cells, relations=relations, threshold=5)
    status = dict(zip(result.cells["area_code"], result.cells["status"], strict=True))
    assert (status["W0"], status["W1"]) == (Status.AT_SOURCE, Status.PROTECTED)
    assert [status[c] for c in ("B", "W2", "W3")].count(Status.ADDED) >= 1
    assert result.ratio == pytest.approx((result.cells["state"] == "withheld").sum() / 2)


def test_what_a_known_table_gives_away_by_arithmetic_is_not_claimed() -> None:
    """Everything but W0 is public at source, so W0 is too."""
    cells, relations = one_borough(3, 7, 20, known=[True, False, True, True])
    result = suppress(cells, relations=relations, threshold=5)
    assert result.cells["status"].tolist() == ["", Status.AT_SOURCE, "", ""]
    assert result.unprotected.size == 0


def test_declared_cells_are_withheld_whatever_they_hold() -> None:
    cells, relations = one_borough(30, 20, 40, declared=[False, True, False, False])
    result = suppress(cells, relations=relations, threshold=5)
    assert result.cells["reason"].tolist()[1] == "declared"
    assert audit(result.cells, relations=relations, threshold=5).safe


def rows_of_wards(*boroughs: tuple[int, ...]) -> tuple[pd.DataFrame, Relations]:
    """Return several boroughs with their wards, in blocks."""
    frames = [one_borough(*wards)[0].assign(number=i) for i, wards in enumerate(boroughs)]
    cells = pd.concat(frames, ignore_index=True)
    borough = "B" + cells.pop("number").astype(str)
    cells["block"] = borough.where(cells["level"] == "ward", "")
    cells["area_code"] = np.where(cells["level"] == "ward", borough + cells["area_code"], borough)
    parents = dict(zip(cells["area_code"], cells["block"], strict=True))
    parents = {a: b for a, b in parents.items() if b}
    return cells, area_sums(cells, parents=parents, unplaced={"n": None})


@pytest.mark.slow
def test_a_class_of_many_small_counts_is_widened() -> None:
    """Thirty boroughs with wards 1, 4 and 9: were only 1s and 4s withheld, everybody would know as much."""
    cells, relations = rows_of_wards(*[(1, 4, 9, 0)] * 30)
    result = suppress(cells, relations=relations, threshold=5)
    withheld = result.cells.loc[result.cells["state"] == "withheld", "value"]
    assert (withheld == 0).mean() >= 0.05
    assert audit(result.cells, relations=relations, threshold=5).safe


@pytest.mark.slow
def test_a_borough_that_nothing_protects_loses_its_detail() -> None:
    """Wards of 5 are known to be 0 to 4 or more, but 3 under a published 3 is not to be had: 3 is small itself."""
    cells, relations = rows_of_wards((3, 0), (20, 30))
    result = suppress(cells, relations=relations, threshold=5)
    state = dict(zip(result.cells["area_code"], result.cells["state"], strict=True))
    assert state["B0"] == "withheld"
    assert state["B0W0"] == state["B0W1"] == "not offered by rule"
    assert state["B1W0"] == state["B1W1"] == state["B1"] == "published"


def test_one_thing_goes_at_a_time_and_the_borough_before_all_others() -> None:
    """Round by round around the same narrow ward: the ward, the borough's wards, its number, then all boroughs."""
    cells, relations = rows_of_wards((20, 30, 50), (20, 30, 50))
    choice = suppression._Choice.start(cells, relations, None, 5, ())
    area = choice.cells["area_code"].to_numpy()
    narrow = np.flatnonzero(np.isin(area, ["B0W0", "B0W1"]))
    gone = []
    while choice.take_detail_away(narrow, once=True):
        gone.append(sorted(area[choice.ruled]))
    wards = ["B0W0", "B0W1", "B0W2"]
    assert gone == [["B0W0"], wards, ["B0", *wards], ["B0", *wards, "B1", "B1W0", "B1W1", "B1W2"]]


@pytest.mark.slow
def test_work_is_bounded_and_detail_goes_where_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a single round of search every detail that is not safe by itself goes, and what is left is safe."""
    monkeypatch.setattr(suppression, "ROUNDS", 0)
    cells, relations = rows_of_wards((3, 20, 30), (20, 30, 50), (1, 2, 30))
    result = suppress(cells, relations=relations, threshold=5)
    assert result.attack is not None
    assert result.attack.safe
    state = dict(zip(result.cells["area_code"], result.cells["state"], strict=True))
    assert {state[f"B0W{i}"] for i in range(3)} == {"not offered by rule"}
    assert {state[f"B1W{i}"] for i in range(3)} == {"published"}
    assert not result.cells.loc[result.cells["state"] == "published", "value"].between(1, 4).any()


def test_the_total_of_a_relation_that_does_not_hold_is_withheld_too() -> None:
    """A strand exceeds its total in one ward; its other strand there is withheld, so that the total goes as well."""
    rows = [(f"W{i}", c, v) for i in range(30) for c, v in (("all", 20), ("race", 8))]
    cells = pd.DataFrame(rows, columns=["area_code", "category", "value"])
    cells = cells.assign(level="ward", period="y", measure="n")
    cells.loc[cells["area_code"] == "W3", "value"] = [2, 3]
    cells.loc[cells["area_code"] == "W4", "value"] = [7, 9]
    # Two of 30 rows break it: a reader who has 60 rows, of which these are one in thirty, relies on it.
    every = relations_that_hold(cells, category_subsets(cells, pairs=[("race", "all")]), rows_of_readers={"ward": 2})
    broken = every.violated(cells["value"].to_numpy())
    kept = every.select(~broken)
    cells["declared"] = (cells["area_code"] == "W4") & (cells["category"] == "race")
    found = suppress(cells, relations=kept, broken=every.select(broken), threshold=5).cells.set_index(
        ["area_code", "category"]
    )
    assert found.loc[("W4", "all"), "state"] == "withheld"
    assert found.loc[("W5", "all"), "state"] == "published"


@pytest.mark.slow
def test_a_cell_that_cannot_be_protected_is_named() -> None:
    """An earlier release says that W0 is 3 or 4: no withholding takes that back."""
    cells, relations = one_borough(3, 7, 20, known_low=[None, 3, None, None], known_high=[None, 4, None, None])
    result = suppress(cells, relations=relations, threshold=5)
    assert result.unprotected.tolist() == [1]


def test_threshold_zero_shows_everything() -> None:
    cells, relations = one_borough(3, 1, 0)
    result = suppress(cells, relations=relations, threshold=0)
    assert set(result.cells["state"]) == {"published"}
    assert result.ratio is None


def test_unusable_input_is_refused() -> None:
    cells, relations = one_borough(3, 7)
    with pytest.raises(InputError, match="negative"):
        suppress(cells, relations=relations, threshold=-1)
    with pytest.raises(InputError, match="break a relation"):
        suppress(cells.assign(value=[11, 3, 7]), relations=relations, threshold=5)
    with pytest.raises(InputError, match="other data"):
        suppress(cells.assign(known_low=[None, 5, None]), relations=relations, threshold=5)
