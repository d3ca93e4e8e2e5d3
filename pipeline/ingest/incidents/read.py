"""Read one input file of incidents in batches, and write one Parquet part and one of refused rows."""

import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.config import Categories, Config, IncidentSource, Run
from pipeline.config.section import TRUTHS
from pipeline.domain.progress import Progress, unwatched
from pipeline.errors import HotspotsError, InputError
from pipeline.ingest.area_lookup import AreaLookup
from pipeline.ingest.formats.files import (
    BATCH_ROWS,
    DEFAULT_LIMITS,
    FAULT,
    NOT_A_POINT,
    Header,
    Opened,
    Opening,
    Unreadable,
    find_columns,
    first_line,
    header_explained,
    require_settings_fit,
    row_reader,
    unpacked,
)
from pipeline.ingest.formats.header import left_out_caution
from pipeline.ingest.incidents.account import PLACE_RULES, RULES, FaultLog, PartReport, rule_code
from pipeline.ingest.incidents.categories import Sorter, category_columns, plan_sorting
from pipeline.ingest.incidents.clock import local_time
from pipeline.ingest.incidents.columns import Details, Roles, coded, find_roles, layout_of, plan_details, role_columns
from pipeline.ingest.incidents.dates import Moments, Times, Unsettled, plan_moments
from pipeline.ingest.incidents.places import NOT_COVERED, PLACES, Guess, Placed, Placer, plan_placing
from pipeline.storage.archives import ENDINGS
from pipeline.storage.duckdb import connect, guarded
from pipeline.tables import INCIDENTS, QUARANTINE, Table

__all__ = [
    "PartWriter",
    "ReadJob",
    "Selection",
    "incidents_schema",
    "plan_selection",
    "quarantine_schema",
    "read_incidents",
    "require_alike",
    "require_incident_columns",
    "require_selected",
    "where_columns",
]

_REDACTED = "[redacted]"


@dataclass(frozen=True, slots=True)
class ReadJob:
    """One file to read into one part, with everything needed for reading; it can be sent to a worker.

    Attributes
    ----------
    path
        A file in any format of `pipeline.storage.formats`.
    source, config
        Settings of the source and of the run.
    areas
        The areas to which incidents are assigned.
    out, quarantine_out
        Parquet files to write (INCIDENTS and QUARANTINE), sorted by row, byte-identical for identical input.
    salt
        Key of the victims' hashes, at most 64 bytes.
    label
        Value of the `source` column (see `source_labels`).
    today
        ISO date after which dates count as future dates, unless the source has last_date.
    rows
        How many rows to read, from the first; None for all.
    progress
        Called as rows are read; of a step whose end is not known the total is 0.
    """

    path: Path
    source: IncidentSource
    config: Config
    areas: AreaLookup
    out: Path
    quarantine_out: Path
    salt: bytes
    label: str
    today: str
    rows: int | None = None
    progress: Progress = unwatched

    @property
    def key(self) -> str:
        """Position of the source in the configuration, for messages: `incidents[0]`."""
        at = next((n for n, source in enumerate(self.config.incidents) if source == self.source), 0)
        return f"incidents[{at}]"


def read_incidents(job: ReadJob) -> PartReport:
    """Read one file into one part: every row becomes an incident or is refused by the first rule that it breaks.

    Raises
    ------
    InputError
        If the file cannot be used as it is.
    EngineError
        If the disk or the allowed memory is full.
    """
    job.out.parent.mkdir(parents=True, exist_ok=True)
    job.quarantine_out.parent.mkdir(parents=True, exist_ok=True)
    with (
        guarded(f"{job.path.name} while it was read", damaged=f"{job.path.name} cannot be read"),
        tempfile.TemporaryDirectory(dir=job.out.parent, prefix=".reading-") as name,
    ):
        folder = Path(name)
        with unpacked(job.path, limits=job.config.run, scratch=folder) as file:
            connection = connect(
                memory_limit_mb=job.config.run.memory_limit_mb, folders=(file.parent, folder), spill=folder / "spill"
            )
            try:
                return _read(job, file, connection, folder=folder)
            finally:
                connection.close()


