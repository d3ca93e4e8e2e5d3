"""Numbers of a release as short strings: one per column, area after area; `w` where a number is withheld.

A cell is a number, `w` (withheld) or nothing (no data). A column without any number is left out. Words become a letter.
Three or more equal cells in a row are written once, as `cell*count`. What the page works out itself is `=`.
"""

import itertools
from typing import Any

import pandas as pd

from pipeline import palette
from pipeline.maps.derived import Line, Ranges, plain_numbers

__all__ = ["CHANGE_WORDS", "encode_counts", "limits", "period_kind"]

CHANGE_WORDS = {"higher": "h", "lower": "l", "no clear change": "n", "too few": "f", "not comparable": "c"}
_RELIABILITY = {"unreliable": "u", "too few to say": "f"}

_COLUMNS: tuple[tuple[str, str, int | None], ...] = (
    ("n", "incidents", 0),
    ("u", "incidents_unplaced", 0),
    ("o", "positive_outcomes", 0),
    ("k", "known_outcomes", 0),
    ("r", "rate_per_10000", 4),
    ("lo", "rate_low", 4),
    ("hi", "rate_high", 4),
    ("rel", "reliability", None),
    ("s", "outcome_share", 4),
    ("sl", "outcome_low", 4),
    ("sh", "outcome_high", 4),
    ("c", "change_pct", 2),
    ("cw", "change_word", None),
    ("cr", "change_vs_region", None),
    ("g", "hotspot_class", 0),
    ("m", "moran_class", None),
    ("e", "emerging_class", None),
)
"""Key on the page, column of the table, decimals (None for words)."""

_MEASURES = {"rate": "rate_per_10000", "count": "incidents", "outcomes": "outcome_share"}
_PERCENTILES = {"ward": (22, 47, 76, 93), "borough": (20, 45, 72, 90)}


def period_kind(days: int) -> str:
    """Sort a window by length: `m` up to a month, `q` up to a quarter, `y` longer. Kinds never share a scale."""
    return "m" if days <= 31 else "q" if days <= 92 else "y"


def _cell(value: Any, decimals: int | None) -> str:
    if value is None or value is pd.NA or value != value or value == "":  # noqa: PLR0124 - NaN is not itself
        return ""
    if decimals is None:
        return (
            CHANGE_WORDS.get(str(value))
            or _RELIABILITY.get(str(value))
            or str(value).replace(",", " ").replace("*", " ")
        )
    number = round(float(value), decimals)
    return str(int(number)) if number == int(number) else repr(number)


def _cells(counts: pd.DataFrame, column: str, decimals: int | None, hidden: list[str]) -> list[str]:
    gone = {names: column in names.split(";") for names in set(hidden)}
    codes, values = pd.factorize(counts[column])
    texts = [*(_cell(value, decimals) for value in values.tolist()), ""]  # the last one for no data, code -1
    return ["w" if gone[names] else texts[code] for names, code in zip(hidden, codes.tolist(), strict=True)]


def _joined(line: list[str]) -> str:
    """Join cells with commas, long runs of one cell as `cell*count`."""
    out: list[str] = []
    for cell, run in itertools.groupby(line):
        count = len(list(run))
        out.extend([f"{cell}*{count}"] if count >= 3 else [cell] * count)
    return ",".join(out)


def encode_counts(
    counts: pd.DataFrame, codes: list[str], *, people: list[int | None], kinds: dict[str, str], public: bool
) -> tuple[dict[str, dict[str, dict[str, str]]], Ranges]:
    """Encode the rows of one level.

    Parameters
    ----------
    counts
        Rows of `area_counts` of one level.
    codes
        Area codes in the order of the page.
    people
        Residents of each, None where unknown.
    kinds
        Period id to kind.
    public
        Whether classes under zero ("lower recorded") are left out, as in every public release.

    Returns
    -------
    values
        Period id, category id, column key, then cells joined by commas.
    ranges
        Limits behind counts, see `plain_numbers`.
    """
    position = {code: i for i, code in enumerate(codes)}
    counts = counts[counts["area_code"].isin(position)]
    if public:
        cold = (counts["hotspot_class"] < 0).fillna(value=False)
        counts = counts.assign(hotspot_class=counts["hotspot_class"].mask(cold, 0))
    hidden = counts["withheld"].fillna("").astype(str).tolist()
    columns = {key: _cells(counts, name, decimals, hidden) for key, name, decimals in _COLUMNS if name in counts}
    place = [position[code] for code in counts["area_code"].tolist()]
    kept = Line(
        people=[people[i] for i in place],
        kinds=[kinds.get(p, "y") for p in counts["period"].astype(str).tolist()],
        categories=counts["category"].astype(str).tolist(),
    )
    ranges = plain_numbers(columns, kept)
    rows: dict[tuple[str, str], list[int]] = {}
    pairs = zip(*(counts[name].astype(str).tolist() for name in ("period", "category")), strict=True)
    for row, pair in enumerate(pairs):
        rows.setdefault(pair, []).append(row)
    out: dict[str, dict[str, dict[str, str]]] = {}
    for (period, category), members in sorted(rows.items()):
        texts = {}
        for key, cells in columns.items():
            line = [""] * len(codes)
            for row in members:
                line[place[row]] = cells[row]
            if any(line):
                texts[key] = _joined(line)
        out.setdefault(period, {})[category] = texts
    return out, ranges


def limits(counts: pd.DataFrame, *, level: str, kinds: dict[str, str]) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Choose class limits from released values, pooled over all periods of a kind.

    Parameters
    ----------
    counts
        Rows of `area_counts` of the level.
    level
        Level, which sets the percentiles.
    kinds
        Period id to kind.

    Returns
    -------
    limits
        Kind of period, category, measure, then four limits. Rates called unreliable only count where
        there are no others.
    """
    kind = counts["period"].map(lambda period: kinds.get(str(period), "y"))
    weak = counts["reliability"].isin(list(_RELIABILITY))
    out: dict[str, dict[str, dict[str, list[float]]]] = {}
    for (name, category), rows in counts.groupby([kind, "category"], sort=True):
        steady = rows[~weak[rows.index]]
        pools = {}
        for measure, column in _MEASURES.items():
            found = steady[column].dropna() if measure == "rate" else rows[column].dropna()
            pool = (found if len(found) else rows[column].dropna()).astype(float)
            pools[measure] = list(palette.class_limits(pool.round(4), percentiles=_PERCENTILES[level]))
        out.setdefault(str(name), {})[str(category)] = pools
    return out
