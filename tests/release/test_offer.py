"""What is offered in steps: against every table that would look the same, and by hand."""

from collections import defaultdict
from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from pipeline.domain.periods import Period
from pipeline.release.linked_tables import Layout
from pipeline.release.offer import choose_offer
from pipeline.release.values_left import _Block, _in_tables, values_left
from pipeline.tables import Level

pytestmark = pytest.mark.slow

YEAR = Period.parse("2024-01..2024-12")


def _layout(areas: dict[str, tuple[str, str]], part_of=()) -> Layout:
    """Areas: code to level and parent."""
    return Layout(
        parents={code: parent for code, (_, parent) in areas.items() if parent},
        levels={code: level for code, (level, _) in areas.items()},
        part_of=tuple(part_of),
        series=dict.fromkeys(Level, (YEAR,)),
        cohort=True,
    )


def _counts(rows: list[tuple[str, str, str, int]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["area_code", "level", "category", "incidents"])
    return frame.assign(period=YEAR.id, incidents=frame["incidents"].astype("Int64"))


def _displays(counts: pd.DataFrame, layout: Layout, step: int) -> dict[tuple[str, str], int | None]:
    """Show each count by the floor of its step; None where it is not offered."""
    offer = choose_offer(counts, layout=layout, steps=[step])
    shown = offer.cells["value"] // step * step
    keys = zip(offer.cells["area_code"], offer.cells["category"], strict=True)
    return {key: int(floor) if given else None for key, floor, given in zip(keys, shown, offer.offered, strict=True)}


@pytest.mark.parametrize("step", [3, 5])
@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_every_value_of_every_step_is_possible_under_an_equation(parts: int, step: int) -> None:
    """All tables of up to four wards that add up to their borough, each a borough of its own."""
    largest = 2 * step - 1 if parts < 4 or step == 3 else step - 1
    tables = list(product(range(largest + 1), repeat=parts))
    areas: dict[str, tuple[str, str]] = {}
    rows: list[tuple[str, str, str, int]] = []
    for n, table in enumerate(tables):
        areas[f"B{n}"] = ("borough", "")
        rows.append((f"B{n}", "borough", "all", sum(table)))
        for w, value in enumerate(table):
            areas[f"W{n}-{w}"] = ("ward", f"B{n}")
            rows.append((f"W{n}-{w}", "ward", "all", value))
    shown = _displays(_counts(rows), _layout(areas), step)
    alike: dict[tuple[int | None, ...], list[tuple[int, ...]]] = defaultdict(list)
    for n, table in enumerate(tables):
        seen = [shown[f"B{n}", "all"], *(shown[f"W{n}-{w}", "all"] for w in range(parts))]
        alike[tuple(seen)].append((sum(table), *table))
    checked = 0
    for seen, behind in alike.items():
        # Steps that the enumeration holds whole: those of parts under `largest`, and totals of such parts alone.
        tops = [floor + step - 1 for floor in seen[1:] if floor is not None]
        hidden = any(floor is None for floor in seen[1:])
        if any(top > largest for top in tops) or (hidden and seen[0] is not None and seen[0] + step - 1 > largest):
            continue
        for place, floor in enumerate(seen):
            if floor is not None:
                checked += 1
                assert {table[place] for table in behind} == set(range(floor, floor + step)), (seen, place)
    assert checked
    if parts in (2, 3):
        assert all(floor is None for seen in alike for floor in seen[1:]), "two or three parts are never offered"
    elif parts == 1 or step == 3:
        assert any(all(floor is not None for floor in seen) for seen in alike)


def test_every_value_of_every_step_is_possible_under_a_union() -> None:
    """All tables of a category and four parts that cover it, at borough level, in steps of 5.

    The order of the parts does not matter to the rule, so that each set of parts is shown once and then reordered.
    """
    step = 5
    names = ("all", "a", "b", "c", "d")
    parts = [p for p in product(range(step), repeat=4) if list(p) == sorted(p)]
    tables = [(whole, *p) for p in parts for whole in range(max(p), sum(p) + 1)]
    areas = {f"B{n}": ("borough", "") for n in range(len(tables))}
    rows = [(f"B{n}", "borough", c, v) for n, table in enumerate(tables) for c, v in zip(names, table, strict=True)]
    shown = _displays(_counts(rows), _layout(areas, [(c, "all") for c in names[1:]]), step)
    alike: dict[tuple[int | None, ...], list[tuple[int, ...]]] = defaultdict(list)
    for n, table in enumerate(tables):
        seen = [shown[f"B{n}", c] for c in names]
        for order in set(permutations(range(1, 5))):
            alike[seen[0], *(seen[k] for k in order)].append((table[0], *(table[k] for k in order)))
    assert any(None in seen for seen in alike), "some rows have no room"
    for seen, behind in alike.items():
        for place, floor in enumerate(seen):
            if floor is not None:
                assert {table[place] for table in behind} == set(range(floor, floor + step)), (seen, place)


def test_last_part_of_a_small_union_is_not_offered_by_ward_wherever_it_is() -> None:
    areas = {"B": ("borough", ""), **{f"W{n}": ("ward", "B") for n in range(30)}}
    rows = [("B", "borough", c, v) for c, v in (("all", 300), ("a", 200), ("b", 110))]
    for n in range(30):
        # In one ward of thirty an incident is in neither part: nearly everywhere the parts cover the whole.
        rows += [(f"W{n}", "ward", "all", 7), (f"W{n}", "ward", "a", 5), (f"W{n}", "ward", "b", 1 if n == 0 else 2)]
    shown = _displays(_counts(rows), _layout(areas, [("a", "all"), ("b", "all")]), 5)
    assert all(shown[f"W{n}", "b"] is None for n in range(30))
    assert all(shown[f"W{n}", "a"] == 5 for n in range(30))
    assert shown["B", "b"] is None, "of two parts, by borough neither"
    assert shown["B", "a"] == 200


def test_rows_linked_by_a_category_are_audited() -> None:
    """Linear programmes against enumeration: the range they find holds every table that looks the same."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        step = int(rng.choice([3, 5]))
        n, m = 4, int(rng.integers(1, 4))
        matrix = rng.integers(-1, 2, size=(m, n))
        truth = rng.integers(0, step, size=n)
        low = matrix @ truth - rng.integers(0, 3, size=m)
        high = np.where(rng.random(m) < 0.5, matrix @ truth, np.inf)
        every = np.array(list(product(range(step), repeat=n)))
        sums = every @ matrix.T
        fits = every[((sums >= low) & (sums <= high)).all(axis=1)]
        left = values_left(csr_array(matrix), low.astype(float), high, step=step)
        spread = fits.max(axis=0) - fits.min(axis=0) + 1
        assert (left >= spread).all()
        if m == 1:
            assert (left == spread).all()


def test_tables_made_by_hand_prove_no_more_than_programmes_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """A borough of wards and categories with hardly any incidents, equations, unions and a category not offered."""
    rng = np.random.default_rng(1)
    by_hand = narrow = 0
    for _ in range(12):
        step, wards, parts = int(rng.choice([5, 10])), 3, 4
        cells = np.arange((1 + wards) * (1 + parts)).reshape(1 + wards, 1 + parts)  # rows are areas, columns categories
        truth = np.zeros(cells.shape, dtype=np.int64)
        truth[1:, 1:] = rng.poisson(rng.choice([0.3, 4.0]), size=(wards, parts))
        truth[:, 0], truth[0] = truth[:, 1:].sum(axis=1), truth[1:].sum(axis=0)
        truth[0, 0] = truth[1:, 0].sum()
        hidden = cells[:, -1] if rng.random() < 0.5 else cells[:0, 0]
        floor = np.where(np.isin(cells, hidden), 0, truth // step * step).ravel()
        lines = [*((c[0], c[1:]) for c in cells.T), *((c[0], c[1:]) for c in cells)]
        matrix = np.zeros((len(lines), cells.size), dtype=np.int64)
        for row, (total, inside) in enumerate(lines):
            matrix[row, total], matrix[row, inside] = 1, -1
        upper = np.where(np.isin(cells.ravel(), hidden), np.inf, step - 1.0)
        low, high = -(matrix @ floor).astype(float), -(matrix @ floor).astype(float)
        options = {"step": step, "upper": upper, "wanted": np.isfinite(upper)}
        left = values_left(csr_array(matrix), low, high, **options)
        with monkeypatch.context() as patched:
            patched.setattr("pipeline.release.values_left.LOW_TABLES", 0)
            assert values_left(csr_array(matrix), low, high, **options).tolist() == left.tolist()
        block = _Block(csr_array(matrix, dtype=np.float64), low, high, upper, step)
        least = block.optimum(np.isfinite(upper).astype(float))
        assert least is not None  # the true rests satisfy the rows
        by_hand += int(_in_tables(block, least, wanted=np.isfinite(upper))[1].sum())
        narrow += int((left < step).sum())
    assert by_hand > 100
    assert narrow > 10


def test_a_part_is_never_offered_without_its_whole() -> None:
    """Four wards of 4 under a borough of 16: no room in steps of 5, so that nothing of the row is offered."""
    areas = {"B": ("borough", ""), **{f"W{n}": ("ward", "B") for n in range(4)}}
    rows = [("B", "borough", "all", 16), *((f"W{n}", "ward", "all", 4) for n in range(4))]
    rows += [("B", "borough", "race", 9), *((f"W{n}", "ward", "race", 2) for n in range(4))]
    shown = _displays(_counts(rows), _layout(areas, [("race", "all")]), 5)
    assert set(shown.values()) == {None}


def test_a_union_that_is_given_by_ward_and_by_group_has_no_last_part() -> None:
    """All and race by ward, religion by group: the three are a union group by group, so that religion goes."""
    wards = [f"W{n}" for n in range(8)]
    group_of = {w: f"G-W{n // 4 * 4}" for n, w in enumerate(wards)}
    areas = {"B": ("borough", ""), **dict.fromkeys(wards, ("ward", "B"))}
    areas |= dict.fromkeys(set(group_of.values()), ("ward_group", "B"))
    rows = [("B", "borough", c, v) for c, v in (("all", 170), ("race", 100), ("religion", 70))]
    for w in wards:
        rows += [(w, "ward", "all", 20), (w, "ward", "race", 12), (w, "ward", "religion", 8)]
    rows += [
        (g, "ward_group", c, v) for g in sorted(set(group_of.values())) for c, v in (("religion", 32), ("all", 80))
    ]
    layout = _layout(areas, [("race", "all"), ("religion", "all")])
    layout = replace(layout, group_of=group_of, detail={"religion": Level.WARD_GROUP})
    shown = _displays(_counts(rows), layout, 5)
    assert shown["W0", "all"] == 20
    assert shown["W0", "race"] == 10
    assert shown["G-W0", "religion"] is None
    assert ("G-W0", "all") not in shown


# --- declared relations ----------------------------------------------------------------------------------------------

STRANDS = ("all", "race", "religion", "disability", "antisemitic")


def _overlapping() -> tuple[dict[str, tuple[str, str]], list[tuple[str, str, str, int]]]:
    """Eight wards of one borough; every incident is of race or of religion, and some are of disability as well."""
    areas = {"B": ("borough", ""), **{f"W{n}": ("ward", "B") for n in range(8)}}
    own = dict(zip(STRANDS, (24, 14, 12, 6, 5), strict=True))
    rows = [(f"W{n}", "ward", c, v) for n in range(8) for c, v in own.items()]
    return areas, rows + [("B", "borough", c, 8 * v + 3) for c, v in own.items()]


def test_parts_that_are_declared_to_cover_the_whole_are_a_union() -> None:
    areas, rows = _overlapping()
    layout = _layout(areas, [(c, "all") for c in STRANDS[1:]])
    shown = _displays(_counts(rows), layout, 5)
    assert shown["W0", "religion"] == 10
    assert shown["W0", "antisemitic"] is None, "the last of all the parts that are found to cover the whole"
    declared = _displays(_counts(rows), replace(layout, unions=(("all", ("race", "religion")),)), 5)
    assert declared["W0", "religion"] is None
    assert declared["W0", "race"] == 10


def test_a_declared_part_goes_with_its_whole() -> None:
    """Antisemitic is declared to be part of religion, which is the last of the parts and not offered."""
    areas, rows = _overlapping()
    order = ("race", "disability", "religion")
    layout = _layout(areas, [(c, "all") for c in order])
    assert _displays(_counts(rows), layout, 5)["W0", "antisemitic"] == 5
    declared = replace(layout, part_of=(*layout.part_of, ("antisemitic", "religion")))
    shown = _displays(_counts(rows), declared, 5)
    assert shown["W0", "religion"] is None
    assert shown["W0", "antisemitic"] is None


@pytest.mark.parametrize(("wards", "religion"), [(25, None), (15, 10)])
def test_two_parts_that_are_found_to_cover_the_whole_are_a_union(wards: int, religion: int | None) -> None:
    """A third part is rare, so that the other two nearly always cover the whole; seen in 20 rows, it is relied on."""
    areas = {"B": ("borough", ""), **{f"W{n}": ("ward", "B") for n in range(wards)}}
    own = {"all": 20, "race": 12, "religion": 10, "other": 0}
    rows = [(f"W{n}", "ward", c, v) for n in range(wards) for c, v in own.items()]
    rows += [("B", "borough", c, v * wards + 7) for c, v in own.items()]
    layout = _layout(areas, [(c, "all") for c in ("race", "religion", "other")])
    shown = _displays(_counts(rows), layout, 5)
    assert shown["W0", "race"] == 10
    assert shown["W0", "religion"] == religion
    assert shown["W0", "other"] is None


def test_what_holds_among_wards_that_are_not_shown_is_known_of_their_group() -> None:
    """Two parts cover religion in 96 of 100 wards, most of them empty, and so in the group whose wards are among these.

    A group of "5 to 9" then says that the parts hold 5 or more between them in the borough, where both read "fewer than
    5": each would be 1 at least.
    """
    wards = [f"W{n:02d}" for n in range(100)]
    groups = {w: f"G{n // 5:02d}" for n, w in enumerate(wards)}
    areas = {
        "B": ("borough", ""),
        **dict.fromkeys(wards, ("ward", "B")),
        **dict.fromkeys(groups.values(), ("ward_group", "B")),
    }
    # In the first group every ward has an offence that is in a part; in four other groups one that is in neither.
    own = {
        "W00": (1, 0, 1),
        **{f"W{n:02d}": (1, 1, 0) for n in range(1, 5)},
        **{f"W{n}": (1, 0, 0) for n in (10, 20, 30, 40)},
    }
    table = pd.DataFrame([own.get(w, (0, 0, 0)) for w in wards], index=wards)
    by_group = table.groupby(groups).sum()
    names = ("religion", "antisemitic", "islamophobic")
    rows = [("B", "borough", c, v) for c, v in zip(names, table.sum(), strict=True)]
    for level, frame in (("ward", table), ("ward_group", by_group)):
        rows += [(a, level, c, v) for a, of in frame.iterrows() for c, v in zip(names, of, strict=True)]
    layout = replace(
        _layout(areas, [(c, "religion") for c in names[1:]]),
        group_of=groups,
        detail={"religion": Level.WARD_GROUP, "antisemitic": Level.BOROUGH, "islamophobic": Level.BOROUGH},
    )
    shown = _displays(_counts(rows), layout, 5)
    together = shown["G00", "religion"], shown["B", "antisemitic"], shown["B", "islamophobic"]
    assert together != (5, 0, 0)
    assert shown["B", "religion"] == 5
