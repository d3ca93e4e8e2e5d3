"""Requests to a public server: one at a time, with a named agent, with retries, and as robots.txt allows.

httpx sends each request and checks certificates. This module decides what httpx leaves to its caller: whether an
address may be requested (robots.txt, https only), the pause between requests, which failures are retried, how long to
wait, and when to stop.
"""

import email.utils
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar, TypeVar
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

import httpx

from pipeline import __version__
from pipeline.errors import InputError
from pipeline.fetch.untrusted import checked_url, cleaned

__all__ = ["AGENT", "Client", "Later", "Limits"]

AGENT = f"hotspots/{__version__} (crime-hotspot maps; one request at a time)"
# Answers that mean "not now": timeout, too early, too many requests, and a server or gateway in trouble.
_RETRY = frozenset({408, 425, 429, 500, 502, 503, 504})
_MOVED = frozenset({301, 302, 303, 307, 308})
_MOST_MOVES = 5  # a longer chain of redirects is a loop
_PROGRESS_BYTES = 1 << 16  # an attempt that received this much is not a failure: a slow connection may break many times

Take = TypeVar("Take")
Error = TypeVar("Error", bound=BaseException)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on the size of a response, and on waiting times.

    Attributes
    ----------
    max_bytes
        Longest body, in bytes.
    timeout_s
        Longest silence, in seconds.
    deadline_s
        Longest time for one address including all retries, in seconds, so that a very slow server cannot block for
        ever.
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


@dataclass(frozen=True, slots=True)
class _Robots:
    """Rules of one server; without a file everything is allowed (RFC 9309, section 2.3.1.3)."""

    rules: RobotFileParser | None = None
    name: ClassVar[str] = "hotspots"
    most_bytes: ClassVar[int] = 512_000  # RFC 9309 asks for 500 KiB at least
    longest_delay_s: ClassVar[float] = 60.0

    @classmethod
    def read(cls, body: bytes) -> "_Robots":
        """Read the rules from the file's bytes."""
        rules = RobotFileParser()
        rules.parse(body[: cls.most_bytes].decode("utf-8", "replace").splitlines())
        return cls(rules)

    def allows(self, url: str) -> bool:
        """Whether the address may be asked for."""
        return self.rules is None or self.rules.can_fetch(self.name, url)

    @property
    def delay_s(self) -> float:
        """Pause between requests that the server asks for, in seconds, at most a minute."""
        asked = self.rules.crawl_delay(self.name) if self.rules else None
        return min(float(asked), self.longest_delay_s) if asked else 0.0


