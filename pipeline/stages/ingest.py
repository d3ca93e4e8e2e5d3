"""Ingest: boundaries, residents and data in; every row kept, refused with a reason, or counted as a duplicate."""

import dataclasses
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import pandas as pd

from pipeline.config import Config, IncidentSource, PublishedSource
from pipeline.config.section import listed
from pipeline.domain.categories import ROOT
from pipeline.domain.levels import level_words
from pipeline.domain.periods import Period
from pipeline.domain.progress import unwatched
from pipeline.errors import HotspotsError, InputError
from pipeline.geography.areas import AreaIndex
from pipeline.geography.levels_above import LevelsAbove
from pipeline.geography.projection import working_crs
from pipeline.ingest import (
    AreaSet,
    Edition,
    Part,
    PartReport,
    ReadJob,
    RepeatedId,
    SourceRules,
    boundary_cautions,
    check_relations,
    counts_quality,
    decisions,
    first_day,
    incidents_by_borough,
    listed_categories,
    load_index,
    load_postcodes,
    local_time,
    merge_published,
    merged_faults,
    merged_labels,
    months_named,
    outside_tables,
    postcode_texts,
    read_areas,
    read_context,
    read_counts,
    read_incidents,
    read_lookup,
    read_postcodes,
    read_small_areas,
    require_alike,
    require_kept,
    require_outside,
    require_postcodes_found,
    require_selected,
    require_total,
    save_index,
    save_mask,
    scarce_boroughs,
    settle,
    settled_cautions,
    settled_record,
    source_labels,
    stored_mask,
    summed,
    uncovered_caution,
)
from pipeline.stages import Context, RecordKind
from pipeline.stages.engines import LocalEngine
from pipeline.stages.inputs import expand, files_of, input_patterns
from pipeline.storage.archives import archive_of, content_checksum, open_archive, unpacked_size
from pipeline.storage.duckdb import guarded
from pipeline.storage.files import read_json, read_table, write_json, write_private, write_table
from pipeline.storage.workspace import code_version, key_of, link_tree
from pipeline.tables import AREAS, CONTEXT, PUBLISHED_COUNTS, QUARANTINE, Level

__all__ = ["run"]

Source = TypeVar("Source", IncidentSource, PublishedSource)
_INDEX = "areas.index.npz"
_PEOPLE = "denominators.parquet"
_MASK = "mask.parquet"
_ABOVE = "levels_above.parquet"
_POSTCODES = "postcodes.npz"
# Settings that say what the rows of all files mean together; they change no row of a part.
_TOGETHER = frozenset({"empty_months", "missing_months", "repeated_id", "issued", "overlap"})
_FILES_NAMED = 3


def run(context: Context) -> None:
    """Read boundaries, then incidents or published counts, and account for every row."""
    working_crs(context.config.crs.working)
    areas, key = _areas(context)
    wards, boroughs = len(areas.level(Level.WARD)), len(areas.level(Level.BOROUGH))
    context.counters |= {**({"wards": wards} if wards else {}), "boroughs": boroughs}
    tables = [areas.table, *([areas.above.areas] if areas.above else [])]
    names = {code: name for table in tables for code, name in zip(table["area_code"], table["name"], strict=True)}
    context.cautions += boundary_cautions(areas.report, names=names)
    record = _published(context, areas) if context.config.published_counts else _incidents(context, areas, key)
    _map_context(context, areas)
    write_json(context.work("ingest.json"), {**record, "areas": areas.report})


def _map_context(context: Context, areas: AreaSet) -> None:
    """Read the public layers that are drawn under the hotspots."""
    config = context.config
    found = read_context(
        config.context,
        base=context.base,
        working=config.crs.working,
        region=areas.level(Level.BOROUGH).geometry.union_all(),
        limits=config.run,
    )
    write_table(context.work("context.parquet"), CONTEXT, found.frame)
    write_json(context.work("context.json"), {"credits": list(found.credits), "crs": config.crs.working})
    context.cautions += found.cautions


