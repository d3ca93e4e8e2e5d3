"""Scores of a backtest: what rankings catch, pooled over origins, with intervals, comparisons and the result table.

Catches are pooled, and origins resampled to show how certain the result is. Origins, not incidents, are drawn:
incidents of one month are not independent of each other.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from pipeline.backtest.ranking import SAME, Covered
from pipeline.backtest.targets import Target

__all__ = [
    "FEWEST_ORIGINS",
    "FEWEST_TO_RANK",
    "MEASURES",
    "UNRANKED",
    "BacktestResult",
    "Interval",
    "Ladder",
    "MethodScore",
    "Note",
    "Pair",
    "Rung",
    "Standing",
    "Track",
    "compare",
    "pool",
    "widening",
]

MEASURES = ("hit_rate_pct", "pai", "pei", "rri")
FEWEST_TO_RANK = 100  # with fewer test incidents the order of methods is mostly chance
FEWEST_ORIGINS = 3  # under this a resample of origins says nothing
UNRANKED = frozenset({"random", "oracle"})
NORMAL_975 = 1.959964  # 97.5 % of the normal distribution lie below
Table = NDArray[np.float64]


class Standing(StrEnum):
    """Whether methods are ranked, and if not, why."""

    RANKED = "ranked"
    TOO_FEW_INCIDENTS = "too_few_incidents"
    NONE_MARKS_ENOUGH = "none_marks_enough"


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its 95 % interval from resampled origins; None where it does not exist."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class MethodScore:
    """One method at one target, all origins together.

    Attributes
    ----------
    method, units
        Key, and what it ranked: ``"cells"``, ``"areas"``, ``"turned grids"`` or ``"best units"``.
    target, area_pct
        The area asked for as configured, and its share of the study area, per cent.
    marked_pct
        Share of the study area marked, per cent, on average over origins; less than asked where the method marks no
        more.
    tied_units, tied_pct
        Units with the same score at which the area is full, on average over origins, and the share of the study area
        that they contribute, per cent.
    hits, incidents
        Later incidents caught, and all of them, over all origins.
    hit_rate_pct
        100 hits / incidents.
    pai
        Prediction accuracy index: hits over those of the same area at random, that is hit rate over share of area.
    pei
        Prediction efficiency index (PEI*): hits over the most that the marked area could have caught with these units.
    rri
        Recapture rate index: (hits / incidents) over the same before the origins; 1 means the places kept their share.
    first_pct
        Per cent of resamples in which the method catches most of those compared; None if not compared: random,
        oracle, and methods that mark less than was asked.
    other_seed_pct, half_ties_pct
        Per cent of draws in which the rank of the method changes if all ties are broken by lot, and if half of them
        are; None if not compared.
    """

    method: str
    units: str
    target: str
    area_pct: float
    marked_pct: float
    tied_units: float
    tied_pct: float
    hits: float
    incidents: int
    hit_rate_pct: Interval
    pai: Interval
    pei: Interval
    rri: Interval
    first_pct: float | None
    other_seed_pct: float | None
    half_ties_pct: float | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two methods on the same area at every origin: the least of the target and of what each of them marks.

    Attributes
    ----------
    method, other
        Keys.
    area_pct
        Share of the study area, per cent, on average over origins.
    difference
        Hit rate of the method minus that of the other, in percentage points, with its interval.
    clear
        Whether the interval leaves out 0. If not, the two cannot be distinguished.
    """

    method: str
    other: str
    area_pct: float
    difference: Interval
    clear: bool


@dataclass(frozen=True, slots=True)
class Rung:
    """One candidate of a setting: its hit rate at the target that methods are ranked by, and how often it was taken."""

    setting: str
    hit_rate_pct: float | None
    origins: int


@dataclass(frozen=True, slots=True)
class Ladder:
    """The candidates of a method's setting.

    Attributes
    ----------
    method
        Key.
    rungs
        In the order of the setting.
    best
        Setting that caught most over all origins, for the next period; the method itself used at each origin only
        what earlier origins had shown. None if nothing was caught.
    ordered, at_end
        Whether the settings have an order, and the best is their first or last, so that one beyond may be better.
    """

    method: str
    rungs: tuple[Rung, ...]
    best: str | None
    ordered: bool
    at_end: bool


