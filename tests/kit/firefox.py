"""Firefox's own headless picture of a page, taken once the page is drawn."""

import html
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

__all__ = ["firefox_picture"]

OFFLINE = """user_pref("network.proxy.type", 1); user_pref("network.proxy.http", "127.0.0.1");
user_pref("network.proxy.http_port", 9); user_pref("network.proxy.ssl", "127.0.0.1");
user_pref("network.proxy.ssl_port", 9); user_pref("app.update.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
"""


@contextmanager
def _slow_picture(seconds: float) -> Iterator[str]:
    """Give the address of a picture that takes its time: Firefox takes its own as soon as a page is loaded."""

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(seconds)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def firefox_picture(
    firefox: str, path: Path, target: Path, *, scratch: Path, state: str = "", size: tuple[int, int] = (1280, 800)
) -> None:
    """Take Firefox's picture of a file, with a profile that is thrown away and no way to the network.

    Parameters
    ----------
    firefox
        The program.
    path, state
        The page, and what stands after # in its address.
    target
        Picture to write.
    scratch
        An empty folder for the profile and the frame around the page.
    size
        Width and height in pixels.
    """
    profile, frame = scratch / "profile", scratch / "frame.html"
    profile.mkdir()
    (profile / "user.js").write_text(OFFLINE, "utf-8")
    with _slow_picture(3.0) as waiting:
        frame.write_text(
            "<style>body { margin: 0 } iframe { border: 0; width: 100vw; height: 100vh; display: block } "
            f"img {{ position: absolute; opacity: 0 }}</style><img src='{waiting}'>"
            f'<iframe src="{html.escape(path.resolve().as_uri())}#{html.escape(state)}"></iframe>',
            "utf-8",
        )
        command = [firefox, "--headless", "--no-remote", "--profile", str(profile)]
        command += [f"--window-size={size[0]},{size[1]}", "--screenshot", str(target), frame.as_uri()]
        home = os.environ | {"HOME": str(scratch), "MOZ_CRASHREPORTER_DISABLE": "1"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=home, check=False)
    assert target.is_file(), done.stderr[-800:]
