"""Publish: maps, layers, tables and briefings of every profile, from what passed the gate and nothing else."""

import dataclasses
import os
import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from pipeline.config import Profile, settings_cautions
from pipeline.errors import ConfigError
from pipeline.publish.briefings import write_briefings
from pipeline.publish.exports import write_exports
from pipeline.publish.map import write_map
from pipeline.publish.pages.accessibility import write_accessibility
from pipeline.publish.pages.clusters import write_clusters
from pipeline.publish.pages.concentration import write_concentration
from pipeline.publish.pages.folder import README, write_readme
from pipeline.publish.pages.harm import write_harm
from pipeline.publish.pages.hotspot import write_hotspots
from pipeline.publish.pages.near_repeats import write_near_repeats
from pipeline.publish.pages.protection import write_protection
from pipeline.publish.pages.when import write_when
from pipeline.publish.surroundings import SURROUNDINGS, Surroundings, read_surroundings
from pipeline.publish.words import per, speaking
from pipeline.release.earlier_releases import AUDIENCES
from pipeline.release.released import Released
from pipeline.release.stored import FOR_THE_OWNER, RECORD, RECORD_OF_PAGES, read_release
from pipeline.stages import Context
from pipeline.storage.files import digest, read_json
from pipeline.storage.results import Results, digests

__all__ = ["run"]


class _Part(NamedTuple):
    """Files of a folder that are written together."""

    name: str
    write: Callable[[Released], object]
    whole_record: bool = False
    """Whether they hold all of release.json. The others see what pages show of it, which stays between two releases."""


def run(context: Context) -> None:
    """Write the folders that are handed over: an internal one, which holds most, in a second process."""
    profiles = list(enumerate(sorted(context.config.profiles, key=lambda p: AUDIENCES[p.audience])))
    tasks = {
        number: context.second.start(_write_folder, context, (profile, number)) for number, profile in profiles[::-1]
    }
    counts = Counter[bool]()
    # The folder that the second process was given is waited for last.
    for number, profile in profiles:
        counts += tasks[number].result(context.progress) or _write_folder(context, (profile, number))
    context.counters |= {"folders": len(profiles), "parts_written": counts[True], "parts_reused": counts[False]}
    context.cautions += settings_cautions(context.config)


def _write_folder(context: Context, of: tuple[Profile, int]) -> Counter[bool]:
    """Write the folder of a profile, given with its number; return how many parts were made, and taken over."""
    profile, number = of
    folder = context.folder / profile.name
    shutil.rmtree(folder, ignore_errors=True)  # what a process that was lost left half-written
    surroundings = read_surroundings(context.folder / "work")
    results, counts = Results(context.folder, context.last), Counter[bool]()
    folders = len(context.config.profiles)

    # Load what passed the gate.
    released = read_release(context.work(f"release/{profile.name}"))

    # Compute: pages and layers work out what they show as they are written; only the address of tiles is set here.
    released = _with_tile_key(released, context)
    shown = dataclasses.replace(released, record={k: v for k, v in released.record.items() if k in RECORD_OF_PAGES})

    # Save the layers and tables, the map, the page on protection, the briefings, in the language of the pages. A
    # part whose numbers and texts are those of the last run is taken over: new numbers come on certain dates alone.
    parts = _parts(context, folder, surroundings)
    on = _depends_on(context, profile, released)
    with speaking(context.config.page.language), per(released.info.base):
        for done, part in enumerate(parts, start=1):
            record = released if part.whole_record else shown
            counts[
                results.make(
                    f"{profile.name}/{part.name}",
                    folder=profile.name,
                    depends_on={**on, "record": record.record},
                    make=partial(part.write, record),
                )
            ] += 1
            context.progress("publishing", number * len(parts) + done, folders * len(parts))
    return counts


def _depends_on(context: Context, profile: Profile, released: Released) -> dict[str, Any]:
    """Return what every part of a folder depends on: the release, the layers around it, and settings beside these."""
    config, release = context.config, context.work(f"release/{profile.name}")
    return {
        "tables": digests(release, leave_out=(RECORD, *FOR_THE_OWNER)),
        "info": {**read_json(release / RECORD)["info"], "tiles_url": released.info.tiles_url},
        "surroundings": [digest(context.work(name)) for name in SURROUNDINGS],
        "exports": config.exports.settings(),
        "page": config.page.settings(),
    }


def _parts(context: Context, folder: Path, surroundings: Surroundings) -> list[_Part]:
    """Return what writes the parts of a folder, in order."""
    exports = context.config.exports
    formats = {name: getattr(exports, name) for name in ("geopackage", "geoparquet", "flatgeobuf", "workbook")}
    around: dict[str, Any] = {"folder": folder, "surroundings": surroundings}
    briefings = partial(write_briefings, **around, progress=context.progress)
    return [
        _Part("exports", partial(write_exports, folder=folder, **formats), whole_record=True),
        _Part("protection", partial(write_protection, path=folder / "protection.html"), whole_record=True),
        _Part("concentration", partial(write_concentration, folder=folder)),
        _Part("near_repeats", partial(write_near_repeats, folder=folder)),
        _Part("clusters", partial(write_clusters, folder=folder)),
        _Part("when", partial(write_when, folder=folder)),
        _Part("harm", partial(write_harm, folder=folder)),
        _Part("hotspots", partial(write_hotspots, **around)),
        *([_Part("briefings", briefings)] if context.config.page.briefings else []),
        # The map leads to the pages that stand beside it; the README, which lists the map, comes last.
        _Part("accessibility", partial(write_accessibility, folder=folder)),
        _Part("map", partial(_write_map, **around)),
        _Part("readme", partial(write_readme, folder=folder)),
    ]


def _write_map(released: Released, folder: Path, surroundings: Surroundings) -> None:
    """Write the map with links to the pages that the folder holds."""
    pages = {path.relative_to(folder).as_posix() for path in folder.rglob("*.html")} | {README}
    write_map(released, folder / "index.html", surroundings=surroundings, pages=pages)


def _with_tile_key(released: Released, context: Context) -> Released:
    """Put the key of background tiles into an internal page, if the configuration says so.

    No other page has it: a page that is handed on would hand on the key. Its readers are asked instead.

    Raises
    ------
    ConfigError
        If the key is to be written and the environment does not hold it.
    """
    tiles = context.config.page.tiles
    if not tiles.write_key or released.info.audience != "internal":
        return released
    key = os.environ.get(tiles.key_env, "")
    if not key:
        raise ConfigError(
            f"page.tiles.write_key is set and the environment variable {tiles.key_env} is not: set it, or leave out "
            "write_key, and the page asks its reader for the key"
        )
    address = tiles.url.replace("{key}", quote(key, safe=""))
    return dataclasses.replace(released, info=dataclasses.replace(released.info, tiles_url=address))
