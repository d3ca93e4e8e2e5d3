"""Circumstances through the gate: every count shown keeps all values of its step, whatever else readers hold.

The attacker here is apart from the code: linear programmes over every count there is, shown or not, of every area,
variable and organisation, with the sums that hold, the subsets and equal values that hold in the data, and the folders
of both audiences.
"""

import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog
from scipy.sparse import coo_array, vstack

from pipeline.aggregate.circumstances import NOT_STATED, OTHER, TOTAL
from pipeline.config import Profile
from pipeline.domain.periods import Period
from pipeline.release.circumstances import (
    APART,
    NOT_IN_STEPS,
    Circumstances,
    Setting,
    choose_values,
    release_circumstances,
)

pytestmark = pytest.mark.slow

YEAR = Period(202401, 202412)
BOROUGHS = ("B1", "B2", "B3", "B4", "B5")
ROUTES = ("telephone", "in person", "online form", "officer", "by carrier pigeon")
QUESTIONS = ("hour_band", "weekday", "place_type", "online", "kind", "offence_group", "reporting_route")
PARTNER, PUBLIC = 5, 10


def profile(**changes: Any) -> Profile:
    settings = {"name": "partner", "audience": "partner", "threshold": PARTNER}
    return Profile.model_validate(settings | changes)


def incidents(seed: int, *, rows: int = 1500, charity: int = 200, unplaced: float = 0.05) -> pd.DataFrame:
    """Records of the police and a few of a charity; some in no borough, some that state nothing.

    The place "online" and the answer yes, non-crime incidents and their group select the same records.
    """
    rng = np.random.default_rng(seed)
    number = rows + charity
    chances = np.array([0.4, 0.27, 0.18, 0.1, 0.05]) * (1 - unplaced)
    place = rng.choice(["street", "dwelling", "shop", "online", "park"], number, p=[0.5, 0.25, 0.12, 0.1, 0.03])
    group = rng.choice(["Assault", "Damage", "Non-crime", "Theft"], number, p=[0.5, 0.3, 0.15, 0.05])
    hours = rng.choice([1, 4, 14, 17, 20, 22], number, p=[0.04, 0.02, 0.3, 0.3, 0.3, 0.04]).astype(str)
    return pd.DataFrame(
        {
            "organisation": ["police"] * rows + ["charity"] * charity,
            "area_code": rng.choice([*BOROUGHS, ""], number, p=[*chances, unplaced]),
            "month": rng.choice(np.arange(202401, 202413), number),
            "hour_band": np.where(rng.random(number) < 0.08, None, hours),
            "weekday": rng.integers(1, 8, number).astype(str),
            "place_type": place,
            "online": np.where(place == "online", "yes", "no"),
            "kind": np.where(group == "Non-crime", "incident", "offence"),
            "offence_group": group,
            "reporting_route": rng.choice(ROUTES, number, p=[0.55, 0.3, 0.1, 0.047, 0.003]),
        }
    )


