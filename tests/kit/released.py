"""Releases for tests, made without the gate: a small invented city, a London-like large one, and awkward ones.

Only tests may do this. Everything is drawn from seeded generators, so two calls give equal releases.
"""

import calendar
import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.release.released import _SEAL, Break, CategoryInfo, Event, PeriodInfo, Released, ReleaseInfo

__all__ = ["HOSTILE", "city", "hostile_city", "london", "make_info", "sealed", "windows"]

SAMPLE = Path(__file__).parents[2] / "data" / "sample"

HOSTILE = (
    "</script><script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "`${window.pwned=1}`",
    "{{ 7*7 }}{% raw %}{# note #}",
    "=cmd|'/c calc'!A1",
    "\u202egnirts desrever",
    'O\'Brien & "Sons" \\ \u2028 end',
)
"""Strings that must appear as they are, wherever an input puts them."""

MONTHS = list(calendar.month_name)[1:]

CATEGORIES = (
    CategoryInfo("all", "All hate crime", None),
    CategoryInfo("racist", "Racist", "all"),
    CategoryInfo("faith", "Faith", "all"),
    CategoryInfo("homophobic", "Homophobic", "all"),
    CategoryInfo("transphobic", "Transphobic", "all"),
)


def windows(first: int, count: int, months: int) -> tuple[PeriodInfo, ...]:
    """Consecutive windows of `months` months, the first starting in month `first` (yyyymm)."""
    out = []
    for k in range(count):
        start = pd.Period(f"{first // 100}-{first % 100:02d}", "M") + k * months
        end = start + months - 1
        days = (end.end_time.normalize() - start.start_time).days + 1
        ident = str(start) if months == 1 else f"{start}..{end}"
        last = f"{MONTHS[end.month - 1]} {end.year}"
        label = last if months == 1 else f"{months} months to {last}"
        day = end.end_time.date().isoformat()
        out.append(PeriodInfo(ident, label, start.start_time.date().isoformat(), day, days, complete=True))
    return tuple(out)


def make_info(**changes: Any) -> ReleaseInfo:
    """Words of an internal release of four years of an invented city, with any field replaced."""
    yearly = windows(202108, 4, 12)
    base: dict[str, Any] = {
        "run_name": "fixture",
        "title": "Hate crime",
        "noun": "hate crimes",
        "recorder": "Police",
        "place": "Anytown police area",
        "publisher": "Anytown Police, taken on 2 August 2025",
        "licence": "Contains public sector information licensed under the Open Government Licence v3.0.",
        "synthetic": True,
        "language": "en-GB",
        "profile": "internal",
        "audience": "internal",
        "marking": "",
        "threshold": 0,
        "rounding": 0,
        "zero_rule": "show",
        "audit": "not needed",
        "region_code": "E12000007",
        "region_name": "Anytown",
        "level_labels": {
            "ward": ("ward", "wards"),
            "borough": ("borough", "boroughs"),
            "region": ("region", "regions"),
        },
        "categories": CATEGORIES,
        "headline": yearly[-1],
        "earlier": yearly[-2],
        "periods": {"ward": yearly, "borough": windows(202108, 48, 1), "region": windows(202108, 48, 1)},
        "breaks": (Break("2024-03", "New recording system"),),
        "events": (Event("2024-07-30", "Disorder after Southport", ()),),
        "outcome_basis": "cohort",
        "measures": ("incidents", "positive_outcomes"),
        "has_points": True,
        "working_crs": "EPSG:27700",
        "support": (
            ("Report hate crime to the police", "101, or 999 in an emergency"),
            ("True Vision", "report-it.org.uk"),
        ),
        "caveats": ("Coordinates are snapped to the nearest junction.",),
        "density_note": "Quartic kernel, bandwidth 800 m.",
        "hotspot_note": "DBSCAN, reach 200 m, at least 30 incidents.",
        "simplify_m": 28.0,
    }
    return ReleaseInfo(**(base | changes))


