"""Look-up of areas: by a point, with an index built once and stored; or by a code or name as written in sources."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.geography.areas import AreaIndex, LocateResult
from pipeline.ingest.postcodes import Postcodes, load_postcodes

__all__ = ["AreaLookup", "BoroughNames", "Bounds", "WardNames", "load_index", "save_index"]

Bounds = tuple[float, float, float, float]
Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AreaLookup:
    """The areas as needed for assigning incidents, in one object that can be sent to a worker.

    Attributes
    ----------
    ward_codes, parents
        Wards in the order of the index, and the borough of each.
    borough_names
        Name per borough code.
    bounds
        West, south, east, north of all areas, metres.
    index
        The index of the wards, or the file written by `save_index`, which each process loads once.
    key
        Digest of the boundaries; distinguishes two indexes stored at the same path.
    not_covered
        Codes of the wards and boroughs that the data does not cover.
    ward_names
        Names in the order of `ward_codes`.
    other_codes
        Codes of other editions and of smaller areas, and their current codes (`areas.lookup`).
    postcodes
        Coordinates of postcodes, or the file written by `Postcodes.save`; None without a lookup.
    one_level
        Whether there are no wards: the `ward_codes` are those of the boroughs, and each is its own parent.
    """

    ward_codes: tuple[str, ...]
    parents: tuple[str, ...]
    borough_names: Mapping[str, str]
    bounds: Bounds
    index: AreaIndex | Path
    key: str = ""
    not_covered: frozenset[str] = frozenset()
    ward_names: tuple[str, ...] = ()
    other_codes: Mapping[str, str] = field(default_factory=dict)
    postcodes: Postcodes | Path | None = None
    one_level: bool = False

    def postcode_lookup(self) -> Postcodes | None:
        """Return the lookup of postcodes, loaded once in each process."""
        given = self.postcodes
        return load_postcodes(given, self.key) if isinstance(given, Path) else given

    def locate(self, xy: Points) -> LocateResult:
        """Find the ward of every point.

        Parameters
        ----------
        xy
            Eastings and northings in metres, shape (n, 2).

        Returns
        -------
        result
            Positions in `ward_codes` (-1 for none), and which points were assigned to the nearest ward.
        """
        index = self.index if isinstance(self.index, AreaIndex) else load_index(self.index, self.key)
        return index.locate(xy)


def save_index(path: Path, index: AreaIndex) -> None:
    """Store the index of the wards for workers and later runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **index.to_arrays())


@lru_cache(maxsize=1)
def load_index(path: Path, key: str) -> AreaIndex:  # noqa: ARG001 the key tells indexes of one path apart
    """Load the index once in each process: a worker reads many files, most of them smaller than the index."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return AreaIndex.from_arrays(arrays)


def _plain(name: str) -> str:
    words = re.sub(r"[^a-z0-9]+", " ", name.casefold().replace("&", " and ").replace("'", "").replace("’", "")).split()
    text = " ".join(words)
    for around in ("london borough of ", "royal borough of ", "city of ", "borough of "):
        text = text.removeprefix(around)
    return text


class BoroughNames:
    """Look up boroughs by code or name, ignoring small differences in spelling."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._by_code = {code.casefold(): code for code in names}
        plain: dict[str, list[str]] = {}
        for code, name in names.items():
            plain.setdefault(_plain(name), []).append(code)
        exact = {" ".join(name.split()).casefold(): code for code, name in names.items()}
        self._by_name = {name: codes[0] for name, codes in plain.items() if len(codes) == 1} | exact

    def code(self, text: str) -> str | None:
        """Code of the borough with this code or name, or None."""
        key = text.casefold()
        return self._by_code.get(key) or self._by_name.get(key) or self._by_name.get(_plain(text))


class WardNames:
    """Look up wards by code, by a code in `areas.lookup`, or by name.

    A name is used if only one ward has it, or only one ward of the borough in the same row. An unknown code is never
    treated as a name.
    """

    def __init__(self, areas: AreaLookup) -> None:
        self._parents = areas.parents
        self._by_code = {code.casefold(): at for at, code in enumerate(areas.ward_codes)}
        self._other = {
            old.casefold(): self._by_code[new.casefold()]
            for old, new in areas.other_codes.items()
            if new.casefold() in self._by_code
        }
        boroughs = {code.casefold(): code for code in areas.borough_names}
        self._other_boroughs = {
            old.casefold(): boroughs[new.casefold()]
            for old, new in areas.other_codes.items()
            if new.casefold() in boroughs
        }
        self._by_name: dict[str, list[int]] = {}
        for at, name in enumerate(areas.ward_names):
            self._by_name.setdefault(_plain(name), []).append(at)

    def of_code(self, text: str) -> int:
        """Position of the ward with a code, directly or through the lookup; -1 for none."""
        key = text.casefold()
        return self._by_code.get(key, self._other.get(key, -1))

    def borough_of_code(self, text: str) -> str | None:
        """Code of the borough that the lookup gives for a smaller area in several of its wards; None for none."""
        return self._other_boroughs.get(text.casefold())

    def of(self, text: str, *, borough: str | None = None) -> int:
        """Position of the ward with a code or name; -1 for none.

        Parameters
        ----------
        text
            Code or name.
        borough
            Code of the borough in the same row: a ward's name is looked up only in this borough.
        """
        at = self.of_code(text)
        if at >= 0:
            return at
        named = self._by_name.get(_plain(text), [])
        if borough is not None:
            named = [n for n in named if self._parents[n] == borough]
        return named[0] if len(named) == 1 else -1
