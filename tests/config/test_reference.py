"""Documentation that is generated is current, and says something about every key."""

import json
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from pipeline.config import Config, parse_config
from pipeline.config.reference import configuration_reference, configuration_schema
from pipeline.config.templates import TEMPLATES, template_text

ROOT = Path(__file__).parents[2]


def sections(model: type[BaseModel]) -> list[type[BaseModel]]:
    found = [model]
    for field in model.model_fields.values():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found += sections(kind)
    return found


def test_every_key_is_described() -> None:
    bare = [f"{m.__name__}.{k}" for m in sections(Config) for k, f in m.model_fields.items() if not f.description]
    assert bare == []


def test_the_reference_is_current() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text("utf-8") == configuration_reference()


@pytest.mark.slow
def test_the_schema_is_current_and_accepts_what_the_program_accepts() -> None:
    text = (ROOT / "docs" / "config.schema.json").read_text("utf-8")
    assert text == configuration_schema()
    jsonschema = pytest.importorskip("jsonschema")
    for source in [(ROOT / "config.yaml").read_text("utf-8"), *map(template_text, TEMPLATES)]:
        settings = yaml.safe_load(source)
        jsonschema.validate(settings, json.loads(text))
        parse_config(settings)