def _areas(context: Context) -> tuple[AreaSet, str]:
    """Read boundaries and residents and index the wards, or take over those of the last run if nothing changed."""
    config = context.config
    key = _areas_key(context)
    by_points = () if config.published_counts else (_INDEX, *((_POSTCODES,) if config.geocode.postcodes else ()))
    above = (_ABOVE,) if Level.THIRD in config.areas.by_level() else ()
    kept = ("boundaries.parquet", "areas.json", _MASK, _PEOPLE, *by_points, *above)
    if (taken := _areas_of_last_run(context, key, kept)) is not None:
        return taken, key

    areas = read_areas(
        config.areas,
        base=context.base,
        working=config.crs.working,
        limits=config.run,
        scratch=context.folder,
        own_boroughs=bool(config.published_counts),
    )
    choices: dict[str, Any] = {}
    if not config.published_counts:
        smallest = areas.smallest
        index = AreaIndex.build(
            smallest.geometry.to_numpy(),
            list(smallest["area_code"]),
            cell_m=config.areas.cell_m,
            snap_m=config.areas.snap_m,
        )
        save_index(context.work(_INDEX), index)
        choices = {"area_index_cell_m": index.cell_m, "snap_m": index.snap_m}
        if config.geocode.postcodes:
            areas.report["postcodes"] = _postcodes(context, areas)

    write_table(context.work("boundaries.parquet"), AREAS, areas.table)
    save_mask(context.work(_MASK), areas.mask)
    areas.denominators.to_parquet(context.work(_PEOPLE), index=False, compression="zstd")
    if areas.above:
        write_table(context.work(_ABOVE), AREAS, areas.above.areas)
    context.choices |= choices
    context.counters["boundaries_taken_over"] = False
    write_json(context.work("areas.json"), {"key": key, "choices": choices, "report": areas.report})
    return areas, key


def _areas_of_last_run(context: Context, key: str, kept: Sequence[str]) -> AreaSet | None:
    """Take over boundaries, residents and their index from the last run; None where they are others or damaged."""
    before = context.last / "work" if context.last else None
    if before is None or not all((before / name).is_file() for name in kept):
        return None
    crs = context.config.crs.working
    try:
        record = read_json(before / "areas.json")
        if record["key"] != key:
            return None
        table = read_table(before / "boundaries.parquet", AREAS, crs=crs)
        people, report = pd.read_parquet(before / _PEOPLE), record["report"]
        higher = read_table(before / _ABOVE, AREAS, crs=crs) if _ABOVE in kept else None
        if _INDEX in kept:
            load_index(before / _INDEX, key)
        if _POSTCODES in kept:
            load_postcodes(before / _POSTCODES, key)
        choices = record["choices"]
        levels = None if higher is None else LevelsAbove(higher, report["levels_inside"])
        areas = AreaSet(table, people, report, levels, stored_mask(before / _MASK))
    except (HotspotsError, OSError, EOFError, KeyError, ValueError, BadZipFile):
        # All of it is made from the inputs, so a damaged copy is made again. Nothing is linked before all is read:
        # a file that is written anew must not be the last run's own.
        return None
    for name in kept:
        link_tree(before / name, context.work(name))
    context.counters["boundaries_taken_over"] = True
    context.choices |= choices
    return areas


def _postcodes(context: Context, areas: AreaSet) -> dict[str, Any]:
    """Read the lookup of postcodes, store it for the workers, and return its account."""
    settings = context.config.geocode.postcodes
    assert settings is not None  # noqa: S101 the caller asks only where there is a lookup
    west, south, east, north = (float(v) for v in areas.table.total_bounds)
    found, report = read_postcodes(
        settings,
        paths=expand(listed(settings.path), base=context.base, key="geocode.postcodes.path"),
        working=context.config.crs.working,
        bounds=(west, south, east, north),
        limits=context.config.run,
        scratch=context.folder,
    )
    found.save(context.work(_POSTCODES))
    return report


def _areas_key(context: Context) -> str:
    """Return what boundaries and residents depend on: every input that is no source of data, settings, the code."""
    config = context.config
    named = {
        file
        for key, paths in input_patterns(config).items()
        if not key.startswith(("incidents[", "published_counts["))
        for path in expand(paths, base=context.base, key=key)
        for file in files_of(path)
    }
    others = sorted(context.checksums.get(file, "") for file in named)
    return key_of(
        {
            "others": others,
            "areas": config.areas.settings(),
            "geocode": config.geocode.settings(),
            "working": config.crs.working,
            "code": code_version(),
        }
    )


