import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.detect.emerging import PATTERNS, classify, emerging, mann_kendall, scores_by_period
from pipeline.domain.periods import Break, Period, add_months
from pipeline.errors import InputError
from pipeline.geography.neighbours import contiguity, lattice

QUARTERS = [Period(m := add_months(202101, 3 * i), add_months(m, 2)) for i in range(12)]

# One hand-made history per class: codes over 12 periods, z in step with them.
HISTORIES = {
    "new": "0 0 0 0 0 0 0 0 0 0 0 2",
    "consecutive": "0 0 0 0 0 0 0 0 0 1 2 3",
    "intensifying": "1 1 1 1 2 2 2 2 3 3 3 3",
    "persistent": "3 3 3 3 3 3 3 3 3 3 3 3",
    "diminishing": "3 3 3 3 2 2 2 2 1 1 1 1",
    "sporadic": "0 0 2 0 0 3 3 0 0 0 0 2",
    "oscillating": "0 0 -2 0 0 3 3 0 0 0 0 2",
    "historical": "3 3 3 3 3 3 3 3 3 3 3 0",
    "no pattern": "0 3 3 0 0 2 0 0 3 0 0 0",
}


def history(text: str) -> np.ndarray:
    return np.array([int(c) for c in text.split()])


def test_eight_hand_made_series_give_the_eight_classes() -> None:
    codes = np.stack([history(t) for t in HISTORIES.values()])
    steps = np.arange(12) / 10
    z = codes.astype(float)
    z[list(HISTORIES).index("intensifying")] += steps
    z[list(HISTORIES).index("diminishing")] -= steps
    z[list(HISTORIES).index("persistent")] += 0.2 * (-1.0) ** np.arange(12)
    result = emerging(z, hotspot_class=codes, periods=QUARTERS)
    expected = [name if name == "no pattern" else f"{name} hot spot" for name in HISTORIES]
    assert list(result.pattern) == expected
    assert set(HISTORIES) == set(PATTERNS)
    mirrored = emerging(-z, hotspot_class=-codes, periods=QUARTERS)
    assert list(mirrored.pattern) == [e.replace("hot", "cold") for e in expected]
    assert result.frame()["emerging_class"].tolist() == expected
    assert result.frame().notna().all(axis=None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 0 0 0 0 0 0 0 0 0 1 1", "consecutive hot spot"),
        ("1 0 0 0 0 0 0 0 0 0 1 1", "sporadic hot spot"),
        ("0 1 1 1 1 1 1 1 1 1 1 1", "persistent hot spot"),  # 11 of 12 is over 90 %
        ("0 0 1 1 1 1 1 1 1 1 1 1", "consecutive hot spot"),  # 10 of 12 is under
        ("-1 0 0 0 0 0 0 0 0 0 0 1", "new hot spot"),  # never hot before, though once cold
        ("0 0 0 0 0 0 0 0 0 0 1 0", "no pattern"),
        ("1 1 1 1 1 1 1 1 1 1 1 -1", "historical hot spot"),  # also a new cold spot: hot comes first
        ("0 0 0 0 0 0 0 0 0 0 0 0", "no pattern"),
    ],
)
def test_edges_between_classes(text: str, expected: str) -> None:
    codes = history(text)[None, :]
    flat = mann_kendall(np.zeros((1, 12)))
    assert classify(codes, trend=flat) == (expected,)


def test_ninety_percent_is_reached_by_nine_of_ten() -> None:
    flat = mann_kendall(np.zeros((2, 10)))
    codes = np.array([[0] + [1] * 9, [0, 0] + [1] * 8])
    assert classify(codes, trend=flat) == ("persistent hot spot", "consecutive hot spot")


def test_a_stricter_level_counts_fewer_periods() -> None:
    codes = history("1 1 1 1 1 1 1 1 1 1 1 3")[None, :]
    flat = mann_kendall(np.zeros((1, 12)))
    assert classify(codes, trend=flat, level=3) == ("new hot spot",)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=4, max_size=30))
