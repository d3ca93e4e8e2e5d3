"""Incidents by hour of the week, worked out by hand."""

import numpy as np
import pandas as pd

from pipeline.detect.hours import busiest_by_chance, category_tables, hour_tables, week_hours
from pipeline.statistics.aoristic import UNITS

MONDAY = 4 * 1440  # 5 January 1970
FRIDAY_22 = 4 * 24 + 22


def incidents(rows: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["weekday", "hour_band", "interval_start", "interval_minutes"])
    return frame.astype("Int64").assign(incidents=1)


def test_places_share_incidents_by_hand() -> None:
    rows = incidents(
        [
            (5, 22, None, None),
            (5, None, None, None),  # no time
            (None, 22, None, None),  # no day
            (1, 23, MONDAY + 23 * 60, 120),  # Monday 23:00 to Tuesday 01:00
            (7, 23, MONDAY - 30, 60),  # Sunday 23:30 to Monday 00:30
        ]
    )
    # The first place has all of them, the second the first and the last, the third none.
    place, row = [0, 0, 0, 0, 0, 1, 1], [0, 1, 2, 3, 4, 0, 4]
    units = week_hours(rows, place=place, row=row, places=3)
    assert units.shape == (3, 168)
    assert units.sum(axis=1).tolist() == [3 * UNITS, 2 * UNITS, 0]
    assert {int(h): int(units[0, h]) for h in np.flatnonzero(units[0])} == {
        0: 720, 23: 720, 24: 720, FRIDAY_22: 1440, 167: 720,
    }  # fmt: skip
    assert {int(h): int(units[1, h]) for h in np.flatnonzero(units[1])} == {0: 720, FRIDAY_22: 1440, 167: 720}


def test_the_busiest_four_hours_and_what_stands_out() -> None:
    # A region with 2 incidents in each hour but for one place that has 100 on Friday night, across midnight.
    place = np.ones(168, dtype=np.int64) * UNITS
    place[[FRIDAY_22, FRIDAY_22 + 1, FRIDAY_22 + 2, FRIDAY_22 + 3]] += 25 * UNITS
    region = place + 5 * UNITS
    few = np.zeros(168, dtype=np.int64)
    few[7] = 99 * UNITS
    hours, peaks = hour_tables(
        "ward",
        ["a", "b"],
        np.array([place, few]),
        incidents=np.array([300, 99]),
        region=region + few,
        min_incidents=100,
        seed=1,
    )
    one, other = peaks.to_dict("records")
    assert (one["timed"], one["weekday"], one["hour"], one["peak"]) == (268, 5, 22, 104)
    assert one["chance"] < one["chance_high"] < 104
    assert pd.isna(other["peak"])
    assert (other["incidents"], other["timed"]) == (99, 99)
    assert set(hours["code"]) == {"a"}
    marked = hours[hours["word"] == "higher"]
    # Bands of three hours: Friday 21 to 24 and Saturday 0 to 3.
    assert marked[["weekday", "hour"]].to_numpy().tolist() == [[5, 21], [5, 22], [5, 23], [6, 0], [6, 1], [6, 2]]
    alone = hour_tables(
        "region", ["r"], region[None, :], incidents=np.array([1108]), region=None, min_incidents=100, seed=1
    )
    assert (alone[0]["word"] != "higher").all()


def test_categories_are_set_against_all_other_incidents() -> None:
    # Theft: 120 on Friday at 22:00; fraud: 168 evenly, of which those of Monday are theft too; arson: 3.
    even = [(hour // 24 + 1, hour % 24, "fraud;theft" if hour < 24 else "fraud") for hour in range(168)]
    rows = [*even, *[(5, 22, "theft")] * 120, *[(2, 3, "arson")] * 3, (2, 4, "")]
    frame = pd.DataFrame(rows, columns=["weekday", "hour_band", "categories"])
    frame = frame.assign(interval_start=pd.NA, interval_minutes=pd.NA, incidents=1)
    region = week_hours(frame, place=np.zeros(len(frame), dtype=int), row=np.arange(len(frame)), places=1)[0]
    hours, peaks = category_tables(frame, "R", region=region, min_incidents=100, seed=1)
    assert peaks[["category", "incidents", "timed"]].to_numpy().tolist() == [
        ["arson", 3, 3], ["fraud", 168, 168], ["theft", 144, 144],
    ]  # fmt: skip
    assert set(peaks["level"]) == {"region"}
    assert set(peaks["code"]) == set(hours["code"]) == {"R"}
    found = peaks.set_index("category")
    # 120 and one each in the other three hours; the even ones have four in any four hours.
    assert (found.loc["theft", "weekday"], found.loc["theft", "peak"]) == (5, 120)
    assert found.loc["fraud", "peak"] == 4
    assert found.loc["fraud", "peak"] <= found.loc["fraud", "chance_high"]
    marked = hours[hours["word"] == "higher"]
    assert set(hours["category"]) == {"fraud", "theft"}
    theft = marked[marked["category"] == "theft"]
    # Mondays have no others: 3 of 144 where 3 of 292 are expected come by chance in one case of eight.
    assert theft[["weekday", "hour"]].to_numpy().tolist() == [[5, 21], [5, 22], [5, 23]]
    nothing = category_tables(frame.assign(categories=None), "R", region=region, min_incidents=100, seed=1)
    assert [len(table) for table in nothing] == [0, 0]


def test_an_even_week_passes_the_value_of_chance_in_one_case_of_twenty() -> None:
    rng = np.random.default_rng(11)
    _, high = busiest_by_chance(500, seed=3)
    weeks = rng.multinomial(500, np.full(168, 1 / 168), size=2000)
    runs = sum(np.roll(weeks, -k, axis=1) for k in range(4))
    assert 0.005 < (runs.max(axis=1) > high).mean() < 0.085  # counts are whole, so it may be well under 5 %
