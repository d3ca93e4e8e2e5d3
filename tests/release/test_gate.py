"""The gate's own promises: nothing small is shown, sums hold, nothing depends on chance, shapes keep their rules."""

import dataclasses
import json
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.detect.streets.entry import hot_runs
from pipeline.errors import ConfigError
from pipeline.geography.levels_above import LevelsAbove
from pipeline.geography.ward_groups import group_wards
from pipeline.publish.exports.layers import area_layer
from pipeline.release.calendar import Before
from pipeline.release.earlier_releases import as_earlier_release
from pipeline.release.gate import Detected, examine, release
from pipeline.release.hotspots import Premises
from pipeline.release.patterns import Patterns
from pipeline.release.protect import known_cells
from pipeline.release.released import CategoryInfo, Released, bases_of
from pipeline.tables import CONCENTRATION, HOTSPOT_CORE_LAYER, NEAR_REPEATS
from tests.kit.gated import X0, Y0, config_of, detected_of, hotspot_of, planted, small

pytestmark = pytest.mark.slow

HEADLINE = "2024-01..2024-12"
PARTNER = {"name": "partner", "audience": "partner", "threshold": 5, "borough_period": "fixed"}
PUBLIC = {"name": "public", "audience": "public", "threshold": 10, "borough_period": "fixed"}
COUNTS = ("incidents", "incidents_unplaced", "positive_outcomes", "known_outcomes")


def let_out(detected: Detected, profile: dict[str, Any], *, secret: bytes = b"", **changes: Any) -> Released:
    config = config_of([profile], **{"detect": {"gistar": {"enabled": False}}, **changes})
    return release(detected, profile=config.profiles[0], config=config, secret=secret)


WHY = {"protection_reason": "the partners count on exact numbers"}
RULES: dict[str, dict[str, Any]] = {
    "partner": PARTNER,
    "public": PUBLIC,
    "suppress": {**PARTNER, "protection": "suppress", **WHY},
    "noise": {**PARTNER, "protection": "noise", **WHY},
    "quarters": {**PARTNER, "borough_period": "quarter", "measures": ["incidents"]},
}
RANGED = ("incidents", "positive_outcomes", "known_outcomes")


@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("seed", [3])
def test_nothing_small_is_shown_and_nothing_depends_on_chance(rule: str, seed: int) -> None:
    detected, rules = small(seed, mean=0.8, wards=3), RULES[rule]
    secret = b"sixteen bytes or more"
    one, two = (let_out(detected, rules, secret=secret) for _ in range(2))
    pd.testing.assert_frame_equal(one.counts, two.counts)
    assert json.dumps(one.record, sort_keys=True) == json.dumps(two.record, sort_keys=True)
    names = one.counts["not_offered"].str.split(";")
    for column in COUNTS:
        shown = one.counts[column].dropna().astype(int)
        assert not shown.between(1, rules["threshold"] - 1).any(), column
        gone = names.map(lambda w, c=column: c in w)
        assert one.counts.loc[gone, column].isna().all()
        if column in RANGED:
            assert one.counts.loc[gone, [f"{column}_lower", f"{column}_upper"]].isna().all(axis=None)
    assert one.counts["withheld"].equals(one.counts["not_offered"])
    assert one.info.audit == ("not audited: noise is experimental" if rule == "noise" else "passed")


