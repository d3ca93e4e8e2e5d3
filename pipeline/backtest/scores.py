"""Scores of a backtest: what a ranking catches, pooled over origins, with intervals, and the result as a table."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError

__all__ = [
    "FEWEST_ORIGINS",
    "FEWEST_TO_RANK",
    "MEASURES",
    "UNRANKED",
    "BacktestResult",
    "Covered",
    "Interval",
    "MethodScore",
    "Rung",
    "Track",
    "best_possible",
    "cover",
    "pool",
    "ratio",
    "verdict",
]


MEASURES = ("hit_rate_pct", "pai", "pei", "rri")


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its 95 % interval from resampled origins; None where it does not exist."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class MethodScore:
    """One method at one share of the area, all origins together.

    Attributes
    ----------
    method, units
        Name, and what it ranked: ``"cells"`` or ``"areas"``.
    area_pct
        Share of the area asked for, in per cent.
    marked_pct
        Share of the area marked, in per cent, on average over origins; less than asked where the method marks no more.
    tied_units, tied_pct
        Units with the same score at which the area is full, on average over origins, and the share of the area that
        they contribute, in per cent.
    hits, incidents
        Later incidents caught, and all of them, over all origins.
    hit_rate_pct
        100 hits / incidents.
    pai
        Prediction accuracy index: hits over those of the same area at random, that is hit rate over share of area.
    pei
        Prediction efficiency index: hits over the most that the marked area could have caught with these units.
    rri
        Recapture rate index: (hits / incidents) over the same before the origins; 1 means the places kept their share.
    first_pct
        Per cent of resamples in which the method catches most of those compared; None if not compared: random,
        oracle, and methods that mark less than was asked.
    """

    method: str
    units: str
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


@dataclass(frozen=True, slots=True)
class Rung:
    """One candidate bandwidth and its PAI at the share that methods are ranked by."""

    bandwidth_m: float
    pai: float | None


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """Scores of every method, and what may be said of them.

    Attributes
    ----------
    scores
        Every method at every share.
    origins, history, horizon
        Periods predicted from, periods seen before each (None: all), periods predicted.
    test_incidents
        Incidents to be caught, over all origins.
    rank_area_pct
        Share of the area by which methods are ranked.
    ranking
        Method names, best first, random and oracle left out; empty if there is too little to rank by.
    verdict
        In one sentence.
    ladder, bandwidth_m
        Candidate bandwidths with their scores over all origins, and the best of them, for the next period;
        the method ``"KDE"`` itself used at each origin only what earlier origins had shown.
    notes
        Limits of this result, one sentence each.
    """

    scores: tuple[MethodScore, ...]
    origins: tuple[int, ...]
    history: int | None
    horizon: int
    test_incidents: int
    rank_area_pct: float
    ranking: tuple[str, ...]
    verdict: str
    ladder: tuple[Rung, ...]
    bandwidth_m: float | None
    notes: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """Return one row per method and share; each measure with its _low and _high, null where there is none."""
        rows = []
        for s in self.scores:
            row: dict[str, Any] = {
                "method": s.method,
                "units": s.units,
                "area_pct": s.area_pct,
                "marked_pct": s.marked_pct,
                "tied_units": s.tied_units,
                "tied_pct": s.tied_pct,
                "hits": s.hits,
                "incidents": s.incidents,
                "first_pct": s.first_pct,
            }
            for name in MEASURES:
                interval: Interval = getattr(s, name)
                row |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
            rows.append(row)
        table = pd.DataFrame(rows)
        numbers = [c for c in table.columns if c not in {"method", "units", "incidents"}]
        return table.astype(dict.fromkeys(numbers, "Float64") | {"method": "str", "units": "str"})

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: no NaN, None where a number does not exist."""
        return asdict(self)


# One ranking, one origin: what the highest-ranked units catch in the first few per cent of the area.

SAME = 1e-9
"""Scores that differ by no more than this part of themselves are equal: sums in another order differ by less."""


@dataclass(frozen=True, slots=True)
class Covered:
    """What lies in the highest-ranked units that make up each share of the area.

    Attributes
    ----------
    hits
        Later incidents there, shape (shares,); a fraction where a unit or a tie is taken in part.
    best
        The most that the same area could hold, units ranked by what came, shape (shares,).
    before
        Earlier incidents there, shape (shares,).
    area_share
        Share of the whole area that is marked, shape (shares,): what was asked, or all that the method marks.
    tied_units
        Units with the score at which the area is full, where not all of them fit, shape (shares,); 0 without a tie.
    tied_share
        Share of the whole area that these units contribute, shape (shares,).
    """

    hits: NDArray[np.float64]
    best: NDArray[np.float64]
    before: NDArray[np.float64]
    area_share: NDArray[np.float64]
    tied_units: NDArray[np.int64]
    tied_share: NDArray[np.float64]


