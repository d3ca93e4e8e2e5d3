import numpy as np
import pytest

from pipeline.detect.knox import knox
from pipeline.errors import InputError

SMALL = {"distance_edges_m": (0.0, 1.0, 100.0, 200.0), "time_edges_days": (0.0, 7.0, 14.0), "permutations": 19}


def test_five_incidents_by_hand() -> None:
    # a (0,0) day 0; b (0,0) day 6; c (60,80) day 7; d (0,199) day 13; e (0,200) day 0.
    # a-b 0 m 6 d; a-c 100 m 7 d; b-c 100 m 1 d; a-d 199 m 13 d; b-d 199 m 7 d; a-e, b-e 200 m: outside;
    # c-d (60,119) = 133.3 m 6 d; c-e (60,120) = 134.2 m 7 d; d-e 1 m 13 d, so in 1-100 m.
    points = [(0, 0), (0, 0), (60, 80), (0, 199), (0, 200)]
    result = knox(points, days=[0, 6, 7, 13, 0], **SMALL)
    assert result.observed.tolist() == [[1, 0], [0, 1], [2, 4]]


def test_shuffling_moves_dates_and_keeps_places() -> None:
    # Two pairs at the same place, all four days far apart except within the pairs. Of the 3 ways to pair up four
    # dates over two places one keeps both pairs, and the others keep none: mean (1/3) x 2.
    points = [(0, 0), (0, 0), (900, 0), (900, 0)]
    result = knox(
        points, days=[0, 1, 100, 101], distance_edges_m=(0.0, 1.0), time_edges_days=(0.0, 7.0),
        permutations=4_000, expectation="mean",
    )  # fmt: skip
    assert result.observed.tolist() == [[2]]
    assert result.expected[0, 0] == pytest.approx(2 / 3, abs=0.06)  # four standard errors of 0.943 / sqrt(4000)
    assert result.p[0, 0] == pytest.approx(1 / 3, abs=0.03)
    assert result.ratio[0, 0] == pytest.approx(3, abs=0.3)


def test_repeats_planted_close_in_time_stand_out() -> None:
    rng = np.random.default_rng(0)
    first = rng.uniform(0, 5_000, (150, 2))
    day = rng.integers(0, 365, 150)
    points = np.concatenate([first, first[:40] + rng.uniform(-60, 60, (40, 2))])
    days = np.concatenate([day, day[:40] + rng.integers(0, 7, 40)])
    result = knox(points, days=days, permutations=199, seed=1)
    assert result.p[1, 0] == 1 / 200
    assert result.ratio[1, 0] > 3
    later = knox(points, days=rng.permutation(days), permutations=199, seed=1)
    assert later.p[1, 0] > 1 / 200


def test_no_near_repeats_no_small_p() -> None:
    ps = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        result = knox(rng.uniform(0, 500, (60, 2)), days=rng.integers(0, 60, 60), permutations=39, seed=seed)
        ps.append(result.p[2, 0])
    # Uniform on (0, 1] in steps of 1/40: mean 0.5125, standard error 0.053; ties only raise it.
    assert 0.3 < np.mean(ps) < 0.8


def test_the_frame_names_half_open_bands_and_leaves_no_nan() -> None:
    frame = knox([(0, 0), (0, 0), (150, 0)], days=[0, 1, 2], **SMALL).frame()
    assert frame["distance_band"].iloc[0] == "0 to under 1 m"
    assert frame["time_band"].iloc[1] == "7 to under 14 days"
    assert frame["ratio"].isna().sum() == (frame["expected"] == 0).sum() > 0
    assert frame["observed"].sum() == 3
    values = frame["ratio"].dropna().to_numpy(dtype=float)
    assert np.isfinite(values).all()


@pytest.mark.parametrize(
    ("points", "days", "words"),
    [
        (np.zeros((0, 2)), [], "There are 0 incidents"),
        ([(0, 0)], [3], "There are 1 incidents"),
        ([(0, 0), (9_000, 0)], [1, 2], "No two incidents"),
        ([(0, 0)] * 3, [5, 5, 5], "one day"),
    ],
)
def test_too_little_to_pair_is_stated(points, days, words: str) -> None:
    result = knox(points, days=days, **SMALL)
    assert any(words in n for n in result.notes)
    assert np.isfinite(result.p).all()
    assert (result.p == 1).all()


def test_the_same_seed_gives_the_same_table() -> None:
    rng = np.random.default_rng(2)
    points, days = rng.uniform(0, 800, (50, 2)), rng.integers(0, 90, 50)
    one, two = (knox(points, days=days, permutations=19, seed=8).frame() for _ in range(2))
    assert one.equals(two)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"days": [1]}, "one day each"),
        ({"days": [1, 2.5, 3]}, "known to the day"),
        ({"days": [1, np.nan, 3]}, "known to the day"),
        ({"points_m": [(0, 0), (np.nan, 0), (1, 1)]}, "coordinate is missing"),
        ({"distance_edges_m": (0.0,)}, "distance_edges_m"),
        ({"time_edges_days": (7.0, 7.0)}, "edges that rise"),
        ({"time_edges_days": (-1.0, 7.0)}, "edges that rise"),
        ({"permutations": 0}, "1 or more"),
        ({"expectation": "mode"}, "median or mean"),
        ({"metric": "chebyshev"}, "euclidean or manhattan"),
    ],
)
def test_bad_input_is_one_clear_error(change: dict, words: str) -> None:
    good = {"points_m": [(0, 0), (0, 0), (1, 1)], "days": [1, 2, 3]} | SMALL
    with pytest.raises(InputError, match=words):
        knox(**(good | change))


def test_too_many_pairs_are_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.detect.knox.MAX_PAIRS", 2)
    with pytest.raises(InputError, match="lower the largest distance"):
        knox([(0, 0)] * 3, days=[1, 2, 3], **SMALL)
