"""Download public data: boundaries, residents, police.uk crimes, context layers.

This is the only package that makes network requests.

`Client` sends the requests, `download` keeps one file, the `fetch_...` functions know one publisher each.
It is used only by `hotspots fetch`; a run of the pipeline makes no network requests.
"""

from pipeline.fetch.boundaries import fetch_boundaries
from pipeline.fetch.client import Client, Limits
from pipeline.fetch.context import fetch_extract, fetch_os, fetch_overpass
from pipeline.fetch.download import CSV, JSON, ZIP, Fetched, Kind, Source, download
from pipeline.fetch.police import fetch_archive, fetch_street
from pipeline.fetch.population import fetch_population
from pipeline.fetch.unpack import Unpacking, unpack

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
