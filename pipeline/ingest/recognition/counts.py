"""Tables of counts by area: one row for each count, or months, categories or measures as columns."""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeline.config import names_an_end
from pipeline.domain.categories import ROOT, slug
from pipeline.errors import HotspotsError, InputError
from pipeline.ingest.formats.files import file_name
from pipeline.ingest.recognition.areas import SeenAreas, by_name
from pipeline.ingest.recognition.rows import CATEGORY, LATER, SeenRows, month_titles, months_in
from pipeline.ingest.recognition.texts import FEW, Guess, is_number, is_whole, number, share

__all__ = ["SeenCounts", "tree_of", "try_counts"]

_COUNT = re.compile(r"count|value|number|offences|incidents|total|crimes|^n$", re.IGNORECASE)
_POSITIVE = re.compile(r"outcome|detect|solved|sanction|charge", re.IGNORECASE)
_NO_COUNT = re.compile(
    r"rate|per |%|percent|share|popul|resid|year|month|week|^x$|^y$|lat|lon|east|north|code|index|rank|area$|_id$|^id$"
    r"|hectare|^column \d+$|unnamed",
    re.IGNORECASE,
)
_WHOLE = re.compile(
    r"(grand |overall )?total( .*)?|all( .*)?|any|overall|(hate|recorded|notifiable|total) crimes?|.* - total",
    re.IGNORECASE,
)
_FEWEST_TITLES = 2
_FEWEST_GROUPS = 3  # "Theft" alone may be a flag beside others
_LEAST_MATCHED = 0.5
_LONGEST = 50  # characters of an id, so that a number can be added


@dataclass(frozen=True, slots=True)
class SeenCounts:
    """A table of counts.

    Attributes
    ----------
    areas
        The areas as the counts identify them: by codes, or by names.
    columns
        Settings of `published_counts.columns`.
    levels, measures
        Texts and what they stand for.
    period_format
        The form of months.
    texts
        Texts of categories, in the order of the table; empty if there are none.
    whole
        The category that is the total, if one is.
    exclusive
        Why no incident counts in two categories, so that rows add up to the total; None if they may overlap.
    """

    areas: SeenAreas
    columns: dict[str, Guess]
    levels: dict[str, str]
    measures: dict[str, str]
    period_format: Guess
    texts: list[str] = field(default_factory=list)
    whole: Guess | None = None
    exclusive: str | None = None


def try_counts(seen: SeenRows, areas: SeenAreas) -> SeenCounts | None:
    """Recognise a table of counts by area; None if the rows are incidents.

    Raises
    ------
    InputError
        If they are counts by area, but nothing says of which month.
    """
    if seen.coordinates or _is_list_of_incidents(seen):
        return None
    found = _areas_named(seen, areas)
    if found is None:
        return None
    areas, area = found
    taken = {str(area.value)}
    titles = [c for c in month_titles(seen.columns) if is_whole([v for v in seen.texts[c] if v != "0"] or ["0"])]
    period = next(((c, form) for c, form in _periods(seen) if c not in taken), None)
    if period is None and len(titles) >= _FEWEST_TITLES:
        return _wide_months(seen, areas, area, titles)
    taken |= {period[0]} if period else set()
    numeric = [c for c in seen.columns if c not in taken and _is_count(c, seen.texts[c])]
    named = [c for c in numeric if _COUNT.search(c)]
    if period is None and numeric and seen.column("date") is None:
        raise InputError(
            f"{file_name(seen.path)} has counts by area ({area.value!r}; {', '.join(map(repr, numeric[:5]))}), but "
            "neither a column of months nor months as columns, so nothing says when they were counted: add a column "
            "with the month (2025-07), or ask for the counts by month"
        )
    if period is None or not numeric:
        return None
    columns = {
        "area_code": area,
        "period": Guess(period[0], f"months such as {next(v for v in seen.texts[period[0]] if v)!r}"),
    }
    form = Guess(period[1], f"all values of {period[0]} have this form")
    measured = len(numeric) == 2 and sum(bool(_POSITIVE.search(c)) for c in numeric) == 1
    if len(numeric) > 1 and (measured or len(named) != 1 or _total_of(numeric, seen) == named[0]):
        return _wide_rest(seen, areas, columns, numeric, form)
    why = "its name, and its values are numbers" if named else "the only column of whole numbers"
    columns["value"] = Guess((named or numeric)[0], why)
    levels, measures = _others(seen, areas, columns)
    texts, whole = _categories(seen, columns)
    return SeenCounts(areas, columns, levels, measures, form, texts, whole, _exclusive(texts))


def _is_list_of_incidents(seen: SeenRows) -> bool:
    """Whether every row has an id of its own."""
    column = seen.column("id")
    texts = seen.texts[column] if column else []
    return len(texts) > 1 and all(texts) and len(set(texts)) == len(texts)