def _grid_areas(columns: int, rows: int, per_side: int) -> gpd.GeoDataFrame:
    """Square boroughs of 3 km, each of `per_side` squared square wards, near Charing Cross."""
    records = []
    size = 3000.0 / per_side
    for bx in range(columns):
        for by in range(rows):
            code = f"B{bx}{by}"
            x0, y0 = 525000.0 + 3000 * bx, 175000.0 + 3000 * by
            records.append(
                (
                    "borough",
                    code,
                    f"Borough {chr(65 + bx)}{by + 1}",
                    "E12000007",
                    shapely.box(x0, y0, x0 + 3000, y0 + 3000),
                )
            )
            for i in range(per_side):
                for j in range(per_side):
                    cell = shapely.box(x0 + i * size, y0 + j * size, x0 + (i + 1) * size, y0 + (j + 1) * size)
                    records.append(
                        ("ward", f"{code}-{i}{j}", f"Ward {chr(65 + bx)}{by + 1} {i + 1}{j + 1}", code, cell)
                    )
    return _areas(records)


def _areas(records: list[tuple[str, str, str, str | None, Any]]) -> gpd.GeoDataFrame:
    whole = shapely.union_all([r[4] for r in records if r[0] == "borough"] or [r[4] for r in records])
    records = [("region", "E12000007", "Anytown", None, whole), *records]
    frame = gpd.GeoDataFrame(
        {
            "area_code": [r[1] for r in records],
            "level": [r[0] for r in records],
            "name": [r[2] for r in records],
            "parent_code": [r[3] for r in records],
        },
        geometry=[r[4] for r in records],
        crs="EPSG:27700",
    )
    frame["population"] = pd.array([9000] * len(frame), dtype="Int64")
    frame["population_year"] = pd.array([2021] * len(frame), dtype="Int64")
    frame["vintage"] = "test"
    frame["area_km2"] = frame.area / 1e6
    frame["covered"] = True
    order = {"region": 0, "borough": 1, "ward": 2}
    frame["_o"] = frame["level"].map(order)
    return frame.sort_values(["_o", "area_code"]).drop(columns="_o").reset_index(drop=True)


def _counts(areas: gpd.GeoDataFrame, info: ReleaseInfo, seed: int) -> pd.DataFrame:
    """Rows for every area, window and category; sums hold; derived columns follow from the counts by plain formulae."""
    rng = np.random.default_rng(seed)
    shares = {c.id: 1.0 if c.id == "all" else 0.62 / (k**1.6) for k, c in enumerate(info.categories)}
    wards = areas[areas["level"] == "ward"]
    boroughs = areas[areas["level"] == "borough"]
    pull = rng.lognormal(0.0, 0.75, len(wards))
    months = [p.id for p in windows(202108, 48, 1)]
    season = 1 + 0.12 * np.sin(np.arange(48) / 12 * 2 * np.pi) + 0.004 * np.arange(48)
    all_monthly = rng.poisson(pull[:, None] * season[None, :] * 2.4)
    monthly = {c: all_monthly if c == "all" else rng.binomial(all_monthly, min(1.0, s)) for c, s in shares.items()}
    good = {c: rng.binomial(m, 0.16) for c, m in monthly.items()}
    index = {"ward": np.arange(len(wards))[:, None] == np.arange(len(wards))[None, :]}
    index["borough"] = (
        (boroughs["area_code"].to_numpy()[:, None] == wards["parent_code"].to_numpy()[None, :])
        if len(boroughs)
        else np.zeros((0, len(wards)), bool)
    )
    index["region"] = np.ones((1, len(wards)), bool)
    frames: list[dict[str, list[Any]]] = []
    for level in ("region", "borough", "ward"):
        part = areas[areas["level"] == level].reset_index(drop=True)
        if part.empty:
            continue
        listed = {p.id: p for p in (*info.periods.get(level, ()), info.headline)}
        if level == "region":
            listed |= {p.id: p for p in info.periods.get("ward", ())}
        for period in listed.values():
            first = months.index(period.id[:7])
            last = months.index(period.id[-7:])
            for category in info.categories:
                member = index[level].astype(np.int64)
                n = member @ monthly[category.id][:, first : last + 1].sum(axis=1)
                o = member @ good[category.id][:, first : last + 1].sum(axis=1)
                earlier = None
                if last - first == 11 and first >= 12:
                    earlier = member @ monthly[category.id][:, first - 12 : first].sum(axis=1)
                frames.append(_rows(part, level, period, category=category.id, n=n, o=o, earlier=earlier))
    return _frame(frames)


