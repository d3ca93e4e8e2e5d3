"""What the page works out itself is what the release holds, to the last decimal of the download."""

import csv
import re
from pathlib import Path

import pytest

COLUMNS = ("rate_per_10000", "rate_low", "rate_high", "outcome_share", "outcome_low", "outcome_high")


@pytest.mark.parametrize("category", ["all", "racist"])
@pytest.mark.parametrize("level", ["ward", "borough"])
def test_numbers_that_are_not_carried_come_out_the_same(opened, releases, tmp_path: Path, level, category) -> None:
    page = opened("intervals", f"l={level}&c={category}", accept_downloads=True).page
    page.locator("#open-save").click()
    with page.expect_download() as waiting:
        page.locator("#save-csv").click()
    waiting.value.save_as(tmp_path / "shown.csv")
    lines = (tmp_path / "shown.csv").read_text("utf-8-sig").splitlines()
    start = next(i for i, line in enumerate(lines) if "area_code" in line)
    shown = {row["area_code"]: row for row in csv.DictReader(lines[start:])}
    counts = releases("intervals").counts
    rows = counts[(counts["level"] == level) & (counts["category"] == category)]
    compared = 0
    for row in rows[rows["period"] == "2024-08..2025-07"].to_dict("records"):
        assert int(shown[row["area_code"]]["known_outcomes"]) == row["known_outcomes"]
        for column in COLUMNS:
            if row[column] == row[column]:
                assert float(shown[row["area_code"]][column]) == pytest.approx(row[column], abs=5.1e-5)
                compared += 1
    assert compared >= 6 * len(shown) * 0.7


def test_most_limits_are_not_carried(map_file) -> None:
    text = map_file("intervals").read_text("utf-8")
    for key in ("lo", "hi", "sl", "sh"):
        cells = ",".join(re.findall(f'"{key}":"([^"]*)"', text)).split(",")
        carried = [c for c in cells if "." in c]
        assert len(carried) < 0.35 * sum(int(c.split("*")[1]) if "*" in c else 1 for c in cells)
