"""Which locations are core: at least `min_samples` incidents within eps, counted exactly."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.clusters.lattice import Lattice, expand

__all__ = ["core_mask"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PAIRS_AT_ONCE = 1 << 19  # bounds the memory of one batch of distances to about 100 MB
SLACK = 1e-6  # of a cell: far above the rounding of cell numbers, far below anything that costs time


def core_mask(x: Floats, y: Floats, weights: Ints, *, eps_m: float, min_samples: int) -> Bools:
    """Say of every location whether the incidents within `eps_m` (itself included) reach `min_samples`.

    Sums over cells surely within and possibly within eps settle most locations without a distance. The rest add the
    cells in between, nearest strip first, and drop out as soon as they are settled.
    """
    n = len(x)
    if n == 0 or int(weights.sum()) < min_samples:
        return np.zeros(n, dtype=bool)
    # About one location per cell where it is touch and go whether a location is core.
    fine = math.sqrt(min_samples / max(float(weights.mean()), 1.0) / math.pi)
    m = min(max(round(fine), 3), 64)
    lattice = Lattice.over(x, y, side=eps_m / m, reach=m + 1)
    strips = list(_strips(m))
    total = np.concatenate(([0], np.cumsum(weights[lattice.order])))

    def between(keys: Ints, low: int, high: int) -> Ints:
        return total[lattice.position(keys + (high + 1))] - total[lattice.position(keys + low)]

    lower = np.zeros(len(lattice.cell_key), dtype=np.int64)
    upper = np.zeros_like(lower)
    for shift, inner, outer in strips:
        keys = lattice.cell_key + shift * lattice.stride
        if inner >= 0:
            lower += between(keys, -inner, inner)
        upper += between(keys, -outer, outer)

    core_sorted = np.repeat(lower >= min_samples, lattice.sizes)
    cells = np.flatnonzero((lower < min_samples) & (upper >= min_samples))
    if len(cells):
        places = x[lattice.order], y[lattice.order], weights[lattice.order]
        at, _ = expand(lattice.cell_start[cells], lattice.sizes[cells])
        repeats = lattice.sizes[cells]
        keys, sure, most = (np.repeat(a[cells], repeats) for a in (lattice.cell_key, lower, upper))
        rest = most - sure
        for shift, inner, outer in strips:
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


def _strips(m: int) -> Iterator[tuple[int, int, int]]:
    """Yield (strip, inner, outer), nearest strip first: cells up to `inner` lie wholly within eps, past `outer` beyond.

    Cells have side eps / m. `inner` is -1 where no cell of the strip is surely within.
    """
    for shift in sorted(range(-m - 1, m + 2), key=abs):
        left = m * m * (1 - SLACK) - (abs(shift) + 1) ** 2
        inner = math.floor(math.sqrt(left)) - 1 if left >= 0 else -1
        gap = m * m * (1 + SLACK) - max(abs(shift) - 1, 0) ** 2
        yield shift, inner, math.floor(math.sqrt(gap)) + 1


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
