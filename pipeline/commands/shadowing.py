"""Other packages named `pipeline`: which there are, and whether one of them stands in for this one.

The name is common, and Python takes the first it finds. What can be noticed, by code of ours that still runs:

- another package that Python found first, but in which it finds our modules: because that package lets Python look for
  further parts of itself (`pkgutil.extend_path`), or because ours is an editable installation. The command line refuses
  to start, exit code 7;
- a copy of this project of another version in front of the installed one: refused likewise, since a manifest would name
  a version that did not run;
- another distribution that put files of its own into our folder, another `pipeline` that `python -m pipeline` would
  start in the current folder, another copy of the same version: `hotspots doctor` names them.

What cannot be noticed: another package that wins outright over a normal installation. None of our code is reached then,
and `hotspots` ends with Python's own "No module named 'pipeline.cli'". That takes a PYTHONPATH that names the other
package's folder: the program `hotspots` does not look in the current folder. `python -m pipeline` does, so it starts
whatever `pipeline` is there (`python -P -m pipeline` does not).
"""

import importlib.metadata
import json
import os
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pipeline

__all__ = ["HERE", "another_version", "installed_folder", "other_distributions", "other_packages"]

HERE = Path(__file__).resolve().parents[1]


def another_version() -> str:
    """Return what is wrong if this is a copy of another version than the installed one and hides it, else nothing."""
    try:
        version = importlib.metadata.version(pipeline.DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return ""
    if version == pipeline.__version__:  # nearly always, so the rest costs the start of a command nothing
        return ""
    folder = installed_folder()
    if folder is None or folder == HERE:  # an editable installation whose version was raised: `pip install -e .` again
        return ""
    return (
        f"version {pipeline.__version__} in {HERE} stands in front of version {version}, which is installed in {folder}"
    )


def installed_folder() -> Path | None:
    """Return the package's folder as the installation recorded it; None where nothing is installed."""
    try:
        installed = importlib.metadata.distribution(pipeline.DISTRIBUTION)
        origin = json.loads(installed.read_text("direct_url.json") or "{}")
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None
    if origin.get("dir_info", {}).get("editable"):  # the files stayed where they were
        path = unquote(urlsplit(origin["url"]).path)
        root = Path(path.lstrip("/") if os.name == "nt" else path)  # file:///C:/... and file:///home/...
    else:
        root = Path(str(installed.locate_file("")))
    return (root / HERE.name).resolve()


def other_distributions() -> list[str]:
    """Name other installed distributions that own a package of our name: they may have replaced files of ours."""
    owners = importlib.metadata.packages_distributions().get(HERE.name, [])
    return sorted({owner for owner in owners if owner != pipeline.DISTRIBUTION})


def other_packages() -> list[Path]:
    """Return other packages of our name in the current folder and wherever Python looks, in its order."""
    found = []
    for folder in dict.fromkeys(Path(entry).resolve() for entry in ("", *sys.path)):
        for path in (folder / HERE.name, folder / f"{HERE.name}.py"):
            # A folder without Python files, such as one of data, may bear the name.
            package = path.is_file() or (path.is_dir() and any(path.glob("*.py")))
            if package and path != HERE:
                found.append(path)
    return found
