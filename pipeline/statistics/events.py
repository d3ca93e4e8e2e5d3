"""Dated events on a series: the rate before and after, each with its interval, and their ratio.

The rates are what was recorded around a date. They do not show that the event was the cause.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from pipeline.domain.periods import Break, breaks_within, month_of
from pipeline.errors import InputError
from pipeline.statistics.uncertainty import dispersion, garwood, rate_ratio

__all__ = ["Event", "EventRates", "Side", "around_event"]


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """A dated event of interest: an attack, an election, a match."""

    day: date
    label: str


@dataclass(frozen=True, slots=True)
class Side:
    """One side of an event: incidents in so many days, per day, with an interval widened by the dispersion."""

    incidents: int
    days: int
    per_day: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class EventRates:
    """Rates before and after a date.

    Attributes
    ----------
    event
        What happened.
    before, after
        The two sides; None if the series has no data there.
    ratio, ratio_low, ratio_high
        Rate after over rate before; None if it is unbounded or not comparable.
    dispersion
        Variance over mean of the steps of the series about the rate of their side, at least 1.
    note
        What limits the comparison, in sentences; empty if nothing does.
    """

    event: Event
    before: Side | None = None
    after: Side | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    dispersion: float = 1.0
    note: str = ""


def around_event(
    series: pd.DataFrame,
    event: Event,
    *,
    steps_before: int = 12,
    steps_after: int = 3,
    breaks: Iterable[Break] = (),
    confidence: float = 0.95,
) -> EventRates:
    """Compare the steps of a series before an event with those from it on.

    Parameters
    ----------
    series
        start (dates), days (length of the step) and incidents (nullable), one row for each step (day or month), in
        time order.
    event
        The step that contains its day counts as after; the note states how many earlier days that step includes.
    steps_before, steps_after
        Length of the windows, in steps. If the series is shorter, all of it is used, and the note says so.
    breaks
        Declared changes of recording: no ratio is given across one.
    confidence
        Coverage of the intervals.

    Returns
    -------
    rates
        With a note instead of numbers if the event is outside the series.

    Raises
    ------
    InputError
        If the windows have no length or the steps are not in time order.

    Examples
    --------
    >>> series = pd.DataFrame({"start": [date(2024, month, 1) for month in range(1, 7)],
    ...                        "days": [31, 29, 31, 30, 31, 30], "incidents": [50, 50, 50, 80, 75, 85]})
    >>> found = around_event(series, Event(date(2024, 4, 1), "Match"), steps_before=3)
    >>> found.before.incidents, found.after.incidents, round(found.ratio, 2)
    (150, 240, 1.6)
    >>> round(found.ratio_low, 2), round(found.ratio_high, 2), found.note
    (1.3, 1.98, '')
    """
    if min(steps_before, steps_after) < 1:
        raise InputError("an event needs at least one step before and one after it")
    starts = [pd.Timestamp(s).date() for s in series["start"]]
    if starts != sorted(set(starts)):
        raise InputError("the steps of a series must be in time order, each once")
    ends = [pd.Timestamp(s) + pd.Timedelta(days=int(d) - 1) for s, d in zip(starts, series["days"], strict=True)]
    if not starts or not starts[0] <= event.day <= ends[-1].date():
        span = f"from {starts[0].isoformat()} to {ends[-1].date().isoformat()}" if starts else "empty"
        return EventRates(event, note=f"{event.label} lies outside the data ({span}).")

    # The step that holds the event is the first one after it.
    at = next(i for i, end in enumerate(ends) if event.day <= end.date())
    if event.day < starts[at]:
        return EventRates(event, note=f"{event.label} falls in a gap in the data.")

    # The windows on both sides, and what limits their comparison.
    windows = series.iloc[max(at - steps_before, 0) : at], series.iloc[at : at + steps_after]
    if any(w["incidents"].isna().any() for w in windows):
        return EventRates(event, note=f"Counts around {event.label} are missing or withheld.")
    notes = [
        f"Only {len(w)} of {wanted} {side} are in the data."
        for w, wanted, side in (
            (windows[0], steps_before, "steps before it"),
            (windows[1], steps_after, "steps from it on"),
        )
        if len(w) < wanted
    ]
    mixed = (event.day - starts[at]).days
    if mixed:
        notes.append(
            f"The step of the event includes {mixed} earlier {'day' if mixed == 1 else 'days'} and counts as after."
        )
    crossed = breaks_within(
        month_of(starts[max(at - steps_before, 0)]), month_of(starts[at + len(windows[1]) - 1]), breaks
    )
    notes += [f"Not comparable: {b.text}" for b in crossed]
    return _rates(event, *windows, comparable=not crossed, note=" ".join(notes), confidence=confidence)


def _rates(
    event: Event, before: pd.DataFrame, after: pd.DataFrame, *, comparable: bool, note: str, confidence: float
) -> EventRates:
    # The variation of the steps about the rate of their own side, pooled over both sides: the difference between the
    # sides is the effect of interest, so it must not count as variation.
    parts = [dispersion(w["incidents"].to_numpy(np.float64), days=w["days"]) for w in (before, after) if len(w)]
    df = sum(p.df for p in parts)
    spread = max(sum((p.raw or 0.0) * p.df for p in parts) / df, 1.0) if df else 1.0
    one, other = (_side(w, spread=spread, confidence=confidence) for w in (before, after))
    ratio: tuple[float | None, float | None, float | None] = (None, None, None)
    if comparable and one and other:
        ratio = rate_ratio(
            other.incidents,
            one.incidents,
            days_later=other.days,
            days_earlier=one.days,
            confidence=confidence,
            dispersion=spread,
        )
    return EventRates(event, one, other, *ratio, spread, note)


def _side(window: pd.DataFrame, *, spread: float, confidence: float) -> Side | None:
    if window.empty:
        return None
    incidents, days = int(window["incidents"].sum()), int(window["days"].sum())
    low, high = garwood(incidents, confidence=confidence, dispersion=spread)
    return Side(incidents, days, incidents / days, float(low) / days, float(high) / days)
