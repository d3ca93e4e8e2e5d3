"""Real public data: the Met's hate-crime counts and street-level points. Skipped where absent.

Exact counts are those of the whole file of counts. What is released of them is tried on four boroughs, and points
on two months: with HOTSPOTS_LONG=1 on the whole files.
"""

import json
import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.config.templates import template_text
from pipeline.detect.density import places_of
from pipeline.detect.kde import density, kde_grid
from pipeline.stages.runner import Outcome, run
from tests.kit.map_pages import readable

pytestmark = pytest.mark.real
LONG = bool(os.environ.get("HOTSPOTS_LONG"))
ROWS, IDS = (396_369, 377_286) if LONG else (125_202, 119_119)  # of the files of points, counted with pandas
COUNTS = Path("mps_hate", "mps_hate_crime_monthly_2021-08_2025-07.csv.gz")
WARDS = Path("boundaries", "london_wards_WD25_bestfit_from_LSOA21.gpkg")
SOME = {f"E090000{number:02d}" for number in (1, 7, 12, 25, 33)}
"""The City, which the counts do not cover, and four boroughs around it, those of the visitors' wards among them."""


def quiet(_label: str, _done: int, _total: int) -> None:
    return


def configured(folder: Path, template: str, **changes: object) -> Path:
    """Write a template with real paths in place of its examples."""
    settings = yaml.safe_load(template_text(template))
    for key, value in changes.items():
        at = settings
        *path, last = key.split("__")
        for part in path:
            at = at[int(part)] if part.isdigit() else at[part]
        at[last] = value
    # The partner profile meets the same counts in test_gate_met.py, at twice the price of the others together.
    settings["profiles"] = [p for p in settings["profiles"] if p["audience"] != "partner"]
    settings["page"] = {**settings.get("page", {}), "briefings": False}
    settings["exports"] = {**settings.get("exports", {}), "geopackage": False, "workbook": "none"}
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return config


def met_configured(folder: Path, real_data: Path, *, wards: Path, counts: Path) -> Path:
    people = real_data / "population" / "london_WD25_population_census2021_bestfit.csv"
    return configured(
        folder,
        "mps-dashboard",
        areas__wards__path=str(wards),
        areas__population=[{"path": str(people), "code": "WD25CD", "value": "pop_2021", "year": 2021}],
        published_counts__0__paths=[str(counts)],
    )


