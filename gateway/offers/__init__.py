"""Offers: what became of each visit to a shop."""
