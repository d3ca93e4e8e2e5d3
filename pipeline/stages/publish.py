"""Publish: maps, layers, tables and briefings of every profile, from what passed the gate and nothing else."""

import dataclasses
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

from pipeline.config import settings_cautions
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
from pipeline.publish.surroundings import Surroundings, read_surroundings
from pipeline.publish.words import speaking
from pipeline.release.released import Released
from pipeline.release.stored import read_release
from pipeline.stages import Context

__all__ = ["run"]


def run(context: Context) -> None:
    """Write the folders that are handed over."""
    profiles = context.config.profiles
    surroundings = read_surroundings(context.folder / "work")
    for number, profile in enumerate(profiles):
        # Load what passed the gate.
        released = read_release(context.work(f"release/{profile.name}"))

        # Compute: pages and layers work out what they show as they are written; only the address of tiles is set here.
        released = _with_tile_key(released, context)

        # Save the layers and tables, the map, the page on protection, the briefings, in the language of the pages.
        with speaking(context.config.page.language):
            parts = _parts(context, released, context.folder / profile.name, surroundings)
            for done, write in enumerate(parts, start=1):
                write()
                context.progress("publishing", number * len(parts) + done, len(profiles) * len(parts))
    context.counters["folders"] = len(profiles)
    context.cautions += settings_cautions(context.config)


def _parts(
    context: Context, released: Released, folder: Path, surroundings: Surroundings
) -> list[Callable[[], object]]:
    """Return what writes the parts of a folder, in order."""
    exports = context.config.exports
    made = {name: getattr(exports, name) for name in ("geopackage", "geoparquet", "flatgeobuf", "workbook")}
    parts: list[Callable[[], object]] = [
        partial(write_exports, released, folder, **made),
        partial(write_protection, released, folder / "protection.html"),
        *(
            partial(write, released, folder)
            for write in (write_concentration, write_near_repeats, write_clusters, write_when, write_harm)
        ),
        partial(write_hotspots, released, folder, surroundings=surroundings),
    ]
    if context.config.page.briefings:
        parts.append(partial(write_briefings, released, folder, surroundings=surroundings, progress=context.progress))
    # The map leads to the pages that stand beside it; the README, which lists the map, comes last.
    return [
        *parts,
        partial(write_accessibility, released, folder),
        partial(_write_map, released, folder, surroundings),
        partial(write_readme, released, folder),
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
