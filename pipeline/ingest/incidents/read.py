"""One input file of incidents in, one Parquet part and one of refused rows out, a bounded batch at a time."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.config import Config, IncidentSource
from pipeline.errors import InputError
from pipeline.ingest.formats.files import file_format, plain_text
from pipeline.ingest.formats.parquet import open_parquet
from pipeline.ingest.formats.source import FAULT, NOT_A_POINT, Opened, Unreadable, first_line
from pipeline.ingest.formats.text import open_text
from pipeline.ingest.formats.vector import open_vector
from pipeline.ingest.incidents.account import PartReport, Tally
from pipeline.ingest.incidents.categories import Sorter, plan_sorting
from pipeline.ingest.incidents.coded import coded
from pipeline.ingest.incidents.columns import Roles, find_roles
from pipeline.ingest.incidents.dates import Moments, Unsettled, plan_moments
from pipeline.ingest.incidents.details import Details, plan_details
from pipeline.ingest.incidents.places import Locate, Placer, plan_placing
from pipeline.ingest.incidents.quarantine import RULES, rule_code
from pipeline.storage.duckdb import connect
from pipeline.tables import INCIDENTS, QUARANTINE, Table

__all__ = ["PartWriter", "incidents_schema", "quarantine_schema", "read_incidents"]


_REDACTED = "[redacted]"


def read_incidents(
    path: Path,
    *,
    source: IncidentSource,
    config: Config,
    locate: Locate,
    ward_codes: Sequence[str],
    parents: Sequence[str],
    borough_names: Mapping[str, str],
    bounds: tuple[float, float, float, float],
    out: Path,
    quarantine_out: Path,
    salt: bytes,
    label: str | None = None,
    today: str | None = None,
) -> PartReport:
    """Read one file into one part.

    Parameters
    ----------
    path
        CSV (also .gz), GeoJSON, GeoPackage, Shapefile, MapInfo TAB or Parquet.
    source, config
        Settings of the source and of the run.
    locate
        Takes eastings and northings, shape (n, 2), to positions in `ward_codes` (-1 outside) and whether each was
        given to the nearest.
    ward_codes, parents
        Wards and the borough of each, in the order `locate` knows.
    borough_names
        Name per borough code.
    bounds
        West, south, east, north of all areas, in metres.
    out, quarantine_out
        Parquet files to write (INCIDENTS and QUARANTINE), sorted by row, byte-identical for identical input.
    salt
        Key of the victims' hashes, at most 64 bytes.
    label
        What the `source` column says; source name and file name if left out (see `source_labels`).
    today
        ISO date after which a date lies in the future, unless the source gives last_date.

    Raises
    ------
    InputError
        If the file cannot be used as it is.
    """
    label = label or f"{source.name}/{path.name}"
    out.parent.mkdir(parents=True, exist_ok=True)
    quarantine_out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".reading-") as name:
        folder = Path(name)
        connection = connect(
            memory_limit_mb=config.run.memory_limit_mb, folders=(path.parent, folder), spill=folder / "spill"
        )
        try:
            careful = whole = False
            while True:
                opened = _open(path, source=source, config=config, folder=folder, careful=careful)
                try:
                    roles = find_roles(opened, source=source)
                    reading = _Reading(
                        opened,
                        roles,
                        plan_moments(
                            opened,
                            roles=roles,
                            source=source,
                            today=today or date.today().isoformat(),  # noqa: DTZ011 the analyst's own day
                            connection=connection,
                            whole=whole,
                        ),
                        plan_placing(
                            opened,
                            roles=roles,
                            source=source,
                            working=config.crs.working,
                            bounds=bounds,
                            locate=locate,
                            ward_codes=ward_codes,
                            parents=parents,
                            borough_names=borough_names,
                        ),
                        plan_sorting(opened, roles=roles, source=source, categories=config.categories),
                        plan_details(roles, source=source),
                        salt,
                        label,
                        config.categories.unknown,
                    )
                    return reading.run(connection, out=out, quarantine_out=quarantine_out)
                except Unsettled:
                    whole = True
                except (duckdb.Error, Unreadable) as error:
                    if careful or opened.staged or not opened.facts:
                        raise InputError(f"{path.name} cannot be read: {first_line(error)}") from error
                    careful = True
        finally:
            connection.close()


def _fault_rule(fault: str) -> int:
    return rule_code("geometry" if fault == NOT_A_POINT else "malformed") if fault else 0


def _open(path: Path, *, source: IncidentSource, config: Config, folder: Path, careful: bool) -> Opened:
    kind = file_format(path, stated=source.format)
    if kind == "parquet":
        return open_parquet(path, folder=folder, limits=config.run)
    if kind != "csv":
        return open_vector(path, layer=source.layer, folder=folder, limits=config.run)
    plain = plain_text(path, encoding=source.encoding, folder=folder, limits=config.run)
    return open_text(
        plain,
        name=path.name,
        encoding=source.encoding,
        delimiter=source.delimiter,
        folder=folder,
        careful=careful,
        limits=config.run,
    )


@dataclass(slots=True)
class _Reading:
    """One pass over one file."""

    opened: Opened
    roles: Roles
    moments: Moments
    placer: Placer
    sorter: Sorter
    details: Details
    salt: bytes
    label: str
    unknown: str

    def run(self, connection: Any, *, out: Path, quarantine_out: Path) -> PartReport:
        """Stream the file."""
        tally = Tally()
        with PartWriter(out, incidents_schema()) as kept, PartWriter(quarantine_out, quarantine_schema()) as refused:
            for first, table in self.opened.batches(connection, extra=self.moments.extra() | self.placer.extra()):
                rows, rule = self._incidents(first, table, tally)
                good = pa.array(rule == 0)
                kept.write(rows if bool(pc.all(good).as_py()) else rows.filter(good))
                bad = np.flatnonzero(rule)
                if len(bad):
                    refused.write(self._refused(first, table, bad, rule))
        return self._report(tally)

    def _incidents(self, first: int, table: Any, tally: Tally) -> tuple[Any, NDArray[np.int8]]:
        """Turn a batch into incidents, with the rule that refuses each row (0 for none)."""
        rows = table.num_rows
        numbers = pa.array(np.arange(first, first + rows, dtype=np.int64))
        times = self.moments.read(table)
        details = self.details.read(table, salt=self.salt)
        placed = self.placer.place(table, online=details.online)
        categories, unknown = self.sorter.sort(table)
        rule = np.zeros(rows, dtype=np.int8)
        if self.opened.staged:
            rule = coded(table[FAULT]).numbers(_fault_rule).astype(np.int8)
        for more in (times.rule, np.where(unknown & (self.unknown == "quarantine"), rule_code("category_unknown"), 0)):
            rule = np.where(rule == 0, more, rule).astype(np.int8)
        rule = np.where(rule == 0, placed.rule, rule).astype(np.int8)
        given, own = self._ids(table, numbers)
        tally.add(times, placed, online=details.online, rule=rule, own_id=own)
        columns = {
            "incident_id": given,
            "occurred_on": times.occurred_on,
            "date_precision": times.precision,
            "recorded_on": times.recorded_on,
            "month": pa.array(times.month),
            "hour_band": times.hour,
            "categories": categories,
            **details.columns,
            "online": pa.array(details.online),
            "source": pa.array([self.label], pa.string()).take(pa.array(np.zeros(rows, dtype=np.int8))),
            "source_row": numbers,
            "easting_m": placed.easting_m,
            "northing_m": placed.northing_m,
            "place": placed.place,
            "snapped": pa.array(placed.snapped),
            "ward_code": placed.ward_code,
            "borough_code": placed.borough_code,
        }
        schema = incidents_schema()
        return pa.Table.from_arrays([columns[n] for n in schema.names], schema=schema), rule

    def _ids(self, table: Any, numbers: Any) -> tuple[Any, NDArray[np.bool_]]:
        """Ids, made from label and row where the source gives none, and which rows have one of their own."""
        made = pc.binary_join_element_wise(self.label, pc.cast(numbers, pa.string()), "#")
        if "id" not in self.roles.at:
            return made, np.zeros(table.num_rows, dtype=bool)
        given = pc.utf8_trim_whitespace(pc.fill_null(table[f"c{self.roles.at['id']}"], ""))
        given = given.combine_chunks() if isinstance(given, pa.ChunkedArray) else given
        own = pc.not_equal(given, "")
        return pc.if_else(own, given, made), np.asarray(own)

    def _refused(self, first: int, table: Any, bad: NDArray[np.int64], rule: NDArray[np.int8]) -> Any:
        names = list(RULES)
        chosen = table.take(pa.array(bad))
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
                "source": [self.label] * len(bad),
                "source_row": (bad + first).tolist(),
                "rule": rules,
                "reason": [RULES[r] for r in rules],
                "raw": raw,
            },
            schema=schema,
        )

    def _report(self, tally: Tally) -> PartReport:
        if self.unknown == "error" and self.sorter.unknown:
            texts = ", ".join(f"{t!r} ({n} rows)" for t, n in sorted(self.sorter.unknown.items()))
            raise InputError(
                f"{self.opened.name} has categories that the configuration does not know: {texts}. Add them to "
                "categories.tree, or set categories.unknown to quarantine or ignore"
            )
        decisions = {
            **self.opened.facts,
            "columns": self.roles.found,
            "coordinates": self.roles.note or self.roles.coordinates or "none",
            "operation": self.placer.operation,
            "dates": self.moments.occurred.note,
            "last_date": self.moments.last_date,
        }
        return PartReport(
            source=self.label,
            rows_read=tally.rows,
            incidents=tally.kept,
            quarantined={name: tally.rules[name] for name in RULES if tally.rules[name]},
            places={name: tally.places[name] for name in ("point", "outside", "borough", "none")},
            online=tally.online,
            snapped=tally.snapped,
            month_only=tally.month_only,
            without_id=tally.without_id,
            lost_places=dict(sorted(tally.lost.items())),
            unknown_categories=dict(sorted(self.sorter.unknown.items())),
            unknown_boroughs=dict(sorted(self.placer.unknown_boroughs.items())),
            labels=dict(sorted(self.sorter.lookup.labels.items())),
            unreadable=dict(sorted((self.moments.unreadable + self.details.unreadable).items())),
            ward_checks=dict(sorted(self.placer.ward_checks.items())),
            first_date=tally.first,
            last_date=tally.last,
            has_outcomes=self.details.has_outcomes,
            decisions=decisions,
        )


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


# Columns of mostly different values: a dictionary of them would only be tried and thrown away.
_DISTINCT = frozenset({"incident_id", "victim_hash", "source_row", "easting_m", "northing_m", "raw"})


class PartWriter:
    """Writes a part batch by batch, in a thread of its own and one batch behind, so that memory does not grow.

    A fault in writing is raised with the next batch, or at the end.
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
