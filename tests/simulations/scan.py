"""How often the scans find a cluster: where there is none, where counts vary more than chance, where one is planted."""

import numpy as np
import numpy.typing as npt

from pipeline.detect.scan.space_time import space_time_scan
from pipeline.detect.scan.spatial import poisson_scan
from pipeline.statistics.uncertainty import dispersion as estimated

Floats = npt.NDArray[np.float64]
SIDE, STEP_M, MONTHS = 10, 500.0, 12
RADIUS_M = 1_500.0
PLACES = np.array([(x, y) for x in range(SIDE) for y in range(SIDE)], dtype=np.float64) * STEP_M
RANDOM_DATA_SETS = 99


def _drawn(rng: np.random.Generator, mean: Floats, dispersion: float) -> npt.NDArray[np.int64]:
    if dispersion == 1:
        return rng.poisson(mean).astype(np.int64)
    return rng.negative_binomial(mean / (dispersion - 1), 1 / dispersion).astype(np.int64)


def _planted(rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Choose a place and those next to it: five, or fewer at the edge."""
    return np.asarray(np.hypot(*(PLACES - PLACES[rng.integers(len(PLACES))]).T) <= STEP_M)


def simulate(*, risk: float, dispersion: float, runs: int, seed: int) -> dict[str, float]:
    """Return shares of runs in which each scan has a cluster at 5 %, and one that holds half of the planted places.

    Places differ (gamma, shape 4) and so do months; one of five places has `risk` times its cases, for the space-time
    scan in the last three months and for the spatial scan, whose population is known, in the whole year. The first
    estimates the dispersion, as runs do; the second takes cases as independent.
    """
    rng = np.random.default_rng(seed)
    tally = dict.fromkeys(("space_time", "space_time_there", "poisson", "poisson_there"), 0)
    for run in range(runs):
        people = rng.gamma(4.0, 0.25, len(PLACES))
        mean = 1.2 * people[:, None] * rng.uniform(0.7, 1.3, MONTHS)
        there = _planted(rng)
        wanted = set(np.flatnonzero(there).tolist())
        late = np.where(there[:, None] & (np.arange(MONTHS) >= MONTHS - 3), risk, 1.0)
        counts = _drawn(rng, mean * late, dispersion)
        found = space_time_scan(
            PLACES,
            counts=counts,
            dispersion=estimated(counts).value,
            max_radius_m=RADIUS_M,
            permutations=RANDOM_DATA_SETS,
            seed=run,
        ).clusters[:1]
        whole = _drawn(rng, mean.sum(axis=1) * np.where(there, risk, 1.0), dispersion)
        other = poisson_scan(
            PLACES, cases=whole, expected=people, max_radius_m=RADIUS_M, simulations=RANDOM_DATA_SETS, seed=run
        ).clusters[:1]
        for name, clusters in (("space_time", found), ("poisson", other)):
            significant = [c for c in clusters if c.p <= 0.05]
            tally[name] += bool(significant)
            tally[f"{name}_there"] += any(len(wanted & set(c.locations)) >= len(wanted) / 2 for c in significant)
    return {name: round(count / runs, 2) for name, count in tally.items()}


def main(runs: int) -> None:
    """Print all scenarios."""
    print(f"{len(PLACES)} places, {MONTHS} months, 1.2 cases a month and place, {RANDOM_DATA_SETS} random data sets")
    for risk, dispersion in ((1.0, 1.0), (1.0, 1.7), (1.5, 1.0), (2.0, 1.0), (3.0, 1.0), (3.0, 1.7)):
        print(f"risk {risk}, dispersion {dispersion}:", simulate(risk=risk, dispersion=dispersion, runs=runs, seed=19))
