"""The circumstances of incidents (time, place, offence, reporting, outcome), as whole numbers that add up.

`VARIABLES` is the registry: a new variable needs only one entry to be counted, released and drawn.

Organisations are separate measures: their figures are never one total, and neither are those of categories.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
import pandas as pd

from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Period
from pipeline.statistics.aoristic import whole_by_key
from pipeline.statistics.uncertainty import wilson

__all__ = [
    "DELAYS",
    "HOUR_BANDS",
    "INTERVAL_UNITS",
    "KEYS",
    "NOT_STATED",
    "OTHER",
    "TOO_RECENT",
    "TOTAL",
    "VARIABLES",
    "WEEKDAYS",
    "WHOLE",
    "Detail",
    "Grid",
    "OutcomeKind",
    "Summary",
    "Variable",
    "add_shares",
    "kind_of_outcome",
    "median_value",
    "stated_of",
    "variable_list",
    "window_counts",
]


# Kinds of outcome, recognised from the wording of the source.


class OutcomeKind(StrEnum):
    """A kind of outcome: its id, a label for readers, and lower-case words by one of which a text is recognised.

    Members stand in the order in which they are shown; `_TRIED` is the order in which texts are compared with them.

    Examples
    --------
    >>> OutcomeKind.POSITIVE, OutcomeKind.POSITIVE.label
    (<OutcomeKind.POSITIVE: 'positive'>, 'Positive outcome')
    """

    label: str
    texts: tuple[str, ...]

    def __new__(cls, value: str, label: str = "", *texts: str) -> Self:
        """Make a member of its id, its label and its words."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        member.texts = texts
        return member

    POSITIVE = (
        "positive",
        "Positive outcome",
        "charge",
        "summons",
        "caution",
        "resolution",
        "penalty notice",
        "taken into consideration",
        "offender ",
        "diversionary",
    )
    VICTIM_DOES_NOT_SUPPORT = (
        "victim_does_not_support",
        "Victim does not support action",
        "victim does not support",
        "victim declines",
        "evidential difficulties (victim",
    )
    NO_SUSPECT = "no_suspect", "No suspect identified", "no suspect", "suspect not identified", "unidentified"
    EVIDENTIAL_DIFFICULTIES = (
        "evidential_difficulties",
        "Evidential difficulties",
        "evidential difficulties",
        "unable to prosecute",
    )
    NOT_IN_PUBLIC_INTEREST = "not_in_public_interest", "Not in the public interest", "public interest"
    PENDING = (
        "pending",
        "Under investigation or awaiting a decision",
        "under investigation",
        "awaiting",
        "pending",
        "court result unavailable",
    )
    OTHER = "other", "Other outcome"
    NOT_STATED = "not_stated", "No outcome stated"


# "Evidential difficulties: victim does not support" is about the victim, and "prosecution of the offender is not in the
# public interest" is not a positive outcome: kinds with specific words are tried before those with general ones.
_TRIED = (
    OutcomeKind.PENDING,
    OutcomeKind.VICTIM_DOES_NOT_SUPPORT,
    OutcomeKind.NO_SUSPECT,
    OutcomeKind.NOT_IN_PUBLIC_INTEREST,
    OutcomeKind.EVIDENTIAL_DIFFICULTIES,
    OutcomeKind.POSITIVE,
)
# These hold words of a positive outcome ("charge", "offender ") but say that there was none.
_NO_ACTION = ("not charged", "no charge", "offender died", "offender has died", "too ill")


def kind_of_outcome(text: str, outcome_class: str = "") -> OutcomeKind:
    """Find the kind of an outcome from its text; the configuration takes precedence.

    Parameters
    ----------
    text
        The outcome as the source puts it.
    outcome_class
        ``positive``, ``pending`` or ``other`` where the configuration settles it, else empty.

    Examples
    --------
    >>> str(kind_of_outcome("Evidential difficulties: victim does not support"))
    'victim_does_not_support'
    >>> str(kind_of_outcome("charged")), str(kind_of_outcome("charged", "other")), str(kind_of_outcome(""))
    ('positive', 'other', 'not_stated')
    """
    if outcome_class in (OutcomeKind.POSITIVE, OutcomeKind.PENDING):
        return OutcomeKind(outcome_class)
    words = " ".join(text.casefold().replace(":", " ").replace("-", " ").split())
    if not words:
        return OutcomeKind.NOT_STATED
    if any(part in words for part in _NO_ACTION):
        return OutcomeKind.OTHER
    # A space is added because "offender " must match the last word of a text too, but not "offenders".
    found = next((kind for kind in _TRIED if any(part in f"{words} " for part in kind.texts)), OutcomeKind.OTHER)
    # The configuration may deny that an outcome is positive; it does not deny the more specific kinds.
    if outcome_class == OutcomeKind.OTHER and found == OutcomeKind.POSITIVE:
        return OutcomeKind.OTHER
    return found


