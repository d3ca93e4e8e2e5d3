"""What SECURITY.md promises, tried."""

import ast
import base64
import contextlib
import csv
import gzip
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import AreaFile, load_config
from pipeline.errors import ConfigError, InputError
from pipeline.ingest.areas import read_boundaries
from pipeline.ingest.formats.files import Opening
from pipeline.ingest.formats.vector import open_rows
from pipeline.storage.duckdb import connect, identifier, literal
from tests.kit import source_rules as rules
from tests.kit.city import HEADER, city_rows, write_city
from tests.kit.command_line import hotspots, refused
from tests.kit.fetch_site import say, serving
from tests.kit.map_pages import readable

ROOT = Path(__file__).parents[2]
SALT, TILE_KEY = "salt-5f3c91-never-shown", "tile-9a7b20-never-shown"
POSIX = pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")

# The source.


@pytest.mark.slow
def test_no_code_from_data() -> None:
    assert {where: found for where, tree in rules.trees() if (found := rules.dangers(tree))} == {}


@pytest.mark.slow
def test_no_sql_is_pasted_together() -> None:
    assert {where: found for where, tree in rules.trees() if (found := rules.pasted(tree))} == {}


@pytest.mark.slow
@pytest.mark.parametrize("rule", [rules.network, rules.databases, rules.unquoted])
def test_every_door_is_in_its_room(rule: Any) -> None:
    assert {where: found for where, tree in rules.trees() if (found := rule(where, tree))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.hashing",
        "import subprocess as s",
        "eval(text)",
        "__import__(name)",
        "os.system(line)",
        "os.popen(line)",
        "run(line, shell=True)",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.SafeLoader)",
        "yaml.unsafe_load(text)",
        "x = yaml.Loader",
        "np.load(path)",
        "read(path, allow_pickle=True)",
        "frame.to_pickle(path)",
        "connection.enable_load_extension(True)",
        "get(url, verify=False)",
    ],
)
def test_the_rule_about_dangers_bites(source: str) -> None:
    assert rules.dangers(ast.parse(source))


@pytest.mark.parametrize(
    "source",
    [
        'f"SELECT * FROM {table}"',
        'f"SELECT {column} AS x"',
        'f"""SELECT a FROM t WHERE x = \'{value}\'"""',
        "f\"SELECT {', '.join(names)} FROM t\"",
        "f\"SELECT {', '.join(str(n) for n in names)} FROM t\"",
        'f"COPY t TO {path}"',
        'x = row[0]; f"SELECT {x} FROM t"',
        'x = "a"; x = name; f"SELECT {x} FROM t"',
        'def f(x):\n    return f"SELECT {x} FROM t"',
        'f"SELECT {self.column} FROM t"',
        'for x in names: f"SELECT {x} FROM t"',
        'with database() as (c, x): f"SELECT a FROM {x}"',
        'f"SELECT * FROM t WHERE a = {x.replace(1, 2)}"',
    ],
)
def test_the_rule_about_sql_bites(source: str) -> None:
    assert rules.unquoted("readers/new.py", ast.parse(source))


def test_the_rules_let_honest_code_pass() -> None:
    source = """
import re, yaml
from urllib.parse import quote
x = re.compile("a")
y = yaml.safe_load(text)
f"SELECT {identifier(name)} FROM {scan_parts(parts)} WHERE a = {literal(value)}"
f"SELECT {', '.join(identifier(n) for n in names)} FROM t"
for i, n in enumerate(NAMES): f"SELECT c{i} AS {n} FROM t WHERE x < {float(limit)!r}"
more = "ORDER BY a" if wanted else ""
f"SELECT a FROM t {more}"
"""
    tree = ast.parse(source)
    assert rules.dangers(tree) + rules.unquoted("readers/new.py", tree) + rules.network("maps/new.py", tree) == []
    assert rules.network("maps/new.py", ast.parse("import urllib.request"))
    assert rules.databases("stages/new.py", ast.parse("duckdb.connect()"))
    assert rules.databases("stages/new.py", ast.parse("connection.sql(text)"))
    assert rules.pasted(ast.parse("'SELECT * FROM ' + name")) and rules.pasted(ast.parse("'SELECT %s' % name"))  # noqa: PT018


