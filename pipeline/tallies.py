"""Merge counts that were made file by file: whole-number sums over equal keys, so that any split gives the same table.

A measure that no file knows stays empty; one that some know is their sum.
"""

from collections.abc import Sequence

import pandas as pd

from pipeline.errors import InputError

__all__ = ["FACET_KEY", "PLACE_KEY", "merge_counts", "with_victims"]

PLACE_KEY = ("source", "borough_code", "month", "place", "online", "date_precision")
FACET_KEY = ("organisation", "area_code", "month", "category", "facet", "value")


def merge_counts(frames: Sequence[pd.DataFrame], *, key: Sequence[str]) -> pd.DataFrame:
    """Add up frames of one shape.

    Parameters
    ----------
    frames
        Key columns (empty values are a key like any other) and whole-number measures.
    key
        Names of the key columns.

    Returns
    -------
    merged
        One row per key, sorted by it with empty values last; measures as Int64, empty where no frame has a value.

    Raises
    ------
    InputError
        If there is no frame, or their columns differ.
    """
    if not frames:
        raise InputError("there is nothing to merge: no input file was read")
    columns = list(frames[0].columns)
    if any(list(f.columns) != columns for f in frames):
        raise InputError("frames to merge must have the same columns in the same order")
    measures = [c for c in columns if c not in key]
    parts = [f for f in frames if len(f)] or [frames[0]]
    whole = pd.concat([p.astype(dict.fromkeys(measures, "Int64")) for p in parts], ignore_index=True)
    grouped = whole.groupby(list(key), dropna=False, sort=True, observed=True)[measures]
    return grouped.sum(min_count=1).reset_index()[columns]


def with_victims(locations: pd.DataFrame, victims: pd.DataFrame, *, key: Sequence[str]) -> pd.DataFrame:
    """Add the number of distinct victims per row of merged counts.

    Parameters
    ----------
    locations
        Merged counts.
    victims
        Key columns and `victim_hash`; a hash may come from several files and counts once per key.
    key
        Names of the key columns.

    Returns
    -------
    counted
        `locations` with `distinct_victims` (Int64), empty where no victim is known.
    """
    distinct = victims.drop_duplicates()
    counts = distinct.groupby(list(key), dropna=False, observed=True).size().rename("distinct_victims").reset_index()
    merged = locations.merge(counts, on=list(key), how="left")
    merged["distinct_victims"] = merged["distinct_victims"].astype("Int64")
    return merged
