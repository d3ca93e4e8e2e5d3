"""Detect: run every detection method that the settings ask for, and keep what it finds in `work/`."""

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from pipeline.aggregate.counts import sum_periods
from pipeline.aggregate.coverage import source_of, unplaced_inside
from pipeline.aggregate.reduce import IncidentsOfPeriod, with_place, within_region
from pipeline.detect.density import bandwidth_of, month_rows
from pipeline.detect.method import DetectInput, Findings, Method, Need, Scope
from pipeline.detect.registry import METHODS
from pipeline.domain.categories import in_total, outside_total
from pipeline.domain.periods import Period, Span, month_range, without_months
from pipeline.domain.profile_windows import Windows, choose_windows
from pipeline.errors import InputError
from pipeline.geography.study_area import StudyArea
from pipeline.ingest import read_streets, read_weights, stored_mask
from pipeline.stages import Context
from pipeline.stages.release import released_anchor
from pipeline.storage.files import read_batches, read_json, read_table, write_json, write_layer, write_table
from pipeline.tables import AREA_MONTHS, AREAS, LOCATIONS

__all__ = ["headline_windows", "run"]

DATED = [
    "easting_m", "northing_m", "occurred_on", "date_precision", "month", "place", "place_precision", "online",
    "categories",
]  # fmt: skip


def run(context: Context) -> None:
    """Run the detection methods on the headline window of every profile."""
    enabled = [method for method in METHODS if method.enabled(context.config)]
    every = headline_windows(context)
    internal = {window.headline.id for window in headline_windows(context, audience="internal")}
    data = _load(context, every, enabled, internal=internal)
    state: dict[str, Any] = {"bandwidth_m": None, "windows": {}}
    # A method that cannot run on the data leaves a reason, and the run continues.
    skipped = {method.name: why for method in enabled if (why := method.cannot_run(data))}
    if not len(data.places):
        context.choices["density_and_clusters"] = "none: the data has no points inside the areas, and both need them"
        skipped |= {method.name: "" for method in enabled if Need.POINTS in method.needs}
    context.choices |= {name: f"skipped: {why}" for name, why in skipped.items() if why}
    able = [method for method in enabled if method.name not in skipped]

    if not len(data.places):  # of methods by window, those for the internal folder alone may work on counts by area
        every = [window for window in every if window.headline.id in internal]
        able = [method for method in able if method.scope is not Scope.WINDOW]
    of_window = {
        window.headline.id: [
            m for m in able if m.scope is Scope.WINDOW or (m.scope is Scope.INTERNAL and window.headline.id in internal)
        ]
        for window in every
    }
    of_run = [method for method in able if method.scope is Scope.RUN]
    ended, total = itertools.count(1), sum(map(len, of_window.values())) + len(of_run)
    context.progress("finding hotspots", 0, total)
    for window in every:
        found: dict[str, Any] = {}
        made: dict[str, pd.DataFrame] = {}
        # What describes hotspots is for the internal folder, and takes the longest.
        described = data.described if window.headline.id in internal else None
        for method in of_window[window.headline.id]:
            findings = _find(method, replace(data, window=window, made=made, described=described))
            made |= findings.tables
            found |= _save(context, findings)
            context.progress("finding hotspots", next(ended), total)
        state["windows"][window.headline.id] = found
    for method in of_run:
        state |= _save(context, _find(method, data))
        context.progress("finding hotspots", next(ended), total)
    write_json(context.work("detect.json"), state)


