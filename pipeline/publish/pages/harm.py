"""harm.html: incidents by the weight of their offence, beside counts, in the internal folder only."""

from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.domain.periods import Period
from pipeline.publish import charts, page, words
from pipeline.publish.exports import csv_text
from pipeline.publish.words import Segment, say
from pipeline.release.released import Released
from pipeline.storage.files import write_bytes, write_text
from pipeline.tables import HARM_AREAS, HARM_DENSITY, HARM_HOTSPOTS, HARM_OFFENCES, HARM_RULES, Level

__all__ = ["PAGE", "harm_html", "has_harm", "write_harm"]

PAGE = "harm.html"
MAP_WIDE_PT = 700.0
MOST_LISTED = 25
"""Smallest areas in a table: the CSV beside the page has all."""


def has_harm(released: Released) -> bool:
    """Whether a release has the page."""
    return released.info.audience == "internal" and len(released.patterns.of(HARM_AREAS)) > 0


def write_harm(released: Released, folder: Path) -> None:
    """Write the page and its tables into the folder of a profile, where weights are given."""
    if not has_harm(released):
        return
    write_text(folder / PAGE, harm_html(released))
    for table in (HARM_AREAS, HARM_OFFENCES):
        rows = table.conform(released.patterns.of(table))
        write_bytes(folder / f"{table.name}.csv", csv_text(rows).encode("utf-8"))


def harm_html(released: Released) -> str:
    """Return the page.

    Parameters
    ----------
    released
        What came through the gate, with the tables of harm.
    """
    info, made = released.info, _Made(released)
    body = page.render(
        "pages/harm.html",
        info=info,
        about=say("number.list_joint").join(t for t in (info.title, info.place, info.headline.label) if t),
        lead=made.lead(),
        weights=made.weights(),
        map=made.map(),
        tables=[made.offences(), made.hotspots(), made.areas(Level.BOROUGH), *made.smallest()],
        notes=[made.guard_note(), *(say(f"harm.note.{key}") for key in ("transform", "change", "not_severity"))],
        caveats=info.caveats,
    )
    return page.document(
        language=info.language,
        title=say("harm.page_title", title=info.title),
        styles=[
            page.colour_tokens(),
            page.style_sheet("pages/protection.css"),
            page.style_sheet("pages/harm.css"),
            page.dark_if_asked(body),
        ],
        body=body,
    )


def _amount(value: float | None) -> str:
    """Write an amount of harm: whole from 100 on, with up to two digits below."""
    if value is None:
        return say("harm.none")
    return words.whole(value) if value == 0 or abs(value) >= 100 else f"{value:.{2 if abs(value) < 10 else 1}f}"


def _pct(value: float | None) -> str:
    return say("harm.none") if value is None else words.fine_pct_text(value)


