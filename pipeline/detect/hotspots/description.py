"""Facts of hotspots: when, which categories, where, who recorded them, over time, and whether they were there before.

Whole numbers of one hotspot beside those of the whole data, so that a page can set its shares beside the region's.
They are exact, and for the internal folder alone: a grid of 56 cells or the months of one outline would narrow its
count, whatever step it is given in.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy import special

from pipeline.detect.hotspots.outlines import within
from pipeline.domain.periods import Period
from pipeline.statistics.aoristic import WEEK_BANDS, week_units, whole_incidents, whole_of_parts
from pipeline.statistics.change import ChangeRules, ChangeWord, Comparison, against_self
from pipeline.statistics.uncertainty import Dispersion, benjamini_hochberg, dispersion
from pipeline.tables import HOTSPOT_FACTS

__all__ = ["ANSWERED", "BANDS", "CLEARLY_ABOVE", "NOT_STATED", "Question", "hotspot_facts", "tails_above"]

Ints = NDArray[np.int64]

BANDS = 8
"""Three-hour bands of a day; the first begins at midnight."""
NOT_STATED = "not stated"
CLEARLY_ABOVE = 0.05
"""Largest expected share of false ones among the answers that are called clearly above the region's share."""
_DESCRIBED = ("place_type", "organisation", "reporting_route", "kind")
"""Columns of incidents whose values are answers as they stand."""
ANSWERED = ("weekday", "hour_band", "interval_start", "interval_minutes", "categories", *_DESCRIBED)
"""Columns by which the incidents of `hotspot_facts` are counted."""


class Question(StrEnum):
    """What a row of HOTSPOT_FACTS answers."""

    RECORDED = "recorded"
    WEEKDAY_HOUR = "weekday_hour"
    CATEGORY = "category"
    PLACE_TYPE = "place_type"
    ORGANISATION = "organisation"
    REPORTING_ROUTE = "reporting_route"
    KIND = "kind"
    MONTH = "month"
    YEAR_BEFORE = "year_before"
    EARLIER_OUTLINE = "earlier_outline"
    DISTINCT_PLACES = "distinct_places"
    TOP_PLACE = "top_place"
    DISTINCT_VICTIMS = "distinct_victims"
    STABILITY = "stability"


