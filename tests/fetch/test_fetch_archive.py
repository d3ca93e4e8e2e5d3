"""The police.uk archive: taken apart file by file, and never outside its folder, whatever the zip says."""

import io
import json
import os
import shutil
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.fetch import Client, Fetched, Limits, Unpacking, fetch_archive, unpack
from pipeline.fetch.police import COLUMNS
from tests.kit.fetch_site import Site, kept, say, serving

CSV = (",".join(COLUMNS) + "\n" + ",".join(["x"] * len(COLUMNS)) + "\n").encode()
ZIP = "application/zip"


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


@pytest.fixture
def client() -> Client:
    return Client(Limits(delay_s=0, timeout_s=3, attempts=3), sleep=lambda _s: None, jitter=lambda: 0.5)


def zipped(members: dict[str, bytes] | None = None, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return an archive; by default three forces' files over two months, as police.uk folds them."""
    if members is None:
        members = {
            f"{month}/{month}-{force}-{kind}.csv": CSV + f"{month},{force}\n".encode()
            for month in ("2024-01", "2024-02")
            for force in ("metropolitan", "city-of-london", "kent")
            for kind in ("street", "outcomes", "stop-and-search")
        }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return out.getvalue()


def fetched(client: Client, site: Site, out: Path, **how: object) -> list[Fetched]:
    ask = {"forces": ["metropolitan"], "first": "2024-01", "last": "2024-02", "base": site.address, **how}
    return fetch_archive(client, out, **ask)  # type: ignore[arg-type]


def test_only_what_was_asked_for(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/data/archive/latest.zip"] = kept(zipped(), ZIP)
    got = fetched(client, site, tmp_path, forces=["metropolitan", "city-of-london"])
    assert [f.path.relative_to(tmp_path).as_posix() for f in got] == [
        "archive/latest.zip",
        "street/2024-01-city-of-london-street.csv",
        "street/2024-01-metropolitan-street.csv",
        "street/2024-02-city-of-london-street.csv",
        "street/2024-02-metropolitan-street.csv",
    ]
    assert (tmp_path / "street" / "2024-01-metropolitan-street.csv").read_bytes() == CSV + b"2024-01,metropolitan\n"
    record = json.loads((tmp_path / "street" / "2024-01-metropolitan-street.csv.source.json").read_text("utf-8"))
    assert record["archive_sha256"] == got[0].record["sha256"]
    assert record["licence"]["name"] == "Open Government Licence v3.0"
    assert "not addresses" in record["attribution"]
    assert len(list((tmp_path / "street").iterdir())) == 8


def test_again_is_the_same(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/data/archive/2024-03.zip"] = kept(zipped(), ZIP)
    fetched(client, site, tmp_path, archive="2024-03")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.source.json")}
    again = fetched(client, site, tmp_path, archive="2024-03")
    assert not any(f.changed for f in again)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*.source.json")} == before


def test_an_archive_cut_off_goes_on(client: Client, site: Site, tmp_path: Path) -> None:
    whole = zipped()
    site.pages["/data/archive/latest.zip"] = [kept(whole, ZIP, cut=1000), kept(whole, ZIP)]
    fetched(client, site, tmp_path)
    assert (tmp_path / "archive" / "latest.zip").read_bytes() == whole
    assert site.asked[1][1]["Range"] == "bytes=1000-"


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"forces": ["sussex"]}, r"lacks 2 of 2 files .*2024-01-sussex-street\.csv"),
        ({"last": "2024-03"}, "lacks 1 of 3"),
        ({"forces": ["../etc"]}, "is not a force"),
        ({"forces": []}, "is not a force"),
        ({"archive": "../../x"}, "is not a month"),
        ({"first": "January"}, "is not a month"),
        ({"sha256": "ff" * 32}, "checksum"),
    ],
)
def test_questions_it_cannot_answer(
    how: dict[str, object], words: str, client: Client, site: Site, tmp_path: Path
) -> None:
    site.pages["/data/archive/latest.zip"] = kept(zipped(), ZIP)
    with pytest.raises(InputError, match=words):
        fetched(client, site, tmp_path, **how)


def test_a_page_instead_of_an_archive(client: Client, site: Site, tmp_path: Path) -> None:
    for page in (say("<html>", "text/html"), say("<html>", "application/octet-stream")):
        site.pages["/data/archive/latest.zip"] = page
        with pytest.raises(InputError, match="zip"):
            fetched(client, site, tmp_path)


# Archives that no honest publisher makes. Each is handed to `unpack`, which must write nothing at all.

NAME = "2024-01/2024-01-metropolitan-street.csv"


def with_names(*names: str) -> bytes:
    return zipped({NAME: CSV, **dict.fromkeys(names, b"x")})


