"""Coordinates as people write them: each way of writing gives the numbers it was made from, or a question."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyproj
import pytest
from hypothesis import given
from hypothesis import settings as fuzz
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.ingest.incidents.coordinate_notation import WAYS, forms_of, grid_points
from tests.kit.readers import City, Read, read, settings

# Points of the city of tests/kit/readers.py, some metres from each border; more than the first rows that are looked at.
EAST = 530_010.0 + (np.arange(60) * 331.3) % 1980
NORTH = 180_010.0 + (np.arange(60) * 577.7) % 1980
_TO_DEGREES = pyproj.Transformer.from_crs("EPSG:27700", "EPSG:4326", always_xy=True)


def write(folder: Path, x: Any, y: Any, *, sep: str = ",", repeat: int = 1) -> Path:
    frame = pd.DataFrame({"id": np.arange(len(x)) + 1, "date": "2025-03-04", "easting": list(x), "northing": list(y)})
    path = folder / "rows.csv"
    pd.concat([frame] * repeat).assign(id=range(len(x) * repeat)).to_csv(path, index=False, sep=sep)
    return path


def wards(found: Read) -> list[str]:
    return found.incidents["ward_code"].tolist()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """The same points as plain numbers."""
    return read(write(tmp_path_factory.mktemp("plain"), EAST, NORTH))


def grouped(mark: str, decimals: int = 1, point: str = ".") -> Callable[[float], str]:
    def one(value: float) -> str:
        return f"{value:,.{decimals}f}".translate(str.maketrans({",": mark, ".": point}))

    return one


NUMBERS = [
    pytest.param(grouped(","), ",", id="comma, point"),
    pytest.param(grouped(",", 0), ",", id="comma alone: 528.24 would lie far away"),
    pytest.param(grouped(" "), ",", id="space, point"),
    pytest.param(grouped("\u00a0", 0), ",", id="no-break space"),
    pytest.param(grouped("\u202f", 2, ","), ";", id="narrow no-break space, comma"),
    pytest.param(grouped("'"), ",", id="apostrophe"),
    pytest.param(grouped("\u2019", 0), ",", id="typographic apostrophe"),
    pytest.param(grouped(".", 1, ","), ";", id="point, comma"),
    pytest.param(grouped(".", 0), ",", id="point alone: 528.24 would lie far away"),
    pytest.param(grouped("", 1, ","), "\t", id="decimal comma, tabs"),
    pytest.param(grouped("", 3, ","), "|", id="three decimals after a comma"),
    pytest.param(grouped("", 1, ","), ",", id="decimal comma, quoted"),
    pytest.param(lambda v: f" {v:.1f} m", ",", id="unit"),
    pytest.param(lambda v: f"+{v:.1f}", ",", id="sign"),
    pytest.param(lambda v: f"{v:.7E}", ",", id="scientific, all digits"),
    pytest.param(lambda v: f"{v:.7E}".replace(".", ","), ";", id="scientific, decimal comma"),
]


@pytest.mark.parametrize(("one", "sep"), NUMBERS)
def test_numbers_are_read_as_they_were_meant(
    tmp_path: Path, plain: Read, one: Callable[[float], str], sep: str
) -> None:
    found = read(write(tmp_path, [one(v) for v in EAST], [one(v) for v in NORTH], sep=sep))
    assert found.rules == {}
    digits = 0 if "." not in one(1.5) and "," not in one(1.5) else 1
    assert np.allclose(found.incidents["easting_m"], np.round(EAST, digits), atol=0.06)
    assert wards(found) == wards(plain)


@pytest.mark.slow
def test_a_way_that_only_a_late_row_shows_settles_the_whole_column(tmp_path: Path) -> None:
    # 1,200 whole numbers, then thousands with commas: the file is read again, and no row is lost.
    east = [f"{v:.0f}" for v in np.tile(EAST, 20)] + [f"{v:,.0f}" for v in EAST]
    north = [f"{v:.0f}" for v in np.tile(NORTH, 20)] + [f"{v:,.0f}" for v in NORTH]
    found = read(write(tmp_path, east, north))
    assert found.rules == {}
    assert "a comma between thousands" in found.report.decisions["coordinates"]
    assert wards(found)[-60:] == wards(found)[:60]


@pytest.mark.slow
def test_a_slip_is_refused_and_the_others_are_read(tmp_path: Path) -> None:
    east = [f"{v:,.1f}" for v in np.tile(EAST, 4)]
    north = [f"{v:,.1f}" for v in np.tile(NORTH, 4)]
    east[7] = "52x,12"
    found = read(write(tmp_path, east, north))
    assert found.rules == {8: "coordinates_unreadable"}


@pytest.mark.slow
def test_what_can_be_read_in_two_ways_is_asked_about(tmp_path: Path) -> None:
    # Areas round the origin: 12,345 m and 12.345 m both lie there.
    city = City(west=0.0, south=0.0, side=10_000.0)
    texts = ["12,345", "3,210", "11,111"]
    asked = r"ambiguous.*incidents\[0\]\.thousands to ','.*incidents\[0\]\.decimal to ','"
    with pytest.raises(InputError, match=asked):
        read(write(tmp_path, texts, texts), city=city)
    for how, easting in ({"thousands": ","}, 12_345.0), ({"decimal": ","}, 12.345), ({"thousands": ""}, 12.345):
        found = read(write(tmp_path, texts, texts), settings(how), city=city)
        assert found.incidents["easting_m"].iloc[0] == easting


def test_thousands_and_decimal_must_differ() -> None:
    with pytest.raises(Exception, match="must differ"):
        settings({"thousands": ",", "decimal": ","})


def dms(value: float, letters: str, signs: str = "°'\"") -> str:
    tenths = round(abs(value) * 36000)
    d, m, s = tenths // 36000, tenths % 36000 // 600, tenths % 600 / 10
    return f"{d}{signs[0]}{m:02d}{signs[1]}{s:04.1f}{signs[2]}{letters[int(value < 0)]}"


DEGREES = [
    pytest.param(lambda v, ab: f"{abs(v):.6f}{ab[int(v < 0)]}", id="51.5N"),
    pytest.param(lambda v, ab: f"{abs(v):.6f} {ab[int(v < 0)].lower()}", id="51.5 n"),
    pytest.param(lambda v, ab: f"{ab[int(v < 0)]}{abs(v):.6f}", id="N51.5"),
    pytest.param(lambda v, ab: f"{ab[int(v < 0)]} {abs(v):.6f}".replace(".", ","), id="N 51,5"),
    pytest.param(
        lambda v, ab: f"{abs(v):.6f}° {({'N': 'North', 'E': 'East', 'W': 'West'})[ab[int(v < 0)]]}", id="North"
    ),
    pytest.param(dms, id="degrees, minutes, seconds"),
    pytest.param(lambda v, ab: dms(v, ab, "º’”"), id="other signs"),
    pytest.param(lambda v, ab: dms(v, ab, "°′″"), id="primes"),
    pytest.param(lambda v, ab: dms(v, ab, "   "), id="spaces"),
    pytest.param(lambda v, ab: dms(v, ab, ":: "), id="colons"),
    pytest.param(lambda v, ab: dms(v, ab, "dms"), id="letters for signs"),
    pytest.param(lambda v, _: ("-" if v < 0 else "") + dms(v, ("", "")), id="a sign, no letter"),
    pytest.param(lambda v, ab: f"{int(abs(v))}° {abs(v) % 1 * 60:.4f}' {ab[int(v < 0)]}", id="decimal minutes"),
    pytest.param(lambda v, _: f"{v:.6f}".replace(".", ","), id="decimal comma"),
    pytest.param(lambda v, _: f"\u2212{abs(v):.6f}" if v < 0 else f"{v:.6f}°", id="a typographic minus"),
]


@pytest.mark.parametrize("one", DEGREES)
@pytest.mark.slow
def test_degrees_are_read_as_they_were_meant(tmp_path: Path, one: Callable[..., str]) -> None:
    # Five hundred kilometres of longitude on both sides of Greenwich would be east and west; the city lies west.
    lon, lat = _TO_DEGREES.transform(EAST, NORTH)
    texts = [one(v, "EW") for v in lon], [one(v, "NS") for v in lat]
    columns = {"columns": {"lon": "easting", "lat": "northing"}, "crs": None}
    found = read(write(tmp_path, *texts, sep="\t"), settings(columns))
    assert found.rules == {}
    # A tenth of a second is 3 m; the sixth decimal 0.1 m.
    assert np.allclose(found.incidents["easting_m"], EAST, atol=3)
    assert np.allclose(found.incidents["northing_m"], NORTH, atol=3)


def test_letters_of_the_other_axis_are_exchanged_columns(tmp_path: Path) -> None:
    lon, lat = _TO_DEGREES.transform(EAST, NORTH)
    texts = [f"{v:.6f}N" for v in lat], [f"{abs(v):.6f}W" for v in lon]
    columns = {"columns": {"lon": "easting", "lat": "northing"}, "crs": None}
    with pytest.raises(InputError, match=r"exchanged.*'easting'.*'northing'.*incidents\[0\].columns"):
        read(write(tmp_path, *texts), settings(columns))


@pytest.mark.parametrize("text", ["-0.12W", "51 61 00 N", "51.5 30 N", "N51.5N", "W", "51 30 26 12 N", ""])
def test_degrees_that_contradict_themselves_are_not_read(text: str) -> None:
    way = WAYS[-2]
    assert way.read(pa.array(["51.5N", text])).to_pylist() == [51.5, None]


# The National Grid: worked examples of Ordnance Survey's own guide (TQ 28 80 and others), and its letters.
@pytest.mark.parametrize(
    ("text", "east", "north"),
    [
        ("TQ 29810 80460", 529_810, 180_460),
        ("TQ2981080460", 529_810, 180_460),
        ("tq 2981 8046", 529_815, 180_465),
        ("TQ298804", 529_850, 180_450),
        ("TQ 29 80", 529_500, 180_500),
        ("SV 80000 05000", 80_000, 5_000),
        ("HP 60000 15000", 460_000, 1_215_000),
        ("NN 16667 71285", 216_667, 771_285),
        ("TG 51409 13177", 651_409, 313_177),
        ("SU 0 0", 405_000, 105_000),
        ("TQ38", 535_000, 185_000),
        ("TQ3", None, None),
        ("TQ 2981 804", None, None),
        ("II 12345 12345", None, None),
        ("AA 12345 12345", None, None),
        ("", None, None),
    ],
)
def test_grid_references_name_their_points(text: str, east: float | None, north: float | None) -> None:
    x, y, _ = grid_points(pa.array([text, None]))
    assert (x[0].as_py(), y[0].as_py(), x[1].as_py()) == (east, north, None)


@pytest.mark.slow
def test_the_precision_of_a_grid_reference_follows_from_its_figures(tmp_path: Path) -> None:
    # The areas of the test city lie from 530000 180000, which is TQ3080.
    texts = ["TQ3050180501", "TQ 3050 8050", "TQ 305 805", "TQ3080", "TQ38", "TQ3"]
    frame = pd.DataFrame({"id": range(6), "date": "2025-03-04", "ref": texts})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    found = read(tmp_path / "rows.csv", settings({"columns": {"grid_reference": "ref"}, "crs": None}))
    assert found.rules == {6: "coordinates_unreadable"}
    at = found.incidents[["easting_m", "northing_m", "place_precision"]].to_records(index=False).tolist()
    assert at == [
        (530_501.0, 180_501.0, "point"),
        (530_505.0, 180_505.0, "point"),
        (530_550.0, 180_550.0, "square_100m"),
        (530_500.0, 180_500.0, "square_1km"),
        (535_000.0, 185_000.0, "square_10km"),
    ]
    [caution] = found.report.cautions
    assert "3 of 5 grid references in ref name squares (1 of 10 km, 1 of 1 km, 1 of 100 m)" in caution


GRID = [
    pytest.param(lambda x, y: f"TQ {x - 5e5:05.0f} {y - 1e5:05.0f}", id="TQ 29810 80460"),
    pytest.param(lambda x, y: f"TQ{x - 5e5:05.0f}{y - 1e5:05.0f}", id="TQ2981080460"),
    pytest.param(lambda x, y: f"tq{(x - 5e5) // 10:04.0f}{(y - 1e5) // 10:04.0f}", id="eight figures"),
    pytest.param(lambda x, y: f"TQ{(x - 5e5) // 100:03.0f}{(y - 1e5) // 100:03.0f}", id="six figures"),
]


@pytest.mark.parametrize("one", GRID)
@pytest.mark.parametrize("columns", [{"grid_reference": "ref"}, {"x": "ref", "y": "ref"}, {}])
def test_a_column_of_grid_references_is_named_or_recognised(
    tmp_path: Path, one: Callable[[float, float], str], columns: dict[str, str]
) -> None:
    texts = [one(x, y) for x, y in zip(np.floor(EAST), np.floor(NORTH), strict=True)]
    name = "ref" if columns else "Grid reference"
    frame = pd.DataFrame({"id": range(60), "date": "2025-03-04", name: texts})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    found = read(tmp_path / "rows.csv", settings({"columns": columns, "crs": None}))
    assert found.rules == {}
    # Six figures name a square of 100 m, whose middle is at most 50 m away.
    assert np.abs(found.incidents["easting_m"] - EAST).max() <= 51
    assert np.abs(found.incidents["northing_m"] - NORTH).max() <= 51
    assert bool(found.report.cautions) == (len(texts[0]) == len("TQ298804"))


def test_scientific_notation_that_lost_digits_warns_with_its_places(tmp_path: Path, plain: Read) -> None:
    texts = [f"{v:.2E}" for v in EAST], [f"{v:.2E}" for v in NORTH]
    found = read(write(tmp_path, *texts))
    places = len(set(zip(*texts, strict=True)))
    assert len(found.report.cautions) == 1
    for words in ("easting", texts[0][0], "1,000", f"60 points lie on {places} places"):
        assert words in found.report.cautions[0]
    assert plain.report.cautions == []


# Whatever number is written one way is read back as that number, by that way, and its form is of that way.
_MARKS = [w for w in WAYS if w.decimal]


@pytest.mark.slow
@fuzz(max_examples=200, deadline=None)
@given(
    st.integers(0, 9_999_999), st.integers(0, 999), st.integers(0, 3), st.sampled_from(_MARKS), st.sampled_from("+-")
)
def test_numbers_written_one_way_are_read_back(whole: int, rest: int, decimals: int, way: Any, sign: str) -> None:
    tail = f"{rest:03d}"[:decimals]
    text = f"{whole:,}".replace(",", way.thousands) + (way.decimal + tail if tail else "")
    value = float(f"{whole}.{tail or 0}")
    text, value = (f"-{text}", -value) if sign == "-" else (text, value)
    assert way.read(pa.array([text])).to_pylist() == [value]
    assert all(way.fits(forms_of([text])[0], axis) for axis in (0, 1))
