"""Steps: every count is published only as the step that it lies in, totals too, so that subtraction gives nothing.

With a step of 10 a count of 23 reads "20 to 29", and one of 0 or 9 "fewer than 10". The promise covers every number
shown: all values of its step remain possible for a reader who knows these rules and this code.

Why this needs no search: let every relation that a reader knows be an inequality (parts at most their total, a subset
at most the whole, a part of a chain at most the next). Put all counts at the floors of their steps: floors keep every
such order, because they are made of the counts by one increasing function. Raise one count to any value of its step
together with those that contain it, and all inequalities hold still. So every value is possible, whatever else is
shown. Only equations and complete unions narrow a step: one part of each is never offered to anybody (the part without
a place of an area; the last value of a variable), and where an equation is left all the same, `has_room` decides.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.domain.periods import Period
from pipeline.statistics.ranges import Ranges, middle_of

__all__ = ["RANGED", "has_room", "in_steps", "step_floor", "with_composites", "with_middles"]

RANGED = ("incidents", "positive_outcomes", "known_outcomes")
"""Measures that a released table gives as ranges; what is without a place is not offered."""

IntArray = npt.NDArray[np.int64]


def step_floor(counts: npt.ArrayLike, step: int) -> IntArray:
    """Return the least count of the step that each count lies in, shape (n,).

    >>> step_floor([0, 9, 10, 23], 10).tolist()
    [0, 0, 10, 20]
    """
    return np.asarray(counts, dtype=np.int64) // step * step


def has_room(
    total_lower: npt.ArrayLike, parts_lower: npt.ArrayLike, parts: npt.ArrayLike, *, step: int
) -> npt.NDArray[np.bool_]:
    """Say of rows that are equations (or complete unions) whether all their counts keep every value of their steps.

    A row of n parts is an equation total = sum of parts. Write each count as the floor of its step plus a rest of 0 to
    t - 1, and d for the floor of the total less the sum of the parts' floors: then the parts' rests add up to d and the
    total's rest. The total's floor is never less than the parts' floors together, so d >= 0. One part can be at its
    floor, or the total at its ceiling, exactly if the other n - 1 parts, or all n, can make up the difference: both
    come to d <= (n - 1)(t - 1). At the other ends, part at its ceiling or total at its floor, d >= 0 is enough.

    Parameters
    ----------
    total_lower, parts_lower, parts
        Floor of the total, sum of the floors of the parts, and number of parts of each row, shape (rows,).
    step
        Width t of the steps.

    Examples
    --------
    Four wards under a borough of 20 to 24, in steps of 5. With floors 5, 5, 0, 0 every ward may be at its floor. Under
    15 to 19 with floors 0, 0, 0, 0 three wards hold 12 at most, so that none of the four can be under 3.

    >>> has_room([20, 10], [10, 0], [4, 4], step=5).tolist(), has_room([15], [0], [4], step=5).tolist()
    ([True, True], [False])
    """
    missing = np.asarray(total_lower, dtype=np.int64) - np.asarray(parts_lower, dtype=np.int64)
    return np.asarray(missing <= (np.asarray(parts, dtype=np.int64) - 1) * (step - 1), dtype=np.bool_)


def in_steps(counts: pd.DataFrame, *, step: int) -> pd.DataFrame:
    """Give every count as a range: the step that it lies in, or with a step of 1 the count itself.

    Returns
    -------
    ranged
        A copy with `<measure>_lower` and `<measure>_upper` for each of `RANGED`; null where the count is.
    """
    out = counts.copy()
    for measure in RANGED:
        values = out[measure].astype("Int64") if measure in out else pd.Series(pd.NA, index=out.index, dtype="Int64")
        out[f"{measure}_lower"] = values // step * step
        out[f"{measure}_upper"] = out[f"{measure}_lower"] + (step - 1)
    return with_middles(out)


def with_middles(ranged: pd.DataFrame) -> pd.DataFrame:
    """Put the middle of each range in the place of the count, and nothing in the first step."""
    out = ranged.copy()
    for measure in RANGED:
        ranges = Ranges.of(out, measure)
        middle = middle_of(ranges.lower, ranges.upper)
        out[measure] = pd.Series(pd.array(np.nan_to_num(middle), dtype="Int64"), index=out.index).mask(np.isnan(middle))
    return out


def with_composites(ranged: pd.DataFrame, series: Mapping[str, Sequence[Period]]) -> pd.DataFrame:
    """Make the windows that are no part of their level's series from those that are.

    A longer window is the sum of lowers to the sum of uppers. A step of its own would be another answer to nearly the
    same question, and the two together would narrow each other.

    Parameters
    ----------
    ranged
        Rows of every window: area_code, level, period, category, `<measure>_lower`, `<measure>_upper`, not_offered.
    series
        Level to the windows whose counts were put in steps.
    """
    ends = [f"{measure}_{end}" for measure in RANGED for end in ("lower", "upper")]
    key = ["area_code", "category"]
    frames = []
    for (level, period), own in ranged.groupby(["level", "period"], sort=False):
        parts = [p.id for p in Period.parse(str(period)).made_of(series[str(level)])]
        if parts == [period]:
            frames.append(own)
            continue
        rows = own.copy()
        inside = ranged[(ranged["level"] == level) & ranged["period"].isin(parts)]
        at = pd.MultiIndex.from_frame(rows[key])
        for name in ends:
            # A part that is null, or not offered, leaves the whole without a range.
            wide = inside.pivot_table(index=key, columns="period", values=name, aggfunc="first", dropna=False)
            sums = wide.reindex(at).sum(axis=1, min_count=max(len(parts), 1), skipna=False)
            rows[name] = pd.array(sums.to_numpy(dtype=object), dtype="Int64")
        names = inside.groupby(key)["not_offered"].agg(lambda sets: frozenset().union(*sets)).reindex(at)
        rows["not_offered"] = [n if isinstance(n, frozenset) else frozenset(RANGED) for n in names]
        frames.append(rows)
    return with_middles(pd.concat(frames).sort_index())