def _rows(part, level, period, *, category, n, o, earlier) -> dict[str, list[Any]]:
    """Columns of one level, window and category as plain lists; None where there is no number."""
    people = part["population"].astype("float64").to_numpy()
    ward = level == "ward"
    blank: list[Any] = [None] * len(n)

    def numbers(values, good, digits=4) -> list[Any]:
        return [round(float(v), digits) if g else None for v, g in zip(values, good, strict=True)]

    rate, spread = n / people * 1e4, 1.96 * np.sqrt(np.maximum(n, 1)) / people * 1e4
    rated = (n >= 10) | (n == 0) if ward else np.ones(len(n), bool)
    share = o / np.maximum(n, 1)
    change, compared, word = np.zeros(len(n)), np.zeros(len(n), bool), blank
    if earlier is not None:
        change, compared = (n / np.maximum(earlier, 1) - 1) * 100, earlier >= 20
        word = [
            "too few" if e < 20 else "higher" if c > 15 else "lower" if c < -15 else "no clear change"
            for e, c in zip(earlier, change, strict=True)
        ]
    tested = ward and period.id.endswith("2025-07")
    z = (n - n.mean()) / max(1e-9, n.std())
    return {
        "area_code": list(part["area_code"]),
        "area_name": list(part["name"]),
        "level": [level] * len(n),
        "period": [period.id] * len(n),
        "period_start": [period.start] * len(n),
        "period_end": [period.end] * len(n),
        "complete": [True] * len(n),
        "category": [category] * len(n),
        "incidents": [int(v) for v in n],
        "incidents_unplaced": [0] * len(n),
        "positive_outcomes": [int(v) for v in o],
        "rate_per_10000": numbers(rate, rated),
        "rate_low": numbers(np.maximum(0, rate - spread), rated),
        "rate_high": numbers(rate + spread, rated),
        "rate_smoothed": numbers(rate, rated),
        "reliability": [
            ("too few to say" if 0 < v < 10 else "unreliable" if 0 < v < 20 else "") if ward else "" for v in n
        ],
        "outcome_share": numbers(share, n > 0),
        "outcome_low": numbers(share * 0.7, n > 0),
        "outcome_high": numbers(share * 1.3, n > 0),
        "change_pct": numbers(change, compared, 2),
        "change_word": word,
        "change_vs_region": word,
        "gistar_z": blank,
        "gistar_p": blank,
        "hotspot_class": [3 if v > 2.2 else 2 if v > 1.6 else 1 if v > 1.1 else -1 if v < -1.2 else 0 for v in z]
        if tested
        else blank,
        "moran_class": ["HH" if v > 1.6 else "ns" for v in z] if tested else blank,
        "emerging_class": ["persistent" if v > 1.6 else None for v in z] if tested and category == "all" else blank,
        "withheld": [""] * len(n),
    }


def _frame(parts: list[dict[str, list[Any]]]) -> pd.DataFrame:
    columns = {name: [v for part in parts for v in part[name]] for name in parts[0]}
    whole = {"incidents", "incidents_unplaced", "positive_outcomes", "hotspot_class"}
    decimal = {
        "rate_per_10000",
        "rate_low",
        "rate_high",
        "rate_smoothed",
        "outcome_share",
        "outcome_low",
        "outcome_high",
        "change_pct",
        "gistar_z",
        "gistar_p",
    }
    kind = {"Int64": whole, "float64": decimal, "bool": {"complete"}}
    types = {name: t for t, names in kind.items() for name in names}
    return pd.DataFrame({name: pd.Series(values, dtype=types.get(name, "str")) for name, values in columns.items()})


def _hotspots(areas: gpd.GeoDataFrame, counts: pd.DataFrame, info: ReleaseInfo, count: int) -> gpd.GeoDataFrame:
    best = counts[(counts["level"] == "ward") & (counts["period"] == info.headline.id) & (counts["category"] == "all")]
    best = best.sort_values(["incidents", "area_code"], ascending=[False, True]).head(count)
    place = areas.set_index("area_code")
    rows = []
    for k, row in enumerate(best.itertuples()):
        centre = place.geometry[row.area_code].representative_point()
        hexes = [centre.buffer(330, quad_segs=2), shapely.affinity.translate(centre, 300, 180).buffer(280, quad_segs=2)]
        shape = shapely.union_all(hexes)
        rows.append(
            (
                f"H{k + 1:02d}",
                k + 1,
                row.area_name,
                int(row.incidents) // 2,
                "50 to 99" if k else "100 or more",
                shape.area / 1e6,
                row.area_code,
                shape,
            )
        )
    return gpd.GeoDataFrame(
        {
            "hotspot_id": [r[0] for r in rows],
            "rank": [r[1] for r in rows],
            "name": [r[2] for r in rows],
            "incidents": pd.array([r[3] for r in rows], dtype="Int64"),
            "incidents_band": [r[4] for r in rows],
            "area_km2": [round(r[5], 3) for r in rows],
            "density_per_km2": [round(r[3] / r[5], 1) for r in rows],
            "first_period": info.headline.start[:7],
            "last_period": info.headline.end[:7],
            "ward_codes": [r[6] for r in rows],
        },
        geometry=[r[7] for r in rows],
        crs=info.working_crs,
    )


