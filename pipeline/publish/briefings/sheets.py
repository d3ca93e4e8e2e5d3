"""A whole page: both sheets, the way to the other pages, and the style."""

from importlib import resources

from pipeline.publish import page
from pipeline.publish.briefings.book import Book
from pipeline.publish.briefings.circumstances import described, page_name
from pipeline.publish.briefings.first import first_sheet
from pipeline.publish.briefings.second import second_sheet

__all__ = ["make_page"]

_ASKED = "When, where and how"
_PATTERNS = (
    '<svg class="defs" aria-hidden="true" focusable="false"><defs>'
    '<pattern id="few" width="4" height="4" patternUnits="userSpaceOnUse"><rect class="pl" width="4" height="4"/>'
    '<circle class="pd" cx="2" cy="2" r=".75"/></pattern>'
    '<pattern id="hidden" width="4" height="4" patternUnits="userSpaceOnUse"><rect class="pl" width="4" height="4"/>'
    '<path class="ps" d="M-1 1L1-1M0 4L4 0M3 5L5 3"/></pattern></defs></svg>'
)


def make_page(book: Book, code: str) -> str:
    """Write the page of an area: a borough's briefing, or the panel page of the region."""
    info, place = book.info, book.places[code]
    panel = place.level == "region"
    style = resources.files(__package__).joinpath("briefing.css").read_text("utf-8")
    up = "" if panel else "../"
    links = [f'<a href="{up}index.html">Map</a>']
    if not panel and info.region_code in book.places:
        links.append(f'<a href="../panel.html">{page.text(info.region_name)}</a>')
    if described(book, code):
        links.append(f'<a href="{"circumstances.html" if panel else page_name(code)}">{_ASKED}</a>')
    elif described(book, info.region_code):
        links.append(f'<a href="../circumstances.html">{_ASKED}, {page.text(info.region_name)}</a>')
    body = (
        f'<nav class="top" aria-label="Pages">{"".join(links)}</nav>{_PATTERNS}'
        f"<main>{first_sheet(book, code)}\n{second_sheet(book, code)}</main>"
    )
    kind = "panel briefing" if panel else "briefing"
    return page.document(
        language=info.language,
        title=f"{info.title} {kind}: {place.name}, {info.headline.label}",
        styles=[page.colour_tokens(), style],
        body=body,
    )
