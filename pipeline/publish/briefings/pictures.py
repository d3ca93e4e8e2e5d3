"""The pictures of a briefing, drawn from released figures: map, locator, trend, and one axis of all boroughs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import shapely
from markupsafe import Markup

from pipeline.publish import charts, findings, page, palette, words
from pipeline.publish.briefings.elements import rate_words
from pipeline.publish.briefings.release_index import Place, ReleaseIndex
from pipeline.publish.words import say
from pipeline.release.released import Break, Event, PeriodInfo
from pipeline.statistics.rates import Reliability
from pipeline.tables import Level

__all__ = [
    "Key",
    "Picture",
    "events_of",
    "fill_of",
    "hotspots_in",
    "locator_of",
    "map_of",
    "map_unit",
    "strip_of",
    "trend_of",
]


# The history of an area as lines of a chart: sums of twelve months inside one recording system, and single windows.


History = Sequence[tuple[PeriodInfo, findings.Figure]]


@dataclass(frozen=True, slots=True)
class Lines:
    """Points of a chart, each the least and the greatest that it may be; x is the number of the window's last month.

    Attributes
    ----------
    main
        Rate per 10,000 residents in as many months as the main window has, or in each window where windows are longer
        than a month. Counts instead of rates where no population is known.
    single
        Each month times the months of the main window; empty where windows are longer, and where counts are ranges:
        multiplied they would say nothing.
    months
        How many months each point of `main` sums; 0 where each is one window.
    """

    main: tuple[tuple[float, charts.Span | None], ...]
    single: tuple[tuple[float, charts.Span | None], ...]
    months: int = 0

    @property
    def banded(self) -> bool:
        """Whether any point is a range wide enough to be seen: a fortieth of the chart's height."""
        known = [y for _, y in self.main if y is not None]
        return any(high - low > max(y[1] for y in known) / 40 for low, high in known)


def month_number(day: str) -> int:
    """Count months from the year 0: "2025-07-31" and "2025-07" are the same."""
    return int(day[:4]) * 12 + int(day[5:7]) - 1


def rate_lines(
    windows: History,
    *,
    population: int | None,
    breaks: Sequence[Break],
    whole: Mapping[int, findings.CountRange | None],
    length: int = 12,
) -> Lines:
    """Make the lines of one area, in the unit of the figures beside them: per as many months as the main window has.

    Parameters
    ----------
    windows
        Complete windows of one length, oldest first, with their released figures.
    population
        Residents; None or 0 draws counts.
    breaks
        A sum across one is left out.
    whole
        Last month to the released count of `length` months, where one is released: it goes before the sum of the
        months, which is never narrower.
    length
        Months of the main window.
    """
    starts = [month_number(b.month) for b in breaks]
    scale = 1e4 / population if population else 1.0
    counts = {month_number(p.end): f.incidents for p, f in windows}
    monthly = bool(windows) and all(p.days <= 31 for p, _ in windows)
    first, last = (min(counts), max(counts)) if counts else (0, -1)
    if not monthly:
        main = tuple(
            (
                float(month_number(p.end)),
                None
                if any(month_number(p.start) < b <= month_number(p.end) for b in starts)
                else _scaled(f.incidents, scale),
            )
            for p, f in windows
        )
        return Lines(main, ())
    months = range(first, last + 1)
    if length == 1 or len(months) < length:
        return Lines(tuple((float(m), _scaled(counts.get(m), scale)) for m in months), ())
    single = tuple((float(m), _scaled(counts.get(m), length * scale)) for m in months)
    main = tuple((float(m), _sum(counts, m, length, starts, scale, whole)) for m in months)
    exact = all(n is None or n.exact for n in counts.values())
    return Lines(main, single if exact else (), months=length)


def _scaled(count: findings.CountRange | None, scale: float) -> charts.Span | None:
    return None if count is None else (count.lower * scale, count.upper * scale)


def _sum(  # noqa: PLR0917 - what is summed, up to where, over how long, and what it must not cross
    counts: Mapping[int, findings.CountRange | None],
    last: int,
    length: int,
    breaks: Sequence[int],
    scale: float,
    whole: Mapping[int, findings.CountRange | None],
) -> charts.Span | None:
    first = last - length + 1
    if any(first < b <= last for b in breaks):
        return None
    if last in whole:
        return _scaled(whole[last], scale)
    known = [n for m in range(first, last + 1) if (n := counts.get(m)) is not None]
    return _scaled(findings.total_of(known), scale) if len(known) == length else None


