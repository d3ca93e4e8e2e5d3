"""The Metropolitan Police's published hate-crime counts through the gate, hidden as if they were confidential.

They are public: the dashboard prints every one of them. What is shown here is that the gate copes with real sparsity
and real sums, not that these counts are secret.
"""

import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.release.calendar import Before
from pipeline.release.earlier_releases import EarlierRelease
from pipeline.release.gate import Detected, Passed, examine
from tests.kit.gated import config_of
from tests.kit.met_counts import met_detected

EXACT = {"protection": "suppress", "protection_reason": "the dashboard gives exact numbers"}
RULES: dict[str, dict[str, Any]] = {
    "public": {"audience": "public", "threshold": 10, **EXACT},
    "partner": {"audience": "partner", "threshold": 5, **EXACT},
}


@pytest.fixture(scope="module")
def met(real_data: Path) -> Detected:
    return met_detected(real_data)


def through(
    met: Detected, name: str, previous: tuple[EarlierRelease, ...], known: pd.DataFrame | None = None
) -> tuple[Passed, float]:
    import dataclasses

    config = config_of(
        [{"name": name, **RULES[name]}],
        detect={"gistar": {"enabled": False}},
        outcomes={"basis": "flow"},
        areas={"region": {"code": "E12000007", "name": "London"}},
    )
    profile = config.profiles[0]
    begun = time.perf_counter()
    passed = examine(
        dataclasses.replace(met, known_tables=known), profile=profile, config=config, before=Before(previous)
    )
    return passed, time.perf_counter() - begun


@pytest.mark.real
@pytest.mark.long
@pytest.mark.parametrize("name", ["partner", "public"])
def test_exact_numbers_pass_on_real_counts(met: Detected, name: str) -> None:
    """Ward and borough years of every sub-type, against a reader who is granted what `audit` says."""
    passed, seconds = through(met, name, ())
    log, released = passed.log, passed.released
    print(f"\n{name}: {seconds:.0f} s, {log}, {released.record['attack']}")
    assert released.info.audit == "passed"
    assert log["withheld_per_primary"] <= 2.5
    shown = released.counts["incidents"].dropna()
    assert not shown.between(1, RULES[name]["threshold"] - 1).any()


@pytest.mark.real
def test_what_the_dashboard_prints_is_already_public(met: Detected) -> None:
    """With the dashboard as a known table no protection is claimed for anything in it, and nothing more is withheld."""
    rows = met.area_months.melt(
        ["area_code", "month", "category"], ["incidents", "positive_outcomes"], var_name="measure", value_name="value"
    )
    month = rows["month"].astype("int64")
    period = (month // 100).astype("str") + "-" + (month % 100).astype("str").str.zfill(2)
    known = rows.assign(period=period, value=rows["value"].astype("int64")).drop(columns="month")
    passed, _ = through(met, "public", (), known)
    states = passed.released.record["withheld"]["states"]
    for level in ("ward", "borough"):
        assert set(states[level]["incidents"]) == {"already public at source"}
    assert any("public at their source" in caveat for caveat in passed.released.info.caveats)
