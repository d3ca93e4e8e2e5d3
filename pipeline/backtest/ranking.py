"""One ranking at one origin: what the highest-ranked units catch in the area that may be marked."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError

__all__ = ["SAME", "Covered", "Ranking"]

SAME = 1e-9
"""Numbers that differ by no more than this part of themselves are equal: sums in another order differ by less."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Covered:
    """What lies in the highest-ranked units that make up each area.

    Attributes
    ----------
    hits
        Later incidents there, shape (areas,); a fraction where a unit or a tie is taken in part.
    best
        The most that the same area could hold, units ranked by what came, shape (areas,).
    before
        Earlier incidents there, shape (areas,).
    area_share
        Share of the study area that is marked, shape (areas,): what was asked, or all that the method marks.
    tied_units
        Units with the score at which the area is full, where not all of them fit, shape (areas,); 0 without a tie.
    tied_share
        Share of the study area that these units contribute, shape (areas,).
    """

    hits: Values
    best: Values
    before: Values
    area_share: Values
    tied_units: NDArray[np.int64]
    tied_share: Values


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Units from the highest score to the lowest, in steps of equal scores.

    Attributes
    ----------
    hits, area_km2
        Later incidents and area of every unit, shape (units,).
    order
        The marked units, highest first.
    first
        Where in `order` each step begins, shape (steps,).
    filled_km2, held, earlier
        Area, later and earlier incidents of the first 0, 1, 2 ... steps, shape (steps + 1,).
    """

    hits: Values
    area_km2: Values
    order: NDArray[np.int64]
    first: NDArray[np.int64]
    filled_km2: Values
    held: Values
    earlier: Values

    @classmethod
    def of(cls, score: ArrayLike, *, hits: ArrayLike, before: ArrayLike, area_km2: ArrayLike) -> Self:
        """Rank units by score.

        Parameters
        ----------
        score
            Predicted, highest first, shape (units,). A unit with 0 or less is not marked.
        hits, before
            Incidents in the test and in the training period, shape (units,).
        area_km2
            Area of each unit, square kilometres, shape (units,).

        Raises
        ------
        InputError
            If lengths differ, a score is missing, or there is no area.
        """
        rank, came = np.asarray(score, dtype=np.float64), np.asarray(hits, dtype=np.float64)
        was, area = np.asarray(before, dtype=np.float64), np.asarray(area_km2, dtype=np.float64)
        if not rank.shape == came.shape == was.shape == area.shape:
            raise InputError(
                f"{rank.shape} scores, {came.shape} hits, {was.shape} earlier, {area.shape} areas: one per unit"
            )
        if not np.isfinite(rank).all() or not area.sum() > 0 or (area < 0).any():
            raise InputError(
                "a score is missing, or the units have no area: score every unit and give square kilometres"
            )
        order = np.argsort(-rank, kind="stable")
        order = order[rank[order] > 0]
        # A step begins where a score is clearly lower than the one before it: the units of one step are tied.
        falls = rank[order][1:] < rank[order][:-1] * (1 - SAME)
        first = np.flatnonzero(np.concatenate(([order.size > 0], falls)))
        steps = (np.add.reduceat(v[order], first) if first.size else np.zeros(0) for v in (area, came, was))
        return cls(came, area, order, first, *(np.concatenate([[0.0], np.cumsum(s)]) for s in steps))

    @property
    def marked_km2(self) -> float:
        """Area of all units that are marked, square kilometres."""
        return float(self.filled_km2[-1])

    def caught(self, area_km2: ArrayLike) -> Values:
        """Return the hits in the highest-ranked units that make up each area.

        Units with the same score are taken in proportion: if half of their area still fits, half of their hits count,
        which is what a random choice among them catches on average. So a method neither gains nor loses by not telling
        units apart. A method that marks less than the area stops there.

        Examples
        --------
        Four equal units, the second and third with the same score. Half of the area: the first and half of the two.

        >>> ones = [1, 1, 1, 1]
        >>> float(Ranking.of([9, 5, 5, 1], hits=[4, 0, 3, 2], before=ones, area_km2=ones).caught(2.0))
        5.5
        """
        return np.asarray(
            np.interp(np.asarray(area_km2, dtype=np.float64), self.filled_km2, self.held), dtype=np.float64
        )

    def take(self, area_km2: ArrayLike) -> Covered:
        """Return what lies in the highest-ranked units that make up each area, shape (areas,).

        With N all later incidents: hit rate n/N, PAI (n/N) / area share, PEI n / best.

        References
        ----------
        Chainey, Tompson and Uhlig (2008), Security Journal 21, 4-28 (PAI); Hunt (2016) (PEI); Levine (2008) (RRI).
        """
        total = float(self.area_km2.sum())
        marked = np.minimum(np.asarray(area_km2, dtype=np.float64), self.marked_km2)
        step, cut = self._cut(marked)
        # The most that the area could hold: densest units first.
        dense = np.argsort(
            -np.divide(self.hits, self.area_km2, out=np.zeros(self.hits.shape), where=self.area_km2 > 0), kind="stable"
        )
        filled, held = (np.concatenate([[0.0], np.cumsum(v[dense])]) for v in (self.area_km2, self.hits))
        return Covered(
            hits=self.caught(marked),
            best=np.interp(marked, filled, held),
            before=np.interp(marked, self.filled_km2, self.earlier),
            area_share=marked / total,
            tied_units=np.where(cut, self._units_of_steps[step], 0),
            tied_share=np.where(cut, marked - self.filled_km2[step], 0.0) / total,
        )

    def drawn(self, area_km2: ArrayLike, *, half: bool, draws: int, rng: np.random.Generator) -> Values:
        """Return the hits if ties are broken by lot instead of in proportion, shape (draws, areas).

        Parameters
        ----------
        area_km2
            Areas to mark, square kilometres, shape (areas,).
        half
            Draw half of the tied units that fit; the rest are taken in proportion.
        draws, rng
            How often, and the generator.
        """
        marked = np.minimum(np.asarray(area_km2, dtype=np.float64), self.marked_km2)
        out = np.tile(self.caught(marked), (draws, 1))
        step, cut = self._cut(marked)
        for at in np.flatnonzero(cut):
            here = step[at]
            tied = self.hits[self.order[self.first[here] : self.first[here] + self._units_of_steps[here]]]
            part = (marked[at] - self.filled_km2[here]) / (self.filled_km2[here + 1] - self.filled_km2[here])
            # Units of a tie count as equally large: so many of them fit, and of equal hits it matters only how many.
            fit = part * tied.size * (0.5 if half else 1.0)
            values, copies = np.unique(tied, return_counts=True)
            chosen = rng.multivariate_hypergeometric(copies, int(fit), size=draws) @ values
            # What is left is taken in proportion: the last unit in part, or the other half of the tie.
            rest = (part * tied.size - int(fit)) / max(tied.size - int(fit), 1)
            out[:, at] = self.held[here] + chosen + rest * (tied.sum() - chosen)
        return out

    @property
    def _units_of_steps(self) -> NDArray[np.int64]:
        """Units of each step, and 0 after the last, shape (steps + 1,)."""
        return np.append(np.diff(np.append(self.first, self.order.size)), 0).astype(np.int64)

    def _cut(self, marked_km2: Values) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the step in which each area becomes full, and whether it cuts a tie; one that just fits is whole."""
        step = np.searchsorted(self.filled_km2 * (1 + SAME), marked_km2) - 1
        end = np.append(self.filled_km2[1:], np.inf)[step] * (1 - SAME)
        return step, (self._units_of_steps[step] > 1) & (marked_km2 < end) & (marked_km2 > 0)
