"""Month after month over a growing extract: what is out stays, and what is new comes on its date.

In short seven months of a year are run: the dates, and a month without new numbers before each of the first two. Calls
are counted of one month without new numbers and of the last. HOTSPOTS_LONG=1 runs all months, and a year of the sample,
whose rare categories are given in windows of two years.
"""

import json
import os
import shutil
import time
from collections.abc import Callable
from cProfile import Profile
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.config import load_config
from pipeline.domain.periods import Period, add_months, month_range
from pipeline.errors import ConfigError, DisclosureError
from pipeline.release.calendar import is_due
from pipeline.stages.runner import Outcome, run
from pipeline.stages.trial import check
from tests.kit.city import X0
from tests.kit.growing import PROFILES, Growing, numbers, numbers_shown, outputs_of

pytestmark = pytest.mark.slow

LONG = bool(os.environ.get("HOTSPOTS_LONG"))
ROOT = Path(__file__).parents[2]
MONTHS = month_range(202312, 202412) if LONG else [202312, 202402, 202403, 202405, 202406, 202409, 202412]
FEBRUARY, LAST = 202402, 202412
BETWEEN = 202411 if LONG else 202405  # without new numbers, late enough that work would have grown
HELD = (FEBRUARY, BETWEEN, LAST) if LONG else (BETWEEN, LAST)
CALENDARS = {"partner": "quarter", "public": "year"}
PARTNER = PROFILES[0] | {"release": CALENDARS["partner"]}
ANCHOR = 202203  # the extract begins in January 2022, and windows have three months


def record(folder: Path, profile: str) -> dict[str, Any]:
    stored = json.loads((folder / "work" / "release" / profile / "release.json").read_text("utf-8"))
    return dict(stored["record"])


def caveats(folder: Path, profile: str) -> str:
    stored = json.loads((folder / "work" / "release" / profile / "release.json").read_text("utf-8"))
    return " ".join(stored["info"]["caveats"])


def with_calls(work: Callable[[], Outcome]) -> tuple[Outcome, int]:
    """Run, and return what came of it with how many functions were called, Python's and libraries'.

    That is a measure of work which is the same on every machine and at every load, as processor time is not.
    """
    with Profile() as profile:
        outcome = work()
    return outcome, sum(entry.callcount for entry in profile.getstats())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Growing, list[dict[str, Any]]]:
    """The city after its first run; and one run a month: numbers, record and sentences of each profile.

    Of the runs that are held against a first release there is also the number of calls.
    """
    city = Growing(tmp_path_factory.mktemp("growing"))
    found: list[dict[str, Any]] = []
    for month in MONTHS:
        if month in HELD:
            outcome, calls = with_calls(partial(city.run, month))
        else:
            outcome, calls = city.run(month, pages=month == MONTHS[0]), 0
        found.append(
            {
                name: (numbers(outcome, name), record(outcome.folder, name), caveats(outcome.folder, name))
                for name in CALENDARS
            }
            | {"calls": calls}
        )
        if month == MONTHS[0]:
            found[0]["shown"] = {name: numbers_shown(outcome, name) for name in CALENDARS}
            first = city.copied(tmp_path_factory.mktemp("first") / "city")
    return first, found


