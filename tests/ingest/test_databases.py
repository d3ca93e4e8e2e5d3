"""Tables of databases: read only, in a settled order, and without a word about address or password."""

import datetime as dt
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from pipeline.config import DatabaseTable, Run
from pipeline.errors import ConfigError, EngineError, HotspotsError, InputError
from pipeline.ingest.databases import Copied, copy_rows, require_select
from tests.kit.postgres import PASSWORD, Postgres, running

KEY, ENV = "incidents[0].source", "HOTSPOTS_TEST_DATABASE"
ROWS = [
    (1, "2024-05-01", -0.1, 51.5, "robbery"),
    (2, "2024-05-02", None, None, "it's; DROP"),
    (3, "2024-06-30", 0.25, 51.75, None),
]


def copied(tmp_path: Path, *, to: str = "rows.parquet", known=None, most_rows=None, limits=None, **settings) -> Copied:
    return copy_rows(
        DatabaseTable.model_validate(settings),
        key=KEY,
        base=tmp_path,
        target=tmp_path / to,
        limits=limits or Run.model_validate({}),
        known=known,
        most_rows=most_rows,
    )


def rows_of(path: Path) -> list[tuple]:
    return [tuple(row.values()) for row in pq.read_table(path).to_pylist()]


def sqlite_file(path: Path, rows=ROWS) -> Path:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE crimes (id INTEGER, day TEXT, lon REAL, lat REAL, kind TEXT)")
        connection.executemany("INSERT INTO crimes VALUES (?, ?, ?, ?, ?)", rows)
    connection.close()
    return path


TEXTS = [
    ("1", "2024-05-01", "-0.1", "51.5", "robbery"),
    ("2", "2024-05-02", None, None, "it's; DROP"),
    ("3", "2024-06-30", "0.25", "51.75", None),
]


def test_sqlite_gives_its_rows_in_order(tmp_path: Path) -> None:
    sqlite_file(tmp_path / "a.db", ROWS[::-1])
    assert copied(tmp_path, file="a.db", table="crimes", order_by="id").rows == 3
    assert rows_of(tmp_path / "rows.parquet") == TEXTS
    copied(tmp_path, file="a.db", query="SELECT kind, id FROM crimes WHERE id < 3 -- all;\n;", order_by=["ID"])
    assert rows_of(tmp_path / "rows.parquet") == [("robbery", "1"), ("it's; DROP", "2")]


def test_duckdb_gives_its_rows_types_and_geometry(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "a.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE crimes AS SELECT * FROM (VALUES "
            "(2, DATE '2024-05-02', TRUE, 1.50::DECIMAL(9,2), 'POINT(1 2)'::GEOMETRY), (1, NULL, FALSE, 2, NULL)) "
            "t(id, day, online, x, place)"
        )
    copied(tmp_path, file="a.duckdb", table="crimes", order_by="id")
    first, second = rows_of(tmp_path / "rows.parquet")
    assert first == ("1", None, "false", "2.00", None)
    assert second[:4] == ("2", "2024-05-02", "true", "1.50")
    import shapely

    assert shapely.from_wkb(second[4]).wkt == "POINT (1 2)"


def test_a_copy_for_small_tables_is_csv(tmp_path: Path) -> None:
    sqlite_file(tmp_path / "a.db")
    copied(tmp_path, to="rows.csv", file="a.db", query="SELECT id, kind FROM crimes", order_by="id")
    assert (tmp_path / "rows.csv").read_text() == "id,kind\n1,robbery\n2,it's; DROP\n3,\n"


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM crimes",
        "SELECT 1; DROP TABLE crimes",
        "WITH gone AS (DELETE FROM crimes RETURNING *) SELECT * FROM gone",
        "SELECT * INTO other FROM crimes",
        "/* SELECT */ update crimes set id = 1",
        "PRAGMA writable_schema = 1",
        "",
    ],
)
def test_statements_that_write_are_refused(tmp_path: Path, query: str) -> None:
    path = sqlite_file(tmp_path / "a.db")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"a source is only read"):
        require_select(query, key=KEY)
    if query:
        with pytest.raises(ConfigError, match=r"a source is only read"):
            copied(tmp_path, file="a.db", query=query, order_by="id")
    assert path.read_bytes() == before
    assert not (tmp_path / "rows.parquet").exists()


def test_words_in_texts_names_and_comments_are_no_statements() -> None:
    require_select(
        "SELECT 'DELETE; x' AS \"update\", $a$ drop $a$ FROM t -- insert\n/* set; */ WHERE a = 'it''s'", key=KEY
    )


