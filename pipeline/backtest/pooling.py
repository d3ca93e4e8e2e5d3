"""Pool a method's catches over origins, and ask by resampling origins how sure the result is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.backtest.accuracy import Covered
from pipeline.backtest.result import Interval, MethodScore

__all__ = ["FEWEST_ORIGINS", "FEWEST_TO_RANK", "UNRANKED", "Track", "pool", "ratio", "track", "verdict"]

FEWEST_TO_RANK = 100
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
