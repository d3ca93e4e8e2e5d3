"""Small inputs with known counts, each by its kind: the case as it was reported, then others of the same kind.

The numbers in names are those of `../shared/cases`; how the city is made stands in `tests/kit/cases.py`. Items of
issue 14 that have no case are in `test_no_data.py`, `test_helpful_refusals.py` and `tests/ingest/test_row_rules.py`.
"""

import datetime as dt
import gzip
import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from tests.kit.cases import (
    CODES,
    COLUMNS,
    NORTHBY,
    OUTCOME_COLUMNS,
    POLICE_COLUMNS,
    POLICE_SOURCE,
    PUBLISHED,
    REGION,
    RIGHT,
    SOUTHBY,
    STOP_COLUMNS,
    Attempt,
    Row,
    antisocial,
    attempt,
    by_month,
    change,
    counted,
    degrees,
    incidents,
    months,
    names_month,
    points,
    police,
    published_cells,
    read,
    read_or_refused,
    refused,
    released,
    says,
    wards,
    write_boundaries,
    write_case,
    write_police,
    write_published,
    write_rows,
)

pytestmark = pytest.mark.slow  # each test is a run

FILES = Path(__file__).parents[1] / "cases"
NO_DATA = {"Alder": None, "Birch": None, "Cedar": None, "Damson": None}


# 00: nothing wrong, in every dress.


def plain(folder: Path, rows: list[Row]) -> Path:
    return write_case(folder, rows)


def semicolons(folder: Path, rows: list[Row]) -> Path:
    write_rows(folder / "incidents.csv", rows, delimiter=";")
    return write_case(folder, None)


def byte_order_mark(folder: Path, rows: list[Row]) -> Path:
    config = write_case(folder, rows)
    text = (folder / "incidents.csv").read_text("utf-8")
    (folder / "incidents.csv").write_text(text, encoding="utf-8-sig")
    return config


def compressed(folder: Path, rows: list[Row]) -> Path:
    config = write_case(folder, rows, source={"paths": ["incidents.csv.gz"]})
    (folder / "incidents.csv.gz").write_bytes(gzip.compress((folder / "incidents.csv").read_bytes()))
    return config


def other_names(folder: Path, rows: list[Row]) -> Path:
    names = {"incident_id": "Ref No.", "occurred_on": "When", "easting": "X (m)", "northing": "Y (m)"}
    renamed = [{names.get(k, k): v for k, v in r.items() if k in COLUMNS} for r in rows]
    return write_case(folder, renamed, columns={"id": "Ref No.", "date": "When", "x": "X (m)", "y": "Y (m)"})


def geojson(folder: Path, rows: list[Row]) -> Path:
    config = write_case(
        folder, None, source={"paths": ["incidents.geojson"], "crs": None}, columns={"x": None, "y": None}
    )
    points(rows, crs="EPSG:4326").to_file(folder / "incidents.geojson", driver="GeoJSON")
    return config


def geopackage(folder: Path, rows: list[Row]) -> Path:
    config = write_case(folder, None, source={"paths": ["incidents.gpkg"], "crs": None}, columns={"x": None, "y": None})
    points(rows).to_file(folder / "incidents.gpkg", driver="GPKG")
    return config


def parquet(folder: Path, rows: list[Row], **columns: Any) -> Path:
    config = write_case(folder, None, source={"paths": ["incidents.parquet"]})
    frame = pd.DataFrame(rows).assign(**columns)
    frame = frame.assign(**{c: frame[c].astype(float) for c in ("easting", "northing")})
    frame.to_parquet(folder / "incidents.parquet")
    return config


@pytest.mark.parametrize(
    "write", [plain, semicolons, byte_order_mark, compressed, other_names, geojson, geopackage, parquet]
)
def test_case_00_a_sound_extract_is_counted_exactly(tmp_path: Path, write: Callable[..., Path]) -> None:
    tried = (attempt if write is plain else read)(write(tmp_path, incidents(400)))
    assert tried.totals() == RIGHT[400]
    assert tried.totals([NORTHBY, SOUTHBY, REGION]) == {NORTHBY: 280, SOUTHBY: 120, REGION: 400}


# 02: police.uk archives that overlap.


def archives(folder: Path, *, earlier: str, later: str, asb: bool = True) -> Path:
    """Write two archives of 2 months that overlap by 1; the later one knows outcomes for a quarter of the crimes."""
    rows = police(incidents(120, span=3))
    for number, name in enumerate((earlier, later)):
        for month, found in by_month(rows).items():
            if month == ("2024-03", "2024-01")[number]:
                continue
            crimes = [dict(r) for r in found]
            for row in crimes[: 10 * number]:
                row["Last outcome category"] = "Offender given a caution"
            extra = [antisocial(r) for r in found[:10]] if asb else []
            write_rows(folder / name / month / f"{month}-northshire-street.csv", [*crimes, *extra], POLICE_COLUMNS)
    return write_case(
        folder, None, source={**POLICE_SOURCE, "paths": ["*/*/*-street.csv"]}, outcomes={"maturity_months": 0}
    )


def positive_outcomes(tried: Attempt) -> int:
    """Return the positive outcomes of all months in the region."""
    found = tried.counts.query(f"area_code == '{CODES[REGION]}' and category == 'all' and period.str.len() == 7")
    return int(found["positive_outcomes"].sum())


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param(
            "archive-2024-12",
            "archive-2025-01",
            id="as reported",
        ),
        pytest.param(
            "z-2024-12",
            "a-2025-01",
            id="the later sorts first",
        ),
        pytest.param("old", "new", id="undated folders"),
        pytest.param(
            "police 2024-12 download",
            "police 2025-01 download",
            id="dates inside names",
        ),
    ],
)
def test_case_02_overlapping_archives_count_each_row_once_as_last_published(
    tmp_path: Path, earlier: str, later: str
) -> None:
    tried = (counted if earlier == "archive-2024-12" else read)(archives(tmp_path, earlier=earlier, later=later))
    assert tried.total(REGION) == 120 + 30
    assert tried.total(REGION, "anti_social_behaviour") == 30
    assert positive_outcomes(tried) == 20
    if earlier == "archive-2024-12":
        account = tried.accounting()
        parts = [account[k] for k in ("incidents", "quarantined", "duplicates", "merged", "replaced")]
        assert account["rows_read"] == 4 * 50 == sum(parts)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param("z-2024-12", "a-2025-01", id="the later first"),
        pytest.param("2024-12", "2025-01", id="in order"),
    ],
)
def test_case_02_the_outcome_of_the_later_archive_counts(tmp_path: Path, earlier: str, later: str) -> None:
    tried = read(archives(tmp_path, earlier=earlier, later=later, asb=False))
    assert tried.total(REGION) == 120
    assert positive_outcomes(tried) == 20


