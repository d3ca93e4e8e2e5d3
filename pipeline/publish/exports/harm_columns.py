"""Columns of harm in tables and layers of areas, where offences have weights: in the internal folder alone."""

import numpy as np
import pandas as pd

from pipeline.domain.categories import ROOT
from pipeline.release.released import Released
from pipeline.tables import HARM_AREAS, HARM_COLUMNS, HARM_RULES

__all__ = ["harm_by_area", "with_harm"]


def harm_by_area(released: Released) -> pd.DataFrame | None:
    """Return the columns of harm of the headline period by area code; None where the release has none."""
    areas = released.patterns.of(HARM_AREAS)
    if released.info.audience != "internal" or not len(areas):
        return None
    names = ("harm", "change_pct", "change_word")
    found = areas.set_index("area_code")[list(names)]
    return found.set_axis([column.name for column in HARM_COLUMNS], axis="columns")


def with_harm(counts: pd.DataFrame, released: Released) -> pd.DataFrame:
    """Return rows of AREA_COUNTS with the columns of harm; as they are where the release has none.

    Harm is of all categories together, in the headline period and, without a change, in the one that it is compared
    with; other rows have none.

    Parameters
    ----------
    counts
        Rows of AREA_COUNTS.
    released
        What came through the gate.
    """
    harm = harm_by_area(released)
    if harm is None:
        return counts
    whole = counts["category"] == ROOT
    latest = (whole & (counts["period"] == released.info.headline.id)).to_numpy(dtype=bool)
    out = counts.copy()
    for name in harm.columns:
        out[name] = np.where(latest, out["area_code"].map(harm[name]), None)
    rules = released.patterns.of(HARM_RULES).set_index("rule")["value"]
    before = (whole & (counts["period"] == rules.get("earlier", ""))).to_numpy(dtype=bool)
    earlier = released.patterns.of(HARM_AREAS).set_index("area_code")["harm_earlier"]
    out["harm"] = np.where(before, out["area_code"].map(earlier), out["harm"])
    return out
