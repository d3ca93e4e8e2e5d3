"""Withholding, rounding and the audit: true counts in, counts that may be seen out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from pipeline.audit import audit
from pipeline.config import Profile
from pipeline.disclosure.cells import COUNTS, cell_table, counted
from pipeline.disclosure.released import CategoryInfo
from pipeline.errors import DisclosureError
from pipeline.suppress import suppress

__all__ = ["Protected", "protect"]

PRUNE_CELLS = 150
SMALL_TABLE = 5_000  # cells; taking secondary cells back one by one costs an attack each, too long on larger tables
PASSED, NOT_NEEDED, NOT_AUDITED = "passed", "not needed", "not audited: do not publish"


@dataclass(frozen=True, slots=True)
class Protected:
    """Counts after the rules of a profile.

    Attributes
    ----------
    counts
        As given, with nulls where withheld and a column `withheld` that names them.
    verdict
        `passed`, `not needed`, or `not audited: do not publish`.
    record
        What was withheld at which level and what the audit found, for release.json.
    """

    counts: pd.DataFrame
    verdict: str
    record: dict[str, Any] = field(default_factory=dict)


def protect(
    counts: pd.DataFrame,
    *,
    months: pd.DataFrame,
    areas: gpd.GeoDataFrame,
    categories: Sequence[CategoryInfo],
    profile: Profile,
    cohort: bool,
) -> Protected:
    """Apply a profile's rules to the counts of every window, then attack the result.

    Parameters
    ----------
    counts
        Columns area_code, level, period, category and COUNTS, dense; null where not covered.
    months, areas, categories, cohort
        See `cell_table`.
    profile
        The rules.

    Raises
    ------
    DisclosureError
        If a withheld count could be worked out and no withholding helps.
    """
    shown = counts.copy()
    for column in COUNTS:
        if column not in counted(profile.measures) or column not in shown.columns:
            shown[column] = pd.array([pd.NA] * len(shown), dtype="Int64")
    if profile.threshold <= 1 and profile.rounding <= 1:
        return Protected(shown.assign(withheld=""), NOT_NEEDED, {"cells": _tally(shown, {})})
    table = cell_table(
        shown, months=months, areas=areas, categories=categories, measures=profile.measures, cohort=cohort
    )
    found = suppress(
        table.cells,
        relations=table.relations,
        threshold=profile.threshold,
        zero_rule=profile.zero_rule,
        secondary=profile.secondary,
        prune_cells=PRUNE_CELLS if len(table.cells) <= SMALL_TABLE else 0,
    )
    if len(found.unprotected):
        raise DisclosureError(_refusal(profile, len(found.unprotected)))
    verdict, attack = NOT_AUDITED, None
    if profile.secondary:
        attack = audit(found.cells, relations=table.relations, threshold=profile.threshold)
        if not attack.safe:
            raise DisclosureError(_refusal(profile, len(attack.pinned)))
        verdict = PASSED
    hidden = _hidden(found.cells, len(shown))
    for column, mask in hidden.items():
        values = shown[column].astype("Int64").mask(mask)
        if profile.rounding > 1:
            values = ((values + profile.rounding // 2) // profile.rounding) * profile.rounding
        shown[column] = values
    shown["withheld"] = _names(hidden, len(shown))
    record = {
        "cells": _tally(shown, hidden),
        "primary": int(found.counts["primary"].sum()),
        "secondary": int(found.counts["secondary"].sum()),
        "withheld_per_primary": None if found.ratio is None else round(found.ratio, 2),
        "by_level": found.counts.to_dict("records"),
        "relations_dropped": table.dropped.to_dict("records"),
        "audit": None if attack is None else {"cells_attacked": len(attack.cells), **attack.blocks},
    }
    return Protected(shown, verdict, record)


def _refusal(profile: Profile, number: int) -> str:
    return (
        f'profile "{profile.name}": {number} withheld counts could be worked out from what is published, and no '
        "further withholding helps. Nothing was written. Use longer windows, fewer categories or a higher threshold."
    )


def _hidden(cells: pd.DataFrame, rows: int) -> dict[str, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Which rows of which column are withheld."""
    hidden = {}
    at = cells[~cells["latent"] & (cells["state"] != "published")]
    for column in COUNTS:
        mask = np.zeros(rows, dtype=bool)
        mask[at.loc[at["measure"] == column, "row"].to_numpy()] = True
        hidden[column] = mask
    return hidden


def _tally(shown: pd.DataFrame, hidden: dict[str, Any]) -> dict[str, Any]:
    """Count what is shown and withheld by level and measure."""
    nothing = np.zeros(len(shown), dtype=bool)
    return {
        str(level): {
            column: {
                "shown": int(group[column].notna().sum()),
                "withheld": int(hidden.get(column, nothing)[group.index].sum()),
            }
            for column in COUNTS
        }
        for level, group in shown.reset_index(drop=True).groupby("level", sort=True)
    }


def _names(hidden: dict[str, Any], rows: int) -> list[str]:
    """Return, for each row, the hidden columns joined by semicolons."""
    words = [""] * rows
    for column, mask in hidden.items():
        for position in mask.nonzero()[0]:
            words[position] = f"{words[position]};{column}" if words[position] else column
    return words
