"""hotspots/<id>.html: one printable page for each hotspot, in the internal and the partner folder.

Internal pages say when, which categories, what kind of place and how it was before, from the released table of facts.
That table is empty for everyone else: a partner's page has the figures of the layer and public information alone, so it
says nothing that the map does not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import shapely
from markupsafe import Markup

from pipeline.detect.hotspots.description import BANDS, NOT_STATED, Question
from pipeline.domain.periods import Period, add_months
from pipeline.publish import charts, page, words
from pipeline.publish.briefings.elements import hotspot_page, sources, subject_of
from pipeline.publish.briefings.release_index import ReleaseIndex
from pipeline.publish.surroundings import Surroundings
from pipeline.publish.words import Segment, say
from pipeline.release.released import Released
from pipeline.statistics.change import COMPARED, ChangeWord
from pipeline.storage.files import write_text

__all__ = ["hotspot_html", "persistence", "write_hotspots"]

SAME_PLACE_PCT, ELSEWHERE_PCT = 50.0, 10.0
"""Overlap from which an earlier hotspot is the same one, and under which it is none."""
MOST_WARDS, MOST_NEAR, MOST_KINDS, MOST_CATEGORIES, MOST_INSIDE, MOST_CAVEATS, MOST_CORES = 5, 3, 6, 9, 6, 2, 4
FEWEST_TIMED = 20
"""Records with an hour from which a page says whether an hour stands out."""
BLOCK_MONTHS, MOST_BLOCKS = 3, 12
"""Columns of the chart over time: quarters of the window, three years at most."""
MAP_PT, MAP_HIGH_PT, MAP_HIGH_ALONE_PT = 300.0, 190.0, 330.0
"""Size that maps are drawn in; the page shows them as large as its other words leave room for."""
LOCATOR_PT = 96.0
# Jaccard indexes from which Hennig (2007) calls a cluster stable, and under which dissolved.
STABLE, DISSOLVED = 0.75, 0.5
CAVEAT_LETTERS = 240


def write_hotspots(released: Released, folder: Path, *, surroundings: Surroundings | None = None) -> list[Path]:
    """Write the page of every hotspot of a release, and none in the public folder.

    Parameters
    ----------
    released
        What came through the gate; nothing else is read.
    folder
        Folder of the profile.
    surroundings
        Public layers around the hotspots.
    """
    addresses = {str(i): hotspot_page(released, str(i)) for i in released.hotspots["hotspot_id"]}
    if not any(addresses.values()):
        return []
    index = ReleaseIndex(released, surroundings)
    written = []
    for row in index.hotspots:
        path = folder / addresses[str(row["hotspot_id"])]
        write_text(path, hotspot_html(index, row))
        written.append(path)
    return written


# What a template shows: each holds texts, and drawings as markup.


@dataclass(frozen=True, slots=True)
class Fact:
    """One of the five facts; `mark` is `hi` or `lo` where a test found a change."""

    label: str
    value: str
    note: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the week: its count, its class of five, and whether it is clearly more than the region's week."""

    count: str
    shade: int
    stands_out: bool


@dataclass(frozen=True, slots=True)
class Day:
    """A row of the week."""

    name: str
    cells: list[Cell]
    total: str


