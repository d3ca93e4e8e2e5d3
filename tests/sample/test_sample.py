"""The sample: areas that fit exactly, incidents that follow published proportions, faults in known numbers."""

import csv
import gzip
import io
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Transformer
from scipy.spatial import cKDTree

from pipeline.errors import InputError
from pipeline.sample import COLUMNS, Boroughs, incident_chunks, make_incidents, planted_faults, to_csv_text
from pipeline.sample.strands import draw_strands, strand_odds

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
STRANDS = {
    "race": "Racist Crime",
    "religion": "Faith Crime",
    "antisemitic": "AntiSemitic",
    "islamophobic": "Islamophobic Crime",
    "sexual_orientation": "Homophobic Crime",
    "transgender": "Transphobic Crime",
    "disability": "Disability Crime",
}
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@cache
def layer(name: str) -> tuple[list[dict], np.ndarray]:
    features = json.loads((SAMPLE / f"{name}.geojson").read_text("utf-8"))["features"]
    shapes = np.array([shapely.geometry.shape(feature["geometry"]) for feature in features])
    return [feature["properties"] for feature in features], shapes


@cache
def boroughs() -> Boroughs:
    rows, shapes = layer("boroughs")
    return Boroughs(tuple(r["area_code"] for r in rows), tuple(r["area_name"] for r in rows), shapes)


@cache
def totals() -> pd.DataFrame:
    return pd.read_csv(SAMPLE / "strand_totals.csv")


@cache
def committed() -> bytes:
    return gzip.decompress((SAMPLE / "incidents.csv.gz").read_bytes())


@cache
def incidents() -> pd.DataFrame:
    frame = pd.read_csv(io.BytesIO(committed()), dtype=str, keep_default_na=False)
    frame["east"], frame["north"] = (pd.to_numeric(frame[c], errors="coerce") for c in ("easting", "northing"))
    frame["day"] = pd.to_datetime(frame["occurred_on"], format="%Y-%m-%d", errors="coerce")
    frame["set"] = [frozenset(word.strip() for word in cell.split(";")) for cell in frame["strands"]]
    return frame


@cache
def sound() -> pd.DataFrame:
    """Rows once each, with a known borough, known strands and a day inside the three years."""
    frame = incidents().drop_duplicates("incident_id")
    good = frame["borough"].isin(boroughs().names) & frame["day"].between("2022-08-01", "2025-07-31")
    return frame[good & frame["set"].map(lambda words: words <= set(STRANDS))]


# Areas ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_wards_fit_their_boroughs_without_gap_or_overlap() -> None:
    rows, wards = layer("wards")
    parents = np.array([row["parent_code"] for row in rows])
    assert shapely.is_valid(wards).all()
    assert shapely.coverage_is_valid(wards)
    assert shapely.coverage_is_valid(boroughs().polygons)
    for code, outline in zip(boroughs().codes, boroughs().polygons, strict=True):
        members = wards[parents == code]
        assert shapely.equals(shapely.coverage_union_all(members), outline)
        assert shapely.area(members).sum() == pytest.approx(outline.area, rel=1e-12)
        pairs = shapely.STRtree(members).query(members, predicate="overlaps")
        assert pairs.size == 0


def test_wards_still_fit_in_metres() -> None:
    road = Transformer.from_crs(4326, 27700, always_xy=True).transform
    wards, outlines = (
        shapely.transform(shapes, lambda xy: np.column_stack(road(*xy.T)))
        for shapes in (layer("wards")[1], boroughs().polygons)
    )
    assert shapely.coverage_is_valid(wards)
    assert shapely.area(wards).sum() == pytest.approx(shapely.area(outlines).sum(), rel=1e-12)
    # Greater London cut at mean high water covers 1,573 km2 (Office for National Statistics).
    assert shapely.area(outlines).sum() / 1e6 == pytest.approx(1573, abs=2)


def test_areas_are_named_coded_and_openly_synthetic() -> None:
    rows, _ = layer("wards")
    names = dict(zip(boroughs().codes, boroughs().names, strict=True))
    assert list(names) == [f"E09{number:06d}" for number in range(1, 34)]
    assert names["E09000007"] == "Camden"
    assert {row["region_code"] for row in layer("boroughs")[0]} == {"E12000007"}
    assert len({row["area_code"] for row in rows}) == len(rows) == 638
    for row in rows:
        code, name = row["parent_code"], row["parent_name"]
        number = row["area_code"].removeprefix(f"SYN-{code}-")
        assert row["area_name"] == f"{name} {number} (synthetic)"
        assert name == names[code]
    per_borough = Counter(row["parent_code"] for row in rows)
    assert per_borough.pop("E09000001") == 8
    assert 15 <= min(per_borough.values()) <= max(per_borough.values()) <= 24


