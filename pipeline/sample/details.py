"""What else an extract says of a row: kind, offence, place type, route, outcome."""

import numpy as np
from numpy.typing import NDArray

from pipeline.sample.layout import Columns, draw, pick
from pipeline.sample.strands import Strands

__all__ = ["describe", "draw_online"]

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

Flags = NDArray[np.bool_]


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
