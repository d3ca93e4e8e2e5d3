"""What every page shares: words that are fixed, escaping, colours as style-sheet variables, and a policy of hashes.

Pages are written by Jinja2 templates in `templates/`, which escape every value. Data reaches a page in one way only: as
a compressed JSON block, or as text that a template escapes. Nothing is ever parsed as a template after data was put in.
"""

import base64
import hashlib
import html as html_module
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pipeline.errors import InputError
from pipeline.publish import palette, words

if TYPE_CHECKING:
    from jinja2 import Environment

    from pipeline.release.released import Released

__all__ = [
    "Cell",
    "Table",
    "attribute",
    "colour_tokens",
    "dark_if_asked",
    "data_block",
    "document",
    "fixed_wording",
    "leaflet",
    "protection_of",
    "render",
    "safe",
    "style_sheet",
    "text",
    "tile_origin",
]

FONT = '-apple-system,BlinkMacSystemFont,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Liberation Sans",sans-serif'
_OPENER = re.compile(r"\{(?=[{%#])")


def protection_of(released: "Released") -> str:
    """Say how the counts of a release are protected; empty where nothing is."""
    info, rules = released.info, released.record.get("rules", {})
    reach = int(rules.get("noise_reach", 0))
    how = words.protection_sentence(info.mechanism, step=info.step, threshold=info.threshold, noise_reach=reach)
    sums = words.sums_sentence(info.level_labels, step=info.step) if info.parents_above else ""
    return f"{how} {sums}".strip()


def fixed_wording(subject: str) -> tuple[str, ...]:
    """Return the sentences that stand on every map and briefing, most important first.

    Parameters
    ----------
    subject
        What is recorded, in the middle of a sentence: "hate crime".
    """
    return (
        words.say("common.fixed.recorded", subject=subject),
        words.say("common.fixed.places"),
        words.say("common.fixed.not_for"),
    )


def text(value: object) -> str:
    """Escape for the text of an element."""
    return _inert(html_module.escape(str(value), quote=False))


def attribute(value: object) -> str:
    """Escape for a double-quoted attribute."""
    return _inert(html_module.escape(str(value), quote=True))


def _inert(markup: str) -> str:
    """Break up every template opener, so that no template engine finds anything to run."""
    return _OPENER.sub("&#123;", markup)


