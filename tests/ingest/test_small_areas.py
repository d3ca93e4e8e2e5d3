"""Tables of smaller areas: which ward or borough each code lies in."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.config import AreaTable
from pipeline.errors import InputError
from pipeline.ingest.small_areas import read_small_areas

PARENTS = {"E05000001": "E09000001", "E05000002": "E09000001", "E05000003": "E09000002"}

# As the Office for National Statistics writes a lookup of LSOAs to wards.
ONS = (
    "LSOA21CD,LSOA21NM,WD24CD,WD24NM,LAD24CD,LAD24NM,ObjectId\n"
    "E01000001,Northby 001A,E05000001,Alder,E09000001,Northby,1\n"
    "E01000002,Northby 001B,E05000002,Birch,E09000001,Northby,2\n"
    "E01000003,Southby 001A,E05000003,Cedar,E09000002,Southby,3\n"
    "E01000009,Leeds 001A,E05009999,Elm,E08000035,Leeds,4\n"
)


def table(folder: Path, text: str, **settings: Any) -> tuple[dict[str, str], dict[str, Any]]:
    (folder / "table.csv").write_text(text, encoding="utf-8")
    given = AreaTable.model_validate({"path": "table.csv", **settings})
    found, [account] = read_small_areas([given], base=folder, parents=PARENTS)
    return found, account


def test_a_lookup_of_the_ons_needs_the_name_of_its_codes_alone(tmp_path: Path) -> None:
    found, account = table(tmp_path, ONS, code="LSOA21CD")
    assert found == {"E01000001": "E05000001", "E01000002": "E05000002", "E01000003": "E05000003"}
    assert account["area_column"] == "WD24CD"
    assert (account["rows"], account["codes_in_one_ward"], account["codes_outside"]) == (4, 3, 1)


def test_a_code_in_several_wards_counts_in_their_borough_alone(tmp_path: Path) -> None:
    text = "MSOA,WD\nM1,E05000001\nM1,E05000002\nM2,E05000002\nM2,E05000003\nM3,E05000003\nM3,E05009999\n"
    found, account = table(tmp_path, text, code="MSOA")
    assert found == {"M1": "E09000001"}
    assert (account["codes_in_one_ward"], account["codes_in_one_borough"]) == (0, 1)
    # M3 lies in part outside the boundaries.
    assert account["several"] == ["M2", "M3"]


def test_beats_may_be_assigned_to_boroughs(tmp_path: Path) -> None:
    found, account = table(tmp_path, "Beat,Force area\nNB1,e09000001\nSB1,E09000002\n", code="beat", area="Force area")
    assert found == {"NB1": "E09000001", "SB1": "E09000002"}
    assert account["codes_in_one_borough"] == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"code": "LSOA11CD"}, "no column 'LSOA11CD'"),
        ({"code": "LSOA21CD", "area": "LSOA21NM"}, r"in column 'LSOA21NM': set geocode.areas\[0\].area"),
        ({"code": "WD24CD", "area": "ward"}, "no column 'ward'"),
    ],
)
def test_a_table_that_does_not_fit_says_why(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        table(tmp_path, ONS, **settings)
