"""Whatever stands in a configuration, a category rule or a file: the project's own errors, or a sound result."""

import contextlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import Config, load_config, parse_config
from pipeline.errors import ConfigError, HotspotsError, InputError
from pipeline.ingest.incidents.categories import Lookup
from tests.kit.city import CONFIG
from tests.kit.readers import read
from tests.kit.readers import settings as one_source

pytestmark = pytest.mark.slow

MANY = 400 if os.environ.get("HOTSPOTS_LONG") else 40
often = settings(max_examples=MANY, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=10,
)
CITY: dict[str, Any] = yaml.safe_load(CONFIG)
KEYS = sorted(Config.model_fields)
IDS = st.sampled_from(["race", "religion", "antisemitic", "all", "Race", "", "x y", "a" * 61]) | st.text(max_size=5)
TREES = st.lists(
    st.fixed_dictionaries(
        {"id": IDS},
        optional={"parent": IDS, "label": st.text(max_size=8), "match": st.lists(st.text(max_size=6), max_size=3)},
    ),
    max_size=6,
)


@given(section=st.sampled_from(KEYS), value=ANYTHING)
@often
def test_any_value_of_a_section_is_settings_or_one_error(section: str, value: Any) -> None:
    try:
        config = parse_config(CITY | {section: value})
    except ConfigError:
        return
    assert parse_config(config.settings()) == config


@given(content=st.binary(max_size=60))
@often
def test_any_bytes_are_a_configuration_or_one_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(ConfigError):  # sixty bytes hold no sound one
        load_config(tmp_path / "config.yaml")


@given(tree=TREES, texts=st.lists(st.text(max_size=8), max_size=8))
@often
def test_any_category_tree_sorts_into_itself_or_is_refused(tree: list[dict[str, Any]], texts: list[str]) -> None:
    try:
        config = parse_config(CITY | {"categories": {"tree": tree}})
        lookup = Lookup(config.categories)
        found = {text: lookup.of(text) for text in texts}
    except (ConfigError, InputError):
        return
    parents = {c.id: c.parent for c in config.categories.tree}
    for ids in found.values():
        closed = set(filter(None, lookup.closed(ids or ()).split(";")))
        assert set(ids or ()) <= closed
        if parents:
            assert closed <= set(parents)
            assert {parents[i] for i in closed} - {None} <= closed  # a category counts in its ancestors too


COLUMNS = st.sampled_from(["id", "date", "easting", "northing", "lat", "lon", "strand", "", "x"])


@given(head=st.lists(COLUMNS, max_size=7), body=st.text(st.sampled_from('ab1290-/.:,;"\n\r\t |é\0'), max_size=80))
@often
def test_any_table_is_accounted_for_or_one_error(head: list[str], body: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(",".join(head) + "\n" + body, encoding="utf-8", newline="")
    with contextlib.suppress(HotspotsError):
        read(tmp_path / "rows.csv", one_source({}))  # accounts for every row


def test_the_target_of_atheris_runs(tmp_path: Path) -> None:
    """A few hundred mutations, where atheris is installed; docs/reliability.md holds what a long run came to."""
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: pip install atheris")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "atheris_inputs.py"), "-runs=300", str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