def data_block(data: object) -> str:
    """Write what a page's script reads: JSON, compressed, as `{"gzip": "..."}` with the bytes in base64.

    Base64 holds no mark of HTML and none of a template, so whatever the data hold, nothing in the block can be read as
    either.

    Parameters
    ----------
    data
        Plain lists, dicts, strings, finite numbers, booleans and None.

    Raises
    ------
    InputError
        If a number is NaN or infinite.

    Examples
    --------
    >>> import base64, gzip, json
    >>> gzip.decompress(base64.b64decode(json.loads(data_block(["</script>", 1]))["gzip"]))
    b'["</script>",1]'
    """
    try:
        raw = json.dumps(data, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise InputError(f"a page cannot hold this value: {error}; write it as null before it comes here") from error
    # Equal data give equal bytes: zlib (wbits 31 is the format of gzip) writes no time into the header, and the level
    # is fixed. Another zlib (zlib-ng, say) may compress otherwise: the bytes are equal for one installation, which is
    # where the test of reproducibility runs twice; what the page shows is equal everywhere.
    packed = zlib.compress(raw.encode(), level=9, wbits=31)
    return json.dumps({"gzip": base64.b64encode(packed).decode()})


def safe(markup: str) -> Markup:
    """Mark as markup what was escaped already, or is our own: a style sheet, a script, a picture drawn here."""
    return Markup(markup)  # noqa: S704 - the one place where markup is taken as it is


@cache
def _environment() -> "Environment":
    """Return the environment of the templates: every value is escaped, and a missing one is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("pipeline.publish", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Jinja escapes markup; openers of templates have to be broken up beside that, as `text` does.
        finalize=lambda value: value if hasattr(value, "__html__") else safe(attribute(value)),
    )
    made.globals |= {"say": words.say, "parts": words.parts}
    made.filters |= {"capital": words.capital}
    return made


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure in a table: its text, and smaller lines under it."""

    text: str
    under: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a page, whose first column names the rows, and the sentences under it.

    Attributes
    ----------
    name
        What it is called, by a heading or to assistive technology.
    head
        Headings; none where the sentences stand alone.
    rows
        As many cells as headings in each.
    notes
        Sentences.
    """

    name: str
    head: tuple[str, ...]
    rows: Sequence[Sequence[str | Cell]]
    notes: Sequence[str] = ()


def render(template: str, /, **values: Any) -> Markup:
    """Write a template of `templates/` with values; what is not `Markup` is escaped.

    Parameters
    ----------
    template
        File name in `templates/`: "front_door.html".
    values
        What the template names. A missing one is an error, never a blank.

    Returns
    -------
    markup
        Safe to put into another template.
    """
    return safe(_environment().get_template(template).render(**values))


def style_sheet(name: str) -> str:
    """Read a style sheet that lies beside the templates: "pages/front_door.css"."""
    return files("pipeline.publish").joinpath("templates", name).read_text("utf-8")


def _tokens(theme: dict[str, str], more: str) -> str:
    return "".join(f"--{name}:{colour};" for name, colour in theme.items()) + more


_LIGHT = _tokens(palette.LIGHT, "--shade:rgba(16,24,31,.16);--lit:rgba(255,255,255,.55);")
_DARK = _tokens(palette.DARK, "--shade:rgba(0,0,0,.55);--lit:rgba(255,240,210,.2);")


def colour_tokens() -> str:
    """Return the style-sheet rules that define every colour of both themes, and nothing else."""
    return f":root{{{_LIGHT}--font:{FONT};color-scheme:light}}\n:root[data-theme=dark]{{{_DARK}color-scheme:dark}}\n"


def dark_if_asked(body: str) -> str:
    """Return rules that show a page without a script in the dark theme where the reader's system asks for it.

    Drawings carry colours of the light theme: each is replaced by the token that it is the colour of. Print is light.

    Parameters
    ----------
    body
        Content of the page, with its drawings.
    """
    token_of: dict[str, str] = {}
    for token, colour in palette.LIGHT.items():
        token_of.setdefault(colour, token)  # of several tokens of one colour the first: their dark ones are alike
    used = sorted(set(re.findall(r' (fill|stroke)="(#[0-9A-Fa-f]{6})"', body)))
    rules = "".join(
        f'svg [{what}="{colour}"]{{{what}:var(--{token_of[colour]})}}' for what, colour in used if colour in token_of
    )
    return f"@media screen and (prefers-color-scheme:dark){{:root{{{_DARK}color-scheme:dark}}{rules}}}\n"


def _digest(body: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() + "'"


def _security_policy(styles: Iterable[str], scripts: Iterable[str], *, image_origin: str = "") -> str:
    """Return a policy that allows exactly these styles and scripts, and no network.

    Parameters
    ----------
    styles, scripts
        As they stand in the page. They are not looked for in the page: a script that got in with the data would be
        allowed as well.
    image_origin
        The one host that pictures may come from, such as "https://tiles.example.org"; empty for none.

    Returns
    -------
    policy
        Value of the Content-Security-Policy header or meta element.

    Raises
    ------
    InputError
        If a style or script holds the end of its own element.
    """
    ends = re.compile(r"</(?:script|style)|<!--", re.IGNORECASE)
    if any(ends.search(text) for text in (*styles, *scripts)):
        raise InputError("a script or style sheet of a page holds </script, </style or <!--: write it otherwise")

    def sources(bodies: Iterable[str]) -> str:
        return " ".join(dict.fromkeys(_digest(body) for body in bodies)) or "'none'"

    images = f"data: {image_origin}".rstrip()
    return (
        f"default-src 'none'; script-src {sources(scripts)}; style-src {sources(styles)}; img-src {images}; "
        "base-uri 'none'; form-action 'none'"
    )


def tile_origin(url: str) -> str:
    """Return scheme and host of a tile address, for the policy.

    Raises
    ------
    InputError
        If the address is not http(s) or its host holds a placeholder other than `{s}`.
    """
    if not url:
        return ""
    found = re.match(r"^(https?)://([^/?#;,'\"\s]+)", url)
    if found is None:
        raise InputError(
            "page.tiles.url is not an http(s) address: give an XYZ or WMTS template that starts with https://"
        )
    host = found[2].replace("{s}", "*")
    if "{" in host or "@" in host:
        raise InputError("page.tiles.url has a placeholder or a password in its host: only {s} is allowed there")
    return f"{found[1]}://{host}"


def leaflet() -> tuple[str, str]:
    """Return Leaflet's script, with its licence notice, and its style sheet without pictures.

    The pictures belong to controls and markers that the map does not use.
    """
    import xstatic.pkg.leaflet

    folder = Path(xstatic.pkg.leaflet.BASE_DIR)
    script = re.sub(r"//# sourceMappingURL=\S*", "", (folder / "leaflet.js").read_text("utf-8")).strip()
    notice = (
        "/*! Leaflet 1.9.3, (c) 2010-2022 Vladimir Agafonkin, (c) 2010-2011 CloudMade. BSD 2-Clause License: "
        "redistribution and use in source and binary forms, with or without modification, are permitted provided that "
        "the copyright notice, the conditions and the disclaimer of that licence are kept. "
        'THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED '
        "WARRANTIES ARE DISCLAIMED. */\n"
    )
    style = (folder / "leaflet.css").read_text("utf-8").replace("\r", "")
    style = re.sub(r"url\((?!#)[^)]+\)", "none", style)
    return notice + script, style


def document(
    *,
    language: str,
    title: str,
    styles: list[str],
    body: str,
    data: Any = None,
    scripts: tuple[str, ...] = (),
    image_origin: str = "",
) -> str:
    """Put a whole page together: one file, no address in it, and the policy that keeps it so.

    Parameters
    ----------
    language
        Language tag.
    title
        Plain text; escaped here.
    styles
        Style sheets, in order.
    body
        Markup whose data is escaped already.
    data
        What the script reads from the element `data`; None leaves it out.
    scripts
        Scripts, in order, run after the body.
    image_origin
        The one host that pictures may come from, such as "https://tiles.example.org"; empty for none.

    Returns
    -------
    html
        Ends with a newline.
    """
    policy = _security_policy(styles, scripts, image_origin=image_origin)
    html = render(
        "page.html",
        language=language,
        title=title,
        policy=policy,
        styles=[safe(style) for style in styles],
        body=safe(body),
        data=None if data is None else safe(data_block(data)),
        scripts=[safe(script) for script in scripts],
    )
    return str(html)  # a whole page goes into a file or a frame: `Markup` would escape what is done to it
