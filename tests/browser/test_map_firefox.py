"""The map in Firefox, by its own headless picture: drawn, in the right colours at the right places, as in Chromium.

In short the view with the most areas, and in the dark; HOTSPOTS_LONG=1 takes boroughs by day too.
"""

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.kit.firefox import firefox_picture

SIZE = (1280, 800)
PANEL = 352
STATES = ("l=ward&m=rate&t=dark", "l=borough&m=rate")
NEAR = 40
"""Sum over the channels under which two pixels count as the same: edges are smoothed differently."""

PLACES = """() => [...document.querySelectorAll('.leaflet-areas-pane path')].map((path) => {
    const matrix = path.getScreenCTM(), box = path.getBBox();
    for (let k = 1; k < 40; k++) for (let m = 1; m < 40; m++) {
        const all = [[0, 0], [5, 0], [-5, 0], [0, 5], [0, -5]].map(([dx, dy]) =>
            new DOMPoint(box.x + (box.width * k) / 40 + dx, box.y + (box.height * m) / 40 + dy));
        if (!all.every((p) => path.isPointInFill(p))) continue;
        const at = all[0].matrixTransform(matrix);
        const top = document.elementsFromPoint(at.x, at.y);
        if (top[0] === path) return [Math.round(at.x), Math.round(at.y), path.getAttribute('fill')];
    }
    return null;
}).filter(Boolean)"""


@pytest.fixture
def shoot(firefox: str, tmp_path: Path) -> Callable[..., np.ndarray]:
    """Take Firefox's picture of a file."""

    def take(path: Path, state: str) -> np.ndarray:
        target = tmp_path / "firefox.png"
        firefox_picture(firefox, path, target, scratch=tmp_path, state=state, size=SIZE)
        return np.asarray(Image.open(target).convert("RGB")).astype(int)

    return take


def colour(text: str) -> np.ndarray:
    return np.array([int(text[k : k + 2], 16) for k in (1, 3, 5)])


@pytest.mark.parametrize("state", STATES if os.environ.get("HOTSPOTS_LONG") else STATES[:1])
def test_firefox_draws_what_chromium_draws(opened, map_file, shoot, state: str) -> None:
    state += "&spots=0&names=0"
    page = opened("london", state, width=SIZE[0], height=SIZE[1]).page
    theirs = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
    filled = [(x, y, fill) for x, y, fill in page.evaluate(PLACES) if fill.startswith("#")]
    places = [(x, y, fill) for x, y, fill in filled if (theirs[y, x] == colour(fill)).all()]  # no line runs there
    assert len(places) > 0.9 * len(filled)
    assert len(places) >= 28
    assert len({fill for _, _, fill in places}) >= 3
    ours = shoot(map_file("london"), state)
    assert ours.shape == theirs.shape == (SIZE[1], SIZE[0], 3)
    wrong = [(x, y, fill) for x, y, fill in places if abs(ours[y, x] - colour(fill)).sum() > 6]
    assert wrong == []  # every area has the colour of its class, where it should be
    differs = abs(ours - theirs).sum(axis=2) > NEAR
    assert differs[:, PANEL + 2 :].mean() < 0.01
    assert (abs(ours[:, :PANEL] - ours[5, 5]).sum(axis=2) > NEAR).mean() > 0.03  # the panel has its words
    page.evaluate(
        "document.querySelectorAll('.leaflet-areas-pane path').forEach((p) => p.setAttribute('fill', '#888'))"
    )
    grey = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
    assert (abs(grey - ours).sum(axis=2) > NEAR)[:, PANEL + 2 :].mean() > 0.1  # and the comparison can tell
