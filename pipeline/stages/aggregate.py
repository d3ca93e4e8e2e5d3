"""Aggregate: whole-number counts by area, month and category; points reduced to distinct places."""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.aggregate.counts import PublishedMonths, published_months
from pipeline.aggregate.coverage import (
    Extent,
    LevelReport,
    SpanReport,
    incident_sources,
    levels_of_counts,
    levels_of_places,
    published_sources,
    settle_span,
    source_of,
    unplaced_inside,
    with_levels,
)
from pipeline.aggregate.precision import Basis
from pipeline.aggregate.reduce import KEPT, CountJob, count_part, merge_kept, merge_locations, merge_victims
from pipeline.aggregate.repeats import repeats_report
from pipeline.aggregate.short_counts import undated
from pipeline.config import Config
from pipeline.domain.categories import outside_total
from pipeline.domain.levels import level_words
from pipeline.domain.periods import Period, month_of
from pipeline.domain.short_windows import DAYS_OF
from pipeline.errors import InputError
from pipeline.geography.study_area import StudyArea
from pipeline.ingest import (
    PartReport,
    at_each_place,
    incidents_quality,
    looks_snapped,
    near_border_pct,
    outside_tables,
    police_layout,
    scarce_boroughs,
    snapped_caution,
    uncovered_caution,
)
from pipeline.stages import Context, RecordKind
from pipeline.storage.duckdb import guarded
from pipeline.storage.files import read_columns, read_json, read_table, write_json, write_table
from pipeline.storage.workspace import key_of, link_tree
from pipeline.tables import AREA_DAYS, AREA_MONTHS, AREAS, LOCATIONS, PUBLISHED_COUNTS, Level, Place

__all__ = ["run"]

_LISTED_DAYS = 10


def run(context: Context) -> None:
    """Reduce parts (or published counts) to area_months, locations and facets, and settle the span of the data."""
    record = read_json(context.work("ingest.json"))
    _require_inside(record)
    if record["kind"] == RecordKind.INCIDENTS:
        months, places, settled = _merge(context, record, _count(context, record))
    else:
        months, places, settled = _published(context, record)
    first, last = month_of(settled.span.first), month_of(settled.span.last)
    months = months[months["month"].between(first, last)].reset_index(drop=True)

    write_table(context.work("area_months.parquet"), AREA_MONTHS, months)
    write_json(context.work("span.json"), settled.span.plain())
    context.choices |= settled.choices
    context.cautions += settled.cautions
    context.counters |= {"area_months": len(months), "locations": places}


def _require_inside(record: dict[str, Any]) -> None:
    """Refuse data without any incident inside the covered areas: every figure would be a meaningless zero."""
    places = Counter[str]()
    for part in record["parts"]:
        places.update(part["report"]["places"])
    not_inside = {place: places[place] for place in (Place.OUTSIDE, Place.NOT_COVERED)}
    if not places.total() or places.total() > sum(not_inside.values()):
        return
    where = " and ".join(
        f"{number:,} {words}"
        for number, words in (
            (not_inside[Place.OUTSIDE], "outside all areas"),
            (not_inside[Place.NOT_COVERED], "in areas that areas.not_covered names"),
        )
        if number
    )
    raise InputError(
        f"no incident lies inside the covered areas: {where}. Give boundaries of the place that the files are about "
        "(areas.wards), or check incidents.crs and areas.not_covered"
    )


def _published(context: Context, record: dict[str, Any]) -> tuple[pd.DataFrame, int, SpanReport]:
    """Turn published counts into area_months; they have no places."""
    config = context.config
    areas = read_table(context.work("boundaries.parquet"), AREAS, crs=config.crs.working)
    table = read_table(context.work("published_counts.parquet"), PUBLISHED_COUNTS)
    settled = settle_span(
        published_sources(config.published_counts, table),
        periods=config.periods,
        first_date=record["first_date"],
        last_date=record["last_date"],
    )
    covered = areas["covered"].astype(bool)
    published = published_months(
        table[~table["area_code"].isin(areas.loc[~covered, "area_code"])],
        areas=areas[covered],
        region_code=config.areas.region.code,
        whole=config.categories.all_from,
        absent={source.name: source.absent for source in config.published_counts},
    )
    months = published.months
    names = ", ".join(dict.fromkeys(s.name for s in config.published_counts))
    labels = level_words(config.areas)
    one_level = not (areas["level"] == Level.WARD).any()
    levels = levels_of_counts(months, summed=published.summed, source=names, labels=labels, one_level=one_level)
    _save_levels(context, levels)
    context.choices |= {f"counts of the {level}": how for level, how in levels.quality["summed"].items()}
    context.cautions += _unknown_cells(published)
    write_table(context.work("locations.parquet"), LOCATIONS, LOCATIONS.empty())
    write_table(context.work("area_days.parquet"), AREA_DAYS, AREA_DAYS.empty())
    cells = {"cells": published.cells, "absent_unknown": published.absent, "suppressed_unknown": published.suppressed}
    named = {"levels": levels.quality, "cells": cells, "months": settled.quality}
    write_json(context.folder / "quality.json", read_json(context.work("quality.json")) | named)
    return months, 0, settled


