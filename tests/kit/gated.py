"""Unprotected results of small cities made up at random, ready for the gate, and a configuration to go with them."""

from datetime import date
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.config import Config, parse_config
from pipeline.release.gate import Detected
from pipeline.release.released import CategoryInfo
from pipeline.tables import AREA_MONTHS, AREAS, LOCATIONS

X0, Y0 = 530_000.0, 180_000.0
MONTHS = [202301 + m for m in range(12)] + [202401 + m for m in range(12)]
CATEGORIES = (
    CategoryInfo("all", "All hate crime", None),
    CategoryInfo("race", "Race", None),
    CategoryInfo("religion", "Religion", None),
    CategoryInfo("antisemitic", "Antisemitic", "religion"),
)
PROFILES: list[dict[str, Any]] = [
    {"name": "partner", "audience": "partner", "threshold": 5, "borough_period": "fixed"},
    {"name": "public", "audience": "public", "threshold": 10, "borough_period": "fixed"},
]


def config_of(profiles: list[dict[str, Any]] | None = None, **changes: Any) -> Config:
    """A configuration whose paths are never opened."""
    settings: dict[str, Any] = {
        "run": {"name": "small", "title": "Hate crime", "noun": "offences", "place": "A small city", "synthetic": True},
        "areas": {"wards": {"path": "wards.gpkg"}, "region": {"code": "R", "name": "Region"}},
        "incidents": [
            {"name": "p", "paths": ["p.csv"], "columns": {"date": "d", "x": "x", "y": "y"}, "crs": "EPSG:27700"}
        ],
        "detect": {"gistar": {"permutations": 99}, "clusters": {"min_samples": 5}},
        "profiles": profiles or PROFILES,
    }
    for key, value in changes.items():
        settings[key] = {**settings.get(key, {}), **value} if isinstance(value, dict) else value
    return parse_config(settings, where="a test")


