"""What incidents are recorded as: a tree of categories that may overlap, and the relations declared between them.

Siblings overlap (one offence can be racist and homophobic), so **categories never sum to a total**. The root `all`
counts each incident once; an incident in a child counts once in every ancestor.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pandas as pd

from pipeline.errors import ConfigError, InputError

__all__ = [
    "ROOT",
    "Category",
    "CategoryTree",
    "Subset",
    "Union",
    "by_category",
    "kept_relations",
    "relation_report",
    "slug",
    "slugs",
]

ROOT = "all"
_ID = re.compile(r"[a-z][a-z0-9_]*")


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
    """Give every label its id; two labels that come to one id, or to the reserved one, are an error.

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
        for made_id, held in holders.items()
        if len(held) > 1 or made_id == ROOT
    ]
    if clashes:
        raise InputError(f"category labels collide: {'; '.join(clashes)}. Give these categories ids of their own")
    return made


@dataclass(frozen=True, slots=True)
class Category:
    """One category: id, label for readers, parent id (None: directly under `all`), names used by the source."""

    id: str
    label: str
    parent: str | None = None
    aliases: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True)
class CategoryTree:
    """The categories of one source.

    Parameters
    ----------
    categories
        In the order in which they are shown. The root `all` is implied.
    root_label
        Words for the root, for example "All hate crime".
    root_aliases
        Names the source uses for the root.

    Raises
    ------
    ConfigError
        Once, naming every fault: a malformed, reserved or repeated id, an unknown parent, a cycle, a source name
        claimed twice.
    """

    categories: tuple[Category, ...]
    root_label: str = "All"
    root_aliases: tuple[str, ...] = ()
    _parents: dict[str, str] = field(init=False, repr=False, compare=False)
    _names: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parents = {c.id: c.parent or ROOT for c in self.categories}
        names: dict[str, str] = {}
        faults = [*self._id_faults(parents), *self._name_faults(names)]
        if faults:
            raise ConfigError("the categories cannot be used: " + "; ".join(faults))
        object.__setattr__(self, "_parents", parents)
        object.__setattr__(self, "_names", names)

    def _id_faults(self, parents: dict[str, str]) -> Iterator[str]:
        seen: set[str] = set()
        for category in self.categories:
            if not _ID.fullmatch(category.id):
                yield f"{category.id!r} is no id (write a-z, 0-9 and _, a letter first)"
            if category.id == ROOT:
                yield f"{ROOT!r} is reserved: it counts each incident once"
            if category.id in seen:
                yield f"{category.id!r} is declared twice"
            seen.add(category.id)
            if category.parent not in {None, ROOT, *parents}:
                yield f"{category.id!r} names the parent {category.parent!r}, which is not declared"
            path = [category.id]
            while path[-1] in parents and path[-1] != ROOT and path[-1] not in path[:-1]:
                path.append(parents[path[-1]])
            # Each cycle is told once, by its first member; a member of no cycle only leads into one.
            if path[-1] == path[0] == min(path) and len(path) > 1 and path[0] != ROOT:
                yield f"{' within '.join(path)} is a circle"

    def _name_faults(self, names: dict[str, str]) -> Iterator[str]:
        claims = [(ROOT, alias) for alias in self.root_aliases]
        claims += [(c.id, name) for c in self.categories for name in (c.id, c.label, *c.aliases)]
        for category_id, name in claims:
            key = name.strip().casefold()
            if names.setdefault(key, category_id) != category_id:
                yield f"the source name {name!r} is claimed by both {names[key]!r} and {category_id!r}"

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, the root first, then in the order declared."""
        return (ROOT, *(c.id for c in self.categories))

    @property
    def labels(self) -> dict[str, str]:
        """Label of every id."""
        return {ROOT: self.root_label} | {c.id: c.label for c in self.categories}

    def resolve(self, name: str) -> str | None:
        """Find the id a source's name stands for (id, label or alias, whatever the case), or None."""
        key = name.strip().casefold()
        return self._names.get(key, ROOT if key == ROOT else None)

    def ancestors(self, category_id: str) -> tuple[str, ...]:
        """List what holds a category, nearest first; the last is `all`, which itself has none.

        Raises
        ------
        InputError
            If the id is not declared.
        """
        if category_id == ROOT:
            return ()
        if category_id not in self._parents:
            raise InputError(f"{category_id!r} is no declared category: choose from {', '.join(self.ids)}")
        chain = [self._parents[category_id]]
        while chain[-1] != ROOT:
            chain.append(self._parents[chain[-1]])
        return tuple(chain)

    def closure(self, ids: Iterable[str]) -> tuple[str, ...]:
        """List, sorted, every category an incident counts in: those given, their ancestors, and always `all`."""
        held = {ROOT}
        for category_id in ids:
            held.update((category_id, *self.ancestors(category_id)))
        return tuple(sorted(held))

    def relations(self) -> tuple[Subset, ...]:
        """State the tree as relations: each category within its parent."""
        return tuple(Subset(c.id, self._parents[c.id]) for c in self.categories)


def by_category(incidents: pd.DataFrame) -> pd.DataFrame:
    """Repeat each incident for every category it counts in, and once for `all`.

    Parameters
    ----------
    incidents
        With a column categories: ids closed under ancestors and joined by semicolons; null or empty for none.

    Returns
    -------
    rows
        The incidents with a column category in place of categories. Rows of different categories overlap: count them
        within one category, never over several.
    """
    lists = incidents["categories"].fillna("").str.split(";")
    closed = [sorted({ROOT, *(c for c in one if c)}) for one in lists]
    return incidents.drop(columns="categories").assign(category=closed).explode("category", ignore_index=True)


def relation_report(counts: pd.DataFrame, relations: Sequence[Subset | Union]) -> pd.DataFrame:
    """Count where published counts violate the relations declared between their categories.

    Parameters
    ----------
    counts
        Columns area_code, month, category, measure, value, and optionally level and source. An absent row is zero.
    relations
        What should hold. A subset: child <= parent. A union: each part <= whole <= sum of the parts (overlap makes
        the whole smaller than that sum, never larger).

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


def kept_relations(relations: Sequence[Subset | Union], report: pd.DataFrame) -> tuple[Subset | Union, ...]:
    """Keep the relations that the data never violate; the others must not be relied on anywhere."""
    violated = set(report.loc[report["violations"] > 0, "position"])
    return tuple(r for i, r in enumerate(relations) if i not in violated)
