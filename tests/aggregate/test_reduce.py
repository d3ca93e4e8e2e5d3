"""Counts kept beside parts, merged in the database: the same as counting by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.aggregate.reduce import (
    KEPT,
    CountJob,
    IncidentsOfPeriod,
    count_part,
    merge_kept,
    merge_locations,
    merge_victims,
    with_place,
    within_region,
)
from pipeline.ingest.incidents.read import incidents_schema
from pipeline.statistics.aoristic import week_units
from pipeline.storage.files import read_table
from pipeline.tables import LOCATIONS

pytestmark = pytest.mark.slow

PLACES = ((530_000.1, 180_000.2, "W1"), (530_000.1, 180_500.0, "W1"), (531_000.0, 180_000.0, "W2"))


def part(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write a part of incidents; what a row does not say is empty."""
    schema = incidents_schema()
    fixed = {"date_precision": "day", "online": False, "snapped": False, "place": "point", "organisation": "police"}
    fixed["place_precision"] = "point"
    columns = {f.name: [({**fixed, **row}).get(f.name) for row in rows] for f in schema}
    pq.write_table(pa.table(columns, schema=schema), path)
    return path


def row(n: int, *, place: int, month: int, categories: str, victim: str | None, outcome: str) -> dict[str, Any]:
    x, y, ward = PLACES[place]
    return {
        "incident_id": f"I{n}",
        "occurred_on": f"2024-{month:02d}-03",
        "month": 202400 + month,
        "categories": categories,
        "outcome_class": outcome,
        "victim_hash": victim,
        "source": "s/a.csv",
        "source_row": n,
        "easting_m": x,
        "northing_m": y,
        "ward_code": ward,
        "borough_code": "B",
    }


def rows() -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    return [
        row(
            n,
            place=int(rng.integers(3)),
            month=int(rng.integers(1, 4)),
            categories=("", "race", "race;religion")[int(rng.integers(3))],
            victim=(None, "v1", "v2", "v3")[int(rng.integers(4))],
            outcome=("positive", "other", "pending")[int(rng.integers(3))],
        )
        for n in range(1, 121)
    ]


def kept(tmp_path: Path, split: list[list[dict[str, Any]]]) -> list[Path]:
    parts = [part(tmp_path / f"p{i}.parquet", some) for i, some in enumerate(split)]
    folders = [tmp_path / f"counts{i}" for i in range(len(parts))]
    for made, folder in zip(parts, folders, strict=True):
        count_part(CountJob(label=made.stem, part=made, into=folder, region_code="R"))
        assert sorted(p.stem for p in folder.iterdir()) == sorted(KEPT)
    return folders


def test_merging_kept_counts_is_counting_by_hand(tmp_path: Path) -> None:
    every = rows()
    folders = kept(tmp_path, [every[::2], [], every[1::2]])
    written, places = merge_locations(folders, out=tmp_path / "l.parquet", months=(202401, 202403))
    found = read_table(tmp_path / "l.parquet", LOCATIONS)
    assert written == len(found)
    by_hand: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for r in every:
        by_hand.setdefault((r["easting_m"], r["northing_m"], r["month"], r["categories"]), []).append(r)
    assert found[["easting_m", "northing_m", "month", "categories"]].to_records(index=False).tolist() == sorted(by_hand)
    for at, expected in zip(found.to_dict("records"), (by_hand[k] for k in sorted(by_hand)), strict=True):
        assert at["incidents"] == len(expected)
        assert at["positive_outcomes"] == sum(r["outcome_class"] == "positive" for r in expected)
        assert at["known_outcomes"] == sum(r["outcome_class"] != "pending" for r in expected)
        victims = {r["victim_hash"] for r in expected} - {None}
        assert (at["distinct_victims"] if victims else 0) == len(victims)
    assert places["incidents"].sum() == 120


def test_locations_are_those_of_the_accepted_precisions_alone(tmp_path: Path) -> None:
    precise = ("point", "postcode", "postcode", "square_1km")
    made = part(
        tmp_path / "p.parquet",
        [
            {**row(n, place=0, month=1, categories="", victim=f"v{n}", outcome="other"), "place_precision": precision}
            for n, precision in enumerate(precise, start=1)
        ],
    )
    for accepted, incidents in ((("point",), 1), (("point", "postcode"), 3)):
        folder = tmp_path / "-".join(accepted)
        count_part(CountJob(label="s", part=made, into=folder, region_code="R", precision=accepted))
        merge_locations([folder], out=tmp_path / "l.parquet", months=(202401, 202412))
        found = read_table(tmp_path / "l.parquet", LOCATIONS)
        assert (found["incidents"].sum(), found["distinct_victims"].sum()) == (incidents, incidents)
        # Wards and the region count every row, whatever its precision.
        months = merge_kept([folder], name="area_months")
        assert months.loc[months["level"] == "ward", "incidents"].sum() == len(precise)


