"""The release against an attacker written apart from it, and mistakes planted for the audit to find."""

from itertools import islice
from math import inf

import numpy as np
import pandas as pd
import pytest

from pipeline.release import linked_tables
from pipeline.release.audit import audit
from pipeline.release.linked_tables import Layout, area_sums, category_subsets, cell_table, stack
from pipeline.release.suppression import suppress
from tests.kit.attacker import every_table, integer_ranges, linear_ranges, read_release, study
from tests.kit.small_cities import UNPLACED, City, in_blocks, shown, small_city

pytestmark = pytest.mark.slow

THRESHOLD = 5
KEY = ["area_code", "period", "category", "measure"]


def notes_of(city: City, cells: pd.DataFrame):
    released = read_release(shown(cells, threshold=THRESHOLD))
    return study(released, parents=city.parents, windows=city.windows, subsets=[("racist", "all")], unplaced=UNPLACED)


def granted(cells: pd.DataFrame) -> dict[tuple[str, str, str, str], tuple[float, float]]:
    """Say what the attacker knows of withheld counts because of how they were chosen: least and greatest of 20 or more.

    Worked out anew, without the package: a class is the last letters of an area, the period, category and measure.
    """
    classes: dict[tuple[str, ...], list[int]] = {}
    keys = {}
    for row in cells[cells["state"] == "withheld"].itertuples():
        kind = (row.level, row.period[4:6], row.category, row.measure)
        classes.setdefault(kind, []).append(row.value)
        keys[row.area_code, row.period, row.category, row.measure] = kind
    return {k: (min(classes[c]), max(classes[c])) for k, c in keys.items() if len(classes[c]) >= 20}


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("seed", range(10))
def test_attacker_learns_no_more_than_promised(seed: int, *, blocks: bool) -> None:
    """Bounds from linear programmes over everything released and granted, for every withheld cell of 10 cities."""
    rng = np.random.default_rng(seed)
    cities = small_city(rng, halves=seed % 2 == 1, mean=float(rng.choice([2.0, 5.0, 12.0])), cities=10)
    cells = in_blocks(cities) if blocks else cities.cells
    result = suppress(cells, relations=cities.relations, threshold=THRESHOLD, part_of=[("racist", "all")])
    assert result.unprotected.size == 0
    learns_no_more(cities, result.cells)


def learns_no_more(city: City, cells: pd.DataFrame) -> None:
    bounds = granted(cells)
    for name in sorted({area[: area.index("R")] for area in cells["area_code"] if area.endswith("R")}):
        notes = notes_of(city, cells[cells["area_code"].str.startswith(name)])
        for key, (low, high) in bounds.items():
            if key in notes.seen:
                notes.seen[key] = (low, high)
        for key, (low, high) in linear_ranges(notes, enough=THRESHOLD - 1).items():
            assert high - low + 1 >= THRESHOLD, f"{key} lies in [{low}, {high}]"


@pytest.mark.parametrize("seed", range(12))
def test_whole_number_search_confirms_the_width(seed: int) -> None:
    """Not only bounds: tables exist in which the cell really takes values the threshold apart."""
    rng = np.random.default_rng(1000 + seed)
    city = small_city(rng, mean=2.0)
    kept = city.cells["area_code"].str.startswith("B1") & (city.cells["category"] == "all")
    cells = city.cells[kept].reset_index(drop=True)
    relations = area_sums(cells, parents={k: v for k, v in city.parents.items() if v == "B1"}, unplaced=UNPLACED)
    result = suppress(cells, relations=relations, threshold=3)
    released = read_release(shown(result.cells, threshold=3))
    parents = {k: v for k, v in city.parents.items() if v == "B1"}
    notes = study(released, parents=parents, windows={}, subsets=[], unplaced=UNPLACED)
    for key, (low, high) in integer_ranges(notes, cap=int(cells["value"].max()) + 3).items():
        assert high - low + 1 >= 3, f"{key} takes values from {low} to {high} only"


@pytest.mark.parametrize("seed", range(15))
def test_audit_equals_enumeration(seed: int) -> None:
    """Exact ranges against every table that agrees with a release which withholds primary cells only."""
    rng = np.random.default_rng(seed)
    city = small_city(rng, mean=1.5)
    plain = suppress(city.cells, relations=city.relations, threshold=3, secondary=False)
    truth = audit(plain.cells, relations=city.relations, threshold=3, exact=True)
    released = read_release(shown(plain.cells, threshold=3))
    notes = study(released, parents=city.parents, windows={}, subsets=[("racist", "all")], unplaced=UNPLACED)
    cap = int(city.cells["value"].max()) + 6
    bounded = {k for k, (_, high) in linear_ranges(notes).items() if high < inf}
    for key in notes.unknown:  # a cap keeps the search finite; it must not cut what the figures bound
        low, high = notes.seen[key]
        notes.seen[key] = (low, min(high, cap))
    if sum(1 for _ in islice(every_table(notes, cap=cap), 20_000)) == 20_000:
        pytest.skip("too many tables to enumerate")
    found = integer_ranges(notes, cap=cap)
    ours = truth.cells.set_index(KEY)
    for key in bounded:
        assert (int(ours.loc[key, "lo"]), int(ours.loc[key, "hi"])) == found[key], key


def wards_of_seven(states: tuple[str, ...]) -> tuple[pd.DataFrame, object]:
    cells = pd.DataFrame(
        {
            "level": ["borough", "ward", "ward", "ward"],
            "area_code": ["B", "W1", "W2", "W3"],
            "period": "2024",
            "category": "all",
            "measure": "incidents",
            "value": [7, 5, 1, 1],
            "state": list(states),
        }
    )
    parents = dict.fromkeys(("W1", "W2", "W3"), "B")
    return cells, area_sums(cells, parents=parents, unplaced={"incidents": None})


