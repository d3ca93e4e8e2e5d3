"""What the pages of briefings share: file names, header, figures in words, table cells, notes and footer."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from pipeline.publish import findings, page, words
from pipeline.publish.briefings.release_index import ReleaseIndex
from pipeline.statistics.change import COMPARED, ChangeWord
from pipeline.statistics.rates import Reliability
from pipeline.tables import Level

__all__ = [
    "NOT_CLEAR",
    "change_cell",
    "count_words",
    "file_name",
    "legend",
    "link_to",
    "long_class",
    "outcome_words",
    "page_footer",
    "page_header",
    "rate_words",
    "reading_notes",
    "row_head",
    "segments",
    "sources",
    "subject_of",
    "tile",
]


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


NOT_CLEAR = "not clear"
"""Stands in a narrow column for "no clear change"; the note under the table says so."""

# Elements in the order of a page: header and banners, figures in words, table cells, key to the map, notes, footer.


def row_head(name: str, *, link: str = "") -> str:
    """Write the name of a table row; a name with a very long word may break inside it."""
    shown = f'<a href="{page.attribute(link)}">{page.text(name)}</a>' if link else page.text(name)
    return f'<th scope="row"{long_class(name)}>{shown}</th>'


def long_class(words_: str, other: str = "") -> str:
    """Return the class attribute of a cell: `other`, and `long` where a word would not fit a narrow column."""
    longest = max(map(len, words_.replace("|", " ").split()), default=0)
    kinds = [kind for kind in (other, "long" if longest > 14 else "") if kind]
    return f' class="{" ".join(kinds)}"' if kinds else ""


def segments(parts: Iterable[findings.Segment]) -> str:
    """Write sentences with their stressed words."""
    return "".join(f"<b>{page.text(t)}</b>" if stressed else page.text(t) for t, stressed in parts)


def page_header(index: ReleaseIndex, code: str, number: int = 0) -> str:
    """Write the line at the head of a page (`number` 0: the only one), and what must be known before reading on."""
    info = index.info
    kind = "panel briefing" if index.places[code].level == Level.REGION else "briefing"
    name = index.places[code].name
    paged = f" · page {number} of 2" if number else ""
    return (
        f'<div class="mast"><span><b>{page.text(info.title)} {kind}</b> · {page.text(name)}</span>'
        f"<span>{page.text(words.capital(info.headline.label))}{paged}</span></div>{_banners(index)}"
    )


def _banners(index: ReleaseIndex) -> str:
    """Write handling marking, audit verdict and the notice that data is made up, where they apply."""
    info = index.info
    found = []
    if info.marking:
        found.append(f'<span class="tag">{page.text(info.marking)}</span>')
    if info.audit not in {"passed", "not needed"}:
        found.append(f'<span class="tag stop">{page.text(words.say("common.not_audited"))}</span>')
    if info.synthetic:
        found.append(f'<span class="made">{page.text(words.say("common.synthetic"))}</span>')
    return f'<p class="banner">{" ".join(found)}</p>' if found else ""


def count_words(figure: findings.Figure) -> str:
    """Write a count, or in words why there is none."""
    if figure.hidden:
        return words.say("common.not_offered")
    return "no data" if figure.incidents is None else figure.incidents.text


def rate_words(figure: findings.Figure) -> str:
    """Write a rate, or in words why there is none."""
    if "rate_per_10000" in figure.not_offered or figure.hidden:
        return words.say("common.not_offered")
    if figure.reliability == Reliability.TOO_FEW:
        return "too few"
    return "no rate" if figure.rate is None else words.rate_text(figure.rate)


def outcome_words(figure: findings.Figure, basis: str) -> str:
    """Write the share or the flow of positive outcomes, or why there is none."""
    if {"positive_outcomes", "known_outcomes", "outcome_share"} & figure.not_offered or figure.hidden:
        return words.say("common.not_offered")
    if any(count is not None and count.first_step for count in (figure.incidents, figure.outcomes, figure.known)):
        return "too few"
    span = figure.share_span(basis)
    if span is None or figure.incidents is None or not figure.incidents.upper:
        return "no data"
    return words.rate_range_text(*span) if basis == "flow" else words.share_range_text(*span)


def change_cell(figure: findings.Figure, *, muted: bool = False, narrow: bool = False) -> str:
    """Write a table cell of change: a percentage; in brackets, or words for counts in steps, where none is clear."""
    unclear = NOT_CLEAR if narrow else ChangeWord.NO_CLEAR_CHANGE.value
    if {"change_pct", "change_word"} & figure.not_offered or figure.hidden:
        wording = words.say("common.not_offered")
    elif figure.direction and figure.change_pct is not None:
        wording = words.about_signed(figure.change_pct, exact=figure.exact)
    elif figure.change_word in COMPARED and figure.change_pct is not None:
        # A percentage that the steps cannot vouch for is no figure: both ends of it may have another sign.
        wording = f"({words.signed(figure.change_pct)})" if figure.exact else unclear
    else:
        wording = figure.change_word if figure.change_word in set(ChangeWord) - COMPARED else "–"
    quiet = muted or not wording.removeprefix("about ").startswith(("+", "\u2212"))
    return f'<td class="n{" mu" if quiet else ""}">{page.text(wording)}</td>'


def tile(label: str, value: str, note: str = "", *, wordy: bool = False) -> str:
    """Write one of the four figures; `wordy` is for words in place of a number. A range is set smaller."""
    small = f"<small>{page.text(note)}</small>" if note else ""
    kind = ' class="wordy"' if wordy else ' class="span"' if " to " in value else ""
    return f"<div><dt>{page.text(label)}</dt><dd{kind}>{page.text(value)}{small}</dd></div>"


def legend(limits: Sequence[float], keys: Sequence[tuple[str, str]], *, classes: bool) -> str:
    """Write the key to a map: five classes with their limits, and what else stands on it."""
    steps = ""
    if classes:
        first = f"under {words.rate_text(limits[0])}"
        named = [first, *(f"{words.rate_text(v)} or more" for v in limits)]
        shown = ["lower", *(words.rate_text(v) for v in limits)]
        steps = "".join(
            f'<li><span class="sw s{k + 1}"></span><span class="vh">{page.text(long)}</span>'
            f'<span class="tk" aria-hidden="true">{page.text(short)}</span></li>'
            for k, (long, short) in enumerate(zip(named, shown, strict=True))
        )
        steps = f'<ol class="ramp">{steps}</ol>'
    marks = "".join(f'<li><span class="key {kind}"></span>{page.text(wording)}</li>' for kind, wording in keys)
    return f'<div class="lg">{steps}<ul class="keys">{marks}</ul></div>' if steps or marks else ""


def subject_of(index: ReleaseIndex) -> str:
    """Name what is recorded, in the middle of a sentence."""
    title = index.info.title
    return title[:1].lower() + title[1:]


def reading_notes(
    index: ReleaseIndex, cautions: Sequence[tuple[str, str]] = (), *, letters: int = 0, whole: bool = True
) -> str:
    """Write the fixed wording, where to turn, the cautions of this page and the caveats of the data.

    Parameters
    ----------
    cautions
        Bold word and sentence.
    letters
        Letters of caveats that fit; the rest is counted. 0 leaves them to another page.
    whole
        Whether the fixed wording and where to turn stand here too.
    """
    info = index.info
    items = [f"<b>{page.text(line)}</b>" for line in page.fixed_wording(subject_of(index))] if whole else []
    if whole and index.protection and not cautions:  # a page with cautions has it among them
        items.append(page.text(index.protection))
    items += [f"<b>{page.text(head)}</b> {page.text(line)}" for head, line in cautions]
    kept: list[str] = []
    for line in info.caveats:
        if sum(map(len, kept)) + len(line) <= letters:
            kept.append(line)
    items += [page.text(line) for line in kept]
    left = len(info.caveats) - len(kept)
    if left and letters:
        items.append(f"{words.capital(words.small(left))} more on the map page.")
    out = "<h2>Read with care</h2><ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"
    if whole and info.support:
        ways = "".join(
            f"<li><b>{page.text(what)}</b>{': ' + page.text(contact) if contact else ''}</li>"
            for what, contact in info.support
        )
        out += f'<h2 class="where">Report and get support</h2><ul class="ways">{ways}</ul>'
    return f'<div class="care">{out}</div>'


def sources(index: ReleaseIndex) -> str:
    """Name who counted, which residents the rates use, and the licence."""
    info = index.info
    years = sorted({p.population_year for p in index.places.values() if p.population_year})
    wording = [f"Counts: {info.publisher.rstrip('.')}." if info.publisher else ""]
    if years and "residents" not in info.publisher.lower():
        wording.append(f"Residents: {' and '.join(map(str, years))}.")
    wording.append(info.licence)
    return " ".join(part for part in wording if part)


def page_footer(*lines: str) -> str:
    """Write the footer of a page."""
    return '<div class="foot">' + "".join(f"<p>{page.text(line)}</p>" for line in lines if line) + "</div>"