@pytest.mark.parametrize("name", ["boroughs", "wards"])
def test_geojson_follows_rfc_7946(name: str) -> None:
    text = (SAMPLE / f"{name}.geojson").read_text("utf-8")
    document = json.loads(text)
    shapes = layer(name)[1]
    assert "crs" not in document
    assert document["bbox"] == [round(v, 6) for v in shapely.total_bounds(shapes)]
    assert not re.search(r"\d\.\d{7}", text)
    for feature, shape in zip(document["features"], shapes, strict=True):
        assert feature["id"] == feature["properties"]["area_code"]
        assert all(part.exterior.is_ccw for part in shapely.get_parts(shape))


def test_ward_populations_sum_to_the_census() -> None:
    people = pd.read_csv(SAMPLE / "population.csv")
    assert people.groupby("level")["kind"].unique().map(list).to_dict() == {
        "borough": ["census 2021"],
        "ward": ["synthetic"],
    }
    parent = people["area_code"].str.extract(r"(E09\d{6})")[0]
    by_level = people.groupby([people["level"], parent])["population"].sum()
    pd.testing.assert_series_equal(by_level["ward"], by_level["borough"])
    assert set(people["area_code"]) == {row["area_code"] for name in ("wards", "boroughs") for row in layer(name)[0]}
    assert people["population"].min() > 0
    # 8,799,800 usual residents of London on Census Day 2021, rounded by its publisher to hundreds.
    assert by_level["borough"].sum() == pytest.approx(8_799_800, abs=100)


@pytest.mark.real
def test_real_figures_are_the_published_ones(real_data: Path) -> None:
    census = pd.read_csv(real_data / "population" / "census2021-ts007a-ltla.csv").set_index("geography code")[
        "Age: Total"
    ]
    people = pd.read_csv(SAMPLE / "population.csv").query("level == 'borough'").set_index("area_code")["population"]
    assert people.to_dict() == census[people.index].to_dict()
    published = pd.read_csv(real_data / "mps_hate" / "borough_strand_totals_2024-08_2025-07.csv")
    pd.testing.assert_frame_equal(totals(), published)


@pytest.mark.real
def test_outlines_lie_where_the_statistics_office_has_them(real_data: Path) -> None:
    import geopandas as gpd

    real = gpd.read_file(real_data / "boundaries" / "london-2021-lad22-gen20.shp").set_index("LAD22CD")
    ours = gpd.GeoSeries(boroughs().polygons, index=list(boroughs().codes), crs=4326).to_crs(27700)
    real = real.geometry[ours.index]
    overlap = ours.intersection(real).area / ours.union(real).area
    assert overlap.min() > 0.93
    assert overlap.median() > 0.97
    assert ours.centroid.distance(real.centroid).max() < 30


# Incidents --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_default_sample_is_the_committed_file() -> None:
    made = to_csv_text(make_incidents(boroughs=boroughs(), totals=totals())).encode()
    assert len(made.splitlines()) == 40_001
    assert made == committed(), "regenerate data/sample/incidents.csv.gz, and say in the commit why it changed"


def test_committed_archive_names_no_time_and_no_file() -> None:
    head = (SAMPLE / "incidents.csv.gz").read_bytes()[:10]
    assert head[3:8] == bytes(5)  # no flags (so no file name), and a modification time of zero


@pytest.mark.slow
def test_every_row_says_synthetic() -> None:
    frame = incidents()
    assert tuple(frame.columns[: len(COLUMNS)]) == COLUMNS
    assert set(frame["note"]) == {"synthetic"}
    assert frame["incident_id"].str.fullmatch(r"SYN-\d{9}").all()
    assert frame["victim_ref"].str.fullmatch(r"(SYN-V[0-9a-f]{8})?").all()


@pytest.mark.slow
def test_boroughs_get_their_published_share() -> None:
    rows = sound()
    seen = rows["borough"].value_counts()
    expected = totals().set_index("area_name")["Hate crime"]
    assert seen["City of London"] / len(rows) == pytest.approx(0.003, abs=0.001)
    seen = seen.drop("City of London")[expected.index]
    expected = expected / expected.sum() * seen.sum()
    # 31 degrees of freedom: 61.1 is passed once in a thousand samples.
    assert ((seen - expected) ** 2 / expected).sum() < 61.1


