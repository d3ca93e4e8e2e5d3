"""Ingest: boundaries, residents and data in; every row kept, refused with a reason, or counted as a duplicate."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from pipeline.config import Config
from pipeline.geography.areas import AreaIndex
from pipeline.geography.projection import working_crs
from pipeline.ingest import (
    AreaSet,
    PartReport,
    check_relations,
    merge_published,
    merged_labels,
    read_areas,
    read_counts,
    read_lookup,
    settle_duplicates,
    source_labels,
)
from pipeline.ingest.quality import counts_quality
from pipeline.stages import Context
from pipeline.stages.coverage import scarce_boroughs
from pipeline.stages.inputs import expand
from pipeline.stages.parts import ReadJob, guarded, part_name, read_part, save_index
from pipeline.storage.files import read_json, write_json
from pipeline.storage.manifest import code_version, key_of
from pipeline.storage.parquet import read_table, write_table
from pipeline.storage.workspace import link_tree
from pipeline.tables import AREAS, PUBLISHED_COUNTS, QUARANTINE, Level

__all__ = ["run"]


_INDEX = "areas.index.npz"
_PEOPLE = "denominators.parquet"


def run(context: Context) -> None:
    """Read boundaries, then incidents or published counts, and account for every row."""
    working_crs(context.config.crs.working)
    areas = _areas(context)
    context.counters |= {"wards": len(areas.level("ward")), "boroughs": len(areas.level("borough"))}
    record = _published(context, areas) if context.config.published_counts else _incidents(context, areas)
    write_json(context.work("ingest.json"), {**record, "areas": areas.report})


def _areas(context: Context) -> AreaSet:
    """Read boundaries and residents and index the wards, or take over those of the last run if nothing changed."""
    config = context.config
    key = _areas_key(context)
    kept = ("areas.parquet", "areas.json", _PEOPLE, *(() if config.published_counts else (_INDEX,)))
    before = context.last / "work" if context.last else None
    if before and all((before / name).is_file() for name in kept):
        record = read_json(before / "areas.json")
        if record["key"] == key:
            for name in kept:
                link_tree(before / name, context.work(name))
            context.counters["boundaries_taken_over"] = True
            context.choices |= record["choices"]
            table = read_table(context.work("areas.parquet"), AREAS, crs=config.crs.working)
            return AreaSet(table, pd.read_parquet(context.work(_PEOPLE)), record["report"])
    areas = read_areas(
        config.areas, base=context.base, working=config.crs.working, limits=config.run, scratch=context.folder
    )
    write_table(context.work("areas.parquet"), AREAS, areas.table)
    areas.denominators.to_parquet(context.work(_PEOPLE), index=False, compression="zstd")
    choices: dict[str, Any] = {}
    if not config.published_counts:
        wards = areas.level("ward")
        index = AreaIndex.build(
            wards.geometry.to_numpy(), list(wards["area_code"]), cell_m=config.areas.cell_m, snap_m=config.areas.snap_m
        )
        save_index(context.work(_INDEX), index)
        choices = {"area_index_cell_m": index.cell_m, "snap_m": index.snap_m}
    context.choices |= choices
    context.counters["boundaries_taken_over"] = False
    write_json(context.work("areas.json"), {"key": key, "choices": choices, "report": areas.report})
    return areas


def _areas_key(context: Context) -> str:
    """Return what boundaries and residents depend on: every input that is no source of data, settings, the code."""
    config = context.config
    patterns = [s.paths for s in config.incidents] + [s.paths for s in config.published_counts]
    data = {p.with_suffix("") for paths in patterns for p in expand(paths, base=context.base, key="paths")}
    others = sorted(checksum for path, checksum in context.checksums.items() if path.with_suffix("") not in data)
    return key_of(
        {"others": others, "areas": config.areas.settings(), "working": config.crs.working, "code": code_version()}
    )


def _incidents(context: Context, areas: AreaSet) -> dict[str, Any]:
    """Read every file into its part, taking over parts whose file and settings are those of the last run."""
    jobs = _jobs(context, areas)
    keys = {job.label: _part_key(context, job) for job in jobs}
    last = _last_parts(context)
    todo = [job for job in jobs if last.get(job.label, {}).get("key") != keys[job.label]]
    for job in jobs:
        if job not in todo and context.last is not None:
            for path in (job.out, job.quarantine_out):
                link_tree(context.last / path.relative_to(context.folder), path)
    total = len(todo)
    fresh = context.engine.map(read_part, todo, done=lambda n: context.progress("reading incidents", n, total))
    reports = {job.label: last[job.label]["report"] for job in jobs if job not in todo}
    reports |= {job.label: dataclasses.asdict(report) for job, report in zip(todo, fresh, strict=True)}
    parts = [PartReport.restored(reports[job.label]) for job in jobs]
    with guarded("the ids while repeats were looked for", damaged="a part that was read cannot be read back"):
        settled = settle_duplicates(
            [job.out for job in jobs],
            memory_limit_mb=context.config.run.memory_limit_mb,
            into=context.work("incidents"),
        )
    lost = {str(label): rows["source_row"].tolist() for label, rows in settled.frame.groupby("source", sort=True)}
    write_table(context.work("duplicates.parquet"), settled.table, settled.frame)
    refused = [pd.read_parquet(job.quarantine_out) for job in jobs]
    write_table(context.work("quarantine.parquet"), QUARANTINE, pd.concat(refused, ignore_index=True))
    context.counters |= {
        "rows": sum(p.rows_read for p in parts),
        "incidents": sum(p.incidents for p in parts) - len(settled.frame),
        "quarantined": sum(sum(p.quarantined.values()) for p in parts),
        "duplicates": len(settled.frame),
        "files_read": len(todo),
        "files_taken_over": len(jobs) - len(todo),
    }
    _decisions(context, parts)
    return {
        "kind": "incidents",
        "categories": _categories(context.config, merged_labels([p.labels for p in parts])),
        "first_date": min((p.first_date for p in parts if p.first_date), default=""),
        "last_date": max((p.last_date for p in parts if p.last_date), default=""),
        "parts": [
            {
                "label": job.label,
                "key": keys[job.label],
                "read": job.out.relative_to(context.folder).as_posix(),
                "part": f"work/incidents/{job.out.name}",
                "settled": key_of({"read": keys[job.label], "lost": lost.get(job.label, [])}),
                "report": reports[job.label],
            }
            for job in jobs
        ],
        "duplicates": {"by_source": settled.by_source, "conflicting": settled.conflicting},
    }


def _published(context: Context, areas: AreaSet) -> dict[str, Any]:
    """Read published counts and account for them to the last one."""
    config = context.config
    lookup = read_lookup(config.areas, base=context.base, limits=config.run, scratch=context.folder)
    parts = []
    for number, source in enumerate(config.published_counts):
        paths = expand(source.paths, base=context.base, key=f"published_counts[{number}].paths")
        for path, label in zip(paths, source_labels(paths, name=source.name), strict=True):
            part = read_counts(
                path,
                source=source,
                config=config,
                areas_table=areas.table,
                lookup=lookup,
                label=label,
                scratch=context.folder,
            )
            parts.append(part)
            context.progress("reading counts", len(parts), len(parts))
    table = merge_published(parts)
    write_table(context.work("published_counts.parquet"), PUBLISHED_COUNTS, table)
    refused = pd.concat([part.quarantine for part in parts], ignore_index=True)
    write_table(context.work("quarantine.parquet"), QUARANTINE, refused)
    relations = check_relations(table, sources=config.published_counts, categories=config.categories)
    quality = counts_quality(
        [part.report for part in parts],
        relations=relations,
        max_quarantined_pct=config.quality.max_quarantined_pct,
        min_matched_pct=config.areas.min_matched_pct,
        allow_low_match=config.areas.allow_low_match,
    )
    scarce = scarce_boroughs(context, _by_borough(table, areas, whole=config.categories.all_from))
    write_json(context.folder / "quality.json", quality | {"scarce_boroughs": scarce})
    context.counters |= {"rows": sum(part.report.rows_read for part in parts), "quarantined": len(refused)}
    dropped = relations[relations["violations"] > 0]
    if len(dropped):
        context.choices["relations_dropped"] = "; ".join(sorted(set(dropped["relation"])))
    months = [part.report.first_month for part in parts if part.report.first_month]
    return {
        "kind": "published",
        "categories": _categories(config, merged_labels([part.report.labels for part in parts])),
        "first_date": _first_day(min(months)) if months else "",
        "last_date": _first_day(max(part.report.last_month for part in parts)) if months else "",
        "parts": [],
    }


def _by_borough(table: pd.DataFrame, areas: AreaSet, *, whole: str | None) -> pd.DataFrame:
    """Return the published incidents of boroughs; those of their wards where the source gives no borough."""
    rows = table[table["mapped"] & (table["measure"] == "incidents")]
    rows = rows.assign(incidents=rows["value"], category=rows["category"].where(rows["category"] != whole, "all"))
    if (rows["level"] == Level.BOROUGH).any():
        return rows
    parents = dict(zip(areas.ward_codes, areas.parents, strict=True))
    wards = rows[rows["level"] == Level.WARD]
    return wards.assign(area_code=wards["area_code"].map(parents), level="borough")


def _first_day(month: int) -> str:
    return f"{month // 100:04d}-{month % 100:02d}-01"


def _jobs(context: Context, areas: AreaSet) -> list[ReadJob]:
    wards, boroughs = areas.level("ward"), areas.level("borough")
    config = context.config
    index_key = read_json(context.work("areas.json"))["key"]
    today = datetime.now(UTC).date().isoformat()
    jobs = []
    for number, source in enumerate(config.incidents):
        paths = expand(source.paths, base=context.base, key=f"incidents[{number}].paths")
        for path, label in zip(paths, source_labels(paths, name=source.name), strict=True):
            name = part_name(label)
            jobs.append(
                ReadJob(
                    path=path,
                    label=label,
                    source=source,
                    config=config,
                    index=context.work(_INDEX),
                    index_key=index_key,
                    ward_codes=tuple(wards["area_code"]),
                    parents=tuple(wards["parent_code"]),
                    borough_names=dict(zip(boroughs["area_code"], boroughs["name"], strict=True)),
                    bounds=_bounds(areas),
                    out=context.work(f"read/{name}.parquet"),
                    quarantine_out=context.work(f"quarantine/{name}.parquet"),
                    salt=context.salt,
                    today=today,
                )
            )
    return sorted(jobs, key=lambda job: job.label)


def _bounds(areas: AreaSet) -> tuple[float, float, float, float]:
    west, south, east, north = (float(v) for v in areas.table.total_bounds)
    return west, south, east, north


def _part_key(context: Context, job: ReadJob) -> str:
    """Return what a part depends on: its file, its settings, the boundaries (among the other inputs), the code."""
    config = context.config
    return key_of(
        {
            "file": [
                c for path, c in sorted(context.checksums.items()) if path.with_suffix("") == job.path.with_suffix("")
            ],
            "boundaries": job.index_key,
            "label": job.label,
            "source": job.source.settings(),
            "categories": config.categories.settings(),
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


def _categories(config: Config, labels: dict[str, str]) -> list[dict[str, Any]]:
    """Return the categories in the order they are shown, the whole first."""
    shown = [{"id": c.id, "label": c.label or c.id, "parent": c.parent} for c in config.categories.tree]
    shown = shown or [{"id": i, "label": labels[i], "parent": None} for i in sorted(labels)]
    shown = [c for c in shown if c["id"] != config.categories.all_from]
    return [{"id": "all", "label": config.categories.all_label, "parent": None}, *shown]


def _decisions(context: Context, parts: list[PartReport]) -> None:
    """Say what was recognised or settled, once for each distinct decision."""
    for key in ("encoding", "delimiter", "coordinates", "operation", "dates"):
        seen = sorted({str(p.decisions[key]) for p in parts if p.decisions.get(key)})
        if seen:
            context.choices[f"reading_{key}"] = "; ".join(seen)
