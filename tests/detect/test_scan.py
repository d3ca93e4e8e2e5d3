import math

import numpy as np
import pytest
from scipy import sparse

from pipeline.detect.scan import space_time_scan
from pipeline.detect.scan.space_time import shuffled_dates
from pipeline.errors import InputError
from pipeline.statistics.uncertainty import dispersion as estimate


def quiet_city() -> tuple[np.ndarray, np.ndarray]:
    """Six places 100 m apart in a row, four months; the first two places double in the last month."""
    points = np.stack([np.arange(6) * 100.0, np.zeros(6)], axis=1)
    return points, np.array([[2, 2, 2, 8], [2, 2, 2, 8], [5, 5, 5, 5], [4, 4, 4, 4], [3, 3, 3, 3], [3, 3, 3, 3]])


def test_the_city_worked_by_hand() -> None:
    # Cases: places 14 14 20 16 12 12 = 88; months 19 19 19 31 = 88.
    # Places 0 and 1 in month 3: c = 16, mu = 28 x 31 / 88 = 9.863636.
    # ln LR = 16 ln(16 / 9.863636) + 72 ln(72 / 78.136364) = 7.739745 - 5.888842 = 1.850903.
    # Rivals: place 0 alone (c = 8, mu = 4.931818): 8 ln 1.62212 + 80 ln 0.963064 = 3.869872 - 3.010826 = 0.859,
    # and no cylinder of other places has c above mu by as much: there c / mu is at most (1/4) / (19/88) = 1.158.
    points, counts = quiet_city()
    result = space_time_scan(points, counts=counts, max_radius_m=100, max_periods=2, permutations=99, seed=2)
    top = result.clusters[0]
    assert set(top.locations) == {0, 1}
    assert (top.first_period, top.last_period) == (3, 3)
    assert top.radius_m == 100
    assert top.observed == 16
    assert top.expected == pytest.approx(9.863636, abs=1e-6)
    assert top.log_ratio == pytest.approx(1.850903, abs=5e-6)
    assert top.log_ratio == pytest.approx(16 * math.log(16 / 9.8636364) + 72 * math.log(72 / 78.1363636))
    assert result.cases == 88


def test_a_place_or_a_month_that_is_always_busy_is_no_cluster() -> None:
    points = np.stack([np.arange(5) * 100.0, np.zeros(5)], axis=1)
    counts = np.outer([10, 1, 1, 1, 1], [1, 1, 4, 1])  # one busy place, one month busy everywhere
    result = space_time_scan(points, counts=counts, max_radius_m=200, permutations=19)
    assert result.clusters == ()
    assert any("than place and time alone explain" in n for n in result.notes)


def planted(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 5_000, (150, 2))
    counts = rng.poisson(2, (150, 12))
    near = np.argsort(np.hypot(*(points - points[0]).T))[:4]
    counts[near, 10:] += 9
    far = np.argsort(np.hypot(*(points - points[near[-1]] - 2_500).T))[:4]
    counts[far, 3:5] += 9
    return points, counts


@pytest.mark.slow
def test_an_outbreak_is_found_and_alive_only_if_it_reaches_the_last_period() -> None:
    points, counts = planted()
    back = space_time_scan(points, counts=counts, max_radius_m=800, permutations=99)
    assert len(back.clusters) >= 2
    assert {c.p for c in back.clusters[:2]} == {0.01}
    assert [(c.first_period, c.last_period) for c in back.alerts] == [(10, 11)]
    forward = space_time_scan(points, counts=counts, max_radius_m=800, permutations=99, prospective=True)
    assert all(c.last_period == 11 for c in forward.clusters)
    assert [set(c.locations) for c in forward.alerts] == [set(c.locations) for c in back.alerts]
    assert not space_time_scan(
        points, counts=counts[:, :10], max_radius_m=800, permutations=99, prospective=True
    ).alerts


def test_clusters_share_no_location() -> None:
    points, counts = planted()
    result = space_time_scan(points, counts=counts, max_radius_m=800, permutations=19, max_p=1.0)
    everyone = [i for c in result.clusters for i in c.locations]
    assert len(everyone) == len(set(everyone))
    assert [c.log_ratio for c in result.clusters] == sorted((c.log_ratio for c in result.clusters), reverse=True)


@pytest.mark.slow
def test_pure_noise_is_rarely_significant() -> None:
    ps = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        points, counts = rng.uniform(0, 1_000, (25, 2)), rng.poisson(1, (25, 6))
        result = space_time_scan(points, counts=counts, max_radius_m=300, permutations=19, seed=seed)
        ps.append(result.clusters[0].p)
    # Uniform on 0.05, 0.10 ... 1: mean 0.525 with standard error 0.046; four of them.
    assert abs(np.mean(ps) - 0.525) < 0.19
    assert np.mean(np.array(ps) <= 0.05) < 0.2


