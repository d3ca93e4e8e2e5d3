"""Whether the files reach every borough: what is not said to be uncovered counts as zero."""

import pandas as pd

from pipeline.ingest.quality import coverage_caution
from pipeline.stages.context import Context
from pipeline.tables import Level

__all__ = ["scarce_boroughs"]


def scarce_boroughs(context: Context, counts: pd.DataFrame) -> list[dict[str, object]]:
    """Caution against boroughs that the files hardly reach.

    Parameters
    ----------
    context
        The run; its areas are written.
    counts
        Rows of level, area_code, category and incidents, each incident in one row of its borough with category `all`.

    Returns
    -------
    found
        Code, name and count of each, for quality.json.
    """
    areas = pd.read_parquet(context.work("areas.parquet"), columns=["area_code", "level", "name", "covered"])
    boroughs = areas[(areas["level"] == Level.BOROUGH) & areas["covered"].astype(bool)]
    told = counts[(counts["level"] == Level.BOROUGH) & (counts["category"] == "all")]
    sums = told.groupby("area_code")["incidents"].sum().to_dict()
    names = {str(code): str(name) for code, name in zip(boroughs["area_code"], boroughs["name"], strict=True)}
    found, caution = coverage_caution({code: int(sums.get(code, 0)) for code in names}, names=names)
    context.cautions += [caution] if caution else []
    return found