def _unknown_cells(published: PublishedMonths) -> list[str]:
    """Say how many published counts are unknown."""
    found = []
    if published.absent:
        found.append(
            f"{published.absent:,} of {published.cells:,} published counts (areas, months, categories) have no row and "
            "are unknown: no count, rate or change over them is given. If the publisher leaves out zeros, set "
            "absent: zero for this source; areas that it does not cover belong in areas.not_covered."
        )
    if published.suppressed:
        found.append(
            f"{published.suppressed:,} published counts are withheld by the publisher or cannot be read, and are "
            "unknown: no count, rate or change over them is given."
        )
    return found


def _save_levels(context: Context, levels: LevelReport) -> pd.DataFrame:
    """Write the areas with those not covered that no row can be placed in, and why; return them without outlines."""
    areas = with_levels(read_table(context.work("boundaries.parquet"), AREAS, crs=context.config.crs.working), levels)
    write_table(context.work("areas.parquet"), AREAS, areas)
    write_json(context.work("levels.json"), levels.plain())
    context.cautions += levels.cautions
    return pd.DataFrame(areas.drop(columns="geometry"))


def _count(context: Context, record: dict[str, Any]) -> list[Path]:
    """Reduce the parts, taking over the counts of parts that are those of the last run; return the counts' folders."""
    config = context.config
    rules: dict[str, Any] = {
        "region_code": config.areas.region.code,
        "placeholders": tuple((p.easting_m, p.northing_m, p.radius_m) for p in config.detect.placeholder_locations),
        "precision": config.detect.precision,
    }
    if _by_day(config):
        rules["by_day"] = True
    if config.categories.outside:
        rules["outside"] = tuple(sorted(outside_total(config.categories)))
    inside = unplaced_inside(((part["label"], part["report"]["places"]) for part in record["parts"]), config.incidents)
    own: dict[str, dict[str, Any]] = {
        part["label"]: {
            "unplaced_inside": inside[source_of(part["label"])],
            "online_stated": "online" in part["report"]["decisions"]["columns"],
        }
        for part in record["parts"]
    }
    keys = {part["label"]: key_of({"part": part["settled"], **rules, **own[part["label"]]}) for part in record["parts"]}
    folders = {part["label"]: context.work(f"counts/{Path(part['part']).stem}") for part in record["parts"]}
    todo = [part for part in record["parts"] if not _take_over(context, folders[part["label"]], keys[part["label"]])]
    jobs = [
        CountJob(
            label=part["label"],
            part=context.folder / part["part"],
            into=folders[part["label"]],
            memory_limit_mb=config.run.memory_limit_mb,
            **rules,
            **own[part["label"]],
        )
        for part in todo
    ]
    total = len(jobs)
    context.engine.map(count_part, jobs, done=lambda n: context.progress("counting", n, total))
    for part in todo:
        write_json(folders[part["label"]] / "key.json", {"key": keys[part["label"]]})
    context.counters |= {"parts_counted": total, "parts_taken_over": len(record["parts"]) - total}
    return [folders[part["label"]] for part in record["parts"]]


def _take_over(context: Context, folder: Path, key: str) -> bool:
    """Link the counts of the last run if they are of the same part under the same rules."""
    if context.last is None:
        return False
    before = context.last / folder.relative_to(context.folder)
    files = [before / "key.json", *(before / f"{name}.parquet" for name in KEPT)]
    if not all(file.is_file() for file in files) or read_json(files[0]).get("key") != key:
        return False
    link_tree(before, folder)
    return True


