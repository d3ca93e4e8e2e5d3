"""Change: the words, the family, the breaks, the real counts; the two tests against SciPy and statsmodels."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.aggregate.counts import sum_periods
from pipeline.domain.periods import Break, Period, windows
from pipeline.errors import InputError
from pipeline.statistics.change import (
    ChangeRules,
    ChangeWord,
    Comparison,
    against_rest,
    against_self,
    change,
    change_together,
    compare_windows,
)
from pipeline.statistics.uncertainty import Dispersion
from pipeline.statistics.window_counts import WindowCounts
from tests.kit.met_counts import BREAK, CATEGORY_IDS, met_area_months, met_areas

THIS, LAST = Period.parse("2024-08..2025-07"), Period.parse("2023-08..2024-07")
COVERED = {"first_date": date(2021, 8, 1), "last_date": date(2025, 7, 31)}
PLAIN = Comparison(LAST, THIS)
POISSON = Dispersion()
events = st.integers(0, 3000)


def table(pairs: list[tuple[int | None, int | None]], *, category: str = "all", level: str = "ward") -> pd.DataFrame:
    rows = [
        (f"{level[0].upper()}{i}", level, period.id, category, count)
        for i, pair in enumerate(pairs)
        for period, count in zip((LAST, THIS), pair, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["area_code", "level", "period", "category", "incidents"])
    return frame.astype({"incidents": "Int64"})


def steady(seed: int, areas: int = 60) -> list[tuple[int | None, int | None]]:
    rng = np.random.default_rng(seed)
    level = rng.uniform(30, 120, areas)
    return [(int(a), int(b)) for a, b in rng.poisson(np.column_stack([level, level]))]


def test_words_of_hand_made_wards() -> None:
    pairs = [(100, 180), (100, 40), (100, 101), (19, 90), (0, 0), *steady(1, 300)]
    found = change(table(pairs), PLAIN).table
    assert found["change_word"].tolist()[:5] == ["higher", "lower", "no clear change", "too few", "too few"]
    assert found["change_pct"].tolist()[:5] == [pytest.approx(80), pytest.approx(-60), pytest.approx(1), pd.NA, pd.NA]
    assert found["incidents_earlier"].tolist()[:4] == [100, 100, 100, 19]
    assert set(found["change_word"]) <= set(ChangeWord)


FAR = scipy.stats.chi2.isf(0.01, 1)
# What is left of the variance if nobody changed and the farthest 1 in 100 are left out.
LEFT = scipy.stats.chi2.expect(lambda x: x, (1,), ub=FAR, conditional=True)


def robust_by_hand(x1: np.ndarray, x2: np.ndarray) -> tuple[float, int]:
    """Huber's scale by a root finder, and the chi-squared of SciPy among the areas that are not far from it."""
    limit = 1.5**2
    expected = scipy.stats.chi2.expect(lambda x: np.minimum(x, limit), (1,))
    keep = np.ones(len(x1), dtype=bool)
    for _ in range(30):
        share = x2[keep].sum() / (x1 + x2)[keep].sum()
        squares = (x2 - (x1 + x2) * share) ** 2 / ((x1 + x2) * share * (1 - share))
        scale = scipy.optimize.brentq(lambda c, z=squares: np.minimum(z / c, limit).mean() - expected, 1e-3, 1e3)
        keep = squares <= FAR * max(scale, 1)
    chi2 = scipy.stats.chi2_contingency(np.column_stack([x1, x2])[keep], correction=False)
    return chi2.statistic / chi2.dof / LEFT, chi2.dof


