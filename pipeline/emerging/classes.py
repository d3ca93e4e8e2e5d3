"""Eight classes of history, and which part of a series may be classed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pipeline.domain.periods import Break, Period, months_between, one_system
from pipeline.emerging.mannkendall import Trend, mann_kendall
from pipeline.errors import InputError

__all__ = ["PATTERNS", "Emerging", "classify", "emerging"]

PATTERNS = {
    "new": "significant in the last period and never before",
    "consecutive": "significant in an unbroken run of at least two last periods, never before, under 90 % of all",
    "intensifying": "significant in 90 % of periods and in the last, and rising",
    "persistent": "significant in 90 % of periods and in the last, neither rising nor falling",
    "diminishing": "significant in 90 % of periods and in the last, and falling",
    "sporadic": "significant in the last period and on and off before, in under 90 % of all, never the opposite",
    "oscillating": "significant in the last period, the opposite at some time before, under 90 % of all",
    "historical": "significant in 90 % of periods but not in the last",
    "no pattern": "none of these",
}
MOST = 0.9
MIN_PERIODS = 10


@dataclass(frozen=True, slots=True)
class Emerging:
    """The class of every area, or why there is none.

    Attributes
    ----------
    pattern
        A key of `PATTERNS`, followed by ``" hot spot"`` or ``" cold spot"``; or ``"no pattern"``. Empty if
        `reason` is given.
    trend
        Of Gi* z over the periods used; None if `reason` is given.
    periods
        The periods used: whole, without overlap, after the last break and the last gap.
    reason
        Why no area has a class, in one sentence; None if they have.
    notes
        What was left out, one sentence each.
    """

    pattern: tuple[str, ...]
    trend: Trend | None
    periods: tuple[Period, ...]
    reason: str | None
    notes: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """Return columns emerging_class, trend_tau, trend_p: one row per area, no row if `reason` is given."""
        trend = self.trend
        return pd.DataFrame(
            {
                "emerging_class": pd.array(list(self.pattern), dtype="str"),
                "trend_tau": np.zeros(0) if trend is None else trend.tau,
                "trend_p": np.zeros(0) if trend is None else trend.p,
            }
        )


def classify(hotspot_class: ArrayLike, *, trend: Trend, level: int = 1, trend_alpha: float = 0.10) -> tuple[str, ...]:
    """Name the pattern of each area's history.

    The definitions are those of Esri's Emerging Hot Spot Analysis, in its order: where two fit, the first counts
    (a first-ever hot period after a cold one is new, not oscillating). Hot patterns come before cold ones.

    Parameters
    ----------
    hotspot_class
        Codes -3 to 3 of Gi*, one row per area and one column per period, shape (m, periods).
    trend
        Mann-Kendall trend of the same areas' Gi* z.
    level
        Least code that counts as significant: 1 for 90 %, 2 for 95 %, 3 for 99 %.
    trend_alpha
        Largest p of a trend that counts.

    Returns
    -------
    patterns
        As in `Emerging.pattern`.

    Raises
    ------
    InputError
        If shapes do not match or the level is not 1, 2 or 3.

    References
    ----------
    Esri, ArcGIS Pro, "How Emerging Hot Spot Analysis works" (eight hot and eight cold categories).
    """
    codes = np.asarray(hotspot_class, dtype=np.int64)
    if codes.ndim != 2 or codes.shape[0] != trend.s.size or level not in {1, 2, 3}:
        raise InputError(
            f"classes have shape {codes.shape} and there are {trend.s.size} trends; level {level} of 1 to 3"
        )
    direction = np.where(trend.p <= trend_alpha, np.sign(trend.s), 0).astype(np.int64)
    pattern = np.full(codes.shape[0], "no pattern", dtype=object)
    for side, word in ((-1, "cold spot"), (1, "hot spot")):  # hot is written last: it comes first
        for name, fits in _patterns(side * codes >= level, side * codes <= -level, side * direction).items():
            pattern[fits] = f"{name} {word}"
    return tuple(pattern.tolist())


def emerging(
    z: ArrayLike,
    *,
    hotspot_class: ArrayLike,
    periods: Sequence[Period],
    breaks: Iterable[Break] = (),
    min_periods: int = MIN_PERIODS,
    level: int = 1,
    trend_alpha: float = 0.10,
) -> Emerging:
    """Class every area by its run of Gi*, inside one recording system and without gaps.

    Parameters
    ----------
    z, hotspot_class
        Gi* scores and codes, one row per area and one column per period, shape (m, periods).
    periods
        The whole windows the columns stand for, in time order.
    breaks
        Changes of recording: only periods after the last one are used.
    min_periods
        Fewest periods; with fewer the result says why there is none.
    level, trend_alpha
        See `classify`.

    Returns
    -------
    result
        Classes and trends, or the reason why not.

    Raises
    ------
    InputError
        If shapes and periods do not match, or a score is missing.
    """
    scores, codes = np.asarray(z, dtype=np.float64), np.asarray(hotspot_class)
    if scores.ndim != 2 or codes.shape != scores.shape or scores.shape[1] != len(periods):
        raise InputError(
            f"z has shape {scores.shape}, classes {codes.shape}, and there are {len(periods)} periods: "
            "give one row per area and one column per period to both"
        )
    if not periods:
        return Emerging((), None, (), f"There are no periods; {min_periods} are needed.", ())
    pairs = list(pairwise(periods))
    if any(b.first_month <= a.last_month for a, b in pairs):
        return Emerging((), None, (), "The periods overlap or are out of order, so they are no series.", ())
    first, notes = _first_usable(periods, breaks)
    used = tuple(periods[first:])
    if len(used) < max(3, min_periods):
        span = f" from {used[0].label}" if used else ""
        reason = f"{len(used)} periods{span} lie inside one recording system without a gap; {min_periods} are needed."
        return Emerging((), None, used, reason, tuple(notes))
    trend = mann_kendall(scores[:, first:])
    pattern = classify(codes[:, first:], trend=trend, level=level, trend_alpha=trend_alpha)
    return Emerging(pattern, trend, used, None, tuple(notes))


def _first_usable(periods: Sequence[Period], breaks: Iterable[Break]) -> tuple[int, list[str]]:
    """Return the first column after the last break and the last gap, and what to say about it."""
    notes: list[str] = []
    system = one_system(Period(periods[0].first_month, periods[-1].last_month), breaks)
    first = sum(p.first_month < system.first_month for p in periods)
    if first:
        notes.append(f"{first} periods before or across the break of {system.start:%B %Y} were left out.")
    after_gap = 0
    for i, (a, b) in enumerate(pairwise(periods)):
        if months_between(a.last_month, b.first_month) > 2:
            after_gap = i + 1
    if after_gap > first:
        notes.append(
            f"{after_gap - first} periods before the gap that ends with {periods[after_gap].label} were left out."
        )
    return max(first, after_gap), notes


def _patterns(
    hot: NDArray[np.bool_], opposite: NDArray[np.bool_], direction: NDArray[np.int64]
) -> dict[str, NDArray[np.bool_]]:
    """Return which areas fit each pattern on one side; no area fits two."""
    n = hot.shape[1]
    total, last = hot.sum(axis=1), hot[:, -1]
    final_run = np.where(hot.all(axis=1), n, np.argmin(hot[:, ::-1], axis=1))
    most = total >= MOST * n - 1e-9
    first_time = last & (final_run == total)
    on_and_off = last & ~first_time & ~most
    return {
        "new": first_time & (total == 1),
        "consecutive": first_time & (total >= 2) & ~most,
        "intensifying": last & most & (direction > 0),
        "persistent": last & most & (direction == 0),
        "diminishing": last & most & (direction < 0),
        "sporadic": on_and_off & ~opposite.any(axis=1),
        "oscillating": on_and_off & opposite.any(axis=1),
        "historical": ~last & most,
    }