def _read(job: ReadJob, file: Path, connection: Any, *, folder: Path) -> PartReport:
    """Read the fast way first, and again if later rows of the file differ from its first rows."""
    source = job.source
    how = _opening(folder, source=source, limits=job.config.run)
    how = replace(how, on_rows=lambda rows: job.progress("reading rows", rows, 0))
    whole = False
    reader = row_reader(file, stated=source.format)
    require_settings_fit(job.path, reader, layout=how.layout, sheet=how.sheet)
    while True:
        opened = reader.open_rows(file, how).first_rows(job.rows)
        try:
            with header_explained(file, role_columns(source), how, reader=reader):
                roles = find_roles(opened, source=source)
            reading = _Reading(
                job,
                opened,
                roles,
                plan_moments(
                    opened,
                    roles=roles,
                    source=source,
                    local=local_time(job.config),
                    today=job.today,
                    connection=connection,
                    whole=whole,
                ),
                plan_placing(
                    opened,
                    roles=roles,
                    source=source,
                    key=job.key,
                    working=job.config.crs.working,
                    areas=job.areas,
                    connection=connection,
                    whole=whole,
                ),
                plan_sorting(opened, roles=roles, source=source, categories=job.config.categories),
                plan_details(roles, source=source),
                plan_selection(opened, roles=roles, source=source, key=job.key),
            )
            return reading.run(connection)
        except Unsettled:
            # A date or coordinate has a form that the first rows did not have: examine whole columns, then read again.
            whole = True
        except (duckdb.Error, Unreadable) as error:
            # DuckDB reads strictly and refuses the whole file for one bad row: read row by row, so that only this row
            # is lost.
            if not opened.again:
                raise InputError(f"{job.path.name} cannot be read: {first_line(error)}") from error
            how = replace(how, careful=True)


def require_incident_columns(
    path: Path, *, source: IncidentSource, categories: Categories, limits: Run = DEFAULT_LIMITS
) -> None:
    """Refuse a file of incidents with missing columns, before any row is read.

    Raises
    ------
    InputError
        With every missing column, or the role without a column; or if the header cannot be read.
    """
    with (
        unpacked(path, limits=limits, head=True) as file,
        tempfile.TemporaryDirectory(prefix="hotspots-") as folder,
    ):
        reader = row_reader(file, stated=source.format)
        how = _opening(Path(folder), source=source, limits=limits)
        require_settings_fit(path, reader, layout=how.layout, sheet=how.sheet)
        header = reader.read_header(file, how)
        opened = Opened(path.name, header.columns, scan="", has_geometry=header.has_geometry)
        wanted = [*role_columns(source), *category_columns(categories), *where_columns(source)]
        with header_explained(file, wanted, how, reader=reader):
            find_columns(wanted, header.columns, file=path.name)
            roles = find_roles(opened, source=source)
    plan_sorting(opened, roles=roles, source=source, categories=categories)


def _opening(folder: Path, *, source: IncidentSource, limits: Run) -> Opening:
    return Opening(
        folder,
        limits,
        encoding=source.encoding,
        delimiter=source.delimiter,
        layer=source.layer,
        sheet=source.sheet,
        layout=layout_of(source),
    )


def _fault_rule(fault: str) -> int:
    return rule_code("geometry" if fault == NOT_A_POINT else "malformed") if fault else 0


_PLACE_CODES = np.array([rule_code(name) for name in PLACE_RULES], dtype=np.int8)


