"""Stability of hotspots under resampling of locations, and p-values from simulation."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.detect.clusters import ClusterSettings
from pipeline.errors import InputError
from pipeline.geography.grid import Grid

__all__ = ["Background", "cluster_sizes", "monte_carlo_p", "smoothed_background", "stability"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PARTS = 10
"""Parts of a side that cells at a border are cut into: of 250 m, 25 m, as far as a point may be outside and still
count as inside (`areas.snap_m`)."""
WHOLE = 1 - 1e-9  # of a cell: rounding leaves a little of one that lies wholly inside


@dataclass(frozen=True, slots=True)
class Background:
    """Where incidents would fall by chance: square cells with weights, such as residents, or one each.

    Attributes
    ----------
    centres_m
        Cell centres in metres, shape (c, 2), covering the study area and nothing else.
    weights
        Relative chance of each cell, not negative, shape (c,).
    cell_m
        Side of the cells in metres, one for all or one for each, shape (c,); a place is drawn evenly inside its cell.
    words
        What the weights are, for the note that goes with a p-value.
    """

    centres_m: Floats
    weights: Floats
    cell_m: float | Floats
    words: str = "evenly over the covered area"

    def __post_init__(self) -> None:
        centres, weights = np.asarray(self.centres_m, dtype=float), np.asarray(self.weights, dtype=float)
        if centres.ndim != 2 or centres.shape[1] != 2 or weights.shape != (len(centres),):
            raise InputError(f"background: {centres.shape} centres and {weights.shape} weights do not belong together")
        if not (np.isfinite(centres).all() and np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
            raise InputError("background: centres must be finite, weights finite, not negative and not all zero")
        sides = np.asarray(self.cell_m, dtype=float)
        if sides.shape not in {(), weights.shape} or not (np.isfinite(sides).all() and (sides > 0).all()):
            raise InputError(f"background: cell_m is {self.cell_m}: the side of a cell must be positive, in metres")

    def draw(self, n: int, *, rng: np.random.Generator) -> Floats:
        """Draw `n` places, shape (n, 2), in metres."""
        weights = np.asarray(self.weights, dtype=np.float64)
        cells = rng.choice(len(weights), size=n, p=weights / weights.sum())
        places: Floats = np.asarray(self.centres_m, dtype=np.float64)[cells]
        half = np.broadcast_to(np.asarray(self.cell_m, dtype=np.float64) / 2, weights.shape)[cells][:, None]
        return places + rng.uniform(-1.0, 1.0, (n, 2)) * half

    def inside(self, outline: Any, *, grid: Grid) -> "Background":
        """Keep simulated places inside an outline: cells that it cuts give way to small ones that it touches.

        Drawn evenly over whole cells, places would lie up to the side of a cell beyond a coast, in a river, or where
        the data covers nothing, and clusters at a border would be compared with thinner ones than there can be.

        Parameters
        ----------
        outline
            Valid polygon or multipolygon in metres.
        grid
            The cells that the background was made of, all of one side.
        """
        number = grid.cell_of(np.asarray(self.centres_m, dtype=np.float64))
        cut = (grid.fraction(outline).ravel()[number] < WHOLE) & (np.asarray(self.weights) > 0)
        row, col = np.divmod(number, grid.cols)
        centres, weights = [self.centres_m[~cut]], [self.weights[~cut]]
        sides = [np.full(int((~cut).sum()), grid.cell_m)]
        small = grid.cell_m / PARTS
        for line in np.unique(row[cut]).tolist():
            of = np.flatnonzero(cut & (row == line))
            first, last = int(col[of].min()), int(col[of].max()) + 1
            west, south = grid.x0 + first * grid.cell_m, grid.y0 + line * grid.cell_m
            fine = Grid(west, south, small, PARTS, PARTS * (last - first))
            shares = fine.fraction(outline).reshape(PARTS, last - first, PARTS)
            for at in of.tolist():
                share = shares[:, int(col[at]) - first].ravel()
                if not share.any():  # inside by the outlines of wards, outside by that of their borough
                    share = np.ones(share.size)
                up, along = np.divmod(np.arange(share.size), PARTS)
                x = west + (col[at] - first) * grid.cell_m + (along + 0.5) * small
                held = share > 0
                centres.append(np.column_stack((x, south + (up + 0.5) * small))[held])
                weights.append((self.weights[at] * share / share.sum())[held])
                sides.append(np.full(int(held.sum()), small))
        return replace(
            self,
            centres_m=np.concatenate(centres),
            weights=np.concatenate(weights),
            cell_m=np.concatenate(sides),
        )


def smoothed_background(
    points_m: ArrayLike,
    *,
    weights: ArrayLike,
    grid: Grid,
    area_km2: Floats,
    bandwidth_m: float,
) -> Background:
    """Return the density of the incidents themselves at a broad bandwidth, as where they would fall by chance.

    Crime follows neither residents nor area: against these nearly every cluster is significant. Against its own broad
    density a cluster is significant if it is tighter than the part of the city that it lies in.

    Parameters
    ----------
    points_m, weights
        Locations in metres, shape (n, 2), and incidents at each, shape (n,).
    grid
        Cells over the study area.
    area_km2
        Part of each cell that lies in the study area, shape (cells,); nothing falls outside.
    bandwidth_m
        Standard deviation of the Gaussian kernel, in metres: several times the reach of the clustering.

    References
    ----------
    Diggle (1985) for the correction at the border: the smoothed count over the smoothed area.
    """
    from scipy import ndimage

    points = np.asarray(points_m, dtype=np.float64).reshape(-1, 2)
    cell = grid.cell_of(points)
    inside = cell >= 0
    counts = np.bincount(cell[inside], weights=np.asarray(weights, dtype=np.float64)[inside], minlength=len(area_km2))
    smooth = [
        ndimage.gaussian_filter(values.reshape(grid.shape), bandwidth_m / grid.cell_m, mode="constant").ravel()
        for values in (counts, np.asarray(area_km2, dtype=np.float64))
    ]
    density = np.divide(smooth[0], smooth[1], out=np.zeros(len(area_km2)), where=smooth[1] > 0)
    if not density.any():
        density = np.ones(len(area_km2))  # without an incident there is nothing to follow
    index = np.flatnonzero(area_km2 > 0)
    return Background(
        centres_m=grid.centre(index),
        weights=(density * area_km2)[index],
        cell_m=grid.cell_m,
        words=f"by their own density at a bandwidth of {bandwidth_m:g} m",
    )


def stability(
    places_m: ArrayLike,
    *,
    weights: ArrayLike,
    members: ArrayLike,
    settings: ClusterSettings,
    resamples: int,
    rng: np.random.Generator,
) -> Floats:
    """Return how much of each hotspot comes back, as it is, in resamples of locations.

    A resample draws as many locations as there are, with replacement; a location drawn twice carries its incidents
    twice. The hotspot is compared with every cluster of the resample by the Jaccard index of their incidents: those in
    both over those in either. So a hotspot that merges with its neighbour, or breaks up, comes back only in part. The
    best of the clusters counts, and the mean over resamples is the stability.

    Parameters
    ----------
    places_m
        Distinct locations in metres, shape (m, 2).
    weights
        Incidents at each, shape (m,).
    members
        Hotspot of each location, from 0, -1 for none, shape (m,).
    settings
        Settings of the clustering.
    resamples
        Number of resamples, at least 1.
    rng
        Source of the draws.

    Returns
    -------
    shares
        0 to 1, one for each hotspot. Under 0.5 a hotspot is dissolved, from 0.75 on it is stable (Hennig).

    References
    ----------
    Hennig (2007), "Cluster-wise assessment of cluster stability", Computational Statistics and Data Analysis 52,
    258-271: the bootstrap, on locations.
    """
    places = np.asarray(places_m, dtype=np.float64)
    incidents, member = np.asarray(weights, dtype=np.int64), np.asarray(members, dtype=np.int64)
    count = int(member.max(initial=-1)) + 1
    back = np.zeros(count)
    for _ in range(resamples if count else 0):
        # Locations are drawn, not incidents: repeated incidents at one address are not independent evidence of a
        # hotspot.
        drawn = np.bincount(rng.integers(0, len(places), len(places)), minlength=len(places))
        kept = np.flatnonzero(drawn)
        carried = incidents[kept] * drawn[kept]
        label, mine = settings.cluster(places[kept], carried).labels, member[kept]
        clusters = int(label.max(initial=-1)) + 1
        # Sums by hotspot and cluster; row and column -1 stand for "in none".
        sums = np.bincount(
            (mine + 1) * (clusters + 1) + label + 1, weights=carried, minlength=(count + 1) * (clusters + 1)
        ).reshape(count + 1, clusters + 1)
        both = sums[1:, 1:]
        either = sums[1:].sum(axis=1)[:, None] + sums[:, 1:].sum(axis=0) - both
        like = np.divide(both, either, out=np.zeros(both.shape), where=either > 0)
        back += like.max(axis=1, initial=0.0)
    return back / resamples


def cluster_sizes(labels: ArrayLike, weights: ArrayLike, *, min_locations: int) -> Ints:
    """Return the incidents of all clusters with enough locations, most first.

    >>> cluster_sizes([0, 0, 1, 1, 1, -1], [5, 5, 1, 1, 2, 9], min_locations=2).tolist()
    [10, 4]
    """
    label, incidents = np.asarray(labels), np.asarray(weights, dtype=np.int64)
    inside = label >= 0
    sums = np.bincount(label[inside], weights=incidents[inside]).astype(np.int64)
    sizes: Ints = np.sort(sums[np.bincount(label[inside]) >= min_locations])[::-1]
    return sizes


def monte_carlo_p(
    incidents: ArrayLike,
    *,
    weights: ArrayLike,
    background: Background,
    settings: ClusterSettings,
    simulations: int,
    rng: np.random.Generator,
) -> Floats:
    """Return how often chance alone produces as many clusters of a size, for each hotspot.

    Each simulation places all locations, with the incidents they carry, at random over the background and clusters them
    with the same settings. The hotspot of rank r is compared with the r-th largest cluster:
    p = (1 + simulations with r clusters at least as large) / (1 + simulations). A hotspot has no smaller p than those
    before it.

    Parameters
    ----------
    incidents
        Incidents of each hotspot, in any order.
    weights
        Incidents at each location of the whole study area, shape (m,).
    background
        Where they would fall by chance.
    settings
        Settings of the clustering.
    simulations
        Number of simulations, at least 1.
    rng
        Source of the draws.

    References
    ----------
    Dwass (1957) for the test; Kulldorff (1997) for comparing the largest with the largest anywhere, which allows for
    the search over places.
    """
    carried = np.asarray(weights, dtype=np.int64)
    observed = np.asarray(incidents, dtype=np.int64)
    order = np.argsort(-observed, kind="stable")
    as_large = np.zeros(len(observed))
    for _ in range(simulations if len(observed) else 0):
        labels = settings.cluster(background.draw(len(carried), rng=rng), carried).labels
        sizes = cluster_sizes(labels, carried, min_locations=settings.min_locations)[: len(observed)]
        as_large[: len(sizes)] += sizes >= observed[order][: len(sizes)]
    p = np.empty(len(observed))
    p[order] = np.maximum.accumulate((1 + as_large) / (1 + simulations))
    return p
