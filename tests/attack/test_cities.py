"""Random cities through the gate: nothing is exact or narrow, alone or with the other audience's folder.

HOTSPOTS_LONG=1 draws 200 cities of one borough (about six minutes) and 60 shires of three levels.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.attack.attacker import Verdict, attack
from tests.attack.cities import few_wards, published, random_city, random_shire, released
from tests.attack.folder import Folder, Key, joined

# In city 29 all incidents together are given by groups of wards over two years alone.
CITIES = range(200) if os.environ.get("HOTSPOTS_LONG") else (*range(7), 29)
SHIRES = range(60) if os.environ.get("HOTSPOTS_LONG") else (1, 37)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=CITIES)
def verdicts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Verdict]:
    folders, truth = released(random_city(request.param), tmp_path_factory.mktemp(f"city{request.param}"))
    return [attack(f, published(), truth) for f in (*folders.values(), joined(*folders.values()))]


@pytest.mark.parametrize("rule", ["as it is", "left out"])
def test_the_level_of_a_category_says_nothing_of_larger_areas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    """That none of three wards has a number would say that they hold at most 12: 10 to 14 would be 10 to 12."""
    if rule == "left out":
        monkeypatch.setattr("pipeline.release.detail.tells_nothing", lambda _areas, _larger: True)
    folders, truth = released(few_wards(), tmp_path)
    folder = folders["partner"]
    found = {k.area for k in attack(folder, published(), truth).narrow if k.category == "religion"}
    assert (folder.record["rules"]["detail"]["religion"] == "ward") == (rule == "as it is")
    assert bool(found) == (rule == "left out")


def test_no_count_is_exact(verdicts: list[Verdict]) -> None:
    assert [v.exact for v in verdicts] == [[], [], []]
    assert [v.contradictions for v in verdicts] == [[], [], []]


def test_no_count_is_narrow(verdicts: list[Verdict]) -> None:
    assert [v.narrow for v in verdicts] == [[], [], []]


@pytest.mark.parametrize("seed", SHIRES)
def test_a_third_level_narrows_nothing(seed: int, tmp_path: Path) -> None:
    """A county is given as the sum of its boroughs' ranges, wherever all have one: none is withheld for itself."""
    shire = random_shire(seed)
    folders, truth = released(shire, tmp_path)
    for folder in folders.values():
        counties, sums = _counties(folder, inside=shire.above.inside["level_3"] if shire.above else {})
        assert counties == sums
    for found in (attack(f, published(), truth) for f in (*folders.values(), joined(*folders.values()))):
        assert (found.exact, found.narrow, found.contradictions) == ([], [], [])


def _counties(folder: Folder, *, inside: Mapping[str, str]) -> tuple[set[Key], set[Key]]:
    """Return the counties' counts that a folder shows, and those of which it shows every borough."""
    shown = set(folder.shown)
    boroughs = {k for k in shown if folder.areas[k.area].level == "borough"}
    parts = {county: {b for b in inside if inside[b] == county} for county in inside.values()}
    sums = {
        k._replace(area=inside[k.area])
        for k in boroughs
        if all(k._replace(area=b) in shown for b in parts[inside[k.area]])
    }
    return {k for k in shown if folder.areas[k.area].level == "county"}, sums
