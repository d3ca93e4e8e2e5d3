"""Counts already published by area: read, mapped to the boundaries, and accounted for to the last one."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config import Areas, Config, PublishedSource, Run
from pipeline.domain.categories import ROOT
from pipeline.errors import InputError
from pipeline.ingest.counts.account import COUNT_KEY, CountsPart, CountsReport, accounting, matched_pct, unmapped
from pipeline.ingest.formats.files import DEFAULT_LIMITS, existing
from pipeline.ingest.formats.source import FAULT, find_columns
from pipeline.ingest.formats.table import read_text_table
from pipeline.ingest.incidents.categories import Lookup
from pipeline.tables import PUBLISHED_COUNTS, QUARANTINE

__all__ = ["COUNT_RULES", "LOOKUP_COLUMNS", "count_columns", "read_counts", "read_lookup"]

COUNT_RULES = {
    "malformed": "The row cannot be read: it has more or fewer cells than there are columns.",
    "level": "The level is none that is configured.",
    "measure": "The measure is none that is configured.",
    "period": "The period does not fit period_format.",
    "value": "The value is not a whole number of 0 or more.",
    "category": "The category is none that is configured.",
}


LOOKUP_COLUMNS = (("areas.lookup", "from_code"), ("areas.lookup", "to_code"))


def count_columns(source: PublishedSource) -> list[tuple[str, str]]:
    """Return configuration key and name of every column a table of counts needs."""
    named = {part: getattr(source.columns, part) for part in type(source.columns).model_fields}
    return [(f"published_counts.columns.{part}", name) for part, name in named.items() if name is not None]


def read_lookup(
    areas: Areas, *, base: Path, limits: Run = DEFAULT_LIMITS, scratch: Path | None = None
) -> dict[str, str]:
    """Read what codes of other editions are in this one; empty where no table is given.

    Raises
    ------
    InputError
        If the table lacks a column, or a code is two codes here: such counts cannot be split.
    """
    if areas.lookup is None:
        return {}
    path = existing(areas.lookup, base=base, what="areas.lookup")
    table = read_text_table(path, encoding="utf-8", limits=limits, scratch=scratch)
    old, new = (
        table.iloc[:, at].str.strip() for at in find_columns(LOOKUP_COLUMNS, list(table.columns), file=path.name)
    )
    pairs = sorted(set(zip(old, new, strict=True)))
    found = dict(pairs)
    if len(found) < len(pairs):
        split = sorted({a for a, b in pairs if found[a] != b})
        raise InputError(
            f"{path.name} takes one code to several ({', '.join(split[:10])}): counts of an area that was split cannot "
            "be shared out. Leave these codes out of the table; they are then listed as unmapped"
        )
    return found


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
        CSV, also .gz.
    source, config
        Settings of the source and of the run.
    areas_table
        AREAS: the codes of each level.
    lookup
        Codes of other editions and what they are in this one (see `read_lookup`).
    label
        What the quarantine calls the file; source name and file name if left out.

    Returns
    -------
    part
        The table holds unmapped rows too, marked so. The category `categories.all_from` is called `all`.

    Raises
    ------
    InputError
        If the file or a column is missing, or a category is unknown and that is configured to be an error.
    """
    label = label or f"{source.name}/{path.name}"
    raw = read_text_table(path, encoding=source.encoding, limits=config.run, faults=True, scratch=scratch)
    texts = _named(raw, source=source, file=path.name)
    sorter = Lookup(config.categories)
    codes = {str(c): str(v) for c, v in zip(areas_table["area_code"], areas_table["level"], strict=True)}
    rows = pd.DataFrame(
        {
            "level": _mapped(texts["level"], _level_of(source, texts, codes)),
            "measure": _mapped(texts["measure"], _measure_of(source)),
            "month": _mapped(texts["period"], _month_of(source.period_format)),
            "value": _mapped(texts["value"], _whole),
            "category": _mapped(texts["category"], _category_of(sorter, config)),
        }
    )
    given = texts["area_code"]
    rows["area_code"] = given.map(dict(lookup or {})).where(given.isin(list(lookup or {})), given)
    rows["area_name"] = texts["area_name"]
    rule = _rules(raw, rows)
    ignore = (rule == "category") & (config.categories.unknown == "ignore")
    unknown = texts["category"][rule == "category"].value_counts().sort_index()
    if config.categories.unknown == "error" and len(unknown):
        raise InputError(
            f"{path.name} has categories that the configuration does not know: "
            f"{', '.join(f'{t!r} ({n} rows)' for t, n in unknown.items())}. Add them to categories.tree, or set "
            "categories.unknown to quarantine or ignore"
        )
    rows["mapped"] = rows["area_code"].map(codes) == rows["level"]
    rows["fate"] = "mapped"
    rows.loc[~rows["mapped"], "fate"] = "unmapped"
    rows.loc[rule != "", "fate"] = "quarantined"
    rows.loc[ignore, "fate"] = "ignored"
    sound = rows[rule == ""]
    kept = sound.assign(source=source.name, month=sound["month"].astype("int64"), value=sound["value"].astype("int64"))
    table = kept.groupby([*COUNT_KEY, "mapped"], sort=True, as_index=False)["value"].sum()
    report = CountsReport(
        source=label,
        rows_read=len(raw),
        accounting=accounting(rows, texts),
        unmapped=unmapped(kept[~kept["mapped"]], codes),
        matched_pct=matched_pct(kept, codes),
        repeated_keys=int(kept.duplicated(list(COUNT_KEY), keep=False).sum()),
        looked_up=int(given.isin(list(lookup or {})).sum()),
        quarantined={n: int(((rule == n) & ~ignore).sum()) for n in COUNT_RULES if ((rule == n) & ~ignore).any()},
        labels=dict(sorted(sorter.labels.items())),
        ignored_categories={str(t): int(n) for t, n in unknown.items()} if ignore.any() else {},
        first_month=int(kept["month"].min()) if len(kept) else 0,
        last_month=int(kept["month"].max()) if len(kept) else 0,
    )
    refused = _quarantine(raw, rule.where(~ignore, ""), label=label)
    return CountsPart(PUBLISHED_COUNTS.conform(table), refused, report)


