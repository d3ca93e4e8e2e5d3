"""The briefing of a borough, and the panel page of the region: two A4 pages each.

The style sheet lays them out: the map takes the height that the words of its page leave. What may be any number is cut
by rule to a number that fits, and the page says how many are left out.
"""

from dataclasses import dataclass
from typing import Any

from pipeline.publish import findings, page, words
from pipeline.publish.briefings.circumstances import has_circumstances
from pipeline.publish.briefings.elements import (
    MOST_CAVEATS,
    circumstances_name,
    count_words,
    frame_of,
    hotspot_page,
    no_change_word,
    outcome_words,
    rate_words,
    reading_notes,
    sources,
    subject_of,
    written,
)
from pipeline.publish.briefings.pictures import (
    events_of,
    hotspots_in,
    locator_of,
    map_of,
    strip_of,
    trend_of,
)
from pipeline.publish.briefings.release_index import ReleaseIndex
from pipeline.publish.briefings.tables import category_table, part_table
from pipeline.publish.words import say
from pipeline.statistics.change import COMPARED
from pipeline.tables import Level

__all__ = ["briefing_page"]


def briefing_page(index: ReleaseIndex, code: str) -> str:
    """Write the page of an area: a borough's briefing, or the panel page of the region."""
    info, place, case = index.info, index.places[code], index.case(code)
    panel = place.level == Level.REGION
    frame = frame_of(index, code, _links(index, code))
    heading = frame.heading
    fixed = page.fixed_wording(subject_of(index))
    return written(
        index,
        "briefing.html",
        title=say("briefing.document_title", heading=heading, place=place.name, period=info.headline.label),
        frame=frame,
        # Page 1: how much, compared with the region, where, what stands out, and since when.
        lead=findings.lead(case),
        tiles=_tiles(case),
        map=map_of(index, code),
        findings=findings.findings(case),
        locator=None if panel else locator_of(index, place),
        trend=trend_of(index, code),
        strip=strip_of(index, code),
        events=_events(index, code),
        first_notes=reading_notes(index) if panel else None,
        fixed=(*fixed, index.protection),
        # Page 2: categories, hotspots, outcomes, every part with its range, cautions, and where to get support.
        categories=category_table(case),
        hotspots=_hotspots(index, code, most=BRIEF if panel else MOST, brief=panel),
        outcomes=_outcomes(case),
        parts_table=part_table(index, case),
        second_notes=reading_notes(index, _cautions(index, case), caveats=MOST_CAVEATS, whole=not panel),
        sources=(*sources(index), say("briefing.every_figure")),
    )


def _links(index: ReleaseIndex, code: str) -> list[tuple[str, str]]:
    """List the other pages: the map, the region, the circumstances here or in the region."""
    info, panel = index.info, index.places[code].level == Level.REGION
    links = [("index.html" if panel else "../index.html", say("briefing.map_link"))]
    if not panel and info.region_code in index.places:
        links.append(("../panel.html", info.region_name))
    if has_circumstances(index, code):
        target = "circumstances.html" if panel else circumstances_name(code)
        links.append((target, say("briefing.circumstances_link")))
    elif has_circumstances(index, info.region_code):
        region = say("briefing.circumstances_link_region", region=info.region_name)
        links.append(("../circumstances.html", region if info.region_name else say("briefing.circumstances_link")))
    return links


def _events(index: ReleaseIndex, code: str) -> list[str]:
    """Say what was recorded before and after each dated event."""
    series = [findings.Window(p.start, p.end, p.days, f.incidents) for p, f in index.history(code)]
    breaks = [b.month for b in index.info.breaks]
    return [findings.before_and_after(e.date, e.label, series, breaks=breaks) for e in events_of(index, code)]


