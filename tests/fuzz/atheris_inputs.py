"""A target for atheris: bytes become a configuration, a table, a layer or category texts; only known errors may come.

    pip install atheris
    python tests/fuzz/atheris_inputs.py -max_total_time=300 FOLDER_FOR_WHAT_IT_FINDS

Whatever is raised beside the project's own errors, and any row that is lost, ends it with the bytes that did it.
"""

import contextlib
import gzip
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import atheris

with atheris.instrument_imports(include=["pipeline"]):
    from pipeline.config import Categories, load_config, parse_config
    from pipeline.errors import HotspotsError
    from pipeline.ingest.incidents.categories import Lookup
    from tests.kit.city import CONFIG
    from tests.kit.readers import read, settings

FOLDER = Path(tempfile.mkdtemp(prefix="hotspots-fuzz-"))
HEAD = b"id,date,easting,northing,strand\n"
POINT = (
    b'{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"date": "2025-01-02"}, "geometry": '
)
PLAIN = settings({})
LAYER = settings({"crs": None})


def configuration(content: bytes) -> None:
    """Load it as it is, and behind a sound one."""
    path = FOLDER / "config.yaml"
    for text in (content, CONFIG.encode() + b"\n" + content):
        path.write_bytes(text)
        with contextlib.suppress(HotspotsError):
            load_config(path)


def table(content: bytes) -> None:
    """Read it as rows under a sound header, and as a whole file."""
    for text in (HEAD + content, content):
        (FOLDER / "rows.csv").write_bytes(text)
        with contextlib.suppress(HotspotsError):
            read(FOLDER / "rows.csv", PLAIN)  # accounts for every row


def packed(content: bytes) -> None:
    """Read it as a compressed file, sound and as it is."""
    for text in (gzip.compress(HEAD + content), b"\x1f\x8b\x08" + content):
        (FOLDER / "rows.csv.gz").write_bytes(text)
        with contextlib.suppress(HotspotsError):
            read(FOLDER / "rows.csv.gz", PLAIN)


def layer(content: bytes) -> None:
    """Read it as a geometry and as a whole GeoJSON."""
    for text in (POINT + content + b"}]}", content):
        (FOLDER / "rows.geojson").write_bytes(text)
        with contextlib.suppress(HotspotsError):
            read(FOLDER / "rows.geojson", LAYER)


def categories(content: bytes) -> None:
    """Make a tree of it, and sort its own texts into that."""
    words = content.decode("utf-8", "replace").split("\n")
    tree = [{"id": w[:60], "parent": words[n - 1] or None, "match": [w]} for n, w in enumerate(words[:6])]
    with contextlib.suppress(HotspotsError):
        config = parse_config(
            {"areas": {"wards": {"path": "x"}}, "incidents": [{"paths": ["x"]}], "categories": {"tree": tree}}
        )
        lookup = Lookup(config.categories)
        for word in words:
            lookup.closed(lookup.of(word) or ())
    with contextlib.suppress(HotspotsError):
        free = Lookup(Categories.model_validate({}))
        for word in words:
            free.of(word)


TARGETS = (configuration, table, table, packed, layer, categories)


def one(content: bytes) -> None:
    """Hand the bytes to the target that the first of them chooses."""
    if content:
        TARGETS[content[0] % len(TARGETS)](content[1:])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
