"""Automatic bandwidth: the one under which the other incidents best predict each incident."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.detect.kde.surface import (
    SCALE,
    STEPS,
    Points,
    bin_linear,
    check_bandwidth,
    checked_points,
    convolve,
    corners,
    sample_linear,
    stencil,
)
from pipeline.errors import InputError
from pipeline.geography.grid import Grid

__all__ = ["LADDER_M", "BandwidthChoice", "choose_bandwidth"]

# Candidates a fifth to a half apart: the likelihood is flat near its top, and finer steps would only read noise.
LADDER_M = (100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 600.0, 800.0, 1000.0, 1250.0, 1500.0, 2000.0, 3000.0)
FEWEST_LOCATIONS = 10  # below it the likelihood says more about the sample than about the place
CELLS_PER_BANDWIDTH = 5  # enough to compare bandwidths: the bias is taken out and the own share is exact
MAX_CELLS = 50_000_000  # 0.4 GB of floats; a narrow candidate over a large area is not tried
BIN_AND_READ = -1 / 6  # cell units: binning and reading linearly each spread by a variance of 1/6 per axis

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BandwidthChoice:
    """A bandwidth and how it was chosen, for the manifest.

    Attributes
    ----------
    bandwidth_m
        The choice, metres.
    ladder_m
        Candidates that were allowed, ascending.
    log_likelihoods
        Mean leave-one-out log likelihood per incident (density per square metre) of each candidate; None where the
        candidate was not tried.
    n_incidents, n_locations
        Weight and distinct places it rests on.
    repeated_share
        Share of incidents whose place holds another; where places repeat the whole place was left out.
    reason
        Why this one, one sentence.
    """

    bandwidth_m: float
    ladder_m: tuple[float, ...]
    log_likelihoods: tuple[float | None, ...]
    n_incidents: float
    n_locations: int
    repeated_share: float
    reason: str


def choose_bandwidth(
    points_m: Points,
    *,
    kernel: str = "quartic",
    weights: ArrayLike | None = None,
    ladder_m: tuple[float, ...] = LADDER_M,
    floor_m: float = 0.0,
    fallback_m: float = 500.0,
) -> BandwidthChoice:
    """Choose one isotropic bandwidth by leave-one-out likelihood.

    For each candidate h every place is given the density that all *other* places give it, and the logarithms are
    averaged over the incidents; the h with the highest mean wins. Whole places are left out: where coordinates
    repeat, leaving out one incident would let its twins predict it and the bandwidth would collapse. A place out of
    every other's reach counts as if the incidents were spread evenly and only one of them mattered: 1 / (n A) with A
    the area of the bounding rectangle.

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (n, 2).
    kernel
        One of `KERNELS`.
    weights
        Weight of each point, for instance incidents at a location. Default 1 each.
    ladder_m
        Candidates, metres.
    floor_m
        No bandwidth below this is tried: the release profile's floor.
    fallback_m
        Used (raised to the floor) where there is too little to choose by.

    Returns
    -------
    choice
        With every candidate's likelihood and the reason, in words.

    Raises
    ------
    InputError
        If a number cannot be used.

    References
    ----------
    Silverman (1986), section 3.4.4; Loader (1999), Local Regression and Likelihood, chapter 5.
    """
    for number in (*ladder_m, fallback_m):
        check_bandwidth(kernel, number)
    if not np.isfinite(floor_m) or floor_m < 0:
        raise InputError(f"a bandwidth floor of {floor_m} m cannot be kept: give 0 m or more")
    places, weight, repeated = _distinct(*checked_points(points_m, weights))
    ladder = tuple(sorted({float(h) for h in ladder_m if h >= floor_m})) or (float(floor_m),)
    total = float(weight.sum())
    if len(places) < FEWEST_LOCATIONS:
        reason = (
            f"{len(places)} distinct locations are too few to choose by (under {FEWEST_LOCATIONS}): "
            "the fallback is used."
        )
        untried = (None,) * len(ladder)
        return BandwidthChoice(max(fallback_m, floor_m), ladder, untried, total, len(places), repeated, reason)

    scores = tuple(_log_likelihood(places, weight, kernel=kernel, bandwidth_m=h) for h in ladder)
    tried = [(score, h) for score, h in zip(scores, ladder, strict=True) if score is not None]
    if not tried:
        reason = "The area is too large for every candidate: the fallback is used. Give a ladder of larger bandwidths."
        return BandwidthChoice(max(fallback_m, floor_m), ladder, scores, total, len(places), repeated, reason)
    # Of equal likelihoods the narrower: it keeps more of the pattern.
    best = max(tried, key=lambda pair: (pair[0], -pair[1]))[1]
    reason = f"Highest leave-one-out likelihood of {len(tried)} candidates."
    if len(tried) > 1 and best in (tried[0][1], tried[-1][1]):
        # A maximum at either end of the ladder is no maximum: say so, because the analyst can extend it.
        end = "lowest" if best == tried[0][1] else "highest"
        held = ", which is the floor" if end == "lowest" and 0 < floor_m == best else ""
        reason += f" It is the {end} candidate{held}: the likelihood may rise further beyond it."
    return BandwidthChoice(best, ladder, scores, total, len(places), repeated, reason)


def _distinct(points: Points, units: NDArray[np.int64]) -> tuple[Points, Values, float]:
    """Collapse points to distinct places with weights; also the share of incidents whose place repeats."""
    used = units > 0
    points, units = points[used], units[used]
    if not len(points):
        return points, np.zeros(0), 0.0
    # Snapped coordinates repeat, so incidents are grouped by place, and a whole place is left out at a time.
    order = np.lexsort((points[:, 1], points[:, 0]))
    points, units = points[order], units[order]
    new = np.concatenate(([True], (points[1:] != points[:-1]).any(axis=1)))
    place = np.cumsum(new) - 1
    weight = np.bincount(place, units) / SCALE
    shared = (np.bincount(place) > 1) | (weight > 1)
    return points[new], weight, float(weight[shared].sum() / weight.sum())


def _log_likelihood(places: Points, weight: Values, *, kernel: str, bandwidth_m: float) -> float | None:
    """Mean log density that the other places give each incident; None where the cells would be too many."""
    west, south = places.min(axis=0)
    east, north = places.max(axis=0)
    area = max(float((east - west) * (north - south)), bandwidth_m**2)
    cell = max(bandwidth_m / CELLS_PER_BANDWIDTH, float(np.sqrt(area / MAX_CELLS)))
    if cell > bandwidth_m / 2:
        return None
    grid = Grid.covering((west, south, east, north), cell_m=cell, margin_m=2 * cell)
    # Places are put on the positions that binning tells apart, so that a place's own share cancels exactly.
    lattice = np.rint((places - (grid.x0, grid.y0)) / cell * STEPS) / STEPS
    snapped = lattice * cell + (grid.x0, grid.y0)
    weights = stencil(kernel=kernel, bandwidth_m=bandwidth_m, cell_m=cell, curvature=BIN_AND_READ)
    spread = convolve(bin_linear(snapped, grid=grid, weights=weight) / SCALE, weights)
    # What all incidents give a place, less what its own give it, is what the others give it: one convolution in place
    # of n. A place's own share is known exactly, because binning, convolving and reading are all linear.
    others = sample_linear(spread, snapped, grid=grid) - weight * _own_share(snapped, grid, weights)
    total = weight.sum()
    density_m2 = others / (total - weight) / cell**2
    return float((weight * np.log(np.maximum(density_m2, 1 / (total * area)))).sum() / total)


def _own_share(places: Points, grid: Grid, weights: Values) -> Values:
    """Return what an incident of weight one adds at its own place after binning, convolving and reading linearly."""
    _, east, north = corners(places, grid)
    middle = weights.shape[0] // 2
    centre, side, corner = weights[middle, middle], weights[middle, middle + 1], weights[middle + 1, middle + 1]
    same_x, same_y = (1 - east) ** 2 + east**2, (1 - north) ** 2 + north**2
    other_x, other_y = 1 - same_x, 1 - same_y
    share: Values = same_x * same_y * centre + (other_x * same_y + same_x * other_y) * side + other_x * other_y * corner
    return share