def _incidents(context: Context, areas: AreaSet, areas_key: str) -> dict[str, Any]:
    """Read every file into its part, taking over parts whose file and settings are those of the last run."""
    jobs = _jobs(context, areas, areas_key)
    keys = {job.label: _part_key(context, job) for job in jobs}
    last = _last_parts(context)
    todo = [job for job in jobs if last.get(job.label, {}).get("key") != keys[job.label]]
    for job in jobs:
        if job not in todo and context.last is not None:
            for path in (job.out, job.quarantine_out):
                link_tree(context.last / path.relative_to(context.folder), path)

    for number, source in enumerate(context.config.incidents):
        files = [job.path for job in jobs if job.source is source]
        require_alike(
            files,
            source=source,
            categories=context.config.categories,
            limits=context.config.run,
            key=f"incidents[{number}]",
        )
    total = len(todo)
    fresh = context.engine.map(read_incidents, todo, done=lambda n: context.progress("reading incidents", n, total))
    reports = {job.label: last[job.label]["report"] for job in jobs if job not in todo}
    reports |= {job.label: dataclasses.asdict(report) for job, report in zip(todo, fresh, strict=True)}
    parts = [PartReport.restored(reports[job.label]) for job in jobs]

    for number, source in enumerate(context.config.incidents):
        of_source = [part for job, part in zip(jobs, parts, strict=True) if job.source is source]
        context.cautions += require_selected(source, of_source, key=f"incidents[{number}]")
    context.cautions += _left_in_archives(job.path for job in jobs)

    # Which rows count is settled once all parts are there. The parts as read stay beside the settled ones: another file
    # may join in the next run, and they are settled again with it.
    sizes = Counter(unpacked_size(job.path) for job in jobs)
    read = [Part(job.out, _edition(context, job, sizes), part) for job, part in zip(jobs, parts, strict=True)]
    with guarded("the rows while they were settled", damaged="a part that was read cannot be read back"):
        settled = settle(
            read,
            rules=_rules(context.config),
            into=context.work("incidents"),
            left_out=context.work("left_out.parquet"),
            memory_limit_mb=context.config.run.memory_limit_mb,
            progress=context.progress,
        )
    account = settled.account(read)
    lost = summed(account.values())
    whole = {replaced.label for replaced in settled.replaced_files}

    refused = [pd.read_parquet(job.quarantine_out) for job in jobs if job.label not in whole]
    table = pd.concat([*refused, settled.refused], ignore_index=True)
    write_table(
        context.work("quarantine.parquet"), QUARANTINE, table.sort_values(["source", "source_row"], ignore_index=True)
    )
    if len(settled.conflicts):
        write_private(context.work("conflicts.csv"), settled.conflicts.to_csv(index=False, lineterminator="\n"))
    rows = sum(p.rows_read for p in parts)
    quarantined = sum(sum(p.quarantined.values()) for p in parts if p.source not in whole) + lost["date_outlier"]
    fates = {fate: lost[fate] for fate in ("duplicates", "merged", "replaced")}
    by_where = sum(p.left_out for p in parts if p.source not in whole)
    context.counters |= {
        "rows": rows,
        "incidents": rows - quarantined - sum(fates.values()) - by_where,
        "quarantined": quarantined,
        **{fate: count for fate, count in fates.items() if count or fate == "duplicates"},
        **({"left_out_by_where": by_where} if by_where else {}),
        "files_read": len(todo),
        "files_taken_over": len(jobs) - len(todo),
    }
    context.cautions += settled_cautions(settled, rules=_rules(context.config))
    context.choices |= decisions(parts)
    context.cautions += _first_of_each([caution for part in parts for caution in part.cautions])
    record = {
        "kind": RecordKind.INCIDENTS,
        "categories": require_outside(
            context.config.categories,
            listed_categories(context.config.categories, merged_labels([p.labels for p in parts])),
        ),
        "first_date": settled.first_date,
        "last_date": settled.last_date,
        "parts": [
            {
                "label": job.label,
                "name": job.source.name,
                "named_months": list(months_named(job.path)),
                "key": keys[job.label],
                "read": job.out.relative_to(context.folder).as_posix(),
                "part": f"work/incidents/{job.out.name}",
                "settled": key_of({"read": keys[job.label], "change": settled.changes.get(job.label, "")}),
                "report": reports[job.label],
            }
            for job in jobs
        ],
        "settled": {"account": account, **settled_record(settled)},
    }
    # The record is written before anything is refused: what is kept of a failed attempt takes its account from there.
    write_json(context.work("ingest.json"), {**record, "areas": areas.report})
    _require_sound(context, [p for p in parts if p.source not in whole], outliers=lost["date_outlier"])
    for source in context.config.incidents:
        of_source = [part for job, part in zip(jobs, parts, strict=True) if job.source is source]
        context.cautions += _postcode_cautions(context, source, of_source)
        if strange := summed(part.unknown_areas for part in of_source):
            shown = ", ".join(repr(text) for text, _ in sorted(strange.items(), key=lambda t: (-t[1], t[0]))[:3])
            labels = level_words(context.config.areas)
            context.cautions.append(
                f"{sum(strange.values()):,} rows of {source.name} without a point name a {labels[Level.WARD][0]} or "
                f"smaller area that is not in the boundaries or a table ({shown}): they count in the "
                f"{labels[Level.BOROUGH][0]} that they name, or else in the region alone. geocode.areas or "
                "areas.lookup can say where such codes are."
            )
    return record


