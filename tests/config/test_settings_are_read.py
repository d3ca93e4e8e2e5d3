"""No key of the configuration is read nowhere: the schema is walked, and each key's reader is found by types."""

import ast
import functools
import textwrap
from pathlib import Path

import pytest

from tests.kit.setting_readers import PIPELINE, keys, readers
from tests.kit.source_rules import nodes, trees

pytestmark = pytest.mark.slow  # the whole program is parsed

# Sections that are read by the names of their keys (`getattr(section, part)` over a list of names): a key counts as
# read where its name stands as a text of its own in the folder or file that does so.
BY_NAME = {
    "AreaFile": "ingest/areas.py",  # the columns of a boundary file, asked for and reported together
    "AreaLevel": "ingest/areas.py",
    "Columns": "ingest",  # each is the role of a column; the reader of that role names it
    "CountColumns": "ingest/counts.py",  # the same, for published counts
    "Exports": "stages/publish.py",  # the formats of layers and tables, asked for together
    "PostcodeFile": "ingest/postcodes.py",  # the columns of a lookup of postcodes
    "Protection": "publish",  # each is a paragraph of protection.html
}


@pytest.fixture(scope="module")
def unread() -> list[str]:
    found = readers()
    return [path for path, section, key in keys() if (section, key) not in found and not _by_name(section, key)]


def _by_name(section: str, key: str) -> bool:
    return section in BY_NAME and key in _texts(PIPELINE / BY_NAME[section])


@functools.cache
def _texts(folder: Path) -> set[str]:
    held = [n for where, tree in trees() if (PIPELINE / where).is_relative_to(folder) for n in nodes(tree)]
    return {n.value for n in held if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def test_every_key_has_a_reader(unread: list[str]) -> None:
    assert unread == []


def test_readers_are_found_by_type_and_not_by_name(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "stage.py").write_text(
        textwrap.dedent(
            """
            def run(config: Config, other: Frame) -> None:
                section = config.detect.density
                use(section.kernel, other.absent, other.seed)
                for source in config.published_counts:
                    use([r.subset for r in source.relations])
                for name, profile in enumerate(config.profiles):
                    use(profile.threshold)

            def first(config: Config) -> IncidentSource:
                return next(s for s in config.incidents if s.name)

            class Job:
                def __init__(self, settings: "Clusters | None") -> None:
                    self.settings = settings

                def go(self) -> None:
                    use(self.settings.eps_m, first(None).columns.victim)
            """
        ),
        "utf-8",
    )
    found = set(readers(tmp_path / "room"))
    assert {("Density", "kernel"), ("Relation", "subset"), ("Profile", "threshold"), ("Clusters", "eps_m")} <= found
    assert {("IncidentSource", "name"), ("Columns", "victim")} <= found
    assert ("PublishedSource", "absent") not in found
    assert ("Run", "seed") not in found
