"""The account of a run: identities, hit rates, limits; and published counts, accounted for to the last one."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline import ingest as readers
from pipeline.aggregate import reduce
from pipeline.aggregate.reduce import PLACE_KEY, merge_counts
from pipeline.config import Areas, Config, parse_config
from pipeline.errors import InputError, QualityError, SchemaError
from pipeline.ingest import quality
from pipeline.ingest.counts import CountsPart
from pipeline.ingest.quality import BORDER_M, looks_snapped, near_border_pct, police_layout, snapped_caution
from pipeline.tables import PUBLISHED_COUNTS, QUARANTINE
from tests.kit.counted import locations
from tests.kit.readers import read, settle, settled_account, write


@dataclass(frozen=True)
class Part:
    """An account of one file, made up."""

    source: str = "police/a.csv"
    rows_read: int = 0
    incidents: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)
    lost_places: dict[int, int] = field(default_factory=dict)
    unknown_categories: dict[str, int] = field(default_factory=dict)
    unknown_boroughs: dict[str, int] = field(default_factory=dict)
    unknown_areas: dict[str, int] = field(default_factory=dict)
    unreadable: dict[str, int] = field(default_factory=dict)
    ward_checks: dict[str, int] = field(default_factory=dict)
    intervals: dict[str, int] = field(default_factory=dict)
    left_out: int = 0
    without_id: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)
    postcodes: dict[str, int] = field(default_factory=dict)
    postcode_examples: dict[str, dict[str, int]] = field(default_factory=dict)


def places(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Rows of borough, month, place, online, incidents."""
    return pd.DataFrame(
        [
            ("police/a.csv", b, m, p, "point" if p in {"point", "outside"} else "", o, "day", n, 0)
            for b, m, p, o, n in rows
        ],
        columns=[*PLACE_KEY, "incidents", "snapped"],
    )


LOCATIONS = pd.DataFrame(
    {"easting_m": [1.0, 1.0, 2.0, 3.0], "northing_m": [1.0, 1.0, 2.0, 3.0], "incidents": [3, 2, 1, 4]}
)
LIMITS = {"max_quarantined_pct": 20.0, "geocode_target_pct": 85.0}


def assemble(part: Part, where: pd.DataFrame, **more: Any) -> dict[str, Any]:
    settled = {"account": {}, "replaced_files": [], **more.pop("settled", {})}
    given: dict[str, Any] = {"settled": settled, "locations": LOCATIONS, **LIMITS, **more}
    return quality.incidents_quality([part], places=where, **given)


def test_every_row_is_somewhere() -> None:
    where = places(
        ("B0", 202501, "point", False, 70), ("", 202501, "outside", False, 5), ("B1", 202501, "borough", True, 4),
        ("B1", 202501, "borough", False, 6), ("", 202501, "none", False, 3),
    )  # fmt: skip
    part = Part(rows_read=103, incidents=93, quarantined={"far": 7, "date_missing": 3}, lost_places={202501: 7})
    lost = {"duplicates": 2, "merged": 1, "replaced": 1, "date_outlier": 1}
    found = assemble(part, where, settled={"account": {"police/a.csv": lost}, "repeated_ids": {"merged": 1}})
    assert found["accounting"] == {
        "rows_read": 103, "incidents": 88, "quarantined": 11, "duplicates": 2, "merged": 1, "replaced": 1,
        "left_out_by_where": 0, "incidents_inside_areas": 70, "incidents_outside_areas": 5, "incidents_not_covered": 0,
        "incidents_without_a_place": 13,
    }  # fmt: skip
    assert found["quarantined_pct"] == pytest.approx(100 * 11 / 103, abs=0.001)
    assert found["quarantined_by_rule"] == {"date_missing": 3, "date_outlier": 1, "far": 7}
    assert found["repeated_ids"] == {"merged": 1}
    assert found["files"] == [
        {"file": "police/a.csv", "rows_read": 103, "incidents": 88, "quarantined": 11, "duplicates": 2, "merged": 1,
         "replaced": 1, "left_out_by_where": 0}
    ]  # fmt: skip
    assert found["without_a_place"] == {"borough_named": 10, "no_borough": 3, "online": 4}
    # 75 of 84 rows that should have a place, and 7 more whose place was refused: 75 / 91.
    assert found["geocode"]["rows"] == 91
    assert found["geocode"]["placed_pct"] == pytest.approx(82.418)
    assert found["geocode"]["under_target"] is True
    assert found["geocode"]["by_area"] == [
        {"area_code": "", "rows": 15, "placed_pct": 33.333, "under_target": True},
        {"area_code": "B0", "rows": 70, "placed_pct": 100.0, "under_target": False},
        {"area_code": "B1", "rows": 6, "placed_pct": 0.0, "under_target": True},
    ]
    # Places of 5, 1 and 4: nine of ten share theirs.
    assert found["repeated_coordinates"] == {
        "incidents": 10, "distinct_places": 3, "repeated_pct": 90.0, "largest_place_pct": 50.0
    }  # fmt: skip
    assert json.loads(json.dumps(found)) == found


