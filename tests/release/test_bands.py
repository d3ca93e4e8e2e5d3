"""Bands: every count has one, and reading it back gives the counts that have it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.release.hotspots import Bands, count_bands, fewer_than


@given(st.sets(st.integers(1, 3000), min_size=1, max_size=8), st.integers(0, 4000))
def test_a_count_lies_in_the_band_it_is_given(edges: set[int], count: int) -> None:
    bands = Bands(tuple(sorted(edges)))
    low, high = bands.interval(bands.label(count))
    assert low <= count
    assert high is None or count <= high
    assert bands.labels.count(bands.label(count)) == 1


def test_default_bands_read_as_people_write_them() -> None:
    assert count_bands(10).labels == ("fewer than 10", "10-19", "20-49", "50-99", "100-199", "200-499", "500 or more")
    assert count_bands(7, last=2000).labels[:3] == ("fewer than 7", "7-9", "10-19")
    assert count_bands(7, last=2000).labels[-2:] == ("1,000-1,999", "2,000 or more")


@pytest.mark.parametrize("threshold", [1, 2, 5, 10, 37, 500])
def test_no_band_tells_a_small_count(threshold: int) -> None:
    bands = count_bands(threshold)
    assert {bands.label(n) for n in range(threshold)} == {fewer_than(threshold)}


@pytest.mark.parametrize("edges", [(), (0, 5), (5, 5), (9, 3)])
def test_edges_that_are_no_bands_are_refused(edges: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="band edges"):
        Bands(edges)


def test_strange_words_and_counts_are_refused() -> None:
    with pytest.raises(InputError, match="none of the bands"):
        count_bands(10).interval("about 12")
    with pytest.raises(InputError, match="negative"):
        count_bands(10).label(-1)
    with pytest.raises(InputError, match="bands begin"):
        count_bands(0)