def test_order_that_is_not_unique_is_refused(tmp_path: Path) -> None:
    sqlite_file(tmp_path / "a.db", [(1, "2024-05-01", 0, 0, "a"), (1, "2024-05-01", 0, 0, "b")])
    with pytest.raises(InputError, match=r"order_by does not settle the order of the rows: different rows have id '1'"):
        copied(tmp_path, file="a.db", table="crimes", order_by="id")
    # Rows that are equal as a whole are the same in either order.
    sqlite_file(tmp_path / "b.db", [ROWS[0], ROWS[0]])
    assert copied(tmp_path, file="b.db", table="crimes", order_by="id").rows == 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"table": "crime", "order_by": "id"}, r"table 'crime' cannot be read .* \(did you mean \"crimes\"\?\)"),
        ({"table": "crimes", "order_by": "ids"}, r"order_by: the rows have no column 'ids' \(did you mean"),
        ({"query": "SELECT nobody FROM crimes", "order_by": "id"}, r"the query .*no such column: nobody"),
        ({"table": "crimes", "order_by": "id", "watermark": "changed"}, r"watermark: the rows have no column"),
        ({"table": "crimes", "order_by": "id", "watermark": "lon"}, r"watermark: some rows have no value"),
        ({"table": "crimes", "order_by": "id", "file": "b.db"}, r"there is no file 'b.db'"),
        ({"table": "crimes", "order_by": "id", "file": "text.db"}, r"neither a DuckDB nor a SQLite database"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(tmp_path: Path, settings, words: str) -> None:
    sqlite_file(tmp_path / "a.db")
    (tmp_path / "text.db").write_text("id,day\n")
    with pytest.raises(InputError, match=words):
        copied(tmp_path, **{"file": "a.db", **settings})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.db", "text.db"]


def test_a_damaged_database_is_one_paragraph(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path / "a.db", [(n, "2024-05-01", 0.0, 0.0, "x" * 50) for n in range(5000)])
    path.write_bytes(path.read_bytes()[:60_000])
    with pytest.raises(InputError, match="cannot be read from the SQLite database"):
        copied(tmp_path, file="a.db", table="crimes", order_by="id")
    assert not (tmp_path / "rows.parquet").exists()


def test_limits_hold(tmp_path: Path) -> None:
    sqlite_file(tmp_path / "a.db", [(n, "2024-05-01", 0.0, 0.0, f"{n:0500d}") for n in range(3000)])
    with pytest.raises(InputError, match=r"larger than run.max_file_mb \(1 MB\)"):
        copied(tmp_path, file="a.db", table="crimes", order_by="id", limits=Run(max_file_mb=1))
    with pytest.raises(InputError, match=r"5 columns, more than run.max_columns"):
        copied(tmp_path, file="a.db", table="crimes", order_by="id", limits=Run(max_columns=4))
    assert copied(tmp_path, file="a.db", table="crimes", order_by="id", most_rows=7).rows == 7


def test_only_new_rows_are_read_after_a_watermark(tmp_path: Path) -> None:
    settings = {"file": "a.db", "table": "crimes", "order_by": ["day", "id"], "watermark": "day"}
    sqlite_file(tmp_path / "a.db")
    first = copied(tmp_path, **settings)
    assert (first.rows, first.added) == (3, 3)
    before = (tmp_path / "rows.parquet").read_bytes()
    again = copied(tmp_path, known=first.memory, **settings)
    assert (again.rows, again.added) == (3, 0)
    assert (tmp_path / "rows.parquet").read_bytes() == before

    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("INSERT INTO crimes VALUES (4, '2024-07-01', 0, 51, 'new')")
    connection.close()
    grown = copied(tmp_path, known=again.memory, **settings)
    assert (grown.rows, grown.added) == (4, 1)
    grew = (tmp_path / "rows.parquet").read_bytes()
    copied(tmp_path, **settings)
    assert (tmp_path / "rows.parquet").read_bytes() == grew  # as if read at once

    # An older row that came late, and one that was changed, make the copy worthless.
    for change in ("INSERT INTO crimes VALUES (5, '2024-01-01', 0, 51, 'late')", "DELETE FROM crimes WHERE id = 1"):
        with sqlite3.connect(tmp_path / "a.db") as connection:
            connection.execute(change)
        connection.close()
        grown = copied(tmp_path, known=grown.memory, **settings)
        assert grown.rows == grown.added


def test_without_a_watermark_first_in_the_order_all_rows_are_read_again(tmp_path: Path) -> None:
    settings = {"file": "a.db", "table": "crimes", "order_by": "id", "watermark": "day"}
    sqlite_file(tmp_path / "a.db")
    first = copied(tmp_path, **settings)
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("INSERT INTO crimes VALUES (0, '2024-07-01', 0, 51, 'new')")
    connection.close()
    assert copied(tmp_path, known=first.memory, **settings).added == 4
    assert [row[0] for row in rows_of(tmp_path / "rows.parquet")] == ["0", "1", "2", "3"]


def test_settings_never_hold_an_address() -> None:
    with pytest.raises(ValueError, match="not the name of an environment variable") as caught:
        DatabaseTable.model_validate({"url_env": "postgresql://me:hush@host/db", "table": "t", "order_by": "id"})
    assert "hush" not in str(caught.value.errors()[0]["msg"])


def test_a_missing_variable_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv(ENV, raising=False)
    with pytest.raises(ConfigError, match=f"the environment variable {ENV} is not set"):
        copied(tmp_path, url_env=ENV, table="crimes", order_by="id")
    monkeypatch.setenv(ENV, "what is this hush")
    with pytest.raises(ConfigError, match="is not the address of a database") as caught:
        copied(tmp_path, url_env=ENV, table="crimes", order_by="id")
    assert "hush" not in str(caught.value)
    monkeypatch.setenv(ENV, "nosuch://me:hush@host/db")
    with pytest.raises(ConfigError, match="kind of database that is not known") as caught:
        copied(tmp_path, url_env=ENV, table="crimes", order_by="id")
    assert "hush" not in str(caught.value)
    monkeypatch.setenv(ENV, f"sqlite:///{sqlite_file(tmp_path / 'a.db')}")
    assert copied(tmp_path, url_env=ENV, table="crimes", order_by="id").rows == 3


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(ENV, "postgresql://me:hush@host/db")
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(EngineError, match=r"pip install -c constraints.txt -e '\.\[database\]'"):
        copied(tmp_path, url_env=ENV, table="crimes", order_by="id")
    sqlite_file(tmp_path / "a.db")
    assert copied(tmp_path, file="a.db", table="crimes", order_by="id").rows == 3


# PostgreSQL with PostGIS, started for these tests.


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running() as server:
        server.run(
            "CREATE TABLE crimes (id int, happened timestamptz, day date, lon float8, cost numeric(9,2), kind text, "
            "place geometry(Point, 27700), changed timestamp);"
            "INSERT INTO crimes VALUES "
            "(2, '2024-06-30 23:30:00+00', '2024-06-30', 0.1, 1.50, 'it''s', "
            "ST_SetSRID(ST_Point(530000, 180000), 27700), '2024-07-01 10:00'), "
            "(1, NULL, '2024-05-01', NULL, NULL, NULL, NULL, '2024-07-01 09:00');"
            "GRANT ALL ON crimes TO analyst; CREATE TABLE closed (id int)"
        )
        yield server


@pytest.fixture
def env(postgres: Postgres, monkeypatch) -> Postgres:
    monkeypatch.setenv(ENV, postgres.address)
    return postgres


def secretless(error: HotspotsError, server: Postgres) -> str:
    """Assert that an error holds nothing of the address."""
    text = str(error)
    for secret in (PASSWORD, "s3cret", "%3A", "analyst", "127.0.0.1", server.address):
        assert secret not in text
    assert "\n" not in text
    return text


@pytest.mark.slow
def test_postgis_gives_types_and_geometry(tmp_path: Path, env: Postgres) -> None:
    copied(tmp_path, url_env=ENV, table="public.crimes", order_by="id")
    first, second = rows_of(tmp_path / "rows.parquet")
    assert first == ("1", None, "2024-05-01", None, None, None, None, "2024-07-01 09:00:00")
    assert second[:6] == ("2", "2024-06-30T23:30:00Z", "2024-06-30", "0.1", "1.50", "it's")
    import geopandas as gpd

    frame = gpd.read_parquet(tmp_path / "rows.parquet")
    assert frame.crs.to_epsg() == 27700
    assert frame.geometry[1].wkt == "POINT (530000 180000)"


@pytest.mark.slow
def test_a_users_colons_and_per_cents_are_left_alone(tmp_path: Path, env: Postgres) -> None:
    query = "SELECT id::text || ':x' AS id, '12:30' AS hour FROM crimes WHERE coalesce(kind, '') NOT LIKE '%zz%'"
    copied(tmp_path, url_env=ENV, query=query, order_by="id")
    assert rows_of(tmp_path / "rows.parquet") == [("1:x", "12:30"), ("2:x", "12:30")]


@pytest.mark.slow
def test_postgres_appends_after_a_watermark(tmp_path: Path, env: Postgres) -> None:
    env.run("CREATE TABLE growing AS SELECT n AS id, timestamp '2024-01-01' + n * interval '1 hour' AS changed "
            "FROM generate_series(1, 60000) n; GRANT SELECT ON growing TO analyst")  # fmt: skip
    settings = {"url_env": ENV, "table": "growing", "order_by": ["changed", "id"], "watermark": "changed"}
    first = copied(tmp_path, **settings)
    assert first.memory["watermark"] == {"kind": "datetime", "value": "2030-11-05T00:00:00"}
    assert copied(tmp_path, known=first.memory, **settings).added == 0
    env.run("INSERT INTO growing SELECT n, timestamp '2024-01-01' + n * interval '1 hour' "
            "FROM generate_series(60001, 61000) n")  # fmt: skip
    grown = copied(tmp_path, known=first.memory, **settings)
    assert (grown.rows, grown.added) == (61_000, 1_000)
    grew = (tmp_path / "rows.parquet").read_bytes()
    copied(tmp_path, **settings)
    assert (tmp_path / "rows.parquet").read_bytes() == grew


@pytest.mark.slow
def test_the_transaction_itself_cannot_write(tmp_path: Path, env: Postgres) -> None:
    env.run(
        "CREATE OR REPLACE FUNCTION sly() RETURNS int LANGUAGE sql AS 'DELETE FROM crimes RETURNING id'; "
        "GRANT EXECUTE ON FUNCTION sly() TO analyst"
    )
    with pytest.raises(InputError, match="read-only transaction") as caught:
        copied(tmp_path, url_env=ENV, query="SELECT sly() AS id", order_by="id")
    secretless(caught.value, env)
    assert env.run("SELECT count(*) FROM crimes") == "2"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "words"),
    [("crimez", r"table 'crimez' cannot be read .*does not exist"), ("closed", r"permission denied")],
)
def test_a_table_that_cannot_be_read(tmp_path: Path, env: Postgres, table: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        copied(tmp_path, url_env=ENV, table=table, order_by="id")
    secretless(caught.value, env)


@pytest.mark.slow
def test_wrong_credentials_are_never_printed(tmp_path: Path, env: Postgres, monkeypatch) -> None:
    monkeypatch.setenv(ENV, env.address.replace("word%401", "word%402"))
    with pytest.raises(InputError, match="refuses the user or the password") as caught:
        copied(tmp_path, url_env=ENV, table="crimes", order_by="id")
    secretless(caught.value, env)
    monkeypatch.setenv(ENV, env.address.replace(f":{env.port}", ":1"))
    with pytest.raises(InputError, match="cannot be reached") as caught:
        copied(tmp_path, url_env=ENV, table="crimes", order_by="id")
    secretless(caught.value, env)


@pytest.mark.slow
def test_a_connection_lost_in_mid_query_leaves_nothing(tmp_path: Path, env: Postgres) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"the last copy")
    env.run("CREATE OR REPLACE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
            "'BEGIN IF n > 15000 THEN PERFORM pg_sleep(0.01); END IF; RETURN n; END'; "
            "GRANT EXECUTE ON FUNCTION slow(int) TO analyst; DROP TABLE IF EXISTS many; "
            "CREATE TABLE many AS SELECT n AS id FROM generate_series(1, 30000) n; "
            "ALTER TABLE many ADD PRIMARY KEY (id); GRANT SELECT ON many TO analyst")  # fmt: skip

    def cut() -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            time.sleep(0.3)
            if env.run("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'analyst' "
                       "AND query LIKE 'FETCH%' AND now() - xact_start > interval '1 s'") != "0":  # fmt: skip
                return

    cutter = threading.Thread(target=cut)
    cutter.start()
    with pytest.raises(InputError, match="was lost while rows were read") as caught:
        copied(tmp_path, url_env=ENV, query="SELECT id, slow(id) AS b FROM many", order_by="id")
    cutter.join()
    secretless(caught.value, env)
    assert [p.name for p in tmp_path.iterdir()] == ["rows.parquet"]
    assert (tmp_path / "rows.parquet").read_bytes() == b"the last copy"


def test_times_are_written_as_in_a_file() -> None:
    from pipeline.ingest.databases import _text

    zone = dt.timezone(dt.timedelta(hours=1))
    assert _text(dt.datetime(2024, 7, 1, 0, 30, tzinfo=zone)) == "2024-06-30T23:30:00Z"
    assert _text(dt.time(9, 5)) == "09:05:00"
    assert _text(memoryview(b"caf\xc3\xa9")) == "café"
    assert _text(1e-7) == "1e-07"
