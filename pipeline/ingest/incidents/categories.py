"""Assign rows to categories: by text, flag columns or rules; a row also belongs to all ancestors."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Categories, Category, IncidentSource
from pipeline.config.section import did_you_mean
from pipeline.domain.categories import ROOT, slugs
from pipeline.errors import ConfigError, InputError
from pipeline.ingest.formats.files import Opened, find_columns
from pipeline.ingest.incidents.columns import Coded, Roles, coded, strings

__all__ = [
    "Lookup",
    "Sorter",
    "category_columns",
    "listed_categories",
    "merged_labels",
    "plan_sorting",
    "require_outside",
]


@dataclass(slots=True)
class Lookup:
    """Category ids for a text of the category column.

    Without categories in the configuration every text becomes a category, with an id derived from it.
    """

    settings: Categories
    labels: dict[str, str] = field(default_factory=dict)
    _ids: dict[str, frozenset[str]] = field(default_factory=dict)
    _parents: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named: dict[str, set[str]] = {}
        for category in self.settings.tree:
            self._parents[category.id] = category.parent
            for text in category.match:
                named.setdefault(_key(text), set()).add(category.id)
        for category in self.settings.tree:
            for text in (category.label, category.id):
                if text:
                    named.setdefault(_key(text), {category.id})
        self._ids = {text: frozenset(ids) for text, ids in named.items()}

    def of(self, text: str) -> frozenset[str] | None:
        """Ids of one text; None if no category matches."""
        key = _key(text)
        if key not in self._ids and not self.settings.tree:
            (made,) = slugs([text]).values()
            other = self.labels.setdefault(made, text)
            if _key(other) != key:
                raise InputError(
                    f"category labels collide: {other!r} and {text!r} both become {made!r}. "
                    "Give these categories ids of their own in categories.tree"
                )
            self._ids[key] = frozenset({made})
        return self._ids.get(key)

    def closed(self, ids: Iterable[str]) -> str:
        """Ids with their ancestors, sorted, joined by semicolons."""
        held: set[str] = set()
        for category_id in ids:
            at: str | None = category_id
            while at is not None and at not in held:
                held.add(at)
                at = self._parents.get(at)
        return ";".join(sorted(held))


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()


Signal = tuple[NDArray[np.int64], list[frozenset[str]]]


@dataclass(slots=True)
class Sorter:
    """The category assignment of one file, with the texts that no category matched."""

    lookup: Lookup
    column: int | None
    flags: tuple[tuple[str, int], ...]
    rules: tuple[tuple[str, tuple[tuple[int, tuple[str, ...]], ...]], ...]
    true_values: frozenset[str]
    missing: frozenset[str] = frozenset()
    unknown: Counter[str] = field(default_factory=Counter)

    def sort(self, table: Any) -> tuple[Any, NDArray[np.bool_]]:
        """Assign the rows of a batch.

        Returns
        -------
        categories, unknown
            Ids per row as Arrow texts, and whether a text of the row matched no category.
        """
        rows = table.num_rows
        unknown = np.zeros(rows, dtype=bool)
        signals: list[Signal] = []
        cache: dict[int, Coded] = {}

        def column(at: int) -> Coded:
            if at not in cache:
                cache[at] = coded(table[f"c{at}"])
            return cache[at]

        if self.column is not None:
            texts = column(self.column)
            read = [self._read(v) for v in texts.values]
            signals.append((texts.codes.astype(np.int64), [ids for ids, _ in read]))
            if any(lost for _, lost in read):
                counts = np.bincount(texts.codes, minlength=len(read))
                for (_, lost), count in zip(read, counts, strict=True):
                    self.unknown.update(dict.fromkeys(lost, int(count)))
                unknown = np.array([bool(lost) for _, lost in read])[texts.codes]
        for category, at in self.flags:
            signals.append(_yes_no(category, column(at).flags(lambda v: v.casefold() in self.true_values)))
        for category, parts in self.rules:
            hit = np.ones(rows, dtype=bool)
            for at, texts_found in parts:
                hit &= column(at).flags(_contains(texts_found, self.missing))
            signals.append(_yes_no(category, hit))
        return self._joined(signals, rows), unknown

    def _read(self, text: str) -> tuple[frozenset[str], list[str]]:
        separator, tree = self.lookup.settings.separator, self.lookup.settings.tree
        whole = self.lookup.of(text) if text and tree else None
        if whole is not None:
            return whole, []
        tokens = [t.strip() for t in (text.split(separator) if separator else [text]) if t.strip()]
        # `None` or `-` may be the name of a category: a text that a category matches does not count as missing.
        missing = self.missing
        tokens = [t for t in tokens if _key(t) not in missing or (tree and self.lookup.of(t) is not None)]
        if _key(text) in missing:
            tokens = []
        found = {t: self.lookup.of(t) for t in tokens}
        return frozenset().union(*(ids for ids in found.values() if ids)), [
            t for t, ids in found.items() if ids is None
        ]

    def _joined(self, signals: list[Signal], rows: int) -> Any:
        """Combine all signals of a row: there are few distinct combinations, each resolved once."""
        # Each signal multiplies the combinations so far; only those that occur are kept, so their number stays small.
        code = np.zeros(rows, dtype=np.int64)
        held: list[frozenset[str]] = [frozenset()]
        for more, ids in signals:
            pairs = code * len(ids) + more
            distinct, code = np.unique(pairs, return_inverse=True)
            held = [held[int(p) // len(ids)] | ids[int(p) % len(ids)] for p in distinct]
        return strings([self.lookup.closed(ids) for ids in held], code)


def _yes_no(category: str, hit: NDArray[np.bool_]) -> Signal:
    return hit.astype(np.int64), [frozenset(), frozenset({category})]


def _contains(texts: tuple[str, ...], missing: frozenset[str]) -> Callable[[str], bool]:
    wanted = tuple(t.casefold() for t in texts)

    def found(value: str) -> bool:
        key = value.casefold()
        # A missing value contains no other text: a rule for texts with `l` does not match `NULL`.
        return key in wanted if key in missing else any(t in key for t in wanted)

    return found


def category_columns(categories: Categories) -> list[tuple[str, str]]:
    """Return configuration key and name of every column that flags and rules use."""
    flags = [(_flag_key(c), c.flag) for c in categories.tree if c.flag]
    return flags + [(_rule_key(c), name) for c in categories.tree for name in sorted(c.rule)]


def _flag_key(category: Category) -> str:
    return f"categories.{category.id}.flag"


def _rule_key(category: Category) -> str:
    return f"categories.{category.id}.rule"


def plan_sorting(opened: Opened, *, roles: Roles, source: IncidentSource, categories: Categories) -> Sorter:
    """Find the columns that the categories need.

    Raises
    ------
    InputError
        If a column of a flag or rule is missing, or texts are to be matched and there is no category column.
    """
    faults: list[str] = []
    wanted = category_columns(categories)
    at: dict[tuple[str, str], int] = {}
    try:
        at = dict(zip(wanted, find_columns(wanted, opened.columns, file=opened.name), strict=True))
    except InputError as error:
        faults.append(str(error))
    flags = tuple((c.id, at.get((_flag_key(c), c.flag), 0)) for c in categories.tree if c.flag)
    rules = tuple(
        (c.id, tuple((at.get((_rule_key(c), name), 0), texts) for name, texts in sorted(c.rule.items())))
        for c in categories.tree
        if c.rule
    )
    column = roles.at.get("category")
    matched = [c.id for c in categories.tree if c.match]
    if column is None and matched:
        faults.append(
            f"{opened.name} has no category column under a usual name, but {', '.join(matched)} match its texts: set "
            f"incidents.columns.category to one of {', '.join(map(repr, opened.columns))}"
        )
    if faults:
        raise InputError("; ".join(faults))
    if column is not None and categories.tree and (flags or rules) and not matched:
        column = None if source.columns.category is None else column  # rows are assigned by flags and rules alone
    true_values = frozenset(v.casefold() for v in source.true_values)
    return Sorter(Lookup(categories), column, flags, rules, true_values, roles.missing)


def merged_labels(found: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Labels of the categories created from texts, over all files; of spellings that differ in case, the first sorted.

    Raises
    ------
    InputError
        If different texts in the files lead to the same id.
    """
    held: dict[str, set[str]] = {}
    for labels in found:
        for made, label in labels.items():
            held.setdefault(made, set()).add(label)
    clashes = [texts for texts in held.values() if len({_key(t) for t in texts}) > 1]
    if clashes:
        raise InputError(
            "category labels of several files collide: "
            + "; ".join(" and ".join(repr(t) for t in sorted(texts)) for texts in clashes)
            + ". Give these categories ids of their own in categories.tree"
        )
    return {made: min(held[made]) for made in sorted(held)}


