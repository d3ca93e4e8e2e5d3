"""How often hotspots get small p-values, where incidents follow a smooth density and where clusters are planted."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.detect.hotspots.ranking import detect
from pipeline.detect.hotspots.stability import Background, monte_carlo_p, smoothed_background
from pipeline.geography.grid import Grid

Floats = npt.NDArray[np.float64]
SIDE_M = 10_000.0
INCIDENTS = 2_000
GRID = Grid.covering((0.0, 0.0, SIDE_M - 1, SIDE_M - 1), cell_m=250.0)
EVEN = Background(GRID.centres(), np.ones(len(GRID)), GRID.cell_m)
EPS_M = 200.0
SIMULATIONS = 39


def town(rng: np.random.Generator) -> Floats:
    """Draw incidents: half evenly, half round three centres with a standard deviation of 1.5 km; no street or shop."""
    places = [rng.uniform(0, SIDE_M, (INCIDENTS // 2, 2))]
    for centre in rng.uniform(2_500, 7_500, (3, 2)):
        places.append(centre + rng.normal(0, 1_500, (INCIDENTS, 2)))
        places[-1] = places[-1][((places[-1] > 0) & (places[-1] < SIDE_M)).all(axis=1)][: INCIDENTS // 6]
    return np.concatenate(places)


def simulate(*, planted: int, runs: int, seed: int, bandwidth_m: float = 3 * EPS_M) -> dict[str, float]:
    """Return shares of runs in which hotspots are significant at 5 %.

    `planted` incidents with a standard deviation of 80 m are added at one place. `any`: any hotspot, against the
    smoothed background; `any_even`: against an even one. `found`: the hotspot at the planted place. `others`:
    any hotspot that is not there.
    """
    rng = np.random.default_rng(seed)
    tally = dict.fromkeys(("hotspots", "any", "any_even", "found", "others"), 0.0)
    for _ in range(runs):
        at = rng.uniform(1_000, SIDE_M - 1_000, 2)
        points = np.concatenate([town(rng), at + rng.normal(0, 80, (planted, 2))])
        rows = pd.DataFrame(points, columns=["easting_m", "northing_m"]).assign(incidents=1)
        found = detect(
            rows, eps_m=EPS_M, min_samples="auto", method="dbscan", min_locations=5, max_hotspots=None, largest_pct=10
        )
        if not found.count or found.settings is None:
            continue
        size = np.bincount(found.member[found.member >= 0], minlength=found.count)
        middle = [np.hypot(*(found.places_m[found.member == h].mean(axis=0) - at)) for h in range(found.count)]
        there = (np.array(middle) <= EPS_M) & (planted > 0)
        smooth = smoothed_background(
            points,
            weights=np.ones(len(points)),
            grid=GRID,
            area_km2=np.full(len(GRID), 0.0625),
            bandwidth_m=bandwidth_m,
        )
        p, even = (
            monte_carlo_p(
                size,
                weights=np.ones(len(points), dtype=np.int64),
                background=background,
                settings=found.settings,
                simulations=SIMULATIONS,
                rng=rng,
            )
            <= 0.05
            for background in (smooth, EVEN)
        )
        tally["hotspots"] += found.count
        tally["any"] += bool(p.any())
        tally["any_even"] += bool(even.any())
        tally["found"] += bool((p & there).any())
        tally["others"] += bool((p & ~there).any())
    return {name: round(value / runs, 2) for name, value in tally.items()}


def main(runs: int) -> None:
    """Print all scenarios."""
    print(f"{INCIDENTS:,} incidents on 100 km2, {SIMULATIONS} simulations for each p, {runs} runs")
    for planted in (0, 20, 30, 40, 60):
        print(f"planted {planted}:", simulate(planted=planted, runs=runs, seed=19))