def cover(
    score: ArrayLike, *, hits: ArrayLike, before: ArrayLike, area_km2: ArrayLike, shares: tuple[float, ...]
) -> Covered:
    """Take units by score until each share of the area is full.

    Units with the same score are taken in proportion: if half of their area still fits, half of their hits count,
    which is what a random choice among them catches on average. So a method neither gains nor loses by not telling
    units apart. Units with a score of 0 or less are not marked: a method that marks less than the share stops there.

    Parameters
    ----------
    score
        Predicted, highest first, shape (units,). 0 or less: not marked.
    hits, before
        Incidents in the test and in the training period, shape (units,).
    area_km2
        Area of each unit, square kilometres, shape (units,).
    shares
        Shares of the whole area, 0 to 1.

    Returns
    -------
    covered
        Hits, the best possible hits, earlier incidents and the area marked for each share. With N the sum of hits:
        hit rate n/N, PAI (n/N) / area share, PEI n / best.

    Raises
    ------
    InputError
        If lengths differ, a score is missing, there is no area, or a share is not over 0 and at most 1.

    References
    ----------
    Chainey, Tompson and Uhlig (2008), Security Journal 21, 4-28 (PAI); Hunt (2016) (PEI); Levine (2008) (RRI).

    Examples
    --------
    Four equal units, the second and third with the same score. Half of the area: the first and half of the two.

    >>> ones = [1, 1, 1, 1]
    >>> cover([9, 5, 5, 1], hits=[4, 0, 3, 2], before=ones, area_km2=ones, shares=(0.5,)).hits.tolist()
    [5.5]
    """
    rank, came = np.asarray(score, dtype=np.float64), np.asarray(hits, dtype=np.float64)
    was, area = np.asarray(before, dtype=np.float64), np.asarray(area_km2, dtype=np.float64)
    if not rank.shape == came.shape == was.shape == area.shape:
        raise InputError(
            f"{rank.shape} scores, {came.shape} hits, {was.shape} earlier, {area.shape} areas: one per unit"
        )
    if not np.isfinite(rank).all() or not area.sum() > 0 or (area < 0).any():
        raise InputError("a score is missing, or the units have no area: score every unit and give square kilometres")
    if not all(0 < s <= 1 for s in shares):
        raise InputError(f"shares {list(shares)} must lie over 0 and at most at 1")
    asked = np.asarray(shares) * area.sum()
    order = np.argsort(-rank, kind="stable")
    order = order[rank[order] > 0]
    # A step starts where a score is clearly lower than the one before it: the units of one step are tied.
    falls = rank[order][1:] < rank[order][:-1] * (1 - SAME)
    first = np.flatnonzero(np.concatenate(([order.size > 0], falls)))
    filled, held, past = (
        np.concatenate([[0.0], np.cumsum(np.add.reduceat(v[order], first) if first.size else [])])
        for v in (area, came, was)
    )
    marked = np.minimum(asked, filled[-1])
    # The step in which the area becomes full; a step that just fits is taken whole, and ties nothing.
    step = np.searchsorted(filled * (1 + SAME), marked) - 1
    units = np.append(np.diff(np.append(first, order.size)), 0)
    cut = (units[step] > 1) & (marked < np.append(filled[1:], np.inf)[step] * (1 - SAME)) & (marked > 0)
    return Covered(
        hits=np.interp(marked, filled, held),
        best=best_possible(came, area_km2=area, taken_km2=marked),
        before=np.interp(marked, filled, past),
        area_share=marked / area.sum(),
        tied_units=np.where(cut, units[step], 0),
        tied_share=np.where(cut, marked - filled[step], 0.0) / area.sum(),
    )


