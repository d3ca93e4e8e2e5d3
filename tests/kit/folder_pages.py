"""What the attacker of a folder reads beside its tables: briefings, pages of circumstances, the GeoPackage.

He shares no code with the package. Every figure of a page is read as people read it: a table's row and column, the
sentence it opens with, its key figures, the length of a bar, the place of a dot on its scale, the label of a chart.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from math import exp, inf, log
from pathlib import Path

Key = tuple[str, str, str, str]  # area, period, category, measure
Span = tuple[float, float]
NUMBER = re.compile(r"(?<![\w.])[−-]?\d[\d,]*(?:\.\d+)?")


@dataclass
class Guide:
    """What he needs to know of the folder to find his way in its pages."""

    names: Mapping[str, str]  # area code to name
    parents: Mapping[str, str]
    labels: Mapping[str, str]  # category to label
    people: Mapping[str, float]
    region: str
    period: str
    noun: str
    span: Callable[[float], Span]
    seen: Mapping[Key, Span]
    answers: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Key]]]] = field(default_factory=dict)

    def rate(self, area: str, text: str, number: float) -> Span:
        """Return the counts that a printed rate leaves; it is rounded to its last digit."""
        near = 0.5 * 10.0 ** -len(text.partition(".")[2])
        people = self.people.get(area) or inf
        return max(number - near, 0) * people / 10_000 - 0.5, (number + near) * people / 10_000 + 0.5

    def share(self, key: Key, percent: float) -> Span:
        """Return the positive outcomes that a printed percentage leaves."""
        low, high = self.seen.get((*key[:3], "known_outcomes"), self.seen.get((*key[:3], "incidents"), (0, inf)))
        return (percent - 0.5) / 100 * low - 0.5, (percent + 0.5) / 100 * high + 0.5


def text_of(html: str) -> str:
    """Return what is read of a piece of a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", " ", html, flags=re.DOTALL))).split())


def number_of(text: str) -> float | None:
    """Return the first number of a text."""
    found = NUMBER.search(text)
    return float(found[0].replace(",", "").replace("−", "-")) if found else None


def packages(folder: Path) -> Iterator[tuple[str, dict]]:
    """Return the rows of a folder's GeoPackages: layer and columns."""
    for path in sorted(folder.glob("*.gpkg")):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            database.row_factory = sqlite3.Row
            layers = [r[0] for r in database.execute("SELECT table_name FROM gpkg_contents ORDER BY 1")]
            for layer in layers:
                for row in database.execute(f'SELECT * FROM "{layer}"'):
                    yield layer, dict(row)


def pages(folder: Path, guide: Guide) -> Iterator[tuple[Key, Span]]:
    """Read every briefing and page of circumstances: count, and what it may be."""
    for path in [*sorted((folder / "boroughs").glob("*.html")), folder / "panel.html", folder / "circumstances.html"]:
        if not path.exists():
            continue
        area = path.stem.removesuffix("-circumstances") if path.parent.name == "boroughs" else guide.region
        html = path.read_text("utf-8")
        if path.stem.endswith("circumstances"):
            yield from _answers(html, area, guide)
        else:
            yield from _briefing(html, area, guide)


def _briefing(html: str, area: str, guide: Guide) -> Iterator[tuple[Key, Span]]:
    whole = (area, guide.period, "all", "incidents")
    lead = re.search(r'<p class="lead">(.*?)</p>', html, re.DOTALL)
    told = number_of(re.search(r"<b>(.*?)</b>", lead[1])[1]) if lead and "<b>" in lead[1] else None
    if told is not None:
        yield whole, guide.span(told)
    for name, words in re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?)</dd>", html, re.DOTALL):
        yield from _figure(text_of(name).casefold(), text_of(words.partition("<small>")[0]), whole, guide)
    for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
        yield from _table(table, area, guide)
    inside = {n: c for c, n in guide.names.items() if c == area or guide.parents.get(c) == area}
    named = "|".join(re.escape(n) for n in sorted(inside, key=len, reverse=True))  # City of London 01 before its city
    drawn = [_drawn(svg) for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]
    for label in [unescape(a) for a in re.findall(r'aria-label="([^"]*)"', html)] + drawn:
        coded = re.sub(named, lambda m: f"<{inside[m[0]]}>", label)
        for code, found in re.findall(r"<([^<>]+)>\s+(?:from \S+ to )?(\d[\d,]*(?:\.\d+)?)(?![\w.…]|\s*k?m\b)", coded):
            yield (code, guide.period, "all", "incidents"), guide.rate(code, found, float(found.replace(",", "")))


def _drawn(svg: str) -> str:
    """Return the words of a drawing; a number that stands alone on a map is a hotspot's."""
    words = [text_of(t) for t in re.findall(r"<text[^>]*>.*?</text>", svg, re.DOTALL)]
    return " ".join(f"| {w}" if w.isdigit() and svg.startswith('<svg class="map"') else w for w in words)


