"""What one input may hold: bombs end as one paragraph within bounded memory, and real sizes never meet a limit."""

import gzip
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import geopandas as gpd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from pipeline.config import AreaFile, Run, load_config
from pipeline.errors import ConfigError, InputError
from pipeline.ingest.areas import read_boundaries
from pipeline.ingest.formats.files import DEFAULT_LIMITS, require_size, unfolds
from pipeline.stages.inputs import expand
from pipeline.stages.release import _shapes, read_known_tables
from tests.kit.city import write_city
from tests.kit.readers import CITY, read, settings, write

HEAD = "id,date,easting,northing,strand\n"
GOOD = "1,2025-01-02,530500,180500,race\n"
MB = 1_000_000
MOST_MEMORY_MB = 700  # the libraries alone come to some 350


def pack(path: Path, *parts: tuple[bytes, int]) -> Path:
    """Write each of the parts so many times into a compressed file."""
    with gzip.open(path, "wb", 6) as file:
        for part, times in parts:
            for _ in range(times):
                file.write(part)
    return path


def sparse(path: Path, start: str, size: int) -> Path:
    """Write a text and as many NUL bytes after it as make up the size; they take no room on the disk."""
    with path.open("wb") as file:
        file.write(start.encode())
        file.truncate(size)
    return path


def equal_cells(path: Path, rows: int) -> Path:
    """Write a Parquet file in which every row is the same: a few kB for millions of them."""
    names = ["id", "date", "easting", "northing"]
    texts = ["1", "2025-01-02", "530500", "180500"]
    indices = pa.array([0]).take(pa.array([0])).cast(pa.int8())
    block = 1 << 20
    zero = pa.concat_arrays([indices] * 1).take(pa.array([0] * block, pa.int32()))
    table = pa.table(
        {n: pa.DictionaryArray.from_arrays(zero, pa.array([t])) for n, t in zip(names, texts, strict=True)}
    )
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for _ in range(rows // block):
            writer.write_table(table)
    return path


def quoted(path: Path) -> Path:
    """Write a table whose one quotation mark is never closed, 20 MB before its end."""
    path.write_text(HEAD + GOOD + '2,2025-01-02,530500,180500,"race\n' + GOOD * 600_000, encoding="utf-8")
    return path


BOMBS: dict[str, tuple[Any, str]] = {
    "nuls.csv.gz": (lambda p: pack(p, (bytes(MB), 250)), "max_unpacked_ratio"),
    "one-line.csv.gz": (lambda p: pack(p, (HEAD.encode(), 1), (b"a" * MB, 250)), "max_unpacked_ratio"),
    "same-row.csv.gz": (lambda p: pack(p, (HEAD.encode(), 1), (GOOD.encode() * 30_000, 100)), "max_unpacked_ratio"),
    "wide.csv": (lambda p: write(p.parent, "a," * 100_000 + "\n", p.name), "max_columns"),
    "wide-header.csv": (
        lambda p: write(p.parent, "a" * 300_000 + "\n1\n", p.name),
        "line 1, is longer than run.max_row_kb",
    ),
    "long-row.csv": (
        lambda p: sparse(p, HEAD + GOOD, 1000 * MB),
        "bytes from its start, that is longer than run.max_row_kb",
    ),
    "long-last-row.csv": (lambda p: write(p.parent, HEAD + GOOD + "x" * 40 * MB + "\n\n\n", p.name), "max_row_kb"),
    "nuls.csv": (lambda p: sparse(p, "", 1000 * MB), "max_row_kb"),
    "quote.csv": (quoted, "begins in line 3 is longer than 131,072 characters"),
    "equal.parquet": (lambda p: equal_cells(p, 1 << 25), "max_unpacked_ratio"),
    "not.geojson": (lambda p: sparse(p, '{"type": "FeatureCollection", "features": [', 300 * MB), "not.geojson"),
}
CHILD = textwrap.dedent(
    """
    import json, resource, sys
    from pathlib import Path
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    sys.path.insert(0, sys.argv[1])
    from pipeline.errors import InputError
    from tests.kit.readers import read, settings

    def peak_mb():
        # of this program alone: what getrusage says holds its parent's too, from before it was started
        status = Path("/proc/self/status")
        held = status.read_text().split("VmHWM:")[1].split()[0] if status.is_file() else None
        return int(held or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) // 1000

    said = {}
    for path in sorted(Path(sys.argv[2]).iterdir()):
        try:
            read(path, settings({"crs": "EPSG:27700"}), out=Path(sys.argv[3]))
            said[path.name] = ["read", 0]
        except InputError as error:
            said[path.name] = [str(error), peak_mb()]
    print(json.dumps(said))
    """
)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int]]:
    """What reading each bomb said, and the most memory up to then in MB, in a process of limited memory."""
    pytest.importorskip("resource", reason="memory limits are POSIX's")
    folder, out = tmp_path_factory.mktemp("bombs"), tmp_path_factory.mktemp("out")
    for name, (make, _) in BOMBS.items():
        make(folder / name)
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", CHILD, root, str(folder), str(out)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert [p.name for p in out.iterdir() if p.name.startswith(".")] == []
    return {name: (words, peak) for name, (words, peak) in json.loads(done.stdout).items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_one_paragraph_and_little_memory(said: dict[str, tuple[str, int]], name: str) -> None:
    words, peak_mb = said[name]
    assert BOMBS[name][1] in words
    assert "\n" not in words
    assert peak_mb < MOST_MEMORY_MB


def test_real_sizes_meet_no_limit(tmp_path: Path) -> None:
    # Ten million rows of 500 bytes; packed as well as police.uk's are (4) and as the Met's counts are (20).
    big = sparse(tmp_path / "extract.csv", HEAD, 5_000 * MB)
    require_size(big, limits=DEFAULT_LIMITS)
    for ratio in (4, 20):
        packed = sparse(tmp_path / f"x{ratio}.csv.gz", "", 5_000 * MB // ratio)
        unfolds(packed, size=5_000 * MB, limits=DEFAULT_LIMITS)


@pytest.mark.slow
def test_small_files_may_unfold_as_they_like(tmp_path: Path) -> None:
    path = pack(tmp_path / "rows.csv.gz", (HEAD.encode(), 1), (GOOD.encode() * 1000, 20))
    assert path.stat().st_size * 200 < 20_000 * len(GOOD)
    assert read(path).report.rows_read == 20_000


@pytest.mark.slow
def test_every_limit_can_be_raised(tmp_path: Path) -> None:
    line = GOOD.replace("race", "r" * 1200)
    path = write(tmp_path, HEAD + line * 3)
    with pytest.raises(InputError, match=r"line 2, is longer than run\.max_row_kb \(1 kB\)"):
        read(path, settings(run={"max_row_kb": 1}))
    assert read(path, settings(run={"max_row_kb": 3})).report.incidents == 3
    with pytest.raises(InputError, match=r"5 columns, more than run\.max_columns \(4\)"):
        read(path, settings(run={"max_columns": 4}))


@pytest.mark.slow
def test_wide_rows_come_in_small_batches_and_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, HEAD + "".join(GOOD.replace("1,", f"{n},", 1) for n in range(10_000)))
    whole = read(path, out=tmp_path / "a")
    monkeypatch.setattr("pipeline.ingest.formats.files.BATCH_BYTES", 1000)
    parted = read(path, out=tmp_path / "b")
    assert parted.incidents.equals(whole.incidents)
    assert len(parted.incidents) == 10_000


def test_boundaries_are_held_to_the_limit_of_files_read_whole(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"code": CITY.codes, "name": CITY.codes}, geometry=list(CITY.shapes), crs=27700)
    area_file = AreaFile(path="wards.geojson", code="code", name="name")
    frame.assign(note="x" * 300_000).to_file(tmp_path / "wards.geojson")
    limits = Run.model_validate({"max_table_mb": 1})
    with pytest.raises(InputError, match=r"wards\.geojson is larger than run\.max_table_mb \(1 MB\)"):
        read_boundaries(area_file, base=tmp_path, working="EPSG:27700", level="wards", limits=limits)
    found = read_boundaries(area_file, base=tmp_path, working="EPSG:27700", level="wards")
    assert found.codes == CITY.codes


