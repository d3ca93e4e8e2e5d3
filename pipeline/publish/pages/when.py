"""when.html: day by hour, season and trend, and the latest months against expectation, in the internal folder only."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.detect.hours import BAND_HOURS, HOTSPOT, RUN_HOURS, WEEK_HOURS
from pipeline.detect.seasons import FITTED, TOO_FEW_MONTHS
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import months_between
from pipeline.publish import charts, page, words
from pipeline.publish.exports import csv_text
from pipeline.publish.words import Segment, say
from pipeline.release.released import Released
from pipeline.statistics.change import ChangeWord
from pipeline.statistics.seasons import FEWEST_MONTHS
from pipeline.storage.files import write_bytes, write_text
from pipeline.tables import HOUR_PEAKS, HOURS, SEASON_MONTHS, SEASONS, Level

__all__ = ["PAGE", "has_when", "when_html", "write_when"]

PAGE = "when.html"
HOURS_EACH = 3 * WEEK_HOURS
"""From so many incidents on a grid has a cell for each hour, three in each on average; below, three-hour bands."""
MOST_BANDS = 4
LARGE_PT, SMALL_PT, CHART_PT = (560.0, 190.0), (250.0, 104.0), (560.0, 180.0)
TABLES = (HOURS, HOUR_PEAKS, SEASON_MONTHS, SEASONS)
"""Tables of a release that the page shows, each written as CSV beside it."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """A grid with what stands above it."""

    name: str
    about: str
    picture: Any


@dataclass(frozen=True, slots=True)
class _Group:
    """Places of one level."""

    name: str
    grids: list[_Grid]
    left_out: str
    open: bool


def has_when(released: Released) -> bool:
    """Whether a release has the page."""
    there = any(len(released.patterns.of(table)) for table in (HOUR_PEAKS, SEASONS))
    return released.info.audience == "internal" and there


def write_when(released: Released, folder: Path) -> None:
    """Write the page and its tables into the folder of a profile, where the release has its figures."""
    if not has_when(released):
        return
    write_text(folder / PAGE, when_html(released))
    for table in TABLES:
        frame = released.patterns.of(table)
        if len(frame):
            write_bytes(folder / f"{table.name}.csv", csv_text(table.conform(frame)).encode("utf-8"))


def when_html(released: Released) -> str:
    """Return the page.

    Parameters
    ----------
    released
        What came through the gate, with the tables HOURS, HOUR_PEAKS, SEASON_MONTHS and SEASONS.
    """
    info = released.info
    week = _Week(released)
    months = _Months(released)
    body = page.render(
        "pages/when.html",
        info=info,
        about=say("number.list_joint").join(t for t in (info.title, info.place, info.headline.label) if t),
        lead=week.lead(),
        region=week.region(),
        key=page.safe(charts.week_key([say(f"when.shade.{k}") for k in range(6)], width_pt=LARGE_PT[0])),
        peaks=week.peaks(),
        groups=week.groups(),
        has_hours=week.shown,
        season_lead=months.lead(),
        trend=months.chart(),
        tables=months.tables(),
        notes=[say(f"when.note.{key}") for key in (*week.notes(), "stl")],
        caveats=info.caveats,
    )
    return page.document(
        language=info.language,
        title=say("when.page_title", title=info.title),
        styles=[
            page.colour_tokens(),
            page.style_sheet("pages/protection.css"),
            page.style_sheet("pages/when.css"),
            page.dark_if_asked(body),
        ],
        body=body,
    )


def _run_words(weekday: int, hour: int) -> str:
    """Name four hours: "Friday 22:00 to Saturday 02:00"."""
    end = hour + RUN_HOURS
    day, until = say(f"when.weekday.{weekday}"), f"{end % 24:02d}:00"
    if end < 24:
        return say("when.hours", day=day, hour=f"{hour:02d}:00", until=until)
    if end == 24:
        return say("when.hours", day=day, hour=f"{hour:02d}:00", until="24:00")
    tomorrow = say(f"when.weekday.{weekday % 7 + 1}")
    return say("when.hours_over", day=day, hour=f"{hour:02d}:00", next=tomorrow, until=until)


class _Week:
    """What the page says about day and hour."""

    def __init__(self, released: Released) -> None:
        self._info = released.info
        peaks = released.patterns.of(HOUR_PEAKS)
        # Hotspots that the folder does not show stay out.
        peaks = peaks[(peaks["level"] != HOTSPOT) | peaks["code"].isin(released.hotspots["hotspot_id"])]
        rows: list[dict[str, Any]] = peaks.astype(object).where(peaks.notna(), None).to_dict("records")
        self._peaks = [r for r in rows if r["category"] == ROOT]
        order = {c.id: (k, c.label) for k, c in enumerate(released.info.categories)}
        mine = [r for r in rows if r["category"] != ROOT and r["category"] in order]
        self._categories = sorted(mine, key=lambda r: order[r["category"]])
        self._labels: dict[str, str] = {category: label for category, (_, label) in order.items()}
        self._hours = {
            (str(level), str(code), str(category)): part.sort_values(["weekday", "hour"])
            for (level, code, category), part in released.patterns.of(HOURS).groupby(
                ["level", "code", "category"], sort=False
            )
        }
        names = released.areas.set_index("area_code")["name"].astype(str).to_dict()
        spots = released.hotspots
        self._names: dict[str, str] = names | {
            str(row["hotspot_id"]): say("when.hotspot", n=row["rank"], name=row["name"])
            for row in spots[["hotspot_id", "rank", "name"]].to_dict("records")
        }
        self.shown = any(r["peak"] is not None for r in self._peaks if r["level"] == Level.REGION)

    def _name(self, row: dict[str, Any]) -> str:
        """Name what a row is about: a category, or a place."""
        if row["category"] != ROOT:
            return self._labels[row["category"]]
        name: str = self._names.get(row["code"], row["code"])
        return name

    def _of(self, level: str) -> list[dict[str, Any]]:
        found = [r for r in self._peaks if r["level"] == level]
        # Hotspots stand in the order of their ranks, in which they are given; areas by name.
        return found if level == HOTSPOT else sorted(found, key=lambda r: self._names.get(r["code"], r["code"]))

    def _level(self, level: str) -> str:
        """Name several places of a level: "wards"."""
        many = say("when.hotspots") if level == HOTSPOT else words.area_words(self._info.level_labels, level)[1]
        return words.capital(many)

    def lead(self) -> tuple[Segment, ...]:
        """Say when most incidents happen, and what chance would give."""
        info = self._info
        region = next(iter(self._of(Level.REGION)), None)
        if region is None or not region["timed"]:
            return words.parts("when.lead_none", period=info.headline.label)
        if region["peak"] is None:
            n = words.counted(int(region["timed"]), info.noun)
            return words.parts("when.lead_too_few", count=n, period=info.headline.label)
        values: dict[str, Any] = {
            "run": _run_words(region["weekday"], region["hour"]),
            "peak": words.whole(region["peak"]),
            "timed": words.whole(region["timed"]),
            "share": words.fine_pct_text(100 * region["peak"] / region["timed"]),
            "even": words.fine_pct_text(100 * RUN_HOURS / WEEK_HOURS),
            "chance": words.whole(region["chance"]),
            "high": words.whole(region["chance_high"]),
        }
        clear = region["peak"] > region["chance_high"]
        return words.parts("when.lead" if clear else "when.lead_flat", **values)

    def _picture(self, row: dict[str, Any], size: tuple[float, float]) -> Any:
        part = self._hours[row["level"], row["code"], row["category"]]
        fine = row["timed"] >= HOURS_EACH
        label = say("when.grid_label", name=self._name(row), run=self._busiest(row))
        drawn = charts.week_grid(
            part["incidents"].to_numpy(dtype=np.float64),
            marked=(part["word"] == ChangeWord.HIGHER.value).fillna(value=False).to_numpy(dtype=bool),
            cell_hours=1 if fine else BAND_HOURS,
            width_pt=size[0],
            height_pt=size[1],
            label=label,
        )
        return page.safe(drawn)

    def notes(self) -> tuple[str, ...]:
        """Name the notes on day and hour that the page needs."""
        if not self.shown:
            return ()
        return ("between", "chance", "framed", *(("categories",) if self._categories else ()))

    def region(self) -> Any:
        """Draw the region's week; nothing with too few incidents."""
        return next((self._picture(r, LARGE_PT) for r in self._of(Level.REGION) if r["peak"] is not None), "")

    def _busiest(self, row: dict[str, Any]) -> str:
        if row["peak"] <= row["chance_high"]:
            return say("when.none_stands_out")
        return _run_words(row["weekday"], row["hour"])

    def _levels(self) -> list[str]:
        there = {r["level"] for r in self._peaks}
        # With one level of areas there are no smaller ones than boroughs.
        return [level for level in (Level.BOROUGH.value, HOTSPOT, Level.WARD.value) if level in there]

    def peaks(self) -> list[page.Table]:
        """List the busiest four hours of places and of categories with enough incidents."""
        if not self.shown:
            return []
        places = [r for level in (Level.REGION.value, *self._levels()) for r in self._of(level)]
        above = say("when.column.above", region=self._info.region_name)
        tables = [self._table(say("when.heading.peaks"), say("when.column.place"), places, above)]
        if any(r["peak"] is not None for r in self._categories):
            heading = say("when.heading.category_peaks", region=self._info.region_name)
            first, last = say("concentration.column.category"), say("when.column.above_others")
            tables.append(self._table(heading, first, self._categories, last))
        return tables

    def _table(self, heading: str, first: str, found: list[dict[str, Any]], last: str) -> page.Table:
        rows: list[tuple[str, ...]] = []
        for r in (r for r in found if r["peak"] is not None):
            peak = f"{words.whole(r['peak'])} ({words.fine_pct_text(100 * r['peak'] / r['timed'])})"
            chance = say("when.chance", mean=words.whole(r["chance"]), high=words.whole(r["chance_high"]))
            cells = (words.whole(r["incidents"]), words.whole(r["timed"]), self._busiest(r), peak, chance)
            rows.append((self._name(r), *cells, self._above(r)))
        keys = ("incidents", "timed", "busiest", "peak", "by_chance")
        return page.Table(heading, (first, *(say(f"when.column.{key}") for key in keys), last), rows, [])

    def _above(self, row: dict[str, Any]) -> str:
        """List the three-hour bands that are clearly above the rest of the region, or all other incidents."""
        if row["level"] == Level.REGION and row["category"] == ROOT:
            return say("when.none")
        part = self._hours[row["level"], row["code"], row["category"]]
        marked = part[(part["word"] == ChangeWord.HIGHER.value).fillna(value=False) & (part["hour"] % BAND_HOURS == 0)]
        bands = [
            say("when.band", day=say(f"hotspot.weekday.{d}"), hour=f"{h:02d}", until=f"{h + BAND_HOURS:02d}")
            for d, h in marked[["weekday", "hour"]].itertuples(index=False)
        ]
        more = len(bands) - MOST_BANDS
        named = say("number.list_joint").join(bands[:MOST_BANDS])
        return (say("when.and_more", bands=named, n=more) if more > 0 else named) or say("when.none")

    def groups(self) -> list[_Group]:
        """Draw every category and every place with enough incidents, by level."""
        each = [self._group(say("when.categories"), self._categories)] if self._categories else []
        return [*each, *(self._group(self._level(level), self._of(level)) for level in self._levels())]

    def _group(self, name: str, rows: list[dict[str, Any]]) -> _Group:
        grids = [
            _Grid(self._name(r), words.counted(int(r["timed"]), self._info.noun), self._picture(r, SMALL_PT))
            for r in rows
            if r["peak"] is not None
        ]
        few = len(rows) - len(grids)
        left_out = say("when.left_out", n=few, all=words.whole(len(rows)), places=name.lower())
        return _Group(name, grids, left_out if few else "", rows[0]["level"] != Level.WARD)