@pytest.mark.parametrize("rule", ["partner", "public", "quarters"])
def test_every_count_is_the_step_it_lies_in(rule: str) -> None:
    """Of a single window; a longer one is the sum of the lowers to the sum of the uppers of its parts."""
    detected, step = small(3, mean=2.5, wards=5), RULES[rule]["threshold"]
    counts = let_out(detected, RULES[rule]).counts
    quarters, year = rule == "quarters", counts["period"].isin(["2023-01..2023-12", HEADLINE])
    parts = np.where(quarters & counts["level"].isin(["region", "borough"]) & year, 4, 1)
    groups = group_wards(detected.areas)
    months = detected.area_months
    for column in RANGED[: 1 if quarters else 3]:
        lower, upper = (counts[f"{column}_{end}"].astype("Float64") for end in ("lower", "upper"))
        given = lower.notna()
        assert given.any()
        assert ((upper - lower)[given] == (parts * (step - 1))[given]).all()
        assert (lower[given] % step == 0).all()
        middle = counts[column].astype("Float64")
        assert middle[given & (lower == 0)].isna().all()
        assert (middle == lower + (upper - lower + 1) // 2)[given & (lower > 0)].all()
        if column != "incidents":
            continue  # the latest months of a cohort's outcomes are left out
        for row in counts[given].itertuples():
            first, last = (int(m.replace("-", "")) for m in (row.period[:7], row.period[-7:]))
            inside = [w for w, group in groups.items() if group == row.area_code] or [row.area_code]
            mine = months[months["area_code"].isin(inside) & (months["category"] == row.category)]
            true = int(mine.loc[mine["month"].between(first, last), column].sum())
            assert getattr(row, f"{column}_lower") <= true <= getattr(row, f"{column}_upper")
    assert counts["incidents_unplaced"].isna().all()
    assert counts.loc[counts["level"] == "borough", "not_offered"].str.contains("incidents_unplaced").all()


def test_a_change_from_a_count_that_is_not_offered_is_not_offered() -> None:
    """Not "no earlier period": there is one, and its count may not be shown."""
    released = let_out(small(3, mean=0.8, wards=3), RULES["suppress"])
    info, counts = released.info, released.counts.set_index(["area_code", "category"])
    assert info.earlier is not None
    now = counts[counts["period"] == info.headline.id]
    then = counts[counts["period"] == info.earlier.id].reindex(now.index)
    hidden = then["not_offered"].fillna("").str.split(";").map(lambda names: "incidents" in names)
    shown = now["incidents"].notna() & now["change_word"].isna()
    assert (hidden & shown).any()
    named = now["not_offered"].str.split(";").map(lambda names: "change_pct" in names)
    assert named[hidden & shown].all()
    assert now.loc[named, "change_pct"].isna().all()


def test_a_break_in_the_series_is_named_before_a_withheld_count() -> None:
    breaks = {"breaks": [{"month": "2024-03", "text": "New recording system"}]}
    counts = let_out(small(3, mean=0.8, wards=3), PARTNER, periods=breaks).counts
    told = counts[counts["change_word"].notna()]
    assert set(told["change_word"]) == {"not comparable"}
    assert not told["withheld"].str.contains("change_").any()


def quarterly(borough_period: str) -> pd.DataFrame:
    """Two years with a break in April 2023: 100 in each quarter of 2023, then 100, 300, 102 and 100, in one ward."""
    by_month = {202302: 100, 202305: 100, 202308: 100, 202311: 100, 202402: 100, 202405: 300, 202408: 102, 202411: 100}
    counts = {("B1W0", month, "all"): (n, 0, 0) for month, n in by_month.items()}
    counts |= {("B2W0", month, "all"): (n, 0, 0) for month, n in by_month.items()}
    detected = detected_of({"B1W0": "B1", "B2W0": "B2"}, counts, np.random.default_rng(0))
    breaks = {"breaks": [{"month": "2023-04", "text": "New recording system"}]}
    counts = let_out(detected, {**PUBLIC, "borough_period": borough_period}, periods=breaks).counts
    return counts[(counts["level"] == "borough") & (counts["category"] == "all")].set_index(["area_code", "period"])


def test_windows_on_one_side_of_a_break_are_compared_with_a_year_before() -> None:
    borough = quarterly("quarter").loc["B1"]
    words = borough["change_word"].dropna().to_dict()
    assert words == {
        "2024-01..2024-12": "not comparable",  # 2023 lies on both sides of April 2023
        "2024-01..2024-03": "not comparable",
        "2024-04..2024-06": "higher",
        "2024-07..2024-09": "no clear change",
        "2024-10..2024-12": "no clear change",
    }
    # From the middles of the steps of 10 that are released, 305 and 105, never from 300 and 100.
    assert borough.loc["2024-04..2024-06", "change_pct"] == pytest.approx(100 * (305 / 105 - 1), abs=0.005)
    assert borough.loc["2024-07..2024-09", "change_pct"] == 0  # 102 and 100 lie in one step


def test_windows_that_are_not_shown_have_no_change() -> None:
    borough = quarterly("fixed").loc["B1"]
    assert borough["change_word"].dropna().to_dict() == {"2024-01..2024-12": "not comparable"}


def test_no_ward_of_a_visitor_borough_has_a_rate() -> None:
    counts = let_out(small(3, mean=2.5, wards=3), PARTNER, areas={"visitor_areas": ["B1"]}).counts
    rated = counts[counts["rate_per_10000"].notna()]
    assert set(rated["area_code"].str[:2]) == {"B2", "R"}
    assert {"ward", "borough"} <= set(rated["level"])
    assert counts.loc[counts["area_code"].str.startswith("B1"), "incidents"].notna().any()


def test_derived_figures_come_from_what_is_shown() -> None:
    """From the released steps alone the same figures follow, whatever the counts behind them were."""
    detected = planted({"B1W0": 43, "B1W1": 3, "B1W2": 31, "B1W3": 57, "B1W4": 28}, unplaced=4)
    released = let_out(detected, PUBLIC, detect={"gistar": {"permutations": 99}})
    rows = released.counts[released.counts["period"] == HEADLINE].set_index(["area_code", "category"])
    people = released.areas.set_index("area_code")["population"]
    for (area, _), row in rows.iterrows():
        if pd.isna(row["incidents"]):
            derived = ["rate_per_10000", "rate_low", "rate_high", "rate_smoothed", "rate_smoothed_local", "change_pct"]
            derived.append("outcome_share")
            assert row[derived].isna().all()
        elif not pd.isna(row["rate_per_10000"]):
            assert row["rate_per_10000"] == pytest.approx(row["incidents"] / people[area] * 10_000, abs=1e-4)
            assert row["incidents"] % 10 == 5
    assert rows[["gistar_z", "gistar_p"]].isna().all(axis=None)
    assert rows["emerging_class"].isna().all()
    other = let_out(
        planted({"B1W0": 44, "B1W1": 0, "B1W2": 30, "B1W3": 59, "B1W4": 29}, unplaced=1),
        PUBLIC,
        detect={"gistar": {"permutations": 99}},
    )
    same = other.counts[other.counts["period"] == HEADLINE].set_index(["area_code", "category"])
    pd.testing.assert_frame_equal(rows, same)  # other true counts behind the same numbers: nothing else may differ


def test_the_record_does_not_tell_small_from_withheld_for_its_sake() -> None:
    passed = examine_of(small(4, mean=1.0, wards=3), RULES["suppress"])
    words = json.dumps(passed.released.record)
    for told in ("primary", '"secondary": 1', "incidents_lost", "added by us", "dropped"):
        assert told not in words
    assert passed.log["primary"] > 0
    assert set(passed.states["state"]) <= {"protected", "added by us"}
    tally = passed.released.record["states"]["ward"]["incidents"]
    ward = passed.released.counts[passed.released.counts["level"] == "ward"]
    assert tally["number"] == int(ward["incidents"].notna().sum())


def examine_of(detected: Detected, profile: dict[str, Any]) -> Any:
    config = config_of([profile], detect={"gistar": {"enabled": False}})
    return examine(detected, profile=config.profiles[0], config=config)


def test_a_folder_that_withholds_everything_says_so() -> None:
    released = let_out(planted({"B1W0": 2, "B1W1": 1, "B1W2": 3}), PUBLIC)
    assert released.counts["incidents"].isna().all()
    assert released.record["everything_withheld"]
    assert released.info.caveats[0].startswith("No number can be shown")
    assert released.info.audit == "passed"
    some = let_out(planted({"B1W0": 200, "B1W1": 100}), PUBLIC)
    assert not some.record["everything_withheld"]


@pytest.mark.parametrize(
    ("population", "bases", "every"),
    [
        ([{"path": "p.csv"}], {}, "residents"),
        (
            [{"path": "p.csv"}, {"path": "w.csv", "measure": "workday population", "category": "race"}],
            {"race": "workday population"},
            "residents (Race: workday population)",
        ),
        ([{"path": "w.csv", "measure": "footfall"}], {"all": "footfall", "race": "footfall"}, "footfall"),
        (
            [{"path": "w.csv", "measure": "footfall"}, {"path": "p.csv", "category": "race"}],
            {"all": "footfall"},
            "footfall (Race: residents)",
        ),
        ([{"path": "p.csv"}, {"path": "w.csv", "measure": "footfall", "category": "not_shown"}], {}, "residents"),
    ],
)
def test_what_rates_are_divided_by_is_known_by_category(
    population: list[dict[str, Any]], bases: dict[str, str], every: str
) -> None:
    config = config_of([PUBLIC], areas={"population": population})
    categories = (CategoryInfo("all", "All", None), CategoryInfo("race", "Race", "all"))
    assert bases_of(config, categories) == bases
    info = let_out(planted({"B1W0": 200, "B1W1": 100}), PUBLIC, areas={"population": population}).info
    assert replace(info, bases=bases, categories=categories).every_base == every


def test_known_months_add_up_to_known_windows() -> None:
    known = pd.DataFrame(
        [("W", f"2024-{m:02d}", "all", "incidents", 2) for m in range(1, 13)]
        + [("V", "2024-05", "all", "incidents", 7)],
        columns=["area_code", "period", "category", "measure", "value"],
    )
    counts = pd.DataFrame(
        [(a, p, "all") for a in ("W", "V", "X") for p in (HEADLINE, "2023-01..2023-12", "2024-05")],
        columns=["area_code", "period", "category"],
    )
    found = known_cells(known, counts)
    assert found is not None
    told = {(r.area_code, r.period): r.value for r in found.itertuples()}
    assert told == {("W", HEADLINE): 24, ("V", HEADLINE): 7, ("W", "2024-05"): 2, ("V", "2024-05"): 7}


def test_what_is_public_at_its_source_is_not_claimed() -> None:
    detected = planted({"B1W0": 40, "B1W1": 3, "B1W2": 30})
    known = pd.DataFrame(
        [("B1W1", HEADLINE, "all", "incidents", 3)], columns=["area_code", "period", "category", "measure", "value"]
    )
    released = let_out(dataclasses.replace(detected, known_tables=known), RULES["suppress"])
    year = released.counts[(released.counts["period"] == HEADLINE) & (released.counts["category"] == "all")]
    shown = year.set_index("area_code")["incidents"]
    assert pd.isna(shown["B1W1"])
    assert released.record["withheld"]["states"] == {"ward": {"incidents": {"already public at source": 1}}}
    assert shown[["B1W0", "B1W2", "B1"]].notna().all()  # no partner is withheld for what anybody can look up
    assert any("public at their source" in c for c in released.info.caveats)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"threshold": 0}, "say why in threshold_reason"),
        ({"protection": "noise"}, "needs a reason why counts are not given in steps"),
        ({"protection": "suppress"}, "needs a reason why counts are not given in steps"),
        ({"protection": "noise", "audience": "public", "threshold": 10}, "for partners only"),
        ({"protection": "noise", "threshold": 0, "threshold_reason": "x"}, "needs a threshold of 2"),
        ({"zero_rule": "band"}, "zero_rule is no longer a setting"),
        ({"zero_rule": "show", "protection": "suppress", **WHY}, "zero_rule is no longer a setting"),
        ({"secondary": False}, 'secondary applies only to protection "suppress"'),
        ({"rounding": 5}, "rounding is no longer a setting"),
        ({"protection": "round"}, 'protection "round" no longer exists'),
        ({"ward_period": "rolling"}, "rolling ward windows overlap"),
        ({"ward_period": "week"}, 'ward_period "week" is shorter than a month'),
        ({"borough_period": "day"}, 'borough_period "day" is shorter than a month'),
        ({"ward_period": "28_days", "borough_period": "28_days"}, "is shorter than a month"),
        ({"measures": []}, "nothing to show"),
        ({"lattice_m": 0}, "round single places"),
        ({"ward_period": "month", "borough_period": "quarter"}, "cannot have shorter periods"),
    ],
)
def test_settings_that_contradict_each_other(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config_of([{**PARTNER, **change}])


def test_a_scope_of_no_borough_is_refused() -> None:
    with pytest.raises(ConfigError, match="no borough with code B9"):
        let_out(planted({"B1W0": 40}), {**PARTNER, "scope": ["B9"]})


def test_a_lowered_threshold_is_recorded_with_its_reason() -> None:
    released = let_out(
        planted({"B1W0": 40, "B1W1": 4}), {**PARTNER, "threshold": 3, "threshold_reason": "agreed in May"}
    )
    assert released.record["rules"]["threshold_reason"] == "agreed in May"


# --- hotspots -------------------------------------------------------------------------------------------------------


def with_hotspot(
    places: int = 24, *, premises: Premises | None = None, wards: dict[str, int] | None = None
) -> Detected:
    base = planted(wards or {"B1W0": 60, "B1W1": 40})
    hotspots, members = hotspot_of(base, places=places, ward="B1W0")
    return dataclasses.replace(
        base, hotspots=hotspots, members=members, has_points=True, premises=premises or Premises()
    )


def spot_of(released: Released) -> gpd.GeoDataFrame:
    return released.hotspots


def test_an_outline_needs_eight_addresses() -> None:
    inside = np.column_stack([X0 + 300 + 20.0 * np.arange(7), np.full(7, Y0 + 505.0)])
    assert len(spot_of(let_out(with_hotspot(premises=Premises(inside)), PARTNER))) == 0
    eighth = np.vstack([inside, [X0 + 500, Y0 + 510]])
    assert len(spot_of(let_out(with_hotspot(premises=Premises(eighth)), PARTNER))) == 1
    assert len(spot_of(let_out(with_hotspot(), PARTNER))) == 1


def test_a_single_institution_is_never_outlined_in_public() -> None:
    mosque = np.array([shapely.box(X0 + 280, Y0 + 450, X0 + 700, Y0 + 550)], dtype=object)
    elsewhere = np.array([shapely.Point(X0 + 300, Y0 + 500)], dtype=object)
    public = {**PUBLIC, "min_locations": 10}
    assert len(spot_of(let_out(with_hotspot(premises=Premises(None, mosque)), public))) == 0
    assert len(spot_of(let_out(with_hotspot(premises=Premises(None, elsewhere)), public))) == 1
    assert len(spot_of(let_out(with_hotspot(premises=Premises(None, mosque)), PARTNER))) == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [("incidents", 4), ("distinct_locations", 9), ("top_location_share_pct", 51.0), ("distinct_victims", 4)],
)
def test_small_hotspots_are_not_shown(column: str, value: float) -> None:
    detected = with_hotspot()
    layer = detected.hotspots[HEADLINE].copy()
    layer[column] = value
    spoilt = dataclasses.replace(detected, hotspots={HEADLINE: layer})
    assert len(spot_of(let_out(spoilt, PARTNER))) == 0
    note = let_out(spoilt, PARTNER).info.hotspot_note
    assert not any(sign.isdigit() for sign in note)


