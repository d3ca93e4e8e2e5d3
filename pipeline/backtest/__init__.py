"""How well would the map have done: predictions made from the past alone, scored on what came after."""

from pipeline.backtest.methods import Chosen, Method, standard_methods, turned_grids
from pipeline.backtest.ranking import Ranking
from pipeline.backtest.rolling import TARGETS, backtest, history_and_origins, rolling_origins
from pipeline.backtest.scores import FEWEST_TO_RANK, BacktestResult
from pipeline.backtest.study import Mosaic, Past, Study
from pipeline.backtest.targets import Target
from pipeline.backtest.tilings import Tiling

__all__ = [
    "FEWEST_TO_RANK",
    "TARGETS",
    "BacktestResult",
    "Chosen",
    "Method",
    "Mosaic",
    "Past",
    "Ranking",
    "Study",
    "Target",
    "Tiling",
    "backtest",
    "history_and_origins",
    "rolling_origins",
    "standard_methods",
    "turned_grids",
]
