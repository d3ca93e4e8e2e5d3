"""The release gate."""

from pipeline.disclosure.released import Break, CategoryInfo, Event, PeriodInfo, Released, ReleaseInfo

__all__ = ["Break", "CategoryInfo", "Event", "PeriodInfo", "ReleaseInfo", "Released"]
