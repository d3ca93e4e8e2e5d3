"""Rows of a database, read only, as a file that the readers of `formats` read: from PostgreSQL, SQLite, DuckDB, others.

A copy comes first, for three reasons: the rows are read in one transaction, so that they are of one moment; every check
and every message about files holds for them; and the SHA-256 of the copy says whether anything has changed.
"""

import contextlib
import csv
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import quote, quote_plus

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import DatabaseTable, Run
from pipeline.config.section import did_you_mean
from pipeline.errors import ConfigError, EngineError, HotspotsError, InputError
from pipeline.ingest.formats.files import clean_names, first_line
from pipeline.storage.duckdb import identifier

__all__ = ["Copied", "copy_rows", "copy_suffix", "require_select"]

_BATCH = 10_000
_GROUP = 50_000  # rows of a row group: a copy that grew has the bytes of one made at once
_MB = 1_000_000
_CONNECT_SECONDS = 15
_KEPT = "The last complete outputs are as they were."


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy holds: its rows, how many of them are new, and what the next run needs to know of it."""

    rows: int
    added: int
    memory: dict[str, Any] = field(default_factory=dict)


def copy_suffix(key: str) -> str:
    """Return the type of a copy: Parquet for incidents, which may have a geometry; CSV for small tables."""
    return ".parquet" if key.startswith("incidents") else ".csv"


def copy_rows(
    settings: DatabaseTable,
    *,
    key: str,
    base: Path,
    target: Path,
    limits: Run,
    most_rows: int | None = None,
    known: Mapping[str, Any] | None = None,
) -> Copied:
    """Copy the rows of a table or query to a file, in the order of `order_by`.

    Parameters
    ----------
    settings
        The database and what to read.
    key
        Position in the configuration, for messages: `incidents[0].source`.
    base
        Folder that a database file is relative to.
    target
        The copy; see `copy_suffix`.
    limits
        Limits on columns and size.
    most_rows
        Only the first rows; None for all.
    known
        The `memory` of the copy that stands at `target`, if its settings were the same; None to read every row.

    Raises
    ------
    ConfigError
        If the environment variable is missing, or the query is not a single SELECT.
    InputError
        If the database cannot be reached or read, or lacks the table or a column, or `order_by` is not unique.
    EngineError
        If the extra `database` is not installed.
    """
    if settings.query is not None:
        require_select(settings.query, key=key)
    with _open(settings, key=key, base=base) as database:
        return _Copying(settings, key, database, target, limits, most_rows).run(known)


@dataclass(slots=True)
class _Copying:
    settings: DatabaseTable
    key: str
    database: "_Database"
    target: Path
    limits: Run
    most_rows: int | None

    def run(self, known: Mapping[str, Any] | None) -> Copied:
        columns = self.database.columns(self._rows_of())
        most = self.limits.max_columns
        if len(columns) > most:
            raise InputError(f"{self.key}: {len(columns):,} columns, more than run.max_columns ({most:,})")
        order = [self._find(name, columns, "order_by") for name in self.settings.order_by]
        mark = self._find(self.settings.watermark, columns, "watermark") if self.settings.watermark else None
        since = self._unchanged_up_to(columns, mark, known)
        if since is not None and known is not None:
            if int(self._ask(f"SELECT count(*) FROM {self._rows_of()}", {})) == int(known["rows"]):
                return Copied(int(known["rows"]), 0, dict(known))
            # Rows can only be appended to the copy if they come after all others in the order of the rows.
            if order[0] != mark:
                since = None
        return self._write(columns, order, mark, since=since, known=known)

    def _rows_of(self) -> str:
        """Return the table expression: the user's table, or the user's own statement, which `require_select` passed."""
        if self.settings.table is not None:
            return ".".join(self.database.quoted(part) for part in self.settings.table.split("."))
        # The line end closes a comment at the end of the statement.
        return f"({(self.settings.query or '').strip().rstrip(';')}\n) rows_of_source"

    def _find(self, name: str, columns: Sequence[str], setting: str) -> int:
        exactly = [i for i, c in enumerate(columns) if c == name]
        met = exactly or [i for i, c in enumerate(columns) if c.casefold() == name.casefold()]
        if len(met) != 1:
            raise InputError(
                f"{self.key}.{setting}: the rows have no column {name!r}{did_you_mean(name, list(columns))}. They "
                f"have: {', '.join(map(repr, columns[:60]))}"
                if not met
                else f"{self.key}.{setting}: the rows have several columns {name!r}: name them apart in the query"
            )
        return met[0]

    def _ask(self, sql: str, values: Mapping[str, Any]) -> Any:
        return next(iter(next(iter(self.database.rows(sql, values)), [(0,)])))[0]

    def _unchanged_up_to(self, columns: Sequence[str], mark: int | None, known: Mapping[str, Any] | None) -> Any | None:
        """Return the watermark up to which the copy still has all rows of the database; None if it is not certain."""
        if mark is None or known is None or known.get("columns") != list(columns) or not self.target.is_file():
            return None
        since = _restored(known.get("watermark"))
        if since is None:
            return None
        older = self._ask(
            f"SELECT count(*) FROM {self._rows_of()} WHERE {self.database.quoted(columns[mark])} <= :since",
            {"since": since},
        )
        return since if int(older) == int(known["rows"]) else None

    def _write(
        self,
        columns: Sequence[str],
        order: Sequence[int],
        mark: int | None,
        *,
        since: Any,
        known: Mapping[str, Any] | None,
    ) -> Copied:
        name = self.database.quoted
        where = f" WHERE {name(columns[mark])} > :since" if since is not None and mark is not None else ""
        sql = f"SELECT * FROM {self._rows_of()}{where} ORDER BY {', '.join(name(columns[i]) for i in order)}"
        geometry = self.database.geometry(self._rows_of(), columns, key=self.key)
        part = self.target.with_name(f".{self.target.name}.part")
        order_check = _Unique([columns[i] for i in order], order, key=self.key)
        highest = since
        before = int(known["rows"]) if since is not None and known is not None else 0
        writer = _Writer(part, columns, geometry, key=self.key, limits=self.limits)
        added = 0
        try:
            with writer:
                if since is not None:
                    writer.take_over(self.target)
                for rows in self.database.rows(sql, {"since": since} if where else {}):
                    batch = rows if self.most_rows is None else rows[: self.most_rows - added]
                    order_check.add(batch)
                    if mark is not None:
                        highest = _highest(highest, [row[mark] for row in batch], key=self.key)
                    writer.add(batch)
                    added += len(batch)
                    if self.most_rows is not None and added >= self.most_rows:
                        break
            part.chmod(0o600)
            part.replace(self.target)
        finally:
            part.unlink(missing_ok=True)
        memory = {"rows": before + added, "columns": list(columns)}
        if mark is not None:
            memory["watermark"] = _kept(highest)
        return Copied(before + added, added, memory)


# One statement that only reads. A read-only transaction is the second guard, where the database has one.

_NOT_WORDS = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\$(\w*)\$.*?\$\1\$", re.DOTALL)
_READING = ("SELECT", "WITH", "VALUES", "TABLE", "FROM")
_WRITING = frozenset({
    "INSERT", "UPDATE", "DELETE", "MERGE", "UPSERT", "DROP", "ALTER", "CREATE", "TRUNCATE", "GRANT", "REVOKE", "CALL",
    "EXEC", "EXECUTE", "COPY", "ATTACH", "DETACH", "PRAGMA", "VACUUM", "INTO", "SET", "LOCK", "INSTALL", "LOAD",
})  # fmt: skip


def require_select(query: str, *, key: str) -> None:
    """Refuse anything but one statement that reads.

    Raises
    ------
    ConfigError
        With the word that is not that of a reading statement.

    Examples
    --------
    >>> require_select("SELECT id, 'delete; me' AS note FROM crimes -- all", key="incidents[0].source")
    >>> require_select("DELETE FROM crimes", key="incidents[0].source")
    Traceback (most recent call last):
    ...
    pipeline.errors.ConfigError: incidents[0].source.query begins with DELETE: a source is only read. ...
    """
    plain = _NOT_WORDS.sub(" ", query).strip()
    words = [word.upper() for word in re.findall(r"[A-Za-z_]\w*", plain)]
    advice = "Give one SELECT statement; a column with such a name is written in double quotation marks"
    if not words or words[0] not in _READING:
        first = words[0] if words else "no word"
        raise ConfigError(f"{key}.query begins with {first}: a source is only read. {advice}")
    if ";" in plain.rstrip("; \n\t\r"):
        raise ConfigError(f"{key}.query has several statements: a source is only read. {advice}")
    if writing := [word for word in words if word in _WRITING]:
        raise ConfigError(f"{key}.query has the word {writing[0]}: a source is only read. {advice}")


# Values as text, as a CSV of the same table would have them.


def _text(value: Any) -> str | None:  # noqa: PLR0911 - one line for each type
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            return value.astimezone(UTC).isoformat(timespec="auto").replace("+00:00", "Z")
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes | bytearray | memoryview):
        raw = bytes(value)
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode("utf-8")
        return raw.hex()
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _highest(so_far: Any, values: Sequence[Any], *, key: str) -> Any:
    if any(value is None for value in values):
        raise InputError(
            f"{key}.watermark: some rows have no value in this column, so that it cannot show what is new: remove "
            "watermark, or choose a column that is always filled"
        )
    found = [*([so_far] if so_far is not None else []), *values]
    return max(found) if found else None


def _kept(value: Any) -> dict[str, str] | None:
    """Return a watermark as plain values."""
    if value is None:
        return None
    kinds = {"datetime": datetime, "date": date, "int": int, "float": float, "decimal": Decimal, "text": str}
    kind = next((name for name, type_ in kinds.items() if isinstance(value, type_)), None)
    if kind is None:
        return None  # of another type: every run reads all rows
    return {"kind": kind, "value": value.isoformat() if isinstance(value, date) else str(value)}


def _restored(kept: Mapping[str, str] | None) -> Any | None:
    if kept is None:
        return None
    make: dict[str, Any] = {
        "datetime": datetime.fromisoformat, "date": date.fromisoformat, "int": int, "float": float,
        "decimal": Decimal, "text": str,
    }  # fmt: skip
    return make[kept["kind"]](kept["value"])


class _Unique:
    """Whether `order_by` settles the order of the rows: equal neighbours must be equal as a whole."""

    def __init__(self, names: Sequence[str], at: Sequence[int], *, key: str) -> None:
        self._names, self._at, self._key = names, at, key
        self._last: Sequence[Any] | None = None

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            last, self._last = self._last, row
            if last is None or any(row[i] != last[i] for i in self._at):
                continue
            if tuple(map(_text, row)) != tuple(map(_text, last)):
                values = ", ".join(f"{n} {_text(row[i])!r}" for n, i in zip(self._names, self._at, strict=True))
                raise InputError(
                    f"{self._key}.order_by does not settle the order of the rows: different rows have {values}. Add a "
                    "column, so that together they are unique (a primary key is); otherwise two runs on the same "
                    "rows could differ"
                )


@dataclass(frozen=True, slots=True)
class _Geometry:
    """The geometry column, and its coordinate system as an EPSG code (None if it has none)."""

    at: int
    srid: int | None


class _Writer:
    """Writes the copy, Parquet or CSV by its ending, in row groups that do not depend on how the rows arrive."""

    def __init__(
        self, path: Path, columns: Sequence[str], geometry: _Geometry | None, *, key: str, limits: Run
    ) -> None:
        self._path, self._columns, self._geometry = path, clean_names(columns), geometry
        self._key, self._limits, self._size = key, limits, 0
        self._open = contextlib.ExitStack()
        self._waiting: list[Any] = []
        self._held = 0
        self._csv = ".csv" in path.suffixes

    def __enter__(self) -> Self:
        self._path.unlink(missing_ok=True)
        if self._csv:
            self._file = self._open.enter_context(self._path.open("w", encoding="utf-8", newline=""))
            self._lines = csv.writer(self._file, lineterminator="\n")
            self._lines.writerow(self._columns)
        else:
            self._schema = self._parquet_schema()
            self._parquet = self._open.enter_context(pq.ParquetWriter(self._path, self._schema, compression="zstd"))
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and not self._csv:
            self._flush(all_rows=True)
        self._open.close()

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Append rows as the database gives them."""
        if self._csv:
            texts = [[_text(v) or "" for v in row] for row in rows]
            self._lines.writerows(texts)
            self._grow(sum(len(t) + 1 for row in texts for t in row))
            return
        at = self._geometry.at if self._geometry else None
        columns = list(zip(*rows, strict=True)) or [()] * len(self._columns)
        arrays = [
            pa.array(_points(column, self._geometry, key=self._key), pa.binary())
            if i == at
            else pa.array([_text(v) for v in column], pa.string())
            for i, column in enumerate(columns)
        ]
        self._append(pa.Table.from_arrays(arrays, schema=self._schema))

    def take_over(self, copy: Path) -> None:
        """Append the rows of the last copy."""
        if self._csv:
            with copy.open(encoding="utf-8", newline="") as old:
                lines = csv.reader(old)
                next(lines)
                self._lines.writerows(lines)
            return
        for batch in pq.ParquetFile(copy).iter_batches(batch_size=_GROUP):
            self._append(pa.Table.from_batches([batch]).cast(self._schema))

    def _append(self, table: Any) -> None:
        self._waiting.append(table)
        self._held += table.num_rows
        self._grow(table.nbytes)
        if self._held >= _GROUP:
            self._flush()

    def _flush(self, *, all_rows: bool = False) -> None:
        table = pa.concat_tables(self._waiting).combine_chunks() if self._waiting else self._schema.empty_table()
        while table.num_rows >= _GROUP or (all_rows and table.num_rows):
            self._parquet.write_table(table.slice(0, _GROUP))
            table = table.slice(_GROUP)
        self._waiting, self._held = [table] if table.num_rows else [], table.num_rows

    def _grow(self, size: int) -> None:
        self._size += size
        key, most = (
            ("max_table_mb", self._limits.max_table_mb) if self._csv else ("max_file_mb", self._limits.max_file_mb)
        )
        if self._size > most * _MB:
            raise InputError(
                f"{self._key}: the rows are larger than run.{key} ({most} MB): select fewer rows or columns, or raise "
                "the limit"
            )

    def _parquet_schema(self) -> Any:
        at = self._geometry.at if self._geometry else None
        schema = pa.schema([(n, pa.binary() if i == at else pa.string()) for i, n in enumerate(self._columns)])
        if self._geometry is None:
            return schema
        import pyproj

        try:
            system = pyproj.CRS.from_epsg(self._geometry.srid).to_json_dict() if self._geometry.srid else None
        except pyproj.exceptions.CRSError:
            raise InputError(
                f"{self._key}: the geometry has SRID {self._geometry.srid}, which is no EPSG code: transform it in the "
                "query (ST_Transform), or give columns of coordinates"
            ) from None
        about = {
            "version": "1.1.0",
            "primary_column": self._columns[self._geometry.at],
            "columns": {
                self._columns[self._geometry.at]: {"encoding": "WKB", "geometry_types": [], "crs": system},
            },
        }
        return schema.with_metadata({"geo": json.dumps(about)})


