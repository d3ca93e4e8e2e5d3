"""Parts reduced to the counts that everything else is made from; only this and reading grow with the rows."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.aggregate.circumstances import INTERVAL_UNITS, TOTAL, VARIABLES, WHOLE, Variable
from pipeline.errors import InputError
from pipeline.statistics.aoristic import BAND_MINUTES, UNITS
from pipeline.storage.duckdb import connect, guarded, identifier, literal, scan_parts
from pipeline.tables import AREA_DAYS, AREA_MONTHS, LOCATIONS, Place, Precision

__all__ = [
    "DAY_KEY",
    "FACET_KEY",
    "KEPT",
    "LOCATION_KEY",
    "PLACE_KEY",
    "CountJob",
    "IncidentsOfPeriod",
    "OpenPart",
    "count_area_days",
    "count_area_months",
    "count_days",
    "count_facets",
    "count_part",
    "count_places",
    "merge_counts",
    "merge_kept",
    "merge_locations",
    "merge_victims",
    "open_part",
    "reduce_area_days",
    "reduce_area_months",
    "reduce_days",
    "reduce_facets",
    "reduce_places",
    "with_place",
    "within_region",
]

LOCATION_KEY = ("easting_m", "northing_m", "month", "categories")
_CODED = ("categories", "ward_code", "borough_code")
"""Texts with few values, grouped and sorted by number: many rows of text would cost most of the time and memory."""
_RECORDED = Variable(id=TOTAL, sql="organisation")
"""Counts every row: the total that the values of each variable add up to."""
_UNKNOWN = "NULL::BIGINT AS positive_outcomes, NULL::BIGINT AS known_outcomes"
_KNOWN = (
    "count(*) FILTER (WHERE outcome_class = 'positive') AS positive_outcomes, "
    "count(*) FILTER (WHERE outcome_class IN ('positive', 'other')) AS known_outcomes"
)


@dataclass(frozen=True, slots=True, eq=False)
class OpenPart:
    """A part of INCIDENTS with a database at work on it, so that several counts share the cost of starting one."""

    connection: Any
    scan: str
    outcomes: str

    def query(self, sql: str) -> pd.DataFrame:
        """Run a query over the part, which is the view PARTS."""
        frame: pd.DataFrame = self.connection.sql(sql).to_arrow_table().to_pandas()
        return frame


@contextmanager
def open_part(part: Path | OpenPart, *, memory_limit_mb: int = 1000) -> Iterator[OpenPart]:
    """Open a part for counting; one that is open already stays so.

    Parameters
    ----------
    part
        A part of INCIDENTS.
    memory_limit_mb
        Memory of the database, in MB.
    """
    if isinstance(part, OpenPart):
        yield part
        return
    with connect(memory_limit_mb=memory_limit_mb, folders=[part.parent], spill=part.parent / ".spill") as connection:
        scan = scan_parts([part])
        connection.execute(f"CREATE TEMP VIEW parts AS SELECT * FROM {scan}")
        [(known,)] = connection.sql(f"SELECT count(outcome_class) FROM {scan}").fetchall()
        yield OpenPart(connection, scan, _KNOWN if known else _UNKNOWN)


def _location_queries(
    asked: OpenPart, *, placeholders: Iterable[tuple[float, float, float]], precision: Collection[str]
) -> tuple[str, str]:
    """Write the queries of an open part's counts by location, and of the victims behind them."""
    for name in _CODED:
        # Numbered in the order of the texts, so that sorting by number is sorting by text; '' so that there is one.
        values = f"SELECT '' UNION SELECT {name} FROM parts WHERE {name} IS NOT NULL ORDER BY 1"
        asked.connection.execute(f"DROP TYPE IF EXISTS of_{name}")
        asked.connection.execute(f"CREATE TYPE of_{name} AS ENUM ({values})")
    key = ", ".join(LOCATION_KEY)
    where = f"WHERE {with_place(placeholders=placeholders, precision=precision)}"
    coded = ", ".join(f"{name}::of_{name} AS {name}" for name in _CODED)
    # With one level of areas the smallest area of a place is its borough.
    smallest = "coalesce(ward_code::VARCHAR, borough_code::VARCHAR) AS ward_code"
    texts = ", ".join(f"{name}::VARCHAR AS {name}" for name in _CODED if name != "ward_code")
    areas = "min(ward_code) AS ward_code, min(borough_code) AS borough_code"  # a place is in one ward
    counted = (
        f"SELECT {key}, {areas}, count(*) AS incidents, {asked.outcomes} "
        f"FROM (SELECT * REPLACE ({coded}) FROM PARTS {where}) GROUP BY {key} ORDER BY {key}"
    )
    return (
        f"SELECT * REPLACE ({texts}, {smallest}) FROM ({counted})",
        f"SELECT DISTINCT {key}, victim_hash FROM PARTS {where} AND victim_hash IS NOT NULL ORDER BY ALL",
    )