def _load(
    context: Context, windows: Sequence[Windows], methods: Sequence[Method], *, internal: Collection[str]
) -> DetectInput:
    """Read what the enabled methods need of the windows of all profiles; `internal` are those of internal ones."""
    config, window = context.config, windows[0]
    needs = frozenset[Need]().union(*(method.needs_of(config) for method in methods))
    areas = read_table(context.work("areas.parquet"), AREAS, crs=config.crs.working)
    span, outside = _span(context), outside_total(config.categories)
    study = StudyArea.of(areas, stored_mask(context.work("mask.parquet")))
    # Hardly a row has a point where no ward has data: the few would be mapped as if they were all there is.
    places = _places(context, span) if len(study.wards) else _NOWHERE
    context.cautions += _on_masked_ground(places, study)

    streets = None
    if Need.STREETS in needs and len(places):
        layer = read_streets(
            config.detect.streets,
            base=context.base,
            working=config.crs.working,
            outline=study.covered,
            border_m=config.areas.snap_m,
            limits=config.run,
        )
        context.cautions += layer.cautions
        streets = layer.frame

    weights = None
    if config.harm.weights is not None:
        read_of = read_weights(config.harm, base=context.base, limits=config.run)
        context.cautions += read_of.cautions
        weights = read_of.weights

    def ward_counts(periods: Sequence[Period], categories: Sequence[str]) -> pd.DataFrame:
        months = read_table(context.work("area_months.parquet"), AREA_MONTHS)
        wards = data.study.wards.sort_values("area_code")[["area_code", "level"]]
        return sum_periods(
            months[months["area_code"].isin(wards["area_code"])], periods, areas=wards, categories=categories
        )

    def month_counts(periods: Sequence[Period], categories: Sequence[str], levels: Sequence[str]) -> pd.DataFrame:
        months = read_table(context.work("area_months.parquet"), AREA_MONTHS)
        above = areas[areas["covered"] & areas["level"].isin(list(levels))]
        return sum_periods(
            months[months["area_code"].isin(above["area_code"])],
            periods,
            areas=above[["area_code", "level"]],
            categories=categories,
        )

    people = pd.read_parquet(context.work("denominators.parquet"))
    data = DetectInput(
        config=config,
        areas=areas,
        study=study,
        locations=LOCATIONS.empty(),
        places=places,
        every_month=partial(_every_month, context, span),
        victims=None,
        incidents=None,
        ward_counts=ward_counts,
        span=span,
        window=window,
        bandwidth=None,
        streets=streets,
        denominators=people if len(people) else None,
        timed=partial(_timed, context) if internal and len(places) else None,
        weights=weights,
        labels={c["id"]: c["label"] for c in read_json(context.work("ingest.json"))["categories"]},
        month_counts=month_counts if internal else None,
        progress=context.progress,
    )
    if not len(places):
        return data

    # What is held in memory are the months that some method reads; the years before may be many.
    read = {
        month
        for one in windows
        for method in methods
        if method.scope is not Scope.INTERNAL or one.headline.id in internal
        for period in method.periods(replace(data, window=one))
        for month in month_range(period.first_month, period.last_month)
    } - set(span.lacking.uneven)
    locations = read_table(context.work("locations.parquet"), LOCATIONS, months=read)
    of_read = [("month", "in", sorted(read))]
    victims = pd.read_parquet(context.work("victims.parquet"), filters=of_read)
    total, apart = in_total(locations["categories"], outside), locations[:0]
    if not total.all():  # else a copy of millions of rows would stand beside them
        locations, apart = locations[total].reset_index(drop=True), locations[~total].reset_index(drop=True)
    incidents = incidents_apart = None
    if Need.DAYS in needs:
        parts = [context.folder / part["part"] for part in read_json(context.work("ingest.json"))["parts"]]
        dated = pd.concat([pd.read_parquet(part, columns=DATED, filters=of_read) for part in parts], ignore_index=True)
        dated = dated[dated["place_precision"].isin(config.detect.precision)].drop(columns="place_precision")
        total = in_total(dated["categories"], outside)
        incidents, incidents_apart = dated[total], dated[~total]
    return replace(
        data,
        locations=locations,
        apart=apart if len(apart) else None,
        victims=victims if len(victims) else None,
        incidents=incidents,
        incidents_apart=incidents_apart,
        bandwidth=bandwidth_of(month_rows(locations, window.headline), settings=config.detect.density),
        described=partial(_described, context, span) if internal else None,
    )


_NOWHERE = pd.DataFrame({"easting_m": [], "northing_m": [], "incidents": pd.array([], dtype="int64")})


def _every_month(context: Context, span: Span, *, total: bool = True) -> Iterator[pd.DataFrame]:
    """Read the locations of all months in batches, those that count in the total alone or all.

    What a month holds that one of the sources lacks is left aside: it would show the places of the others alone.
    """
    outside = outside_total(context.config.categories) if total else ()
    columns = ["easting_m", "northing_m", "month", "incidents", *(["categories"] if outside else [])]
    for rows in read_batches(context.work("locations.parquet"), columns):
        held = without_months(rows, span.lacking.uneven)
        yield held[in_total(held["categories"], outside)] if outside else held


