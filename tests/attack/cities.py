"""Random cities, put through the gate as a run would: the folders that the attacker is given.

Most have one borough; those of three levels have counties of one to six boroughs.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.geography.levels_above import LevelsAbove
from pipeline.publish.exports import write_exports
from pipeline.release.gate import Detected, release
from pipeline.release.released import CategoryInfo
from tests.attack.folder import Folder, read_folder
from tests.attack.relations import Published
from tests.attack.truth import Truth
from tests.kit.gated import MONTHS, config_of, detected_of

CATEGORIES = (
    CategoryInfo("all", "All hate crime", None),
    CategoryInfo("race", "Race", None),
    CategoryInfo("religion", "Religion", None),
    CategoryInfo("islamophobic", "Islamophobic", "religion"),
    CategoryInfo("antisemitic", "Antisemitic", "religion"),
)
PARENTS = {c.id: c.parent or "" for c in CATEGORIES if c.id != "all"}
LEVELS = ("ward", "borough", "county")
PROFILES = [
    {"name": "partner", "audience": "partner", "threshold": 5, "borough_period": "fixed"},
    {"name": "public", "audience": "public", "threshold": 10, "borough_period": "fixed"},
]


LARGE = 20


def random_city(seed: int) -> Detected:
    """Draw a city: with and without incidents in no ward, with and without complete unions, kinds of outcome and links.

    Six in ten cities have categories that cover everything, every second has nothing outside its wards, and every third
    has an outcome for each incident.
    """
    rng = np.random.default_rng(seed)
    drawn = int(rng.integers(2, 13))
    # City 29 is large: only of four groups and more in a borough is any passed over.
    parents = {f"B1W{i}": "B1" for i in range(LARGE if seed == 29 else drawn)}
    counts = _drawn(rng, seed, [*parents, *(["B1"] if seed % 2 else [])])
    return detected_of(parents, counts, rng, categories=CATEGORIES)


def _drawn(rng: np.random.Generator, seed: int, places: list[str]) -> dict[tuple[str, int, str], tuple[int, int, int]]:
    """Draw what was recorded in each place: in boroughs and the region less than in wards."""
    covering, disjoint, chains = seed % 5 < 3, seed % 4 == 1, seed % 3 > 0
    mean = float(rng.choice([0.1, 0.4, 1.5]))
    counts: dict[tuple[str, int, str], tuple[int, int, int]] = {}
    for place in places:
        level = float(rng.gamma(1.0, mean)) * (1.0 if "W" in place else 0.3)
        for month in MONTHS:
            for _ in range(int(rng.poisson(level))):
                known = not chains or bool(rng.random() < 0.8)
                positive = known and bool(rng.random() < 0.3)
                for category in _categories(rng, covering=covering, disjoint=disjoint):
                    n, good, told = counts.get((place, month, category), (0, 0, 0))
                    counts[place, month, category] = (n + 1, good + int(positive), told + int(known))
    return counts


def random_shire(seed: int) -> Detected:
    """Draw a region of one to three counties, whose boroughs have wards: a chain of three levels and the region.

    Categories, kinds of outcome and places unknown vary as in `random_city`.
    """
    rng = np.random.default_rng(seed)
    inside: dict[str, str] = {}
    for county in range(int(rng.integers(1, 4))):
        for _ in range(int(rng.integers(1, 7))):
            inside[f"B{len(inside) + 1}"] = f"C{county + 1}"
    parents = {f"{b}W{i}": b for b in inside for i in range(int(rng.integers(2, 8)))}
    drawn = _drawn(rng, seed, [*parents, *(inside if seed % 2 else ()), *(["R"] if seed % 4 == 0 else ())])
    detected = detected_of(parents, drawn, rng, categories=CATEGORIES)
    boroughs = detected.areas[detected.areas["level"] == "borough"]
    counties = boroughs.assign(area_code=boroughs["area_code"].map(inside)).dissolve(
        "area_code", aggfunc={"population": "sum", "population_year": "first", "area_km2": "sum"}, as_index=False
    )
    counties = counties.assign(level="level_3", name=counties["area_code"], parent_code="R", vintage="1", covered=True)
    return replace(detected, above=LevelsAbove(counties[list(detected.areas.columns)], {"level_3": inside}))


def few_wards() -> Detected:
    """A city of one borough with three wards, which have 4, 4 and 3 offences of religion in the first year."""
    parents = {f"B1W{i}": "B1" for i in range(3)}
    counts = {(ward, month, c): (2, 0, 0) for ward in parents for month in MONTHS for c in ("all", "race")}
    counts |= {(ward, MONTHS[2], "religion"): (n, 0, 0) for ward, n in zip(parents, (4, 4, 3), strict=True)}
    return detected_of(parents, counts, np.random.default_rng(0), categories=CATEGORIES)


def _categories(rng: np.random.Generator, *, covering: bool, disjoint: bool) -> list[str]:
    race, religion, first, second = (rng.random(4) < (0.6, 0.4, 0.5, 0.3)).tolist()
    if covering and not religion:
        race = True
    if disjoint and race:
        religion = False
    second = second and not disjoint
    if covering and not first:
        second = True
    below = ["islamophobic"] * first + ["antisemitic"] * second if religion else []
    return ["all", *["race"] * race, *["religion"] * religion, *below]


def released(detected: Detected, path: Path) -> tuple[dict[str, Folder], Truth]:
    """Put a city through the gate for both audiences, write their folders and read them as the attacker does."""
    settings: dict[str, Any] = {"detect": {"gistar": {"enabled": False}}, "outcomes": {"maturity_months": 0}}
    months = detected.area_months
    if detected.above is not None:
        settings["areas"] = {"wards": None, "levels": [{"id": i, "path": f"{i}.gpkg"} for i in LEVELS]}
        months = detected.above.with_sums(months, keys=("month", "category"))
    config = config_of(PROFILES, **settings)
    folders = {}
    for profile in config.profiles:
        folder = path / profile.name
        folder.mkdir(parents=True)
        write_exports(release(detected, profile=profile, config=config), folder, geopackage=False)
        folders[profile.name] = read_folder(folder)
    members = {code: a.members for f in folders.values() for code, a in f.areas.items() if a.members}
    return folders, Truth(months, members)


def counts_alone(settings: dict[str, Any]) -> None:
    """Take out of a configuration what the attacker does not read where he reads counts of areas and circumstances.

    In short the workbook too: the attacker of the sample reads one (`test_sample`).
    """
    off, workbook = {"enabled": False}, "xlsx" if os.environ.get("HOTSPOTS_LONG") else "none"
    methods = ("density", "clusters", "gistar", "knox", "concentration", "hours", "seasons")
    settings["detect"] |= dict.fromkeys(methods, off)
    # The analyst's folder gives true counts here, for which the windows of the others are enough.
    for profile in settings["profiles"]:
        profile |= {"ward_period": "fixed", "borough_period": "fixed"}
    settings |= {"emerging": off, "page": {"briefings": False}, "exports": {"geopackage": False, "workbook": workbook}}
    settings.pop("context", None)


def published() -> Published:
    """Return what is known of the categories."""
    return Published(PARENTS)
