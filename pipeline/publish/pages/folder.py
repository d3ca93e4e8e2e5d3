"""README.html of a folder that is handed over: which file is for whom, and what every column means."""

import html as html_module
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pipeline.aggregate.circumstances import variable_list
from pipeline.publish import page, words
from pipeline.publish.exports.harm_columns import harm_by_area
from pipeline.publish.exports.layers import area_contract
from pipeline.publish.words import say
from pipeline.release.released import Released
from pipeline.tables import Level
from pipeline.tables.outputs import (
    ANALYSIS_CELLS,
    AREA_COUNTS,
    CIRCUMSTANCES,
    DENSITY_CATEGORY_LAYER,
    DENSITY_LAYER,
    HARM_DENSITY,
    HARM_HOTSPOTS,
    HOTSPOT_CATEGORY_LAYER,
    HOTSPOT_CORE_LAYER,
    HOTSPOT_LAYER,
    NEAR_REPEAT_ZONES,
    RISK_BANDS,
    SCAN_CLUSTERS,
    STATES_NOTE,
    with_harm_columns,
)
from pipeline.tables.table import Table

__all__ = ["README", "Listed", "files_of", "size_text", "title_of", "write_readme"]

README = "README.html"
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)

# What a file may be called, and the key of its words; pages for readers first, then data for programs.
_PAGES = (
    ("index.html", "map"),
    ("panel.html", "panel"),
    ("boroughs/*-circumstances.html", "area_circumstances"),
    ("boroughs/*.html", "briefings"),
    ("hotspots/*.html", "hotspot_pages"),
    ("circumstances.html", "circumstances_page"),
    ("concentration.html", "concentration"),
    ("near-repeats.html", "near_repeats"),
    ("clusters.html", "clusters_page"),
    ("when.html", "when"),
    ("harm.html", "harm"),
    ("protection.html", "protection"),
    ("accessibility.html", "accessibility"),
    (README, "readme"),
)
_DATA = (
    ("tables.*", "workbook"),
    ("area_counts.csv", "area_counts"),
    ("circumstances.csv", "circumstances"),
    ("harm*.csv", "harm_tables"),
    ("harm*.geojson", "harm_layers"),
    ("hour*.csv", "when_tables"),
    ("season*.csv", "when_tables"),
    ("*.csv-metadata.json", "csv_description"),
    ("boroughs.geojson", "boroughs"),
    ("wards.geojson", "wards"),
    ("ward_groups.geojson", "ward_groups"),
    ("hotspot*.geojson", "hotspots"),
    ("density*.geojson", "density"),
    ("near_repeat_zones.geojson", "near_repeat_zones"),
    ("analysis_cells.geojson", "analysis_cells"),
    ("scan_clusters.geojson", "scan_clusters"),
    ("risk_bands.geojson", "risk_bands"),
    ("*.geojson", "areas"),
    ("hotspots.gpkg", "geopackage"),
    ("*.parquet", "geoparquet"),
    ("*.fgb", "flatgeobuf"),
    ("hotspots.xml", "metadata"),
    ("release.json", "release"),
)


@dataclass(frozen=True, slots=True)
class Listed:
    """Files of one kind: their addresses from the folder, what they are, and what they are for.

    Attributes
    ----------
    key
        `map`, `briefings` and so on.
    paths
        Addresses, sorted.
    name
        What readers call it; for data the names of the files.
    use
        Who opens it, and for what.
    bytes
        Of all of them.
    is_page
        Whether people read it.
    """

    key: str
    paths: tuple[str, ...]
    name: str
    use: str
    bytes: int
    is_page: bool


def files_of(folder: Path, *, readme: bool = False) -> list[Listed]:
    """List everything in a folder, each file once.

    Parameters
    ----------
    folder
        Folder of a profile.
    readme
        List README.html although it is not written yet.
    """
    left = {path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()}
    left |= {README} if readme else set()
    out = []
    for kinds, is_page in ((_PAGES, True), (_DATA, False)):
        for pattern, key in kinds:
            found = tuple(sorted(name for name in left if Path(name).match(pattern)))
            if not found:
                continue
            left -= set(found)
            name = say(f"folder.page.{key}", n=len(found)) if is_page else words.listed(found)
            size = sum((folder / f).stat().st_size for f in found if (folder / f).is_file())
            out.append(Listed(key, found, name, say(f"folder.use.{key}"), size, is_page))
    out += [Listed("other", (n,), n, say("folder.use.other"), (folder / n).stat().st_size, False) for n in sorted(left)]
    return out


