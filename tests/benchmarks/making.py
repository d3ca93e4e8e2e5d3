"""Incidents by the million over the sample's wards: synthetic, seeded, written a bounded chunk at a time."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["VARIANTS", "write_incidents"]

VARIANTS = ("distinct", "snapped")
CHUNK_ROWS = 100_000
CENTRES = 400
SPOTS = 60_000  # map points of the snapped variant; London has about this many in police open data
CLUSTERED_SHARE = 0.6
FIRST_DAY = np.datetime64("2024-08-01")
DAYS = 365
OUTCOMES = np.array(["charged", "no suspect identified", "victim does not support", "pending"])
PLACES = np.array(["On or near a street", "On or near a shopping area", "On or near a bus stop", "On or near a park"])

Floats = NDArray[np.float64]


def write_incidents(path: Path, *, rows: int, variant: str, areas: Path, seed: int = 7, files: int = 1) -> list[Path]:
    """Write synthetic incidents of twelve months, 2024-08 to 2025-07.

    Parameters
    ----------
    path
        CSV to write; with several files, their names get a number each.
    rows
        Incidents in all.
    variant
        `distinct`: three in five round 400 centres, the rest anywhere, hardly two at one place. `snapped`: the same,
        moved to one of 60,000 map points, as police open data is.
    areas
        Folder of `wards.geojson` and `population.csv`, as in `data/sample`.
    seed
        Seed of the generator: equal arguments give equal bytes.
    files
        Files to spread the rows over, as evenly as may be, in order.

    Returns
    -------
    paths
        The files written.
    """
    places = _Places(areas, variant=variant, seed=seed)
    ends = [rows * (i + 1) // files for i in range(files)]
    paths = [path if files == 1 else path.with_name(f"{path.stem}-{i + 1:03d}{path.suffix}") for i in range(files)]
    first = 0
    for target, end in zip(paths, ends, strict=True):
        _write_file(target, places, first=first, end=end, seed=seed)
        first = end
    return paths


def _write_file(path: Path, places: "_Places", *, first: int, end: int, seed: int) -> None:
    """Write rows `first` to `end`, chunk by chunk; a row is the same whatever file it goes to."""
    import pyarrow as pa
    from pyarrow import csv

    path.parent.mkdir(parents=True, exist_ok=True)
    header = pa.schema([(n, pa.string()) for n in ("id", "date", "easting", "northing", "location", "type", "outcome")])
    with path.open("wb") as file:
        csv.write_csv(header.empty_table(), file, csv.WriteOptions(quoting_style="none"))
        for number in range(first // CHUNK_ROWS, -(-end // CHUNK_ROWS)):
            start = number * CHUNK_ROWS
            table = _chunk(places, number, seed=seed)
            part = table.slice(max(first - start, 0), min(end - start, CHUNK_ROWS) - max(first - start, 0))
            csv.write_csv(part, file, csv.WriteOptions(include_header=False, quoting_style="none"))


def _chunk(places: "_Places", number: int, *, seed: int) -> Any:
    """Return one chunk of rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rng = np.random.default_rng([seed, number])
    xy = places.draw(CHUNK_ROWS, rng=rng)
    ids = pa.array(np.arange(number * CHUNK_ROWS + 1, (number + 1) * CHUNK_ROWS + 1))
    days = FIRST_DAY + rng.integers(0, DAYS, CHUNK_ROWS)
    return pa.table(
        {
            "id": pc.binary_join_element_wise("B", pc.utf8_lpad(pc.cast(ids, pa.string()), 9, "0"), ""),
            "date": pa.array(days.astype("datetime64[D]")),
            "easting": xy[:, 0],
            "northing": xy[:, 1],
            "location": pa.array(PLACES).take(pa.array(rng.integers(0, len(PLACES), CHUNK_ROWS))),
            "type": pa.array(["Hate crime"]).take(pa.array(np.zeros(CHUNK_ROWS, dtype=np.int8))),
            "outcome": pa.array(OUTCOMES).take(pa.array(rng.choice(len(OUTCOMES), CHUNK_ROWS, p=[0.1, 0.5, 0.3, 0.1]))),
        }
    )


class _Places:
    """Where incidents fall: round centres, or anywhere in a ward in proportion to its residents."""

    def __init__(self, areas: Path, *, variant: str, seed: int) -> None:
        import geopandas as gpd
        import pandas as pd

        rng = np.random.default_rng([seed, 1 << 32])
        wards = gpd.read_file(areas / "wards.geojson").to_crs("EPSG:27700")
        people = pd.read_csv(areas / "population.csv").set_index("area_code")["population"]
        residents = people.reindex(wards["area_code"]).fillna(0).to_numpy(np.float64)
        self._boxes = wards.geometry.bounds.to_numpy()
        self._chance = residents / residents.sum()
        self._centres = self._anywhere(CENTRES, rng=rng)
        self._spread = rng.uniform(80, 450, CENTRES)
        pull = rng.lognormal(0, 1, CENTRES)
        self._pull = pull / pull.sum()
        self._spots = None
        if variant == "snapped":
            self._spots = np.round(self._fresh(SPOTS, rng=rng))
            use = rng.lognormal(0, 1.2, SPOTS)
            self._use = use / use.sum()

    def _anywhere(self, n: int, *, rng: np.random.Generator) -> Floats:
        box = self._boxes[rng.choice(len(self._boxes), n, p=self._chance)]
        return np.asarray(box[:, :2] + rng.random((n, 2)) * (box[:, 2:] - box[:, :2]), dtype=np.float64)

    def _fresh(self, n: int, *, rng: np.random.Generator) -> Floats:
        xy = self._anywhere(n, rng=rng)
        near = np.flatnonzero(rng.random(n) < CLUSTERED_SHARE)
        centre = rng.choice(CENTRES, len(near), p=self._pull)
        xy[near] = self._centres[centre] + rng.standard_normal((len(near), 2)) * self._spread[centre, None]
        return xy

    def draw(self, n: int, *, rng: np.random.Generator) -> Floats:
        """Draw places, shape (n, 2), metres to the decimetre."""
        if self._spots is None:
            return np.round(self._fresh(n, rng=rng), 1)
        return np.asarray(self._spots[rng.choice(SPOTS, n, p=self._use)], dtype=np.float64)
