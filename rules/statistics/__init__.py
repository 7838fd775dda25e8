"""Estimates that a few wild values do not move."""