def hotspot_facts(
    hotspots: gpd.GeoDataFrame,
    *,
    inside: pd.DataFrame,
    whole: pd.DataFrame,
    months: Iterable[pd.DataFrame],
    earlier_outlines: Mapping[str, NDArray[np.object_]],
    comparison: Comparison | None,
    rules: ChangeRules | None = None,
) -> pd.DataFrame:
    """Count what describes the incidents inside each outline, beside the whole data.

    Parameters
    ----------
    hotspots
        The hotspots of a window, as `find_hotspots` gives them, with their outlines.
    inside, whole
        Incidents of the window inside the outlines, and all that have a place, counted by `ANSWERED`: weekday (1 is
        Monday; null where only the month is known), hour_band (0 to 23 or null), interval_start and interval_minutes
        (null where an incident did not happen between two times), categories (joined by semicolons), place_type,
        organisation, reporting_route, kind (null where not stated); incidents; and hotspot_id for those inside, where
        an incident counts in each outline that holds it.
    months
        Incidents by place and month over all the data, in batches: easting_m, northing_m, month (yyyymm), incidents.
    earlier_outlines
        Id of an earlier window to the outlines found in it alone.
    comparison
        The window and the one that it is compared with; None, or one with an obstacle, compares nothing.
    rules
        When a change is called clear.

    Returns
    -------
    facts
        Table HOTSPOT_FACTS. A change is tested as those of areas are, with the dispersion of the months inside the
        outlines, all hotspots as one family. All answers to a question, of all hotspots, are one family too.
    """
    if not len(hotspots):
        return HOTSPOT_FACTS.empty()
    ids, shapes = hotspots["hotspot_id"].astype(str).tolist(), hotspots.geometry.to_numpy()
    # One table of counts: hotspots by their number, and all the data as one more.
    counts = pd.concat([inside, whole], ignore_index=True)
    number = np.repeat(len(ids), len(counts))
    number[: len(inside)] = pd.Index(ids).get_indexer(inside["hotspot_id"])
    counts = counts.assign(hotspot=number)
    everyone = _crossed(counts, np.zeros(len(counts), np.int64), 1, ids)
    made = [_rows(ids, Question.RECORDED, ["all"], *everyone)]

    # Answers of which each incident has one: a count for each, zeros too, tested against the rest of the region.
    cells = [f"{day} {band}" for day in range(1, 8) for band in range(BANDS)]
    here, everywhere = _crossed(counts, _slots(counts), len(cells), ids)
    between = _between(counts, len(ids))
    made.append(_tested(ids, Question.WEEKDAY_HOUR, cells, here + between[:-1], everywhere + between[-1]))
    for name in _DESCRIBED:
        text = counts[name].astype("object")
        if text.isna().all():
            continue
        codes, answers = pd.factorize(text.where(text.notna(), NOT_STATED), sort=True)
        named = [str(answer) for answer in answers]
        made.append(_tested(ids, Question(name), named, *_crossed(counts, codes, len(named), ids)))

    # An incident may be in several categories, and counts in each, or in none: shares need not add up to the whole.
    # Millions of rows have a handful of different sets: each is split once.
    codes, sets = pd.factorize(counts["categories"].fillna(""))
    split = [str(text).split(";") for text in sets]
    categories = sorted({category for listed in split for category in listed})
    held = np.array([[listed.count(category) for category in categories] for listed in split], dtype=np.int64)
    held = held.reshape(len(sets), len(categories))
    here, everywhere = (found @ held for found in _crossed(counts, codes, len(sets), ids))
    sizes = everyone[0][:, 0], int(everyone[1][0])
    made.append(_tested(ids, Question.CATEGORY, categories, here, everywhere, sizes=sizes))
    made[-1] = made[-1][made[-1]["answer"] != ""]

    made += _over_time(ids, shapes, months, comparison, rules or ChangeRules())
    made += [_overlaps(ids, shapes, window, outlines) for window, outlines in earlier_outlines.items()]
    made += _certainty(hotspots, ids)
    return HOTSPOT_FACTS.conform(pd.concat(made, ignore_index=True))


def tails_above(here: ArrayLike, *, total: ArrayLike, share: ArrayLike) -> NDArray[np.float64]:
    """Return the chance of at least so many of `total` incidents if each had the answer with chance `share`.

    Examples
    --------
    Three heads or more of four throws of a coin: (4 + 1) / 16.

    >>> tails_above([3, 0], total=4, share=0.5).tolist()
    [0.3125, 1.0]
    """
    k, n, p = (np.asarray(v, dtype=np.float64) for v in (here, total, share))
    # The upper tail of a binomial is an incomplete beta function (Abramowitz and Stegun 26.5.24).
    tail = special.betainc(np.maximum(k, 1), np.maximum(n - k + 1, 1e-9), np.clip(p, 0, 1))
    return np.asarray(np.where(k > 0, tail, 1.0), dtype=np.float64)


