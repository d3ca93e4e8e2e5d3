"""Categories of incidents: their ids, and the relations declared between them. Categories may overlap.

Categories form a tree. Siblings overlap (one offence can be racist and homophobic), so **categories never sum to a
total**. The root `all` counts each incident once; an incident in a child counts once in every ancestor.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.config import RESERVED_ENDS, Categories, Config, PublishedSource, names_an_end
from pipeline.errors import InputError

__all__ = [
    "ROOT",
    "Subset",
    "Union",
    "by_category",
    "declared_by",
    "declared_relations",
    "having",
    "in_total",
    "outside_total",
    "relation_report",
    "slug",
    "slugs",
]

ROOT = "all"


def slug(label: str) -> str:
    """Make a category id from a label: "Racist and Religious Crime" becomes ``racist_and_religious_crime``.

    Raises
    ------
    InputError
        If no letter or digit of the label survives.
    """
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "_", re.sub(r"['’]", "", plain.casefold())).strip("_")
    if not words:
        raise InputError(f"no category id can be made from the label {label!r}: give one in categories")
    return words if words[0].isalpha() else f"c_{words}"


def slugs(labels: Iterable[str]) -> dict[str, str]:
    """Return the id of every label; two labels with the same id, or a label with the reserved id, are an error.

    Raises
    ------
    InputError
        Naming all labels that collide.
    """
    made = {label: slug(label) for label in labels}
    holders: dict[str, list[str]] = {}
    for label, made_id in made.items():
        holders.setdefault(made_id, []).append(label)
    clashes = [
        f"{' and '.join(map(repr, held))} {'is' if len(held) == 1 else 'both become'} {made_id!r}"
        + (" (reserved for every incident once)" if made_id == ROOT else "")
        + (f" ({RESERVED_ENDS})" if names_an_end(made_id) else "")
        for made_id, held in holders.items()
        if len(held) > 1 or made_id == ROOT or names_an_end(made_id)
    ]
    if clashes:
        raise InputError(f"category labels collide: {'; '.join(clashes)}. Give these categories ids of their own")
    return made


@dataclass(frozen=True, slots=True)
class Subset:
    """A declared relation: every incident of `child` is an incident of `parent`."""

    child: str
    parent: str

    def __str__(self) -> str:
        return f"{self.child} within {self.parent}"


@dataclass(frozen=True, slots=True)
class Union:
    """A declared relation: `whole` holds the incidents of its `parts` and no other; parts may overlap."""

    whole: str
    parts: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.whole} is {' or '.join(self.parts)}"


def outside_total(settings: Categories) -> frozenset[str]:
    """Return the categories that count in no total: those in `categories.outside`, and their subcategories."""
    found = set(settings.outside)
    while more := {c.id for c in settings.tree if c.parent in found} - found:
        found |= more
    return frozenset(found)


def in_total(categories: "pd.Series[str]", outside: Collection[str]) -> "pd.Series[bool]":
    """Return for each row whether it counts in the total: it does not if all its categories are outside.

    Parameters
    ----------
    categories
        Ids joined by semicolons; null or empty for none, which counts in the total.
    outside
        As `outside_total`.

    >>> in_total(pd.Series(["asb", "asb;theft", "theft", None]), ["asb"]).tolist()
    [False, True, True, True]
    """
    texts = categories.fillna("")
    apart = {text for text in texts.drop_duplicates() if text and set(text.split(";")) <= set(outside)}
    return ~texts.isin(apart)


def having(categories: "pd.Series[str]", category: str) -> "pd.Series[bool]":
    """Return for each row whether it is in a category, from ids joined by semicolons.

    >>> having(pd.Series(["theft", "theft;bicycle", None]), "bicycle").tolist()
    [False, True, False]
    """
    texts = categories.fillna("")
    return texts.isin({text for text in texts.drop_duplicates() if category in text.split(";")})


def by_category(incidents: pd.DataFrame) -> pd.DataFrame:
    """Repeat each incident for every category it counts in, and once for `all`.

    Parameters
    ----------
    incidents
        With a column categories: ids closed under ancestors and joined by semicolons; null or empty for none.

    Returns
    -------
    rows
        The incidents with a column category in place of categories. Rows of different categories overlap: sum them
        within one category, never over several.
    """
    lists = incidents["categories"].fillna("").str.split(";")
    closed = [sorted({ROOT, *(c for c in one if c)}) for one in lists]
    return incidents.drop(columns="categories").assign(category=closed).explode("category", ignore_index=True)


def declared_by(source: PublishedSource, *, categories: Categories) -> tuple[Subset | Union, ...]:
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


def declared_relations(config: Config) -> tuple[Subset | Union, ...]:
    """List the relations that any source of published counts declares."""
    found = [r for source in config.published_counts for r in declared_by(source, categories=config.categories)]
    return tuple(dict.fromkeys(found))


def relation_report(counts: pd.DataFrame, relations: Sequence[Subset | Union]) -> pd.DataFrame:
    """Count where published counts violate the relations declared between their categories.

    Parameters
    ----------
    counts
        Columns area_code, month, category, measure, value, and optionally level and source. An absent row is zero.
    relations
        Relations that should hold. A subset: child <= parent. A union: each part <= whole <= sum of the parts (because
        parts overlap, the whole may be smaller than that sum, but not larger).

    Returns
    -------
    report
        One row per relation, measure and, where given, level and source: relation (its words), position (in
        `relations`), cells (area-months with any of its counts), violations, largest_excess (incidents).

    Raises
    ------
    InputError
        If a column is missing.
    """
    lacking = sorted({"area_code", "month", "category", "measure", "value"} - set(counts.columns))
    if lacking:
        raise InputError(f"counts lack the columns {', '.join(lacking)}: relations cannot be tested without them")
    split = [c for c in ("source", "level", "measure") if c in counts.columns]
    rows = []
    for position, relation in enumerate(relations):
        parts = (relation.child,) if isinstance(relation, Subset) else relation.parts
        whole = relation.parent if isinstance(relation, Subset) else relation.whole
        concerned = counts[counts["category"].isin((whole, *parts))]
        table = concerned.pivot_table(
            index=[*split, "area_code", "month"], columns="category", values="value", aggfunc="sum", fill_value=0
        ).reindex(columns=[whole, *parts], fill_value=0)
        excess = table[list(parts)].max(axis=1) - table[whole]
        if isinstance(relation, Union):
            excess = excess.combine(table[whole] - table[list(parts)].sum(axis=1), max)
        for key, group in excess.groupby(level=split, sort=True):
            over = group[group > 0]
            rows.append(
                {
                    **dict(zip(split, key if isinstance(key, tuple) else (key,), strict=True)),
                    "relation": str(relation),
                    "position": position,
                    "cells": len(group),
                    "violations": len(over),
                    "largest_excess": int(over.max()) if len(over) else 0,
                }
            )
    columns = [*split, "relation", "position", "cells", "violations", "largest_excess"]
    return pd.DataFrame(rows, columns=columns)
