"""Releases for tests, made without the gate: a small invented city, a London-like large one, and awkward ones.

Only tests may do this. Everything is drawn from seeded generators, so two calls give equal releases.
"""

import calendar
import itertools
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.publish.words import count_text
from pipeline.release.released import _SEAL, Break, CategoryInfo, Event, PeriodInfo, Released, ReleaseInfo

__all__ = ["HOSTILE", "city", "exactly", "hostile_city", "london", "make_info", "sealed", "windows", "withhold"]

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

RANGED = ("incidents", "positive_outcomes", "known_outcomes")
Range = tuple[np.ndarray, np.ndarray]
"""Least and greatest of each count."""

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
        "mechanism": "exact",
        "step": 1,
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
        "gaps_are_water": True,
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


_COUNTED: dict[str, pd.DataFrame] = {}


def _counts(areas: gpd.GeoDataFrame, info: ReleaseInfo, seed: int) -> pd.DataFrame:
    """Return the counts of a release: made once for equal areas, windows, categories and steps, and copied."""
    codes = areas[["area_code", "name", "level", "parent_code", "population"]].to_csv(index=False)
    key = repr((codes, [c.id for c in info.categories], info.periods, info.headline, info.step, seed))
    if key not in _COUNTED:
        _COUNTED[key] = _drawn_counts(areas, info, seed)
    return _COUNTED[key].copy()


