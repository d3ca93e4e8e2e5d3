"""Moran's I against esda, over random lattices and real counties."""

import contextlib

import numpy as np
import pandas as pd
import pytest

from pipeline.detect.gistar import local_moran
from pipeline.geography.neighbours import from_pairs, lattice


@pytest.mark.parametrize("rule", ["queen", "rook"])
@pytest.mark.slow
def test_local_i_and_quadrants_equal_esda(rule: str, conformance) -> None:
    import esda
    import libpysal

    worst = 0.0
    for seed, (rows, columns) in enumerate([(6, 9), (10, 10), (4, 20)]):
        values = np.random.default_rng(seed).gamma(2, 3, rows * columns)
        ours = local_moran(values, weights=lattice(np.ones((rows, columns)), rule=rule), family="x")
        w = libpysal.weights.lat2W(rows, columns, rook=rule == "rook")
        theirs = esda.Moran_Local(values, w, transformation="r", permutations=0)
        np.testing.assert_allclose(ours.i, theirs.Is, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(ours.quadrant, theirs.q)
        worst = max(worst, float(np.abs(ours.i - theirs.Is).max()))
    conformance(f"local I, largest difference, {rule} lattices", "esda.Moran_Local 2.9", "< 1e-09", worst)


@pytest.mark.slow
def test_permutation_p_equals_esda_within_its_noise(conformance) -> None:
    import esda
    import libpysal

    values = np.random.default_rng(8).gamma(2, 3, 100)
    ours = local_moran(values, weights=lattice(np.ones((10, 10))), family="x", seed=2)
    w = libpysal.weights.lat2W(10, 10, rook=False)
    theirs = esda.Moran_Local(values, w, transformation="r", permutations=49_999, seed=1, n_jobs=1)
    # esda folds to one tail; ours names both. 49,999 draws: five standard errors of twice a share are at most 0.023.
    expected = np.minimum(1, 2 * theirs.p_sim)
    conformance(
        "local I permutation p, mean over 100 cells", "esda.Moran_Local, doubled", expected.mean(), ours.p.mean()
    )
    np.testing.assert_allclose(ours.p, expected, atol=0.023)


def test_st_louis_homicide_rates(conformance) -> None:
    import esda
    import libpysal

    # Global I 0.244 is published in the docstring of esda.Moran (HR8893, stl.gal, row-standardised).
    rates = pd.read_csv(libpysal.examples.get_path("stl_hom.txt"), skiprows=1)["HR8893"].to_numpy()
    with contextlib.closing(libpysal.io.open(libpysal.examples.get_path("stl.gal"))) as file:
        w = file.read()
    order = {name: i for i, name in enumerate(w.id_order)}
    pairs = np.array([(order[a], order[b]) for a, others in w.neighbors.items() for b in others])
    weights = from_pairs(pairs[:, 0], pairs[:, 1], n=w.n, rule="given")
    local = local_moran(rates, weights=weights, family="counties")
    got = local.i.sum() / (w.n - 1) * w.n / (w.n - len(w.islands))  # the local statistics add up to the global
    conformance("Moran's I, St Louis homicide rates 1988-93", "esda.Moran docstring", 0.244, round(got, 3))
    assert round(got, 3) == 0.244
    theirs = esda.Moran_Local(rates, w, transformation="r", permutations=0)
    conformance("local I, St Louis, first 4 counties", "esda.Moran_Local", theirs.Is[:4], local.i[:4])
    np.testing.assert_allclose(local.i, theirs.Is, rtol=1e-9)


def test_sudden_infant_deaths_in_north_carolina(conformance) -> None:
    """Moran's I of SIDR74 is 0.248 in the documentation of esda.Moran (sids2.gal, row-standardised)."""
    import libpysal

    with contextlib.closing(libpysal.io.open(libpysal.examples.get_path("sids2.gal"))) as file:
        w = file.read()
    with contextlib.closing(libpysal.io.open(libpysal.examples.get_path("sids2.dbf"))) as table:
        rates = np.array(table.by_col("SIDR74"))
    order = {name: i for i, name in enumerate(w.id_order)}
    pairs = np.array([(order[a], order[b]) for a, others in w.neighbors.items() for b in others])
    local = local_moran(rates, weights=from_pairs(pairs[:, 0], pairs[:, 1], n=w.n, rule="given"), family="counties")
    got = round(local.i.sum() / (w.n - 1) * w.n / (w.n - len(w.islands)), 3)
    conformance("Moran's I, SIDS rates 1974", "esda.Moran docstring", 0.248, got)
    assert got == 0.248


def test_quadrants_of_desmith(conformance) -> None:
    import libpysal

    with contextlib.closing(libpysal.io.open(libpysal.examples.get_path("desmith.gal"))) as file:
        w = file.read()
    with contextlib.closing(libpysal.io.open(libpysal.examples.get_path("desmith.txt"))) as table:
        values = np.array(table.by_col["z"])
    order = {name: i for i, name in enumerate(w.id_order)}
    pairs = np.array([(order[a], order[b]) for a, others in w.neighbors.items() for b in others])
    weights = from_pairs(pairs[:, 0], pairs[:, 1], n=w.n, rule="given")
    got = local_moran(values, weights=weights, family="x", min_units=10).quadrant.tolist()
    expected = [4, 4, 4, 2, 3, 3, 1, 4, 3, 3]
    conformance("quadrants of local Moran's I, ten areas", "esda.Moran_Local docstring", expected, got)
    assert got == expected