def test_one_part_or_many_give_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for name, split in (("one", [rows()]), ("three", [rows()[80:], rows()[:30], rows()[30:80]])):
        (tmp_path / name).mkdir()
        folders = kept(tmp_path / name, split)
        out = tmp_path / name / "l.parquet"
        merge_locations(folders, out=out, months=(202401, 202403))
        merge_victims(folders, out=tmp_path / name / "v.parquet")
        tables = [merge_kept(folders, name=n).to_csv(index=False) for n in ("area_months", "facets")]
        made.append([out.read_bytes(), (tmp_path / name / "v.parquet").read_bytes(), *tables])
    assert made[0] == made[1]


def test_months_outside_the_span_are_left_out_but_counted_as_places(tmp_path: Path) -> None:
    folders = kept(tmp_path, [rows()])
    written, places = merge_locations(folders, out=tmp_path / "l.parquet", months=(202402, 202402))
    assert set(read_table(tmp_path / "l.parquet", LOCATIONS)["month"]) == {202402}
    assert written < len(places)
    assert places["incidents"].sum() == 120
    assert not [p for p in tmp_path.rglob("*") if "spill" in p.name]


def test_no_point_at_all_is_an_empty_table(tmp_path: Path) -> None:
    folders = kept(tmp_path, [[]])
    assert merge_locations(folders, out=tmp_path / "l.parquet", months=(202401, 202412))[0] == 0
    assert len(read_table(tmp_path / "l.parquet", LOCATIONS)) == 0


def test_incidents_of_a_period_are_counted_as_by_hand(tmp_path: Path) -> None:
    def one(n: int, **changes: Any) -> dict[str, Any]:
        return row(n, place=0, month=1, categories="race", victim=None, outcome="other") | changes

    files = [
        part(
            tmp_path / "a.parquet",
            [
                one(1),  # Wednesday 3 January 2024
                one(2, hour_band=4),
                one(3, date_precision="month"),
                one(4, place="borough", easting_m=None, northing_m=None),
                one(5, categories="asb"),
                one(6, month=202403),
            ],
        ),
        part(
            tmp_path / "b.parquet",
            [
                one(7),
                one(8, month=202402),
                row(9, place=2, month=1, categories="", victim=None, outcome=""),
            ],
        ),
    ]
    condition = with_place(placeholders=[(531_000.0, 180_000.0, 5.0)], precision=["point"])

    def of(where: str) -> IncidentsOfPeriod:
        return IncidentsOfPeriod(
            parts=[(file, where) for file in files],
            months=(202401, 202402),
            lacking={202402},
            outside={"asb"},
            spill=tmp_path / "spill",
            memory_limit_mb=500,
        )

    placed = of(condition)
    by_day = placed.counted(["weekday", "hour_band"]).sort_values(["weekday", "hour_band"]).fillna(-1)
    assert by_day.to_numpy(dtype=int).tolist() == [[3, 4, 1], [3, -1, 2], [-1, -1, 1]]
    members = pd.DataFrame({"hotspot_id": ["H2", "H1"], "easting_m": 530_000.1, "northing_m": [180_000.2, 180_500.0]})
    inside = placed.counted(["categories"], members=members)
    assert inside.to_dict("records") == [{"categories": "race", "incidents": 4, "hotspot_id": "H2"}]
    # Those without a place are in the region, and so is the placeholder; rows come in the order of the parts.
    region = of(within_region(unplaced_inside=True)).rows(["incident_id"])
    assert region["incident_id"].tolist() == ["I1", "I2", "I3", "I4", "I7", "I9"]


def test_starts_of_intervals_are_moved_by_whole_weeks(tmp_path: Path) -> None:
    starts = [-60, 7 * 1440 - 60, 2000 * 7 * 1440 - 60]
    rows_of = [
        row(n, place=0, month=1, categories="", victim=None, outcome="")
        | {"interval_start": start, "interval_minutes": 30}
        for n, start in enumerate(starts)
    ]
    found = IncidentsOfPeriod(
        parts=[(part(tmp_path / "a.parquet", rows_of), "TRUE")],
        months=(202401, 202401),
        lacking=(),
        outside=(),
        spill=tmp_path / "spill",
        memory_limit_mb=500,
    ).counted(["interval_start", "interval_minutes"])
    assert found.to_dict("records") == [{"interval_start": 7 * 1440 - 60, "interval_minutes": 30, "incidents": 3}]
    assert (week_units(starts, [30] * 3) == week_units([7 * 1440 - 60], [30])).all()
