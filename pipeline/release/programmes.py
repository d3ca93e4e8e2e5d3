"""Linear programmes, solved by HiGHS: the one place that knows its interface.

HiGHS is called directly. Through `scipy.optimize.milp` the model of every programme passes through Python lists, which
takes as long as HiGHS itself, and is handed over again for every cost.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

__all__ = ["Found", "Programme", "Status"]

FloatArray = NDArray[np.float64]


class Status(Enum):
    """How a programme ended."""

    SOLVED = auto()
    INFEASIBLE = auto()
    LIMIT = auto()
    """The limit of nodes or iterations was reached; the best point so far may be known."""
    NONE = auto()
    """Unbounded, or the solver failed."""


_STATUSES = {
    highspy.HighsModelStatus.kOptimal: Status.SOLVED,
    highspy.HighsModelStatus.kInfeasible: Status.INFEASIBLE,
    highspy.HighsModelStatus.kSolutionLimit: Status.LIMIT,
    highspy.HighsModelStatus.kIterationLimit: Status.LIMIT,
}


@dataclass(frozen=True, slots=True)
class Found:
    """What solving a programme found.

    Attributes
    ----------
    status
        How it ended.
    x
        The point of least cost, shape (n,); the best one found if a limit was reached; None if there is none.
    value
        Its cost; NaN without a point.
    """

    status: Status
    x: FloatArray | None
    value: float


class _Quiet(highspy.Highs):
    """HiGHS without callbacks: enabling them prints its name and version among what the program prints."""

    def enableCallbacks(self) -> None:  # noqa: N802 the name in highspy
        """Do nothing."""


class Programme:
    """Rows ``low <= matrix @ x <= high`` over ``least <= x <= most``, to be solved for one cost after another.

    Parameters
    ----------
    matrix
        Shape (rows, n), any sparse array.
    low, high
        Bounds of the rows, shape (rows,).
    least, most
        Bounds of each column, shape (n,).
    integer
        Whether all columns are whole numbers.
    """

    def __init__(
        self,
        matrix: Any,
        *,
        low: FloatArray,
        high: FloatArray,
        least: FloatArray,
        most: FloatArray,
        integer: bool = False,
    ) -> None:
        columns = csc_array(matrix)
        rows, n = columns.shape
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = n, rows
        model.col_cost_, model.col_lower_, model.col_upper_ = np.zeros(n), least, most
        model.row_lower_, model.row_upper_ = low, high
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.num_col_, model.a_matrix_.num_row_ = n, rows
        model.a_matrix_.start_ = columns.indptr.astype(np.int32)
        model.a_matrix_.index_ = columns.indices.astype(np.int32)
        model.a_matrix_.value_ = columns.data.astype(np.float64)
        if integer:
            model.integrality_ = [highspy.HighsVarType.kInteger] * n
        # highspy annotates its methods, but not how its class is made.
        self._solver = _Quiet()  # type: ignore[no-untyped-call]
        self._at = np.arange(n, dtype=np.int32)
        self._solver.setOptionValue("output_flag", False)
        self._solver.passModel(model)

    def minimise(
        self, cost: FloatArray, *, presolve: bool = True, gap: float = 1e-4, nodes: int | None = None
    ) -> Found:
        """Find where ``cost @ x`` is least.

        Parameters
        ----------
        cost
            Shape (n,).
        presolve
            Whether HiGHS simplifies the programme first.
        gap
            Of integer programmes: the relative gap at which the search stops; by default that of HiGHS.
        nodes
            Of integer programmes: the most nodes that are searched; None for any number.
        """
        solver = self._solver
        solver.setOptionValue("presolve", "on" if presolve else "off")
        solver.setOptionValue("mip_rel_gap", gap)
        if nodes is not None:
            solver.setOptionValue("mip_max_nodes", nodes)
        # Every programme starts afresh, so that its point does not depend on those before it. This costs nothing: a
        # warm start takes longer.
        solver.clearSolver()
        solver.changeColsCost(cost.size, self._at, np.ascontiguousarray(cost, dtype=np.float64))
        solver.solve()
        status = _STATUSES.get(solver.getModelStatus(), Status.NONE)
        info = solver.getInfo()
        feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        if status is not Status.SOLVED and not (status is Status.LIMIT and feasible):
            return Found(status, None, np.nan)
        return Found(
            status, np.array(solver.getSolution().col_value, dtype=np.float64), float(info.objective_function_value)
        )