def listed_categories(settings: Categories, labels: Mapping[str, str]) -> list[dict[str, str | None]]:
    """List the categories in the order in which they are shown, the total first.

    Parameters
    ----------
    settings
        The configured categories; if there are none, those created from texts are listed by id.
    labels
        Ids and labels created from texts (`merged_labels`).

    Returns
    -------
    categories
        id, label and parent (None at the top) of each.
    """
    # Children of the category that is the total are at the top.
    shown: list[dict[str, str | None]] = [
        {"id": c.id, "label": c.label or c.id, "parent": None if c.parent == settings.all_from else c.parent}
        for c in settings.tree
    ]
    shown = shown or [{"id": i, "label": labels[i], "parent": None} for i in sorted(labels)]
    shown = [c for c in shown if c["id"] != settings.all_from]
    return [{"id": ROOT, "label": settings.all_label, "parent": None}, *shown]


def require_outside(settings: Categories, categories: list[dict[str, str | None]]) -> list[dict[str, str | None]]:
    """Return the categories; refuse a category in `categories.outside` that does not exist.

    Raises
    ------
    ConfigError
        If `categories.outside` contains an unknown category: its rows would count in the total.
    """
    known = [str(c["id"]) for c in categories]
    lost = [c for c in settings.outside if c not in known]
    if lost:
        raise ConfigError(
            f"categories.outside: {', '.join(f'{c}{did_you_mean(c, known)}' for c in lost)} is not a category. The "
            f"categories are {', '.join(known[1:])}"
        )
    return categories