def _slots(incidents: pd.DataFrame) -> Ints:
    """Return the cell of the week of each row, -1 where its day or hour is not known."""
    day = pd.to_numeric(incidents["weekday"]).astype("Float64").fillna(0).to_numpy(dtype=np.int64)
    hour = pd.to_numeric(incidents["hour_band"]).astype("Float64").fillna(-1).to_numpy(dtype=np.int64)
    known = (day > 0) & (hour >= 0) & ~incidents["interval_minutes"].notna().to_numpy()
    return np.where(known, (day - 1) * BANDS + hour // (24 // BANDS), -1)


_ROWS = 1 << 16  # of counts shared at once: each has a cell for every band of the week


def _between(counts: pd.DataFrame, hotspots: int) -> Ints:
    """Count incidents between two times by cell of the week, in each hotspot and, in the last row, in all the data."""
    shared = counts[counts["interval_minutes"].notna()]
    units = np.zeros((hotspots + 1, WEEK_BANDS), dtype=np.int64)
    for first in range(0, len(shared), _ROWS):
        rows = shared.iloc[first : first + _ROWS]
        start, minutes, hotspot, incidents = (
            rows[name].to_numpy(dtype=np.int64)
            for name in ("interval_start", "interval_minutes", "hotspot", "incidents")
        )
        np.add.at(units, hotspot, incidents[:, None] * week_units(start, minutes))
    here = whole_incidents(units[:-1])
    return np.vstack([here, whole_of_parts(units[-1], here)])


def _crossed(counts: pd.DataFrame, codes: Any, answers: int, ids: Sequence[str]) -> tuple[Ints, Ints]:
    """Add up each answer in each hotspot, shape (hotspots, answers), and in all the data, shape (answers,)."""
    code = np.asarray(codes, dtype=np.int64)
    known = code >= 0
    cell = counts["hotspot"].to_numpy(dtype=np.int64)[known] * answers + code[known]
    incidents = counts["incidents"].to_numpy(dtype=np.float64)[known]
    sums = np.bincount(cell, weights=incidents, minlength=(len(ids) + 1) * answers).astype(np.int64)
    table = sums.reshape(len(ids) + 1, answers)
    return table[:-1], table[-1]


def _rows(ids: Sequence[str], question: Question, answers: Sequence[str], here: Ints, whole: Ints) -> pd.DataFrame:
    """Write the counts of a question as rows, hotspot by hotspot."""
    return pd.DataFrame(
        {
            "hotspot_id": np.repeat(np.asarray(ids, dtype=object), len(answers)),
            "question": question.value,
            "answer": np.tile(np.asarray(answers, dtype=object), len(ids)),
            "incidents": here.ravel(),
            "whole": np.tile(whole, len(ids)),
        }
    )


def _tested(
    ids: Sequence[str],
    question: Question,
    answers: Sequence[str],
    here: Ints,
    whole: Ints,
    *,
    sizes: tuple[Ints, int] | None = None,
) -> pd.DataFrame:
    """Write the counts of a question, and which of its answers are clearly more of a hotspot than of the rest.

    `sizes` are the incidents of each hotspot and of all the data, where an incident may have several answers.
    """
    own, every = sizes if sizes is not None else (here.sum(axis=1), int(whole.sum()))
    rest = np.maximum(every - own, 1)[:, None]
    chance = tails_above(here, total=own[:, None], share=(whole[None, :] - here) / rest)
    adjusted = benjamini_hochberg(np.clip(chance, 0.0, 1.0), included=np.broadcast_to(whole > 0, here.shape))
    word = np.where(adjusted <= CLEARLY_ABOVE, ChangeWord.HIGHER.value, "")
    return _rows(ids, question, answers, here, whole).assign(word=word.ravel())


def _over_time(
    ids: Sequence[str],
    shapes: NDArray[Any],
    months: Iterable[pd.DataFrame],
    comparison: Comparison | None,
    rules: ChangeRules,
) -> list[pd.DataFrame]:
    """Count the months inside the outlines, and set the window beside the one it is compared with."""
    sums = pd.DataFrame(index=pd.Index([], dtype="int64"), columns=range(len(ids) + 1), dtype="int64")
    for rows in months:
        hotspot, at = within(shapes, rows)
        present, code = np.unique(rows["month"].to_numpy(dtype=np.int64), return_inverse=True)
        weight = rows["incidents"].to_numpy(dtype=np.int64)
        # A row for each month, a column for each outline, and one for the whole data.
        inside = np.bincount(code[at] * len(ids) + hotspot, weights=weight[at], minlength=len(present) * len(ids))
        everywhere = np.bincount(code, weights=weight, minlength=len(present))
        counted = np.column_stack([inside.reshape(len(present), len(ids)), everywhere]).astype(np.int64)
        sums = sums.add(pd.DataFrame(counted, index=present), fill_value=0)
    found, table = sums.index.to_numpy(dtype=np.int64), sums.to_numpy(dtype=np.int64)
    here, whole = table[:, :-1].T, table[:, -1]
    made = [_rows(ids, Question.MONTH, [f"{m // 100:04d}-{m % 100:02d}" for m in found], here, whole)]
    if comparison is None or comparison.obstacle:
        return made
    now, before = (_in_window(found, period) for period in (comparison.later, comparison.earlier))
    one, other = here[:, now].sum(axis=1), here[:, before].sum(axis=1)
    p = against_self(
        one,
        other,
        days_later=comparison.later.days,
        days_earlier=comparison.earlier.days,
        spread=_spread(here, found, (now, before)),
    )
    enough = other >= rules.min_earlier
    clear = benjamini_hochberg(p, included=enough) <= rules.fdr_q
    rise = one / comparison.later.days >= other / comparison.earlier.days
    word = np.select(
        [~enough, ~clear, rise],
        [ChangeWord.TOO_FEW.value, ChangeWord.NO_CLEAR_CHANGE.value, ChangeWord.HIGHER.value],
        default=ChangeWord.LOWER.value,
    )
    earlier = _rows(ids, Question.YEAR_BEFORE, [comparison.earlier.id], other, whole[before].sum(keepdims=True))
    return [*made, earlier.assign(word=word)]


def _in_window(months: Ints, period: Period) -> NDArray[np.bool_]:
    return (months >= period.first_month) & (months <= period.last_month)


def _spread(here: Ints, months: Ints, windows: Sequence[NDArray[np.bool_]]) -> Dispersion:
    """Pool the variation of months about the mean of their own window, over the hotspots."""
    chi2, df = 0.0, 0
    for window in windows:
        days = [Period(int(m), int(m)).days for m in months[window]]
        for series in here[:, window]:
            one = dispersion(series, days=days)
            chi2, df = chi2 + (one.raw or 0.0) * one.df, df + one.df
    return Dispersion(max(chi2 / df, 1.0), chi2 / df, df) if df else Dispersion()


def _overlaps(ids: Sequence[str], shapes: NDArray[Any], window: str, outlines: NDArray[np.object_]) -> pd.DataFrame:
    """Say how much of each outline lies in the hotspots that were found in an earlier window alone."""
    then = shapely.union_all(outlines) if len(outlines) else shapely.MultiPolygon()
    shared = 100 * shapely.area(shapely.intersection(shapes, then)) / shapely.area(shapes)
    return pd.DataFrame(
        {
            "hotspot_id": np.asarray(ids, dtype=object),
            "question": Question.EARLIER_OUTLINE.value,
            "answer": window,
            "share_pct": shared,
        }
    )


def _certainty(hotspots: gpd.GeoDataFrame, ids: Sequence[str]) -> list[pd.DataFrame]:
    """Write what says how sure a hotspot is: its places, the share of one place, its victims, its stability."""

    def rows(question: Question, **columns: Any) -> pd.DataFrame:
        made = pd.DataFrame({"hotspot_id": ids, "question": question.value, "answer": "all", **columns})
        return made[made[[*columns]].notna().all(axis=1)]

    top = hotspots["top_location_share_pct"].to_numpy(dtype=np.float64)
    count = (top * hotspots["incidents"].to_numpy(dtype=np.float64) / 100).round().astype(np.int64)
    steady = pd.to_numeric(hotspots["stability"]).astype("Float64").to_numpy() * 100
    return [
        rows(Question.DISTINCT_PLACES, incidents=hotspots["distinct_locations"].to_numpy()),
        rows(Question.TOP_PLACE, incidents=count, share_pct=top),
        rows(Question.DISTINCT_VICTIMS, incidents=pd.to_numeric(hotspots["distinct_victims"]).to_numpy()),
        rows(Question.STABILITY, share_pct=steady),
    ]
