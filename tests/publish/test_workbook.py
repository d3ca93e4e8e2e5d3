"""The workbook: laid out as the Analysis Function's guidance says, with the numbers of the CSV; no text of it runs."""

import io
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from pipeline.publish.exports import write_exports
from pipeline.publish.exports.description import describe
from pipeline.publish.exports.workbook import NOT_AVAILABLE, NOT_OFFERED, Workbook, workbook_of
from pipeline.publish.exports.workbook_ods import ods_bytes
from pipeline.publish.exports.workbook_xlsx import xlsx_bytes
from pipeline.publish.words import count_text
from pipeline.release.released import Released
from tests.kit.released import city, hostile_city

pytestmark = pytest.mark.slow

LETTERS = 31  # Excel's limit for the name of a sheet


def laid_out(released: Released, **options: Any) -> Workbook:
    return workbook_of(released, describe(released), **options)


@pytest.fixture(scope="module", params=["internal", "partner", "public"])
def release(request: pytest.FixtureRequest) -> Released:
    return city(audience=request.param)


@pytest.fixture(scope="module")
def folder(release: Released, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("released")
    write_exports(release, path, geopackage=False, workbook="xlsx")
    return path


def test_every_number_is_that_of_the_table(release: Released, folder: Path) -> None:
    counts = pd.read_csv(folder / "area_counts.csv", dtype=str, keep_default_na=False)
    labels = {category.label: category.id for category in release.info.categories}
    rows = {(r["area_code"], r["period_start"], r["period_end"], r["category"]): r for r in counts.to_dict("records")}
    book, exact, seen = openpyxl.load_workbook(folder / "tables.xlsx"), release.info.mechanism == "exact", 0
    noun = release.info.noun.capitalize()
    for page in book.worksheets[3:]:
        table = _records(page)
        if "First day" not in table[0]:
            continue
        for record in table:
            label = next((value for name, value in record.items() if name.startswith("Category")), None)
            row = rows[record["Area code"], record["First day"], record["Last day"], labels.get(label, "all")]
            offered = "incidents" not in row["not_offered"].split(";")
            count = next(value for name, value in record.items() if name == noun or name.startswith(f"{noun} [note"))
            ends = row["incidents_lower"], row["incidents_upper"]
            if not ends[0]:
                assert count == (NOT_AVAILABLE if offered else NOT_OFFERED)
            elif exact:
                assert str(count) == row["incidents"]
            else:
                assert (str(record[f"{noun}: lowest"]), str(record[f"{noun}: highest"])) == ends
                assert count == count_text(*map(int, ends))
            for name, column in (("Rate: lowest", "rate_low"), ("Rate: highest", "rate_high")):
                if row[column]:
                    assert record[name] == pytest.approx(float(row[column]), rel=1e-9)
                elif name in record:
                    assert record[name] == (NOT_OFFERED if column in row["not_offered"].split(";") else NOT_AVAILABLE)
            seen += 1
    latest = counts[counts["period"] == release.info.headline.id]
    assert seen >= len(latest)  # every level of the latest period, and boroughs over time beside it


def _records(page: Any) -> list[dict[str, Any]]:
    """Read the only table of a sheet."""
    (area,) = page.tables.values()
    head, *rows = [[cell.value for cell in row] for row in page[area.ref]]
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_the_layout_is_that_of_the_guidance(release: Released, folder: Path) -> None:
    """Analysis Function, "Releasing statistics in spreadsheets", checklist: what a program can check."""
    book = openpyxl.load_workbook(folder / "tables.xlsx")
    assert book.sheetnames[:3] == ["Cover", "Contents", "Notes"]
    assert book.properties.title
    names = set()
    for page in book.worksheets:
        assert page.sheet_state == "visible"
        assert not page.merged_cells.ranges
        assert len(page.title) <= LETTERS
        assert page["A1"].value, "the title is the first cell"
        assert page["A1"].font.b
        assert not page._images
        assert not [d for d in page.row_dimensions.values() if d.hidden]
        assert not [d for d in page.column_dimensions.values() if d.hidden]
        if page.title == "Cover":
            assert not page.tables
            continue
        (table,) = page.tables.values()  # one table a sheet, marked as one, with a name of its own
        names.add(table.name)
        first, last = table.ref.split(":")
        assert first.startswith("A"), "it begins in the first column"
        cells = page[table.ref]
        assert page.max_row == cells[-1][0].row, "nothing follows it"
        assert page.max_column == len(cells[0])
        heads = [cell.value for cell in cells[0]]
        assert len(set(heads)) == len(heads)
        assert all(isinstance(head, str) and head for head in heads)
        assert all(cell.value not in {None, ""} for row in cells for cell in row), "no cell is empty"
        assert page.freeze_panes, last
    assert len(names) == len(book.worksheets) - 1
    listed = {row["Worksheet"]: row["Rows"] for row in _records(book["Contents"])}
    assert listed == {page.title: len(_records(page)) for page in book.worksheets[2:]}
    # Every note that a heading points to is there, and every note is pointed to or speaks of the whole.
    notes = {row["Note"] for row in _records(book["Notes"])}
    pointed = {
        int(part.split("]")[0])
        for page in book.worksheets[3:]
        for head in _records(page)[0]
        for part in head.split("[note ")[1:]
    }
    assert pointed <= notes
    cover = " ".join(str(row[0].value) for row in book["Cover"])
    assert NOT_OFFERED in cover
    assert "Neither means zero" in cover
    assert (release.info.marking in cover) is True


def test_equal_releases_give_equal_bytes_in_both_formats() -> None:
    book = laid_out(city(audience="public"))
    for write in (xlsx_bytes, ods_bytes):
        assert write(book) == write(laid_out(city(audience="public")))


def test_both_formats_hold_the_same() -> None:
    book = laid_out(city(audience="partner"))
    xlsx, ods = (CalamineWorkbook.from_filelike(io.BytesIO(write(book))) for write in (xlsx_bytes, ods_bytes))
    assert xlsx.sheet_names == ods.sheet_names
    for name in xlsx.sheet_names:
        assert _cells(xlsx, name) == _cells(ods, name)
    with zipfile.ZipFile(io.BytesIO(ods_bytes(book))) as packed:
        assert packed.infolist()[0].filename == "mimetype"
        assert packed.infolist()[0].compress_type == zipfile.ZIP_STORED


def _cells(book: CalamineWorkbook, name: str) -> list[list[Any]]:
    return [[cell for cell in row if cell != ""] for row in book.get_sheet_by_name(name).to_python()]


def test_texts_of_the_data_never_run() -> None:
    """Names such as `=1+1` and links come from files of others."""
    book = laid_out(hostile_city())
    page = openpyxl.load_workbook(io.BytesIO(xlsx_bytes(book)))
    kinds = {cell.data_type for sheet in page.worksheets for row in sheet for cell in row}
    assert kinds <= {"s", "n"}
    assert not [cell for sheet in page.worksheets for row in sheet for cell in row if cell.hyperlink]
    with zipfile.ZipFile(io.BytesIO(ods_bytes(book))) as packed:
        content = packed.read("content.xml").decode()
    assert "table:formula" not in content
    assert "<text:a" not in content


def test_more_rows_than_a_sheet_holds() -> None:
    whole = laid_out(city(audience="internal"))
    long = max(whole.sheets, key=lambda sheet: len(sheet.rows))
    less = laid_out(city(audience="internal"), most_rows=len(long.rows) + len(long.lines) + 1)
    assert [s.name for s in less.sheets] == [s.name for s in whole.sheets if len(s.rows) < len(long.rows)]
    (row,) = [row for row in less.sheets[1].rows if row[0] == NOT_AVAILABLE]
    assert "Not in this workbook" in str(row[1])
    assert row[2] == len(long.rows)


@pytest.mark.parametrize(
    "label", ["neighbourhoods of the metropolitan county", "areas [2021] / A:B*?", "cover", "'quoted'"]
)
def test_names_of_sheets_are_such_that_programs_open_them(label: str) -> None:
    labels = {"ward": (label, label), "borough": (label, label), "region": ("region", "regions")}
    names = [sheet.name for sheet in laid_out(city(audience="internal", level_labels=labels)).sheets]
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert 0 < len(name) <= LETTERS
        assert not set(name) & set("[]:*?/\\")
        assert not name.startswith("'")
        assert not name.endswith("'")
