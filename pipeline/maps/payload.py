"""The one JSON block of a map page, made from a release and from nothing else."""

from typing import Any

import pandas as pd

from pipeline import page
from pipeline.findings import words
from pipeline.maps.outlines import LEVELS, make_outlines
from pipeline.maps.values import encode_counts, limits, period_kind
from pipeline.release.released import PeriodInfo, Released

__all__ = ["make_payload"]


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
        "kind": period_kind(period.days),
    }


def _info(released: Released) -> dict[str, Any]:
    info = released.info
    subject = info.title[:1].lower() + info.title[1:]
    return {
        "title": info.title,
        "subject": subject,
        "noun": info.noun,
        "place": info.place,
        "publisher": info.publisher,
        "licence": info.licence,
        "synthetic": page.SYNTHETIC if info.synthetic else "",
        "language": info.language,
        "profile": info.profile,
        "audience": info.audience,
        "marking": info.marking,
        "threshold": info.threshold,
        "rounding": info.rounding,
        "zeroRule": info.zero_rule,
        "audit": page.NOT_AUDITED if info.audit not in {"passed", "not needed"} else "",
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
    values, ranges = encode_counts(counts, codes, people=people, kinds=kinds, public=info.audience == "public")
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
    if level in outlines.areas:
        out["rings"] = outlines.areas[level]
        out["labels"] = outlines.labels[level]
        out["limits"] = limits(counts, level=level, kinds=kinds)
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
                "n": _whole(row.get("incidents")),
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
        "categories": [{"id": c.id, "label": c.label, "parent": c.parent} for c in released.info.categories],
        "arcs": outlines.arcs,
        "edge": outlines.region,
        "water": outlines.water,
        "levels": {level: _level(released, level, outlines) for level in present},
        "hotspots": _hotspots(released, outlines),
        "density": _density(released, outlines),
    }
