"""The scan on published counts: areas in place of points, by month."""

import pandas as pd
import pytest

from tests.kit.cases import CODES, WARDS, attempt, change, published_cells, write_published

pytestmark = pytest.mark.slow


def test_published_counts_are_scanned_by_area_and_month(tmp_path_factory: pytest.TempPathFactory) -> None:
    areas = list(WARDS.values())
    cells = published_cells(areas)
    for cell in cells:  # one area has a burst in April and May
        if cell["Code"] == CODES[areas[1]] and cell["Month"] in {"202404", "202405"}:
            cell["Count"] = "90"
    config = write_published(tmp_path_factory.mktemp("counts"), cells)
    scan = {"enabled": True, "simulations": 99, "categories": ["all"], "spatial": ["poisson", "bernoulli"]}
    tried = attempt(change(config, detect={"scan": scan}))
    assert tried.code == 0, tried.text[-800:]
    [path] = (tried.folder / "work" / "patterns").rglob("space_time_clusters.parquet")
    found = pd.read_parquet(path)
    every, best = found.iloc[0], found.iloc[1]
    assert every["places"] == len(areas)
    assert every["observed"] == sum(int(cell["Count"]) for cell in cells)
    assert (best["period"], best["area_codes"], best["observed"]) == ("2024-04..2024-05", CODES[areas[1]], 180)
    assert best["p"] == pytest.approx(0.01)
    assert "Clusters beyond chance" in (tried.folder / "internal" / "clusters.html").read_text("utf-8")


def test_counts_by_month_have_no_weeks(tmp_path_factory: pytest.TempPathFactory) -> None:
    config = write_published(tmp_path_factory.mktemp("weeks"), published_cells(list(WARDS.values())))
    tried = attempt(change(config, detect={"scan": {"enabled": True, "simulations": 19, "period": "week"}}))
    assert tried.code == 0, tried.text[-800:]
    why = tried.manifest["stages"]["detect"]["choices"]["scan"]
    assert why == ("skipped: the data has no points, and counts by area are by month: set detect.scan.period to month")
