"""The account of published counts: what a file gives, what of it is in the boundaries, and what is not and why."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from pipeline.config import Categories, PublishedSource
from pipeline.domain.categories import ROOT, Subset, Union, relation_report
from pipeline.tables import PUBLISHED_COUNTS

__all__ = [
    "COUNT_KEY",
    "CountsPart",
    "CountsReport",
    "accounting",
    "check_relations",
    "declared_relations",
    "matched_pct",
    "merge_published",
    "unmapped",
]

COUNT_KEY = ("source", "area_code", "level", "month", "category", "measure")
_ACCOUNT = ["level", "measure", "category"]


@dataclass(frozen=True, slots=True, eq=False)
class CountsReport:
    """The account of one file of counts.

    Attributes
    ----------
    source
        Label of the file.
    rows_read
        Data rows of the file; each is counted, refused, or left out as an unknown category.
    accounting
        Per level, measure and category: published, mapped, unmapped, quarantined, ignored (sums of values), and
        ``published == mapped + unmapped + quarantined + ignored``. A value that is no number counts 0 here; its row
        is in the quarantine.
    unmapped
        Every code that is not in the boundaries: level, area_code, area_name, reason, and the sums of values per
        measure over all categories that are the whole (or over every category where none is).
    matched_pct
        Of the distinct codes that look like codes of the boundaries, how many are among them, in per cent; None where
        there are none.
    repeated_keys
        Rows whose area, month, category and measure another row has too; such rows are added up.
    looked_up
        Rows whose code was taken over from another edition.
    quarantined
        Refused rows by rule.
    labels
        Ids and labels of categories made from the texts themselves.
    ignored_categories
        Texts no category matched, with rows.
    first_month, last_month
        As yyyymm; 0 where there is no row.
    """

    source: str
    rows_read: int
    accounting: pd.DataFrame
    unmapped: pd.DataFrame
    matched_pct: float | None
    repeated_keys: int
    looked_up: int
    quarantined: dict[str, int] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    ignored_categories: dict[str, int] = field(default_factory=dict)
    first_month: int = 0
    last_month: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class CountsPart:
    """One file of counts: PUBLISHED_COUNTS, the refused rows (QUARANTINE), and the account."""

    table: pd.DataFrame
    quarantine: pd.DataFrame
    report: CountsReport


def accounting(rows: pd.DataFrame, texts: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Sum values by fate; the identity holds in every row by construction of the fates, and is checked by `quality`."""
    told = rows.assign(value=rows["value"].fillna(0).astype("int64"))
    for part in _ACCOUNT:
        told[part] = rows[part].where(rows[part].notna(), texts[part]).astype("str")
    wide = told.pivot_table(index=_ACCOUNT, columns="fate", values="value", aggfunc="sum", fill_value=0)
    wide = wide.reindex(columns=["mapped", "unmapped", "quarantined", "ignored"], fill_value=0)
    wide.insert(0, "published", told.groupby(_ACCOUNT)["value"].sum())
    return wide.astype("int64").reset_index().rename_axis(columns=None)


def _shape(code: str) -> str:
    return re.sub(r"[A-Za-z]", "A", re.sub(r"\d", "9", code))


def unmapped(rows: pd.DataFrame, codes: Mapping[str, str]) -> pd.DataFrame:
    """List what is not in the boundaries, with a reason, for the whole where the source has one."""
    whole = rows[rows["category"] == ROOT] if (rows["category"] == ROOT).any() else rows
    shapes = {_shape(c) for c in codes}

    def reason(code: str, level: str) -> str:
        if not code:
            return "no code"
        if code in codes:
            return f"the code of a {codes[code]} in a row of level {level}"
        return "not in these boundaries" if _shape(code) in shapes else "not an area code"

    keys = ["level", "area_code", "area_name", "measure"]
    out = whole.groupby(keys, sort=True, as_index=False)["value"].sum()
    out.insert(3, "reason", [reason(c, v) for c, v in zip(out["area_code"], out["level"], strict=True)])
    return out


def matched_pct(rows: pd.DataFrame, codes: Mapping[str, str]) -> float | None:
    """Share of the codes shaped like those of the boundaries that are among them, in per cent."""
    shapes = {_shape(c) for c in codes}
    pairs = rows[["area_code", "mapped"]].drop_duplicates()
    like = pairs[pairs["area_code"].map(_shape).isin(shapes)]
    return round(100 * float(like["mapped"].mean()), 3) if len(like) else None


def merge_published(parts: Sequence[CountsPart]) -> pd.DataFrame:
    """Put the files of a run together: one row per key, values of files that share a key added up."""
    whole = pd.concat([p.table for p in parts], ignore_index=True)
    return PUBLISHED_COUNTS.conform(whole.groupby([*COUNT_KEY, "mapped"], sort=True, as_index=False)["value"].sum())


def declared_relations(source: PublishedSource, *, categories: Categories) -> tuple[Subset | Union, ...]:
    """List the relations a source declares, with the category that is the whole called `all`."""

    def name(category: str) -> str:
        return ROOT if category == categories.all_from else category

    found: list[Subset | Union] = []
    for relation in source.relations:
        if relation.subset is not None:
            child, parent = relation.subset
            found.append(Subset(name(child), name(parent)))
        elif relation.union is not None:
            whole, *parts = relation.union
            found.append(Union(name(whole), tuple(name(p) for p in parts)))
    return tuple(found)


def check_relations(table: pd.DataFrame, *, sources: Sequence[PublishedSource], categories: Categories) -> pd.DataFrame:
    """Test what the sources declare on their counts in the boundaries: where it is violated, how often, by how much.

    Parameters
    ----------
    table
        PUBLISHED_COUNTS.
    sources, categories
        Settings.

    Returns
    -------
    report
        As `categories.relation_report`, one block per source.
    """
    reports = []
    for source in sources:
        rows = table[(table["source"] == source.name) & table["mapped"]]
        reports.append(relation_report(rows, declared_relations(source, categories=categories)))
    return pd.concat(reports, ignore_index=True)