def test_cores_of_a_hotspot_are_for_the_data_owner_alone() -> None:
    detected = with_hotspot()
    row = {
        "core_id": "H001a", "hotspot_id": "H001", "number": "1a", "name": "", "incidents": 12, "distinct_locations": 12,
        "area_km2": 0.1, "density_per_km2": 120.0, "min_samples": 60,
    }  # fmt: skip
    outline = shapely.box(X0 + 300, Y0 + 450, X0 + 500, Y0 + 550)
    layer = gpd.GeoDataFrame(HOTSPOT_CORE_LAYER.conform(pd.DataFrame([row])), geometry=[outline], crs="EPSG:27700")
    detected = dataclasses.replace(detected, cores={HEADLINE: layer})
    internal = let_out(detected, {"name": "internal", "audience": "internal", "borough_period": "fixed"})
    assert internal.cores["number"].tolist() == ["1a"]
    assert internal.cores["name"].tolist() == ["Ward B1W0"]  # the ward with most of its area
    for profile in (PARTNER, PUBLIC):
        released = let_out(detected, profile)
        assert len(released.cores) == 0
        assert len(spot_of(released)) == 1


def test_concentration_is_for_the_data_owner_alone() -> None:
    row = {
        "unit": "cell",
        "category": "all",
        "period": HEADLINE,
        "figure": "holding",
        "at": 50,
        "value": 2.0,
        "low": 1.0,
        "high": 3.0,
        "chance": 9.0,
    }
    rows = pd.DataFrame([row, row | {"category": "unheard-of"}], columns=CONCENTRATION.names)
    segment = {
        "segment_id": "s", "name": "", "length_m": 50.0, "incidents": 9, "per_100m": 18.0, "rank": 1, "hot": True,
        "run": 1, "density_per_km": 20.0,
    }  # fmt: skip
    street = shapely.LineString([(X0, Y0), (X0 + 50, Y0)])
    detected = dataclasses.replace(
        small(1),
        concentration={HEADLINE: CONCENTRATION.conform(rows)},
        streets={HEADLINE: gpd.GeoDataFrame([segment], geometry=[street], crs="EPSG:27700")},
        street_runs={HEADLINE: hot_runs(pd.DataFrame([segment]))},
    )
    pairs = pd.DataFrame([dict.fromkeys(NEAR_REPEATS.names, 1.0) | {"category": c} for c in ("all", "unheard-of")])
    pairs = NEAR_REPEATS.conform(pairs.astype({"acting": bool}).assign(metric="euclidean"))
    detected = dataclasses.replace(detected, patterns={HEADLINE: Patterns({NEAR_REPEATS.name: pairs})})
    internal = {"name": "internal", "audience": "internal", "borough_period": "fixed"}
    shown = let_out(detected, internal)
    assert shown.patterns.of(NEAR_REPEATS)["category"].tolist() == ["all"]
    assert shown.concentration["category"].tolist() == ["all"]  # of what the folder shows
    assert (len(shown.streets), len(shown.street_runs)) == (1, 1)
    for profile in (PARTNER, PUBLIC, {**internal, "scope": [detected.areas["area_code"].iloc[1]]}):
        other = let_out(detected, profile)
        assert (len(other.concentration), len(other.streets), len(other.street_runs)) == (0, 0, 0)
        assert not list(other.patterns)