def test_series_trade_dates_and_places_and_periods_keep_their_totals() -> None:
    table = np.array([[4, 0, 1], [0, 3, 3], [2, 2, 0]])
    rng = np.random.default_rng(5)
    for dispersion in (1.0, 1.7, 50.0):
        for _ in range(20):
            moved = shuffled_dates(table, dispersion=dispersion, rng=rng)
            assert moved.sum(axis=0).tolist() == [6, 5, 4]
            assert moved.sum(axis=1).tolist() == [5, 6, 4]
    # Nearly all variance between series: each count is one, and only those of one size change places: the two threes of
    # the second place and the two twos of the third, which stay what they are; the four and the one have no partner.
    assert (shuffled_dates(table, dispersion=1e9, rng=rng) == table).all()


def test_shuffled_series_vary_as_much_as_the_counts() -> None:
    # 400 places of 3 incidents a month, negative binomial with variance 2 times the mean: Pearson's estimate of data
    # sets with shuffled dates is that of the data; of single incidents that are shuffled it is 1.
    rng = np.random.default_rng(3)
    table = rng.negative_binomial(3.0, 0.5, (400, 12)).astype(np.int64)
    given = estimate(table).raw
    assert given == pytest.approx(2.0, abs=0.15)
    found = [estimate(shuffled_dates(table, dispersion=given, rng=rng)).raw for _ in range(10)]
    assert np.mean(found) == pytest.approx(given, abs=0.1)
    assert estimate(shuffled_dates(table, dispersion=1.0, rng=rng)).raw == pytest.approx(1.0, abs=0.1)


@pytest.mark.slow
def test_size_is_kept_where_counts_vary_more_than_chance() -> None:
    found = {1.0: 0, 1.8: 0}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        points, counts = rng.uniform(0, 1_000, (25, 2)), rng.negative_binomial(1.25, 1 / 1.8, (25, 6))
        for dispersion in found:
            given = {"counts": counts, "max_radius_m": 300, "permutations": 19, "dispersion": dispersion}
            found[dispersion] += space_time_scan(points, **given, seed=seed).clusters[0].p <= 0.05
    # Five in a hundred are two of 40; seven or more would come by chance once in two hundred times.
    assert found[1.8] < 7
    assert found[1.0] > 20


@pytest.mark.slow
def test_sparse_counts_any_block_size_and_any_seed_order_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import pipeline.detect.scan.circles as module

    points, counts = planted()
    one = space_time_scan(points, counts=counts, max_radius_m=800, permutations=29, seed=4)
    monkeypatch.setattr(module, "ROWS_TIMES_PERIODS", 12 * 40)
    two = space_time_scan(points, counts=sparse.csr_array(counts), max_radius_m=800, permutations=29, seed=4)
    assert one == two


def test_all_cases_at_one_place_in_one_period_or_none_at_all_are_stated() -> None:
    points, counts = quiet_city()
    lone = np.zeros_like(counts)
    lone[0, 1] = 40
    one = space_time_scan(points, counts=lone, max_radius_m=500)
    assert one.clusters == one.alerts == ()
    assert any("1 locations alone hold more than 50%" in n for n in one.notes)
    assert any("one period" in n for n in one.notes)
    none = space_time_scan(points, counts=counts * 0, max_radius_m=500)
    assert none.notes == ("There are 0 cases: a scan needs at least two.",)
    month = counts * 0
    month[:, 2] = counts[:, 2]
    assert space_time_scan(points, counts=month, max_radius_m=500, permutations=9).clusters == ()


def test_three_cases_do_not_alarm() -> None:
    points, counts = quiet_city()
    few = np.zeros_like(counts)
    few[[0, 3, 5], [0, 1, 3]] = 1
    assert space_time_scan(points, counts=few, max_radius_m=100, permutations=99).alerts == ()


def test_few_permutations_say_how_low_p_can_fall() -> None:
    points, counts = quiet_city()
    result = space_time_scan(points, counts=counts, max_radius_m=100, permutations=9)
    assert any("cannot fall under 0.1" in n for n in result.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"points_m": np.zeros((5, 2))}, "one row per location"),
        ({"points_m": np.full((6, 2), np.nan)}, "finite"),
        ({"counts": np.zeros((6, 1))}, "two periods"),
        ({"counts": np.full((6, 4), 0.5)}, "whole numbers"),
        ({"counts": np.full((6, 4), -1)}, "whole numbers"),
        ({"max_share": 0.9}, "max_share is 0.9"),
        ({"max_periods": 5}, "1 to 4"),
        ({"permutations": 0}, "permutations 0"),
    ],
)
def test_bad_input_is_one_clear_error(change: dict, words: str) -> None:
    points, counts = quiet_city()
    with pytest.raises(InputError, match=words):
        space_time_scan(**({"points_m": points, "counts": counts, "max_radius_m": 100} | change))


def test_too_many_cylinders_are_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.detect.scan.space_time.MAX_CYLINDERS", 10)
    points, counts = quiet_city()
    with pytest.raises(InputError, match="join locations to larger cells"):
        space_time_scan(points, counts=counts, max_radius_m=100)
