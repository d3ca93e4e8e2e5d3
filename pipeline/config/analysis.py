"""Settings of the methods."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.section import CategoryId, Code, Day, Month, Section

__all__ = [
    "Backtest",
    "Change",
    "Clusters",
    "Concentration",
    "Density",
    "DensityBands",
    "Detect",
    "Emerging",
    "Event",
    "Gistar",
    "Harm",
    "Hours",
    "Knox",
    "Outcomes",
    "Periods",
    "Placeholder",
    "Rates",
    "Risk",
    "Scan",
    "Seasons",
    "SeriesBreak",
    "Streets",
]


class SeriesBreak(Section):
    """A change of recording system."""

    month: Month = Field(description="First month of the new system.")
    text: str = Field(max_length=300, description="What changed, for readers.")


class Event(Section):
    """A dated event of interest to readers."""

    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="ISO date.")
    label: str = Field(max_length=120, description="Short label on charts.")
    areas: tuple[Code, ...] = Field((), description="Areas that the event concerns; empty means all.")


class Periods(Section):
    """Windows that counts are given for."""

    headline: str = Field("latest", description="`latest` (12 complete months), or a period `2024-08..2025-07`.")
    months: int = Field(12, ge=1, le=60, description="Length of the headline window and of fixed windows, in months.")
    anchor: Month | None = Field(
        None,
        description="Month in which one fixed window ends. By default windows are counted from the first month of the "
        "data at the first release, and do not move afterwards.",
    )
    financial_year_from: int = Field(4, ge=1, le=12, description="Month in which financial years begin (4 is April).")
    short_windows: int = Field(
        53,
        ge=1,
        le=400,
        description="Most windows of days, weeks or 28 days shown, counted back from the latest (53 weeks are a year).",
    )
    anchor_day: Day | None = Field(
        None,
        description="Day on which one window of 28 days ends (ISO); by default the last Sunday of the data, so that "
        "it is made of four ISO weeks.",
    )
    rolling_step_months: int = Field(3, ge=1, le=12, description="Step between rolling windows, in months.")
    first_month: Month | None = Field(None, description="Ignore earlier months.")
    last_month: Month | None = Field(None, description="Ignore later months.")
    last_complete_date: str | None = Field(
        None,
        description="Last day the data covers (ISO). By default the end of the last month, or of the month before it "
        "if the last rows stop short of its end by more days than the usual gaps between rows.",
    )
    breaks: tuple[SeriesBreak, ...] = Field(
        (), description="Changes of recording system; figures are not compared across them."
    )
    ignore_breaks: bool = Field(
        default=False, description="Compare across breaks nevertheless (recorded in the manifest)."
    )
    events: tuple[Event, ...] = Field((), description="Dated events for the charts.")


class Risk(Section):
    """Risk surface: incidents over a denominator surface."""

    against: Literal["none", "population"] = Field("none", description="What to divide by.")
    form: Literal["ratio", "difference", "log_ratio"] = Field("ratio", description="How the two surfaces are compared.")


class DensityBands(Section):
    """Limits of density bands."""

    by: Literal["share", "per_km2", "mean"] = Field(
        "share",
        description="`share`: the smallest areas that hold given shares of the incidents, by the volume under the "
        "surface; empty land does not move them. `per_km2`: fixed densities, to compare periods or places. `mean`: "
        "multiples of the mean density, which fall with every km2 of empty land in the region.",
    )
    limits: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(
        None,
        min_length=1,
        max_length=12,
        description="Shares in per cent (by default 10, 25, 50, 75), incidents per km2, or multiples of the mean (by "
        "default 1.5, 3, 5, 8, 13, 20).",
    )

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.limits is None and self.by == "per_km2":
            raise ValueError("limits are needed with by: per_km2: give densities, such as [50, 100, 200]")
        if self.by == "share" and self.limits is not None and max(self.limits) >= 100:
            raise ValueError(f"limits are {list(self.limits)} per cent of the incidents: give shares under 100")
        return self


class Density(Section):
    """Kernel density."""

    enabled: bool = Field(default=True, description="Make density bands.")
    kernel: Literal["quartic", "gaussian", "epanechnikov", "triangular", "uniform"] = Field(
        "quartic", description="Kernel."
    )
    bandwidth_m: float | Literal["auto"] = Field(800.0, description="Bandwidth in metres, or `auto`.")
    min_bandwidth_m: float = Field(100.0, gt=0, description="Smallest bandwidth that `auto` may choose, in metres.")
    cell_m: float | None = Field(None, gt=0, description="Cell side in metres; by default a tenth of the bandwidth.")
    edge: Literal["none", "uniform", "diggle"] = Field(
        "uniform",
        description="Correction for the part of the kernel that lies outside the data (sea, areas not covered): "
        "`uniform` divides the density by the part inside, `diggle` the weight of each incident, `none` leaves the "
        "density too low near borders.",
    )
    adaptive: bool = Field(default=False, description="Abramson's adaptive bandwidth.")
    bands: DensityBands = Field(
        default_factory=lambda: DensityBands.model_validate({}), description="Where one band ends and the next begins."
    )
    categories: tuple[CategoryId, ...] | None = Field(
        None,
        description="Surfaces to make; by default of all categories together and of each that has at least "
        "`detect.min_category_incidents` incidents.",
    )
    min_locations: int = Field(5, ge=1, description="Fewest distinct locations in a band.")
    risk: Risk = Field(default_factory=lambda: Risk.model_validate({}), description="Risk surface.")


class Clusters(Section):
    """Hotspots by clustering."""

    enabled: bool = Field(default=True, description="Find hotspots.")
    method: Literal["dbscan", "hdbscan", "optics"] = Field("dbscan", description="Clustering method.")
    eps_m: float | Literal["auto"] = Field(200.0, description="Neighbourhood radius of DBSCAN in metres, or `auto`.")
    min_samples: Annotated[int, Field(ge=2)] | Literal["auto"] = Field(
        "auto",
        description="Incidents within `eps_m` that make a core point. `auto` takes as many as the densest fifth of the "
        "incidents has, so that it follows the length of the window and the density of the data.",
    )
    largest_pct: float = Field(
        10.0,
        gt=0,
        le=100,
        description="Largest share of all incidents in one hotspot, per cent: `auto` settings are tightened until none "
        "holds more.",
    )
    min_locations: int = Field(5, ge=1, description="Fewest distinct locations in a hotspot.")
    max_hotspots: int = Field(25, ge=1, le=500, description="Most hotspots listed.")
    core_over_km2: float = Field(
        0.5,
        ge=0,
        description="Hotspots with an outline larger than this, in square kilometres, are searched for their densest "
        "parts (cores), which the internal folder shows; 0 for none.",
    )
    resamples: int = Field(50, ge=0, le=999, description="Resamples of locations for stability; 0 for none.")
    simulations: int = Field(
        0, ge=0, le=9999, description="Simulations under the null hypothesis for p-values; 0 for none."
    )
    background: Literal["smoothed", "residents", "even"] = Field(
        "smoothed",
        description="Where incidents fall under the null hypothesis: by their own density at a broad bandwidth, by "
        "residents, or evenly. Crime follows neither residents nor area, so that against these two nearly every "
        "hotspot is significant.",
    )
    background_bandwidth_m: float | None = Field(
        None, gt=0, description="Bandwidth of the smoothed background, in metres; by default three times the reach."
    )


class Gistar(Section):
    """Gi* and local Moran's I."""

    enabled: bool = Field(default=True, description="Test wards and grid cells.")
    permutations: int = Field(
        9999, ge=0, le=99999, description="Conditional permutations; 0 uses the normal approximation."
    )
    fdr_q: float = Field(0.05, gt=0, lt=1, description="False discovery rate for local Moran's I.")
    grid: Literal["none", "square", "hexagon"] = Field("square", description="Analysis cells.")
    cell_m: float = Field(500.0, gt=0, description="Side (or flat-to-flat width) of analysis cells, in metres.")
    categories: tuple[CategoryId, ...] = Field(("all",), description="Categories tested.")
    moran: bool = Field(default=True, description="Also compute local Moran's I for wards.")


