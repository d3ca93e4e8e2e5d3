"""A city small enough to work out by hand: two boroughs, three wards of one square kilometre, 48 rows.

    +------+------+------+
    |  A1  |  A2  |  B1  |     borough A: A1 (1,000 people), A2 (2,000); borough B: B1 (500)
    +------+------+------+     south-west corner at easting 530000, northing 180000

Rows of 2024: A1 two a month (24), A2 one a month (12), B1 one a month from January to May (5), one online row that
names borough A, one online row that names nothing: 43 incidents. Rows of 2023: A1 one a month (12). Beside these: one
row that repeats an id word for word, one row dated 2035, one row at (0, 0). That makes 43 + 12 + 3 = 58 rows.
"""

import textwrap
from pathlib import Path

import geopandas as gpd
import shapely
import yaml

X0, Y0 = 530_000.0, 180_000.0
LIGHT = {"exports.geopackage": False, "exports.workbook": "none", "page.briefings": False}
"""Changes of `write_city` for runs of which only the counts, the layers and the map are looked at."""
HEADER = "id,date,easting,northing,borough,strand,online,outcome"


def write_city(folder: Path, **changes: object) -> Path:
    """Write boundaries, residents, incidents and a configuration; return the configuration's path.

    `changes` replace values of the configuration by dotted key: `write_city(f, **{"run.name": "x"})`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    boxes = [shapely.box(X0 + 1000 * i, Y0, X0 + 1000 * (i + 1), Y0 + 1000) for i in range(3)]
    wards = gpd.GeoDataFrame(
        {
            "code": ["A1", "A2", "B1"],
            "name": ["North", "Middle", "East"],
            "parent": ["A", "A", "B"],
            "parent_name": ["Ashby", "Ashby", "Barton"],
        },
        geometry=boxes,
        crs="EPSG:27700",
    )
    wards.to_file(folder / "wards.gpkg", driver="GPKG")
    (folder / "people.csv").write_text("code,people\nA1,1000\nA2,2000\nB1,500\n", encoding="utf-8")
    (folder / "incidents.csv").write_text("\n".join([HEADER, *city_rows()]) + "\n", encoding="utf-8")
    settings = yaml.safe_load(CONFIG)
    for key, value in changes.items():
        at = settings
        *path, last = key.split(".")
        for part in path:
            at = at.setdefault(part, {}) if isinstance(at, dict) else at[int(part)]
        at[last] = value
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return config


def city_rows() -> list[str]:
    """Return the rows of the extract."""
    rows, number = [], 0

    def add(date: str, x: float | str, y: float | str, *about: str) -> None:
        nonlocal number
        number += 1
        rows.append(",".join([f"R{number:03d}", date, str(x), str(y), *about]))

    for month in range(1, 13):
        for day in (5, 20):
            add(f"2024-{month:02d}-{day:02d}", X0 + 100 + 10 * month + day, Y0 + 500, "Ashby", "race", "no", "charged")
        add(f"2024-{month:02d}-11", X0 + 1500 + 20 * month, Y0 + 500, "Ashby", "race;religion", "no", "no suspect")
        add(f"2023-{month:02d}-11", X0 + 150 + 10 * month, Y0 + 520, "Ashby", "race", "no", "no suspect")
    for month in range(1, 6):
        add(f"2024-{month:02d}-15", X0 + 2500 + 50 * month, Y0 + 400, "Barton", "religion", "no", "no suspect")
    add("2024-06-01", "", "", "Ashby", "religion", "yes", "no suspect")
    add("2024-06-02", "", "", "", "religion", "yes", "no suspect")
    rows.append(rows[0])
    add("2035-01-01", X0 + 10, Y0 + 10, "Ashby", "race", "no", "")
    add("2024-03-03", 0, 0, "Ashby", "race", "no", "")
    return rows


CONFIG = textwrap.dedent(
    """
    run: {name: city, title: Hate crime, noun: offences, place: A made-up city, synthetic: true}
    crs: {working: "EPSG:27700"}
    areas:
      wards: {path: wards.gpkg, code: code, name: name, parent_code: parent, parent_name: parent_name, vintage: "1"}
      region: {code: R1, name: Cityshire}
      population: [{path: people.csv, code: code, value: people, year: 2021}]
    incidents:
      - name: police
        paths: [incidents.csv]
        crs: EPSG:27700
        last_date: "2025-01-31"
        columns: {id: id, date: date, x: easting, y: northing, borough: borough, category: strand, online: online,
                  outcome: outcome}
        positive_outcomes: [charged]
    categories:
      all_label: All hate crime
      tree:
        - {id: race, label: Race}
        - {id: religion, label: Religion}
    periods: {last_complete_date: "2024-12-31"}
    detect:
      density: {bandwidth_m: 300}
      clusters: {eps_m: 100, min_samples: 6}
      gistar: {grid: none}
    profiles:
      - {name: internal, audience: internal, threshold: 0, secondary: false, ward_period: rolling, min_bandwidth_m: 0,
         min_density_incidents: 0, min_locations: 5, min_addresses: 0, max_location_share_pct: 100, lattice_m: 0}
      - {name: public, audience: public, threshold: 10, borough_period: fixed}
    """
)
INTERNAL = yaml.safe_load(CONFIG)["profiles"][0]
NO_METHODS = LIGHT | {
    "detect.density.enabled": False,
    "detect.clusters.enabled": False,
    "detect.concentration.enabled": False,
    "detect.hours.enabled": False,
    "detect.seasons.enabled": False,
    "emerging.enabled": False,
}
"""Changes for runs of which only reading, counting and releasing are looked at."""
COUNTS = NO_METHODS | {"profiles": [INTERNAL]}
"""Changes for runs of which only reading and counting, or how a run begins and ends, are looked at."""