_MERGED = 3
"""What is merged, one after the other: counts by area, locations, victims."""


def _merge(context: Context, record: dict[str, Any], folders: list[Path]) -> tuple[pd.DataFrame, int, SpanReport]:
    """Merge all parts' counts and account for every row; return area_months, the number of locations, and the span."""
    config, limit = context.config, context.config.run.memory_limit_mb
    context.progress("merging counts", 0, _MERGED)
    with guarded("the counts while they were merged", damaged="counts that an earlier step wrote cannot be read back"):
        tables = {
            name: merge_kept(folders, name=name) for name in ("area_days", "area_months", "days", "facets", "places")
        }
        settled = settle_span(
            incident_sources(config.incidents, parts=record["parts"], days=tables["days"], places=tables["places"]),
            periods=config.periods,
            first_date=record["first_date"],
            last_date=record["last_date"],
        )
        window = (month_of(settled.span.first), month_of(settled.span.last))
        context.progress("merging counts", 1, _MERGED)
        rows, at = merge_locations(folders, out=context.work("locations.parquet"), months=window, memory_limit_mb=limit)
        context.progress("merging counts", 2, _MERGED)
        merge_victims(folders, out=context.work("victims.parquet"), memory_limit_mb=limit)
    context.progress("merging counts", _MERGED, _MERGED)

    places, facets = tables["places"], tables["facets"]
    with guarded("what may be the same", damaged="a part that was read cannot be read back"):
        same = repeats_report(
            partial(read_columns, [context.folder / part["part"] for part in record["parts"]]),
            organisations=sorted(facets.loc[facets["facet"] == "organisation", "value"].unique()),
            rows=int(places["incidents"].sum()),
            last_month=window[1],
            placeholders=[(p.easting_m, p.northing_m, p.radius_m) for p in config.detect.placeholder_locations],
        )
    before = pd.read_parquet(context.work("boundaries.parquet"), columns=["area_code", "level", "name"])
    boroughs = before[before["level"] == Level.BOROUGH]
    one_level = not (before["level"] == Level.WARD).any()
    names = dict(zip(boroughs["area_code"], boroughs["name"], strict=True))
    levels = levels_of_places(places, names=names, labels=level_words(config.areas), one_level=one_level)
    areas = _save_levels(context, levels)
    called = level_words(config.areas)[Level.BOROUGH][1]
    scarce, hardly = scarce_boroughs(tables["area_months"], areas=areas, called=called)
    left_out = places[places["place"] == Place.NOT_COVERED].groupby("borough_code")["incidents"].sum()
    uncovered, beside = uncovered_caution(
        {str(code): int(n) for code, n in left_out.items()},
        names=dict(zip(areas["area_code"], areas["name"], strict=True)),
    )
    quality = incidents_quality(
        [PartReport.restored(part["report"]) for part in record["parts"]],
        settled=record["settled"],
        places=places,
        locations=at,
        max_quarantined_pct=config.quality.max_quarantined_pct,
        geocode_target_pct=config.quality.geocode_target_pct,
    )

    write_table(context.work("area_days.parquet"), AREA_DAYS, tables["area_days"])
    for name in ("facets", "places"):
        tables[name].to_parquet(context.work(f"{name}.parquet"), index=False, compression="zstd")
    snapped, moved = _snapped(context, record, at, repeated=quality["repeated_coordinates"])
    quality["repeated_coordinates"] |= snapped
    left_out_rows, nowhere = _unplaced(context, record, places)
    quality["without_a_place"] |= left_out_rows
    basis = Basis.of_places(places, accepted=config.detect.precision, one_level=one_level)
    outside = Extent.of_quality(quality).caution()
    context.first_cautions += [outside] if outside else []
    if unknown := config.detect.placeholder_locations:
        places_unknown = (
            f"{p.name or 'unnamed'}, {p.easting_m:.0f} {p.northing_m:.0f}, {p.radius_m:g} m" for p in unknown
        )
        context.choices["placeholder_locations"] = "; ".join(places_unknown)
    apart = int(places["in_no_total"].sum())
    alone = outside_total(config.categories)
    if alone:
        listed = ", ".join(config.categories.outside)
        context.choices["categories_outside_the_total"] = f"{listed}: {apart:,} incidents are in no total"
    named = {
        "levels": levels.quality,
        "maps": basis.plain(),
        "incidents_outside_the_total": apart,
        "scarce_boroughs": scarce,
        "not_covered": uncovered,
        "months": settled.quality,
    }
    lines = outside_tables(
        {part["label"]: part["report"]["outside"] for part in record["parts"]}, record["areas"]["population"]
    )
    write_json(context.folder / "quality.json", quality | same | named | lines)
    context.cautions += _short_cautions(context, tables["area_days"], settled)
    context.cautions += [caution for caution in (basis.caution(), hardly, beside, moved, nowhere) if caution]
    return tables["area_months"], rows, settled


