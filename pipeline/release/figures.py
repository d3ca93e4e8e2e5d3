"""All derived figures (rates, changes, outcomes and classes), computed from released counts.

No true count is used here, except that the readers of internal have them all. If a count is null because it is
withheld, its figures are null.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.aggregate.counts import sum_periods
from pipeline.config import Config
from pipeline.detect.gistar import MoranClass, area_significance
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Break, Period
from pipeline.domain.profile_windows import Windows
from pipeline.geography.neighbours import Weights, contiguity
from pipeline.release.linked_tables import COUNTS
from pipeline.release.released import ReleasePlan, join_not_offered
from pipeline.statistics.change import ChangeRules, Changes, Comparison, change_together, compare_windows
from pipeline.statistics.rates import RateRules, add_outcomes, add_rates, denominators
from pipeline.statistics.uncertainty import Ranges
from pipeline.statistics.usual_variation import parts_of
from pipeline.statistics.window_counts import WindowCounts
from pipeline.tables import AREA_COUNTS, Level

__all__ = ["Figures", "derive", "without_unknown_zeros"]


_MONTHLY = ["area_code", "month", "category", "incidents"]
OUTCOME_FIGURES = ("outcome_share", "outcome_low", "outcome_high")
# Figures computed from each count. A count can be recovered from such a figure and its other term: they are withheld
# together.
FOLLOWS = {
    "incidents": (
        "rate_per_10000",
        "rate_low",
        "rate_high",
        "rate_smoothed",
        "rate_smoothed_local",
        "change_pct",
        "change_word",
    ),
    "positive_outcomes": OUTCOME_FIGURES,
    "known_outcomes": OUTCOME_FIGURES,
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Table `area_counts`, and notes on how its figures were made."""

    counts: pd.DataFrame
    notes: tuple[str, ...]


def derive(
    counts: pd.DataFrame,
    *,
    plan: ReleasePlan,
    emerging: pd.DataFrame | None = None,
    people: pd.DataFrame | None = None,
    months: pd.DataFrame | None = None,
) -> Figures:
    """Compute all figures of a release from its protected counts.

    Parameters
    ----------
    counts
        area_code, level, period, complete, category, incidents, incidents_unplaced, and positive_outcomes and
        known_outcomes if there are any; for each except incidents_unplaced its range (see `Ranges`); and `not_offered`,
        the set of counts of each row that are not offered.
    plan
        What the release covers, and its rules.
    emerging
        area_code, category, emerging_class from full data: internal only.
    people
        Denominators of single categories: area_code, category, population, measure.
    months
        Counts by area_code, month and category: internal only. The quarters of its windows show how much counts vary.

    Returns
    -------
    figures
        One row per area, period and category, sorted by level (region, borough, ward), area, period, category.
    """
    areas, windows, config, audience = plan.areas, plan.windows, plan.config, plan.profile.audience
    rules = RateRules(
        base=config.rates.base,
        confidence=config.rates.confidence,
        unreliable_under=config.rates.unreliable_under,
        too_few_under=max(config.rates.too_few_under, 1),
    )
    measures = [p.measure for p in config.areas.population if p.category is None]
    of = denominators(areas, people, measure=measures[0] if len(set(measures)) == 1 else "residents")
    listed = list(config.areas.visitor_areas)
    visitors = areas.loc[areas["area_code"].isin(listed) | areas["parent_code"].isin(listed), "area_code"].tolist()
    counts = without_unknown_zeros(counts)
    neighbours = _neighbours(areas)
    rated = add_rates(
        counts,
        of,
        visitor_areas=visitors,
        rules=rules,
        smooth=config.rates.smooth,
        neighbours={level: (codes, weights.matrix) for level, (codes, weights) in neighbours.items()},
    )
    counted = add_outcomes(rated, basis=config.outcomes.basis, confidence=config.rates.confidence)
    figures = _described(counted, areas)
    comparisons = _comparisons(counts, windows, config)
    parts = None if months is None else _parts(months, comparisons, counts=counts, areas=areas)
    changed, words = _changes(counts, comparisons, plan=plan, parts=parts)
    figures = figures.merge(changed, on=["area_code", "period", "category"], how="left")
    significance, notes = _significance(figures, areas=areas, neighbours=neighbours, windows=windows, config=config)
    figures = figures.drop(columns=["gistar_z", "gistar_p", "hotspot_class", "moran_class"], errors="ignore")
    figures = figures.merge(significance, on=["area_code", "period", "category"], how="left")
    if audience != "internal":
        figures[["gistar_z", "gistar_p"]] = np.nan
    # It is a league table by another name: the analyst's alone, and of the period that pages are about.
    shown = (figures["period"] == windows.headline.id) & (audience == "internal")
    figures["funnel_class"] = figures["funnel_class"].where(shown)
    if audience == "public":
        # A cold spot may only mean that people did not report; the public map does not show cold spots.
        figures["hotspot_class"] = figures["hotspot_class"].where(figures["hotspot_class"].fillna(0) >= 0, 0)
        figures["moran_class"] = figures["moran_class"].where(
            figures["moran_class"] != MoranClass.LOW_LOW, MoranClass.NOT_SIGNIFICANT.value
        )
    if emerging is not None and audience == "internal":
        latest = emerging.assign(period=windows.headline.id)
        figures = figures.merge(latest, on=["area_code", "period", "category"], how="left")
    figures["not_offered"] = _not_offered(figures, areas=areas, comparisons=comparisons)
    figures["withheld"] = figures["not_offered"]
    return Figures(AREA_COUNTS.conform(figures), (*words, *notes))