# 03: files of another kind in the same glob.


def other_files(folder: Path, *kinds: str) -> Path:
    rows = police([{**r, "occurred_on": "2024-05-01"} for r in incidents(300)])
    where = folder / "2024-05"
    write_rows(where / "2024-05-northshire-street.csv", rows, POLICE_COLUMNS)
    if "outcomes" in kinds:
        told = [
            {**r, "Crime ID": hashlib.sha256(r["Crime ID"].encode()).hexdigest(), "Outcome type": "Under investigation"}
            for r in rows[:120]
        ]
        write_rows(where / "2024-05-northshire-outcomes.csv", told, OUTCOME_COLUMNS)
    if "stop-and-search" in kinds:
        stops = [{**r, "Type": "Person search", "Date": "2024-05-03T12:20:00+00:00", "Gender": "Male"} for r in rows]
        write_rows(where / "2024-05-northshire-stop-and-search.csv", stops[:50], STOP_COLUMNS)
    if "renamed outcomes" in kinds:
        other = [{**r, "Crime ID": r["Crime ID"][::-1], "Outcome type": "Local resolution"} for r in rows[:40]]
        write_rows(where / "may.csv", other, OUTCOME_COLUMNS)
    if "summary" in kinds:
        write_rows(where / "summary.csv", [{"Month": "2024-05", "Crimes": "300"}], ("Month", "Crimes"))
    return write_case(folder, None, source={**POLICE_SOURCE, "paths": ["2024-*/*.csv"]})


@pytest.mark.parametrize(
    ("kinds", "names"),
    [
        pytest.param(
            ("outcomes", "stop-and-search"),
            ("outcomes.csv", "stop-and-search.csv"),
            id="as reported",
        ),
        pytest.param(("outcomes",), ("outcomes.csv",), id="outcomes alone"),
        pytest.param(("stop-and-search",), ("stop-and-search.csv",), id="stops alone"),
        pytest.param(
            ("renamed outcomes",),
            ("may.csv",),
            id="outcomes under another name",
        ),
        pytest.param(
            ("summary",),
            ("summary.csv",),
            id="a summary that lacks columns the others have",
        ),
    ],
)
def test_case_03_files_of_another_kind_are_left_out_or_refused_by_name(
    tmp_path: Path, kinds: tuple[str, ...], names: tuple[str, ...]
) -> None:
    tried = attempt(other_files(tmp_path, *kinds))
    if tried.code:
        refused(tried, *names, "paths", codes=(2, 3))
    else:
        assert tried.total(REGION) == 300


# 04: a month that nobody sent.


@pytest.fixture(scope="module")
def without_june(tmp_path_factory: pytest.TempPathFactory) -> Attempt:
    folder = tmp_path_factory.mktemp("case04")
    return attempt(months_without(folder, ["2025-06"]))


def months_without(folder: Path, missing: list[str], *, nested: bool = False, span: int = 25) -> Path:
    rows = [r for r in police(incidents(31 * span, span=span)) if r["Month"] not in missing]
    write_police(folder / "street", rows, nested=nested)
    return write_case(folder, None, source={**POLICE_SOURCE, "paths": ["street/**/*-street.csv"]})


def test_case_04_a_month_without_a_file_is_null_not_zero(without_june: Attempt) -> None:
    for area in (REGION, NORTHBY, SOUTHBY, "Alder", "Birch", "Cedar", "Damson"):
        assert without_june.cell(area, "2025-06") is None
        assert without_june.cell(area, "2025-05") is not None


def test_case_04_windows_over_it_are_incomplete_and_get_no_rate_or_change(without_june: Attempt) -> None:
    windows = without_june.windows_over("2025-06")
    assert not windows.empty
    assert not windows["complete"].any()
    for column in ("rate_per_10000", "rate_low", "rate_high", "rate_smoothed", "change_pct", "change_vs_region"):
        assert windows[column].isna().all() or set(windows[column].dropna()) <= {"not comparable"}
    assert not set(windows["change_word"].dropna()) & {"higher", "lower", "no clear change"}


def test_case_04_there_is_no_change_figure_where_the_level_did_not_change(without_june: Attempt) -> None:
    """Windows of which a part is missing are not compared; the others differ by chance alone."""
    counts = without_june.counts
    part = counts[~counts["complete"].fillna(False).astype(bool)]
    assert not part.empty
    assert part["change_pct"].isna().all()
    assert not set(counts["change_word"].dropna()) & {"higher", "lower"}


@pytest.mark.parametrize(
    "where",
    [
        pytest.param("terminal"),
        pytest.param("front door"),
        pytest.param("quality.json"),
        pytest.param("page"),
    ],
)
def test_case_04_the_missing_month_is_named(without_june: Attempt, where: str) -> None:
    missing = "missing|no data|not sent|no file"
    if where == "quality.json":
        assert names_month(json.dumps(without_june.quality), "2025-06")
    else:
        text = {"terminal": without_june.text, "front door": without_june.front_door, "page": without_june.page}[where]
        assert names_month(text, "2025-06", missing)


