"""backtest.html: its sentences follow from the figures, names stay text, and nothing that does not exist is written."""

import re
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from pipeline.backtest import Method, Study, Tiling, backtest
from pipeline.geography.grid import Grid
from pipeline.publish.pages.backtest import backtest_html, backtest_picture, summary
from tests.kit.dark import not_darkened
from tests.kit.released import HOSTILE

CELLS = Tiling.of(Grid(0.0, 0.0, 500.0, 10, 10), np.ones(100))


def record(
    *, months: int = 6, a_month: int = 60, label: str = "All", methods: tuple[Method, ...] = ()
) -> dict[str, Any]:
    """Content of backtest.json: incidents that stay in the same ten cells, and a few anywhere."""
    rng = np.random.default_rng(3)
    n = months * a_month
    cell = np.where(rng.random(n) < 0.7, rng.integers(0, 10, n) ** 2, rng.integers(0, 100, n))
    study = Study.of(CELLS.grid.centre(cell), when=np.repeat(np.arange(months), a_month), tiling=CELLS)
    methods = methods or (
        Method("grid_count", "cells", lambda past: past.counts["cells"] + 1.0),
        Method("long_run", "cells", lambda past: past.ever["cells"] + 1.0),
        Method("area_density", "cells", lambda _: np.ones(100)),
        Method("last_period", "cells", lambda past: past.latest["cells"].astype(float)),
        Method("clusters", "cells", lambda past: past.counts["cells"] * (past.counts["cells"] > 20)),
    )
    result = backtest(study, methods=methods, origins=tuple(range(3, months)), history=3, resamples=99)
    origins = [f"2025-{o + 1:02}" for o in result.origins]
    studies = [{"category": "all", "label": label} | result.as_dict() | {"origins": origins}]
    names = {"title": label, "place": "", "run": "x", "noun": "offences", "areas": "wards", "language": "en"}
    return names | {"synthetic": False, "studies": studies * 2}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return record()


def test_the_summary_names_the_best_what_is_worse_and_what_cannot_be_told(found: dict[str, Any]) -> None:
    text = " ".join(summary(found))
    main = found["studies"][0]
    hits = {s["method"]: s for s in main["scores"] if s["target"] == "5 %"}
    assert "Tested on April 2025 to June 2025: 180 offences in 3 months" in text
    best = {
        "grid_count": "counts in cells",
        "long_run": "long-run mean in cells",
        "last_period": "last month’s counts in cells",
    }
    assert f"Marking 5% of the area (1.25 km²), {best[main['ranking'][0]]} caught most" in text
    assert f"{hits[main['ranking'][0]]['hit_rate_pct']['value']:.0f}% of later incidents" in text
    assert re.search(r"clearly more than wards by incidents per km² \(5\.0%\)", text)
    assert "cannot tell it apart from" in text
    assert "3 months are little to judge by" in text


def test_a_method_that_marks_less_is_said_to(found: dict[str, Any]) -> None:
    main = found["studies"][0]
    clusters = next(s for s in main["scores"] if s["method"] == "clusters" and s["target"] == "10 %")
    assert clusters["marked_pct"] < 10
    assert clusters["first_pct"] is None
    assert f"{clusters['hits']:.0f}" in backtest_html(found)


def test_with_too_few_incidents_nothing_is_ranked_and_the_page_says_so() -> None:
    few = record(a_month=20)
    assert "too few to rank methods" in " ".join(summary(few))
    assert "too few to rank" in backtest_html(few)


def test_with_one_month_there_are_no_intervals_and_nothing_is_said_to_differ() -> None:
    page = backtest_html(record(months=4, a_month=120))
    assert not_darkened(page) == []
    assert "1 month is too few for intervals: 3 are needed." in page
    assert "cannot tell apart" in page
    assert not re.search(r"<td[^>]*>differ</td>", page)


def test_figures_that_do_not_exist_are_left_empty() -> None:
    nothing = tuple(Method(key, "cells", lambda _: np.zeros(100)) for key in ("gistar", "last_period"))
    page = backtest_html(record(methods=nothing))
    assert "No method marks 5% of the area" in page
    assert not re.search(r">(?:None|nan|NaN)[<%]", page)


@pytest.mark.parametrize("label", HOSTILE[:3])
def test_names_stay_text(label: str, found: dict[str, Any]) -> None:
    hostile = found | {"title": label, "studies": [s | {"label": label} for s in found["studies"]]}
    page = backtest_html(hostile)
    assert "window.pwned" in page  # as text:
    assert not re.search(r"<(?:script|img)\b", page)
    ET.fromstring(backtest_picture(hostile))  # noqa: S314 - drawn here