NOT_STATED = "not stated"
"""The unknown value of every variable: the incidents counted in `TOTAL` for which the source gives none."""
TOO_RECENT = "too recent to say"
OTHER = "other kinds"
TOTAL = "organisation"
"""The variable whose one value is the organisation itself: how many incidents it recorded."""
WHOLE = "*"
"""Area code in facets of what is counted for the whole region only."""

KEYS = ("area_code", "category", "organisation", "question", "answer")
"""Key of the counts. The columns `question` and `answer` hold variable and value: released files call them so."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOUR_BANDS = tuple(f"{h:02d}:00 to {h + 2:02d}:59" for h in range(0, 24, 3))
DELAYS = (
    ("same day", 0),
    ("next day", 1),
    ("2 to 7 days", 7),
    ("8 to 30 days", 30),
    ("31 to 90 days", 90),
    ("91 to 365 days", 365),
    ("over a year", None),
)
"""Bands of days from occurrence to recording, with the last day of each. Records dated backwards state none."""


class Detail(StrEnum):
    """For which areas a variable may be released outside the internal folder."""

    BOROUGHS = "boroughs"
    REGION = "region"
    INTERNAL = "internal"


class Summary(StrEnum):
    """Which sentence summarises a variable."""

    MOST_FREQUENT = "most frequent"
    ONE_VALUE = "one value"
    DELAY = "delay"
    OUTCOME = "outcome"


@dataclass(frozen=True, slots=True)
class Grid:
    """Two variables crossed: a value is `<row>, <column>`."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def values(self) -> tuple[str, ...]:
        """Every cell, row by row."""
        return tuple(f"{row}, {column}" for row in self.rows for column in self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable: what it is counted from, its values, and how it may be released and is drawn.

    Attributes
    ----------
    id
        Its name in the column `question`. Its heading on the page is `circumstances.variable.<id>` in the catalogue of
        words.
    sql
        Expression over the columns of INCIDENTS: the value as text, NULL where the source states none. Constants only.
    source
        Column of INCIDENTS that must hold something for the variable to be counted; empty: it is always counted.
    known_values
        Values known beforehand, in the order shown. Others follow, the most frequent in the region first.
    group
        Value as the source puts it to the value counted, applied to each distinct text.
    describe
        Value counted to the words for readers; without it the value stands as it is.
    grid
        Set where the variable crosses two others: it is counted for the region alone and drawn as a table of cells.
    matures
        Whether the value takes months to come: incidents of recent months count as `TOO_RECENT`.
    detail
        Where it may be shown outside the internal folder.
    never_offered
        Values that are left out of every released folder, whatever their counts are.
    one_recorder
        Values whose sum over all organisations is released as an area's total: only the first organisation's is
        offered.
    first
        Whether it stands before the others on the page.
    summary, highlight
        The sentence; for `Summary.ONE_VALUE`, the value whose share it gives. Its words are `circumstances.share.<id>`
        in the catalogue of words.
    """

    id: str
    sql: str
    source: str = ""
    known_values: tuple[str, ...] = ()
    group: Callable[[str], str] | None = None
    describe: Callable[[str], str] | None = None
    grid: Grid | None = None
    matures: bool = False
    detail: Detail = Detail.BOROUGHS
    never_offered: tuple[str, ...] = ()
    one_recorder: tuple[str, ...] = ()
    first: bool = False
    summary: Summary = Summary.MOST_FREQUENT
    highlight: str = ""

    def words(self, value: str) -> str:
        """Return a counted value as readers see it."""
        return value if self.describe is None else self.describe(value)


def _hour_band(hour: str) -> str:
    return HOUR_BANDS[int(hour) // 3]


def _weekday(number: str) -> str:
    return WEEKDAYS[int(number) - 1]


def _weekday_hour(both: str) -> str:
    day, hour = both.split(" ")
    return f"{_weekday(day)}, {_hour_band(hour)}"


def _outcome_kind(text: str) -> str:
    """Return the kind of an outcome, from `<outcome_class>|<outcome>`."""
    outcome_class, _, outcome = text.partition("|")
    return kind_of_outcome(outcome, outcome_class).value


def _outcome_label(kind: str) -> str:
    return OutcomeKind(kind).label if kind in set(OutcomeKind) else kind


# An incident that is dated to a month or a year has no weekday and no delay. `try_cast` cannot fail, so DuckDB tries it
# once for each distinct text, not for each row.
_WEEKDAY = "isodow(try_cast(occurred_on AS DATE))"
_ONE_DAY = "(interval_minutes IS NULL OR interval_start // 1440 = (interval_start + interval_minutes - 1) // 1440)"
_DELAY_BANDS = " ".join(
    f"ELSE '{name}'" if last is None else f"WHEN recorded_on::DATE - occurred_on::DATE <= {last} THEN '{name}'"
    for name, last in DELAYS
)
_DELAY = f"""CASE WHEN recorded_on IS NULL OR date_precision <> 'day' OR recorded_on::DATE < occurred_on::DATE THEN NULL
    {_DELAY_BANDS} END"""

_ENTRIES = (
    Variable(
        id="hour_band",
        sql="hour_band::VARCHAR",
        source="hour_band",
        known_values=HOUR_BANDS,
        describe=_hour_band,
        first=True,
    ),
    Variable(
        id="weekday",
        sql=f"CASE WHEN date_precision = 'day' AND {_ONE_DAY} THEN {_WEEKDAY}::VARCHAR END",
        source="date_precision",
        known_values=WEEKDAYS,
        describe=_weekday,
        first=True,
    ),
    Variable(id="place_type", sql="place_type", source="place_type"),
    Variable(
        id="online",
        sql="CASE WHEN online THEN 'yes' ELSE 'no' END",
        source="online",
        known_values=("yes", "no"),
        summary=Summary.ONE_VALUE,
        highlight="yes",
    ),
    Variable(
        id="kind",
        sql="kind",
        source="kind",
        known_values=("offence", "incident"),
        summary=Summary.ONE_VALUE,
        highlight="offence",
    ),
    Variable(id="offence_group", sql="offence_group", source="offence_group"),
    Variable(
        id="aggravated",
        sql="CASE aggravated WHEN true THEN 'yes' WHEN false THEN 'no' END",
        source="aggravated",
        known_values=("yes", "no"),
        summary=Summary.ONE_VALUE,
        highlight="yes",
    ),
    Variable(
        id="flag_status",
        sql="flag_status",
        source="flag_status",
        known_values=("presumed", "confirmed"),
        summary=Summary.ONE_VALUE,
        highlight="presumed",
    ),
    Variable(id="reporting_route", sql="reporting_route", source="reporting_route"),
    Variable(
        id="delay",
        sql=_DELAY,
        source="recorded_on",
        known_values=tuple(name for name, _ in DELAYS),
        first=True,
        summary=Summary.DELAY,
    ),
    Variable(
        id="outcome",
        sql="nullif(concat(outcome_class, '|', outcome), '|')",
        source="outcome",
        known_values=tuple(kind.label for kind in OutcomeKind if kind is not OutcomeKind.NOT_STATED),
        group=_outcome_kind,
        describe=_outcome_label,
        matures=True,
        detail=Detail.REGION,  # its total is of other months than the counts released by borough
        # `known_outcomes` of the area tables is what is stated without what is pending: beside the two totals, the
        # number of pending ones would be their difference.
        never_offered=(OutcomeKind.PENDING.label,),
        one_recorder=(OutcomeKind.POSITIVE.label,),  # `positive_outcomes` of the area tables
        first=True,
        summary=Summary.OUTCOME,
    ),
    Variable(
        id="weekday_hour",
        # Incidents between two times are shared over the cells: see INTERVAL_UNITS.
        sql=f"CASE WHEN date_precision = 'day' AND interval_minutes IS NULL THEN {_WEEKDAY} || ' ' || hour_band END",
        source="hour_band",
        known_values=Grid(WEEKDAYS, HOUR_BANDS).values,
        describe=_weekday_hour,
        grid=Grid(WEEKDAYS, HOUR_BANDS),
        detail=Detail.INTERNAL,  # 56 cells share one total: most are small
    ),
)
INTERVAL_UNITS = "weekday_hour_units"
"""Facet with the sums of units (`aoristic.UNITS`) by weekday and hour band, of incidents between two times."""
VARIABLES: dict[str, Variable] = {entry.id: entry for entry in _ENTRIES}
"""Every variable by its id, in the order of tables: reducer, release, pages and dictionary read this."""


def variable_list() -> str:
    """List the ids of all variables, for the description of the column `question`."""
    names = [
        f"`{variable.id}`" + (" (internal only)" if variable.detail is Detail.INTERNAL else "")
        for variable in VARIABLES.values()
    ]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def window_counts(facets: pd.DataFrame, period: Period, *, region_code: str, mature_until: int = 0) -> pd.DataFrame:
    """Sum facets over a window, for every borough and the region, including incidents without a stated value.

    Parameters
    ----------
    facets
        organisation, area_code (borough; "" where unknown, `WHOLE` for what is counted for the region alone), month
        (yyyymm), category, facet, value, incidents. Rows without a value are in no facet but `TOTAL`.
    period
        The window.
    region_code
        Code the region's rows get.
    mature_until
        Last month (yyyymm) whose outcomes are no longer pending: later incidents are `TOO_RECENT`. 0: no outcomes at
        all.

    Returns
    -------
    counts
        `KEYS` and incidents. Values are dense: those known beforehand in their order, others the most frequent of the
        organisation's first, then what is not stated. Variables that no incident of an organisation states are left
        out. The values of a variable add up to its organisation's `TOTAL`.
    """
    inside = facets[facets["month"].between(period.first_month, period.last_month)]
    if not len(inside):  # grouping no row at all loses the names of the keys
        return pd.DataFrame(columns=[*KEYS, "incidents"]).astype({"incidents": "int64"})
    kept = _matured(_whole(inside), mature_until)
    # Words are looked up once for each pair, not for each row.
    pairs = kept[["facet", "value"]].drop_duplicates()
    words = [VARIABLES[f].words(v) if f in VARIABLES else v for f, v in pairs.itertuples(index=False, name=None)]
    pair = kept.groupby(["facet", "value"], sort=False, dropna=False).ngroup().to_numpy()
    named = kept.assign(answer=pd.array(words, dtype="str").take(pair))
    named = named.rename(columns={"facet": "question"})
    # Boroughs add up to the region; what is counted for the region alone must not be added to it again.
    crossed = [v.id for v in VARIABLES.values() if v.grid is not None]
    of_region = named[~named["question"].isin(crossed)].assign(area_code=region_code)
    named["area_code"] = named["area_code"].replace(WHOLE, region_code)
    sums = pd.concat([named, of_region]).groupby(list(KEYS), sort=True)["incidents"].sum().astype("int64")
    totals = sums.xs(TOTAL, level="question").droplevel("answer")
    blocks = []
    for (organisation, question), rows in sums.groupby(level=["organisation", "question"], sort=True):
        if question == TOTAL:
            blocks.append(rows.reset_index())
            continue
        wide = rows.droplevel(["organisation", "question"]).unstack("answer", fill_value=0)  # noqa: PD010 - unique rows
        # Every area and category in which the organisation recorded anything gets every value, zeros written: a value
        # that is missing from one area would otherwise look withheld.
        mine = totals.xs(organisation, level="organisation")
        if question in crossed:
            mine = mine[mine.index.get_level_values("area_code") == region_code]
        wide = wide.reindex(mine.index, fill_value=0)
        # The order is the region's, so that the tables of all areas can be read side by side.
        order = _order(question, wide.xs(region_code, level="area_code"))
        if not wide.drop(columns=TOO_RECENT, errors="ignore").to_numpy().any():
            continue
        wide = wide.reindex(columns=order, fill_value=0)
        # What is not stated is what is left of the total, so that the values always add up to it.
        wide[NOT_STATED] = mine - wide.sum(axis=1)
        wide.columns.name = "answer"
        long = wide.melt(ignore_index=False, value_name="incidents").reset_index()
        blocks.append(long.assign(organisation=organisation, question=question))
    if not blocks:
        return sums.reset_index()
    return pd.concat(blocks, ignore_index=True)[[*KEYS, "incidents"]].astype({"incidents": "int64"})


def _whole(facets: pd.DataFrame) -> pd.DataFrame:
    """Replace the units of incidents between two times by whole incidents: rounded once, over the whole window."""
    mine = facets["facet"] == INTERVAL_UNITS
    if not mine.any():
        return facets
    key = ["organisation", "area_code", "category"]
    units = facets[mine].rename(columns={"incidents": "units"})
    whole = whole_by_key(units, key=key, cell="value").assign(facet="weekday_hour", month=facets["month"].max())
    return pd.concat([facets[~mine], whole[list(facets.columns)]], ignore_index=True)


def _matured(facets: pd.DataFrame, mature_until: int) -> pd.DataFrame:
    """Replace values that need time by `TOO_RECENT` in months later than `mature_until`; drop them if that is 0."""
    late = facets["month"] > mature_until
    slow = [v.id for v in VARIABLES.values() if v.matures and (facets["facet"] == v.id).any()]
    kept = facets[~(facets["facet"].isin(slow) & (late | (mature_until == 0)))]
    if not mature_until or not slow:
        return kept
    # Every late incident is too recent, also one that has a value already: early values are not like those to come.
    fresh = facets[late & (facets["facet"] == TOTAL)]
    return pd.concat([kept, *(fresh.assign(facet=name, value=TOO_RECENT) for name in slow)], ignore_index=True)


def _order(question: str, of_region: pd.DataFrame) -> list[str]:
    """Return the values of a variable: those known beforehand, then the others by how often the region has them."""
    known = VARIABLES[question].known_values if question in VARIABLES else ()
    often = of_region.loc[[ROOT]].sum() if ROOT in of_region.index else of_region.sum()
    others = [a for a in often.index if a not in known and a != TOO_RECENT]
    return [*known, *sorted(others, key=lambda a: (-int(often[a]), a)), *[TOO_RECENT] * (TOO_RECENT in often.index)]


def add_shares(counts: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """Add the share of each value among the incidents that state one, from exact counts.

    Parameters
    ----------
    counts
        `KEYS` and incidents, with the rows of `TOTAL`.
    confidence
        Coverage of the intervals.

    Returns
    -------
    shares
        The rows given, with stated (incidents that state a value: the organisation's total without what is not
        stated and what is too recent), share, share_low and share_high (Wilson); null for values that are none.
    """
    out = counts.copy()
    out["incidents"] = out["incidents"].astype("Int64")
    stated = stated_of(out)
    shown = (stated > 0) & (out["question"] != TOTAL) & ~out["answer"].isin([NOT_STATED, TOO_RECENT])
    out["stated"] = stated.mask(out["question"] == TOTAL).astype("Int64")
    # Rows without a share divide 0 by 1 and are masked below.
    n = stated.where(shown, 1).to_numpy(dtype=np.float64)
    k = out["incidents"].where(shown, 0).to_numpy(dtype=np.float64)
    low, high = wilson(k, n, confidence=confidence)
    for name, values in (("share", k / n), ("share_low", low), ("share_high", high)):
        out[name] = pd.Series(values, index=out.index, dtype="Float64").mask(~shown)
    return out


def stated_of(counts: pd.DataFrame) -> "pd.Series[int]":
    """Count for each row the incidents that state a value of its variable, from exact counts with those of `TOTAL`."""
    place = ["area_code", "category", "organisation"]
    totals = counts[counts["question"] == TOTAL].set_index(place)["incidents"]
    none = counts[counts["answer"].isin([NOT_STATED, TOO_RECENT])]
    unknown = none.groupby([*place, "question"], sort=True)["incidents"].sum()
    stated = totals.reindex(pd.MultiIndex.from_frame(counts[place])).set_axis(counts.index)
    return stated - unknown.reindex(pd.MultiIndex.from_frame(counts[[*place, "question"]])).set_axis(counts.index)


def median_value(values: Sequence[str], incidents: Sequence[int]) -> str:
    """Name the value in which the middle incident falls, of values in their order; empty if there is none.

    >>> median_value(["same day", "next day", "2 to 7 days"], [4, 3, 3])
    'next day'
    """
    reached = np.cumsum(incidents)
    return values[int(np.searchsorted(reached, reached[-1] / 2))] if len(reached) and reached[-1] else ""
