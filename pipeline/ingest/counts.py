"""Counts that are already published by area: reading, matching to the boundaries, accounting for every value.

A value is mapped (its code is an area of its level), unmapped (it is not), quarantined (its row cannot be used) or
ignored (its category is not configured); the four add up to the total of the file.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config import Categories, Config, PublishedSource
from pipeline.domain.categories import ROOT, declared_by, relation_report
from pipeline.errors import InputError
from pipeline.ingest.formats.files import (
    FAULT,
    Opening,
    find_columns,
    header_explained,
    is_month_title,
    read_table,
    unpacked,
)
from pipeline.ingest.formats.header import Layout, left_out_caution
from pipeline.ingest.incidents.categories import Lookup
from pipeline.tables import PUBLISHED_COUNTS, QUARANTINE, Level, Measure

__all__ = [
    "COUNT_KEY",
    "COUNT_PARTS",
    "COUNT_RULES",
    "CountsPart",
    "CountsReport",
    "accounting",
    "check_relations",
    "count_columns",
    "counts_layout",
    "matched_pct",
    "merge_published",
    "read_counts",
    "require_total",
    "unmapped",
]

COUNTED = (Measure.INCIDENTS, Measure.POSITIVE_OUTCOMES)
"""Measures that a source of published counts may give."""
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
        Data rows of the file; each is counted, refused, or ignored because its category is unknown.
    accounting
        Per level, measure and category: published, mapped, unmapped, quarantined, ignored (sums of values), and
        ``published == mapped + unmapped + quarantined + ignored``. A value that is not a number counts as 0 here; its
        row is in the quarantine.
    unmapped
        Every code that is not in the boundaries: level, area_code, area_name, reason, and the sums of values per
        measure over the categories that are the total (or over every category if none is).
    matched_pct
        Of the distinct codes with the form of boundary codes, the share found in the boundaries, in per cent; None if
        there are none.
    repeated_keys
        Rows with the same area, month, category and measure as another row; such rows are added up.
    looked_up
        Rows whose code was converted from another edition.
    quarantined
        Refused rows by rule.
    suppressed
        Rows whose count the publisher suppressed.
    labels
        Ids and labels of categories created from the texts themselves.
    ignored_categories
        Texts that matched no category, with their number of rows.
    wide
        Of a wide table, whose `rows_read` are its filled cells: its rows, and the blank cells.
    first_month, last_month
        As yyyymm; 0 if there is no row.
    outside
        Lines above the header and below the data, which are no rows.
    cautions
        Cautions to read before the outputs are used, as sentences.
    """

    source: str
    rows_read: int
    accounting: pd.DataFrame
    unmapped: pd.DataFrame
    matched_pct: float | None
    repeated_keys: int
    looked_up: int
    quarantined: dict[str, int] = field(default_factory=dict)
    suppressed: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    ignored_categories: dict[str, int] = field(default_factory=dict)
    wide: dict[str, int] = field(default_factory=dict)
    first_month: int = 0
    last_month: int = 0
    outside: list[dict[str, Any]] = field(default_factory=list)
    cautions: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class CountsPart:
    """One file of counts: PUBLISHED_COUNTS, the refused rows (QUARANTINE), and the account."""

    table: pd.DataFrame
    quarantine: pd.DataFrame
    report: CountsReport