# The four figures under the opening.


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the four figures; `kind` sets words smaller than a number, and a range between them."""

    label: str
    value: str
    note: str = ""
    kind: str = ""


def _tiles(case: findings.Case) -> list[Tile]:
    total, n = case.area.total, case.area.total.incidents
    then = ""
    if total.earlier is not None and total.comparable:
        then = say("briefing.tile.earlier", count=total.earlier.text, when=case.back_then)
    kind = "wordy" if n is None or n.first_step else "" if n.exact else "span"
    count = Tile(words.capital(case.noun), words.capital(count_words(total)), then, kind)
    return [count, _rate_tile(case), _change_tile(case), _last_tile(case)]


def _rate_tile(case: findings.Case) -> Tile:
    total, region, span = case.area.total, case.region.total, case.area.total.rate_span
    label = say("briefing.tile.per_10000")
    if span is None:
        return Tile(label, words.capital(rate_words(total)), kind="wordy")
    note = ""
    if total.rate_low is not None and total.rate_high is not None:
        low, high = words.rate_text(total.rate_low), words.rate_text(total.rate_high)
        note = say("briefing.tile.interval", low=low, high=high)
        if not case.whole_region and case.region.name and region.rate_span is not None:
            theirs = words.rate_range_text(*region.rate_span)
            note = say("briefing.tile.region_value", region=case.region.name, value=theirs)
    one = words.rate_text(span[0]) == words.rate_text(span[1])
    return Tile(label, words.rate_range_text(*span), note, "" if one else "span")


def _change_label(case: findings.Case) -> str:
    if not case.before:
        return say("briefing.tile.change")
    if case.before == say("finding.before.year"):
        return say("briefing.tile.on_year_before")
    if case.before == say("finding.before.same_months"):
        return say("briefing.tile.on_same_months")
    return say("briefing.tile.on_period", period=case.before)


def _change_tile(case: findings.Case) -> Tile:
    total, region, label = case.area.total, case.region.total, _change_label(case)
    theirs = ""
    if not case.whole_region and case.region.name and region.change_pct is not None:
        size = words.about_signed(region.change_pct, exact=region.exact)
        if region.direction:
            theirs = say("briefing.tile.region_value", region=case.region.name, value=size)
        else:
            theirs = say("briefing.tile.region_no_clear_change", region=case.region.name)
    if total.direction and total.change_pct is not None:
        higher = say("briefing.tile.clearly_higher" if total.direction > 0 else "briefing.tile.clearly_lower")
        return Tile(label, higher, _both(words.about_signed(total.change_pct, exact=total.exact), theirs), "wordy")
    if total.change_word in COMPARED and total.change_pct is not None:
        own = say("briefing.tile.within_chance", change=words.signed(total.change_pct)) if total.exact else ""
        return Tile(label, say("briefing.tile.no_clear_change"), _both(own, theirs), "wordy")
    if total.change_word:
        return Tile(label, words.capital(no_change_word(total.change_word)), theirs, "wordy")
    if "change_pct" in total.not_offered or total.hidden:
        return Tile(label, words.capital(say("common.not_offered")), kind="wordy")
    return Tile(label, say("briefing.tile.no_earlier_period"), kind="wordy")


def _both(own: str, region: str) -> str:
    return say("briefing.tile.both", own=own, region=region) if own and region else own or region


def _last_tile(case: findings.Case) -> Tile:
    """Choose the fourth figure: the rank by rate, else outcomes, else how many parts have a rate."""
    total, region = case.area.total, case.region.total
    ranked = findings.rank_range(case)
    # A range over all places says nothing about this one.
    if ranked is not None and (ranked[1], ranked[2]) != (1, ranked[3]):
        rank, best, worst, peers = ranked
        plural = case.peer_words[1]
        note = say("briefing.tile.of_peers", peers=peers, plural=plural)
        if best != worst:
            ends = {"best": words.ordinal(best), "worst": words.ordinal(worst)}
            note = say("briefing.tile.of_peers_range", peers=peers, plural=plural, **ends)
        return Tile(say("briefing.tile.rank"), words.ordinal(rank), note)
    if case.outcome_basis == "none":
        rated = sum(p.total.rate is not None for p in case.parts)
        label = say("briefing.tile.parts_with_rate", parts=words.capital(case.part_words[1]))
        return Tile(label, words.whole(rated), say("briefing.tile.of_parts", count=len(case.parts)))
    flow = case.outcome_basis == "flow"
    value, note = outcome_words(total, case.outcome_basis), ""
    if not case.whole_region and case.region.name and region.share is not None:
        theirs = outcome_words(region, case.outcome_basis)
        note = say("briefing.tile.region_value", region=case.region.name, value=theirs)
    label = say("briefing.tile.outcomes_per_100" if flow else "briefing.tile.outcomes_share")
    return Tile(label, words.capital(value), note, "" if value[:1].isdigit() else "wordy")


# Hotspots of an area as a numbered list: counts in the internal folder, bands in the others.


MOST, BRIEF = 3, 2
"""Hotspots spelled out on a briefing, and on the panel page."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A hotspot in the list."""

    number: str
    name: str
    size: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Spots:
    """The hotspots that are spelled out, and what stands under them."""

    spots: tuple[Spot, ...]
    note: str


