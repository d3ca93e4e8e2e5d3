"""Concentration against published values and against robberies in London by hexagons."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.statistics.concentration import adjusted_gini, gini, jaccard, lasting

VIGNETTE = "lorenzgini 0.1.2, vignette (Steenbeek and Bernasco)"
ROBBERY = "robberies in London, 16,888 hexagons, two periods"


def test_published_gini_coefficients(conformance) -> None:
    for counts, ordinary, adjusted in (
        ([10, 8, 2] + [0] * 7, 0.78, 0.78),
        ([5, 2, 1] + [0] * 7, 0.8, 0.75),
    ):
        conformance(f"Gini and adjusted Gini of {counts[:3]} on 10", VIGNETTE, [ordinary, adjusted],
                    [gini(counts), adjusted_gini(counts)])  # fmt: skip
        assert gini(counts) == pytest.approx(ordinary)
        assert adjusted_gini(counts) == pytest.approx(adjusted)
    # A thousand units with 901 incidents; what the package calls unbiased is c / (c - 1) times the published formula.
    table = np.repeat([0, 1, 2, 3, 4, 5], [433, 325, 169, 58, 11, 4])
    got = adjusted_gini(table) * 901 / 900
    conformance("adjusted Gini of 901 incidents on 1,000, unbiased", VIGNETTE, 0.5255617, got)
    assert got == pytest.approx(0.5255617, abs=5e-8)


@pytest.mark.real
def test_robberies_in_london(real_data: Path, conformance) -> None:
    data = pd.read_csv(real_data / "place_evaluation" / "robbery_test_accuracy.csv")
    size = data["area"].to_numpy(float)
    found = lasting(
        data["crime_count_t1"],
        data["crime_count_t2"],
        sizes=size,
        top=lambda counts, sizes: (counts / counts.sum()) / (sizes / size.sum()) >= 10,
        draws=199,
        seed=1,
    )
    assert found is not None
    assert (found.units_then, found.units_now) == (240, 277)
    area_pct = found.share_then_pct / found.pai_then
    for quantity, expected, got in (
        ("units of PAI 10 and over", 240, found.units_then),
        ("their share of incidents, %", 28.05, found.share_then_pct),
        ("their share of the area, %", 1.421, area_pct),
        ("their PAI then", 19.744, found.pai_then),
        ("their PAI in the second period", 17.624, found.pai_now),
        ("RRI", 0.8926, found.rri.value),
        ("overlap of both selections (Jaccard)", 0.4814, found.overlap.value),
    ):
        conformance(quantity, ROBBERY, expected, got)
        assert got == pytest.approx(expected, rel=2.5e-4)
    # The two periods differ by more than chance: with one risk for both, more of the top units would be the same.
    assert found.overlap.low < 0.4814 < found.overlap.high < found.overlap.chance


def test_gini_lorenz_and_jaccard_of_random_counts(conformance) -> None:
    from sklearn.metrics import auc, jaccard_score

    rng = np.random.default_rng(9)
    counts = rng.negative_binomial(0.6, 0.2, 200)
    # Half the mean absolute difference of all pairs over the mean; and one less twice the area under the curve.
    pairs = np.abs(counts[:, None] - counts[None]).mean() / (2 * counts.mean())
    conformance("Gini of 200 units", "mean absolute difference of all pairs", pairs, gini(counts))
    assert gini(counts) == pytest.approx(pairs, rel=1e-12)
    rising = np.concatenate([[0.0], np.cumsum(np.sort(counts)) / counts.sum()])
    area = 1 - 2 * auc(np.linspace(0, 1, 201), rising)
    conformance("Gini of 200 units", "sklearn auc of the Lorenz curve", area, gini(counts))
    assert gini(counts) == pytest.approx(area, rel=1e-12)
    one, other = counts > 5, rng.permutation(counts) > 5
    expected = jaccard_score(one, other)
    conformance("Jaccard index of two selections", "sklearn jaccard_score", expected, jaccard(one, other))
    assert jaccard(one, other) == pytest.approx(expected, rel=1e-12)
