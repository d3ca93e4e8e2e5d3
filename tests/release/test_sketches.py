"""Sketches of data: what two extracts have in common is estimated as an exact comparison would have it."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.release.sketches import (
    OVERLAP,
    Sketch,
    Sketches,
    containment,
    sketches_of_counts,
    sketches_of_incidents,
)

pytestmark = pytest.mark.slow

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
SIZE = 512


def hashes(tokens: set[int]) -> set[str]:
    return {hashlib.sha256(str(t).encode()).hexdigest()[:16] for t in tokens}


@pytest.mark.parametrize("seed", range(12))
def test_containment_agrees_with_a_comparison_of_the_whole_sets(seed: int) -> None:
    """Within five standard errors of a sample of what lies below the smaller limit, in both directions."""
    rng = np.random.default_rng(seed)
    total = int(rng.integers(200, 30_000))
    first = set(rng.choice(total, int(rng.integers(1, total)), replace=False).tolist())
    start = int(rng.integers(0, total))
    second = set(range(start, start + int(rng.integers(1, total))))
    one, two = Sketch.of(hashes(first), size=SIZE), Sketch.of(hashes(second), size=SIZE)
    for a, b, sa, sb in ((first, second, one, two), (second, first, two, one)):
        exact = len(a & b) / len(a)
        sampled = sum(h <= min(sa.limit, sb.limit) for h in sa.hashes)
        error = 5 * np.sqrt(max(exact * (1 - exact), 1 / max(sampled, 1)) / max(sampled, 1))
        assert abs(containment(sa, sb) - exact) <= error


@pytest.mark.parametrize("seed", range(6))
def test_small_sets_are_compared_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = (set(rng.choice(400, 200, replace=False).tolist()) for _ in range(2))
    one, two = Sketch.of(hashes(first), size=SIZE), Sketch.of(hashes(second), size=SIZE)
    assert one.whole
    assert containment(one, two) == len(first & second) / len(first)


@pytest.mark.parametrize("seed", range(6))
def test_a_union_of_sketches_is_the_sketch_of_the_union(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = (set(rng.choice(5000, int(rng.integers(1, 4000)), replace=False).tolist()) for _ in range(2))
    one, two = Sketch.of(hashes(first), size=SIZE), Sketch.of(hashes(second), size=SIZE)
    assert one.united(two, size=SIZE) == Sketch.of(hashes(first | second), size=SIZE)


def extract(n: int, *, seed: int = 0, first_id: int = 1) -> pd.DataFrame:
    """Rows of the stage table of incidents, as far as sketches read it: a city of 20 km, five years, dense inside."""
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 1826, n)), unit="D")
    xy = rng.normal([530_000, 180_000], 4_000, size=(n, 2)).round(1)
    return pd.DataFrame(
        {
            "incident_id": [str(i) for i in range(first_id, first_id + n)],
            "occurred_on": days.strftime("%Y-%m-%d"),
            "date_precision": "day",
            "month": days.year * 100 + days.month,
            "easting_m": xy[:, 0],
            "northing_m": xy[:, 1],
            "ward_code": "W1",
            "borough_code": np.where(xy[:, 0] < 528_000, "west", "east"),
        }
    )


def sketch(folder: Path, *frames: pd.DataFrame, key: bytes = KEY, size: int = 8192) -> Sketches:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{n}.parquet" for n in range(len(frames))]
    for path, frame in zip(paths, frames, strict=True):
        frame.to_parquet(path)
    (found,) = sketches_of_incidents(paths, keys=[key], memory_limit_mb=500, size=size)
    return found


@pytest.fixture(scope="module")
def whole() -> pd.DataFrame:
    return extract(60_000)


def test_the_sketch_is_that_of_all_tokens(tmp_path: Path) -> None:
    """Against the same hashes made here, for rows that repeat so that the first cut leaves too few."""
    frame = pd.concat([extract(40)] * 500)
    found = sketch(tmp_path, frame, size=30)
    texts = {
        f"{r.incident_id}|{r.occurred_on}|{int(r.easting_m + 0.5)}|{int(r.northing_m + 0.5)}"
        for r in extract(40).itertuples()
    }
    made = {hashlib.sha256(f"{KEY.hex()}|{t}".encode()).hexdigest()[:16] for t in texts}
    assert found.records == Sketch.of(made, size=30)


def test_files_and_their_order_change_nothing(tmp_path: Path, whole: pd.DataFrame) -> None:
    together = sketch(tmp_path / "a", whole)
    apart = sketch(tmp_path / "b", whole[30_000:], whole[:30_000].sample(frac=1, random_state=1))
    assert together == apart


def test_the_same_data_are_found_again(tmp_path: Path, whole: pd.DataFrame) -> None:
    assert sketch(tmp_path / "a", whole).overlap(sketch(tmp_path / "b", whole)) == 1.0


def test_a_growing_extract_is_found(tmp_path: Path, whole: pd.DataFrame) -> None:
    before, now = sketch(tmp_path / "a", whole[:3_000]), sketch(tmp_path / "b", whole)
    assert containment(before.records, now.records) == 1.0
    assert containment(now.records, before.records) == pytest.approx(0.05, abs=0.01)
    assert before.overlap(now) == 1.0


def test_an_extract_trimmed_to_its_last_months_is_found(tmp_path: Path, whole: pd.DataFrame) -> None:
    assert sketch(tmp_path / "a", whole).overlap(sketch(tmp_path / "b", whole[36_000:])) == 1.0


def test_a_boroughs_part_of_the_data_is_found(tmp_path: Path, whole: pd.DataFrame) -> None:
    borough = whole[whole["borough_code"] == "west"].sample(1500, random_state=1)
    assert sketch(tmp_path / "a", borough).overlap(sketch(tmp_path / "b", whole)) == 1.0


def test_an_extract_shifted_by_a_metre_is_found_by_its_cells(tmp_path: Path, whole: pd.DataFrame) -> None:
    shifted = whole.assign(easting_m=whole["easting_m"] + 1, northing_m=whole["northing_m"] + 1)
    one, two = sketch(tmp_path / "a", whole), sketch(tmp_path / "b", shifted)
    assert containment(two.records, one.records) == 0
    assert containment(two.cells, one.cells) == pytest.approx(0.98, abs=0.02)  # one in a hundred crosses a side


def test_other_numbers_of_the_same_incidents_are_found_by_their_cells(tmp_path: Path, whole: pd.DataFrame) -> None:
    renamed = whole.assign(incident_id="N" + whole["incident_id"])
    assert sketch(tmp_path / "a", whole).overlap(sketch(tmp_path / "b", renamed)) == 1.0


def test_unrelated_extracts_whose_ids_run_from_one_are_kept_apart(tmp_path: Path, whole: pd.DataFrame) -> None:
    other = extract(60_000, seed=9)
    assert other["incident_id"].equals(whole["incident_id"])
    assert sketch(tmp_path / "a", whole).overlap(sketch(tmp_path / "b", other)) < OVERLAP


def test_months_alone_say_nothing_of_cells(tmp_path: Path) -> None:
    coarse = extract(1000).assign(date_precision="month")
    assert sketch(tmp_path, coarse).cells == Sketch()


def test_another_key_has_nothing_in_common(tmp_path: Path, whole: pd.DataFrame) -> None:
    assert sketch(tmp_path / "a", whole).overlap(sketch(tmp_path / "b", whole, key=OTHER_KEY)) == 0


def test_sketches_survive_json(tmp_path: Path, whole: pd.DataFrame) -> None:
    made = sketch(tmp_path, whole)
    assert Sketches.restored(made.plain()) == made


def counts(seed: int, *, months: int = 24) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [(f"W{w}", 202401 + m % 12 + 100 * (m // 12), "all", "incidents") for w in range(60) for m in range(months)]
    frame = pd.DataFrame(rows, columns=["area_code", "month", "category", "measure"])
    return frame.assign(value=rng.poisson(np.repeat(rng.gamma(4, 20, 60), months)))


def of_counts(path: Path, frame: pd.DataFrame) -> Sketches:
    frame.to_parquet(path)
    (found,) = sketches_of_counts(path, keys=[KEY], memory_limit_mb=500)
    return found


def test_published_counts_are_found_again_and_others_are_not(tmp_path: Path) -> None:
    first = counts(1)
    one = of_counts(tmp_path / "a.parquet", first)
    trimmed = of_counts(tmp_path / "b.parquet", first[first["month"] >= 202501])
    other = of_counts(tmp_path / "c.parquet", counts(2))
    assert one.overlap(trimmed) == 1.0
    assert one.overlap(other) < OVERLAP


def test_zeros_say_nothing_of_published_counts(tmp_path: Path) -> None:
    nothing = counts(1).assign(value=0)
    assert of_counts(tmp_path / "a.parquet", nothing).records == Sketch()
