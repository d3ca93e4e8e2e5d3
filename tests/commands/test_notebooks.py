"""Every notebook runs from top to bottom on the sample, as a reader would run it.

The sample is run already, and the backtest takes two origins, squares of one size, two bandwidths and all incidents
together; HOTSPOTS_LONG=1 takes all.
"""

import os
import shutil
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert [n.stem for n in NOTEBOOKS] == [
        "01_explore_a_run",
        "02_choose_parameters",
        "03_compare_methods",
        "04_use_the_layers",
    ]


@pytest.fixture(scope="module")
def folder(sample_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout as the notebooks see it: configuration, data, and outputs of the sample that are fresh."""
    here = tmp_path_factory.mktemp("checkout")
    shutil.copytree(sample_run, here, symlinks=True, dirs_exist_ok=True)
    (here / "notebooks").mkdir()
    if not os.environ.get("HOTSPOTS_LONG"):
        settings = yaml.safe_load((here / "config.yaml").read_text("utf-8"))
        settings["backtest"] = {
            "origins": 2, "squares_m": [250], "hexagons_m": [], "bandwidths_m": [250, 500], "categories": []
        }  # fmt: skip
        (here / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
    return here


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(path: Path, folder: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "commit notebooks without outputs"
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder / "notebooks")}}).execute()
    if path.stem == "04_use_the_layers":
        (shown,) = notebook.cells[-1].outputs
        assert shown.data["text/html"].startswith("<iframe")  # the map, inline
        assert "Liverpool Street" in shown.data["text/html"]
