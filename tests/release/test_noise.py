"""Cell-key noise: against arithmetic done another way, and what can be read back from it."""

from fractions import Fraction

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.release.noise import cell_noise, keys_of, noise_table, sum_keys

SECRET = b"0123456789abcdef"


@pytest.mark.parametrize("reach", [1, 2, 3, 5])
def test_noise_table_has_the_moments_it_states(reach: int) -> None:
    share = [Fraction(p).limit_denominator(1000) for p in noise_table(reach)]
    steps = range(-reach, reach + 1)
    assert sum(share) == 1
    assert sum(d * p for d, p in zip(steps, share, strict=True)) == 0
    assert sum(d * d * p for d, p in zip(steps, share, strict=True)) == Fraction(reach * (reach + 2), 6)


def test_noise_over_every_key_is_unbiased_and_bounded() -> None:
    """All 2**32 keys stand in for by an even grid: the mean is the count, small counts are never seen."""
    keys = (np.arange(60_000, dtype=np.uint64) * (2**32 // 60_000)).astype(np.uint32)
    for count in (0, 1, 3, 4, 5, 6, 7, 8, 9, 20):
        found = cell_noise(np.full(keys.size, count), keys=keys, threshold=5, reach=3)
        assert not np.isin(found.shown, [1, 2, 3, 4]).any()
        assert abs(found.shown.mean() - count) < 0.01
        assert np.all((found.low <= count) & (count <= found.high))
        if count >= 5:
            assert np.abs(found.shown - count).max() <= 3


def test_interval_of_noise_is_exactly_what_could_show_it() -> None:
    keys = (np.arange(500, dtype=np.uint64) * (2**32 // 500)).astype(np.uint32)
    behind: dict[int, set[int]] = {}
    stated: dict[int, tuple[int, int]] = {}
    for count in range(60):
        found = cell_noise(np.full(keys.size, count), keys=keys, threshold=5, reach=3)
        for shown, low, high in zip(found.shown.tolist(), found.low.tolist(), found.high.tolist(), strict=True):
            behind.setdefault(shown, set()).add(count)
            stated[shown] = (low, high)
    for shown, (low, high) in stated.items():
        if shown < 50:
            assert (low, high) == (min(behind[shown]), max(behind[shown])), shown


def test_noise_repeats_and_follows_the_records() -> None:
    ids = [f"r{i}" for i in range(100)]
    record = keys_of(ids, secret=SECRET)
    cell = np.arange(100) % 4
    order = np.random.default_rng(1).permutation(100)
    again = sum_keys(record[order], cell=cell[order], cells=4)
    assert np.array_equal(sum_keys(record, cell=cell, cells=4), again)
    whole = sum_keys(record, cell=np.zeros(100, dtype=np.int64), cells=1)
    assert int(whole[0]) == int(again.astype(np.uint64).sum()) % 2**32
    assert not np.array_equal(record, keys_of(ids, secret=SECRET[::-1]))


def test_keys_are_keyed_blake2() -> None:
    """From `printf a | b2sum`'s relative: hashlib's own documented digest of the same bytes."""
    import hashlib

    digest = hashlib.blake2b(b"a", key=SECRET, digest_size=4).digest()
    assert keys_of(["a"], secret=SECRET).tolist() == [int.from_bytes(digest, "little")]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: cell_noise([-1], keys=np.zeros(1, np.uint32), threshold=5),
        lambda: cell_noise([1.5], keys=np.zeros(1, np.uint32), threshold=5),
        lambda: keys_of(["a"], secret=b"short"),
        lambda: cell_noise([1, 2], keys=np.zeros(1, np.uint32), threshold=5),
    ],
)
def test_unusable_arguments_are_refused(wrong) -> None:
    with pytest.raises(InputError):
        wrong()
