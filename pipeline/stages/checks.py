"""What can be known before a run: every file is there, its header has the columns, codes are those of areas."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pipeline.config import CodeLookup, Config, PublishedSource
from pipeline.errors import ConfigError, HotspotsError, InputError
from pipeline.ingest import (
    LOOKUP_COLUMNS,
    boundary_texts,
    count_columns,
    counts_layout,
    population_columns,
    population_layout,
    require_alike,
    require_areas,
    require_context,
    require_incident_columns,
    require_mask,
    require_postcode_columns,
    require_text_columns,
    small_area_columns,
)
from pipeline.stages.inputs import expand, input_files, input_patterns
from pipeline.tables import Level

__all__ = ["RELEASE_COLUMNS", "check_inputs"]

RELEASE_COLUMNS = ("area_code", "period", "category", "incidents")  # of an area_counts.csv that is a known table
_LISTED = 5
Look = Callable[[Path], object]


def check_inputs(config: Config, base: Path) -> list[Path]:
    """Find every input and read its header; no row of data is read.

    Parameters
    ----------
    config
        Settings.
    base
        Folder that paths start from.

    Returns
    -------
    files
        Every file a run would read.

    Raises
    ------
    HotspotsError
        One error with all that was found: of the branch of the single fault; of several, ConfigError if one of them
        is in the configuration alone, else InputError.
    """
    faults: list[HotspotsError] = []
    found: dict[str, list[Path]] = {}
    for key, patterns in input_patterns(config).items():
        for pattern in patterns:
            try:
                found.setdefault(key, []).extend(expand((pattern,), base=base, key=key))
            except HotspotsError as error:
                faults.append(error)
    faults += _alike(config, found)
    for key, look in _looks(config):
        faults += _refused(look, list(dict.fromkeys(found.get(key, []))))
    faults += _areas(config, base, there=found)
    if faults:
        raise _together(faults)
    return input_files(config, base)


def _looks(config: Config) -> Iterator[tuple[str, Look]]:
    """Return for each input of rows its configuration key and what examines the header of one of its files."""
    for n, source in enumerate(config.incidents):
        look = partial(require_incident_columns, source=source, categories=config.categories, limits=config.run)
        yield f"incidents[{n}].paths", look
    text = partial(require_text_columns, limits=config.run)
    for n, counts in enumerate(config.published_counts):
        yield f"published_counts[{n}].paths", _look_at_counts(counts, config)
    for n, people in enumerate(config.areas.population):
        look = partial(
            text,
            wanted=population_columns(people),
            encoding=people.encoding,
            sheet=people.sheet,
            layout=population_layout(people),
        )
        yield f"areas.population[{n}].path", look
    codes = config.areas.lookup or CodeLookup(path="")
    yield "areas.lookup", partial(text, wanted=LOOKUP_COLUMNS, encoding=codes.encoding, sheet=codes.sheet)
    if config.areas.mask:
        yield "areas.mask.path", partial(require_mask, settings=config.areas.mask, limits=config.run)
    for n, table in enumerate(config.geocode.areas):
        key = f"geocode.areas[{n}]"
        wanted = small_area_columns(table, key=key)
        yield f"{key}.path", partial(text, wanted=wanted, encoding=table.encoding, sheet=table.sheet)
    if config.geocode.postcodes:
        look = partial(require_postcode_columns, settings=config.geocode.postcodes, limits=config.run)
        yield "geocode.postcodes.path", look
    for n, layer in enumerate(config.context):
        key = f"context[{n}]"
        yield f"{key}.path", partial(require_context, settings=layer, key=key, limits=config.run)
    yield from _known_looks(config)


def _known_looks(config: Config) -> Iterator[tuple[str, Look]]:
    """Return the same for the tables that readers of a release know."""
    published = {s.name: s for s in config.published_counts}
    for n, known in enumerate(config.disclosure.known_tables):
        key = f"disclosure.known_tables[{n}]"
        if known.source in published:
            yield f"{key}.path", _look_at_counts(published[known.source], config)
        elif not known.source:
            wanted = [(f"{key}.path", name) for name in RELEASE_COLUMNS]
            yield f"{key}.path", partial(require_text_columns, wanted=wanted, encoding="utf-8", limits=config.run)


def _look_at_counts(counts: PublishedSource, config: Config) -> Look:
    """Return what examines the header of a file of published counts, or of a known table in the same layout."""
    return partial(
        require_text_columns,
        wanted=count_columns(counts),
        encoding=counts.encoding,
        sheet=counts.sheet,
        layout=counts_layout(counts),
        limits=config.run,
    )


def _alike(config: Config, found: dict[str, list[Path]]) -> list[HotspotsError]:
    """Find files of another kind among those of a source."""
    faults: list[HotspotsError] = []
    for n, source in enumerate(config.incidents):
        files = sorted(set(found.get(f"incidents[{n}].paths", [])))
        try:
            require_alike(files, source=source, categories=config.categories, limits=config.run, key=f"incidents[{n}]")
        except HotspotsError as error:
            faults.append(error)
    return faults


def _refused(look: Look, files: list[Path]) -> list[HotspotsError]:
    """Examine files; say a fault that many of them share once."""
    same: dict[tuple[type[HotspotsError], str], list[Path]] = {}
    first: dict[tuple[type[HotspotsError], str], HotspotsError] = {}
    for file in files:
        try:
            look(file)
        except HotspotsError as error:
            key = type(error), str(error).replace(file.name, "")
            same.setdefault(key, []).append(file)
            first.setdefault(key, error)
    return [
        error if len(same[key]) == 1 else type(error)(f"{error} (and so {_others(same[key][1:])})")
        for key, error in first.items()
    ]


def _others(files: list[Path]) -> str:
    more = f" and {len(files) - _LISTED} more" if len(files) > _LISTED else ""
    return ", ".join(f.name for f in files[:_LISTED]) + more


def _areas(config: Config, base: Path, *, there: dict[str, list[Path]]) -> list[HotspotsError]:
    """Examine the boundary files and, if they are sound, the codes that settings name."""
    faults: list[HotspotsError] = []
    names = {config.areas.region.code: config.areas.region.name}
    given = config.areas.by_level()
    read = 0
    for level, (key, settings) in reversed(given.items()):
        if not there.get(f"areas.{key}.path"):
            continue
        try:
            texts = boundary_texts(settings, base=base, level=key, limits=config.run)
        except HotspotsError as error:
            faults.append(error)
            continue
        if level == Level.WARD and Level.BOROUGH not in given:
            parents = texts["parent_code"] or texts["parent_name"] or ()
            names |= dict(zip(parents, texts["parent_name"] or parents, strict=True))
        if level in {Level.WARD, Level.BOROUGH}:
            names |= dict(zip(texts["code"] or (), texts["name"] or (), strict=True))
        read += 1
    if read == len(given):
        try:
            require_areas(config.areas, names)
        except ConfigError as error:
            faults.append(error)
    return faults


def _together(faults: list[HotspotsError]) -> HotspotsError:
    """Make one error of several."""
    if len(faults) == 1:
        return faults[0]
    kind = ConfigError if any(isinstance(f, ConfigError) for f in faults) else InputError
    return kind(f"{len(faults)} problems found:\n" + "\n".join(f"- {fault}" for fault in faults))