@dataclass(frozen=True, slots=True)
class Week:
    """The grid of weekday by three hours; without rows a note says why."""

    about: str = ""
    heads: tuple[str, ...] = ()
    rows: tuple[Day, ...] = ()
    totals: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of bars."""

    name: str
    count: str
    share: str
    drawing: Markup
    nested: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """Shares here beside those of the region."""

    heading: str = ""
    about: str = ""
    rows: tuple[Row, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Course:
    """The chart over time."""

    drawing: Markup = field(default_factory=Markup)
    about: str = ""
    note: str = ""


class HotspotFacts:
    """Facts of one hotspot, by question."""

    def __init__(self, table: pd.DataFrame, hotspot_id: str) -> None:
        mine = table[table["hotspot_id"] == hotspot_id]
        self._rows: dict[str, list[dict[str, Any]]] = {}
        for row in mine.to_dict("records"):
            self._rows.setdefault(row["question"], []).append(row)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._rows)

    def of(self, question: Question) -> list[dict[str, Any]]:
        """Return the rows of a question."""
        return self._rows.get(question, [])

    def count(self, question: Question, column: str = "incidents") -> int | None:
        """Return the number of a question with one answer."""
        rows = self.of(question)
        return int(rows[0][column]) if rows and pd.notna(rows[0][column]) else None

    def share(self, question: Question) -> float | None:
        """Return the share of a question with one answer, 0 to 1."""
        rows = self.of(question)
        return float(rows[0]["share_pct"]) / 100 if rows and pd.notna(rows[0]["share_pct"]) else None


def hotspot_html(index: ReleaseIndex, row: dict[str, Any]) -> str:
    """Return the page of a hotspot, from its row of the released layer."""
    info, ident = index.info, str(row["hotspot_id"])
    facts = HotspotFacts(index.released.facts, ident)
    number, name, region = str(row["rank"]), str(row["name"]), _region(index)
    alone = not facts
    body = page.render(
        "hotspot/hotspot.html",
        info=info,
        unaudited=info.audit not in {"passed", "not needed"},
        links=[("../index.html", say("hotspot.map_link"))],
        kicker=say(
            "hotspot.kicker", title=info.title, number=number, n=len(index.hotspots), period=info.headline.label
        ),
        number=number,
        name=name,
        within=_within(index, row),
        lead=_lead(index, row, facts, region),
        facts=_facts(index, row, facts, region),
        drawing=_map(index, row, MAP_HIGH_ALONE_PT if alone else MAP_HIGH_PT),
        locator=_locator(index, row),
        where=_where(index, row, facts),
        week=_week(facts, region),
        strands=_categories(index, facts, region),
        course=_course(index, facts, region),
        kinds=_kinds(facts, region),
        notes=_notes(index, facts),
        fixed=page.fixed_wording(subject_of(index)),
        caveats=[_short(line) for line in info.caveats[:MOST_CAVEATS]],
        sources=(
            say("hotspot.source.run", id=ident, run=info.run_name, end=_day(info.headline.end)),
            *(_ended(line) for line in sources(index)),
        ),
    )
    return page.document(
        language=info.language,
        title=say("hotspot.document_title", title=info.title, number=number, name=name, period=info.headline.label),
        styles=[page.colour_tokens(), page.style_sheet("hotspot/hotspot.css")],
        body=body,
    )


def _region(index: ReleaseIndex) -> str:
    return index.info.region_name or say("hotspot.everywhere")


def _short(text: str) -> str:
    return text if len(text) <= CAVEAT_LETTERS else text[: CAVEAT_LETTERS - 1].rstrip() + "…"


def _day(iso: str) -> str:
    return say("month.day", day=int(iso[8:]), month=words.month_name(iso[:7]))


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


# The head of the page.


def _wards(index: ReleaseIndex, row: dict[str, Any]) -> list[str]:
    return [c for c in str(row.get("ward_codes") or "").split(";") if c in index.places]


def _within(index: ReleaseIndex, row: dict[str, Any]) -> str:
    """Name the boroughs and wards that the outline touches."""
    codes = _wards(index, row)
    parents = dict.fromkeys(index.places[c].parent for c in codes)
    boroughs = words.listed([index.places[p].name for p in parents if p in index.places])
    names = [index.places[c].name for c in codes]
    if not names:
        return boroughs
    shown = words.listed(names[:MOST_WARDS])
    if len(names) > MOST_WARDS:
        joined = say("number.list_joint").join(names[:MOST_WARDS])
        shown = say("hotspot.more_wards", first=joined, n=len(names) - MOST_WARDS)
    one, many = index.words_for("ward")
    wards = say("hotspot.wards", n=len(names), ward=one, wards=many, names=shown)
    return say("hotspot.within", boroughs=boroughs, wards=wards) if boroughs else wards


def _km2(row: dict[str, Any]) -> str:
    size = float(row["area_km2"])
    return f"{size:.2f}" if size < 1 else f"{size:.1f}"


def _ends(row: dict[str, Any]) -> tuple[int, int]:
    return int(row["incidents_lower"]), int(row["incidents_upper"])


def _lead(index: ReleaseIndex, row: dict[str, Any], facts: HotspotFacts, region: str) -> tuple[Segment, ...]:
    count = words.counted_range(*_ends(row), index.info.noun)
    whole = facts.count(Question.RECORDED, "whole")
    if not whole:
        return words.parts("hotspot.lead_step", count=words.capital(count), km2=_km2(row))
    share = words.share_text((facts.count(Question.RECORDED) or 0) / whole)
    said = words.parts("hotspot.lead_exact", count=count, km2=_km2(row), share=share, region=region)
    named = [r for r in facts.of(Question.PLACE_TYPE) if r["answer"] != NOT_STATED and r["incidents"]]
    if named:
        most = max(named, key=lambda r: (int(r["incidents"]), r["answer"]))
        stated = sum(int(r["incidents"]) for r in named)
        kind = str(most["answer"])
        share = words.share_text(int(most["incidents"]) / stated)
        said = (*said, (" " + say("hotspot.lead_kind", kind=kind, share=share), False))
    return said


def _facts(index: ReleaseIndex, row: dict[str, Any], facts: HotspotFacts, region: str) -> list[Fact]:
    info = index.info
    low, high = _ends(row)
    months = Period.parse(info.headline.id).months
    when = say("hotspot.fact.in_period", months=months) if months > 1 else info.headline.label
    recorded = Fact(say("hotspot.fact.recorded"), words.capital(words.count_text(low, high)), when)
    size = say("hotspot.fact.km2", km2=_km2(row))
    if not facts:
        wards = len(_wards(index, row))
        one, many = index.words_for("ward")
        touched = f"{words.whole(wards)} {one if wards == 1 else many}"
        return [
            recorded,
            Fact(say("hotspot.fact.size"), size, say("hotspot.fact.wards", wards=touched)),
            Fact(say("hotspot.fact.rank"), words.ordinal(int(row["rank"])), say("hotspot.fact.rank_note")),
        ]
    known = [recorded, _density(index, row, facts, region), _change(index, facts, region), _before(facts)]
    return [*known, _sure(facts)]


def _density(index: ReleaseIndex, row: dict[str, Any], facts: HotspotFacts, region: str) -> Fact:
    whole, place = facts.count(Question.RECORDED, "whole"), index.places.get(index.info.region_code)
    note = ""
    if whole and place is not None and place.area_km2:
        value = words.rate_text(whole / place.area_km2)
        note = say("hotspot.fact.density_region", region=region, value=value)
    here = (facts.count(Question.RECORDED) or 0) / float(row["area_km2"])
    return Fact(say("hotspot.fact.density"), words.whole(here), note)


def _per_day(now: int, before: int, index: ReleaseIndex, earlier: Period) -> str:
    """Write a change per day, in per cent."""
    if not before:
        return "–"
    return words.signed(100 * ((now / index.info.headline.days) / (before / earlier.days) - 1))


def _change(index: ReleaseIndex, facts: HotspotFacts, region: str) -> Fact:
    rows = facts.of(Question.YEAR_BEFORE)
    if not rows:
        return Fact(say("hotspot.fact.changed"), say("hotspot.fact.not_compared"), say("hotspot.fact.no_earlier"))
    row, earlier = rows[0], Period.parse(str(rows[0]["answer"]))
    label = say("hotspot.fact.change", period=earlier.label)
    if row["word"] not in COMPARED:
        return Fact(label, say("hotspot.fact.too_few"))
    now, all_now = facts.count(Question.RECORDED) or 0, facts.count(Question.RECORDED, "whole") or 0
    values = {
        "change": _per_day(now, int(row["incidents"]), index, earlier),
        "count": words.whole(int(row["incidents"])),
        "region": region,
        "theirs": _per_day(all_now, int(row["whole"]), index, earlier),
    }
    if row["word"] == ChangeWord.NO_CLEAR_CHANGE:
        return Fact(label, say("hotspot.fact.no_clear_change"), say("hotspot.fact.in_brackets", **values))
    up = row["word"] == ChangeWord.HIGHER
    word = say("hotspot.fact.higher" if up else "hotspot.fact.lower")
    return Fact(label, word, say("hotspot.fact.from_before", **values), "hi" if up else "lo")


def persistence(shares: Sequence[float]) -> tuple[str, int]:
    """Say whether a hotspot was there before, from its overlap with the outlines of earlier years, the latest first.

    Returns
    -------
    word, years
        A key of the catalogue under `hotspot.before`, and for how many years in a row it was there.

    Examples
    --------
    >>> persistence([75.0, 60.0]), persistence([20.0, 80.0]), persistence([0.0, 3.0]), persistence([])
    (('persistent', 2), ('returning', 0), ('new', 0), ('unknown', 0))
    """
    if not shares:
        return "unknown", 0
    same = [share >= SAME_PLACE_PCT for share in shares]
    if same[0]:
        return "persistent", same.index(False) if False in same else len(same)
    if any(same):
        return "returning", 0
    return ("new" if max(shares) < ELSEWHERE_PCT else "partly"), 0


def _before(facts: HotspotFacts) -> Fact:
    rows = sorted(facts.of(Question.EARLIER_OUTLINE), key=lambda r: str(r["answer"]), reverse=True)
    word, years = persistence([float(r["share_pct"]) for r in rows])
    note = say(f"hotspot.before.{word}_note", n=years)
    return Fact(say("hotspot.fact.before"), say(f"hotspot.before.{word}"), note)


def _sure(facts: HotspotFacts) -> Fact:
    label, steady = say("hotspot.fact.sure"), facts.share(Question.STABILITY)
    if steady is not None:
        redraws = say("hotspot.fact.redraws", share=words.share_text(steady))
        return Fact(label, redraws, say("hotspot.fact.redraws_note"))
    top = facts.share(Question.TOP_PLACE) or 0.0
    places = say("hotspot.fact.places", n=facts.count(Question.DISTINCT_PLACES) or 0)
    return Fact(label, places, say("hotspot.fact.top_place", share=words.share_text(top)))


# Where it is.


def _map(index: ReleaseIndex, row: dict[str, Any], height_pt: float) -> Markup:
    shape, number, name = row["shape"], str(row["rank"]), str(row["name"])
    near = shape.buffer(max(6 * math.sqrt(shape.area), 2_000.0))
    found = {
        level: [charts.Neighbour(p.shape, p.name) for p in index.level(level) if p.shape.intersects(near)]
        for level in ("ward", "borough")
    }
    return page.safe(
        charts.hotspot_map(
            outline=shape,
            number=number,
            cores=[(str(c["number"]), c["geometry"]) for c in _cores(index, row)],
            areas=found["ward"] or found["borough"],
            boroughs=found["borough"],
            streets=_streets(index, near),
            width_pt=MAP_PT,
            height_pt=height_pt,
            label=say("hotspot.map_label", number=number, name=name),
        )
    )


def _streets(index: ReleaseIndex, near: Any) -> charts.Streets:
    """Cut the public layers to what lies around the outline."""
    frame = index.surroundings.frame
    frame = frame[frame.geometry.intersects(near)]

    def united(kind: str) -> Any:
        found = frame.geometry[frame["kind"] == kind].to_numpy()
        return shapely.union_all(found) if len(found) else None

    water = united("water")
    if water is None and not index.water.is_empty:
        water = index.water.intersection(near)
    return charts.Streets(water, united("green"), united("rail"), united("road"), _landmarks(frame))


def _landmarks(frame: Any) -> tuple[charts.Landmark, ...]:
    """List stations and places with a name, the most important first; stations before places of one rank."""
    named = frame[frame["kind"].isin(["station", "place"]) & frame["name"].fillna("").ne("")]
    rows = zip(named["kind"], named["name"], named["rank"], named.geometry, strict=True)
    order = sorted(rows, key=lambda r: (int(r[2]), r[0] != "station", str(r[1])))
    return tuple(charts.Landmark(str(kind), str(name), at.x, at.y) for kind, name, _, at in order)


def _locator(index: ReleaseIndex, row: dict[str, Any]) -> Markup:
    """Draw in which borough it lies; empty where there is only one."""
    boroughs = index.level("borough")
    if len(boroughs) < 2:
        return Markup()
    shared = [p.shape.intersection(row["shape"]).area for p in boroughs]
    chosen = shared.index(max(shared))
    region = index.info.region_name
    name = boroughs[chosen].name
    label = say("briefing.map.locator", area=name, region=region) if region else name
    return page.safe(
        charts.locator(shapes=[p.shape for p in boroughs], chosen=chosen, width_pt=LOCATOR_PT, label=label)
    )


def _where(index: ReleaseIndex, row: dict[str, Any], facts: HotspotFacts) -> list[tuple[str, str]]:
    """List size, what lies inside, the next hotspots, and how spread the records are."""
    shape = row["shape"]
    out = [(say("hotspot.where.size"), say("hotspot.fact.km2", km2=_km2(row)))]
    frame = index.surroundings.frame
    if len(frame):
        inside = [one.name for one in _landmarks(frame[frame.geometry.intersects(shape)])]
        inside = list(dict.fromkeys(inside))[:MOST_INSIDE]
        if inside:
            out.append((say("hotspot.where.inside"), words.listed(inside)))
    cores = [
        say("hotspot.where.core", number=core["number"], name=core["name"], n=int(core["incidents"]))
        for core in _cores(index, row)
    ]
    if cores:
        out.append((say("hotspot.where.cores"), "; ".join(cores)))
    near = _nearby(index, row)
    if near:
        out.append((say("hotspot.where.nearby"), "; ".join(near)))
    places, top = facts.count(Question.DISTINCT_PLACES), facts.count(Question.TOP_PLACE)
    if places is not None and top is not None:
        share = words.share_text(facts.share(Question.TOP_PLACE) or 0.0)
        spread = say("hotspot.where.spread_text", n=places, count=words.whole(top), share=share)
        out.append((say("hotspot.where.spread"), spread))
    people = facts.count(Question.DISTINCT_VICTIMS)
    if people is not None:
        out.append((say("hotspot.where.people"), say("hotspot.where.people_text", n=people)))
    return out


def _cores(index: ReleaseIndex, row: dict[str, Any]) -> list[dict[str, Any]]:
    return index.cores.get(str(row["hotspot_id"]), [])[:MOST_CORES]


def _nearby(index: ReleaseIndex, row: dict[str, Any]) -> list[str]:
    """Name the nearest hotspots with distance and direction between the middles of the outlines."""
    here = row["shape"].centroid
    others = [(h["shape"].centroid, h) for h in index.hotspots if h["hotspot_id"] != row["hotspot_id"]]
    others.sort(key=lambda pair: (round(here.distance(pair[0]), 1), str(pair[1]["hotspot_id"])))
    out = []
    for there, other in others[:MOST_NEAR]:
        angle = math.atan2(there.y - here.y, there.x - here.x)
        direction = say(f"hotspot.direction.{round(angle / (math.pi / 4)) % 8}")
        km = f"{here.distance(there) / 1000:.1f}"
        values = {"number": other["rank"], "name": str(other["name"]), "km": km, "direction": direction}
        out.append(say("hotspot.where.near", **values))
    return out


# When, which categories, over time, kind of place: internal alone, because only its facts hold anything.


def _bands() -> tuple[str, ...]:
    hours = 24 // BANDS
    return tuple(say("hotspot.band", first=f"{b * hours:02d}", last=f"{b * hours + hours:02d}") for b in range(BANDS))


def _week(facts: HotspotFacts, region: str) -> Week:
    rows = {str(r["answer"]): r for r in facts.of(Question.WEEKDAY_HOUR)}
    if not rows:
        return Week()
    known = sum(int(r["incidents"]) for r in rows.values())
    if not known:
        return Week(note=say("hotspot.week.none_known"))
    most = max(int(r["incidents"]) for r in rows.values())
    days, cells, heads = [], [], _bands()
    for day in range(1, 8):
        name = say(f"hotspot.weekday.{day}")
        own = [rows[f"{day} {band}"] for band in range(BANDS)]
        cells += [
            say("hotspot.week.cell", day=name, band=heads[band])
            for band, r in enumerate(own)
            if r["word"] == ChangeWord.HIGHER
        ]
        shown = [
            Cell(
                words.whole(int(r["incidents"])),
                math.ceil(5 * int(r["incidents"]) / most),
                r["word"] == ChangeWord.HIGHER,
            )
            for r in own
        ]
        days.append(Day(name, shown, words.whole(sum(int(r["incidents"]) for r in own))))
    totals = [sum(int(rows[f"{day} {band}"]["incidents"]) for day in range(1, 8)) for band in range(BANDS)]
    if cells:
        note = say("hotspot.week.stands_out", region=region, cells=words.listed(cells))
    elif known < FEWEST_TIMED:
        note = say("hotspot.week.too_few")
    else:
        note = say("hotspot.week.none_stands_out", region=region)
    without = words.whole((facts.count(Question.RECORDED) or 0) - known)
    about = say("hotspot.week.known", n=known, without=without)
    return Week(about, heads, tuple(days), (*(words.whole(t) for t in totals), words.whole(known)), note)


def _bar_row(name: str, here: int, whole: int, *, sizes: tuple[int, int], scale: float, nested: bool = False) -> Row:
    share, theirs = here / max(sizes[0], 1), whole / max(sizes[1], 1)
    drawing = page.safe(charts.bar(share / scale, mark=theirs / scale))
    return Row(name, words.whole(here), words.share_text(share), drawing, nested)


def _scale(rows: Sequence[dict[str, Any]], sizes: tuple[int, int]) -> float:
    both = [max(int(r["incidents"]) / max(sizes[0], 1), int(r["whole"]) / max(sizes[1], 1)) for r in rows]
    return max([*both, 1e-9])


def _higher(rows: Sequence[dict[str, Any]], names: Sequence[str], region: str) -> str:
    above = [name for r, name in zip(rows, names, strict=True) if r["word"] == ChangeWord.HIGHER]
    if above:
        return say("hotspot.bars.higher", region=region, names=words.listed(above))
    return say("hotspot.bars.none_higher", region=region)


def _categories(index: ReleaseIndex, facts: HotspotFacts, region: str) -> Bars:
    by_id = {str(r["answer"]): r for r in facts.of(Question.CATEGORY)}
    listed = [c for c in index.info.categories if c.id in by_id and not c.outside]
    if not listed:
        return Bars()
    if len(listed) > MOST_CATEGORIES:  # the most frequent here, in the order of the configuration
        most = sorted(listed, key=lambda c: -int(by_id[c.id]["incidents"]))[:MOST_CATEGORIES]
        listed = [c for c in listed if c in most]
    sizes = facts.count(Question.RECORDED) or 0, facts.count(Question.RECORDED, "whole") or 0
    rows = [by_id[c.id] for c in listed]
    scale = _scale(rows, sizes)
    shown = {c.id for c in listed}
    nested = [c.parent in shown for c in listed]
    bars = tuple(
        _bar_row(
            c.label,
            int(r["incidents"]),
            int(r["whole"]),
            sizes=sizes,
            scale=scale,
            nested=inside,
        )
        for c, r, inside in zip(listed, rows, nested, strict=True)
    )
    # Whoever adds up the categories adds those that are part of no other; where they make the total, no more is said.
    together = sum(int(r["incidents"]) for r, inside in zip(rows, nested, strict=True) if not inside)
    notes = [say("hotspot.bars.nested")] if any(nested) else []
    if together != sizes[0]:
        notes.append(say("hotspot.bars.more" if together > sizes[0] else "hotspot.bars.less"))
    notes.append(_higher(rows, [c.label for c in listed], region))
    return Bars(say("hotspot.heading.categories"), say("hotspot.about_bars", region=region), bars, " ".join(notes))


def _kinds(facts: HotspotFacts, region: str) -> Bars:
    stated = [r for r in facts.of(Question.PLACE_TYPE) if r["answer"] != NOT_STATED]
    heading = say("hotspot.heading.place")
    if not stated:
        return Bars(heading, note=say("hotspot.bars.not_stated"))
    sizes = sum(int(r["incidents"]) for r in stated), sum(int(r["whole"]) for r in stated)
    order = sorted(stated, key=lambda r: (-int(r["incidents"]), -int(r["whole"]), str(r["answer"])))
    first, rest = order[:MOST_KINDS], order[MOST_KINDS:]
    scale = _scale(first, sizes)
    names = [words.capital(str(r["answer"])) for r in order]
    bars = [
        _bar_row(name, int(r["incidents"]), int(r["whole"]), sizes=sizes, scale=scale)
        for name, r in zip(names, first, strict=False)
    ]
    if rest:
        here, whole = (sum(int(r[column]) for r in rest) for column in ("incidents", "whole"))
        bars.append(_bar_row(say("hotspot.bars.others"), here, whole, sizes=sizes, scale=max(scale, 1e-9)))
    about = say("hotspot.about_bars", region=region)
    return Bars(heading, about, tuple(bars), _higher(order, names, region))


def _blocks(index: ReleaseIndex, facts: HotspotFacts) -> list[tuple[Period, int, int]]:
    """Sum the months to quarters that end with the window, back to the last break, and none with a month missing."""
    months = {int(str(r["answer"]).replace("-", "")): r for r in facts.of(Question.MONTH)}
    window = Period.parse(index.info.headline.id)
    breaks = [int(b.month.replace("-", "")) for b in index.info.breaks]
    begin = max([b for b in breaks if b <= window.first_month], default=0)
    out: list[tuple[Period, int, int]] = []
    last = window.last_month
    while len(out) < MOST_BLOCKS:
        block = Period(add_months(last, 1 - BLOCK_MONTHS), last)
        inside = [add_months(block.first_month, k) for k in range(BLOCK_MONTHS)]
        if block.first_month < begin or any(m not in months for m in inside):
            break
        here, whole = (sum(int(months[m][column]) for m in inside) for column in ("incidents", "whole"))
        out.append((block, here, whole))
        last = add_months(last, -BLOCK_MONTHS)
    return out[::-1]


def _course(index: ReleaseIndex, facts: HotspotFacts, region: str) -> Course:
    if not facts:
        return Course()
    note = say("hotspot.course.built_in")
    overlaps = sorted(facts.of(Question.EARLIER_OUTLINE), key=lambda r: str(r["answer"]), reverse=True)
    if overlaps:
        each = [
            say(
                "hotspot.course.overlap_one",
                share=words.share_text(float(r["share_pct"]) / 100),
                year=Period.parse(str(r["answer"])).label,
            )
            for r in overlaps
        ]
        note += " " + say("hotspot.course.overlap", shares=words.listed(each))
    blocks = _blocks(index, facts)
    if len(blocks) < 2:
        return Course(note=f"{say('hotspot.course.too_short')} {note}")
    window = Period.parse(index.info.headline.id)
    ratio = blocks[0][1] / blocks[0][2] if blocks[0][2] else 0.0
    drawn = [
        charts.Column(here, whole * ratio, block.first_month >= window.first_month) for block, here, whole in blocks
    ]
    ticks = [
        (
            k,
            say(
                "hotspot.course.tick",
                month=say(f"month.short.{block.last_month % 100}"),
                year=block.last_month // 100,
            ),
        )
        for k, (block, _, _) in enumerate(blocks)
        if (len(blocks) - 1 - k) % 4 == 0
    ]
    values = {"months": BLOCK_MONTHS, "first": blocks[0][1], "last": blocks[-1][1]}
    svg = charts.columns(drawn, ticks=ticks, width_pt=MAP_PT, label=say("hotspot.course.label", **values))
    return Course(page.safe(svg), say("hotspot.about_columns", region=region), note)


# The notes at the foot.


def _notes(index: ReleaseIndex, facts: HotspotFacts) -> list[tuple[str, str]]:
    withheld = say("hotspot.heading.withheld")
    if not facts:
        text = " ".join(say(f"hotspot.note.{key}") for key in ("withheld", "hidden", "order"))
        sure = f"{say('hotspot.note.coarse')} {say('hotspot.note.not_risk')}"
        return [(say("hotspot.heading.sure"), sure), (withheld, _ended(f"{text} {index.protection}".strip()))]
    sure = say(
        "hotspot.note.spread",
        n=facts.count(Question.DISTINCT_PLACES) or 0,
        share=words.share_text(facts.share(Question.TOP_PLACE) or 0.0),
    )
    steady = facts.share(Question.STABILITY)
    if steady is None:
        sure += " " + say("hotspot.note.no_stability")
    else:
        key = "steady" if steady >= STABLE else "between" if steady >= DISSOLVED else "unsteady"
        sure += " " + say(
            "hotspot.note.stability",
            share=words.share_text(steady),
            word=say(f"hotspot.note.{key}"),
            stable=words.share_text(STABLE),
            dissolved=words.share_text(DISSOLVED),
        )
    sure += " " + say("hotspot.note.not_risk")
    organisations = words.capital(_listed(facts.of(Question.ORGANISATION)))
    who = say("hotspot.note.recorded_by", organisations=organisations)
    routes = facts.of(Question.REPORTING_ROUTE)
    if routes:
        who += " " + say("hotspot.note.routes", routes=_listed(routes))
    nothing = say("hotspot.note.nothing_withheld")
    if folders := index.info.shared_folders:
        nothing += " " + say("hotspot.note.shared_folders", n=len(folders), names=words.listed(list(folders)))
    return [
        (say("hotspot.heading.recorded_by"), who),
        (say("hotspot.heading.sure"), sure),
        (withheld, nothing),
    ]


def _listed(rows: Sequence[dict[str, Any]]) -> str:
    """List answers with their counts, the most frequent first."""
    order = sorted((r for r in rows if r["incidents"]), key=lambda r: (-int(r["incidents"]), str(r["answer"])))
    named = [say("hotspot.note.value", name=str(r["answer"]), count=words.whole(int(r["incidents"]))) for r in order]
    return say("number.list_joint").join(named)