def without_unknown_zeros(counts: pd.DataFrame) -> pd.DataFrame:
    """Blank zeros of windows that the data covers only in part: zero in the known months does not mean zero.

    A first step reads "fewer than", which is correct for the known months, and is not changed.
    """
    out = counts.copy()
    part = ~out["complete"].astype(bool)
    for name in COUNTS:
        if name in out.columns:
            nothing = part & (out[name] == 0).fillna(value=False)
            for column in (c for c in (name, f"{name}_lower", f"{name}_upper") if c in out.columns):
                out[column] = out[column].mask(nothing)
    return out


def _not_offered(
    figures: pd.DataFrame, *, areas: gpd.GeoDataFrame, comparisons: tuple[Comparison, ...]
) -> npt.NDArray[np.object_]:
    """List what is not offered in each row: counts, and the figures that would be computed from them."""
    order = tuple(dict.fromkeys((*COUNTS, *(column for derived in FOLLOWS.values() for column in derived))))
    # Thousands of rows lack the same few combinations: sets and texts are made once for each.
    kind, kinds = pd.factorize(figures["not_offered"])
    hidden = {column: np.array([column in names for names in kinds], dtype=bool)[kind] for column in order}
    peopled = figures["area_code"].map(areas.set_index("area_code")["population"]).notna().to_numpy()
    wordless = figures["change_word"].isna().to_numpy()  # otherwise the word is the reason, such as a break
    uncounted = hidden["incidents"]
    before = np.zeros(len(figures), dtype=bool)
    for comparison in comparisons:
        later = (figures["period"] == comparison.later.id).to_numpy()
        before |= later & (uncounted | (wordless & _hidden_before(figures, uncounted, comparison.earlier.id)))
    for count, derived in FOLLOWS.items():
        for column in derived:
            # An area without residents has no rate; only a window with one to compare it with has a change.
            gone = hidden[count] & peopled if column.startswith("rate_") else hidden[count]
            gone = before if column.startswith("change_") else gone
            hidden[column] = hidden[column] | (gone & figures[column].isna().to_numpy())
    flags = np.column_stack(list(hidden.values()))
    rows, which = np.unique(flags @ (1 << np.arange(len(order))), return_index=True, return_inverse=True)[1:]
    texts = join_not_offered([set(itertools.compress(order, flags[row])) for row in rows], order=order)
    return np.array(texts, dtype=object)[which]