def facets_of(rows: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for facet in (*QUESTIONS, TOTAL):
        column = "organisation" if facet == TOTAL else facet
        stated = rows.dropna(subset=[column]).assign(facet=facet, value=lambda f, c=column: f[c], category="all")
        key = ["organisation", "area_code", "month", "category", "facet", "value"]
        parts.append(stated[key].value_counts().rename("incidents").reset_index())
    return pd.concat(parts, ignore_index=True)


def setting(rows: pd.DataFrame, rules: Profile, **changes: Any) -> Setting:
    counts = rows["area_code"].value_counts().to_dict() | {"R": len(rows)}
    areas = pd.DataFrame({"area_code": ["R", *BOROUGHS], "name": ["Region", *BOROUGHS], "level": "borough"})
    areas.loc[0, "level"] = "region"
    lower = pd.Series([counts.get(a, 0) // rules.step * rules.step for a in areas["area_code"]], dtype="Int64")
    shown = areas[["area_code", "level"]].assign(
        category="all", period=YEAR.id, incidents_lower=lower, incidents_upper=lower + rules.step - 1
    )
    base: dict[str, Any] = {
        "profile": rules, "headline": YEAR, "areas": areas, "counts": shown, "mature_until": 0,
        "steps": (PARTNER, PUBLIC),
    }  # fmt: skip
    return Setting(**(base | changes))


def released(rows: pd.DataFrame, rules: Profile | None = None, **changes: Any) -> Circumstances:
    rules = rules or profile()
    return release_circumstances(facets_of(rows), setting(rows, rules, **changes))


def both(rows: pd.DataFrame) -> list[Circumstances]:
    """Release to partners and to the public."""
    return [released(rows), released(rows, profile(name="public", audience="public", threshold=PUBLIC))]


Key = tuple[str, str, str, str]  # organisation, variable, area, value


class Attack:
    """Everything a reader may know, as rows over all counts, and the ranges that folders print."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.true: dict[Key, int] = {}
        known = {"weekday": "1234567"} | {q: sorted(rows[q].dropna().unique()) for q in QUESTIONS if q != "weekday"}
        whole = pd.concat([rows, rows.assign(area_code="R")])
        for organisation, of_organisation in whole.groupby("organisation"):
            for area in ("R", *BOROUGHS, ""):
                mine = of_organisation[of_organisation["area_code"] == area]
                self.true[str(organisation), TOTAL, area, str(organisation)] = len(mine)
                for question in QUESTIONS:
                    counts = mine[question].value_counts()
                    for value in known[question]:
                        self.true[str(organisation), question, area, named(question, value)] = int(counts.get(value, 0))
                    self.true[str(organisation), question, area, NOT_STATED] = int(mine[question].isna().sum())
        for area in ("R", *BOROUGHS, ""):
            self.true["", TOTAL, area, ""] = int((whole["area_code"] == area).sum())
        self.keys = list(self.true)
        self.at = {key: place for place, key in enumerate(self.keys)}
        self.values = np.array([self.true[k] for k in self.keys])
        self.lines: list[tuple[dict[int, float], float, float]] = []
        self._sums(rows)
        self._links()

    def _add(self, weights: dict[Key, float], low: float, high: float) -> None:
        self.lines.append(({self.at[k]: w for k, w in weights.items()}, low, high))

    def _sums(self, rows: pd.DataFrame) -> None:
        """Values and organisations add up to totals, boroughs and what is in none to the region."""
        organisations = sorted(rows["organisation"].unique())
        for area in ("R", *BOROUGHS, ""):
            parts = {(o, TOTAL, area, o): 1.0 for o in organisations}
            self._add(parts | {("", TOTAL, area, ""): -1.0}, 0, 0)
            for o in organisations:
                for question in QUESTIONS:
                    mine = {k: 1.0 for k in self.keys if k[0] == o and k[1] == question and k[2] == area}
                    self._add(mine | {(o, TOTAL, area, o): -1.0}, 0, 0)
        for o, q, area, value in self.keys:
            if area == "R":
                self._add({(o, q, "R", value): -1.0} | {(o, q, a, value): 1.0 for a in (*BOROUGHS, "")}, 0, 0)
        # Where every record is in a borough, a reader knows that too.
        if not (rows["area_code"] == "").any():
            for o, q, area, value in self.keys:
                if area == "":
                    self._add({(o, q, area, value): 1.0}, 0, 0)

    def _links(self) -> None:
        """Values of two variables that hold the same counts in 95 % of the areas; or one no more than the other.

        The values of a variable exclude each other, so a value can be a part of one of them alone: where it is no more
        than several, it is so by its size, and not by what it selects.
        """
        areas = ("R", *BOROUGHS)
        columns: dict[tuple[str, str, str], np.ndarray] = {}
        for o, q, _, value in self.keys:
            columns[o, q, value] = np.array([self.true[o, q, a, value] for a in areas])
        some = [k for k, column in columns.items() if k[1] != TOTAL and column[0] >= PUBLIC]
        for one in some:
            for question in {k[1] for k in some} - {one[1]}:
                others = [k for k in some if k[0] == one[0] and k[1] == question]
                above = [k for k in others if np.mean(columns[one] > columns[k]) < 0.05]
                for other in others:
                    equal = np.mean(columns[one] != columns[other]) < 0.05
                    below = above == [other]
                    for a in areas if equal or below else ():
                        pair = {(*one[:2], a, one[2]): 1.0, (*other[:2], a, other[2]): -1.0}
                        self._add(pair, 0 if equal else -np.inf, 0)
        # What hardly any record has, is nothing to a reader who knows the data.
        for (o, q, value), column in columns.items():
            if np.mean(column > 0) < 0.05:
                for a in areas:
                    self._add({(o, q, a, value): 1.0}, 0, 0)

    def printed(self, tables: Iterable[pd.DataFrame], totals: Iterable[Setting]) -> tuple[np.ndarray, np.ndarray, set]:
        """Return bounds of every count, and those whose steps are printed, with their widths."""
        low, high = np.zeros(len(self.keys)), np.full(len(self.keys), np.inf)
        shown: dict[int, int] = {}
        self.stated: list[tuple[dict[int, float], float, float]] = []
        for table in tables:
            given = table[table["incidents_lower"].notna()]
            for row in given.to_dict("records"):
                key = (row["organisation"], row["question"], row["area_code"], row["answer"])
                place = self.at[key]
                low[place] = max(low[place], row["incidents_lower"])
                high[place] = min(high[place], row["incidents_upper"])
                shown[place] = min(shown.get(place, 10**9), row["incidents_upper"] - row["incidents_lower"] + 1)
            for row in (
                table[table["stated_lower"].notna()]
                .drop_duplicates(["area_code", "organisation", "question"])
                .to_dict("records")
            ):
                place, o, q = row["area_code"], row["organisation"], row["question"]
                weights = {self.at[o, TOTAL, place, o]: 1.0, self.at[o, q, place, NOT_STATED]: -1.0}
                self.stated.append((weights, row["stated_lower"], row["stated_upper"]))
        for made in totals:
            for area, lower, upper in made.counts[["area_code", "incidents_lower", "incidents_upper"]].itertuples(
                index=False
            ):
                place = self.at["", TOTAL, area, ""]
                low[place], high[place] = max(low[place], lower), min(high[place], upper)
        return low, high, shown

    def narrower(self, tables: list[pd.DataFrame], totals: list[Setting]) -> list[tuple[Key, int]]:
        """Return the counts shown of which fewer values remain than their step has."""
        low, high, shown = self.printed(tables, totals)
        lines = [*self.lines, *self.stated]
        # A relation that the truth breaks is no knowledge: linked areas may break it.
        lines = [(w, a, b) for w, a, b in lines if a <= sum(v * self.values[i] for i, v in w.items()) <= b]
        rows = [i for i, (w, _, _) in enumerate(lines) for _ in w]
        cols = [c for w, _, _ in lines for c in w]
        data = [v for w, _, _ in lines for v in w.values()]
        matrix = coo_array((data, (rows, cols)), shape=(len(lines), len(self.keys))).tocsr()
        least, most = np.array([a for _, a, _ in lines]), np.array([b for _, _, b in lines])
        equal = least == most
        upper = ~equal & np.isfinite(most)
        lower = ~equal & np.isfinite(least)
        below = vstack([matrix[upper], -matrix[lower]]) if (upper | lower).any() else None
        bound = np.concatenate([most[upper], -least[lower]])
        widths = {place: self.step_of(low, high, place) for place in shown}
        left: dict[int, list[float]] = {place: [np.inf, -np.inf] for place in shown}

        def solve(aim: np.ndarray) -> np.ndarray:
            found = linprog(aim, A_ub=below, b_ub=bound if below is not None else None, A_eq=matrix[equal],
                            b_eq=most[equal], bounds=np.column_stack([low, high]), method="highs-ds")  # fmt: skip
            assert found.success, found.message
            for place, ends in left.items():
                ends[0], ends[1] = min(ends[0], found.x[place]), max(ends[1], found.x[place])
            return found.x

        # One programme settles many counts at once: all that are not yet seen at an end are pushed there together.
        for sign, end in ((1.0, 0), (-1.0, 1)):
            open_ones = set(shown)
            for _ in range(40):
                aim = np.zeros(len(self.keys))
                aim[list(open_ones)] = sign
                solve(aim)
                goal = low if end == 0 else high
                rest = {p for p in open_ones if abs(left[p][end] - goal[p]) > 1e-6}
                if not rest or rest == open_ones:
                    break
                open_ones = rest
            for place in open_ones if rest else ():
                aim = np.zeros(len(self.keys))
                aim[place] = sign
                solve(aim)
        return [
            (self.keys[p], int(np.floor(b + 1e-6) - np.ceil(a - 1e-6) + 1))
            for p, (a, b) in left.items()
            if np.floor(b + 1e-6) - np.ceil(a - 1e-6) + 1 < widths[p]
        ]

    @staticmethod
    def step_of(low: np.ndarray, high: np.ndarray, place: int) -> int:
        return int(high[place] - low[place] + 1)


def named(question: str, value: str) -> str:
    """Name a value as released tables do."""
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    if question == "weekday":
        return days[int(value) - 1]
    if question == "hour_band":
        start = int(value) // 3 * 3
        return f"{start:02d}:00 to {start + 2:02d}:59"
    return value


def settings(rows: pd.DataFrame) -> list[Setting]:
    return [setting(rows, profile()), setting(rows, profile(name="public", audience="public", threshold=PUBLIC))]


CITIES: list[dict[str, Any]] = [
    {},
    {"unplaced": 0.0},
    {"rows": 400, "charity": 60},
    {"rows": 400, "charity": 60, "unplaced": 0.0},
]


@pytest.mark.parametrize("city", CITIES)
@pytest.mark.parametrize("seed", range(3))
def test_no_count_is_narrower_than_its_step(seed: int, city: dict[str, Any]) -> None:
    rows = incidents(seed, **city)
    made, totals, attack = both(rows), settings(rows), Attack(rows)
    tables = [m.table for m in made]
    assert all(t["incidents_lower"].notna().sum() > 20 for t in tables)
    assert attack.narrower(tables[:1], totals[:1]) == []
    assert attack.narrower(tables[1:], totals[1:]) == []
    assert attack.narrower(tables, totals) == []


def with_cells(rows: pd.DataFrame, table: pd.DataFrame, more: list[tuple[str, str]], step: int) -> pd.DataFrame:
    """Offer values that the release does not: a careless release, from the true counts."""
    true, table = Attack(rows).true, table.copy()
    for place, row in table.iterrows():
        if (row["question"], row["answer"]) in more:
            count = true[row["organisation"], row["question"], row["area_code"], row["answer"]]
            table.loc[place, ["incidents_lower", "incidents_upper"]] = (
                count // step * step,
                count // step * step + step - 1,
            )
    return table


@pytest.mark.parametrize(
    "more",
    [
        pytest.param([("offence_group", "Non-crime"), ("offence_group", "Theft")], id="all of them"),
        pytest.param([("online", "no")], id="both of two values"),
        pytest.param([("offence_group", "Non-crime")], id="a value that selects what another variable hides"),
        pytest.param([("hour_band", NOT_STATED)], id="what is not stated"),
    ],
)
def test_the_attack_finds_what_a_careless_release_would_offer(more: list[tuple[str, str]]) -> None:
    found = 0
    for seed in range(3):
        rows = incidents(seed, rows=400, charity=60)
        table = with_cells(rows, released(rows).table, more, PARTNER)
        found += len(Attack(rows).narrower([table], settings(rows)[:1]))
    assert found


def test_the_attack_finds_boroughs_that_leave_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    cities = [incidents(seed, rows=400, charity=60, unplaced=0.0) for seed in range(3)]
    cities = [c.assign(area_code=c["area_code"].replace({"B3": "B2", "B4": "B2", "B5": "B2"})) for c in cities]
    monkeypatch.setattr(sys.modules[__name__], "BOROUGHS", ("B1", "B2"))
    assert all(Attack(c).narrower([released(c).table], settings(c)[:1]) == [] for c in cities)
    monkeypatch.setattr("pipeline.release.circumstances._with_boroughs", lambda offered, *_, **__: offered)
    assert any(Attack(c).narrower([released(c).table], settings(c)[:1]) for c in cities)


def test_the_values_that_are_offered_by_hand() -> None:
    table = released(incidents(0)).table
    police = table[(table["organisation"] == "police") & (table["area_code"] == "R") & (table["question"] != TOTAL)]
    hidden = police[police["incidents_lower"].isna()].groupby("question")["answer"].agg(set).to_dict()
    assert hidden == {
        "hour_band": {
            NOT_STATED, "06:00 to 08:59", "09:00 to 11:59",  # nobody was there at these hours
        },
        "weekday": {NOT_STATED, "Sunday"},
        "place_type": {NOT_STATED, "street"},
        "online": {NOT_STATED, "no"},
        "kind": {NOT_STATED, "incident"},
        # What `kind` hides is hidden here too; beside it, the last.
        "offence_group": {NOT_STATED, "Non-crime", "Theft"},
        "reporting_route": {NOT_STATED, OTHER, "telephone"},
    }  # fmt: skip


def test_the_public_sees_the_region_in_wider_steps_that_nest() -> None:
    rows = incidents(1)
    partner, public = (m.table for m in both(rows))
    assert set(public["area_code"]) == {"R"}
    key = ["organisation", "question", "answer"]
    region = partner[partner["area_code"] == "R"].set_index(key)
    wide = public.set_index(key)
    assert (region["incidents_lower"].isna() == wide["incidents_lower"].isna().reindex(region.index)).all()
    given = region[region["incidents_lower"].notna()]
    assert (given["incidents_lower"] // PUBLIC * PUBLIC == wide["incidents_lower"].reindex(given.index)).all()
    true = Attack(rows).true
    for o, q, a, v, low, high in given.reset_index()[
        ["organisation", "question", "area_code", "answer", "incidents_lower", "incidents_upper"]
    ].itertuples(index=False):
        assert low <= true[o, q, a, v] <= high == low + PARTNER - 1


def test_middles_and_shares_by_hand() -> None:
    table = released(incidents(1)).table
    given = table[table["share"].notna()]
    assert len(given)
    row = given.iloc[0]
    assert row["incidents"] == row["incidents_lower"] + 2
    assert row["share_low"] == pytest.approx(row["incidents_lower"] / row["stated_upper"])
    assert row["share_high"] == pytest.approx(min(1, row["incidents_upper"] / row["stated_lower"]))
    first = table[(table["incidents_lower"] == 0)]
    assert len(first)
    assert first[["incidents", "share", "share_low", "share_high"]].isna().all(axis=None)
    assert (first["not_offered"].str.contains("incidents") == 0).all()


def test_rare_words_of_a_source_are_not_named_and_no_order_follows_counts() -> None:
    table = released(incidents(3)).table
    routes = table[(table["question"] == "reporting_route") & (table["area_code"] == "R")]
    mine = routes[routes["organisation"] == "police"]["answer"].tolist()
    assert mine == ["in person", "officer", "online form", "telephone", OTHER, NOT_STATED]


def test_a_source_with_few_records_is_described_for_the_region() -> None:
    table = released(incidents(0)).table
    values = table[(table["organisation"] == "charity") & (table["question"] != TOTAL)]
    assert set(values["area_code"]) == {"R"}


def test_the_last_organisation_has_no_total_that_the_others_would_leave() -> None:
    table = released(incidents(0)).table
    totals = table[table["question"] == TOTAL].set_index(["organisation", "area_code"])
    assert totals.loc[("charity", "R"), "incidents_lower"] is not pd.NA
    assert totals.loc["police", "incidents_lower"].isna().all()


def test_one_organisation_is_given_the_counts_of_the_areas() -> None:
    rows = incidents(2, charity=0)
    made = setting(rows, profile())
    table = release_circumstances(facets_of(rows), made).table
    totals = table[table["question"] == TOTAL].set_index("area_code")
    theirs = made.counts.set_index("area_code")
    assert (totals["incidents_lower"] == theirs["incidents_lower"].reindex(totals.index)).all()


def test_internal_sees_everything() -> None:
    rows = incidents(2)
    table = released(rows, profile(name="internal", audience="internal", threshold=0)).table
    assert (table["incidents_lower"] == table["incidents_upper"]).all()
    assert "by carrier pigeon" in set(table["answer"])


def test_other_mechanisms_and_areas_without_a_count_show_none() -> None:
    rows = incidents(0)
    exact = released(rows, profile(protection="suppress", protection_reason="for a test"))
    assert exact.table.empty
    assert exact.note == NOT_IN_STEPS
    made = setting(rows, profile())
    gone = made.counts["area_code"].isin(["B3", "B4"])
    counts = made.counts.assign(**{
        c: made.counts[c].mask(gone) for c in ("incidents_lower", "incidents_upper")
    })  # fmt: skip
    table = release_circumstances(facets_of(rows), replace(made, counts=counts)).table
    assert not set(table["area_code"]) & {"B3", "B4"}
    assert {"B1", "B2"} <= set(table["area_code"])
    assert release_circumstances(None, made).table.empty


def test_what_readers_of_another_folder_hold_is_kept() -> None:
    rows = incidents(4)
    public = profile(name="public", audience="public", threshold=PUBLIC)
    first = released(rows, public).table
    late = pd.concat([rows, *[rows.iloc[:9]] * 3], ignore_index=True)
    partner = released(late, earlier=(first,)).table
    key = ["area_code", "organisation", "question", "answer"]
    mine, theirs = partner.set_index(key), first.set_index(key)
    region = mine[mine["incidents_lower"].notna()].loc[["R"]].drop(TOTAL, level="question")
    held = theirs.reindex(region.index)
    assert held["incidents_lower"].notna().all()  # nobody is offered what they are not
    assert (region["incidents_lower"] >= held["incidents_lower"]).all()
    assert (region["incidents_upper"] <= held["incidents_upper"]).all()
    other = released(rows, headline=Period(202402, 202501), earlier=(first,))
    assert other.note == APART


def test_a_complete_union_without_room_is_not_offered() -> None:
    """yes + a value that holds all "no" and little besides: where there is no room, that value is left out."""
    held = pd.DataFrame({
        ("online", "yes"): [134, 134, 0], ("online", "no"): [10, 10, 0], ("online", NOT_STATED): 0,
        ("kind", "offence"): [133, 133, 0], ("kind", "incident"): [11, 11, 0], ("kind", NOT_STATED): 0,
    })  # fmt: skip
    held.index = ["R", "A", ""]
    total = pd.Series([144, 144, 0], held.index)
    kept = choose_values(held, total, region="R", steps=[5]).by_variable
    # `no` (10) is hidden; `incident` (11) would complete 140 to 144 = 130 to 134 + 10 to 14 from above: with room.
    assert kept["online"] == ("yes",)
    assert "incident" not in kept.get("kind", ())
