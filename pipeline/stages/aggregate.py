"""Aggregate: whole-number counts by area, month and category; points reduced to distinct places."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.aggregate.reduce import KEPT, merge_kept, merge_locations, merge_victims
from pipeline.domain.periods import Period
from pipeline.errors import InputError
from pipeline.ingest import PartReport
from pipeline.ingest.quality import incidents_quality
from pipeline.stages import Context
from pipeline.stages.coverage import scarce_boroughs
from pipeline.stages.parts import CountJob, count_part, guarded
from pipeline.stages.same import perhaps_the_same
from pipeline.storage.files import read_json, write_json
from pipeline.storage.manifest import key_of
from pipeline.storage.parquet import read_table, write_table
from pipeline.storage.workspace import link_tree
from pipeline.tables import AREA_MONTHS, AREAS, LOCATIONS, PUBLISHED_COUNTS, Level

__all__ = ["run"]


def run(context: Context) -> None:
    """Reduce parts (or published counts) to area_months, locations and facets, and settle the span of the data."""
    record = read_json(context.work("ingest.json"))
    span = _span(context, record)
    first, last = _month(span["first"]), _month(span["last"])
    if record["kind"] == "incidents":
        folders = _count(context, record)
        months, rows = _merge(context, record, folders, window=(first, last))
    else:
        months, rows = _from_published(context), 0
        write_table(context.work("locations.parquet"), LOCATIONS, LOCATIONS.empty())
    months = months[months["month"].between(first, last)].reset_index(drop=True)
    write_table(context.work("area_months.parquet"), AREA_MONTHS, months)
    write_json(context.work("span.json"), {k: v.isoformat() for k, v in span.items()})
    context.choices |= {"data_from": span["first"].isoformat(), "data_complete_to": span["last"].isoformat()}
    context.counters |= {"area_months": len(months), "locations": rows}


def _count(context: Context, record: dict[str, Any]) -> list[Path]:
    """Reduce the parts, taking over the counts of parts that are those of the last run; return the counts' folders."""
    config = context.config
    rules: dict[str, Any] = {
        "region_code": config.areas.region.code,
        "placeholders": tuple((p.easting_m, p.northing_m) for p in config.detect.placeholder_locations),
    }
    keys = {part["label"]: key_of({"part": part["settled"], **rules}) for part in record["parts"]}
    folders = {part["label"]: context.work(f"counts/{Path(part['part']).stem}") for part in record["parts"]}
    todo = [part for part in record["parts"] if not _take_over(context, folders[part["label"]], keys[part["label"]])]
    jobs = [
        CountJob(
            label=part["label"],
            part=context.folder / part["part"],
            into=folders[part["label"]],
            memory_limit_mb=config.run.memory_limit_mb,
            **rules,
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


def _merge(
    context: Context, record: dict[str, Any], folders: list[Path], *, window: tuple[int, int]
) -> tuple[pd.DataFrame, int]:
    """Merge all parts' counts, write locations and companions, and account for every row; return the area_months."""
    limit = context.config.run.memory_limit_mb
    with guarded("the counts while they were merged", damaged="counts that an earlier step wrote cannot be read back"):
        rows, at = merge_locations(folders, out=context.work("locations.parquet"), months=window, memory_limit_mb=limit)
        merge_victims(folders, out=context.work("victims.parquet"), memory_limit_mb=limit)
        tables = {name: merge_kept(folders, name=name) for name in ("area_months", "facets", "places")}
    for name in ("facets", "places"):
        tables[name].to_parquet(context.work(f"{name}.parquet"), index=False, compression="zstd")
    organisations = sorted(tables["facets"].loc[tables["facets"]["facet"] == "organisation", "value"].unique())
    with guarded("what may be the same", damaged="a part that was read cannot be read back"):
        same = perhaps_the_same(
            context,
            [context.folder / part["part"] for part in record["parts"]],
            organisations,
            rows=int(tables["places"]["incidents"].sum()),
            last_month=window[1],
        )
    scarce = scarce_boroughs(context, tables["area_months"])
    _account(context, record, tables["places"], at, same | {"scarce_boroughs": scarce})
    return tables["area_months"], rows


def _account(
    context: Context, record: dict[str, Any], places: pd.DataFrame, locations: pd.DataFrame, same: dict[str, Any]
) -> None:
    """Account for every row in quality.json; stop where too many were refused."""
    reports = [PartReport.restored(part["report"]) for part in record["parts"]]
    quality = incidents_quality(
        reports,
        duplicates=record["duplicates"]["by_source"],
        conflicting=record["duplicates"]["conflicting"],
        places=places,
        locations=locations,
        max_quarantined_pct=context.config.quality.max_quarantined_pct,
        geocode_target_pct=context.config.quality.geocode_target_pct,
    )
    write_json(context.folder / "quality.json", quality | same)


def _from_published(context: Context) -> pd.DataFrame:
    """Turn published counts into area_months: each level from the source's own rows.

    The region is the sum of all borough rows, those included that no boundary matches: these are its unplaced ones.
    What a borough's row has beyond its wards' rows is its unplaced part.
    """
    table = read_table(context.work("published_counts.parquet"), PUBLISHED_COUNTS)
    areas = read_table(context.work("areas.parquet"), AREAS, crs=context.config.crs.working)
    table["category"] = table["category"].where(table["category"] != context.config.categories.all_from, "all")
    region = context.config.areas.region.code
    boroughs = table[table["level"] == Level.BOROUGH]
    has_region = bool((table["level"] == Level.REGION).any())
    whole = table[table["level"] == Level.REGION] if has_region else boroughs.assign(area_code=region, level="region")
    lost = boroughs[~boroughs["mapped"]].assign(area_code=region, level="region")
    mapped = pd.concat([table[table["mapped"] & (table["level"] != Level.REGION)], whole], ignore_index=True)
    key = ["area_code", "level", "month", "category"]
    wide = mapped.pivot_table(index=key, columns="measure", values="value", aggfunc="sum", fill_value=0)
    wide = wide.reindex(columns=["incidents", "positive_outcomes"]).astype("Int64").reset_index()
    wide["incidents"] = wide["incidents"].fillna(0)
    parents = areas.set_index("area_code")["parent_code"]
    wards = wide[wide["level"] == Level.WARD].assign(parent=lambda f: f["area_code"].map(parents))
    inside = wards.groupby(["parent", "month", "category"])["incidents"].sum().rename("inside").reset_index()
    wide = wide.merge(
        inside, left_on=["area_code", "month", "category"], right_on=["parent", "month", "category"], how="left"
    )
    beyond = (wide["incidents"] - wide["inside"].fillna(0)).clip(lower=0)
    wide["incidents_unplaced"] = np.where(wide["level"] == Level.BOROUGH, beyond, 0)
    unplaced = lost[lost["measure"] == "incidents"].groupby(["month", "category"])["value"].sum()
    at_region = wide["level"] == Level.REGION
    index = pd.MultiIndex.from_frame(wide.loc[at_region, ["month", "category"]])
    wide.loc[at_region, "incidents_unplaced"] = unplaced.reindex(index).fillna(0).to_numpy()
    wide["known_outcomes"] = pd.NA
    return AREA_MONTHS.conform(wide.sort_values(["area_code", "month", "category"], ignore_index=True))


def _span(context: Context, record: dict[str, Any]) -> dict[str, date]:
    """Return the first and last day the data covers, as the configuration states or the rows show."""
    periods = context.config.periods
    if not record["first_date"]:
        raise InputError(
            "no row has a usable date inside the areas: see `hotspots quarantine` for what was refused and why"
        )
    first = date.fromisoformat(record["first_date"]).replace(day=1)
    last = Period(*[_month(date.fromisoformat(record["last_date"]))] * 2).end
    if periods.last_complete_date:
        last = date.fromisoformat(periods.last_complete_date)
    if periods.first_month:
        first = max(first, Period.parse(periods.first_month).start)
    if periods.last_month:
        last = min(last, Period.parse(periods.last_month).end)
    if last < first + timedelta(days=27):
        raise InputError(
            f"the data covers {first} to {last}, less than a month: check periods and the dates of the source"
        )
    return {"first": first, "last": last}


def _month(day: date) -> int:
    return day.year * 100 + day.month
