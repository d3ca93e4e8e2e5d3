"""The ladder from wards over groups of wards to boroughs: hand-worked shares and what earlier releases show."""

import dataclasses
from datetime import date
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from pipeline.geography.ward_groups import group_wards
from pipeline.publish.exports.layers import area_layer, layers_of
from pipeline.publish.exports.qgis_styles import styles_of
from pipeline.publish.map.payload import make_payload
from pipeline.release.calendar import Before
from pipeline.release.detail import (
    ENOUGH,
    choose_detail,
    kept_detail,
    not_offered_by_detail,
    shares_with_number,
    utility,
)
from pipeline.release.earlier_releases import as_earlier_release
from pipeline.release.gate import Detected, release
from pipeline.release.released import Released, Rung
from pipeline.tables import Level
from tests.kit.gated import config_of, sparse_city

pytestmark = pytest.mark.slow

WARD, GROUP, LONG, BOROUGH = Rung
TWO_YEARS = "2023-01..2024-12"


def shares(ward: float, group: float, long: float = 0.0) -> dict[str, dict[str, float]]:
    return {"ward": {"c": ward}, "ward_group": {"c": group}, "ward_group_long": {"c": long}}


def chosen(partner: Any, public: Any, kept: Any = None) -> tuple[Rung, Rung]:
    found = choose_detail({5: partner, 10: public}, categories=["c"], part_of=[], kept=kept or {})
    return found[5]["c"], found[10]["c"]


@pytest.mark.parametrize(
    ("partner", "public", "expected"),
    [
        (shares(0.9, 1.0), shares(0.5, 0.9), (WARD, WARD)),
        (shares(0.9, 1.0), shares(0.2, 0.9), (WARD, BOROUGH)),  # never groups beside wards
        (shares(0.2, 0.6), shares(0.1, 0.5), (GROUP, GROUP)),
        (shares(0.2, 0.6), shares(0.1, 0.2), (GROUP, BOROUGH)),
        (shares(0.1, 0.2), shares(0.0, 0.1), (BOROUGH, BOROUGH)),
        (shares(0.33, 0.6), shares(0.33, 0.6), (WARD, WARD)),  # a third is enough
        (shares(0.3299, 0.33), shares(0.1, 0.3299), (GROUP, BOROUGH)),
        (shares(0.1, 0.2, 0.4), shares(0.0, 0.1, 0.4), (LONG, LONG)),
        (shares(0.1, 0.2, 0.4), shares(0.0, 0.1, 0.2), (LONG, BOROUGH)),
        (shares(0.1, 0.6, 0.9), shares(0.0, 0.2, 0.9), (GROUP, BOROUGH)),  # one series of windows for all audiences
        ({}, {}, (WARD, WARD)),  # no data at all: nothing is gained by another level
    ],
)
def test_the_ladder(partner: Any, public: Any, expected: tuple[Level, Level]) -> None:
    assert ENOUGH == 0.33
    assert chosen(partner, public) == expected


@pytest.mark.parametrize("level", list(Rung))
def test_what_was_chosen_stays(level: Rung) -> None:
    # The public had this level; by today's shares both would have another.
    kept = {10: {"c": level}}
    assert chosen(shares(0.9, 1.0), shares(0.9, 1.0), kept)[1] == level
    assert chosen(shares(0.0, 0.0), shares(0.0, 0.0), kept)[1] == level


def test_a_closer_audience_that_comes_later_has_what_the_wider_one_has() -> None:
    assert chosen(shares(0.9, 1.0), shares(0.9, 1.0), {10: {"c": GROUP}}) == (GROUP, GROUP)
    assert chosen(shares(0.0, 0.0), shares(0.0, 0.0), {10: {"c": WARD}}) == (WARD, WARD)
    assert chosen(shares(0.0, 0.9), shares(0.9, 0.9), {10: {"c": BOROUGH}}) == (GROUP, BOROUGH)


def test_a_wider_audience_never_has_more() -> None:
    assert chosen(shares(0.9, 1.0), shares(0.9, 1.0), {5: {"c": BOROUGH}}) == (BOROUGH, BOROUGH)
    assert chosen(shares(0.9, 1.0), shares(0.9, 1.0), {5: {"c": GROUP}}) == (GROUP, GROUP)


