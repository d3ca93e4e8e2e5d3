"""DBSCAN labels against scikit-learn: random inputs with ties and weights, and real months of London's crime."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.detect.clusters import dbscan

Record = Callable[[str, str, Any, Any], None]
SOURCE = "sklearn.cluster.DBSCAN with sample_weight"


def scikit_learn(
    points: np.ndarray, *, eps_m: float, min_samples: int, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.cluster import DBSCAN

    # Its tree compares squared distances as they are; under 12 points "auto" takes the expanded square, which rounds.
    model = DBSCAN(eps=eps_m, min_samples=min_samples, algorithm="kd_tree").fit(points, sample_weight=weights)
    core = np.zeros(len(points), dtype=bool)
    core[model.core_sample_indices_] = True
    return model.labels_, core


def a_town(rng: np.random.Generator) -> np.ndarray:
    """Lay clumps of several densities over scatter, one input in three on a 25 m lattice, with repeats."""
    n = int(rng.integers(50, 900))
    centres = rng.uniform(0, 3000, (5, 2))
    clumps = centres[rng.integers(0, 5, n)] + rng.normal(size=(n, 2)) * rng.choice([20, 60, 200], (n, 1))
    points = np.concatenate((clumps, rng.uniform(0, 3000, (n // 4, 2)))) + np.array([530_000.0, 180_000.0])
    if rng.random() < 1 / 3:
        points = np.round(points / 25) * 25
    return np.concatenate((points, points[rng.integers(0, len(points), n // 5)]))


@pytest.mark.slow
def test_labels_on_random_towns(conformance: Record) -> None:
    rng = np.random.default_rng(20240801)
    labels = cores = borders = points_seen = 0
    for _ in range(60):
        points = a_town(rng)
        points_seen += len(points)
        weights = rng.integers(0, 4, len(points)) if rng.random() < 0.5 else None
        settings = {"eps_m": float(rng.choice([25, 50, 125, 33.3])), "min_samples": int(rng.choice([3, 8, 20]))}
        expected, core = scikit_learn(points, weights=weights, **settings)
        found = dbscan(points, weights=weights, **settings)
        labels += int((found.labels == expected).sum())
        cores += int((found.core == core).sum())
        borders += int((~core & (expected >= 0)).sum())
    conformance("DBSCAN labels equal, 60 random towns", SOURCE, points_seen, labels)
    conformance("DBSCAN core flags equal, 60 random towns", SOURCE, points_seen, cores)
    assert labels == cores == points_seen
    assert borders > 1000  # the borders were put to the test


def projected(real_data: Path, months: tuple[str, ...]) -> np.ndarray:
    """Read one month or more of the Met's open data as British National Grid metres, each id once."""
    from pyproj import Transformer

    folder = real_data / "police_uk" / "met_2018"
    columns = ["id", "Longitude", "Latitude"]
    rows = pd.concat([pd.read_csv(folder / f"{month}-london-wards-street.csv.gz", usecols=columns) for month in months])
    rows = rows.drop_duplicates("id")
    to_grid = Transformer.from_crs("EPSG:4326", "EPSG:27700", always_xy=True)
    return np.column_stack(to_grid.transform(rows["Longitude"], rows["Latitude"]))


@pytest.mark.real
def test_labels_on_a_month_of_london(real_data: Path, conformance: Record) -> None:
    points = projected(real_data, ("2018-01",))
    assert len(points) > 50_000
    expected, core = scikit_learn(points, eps_m=150.0, min_samples=50)
    found = dbscan(points, eps_m=150.0, min_samples=50)
    conformance(
        "DBSCAN labels equal, London 2018-01 (150 m, 50)", SOURCE, len(points), (found.labels == expected).sum()
    )
    conformance("DBSCAN clusters, London 2018-01 (150 m, 50)", SOURCE, int(expected.max()) + 1, found.count)
    np.testing.assert_array_equal(found.labels, expected)
    np.testing.assert_array_equal(found.core, core)


@pytest.mark.real
def test_labels_on_a_hundred_thousand_points_of_london(real_data: Path, conformance: Record) -> None:
    points = projected(real_data, ("2018-02", "2018-03"))[:100_000]
    assert len(points) == 100_000
    # Scikit-learn holds every pair of neighbours, so it is given weighted distinct places; its labels are per place.
    places, first, inverse, counts = np.unique(
        points, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    by_first = np.argsort(first)
    expected, core = scikit_learn(places[by_first], eps_m=150.0, min_samples=50, weights=counts[by_first])
    back = np.argsort(by_first)[inverse]
    found = dbscan(points, eps_m=150.0, min_samples=50)
    conformance(
        "DBSCAN labels equal, 100,000 London points", SOURCE, len(points), int((found.labels == expected[back]).sum())
    )
    np.testing.assert_array_equal(found.labels, expected[back])
    np.testing.assert_array_equal(found.core, core[back])
