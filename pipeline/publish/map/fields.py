"""The names that page and script share, said once: fields of the payload, columns of the table, letters for words.

`payload` fills these types, and mypy holds it to them. `assets/fields.js`, made here by
`python -m pipeline.publish.map`, gives the script the same names; `tsc` holds it to them.
"""

import types
import typing
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from pipeline.statistics.change import ChangeWord
from pipeline.statistics.rates import FunnelClass, Reliability

__all__ = [
    "COLUMNS",
    "LETTERS",
    "NOT_OFFERED",
    "TYPES",
    "AttentionFields",
    "BandFields",
    "BreakFields",
    "CategoryFields",
    "Column",
    "ContextFields",
    "CoreFields",
    "EventFields",
    "HotspotFields",
    "InfoFields",
    "LevelFields",
    "LineFields",
    "Payload",
    "PeriodFields",
    "PointFields",
    "SurfaceFields",
    "script_fields",
]

NOT_OFFERED = "w"
"""Stands in a column where a number is not offered."""

CHANGE_LETTERS = {
    ChangeWord.HIGHER: "h",
    ChangeWord.LOWER: "l",
    ChangeWord.NO_CLEAR_CHANGE: "n",
    ChangeWord.TOO_FEW: "f",
    ChangeWord.NOT_COMPARABLE: "c",
}
FUNNEL_LETTERS = {
    FunnelClass.LOW_998: "L",
    FunnelClass.LOW_95: "l",
    FunnelClass.WITHIN: "w",
    FunnelClass.HIGH_95: "h",
    FunnelClass.HIGH_998: "H",
}
LETTERS: dict[str, dict[str, str]] = {
    "cw": {str(word): letter for word, letter in CHANGE_LETTERS.items()},
    "cr": {str(word): letter for word, letter in CHANGE_LETTERS.items()},
    "f": {str(word): letter for word, letter in FUNNEL_LETTERS.items()},
    "rel": {str(Reliability.UNRELIABLE): "u", str(Reliability.TOO_FEW): "f"},
}
"""Column, word, and the letter that stands for it on the page."""


class Column(typing.NamedTuple):
    """A column of `area_counts` on the page: its short key, its name in the table, its decimals (None for words)."""

    key: str
    name: str
    decimals: int | None


COLUMNS = (
    Column("nm", "incidents", 0),
    Column("n", "incidents_lower", 0),
    Column("nx", "incidents_upper", 0),
    Column("u", "incidents_unplaced", 0),
    Column("om", "positive_outcomes", 0),
    Column("o", "positive_outcomes_lower", 0),
    Column("ox", "positive_outcomes_upper", 0),
    Column("km", "known_outcomes", 0),
    Column("k", "known_outcomes_lower", 0),
    Column("kx", "known_outcomes_upper", 0),
    Column("r", "rate_per_10000", 4),
    Column("lo", "rate_low", 4),
    Column("hi", "rate_high", 4),
    Column("rel", "reliability", None),
    Column("f", "funnel_class", None),
    Column("s", "outcome_share", 4),
    Column("sl", "outcome_low", 4),
    Column("sh", "outcome_high", 4),
    Column("c", "change_pct", 2),
    Column("cw", "change_word", None),
    Column("cr", "change_vs_region", None),
    Column("g", "hotspot_class", 0),
    Column("m", "moran_class", None),
    Column("e", "emerging_class", None),
)
"""In the order of the table that readers download from the page."""


class BreakFields(TypedDict):
    """A break of the series: the month it falls in, and what changed."""

    month: str
    text: str


class EventFields(TypedDict):
    """Something that happened, marked in the series."""

    date: str
    label: str


