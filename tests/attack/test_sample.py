"""The sample's folders against the attacker, alone and joined.

In short the latest window, with the outlines of hotspots beside the areas; HOTSPOTS_LONG=1 takes all windows, areas
alone, and parts that exclude each other in pairs. What partners can work out is part of what both audiences can, and
what areas alone give away is part of what they give away with outlines: in short each is attacked once.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.attack.attacker import attack
from tests.attack.checks import (
    counts_inside_ranges,
    figures_beyond_steps,
    inside_more_than_they_hold,
    outlines_off_the_lattice,
    ranks_finer_than_steps,
)
from tests.attack.folder import Folder, Key, joined, months_of, read_folder, read_layers
from tests.attack.outlines import above, note_outlines, outline_relations, true_outlines, unexplained_numbers
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


def areas_alone(folder: Folder, period: str = "") -> Folder:
    """Leave circumstances out (see `test_thinned`); keep one window and its parts, if it is named."""
    periods = {k.period for k in (*folder.shown, *folder.not_offered)}
    if period:
        periods = {p for p in periods if set(months_of(p)) <= set(months_of(period))}

    def kept(k: Key) -> bool:
        return "/" not in k.measure and k.period in periods

    shown = {k: s for k, s in folder.shown.items() if kept(k)}
    return replace(folder, shown=shown, not_offered={k for k in folder.not_offered if kept(k)})


def incidents_of(folder: Folder, categories: set[str]) -> Folder:
    """Keep the incidents of some categories, without their outcomes."""

    def kept(k: Key) -> bool:
        return k.category in categories and k.measure == "incidents"

    shown = {k: s for k, s in folder.shown.items() if kept(k)}
    return replace(folder, shown=shown, not_offered={k for k in folder.not_offered if kept(k)})


def latest(folder: Folder) -> str:
    """Return the latest window, the longest that ends with the data."""
    return max((k.period for k in folder.shown), key=lambda p: (p[-7:], len(months_of(p))))


@pytest.fixture(scope="module")
def output(sample_run: Path) -> Path:
    """Outputs of the sample."""
    return sample_run / "outputs" / "sample"


@pytest.fixture(scope="module")
def sample(output: Path) -> tuple[dict[str, Folder], Truth, Published]:
    settings = yaml.safe_load((ROOT / "config.yaml").read_text("utf-8"))
    folders = {name: read_folder(output / name) for name in ("partner", "public")}
    whole = joined(*folders.values())
    return folders | {"both": whole}, truth_of(output, whole), Published(tree_of(settings), pairs=LONG)


@pytest.mark.parametrize("name", ["partner", "public", "both"])
def test_nothing_is_exact_or_narrow(sample: tuple[dict[str, Folder], Truth, Published], name: str) -> None:
    folders, truth, published = sample
    if not LONG:
        pytest.skip("of the latest window, what areas alone give away is part of what they give away with outlines")
    found = attack(areas_alone(folders[name]), published, truth)
    assert len(found.values_left) > 5000
    assert found.narrow == [], str(found)
    assert found.contradictions == []


@pytest.mark.parametrize("name", ["partner", "public", "both"])
def test_outlines_narrow_nothing(sample: tuple[dict[str, Folder], Truth, Published], output: Path, name: str) -> None:
    """Counts inside outlines, of every category, beside those of the areas that the outlines touch."""
    folders, truth, published = sample
    if name == "partner" and not LONG:
        pytest.skip("what partners can work out is part of what both can")
    internal = read_layers(output / "internal")
    own: list[Folder] = []
    relations = []
    for each in ("partner", "public") if name == "both" else (name,):
        folder = areas_alone(folders[each], latest(folders[name]))
        note_outlines(folder)
        relations += outline_relations(folder, published.parents)
        truth.extra |= true_outlines(folder, internal)
        own.append(folder)
    outlines = {k for folder in own for k in folder.shown if k.measure.startswith("outline/")}
    assert len(outlines) > 20
    assert len(relations) > 60
    assert all(relation.holds(truth) for relation in relations)
    found = attack(joined(*own), published, truth, more=relations)
    assert outlines <= set(found.values_left)
    assert len(found.values_left) > 5000
    assert found.narrow == [], str(found)
    assert found.contradictions == []


def test_pages_of_hotspots_say_no_more_than_the_layer(
    sample: tuple[dict[str, Folder], Truth, Published], output: Path
) -> None:
    partner = sample[0]["partner"]
    pages = sorted((output / "partner" / "hotspots").glob("*.html"))
    assert [page.stem for page in pages] == sorted(f["properties"]["hotspot_id"] for f in partner.layers["hotspots"])
    names = {f["properties"]["area_name"] for layer in ("wards", "boroughs") for f in partner.layers[layer]}
    assert unexplained_numbers(pages, partner.layers["hotspots"], names) == []
    assert not (output / "public" / "hotspots").exists()
    for name in ("partner", "public"):
        assert not list((output / name).glob("hotspot_cores*"))


def test_shorter_windows_beside_a_longer_one_are_found(sample: tuple[dict[str, Folder], Truth, Published]) -> None:
    """A rare category is given by groups over two years alone: with each of the years its counts would narrow.

    The attacker gets incidents of this category and of those it is part of: what he finds with less he finds with more.
    """
    folders, truth, published = sample
    folder = folders["partner"]
    assert folder.long_windows, "some category of the sample is given in longer windows"
    folder = areas_alone(folder, latest(folder))
    category = next(iter(folder.long_windows))
    folder = incidents_of(folder, {category, *above(category, published.parents)})
    years = {k for k in folder.not_offered if k.category == category and folder.areas[k.area].level == "ward_group"}
    for key in (k for k in years if k.period not in folder.long_windows[category]):
        folder.not_offered.discard(key)
        folder.note(key, truth[key] // 5 * 5, truth[key] // 5 * 5 + 4)
    both = {k for k in folder.shown if k.category == category and k.period in folder.long_windows[category]}
    groups = {k for k in both if folder.areas[k.area].level == "ward_group"}
    assert attack(folder, replace(published, pairs=False), truth, only=groups).narrow


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
