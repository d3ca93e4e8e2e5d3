"""What the gate reads besides the data: known tables, addresses, institutions, and what names a place."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.config import KnownTable
from pipeline.errors import ConfigError, InputError
from pipeline.geography.landmarks import Landmarks
from pipeline.ingest import closed, read_counts, read_lookup, require_size
from pipeline.release.hotspots import Premises
from pipeline.stages import Context
from pipeline.stages.checks import RELEASE_COLUMNS
from pipeline.storage.files import read_table
from pipeline.tables import AREAS, CONTEXT, Level

__all__ = ["read_known_tables", "read_landmarks", "read_premises"]

_KEY = ["area_code", "period", "category", "measure"]
_MEASURES = ("incidents", "incidents_unplaced", "positive_outcomes", "known_outcomes")


def read_premises(context: Context) -> Premises:
    """Read the layers of addresses and institutions, where they are configured."""
    settings = context.config.disclosure
    addresses = _shapes(context, settings.addresses, "disclosure.addresses") if settings.addresses else None
    institutions = _shapes(context, settings.institutions, "disclosure.institutions") if settings.institutions else None
    places = None
    if addresses is not None:
        centres = shapely.point_on_surface(addresses)
        places = np.column_stack([shapely.get_x(centres), shapely.get_y(centres)])
    return Premises(addresses=places, institutions=np.empty(0, dtype=object) if institutions is None else institutions)


def read_landmarks(context: Context, areas: gpd.GeoDataFrame) -> Landmarks | None:
    """Return what can name a hotspot; None where `context` has nothing of the kind."""
    frame = read_table(context.work("context.parquet"), CONTEXT, crs=context.config.crs.working)
    boroughs = areas[areas["level"] == Level.BOROUGH]
    return Landmarks(frame, boroughs.geometry.to_numpy(), boroughs["area_code"].tolist()) if len(frame) else None


def _shapes(context: Context, path: str, key: str) -> Any:
    """Read a layer's geometry in the working system."""
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    file = context.base / path
    require_size(file, limits=context.config.run)
    try:
        with closed(file) as source:
            layer = pyogrio.read_dataframe(source, columns=[])
    except (DataSourceError, DataLayerError) as error:
        raise InputError(f"{key}: {file.name} cannot be read as a map layer ({error})") from None
    if layer.crs is None:
        raise InputError(f"{key}: {file.name} does not state its coordinate system: save it with one")
    shapes = layer.to_crs(context.config.crs.working).geometry.to_numpy()
    return shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]


def read_known_tables(context: Context) -> pd.DataFrame | None:
    """Read the external tables that readers know: area_code, period, category, measure, value."""
    frames = [_known(context, table) for table in context.config.disclosure.known_tables]
    return pd.concat(frames, ignore_index=True) if frames else None


def _known(context: Context, table: KnownTable) -> pd.DataFrame:
    path = context.base / table.path
    if path.is_file():  # one that is not there is named by what reads it
        require_size(path, limits=context.config.run, whole=True)
    return _of_source(context, table, path) if table.source else _of_release(path, table)


def _of_release(path: Path, table: KnownTable) -> pd.DataFrame:
    """Read an area_counts.csv."""
    try:
        frame = pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise InputError(f'known table "{table.name}": {path.name} cannot be read ({error})') from None
    missing = [c for c in RELEASE_COLUMNS if c not in frame.columns]
    if missing:
        raise InputError(
            f'known table "{table.name}": {path.name} has no column {", ".join(missing)}; it should be an '
            "area_counts.csv, or name in `source` the published source whose columns it has"
        )
    shown = [m for m in _MEASURES if m in frame.columns]
    long = frame.melt(["area_code", "period", "category"], shown, var_name="measure", value_name="value")
    long["value"] = pd.to_numeric(long["value"], errors="coerce")
    return long[long["value"].notna()].astype({"value": "int64"})[[*_KEY, "value"]]


def _of_source(context: Context, table: KnownTable, path: Path) -> pd.DataFrame:
    """Read counts in the layout of a published source: one row per area, month, category and measure."""
    sources = {s.name: s for s in context.config.published_counts}
    if table.source not in sources:
        known = ", ".join(sorted(sources)) or "none"
        raise ConfigError(
            f'known table "{table.name}": source "{table.source}" is no published source of this configuration '
            f"(there is {known}): leave `source` out and give the table as an area_counts.csv"
        )
    config = context.config
    areas = read_table(context.work("areas.parquet"), AREAS, crs=config.crs.working)
    part = read_counts(
        path,
        source=sources[table.source],
        config=config,
        areas_table=areas,
        lookup=read_lookup(config.areas, base=context.base),
    )
    # Counts that the publisher suppressed are not known to anybody.
    rows = part.table[part.table["mapped"].astype(bool) & part.table["value"].notna()]
    month = rows["month"].astype("int64")
    period = (month // 100).astype("str") + "-" + (month % 100).astype("str").str.zfill(2)
    category = rows["category"].where(rows["category"] != config.categories.all_from, "all")
    out = pd.DataFrame({"area_code": rows["area_code"], "period": period, "category": category})
    return out.assign(measure=rows["measure"], value=rows["value"].astype("int64")).reset_index(drop=True)