def _density(areas: gpd.GeoDataFrame, info: ReleaseInfo, seed: int) -> gpd.GeoDataFrame:
    """Bands of a smooth invented surface: sums of hills, contoured."""
    import contourpy

    rng = np.random.default_rng(seed)
    whole = areas[areas["level"] == "region"].geometry.iloc[0]
    left, low, right, high = whole.bounds
    x, y = np.meshgrid(np.linspace(left, right, 90), np.linspace(low, high, 90))
    middle = np.array([(left + right) / 2, (low + high) / 2])
    hills = rng.normal(middle, [(right - left) / 6, (high - low) / 6], (40, 2))
    reach = (right - left) / 18
    surface = sum(np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * reach**2)) for a, b in hills)
    surface = surface / surface.mean() * 12.0
    maker = contourpy.contour_generator(x, y, surface, fill_type=contourpy.FillType.OuterOffset)
    steps = [5.0, 10.0, 20.0, 40.0, 80.0, np.inf]
    rows = []
    for band_low, band_high in itertools.pairwise(steps):
        points, offsets = maker.filled(band_low, band_high)
        parts = [
            shapely.Polygon(p[o[0] : o[1]], [p[a:b] for a, b in itertools.pairwise(o[1:])])
            for p, o in zip(points, offsets, strict=True)
        ]
        shape = shapely.make_valid(shapely.MultiPolygon(parts)).intersection(whole)
        if not shape.is_empty:
            rows.append((f"all-{band_low:g}", "all", band_low, None if np.isinf(band_high) else band_high, shape))
    return gpd.GeoDataFrame(
        {
            "density_id": [r[0] for r in rows],
            "category": [r[1] for r in rows],
            "density_low": [r[2] for r in rows],
            "density_high": pd.array([r[3] for r in rows], dtype="Float64"),
        },
        geometry=[r[4] for r in rows],
        crs=info.working_crs,
    )


def sealed(info: ReleaseInfo, areas, counts, hotspots, density) -> Released:
    """Make a release the way only the gate may."""
    return Released(info, areas, counts, hotspots, density, {}, seal=_SEAL)


def withhold(counts: pd.DataFrame, hide: pd.Series) -> pd.DataFrame:
    derived = ["incidents", "positive_outcomes", "rate_per_10000", "rate_low", "rate_high", "rate_smoothed"]
    derived += [
        "outcome_share",
        "outcome_low",
        "outcome_high",
        "change_pct",
        "change_word",
        "change_vs_region",
        "hotspot_class",
    ]
    out = counts.copy()
    for column in derived:
        out[column] = out[column].mask(hide)
    out["reliability"] = out["reliability"].mask(hide, "")
    out["withheld"] = out["withheld"].mask(hide, ";".join(derived))
    return out


def _audience(released: Released, audience: str) -> Released:
    """Apply a threshold, and null what only the inside may see."""
    threshold = {"internal": 0, "partner": 5, "public": 10}[audience]
    info = dataclasses.replace(released.info, audience=audience, profile=audience, threshold=threshold)
    if audience == "internal":
        return dataclasses.replace(released, info=info)
    small = (
        (released.counts["incidents"] > 0)
        & (released.counts["incidents"] < threshold)
        & (released.counts["level"] == "ward")
    )
    counts = withhold(released.counts, small.fillna(False).astype(bool))
    hotspots = released.hotspots.copy()
    hotspots["incidents"] = pd.array([None] * len(hotspots), dtype="Int64")
    hotspots["density_per_km2"] = np.nan
    if audience == "public":
        counts["hotspot_class"] = counts["hotspot_class"].mask((counts["hotspot_class"] < 0).fillna(value=False), 0)
    if info.audit == "not needed":
        info = dataclasses.replace(info, audit="passed")
    return sealed(info, released.areas, counts, hotspots, released.density)