def test_rows_left_out_by_where_count_towards_no_refusal() -> None:
    where = places(("B0", 202501, "point", False, 8))
    part = Part(rows_read=100, incidents=8, left_out=90, quarantined={"far": 2})
    found = assemble(part, where)
    kept = {k: found["accounting"][k] for k in ("rows_read", "incidents", "quarantined", "left_out_by_where")}
    assert kept == {"rows_read": 100, "incidents": 8, "quarantined": 2, "left_out_by_where": 90}
    # Two of the ten that are meant, not two of a hundred: over the limit of a tenth.
    assert found["quarantined_pct"] == pytest.approx(20)
    with pytest.raises(QualityError, match="2 of 10 rows"):
        assemble(part, where, max_quarantined_pct=10)


@pytest.mark.parametrize(
    ("part", "lost"),
    [
        (Part(rows_read=10, incidents=10, left_out=1), {}),
        (Part(rows_read=11, incidents=10), {}),  # a row nobody knows of
        (Part(rows_read=10, incidents=10), {"duplicates": 1}),  # a duplicate that is still there
        (Part(rows_read=10, incidents=10), {"merged": 1}),
        (Part(rows_read=10, incidents=10), {"replaced": 1}),
        (Part(rows_read=10, incidents=10), {"date_outlier": 1}),
        (Part(rows_read=12, incidents=11, quarantined={"far": 1}), {}),  # an incident that went missing
    ],
)
def test_an_account_that_does_not_add_up_is_a_fault_of_ours(part: Part, lost: dict[str, int]) -> None:
    where = places(("B0", 202501, "point", False, 10))
    with pytest.raises(SchemaError, match=r"does not add up.*police/a\.csv"):
        assemble(part, where, settled={"account": {"police/a.csv": lost} if lost else {}})


def test_of_a_replaced_file_no_row_counts_and_none_is_refused() -> None:
    whole = Part(source="police/old.csv", rows_read=10, incidents=6, quarantined={"far": 4}, lost_places={202501: 4})
    part = Part(rows_read=10, incidents=10)
    settled = {
        "account": {"police/old.csv": {"replaced": 10}},
        "replaced_files": [{"file": "police/old.csv", "by": "police/a.csv", "same_bytes": False}],
    }
    where = places(("B0", 202501, "point", False, 10))
    found = quality.incidents_quality([part, whole], settled=settled, places=where, locations=LOCATIONS, **LIMITS)
    kept = {k: found["accounting"][k] for k in ("rows_read", "incidents", "quarantined", "replaced")}
    assert kept == {"rows_read": 20, "incidents": 10, "quarantined": 0, "replaced": 10}
    assert found["geocode"]["rows"] == 10


@pytest.mark.parametrize(("refused", "fails"), [(20, False), (21, True)])
def test_the_limit_is_the_limit(refused: int, fails: bool) -> None:  # noqa: FBT001 a row of the table
    part = Part(rows_read=100, incidents=100 - refused, quarantined={"far": refused})
    where = places(("B0", 202501, "point", False, 100 - refused))
    if not fails:
        assert assemble(part, where)["quarantined_pct"] == 20
        return
    with pytest.raises(
        QualityError, match=r"21 of 100 rows \(21\.0 per cent\).*max_quarantined_pct.*20.*far 21"
    ) as caught:
        assemble(part, where)
    assert caught.value.exit_code == 5


