"""Moran's I: is like near like overall, and which areas are clusters or outliers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError
from pipeline.geography.neighbours import Weights, conditional
from pipeline.statistics.false_discovery import Family, benjamini_hochberg

__all__ = ["QUADRANTS", "LocalMoran", "global_moran", "local_moran"]

QUADRANTS = {1: "high-high", 2: "low-high", 3: "low-low", 4: "high-low", 0: "not significant"}
PERMUTATIONS = 99_999
MIN_UNITS = 50


@dataclass(frozen=True, slots=True)
class LocalMoran:
    """Local Moran's I of every unit.

    Attributes
    ----------
    i
        Local statistic, shape (n,). Positive: like near like. 0 where not defined; never NaN.
    p, q
        Two-sided p from conditional permutations and its Benjamini-Hochberg adjusted value, shape (n,).
    quadrant
        Where the unit and the mean of its neighbours lie against the overall mean, significant or not:
        1 high-high, 2 low-high, 3 low-low, 4 high-low, 0 not defined, shape (n,).
    cluster
        The quadrant where q is at most alpha, otherwise 0, shape (n,).
    defined
        False where no statistic exists, shape (n,).
    alpha
        Share of false discoveries allowed in `cluster`.
    family
        What was adjusted together.
    notes
        Limits of this result, one sentence each.
    """

    i: NDArray[np.float64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    quadrant: NDArray[np.int8]
    cluster: NDArray[np.int8]
    defined: NDArray[np.bool_]
    alpha: float
    family: Family
    notes: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """Return columns moran_i, moran_p, moran_q, moran_quadrant, moran_cluster; null where not defined."""
        columns = {"moran_i": self.i, "moran_p": self.p, "moran_q": self.q}
        table = pd.DataFrame({k: pd.array(v, dtype="Float64") for k, v in columns.items()})
        for name, codes in (("moran_quadrant", self.quadrant), ("moran_cluster", self.cluster)):
            table[name] = pd.array([QUADRANTS[int(c)] for c in codes], dtype="str")
        table.loc[~self.defined] = pd.NA
        return table


def global_moran(values: ArrayLike, *, weights: Weights) -> float | None:
    """Return Moran's I with row-standardised weights, or None where values or neighbours do not vary.

    ``I = sum_i z_i mean_j z_j / sum_i z_i^2`` times n over the number of units with neighbours, z the
    deviations from the mean and the inner mean over neighbours. Expected without pattern: -1 / (n - 1).

    Parameters
    ----------
    values
        One number per unit, shape (n,).
    weights
        Binary neighbours.

    Raises
    ------
    InputError
        If there is not one finite number per unit.

    References
    ----------
    Moran (1950), Biometrika 37, 17-23.
    """
    z = _deviations(values, weights.n)
    joined = int((~weights.isolated).sum())
    square = float(z @ z)
    if square == 0.0 or not joined:
        return None
    return float(z @ (weights.lag(z) / np.maximum(weights.neighbours, 1))) / square * weights.n / joined


def local_moran(
    values: ArrayLike,
    *,
    weights: Weights,
    family: str,
    alpha: float = 0.05,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    min_units: int = MIN_UNITS,
) -> LocalMoran:
    """Find areas that are like their neighbours (high-high, low-low) or unlike them (high-low, low-high).

    ``I_i = (n - 1) z_i mean_j z_j / sum z^2`` with z the deviations from the mean and the inner mean
    over the neighbours of i.

    Parameters
    ----------
    values
        Counts on equal cells, standardised rates on areas, shape (n,).
    weights
        Binary neighbours, self not included.
    family
        What is adjusted together, in words: one layer, one category, one period.
    alpha
        Share of false discoveries allowed among the areas named.
    permutations, seed
        How many conditional draws, from which seed.
    min_units
        With fewer units than this nothing is computed and a note says so.

    Returns
    -------
    result
        Statistics, p-values, quadrants, clusters, notes.

    Raises
    ------
    InputError
        If there is not one finite number per unit.

    References
    ----------
    Anselin (1995), Geographical Analysis 27, 93-115.
    """
    z = _deviations(values, weights.n)
    tested = ~weights.isolated
    notes: list[str] = []
    if weights.n < min_units:
        notes.append(f"Local Moran's I needs at least {min_units} units; there are {weights.n}.")
        tested[:] = False
    elif not z.any():
        notes.append("All units have the same value, so none is like or unlike its neighbours.")
        tested[:] = False
    elif weights.isolated.any():
        notes.append(f"{int(weights.isolated.sum())} units have no neighbours and were not tested.")
    local, p = np.zeros(weights.n), np.ones(weights.n)
    quadrant = np.zeros(weights.n, dtype=np.int8)
    if tested.any():
        around = weights.lag(z) / np.maximum(weights.neighbours, 1)
        local = np.where(tested, (weights.n - 1) * z * around / float(z @ z), 0.0)
        high, near_high = z > 0, around > 0
        quadrant = np.select([high & near_high, ~high & near_high, ~high], [1, 2, 3], 4).astype(np.int8)
        quadrant[~tested] = 0
        drawn = conditional(np.asarray(values), weights=weights, permutations=permutations, seed=seed)
        p = np.where(tested, drawn.p, 1.0)
    q = benjamini_hochberg(p, included=tested)
    return LocalMoran(
        i=local,
        p=p,
        q=q,
        quadrant=quadrant,
        cluster=np.where(tested & (q <= alpha), quadrant, 0).astype(np.int8),
        defined=tested,
        alpha=alpha,
        family=Family(name=family, tests=int(tested.sum())),
        notes=tuple(notes),
    )


def _deviations(values: ArrayLike, n: int) -> NDArray[np.float64]:
    given = np.asarray(values, dtype=np.float64)
    if given.shape != (n,) or not np.isfinite(given).all():
        raise InputError(f"values have shape {given.shape}: give one finite number for each of the {n} units")
    if given.size and float(np.ptp(given)) == 0.0:
        return np.zeros(n)
    return np.asarray(given - given.mean(), dtype=np.float64) if given.size else given
