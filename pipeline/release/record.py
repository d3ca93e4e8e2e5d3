"""What release.json reports about the numbers of a folder, counted on the released table alone.

Readers can count the same in area_counts.csv: no true count is used here.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.release.detail import not_offered_by_detail
from pipeline.release.linked_tables import COUNTS
from pipeline.statistics.ranges import Ranges
from pipeline.tables import Level

__all__ = ["State", "states_of"]

States = dict[str, dict[str, dict[str, int]]]
"""Level to measure to the number of rows in each state, and of all rows."""


class State(StrEnum):
    """The state of a count in a released table; every row has exactly one."""

    NUMBER = "number"
    """A step other than the first, or an exact number."""
    FIRST_STEP = "first_step"
    OTHER_LEVEL = "other_level"
    """Not offered because the category is given at another level."""
    NOT_OFFERED = "not_offered"
    NO_DATA = "no_data"
    NOT_COVERED = "not_covered"


def states_of(counts: pd.DataFrame, areas: gpd.GeoDataFrame, detail: Mapping[str, Level]) -> States:
    """Count the rows of a released table by level, measure and state, so that the states add up to the rows.

    Parameters
    ----------
    counts
        Table `area_counts`: one row for each covered area, window and category.
    areas
        area_code, level, covered. An area that is not covered has no rows; it is counted with as many as other areas of
        its level.
    detail
        Category to the smallest level at which it is given.

    Returns
    -------
    states
        Level to measure to the number of rows in each `State` and their sum, `rows`. A measure without any data at a
        level is omitted.

    Examples
    --------
    >>> counts = pd.DataFrame({"area_code": ["A", "B", "C"], "level": "ward", "period": "2024", "category": "all",
    ...                        "incidents_lower": [20, 0, None], "incidents_upper": [29, 9, None],
    ...                        "not_offered": ["", "", "incidents"]})
    >>> areas = pd.DataFrame({"area_code": list("ABCD"), "level": "ward", "covered": [True, True, True, False]})
    >>> states_of(counts, areas, {"all": Level.WARD})["ward"]["incidents"]
    {'number': 1, 'first_step': 1, 'other_level': 0, 'not_offered': 1, 'no_data': 0, 'not_covered': 1, 'rows': 4}
    """
    found: States = {}
    for level, own in counts.groupby("level", sort=True):
        uncovered = int((~areas.loc[areas["level"] == level, "covered"].astype(bool)).sum())
        each = len(own[["period", "category"]].drop_duplicates())
        other_level = not_offered_by_detail(own, detail).to_numpy(dtype=bool)
        for measure, states in _by_measure(own, other_level):
            tally = {state.value: int(mask.sum()) for state, mask in states.items()}
            if tally[State.NO_DATA] == len(own):
                continue
            tally[State.NOT_COVERED.value] = uncovered * each
            found.setdefault(str(level), {})[measure] = {**tally, "rows": sum(tally.values())}
    return found


def _by_measure(
    rows: pd.DataFrame, other_level: npt.NDArray[np.bool_]
) -> Iterator[tuple[str, dict[State, npt.NDArray[np.bool_]]]]:
    """Return, for each measure, which rows are in which state."""
    names = rows["not_offered"].fillna("").str.split(";")
    for measure in COUNTS:
        if f"{measure}_lower" not in rows and measure not in rows:
            continue
        ranges = Ranges.of(rows, measure)
        gone = np.array([measure in listed for listed in names], dtype=bool) & ~ranges.known
        yield (
            measure,
            {
                State.NUMBER: ranges.known & ~ranges.first_step,
                State.FIRST_STEP: ranges.first_step,
                State.OTHER_LEVEL: gone & other_level,
                State.NOT_OFFERED: gone & ~other_level,
                State.NO_DATA: ~ranges.known & ~gone,
            },
        )