def _hidden_before(figures: pd.DataFrame, hidden: npt.NDArray[np.bool_], earlier: str) -> npt.NDArray[np.bool_]:
    """Whether the comparison count of each row is withheld."""
    then = hidden & (figures["period"] == earlier).to_numpy()
    key = pd.MultiIndex.from_frame(figures[["area_code", "category"]])
    return np.asarray(key.isin(key[then]), dtype=bool)


def _comparisons(counts: pd.DataFrame, windows: Windows, config: Config) -> tuple[Comparison, ...]:
    """Find what each window is compared with: the headline first, then every other whose earlier window is shown too.

    Both windows are released for themselves, each in its own steps, so a change needs no count that is not shown. Where
    a profile does not show the earlier window there is no change.
    """
    shown = set(counts["period"].astype(str))
    others = sorted(Period.parse(p) for p in shown if p != windows.headline.id)
    found = [_declared(window, windows, config) for window in (windows.headline, *others)]
    return (found[0], *(c for c in found[1:] if c.earlier.id in shown))


def _declared(window: Period, windows: Windows, config: Config) -> Comparison:
    declared = () if config.periods.ignore_breaks else config.periods.breaks
    return compare_windows(
        window,
        first_date=windows.first_date,
        last_date=windows.last_date,
        missing=sorted(windows.lacking.months),
        missing_days=sorted(windows.lacking.days),
        basis="previous" if window.over_a_year else config.change.compare,
        breaks=[Break(int(b.month.replace("-", "")), b.text) for b in declared],
    )


def _parts(
    months: pd.DataFrame, comparisons: tuple[Comparison, ...], *, counts: pd.DataFrame, areas: gpd.GeoDataFrame
) -> pd.DataFrame:
    """Sum the quarters or months of all windows compared, of the areas and categories that have them."""
    windows = [w for c in comparisons if not c.obstacle for w in (c.earlier, c.later)]
    frames = []
    for level, rows in counts.groupby("level", sort=True):
        given = set(rows["period"].astype(str))
        wanted = {part for w in windows if w.id in given for part in parts_of(w)}
        missing = sorted(part for part in wanted if part.id not in given)
        some = areas[areas["level"] == level]
        if missing:
            frames.append(
                sum_periods(
                    months.loc[months["area_code"].isin(some["area_code"]), _MONTHLY],
                    missing,
                    areas=some[["area_code", "level"]],
                    categories=sorted(rows["category"].astype(str).unique()),
                    covered=list(some.loc[some["covered"].astype(bool), "area_code"]),
                )
            )
    if not frames:
        return counts.iloc[:0]
    parts = pd.concat(frames, ignore_index=True)
    return parts.assign(incidents_lower=parts["incidents"], incidents_upper=parts["incidents"])


