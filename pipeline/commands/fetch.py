"""What `hotspots fetch` does, as plain functions: the command line only hands over its options."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from pipeline.commands.terminal import open_console, open_table, print_json, size_text
from pipeline.errors import InputError
from pipeline.fetch import boundaries as outlines
from pipeline.fetch import context as surroundings
from pipeline.fetch import police, population
from pipeline.fetch.client import Client
from pipeline.fetch.download import Fetched, Progress
from pipeline.publish.words import say

__all__ = ["boundaries", "context", "police_uk", "print_fetched", "print_snippet", "residents"]


def boundaries(
    out: Path,
    *,
    year: int,
    within: Sequence[str],
    level: str,
    service: str | None,
    address: str | None,
    progress: Progress | None = None,
    client: Client | None = None,
) -> list[Fetched]:
    """Fetch outlines of wards and boroughs; `level` may be `both`, `service` names the layer of another edition."""
    if service is not None and level == "both":
        raise InputError("--service names one layer: say with --level whether it is of wards or of boroughs")
    return outlines.fetch_boundaries(
        client or Client(),
        out,
        levels=outlines.LEVELS if level == "both" else (level,),
        year=year,
        within=within,
        services=None if service is None else {level: service},
        base=address or outlines.BASE,
        progress=progress,
    )


def context(
    out: Path,
    *,
    config: Path | None,
    bounds: str | None,
    source: str,
    extract: str | None,
    address: str | None,
    progress: Progress | None = None,
    client: Client | None = None,
) -> list[Fetched]:
    """Fetch layers to draw under the hotspots, for the areas of a configuration or for bounds in degrees."""
    if (config is None) == (bounds is None):
        raise InputError("say for which place: --config for the areas of a configuration, or --bounds, not both")
    box = _area_bounds(config) if config is not None else _parsed_bounds(bounds or "")
    asks = client or Client()
    if source == "os" and extract is None:
        base = address or surroundings.ORDNANCE_SURVEY
        return surroundings.fetch_os(asks, out, bounds=box, base=base, progress=progress)
    if source not in {"os", "osm"}:
        raise InputError(f"--source {source!r} is no source: choose os (Great Britain) or osm (any place)")
    if extract is not None:
        base = address or surroundings.EXTRACTS
        return surroundings.fetch_extract(asks, out, region=extract, bounds=box, base=base, progress=progress)
    base = address or surroundings.OVERPASS
    return surroundings.fetch_overpass(asks, out, bounds=box, base=base, progress=progress)


def _parsed_bounds(text: str) -> surroundings.Bounds:
    """Read bounds as they are typed: west,south,east,north."""
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--bounds {text!r} is no box: give west,south,east,north in degrees") from None
    return west, south, east, north


def _area_bounds(config: Path) -> surroundings.Bounds:
    """Return the bounds of a configuration's wards, with a margin of a hundredth of a degree."""
    from pipeline.config import load_config
    from pipeline.geography.projection import LONLAT, project_geometries
    from pipeline.ingest.areas import read_boundaries

    settings = load_config(config)
    working = settings.crs.working
    smallest = next(iter(settings.areas.by_level().values()))
    areas = read_boundaries(smallest.file, base=config.parent, working=working, level=smallest.key)
    import shapely

    outline = project_geometries(shapely.envelope(areas.shapes), source=working, working=LONLAT)
    west, south, east, north = (float(v) for v in shapely.total_bounds(outline))
    return west - 0.01, south - 0.01, east + 0.01, north + 0.01


def residents(
    out: Path,
    *,
    level: str,
    only: Path | None,
    address: str | None,
    progress: Progress | None = None,
    client: Client | None = None,
) -> list[Fetched]:
    """Fetch residents; `only` is a boundary file fetched before."""
    base = address or population.BASE
    found = population.fetch_population(client or Client(), out, level=level, only=only, base=base, progress=progress)
    return [found]


def police_uk(
    out: Path,
    *,
    forces: Sequence[str],
    polygon: str | None,
    first: str,
    last: str,
    archive: str,
    sha256: str | None,
    address: str | None,
    progress: Progress | None = None,
    client: Client | None = None,
) -> list[Fetched]:
    """Fetch street-level crimes: of whole forces from the archive, or of a polygon from the interface."""
    asks, base = client or Client(), address or police.BASE
    if bool(forces) == bool(polygon):
        raise InputError("say whose crimes: --force-name for whole forces, or --polygon for one small area, not both")
    if polygon:
        return police.fetch_street(asks, out, polygon=polygon, first=first, last=last, base=base, progress=progress)
    return police.fetch_archive(
        asks, out, forces=forces, first=first, last=last, archive=archive, base=base, sha256=sha256, progress=progress
    )


def print_snippet(files: Sequence[Fetched]) -> None:
    """Show the lines that name fetched layers in a configuration."""
    # YAML, not a report: it is written as it is, however narrow the terminal.
    sys.stdout.write(f"\n{surroundings.snippet(files)}\n")


def print_fetched(files: Sequence[Fetched], *, as_json: bool) -> None:
    """Say what is on the disk now, whether it is new, and how to credit it."""
    if as_json:
        answer = [{**f.record, "path": f.path.as_posix(), "changed": f.changed} for f in files]
        print_json(answer, ensure_ascii=False, sort_keys=True)
        return
    console = open_console()
    table = open_table("file", "state", "size", "checksum", right=("size",), fold=True)
    for file in files:
        state = say("terminal.state.new") if file.changed else say("terminal.state.unchanged")
        size = size_text(int(file.record["bytes"]))
        table.add_row(escape(file.path.as_posix()), state, size, file.record["sha256"][:12])
    console.print(table)
    for credit in sorted({str(f.record["attribution"]) for f in files}):
        console.print(f"\n{escape(credit)}")
