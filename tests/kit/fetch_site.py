"""A web site on this computer whose every answer a test writes down beforehand: slow, broken, rude or right."""

import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Answer = Callable[[BaseHTTPRequestHandler], None]


def say(body: bytes | str = b"", kind: str | None = "application/json", *, status: int = 200, cut: int | None = None,
        stated: int | None = None, **headers: str) -> Answer:  # fmt: skip
    """Answer with a body; `cut` sends only so many bytes of it, `stated` lies about its length (-1 states none)."""
    data = body.encode() if isinstance(body, str) else body

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        if kind is not None:
            request.send_header("Content-Type", kind)
        if stated != -1:
            request.send_header("Content-Length", str(len(data) if stated is None else stated))
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(data if cut is None else data[:cut])

    return answer


def kept(body: bytes | str, kind: str = "application/json", *, etag: str = '"v1"', cut: int | None = None) -> Answer:
    """Answer as a file server does: If-None-Match, Range and If-Range are understood."""
    data = body.encode() if isinstance(body, str) else body

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked = request.headers
        if asked.get("If-None-Match") == etag:
            say(kind=None, status=304, ETag=etag)(request)
        elif asked.get("Range") and asked.get("If-Range") == etag:
            start = int(asked["Range"].removeprefix("bytes=").removesuffix("-"))
            span = f"bytes {start}-{len(data) - 1}/{len(data)}"
            say(data[start:], kind, status=206, cut=cut, ETag=etag, Content_Range=span)(request)
        else:
            say(data, kind, cut=cut, ETag=etag)(request)

    return answer


def silent(seconds: float) -> Answer:
    """Answer nothing for a while, then close."""
    return lambda _request: time.sleep(seconds)


class Site:
    """The site: answers by path, and what was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, list[Answer] | Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.address = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path).path
        if path != "/robots.txt":
            self.asked.append((request.path, {k.title(): v for k, v in request.headers.items()}))
        script = self.pages.get(path, say("not here", "text/plain", status=404))
        if isinstance(script, list):
            script = script.pop(0) if len(script) > 1 else script[0]
        script(request)

    def query(self, number: int = -1) -> dict[str, str]:
        """Return the parameters of a request."""
        return {k: v[0] for k, v in parse_qs(urlsplit(self.asked[number][0]).query).items()}


@contextlib.contextmanager
def serving(secret: ssl.SSLContext | None = None) -> Iterator[Site]:
    """Run a site until the block ends, over TLS where a context with its certificate is given."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            with contextlib.suppress(ConnectionError):
                site.answer(self)

        do_HEAD = do_GET  # noqa: N815 - the server's name for it

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if secret is not None:
            server.socket = secret.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        site.address = f"http{'s' if secret else ''}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join(5)
