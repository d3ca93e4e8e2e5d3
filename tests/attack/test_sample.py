"""The sample's folders against the attacker, alone and joined.

In short the latest window; HOTSPOTS_LONG=1 takes all windows, and parts that exclude each other in pairs.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from pipeline.stages.runner import run
from tests.attack.attacker import attack
from tests.attack.checks import (
    counts_inside_ranges,
    figures_beyond_steps,
    inside_more_than_they_hold,
    outlines_off_the_lattice,
    ranks_finer_than_steps,
)
from tests.attack.folder import Folder, joined, read_folder
from tests.attack.relations import Published
from tests.attack.truth import Truth, truth_of

ROOT = Path(__file__).parents[2]
LONG = bool(os.environ.get("HOTSPOTS_LONG"))

pytestmark = pytest.mark.slow


def tree_of(settings: dict) -> dict[str, str]:
    """Categories and what they are part of, as anybody reads them on a page."""
    whole = settings["categories"].get("all_from")
    tree = {c["id"]: c.get("parent", "") for c in settings["categories"]["tree"] if c["id"] != whole}
    return {c: "" if parent == whole else parent for c, parent in tree.items()}


def of_window(folder: Folder, period: str) -> Folder:
    """Keep one window of what was read."""
    return replace(
        folder,
        shown={k: s for k, s in folder.shown.items() if k.period == period and "/" not in k.measure},
        not_offered={k for k in folder.not_offered if k.period == period and "/" not in k.measure},
    )


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Folder], Truth, Published]:
    here = tmp_path_factory.mktemp("sample")
    settings = yaml.safe_load((ROOT / "config.yaml").read_text("utf-8"))
    (here / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
    (here / "data").symlink_to(ROOT / "data")
    outcome = run(here / "config.yaml", progress=lambda *_: None)
    folders = {name: read_folder(outcome.folder / name) for name in ("partner", "public")}
    whole = joined(*folders.values())
    return folders | {"both": whole}, truth_of(outcome.folder, whole), Published(tree_of(settings), pairs=LONG)


@pytest.mark.parametrize("name", ["partner", "public", "both"])
def test_nothing_is_exact_or_narrow(sample: tuple[dict[str, Folder], Truth, Published], name: str) -> None:
    folders, truth, published = sample
    if name == "partner" and not LONG:
        pytest.skip("what partners can work out is part of what both can")
    folder = folders[name]
    if not LONG:
        folder = of_window(folder, max(k.period for k in folder.shown))
    found = attack(folder, published, truth)
    assert len(found.values_left) > 5000
    assert found.narrow == [], str(found)
    assert found.contradictions == []


def test_figures_and_outlines_say_no_more_than_the_steps(sample: tuple[dict[str, Folder], Truth, Published]) -> None:
    for name in ("partner", "public"):
        folder = sample[0][name]
        assert figures_beyond_steps(folder) == []
        for layer in ("hotspots", "hotspots_by_category"):
            assert len(folder.layers[layer])
            assert counts_inside_ranges(folder.layers[layer]) == []
            assert outlines_off_the_lattice(folder.layers[layer], folder.record["rules"]["lattice_m"]) == []
        spots = folder.layers["hotspots_by_category"]
        for category in {s["properties"]["category"] for s in spots}:
            mine = [s for s in spots if s["properties"]["category"] == category]
            assert ranks_finer_than_steps(mine) == []
            assert inside_more_than_they_hold(mine, folder.layers["hotspots"]) == []


def test_rare_wards_look_the_same(sample: tuple[dict[str, Folder], Truth, Published]) -> None:
    """A ward where nobody reported and one where some did show the same, of every strand and window."""
    folders, truth, _ = sample
    for name in ("partner", "public"):
        folder = folders[name]
        for key, span in folder.shown.items():
            if key.category == "transgender" and truth[key] < folder.step:
                assert span == (0, folder.step - 1)
