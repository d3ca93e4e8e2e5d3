"""What must hold before cells are laid, and how a cell writes its size."""

from math import isfinite

from pipeline.errors import InputError

__all__ = ["checked", "metres_text", "refuse_too_many"]

MAX_CELLS = 400_000_000


def metres_text(metres: float) -> str:
    """Write metres without a trailing ``.0``, to the millimetre."""
    return f"{metres:.3f}".rstrip("0").rstrip(".")


def checked(
    bounds: tuple[float, float, float, float], *, size_m: float, margin_m: float
) -> tuple[float, float, float, float]:
    """Return the bounds grown by the margin, refusing what cannot be laid out."""
    west, south, east, north = (float(b) for b in bounds)
    if not (isfinite(size_m) and size_m > 0):
        raise InputError(f"a cell of {size_m} m cannot be laid out: give a size above 0 m")
    if not (isfinite(margin_m) and margin_m >= 0):
        raise InputError(f"a margin of {margin_m} m cannot be kept: give 0 m or more")
    if not all(map(isfinite, (west, south, east, north))) or west > east or south > north:
        raise InputError(f"bounds {west, south, east, north} are not west, south, east, north in metres")
    return west - margin_m, south - margin_m, east + margin_m, north + margin_m


def refuse_too_many(rows: int, cols: int, size_m: float) -> None:
    """Refuse more cells than memory is meant to hold."""
    if rows * cols > MAX_CELLS:
        raise InputError(
            f"{rows:,} x {cols:,} cells of {size_m:g} m are too many to hold: "
            "use larger cells, or check for coordinates far outside the study area"
        )
