# ruff: noqa: INP001, T201 -- a script that is run by hand, outside the package
"""Make boroughs.geojson, wards.geojson and population.csv. Run once; the results are committed.

    python data/sample/make_areas.py londonBoroughs.json census2021-ts007a-ltla.csv --out data/sample

The first file comes from the npm package vega-datasets 3.2.1 (`npm pack vega-datasets@3.2.1`, then
data/londonBoroughs.json), the second is Census 2021 table TS007A by lower-tier authority, as the Office for National
Statistics publishes it (columns "geography code", "geography", "Age: Total").

Outlines are real. TopoJSON names no CRS; its numbers are degrees, and read as EPSG:4326 they fall within metres of the
Office for National Statistics' outlines. Wards are synthetic: nobody lives in "Camden 03 (synthetic)".

How a borough is cut into wards
1. Draw places, thicker round a few random centres, so that central wards come out smaller.
2. Let Lloyd's relaxation settle one seed per ward and about 36 small blocks per ward on them.
3. Give each block to the nearest ward seed, seen through a gently warped map, so that borders wander as real ones do.
4. Simplify the borders between wards together, so that both sides keep the same line.
5. Put all borders and outlines on one grid of 0.000001 degree (about 0.1 m), node them there, and build areas from the
   faces. Every area is made of whole faces, so no gap and no overlap is possible; an outline gains a vertex
   (and moves by at most that grid) where a ward border meets it.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

SEED = 20250802
GRID_DEG = 1e-6
BLOCKS_PER_WARD = 36
CITY = "E09000001"
LONDON = "E12000007"
REAL = (
    "Outlines of the 33 London boroughs. Contains National Statistics data and Ordnance Survey data (c) Crown "
    "copyright and database right 2015, licensed under the Open Government Licence v3.0."
)
MADE_UP = "Synthetic wards for trying the software out: invented areas that partition the London boroughs."

Array = NDArray[np.float64]
Borough = tuple[str, str, int]  # code, name, residents
to_metres = pyproj.Transformer.from_crs(4326, 27700, always_xy=True).transform
to_degrees = pyproj.Transformer.from_crs(27700, 4326, always_xy=True).transform


def reproject(geometry: object, transform: object) -> object:
    """Move every vertex of a geometry or an array of them."""
    return shapely.transform(geometry, lambda xy: np.column_stack(transform(xy[:, 0], xy[:, 1])))  # type: ignore[operator]


def read_topology(path: Path) -> dict[str, shapely.Geometry]:
    """Decode quantised TopoJSON into one valid polygon per name; count what had to be repaired."""
    topology = json.loads(path.read_text("utf-8"))
    scale, shift = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    arcs = [np.cumsum(arc, axis=0) * scale + shift for arc in topology["arcs"]]

    def ring(indices: list[int]) -> Array:
        parts = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in indices]
        return np.vstack([parts[0], *(part[1:] for part in parts[1:])])

    found = {}
    for item in topology["objects"]["boroughs"]["geometries"]:
        groups = item["arcs"] if item["type"] == "MultiPolygon" else [item["arcs"]]
        outline = shapely.MultiPolygon([(ring(g[0]), [ring(hole) for hole in g[1:]]) for g in groups])
        if not outline.is_valid:
            print(f"repaired {item['id']}: {shapely.is_valid_reason(outline)}")
            outline = shapely.make_valid(outline)
            outline = shapely.union_all([p for p in shapely.get_parts(outline) if p.geom_type.endswith("Polygon")])
        found[item["id"]] = outline
    return found


def inside(rng: np.random.Generator, outline: shapely.Geometry, count: int, centres: Array, spread_m: float) -> Array:
    """Draw places in an outline, about four times as thick at a centre as far from one."""
    west, south, east, north = outline.bounds
    shapely.prepare(outline)
    kept: list[Array] = []
    while sum(map(len, kept)) < count:
        xy = rng.random((count * 2, 2)) * (east - west, north - south) + (west, south)
        away = cKDTree(centres).query(xy)[0] / spread_m
        xy = xy[rng.random(len(xy)) < 0.25 + 0.75 * np.exp(-0.5 * away**2)]
        kept.append(xy[shapely.contains_xy(outline, xy)])
    return np.vstack(kept)[:count]


def settle(rng: np.random.Generator, places: Array, count: int, rounds: int) -> Array:
    """Lloyd's relaxation on a cloud of places."""
    seeds = places[rng.permutation(len(places))[:count]]
    for _ in range(rounds):
        owner = cKDTree(seeds).query(places)[1]
        size = np.bincount(owner, minlength=count)[:, None]
        total = np.column_stack([np.bincount(owner, weights=places[:, k], minlength=count) for k in (0, 1)])
        seeds = np.where(size > 0, total / np.maximum(size, 1), seeds)
    return seeds


