"""Released hotspots: their counts and outlines say nothing about the counts of areas that these do not say."""

from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from scipy.optimize import linprog

from pipeline.geography.grid import HexGrid
from pipeline.release.hotspot_names import Landmarks, with_names
from pipeline.release.hotspots import (
    Premises,
    Room,
    _least_known,
    _taken,
    release_hotspots,
    release_hotspots_by_category,
)

PERIOD = "2024-01..2024-12"
SIDE = 1000.0
HEX = 250.0


def ground(columns: int) -> gpd.GeoDataFrame:
    """A row of square wards of one kilometre, a borough and a region."""
    shapes = [shapely.box(SIDE * k, 0, SIDE * (k + 1), SIDE) for k in range(columns)]
    whole = shapely.union_all(shapes)
    return gpd.GeoDataFrame(
        {
            "area_code": [*(f"W{k}" for k in range(columns)), "B", "R"],
            "level": [*["ward"] * columns, "borough", "region"],
            "name": [*(f"Ward {k}" for k in range(columns)), "Borough", "Region"],
            "parent_code": [*["B"] * columns, "R", None],
        },
        geometry=[*shapes, whole, whole],
        crs="EPSG:27700",
    )


def released_counts(counts: list[int], step: int) -> pd.DataFrame:
    lower = np.array(counts) // step * step
    return pd.DataFrame(
        {
            "area_code": [f"W{k}" for k in range(len(counts))], "level": "ward", "period": PERIOD, "category": "all",
            "incidents_lower": lower, "incidents_upper": lower + step - 1,
        }
    )  # fmt: skip


def plan_of(areas: gpd.GeoDataFrame, *, step: int = 5, steps: tuple[int, ...] = (5, 10), **changes: Any) -> Any:
    """Just what the choice of hotspots reads of a plan."""
    rules = {
        "threshold": step, "step": step, "audience": "partner", "hotspots": True, "scope": (), "lattice_m": HEX,
        "min_locations": 5, "min_addresses": 8, "max_location_share_pct": 50.0,
    }  # fmt: skip
    return SimpleNamespace(
        profile=SimpleNamespace(**(rules | changes)),
        areas=areas,
        internal=False,
        min_samples=5,
        windows=SimpleNamespace(
            headline=SimpleNamespace(id=PERIOD, start=pd.Timestamp("2024-01-01"), end=pd.Timestamp("2024-12-31"))
        ),
        categories=[SimpleNamespace(id="all", detail="ward")],
        category_pairs=(),
        long_categories=frozenset(),
        premises=Premises(),
        config=SimpleNamespace(
            profiles=[SimpleNamespace(step=s) for s in steps],
            detect=SimpleNamespace(clusters=SimpleNamespace(eps_m=200.0)),
        ),
    )  # fmt: skip


def found(*clusters: tuple[float, float, int]) -> tuple[dict[str, gpd.GeoDataFrame], dict[str, pd.DataFrame]]:
    """Clusters by centre and number of incidents, each at as many places along 200 m."""
    rows, places = [], []
    for number, (x, y, incidents) in enumerate(clusters):
        name = f"raw{number}"
        xs = x + np.linspace(-100, 100, incidents)
        places.append(pd.DataFrame({"hotspot_id": name, "easting_m": xs, "northing_m": y, "incidents": 1}))
        rows.append(
            {
                "hotspot_id": name, "rank": number + 1, "name": "true name", "incidents": incidents,
                "distinct_locations": incidents, "top_location_share_pct": 10.0, "distinct_victims": None,
                "area_km2": 0.1, "density_per_km2": 9.0, "ward_codes": "W9", "borough_code": "B",
                "first_period": "2024-03", "last_period": "2024-07",
            }
        )  # fmt: skip
    shapes = [shapely.Point(x, y).buffer(100) for x, y, _ in clusters]
    layer = gpd.GeoDataFrame(pd.DataFrame(rows), geometry=shapes, crs="EPSG:27700")
    return {PERIOD: layer}, {PERIOD: pd.concat(places)}


