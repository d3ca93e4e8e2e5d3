"""The sample with a part of its rows against the attacker, circumstances and area tables together.

With fewer rows, values select the same incidents by chance, and fewer of them are left that are not offered. In short a
quarter of the rows, the latest window and boroughs; HOTSPOTS_LONG=1 takes 25, 35 and 50 %, each folder, and everything.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.stages.runner import run
from tests.attack.attacker import attack
from tests.attack.circumstances import Described
from tests.attack.cities import counts_alone
from tests.attack.folder import Folder, Key, joined, read_folder
from tests.attack.relations import Published
from tests.attack.test_sample import tree_of
from tests.attack.truth import truth_of

ROOT = Path(__file__).parents[2]
LONG = bool(os.environ.get("HOTSPOTS_LONG"))
SHARES = (25, 35, 50) if LONG else (25,)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=SHARES)
def thinned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Published]:
    """Run over some of the sample's rows."""
    here = tmp_path_factory.mktemp(f"thinned{request.param}")
    settings = yaml.safe_load((ROOT / "config.yaml").read_text("utf-8"))
    rows = pd.read_csv(ROOT / settings["incidents"][0]["paths"][0], dtype=str, keep_default_na=False)
    kept = np.random.default_rng(0).random(len(rows)) < request.param / 100
    rows[kept].to_csv(here / "incidents.csv.gz", index=False)
    settings["incidents"][0]["paths"] = ["incidents.csv.gz"]
    counts_alone(settings)
    if not LONG:
        settings["periods"]["first_month"] = "2024-08"  # of the latest window
    (here / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
    (here / "data").symlink_to(ROOT / "data")
    output = run(here / "config.yaml", progress=lambda *_: None).folder
    return output, Published(tree_of(settings), pairs=LONG)


def of(folder: Folder, period: str, levels: set[str]) -> Folder:
    """Keep one window, and levels of areas, of what was read."""

    def kept(k: Key) -> bool:
        return k.period == period and folder.areas[k.area].level in levels

    shown = {k: s for k, s in folder.shown.items() if kept(k)}
    return replace(folder, shown=shown, not_offered={k for k in folder.not_offered if kept(k)})


@pytest.mark.parametrize("name", ["partner", "public", "both"])
def test_nothing_is_exact_or_narrow(thinned: tuple[Path, Published], name: str) -> None:
    if name != "both" and not LONG:
        pytest.skip("what one audience can work out is part of what both can")
    output, published = thinned
    folders = {n: read_folder(output / n) for n in ("partner", "public")}
    folder = joined(*folders.values()) if name == "both" else folders[name]
    truth = truth_of(output, folder)
    described = Described(output / "internal", folder, truth)
    if not LONG:
        folder = of(folder, described.period, {"region", "borough"})
    found = attack(folder, published, truth, more=described.relations())
    assert sum("/" in k.measure for k in found.values_left) > (50 if name == "public" else 1000)
    assert found.narrow == [], str(found)
    assert found.contradictions == []


def test_a_value_that_is_offered_beside_all_others_is_found(thinned: tuple[Path, Published]) -> None:
    """Of two values the last is not offered; with it, somebody reads the step of the total between the two.

    The attacker gets these values and incidents alone: what he finds with less he finds with more.
    """
    output, published = thinned
    folder = read_folder(output / "partner")
    truth = truth_of(output, folder)
    described = Described(output / "internal", folder, truth)
    folder = of(folder, described.period, {"region", "borough"})

    def about(k: Key) -> bool:
        return k.category == "all" and k.measure.startswith(("incidents", "police/organisation/", "police/online/"))

    folder = replace(folder, shown={k: s for k, s in folder.shown.items() if about(k)})
    hidden = [k for k in folder.not_offered if k.measure == "police/online/no"]
    assert hidden
    for key in hidden:
        lower = truth[key] // folder.step * folder.step
        folder.not_offered.discard(key)
        folder.note(key, lower, lower + folder.step - 1)
    relations = [r for r in described.relations() if all(map(about, (r.total, *r.parts)))]
    found = attack(folder, published, truth, more=relations)
    assert {k.measure for k in found.narrow} & {"police/online/yes", "police/online/no"}