def _edition(context: Context, job: ReadJob, sizes: Counter[int]) -> Edition:
    """Return what names and bytes say of a file; its path from the configuration's folder, on any system."""
    path = os.path.relpath(job.path, context.base).replace(os.sep, "/")
    if archive_of(job.path) is None:
        return Edition(job.label, path, context.checksums.get(job.path, ""))
    # A checksum finds files that were added twice. Those of members, which take long to compute, are needed only if
    # another file has as many bytes.
    same = sizes[unpacked_size(job.path)] > 1
    return Edition(job.label, path, content_checksum(job.path) if same else "")


def _left_in_archives(paths: Iterable[Path]) -> list[str]:
    """Say which files of archives are in no format that can be read."""
    archives = {found[0] for path in paths if (found := archive_of(path))}
    return [
        f"{path.name} also has {len(others):,} {'file' if len(others) == 1 else 'files'} in no format that is read: "
        f"{', '.join(others[:_FILES_NAMED])}{', ...' if len(others) > _FILES_NAMED else ''}."
        for path in sorted(archives)
        if (others := open_archive(path).others)
    ]


def _rules(config: Config) -> dict[str, SourceRules]:
    """Return the settings that settle which rows of a source count, by its name."""
    periods = config.periods
    complete = periods.last_complete_date
    return {
        source.name: SourceRules(
            key=f"incidents[{number}]",
            repeated_id=RepeatedId(source.repeated_id),
            issued=source.issued,
            overlap_replaces=source.overlap == "replace",
            first_month=Period.parse(periods.first_month).first_month if periods.first_month else None,
            last_month=max((_month(d) for d in (complete, source.last_date) if d), default=None),
        )
        for number, source in enumerate(config.incidents)
    }


def _month(iso: str) -> int:
    return int(iso[:4]) * 100 + int(iso[5:7])


def _postcode_cautions(context: Context, source: IncidentSource, parts: list[PartReport]) -> list[str]:
    """Say which rows of a source their postcode does not locate.

    Raises
    ------
    InputError
        If the lookup lacks too many postcodes.
    """
    rows = summed(part.postcodes for part in parts)
    settings = context.config.geocode.postcodes
    if settings is None:
        unused = rows["needed"]
        column = next((c for p in parts if (c := p.decisions["columns"].get("postcode"))), "").rpartition(" (")[0]
        if not unused:
            return []
        said = (
            f"{unused:,} rows of {source.name} have a postcode in {column!r} and nothing finer, and nothing says where "
            "it is: name a lookup in geocode.postcodes (the ONS Postcode Directory, or Code-Point Open) to locate them."
        )
        return [said]
    examples: dict[str, Counter[str]] = {}
    for part in parts:
        for state, texts in part.postcode_examples.items():
            examples.setdefault(state, Counter()).update(texts)
    found = require_postcodes_found(rows, examples, settings=settings, source=source.name)
    cautions = [found] if found else []
    if odd := rows["malformed"] + rows["partial"]:
        shown = ", ".join(repr(t) for texts in list(postcode_texts(examples).values()) for t in list(texts)[:2])
        cautions.append(
            f"{odd:,} texts in the postcodes of {source.name} are no whole postcode (such as {shown}): they locate "
            "nothing. quality.json lists more under postcodes."
        )
    if old := rows["terminated_before"]:
        cautions.append(
            f"{old:,} incidents of {source.name} are located by a postcode that had been terminated before their "
            "month: it may be mistyped, or taken from an old address. They are used, and marked in postcode_terminated."
        )
    return cautions


