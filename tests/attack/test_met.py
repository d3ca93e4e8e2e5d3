"""The Met's published counts by the template, for partners and the public, against the attacker.

The relations of the layout and of the template's parents are granted where under 5 % of their rows are broken, and so
are rules that no layout suggests: nearly every positive outcome is of two categories out of four.
"""

from pathlib import Path

import pytest
import yaml

from pipeline.config.templates import template_text
from pipeline.stages.runner import run
from tests.attack.attacker import attack
from tests.attack.folder import joined, read_folder
from tests.attack.relations import Published
from tests.attack.test_sample import tree_of
from tests.attack.truth import truth_of


@pytest.mark.real
@pytest.mark.long
def test_nothing_is_exact_or_narrow(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTSPOTS_STATE_DIR", str(tmp_path / "state"))
    settings = yaml.safe_load(template_text("mps-dashboard"))
    counts = real_data / "mps_hate" / "mps_hate_crime_monthly_2021-08_2025-07.csv.gz"
    people = real_data / "population" / "london_WD25_population_census2021_bestfit.csv"
    wards = real_data / "boundaries" / "london_wards_WD25_bestfit_from_LSOA21.gpkg"
    settings["areas"]["wards"]["path"] = str(wards)
    settings["areas"]["population"][0]["path"] = str(people)
    settings["published_counts"][0]["paths"] = [str(counts)]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    output = run(tmp_path / "config.yaml", progress=lambda *_: None).folder
    partner, public = (read_folder(output / name) for name in ("partner", "public"))
    truth = truth_of(output, partner)
    published = Published(tree_of(settings))
    for folder in (partner, public, joined(partner, public)):
        found = attack(folder, published, truth)
        assert len(found.values_left) > 10_000
        assert found.exact == []
        assert found.narrow == [], str(found)


def test_parents_of_the_template_are_read() -> None:
    """The dashboard's total is the whole; faith is part of racist and religious, and islamophobic of faith."""
    tree = tree_of(yaml.safe_load(template_text("mps-dashboard")))
    assert tree["racist_and_religious"] == ""
    assert tree["islamophobic"] == "faith"
    assert "hate_crime" not in tree
    assert Published(tree).children["faith"] == ["antisemitic", "islamophobic"]
