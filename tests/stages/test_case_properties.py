"""Properties that hold for any extract: no data is never zero, a file again changes nothing, an instant is an instant.

Each example is a run as far as its counts, so few are drawn; hypothesis keeps what failed.
"""

import datetime as dt
import functools
import shutil
import tempfile
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.kit.cases import (
    COLUMNS,
    POLICE_SOURCE,
    REGION,
    Attempt,
    antisocial,
    counted,
    incidents,
    months,
    points,
    police,
    released,
    write_case,
    write_police,
    write_rows,
)

pytestmark = pytest.mark.slow  # each test runs the pipeline several times

MONTHS = months("2024-01", 25)
few = settings(
    max_examples=4,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # a failing example is not made smaller: that takes hundreds of runs
    suppress_health_check=list(HealthCheck),
)


def street(folder: Path, *, number: int, without: set[str]) -> Attempt:
    rows = [r for r in police(incidents(number, span=25)) if r["Month"] not in without]
    write_police(folder / "street", rows)
    return released(write_case(folder, None, source={**POLICE_SOURCE, "paths": ["**/*-street.csv"]}))


@functools.cache
def of_every_month(number: int) -> pd.DataFrame:
    """Return the released counts of so many incidents with every month's file there."""
    with tempfile.TemporaryDirectory() as folder:
        return street(Path(folder), number=number, without=set()).counts


@few
@given(
    st.sets(st.sampled_from(MONTHS[1:-1]), min_size=1, max_size=3),
    st.sampled_from([50, 250, 775]),
)
def test_removing_a_months_file_never_makes_a_zero_and_leaves_no_window_over_it_complete(
    without: set[str], number: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        part = street(Path(folder), number=number, without=without).counts
        key = ["area_code", "period", "category"]
        both = of_every_month(number).merge(part, on=key, suffixes=("", "_part"))
        assert not ((both["incidents"] > 0) & (both["incidents_part"] == 0)).any()
        for month in without:
            over = part[(part["period_start"].str[:7] <= month) & (part["period_end"].str[:7] >= month)]
            assert not over["complete"].any()
            assert over.loc[over["period"] == month, "incidents"].isna().all()


def _same_counts(one: Attempt, other: Attempt) -> None:
    columns = ["area_code", "period", "category", "incidents"]
    pd.testing.assert_frame_equal(one.counts[columns], other.counts[columns])


@few
@given(
    st.sets(st.sampled_from(MONTHS[:13]), min_size=1, max_size=3),
    st.sampled_from(["2025-03", "2025-02", "a copy of 2025-02"]),
)
def test_a_police_uk_file_again_in_the_same_or_a_newer_archive_never_changes_a_count(
    again: set[str], archive: str
) -> None:
    rows = police(incidents(390))
    rows += [antisocial(r) for r in rows[::3]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_police(folder / "2025-02", rows, nested=True)
        config = write_case(folder, None, source={**POLICE_SOURCE, "paths": ["**/*-street.csv"]})
        before = counted(config)
        before.counts  # noqa: B018 - read before the outputs are replaced
        for month in again:
            source = folder / "2025-02" / month / f"{month}-northshire-street.csv"
            # In the same archive: the file stands once in its month's folder and once beside the folders.
            target = folder / archive / ("" if archive == "2025-02" else month)
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / source.name)
        _same_counts(before, counted(config))


@few
@given(number=st.integers(1, 300), first=st.booleans())
def test_rows_with_an_id_again_in_another_file_never_change_a_count(number: int, *, first: bool) -> None:
    rows = incidents(300)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder / "m.csv", rows)
        config = write_case(folder, None, source={"paths": ["*.csv"]}, areas__population=None)
        (folder / "pop.csv").unlink()
        before = counted(config)
        before.counts  # noqa: B018 - read before the outputs are replaced
        write_rows(folder / ("a.csv" if first else "z.csv"), rows[:number])
        _same_counts(before, counted(config))


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
        tried = counted(config)
        assert tried.code == 0, tried.crash + tried.text[-400:]
        assert _months_of(tried) == right
