"""Rows that follow another: repeat victims, near repeats, and third-party reports of what the police also recorded."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.sample.layout import DAYS

__all__ = ["Pairs", "pair_up"]

REPEATS = 0.055  # of rows with a place
ECHOES = 0.012
SAME_SPOT = 0.6  # of the pairs; the rest are a short walk apart
MEAN_GAP_DAYS = 9.0
ECHO_DAYS = 7
NO_VICTIM = 0.18  # rows without an individual victim
GOLDEN = 2_654_435_761  # odd, so that multiplying by it modulo 2^32 never gives two victims one number

Index = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Positions of first and following rows, shape (pairs,); no row is in two pairs."""

    first: Index
    later: Index
    echo: Flags
    same: Flags

    def follow(self, values: NDArray[Any]) -> NDArray[Any]:
        """Give each following row its first one's value."""
        copied = values.copy()
        copied[self.later] = copied[self.first]
        return copied

    def days_after(self, rng: np.random.Generator, day: Index) -> Index:
        """Put each following row days after its first one, or before it where the last day is too near."""
        wait = 1 + (-MEAN_GAP_DAYS * np.log1p(-rng.random(len(self.first)))).astype(np.int64)
        gap = np.where(self.echo, rng.integers(0, ECHO_DAYS, len(self.first)), wait)
        after = day[self.first] + gap
        moved = day.copy()
        moved[self.later] = np.clip(np.where(after < DAYS, after, day[self.first] - gap), 0, DAYS - 1)
        return moved

    def near(self, rng: np.random.Generator, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Put each following row at its first one's spot, or a short walk from it (metres)."""
        reach = np.where(self.same, 0.0, np.where(self.echo, 15.0, 50.0))[:, None]
        moved = points_m.copy()
        moved[self.later] = points_m[self.first] + np.round(rng.standard_normal((len(self.first), 2)) * reach)
        return moved

    def victims(self, rng: np.random.Generator, third: Flags, *, start: int) -> NDArray[np.object_]:
        """Write made-up victims, shape (n,): one for both rows of a repeat on the spot, none from third parties."""
        serial = start + np.arange(len(third))
        known = self.same & ~self.echo
        serial[self.later[known]] = serial[self.first[known]]
        words = np.array([f"SYN-V{value:08x}" for value in serial * GOLDEN % (1 << 32)], dtype=object)
        blank = rng.random(len(third)) < NO_VICTIM
        blank[self.first[known]] = blank[self.later[known]] = False
        words[blank | third] = ""
        return words


def pair_up(rng: np.random.Generator, borough: Index, online: Flags) -> Pairs:
    """Choose pairs among the rows of one borough that have a place."""
    deck = rng.permutation(np.flatnonzero(~online))
    deck = deck[np.argsort(borough[deck], kind="stable")]
    first, later = deck[0 : len(deck) - 1 : 2], deck[1::2]
    chance = rng.random(len(first))
    keep = (borough[first] == borough[later]) & (chance < 2 * (REPEATS + ECHOES))
    first, later, echo = first[keep], later[keep], chance[keep] >= 2 * REPEATS
    return Pairs(first=first, later=later, echo=echo, same=rng.random(len(first)) < SAME_SPOT)