def test_case_04_months_missing_elsewhere(tmp_path: Path) -> None:
    # A month alone, two in a row, and the last but one, in folders of months.
    missing = ["2024-05", "2024-07", "2024-08", "2025-01"]
    tried = released(months_without(tmp_path, missing, nested=True, span=14))
    for month in missing:
        assert not tried.windows_over(month).empty
        assert tried.cell(REGION, month) is None
        assert tried.cell("Alder", month) is None
        assert not tried.windows_over(month)["complete"].any()
        assert names_month(json.dumps(tried.quality), month)
        assert names_month(tried.text, month)
    assert tried.cell(REGION, "2024-06") == tried.cell(REGION, "2025-02") == 31


# 05: one crime type wanted, another in the same file.


def with_antisocial(folder: Path, **changes: Any) -> Path:
    crimes = police(incidents(260, span=12))
    write_rows(folder / "street" / "2024-street.csv", [*crimes, *map(antisocial, crimes[:130])], POLICE_COLUMNS)
    return write_case(folder, None, source={**POLICE_SOURCE, "paths": ["street/*-street.csv"]}, **changes)


BURGLARY_AND_ASB = {
    "all_label": "Recorded crime",
    "tree": [{"id": "burglary", "match": ["Burglary"]}, {"id": "asb", "match": ["Anti-social behaviour"]}],
}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"categories": {**BURGLARY_AND_ASB, "outside": ["asb"]}},
            id="categories.outside",
        ),
        pytest.param({"incidents__0__where": {"Crime type": ["Burglary"]}}, id="where"),
        pytest.param(
            {"incidents__0__where": {"Crime type": {"not": ["Anti-social behaviour"]}}},
            id="where not",
        ),
        pytest.param({"incidents__0__where": {"Crime type": ["burglary"]}}, id="where, any case"),
    ],
)
def test_case_05_a_setting_counts_one_crime_type_without_refusing_a_row(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    outside = "categories" in changes  # those are left out where rows are counted
    tried = (counted if outside else read)(with_antisocial(tmp_path, **changes))
    assert tried.total(REGION) == 260
    assert tried.totals() == RIGHT[260]
    assert tried.manifest["stages"]["ingest"]["counters"]["quarantined"] == 0


# 07, 27b: coordinates as people write them.


def rewritten(folder: Path, number: int, write: Callable[[float], str], *, delimiter: str = ",", **source: Any) -> Path:
    rows = [{**r, **{c: write(float(r[c])) for c in ("easting", "northing")}} for r in incidents(number)]
    write_rows(folder / "incidents.csv", rows, delimiter=delimiter)
    return write_case(folder, None, source=source)


@pytest.mark.parametrize(
    ("write", "value"),
    [
        pytest.param(lambda v: f"{v:,.0f}", "52", id="as reported"),
        pytest.param(lambda v: f"{v:,.1f}", "52", id="with a decimal point"),
        pytest.param(
            lambda v: f"{v:,.0f}".replace(",", " "),
            "52",
            id="a space",
        ),
        pytest.param(
            lambda v: f"{v:,.0f}".replace(",", "'"),
            "52",
            id="an apostrophe",
        ),
        pytest.param(
            lambda v: f"{v:,.0f}".replace(",", "\u00a0"),
            "52",
            id="a no-break space",
        ),
    ],
)
def test_case_07_thousands_in_coordinates_are_read_or_refused_by_column_value_and_remedy(
    tmp_path: Path, write: Callable[[float], str], value: str
) -> None:
    tried = read(rewritten(tmp_path, 300, write))
    read_or_refused(tried, RIGHT[300], "easting", value, "thousands")


@pytest.mark.parametrize(
    ("write", "delimiter"),
    [
        pytest.param(
            lambda v: f"{v:.1f}".replace(".", ","),
            "\t",
            id="as reported",
        ),
        pytest.param(lambda v: f"{v:.1f}".replace(".", ","), ";", id="semicolons"),
        pytest.param(
            lambda v: f"{v:.1f}".replace(".", ","),
            ",",
            id="quoted between commas",
        ),
        pytest.param(
            lambda v: f"{v:,.1f}".translate(str.maketrans(",.", ".,")),
            ";",
            id="points between thousands as well",
        ),
    ],
)
def test_case_27b_decimal_commas_are_read(tmp_path: Path, write: Callable[[float], str], delimiter: str) -> None:
    assert read(rewritten(tmp_path, 300, write, delimiter=delimiter)).totals() == RIGHT[300]


# 10: eastings without the digit of 100 km.


@pytest.mark.parametrize(
    ("write", "cause"),
    [
        pytest.param(
            lambda v: v % 100_000,
            "100 km|100,000|grid letters",
            id="as reported",
        ),
        pytest.param(
            lambda v: round(v / 10),
            "tens of metres|10 m",
            id="tens of metres",
        ),
        pytest.param(
            lambda v: round(v / 1000, 4),
            "kilometres|km",
            id="kilometres",
        ),
    ],
)
def test_case_10_eastings_in_another_unit_or_cut_are_asked_about(
    tmp_path: Path, write: Callable[[float], float], cause: str
) -> None:
    refused(attempt(rewritten(tmp_path, 200, lambda v: f"{write(v)}")), "easting", cause)


# 12: times in another zone.

BEFORE_MIDNIGHT = "2024-06-30T23:30:00Z"


def in_july() -> list[Row]:
    """Return the case's rows: 40 at half past eleven of 30 June in UTC, 17 a month (16 in January) at noon."""
    rows = incidents(260)
    for i, row in enumerate(rows):
        row["occurred_on"] = BEFORE_MIDNIGHT if i < 40 else f"{months('2024-01', 13)[(i - 39) % 13]}-15T12:00:00Z"
    return rows


def stamps(rows: list[Row]) -> pd.Series:
    return pd.to_datetime(pd.Series([r["occurred_on"] for r in rows]), utc=True)


def zoned_csv(folder: Path, rows: list[Row]) -> Path:
    return write_case(folder, rows)


def offset_csv(folder: Path, rows: list[Row]) -> Path:
    moved = stamps(rows).dt.tz_convert("America/New_York")
    return write_case(folder, [{**r, "occurred_on": t.isoformat()} for r, t in zip(rows, moved, strict=True)])


def zoned_parquet(folder: Path, rows: list[Row]) -> Path:
    return parquet(folder, rows, occurred_on=stamps(rows))


def zoned_geojson(folder: Path, rows: list[Row]) -> Path:
    return geojson(folder, rows)


def zoned_geopackage(folder: Path, rows: list[Row]) -> Path:
    config = geopackage(folder, rows)
    points(rows, occurred_on=stamps(rows).tolist()).to_file(folder / "incidents.gpkg", driver="GPKG")
    return config


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(zoned_csv, id="as reported"),
        pytest.param(offset_csv, id="offsets of New York"),
        pytest.param(zoned_parquet, id="Parquet"),
        pytest.param(zoned_geojson, id="GeoJSON"),
        pytest.param(zoned_geopackage, id="GeoPackage"),
    ],
)
def test_case_12_times_with_a_zone_are_counted_in_local_months_and_hours(
    tmp_path: Path, write: Callable[..., Path]
) -> None:
    tried = read(write(tmp_path, in_july()))
    assert (tried.cell(REGION, "2024-06"), tried.cell(REGION, "2024-07")) == (17, 57)
    parts = sorted((tried.folder / "work" / "incidents").glob("*.parquet"))
    kept = pd.concat([pd.read_parquet(p) for p in parts])
    # Half past eleven in UTC is half past midnight of 1 July in London; noon in winter is noon.
    assert set(kept.loc[kept["occurred_on"] == "2024-07-01", "hour_band"]) == {0}
    assert set(kept.loc[kept["month"] == 202402, "hour_band"]) == {12}


