"""Briefings in a real browser: no accessibility fault, no sideways scroll, nothing fetched, two A4 sheets.

In short every shape of a full release is tried for one of its two readers; HOTSPOTS_LONG=1 tries each for both.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from pipeline.publish.briefings import write_briefings
from pipeline.publish.briefings.briefing import briefing_page
from pipeline.publish.briefings.release_index import ReleaseIndex
from pipeline.release.released import Break, CategoryInfo, Event, Released
from tests.kit.axe import violations_in_widths
from tests.kit.released import city, hostile_city, london, sealed

pytestmark = pytest.mark.browser

LONG = "A caveat about how places were recorded and what that means for those who read the numbers. " * 3
SHAPES = (((2, 1), 7), ((7, 5), 2), ((1, 1), 1))
"""Boroughs across and down, and wards along a side of each."""
FULL = [(reader, *shape) for shape in SHAPES for reader in ("internal", "public")]
EVENTS = tuple(Event(f"2024-{m:02d}-10", f"A dated event with a fairly long name, number {m}", ()) for m in (7, 9, 11))


def as_flow(released: Released) -> Released:
    """Outcomes per 100, and a table whose words for change differ in length."""
    counts = released.counts.copy()
    counts["outcome_share"] = counts["outcome_share"] * 100
    counts[["outcome_low", "outcome_high"]] = float("nan")
    some = counts["area_code"].isin(["B00", "B01"]) & counts["change_word"].notna()
    counts["change_word"] = counts["change_word"].mask(some, "not comparable")
    return sealed(released.info, released.areas, counts, released.hotspots, released.density)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages of an ordinary release, a public one, a hostile one and one that is as full as can be."""
    full = {"caveats": (LONG, LONG), "events": EVENTS, "marking": "OFFICIAL-SENSITIVE: internal, not for release"}
    made: dict[str, Released] = {
        "inside": city(columns=2, rows=1),
        "outside": city(columns=2, rows=1, audience="public"),
        "hostile": hostile_city(columns=2, rows=1),
        "full": city(columns=2, rows=1, per_side=6, audit="not audited: do not publish", **full),
    }
    made["flow"] = as_flow(city(columns=3, rows=2, outcome_basis="flow"))
    out = {}
    for name, released in made.items():
        out[name] = tmp_path_factory.mktemp(name)
        write_briefings(released, out[name])
    return out


def opened(context_of: Callable[..., BrowserContext], path: Path, width: int) -> tuple[Page, list[str]]:
    page = context_of(offline=True).new_page()
    page.set_viewport_size({"width": width, "height": 900})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on(
        "request", lambda request: said.append(request.url) if not request.url.startswith(("file:", "data:")) else None
    )
    page.goto(path.as_uri())
    return page, said


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("inside", "boroughs/B00"),
        ("inside", "panel"),
        ("outside", "boroughs/B10"),
        ("full", "panel"),
        ("hostile", "panel"),
        ("flow", "panel"),
    ],
)
def test_axe_finds_no_violation(
    context_of: Callable[..., BrowserContext], folders: dict[str, Path], kind: str, name: str
) -> None:
    page, said = opened(context_of, folders[kind] / f"{name}.html", 1280)
    assert violations_in_widths(page) == []
    assert said == []
    assert page.evaluate("window.pwned") is None
    page.close()


