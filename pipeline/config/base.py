"""What every section of the configuration shares: frozen, complete, and helpful about typing errors."""

import difflib
from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["Section", "did_you_mean"]


class Section(BaseModel):
    """One frozen section; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)

    def settings(self) -> dict[str, Any]:
        """Return the section as plain JSON values, for manifests and freshness keys."""
        return self.model_dump(mode="json")


def did_you_mean(word: str, known: list[str]) -> str:
    """Return ` (did you mean "x"?)` for the nearest known word, or nothing."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f' (did you mean "{close[0]}"?)' if close else ""
