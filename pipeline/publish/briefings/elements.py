"""What the pages of briefings share: file names, the frame of a page, figures in words, notes and sources."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any
from urllib.parse import quote

from pipeline.publish import findings, page, words
from pipeline.publish.briefings.release_index import ReleaseIndex
from pipeline.publish.words import say
from pipeline.release.released import Released
from pipeline.statistics.change import COMPARED, ChangeWord
from pipeline.statistics.rates import Reliability
from pipeline.tables import Level

__all__ = [
    "MOST_CAVEATS",
    "Frame",
    "Notes",
    "change_words",
    "circumstances_name",
    "count_words",
    "file_name",
    "frame_of",
    "hotspot_page",
    "link_to",
    "no_change_word",
    "outcome_words",
    "rate_words",
    "reading_notes",
    "sources",
    "subject_of",
    "written",
]

MOST_CAVEATS = 2
"""Caveats of the data that stand on a briefing; the others are counted. The style sheet shows four lines of each."""


def file_name(code: str) -> str:
    """Return the file name of an area's page; a code with signs that no file name should hold is percent-encoded.

    >>> file_name("E09000033"), file_name("a/b")
    ('E09000033.html', 'a%2Fb.html')
    """
    plain = code if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", code) else quote(code, safe="")
    return f"{plain}.html"


def link_to(code: str) -> str:
    """Return the relative address of an area's page, as seen from its folder."""
    return quote(file_name(code))


def circumstances_name(code: str) -> str:
    """Return the file name of an area's page of circumstances.

    >>> circumstances_name("E09000033")
    'E09000033-circumstances.html'
    """
    return link_to(code).removesuffix(".html") + "-circumstances.html"


def hotspot_page(released: Released, hotspot_id: str) -> str:
    """Return the address of a hotspot's own page, as seen from the folder; empty in the public folder, which has none.

    There the panel of the map says what may be said.
    """
    return "" if released.info.audience == "public" else f"hotspots/{file_name(hotspot_id)}"


# The frame of a page: its head, what must be known before reading on, links to other pages, and the file around it.


@dataclass(frozen=True, slots=True)
class Frame:
    """Head of a page: what it is, of which area and period, its marking and its links."""

    heading: str
    place: str
    period: str
    marking: str
    unaudited: bool
    synthetic: bool
    links: tuple[tuple[str, str], ...]


def frame_of(index: ReleaseIndex, code: str, links: Sequence[tuple[str, str]], *, heading: str = "") -> Frame:
    """Gather the head of an area's page; `links` are addresses with their words; a briefing without a `heading`."""
    info, place = index.info, index.places[code]
    region = place.level == Level.REGION
    return Frame(
        heading=heading or say("briefing.heading_region" if region else "briefing.heading", title=info.title),
        place=place.name,
        period=words.capital(info.headline.label),
        marking=info.marking,
        unaudited=info.audit not in {"passed", "not needed"},
        synthetic=info.synthetic,
        links=tuple(links),
    )


def written(index: ReleaseIndex, template: str, *, title: str, **values: Any) -> str:
    """Write a page of the briefings from its template."""
    style = resources.files(__package__).joinpath("briefing.css").read_text("utf-8")
    return page.document(
        language=index.info.language,
        title=title,
        styles=[page.colour_tokens(), style],
        body=page.render(f"briefing/{template}", **values),
    )


# Figures in words: a number, or why there is none.


def count_words(figure: findings.Figure) -> str:
    """Write a count, or in words why there is none."""
    if figure.hidden:
        return say("common.not_offered")
    return say("common.state.no_data") if figure.incidents is None else figure.incidents.text


def rate_words(figure: findings.Figure) -> str:
    """Write a rate, or in words why there is none."""
    if "rate_per_10000" in figure.not_offered or figure.hidden:
        return say("common.not_offered")
    if figure.reliability == Reliability.TOO_FEW:
        return say("common.state.too_few")
    return say("briefing.figure.no_rate") if figure.rate is None else words.rate_text(figure.rate)