def test_a_profile_shows_the_categories_it_lists_and_no_others() -> None:
    """All of them together too only where `all` is listed; what is of all together is then not shown either."""
    detected = small(3, mean=2.5, wards=5)
    some = let_out(detected, {**PARTNER, "categories": ["antisemitic"]})
    assert {c.id for c in some.info.categories} == set(some.counts["category"]) == {"antisemitic"}
    assert "which this folder does not have" in some.info.hotspot_note
    assert some.circumstances.empty
    assert some.info.main_category == "antisemitic"
    layer, here = (
        area_layer(some, level="borough").set_index("area_code"),
        some.counts[some.counts["level"] == "borough"],
    )
    here = here[here["period"] == HEADLINE].set_index("area_code")
    assert layer["incidents_lower"].to_dict() == here["incidents_lower"].to_dict(), "main figures are of the first one"
    assert layer["change_word"].to_dict() == here["change_word"].to_dict()
    both = let_out(detected, {**PARTNER, "categories": ["all", "antisemitic"]})
    assert set(both.counts["category"]) == {"all", "antisemitic"}
    assert both.info.main_category == "all"


def test_rates_of_a_category_rest_on_its_own_denominator() -> None:
    """Religion over worshippers, everything else over residents, at every level of a released folder."""
    detected = small(3, mean=2.0)
    wards = detected.areas.loc[detected.areas["level"] == "ward", ["area_code", "parent_code"]]
    own = wards.assign(category="religion", population=500, measure="worshippers")
    rules = {"name": "all", "audience": "internal", "threshold": 0, "secondary": False, "borough_period": "fixed"}
    config = config_of([rules])
    given = dataclasses.replace(detected, denominators=own)
    found = examine(given, profile=config.profiles[0], config=config).released
    rows = found.counts[found.counts["rate_per_10000"].notna()].set_index(["category", "area_code", "period"])
    worshippers = {"R": 500 * len(wards)} | (500 * wards["parent_code"].value_counts()).to_dict()
    worshippers |= dict.fromkeys(wards["area_code"], 500)
    residents = found.areas.set_index("area_code")["population"].to_dict()
    assert {"religion", "race"} <= set(rows.index.get_level_values("category"))
    for (category, area, _), row in rows.iterrows():
        people = (worshippers if category == "religion" else residents)[area]
        assert row["rate_per_10000"] == pytest.approx(row["incidents"] / people * 10_000, abs=1e-4)


