"""The one JSON block of a map page, made from a release and from nothing else."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.detect.hotspots.description import Question
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Period, earlier_window
from pipeline.publish import page, palette, words
from pipeline.publish.briefings.elements import hotspot_page, link_to
from pipeline.publish.briefings.release_index import break_text, obstacle_text
from pipeline.publish.map.attention import attention_fields
from pipeline.publish.map.fields import (
    COLUMNS,
    LETTERS,
    NOT_OFFERED,
    BandFields,
    Column,
    CoreFields,
    HotspotFields,
    InfoFields,
    LevelFields,
    Payload,
    PeriodFields,
)
from pipeline.publish.map.geometry import LEVELS, containing_areas, context_fields, make_outlines
from pipeline.publish.map.overlays import overlay_fields
from pipeline.publish.surroundings import Surroundings
from pipeline.release.released import PeriodInfo, Released, ReleaseInfo, split_not_offered
from pipeline.statistics.rates import WEAK
from pipeline.statistics.uncertainty import Ranges
from pipeline.tables import Level

__all__ = ["make_payload"]


_ENDS = frozenset({"nx", "nm", "ox", "om", "kx", "km"})
"""Greatest and middle of a count. Whether it is offered is written once, with its least."""

Values = dict[str, dict[str, dict[str, list[float | str | None]]]]
"""Category, column, window, then one value for each area."""

_MEASURES = {"rate": "rate_per_10000", "count": "incidents", "outcomes": "outcome_share"}


def _number(value: Any, decimals: int) -> float | int | None:
    """Round to the decimals of the page; a whole number is written without a point."""
    if _null(value) is None:
        return None
    number = round(float(value), decimals)
    return int(number) if number == int(number) else number


def _word(value: Any, key: str) -> str | None:
    found = _text(value)
    return LETTERS.get(key, {}).get(found, found) or None


def _cells(counts: pd.DataFrame, column: Column, gone: NDArray[np.bool_]) -> NDArray[Any]:
    """Return what the page shows of one column, row by row; `gone` are the rows that do not offer it."""
    # Most values occur many times: each is written once.
    codes, values = pd.factorize(counts[column.name])
    shown = [_word(v, column.key) if column.decimals is None else _number(v, column.decimals) for v in values.tolist()]
    cells: NDArray[Any] = np.array([*shown, None], dtype=object)[codes]  # no data has the code -1
    cells[gone] = NOT_OFFERED
    return cells


def _values(counts: pd.DataFrame, codes: list[str], *, public: bool) -> Values:
    """Lay out the rows of one level by category, column and window.

    Parameters
    ----------
    counts
        Rows of `area_counts` of one level.
    codes
        Area codes in the order of the page.
    public
        Leave out classes under zero, "lower recorded".

    Returns
    -------
    values
        A value is a number, a word, `w` (not offered) or None (no data). A column without any is left out. Windows come
        innermost: an area's numbers change little from one to the next, and compress best side by side.
    """
    position = {code: i for i, code in enumerate(codes)}
    counts = counts[counts["area_code"].isin(position)]
    if public:
        cold = (counts["hotspot_class"] < 0).fillna(value=False)
        counts = counts.assign(hotspot_class=counts["hotspot_class"].mask(cold, 0))
    # Rows share a few lists of what is not offered.
    listed, lists = pd.factorize(counts["not_offered"].fillna(""))
    not_offered = split_not_offered(pd.Series(lists))
    place = counts["area_code"].map(position).to_numpy(dtype=np.intp)
    rows = sorted(counts.reset_index(drop=True).groupby(["category", "period"]).indices.items())
    out: Values = {}
    for column in COLUMNS:
        key = column.key
        if column.name not in counts:
            continue
        measure = column.name.removesuffix("_lower")
        gone = np.array([key not in _ENDS and measure in names for names in not_offered], dtype=bool)[listed]
        cells = _cells(counts, column, gone)
        given = cells != None  # noqa: E711 - cell by cell
        for (category, period), members in rows:
            if given[members].any():
                line = np.full(len(codes), None, dtype=object)
                line[place[members]] = cells[members]
                out.setdefault(str(category), {}).setdefault(key, {})[str(period)] = line.tolist()
    return out


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
    weak = counts["reliability"].isin(WEAK).to_numpy()
    columns = {
        measure: Ranges.of(counts).value if measure == "count" else counts[name].to_numpy(float, na_value=math.nan)
        for measure, name in _MEASURES.items()
    }
    out: dict[str, dict[str, dict[str, list[float]]]] = {}
    groups = pd.DataFrame({"kind": kind.to_numpy(), "category": counts["category"].to_numpy()})
    for (name, category), rows in sorted(groups.groupby(["kind", "category"]).indices.items()):
        pools = {}
        for measure, values in columns.items():
            pool = values[rows][~np.isnan(values[rows])]
            steady = values[rows][~np.isnan(values[rows]) & ~weak[rows]]
            if measure == "rate" and len(steady):
                pool = steady
            limits = palette.class_limits(
                pool.round(4).tolist(),
                percentiles=palette.PERCENTILES[level],
                step=step if measure == "count" else 1,
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


def _against(period: PeriodInfo, shown: Mapping[str, PeriodInfo], info: ReleaseInfo) -> PeriodInfo | None:
    """Return the window that a window's changes are against: one that is shown at the same level, or none."""
    if period.id == info.headline.id:
        return info.earlier
    window = Period.parse(period.id)
    return shown.get(earlier_window(window, basis="previous" if window.over_a_year else info.change_basis).id)