def _points(values: Sequence[Any], geometry: _Geometry | None, *, key: str) -> list[bytes | None]:
    """Return geometries as plain WKB; all must have the coordinate system of the first."""
    import numpy as np
    import shapely

    raw = np.array(
        [bytes.fromhex(v) if isinstance(v, str) else None if v is None else bytes(v) for v in values], object
    )
    shapes = shapely.from_wkb(raw, on_invalid="ignore")
    systems = {int(s) for s in shapely.get_srid(shapes[~shapely.is_missing(shapes)])} - {0}
    others = systems - {geometry.srid if geometry else None}
    if others:
        raise InputError(
            f"{key}: the geometries have several coordinate systems (SRID {geometry.srid if geometry else None} and "
            f"{min(others)}): transform them to one in the query (ST_Transform)"
        )
    return [None if s is None else bytes(shapely.to_wkb(s)) for s in shapes]


# The databases: files by DuckDB and SQLite themselves, servers by SQLAlchemy.


class _Database(Protocol):
    def quoted(self, name: str) -> str:
        """Quote a name."""

    def columns(self, rows_of: str) -> list[str]:
        """Return the columns of a table expression."""

    def rows(self, sql: str, values: Mapping[str, Any]) -> Iterator[list[Any]]:
        """Stream the rows of a statement in batches; `:name` stands for a value."""

    def geometry(self, rows_of: str, columns: Sequence[str], *, key: str) -> _Geometry | None:
        """Return the geometry column, if there is one."""


