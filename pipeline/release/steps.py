"""Steps: every count, including totals, is published only as a step, so that subtraction reveals nothing.

With a step of 10 a count of 23 reads "20 to 29", and a count of 0 or 9 "fewer than 10". The promise covers every number
shown: all values of its step remain possible for a reader who knows these rules and this code.

Why this needs no search: suppose every relation that a reader knows is an inequality (parts are at most their total, a
subset at most the whole, a link of a chain at most the next). Put all counts at the floors of their steps: floors keep
every such order, because the floor is an increasing function of the count. Raise one count to any value of its step,
together with those that contain it, and all inequalities still hold. So every value is possible, whatever else is
shown. Only equations and complete unions narrow a step: one part of each is never offered to anybody (the part of an
area's count without a location; the last value of a variable), and for the equations that remain, `has_room` decides.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.domain.periods import Period
from pipeline.statistics.uncertainty import Ranges, middle_of
from pipeline.tables import Level

__all__ = ["RANGED", "has_room", "in_steps", "step_floor", "with_composites", "with_larger_areas", "with_middles"]

RANGED = ("incidents", "positive_outcomes", "known_outcomes")
"""Measures that a released table gives as ranges; incidents without a location are not offered."""

IntArray = npt.NDArray[np.int64]


def step_floor(counts: npt.ArrayLike, step: int) -> IntArray:
    """Return the floor of the step that each count lies in, shape (n,).

    >>> step_floor([0, 9, 10, 23], 10).tolist()
    [0, 0, 10, 20]
    """
    return np.asarray(counts, dtype=np.int64) // step * step


def has_room(
    total_lower: npt.ArrayLike, parts_lower: npt.ArrayLike, parts: npt.ArrayLike, *, step: int
) -> npt.NDArray[np.bool_]:
    """Return for rows that are equations (or complete unions) whether all their counts keep every value of their steps.

    A row of n parts is an equation total = sum of parts. Write each count as the floor of its step plus a remainder of
    0 to t - 1, and d for the floor of the total less the sum of the parts' floors: then the parts' remainders add up to
    d plus the total's remainder. The total's floor is never less than the sum of the parts' floors, so d >= 0. One part
    can be at its floor, or the total at its ceiling, exactly if the other n - 1 parts, or all n, can make up the
    difference: both mean d <= (n - 1)(t - 1). For the other ends, a part at its ceiling or the total at its floor, d >=
    0 is enough.

    Parameters
    ----------
    total_lower, parts_lower, parts
        Floor of the total, sum of the floors of the parts, and number of parts of each row, shape (rows,).
    step
        Width t of the steps.

    Examples
    --------
    Four wards in a borough of 20 to 24, in steps of 5. With floors 5, 5, 0, 0 every ward may be at its floor. In a
    borough of 15 to 19 with floors 0, 0, 0, 0, three wards have 12 at most, so the fourth has at least 3.

    >>> has_room([20, 10], [10, 0], [4, 4], step=5).tolist(), has_room([15], [0], [4], step=5).tolist()
    ([True, True], [False])
    """
    missing = np.asarray(total_lower, dtype=np.int64) - np.asarray(parts_lower, dtype=np.int64)
    return np.asarray(missing <= (np.asarray(parts, dtype=np.int64) - 1) * (step - 1), dtype=np.bool_)


def in_steps(counts: pd.DataFrame, *, step: int) -> pd.DataFrame:
    """Return every count as a range: the step that it lies in, or with a step of 1 the count itself.

    Returns
    -------
    ranged
        A copy with `<measure>_lower` and `<measure>_upper` for each of `RANGED`; null if the count is null.
    """
    out = counts.copy()
    for measure in RANGED:
        values = out[measure].astype("Int64") if measure in out else pd.Series(pd.NA, index=out.index, dtype="Int64")
        out[f"{measure}_lower"] = values // step * step
        out[f"{measure}_upper"] = out[f"{measure}_lower"] + (step - 1)
    return with_middles(out)


def with_middles(ranged: pd.DataFrame) -> pd.DataFrame:
    """Replace each count by the middle of its range, and leave it empty in the first step."""
    out = ranged.copy()
    for measure in RANGED:
        ranges = Ranges.of(out, measure)
        middle = middle_of(ranges.lower, ranges.upper)
        out[measure] = pd.Series(pd.array(np.nan_to_num(middle), dtype="Int64"), index=out.index).mask(np.isnan(middle))
    return out


def with_composites(
    ranged: pd.DataFrame, series: Mapping[str, Sequence[Period]], *, own: Collection[tuple[str, str]] = ()
) -> pd.DataFrame:
    """Compute the windows that do not belong to their level's series as sums of those that do.

    A longer window ranges from the sum of lowers to the sum of uppers. A separate step for it would be a second
    statement about nearly the same count, and the two would narrow each other.

    Parameters
    ----------
    ranged
        Rows of every window: area_code, level, period, category, `<measure>_lower`, `<measure>_upper`, not_offered.
    series
        Level to the windows whose counts were converted to steps.
    own
        Level and id of further windows with steps of their own: those of categories that are given in longer windows
        alone.
    """
    ends = [f"{measure}_{end}" for measure in RANGED for end in ("lower", "upper")]
    key = ["area_code", "category"]
    frames = []
    for (level, period), given in ranged.groupby(["level", "period"], sort=False):
        parts = [p.id for p in Period.parse(str(period)).made_of(series[str(level)])]
        if parts == [period] or (level, period) in own:
            frames.append(given)
            continue
        rows = given.copy()
        inside = ranged[(ranged["level"] == level) & ranged["period"].isin(parts)]
        at = pd.MultiIndex.from_frame(rows[key])
        for name in ends:
            # If a part is null or not offered, the whole has no range.
            wide = inside.pivot_table(index=key, columns="period", values=name, aggfunc="first", dropna=False)
            sums = wide.reindex(at).sum(axis=1, min_count=max(len(parts), 1), skipna=False)
            rows[name] = pd.array(sums.to_numpy(dtype=object), dtype="Int64")
        names = inside.groupby(key)["not_offered"].agg(lambda sets: frozenset().union(*sets)).reindex(at)
        rows["not_offered"] = [n if isinstance(n, frozenset) else frozenset(RANGED) for n in names]
        frames.append(rows)
    return with_middles(pd.concat(frames).sort_index())


def with_larger_areas(ranged: pd.DataFrame, inside: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Compute the counts of larger areas as sums of the areas in them: of their least, and of their greatest values.

    Whoever has the ranges of the parts can add them up, so these rows disclose nothing, whatever the counts are, and
    nothing is withheld for their sake. A step of its own would: with its parts it would be an equation, which narrows
    them (see `has_room`).

    Parameters
    ----------
    ranged
        Released counts: area_code, level, period, complete, category, `<measure>_lower`, `<measure>_upper`,
        not_offered.
    inside
        Level to the code of each part to that of the larger area.

    Returns
    -------
    ranged
        The given rows and those of the larger areas, by level from the largest. A sum with a part that is not offered
        is not offered; one with a part without data has no data.

    Examples
    --------
    >>> steps = in_steps(pd.DataFrame({"incidents": [23, 4]}), step=5).assign(
    ...     area_code=["A", "B"], level="borough", period="2024", complete=True, category="all",
    ...     not_offered=[frozenset(), frozenset()])
    >>> columns = ["area_code", "level", "incidents_lower", "incidents_upper", "incidents"]
    >>> with_larger_areas(steps, {"level_3": {"A": "N", "B": "N"}})[columns].values.tolist()[0]
    ['N', 'level_3', 20, 28, 24]
    """
    ends = [f"{measure}_{end}" for measure in RANGED for end in ("lower", "upper")]
    key = ["area_code", "period", "category"]
    if not inside:
        return ranged
    frames = [ranged]
    for level, of in inside.items():
        parts = ranged[ranged["area_code"].isin(of)]
        grouped = parts.assign(area_code=parts["area_code"].map(of)).groupby(key, sort=True)
        made = pd.DataFrame({name: grouped[name].sum().where(grouped[name].count() == grouped.size()) for name in ends})
        made["complete"] = grouped["complete"].all()
        made["not_offered"] = grouped["not_offered"].agg(lambda sets: frozenset().union(*sets))
        made = made.reset_index().assign(level=level)
        frames.append(with_middles(made.astype(dict.fromkeys(ends, "Int64"))))
    order = {level.value: at for at, level in enumerate(Level)}
    every = pd.concat(frames, ignore_index=True)
    return every.sort_values(
        "level", key=lambda names: names.astype("str").map(order), kind="stable", ignore_index=True
    )