@dataclass(slots=True)
class Tally:
    """The row accounting while a file is read."""

    rows: int = 0
    kept: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    lost: Counter[int] = field(default_factory=Counter)
    online: int = 0
    snapped: int = 0
    month_only: int = 0
    without_id: int = 0
    first: str = ""
    last: str = ""

    def add(
        self,
        times: Times,
        placed: Placed,
        *,
        online: NDArray[np.bool_],
        rule: NDArray[np.int8],
        own_id: NDArray[np.bool_],
    ) -> None:
        """Count a batch."""
        good = rule == 0
        self.rows += len(rule)
        self.kept += int(good.sum())
        self.online += int((online & good).sum())
        self.snapped += int((placed.snapped & good).sum())
        self.without_id += int((~own_id & good).sum())
        for name, count in zip(RULES, np.bincount(rule, minlength=len(RULES) + 1)[1:], strict=True):
            self.rules[name] += int(count)
        for name, count in zip(PLACES, np.bincount(placed.place_code[good], minlength=len(PLACES)), strict=True):
            self.places[name] += int(count)
        months, counts = np.unique(times.month[np.isin(rule, _PLACE_CODES)], return_counts=True)
        self.lost.update({int(m): int(n) for m, n in zip(months, counts, strict=True)})
        # Incidents in areas that are not covered are not part of the data, so they do not extend its period.
        good &= placed.place_code != NOT_COVERED
        kept_dates = times.occurred_on.filter(good)
        if len(kept_dates):
            self.month_only += int(pc.sum(pc.equal(times.precision.filter(good), "month")).as_py())
            span = pc.min_max(kept_dates).as_py()
            self.first = min(self.first or span["min"], span["min"])
            self.last = max(self.last, span["max"])


