"""Street segments against published figures of Cleveland."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Transformer

from pipeline.detect.streets.network import nearest_segments
from pipeline.ingest.streets import segments_of
from pipeline.statistics.concentration import units_holding_pct


@pytest.mark.real
@pytest.mark.slow
def test_crimes_of_29_months_on_cleveland_s_segments(real_data: Path, conformance) -> None:
    source = "Cleveland, police.uk 2023-01 to 2025-05, OS OpenMap Local"
    folder = real_data / "streets_cleveland"
    roads = pd.read_parquet(folder / "cleveland_roads.parquet", columns=["id", "geometry"])
    shapes = shapely.from_wkt(roads["geometry"].to_numpy(dtype=object))
    everywhere = shapely.box(0, 0, 700_000, 1_300_000)
    layer = segments_of(
        shapes, ids=roads["id"], names=None, outline=everywhere, working="EPSG:27700", file="cleveland_roads"
    )
    files = sorted(folder.glob("*-cleveland-street.csv.gz"))
    crimes = pd.concat([pd.read_csv(f, usecols=["Longitude", "Latitude"]) for f in files]).dropna()
    to_grid = Transformer.from_crs("EPSG:4326", "EPSG:27700", always_xy=True)
    places = np.column_stack(to_grid.transform(crimes["Longitude"].to_numpy(), crimes["Latitude"].to_numpy()))
    distinct, of = np.unique(places, axis=0, return_inverse=True)
    near = nearest_segments(layer.frame.geometry.to_numpy(), distinct)
    counts = np.bincount(near.segment[of.ravel()], minlength=len(layer.frame))
    # 28 of the 33,481 features are in two parts, each of which is a segment here.
    assert (len(files), len(shapes), len(layer.frame), int(counts.sum())) == (29, 33_481, 33_509, 222_552)
    assert "28 segments more" in layer.cautions[0]
    for share, expected in ((25, 0.58), (50, 2.33), (80, 7.4)):
        got = units_holding_pct(counts, share)
        conformance(f"segments with {share} % of crimes, %", source, expected, round(got, 2))
        assert got == pytest.approx(expected, abs=0.005)