def _drawn_counts(areas: gpd.GeoDataFrame, info: ReleaseInfo, seed: int) -> pd.DataFrame:
    """Rows for every area, window and category; derived columns follow from the counts by plain formulae.

    Sums hold in exact counts; under steps each window of a level's series is a step by itself, and a longer window the
    sum of those in it.
    """
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
        series = info.periods.get(level, ())
        listed = {p.id: p for p in (*series, info.headline)}
        if level == "region":
            listed |= {p.id: p for p in info.periods.get("ward", ())}
        whole = {p.id: (months.index(p.id[:7]), months.index(p.id[-7:]) + 1) for p in listed.values()}
        for period in listed.values():
            start, end = whole[period.id]
            # A window that is no part of the series is the sum of the windows of the series inside it.
            own = {p.id: whole[p.id] for p in series}
            inside = [span for span in own.values() if start <= span[0] and span[1] <= end]
            spans = [(start, end)] if period.id in own or not inside else inside
            for category in info.categories:
                member = index[level].astype(np.int64)

                def ranged(values, spans=spans, member=member) -> Range:
                    each = [member @ values[:, first:last].sum(axis=1) for first, last in spans]
                    lower = sum(n // info.step * info.step for n in each)
                    return lower, lower + len(spans) * (info.step - 1)

                n, o = ranged(monthly[category.id]), ranged(good[category.id])
                earlier = None
                if end - start == 12 and start >= 12:
                    earlier = ranged(monthly[category.id], [(first - 12, last - 12) for first, last in spans])
                frames.append(_rows(part, level, period, category=category.id, n=n, o=o, earlier=earlier))
    return _frame(frames)


def _middle(count: Range) -> tuple[np.ndarray, np.ndarray]:
    """Middle of each range, and where there is one: not in a first step."""
    lower, upper = count
    return lower + (upper - lower + 1) // 2, (lower > 0) | (upper == 0)


def _rows(part, level, period, *, category, n: Range, o: Range, earlier: Range | None) -> dict[str, list[Any]]:
    """Columns of one level, window and category as plain lists; None where there is no number."""
    people = part["population"].astype("float64").to_numpy()
    ward = level == "ward"
    size = len(part)
    blank: list[Any] = [None] * size

    def numbers(values, good, digits=4) -> list[Any]:
        return [round(float(v), digits) if g else None for v, g in zip(values, good, strict=True)]

    (lower, upper), (middle, given) = n, _middle(n)
    positive, stated = _middle(o)
    # A range has the limits of its ends; of one number both ends are that number.
    low = np.maximum(0, lower - 1.96 * np.sqrt(np.maximum(lower, 1)))
    high = upper + 1.96 * np.sqrt(np.maximum(upper, 1))
    rated = given & ((lower >= 10) | (upper == 0) | (not ward))
    share = np.minimum(1, positive / np.maximum(middle, 1))
    change, compared, word = np.zeros(size), np.zeros(size, bool), blank
    if earlier is not None:
        before, _ = _middle(earlier)
        change, compared = (middle / np.maximum(before, 1) - 1) * 100, (earlier[0] >= 20) & given
        word = [
            "too few"
            if not c
            else "higher"
            if lo > most * 1.15
            else "lower"
            if hi < least * 0.85
            else "no clear change"
            for c, lo, hi, least, most in zip(compared, lower, upper, *earlier, strict=True)
        ]
    tested = ward and period.id.endswith("2025-07")
    z = (middle - middle.mean()) / max(1e-9, middle.std())
    weak = (upper > 0) & ((lower < 10) & ward | ~given)
    return {
        "area_code": list(part["area_code"]),
        "area_name": list(part["name"]),
        "level": [level] * size,
        "period": [period.id] * size,
        "period_start": [period.start] * size,
        "period_end": [period.end] * size,
        "complete": [True] * size,
        "category": [category] * size,
        **_columns("incidents", n),
        "incidents_unplaced": [0] * size,
        **_columns("positive_outcomes", o),
        **dict.fromkeys(("known_outcomes", "known_outcomes_lower", "known_outcomes_upper"), blank),
        "rate_per_10000": numbers(middle / people * 1e4, rated),
        "rate_low": numbers(low / people * 1e4, rated),
        "rate_high": numbers(high / people * 1e4, rated),
        "rate_smoothed": numbers(middle / people * 1e4, rated),
        "rate_smoothed_local": numbers(middle / people * 1e4, rated),
        "reliability": [
            "too few to say" if w else "unreliable" if ward and 0 < v < 20 else ""
            for w, v in zip(weak, lower, strict=True)
        ],
        "funnel_class": blank,
        "outcome_share": numbers(share, given & stated & (upper > 0)),
        "outcome_low": numbers(share * 0.7, given & stated & (upper > 0)),
        "outcome_high": numbers(np.minimum(1, share * 1.3), given & stated & (upper > 0)),
        "change_pct": numbers(change, compared, 2),
        "change_word": word,
        "change_vs_region": word,
        "gistar_z": blank,
        "gistar_p": blank,
        "hotspot_class": [3 if v > 2.2 else 2 if v > 1.6 else 1 if v > 1.1 else -1 if v < -1.2 else 0 for v in z]
        if tested
        else blank,
        "moran_class": ["HH" if v > 1.6 else "ns" for v in z] if tested else blank,
        "emerging_class": ["persistent hot spot" if v > 1.6 else None for v in z]
        if tested and category == "all"
        else blank,
        "not_offered": [""] * size,
        "withheld": [""] * size,
    }


def _columns(measure: str, count: Range) -> dict[str, list[Any]]:
    """A count's middle and ends."""
    middle, given = _middle(count)
    return {
        measure: [int(v) if g else None for v, g in zip(middle, given, strict=True)],
        f"{measure}_lower": [int(v) for v in count[0]],
        f"{measure}_upper": [int(v) for v in count[1]],
    }


def _frame(parts: list[dict[str, list[Any]]]) -> pd.DataFrame:
    columns = {name: [v for part in parts for v in part[name]] for name in parts[0]}
    whole = {f"{m}{end}" for m in RANGED for end in ("", "_lower", "_upper")} | {"incidents_unplaced", "hotspot_class"}
    decimal = {
        "rate_per_10000",
        "rate_low",
        "rate_high",
        "rate_smoothed",
        "rate_smoothed_local",
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


def exactly(counts: pd.DataFrame) -> pd.DataFrame:
    """Give every count as a range of one number: for tests that write numbers of their own."""
    ends = {f"{m}_{end}": counts[m].astype("Int64") for m in RANGED if m in counts for end in ("lower", "upper")}
    return counts.assign(**ends)


def _hotspots(areas: gpd.GeoDataFrame, counts: pd.DataFrame, info: ReleaseInfo, count: int) -> gpd.GeoDataFrame:
    best = counts[(counts["level"] == "ward") & (counts["period"] == info.headline.id) & (counts["category"] == "all")]
    best = best.sort_values(["incidents_lower", "area_code"], ascending=[False, True]).head(count)
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
                int(row.incidents_lower) // 2 // info.step * info.step,
                info.step,
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
            "incidents": pd.array([r[3] + r[4] // 2 for r in rows], dtype="Int64"),
            "incidents_lower": pd.array([r[3] for r in rows], dtype="Int64"),
            "incidents_upper": pd.array([r[3] + r[4] - 1 for r in rows], dtype="Int64"),
            "incidents_band": [count_text(r[3], r[3] + r[4] - 1) for r in rows],
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


def sealed(info: ReleaseInfo, areas, counts, hotspots, density, *, record: dict[str, Any] | None = None) -> Released:
    """Make a release the way only the gate may; every second hotspot and the lowest band are a category's too."""
    category = next((c.id for c in info.categories if c.id != "all"), "all")
    about = {"category": category, "period_start": info.headline.start, "period_end": info.headline.end}
    spots = hotspots.iloc[::2].assign(**about)
    spots["hotspot_id"] = [f"{category}-{i}" for i in spots["hotspot_id"]]
    bands = density.sort_values("density_low").iloc[:1].assign(**about, density_id=f"{category}-01")
    each = {"hotspots_by_category": spots, "density_by_category": bands.iloc[: len(density)]}
    return Released(info, areas, counts, hotspots, density, record or {}, seal=_SEAL, **each)


def withhold(counts: pd.DataFrame, hide: pd.Series) -> pd.DataFrame:
    """Offer neither the counts of some rows nor what is made from them."""
    names = [*RANGED[:2], "rate_per_10000", "rate_low", "rate_high", "rate_smoothed", "rate_smoothed_local"]
    names += ["outcome_share", "outcome_low", "outcome_high", "change_pct", "change_word", "change_vs_region"]
    out = counts.copy()
    ends = [f"{m}_{end}" for m in RANGED[:2] for end in ("lower", "upper")]
    for column in (*names, *ends, "hotspot_class"):
        out[column] = out[column].mask(hide)
    out["reliability"] = out["reliability"].mask(hide, "")
    for column in ("not_offered", "withheld"):
        out[column] = out[column].mask(hide, ";".join(names))
    return out


_AUDIENCES: dict[str, dict[str, Any]] = {
    "internal": {"threshold": 0, "mechanism": "exact", "step": 1},
    "partner": {"threshold": 5, "mechanism": "steps", "step": 5},
    "public": {"threshold": 10, "mechanism": "steps", "step": 10},
}


def _audience(audience: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Words and choices of an audience; `mechanism` may be given instead of its own, without steps then."""
    own = {"audience": audience, "profile": audience} | _AUDIENCES[audience]
    if changes.get("mechanism", own["mechanism"]) != "steps":
        own["step"] = 1
    if audience != "internal":
        # The windows of a default profile: years that never overlap, the same at every level.
        own["audit"], own["periods"] = "passed", dict.fromkeys(("ward", "borough", "region"), windows(202108, 4, 12))
    return own | changes


def _protected(released: Released) -> Released:
    """Do what the gate does to counts that are steps already: leave out, blur, and null what only the inside may see.

    Steps: in the first borough the wards of the last category are not offered. Suppression: nor are counts of wards
    under the threshold. Noise: every count may be 4 off.
    """
    info, counts = released.info, released.counts
    if info.audience == "internal":
        return released
    ward = counts["level"] == "ward"
    if info.mechanism == "steps":
        counts["incidents_unplaced"] = pd.array([pd.NA] * len(counts), dtype="Int64")
        counts["not_offered"] = counts["withheld"] = "incidents_unplaced"
        boroughs = released.areas.loc[(released.areas["level"] == "borough") & released.areas["covered"], "area_code"]
        within = released.areas.loc[released.areas["parent_code"].isin(boroughs.head(1)), "area_code"]
        last = info.categories[-1].id
        counts = withhold(
            counts, ward & (counts["category"] == last) & (last != "all") & counts["area_code"].isin(within)
        )
    elif info.mechanism == "suppress":
        small = (counts["incidents"] > 0) & (counts["incidents"] < info.threshold) & ward
        counts = withhold(counts, small.fillna(value=False).astype(bool))
    elif info.mechanism == "noise":
        for measure in RANGED[:2]:
            counts[f"{measure}_lower"] = (counts[measure] - 4).clip(lower=0)
            counts[f"{measure}_upper"] = counts[measure] + 4
    hotspots = released.hotspots.copy()
    hotspots["incidents"] = pd.array([None] * len(hotspots), dtype="Int64")
    hotspots["density_per_km2"] = np.nan
    if info.audience == "public":
        counts["hotspot_class"] = counts["hotspot_class"].mask((counts["hotspot_class"] < 0).fillna(value=False), 0)
    record = {"rules": {"noise_reach": 4}} if info.mechanism == "noise" else {}
    return sealed(info, released.areas, counts, hotspots, released.density, record=record)


def city(
    *,
    audience: str = "internal",
    columns: int = 3,
    rows: int = 2,
    per_side: int = 3,
    seed: int = 7,
    **info_changes: Any,
) -> Released:
    """A city of square boroughs and wards. Six boroughs of nine wards unless asked otherwise.

    `partner` and `public` come in steps of 5 and 10; `mechanism="suppress"` or `"noise"` protects them otherwise.
    """
    info = make_info(**_audience(audience, info_changes))
    areas = _grid_areas(columns, rows, per_side)
    areas.loc[areas["area_code"] == "B20", "covered"] = False
    areas.loc[areas["parent_code"] == "B20", "covered"] = False
    counts = _counts(areas, info, seed)
    bare = areas.loc[~areas["covered"], "area_code"]
    counts = counts[~counts["area_code"].isin(bare)].reset_index(drop=True)
    hotspots = _hotspots(areas, counts, info, min(6, len(areas)))
    return _protected(sealed(info, areas, counts, hotspots, _density(areas, info, seed)))


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
    info = make_info(**_audience(audience, words | info_changes))
    counts = _counts(areas, info, 11)
    counts = counts[~counts["area_code"].isin(areas.loc[~areas["covered"], "area_code"])].reset_index(drop=True)
    return _protected(sealed(info, areas, counts, _hotspots(areas, counts, info, 12), _density(areas, info, 5)))