@dataclass(slots=True)
class _Reading:
    """One pass over one file."""

    job: ReadJob
    opened: Opened
    roles: Roles
    moments: Moments
    placer: Placer
    sorter: Sorter
    details: Details
    selection: "Selection"

    def run(self, connection: Any) -> PartReport:
        """Stream the file."""
        tally, faults, rows_in_all = Tally(), self._faults(), self.opened.row_count(connection)
        with (
            PartWriter(self.job.out, incidents_schema()) as kept,
            PartWriter(self.job.quarantine_out, quarantine_schema()) as refused,
        ):
            for first, whole in self.opened.batches(connection, extra=self.moments.extra() | self.placer.extra()):
                # A file of one batch is read in no time.
                if rows_in_all > BATCH_ROWS:
                    self.job.progress("reading rows", min(first, rows_in_all), rows_in_all)
                table, numbers = self._selected(first, whole)
                if not len(numbers):
                    continue
                rows, rule, axes = self._incidents(numbers, table, tally)
                good = pa.array(rule == 0)
                kept.write(rows if bool(pc.all(good).as_py()) else rows.filter(good))
                bad = np.flatnonzero(rule)
                if len(bad):
                    faults.add(table, rule, axes)
                    refused.write(self._refused(numbers, table, bad, rule))
        if rows_in_all > BATCH_ROWS:
            self.job.progress("reading rows", rows_in_all, rows_in_all)
        return self._report(tally, faults)

    def _faults(self) -> FaultLog:
        written = self.placer.written
        return FaultLog(
            self.opened,
            self.roles,
            self.job.source,
            self.job.key,
            self.moments.last_date,
            None if written is None else written.columns,
        )

    def _selected(self, first: int, table: Any) -> tuple[Any, NDArray[np.int64]]:
        """Return the rows of a batch that `where` keeps, with their numbers in the file."""
        numbers = np.arange(first, first + table.num_rows, dtype=np.int64)
        if not self.selection.criteria:
            return table, numbers
        kept = self.selection.keep(table)
        if self.opened.staged:
            # An unreadable row cannot be checked against `where`: it is refused, not left out.
            kept |= coded(table[FAULT]).flags(lambda fault: fault not in {"", NOT_A_POINT})
        if kept.all():
            return table, numbers
        self.selection.left_out += int(np.count_nonzero(~kept))
        return table.filter(pa.array(kept)).combine_chunks(), numbers[kept]

    def _incidents(
        self, at: NDArray[np.int64], table: Any, tally: Tally
    ) -> tuple[Any, NDArray[np.int8], NDArray[np.int8]]:
        """Convert a batch to incidents, with the rule that refuses each row (0: none) and its coordinates at fault."""
        rows = table.num_rows
        numbers = pa.array(at)
        times = self.moments.read(table)
        details = self.details.read(table, salt=self.job.salt)
        placed = self.placer.place(table, online=details.online)
        categories, unknown = self.sorter.sort(table)
        # A row is refused by the first rule it breaks, in the order of RULES, so that it is counted under one rule:
        # unreadable, then date, then category, then location. New rules keep this order.
        rule = np.zeros(rows, dtype=np.int8)
        if self.opened.staged:
            rule = coded(table[FAULT]).numbers(_fault_rule).astype(np.int8)
        quarantined = unknown & (self.job.config.categories.unknown == "quarantine")
        for broken in (times.rule, np.where(quarantined, rule_code("category_unknown"), 0), placed.rule):
            rule = np.where(rule == 0, broken, rule).astype(np.int8)
        # Every row is counted, including refused ones; `quality` checks that rows read = incidents + quarantined.
        given, own = self._ids(table, numbers)
        tally.add(times, placed, online=details.online, rule=rule, own_id=own)
        # A postcode that was terminated after the month of the incident was in use then.
        stale = (placed.ended > 0) & (placed.ended < times.month)
        self.placer.postcode_profile.rows["terminated_before"] += int((stale & (rule == 0)).sum())
        columns = {
            "incident_id": given,
            "occurred_on": times.occurred_on,
            "date_precision": times.precision,
            "recorded_on": times.recorded_on,
            "month": pa.array(times.month),
            "hour_band": times.hour,
            "interval_start": times.interval_start,
            "interval_minutes": times.interval_minutes,
            "categories": categories,
            **details.columns,
            "online": pa.array(details.online),
            "source": pa.array([self.job.label], pa.string()).take(pa.array(np.zeros(rows, dtype=np.int8))),
            "source_row": numbers,
            "easting_m": placed.easting_m,
            "northing_m": placed.northing_m,
            "place": placed.place,
            "place_precision": placed.precision,
            "postcode_terminated": pa.array(stale, mask=placed.ended < 0),
            "snapped": pa.array(placed.snapped),
            "ward_code": placed.ward_code,
            "borough_code": placed.borough_code,
        }
        schema = incidents_schema()
        return pa.Table.from_arrays([columns[n] for n in schema.names], schema=schema), rule, placed.axes

    def _ids(self, table: Any, numbers: Any) -> tuple[Any, NDArray[np.bool_]]:
        """Ids, made from label and row if the source has none, and which rows have an id from the source."""
        made = pc.binary_join_element_wise(self.job.label, pc.cast(numbers, pa.string()), "#")
        if "id" not in self.roles.at:
            return made, np.zeros(table.num_rows, dtype=bool)
        given = pc.utf8_trim_whitespace(pc.fill_null(table[f"c{self.roles.at['id']}"], ""))
        given = given.combine_chunks() if isinstance(given, pa.ChunkedArray) else given
        own = pc.not_equal(given, "")
        if self.roles.missing:
            # Ids are many and long: only those short enough to be a text for a missing value are compared.
            short = pc.less_equal(pc.utf8_length(given), max(map(len, self.roles.missing)))
            if bool(pc.any(short).as_py()):
                gone = pc.is_in(pc.utf8_lower(given), value_set=pa.array(sorted(self.roles.missing), pa.string()))
                own = pc.and_not(own, pc.and_(short, gone))
        return pc.if_else(own, given, made), np.asarray(own)

    def _refused(self, numbers: NDArray[np.int64], table: Any, bad: NDArray[np.int64], rule: NDArray[np.int8]) -> Any:
        names = list(RULES)
        chosen = table.take(pa.array(bad))
        # The quarantine keeps the row as read, so that it can be corrected; a victim's reference is never stored
        # unhashed.
        secret = self.roles.at.get("victim")
        cells = [chosen[f"c{i}"].to_pylist() for i in range(len(self.opened.columns))]
        if secret is not None:
            cells[secret] = [_REDACTED if v and v.strip() else v for v in cells[secret]]
        faults = chosen[FAULT].to_pylist() if self.opened.staged else [None] * len(bad)
        raw = []
        for at, fault in enumerate(faults):
            row = dict(zip(self.opened.columns, (c[at] for c in cells), strict=True))
            raw.append(json.dumps(row, ensure_ascii=False) if fault in {None, NOT_A_POINT} else fault)
        rules = [names[int(r) - 1] for r in rule[bad]]
        schema = quarantine_schema()
        return pa.Table.from_pydict(
            {
                "source": [self.job.label] * len(bad),
                "source_row": numbers[bad].tolist(),
                "rule": rules,
                "reason": [RULES[r] for r in rules],
                "raw": raw,
            },
            schema=schema,
        )

    def _outside(self) -> str:
        unit = "row" if "sheet" in self.opened.facts else "line"
        return left_out_caution(self.job.label, self.opened.outside, header=self.opened.header, unit=unit)

    def _all_off(self, guess: Guess) -> bool:
        strays = self.placer.strays
        # Swapped columns have their own rule, which refuses the rows.
        return not guess.exchanged and strays.off >= max(_FEWEST_OFF, _ALL_OFF * strays.points)

    def _report(self, tally: Tally, faults: FaultLog) -> PartReport:
        if self.job.config.categories.unknown == "error" and self.sorter.unknown:
            texts = ", ".join(f"{t!r} ({n} rows)" for t, n in sorted(self.sorter.unknown.items()))
            raise InputError(
                f"{self.opened.name} has categories that are not in the configuration: {texts}. Add them to "
                "categories.tree, or set categories.unknown to quarantine or ignore"
            )
        guess = self.placer.misplaced(self.job.key)
        decisions = {
            **self.opened.facts,
            "columns": self.roles.found,
            "coordinates": "; ".join(
                part
                for part in (
                    self.roles.note or self.roles.coordinates or "none",
                    self.placer.written.note if self.placer.written else "",
                )
                if part
            ),
            "operation": self.placer.operation,
            "dates": self.moments.occurred.note,
            "date_forms": list(self.moments.occurred.forms),
            "times": self.moments.note,
            "last_date": self.moments.last_date,
        }
        return PartReport(
            source=self.job.label,
            rows_read=tally.rows + self.selection.left_out,
            left_out=self.selection.left_out,
            where=self.selection.report(),
            incidents=tally.kept,
            quarantined={name: tally.rules[name] for name in RULES if tally.rules[name]},
            places={name: tally.places[name] for name in PLACES},
            online=tally.online,
            snapped=tally.snapped,
            month_only=tally.month_only,
            without_id=tally.without_id,
            lost_places=dict(sorted(tally.lost.items())),
            unknown_categories=dict(sorted(self.sorter.unknown.items())),
            unknown_boroughs=dict(sorted(self.placer.unknown_boroughs.items())),
            unknown_areas=dict(sorted(self.placer.unknown_areas.items())),
            labels=dict(sorted(self.sorter.lookup.labels.items())),
            intervals={name: rows for name, rows in sorted(self.moments.intervals.items()) if rows},
            unreadable=dict(sorted((self.moments.unreadable + self.details.unreadable).items())),
            ward_checks=dict(sorted(self.placer.ward_checks.items())),
            postcodes=dict(sorted(self.placer.postcode_profile.rows.items())) if "postcode" in self.roles.at else {},
            postcode_examples={s: dict(sorted(t.items())) for s, t in self.placer.postcode_profile.examples.items()},
            first_date=tally.first,
            last_date=tally.last,
            has_outcomes=self.details.has_outcomes,
            decisions=decisions,
            faults=faults.report(place_cause=guess.text if guess else ""),
            misplaced=guess.text if guess and self._all_off(guess) else "",
            outside=[row._asdict() for row in self.opened.outside],
            cautions=[
                *self.opened.cautions,
                *filter(None, [self._outside()]),
                *(
                    f"{self.job.label}: {caution}"
                    for caution in (
                        *_cut(tally.rows + self.selection.left_out),
                        *_reversed(self.moments.intervals["reversed"]),
                        *self.placer.cautions(),
                    )
                ),
            ],
        )