def shown(wards: list[int], *clusters: tuple[float, float, int], step: int = 5, **changes: Any) -> gpd.GeoDataFrame:
    areas = ground(len(wards))
    true = released_counts(wards, 1).assign(incidents=wards)
    counts = released_counts(wards, step)
    plan = plan_of(areas, step=step, **changes)
    made = release_hotspots(*found(*clusters), plan=plan, room=Room(counts, true=true, plan=plan))
    return with_names(made.layer, plan)


def test_a_hotspot_in_one_ward_by_hand() -> None:
    layer = shown([60, 12], (500, 500, 27))
    row = layer.iloc[0]
    assert (row["incidents_lower"], row["incidents_upper"], row["incidents"]) == (25, 29, 27)
    assert row["incidents_band"] == "25 to 29"
    assert (row["hotspot_id"], row["rank"], row["name"], row["ward_codes"]) == ("H001", 1, "Ward 0", "W0")
    assert (row["first_period"], row["last_period"]) == ("2024-01", "2024-12")
    assert np.isnan(row["density_per_km2"])
    hexagon = HEX**2 * np.sqrt(3) / 2
    assert (row.geometry.area / hexagon) == pytest.approx(round(row.geometry.area / hexagon), abs=1e-3)


def test_a_ward_with_a_first_step_is_never_touched() -> None:
    """ "fewer than 5" beside a hexagon that holds an incident would tell that the ward is not at 0."""
    assert len(shown([60, 4], (980, 500, 27))) == 0
    assert len(shown([60, 30], (980, 500, 27))) == 1


def test_two_wards_that_could_not_hold_a_hotspot_at_their_floors() -> None:
    """27 lie in wards of 14 and 14, shown as 10 to 14: then 25 to 29 would be 25 to 28, and no ward under 11."""
    assert len(shown([14, 14], (1000, 500, 27))) == 0
    # With 15 and 14, the floors 15 and 10 hold 25.
    assert len(shown([15, 14], (1000, 500, 27))) == 1


def test_whoever_holds_both_folders_finds_room_too() -> None:
    """In steps of 10 there is room (10 and 10 hold 20), in the partners' steps of 5 there is none: nobody sees it."""
    assert len(shown([14, 14], (1000, 500, 27), step=10)) == 0
    assert len(shown([14, 14], (1000, 500, 27), step=10, steps=(10,))) == 1


def test_wards_that_are_not_offered_count_as_their_borough() -> None:
    areas = ground(2)
    counts = released_counts([60, 4], 5)
    counts[["incidents_lower", "incidents_upper"]] = np.nan
    whole = counts.iloc[:1].assign(area_code="B", level="borough", incidents_lower=60, incidents_upper=64)
    true = released_counts([60, 4], 1).assign(incidents=[60, 4])
    every = pd.concat([counts, whole])
    plan = plan_of(areas)
    assert len(release_hotspots(*found((980, 500, 27)), plan=plan, room=Room(every, true=true, plan=plan)).layer) == 1
    assert len(release_hotspots(*found((980, 500, 27)), plan=plan, room=Room(counts, true=true, plan=plan)).layer) == 0


@pytest.mark.slow
def test_two_hotspots_share_what_their_ward_holds() -> None:
    assert len(shown([54], (250, 200, 26), (750, 800, 27))) == 2
    # 49: shown as 45 to 49, where two of 25 to 29 would tell of each that it is not at its end.
    assert len(shown([49], (250, 200, 24), (750, 800, 24))) == 2
    assert len(shown([52, 3], (250, 200, 26), (750, 800, 26))) == 2
    assert len(shown([26, 29], (250, 200, 26), (1000, 800, 27))) <= 1


def of_category(category: str, *clusters: tuple[float, float, int]) -> Any:
    layers, places = found(*clusters)
    layer, at = layers[PERIOD].copy(), places[PERIOD].copy()
    for frame in (layer, at):
        frame["hotspot_id"] = f"{category}-" + frame["hotspot_id"]
    return {PERIOD: layer.assign(category=category)}, {PERIOD: at}