def test_what_published_counts_declare_changes_what_is_offered() -> None:
    """Race and religion cover all by declaration, although antisemitic is the last of the parts that the tree names."""
    parents = {f"B{b}W{i}": f"B{b}" for b in (1, 2) for i in range(4)}
    own = {"all": 24, "race": 14, "religion": 12, "antisemitic": 6}
    counts = {(a, m, c): (n, 0, 0) for a in (*parents, "B1", "B2") for m in (202306, 202406) for c, n in own.items()}
    categories = tuple(CategoryInfo(c, c, None) for c in own)
    detected = dataclasses.replace(detected_of(parents, counts, np.random.default_rng(0)), categories=categories)
    source = {"name": "p", "paths": ["p.csv"]}

    def offered(**declared: Any) -> dict[str, bool]:
        released = let_out(detected, PARTNER, incidents=[], published_counts=[source | declared])
        here = released.counts[(released.counts["level"] == "ward") & (released.counts["period"] == HEADLINE)]
        return here["incidents_lower"].notna().groupby(here["category"]).any().to_dict()

    assert offered() == {"all": True, "antisemitic": False, "race": True, "religion": True}
    union = offered(relations=[{"union": ["all", "race", "religion"]}])
    assert union == {"all": True, "antisemitic": False, "race": True, "religion": False}
    subset = offered(relations=[{"subset": ["antisemitic", "race"]}])
    assert subset == {"all": True, "antisemitic": True, "race": True, "religion": False}


