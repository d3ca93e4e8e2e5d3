"""The catalogue of words: every key that is asked for is there with its values, and nothing else is."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import pipeline
from pipeline.publish import words
from pipeline.publish.words import catalogue as catalogue_module
from pipeline.publish.words.catalogue import OTHER_BASE
from tests.kit import source_rules

ROOT = Path(pipeline.__file__).parent
SAYING = {"say", "parts"}
# Keys that code puts together: the start of each, as it stands in the code.
PUT_TOGETHER = re.compile(r"""f?["']((?:[a-z_]+\.)+)(?:\{|["'])""")


def trees() -> tuple[tuple[Path, ast.Module], ...]:
    """Return every module of the package with its syntax tree."""
    return tuple((ROOT / name, tree) for name, tree in source_rules.trees())


def asked_in_python() -> Iterator[tuple[str, str, set[str] | None]]:
    """Give file, key and names of the values of every call; None where the values are handed on whole."""
    for path, tree in trees():
        for node in source_rules.nodes(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in SAYING:
                names = {k.arg for k in node.keywords if k.arg}
                for key in keys_in(node.args[0]):
                    yield path.name, key, None if any(k.arg is None for k in node.keywords) else names


def keys_in(argument: ast.expr) -> list[str]:
    """Return the keys that an argument may be: a text, or one of two by a condition."""
    if isinstance(argument, ast.IfExp):
        return keys_in(argument.body) + keys_in(argument.orelse)
    return [argument.value] if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else []


def asked_in_templates_and_scripts() -> Iterator[tuple[str, str, set[str] | None]]:
    for path in sorted([*ROOT.rglob("*.html"), *ROOT.rglob("*.js")]):
        for found in re.finditer(r"""\b(?:say|parts)\(\s*["']([a-z_0-9.]*[a-z_0-9])["']""", path.read_text("utf-8")):
            yield path.name, found[1], None


@cache
def asked() -> tuple[tuple[str, str, set[str] | None], ...]:
    return (*asked_in_python(), *asked_in_templates_and_scripts())


ENGLISH = words.catalogue_of("en")


def texts_of(key: str) -> list[str]:
    found = ENGLISH.texts[key]
    return [found] if isinstance(found, str) else list(found.values())


@pytest.mark.slow
def test_keys_that_are_asked_for_are_there_with_their_values() -> None:
    for file, key, values in asked():
        assert key in ENGLISH.texts, f"{file} asks for {key}"
        wanted = {name for text in texts_of(key) for name in re.findall(r"\{(\w+)\}", text)} - {"base"}
        if values is not None:
            assert wanted <= values, f"{file} does not give {sorted(wanted - values)} to {key}"
            forms = not isinstance(ENGLISH.texts[key], str)
            assert not forms or "n" in values, f"{file} gives no number to {key}"


@pytest.mark.slow
def test_every_key_is_asked_for() -> None:
    named = {key for _, key, _ in asked()}
    code = "\n".join(p.read_text("utf-8") for p in [*ROOT.rglob("*.py"), *ROOT.rglob("*.js"), *ROOT.rglob("*.html")])
    starts = tuple({found[1] for found in PUT_TOGETHER.finditer(code)})
    literal = set(re.findall(r"""["']((?:[a-z_0-9]+\.)+[a-z_0-9]+)["']""", code))
    # A text on residents has one beside it for other bases of rates (`words.per`).
    beside = {f"{key}{OTHER_BASE}" for key in named | literal}
    unused = [key for key in ENGLISH.texts if key not in named | literal | beside and not key.startswith(starts)]
    assert not unused


@pytest.mark.slow
def test_a_key_that_code_puts_together_begins_as_keys_do() -> None:
    for path, tree in trees():
        for node in source_rules.nodes(tree):
            named = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
            named = named or (getattr(node.func, "id", "") if isinstance(node, ast.Call) else "")
            if named in SAYING and isinstance(node, ast.Call) and isinstance(node.args[0], ast.JoinedStr):
                first = node.args[0].values[0]
                if isinstance(first, ast.Constant):
                    assert any(k.startswith(str(first.value)) for k in ENGLISH.texts), f"{path.name}: {first.value}"


def test_words_are_looked_up_only_when_a_language_is_set() -> None:
    """What is looked up while a module is imported, or as a default, would stay English for ever."""
    for path, tree in trees():
        for node in imported(tree):
            name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
            assert name not in SAYING, f"{path.name}, line {getattr(node, 'lineno', 0)}"


def imported(node: ast.AST) -> Iterator[ast.AST]:
    """Give what runs while a module is imported: no bodies of functions, but their decorators and defaults."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            defaults = [*child.args.defaults, *(d for d in child.args.kw_defaults if d is not None)]
            for part in (*defaults, *getattr(child, "decorator_list", ())):
                yield part
                yield from imported(part)
        else:
            yield child
            yield from imported(child)


def test_no_text_is_empty_and_every_plural_has_its_forms() -> None:
    for key, found in ENGLISH.texts.items():
        assert all(text.strip() for text in texts_of(key)), key
        if not isinstance(found, str):
            assert set(found) == set(ENGLISH.plural_names), key


def test_a_missing_key_or_value_is_an_error_that_names_it() -> None:
    with pytest.raises(LookupError, match=r"no key 'common\.nothing'"):
        words.say("common.nothing")
    with pytest.raises(LookupError, match=r"common\.protection\.steps.*\{step\}"):
        words.say("common.protection.steps")
    with pytest.raises(LookupError, match="give it a number"):
        words.say("record.counter.wards")


def test_what_rates_are_divided_by_is_put_into_every_text() -> None:
    assert words.say("briefing.unit_rate") == "per 10,000 residents"
    with words.per("workday population"):
        assert words.say("briefing.unit_rate") == "per 10,000 workday population"
        assert words.say("workbook.column.rate", base="footfall") == "Rate per 10,000 footfall"
        assert words.say("finding.concentration.home", share="12%") == "They hold 12% of the workday population."
    assert words.say("finding.concentration.home", share="12%") == "12% of residents live there."
    # Whatever is said of residents has words for another base, but for areas with more visitors than residents.
    of_residents = {key for key in ENGLISH.texts if any(re.search(r"residents?\b", text) for text in texts_of(key))}
    without = {key for key in of_residents if f"{key}{OTHER_BASE}" not in ENGLISH.texts}
    assert without == {"common.residents", "folder.audience.public", "clusters.note.visitors"}


def test_values_are_never_read_as_placeholders_or_stress() -> None:
    assert words.say("number.about", size="{low} **x**") == "about {low} **x**"
    assert words.parts("number.about", size="**x**") == (("about **x**", False),)


WELSH = """
[language]
name = "Cymraeg"
plural_forms = ["zero", "one", "two", "few", "many", "other"]
plural_rule = "n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n==3 ? 3 : n==6 ? 4 : 5"

[common]
not_offered = "heb ei gynnig"

[number]
range = "{low} i {high}"

[record.counter]
wards = { zero = "{n} wardiau", one = "{n} ward", two = "{n} ward (dwy)", other = "{n} o wardiau" }
"""


@pytest.fixture
def welsh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for held in (ROOT / "publish" / "words").glob("*.toml"):
        (tmp_path / held.name).write_bytes(held.read_bytes())
    (tmp_path / "cy.toml").write_text(WELSH, "utf-8")
    monkeypatch.setattr(catalogue_module, "folder", lambda: tmp_path)
    words.catalogue_of.cache_clear()
    yield
    words.catalogue_of.cache_clear()


@pytest.mark.usefixtures("welsh")
def test_another_language_is_one_more_file_and_english_fills_its_gaps() -> None:
    assert words.languages() == ("cy", "en")
    with words.speaking("cy"):
        assert words.say("common.not_offered") == "heb ei gynnig"
        assert words.count_text(20, 29) == "20 i 29"
        assert words.count_text(0, 9) == "fewer than 10"
        assert [words.say("record.counter.wards", n=n) for n in (0, 1, 2, 3)] == [
            "0 wardiau", "1 ward", "2 ward (dwy)", "3 o wardiau"
        ]  # fmt: skip
    assert words.say("common.not_offered") == "not offered"
