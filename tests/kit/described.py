"""Releases for tests that also describe their incidents: when, where, what and how reported, drawn at random."""

import dataclasses

import numpy as np
import pandas as pd

from pipeline.aggregate.circumstances import TOTAL, WHOLE
from pipeline.config import Profile
from pipeline.domain.periods import Period
from pipeline.release.circumstances import Setting, release_circumstances
from pipeline.release.released import Released

__all__ = ["described", "released_with"]

PLACES = ("street", "dwelling", "shop", "transport hub")
DELAYS = ("same day", "next day", "2 to 7 days", "8 to 30 days")


def described(released: Released, *, rows: int = 1200, names: tuple[str, ...] = PLACES, seed: int = 7) -> Released:
    """The same release with circumstances of its boroughs, from two organisations, under rules of its audience."""
    rng, info = np.random.default_rng(seed), released.info
    period = Period.parse(info.headline.id)
    boroughs = released.areas.loc[released.areas["level"] == "borough", "area_code"].tolist()
    draw = {
        "hour_band": [str(h) for h in rng.integers(0, 24, rows)],
        "weekday": [str(d) for d in rng.integers(1, 8, rows)],
        "place_type": rng.choice(names, rows),
        "delay": rng.choice(DELAYS, rows, p=[0.6, 0.2, 0.15, 0.05]),
        "online": rng.choice(["yes", "no"], rows, p=[0.1, 0.9]),
        "outcome": rng.choice(["positive", "no_suspect", "victim_does_not_support"], rows),
    }
    base = pd.DataFrame(
        {
            "organisation": rng.choice(["police", names[0]], rows, p=[0.9, 0.1]),
            "area_code": rng.choice(boroughs, rows),
            "month": period.first_month,
            "category": "all",
        }
    )
    parts = [base.assign(facet=facet, value=value) for facet, value in draw.items()]
    parts.append(base.assign(facet=TOTAL, value=base["organisation"]))
    both = [f"{d} {h}" for d, h in zip(draw["weekday"], draw["hour_band"], strict=True)]
    parts.append(base.assign(facet="weekday_hour", value=both, area_code=WHOLE))
    facets = pd.concat(parts).value_counts().rename("incidents").reset_index()
    return released_with(released, facets)


def released_with(released: Released, facets: pd.DataFrame) -> Released:
    """The same release with the circumstances that facets hold, under rules of its audience."""
    info, period = released.info, Period.parse(released.info.headline.id)
    recorded = facets[(facets["facet"] == TOTAL) & (facets["category"] == "all")]
    counts = released.counts[(released.counts["period"] == period.id) & (released.counts["category"] == "all")].copy()
    real = recorded.groupby("area_code")["incidents"].sum().to_dict()
    real[info.region_code] = int(recorded["incidents"].sum())
    exact = pd.Series([real.get(a, 0) for a in counts["area_code"]], index=counts.index, dtype="Int64")
    counts["incidents_lower"] = exact // info.step * info.step
    counts["incidents_upper"] = counts["incidents_lower"] + info.step - 1
    rules = {"name": info.profile, "audience": info.audience, "threshold": info.threshold}
    found = release_circumstances(
        facets,
        Setting(
            profile=Profile.model_validate(rules),
            headline=period,
            areas=released.areas,
            counts=counts,
            mature_until=period.last_month,
            steps=(info.step,),
        ),
    )
    return dataclasses.replace(released, circumstances=found.table)
