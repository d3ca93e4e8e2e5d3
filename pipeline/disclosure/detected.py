"""What goes into the gate: everything the earlier stages found, unprotected."""

from dataclasses import dataclass, field
from datetime import date

import geopandas as gpd
import pandas as pd

from pipeline.disclosure.released import CategoryInfo
from pipeline.disclosure.shapes import Ground
from pipeline.disclosure.told import Told

__all__ = ["Detected"]


@dataclass(frozen=True, slots=True)
class Detected:
    """Everything the earlier stages found, unprotected.

    Attributes
    ----------
    areas
        Table `areas`.
    area_months
        Table `area_months`.
    categories
        Categories in the order they are shown, `all` first.
    first_date, last_date
        First and last day the data covers completely.
    locations
        Table `locations`; empty where the source has no points.
    hotspots
        Headline window id to its hotspots (all attributes, geometry in the working system).
    members
        Headline window id to the locations of each hotspot: hotspot_id, easting_m, northing_m, ward_code, incidents.
    bandwidth_m
        Bandwidth the surface is made with, in metres; None where there are no points.
    emerging
        area_code, category, emerging_class; None where the series is too short.
    has_points
        Whether the source has points at all.
    ground
        Addresses and institutions, where layers of them are given.
    known
        Counts that anybody can look up elsewhere: area_code, period, category, measure, value; None where no table
        is named.
    facets
        Counts by what describes incidents (see `pipeline.aggregate.circumstances`); None where there are no incident records.
    denominators
        Populations used for one category only: area_code, category, population, measure; None where there are none.
    told
        Circumstances released before from the same data, oldest first.
    """

    areas: gpd.GeoDataFrame
    area_months: pd.DataFrame
    categories: tuple[CategoryInfo, ...]
    first_date: date
    last_date: date
    locations: pd.DataFrame
    hotspots: dict[str, gpd.GeoDataFrame]
    members: dict[str, pd.DataFrame]
    bandwidth_m: float | None
    emerging: pd.DataFrame | None
    has_points: bool
    ground: Ground = field(default_factory=Ground)
    known: pd.DataFrame | None = None
    facets: pd.DataFrame | None = None
    denominators: pd.DataFrame | None = None
    told: tuple[Told, ...] = ()
