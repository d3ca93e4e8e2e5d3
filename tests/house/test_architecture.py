"""The shape of the package, as rules. Read FLOORS to learn the import order."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "pipeline"
MAX_LINES = 300

# Bottom first. A module may import floors strictly below its own, plus the same-floor pairs in SIDEWAYS. Every module
# is on exactly one floor; a sub-package counts as one module.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("schemas", "config"),
    # Nouns of the field.
    ("crs", "grid", "periods", "palette", "categories", "dates", "intervals", "weights", "fdr", "relations", "bands",
     "reasons"),
    # One method each.
    ("areas", "audit", "clusters", "counts", "etest", "gistar", "history", "isopleths", "kde", "knox", "moran",
     "outline", "quality", "rates", "rounding", "scan", "scoretest", "simplify", "tallies"),
    # What combines methods.
    ("backtest", "change", "circumstances", "density", "emerging", "events", "hotspots", "outcomes", "repeats", "risk",
     "sample", "significance", "suppress"),
    # The gate.
    ("disclosure",),
    # The outside world: records and words first, then what is built from them.
    ("records", "page", "charts", "findings", "phrases"),
    ("readers", "store", "exports", "maps", "briefings", "frontdoor", "manifest", "engine", "engine_local",
     "engine_dask", "ledger", "protection", "workspace", "salt", "samples", "templates", "dictionary", "reference",
     "fetch"),
    ("stages",),
    ("run",),
    ("terminal", "backtests", "bench", "doctor"),
    ("cli",),
    ("__main__", "__init__"),
)  # fmt: skip
SIDEWAYS = {("engine_local", "engine"), ("engine_dask", "engine"), ("ledger", "workspace"), ("salt", "workspace")}
PURE = FLOORS[2] + FLOORS[3] + FLOORS[4] + FLOORS[5]  # numbers and geometry in, numbers and geometry out
OUTSIDE_WORLD = {
    "duckdb",
    "dask",
    "distributed",
    "folium",
    "pyogrio",
    "yaml",
    "os",
    "pathlib",
    "io",
    "json",
    "logging",
    "time",
    "random",
    "subprocess",
    "typer",
    "rich",
}

SIDE_EFFECTS = {
    "read_file",
    "read_csv",
    "read_parquet",
    "to_file",
    "to_csv",
    "to_parquet",
    "to_sql",
    "open",
    "write_text",
    "read_text",
    "now",
    "today",
    "print",
}

LEVEL = {name: i for i, floor in enumerate(FLOORS) for name in floor}
SOURCES: dict[str, list[Path]] = {}  # module -> its files; a sub-package counts as one module
for path in sorted(PACKAGE.rglob("*.py")):
    SOURCES.setdefault(path.relative_to(PACKAGE).parts[0].removesuffix(".py"), []).append(path)
MODULES = sorted(SOURCES)


def nodes(module: str) -> list[ast.AST]:
    return [node for path in SOURCES[module] for node in ast.walk(ast.parse(path.read_text("utf-8")))]


def imports(module: str) -> tuple[set[str], set[str]]:
    """Return (sibling modules, outside top-level packages) imported anywhere in the file."""
    siblings, outside = set(), set()
    for node in nodes(module):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ("pipeline." if node.level else "") + (node.module or "")
            names = [f"{base.rstrip('.')}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            top, *rest = name.split(".")
            if top == "pipeline":
                siblings.add(rest[0] if rest and rest[0] in LEVEL else "__init__")
            else:
                outside.add(top)
    return siblings - {module}, outside


def test_every_module_stands_on_one_floor() -> None:
    assert sorted(LEVEL) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_point_down(module: str) -> None:
    siblings, _ = imports(module)
    up = {s for s in siblings if LEVEL[s] >= LEVEL[module] and (module, s) not in SIDEWAYS}
    assert not up, f"{module} (floor {LEVEL[module]}) may not import {sorted(up)}"


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_touch_nothing_outside(module: str) -> None:
    _, outside = imports(module)
    assert not outside & OUTSIDE_WORLD


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_call_no_side_effects(module: str) -> None:
    called = {getattr(c.func, "attr", getattr(c.func, "id", "")) for c in nodes(module) if isinstance(c, ast.Call)}
    assert not called & SIDE_EFFECTS


@pytest.mark.parametrize("module", MODULES)
def test_modules_stay_readable(module: str) -> None:
    longest = max(len(path.read_text("utf-8").splitlines()) for path in SOURCES[module])
    assert longest <= MAX_LINES