def _require_sound(context: Context, parts: list[PartReport], *, outliers: int) -> None:
    """Stop where the files cannot be what they are taken for, before anything is counted; the quarantine is written.

    Raises
    ------
    InputError
        If nearly all points of a file lie beyond the areas and one mistake explains it.
    QualityError
        If too many rows were refused.
    """
    misplaced = [p for p in parts if p.misplaced]
    if misplaced:
        first = misplaced[0]
        others = f" (and so in {len(misplaced) - 1} more files)" if len(misplaced) > 1 else ""
        raise InputError(f"{first.source}: the points do not lie in the areas: {first.misplaced}{others}")
    rules = summed([*(p.quarantined for p in parts), {"date_outlier": outliers} if outliers else {}])
    require_kept(
        sum(p.rows_read - p.left_out for p in parts),
        rules,
        max_pct=context.config.quality.max_quarantined_pct,
        files=len(parts),
        faults=merged_faults(parts),
    )


def _first_of_each(cautions: list[str]) -> list[str]:
    """Return what is said of single files, of the first few alone where many have the same fault."""
    more = len(cautions) - _FILES_NAMED
    return cautions[:_FILES_NAMED] + ([f"The like holds for {more} more files."] if more > 0 else [])


def _jobs(context: Context, areas: AreaSet, areas_key: str) -> list[ReadJob]:
    """Return what is to be read, in the order of the labels: that of the rows in every later table."""
    other = read_lookup(context.config.areas, base=context.base, limits=context.config.run, scratch=context.folder)
    wards = areas.level(Level.WARD)
    small, accounts = read_small_areas(
        context.config.geocode.areas,
        base=context.base,
        parents=dict(zip(wards["area_code"].astype(str), wards["parent_code"].astype(str), strict=True)),
        limits=context.config.run,
        scratch=context.folder,
    )
    other = small | other
    for account in accounts:
        if split := account["codes_in_several_boroughs"]:
            shown = ", ".join(account["several"][:5])
            context.cautions.append(
                f"{split:,} codes in {account['file']} lie in several "
                f"{level_words(context.config.areas)[Level.BOROUGH][1]} ({shown}): rows that have one of them and no "
                "point count in none of these."
            )
    if accounts:
        areas.report["smaller_areas"] = accounts
    postcodes = context.work(_POSTCODES) if context.config.geocode.postcodes else None
    lookup = areas.lookup(context.work(_INDEX), key=areas_key, other_codes=other, postcodes=postcodes)
    today = datetime.now(local_time(context.config).zone).date().isoformat()
    jobs = []
    for source, path, label in _files(context, "incidents", context.config.incidents):
        # A file name that can be read, and different for different labels.
        plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in label)[-80:]
        name = f"{plain}-{hashlib.sha256(label.encode()).hexdigest()[:8]}.parquet"
        jobs.append(
            ReadJob(
                path=path,
                source=source,
                config=context.config,
                areas=lookup,
                out=context.work(f"read/{name}"),
                quarantine_out=context.work(f"quarantine/{name}"),
                salt=context.salt,
                label=label,
                today=today,
                rows=context.rows.get(source.name),
                progress=context.progress if isinstance(context.engine, LocalEngine) else unwatched,
            )
        )
    return sorted(jobs, key=lambda job: job.label)


def _files(context: Context, section: str, sources: tuple[Source, ...]) -> Iterator[tuple[Source, Path, str]]:
    """Yield every file of the sources with its source and its label."""
    for number, source in enumerate(sources):
        paths = expand(source.paths, base=context.base, key=f"{section}[{number}].paths")
        for path, label in zip(paths, source_labels(paths, name=source.name), strict=True):
            yield source, path, label


