"""Which keys of the configuration the program reads, found in its syntax trees by following types.

A key counts as read where its name is taken from something that holds its section: `config.run.seed`, `section.seed`
with `section = config.run` or `section: Run`, `p.threshold` with `for p in config.profiles`, an attribute of a class
that is annotated with a section, the result of a function that returns one; or where its path is given as the `switch`
of a method. The same name on anything else does not count, so a common name elsewhere hides nothing. Containers are
looked through: a tuple of sections is a section.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipeline.config import Config
from tests.kit.source_rules import children, garbage_kept, nodes, trees

Types = frozenset[str]
NOTHING: Types = frozenset()
# Built-in functions that hand on what they are given, or a part of it.
HANDS_ON = {
    "next",
    "iter",
    "list",
    "tuple",
    "sorted",
    "reversed",
    "enumerate",
    "zip",
    "set",
    "max",
    "min",
    "filter",
    "cast",
}
PIPELINE = Path(__file__).parents[2] / "pipeline"


def sections() -> dict[str, type[BaseModel]]:
    """Return every section of the configuration by the name of its class."""
    found: dict[str, type[BaseModel]] = {}

    def add(model: type[BaseModel]) -> None:
        if model.__name__ not in found:
            found[model.__name__] = model
            for field in model.model_fields.values():
                for inner in inner_sections(field.annotation):
                    add(inner)

    add(Config)
    return found


def inner_sections(annotation: Any) -> list[type[BaseModel]]:
    """Return the sections an annotation holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [s for part in getattr(annotation, "__args__", ()) for s in inner_sections(part)]