def test_known_tables_are_held_to_the_limit_of_files_read_whole(tmp_path: Path) -> None:
    table = tmp_path / "known.csv"
    table.write_text("area_code,period,category,incidents\n" + "A,2024-01,all,1\n" * 80_000, encoding="utf-8")
    known = {"known_tables": [{"name": "k", "path": "known.csv"}]}
    config = load_config(write_city(tmp_path, **{"run.max_table_mb": 1, "disclosure": known}))
    context = SimpleNamespace(config=config, base=tmp_path)
    with pytest.raises(InputError, match=r"known\.csv is larger than run\.max_table_mb \(1 MB\)"):
        read_known_tables(cast("Any", context))


def test_layers_of_addresses_are_what_their_names_say(tmp_path: Path) -> None:
    points = gpd.GeoDataFrame(geometry=[shapely.Point(530_500, 180_500)], crs=27700)
    points.to_file(tmp_path / "there.geojson")
    context: Any = SimpleNamespace(base=tmp_path, folder=tmp_path, config=settings())
    assert len(_shapes(context, "there.geojson", "disclosure.addresses")) == 1
    pointer = "<OGRVRTDataSource><OGRVRTLayer name='there'><SrcDataSource relativeToVRT='1'>there.geojson"
    write(tmp_path, f"{pointer}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>", "pointer.gpkg")
    with pytest.raises(InputError, match=r"pointer\.gpkg does not match its extension"):
        _shapes(context, "pointer.gpkg", "disclosure.addresses")