# 15, 18: dates as numbers.

DAY_ZERO = dt.date(1899, 12, 30)


def serial(text: str) -> int:
    return (dt.date.fromisoformat(text) - DAY_ZERO).days


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda text: f"{serial(text)}", id="as reported"),
        pytest.param(lambda text: f"{serial(text)}.0", id="with a decimal"),
        pytest.param(
            lambda text: f"{serial(text)}.520833333",
            id="with the time as a fraction",
        ),
    ],
)
def test_case_15_spreadsheet_serials_are_read_or_refused_by_name(tmp_path: Path, write: Callable[[str], str]) -> None:
    rows = [{**r, "occurred_on": write(r["occurred_on"])} for r in incidents(260)]
    tried = read(write_case(tmp_path, rows))
    read_or_refused(tried, RIGHT[260], "occurred_on", "spreadsheet serial numbers", "date_format|yyyy-mm-dd|ISO")
    if tried.code == 0:
        assert tried.cell(REGION, "2024-06") == sum(r["occurred_on"][:7] == "2024-06" for r in incidents(260))


@pytest.mark.parametrize(
    ("write", "factor"),
    [
        pytest.param(geojson, 1000, id="as reported"),
        pytest.param(parquet, 1000, id="Parquet"),
        pytest.param(plain, 1000, id="CSV"),
        pytest.param(plain, 1, id="seconds"),
    ],
)
def test_case_18_epoch_times_are_read_or_refused_by_name(
    tmp_path: Path, write: Callable[..., Path], factor: int
) -> None:
    rows: list[Row] = incidents(260)
    for row in rows:
        noon = dt.datetime.fromisoformat(f"{row['occurred_on']}T12:00:00+00:00")
        row["occurred_on"] = (
            int(noon.timestamp()) * factor if write is not plain else f"{int(noon.timestamp()) * factor}"
        )
    tried = read(write(tmp_path, rows))
    read_or_refused(tried, RIGHT[260], "occurred_on", "epoch|since 1970", "date_format|yyyy-mm-dd|ISO")
    if tried.code == 0:
        assert tried.cell(REGION, "2024-06") == sum(r["occurred_on"][:7] == "2024-06" for r in incidents(260))


# 20: one row per strand.


def one_row_per_strand(rows: list[Row], *, apart: bool = False) -> list[Row]:
    first = [{**r, "category": "race"} for r in rows]
    second = [{**r, "category": "religion"} for r in rows[:120]]
    if apart:
        return [*first, *second]
    return sorted([*first, *second], key=lambda r: (r["incident_id"], r["category"]))


@pytest.mark.parametrize(
    ("write", "apart"),
    [
        pytest.param(plain, False, id="as reported"),
        pytest.param(plain, True, id="the second rows at the end"),
        pytest.param(semicolons, False, id="semicolons"),
        pytest.param(parquet, False, id="Parquet"),
        pytest.param(geojson, True, id="GeoJSON"),
    ],
)
def test_case_20_rows_that_differ_only_in_their_category_are_one_incident_with_all_categories(
    tmp_path: Path, write: Callable[..., Path], *, apart: bool
) -> None:
    tried = (counted if write is plain else read)(write(tmp_path, one_row_per_strand(incidents(300), apart=apart)))
    assert [tried.total(REGION, c) for c in ("all", "race", "religion")] == [300, 300, 120]
    assert tried.totals() == RIGHT[300]
    if write is plain:
        account = tried.accounting()
        assert (account["rows_read"], account["merged"], account["duplicates"]) == (420, 120, 0)


# 23 to 25, 43: workbooks, archives, map files and answers of an API; 45: months as columns.


def as_kml(folder: Path, rows: list[Row]) -> Path:
    marks = "".join(
        f"<Placemark><ExtendedData>{''.join(f'<Data name={k!r}><value>{r[k]}</value></Data>' for k in COLUMNS)}"
        f"</ExtendedData><Point><coordinates>{','.join(degrees(float(r['easting']), float(r['northing'])))}"
        "</coordinates></Point></Placemark>"
        for r in rows
    )
    path = folder / "incidents.kml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>{marks}</Document></kml>',
        encoding="utf-8",
    )
    return write_case(folder, None, source={"paths": [path.name], "crs": None}, columns={"x": None, "y": None})


def as_kmz(folder: Path, rows: list[Row]) -> Path:
    config = as_kml(folder, rows)
    with zipfile.ZipFile(folder / "incidents.kmz", "w") as archive:
        archive.write(folder / "incidents.kml", "doc.kml")
    config.write_text(config.read_text().replace("incidents.kml", "incidents.kmz"))
    return config


