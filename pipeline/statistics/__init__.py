"""Statistics of counts: the uncertainty of a number, and whether two numbers differ by more than chance.

intervals
    Counts known as a range; exact intervals for counts, shares and ratios, widened for overdispersion.
rates
    Rates per head, smoothed rates, funnel limits, unreliable rates; outcomes as shares of a cohort or per 100 offences.
change
    Comparison of a window with an earlier one, by area.
events
    Rates before and after a dated event.
false_discovery
    Adjustment of the p-values of one family.
"""