# Addresses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://tiles.example.org/{z}/{x}/{y}.png", True),
        ("https://{s}.tiles.example.org:8443/{z}/{x}/{y}.png?key={key}", True),
        ("http://127.0.0.1:8000/{z}/{x}/{y}.png", True),
        ("http://localhost/{z}/{x}/{y}.png", True),
        ("http://tiles.example.org/{z}/{x}/{y}.png", False),
        ("HTTP://tiles.example.org/{z}/{x}/{y}.png", False),
        ("http://localhost.example.org/{z}/{x}/{y}.png", False),
        ("http://127.0.0.1@example.org/{z}/{x}/{y}.png", False),
        ("ftp://tiles.example.org/{z}", False),
        ("//tiles.example.org/{z}", False),
        ("javascript:alert(1)", False),
    ],
)
def test_tiles_come_over_https(url: str, allowed: bool) -> None:  # noqa: FBT001 one row of the table
    page = {"tiles": {"url": url, "attribution": "Somebody"}}
    if allowed:
        assert settings(page=page).page.tiles.url == url
    else:
        with pytest.raises(ConfigError, match=r"page\.tiles\.url must begin with https://"):
            settings(page=page)


# Names ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rows[1].csv", "rows*.csv", "rows?.csv", "{rows,other}.csv", 'rows\' "1".csv'])
@pytest.mark.slow
def test_a_file_is_read_by_its_own_name(tmp_path: Path, name: str) -> None:
    for other in ("rows1.csv", "rowsx.csv", "rows.csv", "other.csv"):
        write(tmp_path, HEAD + GOOD * 3, other)
    assert read(write(tmp_path, HEAD + GOOD, name)).report.rows_read == 1
    table = pa.table({n: [v] for n, v in zip(HEAD.strip().split(","), GOOD.strip().split(","), strict=True)})
    path = tmp_path / name.replace(".csv", ".parquet")
    pq.write_table(table, tmp_path / "rows1.parquet")
    pq.write_table(table, path)
    assert read(path).report.rows_read == 1


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    name = b"extract-\xe9.csv"
    try:
        (Path(tmp_path) / name.decode("utf-8", "surrogateescape")).write_text(HEAD + GOOD, encoding="utf-8")
    except (OSError, UnicodeError):
        pytest.skip("names on this disk are text")
    with pytest.raises(InputError, match=r"incidents\.paths: the name of .*extract-.*xe9\.csv is not UTF-8.*rename"):
        expand(("*.csv",), base=tmp_path, key="incidents.paths")


def test_parquet_columns_may_be_blank_repeated_or_differ_in_case(tmp_path: Path) -> None:
    names = ["", "id", "ID", "date", "easting", "northing", "northing"]
    cells = ["x", "a", "b", "2025-01-02", "530500", "180500", "0"]
    pq.write_table(pa.Table.from_arrays([pa.array([c]) for c in cells], names=names), tmp_path / "rows.parquet")
    columns = {"id": "id", "date": "date", "x": "easting", "y": "northing"}
    found = read(tmp_path / "rows.parquet", settings({"columns": columns}))
    assert found.incidents[["incident_id", "easting_m", "northing_m"]].iloc[0].tolist() == ["a", 530_500.0, 180_500.0]


@pytest.mark.parametrize("encoding", ["WKB", "geoarrow"])
def test_geoparquet_is_streamed_in_both_encodings(tmp_path: Path, encoding: str) -> None:
    places = [shapely.Point(530_500, 180_500), None, shapely.Point(531_500, 181_500)]
    frame = gpd.GeoDataFrame({"id": ["a", "b", "c"], "date": ["2025-01-02"] * 3}, geometry=places, crs=27700)
    frame.to_parquet(tmp_path / "rows.parquet", geometry_encoding=encoding)
    found = read(tmp_path / "rows.parquet", settings({"crs": None}))
    assert found.incidents["place"].tolist() == ["point", "none", "point"]
    assert found.incidents["ward_code"].fillna("").tolist() == ["W00", "", "W11"]


@pytest.mark.parametrize(
    "geo", [b"{", b"[]", b"{}", b'{"primary_column": "g", "columns": {"g": {}}}',
            b'{"primary_column": "id", "columns": {"id": {"crs": {"type": "nonsense"}}}}',
            b'{"primary_column": "id", "columns": {"id": {"encoding": "polygon"}}}']
)  # fmt: skip
def test_geoparquet_that_describes_itself_wrongly_is_one_error(tmp_path: Path, geo: bytes) -> None:
    table = pa.table({"id": ["a"], "date": ["2025-01-02"]}).replace_schema_metadata({b"geo": geo})
    pq.write_table(table, tmp_path / "rows.parquet")
    with pytest.raises(InputError, match=r"rows\.parquet.*GeoParquet"):
        read(tmp_path / "rows.parquet", settings({"crs": None}))
