"""Names of pages, for files and for links."""

import re
from urllib.parse import quote

__all__ = ["file_name", "link_to"]


def file_name(code: str) -> str:
    """Return the file name of an area's page; a code with signs that no file name should hold is percent-encoded.

    >>> file_name("E09000033"), file_name("a/b")
    ('E09000033.html', 'a%2Fb.html')
    """
    plain = code if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", code) else quote(code, safe="")
    return f"{plain}.html"


def link_to(code: str) -> str:
    """Return the relative address of an area's page, as seen from its folder."""
    return quote(file_name(code))