def test_all_refused_is_too_many_whatever_the_limit_and_nothing_is_no_data() -> None:
    part = Part(rows_read=5, quarantined={"zero": 5})
    with pytest.raises(QualityError, match="5 of 5"):
        assemble(part, places(), max_quarantined_pct=100.0)
    with pytest.raises(InputError, match="no row of data"):
        assemble(Part(), places())


def test_online_rows_count_on_neither_side_of_the_hit_rate() -> None:
    where = places(
        ("B0", 202501, "point", False, 9), ("B0", 202502, "none", False, 1), ("B0", 202501, "borough", True, 90)
    )
    rates = quality.hit_rates(where, lost={}, target_pct=85.0)
    assert (rates["rows"], rates["placed_pct"], rates["under_target"]) == (10, 90.0, False)
    assert [(r["month"], r["placed_pct"]) for r in rates["by_month"]] == [(202501, 100.0), (202502, 0.0)]
    assert quality.hit_rates(places(), lost={}, target_pct=85.0)["placed_pct"] is None


@pytest.mark.slow
def test_the_report_of_a_file_that_was_really_read(tmp_path: Path) -> None:
    text = (
        "id,date,easting,northing\na,2025-01-02,530500,180500\na,2025-01-02,530500,180500\nb,2025-01-02,0,0\n"
        "c,2025-01-02,,\nd,2025-01-02,533000,180500\n"
    )
    found = read(write(tmp_path, text))
    settled = settle([found], tmp_path / "settled")
    report = quality.incidents_quality(
        [found.report],
        settled=settled_account([found], settled),
        places=reduce.reduce_places([reduce.count_places(tmp_path / "settled" / found.part.name)]),
        locations=locations([tmp_path / "settled" / found.part.name]),
        max_quarantined_pct=20,
        geocode_target_pct=85,
    )
    assert report["accounting"] == {
        "rows_read": 5, "incidents": 3, "quarantined": 1, "duplicates": 1, "merged": 0, "replaced": 0,
        "left_out_by_where": 0,
        "incidents_inside_areas": 1,
        "incidents_outside_areas": 1, "incidents_not_covered": 0, "incidents_without_a_place": 1,
    }  # fmt: skip
    assert report["geocode"]["placed_pct"] == 50.0  # two of four: one without a place, one at (0, 0)


# Merging --------------------------------------------------------------------------------------------------------------


@hypothesis_settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from([None, "a", "b"]), st.integers(0, 9)), max_size=6), min_size=1, max_size=4
    )
)
@pytest.mark.slow
def test_merging_keeps_every_count_and_no_order(files: list[list[tuple[str | None, int]]]) -> None:
    frames = [pd.DataFrame({"k": pd.Series([k for k, _ in f], dtype="str"), "n": [n for _, n in f]}) for f in files]
    merged = merge_counts(frames, key=["k"])
    assert int(merged["n"].sum()) == sum(n for f in files for _, n in f)
    assert not merged.duplicated("k").any()
    pd.testing.assert_frame_equal(merged, merge_counts(frames[::-1], key=["k"]))


def test_an_unknown_measure_stays_unknown() -> None:
    frames = [
        pd.DataFrame({"k": ["a", "b"], "n": [1, 1], "m": pd.array([None, None], dtype="Int64")}),
        pd.DataFrame({"k": ["a"], "n": [1], "m": pd.array([4], dtype="Int64")}),
    ]
    merged = merge_counts(frames, key=["k"])
    assert merged.loc[0, "m"] == 4
    assert pd.isna(merged.loc[1, "m"])
    with pytest.raises(InputError, match="nothing to merge"):
        merge_counts([], key=["k"])
    with pytest.raises(InputError, match="same columns"):
        merge_counts([frames[0], frames[1][["k", "n"]]], key=["k"])


