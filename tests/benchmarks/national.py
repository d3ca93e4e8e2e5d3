"""A made-up country and one measured run of it: python -m tests.benchmarks.national --rows 9000000 --folder FOLDER.

8,500 wards in 340 districts, 750 thousand map points, 180 months with a file each: the size of police open data of
England and Wales since it began. Nothing in it ever happened. Files are written month by month, so that memory does not
depend on the rows; equal arguments give equal bytes. 90 million rows are 6 GB of files.
"""

import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import yaml
from numpy.typing import NDArray

from tests.benchmarks.measuring import Limits, measure
from tests.benchmarks.settings import write_settings

__all__ = ["Country", "write_country", "write_months"]

MONTHS = 180
FIRST_MONTH = np.datetime64("2010-08")
SOUTH_WEST_M = 200_000, 100_000  # the country lies where the National Grid is valid
WARD_M = 4_000
DISTRICT_WARDS = 5  # wards along a side of a district
PATIENCE_S = 3 * 3600.0

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Country:
    """Square wards in square districts; `columns` and `rows` count wards and are multiples of five."""

    columns: int = 100
    rows: int = 85
    points: int = 750_000
    seed: int = 7

    def places(self) -> tuple[Ints, NDArray[np.float64]]:
        """Return the map points, eastings and northings in whole metres, and the cumulative chance of each."""
        rng = np.random.default_rng([self.seed, 1 << 33])
        wards = self.columns * self.rows
        size = rng.lognormal(0, 0.5, wards)
        ward = np.repeat(np.arange(wards), rng.multinomial(self.points, size / size.sum()))
        # Round the middle of the ward, as in a town; never on a border, where two wards could claim a point.
        offset = np.clip(rng.standard_normal((self.points, 2)) * WARD_M / 6, 1 - WARD_M / 2, WARD_M / 2 - 1)
        corner = np.stack([ward % self.columns, ward // self.columns], axis=1) * WARD_M + SOUTH_WEST_M
        chance = rng.lognormal(0, 1.2, self.points)
        return np.rint(corner + WARD_M / 2 + offset).astype(np.int64), np.cumsum(chance) / chance.sum()


def write_country(folder: Path, country: Country) -> None:
    """Write wards.geojson, boroughs.geojson and population.csv as the sample has them."""
    import geopandas as gpd
    import pandas as pd
    import shapely

    folder.mkdir(parents=True, exist_ok=True)
    column, row = (a.ravel() for a in np.meshgrid(np.arange(country.columns), np.arange(country.rows)))
    district = row // DISTRICT_WARDS * (country.columns // DISTRICT_WARDS) + column // DISTRICT_WARDS
    west, south = column * WARD_M + SOUTH_WEST_M[0], row * WARD_M + SOUTH_WEST_M[1]
    codes = [f"D{d + 1:03d}" for d in district]
    wards = gpd.GeoDataFrame(
        {
            "area_code": [f"W{c + 1:03d}{r + 1:03d}" for c, r in zip(column, row, strict=True)],
            "area_name": [f"Ward {c + 1}-{r + 1}" for c, r in zip(column, row, strict=True)],
            "parent_code": codes,
            "parent_name": [f"District {code[1:]}" for code in codes],
        },
        geometry=shapely.box(west, south, west + WARD_M, south + WARD_M),
        crs="EPSG:27700",
    )
    districts = wards.dissolve("parent_code", as_index=False)[["parent_code", "parent_name", "geometry"]]
    districts = districts.rename(columns={"parent_code": "area_code", "parent_name": "area_name"})
    for name, layer in (("wards", wards), ("boroughs", districts)):
        layer.to_crs("EPSG:4326").to_file(folder / f"{name}.geojson", driver="GeoJSON")
    people = pd.DataFrame({"area_code": wards["area_code"], "level": "ward", "population": 7_000, "year": 2021})
    above = wards.groupby("parent_code").size().rename_axis("area_code").reset_index(name="population")
    above = above.assign(population=7_000 * above["population"], level="borough", year=2021)
    pd.concat([above, people], ignore_index=True)[list(people)].to_csv(folder / "population.csv", index=False)


def write_months(folder: Path, country: Country, *, rows: int, months: int = MONTHS) -> list[Path]:
    """Write a CSV for each month, the rows spread evenly over them."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    folder.mkdir(parents=True, exist_ok=True)
    places, chance = country.places()
    paths = []
    for number in range(months):
        first, last = rows * number // months, rows * (number + 1) // months
        rng = np.random.default_rng([country.seed, number])
        at = places[np.searchsorted(chance, rng.random(last - first), side="right").clip(max=len(places) - 1)]
        month = FIRST_MONTH + number
        days = np.arange(month, month + 1, dtype="datetime64[D]")
        ids = pc.utf8_lpad(pc.cast(pa.array(np.arange(first + 1, last + 1)), pa.string()), 9, "0")
        outcomes = pa.array(["charged", "no suspect identified", "victim does not support", "pending"])
        table = pa.table(
            {
                "id": pc.binary_join_element_wise("N", ids, ""),
                "date": pa.array(rng.choice(days, last - first)),
                "easting": at[:, 0],
                "northing": at[:, 1],
                "type": pa.array(["Offence"] * (last - first)),
                "outcome": outcomes.take(pa.array(rng.choice(4, last - first, p=[0.1, 0.5, 0.3, 0.1]))),
            }
        )
        paths.append(folder / f"{month}.csv")
        csv.write_csv(table, paths[-1], csv.WriteOptions(quoting_style="none"))
    return paths


def _settings(config: Path, files: list[Path], *, areas: Path, rows: int, workers: int) -> None:
    """Write the benchmark's configuration for the country."""
    engine = "dask" if workers else "local"
    settings = write_settings(config, incidents=files, areas=areas, rows=rows, engine=engine, workers=max(workers, 1))
    settings["run"] |= {"name": "national", "place": "a made-up country", "title": "Offences"}
    settings["areas"]["region"] = {"code": "N1", "name": "Country"}
    del settings["areas"]["visitor_areas"]
    settings["categories"] = {"all_label": "Offences", "all_from": "offence"}
    config.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0


def main(
    rows: Annotated[int, typer.Option(min=MONTHS)] = 9_000_000,
    folder: Annotated[Path, typer.Option(help="Where to work; emptied afterwards.")] = Path("outputs/.national"),
    workers: Annotated[int, typer.Option(min=0, help="Dask workers; 0 for none.")] = 0,
    *,
    keep: Annotated[bool, typer.Option(help="Leave the files, and use those that are there.")] = False,
) -> None:
    """Write the country, run it, and print for each stage clock, CPU seconds and peak memory, and the disk used."""
    country = Country()
    data = folder / f"incidents-{rows}"
    if not (folder / "areas").is_dir():
        write_country(folder / "areas", country)
    files = sorted(data.glob("*.csv")) if keep and data.is_dir() else write_months(data, country, rows=rows)
    config = folder / "config.yaml"
    _settings(config, files, areas=folder / "areas", rows=rows, workers=workers)
    found = measure("tests.benchmarks.product", [str(config)], log=folder / "log", limits=Limits(PATIENCE_S, 12.0))
    record: dict[str, Any] = {
        "rows": rows,
        "workers": workers,
        "input_bytes": _bytes(data),
        "output_bytes": _bytes(folder / "outputs"),
        "steps": [asdict(step) for step in found],
    }
    sys.stdout.write(json.dumps(record, indent=1) + "\n")
    if not keep:
        shutil.rmtree(folder)


if __name__ == "__main__":
    typer.run(main)