def _areas_named(seen: SeenRows, areas: SeenAreas) -> tuple[SeenAreas, Guess] | None:
    """Return the column that says of which area a row is, and the areas as it identifies them."""
    shares: dict[str, float] = {}
    for kind, these in (("codes", areas), ("names", by_name(areas))):
        if these is None:
            continue
        known = these.codes | these.parents
        shares = {c: share([v for v in texts if v], known.__contains__) for c, texts in seen.texts.items()}
        column = max(shares, key=lambda c: shares[c])
        if shares[column] >= _LEAST_MATCHED:
            return these, Guess(column, f"{shares[column]:.0%} of its values are {kind} of the areas")
    return None


def _is_count(column: str, texts: Sequence[str]) -> bool:
    values = [v for v in texts if v]
    whole = share(values, lambda v: is_whole([v])) if values else 0.0
    return whole > _LEAST_MATCHED and not _NO_COUNT.search(column) and is_number([v for v in values if len(v) > 4])


def _periods(seen: SeenRows) -> list[tuple[str, str]]:
    """Return columns of months and their form; dates of single days are those of incidents."""
    found = [(c, months_in(texts)) for c, texts in seen.texts.items() if not LATER.search(c)]
    return [(c, form) for c, form in found if form is not None and _are_months(seen.texts[c], form)]


def _are_months(texts: Sequence[str], form: str) -> bool:
    days = {datetime.strptime(t, form).day for t in set(texts) if t}  # noqa: DTZ007 months have no zone
    return days == {1}


def _wide_months(seen: SeenRows, areas: SeenAreas, area: Guess, titles: list[str]) -> SeenCounts | None:
    form = months_in(titles)
    if form is None:
        return None
    columns = {
        "area_code": area,
        "wide": Guess("period", f"{len(titles)} columns are months, {titles[0]!r} to {titles[-1]!r}"),
    }
    levels, measures = _others(seen, areas, columns, taken=titles)
    texts, whole = _categories(seen, columns)
    months = Guess(form, "the names of these columns")
    return SeenCounts(areas, columns, levels, measures, months, texts, whole, _exclusive(texts))


def _wide_rest(
    seen: SeenRows, areas: SeenAreas, columns: dict[str, Guess], numeric: list[str], form: Guess
) -> SeenCounts:
    """Recognise categories or measures as columns."""
    positive = [c for c in numeric if _POSITIVE.search(c)]
    if len(numeric) == 2 and len(positive) == 1:
        measures = {c: "positive_outcomes" if c in positive else "incidents" for c in numeric}
        columns["wide"] = Guess("measure", f"the columns {' and '.join(map(repr, numeric))} are numbers")
        levels, _ = _others(seen, areas, columns, taken=numeric)
        texts, whole = _categories(seen, columns)
        return SeenCounts(areas, columns, levels, measures, form, texts, whole)
    columns["wide"] = Guess("category", f"{len(numeric)} columns are whole numbers, {numeric[0]!r} to {numeric[-1]!r}")
    columns["wide_columns"] = Guess(numeric, "check that all of them are categories")
    levels, measures = _others(seen, areas, columns, taken=numeric, category=False)
    cells = _cells(numeric, seen)
    return SeenCounts(areas, columns, levels, measures, form, numeric, _total(numeric, cells))


def _cells(columns: Sequence[str], seen: SeenRows) -> list[dict[str, float | None]]:
    return [{c: number(seen.texts[c][i]) for c in columns} for i in range(seen.rows)]


def _total_of(columns: Sequence[str], seen: SeenRows) -> str | None:
    """Return the column that is named as the total of the others and is never exceeded by them."""
    whole = _total(columns, _cells(columns, seen))
    return None if whole is None else str(whole.value)


def _others(
    seen: SeenRows,
    areas: SeenAreas,
    columns: dict[str, Guess],
    *,
    taken: Collection[str] = (),
    category: bool = True,
) -> tuple[dict[str, str], dict[str, str]]:
    """Find the columns of levels, measures and categories; those found are added to `columns`."""
    levels: dict[str, str] = {}
    measures: dict[str, str] = {}
    held = {*taken, *(str(g.value) for g in columns.values())}
    for column, texts in seen.texts.items():
        distinct = {v for v in texts if v}
        if column in held or not 1 <= len(distinct) <= FEW:
            continue
        of_level = _levels(column, texts, seen.texts[str(columns["area_code"].value)], areas)
        if of_level and "level" not in columns and len(distinct) <= 4:
            columns["level"], levels = Guess(column, "codes of each text are of one level"), of_level
        elif re.search("measure|metric|statistic", column, re.IGNORECASE) and len(distinct) <= 6:
            columns["measure"] = Guess(column, f"{len(distinct)} texts such as {min(distinct)!r}")
            measures = {v: "positive_outcomes" if _POSITIVE.search(v) else "incidents" for v in sorted(distinct)}
        elif category and "category" not in columns and CATEGORY.search(column) and not is_number(distinct):
            columns["category"] = Guess(
                column, f"{len(distinct)} text{'s' * (len(distinct) > 1)} such as {min(distinct)!r}"
            )
    return levels, measures