def _short_cautions(context: Context, area_days: pd.DataFrame, settled: SpanReport) -> list[str]:
    """Say what is not known by day, where windows of days are shown: incidents without a day, days that are missing."""
    if not _by_day(context.config):
        return []
    window = Period(month_of(settled.span.first), month_of(settled.span.last))
    without, found = undated(area_days, [window], level=Level.REGION), []
    if without:
        found.append(
            f"{without:,} incidents are known to their month alone: they are in no day, week or 28 days. In windows "
            "that touch their months the counts of their areas are incomplete, and a 0 is not given."
        )
    days = sorted(settled.span.lacking.days)
    if days:
        listed = ", ".join(day.isoformat() for day in days[:_LISTED_DAYS])
        more = f" and {len(days) - _LISTED_DAYS} more" if len(days) > _LISTED_DAYS else ""
        found.append(
            f"No row is dated {listed}{more}, although rows come every day: days, weeks and 28 days that contain "
            f"{'it' if len(days) == 1 else 'them'} are incomplete. quality.json lists the days of each source."
        )
    return found


def _by_day(config: Config) -> bool:
    """Whether a profile shows windows of days."""
    return any(kind in DAYS_OF for p in config.profiles for kind in (p.ward_period, p.borough_period))


def _snapped(
    context: Context, record: dict[str, Any], at: pd.DataFrame, *, repeated: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    """Find out whether the publisher snapped the points; return what quality.json says of it, and a caution."""
    police = police_layout(part["report"]["decisions"]["columns"] for part in record["parts"])
    if not len(at) or not (police or looks_snapped(repeated)):
        return {"snapped_by_publisher": False, "near_ward_border_pct": None}, ""
    areas = read_table(context.work("areas.parquet"), AREAS, crs=context.config.crs.working)
    near = near_border_pct(*at_each_place(at), wards=StudyArea.of(areas).wards.geometry.to_numpy())
    label = level_words(context.config.areas)[Level.WARD][0]
    caution = snapped_caution(repeated, police=police, near_pct=near, ward=label)
    return {"snapped_by_publisher": True, "near_ward_border_pct": near}, caution


def _unplaced(context: Context, record: dict[str, Any], places: pd.DataFrame) -> tuple[dict[str, Any], str]:
    """Return what quality.json says of rows without any place, and a caution where they count nowhere."""
    config, labels = context.config, level_words(context.config.areas)
    inside = unplaced_inside(((part["label"], part["report"]["places"]) for part in record["parts"]), config.incidents)
    rows = places[places["place"] == Place.NONE].assign(source=lambda f: f["source"].map(source_of))
    by_source = {str(name): int(n) for name, n in rows.groupby("source")["incidents"].sum().items()}
    out = {name: n for name, n in by_source.items() if not inside[name]}
    found = {"in_region": sum(by_source.values()) - sum(out.values()), "in_no_total": sum(out.values())}
    unused = sum(part["report"]["ward_checks"].get("unused", 0) for part in record["parts"])
    if unused and not out:
        return found, (
            f"{unused:,} incidents without a point name their {labels[Level.WARD][0]} in a column that no setting "
            "names: set incidents[].columns.ward to count them there."
        )
    if not out:
        return found, ""
    listed = ", ".join(f"{n:,} of {name}" for name, n in sorted(out.items()))
    return found, (
        f"Incidents without a place, {labels[Level.BOROUGH][0]} or {labels[Level.WARD][0]} count in no total "
        f"({listed}): nothing says that they happened in {config.areas.region.name}, and more than 2 % of the "
        "source's other rows lie outside the areas. If its files hold only what happened inside, set "
        "all_inside: true for this source."
    )
