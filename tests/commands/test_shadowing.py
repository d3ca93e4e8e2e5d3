"""Another package named `pipeline`: refused where our code is reached, else named by the doctor, or unnoticed."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.commands import shadowing
from pipeline.commands.doctor import Situation, State
from pipeline.commands.doctor import shadowing as examined

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
START = "from pipeline.cli import main; main()"  # what the program `hotspots` consists of


def hotspots(*words: str, cwd: Path, look_in: tuple[Path, ...]) -> subprocess.CompletedProcess[str]:
    """Start as the program does, which does not look in the current folder (-P); Python looks in `look_in` first."""
    return subprocess.run(
        [sys.executable, "-P", "-c", START, *words], cwd=cwd, capture_output=True, text=True, check=False, timeout=120,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(str(folder) for folder in look_in)},
    )  # fmt: skip


def other(folder: Path, text: str = "", name: str = "__init__.py") -> Path:
    (folder / "pipeline").mkdir(parents=True)
    (folder / "pipeline" / name).write_text(text, encoding="utf-8")
    return folder


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stdout) == (7, "")
    assert done.stderr.startswith("hotspots: another package named `pipeline` is in the way: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_package_that_takes_ours_for_a_part_of_itself(tmp_path: Path) -> None:
    text = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)"
    mixed = other(tmp_path / "theirs", text)
    words = refused(hotspots("stages", cwd=tmp_path, look_in=(mixed, ROOT)))
    assert str(mixed / "pipeline") in words
    assert str(ROOT / "pipeline") in words
    assert "doctor" not in words
    assert refused(hotspots("doctor", cwd=tmp_path, look_in=(mixed, ROOT))) == words


def test_its_modules_are_not_reached_even_where_they_bear_our_names(tmp_path: Path) -> None:
    text = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)"
    mixed = other(tmp_path / "theirs", text)
    (mixed / "pipeline" / "errors.py").write_text("raise SystemExit('theirs ran')", encoding="utf-8")
    refused(hotspots("stages", cwd=tmp_path, look_in=(mixed, ROOT)))


def test_a_copy_of_another_version_in_front_of_the_installed_one(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    own = hotspots("--help", cwd=tmp_path, look_in=(tmp_path,))
    assert own.returncode == 0, own.stderr
    first = tmp_path / "pipeline" / "__init__.py"
    version = importlib.metadata.version("hotspots-map")
    first.write_text(first.read_text("utf-8").replace(f'"{version}"', '"0.0.1"'), encoding="utf-8")
    words = refused(hotspots("run", cwd=tmp_path, look_in=(tmp_path,)))
    assert f"version 0.0.1 in {tmp_path / 'pipeline'}" in words
    assert f"version {version}" in words


def test_one_in_the_current_folder_is_harmless_to_the_program_and_named_by_the_doctor(tmp_path: Path) -> None:
    other(tmp_path)
    assert hotspots("--help", cwd=tmp_path, look_in=(ROOT,)).returncode == 0
    done = hotspots("doctor", cwd=tmp_path, look_in=(ROOT,))
    assert "another `pipeline` is at" in done.stdout
    assert "python -m pipeline" in " ".join(done.stdout.split())


def test_one_that_wins_outright(tmp_path: Path) -> None:
    done = hotspots("--help", cwd=tmp_path, look_in=(other(tmp_path / "theirs"), ROOT))
    if any("editable" in getattr(finder, "__module__", "") for finder in sys.meta_path):
        refused(done)  # an editable installation finds our modules in another package, too
    else:
        assert done.returncode == 1  # nothing of ours is reached
        assert "No module named 'pipeline.cli'" in done.stderr


def test_a_folder_without_modules_gives_way(tmp_path: Path) -> None:
    theirs = other(tmp_path / "theirs", name="data.txt")
    assert hotspots("--help", cwd=tmp_path, look_in=(theirs, ROOT)).returncode == 0


def test_what_the_doctor_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: {"pipeline": ["hotspots-map", "theirs"]})
    monkeypatch.chdir(other(tmp_path, name="part.py"))
    rows = list(examined(Situation()))
    assert [row.state for row in rows[:2]] == [State.BROKEN, State.NOTE]
    assert "theirs also installs" in rows[0].found
    assert str(tmp_path / "pipeline") in rows[1].found
    monkeypatch.undo()
    monkeypatch.setattr(shadowing, "HERE", shadowing.installed_folder())
    assert shadowing.another_version() == ""


def test_nothing_installed_is_no_shadow(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> importlib.metadata.Distribution:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    assert shadowing.installed_folder() is None
    assert shadowing.another_version() == ""