def test_a_part_has_no_more_detail_than_the_whole() -> None:
    found = choose_detail(
        {5: {"ward": {"faith": 0.2, "islamophobic": 0.5}, "ward_group": {"faith": 0.5, "islamophobic": 0.2}}},
        categories=["islamophobic", "faith"],
        part_of=[("islamophobic", "faith")],
        kept={},
    )
    assert found == {5: {"faith": GROUP, "islamophobic": GROUP}}


def test_a_share_is_of_the_areas_with_data() -> None:
    counts = pd.DataFrame(
        {
            "area_code": list("ABCD"),
            "level": ["ward", "ward", "ward", "ward_group"],
            "category": "all",
            "incidents": pd.array([4, 5, None, 9], dtype="Int64"),
        }
    )
    assert shares_with_number(counts, step=5) == {"ward": {"all": 0.5}, "ward_group": {"all": 1.0}}
    assert shares_with_number(counts, step=10) == {"ward": {"all": 0.0}, "ward_group": {"all": 0.0}}


def test_detail_of_earlier_releases_stays_as_long_as_the_wards_do() -> None:
    first = SimpleNamespace(step=10, edition={"B": "x"}, detail={"race": "ward", "faith": "ward_group"})
    later = SimpleNamespace(step=10, edition={"B": "x"}, detail={"race": "borough", "rare": "borough"})
    assert kept_detail([first, later], edition={"B": "x"}) == {10: {"race": WARD, "faith": GROUP, "rare": BOROUGH}}
    assert kept_detail([first], edition={"B": "y"}) == {}  # another edition of wards starts afresh


def test_wards_and_groups_exclude_each_other() -> None:
    levels = [Level.REGION, Level.BOROUGH, Level.WARD_GROUP, Level.WARD]  # those above are the data owner's alone
    rows = pd.DataFrame(
        [(level, c) for level in levels for c in ("ward", "ward_group", "borough")], columns=["level", "category"]
    )
    refused = not_offered_by_detail(rows, {rung.value: rung.level for rung in (WARD, GROUP, BOROUGH)})
    given = rows[~refused].groupby("category")["level"].agg(set).to_dict()
    assert given == {
        "ward": {"region", "borough", "ward"},
        "ward_group": {"region", "borough", "ward_group"},
        "borough": {"region", "borough"},
    }


def test_utility_counts_areas_with_a_number() -> None:
    counts = pd.DataFrame(
        [
            ("ward", "all", "p", 0, 9, ""),  # fewer than 10
            ("ward", "all", "p", 20, 29, ""),
            ("ward", "all", "p", None, None, "incidents;rate_per_10000"),  # not offered for want of room
            ("ward", "all", "p", None, None, ""),  # no data
            ("ward", "rare", "p", None, None, "incidents"),
            ("ward", "exact", "p", 0, 0, ""),  # an exact zero, where counts are suppressed
        ],
        columns=["level", "category", "period", "incidents_lower", "incidents_upper", "not_offered"],
    )
    assert utility(counts) == {
        "ward": {
            "all": {"p": {"areas": 3, "with_number": 1, "pct": 33.3}},
            "exact": {"p": {"areas": 1, "with_number": 1, "pct": 100.0}},
        }
    }


@pytest.fixture(scope="module")
def sparse() -> Detected:
    return sparse_city(2, 18)  # seven groups: of fewer in two boroughs, none would be passed over


@pytest.fixture(scope="module")
def released(sparse: Detected) -> dict[str, Released]:
    profiles = [
        {"name": "internal", "audience": "internal", "threshold": 0, "ward_period": "rolling"},
        {"name": "partner", "audience": "partner", "threshold": 5},
        {"name": "public", "audience": "public", "threshold": 10},
    ]
    config = config_of(profiles)
    return {p.name: release(sparse, profile=p, config=config) for p in config.profiles}