@pytest.fixture(scope="module")
def met(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Return the run of the whole file as far as the release of the internal folder."""
    folder = tmp_path_factory.mktemp("met")
    config = met_configured(folder, real_data, wards=real_data / WARDS, counts=real_data / COUNTS)
    settings = yaml.safe_load(config.read_text("utf-8"))
    settings["profiles"] = settings["profiles"][:1]
    config.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return run(config, progress=quiet, only=["ingest", "aggregate", "detect", "release"])


@pytest.fixture(scope="module")
def released(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Return the run of four boroughs with a public folder and every page."""
    folder = tmp_path_factory.mktemp("released")
    if LONG:
        return run(
            met_configured(folder, real_data, wards=real_data / WARDS, counts=real_data / COUNTS), progress=quiet
        )
    wards = gpd.read_file(real_data / WARDS)
    wards = wards[wards["LAD25CD"].isin(SOME)]
    wards.to_file(folder / "wards.gpkg")
    counts = pd.read_csv(real_data / COUNTS, dtype=str, keep_default_na=False)
    counts[counts["area_code"].isin({*SOME, *wards["WD25CD"]})].to_csv(folder / "counts.csv", index=False)
    config = met_configured(folder, real_data, wards=folder / "wards.gpkg", counts=folder / "counts.csv")
    settings = yaml.safe_load(config.read_text("utf-8"))
    settings["areas"]["population"][0]["ignore_unknown"] = True
    config.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return run(config, progress=quiet)


@pytest.fixture(scope="module")
def met_counts(met: Outcome) -> pd.DataFrame:
    """Return the rows of `area_counts.csv`, as they are released."""
    return pd.read_parquet(met.folder / "work" / "release" / "internal" / "counts.parquet")


def test_every_published_offence_is_mapped_or_listed(met: Outcome) -> None:
    # Sums taken from the published file: 95,668 offences at ward level, of which 3,278 under codes of no ward.
    quality = json.loads((met.folder / "quality.json").read_text("utf-8"))
    whole = [v for v in quality["values"] if (v["level"], v["measure"], v["category"]) == ("ward", "incidents", "all")]
    told = [tuple(v[k] for k in ("published", "mapped", "unmapped", "quarantined")) for v in whole]
    assert told == [(95_668, 92_390, 3_278, 0)]
    listed = [u for u in quality["unmapped"] if (u["level"], u["measure"]) == ("ward", "incidents")]
    assert sum(u["value"] for u in listed) == 3_278
    assert all(u["reason"] for u in listed)


def test_relations_the_data_violates_are_reported(met: Outcome) -> None:
    quality = json.loads((met.folder / "quality.json").read_text("utf-8"))
    report = quality["relations"]
    broken = {(r["relation"], r["level"], r["measure"]): r["violations"] for r in report if r["violations"]}
    # Counted independently at known ward codes: Racist and Religious exceeds Hate crime in 687 ward-months.
    assert broken[("racist_and_religious within all", "ward", "incidents")] == 687
    assert not [key for key in broken if key[0] == "racist within racist_and_religious"]


def test_top_ward_and_the_city(released: Outcome, met_counts: pd.DataFrame) -> None:
    latest = met_counts[(met_counts["period"] == "2024-08..2025-07") & (met_counts["category"] == "all")]
    wards = latest[latest["level"] == "ward"].sort_values("incidents", ascending=False)
    assert (wards["area_name"].iloc[0], wards["incidents"].iloc[0]) == ("St James's", 557)
    city = latest[latest["area_code"] == "E09000001"]
    assert city["incidents"].isna().all()
    layer = json.loads((released.folder / "public" / "boroughs.geojson").read_text("utf-8"))
    assert {f["id"]: f["properties"]["covered"] for f in layer["features"]}["E09000001"] is False
    assert "Not covered" in readable((released.folder / "public" / "index.html").read_text("utf-8"))


def test_twelve_month_totals_equal_the_separate_file(met_counts: pd.DataFrame, real_data: Path) -> None:
    published = pd.read_csv(real_data / "mps_hate" / "borough_strand_totals_2024-08_2025-07.csv")
    latest = met_counts[(met_counts["period"] == "2024-08..2025-07") & (met_counts["level"] == "borough")]
    for column, category in (
        ("Hate crime", "all"),
        ("Racist Crime", "racist"),
        ("AntiSemitic", "antisemitic"),
        ("Transphobic Crime", "transphobic"),
    ):
        got = latest[latest["category"] == category].set_index("area_code")["incidents"]
        expected = published.set_index("area_code")[column]
        assert got.reindex(expected.index).astype(int).tolist() == expected.tolist(), column


def test_comparisons_across_the_break_are_not_made(met_counts: pd.DataFrame) -> None:
    """The recording system changed in March 2024: windows are compared only if both lie on one side of it."""
    compared = met_counts.dropna(subset=["change_word"])
    first = pd.PeriodIndex(compared["period"].str[:7], freq="M")
    last = pd.PeriodIndex(compared["period"].str[-7:], freq="M")
    across = (first - 12 < pd.Period("2024-03")) & (last >= pd.Period("2024-03"))
    assert across.any()
    assert not across.all()
    assert set(compared.loc[across, "change_word"]) == {"not comparable"}
    assert "not comparable" not in set(compared.loc[~across, "change_word"])
    assert "2024-08..2025-07" in set(compared.loc[across, "period"])


def test_outcomes_are_a_flow(met_counts: pd.DataFrame) -> None:
    assert met_counts["outcome_low"].isna().all()
    assert met_counts.loc[met_counts["level"] == "ward", "outcome_share"].isna().all()
    months = met_counts[(met_counts["level"] == "borough") & (met_counts["category"] == "all")]
    months = months[~months["period"].str.contains("..", regex=False)]
    assert months["period"].nunique() == 48


def test_released_met_counts_pass_the_audit(released: Outcome) -> None:
    # The file is public; the test treats it as if it were confidential.
    record = json.loads((released.folder / "public" / "release.json").read_text("utf-8"))
    assert record["audit"] == "passed"
    shown = pd.read_csv(released.folder / "public" / "area_counts.csv")
    assert not shown["incidents"].between(1, 9).any()
    # At most two and a half times the small counts themselves may be withheld.
    true = pd.read_csv(released.folder / "internal" / "area_counts.csv").set_index(["area_code", "period", "category"])
    rows = pd.MultiIndex.from_frame(shown[["area_code", "period", "category"]])
    small = true["incidents"].reindex(rows).between(1, 9)
    withheld = shown["withheld"].fillna("").str.split(";").map(lambda names: "incidents" in names)
    assert small.sum() > (1000 if LONG else 500)
    assert withheld.sum() <= 2.5 * small.sum()


def point_files(real_data: Path) -> list[Path]:
    return sorted((real_data / "police_uk" / "met_2018").glob("*.csv.gz"))[: None if LONG else 2]


@pytest.fixture(scope="module")
def points(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    config = configured(
        tmp_path_factory.mktemp("points"),
        "police-uk",
        areas__wards__path=str(real_data / "boundaries" / "london_wards_2018_27700.gpkg"),
        incidents__0__paths=[str(path) for path in point_files(real_data)],
    )
    return run(config, progress=quiet, only=["ingest", "aggregate"])


def test_months_of_rows_and_distinct_ids(points: Outcome) -> None:
    counters = points.manifest["stages"]["ingest"]["counters"]
    assert (counters["rows"], counters["incidents"]) == (ROWS, IDS)


def test_points_lie_in_a_ward_the_source_names(points: Outcome, real_data: Path) -> None:
    named = pd.concat(
        [pd.read_csv(path, usecols=["id", "queried_ward"], dtype=str) for path in point_files(real_data)]
    ).drop_duplicates()
    parts = sorted((points.folder / "work" / "incidents").glob("*.parquet"))
    found = pd.concat([pd.read_parquet(p, columns=["incident_id", "ward_code"]) for p in parts])
    merged = found.merge(named, left_on="incident_id", right_on="id", how="left")
    agree = merged.assign(same=merged["ward_code"] == merged["queried_ward"]).groupby("incident_id")["same"].any()
    assert len(agree) == IDS
    assert agree.mean() >= 0.99


def test_kde_mass_equals_the_incidents(points: Outcome) -> None:
    locations = pd.read_parquet(points.folder / "work" / "locations.parquet")
    xy, weights = places_of(locations, category="all")
    low, high = xy.min(axis=0), xy.max(axis=0)
    grid = kde_grid((low[0], low[1], high[0], high[1]), bandwidth_m=500.0)
    surface = density(xy, grid=grid, bandwidth_m=500.0, weights=weights)
    assert surface.mass == pytest.approx(float(np.sum(weights)), rel=1e-3)
