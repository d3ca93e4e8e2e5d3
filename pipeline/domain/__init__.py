"""Small values of the field that know their rules.

periods
    Months, windows, breaks in a series, and the windows that a profile is given.
categories
    Ids of categories, and the relations declared between them.
bands
    Counts in bands.
extent
    How much of the data lies inside the areas.
outcome_kinds
    What came of an offence, read from the words of the source.
"""