@dataclass(frozen=True, slots=True)
class Note:
    """A limit of a result: `note.<key>` of `[backtest]` in the catalogue of words, and the numbers in it."""

    key: str
    values: dict[str, int]


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """Scores of every method, and what may be said of them.

    Attributes
    ----------
    cells
        The tiling, in words.
    units, total_km2
        How many cells it has, and the study area, square kilometres.
    scores
        Every method at every target.
    pairs
        Every two methods at the target that methods are ranked by.
    ladders
        Candidates of settings.
    origins, history, horizon
        Periods predicted from, periods seen before each (None: all), periods predicted.
    test_incidents
        Incidents to be caught, over all origins.
    rank_target
        The target that methods are ranked by.
    standing
        Whether methods are ranked.
    ranking
        Keys of methods, best first, random and oracle left out; empty if they are not ranked.
    equal
        Those of the ranking that cannot be distinguished from its first, the first left out.
    notes
        Limits of this result.
    """

    cells: str
    units: int
    total_km2: float
    scores: tuple[MethodScore, ...]
    pairs: tuple[Pair, ...]
    ladders: tuple[Ladder, ...]
    origins: tuple[int, ...]
    history: int | None
    horizon: int
    test_incidents: int
    rank_target: str
    standing: Standing
    ranking: tuple[str, ...]
    equal: tuple[str, ...]
    notes: tuple[Note, ...]

    def frame(self) -> pd.DataFrame:
        """Return one row per method and target; each measure with its _low and _high, null where there is none."""
        plain = [f for f in MethodScore.__dataclass_fields__ if f not in MEASURES]
        rows = []
        for s in self.scores:
            row: dict[str, Any] = {name: getattr(s, name) for name in plain}
            for name in MEASURES:
                interval: Interval = getattr(s, name)
                row |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
            rows.append(row)
        table = pd.DataFrame(rows)
        texts = {"method", "units", "target"}
        numbers = [c for c in table.columns if c not in texts | {"incidents"}]
        return table.astype(dict.fromkeys(numbers, "Float64") | dict.fromkeys(texts, "str"))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: no NaN, None where a number does not exist."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """What a method covered at each origin.

    Attributes
    ----------
    method, units
        As in `MethodScore`.
    covered
        In the order of the origins.
    other_seed, half_ties
        Hits over all origins if ties are broken by lot, all or half of them, shape (draws, targets); None for those
        that are not compared.
    """

    method: str
    units: str
    covered: tuple[Covered, ...]
    other_seed: Table | None = None
    half_ties: Table | None = None

    def table(self, name: str) -> Table:
        """Return one attribute of `Covered`, shape (origins, targets)."""
        return np.stack([getattr(c, name) for c in self.covered]).astype(np.float64)

    def whole(self, shares: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say which targets (shares of the study area) the method marks in full at every origin, shape (targets,)."""
        return np.asarray((self.table("area_share") >= shares * (1 - SAME)).all(axis=0))


def pool(
    tracks: Sequence[Track],
    *,
    tests: NDArray[np.int64],
    trained: NDArray[np.int64],
    targets: Sequence[Target],
    total_km2: float,
    draws: NDArray[np.int64],
) -> tuple[MethodScore, ...]:
    """Score every method at every target from sums over origins.

    Sums are divided, not ratios averaged, so an origin counts by its incidents.

    Parameters
    ----------
    tracks
        One per method, random and oracle among them.
    tests, trained
        Incidents after and before each origin, shape (origins,).
    targets, total_km2
        Areas to mark, and the study area.
    draws
        Origins of each resample, shape (resamples, origins).

    Returns
    -------
    scores
        By method, then target. No interval from fewer than three origins.
    """
    shares = np.array([t.area_km2(total_km2) for t in targets]) / total_km2
    scores = []
    for at, target in enumerate(targets):
        # One method is compared with another on the same area: one that stops short takes no part.
        compared = [t for t in tracks if t.method not in UNRANKED and t.whole(shares)[at]]
        caught_by = [t.table("hits")[:, at] for t in compared]
        first: dict[str, float] = {}
        if compared and len(tests) >= FEWEST_ORIGINS and tests.sum():
            drawn = np.stack([hits[draws].sum(axis=1) for hits in caught_by])
            # A tie for first place is shared between those who tie.
            winners = drawn >= drawn.max(axis=0) * (1 - SAME)
            share_of_first = (winners / winners.sum(axis=0)).mean(axis=1) * 100
            first = {t.method: float(share) for t, share in zip(compared, share_of_first, strict=True)}
        ranks = _ranks(np.array([[hits.sum() for hits in caught_by]]))
        moved = [
            (_ranks(np.column_stack([np.asarray(getattr(t, name))[:, at] for t in compared])) != ranks).mean(axis=0)
            if compared
            else np.zeros(0)
            for name in ("other_seed", "half_ties")
        ]
        change = {t.method: (float(a) * 100, float(b) * 100) for t, a, b in zip(compared, *moved, strict=True)}
        for t in tracks:
            hits, best, before, area = (t.table(c)[:, at] for c in ("hits", "best", "before", "area_share"))
            caught, came, seen = _sums(hits, draws), _sums(tests, draws), _sums(trained, draws)
            seed_pct, half_pct = change.get(t.method, (None, None))
            scores.append(
                MethodScore(
                    method=t.method,
                    units=t.units,
                    target=target.text,
                    area_pct=100 * float(shares[at]),
                    marked_pct=100 * float(area.mean()),
                    tied_units=float(t.table("tied_units")[:, at].mean()),
                    tied_pct=100 * float(t.table("tied_share")[:, at].mean()),
                    hits=float(hits.sum()),
                    incidents=int(tests.sum()),
                    hit_rate_pct=caught.over(came, 100.0, most=100.0),
                    pai=caught.over(_sums(tests * area, draws)),
                    pei=caught.over(_sums(best, draws), most=1.0),
                    rri=caught.times(seen).over(came.times(_sums(before, draws))),
                    first_pct=first.get(t.method),
                    other_seed_pct=seed_pct,
                    half_ties_pct=half_pct,
                )
            )
    order = {t.method: i for i, t in enumerate(tracks)}
    return tuple(sorted(scores, key=lambda s: order[s.method]))