@pytest.fixture(scope="module")
def fresh(
    runs: tuple[Growing, list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> dict[int, tuple[pd.DataFrame, int]]:
    """First releases of the extract as it was in February and for the last run: partners' numbers, and calls.

    They come after the runs, so that what is loaded once is no part of their work. In short nothing is held against the
    calls of February: partners come first, and alone they get the same numbers.
    """
    cities = {month: Growing(tmp_path_factory.mktemp("fresh")) for month in (FEBRUARY, LAST)}
    if not LONG:
        cities[FEBRUARY] = Growing(tmp_path_factory.mktemp("fresh"), profiles=[PARTNER])
    found = {month: with_calls(partial(city.run, month)) for month, city in cities.items()}
    return {month: (numbers(outcome, "partner"), calls) for month, (outcome, calls) in found.items()}


@pytest.fixture
def year(runs: tuple[Growing, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return runs[1]


@pytest.fixture
def december(runs: tuple[Growing, list[dict[str, Any]]], tmp_path: Path) -> Growing:
    """The city with what was released to December 2023, in a folder of the test's own."""
    return runs[0].copied(tmp_path / "city")


def a_month(_city: Growing, _rng: np.random.Generator, last: int) -> int:
    return add_months(last, 1)  # and records of earlier months that come late


def a_few_rows(city: Growing, rng: np.random.Generator, last: int) -> int:
    more = city.rows[city.rows["seen"] <= last].sample(3, random_state=rng)
    city.rows = pd.concat([city.rows, more.assign(id="N" + more["id"])], ignore_index=True)
    return last


def a_correction(city: Growing, rng: np.random.Generator, last: int) -> int:
    row = rng.choice(np.flatnonzero(city.rows["seen"] <= last))
    city.rows = city.rows.copy()
    city.rows.loc[row, ["easting", "borough"]] = [X0 + 2500.0, "Barton"]
    return last


@pytest.mark.parametrize("seed", range(10) if LONG else [20])
def test_runs_over_what_was_appended_equal_full_ones(december: Growing, seed: int, tmp_path: Path) -> None:
    """In short the changes come at once, and no new numbers are due; in the long form one after another.

    After the first release pages say that numbers are kept, so that parts of a folder are reused from the third run on.
    """
    rng, last, reused = np.random.default_rng(seed), MONTHS[0], 0
    changes = rng.permutation(np.array([a_few_rows, a_correction, *([a_month] if LONG else [])]))
    for step, at_once in enumerate(np.split(changes, len(changes) if LONG else 1)):
        for change in at_once:
            last = change(december, rng, last)
        whole = december.copied(tmp_path / f"whole-{step}")  # with the ledger, but without the last run
        shutil.rmtree(whole.folder / "outputs" / "city")
        appended, full = december.run(last, pages=True), whole.run(last, pages=True)
        assert full.manifest["stages"]["publish"]["counters"]["parts_reused"] == 0
        reused += appended.manifest["stages"]["publish"]["counters"]["parts_reused"]
        assert outputs_of(appended.folder) == outputs_of(full.folder)
    assert reused or not LONG


@pytest.mark.parametrize("profile", CALENDARS)
def test_numbers_stay_and_nothing_vanishes(year: list[dict[str, Any]], profile: str) -> None:
    for before, after in pairwise(year):
        old, new = before[profile][0], after[profile][0]
        assert old.index.difference(new.index).empty
        pd.testing.assert_frame_equal(new.loc[old.index], old)


@pytest.mark.parametrize("profile", CALENDARS)
def test_the_folder_shows_the_numbers_of_the_release(year: list[dict[str, Any]], profile: str) -> None:
    pd.testing.assert_frame_equal(year[0]["shown"][profile], year[0][profile][0], check_dtype=False)


@pytest.mark.parametrize("profile", CALENDARS)
def test_new_windows_come_on_dates_alone(year: list[dict[str, Any]], profile: str) -> None:
    """The dates by hand: quarters end in March, June, September and December, the year in March."""
    dates = {
        "partner": {202403: "2024-01..2024-03", 202406: "2024-04..2024-06", 202409: "2024-07..2024-09",
                    202412: "2024-10..2024-12"},
        "public": {202403: "2024-01..2024-03"},
    }[profile]  # fmt: skip
    for month, before, after in zip(MONTHS[1:], year, year[1:], strict=False):
        new = after[profile][0].index.difference(before[profile][0].index)
        assert set(new.get_level_values("period")) == ({dates[month]} if month in dates else set())
        assert after[profile][1]["calendar"]["numbers"] == ("new" if month in dates else "as released before")


def test_pages_say_when_new_numbers_come(year: list[dict[str, Any]]) -> None:
    at = MONTHS.index(202405)
    assert (
        "released with the data to March 2024. New numbers come with the data to June 2024." in year[at]["partner"][2]
    )
    assert (
        "released with the data to March 2024. New numbers come with the data to March 2025." in year[at]["public"][2]
    )
    on_the_date = year[MONTHS.index(202406)]["partner"][2]
    assert "Periods released before keep their numbers" in on_the_date


def test_folders_stay_useful(year: list[dict[str, Any]]) -> None:
    """As many numbers in the last folder, by window, as in the first."""
    for profile in CALENDARS:
        first, last = (year[n][profile][0] for n in (0, -1))
        shares = [f["incidents_lower"].notna().groupby("period").mean() for f in (first, last)]
        assert shares[1].min() >= shares[0].min()
        assert shares[1].loc[shares[0].index].tolist() == shares[0].tolist()


@pytest.mark.parametrize("turn", HELD)
def test_later_runs_take_no_longer(
    year: list[dict[str, Any]], fresh: dict[int, tuple[pd.DataFrame, int]], turn: int
) -> None:
    """A run between dates and the last do at most 1.2 times the work of a first release that has no ledger."""
    calls, first = year[MONTHS.index(turn)]["calls"], fresh[FEBRUARY if turn == FEBRUARY else LAST][1]
    print(f"{turn}: {calls} calls, a first release {first}")
    assert 0 < calls <= 1.2 * first


def of_the_sample(folder: Path, month: int) -> tuple[Outcome, int, float]:
    """Run over the sample as it was at the end of a month, without what has no ledger; calls and processor time."""
    text = yaml.safe_load((ROOT / "config.yaml").read_text("utf-8"))
    source, end = text["incidents"][0], Period(month, month).end.isoformat()
    rows = pd.read_csv(ROOT / source["paths"][0], dtype=str, keep_default_na=False)
    folder.mkdir(exist_ok=True)
    rows[rows["recorded_on"] <= end].to_csv(folder / "incidents.csv", index=False)
    source |= {"paths": ["incidents.csv"], "last_date": end}
    text["periods"]["last_complete_date"] = end
    text["page"]["briefings"], text["exports"] = False, {"geopackage": False}
    text["detect"] |= {"gistar": {"enabled": False}, "knox": {"enabled": False}}
    text["profiles"] = [p | {"release": CALENDARS[p["name"]]} for p in text["profiles"] if p["name"] in CALENDARS]
    (folder / "config.yaml").write_text(yaml.safe_dump(text, sort_keys=False), "utf-8")
    if not (folder / "data").exists():
        (folder / "data").symlink_to(ROOT / "data")
    start = time.process_time()
    outcome, calls = with_calls(partial(run, folder / "config.yaml", progress=lambda *_: None))
    return outcome, calls, time.process_time() - start


@pytest.mark.long
def test_later_runs_of_the_sample_take_no_longer(tmp_path: Path) -> None:
    """A year of the sample, which begins with two years of data: some categories are given by groups over both.

    After the third run only the months of release dates are run, and the last: nothing is written to the ledger in
    between, so that the run of June 2025 finds what a twelfth would.
    """
    months = [202407, 202408, 202409, 202412, 202503, 202506, 202507]
    of_the_sample(tmp_path / "warm", months[0])  # libraries are loaded here
    calls: dict[int, int] = {}
    seconds: dict[int, float] = {}
    shown = []
    for month in months:
        outcome, calls[month], seconds[month] = of_the_sample(tmp_path / "sample", month)
        shown.append({profile: numbers(outcome, profile) for profile in CALENDARS})
    print(calls, {month: round(s, 1) for month, s in seconds.items()})
    assert any(record(outcome.folder, "partner")["rules"]["long_windows"].values())
    for before, after in pairwise(shown):
        for profile, old in before.items():
            pd.testing.assert_frame_equal(after[profile].loc[old.index], old)
    for month in (202409, 202506, 202507):
        assert calls[month] <= 1.5 * calls[months[0]]


def test_revised_records_would_have_changed_numbers(
    year: list[dict[str, Any]], fresh: dict[int, tuple[pd.DataFrame, int]]
) -> None:
    """The test means something: a first release of the last extract shows other numbers for the windows before."""
    kept, first = year[-1]["partner"][0], fresh[LAST][0]
    common = kept.index.intersection(first.index)
    assert not kept.loc[common, "incidents_lower"].equals(first.loc[common, "incidents_lower"])


@pytest.mark.parametrize("calendar", ["month", "quarter", "year"])
def test_dates_are_whole_steps_from_the_anchor(calendar: str) -> None:
    """Against a count by hand: a date is a month whose distance from the anchor is a multiple of the step."""
    length = {"month": 1, "quarter": 3, "year": 12}[calendar]
    months = month_range(202101, 202512)
    dates = {m for n, m in enumerate(months) if (n - months.index(ANCHOR)) % length == 0}
    for released_to in months[::5]:
        for now in (m for m in months if m >= released_to):
            passed = any(released_to < m <= now for m in dates)
            assert is_due(calendar, anchor=ANCHOR, data_to=now, released_to=released_to) == passed


def test_each_run_brings_what_the_data_completes(tmp_path: Path) -> None:
    city = Growing(tmp_path, profiles=[PARTNER | {"release": "each_run"}], periods={"months": 1})
    before = numbers(city.run(202312), "partner")
    after = numbers(city.run(202401), "partner")
    assert set(after.index.difference(before.index).get_level_values("period")) == {"2024-01"}
    pd.testing.assert_frame_equal(after.loc[before.index], before)


def test_an_extract_trimmed_to_its_last_months_moves_no_window(december: Growing, year: list[dict[str, Any]]) -> None:
    before = year[0]["partner"][0]
    outcome = december.run(202403, first=202302)  # a month later than any window begins
    after = numbers(outcome, "partner")
    assert before.index.difference(after.index).empty
    pd.testing.assert_frame_equal(after.loc[before.index], before)
    new = after.index.difference(before.index).get_level_values("period")
    assert set(new) == {"2024-01..2024-03"}


def test_young_data_grow_into_windows_that_do_not_overlap(tmp_path: Path) -> None:
    city = Growing(tmp_path, profiles=[PARTNER | {"release": "each_run"}], periods={"months": 12})
    outcome = city.run(202206)
    before = numbers(outcome, "partner")
    assert set(before.index.get_level_values("period")) == {"2022-01..2022-06"}
    between = numbers(city.run(202212), "partner")
    pd.testing.assert_frame_equal(between, before)
    after = numbers(city.run(202306), "partner")
    assert set(after.index.get_level_values("period")) == {"2022-01..2022-06", "2022-07..2023-06"}


def again(city: Growing, folder: str, **changes: Any) -> Growing:
    """The same data, under another run name and in another folder, with other settings."""
    other = Growing(city.folder.parent / folder, **changes)
    text = yaml.safe_load(other.config.read_text("utf-8"))
    text["run"] |= {"name": "another", "output_dir": "elsewhere", "synthetic": False}
    other.config.write_text(yaml.safe_dump(text, sort_keys=False), "utf-8")
    return other


def test_another_run_and_folder_find_the_ledger(tmp_path: Path) -> None:
    changes = {"profiles": [PARTNER], "run.synthetic": False}
    city = Growing(tmp_path / "one", **changes)
    before = numbers(city.run(202312), "partner")
    other = again(city, "two", **changes)
    outcome = other.run(202402)
    assert "in common" in outcome.manifest["stages"]["release"]["choices"]["ledger"]
    pd.testing.assert_frame_equal(numbers(outcome, "partner"), before)
    # And back again: the first folder's ledger takes over what the other one released.
    other.run(202403)
    assert set(numbers(city.run(202404), "partner").index.get_level_values("period")) >= {"2024-01..2024-03"}


def test_two_years_after_one_show_the_years_that_are_out_and_nothing_else(tmp_path: Path) -> None:
    """The data holds two whole years: both are out already, so that nothing is due and no window of two years comes."""
    city = Growing(tmp_path / "one", **{"periods": {"months": 12}, "run.synthetic": False})
    first = city.run(202312)
    other = again(city, "two", **{"periods": {"months": 24}, "run.synthetic": False}).run(202312)
    for profile in CALENDARS:
        pd.testing.assert_frame_equal(numbers(other, profile), numbers(first, profile))


def refused(city: Growing, month: int, match: str) -> None:
    """Refused because of an earlier release: by a run, and by `check` in the same words, with the way out named."""
    with pytest.raises(DisclosureError, match=match) as caught:
        city.run(month)
    assert caught.value.exit_code == 6
    assert "hotspots ledger forget --reason" in str(caught.value)
    before = sorted(city.folder.rglob("*"))
    assert str(check(load_config(city.config), rows=10_000).trial.error) == str(caught.value)
    assert sorted(city.folder.rglob("*")) == before


def test_longer_windows_after_shorter_ones_are_refused(tmp_path: Path) -> None:
    changes = {"profiles": [PARTNER], "run.synthetic": False}
    city = Growing(tmp_path / "one", **changes | {"periods": {"months": 3}})
    city.run(202312)
    other = again(city, "two", **changes | {"periods": {"months": 6}})
    refused(other, 202312, r"overlaps the window 20\d\d-\d\d\.\.20\d\d-\d\d")
    assert not (other.folder / "elsewhere" / "another").exists()


def test_other_wards_in_a_window_that_is_out_are_refused(december: Growing) -> None:
    import geopandas as gpd

    wards = gpd.read_file(december.folder / "wards.gpkg")
    wards["code"] = wards["code"].replace({"A2": "A9"})
    wards.to_file(december.folder / "wards.gpkg", driver="GPKG")
    (december.folder / "people.csv").write_text("code,people\nA1,1000\nA9,2000\nB1,500\n", "utf-8")
    refused(december, 202403, r"wards had other boundaries in the window 2022-01")


def test_older_data_are_refused(december: Growing) -> None:
    refused(december, 202310, r"ends with October 2023, but .* December 2023")


def test_a_looser_profile_is_refused(december: Growing) -> None:
    _change(december, "public", threshold=5, threshold_reason="a test")
    refused(december, 202403, "promised steps of 10")


def test_steps_that_do_not_nest_with_what_is_out_are_refused(december: Growing) -> None:
    _change(december, "partner", threshold=7)
    _change(december, "public", threshold=14)
    refused(december, 202403, "do not nest")


def _change(city: Growing, profile: str, **changes: Any) -> None:
    text = yaml.safe_load(city.config.read_text("utf-8"))
    next(one for one in text["profiles"] if one["name"] == profile).update(changes)
    city.config.write_text(yaml.safe_dump(text, sort_keys=False), "utf-8")


@pytest.mark.parametrize(
    ("profile", "changes", "words"),
    [
        ("public", {"threshold": 12}, "do not nest"),
        ("public", {"borough_period": "month"}, "different borough_period"),
        ("partner", {"ward_period": "quarter"}, "different ward_period"),
    ],
)
def test_what_the_configuration_alone_shows_is_refused_at_once(
    tmp_path: Path, profile: str, changes: dict[str, Any], words: str
) -> None:
    city = Growing(tmp_path)
    city.write(202312)
    _change(city, profile, **changes)
    with pytest.raises(ConfigError, match=words) as refused:
        city.run(202312)
    assert refused.value.exit_code == 2


def test_wider_steps_are_made_of_those_that_are_out(december: Growing, year: list[dict[str, Any]]) -> None:
    """A public step of 20 after one of 10: each number lies in the step that its old step lies in."""
    before = year[0]["public"][0]
    _change(december, "public", threshold=20)
    after = numbers(december.run(202402), "public")
    shown = before["incidents_lower"].notna()
    assert (after.loc[before.index[shown], "incidents_lower"] == before.loc[shown, "incidents_lower"] // 20 * 20).all()


def test_public_steps_hold_the_partners_even_after_revisions(tmp_path: Path) -> None:
    """A window first comes out to partners; the public's step, three quarters later, is the one that theirs lies in."""
    city = Growing(tmp_path, calendars=("month", "year"))
    for month in (202403, 202406):
        outcome = city.run(month)
    before = [numbers(outcome, name) for name in CALENDARS]
    outcome = city.run(202503)
    partner, public = numbers(outcome, "partner"), numbers(outcome, "public")
    common = before[0].index.difference(before[1].index).intersection(public.index)
    close, wide = partner.loc[common, "incidents_lower"], public.loc[common, "incidents_lower"]
    known = close.notna() & wide.notna()
    assert known.any()
    assert (close[known] // 10 * 10 == wide[known]).all()


def test_a_correction_changes_boroughs_and_leaves_wards(
    december: Growing, year: list[dict[str, Any]], fresh: dict[int, tuple[pd.DataFrame, int]]
) -> None:
    city, before, corrected = december, year[0]["partner"][0], fresh[FEBRUARY][0]
    outcome = city.run(202402, reissue=("partner", "records came late"))
    after = numbers(outcome, "partner")
    level = before.index.get_level_values("level")
    wards = before.index[level == "ward"]
    pd.testing.assert_frame_equal(after.loc[wards], before.loc[wards])
    large = before.index[level != "ward"].intersection(corrected.index)
    pd.testing.assert_frame_equal(after.loc[large], corrected.loc[large])
    assert not after.loc[large].equals(before.loc[large])
    said = "corrected with the data to February 2024: records came late"
    assert said in caveats(outcome.folder, "partner")
    assert record(outcome.folder, "partner")["calendar"]["reissue"] == "records came late"
    outcome = city.run(202402, start="release")
    assert numbers(outcome, "partner").equals(after)  # the correction stays, and so do its words
    assert said in caveats(outcome.folder, "partner")
    with pytest.raises(DisclosureError, match="is possible with the data to February 2025") as refused:
        city.run(202412, reissue=("partner", "more of them"))
    assert refused.value.exit_code == 6


def test_a_correction_needs_a_release_and_a_released_profile(tmp_path: Path) -> None:
    city = Growing(tmp_path)
    with pytest.raises(DisclosureError, match="nothing yet"):
        city.run(202312, reissue=("partner", "too early"))
    with pytest.raises(ConfigError, match="there are partner, public"):
        city.run(202312, reissue=("partners", "mistyped"))
