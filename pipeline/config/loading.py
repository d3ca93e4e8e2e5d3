"""A configuration file, read: YAML with plain values only, then checked against the settings."""

from pathlib import Path

import yaml

from pipeline.config import Config, parse_config
from pipeline.errors import ConfigError

__all__ = ["load_config"]


def load_config(path: Path) -> Config:
    """Read and check the configuration.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, or a setting is wrong.
    """
    # safe_load makes texts, numbers, lists and maps, never objects: a configuration from a stranger runs no code.
    # utf-8-sig also reads the mark that some Windows editors put before the first key.
    try:
        data = yaml.safe_load(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path} does not exist: write one with `hotspots init extract`, or name another with --config"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): save it as UTF-8 text") from None
    except RecursionError:
        raise ConfigError(
            f"{path} is nested too deeply to be a configuration: write it again from a template"
        ) from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise ConfigError(f"{path}{line} is not YAML: {getattr(error, 'problem', error)}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds no settings: write one with `hotspots init extract --force`")
    return parse_config(data, where=str(path))
