"""near-repeats.html: whether incidents follow one another nearby within days, and where that holds now.

In the internal folder only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.detect.near_repeats import LEAST_PAIRS, LEAST_RATIO, MAX_P, MOST_ZONES, SAME_PLACE_M
from pipeline.domain.categories import ROOT
from pipeline.publish import page, words
from pipeline.publish.words import Segment, say
from pipeline.release.released import Released, ReleaseInfo
from pipeline.storage.files import write_text
from pipeline.tables import NEAR_REPEAT_ZONES, NEAR_REPEATS

__all__ = ["PAGE", "has_near_repeats", "near_repeats_html", "write_near_repeats"]

PAGE = "near-repeats.html"
MOST_LISTED = 5
"""Zones listed for each category; the layer has more."""


@dataclass(frozen=True, slots=True)
class _Band:
    """A cell of the matrix: the ratio, whether zones are made from it, and smaller lines under it."""

    text: str
    acting: bool
    under: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Section:
    """One category: what was found in a sentence, the matrix, and the zones with most incidents to expect."""

    name: str
    sentences: list[tuple[Segment, ...]]
    head: tuple[str, ...]
    rows: list[tuple[str, list[_Band]]]
    zones: Sequence[tuple[str, ...]]
    zones_note: str


class _Table:
    """The rows of one category."""

    def __init__(self, category: str, rows: Sequence[dict[str, Any]]) -> None:
        self.category, self.rows = category, rows
        self.distances = sorted({(r["distance_low_m"], r["distance_high_m"]) for r in rows})
        self.days = sorted({(r["days_low"], r["days_high"]) for r in rows})
        self.acting = [r for r in rows if r["acting"]]
        self.incidents = int(rows[0]["incidents"])

    def at(self, distance: tuple[float, float], days: tuple[float, float]) -> dict[str, Any]:
        return next(r for r in self.rows if (r["distance_low_m"], r["days_low"]) == (distance[0], days[0]))

    @property
    def too_few(self) -> bool:
        """Whether no band has pairs enough to say anything."""
        return all(max(r["observed"], r["expected"]) < LEAST_PAIRS for r in self.rows)


def has_near_repeats(released: Released) -> bool:
    """Whether a release has the page."""
    return released.info.audience == "internal" and len(released.patterns.of(NEAR_REPEATS)) > 0


def write_near_repeats(released: Released, folder: Path) -> None:
    """Write the page into the folder of a profile, where the release has its figures."""
    if has_near_repeats(released):
        write_text(folder / PAGE, near_repeats_html(released))


def near_repeats_html(released: Released) -> str:
    """Return the page.

    Parameters
    ----------
    released
        What came through the gate, with the table NEAR_REPEATS.
    """
    info, frame = released.info, released.patterns.of(NEAR_REPEATS)
    plain = frame.astype(object).where(frame.notna(), None).to_dict("records")
    by_category = {c: _Table(c, list(rows)) for c, rows in groupby(plain, key=lambda r: str(r["category"]))}
    tables = [by_category[c.id] for c in info.categories if c.id in by_category]
    zones = pd.DataFrame(released.patterns.layer(NEAR_REPEAT_ZONES)).drop(columns="geometry", errors="ignore")
    body = page.render(
        "pages/near_repeats.html",
        info=info,
        about=say("number.list_joint").join(t for t in (info.title, info.place, info.headline.label) if t),
        lead=_lead(info, tables),
        act=_act(tables, zones),
        sections=[_section(info, table, zones) for table in tables],
        zone_head=[say(f"near_repeats.column.{key}") for key in ("number", "area", "until", "extra", "times")],
        notes=_notes(tables[0]),
        caveats=info.caveats,
    )
    return page.document(
        language=info.language,
        title=say("near_repeats.page_title", title=info.title),
        styles=[
            page.colour_tokens(),
            page.style_sheet("pages/protection.css"),
            page.style_sheet("pages/near_repeats.css"),
            page.dark_if_asked(body),
        ],
        body=body,
    )


def _notes(table: _Table) -> list[str]:
    first = table.rows[0]
    return [
        say(f"near_repeats.note.{first['metric']}"),
        say(
            "near_repeats.note.expected",
            n=words.whole(first["permutations"]),
            least=f"{1 / (first['permutations'] + 1):.3g}",
        ),
        say(
            "near_repeats.note.acting",
            p=f"{MAX_P:g}",
            ratio=f"{LEAST_RATIO:g}",
            least=words.whole(LEAST_PAIRS),
            bands=words.whole(len(table.rows)),
        ),
        say("near_repeats.note.zones", most=words.whole(MOST_ZONES)),
        say("near_repeats.note.pooled"),
        say("near_repeats.note.map_points"),
    ]


def _confirmed(tables: Sequence[_Table]) -> bool:
    """Whether what all categories together show is confirmed by one of them, or there is none to ask."""
    single = [t for t in tables if t.category != ROOT]
    return not single or any(t.acting for t in single)


def _lead(info: ReleaseInfo, tables: Sequence[_Table]) -> tuple[Segment, ...]:
    labels = {c.id: c.label for c in info.categories}
    single = [labels[t.category] for t in tables if t.acting and t.category != ROOT]
    pooled = next((t for t in tables if t.category == ROOT), None)
    if single:
        return words.parts("near_repeats.lead.found", categories=words.listed(single), n=len(single))
    if pooled is not None and pooled.acting:
        return words.parts("near_repeats.lead.together" if _confirmed(tables) else "near_repeats.lead.pooled_only")
    if all(t.too_few for t in tables):
        return words.parts("near_repeats.lead.too_few")
    return words.parts("near_repeats.lead.none")


def _act(tables: Sequence[_Table], zones: pd.DataFrame) -> str:
    """Say where and how long the risk is raised, by the category with most incidents to expect in its zones."""
    if not any(t.acting for t in tables) or not _confirmed(tables):
        return ""
    if not len(zones):
        return say("near_repeats.act_none")
    return say(
        "near_repeats.act",
        first=words.month_name(zones["first_day"].iloc[0]),
        last=words.month_name(zones["last_day"].max()),
    )


def _metres(distance: tuple[float, float]) -> str:
    low, high = (words.whole(d) for d in distance)
    if distance[1] <= SAME_PLACE_M:
        return say("near_repeats.same_place")
    if distance[0] <= SAME_PLACE_M:
        return say("near_repeats.under", high=high)
    return say("near_repeats.from_to", low=low, high=high)


def _days(days: tuple[float, float]) -> str:
    last = int(np.ceil(days[1])) - 1
    if days[0] <= 0:
        return say("near_repeats.up_to_days", n=last)
    return say("near_repeats.days", low=words.whole(np.ceil(days[0])), high=words.whole(last))


def _section(info: ReleaseInfo, table: _Table, zones: pd.DataFrame) -> _Section:
    label = next(c.label for c in info.categories if c.id == table.category)
    mine = zones[zones["category"] == table.category].sort_values("rank")
    listed = [
        (
            words.whole(row["rank"]),
            str(row["area_name"]),
            say("near_repeats.until", day=words.month_name(row["last_day"]), n=int(row["days_left"])),
            _small(row["extra_incidents"]),
            f"{row['times_as_likely']:.1f}",
        )
        for row in mine.head(MOST_LISTED).to_dict("records")
    ]
    note = ""
    if len(mine):
        note = say(
            "near_repeats.zones",
            n=len(mine),
            extra=_small(mine["extra_incidents"].sum()),
            incidents=words.whole(len(mine)),
        )
    return _Section(
        name=say("near_repeats.pooled", label=label) if table.category == ROOT else label,
        sentences=_sentences(info, table),
        head=tuple(_days(d) for d in table.days),
        rows=[(_metres(m), [_band(table.at(m, d)) for d in table.days]) for m in table.distances],
        zones=listed,
        zones_note=note,
    )


def _band(row: dict[str, Any]) -> _Band:
    text = say("concentration.none") if row["ratio"] is None else f"{row['ratio']:.2f}"
    pairs = say("near_repeats.pairs", observed=words.whole(row["observed"]), expected=_expected(row["expected"]))
    return _Band(text, bool(row["acting"]), (pairs, say("near_repeats.p", p=f"{row['p']:.3g}")))


def _expected(value: float) -> str:
    return words.whole(value) if value == int(value) else f"{value:.1f}"


def _small(value: float) -> str:
    """Write a number of incidents to expect, which is often far below one."""
    return f"{value:.2f}" if value < 9.995 else words.whole(value)


def _sentences(info: ReleaseInfo, table: _Table) -> list[tuple[Segment, ...]]:
    """Say what an analyst needs from the matrix: how far, how long, how many times as likely."""
    count = words.counted(table.incidents, info.noun)
    reach = words.whole(table.distances[-1][1])
    pairs = sum(r["observed"] for r in table.rows)
    longest = int(np.ceil(table.days[-1][1])) - 1
    if table.too_few:
        return [words.parts("near_repeats.too_few", count=count, n=pairs, reach=reach, days=words.whole(longest))]
    if not table.acting:
        return [words.parts("near_repeats.none", count=count, n=pairs, reach=reach, days=words.whole(longest))]
    out = []
    soonest = [r for r in table.acting if r["days_low"] == table.days[0][0]]
    first = int(np.ceil(table.days[0][1])) - 1
    for same in (True, False):
        rows = [r for r in soonest if (r["distance_high_m"] <= SAME_PLACE_M) is same]
        if not rows:
            continue
        observed, expected = (sum(r[key] for r in rows) for key in ("observed", "expected"))
        out.append(
            words.parts(
                "near_repeats.found_same" if same else "near_repeats.found",
                reach=words.whole(max(r["distance_high_m"] for r in rows)),
                days=words.whole(first),
                times=f"{observed / expected:.1f}",
                observed=words.whole(observed),
                expected=_expected(expected),
            )
        )
    lasts = max(int(np.ceil(r["days_high"])) - 1 for r in table.acting)
    key = "near_repeats.lasts_to_the_end" if lasts == longest else "near_repeats.lasts"
    out.append(words.parts(key, days=words.whole(lasts)))
    return out