def _levels(column: str, texts: Sequence[str], codes: Sequence[str], areas: SeenAreas) -> dict[str, str]:
    """Return the level of each text of a column, if all known codes with it are of one level."""
    found: dict[str, set[str]] = {}
    small = "ward" if areas.parents else "borough"  # areas that nothing groups are the only level
    for text, code in zip(texts, codes, strict=True):
        level = small if code in areas.codes else "borough" if code in areas.parents else None
        if level and text:
            found.setdefault(text, set()).add(level)
    one = {text: next(iter(levels)) for text, levels in found.items() if len(levels) == 1}
    # One text for all rows is a level only if the column says so: any other constant would fit too.
    enough = len(one) > 1 or re.search(r"level|geograph|area.?type", column, re.IGNORECASE)
    return one if one and enough and len(one) == len(found) and len(set(one.values())) == len(one) else {}


def _categories(seen: SeenRows, columns: dict[str, Guess]) -> tuple[list[str], Guess | None]:
    """Return the texts of the category column, and the one that is the total."""
    if "category" not in columns:
        return [], None
    column = str(columns["category"].value)
    texts = list(dict.fromkeys(v for v in seen.texts[column] if v))
    if "value" not in columns:
        return texts, _total(texts, [])
    keys = [str(columns[k].value) for k in ("area_code", "period", "level", "measure") if k in columns]
    groups: dict[tuple[str, ...], dict[str, float | None]] = defaultdict(dict)
    for i, text in enumerate(seen.texts[column]):
        value = number(seen.texts[str(columns["value"].value)][i])
        cell = groups[tuple(seen.texts[k][i] for k in keys)]
        cell[text] = (cell.get(text) or 0) + value if value is not None else cell.get(text)
    return texts, _total(texts, list(groups.values()))


_GROUPS = tuple(
    re.compile(group, re.IGNORECASE)
    for group in (
        "burglar", "robber", "drug", "criminal damage", "theft", "violen", "sexual", "vehicle", "public order",
        "shoplift", "weapon", "fraud",
    )
)  # fmt: skip
_STRANDS = re.compile(
    r"hate|racis|religio|faith|homophob|transphob|disabilit|semit|islam|domestic|knife|gun", re.IGNORECASE
)


def _exclusive(texts: Sequence[str]) -> str | None:
    """Return why categories exclude each other: the police count an offence in one group of offences only."""
    groups = sum(any(group.search(t) for t in texts) for group in _GROUPS)
    if groups < _FEWEST_GROUPS or any(_STRANDS.search(t) for t in texts):
        return None
    return "groups of offences, and an offence counts in one of them"


def _total(texts: Sequence[str], cells: Sequence[dict[str, float | None]]) -> Guess | None:
    """Return the category that is the total: the only one, or one named so that no other exceeds."""
    if len(texts) == 1:
        return Guess(texts[0], "the only category, so that it is the total")
    for text in texts:
        if not _WHOLE.fullmatch(text.strip()):
            continue
        held = [
            (cell[text], max(v for v in cell.values() if v is not None)) for cell in cells if cell.get(text) is not None
        ]
        exceeded = sum(own is not None and own < most for own, most in held)
        if exceeded <= len(held) / 100:
            return Guess(
                text,
                f"its name, and no other category exceeds it in {len(held):,} areas and months" if held else "its name",
            )
    return None


def tree_of(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return a category for each text; texts that differ only in punctuation share one.

    Examples
    --------
    >>> tree_of(["Anti-Gay (all)", "ANTI GAY ALL"])
    [{'id': 'anti_gay_all', 'label': 'Anti-Gay (all)', 'match': ['Anti-Gay (all)', 'ANTI GAY ALL']}]
    """
    found: dict[str, list[str]] = {}
    for text in dict.fromkeys(texts):
        try:
            made = slug(text)
        except HotspotsError:
            made = f"category_{len(found) + 1}"
        if made == ROOT or names_an_end(made):
            made = f"{made}_category"
        made = made if len(made) <= _LONGEST else f"{made[:_LONGEST]}_{len(found) + 1}"
        found.setdefault(made, []).append(text)
    return [{"id": i, "label": labels[0], "match": labels} for i, labels in found.items()]