# Published counts -----------------------------------------------------------------------------------------------------

AREAS = pd.DataFrame({"area_code": ["E12", "E09", "E05", "E06"], "level": ["region", "borough", "ward", "ward"]})
HEAD = "area,name,tier,month,strand,what,n\n"
SOURCE: dict[str, Any] = {
    "name": "met",
    "paths": ["x.csv"],
    "columns": {"area_code": "area", "area_name": "name", "level": "tier", "period": "month", "category": "strand",
                "measure": "what", "value": "n"},
    "levels": {"Ward": "ward", "Borough": "borough"},
    "measures": {"Offences": "incidents", "Outcomes": "positive_outcomes"},
    "period_format": "%Y-%m",
}  # fmt: skip
TREE = [{"id": "hate", "match": ["Hate crime"]}, {"id": "race", "match": ["Racist"]}, {"id": "faith"}]


def counts_config(source: dict[str, Any] | None = None, **categories: Any) -> Config:
    return parse_config(
        {
            "areas": {"wards": {"path": "w.gpkg"}},
            "published_counts": [{**SOURCE, **(source or {})}],
            "categories": {"tree": TREE, "all_from": "hate", **categories},
        }
    )


def counts(tmp_path: Path, text: str, config: Config | None = None, **more: Any) -> CountsPart:
    config = config or counts_config()
    found = readers.read_counts(
        write(tmp_path, HEAD + text, "x.csv"),
        source=config.published_counts[0],
        config=config,
        areas_table=AREAS,
        **more,
    )
    PUBLISHED_COUNTS.check(found.table)
    QUARANTINE.check(found.quarantine)
    account = found.report.accounting
    parts = account[["mapped", "unmapped", "quarantined", "ignored"]].sum(axis=1)
    assert (account["published"] == parts).all()
    return found


TEXT = (
    "E05,Elm,Ward,2025-01,Hate crime,Offences,5\n"
    "E05,Elm,ward,2025-01,RACIST,Offences,3\n"
    "E05,Elm,Ward,2025-01,Hate crime,Outcomes,1\n"
    "E05,Elm again,Ward,2025-01,Hate crime,Offences,2\n"
    'E09,Ash,Borough,2025-01,Hate crime,Offences,"1,009"\n'
    "E99,Old,Ward,2025-02,Hate crime,Offences,7\n"
    "N/K,,Ward,2025-02,Hate crime,Offences,8\n"
    ",Nowhere,Borough,2025-02,Hate crime,Offences,9\n"
    "E09,Ash,Ward,2025-02,Hate crime,Offences,10\n"
)


@pytest.mark.slow
def test_counts_are_mapped_or_listed_with_a_reason(tmp_path: Path) -> None:
    found = counts(tmp_path, TEXT)
    mapped = found.table[found.table["mapped"]]
    assert mapped[["area_code", "level", "month", "category", "measure", "value"]].to_numpy().tolist() == [
        ["E05", "ward", 202501, "all", "incidents", 7], ["E05", "ward", 202501, "all", "positive_outcomes", 1],
        ["E05", "ward", 202501, "race", "incidents", 3], ["E09", "borough", 202501, "all", "incidents", 1009],
    ]  # fmt: skip
    unmapped = found.report.unmapped
    assert unmapped[["level", "area_code", "area_name", "reason", "value"]].to_numpy().tolist() == [
        ["borough", "", "Nowhere", "no code", 9],
        ["ward", "E09", "Ash", "the code of a borough in a row of level ward", 10],
        ["ward", "E99", "Old", "not in these boundaries", 7],
        ["ward", "N/K", "", "not an area code", 8],
    ]
    report = found.report
    assert (report.rows_read, report.repeated_keys, report.first_month, report.last_month) == (9, 2, 202501, 202502)
    ward = report.accounting.set_index(["level", "measure", "category"]).loc[("ward", "incidents", "all")]
    assert ward.tolist() == [32, 7, 25, 0, 0]
    assert len(found.quarantine) == 0


