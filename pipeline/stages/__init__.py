"""The stages of a run, in order: each loads, computes, saves, in a module of its name.

Exported: `STAGES`, the registry; `Stage`, an entry in it; `Context`, what a stage is handed; `Progress`.
"""

from pipeline.stages.context import Context, Progress, Stage

__all__ = ["STAGES", "Context", "Progress", "Stage"]

STAGES = (
    Stage(
        "ingest",
        "read boundaries and data, refuse what cannot be used, account for every row",
        ("crs", "areas", "incidents", "published_counts", "categories", "quality", "context"),
    ),
    Stage("aggregate", "count by area, month and category; reduce points to places", ("periods", "detect", "outcomes")),
    Stage("detect", "density, clusters, significance", ("run", "rates", "change", "emerging")),
    Stage("release", "withhold, round, derive and audit", ("profiles", "disclosure", "protection", "page", "map")),
    Stage("publish", "write maps, layers, tables and briefings", ("exports",)),
)