class _Made:
    """What the page says, from the tables of harm."""

    def __init__(self, released: Released) -> None:
        self._released, self._info = released, released.info
        patterns = released.patterns
        self._rules: dict[str, str] = patterns.of(HARM_RULES).set_index("rule")["value"].astype(str).to_dict()
        self._offences = _records(patterns.of(HARM_OFFENCES))
        self._areas = _records(patterns.of(HARM_AREAS))
        self._spots = patterns.layer(HARM_HOTSPOTS)
        self._names: dict[str, str] = released.areas.set_index("area_code")["name"].astype(str).to_dict()
        self._region = next(r for r in self._areas if r["level"] == Level.REGION)

    def lead(self) -> tuple[Segment, ...]:
        """Say which offence has most harm, and its share of the incidents."""
        most, total = self._offences[0], int(self._rules["weighed"])
        if not self._region["harm"]:
            return words.parts("harm.lead_nothing", period=self._info.headline.label)
        return words.parts(
            "harm.lead",
            offence=most["offence"],
            share=_pct(most["share_pct"]),
            incidents=_pct(100 * most["incidents"] / max(total, 1)),
        )

    def weights(self) -> str:
        """Say what was added up, and what has no weight."""
        transform = say(f"harm.transform.{self._rules['transform']}")
        weighed, every = int(self._rules["weighed"]), int(self._rules["incidents"])
        values = {"weighed": words.whole(weighed), "incidents": words.whole(every), "transform": transform}
        said = say("harm.weights", **values)
        lacking = every - weighed
        return f"{said} {say('harm.without', n=lacking)}" if lacking else said

    def guard_note(self) -> str:
        """Say when a cluster is no hotspot by harm."""
        share = words.fine_pct_text(float(self._rules["max_share_pct"]))
        return say("harm.note.guard", least=self._rules["min_incidents"], share=share)

    def map(self) -> Any:
        """Draw density and hotspots; nothing without either."""
        density = self._released.patterns.layer(HARM_DENSITY)
        if not len(density) and not len(self._spots):
            return ""
        areas = self._released.areas[self._released.areas["level"] == Level.BOROUGH]
        drawn = charts.harm_map(
            density,
            self._spots,
            self._released.hotspots,
            outlines=areas.geometry.to_numpy(),
            label=say("harm.map_label", n=len(self._spots)),
            width_pt=MAP_WIDE_PT,
        )
        return page.safe(drawn)

    def offences(self) -> page.Table:
        """List the offences with their weights."""
        rows: list[tuple[str, ...]] = [
            (
                r["offence"] or say("harm.not_stated"),
                say("harm.no_weight") if r["weight"] is None else f"{r['weight']:,g}",
                words.whole(r["incidents"]),
                _amount(r["harm"]),
                _pct(r["share_pct"]),
            )
            for r in self._offences
        ]
        head = tuple(_column(key) for key in ("offence", "weight", "incidents", "harm", "share"))
        return page.Table(say("harm.heading.offences"), head, rows)

    def hotspots(self) -> page.Table:
        """List the hotspots by harm, and say how many clusters are none."""
        left = int(self._rules["left_out"])
        notes = [say("harm.left_out", n=left)] if left else []
        if not len(self._spots):
            return page.Table(say("harm.heading.hotspots"), (), [], [say("harm.no_hotspot"), *notes])
        rows: list[tuple[str, ...]] = [
            (
                say("harm.spot", rank=r["rank"], name=r["area_name"]),
                words.whole(r["incidents"]),
                _amount(r["harm"]),
                _amount(r["per_incident"]),
                _pct(r["top_share_pct"]),
                say("harm.none") if r["by_count"] is None else say("harm.hotspot", n=int(r["by_count"])),
            )
            for r in _records(pd.DataFrame(self._spots.drop(columns="geometry")))
        ]
        head = tuple(_column(key) for key in ("hotspot", "incidents", "harm", "per_incident", "top", "by_count"))
        return page.Table(say("harm.heading.hotspots"), head, rows, notes)

    def areas(self, level: str) -> page.Table:
        """List the areas of a level by harm, the region first."""
        found = sorted((r for r in self._areas if r["level"] == level), key=lambda r: (-r["harm"], r["area_code"]))
        more = len(found) - MOST_LISTED if level == Level.WARD else 0
        shown = [self._region, *(found[:MOST_LISTED] if more > 0 else found)]
        head = ["area", "weighed", "of_incidents", "harm", "of_harm", "per_incident", "top"]
        earlier = self._rules.get("earlier")
        rows: list[tuple[str, ...]] = []
        for r in shown:
            cells = [
                self._names.get(r["area_code"], r["area_code"]),
                words.whole(r["weighed"]),
                _pct(100 * r["weighed"] / max(self._region["weighed"], 1)),
                _amount(r["harm"]),
                _pct(100 * r["harm"] / self._region["harm"] if self._region["harm"] else None),
                _amount(r["per_incident"]),
                _pct(r["top_share_pct"]),
            ]
            if earlier:
                word = say(f"harm.change.{r['change_word'].replace(' ', '_')}")
                pct = r["change_pct"]
                cells.append(word if pct is None else say("harm.change_cell", word=word, pct=words.signed(pct)))
            rows.append(tuple(cells))
        columns = [_column(key) for key in head]
        if earlier:
            columns.append(say("harm.column.change", period=Period.parse(earlier).label))
        many = words.area_words(self._info.level_labels, level)[1]
        notes = [say("harm.more_areas", n=more)] if more > 0 else []
        return page.Table(say("harm.heading.areas", areas=many), tuple(columns), rows, notes)

    def smallest(self) -> list[page.Table]:
        """List the smallest areas with most harm; none where there is one level of areas."""
        return [self.areas(Level.WARD)] if any(r["level"] == Level.WARD for r in self._areas) else []


def _column(key: str) -> str:
    return say(f"harm.column.{key}")


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = table.astype(object).where(table.notna(), None).to_dict("records")
    return records