@contextlib.contextmanager
def _open(settings: DatabaseTable, *, key: str, base: Path) -> Iterator[_Database]:
    if settings.file is not None:
        with _open_file(base / settings.file, settings.file, settings=settings, key=key) as database:
            yield database
        return
    name = settings.url_env or ""
    address = os.environ.get(name, "").strip()
    if not address:
        raise ConfigError(
            f"{key}.url_env: the environment variable {name} is not set: set it to the address of the database "
            "(postgresql://user:password@host/database) where hotspots runs"
        )
    try:
        import sqlalchemy
    except ImportError:
        raise EngineError(
            f"{key}: databases are read through SQLAlchemy, which is not installed: install it with "
            "`pip install -c constraints.txt -e '.[database]'`"
        ) from None
    try:
        # An older name that SQLAlchemy no longer knows.
        url = sqlalchemy.make_url(re.sub(r"^postgres://", "postgresql://", address))
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise ConfigError(
            f"{key}.url_env: what {name} holds is not the address of a database: it should look like "
            "postgresql://user:password@host:5432/database, with special characters of the password percent-encoded"
        ) from None
    if url.get_backend_name() in {"sqlite", "duckdb"}:
        if not url.database or url.database == ":memory:":
            raise ConfigError(f"{key}.url_env: {name} names no file: set `file` to the path of the database")
        with _open_file(base / url.database, "the file", settings=settings, key=key) as database:
            yield database
        return
    with _open_server(url, address, name=name, settings=settings, key=key) as database:
        yield database


