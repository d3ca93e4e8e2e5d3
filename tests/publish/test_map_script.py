"""The map's script: modules joined in the order of their imports, and names that payload and script share."""

import re
from pathlib import Path

import pytest

from pipeline.detect.emerging import Pattern
from pipeline.publish import words
from pipeline.publish.map import fields
from pipeline.publish.map.script import joined, map_script, modules

START = 'import { b } from "./b.js";\n\nb();\n'
IMPORT_FROM_SCRIPT = re.compile(r"^(?:import|export)\b", re.MULTILINE)


def test_modules_follow_what_they_import_and_lose_imports_exports_and_notes() -> None:
    b = 'import {\n  a,\n} from "./a.js";\n\n/** Says a. */\nexport function b() { return a /* t */; }\n'
    texts = {
        "main.js": '// @ts-check\nimport { b } from "./b.js";\nimport { a } from "./a.js";\n\nb(a);\n',
        "b.js": f"/* B. */\n\n{b}",
        "a.js": '/** @import { T } from "./b.js" */\nexport const a = "/* kept */";\nexport let c = 1;\n',
        "unused.js": "export const a = 2;\n",
    }
    assert joined(texts, "main.js") == (
        '(async function () {\n"use strict";\n'
        'const a = "/* kept */";\nlet c = 1;\nfunction b() { return a /* t */; }\nb(a);\n})();'
    )


CIRCLE = 'import { c } from "./c.js";\nexport function b() {}\n'
TWICE = "export function b() {}\nconst start = 1;\nfunction b() {}\n"
NAMESPACE = 'import * as c from "./c.js";\nexport const b = 1;\n'


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"b.js": CIRCLE, "c.js": 'import { b } from "./b.js";\nexport const c = b;\n'}, "in a circle: "),
        ({"b.js": TWICE}, "b is defined in b.js and again in b.js"),
        ({"b.js": CIRCLE, "c.js": "export const c = 1;\nclass b {}\n"}, "b is defined in c.js and again in b.js"),
        ({"b.js": "function b() {}\n"}, "imports b, which b.js does not export"),
        ({}, "imports from b.js, which is not there"),
        ({"b.js": "export default function b() {}\nexport const b = 1;\n"}, "only plain imports"),
        ({"b.js": NAMESPACE}, "only plain imports"),
        ({"b.js": "const b = 1;\nexport { b };\nexport const c = 1;\n"}, "imports b, which"),
    ],
    ids=["circle", "twice", "twice in two", "not exported", "no module", "default", "namespace", "list"],
)
def test_what_cannot_be_joined_is_refused(texts: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        joined({"main.js": START} | texts, "main.js")


APART = "labels.js"
"""Called by scripts of elements that a notebook adds, so outside the closure."""


@pytest.mark.slow
def test_the_page_has_every_module_and_no_import() -> None:
    script = map_script()
    texts = {name: text for name, text in modules().items() if name != APART}
    assert 8 <= len(texts) <= 16
    assert not IMPORT_FROM_SCRIPT.search(script)
    for name, text in texts.items():
        defined = re.findall(r"^(?:export )?(?:function|class) (\w+)", text, re.MULTILINE)
        for one in defined or re.findall(r"^export const (\w+)", text, re.MULTILINE):
            assert len(re.findall(rf"^(?:function|class|const) {one}\b", script, re.MULTILINE)) == 1, (name, one)


@pytest.mark.parametrize("name", sorted(modules()))
def test_a_module_says_what_it_is_and_is_checked(name: str) -> None:
    text = modules()[name]
    assert text.startswith("// @ts-check\n/* ")
    assert "export" in text.split("*/", 1)[0].lower()  # what it gives to others


def test_only_the_module_that_starts_the_page_does_something_when_it_is_read() -> None:
    definition = re.compile(r"^(?:import|export|const|let|function|class|async|/\*|\*| |\}|\]|//|$)")
    for name, text in modules().items():
        if name != "main.js":
            assert [line for line in text.splitlines() if not definition.match(line)] == [], name


def test_the_script_has_the_names_of_the_payload() -> None:
    made = Path(fields.__file__).with_name("assets").joinpath("fields.js").read_text("utf-8")
    assert made == fields.script_fields(), "run python -m pipeline.publish.map"


MACHINE_WORDS = {
    "Enter", "Escape", "Feature", "Polygon", "xMinYMid meet", "move zoom", "no pattern",
    "borough quiet", "fill maybe", "first value", "keys before", "keys first", "name road", "note first", "note tight",
    "place p", "spot core", "spot on", "swatch round", "tbar maybe",
}  # fmt: skip
"""Keys of the keyboard, types of GeoJSON, a word of the table, and classes of the style sheet."""


@pytest.mark.parametrize("kind", fields.TYPES, ids=lambda kind: kind.__name__)
def test_the_page_carries_no_field_that_the_script_does_not_read(kind: type) -> None:
    code = "\n".join(uncommented(text) for name, text in modules().items() if name != "fields.js")
    assert [name for name in kind.__annotations__ if not re.search(rf"\.{name}\b|\{{ {name}\b", code)] == []


def test_every_element_that_the_script_looks_for_is_in_the_page() -> None:
    page = (Path(fields.__file__).parents[1] / "templates" / "map.html").read_text("utf-8")
    code = "\n".join(uncommented(text) for text in modules().values())
    wanted = set(re.findall(r"""(?:[bB]yId|onClick)\("([\w-]+)"[,)]""", code)) - {"data"}  # of the frame of every page
    assert len(wanted) > 60
    assert sorted(name for name in wanted if f'id="{name}"' not in page) == []


def uncommented(text: str) -> str:
    return re.sub(r"/\*(?:[^*]|\*(?!/))*\*/|//.*", "", text)


@pytest.mark.parametrize("name", sorted(set(modules()) - {"fields.js"}))  # which has the words of the table
def test_no_text_for_readers_stands_in_the_script(name: str) -> None:
    literals = set(re.findall(r'"((?:[^"\\\n]|\\.)*)"', uncommented(modules()[name])))
    assert {t for t in literals if re.search(r"[A-Za-z]{2,} [A-Za-z]|^[A-Z][a-z]+ ?$", t)} <= MACHINE_WORDS


def test_every_history_has_words() -> None:
    keys = {
        key.removeprefix("map.history.") for key in words.catalogue_of("en").texts if key.startswith("map.history.")
    }
    assert keys == {pattern.value for pattern in Pattern} - {Pattern.NONE}
