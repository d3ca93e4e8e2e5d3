"""The Met's published hate-crime counts as the pipeline holds them, for tests that need the real thing."""

from pathlib import Path

import pandas as pd

from pipeline.categories import Category, CategoryTree
from pipeline.periods import Break

TREE = CategoryTree(
    (
        Category("racist_and_religious", "Racist and Religious Crime"),
        Category("racist", "Racist Crime", "racist_and_religious"),
        Category("faith", "Faith Crime", "racist_and_religious"),
        Category("antisemitic", "AntiSemitic", "faith"),
        Category("islamophobic", "Islamophobic Crime", "faith"),
        Category("homophobic", "Homophobic Crime"),
        Category("disability", "Disability Crime"),
        Category("transphobic", "Transphobic Crime"),
    ),
    root_label="All hate crime",
    root_aliases=("Hate crime",),
)
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
            "category": raw["crime_subtype"].map({c: TREE.resolve(c) for c in raw["crime_subtype"].unique()}),
            "measure": raw["measure"].map(MEASURES),
            "value": raw["count"].astype("int64"),
        }
    )
    region = long[long["level"] == "borough"].assign(area_code="E12000007", level="region")
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
            pd.DataFrame({"area_code": ["E12000007"], "level": "region", "population": [ward["pop_2021"].sum()]}),
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