_SQLITE = b"SQLite format 3\0"
_DUCKDB = b"DUCK"


@contextlib.contextmanager
def _open_file(path: Path, shown: str, *, settings: DatabaseTable, key: str) -> Iterator[_Database]:
    """Open a DuckDB or SQLite file, recognised by its content, so that nothing can be written to it."""
    import sqlite3

    import duckdb

    if not path.is_file():
        raise InputError(
            f"{key}.file: there is no file {shown!r} in {path.parent}: correct the path, which is relative to the "
            "configuration file"
        )
    with path.open("rb") as file:
        head = file.read(16)
    connection: Any
    make: Callable[[], Any]
    errors: tuple[type[Exception], ...]
    if head == _SQLITE:
        make, errors = (lambda: _open_sqlite(path)), (sqlite3.Error,)
        kind = "SQLite"
    elif head[8:12] == _DUCKDB:
        make, errors = (lambda: _open_duckdb(path)), (duckdb.Error,)
        kind = "DuckDB"
    else:
        raise InputError(
            f"{key}.file: {path.name} is neither a DuckDB nor a SQLite database: name other files under `paths`"
        )
    try:
        connection = make()
        try:
            yield _File(connection, kind)
        finally:
            connection.close()
    except errors as error:
        raise _refused(
            settings, key=key, where=f"the {kind} database {path.name}", text=first_line(error), names=_tables(make)
        ) from None


