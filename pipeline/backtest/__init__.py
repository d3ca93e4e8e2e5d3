"""How well would the map have done: predictions made from the past alone, scored on what came after."""

from pipeline.backtest.methods import Method, standard_methods
from pipeline.backtest.rolling import backtest, rolling_origins
from pipeline.backtest.scores import BacktestResult, Covered, Interval, MethodScore, cover
from pipeline.backtest.study import Mosaic, Past, Study

__all__ = [
    "BacktestResult",
    "Covered",
    "Interval",
    "Method",
    "MethodScore",
    "Mosaic",
    "Past",
    "Study",
    "backtest",
    "cover",
    "rolling_origins",
    "standard_methods",
]
