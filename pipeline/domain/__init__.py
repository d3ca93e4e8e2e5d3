"""Small values of the field that know their rules.

periods
    Months, windows, breaks in a series, months that the data lacks, and the windows that a profile is given.
categories
    Ids of categories, and the relations declared between them.
"""