@pytest.mark.slow
def test_strands_get_their_published_share_in_each_borough() -> None:
    rows = sound()
    published = totals().set_index("area_name")
    seen = pd.DataFrame({word: rows["set"].map(lambda words, word=word: word in words) for word in STRANDS})
    seen["religion"] |= seen["antisemitic"] | seen["islamophobic"]
    seen = seen.groupby(rows["borough"]).sum().loc[published.index]
    size = rows["borough"].value_counts()[published.index]
    share = published[list(STRANDS.values())].div(published["Hate crime"], axis=0)
    expected = share.mul(size, axis=0).set_axis(list(STRANDS), axis=1)
    z = (seen - expected) / np.sqrt(expected * (1 - share.to_numpy()))
    # A following row copies its first one's strands, which widens the spread a little.
    assert np.sqrt((z**2).to_numpy().mean()) < 1.2
    assert z.abs().to_numpy().max() < 4.5
    assert seen.sum().to_numpy() == pytest.approx(expected.sum().to_numpy(), rel=0.06)


def test_some_rows_carry_several_strands() -> None:
    top = {"race", "religion", "sexual_orientation", "transgender", "disability"}
    count = sound()["set"].map(lambda words: len(words & top | ({"religion"} if words - top else set())))
    assert count.min() == 1
    assert 0.05 < (count > 1).mean() < 0.12
    lone = sound()["set"].map(lambda words: "religion" not in words and bool(words & {"antisemitic", "islamophobic"}))
    assert lone.any()


@pytest.mark.slow
def test_planted_faults_are_there_and_no_others() -> None:
    frame, planted = incidents(), planted_faults(40_000)
    names, words = set(boroughs().names), set(STRANDS)
    raw = list(COLUMNS)
    again = frame.duplicated("incident_id")
    once = frame[~again]
    offline = once["online"] == "no"
    inside = once["east"].between(500_000, 565_000) & once["north"].between(153_000, 203_000)
    swapped = once["north"].between(500_000, 565_000) & once["east"].between(153_000, 203_000)
    date_shaped = once["occurred_on"].str.fullmatch(DAY)
    padded = (once["borough"] != once["borough"].str.strip()) | once["strands"].str.contains(" ")
    recorded = pd.to_datetime(once["recorded_on"], format="%Y-%m-%d")
    seen = {
        "identical_duplicate": frame.duplicated(raw).sum(),
        "conflicting_duplicate": again.sum() - frame.duplicated(raw).sum(),
        "blank_coordinates": (offline & (once["easting"] == "") & (once["northing"] == "")).sum(),
        "zero_coordinates": ((once["easting"] == "0") & (once["northing"] == "0")).sum(),
        "swapped_coordinates": swapped.sum(),
        "far_coordinates": (once["north"] > 400_000).sum() - swapped.sum(),
        "impossible_date": (date_shaped & once["day"].isna()).sum(),
        "future_date": (once["day"] > "2025-08-08").sum(),
        "blank_date": (once["occurred_on"] == "").sum(),
        "recorded_before_occurred": ((recorded < once["day"]) & (once["day"] <= "2025-08-08")).sum(),
        "stray_whitespace": padded.sum(),
        "unknown_strand": (once["set"].map(lambda found: not found <= words)).sum(),
        "misspelled_borough": (~once["borough"].str.strip().isin(names | {""})).sum(),
    }
    assert seen == planted
    assert (inside | ~offline).sum() == len(once) - sum(planted[k] for k in planted if k.endswith("coordinates"))
    assert (once.loc[~offline, "easting"] == "").all()
    table = re.findall(r"^\| (\w+) \| (\d+) \|", (SAMPLE / "README.md").read_text("utf-8"), re.MULTILINE)
    assert {kind: int(count) for kind, count in table} == planted


@pytest.mark.slow
def test_sound_points_lie_in_the_borough_they_name() -> None:
    rows = sound().query("online == 'no' and east > 500_000 and north.between(150_000, 210_000)")
    road = Transformer.from_crs(4326, 27700, always_xy=True).transform
    shapes = shapely.transform(boroughs().polygons, lambda xy: np.column_stack(road(*xy.T)))
    outline = shapes[rows["borough"].map(list(boroughs().names).index).to_numpy()]
    away = shapely.distance(shapely.points(rows[["east", "north"]].to_numpy(dtype=float)), outline)
    # A near repeat may cross the border on its short walk; a transformer with a finer grid shifts by up to 3 m.
    assert (away > 3).mean() < 0.003
    assert away.max() < 250