def test_a_release_gives_each_category_by_the_level_its_data_bears(released: dict[str, Released]) -> None:
    levels = {name: {c.id: c.detail.value for c in made.info.categories} for name, made in released.items()}
    assert levels["partner"] == {"all": "ward", "race": "ward", "religion": "ward_group", "antisemitic": "borough"}
    assert levels["public"] == levels["partner"]
    assert set(levels["internal"].values()) == {"ward"}
    assert released["partner"].record["rules"]["detail"] == levels["partner"]
    for name, made in released.items():  # groups are made for those who have a category in groups, and nobody else
        has = name != "internal"
        assert ("ward_group" in set(made.areas["level"])) == has
        assert ("ward_group" in set(made.counts["level"])) == has
        assert ("ward_group" in made.info.periods) == has
        assert bool(made.info.ward_groups) == has


def test_a_groups_count_is_the_step_of_the_sum_of_its_wards(sparse: Detected, released: dict[str, Released]) -> None:
    made = released["partner"]
    months = sparse.area_months
    months = months[(months["category"] == "religion") & (months["month"] >= 202401)]
    truth = months.groupby("area_code")["incidents"].sum()
    rows = made.counts[
        (made.counts["level"] == "ward_group")
        & (made.counts["category"] == "religion")
        & (made.counts["period"] == made.info.headline.id)
    ].set_index("area_code")
    assert sorted(ward for wards in made.info.ward_groups.values() for ward in wards) == sorted(
        sparse.areas.loc[sparse.areas["level"] == "ward", "area_code"]
    )
    for group, wards in made.info.ward_groups.items():
        total = int(truth.reindex(wards).sum())
        assert total == 2 * len(wards)
        assert rows.loc[group, "incidents_lower"] == total // 5 * 5
        assert rows.loc[group, "incidents_upper"] == total // 5 * 5 + 4
        assert group == f"G-{min(wards)}"
    assert (rows["rate_per_10000"].notna() | (rows["reliability"] != "")).all()


def test_nothing_is_given_by_ward_and_by_group(released: dict[str, Released]) -> None:
    for name in ("partner", "public"):
        counts = released[name].counts
        detail = {c.id: c.detail for c in released[name].info.categories}
        for (category, level), rows in counts.groupby(["category", "level"]):
            if level == "region":  # of two boroughs alone: their sum, and not offered
                continue
            given = level == "borough" or level == detail[category]
            assert rows["incidents_lower"].notna().all() == given
            assert rows["not_offered"].str.split(";").map(lambda names: "incidents" in names).all() == (not given)


def test_where_rates_lie_against_the_regions_is_the_analysts_alone(released: dict[str, Released]) -> None:
    for name, made in released.items():
        known = made.counts[made.counts["funnel_class"].notna()]
        assert bool(len(known)) == (name == "internal")
        assert set(known["period"]) <= {made.info.headline.id}
        assert Level.REGION not in set(known["level"])


def test_layers_and_map_have_the_groups(released: dict[str, Released]) -> None:
    layers = {name: [layer.name for layer in layers_of(made)] for name, made in released.items()}
    assert layers["internal"] == [
        "boroughs",
        "wards",
        "density_by_category",
        "density",
        "hotspots_by_category",
        "hotspots",
    ]
    assert layers["public"] == layers["partner"]
    assert layers["public"][:3] == ["boroughs", "ward_groups", "wards"]
    made = released["partner"]
    frame = area_layer(made, level="ward_group")
    assert (
        dict(zip(frame["area_code"], frame["ward_codes"].str.split(";").map(tuple), strict=True))
        == made.info.ward_groups
    )
    assert "ward_codes" not in area_layer(made, level="ward")
    payload = make_payload(made)
    groups = payload["levels"]["ward_group"]
    names = payload["levels"]["ward"]["code"]
    wards = [tuple(names[i] for i in inside) for inside in groups["wards"]]
    assert dict(zip(groups["code"], wards, strict=True)) == made.info.ward_groups
    assert len(groups["rings"]) == len(groups["labels"]) == len(made.info.ward_groups)
    assert {c["id"]: c["detail"] for c in payload["categories"]} == made.record["rules"]["detail"]
    assert "ward_group" not in make_payload(released["internal"])["levels"]


