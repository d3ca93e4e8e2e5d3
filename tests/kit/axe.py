"""What axe, the checker of accessibility, finds on a page that is open in a browser."""

from functools import cache
from pathlib import Path
from typing import Any

import axe_core_python

__all__ = ["axe_script", "violations", "violations_in_widths"]

WIDTHS = (1280, 320)


@cache
def axe_script() -> str:
    """Return the script of axe."""
    return (Path(axe_core_python.__file__).parent / "axe.min.js").read_text("utf-8")


def violations(page: Any, **options: Any) -> list[str]:
    """Return each violation: its rule, the first element, and what is wrong with it.

    Parameters
    ----------
    page
        The page, as it is shown at the moment.
    options
        Of `axe.run`, such as `runOnly`.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe_script())
    # What is loaded ahead serves rules about sound and films, of which our pages have none.
    assert not page.evaluate("!!document.querySelector('audio, video')")
    quick = {"resultTypes": ["violations"], "preload": False}
    found = page.evaluate("options => axe.run(document, options)", quick | options)["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]} {v['nodes'][0]['failureSummary'][:200]}" for v in found]


def violations_in_widths(page: Any, **options: Any) -> list[str]:
    """Return the violations on a desk and on a phone, and where the page is wider than its window; for plain pages."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        found += [f"{width} px: {one}" for one in violations(page, **options)]
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found.append(f"{width} px: wider than its window")
    return found
