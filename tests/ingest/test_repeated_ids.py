"""Which rows count: what becomes of rows with one id, of files that overlap, and of dates far from all others."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline import ingest as readers
from pipeline.domain.periods import add_months
from pipeline.errors import ConfigError, InputError, QualityError
from pipeline.ingest.incidents.repeated_ids import main_body
from tests.kit.readers import Read, read, settings, write

HEAD = "id,date,easting,northing,strand\n"
AT = "530500,180500"


def files(folder: Path, texts: dict[str, str]) -> tuple[list[Read], list[readers.Part]]:
    """Read files under their paths; each name is different."""
    found, parts = [], []
    for path, text in texts.items():
        name = path.replace("/", "-")
        one = read(write(folder, HEAD + text, name), settings(), out=folder / "out")
        found.append(one)
        parts.append(readers.Part(one.part, readers.Edition(one.report.source, path), one.report))
    return found, parts


def settle(folder: Path, texts: dict[str, str], **rules: Any) -> tuple[pd.DataFrame, readers.Settled, dict[str, int]]:
    """Return the rows kept, what was settled, and the account summed over files, which must add up for each."""
    found, parts = files(folder, texts)
    settled = readers.settle(
        parts, rules={"police": readers.SourceRules(**rules)}, into=folder / "settled", left_out=folder / "left.parquet"
    )
    account = settled.account(parts)
    frames = []
    for one in found:
        frame = pd.read_parquet(folder / "settled" / one.part.name)
        assert len(frame) + sum(account.get(one.report.source, {}).values()) == one.report.incidents
        frames.append(frame)
    return pd.concat(frames, ignore_index=True), settled, dict(readers.summed(account.values()))


def strands(*rows: str) -> str:
    return "".join(f"{i},2025-01-02,{AT},{c}\n" for i, c in (row.split(" ") for row in rows))


@pytest.mark.slow
def test_one_row_per_strand_within_and_across_files_of_one_issue(tmp_path: Path) -> None:
    kept, settled, account = settle(
        tmp_path,
        {
            "a.csv": strands("1 race", "1 faith", "1 race", "2 age"),
            "b.csv": strands("2 race", "1 faith", "3 ", "3 age"),
        },
    )
    assert dict(zip(kept["incident_id"], kept["categories"], strict=True)) == {
        "1": "faith;race",
        "2": "age;race",
        "3": "age",
    }
    assert (account["merged"], account["duplicates"]) == (3, 2)
    assert settled.conflicting == 0


@pytest.mark.slow
def test_a_category_corrected_in_a_later_issue_replaces_the_first(tmp_path: Path) -> None:
    rows = {"x-2025-01/a.csv": f"1,2025-01-02,{AT},race\n", "x-2025-02/a.csv": f"1,2025-01-02,{AT},faith\n"}
    kept, _, account = settle(tmp_path, rows)
    assert kept["categories"].tolist() == ["faith"]
    assert account["replaced"] == 1


@pytest.mark.parametrize("rule", list(readers.RepeatedId))
@pytest.mark.slow
def test_what_each_rule_makes_of_a_later_row(tmp_path: Path, rule: readers.RepeatedId) -> None:
    rows = {"x-2025-01/a.csv": f"1,2025-01-02,{AT},race\n", "x-2025-02/a.csv": f"1,2025-01-09,{AT},faith\n"}
    if rule == readers.RepeatedId.ERROR:
        with pytest.raises(QualityError, match=r"1 ids? .*x-2025-01-a\.csv row 1.*repeated_id is error"):
            settle(tmp_path, rows, repeated_id=rule)
        return
    kept, settled, _ = settle(tmp_path, rows, repeated_id=rule)
    expected = {
        "auto": ("2025-01-09", "faith"),
        "newest": ("2025-01-09", "faith"),
        "categories": ("2025-01-09", "faith;race"),
        "first": ("2025-01-02", "race"),
    }[rule]
    assert (kept["occurred_on"][0], kept["categories"][0]) == expected
    assert settled.conflicting == 1
    assert set(settled.conflicts["column"]) >= {"occurred_on"}


def numbered(rows: int, **changed: str) -> str:
    return "".join(f"{i},{changed.get(f'd{i}', '2025-01-02')},{AT},race\n" for i in range(rows))


@pytest.mark.slow
def test_up_to_one_in_a_hundred_conflicts_goes_on_and_more_stops(tmp_path: Path) -> None:
    _, settled, account = settle(tmp_path, {"a.csv": numbered(100), "b.csv": numbered(100, d7="2025-01-05")})
    assert settled.unsettled == {"police": 1}
    assert account["duplicates"] == 100
    more = {"c.csv": numbered(100), "d.csv": numbered(100, d7="2025-01-05", d8="2025-01-05")}
    with pytest.raises(QualityError, match=r"2 of 100 ids .*occurred_on.*incidents\[0\]\.issued.*repeated_id"):
        settle(tmp_path / "", more)


@pytest.mark.parametrize("mangled", ["2.4E+11", "2,4e+11", "2E+11"])
@pytest.mark.slow
def test_ids_rounded_by_a_spreadsheet_are_named(tmp_path: Path, mangled: str) -> None:
    quoted = f'"{mangled}"'
    text = "".join(f"{quoted},2025-01-{d:02d},{AT},race\n" for d in range(1, 10))
    with pytest.raises(InputError, match=rf"'id'.*9 different rows.*{mangled.replace('+', '.')}"):
        settle(tmp_path, {"a.csv": text})


@pytest.mark.slow
def test_overlap_replaces_the_months_that_files_share_and_no_others(tmp_path: Path) -> None:
    def months(*days: str) -> str:
        return "".join(f",{day},{AT},race\n" for day in days)

    texts = {
        "x-2025-01/a.csv": months("2025-01-02", "2025-01-03", "2025-02-01", "2025-02-02"),
        "x-2025-02/a.csv": months("2025-02-01", "2025-02-09", "2025-02-11", "2025-03-01"),
    }
    kept, settled, account = settle(tmp_path, texts, overlap_replaces=True)
    assert sorted(kept["occurred_on"]) == [
        "2025-01-02",
        "2025-01-03",
        "2025-02-01",
        "2025-02-09",
        "2025-02-11",
        "2025-03-01",
    ]
    assert account["replaced"] == 2
    assert settled.equal == {}
    _, counted, _ = settle(tmp_path, texts)
    assert counted.equal == {"police/x-2025-01-a.csv": (1, 4), "police/x-2025-02-a.csv": (1, 4)}
    with pytest.raises(QualityError, match=r"2025-02.*overlap is replace.*issued"):
        settle(tmp_path, {"a.csv": months("2025-02-01"), "b.csv": months("2025-02-02")}, overlap_replaces=True)


@pytest.mark.slow
def test_a_pattern_that_finds_nothing_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"incidents\[0\]\.issued .* finds nothing.*a\.csv"):
        settle(tmp_path, {"a.csv": f"1,2025-01-02,{AT},\n", "b.csv": f"2,2025-01-02,{AT},\n"}, issued=r"(\d{4})")


@pytest.mark.slow
def test_a_late_date_is_refused_with_its_row_and_an_early_one_kept(tmp_path: Path) -> None:
    body = "".join(f",2023-{1 + i % 12:02d}-05,{AT},race\n" for i in range(240))
    kept, settled, account = settle(tmp_path, {"a.csv": f"{body},2025-06-01,{AT},race\n,1968-01-01,{AT},race\n"})
    assert (settled.first_date, settled.last_date) == ("2023-01-05", "2023-12-05")
    assert account["date_outlier"] == 1
    assert settled.refused[["source_row", "rule"]].to_numpy().tolist() == [[241, "date_outlier"]]
    assert kept["source_row"].tolist() == [*range(1, 241), 242]
    assert [(s.late, s.rows, s.first_date) for s in settled.strays] == [
        (False, 1, "1968-01-01"),
        (True, 1, "2025-06-01"),
    ]


rows_of_a_file = st.lists(
    st.tuples(st.sampled_from(["", "a", "b", "c"]), st.integers(1, 3), st.sampled_from(["race", "faith", ""])),
    max_size=6,
)


@pytest.mark.slow
@given(st.lists(rows_of_a_file, min_size=1, max_size=3), st.sampled_from(["auto", "categories", "newest", "first"]))
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_id_is_one_incident_and_every_row_is_accounted_for(
    tmp_path: Path, content: list[list[tuple[str, int, str]]], rule: str
) -> None:
    texts = {
        f"x-2025-0{n}/{n}.csv": "".join(f"{i},2025-01-0{d},{AT},{c}\n" for i, d, c in rows)
        for n, rows in enumerate(content, start=1)
    }
    try:
        kept, _, _ = settle(tmp_path, texts, repeated_id=readers.RepeatedId(rule))
    except QualityError:
        # Rows of one file with one id that differ have no answer but under `first` and `categories`.
        assert rule in {"auto", "newest"}
        return
    ids = [i for rows in content for i, _, _ in rows]
    own = kept[~kept["incident_id"].str.contains("#")]
    assert sorted(own["incident_id"]) == sorted({i for i in ids if i})
    assert len(kept) - len(own) == ids.count("")


# Which months are the body of a source's data, and which dates lie far from all others.


def months(first: int, *rows: int) -> dict[int, int]:
    return {add_months(first, i): n for i, n in enumerate(rows)}


YEAR = months(202401, *[50] * 12)


def split(counts: dict[int, int], **stated: int) -> tuple[tuple[int, int], tuple[int, ...], tuple[int, ...]]:
    body = main_body(counts, **stated)
    return (body.first, body.last), body.early, body.late


def test_wrong_years_on_both_sides() -> None:
    assert split({190001: 5, **YEAR, 202612: 1}) == ((202401, 202412), (190001,), (202612,))


def test_many_dates_of_one_early_day_are_outside_however_many() -> None:
    assert split({190001: 400, **YEAR})[1] == (190001,)


def test_old_offences_scattered_over_decades() -> None:
    old = dict.fromkeys((196806, 197506, 198106, 199406, 200306, 201507), 1)
    assert split({**old, **YEAR}) == ((202401, 202412), tuple(old), ())


def test_a_thin_tail_before_the_data_is_outside() -> None:
    tail = months(202301, *[1, 0, 2, 1, 1, 2, 1, 1, 2, 2, 1, 2])
    assert split({**tail, **YEAR})[0] == (202401, 202412)


def test_a_partial_first_or_last_month_is_no_stray() -> None:
    assert split({**months(202312, 20), **YEAR, **months(202501, 12)})[0] == (202312, 202501)


def test_a_missing_month_before_a_partial_last_one() -> None:
    assert split({**YEAR, 202502: 12})[0] == (202401, 202502)


def test_data_that_stopped_and_went_on_are_all_data() -> None:
    assert split({**YEAR, **months(202510, 50, 50)}) == ((202401, 202511), (), ())
    assert split({**YEAR, **months(202510, 40)}) == ((202401, 202510), (), ())


def test_few_rows_a_month_leave_gaps() -> None:
    quiet = months(202001, 1, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0, 2)
    assert split(quiet)[1:] == ((), ())


def test_a_single_row_is_data() -> None:
    assert split({202405: 1}) == ((202405, 202405), (), ())


def test_months_that_the_configuration_states_are_no_strays() -> None:
    counts = {190001: 5, **YEAR, 202612: 1}
    assert split(counts, last_month=202612) == ((202401, 202612), (190001,), ())
    assert split(counts, first_month=190001) == ((190001, 202412), (), (202612,))


@given(st.lists(st.integers(20, 80), min_size=6, max_size=40), st.integers(4, 60), st.integers(1, 3))
@pytest.mark.slow
def test_few_rows_far_after_any_steady_data_are_strays(rows: list[int], after: int, strays: int) -> None:
    steady = months(201501, *rows)
    late = add_months(201501, len(rows) - 1 + after)
    share = strays <= max(0.02 * sum(rows), 3)
    assert share
    assert main_body({**steady, late: strays}).late == (late,)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=60).filter(any))
def test_every_month_with_rows_is_in_the_body_or_on_one_side(rows: list[int]) -> None:
    counts = months(201001, *rows)
    body = main_body(counts)
    inside = [m for m, n in counts.items() if n and body.first <= m <= body.last]
    assert sorted([*body.early, *inside, *body.late]) == sorted(m for m, n in counts.items() if n)
    assert sum(counts[m] for m in body.late) <= max(0.05 * sum(rows), 0)
    assert inside