def as_zip(folder: Path, rows: list[Row], name: str = "2025-01.zip") -> Path:
    config = write_case(folder, None, source={**POLICE_SOURCE, "paths": [name]})
    with zipfile.ZipFile(folder / name, "w") as archive:
        for month, found in by_month(police(rows)).items():
            inner = write_rows(folder / "inner.csv", found, POLICE_COLUMNS)
            archive.write(inner, f"{month}/{month}-northshire-street.csv")
    return config


def as_xlsx(folder: Path, _rows: list[Row], name: str = "incidents.xlsx") -> Path:
    config = write_case(folder, None, source={"paths": [name]})
    shutil.copy(FILES / "incidents.xlsx", folder / name)
    return config


def as_api(folder: Path, rows: list[Row]) -> Path:
    columns = {"id": "persistent_id", "date": "month", "category": "category", "x": None, "y": None}
    config = write_case(folder, None, source={"paths": ["incidents.json"], "crs": None}, columns=columns)
    answer = [
        {
            "category": "burglary",
            "location": dict(
                zip(("longitude", "latitude"), degrees(float(r["easting"]), float(r["northing"])), strict=True)
            ),
            "month": r["occurred_on"][:7],
            "persistent_id": hashlib.sha256(r["incident_id"].encode()).hexdigest(),
            "id": i,
        }
        for i, r in enumerate(rows)
    ]
    (folder / "incidents.json").write_text(json.dumps(answer), encoding="utf-8")
    return config


def as_gml(folder: Path, rows: list[Row]) -> Path:
    config = write_case(folder, rows, areas__wards__path="wards.gml")
    for name in ("wards.gml", "wards.xsd"):
        shutil.copy(FILES / name, folder / name)
    return config


@pytest.mark.parametrize("write", [as_kml, as_kmz, as_gml, as_api], ids=["KML", "KMZ", "boundaries as GML", "API"])
def test_cases_25_and_43_map_files_and_answers_of_an_api_are_read(
    tmp_path: Path, write: Callable[[Path, list[Row]], Path]
) -> None:
    assert read(write(tmp_path, incidents(200))).totals() == RIGHT[200]


def test_case_43_columns_that_the_answer_of_an_api_lacks_are_named_with_those_it_has(tmp_path: Path) -> None:
    config = as_api(tmp_path, incidents(200))
    config.write_text(config.read_text().replace("persistent_id", "incident_id"))
    refused(attempt(config), "incident_id", "incidents.columns.id", "persistent_id", "location.longitude")


@pytest.mark.parametrize("name", ["2025-01.zip", "latest.ZIP"])
def test_case_24_a_zip_of_police_uk_months_is_one_path(tmp_path: Path, name: str) -> None:
    tried = read(as_zip(tmp_path, incidents(200, span=3), name))
    assert tried.totals() == RIGHT[200]
    assert tried.manifest["stages"]["ingest"]["counters"]["rows"] == 200


def test_cases_03_and_24_an_archive_with_files_of_other_kinds_is_refused_with_the_pattern_that_remedies_it(
    tmp_path: Path,
) -> None:
    config = as_zip(tmp_path, incidents(300, span=3))
    with zipfile.ZipFile(tmp_path / "2025-01.zip", "a") as archive:
        columns = ",".join(OUTCOME_COLUMNS)
        archive.writestr("2024-05/2024-05-northshire-outcomes.csv", f"{columns}\n{',' * (len(OUTCOME_COLUMNS) - 1)}\n")
    shown = counted(config)
    refused(shown, "2024-05-northshire-outcomes.csv", r"2025-01.zip/**/*-street.csv")
    config.write_text(config.read_text().replace("2025-01.zip", "2025-01.zip/**/*-street.csv"))
    assert read(config).totals() == RIGHT[300]


def test_cases_02_and_24_zips_that_overlap_replace_each_others_months(tmp_path: Path) -> None:
    config = as_zip(tmp_path, incidents(200, span=3), "archive-2024-12.zip")
    as_zip(tmp_path, incidents(200, span=3), "archive-2025-01.zip")
    config.write_text(config.read_text().replace("archive-2025-01.zip", "archive-*.zip"))
    tried = counted(config)
    assert tried.totals() == RIGHT[200]
    assert (tried.accounting()["rows_read"], tried.accounting()["replaced"]) == (400, 200)


@pytest.mark.parametrize("name", ["incidents.xlsx", "incidents.xls"])
def test_case_23_a_workbook_is_read_under_either_ending(tmp_path: Path, name: str) -> None:
    tried = read(as_xlsx(tmp_path, [], name))
    assert tried.totals() == RIGHT[260]


@pytest.mark.parametrize(
    ("titles", "first"),
    [
        pytest.param(
            [m.replace("-", "") for m in months("2024-01", 12)],
            "202401",
            id="45 as reported",
        ),
        pytest.param(months("2024-01", 12), "2024-01", id="with dashes"),
        pytest.param(
            [pd.Timestamp(m).strftime("%b-%y") for m in months("2024-01", 12)],
            "Jan-24",
            id="Jan-24",
        ),
    ],
)
def test_case_45_months_as_columns_are_read_where_a_setting_says_so(
    tmp_path: Path, titles: list[str], first: str
) -> None:
    config = write_published(tmp_path, [])
    cells = [
        {"MajorText": "Burglary", "BoroughName": b, "Code": CODES[b], **dict.fromkeys(titles, str(5 + i))}
        for i, b in enumerate((NORTHBY, SOUTHBY))
    ]
    write_rows(tmp_path / "counts.csv", cells, ("MajorText", "BoroughName", "Code", *titles))
    refused(attempt(config), "counts.csv", "wide: period", first)
    form = {"2": "%Y-%m" if "-" in first else "%Y%m", "J": "%b-%y"}[first[0]]
    columns = {"area_code": "Code", "category": "MajorText", "wide": "period"}
    tried = counted(change(config, published_counts=[{**PUBLISHED, "columns": columns, "period_format": form}]))
    assert tried.totals([NORTHBY, SOUTHBY]) == {NORTHBY: 60, SOUTHBY: 72}


