"""Two releases together: what each hides alone, subtraction must not give back."""

from math import inf

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InputError
from pipeline.release.audit import audit
from pipeline.release.linked_tables import Relations, area_sums, category_subsets, generic_rows, stack
from pipeline.release.previous_releases import Earlier, constraints_from_history
from pipeline.release.suppression import Status, suppress
from tests.kit.small_cities import UNPLACED, small_city

THRESHOLD = 5
PARENTS = dict.fromkeys(("W1", "W2", "W3", "W4"), "B")


def table(**counts: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "level": ["borough" if code == "B" else "ward" for code in counts],
            "area_code": list(counts),
            "period": "2024",
            "category": "all",
            "measure": "incidents",
            "value": list(counts.values()),
        }
    )


def relate(cells: pd.DataFrame) -> Relations:
    """Wards add up to their borough; the merged ward W12 to its halves."""
    at = dict(zip(cells["area_code"], range(len(cells)), strict=True))
    rows = []
    if {"W1", "W2", "W12"} <= set(at):
        rows.append(({at["W12"]: 1, at["W1"]: -1, at["W2"]: -1}, 0.0, 0.0))
    return stack(
        area_sums(cells, parents=PARENTS, unplaced={"incidents": None}), generic_rows(cells, rows, kind="merge")
    )


def released(cells: pd.DataFrame, *, hidden: tuple[str, ...] = ()) -> pd.DataFrame:
    """What the ledger keeps of a release."""
    gone = cells["area_code"].isin(hidden)
    return cells.drop(columns="value").assign(
        low=cells["value"].where(~gone, 0).astype(float), high=cells["value"].where(~gone, inf).astype(float)
    )


def next_release(new: pd.DataFrame, old: pd.DataFrame):
    previous = constraints_from_history(
        new, relations=relate(new), earlier=[Earlier("r1", old)], relate=relate, threshold=THRESHOLD
    )
    return previous, suppress(previous.cells, relations=previous.relations, threshold=THRESHOLD)


def state(result, code: str) -> str:
    found = result.cells[(result.cells["area_code"] == code) & (result.cells["release_id"] == "")]
    return found["state"].item()


def test_an_identical_release_adds_nothing() -> None:
    first = table(B=40, W1=3, W2=8, W3=12, W4=17)
    alone = suppress(first, relations=relate(first), threshold=THRESHOLD)
    hidden = tuple(alone.cells.loc[alone.cells["state"] == "withheld", "area_code"])
    previous, again = next_release(first, released(first, hidden=hidden))
    assert len(previous.cells) == len(first)
    assert len(previous.relations) == len(relate(first))
    assert again.cells["state"].tolist() == alone.cells["state"].tolist()
    assert again.unprotected.size == 0
    assert previous.revised.empty


def test_a_borough_folder_beside_the_whole_is_caught_and_withheld() -> None:
    """The first release hid W1 = 3 behind W2 = 8; a folder with W2 alone would give 40 - 8 - 12 - 17 = 3."""
    whole = table(B=40, W1=3, W2=8, W3=12, W4=17)
    folder = table(W2=8)
    assert suppress(folder, relations=relate(folder), threshold=THRESHOLD).cells["state"].tolist() == ["published"]
    previous, result = next_release(folder, released(whole, hidden=("W1", "W2")))
    assert state(result, "W2") == "withheld"
    assert result.unprotected.size == 0
    naive = previous.cells.assign(
        state=np.where(previous.cells["latent"], "latent", "published"), known=previous.cells["fixed"]
    )
    found = audit(naive, relations=previous.relations, threshold=THRESHOLD)
    assert not found.safe
    assert found.cells.set_index("area_code").loc["W1", ["lo", "hi"]].tolist() == [3, 3]


def test_a_merged_ward_is_caught_and_withheld() -> None:
    """W2 = 8 is out; the merged ward at 11 would give W1 = 3."""
    before = table(B=40, W1=3, W2=8, W3=12, W4=17)
    previous, result = next_release(table(W12=11), released(before, hidden=("W1", "W3")))
    assert state(result, "W12") == "withheld"
    assert not previous.cells["value"].isna().any()


