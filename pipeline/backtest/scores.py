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
    "track",
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
        Share of the area taken, in per cent.
    hits, incidents
        Later incidents caught, and all of them, over all origins.
    hit_rate_pct
        100 hits / incidents.
    pai
        Prediction accuracy index: hit rate over share of area; 1 is chance.
    pei
        Prediction efficiency index: hits over the most that area could have caught with these units.
    rri
        Recapture rate index: (hits / incidents) over the same before the origins; 1 means the places kept their share.
    first_pct
        Per cent of resamples in which the method has the highest PAI of those compared; None if not compared.
    """

    method: str
    units: str
    area_pct: float
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


@dataclass(frozen=True, slots=True)
class Covered:
    """What lies in the highest-ranked units that make up each share of the area.

    Attributes
    ----------
    hits
        Later incidents there, shape (shares,); a fraction where the last unit is taken in part.
    best
        The most that the same area could hold, units ranked by what came, shape (shares,).
    before
        Earlier incidents there, shape (shares,).
    """

    hits: NDArray[np.float64]
    best: NDArray[np.float64]
    before: NDArray[np.float64]


def cover(
    score: ArrayLike, *, hits: ArrayLike, before: ArrayLike, area_km2: ArrayLike, shares: tuple[float, ...]
) -> Covered:
    """Take units by score until each share of the area is full, the last one in part.

    Of units with the same score those with fewer later incidents are taken first (of these the larger), so that
    a method gains nothing from not telling units apart.

    Parameters
    ----------
    score
        Predicted, highest first, shape (units,).
    hits, before
        Incidents in the test and in the training period, shape (units,).
    area_km2
        Area of each unit, square kilometres, shape (units,).
    shares
        Shares of the whole area, 0 to 1.

    Returns
    -------
    covered
        Hits, the best possible hits and earlier incidents for each share. With N the sum of hits:
        hit rate n/N, PAI (n/N) / share, PEI n / best.

    Raises
    ------
    InputError
        If lengths differ, a score is missing, there is no area, or a share is not over 0 and at most 1.

    References
    ----------
    Chainey, Tompson and Uhlig (2008), Security Journal 21, 4-28 (PAI); Hunt (2016) (PEI); Levine (2008) (RRI).
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
    order = np.lexsort((-area, came, -rank))
    return Covered(
        hits=_take(came[order], area[order], shares),
        best=best_possible(came, area_km2=area, shares=shares),
        before=_take(was[order], area[order], shares),
    )


def best_possible(
    hits: NDArray[np.float64], *, area_km2: NDArray[np.float64], shares: tuple[float, ...]
) -> NDArray[np.float64]:
    """Return the most incidents that each share of the area can hold: densest units first, shape (shares,)."""
    per_km2 = np.divide(hits, area_km2, out=np.zeros(hits.shape), where=area_km2 > 0)
    order = np.argsort(-per_km2, kind="stable")
    return _take(hits[order], area_km2[order], shares)


def _take(values: NDArray[np.float64], area: NDArray[np.float64], shares: tuple[float, ...]) -> NDArray[np.float64]:
    """Sum values over the first units up to each share of the area, the last in proportion to its part."""
    filled = np.concatenate([[0.0], np.cumsum(area)])
    held = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(np.interp(np.asarray(shares) * filled[-1], filled, held), dtype=np.float64)


# All origins of a method: catches are pooled, and origins resampled to show how certain the result is. Origins, not
# incidents, are drawn: incidents of one month are not independent of each other.

FEWEST_TO_RANK = 100  # with fewer test incidents the order of methods is mostly chance
FEWEST_ORIGINS = 3  # under this a resample of origins says nothing
UNRANKED = frozenset({"random", "oracle"})
Table = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """What a method covered at each origin: rows are origins, columns shares.

    Attributes
    ----------
    name, units
        Of the method.
    hits, best, before
        As in `Covered`, shape (origins, shares).
    """

    name: str
    units: str
    hits: Table
    best: Table
    before: Table


def track(name: str, units: str, covered: Sequence[Covered]) -> Track:
    """Stack what was covered at each origin."""
    return Track(
        name,
        units,
        hits=np.stack([c.hits for c in covered]),
        best=np.stack([c.best for c in covered]),
        before=np.stack([c.before for c in covered]),
    )


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
    compared = [t for t in tracks if t.name not in UNRANKED]
    scores = []
    for at, share in enumerate(shares):
        drawn = np.stack([t.hits[:, at][draws].sum(axis=1) for t in compared]) if compared else np.zeros((0, 0))
        # A tie for first place is shared between those who tie.
        winners = (drawn >= drawn.max(axis=0) - 1e-9) if compared else drawn
        first = dict(
            zip((t.name for t in compared), (winners / winners.sum(axis=0)).mean(axis=1) * 100, strict=True)
            if compared and len(tests) >= FEWEST_ORIGINS and tests.sum()
            else ()
        )
        for t in tracks:
            hits, best, before = t.hits[:, at], t.best[:, at], t.before[:, at]
            caught, came, seen = _sums(hits, draws), _sums(tests, draws), _sums(trained, draws)
            scores.append(
                MethodScore(
                    method=t.name,
                    units=t.units,
                    area_pct=100 * share,
                    hits=float(hits.sum()),
                    incidents=int(tests.sum()),
                    hit_rate_pct=caught.over(came, 100.0),
                    pai=caught.over(came, 1 / share),
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
    here = [s for s in scores if s.area_pct == 100 * share and s.method not in UNRANKED]
    if not here:
        return (), "no method was compared"
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