def with_county(detected: Detected) -> Detected:
    """Put both boroughs into one area of a third level."""
    third = detected.areas[detected.areas["level"] == "region"].assign(area_code="T", level="level_3", parent_code="R")
    return dataclasses.replace(detected, above=LevelsAbove(third, {"level_3": {"B1": "T", "B2": "T"}}))


@pytest.mark.parametrize("rule", ["suppress", "noise", "scope"])
def test_a_third_level_is_not_in_folders_with_exact_numbers_noise_or_a_scope(rule: str) -> None:
    detected = small(5, mean=0.8, wards=3)
    own = {"name": "own", "audience": "internal", "threshold": 0, "secondary": False}
    rules = own | {"scope": ["B1"]} if rule == "scope" else RULES[rule]
    one, two = (let_out(d, rules, secret=b"sixteen bytes or more") for d in (detected, with_county(detected)))
    pd.testing.assert_frame_equal(one.counts, two.counts)
    pd.testing.assert_frame_equal(one.areas, two.areas)
    assert one.info == two.info
    assert json.dumps(one.record, sort_keys=True) == json.dumps(two.record, sort_keys=True)


@pytest.mark.parametrize("rule", ["partner", "quarters"])
def test_a_third_level_is_the_sum_of_released_ranges_and_changes_nothing_else(rule: str) -> None:
    detected = small(5, mean=0.8, wards=3)
    one, two = (let_out(d, RULES[rule]) for d in (detected, with_county(detected)))
    county, rest = (two.counts[(two.counts["level"] == "level_3") == third] for third in (True, False))
    pd.testing.assert_frame_equal(one.counts, rest.reset_index(drop=True))
    pd.testing.assert_frame_equal(one.hotspots, two.hotspots)
    # Both boroughs are offered in some rows and not in others: a sum is offered where both are.
    key = ["period", "category"]
    boroughs, county = one.counts[one.counts["level"] == "borough"].groupby(key), county.set_index(key).sort_index()
    assert set(county["area_code"]) == {"T"}
    ends = [f"{m}_{end}" for m in ("incidents", "positive_outcomes", "known_outcomes") for end in ("lower", "upper")]
    for name in ends:
        right = boroughs[name].sum().where(boroughs[name].count() == 2)
        assert county[name].equals(right.astype("Int64").sort_index()), name
    assert county["incidents_lower"].notna().any()
    gone = county["incidents_lower"].isna() & county["complete"]
    assert county.loc[gone, "not_offered"].str.contains("incidents").all()
    # What is kept of it is kept of its boroughs; and a later release finds the same numbers again.
    kept, same = as_earlier_release(one), as_earlier_release(two)
    pd.testing.assert_frame_equal(kept.counts, same.counts)
    assert (kept.digest, kept.series, kept.edition) == (same.digest, same.series, same.edition)
    config = config_of([RULES[rule]], detect={"gistar": {"enabled": False}})
    again = release(with_county(detected), profile=config.profiles[0], config=config, before=Before((same,)))
    columns = ["area_code", "period", "category", *ends]
    pd.testing.assert_frame_equal(again.counts[columns], two.counts[columns])


def test_a_third_level_of_the_internal_folder_has_exact_sums() -> None:
    own = {"name": "own", "audience": "internal", "threshold": 0, "secondary": False}
    whole = let_out(with_county(small(5, mean=0.8, wards=3)), own).counts
    key = ["period", "category"]
    sums = whole[whole["level"] == "borough"].groupby(key)["incidents"].sum()
    assert whole[whole["level"] == "level_3"].set_index(key)["incidents"].eq(sums).all()