def _places(context: Context, span: Span) -> pd.DataFrame:
    """Return the distinct places of all months, with their incidents."""
    place = ["easting_m", "northing_m"]
    batches = [rows.groupby(place)["incidents"].sum() for rows in _every_month(context, span, total=False)]
    return pd.concat(batches).groupby(place).sum().reset_index() if batches else _NOWHERE


MANY_MASKED_PCT = 5.0
"""Incidents on ground that is said to hold none: from here on the mask is more likely wrong than the points."""


def _on_masked_ground(places: pd.DataFrame, study: StudyArea) -> list[str]:
    """Say how many incidents lie on ground that `areas.mask` shows, and whether the mask looks wrong."""
    there = study.masks(places[["easting_m", "northing_m"]].to_numpy(dtype="float64"))
    total, on = int(places["incidents"].sum()), int(places.loc[there, "incidents"].sum())
    if not on:
        return []
    share = 100 * on / total
    advice = ": check areas.mask.shows and areas.mask.crs" if share > MANY_MASKED_PCT else ""
    caution = (
        f"{on:,} of {total:,} incidents with a point ({share:.1f} %) lie on ground that areas.mask excludes "
        f"(bridges, coarse outlines): they count in their areas and in hotspots, and in no density{advice}."
    )
    return [caution]


def _described(context: Context, span: Span, period: Period) -> IncidentsOfPeriod:
    """Return the incidents of a period that locations are counted from."""
    config = context.config
    spots = [(p.easting_m, p.northing_m, p.radius_m) for p in config.detect.placeholder_locations]
    condition = with_place(placeholders=spots, precision=config.detect.precision)
    # What a month holds that one of the sources lacks is no part of the locations that are read.
    return _chosen(context, [condition] * len(_parts(context)), period, lacking=span.lacking.uneven)


def _timed(context: Context, period: Period) -> IncidentsOfPeriod:
    """Return the incidents of a period that count in the region."""
    parts = _parts(context)
    places = ((part["label"], part["report"]["places"]) for part in parts)
    inside = unplaced_inside(places, context.config.incidents)
    conditions = [within_region(unplaced_inside=inside[source_of(part["label"])]) for part in parts]
    return _chosen(context, conditions, period)


def _parts(context: Context) -> list[dict[str, Any]]:
    return list(read_json(context.work("ingest.json"))["parts"])


def _chosen(
    context: Context, conditions: Sequence[str], period: Period, *, lacking: Collection[int] = ()
) -> IncidentsOfPeriod:
    """Name the rows of all parts, each with its condition."""
    files = [context.folder / part["part"] for part in _parts(context)]
    return IncidentsOfPeriod(
        parts=tuple(zip(files, conditions, strict=True)),
        months=(period.first_month, period.last_month),
        lacking=lacking,
        outside=outside_total(context.config.categories),
        spill=context.work(".spill-detect"),
        memory_limit_mb=context.config.run.memory_limit_mb,
    )


def _find(method: Method, data: DetectInput) -> Findings:
    """Run a method; one that cannot work on what there is leaves a sentence, and the run goes on without it."""
    try:
        return method.run(data)
    except InputError as error:
        why = str(error).rstrip(".")
        name = method.name.replace("_", " ")
        return Findings(
            choices={method.name: f"skipped: {why}"},
            cautions=(f"Left out ({data.window.headline.label}): {name}, because {why}.",),
        )


def _save(context: Context, findings: Findings) -> dict[str, Any]:
    """Write what a method found; return what goes into `detect.json`."""
    for name, table in findings.tables.items():
        if findings.contract is not None:
            write_table(context.work(name), findings.contract, table)
        else:
            write_layer(context.work(name), table)
    for name, record in findings.records.items():
        write_json(context.work(name), record)
    context.choices |= findings.choices
    context.counters |= findings.counters
    context.cautions += findings.cautions
    return dict(findings.state)


def _span(context: Context) -> Span:
    return Span.restored(read_json(context.work("span.json")))


def headline_windows(context: Context, audience: str | None = None) -> list[Windows]:
    """Return the windows of every profile, or of those for one audience, one for each distinct headline."""
    span, anchor = _span(context), released_anchor(context)
    found: dict[str, Windows] = {}
    for profile in context.config.profiles:
        if audience not in {None, profile.audience}:
            continue
        windows = choose_windows(
            profile,
            context.config.periods,
            first_date=span.first,
            last_date=span.last,
            compare=context.config.change.compare,
            lacking=span.lacking,
            anchor=anchor,
        )
        found.setdefault(windows.headline.id, windows)
    return list(found.values())
