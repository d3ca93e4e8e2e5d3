"""A column of a batch as distinct texts and codes, so that work is done once per text and not once per row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["Coded", "coded", "strings"]


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Texts, trimmed; a missing one is empty."""

    codes: NDArray[np.int32]
    values: tuple[str, ...]

    def flags(self, test: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Apply a test to every row."""
        return np.fromiter((test(v) for v in self.values), dtype=bool, count=len(self.values))[self.codes]

    def numbers(self, number: Callable[[str], int]) -> NDArray[np.int32]:
        """Apply a function to every row."""
        return np.fromiter((number(v) for v in self.values), dtype=np.int32, count=len(self.values))[self.codes]

    def texts(self, text: Callable[[str], str | None]) -> Any:
        """Apply a function to every row; an Arrow array of texts, null for None."""
        return strings([text(v) for v in self.values], self.codes)

    def counts(self) -> dict[str, int]:
        """Rows per text."""
        rows = np.bincount(self.codes, minlength=len(self.values))
        out: dict[str, int] = {}
        for value, count in zip(self.values, rows, strict=True):
            if count:
                out[value] = out.get(value, 0) + int(count)
        return out


def coded(column: Any) -> Coded:
    """Code an Arrow column of texts."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], pa.string())
    made = whole.dictionary_encode()
    values = [" ".join(v.split()) for v in made.dictionary.to_pylist()]
    codes = np.asarray(made.indices.fill_null(len(values)), dtype=np.int32)
    return Coded(codes, (*values, ""))


def strings(values: Sequence[str | None], codes: NDArray[Any]) -> Any:
    """Spread distinct texts over rows as an Arrow array."""
    return pa.array(values, pa.string()).take(pa.array(codes))
