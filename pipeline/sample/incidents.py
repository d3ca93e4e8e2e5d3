"""Synthetic incidents, put together: borough, strands, day, place, details, faults."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.sample.days import draw_days, draw_delays
from pipeline.sample.details import describe, draw_online
from pipeline.sample.faults import plant_faults, planted_faults
from pipeline.sample.layout import COLUMNS, EXTRACT_DAY, FIRST_DAY, Columns, generator
from pipeline.sample.pairs import pair_up
from pipeline.sample.places import Boroughs, borough_shapes_m, draw_places, lay_towns
from pipeline.sample.strands import Strands, draw_strands, labels, strand_odds

__all__ = ["DEFAULT_ROWS", "DEFAULT_SEED", "incident_chunks", "make_incidents", "to_csv_text"]

DEFAULT_SEED = 2025
DEFAULT_ROWS = 40_000
MAX_ROWS = 1_000_000  # in one frame; ids leave room for that many per chunk
THIRD_PARTY = 0.033  # rows of a third-party organisation alone; those that echo the police come on top
NO_BOROUGH = 0.15  # online rows that do not even say where the victim lives


def make_incidents(
    *, boroughs: Boroughs, totals: pd.DataFrame, seed: int = DEFAULT_SEED, rows: int = DEFAULT_ROWS, chunk: int = 0
) -> pd.DataFrame:
    """Make up incidents in the shape of a police extract. Nothing in it happened.

    Parameters
    ----------
    boroughs
        Areas in longitude and latitude; their order does not matter.
    totals
        Published 12-month totals by borough and strand; shares of rows follow them.
    seed
        Same seed, same rows.
    rows
        Rows in the result, faults and repeated rows included: 1 to 1,000,000.
    chunk
        Part of a larger sample. Chunks share the centres; their ids never meet.

    Returns
    -------
    incidents
        COLUMNS in order, all text as an extract has it, blank where nothing was recorded, in order of recording.
        Eastings and northings are in metres (EPSG:27700), dates ISO.

    Raises
    ------
    InputError
        If `rows`, `seed` or `chunk` is out of range, or totals and boroughs do not fit.
    """
    if not 1 <= rows <= MAX_ROWS:
        raise InputError(f"sample rows must be 1 to {MAX_ROWS:,}, not {rows:,}: take larger samples in chunks")
    if seed < 0 or chunk < 0:
        raise InputError(f"sample seed and chunk must not be negative: seed {seed}, chunk {chunk}")
    boroughs = boroughs.in_order()
    odds = strand_odds(totals, codes=boroughs.codes)
    shapes = borough_shapes_m(boroughs)
    towns = lay_towns(seed, shapes)
    rng = generator(seed, 2, chunk)
    faults = planted_faults(rows)
    count = rows - faults["identical_duplicate"] - faults["conflicting_duplicate"]

    borough, strands = draw_strands(rng, odds, rows=count)
    online = draw_online(rng, strands)
    pairs = pair_up(rng, borough, online)
    strands = Strands(*(pairs.follow(getattr(strands, name)) for name in Strands.__slots__))
    group = strands.group()
    day = pairs.days_after(rng, draw_days(rng, seed=seed, borough=borough, group=group, boroughs=len(shapes)))
    points, central = draw_places(rng, towns, shapes, borough=borough, day=day, group=group)
    points, central = pairs.near(rng, points), pairs.follow(central)
    third = rng.random(count) < THIRD_PARTY
    third[pairs.first] = False
    third[pairs.later] = pairs.echo
    recorded = np.minimum(FIRST_DAY + day + draw_delays(rng, count) + 2 * third, EXTRACT_DAY)
    age_days = (EXTRACT_DAY - recorded).astype(np.int64)

    columns: Columns = {
        "occurred_on": (FIRST_DAY + day).astype(str).astype(object),
        "recorded_on": recorded.astype(str).astype(object),
        "easting": np.where(online, "", points[:, 0].astype(np.int64).astype(str).astype(object)),
        "northing": np.where(online, "", points[:, 1].astype(np.int64).astype(str).astype(object)),
        "borough": np.array(boroughs.names, dtype=object)[borough],
        "strands": labels(rng, strands),
        "victim_ref": pairs.victims(rng, third, start=chunk * MAX_ROWS),
        "organisation": np.where(third, "third-party reporting", "police").astype(object),
        "note": np.full(count, "synthetic", dtype=object),
    }
    columns |= describe(rng, strands, central=central, online=online, third=third, age_days=age_days)
    columns["borough"][online & (rng.random(count) < NO_BOROUGH)] = ""
    order = np.argsort(recorded, kind="stable")
    columns = {name: values[order] for name, values in columns.items()}
    start = chunk * MAX_ROWS
    columns["incident_id"] = np.array([f"SYN-{serial:09d}" for serial in range(start, start + count)], dtype=object)
    columns = plant_faults(rng, columns, rows=rows)
    return pd.DataFrame({name: pd.Series(columns[name], dtype="str") for name in COLUMNS})


def incident_chunks(
    *, boroughs: Boroughs, totals: pd.DataFrame, seed: int = DEFAULT_SEED, rows: int, chunk_rows: int = 250_000
) -> Iterator[pd.DataFrame]:
    """Make up any number of incidents, a frame at a time.

    The frames are those of `make_incidents` with the chunks 0, 1, 2 ...: up to `chunk_rows` rows there is one frame,
    the same as from one call. Each frame has its own `planted_faults`.
    """
    if rows < 1:
        raise InputError(f"sample rows must be at least 1, not {rows:,}")
    if not 1 <= chunk_rows <= MAX_ROWS:
        raise InputError(f"sample chunk_rows must be 1 to {MAX_ROWS:,}, not {chunk_rows:,}")
    for chunk, start in enumerate(range(0, rows, chunk_rows)):
        size = min(chunk_rows, rows - start)
        yield make_incidents(boroughs=boroughs, totals=totals, seed=seed, rows=size, chunk=chunk)


def to_csv_text(incidents: pd.DataFrame, *, header: bool = True) -> str:
    r"""Write a sample as CSV text, to be encoded as UTF-8 without changing its line ends.

    Examples
    --------
    >>> import pandas as pd
    >>> to_csv_text(pd.DataFrame([["x"] * len(COLUMNS)], columns=COLUMNS), header=False)
    'x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x\n'
    """
    cells = [quoted(incidents[name].to_numpy(dtype=object)) for name in COLUMNS]
    lines = [",".join(COLUMNS)] if header else []
    lines += map(",".join, zip(*cells, strict=True))
    return "\n".join(lines) + "\n"


def quoted(values: NDArray[np.object_]) -> list[str]:
    """Quote the cells that hold a separator, a quote or a line end."""
    special = ',"\n\r'
    whole = "".join(values)
    if not any(mark in whole for mark in special):
        return list(values)
    return [f'"{v.replace(chr(34), chr(34) * 2)}"' if any(mark in v for mark in special) else v for v in values]
