"""What a backtest found, as a table and as plain values."""

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

__all__ = ["MEASURES", "BacktestResult", "Interval", "MethodScore", "Rung"]

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
