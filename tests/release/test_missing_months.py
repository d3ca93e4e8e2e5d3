"""A release over a month that a source did not send: counts that say so, and no figure made from them."""

import dataclasses
from typing import Any

import pytest

from pipeline.domain.periods import MissingMonths
from pipeline.release.earlier_releases import as_earlier_release
from pipeline.release.gate import Detected, release
from pipeline.release.released import Released
from tests.kit.gated import config_of, small

HEADLINE = "2024-01..2024-12"
pytestmark = pytest.mark.slow

INTERNAL = {"name": "internal", "audience": "internal", "threshold": 0}
PARTNER = {"name": "partner", "audience": "partner", "threshold": 5, "borough_period": "fixed"}
PUBLIC = {"name": "public", "audience": "public", "threshold": 10, "borough_period": "fixed"}
MARCH = MissingMonths({"police": (202403,)})
SENTENCE = 'March 2024 is missing from "police": counts over it are incomplete.'


def without_march(seed: int, *, told: bool) -> Detected:
    """A city whose March 2024 is not in the data; `told` is whether the run knows."""
    city = small(seed, mean=2.0)
    months = city.area_months[city.area_months["month"] != 202403].reset_index(drop=True)
    return dataclasses.replace(city, area_months=months, lacking=MARCH if told else MissingMonths())


def let_out(detected: Detected, profile: dict[str, Any]) -> Released:
    config = config_of([profile], detect={"gistar": {"enabled": False}})
    return release(detected, profile=config.profiles[0], config=config)


@pytest.mark.parametrize("profile", [INTERNAL, PARTNER, PUBLIC], ids=lambda p: p["name"])
def test_windows_over_a_missing_month_have_no_rate_and_no_change(profile: dict[str, Any]) -> None:
    out = let_out(without_march(1, told=True), profile)
    over = out.counts[(out.counts["period_start"] <= "2024-03-01") & (out.counts["period_end"] >= "2024-03-31")]
    assert len(over)
    assert not over["complete"].any()
    assert over[["rate_per_10000", "rate_low", "rate_high", "rate_smoothed", "change_pct"]].isna().all().all()
    assert set(over["change_word"].dropna()) <= {"not comparable"}
    assert not (over["incidents"] == 0).any()
    assert over["incidents"].notna().any()
    rest = out.counts.drop(over.index)
    assert rest["complete"].all()
    assert out.info.lacking == (SENTENCE,)
    assert out.info.caveats[0] == SENTENCE
    assert out.info.headline.lacking == ("2024-03",)
    assert out.record["missing_months"] == [SENTENCE]


@pytest.mark.parametrize("profile", [PARTNER, PUBLIC], ids=lambda p: p["name"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_readers_know_of_a_release_does_not_depend_on_zeros_left_blank(profile: dict[str, Any], seed: int) -> None:
    """The ledger keeps the same intervals of incidents whether zeros are written or blank: a blank can be read as 0."""
    kept = []
    for told in (True, False):
        cells = as_earlier_release(let_out(without_march(seed, told=told), profile)).counts
        cells = cells[(cells["measure"] == "incidents") & (cells["period"] == HEADLINE)]
        kept.append(cells.reset_index(drop=True))
    assert len(kept[0])
    assert kept[0].equals(kept[1])