@pytest.mark.parametrize("kind", ["inside", "outside", "hostile", "full"])
def test_print_is_two_a4_sheets_with_nothing_cut_off(
    context_of: Callable[..., BrowserContext], folders: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    for path in (folders[kind] / "panel.html", folders[kind] / "boroughs" / "B00.html"):
        page, _ = opened(context_of, path, 1000)
        page.emulate_media(media="print")
        inside = page.evaluate(
            """() => [...document.querySelectorAll('.pg')].map(s => {
                 const box = s.getBoundingClientRect();
                 const low = Math.max(...[...s.querySelectorAll('*')].filter(e => e.getClientRects().length)
                   .map(e => e.getBoundingClientRect().bottom));
                 return [Math.round(box.bottom - low), s.scrollWidth - s.clientWidth];
               })"""
        )
        assert len(inside) == 2
        for spare, sideways in inside:
            assert spare >= 8, f"{path.name}: only {spare} px above the edge of the sheet"
            assert sideways <= 0
        pdf = tmp_path / f"{path.stem}.pdf"
        page.pdf(path=pdf, prefer_css_page_size=True, print_background=True)
        raw = pdf.read_bytes()
        assert len(re.findall(rb"/Type\s*/Page\b(?!s)", raw)) == 2
        sizes = re.findall(rb"/MediaBox\s*\[\s*0\s+0\s+([\d.]+)\s+([\d.]+)\s*\]", raw)
        assert sizes
        for wide, high in sizes:
            assert abs(float(wide) - 595.3) < 1
            assert abs(float(high) - 841.9) < 1
        page.close()


def most_of_everything(audience: str, *, boroughs: tuple[int, int], per_side: int) -> Released:
    """As many parts, categories, caveats, breaks, events and lines of support as there can be, all with long words."""
    name = "Llanfairpwllgwyngyll and the Parish of St Tysilio"
    kinds = tuple(CategoryInfo(f"c{k}", f"Category {k} with a name of many words", "all") for k in range(14))
    made = city(
        columns=boroughs[0],
        rows=boroughs[1],
        per_side=per_side,
        audience=audience,
        step=1 if audience == "internal" else 10,
        mechanism="exact" if audience == "internal" else "steps",
        audit="not audited: do not publish",
        title="Offences flagged for hostility or prejudice",
        noun="offences flagged for hostility",
        region_name="The Combined Authority of Greater Northtown",
        recorder="The Constabulary of Greater Northtown and the Transport Police",
        marking="OFFICIAL-SENSITIVE: for the members of the partnership named in the agreement, not for release",
        publisher="The Constabulary of Greater Northtown and the Transport Police, from the extract of August 2025",
        licence="Contains public sector information licensed under the Open Government Licence v3.0. " * 3,
        categories=(CategoryInfo("all", "All", None), *kinds),
        breaks=tuple(
            Break(month, "A new recording system was brought in, in stages. " * 5) for month in ("2023-03", "2023-09")
        ),
        events=tuple(Event(e.date, "An event with as long a name as is allowed" + " and more" * 8, ()) for e in EVENTS),
        caveats=tuple((LONG * 2)[:500] for _ in range(5)),
        support=(
            (
                "In an emergency call 999; to report at any other time call 101 or use the web page",
                "report.example.org",
            ),
            *((f"Support for people of group {k}, day and night", "0800 0000 000") for k in range(5)),
        ),
        hotspot_note="DBSCAN, reach 200 m, at least 30 incidents. " * 3,
    )
    areas, counts = made.areas.copy(), made.counts.copy()
    longer = {code: f"{name} {k}" for k, code in enumerate(areas["area_code"])}
    areas["name"] = areas["area_code"].map(longer)
    counts["area_name"] = counts["area_code"].map(longer)
    some = counts["area_code"].isin([f"{c}-00" for c in areas["area_code"]])
    counts["not_offered"] = counts["not_offered"].mask(some, "incidents;rate_per_10000;positive_outcomes")
    return sealed(made.info, areas, counts, made.hotspots.assign(name=name), made.density)


NOTHING_CUT = """() => {
  const bad = [];
  for (const sheet of document.querySelectorAll('.pg')) {
    const foot = sheet.getBoundingClientRect().bottom - parseFloat(getComputedStyle(sheet).paddingBottom);
    const blocks = [...sheet.children];
    for (const [k, block] of blocks.entries()) {
      const box = block.getBoundingClientRect(), next = blocks[k + 1];
      if (box.bottom > foot + 1) bad.push(['over the foot', block.className, box.bottom - foot]);
      if (next && next.getBoundingClientRect().top < box.bottom - 1) bad.push(['over the next', block.className]);
    }
    // Everything that holds words stays inside its block; lines beyond a stated number are cut by rule (line-clamp).
    for (const e of sheet.querySelectorAll('p, li, dt, dd, h1, h2, tr, .mapbox, .lg')) {
      const box = e.getBoundingClientRect(), block = blocks.find(b => b.contains(e)).getBoundingClientRect();
      if (box.left > block.right) continue;  // dropped whole: a row or a finding that has no room
      if (e.getClientRects().length && (box.bottom > block.bottom + 1 || box.right > block.right + 1))
        bad.push(['out of its block', e.tagName, e.textContent.slice(0, 40)]);
    }
    for (const t of sheet.querySelectorAll('.two > div'))
      if (t.scrollWidth > t.clientWidth + 1) bad.push(['into its neighbour', t.textContent.slice(0, 40)]);
  }
  return bad; }"""


def two_of(released: Released, folder: Path) -> list[Path]:
    """Write the briefing of the region and of one borough."""
    book = ReleaseIndex(released)
    paths = []
    for code in (released.info.region_code, "B00"):
        paths.append(folder / f"{code}.html")
        paths[-1].write_text(briefing_page(book, code), "utf-8")
    return paths


@pytest.mark.parametrize(
    ("audience", "boroughs", "per_side"), FULL if os.environ.get("HOTSPOTS_LONG") else [FULL[0], FULL[3], FULL[4]]
)
def test_two_sheets_hold_as_much_as_there_can_be(
    context_of: Callable[..., BrowserContext], tmp_path: Path, audience: str, boroughs: tuple[int, int], per_side: int
) -> None:
    for path in two_of(most_of_everything(audience, boroughs=boroughs, per_side=per_side), tmp_path):
        page, said = opened(context_of, path, 1000)
        page.emulate_media(media="print")
        assert page.evaluate(NOTHING_CUT) == []
        assert page.evaluate("document.querySelector('.mapbox').clientHeight") >= 133  # px: 100 pt
        assert len(re.findall(rb"/Type\s*/Page\b(?!s)", page.pdf(prefer_css_page_size=True))) == 2
        assert said == []
        page.close()


def no_rates_or_hotspots(released: Released) -> Released:
    counts = released.counts.copy()
    for column in ("rate_per_10000", "rate_low", "rate_high", "rate_smoothed"):
        counts[column] = float("nan")
    return sealed(released.info, released.areas, counts, released.hotspots.iloc[:0], released.density)


def test_two_sheets_hold_a_release_without_rates_and_hotspots(
    context_of: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    for path in two_of(no_rates_or_hotspots(city(columns=3, rows=2, per_side=4)), tmp_path):
        page, _ = opened(context_of, path, 1000)
        page.emulate_media(media="print")
        assert page.evaluate(NOTHING_CUT) == []
        page.close()


def test_words_are_never_too_small(context_of: Callable[..., BrowserContext], folders: dict[str, Path]) -> None:
    """No visible text under 10.5 px on a desk or a phone."""
    page, _ = opened(context_of, folders["inside"] / "boroughs" / "B00.html", 1280)
    for width in (1280, 320):
        page.set_viewport_size({"width": width, "height": 900})
        sizes = page.evaluate(
            """() => [...document.querySelectorAll('main *')]
               .filter(e => e.firstChild && e.firstChild.nodeType === 3 && e.firstChild.data.trim() &&
                       e.getClientRects().length && getComputedStyle(e).clipPath === 'none')
               .map(e => { const svg = e.ownerSVGElement; const k = svg ? svg.getScreenCTM().a : 1;
                           const zoom = svg ? 1 : (e.currentCSSZoom || 1);
                           return [parseFloat(getComputedStyle(e).fontSize) * k * zoom, e.textContent]; })"""
        )
        small = [(round(size, 1), words) for size, words in sizes if size < 10.5]
        assert small == []
    page.close()


def test_a_city_of_650_wards_fits(context_of: Callable[..., BrowserContext], tmp_path: Path) -> None:
    """The region with 33 boroughs in its table, and the boroughs with the most wards and the longest names."""
    book = ReleaseIndex(london(audience="public"))
    for code in ("E12000007", "E09000003", "E09000020"):
        path = tmp_path / f"{code}.html"
        path.write_text(briefing_page(book, code), "utf-8")
        page, said = opened(context_of, path, 1000)
        page.emulate_media(media="print")
        low = page.evaluate(
            """() => [...document.querySelectorAll('.pg')].map(s => s.getBoundingClientRect().bottom -
                 Math.max(...[...s.children].map(e => e.getBoundingClientRect().bottom)))"""
        )
        assert min(low) >= 8
        assert "more in area_counts.csv" not in page.inner_text("main")
        assert said == []
        page.close()
