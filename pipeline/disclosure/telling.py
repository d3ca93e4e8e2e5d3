"""What is told of the withholding: to readers, and to the house alone."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.audit import AuditResult
from pipeline.disclosure.cells import COUNTS, CellTable
from pipeline.relations import KEY
from pipeline.suppress import ADDED, PROTECTED, Suppression

__all__ = ["hidden_columns", "hidden_names", "tally", "told"]

BoolArray = NDArray[np.bool_]


def told(
    found: Suppression, attack: AuditResult | None, cells: dict[str, Any], *, table: CellTable, earlier: int
) -> tuple[dict[str, Any], dict[str, Any], pd.DataFrame]:
    """Return what release.json may say, what only the house may know, and every withheld cell with its state."""
    own = found.cells[(found.cells["status"] != "") & ~found.cells["latent"].astype(bool)]
    # "Added by us" would tell the small counts from the others: readers are told of both as protected.
    told = own.assign(state=own["status"].replace({ADDED: PROTECTED}))
    record: dict[str, Any] = {
        "cells": cells,
        "states": _states(told),
        "attack": None if attack is None else {"counts_attacked": len(attack.cells), **attack.blocks},
        "earlier_releases": earlier,
    }
    log = {
        "primary": int(found.counts["primary"].sum()),
        "secondary": int(found.counts["secondary"].sum()),
        "withheld_per_primary": None if found.ratio is None else round(found.ratio, 3),
        "by_level": found.counts.to_dict("records"),
        "states": _states(own.assign(state=own["status"])),
        "relations_dropped": table.dropped.to_dict("records"),
    }
    return record, log, own[["level", *KEY, "status", "reason"]].rename(columns={"status": "state"})


def hidden_columns(cells: pd.DataFrame, rows: int) -> dict[str, BoolArray]:
    """Which rows of which column are withheld."""
    hidden = {}
    at = cells[~cells["latent"].astype(bool) & (cells["state"] != "published")]
    for column in COUNTS:
        mask = np.zeros(rows, dtype=bool)
        mask[at.loc[at["measure"] == column, "row"].to_numpy(dtype=np.int64)] = True
        hidden[column] = mask
    return hidden


def _states(cells: pd.DataFrame) -> dict[str, dict[str, dict[str, int]]]:
    """Count withheld cells by level, measure and state."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for (level, measure, state), group in cells.groupby(["level", "measure", "state"], sort=True):
        found.setdefault(str(level), {}).setdefault(str(measure), {})[str(state)] = len(group)
    return found


def tally(shown: pd.DataFrame, hidden: dict[str, BoolArray]) -> dict[str, Any]:
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


def hidden_names(hidden: dict[str, BoolArray], rows: int) -> list[str]:
    """Return, for each row, the hidden columns joined by semicolons."""
    words = [""] * rows
    for column, mask in hidden.items():
        for position in mask.nonzero()[0]:
            words[position] = f"{words[position]};{column}" if words[position] else column
    return words