def size_text(size: int) -> str:
    """Write a file's size as people do.

    Examples
    --------
    >>> size_text(312), size_text(48_900), size_text(1_240_000)
    ('1 kB', '49 kB', '1.2 MB')
    """
    if size < 999_500:
        return say("folder.kilobytes", size=max(1, round(size / 1000)))
    return say("folder.megabytes", size=f"{size / 1e6:.1f}")


def title_of(path: Path) -> str:
    """Read the title of one of our pages; of data, the name of the file."""
    if path.suffix != ".html":
        return path.name
    # The policy, which names every script, stands before the title: 8 kB hold both.
    with path.open(encoding="utf-8") as page_file:
        found = _TITLE.search(page_file.read(8192))
    return html_module.unescape(found[1]) if found else path.name


def _page_rows(files: Sequence[Listed], folder: Path) -> list[tuple[str, tuple[tuple[str, str], ...], str, str]]:
    """Write the lines of the list of pages: name, links, where several are, and use.

    A single page is linked by the name of its file, several by their titles.
    """
    rows = []
    for f in (f for f in files if f.is_page):
        one = len(f.paths) == 1
        links = tuple((quote(p), p if one else title_of(folder / p)) for p in f.paths)
        where = "" if one else say("folder.in_folder", folder=Path(f.paths[0]).parent)
        rows.append((f.name, tuple(sorted(links, key=lambda link: link[1])), where, f.use))
    return rows


def _columns(table: Table) -> list[tuple[str, str, str]]:
    """Write the lines of a table's dictionary: column, kind and meaning."""
    return [(c.name, say(f"folder.kind.{c.kind}"), c.text) for c in table.columns]


def _editions(released: Released) -> str:
    """Name the edition of each level's boundaries, the larger areas first; empty where none is stated."""
    areas, found = released.areas, []
    for level in (Level.FOURTH, Level.THIRD, Level.BOROUGH, Level.WARD):
        stated = sorted({str(v) for v in areas.loc[areas["level"] == level, "vintage"].dropna() if str(v)})
        if stated:
            many = words.area_words(released.info.level_labels, level)[1]
            found.append(say("folder.edition", areas=many, vintage=words.listed(stated)))
    return say("folder.editions", areas=words.listed(found)) if found else ""


def write_readme(released: Released, folder: Path) -> None:
    """Write README.html of a profile's folder, last, when everything else is there.

    Parameters
    ----------
    released
        What came through the gate.
    folder
        Folder of the profile.
    """
    info = released.info
    files = files_of(folder, readme=True)
    present = {path for f in files for path in f.paths}
    tables = [
        ("area_counts.csv", with_harm_columns(AREA_COUNTS) if harm_by_area(released) is not None else AREA_COUNTS),
        ("circumstances.csv", CIRCUMSTANCES.described(variables=variable_list())),
        ("boroughs.geojson", area_contract(released, Level.BOROUGH)),
        ("hotspots.geojson", HOTSPOT_LAYER),
        ("density.geojson", DENSITY_LAYER),
        ("hotspots_by_category.geojson", HOTSPOT_CATEGORY_LAYER),
        ("hotspot_cores.geojson", HOTSPOT_CORE_LAYER),
        ("near_repeat_zones.geojson", NEAR_REPEAT_ZONES),
        ("analysis_cells.geojson", ANALYSIS_CELLS),
        ("scan_clusters.geojson", SCAN_CLUSTERS),
        ("harm_hotspots.geojson", HARM_HOTSPOTS),
        ("harm_density.geojson", HARM_DENSITY),
        ("risk_bands.geojson", RISK_BANDS),
        ("density_by_category.geojson", DENSITY_CATEGORY_LAYER),
    ]
    titles = {
        "boroughs.geojson": words.listed(sorted(p for p in present if p in {"boroughs.geojson", "wards.geojson"}))
    }
    body = page.render(
        "pages/folder.html",
        info=info,
        lead=say(f"folder.audience.{info.audience}"),
        counts=page.protection_of(released),
        pages=_page_rows(files, folder),
        systems=say("folder.systems", crs=info.working_crs),
        editions=_editions(released),
        data=[([(quote(p), p) for p in f.paths], f.use) for f in files if not f.is_page],
        states=STATES_NOTE,
        tables=[(titles.get(name, name), table.text, _columns(table)) for name, table in tables if name in present],
        cautions=[*page.fixed_wording(info.title[:1].lower() + info.title[1:]), *info.caveats],
    )
    html = page.document(
        language=info.language,
        title=say("folder.page_title", title=info.title, folder=info.profile),
        styles=[page.colour_tokens(), page.style_sheet("pages/protection.css")],
        body=body,
    )
    (folder / README).write_text(html, "utf-8", newline="\n")
