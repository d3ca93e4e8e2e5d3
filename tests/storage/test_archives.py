"""Zip archives read as folders: what they hold, which members a path names, and what is refused before it is read."""

import io
import struct
import zipfile
from pathlib import Path

import pytest

from pipeline.config import Run
from pipeline.errors import InputError
from pipeline.ingest.formats.files import DEFAULT_LIMITS, existing, read_table, unpacked
from pipeline.stages.inputs import expand, files_of
from pipeline.storage.archives import archive_of, content_checksum, file_of, open_archive, unpacked_size

CSV = b"id,n\nA,1\n"


def zipped(path: Path, *names: str, content: bytes = CSV, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in names:
            archive.writestr(name, content)
    return path


def named(folder: Path, *patterns: str) -> list[str]:
    return [p.relative_to(folder).as_posix() for p in expand(patterns, base=folder, key="paths")]


def test_an_archive_is_read_as_the_data_in_it(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "a.zip",
        "2024-01/2024-01-kent-street.csv",
        "wards/w.shp", "wards/w.dbf", "wards/w.prj", "wards/w.shp.xml",
        "b.gdb/a00000001.gdbtable", "b.gdb/gdb",
        "Terms.pdf", "readme.txt", "__MACOSX/._x.csv", "c/.hidden.csv", "d.geojson.gz",
    )  # fmt: skip
    found = open_archive(path)
    assert found.data == ("2024-01/2024-01-kent-street.csv", "b.gdb", "d.geojson.gz", "wards/w.shp")
    assert found.others == ("Terms.pdf", "readme.txt")


def test_a_text_is_data_only_if_nothing_else_is(tmp_path: Path) -> None:
    assert open_archive(zipped(tmp_path / "a.zip", "extract.txt", "terms.pdf")).data == ("extract.txt",)


def test_paths_and_patterns_reach_into_archives(tmp_path: Path) -> None:
    members = [f"{m}/{m}-kent-{kind}.csv" for m in ("2024-01", "2024-02") for kind in ("street", "outcomes")]
    zipped(tmp_path / "x-2024.zip", *members)
    zipped(tmp_path / "x-2025.zip", "2025-01/2025-01-kent-street.csv")
    whole = [f"x-2024.zip/{name}" for name in sorted(members)]
    assert named(tmp_path, "x-2024.zip") == whole
    assert named(tmp_path, "x-2024.zip/2024-01/2024-01-kent-street.csv") == [whole[1]]
    assert named(tmp_path, "x-2024.zip/*/*-street.csv") == [whole[1], whole[3]]
    assert named(tmp_path, "x-*.zip/**/*-street.csv") == [
        whole[1],
        whole[3],
        "x-2025.zip/2025-01/2025-01-kent-street.csv",
    ]
    later = "x-2025.zip/2025-01/2025-01-kent-street.csv"
    # A pattern that one of several archives does not have is no fault; one that none has is.
    assert named(tmp_path, "x-*.zip/2025-*/*.csv") == [later]
    with pytest.raises(InputError, match=r"x-2024\.zip has no file that matches '\*\.xlsx'; it has 2024-01/"):
        expand(("x-2024.zip/*.xlsx",), base=tmp_path, key="paths")


def test_a_member_is_a_path_with_a_file_on_disk_behind_it(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", "in/x.csv")
    member = path / "in/x.csv"
    assert archive_of(member) == (path, "in/x.csv")
    assert archive_of(path) is archive_of(tmp_path / "in/x.csv") is None
    assert (file_of(member), files_of(member), unpacked_size(member)) == (path, [path], len(CSV))
    # SHA-256 by another program: printf 'id,n\nA,1\n' | sha256sum
    assert content_checksum(member) == "99f04cc5d62894d616a1c16572369cd5573dd520668dbf5c291a7b2ec26f48d2"


def test_a_single_file_may_be_named_by_its_archive_alone(tmp_path: Path) -> None:
    zipped(tmp_path / "one.zip", "people.csv", "about.pdf")
    assert read_table(existing("one.zip", base=tmp_path, what="areas.population"), encoding="utf-8")["n"].tolist() == [
        "1"
    ]
    zipped(tmp_path / "two.zip", "a.csv", "b.csv")
    with pytest.raises(InputError, match=r"two\.zip has several files \(two\.zip/a\.csv, two\.zip/b"):
        existing("two.zip", base=tmp_path, what="areas.population")
    path = existing("two.zip/b.csv", base=tmp_path, what="areas.population")
    assert read_table(path, encoding="utf-8")["id"].tolist() == ["A"]


def test_only_the_start_of_a_text_is_unpacked_for_its_header(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", "x.csv", content=CSV * 500_000)
    with unpacked(path / "x.csv", limits=DEFAULT_LIMITS, head=True) as file:
        assert file.stat().st_size == 1 << 20
    with unpacked(path / "x.csv", limits=DEFAULT_LIMITS) as file:
        assert file.stat().st_size == len(CSV) * 500_000
    assert not file.exists()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("../x.csv",), "leads out of the archive"),
        (("/etc/x.csv",), "leads out of the archive"),
        (("a\\..\\x.csv",), "leads out of the archive"),
        (("C:x.csv",), "leads out of the archive"),
        (("x.csv", "months/2024.zip"), r"holds another archive \(months/2024\.zip\): unpack it"),
        (("a.zip", "b.kmz"), "holds 2 other archives"),
    ],
)
def test_traversal_and_nested_archives_are_refused(tmp_path: Path, names: tuple[str, ...], words: str) -> None:
    zipped(tmp_path / "a.zip", *names)
    # zipfile writes names as the system does; the entries are as they were given.
    with pytest.raises(InputError, match=words):
        expand(("a.zip",), base=tmp_path, key="paths")


