"""Sentences are chosen by rule, say no more than their numbers, and agree with each other."""

import dataclasses
import itertools
import re

import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.publish.findings import (
    AreaProfile,
    Case,
    CountRange,
    Figure,
    Window,
    before_and_after,
    compared_with_region,
    findings,
    lead,
    rank_range,
    total_of,
)

YEAR = "the year before"
CATEGORIES = (("racist", "Racist"), ("faith", "Faith"), ("homophobic", "Homophobic"))
WORDS = ("higher", "lower", "no clear change", "too few", "not comparable", "")


def step_of(count: int, step: int = 1) -> CountRange:
    """Return the step that a count lies in; with a step of 1 the count itself."""
    return CountRange(count // step * step, count // step * step + step - 1)


def figure(incidents: int, change_pct: float | None = None, word: str = "", *, step: int = 1, **more: object) -> Figure:
    earlier = None if change_pct is None else step_of(round(incidents / (1 + change_pct / 100)), step)
    rate = incidents / 10.0
    base = {"rate": rate, "rate_low": rate * 0.9, "rate_high": rate * 1.1}
    return Figure(
        step_of(incidents, step),
        earlier,
        change_pct=change_pct,
        change_word=word,
        **(base | more),  # type: ignore[arg-type]
    )


def area(name: str, total: Figure, population: int = 10000, **categories: Figure) -> AreaProfile:
    return AreaProfile(name, name, population, covered=True, figures={"all": total, **categories})


def case(mine: AreaProfile, region: AreaProfile, **changes: object) -> Case:
    base = {
        "peers": (mine,),
        "parts": (),
        "categories": CATEGORIES,
        "noun": "hate crimes",
        "period": "12 months to July 2025",
        "before": YEAR,
        "recorder": "Police",
    }
    return Case(mine, region, **(base | changes))  # type: ignore[arg-type]


def spoken(made: Case) -> str:
    return "".join(t for t, _ in lead(made)) + " " + " ".join(f"{f.head} {f.text}" for f in findings(made))


LONDON = area("London", figure(20000, -16.0, "lower"), 9_000_000, racist=figure(14000, -19.0, "lower"))


def test_lead_reads_as_the_design_says() -> None:
    mine = area("Westminster", figure(1719, -20.0, "lower", rate=84.2, rate_low=80.0, rate_high=88.0), 204300)
    region = area("London", figure(21000, -16.0, "lower", rate=24.1), 8_700_000)
    assert "".join(t for t, _ in lead(case(mine, region))) == (
        "Police recorded 1,719 hate crimes in Westminster in the 12 months to July 2025, "
        "clearly fewer than the year before, by 20%."
        " The rate is about 3½ times the London rate."
    )


@pytest.mark.parametrize(
    ("incidents", "step", "said"),
    [
        (1719, 1, "1,719 hate crimes were recorded in Westminster in the 12 months to July 2025."),
        (1, 1, "1 hate crime was recorded in Westminster in the 12 months to July 2025."),
        (1722, 5, "1,720 to 1,724 hate crimes were recorded in Westminster in the 12 months to July 2025."),
        (0, 10, "Fewer than 10 hate crimes were recorded in Westminster in the 12 months to July 2025."),
        (9, 10, "Fewer than 10 hate crimes were recorded in Westminster in the 12 months to July 2025."),
    ],
)
def test_where_several_organisations_recorded_none_is_named(incidents: int, step: int, said: str) -> None:
    mine = area("Westminster", figure(incidents, reliability="too few to say", step=step), 204300)
    made = case(mine, area("London", figure(21000), 8_700_000), recorder="")
    assert "".join(t for t, _ in lead(made)).startswith(said)


@pytest.mark.parametrize(
    ("change", "word", "said"),
    [
        (-20.4, "lower", ", clearly fewer than the year before, by 20%"),
        (12.5, "higher", ", clearly more than the year before, by 13%"),
        (0.3, "no clear change", ", no clear change on the year before"),
        (-9.0, "no clear change", ", no clear change on the year before"),
        (0.4, "higher", ", clearly more than the year before"),
        (None, "too few", ", too few to compare with the year before"),
        (None, "not comparable", ". Not comparable with the year before"),
        (None, "", ""),
    ],
)
def test_change_says_no_more_than_its_word(change: float | None, word: str, said: str) -> None:
    def opening(step: int, before: str = YEAR) -> str:
        mine = Figure(step_of(100, step), step_of(120, step), change_pct=change, change_word=word)
        made = case(area("Westminster", mine), LONDON, before=before)
        return "".join(t for t, _ in lead(made)).partition(" in the 12 months to July 2025")[2].removesuffix(".")

    assert opening(1) == said
    assert opening(10) == said.replace("by ", "by about ")
    # Without an earlier window nothing is said of a change but that there is nothing to compare with.
    assert opening(1, before="") == (". Not comparable with earlier periods" if word == "not comparable" else "")


@pytest.mark.parametrize(
    ("rate", "low", "high", "said"),
    [
        (50.0, 45.0, 55.0, "about 2½ times the London rate"),
        (21.0, 20.5, 21.5, "close to the London rate"),
        (26.0, 18.0, 36.0, "not clearly different from the London rate"),
        (12.0, 11.0, 13.0, "40% below the London rate"),
    ],
)
def test_a_rate_beside_london(rate: float, low: float, high: float, said: str) -> None:
    mine, london = Figure(step_of(200), rate=rate, rate_low=low, rate_high=high), Figure(step_of(9000), rate=20.0)
    assert compared_with_region(mine, london, "London") == said
    few = dataclasses.replace(mine, incidents=step_of(19))
    assert not compared_with_region(few, london, "London")


def test_a_rate_made_of_steps_beside_london_holds_for_every_number_in_them() -> None:
    """A rate of 50 for the middle of 20 to 29, which is 25, is 40 for 20 and 58 for 29."""
    london = Figure(step_of(9000), rate=10.0)
    mine = Figure(CountRange(20, 29), rate=50.0, rate_low=30.0, rate_high=80.0)
    assert mine.rate_span == (40.0, 58.0)
    assert compared_with_region(mine, london, "London") == "about 4 to 6 times the London rate"
    close = dataclasses.replace(mine, rate=10.0, rate_low=6.0, rate_high=16.0)
    assert compared_with_region(close, london, "London") == "not clearly different from the London rate"


def test_total_level_while_strands_fell_is_one_sentence() -> None:
    mine = area(
        "Camden",
        figure(900, -2.0, "no clear change"),
        racist=figure(500, -21.0, "lower"),
        faith=figure(200, -30.0, "lower"),
        homophobic=figure(100, -26.0, "lower"),
    )
    found = {f.kind: f for f in findings(case(mine, LONDON))}
    assert found["change"].head == "Three categories fell, the total shows no clear change."
    assert "Faith −30%, Homophobic −26% and Racist −21%" in found["change"].text
    assert "steady" not in found


def test_a_category_against_the_total_says_so() -> None:
    mine = area("Brent", figure(900, -12.0, "lower"), racist=figure(500, 25.0, "higher"))
    found = next(f for f in findings(case(mine, LONDON)) if f.kind == "change")
    assert found.head == "Racist: clearly more recorded, by 25%."
    assert found.text == "500 were recorded, against 400 the year before. The total fell. London as a whole: −19%."
    stepped = area(
        "Brent",
        figure(900, -12.0, "lower", step=10),
        racist=dataclasses.replace(figure(505, 25.0, "higher", step=10), earlier=CountRange(400, 409)),
    )
    found = next(f for f in findings(case(stepped, LONDON)) if f.kind == "change")
    assert found.head == "Racist: clearly more recorded, by about 25%."
    assert found.text.startswith("500 to 509 were recorded, against 400 to 409 the year before. The total fell.")


def test_nothing_rests_on_fewer_than_twenty() -> None:
    mine = area(
        "Sutton", figure(19, -50.0, "lower"), racist=figure(12, -60.0, "lower"), faith=figure(7, 90.0, "higher")
    )
    parts = tuple(area(f"W{k}", figure(4)) for k in range(8))
    assert findings(case(mine, LONDON, parts=parts)) == ()


def wards(*counts: int | None, step: int = 1) -> tuple[AreaProfile, ...]:
    hidden = Figure(not_offered=frozenset({"incidents"}))
    return tuple(area(f"Ward {k}", hidden if n is None else figure(n, step=step), 2000) for k, n in enumerate(counts))


def test_concentration_names_wards_inside_and_never_in_public() -> None:
    parts = wards(500, 300, 200, 50, 50, 50, 50, 50)
    mine = area("Westminster", figure(1250), 16000)
    inside = findings(case(mine, LONDON, parts=parts))[0]
    assert inside.head == "Three of 8 wards hold 80% of hate crimes."
    assert inside.text == "Ward 0, Ward 1 and Ward 2 recorded 1,000 together; 38% of residents live there."
    public = findings(case(mine, LONDON, parts=parts, audience="public"))[0]
    assert public.head == inside.head
    assert "Ward 0" not in public.text


def test_totals_of_several_wards_are_sums_of_lowers_and_of_uppers() -> None:
    """500 to 509, 300 to 309 and 200 to 209: 1,000 to 1,027 of 1,250 to 1,259, which is 79 % to 82 %."""
    assert total_of([CountRange(500, 509), CountRange(300, 309), CountRange(200, 209)]) == CountRange(1000, 1027)
    parts = wards(503, 300, 209, 50, 50, 50, 50, 50, step=10)
    mine = area("Westminster", figure(1250, step=10), 16000)
    found = findings(case(mine, LONDON, parts=parts))[0]
    assert found.head == "Three of 8 wards hold 79% to 82% of hate crimes."
    assert found.text.startswith("Ward 0, Ward 1 and Ward 2 recorded 1,000 to 1,027 together; ")


def test_nothing_is_said_of_concentration_that_part_of_the_steps_denies() -> None:
    """Three of six hold 60 to 87 of 100 to 109, 55 % to 87 %: an even share is 50 %, half as much again 75 %."""
    parts = wards(20, 20, 20, 10, 10, 10, step=10)
    mine = area("Brent", figure(100, step=10), 12000)
    assert not [f for f in findings(case(mine, LONDON, parts=parts)) if f.kind in {"concentration", "spread"}]


def test_withheld_wards_forbid_to_say_that_nothing_is_concentrated() -> None:
    mine = area("Brent", figure(800), 16000)
    even = wards(100, 100, 100, 100, 100, 100, 100, 100)
    assert [f.kind for f in findings(case(mine, LONDON, parts=even))] == ["spread"]
    hidden = wards(100, 100, 100, 100, None, None, None, None)
    found = findings(case(mine, LONDON, parts=hidden))
    assert [f.kind for f in found] == ["not offered"]
    assert found[0].head == "No number for four of 8 wards."


def test_ranks_come_with_their_range_and_not_in_public() -> None:
    peers = tuple(
        area(n, Figure(step_of(500), rate=r, rate_low=r - 5, rate_high=r + 5))
        for n, r in zip("ABCD", (50, 44, 30, 10), strict=True)
    )
    ranked = case(peers[1], LONDON, peers=peers)
    assert rank_range(ranked) == (2, 1, 2, 4)
    assert rank_range(dataclasses.replace(ranked, audience="public")) is None


@pytest.mark.parametrize(
    ("share", "low", "high", "head", "text"),
    [
        (
            0.22,
            0.2,
            0.24,
            "22% of hate crimes whose outcome is known had a positive one.",
            "That is above London, 16%.",
        ),
        (
            0.17,
            0.15,
            0.19,
            "17% of hate crimes whose outcome is known had a positive one.",
            "That is not clearly different from London, 16%.",
        ),
    ],
)
def test_cohort_outcomes(share: float, low: float, high: float, head: str, text: str) -> None:
    mine = area("Brent", figure(900, outcomes=step_of(150), share=share, share_low=low, share_high=high))
    region = area("London", figure(20000, outcomes=step_of(3200), share=0.16))
    found = findings(case(mine, region, outcome_basis="cohort"))[0]
    assert found.head == head
    assert found.text.endswith(text)


def test_flow_outcomes_are_not_a_share() -> None:
    """The Met's published file: 10,572 positive outcomes to 95,668 offences."""
    region = area("London", figure(95668, outcomes=step_of(10572), share=100 * 10572 / 95668))
    found = next(f for f in findings(case(region, region, outcome_basis="flow")) if f.kind == "outcomes")
    assert found.head == "11 positive outcomes recorded per 100 hate crimes recorded."
    assert "%" not in found.head + found.text


def test_a_share_of_steps_is_part_lower_by_total_upper_to_part_upper_by_total_lower() -> None:
    """90 to 99 of 680 to 689: 90/689 = 13 % to 99/680 = 15 %; as a flow 13 to 15 for every 100."""
    made = figure(1215, step=10, outcomes=CountRange(90, 99), known=CountRange(680, 689), share=0.139)
    assert made.share_span("cohort") == (90 / 689, 99 / 680)
    mine = area("Brent", dataclasses.replace(made, share_low=0.11, share_high=0.17))
    region = area("London", figure(20000, outcomes=step_of(3200), share=0.16))
    found = next(f for f in findings(case(mine, region, outcome_basis="cohort")) if f.kind == "outcomes")
    assert found.head == "13% to 15% of hate crimes whose outcome is known had a positive one."
    assert found.text == "90 to 99 hate crimes so far. That is not clearly different from London, 16%."
    flow = dataclasses.replace(made, known=None, share=7.8)
    assert flow.share_span("flow") == (100 * 90 / 1219, 100 * 99 / 1210)


def test_the_three_states_of_a_total_are_said_in_words() -> None:
    hidden = area("Brent", Figure(not_offered=frozenset({"incidents"})))
    assert "in the 12 months to July 2025 is not offered, to protect the people involved." in spoken(
        case(hidden, LONDON)
    )
    assert "There are no figures for Brent" in spoken(case(area("Brent", Figure()), LONDON))
    for count in (0, 4):
        first = area("Brent", figure(count, step=5, rate=None, reliability="too few to say"))
        said = "Police recorded fewer than 5 hate crimes in Brent in the 12 months to July 2025."
        assert spoken(case(first, LONDON)).startswith(f"{said} That is too few for a rate.")


def test_a_break_gives_its_reason() -> None:
    mine = area("Brent", figure(900, None, "not comparable"))
    said = spoken(case(mine, LONDON, break_text="the series breaks in March 2024"))
    words = "in the 12 months to July 2025. Not comparable with the year before: the series breaks in March 2024."
    assert words in said


figures = st.builds(
    figure,
    st.integers(0, 3000),
    st.one_of(st.none(), st.floats(-90, 300)),
    st.sampled_from(WORDS),
    step=st.sampled_from([1, 5, 10]),
)


@settings(max_examples=150, deadline=None)
@given(figures, figures, figures, figures, st.sampled_from(["internal", "partner", "public"]))
@pytest.mark.slow
def test_no_two_sentences_contradict(
    total: Figure, racist: Figure, faith: Figure, homophobic: Figure, audience: str
) -> None:
    mine = area("Camden", total, racist=racist, faith=faith, homophobic=homophobic)
    made = case(mine, LONDON, audience=audience)
    said = spoken(made)
    named = {"racist": racist, "faith": faith, "homophobic": homophobic}
    for (id_, label), figure_ in zip(CATEGORIES, named.values(), strict=True):
        assert named[id_] is figure_
        if figure_.change_word != "higher":
            assert not re.search(rf"{label}: clearly more|{label} (?:about )?\+", said)
        if figure_.change_word != "lower":
            assert not re.search(rf"{label}: clearly fewer|{label} (?:about )?−", said)
    opening = "".join(t for t, _ in lead(made))
    if total.change_word == "no clear change":
        assert "clearly fewer than" not in opening
        assert "clearly more than" not in opening
        assert "The total rose" not in said
        assert "The total fell" not in said
    if "No category changed clearly" in said:
        assert not any(f.changed for f in named.values())
    assert "nan" not in said.lower()
    assert "None" not in said


def months(first: str, counts: list[int | None], step: int = 1) -> list[Window]:
    year, month = map(int, first.split("-"))
    out = []
    for k, n in enumerate(counts):
        y, m = divmod(year * 12 + month - 1 + k, 12)
        out.append(Window(f"{y}-{m + 1:02d}-01", f"{y}-{m + 1:02d}-30", 30, None if n is None else step_of(n, step)))
    return out


@pytest.mark.slow
def test_events_compare_before_and_after_with_the_exact_interval() -> None:
    share = scipy.stats.binomtest(150, 250).proportion_ci(method="exact")  # equal times: the share that came after
    low, high = (p / (1 - p) for p in (share.low, share.high))
    series = months("2024-01", [30, 30, 40, 50, 50, 50])
    said = "Match (2 April 2024): 150 in the three months from April 2024, 100 in the three before; clearly more, "
    said += f"ratio 1.50, 95% range {low:.2f} to {high:.2f}, seasons not taken out."
    assert before_and_after("2024-04-02", "Match", series, breaks=[]) == said
    late = before_and_after("2024-03-28", "Match", series, breaks=[])  # nothing of March is left
    assert late == said.replace("2 April", "28 March")


def test_events_of_steps_compare_what_holds_for_all_numbers_in_them() -> None:
    """Sums of lowers and uppers, 90 to 117 and 150 to 177; the ratio is between 150/117 and 177/90."""
    ends = [scipy.stats.binomtest(*pair).proportion_ci(method="exact") for pair in ((150, 267), (177, 267))]
    low, high = ends[0].low / (1 - ends[0].low), ends[1].high / (1 - ends[1].high)
    series = months("2024-01", [31, 30, 39, 50, 55, 51], step=10)
    clear = "clearly more" if low > 1 else "no clear difference"
    said = "Match (2 April 2024): 150 to 177 in the three months from April 2024, 90 to 117 in the three before; "
    said += f"{clear}, ratio 95% range {low:.2f} to {high:.2f}, seasons not taken out."
    assert before_and_after("2024-04-02", "Match", series, breaks=[]) == said


@pytest.mark.parametrize(
    ("day", "counts", "breaks", "said"),
    [
        ("2030-01-01", [50] * 6, [], "outside the data"),
        ("2024-01-10", [50] * 6, [], "too close to the ends"),
        ("2024-04-10", [50] * 6, ["2024-04"], "not comparable"),
        ("2024-04-10", [5] * 6, [], "too few"),
        ("2024-04-10", [50, None, 50, 50, 50, 50], [], "not offered or missing"),
    ],
)
def test_events_say_why_there_is_no_comparison(
    day: str, counts: list[int | None], breaks: list[str], said: str
) -> None:
    assert said in before_and_after(day, "Event", months("2024-01", counts), breaks=breaks)


def test_every_order_of_categories_gives_the_same_findings() -> None:
    mine = area(
        "Camden",
        figure(900, 1.0, "no clear change"),
        racist=figure(500, -21.0, "lower"),
        faith=figure(200, -21.0, "lower"),
    )
    said = {findings(case(mine, LONDON, categories=order)) for order in itertools.permutations(CATEGORIES)}
    assert len(said) == 1
