"""The descriptive columns of an incident: kind, flags, outcome, victim, organisation."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import IncidentSource
from pipeline.ingest.incidents.coded import Coded, coded
from pipeline.ingest.incidents.columns import Roles

__all__ = ["Detailed", "Details", "plan_details"]

_FALSE = frozenset({"no", "n", "false", "f", "0"})
_TEXTS = ("offence_group", "place_type", "reporting_route", "outcome")


@dataclass(frozen=True, slots=True, eq=False)
class Detailed:
    """Columns of a batch by name, and which rows happened online."""

    columns: dict[str, Any]
    online: NDArray[np.bool_]


@dataclass(slots=True)
class Details:
    """How the descriptive columns of a file are read."""

    at: dict[str, int]
    organisation: str
    true_values: frozenset[str]
    positive: frozenset[str]
    pending: frozenset[str]
    unreadable: Counter[str] = field(default_factory=Counter)

    @property
    def has_outcomes(self) -> bool:
        """Whether outcomes can be classed."""
        return "outcome" in self.at and bool(self.positive)

    def read(self, table: Any, *, salt: bytes) -> Detailed:
        """Read a batch."""
        rows = table.num_rows
        nothing = pa.nulls(rows, pa.string())

        def column(role: str) -> Coded | None:
            return coded(table[f"c{self.at[role]}"]) if role in self.at else None

        def texts(role: str, read: Callable[[str], str | None]) -> Any:
            found = column(role)
            return nothing if found is None else found.texts(read)

        columns = {role: texts(role, lambda v: v or None) for role in _TEXTS}
        columns["kind"] = texts("kind", self._checked("kind", _kind, column("kind")))
        columns["flag_status"] = texts("flag_status", self._checked("flag_status", _flag, column("flag_status")))
        columns["outcome_class"] = texts("outcome", self._outcome)
        columns["victim_hash"] = texts("victim", lambda v: hashed(v, salt) if v else None)
        columns["organisation"] = pc.fill_null(texts("organisation", lambda v: v or None), self.organisation)
        found = column("aggravated")
        columns["aggravated"] = (
            pa.nulls(rows, pa.bool_())
            if found is None
            else pc.equal(found.texts(self._checked("aggravated", self._yes_no, found)), "yes")
        )
        online = column("online")
        shown = (
            np.zeros(rows, dtype=bool) if online is None else online.flags(lambda v: v.casefold() in self.true_values)
        )
        return Detailed(columns, shown)

    def _yes_no(self, text: str) -> str | None:
        if text.casefold() in self.true_values:
            return "yes"
        return "no" if text.casefold() in _FALSE else None

    def _outcome(self, text: str) -> str | None:
        if not text or not self.has_outcomes:
            return None
        key = text.casefold()
        return "positive" if key in self.positive else "pending" if key in self.pending else "other"

    def _checked(
        self, role: str, read: Callable[[str], str | None], found: Coded | None
    ) -> Callable[[str], str | None]:
        """Count the texts that the column should not hold."""
        if found is not None:
            lost = sum(rows for text, rows in found.counts().items() if text and read(text) is None)
            if lost:
                self.unreadable[role] += lost
        return read


def _kind(text: str) -> str | None:
    key = text.casefold()
    if "incident" in key or key.startswith("non"):
        return "incident"
    return "offence" if "offence" in key or "offense" in key or "crime" in key else None


def _flag(text: str) -> str | None:
    key = text.casefold()
    return key if key in {"confirmed", "presumed"} else None


@lru_cache(maxsize=1 << 17)
def hashed(text: str, salt: bytes) -> str:
    """Hash a victim reference under a key, so that nobody without the key can try references one by one."""
    return blake2b(text.encode(), key=salt[:64], digest_size=16).hexdigest()


def plan_details(roles: Roles, *, source: IncidentSource) -> Details:
    """Prepare to read the descriptive columns of a file."""
    return Details(
        roles.at,
        source.name,
        frozenset(v.casefold() for v in source.true_values),
        frozenset(" ".join(v.split()).casefold() for v in source.positive_outcomes),
        frozenset(" ".join(v.split()).casefold() for v in source.pending_outcomes),
    )
