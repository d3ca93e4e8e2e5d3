"""The registry of formats: nothing else lists them, and a new one is a module and an entry."""

import sys
from pathlib import Path
from typing import get_args

import pytest

from pipeline.config import IncidentSource
from pipeline.config.reference import configuration_reference
from pipeline.ingest.formats.files import Reader, area_reader, file_format, row_reader, table_reader
from pipeline.storage import formats
from pipeline.storage.formats import FORMATS, Format
from tests.kit.readers import read, settings

# A table whose cells are divided by pipes and whose rows end in a full stop.
TOY = """
from pipeline.ingest.formats.files import Header, Opened, StageWriter


def read_header(path, how):
    return Header(tuple(path.read_text("utf-8").splitlines()[0].rstrip(".").split("|")))


def open_rows(path, how):
    header = read_header(path, how)
    rows = [line.rstrip(".").split("|") for line in path.read_text("utf-8").splitlines()[1:]]
    writer = StageWriter(how, len(header.columns))
    writer.write([list(column) for column in zip(*rows)], fault=[None] * len(rows))
    return Opened(path.name, header.columns, writer.close(), staged=True, facts={"delimiter": "bar"})
"""


def test_a_new_format_is_a_module_and_an_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy_reader.py").write_text(TOY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "toy_reader", raising=False)
    monkeypatch.setattr(formats, "FORMATS", (*FORMATS, Format("toy", "Toy", (".toy",), "toy_reader")))
    path = tmp_path / "rows.toy"
    path.write_text("id|date|easting|northing.\nA|2025-03-04|530500|180500.\nB|2025-03-05|531500|181500.\n")
    found = read(path, settings({"paths": ["*.toy"]}))
    assert found.report.incidents == 2
    assert found.incidents["ward_code"].tolist() == ["W00", "W11"]
    assert found.report.decisions["delimiter"] == "bar"


def test_names_and_endings_are_all_different() -> None:
    names = [f.name for f in FORMATS]
    assert len(set(names)) == len(names)
    assert len(set(formats.endings())) == len(formats.endings())
    assert all(e.startswith(".") and e == e.casefold() for e in formats.endings())


def test_configuration_and_reference_list_the_formats_of_the_registry() -> None:
    names = ("auto", *(f.name for f in FORMATS))
    assert get_args(IncidentSource.model_fields["format"].annotation) == names
    assert " or ".join(f"`{name}`" for name in names) in configuration_reference()


@pytest.mark.parametrize("entry", FORMATS, ids=lambda f: f.name)
def test_every_reader_opens_rows_and_reads_headers(entry: Format) -> None:
    reader = row_reader(Path(f"a{entry.endings[0]}"), stated="auto")
    assert reader is row_reader(Path("a.dat"), stated=entry.name)
    assert {"open_rows", "read_header"} <= set(dir(reader))
    offered = {name for name in vars(Reader) if not name.startswith("_")} & set(dir(reader))
    assert offered <= set(reader.__all__)  # type: ignore[attr-defined] a module
    assert file_format(Path(f"a{entry.endings[-1].upper()}"), stated="auto") is entry


def test_boundaries_of_unknown_endings_go_to_gdal_and_tables_to_text() -> None:
    assert area_reader(Path("w.csv")) is area_reader(Path("w.gpkg"))
    assert area_reader(Path("w.parquet")) is not area_reader(Path("w.gpkg"))
    assert table_reader(Path("t.dat")) is table_reader(Path("t.csv.gz")) is table_reader(Path("t.csv"))
    assert table_reader(Path("t.gpkg")) is area_reader(Path("t.gpkg"))