def test_p_values_are_those_of_the_stated_test() -> None:
    """The dispersion of the wards that do not stand out, then a t test on the score, then SciPy's BH."""
    pairs = [(100, 180), (100, 40), (60, 75), (19, 90), *steady(2)]
    x1, x2 = np.array(pairs, dtype=float).T
    big = x1 + x2 >= 40
    raw, df = robust_by_hand(x1[big], x2[big])
    phi, d1, d2 = max(raw, 1.0), 366, 365
    z = (x2 * d1 - x1 * d2) / np.sqrt(phi * (x1 + x2) * d1 * d2)
    tested = x1 >= 20
    p = 2 * scipy.stats.t.sf(np.abs(z), df)[tested]
    done = change(table(pairs), PLAIN)
    assert done.table.loc[tested, "change_p"].to_numpy(float) == pytest.approx(p, rel=1e-8)
    assert done.table.loc[tested, "change_q"].to_numpy(float) == pytest.approx(scipy.stats.false_discovery_control(p))
    assert done.table.loc[~tested, ["change_p", "change_q", "change_pct"]].isna().all(axis=None)
    assert [f.tests for f in done.families] == [int(tested.sum())]
    assert done.spread["dispersion"].tolist() == pytest.approx([phi])
    assert done.spread["dispersion_from"].tolist() == ["these windows"]


