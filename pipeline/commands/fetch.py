"""What `hotspots fetch` does, as plain functions: the command line only hands over its options."""

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from pipeline.commands.terminal import open_console, open_table, print_json, size_text
from pipeline.errors import InputError
from pipeline.fetch import boundaries as outlines
from pipeline.fetch import police, population
from pipeline.fetch.client import Client
from pipeline.fetch.download import Fetched, Progress
from pipeline.publish.words import say

__all__ = ["boundaries", "police_uk", "print_fetched", "residents"]


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
