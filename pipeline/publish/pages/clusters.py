"""clusters.html: what the scan statistics found, in the internal folder only."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.detect.scan.entry import Kind
from pipeline.domain.periods import Period
from pipeline.publish import charts, page, words
from pipeline.publish.words import Segment, say
from pipeline.release.released import Released
from pipeline.storage.files import write_text
from pipeline.tables import SPACE_TIME_CLUSTERS, SPATIAL_CLUSTERS, Level

__all__ = ["MOST_LISTED", "PAGE", "clusters_html", "has_clusters", "write_clusters"]

PAGE = "clusters.html"
BEYOND_CHANCE = 0.05
MOST_NAMES = 4
MAP_WIDE_PT = 700.0
MOST_LISTED = 10
"""Clusters of one category in a table: a large one leaves room for dozens of small ones."""
_KINDS = (Kind.SPACE_TIME, Kind.POISSON, Kind.BERNOULLI)


@dataclass(frozen=True, slots=True)
class _Part:
    """One kind of scan: what it compares, a map, a table and notes."""

    name: str
    about: str
    map: Any
    head: tuple[str, ...]
    rows: list[tuple[page.Cell, ...]]
    notes: list[str]


def _found(released: Released) -> pd.DataFrame:
    both = [released.patterns.of(table) for table in (SPACE_TIME_CLUSTERS, SPATIAL_CLUSTERS)]
    return pd.concat([table for table in both if len(table)] or both[:1], ignore_index=True)


def has_clusters(released: Released) -> bool:
    """Whether a release has the page."""
    return released.info.audience == "internal" and len(_found(released)) > 0


def write_clusters(released: Released, folder: Path) -> None:
    """Write the page into the folder of a profile, where a scan ran for it."""
    if has_clusters(released):
        write_text(folder / PAGE, clusters_html(released))


def clusters_html(released: Released) -> str:
    """Return the page.

    Parameters
    ----------
    released
        What came through the gate, with the tables SPACE_TIME_CLUSTERS and SPATIAL_CLUSTERS.
    """
    info = released.info
    table = _found(released)
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    parts = [_part(released, kind, mine) for kind in _KINDS if (mine := [r for r in rows if r["kind"] == kind])]
    body = page.render(
        "pages/clusters.html",
        info=info,
        about=say("number.list_joint").join(t for t in (info.title, info.place) if t),
        lead=_lead(rows),
        parts=parts,
        notes=[say(f"clusters.reading.{key}") for key in ("p", "series", "circle", "several", "places")],
        caveats=info.caveats,
    )
    return page.document(
        language=info.language,
        title=say("clusters.page_title", title=info.title),
        styles=[
            page.colour_tokens(),
            page.style_sheet("pages/protection.css"),
            page.style_sheet("pages/concentration.css"),
            page.dark_if_asked(body),
        ],
        body=body,
    )


def _beyond(row: dict[str, Any]) -> bool:
    return bool(row["rank"] > 0 and row["p"] <= BEYOND_CHANCE)


def _lead(rows: Sequence[dict[str, Any]]) -> tuple[Segment, ...]:
    found, alive = sum(map(_beyond, rows)), sum(bool(r["alive"]) for r in rows)
    if not found:
        return words.parts("clusters.lead_none")
    return words.parts("clusters.lead_alive" if alive else "clusters.lead", n=found, alive=words.whole(alive))


def _part(released: Released, kind: str, rows: Sequence[dict[str, Any]]) -> _Part:
    """Describe one kind of scan."""
    info = released.info
    labels = {c.id: c.label for c in info.categories}
    names = dict(zip(released.areas["area_code"], released.areas["name"], strict=True))
    in_time = kind == Kind.SPACE_TIME
    found = [r for r in rows if 0 < r["rank"] <= MOST_LISTED]
    searched = [r for r in rows if r["rank"] == 0]
    # Numbers run through all categories, so that the map and the table name the same cluster alike.
    numbered = [(str(n), r) for n, r in enumerate(found, start=1)]
    keys = ["number", "category", "where", *(["when"] if in_time else []), "observed", "expected", "times"]
    keys += [] if in_time else ["risk"]
    return _Part(
        name=say(f"clusters.heading.{kind}"),
        about=say(f"clusters.about.{kind}", period=Period.parse(searched[0]["period"]).label if searched else ""),
        map=_map(released, kind, numbered),
        head=tuple(say(f"clusters.column.{key}") for key in (*keys, "p")),
        rows=[_row(number, r, labels, names, in_time=in_time) for number, r in numbered],
        notes=[_searched(r, labels[r["category"]], rows) for r in searched],
    )


def _row(
    number: str, row: dict[str, Any], labels: dict[str, str], names: dict[str, str], *, in_time: bool
) -> tuple[page.Cell, ...]:
    """Write the line of a cluster."""
    inside = [names.get(code, code) for code in str(row["area_codes"]).split(";") if code]
    more = len(inside) - MOST_NAMES
    where = (
        words.listed(inside)
        if more <= 0
        else say("clusters.and_more", names=say("number.list_joint").join(inside[:MOST_NAMES]), n=more)
    )
    size = (
        say("clusters.single")
        if row["places"] == 1
        else say("clusters.size", radius=words.whole(round(row["radius_m"])), n=row["places"])
    )
    cells = [
        page.Cell(number),
        page.Cell(labels[row["category"]]),
        page.Cell(where or say("clusters.outside"), (size,)),
    ]
    if in_time:
        going_on = (say("clusters.alive"),) if row["alive"] else ()
        cells.append(page.Cell(words.capital(Period.parse(row["period"]).label), going_on))
    cells += [page.Cell(words.whole(row["observed"])), page.Cell(words.rate_text(row["expected"]))]
    cells.append(page.Cell(_times(row["observed"] / row["expected"]) if row["expected"] else say("clusters.none")))
    if not in_time:
        risk = row["relative_risk"]
        cells.append(page.Cell(say("clusters.all_inside") if risk is None else _times(risk)))
    under = [] if _beyond(row) else [say("clusters.within_chance")]
    if row["p_gumbel"] is not None:
        under.append(say("clusters.gumbel", p=_p(row["p_gumbel"])))
    cells.append(page.Cell(_p(row["p"]), tuple(under)))
    return tuple(cells)


def _times(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def _p(p: float) -> str:
    """Write a p-value: three decimals, and small ones by their first figure."""
    return f"{p:.3f}" if p >= 0.001 else say("clusters.p_small") if p < 1e-9 else f"{p:.1g}"


def _searched(row: dict[str, Any], label: str, rows: Sequence[dict[str, Any]]) -> str:
    """Say what was searched, and what limits the result."""
    sentences = [
        say(
            "clusters.searched",
            category=label,
            n=row["observed"],
            places=words.whole(row["places"]),
            simulations=words.whole(row["simulations"]),
        )
    ]
    for note in str(row["notes"]).split(";"):
        key, _, number = note.partition(":")
        if key:
            sentences.append(say(f"clusters.note.{key}", n=int(number or 0), times=f"{int(number or 0) / 100:.2f}"))
    more = sum(r["category"] == row["category"] and r["rank"] > MOST_LISTED for r in rows)
    if more:
        sentences.append(say("clusters.more", n=more))
    return " ".join(sentences)


def _map(released: Released, kind: str, numbered: Sequence[tuple[str, dict[str, Any]]]) -> Any:
    """Draw the clusters; nothing where there are none."""
    areas = released.areas
    levels = [areas[areas["level"] == level] for level in (Level.BOROUGH, Level.WARD)]
    outlines = levels[0] if len(levels[0]) else levels[1]
    if not numbered or not len(outlines):
        return ""
    circles = [
        charts.Circle(r["easting_m"], r["northing_m"], r["radius_m"], number, strong=_beyond(r))
        for number, r in numbered
    ]
    drawn = charts.cluster_map(
        circles,
        outlines=outlines.geometry.to_numpy(),
        inner=levels[1].geometry.to_numpy(),
        label=say("clusters.map_label", n=len(circles), kind=say(f"clusters.heading.{kind}")),
        width_pt=MAP_WIDE_PT,
    )
    return page.safe(drawn)