class InfoFields(TypedDict):
    """What is known of the whole release; texts are empty where there is nothing to say."""

    title: str
    noun: str
    base: str
    place: str
    publisher: str
    licence: str
    synthetic: str
    language: str
    audience: str
    marking: str
    mechanism: str
    step: int
    counts: str
    outside: list[str]
    audit: str
    region: str
    headline: str
    headlineLabel: str
    headlineNamed: str
    earlierNamed: str
    notComparable: str
    breaks: list[BreakFields]
    events: list[EventFields]
    outcomes: str
    hasPoints: bool
    support: list[list[str]]
    caveats: list[str]
    insideNote: str
    nonCrime: bool
    densityNote: str
    hotspotNote: str
    wording: list[str]
    tiles: str
    credit: str
    runName: str


class CategoryFields(TypedDict):
    """A category; `detail` is the level with the smallest areas that it is given by, `long` there in longer windows.

    `base` is what its rates are divided by, empty for residents.
    """

    id: str
    label: str
    parent: str | None
    detail: str
    long: bool
    base: str


class PeriodFields(TypedDict):
    """A window: `named` is its label inside a sentence, `kind` one of y, q, m, f (28 days), w, d and l (longer).

    `against` names the window that its changes are against, empty where the level does not show that one; `apart` is
    why the two cannot be compared.
    """

    id: str
    label: str
    named: str
    start: str
    end: str
    complete: bool
    kind: str
    against: str
    apart: str


class LevelFields(TypedDict):
    """A level's areas, side by side in lists; `values` holds category, column, window, then a cell for each area.

    `key` is the level's name in files.
    """

    key: str
    one: str
    many: str
    code: list[str]
    name: list[str]
    parent: list[str]
    people: list[int | None]
    year: int | None
    covered: list[bool]
    briefing: NotRequired[list[str]]
    periods: list[PeriodFields]
    values: dict[str, dict[str, dict[str, list[float | str | None]]]]
    wards: NotRequired[list[list[int]]]
    rings: NotRequired[list[list[list[int]]]]
    labels: NotRequired[list[tuple[float, float, float]]]
    limits: NotRequired[dict[str, dict[str, dict[str, list[float]]]]]


class CoreFields(TypedDict):
    """A densest part of a large hotspot, numbered 1a; `at` its badge."""

    number: str
    name: str
    n: int
    km2: float | None
    rings: list[list[int]]
    at: tuple[float, float]


class HotspotFields(TypedDict):
    """A hotspot; `n` only where the count is exact, else `band`; `within` are boroughs, `at` its badge.

    `page` is the address of its own page, empty where it has none; `steady` its stability in words, empty where it is
    not measured or not given.
    """

    id: str
    category: str
    rank: int
    name: str
    n: int | None
    band: str
    km2: float | None
    density: float | None
    within: list[str]
    rings: list[list[int]]
    at: tuple[float, float]
    page: str
    steady: str
    cores: list[CoreFields]


class BandFields(TypedDict):
    """A band of density, per square kilometre, and the per cent of all that it holds with those above it."""

    id: str
    category: str
    low: float
    high: float | None
    share: float | None
    rings: list[list[int]]


class OverlayFeatureFields(TypedDict):
    """A cell, circle or street of an overlay: `shade` is its place in the key, `rings` are differences of whole units.

    Of an overlay of lines, `rings` are open.
    """

    category: str
    shade: int
    rings: list[list[int]]
    row: list[str]


class OverlayFields(TypedDict):
    """What a test found: `columns` name the texts of each feature, `keys` are colour, opacity and words."""

    id: str
    name: str
    lines: NotRequired[bool]
    note: str
    columns: list[str]
    keys: list[tuple[str, float, str]]
    features: list[OverlayFeatureFields]


class LineFields(TypedDict):
    """Roads or rails of one rank and name, as differences of whole units, x and y in turn."""

    kind: str
    rank: int
    name: str
    parts: list[list[int]]


class SurfaceFields(TypedDict):
    """Water, green or a building: its rings, and the middle and radius in metres of the largest circle inside."""

    kind: str
    name: str
    parts: list[list[int]]
    at: tuple[float, float, float]


class PointFields(TypedDict):
    """A station or a place; rank 1 is the most important."""

    kind: str
    name: str
    rank: int
    at: tuple[float, float]


