"""One polite conversation with a public server: one request at a time, named, patient, and never past a closed door."""

import email.utils
import http.client
import importlib.metadata
import secrets
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

from pipeline.errors import InputError
from pipeline.fetch.robots import Robots
from pipeline.fetch.words import checked_url, cleaned

__all__ = ["AGENT", "Client", "Later", "Limits"]

AGENT = f"hotspots/{importlib.metadata.version('hotspots')} (crime-hotspot maps; one request at a time)"
_RETRY = frozenset({408, 425, 429, 500, 502, 503, 504})
_MOVED = frozenset({301, 302, 303, 307, 308})
_CHUNK = 1 << 16
_MOST_MOVES = 5
_PROGRESS_BYTES = 1 << 16

Take = TypeVar("Take")
Response = http.client.HTTPResponse


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a server's answer is taken, and how long it is waited for.

    Attributes
    ----------
    max_bytes
        Longest body, in bytes.
    timeout_s
        Longest silence, in seconds.
    deadline_s
        Longest time for one address with all its retries, in seconds: a server that drips cannot hold on for ever.
    attempts
        Failures in a row before giving up; one that brought new bytes does not count.
    delay_s
        Pause between requests, in seconds; a longer crawl delay in robots.txt wins.
    max_wait_s
        Longest Retry-After that is waited for, in seconds.
    """

    max_bytes: int = 200_000_000
    timeout_s: float = 30.0
    deadline_s: float = 900.0
    attempts: int = 6
    delay_s: float = 0.5
    max_wait_s: float = 120.0


class Later(Exception):  # noqa: N818 - not an error yet: the exchange is tried again
    """A failure that may pass: what happened, the wait the server asked for, and the new bytes it brought before."""

    def __init__(self, words: str, *, wait_s: float | None = None, gained: int = 0) -> None:
        super().__init__(words)
        self.wait_s = wait_s
        self.gained = gained


@dataclass(slots=True)
class Client:
    """Asks servers for files.

    Attributes
    ----------
    limits
        How patient it is.
    sleep, clock, jitter
        Waiting, seconds that only grow, and a number in [0, 1): replaced in tests.
    """

    limits: Limits = field(default_factory=Limits)
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = field(default_factory=lambda: secrets.SystemRandom().random)
    _robots: dict[str, Robots] = field(default_factory=dict)
    _last: float | None = None

    def exchange(
        self, url: str, *, headers: Callable[[], Mapping[str, str]], take: Callable[[Response], Take], limits: Limits
    ) -> Take:
        """Ask until there is an answer that `take` accepts.

        Parameters
        ----------
        url
            Address; https, or http on this computer.
        headers
            Further headers, made anew for each attempt.
        take
            Reads the answer; raises `Later` where another attempt may do better.
        limits
            How patient to be.

        Raises
        ------
        InputError
            If robots.txt forbids it, the server cannot be reached or trusted, or patience has run out.
        """
        began, failures = self.clock(), 0
        while True:
            try:
                with self._ask(checked_url(url, setting="address"), headers(), limits) as answer:
                    _refuse_for_now(answer)
                    return take(answer)
            except Later as later:
                failures = 1 if later.gained >= _PROGRESS_BYTES else failures + 1
                wait = self._wait(later, failures, limits)
                spent = self.clock() - began
                if failures >= limits.attempts or spent + wait > limits.deadline_s:
                    raise InputError(
                        f"{_host(url)} did not give {_short(url)}: {later} (attempt {failures}, {spent:.0f} s). "
                        "What came is kept and the next `hotspots fetch` goes on from there: try again later"
                    ) from None
                self.sleep(wait)

    def chunks(self, answer: Response, *, limits: Limits, began: float) -> Iterator[bytes]:
        """Yield the body as it comes; a body cut off, or one that takes for ever, is a `Later`."""
        promised = answer.headers.get("Content-Length", "")
        length = 0
        while True:
            try:
                piece = answer.read1(_CHUNK)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise Later(f"the connection broke ({_reason(error)})", gained=length) from None
            if not piece:
                break
            length += len(piece)
            yield piece
            if self.clock() - began > limits.deadline_s:
                raise Later(f"it was still sending after {limits.deadline_s:.0f} s", gained=0)
        if promised.isdecimal() and length != int(promised):
            raise Later(f"it was cut off after {length:,} of {int(promised):,} bytes", gained=length)

    def _wait(self, later: Later, failures: int, limits: Limits) -> float:
        """Seconds until the next attempt: what the server asked for, else twice as long each time, with jitter."""
        if later.wait_s is None:
            return float(min(2 ** (failures - 1), 60) * (0.5 + 0.5 * self.jitter()))
        if later.wait_s > limits.max_wait_s:
            raise InputError(f"{later}; it asks to come back in {later.wait_s:,.0f} s: do so, nothing is lost")
        return later.wait_s

    def _ask(self, url: str, headers: Mapping[str, str], limits: Limits) -> Response:
        """Send one request, following moves that robots.txt and the rules for addresses allow."""
        for _ in range(_MOST_MOVES + 1):
            self._admitted(url, limits)
            answer = self._send(url, headers, limits)
            if answer.status not in _MOVED:
                return answer
            where = answer.headers.get("Location", "")
            answer.close()
            target = urljoin(url, where)
            if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
                raise InputError(f"{_host(url)} sends to {cleaned(target)!r}, which is not encrypted: not followed")
            url = checked_url(target, setting="the address moved to,")
        raise InputError(f"{_host(url)} sends from address to address without end: try again later")

    def _send(self, url: str, headers: Mapping[str, str], limits: Limits) -> Response:
        since = None if self._last is None else self.clock() - self._last
        delay = max(limits.delay_s, self._robots.get(_origin(url), Robots()).delay_s)
        if since is not None and since < delay:
            self.sleep(delay - since)
        request = urllib.request.Request(  # noqa: S310 - http and https only: `checked_url`, and no other handler
            url, headers={"User-Agent": AGENT, "Accept-Encoding": "identity", **headers}
        )
        try:
            answer: Response = _opener().open(request, timeout=limits.timeout_s)
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise InputError(
                    f"{_host(url)} does not prove who it is ({cleaned(error.reason.verify_message)}): check the "
                    "computer's clock and certificates, or ask your network's administrator"
                ) from None
            raise Later(f"it cannot be reached ({_reason(error.reason)})") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Later(f"the connection broke ({_reason(error)})") from None
        finally:
            self._last = self.clock()
        return answer

    def _admitted(self, url: str, limits: Limits) -> None:
        """Ask robots.txt, once for each server.

        Raises
        ------
        InputError
            If it forbids the address.
        """
        origin = _origin(url)
        if origin not in self._robots:
            self._robots[origin] = self._read_robots(origin, limits)
        if not self._robots[origin].allows(url):
            raise InputError(
                f"robots.txt of {_host(url)} does not allow programs to fetch {_short(url)}: fetch it by hand in a "
                "browser, or name another server with --from"
            )

    def _read_robots(self, origin: str, limits: Limits) -> Robots:
        url: str = origin + "/robots.txt"
        for _ in range(_MOST_MOVES + 1):
            with self._send(url, {}, limits) as answer:
                if answer.status in _MOVED:
                    url = checked_url(urljoin(url, answer.headers.get("Location", "")), setting="robots.txt moved to")
                    continue
                _refuse_for_now(answer)
                body = b""
                if answer.status == 200:  # RFC 9309: any other refusal means there are no rules
                    for piece in self.chunks(answer, limits=limits, began=self.clock()):
                        body += piece
                        if len(body) >= Robots.most_bytes:
                            break
                return Robots.read(body)
        return Robots()


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener for http and https alone: no files, no FTP, no redirects of its own, no errors raised."""
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), urllib.request.HTTPSHandler()):
        opener.add_handler(handler)
    return opener


def _retry_after(answer: Response) -> float | None:
    """Read Retry-After, seconds or a date."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _refuse_for_now(answer: Response) -> None:
    """Raise `Later` for the answers that mean: not now."""
    if answer.status in _RETRY:
        words = f"it answered {answer.status} {cleaned(answer.reason, most=60)}".strip()
        raise Later(words, wait_s=_retry_after(answer))


def _reason(error: object) -> str:
    return cleaned(getattr(error, "strerror", None) or error) or type(error).__name__


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _host(url: str) -> str:
    return cleaned(urlsplit(url).hostname or url)


def _short(url: str) -> str:
    return cleaned(urlsplit(url).path or "/")