_MOST_ROWS = {1_048_576: "Excel and LibreOffice", 65_536: "Excel 97-2003 (.xls)"}


def _reversed(rows: int) -> list[str]:
    """Say that intervals end before they start."""
    if not rows:
        return []
    have = "1 row has" if rows == 1 else f"{rows:,} rows have"
    return [f"{have} a time in columns.to before that in columns.from: only the month of the latter is used for them."]


def _cut(rows: int) -> list[str]:
    """Say that a file has exactly as many rows as a sheet can hold, its header among them."""
    return [
        f"the file has exactly {most:,} rows with its header, the most that a sheet of {program} holds: rows beyond "
        "them were probably cut off when it was saved. Export it again from the system that recorded the data."
        for most, program in _MOST_ROWS.items()
        if rows + 1 == most
    ]


# If nearly all points of a file are outside the areas by one mistake, the run stops, however many rows may be refused.
_ALL_OFF, _FEWEST_OFF = 0.9, 5


# Parquet parts with the same bytes for the same rows.

_TYPES = {"string": pa.string(), "date": pa.string(), "float": pa.float64(), "bool": pa.bool_(), "int": pa.int64()}
_SMALL = {"month": pa.int32(), "hour_band": pa.int8()}


def _schema(table: Table) -> Any:
    return pa.schema([pa.field(c.name, _SMALL.get(c.name, _TYPES[c.kind]), nullable=c.null) for c in table.columns])


