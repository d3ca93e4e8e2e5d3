"""Withholding and rounding: true counts in, counts that may be seen out."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pipeline.config import Profile

__all__ = ["Protected", "protect"]

COUNTS = ("incidents", "incidents_unplaced", "positive_outcomes")


@dataclass(frozen=True, slots=True)
class Protected:
    """Counts after the rules of a profile.

    Attributes
    ----------
    counts
        As given, with nulls where withheld and a column `withheld` that names them.
    record
        How much was withheld at which level, for release.json.
    verdict
        `passed`, `not needed`, or `not audited: do not publish`.
    """

    counts: pd.DataFrame
    verdict: str
    record: dict[str, Any] = field(default_factory=dict)


def protect(counts: pd.DataFrame, *, profile: Profile) -> Protected:
    """Apply a profile's rules to the counts of every window.

    Parameters
    ----------
    counts
        Columns area_code, level, period, category and COUNTS, dense; null where not covered.
    profile
        The rules.
    """
    out = counts.copy()
    hidden: dict[str, pd.Series] = {}
    for column in COUNTS:
        values = out[column].astype("Int64")
        small = (values > 0) & (values < profile.threshold)
        if column not in profile.measures and column != "incidents_unplaced":
            small = values.notna()
        hidden[column] = small.fillna(value=False).astype(bool)
        shown = values.mask(hidden[column])
        if profile.rounding > 1:
            shown = ((shown + profile.rounding // 2) // profile.rounding) * profile.rounding
        out[column] = shown
    out["withheld"] = _names(hidden, len(out))
    record = {
        "cells": {
            level: {
                column: {"shown": int(out.loc[at, column].notna().sum()), "withheld": int(hidden[column][at].sum())}
                for column in COUNTS
            }
            for level in ("region", "borough", "ward")
            if (at := out["level"] == level).any()
        }
    }
    needs_audit = profile.audience != "internal" or profile.threshold > 0
    return Protected(out, "not audited: do not publish" if needs_audit else "not needed", record)


def _names(hidden: dict[str, pd.Series], rows: int) -> list[str]:
    """Return, for each row, the hidden columns joined by semicolons."""
    words = [""] * rows
    for column, mask in hidden.items():
        for position in mask.to_numpy().nonzero()[0]:
            words[position] = f"{words[position]};{column}" if words[position] else column
    return words
