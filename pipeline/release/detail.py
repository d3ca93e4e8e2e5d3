"""The level at which each category is given: by ward, by group of neighbouring wards or by borough.

A map on which nearly every area reads "fewer than 10" is of no use. If fewer than a third of the wards would show a
number, the category is given for groups of wards; if fewer than a third of the groups would, for groups in windows of
two years (`long_windows`); and if fewer than a third of the groups would even then, only for boroughs. A category given
at one of these levels is not offered at a finer one, because wards and groups could be subtracted; nor in the years of
a window of two years, because the rest could be.

The choice is made once, on the first window, for the audience with the smallest step. A wider audience has the same
level or boroughs.

**What the choice says.** A level that is passed over has a number in fewer than a third of its areas, and its other
areas have less than a step. Where that leaves every larger area at least one with a number, it says nothing about any
larger count: one smaller area can hold all of it. Where it does not, the level is not looked at and is given: of a
borough of three groups, "none has a number" would say that the borough has at most 12 in steps of 5, and so that 10 to
14 is 10 to 12 (`tells_nothing`).
"""

from collections.abc import Collection, Mapping, Sequence
from math import ceil

import pandas as pd

from pipeline.release.earlier_releases import EarlierRelease
from pipeline.release.released import ReleasePlan, Rung
from pipeline.release.steps import RANGED
from pipeline.statistics.uncertainty import Ranges
from pipeline.tables import Level

__all__ = [
    "ENOUGH",
    "choose_detail",
    "given_otherwise",
    "kept_detail",
    "not_offered_by_detail",
    "shares_with_number",
    "tells_nothing",
    "utility",
]

ENOUGH = 0.33  # share of a level's covered areas with a number: a third, below which a map is mostly empty
_FINEST_FIRST = tuple(Rung)

Shares = Mapping[str, Mapping[str, float]]
"""Rung to category to the share of its covered areas with a number; no entry where there is no data."""


def tells_nothing(areas: int, larger: int) -> bool:
    """Return whether "fewer than `ENOUGH` of these areas have a number" leaves one with a number to each larger area.

    Parameters
    ----------
    areas
        How many areas of the level have data.
    larger
        How many areas they make up.

    Examples
    --------
    Of 3 groups in one borough none may have a number, of 4 one; of 20 in 10 boroughs 6.

    >>> [tells_nothing(*pair) for pair in ((3, 1), (4, 1), (20, 10), (160, 33))]
    [False, True, False, True]
    """
    return ceil(ENOUGH * areas) - 1 >= larger


def shares_with_number(
    counts: pd.DataFrame, *, step: int, larger: Mapping[str, int] | None = None
) -> dict[str, dict[str, float]]:
    """Return which share of a level's areas would show a number in a window, by level and category.

    Parameters
    ----------
    counts
        True counts of one window: area_code, level, category, incidents (null where there is no data).
    step
        Width of the steps: a count under it reads "fewer than".
    larger
        Level to how many areas its areas make up: no share is returned where it would say something about these
        (`tells_nothing`).

    Examples
    --------
    >>> counts = pd.DataFrame({"area_code": ["A", "B", "C"], "level": "ward", "category": "all",
    ...                        "incidents": pd.array([4, 12, None], dtype="Int64")})
    >>> shares_with_number(counts, step=10)
    {'ward': {'all': 0.5}}
    """
    known = counts[counts["incidents"].notna()]
    number = (known["incidents"] >= step).astype("float64")
    found: dict[str, dict[str, float]] = {}
    for (level, category), own in number.groupby([known["level"], known["category"]], sort=True):
        if str(level) not in (larger or {}) or tells_nothing(len(own), (larger or {})[str(level)]):
            found.setdefault(str(level), {})[str(category)] = float(own.mean())
    return found


def choose_detail(
    shares: Mapping[int, Shares],
    *,
    categories: Sequence[str],
    part_of: Sequence[tuple[str, str]],
    kept: Mapping[int, Mapping[str, Rung]],
) -> dict[int, dict[str, Rung]]:
    """Choose the finest rung of the ladder at which each category is given to each audience.

    Parameters
    ----------
    shares
        Step of each audience to the shares of `shares_with_number`.
    categories
        Every category.
    part_of
        Category and the category it is part of.
    kept
        Step to what was chosen for it before, which stays.

    Returns
    -------
    detail
        Step to category to rung.

    Examples
    --------
    Race is given by ward for partners (5) and by borough for the public (10), religion by group for both.

    >>> few, many = {"race": 0.2, "religion": 0.1}, {"race": 0.7, "religion": 0.6}
    >>> shares = {5: {"ward": {"race": 0.5, "religion": 0.2}, "ward_group": many},
    ...           10: {"ward": few, "ward_group": many}}
    >>> found = choose_detail(shares, categories=["race", "religion"], part_of=[], kept={})
    >>> {step: {c: rung.value for c, rung in of.items()} for step, of in found.items()}
    {5: {'race': 'ward', 'religion': 'ward_group'}, 10: {'race': 'borough', 'religion': 'ward_group'}}
    """
    chosen = {step: dict(levels) for step, levels in kept.items()}
    for step in sorted(shares):  # the closest audience first: it has the most detail
        mine = chosen.setdefault(step, {})
        fresh = [c for c in categories if c not in mine]
        for category in fresh:
            closer = [chosen[s][category] for s in sorted(chosen) if s < step and category in chosen[s]]
            wider = [chosen[s][category] for s in sorted(chosen) if s > step and category in chosen[s]]
            mine[category] = _level(shares[step], category, closer=closer, wider=wider)
        # A part is never given in more detail than its whole. Detail only goes, so this ends.
        pairs = [(part, whole) for part, whole in part_of if part in fresh and whole in mine]
        while more := [p for p in pairs if _FINEST_FIRST.index(mine[p[0]]) < _FINEST_FIRST.index(mine[p[1]])]:
            mine |= {part: mine[whole] for part, whole in more}
    return {step: chosen[step] for step in sorted(shares)}


