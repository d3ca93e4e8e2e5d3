"""What the data covers: months, levels, how much lies inside. Expected values follow from how each source is made."""

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aggregate.coverage import (
    Extent,
    SourceMonths,
    SpanReport,
    incident_sources,
    levels_of_counts,
    levels_of_places,
    named_by_files,
    published_sources,
    settle_span,
    unplaced_inside,
    with_levels,
)
from pipeline.config import IncidentSource, Periods, PublishedSource, parse_config
from pipeline.domain.periods import month_of, month_range
from pipeline.errors import InputError
from pipeline.tables import Level, Place

YEARS = month_range(202401, 202512)


def daily(first: str, last: str, *, step: int = 1, without: Iterable[int] = (), **more: object) -> SourceMonths:
    """One row every `step` days."""
    start, stop = date.fromisoformat(first), date.fromisoformat(last)
    every = [start + timedelta(days=n) for n in range(0, (stop - start).days + 1, step)]
    kept = [d for d in every if month_of(d) not in set(without)]
    months: dict[int, int] = {}
    for day in kept:
        months[month_of(day)] = months.get(month_of(day), 0) + 1
    return SourceMonths(**{"name": "police", "key": "incidents[0]", "days": {d.isoformat(): 1 for d in kept},
                           "months": months, **more})  # fmt: skip


def monthly(counts: dict[int, int], **more: object) -> SourceMonths:
    """Rows known to their month only."""
    return SourceMonths(**{"name": "police", "key": "incidents[0]", "months": counts, **more})


def settled(*sources: SourceMonths, **periods: object) -> SpanReport:
    months = [m for s in sources for m, n in s.months.items() if n]
    days = [d for s in sources for d in s.days]
    first = min([*days, *(f"{m // 100}-{m % 100:02d}-01" for m in months)])
    last = max([*days, *(f"{m // 100}-{m % 100:02d}-01" for m in months)])
    return settle_span(sources, periods=Periods.model_validate(periods), first_date=first, last_date=last)


def lacking(report: SpanReport) -> dict[str, tuple[int, ...]]:
    return dict(report.span.lacking.missing)


# Missing and quiet months.


@pytest.mark.parametrize("median", [1, 3, 6, 7, 30])
def test_a_month_without_rows_is_missing_where_chance_would_rarely_leave_it_empty(median: int) -> None:
    counts = {m: median for m in YEARS if m != 202406}
    report = settled(monthly(counts))
    rare = math.exp(-median) < 0.001
    assert (202406 in report.span.lacking.months) == rare
    assert ("quiet_months police" in report.choices) == (not rare)
    assert any("June 2024" in caution for caution in report.cautions) == rare


def test_a_month_that_no_file_names_is_missing_however_small_the_source() -> None:
    counts = {m: 1 for m in YEARS if m not in (202406, 202407)}
    report = settled(monthly(counts, named=frozenset(YEARS) - {202406}))
    assert lacking(report) == {"police": (202406,)}
    assert report.quality[0]["quiet_months"] == ["2024-07"]


def test_settings_overrule_what_rows_show() -> None:
    counts = {m: 30 for m in YEARS if m != 202406}
    assert lacking(settled(monthly(counts, empty=frozenset({202406})))) == {}
    few = {m: 2 for m in YEARS if m != 202406}
    assert lacking(settled(monthly(few, missing=frozenset({202406, 202409})))) == {"police": (202406, 202409)}


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ([([202401], {202401: 9}), ([202402], {202402: 9})], {202401, 202402}),
        ([([202401], {202401: 95, 202312: 5})], {202401}),
        ([([202401], {202401: 5, 202312: 5})], None),  # an extract made in January 2024
        ([([202401], {202401: 9}), ([], {202402: 9})], None),  # a file that names no month
        ([(list(month_range(202401, 202403)), {202401: 3, 202403: 4})], {202401, 202402, 202403}),
    ],
)
def test_names_of_files_count_where_the_rows_agree_with_them(files: list, named: set[int] | None) -> None:
    assert named_by_files(files) == (None if named is None else frozenset(named))


# The first and the last month.


