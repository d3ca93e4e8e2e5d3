"""Rates, smoothing, the funnel, and the words for weak numbers."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.aggregate.counts import sum_periods
from pipeline.domain.periods import Period, windows
from pipeline.errors import InputError
from pipeline.statistics.rates import (
    RateRules,
    add_rates,
    denominators,
    dispersions,
    empirical_bayes,
    local_empirical_bayes,
)
from tests.kit.met_counts import CATEGORY_IDS, ID_OF, met_area_months, met_areas

YEAR = "2024-08..2025-07"
NUMBERS = ["rate_per_10000", "rate_low", "rate_high", "rate_smoothed"]


def table(
    events: list[int | None], *, period: str = YEAR, category: str = "all", region: int | None = 600
) -> pd.DataFrame:
    codes = ["R", *(f"W{i}" for i in range(len(events)))]
    return pd.DataFrame(
        {
            "area_code": codes,
            "level": ["region", *["ward"] * len(events)],
            "period": period,
            "category": category,
            "incidents": pd.array([region, *events], dtype="Int64"),
        }
    )


def people(values: list[int | None], *, region: int = 100_000) -> pd.DataFrame:
    codes = ["R", *(f"W{i}" for i in range(len(values)))]
    return pd.DataFrame({"area_code": codes, "population": pd.array([region, *values], dtype="Int64")})


def wards(rated: pd.DataFrame) -> pd.DataFrame:
    return rated[rated["level"] == "ward"].reset_index(drop=True)


def test_a_rate_is_events_per_ten_thousand_with_its_exact_interval() -> None:
    rated = wards(add_rates(table([100, 0, 25]), people([18_000, 12_000, 9_000])))
    assert rated["rate_per_10000"].tolist() == pytest.approx([100 / 1.8, 0, 25 / 0.9])
    low = [scipy.stats.chi2.ppf(0.025, 200) / 2 / 1.8, 0, scipy.stats.chi2.ppf(0.025, 50) / 2 / 0.9]
    high = [scipy.stats.chi2.ppf(0.975, 2 * x + 2) / 2 / n for x, n in ((100, 1.8), (0, 1.2), (25, 0.9))]
    assert rated["rate_low"].tolist() == pytest.approx(low)
    assert rated["rate_high"].tolist() == pytest.approx(high)


def test_another_base() -> None:
    rated = wards(add_rates(table([100]), people([20_000]), rules=RateRules(base=1000)))
    assert rated["rate_per_10000"].tolist() == [5.0]


def test_weak_numbers_are_said_in_words() -> None:
    rated = wards(add_rates(table([0, 1, 9, 10, 19, 20, None]), people([10_000] * 7)))
    assert rated["reliability"].tolist() == [
        *["too few to say"] * 3, "unreliable", "unreliable", "", pytest.approx(np.nan, nan_ok=True)
    ]  # fmt: skip
    assert rated["rate_per_10000"].tolist() == [0, pd.NA, pd.NA, 10, 19, 20, pd.NA]
    assert rated["rate_note"].tolist() == ["", "too few to say", "too few to say", "", "", "", "no count"]


def test_nobody_living_there_gives_no_rate_and_no_infinity() -> None:
    rated = wards(add_rates(table([30, 30, 30, 30]), people([0, None, 10_000]), visitor_areas=["W2"]))
    assert rated["rate_note"].tolist() == ["no population", "no population", "visitors dominate", "no population"]
    assert rated[NUMBERS].isna().all(axis=None)
    assert rated["funnel_class"].isna().all()


def test_visitor_areas_have_rates_against_other_denominators() -> None:
    counts = pd.concat([table([40, 40]), table([40, 40], category="theft")], ignore_index=True)
    workday = people([50_000, 80_000]).assign(category="theft", measure="workday population")
    both = pd.concat([people([10_000, 20_000]).assign(category=None, measure="residents"), workday], ignore_index=True)
    rated = wards(add_rates(counts, both, visitor_areas=["W1"]))
    assert rated["rate_per_10000"].tolist() == [40, pd.NA, 8, 5]


def test_a_category_with_its_own_denominator_never_borrows_the_other() -> None:
    own = people([None]).assign(category="all", measure="workday population")
    general = people([10_000]).assign(category=None, measure="residents")
    rated = wards(add_rates(table([40]), pd.concat([general, own.astype(general.dtypes.to_dict())])))
    assert rated["rate_note"].tolist() == ["no population"]


@pytest.mark.parametrize(
    ("population", "words"),
    [(pd.concat([people([10]), people([10])]), "two denominators"), (people([-5]), "negative")],
)
def test_impossible_populations_are_refused(population: pd.DataFrame, words: str) -> None:
    with pytest.raises(InputError, match=words):
        add_rates(table([10]), population)


def test_the_region_counts_the_residents_of_its_covered_boroughs() -> None:
    areas = pd.DataFrame(
        {
            "area_code": ["R", "B1", "B2", "CITY", "W1"],
            "level": ["region", "borough", "borough", "borough", "ward"],
            "population": pd.array([999, 100, 200, 9, 50], dtype="Int64"),
            "covered": [True, True, True, False, True],
        }
    )
    found = denominators(areas)
    assert found["population"].tolist() == [300, 100, 200, pd.NA, 50]
    missing = denominators(areas.assign(population=pd.array([999, 100, None, 9, 50], dtype="Int64")))
    assert missing["population"].tolist() == [pd.NA, 100, pd.NA, pd.NA, 50]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_smoothing_is_that_of_esda(seed: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from esda.smoothing import Empirical_Bayes

    rng = np.random.default_rng(seed)
    population = rng.integers(500, 30_000, 40).astype(float)
    events = rng.poisson(population * rng.gamma(3.0, 0.001, 40)).astype(float)
    expected = Empirical_Bayes(events, population).r.ravel()
    rates, mean = empirical_bayes(events, population), events.sum() / population.sum()
    between = (population * (events / population - mean) ** 2).sum() / population.sum() - mean / population.mean()
    assert rates == pytest.approx(expected if between > 0 else np.full(40, mean), rel=1e-9)


def test_smoothing_where_chance_explains_everything() -> None:
    assert empirical_bayes([10, 10, 10], [100, 100, 100]) == pytest.approx([0.1] * 3)
    assert empirical_bayes([0, 0], [100, 50]).tolist() == [0, 0]
    with pytest.raises(InputError):
        empirical_bayes([1], [0])


def test_smoothing_leaves_out_areas_without_a_rate() -> None:
    events, residents = [60, 10, 5, 33, 12, 900, 40], [9000, 8000, 12_000, 7000, 10_000, 2000, 0]
    rated = wards(add_rates(table(events), people(residents), visitor_areas=["W5"]))
    assert rated["rate_smoothed"].tolist()[:5] == pytest.approx(empirical_bayes(events[:5], residents[:5]) * 1e4)
    assert rated["rate_smoothed"].isna().tolist() == [False] * 5 + [True] * 2
    assert rated.loc[2, "rate_note"] == "too few to say"
    assert add_rates(table(events), people(residents), smooth=False)["rate_smoothed"].isna().all()


def test_the_funnel_is_drawn_round_the_region() -> None:
    """60 are expected everywhere; Poisson limits of 60 are 46 and 77 (95 %), 39 and 87 (99.8 %), from SciPy."""
    inner, outer = scipy.stats.poisson.ppf([0.025, 0.975], 60), scipy.stats.poisson.ppf([0.001, 0.999], 60)
    events = [int(outer[1]) + 2, int(inner[1]) + 2, 60, int(inner[0]) - 2, int(outer[0]) - 2]
    spread = pd.DataFrame({"level": ["ward"], "category": ["all"], "months": [12], "dispersion": [1.0]})
    rated = add_rates(table(events), people([10_000] * 5), spread=spread)
    assert wards(rated)["funnel_class"].tolist() == ["high_998", "high_95", "within", "low_95", "low_998"]
    assert rated.loc[rated["level"] == "region", "funnel_class"].isna().all()
    wide = add_rates(table(events), people([10_000] * 5), spread=spread.assign(dispersion=20.0))
    assert set(wards(wide)["funnel_class"]) == {"within"}


def test_without_the_region_there_is_no_funnel() -> None:
    assert add_rates(table([30], region=None), people([10_000]))["funnel_class"].isna().all()
    with pytest.raises(InputError, match="two regions"):
        add_rates(pd.concat([table([]), table([]).assign(area_code="W0")]), people([10_000]))


def years(seed: int, *, areas: int = 40, factor: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    level = rng.gamma(5.0, 8.0, areas)
    frames = []
    for year in range(2021, 2025):
        period = f"{year}-08..{year + 1}-07"
        events = rng.poisson(level) if factor == 1 else rng.negative_binomial(level / (factor - 1), 1 / factor)
        frames.append(table([int(e) for e in events], period=period, region=int(events.sum())))
    return pd.concat(frames, ignore_index=True)


def test_dispersion_is_estimated_from_areas_by_windows() -> None:

    counts = years(3, factor=2.5)
    found = dispersions(counts).set_index("level")
    wide = counts[counts["level"] == "ward"].pivot_table(index="area_code", columns="period", values="incidents")
    chi2 = scipy.stats.chi2_contingency(wide.to_numpy(float), correction=False)
    assert found.loc["ward", "dispersion"] == pytest.approx(chi2.statistic / chi2.dof)
    assert found.loc["ward", "dispersion_from"] == "own"
    assert found.loc["region", "dispersion"] == found.loc["ward", "dispersion"]
    assert found.loc["region", "dispersion_from"] == "level ward"
    assert 1.5 < found.loc["ward", "dispersion"] < 3.5


def test_dispersion_leaves_out_partial_windows_overlap_and_missing_counts() -> None:
    counts = years(5, factor=2.0).assign(complete=True)
    rolling = counts[counts["period"] == YEAR].assign(period="2024-05..2025-04", incidents=7)
    partial = counts[counts["period"] == YEAR].assign(period="2025-08..2026-07", incidents=1, complete=False)
    holed = pd.concat([counts, rolling, partial], ignore_index=True)
    same = dispersions(holed)["dispersion"].tolist()
    assert same == dispersions(counts)["dispersion"].tolist()
    holed.loc[(holed["area_code"] == "W0") & (holed["period"] == YEAR), "incidents"] = pd.NA
    without = dispersions(counts[counts["area_code"] != "W0"])["dispersion"].tolist()
    assert dispersions(holed)["dispersion"].tolist() == without


def test_one_period_cannot_show_its_dispersion_and_says_so() -> None:
    found = dispersions(table([30, 40, 50, 60, 70]))
    assert set(found["dispersion_from"]) == {"not estimated"}
    assert found["dispersion"].tolist() == [1.0, 1.0]
    assert found["dispersion_df"].tolist() == [0, 0]


def test_the_callers_counts_stay_as_they_were() -> None:
    counts = table([30, 5])
    before = counts.copy()
    rated = add_rates(counts, people([10_000, 10_000]))
    pd.testing.assert_frame_equal(counts, before)
    pd.testing.assert_frame_equal(rated[counts.columns.tolist()], before)


def test_released_counts_alone_decide() -> None:
    """A withheld count must leave no trace in the numbers of its neighbours: other values behind it, same output."""
    shown: list[int | None] = [60, 10, None, 33, 12, 40, 25]
    population = people([9000, 8000, 12_000, 7000, 10_000, 15_000, 11_000])
    rated = add_rates(table(shown), population)
    hidden = rated["area_code"] == "W2"
    assert rated.loc[hidden, [*NUMBERS, "funnel_class", "reliability"]].isna().all(axis=None)
    without = add_rates(table(shown)[lambda t: t["area_code"] != "W2"], population)
    pd.testing.assert_frame_equal(rated[~hidden].reset_index(drop=True), without.reset_index(drop=True))


@pytest.mark.real
def test_met_rates_over_the_headline_year(real_data: Path) -> None:
    """Counts against the separate file of twelve-month totals; rates against plain division."""
    areas = met_areas(real_data)
    periods = windows("fixed", first=202108, last=202507)
    counts = sum_periods(
        met_area_months(real_data),
        periods,
        areas=areas,
        categories=CATEGORY_IDS,
        covered=areas.loc[areas["covered"], "area_code"].tolist(),
    )
    rated = add_rates(counts, denominators(areas))
    year = rated[rated["period"] == YEAR].set_index(["area_code", "category"])
    published = pd.read_csv(real_data / "mps_hate" / "borough_strand_totals_2024-08_2025-07.csv")
    for row in published[published["area_code"].str.startswith("E09")].to_dict("records"):
        for label in ("Hate crime", "Racist Crime", "Transphobic Crime", "AntiSemitic"):
            assert year.loc[(row["area_code"], ID_OF[label]), "incidents"] == row[label]
    assert year.loc[("E09000001", "all"), "rate_note"] == "no count"
    london = year.loc[("E12000007", "all")]
    covered = areas[areas["covered"] & (areas["level"] == "borough")]
    assert london["rate_per_10000"] == pytest.approx(london["incidents"] / covered["population"].sum() * 1e4)
    assert london["incidents_unplaced"] == 0
    spread = dispersions(counts).set_index(["level", "category"])["dispersion"]
    assert 1.5 <= spread["ward", "all"] <= 2.0  # the method text says 1.5 to 1.8 for ward-years
    assert year.loc[year["level"] == "ward", "funnel_class"].value_counts().min() > 0
    whole = rated[(rated["level"] == "region") & (rated["category"] == "all")]
    strands = rated[(rated["level"] == "region") & ~rated["category"].isin(["all"])]
    assert strands["incidents"].sum() > whole["incidents"].sum()  # strands overlap: their sum is no total


@pytest.mark.real
def test_met_totals_over_the_whole_file(real_data: Path) -> None:
    """95,668 offences and 10,572 positive outcomes, borough rows with and without a code."""
    counts = sum_periods(
        met_area_months(real_data),
        [Period(202108, 202507)],
        areas=met_areas(real_data),
        categories=["all"],
    ).set_index("area_code")
    assert counts.loc["E12000007", "incidents"] == 95_668
    assert counts.loc["E12000007", "positive_outcomes"] == 10_572


def test_a_category_of_its_own_is_summed_up_and_the_others_keep_residents() -> None:
    areas = pd.DataFrame(
        {
            "area_code": ["R", "A", "B", "A1", "A2", "B1"],
            "level": ["region", "borough", "borough", "ward", "ward", "ward"],
            "parent_code": [None, "R", "R", "A", "A", "B"],
            "population": pd.array([60, 30, 30, 10, 20, 30], dtype="Int64"),
            "covered": True,
        }
    )
    own = pd.DataFrame(
        {"area_code": ["A1", "A2", "B1"], "category": "theft", "population": [1000, 2000, 3000], "measure": "workday"}
    )
    found = denominators(areas, own).set_index(["category", "area_code"])["population"]
    assert found.loc["theft"].to_dict() == {"R": 6000, "A": 3000, "B": 3000, "A1": 1000, "A2": 2000, "B1": 3000}
    gap = denominators(areas, own.iloc[:2]).set_index(["category", "area_code"])["population"]
    assert gap.loc[("theft", "A")] == 3000
    assert gap.loc["theft"].isna().to_dict() == {"R": True, "A": False, "B": True, "A1": False, "A2": False, "B1": True}


def test_a_window_that_the_data_covers_in_part_has_a_count_and_no_rate() -> None:
    counts = pd.DataFrame(
        {
            "area_code": list("ABCDEF"),
            "level": "ward",
            "period": "2024-01..2024-12",
            "category": "all",
            "incidents": pd.array([30, 40, 50, 60, 70, 80], dtype="Int64"),
            "complete": [True] * 5 + [False],
        }
    )
    people = pd.DataFrame({"area_code": list("ABCDEF"), "population": [1000] * 6})
    rated = add_rates(counts, people)
    assert rated["rate_note"].tolist() == ["", "", "", "", "", "incomplete period"]
    assert rated["incidents"].tolist() == [30, 40, 50, 60, 70, 80]
    assert rated.loc[5, ["rate_per_10000", "rate_low", "rate_high", "rate_smoothed", "funnel_class"]].isna().all()
    alone = add_rates(counts.iloc[:5], people)  # nor does it draw the others towards it
    assert rated["rate_smoothed"].tolist()[:5] == alone["rate_smoothed"].tolist()


@pytest.mark.parametrize("seed", [1, 2])
def test_local_smoothing_is_esdas(seed: int) -> None:
    """The spatial empirical Bayes rates of esda, on a chessboard with an island and an area without events."""
    from esda.smoothing import Spatial_Empirical_Bayes
    from libpysal.weights import W, lat2W
    from scipy import sparse

    rng = np.random.default_rng(seed)
    grid = lat2W(6, 6, rook=False)
    board = W({**grid.neighbors, 36: []}, silence_warnings=True)
    board.id_order = list(range(37))
    people = rng.integers(200, 9000, 37).astype(float)
    events = rng.poisson(people * rng.gamma(2.0, 0.004, 37)).astype(float)
    events[3] = 0
    matrix = sparse.csr_array(board.sparse)
    expected = Spatial_Empirical_Bayes(events, people, board).r.ravel()
    got = local_empirical_bayes(events, people, matrix)
    assert got == pytest.approx(expected, rel=1e-9)
    assert got[36] == pytest.approx(events[36] / people[36])
    assert local_empirical_bayes(np.zeros(37), people, matrix).tolist() == [0.0] * 37


def test_rates_are_smoothed_locally_among_the_areas_that_have_one() -> None:
    from scipy import sparse

    events, residents = [12, 30, 25, 40, 9, 18], [1000, 2000, 900, 3000, 800, 1500]
    ring = sparse.csr_array(np.roll(np.eye(6), 1, axis=1) + np.roll(np.eye(6), -1, axis=1))
    counts, persons = table(events), people(residents)
    codes = [f"W{i}" for i in range(6)]
    rated = wards(add_rates(counts, persons, neighbours={"ward": (codes, ring)}))
    assert rated["rate_smoothed_local"].tolist() == pytest.approx(
        local_empirical_bayes(events, residents, ring) * 10_000
    )
    # An area without a rate is nobody's neighbour.
    part = wards(add_rates(counts, persons, neighbours={"ward": (codes, ring)}, visitor_areas=codes[:1]))
    alone = local_empirical_bayes(events[1:], residents[1:], ring[1:][:, 1:])
    assert part["rate_smoothed_local"].isna().tolist() == [True] + [False] * 5
    assert part["rate_smoothed_local"].tolist()[1:] == pytest.approx(alone * 10_000)
    assert add_rates(counts, persons)["rate_smoothed_local"].isna().all()