class Scan(Section):
    """Scan statistics: clusters in space and time, and in space alone."""

    enabled: bool = Field(
        default=False,
        description="Search for clusters in space and time (space-time permutation scan): incidents with a point by "
        "cells, published counts by the smallest areas. Shown in the internal folder alone.",
    )
    spatial: tuple[Literal["poisson", "bernoulli"], ...] = Field(
        (),
        description="Also search the main period for circles: `poisson` with more incidents than the population of the "
        "smallest areas explains, `bernoulli` where a category is a larger share of all incidents than outside.",
    )
    categories: tuple[CategoryId, ...] | None = Field(
        None,
        description="Categories searched, each by itself; by default all together and each with at least "
        "`detect.min_category_incidents` incidents.",
    )
    standardise_by: tuple[CategoryId, ...] = Field(
        (),
        description="Poisson scan of all incidents: categories with a population of their own (`areas.population` with "
        "`category`), by whose rates expected incidents are standardised (indirectly).",
    )
    overdispersion: bool = Field(
        default=True,
        description="p of the scans allows for counts that vary more than by chance, as incidents in series do; "
        "`false` takes incidents as independent, as SaTScan does.",
    )
    spatial_radius_m: float | None = Field(
        None,
        gt=0,
        description="Largest radius of circles of the `spatial` scans, in metres; by default `max_share_pct` alone "
        "limits them.",
    )
    max_share_pct: float = Field(
        50.0, gt=0, le=50, description="Largest share of what is expected in one circle of the `spatial` scans."
    )
    max_radius_m: float = Field(3000.0, gt=0, description="Largest cylinder radius, in metres.")
    period: Literal["day", "week", "28_days", "month"] = Field(
        "month",
        description="Windows that are searched: months, or the latest `periods.short_windows` days, ISO weeks or 28 "
        "days, for which incidents need their day.",
    )
    max_months: int = Field(6, ge=1, description="Longest cylinder, in months.")
    max_days: int = Field(28, ge=1, description="Longest cylinder of days, weeks or 28 days, in days.")
    simulations: int = Field(199, ge=19, le=9999, description="Monte-Carlo replications.")
    max_comparisons: int = Field(
        4_000_000_000,
        ge=1_000,
        description="Limit on the work of the scan in space and time: cylinders times simulated data sets, of all "
        "categories together. 4,000,000,000 take about 40 seconds of one core. A search that would pass it has fewer "
        "simulations in every category, at least 19; where even these pass it, the last categories are left out. The "
        "page says so.",
    )
    cell_m: float = Field(500.0, gt=0, description="Locations are summed to cells of this side, in metres.")


