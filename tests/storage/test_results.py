"""Results that a run takes over from the last one: only with the same key, only unchanged, and nothing beside them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.storage import results
from pipeline.storage.results import Results

PAGE = Path("pages/a/one.html")


def write_into(folder: Path, text: str) -> Callable[[], None]:
    def write() -> None:
        (folder / PAGE).parent.mkdir(parents=True)
        (folder / PAGE).write_text(text, "utf-8")

    return write


def made_again(tmp_path: Path, *, key: int = 1) -> tuple[bool, str]:
    """Make the result in a new run beside `last`, and say whether it was made and what it holds."""
    folder = tmp_path / "new"
    made = Results(folder, tmp_path / "last").make(
        "pages", folder="pages", depends_on={"k": key}, make=write_into(folder, "new")
    )
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == [
        PAGE.as_posix(),
        "work/results/pages.json",
    ]
    return made, (folder / PAGE).read_text("utf-8")


@pytest.fixture
def last(tmp_path: Path) -> Path:
    folder = tmp_path / "last"
    assert Results(folder, None).make("pages", folder="pages", depends_on={"k": 1}, make=write_into(folder, "old"))
    return folder


def test_a_result_with_the_same_key_is_taken_over_without_what_stands_beside_it(tmp_path: Path, last: Path) -> None:
    (last / "pages" / "notes.txt").write_text("somebody's", "utf-8")
    assert made_again(tmp_path) == (False, "old")
    records = [folder / "work" / "results" / "pages.json" for folder in (last, tmp_path / "new")]
    assert records[0].read_bytes() == records[1].read_bytes()


def test_another_key_or_version_of_the_code_makes_it_again(
    tmp_path: Path, last: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert made_again(tmp_path, key=2) == (True, "new")
    monkeypatch.setattr(results, "code_version", lambda: "another")
    (tmp_path / "new").rename(tmp_path / "before")
    assert made_again(tmp_path) == (True, "new")


@pytest.mark.parametrize(
    "record", ["", "{", "[]", "null", '{"key": 1}', '{"files": {}}', '{"key": "KEY", "files": {"../../x": "0"}}']
)
def test_a_record_that_is_damaged_makes_it_again(record: str, tmp_path: Path, last: Path) -> None:
    path = last / "work" / "results" / "pages.json"
    path.write_text(record.replace("KEY", json.loads(path.read_text("utf-8"))["key"]), "utf-8")
    assert made_again(tmp_path) == (True, "new")


@pytest.mark.parametrize("change", ["altered", "deleted", "no record"])
def test_a_file_that_is_not_as_it_was_makes_it_again(change: str, tmp_path: Path, last: Path) -> None:
    if change == "altered":
        (last / PAGE).write_text("odd", "utf-8")  # as many bytes
    elif change == "deleted":
        (last / PAGE).unlink()
    else:
        (last / "work" / "results" / "pages.json").unlink()
    assert made_again(tmp_path) == (True, "new")
