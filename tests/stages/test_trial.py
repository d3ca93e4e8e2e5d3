"""What `hotspots check` says of the first rows of every source, in the words of the run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline.config import load_config
from pipeline.errors import HotspotsError
from pipeline.stages.runner import run
from pipeline.stages.trial import Trial, try_rows
from tests.kit.city import LIGHT, X0, Y0, write_city

pytestmark = pytest.mark.slow


def quiet(_label: str, _done: int, _total: int) -> None:
    """Report nothing."""


def tried(config: Path, *, rows: int = 10_000) -> Trial:
    return try_rows(load_config(config), config.parent, rows=rows, checksums={})


def edit(config: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    """Change the rows of the city's file of incidents."""
    path = config.parent / "incidents.csv"
    change(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)
    return config


def city(folder: Path, number: int = 300, **changes: Any) -> Path:
    """Write the city with many rows: the dates run on, the points lie in ward A1."""
    config = write_city(folder, **LIGHT, **changes)

    def many(frame: pd.DataFrame) -> pd.DataFrame:
        days = pd.date_range("2024-01-01", periods=number, freq="D").strftime("%Y-%m-%d")
        first = pd.concat([frame.iloc[:1]] * number, ignore_index=True)
        columns = yaml.safe_load(config.read_text("utf-8"))["incidents"][0]["columns"]
        first[columns.get("id", "id")] = [f"n{i}" for i in range(number)]
        first[columns.get("date", "date")] = days
        return first

    return edit(config, many)


def column(config: Path, role: str) -> str:
    columns: dict[str, str] = yaml.safe_load(config.read_text("utf-8"))["incidents"][0]["columns"]
    return columns[role]


def with_values(config: Path, role: str, value: str, *, first: int) -> Path:
    def put(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[: first - 1, column(config, role)] = value
        return frame

    return edit(config, put)


def test_figures_of_residents_are_counted_for_covered_areas(tmp_path: Path) -> None:
    """B1 is not covered, and the file of residents lacks A2: boroughs are added up from their wards."""
    config = city(tmp_path, **{"areas.not_covered": ["B1"]})
    (tmp_path / "people.csv").write_text("code,people\nA1,1000\nB1,500\n", encoding="utf-8")
    (people,) = tried(config).people
    assert (people["measure"], people["files"], people["category"]) == ("residents", ["people.csv"], None)
    assert people["areas"]["ward"] == {"with_a_figure": 1, "covered": 2}
    assert people["areas"]["borough"] == {"with_a_figure": 0, "covered": 1}


def test_every_row_of_a_short_file_is_described(tmp_path: Path) -> None:
    config = with_values(city(tmp_path), "date", "soon", first=30)
    found = tried(config)
    assert found.error is None
    assert found.whole
    (source,) = found.sources
    assert (source["rows_read"], source["incidents"], source["all_rows"]) == (300, 270, True)
    (rule,) = source["refused"]
    assert (rule["rule"], rule["rows"], rule["pct"]) == ("date_unreadable", 30, 10.0)
    assert rule["examples"] == [f"{column(config, 'date')} 'soon'"]
    assert source["date_forms"][0] == "yyyy-mm-dd"
    assert sum(source["months"].values()) == 270
    assert source["months_without_rows"] == []
    assert source["points_extent_m"][0] >= X0 - 1
    assert source["points_extent_m"][1] >= Y0 - 1
    assert source["inside_pct"] == 100.0
    assert source["wards_without_incidents"]
    json.dumps(source)


def test_the_first_rows_are_shared_out_and_the_rest_is_not_read(tmp_path: Path) -> None:
    config = city(tmp_path)
    (source,) = tried(config, rows=50).sources
    assert (source["rows_read"], source["all_rows"], source["rows_per_file"]) == (50, False, 50)
    assert source["months"] == {"2024-01": 31, "2024-02": 19}


def test_where_the_first_rows_fail_the_whole_file_decides(tmp_path: Path) -> None:
    # 40 of 300 rows are 13 %, less than the 20 % allowed; of the first 50 they are 80 %.
    config = with_values(city(tmp_path), "date", "soon", first=40)
    found = tried(config, rows=50)
    assert found.error is None
    assert found.sources[0]["rows_read"] == 300
    run(config, progress=quiet)


def no_date(config: Path) -> Path:
    return with_values(config, "date", "soon", first=200)


def far_away(config: Path) -> Path:
    return with_values(config, "x", "100000", first=300)


def one_id(config: Path) -> Path:
    return with_values(config, "id", "1", first=300)


def in_degrees(config: Path) -> Path:
    settings = yaml.safe_load(config.read_text("utf-8"))
    settings["crs"] = {"working": "EPSG:4326"}
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return config


def other_residents(config: Path) -> Path:
    (config.parent / "others.csv").write_text("area_code,population\nX1,5\n", encoding="utf-8")
    settings = yaml.safe_load(config.read_text("utf-8"))
    settings["areas"]["population"] = [{"path": "others.csv"}]
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return config


@pytest.mark.parametrize("rows", [20, 10_000])
@pytest.mark.parametrize("spoil", [no_date, far_away, one_id, in_degrees, other_residents])
def test_what_stops_a_run_stops_the_check_with_the_same_words(
    tmp_path: Path, spoil: Callable[[Path], Path], rows: int
) -> None:
    config = spoil(city(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    found = tried(config, rows=rows).error
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(HotspotsError) as caught:
        run(config, progress=quiet)
    assert found is not None
    assert (found.exit_code, str(found)) == (caught.value.exit_code, str(caught.value))