def by_category(held: dict[str, int], every: tuple, **found_of: tuple) -> dict[str, list[int]]:
    """Release hotspots of one ward that holds `held` of each category; return the lower ends shown, in steps of 5."""
    areas = ground(1)
    of = {c: released_counts([n], 1).assign(incidents=[n], category=c) for c, n in held.items()}
    true = pd.concat(of.values())
    counts = true.assign(incidents_lower=true["incidents"] // 5 * 5, incidents_upper=true["incidents"] // 5 * 5 + 4)
    plan = plan_of(areas)
    plan.categories = [SimpleNamespace(id=c, detail="ward") for c in held]
    plan.category_pairs = tuple((c, "all") for c in held if c != "all")
    room = Room(counts, true=true, plan=plan)
    shown = {"all": release_hotspots(*found(*every), plan=plan, room=room).layer["incidents_lower"].tolist()}
    parts = [of_category(c, *clusters) for c, clusters in found_of.items()]
    layers = {PERIOD: pd.concat([layer[PERIOD] for layer, _ in parts])}
    places = {PERIOD: pd.concat([place[PERIOD] for _, place in parts])}
    layer = release_hotspots_by_category(layers, places, plan=plan, room=room).layer
    assert layer["period_start"].str.startswith("2024-01-01").all()
    return shown | {c: own["incidents_lower"].tolist() for c, own in layer.groupby("category")}


@pytest.mark.slow
def test_hotspots_of_a_category_find_room_in_the_hotspot_around_them() -> None:
    # 60 and 40 of the ward; 52 and 31 in the outline. Race takes 30 of the 50 that the hotspot of all took, and what
    # is left, 20, has room for 20 of faith, but not for 25.
    spots = {"every": ((500, 500, 52),), "race": ((500, 500, 31),)}
    held = {"all": 60, "race": 40, "faith": 40}
    assert by_category(held, **spots, faith=((500, 500, 21),)) == {"all": [50], "race": [30], "faith": [20]}
    assert by_category(held, **spots, faith=((500, 500, 27),)) == {"all": [50], "race": [30]}


@pytest.mark.slow
def test_hotspots_of_a_category_away_from_those_of_all_need_what_the_ward_has_left() -> None:
    # The hotspot of all takes 25 of the ward's floor of 50, which leaves 25: enough for 20 elsewhere, not for 30.
    held = {"all": 54, "race": 40}
    assert by_category(held, ((250, 200, 26),), race=((750, 800, 22),)) == {"all": [25], "race": [20]}
    assert by_category(held, ((250, 200, 26),), race=((750, 800, 31),)) == {"all": [25]}


def test_no_order_follows_the_true_count() -> None:
    """Equal steps share a rank, ids go from south-west to north-east, and both stay when counts change inside steps."""
    one = shown([200, 200], (1500, 800, 29), (300, 200, 26), (400, 800, 41))
    two = shown([200, 200], (1500, 800, 26), (300, 200, 29), (400, 800, 43))
    assert one[["hotspot_id", "rank", "name"]].to_numpy().tolist() == [
        ["H002", 1, "Ward 0 (1)"], ["H001", 2, "Ward 0 (2)"], ["H003", 2, "Ward 1"],
    ]  # fmt: skip
    plain = ["hotspot_id", "rank", "name", "incidents_lower", "ward_codes"]
    assert one[plain].equals(two[plain])


def test_the_step_begins_where_the_method_cannot_tell_more() -> None:
    """With 25 in reach of a core, "20 to 29" would be 25 to 29; so a hotspot is shown from 30 in steps of 10 on."""
    areas = ground(1)
    clusters = found((500, 500, 27))
    plan = plan_of(areas, step=10, steps=(10,))
    plan.min_samples = 25
    true = released_counts([90], 1).assign(incidents=[90])

    def room() -> Room:
        return Room(released_counts([90], 10), true=true, plan=plan)

    assert len(release_hotspots(*clusters, plan=plan, room=room()).layer) == 0
    larger = found((500, 500, 31))
    assert len(release_hotspots(*larger, plan=plan, room=room()).layer) == 1


def test_hexagons_far_apart_hold_cores_that_share_nothing() -> None:
    plan = plan_of(ground(3))
    plan.min_samples = 25
    lattice = HexGrid.covering((0, 0, 3000, 1000), size_m=HEX, margin_m=HEX)
    at = lattice.cell_of(np.array([[100.0, 500.0], [2600.0, 500.0]]))
    assert _least_known(shapely.union_all(lattice.polygons(at)), plan) == 50
    assert _least_known(lattice.polygons(at[:1])[0], plan) == 25


@pytest.mark.slow
@pytest.mark.parametrize("step", [3, 5, 10])
def test_no_step_is_narrower_beside_hotspots(step: int) -> None:
    """Random wards and clusters: linear programmes over the parts of hotspots in wards leave every value of every step.

    Unknowns are ward counts and each hotspot's part in each ward that it touches; a part is at least the hexagons that
    lie in that ward alone, parts make up the hotspot, and a ward holds at least its parts.
    """
    rng = np.random.default_rng(step)
    drawn = 0
    for _ in range(30):
        size = int(rng.integers(1, 4))
        clusters = [
            (float(rng.uniform(150, SIDE * size - 150)), float(rng.uniform(150, 850)), int(rng.integers(step, 40)))
            for _ in range(int(rng.integers(1, 5)))
        ]
        held = np.zeros(size, dtype=int)
        for x, _, number in clusters:
            for place in x + np.linspace(-100, 100, number):
                held[min(max(int(place // SIDE), 0), size - 1)] += 1
        wards = (held + rng.integers(0, rng.choice([1, 2 * step]), size)).tolist()
        areas = ground(size)
        true = released_counts(wards, 1).assign(incidents=wards)
        plan = plan_of(areas, step=step, steps=(step,))
        room = Room(released_counts(wards, step), true=true, plan=plan)
        made = release_hotspots(*found(*clusters), plan=plan, room=room).layer
        drawn += len(made)
        assert narrower(made, wards, areas, step) == 0
    assert drawn > 10


def test_the_attack_finds_what_a_careless_release_would_tell() -> None:
    """27 across the border of wards of 14 and 14, and a hotspot that reaches into a ward of 3."""
    areas = ground(2)
    for wards, x, number in (([14, 14], 1000.0, 27), ([60, 3], 1100.0, 27)):
        lower = np.array([number // 5 * 5])
        bare = gpd.GeoDataFrame(
            {"incidents_lower": lower, "incidents_upper": lower + 4},
            geometry=[_hex_outline(x, 500.0, number)],
            crs=areas.crs,
        )
        assert narrower(bare, wards, areas, 5)


def _hex_outline(x: float, y: float, number: int) -> shapely.Geometry:
    xy = np.column_stack([x + np.linspace(-100, 100, number), np.full(number, y)])
    low, high = xy.min(axis=0), xy.max(axis=0)
    lattice = HexGrid.covering((low[0], low[1], high[0], high[1]), size_m=HEX, margin_m=HEX)
    return shapely.union_all(lattice.polygons(np.unique(lattice.cell_of(xy))), grid_size=0.01)


def narrower(made: gpd.GeoDataFrame, wards: list[int], areas: gpd.GeoDataFrame, step: int) -> int:
    """Count the ward and hotspot counts of which fewer values remain than their step has."""
    if not len(made):
        return 0
    shapes = areas[areas["level"] == "ward"].geometry.to_numpy()
    size, parts = len(wards), []
    bounds = [(n // step * step, n // step * step + step - 1) for n in wards]
    bounds += list(zip(made["incidents_lower"].astype(int), made["incidents_upper"].astype(int), strict=True))
    lattice_parts: list[tuple[int, int, int]] = []
    unions: list[tuple[int, set[int], int]] = []
    for h, shape in enumerate(made.geometry):
        lattice = HexGrid.covering(shape.bounds, size_m=HEX, margin_m=HEX)
        centres = lattice.centres()
        hexes = lattice.polygons(np.flatnonzero(shapely.intersects_xy(shape, centres[:, 0], centres[:, 1])))
        over = np.array([shapely.area(shapely.intersection(hexes, s)) > 1.0 for s in shapes])
        for w in np.flatnonzero(over.any(axis=1)):
            alone = int((over[w] & (over.sum(axis=0) == 1)).sum())
            lattice_parts.append((h, int(w), alone))
        for pattern in {tuple(np.flatnonzero(column)) for column in over.T}:
            number = sum(tuple(np.flatnonzero(column)) == pattern for column in over.T)
            unions.append((h, set(pattern), number))
    parts = lattice_parts
    bounds += [(low, None) for _, _, low in parts]
    n = len(bounds)
    eq, ub, ub_b = [], [], []
    for h in range(len(made)):
        row = np.zeros(n)
        row[size + h] = -1
        for k, (hh, _, _) in enumerate(parts):
            if hh == h:
                row[size + len(made) + k] = 1
        eq.append(row)
    for w in range(size):
        row = np.zeros(n)
        row[w] = -1
        for k, (_, ww, _) in enumerate(parts):
            if ww == w:
                row[size + len(made) + k] = 1
        ub.append(row)
        ub_b.append(0.0)
    for h, pattern, number in unions:
        row = np.zeros(n)
        for k, (hh, ww, _) in enumerate(parts):
            if hh == h and ww in pattern:
                row[size + len(made) + k] = -1
        ub.append(row)
        ub_b.append(-float(number))
    total = 0
    for place in range(size + len(made)):
        ends = []
        for sign in (1.0, -1.0):
            aim = np.zeros(n)
            aim[place] = sign
            found_ = linprog(
                aim, A_eq=np.array(eq), b_eq=np.zeros(len(eq)), A_ub=np.array(ub), b_ub=np.array(ub_b), bounds=bounds
            )
            if not found_.success:  # outlines that a careless release would draw beside counts that they contradict
                return total
            ends.append(sign * found_.fun)
        total += int(np.floor(ends[1] + 1e-6) - np.ceil(ends[0] - 1e-6) + 1 < step)
    return total


def test_sharing_out_by_hand() -> None:
    assert _taken(np.array([20, 10]), np.array([0, 0]), 30).tolist() == [20, 10]  # type: ignore[union-attr]
    assert _taken(np.array([20, 10]), np.array([0, 0]), 31) is None
    assert _taken(np.array([20, 10]), np.array([0, 11]), 12) is None


def named(premises: Premises) -> str:
    areas = ground(2)
    true = released_counts([60, 12], 1).assign(incidents=[60, 12])
    plan = plan_of(areas)
    plan.premises = premises
    made = release_hotspots(
        *found((500, 500, 27)), plan=plan, room=Room(released_counts([60, 12], 5), true=true, plan=plan)
    )
    return str(with_names(made.layer, plan).iloc[0]["name"])


@pytest.mark.slow
def test_a_hotspot_is_named_by_what_stands_in_its_outline_but_never_by_an_institution() -> None:
    """The station stands in the hexagons that are shown, though in none of the places of the incidents."""
    frame = gpd.GeoDataFrame(
        {"kind": ["station", "building"], "name": ["Cross", "Temple"], "rank": [2, 1]},
        geometry=[shapely.Point(500, 560), shapely.Point(500, 500)],
        crs="EPSG:27700",
    )
    landmarks = Landmarks(frame, np.array([shapely.box(0, 0, 2000, 1000)], dtype=object), ("B",))
    assert named(Premises(landmarks=landmarks)) == "Cross, Ward 0"
    at_it = np.array([shapely.Point(510, 560)], dtype=object)
    assert named(Premises(landmarks=landmarks, institutions=at_it)) == "Ward 0"
    assert named(Premises()) == "Ward 0"


@pytest.mark.parametrize("seed", range(5))
def test_what_an_outline_takes_is_taken_where_most_is_left(seed: int) -> None:
    """Against taking incidents one at a time, each from the first of the areas with most left."""
    rng = np.random.default_rng(seed)
    for areas in (1, 2, 3, 6):
        left, held = rng.integers(3, rng.choice([6, 40, 200]), areas), rng.integers(0, 4, areas)
        for need in (0, int(held.sum()), *rng.integers(held.sum(), left.sum() + 1, 5).tolist(), int(left.sum())):
            expected = held.copy()
            for _ in range(need - int(held.sum())):
                expected[np.argmax(left - expected)] += 1
            assert _taken(left, held, need).tolist() == expected.tolist()
        assert _taken(left, held, int(left.sum()) + 1) is None