@pytest.mark.slow
def test_codes_of_another_edition_are_taken_over_where_a_table_says_so(tmp_path: Path) -> None:
    (tmp_path / "lookup.csv").write_text("from_code,to_code\nE99,E06\nE98,E06\n")
    areas = Areas.model_validate({"wards": {"path": "w.gpkg"}, "lookup": "lookup.csv"})
    lookup = readers.read_lookup(areas, base=tmp_path)
    found = counts(tmp_path, TEXT, lookup=lookup)
    taken = found.table[(found.table["area_code"] == "E06") & found.table["mapped"]]
    assert taken["value"].tolist() == [7]
    assert found.report.looked_up == 1
    (tmp_path / "lookup.csv").write_text("from_code,to_code\nE99,E06\nE99,E05\n")
    with pytest.raises(InputError, match=r"E99.*split"):
        readers.read_lookup(areas, base=tmp_path)
    assert readers.read_lookup(Areas.model_validate({"wards": {"path": "w.gpkg"}}), base=tmp_path) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "rule", "value"),
    [
        ("E05,Elm,County,2025-01,Hate crime,Offences,4", "level", 4),
        ("E05,Elm,Ward,2025-01,Hate crime,Arrests,4", "measure", 4),
        ("E05,Elm,Ward,January,Hate crime,Offences,4", "period", 4),
        ("E05,Elm,Ward,2025-01,Hate crime,Offences,four", "value", 0),
        ("E05,Elm,Ward,2025-01,Hate crime,Offences,-4", "value", 0),
        ("E05,Elm,Ward,2025-01,Hate crime,Offences,4.5", "value", 0),
        ("E05,Elm,Ward,2025-01,Martian,Offences,4", "category", 4),
        ("E05,Elm,Ward", "malformed", 0),
    ],
)
def test_a_bad_row_of_counts_is_refused_by_name(tmp_path: Path, line: str, rule: str, value: int) -> None:
    found = counts(tmp_path, TEXT + line + "\n", counts_config(unknown="quarantine"))
    assert found.report.quarantined == {rule: 1}
    assert found.quarantine[["source", "source_row", "rule"]].to_numpy().tolist() == [["met/x.csv", 10, rule]]
    assert found.report.accounting["quarantined"].sum() == value
    assert found.table["value"].sum() == counts(tmp_path, TEXT).table["value"].sum()


@pytest.mark.slow
def test_an_unknown_category_of_counts_is_as_configured(tmp_path: Path) -> None:
    line = "E05,Elm,Ward,2025-01,Martian,Offences,4\n"
    ignored = counts(tmp_path, TEXT + line)
    assert ignored.report.ignored_categories == {"Martian": 1}
    assert ignored.report.accounting["ignored"].sum() == 4
    assert len(ignored.quarantine) == 0
    with pytest.raises(InputError, match=r"'Martian' \(1 rows\)"):
        counts(tmp_path, TEXT + line, counts_config(unknown="error"))
    made = counts(tmp_path, line, counts_config(tree=[], all_from=None))
    assert made.table["category"].tolist() == ["martian"]
    assert made.report.labels == {"martian": "Martian"}


@pytest.mark.slow
def test_counts_without_a_total_are_refused_and_never_pass_for_zero(tmp_path: Path) -> None:
    table, of_hate = counts(tmp_path, TEXT).table, counts_config().categories
    readers.require_total(table, categories=of_hate)
    parts = table[table["category"] != "all"]
    with pytest.raises(InputError, match=r"of race.*no row is a count of all incidents.*Set categories\.all_from"):
        readers.require_total(parts, categories=counts_config(all_from=None).categories)
    with pytest.raises(InputError, match=r"categories\.all_from is 'hate', which has none"):
        readers.require_total(parts, categories=of_hate)
    readers.require_total(table[:0], categories=of_hate)  # no counts at all: other checks say so