def noisy(seed: int, *, areas: int, periods: list[Period], doubled: Period | None = None) -> pd.DataFrame:
    """Counts with a variance of 1.7 times the mean; in one window a tenth of the areas double."""
    rng = np.random.default_rng(seed)
    months = [windows("month", first=p.first_month, last=p.last_month) for p in periods]
    level = rng.uniform(3, 10, areas)
    frames = []
    for period, inside in zip(periods, months, strict=True):
        rate = level * np.where((np.arange(areas) < areas // 10) & (period == doubled), 2, 1)
        counts = np.array([rng.negative_binomial(rate / 0.7, 1 / 1.7) for _ in inside])
        for name, values in [(m.id, row) for m, row in zip(inside, counts, strict=True)] + [(period.id, counts.sum(0))]:
            codes = [f"W{i}" for i in range(areas)]
            frames.append(pd.DataFrame({"area_code": codes, "period": name, "incidents": values}))
    return pd.concat(frames).assign(level="ward", category="all").astype({"incidents": "Int64"})


def test_areas_that_changed_do_not_hide_behind_the_variation_they_make() -> None:
    first = LAST.shifted(-12)
    counts = noisy(3, areas=300, periods=[first, LAST, THIS], doubled=THIS)
    years = counts[counts["period"].isin([first.id, LAST.id, THIS.id])]
    pair = years[years["period"] != first.id]
    x1, x2 = (pair.loc[pair["period"] == p.id, "incidents"].to_numpy(float) for p in (LAST, THIS))
    pearson = scipy.stats.chi2_contingency(np.column_stack([x1, x2]), correction=False)
    assert pearson.statistic / pearson.dof > 3
    found = [
        change(counts, PLAIN),
        change(years, PLAIN, before=Comparison(first, LAST)),
        change(pair, PLAIN, before=Comparison(first, LAST)),
    ]
    spread = [f.spread.iloc[0] for f in found]
    sources = ["quarters of the windows", "earlier windows", "these windows"]
    assert [s["dispersion_from"] for s in spread] == sources
    assert [s["dispersion"] for s in spread] == [pytest.approx(1.7, rel=0.15)] * 3
    # With the dispersion known, 26 of the 30 that doubled would be found.
    d1, d2 = LAST.days, THIS.days
    z = (x2 * d1 - x1 * d2) / np.sqrt(1.7 * (x1 + x2) * d1 * d2)
    known = scipy.stats.false_discovery_control(2 * scipy.stats.norm.sf(np.abs(z))) <= 0.05
    for one in found:
        higher = (one.table["change_word"] == "higher").to_numpy()
        assert higher[:30].sum() >= known[:30].sum() - 3
        assert higher[30:].sum() <= 3


def test_a_comparison_across_a_break_says_nothing_of_the_usual_variation() -> None:
    first = LAST.shifted(-12)
    counts = noisy(4, areas=40, periods=[first, LAST, THIS])
    years = counts[counts["period"].isin([first.id, LAST.id, THIS.id])]
    broken = Comparison(first, LAST, "a break")
    assert change(years, PLAIN, before=broken).spread["dispersion_from"].tolist() == ["these windows"]


def test_windows_compared_together_are_one_family() -> None:
    """SciPy's adjustment of the tests of both windows together."""
    wards = table([(100, 165), *steady(11)])
    other = Comparison(LAST.shifted(-3), THIS.shifted(-3))
    shifted = wards.replace({LAST.id: other.earlier.id, THIS.id: other.later.id})
    one, two = change_together(WindowCounts.of(pd.concat([wards, shifted])), [(PLAIN, None), (other, None)])
    p = pd.concat([one.table["change_p"], two.table["change_p"]]).to_numpy(float)
    q = pd.concat([one.table["change_q"], two.table["change_q"]]).to_numpy(float)
    assert q == pytest.approx(scipy.stats.false_discovery_control(p))
    assert [f.tests for f in one.families] == [len(p)]


def test_counts_in_steps_serve_only_where_the_steps_are_small_beside_them() -> None:
    """Steps of 10 of counts under 20 are mostly equal: taken as they are they would seem not to vary at all."""
    rng = np.random.default_rng(12)
    level = np.repeat([14.0, 60.0], 60)
    pairs = [(int(a), int(b)) for a, b in rng.poisson(np.column_stack([level, level]))]
    exact = table(pairs)
    lower = exact["incidents"] // 10 * 10
    spread = change(exact.assign(incidents_lower=lower, incidents_upper=lower + 9), PLAIN).spread.iloc[0]
    assert spread["dispersion_df"] <= 60
    assert 1 <= spread["dispersion"] <= 1.7


@pytest.mark.slow
def test_the_family_holds_every_category() -> None:
    """A borderline change that stands alone does not stand among many quiet categories."""
    alone = table([(100, 165), *[(100, 100)] * 30])
    quiet = [table([(100, 100)] * 31, category=f"c{i}") for i in range(40)]
    first = change(alone, PLAIN, rules=ChangeRules(fdr_q=0.05)).table.iloc[0]
    many = change(pd.concat([alone, *quiet]), PLAIN, rules=ChangeRules(fdr_q=0.05))
    same = many.table[(many.table["area_code"] == "W0") & (many.table["category"] == "all")].iloc[0]
    assert (first["change_word"], same["change_word"]) == ("higher", "no clear change")
    assert same["change_p"] == first["change_p"]
    assert [f.tests for f in many.families] == [31 * 41]


def test_against_the_region_everything_that_rises_together_is_no_news() -> None:
    pairs = [(a, round(a * 1.5)) for a, _ in steady(4) if a is not None]
    pairs[0] = (100, 60)
    region = table([(sum(a for a, _ in pairs), sum(b for _, b in pairs))], level="region")
    found = change(pd.concat([region, table(pairs)]), PLAIN).table
    ward = found[found["level"] == "ward"]
    assert (ward["change_word"].iloc[1:] == "higher").mean() > 0.5
    assert ward["change_vs_region"].iloc[0] == "lower"
    assert set(ward["change_vs_region"].iloc[1:]) == {"no clear change"}
    assert found.loc[found["level"] == "region", "change_vs_region"].isna().all()


def test_against_the_region_means_against_the_rest_of_it() -> None:
    pairs = [(100, 180), *steady(5, 20)]
    whole = (sum(a or 0 for a, _ in pairs), sum(b or 0 for _, b in pairs))
    done = change(pd.concat([table([whole], level="region"), table(pairs)]), PLAIN)
    phi = done.spread.set_index("level").loc["ward"]
    chi2 = scipy.stats.chi2_contingency([[100, 180], [whole[0] - 100, whole[1] - 180]], correction=False).statistic
    row = done.table[done.table["area_code"] == "W0"].iloc[0]
    expected = 2 * scipy.stats.t.sf(np.sqrt(chi2 / phi["dispersion"]), phi["dispersion_df"])
    assert row["change_vs_region_p"] == pytest.approx(expected, rel=1e-8)


def test_withheld_and_uncovered_counts_stay_empty() -> None:
    found = change(table([(None, 50), (50, None), (None, None), (50, 55), *steady(6)]), PLAIN).table
    assert found[["change_pct", "change_word", "change_p", "change_vs_region"]].iloc[:3].isna().all(axis=None)
    assert found["change_word"].iloc[3] == "no clear change"


def test_a_ward_of_one_vintage_only_is_not_comparable() -> None:
    counts = table([(30, 90), (30, 90), *steady(7)])
    counts = counts[~((counts["area_code"] == "W0") & (counts["period"] == LAST.id))]
    found = change(counts, PLAIN, not_comparable=["W0", "W1"]).table
    assert found["change_word"].tolist()[:2] == ["not comparable"] * 2
    assert found[["change_pct", "change_p"]].iloc[:2].isna().all(axis=None)


def test_a_break_between_or_inside_makes_nothing_comparable() -> None:
    broken = compare_windows(THIS, **COVERED, breaks=[BREAK])
    assert broken.obstacle == BREAK.text
    found = change(table([(100, 300), (5, 9)]), broken).table
    assert found["change_word"].tolist() == ["not comparable"] * 2
    assert found["change_pct"].isna().all()
    assert compare_windows(THIS, **COVERED).obstacle == ""
    assert compare_windows(THIS, **COVERED, breaks=[Break(202308, "x")]).obstacle == ""
    july = Period(202507, 202507)
    assert compare_windows(july, **COVERED, breaks=[BREAK]).obstacle == ""


@pytest.mark.parametrize(
    ("later", "covered", "words"),
    [
        (THIS, {"first_date": date(2024, 8, 1), "last_date": date(2025, 7, 31)}, "begin on 2024-08-01"),
        (THIS, COVERED | {"last_date": date(2025, 7, 30)}, "12 months to July 2025 only in part"),
        (THIS, COVERED | {"missing": [202311]}, "12 months to July 2024 only in part"),
    ],
)
def test_one_period_only_a_partial_one_and_a_gap_are_told(later: Period, covered: dict, words: str) -> None:
    declared = compare_windows(later, **covered)
    assert words in declared.obstacle
    one = table([(None, 50)])
    assert change(one[one["period"] == THIS.id], declared).table["change_word"].tolist() == ["not comparable"]


def test_percentages_of_months_of_different_length_are_per_day() -> None:
    march, february = Period.parse("2025-03"), Period.parse("2025-02")
    counts = table([(280, 310), *steady(8)]).replace({THIS.id: march.id, LAST.id: february.id})
    found = change(counts, compare_windows(march, **COVERED, basis="previous")).table
    assert found["change_pct"].iloc[0] == pytest.approx(0)
    assert found["change_p"].iloc[0] == pytest.approx(1)
    assert PLAIN.same_months
    assert PLAIN.label == "12 months to July 2025 against 12 months to July 2024"


@pytest.mark.parametrize("later", [6_000_000, 5_995_000])
def test_a_29_february_makes_no_count_higher(later: int) -> None:
    """LAST has it. By days alone 6 million twice would be clearly higher: 16,400 more, 4.7 errors of 3,470."""
    assert (LAST.days, THIS.days) == (366, 365)
    found = change(table([(6_000_000, later), (6_000_000, 6_100_000), (6_000_000, 5_900_000)]), PLAIN).table
    assert found["change_word"].tolist() == ["no clear change", "higher", "lower"]
    assert found["change_p"].iloc[0] == 1
    steps = table([(6_000_000, later)]).assign(
        incidents_lower=lambda t: t["incidents"], incidents_upper=lambda t: t["incidents"] + 9
    )
    assert change(steps, PLAIN).table["change_word"].tolist() == ["no clear change"]


def test_a_region_takes_its_dispersion_from_its_months() -> None:
    rng = np.random.default_rng(9)
    months = windows("month", first=LAST.first_month, last=THIS.last_month)
    series = rng.negative_binomial(20.0, 0.1, len(months))
    frame = pd.DataFrame(
        {
            "area_code": "R0",
            "level": "region",
            "period": [m.id for m in months],
            "category": "all",
            "incidents": pd.array(series, dtype="Int64"),
        }
    )
    whole = table([(int(series[:12].sum()), int(series[12:].sum()))], level="region")
    done = change(pd.concat([whole, frame]), PLAIN)
    # Each month against the same month a year before; none of them stands out.
    chi2 = scipy.stats.chi2_contingency(np.column_stack([series[:12], series[12:]]), correction=False)
    assert done.spread["dispersion"].tolist() == pytest.approx([chi2.statistic / 11 / LEFT])
    assert done.spread["dispersion_df"].tolist() == [11]
    assert done.spread["dispersion_from"].tolist() == ["months of both windows"]
    half = Period(THIS.first_month, 202501), Period(202502, THIS.last_month)
    halves = pd.DataFrame({"area_code": "R0", "level": "region", "period": [h.id for h in half], "category": "all"})
    halves["incidents"] = pd.array([int(series[12:18].sum()), int(series[18:].sum())], dtype="Int64")
    other = change(pd.concat([halves, frame]), Comparison(*half))
    chi2 = sum(
        scipy.stats.chisquare(part, part.sum() * np.array(days) / sum(days)).statistic
        for part, days in (
            (series[12:18], [m.days for m in months[12:18]]),
            (series[18:], [m.days for m in months[18:]]),
        )
    )
    assert other.spread["dispersion"].tolist() == pytest.approx([chi2 / 10])
    assert other.spread["dispersion_from"].tolist() == ["months"]


def test_without_months_a_region_borrows_the_largest_and_without_areas_it_says_so() -> None:
    pairs = steady(10)
    whole = table([(sum(a or 0 for a, _ in pairs), sum(b or 0 for _, b in pairs))], level="region")
    spread = change(pd.concat([whole, table(pairs)]), PLAIN).spread.set_index("level")
    assert spread.loc["region", "dispersion_from"] == "level ward"
    assert spread.loc["region", "dispersion"] == spread.loc["ward", "dispersion"]
    assert change(whole, PLAIN).spread["dispersion_from"].tolist() == ["not estimated"]


def test_counts_that_cannot_be_compared_are_refused() -> None:
    counts = table([(30, 40)])
    with pytest.raises(InputError, match="hold no window"):
        change(counts[counts["period"] == LAST.id], PLAIN)
    with pytest.raises(InputError, match="two counts"):
        change(pd.concat([counts, counts]), PLAIN)


def by_quarter(data: pd.DataFrame) -> float:
    """Compute SciPy's chi-squared of wards by quarters inside each of the two years, over its degrees of freedom."""
    rows = data[(data["level"] == "ward") & (data["category"] == "all")]
    wide = rows.pivot_table(index="area_code", columns="month", values="incidents", aggfunc="sum", fill_value=0)
    statistic, dof = 0.0, 0
    for year in (LAST, THIS):
        months = wide.loc[:, year.first_month : year.last_month].to_numpy(float)
        quarters = months.reshape(len(months), 4, 3).sum(axis=2)
        chi2 = scipy.stats.chi2_contingency(quarters[quarters.sum(axis=1) >= 20])
        statistic, dof = statistic + chi2.statistic, dof + chi2.dof
    return statistic / dof


@pytest.mark.real
def test_met_changes_with_the_break_on_and_off(real_data: Path) -> None:
    areas = met_areas(real_data)
    spans = [LAST, THIS, *windows("month", first=LAST.first_month, last=THIS.last_month)]
    data = met_area_months(real_data)
    covered = areas.loc[areas["covered"], "area_code"].tolist()
    counts = sum_periods(data, spans, areas=areas, categories=CATEGORY_IDS, covered=covered)
    on = change(counts, compare_windows(THIS, **COVERED, breaks=[BREAK])).table
    assert set(on.loc[on["area_code"].isin(covered), "change_word"]) == {"not comparable"}
    assert on.loc[on["area_code"] == "E09000001", "change_word"].isna().all()
    done = change(counts, compare_windows(THIS, **COVERED))
    off = done.table.set_index(["area_code", "category"])
    london = off.loc[("E12000007", "all")]
    raw = data[(data["level"] == "region") & (data["category"] == "all")].set_index("month")["incidents"]
    one, other = raw.loc[202308:202407].sum(), raw.loc[202408:202507].sum()
    assert london["change_pct"] == pytest.approx((other / one - 1) * 100)
    assert london["change_word"] == "lower"
    spread = done.spread.set_index(["level", "category"])
    assert spread.loc[("ward", "all"), "dispersion_from"] == "quarters of the windows"
    assert spread.loc[("ward", "all"), "dispersion"] == pytest.approx(by_quarter(data), rel=0.1)
    assert spread.loc[("region", "all"), "dispersion_from"] == "months of both windows"
    ward = off[off["level"] == "ward"]
    assert set(ward["change_word"].dropna()) == {"lower", "no clear change", "too few"}
    assert (ward.loc[ward["incidents_earlier"] < 20, "change_word"] == "too few").all()


# The tests of two windows.


@given(events, events, st.integers(28, 400), st.integers(28, 400))
@settings(max_examples=60, deadline=None)
def test_against_self_is_the_score_test_of_two_poisson_rates(x2: int, x1: int, d2: int, d1: int) -> None:
    from statsmodels.stats.rates import test_poisson_2indep as two_rates

    p = against_self([x2], [x1], days_later=d2, days_earlier=d1, spread=POISSON)[0]
    if x1 + x2 == 0:
        assert p == 1
        return
    with np.errstate(divide="ignore"):  # the oracle also prints the ratio
        expected = two_rates(x2, d2, x1, d1, method="score", compare="ratio").pvalue
    assert p == pytest.approx(expected, rel=1e-8, abs=1e-14)


@given(st.integers(1, 500), st.integers(1, 500), st.floats(1.0, 8.0), st.integers(1, 700))
@pytest.mark.slow
def test_dispersion_scales_the_statistic_and_t_replaces_the_normal(x2: int, x1: int, phi: float, df: int) -> None:
    p = against_self([x2], [x1], days_later=365, days_earlier=365, spread=Dispersion(phi, phi, df))[0]
    z = (x2 - x1) / np.sqrt(phi * (x1 + x2))
    assert p == pytest.approx(2 * scipy.stats.t.sf(abs(z), df), rel=1e-6, abs=1e-14)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 9000), st.integers(1, 9000), st.floats(1.0, 5.0))
