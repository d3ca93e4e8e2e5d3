"""Simulations of size and power, whose figures docs/methods.md quotes: `python -m tests.simulations change`."""
