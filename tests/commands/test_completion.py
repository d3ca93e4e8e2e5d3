"""The shell completes commands and options; README says how to switch that on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def completed(*words: str) -> set[str]:
    """Return what bash is offered for the last of the words."""
    asked = {"_HOTSPOTS_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    code = "import sys; sys.argv = ['hotspots']; from pipeline.cli import app; app(prog_name='hotspots')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True, check=False, timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("hotspots", "qu"), {"quarantine"}),
        (("hotspots", "fetch", "b"), {"boundaries"}),
        (("hotspots", "run", "--fo"), {"--force"}),
        (("hotspots", "no-such"), set()),
    ],
)
@pytest.mark.slow
def test_the_shell_is_offered_what_fits(words: tuple[str, ...], offered: set[str]) -> None:
    assert completed(*words) == offered


def test_readme_says_how() -> None:
    assert "hotspots --install-completion" in README.read_text("utf-8")