def _hotspots(index: ReleaseIndex, code: str, *, most: int, brief: bool) -> Spots:
    """List the hotspots that lie in an area, at most `most` of them spelled out; `brief` keeps to the numbers."""
    info, found = index.info, hotspots_in(index, code)
    if not info.has_points and not found:
        return Spots((), say("briefing.hotspots.no_points"))
    if not found:
        none = say("briefing.hotspots.none", place=index.places[code].name)
        return Spots((), f"{none} {info.hotspot_note}".rstrip())
    up = "" if index.places[code].level == Level.REGION else "../"
    listed = [
        Spot(str(row["rank"]), str(row["name"]), _size(index, row, brief=brief), _page_of(index, row, up))
        for row in found[:most]
    ]
    note, left = say("briefing.hotspots.numbered"), len(found) - most
    if left > 0:
        note += " " + say("briefing.hotspots.more", n=left, count=words.capital(words.small(left)))
    return Spots(tuple(listed), note)


def _page_of(index: ReleaseIndex, row: dict[str, Any], up: str) -> str:
    """Return the address of a hotspot's own page; empty where the folder has none."""
    address = hotspot_page(index.released, str(row["hotspot_id"]))
    return up + address if address else ""


def _size(index: ReleaseIndex, row: dict[str, Any], *, brief: bool) -> str:
    info = index.info
    area = f"{row['area_km2']:.1f}"
    # Exact for the analyst alone; outside, a hotspot has the step that its count lies in, and no density.
    lower, upper = (findings.whole_number(row.get(f"incidents_{end}")) for end in ("lower", "upper"))
    density = findings.number(row.get("density_per_km2"))
    if lower is None or upper is None:
        return say("briefing.hotspots.area", area=area)
    count = words.counted_range(lower, upper, info.noun)
    region, total = index.places.get(info.region_code), index.region().total.least
    if not brief and density and region and total and region.area_km2:
        times = density * region.area_km2 / total
        if times >= 2:
            values = {"count": count, "area": area, "times": words.whole(times)}
            if not info.region_name:
                return say("briefing.hotspots.density_overall", **values)
            return say("briefing.hotspots.density", region=info.region_name, **values)
    return say("briefing.hotspots.count", count=count, area=area)


# What came of it, and the cautions that concern the page.


@dataclass(frozen=True, slots=True)
class Outcomes:
    """A sentence on outcomes, and how far it can be relied on."""

    line: str
    caveat: str = ""


def _outcomes(case: findings.Case) -> Outcomes:
    """Say what came of it."""
    mine, theirs = case.area.total, case.region.total
    if case.outcome_basis == "none":
        return Outcomes(say("briefing.outcomes.no_outcomes"))
    value = outcome_words(mine, case.outcome_basis)
    if mine.outcomes is None or mine.share is None:
        return Outcomes(say("briefing.outcomes.none_given", why=value))
    count = words.capital(mine.outcomes.text)
    beside = not case.whole_region and bool(case.region.name) and theirs.share is not None
    region = {"region": case.region.name, "theirs": outcome_words(theirs, case.outcome_basis)} if beside else {}
    if case.outcome_basis == "flow":
        key = "briefing.outcomes.flow_region" if beside else "briefing.outcomes.flow"
        line = say(key, count=count, rate=value, noun=case.noun, **region)
        return Outcomes(line, say("briefing.outcomes.flow_caveat"))
    if mine.share_low is not None and mine.share_high is not None:
        key = "briefing.outcomes.share_interval_region" if beside else "briefing.outcomes.share_interval"
        interval = words.share_range_text(mine.share_low, mine.share_high)
        line = say(key, count=count, share=value, interval=interval, **region)
    else:
        key = "briefing.outcomes.share_region" if beside else "briefing.outcomes.share"
        line = say(key, count=count, share=value, **region)
    return Outcomes(line, say("briefing.outcomes.share_caveat"))


def _cautions(index: ReleaseIndex, case: findings.Case) -> list[tuple[str, str]]:
    """Choose the cautions that concern this page."""
    info = index.info
    out = [(say("briefing.caution.small_numbers"), say("briefing.caution.small_numbers_text"))]
    if any(p.total.rate is not None for p in case.parts):
        out.append((say("briefing.caution.visitors"), say("briefing.caution.visitors_text")))
    if info.breaks:
        each = [say("briefing.caution.one_break", month=words.month_name(b.month), text=b.text) for b in info.breaks]
        both = say("briefing.caution.break_joint").join(each[:2])
        out.append((say("briefing.caution.break"), say("briefing.caution.break_text", breaks=both)))
    if info.step > 1:
        first = words.capital(words.count_text(0, info.step - 1))
        steps = say("briefing.caution.steps_text", steps=words.steps_sentence(info.step), first=first)
        out.append((say("briefing.caution.steps"), steps))
    elif index.protection:
        out.append((say("briefing.caution.protection"), index.protection))
    if any(p.total.hidden for p in (*case.parts, case.area)):
        out.append((say("briefing.caution.not_offered"), say("briefing.caution.not_offered_text")))
    return out