class Knox(Section):
    """Near repeats."""

    enabled: bool = Field(
        default=False, description="Run it: a page and zones on the map, in the internal folder alone."
    )
    categories: tuple[CategoryId, ...] | None = Field(
        None,
        description="Tables to make; by default of all categories together and of each that has at least "
        "`detect.min_category_incidents` incidents.",
    )
    distance: Literal["euclidean", "manhattan"] = Field(
        "euclidean",
        description="How distance is measured: in a straight line, or east-west plus north-south (`manhattan`).",
    )
    cell_m: float = Field(100.0, ge=50, description="Side of the cells that zones are shown in, in metres.")
    distance_bands_m: tuple[float, ...] = Field(
        (0.0, 1.0, 100.0, 200.0, 300.0, 400.0), description="Edges of half-open distance bands, in metres."
    )
    time_bands_days: tuple[float, ...] = Field(
        (0.0, 8.0, 15.0, 29.0), description="Edges of half-open time bands, in days."
    )
    simulations: int = Field(99, ge=19, le=9999, description="Monte-Carlo replications.")


class Concentration(Section):
    """Shares of places that hold a quarter, half and most of the incidents."""

    enabled: bool = Field(
        default=True, description="Measure how concentrated incidents are; shown in the internal folder alone."
    )
    cell_m: float = Field(250.0, gt=0, description="Side of the square cells that incidents are counted in, in metres.")


class Hours(Section):
    """Day of the week by hour of the day."""

    enabled: bool = Field(
        default=True,
        description="Count incidents by day and hour in the region, areas and hotspots; shown in the internal folder "
        "alone.",
    )
    min_incidents: int = Field(
        100, ge=20, description="Fewest incidents with a known day and time of an area or hotspot that is shown."
    )


