"""Boundaries, parents and residents."""
