"""What is built for an index: it works from any folder, and holds the sample, the templates and the words."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from pipeline import DISTRIBUTION, __version__
from pipeline.commands.sample import set_up_sample
from pipeline.errors import InputError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv.pop())"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy of what git holds: a build leaves files behind, and must not need those that git ignores."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    unpacked = out / f"{DISTRIBUTION.replace('-', '_')}-{__version__}"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file() and not name.startswith(("tests/", "notebooks/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    for what, where in (("build_sdist", source), ("build_wheel", unpacked)):
        # The wheel is built from what the source package holds: who builds one has nothing else.
        subprocess.run([sys.executable, "-c", BUILD, what, str(out)], cwd=where, capture_output=True, check=True)
        for archive in out.glob("*.tar.gz"):
            shutil.unpack_archive(archive, unpacked.parent, filter="data")
    return out


def test_the_wheel_works_away_from_the_checkout(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert wheel.name == f"{DISTRIBUTION.replace('-', '_')}-{__version__}-py3-none-any.whl"
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    shutil.unpack_archive(wheel, site, "zip")

    def hotspots(*words: str) -> subprocess.CompletedProcess[str]:
        code = "import pipeline, sys; sys.stderr.write(pipeline.__file__); from pipeline.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-P", "-c", code, *words], cwd=work, capture_output=True, text=True, check=True,
            timeout=300, env=os.environ | {"PYTHONPATH": str(site)},
        )  # fmt: skip

    # All of a run but its end: the sample is set up, read and checked, by what is in the wheel alone.
    code = (
        "from pathlib import Path; from pipeline.commands.sample import set_up_sample as s; s(Path('hotspots-sample'))"
    )
    subprocess.run([sys.executable, "-P", "-c", code], cwd=work, check=True, env=os.environ | {"PYTHONPATH": str(site)})
    checked = hotspots("check", "--config", "hotspots-sample/config.yaml", "--rows", "500")
    assert checked.stderr == str(site / "pipeline" / "__init__.py")
    assert "incidents.csv.gz" in checked.stdout
    assert (work / "hotspots-sample" / "data" / "sample" / "wards.geojson").read_bytes() == (
        ROOT / "data" / "sample" / "wards.geojson"
    ).read_bytes()
    for template in ("extract", "police-uk", "mps-dashboard"):
        hotspots("init", template, "--config", f"{template}.yaml")
        assert (work / f"{template}.yaml").stat().st_size > 1000


def test_the_source_package_holds_what_a_build_needs_and_nothing_compiled(built: Path) -> None:
    (packed,) = built.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {"setup.py", "config.yaml", "data/sample/incidents.csv.gz", "pipeline/publish/words/en.toml"} <= names
    assert not [name for name in names if name.endswith(".pyc")]


def test_a_sample_that_somebody_changed_stays_as_it_is(tmp_path: Path) -> None:
    config = set_up_sample(tmp_path / "sample")
    config.write_text("run: {name: mine}\n", encoding="utf-8")
    (tmp_path / "sample" / "data" / "sample" / "population.csv").unlink()
    assert set_up_sample(tmp_path / "sample") == config
    assert config.read_text("utf-8") == "run: {name: mine}\n"
    assert (tmp_path / "sample" / "data" / "sample" / "population.csv").is_file()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(InputError, match=r"taken.*must be writable"):
        set_up_sample(tmp_path / "taken")