def test_an_archive_without_data_says_what_it_has(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", "Terms.pdf")
    with pytest.raises(InputError, match=r"a\.zip has no file in a format that can be read; it has Terms\.pdf"):
        expand(("a.zip",), base=tmp_path, key="paths")


def test_a_file_in_an_archive_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        zipped(tmp_path / "a.zip", "x.csv", "x.csv")
    with pytest.raises(InputError, match="is in it twice"):
        open_archive(tmp_path / "a.zip")


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [(8, 1, "encrypted with a password"), (10, 9, "Deflate64")],
    ids=["encrypted", "deflate64"],
)
def test_flags_of_the_directory_are_respected(tmp_path: Path, offset: int, value: int, words: str) -> None:
    data = bytearray(zipped(tmp_path / "a.zip", "x.csv").read_bytes())
    # General purpose flags and method, in the directory's entry (APPNOTE 4.3.12).
    struct.pack_into("<H", data, data.index(b"PK\x01\x02") + offset, value)
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(InputError, match=words):
        open_archive(tmp_path / "a.zip")


def test_a_link_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        entry = zipfile.ZipInfo("x.csv")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(InputError, match="is a link or a device"):
        open_archive(tmp_path / "a.zip")


@pytest.mark.slow
def test_a_bomb_is_refused_before_it_is_written(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", "x.csv", content=b"0" * 60_000_000)
    with (
        pytest.raises(InputError, match=r"a\.zip/x\.csv expands to more than 200 times"),
        unpacked(path / "x.csv", limits=DEFAULT_LIMITS),
    ):
        pass
    with (
        pytest.raises(InputError, match=r"larger than run\.max_file_mb \(1 MB\)"),
        unpacked(path / "x.csv", limits=Run(max_file_mb=1)),
    ):
        pass


def test_a_member_that_is_longer_than_stated_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", "x.csv", content=CSV * 1000)
    data = bytearray(path.read_bytes())
    size = struct.pack("<I", len(CSV) * 1000)
    for at in (data.index(size), data.rindex(size)):
        data[at : at + 4] = struct.pack("<I", 500)
    path.write_bytes(data)
    with pytest.raises(InputError, match="not a whole zip archive"), unpacked(path / "x.csv", limits=DEFAULT_LIMITS):
        pass


def test_entries_that_overlap_are_refused(tmp_path: Path) -> None:
    data = zipped(tmp_path / "a.zip", "x.csv", content=CSV * 100, method=zipfile.ZIP_STORED).read_bytes()
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = data[start:end]
    # Three entries of the directory for the same bytes (Fifield, "A better zip bomb", 2019).
    directory = b"".join(entry.replace(b"x.csv", name) for name in (b"x.csv", b"y.csv", b"z.csv"))
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 3, 3, len(directory), start, 0)
    (tmp_path / "a.zip").write_bytes(data[:start] + directory + tail)
    with pytest.raises(InputError, match="overlap"):
        open_archive(tmp_path / "a.zip")


@pytest.mark.parametrize("keep", [10, 60])
def test_a_damaged_archive_is_refused(tmp_path: Path, keep: int) -> None:
    path = zipped(tmp_path / "a.zip", "x.csv")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="not a whole zip archive"):
        open_archive(path)


def test_an_archive_under_another_name_is_called_one(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.csv", CSV)
    (tmp_path / "x.csv").write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match=r"x\.csv is a zip archive.*rename it to end in \.zip"):
        read_table(tmp_path / "x.csv", encoding="utf-8")