def test_incidents_cluster_and_come_back_to_places() -> None:
    rows = sound().query("online == 'no' and east > 500_000 and north.between(150_000, 210_000)")
    points = rows[["east", "north"]].to_numpy(dtype=float)
    tree = cKDTree(points)
    near = np.mean([len(hits) - 1 for hits in tree.query_ball_point(points[::50], 250)])
    even = len(points) / 1573e6 * np.pi * 250**2
    assert near > 5 * even
    assert 0.15 < 1 - len(np.unique(points, axis=0)) / len(points) < 0.35


def test_seasons_trends_and_the_surge() -> None:
    rows = sound()
    month = rows["day"].dt.month
    assert month.isin([6, 7, 8]).sum() > 1.15 * month.isin([12, 1, 2]).sum()
    year = rows["day"].dt.year * 12 + month
    halves = pd.crosstab(rows["borough"], year >= 2024 * 12 + 2)
    ratio = (halves[True] / halves[False])[halves.sum(axis=1) > 500]
    assert ratio.min() < 0.9
    assert ratio.max() > 1.15
    surge = rows["day"].between("2024-04-12", "2024-06-01")
    faith = rows["set"].map(lambda words: bool(words & {"religion", "antisemitic", "islamophobic"}))
    assert faith[surge].mean() > 1.4 * faith[~surge].mean()


def test_third_parties_repeat_some_police_rows_within_a_week() -> None:
    rows = sound().query("online == 'no' and east > 500_000 and north.between(150_000, 210_000)")
    third = rows["organisation"] == "third-party reporting"
    assert 0.03 < third.mean() < 0.06
    assert (rows.loc[third, "kind"] == "incident").all()

    def place_and_time(part: pd.DataFrame) -> np.ndarray:
        # One axis per day, so that a ball of radius 1 is about 60 m and about a week.
        day = (part["day"] - pd.Timestamp("2022-08-01")).dt.days
        return np.column_stack([part["east"] / 60, part["north"] / 60, day / 7]).astype(float)

    police = cKDTree(place_and_time(rows[~third]))
    matched = police.query(place_and_time(rows[third]))[0] < 1
    assert 0.2 < matched.mean() < 0.45


def test_repeat_victims_come_back_to_the_same_place() -> None:
    rows = incidents().drop_duplicates("incident_id").query("victim_ref != ''")
    again = rows[rows.duplicated("victim_ref", keep=False)].sort_values("victim_ref", kind="stable")
    sizes = again["victim_ref"].value_counts()
    assert set(sizes) == {2}
    assert 0.04 < len(again) / len(rows) < 0.1
    gap = again.groupby("victim_ref")["east"].agg(lambda east: abs(east.max() - east.min()))
    assert (gap.dropna() == 0).mean() > 0.97


def test_recent_offences_are_pending_and_incidents_have_no_outcome() -> None:
    rows = sound()
    offence = rows["kind"] == "offence"
    assert (rows.loc[~offence, "outcome"] == "").all()
    assert (rows.loc[offence, "outcome"] != "").all()
    pending = rows["outcome"] == "pending"
    assert pending[offence & (rows["day"] >= "2025-07-01")].mean() > 0.5
    assert pending[offence & (rows["day"] < "2024-08-01")].mean() < 0.02
    assert (rows["recorded_on"] <= "2025-08-08").all()


# The generator ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_same_seed_same_rows_other_seed_other_rows() -> None:
    def make(seed: int) -> pd.DataFrame:
        return make_incidents(boroughs=boroughs(), totals=totals(), seed=seed, rows=800)

    pd.testing.assert_frame_equal(make(7), make(7))
    assert not make(7).equals(make(8))
    assert (make(7).dtypes == "str").all()


@pytest.mark.slow
def test_chunks_share_centres_and_never_an_id() -> None:
    chunks = list(incident_chunks(boroughs=boroughs(), totals=totals(), rows=9000, chunk_rows=4000))
    assert [len(chunk) for chunk in chunks] == [4000, 4000, 1000]
    ids = [set(chunk["incident_id"]) for chunk in chunks]
    victims = [set(chunk["victim_ref"]) - {""} for chunk in chunks]
    with pytest.raises(InputError, match="at least 1"):
        next(incident_chunks(boroughs=boroughs(), totals=totals(), rows=0))
    assert not ids[0] & ids[1]
    assert not ids[1] & ids[2]
    assert not victims[0] & victims[1]
    spots = [set(zip(c["easting"], c["northing"], strict=True)) - {("", ""), ("0", "0")} for c in chunks]
    assert len(spots[0] & spots[1]) > 100


