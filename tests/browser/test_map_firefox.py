"""The map in Firefox, by its own headless picture: drawn, in the right colours at the right places, as in Chromium."""

import html
import io
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIZE = (1280, 800)
PANEL = 352
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
def wait_of_three_seconds() -> Iterator[str]:
    """Address of a picture that takes its time: Firefox takes its own when a page is loaded, not when it is drawn."""

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(3)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def shoot(firefox: str, tmp_path: Path, wait_of_three_seconds: str) -> Callable[..., np.ndarray]:
    """Take Firefox's picture of a file, with a profile that is thrown away and no way out."""

    def take(path: Path, state: str) -> np.ndarray:
        profile, target = tmp_path / "profile", tmp_path / "firefox.png"
        profile.mkdir()
        (profile / "user.js").write_text(
            'user_pref("network.proxy.type", 1); user_pref("network.proxy.http", "127.0.0.1");\n'
            'user_pref("network.proxy.http_port", 9); user_pref("network.proxy.ssl", "127.0.0.1");\n'
            'user_pref("network.proxy.ssl_port", 9); user_pref("app.update.enabled", false);\n'
            'user_pref("datareporting.policy.dataSubmissionEnabled", false);\n',
            encoding="utf-8",
        )
        command = [firefox, "--headless", "--no-remote", "--profile", str(profile)]
        frame = tmp_path / "frame.html"
        frame.write_text(
            "<style>body { margin: 0 } iframe { border: 0; width: 100vw; height: 100vh; display: block } "
            f"img {{ position: absolute; opacity: 0 }}</style><img src='{wait_of_three_seconds}'>"
            f'<iframe src="{html.escape(path.as_uri())}#{html.escape(state)}"></iframe>',
            encoding="utf-8",
        )
        command += [f"--window-size={SIZE[0]},{SIZE[1]}", "--screenshot", str(target), frame.as_uri()]
        home = os.environ | {"HOME": str(tmp_path), "MOZ_CRASHREPORTER_DISABLE": "1"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=home, check=False)
        assert target.is_file(), done.stderr[-800:]
        return np.asarray(Image.open(target).convert("RGB")).astype(int)

    return take


def colour(text: str) -> np.ndarray:
    return np.array([int(text[k : k + 2], 16) for k in (1, 3, 5)])


@pytest.mark.parametrize("state", ["l=borough&m=rate", "l=ward&m=rate&t=dark"])
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
