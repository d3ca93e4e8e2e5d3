"""Faults of the kind that extracts really have, planted in known numbers so that the accounting can be checked."""

import numpy as np
from numpy.typing import NDArray

from pipeline.sample.layout import Columns

__all__ = ["FAULT_SHARES", "plant_faults", "planted_faults"]

FAULT_SHARES = {
    "identical_duplicate": 0.0040,
    "conflicting_duplicate": 0.0020,
    "blank_coordinates": 0.0100,
    "zero_coordinates": 0.0025,
    "swapped_coordinates": 0.0015,
    "far_coordinates": 0.0010,
    "impossible_date": 0.0005,
    "future_date": 0.0005,
    "blank_date": 0.0010,
    "recorded_before_occurred": 0.0005,
    "stray_whitespace": 0.0050,
    "unknown_strand": 0.0030,
    "misspelled_borough": 0.0020,
}
IMPOSSIBLE = ("2024-02-30", "2023-13-05", "2025-04-31", "2022-11-00", "2023-02-29")
UNKNOWN = ("racial", "relgion", "homophobia", "trans-gender", "disabilty", "hate")

Rows = NDArray[np.int64]


def planted_faults(rows: int) -> dict[str, int]:
    """Count the rows that carry each kind of fault among so many rows. Every faulty row carries exactly one.

    Examples
    --------
    >>> planted_faults(40_000)["zero_coordinates"]
    100
    """
    return {kind: int(share * rows + 0.5) for kind, share in FAULT_SHARES.items()}


def misspell(name: str, variant: int) -> str:
    """Write a borough's name as somebody in a hurry would."""
    return (name[:2] + name[3:], name.upper(), f"LB {name}")[variant % 3]


def plant_faults(rng: np.random.Generator, columns: Columns, *, rows: int) -> Columns:
    """Spoil some rows and repeat some others.

    Parameters
    ----------
    rng
        Source of chance.
    columns
        Text columns of sound rows. Left as they are.
    rows
        Rows wanted in the end: the sound ones plus the repeated ones of `planted_faults`.

    Returns
    -------
    columns
        New columns of `rows` rows; a repeated row stands within a few hundred rows after its first.
    """
    made = {name: values.copy() for name, values in columns.items()}
    counts = planted_faults(rows)
    deck = rng.permutation(np.flatnonzero(made["online"] == "no"))
    hands: dict[str, Rows] = {}
    for kind, count in counts.items():
        hands[kind], deck = deck[:count], deck[count:]

    for column in ("easting", "northing"):
        made[column][hands["blank_coordinates"]] = ""
        made[column][hands["zero_coordinates"]] = "0"
    swap = hands["swapped_coordinates"]
    made["easting"][swap], made["northing"][swap] = made["northing"][swap], made["easting"][swap]
    for turn, row in enumerate(hands["far_coordinates"]):
        # Either a digit too many, or a place in another part of the country.
        northing = made["northing"][row]
        made["northing"][row] = northing + "0" if turn % 2 else str(int(northing) + 260_000)
    for turn, row in enumerate(hands["impossible_date"]):
        made["occurred_on"][row] = IMPOSSIBLE[turn % len(IMPOSSIBLE)]
    for row in hands["future_date"]:
        made["occurred_on"][row] = "2035" + made["occurred_on"][row][4:].replace("-02-29", "-02-28")
    made["occurred_on"][hands["blank_date"]] = ""
    for row in hands["recorded_before_occurred"]:
        day = np.datetime64(made["occurred_on"][row]) - 30
        made["recorded_on"][row] = str(day)
    for turn, row in enumerate(hands["stray_whitespace"]):
        column = ("borough", "strands")[turn % 2]
        made[column][row] = f"  {made[column][row].replace(';', ' ; ')} "
    for turn, row in enumerate(hands["unknown_strand"]):
        word = UNKNOWN[turn % len(UNKNOWN)]
        made["strands"][row] = word if turn % 2 else f"{made['strands'][row]};{word}"
    for turn, row in enumerate(hands["misspelled_borough"]):
        made["borough"][row] = misspell(made["borough"][row], turn)
    return repeat(rng, made, hands["identical_duplicate"], hands["conflicting_duplicate"])


def repeat(rng: np.random.Generator, columns: Columns, same: Rows, changed: Rows) -> Columns:
    """Put second copies of rows a little further on; those in `changed` have moved and have another outcome."""
    count = len(columns["incident_id"])
    again = np.concatenate([same, changed])
    key = np.concatenate([np.arange(count), again + rng.integers(1, 400, len(again))])
    order = np.argsort(key, kind="stable")
    copies = {name: values[again] for name, values in columns.items()}
    for row in range(len(same), len(again)):
        copies["easting"][row] = str(int(copies["easting"][row]) + 180)
        copies["outcome"][row] = "charged" if copies["outcome"][row] != "charged" else "caution"
    return {name: np.concatenate([values, copies[name]])[order] for name, values in columns.items()}