def with_place(*, placeholders: Iterable[tuple[float, float, float]], precision: Collection[str]) -> str:
    """Write the condition that a row is counted in the locations; parameters are those of `CountJob`."""
    without = "".join(
        f" AND NOT (pow(easting_m - {float(x)!r}, 2) + pow(northing_m - {float(y)!r}, 2) <= {float(radius_m) ** 2!r})"
        for x, y, radius_m in placeholders
    )
    precise = ", ".join(literal(p) for p in precision)
    return f"place = 'point' AND place_precision IN ({precise}) AND NOT online{without}"


def within_region(*, unplaced_inside: bool) -> str:
    """Write the condition that a row counts in the region; the parameter is that of `CountJob`."""
    return f"place NOT IN ({_elsewhere(unplaced_inside)})"


def _elsewhere(unplaced_inside: bool) -> str:  # noqa: FBT001 named at each call
    """Return the places that are in no total, as SQL."""
    return ", ".join(
        literal(p) for p in (Place.OUTSIDE, Place.NOT_COVERED, *(() if unplaced_inside else (Place.NONE,)))
    )


def count_area_months(
    part: Path | OpenPart,
    *,
    region_code: str,
    unplaced_inside: bool = True,
    outside: Collection[str] = (),
    memory_limit_mb: int = 1000,
) -> pd.DataFrame:
    """Count one part by area, month and category.

    A ward holds the points inside it and the rows that name it without a point. A borough holds what its wards hold
    and the rows that name it alone. The region holds all of these and the rows without any borough; points outside all
    areas, and rows in areas that the data does not cover, are in none.
    Every incident counts once in `all` and once in each of its categories; one whose categories are all outside the
    total counts in these alone.

    Parameters
    ----------
    part
        A part of INCIDENTS.
    region_code
        Code of the region.
    unplaced_inside
        Whether rows without any place count in the region.
    outside
        Categories that count in no total.
    memory_limit_mb
        Memory of the database, in MB.
    """
    sums = "sum(incidents)::BIGINT AS incidents"
    outcomes = "sum(positive_outcomes)::BIGINT AS positive_outcomes, sum(known_outcomes)::BIGINT AS known_outcomes"
    with open_part(part, memory_limit_mb=memory_limit_mb) as asked:
        return asked.query(
            f"""
            WITH small AS (
                SELECT ward_code, borough_code, place, month, categories, count(*) AS incidents, {asked.outcomes}
                FROM PARTS WHERE place NOT IN ({_elsewhere(unplaced_inside)}) GROUP BY ALL
            ), long AS (
                SELECT * EXCLUDE categories, unnest({_counted_in(outside)}) AS category FROM small
            )
            SELECT ward_code AS area_code, 'ward' AS level, month, category, {sums},
                   0::BIGINT AS incidents_unplaced, {outcomes}
            FROM long WHERE ward_code IS NOT NULL GROUP BY ALL
            UNION ALL
            SELECT borough_code, 'borough', month, category, {sums},
                   coalesce(sum(incidents) FILTER (WHERE place = 'borough'), 0)::BIGINT, {outcomes}
            FROM long WHERE borough_code IS NOT NULL GROUP BY ALL
            UNION ALL
            SELECT {literal(region_code)}, 'region', month, category, {sums},
                   coalesce(sum(incidents) FILTER (WHERE borough_code IS NULL), 0)::BIGINT, {outcomes}
            FROM long GROUP BY ALL
            ORDER BY 1, 3, 4
            """
        )