class _Months:
    """What the page says about seasons, trend and expectation."""

    def __init__(self, released: Released) -> None:
        self._info = released.info
        self._names: dict[str, str] = released.areas.set_index("area_code")["name"].astype(str).to_dict()
        order = {c.id: (k, c.label) for k, c in enumerate(released.info.categories)}
        self._labels: dict[str, str] = {category: label for category, (_, label) in order.items()}
        seasons, months = released.patterns.of(SEASONS), released.patterns.of(SEASON_MONTHS)
        plain: list[dict[str, Any]] = seasons.astype(object).where(seasons.notna(), None).to_dict("records")
        self._areas = sorted(
            (r for r in plain if r["category"] == ROOT),
            key=lambda r: (r["level"] != Level.REGION, self._names.get(r["area_code"], "")),
        )
        mine = [r for r in plain if r["category"] != ROOT and r["category"] in order]
        self._categories = sorted(mine, key=lambda r: order[r["category"]])
        rows = months.astype(object).where(months.notna(), None)
        self._rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in rows.sort_values("month").to_dict("records"):
            self._rows.setdefault((row["area_code"], row["category"]), []).append(row)

    def _name(self, row: dict[str, Any]) -> str:
        """Name what a row is about: a category of the region, or an area."""
        if row["category"] != ROOT:
            return self._labels[row["category"]]
        name: str = self._names.get(row["area_code"], row["area_code"])
        return name

    def _region(self) -> dict[str, Any] | None:
        return next((r for r in self._areas if r["level"] == Level.REGION), None)

    def _of_level(self, level: str) -> str:
        return words.area_words(self._info.level_labels, level)[1]

    def lead(self) -> str:
        """Say what season and trend of the region are."""
        region = self._region()
        if region is None:
            return say("when.seasons_none")
        if region["state"] != FITTED:
            few_months = region["state"] == TOO_FEW_MONTHS
            key = "when.too_few_months_lead" if few_months else "when.too_few_incidents_lead"
            return say(key, n=int(region["months"]), least=FEWEST_MONTHS)
        clear = region["strength"] > region["strength_chance"]
        season = say(
            "when.season" if clear else "when.no_season",
            high=say(f"month.{region['high_month']}"),
            high_pct=words.signed(region["high_pct"]),
            low=say(f"month.{region['low_month']}"),
            low_pct=words.signed(region["low_pct"]),
        )
        if region["trend_pct"] is None:
            return season
        word, values = self._change(region)
        return f"{season} {say(f'when.change.{word}', **values)}"

    def _change(self, area: dict[str, Any]) -> tuple[str, dict[str, str]]:
        """Return whether the trend changed clearly, and the numbers as text."""
        clear = not area["trend_low"] <= 0 <= area["trend_high"]
        return "clear" if clear else "unclear", {k: words.signed(area[f"trend_{k}"]) for k in ("pct", "low", "high")}

    def chart(self) -> Any:
        """Draw the region's months with the trend; nothing where nothing is fitted."""
        region = self._region()
        if region is None or region["state"] != FITTED:
            return ""
        rows = self._rows[region["area_code"], ROOT]
        first = int(rows[0]["month"])
        at = [float(months_between(first, int(r["month"])) - 1) for r in rows]

        def curve(name: str, label: str) -> charts.Curve:
            values = [r[name] for r in rows]
            points = [(x, None if v is None else (float(v), float(v))) for x, v in zip(at, values, strict=True)]
            return charts.Curve(tuple(points), say(label))

        year = [(x, str(r["month"] // 100)) for x, r in zip(at, rows, strict=True) if r["month"] % 100 == 1]
        changed = [int(b.month.replace("-", "")) for b in self._info.breaks]
        breaks = [
            (float(months_between(first, m) - 1), say("when.break"))
            for m in changed
            if first < m <= int(rows[-1]["month"])
        ]
        drawn = charts.trend(
            area=curve("trend", "when.curve.trend"),
            region=curve("per_month", "when.curve.months"),
            faint=None,
            breaks=breaks,
            events=[],
            ticks=year,
            width_pt=CHART_PT[0],
            height_pt=CHART_PT[1],
            label=say("when.trend_label", place=self._info.region_name),
        )
        return page.safe(drawn)

    def tables(self) -> list[page.Table]:
        """List season and trend of every area, and the latest months."""
        if not self._areas:
            return []
        place, category = say("when.column.place"), say("concentration.column.category")
        found = [
            self._seasons(say("when.heading.seasons"), place, self._areas),
            self._expected(say("when.heading.expected"), place, self._areas),
        ]
        if self._categories:
            found += [
                self._seasons(say("when.heading.category_seasons"), category, self._categories),
                self._expected(say("when.heading.category_expected"), category, self._categories),
            ]
        return found

    def _seasons(self, heading: str, first: str, areas: list[dict[str, Any]]) -> page.Table:
        rows: list[tuple[str, ...]] = []
        for area in areas:
            name, months = self._name(area), words.whole(area["months"])
            if area["state"] != FITTED:
                few = say("when.too_few_months" if area["state"] == TOO_FEW_MONTHS else "when.too_few_incidents")
                rows.append((name, months, few, say("when.none"), say("when.none"), say("when.none")))
                continue
            strength = say("when.strength", value=f"{area['strength']:.2f}", chance=f"{area['strength_chance']:.2f}")
            high, low = (
                say("when.month_pct", month=say(f"month.{area[f'{end}_month']}"), pct=words.signed(area[f"{end}_pct"]))
                for end in ("high", "low")
            )
            if area["strength"] <= area["strength_chance"]:
                high = low = say("when.no_clear_season")
            trend = say("when.none")
            if area["trend_pct"] is not None:
                word, values = self._change(area)
                trend = say(f"when.change_cell.{word}", **values)
            rows.append((name, months, high, low, strength, trend))
        head = (first, *(say(f"when.column.{key}") for key in ("months", "high", "low", "strength", "trend")))
        return page.Table(heading, head, rows, [say("when.note.strength")] if areas is self._areas else [])

    def _expected(self, heading: str, first: str, areas: list[dict[str, Any]]) -> page.Table:
        """Set the latest months beside what was expected; a sentence where none has enough months."""
        every = [r for area in areas for r in self._rows[area["area_code"], area["category"]]]
        late = sorted({int(r["month"]) for r in every if r["expected"] is not None})
        if not late:
            return page.Table(heading, (), [], [say("when.expected_none", least=FEWEST_MONTHS)])
        rows: list[tuple[str, ...]] = []
        higher = lower = 0
        for area in areas:
            months = self._rows[area["area_code"], area["category"]]
            found = {r["month"]: r for r in months if r["expected"] is not None}
            if not found:
                continue
            cells = []
            for month in late:
                row = found.get(month)
                if row is None:
                    cells.append(say("when.none"))
                    continue
                higher += row["word"] == ChangeWord.HIGHER.value
                lower += row["word"] == ChangeWord.LOWER.value
                keys = {"n": "incidents", "expected": "expected", "low": "expected_low", "high": "expected_high"}
                cell = say("when.expected", **{key: words.whole(row[column]) for key, column in keys.items()})
                if row["word"] in (ChangeWord.HIGHER.value, ChangeWord.LOWER.value):
                    cell = say("when.expected_word", cell=cell, word=say(f"when.word.{row['word']}"))
                cells.append(cell)
            rows.append((self._name(area), *cells))
        head = (first, *(words.month_name(f"{m // 100:04d}-{m % 100:02d}") for m in late))
        summary = say("when.expected_summary", n=len(rows) * len(late), higher=higher, lower=lower)
        if not higher and not lower:
            summary = say("when.expected_all", n=len(rows) * len(late))
        return page.Table(
            heading, head, rows, [summary, *([say("when.note.expected")] if areas is self._areas else [])]
        )
