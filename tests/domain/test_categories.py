"""Ids of categories, and the relations between published categories."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipeline.config.section import CategoryId
from pipeline.domain.categories import (
    Subset,
    Union,
    by_category,
    relation_report,
    slug,
    slugs,
)
from pipeline.errors import ConfigError, InputError
from tests.kit.gated import config_of


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Racist and Religious Crime", "racist_and_religious_crime"),
        ("AntiSemitic", "antisemitic"),
        ("  Islamophobic: crime ", "islamophobic_crime"),
        ("Misogynie / Fémicide", "misogynie_femicide"),
        ("Women's safety", "womens_safety"),
        ("5G mast arson", "c_5g_mast_arson"),
    ],
)
def test_slugs(label: str, expected: str) -> None:
    assert slug(label) == expected


@pytest.mark.slow
@given(st.text(max_size=20))
def test_a_slug_is_an_id_or_an_error(label: str) -> None:
    try:
        made = slug(label)
    except InputError:
        assert not any(c.isascii() and c.isalnum() for c in label)
    else:
        assert TypeAdapter(CategoryId).validate_python(made) == made


def test_slugs_that_collide_are_refused() -> None:
    assert slugs(["Racist Crime", "Faith Crime"]) == {"Racist Crime": "racist_crime", "Faith Crime": "faith_crime"}
    with pytest.raises(InputError, match=r"(?s)'Anti-Gay' and 'anti gay' both become 'anti_gay'.*'All' is 'all'"):
        slugs(["Anti-Gay", "anti gay", "All"])


@pytest.mark.parametrize("category", ["lower", "race_upper"])
def test_a_category_named_like_the_end_of_a_range_is_refused(category: str) -> None:
    """Its column `incidents_race_upper` would be that of race: exit 2, by the configuration alone."""
    tree = [{"id": "race"}, {"id": category}]
    with pytest.raises(ConfigError, match=f'category id "{category}" is reserved'):
        config_of(categories={"tree": tree})
    assert config_of(categories={"tree": [{"id": "upper_street"}]}).categories.tree[0].id == "upper_street"
    with pytest.raises(InputError, match=f"'{category}' is '{category}'"):
        slugs(["Race", category])


def test_an_overlapping_incident_is_one_incident() -> None:
    """Three offences in four categories: a sum over siblings would say more than were recorded."""
    closed = ["racist;racist_and_religious;homophobic", "antisemitic;faith;racist;racist_and_religious", ""]
    counts = by_category(pd.DataFrame({"categories": closed}))["category"].value_counts()
    assert counts["all"] == 3
    assert counts["racist_and_religious"] == 2
    assert counts.drop(["all", "racist_and_religious", "faith"]).sum() == 4


def test_incidents_are_repeated_for_every_category_and_once_for_all() -> None:
    incidents = pd.DataFrame({"id": [1, 2, 3], "categories": ["faith;racist_and_religious", None, "all;racist"]})
    rows = by_category(incidents)
    assert list(zip(rows["id"], rows["category"], strict=True)) == [
        (1, "all"),
        (1, "faith"),
        (1, "racist_and_religious"),
        (2, "all"),
        (3, "all"),
        (3, "racist"),
    ]
    assert (rows["category"] == "all").sum() == len(incidents)
    assert by_category(incidents.iloc[:0]).empty


def long(rows: list[tuple[str, int, str, int]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["area_code", "month", "category", "value"]).assign(measure="offences")


def test_relations_are_tested_with_absent_rows_as_zero() -> None:
    counts = long(
        [
            ("A", 202501, "all", 5), ("A", 202501, "racist", 3), ("A", 202501, "faith", 3),
            ("A", 202502, "all", 2), ("A", 202502, "racist", 4),
            ("B", 202501, "faith", 1),
        ]
    )  # fmt: skip
    relations = (Subset("racist", "all"), Subset("faith", "all"), Union("all", ("racist", "faith")))
    report = relation_report(counts, relations).set_index("position")
    assert report["violations"].tolist() == [1, 1, 2]
    assert report["largest_excess"].tolist() == [2, 1, 2]
    assert report["cells"].tolist() == [2, 3, 3]


def test_a_union_may_overlap_but_not_exceed_its_parts() -> None:
    holds = Union("all", ("racist", "faith"))
    overlap = long([("A", 202501, "all", 4), ("A", 202501, "racist", 3), ("A", 202501, "faith", 3)])
    beyond = long([("A", 202501, "all", 7), ("A", 202501, "racist", 3), ("A", 202501, "faith", 3)])
    assert relation_report(overlap, (holds,))["violations"].tolist() == [0]
    assert relation_report(beyond, (holds,))["largest_excess"].tolist() == [1]


def test_relations_need_their_columns() -> None:
    with pytest.raises(InputError, match="measure, value"):
        relation_report(pd.DataFrame(columns=["area_code", "month", "category"]), ())


def test_no_counts_violate_nothing() -> None:
    assert relation_report(long([]), (Subset("racist", "all"),)).empty


@pytest.mark.real
def test_the_met_violates_one_of_its_own_relations(real_data: Path) -> None:
    """687 ward-months, as the design says from its own count of the file."""
    raw = pd.read_csv(next((real_data / "mps_hate").glob("*monthly*.csv.gz")), low_memory=False)
    counts = pd.DataFrame(
        {
            "area_code": raw["area_code"].astype("str"),
            "level": raw["area_type"],
            "month": raw["month_year"],
            "category": raw["crime_subtype"],
            "measure": raw["measure"],
            "value": raw["count"],
        }
    )
    counts = counts[counts["area_code"].str.startswith("E05")]
    relations = (
        Subset("Racist and Religious Crime", "Hate crime"),
        Subset("Racist Crime", "Racist and Religious Crime"),
    )
    report = relation_report(counts, relations).set_index(["level", "measure", "position"])["violations"]
    assert report["Safer Neighbourhood Teams", "Offences", 0] == 687
    assert report["Safer Neighbourhood Teams", "Offences", 1] == 0
