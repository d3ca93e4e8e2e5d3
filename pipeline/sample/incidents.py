"""Synthetic incidents, row by row: day, rows that follow others, details, and all of it put together with faults."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.sample.faults import plant_faults, planted_faults
from pipeline.sample.layout import COLUMNS, DAYS, EXTRACT_DAY, FIRST_DAY, Columns, draw, generator, pick
from pipeline.sample.places import Boroughs, borough_shapes_m, draw_places, lay_towns
from pipeline.sample.strands import GROUPS, Strands, draw_strands, labels, strand_odds

__all__ = [
    "DEFAULT_ROWS",
    "DEFAULT_SEED",
    "incident_chunks",
    "make_incidents",
    "to_csv_text",
]


# When it happened: seasons, weekends, a mild trend for each borough, and one invented surge, so that the methods for
# change and for emerging hotspots have something to find.

WEEKEND = np.array([0.95, 0.94, 0.97, 0.99, 1.07, 1.10, 0.98])  # Monday first
SURGE = (620, 670, 1.8)  # first and last day, factor; rows of religion only

Index = NDArray[np.int64]


def draw_days(rng: np.random.Generator, *, seed: int, borough: Index, group: Index, boroughs: int) -> Index:
    """Draw the day of each row, shape (n,), from 0 to DAYS - 1.

    Parameters
    ----------
    rng
        Source of chance for the rows.
    seed
        Seed of the sample: trends belong to it, so chunks share them.
    borough, group
        Position of the borough and strand group of each row, shape (n,).
    boroughs
        Number of boroughs.
    """
    day = np.arange(DAYS)
    year = day / 365.25
    of_year = (FIRST_DAY + day - (FIRST_DAY + day).astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    weekday = (FIRST_DAY.astype(np.int64) + 3 + day) % 7  # 1970-01-01 was a Thursday
    common = (1.0 + 0.14 * np.cos(2 * np.pi * (of_year - 185) / 365.25)) * WEEKEND[weekday]
    trend = 0.02 + 0.11 * generator(seed, 3).standard_normal(boroughs)
    odds = common * np.exp(trend[:, None] * (year - 1.5))
    odds = np.repeat(odds[:, None, :], len(GROUPS), axis=1)
    first, last, factor = SURGE
    odds[:, GROUPS.index("religion"), first : last + 1] *= factor
    return draw(rng, odds.reshape(-1, DAYS), borough * len(GROUPS) + group)


def draw_delays(rng: np.random.Generator, count: int) -> Index:
    """Draw days from occurrence to record, shape (count,): most the same day, a few after months."""
    kind = rng.random(count)
    late = 2 + (-16.0 * np.log1p(-rng.random(count))).astype(np.int64)
    return np.where(kind < 0.62, 0, np.where(kind < 0.82, 1, late))


# Rows that follow another: repeat victims, near repeats, and third-party reports of what the police also recorded.

REPEATS = 0.055  # of rows with a place
ECHOES = 0.012
SAME_SPOT = 0.6  # of the pairs; the rest are a short walk apart
MEAN_GAP_DAYS = 9.0
ECHO_DAYS = 7
NO_VICTIM = 0.18  # rows without an individual victim
GOLDEN = 2_654_435_761  # odd, so that multiplying by it modulo 2^32 never gives two victims one number

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Positions of first and following rows, shape (pairs,); no row is in two pairs."""

    first: Index
    later: Index
    echo: Flags
    same: Flags

    def follow(self, values: NDArray[Any]) -> NDArray[Any]:
        """Give each following row its first one's value."""
        copied = values.copy()
        copied[self.later] = copied[self.first]
        return copied

    def days_after(self, rng: np.random.Generator, day: Index) -> Index:
        """Put each following row days after its first one, or before it where the last day is too near."""
        wait = 1 + (-MEAN_GAP_DAYS * np.log1p(-rng.random(len(self.first)))).astype(np.int64)
        gap = np.where(self.echo, rng.integers(0, ECHO_DAYS, len(self.first)), wait)
        after = day[self.first] + gap
        moved = day.copy()
        moved[self.later] = np.clip(np.where(after < DAYS, after, day[self.first] - gap), 0, DAYS - 1)
        return moved

    def near(self, rng: np.random.Generator, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Put each following row at its first one's spot, or a short walk from it (metres)."""
        reach = np.where(self.same, 0.0, np.where(self.echo, 15.0, 50.0))[:, None]
        moved = points_m.copy()
        moved[self.later] = points_m[self.first] + np.round(rng.standard_normal((len(self.first), 2)) * reach)
        return moved

    def victims(self, rng: np.random.Generator, third: Flags, *, start: int) -> NDArray[np.object_]:
        """Write made-up victims, shape (n,): one for both rows of a repeat on the spot, none from third parties."""
        serial = start + np.arange(len(third))
        known = self.same & ~self.echo
        serial[self.later[known]] = serial[self.first[known]]
        words = np.array([f"SYN-V{value:08x}" for value in serial * GOLDEN % (1 << 32)], dtype=object)
        blank = rng.random(len(third)) < NO_VICTIM
        blank[self.first[known]] = blank[self.later[known]] = False
        words[blank | third] = ""
        return words


def pair_up(rng: np.random.Generator, borough: Index, online: Flags) -> Pairs:
    """Choose pairs among the rows of one borough that have a place."""
    deck = rng.permutation(np.flatnonzero(~online))
    deck = deck[np.argsort(borough[deck], kind="stable")]
    first, later = deck[0 : len(deck) - 1 : 2], deck[1::2]
    chance = rng.random(len(first))
    keep = (borough[first] == borough[later]) & (chance < 2 * (REPEATS + ECHOES))
    first, later, echo = first[keep], later[keep], chance[keep] >= 2 * REPEATS
    return Pairs(first=first, later=later, echo=echo, same=rng.random(len(first)) < SAME_SPOT)


# What else an extract states about a row: kind, offence, place type, route, outcome.

OFFENCES = {
    "Public order": 0.41,
    "Violence against the person": 0.36,
    "Harassment": 0.10,
    "Criminal damage": 0.08,
    "Theft": 0.02,
    "Sexual offences": 0.01,
    "Other": 0.02,
}
ONLINE_OFFENCES = {"Malicious communications": 0.62, "Harassment": 0.30, "Public order": 0.05, "Other": 0.03}
CENTRAL_PLACES = {
    "street": 0.38,
    "transport hub": 0.16,
    "shop": 0.15,
    "licensed premises": 0.10,
    "dwelling": 0.08,
    "workplace": 0.05,
    "place of worship": 0.03,
    "school or college": 0.03,
    "park": 0.02,
}
OTHER_PLACES = {
    "street": 0.37,
    "dwelling": 0.34,
    "school or college": 0.07,
    "shop": 0.07,
    "park": 0.06,
    "workplace": 0.05,
    "place of worship": 0.02,
    "hospital": 0.02,
}
ROUTES = {"telephone": 0.52, "in person": 0.20, "online form": 0.17, "officer": 0.08, "": 0.03}
OUTCOMES = {
    "no suspect identified": 0.43,
    "victim does not support": 0.27,
    "evidential difficulties": 0.135,
    "charged": 0.105,
    "community resolution": 0.03,
    "caution": 0.015,
    "not in the public interest": 0.015,
}
# Odds by hour of the day, midnight first.
HOURS = np.array(
    [30, 24, 19, 13, 9, 8, 12, 22, 38, 40, 40, 43, 50, 50, 52, 62, 66, 66, 62, 57, 50, 46, 44, 38], dtype=float
)
NO_HOUR = 0.06
PENDING_DAYS = 80.0  # time constant of an investigation


def draw_online(rng: np.random.Generator, strands: Strands) -> Flags:
    """Decide which rows happened online, more of the antisemitic and transphobic ones, shape (n,)."""
    chance = 0.09 + 0.10 * strands.antisemitic + 0.08 * strands.transgender
    return rng.random(len(chance)) < chance


def describe(
    rng: np.random.Generator,
    strands: Strands,
    *,
    central: Flags,
    online: Flags,
    third: Flags,
    age_days: NDArray[np.int64],
) -> Columns:
    """Write the descriptive columns.

    Parameters
    ----------
    rng
        Source of chance.
    strands
        Strands of the rows.
    central, online, third
        Whether each row belongs to a centre, happened online, comes from a third-party organisation; shape (n,).
    age_days
        Days from the record to the extract, shape (n,): the younger, the likelier still pending.
    """
    count = len(central)
    offence = ~third & (rng.random(count) < 0.91)
    hour = draw(rng, HOURS[None, :], np.zeros(count, dtype=np.int64)).astype(str).astype(object)
    hour[rng.random(count) < NO_HOUR] = ""
    group = np.where(online, pick(rng, ONLINE_OFFENCES, count), pick(rng, OFFENCES, count))
    worse = (strands.race | strands.religion) & (rng.random(count) < 0.64)
    place = np.where(central, pick(rng, CENTRAL_PLACES, count), pick(rng, OTHER_PLACES, count))
    outcome = pick(rng, OUTCOMES, count)
    outcome[rng.random(count) < 0.97 * np.exp(-age_days / PENDING_DAYS)] = "pending"
    return {
        "hour": hour,
        "offence_group": np.where(offence, group, "Non-crime incident"),
        "kind": np.where(offence, "offence", "incident").astype(object),
        "aggravated": np.where(offence & worse, "yes", "no").astype(object),
        "flag_status": pick(rng, {"confirmed": 0.88, "presumed": 0.12}, count),
        "place_type": np.where(online, "online", place),
        "reporting_route": np.where(third, "third party", pick(rng, ROUTES, count)),
        "online": np.where(online, "yes", "no").astype(object),
        "outcome": np.where(offence, outcome, ""),
    }


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
