"""Incidents: columns, dates, places and categories of a row, and the row accounting."""
