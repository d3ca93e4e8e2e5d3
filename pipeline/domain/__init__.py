"""Small value types of the field, with their rules.

periods
    Months, windows, breaks in a series, missing months, and the windows that a profile shows.
categories
    Ids of categories, and the relations declared between them.
"""
