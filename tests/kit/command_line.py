"""The command line, called in this process: what it prints, and the exit code it ends with.

A process of its own costs seconds of imports: tests start one only where the process itself is looked at.
"""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

from pipeline.cli import main

__all__ = ["hotspots", "refused"]


def hotspots(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, as `hotspots` does from its first line to its exit code."""
    said, complained, code = io.StringIO(), io.StringIO(), 0
    started = [str(Path(sys.executable).with_name("hotspots")), *words]
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(complained),
        mock.patch.object(sys, "argv", started),
        mock.patch.object(sys, "stdin", io.StringIO()),  # nobody is there to be asked
        mock.patch.dict(os.environ, {"COLUMNS": "200", "TERM": "dumb"}),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return subprocess.CompletedProcess(started, code, said.getvalue(), complained.getvalue())


def refused(*words: str, cwd: Path, code: int) -> str:
    """Run, expect the exit code and one paragraph without a traceback, and return it."""
    done = hotspots(*words, cwd=cwd)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("hotspots: ")
    assert "Traceback" not in done.stderr
    return done.stderr
