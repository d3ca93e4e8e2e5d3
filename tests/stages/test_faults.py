"""What goes wrong outside: the power, the disk, another run, the clock. The last good outputs are whole all the same.

`HOTSPOTS_LONG=1` kills fifty times instead of eight; docs/reliability.md holds what came of it.
"""

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

if os.name != "posix":
    pytest.skip("kills and small disks are POSIX's", allow_module_level=True)

from tests.kit.city import LIGHT, write_city
from tests.kit.faults import Ended, Nursery, result, whole

pytestmark = pytest.mark.slow

LONG = bool(os.environ.get("HOTSPOTS_LONG"))
STAGES = ("ingest", "aggregate", "detect", "release", "publish")
PUBLIC = {"name": "public", "audience": "public", "threshold": 10, "borough_period": "fixed"}
# One folder with a ledger is all that the machinery of a run needs.
CHANGES = LIGHT | {"profiles": [PUBLIC], "detect.clusters.enabled": False}
KEPT = {".ledger", ".salt", "city", ".city.failed"}  # the last: what is kept of an attempt that failed


@dataclass(frozen=True)
class Place:
    """A city with good outputs of yesterday's extract, today's extract, and what an undisturbed run makes of it."""

    folder: Path
    kept: Path
    nursery: Nursery
    seconds: float
    yesterday: dict[str, bytes]
    today: dict[str, bytes]
    first: dict[str, bytes]

    @property
    def outputs(self) -> Path:
        return self.folder / "outputs"

    @property
    def run_folder(self) -> Path:
        return self.outputs / "city"

    def reset(self, *, empty: bool = False) -> None:
        """Put yesterday's outputs back, or none."""
        for path in self.outputs.iterdir() if self.outputs.exists() else ():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if not empty:
            shutil.copytree(self.kept, self.outputs, dirs_exist_ok=True)

    def run(self, **trouble: Any) -> Ended:
        temporary = self.folder / "temporary"
        temporary.mkdir(exist_ok=True)
        return self.nursery.run(self.folder, "run", temporary=str(temporary), **trouble)

    def left_behind(self) -> set[str]:
        """Everything beside the outputs that should not be there."""
        found = {p.name for p in self.outputs.iterdir()} - KEPT
        found |= {p.name for p in (self.folder / "temporary").iterdir()}
        found |= {p.name for p in (self.outputs / ".ledger").rglob("*") if p.is_file()} - {
            "releases.jsonl",
            "ledger.json",
            ".key",
        }
        return found | {p.name for p in self.run_folder.rglob("*") if p.name.startswith(".") or p.suffix == ".part"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    write_city(folder, **CHANGES)
    with Nursery(tmp_path_factory.mktemp("code")) as nursery:
        ended = nursery.run(folder, "run")
        assert ended.code == 0, ended.err
        shutil.copytree(folder / "outputs", folder / "kept")
        rows = (folder / "incidents.csv").read_text("utf-8").splitlines()
        (folder / "incidents.csv").write_text("\n".join([*rows, rows[1], rows[2]]) + "\n", encoding="utf-8")
        made = Place(folder, folder / "kept", nursery, ended.seconds, whole(folder / "outputs" / "city"), {}, {})
        ended = made.run()
        assert ended.code == 0, ended.err
        today = result(made.run_folder)
        made.reset(empty=True)
        ended = made.run()
        assert ended.code == 0, ended.err
        yield Place(
            folder, made.kept, nursery, min(made.seconds, ended.seconds), made.yesterday, today, result(made.run_folder)
        )


def unkeyed(files: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out the files that name the salt of the folder (by its digest), its ledger, or hashes with its key."""
    named = {"work/ingest.json", "work/sketches.json", "work/release/ledger.json"}
    return {name: content for name, content in files.items() if name not in named and not name.endswith("/key.json")}


# The power fails ------------------------------------------------------------------------------------------------------

# Instants of a run over yesterday's outputs, and (FIRST) of the very first one. Renames and removals are Python's own
# audit events: the signal comes just before the system call.
BOUNDARIES = ("before ingest", *(f"after {stage}" for stage in STAGES))
SWAP = (
    "os.rename /manifest.json.part 1",
    "os.rename outputs/city 1",
    "os.rename outputs/.city.new 1",
    "shutil.rmtree outputs/.city.old 1",
    "os.remove area_counts.csv 1",
    "os.remove index.html 1",
)
FIRST = (
    "open /.salt.part 1",
    "os.rename /.salt.part 1",
    "os.rename outputs/.city.new 1",
    "open /releases.jsonl.next.part 1",
    "os.rename /releases.jsonl.next 1",
)
MOMENTS = random.Random(20250731)
FRACTIONS = [round(MOMENTS.uniform(0.0, 1.05), 3) for _ in range(50 - len(BOUNDARIES) - len(SWAP) - len(FIRST))]
# Each group is kills in a row without a whole run in between, then one whole run.
GROUPS: list[tuple[str | float, ...]] = (
    [(instant,) for instant in (*BOUNDARIES, *SWAP, *FRACTIONS)]
    if LONG
    else [("after ingest", "after publish", FRACTIONS[1]),
          ("os.rename outputs/.city.new 1", "os.remove area_counts.csv 1", FRACTIONS[0])]
)  # fmt: skip


def test_fifty_kills() -> None:
    assert len(BOUNDARIES) + len(SWAP) + len(FRACTIONS) + len(FIRST) == 50


def survives(place: Place) -> None:
    """Check that the outputs are yesterday's to the byte, or today's whole."""
    at = place.run_folder if place.run_folder.exists() else place.outputs / ".city.old"
    found = whole(at)
    if found != place.yesterday:
        assert result(at) == place.today


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: ", ".join(map(str, group)))
def test_after_a_kill_the_last_outputs_are_whole_and_the_next_run_is_as_ever(
    place: Place, group: tuple[str | float, ...]
) -> None:
    place.reset()
    for instant in group:
        if isinstance(instant, float):
            ended = place.run(after_s=instant * place.seconds)
            assert ended.code in {-9, 0}  # a run may be quicker than the last
        else:
            ended = place.run(at=instant)
            assert ended.code == -9, f"{instant} never came: {ended.err}"
        survives(place)
    ended = place.run()
    assert ended.code == 0, ended.err
    assert result(place.run_folder) == place.today
    assert place.left_behind() == set()


@pytest.mark.parametrize("instant", FIRST if LONG else ("open /.salt.part 1", "os.rename /releases.jsonl.next 1"))
def test_a_kill_in_the_first_run_of_all(place: Place, instant: str) -> None:
    place.reset(empty=True)
    ended = place.run(at=instant)
    assert ended.code == -9, f"{instant} never came: {ended.err}"
    if place.run_folder.exists():
        assert unkeyed(result(place.run_folder)) == unkeyed(place.first)
    ended = place.run()
    assert ended.code == 0, ended.err
    assert unkeyed(result(place.run_folder)) == unkeyed(place.first)
    assert place.left_behind() == set()
    (path,) = (place.outputs / ".ledger").glob("*/releases.jsonl")
    assert len(path.read_text("utf-8").splitlines()) == 1  # what was handed over is known, whenever the power failed


# The disk -------------------------------------------------------------------------------------------------------------


def stopped(place: Place, ended: Ended) -> None:
    """Check that a run ended as one paragraph and left yesterday's outputs alone."""
    assert ended.code in {3, 7}, ended.err
    assert ended.err.startswith("hotspots: ")
    assert "Traceback" not in ended.err
    assert "\n" not in ended.err.strip()
    assert whole(place.run_folder) == place.yesterday
    assert not (place.outputs / ".city.new").exists()


@pytest.mark.parametrize("file_bytes", [100, 5_000, 40_000, 200_000] if LONG else [40_000])
def test_a_file_that_cannot_be_written_to_its_end(place: Place, file_bytes: int) -> None:
    place.reset()
    stopped(place, place.run(file_bytes=file_bytes))
    ended = place.run()
    assert ended.code == 0, ended.err
    assert result(place.run_folder) == place.today
    assert place.left_behind() == set()


@contextlib.contextmanager
def small_disk(place: Place, room_kb: int) -> Iterator[None]:
    """Put the outputs on a disk that has so much room left."""
    shutil.rmtree(place.outputs)
    place.outputs.mkdir()
    pages = sum(-(-p.stat().st_size // 4096) + 1 for p in place.kept.rglob("*"))
    size = pages * 4 + room_kb
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(place.outputs)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        place.reset()
        yield
    finally:
        place.reset(empty=True)
        subprocess.run(["umount", str(place.outputs)], check=True)


@pytest.mark.parametrize("room_kb", [0, 40, 120, 200, 300, 400, 500, 600, 700, 800] if LONG else [300])
def test_a_full_disk(place: Place, room_kb: int) -> None:
    with small_disk(place, room_kb):
        ended = place.run()
        if room_kb >= 500 and ended.code == 0:
            return  # it fitted
        stopped(place, ended)
        subprocess.run(["mount", "-o", "remount,size=64m", str(place.outputs)], check=True)
        ended = place.run()
        assert ended.code == 0, ended.err
        assert result(place.run_folder) == place.today
        assert place.left_behind() == set()


def test_outputs_that_may_only_be_read(place: Place) -> None:
    with small_disk(place, 64_000):
        subprocess.run(["mount", "-o", "remount,ro", str(place.outputs)], check=True)
        try:
            ended = place.run()
            stopped(place, ended)
            assert "cannot be written to" in ended.err
        finally:
            subprocess.run(["mount", "-o", "remount,rw", str(place.outputs)], check=True)


# Another run ----------------------------------------------------------------------------------------------------------


def test_two_runs_at_once(place: Place) -> None:
    place.reset()
    first = place.run(at="before detect", stop=True)
    assert first.stopped
    second = place.run()
    assert (second.code, "another run is writing" in second.err) == (7, True)
    assert whole(place.run_folder) == place.yesterday
    assert place.nursery.resume(first).code == 0
    assert result(place.run_folder) == place.today
    assert place.left_behind() == set()


# The clock ------------------------------------------------------------------------------------------------------------


def fresh(place: Place) -> bool:
    states = json.loads(place.nursery.run(place.folder, "stages", "--json").out)
    assert len(states) == len(STAGES)
    return all(state["fresh"] for state in states)


def test_a_clock_that_is_wrong_does_not_hide_a_change(place: Place) -> None:
    place.reset(empty=True)
    path = place.folder / "incidents.csv"
    before = path.read_bytes()
    try:
        for year_s in (2_208_988_800, 315_532_800):  # the file is of 2040, then of 1980
            path.write_bytes(before)
            os.utime(path, (year_s, year_s))
            assert place.run().code == 0
            assert fresh(place)
            assert place.run().out.count("Everything is fresh") == 1
            # Other content of the same length, and the very same time of change.
            path.write_bytes(before.replace(b"Barton", b"Ashby "))
            os.utime(path, (year_s, year_s))
            assert not fresh(place)
    finally:
        path.write_bytes(before)


# The installation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["detect/kde.py", *(["publish/map/assets/main.js"] if LONG else [])])
def test_half_an_installation_says_so(place: Place, tmp_path: Path, lost: str) -> None:
    place.reset()
    root = Path(__file__).parents[2]
    shutil.copytree(root / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pipeline" / lost).unlink()
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "run"], cwd=place.folder, env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 7
    assert "install" in done.stderr
    assert "hotspots doctor" in done.stderr
    assert Path(lost).stem in done.stderr
    assert "Traceback" not in done.stderr
    assert whole(place.run_folder) == place.yesterday


def test_the_doctor_names_what_an_installation_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import base64
    import hashlib
    import importlib.metadata

    from pipeline.commands.doctor import Situation, State, installation

    root = Path(__file__).parents[2]
    digest = base64.urlsafe_b64encode(hashlib.sha256((root / "pipeline" / "cli.py").read_bytes()).digest())
    about = tmp_path / "hotspots-1.dist-info"
    about.mkdir()

    def listing(*lines: str) -> None:
        (about / "RECORD").write_text("\n".join(lines) + "\n", encoding="utf-8")

    found = importlib.metadata.PathDistribution(about)
    monkeypatch.setattr(importlib.metadata, "files", lambda _: found.files)
    whole_line = f"pipeline/cli.py,sha256={digest.rstrip(b'=').decode()},9"
    listing(whole_line)
    assert [f.state for f in installation(Situation())] == [State.OK, State.OK]
    listing(whole_line, "pipeline/gone.py,sha256=x,9", "pipeline/errors.py,sha256=x,9")
    modules, files = installation(Situation())
    assert (modules.state, files.state) == (State.OK, State.BROKEN)
    assert "gone.py is missing" in files.found.replace("\\", "/")
    assert "errors.py has been changed" in files.found.replace("\\", "/")
    assert "cli.py" not in files.found
