"""The configuration's reference and JSON Schema, generated from the settings themselves.

`python -m pipeline.config.reference > docs/configuration.md`; with `--schema`, the schema for completion in editors.
"""

import json
import sys
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipeline.config import Config

__all__ = ["configuration_reference", "configuration_schema"]

_HEAD = """# Configuration

Every key of `config.yaml`. Unknown keys are refused, with a suggestion; contradictions are reported
together. Units are in the names. Editors that support YAML schemas can use `docs/config.schema.json` for completion:

```yaml
# yaml-language-server: $schema=docs/config.schema.json
```

"""


def configuration_reference() -> str:
    """Return the reference as Markdown: one table per section, in the order of the settings."""
    lines: list[str] = []
    _section(Config, "", "All settings of a run.", lines)
    return _HEAD + "\n".join(lines).rstrip() + "\n"


def configuration_schema() -> str:
    """Return the JSON Schema of the configuration."""
    return json.dumps(Config.model_json_schema(), indent=2, sort_keys=True) + "\n"


def _section(model: type[BaseModel], path: str, text: str, lines: list[str]) -> None:
    lines += [
        f"## `{path}`" if path else "## Top level",
        "",
        text,
        "",
        "| key | value | default | meaning |",
        "|---|---|---|---|",
    ]
    inner = []
    for name, field in model.model_fields.items():
        part, many = _inner(field.annotation)
        where = f"{path}.{name}" if path else name
        if part is not None:
            inner.append((part, where + ("[]" if many else ""), field.description or ""))
        kind = "section" if part is not None and not many else _kind(field.annotation)
        shown = "sections" if part is not None and many else kind
        default = _default(field, is_section=part is not None)
        lines.append(f"| `{field.alias or name}` | {shown} | {default} | {field.description} |")
    lines.append("")
    for part, where, words in inner:
        _section(part, where, words, lines)


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the section class in an annotation, if any, and whether it is a list of sections."""
    many = get_origin(annotation) is tuple
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind, many
    return None, False


def _kind(annotation: Any) -> str:  # noqa: PLR0911 - one return for each kind of annotation
    """Return a description of a type."""
    names = {str: "text", int: "whole number", float: "number", bool: "yes or no", type(None): "nothing"}
    if annotation in names:
        return names[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is tuple:
        inner = [a for a in arguments if a is not Ellipsis]
        return f"list of {_kind(inner[0])}" if arguments[-1] is Ellipsis else f"{len(inner)} of {_kind(inner[0])}"
    if origin is dict:
        return "map"
    if str(origin) == "typing.Literal":
        return " or ".join(f"`{a}`" for a in arguments)
    if hasattr(annotation, "__metadata__"):
        return _kind(annotation.__origin__)
    if arguments:
        return " or ".join(_kind(a) for a in arguments if a is not type(None))
    return "text"


def _default(field: FieldInfo, *, is_section: bool) -> str:
    if field.is_required():
        return "**required**"
    if is_section or field.default is PydanticUndefined:
        return ""
    return "" if field.default in (None, "", ()) else f"`{json.dumps(field.default, default=list)}`"


if __name__ == "__main__":
    sys.stdout.write(configuration_schema() if "--schema" in sys.argv else configuration_reference())
