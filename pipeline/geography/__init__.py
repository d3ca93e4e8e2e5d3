"""Projection, areas and their index, grids, neighbours and topology."""