def count_area_days(
    part: Path | OpenPart,
    *,
    region_code: str,
    unplaced_inside: bool = True,
    outside: Collection[str] = (),
    memory_limit_mb: int = 1000,
) -> pd.DataFrame:
    """Count one part by area, day and category: what windows of days are summed from.

    Areas and categories as in `count_area_months`. Columns area_code, level, month, day (ISO), category, incidents.
    Rows whose month alone is known are counted with an empty day: they are in the month, and in no day of it.
    """
    sums = "sum(incidents)::BIGINT AS incidents"
    with open_part(part, memory_limit_mb=memory_limit_mb) as asked:
        return asked.query(
            f"""
            WITH small AS (
                SELECT ward_code, borough_code, month, categories, count(*) AS incidents,
                       CASE WHEN date_precision = 'day' THEN occurred_on ELSE '' END AS day
                FROM PARTS WHERE place NOT IN ({_elsewhere(unplaced_inside)}) GROUP BY ALL
            ), long AS (
                SELECT * EXCLUDE categories, unnest({_counted_in(outside)}) AS category FROM small
            )
            SELECT ward_code AS area_code, 'ward' AS level, month, day, category, {sums}
            FROM long WHERE ward_code IS NOT NULL GROUP BY ALL
            UNION ALL
            SELECT borough_code, 'borough', month, day, category, {sums}
            FROM long WHERE borough_code IS NOT NULL GROUP BY ALL
            UNION ALL
            SELECT {literal(region_code)}, 'region', month, day, category, {sums}
            FROM long GROUP BY ALL
            ORDER BY 1, 3, 4, 5
            """
        )


def _in_total(outside: Collection[str]) -> str:
    """Write the condition that a row counts in the total: not where all its categories are outside."""
    if not outside:
        return "TRUE"
    apart = ", ".join(literal(category) for category in sorted(outside))
    return f"(coalesce(categories, '') = '' OR NOT list_has_all([{apart}], string_split(categories, ';')))"


def _counted_in(outside: Collection[str]) -> str:
    """Write the list of what a row counts in: the total, and each of its categories."""
    named = "CASE WHEN coalesce(categories, '') = '' THEN []::VARCHAR[] ELSE string_split(categories, ';') END"
    return f"list_concat(CASE WHEN {_in_total(outside)} THEN ['all'] ELSE []::VARCHAR[] END, {named})"