def test_columns_of_counts_that_are_missing_are_named_together(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'nn'.*columns\.value.*did you mean"):
        counts(tmp_path, TEXT, counts_config({"columns": SOURCE["columns"] | {"value": "nn"}}))


@pytest.mark.slow
def test_relations_are_tested_against_the_whole_and_broken_ones_counted(tmp_path: Path) -> None:
    config = counts_config({"relations": [{"subset": ["race", "hate"]}, {"subset": ["faith", "race"]}]})
    text = TEXT + "E06,Oak,Ward,2025-01,Hate crime,Offences,1\nE06,Oak,Ward,2025-01,Racist,Offences,4\n"
    table = readers.merge_published([counts(tmp_path, text, config)])
    report = readers.check_relations(table, sources=config.published_counts, categories=config.categories)
    broken = report[report["violations"] > 0]
    assert broken[["relation", "level", "measure", "violations", "largest_excess"]].to_numpy().tolist() == [
        ["race within all", "ward", "incidents", 1, 3]
    ]


def assemble_counts(part: CountsPart, **more: Any) -> dict[str, Any]:
    limits: dict[str, Any] = {"max_quarantined_pct": 20, "min_matched_pct": 50, "allow_low_match": False, **more}
    return quality.counts_quality([part.report], relations=pd.DataFrame(), **limits)


@pytest.mark.slow
def test_the_account_of_counts(tmp_path: Path) -> None:
    found = assemble_counts(counts(tmp_path, TEXT))
    assert found["accounting"] == {"rows_read": 9, "rows_quarantined": 0}
    # Of the codes shaped like ours (E05, E09, E99 and E09 in a ward's row) two are where they belong.
    assert found["matched_pct"] == 50.0
    assert json.loads(json.dumps(found)) == found


def test_too_few_matching_codes_stop_the_run_unless_allowed(tmp_path: Path) -> None:
    part = counts(tmp_path, "E99,Old,Ward,2025-02,Racist,Offences,7\n")
    with pytest.raises(InputError, match=r"met/x\.csv: only 0\.0 per cent.*E99.*areas\.lookup.*allow_low_match"):
        assemble_counts(part)
    assert assemble_counts(part, allow_low_match=True)["matched_pct"] == 0.0


@pytest.mark.real
def test_the_mets_dashboard_adds_up(real_data: Path) -> None:
    config = parse_config(
        {
            "areas": {"wards": {"path": "w.gpkg"}},
            "published_counts": [
                {
                    "name": "met",
                    "paths": ["x.csv"],
                    "columns": {"area_code": "area_code", "area_name": "area_name", "level": "area_type",
                                "period": "month_year", "category": "crime_subtype", "measure": "measure",
                                "value": "count"},
                    "levels": {"Safer Neighbourhood Teams": "ward", "Borough": "borough"},
                    "measures": {"Offences": "incidents", "Positive Outcomes": "positive_outcomes"},
                    "absent": "zero",
                    "relations": [{"subset": ["racist_and_religious_crime", "hate_crime"]},
                                  {"subset": ["racist_crime", "racist_and_religious_crime"]}],
                }
            ],
            "categories": {"all_from": "hate_crime"},
        }
    )  # fmt: skip
    areas = readers.read_areas(
        Areas.model_validate(
            {"wards": {"path": "london_wards_WD25_bestfit_from_LSOA21.gpkg", "code": "WD25CD", "name": "WD25NM",
                       "parent_code": "LAD25CD", "parent_name": "LAD25NM"}}
        ),
        base=real_data / "boundaries",
        working="EPSG:27700",
    )  # fmt: skip
    found = readers.read_counts(
        real_data / "mps_hate" / "mps_hate_crime_monthly_2021-08_2025-07.csv.gz",
        source=config.published_counts[0],
        config=config,
        areas_table=areas.table,
    )
    assert found.report.rows_read == 138_051
    ward = found.report.accounting.set_index(["level", "measure", "category"]).loc[("ward", "incidents", "all")]
    assert ward[["published", "mapped", "unmapped", "quarantined"]].tolist() == [95_668, 92_390, 3_278, 0]
    listed = found.report.unmapped.query("level == 'ward' and measure == 'incidents'")
    assert int(listed["value"].sum()) == 3_278
    assert (listed["reason"].str.len() > 0).all()
    assert found.report.labels["antisemitic"] == "AntiSemitic"
    assert found.report.matched_pct is not None
    assert found.report.matched_pct > 99
    relations = readers.check_relations(found.table, sources=config.published_counts, categories=config.categories)
    at_wards = relations.query("level == 'ward' and measure == 'incidents'").set_index("relation")["violations"]
    assert at_wards.to_dict() == {"racist_and_religious_crime within all": 687,
                                  "racist_crime within racist_and_religious_crime": 0}  # fmt: skip
    last_year = found.table.query(
        "202408 <= month <= 202507 and category == 'all' and measure == 'incidents' and mapped"
    )
    totals = last_year[last_year["level"] == "borough"].groupby("area_code")["value"].sum()
    published = pd.read_csv(real_data / "mps_hate" / "borough_strand_totals_2024-08_2025-07.csv").set_index("area_code")
    both = published.index.intersection(totals.index)
    assert len(both) == 32
    assert (totals[both] == published.loc[both, "Hate crime"]).all()
    top = last_year[last_year["level"] == "ward"].groupby("area_code")["value"].sum().idxmax()
    assert areas.level("ward").set_index("area_code")["name"][top] == "St James's"


# Points that the publisher snapped: found by layout or by repetition, and how many lie near a border of wards.


POLICE = {
    "category": "Crime type (recognised)",
    "date": "Month (recognised)",
    "lat": "Latitude (recognised)",
    "location": "Location (recognised)",
    "lon": "Longitude (recognised)",
}
WARDS = np.array([shapely.box(0, 0, 1000, 1000), shapely.box(1000, 0, 2000, 1000)], dtype=object)


@pytest.mark.parametrize(
    ("files", "police"),
    [
        pytest.param([POLICE], True, id="one file"),
        pytest.param([POLICE, POLICE], True, id="several"),
        pytest.param([{**POLICE, "id": "Crime ID (recognised)"}], True, id="with more columns"),
        pytest.param([POLICE, {"date": "when"}], False, id="one of another kind"),
        pytest.param([{**POLICE, "date": "occurred (configured)"}], False, id="another date"),
        pytest.param([], False, id="no file"),
    ],
)
def test_the_layout_of_police_uk(files: list[dict[str, str]], *, police: bool) -> None:
    assert police_layout(files) is police


@pytest.mark.parametrize(
    ("incidents", "repeated", "snapped"),
    [
        pytest.param(400, 100.0, True, id="all share a place"),
        pytest.param(35_285, 31.6, False, id="addresses of a year"),
        pytest.param(29, 100.0, False, id="few incidents"),
        pytest.param(0, None, False, id="none"),
    ],
)
def test_many_shared_places_look_snapped(incidents: int, repeated: float | None, *, snapped: bool) -> None:
    assert looks_snapped({"incidents": incidents, "repeated_pct": repeated}) is snapped


@given(st.lists(st.tuples(st.floats(-50, 2050), st.floats(-50, 1050), st.integers(1, 9)), min_size=1, max_size=40))
@pytest.mark.slow
def test_the_share_near_a_border_is_that_of_measuring_every_point(points: list[tuple[float, float, int]]) -> None:
    places = np.array([p[:2] for p in points])
    weights = np.array([p[2] for p in points])
    borders = shapely.union_all(shapely.boundary(WARDS))
    near = shapely.distance(borders, shapely.points(places)) <= BORDER_M
    right = 100 * weights[near].sum() / weights.sum()
    assert near_border_pct(places, weights, wards=WARDS) == pytest.approx(right, abs=0.051)


def test_no_incident_has_no_share() -> None:
    assert near_border_pct(np.empty((0, 2)), np.empty(0, dtype=np.int64), wards=WARDS) is None


def test_the_caution_says_what_it_means() -> None:
    shared = {"repeated_pct": 98.6, "incidents": 376_172, "distinct_places": 41_271}
    police = snapped_caution(shared, police=True, near_pct=9.8)
    assert "anonymised map points" in police
    assert "9.8 % of incidents are within 30 m of the boundary of a ward" in police
    other = snapped_caution(shared, police=False, near_pct=None)
    assert "look as if" in other
    assert "boundary" not in other
