"""What a stranger's server sends, made fit for a message or a file."""

import unicodedata
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import InputError

__all__ = ["LOOPBACK", "checked_url", "cleaned", "plain_name"]

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def cleaned(text: object, *, most: int = 120) -> str:
    """Return a stranger's text for a message: one line, no control character, not long."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in str(text))
    short = " ".join(kept.split())
    return short if len(short) <= most else short[: most - 1] + "…"


def plain_name(value: Any, *, what: str, most: int = 200) -> str:
    """Return a name that a server sent, or refuse it.

    Raises
    ------
    InputError
        If it is no text, blank, longer than `most` characters, or holds control characters.
    """
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > most or any(unicodedata.category(c)[0] == "C" for c in text):
        raise InputError(
            f"{what} is {cleaned(repr(value))}: expected a name. The service may have changed; nothing was kept"
        )
    return text


def checked_url(url: str, *, setting: str = "--from") -> str:
    """Return an address that may be asked, without its last slash.

    Raises
    ------
    InputError
        If it is not https (http is for this computer only) or carries a name and password, which would be written down.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    if not host or parts.scheme not in {"http", "https"}:
        raise InputError(f"{setting} {cleaned(url)!r} is not an address: give one that begins with https://")
    if parts.username is not None or parts.password is not None:
        raise InputError(
            f"{setting} names a user in the address of {cleaned(host)}: leave it out, addresses are recorded"
        )
    if parts.scheme == "http" and host not in LOOPBACK:
        raise InputError(
            f"{setting} {cleaned(url)!r} is not encrypted, so anybody on the way could change the data: use https://"
        )
    return url.rstrip("/")