def reduce_area_months(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Merge counts by area and month into AREA_MONTHS (not yet dense: months without incidents have no row)."""
    merged = merge_counts(parts, key=("area_code", "level", "month", "category"))
    return AREA_MONTHS.conform(merged)


def count_facets(
    part: Path | OpenPart,
    *,
    unplaced_inside: bool = True,
    online_stated: bool = True,
    outside: Collection[str] = (),
    memory_limit_mb: int = 1000,
) -> pd.DataFrame:
    """Count one part by organisation, borough, month, category, and each value of each descriptive column.

    Columns organisation, area_code (borough; empty where a row has none), month, category, facet, value, incidents.
    Facets: the ids of `VARIABLES`, and `TOTAL` (every row). A variable that crosses two others is counted for the whole
    region (area_code `WHOLE`). Rows without a value are in no facet but `TOTAL`, rows outside the study area in none,
    nor rows without any place unless `unplaced_inside`. Without `online_stated` the source does not say what happened
    online, and the column `online`, which then is false throughout, counts as empty.
    """
    with open_part(part, memory_limit_mb=memory_limit_mb) as asked:
        # A column that is empty throughout costs a grouping and gives nothing: such variables are left out beforehand.
        columns = sorted({v.source for v in VARIABLES.values()} - {""})
        held = ", ".join(f"count({identifier(name)})" for name in columns)
        [numbers] = asked.connection.sql(f"SELECT {held} FROM {asked.scan}").fetchall()
        filled = {"", *(name for name, rows in zip(columns, numbers, strict=True) if rows)}
        if not online_stated:
            filled.discard("online")
        counted = [_RECORDED, *(variable for variable in VARIABLES.values() if variable.source in filled)]
        values = ", ".join(f"{variable.sql} AS {_column(variable)}" for variable in counted)
        stated = ", ".join(_column(variable) for variable in counted)
        # One grouping set for each variable: together they would give a row for nearly every incident.
        sets = ", ".join(
            f"(organisation, {'' if variable.grid else 'area_code, '}month, categories, {_column(variable)})"
            for variable in counted
        )
        pick = " ".join(f"WHEN GROUPING({_column(variable)}) = 0 THEN {literal(variable.id)}" for variable in counted)
        found = asked.query(
            f"""
            WITH described AS (
                SELECT organisation, coalesce(borough_code, '') AS area_code, month,
                       coalesce(categories, '') AS categories, {values}
                FROM PARTS WHERE place NOT IN ({_elsewhere(unplaced_inside)})
            ), small AS (
                SELECT organisation, CASE WHEN GROUPING(area_code) = 1 THEN {literal(WHOLE)} ELSE area_code END
                       AS area_code, month, categories, CASE {pick} END AS facet,
                       coalesce({stated}) AS value, count(*) AS incidents
                FROM described GROUP BY GROUPING SETS ({sets})
            ), long AS (
                SELECT organisation, area_code, month, facet, value, incidents,
                       unnest({_counted_in(outside)}) AS category
                FROM small WHERE value IS NOT NULL
            )
            SELECT organisation, area_code, month, category, facet, value, sum(incidents)::BIGINT AS incidents
            FROM long GROUP BY ALL ORDER BY ALL
            """
        )
        units = _interval_units(asked, unplaced_inside=unplaced_inside, outside=outside)
    return _grouped(pd.concat([found, units], ignore_index=True) if len(units) else found)


_WEEKS = 10_000 * 7 * 1440  # minutes: whole weeks, so that times before 1970 are positive and stay on their weekday


def _interval_units(asked: OpenPart, *, unplaced_inside: bool, outside: Collection[str]) -> pd.DataFrame:
    """Share incidents between two times over weekday and hour band, in whole units (`aoristic.week_units` in SQL)."""
    [(held,)] = asked.connection.sql(f"SELECT count(interval_minutes) FROM {asked.scan}").fetchall()
    if not held:
        return pd.DataFrame(columns=[*FACET_KEY, "incidents"])
    band, bands, units = int(BAND_MINUTES), 1440 // int(BAND_MINUTES), int(UNITS)
    return asked.query(
        f"""
        WITH touched AS (
            SELECT *, unnest(range(first // {band}, (first + length - 1) // {band} + 1)) AS band
            FROM (
                SELECT organisation, month, coalesce(categories, '') AS categories,
                       interval_start + {_WEEKS} AS first, interval_minutes AS length
                FROM PARTS WHERE interval_minutes IS NOT NULL AND place NOT IN ({_elsewhere(unplaced_inside)})
            )
        ), small AS (
            SELECT organisation, month, categories,
                   concat((band // {bands} + 3) % 7 + 1, ' ', (band % {bands}) * {24 // bands}) AS value,
                   sum(({units} * least(length, (band + 1) * {band} - first)) // length
                       - ({units} * greatest(0, band * {band} - first)) // length) AS units
            FROM touched GROUP BY ALL
        ), long AS (
            SELECT organisation, month, value, units, unnest({_counted_in(outside)}) AS category FROM small
        )
        SELECT organisation, {literal(WHOLE)} AS area_code, month, category, {literal(INTERVAL_UNITS)} AS facet, value,
               sum(units)::BIGINT AS incidents
        FROM long GROUP BY ALL ORDER BY ALL
        """
    )


def _column(variable: Variable) -> str:
    """Quote the column that holds a variable's value: prefixed, since the source may have one of the same name."""
    return identifier(f"of_{variable.id}")


def _grouped(facets: pd.DataFrame) -> pd.DataFrame:
    """Replace values as the source puts them by those counted, where a variable groups them, and add up."""
    value = facets["value"]
    for name, variable in VARIABLES.items():
        if variable.group is not None:
            mine = facets["facet"] == name
            groups = {text: variable.group(text) for text in value[mine].unique()}
            value = value.where(~mine, value.map(groups))
    return facets.assign(value=value).groupby(list(FACET_KEY), sort=True)["incidents"].sum().reset_index()


def reduce_facets(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Merge counts by facet."""
    return merge_counts(parts, key=FACET_KEY)


def count_places(part: Path | OpenPart, *, outside: Collection[str] = (), memory_limit_mb: int = 1000) -> pd.DataFrame:
    """Count one part by how its rows are placed: what the quality report is made from.

    Columns source, borough_code (empty where there is none), month, place, place_precision (empty where there is none),
    online, date_precision, incidents, snapped (rows), in_no_total (rows that are in categories outside the total
    alone).
    """
    with open_part(part, memory_limit_mb=memory_limit_mb) as asked:
        return asked.query(
            f"""
            SELECT source, coalesce(borough_code, '') AS borough_code, month, place,
                   coalesce(place_precision, '') AS place_precision, online, date_precision,
                   count(*) AS incidents, count(*) FILTER (WHERE snapped) AS snapped,
                   count(*) FILTER (WHERE NOT {_in_total(outside)}) AS in_no_total
            FROM PARTS GROUP BY ALL ORDER BY ALL
            """
        )


def count_days(part: Path | OpenPart, *, memory_limit_mb: int = 1000) -> pd.DataFrame:
    """Count one part by day: what the gaps between rows are seen from. Rows known to their month only are left out.

    Columns source, day (ISO), incidents.
    """
    with open_part(part, memory_limit_mb=memory_limit_mb) as asked:
        return asked.query(
            """
            SELECT source, occurred_on AS day, count(*) AS incidents
            FROM PARTS WHERE date_precision = 'day' GROUP BY ALL ORDER BY ALL
            """
        )


def reduce_days(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Merge counts by day."""
    return merge_counts(parts, key=DAY_KEY)


def reduce_area_days(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Merge counts by area and day into AREA_DAYS."""
    return AREA_DAYS.conform(merge_counts(parts, key=AREA_DAY_KEY))


def reduce_places(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Merge counts by place."""
    return merge_counts(parts, key=PLACE_KEY)


# Incidents of a period: counted by what describes them, or read one by one.

_WEEK_MINUTES = 7 * 1440
_DERIVED = {
    "weekday": "CASE WHEN date_precision = 'day' THEN isodow(TRY_CAST(occurred_on AS DATE)) END",
    # Incidents are counted by hour of the week, so the start is moved by whole weeks: fewer values, fewer rows.
    "interval_start": f"((interval_start % {_WEEK_MINUTES}) + {_WEEK_MINUTES}) % {_WEEK_MINUTES}",
}
"""Columns that are made from those of a part; the others are taken as they are."""


@dataclass(frozen=True, slots=True)
class IncidentsOfPeriod:
    """The incidents of a period that count in the total, in the parts that hold them.

    Attributes
    ----------
    parts
        Parts of INCIDENTS, each with the condition that a row of it is meant: `with_place` or `within_region`.
    months
        First and last month (yyyymm).
    lacking
        Months of these whose rows are left out.
    outside
        Categories that count in no total.
    spill
        Folder for what does not fit in memory.
    memory_limit_mb
        Memory of the database, in MB.
    """

    parts: Sequence[tuple[Path, str]]
    months: tuple[int, int]
    lacking: Collection[int]
    outside: Collection[str]
    spill: Path
    memory_limit_mb: int

    def counted(self, by: Sequence[str], *, members: pd.DataFrame | None = None) -> pd.DataFrame:
        """Count incidents by what describes them: memory follows the number of different descriptions, not the rows.

        Parameters
        ----------
        by
            Columns of INCIDENTS, weekday (1 is Monday; null where only the month is known), and interval_start, here
            in minutes since a Thursday's midnight.
        members
            Places inside hotspots: hotspot_id, easting_m, northing_m. An incident counts in each hotspot that has its
            place; by default, every incident once.

        Returns
        -------
        counts
            The columns `by`, incidents and, with `members`, hotspot_id; in no particular order.
        """
        columns = ", ".join(f"{_DERIVED.get(name, identifier(name))} AS {identifier(name)}" for name in by)
        with self._open() as connection:
            if members is None:
                counted = f"SELECT {columns}, count(*) AS incidents FROM ({self._rows()}) GROUP BY ALL"
                return self._frame(connection, counted)
            number, ids = pd.factorize(members["hotspot_id"])
            places = {name: members[name].to_numpy(dtype="float64") for name in ("easting_m", "northing_m")}
            connection.register("members", pa.table({"hotspot": number, **places}))
            counts = self._frame(
                connection,
                f"SELECT hotspot, {columns}, count(*) AS incidents FROM ({self._rows()}) "
                "JOIN members USING (easting_m, northing_m) GROUP BY ALL",
            )
            return counts.assign(hotspot_id=ids.take(counts.pop("hotspot").to_numpy()))

    def rows(self, columns: Sequence[str]) -> pd.DataFrame:
        """Read columns of INCIDENTS, one row for each incident in the order of the parts."""
        named = ", ".join(identifier(name) for name in columns)
        with self._open() as connection:
            return self._frame(connection, f"SELECT {named} FROM ({self._rows()})")

    def _rows(self) -> str:
        """Write the query of all rows that are meant."""
        first, last = (int(month) for month in self.months)
        lacking = ", ".join(f"{int(month)}" for month in sorted(self.lacking)) or "NULL"
        of_period = f"month BETWEEN {first} AND {last} AND (month IN ({lacking})) IS NOT TRUE"
        runs = groupby(self.parts, key=lambda part: part[1])
        return " UNION ALL ".join(
            f"SELECT * FROM {scan_parts([part for part, _ in run])} "
            f"WHERE {of_period} AND {condition} AND {_in_total(self.outside)}"
            for condition, run in runs
        )

    @contextmanager
    def _open(self) -> Iterator[Any]:
        folders = {part.parent for part, _ in self.parts}
        with (
            guarded(
                "the incidents of a window while they were counted",
                damaged="a part of the incidents that an earlier step wrote cannot be read back",
            ),
            connect(memory_limit_mb=self.memory_limit_mb, folders=folders, spill=self.spill) as connection,
        ):
            yield connection

    @staticmethod
    def _frame(connection: Any, sql: str) -> pd.DataFrame:
        frame: pd.DataFrame = connection.sql(sql).to_arrow_table().to_pandas()
        return frame


# The counts of a part, kept on disk beside it, so that a part that has not changed is never counted again.
#
# Merging reads these files alone. The locations stay in the database until they are written: their number grows with
# the rows where coordinates are measured, and memory must not.

KEPT = ("area_days", "area_months", "days", "facets", "locations", "places", "victims")
"""Files of one part's counts, without their ending."""

_MERGE = {
    "area_days": reduce_area_days,
    "area_months": reduce_area_months,
    "days": reduce_days,
    "facets": reduce_facets,
    "places": reduce_places,
}
_BATCH_ROWS = 1 << 17
_TYPES = {"string": pa.string(), "float": pa.float64(), "int": pa.int64()}


@dataclass(frozen=True, slots=True)
class CountJob:
    """One part to count; it can be sent to a worker.

    Attributes
    ----------
    label
        Its source label, for messages.
    part
        A part of INCIDENTS, settled.
    into
        Folder for the files of `KEPT`.
    region_code
        Code of the region.
    placeholders
        Places (easting, northing, radius, in metres) that stand for no place, such as a police station: rows within the
        radius are left out.
    unplaced_inside
        Whether rows without any place count in the region.
    online_stated
        Whether the source says which incidents happened online.
    outside
        Categories that count in no total.
    precision
        Precisions of the rows that locations and victims are counted from.
    by_day
        Whether to count by area and day as well: only where windows of days are asked for.
    memory_limit_mb
        Memory of the database, in MB.
    """

    label: str
    part: Path
    into: Path
    region_code: str
    placeholders: tuple[tuple[float, float, float], ...] = ()
    unplaced_inside: bool = True
    online_stated: bool = True
    outside: tuple[str, ...] = ()
    precision: tuple[str, ...] = (Precision.POINT.value,)
    by_day: bool = False
    memory_limit_mb: int = 1000


def count_part(job: CountJob) -> None:
    """Count one part and keep the counts: whole numbers only, so that any order of merging gives the same.

    Raises
    ------
    InputError
        If the part is damaged.
    EngineError
        If the disk or the memory allowed is full.
    """
    job.into.mkdir(parents=True, exist_ok=True)
    with (
        guarded(
            f"{job.label} while it was counted",
            damaged=f"the part of {job.label} that an earlier step wrote ({job.part.name}) cannot be read back",
        ),
        open_part(job.part, memory_limit_mb=job.memory_limit_mb) as asked,
    ):
        where: dict[str, Any] = {
            "region_code": job.region_code,
            "unplaced_inside": job.unplaced_inside,
            "outside": job.outside,
        }
        frames = {
            "area_days": count_area_days(asked, **where) if job.by_day else pd.DataFrame(AREA_DAYS.empty()),
            "area_months": count_area_months(asked, **where),
            "facets": count_facets(
                asked, unplaced_inside=job.unplaced_inside, online_stated=job.online_stated, outside=job.outside
            ),
            "days": count_days(asked),
            "places": count_places(asked, outside=job.outside),
        }
        for name, frame in frames.items():
            pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), job.into / f"{name}.parquet")
        # Locations may be as many as rows: they go from the database to the disk without a frame between.
        locations, victims = _location_queries(asked, placeholders=job.placeholders, precision=job.precision)
        for name, sql in (("locations", locations), ("victims", victims)):
            reader = asked.connection.sql(sql).to_arrow_reader(_BATCH_ROWS)
            _write(job.into / f"{name}.parquet", reader.schema, reader)


def merge_kept(folders: Sequence[Path], *, name: str) -> pd.DataFrame:
    """Merge the area_days, area_months, days, facets or places of parts."""
    return _MERGE[name]([pd.read_parquet(folder / f"{name}.parquet") for folder in folders])


def merge_locations(
    folders: Sequence[Path], *, out: Path, months: tuple[int, int], memory_limit_mb: int = 1000
) -> tuple[int, pd.DataFrame]:
    """Merge the locations of parts into LOCATIONS, written in its order.

    Parameters
    ----------
    folders
        Where parts' counts are kept.
    out
        Parquet file to write.
    months
        First and last month to write (yyyymm).
    memory_limit_mb
        Memory of the database, in MB; what does not fit is spilled to disk.

    Returns
    -------
    rows, places
        Rows written; and incidents at every place over all months, in the order of the places: easting_m,
        northing_m, incidents.
    """
    key = ", ".join(LOCATION_KEY)
    with _merging(folders, "locations", near=out, memory_limit_mb=memory_limit_mb) as (connection, kept, victims):
        counts = kept  # one part's counts are in order already
        if len(folders) > 1:
            sums = ", ".join(f"sum({n})::BIGINT AS {n}" for n in ("incidents", "positive_outcomes", "known_outcomes"))
            # Out of core: the database spills what does not fit. Sums are of whole numbers, so neither the order of
            # the parts nor the number of threads changes a byte; one sort here serves places and locations both.
            connection.execute(
                f"CREATE TEMP TABLE merged AS SELECT {key}, min(ward_code) AS ward_code, "
                f"min(borough_code) AS borough_code, {sums} FROM {kept} GROUP BY {key} ORDER BY {key}"
            )
            counts = "merged"
        places = connection.sql(f"SELECT easting_m, northing_m, incidents FROM {counts}").to_arrow_table().to_pandas()
        # Victims are counted across parts, not added up: the same person may be in two files at one place.
        joined, distinct, order = "", "NULL::BIGINT", ""
        if connection.sql(f"SELECT 1 FROM {victims} LIMIT 1").fetchall():
            same = " AND ".join(f"counts.{n} IS NOT DISTINCT FROM v.{n}" for n in LOCATION_KEY)
            many = f"SELECT {key}, count(DISTINCT victim_hash) AS distinct_victims FROM {victims} GROUP BY {key}"
            joined, distinct = f"LEFT JOIN ({many}) v ON {same}", "v.distinct_victims"
            order = "ORDER BY " + ", ".join(f"counts.{n}" for n in LOCATION_KEY)
        columns = ", ".join(f"{distinct} AS {n}" if n == "distinct_victims" else f"counts.{n}" for n in LOCATIONS.names)
        reader = connection.sql(
            f"SELECT {columns} FROM {counts} AS counts {joined} "
            f"WHERE counts.month BETWEEN {int(months[0])} AND {int(months[1])} {order}"
        ).to_arrow_reader(_BATCH_ROWS)
        schema = pa.schema([pa.field(c.name, _TYPES[c.kind]) for c in LOCATIONS.columns])
        return _write(out, schema, reader), places


def merge_victims(folders: Sequence[Path], *, out: Path, memory_limit_mb: int = 1000) -> int:
    """Write which victims were where and when: easting_m, northing_m, month, categories, victim_hash, each row once."""
    with _merging(folders, "victims", near=out, memory_limit_mb=memory_limit_mb) as (connection, _, victims):
        reader = connection.sql(
            f"SELECT DISTINCT easting_m, northing_m, month, categories, victim_hash FROM {victims} ORDER BY ALL"
        ).to_arrow_reader(_BATCH_ROWS)
        return _write(out, reader.schema, reader)


@contextmanager
def _merging(folders: Sequence[Path], name: str, *, near: Path, memory_limit_mb: int) -> Iterator[tuple[Any, str, str]]:
    """Open a database over the kept files; yield it, the counts and the victims as table expressions."""
    files = {kind: scan_parts([folder / f"{kind}.parquet" for folder in folders]) for kind in ("locations", "victims")}
    near.parent.mkdir(parents=True, exist_ok=True)
    spill = near.parent / f".spill-{name}"
    with connect(memory_limit_mb=memory_limit_mb, folders=set(folders), spill=spill) as connection:
        yield connection, files["locations"], files["victims"]


def _write(path: Path, schema: Any, batches: Iterable[Any]) -> int:
    """Write batches as they come; rows per group are fixed, so the bytes are too."""
    # Batches come as the database makes them; they are joined and cut anew so that every row group but the last has
    # exactly _BATCH_ROWS rows.
    rows, held, waiting = 0, 0, []
    texts = [f.name for f in schema if f.type == pa.string()]
    with pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=texts, store_schema=False) as writer:
        for batch in batches:
            waiting.append(batch)
            held += batch.num_rows
            while held >= _BATCH_ROWS:
                table = pa.Table.from_batches(waiting)
                writer.write_table(table.slice(0, _BATCH_ROWS).cast(schema))
                rows += _BATCH_ROWS
                rest = table.slice(_BATCH_ROWS)
                held, waiting = rest.num_rows, rest.to_batches()
        if held:
            writer.write_table(pa.Table.from_batches(waiting).cast(schema))
    return rows + held


# Merge counts that were made file by file: whole-number sums over equal keys, so that any split gives the same table.
#
# A measure that no file knows stays empty; one that some know is their sum.

DAY_KEY = ("source", "day")
AREA_DAY_KEY = ("area_code", "level", "month", "day", "category")
PLACE_KEY = ("source", "borough_code", "month", "place", "place_precision", "online", "date_precision")
FACET_KEY = ("organisation", "area_code", "month", "category", "facet", "value")


def merge_counts(frames: Sequence[pd.DataFrame], *, key: Sequence[str]) -> pd.DataFrame:
    """Add up frames of one shape.

    Parameters
    ----------
    frames
        Key columns (empty values are a key like any other) and whole-number measures.
    key
        Names of the key columns.

    Returns
    -------
    merged
        One row per key, sorted by it with empty values last; measures as Int64, empty where no frame has a value.

    Raises
    ------
    InputError
        If there is no frame, or their columns differ.
    """
    if not frames:
        raise InputError("there is nothing to merge: no input file was read")
    columns = list(frames[0].columns)
    if any(list(f.columns) != columns for f in frames):
        raise InputError("frames to merge must have the same columns in the same order")
    measures = [c for c in columns if c not in key]
    parts = [f for f in frames if len(f)] or [frames[0]]
    whole = pd.concat([p.astype(dict.fromkeys(measures, "Int64")) for p in parts], ignore_index=True)
    grouped = whole.groupby(list(key), dropna=False, sort=True, observed=True)[measures]
    return grouped.sum(min_count=1).reset_index()[columns]
