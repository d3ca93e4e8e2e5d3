"""Every notebook runs from top to bottom on the sample, as a reader would run it."""

from pathlib import Path

import pytest

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


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "commit notebooks without outputs"
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
    if path.stem == "04_use_the_layers":
        (shown,) = notebook.cells[-1].outputs
        assert shown.data["text/html"].startswith("<iframe")  # the map, inline
        assert "Liverpool Street" in shown.data["text/html"]
