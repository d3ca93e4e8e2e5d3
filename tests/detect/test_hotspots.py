"""Hotspots: a town worked by hand, what makes none, how sure each is, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.detect.clusters import ClusterSettings
from pipeline.detect.hotspots import Background, find_hotspots, monte_carlo_p, stability
from pipeline.detect.hotspots.entry import _without_certainty
from pipeline.detect.hotspots.finding import COLUMNS, lower_min_samples
from pipeline.detect.hotspots.stability import cluster_sizes, smoothed_background
from pipeline.errors import InputError
from pipeline.geography.grid import Grid

NAMES = {"W1": "Mill Hill", "W2": "Castle", "W3": "Docks"}


def row(x: float, y: float, ward: str | None, month: int, n: int, *, kind: str = "hate", **more: object) -> dict:
    return {
        "easting_m": x, "northing_m": y, "ward_code": ward, "borough_code": "B1" if ward != "W3" else "B2",
        "month": month, "categories": kind, "incidents": n, **more,
    }  # fmt: skip


# A town, eps 100 m, min_samples 10, first quarter of 2024.
#
# High Street: five places at x = 0, 50, 100, 150, 200 with 4, 3, 2, 1, 2 incidents, 12 in all, in ward W1.
#   Within 100 m: of 0: 4+3+2 = 9; of 50: 4+3+2+1 = 10, core; of 100: all 12, core; of 150: 3+2+1+2 = 8; of 200: 5.
#   Core: 50 and 100. The rest are border (0 is 50 from 50; 150 and 200 are 50 and 100 from 100). One cluster.
# Harbour: five places at x = 2000 ... 2200 with 5 each, 25 in all: the first three in W2 (15), two in W3 (10).
# An address at (5000, 5000) with 10 incidents: a cluster, but one place only.
# A lone incident at (9000, 0). Total 12 + 25 + 10 + 1 = 48.
TOWN = pd.DataFrame(
    [
        row(0, 0, "W1", 202401, 3, positive_outcomes=1, known_outcomes=2),
        row(0, 0, "W1", 202402, 1, kind="", positive_outcomes=None, known_outcomes=None),
        row(50, 0, "W1", 202401, 3, kind="hate;race", positive_outcomes=0, known_outcomes=3),
        row(100, 0, "W1", 202402, 2, kind="hate;race", positive_outcomes=2, known_outcomes=3),
        row(150, 0, "W1", 202402, 1, positive_outcomes=None, known_outcomes=None),
        row(200, 0, "W1", 202402, 2, positive_outcomes=None, known_outcomes=None),
        *(row(x, 0, "W2", 202401, 5) for x in (2000, 2050, 2100)),
        *(row(x, 0, "W3", 202403, 5) for x in (2150, 2200)),
        row(5000, 5000, "W1", 202403, 10),
        row(9000, 0, None, 202403, 1),
        # The quarter before: 24 at the Harbour (one place new, 40 m from the place 2200, inside its disc of 50 m), 5 at
        # the High Street, and 50 on a place 51 m beyond the last, outside the outline.
        row(2050, 0, "W2", 202310, 14),
        row(2240, 0, "W3", 202312, 10),
        row(2251, 0, "W3", 202312, 50),
        row(50, 0, "W1", 202311, 5),
        # Beyond the window.
        row(0, 0, "W1", 202404, 99),
    ]
)
WINDOW, BEFORE = (202401, 202403), (202310, 202312)


def test_the_town_worked_by_hand() -> None:
    found = find_hotspots(TOWN, window=WINDOW, previous=BEFORE, eps_m=100.0, min_samples=10)
    table = found.table
    assert tuple(table.columns) == COLUMNS
    assert table["hotspot_id"].tolist() == ["H001", "H002"]
    assert table["rank"].tolist() == [1, 2]
    assert table["incidents"].tolist() == [25, 12]
    assert table["distinct_locations"].tolist() == [5, 5]
    assert table["share_of_all_pct"].tolist() == pytest.approx([100 * 25 / 48, 25.0])
    assert table["first_period"].tolist() == ["2024-01", "2024-01"]
    assert table["last_period"].tolist() == ["2024-03", "2024-02"]
    assert table["ward_codes"].tolist() == ["W2;W3", "W1"]
    assert table["borough_code"].tolist() == ["B1", "B1"]
    # High Street: 4+3+2+2 = 11 of 12 stand at places with more than one; the top place holds 4.
    assert table["repeat_location_share_pct"].tolist() == pytest.approx([100.0, 1100 / 12])
    assert table["top_location_share_pct"].tolist() == pytest.approx([20.0, 400 / 12])
    # High Street: 1 + 0 + 2 positive of 2 + 3 + 3 known.
    assert pd.isna(table["outcome_share_pct"][0])
    assert table["outcome_share_pct"][1] == pytest.approx(37.5)
    # Harbour: 25 in the 91 days of January to March 2024, 24 in the 92 days before. High Street: 5 before, too few.
    assert table["change_pct"][0] == pytest.approx(100 * ((25 / 91) / (24 / 92) - 1))
    assert pd.isna(table["change_pct"][1])
    assert table[["stability", "p_value", "distinct_victims"]].isna().all(axis=None)
    # High Street: five discs of radius 50, each 50 m from the next: 5 pi 50^2 less four lenses of 3,070.9 m2 and a few
    # small fillets.
    assert table["area_km2"][1] == pytest.approx(0.026986, rel=0.04)
    assert table["density_per_km2"][1] == pytest.approx(12 / table["area_km2"][1])
    assert shapely.contains_xy(found.geometry[1], 75, 0)
    assert found.eps_m == 100.0
    assert "1 of 3 clusters have fewer than 5 distinct locations and are no hotspots" in found.notes


def test_the_towns_categories_and_months() -> None:
    found = find_hotspots(TOWN, window=WINDOW, eps_m=100.0, min_samples=10)
    wide = found.by_category.pivot_table(index="hotspot_id", columns="category", values="incidents", aggfunc="sum")
    assert wide.loc["H001"].to_dict() == {"hate": 25, "race": 0}
    assert wide.loc["H002"].to_dict() == {"hate": 11, "race": 5}  # 3 + 2 race; one incident has no category
    assert found.by_period.to_dict("list") == {
        "hotspot_id": ["H001"] * 3 + ["H002"] * 3,
        "period": ["2024-01", "2024-02", "2024-03"] * 2,
        "incidents": [15, 0, 10, 6, 6, 0],
    }


def test_a_category_of_all_incidents_has_their_hotspots() -> None:
    settings = {"window": WINDOW, "previous": BEFORE, "eps_m": 100.0, "min_samples": 10}
    whole = find_hotspots(TOWN, rng=np.random.default_rng(1), resamples=2, **settings)
    assert whole.table["stability"].notna().all()
    pd.testing.assert_frame_equal(_without_certainty(whole).table, find_hotspots(TOWN, **settings).table)


@pytest.mark.slow
def test_row_order_does_not_matter() -> None:
    settings = {"window": WINDOW, "previous": BEFORE, "eps_m": 100.0, "min_samples": 10, "resamples": 5}
    one = find_hotspots(TOWN, rng=np.random.default_rng(1), **settings)
    two = find_hotspots(TOWN.sample(frac=1, random_state=3), rng=np.random.default_rng(1), **settings)
    pd.testing.assert_frame_equal(one.table, two.table)
    pd.testing.assert_frame_equal(one.by_category, two.by_category)
    assert [a.wkb for a in one.geometry] == [b.wkb for b in two.geometry]


def test_ties_and_limits() -> None:
    clumps = [row(x + 10 * i, 0, "W1", 202401, 4) for x in (8000, 0, 4000) for i in range(5)]
    clumps += [row(12_000 + 10 * i, 0, None, 202401, 2) for i in range(5)]
    found = find_hotspots(pd.DataFrame(clumps), window=(202401, 202401), eps_m=50.0, min_samples=5)
    # Equal counts rank from west to east, the order of the labels.
    assert [round(shape.centroid.x) for shape in found.geometry] == [20, 4020, 8020, 12_020]
    assert found.table["ward_codes"].tolist()[-1] == ""
    few = find_hotspots(pd.DataFrame(clumps), window=(202401, 202401), eps_m=50.0, min_samples=5, max_hotspots=2)
    assert len(few.table) == len(few.geometry) == 2
    assert "the 2 largest of 4 hotspots are kept" in few.notes


def test_victims_are_counted_from_their_list() -> None:
    heard = pd.DataFrame(
        {
            "easting_m": [50.0, 50.0, 100.0, 0.0, 2000.0, 50.0, 150.0],
            "northing_m": 0.0,
            "month": [202401, 202402, 202402, 202401, 202401, 202312, 202402],
            "victim_hash": ["a", "a", "b", None, "a", "z", "c"],
        }
    )
    found = find_hotspots(TOWN, window=WINDOW, eps_m=100.0, min_samples=10, victims=heard)
    assert found.table["distinct_victims"].tolist() == [1, 3]
    least = TOWN.assign(distinct_victims=pd.array([2, 1, 3] + [None] * (len(TOWN) - 3), dtype="Int64"))
    found = find_hotspots(least, window=WINDOW, eps_m=100.0, min_samples=10)
    assert found.table["distinct_victims"][1] == 3
    assert pd.isna(found.table["distinct_victims"][0])
    assert any("at least this many" in note for note in found.notes)


@pytest.mark.parametrize("method", ["hdbscan", "optics"])
@pytest.mark.slow
def test_other_methods_make_the_same_table(method: str) -> None:
    rng = np.random.default_rng(3)
    clumps = np.concatenate([rng.normal(size=(40, 2)) * 30, rng.normal(size=(60, 2)) * 30 + 3000])
    frame = pd.DataFrame([row(x, y, "W1", 202401, 2) for x, y in clumps])
    found = find_hotspots(frame, window=(202401, 202401), eps_m=80.0, min_samples=6, min_locations=20, method=method)
    assert len(found.table) == 2
    assert found.table["distinct_locations"].min() >= 20
    assert any("takes no weights" in note for note in found.notes)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([row(9000, 0, "W1", 202401, 1)], "no hotspot among 1 incidents at 1 places"),
        ([row(5000, 5000, "W1", 202401, 10)], "1 of 1 clusters have fewer than 5 distinct locations"),
        ([row(5000, 5000, "W1", 202401, 5000)], "no hotspot among 5000 incidents at 1 places"),
        ([row(x, 0, "W1", 202401, 1) for x in (0, 10, 20)], "no hotspot among 3 incidents at 3 places"),
        ([row(0, 0, "W1", 202312, 50)], "no hotspot among 0 incidents at 0 places"),
        ([row(x, 0, "W1", 202401, 0) for x in range(9)], "no hotspot among 0 incidents at 0 places"),
    ],
)
def test_what_makes_no_hotspot(rows: list[dict], why: str) -> None:
    background = Background(np.zeros((1, 2)), np.ones(1), 1000.0)
    found = find_hotspots(
        pd.DataFrame(rows), window=(202401, 202401), previous=(202312, 202312), eps_m=100.0, min_samples=10,
        resamples=3, simulations=3, background=background, rng=np.random.default_rng(1),
    )  # fmt: skip
    assert tuple(found.table.columns) == COLUMNS
    assert len(found.table) == len(found.geometry) == len(found.by_category) == len(found.by_period) == 0
    assert any(why in note for note in found.notes)
    full = find_hotspots(TOWN, window=WINDOW, eps_m=100.0, min_samples=10)
    assert found.table.dtypes.astype(str).to_dict() == full.table.dtypes.astype(str).to_dict()
    assert found.by_period.dtypes.astype(str).to_dict() == full.by_period.dtypes.astype(str).to_dict()


def test_an_automatic_reach_is_reported_or_said_to_be_impossible() -> None:
    rng = np.random.default_rng(8)
    spots = np.concatenate((rng.normal(size=(150, 2)) * 40, rng.uniform(-4000, 4000, (60, 2))))
    frame = pd.DataFrame([row(x, y, "W1", 202401, 1) for x, y in spots])
    found = find_hotspots(frame, window=(202401, 202401), eps_m="auto", min_samples=10)
    assert found.eps_choice is not None
    assert found.eps_m == found.eps_choice.eps_m
    assert found.notes[0] == found.eps_choice.note
    assert len(found.table) == 1
    heap = find_hotspots(
        pd.DataFrame([row(0, 0, "W1", 202401, 50)]), window=(202401, 202401), eps_m="auto", min_samples=10
    )
    assert len(heap.table) == 0
    assert heap.eps_m is None
    assert "eps_m cannot be chosen from 50 incidents at 1 places" in heap.notes[0]


def test_a_reach_that_joins_everything_is_warned_of() -> None:
    found = find_hotspots(TOWN, window=WINDOW, eps_m=8000.0, min_samples=10)
    assert any("eps_m 8000 m joins 100 % of all 48 incidents" in note for note in found.notes)


def test_stability_is_the_mean_jaccard_of_sets() -> None:
    """The same draws, with sets of incidents and their Jaccard index in place of matrices."""
    rng = np.random.default_rng(6)
    places = np.concatenate([rng.normal(c, 60, (30, 2)) for c in (0, 260, 900)] + [rng.uniform(-500, 1500, (40, 2))])
    weights = rng.integers(1, 4, len(places))
    settings = ClusterSettings(eps_m=80.0, min_samples=12)
    members = settings.cluster(places, weights).labels
    got = stability(
        places, weights=weights, members=members, settings=settings, resamples=25, rng=np.random.default_rng(1)
    )
    again, total = np.random.default_rng(1), np.zeros(members.max() + 1)
    for _ in range(25):
        drawn = again.integers(0, len(places), len(places)).tolist()
        # An incident is a place, its number there and which draw of the place it is.
        carried = {(p, n, k) for k, p in enumerate(drawn) for n in range(weights[p])}
        kept = sorted(set(drawn))
        labels = settings.cluster(places[kept], [weights[p] * drawn.count(p) for p in kept]).labels
        of = dict(zip(kept, labels.tolist(), strict=True))
        for hotspot in range(len(total)):
            mine = {i for i in carried if members[i[0]] == hotspot}
            others = [{i for i in carried if of[i[0]] == c} for c in range(labels.max() + 1)]
            total[hotspot] += max((len(mine & o) / len(mine | o) for o in others if mine | o), default=0.0)
    assert got == pytest.approx(total / 25)
    assert 0.3 < got.min() < got.max() < 1


def test_a_hotspot_that_merges_with_its_neighbour_is_not_stable() -> None:
    # Two solid squares of equal weight. With a reach that just joins them in most resamples each comes back whole, as
    # half of a cluster: its Jaccard index is then one half.
    side = np.array([(x, y) for x in range(0, 100, 10) for y in range(0, 100, 10)], dtype=float)
    places = np.concatenate([side, side + np.array([150.0, 0.0])])
    members = np.repeat([0, 1], 100)
    arguments = {"weights": np.ones(200, dtype=np.int64), "members": members, "resamples": 20}
    apart = stability(places, settings=ClusterSettings(40.0, 5), rng=np.random.default_rng(1), **arguments)
    merged = stability(places, settings=ClusterSettings(90.0, 5), rng=np.random.default_rng(1), **arguments)
    assert apart == pytest.approx([1.0, 1.0], abs=0.03)
    assert merged == pytest.approx([0.5, 0.5], abs=0.08)


@pytest.mark.slow
def test_stability_by_hand() -> None:
    # Two places far apart, each a cluster by weight alone. With two draws from two places, a place is drawn 0, 1 or 2
    # times with chance 1/4, 1/2, 1/4: it comes back whole whenever drawn, so in 3 of 4 resamples.
    shares = stability(
        [[0.0, 0.0], [9000.0, 0.0]], weights=[10, 10], members=[0, 1], settings=ClusterSettings(10.0, 5), resamples=250,
        rng=np.random.default_rng(2),
    )  # fmt: skip
    assert shares == pytest.approx([0.75, 0.75], abs=0.09)


def uniform(side_m: float) -> Background:
    centre = np.arange(50.0, side_m, 100.0)
    return Background(np.array([(x, y) for x in centre for y in centre]), np.ones(len(centre) ** 2), 100.0)


@pytest.mark.slow
def test_a_planted_cluster_is_told_from_chance() -> None:
    rng = np.random.default_rng(10)
    scatter = rng.uniform(0, 5000, (300, 2))
    planted = 2500 + rng.normal(size=(80, 2)) * 60
    frame = pd.DataFrame([row(x, y, "W1", 202401, 1) for x, y in np.concatenate((scatter, planted))])
    settings = {
        "window": (202401, 202401),
        "eps_m": 200.0,
        "min_samples": 4,
        "simulations": 39,
        "background": uniform(5000),
    }
    found = find_hotspots(frame, rng=np.random.default_rng(5), **settings)
    assert found.table["p_value"][0] == 1 / 40  # no simulation reaches 80: the smallest p that 39 can give
    assert found.table["p_value"].is_monotonic_increasing  # fewer incidents, larger p
    assert found.table["p_value"].iloc[-1] > 0.1
    with_stability = find_hotspots(frame, rng=np.random.default_rng(5), resamples=2, **settings)
    assert with_stability.table["p_value"].tolist() == found.table["p_value"].tolist()


@pytest.mark.slow
def test_the_p_value_holds_its_size_under_chance() -> None:
    # Under the null, P(p <= 0.1) is 0.1: 50 towns laid at random, 9 simulations each. Binomial sd 0.042.
    background, settings, rng = uniform(2000), ClusterSettings(150.0, 4), np.random.default_rng(77)
    weights = np.random.default_rng(1).integers(1, 3, 80)
    rejected = 0
    for _ in range(50):
        labels = settings.cluster(background.draw(80, rng=rng), weights).labels
        top = cluster_sizes(labels, weights, min_locations=5)[:1]
        p = monte_carlo_p(top, weights=weights, background=background, settings=settings, simulations=9, rng=rng)
        rejected += bool((p <= 0.1).any())
    assert 0.0 < rejected / 50 <= 0.24


def test_p_values_compare_the_same_ranks() -> None:
    """Counted from the clusters of the same draws, one rank at a time."""
    background, settings = uniform(1500), ClusterSettings(150.0, 4)
    weights = np.random.default_rng(1).integers(1, 3, 80)
    observed = [9, 30, 14]
    p = monte_carlo_p(
        observed, weights=weights, background=background, settings=settings, simulations=19,
        rng=np.random.default_rng(3),
    )  # fmt: skip
    rng, sizes = np.random.default_rng(3), []
    for _ in range(19):
        labels = settings.cluster(background.draw(80, rng=rng), weights).labels
        held = [int(weights[labels == c].sum()) for c in set(labels.tolist()) - {-1} if (labels == c).sum() >= 5]
        sizes.append([*sorted(held, reverse=True), 0, 0, 0])
    by_rank = [(1 + sum(s[rank] >= size for s in sizes)) / 20 for rank, size in enumerate((30, 14, 9))]
    assert p.tolist() == [max(by_rank), by_rank[0], max(by_rank[:2])]


def test_the_smoothed_background_follows_the_incidents_and_stays_inside() -> None:
    grid = Grid.covering((0.0, 0.0, 9_999.0, 4_999.0), cell_m=250.0)
    x = grid.centres()[:, 0]
    area = np.where(x < 8_000, grid.cell_km2, 0.0)
    rng = np.random.default_rng(4)
    west = np.column_stack([rng.uniform(0, 4_000, 6_000), rng.uniform(0, 5_000, 6_000)])
    east = np.column_stack([rng.uniform(4_000, 8_000, 2_000), rng.uniform(0, 5_000, 2_000)])
    points = np.concatenate([west, east])
    made = smoothed_background(points, weights=np.ones(8_000), grid=grid, area_km2=area, bandwidth_m=600.0)
    at = made.centres_m[:, 0]
    assert at.max() < 8_000
    # Three times as dense in the west, up to both borders: the smoothing loses nothing there.
    share = made.weights / made.weights.sum()
    assert share[at < 2_000].sum() / share[at > 6_000].sum() == pytest.approx(3.0, rel=0.05)
    row = share[(at < 2_000)].reshape(grid.rows, -1).sum(axis=1)
    assert row.std() / row.mean() < 0.05


def test_simulated_places_stay_on_the_ground() -> None:
    # A city of 2 x 1 km with a river of 100 m in the middle of a row of cells, and a diagonal coast.
    city = shapely.Polygon([(0, 0), (2_000, 0), (1_500, 1_000), (0, 1_000)]) - shapely.box(0, 320, 2_000, 420)
    grid = Grid.covering(city.bounds, cell_m=250.0)
    share = grid.fraction(city).ravel()
    index = np.flatnonzero(share)
    whole = Background(grid.centre(index), share[index], grid.cell_m)
    drawn = whole.inside(city, grid=grid).draw(20_000, rng=np.random.default_rng(2))
    away = shapely.distance(shapely.points(drawn), city)
    assert away.max() <= 25 * np.sqrt(2)
    assert (away > 0).mean() < 0.02
    # Evenly over the ground: the part south of the river has (2,000 + 1,840) / 2 x 320 of 1,750,000 - 100 x 1,815 m2.
    south = (drawn[:, 1] < 320).mean()
    assert south == pytest.approx(1_920 * 320 / (1_750_000 - 181_500), abs=0.012)
    before = whole.draw(20_000, rng=np.random.default_rng(2))
    assert (shapely.distance(shapely.points(before), city) > 0).mean() > 0.08


def test_nulls_stay_in_the_background() -> None:
    background = Background(np.array([[100.0, 100.0], [900.0, 100.0], [500.0, 500.0]]), np.array([1.0, 3.0, 0.0]), 50.0)
    drawn = background.draw(4000, rng=np.random.default_rng(1))
    east = drawn[:, 0] > 500
    assert east.mean() == pytest.approx(0.75, abs=0.03)
    assert np.abs(drawn - np.where(east[:, None], [900.0, 100.0], [100.0, 100.0])).max() <= 25.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"locations": TOWN.drop(columns=["month", "incidents"])}, "no column month, incidents"),
        ({"locations": TOWN.assign(easting_m=np.nan)}, "no finite easting"),
        ({"locations": TOWN.assign(incidents=-1)}, "negative or not whole"),
        ({"locations": TOWN.assign(incidents=1.5)}, "negative or not whole"),
        ({"locations": TOWN.assign(month=None)}, "rows without month"),
        ({"window": (202403, 202401)}, "cannot end"),
        ({"previous": (202312, 202401)}, "2023-12..2024-01 must end before the window 2024-01..2024-03"),
        ({"eps_m": 0.0}, "eps_m is 0.0"),
        ({"min_samples": 0}, "min_samples is 0"),
        ({"method": "kmeans"}, "choose dbscan"),
        ({"resamples": 5}, "pass rng"),
        ({"simulations": 5, "rng": np.random.default_rng(1)}, "needs a background"),
    ],
)
def test_unusable_input_is_refused(change: dict, words: str) -> None:
    settings = {"locations": TOWN, "window": WINDOW, "eps_m": 100.0, "min_samples": 10} | change
    with pytest.raises(InputError, match=words):
        find_hotspots(**settings)


@pytest.mark.parametrize(
    ("centres", "weights", "cell_m", "words"),
    [
        (np.zeros((2, 2)), np.ones(3), 10.0, "do not belong together"),
        (np.zeros((2, 2)), np.zeros(2), 10.0, "not all zero"),
        (np.zeros((2, 2)), np.array([1.0, -1.0]), 10.0, "not negative"),
        (np.zeros((2, 2)), np.ones(2), 0.0, "cell_m is 0.0"),
    ],
)
def test_a_background_must_be_usable(centres: np.ndarray, weights: np.ndarray, cell_m: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Background(centres, weights, cell_m)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        # Five places ten metres apart, four incidents at each: 20 within reach, so that 20 would find it.
        pytest.param(400, (12, 1), id="halved five times"),
        pytest.param(21, (10, 1), id="halved once"),
        pytest.param(3, None, id="half of three is too few to try"),
    ],
)
def test_a_smaller_min_samples_that_finds_some_is_named(asked: int, found: tuple[int, int] | None) -> None:
    rows = pd.DataFrame([row(100 + 10 * i, 100, "W", 202401, 4) for i in range(5)])
    settings = {"eps_m": 150.0, "method": "dbscan", "min_locations": 5}
    assert lower_min_samples(rows, min_samples=asked, **settings) == found
    if found:
        assert find_hotspots(rows, window=(202401, 202401), min_samples=found[0], **settings).table.shape[0] == found[1]


def test_where_no_min_samples_finds_any_none_is_named() -> None:
    rows = pd.DataFrame([row(1000 * i, 0, "W", 202401, 50) for i in range(9)])
    assert lower_min_samples(rows, eps_m=150.0, min_samples=400, method="dbscan", min_locations=5) is None
