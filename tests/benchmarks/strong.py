"""What an analyst who knows the libraries would write: python -m tests.benchmarks.strong LOG CSV AREAS OUT GB.

Arrow reads the columns that are needed, points become distinct places with counts, a tree finds the ward of each place,
the density is a Fourier transform of a histogram, clusters are weighted, and the results are a map and a GeoPackage. It
protects nobody, and has no rates, changes or tests: `pipeline` does those too, and `report.py` states their price.
"""

import resource
import sys
from pathlib import Path

from tests.benchmarks.measuring import Stopwatch
from tests.benchmarks.settings import CELL_M, EPS_M, KDE_BANDWIDTH_M, min_samples

__all__ = ["main"]


def main(log: Path, files: list[Path], areas: Path, out: Path, *, memory_gb: float) -> None:
    """Run the script."""
    watch = Stopwatch(log)
    with watch.step("start"):
        import folium
        import geopandas as gpd
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc
        import shapely
        from pyarrow import csv
        from scipy.signal import fftconvolve
        from sklearn.cluster import DBSCAN
    resource.setrlimit(resource.RLIMIT_AS, (int(memory_gb * 1e9),) * 2)
    with watch.step("read"):
        wanted = csv.ConvertOptions(include_columns=["date", "easting", "northing"])
        table = pa.concat_tables([csv.read_csv(file, convert_options=wanted) for file in files])
        east, north = (np.rint(10 * table[name].to_numpy()).astype(np.int64) for name in ("easting", "northing"))
        month = pc.month(table["date"]).to_numpy()
    with watch.step("wards and boroughs"):
        wards = gpd.read_file(areas / "wards.geojson").to_crs("EPSG:27700")
        key, place, weight = np.unique(east << 32 | north, return_inverse=True, return_counts=True)
        xy = np.stack([key >> 32, key & 0xFFFFFFFF], axis=1) / 10
        ward = np.full(len(xy), len(wards))  # the last is for places outside
        found, at = shapely.STRtree(wards.geometry.to_numpy()).query(shapely.points(xy), predicate="intersects")
        ward[found] = at
        counts = np.bincount(ward[place] * 12 + month - 1, minlength=12 * (len(wards) + 1)).reshape(-1, 12)[:-1]
        by_borough = wards.assign(incidents=counts.sum(axis=1)).dissolve("parent_code", aggfunc={"incidents": "sum"})
    with watch.step("density"):
        low = xy.min(axis=0) - KDE_BANDWIDTH_M
        cell = ((xy - low) / CELL_M).astype(np.int64)
        shape = cell.max(axis=0) + 1 + int(KDE_BANDWIDTH_M / CELL_M)
        binned = np.bincount(cell[:, 0] * shape[1] + cell[:, 1], weights=weight, minlength=shape.prod()).reshape(shape)
        step = np.arange(-KDE_BANDWIDTH_M, KDE_BANDWIDTH_M + 1, CELL_M) / KDE_BANDWIDTH_M
        quartic = np.maximum(1 - step[:, None] ** 2 - step**2, 0) ** 2
        density = fftconvolve(binned, quartic * (3 / np.pi / KDE_BANDWIDTH_M**2 * 1e6), mode="same")
    with watch.step("clusters"):
        model = DBSCAN(eps=EPS_M, min_samples=min_samples(table.num_rows))
        label = model.fit(xy, sample_weight=weight).labels_
        size = np.bincount(label[label >= 0], weights=weight[label >= 0])
        outlines = [shapely.MultiPoint(xy[label == one]).convex_hull.buffer(EPS_M / 2) for one in range(len(size))]
    with watch.step("map"):
        by_ward = wards.assign(incidents=counts.sum(axis=1))
        hotspots = gpd.GeoDataFrame({"incidents": size}, geometry=outlines, crs=wards.crs)
        page = folium.Map(location=[51.5, -0.1], zoom_start=10)
        folium.Choropleth(
            geo_data=by_ward.assign(geometry=by_ward.simplify_coverage(20)).to_crs("EPSG:4326").to_json(),
            data=by_ward,
            columns=["area_code", "incidents"],
            key_on="feature.properties.area_code",
        ).add_to(page)
        folium.GeoJson(hotspots.to_crs("EPSG:4326").to_json()).add_to(page)
        page.save(str(out / "strong.html"))
        for name, layer in (("wards", by_ward), ("boroughs", by_borough.reset_index()), ("hotspots", hotspots)):
            layer.to_file(out / "strong.gpkg", layer=name, driver="GPKG")
        np.save(out / "density.npy", density)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]), [Path(p) for p in sys.argv[2].split("|")], Path(sys.argv[3]), Path(sys.argv[4]),
        memory_gb=float(sys.argv[5]),
    )  # fmt: skip
