"""What a ranking catches in the first few per cent of the area."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError

__all__ = ["Covered", "best_possible", "cover"]


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
