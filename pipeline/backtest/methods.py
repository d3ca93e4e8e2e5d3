"""The methods that are put to the test, each a function of the past alone."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from pipeline.backtest.study import Past
from pipeline.detect.clusters import dbscan
from pipeline.detect.gistar import gistar
from pipeline.detect.kde import density
from pipeline.geography.grid import Grid
from pipeline.geography.neighbours import lattice

__all__ = ["Method", "kde_method", "standard_methods"]

Scores = NDArray[np.float64]
CELLS_PER_BANDWIDTH = 5  # finer than the cells that are scored, so that a small bandwidth is no dot map


@dataclass(frozen=True, slots=True)
class Method:
    """A way to rank units.

    Attributes
    ----------
    name
        In words, for the table.
    mosaic
        ``"cells"`` or ``"areas"``: what it ranks.
    score
        From the past to one number per unit, highest first.
    """

    name: str
    mosaic: str
    score: Callable[[Past], Scores]


def standard_methods(*, eps_m: float, min_samples: int, areas: bool, population: bool) -> tuple[Method, ...]:
    """Return clusters, Gi*, grid count and, where there are areas, ward count and ward rate.

    Parameters
    ----------
    eps_m, min_samples
        For the clusters.
    areas, population
        Whether the study has areas, and whether they have residents.
    """

    def by_cluster(past: Past) -> Scores:
        return _clusters(past, eps_m=eps_m, min_samples=min_samples)

    methods = [
        Method("clusters", "cells", by_cluster),
        Method("Gi*", "cells", _gistar),
        Method("grid count", "cells", lambda past: past.counts["cells"].astype(np.float64)),
    ]
    if areas:
        methods.append(Method("ward count", "areas", lambda past: past.counts["areas"].astype(np.float64)))
    if areas and population:
        methods.append(Method("ward rate", "areas", _rate))
    return tuple(methods)


def kde_method(bandwidth_m: float, *, kernel: str = "quartic") -> Method:
    """Return kernel density with one bandwidth: expected incidents per square kilometre of each cell.

    Parameters
    ----------
    bandwidth_m
        In metres.
    kernel
        One of the kernels of `pipeline.detect.kde`.
    """

    def score(past: Past) -> Scores:
        grid = past.grid
        parts = max(1, ceil(grid.cell_m * CELLS_PER_BANDWIDTH / bandwidth_m))
        # One more cell all round, so that an incident on the outermost side still has four centres about it.
        rows, cols, side = grid.rows + 2, grid.cols + 2, grid.cell_m
        fine = Grid(grid.x0 - side, grid.y0 - side, side / parts, rows * parts, cols * parts)
        surface = density(past.points_m, grid=fine, bandwidth_m=bandwidth_m, kernel=kernel).density_per_km2
        means = surface.reshape(rows, parts, cols, parts).mean(axis=(1, 3))[1:-1, 1:-1]
        # Far from every incident the transform leaves noise of its own: level it, so that it ranks nothing.
        means = np.where(means < means.max() * 1e-9, 0.0, means)
        return np.asarray(means.ravel()[past.cell], dtype=np.float64)

    return Method(f"KDE {bandwidth_m:g} m", "cells", score)


def _clusters(past: Past, *, eps_m: float, min_samples: int) -> Scores:
    """Take hotspots as the map ranks them, by incidents; inside one, the cells with most of them first."""
    labels = dbscan(past.points_m, eps_m=eps_m, min_samples=min_samples).labels
    unit_of_cell = np.full(len(past.grid), -1, dtype=np.int64)
    unit_of_cell[past.cell] = np.arange(past.cell.size)
    clustered = labels >= 0
    unit, label = unit_of_cell[past.grid.cell_of(past.points_m[clustered])], labels[clustered]
    if not unit.size:
        return np.zeros(past.cell.size)
    size = np.bincount(label)
    held = np.bincount(unit, minlength=past.cell.size)
    largest = np.zeros(past.cell.size)
    np.maximum.at(largest, unit, size[label])
    return np.asarray(largest + held / (held.max() + 1.0), dtype=np.float64)


def _gistar(past: Past) -> Scores:
    inside = np.zeros(len(past.grid), dtype=bool)
    inside[past.cell] = True
    weights = lattice(inside.reshape(past.grid.shape))
    return gistar(past.counts["cells"], weights=weights, family="backtest", inference="analytic", min_units=2).z


def _rate(past: Past) -> Scores:
    people = past.population["areas"]
    counts = past.counts["areas"].astype(np.float64)
    if people is None:
        return np.zeros(counts.size)
    return np.divide(counts, people, out=np.zeros(counts.size), where=people > 0)
