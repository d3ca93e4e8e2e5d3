"""Files of another kind among the files of a source are found from their headers."""

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.ingest import require_alike
from tests.kit.readers import settings, write

STREET = "Crime ID,Month,Longitude,Latitude,Location,LSOA code,Crime type,Last outcome category\n"
OUTCOMES = "Crime ID,Month,Longitude,Latitude,Location,LSOA code,Outcome type\n"
STOPS = "Type,Date,Latitude,Longitude,Gender,Age range,Object of search,Outcome\n"


def look(folder: Path, files: dict[str, str], paths: list[str], **sections: object) -> None:
    for name, header in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write(folder, header, name)
    config = settings({"crs": None, "paths": paths}, **sections)
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    require_alike(
        found, source=config.incidents[0], categories=config.categories, limits=config.run, key="incidents[0]"
    )


@pytest.mark.parametrize(
    ("paths", "glob"),
    [
        (["2024-*/*.csv"], r"\[2024-\*/\*-street\.csv\]"),
        (["/data/2024-*/*.csv"], r"\[/data/2024-\*/\*-street\.csv\]"),
        (["*.csv"], r"\[\*-street\.csv\]"),
    ],
)
def test_outcomes_and_stops_are_named_with_the_glob_of_the_street_files(
    tmp_path: Path, paths: list[str], glob: str
) -> None:
    files = {f"2024-0{m}/2024-0{m}-north-street.csv": STREET for m in (1, 2)}
    files |= {f"2024-0{m}/2024-0{m}-north-outcomes.csv": OUTCOMES for m in (1, 2)}
    files |= {"2024-02/2024-02-north-stop-and-search.csv": STOPS}
    with pytest.raises(InputError, match=rf"2024-01-north-outcomes\.csv.*2024-02-north-outcomes.*search\.csv.*{glob}"):
        look(tmp_path, files, paths)


def test_one_outcomes_file_is_found_by_its_columns_whatever_its_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"outcomes: may\.csv.*Remove them"):
        look(tmp_path, {"april.csv": STREET, "may.csv": OUTCOMES}, ["*.csv"])


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("date,easting,northing\n", r"c\.csv without 'strand', 'id'"),
        ("id,date,easting,northing\n", r"c\.csv without 'strand'"),
        ("id,date,strand\n", r"c\.csv without 'easting and northing'"),
    ],
)
def test_a_file_without_a_column_that_the_others_have_is_named_with_the_column(
    tmp_path: Path, other: str, said: str
) -> None:
    whole = "id,date,easting,northing,strand,note\n"
    with pytest.raises(InputError, match=said):
        look(tmp_path, {"a.csv": whole, "b.csv": whole, "c.csv": other}, ["*.csv"])


def test_columns_of_flags_count_as_columns_that_are_read(tmp_path: Path) -> None:
    tree = [{"id": "race", "flag": "is_race"}]
    files = {"a.csv": "id,date,is_race\n", "b.csv": "id,date,is_race\n", "c.csv": "id,date\n"}
    with pytest.raises(InputError, match=r"c\.csv without 'is_race'"):
        look(tmp_path, files, ["*.csv"], categories={"tree": tree})


@pytest.mark.parametrize(
    "files",
    [
        {"a.csv": STREET},
        {"a.csv": STREET, "b.csv": STREET.replace("LSOA code,", "")},  # nothing reads it
        {"a.csv": STREET, "b.csv": STREET.replace("Crime ID", "crime_id")},
        {"a.csv": "id,date\n", "b.csv": "id,date\n", "c.csv": "id,date,outcome\n"},  # one file has more
        {"a.csv": OUTCOMES, "b.csv": OUTCOMES},
    ],
)
def test_files_of_one_kind_pass(tmp_path: Path, files: dict[str, str]) -> None:
    look(tmp_path, files, ["*.csv"])


def test_coordinates_may_have_another_form_in_each_file(tmp_path: Path) -> None:
    point = '{"type": "Point", "coordinates": [-0.1, 51.5]}'
    feature = f'{{"type": "Feature", "properties": {{"id": "a", "date": "2025-01-02"}}, "geometry": {point}}}'
    layer = f'{{"type": "FeatureCollection", "features": [{feature}]}}'
    look(tmp_path, {"a.csv": "id,date,longitude,latitude\n", "b.geojson": layer}, ["*"])