@dataclass(slots=True)
class Client:
    """Requests files from servers.

    Attributes
    ----------
    limits
        Limits on size and waiting times.
    sleep, clock, jitter
        Waiting, seconds that only grow, and a number in [0, 1): replaced in tests.
    """

    limits: Limits = field(default_factory=Limits)
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = field(default_factory=lambda: secrets.SystemRandom().random)
    _robots: dict[str, _Robots] = field(default_factory=dict)
    _last: float | None = None
    _session: httpx.Client | None = None

    def exchange(
        self,
        url: str,
        *,
        headers: Callable[[], Mapping[str, str]],
        take: Callable[[httpx.Response], Take],
        limits: Limits,
    ) -> Take:
        """Request until there is a response that `take` accepts.

        Parameters
        ----------
        url
            Address; https, or http on this computer.
        headers
            Further headers, made anew for each attempt.
        take
            Reads the response; raises `Later` if another attempt may succeed.
        limits
            Limits on size and waiting times.

        Raises
        ------
        InputError
            If robots.txt forbids it, the server cannot be reached or trusted, or the limits are exceeded.
        """
        began, failures = self.clock(), 0
        while True:
            try:
                with closing(self._ask(checked_url(url, setting="address"), headers(), limits)) as answer:
                    _refuse_for_now(answer)
                    return take(answer)
            except Later as later:
                # A loop, not a library's decorator: the count starts again after progress, the server may name the
                # wait, and one deadline covers all attempts and waits together.
                failures = 1 if later.gained >= _PROGRESS_BYTES else failures + 1
                wait = self._wait(later, failures, limits)
                spent = self.clock() - began
                if failures >= limits.attempts or spent + wait > limits.deadline_s:
                    raise InputError(
                        f"{_host(url)} did not give {_short(url)}: {later} (attempt {failures}, {spent:.0f} s). "
                        "What was received is kept, and the next `hotspots fetch` continues from there: try again later"
                    ) from None
                self.sleep(wait)

    def chunks(self, answer: httpx.Response, *, limits: Limits, began: float) -> Iterator[bytes]:
        """Yield the body as it comes; a body that was cut off, or that takes too long, is a `Later`."""
        promised = answer.headers.get("Content-Length", "")
        length = 0
        try:
            # Raw: what goes to the disk are the bytes that were sent, so that a part can be continued by its length.
            for piece in answer.iter_raw():
                length += len(piece)
                yield piece
                # The time-out of httpx is for one silence; a server that sends a byte now and then never meets it.
                if self.clock() - began > limits.deadline_s:
                    raise Later(f"it was still sending after {limits.deadline_s:.0f} s", gained=0)
        except httpx.TransportError as error:
            # httpx also notices that a body ended early; the lengths say it better than its words do.
            if not (isinstance(error, httpx.RemoteProtocolError) and promised.isdecimal() and length < int(promised)):
                raise Later(f"the connection broke ({_reason(error)})", gained=length) from None
        if promised.isdecimal() and length != int(promised):
            raise Later(f"it was cut off after {length:,} of {int(promised):,} bytes", gained=length)

    def _wait(self, later: Later, failures: int, limits: Limits) -> float:
        """Seconds until the next attempt: what the server asked for, else twice as long each time, with jitter."""
        if later.wait_s is None:
            return float(min(2 ** (failures - 1), 60) * (0.5 + 0.5 * self.jitter()))
        if later.wait_s > limits.max_wait_s:
            raise InputError(f"{later}; the server asks to try again in {later.wait_s:,.0f} s: do so, nothing is lost")
        return later.wait_s

    def _ask(self, url: str, headers: Mapping[str, str], limits: Limits) -> httpx.Response:
        """Send one request, following moves that robots.txt and the rules for addresses allow."""
        for _ in range(_MOST_MOVES + 1):
            self._admitted(url, limits)
            answer = self._send(url, headers, limits)
            if answer.status_code not in _MOVED:
                return answer
            where = answer.headers.get("Location", "")
            answer.close()
            target = urljoin(url, where)
            # Followed by hand, not by httpx: each new address must be https too and pass its own server's robots.txt.
            if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
                raise InputError(f"{_host(url)} sends to {cleaned(target)!r}, which is not encrypted: not followed")
            url = checked_url(target, setting="the address moved to,")
        raise InputError(f"{_host(url)} sends from address to address without end: try again later")

    def _send(self, url: str, headers: Mapping[str, str], limits: Limits) -> httpx.Response:
        """Send one request, no sooner after the last than the server wants; the body is still to be read."""
        since = None if self._last is None else self.clock() - self._last
        delay = max(limits.delay_s, self._robots.get(_origin(url), _Robots()).delay_s)
        if since is not None and since < delay:
            self.sleep(delay - since)
        session = self._opened()
        try:
            request = session.build_request("GET", url, headers=headers, timeout=limits.timeout_s)
            return session.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            refused = _within(error, ssl.SSLCertVerificationError)
            if refused is not None:  # no attempt later makes it trustworthy
                raise InputError(
                    f"the certificate of {_host(url)} cannot be verified ({cleaned(refused.verify_message)}): check "
                    "the "
                    "computer's clock and certificates, or ask your network's administrator"
                ) from None
            raise Later(f"it cannot be reached ({_reason(error)})") from None
        except (httpx.TransportError, httpx.InvalidURL, ValueError) as error:
            raise Later(f"the connection broke ({_reason(error)})") from None
        finally:
            self._last = self.clock()

    def _opened(self) -> httpx.Client:
        """Return the session of httpx, made at the first request.

        Raises
        ------
        InputError
            If the proxy that the environment names cannot be used.
        """
        if self._session is None:
            try:
                self._session = httpx.Client(
                    # The system's certificates rather than httpx's own: offices add theirs there.
                    verify=ssl.create_default_context(),
                    # One connection, closed after each answer: pauses are long, and servers drop idle ones.
                    limits=httpx.Limits(max_connections=1, max_keepalive_connections=0),
                    # Uncompressed, so that lengths and ranges are those of the file.
                    headers={"User-Agent": AGENT, "Accept-Encoding": "identity"},
                    follow_redirects=False,
                )
            except (ImportError, ValueError) as error:
                raise InputError(
                    f"the proxy that this computer's environment names cannot be used ({cleaned(error)}): correct "
                    "HTTPS_PROXY and its like, or ask your network's administrator"
                ) from None
        return self._session

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

    def _read_robots(self, origin: str, limits: Limits) -> _Robots:
        url: str = origin + "/robots.txt"
        for _ in range(_MOST_MOVES + 1):
            with closing(self._send(url, {}, limits)) as answer:
                if answer.status_code in _MOVED:
                    url = checked_url(urljoin(url, answer.headers.get("Location", "")), setting="robots.txt moved to")
                    continue
                # A server in trouble is asked again: without its rules nothing else on it is asked.
                _refuse_for_now(answer)
                body = b""
                if answer.status_code == 200:  # RFC 9309: any other refusal means there are no rules
                    for piece in self.chunks(answer, limits=limits, began=self.clock()):
                        body += piece
                        if len(body) >= _Robots.most_bytes:
                            break
                return _Robots.read(body)
        return _Robots()


def _retry_after(answer: httpx.Response) -> float | None:
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


def _refuse_for_now(answer: httpx.Response) -> None:
    """Raise `Later` for the answers that mean: not now."""
    if answer.status_code in _RETRY:
        words = f"it answered {answer.status_code} {cleaned(answer.reason_phrase, most=60)}".strip()
        raise Later(words, wait_s=_retry_after(answer))


def _within(error: BaseException, kind: type[Error]) -> Error | None:
    """Return the first error of a kind among an error and what caused it: httpx wraps what the system reported."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, kind):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def _reason(error: BaseException) -> str:
    """Return the system's error message, or httpx's."""
    system = _within(error, OSError)
    return cleaned((system and system.strerror) or error) or type(error).__name__


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _host(url: str) -> str:
    return cleaned(urlsplit(url).hostname or url)


def _short(url: str) -> str:
    return cleaned(urlsplit(url).path or "/")