def _part_key(context: Context, job: ReadJob) -> str:
    """Return what a part depends on: its file, its settings, the boundaries (among the other inputs), the code."""
    config = context.config
    return key_of(
        {
            "file": [context.checksums.get(file, "") for file in files_of(job.path)],
            "member": (archive_of(job.path) or ("", ""))[1],
            "boundaries": job.areas.key,
            "label": job.label,
            "source": {k: v for k, v in job.source.settings().items() if k not in _TOGETHER},
            "categories": config.categories.settings(),
            "local_time": local_time(config).name,
            "salt": key_of({"salt": context.salt.hex()}),
            "today": "" if job.source.last_date else job.today,
        }
    )


def _last_parts(context: Context) -> dict[str, dict[str, Any]]:
    """Return the parts of the last run by label, where their files are still there."""
    if context.last is None or not (context.last / "work" / "ingest.json").is_file():
        return {}
    parts = read_json(context.last / "work" / "ingest.json").get("parts", [])
    return {p["label"]: p for p in parts if (context.last / p["read"]).is_file()}


def _published(context: Context, areas: AreaSet) -> dict[str, Any]:
    """Read published counts and account for them to the last one."""
    config = context.config
    lookup = read_lookup(config.areas, base=context.base, limits=config.run, scratch=context.folder)
    areas_table = areas.table if areas.above is None else areas.above.with_areas(areas.table)
    parts = []
    for source, path, label in _files(context, "published_counts", config.published_counts):
        parts.append(
            read_counts(
                path,
                source=source,
                config=config,
                areas_table=areas_table,
                lookup=lookup,
                label=label,
                scratch=context.folder,
            )
        )
        context.progress("reading counts", len(parts), len(parts))

    reports = [part.report for part in parts]
    table = merge_published(parts)
    require_total(table, categories=config.categories)
    refused = pd.concat([part.quarantine for part in parts], ignore_index=True)
    write_table(context.work("published_counts.parquet"), PUBLISHED_COUNTS, table)
    write_table(context.work("quarantine.parquet"), QUARANTINE, refused)
    relations = check_relations(table, sources=config.published_counts, categories=config.categories)
    quality = counts_quality(
        reports,
        relations=relations,
        max_quarantined_pct=config.quality.max_quarantined_pct,
        min_matched_pct=config.areas.min_matched_pct,
        allow_low_match=config.areas.allow_low_match,
    )
    wards = areas.level(Level.WARD)
    parents = dict(zip(wards["area_code"], wards["parent_code"], strict=True))
    by_borough = incidents_by_borough(table, parents=parents, whole=config.categories.all_from)
    called = level_words(config.areas)[Level.BOROUGH][1]
    scarce, hardly = scarce_boroughs(by_borough, areas=areas.table, called=called)
    if all(source.absent != "zero" for source in config.published_counts):
        hardly = ""  # without rows its count is unknown, not 0, and that is said of every such cell
    uncovered, beside = uncovered_caution(
        _left_out(by_borough, areas=areas.table),
        names=dict(zip(areas.table["area_code"], areas.table["name"], strict=True)),
    )

    named = {"scarce_boroughs": scarce, "not_covered": uncovered}
    outside = outside_tables({r.source: r.outside for r in reports}, areas.report["population"])
    write_json(context.work("quality.json"), quality | named | outside)
    context.cautions += _first_of_each([caution for report in reports for caution in report.cautions])
    context.cautions += [caution for caution in (hardly, beside) if caution]
    context.counters |= {"rows": sum(report.rows_read for report in reports), "quarantined": len(refused)}
    dropped = relations[relations["violations"] > 0]
    if len(dropped):
        context.choices["relations_dropped"] = "; ".join(sorted(set(dropped["relation"])))
    months = [report.first_month for report in reports if report.first_month]
    return {
        "kind": RecordKind.PUBLISHED,
        "categories": listed_categories(config.categories, merged_labels([report.labels for report in reports])),
        "first_date": first_day(min(months)) if months else "",
        "last_date": first_day(max(report.last_month for report in reports)) if months else "",
        "parts": [],
    }


def _left_out(by_borough: pd.DataFrame, *, areas: pd.DataFrame) -> dict[str, int]:
    """Return the published incidents of boroughs that settings call not covered."""
    out = areas.loc[~areas["covered"].astype(bool), "area_code"]
    rows = by_borough[(by_borough["category"] == ROOT) & by_borough["area_code"].isin(out)]
    return {str(code): int(n) for code, n in rows.groupby("area_code")["incidents"].sum().items()}
