"""Rules that the package's own source must obey, as functions over its syntax trees."""

import ast
import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "pipeline"

# Code from data, other processes, and stores that run code when they are read.
IMPORTS = frozenset({
    "pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "subprocess", "pty", "code", "codeop",
    "ctypes", "cffi", "webbrowser", "telnetlib", "ftplib", "smtplib", "xmlrpc", "runpy", "imp",
})  # fmt: skip
CALLS = frozenset({
    "eval", "exec", "compile", "__import__", "system", "popen", "execv", "execve", "execvp", "spawnl", "spawnv",
    "posix_spawn", "startfile", "read_pickle", "to_pickle", "mktemp", "unsafe_load", "unsafe_load_all", "full_load",
    "full_load_all", "_create_unverified_context", "enable_load_extension", "load_extension", "fork", "set_unsafe",
})  # fmt: skip
CALLS_OF = frozenset({("yaml", "load"), ("yaml", "load_all"), ("np", "load"), ("numpy", "load"), ("re", "template")})
KEYWORDS = frozenset({("shell", True), ("allow_pickle", True), ("verify", False), ("check_hostname", False)})
HARMLESS = frozenset({("re", "compile"), ("platform", "system")})
# A safe loader may be made stricter: the configuration refuses keys that stand twice.
YAML = frozenset({"safe_load", "safe_dump", "YAMLError", "SafeLoader", "MappingNode", "constructor"})

# Modules that speak to other computers. `hotspots fetch` is the usual door; others open
# for Dask, and for databases and addresses that a configuration names.
NETWORK = ("socket", "ssl", "http", "urllib.request", "urllib.error", "urllib.robotparser", "requests", "httpx",
           "aiohttp", "urllib3", "distributed", "fsspec", "asyncio", "sqlalchemy", "psycopg")  # fmt: skip
NETWORK_ROOMS = {
    "fetch/": ("httpx", "ssl", "urllib.robotparser"),
    "stages/engines.py": ("distributed",),
    "ingest/databases.py": ("sqlalchemy",),
    "ingest/remote.py": ("httpx", "fsspec"),
}

# Rooms that may hold a database: the locked DuckDB of the readers, and GeoPackages, which are SQLite.
DATABASE_ROOMS = ("ingest/", "aggregate/reduce.py", "release/sketches.py", "storage/duckdb.py",
                  "commands/doctor.py", "publish/exports/geopackage.py")  # fmt: skip
QUOTED = frozenset({"identifier", "literal", "scan_parts", "cell_text"})
SQL = re.compile(
    r"\b(SELECT|FROM|COPY|ATTACH|INSERT INTO|CREATE TABLE|ORDER BY|GROUP BY|WHERE|CASE WHEN|PRAGMA|read_csv\(|"
    r"read_parquet\(|split_part\(|strpos\(|trim\(c|SET \w+ =)"
)
# What is put into SQL and comes from outside the function that writes it, and why it is not data.
REVIEWED = {
    "ingest/formats/files.py": {"expression": "written by callers in this package", "self.scan": "made with literal()",
                                "opened.scan": "made with literal()",
                                 "rows": "an integer", "column": "an integer"},
    "ingest/incidents/columns.py": {"column": "an integer"},
    "ingest/incidents/coordinate_notation.py": {"cells": "by cell_text()", "cells[0]": "by cell_text()",
                                        "cells[1]": "by cell_text()", "cell": "by cell_text()",
                                        "opened.scan": "made with literal()"},
    "ingest/incidents/dates.py": {"text": "by cell_text()", "opened.scan": "made with literal()",
                                         "_fits(text, kind, last_date)": "of the above and integers"},
    "ingest/recognition/tables.py": {"opened.first_rows(rows).scan": "made with literal()"},
    "ingest/databases.py": {"self._rows_of()": "a quoted table, or the user's own statement, checked",
                            "rows_of": "by _rows_of()", "name": "by quoted()",
                            "self.database.quoted(columns[mark])": "by identifier(), or by the database's dialect",
                            "name(columns[mark])": "by quoted()", "name(columns[i])": "by quoted()"},
    "aggregate/reduce.py": {"texts": "constants of the module",
                            "kept": "a table's name", "victims": "a table's name", "asked.outcomes": "constants",
                            "outcomes": "constants", "asked.scan": "by scan_parts()",
                            "variable.sql": "constants of VARIABLES", "_column(variable)": "by identifier()",
                            "_counted_in(outside)": "by literal()", "_in_total(outside)": "by literal()",
                            "_elsewhere(unplaced_inside)": "constants", "_in_total(self.outside)": "by literal()",
                            "with_place(placeholders=placeholders, precision=precision)": "floats, and by literal()",
                            "condition": "by with_place() or within_region()", "first": "an integer",
                            "last": "an integer", "self._rows()": "of the above, scan_parts() and integers",
                            "_DERIVED.get(name, identifier(name))": "a constant, or by identifier()"},
    "release/sketches.py": {"scan": "by scan_parts()", "key": "by literal()", "token": "a constant of the module",
                            "rows": "a constant of the module"},
    "ingest/postcodes.py": {"layout.at['postcode']": "an integer", "layout.at[role]": "an integer",
                            **dict.fromkeys(("x", "y", "ended", "in_use"), "constants and integers"),
                            "opened.scan": "made with literal()"},
    "ingest/formats/text.py": {"skip": "an integer", "opened.scan": "made with literal()"},
    "ingest/incidents/repeated_ids.py": {"self.scan": "by scan_parts()", "which": "a constant of the caller",
                                     "_hashed(_CONTENT)": "by identifier()",
                                     "_hashed(_BESIDE_CATEGORIES)": "by identifier()",
                                     **dict.fromkeys(("Fate.DUPLICATE", "Fate.MERGED", "Fate.CONFLICT", "Fate.REPLACED",
                                                      "RepeatedId.CATEGORIES", "RepeatedId.FIRST", "RepeatedId.AUTO",
                                                      "RepeatedId.ERROR"), "a member of an enum")},
}  # fmt: skip