# 26, 26b, 26c: places without a point.


@pytest.mark.parametrize(
    "column",
    [
        pytest.param("postcode", id="as reported"),
        pytest.param("street", id="a street"),
        pytest.param(None, id="nothing"),
    ],
)
def test_case_26_without_any_place_only_the_region_has_counts(tmp_path: Path, column: str | None) -> None:
    rows = [
        {"incident_id": r["incident_id"], "occurred_on": r["occurred_on"], "category": r["category"]}
        for r in incidents(260)
    ]
    if column:
        for row in rows:
            row[column] = "N1 1AB"
    whole = attempt if column is None else released
    tried = whole(write_case(tmp_path, rows, source={"crs": None}, columns={"x": None, "y": None}))
    assert tried.total(REGION) == 260
    assert tried.totals([*NO_DATA, NORTHBY, SOUTHBY]) == dict.fromkeys([*NO_DATA, NORTHBY, SOUTHBY])
    for layer in ("wards", "boroughs") if column is None else ():
        for shown in tried.layer(layer).values():
            assert (shown["incidents"], shown["rate_per_10000"], shown["covered"]) == (None, None, False)


@pytest.mark.parametrize(
    ("title", "value"),
    [
        pytest.param("ward", "ward", id="as reported"),
        pytest.param("ward", "ward_name", id="names of wards"),
        pytest.param("WD25CD", "ward", id="another name of the column"),
    ],
)
def test_case_26b_a_ward_code_places_a_row_for_counts(tmp_path: Path, title: str, value: str) -> None:
    rows = [{**{k: r[k] for k in ("incident_id", "occurred_on", "category")}, title: r[value]} for r in incidents(260)]
    tried = read(write_case(tmp_path, rows, source={"crs": None}, columns={"x": None, "y": None, "ward": title}))
    assert tried.totals() == RIGHT[260]
    assert tried.totals([NORTHBY, SOUTHBY, REGION]) == {NORTHBY: 188, SOUTHBY: 72, REGION: 260}


@pytest.mark.parametrize(
    ("name", "wards_too"),
    [
        pytest.param("{}", True, id="as reported"),
        pytest.param("code", False, id="codes of boroughs"),
        pytest.param("  {} ", False, id="spaces"),
    ],
)
def test_case_26c_a_borough_alone_counts_there_and_wards_have_no_data(
    tmp_path: Path, name: str, *, wards_too: bool
) -> None:
    rows = []
    for r in incidents(260):
        borough = CODES[r["borough"]] if name == "code" else name.format(r["borough"])
        rows.append({**{k: r[k] for k in ("incident_id", "occurred_on", "category")}, "place": borough})
    columns = {"x": None, "y": None, "borough": "place"}
    tried = (released if wards_too else read)(write_case(tmp_path, rows, source={"crs": None}, columns=columns))
    assert tried.totals([NORTHBY, SOUTHBY, REGION]) == {NORTHBY: 188, SOUTHBY: 72, REGION: 260}
    assert tried.totals() == NO_DATA
    if wards_too:  # a release gives wards without data; rows that were read merely name none
        by_level = tried.counts.groupby("level")["rate_per_10000"].count()
        assert by_level["borough"] > by_level["ward"] == 0


# 28, 28c: lines above the header.


@pytest.mark.parametrize(
    ("above", "line"),
    [
        pytest.param(
            ["Northshire Constabulary,,,,,", "Report run: 03/02/2025,,,,,", ",,,,,"],
            4,
            id="as reported",
        ),
        pytest.param(["Northshire Constabulary"], 2, id="one line"),
        pytest.param(["Title", "", "Filter: all", "", ""], 6, id="empty lines"),
    ],
)
def test_case_28_lines_above_the_header_are_skipped_or_the_header_is_named(
    tmp_path: Path, above: list[str], line: int
) -> None:
    config = write_case(tmp_path, incidents(260))
    text = (tmp_path / "incidents.csv").read_text("utf-8")
    (tmp_path / "incidents.csv").write_text("\n".join([*above, text]), encoding="utf-8")
    read_or_refused(read(config), RIGHT[260], "incidents.csv", f"line {line}")


@pytest.mark.parametrize(
    ("above", "line"),
    [
        pytest.param(
            ["Population estimates - small area based,,", "ONS Crown Copyright,,", ",,"],
            4,
            id="as reported",
        ),
        pytest.param(["Population estimates"], 2, id="one line"),
    ],
)
def test_case_28c_lines_above_the_header_of_residents(tmp_path: Path, above: list[str], line: int) -> None:
    config = write_case(tmp_path, incidents(260))
    rows = ["WD25CD,ward,pop", *(f'{CODES[w]},{w},"{i},000"' for i, w in enumerate(NO_DATA, 5))]
    notes = [",,", "In order to protect against disclosure,,"]
    (tmp_path / "pop.csv").write_text("\n".join([*above, *rows, *notes]) + "\n", encoding="utf-8")
    tried = counted(config)
    read_or_refused(tried, RIGHT[260], "pop.csv", f"line {line}")
    if tried.code == 0:
        areas = pd.read_parquet(tried.folder / "work" / "areas.parquet").set_index("name")
        assert areas.loc["Alder", "population"] == 5000


# 31b, 33: boundaries.


@pytest.mark.parametrize(
    ("crs", "stated"),
    [
        pytest.param("EPSG:27700", None, id="as reported"),
        pytest.param("EPSG:32630", None, id="metres of UTM"),
        pytest.param("EPSG:3857", None, id="Web Mercator"),
        pytest.param("EPSG:27700", "EPSG:27700", id="stated"),
        pytest.param("EPSG:32630", "EPSG:32630", id="UTM, stated"),
    ],
)
def test_case_31b_boundaries_in_metres_need_areas_wards_crs(tmp_path: Path, crs: str, stated: str | None) -> None:
    config = write_case(tmp_path, incidents(300), **({"areas__wards__crs": stated} if stated else {}))
    write_boundaries(tmp_path / "wards.geojson", crs=crs)
    tried = read(config)
    if stated:
        assert tried.totals() == RIGHT[300]
    else:
        refused(tried, "areas.wards.crs", "wards.geojson", codes=(2, 3))


