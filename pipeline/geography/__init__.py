"""Geography, independent of crime data: projection, areas and their index, grids, neighbours, topology.

Import from the modules: `projection` (one transformation for points and boundaries), `areas` (which area holds a
point, the study area), `grid` (square and hexagonal cells), `neighbours` (weights and permutations, groups of wards),
`topology` (shared outlines).
"""

__all__: list[str] = []
