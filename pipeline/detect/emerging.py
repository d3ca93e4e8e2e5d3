"""Emerging hot spots: classify each area's series of Gi* scores into one of eight classes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from pipeline.detect.gistar import gistar
from pipeline.detect.method import DetectInput, Findings, Method, Need, Scope
from pipeline.domain.periods import Break, Period, is_partial, month_of, months_between, one_system, windows
from pipeline.errors import InputError
from pipeline.geography.neighbours import Weights, contiguity

__all__ = [
    "METHOD",
    "PATTERNS",
    "Emerging",
    "Panel",
    "Pattern",
    "Trend",
    "classify",
    "emerging",
    "mann_kendall",
    "scores_by_period",
]


# The Mann-Kendall test: does a series rise or fall
# -------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trend:
    """Mann-Kendall trend of each series.

    Attributes
    ----------
    s
        Later values above earlier ones minus later values below, over all pairs, shape (m,).
    tau
        Kendall's tau-b, s over the pairs that could differ, shape (m,). 0 for a flat series.
    z, p
        Standard score with continuity and tie correction, and two-sided p, shape (m,).
    """

    s: NDArray[np.int64]
    tau: NDArray[np.float64]
    z: NDArray[np.float64]
    p: NDArray[np.float64]


def mann_kendall(series: ArrayLike) -> Trend:
    """Test each series for a monotonic trend.

    ``S = sum over i < j of sign(x_j - x_i)``, ``var S = (n(n-1)(2n+5) - sum t(t-1)(2t+5)) / 18`` over groups of
    t tied values, ``z = (S - sign S) / sqrt(var S)``. It takes periods as independent.

    Parameters
    ----------
    series
        One row per series, one column per period, shape (m, periods).

    Returns
    -------
    trend
        S, tau-b, z and p per series. A flat series has z 0 and p 1.

    Raises
    ------
    InputError
        If there are fewer than three periods, or a value is missing.

    References
    ----------
    Mann (1945), Econometrica 13, 245-259; Kendall (1975), Rank Correlation Methods.

    Examples
    --------
    >>> mann_kendall([[1, 2, 3, 4, 5]]).s.tolist()
    [10]
    """
    x = np.asarray(series, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] < 3 or not np.isfinite(x).all():
        raise InputError(f"series have shape {x.shape}: give one row each, three or more periods, no value missing")
    n = x.shape[1]
    s, tied_pairs = np.zeros(x.shape[0], dtype=np.int64), np.zeros(x.shape[0])
    # All pairs that are `step` periods apart at once: n - 1 passes over arrays in place of n (n - 1) / 2 comparisons.
    for step in range(1, n):
        change = np.sign(x[:, step:] - x[:, :-step])
        s += change.sum(axis=1).astype(np.int64)
        tied_pairs += (change == 0).sum(axis=1)
    # Each value of a group of t ties sees t equal ones: summing (t-1)(2t+5) over values is the tie term.
    t = np.stack([(x == x[:, [j]]).sum(axis=1) for j in range(n)], axis=1)
    variance = (n * (n - 1) * (2 * n + 5) - ((t - 1) * (2 * t + 5)).sum(axis=1)) / 18.0
    # Continuity correction: S moves in steps of two, so one is taken off before it is compared with a normal curve.
    spread = np.sqrt(variance)
    z = np.divide(s - np.sign(s), spread, out=np.zeros(s.size), where=spread > 0)
    pairs = n * (n - 1) / 2
    able = np.sqrt((pairs - tied_pairs) * pairs)
    tau = np.divide(s, able, out=np.zeros(s.size), where=able > 0)
    return Trend(s=s, tau=tau, z=z, p=2.0 * ndtr(-np.abs(z)))


# Eight classes of history, and which part of a series may be classed
# -------------------------------------------------------------------


class Pattern(StrEnum):
    """How often, and when, an area was significantly hot (or cold)."""

    NEW = "new"
    CONSECUTIVE = "consecutive"
    INTENSIFYING = "intensifying"
    PERSISTENT = "persistent"
    DIMINISHING = "diminishing"
    SPORADIC = "sporadic"
    OSCILLATING = "oscillating"
    HISTORICAL = "historical"
    NONE = "no pattern"


PATTERNS = {
    Pattern.NEW: "significant in the last period and never before",
    Pattern.CONSECUTIVE: "significant in an unbroken run of at least two last periods, never before, under 90 % of all",
    Pattern.INTENSIFYING: "significant in 90 % of periods and in the last, and rising",
    Pattern.PERSISTENT: "significant in 90 % of periods and in the last, neither rising nor falling",
    Pattern.DIMINISHING: "significant in 90 % of periods and in the last, and falling",
    Pattern.SPORADIC: "significant in the last period and on and off before, in under 90 % of all, never the opposite",
    Pattern.OSCILLATING: "significant in the last period, the opposite at some time before, under 90 % of all",
    Pattern.HISTORICAL: "significant in 90 % of periods but not in the last",
    Pattern.NONE: "none of these",
}
MOST = 0.9  # of the periods, as Esri defines it
MIN_PERIODS = 10  # what the Mann-Kendall test needs for a trend to be seen at all, and Esri's own minimum


@dataclass(frozen=True, slots=True)
class Emerging:
    """The class of every area, or why there is none.

    Attributes
    ----------
    pattern
        A `Pattern`, followed by ``" hot spot"`` or ``" cold spot"``; or ``"no pattern"``. Empty if `reason` is given.
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
    pattern = np.full(codes.shape[0], Pattern.NONE.value, dtype=object)
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
    """Return the first column after the last break and the last gap, and notes about it."""
    notes: list[str] = []
    # After a change of recording system counts rise or fall for reasons that have nothing to do with crime.
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
) -> dict[Pattern, NDArray[np.bool_]]:
    """Return which areas fit each pattern on one side; no area fits two."""
    n = hot.shape[1]
    total, last = hot.sum(axis=1), hot[:, -1]
    # Length of the unbroken hot run that ends with the last period.
    final_run = np.where(hot.all(axis=1), n, np.argmin(hot[:, ::-1], axis=1))
    most = total >= MOST * n - 1e-9
    first_time = last & (final_run == total)
    on_and_off = last & ~first_time & ~most
    return {
        Pattern.NEW: first_time & (total == 1),
        Pattern.CONSECUTIVE: first_time & (total >= 2) & ~most,
        Pattern.INTENSIFYING: last & most & (direction > 0),
        Pattern.PERSISTENT: last & most & (direction == 0),
        Pattern.DIMINISHING: last & most & (direction < 0),
        Pattern.SPORADIC: on_and_off & ~opposite.any(axis=1),
        Pattern.OSCILLATING: on_and_off & opposite.any(axis=1),
        Pattern.HISTORICAL: ~last & most,
    }


