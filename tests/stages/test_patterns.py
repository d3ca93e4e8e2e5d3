"""What the analyst may ask for beside the map: scan, near repeats, risk; in no released folder."""

import pandas as pd
import pytest

from pipeline.stages.runner import Outcome, run
from pipeline.storage.files import read_layer
from tests.kit.city import write_city

pytestmark = pytest.mark.slow  # runs the stages up to detection, with every method


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    config = write_city(
        tmp_path_factory.mktemp("patterns"),
        **{
            "detect.scan": {
                "enabled": True,
                "simulations": 19,
                "max_radius_m": 600,
                "cell_m": 250,
                "categories": ["all", "religion"],
                "spatial": ["poisson", "bernoulli"],
            },
            "detect.knox": {"enabled": True, "simulations": 19},
            "detect.clusters": {"eps_m": 100, "min_samples": 6, "simulations": 19, "resamples": 9},
            "detect.density.risk": {"against": "population", "form": "ratio"},
            "page.briefings": False,
        },
    )
    return run(config, progress=lambda *_: None, only=["ingest", "aggregate", "detect"])


def test_scan_clusters_have_a_place_a_window_and_a_p(outcome: Outcome) -> None:
    found = pd.read_parquet(outcome.folder / "work" / "patterns" / "2024-01..2024-12" / "space_time_clusters.parquet")
    every, clusters = found[found["rank"] == 0], found[found["rank"] > 0]
    assert every[["category", "observed", "notes"]].to_numpy().tolist() == [["all", 53, ""], ["religion", 17, "few:17"]]
    assert len(clusters)
    assert clusters["easting_m"].between(530_000, 533_000).all()
    assert (clusters["observed"] > clusters["expected"]).all()
    assert clusters["p"].between(0.05, 1).all()
    assert clusters["period"].str.startswith(("2023", "2024")).all()
    assert set(clusters["area_codes"].str.split(";").explode()) <= {"A1", "A2", "B1"}


def test_scans_in_space_alone_have_what_the_city_lets_them_expect(outcome: Outcome) -> None:
    table = pd.read_parquet(outcome.folder / "work" / "patterns" / "2024-01..2024-12" / "spatial_clusters.parquet")
    found = table.set_index(["kind", "category", "rank"])
    # 41 incidents of 2024 at places, 1,000, 2,000 and 500 people: A1 has 24 of them where 41 / 3.5 are expected.
    best = found.loc[("poisson", "all", 1)]
    assert (best["area_codes"], best["observed"], best["expected"]) == ("A1", 24, round(41 / 3.5, 2))
    assert best["relative_risk"] == pytest.approx((24 / 1000) / (17 / 2500), abs=1e-3)
    # All 5 incidents of B1 are of religion, as are the 12 of A2; none of A1 is.
    share = found.loc[("bernoulli", "religion", 0)]
    assert (share["observed"], share["notes"]) == (17, "few:17")


def test_near_repeats_count_the_pairs_of_the_city(outcome: Outcome) -> None:
    # In A1 the 5th and the 20th of a month are 15 days and 15 m apart: 12 pairs. From the 20th to the next 5th are 15
    # or 16 days and 5 m: 10 pairs, and one of 14 days from February to March 2024. All other pairs of the year are 29
    # days or more apart.
    table = pd.read_parquet(outcome.folder / "work" / "patterns" / "2024-01..2024-12" / "near_repeats.parquet")
    near = table[(table["distance_low_m"] == 1) & (table["category"] == "all")].set_index("days_low")["observed"]
    assert near.to_dict() == {0: 0, 8: 1, 15: 22}
    assert table["p"].between(0.05, 1).all()


def test_risk_is_known_only_where_people_live(outcome: Outcome) -> None:
    risk = read_layer(outcome.folder / "work" / "patterns" / "2024-01..2024-12" / "risk_bands.parquet")
    assert len(risk) > 0
    assert risk["value_low"].is_monotonic_increasing
    # 41 incidents of 2024 at places and 3,500 residents.
    overall = 10_000 * 41 / 3500
    assert risk["value_low"].tolist() == pytest.approx((risk["times_low"] * overall).tolist())
    assert risk.geometry.area.sum() <= 3 * 1_000_000  # three wards of a kilometre each


def test_p_values_and_stability_only_where_asked_for(outcome: Outcome) -> None:
    spots = pd.read_parquet(outcome.folder / "work" / "hotspots" / "2024-01..2024-12.parquet")
    assert spots["p_value"].between(1 / 20, 1).all()
    assert spots["stability"].between(0, 1).all()


def test_every_choice_is_in_the_manifest(outcome: Outcome) -> None:
    choices = outcome.manifest["stages"]["detect"]["choices"]
    by_window = {f"{name} 2024-01..2024-12" for name in ("scan", "spatial_scan", "near_repeats")}
    assert by_window | {"risk_surface 2024-01..2024-12", "bandwidth_m"} <= set(choices)
