import numpy as np
import pytest

from pipeline.detect.gistar import QUADRANTS, MoranClass, local_moran
from pipeline.errors import InputError
from pipeline.geography.neighbours import from_pairs, lattice

ROW = lattice(np.ones((1, 4)))
GRID = lattice(np.ones((12, 12), dtype=bool))


def field() -> np.ndarray:
    """High block at rows 2-5, a low hole in it at (3, 3), a lone high cell at (10, 10), flat noise elsewhere."""
    values = np.random.default_rng(1).poisson(3, (12, 12)).astype(float)
    values[1:6, 1:6] = 30
    values[3, 3] = 0
    values[7:12, 7:12] = 0
    values[9, 9] = 30
    return values.ravel()


def test_four_cells_in_a_row_by_hand() -> None:
    # Values 1 2 3 6, mean 3, z = -2 -1 0 3, sum z^2 = 14. Neighbour means of z: -1, -1, 1, 0.
    # I_i = 3 z_i mean_i / 14 = 6/14, 3/14, 0, 0. Global: sum z_i mean_i / 14 = (2 + 1) / 14.
    result = local_moran([1, 2, 3, 6], weights=ROW, family="x", min_units=1)
    np.testing.assert_allclose(result.i, [6 / 14, 3 / 14, 0, 0], atol=1e-15)
    assert result.quadrant.tolist() == [3, 3, 2, 4]
    assert result.i.sum() / 3 == pytest.approx(3 / 14)  # the local statistics add up to n - 1 times the global


def test_the_four_kinds_are_found() -> None:
    result = local_moran(field(), weights=GRID, family="x", alpha=0.05)
    kind = result.cluster.reshape(12, 12)
    assert kind[2, 2] == 1
    assert kind[3, 3] == 2
    assert kind[9, 9] == 4
    assert 3 in kind[7:, 7:]
    assert (result.cluster[result.q > 0.05] == 0).all()
    assert QUADRANTS[int(kind[9, 9])] is MoranClass.HIGH_LOW
    assert QUADRANTS[int(kind[3, 3])] == "LH"


@pytest.mark.parametrize("value", [0.0, 2.5])
def test_equal_values_give_a_stated_nothing(value: float) -> None:
    result = local_moran(np.full(144, value), weights=GRID, family="x")
    assert not result.defined.any()
    assert (result.i == 0).all()
    assert any("same value" in n for n in result.notes)
    assert (result.cluster == 0).all()


def test_islands_and_too_few_units_are_stated() -> None:
    weights = from_pairs(np.arange(58), np.arange(58) + 1, n=60, rule="a row and an island")
    result = local_moran(np.arange(60.0), weights=weights, family="x")
    assert result.defined.tolist() == [True] * 59 + [False]
    assert result.i[59] == 0
    assert result.quadrant[59] == 0
    assert any("1 units have no neighbours" in n for n in result.notes)
    few = local_moran(np.arange(4.0), weights=ROW, family="x")
    assert few.notes == ("Local Moran's I needs at least 50 units; there are 4.",)
    alone = local_moran(np.arange(60.0), weights=from_pairs([], [], n=60, rule="none"), family="x")
    assert not alone.defined.any()


def test_bad_values_are_refused() -> None:
    for call in (
        lambda: local_moran([1, np.nan, 2, 3], weights=ROW, family="x"),
        lambda: local_moran([1], weights=ROW, family="x"),
    ):
        with pytest.raises(InputError, match="one finite number"):
            call()


def test_the_same_seed_gives_the_same_p() -> None:
    one, two = (local_moran(field(), weights=GRID, family="x", permutations=999, seed=3).p for _ in range(2))
    np.testing.assert_array_equal(one, two)
