"""Released folders against an attacker who reads nothing else, and mistakes planted for him to find."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.publish.briefings import write_briefings
from pipeline.publish.exports import write_exports
from pipeline.publish.map import write_map
from pipeline.release.gate import Detected, release
from pipeline.release.released import _SEAL, Released
from tests.kit.folder_attacker import ranges, read_folder, too_narrow
from tests.kit.gated import PROFILES, X0, Y0, config_of, detected_of, planted, small

pytestmark = pytest.mark.slow

CITIES = 200 if os.environ.get("HOTSPOTS_LONG") else 30
HEADLINE = "2024-01..2024-12"
VARIANTS: tuple[dict[str, Any], ...] = (
    {"name": "partner", "audience": "partner", "threshold": 5, "borough_period": "fixed"},
    {"name": "public", "audience": "public", "threshold": 10, "borough_period": "fixed"},
    {"name": "partner", "audience": "partner", "threshold": 5, "borough_period": "fixed"},
    {
        "name": "public",
        "audience": "public",
        "threshold": 10,
        "protection": "round",
        "borough_period": "fixed",
    },
    {"name": "partner", "audience": "partner", "threshold": 5, "borough_period": "fixed", "scope": ["B1"]},
    {"name": "partner", "audience": "partner", "threshold": 5, "borough_period": "quarter", "measures": ["incidents"]},
)


def written(released: Released, folder: Path, *, whole: bool = False) -> Path:
    """Write the folder; the package and the briefings too if `whole`."""
    write_exports(released, folder, geopackage=whole)
    write_map(released, folder / "index.html")
    if whole:
        write_briefings(released, folder)
    return folder


def released_of(detected: Detected, profile: dict[str, Any], **changes: Any) -> Released:
    config = config_of([profile], detect={"gistar": {"enabled": False}}, **changes)
    return release(detected, profile=config.profiles[0], config=config)


def replaced(released: Released, **parts: Any) -> Released:
    """A release as a careless gate might have made it."""
    return dataclasses.replace(released, **parts, seal=_SEAL)


@pytest.mark.parametrize("seed", range(CITIES))
def test_no_folder_gives_a_count_away(seed: int, tmp_path: Path) -> None:
    profile = VARIANTS[seed % len(VARIANTS)]
    detected = small(seed, mean=(0.15, 0.5, 1.5)[seed % 3], wards=3)
    folder = written(released_of(detected, profile), tmp_path)
    book = read_folder(folder)
    assert book.hidden or profile["threshold"] == 0
    found = ranges(book, enough=book.promise)
    banded = profile.get("zero_rule") == "band" or profile.get("protection") == "round"
    least = book.promise - 1 if banded else book.promise
    assert {k: ends for k, ends in found.items() if ends[1] - ends[0] < least} == {}


# --- planted mistakes: each is one he finds -------------------------------------------------------------------------

FIVE_ONE_ONE = {"B1W0": 5, "B1W1": 1, "B1W2": 1}
PARTNER = VARIANTS[0]


def test_wards_five_one_one_under_borough_seven(tmp_path: Path) -> None:
    detected = planted(FIVE_ONE_ONE)
    careless = released_of(detected, {**PARTNER, "secondary": False})
    assert careless.info.audit == "not audited: do not publish"
    found = too_narrow(written(careless, tmp_path / "careless"))
    assert found["B1W1", HEADLINE, "all", "incidents"][1] <= 2
    assert too_narrow(written(released_of(detected, PARTNER), tmp_path / "careful")) == {}


def test_a_total_under_its_own_part_is_withheld_beside_it(tmp_path: Path) -> None:
    """Three racist offences and none in all: a total of 0 would say that the withheld part is at least 1."""
    counts = {
        ("B1W0", 202406, "all"): (40, 0, 0),
        ("B1W0", 202406, "race"): (20, 0, 0),
        ("B1W1", 202406, "race"): (3, 0, 0),
    }
    counts |= {(f"B1W{n}", 202406, "all"): (25 + n, 0, 0) for n in (2, 3)}
    detected = detected_of(dict.fromkeys(("B1W0", "B1W1", "B1W2", "B1W3"), "B1"), counts, np.random.default_rng(0))
    released = released_of(detected, PARTNER)
    rows = released.counts.query("period == @HEADLINE and area_code == 'B1W1'").set_index("category")["incidents"]
    assert pd.isna(rows["race"])
    assert pd.isna(rows["all"])
    assert too_narrow(written(released, tmp_path)) == {}
    whole = released_of(planted({"B1W0": 40, "B1W2": 27, "B1W3": 28}), PARTNER).counts
    assert whole.query("period == @HEADLINE and category == 'all'")["incidents"].notna().all()  # only for its sake


def test_secondary_suppression_switched_off(tmp_path: Path) -> None:
    caught = 0
    for seed in range(2):
        careless = released_of(small(seed, mean=1.0, wards=3), {**PARTNER, "secondary": False})
        caught += bool(too_narrow(written(careless, tmp_path / str(seed))))
    assert caught == 2


def spoilt(released: Released, column: str, change: Callable[[pd.DataFrame], Any]) -> Released:
    counts = released.counts.copy()
    counts[column] = change(counts)
    return replaced(released, counts=counts)


def test_an_unrounded_rate(tmp_path: Path) -> None:
    detected = planted({"B1W0": 40, "B1W1": 3, "B1W2": 30})
    careful = released_of(detected, VARIANTS[1])
    people = careful.areas.set_index("area_code")["population"]
    true = {"B1W0": 40, "B1W1": 3, "B1W2": 30, "B1": 73, "R": 73}

    def true_rate(counts: pd.DataFrame) -> "pd.Series[float]":
        here = (counts["period"] == HEADLINE) & (counts["category"] == "all")
        rate = counts["area_code"].map(true) / counts["area_code"].map(people) * 10_000
        return counts["rate_per_10000"].where(~here, rate.astype("float64"))

    assert too_narrow(written(careful, tmp_path / "careful")) == {}
    found = too_narrow(written(spoilt(careful, "rate_per_10000", true_rate), tmp_path / "careless"))
    assert found["B1W1", HEADLINE, "all", "incidents"] == (3, 3)


def test_a_number_left_on_the_map_page(tmp_path: Path) -> None:
    careful = released_of(planted({"B1W0": 40, "B1W1": 3, "B1W2": 30}), PARTNER)
    folder = written(careful, tmp_path)
    page = (folder / "index.html").read_text("utf-8")
    assert '"n":"40,w,w"' in page or '"n":"w,w,30"' in page
    spoilt_page = page.replace('"n":"40,w,w"', '"n":"40,3,w"').replace('"n":"w,w,30"', '"n":"w,3,30"')
    (folder / "index.html").write_text(spoilt_page, "utf-8")
    assert too_narrow(folder)["B1W1", HEADLINE, "all", "incidents"] == (3, 3)


def told_of(folder: Path) -> list[str]:
    """Sentences of any page or text that name an area whose count is withheld, and a number that is no date."""
    import json
    import re

    book = read_folder(folder)
    names = {
        f["properties"]["area_name"]
        for level in ("boroughs", "wards")
        for f in json.loads((folder / f"{level}.geojson").read_text("utf-8"))["features"]
        if (f["properties"]["area_code"], HEADLINE, "all", "incidents") in book.hidden
    }
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".html", ".json", ".xml", ".geojson"}:
            text = re.sub(
                r"<style.*?</style>|<script(?! type=.application/json).*?</script>",
                " ",
                path.read_text("utf-8"),
                flags=re.DOTALL,
            )
            found += [
                sentence.strip()
                for sentence in re.split(r"[.;<>\"\n]", text)
                if any(
                    re.search(rf"{re.escape(n)}\b", sentence) and re.search(r"\b\d{1,2}\b", sentence.replace(n, ""))
                    for n in names
                )
            ]
    return found


def test_a_caption_with_a_count(tmp_path: Path) -> None:
    detected = planted({"B1W0": 40, "B1W1": 3, "B1W2": 30})
    careful = released_of(detected, PARTNER)
    assert told_of(written(careful, tmp_path / "careful")) == []
    caption = "In Ward B1W1 there were 3 offences."
    careless = replaced(careful, info=dataclasses.replace(careful.info, hotspot_note=caption))
    assert any("3 offences" in s for s in told_of(written(careless, tmp_path / "careless")))


def test_gistar_of_unwithheld_neighbours(tmp_path: Path) -> None:
    """z of every ward from true counts: only the true counts fit them all."""
    detected = planted({"B1W0": 40, "B1W1": 3, "B1W2": 30, "B1W3": 22, "B1W4": 2})
    config = config_of([PARTNER])
    careful = release(detected, profile=config.profiles[0], config=config)
    assert careful.counts["gistar_z"].isna().all()
    assert careful.counts["gistar_p"].isna().all()

    def scores(x: np.ndarray) -> np.ndarray:  # Getis-Ord with self, wards in a row, written out from the formula
        near = np.abs(np.subtract.outer(np.arange(x.size), np.arange(x.size))) <= 1
        w, n = near.sum(axis=1), x.size
        spread = np.sqrt(max((x**2).mean() - x.mean() ** 2, 1e-12))
        return (near @ x - x.mean() * w) / (spread * np.sqrt((n * w - w**2) / (n - 1)))

    true = np.array([40.0, 3.0, 30.0, 22.0, 2.0])
    shown = careful.counts[(careful.counts["level"] == "ward") & (careful.counts["period"] == HEADLINE)]
    shown = shown[shown["category"] == "all"].set_index("area_code")["incidents"]
    hidden = [i for i, code in enumerate(sorted(shown.index)) if pd.isna(shown[code])]
    assert 2 <= len(hidden) <= 3
    planted_z = scores(true).round(4)
    fits = []
    for trial in np.ndindex(*[60] * len(hidden)):
        x = true.copy()
        x[hidden] = trial
        if x.std() > 0 and np.abs(scores(x) - planted_z).max() < 1e-3:
            fits.append(trial)
    assert fits == [tuple(int(true[i]) for i in hidden)]  # so the columns must stay empty outside internal


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
    return {HEADLINE: layer}, {HEADLINE: members}


def with_hotspot(wards: dict[str, int], *, places: int, ward: str) -> Detected:
    base = planted(wards)
    hotspots, members = hotspot_of(base, places=places, ward=ward)
    return dataclasses.replace(base, hotspots=hotspots, members=members, has_points=True)


def test_rolling_windows_a_month_apart_are_refused() -> None:
    from pipeline.errors import ConfigError

    with pytest.raises(ConfigError, match="rolling ward windows overlap"):
        config_of([{**PARTNER, "ward_period": "rolling"}])


@pytest.mark.parametrize("name", ["partner", "public"])
def test_the_hand_worked_city(name: str, tmp_path: Path) -> None:
    from pipeline.stages.runner import run
    from tests.kit.city import write_city

    rules = [{**p, "ward_period": "fixed"} for p in PROFILES]
    changes = {"profiles": rules, "page.briefings": False, "exports": {"geopackage": False}}
    outcome = run(write_city(tmp_path, **changes), progress=lambda *_: None)
    assert too_narrow(outcome.folder / name) == {}


@pytest.mark.parametrize("profile", VARIANTS[:2], ids=["partner", "public"])
def test_a_slice_of_the_sample(profile: dict[str, Any], tmp_path: Path) -> None:
    """Two boroughs of the sample that comes with the project, two years of them."""
    root = Path(__file__).parents[2] / "data" / "sample"
    wards = gpd.read_file(root / "wards.geojson").to_crs("EPSG:27700")
    chosen = sorted(wards["parent_code"].unique())[1:3]
    wards = wards[wards["parent_code"].isin(chosen)]
    rows = pd.read_csv(root / "incidents.csv.gz", dtype="str", keep_default_na=False)
    for axis in ("easting", "northing"):
        rows[axis] = pd.to_numeric(rows[axis], errors="coerce")
    points = gpd.GeoDataFrame(rows, geometry=gpd.points_from_xy(rows["easting"], rows["northing"]), crs="EPSG:27700")
    placed = gpd.sjoin(points, wards[["area_code", "geometry"]], predicate="within")
    when = placed["occurred_on"]
    placed = placed[when.str.match(r"202[34]-\d\d-\d\d$")]
    month = (placed["occurred_on"].str[:4] + placed["occurred_on"].str[5:7]).astype(int)
    counts: dict[tuple[str, int, str], tuple[int, int, int]] = {}
    for ward, when_, strands in zip(placed["area_code"], month, placed["strands"], strict=True):
        kinds = {k for k in ("race", "religion", "antisemitic", "islamophobic") if k in strands.split(";")}
        kinds |= {"religion"} if kinds & {"antisemitic", "islamophobic"} else set()
        for kind in {"all", *(kinds - {"islamophobic"})}:
            counts[ward, when_, kind] = (counts.get((ward, when_, kind), (0, 0, 0))[0] + 1, 0, 0)
    assert sum(n for (*_, kind), (n, _, _) in counts.items() if kind == "all") > 500
    parents = dict(zip(wards["area_code"], wards["parent_code"], strict=True))
    detected = detected_of(parents, counts, np.random.default_rng(0))
    assert too_narrow(written(released_of(detected, {**profile, "measures": ["incidents"]}), tmp_path)) == {}
