"""Are the libraries here, do they load, and do they do what the project relies on."""

import importlib
import importlib.metadata
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.doctor.finding import BROKEN, NOTE, OK, Finding, Situation
from pipeline.errors import HotspotsError

__all__ = ["database", "geography", "packages", "python"]

_MODULES = {"PyYAML": "yaml", "scikit-learn": "sklearn", "XStatic-Leaflet": "xstatic.pkg.leaflet"}
_DRIVERS = ("GPKG", "GeoJSON", "ESRI Shapefile", "MapInfo File")
# Ordnance Survey, "A guide to coordinate systems in Great Britain": Caister water tower, ETRS89 and OSGB36 by OSTN15.
_TOWER_LONLAT, _TOWER_M = (1.7160739722, 52.6580078333), (651409.804, 313177.450)
_OSTN15 = "OSTN15"


def python(_: Situation) -> Iterator[Finding]:
    """Look at the interpreter."""
    new = sys.version_info >= (3, 11)
    yield Finding(
        "Python", "version", OK if new else BROKEN, platform.python_version(), "" if new else "use 3.11 or later"
    )
    wide = sys.maxsize > 2**32
    yield Finding("Python", "word", OK if wide else BROKEN, f"{64 if wide else 32} bit", "" if wide else "use 64 bit")
    yield Finding("Python", "system", OK, f"{platform.system()} {platform.release()} {platform.machine()}")


def packages(_: Situation) -> Iterator[Finding]:
    """Compare every package with what the project needs, and with what it is tested with."""
    from packaging.requirements import Requirement

    tested = _constraints()
    for line in importlib.metadata.requires("hotspots") or ():
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(wanted.name)
            importlib.import_module(_MODULES.get(wanted.name, wanted.name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(
                "packages", wanted.name, BROKEN, "not installed", f"pip install '{wanted.name}{wanted.specifier}'"
            )
            continue
        except ImportError as error:
            yield Finding("packages", wanted.name, BROKEN, f"cannot be loaded: {error}", "install it again")
            continue
        with_version = tested.get(wanted.name.casefold())
        if not wanted.specifier.contains(version, prereleases=True):
            yield Finding("packages", wanted.name, BROKEN, version, f"needs {wanted.specifier}")
        elif with_version is not None and with_version != version:
            yield Finding("packages", wanted.name, NOTE, version, f"tested with {with_version} (constraints.txt)")
        else:
            yield Finding("packages", wanted.name, OK, version)


def _constraints() -> dict[str, str]:
    """Return the versions in constraints.txt, where the project was installed from its folder."""
    path = Path(__file__).parents[2] / "constraints.txt"
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    pairs = (line.split("==", 1) for line in lines if "==" in line and not line.startswith("#"))
    return {name.strip().casefold(): version.strip() for name, version in pairs}


def geography(situation: Situation) -> Iterator[Finding]:
    """Look at GDAL, GEOS and PROJ: formats, grids, and how far off a known point comes out."""
    import pyogrio
    import pyproj
    import shapely

    from pipeline.geography import projection as crs

    version = ".".join(str(n) for n in pyogrio.__gdal_version__)
    lacking = [d for d in _DRIVERS if d not in pyogrio.list_drivers()]
    advice = f"lacks {', '.join(lacking)}: install pyogrio from its wheel" if lacking else ""
    yield Finding("geography", "GDAL", BROKEN if lacking else OK, version, advice)
    yield Finding("geography", "GEOS", OK, shapely.geos_version_string)
    yield Finding("geography", "PROJ", OK, f"{pyproj.proj_version_str}, data in {pyproj.datadir.get_data_dir()}")
    online = pyproj.network.is_network_enabled()
    advice = "results depend on what it fetches: unset PROJ_NETWORK" if online else ""
    yield Finding("geography", "PROJ network", NOTE if online else OK, "on" if online else "off", advice)
    try:
        working = crs.working_crs(situation.working)
        name = crs.operation_name(crs.LONLAT, working)
    except HotspotsError as error:
        yield Finding("geography", situation.working, BROKEN, str(error))
        return
    lesser = "is not installed" in name
    advice = (
        "harmless while points and areas take the same road, which they do; `projsync --file uk_os_OSTN15` fetches it"
        if lesser and _OSTN15 in name
        else ""
    )
    yield Finding("geography", f"lon/lat to {situation.working}", NOTE if lesser else OK, name, advice)
    if crs.same_crs(working, "EPSG:27700"):
        east, north = crs.transformer(crs.LONLAT, working).transform(*_TOWER_LONLAT)
        off = ((east - _TOWER_M[0]) ** 2 + (north - _TOWER_M[1]) ** 2) ** 0.5
        state = OK if off < 0.01 else NOTE if off < 5 else BROKEN
        advice = "PROJ's data is damaged: install pyproj again" if state == BROKEN else ""
        yield Finding("geography", "Ordnance Survey's test point", state, f"{off:.2f} m off", advice)


def database(situation: Situation) -> Iterator[Finding]:
    """Open the database as a run does, and rattle at its door."""
    import duckdb

    from pipeline.storage.duckdb import connect, literal

    with tempfile.TemporaryDirectory(prefix="hotspots-doctor-") as made:
        connection = connect(memory_limit_mb=situation.memory_limit_mb, folders=[Path(made)], spill=Path(made))
        names = ("memory_limit", "threads", "enable_external_access", "lock_configuration")
        asked = ", ".join(f"current_setting('{name}')" for name in names)
        (values,) = connection.sql(f"SELECT {asked}").fetchall()
        found = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in zip(names, values, strict=True))
        yield Finding("database", "DuckDB", OK, f"{duckdb.__version__}: {found}")
        forbidden = {
            "reading other folders": f"SELECT * FROM read_text({literal(str(Path(__file__)))})",
            "loading extensions": "LOAD httpfs",
            "changing its settings": "SET memory_limit = '64GB'",
        }
        for name, sql in forbidden.items():
            try:
                connection.execute(sql)
            except duckdb.Error:
                yield Finding("database", name, OK, "refused, as it should be")
            else:
                yield Finding("database", name, BROKEN, "possible", "report this: the database is not confined")
