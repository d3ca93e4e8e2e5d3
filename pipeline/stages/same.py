"""What may be the same, counted for quality.json: probable duplicates across sources, repeat victims and places."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from pipeline.aggregate.repeats import duplicate_summary, flagged, probable_duplicates, repeats
from pipeline.domain.periods import Period, add_months
from pipeline.stages.context import Context

__all__ = ["perhaps_the_same"]

MOST_ROWS = 2_000_000
"""Records compared at most: beyond, the pairs would take the memory of the whole run."""
MONTHS = 12
_COMPARED = ("incident_id", "organisation", "occurred_on", "date_precision", "categories", "easting_m", "northing_m",
             "ward_code", "borough_code")  # fmt: skip
_COUNTED = ("month", "victim_hash", "easting_m", "northing_m", "online", "place")


def perhaps_the_same(
    context: Context, parts: Sequence[Path], organisations: Sequence[str], *, rows: int, last_month: int
) -> dict[str, Any]:
    """Count what may be the same; nothing is merged, and no identifier leaves.

    Parameters
    ----------
    context
        The run: places that stand for no place are no repeated ones.
    parts
        Parts of INCIDENTS, settled.
    organisations
        Who recorded them; with one alone there is nothing to compare, and nothing is read for it.
    rows
        Incidents in all parts.
    last_month
        Last complete month (yyyymm): repeats are counted over the twelve months to it.

    Returns
    -------
    found
        probable_duplicates (pairs by organisations and precision, and how many incidents are flagged) and repeats
        (by victim and by place); each with a note where there is nothing.
    """
    window = Period(add_months(last_month, 1 - MONTHS), last_month)
    if rows > MOST_ROWS:
        note = f"not looked for: more than {MOST_ROWS:,} incidents"
        return {"probable_duplicates": {"note": note}, "repeats": {"note": note}}
    counted = _read(parts, _COUNTED, months=(window.first_month, window.last_month))
    placeholders = context.config.detect.placeholder_locations
    for spot in placeholders:
        near = (counted["easting_m"] - spot.easting_m).abs().le(1) & (counted["northing_m"] - spot.northing_m).abs().le(
            1
        )
        counted.loc[near, ["easting_m", "northing_m"]] = np.nan
    by: tuple[Literal["victim", "place"], ...] = ("victim", "place")
    again = {b: {k: v for k, v in asdict(repeats(counted, window, by=b)).items() if k != "period"} for b in by}
    return {
        "probable_duplicates": _duplicates(parts, organisations),
        "repeats": {"period": window.id, **again},
    }


def _duplicates(parts: Sequence[Path], organisations: Sequence[str]) -> dict[str, Any]:
    """Compare the records of different organisations that have a day."""
    if len(organisations) < 2:
        return {"note": "one organisation recorded everything"}
    records = _read(parts, _COMPARED)
    records = records[records["date_precision"] == "day"]
    pairs = probable_duplicates(records)
    return {
        "rule": "two organisations, a common category, within 7 days, the same place; flagged, never merged",
        "incidents_flagged": int(flagged(records, pairs).sum()),
        "pairs": duplicate_summary(pairs).to_dict("records"),
    }


def _read(parts: Sequence[Path], columns: Sequence[str], *, months: tuple[int, int] | None = None) -> pd.DataFrame:
    chosen = None if months is None else [("month", ">=", months[0]), ("month", "<=", months[1])]
    frames = [pd.read_parquet(part, columns=list(columns), filters=chosen) for part in parts]
    return pd.concat(frames, ignore_index=True)