def tick_marks(first: int, last: int) -> tuple[tuple[float, str], ...]:
    """Label the time axis: the last month and the same month of earlier years, at most six."""
    step = 12 * max(1, -(-(last - first) // 60)) if last - first >= 12 else max(1, last - first)
    marks = range(last, first - 1, -step)
    return tuple(
        (float(m), say("chart.month_tick", month=say(f"month.short.{m % 12 + 1}"), year=m // 12))
        for m in reversed(marks)
    )


HALF_PT, CHART_PT = 242.0, 92.0
"""Size of the two charts at the foot of the first page."""
MAP_PT, MAP_HIGH_PT, MAP_HIGH_REGION_PT = 334.0, 300.0, 245.0
"""Size that maps are drawn in; the page shows them as large as its other words leave room for."""
MOST_EVENTS, MOST_EVENTS_REGION = 3, 2
"""Dated events on a briefing, the latest ones; the region's page has notes on the same page."""
SPECK_M2 = 1e6
"""Parts and holes under this area are traces of simplified borders along a river, not land or water."""
LOCATOR_PT = 100.0
_SHARE = 0.1
"""A hotspot belongs to every area that holds this share of it."""


@dataclass(frozen=True, slots=True)
class Key:
    """Key to a map: its classes in words, long and short, and what else stands on it by its class and words."""

    classes: tuple[tuple[str, str], ...] = ()
    marks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing with what stands beside it: heading, unit, note, and the key of a map."""

    drawing: Markup | str = ""
    heading: str = ""
    unit: str = ""
    note: str = ""
    key: Key = Key()


def fill_of(figure: findings.Figure, limits: tuple[float, ...]) -> str:
    """Choose how an area is filled: a class of the rate, or why there is none."""
    if figure.hidden or "rate_per_10000" in figure.not_offered:
        return charts.NoClass.NOT_OFFERED
    if figure.reliability == Reliability.TOO_FEW:
        return charts.NoClass.TOO_FEW
    if figure.rate is None:
        return charts.NoClass.NO_RATE
    return f"s{palette.class_of(figure.rate, limits) + 1}"


def hotspots_in(index: ReleaseIndex, code: str) -> list[dict[str, Any]]:
    """List the hotspots that lie in an area, by their number."""
    place = index.places[code]
    if place.level == Level.REGION:
        return list(index.hotspots)
    near = [h for h in index.hotspots if h["shape"].intersects(place.shape)]
    return [h for h in near if h["shape"].intersection(place.shape).area >= _SHARE * h["shape"].area]


def map_unit(index: ReleaseIndex, code: str) -> str:
    """Say what the map shows."""
    return say("briefing.map.rates" if index.shows_rates(code) else "briefing.map.counts", noun=index.noun)


def map_of(index: ReleaseIndex, code: str) -> Picture:
    """Draw the map of an area's parts with its key."""
    place, inside = index.places[code], index.parts(code)
    level = inside[0].level if inside else Level.WARD.value
    one, many = index.words_for(level)
    limits = index.limits[level]
    figures = [index.area_profile(p.code).total for p in inside]
    rated = index.shows_rates(code)
    most = max((f.incidents for f in figures if f.incidents), key=lambda n: n.lower, default=None)
    biggest = most.middle if most and most.lower else 0
    parts = [
        charts.Part(
            p.shape,
            p.name,
            fill_of(f, limits) if rated or f.hidden else _fill_of_count(f),
            0.0
            if rated or not (biggest and f.least and f.incidents)
            else 15.0 * math.sqrt(f.incidents.middle / biggest),
        )
        for p, f in zip(inside, figures, strict=True)
    ]
    uncovered = [p for p in index.level(level) if not p.covered and (place.level == Level.REGION or p.parent == code)]
    parts += [charts.Part(p.shape, p.name, charts.NoClass.NOT_COVERED) for p in uncovered]
    hot = hotspots_in(index, code)[: 6 if place.level == Level.BOROUGH else 9]
    outline = shapely.union_all([p.shape for p in parts]) if parts else place.shape
    ground = index.ground
    if place.level == Level.REGION:  # the river belongs to the region: no coast inside it
        river = [index.water] if ground.water is None else [index.water, ground.water]
        outline = _without_specks(shapely.union_all([outline.buffer(1.0), *river]))
        ground = replace(ground, places=())  # so far out, the names of the parts say where things are
    beside = [p for p in index.level(place.level) if p.code != code] if place.level != Level.REGION else []
    svg = charts.area_map(
        outline=outline,
        parts=[p for _, p in sorted(enumerate(parts), key=lambda pair: pair[0])],
        neighbours=[charts.Neighbour(p.shape, p.name) for p in beside],
        water=index.water,
        hotspots=[charts.HotspotMark(h["shape"], str(h["rank"])) for h in hot],
        width_pt=MAP_PT,
        height_pt=MAP_HIGH_REGION_PT if place.level == Level.REGION else MAP_HIGH_PT,
        ground=ground,
        label=say("briefing.map.label_rates" if rated else "briefing.map.label_counts", area=place.name, parts=many),
    )
    fills = {p.fill for p in parts}
    keys = [("hot", say("briefing.map.hotspot"))] if hot else []
    few = next((n.text for f in figures if (n := f.incidents) and n.first_step), "")
    wordings = {
        charts.NoClass.TOO_FEW: say("briefing.map.too_few") if rated else few,
        charts.NoClass.NOT_OFFERED: say("common.not_offered"),
        charts.NoClass.NO_RATE: say("briefing.figure.no_rate") if rated else "",
        charts.NoClass.NOT_COVERED: say("common.state.not_covered"),
    }
    keys += [(kind, text) for kind, text in wordings.items() if kind in fills and text]
    if not rated and most and biggest:
        keys.append(("dot", say("briefing.map.circle", noun=index.noun, largest=most.text)))
    return Picture(
        page.safe(svg),
        heading=say("briefing.map.heading", first=words.capital(one), part=one),
        unit=map_unit(index, code),
        key=Key(_classes(limits) if rated else (), tuple(keys)),
    )


def _classes(limits: tuple[float, ...]) -> tuple[tuple[str, str], ...]:
    """Write the five classes of a rate in words, and shortly for where they meet."""
    numbers = [words.rate_text(v) for v in limits]
    long = [say("briefing.map.under", limit=numbers[0]), *(say("briefing.map.or_more", limit=n) for n in numbers)]
    return tuple(zip(long, [say("briefing.map.lower"), *numbers], strict=True))


def _without_specks(shape: Any) -> Any:
    """Drop the slivers and pinholes that simplified borders leave along a river."""
    parts = [p for p in shapely.get_parts(shape) if p.area > SPECK_M2]
    return shapely.MultiPolygon(
        [shapely.Polygon(p.exterior, [r for r in p.interiors if shapely.Polygon(r).area > SPECK_M2]) for p in parts]
    )


def _fill_of_count(figure: findings.Figure) -> str:
    """Choose the ground under a circle: the first step has no circle, so that nothing and something look the same."""
    first = figure.incidents is not None and figure.incidents.first_step
    return charts.NoClass.TOO_FEW if first else charts.NoClass.NO_RATE


def locator_of(index: ReleaseIndex, place: Place) -> Markup:
    """Draw where a borough lies in the region; empty where it is the only one."""
    beside = index.level(place.level)
    if len(beside) < 2:
        return Markup()
    region = index.info.region_name
    return page.safe(
        charts.locator(
            shapes=[p.shape for p in beside],
            chosen=[p.code for p in beside].index(place.code),
            width_pt=LOCATOR_PT,
            label=say("briefing.map.locator", area=place.name, region=region) if region else place.name,
        )
    )


def events_of(index: ReleaseIndex, code: str) -> list[Event]:
    """List the latest dated events that concern an area, oldest first."""
    mine = {code, index.info.region_code}
    found = [e for e in index.info.events if not e.areas or mine & set(e.areas)]
    most = MOST_EVENTS_REGION if index.places[code].level == Level.REGION else MOST_EVENTS
    return sorted(found, key=lambda e: (e.date, e.label))[-most:]


def trend_of(index: ReleaseIndex, code: str) -> Picture:
    """Draw an area's history beside the region's, with its unit and what its lines are, or why there is none."""
    place, region = index.places[code], index.region()
    windows = index.history(code)
    if sum(f.incidents is not None for _, f in windows) < 2:
        return Picture(note=say("briefing.trend.one_period" if len(windows) < 2 else "briefing.trend.too_little"))
    info = index.info
    seen = [index.area_profile(code).total, *(f for _, f in windows)]
    people = None if any(f.unrated for f in seen) else place.population
    length = index.main_months
    mine = rate_lines(windows, population=people, breaks=info.breaks, whole=index.main_windows(code), length=length)
    theirs = None
    if place.level != Level.REGION and region.covered and region.population and people:
        theirs = rate_lines(
            index.history(region.code),
            population=region.population,
            breaks=info.breaks,
            whole=index.main_windows(region.code),
            length=length,
        )
    xs = [x for x, _ in mine.main]
    first, last = xs[0], xs[-1]
    numbered = list(enumerate(events_of(index, code), 1))
    drawn = [(k, e) for k, e in numbered if first <= _moment(e.date) <= last]
    area = charts.Curve(mine.main, place.name, _last(mine.main))
    other = charts.Curve(theirs.main, info.region_name, _last(theirs.main)) if theirs else None
    svg = charts.trend(
        area=area,
        region=other,
        faint=charts.Curve(mine.single) if mine.single else None,
        breaks=[
            (month_number(b.month) - 0.5, _brief(b.text)) for b in info.breaks if first < month_number(b.month) <= last
        ],
        events=[(_moment(e.date), str(k)) for k, e in drawn],
        ticks=tick_marks(int(first), int(last)),
        width_pt=HALF_PT,
        height_pt=CHART_PT,
        label=_alternative_text(place.name, area, info.region_name, other, rates=bool(people)),
    )
    note = say("briefing.trend.summed" if mine.single else "briefing.trend.summed_ranges", n=mine.months)
    if not mine.months:
        note = say("briefing.trend.single")
    return Picture(
        page.safe(svg),
        unit=say("briefing.unit_rate" if people else "briefing.unit_count"),
        note=f"{note} {say('briefing.trend.band')}" if mine.banded else note,
    )


def _moment(day: str) -> float:
    found = date.fromisoformat(day)
    return month_number(day) - 0.5 + (found.day - 1) / 31


def _brief(text: str) -> str:
    return text if len(text) <= 24 else say("chart.break")


def _last(points: tuple[tuple[float, charts.Span | None], ...]) -> str:
    found = [y for _, y in points if y is not None]
    return words.rate_range_text(*found[-1]) if found else ""


def _alternative_text(
    name: str, area: charts.Curve, region_name: str, region: charts.Curve | None, *, rates: bool
) -> str:
    wording = []
    for label, curve in ((name, area), (region_name, region)):
        known = [y for _, y in curve.points if y is not None] if curve else []
        if known:
            first, last = (words.rate_range_text(*known[k]) for k in (0, -1))
            wording.append(say("chart.trend.ends", name=label, first=first, last=last))
    lines = words.listed(wording)
    return say("chart.trend.label_rates" if rates else "chart.trend.label_counts", lines=lines)


def strip_of(index: ReleaseIndex, code: str) -> Picture:
    """Draw all boroughs on one axis of rates; no drawing where fewer than three have one."""
    level, name = "borough", index.info.region_name
    many = index.words_for(level)[1]
    heading = say("briefing.among", region=name, peers=many) if name else say("briefing.among_all", peers=many)
    rated = [p for p in index.level(level) if p.covered and index.area_profile(p.code).total.rate is not None]
    if len(rated) < 3:
        return Picture(heading=heading)
    figures = [index.area_profile(p.code).total for p in rated]
    codes = [p.code for p in rated]
    chosen = codes.index(code) if code in codes else None
    region = index.region()
    whole = region.total
    label = [say("chart.strip.label", n=len(rated), peers=many)]
    if chosen is not None:
        label.append(say("chart.strip.value", name=rated[chosen].name, value=rate_words(figures[chosen])))
    if whole.rate is not None:
        label.append(say("chart.strip.value", name=name, value=rate_words(whole)))
    svg = charts.strip(
        dots=[charts.Dot(p.name, f.rate or 0.0, f.rate_low, f.rate_high) for p, f in zip(rated, figures, strict=True)],
        chosen=chosen,
        region=charts.Dot(name, whole.rate) if whole.rate is not None else None,
        ends=index.info.audience != "public",
        number=[*(rate_words(f) for f in figures), rate_words(whole)],
        width_pt=HALF_PT,
        height_pt=CHART_PT,
        label=" ".join(label),
    )
    return Picture(page.safe(svg), heading=heading)
