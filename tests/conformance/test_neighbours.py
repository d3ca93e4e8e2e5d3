"""Neighbours against libpysal: real outlines and lattices."""

import geopandas as gpd
import numpy as np
import pytest

from pipeline.geography.neighbours import contiguity, lattice


@pytest.mark.parametrize("name", ["columbus", "stl_hom", "sids2"])
def test_neighbours_of_real_outlines(name: str, conformance) -> None:
    import libpysal

    shapes = gpd.read_file(libpysal.examples.get_path(f"{name}.shp"))
    expected = libpysal.graph.Graph.build_contiguity(shapes, rook=False).sparse.nnz
    got = contiguity(shapes.geometry.to_numpy()).matrix.nnz
    conformance(f"neighbours, {name}, queen", "libpysal Graph.build_contiguity", expected, got)
    assert got == expected


@pytest.mark.parametrize("rule", ["queen", "rook"])
def test_neighbours_on_a_lattice(rule: str, conformance) -> None:
    import libpysal

    expected = libpysal.weights.lat2W(7, 11, rook=rule == "rook").sparse.nnz
    got = lattice(np.ones((7, 11)), rule=rule).matrix.nnz
    conformance(f"neighbours on 7 by 11 cells, {rule}", "libpysal lat2W", expected, got)
    assert got == expected
