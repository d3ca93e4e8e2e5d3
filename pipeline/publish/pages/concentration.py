"""concentration.html: how few places hold most incidents, in the internal folder only."""

from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.detect.concentration import REPEATS, TOP_PCT, Figure, Unit
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Period
from pipeline.publish import charts, page, words
from pipeline.publish.words import Segment, say
from pipeline.release.released import Released, ReleaseInfo
from pipeline.statistics.concentration import FEWEST_INCIDENTS, SHARES_PCT
from pipeline.storage.files import write_text
from pipeline.tables import Level

__all__ = ["PAGE", "concentration_html", "has_concentration", "write_concentration"]

PAGE = "concentration.html"
MOST_RUNS = 25
MAP_WIDE_PT = 700.0
CHART_PT = (420.0, 250.0)


class _Figures:
    """The released table, by unit, category, period, figure and what the figure is given for."""

    def __init__(self, table: pd.DataFrame) -> None:
        plain = table.astype(object).where(table.notna(), None)
        self._rows: dict[tuple[Any, ...], dict[str, Any]] = {
            (r["unit"], r["category"], r["period"], r["figure"], float(r["at"])): r for r in plain.to_dict("records")
        }
        self.units = list(dict.fromkeys(table["unit"]))
        self.categories = list(dict.fromkeys(table["category"]))

    def row(self, unit: str, category: str, period: str, figure: Figure, at: float = 0) -> dict[str, Any] | None:
        """Return a row; None where there is none."""
        return self._rows.get((unit, category, period, figure.value, float(at)))

    def value(self, unit: str, category: str, period: str, figure: Figure, at: float = 0) -> float | None:
        """Return a figure; None where there is none."""
        row = self.row(unit, category, period, figure, at)
        return None if row is None else float(row["value"])

    def periods(self, unit: str) -> list[str]:
        """Return the periods of a unit, oldest first."""
        return sorted({p for u, _, p, _, _ in self._rows if u == unit})

    def curve(self, unit: str, category: str, period: str) -> list[dict[str, Any]]:
        """Return the rows of the Lorenz curve."""
        found = [
            r for (u, c, p, f, _), r in self._rows.items() if (u, c, p, f) == (unit, category, period, Figure.LORENZ)
        ]
        return sorted(found, key=lambda r: float(r["at"]))


def has_concentration(released: Released) -> bool:
    """Whether a release has the page."""
    return released.info.audience == "internal" and len(released.concentration) > 0


def write_concentration(released: Released, folder: Path) -> None:
    """Write the page into the folder of a profile, where the release has its figures."""
    if has_concentration(released):
        write_text(folder / PAGE, concentration_html(released))


def concentration_html(released: Released) -> str:
    """Return the page.

    Parameters
    ----------
    released
        What came through the gate, with the table CONCENTRATION.
    """
    info, figures = released.info, _Figures(released.concentration)
    body = page.render(
        "pages/concentration.html",
        info=info,
        about=say("number.list_joint").join(t for t in (info.title, info.place, info.headline.label) if t),
        lead=_lead(info, figures),
        chart=_chart(info, figures),
        streets=_street_map(released),
        tables=[
            _spread(info, figures),
            *_by_category(info, figures),
            _years(info, figures),
            *_runs(released),
            *_repeats(info, figures),
        ],
        notes=[say(f"concentration.note.{key}") for key in ("range", "chance", "adjusted", "not_every")],
        caveats=info.caveats,
    )
    return page.document(
        language=info.language,
        title=say("concentration.page_title", title=info.title),
        styles=[
            page.colour_tokens(),
            page.style_sheet("pages/protection.css"),
            page.style_sheet("pages/concentration.css"),
            page.dark_if_asked(body),
        ],
        body=body,
    )


def _units(info: ReleaseInfo, figures: _Figures, unit: str) -> str:
    """Name several units of a kind: "squares of 250 m"."""
    if unit == Unit.CELL:
        size = figures.value(Unit.CELL, ROOT, info.headline.id, Figure.CELL_M)
        return say("concentration.cells", size=f"{size or 0:g}")
    return say("concentration.streets") if unit == Unit.STREET else words.area_words(info.level_labels, Level.WARD)[1]


def _finest(figures: _Figures) -> str:
    return next((u for u in (Unit.STREET, Unit.CELL) if u in figures.units), Unit.AREA)


