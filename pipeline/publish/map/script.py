"""The map's script: modules with imports and exports, joined into one closure for the page.

The modules in `assets` are what eslint, tsc and Node read. A page that opens from disk cannot load modules, so here
they are put one after another, each after those that it imports, and the imports are dropped.
"""

import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files

__all__ = ["joined", "map_script", "modules", "open_script"]

_IMPORT = re.compile(r'^import \{([^{}]*)\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async function|function|class|const|let) )", re.MULTILINE)
_NAMES = re.compile(r"^(export )?(?:async function|function|class|const|let) (\w+)", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
_NOTES = re.compile(r"^[ \t]*/\*(?:[^*]|\*(?!/))*\*/\n", re.MULTILINE)
"""Comments in lines of their own: only readers of the source need them, and the script is a quarter smaller."""


def modules() -> dict[str, str]:
    """Return the text of every module of the map's script by file name."""
    folder = files("pipeline.publish.map").joinpath("assets")
    return {f.name: f.read_text("utf-8") for f in folder.iterdir() if f.name.endswith(".js")}


def joined(texts: Mapping[str, str], start: str) -> str:
    """Join modules into one closure, so that nothing of theirs is reachable from outside.

    Parameters
    ----------
    texts
        Module text by file name. Imports and exports stand at the beginning of a line and take names as they are:
        `import { a, b } from "./x.js";` and `export function a()`.
    start
        File name of the module that starts the page; only what it leads to is taken.

    Returns
    -------
    script
        One strict asynchronous closure, because the start waits for the data.

    Raises
    ------
    ValueError
        If modules import in a circle, a name is defined twice, or an import or export is missing or of another form.
    """
    order = _order(texts, start)
    owners: dict[str, str] = {}
    pieces = []
    for name in order:
        text = texts[name]
        for found in _NAMES.finditer(text):
            if found[2] in owners:
                raise ValueError(f"{found[2]} is defined in {owners[found[2]]} and again in {name}")
            owners[found[2]] = name
        body = _EXPORT.sub("", _IMPORT.sub("", text))
        other = _OTHER.search(body)
        if other:
            raise ValueError(f"{name}: only plain imports and exports by name can be joined, not {other[0]!r}")
        pieces.append(_NOTES.sub("", body.removeprefix("// @ts-check\n")).strip())
    return '(async function () {\n"use strict";\n' + "\n".join(pieces) + "\n})();"


def _order(texts: Mapping[str, str], start: str) -> list[str]:
    """Return the modules that `start` leads to, each after those that it imports."""
    imports: dict[str, list[str]] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in imports:
            continue
        imports[name] = []
        for wanted, source in _IMPORT.findall(texts[name]):
            if source not in texts:
                raise ValueError(f"{name} imports from {source}, which is not there")
            given = {found[2] for found in _NAMES.finditer(texts[source]) if found[1]}
            missing = sorted({w.strip() for w in wanted.split(",") if w.strip()} - given)
            if missing:
                raise ValueError(f"{name} imports {', '.join(missing)}, which {source} does not export")
            imports[name].append(source)
        waiting += reversed(imports[name])
    try:
        return list(TopologicalSorter(imports).static_order())
    except CycleError as error:
        raise ValueError(f"modules import in a circle: {' -> '.join(error.args[1])}") from error


def map_script() -> str:
    """Return the script of the map page."""
    return joined(modules(), "main.js")


def open_script(name: str) -> str:
    """Return one module without imports as a script whose functions other scripts of the page can call."""
    return _NOTES.sub("", _EXPORT.sub("", modules()[name]).removeprefix("// @ts-check\n")).strip()
