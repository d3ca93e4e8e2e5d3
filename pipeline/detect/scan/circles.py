"""Circles of growing radius round every location, in an order in which one running sum counts them all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Block", "Circles", "circles_round", "simulations_each"]

ROWS_TIMES_PERIODS = 3_000_000  # table cells held at once: bounds the memory of a pass
SAME_DISTANCE_M = 1e-6  # micrometres: cells of a grid at one distance must enter a circle together


FEWEST_SIMULATIONS = 19
"""Below this no p reaches .05."""


def simulations_each(sizes: Sequence[int], simulations: int, max_comparisons: int) -> list[int]:
    """Return how many simulated data sets each of several searches may have: as many for all of them.

    Every circle or cylinder is compared in every data set and in the real one. Where even 19 data sets would pass the
    limit, the last searches have none.

    Parameters
    ----------
    sizes
        Circles or cylinders of each search, the most important search first.
    simulations
        As many as were asked for.
    max_comparisons
        The most comparisons of all searches together.

    Returns
    -------
    simulations
        All, or the most that fit of 19, 39, 59 and so on, with which p can be .05 exactly; 0 for a search left out.

    Examples
    --------
    >>> [simulations_each([1000, 1000], 199, limit) for limit in (400_000, 399_999, 50_000, 39_999, 19_999)]
    [[199, 199], [179, 179], [19, 19], [19, 0], [0, 0]]
    """
    step, kept = FEWEST_SIMULATIONS + 1, len(sizes)
    while kept and sum(sizes[:kept]) * step > max_comparisons:
        kept -= 1
    size = sum(sizes[:kept])
    fit = simulations
    if size * (simulations + 1) > max_comparisons:
        fit = max_comparisons // size // step * step - 1
    return [fit] * kept + [0] * (len(sizes) - kept)


@dataclass(frozen=True, slots=True)
class Circles:
    """Every centre's locations from near to far, one after another.

    Attributes
    ----------
    member
        Location numbers, centre after centre, nearest first, shape (rows,).
    centre
        Location number of the centre of each row, shape (rows,).
    radius_m
        Distance of the row's location from the centre in metres: the circle's radius, shape (rows,).
    used
        True where the circle ends: the last of several locations at one distance, and no more than the
        allowed share of cases inside, shape (rows,).
    cases
        Cases in the circle over all periods (or what else limited it), shape (rows,).
    """

    member: NDArray[np.int64]
    centre: NDArray[np.int64]
    radius_m: NDArray[np.float64]
    used: NDArray[np.bool_]
    cases: NDArray[np.int64]

    @property
    def first_row(self) -> NDArray[np.int64]:
        """Row at which the centre of each row begins, shape (rows,)."""
        return np.searchsorted(self.centre, self.centre).astype(np.int64)

    def blocks(self, periods: int) -> Iterator["Block"]:
        """Cut the rows between centres into parts that fit the memory bound."""
        begins = np.flatnonzero(np.diff(self.centre, prepend=-1))
        ends = np.append(begins[1:], self.centre.size)
        room = max(1, ROWS_TIMES_PERIODS // periods)
        start = 0
        while start < begins.size:
            stop = max(start + 1, int(np.searchsorted(ends, begins[start] + room, side="right")))
            rows = slice(int(begins[start]), int(ends[stop - 1]))
            used = np.flatnonzero(self.used[rows])
            if used.size:
                before = self.first_row[rows][used] - rows.start
                yield Block(
                    member=self.member[rows],
                    ends=used,
                    before=before,
                    row=used + rows.start,
                    cases=self.cases[rows][used],
                )
            start = stop


@dataclass(frozen=True, slots=True)
class Block:
    """Some centres' rows, and the circles among them.

    Attributes
    ----------
    member
        Location of each row of the block.
    ends, before
        Last row of each circle, and the first row of its centre, both counted in the block.
    row
        Row of each circle among all circles.
    cases
        Cases in each circle over all periods.
    """

    member: NDArray[np.int64]
    ends: NDArray[np.int64]
    before: NDArray[np.int64]
    row: NDArray[np.int64]
    cases: NDArray[np.int64]

    def running(self, counts: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return cases in each circle before each period, shape (circles, periods + 1).

        Parameters
        ----------
        counts
            Cases per location and period, shape (locations, periods).
        """
        sums = np.zeros((self.member.size + 1, counts.shape[1]), dtype=np.int32)
        # The sum over all rows may pass 2**31; differences within a circle do not, and wrapping keeps them right.
        np.cumsum(counts[self.member], axis=0, dtype=np.int32, out=sums[1:])
        inside = sums[self.ends + 1] - sums[self.before]
        table = np.zeros((self.ends.size, counts.shape[1] + 1), dtype=np.int32)
        np.cumsum(inside, axis=1, dtype=np.int32, out=table[:, 1:])
        return table


def circles_round(
    points_m: NDArray[np.float64],
    *,
    cases: NDArray[np.int64] | NDArray[np.float64],
    max_radius_m: float,
    max_share: float,
) -> Circles:
    """Draw circles round every location, through every other up to the largest radius and share of cases.

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (m, 2).
    cases
        Cases per location over all periods, or what else limits a circle (expected cases), shape (m,).
    max_radius_m
        Largest radius in metres, included; infinite for none.
    max_share
        Largest share of all of that inside a circle.

    Returns
    -------
    circles
        Rows by centre, then distance, then location number.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(points_m)
    found = tree.query_ball_point(points_m, max_radius_m * (1 + 1e-9))
    sizes = np.array([len(f) for f in found], dtype=np.int64)
    centre = np.repeat(np.arange(sizes.size, dtype=np.int64), sizes)
    member = np.concatenate([np.asarray(f, dtype=np.int64) for f in found])
    apart = points_m[member] - points_m[centre]
    # Whole micrometres, so that distances which are equal on paper are equal here.
    steps = np.rint(np.hypot(apart[:, 0], apart[:, 1]) / SAME_DISTANCE_M)
    within = steps <= np.rint(max_radius_m / SAME_DISTANCE_M)
    centre, member, steps = centre[within], member[within], steps[within]
    order = np.lexsort((member, steps, centre))
    centre, member, steps = centre[order], member[order], steps[order]
    # Nearest first, the cases in every circle of a centre are one running sum; a circle ends at the last of several
    # locations at one distance.
    running = np.concatenate([[0], np.cumsum(cases[member])])
    inside = running[1:] - running[np.searchsorted(centre, centre)]
    last = np.append((np.diff(centre) != 0) | (np.diff(steps) != 0), True)
    return Circles(
        member=member,
        centre=centre,
        radius_m=steps * SAME_DISTANCE_M,
        used=last & (inside <= max_share * cases.sum() * (1 + 1e-12)) & (inside > 0),
        cases=inside,
    )