def outcome_words(figure: findings.Figure, basis: str) -> str:
    """Write the share or the flow of positive outcomes, or why there is none."""
    if {"positive_outcomes", "known_outcomes", "outcome_share"} & figure.not_offered or figure.hidden:
        return say("common.not_offered")
    if any(count is not None and count.first_step for count in (figure.incidents, figure.outcomes, figure.known)):
        return say("common.state.too_few")
    span = figure.share_span(basis)
    if span is None or figure.incidents is None or not figure.incidents.upper:
        return say("common.state.no_data")
    return words.rate_range_text(*span) if basis == "flow" else words.share_range_text(*span)


def no_change_word(word: str) -> str:
    """Say why a change is not given."""
    return say("common.state.not_comparable" if word == ChangeWord.NOT_COMPARABLE else "common.state.too_few")


def change_words(figure: findings.Figure, *, narrow: bool = False) -> tuple[str, bool]:
    """Write a change, and whether it is a clear one: a percentage; without one in brackets, or in words.

    Parameters
    ----------
    narrow
        Whether "not clear" stands for "no clear change"; the note under the table explains it.
    """
    if {"change_pct", "change_word"} & figure.not_offered or figure.hidden:
        return say("common.not_offered"), False
    if figure.direction and figure.change_pct is not None:
        return words.about_signed(figure.change_pct, exact=figure.exact), bool(words.half_up(figure.change_pct))
    if figure.change_word in COMPARED and figure.change_pct is not None:
        # A percentage that the steps cannot vouch for is no figure: both ends of it may have another sign.
        if figure.exact:
            return say("briefing.figure.within_chance", change=words.signed(figure.change_pct)), False
        return say("briefing.figure.not_clear" if narrow else "briefing.figure.no_clear_change"), False
    return no_change_word(figure.change_word) if figure.change_word in set(ChangeWord) - COMPARED else "–", False


# Notes at the foot of a page: the fixed wording, cautions, caveats of the data, where to turn, and sources.


@dataclass(frozen=True, slots=True)
class Notes:
    """What a box of notes holds; a caution is a head, which may be empty, and a sentence."""

    fixed: tuple[str, ...]
    cautions: tuple[tuple[str, str], ...]
    support: tuple[tuple[str, str], ...]


def subject_of(index: ReleaseIndex) -> str:
    """Name what is recorded, in the middle of a sentence."""
    title = index.info.title
    return title[:1].lower() + title[1:]


def reading_notes(
    index: ReleaseIndex, cautions: Sequence[tuple[str, str]] = (), *, caveats: int = 0, whole: bool = True
) -> Notes:
    """Gather the fixed wording, the cautions of a page, the caveats of the data and where to turn.

    Parameters
    ----------
    cautions
        Head and sentence.
    caveats
        How many caveats of the data stand here; the rest is counted. 0 leaves them to another page.
    whole
        Whether the fixed wording and where to turn stand here too.
    """
    info, items = index.info, list(cautions)
    if whole and index.protection and not cautions:  # a page with cautions has it among them
        items.append(("", index.protection))
    items += [("", line) for line in info.caveats[:caveats]]
    left = len(info.caveats) - caveats
    if caveats and left > 0:
        items.append(("", words.capital(say("briefing.notes.more_caveats", n=left, count=words.small(left)))))
    return Notes(
        fixed=page.fixed_wording(subject_of(index)) if whole else (),
        cautions=tuple(items),
        support=tuple(info.support) if whole else (),
    )


def sources(index: ReleaseIndex) -> tuple[str, ...]:
    """Name who counted, which residents the rates use, and the licence."""
    info = index.info
    years = sorted({p.population_year for p in index.places.values() if p.population_year})
    lines = [say("briefing.sources.counts", publisher=info.publisher.rstrip("."))] if info.publisher else []
    if years and "residents" not in info.publisher.lower():
        lines.append(say("briefing.sources.residents", years=words.listed([str(year) for year in years])))
    return (*lines, *([info.licence] if info.licence else []), *(f"{credit}." for credit in index.surroundings.credits))
