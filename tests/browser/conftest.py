"""The pages that browser tests open, and what each page asked for and complained of."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from pipeline.publish.map import Surroundings, map_html
from pipeline.release.gate import release
from pipeline.release.released import Break, CategoryInfo, Released
from pipeline.statistics.uncertainty import garwood, wilson
from tests.kit import gated
from tests.kit import released as fixture


@dataclass
class Opened:
    """A page, and what it did."""

    page: Any
    requests: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    metrics: Any = None

    def thread_seconds(self) -> float:
        """Seconds that the page's main thread has worked."""
        values = self.metrics.send("Performance.getMetrics")["metrics"]
        return next(v["value"] for v in values if v["name"] == "TaskDuration")


def _without(released: Released, **parts: Any) -> Released:
    values = {name: getattr(released, name) for name in ("info", "areas", "counts", "hotspots", "density")} | parts
    return fixture.sealed(values["info"], values["areas"], values["counts"], values["hotspots"], values["density"])


def _long_name() -> Released:
    base = fixture.city()
    areas, counts, hotspots = base.areas.copy(), base.counts.copy(), base.hotspots.copy()
    areas["name"] = areas["name"] + " " + "Llanfairpwllgwyngyll" * 15
    counts["area_name"] = counts["area_code"].map(dict(zip(areas["area_code"], areas["name"], strict=True)))
    hotspots["name"] = areas["name"].iloc[-1]
    return _without(base, areas=areas, counts=counts, hotspots=hotspots)


def surroundings() -> Surroundings:
    """A river, a park, a road, a station and a place in the middle of the city, with a name that is an attack."""
    base = fixture.city()
    middle = base.areas.loc[base.areas["level"] == "region"].geometry.iloc[0].centroid
    x, y = middle.x, middle.y
    frame = gpd.GeoDataFrame(
        {
            "kind": ["water", "green", "road", "place", "station", "station"],
            "name": ["The River", "The Park", "High Road", "</script>{{ 7*7 }}", "Grand Central", "Halt"],
            "rank": [1, 1, 1, 1, 1, 3],
        },
        geometry=[
            shapely.box(x - 9000, y - 300, x + 9000, y + 300),
            shapely.box(x + 500, y + 500, x + 1500, y + 1500),
            shapely.LineString([(x - 5000, y + 400), (x + 5000, y + 450)]),
            shapely.Point(x - 900, y + 900),
            shapely.Point(x, y + 400),
            shapely.Point(x + 300, y - 900),
        ],
        crs=base.info.working_crs,
    )
    return Surroundings(frame, ("Water: a mapping agency (OGL v3)",))


def _gap() -> Released:
    """The first year of wards, and one month of boroughs, without any figure."""
    base = fixture.city()
    empty = base.counts["period"].isin(["2021-08..2022-07", "2021-09"])
    return _without(base, counts=base.counts[~empty].reset_index(drop=True))


def _all_withheld() -> Released:
    base = fixture.city(audience="public")
    small = base.counts["level"].isin(["ward", "borough"])
    return _without(base, counts=fixture.withhold(base.counts, small))


def _intervals() -> Released:
    """Limits as a run makes them, by one dispersion for each category, but for two cells that no rule gives."""
    base = fixture.city()
    counts = base.counts.copy()
    people = counts["area_code"].map(dict(zip(base.areas["area_code"], base.areas["population"], strict=True)))
    rated = (counts["rate_per_10000"].notna() & people.notna()).to_numpy()
    n = counts["incidents"].fillna(0).to_numpy(float)
    low, high = garwood(n, dispersion=np.where(counts["category"] == "all", 1.7, 1.0))
    for column, limit in (("rate_low", low), ("rate_high", high)):
        counts[column] = np.where(rated, limit / people.fillna(1).to_numpy(float) * 1e4, np.nan)
    counts.loc[counts.index[rated][[3, 50]], "rate_low"] = [0.1234, 0.4321]
    known = np.floor(n * 0.8)
    good = np.floor(known * 0.3)
    counts["positive_outcomes"], counts["known_outcomes"] = good, known
    counts = counts.astype({"positive_outcomes": "Int64", "known_outcomes": "Int64"})
    share_low, share_high = wilson(good, known)
    for column, value in (
        ("outcome_share", good / np.maximum(known, 1)), ("outcome_low", share_low), ("outcome_high", share_high)
    ):  # fmt: skip
        counts[column] = np.where(known > 0, value, np.nan)
    return _without(base, counts=fixture.exactly(counts))


def _many() -> Released:
    yearly = fixture.windows(202308, 2, 12)
    columns, rows, per_side = (6, 5, 13) if os.environ.get("HOTSPOTS_LONG") else (5, 4, 9)
    return fixture.city(
        columns=columns,
        rows=rows,
        per_side=per_side,
        categories=fixture.CATEGORIES[:2],
        periods={"ward": yearly, "borough": yearly, "region": yearly},
    )


