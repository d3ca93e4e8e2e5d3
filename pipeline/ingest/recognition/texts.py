"""A guess with its evidence, and tests of the texts of a column."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "DATE",
    "FEW",
    "MOST",
    "ONS_CODE",
    "Guess",
    "filled",
    "is_number",
    "is_whole",
    "named",
    "number",
    "plain",
    "share",
    "words",
]

FEW = 60  # texts of a category column
MOST = 0.9
ONS_CODE = re.compile(r"[EWSNKJ]\d{8}")
DATE = re.compile(
    r"\d{4}-\d\d?(-\d\d?)?([T ].*)?|\d{1,2}[/.-]\d{1,2}[/.-](\d{4}|\d\d)( .*)?|(19|20)\d\d(0[1-9]|1[0-2])([0-3]\d)?"
    r"|.*\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b.*\d{2,4}.*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Guess:
    """A setting, and why it is probably right."""

    value: Any
    why: str


def plain(value: Any) -> str:
    """Return a cell as trimmed text; a missing value is empty."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    text = str(value).strip()
    return text[:-2] if re.fullmatch(r"\d+\.0", text) else text


def number(text: str) -> float | None:
    """Return a number, also with commas between thousands or one before decimals; None for anything else.

    Examples
    --------
    >>> number("528,240"), number("528240,5"), number("n/a")
    (528240.0, 528240.5, None)
    """
    grouped = re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", text)
    try:
        return float(text.replace(",", "") if grouped else text.replace(",", ".", 1))
    except ValueError:
        return None


def is_number(texts: Collection[str]) -> bool:
    """Whether all texts that are not blank are numbers."""
    return all(number(t) is not None for t in texts if t)


def is_whole(texts: Collection[str]) -> bool:
    """Whether all texts that are not blank are whole numbers of 0 or more, and there are some."""
    numbers = [number(t) for t in texts if t]
    return bool(numbers) and all(n is not None and n >= 0 and n == int(n) for n in numbers)


def share(texts: Sequence[str], test: Callable[[str], object]) -> float:
    """Return the share of texts that pass a test."""
    return sum(bool(test(t)) for t in texts) / len(texts) if texts else 0.0


def filled(texts: Sequence[str]) -> float:
    """Return the share of texts that are not blank."""
    return share(texts, bool)


def named(column: str, pattern: re.Pattern[str]) -> bool:
    """Whether the name of a column, in lower case, holds a pattern."""
    return pattern.search(column.casefold()) is not None


def words(column: str) -> tuple[str, ...]:
    """Return the words of a column's name.

    Examples
    --------
    >>> words("CommittedFrom_Date")
    ('committed', 'from', 'date')
    """
    return tuple(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).casefold()))
