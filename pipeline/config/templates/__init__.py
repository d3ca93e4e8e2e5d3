"""Commented configurations to start from."""

from importlib.resources import files
from pathlib import Path

from pipeline.config.section import did_you_mean
from pipeline.errors import ConfigError
from pipeline.storage.files import write_text

__all__ = ["TEMPLATES", "template_text", "write_template"]

TEMPLATES = ("extract", "police-uk", "mps-dashboard")


def template_text(name: str) -> str:
    """Return a template.

    Raises
    ------
    ConfigError
        If there is no template with that name.
    """
    if name not in TEMPLATES:
        raise ConfigError(
            f'there is no template "{name}"{did_you_mean(name, list(TEMPLATES))}: choose from {", ".join(TEMPLATES)}'
        )
    return files(__name__).joinpath(f"{name}.yaml").read_text("utf-8")


def write_template(name: str, path: Path, *, force: bool) -> None:
    """Write a template to `path`; an existing file is overwritten only with `force`."""
    text = template_text(name)
    if path.exists() and not force:
        raise ConfigError(f"{path} already exists: give another name with --config, or overwrite it with --force")
    write_text(path, text)