@settings(max_examples=60, deadline=None)
@pytest.mark.slow
def test_against_rest_is_the_chi_squared_of_the_table(x2: int, x1: int, r2: int, r1: int, phi: float) -> None:
    chi2 = scipy.stats.chi2_contingency([[x2, x1], [r2, r1]], correction=False)
    p = against_rest([x2], [x1], rest_later=[r2], rest_earlier=[r1], spread=POISSON)[0]
    assert p == pytest.approx(chi2.pvalue, rel=1e-6, abs=1e-14)
    wide = against_rest([x2], [x1], rest_later=[r2], rest_earlier=[r1], spread=Dispersion(phi, phi, 0))[0]
    assert wide == pytest.approx(scipy.stats.chi2.sf(chi2.statistic / phi, 1), rel=1e-6, abs=1e-14)


def test_empty_margins_prove_nothing() -> None:
    none = against_rest([0, 5], [0, 7], rest_later=[9, 0], rest_earlier=[4, 0], spread=POISSON)
    assert none.tolist() == [1, 1]
    with pytest.raises(InputError, match="length in days"):
        against_self([1], [1], days_later=0, days_earlier=30, spread=POISSON)


def test_the_test_keeps_its_level_on_overdispersed_counts() -> None:
    """Counts with twice the variance of chance: as Poisson, too many differ; with it, five in a hundred."""
    rng = np.random.default_rng(8)
    x1, x2 = rng.negative_binomial(40.0, 0.5, size=(2, 20_000))
    plain = against_self(x2, x1, days_later=365, days_earlier=365, spread=POISSON)
    right = against_self(x2, x1, days_later=365, days_earlier=365, spread=Dispersion(2.0, 2.0, 19_999))
    assert (plain < 0.05).mean() > 0.13
    assert (right < 0.05).mean() == pytest.approx(0.05, abs=0.006)


def test_nothing_is_compared_over_a_missing_month() -> None:
    covered = {"first_date": date(2023, 1, 1), "last_date": date(2024, 12, 31)}
    year = Period.parse("2024-01..2024-12")
    for month in (202306, 202406):
        obstacle = compare_windows(year, **covered, missing=[month]).obstacle
        assert f"June {month // 100} is missing or incomplete" in obstacle
    assert not compare_windows(
        Period.parse("2024-07..2024-12"), **covered, missing=[202406], basis="year_before"
    ).obstacle