def _period(period: PeriodInfo, against: PeriodInfo | None, info: ReleaseInfo) -> PeriodFields:
    return {
        "against": words.named_period(against.label) if against else "",
        "apart": obstacle_text(info, period, against),
        "id": period.id,
        "label": period.label,
        "named": words.named_period(period.label),
        "start": period.start,
        "end": period.end,
        "complete": period.complete,
        "kind": palette.window_kind(period.days, whole_months=Period.parse(period.id).whole_months),
    }


def _info(released: Released) -> InfoFields:
    info = released.info
    subject = info.title[:1].lower() + info.title[1:]
    return {
        "title": info.title,
        "noun": info.noun,
        "base": info.bases.get(ROOT, ""),
        "place": info.place,
        "publisher": info.publisher,
        "licence": info.licence,
        "synthetic": words.say("common.synthetic") if info.synthetic else "",
        "language": info.language,
        "audience": info.audience,
        "marking": info.marking,
        "mechanism": info.mechanism,
        "step": info.step,
        "counts": page.protection_of(released),
        "outside": [c.label for c in info.categories if c.outside],
        "audit": words.say("common.not_audited") if info.audit not in {"passed", "not needed"} else "",
        "region": info.region_name,
        "headline": info.headline.id,
        "headlineLabel": info.headline.label,
        "headlineNamed": words.named_period(info.headline.label),
        "earlierNamed": words.named_period(info.earlier.label) if info.earlier else "",
        "notComparable": break_text(info),
        "breaks": [{"month": b.month, "text": b.text} for b in info.breaks],
        "events": [{"date": e.date, "label": e.label} for e in info.events],
        "outcomes": info.outcome_basis,
        "hasPoints": info.has_points,
        "support": [list(pair) for pair in info.support],
        "caveats": list(info.caveats),
        "insideNote": info.inside_note,
        "nonCrime": _has_non_crime(released),
        "densityNote": info.density_note,
        "hotspotNote": info.hotspot_note,
        "wording": list(page.fixed_wording(subject)),
        "tiles": info.tiles_url,
        "credit": info.tiles_attribution,
        "runName": info.run_name,
    }


def _has_non_crime(released: Released) -> bool:
    """Whether the released circumstances alone show that some records are non-crime incidents."""
    kind = released.circumstances[released.circumstances["question"] == "kind"]
    crimes, others = kind[kind["answer"] == "offence"], kind[kind["answer"] == "incident"]
    # "Not stated" is no proof of an incident, so the crimes alone say nothing.
    return bool((others["incidents_lower"] > 0).any()) or (
        len(others) > 0 and bool((crimes["incidents_upper"] < crimes["stated_lower"]).any())
    )