def with_mode(mode: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(NAME, CSV)
        link = zipfile.ZipInfo("2024-01/x-street.csv")
        link.create_system, link.external_attr = 3, (mode | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    return out.getvalue()


def raw_name(name: bytes) -> bytes:
    """Return an archive whose entry is renamed, byte for byte, after zipfile has had its say."""
    plain = b"q" * len(name)
    return zipped({NAME: CSV, plain.decode(): b"x"}).replace(plain, name)


def flagged() -> bytes:
    data = bytearray(zipped({NAME: CSV}))
    at = data.index(b"PK\x01\x02")
    struct.pack_into("<H", data, at + 8, 0x1)
    return bytes(data)


def overlapping() -> bytes:
    """Return an archive in which sixty names share one body (Fifield, 2019, 'A better zip bomb')."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(NAME, os.urandom(20_000))
        for number in range(60):
            twin = zipfile.ZipInfo(f"2024-01/2024-01-f{number}-street.csv")
            first = archive.filelist[0]
            for field in ("header_offset", "compress_size", "file_size", "CRC", "compress_type", "flag_bits"):
                setattr(twin, field, getattr(first, field))
            archive.filelist.append(twin)
            archive.NameToInfo[twin.filename] = twin
    return out.getvalue()


def lying(size: int) -> bytes:
    """Return an archive whose directory states another size than the file has."""
    data = bytearray(zipped({NAME: CSV * 50}))
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        struct.pack_into("<I", data, data.index(mark) + offset, size)
    return bytes(data)


def flipped() -> bytes:
    data = bytearray(zipped({NAME: CSV}, zipfile.ZIP_STORED))
    data[data.index(b"Crime ID")] ^= 0xFF
    return bytes(data)


def crowded() -> bytes:
    return zipped({f"{n}.txt": b"" for n in range(200)})


HOSTILE = {
    "dots": (with_names("../../evil.csv"), "leads out"),
    "dots inside": (with_names("2024-01/../../evil-street.csv"), "leads out"),
    "absolute": (with_names("/etc/evil-street.csv"), "leads out"),
    "backslash": (raw_name(b"..\\..\\evil-street.csv"), "leads out"),
    "drive": (with_names("C:/evil-street.csv"), "leads out"),
    "nul": (raw_name(b"evil-street.csv\0.txt"), "leads out"),
    "line break": (raw_name(b"evil\r\n-street.csv"), "cannot be a file's"),
    "escape": (raw_name(b"evil\x1b[31m-street.csv"), "cannot be a file's"),
    "long": (with_names("x" * 300), "cannot be a file's"),
    "link": (with_mode(stat.S_IFLNK), "is a link"),
    "device": (with_mode(stat.S_IFCHR), "is a link"),
    "pipe": (with_mode(stat.S_IFIFO), "is a link"),
    "encrypted": (flagged(), "encrypted"),
    "lzma": (zipped({NAME: CSV}, zipfile.ZIP_LZMA), "unusual"),
    "bzip2": (zipped({NAME: CSV}, zipfile.ZIP_BZIP2), "unusual"),
    "twice": (with_names(NAME.upper()), "twice"),
    "bomb": (zipped({NAME: bytes(30_000_000)}), "only a decompression bomb"),
    "overlapping": (overlapping(), "its entries overlap"),
    "same name": (with_names("2024-02/2024-01-metropolitan-street.csv"), "several wanted files of one name"),
    "crowded": (crowded(), "more than 100"),
    "too big": (zipped({NAME: os.urandom(3_000_000)}), "more than 2"),
    "says less": (lying(10), "not a whole zip"),
    "says more": (lying(1_900_000), "not a whole zip|only a decompression bomb"),
    "flipped byte": (flipped(), "not a whole zip"),
    "truncated": (zipped()[:-300], "not a whole zip"),
    "no directory": (zipped()[:200], "not a whole zip"),
    "empty": (b"", "not a whole zip"),
    "no zip": (b"PK\x03\x04 but nothing else", "not a whole zip"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives(name: str, tmp_path: Path) -> None:
    data, words = HOSTILE[name]
    folder = tmp_path / "a" / "b" / "street"
    folder.mkdir(parents=True)
    archive = tmp_path / "a" / "x.zip"
    archive.write_bytes(data)
    limits = Unpacking(max_members=100, max_bytes=2_000_000) if name != "bomb" else Unpacking()
    with pytest.raises(InputError, match=words) as error:
        unpack(archive, folder, wanted=lambda n: n.endswith("-street.csv"), limits=limits)
    assert str(error.value).isprintable()
    assert list(folder.iterdir()) == []
    assert [p for p in tmp_path.rglob("*") if p.is_file() or p.is_symlink()] == [archive]


def test_a_doubled_name_differing_in_case(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(with_names("2024-01/A-street.csv", "2024-01/a-street.csv"))
    with pytest.raises(InputError, match="twice"):
        unpack(tmp_path / "x.zip", tmp_path / "out", wanted=lambda _n: True)
    assert not (tmp_path / "out").exists()


def test_every_cut_of_an_archive_is_noticed(tmp_path: Path) -> None:
    whole = zipped({NAME: CSV})
    for length in range(0, len(whole), 7):
        (tmp_path / "x.zip").write_bytes(whole[:length])
        with pytest.raises(InputError):
            unpack(tmp_path / "x.zip", tmp_path / "out", wanted=lambda _n: True)
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_a_link_in_the_place_of_the_file_is_replaced_not_followed(tmp_path: Path) -> None:
    if not hasattr(os, "symlink"):
        pytest.skip("no links here")
    (tmp_path / "x.zip").write_bytes(zipped({NAME: CSV}))
    (tmp_path / "precious").write_text("keep")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / Path(NAME).name).symlink_to(tmp_path / "precious")
    (path,) = unpack(tmp_path / "x.zip", tmp_path / "out", wanted=lambda _n: True)
    assert (tmp_path / "precious").read_text() == "keep"
    assert not path.is_symlink()
    assert path.read_bytes() == CSV


def test_a_full_disk_is_seen_before_it_is_full(
    client: Client, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pages["/data/archive/latest.zip"] = kept(zipped(), ZIP)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _p: usage._replace(free=100))
    with pytest.raises(InputError, match="make room"):
        fetched(client, site, tmp_path)
    assert not list((tmp_path / "archive").glob("*.part"))
