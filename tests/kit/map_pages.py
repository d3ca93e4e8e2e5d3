"""The data of a map page: taken out of its block, and put into it."""

import base64
import gzip
import json
import re
from typing import Any

__all__ = ["data_of", "readable", "with_data"]

_BLOCK = re.compile(r'(<script type="application/json" id="data">)(.*?)(</script>)', re.DOTALL)


def data_of(html: str) -> dict[str, Any]:
    """Unpack what the page's script reads."""
    (found,) = _BLOCK.findall(html)
    return json.loads(gzip.decompress(base64.b64decode(json.loads(found[1])["gzip"])))


def readable(html: str) -> str:
    """Write the page with its data unpacked: everything in it that words can be looked for in."""
    return _BLOCK.sub(lambda m: m[1] + json.dumps(data_of(m[0]), ensure_ascii=False) + m[3], html)


def with_data(html: str, data: dict[str, Any]) -> str:
    """Put other data into a page; the block is no script, so the policy still holds."""
    packed = json.dumps({"gzip": base64.b64encode(gzip.compress(json.dumps(data).encode())).decode()})
    return _BLOCK.sub(lambda m: m[1] + packed + m[3], html)
