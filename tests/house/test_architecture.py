"""The shape of the package, as rules. `lint-imports` holds the order of the rooms (pyproject.toml); this, what they do.

A pure module takes and returns arrays, frames and frozen dataclasses: it opens no file, reads no clock, draws no
unseeded random number and prints nothing.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.kit.source_rules import nodes, trees

PACKAGE = Path(__file__).parents[2] / "pipeline"
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
MOST_NAMES = 20

OUTSIDE_WORLD = {"duckdb", "dask", "distributed", "folium", "pyogrio", "yaml", "os", "pathlib",
                 "io", "json", "logging", "time", "random", "subprocess", "typer", "rich"}  # fmt: skip
SIDE_EFFECTS = {"read_file", "read_csv", "read_parquet", "to_file", "to_csv", "to_parquet", "to_sql",
                "open", "write_text", "read_text", "now", "today", "print"}  # fmt: skip

# Folders and files that touch the world outside; every other module is pure. A folder ends in a slash.
IMPURE = (
    "__init__.py",
    "api.py",
    "aggregate/reduce.py",
    "cli.py",
    "commands/",
    "config/__init__.py",
    "config/reference.py",
    "config/templates/",
    "fetch/",
    "ingest/area_lookup.py",
    "ingest/areas.py",
    "ingest/context.py",
    "ingest/counts.py",
    "ingest/databases.py",
    "ingest/formats/",
    "ingest/incidents/repeated_ids.py",
    "ingest/incidents/read.py",
    "ingest/mask.py",
    "ingest/recognition/",
    "ingest/remote.py",
    "ingest/postcodes.py",
    "ingest/offence_weights.py",
    "ingest/small_areas.py",
    "ingest/street_layer.py",
    "publish/briefings/",
    "publish/exports/",
    "publish/map/",
    "publish/page.py",
    "publish/pages/",
    "publish/surroundings.py",
    "publish/words/catalogue.py",
    "release/ledger.py",
    "release/sketches.py",
    "release/stored.py",
    "stages/",
    "storage/",
)


@cache
def touches(module: str) -> set[str]:
    """Return what a module imports or calls of the world outside."""
    found: set[str] = set()
    for node in nodes(dict(trees())[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names} & OUTSIDE_WORLD
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "").split(".")[0]} & OUTSIDE_WORLD
        elif isinstance(node, ast.Call):
            found |= {getattr(node.func, "attr", getattr(node.func, "id", ""))} & SIDE_EFFECTS
    return found


def excepted(module: str) -> bool:
    return any(module == entry or (entry.endswith("/") and module.startswith(entry)) for entry in IMPURE)


@pytest.mark.slow  # it reads every file of the package
@pytest.mark.parametrize("module", [m for m in MODULES if not excepted(m)])
def test_pure_modules_touch_nothing_outside(module: str) -> None:
    assert touches(module) == set()


@pytest.mark.parametrize("entry", IMPURE)
def test_every_exception_is_needed(entry: str) -> None:
    held = [m for m in MODULES if m == entry or (entry.endswith("/") and m.startswith(entry))]
    assert any(touches(m) for m in held)


def test_few_names_stand_at_the_top() -> None:
    names = {p.name for p in PACKAGE.iterdir()} - {"__init__.py", "__main__.py", "py.typed", "__pycache__"}
    assert len(names) <= MOST_NAMES
