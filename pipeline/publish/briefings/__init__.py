"""Borough briefings and the panel page: one offline page each, printable on two A4 sheets."""

from pathlib import Path

from pipeline.publish.briefings.briefing import make_page
from pipeline.publish.briefings.circumstances import circumstances_page, described, page_name
from pipeline.publish.briefings.elements import file_name
from pipeline.publish.briefings.release_index import Book
from pipeline.release.released import Released
from pipeline.tables import Level

__all__ = ["write_briefings"]


def write_briefings(released: Released, folder: Path) -> list[Path]:
    """Write `boroughs/<code>.html` for every covered borough of a release, and `panel.html`.

    Where the release describes incidents, `boroughs/<code>-circumstances.html` and `circumstances.html` too.

    Parameters
    ----------
    released
        What came through the gate; nothing else is read.
    folder
        Folder of the profile; it must exist.

    Returns
    -------
    paths
        Pages written. The same release gives the same bytes.
    """
    book = Book(released)
    written = []
    covered = [p for p in book.level("borough") if p.covered]
    if covered:
        (folder / "boroughs").mkdir(exist_ok=True)
    for place in covered:
        path = folder / "boroughs" / file_name(place.code)
        path.write_text(make_page(book, place.code), "utf-8", newline="\n")
        written.append(path)
    if released.info.region_code in book.places:
        path = folder / "panel.html"
        path.write_text(make_page(book, released.info.region_code), "utf-8", newline="\n")
        written.append(path)
    for place in (*covered, *book.level("region")):
        if described(book, place.code):
            region = place.level == Level.REGION
            path = folder / "circumstances.html" if region else folder / "boroughs" / page_name(place.code)
            path.write_text(circumstances_page(book, place.code), "utf-8", newline="\n")
            written.append(path)
    return written
