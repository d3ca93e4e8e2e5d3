"""Where a table starts and ends: found, stated, or refused; every line outside it is listed, no row is lost."""

import csv
import gzip
import io
from pathlib import Path

import pandas as pd
import pytest

from pipeline.errors import ConfigError, InputError
from pipeline.ingest.formats.files import read_table
from pipeline.ingest.formats.header import Layout, LeftOut, Row, find_end, find_start, left_out_caution
from tests.kit.readers import read as read_file
from tests.kit.readers import write

WANTED = ("id", "date")
HEADER = "id,date,place"
DATA = ["1,2024-01-01,A", "2,2024-01-02,B", "3,2024-01-03,C"]
RIGHT = [line.split(",") for line in DATA]


def rows(text: str) -> list[Row]:
    return [Row(n, tuple(cells)) for n, cells in enumerate(csv.reader(io.StringIO(text)), start=1)]


def read(path: Path, text: str, *, encoding: str = "utf-8", **layout: object) -> tuple[list[list[str]], list[LeftOut]]:
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    settings = {"wanted": WANTED, "keys": ("date",), **layout}
    frame = read_table(path, encoding=encoding, layout=Layout(**settings), faults=True)  # type: ignore[arg-type]
    assert not frame.pop("fault").any()
    return frame.to_numpy().tolist(), list(frame.attrs["outside"])


ABOVE: list[tuple[list[str], list[tuple[int, str]]]] = [
    ([], []),
    (["", ""], []),
    (["Report"], [(1, "Report")]),
    (["Report é,,", ",,", "Run on,3 May 2025,"], [(1, "Report é"), (3, "Run on, 3 May 2025")]),
    (['"Two\nlines",,'], [(1, "Two lines")]),
    (["Filter: date", "id of the report: 7"], [(1, "Filter: date"), (2, "id of the report: 7")]),
    (["date,,"], [(1, "date")]),
]
BELOW: list[tuple[list[str], list[tuple[int, str]]]] = [
    ([], []),
    (["Total,,3"], [(0, "Total, 3")]),
    ([",,", "Total,,", "Source: crime system"], [(1, "Total"), (2, "Source: crime system")]),
    (["", '"Source: x, y",,', ""], [(1, "Source: x, y")]),
    ([",,", "Counts are of recorded crimes,,"], [(1, "Counts are of recorded crimes")]),
]


@pytest.mark.parametrize("below", BELOW)
@pytest.mark.parametrize("above", ABOVE)
def test_lines_outside_the_table_are_left_out_and_listed(
    tmp_path: Path, above: tuple[list[str], list[tuple[int, str]]], below: tuple[list[str], list[tuple[int, str]]]
) -> None:
    text = "\n".join([*above[0], HEADER, *DATA, *below[0]]) + "\n"
    found, outside = read(tmp_path / "a.csv", text)
    assert found == RIGHT
    first = "\n".join([*above[0], HEADER, *DATA]).count("\n") + 2
    right = [(*line, "above") for line in above[1]] + [(first + n, words, "below") for n, words in below[1]]
    assert [tuple(line) for line in outside] == right


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_lines_are_found_in_every_encoding(tmp_path: Path, ending: str, encoding: str, ends: str) -> None:
    text = ends.join(['"Été\n2025",,', "", HEADER, *DATA, ",,", "Total,,3", "Note 1: é"])
    found, outside = read(tmp_path / f"a.{ending}", text, encoding=encoding)
    assert found == RIGHT
    assert [tuple(line) for line in outside] == [
        (1, "Été 2025", "above"),
        (9, "Total, 3", "below"),
        (10, "Note 1: é", "below"),
    ]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_the_separator_is_that_of_the_table(tmp_path: Path, separator: str) -> None:
    text = "Crimes, by day, and place\n\n" + "\n".join(line.replace(",", separator) for line in [HEADER, *DATA])
    found, outside = read(tmp_path / "a.csv", text)
    assert found == RIGHT
    assert [line.number for line in outside] == [1]


@pytest.mark.parametrize(
    "last",
    [
        "Total,2024-01-09,D",  # an area or category of this name
        "4,,",  # no date: refused as a row, not taken for a note
        "City of London,,",  # a name of three words directly under the data
        ",,",
        "Source,2024-01-04,D",
        "Total,2024-01-09,D\n,,",
        ",,\nTotal,2024-01-09,D",
    ],
)
def test_rows_of_data_at_the_end_are_kept(tmp_path: Path, last: str) -> None:
    found, outside = read(tmp_path / "a.csv", "\n".join([HEADER, *DATA, last]))
    assert found == RIGHT + [line.split(",") for line in last.split("\n")]
    assert outside == []


def test_a_quoted_cell_of_several_lines_is_no_note(tmp_path: Path) -> None:
    found, outside = read(tmp_path / "a.csv", "\n".join([HEADER, *DATA, '4,2024-01-04,"D\nSource: x\nNote 1: y"']))
    assert found[-1] == ["4", "2024-01-04", "D\nSource: x\nNote 1: y"]
    assert outside == []


@pytest.mark.parametrize("above", ["", "\n\n", '"Crimes\nby day",,\n'])
def test_line_breaks_in_the_names_of_columns_cost_no_row(tmp_path: Path, above: str) -> None:
    text = f'{above}id,"date","place\nor street"\n' + "\n".join(DATA)
    assert read(tmp_path / "a.csv", text)[0] == RIGHT
    assert read(tmp_path / "a.csv", f"{text}\n1,2,3,4\n"[: -len("1,2,3,4\n")])[0] == RIGHT