def compare(
    methods: Sequence[str],
    differences: Table,
    areas_pct: Table,
    *,
    tests: NDArray[np.int64],
    draws: NDArray[np.int64],
) -> tuple[Pair, ...]:
    """Compare every two methods on the same area.

    Parameters
    ----------
    methods
        Keys.
    differences
        Hits of the row's method minus those of the column's, shape (origins, methods, methods).
    areas_pct
        The area they were compared on, per cent, the same shape.
    tests, draws
        As in `pool`.
    """
    came = _sums(tests, draws)
    pairs = []
    for i, one in enumerate(methods):
        for j, other in enumerate(methods[:i]):
            found = _sums(differences[:, i, j], draws).over(came, 100.0, least=None)
            clear = found.low is not None and found.high is not None and not found.low <= 0 <= found.high
            pairs.append(Pair(one, other, float(areas_pct[:, i, j].mean()), found, clear))
    return tuple(pairs)


def widening(origins: int) -> float:
    """Return by how much a bootstrap interval over a few origins is too narrow, as a factor.

    Resampling n numbers gives the mean a standard error that is too small by sqrt((n - 1) / n), and the percentiles
    are those of a normal distribution where Student's t with n - 1 degrees of freedom is due.

    References
    ----------
    Hesterberg (2015), The American Statistician 69, 371-386, section 4.3.

    Examples
    --------
    >>> [round(widening(n), 2) for n in (3, 6, 12, 100)]
    [2.69, 1.44, 1.17, 1.02]
    """
    return float(sqrt(origins / (origins - 1)) * stdtrit(origins - 1, 0.975) / NORMAL_975)


def _ranks(hits: Table) -> NDArray[np.int64]:
    """Return how many methods catch clearly more than each, shape (draws, methods)."""
    return np.asarray((hits[:, None, :] > hits[:, :, None] * (1 + SAME)).sum(axis=2), dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """A sum over origins, and the same over every resample of them."""

    whole: float
    drawn: Table
    origins: int

    def times(self, other: "_Sums") -> "_Sums":
        return _Sums(self.whole * other.whole, self.drawn * other.drawn, self.origins)

    def over(
        self, below: "_Sums", factor: float = 1.0, *, least: float | None = 0.0, most: float | None = None
    ) -> Interval:
        """Return factor x self / below with its interval, cut at the least and the most that it can be."""
        if not below.whole > 0:
            return Interval(None, None, None)
        value, usable = self.whole * factor / below.whole, below.drawn > 0
        if self.origins < FEWEST_ORIGINS or not usable.any():
            return Interval(value, None, None)
        ends = np.percentile(self.drawn[usable] * factor / below.drawn[usable], (2.5, 97.5))
        low, high = value + (ends - value) * widening(self.origins)
        low = low if least is None else max(low, least)
        return Interval(value, float(low), float(high if most is None else min(high, most)))


def _sums(values: Table | NDArray[np.int64], draws: NDArray[np.int64]) -> _Sums:
    return _Sums(float(values.sum()), values[draws].sum(axis=1).astype(np.float64), values.size)