class Seasons(Section):
    """Trend, season and expected counts by month."""

    enabled: bool = Field(
        default=True,
        description="Separate trend and season in the monthly counts of the region and its areas above the smallest "
        "(STL); needs two whole years under one recording system. Shown in the internal folder alone.",
    )
    compare_months: int = Field(
        3, ge=1, le=12, description="Latest months that are compared with what the months before them lead to expect."
    )
    min_monthly: float = Field(
        10.0, ge=1, description="Fewest incidents a month, on average, of an area that is fitted."
    )


class Streets(Section):
    """Incidents by street segment."""

    path: str | None = Field(
        None,
        description="Map file of street centre lines, split at junctions. Each incident counts on the segment nearest "
        "to its place; shown in the internal folder alone.",
    )
    layer: str | None = Field(None, description="Layer name, if the file has several.")
    crs: str | None = Field(
        None, description="Coordinate system of the file, if the file does not state it or states it wrongly."
    )
    id: str | None = Field(None, description="Column with the id of a segment; by default segments are numbered.")
    name: str | None = Field(None, description="Column with the name of the street.")
    max_distance_m: float = Field(
        100.0, gt=0, description="Incidents further than this from any segment count on none, in metres."
    )
    density: Literal["none", "simple", "discontinuous"] = Field(
        "discontinuous",
        description="Kernel density along the streets: `discontinuous` divides an incident among the streets that lead "
        "on from a junction, `simple` gives each of them the whole.",
    )
    bandwidth_m: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        "auto", description="Reach along the streets in metres, or `auto`: by leave-one-out likelihood."
    )


class Harm(Section):
    """Weights of offences, by which figures of the internal folder count harm beside incidents."""

    weights: str | None = Field(
        None,
        description="Table of your own with a weight for each offence, such as days of imprisonment. No weights come "
        "with the project. What they give is shown in the internal folder alone.",
    )
    offence: str = Field("offence", description="Column of that table with the offence, as the incidents name it.")
    weight: str = Field("weight", description="Column with its weight: 0 or more.")
    by: Literal["auto", "offence_group", "category"] = Field(
        "auto",
        description="What of an incident is looked up: `offence_group` (`columns.offence_group`), its categories (id "
        "or label; of several the one with the highest weight), or `auto`: whichever finds more of the incidents.",
    )
    transform: Literal["raw", "square_root", "log"] = Field(
        "raw",
        description="What is added up: the weight, its square root, or log(1 + weight), which lets single grave "
        "offences count less.",
    )
    min_incidents: int = Field(10, ge=2, description="Fewest incidents of a hotspot or a patch of density by harm.")
    max_share_pct: float = Field(
        25.0,
        gt=0,
        le=100,
        description="A cluster or patch in which one incident has a larger share of the harm than this is not listed "
        "as a hotspot by harm, in per cent.",
    )


class Placeholder(Section):
    """A location that is used if the place is unknown."""

    easting_m: float = Field(description="Easting in the working system, in metres.")
    northing_m: float = Field(description="Northing in the working system, in metres.")
    radius_m: float = Field(10.0, gt=0, description="Points within this distance belong to it, in metres.")
    name: str = Field("", description="What is there.")


class Detect(Section):
    """Detection."""

    density: Density = Field(default_factory=lambda: Density.model_validate({}), description="Kernel density.")
    clusters: Clusters = Field(default_factory=lambda: Clusters.model_validate({}), description="Hotspots.")
    min_category_incidents: int = Field(
        500,
        ge=1,
        description="Fewest incidents of a category in the main period for hotspots and density of its own.",
    )
    gistar: Gistar = Field(default_factory=lambda: Gistar.model_validate({}), description="Significance.")
    scan: Scan = Field(default_factory=lambda: Scan.model_validate({}), description="Scan statistics.")
    knox: Knox = Field(default_factory=lambda: Knox.model_validate({}), description="Near repeats.")
    concentration: Concentration = Field(
        default_factory=lambda: Concentration.model_validate({}), description="Concentration."
    )
    hours: Hours = Field(default_factory=lambda: Hours.model_validate({}), description="Day and hour.")
    seasons: Seasons = Field(default_factory=lambda: Seasons.model_validate({}), description="Trend and season.")
    streets: Streets = Field(default_factory=lambda: Streets.model_validate({}), description="Street segments.")
    precision: tuple[Literal["point", "square_100m", "postcode", "square_1km", "square_10km"], ...] = Field(
        ("point",),
        min_length=1,
        description="How precisely an incident's location must be known for density, clusters, hotspots and the other "
        "methods that need points: `point` (coordinates, or a grid reference to 10 m), `postcode`, or the square of a "
        "coarser grid reference. All incidents of a postcode or square lie at its middle, where they would make "
        "hotspots of their own; they count in wards and boroughs whatever is set here.",
    )
    placeholder_locations: tuple[Placeholder, ...] = Field(
        (), description="Places such as police stations whose incidents are left out of density and clusters."
    )