# Names and texts in SQL.

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
HOSTILE = ['"', "'", '""', "''", "\\", "\\'", ";--", "/*", "\0", "\n", "${x}", "{{x}}", "%s", "?", "$1", "E'\\''",
           '"; DROP TABLE t; --', "'); COPY (SELECT 1) TO 'x.csv'; --", "\u2019", "\uff07", "\u202e"]  # fmt: skip


@pytest.fixture(scope="module")
def memory() -> Any:
    return duckdb.connect(":memory:")


@given(text=ANY_TEXT | st.lists(st.sampled_from(HOSTILE), max_size=5).map("".join))
@settings(max_examples=150, deadline=None)
@pytest.mark.slow
def test_any_text_comes_back_as_it_went_in(memory: Any, text: str) -> None:
    assert memory.execute(f"SELECT {literal(text)}").fetchall() == [(text,)]


@given(name=(ANY_TEXT | st.lists(st.sampled_from(HOSTILE), max_size=5).map("".join)).filter(bool))
@settings(max_examples=150, deadline=None)
@pytest.mark.slow
def test_any_name_comes_back_as_it_went_in(memory: Any, name: str) -> None:
    found = memory.execute(
        f"SELECT {identifier(name)} + 1 AS {identifier(name)} FROM (SELECT 41 AS {identifier(name)})"
    )
    assert found.description[0][0] == name
    assert found.fetchall() == [(42,)]


def test_any_path_is_a_path(tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s a "folder"; --'
    folder.mkdir()
    (folder / "o'x.csv").write_text("a\n7\n", encoding="utf-8")
    connection = connect(memory_limit_mb=128, folders=[folder], spill=folder)
    path = folder / "o'x.csv"
    assert connection.execute(f"SELECT a FROM read_csv({literal(str(path))})").fetchall() == [(7,)]


# The locked database.


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path, Path]:
    inside, outside = tmp_path_factory.mktemp("inside"), tmp_path_factory.mktemp("outside")
    (inside / "x.csv").write_text("a\n1\n", encoding="utf-8")
    (outside / "secret.csv").write_text("a\n42\n", encoding="utf-8")
    if hasattr(os, "symlink"):
        (inside / "link.csv").symlink_to(outside / "secret.csv")
        (inside / "way").symlink_to(outside)
    return connect(memory_limit_mb=128, folders=[inside], spill=inside), inside, outside


def test_the_database_reads_where_it_may(locked: tuple[Any, Path, Path]) -> None:
    connection, inside, _ = locked
    assert connection.execute(f"SELECT * FROM read_csv({literal(str(inside / 'x.csv'))})").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('OUT/secret.csv')",
        "SELECT * FROM read_csv('IN/../OUTNAME/secret.csv')",
        "SELECT * FROM read_csv('IN/link.csv')",
        "SELECT * FROM read_csv('IN/way/secret.csv')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM read_csv('https://example.org/x.csv')",
        "SELECT * FROM frame_of_the_caller",
        "SELECT getenv('HOME')",
        "COPY (SELECT 1) TO 'OUT/written.csv'",
        "EXPORT DATABASE 'OUT/all'",
        "ATTACH 'OUT/other.duckdb' AS other",
        "INSTALL httpfs",
        "FORCE INSTALL httpfs FROM 'http://127.0.0.1:1'",
        "LOAD httpfs",
        "LOAD 'IN/x.duckdb_extension'",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET lock_configuration = false",
        "RESET lock_configuration",
        "SET memory_limit = '64GB'",
        "SET temp_directory = '/tmp'",
        "SET allow_unsigned_extensions = true",
        "SET home_directory = '/tmp'",
        "PRAGMA enable_profiling = 'json'",
        "SET log_query_path = 'OUT/log'",
        "CALL enable_logging(storage = 'file', storage_path = 'OUT/log')",
    ],
)
def test_the_database_refuses(sql: str, locked: tuple[Any, Path, Path]) -> None:
    connection, inside, outside = locked
    frame_of_the_caller = pd.DataFrame({"a": [1]})  # DuckDB reads the variables of its caller unless it is told not to
    assert len(frame_of_the_caller) == 1
    text = (
        sql.replace("OUTNAME", outside.name).replace("OUT", outside.as_posix()).replace("IN/", inside.as_posix() + "/")
    )
    with pytest.raises(duckdb.Error):
        connection.execute(text).fetchall()
    assert {p.name for p in outside.iterdir()} == {"secret.csv"}


# The configuration.


