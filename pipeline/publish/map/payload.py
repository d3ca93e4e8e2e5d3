"""The one JSON block of a map page, made from a release and from nothing else."""

import itertools
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.publish import page, palette, words
from pipeline.publish.map.outlines import LEVELS, make_outlines
from pipeline.release.released import PeriodInfo, Released, ReleaseInfo
from pipeline.statistics.change import ChangeWord
from pipeline.statistics.ranges import Ranges
from pipeline.statistics.rates import WEAK, Reliability
from pipeline.tables import Level

__all__ = ["make_payload"]


# Numbers the page works out itself instead of carrying them: written as `=`, wherever that gives the same decimals. The
# page is one file that people send to each other, so it has to stay small.
#
# A count is carried as the least that it may be. Its greatest is `step` - 1 more, and its middle follows from both:
# each is carried only where it is something else (a sum of several steps, noise), which most pages never need.
# Rates are middles over people; shares are positive over known outcomes (or over recorded offences, in a flow), with
# Wilson's interval. The interval of a rate depends on the count alone within one category and length of window: its
# limits are carried once for every count, and divided by the people of an area. Whatever does not come out the same to
# the last of four decimals stays as it is. The same arithmetic, in the same order, is in data.js: in another
# order a result may differ in its last bit, and then in the fourth decimal.

SAME = "="
_Z = 1.959963984540054
"""Normal quantile of a two-sided interval of 95 %, to every digit of a double, as data.js has it."""
NOT_OFFERED = "w"
_NO_NUMBER = frozenset({"", NOT_OFFERED, SAME})
Limits = dict[str, dict[str, dict[str, str]]]
Columns = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Counts:
    """One measure's counts: the least, middle and greatest of each row; None where there is none."""

    lower: list[int | None]
    middle: list[int | None]
    upper: list[int | None]


@dataclass(frozen=True, slots=True)
class Rows:
    """What the rows are: residents of each row's area (None where unknown), kind of window, category and counts."""

    people: list[int | None]
    kinds: list[str]
    categories: list[str]
    counts: dict[str, Counts]
    step: int


def _decimals(value: float) -> float:
    """Round to four decimals as a browser does: halves go up."""
    return math.floor(value * 1e4 + 0.5) / 1e4


