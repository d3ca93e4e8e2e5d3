"""The whole run on the hand-worked city: every number here was worked out on paper (see tests/city.py)."""

import hashlib
import json
import re
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from pipeline.stages.runner import Outcome, run
from tests.kit.city import COUNTS, X0, Y0, write_city

pytestmark = pytest.mark.slow

PUBLIC_THRESHOLD = 10


def quiet(_label: str, _done: int, _total: int) -> None:
    return


def city_with_streets(folder: Path) -> Path:
    """Write the city with a street through each ward: 10 m, 0 m and 110 m from the incidents."""
    ends = [((0, 510), (1000, 510)), ((1000, 510), (2000, 490)), ((2000, 290), (3000, 290))]
    lines = [shapely.LineString([(X0 + x, Y0 + y) for x, y in pair]) for pair in ends]
    folder.mkdir(parents=True, exist_ok=True)
    streets = gpd.GeoDataFrame({"ref": ["s1", "s2", "s3"]}, geometry=lines, crs="EPSG:27700")
    streets.to_file(folder / "streets.gpkg", driver="GPKG")
    (folder / "weights.csv").write_text("offence,weight\nrace,2\nReligion,7\n", "utf-8")
    return write_city(
        folder, **{"detect.streets": {"path": "streets.gpkg", "id": "ref"}, "harm": {"weights": "weights.csv"}}
    )


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return run(city_with_streets(tmp_path_factory.mktemp("city")), progress=quiet)


@pytest.fixture(scope="module")
def counts(outcome: Outcome) -> pd.DataFrame:
    return pd.read_csv(outcome.folder / "internal" / "area_counts.csv", keep_default_na=False, na_values=[""])


