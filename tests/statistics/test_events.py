"""Rates before and after a dated event."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
import scipy

from pipeline.domain.periods import Break, Period, month_range
from pipeline.errors import InputError
from pipeline.statistics.events import Event, around_event

ATTACK = Event(date(2023, 10, 7), "Attack")
MONTHS = month_range(202210, 202312)


def months(*counts: int) -> pd.DataFrame:
    spans = [Period(month, month) for month in MONTHS[: len(counts)]]
    return pd.DataFrame({"start": [s.start for s in spans], "days": [s.days for s in spans], "incidents": counts})


def test_rates_and_their_ratio_of_a_steady_series() -> None:
    """100 a day for a year, then 200 a day: less dispersed than chance, so the intervals are the exact ones."""
    days = pd.date_range("2022-10-07", periods=395)
    series = pd.DataFrame({"start": days.date, "days": 1, "incidents": [100] * 365 + [200] * 30})
    found = around_event(series, ATTACK, steps_before=365, steps_after=30)
    assert (found.before.incidents, found.before.days) == (36_500, 365)
    assert (found.after.incidents, found.after.days) == (6000, 30)
    assert found.before.per_day == 100
    assert found.after.low == pytest.approx(scipy.stats.chi2.ppf(0.025, 12_000) / 2 / 30)
    assert found.after.high == pytest.approx(scipy.stats.chi2.ppf(0.975, 12_002) / 2 / 30)
    assert found.ratio == pytest.approx(2)
    share = scipy.stats.binomtest(6000, 42_500).proportion_ci(method="exact")
    assert found.ratio_low == pytest.approx(share.low / (1 - share.low) * 365 / 30)
    assert found.ratio_high == pytest.approx(share.high / (1 - share.high) * 365 / 30)
    assert (found.dispersion, found.note) == (1.0, "")


def test_dispersion_is_that_of_the_steps_about_their_own_side() -> None:
    before, after = [300, 360, 280, 330, 310, 290, 350, 300, 340, 320, 300, 310], [900, 700, 500]
    found = around_event(months(*before, *after), ATTACK)
    days = [pd.Period(f"{m // 100}-{m % 100}", "M").days_in_month for m in MONTHS]
    chi2 = sum(
        scipy.stats.chisquare(c, np.array(d) * sum(c) / sum(d)).statistic
        for c, d in ((before, days[:12]), (after, days[12:]))
    )
    assert found.dispersion == pytest.approx(chi2 / (11 + 2))
    assert found.after.incidents == 2100
    assert found.note == "The step of the event includes 6 earlier days and counts as after."


@pytest.mark.parametrize("day", [date(2020, 1, 1), date(2024, 1, 1)])
def test_an_event_outside_the_data_is_told(day: date) -> None:
    found = around_event(months(*[5] * 15), Event(day, "Match"))
    assert found.note == "Match lies outside the data (from 2022-10-01 to 2023-12-31)."
    assert (found.before, found.after, found.ratio) == (None, None, None)
    assert "empty" in around_event(months(), Event(day, "Match")).note


def test_a_short_series_says_how_short() -> None:
    found = around_event(months(50, 60), Event(date(2022, 11, 1), "Vote"))
    assert found.note == "Only 1 of 12 steps before it are in the data. Only 1 of 3 steps from it on are in the data."
    assert (found.before.incidents, found.after.incidents) == (50, 60)
    first = around_event(months(50, 60), Event(date(2022, 10, 1), "Vote"))
    assert first.before is None
    assert first.ratio is None
    assert first.after.incidents == 110


def test_nothing_is_compared_across_a_break() -> None:
    found = around_event(months(*[50] * 15), ATTACK, breaks=[Break(202311, "New system.")])
    assert found.note.endswith("Not comparable: New system.")
    assert found.ratio is None
    assert found.before.per_day > 0
    assert around_event(months(*[50] * 15), ATTACK, breaks=[Break(202210, "Old.")]).ratio is not None


def test_gaps_and_withheld_counts_are_told() -> None:
    holed = months(*[50] * 15)
    holed["incidents"] = holed["incidents"].astype("Int64")
    holed.loc[13, "incidents"] = pd.NA
    assert around_event(holed, ATTACK).note == "Counts around Attack are missing or withheld."
    gap = months(*[50] * 15).drop(index=12)
    assert around_event(gap, ATTACK).note == "Attack falls in a gap in the data."


def test_no_earlier_events_bound_no_ratio() -> None:
    found = around_event(months(*[0] * 12, 5, 4, 6), ATTACK)
    assert (found.ratio, found.ratio_high) == (None, None)
    assert found.ratio_low > 1


def test_a_series_out_of_order_is_refused() -> None:
    with pytest.raises(InputError, match="time order"):
        around_event(months(*[5] * 15).iloc[::-1], ATTACK)
    with pytest.raises(InputError, match="at least one step"):
        around_event(months(*[5] * 15), ATTACK, steps_after=0)
