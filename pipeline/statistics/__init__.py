"""Statistics of counts: the uncertainty of a number, and whether two numbers differ by more than chance.

uncertainty
    Counts known as a range; exact intervals for counts, shares and ratios, widened for overdispersion; adjustment of
    the p-values of one family.
rates
    Rates per head, smoothed rates, funnel limits, unreliable rates; outcomes as shares of a cohort or per 100 offences.
window_counts
    Counts of areas by window, put in order once for all comparisons.
usual_variation
    The dispersion of counts where nothing has changed.
change
    Comparison of a window with an earlier one, by area.
events
    Rates before and after a dated event.
"""
