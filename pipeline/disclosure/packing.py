"""A `Released` taken apart for the stage store, and put together again unchanged."""

import hashlib
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import pandas as pd
from pydantic import TypeAdapter

from pipeline.disclosure.released import _SEAL, Released, ReleaseInfo
from pipeline.errors import DisclosureError

__all__ = ["Packed", "pack", "unpack"]

_INFO: TypeAdapter[ReleaseInfo] = TypeAdapter(ReleaseInfo)


@dataclass(frozen=True, slots=True)
class Packed:
    """The parts of a release: tables, plain words, and a digest of the numbers that left the gate."""

    info: dict[str, Any]
    areas: gpd.GeoDataFrame
    counts: pd.DataFrame
    hotspots: gpd.GeoDataFrame
    density: gpd.GeoDataFrame
    circumstances: pd.DataFrame
    record: dict[str, Any]
    digest: str


def _digest(*tables: pd.DataFrame) -> str:
    digest = hashlib.sha256()
    for table in tables:
        digest.update(",".join(table.columns).encode())
        digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def pack(released: Released) -> Packed:
    """Take a release apart."""
    return Packed(
        info=_INFO.dump_python(released.info, mode="json"),
        areas=released.areas,
        counts=released.counts,
        hotspots=released.hotspots,
        density=released.density,
        circumstances=released.circumstances,
        record=released.record,
        digest=_digest(released.counts, released.circumstances),
    )


def unpack(packed: Packed) -> Released:
    """Put a release together again.

    Raises
    ------
    DisclosureError
        If the counts are not those that left the gate.
    """
    if _digest(packed.counts, packed.circumstances) != packed.digest:
        raise DisclosureError(
            "the stored release is not the one that passed the gate: run `hotspots run --from release` to make it again"
        )
    return Released(
        info=_INFO.validate_python(packed.info),
        areas=packed.areas,
        counts=packed.counts,
        hotspots=packed.hotspots,
        density=packed.density,
        circumstances=packed.circumstances,
        record=packed.record,
        seal=_SEAL,
    )
