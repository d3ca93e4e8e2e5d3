"""Briefings: pages of words, tables and charts about one area, offline and printable.

`write_briefings` writes them all. `briefing` is the two-page briefing of a borough and the panel page of the region,
`circumstances` the page of when, where and how; both take figures from `release_index`, and share `elements`,
`tables` and `pictures`.
"""

from pathlib import Path

from pipeline.publish.briefings.briefing import briefing_page
from pipeline.publish.briefings.circumstances import circumstances_page, has_circumstances
from pipeline.publish.briefings.elements import circumstances_name, file_name
from pipeline.publish.briefings.release_index import ReleaseIndex
from pipeline.publish.surroundings import Surroundings
from pipeline.release.released import Released
from pipeline.tables import Level

__all__ = ["write_briefings"]


def write_briefings(released: Released, folder: Path, *, surroundings: Surroundings | None = None) -> list[Path]:
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

    Returns
    -------
    paths
        Pages written. The same release gives the same bytes.
    """
    index = ReleaseIndex(released, surroundings)
    written = []
    covered = [p for p in index.level("borough") if p.covered]
    if covered:
        (folder / "boroughs").mkdir(exist_ok=True)
    for place in covered:
        path = folder / "boroughs" / file_name(place.code)
        path.write_text(briefing_page(index, place.code), "utf-8", newline="\n")
        written.append(path)
    if released.info.region_code in index.places:
        path = folder / "panel.html"
        path.write_text(briefing_page(index, released.info.region_code), "utf-8", newline="\n")
        written.append(path)
    for place in (*covered, *index.level("region")):
        if has_circumstances(index, place.code):
            region = place.level == Level.REGION
            path = folder / "circumstances.html" if region else folder / "boroughs" / circumstances_name(place.code)
            path.write_text(circumstances_page(index, place.code), "utf-8", newline="\n")
            written.append(path)
    return written