def test_only_notes_are_not_all_taken_for_notes() -> None:
    notes = [Row(n, (f"Note {n}: x", "")) for n in range(60)]
    assert find_end(notes, Layout(), names=("a", "b")) == 0


def test_a_table_without_header_is_named_by_position(tmp_path: Path) -> None:
    text = "\n" + "\n".join([*DATA, "Total,,3"])
    found, outside = read(tmp_path / "a.csv", text, header_row="none", wanted=("column 1",), keys=("column 2",))
    assert found == RIGHT
    assert outside == [LeftOut(5, "Total, 3", "below")]


def test_the_row_of_the_header_is_stated(tmp_path: Path) -> None:
    text = "\n".join([HEADER, "old,2023-01-01,A", "id;date;place", *(d.replace(",", ";") for d in DATA)])
    found, outside = read(tmp_path / "a.csv", text, header_row=3)
    assert found == RIGHT
    assert outside == [LeftOut(1, "id,date,place", "above"), LeftOut(2, "old,2023-01-01,A", "above")]
    with pytest.raises(InputError, match=r"a\.csv: header_row is 70, but no row with text begins in this line"):
        read(tmp_path / "a.csv", text, header_row=70)


def test_a_header_far_below_is_found_if_stated(tmp_path: Path) -> None:
    text = "note\n" * 200 + "\n".join([HEADER, *DATA])
    found, outside = read(tmp_path / "a.csv", text, header_row=201)
    assert (found, len(outside)) == (RIGHT, 200)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Title\nid,date,place\n1,2,3\nid,date,town\n4,5,6\n", r"any of 2 lines: line 2 \(id, date, place\); line 4"),
        ("id,,place\n,date,\n1,2,3\n", r"column names in two rows, lines 1 \(id, place\) and 2 \(date\)"),
        ("Title\nThis year,,Last year\nid,date,date\n1,2,3\n", r"several columns named 'date' in line 3.*\(2: This"),
    ],
)
def test_ambiguous_headers_are_refused_with_lines_and_setting(text: str, words: str) -> None:
    with pytest.raises(InputError, match=rf"a\.csv.*{words}.*header_row"):
        find_start(rows(text), Layout(wanted=WANTED), name="a.csv")


def test_names_joined_from_two_rows_are_refused() -> None:
    text = "Ward,,People,\ncode,name,2021,2022\nE05009001,Alder,5,6\n"
    with pytest.raises(InputError, match=r"two rows, lines 1 \(Ward, People\) and 2 \(code, name, 2021, 2022\)"):
        find_start(rows(text), Layout(wanted=("Ward code", "People 2021")), name="a.csv")
    assert find_start(rows(text), Layout(wanted=("code", "2021")), name="a.csv").header == 2


def test_a_repeated_header_counts_once() -> None:
    start = find_start(rows("Page 1\nid,date\n1,2\nid,date\n3,4\n"), Layout(wanted=WANTED), name="a.csv")
    assert start.header == 2


def test_the_first_row_is_the_header_whatever_follows() -> None:
    text = "id,date,place\n1,2,3\nid,date,place,more\n"
    assert find_start(rows(text), Layout(wanted=WANTED), name="a.csv").header == 1
    # Without any row that has the names, the first is taken too, and the error names what it lacks.
    assert find_start(rows("a,b\n1,2\n"), Layout(wanted=WANTED), name="a.csv").header == 1


@pytest.mark.parametrize("header_row", [1, "none"])
def test_a_layer_has_names_of_its_own(tmp_path: Path, header_row: int | str) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"id": ["1"], "date": ["2024-01-01"]}).to_parquet(path)
    with pytest.raises(ConfigError, match=r"a\.parquet is neither .*leave out header_row"):
        read_table(path, encoding="utf-8", layout=Layout(header_row))  # type: ignore[arg-type]
    assert len(read_table(path, encoding="utf-8", layout=Layout(wanted=WANTED))) == 1


def test_a_sentence_lists_at_most_six_lines() -> None:
    lines = [LeftOut(n, f"note {n}", "below") for n in range(10, 20)]
    text = left_out_caution("a.csv", lines, header=1)
    assert text.startswith("a.csv: 10 lines outside the table are left out: 10 'note 10'; ")
    assert text.endswith("15 'note 15'; and 4 more (see quality.json).")
    assert left_out_caution("a.csv", [], header=1) == ""


@pytest.mark.slow
def test_usual_names_find_the_header_where_no_setting_names_a_column(tmp_path: Path) -> None:
    head = "Crime, date and category of each\nRun on,2025-02-03,,,\n"
    table = "incident_id,occurred_on,easting,northing,category\na,2025-01-01,530500,180500,race\n"
    path = write(tmp_path, f"{head}{table}b,2025-01-02,530500,180500,faith\n,,,,\nTotal,2,,,\n")
    found = read_file(path)
    assert found.incidents["incident_id"].tolist() == ["a", "b"]
    assert [(line["number"], line["where"]) for line in found.report.outside] == [
        (1, "above"),
        (2, "above"),
        (7, "below"),
    ]
    assert found.report.cautions[0].startswith("police/rows.csv: the header is line 3; 3 lines outside the table")
    plain = read_file(write(tmp_path, table, "plain.csv"))
    assert (plain.report.outside, plain.report.rows_read) == ([], 1)
