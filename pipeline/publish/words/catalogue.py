"""The catalogue of words: every sentence and label by key, one file a language, with named values and plural forms.

A file is TOML: tables group the keys, `map.legend.title` is `title` in `[map.legend]`. A value is a text with values in
braces, "{rank} of {peers}", or a table of plural forms, `{ one = "{n} ward", other = "{n} wards" }`, whose form the
value `n` chooses. Words between double asterisks are stressed where the page can stress them. English is whole; another
language may leave keys out, and English stands in for them.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from gettext import c2py
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from pipeline.errors import ConfigError
from pipeline.tables import RESIDENTS

__all__ = ["Catalogue", "Segment", "catalogue_of", "languages", "parts", "per", "say", "script_words", "speaking"]

Segment = tuple[str, bool]
"""Words, and whether they are stressed."""

ORIGIN = "en"
"""The language that has every key."""
SCRIPT_SECTIONS = ("common", "map", "number", "month")
"""Tables that the map's script reads."""

OTHER_BASE = "_other"
"""End of the key of a text that stands in where rates are not per resident."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_STRESS = re.compile(r"\*\*(.+?)\*\*")


def folder() -> Traversable:
    """Return where the files of the catalogue lie."""
    return files("pipeline.publish.words")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The words of one language.

    Parameters
    ----------
    tag
        Language tag of the file: "en".
    texts
        Key to text, or to its plural forms by their CLDR names (`one`, `few`, `other` ...).
    plural_names, plural_rule
        The forms that this language has, and which of them a number takes: a gettext expression in `n`.
    """

    tag: str
    texts: Mapping[str, str | Mapping[str, str]]
    plural_names: tuple[str, ...]
    plural_rule: str

    def text(self, key: str, number: int | None = None) -> str:
        """Return the text of a key with its placeholders, in the form that `number` takes.

        Raises
        ------
        LookupError
            If the catalogue lacks the key, or if its forms need a number and none is given.
        """
        found = self.texts.get(key)
        if found is None:
            raise LookupError(f"the catalogue of words has no key {key!r}: add it to words/{self.tag}.toml")
        if isinstance(found, str):
            return found
        if number is None:
            raise LookupError(f"{key!r} has plural forms in words/{self.tag}.toml: give it a number, n")
        form = self.plural_names[_plural_index(self.plural_rule)(abs(number))]
        return found.get(form) or found["other"]


@cache
def _plural_index(rule: str) -> Any:
    """Compile a plural rule; gettext reads the expressions that every translation tool writes."""
    return c2py(rule)


def languages() -> tuple[str, ...]:
    """Return the tags of the languages that have a catalogue."""
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder().iterdir() if f.name.endswith(".toml")))


@cache
def catalogue_of(language: str) -> Catalogue:
    """Load the words of a language; keys that it lacks are taken from English.

    Parameters
    ----------
    language
        Language tag; of "en-GB", "en" is looked up where the whole tag has no file.

    Raises
    ------
    ConfigError
        If no file serves the language.
    """
    import tomllib

    tags = [tag for tag in (language, language.partition("-")[0]) if tag in languages()]
    if not tags:
        raise ConfigError(f"page.language is {language!r}: there are words for {', '.join(languages())} only")
    held = tomllib.loads(folder().joinpath(f"{tags[0]}.toml").read_text("utf-8"))
    about = held.pop("language")
    own = dict(_flat(held, tuple(about["plural_forms"])))
    base = {} if tags[0] == ORIGIN else dict(catalogue_of(ORIGIN).texts)
    return Catalogue(tags[0], base | own, tuple(about["plural_forms"]), about["plural_rule"])


def _flat(table: Mapping[str, Any], forms: tuple[str, ...], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give every text with its whole key; a table whose keys are plural forms is one text."""
    for name, value in table.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and not ("other" in value and set(value) <= {*forms, "zero"}):
            yield from _flat(value, forms, f"{key}.")
        else:
            yield key, value


_LANGUAGE: ContextVar[str] = ContextVar("language", default=ORIGIN)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Take the words of a language inside a `with` block: one page, or one command's report.

    Raises
    ------
    ConfigError
        If no file serves the language.
    """
    token = _LANGUAGE.set(catalogue_of(language).tag)
    try:
        yield
    finally:
        _LANGUAGE.reset(token)


_BASE: ContextVar[str] = ContextVar("base", default=RESIDENTS)


@contextmanager
def per(base: str) -> Iterator[None]:
    """Put what rates are divided by into every text with `{base}` inside a `with` block.

    Texts on residents alone (who lives somewhere, who visits) have a form beside them for any other base: the key with
    `_other` at its end.

    Examples
    --------
    >>> with per("workday population"):
    ...     say("briefing.unit_rate"), say("briefing.caution.visitors_text")
    ('per 10,000 workday population', 'Rates divide by workday population: who else was there does not count.')
    """
    token = _BASE.set(base)
    try:
        yield
    finally:
        _BASE.reset(token)


def say(key: str, /, **values: object) -> str:
    """Return the words of a key with its values put in; a whole number `n` also chooses the plural form.

    Values are inserted as they are: nothing in them is read as a placeholder. `n` is written as a count, with
    separators of thousands.

    Raises
    ------
    LookupError
        If the key or one of its values is missing.

    Examples
    --------
    >>> say("common.not_offered")
    'not offered'
    """
    return _filled(key, _text(key, values), values)


def parts(key: str, /, **values: object) -> tuple[Segment, ...]:
    """Return the words of a key in segments: those between double asterisks are stressed.

    A value never opens or ends the stress, whatever it holds.
    """
    cut = _STRESS.split(_text(key, values))
    return tuple((_filled(key, piece, values), bool(place % 2)) for place, piece in enumerate(cut) if piece)


def script_words(language: str) -> dict[str, str | Mapping[str, str]]:
    """Return what the map's script needs of a language, by key."""
    chosen = catalogue_of(language).texts
    return {key: text for key, text in chosen.items() if key.partition(".")[0] in SCRIPT_SECTIONS}


def _text(key: str, values: Mapping[str, object]) -> str:
    number, words = values.get("n"), catalogue_of(_LANGUAGE.get())
    if values.get("base", _BASE.get()) != RESIDENTS and f"{key}{OTHER_BASE}" in words.texts:
        key += OTHER_BASE
    return words.text(key, number if isinstance(number, int) else None)


def _filled(key: str, text: str, values: Mapping[str, object]) -> str:
    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name == "base":
            given = values.get(name, _BASE.get())
            return say("common.residents") if given == RESIDENTS else str(given)
        if name not in values:
            raise LookupError(f"{key!r} of the catalogue of words needs a value for {{{name}}}")
        given = values[name]
        if name == "n" and isinstance(given, int):
            return f"{given:,}".replace(",", say("number.thousands")).replace("-", say("number.minus"))
        return str(given)

    return _PLACEHOLDER.sub(value, text) if "{" in text else text
