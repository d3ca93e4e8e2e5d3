"""What is built for an index: it works from any folder, and holds the sample, the templates and the words."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

from pipeline import DISTRIBUTION, __version__
from pipeline.commands.sample import set_up_sample
from pipeline.errors import InputError
from tests.kit.city import write_city

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


# The steps of .ci/Dockerfile, where there is no container tool: its folders are folders here, its user is another one,
# and it has neither a network nor a place to write but /out, /state and /tmp.


def steps() -> list[tuple[str, str]]:
    text = (ROOT / ".ci" / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    return [
        (words[0], words[1]) for line in text.splitlines() if line and line[0] != "#" and (words := line.split(" ", 1))
    ]


def _may_become_another() -> bool:
    """Whether this may be tried: another user must also be able to read the interpreter."""
    if not (shutil.which("unshare") and shutil.which("setpriv") and hasattr(os, "getuid") and os.getuid() == 0):
        return False
    user = dict(steps())["USER"].split(":")[0]
    words = [
        "unshare",
        "-n",
        "setpriv",
        f"--reuid={user}",
        f"--regid={user}",
        "--clear-groups",
        sys.executable,
        "-c",
        "",
    ]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def test_the_container_can_neither_write_its_inputs_nor_ask_the_network_nor_be_root() -> None:
    found = dict(steps())
    assert [name for name, _ in steps()] == sorted(
        (name for name, _ in steps()), key=["FROM", "COPY", "RUN", "ENV", "USER", "WORKDIR", "ENTRYPOINT", "CMD"].index
    )
    assert found["FROM"].endswith("-slim")
    assert int(found["USER"].split(":")[0]) > 0
    assert json.loads(found["ENTRYPOINT"]) == ["hotspots"]
    text = (ROOT / ".ci" / "Dockerfile").read_text("utf-8")
    for option in ("--network none", "--read-only", "/in:ro"):
        assert option in text


@pytest.mark.skipif(not _may_become_another(), reason="only root on Linux may become another user, without a network")
def test_the_steps_of_the_container_run(built: Path) -> None:
    root = Path(tempfile.mkdtemp(prefix="hotspots-container-"))  # those of pytest are closed to other users
    try:
        _run_container(root, built)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _run_container(root: Path, built: Path) -> None:
    user = int(dict(steps())["USER"].split(":")[0])
    root.chmod(0o755)
    folders = {name: root / name for name in ("in", "out", "state", "site", "tmp")}
    for name, folder in folders.items():
        folder.mkdir()
        if name in {"out", "state", "tmp"}:
            os.chown(folder, user, user)
    (install,) = [step for name, step in steps() if name == "RUN" and "pip install" in step]
    assert "/tmp/install/*.whl" in install  # noqa: S108 - a path in the container
    (wheel,) = built.glob("*.whl")
    # What the wheel needs is installed here already, and nothing may come from an index: only the wheel is put there.
    words = shlex.split(install.split("-c ")[0].removeprefix("pip"))
    subprocess.run(
        [sys.executable, "-m", "pip", *words, "--no-deps", "--no-index", "--target", str(folders["site"]), str(wheel)],
        check=True, capture_output=True,
    )  # fmt: skip
    public = {"name": "public", "audience": "public", "threshold": 10}
    write_city(folders["in"], **{"run.output_dir": str(folders["out"]), "exports.geopackage": False}, profiles=[public])
    (folders["in"] / "config.yaml").rename(folders["in"] / "my.yaml")
    command = json.loads(dict(steps())["CMD"])
    assert command[-1].startswith("/in/")
    command[-1] = str(root / command[-1].removeprefix("/"))
    start = [sys.executable, "-P", "-c", "from pipeline.cli import main; main()", *command]
    as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    done = subprocess.run(
        ["unshare", "-n", *as_user, *start],
        cwd=folders["out"], capture_output=True, text=True, check=False, timeout=300,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folders["site"]), "PYTHONDONTWRITEBYTECODE": "1",
             "HOTSPOTS_STATE_DIR": str(folders["state"]), "TMPDIR": str(folders["tmp"]), "HOME": "/nonexistent"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list(folders["out"].glob("*/public/index.html"))
    assert not [p for p in folders["in"].rglob("*") if p.name.startswith(".")]