def _wilson(share: float, trials: int) -> tuple[float, float]:
    square = _Z * _Z
    below = 1 + square / trials
    centre = (share + square / (2 * trials)) / below
    half = (_Z / below) * math.sqrt((share * (1 - share)) / trials + square / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def _plain_counts(columns: Columns, line: Rows) -> None:
    for key, counts in line.counts.items():
        ends = zip(counts.lower, counts.middle, counts.upper, strict=True)
        for i, (lower, middle, upper) in enumerate(ends):
            if lower is None or upper is None:
                columns[f"{key}x"][i] = columns[f"{key}m"][i] = SAME
                continue
            if upper == lower + line.step - 1:
                columns[f"{key}x"][i] = SAME
            # The first step has no middle: it holds nothing and something alike.
            if middle == (None if lower == 0 < upper else lower + (upper - lower + 1) // 2):
                columns[f"{key}m"][i] = SAME


def _plain_rates(columns: Columns, line: Rows) -> None:
    for i, (rate, events) in enumerate(zip(columns["r"], line.counts["n"].middle, strict=True)):
        people = line.people[i]
        if rate not in _NO_NUMBER and events is not None and people:
            columns["r"][i] = SAME if float(rate) == _decimals(events / people * 1e4) else rate


def _plain_shares(columns: Columns, line: Rows) -> None:
    positive, known, recorded = (line.counts[key] for key in "okn")
    for i, share in enumerate(columns["s"]):
        k, n, whole = positive.middle[i], known.middle[i], recorded.middle[i]
        if share in _NO_NUMBER or k is None:
            continue
        if n:
            exact = min(k / n, 1.0)
        elif whole and columns["sl"][i] == "":
            exact = k / whole * 100
        else:
            continue
        if float(share) != _decimals(exact):
            continue
        columns["s"][i] = SAME
        # The share is least where the outcomes are fewest and the offences most.
        least, most, fewest, all_ = positive.lower[i], positive.upper[i], known.lower[i], known.upper[i]
        if not n or least is None or most is None or not fewest or not all_:
            continue
        low, _ = _wilson(min(least, all_) / all_, all_)
        _, high = _wilson(min(most, fewest) / fewest, fewest)
        for key, limit in zip(("sl", "sh"), (low, high), strict=True):
            cell = columns[key][i]
            if cell not in _NO_NUMBER and float(cell) == _decimals(limit):
                columns[key][i] = SAME


def _behind(rates: list[tuple[float, int]]) -> str:
    """Find the number of events that gives these rates, each known to four decimals, over these people."""
    # Each rate gives a range for the number; what lies in all of them reproduces every rate when divided again.
    low = max((rate - 5e-5) * people / 1e4 for rate, people in rates)
    high = min((rate + 5e-5) * people / 1e4 for rate, people in rates)
    return f"{max(0.0, (low + high) / 2):.9g}"


def _plain_limits(columns: Columns, line: Rows) -> Limits:
    """Carry the limits of every count that occurs twice once, in events."""
    keys = list(zip(line.kinds, line.categories, columns["n"], strict=True))
    # A count is known by its least only where its greatest follows from it.
    whole = [
        bool(line.people[i]) and columns["nx"][i] == SAME and not {n, columns["lo"][i], columns["hi"][i]} & _NO_NUMBER
        for i, (_, _, n) in enumerate(keys)
    ]
    # A limit that is needed once would cost as much in the table as in the row.
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
    out: Limits = {}
    for kind, category, n in sorted(found, key=lambda key: (key[0], key[1], int(key[2]))):
        table = out.setdefault(kind, {}).setdefault(category, {"n": "", "lo": "", "hi": ""})
        for key, text in zip(("n", "lo", "hi"), (n, *found[kind, category, n]), strict=True):
            table[key] += ("," if table[key] else "") + text
    return out


def _plain_numbers(columns: Columns, line: Rows) -> Limits:
    """Write `=` for what the page works out itself.

    Parameters
    ----------
    columns
        Cells by key, row by row: `n` least incidents, `o` positive and `k` known outcomes, of each with `x` the
        greatest and with `m` the middle; `r`, `lo`, `hi` the rate and its limits, `s`, `sl`, `sh` the share and its
        limits. Changed in place.
    line
        What the rows are.

    Returns
    -------
    ranges
        Kind of window, category, then `n`, `lo` and `hi`: counts and the limits behind them, in events.
    """
    _plain_counts(columns, line)
    _plain_rates(columns, line)
    _plain_shares(columns, line)
    return _plain_limits(columns, line)


# Numbers of a release as short strings: one per column, area after area; `w` where a number is not offered.
#
# A cell is a number, `w` (not offered) or nothing (no data). A column without any number is left out. Words become a
# letter. Three or more equal cells in a row are written once, as `cell*count`. What the page works out itself is `=`.


_LETTERS: dict[str, str] = {
    ChangeWord.HIGHER: "h",
    ChangeWord.LOWER: "l",
    ChangeWord.NO_CLEAR_CHANGE: "n",
    ChangeWord.TOO_FEW: "f",
    ChangeWord.NOT_COMPARABLE: "c",
    Reliability.UNRELIABLE: "u",
    Reliability.TOO_FEW: "f",
}
"""One letter for each word; words.js turns them back."""

_COLUMNS: tuple[tuple[str, str, int | None], ...] = (
    *(
        (f"{key}{end}", f"{measure}{suffix}", 0)
        for key, measure in (("n", "incidents"), ("o", "positive_outcomes"), ("k", "known_outcomes"))
        for end, suffix in (("", "_lower"), ("x", "_upper"), ("m", ""))
    ),
    ("u", "incidents_unplaced", 0),
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

_FOLLOWING = frozenset({"nx", "nm", "ox", "om", "kx", "km"})
"""Columns that a page works out where it is given none."""

_MEASURES = {"rate": "rate_per_10000", "count": "incidents", "outcomes": "outcome_share"}


def _cell(value: Any, decimals: int | None) -> str:
    if value is None or value is pd.NA or value != value or value == "":  # noqa: PLR0124 - NaN is not itself
        return ""
    if decimals is None:
        # Commas separate cells and stars count them, so neither may stand in a cell.
        return _LETTERS.get(str(value), str(value).replace(",", " ").replace("*", " "))
    number = round(float(value), decimals)
    return str(int(number)) if number == int(number) else repr(number)


def _cells(counts: pd.DataFrame, column: str, decimals: int | None, hidden: list[str]) -> list[str]:
    measure = column.removesuffix("_lower").removesuffix("_upper")
    gone = {names: measure in names.split(";") for names in set(hidden)}
    codes, values = pd.factorize(counts[column])
    texts = [*(_cell(value, decimals) for value in values.tolist()), ""]  # the last one for no data, code -1
    return [NOT_OFFERED if gone[names] else texts[code] for names, code in zip(hidden, codes.tolist(), strict=True)]


def _counts(columns: Columns, key: str) -> Counts:
    lower, middle, upper = (
        [None if cell in _NO_NUMBER else int(cell) for cell in columns[f"{key}{end}"]] for end in ("", "m", "x")
    )
    return Counts(lower, middle, upper)


def _joined(line: list[str]) -> str:
    """Join cells with commas, long runs of one cell as `cell*count`."""
    out: list[str] = []
    for cell, run in itertools.groupby(line):
        count = len(list(run))
        out.extend([f"{cell}*{count}"] if count >= 3 else [cell] * count)
    return ",".join(out)


def _encode_counts(
    counts: pd.DataFrame, codes: list[str], *, people: list[int | None], kinds: dict[str, str], info: ReleaseInfo
) -> tuple[dict[str, dict[str, dict[str, str]]], Limits]:
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
    info
        Of the release: its step, and whether it is public (classes under zero, "lower recorded", are then left out).

    Returns
    -------
    values
        Period id, category id, column key, then cells joined by commas.
    ranges
        Limits behind counts, see `_plain_numbers`.
    """
    position = {code: i for i, code in enumerate(codes)}
    counts = counts[counts["area_code"].isin(position)]
    if info.audience == "public":
        cold = (counts["hotspot_class"] < 0).fillna(value=False)
        counts = counts.assign(hotspot_class=counts["hotspot_class"].mask(cold, 0))
    hidden = counts["not_offered"].fillna("").astype(str).tolist()
    columns = {key: _cells(counts, name, decimals, hidden) for key, name, decimals in _COLUMNS if name in counts}
    place = [position[code] for code in counts["area_code"].tolist()]
    kept = Rows(
        people=[people[i] for i in place],
        kinds=[kinds.get(p, "y") for p in counts["period"].astype(str).tolist()],
        categories=counts["category"].astype(str).tolist(),
        counts={key: _counts(columns, key) for key in "nok"},
        step=info.step,
    )
    ranges = _plain_numbers(columns, kept)
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
            # The ends and middles of counts follow from the step unless a cell says otherwise.
            if any(cell not in {"", SAME} for cell in line) or (any(line) and key not in _FOLLOWING):
                texts[key] = _joined(line)
        out.setdefault(period, {})[category] = texts
    return out, ranges


def _limits(
    counts: pd.DataFrame, *, level: str, kinds: dict[str, str], step: int
) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Choose class limits from released values, pooled over all periods of a kind.

    Parameters
    ----------
    counts
        Rows of `area_counts` of the level.
    level
        Level, which sets the percentiles.
    kinds
        Period id to kind.
    step
        Width of the steps of counts: the limits of their classes lie between steps.

    Returns
    -------
    limits
        Kind of period, category, measure, then four limits. Rates called unreliable only count where
        there are no others.
    """
    kind = counts["period"].map(lambda period: kinds.get(str(period), "y"))
    weak = counts["reliability"].isin(WEAK)
    out: dict[str, dict[str, dict[str, list[float]]]] = {}
    for (name, category), rows in counts.groupby([kind, "category"], sort=True):
        steady = rows[~weak[rows.index]]
        pools = {}
        for measure, column in _MEASURES.items():
            values = Ranges.of(rows).value if measure == "count" else rows[column].to_numpy(float, na_value=math.nan)
            every = pd.Series(values, index=rows.index).dropna()
            found = every[every.index.isin(steady.index)] if measure == "rate" else every
            pool = found if len(found) else every
            limits = palette.class_limits(
                pool.round(4), percentiles=palette.PERCENTILES[level], step=step if measure == "count" else 1
            )
            pools[measure] = list(limits)
        out.setdefault(str(name), {})[str(category)] = pools
    return out


def _null(value: Any) -> Any:
    return None if value is None or value is pd.NA or value != value else value  # noqa: PLR0124 - NaN is not itself


def _text(value: Any) -> str:
    found = _null(value)
    return "" if found is None else str(found)


def _whole(value: Any) -> int | None:
    found = _null(value)
    return None if found is None else int(found)


def _decimal(value: Any, places: int) -> float | None:
    found = _null(value)
    return None if found is None else round(float(found), places)


def _period(period: PeriodInfo) -> dict[str, Any]:
    return {
        "id": period.id,
        "label": period.label,
        "named": words.named_period(period.label),
        "start": period.start,
        "end": period.end,
        "complete": period.complete,
        "kind": palette.window_kind(period.days),
    }


def _info(released: Released) -> dict[str, Any]:
    info = released.info
    subject = info.title[:1].lower() + info.title[1:]
    reach = int(released.record.get("rules", {}).get("noise_reach", 0))
    return {
        "title": info.title,
        "subject": subject,
        "noun": info.noun,
        "place": info.place,
        "publisher": info.publisher,
        "licence": info.licence,
        "synthetic": words.say("common.synthetic") if info.synthetic else "",
        "language": info.language,
        "profile": info.profile,
        "audience": info.audience,
        "marking": info.marking,
        "threshold": info.threshold,
        "mechanism": info.mechanism,
        "step": info.step,
        "counts": words.protection_sentence(
            info.mechanism, step=info.step, threshold=info.threshold, noise_reach=reach
        ),
        **({"outside": apart} if (apart := [c.label for c in info.categories if c.outside]) else {}),
        "audit": words.say("common.not_audited") if info.audit not in {"passed", "not needed"} else "",
        "region": info.region_name,
        "headline": info.headline.id,
        "headlineLabel": info.headline.label,
        "headlineNamed": words.named_period(info.headline.label),
        "earlierNamed": words.named_period(info.earlier.label) if info.earlier else "",
        "breaks": [{"month": b.month, "text": b.text} for b in info.breaks],
        "events": [{"date": e.date, "label": e.label, "areas": list(e.areas)} for e in info.events],
        "outcomes": info.outcome_basis,
        "hasPoints": info.has_points,
        "support": [list(pair) for pair in info.support],
        "caveats": list(info.caveats),
        "insideNote": info.inside_note,
        "densityNote": info.density_note,
        "hotspotNote": info.hotspot_note,
        "wording": list(page.fixed_wording(subject)),
        "tiles": info.tiles_url,
        "credit": info.tiles_attribution,
        "contact": info.contact,
        "runName": info.run_name,
    }


def _level(released: Released, level: str, outlines: Any) -> dict[str, Any]:
    info = released.info
    frame = released.areas[released.areas["level"] == level]
    codes = [str(c) for c in frame["area_code"]]
    one, many = info.level_labels.get(level, (level, f"{level}s"))
    windows = {p.id: p for p in info.periods.get(level, ())}
    windows.setdefault(info.headline.id, info.headline)
    counts = released.counts[released.counts["level"] == level]
    people = [_whole(p) for p in frame["population"]]
    periods = [_period(p) for p in sorted(windows.values(), key=lambda p: (p.start, p.end))]
    kinds = {p["id"]: p["kind"] for p in periods}
    values, ranges = _encode_counts(counts, codes, people=people, kinds=kinds, info=info)
    out: dict[str, Any] = {
        "one": one,
        "many": many,
        "code": codes,
        "name": [_text(n) for n in frame["name"]],
        "parent": [_text(p) for p in frame["parent_code"]],
        "people": people,
        "year": _whole(frame["population_year"].dropna().max()) if frame["population_year"].notna().any() else None,
        "vintage": sorted({_text(v) for v in frame["vintage"]} - {""}),
        "covered": [bool(c) for c in frame["covered"]],
        "periods": periods,
        "values": values,
        "ranges": ranges,
    }
    if level == Level.WARD_GROUP:
        wards = released.areas.loc[released.areas["level"] == Level.WARD, "area_code"]
        place = {str(code): i for i, code in enumerate(wards)}
        out["wards"] = [[place[w] for w in info.ward_groups[code]] for code in codes]
    if level in outlines.areas:
        out["rings"] = outlines.areas[level]
        out["labels"] = outlines.labels[level]
        out["limits"] = _limits(counts, level=level, kinds=kinds, step=info.step)
    return out


def _hotspots(released: Released, outlines: Any) -> list[dict[str, Any]]:
    names = dict(zip(released.areas["area_code"], released.areas["name"], strict=True))
    parents = dict(zip(released.areas["area_code"], released.areas["parent_code"], strict=True))
    found = []
    for i, row in enumerate(released.hotspots.to_dict("records")):
        wards = [w for w in _text(row.get("ward_codes")).split(";") if w]
        boroughs = list(dict.fromkeys(_text(names.get(parents.get(w))) for w in wards))
        found.append(
            {
                "id": _text(row["hotspot_id"]),
                "rank": int(row["rank"]),
                "name": _text(row["name"]),
                # A number only where it is exact; else the step, as text.
                "n": _whole(row["incidents_lower"]) if row["incidents_lower"] == row["incidents_upper"] else None,
                "band": _text(row.get("incidents_band")),
                "km2": _decimal(row["area_km2"], 3),
                "density": _decimal(row.get("density_per_km2"), 1),
                "wards": wards,
                "in": [b for b in boroughs if b],
                "first": _text(row.get("first_period")),
                "last": _text(row.get("last_period")),
                "rings": outlines.hotspots[i],
                "at": outlines.anchors[i],
            }
        )
    return sorted(found, key=lambda h: (h["rank"], h["id"]))


def _density(released: Released, outlines: Any) -> list[dict[str, Any]]:
    bands = [
        {
            "id": _text(row["density_id"]),
            "category": _text(row["category"]),
            "low": _decimal(row["density_low"], 2),
            "high": _decimal(row.get("density_high"), 2),
            "rings": outlines.density[i],
        }
        for i, row in enumerate(released.density.to_dict("records"))
    ]
    return sorted(bands, key=lambda b: (b["category"], b["low"]))


def make_payload(released: Released) -> dict[str, Any]:
    """Collect what the page shows.

    Parameters
    ----------
    released
        What came through the gate.

    Returns
    -------
    payload
        Plain values in a fixed order, ready for `page.json_block`.
    """
    outlines = make_outlines(released)
    present = [level for level in LEVELS if (released.areas["level"] == level).any()]
    return {
        "info": _info(released),
        "categories": [
            {"id": c.id, "label": c.label, "parent": c.parent, "detail": c.detail} for c in released.info.categories
        ],
        "arcs": outlines.arcs,
        "edge": outlines.region,
        "water": outlines.water,
        "levels": {level: _level(released, level, outlines) for level in present},
        "hotspots": _hotspots(released, outlines),
        "density": _density(released, outlines),
    }