def _named(raw: pd.DataFrame, *, source: PublishedSource, file: str) -> dict[str, pd.Series]:
    """Texts of every column the counts need; empty where a column is not configured."""
    wanted = count_columns(source)
    at = find_columns(wanted, [c for c in raw.columns if c != FAULT], file=file)
    texts = dict.fromkeys(type(source.columns).model_fields, pd.Series("", index=raw.index, dtype="str"))
    return texts | {key.rpartition(".")[2]: raw.iloc[:, i].str.strip() for (key, _), i in zip(wanted, at, strict=True)}


def _mapped(texts: pd.Series, function: Callable[[str], Any]) -> pd.Series:
    """Apply a function once per distinct text; None stays None."""
    codes, distinct = pd.factorize(texts)
    found = np.empty(len(distinct), dtype=object)
    found[:] = [function(str(t)) for t in distinct]
    return pd.Series(found[codes], index=texts.index, dtype=object)


def _level_of(
    source: PublishedSource, texts: Mapping[str, pd.Series], codes: Mapping[str, str]
) -> Callable[[str], Any]:
    if source.columns.level is None:
        present = sorted({codes[c] for c in texts["area_code"].unique() if c in codes})
        only = present[0] if len(present) == 1 else "ward"
        return lambda _: only
    named = {_key(t): level for t, level in source.levels.items()} or {n: n for n in ("ward", "borough", "region")}
    return lambda text: named.get(_key(text))


def _measure_of(source: PublishedSource) -> Callable[[str], Any]:
    if source.columns.measure is None:
        return lambda _: "incidents"
    named = {_key(t): m for t, m in source.measures.items()} or {n: n for n in ("incidents", "positive_outcomes")}
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
                "take the text out of all but one category"
            )
        (found,) = ids
        return ROOT if found == whole else found

    return category


def _whole(text: str) -> int | None:
    plain = text.replace(",", "").removesuffix(".0")
    return int(plain) if re.fullmatch(r"[0-9]{1,15}", plain) else None


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()


def _rules(raw: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Return the first rule that refuses each row, empty for none."""
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