@pytest.mark.slow
def test_tau_and_s_equal_scipys(values: list[int]) -> None:
    trend = mann_kendall([values])
    by_pairs = sum(np.sign(values[j] - values[i]) for j in range(len(values)) for i in range(j))
    assert trend.s[0] == by_pairs
    theirs = scipy.stats.kendalltau(np.arange(len(values)), values).statistic if len(set(values)) > 1 else 0.0
    assert trend.tau[0] == pytest.approx(theirs, abs=1e-12)


def test_variance_with_ties_equals_all_orders() -> None:
    # Every order of 1 1 2 2 2 3 is equally likely without a trend: the variance of S over all of them is exact.
    from itertools import permutations

    values = [1, 1, 2, 2, 2, 3]
    s = [sum(np.sign(o[j] - o[i]) for j in range(6) for i in range(j)) for o in set(permutations(values))]
    spread = np.sqrt(np.mean(np.square(s)))
    trend = mann_kendall([values])
    assert trend.s[0] == 11
    assert trend.z[0] == pytest.approx((11 - 1) / spread, rel=1e-12)


def test_p_is_near_scipys_exact_p_without_ties() -> None:
    values = np.random.default_rng(3).normal(size=(20, 24)) + np.arange(24) * 0.05
    exact = [scipy.stats.kendalltau(np.arange(24), v, method="exact").pvalue for v in values]
    np.testing.assert_allclose(mann_kendall(values).p, exact, atol=0.01)


def test_a_flat_series_has_no_trend() -> None:
    trend = mann_kendall(np.ones((2, 12)))
    assert (trend.z == 0).all()
    assert (trend.p == 1).all()
    assert (trend.tau == 0).all()


def codes_for(periods: list[Period]) -> dict:
    zeros = np.zeros((3, len(periods)))
    return {"z": zeros, "hotspot_class": zeros, "periods": periods}


def test_too_few_periods_say_how_many_are_missing() -> None:
    result = emerging(**codes_for(QUARTERS[:4]))
    assert result.pattern == ()
    assert result.trend is None
    assert result.reason == "4 periods from Q1 2021 lie inside one recording system without a gap; 10 are needed."
    assert result.frame().empty
    assert emerging(**codes_for(QUARTERS[:1])).reason is not None
    assert emerging(**codes_for([])).reason == "There are no periods; 10 are needed."


def test_only_periods_after_the_last_break_count() -> None:
    # The fifth quarter, January to March 2022, is cut by a break in February: 7 of 12 remain.
    result = emerging(**codes_for(QUARTERS), breaks=[Break(202202, "new system")])
    assert result.reason is not None
    assert result.reason.startswith("7 periods from Q2 2022")
    assert result.notes == ("5 periods before or across the break of February 2022 were left out.",)
    early = emerging(**codes_for(QUARTERS), breaks=[Break(202107, "new system")])
    assert early.reason is None
    assert len(early.periods) == 10
    outside = emerging(**codes_for(QUARTERS), breaks=[Break(202101, "x"), Break(203001, "y")])
    assert len(outside.periods) == 12


def test_scores_before_the_break_change_nothing() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(5, 12))
    codes = rng.integers(-3, 4, (5, 12))
    arguments = {"periods": QUARTERS, "breaks": [Break(202107, "new system")]}
    one = emerging(z, hotspot_class=codes, **arguments)
    z[:, :2], codes[:, :2] = 9, 3
    assert emerging(z, hotspot_class=codes, **arguments).pattern == one.pattern


def test_a_gap_cuts_the_series() -> None:
    result = emerging(**codes_for(QUARTERS[:3] + QUARTERS[4:]))
    assert result.reason is not None
    assert result.reason.startswith("8 periods from Q1 2022")
    assert result.notes == ("3 periods before the gap that ends with Q1 2022 were left out.",)


