"""Analysis cells: squares and hexagons that coincide from run to run.

Both grids are anchored at the working system's origin, whatever the data's extent, so a cell keeps its identity (and
its id) when the extent changes. Cells are numbered row by row from the south-west corner.
"""

from pipeline.grid.growing import grown
from pipeline.grid.hexagons import HexGrid
from pipeline.grid.lines import cut_segments
from pipeline.grid.squares import Grid

__all__ = ["Grid", "HexGrid", "cut_segments", "grown"]