def in_collections(shape: shapely.Polygon, more: str) -> shapely.Geometry:
    x, y = shape.exterior.coords[0]
    halves = [shapely.clip_by_rect(shape, *b) for b in ((0, 0, shape.centroid.x, 9e9), (shape.centroid.x, 0, 9e9, 9e9))]
    parts = {
        "polygon": [shape],
        "line": [shape, shapely.LineString([(x, y), (x + 1, y + 1)])],
        "point": [shape, shapely.Point(x, y)],
        "two polygons": halves,
    }[more]
    return shapely.GeometryCollection(parts)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("z", id="heights alone"),
        pytest.param("line", id="as reported"),
        pytest.param("polygon", id="a polygon alone"),
        pytest.param("point", id="a point beside"),
        pytest.param("two polygons", id="two polygons"),
    ],
)
def test_case_33_polygons_are_read_out_of_collections(tmp_path: Path, more: str) -> None:
    frame = wards()
    shapes = list(frame.geometry)
    shapes[0] = shapely.force_3d(shapes[0])
    if more != "z":
        shapes[1], shapes[2] = in_collections(shapes[1], "polygon"), in_collections(shapes[2], more)
    config = write_case(
        tmp_path,
        incidents(300),
        boundaries=gpd.GeoDataFrame(frame.drop(columns="geometry"), geometry=shapes, crs=frame.crs),
    )
    assert read(config).totals() == RIGHT[300]


# 39: refused, then asked why.


def too_many_refused(folder: Path, column: str = "occurred_on", value: str = "unknown") -> Path:
    rows = incidents(300)
    for row in rows[:100]:
        row[column] = value
    return write_case(folder, rows)


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        pytest.param(
            "occurred_on",
            "unknown",
            "date_unreadable",
            id="as reported",
        ),
        pytest.param(
            "easting",
            "north",
            "coordinates_unreadable",
            id="coordinates",
        ),
        pytest.param("occurred_on", "", "date_missing", id="no date"),
    ],
)
def test_case_39_after_exit_5_quarantine_shows_the_refused_rows_of_that_attempt(
    tmp_path: Path, column: str, value: str, rule: str
) -> None:
    config = too_many_refused(tmp_path, column, value)
    assert attempt(config).code == 5
    shown = attempt(config, "quarantine", "--json")
    assert shown.code == 0
    assert rule in shown.text
    assert says(shown.text, "100")
    assert "A00000" in shown.text


# 40: 0,0 with a borough named.


def zero_with_borough(folder: Path, zero: str, **more: Any) -> Path:
    rows = incidents(300)
    for row in rows[:50]:
        row["easting"] = row["northing"] = zero
    named = [{**{k: r[k] for k in COLUMNS}, "place": r["borough"]} for r in rows]
    return write_case(folder, named, columns={"borough": "place"}, **more)


@pytest.mark.parametrize(
    "zero",
    [
        pytest.param("0.0", id="as reported"),
        pytest.param("0", id="0"),
        pytest.param("", id="empty cells"),
    ],
)
def test_case_40_zero_with_a_borough_named_is_counted_there_without_a_place(tmp_path: Path, zero: str) -> None:
    tried = (counted if zero == "0.0" else read)(zero_with_borough(tmp_path, zero))
    assert tried.totals([NORTHBY, SOUTHBY, REGION]) == {NORTHBY: 215, SOUTHBY: 85, REGION: 300}
    assert tried.manifest["stages"]["ingest"]["counters"]["quarantined"] == 0
    if zero == "0.0":
        assert tried.accounting()["incidents_without_a_place"] == 50


def test_case_40_in_degrees(tmp_path: Path) -> None:
    rows = []
    for i, r in enumerate(incidents(300)):
        lon, lat = degrees(float(r["easting"]), float(r["northing"])) if i >= 50 else ("0", "0.0")
        rows.append(
            {
                "incident_id": r["incident_id"],
                "occurred_on": r["occurred_on"],
                "category": r["category"],
                "lon": lon,
                "lat": lat,
                "place": r["borough"],
            }
        )
    columns = {"x": None, "y": None, "lon": "lon", "lat": "lat", "borough": "place"}
    tried = read(write_case(tmp_path, rows, source={"crs": None}, columns=columns))
    assert tried.totals([NORTHBY, SOUTHBY]) == {NORTHBY: 215, SOUTHBY: 85}


def test_case_40_a_point_at_zero_without_a_borough_stays_refused(tmp_path: Path) -> None:
    rows = incidents(300)
    for row in rows[:10]:
        row["easting"] = row["northing"] = "0"
    tried = counted(write_case(tmp_path, rows))
    assert tried.rules == {"zero": 10}


# 46: an extract that ends within a month.


def partial_last_month(folder: Path, *, last_day: int = 9, rows_in_last: int = 12, **changes: Any) -> Path:
    full = incidents(1200, first="2024-01", span=24)
    late = incidents(rows_in_last, first="2026-01", span=1)
    for i, row in enumerate(late):
        row["incident_id"] = f"L{i:05d}"
        row["occurred_on"] = f"2026-01-{1 + i * (last_day - 1) // (rows_in_last - 1):02d}"
    return write_case(folder, [*full, *late], **changes)


@pytest.mark.parametrize(
    ("last_day", "rows_in_last"),
    [
        pytest.param(9, 12, id="as reported"),
        pytest.param(20, 33, id="on the 20th"),
        pytest.param(2, 2, id="on the 2nd"),
    ],
)
def test_case_46_an_incomplete_last_month_stays_out_of_the_headline(
    tmp_path: Path, last_day: int, rows_in_last: int
) -> None:
    tried = released(partial_last_month(tmp_path, last_day=last_day, rows_in_last=rows_in_last))
    assert tried.headline == "2025-01..2025-12"
    assert tried.cell(REGION, tried.headline) == 600
    assert tried.cell(REGION, tried.headline, "complete")
    assert tried.cell(REGION, tried.headline, "change_pct") == 0
    assert tried.cell(REGION, "2026-01", "complete") in {None, False}
    assert "2025-12-31" in tried.text


