"""What most analysts would write, step by step: python -m tests.benchmarks.baseline LOG CSV AREAS OUT GB SECONDS.

pandas reads the file, geopandas finds wards and boroughs, folium draws the choropleth, scikit-learn does the clusters
and the density: with the library's own kernel, as most scripts have it, and with a compact one, which is much faster
and which few ask for. The steps that may not survive come last. The density is evaluated on cells in a shuffled order;
where its time is up, the seconds are extrapolated from the share of cells done, and the measurement says so.
"""

import resource
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import Measured, Stopwatch, cpu_now, peak_mb_now
from tests.benchmarks.settings import CELL_M, COMPACT, EPS_M, KDE_BANDWIDTH_M, min_samples

__all__ = ["main"]

GAUSSIAN_M = KDE_BANDWIDTH_M / 7**0.5  # the library's own kernel, as wide as a quartic of that radius
CELLS_AT_ONCE = 50  # ten million points make a cell take half a second


def main(log: Path, files: list[Path], areas: Path, out: Path, *, memory_gb: float, seconds: float) -> None:
    """Run the script."""
    watch = Stopwatch(log)
    with watch.step("start"):
        import folium
        import geopandas as gpd
        import numpy as np
        import pandas as pd
        from sklearn.cluster import DBSCAN
        from sklearn.neighbors import KernelDensity
    resource.setrlimit(resource.RLIMIT_AS, (int(memory_gb * 1e9),) * 2)
    with watch.step("read"):
        frame = pd.concat([pd.read_csv(f, parse_dates=["date"]) for f in files], ignore_index=True)
    with watch.step("wards and boroughs"):
        points = gpd.GeoDataFrame(
            frame, geometry=gpd.points_from_xy(frame["easting"], frame["northing"]), crs="EPSG:27700"
        )
        wards = gpd.read_file(areas / "wards.geojson").to_crs("EPSG:27700")
        boroughs = gpd.read_file(areas / "boroughs.geojson").to_crs("EPSG:27700")
        in_wards = gpd.sjoin(points, wards[["area_code", "geometry"]], predicate="within")
        in_boroughs = gpd.sjoin(points, boroughs[["area_code", "geometry"]], predicate="within")
        by_ward = in_wards.groupby("area_code").size().rename("incidents").reset_index()
        in_boroughs.groupby(["area_code", in_boroughs["date"].dt.month]).size()
    with watch.step("map"):
        page = folium.Map(location=[51.5, -0.1], zoom_start=10)
        folium.Choropleth(
            geo_data=wards.to_crs("EPSG:4326").to_json(),
            data=by_ward,
            columns=["area_code", "incidents"],
            key_on="feature.properties.area_code",
        ).add_to(page)
        page.save(str(out / "baseline.html"))
    xy = frame[["easting", "northing"]].to_numpy(np.float64)
    del points, in_wards, in_boroughs
    compact = KernelDensity(kernel="epanechnikov", bandwidth=KDE_BANDWIDTH_M)
    _density(watch, COMPACT, compact, xy, seconds=seconds)
    _density(watch, "density", KernelDensity(bandwidth=GAUSSIAN_M), xy, seconds=seconds)
    with watch.step("clusters"):
        DBSCAN(eps=EPS_M, min_samples=min_samples(len(xy))).fit(xy)


def _density(watch: Stopwatch, name: str, model: Any, xy: Any, *, seconds: float) -> None:
    """Evaluate the density on a grid, as far as the time goes."""
    import numpy as np

    watch.begin(name)
    wall, cpu = time.monotonic(), cpu_now()
    model.fit(xy)
    east, north = (np.arange(low, high, CELL_M) for low, high in zip(xy.min(axis=0), xy.max(axis=0), strict=True))
    cells = np.stack(np.meshgrid(east, north), axis=-1).reshape(-1, 2)
    np.random.default_rng(1).shuffle(cells)
    fitted_wall, fitted_cpu, done = time.monotonic() - wall, cpu_now() - cpu, 0
    wall, cpu = time.monotonic(), cpu_now()
    while done < len(cells) and time.monotonic() - wall < seconds:
        np.exp(model.score_samples(cells[done : done + CELLS_AT_ONCE]))
        done += CELLS_AT_ONCE
    share = min(done / len(cells), 1.0)
    walls, cpus = fitted_wall + (time.monotonic() - wall) / share, fitted_cpu + (cpu_now() - cpu) / share
    fate = "" if share == 1 else f"extrapolated from {100 * share:.2g} % of the cells"
    watch.add(Measured(name, walls, cpus, peak_mb_now(), share=share, fate=fate))


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        [Path(p) for p in sys.argv[2].split("|")],
        Path(sys.argv[3]),
        Path(sys.argv[4]),
        memory_gb=float(sys.argv[5]),
        seconds=float(sys.argv[6]),
    )
