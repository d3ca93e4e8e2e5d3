"""The Metropolitan Police's published hate-crime counts through the gate, hidden as if they were confidential.

They are public: the dashboard prints every one of them. What is shown here is that the gate copes with real sparsity
and real sums, not that these counts are secret.
"""

import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.disclosure import CategoryInfo, Detected, Passed, Past, examine, past_of
from pipeline.schemas import AREA_MONTHS, LOCATIONS
from tests.gated import areas_of, config_of
from tests.met_counts import TREE, met_area_months, met_areas

RULES: dict[str, dict[str, Any]] = {
    "public": {"audience": "public", "threshold": 10, "borough_period": "month"},
    "partner": {"audience": "partner", "threshold": 5, "borough_period": "month"},
}


def ward_parents(folder: Path) -> dict[str, str]:
    wards = pd.read_csv(folder / "population" / "london_WD25_population_census2021_bestfit.csv")
    return dict(zip(wards["WD25CD"], wards["LAD25CD"], strict=True))


@pytest.fixture(scope="module")
def met(real_data: Path) -> Detected:
    months, places, parents = met_area_months(real_data), met_areas(real_data), ward_parents(real_data)
    areas = areas_of(parents, np.random.default_rng(0))
    covered = places.set_index("area_code")["covered"]
    areas["covered"] = areas["area_code"].map(covered).fillna(value=True).astype(bool)
    areas["area_code"] = areas["area_code"].replace({"R": "E12000007"})
    areas["parent_code"] = areas["parent_code"].replace({"R": "E12000007"})
    months = months[months["area_code"].isin(areas.loc[areas["covered"], "area_code"])]
    inside = months[months["level"] == "ward"].assign(area_code=lambda f: f["area_code"].map(parents))
    inside = inside.groupby(["area_code", "month", "category"])["incidents"].sum().rename("inside").reset_index()
    months = months.merge(inside, on=["area_code", "month", "category"], how="left")
    rest = (months["incidents"] - months["inside"].fillna(0)).clip(lower=0)
    months["incidents_unplaced"] = rest.where(months["level"] == "borough", 0)
    named = months[months["level"] == "borough"].groupby(["month", "category"])["incidents"].sum()
    region = months["level"] == "region"
    at = pd.MultiIndex.from_frame(months.loc[region, ["month", "category"]])
    months.loc[region, "incidents_unplaced"] = (
        months.loc[region, "incidents"].to_numpy() - named.reindex(at, fill_value=0).to_numpy()
    ).clip(min=0)
    months["known_outcomes"] = pd.NA
    return Detected(
        areas=areas,
        area_months=AREA_MONTHS.conform(months.sort_values(["area_code", "month", "category"], ignore_index=True)),
        categories=tuple(
            CategoryInfo(i, TREE.labels[i], (TREE.ancestors(i) or (None,))[0] if i != "all" else None) for i in TREE.ids
        ),
        first_date=date(2021, 8, 1),
        last_date=date(2025, 7, 31),
        locations=LOCATIONS.empty(),
        hotspots={},
        members={},
        bandwidth_m=None,
        emerging=None,
        has_points=False,
    )


def through(
    met: Detected, name: str, past: tuple[Past, ...], known: pd.DataFrame | None = None
) -> tuple[Passed, float]:
    import dataclasses

    config = config_of(
        [{"name": name, **RULES[name]}],
        detect={"gistar": {"enabled": False}},
        outcomes={"basis": "flow"},
        areas={"region": {"code": "E12000007", "name": "London"}},
    )
    profile = config.profiles[0]
    begun = time.perf_counter()
    passed = examine(dataclasses.replace(met, known=known), profile=profile, config=config, past=past)
    return passed, time.perf_counter() - begun


@pytest.mark.real
def test_public_and_partner_pass_on_real_counts(met: Detected) -> None:
    """Ward years and borough months of every sub-type; the partner's folder is audited beside the public one."""
    past: tuple[Past, ...] = ()
    for name in ("public", "partner"):
        passed, seconds = through(met, name, past)
        log, released = passed.log, passed.released
        print(f"\n{name}: {seconds:.0f} s, {log}, {released.record['attack']}")
        assert released.info.audit == "passed"
        assert log["withheld_per_primary"] <= 2.5
        shown = released.counts["incidents"].dropna()
        assert not shown.between(1, RULES[name]["threshold"] - 1).any()
        past = (*past, past_of(released))


@pytest.mark.real
def test_what_the_dashboard_prints_is_already_public(met: Detected) -> None:
    """With the dashboard as a known table no protection is claimed for anything in it, and nothing more is withheld."""
    rows = met.area_months.melt(
        ["area_code", "month", "category"], ["incidents", "positive_outcomes"], var_name="measure", value_name="value"
    )
    month = rows["month"].astype("int64")
    period = (month // 100).astype("str") + "-" + (month % 100).astype("str").str.zfill(2)
    known = rows.assign(period=period, value=rows["value"].astype("int64")).drop(columns="month")
    passed, _ = through(met, "public", (), known)
    states = passed.released.record["withheld"]["states"]
    for level in ("ward", "borough"):
        assert set(states[level]["incidents"]) == {"already public at source"}
    assert any("public at their source" in caveat for caveat in passed.released.info.caveats)