def warp(rng: np.random.Generator, xy: Array, wavelength_m: float) -> Array:
    """Displace places smoothly by a few waves, so that straight bisectors become winding ones."""
    moved = xy.copy()
    for octave in (1.0, 2.1):
        for axis in (0, 1):
            angle, phase = rng.random(2) * 2 * np.pi
            along = xy @ np.array([np.cos(angle), np.sin(angle)])
            moved[:, axis] += 0.11 * wavelength_m / octave * np.sin(2 * np.pi * octave * along / wavelength_m + phase)
    return moved


def cut(
    rng: np.random.Generator, outline: shapely.Geometry, wards: int
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Cut an outline (metres) into ward shapes that still reach past it; also blocks per ward, a stand-in for homes."""
    width_m = float(np.sqrt(outline.area / wards))
    first = inside(rng, outline, 200, np.array([[1e9, 1e9]]), 1.0)
    centres = first[: 2 + wards // 5]
    places = inside(rng, outline, wards * BLOCKS_PER_WARD * 25, centres, 1.3 * width_m)
    seeds = settle(rng, places, wards, 25)
    blocks = settle(rng, places, wards * BLOCKS_PER_WARD, 4)
    joint = warp(rng, np.vstack([seeds, blocks]), 2.2 * width_m)
    owner = cKDTree(joint[:wards]).query(joint[wards:])[1]
    cells = shapely.voronoi_polygons(
        shapely.MultiPoint(blocks), extend_to=shapely.box(*outline.bounds).buffer(width_m), ordered=True
    )
    cells = np.array(shapely.get_parts(cells))
    shapes = np.array([shapely.coverage_union_all(cells[owner == k]) for k in range(wards)])
    return shapely.coverage_simplify(shapes, 0.05 * width_m), np.bincount(owner, minlength=wards)


def reunite(owner: NDArray[np.int64], faces: NDArray[np.object_], mainland: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hand a ward's detached pieces to the neighbour of the same borough they share the longest border with."""
    lines = shapely.boundary(faces)
    left, right = shapely.STRtree(faces).query(faces, predicate="touches")
    shared = shapely.length(shapely.intersection(lines[left], lines[right]))
    keep = shared > 0
    left, right, shared = left[keep], right[keep], shared[keep]
    area = shapely.area(faces)
    for _ in range(3):
        for ward in np.unique(owner):
            members = np.flatnonzero(owner == ward)
            seen = {int(members[np.argmax(area[members])])}
            grown = True
            while grown:
                near = {int(r) for a, r in zip(left, right, strict=True) if int(a) in seen and owner[r] == ward}
                grown = not near <= seen
                seen |= near
            for face in set(members.tolist()) - seen:
                around = (left == face) & (mainland[right] == mainland[face]) & (owner[right] != ward)
                if around.any():
                    owner[face] = owner[right[around][np.argmax(shared[around])]]
    return owner


def share_out(total: int, weights: Array) -> NDArray[np.int64]:
    """Split a whole number by weights, largest remainders first, so that the parts sum to it exactly."""
    exact = total * weights / weights.sum()
    parts = np.floor(exact).astype(np.int64)
    parts[np.argsort(-(exact - parts), kind="stable")[: total - parts.sum()]] += 1
    return parts


def write_layer(path: Path, name: str, text: str, rows: list[tuple[dict[str, str], shapely.Geometry]]) -> None:
    """Write compact RFC 7946 GeoJSON: counter-clockwise shells, six decimals, bbox, an id per feature."""

    def number(value: float) -> float:
        return round(float(value), 6)

    features = []
    for properties, shape in rows:
        parts = [shapely.orient_polygons(p) for p in shapely.get_parts(shape)]
        rings = [[[[number(x), number(y)] for x, y in r.coords] for r in (p.exterior, *p.interiors)] for p in parts]
        single = len(rings) == 1
        geometry = {"type": "Polygon" if single else "MultiPolygon", "coordinates": rings[0] if single else rings}
        features.append(
            {"type": "Feature", "id": properties["area_code"], "properties": properties, "geometry": geometry}
        )
    bbox = [number(v) for v in shapely.total_bounds([shape for _, shape in rows])]
    head = json.dumps(
        {"type": "FeatureCollection", "name": name, "description": text, "bbox": bbox}, ensure_ascii=False
    )
    body = ",\n".join(json.dumps(f, separators=(",", ":"), ensure_ascii=False) for f in features)
    path.write_text(head[:-1] + ', "features": [\n' + body + "\n]}\n", "utf-8", newline="\n")


def cut_boroughs(
    rng: np.random.Generator, boroughs: list[Borough], outlines: dict[str, shapely.Geometry]
) -> tuple[NDArray[np.object_], NDArray[np.int64], Array]:
    """Cut every borough; per ward its shape in degrees, the position of its borough, and its homes."""
    shapes, parents, homes = [], [], []
    for index, (code, name, people) in enumerate(boroughs):
        wards = 8 if code == CITY else int(np.clip(round(15 + 9 * (people - 150_000) / 240_000), 15, 24))
        made, blocks = cut(rng, reproject(outlines[name], to_metres), wards)
        shapes.append(reproject(shapely.segmentize(made, 400.0), to_degrees))
        parents.append(np.full(wards, index))
        homes.append(blocks**0.7 * np.exp(0.18 * rng.standard_normal(wards)))
    return np.concatenate(shapes), np.concatenate(parents), np.concatenate(homes)


def fit(outlines: NDArray[np.object_], shapes: NDArray[np.object_], parents: NDArray[np.int64]) -> NDArray[np.object_]:
    """Clip wards to their outlines on one common grid, without gap or overlap."""
    borders = shapely.intersection(shapely.boundary(shapes), outlines[parents])
    noded = shapely.union_all(np.concatenate([shapely.boundary(outlines), borders]), grid_size=GRID_DEG)
    faces = np.array(shapely.get_parts(shapely.polygonize([noded])))
    point, outline = shapely.STRtree(outlines).query(shapely.point_on_surface(faces), predicate="within")
    faces = faces[point]
    point, ward = shapely.STRtree(shapes).query(shapely.point_on_surface(faces), predicate="intersects")
    match = parents[ward] == outline[point]
    owner = np.full(len(faces), -1)
    owner[point[match]] = ward[match]
    if (owner < 0).any():
        raise SystemExit("a piece of a borough belongs to none of its wards")
    owner = reunite(owner, faces, outline)
    return np.array([shapely.coverage_union_all(faces[owner == k]) for k in range(len(shapes))])


def reading_order(shapes: NDArray[np.object_]) -> list[int]:
    """Sort wards as a page is read: four bands from north to south, west to east in each."""
    middle = shapely.get_coordinates(shapely.centroid(shapes))
    south, north = middle[:, 1].min(), middle[:, 1].max()
    band = (3.999 * (north - middle[:, 1]) / (north - south)).astype(int)
    return np.lexsort((middle[:, 0], band)).tolist()


def main() -> None:
    """Read the two sources, cut, verify, write three files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("topology", type=Path)
    parser.add_argument("census", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    outlines = read_topology(arguments.topology)
    with arguments.census.open(encoding="utf-8-sig", newline="") as stream:
        census = [(r["geography code"], r["geography"], int(r["Age: Total"])) for r in csv.DictReader(stream)]
    boroughs = sorted(row for row in census if row[0].startswith("E09"))
    if sorted(name for _, name, _ in boroughs) != sorted(outlines):
        parser.error("the two sources do not name the same boroughs")

    rng = np.random.Generator(np.random.PCG64(SEED))
    shapes, parents, homes = cut_boroughs(rng, boroughs, outlines)
    shapes = fit(np.array([outlines[name] for _, name, _ in boroughs]), shapes, parents)

    borough_rows, ward_rows, people_rows, small_rows = [], [], [], []
    for index, (code, name, people) in enumerate(boroughs):
        members = np.flatnonzero(parents == index)
        members = members[reading_order(shapes[members])]
        for number, (k, count) in enumerate(zip(members, share_out(people, homes[members]), strict=True), start=1):
            ward = {"area_code": f"SYN-{code}-{number:02d}", "area_name": f"{name} {number:02d} (synthetic)"}
            ward_rows.append(({**ward, "parent_code": code, "parent_name": name}, shapes[k]))
            small_rows.append((*ward.values(), "ward", str(count), "2021", "synthetic"))
        borough = {"area_code": code, "area_name": name, "region_code": LONDON}
        borough_rows.append((borough, shapely.coverage_union_all(shapes[members])))
        people_rows.append((code, name, "borough", str(people), "2021", "census 2021"))

    for rows in (ward_rows, borough_rows):
        made = np.array([shape for _, shape in rows])
        if not shapely.coverage_is_valid(made) or not shapely.is_valid(made).all():
            parser.error("the areas do not fit together")
    write_layer(arguments.out / "boroughs.geojson", "boroughs", REAL, borough_rows)
    write_layer(arguments.out / "wards.geojson", "synthetic_wards", MADE_UP, ward_rows)
    with (arguments.out / "population.csv").open("w", encoding="utf-8", newline="") as stream:
        head = ("area_code", "area_name", "level", "population", "year", "kind")
        csv.writer(stream, lineterminator="\n").writerows([head, *people_rows, *small_rows])
    print(f"{len(borough_rows)} boroughs, {len(ward_rows)} synthetic wards")


if __name__ == "__main__":
    main()