def test_styles_show_the_categories_that_groups_have(released: dict[str, Released]) -> None:
    made = released["partner"]
    styles = [s for s in styles_of(made, layers_of(made)) if s.layer == "ward_groups"]
    assert [(s.name, s.default) for s in styles] == [("Number: Religion", True), ("Outline", False)]
    assert "incidents_religion" in styles[0].qml


def test_utility_is_of_the_levels_that_are_given(released: dict[str, Released]) -> None:
    found = released["partner"].record["utility"]
    assert set(found["ward_group"]) == {"religion"}
    assert set(found["ward"]) == {"all", "race"}
    headline = released["partner"].info.headline.id
    assert found["ward_group"]["religion"][headline]["pct"] == 100.0
    assert found["borough"]["antisemitic"][headline] == {"areas": 2, "with_number": 0, "pct": 0.0}
    assert "utility" not in released["internal"].record


def test_a_category_given_by_groups_is_tested_among_groups() -> None:
    config = config_of(
        [{"name": "partner", "audience": "partner", "threshold": 5}],
        detect={"gistar": {"permutations": 99, "categories": ["all", "religion"]}},
    )
    counts = release(sparse_city(8, 40), profile=config.profiles[0], config=config).counts
    found = counts[counts["hotspot_class"].notna()].groupby("category")["level"].agg(set).to_dict()
    assert found == {"all": {"ward"}, "religion": {"ward_group"}}


def test_the_choice_stays_when_the_data_grows(sparse: Detected, released: dict[str, Released]) -> None:
    # The same city, in whose second year every ward has many offences of religion: by itself it would bear wards.
    months = sparse.area_months
    late = (months["category"] == "religion") & (months["month"] >= 202401)
    richer = dataclasses.replace(
        sparse, area_months=months.assign(incidents=months["incidents"] + 20 * late.astype("int64"))
    )
    only = dataclasses.replace(
        richer, area_months=richer.area_months[richer.area_months["month"] >= 202401], first_date=date(2024, 1, 1)
    )
    config = config_of([{"name": "partner", "audience": "partner", "threshold": 5}])
    profile = config.profiles[0]
    fresh = release(only, profile=profile, config=config).record["rules"]["detail"]
    before = Before((as_earlier_release(released["partner"]),))
    kept = release(only, profile=profile, config=config, before=before).record["rules"]["detail"]
    assert (fresh["religion"], kept["religion"]) == ("ward", "ward_group")


def test_a_boroughs_own_folder_has_the_groups_of_the_region(sparse: Detected, released: dict[str, Released]) -> None:
    config = config_of([{"name": "partner", "audience": "partner", "threshold": 5, "scope": ["B1"]}])
    own = release(sparse, profile=config.profiles[0], config=config)
    every = released["partner"].info.ward_groups
    assert own.info.ward_groups == {g: wards for g, wards in every.items() if wards[0].startswith("B1")}
    assert set(own.counts.loc[own.counts["level"] == "ward_group", "area_code"]) == set(own.info.ward_groups)


def test_groups_are_made_only_where_a_category_shown_needs_them(sparse: Detected) -> None:
    config = config_of([{"name": "partner", "audience": "partner", "threshold": 5, "categories": ["all", "race"]}])
    own = release(sparse, profile=config.profiles[0], config=config)
    assert own.info.ward_groups == {}
    assert "ward_group" not in set(own.areas["level"]) | set(own.counts["level"])


@pytest.fixture(scope="module")
def rare(sparse: Detected) -> Detected:
    """The same city with four antisemitic offences a year in every group: eight in two years."""
    members = pd.Series(group_wards(sparse.areas)).sort_index()
    codes = members.groupby(members).head(4).index
    months = sparse.area_months[sparse.area_months["category"] != "antisemitic"]
    made = [
        months[(months["category"] == "religion") & (months["month"] == month) & months["area_code"].isin(codes)]
        for month in (202303, 202403)
    ]
    return dataclasses.replace(
        sparse, area_months=pd.concat([months, *(m.assign(category="antisemitic") for m in made)], ignore_index=True)
    )