class Rates(Section):
    """Rates per head."""

    base: int = Field(10000, ge=1, le=10000, description="Rates are per this many people (10,000 is the contract).")
    unreliable_under: int = Field(20, ge=0, description="Rates from fewer events are marked unreliable.")
    too_few_under: int = Field(10, ge=0, description="Rates from fewer events are not given (`too few to say`).")
    smooth: bool = Field(default=True, description="Also give empirical-Bayes smoothed rates.")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Coverage of intervals.")


class Change(Section):
    """What is rising."""

    compare: Literal["previous", "year_before"] = Field(
        "year_before", description="Window the headline is compared with."
    )
    fdr_q: float = Field(0.05, gt=0, lt=1, description="False discovery rate of `higher` and `lower`.")
    min_earlier: int = Field(20, ge=0, description="Fewest events in the earlier window for a percentage.")


class Emerging(Section):
    """Emerging hot spots."""

    enabled: bool = Field(default=True, description="Classify wards by their history.")
    kind: Literal["month", "quarter"] = Field("quarter", description="Length of the periods.")
    min_periods: int = Field(10, ge=4, description="Fewest periods inside one recording system.")


class Outcomes(Section):
    """How outcomes are counted."""

    basis: Literal["cohort", "flow", "none"] = Field(
        "cohort", description="Outcomes linked to their offences (`cohort`), or recorded in the same month (`flow`)."
    )
    maturity_months: int = Field(
        3, ge=0, le=36, description="Latest months left out of cohort shares because outcomes are still pending."
    )


class Backtest(Section):
    """How well each method would have predicted later incidents."""

    origins: int = Field(6, ge=1, le=60, description="Rolling origins, at most.")
    history_months: int | None = Field(
        None,
        ge=1,
        description="Months of data used before each forecast origin. Without it: 12, or fewer (at least 3) if the "
        "data is too short for that many origins.",
    )
    horizon_months: int = Field(1, ge=1, description="Months predicted.")
    targets: tuple[str, ...] = Field(
        ("1 %", "3 %", "5 %", "10 %", "20 cells of 600 ft"),
        min_length=1,
        description="Areas to mark: shares of the area (`5 %`), square kilometres (`0.75 km2`), or cells of a "
        "stated size (`20 cells of 600 ft`, `40 cells of 150 m`).",
    )
    rank_by: str = Field("5 %", description="One of `targets`: methods are ranked and compared there.")
    squares_m: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (250.0, 150.0, 100.0), description="Sides of square cells, in metres. Categories use the first tiling only."
    )
    hexagons_m: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (250.0,), description="Hexagonal cells by the distance between opposite sides, in metres."
    )
    turned_grids: bool = Field(
        default=True, description="Try turned and shifted grids as a method (squares, first tiling only)."
    )
    categories: tuple[str, ...] | None = Field(
        None, description="Categories tested beside all together. Without it: each with at least 100 test incidents."
    )
    bandwidths_m: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (100.0, 200.0, 400.0, 800.0, 1600.0), description="Candidate bandwidths, in metres."
    )
    resamples: int = Field(999, ge=99, description="Bootstrap resamples over origins.")

    @model_validator(mode="after")
    def _some_cells(self) -> Self:
        if not (self.squares_m or self.hexagons_m):
            raise ValueError("squares_m and hexagons_m are both empty: give at least one size of cells")
        return self
