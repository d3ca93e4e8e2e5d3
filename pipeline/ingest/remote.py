"""Files at an address, copied to this computer before a run reads them: https by httpx, other stores by fsspec.

A copy is kept with what identifies its content at the server (ETag, or time and size). The next run asks for that
first, and copies the file again only if it has changed.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeline.config import Run
from pipeline.errors import ConfigError, EngineError, InputError
from pipeline.ingest.formats.files import first_line

__all__ = ["Fetched", "fetch_file", "is_address", "local_name", "shown_address"]

_MB = 1_000_000
_CHUNK = 1 << 20
_TIMEOUT_S = 30.0
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
# The stores that fsspec reads; their packages are installed beside it. Its own combinations of addresses, such as
# `zip://a.zip::https://...`, and those that lead back to this computer are not among them.
_STORES = ("s3", "gs", "gcs", "az", "abfs", "abfss", "adl", "sftp", "ssh", "ftp", "smb", "hdfs", "webdav")
_KEPT = "The last complete outputs are as they were."


@dataclass(frozen=True, slots=True)
class Fetched:
    """What identifies the content at the server, its size, and whether the copy was already of it."""

    mark: str
    size: int
    taken_over: bool


def is_address(path: str) -> bool:
    """Whether a path of the configuration is an address."""
    return "://" in path


def shown_address(address: str) -> str:
    """Return an address without what may be secret in it: user, password and query.

    Examples
    --------
    >>> shown_address("https://me:hush@example.org/a.csv?signature=hush")
    'https://example.org/a.csv'
    """
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def local_name(address: str) -> tuple[str, str]:
    """Return the folder and the name of the copy: those of the file, which may name its month.

    Examples
    --------
    >>> local_name("https://example.org/2025-06/2025-06-city-street.csv?x=1")
    ('2025-06', '2025-06-city-street.csv')
    """
    parts = [p for p in unquote(urlsplit(address).path).split("/") if p not in {"", ".", ".."}]
    plain = [re.sub(r"[^A-Za-z0-9._-]+", "-", p)[-100:].lstrip(".") or "file" for p in ["files", *parts]]
    return plain[-2], plain[-1] if parts else "file"


def fetch_file(
    address: str, *, key: str, target: Path, limits: Run, known: str | None = None, whole: bool = False
) -> Fetched:
    """Copy a file to `target`, unless the copy there is of the same content.

    Parameters
    ----------
    address
        `https://...`, or that of a store which fsspec reads (`s3://bucket/file.csv`).
    key
        Position in the configuration, for messages.
    target
        The copy. It is replaced as a whole, or stays as it was.
    limits
        Limits on its size.
    known
        The `mark` of the copy that is there; None to copy in any case.
    whole
        Whether the file is one of those read into memory: `max_table_mb` applies.

    Raises
    ------
    ConfigError
        If the address holds a password, or nothing reads such addresses.
    InputError
        If the file cannot be had, or is too large.
    EngineError
        If the extra `remote`, or the package of the store, is not installed.
    """
    shown = shown_address(address)
    parts = urlsplit(address)
    scheme = parts.scheme.casefold()
    if parts.password or "::" in address:
        raise ConfigError(
            f"{key}: {shown} holds a password or a combination of addresses: write the plain address; credentials "
            "belong in the environment variables or files that the store's own tools use"
        )
    if "*" in address or "[" in parts.path:
        raise ConfigError(f"{key}: {shown} is a pattern: patterns are for files on disk; name each address")
    if scheme == "http" and parts.hostname not in _LOCAL:
        raise ConfigError(f"{key}: {shown} is not encrypted: use https, or fetch the file yourself and name its path")
    if scheme not in {"https", "http", *_STORES}:
        raise ConfigError(
            f"{key}: {shown} cannot be read: addresses begin with https:// or one of {', '.join(_STORES)}; for a file "
            "on disk give its path"
        )
    most_key, most_mb = ("max_table_mb", limits.max_table_mb) if whole else ("max_file_mb", limits.max_file_mb)
    part = target.with_name(f".{target.name}.part")
    try:
        with _opened(address, scheme, known if target.is_file() else None, key=key, shown=shown) as (mark, chunks):
            if chunks is None:
                return Fetched(mark, target.stat().st_size, taken_over=True)
            size = 0
            with part.open("wb") as file:
                part.chmod(0o600)
                for chunk in chunks:
                    size += len(chunk)
                    if size > most_mb * _MB:
                        raise InputError(
                            f"{key}: {shown} is larger than run.{most_key} ({most_mb} MB): raise the limit, or split "
                            f"the file. {_KEPT}"
                        )
                    file.write(chunk)
        part.replace(target)
        return Fetched(mark, size, taken_over=False)
    finally:
        part.unlink(missing_ok=True)


_Content = tuple[str, Iterator[bytes] | None]


@contextlib.contextmanager
def _opened(address: str, scheme: str, known: str | None, *, key: str, shown: str) -> Iterator[_Content]:
    """Open a file at an address: its mark, and its bytes, None if they are those of the copy."""
    opener = _open_http if scheme in {"https", "http"} else _open_store
    with opener(address, known, key=key, shown=shown) as content:
        yield content


@contextlib.contextmanager
def _open_http(address: str, known: str | None, *, key: str, shown: str) -> Iterator[_Content]:
    import httpx

    # A strong or weak ETag, or the time of the last change: what the server gives.
    kind, _, value = (known or "").partition(" ")
    asked = {"etag": "If-None-Match", "modified": "If-Modified-Since"}.get(kind)
    # As it is stored: a file that ends in .gz stays compressed.
    headers = {"Accept-Encoding": "identity"} | ({asked: value} if asked else {})
    try:
        with (
            httpx.Client(timeout=_TIMEOUT_S, follow_redirects=True, max_redirects=5, event_hooks=_HOOKS) as client,
            client.stream("GET", address, headers=headers) as answer,
        ):
            if answer.status_code == httpx.codes.NOT_MODIFIED and known:
                yield known, None
                return
            if answer.status_code != httpx.codes.OK:
                raise InputError(
                    f"{key}: {shown} cannot be had: the server answers {answer.status_code} {answer.reason_phrase}. "
                    f"Correct the address, or fetch the file yourself and name its path. {_KEPT}"
                )
            tag, modified = answer.headers.get("etag"), answer.headers.get("last-modified")
            yield f"etag {tag}" if tag else f"modified {modified}" if modified else "", answer.iter_raw(_CHUNK)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # The library's message may repeat the address with its query.
        raise InputError(
            f"{key}: {shown} cannot be had ({type(error).__name__}): check the address and the network, or fetch the "
            f"file yourself and name its path. {_KEPT}"
        ) from None


def _stay_encrypted(request: Any) -> None:
    """Refuse a redirect from https to http."""
    import httpx

    if request.url.scheme == "http" and request.url.host not in _LOCAL:
        raise httpx.UnsupportedProtocol("a redirect to http", request=request)


_HOOKS: Mapping[str, list[Any]] = {"request": [_stay_encrypted]}


@contextlib.contextmanager
def _open_store(address: str, known: str | None, *, key: str, shown: str) -> Iterator[_Content]:
    try:
        import fsspec
    except ImportError:
        raise EngineError(
            f"{key}: {shown} is read by fsspec, which is not installed: install it with "
            "`pip install -c constraints.txt -e '.[remote]'`, and the package of the store (s3fs, gcsfs, adlfs)"
        ) from None

    def explained(error: Exception) -> InputError | EngineError:
        if isinstance(error, ImportError):
            return EngineError(
                f"{key}: {shown} needs a package that is not installed ({first_line(error)}): install it beside "
                "hotspots"
            )
        # Each store raises errors of its own; their texts may hold credentials.
        return InputError(
            f"{key}: {shown} cannot be had ({type(error).__name__}): check the address, the network and the "
            f"credentials of the store, or fetch the file yourself and name its path. {_KEPT}"
        )

    def chunks(file: Any) -> Iterator[bytes]:
        try:
            while chunk := file.read(_CHUNK):
                yield chunk
        except Exception as error:  # noqa: BLE001 - of any store
            raise explained(error) from None

    with contextlib.ExitStack() as stack:
        try:
            system, path = fsspec.core.url_to_fs(address)
            mark = _mark(system.info(path))
            same = bool(known) and mark == known
            file = None if same else stack.enter_context(system.open(path, "rb"))
        except Exception as error:  # noqa: BLE001 - of any store
            raise explained(error) from None
        yield mark, None if file is None else chunks(file)


def _mark(about: Mapping[str, Any]) -> str:
    """Return what identifies the content: its ETag or checksum, otherwise time and size; empty if neither is known."""
    for name in ("ETag", "etag", "md5Hash", "content_md5", "checksum"):
        if about.get(name):
            return f"{name} {about[name]}"
    when = next(
        (about[n] for n in ("LastModified", "last_modified", "mtime", "modified", "created") if about.get(n)), None
    )
    return f"time {when} size {about.get('size')}" if when is not None else ""
