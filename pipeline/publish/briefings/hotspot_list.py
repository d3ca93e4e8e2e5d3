"""Hotspots of an area as a numbered list: counts inside, bands outside."""

from typing import Any

from pipeline.publish import findings, page
from pipeline.publish.briefings.book import Book
from pipeline.publish.briefings.pictures import hotspots_in
from pipeline.publish.findings import words

__all__ = ["hotspot_list"]


def hotspot_list(book: Book, code: str, *, most: int, brief: bool = False) -> str:
    """Write the hotspots that lie in an area, at most `most` of them spelled out; `brief` keeps to the numbers."""
    info, found = book.info, hotspots_in(book, code)
    if not info.has_points and not found:
        return '<p class="note">The data has no points, so no hotspots are drawn.</p>'
    if not found:
        where = f"No hotspot is shown in {book.places[code].name}."
        return f'<p class="note">{page.text(where)} {page.text(info.hotspot_note)}</p>'
    items = [
        f'<li><span class="badge">{page.text(row["rank"])}</span><div><b>{page.text(row["name"])}</b><br>'
        f"{page.text(_size(book, row, brief=brief))}</div></li>"
        for row in found[:most]
    ]
    left = len(found) - most
    note = "Numbered as on the map; outlines cross borders."
    note += f" {words.capital(words.small(left))} more on the map." if left > 0 else ""
    return f'<ul class="hl">{"".join(items)}</ul><p class="note">{page.text(note)}</p>'


def _size(book: Book, row: dict[str, Any], *, brief: bool) -> str:
    info = book.info
    size = f"{row['area_km2']:.1f} km²"
    count, density = findings.number(row.get("incidents")), findings.number(row.get("density_per_km2"))
    if count is None:
        band = row.get("incidents_band")
        return f"{band} {info.noun} in {size}" if isinstance(band, str) and band else size
    said = f"{words.counted(int(count), info.noun)} in {size}"
    region, total = book.places.get(info.region_code), book.region().total.incidents
    if not brief and density and region and total and region.area_km2:
        times = density * region.area_km2 / total
        if times >= 2:
            said += f", {words.whole(times)} times the {info.region_name} density".replace("  ", " ")
    return said
