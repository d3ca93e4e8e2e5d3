"""Files at an address: copied once, again only where they changed, and refused in one paragraph."""

import hashlib
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.config import Run
from pipeline.errors import ConfigError, EngineError, InputError
from pipeline.ingest.remote import Fetched, fetch_file
from pipeline.stages.runner import run
from tests.kit.city import LIGHT, write_city

pytestmark = pytest.mark.slow

KEY = "incidents[0].paths"


@dataclass
class Site:
    """A server of this computer: what it has, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    answers: list[tuple[str, int]] = field(default_factory=list)
    cut: int | None = None
    moved: str = ""
    address: str = ""


@pytest.fixture
def site() -> Iterator[Site]:
    held = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            body = held.files.get(path)
            tag = f'"{hashlib.sha256(body or b"").hexdigest()[:16]}"'
            code = 302 if held.moved else 404 if body is None else 304 if self.headers["If-None-Match"] == tag else 200
            held.answers.append((path, code))
            self.send_response(code)
            if code == 302:
                self.send_header("Location", held.moved)
            if code == 200:
                self.send_header("ETag", tag)
            content = body if code == 200 and body else b""
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: held.cut])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fetched(address: str, tmp_path: Path, known: str | None = None, **limits: int) -> Fetched:
    return fetch_file(address, key=KEY, target=tmp_path / "copy.csv", limits=Run(**limits), known=known)


def test_a_file_is_copied_once_and_again_only_if_it_changed(site: Site, tmp_path: Path) -> None:
    site.files["/a.csv"] = b"id,date\n1,2024-05-01\n"
    first = fetched(f"{site.address}/a.csv?token=hush", tmp_path)
    assert (tmp_path / "copy.csv").read_bytes() == site.files["/a.csv"]
    assert (tmp_path / "copy.csv").stat().st_mode & 0o777 == 0o600
    assert fetched(f"{site.address}/a.csv", tmp_path, first.mark).taken_over
    site.files["/a.csv"] += b"2,2024-05-02\n"
    assert not fetched(f"{site.address}/a.csv", tmp_path, first.mark).taken_over
    assert (tmp_path / "copy.csv").read_bytes() == site.files["/a.csv"]
    assert [code for _, code in site.answers] == [200, 304, 200]
    # A copy that was deleted is made again, whatever is known of it.
    (tmp_path / "copy.csv").unlink()
    assert not fetched(f"{site.address}/a.csv", tmp_path, first.mark).taken_over


def test_faults_leave_the_last_copy_and_no_secret(site: Site, tmp_path: Path) -> None:
    (tmp_path / "copy.csv").write_bytes(b"last")
    site.files["/a.csv"] = b"x" * 2_000_000
    faults = [
        (f"{site.address}/none.csv?token=hush", {}, "the server answers 404"),
        (f"{site.address}/a.csv?token=hush", {"max_file_mb": 1}, r"larger than run.max_file_mb \(1 MB\)"),
        ("http://127.0.0.1:1/a.csv?token=hush", {}, r"cannot be had \(ConnectError\)"),
    ]
    for address, limits, words in faults:
        with pytest.raises(InputError, match=words) as caught:
            fetched(address, tmp_path, **limits)
        assert "hush" not in str(caught.value)
    site.cut = 1000
    with pytest.raises(InputError, match=r"cannot be had \(RemoteProtocolError\)"):
        fetched(f"{site.address}/a.csv", tmp_path)
    site.moved = "http://example.org/a.csv"
    with pytest.raises(InputError, match=r"cannot be had \(UnsupportedProtocol\)"):
        fetched(f"{site.address}/a.csv", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["copy.csv"]
    assert (tmp_path / "copy.csv").read_bytes() == b"last"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("https://me:hush@example.org/a.csv", "holds a password"),
        ("zip://a.csv::https://example.org/a.zip", "combination of addresses"),
        ("http://example.org/a.csv", "is not encrypted: use https"),
        ("file:///etc/passwd", "for a file on disk give its path"),
        ("memory://a.csv", "cannot be read"),
        ("s3://bucket/*.csv", "is a pattern"),
    ],
)
def test_addresses_that_are_refused(tmp_path: Path, address: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        fetched(address, tmp_path)
    assert "hush" not in str(caught.value)


def test_other_stores_by_fsspec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec")
    from fsspec.implementations.memory import MemoryFileSystem

    class Store(MemoryFileSystem):
        protocol = "s3"
        store = {"/bucket/a.csv": None}  # noqa: RUF012 - as its parent has it
        pseudo_dirs = [""]  # noqa: RUF012

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return "/" + path.removeprefix("s3://").lstrip("/")

    del Store.store["/bucket/a.csv"]
    fsspec.register_implementation("s3", Store, clobber=True)
    try:
        Store().pipe_file("/bucket/a.csv", b"id\n1\n")
        first = fetched("s3://bucket/a.csv", tmp_path)
        assert (tmp_path / "copy.csv").read_bytes() == b"id\n1\n"
        assert fetched("s3://bucket/a.csv", tmp_path, first.mark).taken_over
        with pytest.raises(InputError, match=r"cannot be had \(FileNotFoundError\)"):
            fetched("s3://bucket/b.csv", tmp_path)
    finally:
        sys.modules["fsspec.registry"]._registry.pop("s3", None)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(EngineError, match=r"'\.\[remote\]'"):
        fetched("s3://bucket/a.csv", tmp_path)


def test_a_run_reads_addresses_like_files(site: Site, tmp_path: Path) -> None:
    light = {"detect.clusters.enabled": False, "profiles": [{"name": "public", "audience": "public"}]}
    write_city(tmp_path, **LIGHT, **light)
    for name in ("incidents.csv", "wards.gpkg", "people.csv"):
        site.files[f"/data/{name}"] = (tmp_path / name).read_bytes()
        (tmp_path / name).unlink()
    config = tmp_path / "config.yaml"
    text = config.read_text("utf-8")
    for name in ("incidents.csv", "wards.gpkg", "people.csv"):
        text = text.replace(name, f"{site.address}/data/{name}")
    config.write_text(text, encoding="utf-8")

    def quiet(_label: str, _done: int, _total: int) -> None:
        return

    outcome = run(config, progress=quiet)
    assert outcome.manifest["stages"]["ingest"]["counters"]["rows"] == 58
    assert {o["key"]: o["taken_over"] for o in outcome.manifest["origins"]} == {
        "incidents[0].paths": False,
        "areas.wards.path": False,
        "areas.population[0].path": False,
    }
    site.answers.clear()
    assert run(config, progress=quiet).ran == []
    assert {code for _, code in site.answers} == {304}
    site.files["/data/incidents.csv"] += b"x99,2024-05-01,530100,180100,A,race,no,\n"
    assert run(config, progress=quiet, only=("ingest",)).manifest["stages"]["ingest"]["counters"]["rows"] == 59