def city(
    *,
    audience: str = "internal",
    columns: int = 3,
    rows: int = 2,
    per_side: int = 3,
    seed: int = 7,
    **info_changes: Any,
) -> Released:
    """A city of square boroughs and wards. Six boroughs of nine wards unless asked otherwise."""
    info = make_info(**info_changes)
    areas = _grid_areas(columns, rows, per_side)
    areas.loc[areas["area_code"] == "B20", "covered"] = False
    areas.loc[areas["parent_code"] == "B20", "covered"] = False
    counts = _counts(areas, info, seed)
    bare = areas.loc[~areas["covered"], "area_code"]
    counts = counts[~counts["area_code"].isin(bare)].reset_index(drop=True)
    hotspots = _hotspots(areas, counts, info, min(6, len(areas)))
    return _audience(sealed(info, areas, counts, hotspots, _density(areas, info, seed)), audience)


def hostile_city(**changes: Any) -> Released:
    """The city with every text field an input can fill set to something hostile."""
    bad = HOSTILE
    base = city(
        title=bad[0],
        noun=bad[1],
        recorder=bad[2],
        place=bad[2],
        publisher=bad[3],
        licence=bad[4],
        region_name=bad[6],
        marking=bad[1],
        support=((bad[0], bad[1]), (bad[2], bad[3])),
        caveats=bad,
        density_note=bad[0],
        hotspot_note=bad[3],
        contact=bad[1],
        breaks=(Break("2024-03", bad[1]),),
        events=(Event("2024-07-30", bad[0], ()),),
        categories=(CategoryInfo("all", bad[3], None), CategoryInfo("racist", bad[0], "all")),
        **changes,
    )
    areas = base.areas.copy()
    areas["name"] = [bad[i % len(bad)] + f" {i}" for i in range(len(areas))]
    areas["vintage"] = bad[0]
    names = dict(zip(areas["area_code"], areas["name"], strict=True))
    counts = base.counts.copy()
    counts["area_name"] = counts["area_code"].map(names)
    counts["emerging_class"] = counts["emerging_class"].where(counts["emerging_class"].isna(), bad[1])
    hotspots = base.hotspots.copy()
    hotspots["name"] = [bad[i % len(bad)] for i in range(len(hotspots))]
    hotspots["incidents_band"] = bad[1]
    return sealed(base.info, areas, counts, hotspots, base.density)


def london(*, audience: str = "internal", **info_changes: Any) -> Released:
    """The 33 boroughs and the synthetic wards of the sample, with invented counts: about 650 wards."""
    frames = {}
    for level in ("borough", "ward"):
        frames[level] = gpd.read_file(SAMPLE / f"{level}s.geojson").to_crs("EPSG:27700")
    people = pd.read_csv(SAMPLE / "population.csv").set_index("area_code")["population"]
    records = []
    for level, frame in frames.items():
        parent = frame["parent_code"] if level == "ward" else ["E12000007"] * len(frame)
        records += [
            (level, c, n, p, g)
            for c, n, p, g in zip(frame["area_code"], frame["area_name"], parent, frame.geometry, strict=True)
        ]
    areas = _areas(records)
    areas["population"] = pd.array([people.get(c) for c in areas["area_code"]], dtype="Int64")
    areas.loc[areas["level"] == "region", "population"] = int(
        areas.loc[areas["level"] == "borough", "population"].sum()
    )
    areas.loc[areas["level"] == "region", "name"] = "London"
    city_codes = areas["area_code"].eq("E09000001") | areas["parent_code"].eq("E09000001")
    areas.loc[city_codes, "covered"] = False
    words = {
        "place": "Metropolitan Police area, London",
        "region_name": "London",
        "publisher": "Metropolitan Police, published 2 August 2025",
    }
    info = make_info(**(words | info_changes))
    counts = _counts(areas, info, 11)
    counts = counts[~counts["area_code"].isin(areas.loc[~areas["covered"], "area_code"])].reset_index(drop=True)
    return _audience(
        sealed(info, areas, counts, _hotspots(areas, counts, info, 12), _density(areas, info, 5)), audience
    )


def large_payload_size(html: str) -> int:
    """Bytes of the JSON block of a page."""
    start = html.index('id="data">') + len('id="data">')
    block = html[start : html.index("</script>", start)]
    json.loads(block)
    return len(block)
