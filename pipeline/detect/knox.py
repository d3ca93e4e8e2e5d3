"""Near repeats: the Knox table of how often incidents follow one another closely in place and time."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError

__all__ = ["Knox", "Metric", "knox"]

Metric = Literal["euclidean", "manhattan"]

MAX_PAIRS = 20_000_000  # three arrays of 160 MB; each permutation looks at every pair once
DISTANCE_EDGES_M = (0.0, 1.0, 100.0, 200.0, 300.0, 400.0)  # the first band is "the same place"
TIME_EDGES_DAYS = (0.0, 8.0, 15.0, 29.0)  # up to one, two and four weeks apart, as near repeats are published


@dataclass(frozen=True, slots=True)
class Knox:
    """Pairs of incidents by distance band (rows) and time band (columns), against shuffled dates.

    Attributes
    ----------
    distance_edges_m, time_edges_days
        Edges of the bands; a band holds its lower edge and not its upper one.
    observed
        Pairs in each cell, shape (distance bands, time bands).
    expected
        Median or mean of the shuffled tables, same shape.
    ratio
        Observed over expected; masked where nothing is expected, same shape.
    p
        Monte-Carlo p of at least so many pairs, same shape.
    expectation
        ``"median"`` or ``"mean"``.
    metric
        How distance was measured: ``"euclidean"`` (straight line) or ``"manhattan"`` (east-west plus north-south).
    incidents, permutations, seed
        What was paired, and how often the dates were shuffled.
    notes
        Limits of this result, one sentence each.
    """

    distance_edges_m: tuple[float, ...]
    time_edges_days: tuple[float, ...]
    observed: NDArray[np.int64]
    expected: NDArray[np.float64]
    ratio: "np.ma.MaskedArray[tuple[int, ...], np.dtype[np.float64]]"
    p: NDArray[np.float64]
    expectation: Literal["median", "mean"]
    metric: Metric
    incidents: int
    permutations: int
    seed: int
    notes: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """Return one row per cell: distance_band, time_band, observed, expected, ratio (null), p."""
        rows, columns = self.observed.shape
        apart = [_band(self.distance_edges_m, i, "m") for i in range(rows)]
        within = [_band(self.time_edges_days, j, "days") for j in range(columns)]
        ratio = pd.array(self.ratio.filled(0.0).ravel(), dtype="Float64")
        ratio[np.ma.getmaskarray(self.ratio).ravel()] = pd.NA
        return pd.DataFrame(
            {
                "distance_band": np.repeat(np.array(apart, dtype=object), columns),
                "time_band": np.tile(np.array(within, dtype=object), rows),
                "observed": self.observed.ravel(),
                "expected": self.expected.ravel(),
                "ratio": ratio,
                "p": self.p.ravel(),
            }
        ).astype({"distance_band": "str", "time_band": "str"})


def knox(
    points_m: ArrayLike,
    *,
    days: ArrayLike,
    distance_edges_m: tuple[float, ...] = DISTANCE_EDGES_M,
    time_edges_days: tuple[float, ...] = TIME_EDGES_DAYS,
    expectation: Literal["median", "mean"] = "median",
    metric: Metric = "euclidean",
    permutations: int = 999,
    seed: int = 0,
) -> Knox:
    """Count pairs of incidents by distance and days apart, and compare with the same places under shuffled dates.

    Every pair counts once, in the band [a, b) of its distance and the band [a, b) of its days apart: a pair
    exactly 100 m apart is in 100-200 m. Only pairs within the largest distance are ever formed.

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (n, 2). Snapped places repeat: keep 0-1 m as a band of its own.
    days
        Day number of each incident, whole numbers, shape (n,). Dates known to the month only do not qualify.
    distance_edges_m, time_edges_days
        Rising edges of the bands, from 0 or more.
    expectation
        Centre of the shuffled tables that the ratio divides by.
    metric
        Straight-line distance, or east-west plus north-south ("Manhattan"), as published tables of the Near Repeat
        Calculator may state. In the second a diagonal neighbour at 100 m is 141 m away.
    permutations, seed
        How often the dates are shuffled among the incidents, from which seed.

    Returns
    -------
    table
        Observed, expected, ratio and p for every cell.

    Raises
    ------
    InputError
        If lengths differ, a value is missing, edges do not rise, or there are too many pairs.

    References
    ----------
    Knox (1964), Applied Statistics 13, 25-29; Ratcliffe and Rengert (2008), Security Journal 21, 58-76.
    """
    points, day = _checked(points_m, days)
    _check_edges(distance_edges_m, "distance_edges_m")
    _check_edges(time_edges_days, "time_edges_days")
    if permutations < 1 or expectation not in {"median", "mean"}:
        raise InputError(
            f"permutations is {permutations} and expectation {expectation!r}: use 1 or more, median or mean"
        )
    if metric not in {"euclidean", "manhattan"}:
        raise InputError(f"metric is {metric!r}: use euclidean or manhattan")
    # Places do not move when dates are shuffled, so pairs and their distance bands are found once.
    left, right, row = _pairs(points, distance_edges_m, metric)
    shape = (len(distance_edges_m) - 1, len(time_edges_days) - 1)
    longest = int(day.max() - day.min()) if day.size else 0
    # Days apart are whole numbers: one look-up gives the band, the last column holds what is beyond.
    band = np.searchsorted(time_edges_days, np.arange(longest + 1), side="right") - 1
    band = np.where((band < 0) | (band >= shape[1]), shape[1], band)
    wide = shape[1] + 1
    offset = row * wide

    def table(dates: NDArray[np.int64]) -> NDArray[np.int64]:
        cell = offset + band[np.abs(dates[left] - dates[right])]
        return np.bincount(cell, minlength=shape[0] * wide).reshape(shape[0], wide)[:, : shape[1]].astype(np.int64)

    observed = table(day)
    rng = np.random.default_rng(seed)
    # Shuffling dates among the incidents keeps where and when each happens as often as it does: only their link is
    # broken, which is what the test is about.
    shuffled = np.stack([table(rng.permutation(day)) for _ in range(permutations)])
    centre = np.median(shuffled, axis=0) if expectation == "median" else shuffled.mean(axis=0)
    expected = np.asarray(centre, dtype=np.float64)
    # No pair expected: a ratio would divide by zero. It is absent, not infinite.
    none = expected == 0
    ratio = np.ma.MaskedArray(np.divide(observed, expected, out=np.zeros(shape), where=~none), mask=none)
    return Knox(
        distance_edges_m=tuple(float(e) for e in distance_edges_m),
        time_edges_days=tuple(float(e) for e in time_edges_days),
        observed=observed,
        expected=expected,
        ratio=ratio,
        p=(1 + (shuffled >= observed).sum(axis=0)) / (permutations + 1),
        expectation=expectation,
        metric=metric,
        incidents=int(day.size),
        permutations=permutations,
        seed=seed,
        notes=tuple(_notes(day, left.size, none)),
    )


def _checked(points_m: ArrayLike, days: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    points, given = np.asarray(points_m, dtype=np.float64), np.asarray(days)
    if points.size == 0:
        points = points.reshape(0, 2)
    if points.ndim != 2 or points.shape[1] != 2 or given.shape != (points.shape[0],):
        raise InputError(
            f"points have shape {points.shape} and days {given.shape}: give two coordinates and one day each"
        )
    if not np.isfinite(points).all():
        raise InputError("a coordinate is missing: leave out incidents without a place")
    day = given.astype(np.float64)
    if not np.isfinite(day).all() or (day != np.rint(day)).any():
        raise InputError("a day number is missing or not whole: leave out incidents whose date is not known to the day")
    return points, day.astype(np.int64)


def _check_edges(edges: tuple[float, ...], name: str) -> None:
    if len(edges) < 2 or edges[0] < 0 or not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
        raise InputError(f"{name} are {list(edges)}: give at least two edges that rise from 0 or more")


def _pairs(
    points: NDArray[np.float64], edges: tuple[float, ...], metric: Metric
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return both members and the distance band of every pair inside the bands."""
    from scipy.spatial import cKDTree

    if points.shape[0] < 2:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing
    tree = cKDTree(points)
    reach, power = edges[-1] * (1 + 1e-9), 1.0 if metric == "manhattan" else 2.0
    # Count before forming: too many pairs would fill the memory before any message. The tree counts each pair twice and
    # each point with itself.
    formed = (int(tree.count_neighbors(tree, reach, p=power)) - points.shape[0]) // 2
    if formed > MAX_PAIRS:
        raise InputError(
            f"{formed:,} pairs lie within {edges[-1]:g} m, more than the {MAX_PAIRS:,} this table takes on: "
            "lower the largest distance, or take one category or fewer months"
        )
    pairs = tree.query_pairs(reach, p=power, output_type="ndarray")
    apart = np.abs(points[pairs[:, 0]] - points[pairs[:, 1]])
    distance = apart.sum(axis=1) if metric == "manhattan" else np.hypot(apart[:, 0], apart[:, 1])
    row = np.searchsorted(edges, distance, side="right") - 1
    inside = (row >= 0) & (row < len(edges) - 1)
    return pairs[inside, 0].astype(np.int64), pairs[inside, 1].astype(np.int64), row[inside].astype(np.int64)


def _notes(day: NDArray[np.int64], pairs: int, none: NDArray[np.bool_]) -> list[str]:
    notes = []
    if day.size < 2:
        notes.append(f"There are {day.size} incidents: a pair needs two.")
    elif not pairs:
        notes.append("No two incidents lie within the largest distance.")
    elif np.ptp(day) == 0:
        notes.append("All incidents fall on one day, so shuffling dates changes nothing.")
    if none.any():
        notes.append(f"{int(none.sum())} of {none.size} cells expect no pair and have no ratio.")
    return notes


def _band(edges: tuple[float, ...], i: int, unit: str) -> str:
    return f"{edges[i]:g} to under {edges[i + 1]:g} {unit}"
