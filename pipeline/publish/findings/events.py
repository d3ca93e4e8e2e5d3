"""What was recorded before and after a dated event, in a sentence: a ratio with its interval, or why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from pipeline.domain.periods import Break
from pipeline.publish.findings import words
from pipeline.publish.findings.figures import LEAST
from pipeline.statistics.events import Event, EventRates, around_event

__all__ = ["Window", "before_and_after"]

SPAN_DAYS = 80
"""Windows on each side reach at least this far: three months, or one quarter."""


@dataclass(frozen=True, slots=True)
class Window:
    """One window of a series; ISO dates, both included; no count where it is withheld or missing."""

    start: str
    end: str
    days: int
    incidents: int | None


def before_and_after(day: str, label: str, series: Sequence[Window], *, breaks: Sequence[str]) -> str:
    """Compare the windows from an event on with as many before it.

    Parameters
    ----------
    day
        Date of the event, ISO.
    label
        What happened.
    series
        Windows of one length that do not overlap, oldest first.
    breaks
        First months of new recording systems, "2024-03".

    Returns
    -------
    sentence
        Counts and the ratio of the rates with its 95 % interval, or why they cannot be given. The window that holds
        the event counts as after it, unless less than a week of it was left.
    """
    name = f"{label} ({words.month_name(day)})"
    at = next((k for k, w in enumerate(series) if w.start <= day <= w.end), None)
    if at is None:
        return f"{name}: outside the data."
    if (date.fromisoformat(series[at].end) - date.fromisoformat(day)).days < 7:
        at += 1
    steps = -(-SPAN_DAYS // series[0].days)
    if at < steps or at + steps > len(series):
        return f"{name}: too close to the ends of the data to compare before and after."
    frame = pd.DataFrame(
        {
            "start": [date.fromisoformat(w.start) for w in series],
            "days": [w.days for w in series],
            "incidents": pd.array([w.incidents for w in series], dtype="Int64"),
        }
    )
    rates = around_event(
        frame,
        Event(date.fromisoformat(series[at].start), label),
        steps_before=steps,
        steps_after=steps,
        breaks=[Break(int(month.replace("-", "")), "new recording system") for month in breaks],
    )
    return f"{name}: {_said(rates, series[at].start[:7], steps * round(series[0].days / 30.4))}"


def _said(rates: EventRates, first: str, months: int) -> str:
    before, after = rates.before, rates.after
    if before is None or after is None:
        return "counts around it are withheld or missing."
    if rates.ratio is None and "Not comparable" in rates.note:
        return "not comparable, the recording system changed near it."
    if min(before.incidents, after.incidents) < LEAST or None in {rates.ratio, rates.ratio_low, rates.ratio_high}:
        return "too few to compare before and after."
    ratio, low, high = rates.ratio or 0.0, rates.ratio_low or 0.0, rates.ratio_high or 0.0
    clear = "more" if low > 1 else "fewer" if high < 1 else "no clear difference"
    return (
        f"{words.whole(after.incidents)} in the {words.small(months)} months from {words.month_name(first)}, "
        f"{words.whole(before.incidents)} in the {words.small(months)} before; {clear}, ratio {ratio:.2f} "
        f"(95% range {low:.2f} to {high:.2f}), seasons not taken out."
    )