@contextmanager
def garbage_kept() -> Iterator[None]:
    """Keep the garbage collector off: nothing of a tree becomes garbage, and looking for it takes most of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def trees(package: Path = PACKAGE) -> tuple[tuple[str, ast.Module], ...]:
    """Return every file of a package, by its path in it."""
    return _parsed(package)


@cache
def _parsed(package: Path) -> tuple[tuple[str, ast.Module], ...]:
    files = sorted(package.rglob("*.py"))
    with garbage_kept():
        return tuple((path.relative_to(package).as_posix(), ast.parse(path.read_text("utf-8"))) for path in files)


def children(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a node, without the marks of loading and storing."""
    found: list[ast.AST] = []
    for part in vars(node).values():
        if isinstance(part, list):
            found += [inner for inner in part if isinstance(inner, ast.AST)]
        elif isinstance(part, ast.AST) and not isinstance(part, ast.expr_context):
            found.append(part)
    return found


@cache
def nodes(tree: ast.AST) -> tuple[ast.AST, ...]:
    """Return what `ast.walk` yields, in its order, but for those marks; worked out once for each tree."""
    found = [tree]
    for node in found:  # it grows meanwhile
        found += children(node)
    return tuple(found)


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted name of every import."""
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dangers(tree: ast.AST) -> list[str]:
    """List what could run code from data or start a process."""
    found = [name for name in imported(tree) if name.split(".")[0] in IMPORTS]
    for node in nodes(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "yaml":
            found += [f"yaml.{node.attr}"] if node.attr not in YAML else []
        if not isinstance(node, ast.Call):
            continue
        owner = node.func.value.id if isinstance(getattr(node.func, "value", None), ast.Name) else ""
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        plain = any(w.arg == "allow_pickle" and getattr(w.value, "value", None) is False for w in node.keywords)
        if (name in CALLS or ((owner, name) in CALLS_OF and not plain)) and (owner, name) not in HARMLESS:
            found.append(f"{owner}.{name}".lstrip("."))
        for word in node.keywords:
            if isinstance(word.value, ast.Constant) and (word.arg, word.value.value) in KEYWORDS:
                found.append(f"{word.arg}={word.value.value}")
    return found


def network(where: str, tree: ast.AST) -> list[str]:
    """List imports that reach other computers, beside those this room may have."""
    allowed = next((names for room, names in NETWORK_ROOMS.items() if where.startswith(room)), ())
    names = [name for name in imported(tree) for n in NETWORK if name == n or name.startswith(n + ".")]
    return [name for name in names if not any(name == a or name.startswith(a + ".") for a in allowed)]


def databases(where: str, tree: ast.AST) -> list[str]:
    """List calls of a database outside the rooms for it; naming its errors is no call."""
    if where.startswith(DATABASE_ROOMS):
        return []
    found = []
    for node in nodes(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name, owner = node.func.attr, getattr(node.func.value, "id", "")
            asks = name in {"sql", "execute", "executemany", "executescript", "from_query"}
            if asks or (name == "connect" and owner in {"duckdb", "sqlite3"}):
                found.append(ast.unparse(node)[:80])
    return found


def unquoted(where: str, tree: ast.AST) -> list[str]:
    """List what is put into SQL without being a constant, a number, quoted by the one function for it, or reviewed."""
    if not any(isinstance(node, ast.JoinedStr) and _around(node) for node in nodes(tree)):
        return []  # no SQL with a gap in it
    return list(_unquoted(tree, Trust({}, frozenset(REVIEWED.get(where, {}))).with_names_of(tree)))


def _unquoted(node: ast.AST, trust: "Trust") -> Iterator[str]:
    if isinstance(node, SCOPES):
        trust = trust.with_names_of(node)
    if isinstance(node, ast.JoinedStr):
        parts = [p.value for p in node.values if isinstance(p, ast.FormattedValue)] if _around(node) else []
        yield from (f"{ast.unparse(part)} (line {node.lineno})" for part in parts if not trust.of(part))
    for child in ast.iter_child_nodes(node):
        yield from _unquoted(child, trust)


def _around(node: ast.JoinedStr) -> bool:
    """Whether the text around the gaps of an f-string is SQL."""
    return bool(SQL.search("".join(str(v.value) for v in node.values if isinstance(v, ast.Constant))))


def pasted(tree: ast.AST) -> list[str]:
    """List SQL put together by other means than f-strings: %, +, format."""
    found = []
    for node in nodes(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
            found += [ast.unparse(node)[:80] for side in (node.left, node.right) if _sql_text(side)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            found += [ast.unparse(node)[:80]] if _sql_text(node.func.value) else []
    return found


def _sql_text(node: ast.AST) -> bool:
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and bool(re.match(r"\s*(SELECT|COPY|WITH)\b", text))


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp)
SCOPES = (*FUNCTIONS, *COMPREHENSIONS)
MADE_OF = (ast.JoinedStr, ast.FormattedValue, ast.BinOp, ast.BoolOp, ast.Tuple, ast.List, ast.Starred, ast.Dict)
Names = dict[str, list[ast.AST | None]]


class Trust:
    """Whether an expression can hold nothing but what this package wrote: constants, numbers, and quoted texts.

    A name is trusted if everything assigned to it in its function is; parameters and attributes only if reviewed.
    """

    def __init__(self, names: Names, reviewed: frozenset[str]) -> None:
        self.names = names
        self.reviewed = reviewed
        self.asked: set[str] = set()

    def with_names_of(self, scope: ast.AST) -> "Trust":
        """Return the trust inside a function or a comprehension: its own names hide those outside."""
        found: Names = {}
        for node in _own(scope):
            _collect(node, found)
        return Trust(self.names | found, self.reviewed)

    def of(self, node: ast.AST | None) -> bool:
        """Whether an expression is trusted."""
        if node is None:
            return False
        if isinstance(node, ast.Constant) or ast.unparse(node) in self.reviewed:
            return True
        if isinstance(node, ast.Name):
            return node.id.isupper() or self._assigned(node.id)
        if isinstance(node, ast.Call):
            return self._call(node)
        return self._made(node)

    def _made(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Attribute | ast.Subscript):
            constant = isinstance(node.value, ast.Name) and node.value.id.isupper()
            return constant or (isinstance(node, ast.Subscript) and self.of(node.value))
        if isinstance(node, ast.IfExp):
            return self.of(node.body) and self.of(node.orelse)
        if isinstance(node, ast.GeneratorExp | ast.ListComp):
            return self.with_names_of(node).of(node.elt)
        if isinstance(node, ast.DictComp):
            inside = self.with_names_of(node)
            return inside.of(node.key) and inside.of(node.value)
        parts = [c for c in ast.iter_child_nodes(node) if isinstance(c, ast.expr)]
        return isinstance(node, MADE_OF) and all(map(self.of, parts))

    def _assigned(self, name: str) -> bool:
        if name in self.asked:  # made of itself: what else it was made of counts
            return True
        self.asked.add(name)
        good = all(map(self.of, self.names.get(name, [None])))
        self.asked.discard(name)
        return good

    def _call(self, node: ast.Call) -> bool:
        name = getattr(node.func, "id", "")
        if name in QUOTED | {"int", "float", "len", "range"}:
            return True
        inner = name in {"sorted", "tuple", "list", "repr"} or getattr(node.func, "attr", "") == "join"
        return inner and all(map(self.of, node.args))


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield what belongs to a scope itself, not to the scopes inside it."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, SCOPES):
            yield from _own(child)


def _collect(node: ast.AST, names: Names) -> None:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            _bind(target, node.value, names)
    elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
        _bind(node.target, node.value, names)
    elif isinstance(node, ast.For | ast.comprehension):
        _bind_each(node.target, node.iter, names)
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        _bind(node.optional_vars, None, names)
    elif isinstance(node, ast.arg):
        names.setdefault(node.arg, []).append(None)


def _bind(target: ast.AST, value: ast.AST | None, names: Names) -> None:
    if isinstance(target, ast.Name):
        names.setdefault(target.id, []).append(value)
    elif isinstance(target, ast.Tuple | ast.List):
        whole = value.elts if isinstance(value, ast.Tuple | ast.List) else []
        for i, inner in enumerate(target.elts):
            _bind(inner, whole[i] if len(whole) == len(target.elts) else None, names)


def _bind_each(target: ast.AST, source: ast.AST, names: Names) -> None:
    called = source.func if isinstance(source, ast.Call) else None
    if isinstance(target, ast.Tuple) and isinstance(source, ast.Call) and getattr(called, "id", "") == "enumerate":
        _bind(target.elts[0], ast.Constant(0), names)
        _bind_each(target.elts[1], source.args[0], names)
    elif isinstance(target, ast.Tuple):
        items = isinstance(called, ast.Attribute) and called.attr == "items"
        for inner in target.elts:
            _bind(inner, called.value if items and isinstance(called, ast.Attribute) else source, names)
    else:
        _bind(target, source, names)
