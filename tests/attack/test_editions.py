"""Wards of 2018 and of December 2023, real ones, over the sample's incidents: with one ledger, and without.

Two editions of the same months would give away what lies between them: the second run is refused, and names the window.
Where it starts with the month after, both folders together give nothing. Two ledgers (the planted mistake) are found.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import yaml

from pipeline.errors import DisclosureError
from pipeline.stages.runner import run
from tests.attack.attacker import attack
from tests.attack.cities import counts_alone
from tests.attack.editions import pieces
from tests.attack.folder import Folder, Key, joined, read_folder
from tests.attack.relations import Published
from tests.attack.truth import Truth, truth_of

ROOT = Path(__file__).parents[2]
COLUMNS = ["area_code", "area_name", "parent_code", "parent_name"]
EDITIONS = {
    "2018": ("london_wards_2018_27700.gpkg", ["GSS_CODE", "NAME", "LAGSSCODE", "DISTRICT"]),
    "2023": ("london_wards_dec2023_200m.geojson", ["WD23CD", "WD23NM", "LAD23CD", "LAD23NM"]),
}
TO_2024, YEAR = {"first_month": "2023-08", "last_complete_date": "2024-07-31"}, "2023-08..2024-07"
ROLES = ("id", "date", "x", "y", "borough", "category", "outcome")
TREE = {"race": "", "religion": ""}

pytestmark = [pytest.mark.slow, pytest.mark.real]


def write(folder: Path, real_data: Path, edition: str, periods: dict[str, Any], *, prefix: str = "") -> Path:
    """Write the sample's configuration with the wards of an edition; `prefix` tells their codes from another's."""
    folder.mkdir(exist_ok=True)
    name, columns = EDITIONS[edition]
    wards = gpd.read_file(real_data / "boundaries" / name).rename(columns=dict(zip(columns, COLUMNS, strict=True)))
    wards["area_code"] = prefix + wards["area_code"]
    wards[[*COLUMNS, "geometry"]].to_file(folder / f"wards{edition}.gpkg", driver="GPKG")
    settings = yaml.safe_load((ROOT / "config.yaml").read_text("utf-8"))
    settings["areas"] |= {"wards": {"path": f"wards{edition}.gpkg", "vintage": edition, "parent_code": "parent_code",
                                    "parent_name": "parent_name"}}  # fmt: skip
    del settings["areas"]["population"], settings["areas"]["visitor_areas"]
    tree = [c for c in settings["categories"]["tree"] if c["id"] in TREE]
    settings["categories"]["tree"] = tree
    settings["periods"] |= periods
    # The attacker reads counts of areas here: no hotspots or cells are made, and hardly any circumstances. Columns that
    # the configuration does not name would be recognised, so they are left out of the incidents.
    counts_alone(settings)
    source = settings["incidents"][0]
    source["columns"] = {role: column for role, column in source["columns"].items() if role in ROLES}
    used = list(source["columns"].values())
    rows = pd.read_csv(ROOT / source["paths"][0], usecols=used, dtype=str, keep_default_na=False)
    rows.to_csv(folder / "incidents.csv", index=False)
    source["paths"] = ["incidents.csv"]
    if not (folder / "data").exists():
        (folder / "data").symlink_to(ROOT / "data")
    (folder / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
    return folder / "config.yaml"


def counted(output: Path) -> tuple[Folder, Truth]:
    """Read the folders of both audiences, circumstances left out, and the true counts."""
    folder = joined(*(read_folder(output / name) for name in ("partner", "public")))
    return of(folder, lambda k: "/" not in k.measure), truth_of(output, folder)


def of(folder: Folder, kept: Any) -> Folder:
    """Keep some counts of what was read."""
    shown = {k: s for k, s in folder.shown.items() if kept(k)}
    return replace(folder, shown=shown, not_offered={k for k in folder.not_offered if kept(k)})


@pytest.fixture(scope="module")
def of_2018(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outputs of a run with the wards of 2018, to July 2024."""
    folder = tmp_path_factory.mktemp("editions") / "2018"
    return run(write(folder, real_data, "2018", TO_2024), progress=lambda *_: None).folder


def test_one_ledger_refuses_the_same_months_and_gives_nothing_over_others(
    real_data: Path, of_2018: Path, tmp_path: Path
) -> None:
    shutil.copytree(of_2018.parents[1], tmp_path, symlinks=True, dirs_exist_ok=True)  # the ledger is in it
    before = counted(of_2018)
    with pytest.raises(DisclosureError, match=r"wards had other \w+ in the window 2023-08..2024-07") as refused:
        run(write(tmp_path, real_data, "2023", {}), progress=lambda *_: None)
    assert refused.value.exit_code == 6
    later = write(tmp_path, real_data, "2023", {"first_month": "2024-08"})
    after = counted(run(later, progress=lambda *_: None).folder)
    both = joined(before[0], after[0])
    assert len(both.editions) == 2
    months = [t.months[(t.months["month"] > 202407) == late] for t, late in ((before[1], False), (after[1], True))]
    truth = Truth(pd.concat(months, ignore_index=True), {**before[1].members, **after[1].members})
    found = attack(both, Published(TREE), truth)
    assert len({k.period for k in found.values_left if k.area.startswith("E05")}) == 2
    assert found.narrow == [], str(found)
    assert found.contradictions == []


def test_two_ledgers_are_found(real_data: Path, of_2018: Path, tmp_path: Path) -> None:
    """Apart, each edition is safe; together, pieces between the two have fewer values than their steps."""
    of_2023 = run(write(tmp_path, real_data, "2023", TO_2024, prefix="N"), progress=lambda *_: None).folder
    outputs = of_2018, of_2023
    (old, truth), (new, other) = (counted(output) for output in outputs)
    wards = other.months[other.months["area_code"].str.startswith("N")]
    truth = Truth(pd.concat([truth.months, wards], ignore_index=True), {})

    def kept(key: Key) -> bool:
        return key.period == YEAR and key.category == "all" and key.measure == "incidents" and "E05" in key.area

    old, new = of(old, kept), of(new, kept)
    more = pieces(*outputs, (old, new), truth)
    for alone in (old, new):
        assert attack(alone, Published({}), truth).narrow == []
    assert len(attack(joined(old, new), Published({}), truth, more=more).narrow) > 10