# Gi* of every area in every period: what the classes are read from
# -----------------------------------------------------------------


PERMUTATIONS = 9_999  # every period is a family of its own: wards by the hundred need no more


@dataclass(frozen=True, slots=True)
class Panel:
    """Gi* by area and period.

    Attributes
    ----------
    z
        Scores, shape (n, periods). 0 where not defined.
    hotspot_class
        Codes -3 to 3, shape (n, periods).
    defined
        False for areas that no period could test, shape (n,): they have no history to class.
    notes
        Notes on any of the periods, each sentence once.
    """

    z: NDArray[np.float64]
    hotspot_class: NDArray[np.int8]
    defined: NDArray[np.bool_]
    notes: tuple[str, ...]


def scores_by_period(
    counts: ArrayLike,
    *,
    weights: Weights,
    periods: Sequence[Period],
    layer: str,
    population: ArrayLike | None = None,
    covered: ArrayLike | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Panel:
    """Test every period on its own, each a family of all areas in one layer, category and period.

    Parameters
    ----------
    counts
        Incidents per area and period, shape (n, periods).
    weights
        Neighbours, self not included.
    periods
        What the columns stand for.
    layer
        Layer and category in words, for the family.
    population
        Residents per area, shape (n,): rates are then tested.
    covered
        False for areas the source does not cover, shape (n,).
    permutations
        Conditional permutations; 0 takes the normal approximation.
    seed
        Of the permutations; each period draws from its own stream.

    Returns
    -------
    panel
        Scores and classes for `emerging`.

    Raises
    ------
    InputError
        If the counts have no column for each period, or as for `gistar`.
    """
    table = np.asarray(counts, dtype=np.float64)
    if table.shape != (weights.n, len(periods)):
        raise InputError(
            f"counts have shape {table.shape}: give one row for each of {weights.n} areas and one column for each of "
            f"{len(periods)} periods"
        )
    results = [
        gistar(
            table[:, i],
            weights=weights,
            family=f"{layer}, {period.label}",
            population=population,
            covered=covered,
            inference="permutation" if permutations else "analytic",
            permutations=permutations or 1,
            seed=int(np.random.SeedSequence([seed, i]).generate_state(1)[0]),
        )
        for i, period in enumerate(periods)
    ]
    shape = table.shape
    return Panel(
        z=np.stack([r.z for r in results], axis=1) if results else np.zeros(shape),
        hotspot_class=np.stack([r.hotspot_class for r in results], axis=1)
        if results
        else np.zeros(shape, dtype=np.int8),
        defined=np.any([r.defined for r in results], axis=0) if results else np.zeros(shape[0], dtype=bool),
        notes=tuple(dict.fromkeys(note for r in results for note in r.notes)),
    )


# The entry in the registry: the class of every covered ward, for each category that Gi* tests
# ---------------------------------------------------------------------------------------------


GAP_M = 1.0  # boundaries are generalised to about a metre, so neighbours may be that far apart


def _whole_periods(data: DetectInput) -> tuple[Period, ...]:
    """Return the periods that the data covers from first to last day: one covered in part would look like a fall."""
    first, last, lacking = data.span.first, data.span.last, data.span.lacking.months
    every = windows(data.config.emerging.kind, first=month_of(first), last=month_of(last))
    return tuple(p for p in every if not is_partial(p, first_date=first, last_date=last, missing=lacking))


def _too_short(data: DetectInput) -> str:
    """Return how many periods are needed, if the data has fewer."""
    settings = data.config.emerging
    need, there = max(3, settings.min_periods), len(_whole_periods(data))
    if there >= need:
        return ""
    return f"{need} whole {settings.kind}s are needed (emerging.min_periods), and the data has {there}"


def _classify_wards(data: DetectInput) -> Findings:
    """Class every covered ward by its run of Gi*, or say why there is no class."""
    settings, config = data.config.emerging, data.config
    periods = _whole_periods(data)
    wards = data.study.wards.sort_values("area_code")
    weights = contiguity(wards.geometry.to_numpy(), snap_m=GAP_M)
    people = wards["population"].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    breaks = () if config.periods.ignore_breaks else config.periods.breaks
    frames, choices = [], {}
    for category in config.detect.gistar.categories:
        counts = data.ward_counts(periods, [category])
        # Dense and in this order, so that every ward's periods are a row of the table.
        cells = counts.sort_values(["area_code"], kind="stable")["incidents"].astype("Float64")
        table = cells.to_numpy(dtype=np.float64, na_value=np.nan).reshape(len(wards), len(periods))
        # A ward with an unknown period has no run to be classed by: it takes no part, in any period.
        known = np.isfinite(table).all(axis=1)
        panel = scores_by_period(
            np.where(known[:, None], table, 0.0),
            covered=known,
            weights=weights,
            periods=periods,
            layer=f"wards, {category}",
            # Rates need residents everywhere: one ward without them and all are tested on counts.
            population=people if (people > 0).all() else None,
            permutations=config.detect.gistar.permutations,
            seed=config.run.seed,
        )
        found = emerging(
            panel.z,
            hotspot_class=panel.hotspot_class,
            periods=periods,
            breaks=[Break(int(b.month.replace("-", "")), b.text) for b in breaks],
            min_periods=settings.min_periods,
        )
        choices[f"emerging {category}"] = found.reason or f"{len(found.periods)} {settings.kind}s"
        if found.pattern:
            frame = pd.DataFrame({"area_code": wards["area_code"].to_numpy(), "category": category})
            frames.append(frame.assign(emerging_class=list(found.pattern))[known])
    tables = {"emerging.parquet": pd.concat(frames, ignore_index=True)} if frames else {}
    return Findings(tables=tables, choices=choices)


METHOD = Method(
    name="emerging",
    section="emerging",
    needs=frozenset({Need.MONTHS}),
    scope=Scope.RUN,
    switch="emerging.enabled",
    run=_classify_wards,
    obstacle=_too_short,
)
