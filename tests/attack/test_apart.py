"""The attacker shares no code with the package: he could be anybody."""

import ast
from pathlib import Path

HERE = Path(__file__).parent
DRIVERS = {"cities.py"}  # puts cities through the gate; the attacker is given the folders that come out


def test_the_attacker_imports_nothing_of_the_package() -> None:
    modules = [p for p in HERE.glob("*.py") if not p.name.startswith("test_") and p.name not in DRIVERS]
    assert {p.name for p in modules} >= {"folder.py", "relations.py", "programmes.py", "attacker.py", "truth.py"}
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [n for n in names if n.split(".")[0] == "pipeline" or n.startswith("tests.kit")], module.name
