"""Rates, change, outcomes, events, their intervals and false discovery."""
