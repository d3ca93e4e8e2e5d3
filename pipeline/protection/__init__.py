"""protection.html: how people are protected in one folder, for the data-protection officer who must decide on it."""

from pathlib import Path

from pipeline.protection.sheet import protection_html
from pipeline.release import Released
from pipeline.storage.files import write_text

__all__ = ["protection_html", "write_protection"]


def write_protection(released: Released, path: Path) -> None:
    """Write the page of one profile."""
    write_text(path, protection_html(released))