def _changes(
    counts: pd.DataFrame,
    comparisons: tuple[Comparison, ...],
    *,
    plan: ReleasePlan,
    parts: pd.DataFrame | None,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Compare each window with its earlier one."""
    config, windows = plan.config, plan.windows
    rules = ChangeRules(fdr_q=config.change.fdr_q, min_earlier=config.change.min_earlier)
    main = next((n for n, c in enumerate(comparisons) if windows.stand_in == (c.later, c.earlier)), 0)
    every = counts if parts is None else pd.concat([counts, parts], ignore_index=True)
    by_window = WindowCounts.of(every)

    def one(comparison: Comparison) -> tuple[Comparison, Comparison | None]:
        return comparison, None if comparison.obstacle else _declared(comparison.earlier, windows, config)

    # The headline is tested for itself, or where it cannot be compared the window that stands in for it. All other
    # windows are a second family: with each for itself, of many windows some would always seem to differ.
    (found,) = change_together(by_window, [one(comparisons[main])], rules=rules)
    others = [n for n in range(len(comparisons)) if n != main]
    rest = change_together(by_window, [one(comparisons[n]) for n in others], rules=rules)
    columns = ["area_code", "period", "category", "change_pct", "change_word", "change_vs_region"]
    table = pd.concat([found.table, *(c.table for c in rest)], ignore_index=True)[columns]
    table["change_pct"] = table["change_pct"].astype("Float64").round(2).astype("float64")
    words = []
    for comparison in dict.fromkeys((comparisons[0], comparisons[main])):
        words += [f"Change: {comparison.label}.", *([comparison.obstacle] if comparison.obstacle else [])]
    words += [str(family) for changes in (found, *rest[:1]) for family in changes.families]
    return table, (*words, *_variation(found))


def _variation(found: Changes) -> list[str]:
    """Say with which dispersion the tests of all incidents together were made, and where it comes from."""
    rows = found.spread[found.spread["category"] == ROOT]
    return [
        f"Dispersion of changes, {level}, all: {value:.2f} ({source}, {df} degrees of freedom)."
        for level, value, df, source in rows[["level", "dispersion", "dispersion_df", "dispersion_from"]].itertuples(
            index=False, name=None
        )
    ]


def _described(rated: pd.DataFrame, areas: gpd.GeoDataFrame) -> pd.DataFrame:
    """Add names and dates."""
    out = rated.copy()
    out["area_name"] = out["area_code"].map(areas.set_index("area_code")["name"])
    spans = {p: Period.parse(p) for p in out["period"].unique()}
    out["period_start"] = out["period"].map({p: s.start.isoformat() for p, s in spans.items()})
    out["period_end"] = out["period"].map({p: s.end.isoformat() for p, s in spans.items()})
    for column in ("rate_per_10000", "rate_low", "rate_high", "rate_smoothed", "rate_smoothed_local", *OUTCOME_FIGURES):
        out[column] = out[column].astype("Float64").round(4).astype("float64")
    return out


def _neighbours(areas: gpd.GeoDataFrame) -> dict[str, tuple[list[str], Weights]]:
    """Find the neighbours of the covered areas of each level."""
    found = {}
    for level in sorted(set(areas["level"]) - {Level.REGION}):
        some = areas[(areas["level"] == level) & areas["covered"].astype(bool)].sort_values("area_code")
        if len(some):
            found[str(level)] = list(some["area_code"]), contiguity(some.geometry.to_numpy(), snap_m=1.0)
    return found


def _significance(
    figures: pd.DataFrame,
    *,
    areas: gpd.GeoDataFrame,
    neighbours: Mapping[str, tuple[list[str], Weights]],
    windows: Windows,
    config: Config,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Gi* of the wards, and of groups of wards for categories given by group, over the headline window."""
    columns = ["area_code", "period", "category", "gistar_z", "gistar_p", "hotspot_class", "moran_class"]
    frames = [pd.DataFrame(columns=columns)]
    notes: list[str] = []
    if not config.detect.gistar.enabled or not (areas["level"] == Level.WARD).any():
        return frames[0], ("Gi* is switched off.",)
    if any(windows.headline.first_month <= month <= windows.headline.last_month for month in windows.lacking.uneven):
        return frames[0], ("Gi* is left out: one source lacks months that another has.",)
    for level in (Level.WARD, Level.WARD_GROUP):
        some = areas[(areas["level"] == level) & areas["covered"].astype(bool)].sort_values("area_code")
        rows = figures[(figures["level"] == level) & (figures["period"] == windows.headline.id)]
        given = Ranges.of(rows)
        shown = set(rows["category"][given.known])
        tested = [c for c in config.detect.gistar.categories if c in shown]
        if not tested:
            continue
        found = area_significance(
            rows.assign(incidents=given.value),
            codes=neighbours[level][0],
            weights=neighbours[level][1],
            population=some["population"].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan),
            categories=tested,
            permutations=config.detect.gistar.permutations,
            seed=config.run.seed,
            moran=config.detect.gistar.moran,
            moran_fdr_q=config.detect.gistar.fdr_q,
        )
        frames.append(found.frame.assign(period=windows.headline.id)[columns])
        notes += found.notes
    frame = pd.concat([f for f in frames if len(f)] or frames, ignore_index=True)
    for column in ("gistar_z", "gistar_p"):
        frame[column] = frame[column].astype("Float64").round(6).astype("float64")
    return frame, tuple(notes)
