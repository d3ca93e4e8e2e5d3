"""The folder attacker's own tools on tables small enough to work by hand."""

from math import inf

import pytest

from tests.kit.folder_facets import facet_lines, facets
from tests.kit.folder_search import Line, bound

RULE = ("category", "faith", "all")


def within(small: str, large: str) -> Line:
    return Line({small: 1.0, large: -1.0}, -inf, 0.0, RULE)


@pytest.mark.parametrize(("again", "most"), [(True, 9), (False, 5_000)])
def test_a_rule_that_the_numbers_shown_break(*, again: bool, most: float) -> None:
    """In one ward faith is 7 of all 5: elsewhere it may be believed, or not."""
    seen = {"faith 1": (7, 7), "all 1": (5, 5), "faith 2": (0, inf), "all 2": (9, 9)}
    lines = [within("faith 1", "all 1"), within("faith 2", "all 2")]
    found = bound(seen, ["faith 2"], lines, enough=50, again=again)
    low, high = found.ends["faith 2"]
    assert low == 0
    assert high == most if again else high >= most
    assert found.given_up == {(*RULE, "high"): 1 if again else 2}


def test_a_rule_that_only_all_numbers_together_break() -> None:
    """Two wards of at most 3 cannot make a borough of 10; the sum follows from counting, so the rule must give."""
    seen = {"a": (0, inf), "b": (0, inf), "all a": (3, 3), "all b": (3, 3), "borough": (10, 10)}
    lines = [Line({"borough": 1, "a": -1, "b": -1}, 0, 0), within("a", "all a"), within("b", "all b")]
    found = bound(seen, ["a", "b"], lines, enough=50, again=False)
    assert found.ends == {"a": (0, 10), "b": (0, 10)}


def test_whole_numbers_are_narrower_than_halves() -> None:
    """Three pairs that add up to 3 at most leave half-numbers 4.5 in all, whole ones 4."""
    seen = dict.fromkeys("abc", (0, inf)) | {"sum": (0, inf)}
    pairs = [Line({x: 1, y: 1}, -inf, 3) for x, y in ("ab", "bc", "ca")]
    found = bound(seen, ["sum"], [*pairs, Line({"sum": 1, **dict.fromkeys("abc", -1)}, 0, 0)], enough=50, again=False)
    assert found.ends["sum"] == (0, 4)
    assert found.by["narrow"] == 1


def test_an_answer_is_what_the_others_leave() -> None:
    row = {"area_code": "R", "period": "2024", "category": "all", "organisation": "police", "share": "", "stated": ""}
    rows = [
        {**row, "question": "organisation", "answer": "police", "incidents": "40", "withheld": ""},
        {**row, "question": "route", "answer": "telephone", "incidents": "37", "withheld": ""},
        {**row, "question": "route", "answer": "online", "incidents": "", "withheld": "incidents"},
    ]
    told = list(facets(rows, lambda n: (n, n)))
    seen = {key: span or (0, inf) for key, span in told}
    hidden = [key for key, span in told if span is None]
    lines = [line for line in facet_lines(rows, "R") if all(k in seen for k in line.weights)]
    found = bound(seen, hidden, lines, enough=5, again=False)
    assert found.ends == {("R", "2024", "all", "police/route/online"): (3, 3)}
