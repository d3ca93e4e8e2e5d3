"""What documents show can be typed: settings exist, commands have their options, Python compiles and imports."""

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from pipeline.cli import app
from pipeline.config import parse_config
from pipeline.errors import ConfigError

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def blocks(*languages: str) -> list[Any]:
    return list(_blocks(*languages))


def _blocks(*languages: str) -> Iterator[Any]:
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in FENCE.finditer(text):
            if found[2] in languages:
                line = text[: found.start()].count("\n") + 1
                yield pytest.param(found[3], id=f"{page.relative_to(ROOT).as_posix()}:{line}")


@pytest.mark.parametrize("block", blocks("yaml"))
def test_settings_that_documents_show_exist(block: str) -> None:
    given = yaml.safe_load(block) or {}  # a comment alone is no setting
    try:
        parse_config(given)
    except ConfigError as error:
        # A block shows a part of a configuration; what it shows must be known, and of the right kind.
        lines = str(error).splitlines()[1:]
        wrong = [
            line for line in lines if not re.search(r"Field required|there is no data|there are no boundaries", line)
        ]
        assert wrong == []


@pytest.mark.parametrize("block", blocks("sh", "powershell"))
def test_commands_that_documents_show_can_be_typed(block: str) -> None:
    for line in re.sub(r"\\\n", " ", block).splitlines():
        for found in re.finditer(r"(?:^|&& |\\|/|; )hotspots (?!_)([^&|;>#]*)", line):
            words = shlex.split(found[1])
            if not words or words[0] in {"_map", "failed"}:
                continue
            command: Any = get_command(app)
            with command.make_context("hotspots", words, resilient_parsing=False) as at:
                name, below, rest = command.resolve_command(at, words)
                if hasattr(below, "list_commands"):
                    with below.make_context(name, list(rest), parent=at) as inner:
                        name, below, rest = below.resolve_command(inner, list(rest))
                with below.make_context(name, list(rest), parent=at):
                    pass


@pytest.mark.parametrize("block", blocks("python"))
def test_python_that_documents_show_compiles_and_imports(block: str) -> None:
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipeline"):
            module = importlib.import_module(str(node.module))
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []
