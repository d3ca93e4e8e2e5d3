"""The Met's published hate-crime counts as the pipeline holds them, for tests that need the real thing."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.domain.periods import Break
from pipeline.release.gate import Detected
from pipeline.release.released import CategoryInfo
from pipeline.tables import AREA_MONTHS, LOCATIONS
from tests.kit.gated import areas_of

CATEGORIES = (
    CategoryInfo("all", "All hate crime", None),
    CategoryInfo("racist_and_religious", "Racist and Religious Crime", "all"),
    CategoryInfo("racist", "Racist Crime", "racist_and_religious"),
    CategoryInfo("faith", "Faith Crime", "racist_and_religious"),
    CategoryInfo("antisemitic", "AntiSemitic", "faith"),
    CategoryInfo("islamophobic", "Islamophobic Crime", "faith"),
    CategoryInfo("homophobic", "Homophobic Crime", "all"),
    CategoryInfo("disability", "Disability Crime", "all"),
    CategoryInfo("transphobic", "Transphobic Crime", "all"),
)
CATEGORY_IDS = tuple(category.id for category in CATEGORIES)
ID_OF = {category.label: category.id for category in CATEGORIES} | {"Hate crime": "all"}
"""Ids by the names of the source."""
REGION = "E12000007"
BREAK = Break(202403, "The Met changed its recording system: counts before and from March 2024 are not comparable.")
LEVELS = {"Borough": "borough", "Safer Neighbourhood Teams": "ward"}
MEASURES = {"Offences": "incidents", "Positive Outcomes": "positive_outcomes"}


def met_area_months(real_data: Path) -> pd.DataFrame:
    """Read the rows of known boroughs and wards and add London as the sum of all borough rows, allocated or not."""
    raw = pd.read_csv(
        next((real_data / "mps_hate").glob("*monthly*.csv.gz")), dtype={"area_code": "str"}, keep_default_na=False
    )
    long = pd.DataFrame(
        {
            "area_code": raw["area_code"],
            "level": raw["area_type"].map(LEVELS),
            "month": raw["month_year"].str.slice(0, 4).astype(int) * 100
            + raw["month_year"].str.slice(5, 7).astype(int),
            "category": raw["crime_subtype"].map(ID_OF),
            "measure": raw["measure"].map(MEASURES),
            "value": raw["count"].astype("int64"),
        }
    )
    region = long[long["level"] == "borough"].assign(area_code=REGION, level="region")
    mapped = long[long["area_code"].isin(met_areas(real_data)["area_code"])]
    wide = pd.concat([mapped, region]).pivot_table(
        index=["area_code", "level", "month", "category"],
        columns="measure",
        values="value",
        aggfunc="sum",
        fill_value=0,
    )
    wide["incidents_unplaced"] = 0
    return wide.reset_index().rename_axis(columns=None)


def met_areas(real_data: Path) -> pd.DataFrame:
    """Read wards, boroughs and the region with residents of 2021; the City of London is not covered."""
    ward = pd.read_csv(real_data / "population" / "london_WD25_population_census2021_bestfit.csv")
    borough = ward.groupby("LAD25CD", as_index=False)["pop_2021"].sum()
    frame = pd.concat(
        [
            pd.DataFrame({"area_code": [REGION], "level": "region", "population": [ward["pop_2021"].sum()]}),
            pd.DataFrame({"area_code": borough["LAD25CD"], "level": "borough", "population": borough["pop_2021"]}),
            pd.DataFrame(
                {
                    "area_code": ward["WD25CD"],
                    "level": "ward",
                    "population": ward["pop_2021"],
                    "city": ward["LAD25CD"] == "E09000001",
                }
            ),
        ],
        ignore_index=True,
    )
    city = frame.pop("city").fillna(value=False).astype(bool) | (frame["area_code"] == "E09000001")
    return frame.assign(covered=~city)


def met_detected(real_data: Path, *, boroughs: tuple[str, ...] = ()) -> Detected:
    """Put the counts together as the gate takes them; of some boroughs only, if named, with these as the region."""
    wards = pd.read_csv(real_data / "population" / "london_WD25_population_census2021_bestfit.csv")
    months, places = met_area_months(real_data), met_areas(real_data)
    parents = dict(zip(wards["WD25CD"], wards["LAD25CD"], strict=True))
    areas = areas_of(parents, np.random.default_rng(0))
    covered = places.set_index("area_code")["covered"]
    areas["covered"] = areas["area_code"].map(covered).fillna(value=True).astype(bool)
    areas["area_code"] = areas["area_code"].replace({"R": REGION})
    areas["parent_code"] = areas["parent_code"].replace({"R": REGION})
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
    if boroughs:
        inside = {*boroughs, *(w for w, b in parents.items() if b in boroughs)}
        areas = areas[areas["area_code"].isin({*inside, REGION})].reset_index(drop=True)
        months = months[months["area_code"].isin(inside)]
        whole = months[months["level"] == "borough"].groupby(["month", "category"], as_index=False)
        whole = whole[["incidents", "positive_outcomes"]].sum()
        months = pd.concat([months, whole.assign(area_code=REGION, level="region", incidents_unplaced=0)])
    months["known_outcomes"] = pd.NA
    return Detected(
        areas=areas,
        area_months=AREA_MONTHS.conform(months.sort_values(["area_code", "month", "category"], ignore_index=True)),
        categories=CATEGORIES,
        first_date=date(2021, 8, 1),
        last_date=date(2025, 7, 31),
        locations=lambda _: LOCATIONS.empty(),
        hotspots={},
        members={},
        bandwidth_m=None,
        emerging=None,
        has_points=False,
    )
