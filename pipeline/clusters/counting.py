"""Which locations are core: at least `min_samples` incidents within eps, counted exactly."""

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.clusters.lattice import Lattice, expand
from pipeline.clusters.layers import Layer, settle, strips

__all__ = ["core_mask"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PAIRS_AT_ONCE = 1 << 16  # one batch of distances stays in the processor's cache
COARSEST = 6  # cells that eps reaches, at most, where whole cells are settled first


def core_mask(x: Floats, y: Floats, weights: Ints, *, eps_m: float, min_samples: int) -> Bools:
    """Say of every location whether the incidents within `eps_m` (itself included) reach `min_samples`.

    Sums over cells surely within and possibly within eps settle most locations without a distance: large cells first,
    then halves of those that are not settled. The locations that are left add the cells in between, the strip with
    most of them first, and drop out as soon as they are settled.
    """
    n = len(x)
    if n == 0 or int(weights.sum()) < min_samples:
        return np.zeros(n, dtype=bool)
    m, halvings = _fineness(min_samples / max(float(weights.mean()), 1.0))
    lattice = Lattice.over(x, y, side=eps_m / m, reach=m + 1)
    total = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(weights[lattice.order], out=total[1:])
    finest = Layer(lattice.occupied, total[lattice.cell_start], lattice.stride, m)
    core_cells, cells, lower, upper = settle(finest, coarser=halvings, min_samples=min_samples, things=n)
    core_sorted = np.repeat(core_cells, lattice.sizes)
    if len(cells):
        places = x[lattice.order], y[lattice.order], weights[lattice.order]
        repeats = lattice.sizes[cells]
        at, _ = expand(lattice.cell_start[cells], repeats)
        keys, sure, most = (np.repeat(a, repeats) for a in (lattice.cell_key[cells], lower, upper))
        rest = most - sure
        for shift, inner, outer in sorted(strips(m), key=_between):
            strip = keys + shift * lattice.stride
            for low, high in [(-outer, outer)] if inner < 0 else [(-outer, -inner - 1), (inner + 1, outer)]:
                starts = lattice.position(strip + low)
                lengths = lattice.position(strip + (high + 1)) - starts
                rest -= total[starts + lengths] - total[starts]
                sure += _within(places, at, starts=starts, lengths=lengths, eps2=eps_m * eps_m)
            open_ = (sure < min_samples) & (sure + rest >= min_samples)
            core_sorted[at[sure >= min_samples]] = True
            at, keys, sure, rest = at[open_], keys[open_], sure[open_], rest[open_]
            if not len(at):
                break
    core = np.empty(n, dtype=bool)
    core[lattice.order] = core_sorted
    return core


def _fineness(least_locations: float) -> tuple[int, int]:
    """Return how many cells eps reaches, and how often that halves on the way to the coarsest.

    About one location per cell where it is touch and go whether a location is core.
    """
    fine = min(math.sqrt(least_locations / math.pi), 64)
    halvings = max(math.floor(math.log2(fine / COARSEST)) + 1, 0)
    return max(round(fine / 2**halvings), 3) * 2**halvings, halvings


def _between(strip: tuple[int, int, int]) -> int:
    """Return how many cells of a strip are neither surely within eps nor beyond it, negative for sorting."""
    _, inner, outer = strip
    return -2 * (outer - inner) if inner >= 0 else -2 * outer - 1


def _within(places: tuple[Floats, Floats, Ints], at: Ints, *, starts: Ints, lengths: Ints, eps2: float) -> Ints:
    """Sum the weight of each range's places whose squared distance to the place `at` is at most `eps2`."""
    x, y, weights = places
    sums = np.zeros(len(at), dtype=np.int64)
    some = np.flatnonzero(lengths)
    ends = np.cumsum(lengths[some])
    first = 0
    while first < len(some):
        done = ends[first - 1] if first else 0
        last = max(int(np.searchsorted(ends, done + PAIRS_AT_ONCE, side="right")), first + 1)
        pick = some[first:last]
        members, stops = expand(starts[pick], lengths[pick])
        dx = x[members] - np.repeat(x[at[pick]], lengths[pick])
        dy = y[members] - np.repeat(y[at[pick]], lengths[pick])
        # Squared like scikit-learn's tree does, so that exact ties fall the same way.
        near = dx * dx + dy * dy <= eps2
        sums[pick] = np.add.reduceat(np.where(near, weights[members], 0), stops - lengths[pick])
        first = last
    return sums
