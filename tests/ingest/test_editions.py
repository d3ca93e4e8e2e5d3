"""Which of a source's files was issued later, from names alone."""

import pytest

from pipeline.errors import QualityError
from pipeline.ingest.incidents.editions import Edition, issue_ranks, replaced_files


def ranks(*paths: str, issued: str | None = None) -> list[int | None]:
    found = issue_ranks([Edition(p, p) for p in paths], issued=issued)
    return [found[p] for p in paths]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        # The month in the name of the archive's folder, not the month's folder and not the file's name.
        (["archive-2024-12/2024-03/2024-03-x-street.csv", "archive-2025-01/2024-03/2024-03-x-street.csv"], [0, 1]),
        (["z-2024-12/2024-03/a.csv", "a-2025-01/2024-02/a.csv"], [0, 1]),
        (["police 2024-12 download/a.csv", "police 2025-01 download/a.csv"], [0, 1]),
        (["2025-01/extract.csv", "2025-02/extract.csv"], [0, 1]),
        (["2024-12/2024-03/2024-03-x-street.csv", "2025-01/2024-03/2024-03-x-street.csv"], [0, 1]),
        (["extract_202501/a.csv", "extract_202412/a.csv"], [1, 0]),
        (["out 2025-01-15/a.csv", "out 2025-01-31/a.csv"], [0, 1]),
        (["2023-01_2024-12/a.csv", "2023-06_2025-05/a.csv"], [0, 1]),  # the last month named
        (["../data/x-2025-02/deep/a.csv", "../data/x-2025-01/deep/a.csv"], [1, 0]),
        # Archives without a date: the latest month that their files name.
        (["old/2024-01/2024-01-x-street.csv", "new/2024-01/2024-01-x-street.csv", "new/2024-02/2024-02-x-street.csv"],
         [0, 1, 1]),
        # Months beside each other in one folder are one issue.
        (["2024-01/2024-01-x-street.csv", "2024-02/2024-02-x-street.csv"], [0, 0]),
        (["extract-2024-01.csv", "extract-2024-02.csv"], [0, 0]),
        (["a.csv", "b.csv"], [None, None]),
        (["2025-01/2024-05/2024-05-x-street.csv", "2025-01/2024-05-x-street.csv"], [0, 0]),
    ],
)  # fmt: skip
def test_folders_say_when_a_file_was_issued(paths: list[str], expected: list[int | None]) -> None:
    assert ranks(*paths) == expected


@pytest.mark.parametrize(
    ("paths", "issued", "expected"),
    [
        (["b 202502.csv", "a 202501.csv"], r"(\d{6})", [1, 0]),
        (["x-01-2025.csv", "x-12-2024.csv"], r"(\d{2}-\d{4})", [1, 0]),
        (["jan 2025/a.csv", "feb 2025/a.csv"], r"(\w{3} \d{4})/", [0, 1]),
        (["v2.csv", "v10.csv"], r"v(\d+)", [0, 1]),
        (["v2.csv", "v10.csv"], r"v\d+", [0, 1]),
        (["2025-01/a.csv", "other.csv"], r"(\d{4}-\d{2})", [0, None]),
        (["d-2025-01.csv", "e-2025-01.csv"], r"(\d{4}-\d{2})|nothing", [0, 0]),
    ],
)
def test_issued_reads_dates_versions_and_texts(paths: list[str], issued: str, expected: list[int | None]) -> None:
    assert ranks(*paths, issued=issued) == expected


def replaced(*files: tuple[str, str], keep_first: bool = False) -> dict[str, tuple[str, bool]]:
    editions = [Edition(path, path, checksum) for path, checksum in files]
    found = replaced_files(editions, issue_ranks(editions, issued=None), keep_first=keep_first)
    return {r.label: (r.by, r.same) for r in found}


def test_of_one_month_and_force_the_latest_stands_and_others_do_not() -> None:
    old, new = "p-2024-12/2024-03-north-street.csv", "p-2025-01/2024-03-north-street.csv"
    beside = "p-2024-12/2024-03-south-street.csv"
    assert replaced((old, "1"), (new, "2"), (beside, "3")) == {old: (new, False)}
    assert replaced((old, "1"), (new, "2"), keep_first=True) == {new: (old, False)}


def test_a_packed_file_is_of_the_same_month_and_force() -> None:
    old, new = "p-2024-12/2024-03-north-street.csv.gz", "p-2025-01/2024-03-north-street.csv"
    assert replaced((old, "1"), (new, "2")) == {old: (new, False)}


def test_a_copy_is_replaced_whatever_its_name_and_by_what_stands_in_the_end() -> None:
    old, copy, new = "p-2024-12/2024-03-x-street.csv", "p-2024-12/copy.csv", "p-2025-01/2024-03-x-street.csv"
    assert replaced(("a.csv", "1"), ("b.csv", "1")) == {"b.csv": ("a.csv", True)}
    assert replaced((old, "1"), (copy, "1"), (new, "2")) == {old: (new, False), copy: (new, True)}


def test_a_tie_that_differs_stops_with_both_names_and_the_remedy() -> None:
    with pytest.raises(QualityError, match=r"a/2024-03-x-street\.csv and b/2024-03-x-street\.csv.*incidents\.issued"):
        replaced(("a/2024-03-x-street.csv", "1"), ("b/2024-03-x-street.csv", "2"))