def test_wards_five_one_one_under_seven_are_caught() -> None:
    cells, relations = wards_of_seven(("published", "published", "withheld", "withheld"))
    verdict = audit(cells, relations=relations, threshold=THRESHOLD)
    assert not verdict.safe
    assert verdict.cells[["area_code", "lo", "hi"]].to_numpy().tolist() == [["W2", 0, 2], ["W3", 0, 2]]


def test_wards_five_one_one_are_repaired() -> None:
    cells, relations = wards_of_seven(("published",) * 4)
    result = suppress(cells.drop(columns="state"), relations=relations, threshold=THRESHOLD)
    assert audit(result.cells, relations=relations, threshold=THRESHOLD).safe
    assert result.cells["state"].tolist() == ["published", "withheld", "withheld", "withheld"]


def test_secondary_suppression_switched_off_is_caught() -> None:
    caught = 0
    for seed in range(8):
        city = small_city(np.random.default_rng(seed), mean=5.0)
        plain = suppress(city.cells, relations=city.relations, threshold=THRESHOLD, secondary=False)
        attack = linear_ranges(notes_of(city, plain.cells))
        too_narrow = any(high - low + 1 < THRESHOLD for low, high in attack.values())
        assert audit(plain.cells, relations=city.relations, threshold=THRESHOLD).safe == (not too_narrow)
        caught += too_narrow
    assert caught > 5


def test_subset_that_pins_is_caught() -> None:
    """Racist is 4 and withheld; all, which it lies in, is 6 and its partner's racist fills its own parent."""
    rows = [("B", "all", 21), ("W1", "all", 6), ("W2", "all", 15), ("B", "racist", 19), ("W1", "racist", 4)]
    rows += [("W2", "racist", 15)]
    cells = pd.DataFrame(rows, columns=["area_code", "category", "value"]).assign(
        period="2024", measure="incidents", level="ward", state="published"
    )
    cells.loc[cells["category"].eq("racist") & cells["area_code"].str.startswith("W"), "state"] = "withheld"
    relations = stack(
        area_sums(cells, parents={"W1": "B", "W2": "B"}, unplaced={"incidents": None}),
        category_subsets(cells, pairs=[("racist", "all")]),
    )
    found = audit(cells, relations=relations, threshold=THRESHOLD).cells
    assert found[["area_code", "lo", "hi"]].to_numpy().tolist() == [["W1", 4, 6], ["W2", 13, 15]]


YEAR = "2024-01..2024-12"
COVERED = {"race": "all", "religion": "all", "gender": "all"}


def covered_city(seed: int) -> tuple[pd.DataFrame, Layout]:
    """Draw 48 wards in which every incident is of race or religion or both, and some are of gender too."""
    rng = np.random.default_rng(seed)
    parents = {f"B{b}W{w}": f"B{b}" for b in range(8) for w in range(6)}
    rows: dict[tuple[str, str], int] = {}
    for ward, borough in parents.items():
        n = int(rng.integers(4, 30))
        race, gender = rng.random(n) < 0.8, rng.random(n) < 0.1
        religion = ~race | (rng.random(n) < 0.1)
        for category, kept in (
            ("all", n),
            ("race", race.sum()),
            ("religion", religion.sum()),
            ("gender", gender.sum()),
        ):
            for area in (ward, borough):
                rows[area, category] = rows.get((area, category), 0) + int(kept)
    counts = pd.DataFrame([(*key, value) for key, value in sorted(rows.items())])
    counts = counts.set_axis(["area_code", "category", "incidents"], axis=1).assign(period=YEAR)
    counts["level"] = np.where(counts["area_code"].isin(list(parents)), "ward", "borough")
    counts["incidents_unplaced"] = pd.array(np.where(counts["level"] == "borough", 0, np.nan)).astype("Int64")
    levels = dict(zip(counts["area_code"], counts["level"], strict=True))
    return counts, Layout(parents=parents, levels=levels, part_of=tuple(COVERED.items()), cohort=True)


def narrow_in(seed: int) -> list[tuple[str, ...]]:
    """Suppress a city's small counts, and return those that the attacker finds too narrow."""
    counts, layout = covered_city(seed)
    series = {"ward": [YEAR], "borough": [YEAR]}
    table = cell_table(counts, layout=layout, measures=["incidents"], series=series)
    result = suppress(
        table.cells, relations=table.relations, broken=table.broken, threshold=THRESHOLD, part_of=layout.part_of
    )
    assert result.unprotected.size == 0
    notes = study(
        read_release(shown(result.cells, threshold=THRESHOLD)),
        parents=layout.parents,
        windows={},
        subsets=layout.part_of,
        unplaced=UNPLACED,
        unions=[("all", ("race", "religion"))],
    )
    notes.seen |= granted(result.cells)
    ranges = linear_ranges(notes, enough=THRESHOLD - 1)
    return [key for key, (low, high) in ranges.items() if high - low + 1 < THRESHOLD]


def test_a_union_that_no_layout_suggests_is_granted() -> None:
    """All incidents are of race or religion although gender is a part too: a reader sees that in the counts."""
    assert narrow_in(0) == []


def test_a_found_union_that_is_not_granted_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linked_tables, "unions_found", lambda *_, **__: {})
    assert narrow_in(0)
