"""Properties that hold for any extract: no data is never zero, a file again changes nothing, an instant is an instant.

Each example is a run as far as its rows or its release, so few are drawn; hypothesis keeps what failed.
"""

import datetime as dt
import shutil
import tempfile
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.kit.cases import (
    CODES,
    COLUMNS,
    POLICE_SOURCE,
    REGION,
    Attempt,
    antisocial,
    incidents,
    months,
    points,
    police,
    read,
    released,
    write_case,
    write_police,
    write_rows,
)

pytestmark = pytest.mark.slow  # each test runs the pipeline several times

MONTHS = months("2024-01", 14)  # as few as give windows of twelve months
few = settings(
    max_examples=4,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # a failing example is not made smaller: that takes hundreds of runs
    suppress_health_check=list(HealthCheck),
)


@settings(few, max_examples=2)  # a run of a dozen files as far as its release, each
@given(
    st.sets(st.sampled_from(MONTHS[2:-1]), min_size=1, max_size=3),
    st.sampled_from([50, 140, 434]),
)
def test_removing_a_months_file_never_makes_a_zero_and_leaves_no_window_over_it_complete(
    without: set[str], number: int
) -> None:
    rows = incidents(number, span=14)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_police(folder / "street", [r for r in police(rows) if r["Month"] not in without])
        part = released(write_case(folder, None, source={**POLICE_SOURCE, "paths": ["**/*-street.csv"]})).counts
    # What every cell would hold with every month's file there. All rows are of one category, so each has its total.
    where = [{CODES[r["ward_name"]], CODES[r["borough"]], CODES[REGION]} for r in rows]
    for cell in part[part["incidents"] == 0].itertuples():
        first, last = cell.period_start[:7], cell.period_end[:7]
        inside = [
            cell.area_code in areas and first <= r["occurred_on"][:7] <= last
            for areas, r in zip(where, rows, strict=True)
        ]
        assert not any(inside), cell
    for month in without:
        over = part[(part["period_start"].str[:7] <= month) & (part["period_end"].str[:7] >= month)]
        assert {len(p) for p in over["period"]} > {len("2024-01")}  # windows longer than a month among them
        assert not over["complete"].any()
        assert over.loc[over["period"] == month, "incidents"].isna().all()


# Read once for all examples; each example then adds files to the folder and takes them out again.
AsRead = tuple[Path, Attempt]


@pytest.fixture(scope="module")
def three_months(tmp_path_factory: pytest.TempPathFactory) -> AsRead:
    folder = tmp_path_factory.mktemp("months")
    rows = police(incidents(90, span=3))
    write_police(folder / "2025-02", [*rows, *map(antisocial, rows[::3])], nested=True)
    before = read(write_case(folder, None, source={**POLICE_SOURCE, "paths": ["**/*-street.csv"]}))
    assert len(before.counts) > 0  # read now, before the outputs are replaced
    return folder, before


@pytest.fixture(scope="module")
def one_file(tmp_path_factory: pytest.TempPathFactory) -> AsRead:
    folder = tmp_path_factory.mktemp("ids")
    write_rows(folder / "m.csv", incidents(300))
    config = write_case(folder, None, source={"paths": ["*.csv"]}, areas__population=None)
    (folder / "pop.csv").unlink()
    before = read(config)
    assert len(before.counts) > 0
    return folder, before


def _same_counts(one: Attempt, other: Attempt) -> None:
    columns = ["area_code", "period", "category", "incidents"]
    pd.testing.assert_frame_equal(one.counts[columns], other.counts[columns])


@few
@given(
    st.sets(st.sampled_from(MONTHS[:3]), min_size=1, max_size=2),
    st.sampled_from(["2025-03", "2025-02", "a copy of 2025-02"]),
)
def test_a_police_uk_file_again_in_the_same_or_a_newer_archive_never_changes_a_count(
    three_months: AsRead, again: set[str], archive: str
) -> None:
    folder, before = three_months
    made = []
    for month in again:
        source = folder / "2025-02" / month / f"{month}-northshire-street.csv"
        # In the same archive: the file stands once in its month's folder and once beside the folders.
        target = folder / archive / ("" if archive == "2025-02" else month)
        target.mkdir(parents=True, exist_ok=True)
        made.append(Path(shutil.copy(source, target / source.name)))
    try:
        _same_counts(before, read(folder / "my.yaml"))
    finally:  # the next example starts from the files of the first
        for path in made:
            path.unlink()


