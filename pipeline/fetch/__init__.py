"""Public data fetched politely: boundaries, residents, police.uk crimes, layers of context.

This is the only place that opens the network.

`Client` sends the requests, `download` keeps one file, the `fetch_...` functions know one publisher each.
Nothing here runs unless a person types `hotspots fetch`; a run of the pipeline never asks the network for anything.
"""

from pipeline.fetch.archive import Unpacking, unpack
from pipeline.fetch.boundaries import fetch_boundaries
from pipeline.fetch.client import Client, Limits
from pipeline.fetch.context import fetch_extract, fetch_os, fetch_overpass
from pipeline.fetch.download import CSV, JSON, ZIP, Fetched, Kind, Source, download
from pipeline.fetch.police import fetch_archive, fetch_street
from pipeline.fetch.population import fetch_population

__all__ = [
    "CSV",
    "JSON",
    "ZIP",
    "Client",
    "Fetched",
    "Kind",
    "Limits",
    "Source",
    "Unpacking",
    "download",
    "fetch_archive",
    "fetch_boundaries",
    "fetch_extract",
    "fetch_os",
    "fetch_overpass",
    "fetch_population",
    "fetch_street",
    "unpack",
]
