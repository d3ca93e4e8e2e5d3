"""The documentation site: `make site` builds it into build/site; it opens and is searched without a server or network.

Sphinx reads the documents of this folder. Some pages come from outside it: `_FROM` names them, and `commands` is made
from the code. Links in documents are those of the checkout; here they are led to the pages of the site.
"""

import re
from pathlib import Path
from typing import Any

from pipeline import __version__

ROOT = Path(__file__).parents[1]
project, author, release = "Hotspots", "The Hotspots project", __version__
copyright = author  # noqa: A001 - as Sphinx calls it
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme, html_title = "furo", f"Hotspots {release}"
html_show_search_summary = False  # it would be fetched, which pages on a disk may not
html_show_copyright = html_copy_source = html_show_sourcelink = False
html_theme_options = {"source_view_link": "", "source_edit_link": ""}
myst_heading_anchors = 4
napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_typehints = "signature"
autodoc_default_options = {"exclude-members": "__init__, __new__"}
add_module_names = False
python_use_unqualified_type_names = True
exclude_patterns = ["**/.ipynb_checkpoints"]
smartquotes = False  # what is typed in a shell must be copied as it is

_FROM = {
    "dictionary": "outputs/README.md",
    "contributing": "CONTRIBUTING.md",
    "changes": "CHANGELOG.md",
    "security": "SECURITY.md",
}
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)]*)?\)")


def setup(app: Any) -> None:
    """Say which function makes the text of a page."""
    app.connect("source-read", _made)


def _made(_: Any, name: str, source: list[str]) -> None:
    if name == "commands":
        source[0] = commands()
        return
    path = ROOT / _FROM.get(name, f"docs/{name}.md")
    text = path.read_text("utf-8") if name in _FROM else source[0]
    depth = "../" * name.count("/")

    def led(found: re.Match[str]) -> str:
        words, anchor = found[1], found[3] or ""
        target = (path.parent / found[2]).resolve()
        outside = {ROOT / file: page for page, file in _FROM.items()} | {ROOT / "README.md": "index"}
        if target in outside:
            return f"[{words}]({depth}{outside[target]}.md{anchor})"
        if target.is_relative_to(ROOT / "docs") and target.is_file():
            return f"[{words}]({depth}{target.relative_to(ROOT / 'docs').as_posix()}{anchor})"
        return words if target.exists() else found[0]  # a file of the code has no page; what is nowhere is a fault

    source[0] = _LINK.sub(led, text)


def commands() -> str:
    """Return a page with the help of every command, as the program prints it."""
    from typer.main import get_command

    from pipeline.cli import app

    lines = [
        "# Commands",
        "",
        "As `hotspots COMMAND --help` prints them. The [guide](guide.md#options-and-exit-codes) lists the exit codes.",
        "",
    ]

    def add(command: Any, words: str) -> None:
        with command.context_class(command, info_name=words, max_content_width=100) as at:
            if words != "hotspots":
                lines.extend([f"## {words}", "", "```text", command.get_help(at), "```", ""])
            for name in command.list_commands(at) if hasattr(command, "list_commands") else ():
                below = command.get_command(at, name)
                if not below.hidden:
                    add(below, f"{words} {name}")

    add(get_command(app), "hotspots")
    return "\n".join(lines)
