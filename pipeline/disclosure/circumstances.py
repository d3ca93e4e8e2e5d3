"""What partnerships ask first, through the gate: one window, all categories together, one question at a time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.aggregate.circumstances import (
    DIMENSIONS,
    KEYS,
    NOT_STATED,
    OTHER,
    TOO_RECENT,
    TOTAL,
    add_shares,
    window_counts,
)
from pipeline.config import Profile
from pipeline.disclosure.past import AUDIENCES
from pipeline.disclosure.questions import Setting, hidden_cells
from pipeline.disclosure.told import Told, shown_cells
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Period
from pipeline.rounding import round_to_base
from pipeline.tables import CIRCUMSTANCES

__all__ = ["Circumstances", "release_circumstances"]

FIRST = "Shown as first released for this period; records that came later are not in it."
APART = "Not shown: other figures of a period that overlaps this one were released before."
ABSENT = "The data does not describe its incidents."
BLURRED = "Not shown: the counts of this folder are blurred, and these are not."
HIDDEN = "Not shown: the numbers are too small."


@dataclass(frozen=True, slots=True)
class Circumstances:
    """A table CIRCUMSTANCES that may be shown, a note for readers, how it was protected, and what the ledger keeps."""

    table: pd.DataFrame
    note: str
    record: dict[str, Any]
    told: Told | None = None


def release_circumstances(facets: pd.DataFrame | None, setting: Setting) -> Circumstances:
    """Make the table of one profile.

    Internal sees every question by borough and category. Partners see all categories together, by borough where the
    attack finds nothing, else for the region; the public sees the region. A window is released once: with other
    records its figures would single out what changed.

    Parameters
    ----------
    facets
        As `window_counts` takes them; None where the source has no incident records.
    setting
        Whose release it is.
    """
    if setting.profile.protection != "suppress":
        return _none(BLURRED)
    if facets is None or not len(facets) or "incidents" not in setting.profile.measures:
        return _none(ABSENT)
    inside = setting.profile.audience == "internal" or setting.profile.threshold <= 1
    if not inside:
        facets = facets[(facets["category"] == ROOT) & (facets["facet"] != "weekday_hour")]
    counts = window_counts(facets, setting.headline, region_code=setting.region, mature_until=setting.mature_until)
    if set(counts["question"]) <= {TOTAL}:
        return _none(ABSENT)
    if inside:
        kept = counts["area_code"].isin(setting.areas["area_code"])
        kept &= counts["category"].isin(setting.counts["category"])
        return Circumstances(_table(_rounded(counts[kept], setting.profile), setting), "", {"rule": "none needed"})
    return _protected(_lumped(counts, setting), setting)


def _none(note: str) -> Circumstances:
    return Circumstances(CIRCUMSTANCES.empty(), note, {"rule": "nothing shown", "note": note})


def _lumped(counts: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    """Put rare answers of a source's own wording together, with the next larger one, so that none is known as rare."""
    known = {(d.id, a) for d in DIMENSIONS for a in (*d.answers, NOT_STATED, TOO_RECENT)}
    free = [(q, a) not in known and q != TOTAL for q, a in zip(counts["question"], counts["answer"], strict=True)]
    of_region = counts[np.array(free) & (counts["area_code"] == setting.region).to_numpy()]
    rare = set()
    for (organisation, question), rows in of_region.groupby(["organisation", "question"], sort=True):
        order = rows.sort_values(["incidents", "answer"])
        few = int((order["incidents"] < setting.fewest).sum())
        rare |= {(organisation, question, a) for a in order["answer"].iloc[: few + 1 if few else 0]}
    keys = zip(counts["organisation"], counts["question"], counts["answer"], strict=True)
    answer = counts["answer"].mask(np.array([key in rare for key in keys], dtype=bool), OTHER)
    return counts.assign(answer=answer).groupby(list(KEYS), sort=False)["incidents"].sum().reset_index()


def _protected(counts: pd.DataFrame, setting: Setting) -> Circumstances:
    """Withhold question by question, in the light of what readers hold already."""
    profile = setting.profile
    mine = [t for t in setting.told if Period.parse(t.headline).overlaps(setting.headline)]
    readable = [t for t in mine if AUDIENCES[t.audience] <= AUDIENCES[profile.audience]]
    for told in readable:
        if told.headline != setting.headline.id:
            return _none(APART)
        same = (told.run, told.profile, told.threshold, told.rounding)
        if same == (setting.run, profile.name, profile.threshold, profile.rounding):
            return _again(told, counts, setting)
        if not told.fits(counts):
            return _none(APART)
    closer = [t for t in mine if AUDIENCES[profile.audience] < AUDIENCES[t.audience] < AUDIENCES["internal"]]
    if any(t.headline != setting.headline.id for t in closer) or not setting.total(setting.region):
        return _none(APART if closer else HIDDEN)
    shown = shown_cells(readable)
    hidden = hidden_cells(counts, setting, known=shown, least=shown_cells(closer) if closer else None)
    keys = list(zip(*(counts[k] for k in KEYS), strict=True))
    gone = np.array([hidden.get((o, q, a, v), True) for a, _, o, q, v in keys], dtype=bool)
    told = counts.assign(incidents=counts["incidents"].astype("Int64").mask(gone))
    told = told[_listed(told, setting)].reset_index(drop=True)
    if told["incidents"].isna().all():
        return _none(HIDDEN)
    return _made(_rounded(told, profile), setting, "")


def _listed(counts: pd.DataFrame, setting: Setting) -> "pd.Series[bool]":
    """Keep areas of the profile; and of each area, the questions of which anything is shown."""
    shown = [setting.region] if setting.profile.audience == "public" else setting.areas["area_code"]
    here = counts["area_code"].isin(shown)
    some = counts["incidents"].notna().groupby([counts[k] for k in KEYS[:-1]]).transform("any")
    named = counts["incidents"].notna().groupby(counts["organisation"]).transform("any")
    return here & named & (some | (counts["question"] == TOTAL))


def _again(told: Told, counts: pd.DataFrame, setting: Setting) -> Circumstances:
    """Show what was released for this window."""
    here = told.counts["area_code"].isin(setting.areas["area_code"])
    return _made(told.counts[here].reset_index(drop=True), setting, "" if told.fits(counts) else FIRST)


def _made(counts: pd.DataFrame, setting: Setting, note: str) -> Circumstances:
    """Put the table together, and what is told and kept of it."""
    profile = setting.profile
    parts = counts[counts["question"] != TOTAL]
    by_borough = bool(parts.loc[parts["area_code"] != setting.region, "incidents"].notna().any())
    record = {
        "rule": "each question by itself: small counts withheld, then what sums would give back; attacked",
        "areas": "boroughs and region" if by_borough else "region",
        "categories": "all together",
        "named_from": setting.fewest,
        "shown": int(counts["incidents"].notna().sum()),
        "withheld": int(counts["incidents"].isna().sum()),
        "audit": "passed" if profile.secondary else "not audited: do not publish",
        "note": note,
    }
    told = Told(
        setting.run, profile.name, profile.audience, profile.threshold, profile.rounding, setting.headline.id,
        counts[[*KEYS, "incidents"]].reset_index(drop=True),
    )  # fmt: skip
    return Circumstances(_table(counts, setting), note, record, told)


def _rounded(counts: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Round what is shown as the other counts are; zeros stay zeros."""
    shown = counts["incidents"].astype("Int64")
    if profile.rounding > 1:
        whole = shown.fillna(0).to_numpy(dtype=np.int64)
        told = round_to_base(whole, base=profile.rounding, threshold=profile.threshold).shown
        shown = pd.Series(np.where(whole == 0, 0, told), index=counts.index, dtype="Int64").mask(shown.isna())
    return counts.assign(incidents=shown)


def _table(counts: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    """Add shares from what is shown, and the words of areas and window."""
    table = add_shares(counts)
    asked = table["question"] != TOTAL
    lost = {"incidents": table["incidents"].isna(), "stated": table["stated"].isna() & asked}
    unsure = asked & (lost["incidents"] | lost["stated"]) & ~table["answer"].isin([NOT_STATED])
    lost |= dict.fromkeys(("share", "share_low", "share_high"), unsure)
    pattern = sum(mask.to_numpy(dtype=np.int64) << bit for bit, mask in enumerate(lost.values()))
    words = [";".join(n for bit, n in enumerate(lost) if code >> bit & 1) for code in range(1 << len(lost))]
    table["withheld"] = np.array(words, dtype=object)[pattern]
    names = setting.areas.set_index("area_code")
    order = {d.id: n for n, d in enumerate(DIMENSIONS, start=1)} | {TOTAL: 0}
    categories = {c: n for n, c in enumerate(dict.fromkeys(setting.counts["category"]))}
    table = table.assign(
        area_name=table["area_code"].map(names["name"]),
        level=table["area_code"].map(names["level"]),
        period=setting.headline.id,
        period_start=setting.headline.start.isoformat(),
        period_end=setting.headline.end.isoformat(),
        _level=table["area_code"].map(names["level"]).map({"region": 0, "borough": 1}),
        _category=table["category"].map(categories),
        _question=table["question"].map(order),
    )
    table = table.sort_values(
        ["_level", "area_code", "_category", "organisation", "_question"], kind="stable", ignore_index=True
    )
    return CIRCUMSTANCES.conform(table)
