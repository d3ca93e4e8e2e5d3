"""A key that stands twice in a configuration: YAML would take the second, and what stood in the first would be lost."""

from pathlib import Path

import pytest

from pipeline.config import load_config
from pipeline.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("run:\n  name: a\nareas:\n  wards: {path: x}\nrun:\n  place: b\n", 5, "run"),
        ("run: {name: a, title: b, name: c}\n", 1, "name"),
        ("incidents:\n  - name: p\n    paths: [a.csv]\n    paths: [b.csv]\n", 4, "paths"),
    ],
)
def test_a_key_that_stands_twice_is_named_with_its_line(text: str, line: int, key: str, tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=rf'my\.yaml, line {line}: "{key}" stands here a second time'):
        load_config(path)


def test_keys_that_a_part_inherits_may_be_given_anew(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("x: &all {name: a}\nrun:\n  <<: *all\n  name: b\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="x: unknown key"):  # and nothing about `name`
        load_config(path)