def _lead(info: ReleaseInfo, figures: _Figures) -> tuple[Segment, ...]:
    unit, period = _finest(figures), info.headline.id
    row = figures.row(unit, ROOT, period, Figure.HOLDING, 50)
    if row is None:
        count = words.counted(int(figures.value(unit, ROOT, period, Figure.INCIDENTS) or 0), info.noun)
        return words.parts(
            "concentration.lead_too_few",
            count=count,
            period=info.headline.label,
            least=words.whole(FEWEST_INCIDENTS),
        )
    return words.parts(
        "concentration.lead",
        pct=words.fine_pct_text(row["value"]),
        units=_units(info, figures, unit),
        chance=words.fine_pct_text(row["chance"]),
    )


def _chart(info: ReleaseInfo, figures: _Figures) -> Any:
    """Draw the curve of the finest units; nothing where incidents are too few."""
    unit, period = _finest(figures), info.headline.id
    rows = figures.curve(unit, ROOT, period)
    if not rows:
        return ""
    holding = [(share, figures.value(unit, ROOT, period, Figure.HOLDING, share)) for share in SHARES_PCT]
    curve = charts.LorenzCurve(
        [float(r["at"]) for r in rows],
        [float(r["value"]) for r in rows],
        [float(r["chance"]) for r in rows],
        [(share, pct) for share, pct in holding if pct is not None],
    )
    drawn = charts.lorenz_chart(curve, units=_units(info, figures, unit), width_pt=CHART_PT[0], height_pt=CHART_PT[1])
    return page.safe(drawn)


def _figure(row: dict[str, Any] | None, *, pct: bool) -> page.Cell:
    """Write a figure; under it its range, and what chance would give."""
    if row is None:
        return page.Cell(say("concentration.too_few"))

    def text(value: float) -> str:
        return words.fine_pct_text(value) if pct else f"{value:.2f}"

    under = []
    if row["low"] is not None:
        under.append(say("number.range", low=text(row["low"]), high=text(row["high"])))
    if row["chance"] is not None:
        under.append(say("concentration.by_chance", value=text(row["chance"])))
    return page.Cell(text(row["value"]), tuple(under))


def _number(value: float | None) -> page.Cell:
    return page.Cell(say("concentration.none") if value is None else words.whole(value))


def _holding(figures: _Figures, unit: str, category: str, period: str) -> list[page.Cell]:
    """Write the shares of units that hold shares of incidents, and the adjusted Gini coefficient."""
    cells = [_figure(figures.row(unit, category, period, Figure.HOLDING, share), pct=True) for share in SHARES_PCT]
    return [*cells, _figure(figures.row(unit, category, period, Figure.ADJUSTED_GINI), pct=False)]


def _holding_heads() -> list[str]:
    return [
        *(say("concentration.holding_in", share=share) for share in SHARES_PCT),
        say("concentration.column.adjusted"),
    ]


def _spread(info: ReleaseInfo, figures: _Figures) -> page.Table:
    """List the kinds of units."""
    period = info.headline.id
    rows = []
    for unit in figures.units:
        if unit == Unit.PLACE:
            continue
        plain = [figures.value(unit, ROOT, period, f) for f in (Figure.UNITS, Figure.OCCUPIED, Figure.INCIDENTS)]
        if plain[0] is None:
            continue
        gini = _figure(figures.row(unit, ROOT, period, Figure.GINI), pct=False)
        *shares, adjusted = _holding(figures, unit, ROOT, period)
        name = page.Cell(words.capital(_units(info, figures, unit)))
        rows.append((name, *map(_number, plain), *shares, gini, adjusted))
    heads = _holding_heads()
    head = tuple(_column(key) for key in ("units", "number", "occupied", "incidents"))
    return page.Table(say("concentration.heading.spread"), (*head, *heads[:-1], _column("gini"), heads[-1]), rows)


def _by_category(info: ReleaseInfo, figures: _Figures) -> list[page.Table]:
    """List the categories that have enough incidents, by the finest units."""
    unit, period = _finest(figures), info.headline.id
    labels = {c.id: c.label for c in info.categories}
    rows = []
    for category in (c for c in labels if c in figures.categories and c != ROOT):
        incidents = _number(figures.value(unit, category, period, Figure.INCIDENTS))
        rows.append((page.Cell(labels[category]), incidents, *_holding(figures, unit, category, period)))
    if not rows:
        return []
    head = (_column("category"), _column("incidents"), *_holding_heads())
    return [page.Table(say("concentration.heading.categories"), head, rows)]