@pytest.mark.parametrize(
    ("step", "last", "complete_to"),
    [
        (1, "2025-12-31", "2025-12-31"),
        (1, "2025-12-30", "2025-12-31"),  # one day short, as gaps are one day
        (1, "2025-12-29", "2025-11-30"),
        (1, "2025-12-09", "2025-11-30"),
        (7, "2025-12-27", "2025-12-31"),  # weekly: up to a week short is usual
        (7, "2025-12-20", "2025-11-30"),
        (40, "2025-12-05", "2025-12-31"),  # rows are rare: nothing can be told from the last
    ],
)
def test_the_last_month_counts_if_its_rows_reach_its_end(step: int, last: str, complete_to: str) -> None:
    # Counted back from the last row, so that the last row lies exactly there.
    stop = date.fromisoformat(last)
    first = stop - timedelta(days=step * ((stop - date(2024, 1, 1)).days // step))
    report = settled(daily(first.isoformat(), last, step=step), first_month="2024-01")
    assert report.span.last.isoformat() == complete_to
    assert any("December 2025 is incomplete" in c for c in report.cautions) == (complete_to == "2025-11-30")


def test_the_first_month_counts_if_its_rows_reach_its_start() -> None:
    assert settled(daily("2024-02-15", "2025-12-31")).span.first == date(2024, 3, 1)
    assert settled(daily("2024-02-02", "2025-12-31")).span.first == date(2024, 2, 1)
    assert settled(daily("2024-02-15", "2025-12-31"), first_month="2024-02").span.first == date(2024, 2, 1)


def test_last_complete_date_wins() -> None:
    report = settled(daily("2024-01-01", "2025-12-09"), last_complete_date="2025-12-31")
    assert (report.span.last, report.cautions) == (date(2025, 12, 31), ())


def test_with_months_alone_the_file_decides() -> None:
    assert settled(monthly({202405: 300})).span.plain()["last"] == "2024-05-31"


def test_a_gap_over_a_missing_month_does_not_make_the_usual_gap_longer() -> None:
    report = settled(daily("2025-01-01", "2025-06-09", without=[202503]))
    assert (report.span.last, lacking(report)) == (date(2025, 5, 31), {"police": (202503,)})


def test_where_no_month_is_whole_everything_is_counted_and_incomplete() -> None:
    report = settled(daily("2024-01-03", "2024-02-03"))
    assert (report.span.first, report.span.last) == (date(2024, 1, 1), date(2024, 2, 29))
    assert report.span.lacking.months == {202401, 202402}
    assert lacking(report) == {}


# Several sources.


def test_what_one_source_lacks_the_sum_lacks() -> None:
    whole = dict.fromkeys(YEARS, 30)
    other = monthly({m: 30 for m in YEARS if m != 202406}, name="transport", key="incidents[1]")
    report = settled(monthly(whole), other)
    assert lacking(report) == {"transport": (202406,)}
    assert report.span.lacking.uneven == {202406}
    assert "incidents[1].empty_months" in report.cautions[0]


def test_a_source_that_begins_later_lacks_the_months_before() -> None:
    late = monthly(dict.fromkeys(month_range(202501, 202512), 30), name="transport", key="incidents[1]")
    report = settled(monthly(dict.fromkeys(YEARS, 30)), late)
    assert lacking(report) == {"transport": month_range(202401, 202412)}
    assert "January 2024 to December 2024 are missing" in report.cautions[0]


def test_sources_that_follow_each_other_do_not_wait_for_each_other() -> None:
    old = monthly(dict.fromkeys(month_range(202401, 202412), 30), name="old")
    new = monthly(dict.fromkeys(month_range(202501, 202512), 30), name="new", key="incidents[1]")
    assert lacking(settled(old, new)) == {}


@pytest.mark.parametrize(("behind", "last"), [(1, 202511), (3, 202509), (4, 202512)])
def test_the_span_waits_for_a_late_source_but_not_for_one_that_has_ended(behind: int, last: int) -> None:
    late = monthly(dict.fromkeys(YEARS[: 24 - behind], 30), name="transport", key="incidents[1]")
    report = settled(monthly(dict.fromkeys(YEARS, 30)), late)
    assert month_of(report.span.last) == last
    assert lacking(report) == ({"transport": YEARS[20:]} if behind > 3 else {})


# Gathering, and rules for any data.


def test_files_days_and_months_are_gathered_by_the_name_of_their_source() -> None:
    sources = [IncidentSource.model_validate({"name": n, "paths": ["x"]}) for n in ("a", "b", "a")]
    parts = [{"label": f"{n}/{i}", "name": n, "named_months": [m]} for i, (n, m) in
             enumerate([("a", 202401), ("b", 202401), ("a", 202402)])]  # fmt: skip
    days = pd.DataFrame({"source": ["a/0", "a/2", "b/1"], "day": ["2024-01-02", "2024-02-03", "2024-01-05"],
                         "incidents": [2, 3, 4]})  # fmt: skip
    places = pd.DataFrame({"source": ["a/0", "a/0", "a/2", "b/1"], "month": [202401, 202401, 202402, 202401],
                           "incidents": [1, 1, 3, 4]})  # fmt: skip
    one, other = incident_sources(sources, parts=parts, days=days, places=places)
    assert (one.name, one.key, one.months, one.days) == (
        "a", "incidents[0] or incidents[2]", {202401: 2, 202402: 3}, {"2024-01-02": 2, "2024-02-03": 3},
    )  # fmt: skip
    assert (one.named, other.months) == (frozenset({202401, 202402}), {202401: 4})


@pytest.mark.parametrize(("absent", "value", "missing"), [("unknown", 1, True), ("zero", 1, False), ("zero", 30, True)])
def test_a_month_without_published_rows(absent: str, value: int, missing: bool) -> None:  # noqa: FBT001 - a parameter
    source = PublishedSource.model_validate({"name": "mps", "paths": ["x"], "absent": absent})
    months = [m for m in YEARS if m != 202406]
    table = pd.DataFrame({"source": "mps", "month": months, "level": "borough", "category": "a",
                          "measure": "incidents", "value": value})  # fmt: skip
    assert (lacking(settled(*published_sources([source], table))) == {"mps": (202406,)}) == missing


def test_less_than_a_month_is_refused_where_the_settings_leave_no_more() -> None:
    with pytest.raises(InputError, match="less than a month"):
        settled(daily("2024-01-01", "2024-12-31"), first_month="2024-12", last_complete_date="2024-12-20")
    with pytest.raises(InputError, match="no row is left to count"):
        settle_span([], periods=Periods.model_validate({}), first_date="", last_date="")


@given(
    st.sets(st.sampled_from(YEARS[1:-1]), min_size=1, max_size=5),
    st.lists(st.integers(8, 60), min_size=24, max_size=24),
)
@pytest.mark.slow
def test_taking_a_months_file_away_leaves_no_window_over_it_whole(gone: set[int], counts: list[int]) -> None:
    rows = {m: n for m, n in zip(YEARS, counts, strict=True) if m not in gone}
    report = settled(monthly(rows, named=frozenset(rows)))
    assert gone <= report.span.lacking.months
    assert report.span.first == date(2024, 1, 1)
    assert report.span.last == date(2025, 12, 31)


@given(st.permutations(range(4)), st.lists(st.integers(0, 40), min_size=24, max_size=24))
@pytest.mark.slow
def test_how_rows_are_parted_into_files_does_not_matter(order: list[int], counts: list[int]) -> None:
    source = [IncidentSource.model_validate({"name": "a", "paths": ["x"]})]
    rows = [(m, n) for m, n in zip(YEARS, counts, strict=True) if n]
    if not rows:
        return
    first, last = (f"{m // 100}-{m % 100:02d}-01" for m in (rows[0][0], rows[-1][0]))
    found = []
    for files in (1, 4):
        parts = [{"label": f"a/{i}", "name": "a", "named_months": []} for i in range(files)]
        dealt = list(zip(itertools.cycle([f"a/{i % files}" for i in order]), rows, strict=False))
        places = pd.DataFrame([(label, m, n) for label, (m, n) in dealt], columns=["source", "month", "incidents"])
        days = pd.DataFrame([(label, f"{m // 100}-{m % 100:02d}-07", n) for label, (m, n) in dealt],
                            columns=["source", "day", "incidents"])  # fmt: skip
        sources = incident_sources(source, parts=parts, days=days, places=places)
        found.append(settle_span(sources, periods=Periods.model_validate({}), first_date=first, last_date=last))
    assert found[0] == found[1]


# Levels at which nothing can be placed have no data; rows without any place count only where something says inside.


LABELS = {"region": ("region", "regions"), "borough": ("borough", "boroughs"), "ward": ("ward", "wards")}
NAMES = {"B0": "Northby", "B1": "Southby"}


def places(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Rows of source, borough, place, incidents, and whether they happened online."""
    full = [(*row, False)[:5] for row in rows]
    return pd.DataFrame(full, columns=["source", "borough_code", "place", "incidents", "online"])


def sources(**inside: bool | None) -> Sequence[Any]:
    config = parse_config(
        {
            "areas": {"wards": {"path": "wards.gpkg"}},
            "incidents": [
                {"name": name, "paths": ["*.csv"], **({} if value is None else {"all_inside": value})}
                for name, value in inside.items()
            ],
        }
    )
    return config.incidents


@pytest.mark.parametrize(
    ("rows", "gone"),
    [
        pytest.param([("police/a.csv", "", "none", 260)], {"ward", "borough"}, id="nothing named"),
        pytest.param([("police/a.csv", "B0", "borough", 260)], {"ward"}, id="boroughs named"),
        pytest.param([("police/a.csv", "B0", "area", 260)], set(), id="wards named"),
        pytest.param([("police/a.csv", "B0", "point", 1), ("police/a.csv", "B0", "borough", 60)], set(), id="2 %"),
        pytest.param(
            [("police/a.csv", "B0", "point", 3), ("police/a.csv", "B0", "borough", 5000)], {"ward"}, id="3 of"
        ),
        pytest.param(
            [("police/a.csv", "B0", "borough", 90, True), ("police/a.csv", "B0", "point", 1)], set(), id="online"
        ),
        pytest.param([("police/a.csv", "B0", "borough", 90, True)], {"ward"}, id="online alone"),
        pytest.param([("police/a.csv", "", "outside", 90), ("police/a.csv", "B0", "point", 1)], set(), id="outside"),
    ],
)
def test_a_level_without_a_placed_row_has_no_data(rows: list[tuple[Any, ...]], gone: set[str]) -> None:
    found = levels_of_places(places(*rows), names=NAMES, labels=LABELS)
    assert set(found.no_data) == gone
    assert len(found.notes) == len(gone)
    assert all("police" in reason for reason in found.no_data.values())


def test_a_source_that_names_no_ward_beside_one_that_does_is_named() -> None:
    found = levels_of_places(
        places(("police/a.csv", "B0", "point", 5000), ("helpline/b.csv", "B0", "borough", 50)),
        names=NAMES,
        labels=LABELS,
    )
    assert found.no_data == {}
    [caution] = found.cautions
    assert "include nothing of helpline (50 of 5,050 incidents)" in caution
    assert found.quality["wards"]["by_source"]["helpline"] == {"incidents": 50, "placed": 0}


@pytest.mark.parametrize(("number", "without"), [(72, ["B1"]), (10, ["B1"]), (9, [])])
def test_wards_of_a_borough_whose_rows_name_it_alone_have_no_data(number: int, without: list[str]) -> None:
    found = levels_of_places(
        places(("police/a.csv", "B0", "point", 188), ("police/a.csv", "B1", "borough", number)),
        names=NAMES,
        labels=LABELS,
    )
    assert found.no_data == {}
    assert sorted(found.wards_without) == without


def test_a_borough_without_a_ward_by_chance_keeps_its_zeros() -> None:
    # Four of ten rows have a ward: none of ten has one by chance in 6 of 1,000 boroughs.
    found = levels_of_places(
        places(
            ("police/a.csv", "B0", "point", 400),
            ("police/a.csv", "B0", "borough", 600),
            ("police/a.csv", "B1", "borough", 10),
        ),
        names=NAMES,
        labels=LABELS,
    )
    assert found.wards_without == {}


def test_areas_of_a_level_without_data_are_not_covered() -> None:
    areas = pd.DataFrame(
        {
            "area_code": ["R", "B0", "B1", "W0", "W1"],
            "level": ["region", "borough", "borough", "ward", "ward"],
            "parent_code": [None, "R", "R", "B0", "B1"],
            "covered": [True, True, False, True, False],
        }
    )
    only = levels_of_places(places(("police/a.csv", "B0", "borough", 260)), names=NAMES, labels=LABELS)
    assert with_levels(areas, only)["covered"].tolist() == [True, True, False, False, False]
    counts = levels_of_counts(pd.DataFrame({"level": ["ward"]}), summed={}, source="mps", labels=LABELS)
    assert with_levels(areas, counts)["covered"].tolist() == [True, False, False, True, False]


@pytest.mark.parametrize(
    ("found", "setting", "right"),
    [
        pytest.param({"none": 260}, None, True, id="no place at all"),
        pytest.param({"none": 10, "point": 100}, None, True, id="all others inside"),
        pytest.param({"none": 10, "point": 98, "outside": 2}, None, True, id="2 % outside"),
        pytest.param({"none": 10, "point": 97, "outside": 3}, None, False, id="3 % outside"),
        pytest.param({"none": 10, "point": 97, "not_covered": 3}, None, False, id="in areas not covered"),
        pytest.param({"none": 10, "borough": 97, "outside": 1}, None, True, id="boroughs named"),
        pytest.param({"none": 10, "point": 27, "outside": 73}, True, True, id="the setting says inside"),
        pytest.param({"none": 10, "point": 100}, False, False, id="the setting says nothing is known"),
    ],
)
def test_rows_without_a_place_count_only_where_something_says_inside(
    found: dict[str, int],
    setting: bool | None,  # noqa: FBT001
    right: bool,  # noqa: FBT001
) -> None:
    assert unplaced_inside([("police/a.csv", found)], sources(police=setting)) == {"police": right}


@given(st.lists(st.dictionaries(st.sampled_from(list(Place)), st.integers(0, 50)), min_size=1, max_size=6))
@pytest.mark.slow
def test_how_a_source_is_split_into_files_changes_nothing(parts: list[dict[str, int]]) -> None:
    whole: dict[str, int] = {}
    for part in parts:
        for place, number in part.items():
            whole[place] = whole.get(place, 0) + number
    split = unplaced_inside([(f"police/{n}.csv", part) for n, part in enumerate(parts)], sources(police=None))
    assert split == unplaced_inside([("police/all.csv", whole)], sources(police=None))


def test_levels_are_the_words_of_the_tables() -> None:
    found = levels_of_places(places(("police/a.csv", "", "none", 1)), names=NAMES, labels=LABELS)
    assert set(found.no_data) == {Level.WARD, Level.BOROUGH}


# How much of the data lies inside the areas, and from when on it is said.


@pytest.mark.parametrize(
    ("incidents", "outside", "noted"),
    [
        pytest.param(0, 0, False, id="no incidents"),
        pytest.param(1000, 20, False, id="two per cent"),
        pytest.param(1000, 21, True, id="more than two"),
        pytest.param(100, 73, True, id="most"),
        pytest.param(10, 10, True, id="all"),
    ],
)
def test_more_than_two_per_cent_outside_is_said(incidents: int, outside: int, *, noted: bool) -> None:
    extent = Extent(incidents, outside)
    assert extent.noted is noted
    assert (extent.caution() != "") is noted
    assert (extent.note(exact=False) != "") is noted


@given(st.integers(1, 10**7), st.integers(0, 10**7))
def test_only_the_owner_of_the_data_reads_numbers(incidents: int, outside: int) -> None:
    extent = Extent(incidents, min(outside, incidents))
    assert not re.search(r"\d", extent.note(exact=False))
    if extent.noted:
        inside = f"{incidents - extent.outside:,} of {incidents:,}"
        assert inside in extent.note(exact=True)
        assert inside in extent.caution()


def test_rows_that_no_total_holds_are_not_said_to_lie_inside() -> None:
    # Of 200, 60 lie outside, 5 in an area that is not covered, and of 15 nothing says where they were.
    quality = {
        "accounting": {"incidents": 200, "incidents_outside_areas": 60, "incidents_not_covered": 5},
        "without_a_place": {"in_no_total": 15},
    }
    assert "120 of 200 incidents in the data (60 %) lie inside" in Extent.of_quality(quality).note(exact=True)
    assert Extent.of_quality({"accounting": {"rows_read": 9}}) == Extent()
