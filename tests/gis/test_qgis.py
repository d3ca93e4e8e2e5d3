"""QGIS opens what we write, finds the styles, and draws each area in the colour of its class."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pipeline.publish import palette
from pipeline.publish.exports import layers_of, rate_limits
from tests.kit.released import HOSTILE

CLIENT = Path(__file__).with_name("qgis_client.py")
LAYERS = ("boroughs", "wards", "density", "hotspots")


def ask(python: str, folder: Path, home: Path, picture: Path) -> dict:
    environment = {
        "PATH": os.environ["PATH"],
        "QT_QPA_PLATFORM": "offscreen",
        "LC_ALL": "C.UTF-8",
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
    }
    command = [python, CLIENT, folder, picture]
    done = subprocess.run(
        [str(c) for c in command], capture_output=True, text=True, env=environment, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def seen(system_python: str, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    home = tmp_path_factory.mktemp("qgis", numbered=True)
    home.chmod(0o700)
    report = ask(system_python, folder, home, home / "map.png")
    return report | {"picture": home / "map.png"}


def test_every_layer_opens_with_system_index_and_words(seen: dict, release) -> None:
    for layer in layers_of(release):
        found = seen["layers"][layer.name]
        assert found["features"] == len(layer.frame)
        assert found["crs"] == "EPSG:27700"
        assert found["indexed"]
        assert found["fields"] == ["fid", *(f.name for f in layer.fields)]
        assert found["title"] == layer.title
        assert found["licences"] == [release.info.licence]


@pytest.mark.parametrize("name", LAYERS)
def test_every_geojson_opens(seen: dict, release, name: str) -> None:
    found = seen["geojson"][name]
    layer = next(one for one in layers_of(release) if one.name == name)
    assert found["features"] == len(layer.frame)
    assert found["crs"] == "EPSG:4326"
    assert found["whole"]
    assert [f for f in found["fields"] if f != "id"] == [f.name for f in layer.fields]


def test_styles_are_found_and_applied_on_load(seen: dict) -> None:
    assert {name: list(layer["styles"]) for name, layer in seen["layers"].items()} == {
        "boroughs": ["Rate", "Number", "Change", "Significance", "Outline"],
        "wards": ["Rate", "Number", "Change", "Significance", "Outline"],
        "density_by_category": ["Relief"],
        "density": ["Relief"],
        "hotspots_by_category": ["Rank"],
        "hotspots": ["Rank"],
    }
    for layer in seen["layers"].values():
        assert layer["renderer"] == "RuleRenderer"
        for rules in layer["styles"].values():
            assert rules
            assert [rule["fault"] for rule in rules] == [""] * len(rules)
    assert [rule["colour"] for rule in seen["layers"]["wards"]["rules"][:5]] == [
        colour.lower() for colour in palette.ramp("sequential")
    ]
    assert seen["layers"]["hotspots"]["labels"]


@pytest.mark.parametrize("name", ["wards", "boroughs"])
def test_each_area_is_drawn_by_the_rule_of_its_class(seen: dict, release, name: str) -> None:
    layer = next(one for one in layers_of(release) if one.name == name)
    rules = seen["layers"][name]["rules"]
    limits = rate_limits(release, level=name.removesuffix("s"))
    kinds = set()
    for row in layer.frame.itertuples():
        if not row.covered:
            want = "Not covered"
        elif not np.isnan(row.rate_per_10000):
            want = rules[palette.class_of(row.rate_per_10000, limits)]["label"]
        elif "incidents" in row.not_offered.split(";") or "rate_per_10000" in row.not_offered.split(";"):
            want = "Not offered"
        else:
            want = "Fewer than 10" if row.incidents_lower == 0 else "Too few to say"
        kinds.add(want)
        assert seen["layers"][name]["drawn"][row.area_code] == [want], row.area_code
    assert "Not covered" in kinds


@pytest.mark.parametrize("name", ["wards", "boroughs"])
def test_counts_and_changes_are_drawn_as_steps_and_words(seen: dict, release, name: str) -> None:
    """Read from lower, upper and word alone; each area by one rule, so that nothing and something look the same."""
    layer, found = next(one for one in layers_of(release) if one.name == name), seen["layers"][name]
    words = {"higher": "Clearly higher", "lower": "Clearly lower", "no clear change": "No clear change"}
    words |= {"too few": "Too few to compare", "not comparable": "Not comparable"}
    named = found["texts_in"]["Number"]
    for row in layer.frame.itertuples():
        (number,), (change,) = (found["drawn_in"][style][row.area_code] for style in ("Number", "Change"))
        if not row.covered:
            assert (number, change) == ("Not covered", "Not covered")
            continue
        assert change == (words[row.change_word] if isinstance(row.change_word, str) else "No data"), row.area_code
        if row.incidents_lower == 0:
            assert number == "Fewer than 10"
            wording = "fewer than 10"
        else:
            wording = f"{row.incidents_lower} to {row.incidents_upper}"
            ends = [int(part) for part in number.replace(",", "").replace(" or more", "").split(" to ")]
            assert ends[0] <= row.incidents_lower
            assert row.incidents_upper <= (ends[1] if len(ends) > 1 else row.incidents_upper)
        if name == "boroughs":
            assert named[row.area_code] == f"{row.area_name}\n{wording}"
    assert {rule["label"] for rule in found["styles"]["Number"]} >= {"Not offered", "No data", "Not covered"}


def test_each_band_is_drawn_once_in_its_colour(seen: dict, release) -> None:
    layer = next(one for one in layers_of(release) if one.name == "density")
    found = seen["layers"]["density"]
    colours = {rule["label"]: rule["colour"] for rule in found["rules"]}
    count = len(layer.frame)
    for k, code in enumerate(layer.frame["density_id"]):
        (label,) = found["drawn"][code]
        assert colours[label] == palette.ramp("terrain")[palette.terrain_index(k, count)].lower()


def test_picture_shows_classes_and_hotspots(seen: dict) -> None:
    from matplotlib.image import imread

    image = np.round(imread(seen["picture"])[..., :3] * 255).astype(int)
    view = image[:, image.shape[1] // 3 :]  # the legend on the left shows every colour whatever the map holds
    wanted = (*palette.ramp("sequential"), palette.LIGHT["hot"], palette.LIGHT["boroline"])
    for colour in wanted:
        exact = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (view == exact).all(axis=-1).any(), colour


def test_hostile_texts_stay_text(system_python: str, hostile: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    report = ask(system_python, hostile, tmp_path, tmp_path / "map.png")
    wards = report["layers"]["wards"]
    assert wards["features"] == 54
    assert HOSTILE[0] in wards["title"]
    labels = [rule["label"] for rule in report["layers"]["density"]["rules"]]
    assert len(labels) >= 4
    assert all(
        rule["fault"] == ""
        for layer in report["layers"].values()
        for rules in layer["styles"].values()
        for rule in rules
    )
