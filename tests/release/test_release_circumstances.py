"""Circumstances through the gate: nobody small can be worked out, whatever else readers hold."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from pipeline.aggregate.circumstances import NOT_STATED, OTHER, TOTAL
from pipeline.config import Profile
from pipeline.domain.periods import Period
from pipeline.release.circumstances import (
    APART,
    FIRST,
    Circumstances,
    ReleasedCircumstances,
    Setting,
    release_circumstances,
)

pytestmark = pytest.mark.slow

YEAR = Period(202401, 202412)
BOROUGHS = ("B1", "B2", "B3", "B4")
ROUTES = ("telephone", "in person", "online form", "officer")
SMALL = 5


def profile(**changes: Any) -> Profile:
    settings = {"name": "partner", "audience": "partner", "threshold": SMALL, "borough_period": "fixed"}
    return Profile.model_validate(settings | changes)


def incidents(seed: int, *, rows: int = 420, charity: int = 40) -> pd.DataFrame:
    """Records of the police and a few of a charity, some in no borough, some stating nothing."""
    rng = np.random.default_rng(seed)
    number = rows + charity
    hours = rng.choice([1, 4, 14, 17, 20, 22], number, p=[0.04, 0.02, 0.3, 0.3, 0.3, 0.04])
    return pd.DataFrame(
        {
            "organisation": ["police"] * rows + ["charity"] * charity,
            "area_code": rng.choice([*BOROUGHS, ""], number, p=[0.4, 0.27, 0.18, 0.1, 0.05]),
            "month": rng.choice(np.arange(202401, 202413), number),
            "hour_band": [None if skip else str(h) for h, skip in zip(hours, rng.random(number) < 0.05, strict=True)],
            "reporting_route": rng.choice([*ROUTES, "by carrier pigeon"], number, p=[0.55, 0.3, 0.1, 0.045, 0.005]),
        }
    )


def facets_of(rows: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for facet in ("hour_band", "reporting_route", TOTAL):
        told = rows.dropna(subset=[facet]).assign(facet=facet, value=lambda f, name=facet: f[name], category="all")
        key = ["organisation", "area_code", "month", "category", "facet", "value"]
        parts.append(told[list(dict.fromkeys(key))].value_counts().rename("incidents").reset_index())
    return pd.concat(parts, ignore_index=True)


def setting(rows: pd.DataFrame, rules: Profile, **changes: Any) -> Setting:
    counts = rows["area_code"].value_counts().to_dict() | {"R": len(rows)}
    shown = pd.DataFrame({"area_code": ["R", *BOROUGHS], "category": "all", "incidents_unplaced": 0})
    shown["withheld"] = [frozenset[str]()] * len(shown)
    shown["incidents"] = pd.array([counts.get(a, 0) for a in shown["area_code"]], dtype="Int64")
    areas = pd.DataFrame({"area_code": ["R", *BOROUGHS], "name": ["Region", *BOROUGHS], "level": "borough"})
    areas.loc[0, "level"] = "region"
    base: dict[str, Any] = {
        "run": "r", "profile": rules, "headline": YEAR, "areas": areas, "counts": shown, "mature_until": 0,
        "fewest": rules.threshold, "region_whole": True,
    }  # fmt: skip
    return Setting(**(base | changes))


def released(rows: pd.DataFrame, rules: Profile | None = None, **changes: Any) -> Circumstances:
    rules = rules or profile()
    return release_circumstances(facets_of(rows), setting(rows, rules, **changes))


def short(question: str, answer: str) -> str:
    return answer[:2] if question == "hour_band" and answer != NOT_STATED else answer


def truth(rows: pd.DataFrame, table: pd.DataFrame) -> dict[tuple[str, str, str, str], int]:
    """Count again, by hand, every cell there is: organisation, question, area, answer as the release names it."""
    routes = table[table["question"] == "reporting_route"]
    named = set(zip(routes["organisation"], routes["answer"], strict=True))
    pairs = zip(rows["organisation"], rows["reporting_route"], strict=True)
    answers = {
        "hour_band": [f"{int(h) // 3 * 3:02d}" if isinstance(h, str) else NOT_STATED for h in rows["hour_band"]],
        "reporting_route": [route if (o, route) in named else OTHER for o, route in pairs],
    }
    found = {}
    for question, said in answers.items():
        frame = rows.assign(answer=said)
        for (o, a, b), n in frame.groupby(["organisation", "area_code", "answer"]).size().items():
            found[str(o), question, str(a), str(b)] = int(n)
    return found


class Attack:
    """Everything readers know as equations over whole numbers: all questions, organisations and areas at once."""

    def __init__(self, rows: pd.DataFrame, table: pd.DataFrame) -> None:
        self.true = truth(rows, table)
        questions = sorted({q for _, q, _, _ in self.true})
        areas = ["R", *BOROUGHS, ""]
        organisations = sorted(rows["organisation"].unique())
        answers = {q: sorted({b for _, question, _, b in self.true if question == q}) for q in questions}
        self.at: dict[tuple[str, str, str, str], int] = {}
        for o in organisations:
            for a in areas:
                for q, names in [(TOTAL, [o]), *answers.items()]:
                    for b in names:
                        self.at[o, q, a, b] = len(self.at)
        self.lines: list[tuple[dict[int, int], float]] = []
        for o in organisations:
            for q, names in answers.items():
                for a in areas:
                    self.lines.append(({self.at[o, TOTAL, a, o]: -1} | {self.at[o, q, a, b]: 1 for b in names}, 0))
                for b in names:
                    parts = {self.at[o, q, a, b]: 1 for a in areas[1:]}
                    self.lines.append((parts | {self.at[o, q, "R", b]: -1}, 0))
        totals = rows["area_code"].value_counts().to_dict() | {"R": len(rows)}
        for a in areas:
            self.lines.append(({self.at[o, TOTAL, a, o]: 1 for o in organisations}, totals.get(a, 0)))
        for row in table[table["incidents"].notna()].to_dict("records"):
            key = (row["organisation"], row["question"], row["area_code"], short(row["question"], row["answer"]))
            if key in self.at:
                self.lines.append(({self.at[key]: 1}, int(row["incidents"])))

    def width(self, key: tuple[str, str, str, str]) -> float:
        matrix = np.zeros((len(self.lines), len(self.at)))
        for i, (weights, _) in enumerate(self.lines):
            matrix[i, list(weights)] = list(weights.values())
        known = np.array([total for _, total in self.lines])
        ends = []
        for sign in (1, -1):
            aim = np.zeros(len(self.at))
            aim[self.at[key]] = sign
            found = milp(aim, constraints=LinearConstraint(matrix, known, known), bounds=Bounds(0, float(known.max())),
                         integrality=np.ones(len(self.at)))  # fmt: skip
            assert found.success or "unbounded" in found.message.lower(), found.message
            ends.append(sign * found.fun)
        return ends[1] - ends[0]

    def given_away(self) -> list[tuple[str, str, str, str]]:
        """Small counts of a borough or of no borough that are pinned more narrowly than promised."""
        small = [k for k, n in self.true.items() if 0 < n < SMALL]
        return [k for k in small if self.width(k) < SMALL]


@pytest.mark.parametrize("seed", range(4))
def test_no_small_answer_can_be_worked_out_from_all_questions_together(seed: int) -> None:
    rows = incidents(seed)
    found = released(rows)
    boroughs = found.table[(found.table["level"] == "borough") & (found.table["question"] != TOTAL)]
    assert boroughs["incidents"].notna().any()
    assert boroughs["incidents"].isna().any()
    shown = found.table["incidents"].dropna()
    assert ((shown == 0) | (shown >= SMALL)).all()
    assert Attack(rows, found.table).given_away() == []


def test_the_attack_finds_small_answers_that_nothing_else_hides() -> None:
    rows = incidents(0)
    table = released(rows).table
    true = truth(rows, table)
    keys = [
        (o, q, a, short(q, b))
        for o, q, a, b in zip(*(table[c] for c in ("organisation", "question", "area_code", "answer")), strict=True)
    ]
    bare = [true.get(key, 0) if key[1] != TOTAL else None for key in keys]
    bare = [None if n is None or 0 < n < SMALL else n for n in bare]
    bare = [None if a == "R" else n for n, a in zip(bare, table["area_code"], strict=True)]
    careless = table.assign(incidents=table["incidents"].fillna(pd.Series(bare, dtype="Int64")))
    assert Attack(rows, careless).given_away()


def test_the_public_sees_the_region_alone_rounded() -> None:
    rows = incidents(1, rows=2000, charity=200)
    table = released(rows, profile(name="public", audience="public", threshold=10, rounding=5)).table
    assert set(table["area_code"]) == {"R"}
    assert (table["incidents"].dropna() % 5 == 0).all()
    assert ((table["share"].dropna() <= 1) & (table["share"].dropna() >= 0)).all()
    exact = facets_of(rows)
    phone = exact[(exact["value"] == "telephone") & (exact["organisation"] == "police")]["incidents"].sum()
    [shown] = table[(table["answer"] == "telephone") & (table["organisation"] == "police")]["incidents"]
    assert abs(shown - phone) <= 2


def test_internal_sees_everything() -> None:
    rows = incidents(2)
    table = released(rows, profile(name="internal", audience="internal", threshold=0)).table
    assert table["incidents"].notna().all()
    assert "by carrier pigeon" in set(table["answer"])


def test_rare_words_of_a_source_are_not_named() -> None:
    rows = incidents(3)
    table = released(rows).table
    route = table[(table["question"] == "reporting_route") & (table["level"] == "region")]
    assert "by carrier pigeon" not in set(route["answer"])
    assert OTHER in set(route["answer"])
    # The next rarest is among the others, so that nobody knows them to be few.
    assert "officer" not in set(route.loc[route["organisation"] == "police", "answer"])


def test_a_source_with_few_records_is_described_for_the_region() -> None:
    table = released(incidents(0)).table
    asked = table[(table["organisation"] == "charity") & (table["question"] != TOTAL)]
    assert set(asked["level"]) == {"region"}


def test_a_window_is_released_once() -> None:
    rows = incidents(4)
    first = released(rows)
    assert first.released is not None
    again = released(rows, previous=(ReleasedCircumstances.of(first.released.entry()),))
    pd.testing.assert_frame_equal(again.table, first.table)
    assert again.note == ""
    late = pd.concat([rows, rows.iloc[[0] * 7]], ignore_index=True)
    after = released(late, previous=(first.released,))
    pd.testing.assert_frame_equal(after.table, first.table)
    assert after.note == FIRST
    other = released(rows, headline=Period(202402, 202501), previous=(first.released,))
    assert other.table.empty
    assert other.note == APART
    apart = released(late, profile(name="second"), previous=(first.released,))
    assert apart.note == APART


def test_folders_of_two_audiences_say_no_more_together() -> None:
    rows = incidents(5, rows=2000, charity=100)
    public = profile(name="public", audience="public", threshold=10)
    first = released(rows, public, fewest=10)
    assert first.released is not None
    partner = released(rows, previous=(first.released,), fewest=10)
    shown = first.table[first.table["incidents"].notna()]
    both = pd.concat([partner.table, shown], ignore_index=True)
    assert Attack(rows, both).given_away() == []
    # The other way round the public sees no more than partners do.
    alone = released(rows, fewest=10)
    assert alone.released is not None
    later = released(rows, public, previous=(alone.released,), fewest=10)
    key = ["area_code", "organisation", "question", "answer"]
    held = set(map(tuple, alone.table.loc[alone.table["incidents"].notna(), key].to_numpy()))
    assert set(map(tuple, later.table.loc[later.table["incidents"].notna(), key].to_numpy())) <= held
    assert len(later.table)


def test_perturbed_folders_and_withheld_totals_show_none() -> None:
    rows = incidents(0)
    assert released(rows, profile(protection="round", rounding=5)).table.empty
    made = setting(rows, profile())
    counts = made.counts.copy()
    gone = counts["area_code"].isin(["B3", "B4"])
    counts.loc[gone, "incidents"] = pd.NA
    counts["withheld"] = [frozenset({"incidents"}) if g else frozenset() for g in gone]
    table = release_circumstances(facets_of(rows), replace(made, counts=counts)).table
    assert table.loc[table["area_code"].isin(["B3", "B4"]), "incidents"].isna().all()
    assert release_circumstances(None, made).table.empty