def areas_of(parents: dict[str, str], rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Square wards of one square kilometre in rows, one row a borough."""
    rows, shapes = [], {}
    boroughs = sorted(set(parents.values()))
    for row, borough in enumerate(boroughs):
        for column, ward in enumerate(sorted(w for w, p in parents.items() if p == borough)):
            shapes[ward] = shapely.box(
                X0 + 1000 * column, Y0 + 1000 * row, X0 + 1000 * (column + 1), Y0 + 1000 * (row + 1)
            )
            rows.append((ward, "ward", f"Ward {ward}", borough, int(rng.integers(2, 9)) * 1000))
    for borough in boroughs:
        inside = [shapes[w] for w, p in parents.items() if p == borough]
        shapes[borough] = shapely.union_all(inside)
        people = sum(r[4] for r in rows if r[3] == borough)
        rows.append((borough, "borough", f"Borough {borough}", "R", people))
    shapes["R"] = shapely.union_all([shapes[b] for b in boroughs])
    rows.append(("R", "region", "Region", None, sum(r[4] for r in rows if r[1] == "borough")))
    frame = pd.DataFrame(rows, columns=["area_code", "level", "name", "parent_code", "population"])
    order = {"region": 0, "borough": 1, "ward": 2}
    frame = frame.sort_values(["level", "area_code"], key=lambda s: s.map(order) if s.name == "level" else s)
    frame = frame.reset_index(drop=True).assign(population_year=2021, vintage="1", covered=True)
    geometry = gpd.GeoSeries([shapes[c] for c in frame["area_code"]], crs="EPSG:27700")
    frame["area_km2"] = geometry.area.to_numpy() / 1e6
    frame["geometry"] = geometry.to_numpy()
    return gpd.GeoDataFrame(AREAS.conform(frame).drop(columns="geometry"), geometry=geometry)


def months_of(parents: dict[str, str], counts: dict[tuple[str, int, str], tuple[int, int, int]]) -> pd.DataFrame:
    """Sum ward (or, with a borough's or the region's code, unplaced) counts up: incidents, positive, known outcomes."""
    boroughs = set(parents.values())
    rows: dict[tuple[str, str, int, str], list[int]] = {}
    for (area, month, category), (n, positive, known) in counts.items():
        chain = (
            [(area, "ward"), (parents[area], "borough"), ("R", "region")]
            if area in parents
            else [(area, "borough"), ("R", "region")]
        )
        chain = [("R", "region")] if area == "R" else chain
        for code, level in chain:
            row = rows.setdefault((code, level, month, category), [0, 0, 0, 0])
            lost = n if code == area and (area in boroughs or area == "R") else 0
            for at, value in enumerate((n, lost, positive, known)):
                row[at] += value
    frame = pd.DataFrame(
        [(*key, *values) for key, values in sorted(rows.items())],
        columns=[
            "area_code",
            "level",
            "month",
            "category",
            "incidents",
            "incidents_unplaced",
            "positive_outcomes",
            "known_outcomes",
        ],
    )
    return AREA_MONTHS.conform(frame.sort_values(["area_code", "month", "category"], ignore_index=True))


def small(seed: int, *, mean: float = 0.4, wards: int = 4) -> Detected:
    """Draw a city: two boroughs of two wards and more, four categories, two years."""
    rng = np.random.default_rng(seed)
    parents = {f"{b}W{i}": b for b in ("B1", "B2") for i in range(int(rng.integers(2, wards + 1)))}
    places = [*parents, "B1", "B2", "R"]
    level = {p: float(rng.gamma(1.0, mean)) * (0.3 if p in {"B1", "B2", "R"} else 1.0) for p in places}
    counts: dict[tuple[str, int, str], tuple[int, int, int]] = {}
    for place in places:
        for month in MONTHS:
            for _ in range(int(rng.poisson(level[place]))):
                race, religion, antisemitic, known, positive = (rng.random(5) < (0.6, 0.4, 0.5, 0.8, 0.3)).tolist()
                strands = {
                    "all",
                    *["race"] * race,
                    *["religion"] * religion,
                    *["antisemitic"] * (religion & antisemitic),
                }
                for category in strands:
                    n, good, told = counts.get((place, month, category), (0, 0, 0))
                    counts[place, month, category] = (n + 1, good + int(known & positive), told + int(known))
    return detected_of(parents, counts, rng)


def detected_of(
    parents: dict[str, str],
    counts: dict[tuple[str, int, str], tuple[int, int, int]],
    rng: np.random.Generator,
    **more: Any,
) -> Detected:
    """Put a city's results together."""
    parts: dict[str, Any] = {
        "areas": areas_of(parents, rng),
        "area_months": months_of(parents, counts),
        "categories": CATEGORIES,
        "first_date": date(2023, 1, 1),
        "last_date": date(2024, 12, 31),
        "locations": lambda _: LOCATIONS.empty(),
        "hotspots": {},
        "members": {},
        "bandwidth_m": None,
        "emerging": None,
        "has_points": False,
    }
    return Detected(**{**parts, **more})


def sparse_city(boroughs: int, wards: int) -> Detected:
    """A city whose data bears wards for race, groups of wards for religion and boroughs for antisemitic.

    Every ward has 36 offences a year, of which 24 are of race and two of religion: in steps of 5 no ward has a number
    for religion, and every group of three wards or more has one. Antisemitic is rarer still.
    """
    parents = {f"B{b + 1}W{i}": f"B{b + 1}" for b in range(boroughs) for i in range(wards)}
    counts: dict[tuple[str, int, str], tuple[int, int, int]] = {}
    for ward in parents:
        for month in MONTHS:
            counts[ward, month, "all"], counts[ward, month, "race"] = (3, 0, 0), (2, 0, 0)
            if month % 100 in {3, 9}:
                counts[ward, month, "religion"] = (1, 0, 0)
    counts["B1W0", 202403, "antisemitic"] = (1, 0, 0)
    # Some have no place, so that no borough is known to be the sum of its groups.
    for borough in sorted(set(parents.values())):
        for category, n in (("all", 12), ("race", 8), ("religion", 3)):
            counts[borough, 202305, category] = counts[borough, 202405, category] = (n, 0, 0)
    return detected_of(parents, counts, np.random.default_rng(1))


def planted(wards: dict[str, int], *, unplaced: int = 0, month: int = 202406) -> Detected:
    """A city of one borough whose wards hold these counts in one month of 2024, all of one category."""
    parents = dict.fromkeys(wards, "B1")
    counts = {(w, month, "all"): (n, 0, 0) for w, n in wards.items() if n}
    if unplaced:
        counts["B1", month, "all"] = (unplaced, 0, 0)
    return detected_of(parents, counts, np.random.default_rng(0))


def hotspot_of(detected: Detected, *, places: int, ward: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A hotspot of single incidents at so many places in one ward."""
    xy = np.column_stack([X0 + 300 + 20.0 * np.arange(places), np.full(places, Y0 + 500.0)])
    members = pd.DataFrame(
        {"hotspot_id": "H001", "easting_m": xy[:, 0], "northing_m": xy[:, 1], "ward_code": ward, "incidents": 1}
    )
    outline = shapely.union_all(shapely.buffer(shapely.points(xy), 100))
    row = {
        "hotspot_id": "H001", "rank": 1, "name": f"Ward {ward}", "incidents": places, "distinct_locations": places,
        "area_km2": outline.area / 1e6, "density_per_km2": places / (outline.area / 1e6), "first_period": "2024-02",
        "last_period": "2024-09", "ward_codes": ward, "borough_code": "B1", "top_location_share_pct": 100 / places,
        "distinct_victims": pd.NA,
    }  # fmt: skip
    layer = gpd.GeoDataFrame(pd.DataFrame([row]), geometry=gpd.GeoSeries([outline], crs="EPSG:27700"), crs="EPSG:27700")
    return {"2024-01..2024-12": layer}, {"2024-01..2024-12": members}
