"""A PostgreSQL server with PostGIS for one test: on 127.0.0.1 and a free port, with a password, gone afterwards."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGES = "postgresql-postgis"
PASSWORD = "s3cret:pass/word@1"  # noqa: S105 - of a server that lives for one test
"""With characters that an address must percent-encode."""


@dataclass(frozen=True)
class Postgres:
    port: int
    home: Path

    @property
    def address(self) -> str:
        return f"postgresql://analyst:s3cret%3Apass%2Fword%401@127.0.0.1:{self.port}/crimes"

    def run(self, sql: str, *, stdin: bytes | None = None) -> str:
        """Run SQL as the owner."""
        command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.home), "-p", str(self.port),
                   "-U", "owner", "-d", "crimes", "-c", sql]  # fmt: skip
        done = subprocess.run(command, input=stdin, capture_output=True, check=False, env={"PATH": "/usr/bin:/bin"})
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()


def programs() -> Path:
    """Folder of PostgreSQL's own programs, with PostGIS installed beside them; skips where there is none."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (Path("/usr/share/postgresql") / folder.parent.name / "extension" / "postgis.control").exists():
            return folder
    message = f"PostgreSQL with PostGIS not found: apt-get install --no-install-recommends {PACKAGES}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def running() -> Iterator[Postgres]:
    """Start a server with the database `crimes`, its `owner`, and `analyst`, who may read and write."""
    folder = programs()
    home = Path(tempfile.mkdtemp(prefix="hs-pg-"))
    owner = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(home, "postgres", "postgres")
        owner = {"user": "postgres", "group": "postgres", "extra_groups": []}
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def server(*command: object) -> None:
        with (home / "log").open("a") as log:
            done = subprocess.run(
                [str(c) for c in command], cwd=home, env=environment, stdout=log, stderr=log, check=False, **owner
            )
        assert done.returncode == 0, (home / "log").read_text("utf-8")

    try:
        server("initdb", "-D", home / "data", "-U", "owner", "-A", "trust", "-E", "UTF8", "--no-sync")
        # The owner by the socket without a password, everybody else by the network with one.
        (home / "data" / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -k {home} -F"
        server("pg_ctl", "-D", home / "data", "-w", "-o", options, "start")
        server("createdb", "-h", home, "-p", port, "-U", "owner", "crimes")
        found = Postgres(port, home)
        found.run("CREATE EXTENSION postgis")
        found.run(f"CREATE ROLE analyst LOGIN PASSWORD '{PASSWORD}'")
        found.run("GRANT ALL ON SCHEMA public TO analyst")
        yield found
    finally:
        if (home / "data" / "postmaster.pid").exists():
            server("pg_ctl", "-D", home / "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(home)