def _grouped() -> Released:
    """Religion by groups of wards, antisemitic by borough, the others by ward."""
    config = gated.config_of([{"name": "partner", "audience": "partner", "threshold": 5}])
    return release(gated.sparse_city(3, 20), profile=config.profiles[0], config=config)


RELEASES: dict[str, Callable[[], Released]] = {
    "intervals": _intervals,
    "city": fixture.city,
    "public": lambda: fixture.city(audience="public"),
    "partner": lambda: fixture.city(audience="partner"),
    "suppress": lambda: fixture.city(audience="public", mechanism="suppress"),
    "noise": lambda: fixture.city(audience="partner", mechanism="noise"),
    "london": fixture.london,
    "hostile": fixture.hostile_city,
    "no-hotspots": lambda: _without(
        fixture.city(hotspot_note="No points."),
        hotspots=fixture.city().hotspots.iloc[:0],
        density=fixture.city().density.iloc[:0],
    ),
    "placed": fixture.city,
    "one-ward": lambda: fixture.city(columns=1, rows=1, per_side=1),
    "many": _many,
    "grouped": _grouped,
    "long-name": _long_name,
    "gap": _gap,
    "all-withheld": _all_withheld,
    "unaudited": lambda: fixture.city(
        audience="partner", audit="not audited: do not publish", marking="OFFICIAL-SENSITIVE"
    ),
    "flow": lambda: fixture.city(
        outcome_basis="flow", breaks=(Break("2024-03", "New system"),), categories=(CategoryInfo("all", "All", None),)
    ),
    "dead-tiles": lambda: fixture.city(
        tiles_url="http://127.0.0.1:9/{z}/{x}/{y}.png", tiles_attribution="Example Maps"
    ),
    "keyed-tiles": lambda: fixture.city(
        tiles_url="https://tiles.example.org/{z}/{x}/{y}.png?key={key}", tiles_attribution="Example Maps"
    ),
}


@pytest.fixture(scope="session")
def releases() -> Callable[[str], Released]:
    made: dict[str, Released] = {}

    def get(name: str) -> Released:
        if name not in made:
            made[name] = RELEASES[name]()
        return made[name]

    return get


@pytest.fixture(scope="session")
def map_file(releases: Callable[[str], Released], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("maps")

    def get(name: str) -> Path:
        path = folder / f"{name}.html"
        if not path.exists():
            around = surroundings() if name == "placed" else None
            path.write_text(map_html(releases(name), around), "utf-8")
        return path

    return get


@pytest.fixture(scope="session")
def context_of(browser: Any) -> Iterator[Callable[..., Any]]:
    """Return a context by its options, one for the whole session: pages keep nothing, and a new one costs a second."""
    contexts: dict[str, Any] = {}

    def get(**options: Any) -> Any:
        key = repr(sorted(options.items()))
        if key not in contexts:
            contexts[key] = browser.new_context(**options)
            contexts[key].new_page()  # with its last page the process would end, and the next one would start another
        return contexts[key]

    yield get
    for context in contexts.values():
        context.close()


@pytest.fixture
def opened(
    browser: Any, context_of: Callable[..., Any], map_file: Callable[[str], Path]
) -> Iterator[Callable[..., Opened]]:
    """Open a map by name (or a file by path), offline unless asked otherwise, and wait until it is ready."""
    pages, contexts = [], []

    def get(
        name: str | Path, state: str = "", *, width: int = 1280, height: int = 800, slow: int = 1, **context: Any
    ) -> Opened:
        options = {"offline": True} | context
        if slow > 1:  # what is measured starts as a reader's does, in a process of its own
            here = browser.new_context(**options)
            contexts.append(here)
        else:
            here = context_of(**options)
        page = here.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(20_000)
        out = Opened(page)
        page.on("request", lambda request: out.requests.append(request.url))
        page.on("requestfailed", lambda request: out.failed.append(request.url))
        page.on("console", lambda message: out.console.append(message.text))
        page.on("pageerror", lambda error: out.console.append(str(error)))
        out.metrics = here.new_cdp_session(page)
        out.metrics.send("Performance.enable", {"timeDomain": "threadTicks"})
        if slow > 1:
            out.metrics.send("Emulation.setCPUThrottlingRate", {"rate": slow})
        path = name if isinstance(name, Path) else map_file(name)
        page.goto(path.as_uri() + (f"#{state}" if state else ""))
        page.wait_for_selector("html[data-ready]")
        return out

    yield get
    for page in pages:
        page.close()
    for here in contexts:
        here.close()
