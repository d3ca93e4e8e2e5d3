"""Relations: what the builders write down, on tables small enough to write down by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.domain.categories import Subset, Union
from pipeline.domain.periods import Period
from pipeline.errors import InputError
from pipeline.release.linked_tables import (
    DECLARED_UNION,
    Layout,
    Relations,
    area_equations,
    area_sums,
    category_disjoint,
    category_pairs,
    category_subsets,
    category_unions,
    drop_violated,
    families_of,
    generic_rows,
    measure_subsets,
    period_sums,
    relations_that_hold,
    stack,
    unions_found,
)
from pipeline.release.released import CategoryInfo


def table(*keys: tuple[str, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(list(keys), columns=["area_code", "period", "category", "measure"])


def written(relations: Relations, cells: pd.DataFrame) -> list[str]:
    """Every row as people write it: `B = W1 + W2`."""
    names = ["/".join(row) for row in cells.itertuples(index=False)]
    lines = []
    for i in range(len(relations)):
        weights = relations.matrix[[i]].toarray()[0]
        left = " + ".join(n for n, a in zip(names, weights, strict=True) if a > 0)
        right = " + ".join(n for n, a in zip(names, weights, strict=True) if a < 0)
        sign = {(0.0, 0.0): "=", (0.0, np.inf): ">=", (-np.inf, 0.0): "<="}
        lines.append(f"{left} {sign[relations.lower[i], relations.upper[i]]} {right}")
    return lines


PARENTS = {"W1": "B", "W2": "B"}


def test_area_sums_with_unplaced_part() -> None:
    cells = table(*[(a, "y", "all", "n") for a in ("B", "W1", "W2")], ("B", "y", "all", "n_unplaced"))
    found = area_sums(cells, parents=PARENTS, unplaced={"n": "n_unplaced"})
    assert written(found, cells) == ["B/y/all/n = W1/y/all/n + W2/y/all/n + B/y/all/n_unplaced"]


@pytest.mark.parametrize(("unplaced", "sign"), [({"n": None}, "="), ({"n": "n_unplaced"}, ">="), (None, ">=")])
def test_area_sums_without_the_unplaced_cell(unplaced, sign: str) -> None:
    cells = table(*[(a, "y", "all", "n") for a in ("W2", "B", "W1")])
    found = area_sums(cells, parents=PARENTS, unplaced=unplaced)
    assert written(found, cells) == [f"B/y/all/n {sign} W2/y/all/n + W1/y/all/n"]


def test_area_sums_with_a_ward_missing_is_an_inequality() -> None:
    cells = table(("B", "y", "all", "n"), ("W1", "y", "all", "n"))
    assert written(area_sums(cells, parents=PARENTS, unplaced={"n": None}), cells) == ["B/y/all/n >= W1/y/all/n"]


def test_area_sums_over_two_levels_keep_periods_and_categories_apart() -> None:
    cells = table(*[(a, p, c, "n") for a in ("R", "B", "W1", "W2") for p in ("x", "y") for c in ("all", "racist")])
    found = area_sums(cells, parents={**PARENTS, "B": "R"}, unplaced={"n": None})
    expected = [f"R/{p}/{c}/n = B/{p}/{c}/n" for p in ("x", "y") for c in ("all", "racist")]
    expected += [f"B/{p}/{c}/n = W1/{p}/{c}/n + W2/{p}/{c}/n" for p in ("x", "y") for c in ("all", "racist")]
    assert written(found, cells) == expected


def test_period_sums_where_all_parts_are_there_and_where_not() -> None:
    cells = table(("B", "q", "all", "n"), ("B", "1", "all", "n"), ("B", "2", "all", "n"), ("W", "q", "all", "n"))
    cells = pd.concat([cells, table(("W", "1", "all", "n"))], ignore_index=True)
    found = period_sums(cells, parts={"q": ["1", "2"]})
    assert written(found, cells) == ["B/q/all/n = B/1/all/n + B/2/all/n", "W/q/all/n >= W/1/all/n"]


def test_subsets_of_categories_and_measures() -> None:
    cells = table(("B", "y", "all", "n"), ("B", "y", "racist", "n"), ("B", "y", "racist", "outcomes"))
    assert written(category_subsets(cells, pairs=[("racist", "all")]), cells) == ["B/y/all/n >= B/y/racist/n"]
    assert written(measure_subsets(cells, pairs=[("outcomes", "n")]), cells) == ["B/y/racist/n >= B/y/racist/outcomes"]


def test_union_needs_every_part() -> None:
    cells = table(*[("B", "y", c, "n") for c in ("all", "a", "b")], *[("W", "y", c, "n") for c in ("all", "a")])
    found = category_unions(cells, unions=[("all", ["a", "b"])])
    assert written(found, cells) == ["B/y/all/n <= B/y/a/n + B/y/b/n"]


def test_broken_rows_are_dropped_and_counted() -> None:
    cells = table(*[("B", "y", c, "n") for c in ("all", "a", "b")])
    found, report = drop_violated(
        category_subsets(cells, pairs=[("a", "all"), ("b", "all")]), values=np.array([5, 6, 5])
    )
    assert written(found, cells) == ["B/y/all/n >= B/y/b/n"]
    assert report.to_numpy().tolist() == [["category_subset", 2, 1]]


def test_rows_move_with_the_table() -> None:
    cells = table(("B", "y", "all", "n"), ("B", "y", "racist", "n"))
    moved = category_subsets(cells, pairs=[("racist", "all")]).remap(np.array([2, 0]), cells=3)
    assert moved.matrix.toarray().tolist() == [[-1, 0, 1]]
    assert moved.anchor.tolist() == [2]


def test_unusable_tables_are_refused() -> None:
    cells = table(("B", "y", "all", "n"), ("B", "y", "all", "n"))
    with pytest.raises(InputError, match="twice"):
        area_sums(cells, parents={})
    with pytest.raises(InputError, match="measure missing"):
        period_sums(cells.drop(columns="measure"), parts={})
    one, two = cells.iloc[:1], pd.concat([cells.iloc[:1], table(("C", "y", "all", "n"))], ignore_index=True)
    with pytest.raises(InputError, match="one cell table"):
        stack(generic_rows(one, [({0: 1}, 0.0, 0.0)]), generic_rows(two, [({0: 1}, 0.0, 0.0)]))


def test_area_equations_need_every_ward_and_leave_nothing_unplaced() -> None:
    cells = table(*[(a, "y", "all", "n") for a in ("B", "W1", "W2")], *[(a, "x", "all", "n") for a in ("B", "W1")])
    cells = pd.concat([cells, table(("B", "y", "all", "n_unplaced"))], ignore_index=True)
    assert written(area_equations(cells, parents=PARENTS), cells) == ["B/y/all/n = W1/y/all/n + W2/y/all/n"]


def test_parts_that_share_nothing_all_together_and_two_by_two() -> None:
    cells = table(
        *[("B", "y", c, "n") for c in ("all", "a", "b", "c")], *[("W", "y", c, "n") for c in ("all", "b", "c")]
    )
    found = category_disjoint(cells, unions=[("all", ("a", "b", "c"))])
    assert written(found, cells) == [
        "B/y/all/n >= B/y/a/n + B/y/b/n + B/y/c/n",
        "B/y/all/n >= B/y/a/n + B/y/b/n",
        "B/y/all/n >= B/y/a/n + B/y/c/n",
        "B/y/all/n >= B/y/b/n + B/y/c/n",
        "W/y/all/n >= W/y/b/n + W/y/c/n",
    ]


def wards(*values: tuple[int, int]) -> pd.DataFrame:
    """Return wards with a total and one strand each."""
    keys = [(f"W{i}", "y", c, "n") for i in range(len(values)) for c in ("all", "a")]
    return table(*keys).assign(level="ward", value=[v for pair in values for v in pair])


@pytest.mark.parametrize(("broken", "kept"), [(0, 40), (1, 40), (2, 0), (40, 0)])
def test_a_relation_is_relied_on_where_fewer_than_one_row_in_twenty_breaks_it(broken: int, kept: int) -> None:
    """One row of 40 is 2.5 %; two are 5 %, and then nobody relies on any of them."""
    cells = wards(*[(2, 3)] * broken, *[(9, 3)] * (40 - broken))
    found = relations_that_hold(cells, category_subsets(cells, pairs=[("a", "all")]))
    assert len(found) == kept
    assert int(found.violated(cells["value"].to_numpy()).sum()) == min(broken, kept)


def test_relations_are_judged_by_level_category_and_measure() -> None:
    """At wards the strand exceeds the total everywhere, at boroughs nowhere; the other strand never does."""
    low = table(*[(f"W{i}", "y", c, "n") for i in range(3) for c in ("all", "a", "b")]).assign(level="ward")
    low["value"] = [5, 6, 1] * 3
    high = table(*[("B", "y", c, "n") for c in ("all", "a", "b")]).assign(level="borough", value=[20, 18, 3])
    cells = pd.concat([low, high], ignore_index=True)
    found = relations_that_hold(cells, category_subsets(cells, pairs=[("a", "all"), ("b", "all")]))
    assert sorted(written(found, cells[["area_code", "period", "category", "measure"]])) == [
        "B/y/all/n >= B/y/a/n",
        "B/y/all/n >= B/y/b/n",
        *[f"W{i}/y/all/n >= W{i}/y/b/n" for i in range(3)],
    ]


def test_the_parts_of_a_category_are_those_directly_below_it() -> None:
    every = (
        CategoryInfo("all", "All", None),
        CategoryInfo("religion", "Religion", None),
        CategoryInfo("antisemitic", "Antisemitic", "religion"),
        CategoryInfo("islamophobic", "Islamophobic", "religion"),
        CategoryInfo("race", "Race", "all"),
        CategoryInfo("women", "Against women", None, outside=True),
    )
    pairs = category_pairs(every, [c.id for c in every])
    assert families_of(pairs) == (("all", ("religion", "race")), ("religion", ("antisemitic", "islamophobic")))


def test_what_the_source_declares_refines_the_tree() -> None:
    """Faith is part of racist and religious by the tree; the source declares what lies between them, and two names."""
    names = ("all", "racist_and_religious", "racist", "religion", "faith", "belief")
    every = tuple(CategoryInfo(c, c, "racist_and_religious" if c == "faith" else None) for c in names)
    declared = [
        Union("racist_and_religious", ("racist", "religion")),
        Subset("faith", "religion"),
        Subset("belief", "faith"),
        Subset("faith", "belief"),
        Subset("nobody", "all"),
    ]
    assert category_pairs(every, names, declared) == (
        ("racist_and_religious", "all"),
        ("racist", "racist_and_religious"),
        ("religion", "racist_and_religious"),
        ("faith", "religion"),
        ("faith", "belief"),
        ("belief", "religion"),
        ("belief", "faith"),
    )
    assert category_pairs(every, ["all", "faith"], declared) == (("faith", "all"),)


@pytest.mark.parametrize(("kind", "kept"), [("category_union", 0), (DECLARED_UNION, 3)])
def test_a_declared_union_is_relied_on_wherever_it_holds(kind: str, kept: int) -> None:
    cells = wards((5, 5), (5, 3), (5, 7), (2, 2))
    found = relations_that_hold(cells, category_unions(cells, unions=[("all", ["a"])], kind=kind))
    assert len(found) == kept
    assert not found.violated(cells["value"].to_numpy()).any()


@pytest.mark.parametrize(
    ("rows", "broken", "more", "kept"),
    [(41, 2, 1, 39), (40, 2, 1, 0), (31, 2, 4 / 3, 29), (29, 2, 4 / 3, 0), (19, 0, 1, 0), (15, 0, 4 / 3, 15)],
)
def test_a_union_that_no_layout_suggests_is_found_where_a_reader_sees_few_rows_break_it(
    rows: int, broken: int, more: float, kept: int
) -> None:
    """Fewer than one in twenty of his rows, which are 20 at least; rows that the data breaks are not returned."""
    keys = [(f"W{i}", "y", c, "n") for i in range(rows) for c in ("all", "a", "b")]
    values = [[9, 3, 6] if i < broken else [9, 9, 0] for i in range(rows)]
    cells = table(*keys).assign(level="ward", value=[v for own in values for v in own])
    found = unions_found(cells, unions=[("all", ("a", "b"))], rows_of_readers={"ward": more})
    assert sum(len(own) for (_, parts), own in found.items() if parts == ("a",)) == kept


def test_two_years_in_one_give_a_reader_four_rows_for_three() -> None:
    years = tuple(Period(100 * y + 1, 100 * y + 12) for y in (2022, 2023, 2024))
    layout = Layout({}, {}, (), cohort=True, series={"borough": years, "ward": years})
    assert layout.rows_of_readers == {"borough": 1}
    longer = replace(layout, long_windows=frozenset({"2023-01..2024-12"}))
    assert longer.rows_of_readers == {"borough": pytest.approx(4 / 3)}