def year(counts: pd.DataFrame, area: str, category: str = "all") -> pd.Series:
    rows = counts[
        (counts["area_code"] == area) & (counts["period"] == "2024-01..2024-12") & (counts["category"] == category)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


def test_every_row_is_accounted_for(outcome: Outcome) -> None:
    counters = outcome.manifest["stages"]["ingest"]["counters"]
    assert (counters["rows"], counters["incidents"], counters["quarantined"], counters["duplicates"]) == (58, 56, 1, 1)
    quality = json.loads((outcome.folder / "quality.json").read_text("utf-8"))
    assert quality["accounting"]["rows_read"] == 58


@pytest.mark.parametrize(
    ("area", "incidents", "unplaced"), [("R1", 44, 1), ("A", 38, 2), ("B", 5, 0), ("A1", 24, None), ("B1", 5, None)]
)
def test_counts_of_the_year(counts: pd.DataFrame, area: str, incidents: int, unplaced: int | None) -> None:
    row = year(counts, area)
    assert row["incidents"] == incidents
    assert (None if pd.isna(row["incidents_unplaced"]) else row["incidents_unplaced"]) == unplaced


def test_categories_overlap_and_are_never_summed(counts: pd.DataFrame) -> None:
    # Race: 24 in A1, 12 in A2, and one at 0,0 in A. Religion: the same 12 in A2, 5 in B1, 2 online. Together 56, but 44
    # incidents.
    assert year(counts, "R1", "race")["incidents"] == 37
    assert year(counts, "R1", "religion")["incidents"] == 19
    assert year(counts, "R1")["incidents"] == 44


def test_rates_per_10000(counts: pd.DataFrame) -> None:
    assert year(counts, "A1")["rate_per_10000"] == pytest.approx(240.0)
    assert year(counts, "A2")["rate_per_10000"] == pytest.approx(60.0)
    assert year(counts, "A")["rate_per_10000"] == pytest.approx(38 / 3000 * 10_000, abs=1e-4)
    assert year(counts, "R1")["rate_per_10000"] == pytest.approx(44 / 3500 * 10_000, abs=1e-4)
    # Five events are too few for a rate.
    assert pd.isna(year(counts, "B1")["rate_per_10000"])
    assert year(counts, "B1")["reliability"] == "too few to say"


def test_garwood_interval(counts: pd.DataFrame) -> None:
    # Published table (Garwood 1936; Ulm 1990): 24 events, 95 %: 15.38 to 35.71.
    row = year(counts, "A1")
    assert row["rate_low"] == pytest.approx(153.8, abs=0.1)
    assert row["rate_high"] == pytest.approx(357.1, abs=0.1)


def test_the_hotspot_is_the_line_in_a1(outcome: Outcome) -> None:
    # A1's 24 places of 2024 lie on one line 125 m long; A2's are 20 m apart, so 12 within reach: a second cluster.
    spots = json.loads((outcome.folder / "internal" / "hotspots.geojson").read_text("utf-8"))["features"]
    assert [(f["properties"]["rank"], f["properties"]["incidents"]) for f in spots] == [(1, 24), (2, 12)]
    assert spots[0]["properties"]["name"] == "North"
    assert spots[0]["properties"]["ward_codes"] == "A1"


def test_public_gives_every_count_as_its_step(outcome: Outcome) -> None:
    public = pd.read_csv(outcome.folder / "public" / "area_counts.csv")
    for column in ("incidents", "positive_outcomes", "known_outcomes"):
        lower, upper = public[f"{column}_lower"].dropna(), public[f"{column}_upper"].dropna()
        assert (lower % PUBLIC_THRESHOLD == 0).all(), column
        assert (upper - lower == PUBLIC_THRESHOLD - 1).all(), column
    assert public["incidents_unplaced"].isna().all()
    barton = year(public, "B1")
    assert pd.isna(barton["incidents"])
    assert (barton["incidents_lower"], barton["incidents_upper"]) == (0, PUBLIC_THRESHOLD - 1)


@pytest.mark.parametrize("profile", ["internal", "public"])
def test_every_documented_file_of_a_profile_is_written(outcome: Outcome, profile: str) -> None:
    page = (Path(__file__).parents[2] / "outputs" / "README.md").read_text("utf-8")
    table = page.split("In each profile's folder:")[1].split("|---|---|\n")[1].split("\n\n")[0]
    named = [name for line in table.splitlines() for name in re.findall(r"`([^`]+)`", line.split("|")[1])]
    # circumstances: only where there is something that may be shown; groups of wards: only where a category needs them;
    # cores: only where a hotspot is large, and never outside internal
    # near repeats and clusters in space and time: only where they are asked for
    asked_for = ("near-repeats", "near_repeat", "clusters", "scan_clusters", "analysis_cells", "risk", "harm")
    internal = ("concentration", "when", "hour", "season", *asked_for)
    # of the two kinds of workbook the settings name one
    sometimes = ("circumstances", "ward_groups", "hotspot_cores", "tables.ods", *internal)
    plain = {n for n in named if "<" not in n and not n.startswith(sometimes)}
    assert profile == "internal" or not list((outcome.folder / profile).glob("hotspot_cores*"))
    # how concentrated incidents are follows from exact counts
    for page in ("concentration.html", "when.html", "seasons.csv", "harm.html", "harm_areas.csv"):
        assert (outcome.folder / profile / page).is_file() == (profile == "internal")
    assert {"index.html", "protection.html", "release.json", "area_counts.csv", "panel.html"} <= plain
    assert sorted(n for n in plain if not (outcome.folder / profile / n).is_file()) == []
    assert (outcome.folder / profile / "boroughs" / "A.html").is_file()


def test_incidents_by_street(outcome: Outcome) -> None:
    detect = outcome.manifest["stages"]["detect"]
    assert detect["choices"]["streets 2024-01..2024-12"].startswith("36 of 41 incidents on 3 segments")
    assert any("5 of 41 incidents" in caution and "more than 100 m" in caution for caution in detect["cautions"])
    segments = pd.read_parquet(outcome.folder / "work" / "streets" / "2024-01..2024-12.parquet")
    assert segments[["segment_id", "incidents", "rank", "hot"]].to_numpy().tolist() == [
        ["s1", 24, 1, True],
        ["s2", 12, 2, False],
    ]
    released = {
        profile: len(pd.read_parquet(outcome.folder / "work" / "release" / profile / "streets.parquet"))
        for profile in ("internal", "public")
    }
    assert released == {"internal": 2, "public": 0}
    assert "Streets with most incidents" in (outcome.folder / "internal" / "concentration.html").read_text("utf-8")


def test_harm_by_area(outcome: Outcome) -> None:
    areas = pd.read_csv(outcome.folder / "internal" / "harm_areas.csv").set_index("area_code")
    # An incident of both categories has the weight of the graver, 7. A1: 24 of race alone. A2: 12 of both. A as well:
    # one of race and one online of religion. The region as well: another online.
    harm = {"A1": 48, "A2": 84, "A": 48 + 84 + 2 + 7, "B1": 35, "B": 35, "R1": 183}
    assert areas.loc[list(harm), "harm"].to_dict() == harm
    assert areas.loc["R1", ["incidents", "weighed"]].tolist() == [44, 44]
    assert areas.loc["A2", "top_share_pct"] == pytest.approx(100 * 7 / 84)
    hotspots = json.loads((outcome.folder / "internal" / "harm_hotspots.geojson").read_text("utf-8"))["features"]
    # In clustering the mean weight counts as one incident, so the 12 of weight 7 stand before the 24 of weight 2.
    found = [(f["properties"]["area_name"], f["properties"]["harm"]) for f in hotspots]
    assert found[0] == ("Middle", 84)
    public = outcome.folder / "public"
    assert not [path for path in public.rglob("*") if path.name.startswith("harm")]
    assert "harm" not in (public / "release.json").read_text("utf-8").casefold()


def test_two_runs_are_byte_identical(outcome: Outcome, tmp_path: Path) -> None:
    again = run(city_with_streets(tmp_path / "again"), progress=quiet)
    files = sorted(p.relative_to(outcome.folder) for p in outcome.folder.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(again.folder) for p in again.folder.rglob("*") if p.is_file())
    released = [f for f in files if f.parts[0] in {"internal", "public"}]
    assert len(released) >= 16
    for file in released:
        one, two = (hashlib.sha256((o.folder / file).read_bytes()).hexdigest() for o in (outcome, again))
        assert one == two, file


def test_fresh_stages_are_skipped_and_stale_ones_are_not(tmp_path: Path) -> None:
    config = write_city(tmp_path, **COUNTS)
    assert run(config, progress=quiet).ran == ["ingest", "aggregate", "detect", "release", "publish"]
    second = run(config, progress=quiet)
    assert (second.ran, len(second.fresh)) == ([], 5)
    text = config.read_text("utf-8").replace("page:", "page:\n  caveats: [Read with care.]")
    config.write_text(text, encoding="utf-8")
    assert run(config, progress=quiet).ran == ["release", "publish"]
    assert run(config, progress=quiet, start="detect").ran == ["detect", "release", "publish"]
    with (tmp_path / "incidents.csv").open("a", encoding="utf-8") as file:
        file.write("R999,2024-12-30,530100,180500,Ashby,race,no,\n")
    assert run(config, progress=quiet).ran[0] == "ingest"