def _level(released: Released, level: str, outlines: Any) -> LevelFields:
    info = released.info
    frame = released.areas[released.areas["level"] == level]
    codes = [str(c) for c in frame["area_code"]]
    above = containing_areas(released)
    one, many = info.level_labels.get(level, (level, f"{level}s"))
    windows = {p.id: p for p in info.periods.get(level, ())}
    windows.setdefault(info.headline.id, info.headline)
    counts = released.counts[released.counts["level"] == level]
    periods = [
        _period(p, _against(p, windows, info), info) for p in sorted(windows.values(), key=lambda p: (p.start, p.end))
    ]
    if level == Level.WARD_GROUP:  # windows of the categories that are too rare for the others
        periods += [_period(p, None, info) | {"kind": "l"} for p in info.long_windows]
    kinds = {p["id"]: p["kind"] for p in periods}
    out: LevelFields = {
        "key": info.level_ids.get(level, level),
        "one": one,
        "many": many,
        "code": codes,
        "name": [_text(n) for n in frame["name"]],
        "parent": [above.get(code, "") for code in codes],
        "people": [_whole(p) for p in frame["population"]],
        "year": _whole(frame["population_year"].dropna().max()) if frame["population_year"].notna().any() else None,
        "covered": [bool(c) for c in frame["covered"]],
        "periods": periods,
        "values": _values(counts, codes, public=info.audience == "public"),
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


def _hotspots(released: Released, outlines: Any) -> list[HotspotFields]:
    names = dict(zip(released.areas["area_code"], released.areas["name"], strict=True))
    parents = dict(zip(released.areas["area_code"], released.areas["parent_code"], strict=True))
    found: list[HotspotFields] = []
    rows = [*released.hotspots.to_dict("records"), *released.hotspots_by_category.to_dict("records")]
    cores: dict[str, list[CoreFields]] = {}
    steady = _steady(released)
    # Their outlines follow those of the hotspots.
    for i, row in enumerate(released.cores.to_dict("records"), start=len(rows)):
        cores.setdefault(_text(row["hotspot_id"]), []).append(
            {
                "number": _text(row["number"]),
                "name": _text(row["name"]),
                "n": int(row["incidents"]),
                "km2": _decimal(row["area_km2"], 3),
                "rings": outlines.hotspots[i],
                "at": outlines.anchors[i],
            }
        )
    for i, row in enumerate(rows):
        wards = [w for w in _text(row.get("ward_codes")).split(";") if w]
        boroughs = list(dict.fromkeys(_text(names.get(parents.get(w))) for w in wards))
        found.append(
            {
                "id": _text(row["hotspot_id"]),
                "category": _text(row.get("category")) or ROOT,
                "rank": int(row["rank"]),
                "name": _text(row["name"]),
                # A number only where it is exact; else the step, as text.
                "n": _whole(row["incidents_lower"]) if row["incidents_lower"] == row["incidents_upper"] else None,
                "band": _text(row.get("incidents_band")),
                "km2": _decimal(row["area_km2"], 3),
                "density": _decimal(row.get("density_per_km2"), 1),
                "within": [b for b in boroughs if b],
                "rings": outlines.hotspots[i],
                "at": outlines.anchors[i],
                # Hotspots of single categories have no page of their own.
                "page": "" if _text(row.get("category")) else hotspot_page(released, _text(row["hotspot_id"])),
                "steady": "" if _text(row.get("category")) else steady.get(_text(row["hotspot_id"]), ""),
                "cores": cores.get(_text(row["hotspot_id"]), []),
            }
        )
    order = [c.id for c in released.info.categories]
    return sorted(found, key=lambda h: (order.index(h["category"]), h["rank"], h["id"]))


def _steady(released: Released) -> dict[str, str]:
    """Return the stability of hotspots in words, by id; only the data owner's release has it."""
    facts = released.facts
    rows = facts[facts["question"] == Question.STABILITY]
    shares = zip(rows["hotspot_id"].astype(str), rows["share_pct"].astype(float), strict=True)
    return {ident: words.say("map.hotspots.steady", share=words.share_text(share / 100)) for ident, share in shares}


def _density(released: Released, outlines: Any) -> list[BandFields]:
    bands: list[BandFields] = [
        {
            "id": _text(row["density_id"]),
            "category": _text(row["category"]),
            "low": round(float(row["density_low"]), 2),
            "high": _decimal(row.get("density_high"), 2),
            "share": _decimal(row.get("share_pct"), 1),
            "rings": outlines.density[i],
        }
        for i, row in enumerate(
            [*released.density.to_dict("records"), *released.density_by_category.to_dict("records")]
        )
    ]
    return sorted(bands, key=lambda b: (b["category"], b["low"]))


def make_payload(
    released: Released, surroundings: Surroundings | None = None, *, pages: Collection[str] = ()
) -> Payload:
    """Collect what the page shows.

    Parameters
    ----------
    released
        What came through the gate.
    surroundings
        Public layers under the hotspots; nothing of them comes from the data.
    pages
        Addresses of the pages beside the map, as seen from it: the card of an area leads to its briefing.

    Returns
    -------
    payload
        Plain values in a fixed order, ready for `page.data_block`.
    """
    with words.per(released.info.base):  # a notebook makes a map outside of any run
        return _payload(released, surroundings, pages)


def _payload(released: Released, surroundings: Surroundings | None, pages: Collection[str]) -> Payload:
    outlines = make_outlines(released)
    present = [level for level in LEVELS if (released.areas["level"] == level).any()]
    levels: dict[str, LevelFields] = {level: _level(released, level, outlines) for level in present}
    for level in {Level.REGION, Level.BOROUGH} & levels.keys():
        region = level == Level.REGION
        addresses = ["panel.html" if region else f"boroughs/{link_to(code)}" for code in levels[level]["code"]]
        if any(address in pages for address in addresses):
            levels[level]["briefing"] = [address if address in pages else "" for address in addresses]
    return {
        "info": _info(released),
        "words": words.script_words(released.info.language),
        "categories": [
            {
                "id": c.id,
                "label": c.label,
                "parent": c.parent,
                "detail": c.detail,
                "long": c.long_windows,
                "base": released.info.bases.get(c.id, ""),
            }
            for c in released.info.categories
        ],
        "arcs": outlines.arcs,
        "edge": outlines.region,
        "water": outlines.water,
        "levels": levels,
        "hotspots": _hotspots(released, outlines),
        "density": _density(released, outlines),
        "attention": attention_fields(released),
        "overlays": overlay_fields(released),
        "context": context_fields(surroundings or Surroundings(), analyst=released.info.audience == "internal"),
    }
