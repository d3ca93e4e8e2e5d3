"""Numbers the page works out itself instead of carrying them: written as `=`, wherever that gives the same decimals.

Rates are incidents over people; shares are positive over known outcomes (or over recorded offences, in a flow), with
Wilson's interval. The interval of a rate depends on the count alone within one category and length of window: its
limits are carried once for every count, and divided by the people of an area. Whatever does not come out the same to
the last of four decimals stays as it is. The same arithmetic, in the same order, is in data.js.
"""

import itertools
import math
from collections import Counter
from dataclasses import dataclass

__all__ = ["Line", "plain_numbers"]

SAME = "="
_Z = 1.959963984540054
_HOLLOW = frozenset({"", "w", SAME})
Ranges = dict[str, dict[str, dict[str, str]]]
Columns = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Line:
    """What the rows are: residents of each row's area (None where unknown), kind of window, and category."""

    people: list[int | None]
    kinds: list[str]
    categories: list[str]


def _decimals(value: float) -> float:
    """Round to four decimals as a browser does: halves go up."""
    return math.floor(value * 1e4 + 0.5) / 1e4


def _wilson(share: float, trials: int) -> tuple[float, float]:
    square = _Z * _Z
    below = 1 + square / trials
    centre = (share + square / (2 * trials)) / below
    half = (_Z / below) * math.sqrt((share * (1 - share)) / trials + square / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def _plain_rates(columns: Columns, line: Line) -> None:
    for i, (rate, events) in enumerate(zip(columns["r"], columns["n"], strict=True)):
        people = line.people[i]
        if rate not in _HOLLOW and events not in _HOLLOW and people:
            columns["r"][i] = SAME if float(rate) == _decimals(int(events) / people * 1e4) else rate


def _plain_shares(columns: Columns) -> None:
    all_known = columns.get("k", [""] * len(columns["s"]))
    for i, (share, events) in enumerate(zip(columns["s"], columns["o"], strict=True)):
        if share in _HOLLOW or events in _HOLLOW:
            continue
        known, recorded = all_known[i], columns["n"][i]
        if known not in _HOLLOW and int(known):
            exact, trials = int(events) / int(known), int(known)
        elif recorded not in _HOLLOW and int(recorded) and columns["sl"][i] == "":
            exact, trials = int(events) / int(recorded) * 100, 0
        else:
            continue
        if float(share) != _decimals(exact):
            continue
        columns["s"][i] = SAME
        limits = _wilson(exact, trials) if trials else (0.0, 0.0)
        for key, limit in zip(("sl", "sh"), limits, strict=True):
            cell = columns[key][i]
            if trials and cell not in _HOLLOW and float(cell) == _decimals(limit):
                columns[key][i] = SAME


def _behind(rates: list[tuple[float, int]]) -> str:
    """Find the number of events that gives these rates, each known to four decimals, over these people."""
    low = max((rate - 5e-5) * people / 1e4 for rate, people in rates)
    high = min((rate + 5e-5) * people / 1e4 for rate, people in rates)
    return f"{max(0.0, (low + high) / 2):.9g}"


def _plain_limits(columns: Columns, line: Line) -> Ranges:
    """Carry the limits of every count that occurs twice once, in events."""
    keys = list(zip(line.kinds, line.categories, columns["n"], strict=True))
    whole = [
        bool(line.people[i]) and not {n, columns["lo"][i], columns["hi"][i]} & _HOLLOW
        for i, (_, _, n) in enumerate(keys)
    ]
    often = Counter(itertools.compress(keys, whole))
    rows = [i for i in itertools.compress(range(len(keys)), whole) if often[keys[i]] > 1]
    found: dict[tuple[str, str, str], tuple[str, str]] = {}
    for key, members in itertools.groupby(sorted(rows, key=lambda i: keys[i]), key=lambda i: keys[i]):
        same = list(members)
        low, high = (_behind([(float(columns[end][i]), line.people[i] or 1) for i in same]) for end in ("lo", "hi"))
        found[key] = (low, high)
        for i, (end, limit) in itertools.product(same, (("lo", low), ("hi", high))):
            if float(columns[end][i]) == _decimals(float(limit) / (line.people[i] or 1) * 1e4):
                columns[end][i] = SAME
    out: Ranges = {}
    for kind, category, n in sorted(found, key=lambda key: (key[0], key[1], int(key[2]))):
        table = out.setdefault(kind, {}).setdefault(category, {"n": "", "lo": "", "hi": ""})
        for key, text in zip(("n", "lo", "hi"), (n, *found[kind, category, n]), strict=True):
            table[key] += ("," if table[key] else "") + text
    return out


def plain_numbers(columns: Columns, line: Line) -> Ranges:
    """Write `=` for what the page works out itself.

    Parameters
    ----------
    columns
        Cells by key, row by row: `n` incidents, `o` positive and `k` known outcomes (may be absent), `r`, `lo`, `hi`
        the rate and its limits, `s`, `sl`, `sh` the share and its limits. Changed in place.
    line
        What the rows are.

    Returns
    -------
    ranges
        Kind of window, category, then `n`, `lo` and `hi`: counts and the limits behind them, in events.
    """
    _plain_rates(columns, line)
    _plain_shares(columns)
    return _plain_limits(columns, line)