# 47: ids that a spreadsheet has mangled.


@pytest.mark.parametrize(
    ("write", "value"),
    [
        pytest.param(lambda i: f"{2.4 + i // 10 * 1e-5:.5f}E+11", "2.40000E+11", id="as reported"),
        pytest.param(lambda i: f"2.4{i // 100}E+11", "2.40E+11", id="four ids"),
        pytest.param(
            lambda i: f"{2.4 + i // 10 * 1e-5:.5f}E+11".replace(".", ","),
            "2,40000E+11",
            id="decimal commas",
        ),
        pytest.param(lambda _: "2.4e+11", "2.4e+11", id="one id"),
    ],
)
def test_case_47_ids_mangled_by_a_spreadsheet_stop_the_run_by_name(
    tmp_path: Path, write: Callable[[int], str], value: str
) -> None:
    rows = [{**r, "incident_id": write(i)} for i, r in enumerate(incidents(390))]
    refused(attempt(write_case(tmp_path, rows)), "incident_id", value, "spreadsheet", codes=(3, 5))


# 48: texts that mean nothing is there.


@pytest.mark.parametrize(
    ("missing", "write"),
    [
        pytest.param("NULL", plain, id="as reported"),
        pytest.param("N/A", plain, id="N-A"),
        pytest.param("None", semicolons, id="None"),
        pytest.param("-", plain, id="a dash"),
        pytest.param("NaN", geopackage, id="NaN in a GeoPackage"),
        pytest.param(".", parquet, id="a point in Parquet"),
    ],
)
def test_case_48_texts_for_missing_are_missing_in_every_column_and_format(
    tmp_path: Path, missing: str, write: Callable[..., Path]
) -> None:
    rows = []
    for i, r in enumerate(incidents(300)):
        row = {**{k: r[k] for k in COLUMNS}, "place": r["borough"], "result": missing}
        if i < 30 and write in {plain, semicolons}:
            row["easting"] = row["northing"] = missing
        if i % 15 == 0:
            row["category"] = missing
        rows.append(row)
    if write is semicolons:
        config = write_case(tmp_path, None)
        write_rows(tmp_path / "incidents.csv", rows, tuple(rows[0]), delimiter=";")
    else:
        config = write(tmp_path, rows)
    change(config, incidents__0__columns__borough="place", incidents__0__columns__outcome="result")
    tried = (counted if missing == "NULL" else read)(config)
    assert tried.totals([NORTHBY, SOUTHBY]) == {NORTHBY: 215, SOUTHBY: 85}
    assert set(tried.counts["category"]) == {"all", "race", "religion", "disability"}
    if missing == "NULL":
        assert tried.cell(REGION, "2024-06", "known_outcomes") in {None, 0}
    parts = sorted((tried.folder / "work" / "incidents").glob("*.parquet"))
    assert pd.concat([pd.read_parquet(p) for p in parts])["outcome"].isna().all()


# 52: published counts with cells absent.

ABSENT = ((NORTHBY, "202404"), (SOUTHBY, "202405"))


def with_absent(folder: Path, gone: tuple[tuple[str, str], ...] = ABSENT, **source: Any) -> Path:
    codes = {(CODES[a], m) for a, m in gone}
    cells = [c for c in published_cells((NORTHBY, SOUTHBY)) if (c["Code"], c["Month"]) not in codes]
    return write_published(folder, cells, **source)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param({"absent": "unknown"}, id="as reported"),
        pytest.param({}, id="by default"),
    ],
)
def test_case_52_absent_cells_are_unknown_and_the_year_incomplete(tmp_path: Path, source: dict[str, Any]) -> None:
    tried = (attempt if source else released)(with_absent(tmp_path, **source))
    assert (tried.cell(NORTHBY, "2024-04"), tried.cell(SOUTHBY, "2024-05")) == (None, None)
    assert (tried.cell(SOUTHBY, "2024-04"), tried.cell(NORTHBY, "2024-05")) == (10, 10)
    for area in (NORTHBY, SOUTHBY, REGION):
        assert not tried.cell(area, "2024-01..2024-12", "complete")
        assert tried.cell(area, "2024-01..2024-12", "rate_per_10000") is None
    assert tried.totals() == NO_DATA
    if source:
        assert {p["incidents"] for p in tried.layer("wards").values()} == {None}


@pytest.mark.parametrize(("absent", "right"), [("unknown", None), ("zero", 0)])
def test_case_52_blank_cells_of_a_wide_table_are_absent_rows(tmp_path: Path, absent: str, right: int | None) -> None:
    columns = {"area_code": "Code", "category": "MajorText", "wide": "period"}
    config = with_absent(tmp_path, absent=absent, columns=columns)
    long = pd.read_csv(tmp_path / "counts.csv", dtype="str")
    wide = long.pivot_table(index=["MajorText", "Code"], columns="Month", values="Count", aggfunc="first")
    wide.reset_index().to_csv(tmp_path / "counts.csv", index=False)
    tried = released(config)
    assert (tried.cell(NORTHBY, "2024-04"), tried.cell(SOUTHBY, "2024-05")) == (right, right)
    assert (tried.cell(SOUTHBY, "2024-04"), tried.cell(NORTHBY, "2024-05")) == (10, 10)
    assert bool(tried.cell(NORTHBY, "2024-01..2024-12", "complete")) == (absent == "zero")
    assert tried.quality["wide_tables"] == {"blank_cells": 2, "rows": 2}


def test_case_52_absent_zero_is_zero(tmp_path: Path) -> None:
    tried = released(with_absent(tmp_path, absent="zero"))
    assert (tried.cell(NORTHBY, "2024-04"), tried.cell(SOUTHBY, "2024-05")) == (0, 0)
    assert tried.cell(NORTHBY, "2024-01..2024-12", "complete")
    assert tried.cell(NORTHBY, "2024-01..2024-12") == sum(range(6, 18)) - 9
    assert tried.totals() == NO_DATA