def _open_sqlite(path: Path) -> Any:
    import sqlite3

    connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("BEGIN")  # all statements see the rows of one moment
    return connection


def _open_duckdb(path: Path) -> Any:
    import duckdb

    connection = duckdb.connect(
        str(path),
        read_only=True,
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"},
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _tables(make: Callable[[], Any]) -> list[str]:
    """Return the tables of a database file, for a suggestion."""
    with contextlib.suppress(Exception):
        connection = make()
        try:
            module = type(connection).__module__
            listing = (
                "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY 1"
                if module == "sqlite3"
                else "SELECT table_name FROM information_schema.tables ORDER BY 1"
            )
            return [str(name) for (name,) in connection.execute(listing).fetchall()]
        finally:
            connection.close()
    return []


class _File:
    """A database file."""

    def __init__(self, connection: Any, kind: str) -> None:
        self._connection, self._kind = connection, kind

    def quoted(self, name: str) -> str:
        return identifier(name)

    def columns(self, rows_of: str) -> list[str]:
        return [str(c[0]) for c in self._described(rows_of)]

    def _described(self, rows_of: str) -> Any:
        return self._connection.execute(f"SELECT * FROM {rows_of} LIMIT 0").description

    def rows(self, sql: str, values: Mapping[str, Any]) -> Iterator[list[Any]]:
        if values:  # `:since` is the only value, and is used once
            cursor = self._connection.execute(sql.replace(":since", "?"), [_for_file(v) for v in values.values()])
        else:
            cursor = self._connection.execute(sql)
        while batch := cursor.fetchmany(_BATCH):
            yield batch

    def geometry(self, rows_of: str, columns: Sequence[str], *, key: str) -> _Geometry | None:
        if self._kind != "DuckDB":
            return None
        types = [str(c[1]).upper() for c in self._described(rows_of)]
        met = [i for i, type_ in enumerate(types) if type_.startswith("GEOMETRY")]
        return _only(met, columns, srid=None, key=key)


def _for_file(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value


def _only(met: Sequence[int], columns: Sequence[str], *, srid: int | None, key: str) -> _Geometry | None:
    if len(met) > 1:
        raise InputError(
            f"{key}: the rows have several geometry columns ({', '.join(columns[i] for i in met)}): select one of them "
            "in a query"
        )
    return _Geometry(met[0], srid) if met else None


# First statement of a transaction, by the kind of database: it makes writing an error of the database itself. SQL
# Server has no such statement: there the check of the statement and the rights of the user are the guards.
_READ_ONLY = {
    "postgresql": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}


@contextlib.contextmanager
def _open_server(url: Any, address: str, *, name: str, settings: DatabaseTable, key: str) -> Iterator[_Database]:
    """Connect to a server in one read-only transaction; no error shows the address or what is in it."""
    import sqlalchemy
    from sqlalchemy.pool import NullPool

    backend = url.get_backend_name()
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")  # the driver of the extra; the default differs by version
    timeout = {"connect_timeout": _CONNECT_SECONDS} if backend in {"postgresql", "mysql", "mariadb"} else {}
    server: _Server | None = None
    try:
        engine = sqlalchemy.create_engine(url, poolclass=NullPool, connect_args=timeout, hide_parameters=True)
        with engine.connect() as connection:
            if backend in _READ_ONLY:
                connection.execute(sqlalchemy.text(_READ_ONLY[backend]))
            server = _Server(connection, backend)
            yield server
            connection.rollback()
    except HotspotsError:
        raise
    except sqlalchemy.exc.NoSuchModuleError:
        raise ConfigError(
            f"{key}.url_env: {name} begins with {backend!r}, a kind of database that is not known: use postgresql, "
            "mysql, mssql or oracle, with the driver (oracle+oracledb)"
        ) from None
    except ImportError as error:
        raise EngineError(
            f"{key}: the driver of this database is not installed ({error.name}): install it with pip beside hotspots"
        ) from None
    except (sqlalchemy.exc.SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        text = _scrubbed(first_line(cause), url, address)
        where = f"the database in {name}"
        if server is None and re.search(
            r"password|authenticat|access denied|login failed|ORA-01017|role ", text, re.IGNORECASE
        ):
            raise InputError(
                f"{key}: {where} refuses the user or the password ({text}): correct {name}, with special characters "
                f"of the password percent-encoded. {_KEPT}"
            ) from None
        if server is None:
            raise InputError(
                f"{key}: {where} cannot be reached ({text}): check host, port and network, and that the server runs. "
                f"{_KEPT}"
            ) from None
        if getattr(error, "connection_invalidated", False) or _is_lost(cause):
            raise InputError(
                f"{key}: the connection to {where} was lost while rows were read ({text}): run again when it is stable."
                f" Nothing of the rows read so far is used. {_KEPT}"
            ) from None
        raise _refused(settings, key=key, where=where, text=text, names=[]) from None
    finally:
        with contextlib.suppress(UnboundLocalError):
            engine.dispose()


def _is_lost(cause: BaseException) -> bool:
    state = str(getattr(cause, "sqlstate", "") or "")
    words = ("terminat", "closed", "lost", "reset by peer", "broken pipe", "gone away", "timed out")
    return state.startswith(("08", "57P")) or any(w in str(cause).casefold() for w in words)


def _refused(settings: DatabaseTable, *, key: str, where: str, text: str, names: Sequence[str]) -> InputError:
    what = f"table {settings.table!r}" if settings.table is not None else "the query"
    hint = did_you_mean(settings.table, list(names)) if settings.table is not None else ""
    listed = f" It has: {', '.join(names[:20])}." if names and settings.table is not None else ""
    return InputError(
        f"{key}: {what} cannot be read from {where} ({text}){hint}.{listed} Correct {key}, or ask for the right to "
        f"read it. {_KEPT}"
    )


def _scrubbed(text: str, url: Any, address: str) -> str:
    """Replace the address, and every part of it that names a person, a place or a secret."""
    password = str(url.password or "")
    whole = {address, url.render_as_string(hide_password=False), password, quote(password), quote_plus(password)}
    for secret in sorted(filter(None, whole), key=len, reverse=True):
        text = text.replace(secret, "***")
    for part in (url.username, url.host, url.database, *(str(v) for v in url.query.values())):
        if part:
            text = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", "***", text)
    return text


class _Server:
    """A database server, in one transaction."""

    def __init__(self, connection: Any, backend: str) -> None:
        self._connection, self._backend = connection, backend

    def quoted(self, name: str) -> str:
        return str(self._connection.dialect.identifier_preparer.quote_identifier(name))

    def _execute(self, sql: str, values: Mapping[str, Any], *, stream: bool = False) -> Any:
        import sqlalchemy

        # Only `:since` is a value: other colons are of the user's statement (`::date`, '12:30').
        escaped = sql.replace(":", "\\:")
        for name in values:
            escaped = escaped.replace(f"\\:{name}", f":{name}")
        statement = sqlalchemy.text(escaped)
        if values:
            # With the type of the value, not as a text: drivers cast texts to the type of a text column.
            statement = statement.bindparams(*(sqlalchemy.bindparam(n, v) for n, v in values.items()))
        # With a cursor on the server, the rows are not all held here at once.
        options = {"stream_results": True, "max_row_buffer": _BATCH} if stream else {}
        return self._connection.execute(statement, execution_options=options)

    def columns(self, rows_of: str) -> list[str]:
        with self._execute(f"SELECT * FROM {rows_of} WHERE 1 = 0", {}) as result:
            return [str(name) for name in result.keys()]  # noqa: SIM118 - a result is no mapping

    def rows(self, sql: str, values: Mapping[str, Any]) -> Iterator[list[Any]]:
        with self._execute(sql, values, stream=True) as result:
            for batch in result.partitions(_BATCH):
                yield list(batch)

    def geometry(self, rows_of: str, columns: Sequence[str], *, key: str) -> _Geometry | None:
        """Find PostGIS geometries by the type of the column, and their SRID by the first of them."""
        if self._backend != "postgresql":
            return None
        with self._execute("SELECT oid FROM pg_type WHERE typname IN ('geometry', 'geography')", {}) as result:
            types = {int(oid) for (oid,) in result}
        with self._execute(f"SELECT * FROM {rows_of} WHERE 1 = 0", {}) as result:
            met = [i for i, column in enumerate(result.cursor.description) if column[1] in types]
        found = _only(met, columns, srid=None, key=key)
        if found is None:
            return None
        import shapely

        name = self.quoted(columns[found.at])
        with self._execute(f"SELECT {name} FROM {rows_of} WHERE {name} IS NOT NULL LIMIT 1", {}) as result:
            first = result.scalar()
        srid = int(shapely.get_srid(shapely.from_wkb(bytes.fromhex(first)))) if isinstance(first, str) else 0
        return _Geometry(found.at, srid or None)