def _figure(name: str, words: str, key: Key, guide: Guide) -> Iterator[tuple[Key, Span]]:
    """Read one figure by the name of its column."""
    number = number_of(words)
    if number is None:
        return
    if name == guide.noun.casefold():
        yield key, guide.span(number)
    elif name == "rate" or name.startswith("per 10,000"):
        yield key, guide.rate(key[0], NUMBER.search(words)[0], number)
    elif name.startswith("positive") and "%" in words:
        yield (*key[:3], "positive_outcomes"), guide.share(key, number)


def _table(table: str, area: str, guide: Guide) -> Iterator[tuple[Key, Span]]:
    """Read a table whose rows are categories, or areas inside the page's own."""
    heads = re.findall(r"<th scope=.?col.?[^>]*>(.*?)</th>", table, re.DOTALL)
    columns = [text_of(h).casefold() for h in heads]
    rows = re.findall(r"<tr[^>]*><th scope=.?row.?[^>]*>(.*?)</th>(.*?)</tr>", table, re.DOTALL)
    kinds = {label.casefold(): c for c, label in guide.labels.items()} | {"all": "all"}
    here = {n.casefold(): c for c, n in guide.names.items() if guide.parents.get(c) == area}
    bars: list[tuple[Key, float]] = []
    for label, cells in rows:
        name = text_of(label).casefold()
        if columns[0] == "category" and name in kinds:
            key = (area, guide.period, kinds[name], "incidents")
        elif name in here:
            key = (here[name], guide.period, "all", "incidents")
        else:
            continue
        if "colspan" in cells:  # one cell for all columns says why there is nothing in any
            continue
        for column, cell in zip(columns[1:], re.findall(r"<td[^>]*>(.*?)</td>", cells, re.DOTALL), strict=True):
            yield from _figure(column, text_of(cell), key, guide)
            wide = re.search(r'<svg class="bar".*?<rect width="([\d.]+)"', cell)
            if wide:
                bars.append((key, float(wide[1])))
            dot = re.search(r'<circle cx="([\d.]+)"', cell)
            rate = _scaled(float(dot[1]), heads[columns.index(column)]) if dot else None
            if rate is not None:
                people = guide.people.get(key[0]) or inf
                yield key, (rate * 0.99 * people / 10_000, rate * 1.01 * people / 10_000)
    yield from _bars(bars, guide)


def _bars(bars: Iterable[tuple[Key, float]], guide: Guide) -> Iterator[tuple[Key, Span]]:
    """Measure bars by the longest whose count is printed."""
    known = [(wide, guide.seen[key]) for key, wide in bars if guide.seen.get(key, (0, inf))[1] < inf]
    if known:
        unit, (low, high) = max(known)
        for key, wide in bars:
            yield key, ((wide - 0.6) / unit * low - 0.5, (wide + 0.6) / unit * high + 0.5)


def _scaled(x: float, head: str) -> float | None:
    """Read a place on the logarithmic scale over a column, if that has two numbers."""
    ticks = [(float(a), float(n)) for a, n in re.findall(r'<text[^>]*x="([\d.]+)"[^>]*>([\d.]+)</text>', head)]
    if len(ticks) < 2:
        return None
    (x0, n0), (x1, n1) = ticks[0], ticks[-1]
    return exp(log(n0) + (x - x0) / (x1 - x0) * log(n1 / n0))


def _answers(html: str, area: str, guide: Guide) -> Iterator[tuple[Key, Span]]:
    """Read the tables of a page of circumstances; a table is the question that has all of its answers."""
    for org, part in re.findall(r'<h2 class="org">(.*?)</h2>(.*?)(?=<h2 class="org">|</main>)', html, re.DOTALL):
        name = text_of(org.partition("<span>")[0]).casefold()
        questions = guide.answers.get(area, {}).get(name, {})
        told = number_of(text_of(org.partition("<span>")[2]))
        if told is not None and name in questions.get("organisation", {}):
            yield questions["organisation"][name], guide.span(told)
        for section in re.findall(r'<section class="q">(.*?)</section>', part, re.DOTALL):
            rows = re.findall(r"<tr><th scope=.?row.?>(.*?)</th>(.*?)</tr>", section, re.DOTALL)
            labels = [text_of(label).casefold() for label, _ in rows]
            title = text_of(re.search(r"<h3>(.*?)</h3>", section)[1]).casefold()
            found = {n: q for n, q in questions.items() if labels and set(labels) <= set(q)}
            fits = list(found.values()) if len(found) == 1 else [q for n, q in found.items() if n in title]
            if len(fits) != 1:
                continue
            for label, (_, cells) in zip(labels, rows, strict=True):
                told = number_of(text_of(re.findall(r"<td[^>]*>(.*?)</td>", cells, re.DOTALL)[-1]))
                if told is not None:
                    yield fits[0][label], guide.span(told)
            rest = re.search(r"Not stated: ([\d,]+)", section, re.IGNORECASE)
            if rest and "not stated" in fits[0]:
                yield fits[0]["not stated"], guide.span(float(rest[1].replace(",", "")))