@few
@given(number=st.integers(1, 300), first=st.booleans())
def test_rows_with_an_id_again_in_another_file_never_change_a_count(
    one_file: AsRead, number: int, *, first: bool
) -> None:
    folder, before = one_file
    again = write_rows(folder / ("a.csv" if first else "z.csv"), incidents(300)[:number])
    try:
        _same_counts(before, read(folder / "my.yaml"))
    finally:
        again.unlink()


LONDON = ZoneInfo("Europe/London")
ZONES = ("UTC", "Europe/London", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
# Instants around the ends of months and both changes of clocks (31 March and 27 October 2024, 01:00 UTC).
EDGES = [
    dt.datetime(2024, 3, 31, 1, tzinfo=dt.UTC),
    dt.datetime(2024, 10, 27, 1, tzinfo=dt.UTC),
    *(dt.datetime.fromisoformat(f"{m}-01T00:00:00+00:00") for m in MONTHS[1:13]),
]
instants = st.builds(
    lambda edge, minutes: edge + dt.timedelta(minutes=minutes), st.sampled_from(EDGES), st.integers(-90, 90)
)


def _months_of(tried: Attempt) -> dict[str, int]:
    return {m: int(tried.cell(REGION, m) or 0) for m in MONTHS[:13]}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("csv"),
        pytest.param("parquet"),
        pytest.param("gpkg"),
        pytest.param("geojson"),
    ],
)
@few
@given(data=st.data())
def test_the_same_instant_in_any_zone_and_format_falls_in_the_same_month(kind: str, data: st.DataObject) -> None:
    drawn = data.draw(st.lists(instants, min_size=20, max_size=40))
    zone = ZoneInfo(data.draw(st.sampled_from(ZONES)))
    base = [{**r, "occurred_on": f"{r['occurred_on'][:7]}-15T12:00:00+00:00"} for r in incidents(130)]
    extra = [{**r, "incident_id": f"X{i}"} for i, (r, _) in enumerate(zip(incidents(len(drawn)), drawn, strict=True))]
    times = [dt.datetime.fromisoformat(r["occurred_on"]) for r in base] + drawn
    rows = [{**r, "occurred_on": t.astimezone(zone).isoformat()} for r, t in zip([*base, *extra], times, strict=True)]
    right = dict.fromkeys(MONTHS[:13], 0)
    for time in times:
        local = time.astimezone(LONDON).strftime("%Y-%m")
        if local in right:
            right[local] += 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = {"paths": [f"incidents.{kind}"]}
        changes = {"periods__last_complete_date": "2025-01-31"}
        if kind == "csv":
            config = write_case(folder, rows, **changes)
        elif kind == "parquet":
            config = write_case(folder, None, source=source, **changes)
            frame = pd.DataFrame(rows)[list(COLUMNS)].astype({"easting": float, "northing": float})
            stamped = pd.to_datetime(frame["occurred_on"], utc=True).dt.tz_convert(str(zone))
            frame.assign(occurred_on=stamped).to_parquet(folder / "incidents.parquet")
        else:
            config = write_case(folder, None, source={**source, "crs": None}, columns={"x": None, "y": None}, **changes)
            stamped = pd.to_datetime(pd.Series([r["occurred_on"] for r in rows]), utc=True)
            if kind == "gpkg":
                points(rows, occurred_on=stamped.tolist()).to_file(folder / "incidents.gpkg", driver="GPKG")
            else:
                points(rows, crs="EPSG:4326").to_file(folder / "incidents.geojson", driver="GeoJSON")
        tried = read(config)
        assert tried.code == 0, tried.crash + tried.text[-400:]
        assert _months_of(tried) == right