def test_a_late_record_is_declared() -> None:
    """One more record in W4 after the first release: 17 became 18, the borough 40 became 41."""
    before, now = table(B=40, W1=6, W2=5, W3=12, W4=17), table(B=41, W1=6, W2=5, W3=12, W4=18)
    previous, result = next_release(now, released(before))
    assert previous.revised[["area_code", "before", "now", "declared"]].to_numpy().tolist() == [
        ["B", 40, 41, True],
        ["W4", 17, 18, True],
    ]
    assert (state(result, "B"), state(result, "W4")) == ("withheld", "withheld")
    assert state(result, "W3") == "published"


def test_a_large_revision_is_published() -> None:
    before, now = table(B=40, W1=6, W2=5, W3=12, W4=17), table(B=60, W1=6, W2=5, W3=12, W4=37)
    previous, result = next_release(now, released(before))
    assert not previous.revised["declared"].any()
    assert set(result.cells.loc[result.cells["release_id"] == "", "state"]) == {"published"}


def test_counts_behind_a_revised_release_satisfy_its_sums() -> None:
    """W1 and W2 were withheld; W1 rose by 6 since, which only the borough's number shows."""
    before, now = table(B=40, W1=3, W2=8, W3=12, W4=17), table(B=46, W1=9, W2=8, W3=12, W4=17)
    previous, result = next_release(now, released(before, hidden=("W1", "W2")))
    assert previous.dropped == {"r1": 0}
    extra = previous.cells[previous.cells["latent"]].set_index("area_code")["value"]
    counts = {**now.set_index("area_code")["value"].to_dict(), **extra.to_dict()}
    assert counts["B"] == 40
    assert counts["W1"] + counts["W2"] == 11
    assert not previous.relations.violated(previous.cells["value"].to_numpy()).any()
    assert result.unprotected.size == 0


def test_what_a_partner_was_given_is_not_claimed_as_protected() -> None:
    """A release with threshold 3 printed W1 = 4; with threshold 5 it is withheld, and said to be out already."""
    cells = table(B=40, W1=4, W2=7, W3=12, W4=17)
    _, result = next_release(cells, released(cells))
    row = result.cells.set_index("area_code").loc["W1"]
    assert (row["state"], row["status"]) == ("withheld", Status.ALREADY_RELEASED)
    assert result.unprotected.size == 0


def test_bounds_upside_down_are_refused() -> None:
    cells = table(B=40, W1=4)
    wrong = released(cells).assign(low=50.0)
    with pytest.raises(InputError, match="r1"):
        next_release(cells, wrong)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_both_releases_of_small_cities_stay_wide(seed: int) -> None:
    """A release, then late records, then another: no cell of either is pinned by both together."""
    rng = np.random.default_rng(seed)
    city = small_city(rng, mean=6.0)

    def build(cells: pd.DataFrame) -> Relations:
        sums = area_sums(cells, parents=city.parents, unplaced=UNPLACED)
        return stack(sums, category_subsets(cells, pairs=[("racist", "all")]))

    first = suppress(city.cells, relations=city.relations, threshold=THRESHOLD, exact_cells=0)
    gone = first.cells["state"] == "withheld"
    value = city.cells["value"].astype(float)
    old = city.cells.drop(columns="value").assign(low=value.where(~gone, 0.0), high=value.where(~gone, inf))
    later = city.cells.copy()
    for area in ("B1W0", "B1", "R"):
        late = (later["area_code"] == area) & (later["category"] == "all") & (later["measure"] == "incidents")
        later.loc[late, "value"] += int(seed % 4 + 1)
    previous = constraints_from_history(
        later, relations=build(later), earlier=[Earlier("r1", old)], relate=build, threshold=THRESHOLD
    )
    result = suppress(previous.cells, relations=previous.relations, threshold=THRESHOLD, exact_cells=0)
    assert result.unprotected.size == 0
    assert audit(result.cells, relations=previous.relations, threshold=THRESHOLD).safe
    shown = result.cells[(result.cells["release_id"] == "") & (result.cells["state"] == "published")]
    both = shown.merge(old, on=["area_code", "period", "category", "measure"])
    both = both[both["low"] == both["high"]]
    step = (both["value"] - both["low"]).abs()
    assert not ((step > 0) & (step < THRESHOLD)).any()
