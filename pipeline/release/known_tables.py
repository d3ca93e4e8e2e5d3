"""Known tables: published counts from external tables, summed to the windows of a release."""

import numpy as np
import pandas as pd

from pipeline.domain.periods import Period
from pipeline.release.linked_tables import COUNTS, KEY

__all__ = ["known_cells", "mark_known"]


def known_cells(known: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Return what a reader of the known tables knows about each count.

    Parameters
    ----------
    known
        Rows of the known tables: KEY, value. If they contain single months, a window within their span is the sum of
        its months; a month without a row counts as 0.
    counts
        Counts of the release: area_code, period, category.

    Returns
    -------
    cells
        KEY, value: rows for windows of the release.
    """
    frames = [known[known["period"].isin(counts["period"].unique())]]
    single = known[known["period"].str.len() == len("2024-08")]
    for measure, rows in single.groupby("measure", sort=True):
        if measure not in COUNTS:
            continue
        months = rows["period"].str.replace("-", "").astype("int64")
        for period in sorted(counts["period"].unique()):
            span = Period.parse(period)
            if span.first_month < months.min() or span.last_month > months.max():
                continue
            inside = rows[months.between(span.first_month, span.last_month)]
            sums = inside.groupby(["area_code", "category"])["value"].sum()
            here = counts.loc[
                (counts["period"] == period)
                & counts["area_code"].isin(rows["area_code"].unique())
                & counts["category"].isin(rows["category"].unique()),
                ["area_code", "period", "category"],
            ]
            value = sums.reindex(pd.MultiIndex.from_frame(here[["area_code", "category"]]), fill_value=0)
            frames.append(here.assign(measure=measure, value=value.to_numpy()))
    return pd.concat(frames, ignore_index=True).drop_duplicates(list(KEY), ignore_index=True)


def mark_known(cells: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Mark the cells whose count is in a known table."""
    public = known.drop_duplicates(list(KEY)).set_index(list(KEY))["value"]
    there = public.reindex(pd.MultiIndex.from_frame(cells[list(KEY)])).to_numpy(dtype=np.float64, na_value=np.nan)
    return cells.assign(known=there == cells["value"].to_numpy(dtype=np.float64))