def incidents_schema() -> Any:
    """Arrow schema of INCIDENTS."""
    return _schema(INCIDENTS)


def quarantine_schema() -> Any:
    """Arrow schema of QUARANTINE."""
    return _schema(QUARANTINE)


# Columns of mostly different values: dictionary encoding would be tried and discarded.
_DISTINCT = frozenset({"incident_id", "victim_hash", "source_row", "easting_m", "northing_m", "raw"})


class PartWriter:
    """Writes a part batch by batch in a separate thread, at most one batch behind, so that memory is limited.

    A write error is raised with the next batch, or at the end.
    """

    def __init__(self, path: Path, schema: Any) -> None:
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            compression_level=1,
            store_schema=False,
            use_dictionary=[n for n in schema.names if n not in _DISTINCT],
            column_encoding={"source_row": "DELTA_BINARY_PACKED"},
        )
        self._beside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="part")
        self._under_way: Future[None] | None = None

    def write(self, table: Any) -> None:
        """Append rows."""
        if table.num_rows:
            self._wait()
            self._under_way = self._beside.submit(self._writer.write_table, table)

    def _wait(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._wait()
        finally:
            self._beside.shutdown()
            self._writer.close()


# Row selection: `incidents[].where` keeps the rows that match and leaves the others out of the run.

_MOST_TEXTS = 20


@dataclass(frozen=True, slots=True)
class _Criterion:
    """Texts that one column must contain, or must not contain, as normalised by `_key`."""

    column: str
    at: int
    texts: frozenset[str]
    excluded: bool
    missing: frozenset[str]


@dataclass(slots=True)
class Selection:
    """The criteria of one file, and its counts: rows left out, and rows by text of each column."""

    criteria: tuple[_Criterion, ...]
    left_out: int = 0
    met: dict[str, Counter[str]] = field(default_factory=dict)

    def keep(self, table: Any) -> NDArray[np.bool_]:
        """Return which rows of a batch match every criterion."""
        kept = np.ones(table.num_rows, dtype=bool)
        for criterion in self.criteria:
            found = coded(table[f"c{criterion.at}"], criterion.missing)
            met = self.met.setdefault(criterion.column, Counter())
            for text, rows in found.counts().items():
                met[_key(text)] += rows
            kept &= found.flags(lambda text, c=criterion: (_key(text) in c.texts) != c.excluded)  # type: ignore[misc]
        return kept

    def report(self) -> dict[str, dict[str, int]]:
        """Return the number of rows by text of each column: for texts in the settings and the most frequent others."""
        out = {}
        for criterion in self.criteria:
            met = self.met.get(criterion.column, Counter())
            often = sorted(met, key=lambda t: (-met[t], t))[:_MOST_TEXTS]
            out[criterion.column] = {t: met[t] for t in sorted({*often, *criterion.texts})}
        return out


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()


def where_columns(source: IncidentSource, *, key: str = "incidents") -> list[tuple[str, str]]:
    """Return configuration key and name of every column that a source selects by."""
    return [(f"{key}.where", name) for name in source.where]


def plan_selection(opened: Opened, *, roles: Roles, source: IncidentSource, key: str) -> Selection:
    """Find the columns that a source selects by.

    Raises
    ------
    InputError
        If one of them is missing.
    """
    places = find_columns(where_columns(source, key=key), opened.columns, file=opened.name)
    criteria = []
    for at, (column, value) in zip(places, source.where.items(), strict=True):
        excluded = isinstance(value, Mapping)
        texts = frozenset(_key(t) for t in (value["not"] if isinstance(value, Mapping) else value))
        # A text in the criteria is never a missing value; a missing value is selected by an empty text.
        missing = frozenset(m for m in roles.missing if _key(m) not in texts)
        criteria.append(_Criterion(column, at, texts, excluded, missing))
    return Selection(tuple(criteria))


def require_selected(source: IncidentSource, reports: Sequence[PartReport], *, key: str) -> list[str]:
    """Return a caution for every text of `where` that no row has.

    Raises
    ------
    InputError
        If every row is left out, with the texts of the columns.
    """
    read, left_out = sum(r.rows_read for r in reports), sum(r.left_out for r in reports)
    met: dict[str, Counter[str]] = {}
    for report in reports:
        for column, texts in report.where.items():
            met.setdefault(column, Counter()).update(texts)
    if read and left_out == read:
        held = "; ".join(f"{column!r} holds {_listed(texts)}" for column, texts in met.items())
        raise InputError(
            f"{key}.where leaves out all {read:,} rows of {source.name}: {held}. Set it to texts of the column "
            "(in upper or lower case), or remove it"
        )
    cautions = []
    for column, value in source.where.items():
        named = value["not"] if isinstance(value, Mapping) else value
        held_here = met.get(column, Counter())
        lost = [t for t in named if not held_here[_key(t)]]
        # An unquoted yes stands for all its spellings, of which a file has one.
        if lost and not (named in TRUTHS and len(lost) < len(named)):
            cautions.append(
                f"No row of {source.name} has {' or '.join(map(repr, lost))} in the column {column!r}, which "
                f"{key}.where lists. It contains {_listed(held_here)}."
            )
    return cautions


def _listed(texts: Mapping[str, int]) -> str:
    held: Iterable[str] = sorted((t for t in texts if texts[t]), key=lambda t: (-texts[t], t))[:5]
    return ", ".join(f"{t or 'nothing'!r} ({texts[t]:,} rows)" for t in held)


# Files of another type among the files of a source: found by their headers, before any row is read.
# A glob such as `2024-*/*.csv` matches all files in police.uk's monthly folders. Outcomes and stops and searches have a
# date and a location, so they would be counted as crimes.


# Columns that identify a type of file; a street file has none of them.
_OTHER_KINDS = {
    "outcomes": frozenset({"crime id", "outcome type"}),
    "stops and searches": frozenset({"type", "gender", "age range", "object of search"}),
}
_STREET = frozenset({"month", "crime type"})
_LISTED = 5


def require_alike(
    files: Sequence[Path], *, source: IncidentSource, categories: Categories, limits: Run, key: str
) -> None:
    """Refuse files of a source that are of another type than the others, before any row is read.

    These are police.uk's outcome and stop-and-search files among its street files, and files without a column that has
    a role in most other files. Columns that are not read may differ.

    Parameters
    ----------
    files
        All files of the source.
    source, categories, limits
        Settings.
    key
        Position of the source in the configuration, for messages: `incidents[0]`.

    Raises
    ------
    InputError
        With the files and what to do.
    """
    if len(files) < 2:
        return
    headers = {}
    with tempfile.TemporaryDirectory(prefix="hotspots-") as folder:
        how = _opening(Path(folder), source=source, limits=limits)
        for file in files:
            # A file that cannot be opened is refused when it is read.
            try:
                with unpacked(file, limits=limits, head=True) as found:
                    headers[file] = row_reader(found, stated=source.format).read_header(found, how)
            except HotspotsError:
                continue
    kinds = {file: _kind(header) for file, header in headers.items()}
    others = {file: kind for file, kind in kinds.items() if kind}
    if others and len(set(kinds.values())) > 1:
        raise _of_another_kind(others, street=[f for f in headers if f not in others], source=source, key=key)
    parts = {f: _parts(f, header, source=source, categories=categories) for f, header in headers.items()}
    lacking = _lacking({file: found for file, found in parts.items() if found is not None})
    if lacking:
        raise InputError(
            "; ".join(f"{_named(alike)} {columns}" for columns, alike in sorted(lacking.items()))
            + f", which most files of {key}.paths have: they may be of another type. Remove them from {key}.paths, or "
            "configure them as a separate source with its own columns"
        )


def _kind(header: Header) -> str:
    names = {column.casefold() for column in header.columns}
    if names >= _STREET:
        return ""
    return next((kind for kind, columns in _OTHER_KINDS.items() if columns <= names), "")


def _of_another_kind(
    others: Mapping[Path, str], *, street: Sequence[Path], source: IncidentSource, key: str
) -> InputError:
    by_kind: dict[str, list[Path]] = defaultdict(list)
    for file, kind in sorted(others.items()):
        by_kind[kind].append(file)
    listed = "; ".join(f"{kind}: {_named(files, 20)}" for kind, files in sorted(by_kind.items()))
    remedy = f"Remove them from {key}.paths"
    endings = sorted({"*-street" + "".join(f.suffixes[-2:]) for f in street if "-street." in f.name})
    if endings and all("-street." in f.name for f in street):
        # The same folders, but only the street files.
        folders = {
            f"{pattern}/**/" if Path(pattern).suffix.casefold() in ENDINGS else "".join(pattern.rpartition("/")[:2])
            for pattern in source.paths
        }
        globs = sorted(folder + ending for folder in folders for ending in endings)
        remedy = f"Set {key}.paths to [{', '.join(globs)}], which matches only the street files"
    return InputError(
        f"{len(others)} of the files of {key}.paths are police.uk's outcomes or stops and searches, which are not "
        f"incidents and would be counted as such ({listed}). {remedy}"
    )


def _parts(file: Path, header: Header, *, source: IncidentSource, categories: Categories) -> dict[str, str] | None:
    """Return the roles of the file's columns, each with its column; None if required columns are missing."""
    opened = Opened(file.name, header.columns, scan="", has_geometry=header.has_geometry)
    try:
        roles = find_roles(opened, source=source)
    except HotspotsError:
        return None  # refused when it is read
    names = {column.casefold(): column for column in header.columns}
    found = {role: text.rpartition(" (")[0] for role, text in roles.found.items()}
    # One role for coordinates of any kind: a CSV with longitudes and a GeoPackage with points may be mixed.
    pairs = [[found.pop(role) for role in pair if role in found] for pair in (("lon", "lat"), ("x", "y"))]
    if header.has_geometry or any(pairs):
        found["coordinates"] = next((" and ".join(pair) for pair in pairs if pair), "a geometry")
    found |= {
        setting: names[name.casefold()] for setting, name in category_columns(categories) if name.casefold() in names
    }
    return found


def _lacking(parts: Mapping[Path, Mapping[str, str]]) -> dict[str, list[Path]]:
    """Group the files by the columns that they lack and most others have."""
    have = Counter(part for found in parts.values() for part in found)
    column = {part: name for found in parts.values() for part, name in found.items()}
    lacking: dict[str, list[Path]] = defaultdict(list)
    for file, found in sorted(parts.items()):
        missing = [p for p in sorted(have) if p not in found and 2 * have[p] > len(parts) - 1]
        if missing:
            lacking[f"without {', '.join(repr(column[p]) for p in missing)}"].append(file)
    return dict(lacking)


def _named(files: Sequence[Path], most: int = _LISTED) -> str:
    more = f" and {len(files) - most} more" if len(files) > most else ""
    return ", ".join(file.name for file in files[:most]) + more
