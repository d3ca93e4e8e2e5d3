"""Two editions of wards over the same months: each ward is the sum of the pieces that it shares with the other's.

Pieces are granted as they are: those in which the data holds no incident at all are known to be empty.
"""

from pathlib import Path

import pandas as pd

from tests.attack.folder import Folder, Key, months_of
from tests.attack.relations import Relation
from tests.attack.truth import Truth


def pieces(old: Path, new: Path, folders: tuple[Folder, Folder], truth: Truth) -> list[Relation]:
    """Write down the pieces of the windows that both editions show, and put their true counts in `truth`.

    Parameters
    ----------
    old, new
        Outputs of the two runs, whose working folders hold where each incident was placed.
    folders
        What was read of each.
    truth
        True counts, which are added to.
    """
    before, after = (_placed(output) for output in (old, new))
    both = before.join(after["ward_code"].rename("other"), how="inner").dropna(subset=["ward_code", "other"])
    shown, there = ({k[:3] for k in f.shown if k.measure == "incidents"} for f in folders)
    by_ward: dict[tuple[str, str, str], list[Key]] = {}
    for period, category in sorted({k[1:] for k in shown} & {k[1:] for k in there}):
        inside = both["month"].isin([int(m.replace("-", "")) for m in months_of(period)])
        if category != "all":
            inside &= both["categories"].str.split(";").map(lambda own, c=category: c in own)
        count = both[inside].value_counts(["ward_code", "other"]).to_dict()
        for ward, other in sorted(set(zip(both["ward_code"], both["other"], strict=True))):
            if (ward, period, category) in shown and (other, period, category) in there:
                piece = Key(ward, period, category, f"incidents/{other}")
                truth.extra[piece] = count.get((ward, other), 0)
                for own in (ward, other):
                    by_ward.setdefault((own, period, category), []).append(piece)
    return [
        Relation(("editions",), Key(*at, "incidents"), tuple(own), at_most=side)
        for at, own in by_ward.items()
        for side in (False, True)
    ]


def _placed(output: Path) -> pd.DataFrame:
    """Read where a run placed its incidents, by id."""
    parts = [pd.read_parquet(path) for path in sorted((output / "work" / "incidents").glob("*.parquet"))]
    columns = ["incident_id", "month", "categories", "ward_code"]
    return pd.concat(parts)[columns].astype({"month": int}).set_index("incident_id")
