"""Statistics of counts: how sure a number is, and whether two differ by more than chance.

intervals
    Exact limits of counts, shares and ratios, and the dispersion that widens them.
rates
    Rates per head, smoothed rates, the funnel, and which rates are weak.
change
    One window against an earlier one, area by area.
outcomes
    Shares of a cohort and outcomes per 100 offences.
events
    Rates before and after a dated event.
false_discovery
    P-values of one family, adjusted together.
"""