def keys(model: type[BaseModel] = Config, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Walk the schema: path, class and name of each key that holds a value (`incidents[].columns.id`)."""
    for name, field in model.model_fields.items():
        where = f"{path}.{name}" if path else name
        inner = inner_sections(field.annotation)
        if inner:
            many = "[]" if str(field.annotation).startswith("tuple") else ""
            for section in inner:
                yield from keys(section, where + many)
        else:
            yield where, model.__name__, name


@garbage_kept()
def readers(root: Path = PIPELINE) -> dict[tuple[str, str], set[str]]:
    """Return the places that read each key, by class and name; `config/` itself does not count."""
    files = {f"{root.name}/{where}": tree for where, tree in trees(root)}
    known = _Known(files)
    found: dict[tuple[str, str], set[str]] = {}
    for name, tree in files.items():
        if name.startswith(f"{root.name}/config/"):
            continue
        walk = _Walk(known, name, found)
        walk.names = {**known.imports[name]}
        walk.visit(tree)
    for name, model in known.sections.items():
        # What reads a section reads the keys that a section made from it has too.
        for base in (b for b in model.__mro__[1:] if b.__name__ in known.sections):
            for key in base.model_fields:
                if (base.__name__, key) in found:
                    found.setdefault((name, key), set()).update(found[base.__name__, key])
    return found


class _Known:
    """Classes and functions of the program, with the sections and classes their annotations name."""

    def __init__(self, trees: dict[str, ast.Module]) -> None:
        self.sections = sections()
        self.attributes: dict[str, dict[str, Types]] = {}
        self.returns: dict[str, Types] = {}
        self.imports: dict[str, dict[str, Types]] = {}
        self.aliases: dict[str, Types] = {}
        classes = {n.name for t in trees.values() for n in nodes(t) if isinstance(n, ast.ClassDef)}
        self.classes = classes - set(self.sections)
        for name, model in self.sections.items():
            self.attributes[name] = {
                key: frozenset(s.__name__ for s in inner_sections(field.annotation))
                for key, field in model.model_fields.items()
            }
        for path, tree in trees.items():
            own = {n.name for n in tree.body if isinstance(n, ast.ClassDef)}
            # A class of the same name as a section, defined here, is not that section.
            self.imports[path] = dict.fromkeys(own & set(self.sections), NOTHING)
        for tree in trees.values():
            for node in nodes(tree):
                if isinstance(node, ast.ClassDef) and node.name in self.classes:
                    self._describe(node)
                elif isinstance(node, ast.ClassDef) and node.name in self.sections:
                    methods = (part for part in node.body if isinstance(part, ast.FunctionDef))
                    self.attributes[node.name] |= {part.name: self.named(part.returns) for part in methods}
                elif isinstance(node, ast.FunctionDef):
                    self.returns[node.name] = self.returns.get(node.name, NOTHING) | self.named(node.returns)

    def _describe(self, node: ast.ClassDef) -> None:
        found = self.attributes.setdefault(node.name, {})
        for part in node.body:
            if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                found[part.target.id] = found.get(part.target.id, NOTHING) | self.named(part.annotation)
            elif isinstance(part, ast.FunctionDef):
                found[part.name] = found.get(part.name, NOTHING) | self.named(part.returns)
                given = {a.arg: self.named(a.annotation) for a in _arguments(part)}
                for inner in nodes(part):
                    if isinstance(inner, ast.Assign) and isinstance(inner.value, ast.Name):
                        for target in inner.targets:
                            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                                found[target.attr] = found.get(target.attr, NOTHING) | given.get(
                                    inner.value.id, NOTHING
                                )

    def named(self, annotation: ast.expr | None) -> Types:
        """Return the sections and classes that an annotation names."""
        found: set[str] = set()
        for node in nodes(annotation) if annotation is not None else ():
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                try:
                    found |= self.named(ast.parse(node.value, mode="eval").body)
                except SyntaxError:
                    continue
        return frozenset(found & (set(self.sections) | self.classes))


def _arguments(node: ast.FunctionDef | ast.Lambda) -> Iterable[ast.arg]:
    spec = node.args
    return [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]


class _Walk(ast.NodeVisitor):
    """Walk one file with the types of the names in scope."""

    def __init__(self, known: _Known, path: str, found: dict[tuple[str, str], set[str]]) -> None:
        self.known, self.path, self.found = known, path, found
        self.names: dict[str, Types] = {}
        self.holder: str | None = None

    def generic_visit(self, node: ast.AST) -> None:
        for part in children(node):
            self.visit(part)

    def visit_Constant(self, node: ast.Constant) -> None:
        """It has no parts."""

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        before, self.holder = self.holder, node.name
        self.generic_visit(node)
        self.holder = before

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outer = dict(self.names)
        for argument in _arguments(node):
            self.names[argument.arg] = self.known.named(argument.annotation)
        if self.holder and node.args.args and node.args.args[0].arg == "self":
            self.names["self"] = frozenset({self.holder} & self.known.classes)
        for part in node.body:
            self.visit(part)
        self.names = outer

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.body)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self._bind(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
        if isinstance(node.target, ast.Name):
            self.names[node.target.id] = self.known.named(node.annotation)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self._bind(node.target, node.value)

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        self._bind(node.target, node.iter)
        for part in (*node.body, *node.orelse):
            self.visit(part)

    def _comprehension(self, node: Any) -> None:
        outer = dict(self.names)
        for part in node.generators:
            self.visit(part.iter)
            self._bind(part.target, part.iter)
            for test in part.ifs:
                self.visit(test)
        for part in (getattr(node, "elt", None), getattr(node, "key", None), getattr(node, "value", None)):
            if part is not None:
                self.visit(part)
        self.names = outer

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _comprehension  # noqa: N815 - names ast gives

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Load):
            for section in self._type(node.value):
                if section in self.known.sections and node.attr in self.known.attributes[section]:
                    self.found.setdefault((section, node.attr), set()).add(f"{self.path}:{node.lineno}")
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        # The registry of methods names the key that turns a method on, and one function follows the name.
        if node.arg == "switch" and isinstance(node.value, ast.Constant):
            at: Types = frozenset({"Config"})
            for part in str(node.value.value).split("."):
                for section in at:
                    if part in self.known.attributes.get(section, {}):
                        self.found.setdefault((section, part), set()).add(f"{self.path}:{node.value.lineno}")
                at = frozenset().union(*(self.known.attributes.get(section, {}).get(part, NOTHING) for section in at))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in {"getattr", "attrgetter"} and len(node.args) > 1:
            key = node.args[1]
            if isinstance(key, ast.Constant):
                for section in self._type(node.args[0]):
                    if key.value in self.known.attributes.get(section, {}):
                        self.found.setdefault((section, str(key.value)), set()).add(f"{self.path}:{node.lineno}")
        self.generic_visit(node)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            parts = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts) else None
            for i, inner in enumerate(target.elts):
                self._bind(inner, parts[i] if parts else value)
        elif isinstance(target, ast.Name):
            self.names[target.id] = self._type(value)

    def _type(self, node: ast.expr) -> Types:  # noqa: PLR0911 - one return for each kind of expression
        """Return the sections and classes an expression may be, or hold."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, NOTHING)
        if isinstance(node, ast.Attribute):
            base = self._type(node.value)
            inner = [self.known.attributes[t][node.attr] for t in base if node.attr in self.known.attributes.get(t, {})]
            # A method of a container, such as values(): what it holds.
            return frozenset().union(*inner) if inner else base
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                if node.func.id in HANDS_ON:
                    return frozenset().union(*(self._type(a) for a in node.args)) if node.args else NOTHING
                if node.func.id in self.known.sections or node.func.id in self.known.classes:
                    return frozenset({node.func.id})
                return self.known.returns.get(node.func.id, NOTHING)
            held = self._type(node.func)
            if isinstance(node.func, ast.Attribute) and not held:
                return self.known.returns.get(node.func.attr, NOTHING)
            return held
        if isinstance(node, ast.Subscript | ast.Starred | ast.Await):
            return self._type(node.value)
        if isinstance(node, ast.IfExp):
            return self._type(node.body) | self._type(node.orelse)
        if isinstance(node, ast.BoolOp):
            return frozenset().union(*(self._type(v) for v in node.values))
        if isinstance(node, ast.BinOp):
            return self._type(node.left) | self._type(node.right)
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            return frozenset().union(*(self._type(e) for e in node.elts)) if node.elts else NOTHING
        if isinstance(node, ast.Dict):
            return frozenset().union(*(self._type(v) for v in node.values)) if node.values else NOTHING
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            outer = dict(self.names)
            for part in node.generators:
                self._bind(part.target, part.iter)
            found = self._type(node.value if isinstance(node, ast.DictComp) else node.elt)
            self.names = outer
            return found
        return NOTHING