@pytest.mark.parametrize(
    "text",
    [
        "run: !!python/object/apply:os.system ['touch pwned']",
        "run: !!python/object/new:os.system ['touch pwned']",
        "run: !!python/name:os.system",
        "run: !!python/module:os",
        "!!python/object/apply:builtins.eval ['1']",
    ],
)
def test_a_configuration_is_only_data(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="not YAML"):
        load_config(tmp_path / "config.yaml")
    assert {p.name for p in tmp_path.iterdir()} == {"config.yaml"}


def test_a_configuration_that_unfolds_without_end(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    (tmp_path / "config.yaml").write_text("\n".join([*lines, "incidents: [{name: p, paths: *i}]"]), encoding="utf-8")
    with pytest.raises(ConfigError) as error:  # 400 million texts if it were unfolded
        load_config(tmp_path / "config.yaml")
    assert len(str(error.value)) < 5000


# A whole run, watched: hostile names in the data, secrets in the environment, everything it opens written down.

WATCH = textwrap.dedent(
    """
    import json, os, sys
    seen = {"events": [], "written": []}
    names = {"socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec",
             "os.posix_spawn", "os.fork", "os.spawn", "pickle.find_class", "urllib.Request", "sqlite3.load_extension"}
    def watch(name, given):
        if name in names:
            seen["events"].append([name, repr(given)[:200]])
        elif name == "open" and not isinstance(given[0], int):
            mode, flags = given[1], given[2]
            if set(mode or "") & set("wxa+") or (mode is None and flags & (os.O_WRONLY | os.O_RDWR)):
                seen["written"].append(os.path.abspath(os.fsdecode(given[0])))
    sys.addaudithook(watch)
    report, sys.argv = sys.argv[1], ["hotspots", *sys.argv[2:]]
    try:
        from pipeline.cli import main
        main()
    finally:
        with open(report, "w", encoding="utf-8") as file:
            json.dump(seen, file)
    """
)
STRAND, OUTCOME = 'strand"; DROP TABLE incidents; --', "outcome'); COPY (SELECT 1) TO 'pwned.csv'; --"
FILE = "inci'dents\"; --.csv"


def hostile_city(folder: Path) -> Path:
    """Write the city with column names, texts and a file name that quote their way out where they can."""
    config = write_city(folder)
    (folder / "incidents.csv").unlink()
    names = [{"strand": STRAND, "outcome": OUTCOME}.get(n, n) for n in HEADER.split(",")]
    with (folder / FILE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "victim", "note'\"; --"])
        for row in city_rows():
            cells = row.split(",")
            cells[7] = cells[7].replace("no suspect", "no 'suspect\"; DROP TABLE t; --")
            writer.writerow([*cells, f"VICTIM-{cells[0]}-REF", '=HYPERLINK("http://example.org")'])
    content = yaml.safe_load(config.read_text("utf-8"))
    (source,) = content["incidents"]
    source["paths"] = ["inci*.csv"]
    source["columns"] |= {"category": STRAND, "outcome": OUTCOME, "victim": "victim"}
    content["page"] = {"tiles": {"url": "https://tiles.example.org/{z}/{x}/{y}.png?key={key}",
                                 "attribution": "Somebody", "key_env": "HOTSPOTS_TILE_KEY"}}  # fmt: skip
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    return config


class Watched:
    """A run of the hostile city in a process of its own."""

    def __init__(self, folder: Path, *stages: str, umask: int = 0o027, **environment: str) -> None:
        self.folder = folder / "city"
        hostile_city(self.folder)
        report = folder / "report.json"
        given = {k: v for k, v in os.environ.items() if k not in {"HOTSPOTS_SALT", "HOTSPOTS_TILE_KEY"}}
        how: dict[str, Any] = {"umask": umask} if os.name == "posix" else {}
        command = [sys.executable, "-c", WATCH, str(report), "run", "--config", "config.yaml", *stages]
        self.done = subprocess.run(
            command, cwd=self.folder, env=given | environment, capture_output=True, text=True, check=False, timeout=180,
            **how,
        )  # fmt: skip
        self.seen = json.loads(report.read_text("utf-8"))
        self.outputs = self.folder / "outputs"
        self.files = files_of(self.outputs)


def files_of(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.rglob("*")) if p.is_file()]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    found = Watched(tmp_path_factory.mktemp("watched"), HOTSPOTS_SALT=SALT, HOTSPOTS_TILE_KEY=TILE_KEY)
    if found.done.returncode:
        pytest.fail(found.done.stderr)
    return found


