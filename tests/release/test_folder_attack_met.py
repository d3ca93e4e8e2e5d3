"""The folder attacker on real counts, which break their own categories here and there, and on the whole sample.

The Met's counts are public; they go through the gate as if they were confidential. In some wards more racist and
religious offences are published than offences in all, so somebody who believes the categories everywhere concludes
falsehoods. He is judged twice: by what he concludes from the folder alone, giving up the rules that it contradicts;
and as the strongest attacker there can be, told which of his lines do not hold, on which side, and going by all others,
area by area.
"""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline.config.templates import template_text
from pipeline.release.calendar import Before
from pipeline.release.earlier_releases import EarlierRelease, as_earlier_release
from pipeline.release.gate import Detected, examine
from pipeline.stages.runner import run
from tests.kit.folder_attacker import attack, enlightened, narrow, read_folder
from tests.kit.folder_layout import months_of
from tests.kit.folder_search import Found
from tests.kit.gated import config_of
from tests.kit.met_counts import REGION, met_detected
from tests.release.test_folder_attack import replaced, written
from tests.release.test_gate_met import RULES

ROOT = Path(__file__).parents[2]
BROKEN = ("E09000006", "E09000018", "E09000031")  # boroughs whose counts break their categories at every level
MEASURES = ["incidents", "incidents_unplaced", "positive_outcomes"]


def released(met: Detected, name: str, previous: tuple[EarlierRelease, ...] = (), **rules: Any) -> Any:
    config = config_of(
        [{"name": name, **RULES[name], **rules}],
        detect={"gistar": {"enabled": False}},
        outcomes={"basis": "flow"},
        areas={"region": {"code": REGION, "name": "London"}},
    )
    return examine(met, profile=config.profiles[0], config=config, before=Before(previous)).released


def truth_of(months: pd.DataFrame, periods: set[str]) -> dict[tuple[str, str, str, str], int]:
    """Count every window again from its months; an absent row is a zero."""
    rows = months[["area_code", "category", "month", *MEASURES]].copy()
    rows["month"] = (rows["month"] // 100).astype(str) + "-" + (rows["month"] % 100).astype(str).str.zfill(2)
    found = {}
    for period in sorted(periods):
        sums = rows[rows["month"].isin(months_of(period))].groupby(["area_code", "category"])[MEASURES].sum()
        for measure in MEASURES:
            found |= {(a, period, c, measure): int(n) for (a, c), n in sums[measure].items()}
    return found


def judged(folder: Path, months: pd.DataFrame) -> dict[str, Any]:
    """Attack twice, as he is and told which of his lines do not hold; say what he recovers then."""
    book = read_folder(folder)
    truth = truth_of(months, {key[1] for key in book.seen})
    assert all(low <= truth.get(key, 0) <= high for key, (low, high) in book.seen.items())
    alone, told = attack(book), attack(enlightened(book, truth))
    say(folder, len(book.hidden), alone, book.promise)
    say(folder, len(book.hidden), told, book.promise)
    return {"recovered": narrow(told, book.promise), "believed": narrow(alone, book.promise), "alone": alone}


def say(folder: Path, hidden: int, found: Found, promise: int) -> None:
    print(f"\n{folder.name}: {hidden} withheld, settled {found.by}, narrow {len(narrow(found, promise))}")


@pytest.fixture(scope="module")
def some(real_data: Path) -> Detected:
    return met_detected(real_data, boroughs=BROKEN)


@pytest.mark.real
def test_counts_that_break_their_own_categories_are_not_given_away(some: Detected, tmp_path: Path) -> None:
    found = judged(written(released(some, "public"), tmp_path / "public", whole=True), some.area_months)
    assert found["recovered"] == {}
    assert found["believed"] == {}
    # The folder alone shows him where the categories cannot be believed; without that nothing would fit.
    assert any(rule[:3] == ("category", "racist_and_religious", "all") for rule in found["alone"].given_up)
    assert not any(rule[:2] == ("category", "antisemitic") for rule in found["alone"].given_up)


@pytest.mark.real
def test_one_borough_without_secondary_suppression_is_found(some: Detected, tmp_path: Path) -> None:
    careful, careless = released(some, "partner"), released(some, "partner", secondary=False)
    inside = careful.areas.loc[careful.areas["parent_code"] == "E09000018", "area_code"]
    here = careful.counts["area_code"].isin(["E09000018", *inside])
    counts = pd.concat([careful.counts[~here], careless.counts[here]]).sort_index()
    found = judged(written(replaced(careful, counts=counts), tmp_path / "partner"), some.area_months)
    assert {key[0] for key in found["recovered"]} & {"E09000018", *inside}


@pytest.mark.real
@pytest.mark.long
def test_the_whole_of_the_mets_folders(real_data: Path, tmp_path: Path) -> None:
    met = met_detected(real_data)
    previous: tuple[EarlierRelease, ...] = ()
    for name in RULES:
        release = released(met, name, previous)
        found = judged(written(release, tmp_path / name, whole=True), met.area_months)
        assert found["recovered"] == {}
        assert found["believed"] == {}
        previous = (*previous, as_earlier_release(release))


@pytest.mark.real
@pytest.mark.long
def test_the_whole_of_the_folders_that_the_template_makes(real_data: Path, tmp_path: Path) -> None:
    """Quarters of boroughs for partners, counts rounded to 5 for the public, rates, and a borough without data."""
    settings = yaml.safe_load(template_text("mps-dashboard"))
    wards = real_data / "boundaries" / "london_wards_WD25_bestfit_from_LSOA21.gpkg"
    people = real_data / "population" / "london_WD25_population_census2021_bestfit.csv"
    settings["areas"]["wards"]["path"] = str(wards)
    settings["areas"]["population"][0]["path"] = str(people)
    settings["published_counts"][0]["paths"] = [
        str(real_data / "mps_hate" / "mps_hate_crime_monthly_2021-08_2025-07.csv.gz")
    ]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    outcome = run(tmp_path / "config.yaml", progress=lambda *_: None)
    months = pd.read_parquet(outcome.folder / "work" / "area_months.parquet")
    for name in ("public", "partner"):
        found = judged(outcome.folder / name, months)
        assert found["recovered"] == {}
        assert found["believed"] == {}


@pytest.mark.long
def test_the_whole_of_the_samples_folders(tmp_path: Path) -> None:
    settings = yaml.safe_load((ROOT / "config.yaml").read_text("utf-8"))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    (tmp_path / "data").symlink_to(ROOT / "data")
    outcome = run(tmp_path / "config.yaml", progress=lambda *_: None)
    for name in ("partner", "public"):
        book = read_folder(outcome.folder / name)
        found = attack(book)
        say(outcome.folder / name, len(book.hidden), found, book.promise)
        assert found.given_up == {}
        assert narrow(found, book.promise) == {}