def best_possible(
    hits: NDArray[np.float64], *, area_km2: NDArray[np.float64], taken_km2: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the most incidents that each area can hold: densest units first, the last in part, shape (areas,)."""
    per_km2 = np.divide(hits, area_km2, out=np.zeros(hits.shape), where=area_km2 > 0)
    order = np.argsort(-per_km2, kind="stable")
    filled = np.concatenate([[0.0], np.cumsum(area_km2[order])])
    return np.asarray(np.interp(taken_km2, filled, np.concatenate([[0.0], np.cumsum(hits[order])])), dtype=np.float64)


# All origins of a method: catches are pooled, and origins resampled to show how certain the result is. Origins, not
# incidents, are drawn: incidents of one month are not independent of each other.

FEWEST_TO_RANK = 100  # with fewer test incidents the order of methods is mostly chance
FEWEST_ORIGINS = 3  # under this a resample of origins says nothing
UNRANKED = frozenset({"random", "oracle"})
Table = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """What a method covered at each origin, in the order of the origins."""

    name: str
    units: str
    covered: tuple[Covered, ...]

    def table(self, name: str) -> Table:
        """Return one attribute of `Covered`, shape (origins, shares)."""
        return np.stack([getattr(c, name) for c in self.covered]).astype(np.float64)

    def whole(self, shares: Sequence[float]) -> NDArray[np.bool_]:
        """Say which shares of the area the method marked in full at every origin, shape (shares,)."""
        return np.asarray((self.table("area_share") >= np.asarray(shares) * (1 - SAME)).all(axis=0))


def ratio(top: float, bottom: float) -> float | None:
    """Divide, or return None where there is nothing to divide by."""
    return top / bottom if bottom > 0 else None


def pool(
    tracks: Sequence[Track],
    *,
    tests: NDArray[np.int64],
    trained: NDArray[np.int64],
    shares: tuple[float, ...],
    draws: NDArray[np.int64],
) -> tuple[MethodScore, ...]:
    """Score every method at every share from sums over origins.

    Sums are divided, not ratios averaged, so an origin counts by its incidents.

    Parameters
    ----------
    tracks
        One per method, random and oracle among them.
    tests, trained
        Incidents after and before each origin, shape (origins,).
    shares
        Of the area.
    draws
        Origins of each resample, shape (resamples, origins).

    Returns
    -------
    scores
        By method, then share. No interval from fewer than three origins.
    """
    scores = []
    for at, share in enumerate(shares):
        # One method is compared with another on the same area: one that stops short takes no part.
        compared = [t for t in tracks if t.name not in UNRANKED and t.whole(shares)[at]]
        drawn = (
            np.stack([t.table("hits")[:, at][draws].sum(axis=1) for t in compared]) if compared else np.zeros((0, 0))
        )
        # A tie for first place is shared between those who tie.
        winners = (drawn >= drawn.max(axis=0) - 1e-9) if compared else drawn
        first = dict(
            zip((t.name for t in compared), (winners / winners.sum(axis=0)).mean(axis=1) * 100, strict=True)
            if compared and len(tests) >= FEWEST_ORIGINS and tests.sum()
            else ()
        )
        for t in tracks:
            hits, best, before, area = (t.table(c)[:, at] for c in ("hits", "best", "before", "area_share"))
            caught, came, seen = _sums(hits, draws), _sums(tests, draws), _sums(trained, draws)
            scores.append(
                MethodScore(
                    method=t.name,
                    units=t.units,
                    area_pct=100 * share,
                    marked_pct=100 * float(area.mean()),
                    tied_units=float(t.table("tied_units")[:, at].mean()),
                    tied_pct=100 * float(t.table("tied_share")[:, at].mean()),
                    hits=float(hits.sum()),
                    incidents=int(tests.sum()),
                    hit_rate_pct=caught.over(came, 100.0),
                    pai=caught.over(_sums(tests * area, draws)),
                    pei=caught.over(_sums(best, draws)),
                    rri=caught.times(seen).over(came.times(_sums(before, draws))),
                    first_pct=float(first[t.name]) if t.name in first else None,
                )
            )
    order = {t.name: i for i, t in enumerate(tracks)}
    return tuple(sorted(scores, key=lambda s: (order[s.method], s.area_pct)))


def verdict(scores: Sequence[MethodScore], *, tested: int, share: float) -> tuple[tuple[str, ...], str]:
    """Rank the methods at one share, or say that there is too little to rank by.

    Parameters
    ----------
    scores
        From `pool`.
    tested
        Incidents after the origins, all together.
    share
        Share of the area to rank at.
    """
    if tested < FEWEST_TO_RANK:
        return (), f"too few to rank methods: {tested} test incidents, {FEWEST_TO_RANK} are needed"
    asked = [s for s in scores if s.area_pct == 100 * share and s.method not in UNRANKED]
    here = [s for s in asked if s.marked_pct >= s.area_pct * (1 - SAME)]
    if not here:
        return (), f"no method marks {100 * share:g} % of the area" if asked else "no method was compared"
    here.sort(key=lambda s: (-s.hits, s.method))
    best = here[0]
    words = f"{best.method} catches most: {best.hit_rate_pct.value:.0f} % of incidents in {100 * share:g} % of the area"
    if best.first_pct is None:
        sure = f"fewer than {FEWEST_ORIGINS} origins: no interval"
    else:
        sure = f"first in {best.first_pct:.0f} % of resamples"
    return tuple(s.method for s in here), f"{words} ({sure})"


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """A sum over origins, and the same over every resample of them."""

    whole: float
    drawn: Table
    origins: int

    def times(self, other: "_Sums") -> "_Sums":
        return _Sums(self.whole * other.whole, self.drawn * other.drawn, self.origins)

    def over(self, below: "_Sums", factor: float = 1.0) -> Interval:
        """Return factor x self / below with its percentile interval."""
        value = ratio(self.whole * factor, below.whole)
        usable = below.drawn > 0
        if value is None or self.origins < FEWEST_ORIGINS or not usable.any():
            return Interval(value, None, None)
        low, high = np.percentile(self.drawn[usable] * factor / below.drawn[usable], (2.5, 97.5))
        return Interval(value, float(low), float(high))


def _sums(values: Table | NDArray[np.int64], draws: NDArray[np.int64]) -> _Sums:
    return _Sums(float(values.sum()), values[draws].sum(axis=1).astype(np.float64), values.size)