def content(path: Path) -> bytes:
    """Return the bytes of a file, and what they unpack to."""
    raw = path.read_bytes()
    if path.suffix == ".parquet":
        return raw + pd.read_parquet(path).to_csv().encode()
    if b'id="data"' in raw:
        return readable(raw.decode()).encode()
    return raw + gzip.decompress(raw) if path.suffix == ".gz" else raw


@pytest.mark.slow
def test_hostile_names_change_no_count(watched: Watched) -> None:
    manifest = json.loads((watched.outputs / "city" / "manifest.json").read_text("utf-8"))
    counters = manifest["stages"]["ingest"]["counters"]
    assert {k: counters[k] for k in ("rows", "incidents", "quarantined", "duplicates")} == {
        "rows": 58, "incidents": 56, "quarantined": 1, "duplicates": 1,
    }  # fmt: skip
    rows = pd.read_csv(watched.outputs / "city" / "internal" / "area_counts.csv", dtype=str)
    assert {"all", "race", "religion"} == set(rows["category"])
    assert not list(watched.folder.rglob("pwned*"))


@pytest.mark.slow
def test_a_run_starts_no_program_and_asks_no_network(watched: Watched) -> None:
    assert watched.seen["events"] == []


@pytest.mark.slow
def test_a_run_writes_in_its_folder_alone(watched: Watched) -> None:
    assert len(watched.seen["written"]) > 20
    home = watched.outputs.resolve().as_posix() + "/"
    strays = [p for p in watched.seen["written"] if not p.startswith(home)]
    # Scratch files of Python and its libraries: a probe for the temporary folder, caches of bytecode.
    harmless = re.compile(r"(/tmp/|/T/|\\Temp\\|__pycache__|/dev/null|hotspots-)")
    assert [p for p in strays if not harmless.search(p)] == []


@pytest.mark.slow
def test_secrets_are_in_no_file_and_on_no_screen(watched: Watched) -> None:
    forms = [
        form
        for secret in (SALT, TILE_KEY)
        for form in (secret.encode(), secret.encode().hex().encode(), base64.b64encode(secret.encode()).rstrip(b"="))
    ]
    said = (watched.done.stdout + watched.done.stderr).encode()
    assert [f for f in forms if f in said] == []
    assert [(p.name, f) for p in watched.files for f in forms if f in content(p)] == []
    assert not (watched.outputs / ".salt").exists()
    for profile in ("internal", "public"):  # the reader is asked for it instead
        assert b"?key={key}" in content(watched.outputs / "city" / profile / "index.html")