def test_overlapping_periods_are_no_series() -> None:
    rolling = [Period(add_months(202001, i), add_months(202012, i)) for i in range(14)]
    result = emerging(**codes_for(rolling))
    assert result.reason == "The periods overlap or are out of order, so they are no series."
    assert emerging(**codes_for(QUARTERS[::-1])).reason == result.reason


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mann_kendall([[1, 2]]), "three or more"),
        (lambda: mann_kendall([[1, 2, np.nan]]), "missing"),
        (lambda: classify(np.zeros((2, 12)), trend=mann_kendall(np.zeros((3, 12)))), "3 trends"),
        (lambda: classify(np.zeros((3, 12)), trend=mann_kendall(np.zeros((3, 12))), level=4), "level 4"),
        (lambda: emerging(np.zeros((3, 5)), hotspot_class=np.zeros((3, 5)), periods=QUARTERS), "12 periods"),
    ],
)
def test_bad_input_is_one_clear_error(call, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()


def test_scores_by_period_are_gistar_of_each_column() -> None:
    from pipeline.detect.gistar import gistar

    rng = np.random.default_rng(0)
    weights = lattice(np.ones((10, 10)))
    counts = rng.poisson(3, (100, 12))
    people = rng.integers(500, 5_000, 100)
    panel = scores_by_period(counts, weights=weights, periods=QUARTERS, layer="cells, all", population=people)
    for i in (0, 11):
        alone = gistar(counts[:, i], weights=weights, family="x", population=people, inference="analytic")
        np.testing.assert_array_equal(panel.z[:, i], alone.z)
    assert panel.hotspot_class.shape == (100, 12)
    assert panel.defined.all()


def test_a_planted_riser_emerges() -> None:
    rng = np.random.default_rng(4)
    counts = rng.poisson(4, (12, 12, 12)).astype(float)
    counts[3:6, 3:6, 9:] += 12  # three by three cells, in the last three of twelve quarters
    counts[8:11, 8:11, :] += 14  # and a block that was always high
    panel = scores_by_period(
        counts.reshape(144, 12), weights=lattice(np.ones((12, 12))), periods=QUARTERS, layer="cells, all", seed=1
    )
    result = emerging(panel.z, hotspot_class=panel.hotspot_class, periods=QUARTERS)
    named = np.array(result.pattern).reshape(12, 12)
    assert named[4, 4] == "consecutive hot spot"
    assert named[9, 9] in {"persistent hot spot", "diminishing hot spot", "intensifying hot spot"}
    assert np.mean(named == "no pattern") > 0.6


def test_counts_must_have_a_column_for_each_period() -> None:
    with pytest.raises(InputError, match="12 periods"):
        scores_by_period(np.zeros((4, 3)), weights=lattice(np.ones((2, 2))), periods=QUARTERS, layer="x")


@pytest.mark.real
def test_london_wards_since_the_new_recording_system(real_data) -> None:
    import geopandas as gpd
    import pandas as pd

    wards = gpd.read_file(real_data / "boundaries" / "london_wards_WD25_bestfit_from_LSOA21.gpkg")
    wards = wards[wards["LAD25NM"] != "City of London"]
    rows = pd.read_csv(real_data / "mps_hate" / "mps_hate_crime_monthly_2021-08_2025-07.csv.gz", low_memory=False)
    rows = rows[(rows["crime_subtype"] == "Hate crime") & (rows["measure"] == "Offences")]
    table = rows.pivot_table(index="area_code", columns="month_year", values="count", aggfunc="sum", fill_value=0)
    counts = table.reindex(wards["WD25CD"], fill_value=0).to_numpy()
    months = [Period(m, m) for m in (int(c[:4]) * 100 + int(c[5:7]) for c in table.columns)]
    assert len(months) == 48
    weights = contiguity(wards.geometry.to_numpy())
    panel = scores_by_period(counts, weights=weights, periods=months, layer="wards, hate crime")
    result = emerging(
        panel.z, hotspot_class=panel.hotspot_class, periods=months, breaks=[Break(202403, "new recording system")]
    )
    assert result.reason is None
    assert len(result.periods) == 17
    central = wards["LAD25NM"].isin(["Westminster", "Camden"]).to_numpy()
    persistent = np.array(result.pattern) == "persistent hot spot"
    assert persistent[central].sum() >= 3
    assert persistent[~central].sum() <= 3
    assert result.notes == ("31 periods before or across the break of March 2024 were left out.",)
    quarters = [Period(m.first_month, add_months(m.first_month, 2)) for m in months[1::3]][:-1]
    short = emerging(
        np.zeros((3, 15)), hotspot_class=np.zeros((3, 15)), periods=quarters, breaks=[Break(202403, "new system")]
    )
    assert short.reason is not None
