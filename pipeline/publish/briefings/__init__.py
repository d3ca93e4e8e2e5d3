"""Briefings: pages of words, tables and charts about one area, offline and printable.

`write_briefings` writes them all. `briefing` is the two-page briefing of a borough and the panel page of the region,
`circumstances` the page of when, where and how; both take figures from `release_index`, and share `elements`,
`tables` and `pictures`.
"""

from pathlib import Path

from pipeline.domain.progress import Progress, unwatched
from pipeline.publish.briefings.briefing import briefing_page
from pipeline.publish.briefings.circumstances import circumstances_page, has_circumstances
from pipeline.publish.briefings.elements import circumstances_name, file_name
from pipeline.publish.briefings.release_index import ReleaseIndex
from pipeline.publish.surroundings import Surroundings
from pipeline.release.released import Released
from pipeline.tables import Level

__all__ = ["write_briefings"]


def write_briefings(
    released: Released, folder: Path, *, surroundings: Surroundings | None = None, progress: Progress = unwatched
) -> list[Path]:
    """Write `boroughs/<code>.html` for every covered borough of a release, and `panel.html`.

    Where the release describes incidents, `boroughs/<code>-circumstances.html` and `circumstances.html` too.

    Parameters
    ----------
    released
        What came through the gate; nothing else is read.
    folder
        Folder of the profile; it must exist.
    surroundings
        Public layers under the hotspots on maps.
    progress
        Called after each page.

    Returns
    -------
    paths
        Pages written. The same release gives the same bytes.
    """
    index = ReleaseIndex(released, surroundings)
    covered = [p for p in index.level("borough") if p.covered]
    if covered:
        (folder / "boroughs").mkdir(exist_ok=True)
    pages = [(folder / "boroughs" / file_name(place.code), briefing_page, place.code) for place in covered]
    if released.info.region_code in index.places:
        pages.append((folder / "panel.html", briefing_page, released.info.region_code))
    for place in (*covered, *index.level("region")):
        if has_circumstances(index, place.code):
            region = place.level == Level.REGION
            path = folder / "circumstances.html" if region else folder / "boroughs" / circumstances_name(place.code)
            pages.append((path, circumstances_page, place.code))
    for number, (path, page_of, code) in enumerate(pages, start=1):
        path.write_text(page_of(index, code), "utf-8", newline="\n")
        progress("writing briefings", number, len(pages))
    return [path for path, _, _ in pages]