class ContextFields(TypedDict):
    """What is drawn under the hotspots so that a reader knows the place, and whom to credit for it."""

    credits: list[str]
    lines: list[LineFields]
    surfaces: list[SurfaceFields]
    points: list[PointFields]


class AttentionFields(TypedDict):
    """A statement that the page opens with, in pieces with their stress, and what the map shows for it.

    `measure` and `level` are empty where they stay as they are; the map moves to the areas of `codes`, or shows all.
    `period` is empty for the headline.
    """

    kind: str
    text: list[tuple[str, bool]]
    tested: str
    category: str
    measure: str
    level: str
    codes: list[str]
    hotspots: bool
    period: str


class Payload(TypedDict):
    """Everything on the page. Rings refer to `arcs`, which neighbours share."""

    info: InfoFields
    words: dict[str, str | Mapping[str, str]]
    categories: list[CategoryFields]
    arcs: list[list[int]]
    edge: list[list[int]]
    water: list[list[int]]
    levels: dict[str, LevelFields]
    hotspots: list[HotspotFields]
    density: list[BandFields]
    context: ContextFields
    attention: list[AttentionFields]
    overlays: list[OverlayFields]


TYPES: tuple[type, ...] = (
    BreakFields,
    EventFields,
    InfoFields,
    CategoryFields,
    PeriodFields,
    LevelFields,
    CoreFields,
    HotspotFields,
    BandFields,
    OverlayFeatureFields,
    OverlayFields,
    LineFields,
    SurfaceFields,
    PointFields,
    ContextFields,
    AttentionFields,
    Payload,
)
_PLAIN = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null", Any: "any"}


def _written(kind: Any) -> str:
    """Write a Python type as TypeScript does."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is NotRequired:
        return _written(arguments[0])
    if origin is list:
        inner = _written(arguments[0])
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if origin in {dict, Mapping}:
        return f"Record<string, {_written(arguments[1])}>"
    if origin is tuple:
        return f"[{', '.join(map(_written, arguments))}]"
    if origin in {types.UnionType, typing.Union}:
        return " | ".join(map(_written, arguments))
    return _PLAIN.get(kind) or str(kind.__name__)


def _type(kind: Any) -> str:
    lines = [f"/** {kind.__doc__.strip()}", f" * @typedef {{object}} {kind.__name__}"]
    for name, given in typing.get_type_hints(kind, include_extras=True).items():
        optional = typing.get_origin(given) is NotRequired
        lines.append(f" * @property {{{_written(given)}}} {f'[{name}]' if optional else name}")
    return "\n".join(lines) + " */"


def script_fields() -> str:
    """Write `assets/fields.js`: what the script knows of the payload.

    Returns
    -------
    module
        A module without imports: types in comments, columns and letters.
    """
    columns = "".join(f'  ["{c.key}", "{c.name}"],\n' for c in COLUMNS)
    words = {key: ", ".join(f'{letter}: "{word}"' for word, letter in found.items()) for key, found in LETTERS.items()}
    letters = "".join(f"  {key}: {{ {listed} }},\n" for key, listed in words.items())
    return (
        "// @ts-check\n"
        "/* Names that the payload and the script share. Made by `python -m pipeline.publish.map`: change them in\n"
        "   fields.py. Exports `NOT_OFFERED`, `COLUMNS`, `LETTERS` and the types of the payload. */\n\n"
        f'/** Stands where a number is not offered. */\nexport const NOT_OFFERED = "{NOT_OFFERED}";\n\n'
        "/** Key on the page and column of area_counts.csv. @type {[string, string][]} */\n"
        f"export const COLUMNS = [\n{columns}];\n\n"
        "/** Column, letter on the page and its word. @type {Record<string, Record<string, string>>} */\n"
        f"export const LETTERS = {{\n{letters}}};\n\n" + "\n\n".join(map(_type, TYPES)) + "\n"
    )
