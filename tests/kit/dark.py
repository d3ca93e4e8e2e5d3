"""Whether a page without a script has a dark theme for all that it draws."""

import re

from pipeline.publish import palette

__all__ = ["not_darkened"]


def not_darkened(html: str) -> list[str]:
    """Return the colours of drawings, and of the page, that stay those of the light theme where a reader asks for dark.

    Parameters
    ----------
    html
        The page.
    """
    asked = html.partition("@media screen and (prefers-color-scheme:dark){")[2].partition("</style>")[0]
    rules = dict(re.findall(r'svg \[((?:fill|stroke)="#\w{6}")\]\{\w+:var\(--([\w-]+)\)\}', asked))
    drawn = {
        f'{what}="{colour}"' for what, colour in re.findall(r' (fill|stroke)="(#\w{6})"', html.partition("</style>")[2])
    }
    found = [mark for mark in drawn if palette.LIGHT.get(rules.get(mark, "")) != mark.split('"')[1]]
    defined = dict(re.findall(r"--([\w-]+):(#\w{6});", asked.partition("}")[0]))
    return sorted(found) + sorted(name for name, colour in palette.DARK.items() if defined.get(name) != colour)