@pytest.mark.slow
def test_a_key_is_written_where_it_is_asked_for_and_nowhere_else(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(watched.folder, tmp_path, dirs_exist_ok=True)
    settings = yaml.safe_load((tmp_path / "config.yaml").read_text("utf-8"))
    settings["page"]["tiles"]["write_key"] = True
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    monkeypatch.setenv("HOTSPOTS_SALT", SALT)
    monkeypatch.setenv("HOTSPOTS_TILE_KEY", TILE_KEY + "/&")
    run = hotspots("run", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    places = [p for p in files_of(tmp_path / "outputs") if TILE_KEY.encode() in content(p)]
    assert places == [tmp_path / "outputs" / "city" / "internal" / "index.html"]
    assert f"?key={TILE_KEY}%2F%26" in content(places[0]).decode()
    assert TILE_KEY not in run.stdout + run.stderr
    monkeypatch.delenv("HOTSPOTS_TILE_KEY")
    assert "HOTSPOTS_TILE_KEY" in refused("run", "--from", "publish", cwd=tmp_path, code=2)


@pytest.mark.slow
def test_a_victims_reference_is_in_no_file(watched: Watched) -> None:
    plain = re.compile(rb"VICTIM-R\d{3}-REF")
    assert plain.search((watched.folder / FILE).read_bytes())
    assert [p for p in watched.files if plain.search(content(p))] == []  # nor in the rows that were refused


@pytest.mark.slow
def test_nothing_of_one_incident_is_handed_over(watched: Watched) -> None:
    hashes = set()
    for path in (watched.outputs / "city" / "work" / "incidents").glob("*.parquet"):
        hashes |= {str(h).encode() for h in pd.read_parquet(path, columns=["victim_hash"])["victim_hash"].dropna()}
    assert len(hashes) > 40
    single = re.compile(rb"\bR\d{3}\b|VICTIM|HYPERLINK|DROP TABLE")
    for profile in ("internal", "public"):
        for path in (p for p in watched.files if p.is_relative_to(watched.outputs / "city" / profile)):
            data = content(path)
            assert not single.search(data), path
            assert not any(h in data for h in hashes), path


@pytest.mark.slow
@POSIX
def test_files_are_made_with_the_umask(watched: Watched) -> None:
    wrong = {
        path.name: oct(stat.S_IMODE(path.stat().st_mode))
        for path in watched.outputs.rglob("*")
        if stat.S_IMODE(path.stat().st_mode) & 0o027
    }
    assert wrong == {}


@pytest.mark.slow
@POSIX
def test_the_salt_is_the_owners_alone(tmp_path: Path) -> None:
    run = Watched(tmp_path, "--only", "ingest", umask=0o022)
    salt = run.outputs / ".salt"
    assert stat.S_IMODE(salt.stat().st_mode) == 0o600
    assert salt.stat().st_size == 32
    forms = (salt.read_bytes(), salt.read_bytes().hex().encode(), base64.b64encode(salt.read_bytes()))
    assert [(p.name, f) for p in run.files if p != salt for f in forms if f in content(p)] == []
    assert not any(f in (run.done.stdout + run.done.stderr).encode() for f in forms)


# Map files that are something else: GDAL opens a file by what is in it, and some formats point elsewhere.

POINTERS = {
    "virtual": "<OGRVRTDataSource><OGRVRTLayer name='wards'><SrcDataSource>WAY</SrcDataSource></OGRVRTLayer>"
    "</OGRVRTDataSource>",
    "service": "<OGRWFSDataSource><URL>WAY</URL></OGRWFSDataSource>",
    "pipeline": '{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read WAY ! write x"}',
}
LINKED = (
    '{"type": "FeatureCollection", "crs": {"type": "link", "properties": {"href": "WAY"}}, "features": [{"type": '
    '"Feature", "properties": {"code": "A1", "name": "N"}, "geometry": {"type": "Point", "coordinates": [0, 51]}}]}'
)


def _boundaries(path: Path) -> None:
    area_file = AreaFile(path=path.name, code="code", name="name")
    read_boundaries(area_file, base=path.parent, working="EPSG:27700", level="wards")


def _points(path: Path) -> None:
    open_rows(path, Opening(path.parent))


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson"])
@pytest.mark.parametrize("kind", sorted(POINTERS))
@pytest.mark.parametrize("reader", [_boundaries, _points])
def test_a_map_file_leads_nowhere_else(reader: Any, kind: str, suffix: str, tmp_path: Path) -> None:
    write_city(tmp_path / "private")
    path = tmp_path / f"wards{suffix}"
    with serving() as site:
        site.pages["/leak"] = say("{}")
        for way in (
            f"/vsicurl/{site.address}/leak",
            f"{site.address}/leak",
            f"{tmp_path.as_posix()}/private/wards.gpkg",
        ):
            path.write_text(POINTERS[kind].replace("WAY", way), encoding="utf-8")
            with pytest.raises(InputError):
                reader(path)
        assert site.asked == []


@pytest.mark.parametrize("reader", [_boundaries, _points])
def test_a_system_of_coordinates_is_not_fetched(reader: Any, tmp_path: Path) -> None:
    path = tmp_path / "wards.geojson"
    with serving() as site:
        path.write_text(LINKED.replace("WAY", f"{site.address}/leak"), encoding="utf-8")
        with contextlib.suppress(InputError):  # a point is no outline; what counts is that nobody was asked
            reader(path)
        assert site.asked == []


# What is written down.


def test_every_version_is_pinned_and_no_index_named() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert len(lines) > 50
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.+!]+", line)] == []


def test_the_promises_are_written_down() -> None:
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    for words in (
        "pip-audit",
        "constraints.txt",
        "HOTSPOTS_SALT",
        "umask",
        "allowed_directories",
        "docs/threat-model.md",
    ):
        assert words in text
    model = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
    for actor in (
        "motivated intruder",
        "careless recipient",
        "hostile input file",
        "malicious tile server",
        "curious colleague",
    ):
        assert actor in model.casefold()
