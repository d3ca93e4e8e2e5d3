"""Workbooks: which sheet is read, its cells as text, and what the format hides from a reader of the values alone."""

import csv
import datetime as dt
import io
import re
import shutil
import struct
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
import xlwt
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P

from pipeline.config import Areas, CodeLookup, parse_config
from pipeline.errors import InputError
from pipeline.ingest.areas import read_lookup
from pipeline.ingest.formats import workbook
from pipeline.ingest.formats.files import FAULT, Opening, read_table
from pipeline.ingest.formats.header import Layout
from tests.kit.readers import read, settings

COLUMNS = ("id", "when", "easting", "northing")
ROWS: tuple[tuple[Any, ...], ...] = (
    ("A", dt.datetime.fromisoformat("2025-03-04 13:05"), 530500, 180500.25),
    ("B", dt.datetime.fromisoformat("2025-03-05"), 531500, 181500),
)
TEXTS = [["A", "2025-03-04 13:05:00", "530500", "180500.25"], ["B", "2025-03-05 00:00:00", "531500", "181500"]]


def xlsx(path: Path, sheets: dict[str, list[tuple[Any, ...]]], *, hidden: tuple[str, ...] = ()) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def rows_of(path: Path, folder: Path, **how: Any) -> tuple[Any, list[list[str]]]:
    opened = workbook.open_rows(path, Opening(folder, **how))
    frame = pd.read_parquet(folder / "rows.parquet")
    return opened, frame[[f"c{i}" for i in range(len(opened.columns))]].to_numpy().tolist()


def as_xls(path: Path) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Rows")
    style = xlwt.XFStyle()
    style.num_format_str = "DD/MM/YYYY HH:MM"
    for r, row in enumerate([COLUMNS, *ROWS]):
        for c, value in enumerate(row):
            sheet.write(r, c, value, style if isinstance(value, dt.datetime) else xlwt.Style.default_style)
    book.save(str(path))


def as_ods(path: Path) -> None:
    document = OpenDocumentSpreadsheet()
    table = Table(name="Rows")
    for row in [COLUMNS, *ROWS]:
        line = TableRow()
        for value in row:
            if isinstance(value, dt.datetime):
                cell = TableCell(valuetype="date", datevalue=value.isoformat())
            elif isinstance(value, str):
                cell = TableCell(valuetype="string")
            else:
                cell = TableCell(valuetype="float", value=value)
            cell.addElement(P(text=str(value)))
            line.addElement(cell)
        table.addElement(line)
    # What LibreOffice writes below and beside the data.
    rest = TableRow(numberrowsrepeated=1048573)
    rest.addElement(TableCell(numbercolumnsrepeated=16384))
    table.addElement(rest)
    document.spreadsheet.addElement(table)
    document.save(str(path))


def as_xlsx(path: Path) -> None:
    xlsx(path, {"Rows": [COLUMNS, *ROWS]})


@pytest.mark.parametrize(("name", "write"), [("a.xlsx", as_xlsx), ("a.xls", as_xls), ("a.ods", as_ods)])
def test_cells_are_read_as_text_from_each_kind_of_workbook(tmp_path: Path, name: str, write: Any) -> None:
    write(tmp_path / name)
    opened, rows = rows_of(tmp_path / name, tmp_path)
    assert opened.columns == COLUMNS
    assert rows == TEXTS
    assert opened.facts["sheet"] == "Rows"
    assert opened.cautions == ()


def test_a_sheet_of_incidents_becomes_incidents_with_days_and_hours(tmp_path: Path) -> None:
    as_xlsx(tmp_path / "a.xlsx")
    found = read(tmp_path / "a.xlsx", settings({"paths": ["*.xlsx"], "columns": {"id": "id", "date": "when"}}))
    assert found.incidents["occurred_on"].tolist() == ["2025-03-04", "2025-03-05"]
    assert found.incidents["ward_code"].tolist() == ["W00", "W11"]
    assert found.incidents["hour_band"].tolist()[0] == 13


def test_cells_of_every_type_have_one_text(tmp_path: Path) -> None:
    cells = (7, 7.0, 0.1, 1e20, True, dt.date(2025, 1, 2), dt.time(23, 59, 59), dt.timedelta(hours=30), "x ")
    xlsx(tmp_path / "a.xlsx", {"S": [tuple("abcdefghi"), cells]})
    _, rows = rows_of(tmp_path / "a.xlsx", tmp_path)
    assert rows == [["7", "7", "0.1", "1e+20", "true", "2025-01-02", "23:59:59", "30:00:00", "x "]]


