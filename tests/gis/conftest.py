"""Released folders, and the programs of GIS teams: skipped where absent, required in CI."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.publish.exports import write_exports
from tests.kit.released import city, hostile_city

PACKAGES = "gdal-bin python3-gdal python3-qgis postgresql-postgis libreoffice-calc-nogui"


def absent(what: str) -> None:
    """Skip on a desk; fail in CI."""
    message = f"{what} not found: apt-get install --no-install-recommends {PACKAGES}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        absent(name)
    return str(found)


@pytest.fixture(scope="session")
def ogrinfo() -> str:
    return program("ogrinfo")


@pytest.fixture(scope="session")
def ogr2ogr() -> str:
    return program("ogr2ogr")


@pytest.fixture(scope="session")
def system_python() -> str:
    """Python that can import PyQGIS."""
    python = "/usr/bin/python3"
    environment = {"PATH": "/usr/bin:/bin", "QT_QPA_PLATFORM": "offscreen", "HOME": "/tmp"}  # noqa: S108 - read only
    if (
        not Path(python).exists()
        or subprocess.run(
            [python, "-c", "import qgis.core"], env=environment, capture_output=True, check=False
        ).returncode
    ):
        absent("PyQGIS")
    return python


@pytest.fixture(scope="session")
def postgres() -> Path:
    """Folder of PostgreSQL's own programs, with PostGIS installed beside them."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (Path("/usr/share/postgresql") / folder.parent.name / "extension" / "postgis.control").exists():
            return folder
    absent("PostgreSQL with PostGIS")
    raise AssertionError


@pytest.fixture(scope="session")
def release():
    return city(audience="public", contact="maps@example.org")


@pytest.fixture(scope="session")
def folder(release, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("release")
    write_exports(release, path, geoparquet=True, flatgeobuf=True)
    return path


@pytest.fixture(scope="session")
def hostile(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("hostile")
    write_exports(hostile_city(), path)
    return path
