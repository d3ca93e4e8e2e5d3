"""Which bands of a Knox table count, and the cells in which recent incidents raise the risk, by hand."""

import numpy as np
import pytest

from pipeline.detect.knox import Knox, knox
from pipeline.detect.near_repeats import acting_bands, table_rows, zone_cells
from pipeline.geography.grid import Grid

EDGES, DAYS = (0.0, 1.0, 100.0, 200.0), (0.0, 8.0, 15.0)


def table(observed, expected, p, *, distances=EDGES, metric="euclidean") -> Knox:
    observed, expected = np.array(observed), np.array(expected, dtype=float)
    ratio = np.ma.MaskedArray(
        np.divide(observed, expected, out=np.zeros(observed.shape), where=expected > 0), mask=expected == 0
    )
    return Knox(
        distances, DAYS, observed, expected, ratio, np.array(p), "median", metric, 100, 99, 0, ()
    )  # fmt: skip


@pytest.mark.parametrize(
    ("observed", "p", "acting"),
    [
        pytest.param([[20, 20], [20, 10], [20, 20]], [[0.01] * 2] * 3, [[1, 1], [1, 0], [1, 0]], id="from the nearest"),
        pytest.param([[20, 20], [10, 20], [20, 20]], [[0.01] * 2] * 3, [[1, 1], [0, 0], [0, 0]], id="no gap"),
        pytest.param([[10, 20], [20, 20], [10, 10]], [[0.01] * 2] * 3, [[0, 0], [1, 1], [0, 0]], id="neighbours only"),
        pytest.param([[20, 20], [20, 20], [20, 20]], [[0.06] * 2] * 3, [[0, 0], [0, 0], [0, 0]], id="p too high"),
        pytest.param([[11, 12], [12, 11], [11, 11]], [[0.01] * 2] * 3, [[0, 0], [1, 0], [0, 0]], id="ratio too low"),
    ],
)
def test_bands_count_if_they_hang_together(observed, p, acting) -> None:
    assert acting_bands(table(observed, [[10, 10]] * 3, p)).astype(int).tolist() == acting


def test_few_pairs_and_none_expected_never_count() -> None:
    few = table([[4, 5], [9, 0], [0, 0]], [[1, 1], [0, 1], [1, 1]], [[0.01] * 2] * 3)
    assert not acting_bands(few).any()
    assert [row["ratio"] for row in table_rows("all", few, acting_bands(few))][:3] == [4.0, 5.0, None]


def test_a_zone_adds_what_is_still_to_come() -> None:
    # One cell holds everything. An incident is followed within 7 days at its place by (10 - 5)/100 others beyond
    # chance, within 100 m by (20 - 10)/100; the band has the days apart 0 to 7. On the day itself 7 of these 8 are
    # left, three days later 4.
    found = table([[10, 0], [20, 0], [0, 0]], [[5, 1], [10, 1], [1, 1]], [[0.01, 1], [0.01, 1], [1, 1]])
    acting = np.array([[True, False], [True, False], [False, False]])
    grid = Grid(0.0, 0.0, 1000.0, 2, 2)
    points = np.array([[500.0, 500.0], [1500.0, 500.0], [1500.0, 500.0], [500.0, 1500.0], [500.0, 1500.0]])
    zones = zone_cells(
        points, day=np.array([20, 20, 17, 12, 21]), on=20, table=found, acting=acting, grid=grid
    ).set_index("cell")
    assert zones.loc[0, "extra_incidents"] == pytest.approx(7 / 8 * (0.05 + 0.10))
    assert zones.loc[1, "extra_incidents"] == pytest.approx((7 + 4) / 8 * (0.05 + 0.10))
    assert zones["days_left"].to_dict() == {0: 7, 1: 7}  # eight days later, and after the last day, nothing
    assert zones["incidents"].to_dict() == {0: 1, 1: 2}
    assert set(zones["ratio"]) == {2.0}


@pytest.mark.parametrize(
    ("metric", "share"),
    [
        # A disc of radius 100 m has 31,416 m2, a square on its corner with this reach 20,000 m2; the cell has 10,000.
        pytest.param("euclidean", 10_000 / (np.pi * 100**2), id="straight"),
        pytest.param("manhattan", 10_000 / 20_000, id="by streets"),
    ],
)
def test_a_ring_is_spread_over_the_cells_by_its_shape(metric: str, share: float) -> None:
    distances = (0.0, 100.0)
    found = table([[20, 0]], [[10, 1]], [[0.01, 1]], distances=distances, metric=metric)
    grid = Grid(0.0, 0.0, 100.0, 11, 11)
    zones = zone_cells(
        np.array([[550.0, 550.0]]), day=np.array([5]), on=5, table=found, acting=np.array([[True, False]]), grid=grid
    ).set_index("cell")
    assert zones["extra_incidents"].sum() == pytest.approx(0.1 * 7 / 8)
    assert zones.loc[5 * 11 + 5, "extra_incidents"] / zones["extra_incidents"].sum() == pytest.approx(share, abs=0.03)


def test_pooling_makes_near_repeats_that_no_category_has() -> None:
    # Two categories without any link in place and time, one in the west in spring and one in the east in autumn.
    rng = np.random.default_rng(4)
    west, east = rng.uniform(0, 500, (150, 2)), rng.uniform(0, 500, (150, 2)) + np.array([5_000, 0])
    spring, autumn = rng.integers(0, 60, 150), rng.integers(200, 260, 150)
    single = [knox(p, days=d, permutations=99, seed=1) for p, d in ((west, spring), (east, autumn))]
    pooled = knox(np.concatenate([west, east]), days=np.concatenate([spring, autumn]), permutations=99, seed=1)
    assert not any(acting_bands(t).any() for t in single)
    assert pooled.p[1, 0] == 0.01
    assert acting_bands(pooled)[1:, 0].all()
