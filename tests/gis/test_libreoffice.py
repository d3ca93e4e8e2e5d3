"""LibreOffice opens the workbooks as they are, without repairing anything, and reads the same cells."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from pipeline.publish.exports import write_exports
from tests.gis.conftest import program
from tests.kit.released import hostile_city

OTHER = {"xlsx": "ods", "ods": "xlsx"}


@pytest.fixture(scope="module")
def soffice() -> str:
    return program("soffice")


@pytest.mark.parametrize("kind", ["xlsx", "ods"])
def test_it_opens_and_saves_every_cell_in_the_other_format(kind: str, soffice: str, tmp_path: Path) -> None:
    write_exports(hostile_city(), tmp_path, geopackage=False, workbook=kind)  # type: ignore[arg-type]
    written = tmp_path / f"tables.{kind}"
    done = subprocess.run(
        [soffice, f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless", "--convert-to", OTHER[kind],
         "--outdir", str(tmp_path / "saved"), str(written)],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    said = (done.stdout + done.stderr).casefold()
    assert not [word for word in ("repair", "corrupt", "could not be loaded", "error") if word in said], said
    saved = tmp_path / "saved" / f"tables.{OTHER[kind]}"
    own, theirs = CalamineWorkbook.from_path(str(written)), CalamineWorkbook.from_path(str(saved))
    assert own.sheet_names == theirs.sheet_names
    for name in own.sheet_names:
        assert _cells(own, name) == _cells(theirs, name)


def _cells(book: CalamineWorkbook, name: str) -> list[list[Any]]:
    rows = book.get_sheet_by_name(name).to_python()
    return [[round(cell, 9) if isinstance(cell, float) else cell for cell in row if cell != ""] for row in rows]