def _years(info: ReleaseInfo, figures: _Figures) -> page.Table:
    """List the same months of each year, and whether the top places are those of the year before."""
    unit = _finest(figures)
    units, periods = _units(info, figures, unit), figures.periods(unit)
    heading = say("concentration.heading.years")
    if len(periods) < 2:
        return page.Table(heading, (), [], [say("concentration.note.years_none")])
    rows, compared = [], 0
    for k, period in enumerate(periods):
        incidents = _number(figures.value(unit, ROOT, period, Figure.INCIDENTS))
        half = _figure(figures.row(unit, ROOT, period, Figure.HOLDING, 50), pct=True)
        overlap = figures.row(unit, ROOT, period, Figure.OVERLAP, TOP_PCT)
        if overlap is None:
            empty = page.Cell(say("concentration.none" if k == 0 else "concentration.too_few"))
            cells = [empty] * 5
        else:
            compared += 1
            shares = [figures.row(unit, ROOT, period, f, TOP_PCT) for f in (Figure.TOP_THEN, Figure.TOP_NOW)]
            as_pct = {name: None if overlap[name] is None else 100 * overlap[name] for name in _ENDS}
            cells = [
                _number(figures.value(unit, ROOT, period, Figure.TOP_UNITS, TOP_PCT)),
                *(_figure(share, pct=True) for share in shares),
                _figure(as_pct, pct=True),
                _figure(figures.row(unit, ROOT, period, Figure.RECAPTURE, TOP_PCT), pct=False),
            ]
        rows.append((page.Cell(Period.parse(period).label), incidents, half, *cells))
    head = (
        _column("period"),
        _column("incidents"),
        say("concentration.holding_in", share=50),
        say("concentration.column.top", units=units),
        *(_column(key) for key in ("then", "now", "overlap", "recapture")),
    )
    notes = [say("concentration.note.years", units=units, share=TOP_PCT)]
    if not compared:
        notes = [say("concentration.note.years_too_few", share=TOP_PCT, least=FEWEST_INCIDENTS)]
    return page.Table(heading, head, rows, notes)


_ENDS = ("value", "low", "high", "chance")


def _street_map(released: Released) -> Any:
    """Draw the streets with most incidents inside the areas; nothing where there is no street layer."""
    if not len(released.streets):
        return ""
    areas = released.areas[released.areas["level"] == Level.BOROUGH]
    return page.safe(charts.street_map(released.streets, outlines=areas.geometry.to_numpy(), width_pt=MAP_WIDE_PT))


def _runs(released: Released) -> list[page.Table]:
    """List the runs of hot street segments; none where there is no street layer."""
    if not len(released.streets):
        return []
    heading, runs = say("concentration.heading.runs"), released.street_runs
    notes = [say("concentration.note.runs", share=TOP_PCT), say("concentration.note.map_points")]
    if not len(runs):
        return [page.Table(heading, (), [], [say("concentration.note.runs_too_few", share=TOP_PCT)])]
    rows: list[tuple[page.Cell, ...]] = [
        (
            page.Cell(row["names"] or say("concentration.no_name")),
            _number(row["segments"]),
            page.Cell(say("chart.m", n=words.half_up(row["length_m"]))),
            _number(row["incidents"]),
            page.Cell(words.rate_text(row["per_100m"])),
        )
        for row in runs.head(MOST_RUNS).to_dict("records")
    ]
    if len(runs) > MOST_RUNS:
        notes.insert(0, say("concentration.note.more_runs", n=len(runs) - MOST_RUNS))
    head = tuple(_column(key) for key in ("street", "segments", "length", "incidents", "per_100m"))
    return [page.Table(heading, head, rows, notes)]


def _repeats(info: ReleaseInfo, figures: _Figures) -> list[page.Table]:
    """Count places with several incidents."""
    period = info.headline.id
    if Unit.PLACE not in figures.units:
        return []
    rows: list[tuple[page.Cell, ...]] = []
    for least in REPEATS:
        places = figures.value(Unit.PLACE, ROOT, period, Figure.REPEAT_PLACES, least)
        share = figures.row(Unit.PLACE, ROOT, period, Figure.REPEAT_INCIDENTS, least)
        if places is not None and share is not None:
            rows.append((page.Cell(words.counted(least, info.noun)), _number(places), _figure(share, pct=True)))
    head = tuple(_column(key) for key in ("repeat", "places", "share"))
    return [page.Table(say("concentration.heading.repeats"), head, rows, [say("concentration.note.repeats")])]


def _column(key: str) -> str:
    return say(f"concentration.column.{key}")
