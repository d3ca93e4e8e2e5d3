"""Which months are fitted, and what is called higher, lower or too few."""

import numpy as np
import pandas as pd
import pytest

from pipeline.detect.seasons import FITTED, TOO_FEW_INCIDENTS, TOO_FEW_MONTHS, latest_run, season_rows
from pipeline.domain.periods import Break, month_range

RULES = {"breaks": [], "compare_months": 3, "min_monthly": 10.0, "fdr_q": 0.05, "seed": 1}


def table(code: str, counts: list, *, level: str = "borough", first: int = 202101) -> pd.DataFrame:
    months = [first] if counts else []
    while len(months) < len(counts):
        months.append(months[-1] + 1 if months[-1] % 100 < 12 else months[-1] + 89)
    frame = pd.DataFrame({"level": level, "area_code": code, "month": months, "incidents": counts})
    return frame.astype({"incidents": "Int64"})


@pytest.mark.parametrize(
    ("known", "breaks", "run"),
    [
        ([1, 1, 0, 1, 1, 1], [], 3),
        ([0, 0, 0, 0, 0, 0], [], 0),
        ([1, 1, 1, 1, 0, 0], [], 4),  # the last months are not there yet
        ([1, 1, 1, 1, 1, 1], [Break(202105, "new system")], 2),
    ],
)
def test_the_latest_run_of_months(known: list[int], breaks: list[Break], run: int) -> None:
    index = list(month_range(202101, 202106))
    assert latest_run(pd.Series([bool(k) for k in known], index=index), breaks) == run


def test_areas_by_state() -> None:
    rng = np.random.default_rng(2)
    usual = (100 + 30 * np.sin(np.arange(40) * np.pi / 6)).round().astype(int)
    jump = usual.copy()
    jump[-1] *= 2
    fall = usual.copy()
    fall[-2] //= 4
    gap = [*usual[:20], None, *usual[21:]]
    counts = pd.concat(
        [
            table("jump", jump.tolist()),
            table("fall", fall.tolist()),
            table("gap", gap),
            table("rare", rng.poisson(2, 40).tolist()),
            table("short", [None] * 17 + usual[17:].tolist()),
            table("just", [None] * 16 + usual[16:].tolist()),
        ],
        ignore_index=True,
    )
    months, areas = season_rows(counts, **RULES)
    found = areas.set_index("area_code")
    assert found["state"].to_dict() == {
        "jump": FITTED, "fall": FITTED, "gap": TOO_FEW_MONTHS, "rare": TOO_FEW_INCIDENTS, "short": TOO_FEW_MONTHS,
        "just": FITTED,
    }  # fmt: skip
    assert found["months"].to_dict() == {"jump": 40, "fall": 40, "gap": 19, "rare": 40, "short": 23, "just": 24}
    assert (found.loc["jump", "high_month"], found.loc["jump", "low_month"]) in {(4, 10), (4, 9), (5, 10)}
    words = {(r["area_code"], r["month"]): r["word"] for r in months.to_dict("records") if r["word"]}
    # Forty months from January 2021 end in April 2024.
    assert {key: word for key, word in words.items() if word != "no clear change"} == {
        ("jump", 202404): "higher",
        ("fall", 202403): "lower",
    }
    assert {code for code, _ in words} == {"jump", "fall"}  # 24 months leave nothing before the months compared
    # A gap stays empty, and is no zero.
    empty = months[(months["area_code"] == "gap") & (months["month"] == 202209)]
    assert empty[["incidents", "per_month", "trend"]].isna().all(axis=None)


def test_no_month_at_all() -> None:
    months, areas = season_rows(table("a", [None, None]), **RULES)
    assert areas["state"].tolist() == [TOO_FEW_MONTHS]
    assert months["incidents"].isna().all()
    months, areas = season_rows(table("a", []), **RULES)
    assert len(months) == len(areas) == 0