@pytest.fixture(scope="module")
def long(rare: Detected) -> Released:
    config = config_of([{"name": "partner", "audience": "partner", "threshold": 5}])
    return release(rare, profile=config.profiles[0], config=config)


def test_a_category_too_rare_for_a_year_is_given_over_two(long: Released) -> None:
    category = next(c for c in long.info.categories if c.id == "antisemitic")
    assert (category.rung, long.record["rules"]["detail"]["antisemitic"]) == (LONG, "ward_group")
    assert long.record["rules"]["long_windows"] == {"antisemitic": [TWO_YEARS]}
    rows = long.counts[(long.counts["category"] == "antisemitic") & (long.counts["level"] == "ward_group")]
    for group, wards in long.info.ward_groups.items():
        own = rows[rows["area_code"] == group].set_index("period")
        # The step of eight, not the sum of two steps of four ("fewer than 5" twice).
        assert len(wards) >= 4
        assert own.loc[TWO_YEARS, ["incidents_lower", "incidents_upper"]].tolist() == [5, 9]
        years = own.drop(index=TWO_YEARS)
        assert len(years) == 2
        assert years["incidents_lower"].isna().all()
        assert years["not_offered"].str.contains("incidents").all()
    others = long.counts[long.counts["period"] == TWO_YEARS]
    assert set(others["category"]) == {"antisemitic"}
    assert set(others["level"]) == {"ward_group"}
    assert set(long.record["utility"]["ward_group"]["antisemitic"]) == {TWO_YEARS}


def test_layer_and_map_say_that_a_category_has_another_window(long: Released) -> None:
    layer = next(x for x in layers_of(long) if x.name == "ward_groups")
    assert set(layer.frame["period_end"]) == {"2024-12-31"}
    assert set(layer.frame["incidents_antisemitic_lower"]) == {5}
    title = next(f.title for f in layer.fields if f.name == "incidents_antisemitic")
    assert title == "Incidents: Antisemitic, 24 months to December 2024"
    payload = make_payload(long)
    assert [p["id"] for p in payload["levels"]["ward_group"]["periods"] if p["kind"] == "l"] == [TWO_YEARS]
    assert {c["id"] for c in payload["categories"] if c["long"]} == {"antisemitic"}


def test_two_years_stay_and_the_next_two_begin_after_them(rare: Detected, long: Released) -> None:
    """A third year begins no window of two years that overlaps the first; with a fourth there is a second one."""
    config = config_of([{"name": "partner", "audience": "partner", "threshold": 5}])
    profile, months = config.profiles[0], rare.area_months

    def later(years: int) -> Detected:
        added = [
            months[months["month"] // 100 == 2024].assign(month=lambda m, y=y: m["month"] + 100 * y)
            for y in range(1, years + 1)
        ]
        return dataclasses.replace(
            rare, area_months=pd.concat([months, *added], ignore_index=True), last_date=date(2024 + years, 12, 31)
        )

    third = release(later(1), profile=profile, config=config, before=Before((as_earlier_release(long),)))
    assert third.record["rules"]["long_windows"] == {"antisemitic": [TWO_YEARS]}
    before = Before((as_earlier_release(long), as_earlier_release(third)))
    fourth = release(later(2), profile=profile, config=config, before=before)
    assert fourth.record["rules"]["long_windows"] == {"antisemitic": [TWO_YEARS, "2025-01..2026-12"]}
    ends = ["area_code", "incidents_lower", "incidents_upper"]
    for made in (third, fourth):  # what is out keeps its numbers
        given, first = (x.counts[(x.counts["period"] == TWO_YEARS)][ends].reset_index(drop=True) for x in (made, long))
        pd.testing.assert_frame_equal(given, first)


def test_windows_of_two_recording_systems_are_not_joined(rare: Detected) -> None:
    config = config_of(
        [{"name": "partner", "audience": "partner", "threshold": 5}],
        periods={"breaks": [{"month": "2024-01", "text": "New system"}]},
    )
    made = release(rare, profile=config.profiles[0], config=config)
    assert made.record["rules"]["detail"]["antisemitic"] == "borough"
    assert made.record["rules"]["long_windows"] == {}
