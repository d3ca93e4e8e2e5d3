"""docs/architecture.md says where things are: every path in it exists, and every name stands in that file."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
ROWS = re.findall(r"^\| (.+?) \| `([^`]+)` \| `([^`]+)` \|$", PAGE, flags=re.MULTILINE)


@pytest.mark.parametrize(("what", "path", "name"), ROWS, ids=[row[0] for row in ROWS])
def test_what_a_row_names_is_there(what: str, path: str, name: str) -> None:
    source = (ROOT / path).read_text("utf-8")
    found = re.escape(name)
    assert re.search(rf"(?:def|class|function) {found}\b|^\s*{found}\b\s*[:=]", source, re.MULTILINE), what


def test_the_table_covers_the_rooms() -> None:
    assert len(ROWS) >= 40
    rooms = {path.name for path in (ROOT / "pipeline").iterdir() if (path / "__init__.py").is_file()}
    assert rooms <= {Path(path).parts[1] for _, path, _ in ROWS}


def test_every_path_in_the_text_exists() -> None:
    assert [p for p in re.findall(r"`((?:pipeline|tests)/[^`*]+)`", PAGE) if not (ROOT / p).exists()] == []