def _level(shares: Shares, category: str, *, closer: Sequence[Rung], wider: Sequence[Rung]) -> Rung:
    """Choose the level of a category for one audience, given those of closer and wider ones."""
    below = [level for level in (*closer, *wider) if level != Rung.BOROUGH]
    if any(level != Rung.BOROUGH for level in wider):
        return below[-1]  # what a wider audience has, a closer one has too
    # The same as a closer audience, or boroughs.
    rungs = (closer[-1],) if closer else _FINEST_FIRST[:-1]
    for rung in rungs:
        # Missing data is no reason to choose another level: the areas are marked as having no data. Nor are areas of
        # which a share would say too much. But data too short for a longer window have none.
        without = 0.0 if rung == Rung.LONG else 1.0
        if rung == Rung.BOROUGH or shares.get(rung, {}).get(category, without) >= ENOUGH:
            return rung
    return Rung.BOROUGH


def kept_detail(releases: Sequence[EarlierRelease], *, edition: Mapping[str, str]) -> dict[int, dict[str, Rung]]:
    """Return the detail of earlier releases of the same wards, by step.

    Parameters
    ----------
    releases
        Releases of the same data, oldest first.
    edition
        Today's wards (see `edition_of`): another edition starts afresh.
    """
    kept: dict[int, dict[str, Rung]] = {}
    for release in releases:
        if all(edition.get(parent) == digest for parent, digest in release.edition.items()):
            for category, level in release.detail.items():
                kept.setdefault(release.step, {}).setdefault(category, Rung(level))
    return kept


def not_offered_by_detail(
    counts: pd.DataFrame,
    detail: Mapping[str, Level],
    *,
    long_categories: Collection[str] = (),
    long_windows: Collection[str] = (),
) -> pd.Series:
    """Return which rows are not offered because their category is given at another level, or in other windows.

    A category given by ward is not given by group, or the reverse, because the two could be subtracted. A category
    given by borough is given by neither; one given in longer windows is not given in those that these consist of.

    Examples
    --------
    >>> rows = pd.DataFrame({"level": ["borough", "ward_group", "ward"] * 2, "category": ["race"] * 3 + ["faith"] * 3})
    >>> not_offered_by_detail(rows, {"race": Level.WARD, "faith": Level.WARD_GROUP}).tolist()
    [False, True, False, False, False, True]
    >>> rows["period"] = "2024"
    >>> not_offered_by_detail(rows, {"faith": Level.WARD_GROUP}, long_categories=["faith"], long_windows=[]).tolist()
    [False, True, False, False, True, True]
    """
    chosen = counts["category"].map(lambda category: detail.get(category, Level.WARD)).astype("str")
    other = counts["level"].astype("str") != chosen
    if long_categories:
        other |= counts["category"].isin(list(long_categories)) & ~counts["period"].isin(list(long_windows))
    return counts["level"].isin([Level.WARD, Level.WARD_GROUP]) & other


def given_otherwise(counts: pd.DataFrame, plan: ReleasePlan) -> pd.Series:
    """Return which rows of a release are of another level or window than those that their category is given by."""
    return not_offered_by_detail(
        counts,
        {c.id: c.detail for c in plan.categories},
        long_categories=plan.long_categories,
        long_windows=[p.id for p in plan.windows.long],
    )


def utility(counts: pd.DataFrame, other: pd.Series | None = None) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Count the areas with a number, as readers of a release find them: level, category, window.

    Parameters
    ----------
    counts
        Released counts: level, category, period, incidents_lower, incidents_upper.
    other
        Rows of another level or window than that of their category (`not_offered_by_detail`), which are left out.

    Returns
    -------
    utility
        By level, category and window: `areas` with data, those `with_number` (a step other than "fewer than t"), and
        their share `pct` in per cent. Levels at which a category is not offered at all are left out.
    """
    ranges = Ranges.of(counts)
    # The first step does not count as a number; an exact zero (with suppression instead of steps) does.
    number = (ranges.lower > 0) | ((ranges.lower == 0) & (ranges.upper == 0))
    refused = counts["not_offered"].map(lambda names: RANGED[0] in str(names).split(";"))
    mine = counts["incidents_lower"].notna() | refused
    rows = counts.assign(number=number)[mine if other is None else mine & ~other]
    offered = ~refused.loc[rows.index].groupby([rows["level"], rows["category"]]).transform("all")
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for (level, category, period), own in rows[offered].groupby(["level", "category", "period"], sort=True):
        with_number = int(own["number"].sum())
        found.setdefault(str(level), {}).setdefault(str(category), {})[str(period)] = {
            "areas": len(own),
            "with_number": with_number,
            "pct": round(100 * with_number / len(own), 1),
        }
    return found