def test_dates_counted_from_1904_are_the_same_dates(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    for row in (("when",), (dt.date(2024, 1, 2),)):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert rows_of(tmp_path / "a.xlsx", tmp_path)[1] == [["2024-01-02"]]


def test_sheets_with_one_header_are_read_one_after_the_other(tmp_path: Path) -> None:
    second = [("ID", "when ", "easting", "northing"), ("C", "2025-03-06", 530500, 180500)]
    xlsx(tmp_path / "a.xlsx", {"Q1": [COLUMNS, *ROWS], "Q2": second, "Empty": []})
    opened, rows = rows_of(tmp_path / "a.xlsx", tmp_path)
    assert [row[0] for row in rows] == ["A", "B", "C"]
    assert opened.facts["sheet"] == "Q1 (2 rows), Q2 (1 rows)"


def test_sheets_with_different_columns_have_to_be_chosen(tmp_path: Path) -> None:
    xlsx(tmp_path / "a.xlsx", {"Data": [COLUMNS, *ROWS], "Key": [("code", "meaning"), ("R", "race")]})
    with pytest.raises(InputError, match=r"'Data': 2 rows.*'Key': 1 rows") as found:
        rows_of(tmp_path / "a.xlsx", tmp_path)
    assert "set `sheet`" in str(found.value)
    assert rows_of(tmp_path / "a.xlsx", tmp_path, sheet="data")[1] == TEXTS
    with pytest.raises(InputError, match="no sheet 'Rows'; it has 'Data', 'Key'"):
        rows_of(tmp_path / "a.xlsx", tmp_path, sheet="Rows")


def test_hidden_sheets_are_reported_and_read_only_if_named(tmp_path: Path) -> None:
    sheets = {"Data": [COLUMNS, *ROWS], "Old": [COLUMNS, ("Z", "2020-01-01", 1, 2)]}
    xlsx(tmp_path / "a.xlsx", sheets, hidden=("Old",))
    opened, rows = rows_of(tmp_path / "a.xlsx", tmp_path)
    assert rows == TEXTS
    assert opened.facts["sheets_not_read"] == "hidden: Old"
    assert "hidden sheet 'Old' is not read" in opened.cautions[0]
    opened, rows = rows_of(tmp_path / "a.xlsx", tmp_path, sheet="Old")
    assert (rows[0][0], opened.cautions) == ("Z", ())
    xlsx(tmp_path / "b.xlsx", {"V": [], "H": [COLUMNS]}, hidden=("H",))
    with pytest.raises(InputError, match=r"no visible sheet with cells; hidden sheets .*'H'"):
        rows_of(tmp_path / "b.xlsx", tmp_path)


def test_hidden_rows_and_merged_cells_are_reported(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in [COLUMNS, *ROWS, *ROWS]:
        book.active.append(row)
    book.active.row_dimensions[3].hidden = True
    book.active.merge_cells("A4:A5")
    book.save(tmp_path / "a.xlsx")
    opened, rows = rows_of(tmp_path / "a.xlsx", tmp_path)
    assert [row[0] for row in rows] == ["A", "B", "A", ""]
    said = " ".join(opened.cautions)
    assert "1 hidden rows" in said
    assert "1 merged cells span several rows (the first is A4)" in said


def test_formulas_without_a_stored_result_are_refused(tmp_path: Path) -> None:
    xlsx(tmp_path / "a.xlsx", {"S": [("id", "n"), ("A", "=1+1"), ("B", '=IF(1>0,"","")')]})
    with pytest.raises(InputError, match=r"2 formulas have no stored result.*save it"):
        rows_of(tmp_path / "a.xlsx", tmp_path)
    # Excel stores the result beside the formula; an empty text is a result.
    stored = (b"<f>1+1</f><v>2</v></c>", b'<c r="B3" t="str"><f>"")</f><v></v></c>')
    with zipfile.ZipFile(tmp_path / "a.xlsx") as old, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("sheet1.xml"):
                data = re.sub(rb"<f>1\+1</f>(<v ?/>|<v></v>)</c>", stored[0], data)
                start, end = data.index(b'<c r="B3"'), data.index(b"</c>", data.index(b'<c r="B3"')) + 4
                data = data[:start] + stored[1] + data[end:]
            new.writestr(name, data)
    assert rows_of(tmp_path / "b.xlsx", tmp_path)[1] == [["A", "2"], ["B", ""]]


def test_blank_rows_are_no_rows_and_cells_beyond_the_header_refuse_theirs(tmp_path: Path) -> None:
    xlsx(tmp_path / "a.xlsx", {"S": [("id", "when"), ("A", "x"), (), (" ", None), ("B", "y", None, "stray")]})
    _, rows = rows_of(tmp_path / "a.xlsx", tmp_path)
    assert rows == [["A", "x"], ["B", "y"]]
    assert pd.read_parquet(tmp_path / "rows.parquet")[FAULT].notna().tolist() == [False, True]


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls"])
def test_an_encrypted_workbook_is_called_encrypted(tmp_path: Path, name: str) -> None:
    # An encrypted workbook is a compound file with a stream of this name ([MS-OFFCRYPTO] 2.3.4.4).
    names = "EncryptedPackage".encode("utf-16-le").ljust(512, b"\0")
    (tmp_path / name).write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + names)
    with pytest.raises(InputError, match=r"encrypted with a password.*without one"):
        rows_of(tmp_path / name, tmp_path)


def test_an_encrypted_ods_is_called_encrypted(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as archive:
        archive.writestr("content.xml", b"\1\2\3")
        archive.writestr("META-INF/manifest.xml", "<m:file-entry><m:encryption-data/></m:file-entry>")
    with pytest.raises(InputError, match="encrypted with a password"):
        rows_of(tmp_path / "a.ods", tmp_path)


@pytest.mark.parametrize("cut", [100, 2000])
def test_a_damaged_workbook_is_refused(tmp_path: Path, cut: int) -> None:
    as_xlsx(tmp_path / "a.xlsx")
    (tmp_path / "b.xlsx").write_bytes((tmp_path / "a.xlsx").read_bytes()[:cut])
    with pytest.raises(InputError, match=r"b\.xlsx cannot be read as a workbook"):
        rows_of(tmp_path / "b.xlsx", tmp_path)


def test_a_stray_cell_far_away_is_refused_with_the_size_before_memory_is_taken(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active["A1"], book.active["A2"] = "id", "A"
    book.active["XFD1048576"] = "stray"
    book.save(tmp_path / "a.xlsx")
    # 1,048,576 rows x 16,384 columns x 32 bytes.
    with pytest.raises(InputError, match=r"needs about 549,756 MB of memory \(1,048,576 rows x 16,384 columns"):
        rows_of(tmp_path / "a.xlsx", tmp_path)


def test_an_ods_with_repeated_cells_is_measured_without_being_expanded(tmp_path: Path) -> None:
    document = OpenDocumentSpreadsheet()
    table = Table(name="Bomb")
    line = TableRow(numberrowsrepeated=1000000)
    line.addElement(TableCell(valuetype="float", value=1, numbercolumnsrepeated=1000))
    table.addElement(line)
    document.spreadsheet.addElement(table)
    document.save(str(tmp_path / "a.ods"))
    with pytest.raises(InputError, match=r"needs about 32,000 MB of memory \(1,000,000 rows x 1,000 columns"):
        rows_of(tmp_path / "a.ods", tmp_path)


def test_a_part_longer_than_the_directory_states_is_refused(tmp_path: Path) -> None:
    as_xlsx(tmp_path / "a.xlsx")
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        info = archive.getinfo("xl/worksheets/sheet1.xml")
    data = bytearray((tmp_path / "a.xlsx").read_bytes())
    # The size after decompression stands in the local header and in the directory (APPNOTE 4.3.7, 4.3.12).
    for at in (info.header_offset + 22, data.index(b"PK\x01\x02")):
        size = data.index(info.file_size.to_bytes(4, "little"), at - 4)
        data[size : size + 4] = (info.file_size // 2).to_bytes(4, "little")
    (tmp_path / "a.xlsx").write_bytes(data)
    with pytest.raises(InputError, match="cannot be read as a workbook"):
        rows_of(tmp_path / "a.xlsx", tmp_path)


@pytest.mark.slow
def test_a_workbook_that_expands_too_far_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * 60_000_000)
    with pytest.raises(InputError, match="expands to more than 200 times"):
        rows_of(tmp_path / "a.xlsx", tmp_path)


@pytest.mark.slow
def test_a_file_with_as_many_rows_as_a_sheet_holds_was_probably_cut(tmp_path: Path) -> None:
    lines = ["id,date,easting,northing", *(f"{i},2025-03-04,530500,180500" for i in range(65_535))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    said = read(tmp_path / "a.csv").report.cautions
    assert any("exactly 65,536 rows" in text and "cut off" in text for text in said)
    (tmp_path / "b.csv").write_text("\n".join(lines[:-1]))
    assert not any("exactly" in text for text in read(tmp_path / "b.csv").report.cautions)


def test_small_tables_may_be_workbooks(tmp_path: Path) -> None:
    xlsx(tmp_path / "p.xlsx", {"Notes": [("about",)], "2021": [("code", "people"), ("W00", 5000)]})
    found = read_table(tmp_path / "p.xlsx", encoding="utf-8", sheet="2021")
    assert found.to_dict("records") == [{"code": "W00", "people": "5000"}]


def test_a_lookup_of_codes_may_be_a_sheet_of_a_workbook(tmp_path: Path) -> None:
    codes = [("from_code", "to_code"), ("E99", "E06"), ("E98", "E06")]
    xlsx(tmp_path / "codes.xlsx", {"Notes": [("of the change of 2024",)], "Codes": codes})
    given = {"wards": {"path": "w.gpkg"}, "lookup": {"path": "codes.xlsx", "sheet": "Codes"}}
    assert read_lookup(Areas.model_validate(given), base=tmp_path) == {"E99": "E06", "E98": "E06"}
    with pytest.raises(InputError, match=r"codes\.xlsx.*sheet"):
        read_lookup(Areas.model_validate(given | {"lookup": "codes.xlsx"}), base=tmp_path)
    assert Areas.model_validate(given | {"lookup": "codes.csv"}).lookup == CodeLookup(path="codes.csv")


def test_the_sheet_is_a_setting_of_each_input() -> None:
    config = parse_config(
        {
            "areas": {"wards": {"path": "w.gpkg"}, "population": [{"path": "p.xlsx", "sheet": "2021"}]},
            "incidents": [{"paths": ["a.xlsx"], "sheet": "Rows"}],
        }
    )
    assert (config.incidents[0].sheet, config.areas.population[0].sheet) == ("Rows", "2021")


# A binary workbook, by hand ([MS-XLSB] 2.1.4 and 2.3): no library writes them.


def record(kind: int, data: bytes = b"") -> bytes:
    return b"".join(seven_bits(n) for n in (kind, len(data))) + data


def seven_bits(number: int) -> bytes:
    out = []
    while True:
        number, low = number >> 7, number & 0x7F
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def xlsb(path: Path, rows: list[tuple[Any, ...]], *, last_row: int, last_column: int) -> None:
    book = record(131) + record(143) + record(156, struct.pack("<II", 0, 1) + wide("rId1") + wide("Rows"))
    sheet = record(129) + record(148, struct.pack("<IIII", 0, last_row, 0, last_column)) + record(145)
    for r, row in enumerate(rows):
        sheet += record(0, struct.pack("<IIHBBBI", r, 0, 300, 0, 0, 0, 0))
        for c, value in enumerate(row):
            cell = struct.pack("<II", c, 0)
            text = isinstance(value, str)
            sheet += record(6, cell + wide(value)) if text else record(5, cell + struct.pack("<d", value))
    relation = '<Relationships xmlns="{0}/package/2006/relationships"><Relationship Id="rId1" Target="{1}" Type="{2}"/>'
    place = "http://schemas.openxmlformats.org"
    kind = f"{place}/officeDocument/2006/relationships/worksheet"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.bin", book + record(144) + record(132))
        text = relation.format(place, "worksheets/sheet1.bin", kind) + "</Relationships>"
        archive.writestr("xl/_rels/workbook.bin.rels", text)
        archive.writestr("xl/worksheets/sheet1.bin", sheet + record(146) + record(130))


def test_a_binary_workbook_is_read_and_measured(tmp_path: Path) -> None:
    xlsb(tmp_path / "a.xlsb", [("id", "n"), ("A", 2.5), ("B", 7.0)], last_row=2, last_column=1)
    assert rows_of(tmp_path / "a.xlsb", tmp_path)[1] == [["A", "2.5"], ["B", "7"]]
    xlsb(tmp_path / "b.xlsb", [("id", "n")], last_row=1_048_575, last_column=16_383)
    with pytest.raises(InputError, match="needs about 549,756 MB of memory"):
        rows_of(tmp_path / "b.xlsb", tmp_path)


REPORT = [
    ("Hate crime, Northshire",),
    (),
    COLUMNS,
    *ROWS,
    (),
    ("Total", None, None, 2),
    ("Source: crime recording system, extracted 2 January 2026",),
]


def test_titles_above_the_header_and_notes_below_the_data_are_left_out_and_listed(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in REPORT:
        book.active.append(row)
    book.active.merge_cells("A1:D2")
    book.save(tmp_path / "a.xlsx")
    found = read(tmp_path / "a.xlsx", settings({"paths": ["*.xlsx"], "columns": {"id": "id", "date": "when"}}))
    assert (found.report.rows_read, found.report.incidents) == (2, 2)
    (said,) = found.report.cautions
    assert "the header is row 3; 3 rows outside the table are left out: 1 'Hate crime, Northshire'" in said
    assert "7 'Total, 2'; 8 'Source: crime recording system" in said


def test_the_header_of_a_sheet_may_be_stated_or_absent(tmp_path: Path) -> None:
    xlsx(tmp_path / "a.xlsx", {"S": [("id", "when"), *REPORT[2:5]]})
    opened, rows = rows_of(tmp_path / "a.xlsx", tmp_path, layout=Layout(2))
    assert (opened.columns, opened.header, rows) == (COLUMNS, 2, TEXTS)
    xlsx(tmp_path / "b.xlsx", {"S": list(ROWS)})
    opened, rows = rows_of(tmp_path / "b.xlsx", tmp_path, layout=Layout("none"))
    assert (len(opened.columns), opened.header, rows) == (4, None, TEXTS)


def test_names_in_two_rows_are_refused(tmp_path: Path) -> None:
    upper, lower = ("Incident", None, "Place", None), ("id", "when", "easting", "northing")
    xlsx(tmp_path / "a.xlsx", {"S": [upper, lower, *ROWS]})
    layout = Layout(wanted=("incident id", "incident when", "place easting"))
    with pytest.raises(InputError, match=r"sheet 'S' has its column names in two rows, rows 1 .* and 2"):
        rows_of(tmp_path / "a.xlsx", tmp_path, layout=layout)


# Real workbooks: counted by openpyxl, another library.


def counted(path: Path) -> dict[str, int]:
    book = openpyxl.load_workbook(path, read_only=True)
    found = {s.title: list(s.iter_rows(values_only=True)) for s in book.worksheets}
    return {name: sum(any(c is not None for c in row) for row in rows) - 1 for name, rows in found.items()}


def test_three_sheets_of_assaults_are_accounted_for(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "excel/aggravated_assaults.xlsx"
    assert counted(path) == {"Austin": 8753, "Fort Worth": 1577, "Seattle": 2522}
    opened, rows = rows_of(path, tmp_path)
    assert len(rows) == 8753 + 1577 + 2522
    assert opened.facts["sheet"] == "Austin (8,753 rows), Fort Worth (1,577 rows), Seattle (2,522 rows)"
    seattle = rows_of(path, tmp_path, sheet="Seattle")[1]
    source = openpyxl.load_workbook(path)["Seattle"]
    first = next(source.iter_rows(min_row=2, max_row=2, values_only=True))
    assert seattle[0][:3] == [first[0].isoformat(sep=" ")[:19], repr(first[1]), repr(first[2])]


def test_residents_of_wards_are_read_from_a_workbook(real_data: Path) -> None:
    path = real_data / "excel/northumbria_ward_population.xlsx"
    found = read_table(path, encoding="utf-8")
    rows = list(openpyxl.load_workbook(path).active.iter_rows(values_only=True))
    assert found["gss_code"].tolist() == [row[0] for row in rows[1:]]
    assert found["population"].astype(float).sum() == sum(row[2] for row in rows[1:])


def test_a_tab_file_that_is_text_is_read_as_text(real_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "asb.tab"
    shutil.copy(real_data / "excel/northumbria_asb_2020.tab", path)
    with path.open(newline="") as file:
        rows = sum(1 for _ in csv.reader(io.StringIO(file.read()), delimiter="\t")) - 1
    found = read(path, settings({"paths": ["asb.tab"], "crs": None}))
    assert found.report.rows_read == rows == 65_725