def test_order_of_the_boroughs_does_not_matter() -> None:
    given = boroughs()
    other = Boroughs(given.codes[::-1], given.names[::-1], given.polygons[::-1])
    first, second = (make_incidents(boroughs=b, totals=totals(), rows=300) for b in (given, other))
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize("rows", [1, 2, 50])
def test_small_samples_have_exactly_the_rows_asked_for(rows: int) -> None:
    assert len(make_incidents(boroughs=boroughs(), totals=totals(), rows=rows)) == rows


def test_strand_odds_worked_by_hand() -> None:
    # 100 rows: 60 race, 30 religion, 80 either, so 10 both and 20 neither.
    # The 30 of other strands fill those 20 and top up 10 of the 80.
    table = pd.DataFrame(
        {
            "area_code": ["A"],
            "Hate crime": [100],
            "Racist Crime": [60],
            "Faith Crime": [30],
            "Racist and Religious Crime": [80],
            "AntiSemitic": [12],
            "Islamophobic Crime": [9],
            "Homophobic Crime": [15],
            "Transphobic Crime": [5],
            "Disability Crime": [10],
        }
    )
    odds = strand_odds(table, codes=("A",))
    assert odds.faith.tolist() == [[50, 20, 10, 20]]
    assert odds.extra.tolist() == [0.125]
    assert odds.sub.tolist() == [[12, 9, 9]]
    _, strands = draw_strands(np.random.default_rng(1), odds, rows=100_000)
    share = {name: getattr(strands, name).mean() * 100 for name in STRANDS}
    wanted = dict(zip(STRANDS, (60, 30, 12, 9, 15, 5, 10), strict=True))
    assert share == pytest.approx(wanted, abs=0.5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": 0}, "1 to 1,000,000"),
        ({"rows": 1_000_001}, "chunks"),
        ({"seed": -1}, "negative"),
        ({"totals": pd.DataFrame({"area_code": ["E09000007"]})}, "Hate crime"),
    ],
)
def test_unusable_arguments_are_refused(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_incidents(**({"boroughs": boroughs(), "totals": totals(), "rows": 10} | change))


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("area_code", "E08000001", "not among the boroughs: E08000001"),
        ("Racist Crime", 10_000, "contradict each other for E09000002"),
        ("Homophobic Crime", 0, "contradict each other for E09000002"),
    ],
)
def test_totals_that_do_not_fit_are_refused(column: str, value: object, words: str) -> None:
    table = totals().copy()
    table.loc[0, column] = value
    with pytest.raises(InputError, match=words):
        make_incidents(boroughs=boroughs(), totals=table, rows=10)


def test_boroughs_in_metres_are_refused() -> None:
    with pytest.raises(InputError, match="degrees"):
        Boroughs(("A",), ("A",), np.array([shapely.box(530_000, 180_000, 531_000, 181_000)]))
    with pytest.raises(InputError, match="one name and one polygon"):
        Boroughs(("A", "B"), ("A",), np.array([shapely.box(0, 51, 1, 52)]))
    with pytest.raises(InputError, match="codes repeat"):
        Boroughs(("A", "A"), ("A", "B"), np.array([shapely.box(0, 51, 1, 52)] * 2))


def test_csv_text_survives_awkward_cells() -> None:
    cells = ['a,"b"', "line\nbreak", "plain", ""] + ["x"] * (len(COLUMNS) - 4)
    frame = pd.DataFrame([cells, ["y"] * len(COLUMNS)], columns=list(COLUMNS), dtype="str")
    assert list(csv.reader(io.StringIO(to_csv_text(frame), newline=""))) == [list(COLUMNS), cells, ["y"] * len(COLUMNS)]
    assert to_csv_text(frame).splitlines()[1:] == to_csv_text(frame, header=False).splitlines()


@pytest.mark.parametrize("name", ["README.md", "boroughs.geojson", "wards.geojson"])
def test_texts_say_what_is_synthetic_and_whose_the_rest_is(name: str) -> None:
    text = (SAMPLE / name).read_text("utf-8")
    assert ("ynthetic" in text) == (name != "boroughs.geojson")
    assert ("Open Government Licence v3.0" in text) == (name != "wards.geojson")