def accounting(rows: pd.DataFrame, texts: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Sum values by outcome (mapped, unmapped, ...); the outcomes add up by construction, and `quality` checks this."""
    counted = rows.assign(value=rows["value"].fillna(0).astype("int64"))
    for part in _ACCOUNT:
        counted[part] = rows[part].where(rows[part].notna(), texts[part]).astype("str")
    wide = counted.pivot_table(index=_ACCOUNT, columns="fate", values="value", aggfunc="sum", fill_value=0)
    wide = wide.reindex(columns=["mapped", "unmapped", "quarantined", "ignored"], fill_value=0)
    wide.insert(0, "published", counted.groupby(_ACCOUNT)["value"].sum())
    return wide.astype("int64").reset_index().rename_axis(columns=None)


def _shape(code: str) -> str:
    return re.sub(r"[A-Za-z]", "A", re.sub(r"\d", "9", code))


def unmapped(rows: pd.DataFrame, codes: Mapping[str, str]) -> pd.DataFrame:
    """List the codes that are not in the boundaries, with a reason, for the total category if there is one."""
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
    """Of the codes with the form of boundary codes, the share found in the boundaries, in per cent."""
    shapes = {_shape(c) for c in codes}
    pairs = rows[["area_code", "mapped"]].drop_duplicates()
    like = pairs[pairs["area_code"].map(_shape).isin(shapes)]
    return round(100 * float(like["mapped"].mean()), 3) if len(like) else None


def merge_published(parts: Sequence[CountsPart]) -> pd.DataFrame:
    """Combine the files of a run: one row per key; values with the same key are added up."""
    whole = pd.concat([p.table for p in parts], ignore_index=True)
    return PUBLISHED_COUNTS.conform(_added_up(whole))


def require_total(table: pd.DataFrame, *, categories: Categories) -> None:
    """Refuse counts of categories without any count of the total, which would otherwise pass for 0.

    Parameters
    ----------
    table
        PUBLISHED_COUNTS of all sources.
    categories
        Settings.

    Raises
    ------
    InputError
        With the categories and what to do.
    """
    rows = table[table["mapped"] & (table["measure"] == Measure.INCIDENTS)]
    if not len(rows) or (rows["category"] == ROOT).any():
        return
    found = sorted(rows["category"].unique())
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    stated = f" (categories.all_from is {categories.all_from!r}, which has none)" if categories.all_from else ""
    raise InputError(
        f"the published counts are of {', '.join(found[:_NAMED])}{more}, and no row is a count of all "
        f"incidents{stated}: categories may overlap, so they are never added up. Set categories.all_from to the "
        "category that is the total. If no incident counts in two categories, leave out columns.category: then rows of "
        "the same area and month add up to the total"
    )


def _added_up(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row per key; values with the same key are added up, and the sum is unknown if one of them is."""
    grouped = rows.assign(unknown=rows["value"].isna()).groupby([*COUNT_KEY, "mapped"], sort=True, as_index=False)
    added = grouped.agg(value=("value", "sum"), unknown=("unknown", "any"))
    return added.assign(value=added["value"].astype("Int64").mask(added["unknown"])).drop(columns="unknown")


def incidents_by_borough(table: pd.DataFrame, *, parents: Mapping[str, str], whole: str | None) -> pd.DataFrame:
    """Return the published incidents of boroughs, or sums of their wards if the source has no boroughs.

    Parameters
    ----------
    table
        PUBLISHED_COUNTS.
    parents
        Borough of each ward.
    whole
        The category that is the total, called `all` in the result.
    """
    rows = table[table["mapped"] & (table["measure"] == Measure.INCIDENTS)]
    rows = rows.assign(incidents=rows["value"], category=rows["category"].where(rows["category"] != whole, ROOT))
    if (rows["level"] == Level.BOROUGH).any():
        return rows
    wards = rows[rows["level"] == Level.WARD]
    return wards.assign(area_code=wards["area_code"].map(parents), level=Level.BOROUGH.value)


def first_day(month: int) -> str:
    """Return the ISO date of the first day of a month (yyyymm)."""
    return f"{month // 100:04d}-{month % 100:02d}-01"


def check_relations(table: pd.DataFrame, *, sources: Sequence[PublishedSource], categories: Categories) -> pd.DataFrame:
    """Test the declared relations on the counts: how often they are violated, and by how much.

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
        rows = _known(table[(table["source"] == source.name) & table["mapped"]], absent=source.absent)
        reports.append(relation_report(rows, declared_by(source, categories=categories)))
    return pd.concat(reports, ignore_index=True)


def _known(rows: pd.DataFrame, *, absent: str) -> pd.DataFrame:
    """Return the rows of areas and months with all categories known: relations can only be tested there."""
    key = ["level", "area_code", "month", "measure"]
    unknown = rows["value"].isna().groupby([rows[k] for k in key]).transform("any")
    if absent == "unknown" and len(rows):
        # A missing category is not zero: the area and month are left out if other areas of its level have the category.
        wanted = rows.groupby(["level", "measure"])["category"].transform("nunique")
        unknown |= rows.groupby(key)["category"].transform("nunique") < wanted
    known = rows[~unknown]
    return known.assign(value=known["value"].astype("int64"))


# Reading one file.

COUNT_RULES = {
    "malformed": "The row cannot be read: it has more or fewer cells than there are columns.",
    "level": "The level is not one of those configured.",
    "measure": "The measure is not one of those configured.",
    "period": "The period does not fit period_format.",
    "value": "The value is not a whole number of 0 or more.",
    "category": "The category is not one of those configured.",
}


COUNT_PARTS = ("area_code", "area_name", "level", "period", "category", "measure", "value")
"""What a row of counts says, each in a column; see `CountColumns`."""


def count_columns(source: PublishedSource) -> list[tuple[str, str]]:
    """Return configuration key and name of every column a table of counts needs."""
    named = {part: getattr(source.columns, part) for part in COUNT_PARTS if part not in _in_titles(source)}
    found = [(f"published_counts.columns.{part}", name) for part, name in named.items() if name is not None]
    return [*found, *(("published_counts.columns.wide_columns", name) for name in source.columns.wide_columns)]


def _in_titles(source: PublishedSource) -> frozenset[str]:
    """Return the parts of a count that have no column of their own: those of a wide table."""
    wide = source.columns.wide
    return frozenset() if wide is None else frozenset({wide, "value"})


def counts_layout(source: PublishedSource) -> Layout:
    """Return what is known of a table of counts before it is opened."""
    columns = source.columns
    keys = (columns.area_code,) if columns.wide == "period" else (columns.area_code, columns.period)
    return Layout(source.header_row, wanted=tuple(name for _, name in count_columns(source)), keys=keys)


def read_counts(
    path: Path,
    *,
    source: PublishedSource,
    config: Config,
    areas_table: pd.DataFrame,
    lookup: Mapping[str, str] | None = None,
    label: str | None = None,
    scratch: Path | None = None,
) -> CountsPart:
    """Read one file of published counts.

    Parameters
    ----------
    path
        A table in any format that has rows.
    source, config
        Settings of the source and of the run.
    areas_table
        AREAS: the codes of each level, those above the boroughs too.
    lookup
        Codes of other editions and their current codes (see `areas.read_lookup`).
    label
        Name of the file in the quarantine; by default source name and file name.

    Returns
    -------
    part
        The table includes unmapped rows, marked as such. The category `categories.all_from` is called `all`.

    Raises
    ------
    InputError
        If the file or a column is missing, or a category is unknown and categories.unknown is `error`.
    """
    label = label or f"{source.name}/{path.name}"
    with unpacked(path, limits=config.run, scratch=scratch, whole=True) as file:
        raw = read_table(
            file,
            encoding=source.encoding,
            sheet=source.sheet,
            layout=counts_layout(source),
            limits=config.run,
            faults=True,
            scratch=scratch,
        )
        how = Opening(file.parent, config.run, encoding=source.encoding, sheet=source.sheet, whole=True)
        with header_explained(file, count_columns(source), how):
            outside, header, said = raw.attrs["outside"], raw.attrs["header"], raw.attrs["cautions"]
            blank, read = 0, len(raw)
            if source.columns.wide is not None:
                raw, blank = _unfolded(raw, source=source, categories=config.categories, file=path.name)
            texts = _named(raw, source=source, file=path.name)
    sorter = Lookup(config.categories)
    marks = _marks(texts["value"], source=source, file=path.name)
    codes = {str(c): str(v) for c, v in zip(areas_table["area_code"], areas_table["level"], strict=True)}
    rows = pd.DataFrame(
        {
            "level": _mapped(texts["level"], _level_of(source, texts, codes, config.areas.roles())),
            "measure": _mapped(texts["measure"], _measure_of(source)),
            "month": _mapped(texts["period"], _month_of(source.period_format)),
            "value": _mapped(texts["value"], lambda text: marks.get(_key(text), _whole(text))),
            "category": _mapped(texts["category"], _category_of(sorter, config)),
        }
    )
    given = texts["area_code"]
    rows["area_code"] = given.map(dict(lookup or {})).where(given.isin(list(lookup or {})), given)
    if source.columns.level is None:
        # Only the code gives the level of a row; an unknown code gets the level of the other rows.
        rows["level"] = rows["area_code"].map(codes).fillna(rows["level"])
    rows["area_name"] = texts["area_name"]
    rule = _rules(raw, rows)
    ignore = (rule == "category") & (config.categories.unknown == "ignore")
    # Levels above the boroughs are sums of them: their own rows would be counted twice.
    summed = (rule == "") & rows["level"].isin([Level.THIRD.value, Level.FOURTH.value])
    unknown = texts["category"][rule == "category"].value_counts().sort_index()
    if config.categories.unknown == "error" and len(unknown):
        raise InputError(
            f"{path.name} has categories that are not in the configuration: "
            f"{', '.join(f'{t!r} ({n} rows)' for t, n in unknown.items())}. Add them to categories.tree, or set "
            "categories.unknown to quarantine or ignore"
        )
    # The outcomes exclude each other, and later assignments override: a row that cannot be used is not also unmapped.
    # A code counts as mapped only at its own level; otherwise a borough's code among wards would be added to both.
    rows["mapped"] = rows["area_code"].map(codes) == rows["level"]
    rows["fate"] = "mapped"
    rows.loc[~rows["mapped"], "fate"] = "unmapped"
    rows.loc[rule != "", "fate"] = "quarantined"
    rows.loc[ignore | summed, "fate"] = "ignored"
    # If a count is suppressed, or unreadable and the only one of its cell, the cell is kept as unknown, because a
    # missing cell may mean zero.
    rows["value"] = rows["value"].where(rows["value"] != _SUPPRESSED, None)
    suppressed = (rule == "") & ~summed & rows["value"].isna()
    sound = rows[((rule == "") & ~summed) | ((rule == "value") & rows["category"].notna())]
    kept = sound.assign(
        source=source.name, month=sound["month"].astype("int64"), value=pd.array(list(sound["value"]), dtype="Int64")
    )
    faulty = kept.index.isin(rows.index[rule == "value"])
    twice = pd.MultiIndex.from_frame(kept[list(COUNT_KEY)]).isin(
        pd.MultiIndex.from_frame(kept.loc[~faulty, list(COUNT_KEY)])
    )
    kept = kept[~faulty | ~twice]
    table = _added_up(kept)
    report = CountsReport(
        source=label,
        rows_read=len(raw),
        accounting=accounting(rows, texts),
        unmapped=unmapped(kept[~kept["mapped"]], codes),
        matched_pct=matched_pct(kept, codes),
        suppressed=int(suppressed.sum()),
        repeated_keys=int(kept.duplicated(list(COUNT_KEY), keep=False).sum()),
        looked_up=int(given.isin(list(lookup or {})).sum()),
        quarantined={n: int(((rule == n) & ~ignore).sum()) for n in COUNT_RULES if ((rule == n) & ~ignore).any()},
        labels=dict(sorted(sorter.labels.items())),
        ignored_categories={str(t): int(n) for t, n in unknown.items()} if ignore.any() else {},
        wide={"rows": read, "blank_cells": blank} if source.columns.wide else {},
        first_month=int(kept["month"].min()) if len(kept) else 0,
        last_month=int(kept["month"].max()) if len(kept) else 0,
        outside=[row._asdict() for row in outside],
        cautions=[
            *said,
            *filter(None, [left_out_caution(label, outside, header=header), _summed_caution(label, summed)]),
        ],
    )
    refused = _quarantine(raw, rule.where(~ignore, ""), label=label)
    return CountsPart(PUBLISHED_COUNTS.conform(table), refused, report)


def _summed_caution(label: str, summed: "pd.Series[bool]") -> str:
    """Say that rows of a third or fourth level are not used; nothing without any."""
    if not summed.any():
        return ""
    return (
        f"{label}: {int(summed.sum()):,} rows are of the third or fourth level of areas.levels, whose counts are sums "
        "of the levels below. They are ignored."
    )


def _named(raw: pd.DataFrame, *, source: PublishedSource, file: str) -> dict[str, pd.Series]:
    """Texts of every column that the counts need; empty if a column is not configured."""
    given = [(key, name) for key, name in count_columns(source) if not key.endswith(".wide_columns")]
    wanted = [*given, *((f"published_counts.columns.{part}", _UNFOLDED[part]) for part in sorted(_in_titles(source)))]
    at = find_columns(wanted, [c for c in raw.columns if c != FAULT], file=file)
    texts = dict.fromkeys(COUNT_PARTS, pd.Series("", index=raw.index, dtype="str"))
    return texts | {key.rpartition(".")[2]: raw.iloc[:, i].str.strip() for (key, _), i in zip(wanted, at, strict=True)}


# A wide table: one column for each month, category or measure.

_UNFOLDED = {part: f"({part})" for part in ("period", "category", "measure", "value")}
_ROW = "(row)"


def _unfolded(
    raw: pd.DataFrame, *, source: PublishedSource, categories: Categories, file: str
) -> tuple[pd.DataFrame, int]:
    """Return one row for each filled cell of a wide table, and the number of blank cells.

    The index counts the cells, row by row, blank ones too. A malformed row stays one row.

    Raises
    ------
    InputError
        If no column is of the kind, or which month a column is for is not clear.
    """
    names = [c for c in raw.columns if c != FAULT]
    given = find_columns(count_columns(source), names, file=file)
    roles = given[: len(given) - len(source.columns.wide_columns)]
    columns = given[len(roles) :] or _wide_columns(names, roles, source=source, categories=categories, file=file)
    kept = raw.iloc[:, list(roles)].iloc[np.repeat(np.arange(len(raw)), len(columns))]
    long = kept.reset_index(drop=True).assign(
        **{
            _UNFOLDED[str(source.columns.wide)]: np.tile(np.array([names[i] for i in columns], dtype=object), len(raw)),
            _UNFOLDED["value"]: raw.iloc[:, list(columns)].to_numpy(dtype=object).reshape(-1),
            _ROW: np.repeat(np.arange(1, len(raw) + 1), len(columns)).astype(str),
            FAULT: np.repeat(raw[FAULT].to_numpy(dtype=object), len(columns)),
        }
    )
    filled = long[_UNFOLDED["value"]].str.strip() != ""
    first_cell = np.arange(len(long)) % len(columns) == 0
    malformed = long[FAULT] != ""
    return long[(filled & ~malformed) | (malformed & first_cell)], int((~filled & ~malformed).sum())


def _wide_columns(
    names: Sequence[str], roles: Sequence[int], *, source: PublishedSource, categories: Categories, file: str
) -> tuple[int, ...]:
    """Return the columns whose names are months, categories or measures, as the settings list or write them."""
    wide = source.columns.wide
    if wide == "period":
        known: Callable[[str], object] = _month_of(source.period_format)
        what, setting = f"a month in period_format {source.period_format!r}", "period_format"
    elif wide == "measure":
        known, what, setting = _measure_of(source), "listed in measures", "measures"
    else:
        # Without categories in the configuration any name would do, that of a column of notes too.
        known = Lookup(categories).of if categories.tree else lambda _: None
        what, setting = "listed in categories.tree", "categories.tree"
    free = [i for i in range(len(names)) if i not in roles]
    found = tuple(i for i in free if known(names[i]) is not None)
    if wide == "period":
        unclear = [names[i] for i in free if i not in found and is_month_title(re.sub(r" \(\d+\)$", "", names[i]))]
        if unclear:
            raise InputError(
                f"{file} has columns that look like months but are not written as period_format "
                f"({source.period_format!r}) says, or stand twice: {', '.join(map(repr, unclear[:_NAMED]))}. Set "
                "period_format, or list the columns that count in published_counts.columns.wide_columns"
            )
    if not found:
        raise InputError(
            f"{file} has no column whose name is {what}, as columns.wide: {wide} needs. It has: "
            f"{', '.join(map(repr, [names[i] for i in free][:60]))}. Set {setting} or columns.wide_columns"
        )
    return found


_NAMED = 5


def _mapped(texts: pd.Series, function: Callable[[str], Any]) -> pd.Series:
    """Apply a function once to each distinct text; None stays None."""
    codes, distinct = pd.factorize(texts)
    found = np.empty(len(distinct), dtype=object)
    found[:] = [function(str(t)) for t in distinct]
    return pd.Series(found[codes], index=texts.index, dtype=object)


def _level_of(
    source: PublishedSource, texts: Mapping[str, pd.Series], codes: Mapping[str, str], roles: Mapping[str, Level]
) -> Callable[[str], Any]:
    if source.columns.level is None:
        present = sorted({codes[c] for c in texts["area_code"].unique() if c in codes})
        only = present[0] if len(present) == 1 else Level.WARD.value
        return lambda _: only
    named = {_key(t): roles[level].value for t, level in source.levels.items()}
    named = named or {name: level.value for name, level in roles.items()}
    return lambda text: named.get(_key(text))


def _measure_of(source: PublishedSource) -> Callable[[str], Any]:
    if source.columns.measure is None and source.columns.wide != "measure":
        return lambda _: Measure.INCIDENTS.value
    named: dict[str, str] = {_key(t): m for t, m in source.measures.items()}
    named = named or {n.value: n.value for n in COUNTED}
    return lambda text: named.get(_key(text))


def _month_of(period_format: str) -> Callable[[str], int | None]:
    def month(text: str) -> int | None:
        try:
            found = datetime.strptime(text, period_format)  # noqa: DTZ007 a month has no zone
        except ValueError:
            return None
        return found.year * 100 + found.month

    return month


def _category_of(sorter: Lookup, config: Config) -> Callable[[str], str | None]:
    whole = config.categories.all_from

    def category(text: str) -> str | None:
        if not text or _key(text) == ROOT:
            return ROOT
        ids = sorter.of(text)
        if ids is None:
            return None
        if len(ids) > 1:
            raise InputError(
                f"the category {text!r} matches {' and '.join(sorted(ids))}, but a published count belongs to one: "
                "remove the text from all but one category"
            )
        (found,) = ids
        return ROOT if found == whole else found

    return category


def _whole(text: str) -> int | None:
    plain = text.replace(",", "").removesuffix(".0")
    return int(plain) if re.fullmatch(r"[0-9]{1,15}", plain) else None


_SUPPRESSED = -1
_LOOKS_LIKE_A_MARK = re.compile(
    r"\W{1,3}|\[[A-Za-z]{1,4}\]|[A-Za-z]{1,2}|n/a|(<|>|<=|>=|≤|≥|under|below|fewer than|less than) *[0-9]+"
    r"|[0-9]+ *(-|–|to) *[0-9]+|suppressed|redacted|withheld|low",
    re.IGNORECASE,
)


def _marks(values: pd.Series, *, source: PublishedSource, file: str) -> dict[str, int]:
    """Return the meaning of texts in place of counts: 0, or `_SUPPRESSED`.

    Raises
    ------
    InputError
        If there is a text that no setting explains and that looks intentional.
    """
    meant = {_key(t): _SUPPRESSED for t in source.suppressed_marks} | {_key(t): 0 for t in source.zero_marks}
    strange = {
        text for text in map(str, values.unique()) if _LOOKS_LIKE_A_MARK.fullmatch(text) and _key(text) not in meant
    }
    if strange:
        asked = values[values.isin(strange)]
        where = "" if source.columns.wide else f" in {source.columns.value!r}"
        listed = ", ".join(f"{text!r} in {number:,} rows" for text, number in asked.value_counts().head(5).items())
        raise InputError(
            f"{file} has texts in place of counts{where}: {listed}. State their meaning in "
            f"the source {source.name}: suppressed_marks lists those that are unknown (suppressed), zero_marks "
            "those that mean 0"
        )
    return meant


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()


def _rules(raw: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Return the first rule that each row breaks, empty for none."""
    rule = pd.Series("", index=raw.index, dtype="str").where(raw[FAULT] == "", "malformed")
    for name, column in (("level", "level"), ("measure", "measure"), ("period", "month"), ("value", "value"),
                         ("category", "category")):  # fmt: skip
        rule = rule.where((rule != "") | rows[column].notna(), name)
    return rule


def _quarantine(raw: pd.DataFrame, rule: pd.Series, *, label: str) -> pd.DataFrame:
    bad = rule[rule != ""]
    records = raw.loc[bad.index].drop(columns=FAULT).to_dict("records")
    faults = raw.loc[bad.index, FAULT]
    return QUARANTINE.conform(
        pd.DataFrame(
            {
                "source": label,
                "source_row": bad.index.to_numpy() + 1,
                "rule": bad.to_numpy(),
                "reason": [COUNT_RULES[r] for r in bad],
                "raw": [f or json.dumps(r, ensure_ascii=False) for f, r in zip(faults, records, strict=True)],
            }
        )
    )
