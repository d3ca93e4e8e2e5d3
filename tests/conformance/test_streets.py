"""Street segments against published figures of Cleveland."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Transformer

from pipeline.detect.streets.density import Located, NetworkKernel, network_density
from pipeline.detect.streets.segments import Network, nearest_segments
from pipeline.ingest.street_layer import segments_of
from pipeline.statistics.concentration import units_holding_pct
from tests.kit.r_data import read_rda


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


@pytest.mark.real
def test_densities_of_montreal_s_bicycle_accidents(real_data: Path, conformance) -> None:
    source = "spNetwork, results_vignette_nkde (discontinuous, quartic, 300 m)"
    folder = real_data / "network_kde"
    shapes = read_rda(folder / "mtl_network.rda")["mtl_network"][1]
    lines = np.array([shapely.LineString(xy) for xy in shapes], dtype=object)
    results = read_rda(folder / "results_vignette_nkde.rda")
    published = results["densities"]
    # The package's own events: accidents within 5 m of each other are one.
    events = results["adapt_densities"][0]
    columns = dict(zip(events.attributes["names"], events, strict=True))
    weights, xy = np.array(columns["weight"]), np.array(list(columns["geometry"]))
    # Samples are the middles of pieces of 200 m; a last piece under 50 m belongs to the one before.
    length = shapely.length(lines)
    pieces = [[0.0, *np.arange(200.0, whole - 50.0, 200.0), whole] for whole in length]
    segment = np.repeat(np.arange(len(lines)), [len(cuts) - 1 for cuts in pieces])
    middle = np.concatenate([(np.array(cuts[1:]) + np.array(cuts[:-1])) / 2 for cuts in pieces])

    near = nearest_segments(lines, xy)
    along = shapely.line_locate_point(lines[near.segment], shapely.points(xy))
    whole = length[near.segment]
    at_junction = np.minimum(along, whole - along) < 1.0  # the vignette's tolerance
    # The package tells places apart by coordinates cut to tenths of a metre. Ten events a few centimetres east of their
    # junction fall into the next tenth, so that it treats them as places in mid-street.
    corner = shapely.get_coordinates(
        shapely.line_interpolate_point(lines[near.segment], np.where(along < whole / 2, 0, whole))
    )
    cut_off = at_junction & (np.trunc(corner[:, 0] * 10) < np.trunc(xy[:, 0] * 10)) & (corner[:, 1] > xy[:, 1])
    along = np.where(at_junction & ~cut_off, np.where(along < whole / 2, 0.0, whole), along)
    found = network_density(
        Network.of(lines),
        Located(near.segment, along),
        weights,
        at=Located(segment, middle),
        kernel=NetworkKernel("discontinuous", 300.0, junction_m=1e-4),
    )
    got = found / 300  # the package divides by the bandwidth once more (div = "bw")
    conformance("densities on Montreal's network, number", source, 3163, len(got))
    conformance("their sum", source, 0.0120403172, got.sum())
    conformance("the greatest", source, 4.6165e-5, got.max())
    assert cut_off.sum() == 10
    assert len(published) == len(got) == 3163
    assert got.sum() == pytest.approx(0.0120403172, rel=1e-4)
    assert got.max() == pytest.approx(4.6165e-5, rel=1e-3)
    assert np.abs(got - published).max() < 1e-3 * published.max()
