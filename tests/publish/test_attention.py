"""What deserves attention: each statement follows from the released tables, and says when nothing is clear."""

import itertools
import re

import numpy as np
import pytest

from pipeline.publish.briefings.release_index import ReleaseIndex
from pipeline.publish.findings import AreaProfile, CountRange, Figure, Overview, Spot, Statement, statements
from pipeline.publish.map.attention import attention_fields, overview_of
from pipeline.publish.map.payload import make_payload
from pipeline.release.gate import release
from pipeline.release.released import Released
from pipeline.tables import Level
from tests.kit import gated
from tests.kit import released as fixture


def profile(name: str, now: int, earlier: int, word: str, *, step: int = 1) -> AreaProfile:
    """Return an area with both counts; what the percentage is does not matter but for its sign."""
    pct = 100.0 * (now - earlier) / earlier if earlier else None
    known = [CountRange(n // step * step, n // step * step + step - 1) for n in (now, earlier)]
    figure = Figure(known[0], known[1], change_pct=pct, change_word=word)
    return AreaProfile(name, name, None, covered=True, figures={"all": figure})


def overview(*areas: AreaProfile, **changes: object) -> Overview:
    values: dict[str, object] = {
        "region": profile("Anytown", 1000, 990, "no clear change"),
        "areas": areas,
        "area_words": ("ward", "wards"),
        "groups": (),
        "group_words": ("borough", "boroughs"),
        "noun": "thefts",
        "period": "2024",
        "before": "the year before",
        "region_km2": 100.0,
    }
    return Overview(**(values | changes))  # type: ignore[arg-type]


def said(found: Statement) -> str:
    return "".join(text for text, _ in found.text)


def by_kind(made: Overview) -> dict[str, Statement]:
    return {found.kind: found for found in statements(made)}


UP, UP_MORE = profile("Ash", 60, 30, "higher"), profile("Birch", 150, 71, "higher")
DOWN, SAME, FEW = (
    profile("Cedar", 10, 60, "lower"),
    profile("Elm", 50, 51, "no clear change"),
    profile("Fir", 2, 1, "too few"),
)


def test_higher_comes_first_with_the_certain_change_in_order_and_both_counts() -> None:
    found = statements(overview(UP, UP_MORE, DOWN, SAME, FEW))
    assert [f.kind for f in found] == ["higher", "lower", "region", "not shown"]
    assert said(found[0]) == "Two wards are clearly higher than the year before: Birch (71 to 150) and Ash (30 to 60)."
    assert found[0].text[0] == ("Two wards are clearly higher", True)
    assert found[0].tested.startswith("4 wards had enough records to compare.")
    assert "at most 1 in 20" in found[0].tested
    assert found[0].evidence.codes == ("Ash", "Birch")
    assert said(found[1]) == "One ward is clearly lower than the year before: Cedar (60 to 10)."
    assert "can also mean fewer reports" in found[1].tested


def stand_in(*areas: AreaProfile, **changes: object) -> Overview:
    values = {
        "period": "12 months to July 2025",
        "before": "the same months a year earlier",
        "window": "2025-04..2025-06",
    }
    values |= {"when": "April to June 2025", "break_text": "the series breaks in March 2024"}
    return overview(*areas, **(values | changes))


def test_where_a_break_divides_the_headline_changes_are_those_of_a_shorter_window() -> None:
    apart = profile("Elm", 50, 51, "not comparable")
    found = statements(
        overview(apart, region=profile("Anytown", 1000, 990, "not comparable"), stand_in=stand_in(UP, DOWN))
    )
    assert [f.kind for f in found] == ["higher", "lower", "region", "not shown"]
    assert said(found[0]) == (
        "April to June 2025: one ward is clearly higher than the same months a year earlier: Ash (30 to 60)."
    )
    why = "The 12 months to July 2025 cannot be compared with the year before: the series breaks in March 2024."
    assert found[0].tested.endswith(why)
    # What is not on the map is the headline's.
    assert [f.evidence.window for f in found] == ["2025-04..2025-06"] * 3 + [""]
    assert said(found[2]) == (
        "All Anytown: no clear change on the same months a year earlier. "
        "1,000 thefts were recorded in April to June 2025, against 990."
    )


@pytest.mark.parametrize(
    ("area", "expected"),
    [
        (SAME, "April to June 2025: nothing is clearly higher or lower than the same months a year earlier."),
        (FEW, "April to June 2025: too little to compare with the same months a year earlier."),
    ],
)
def test_a_shorter_window_without_a_clear_change_says_so(area: AreaProfile, expected: str) -> None:
    steady = by_kind(overview(profile("Elm", 50, 51, "not comparable"), stand_in=stand_in(area)))["steady"]
    assert said(steady).startswith(expected)
    assert "the series breaks in March 2024" in steady.tested


def test_in_steps_counts_are_ranges_and_the_order_rests_on_their_ends() -> None:
    # In steps of 10 the changes are certain by 60 - 39 = 21 and 150 - 79 = 71 only.
    stepped = [profile("Ash", 60, 30, "higher", step=10), profile("Birch", 150, 71, "higher", step=10)]
    found = by_kind(overview(*stepped))["higher"]
    assert said(found).endswith("Birch (70 to 79, now 150 to 159) and Ash (30 to 39, now 60 to 69).")
    assert found.tested.endswith("A change counts only if it holds for every number that the given ranges leave open.")


def test_public_areas_stand_by_name_and_no_hotspot_is_the_first() -> None:
    spots = (Spot(1, "High Street", CountRange(80, 89), 1.0), Spot(2, "Station", CountRange(20, 29), 0.5))
    public = by_kind(overview(UP, UP_MORE, spots=spots, audience="public"))
    assert re.search("Ash .* Birch", said(public["higher"]))
    assert "High Street" not in said(public["hotspots"])
    partner = by_kind(overview(UP, UP_MORE, spots=spots, audience="partner"))
    assert "Number 1 is High Street, with 80 to 89 thefts." in said(partner["hotspots"])
    # 100 to 118 of 1,000, on 1.5 of 100 km2.
    assert said(partner["hotspots"]).startswith("2 hotspots hold 10% to 12% of all thefts on 1.5 km², 2% of the area.")


def test_more_than_four_areas_are_counted() -> None:
    many = [profile(f"Ward {k}", 100 + k, 20, "higher") for k in range(6)]
    assert said(by_kind(overview(*many))["higher"]).endswith("Ward 2 (20 to 102) and two more.")


@pytest.mark.parametrize(
    ("words", "changes", "expected"),
    [
        (("no clear change", "too few"), {}, "Nothing is clearly higher or lower."),
        (("too few", "too few"), {}, "There is too little to compare with the year before."),
        (("not comparable",), {}, "Nothing can be compared with the year before."),
        (("not comparable",), {"break_text": "the system changed in May 2024"}, "the system changed in May 2024"),
        (("",), {"before": ""}, "There is no earlier period to compare with."),
    ],
)
def test_where_nothing_is_clear_it_says_so(words: tuple[str, ...], changes: dict[str, object], expected: str) -> None:
    areas = [profile(f"Ward {k}", 50, 49, word) for k, word in enumerate(words)]
    found = statements(overview(*areas, **changes))
    assert found[0].kind == "steady"
    assert expected in said(found[0])
    assert not {"higher", "lower"} & {f.kind for f in found}


def test_the_region_with_its_boroughs() -> None:
    groups = (profile("North", 300, 290, "no clear change"), profile("South", 700, 500, "higher"))
    found = by_kind(overview(SAME, groups=groups))["region"]
    assert said(found) == (
        "All Anytown: no clear change on the year before. 1,000 thefts were recorded in 2024, against 990. "
        "One borough is clearly higher: South (500 to 700)."
    )
    calm = by_kind(overview(SAME, groups=groups[:1]))["region"]
    assert said(calm).endswith("No borough is clearly higher or lower.")
    assert calm.evidence.level == "groups"


def test_what_the_map_does_not_show() -> None:
    # 1,000 in the region, 60 + 150 in wards.
    found = by_kind(overview(UP, UP_MORE))["not shown"]
    assert said(found).startswith("The map does not show 790 of 1,000 thefts:")
    assert found.tested == "They count in the total of the region."
    # 300 + 600 in boroughs: 690 more than in wards.
    groups = (profile("North", 300, 290, "no clear change"), profile("South", 600, 500, "higher"))
    placed = by_kind(overview(UP, UP_MORE, groups=groups))["not shown"]
    assert placed.tested == "690 of them count in a borough; all of them count in the total of the region."
    stepped = [profile("Ash", 60, 30, "higher", step=10), profile("Fir", 3, 2, "too few", step=10)]
    assert said(by_kind(overview(*stepped))["not shown"]).startswith("The map gives fewer than 10 in 1 of 2 wards:")
    hidden = AreaProfile("X", "X", None, covered=True, figures={"all": Figure(not_offered=frozenset({"incidents"}))})
    assert said(by_kind(overview(UP, hidden))["not shown"]) == "It gives no number in 1 of 2 wards."


@pytest.mark.parametrize("audience", ["internal", "partner", "public"])
@pytest.mark.slow
def test_a_release_s_statements_agree_with_its_tables(audience: str) -> None:
    released = fixture.city(audience=audience)
    fields = attention_fields(released)
    assert 2 <= len(fields) <= 5
    now = released.counts[
        (released.counts["period"] == released.info.headline.id) & (released.counts["category"] == "all")
    ]
    wards = now[now["level"] == Level.WARD].set_index("area_code")["change_word"]
    for kind in ("higher", "lower"):
        codes = {code for f in fields if f["kind"] == kind for code in f["codes"]}
        assert codes == set(wards.index[(wards == kind).fillna(value=False)])
    if not set(wards.dropna()) & {"higher", "lower"}:
        assert fields[0]["kind"] == "steady"


@pytest.mark.slow
def test_no_statement_of_a_released_profile_follows_a_count_inside_its_step() -> None:
    """Two releases with equal ranges and other middles give equal statements."""
    released = fixture.city(audience="public")
    counts = released.counts.copy()
    counts["incidents"] = counts["incidents_upper"]
    other = fixture.sealed(released.info, released.areas, counts, released.hotspots, released.density)
    assert attention_fields(released) == attention_fields(other)


def with_a_place(moved: int) -> Released:
    """A public release of a city where so many offences of a ward, of 98 in a year, have no place."""
    parents = {f"B{b}W{i}": f"B{b}" for b in (1, 2) for i in range(5)}
    counts = {(ward, month, "all"): (8, 0, 0) for ward in parents for month in gated.MONTHS}
    counts |= {("B1W1", month, "all"): (40, 0, 0) for month in (202410, 202411, 202412)}
    counts |= {(borough, month, "all"): (9, 0, 0) for borough in ("B1", "B2") for month in gated.MONTHS}
    counts["B1W0", 202411, "all"], counts["B1", 202411, "all"] = (10 - moved, 0, 0), (7 + moved, 0, 0)
    config = gated.config_of(
        [{"name": "public", "audience": "public", "threshold": 10, "borough_period": "quarter"}],
        detect={"gistar": {"enabled": False}},
    )
    city = gated.detected_of(parents, counts, np.random.default_rng(0))
    return release(city, profile=config.profiles[0], config=config)


@pytest.mark.slow
def test_a_map_over_other_counts_in_the_same_steps_is_the_same() -> None:
    """What it opens with, and the windows that it names, say no more than the steps: 95 and 98 are both "90 to 99".

    No shorter window stands in for the headline, which the windows of wards would overlap.
    """
    one, other = with_a_place(0), with_a_place(3)
    higher = next(found for found in attention_fields(one) if found["kind"] == "higher")
    assert (higher["codes"], higher["period"], one.info.stand_in) == (["B1W1"], "", None)
    assert make_payload(one) == make_payload(other)


def test_no_setting_leaves_an_empty_sentence() -> None:
    words = ("higher", "lower", "no clear change", "too few", "not comparable", "")
    for word, before, step in itertools.product(words, ("", "the year before"), (1, 10)):
        areas = [profile(f"Ward {k}", 50 + k, 40, word, step=step) for k in range(3)]
        for found in statements(overview(*areas, before=before)):
            text = said(found)
            assert found.text[0][1], text
            assert "{" not in text, text
            assert "  " not in text, text
            assert text.endswith("."), text


@pytest.mark.slow
def test_the_overview_of_a_release_without_hotspots_has_none() -> None:
    base = fixture.city()
    bare = fixture.sealed(base.info, base.areas, base.counts, base.hotspots.iloc[:0], base.density)
    assert overview_of(ReleaseIndex(bare)).spots == ()
